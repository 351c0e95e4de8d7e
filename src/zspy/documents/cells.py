"""The cells of object arrays: vlen-utf8, vlen-bytes, vlen-array, json2 and msgpack2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import gcd, prod
from struct import Struct, pack, unpack_from
from typing import Any, Final, TypeAlias

import numcodecs
import numpy as np

from ..values.ragged import ends_of
from ..values.types import NumPyArray, is_list
from .bounded import GROWTH
from .json import dump_json, load_json, refuse_depth

Runs: TypeAlias = tuple[NumPyArray, NumPyArray]
"""Cells of a dtype end to end, and where they end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCodec:
    """How cells are encoded and decoded.

    Parameters
    ----------
    encode : callable
        Given the cells of a chunk, and the dtype of the arrays in them.
    decode : callable
        Given the data, the number of cells, and that dtype. It gives the cells in an object array
        of one dimension, or as `Runs`.
    empty : callable
        Given that dtype, makes the cell that stands in a chunk that is not stored.
    growth : int
        Bytes that decoding makes of one byte at most, without the cells themselves and
        what holds others.
    holders : callable
        Given the data, tells how many lists and objects it has at most, where they may be as
        short as a byte.
    is_document : bool
        Whether cells are what JSON can be; zspy writes lists of str.
    """

    encode: Callable[[NumPyArray, str], bytes]
    decode: Callable[[NumPyArray, int, str], NumPyArray | Runs]
    empty: Callable[[str], Any]
    growth: int = 4
    holders: Callable[[NumPyArray], int] = lambda _: 0
    is_document: bool = False


_LENGTH: Final = Struct("<I").unpack_from


def runs_of(cells: NumPyArray, dtype: str) -> Runs:
    """Put arrays of one dimension, of a dtype, end to end; raises ValueError for other cells."""
    flat: list[Any] = cells.ravel().tolist()
    kinds = {*map(type, flat)}
    problem = f"a cell that is no {dtype}"
    if not all(issubclass(kind, np.ndarray) for kind in kinds):
        raise ValueError(problem)
    try:
        # The empty array is the first one, so that NumPy refuses other dimensions than its own.
        pieces = [np.empty(0, dtype), *flat]
        values = np.concatenate(pieces, dtype=dtype, casting="no")
    except (TypeError, ValueError) as error:
        raise ValueError(problem) from error
    return values, ends_of(flat)


def _encode_arrays(cells: NumPyArray, dtype: str) -> bytes:
    return encode_runs(*runs_of(cells, dtype))


