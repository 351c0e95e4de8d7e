"""The cells of object arrays: vlen-utf8, vlen-bytes, vlen-array, json2 and msgpack2."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, prod
from operator import attrgetter
from struct import Struct, calcsize, pack, unpack_from
from typing import Any, Final

import numcodecs
import numpy as np

from ..values.errors import FormatError
from ..values.types import JSON, NumPyArray, is_list
from .bounded import GROWTH
from .codecs import DOCUMENTS
from .json import DEEPEST, dump_json, load_json
from .limits import Budget


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
            fits = (
                fits
                and {*map(_RANK, cells)} <= {1}
                and {*map(_KIND, cells)} <= {np.dtype(item)}
            )
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
    budget.spend(data.size * (GROWTH if document else 4), lambda: where, lambda: stored)
    try:
        if document:
            raw = data.tobytes()
            return _listed(load_json(raw) if item == "json2" else _unpacked(raw), size)
        if unpack_from("<I", data.data) != (size,) or data.size < 4 * size:
            raise ValueError(f"not the {size} items of the chunk")
        if item in _VLEN:
            return np.asarray(_VLEN[item].decode(data))
        return _cells_of(data.data, np.dtype(item), size)
    except (
        Exception
    ) as error:  # ValueError, TypeError, RecursionError, struct.error, ...
        problem = f"a chunk that {item} cannot decode ({error})"
        raise FormatError(problem, where) from error


def _cells_of(
    data: memoryview, dtype: np.dtype[Any], size: int
) -> tuple[NumPyArray, NumPyArray]:
    """Give the arrays of a vlen-array document, each behind its length, end to end."""
    heads, unit = _heads(data, size), gcd(dtype.itemsize, 4)
    ends = heads - np.arange(
        4, 4 * size + 5, 4
    )  # of the items, without what tells their lengths
    if heads[-1] > len(data) or (ends % dtype.itemsize).any():
        raise ValueError(f"items that are no {dtype}")
    places = (
        np.add.outer(np.append(0, heads[:-1]), np.arange(0, 4, unit)).ravel() // unit
    )
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
    **dict(
        enumerate((">f", ">d", ">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q"), 0xCA)
    ),
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
            if len(open_lists) > DEEPEST:
                raise ValueError("lists are nested too deep")
            open_lists.append((inner, number if field else code & 0x0F))
        else:
            raise ValueError(f"MessagePack type {code:#x}")
    if at != len(data):
        raise ValueError("bytes behind the end")
    return root[0]
