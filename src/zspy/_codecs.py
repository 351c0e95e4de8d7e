"""Floor 1: codecs: which are allowed, and decoding in bounded memory. Bytes in, bytes out.

A file names its codecs; only those of the allow-list are ever made, and pickle is never on it. What
a chunk decodes to is bounded before it is decoded where its header tells, and while it is otherwise.
"""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import numcodecs
import numpy as np
from numcodecs.registry import get_codec

from .errors import FormatError
from .typing import JSON, Compressor

_NumPyArray = np.ndarray[Any, Any]

COMPRESSORS: Final = frozenset({"blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma"})
FILTERS: Final = frozenset(
    {"delta", "shuffle", "fixedscaleoffset", "quantize", "astype", "bitround", "packbits"}
    | {"crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"}
)
CELLS: Final = frozenset({"vlen-utf8", "vlen-array", "vlen-bytes", "json2", "msgpack2"})
ALLOWED: Final = COMPRESSORS | FILTERS | CELLS
"""The codecs of format 2, by their id. Codecs that run code (pickle) or that are unknown are not here."""

_KEPT: Final = frozenset({"shuffle", "fletcher32", "crc32", "crc32c", "adler32", "jenkins_lookup3"})


def codec(config: object, where: str, allowed: Collection[str] = ()) -> Compressor:
    """Make the codec that a document names.

    Raises
    ------
    FormatError
        If it is not on the allow-list, or its configuration is not understood.

    Examples
    --------
    >>> codec({"id": "zlib", "level": 1}, "data/.zarray").codec_id
    'zlib'
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("id"), str):
        raise FormatError("a codec without an id", where)
    name: str = config["id"]
    if name not in ALLOWED and name not in allowed:
        raise FormatError(
            f"the codec {name!r} is not allowed", where, "if you trust the file, allow it by name: codecs=(...)"
        )
    try:
        made: Compressor = get_codec(dict(config))
    except Exception as error:  # numcodecs raises whatever the codec's own constructor raises
        raise FormatError(f"the codec {name!r} is not understood ({error})", where) from error
    return made


def decompress(compressor: Compressor, data: bytes, limit: int, where: str) -> Any:
    """Decode what a compressor made, to at most `limit` bytes."""
    try:
        if (bounded := _BOUNDED.get(compressor.codec_id)) is not None:
            return bounded(compressor, data, limit, where)
        return compressor.decode(data)
    except FormatError:
        raise
    except Exception as error:  # codecs raise RuntimeError, ValueError, zlib.error, LZMAError, ...
        raise FormatError(f"a chunk that {compressor.codec_id} cannot decode ({error})", where) from error


def _refuse(size: int, limit: int, where: str) -> None:
    if size > limit:
        raise FormatError(
            f"a chunk unpacks to {size} bytes, more than the {limit} that its array or the limits allow", where
        )


def _blosc(compressor: Compressor, data: bytes, limit: int, where: str) -> Any:
    if len(data) < 16:
        raise ValueError("too short")
    _refuse(int.from_bytes(data[4:8], "little"), limit, where)
    if int.from_bytes(data[12:16], "little") != len(data):
        raise ValueError("truncated")
    return compressor.decode(data)


def _lz4(compressor: Compressor, data: bytes, limit: int, where: str) -> Any:
    if len(data) < 4:
        raise ValueError("too short")
    _refuse(int.from_bytes(data[:4], "little"), limit, where)
    return compressor.decode(data)


def _zstd(compressor: Compressor, data: bytes, limit: int, where: str) -> Any:
    size = _zstd_size(data)
    if size is not None:
        _refuse(size, limit, where)
        return compressor.decode(data)
    if len(data) * 2000 > limit and limit > 0:  # a frame that does not tell: hold the worst ratio against the limit
        raise FormatError("a Zstandard frame without its size, too large to decode blindly", where)
    decoded = compressor.decode(data)
    _refuse(len(decoded), limit, where)
    return decoded


def _zstd_size(data: bytes) -> int | None:
    """Read the content size of a Zstandard frame (RFC 8878, 3.1.1.1)."""
    if len(data) < 6 or data[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("no Zstandard frame")
    descriptor = data[4]
    flag, single = descriptor >> 6, descriptor >> 5 & 1
    if not flag and not single:
        return None
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    width = (1, 2, 4, 8)[flag]
    field = data[start : start + width]
    if len(field) < width:
        raise ValueError("truncated")
    return int.from_bytes(field, "little") + (256 if flag == 1 else 0)


def _stream(make: Callable[[], Any]) -> Callable[[Compressor, bytes, int, str], bytes]:
    """Decode with a decompressor of the standard library, which can stop at the limit."""

    def decode(_: Compressor, data: bytes, limit: int, where: str) -> bytes:
        decompressor = make()
        decoded: bytes = decompressor.decompress(data, limit + 1)
        _refuse(len(decoded), limit, where)
        if not decompressor.eof:
            raise ValueError("truncated")
        return decoded

    return decode


def _lzma(compressor: Compressor, data: bytes, limit: int, where: str) -> bytes:
    settings: Any = compressor
    raw = settings.format == lzma.FORMAT_RAW
    filters = settings.filters if raw else None

    def make() -> Any:
        memory = None if raw else max(limit, 2**26)
        return lzma.LZMADecompressor(settings.format, memlimit=memory, filters=filters)

    return _stream(make)(compressor, data, limit, where)


_BOUNDED: Final[Mapping[str, Callable[[Compressor, bytes, int, str], Any]]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "zlib": _stream(zlib.decompressobj),
    "gzip": _stream(lambda: zlib.decompressobj(wbits=31)),
    "bz2": _stream(bz2.BZ2Decompressor),
    "lzma": _lzma,
}


# --- object arrays -----------------------------------------------------------------------------


def encode_cells(cells: _NumPyArray, item: str) -> bytes:
    """Encode the cells of a chunk: ``vlen-utf8``, ``msgpack2``, or a dtype for ``vlen-array``."""
    flat = cells.ravel()
    if item == "vlen-utf8":
        return bytes(numcodecs.VLenUTF8().encode(flat))
    if item == "msgpack2":
        nested = cells.tolist() if cells.ndim else [cells[()]]
        return _packed([*nested, "|O", list(cells.shape)])
    return bytes(numcodecs.VLenArray(item).encode(flat))


def decode_cells(data: Any, item: str, config: Mapping[str, JSON], size: int, where: str) -> _NumPyArray:
    """Decode the cells of a chunk: an object array of `size` cells."""
    buffer = bytes(data)
    try:
        if item == "json2":
            found = _listed(json.loads(buffer), size)
        elif item == "msgpack2":
            found = _listed(_unpacked(buffer), size)
        else:
            if len(buffer) < 4 or int.from_bytes(buffer[:4], "little") != size or (len(buffer) - 4) // 4 < size:
                raise ValueError("another number of items than the chunk has")
            found = codec({**config, "id": item}, where).decode(bytearray(buffer))
    except FormatError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, MemoryError, UnicodeError) as error:
        raise FormatError(f"a chunk that {item} cannot decode ({error})", where) from error
    if found.size != size:
        raise FormatError(f"a chunk of {found.size} items where {size} belong", where)
    return found


def _listed(document: Any, size: int) -> _NumPyArray:
    """Give the items of a json2 or msgpack2 document: nested lists, dtype, shape."""
    if not isinstance(document, list) or len(document) < 2:
        raise ValueError("no list of items, dtype and shape")
    *items, dtype, shape = document
    if dtype != "|O" or not isinstance(shape, list):
        raise ValueError("no object array")
    for _ in shape[1:]:  # one level of lists for each dimension
        items = [item for row in items for item in row]
    if len(items) != size:
        raise ValueError(f"{len(items)} items where {size} belong")
    return np.fromiter(items, dtype=object, count=size)


def _packed(value: Any) -> bytes:
    """Encode nested lists, strings and integers as MessagePack."""
    out: list[bytes] = []
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            text = value.encode()
            size = len(text)
            if size < 32:
                out.append(bytes([0xA0 | size]))
            else:
                out.append(b"\xd9" + bytes([size]) if size < 256 else b"\xdb" + size.to_bytes(4, "big"))
            out.append(text)
        elif isinstance(value, int):
            out.append(b"\xd3" + value.to_bytes(8, "big", signed=True))
        else:
            size = len(value)
            out.append(bytes([0x90 | size]) if size < 16 else b"\xdd" + size.to_bytes(4, "big"))
            stack.extend(reversed(value))
    return b"".join(out)


_FIXED: Final[Mapping[int, JSON]] = {0xC0: None, 0xC2: False, 0xC3: True}
_SIZED: Final[Mapping[int, tuple[str, int]]] = {
    **{code: ("str", width) for code, width in ((0xD9, 1), (0xDA, 2), (0xDB, 4))},
    **{code: ("list", width) for code, width in ((0xDC, 2), (0xDD, 4))},
    **{code: ("uint", width) for code, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8))},
    **{code: ("int", width) for code, width in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8))},
    **{code: ("float", width) for code, width in ((0xCA, 4), (0xCB, 8))},
}


def _unpacked(data: bytes) -> Any:
    """Decode MessagePack of lists, strings, numbers, booleans and None; nothing else is read."""
    at = 0
    root: list[Any] = []
    open_lists: list[tuple[list[Any], int]] = [(root, 1)]
    while open_lists:
        holder, wanted = open_lists[-1]
        if len(holder) == wanted:
            open_lists.pop()
            continue
        code, at = data[at], at + 1
        kind, size = "", 0
        if code in _SIZED:
            kind, width = _SIZED[code]
            field, at = data[at : at + width], at + width
            if len(field) < width:
                raise ValueError("truncated")
            size = int.from_bytes(field, "big", signed=kind == "int")
            if kind == "float":
                holder.append(float(np.frombuffer(field, f">f{width}")[0]))
                continue
        elif code < 0x80 or code >= 0xE0:
            kind, size = "int", code if code < 0x80 else code - 256
        elif code & 0xE0 == 0xA0:
            kind, size = "str", code & 0x1F
        elif code & 0xF0 == 0x90:
            kind, size = "list", code & 0x0F
        elif code in _FIXED:
            holder.append(_FIXED[code])
            continue
        else:
            raise ValueError(f"MessagePack type {code:#x}")
        if kind in ("int", "uint"):
            holder.append(size)
        elif size > len(data) - at:
            raise ValueError("truncated")
        elif kind == "str":
            holder.append(data[at : at + size].decode())
            at += size
        else:
            inner: list[Any] = []
            holder.append(inner)
            open_lists.append((inner, size))
    if at != len(data):
        raise ValueError("bytes behind the end")
    return root[0]


def crc32c(data: bytes) -> int:
    """Give the CRC-32C of bytes. zarr requires a package for it, which of two depends on its release."""
    try:
        from google_crc32c import value
    except ImportError:
        from crc32c import crc32c as value
    return int(value(data))
