"""Floor 1: codecs: which are allowed, and decoding in bounded memory. Bytes in, bytes out.

A file names its codecs; only those of the allow-list are ever made, and pickle is never on it. How
much a chunk may decode to is known before it is decoded, or held against it while it is.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import gcd, prod
from operator import attrgetter
from struct import Struct, calcsize, pack, unpack_from
from typing import Any, Final

import numcodecs
import numpy as np
from numcodecs.registry import get_codec

from ..values.errors import FormatError
from ..values.types import JSON, Compressor, NumPyArray, is_dict, is_list

COMPRESSORS: Final = frozenset({"blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma"})
CHECKSUMS: Final = frozenset({"crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"})
FILTERS: Final = CHECKSUMS | {
    *("delta", "shuffle", "fixedscaleoffset", "quantize", "astype", "bitround", "packbits")
}
CELLS: Final = frozenset({"vlen-utf8", "vlen-array", "vlen-bytes", "json2", "msgpack2"})
"""The object codecs."""
DOCUMENTS: Final = frozenset({"json2", "msgpack2"})
"""Those whose cells are what JSON can be; zspy writes lists of str."""
ALLOWED: Final = COMPRESSORS | FILTERS | CELLS
"""The codecs by their numcodecs id. Those that run code (pickle) or are unknown are not here."""
CELL: Final = 128
"""Bytes that a cell of an object array takes in memory, besides what it holds."""

_SMALL: Final = 2**12  # bytes: copying them takes less time than a buffer for them
_NESTING: Final = frozenset({dict, list})
_DEEPEST: Final = 200  # levels of lists and objects in a document
_DTYPES: Final = frozenset({"dtype", "astype", "encode_dtype", "decode_dtype"})
_NUMBERS: Final = re.compile(r"[<>|]?([biufc])\d{1,2}\Z")
_GROWING: Final = FILTERS - CHECKSUMS - {"shuffle", "bitround"}
_GROWTH: Final = 32  # bytes that a filter, or a document of cells, makes of one at the most


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What reading a file may take: a file that asks for more is refused.

    Parameters
    ----------
    chunk : int
        Bytes of one decoded chunk; by default 2 GiB, more than any compressor of the format takes.
    array : int
        Bytes of one array that is read whole; by default 256 GiB. Lazy arrays have any size.
    memory : int
        Bytes that the arrays of a file may take whatever is stored; by default 256 MiB.
    expansion : int
        Bytes that they may take besides, for each byte of their chunks that is stored; by default
        32,768, which is what Zstandard makes of zeros.
    nodes : int
        Number of groups and arrays; by default 262,144.
    depth : int
        Levels of groups; by default 4,096.
    document : int
        Bytes of the document, or of the attributes, of one node; by default 64 MiB.

    Examples
    --------
    >>> Limits(array=2**20).array
    1048576
    """

    chunk: int = 2**31
    array: int = 2**38
    memory: int = 2**28
    expansion: int = 2**15
    nodes: int = 2**18
    depth: int = 2**12
    document: int = 2**26