def encode_runs(values: NumPyArray, ends: NumPyArray) -> bytes:
    """Encode arrays that lie end to end, each behind its length."""
    size = values.itemsize
    unit = gcd(size, 4)
    lengths: list[int] = (np.diff(ends) * size).tolist()
    heads = np.array([len(lengths), *lengths], "<u4").view(f"V{unit}")
    at = np.append(0, ends[:-1] * size) // unit
    return np.insert(
        values.view(f"V{unit}"), np.repeat(at, 4 // unit), heads
    ).tobytes()


def _decode_arrays(data: NumPyArray, size: int, dtype: str) -> Runs:
    """Undo `encode_runs`."""
    _check_count(data, size)
    itemsize = np.dtype(dtype).itemsize
    unit = gcd(itemsize, 4)
    heads = _heads(data.data, size)
    lengths_before = np.arange(4, 4 * size + 5, 4)
    ends = heads - lengths_before
    if heads[-1] > len(data) or (ends % itemsize).any():
        raise ValueError(f"items that are no {dtype}")
    starts = np.append(0, heads[:-1])
    places = np.add.outer(starts, np.arange(0, 4, unit)).ravel() // unit
    parts = np.frombuffer(data.data[: heads[-1]], f"V{unit}")
    return np.delete(parts, places).view(dtype), ends // itemsize


def _check_count(data: NumPyArray, size: int) -> None:
    if unpack_from("<I", data.data) != (size,) or data.size < 4 * size:
        raise ValueError(f"not the {size} items of the chunk")


def _heads(data: memoryview, size: int) -> NumPyArray:
    """Find where each of the items of a vlen-array document begins, and where the last one ends."""
    step, odd = divmod(len(data) - 4, max(size, 1))
    if size and not odd and step > 3:  # All may have one length.
        heads = np.frombuffer(data[4:], np.uint8).reshape(size, step)[:, :4]
        if (heads == np.frombuffer(pack("<I", step - 4), np.uint8)).all():
            return np.arange(4, len(data) + 1, step)
    places = [4]
    at = 4
    for _ in range(size):
        at += 4 + _LENGTH(data, at)[0]
        places.append(at)
    return np.array(places)


def _encode_scalars(codec: Any, kind: type, cells: NumPyArray, dtype: str) -> bytes:
    """Encode strings, or bytes."""
    flat = cells.ravel()
    if not all(issubclass(one, kind) for one in {*map(type, flat.tolist())}):
        raise ValueError(f"a cell that is no {dtype}")
    return bytes(codec.encode(flat))


def _decode_scalars(codec: Any, data: NumPyArray, size: int, _: str) -> NumPyArray:
    _check_count(data, size)
    return np.asarray(codec.decode(data))


def _encode_document(
    dump: Callable[[Any], bytes], cells: NumPyArray, _: str
) -> bytes:
    """Encode nested lists, their dtype and their shape, as one document."""
    rows = cells.tolist() if cells.ndim else [cells.item()]
    return dump([*rows, "|O", [*cells.shape]])


def _decode_document(
    load: Callable[[bytes], Any], data: NumPyArray, size: int, _: str
) -> NumPyArray:
    *items, dtype, shape = load(data.tobytes())
    for _dimension in shape[1:]:  # Each dimension is one level of lists.
        if not all(map(is_list, items)):
            raise ValueError("fewer dimensions than it says")
        items = [item for row in items for item in row]
    if dtype != "|O" or len(items) != size or prod(shape) != size:
        raise ValueError(f"no object array of {size} items")
    return np.fromiter(items, object, size)


def _msgpack() -> Any:
    try:
        return import_module("msgpack")
    except ImportError as error:
        problem = "cells of msgpack2 need the package msgpack: install it"
        raise ImportError(problem) from error


def _dump_msgpack(document: Any) -> bytes:
    data: bytes = _msgpack().packb(document)
    refuse_depth(document)
    return data


def _load_msgpack(data: bytes) -> Any:
    """Undo `_dump_msgpack`."""
    msgpack = _msgpack()
    # A length is believed once the data is known to hold as much as it says.
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) + 1)
    unpacker.feed(data)
    unpacker.skip()
    if unpacker.tell() != len(data):
        raise ValueError("bytes behind the end")
    document = msgpack.unpackb(data, timestamp=1, ext_hook=_refuse_extension)
    refuse_depth(document)
    return document


def _holders_in_msgpack(data: NumPyArray) -> int:
    """Count bytes that may begin a short list or object, of which some are text."""
    return int(np.count_nonzero((data & 0xE0) == 0x80))


def _refuse_extension(code: int, _: bytes) -> Any:
    raise ValueError(f"the extension {code} of MessagePack")


def _scalars(codec: Any, kind: type) -> CellCodec:
    """Make the codec of strings, or of bytes, of that of numcodecs."""
    return CellCodec(
        encode=partial(_encode_scalars, codec, kind),
        decode=partial(_decode_scalars, codec),
        empty=lambda _: kind(),
    )


def _documents(
    dump: Callable[[Any], bytes],
    load: Callable[[bytes], Any],
    holders: Callable[[NumPyArray], int] = lambda _: 0,
) -> CellCodec:
    """Make the codec of cells that one document holds."""
    return CellCodec(
        encode=partial(_encode_document, dump),
        decode=partial(_decode_document, load),
        growth=GROWTH,
        holders=holders,
        empty=lambda _: [],
        is_document=True,
    )


TEXTS: Final = _scalars(numcodecs.VLenUTF8(), str)
BYTES: Final = _scalars(numcodecs.VLenBytes(), bytes)
ARRAYS: Final = CellCodec(
    encode=_encode_arrays,
    decode=_decode_arrays,
    empty=lambda dtype: np.empty(0, dtype),
)
JSON_DOCUMENTS: Final = _documents(dump_json, load_json)
MSGPACK_DOCUMENTS: Final = _documents(
    _dump_msgpack, _load_msgpack, _holders_in_msgpack
)
