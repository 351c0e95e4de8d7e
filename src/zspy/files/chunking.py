"""The choice of chunks, shards and blocks."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Final, TypeAlias, cast

import numpy as np

from ..documents.chunk_shapes import TARGET, chunk_shape
from ..documents.codecs import CELLS
from ..values.errors import EncodeError
from ..values.names import SHAPES
from ..values.nodes import Array, Group
from ..values.types import ZarrFormat, is_lazy

Edges: TypeAlias = tuple[int, ...]
LARGE: Final = 2**20
"""Bytes from which the chunks of an array are read and written several at a time."""
BLOCK: Final = 2**27
"""Bytes that a lazy block aims at, by default: whole chunks or shards."""
SLAB: Final = (
    2**27
)  # bytes between two steps of the progress bar: one shard, or many chunks


def has_own_chunks(array: Array, main: bool = False) -> bool:
    """Tell arrays that are written chunk by chunk: large, sharded, lazy and `main` ones."""
    data: Any = array.data
    size = prod(data.shape) * data.dtype.itemsize
    if array.cells is not None or not size or not data.ndim:
        return False
    return main or size > LARGE or array.shards is not None or is_lazy(data)


def chosen_chunks(
    array: Array, chunks: Any, signal: Edges, target: int
) -> Edges | None:
    """Choose the chunks of the array of a signal, by what the caller said."""
    data: Any = array.data
    shape: Edges = data.shape
    if not all(shape):
        return None
    itemsize: int = data.dtype.itemsize
    if (
        array.cells is not None
    ):  # one chunk, unless it is larger than those of a release
        unit = 1 if array.cells in CELLS else np.dtype(array.cells).itemsize
        size = unit * sum(map(len, data.ravel().tolist()))
        itemsize, signal, target = max(size // data.size, 1), (), TARGET
    match chunks:
        case None if is_lazy(data):
            return tuple(lengths[0] or max(lengths) for lengths in data.chunks)
        case None:
            return chunk_shape(shape, itemsize, signal, target)
        case True:
            return chunk_shape(shape, itemsize, (), LARGE)
        case False:
            return shape
        case tuple() | list():
            edges = _edges("chunks", cast("Any", chunks), shape)
        case _:
            edges = _edges("chunks", [chunks] * len(shape), shape)
    return tuple(map(min, edges, shape))


def chosen_shards(array: Array, chunks: Edges, shards: Any, signal: Edges) -> Edges:
    """Choose the shards of the array of a signal: whole chunks, about the bytes of a release's."""
    data: Any = array.data
    shape: Edges = data.shape
    if shards is None or shards is True:
        wanted = chunk_shape(shape, data.dtype.itemsize, signal, TARGET)
        return tuple(
            chunk * (-(-size // chunk) if edge >= size else max(edge // chunk, 1))
            for edge, size, chunk in zip(wanted, shape, chunks, strict=True)
        )
    edges = _edges("shards", shards, shape)
    if any(edge % chunk for edge, chunk in zip(edges, chunks, strict=True)):
        raise EncodeError(
            f"{edges} is no multiple of {chunks}", "shards", "use whole chunks"
        )
    return edges


def _edges(what: str, edges: Any, shape: Edges) -> Edges:
    """Check the edges that the caller gave."""
    if type(edges) not in (tuple, list) or len(edges) != len(shape):
        raise EncodeError(f"{edges!r} are no {what}", what, f"give {len(shape)} edges")
    if not all(isinstance(edge, (int, np.integer)) and edge > 0 for edge in edges):
        raise EncodeError(f"{edges!r} are no {what}", what, "give positive integers")
    return tuple(map(int, edges))


def joined_blocks(shape: Edges, unit: Edges, itemsize: int, target: int) -> Edges:
    """Join units, last dimension first, to blocks of about `target` bytes."""
    block = [min(edge, max(size, 1)) for edge, size in zip(unit, shape, strict=True)]
    for dimension in reversed(range(len(shape))):
        room = target // max(prod(block) * itemsize, 1)
        if room < 2:
            break
        block[dimension] = min(block[dimension] * room, max(shape[dimension], 1))
        if block[dimension] < shape[dimension]:
            break
    return tuple(block)


def aligned(blocks: tuple[Edges, ...], unit: Edges) -> tuple[Edges, ...]:
    """Move the borders of blocks to those of the units that are stored, as few as there need be.

    >>> aligned(((3, 3, 3),), (4,))
    ((4, 4, 1),)
    """
    out: list[Edges] = []
    for lengths, edge in zip(blocks, unit, strict=True):
        ends = np.cumsum(lengths)
        borders = {*(-(-ends // edge) * edge).clip(max=ends[-1]).tolist(), 0}
        out.append(tuple(np.diff(sorted(borders)).tolist()))
    return tuple(out)


CHUNK: Final = 2**22
"""Bytes of a chunk of a signal's array, by default: one frame is read in milliseconds."""
INNER: Final = 2**20
"""Bytes of a chunk inside a shard."""


def lay_out(group: Group, chunks: Any, shards: Any, zarr_format: ZarrFormat) -> None:
    """Choose chunks and shards for the array of a signal."""
    members: Any = group.members
    array: Array = members["data"]
    axes = (members[f"axis-{index}"].attributes for index in range(array.data.ndim))
    signal = tuple(index for index, axis in enumerate(axes) if not axis.get("navigate"))
    sharded = zarr_format == 3 and shards is not False
    target = INNER if sharded and chunks is None else CHUNK
    array = replace(array, chunks=chosen_chunks(array, chunks, signal, target))
    if (
        sharded
        and array.chunks
        and (has_own_chunks(array) or not (shards is None or array.cells))
    ):
        array = replace(
            array, shards=chosen_shards(array, array.chunks, shards, signal)
        )
    members["data"] = array
    if (shapes := members.get(SHAPES + "data")) is not None:
        members[SHAPES + "data"] = replace(shapes, chunks=array.chunks)