class Budget:
    """Bytes that the arrays of a file may still take."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.memory

    def spend(self, size: int, where: Callable[[], str], stored: Callable[[], int] = int) -> None:
        """Take bytes from what is left; where it is too little, what is stored brings more."""
        if size > self.left:
            self.left += stored() * self.limits.expansion
        if size > self.left:
            problem = f"it takes {size} bytes of memory, and hardly anything of that is stored"
            raise FormatError(problem, where(), "read it lazily, or raise the limits")
        self.left -= size


def codec_id(config: Any, where: str, allowed: Collection[str] = ()) -> str:
    """Give the name of the codec that a document asks for, or raise FormatError."""
    name = config.get("id") if is_dict(config) else None
    if not isinstance(name, str):
        raise FormatError("a codec without an id", where)
    check_allowed(name, ALLOWED, where, allowed)
    return name


def check_allowed(name: str, known: Collection[str], where: str, allowed: Collection[str]) -> None:
    """Raise FormatError for a codec that is neither known nor allowed by the reader."""
    if name not in known and name not in allowed:
        remedy = "if you trust the file, allow it by name: codecs=(...)"
        raise FormatError(f"the codec {name!r} is not allowed", where, remedy)


def codec(config: Any, where: str, allowed: Collection[str] = ()) -> Compressor:
    """Make the codec that a document names; raises FormatError where it is none that is allowed."""
    name = codec_id(config, where, allowed)
    try:
        if name in FILTERS:
            _check_filter(config)
        made: Compressor = get_codec(config)
    except Exception as error:  # whatever the constructor of the codec raises
        raise FormatError(f"the codec {name!r} is not understood ({error})", where) from error
    return made


def _check_filter(config: Mapping[str, Any]) -> None:
    """Refuse what lets a filter enlarge its input without bounds, or lose values with a warning."""
    kinds: set[str] = set()
    for key, value in config.items():
        if key in _DTYPES and value is not None:
            if (found := _NUMBERS.match(value)) is None:
                raise ValueError(f"{key} is no dtype of numbers")
            kinds.add(found[1])
        elif is_list(value) or is_dict(value):
            raise TypeError(f"{key} is no number")
    if "c" in kinds and len(kinds) > 1:
        raise ValueError("complex and real numbers")


# --- chunks ------------------------------------------------------------------------------------


def decode_stages(
    stages: Sequence[Compressor], data: bytes, size: int | None, limit: int, where: str
) -> NumPyArray:
    """Undo codecs, the last one first: to `size` bytes, or to at most `limit` where it is None."""
    sizes = [size]
    for stage in stages:
        sizes.append(_encoded_size(stage, sizes[-1]))
    flat = np.frombuffer(data, np.uint8)
    for stage, wanted in zip(reversed(stages), reversed(sizes[:-1]), strict=True):
        _check_size(flat.size, sizes.pop(), where)
        try:
            flat = np.frombuffer(_decoded(stage, flat, wanted, limit), np.uint8)
        except Exception as error:  # RuntimeError, ValueError, zlib.error, LZMAError, EOFError, ...
            problem = f"a chunk that {stage.codec_id} cannot decode ({error})"
            raise FormatError(problem, where) from error
    _check_size(flat.size, size, where)
    return flat


def _check_size(found: int, wanted: int | None, where: str) -> None:
    if wanted not in (None, found):
        raise FormatError(f"a chunk of {found} bytes where {wanted} belong", where)


def _encoded_size(stage: Any, size: int | None) -> int | None:
    """Give the number of bytes that a filter makes of so many, where their values don't matter."""
    name = stage.codec_id
    if size is None or name in COMPRESSORS:
        return None
    if name in CHECKSUMS:
        return size + 4
    match name:
        case "delta" | "fixedscaleoffset" | "quantize":
            return size // int(stage.dtype.itemsize) * int(stage.astype.itemsize)
        case "astype":
            return size // int(stage.decode_dtype.itemsize) * int(stage.encode_dtype.itemsize)
        case "packbits":
            return -(-size // 8) + 1
        case "shuffle" | "bitround":
            return size
        case _:
            return None


def _decoded(stage: Any, data: NumPyArray, wanted: int | None, limit: int) -> Any:
    """Undo one codec: to hardly more bytes than are wanted, or allowed, whatever the data says."""
    most = limit if wanted is None else wanted
    name = stage.codec_id
    if name in _TOLD:
        told, exact = _TOLD[name](data.data)
        size = told if exact else wanted
        if told > most and (exact or size is None):
            raise ValueError(f"{told} bytes, where {most} are allowed")
        if size is None or (exact and size < _SMALL):
            return stage.decode(data)
        out = np.empty(size, np.uint8)
        stage.decode(data, out)
        return out
    if name == "gzip":
        with gzip.GzipFile(fileobj=BytesIO(data.data)) as file:
            return _drained(file.read, most)
    if name in _STREAMS:
        stream = _STREAMS[name](stage, most)
        decoded = stream.decompress(data, most + 1)
        if not stream.eof:
            raise ValueError(f"it is truncated, or holds more than {most} bytes")
        return decoded
    if name in _GROWING and wanted is None and data.size * _GROWTH > most:
        raise ValueError(f"{data.size} bytes, where {most} are allowed")
    if name in CHECKSUMS:
        return stage.decode(data)
    with np.errstate(all="ignore"):
        return stage.decode(data)


def _drained(read: Callable[[int], bytes], most: int) -> bytes:
    """Read a file that is decompressed on the way, to its end or a byte too far."""
    parts: list[bytes] = []
    left = most + 1
    while part := read(min(left, 2**20)):
        parts.append(part)
        left -= len(part)
    if not left:
        raise ValueError(f"it holds more than {most} bytes")
    return b"".join(parts)


def _lzma(stage: Any, most: int) -> lzma.LZMADecompressor:
    if stage.format == lzma.FORMAT_RAW:
        return lzma.LZMADecompressor(stage.format, filters=stage.filters)
    return lzma.LZMADecompressor(stage.format, memlimit=max(most, 2**27))


_STREAMS: Final[Mapping[str, Callable[[Any, int], Any]]] = {
    "bz2": lambda _, __: bz2.BZ2Decompressor(),
    "lzma": _lzma,
    "zlib": lambda _, __: zlib.decompressobj(),
}


def _blosc_size(data: memoryview) -> tuple[int, bool]:
    """Read the header of Blosc, which trusts it: the length of the data has to be right."""
    _, told, _, length = unpack_from("<4I", data)
    if length != len(data):
        raise ValueError("it is truncated")
    return told, True


def _zstd_size(data: memoryview) -> tuple[int, bool]:
    """Add up what the frames of Zstandard hold (RFC 8878): bytes, and whether exactly.

    A frame need not tell; it holds no more than its blocks can.
    """
    at, total, exact = 0, 0, True
    while at < len(data):
        magic, size = unpack_from("<2I", data, at)
        if magic & ~0xF == 0x184D2A50:  # skippable
            at += 8 + size
            continue
        if magic != 0xFD2FB528:
            raise ValueError("no Zstandard frame")
        single, flag = data[at + 4] >> 5 & 1, data[at + 4] >> 6
        start = at + 6 - single + (0, 1, 2, 4)[data[at + 4] & 3]
        width = (single, 2, 4, 8)[flag]
        told = int.from_bytes(data[start : start + width], "little") + 256 * (flag == 1)
        checksum = 4 * (data[at + 4] >> 2 & 1)
        at, blocks, last = start + width, 0, 0
        while not last:
            (head,) = unpack_from("<I", bytes(data[at : at + 3]) + b"\0")
            last, kind, size = head & 1, head >> 1 & 3, head >> 3
            at += 3 + (1 if kind == 1 else size)
            blocks += size if kind < 2 else 2**17
        at += checksum
        total += told if width else blocks
        exact = exact and bool(width)
    if at != len(data):
        raise ValueError("it is truncated")
    return total, exact


_TOLD: Final[Mapping[str, Callable[[memoryview], tuple[int, bool]]]] = {
    "blosc": _blosc_size,
    "lz4": lambda data: (unpack_from("<I", data)[0], True),
    "zstd": _zstd_size,
}


def load_json(data: bytes) -> Any:
    """Parse JSON; raises ValueError, or RecursionError, also where it is nested too deep."""
    return _shallow(json.loads(str(data, "utf-8", "surrogatepass")), data)


def dump_json(document: Any) -> bytes:
    """Undo `load_json`; raises TypeError as well, where it is no JSON."""
    data = json.dumps(document).encode()
    _shallow(document, data)
    return data


def _shallow(document: Any, data: bytes) -> Any:
    """Refuse what is nested deeper than recursion on it may go."""
    if len(data) > _DEEPEST and data.count(b"[") + data.count(b"{") > _DEEPEST:
        level: list[Any] = [[document]]
        for _ in range(_DEEPEST + 1):
            inner: list[Any] = [one.values() if is_dict(one) else one for one in level]
            level = [part for parts in inner for part in parts if type(part) in _NESTING]
        if level:
            raise ValueError("it is nested too deep")
    return document


# --- object arrays -----------------------------------------------------------------------------


def check_cells(cells: list[Any], item: str) -> None:
    """Raise ValueError for a cell that an object codec does not hold, or would change."""
    match item:
        case "vlen-utf8" | "vlen-bytes":
            kind = str if item == "vlen-utf8" else bytes
            fits = all(isinstance(cell, kind) for cell in cells)
        case "json2" | "msgpack2":
            return  # they say themselves what they cannot hold
        case _:
            fits = all(issubclass(kind, np.ndarray) for kind in {*map(type, cells)})
            fits = fits and {*map(_RANK, cells)} <= {1} and {*map(_KIND, cells)} <= {np.dtype(item)}
    if not fits:
        raise ValueError(f"a cell that is no {item}")


def encode_cells(cells: NumPyArray, item: str) -> bytes:
    """Encode the cells of a chunk, by an object codec or as arrays of a dtype."""
    flat: list[Any] = cells.ravel().tolist()
    check_cells(flat, item)
    if item in DOCUMENTS:
        document = [*(cells.tolist() if cells.ndim else flat), "|O", [*cells.shape]]
        return dump_json(document) if item == "json2" else _packed(document)
    if item in _VLEN:
        return bytes(_VLEN[item].encode(cells.ravel()))
    dtype = np.dtype(item)
    values = np.concatenate([*flat, np.empty(0, dtype)], dtype=dtype)
    return encode_runs(values, np.cumsum([0, *map(len, flat)]))


def encode_runs(values: NumPyArray, ends: NumPyArray) -> bytes:
    """Encode cells that lie end to end, as `encode_cells` does."""
    size, unit = values.itemsize, gcd(values.itemsize, 4)
    lengths: list[int] = (np.diff(ends) * size).tolist()
    heads = np.array([len(lengths), *lengths], "<u4").view(f"V{unit}")
    at = np.append(0, ends[:-1] * size) // unit
    return np.insert(values.view(f"V{unit}"), np.repeat(at, 4 // unit), heads).tobytes()


_KIND: Final = attrgetter("dtype")
_RANK: Final = attrgetter("ndim")
_VLEN: Final[Mapping[str, Any]] = {
    "vlen-utf8": numcodecs.VLenUTF8(),
    "vlen-bytes": numcodecs.VLenBytes(),
}


def decode_cells(
    data: NumPyArray,
    item: str,
    size: int,
    budget: Budget,
    where: str,
    stored: int = 0,
) -> NumPyArray | tuple[NumPyArray, NumPyArray]:
    """Undo `encode_cells`: give an object array of `size` cells, one-dimensional.

    Cells of a dtype are given end to end, with where they end.
    """
    document = item in DOCUMENTS
    budget.spend(data.size * (_GROWTH if document else 4), lambda: where, lambda: stored)
    try:
        if document:
            raw = data.tobytes()
            return _listed(load_json(raw) if item == "json2" else _unpacked(raw), size)
        if unpack_from("<I", data.data) != (size,) or data.size < 4 * size:
            raise ValueError(f"not the {size} items of the chunk")
        if item in _VLEN:
            return np.asarray(_VLEN[item].decode(data))
        return _cells_of(data.data, np.dtype(item), size)
    except Exception as error:  # ValueError, TypeError, RecursionError, struct.error, ...
        problem = f"a chunk that {item} cannot decode ({error})"
        raise FormatError(problem, where) from error


def _cells_of(data: memoryview, dtype: np.dtype[Any], size: int) -> tuple[NumPyArray, NumPyArray]:
    """Give the arrays of a vlen-array document, each behind its length, end to end."""
    heads, unit = _heads(data, size), gcd(dtype.itemsize, 4)
    ends = heads - np.arange(4, 4 * size + 5, 4)  # of the items, without what tells their lengths
    if heads[-1] > len(data) or (ends % dtype.itemsize).any():
        raise ValueError(f"items that are no {dtype}")
    places = np.add.outer(np.append(0, heads[:-1]), np.arange(0, 4, unit)).ravel() // unit
    values = np.delete(np.frombuffer(data[: heads[-1]], f"V{unit}"), places).view(dtype)
    return values, ends // dtype.itemsize


def _heads(data: memoryview, size: int) -> NumPyArray:
    """Find where each of the items of a vlen-array document begins, and where the last one ends."""
    step, odd = divmod(len(data) - 4, max(size, 1))
    if size and not odd and step > 3:  # all may have one length
        heads = np.frombuffer(data[4:], np.uint8).reshape(size, step)[:, :4]
        if (heads == np.frombuffer(pack("<I", step - 4), np.uint8)).all():
            return np.arange(4, len(data) + 1, step)
    places, at = [4], 4
    for _ in range(size):
        at += 4 + _LENGTH(data, at)[0]
        places.append(at)
    return np.array(places)


_LENGTH: Final = Struct("<I").unpack_from


def _listed(document: Any, size: int) -> NumPyArray:
    """Give the items of a json2 or msgpack2 document: nested lists, dtype, shape."""
    *items, dtype, shape = document
    for _ in shape[1:]:  # one level of lists for each dimension
        if not all(map(is_list, items)):
            raise ValueError("fewer dimensions than it says")
        items = [item for row in items for item in row]
    if dtype != "|O" or len(items) != size or prod(shape) != size:
        raise ValueError(f"no object array of {size} items")
    return np.fromiter(items, object, size)


def _packed(value: JSON) -> bytes:
    """Encode strings, numbers and lists of them as MessagePack."""
    match value:
        case None | bool():
            return b"\xc0" if value is None else b"\xc3" if value else b"\xc2"
        case int():
            return pack(">Bq", 0xD3, value)
        case float():
            return pack(">Bd", 0xCB, value)
        case str():
            text = value.encode()
            return _head(len(text), 0xA0, 32, 0xDB) + text
        case list():
            return _head(len(value), 0x90, 16, 0xDD) + b"".join(map(_packed, value))
        case _:
            raise TypeError(f"a cell that holds a {type(value).__qualname__}")


def _head(size: int, short: int, room: int, long: int) -> bytes:
    return bytes([short + size]) if size < room else pack(">BI", long, size)


_FIELDS: Final = {  # what follows a type byte of MessagePack: a number, or the length
    **dict(enumerate((">f", ">d", ">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q"), 0xCA)),
    **dict(enumerate((">B", ">H", ">I", ">H", ">I"), 0xD9)),
}
_NAMED: Final[Mapping[int, JSON]] = {0xC0: None, 0xC2: False, 0xC3: True}


def _unpacked(data: bytes) -> Any:
    """Undo `_packed`. Bytes, maps and extensions are refused."""
    at = 0
    root: list[Any] = []
    open_lists: list[tuple[list[Any], int]] = [(root, 1)]
    while open_lists:
        holder, wanted = open_lists[-1]
        if len(holder) == wanted:
            open_lists.pop()
            continue
        code, number = data[at], 0
        at += 1
        if field := _FIELDS.get(code):
            (number,) = unpack_from(field, data, at)
            at += calcsize(field)
        if 0xCA <= code <= 0xD3:
            holder.append(number)
        elif code in _NAMED:
            holder.append(_NAMED[code])
        elif code < 0x80 or code >= 0xE0:
            holder.append(code if code < 0x80 else code - 256)
        elif 0xA0 <= code < 0xC0 or 0xD9 <= code <= 0xDB:
            end = at + (number if field else code & 0x1F)
            if end > len(data):
                raise ValueError("it is truncated")
            holder.append(data[at:end].decode())
            at = end
        elif 0x90 <= code < 0xA0 or 0xDC <= code <= 0xDD:
            inner: list[Any] = []
            holder.append(inner)
            if len(open_lists) > _DEEPEST:
                raise ValueError("lists are nested too deep")
            open_lists.append((inner, number if field else code & 0x0F))
        else:
            raise ValueError(f"MessagePack type {code:#x}")
    if at != len(data):
        raise ValueError("bytes behind the end")
    return root[0]
