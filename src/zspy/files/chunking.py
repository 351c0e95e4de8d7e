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
from ..values.types import is_lazy
from .options import WriteOptions, axis_number

Edges: TypeAlias = tuple[int, ...]
LARGE: Final = 2**20
"""Bytes from which the chunks of an array are read and written several at a time."""
_MANY: Final = 2**24
"""Elements that an axis may have in the end which grows."""
_MANY_CELLS: Final = 2**12
"""Cells in a chunk of a ragged array that grows: each is rewritten while it is not full."""
BLOCK: Final = 2**27
"""Bytes that a lazy block aims at, by default: whole chunks or shards."""
# Bytes between two steps of the progress bar: one shard, or many chunks.
SLAB: Final = 2**27


def has_own_chunks(array: Array, main: bool = False) -> bool:
    """Tell arrays that are written chunk by chunk: large, sharded, lazy and `main` ones."""
    data: Any = array.data
    size = prod(data.shape) * data.dtype.itemsize
    if array.cells is not None or not size or not data.ndim:
        return False
    return main or size > LARGE or array.shards is not None or is_lazy(data)


def chosen_chunks(
    array: Array,
    chunks: Any,
    signal: Edges,
    target: int,
    shape: Edges | None = None,
) -> Edges | None:
    """Choose the chunks of the array of a signal, which may grow to a shape, by what is asked."""
    data: Any = array.data
    sizes: Edges = shape or data.shape
    if not all(sizes):
        return None
    itemsize: int = data.dtype.itemsize
    if array.cells is not None:
        # one chunk, unless it is larger than those of a release
        unit = 1 if array.cells in CELLS else np.dtype(array.cells).itemsize
        size = unit * sum(map(len, data.ravel().tolist()))
        itemsize, signal, target = max(size // max(data.size, 1), 1), (), TARGET
    match chunks:
        case None if is_lazy(data):
            edges = tuple(lengths[0] or max(lengths) for lengths in data.chunks)
        case None:
            edges = chunk_shape(sizes, itemsize, signal, target)
        case True:
            edges = chunk_shape(sizes, itemsize, (), LARGE)
        case False:
            edges = tuple(max(size, 1) for size in data.shape)
        case tuple() | list():
            edges = _edges("chunks", cast("Any", chunks), sizes)
        case _:
            edges = _edges("chunks", [chunks] * len(sizes), sizes)
    return tuple(map(min, edges, sizes))


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
    if any(np.remainder(edges, chunks)):
        problem = f"{edges} is no multiple of {chunks}"
        raise EncodeError(problem, "shards", "use whole chunks")
    return edges


def _edges(option: str, edges: Any, shape: Edges) -> Edges:
    """Check the edges that the caller gave."""
    given: list[Any] = []
    if isinstance(edges, (tuple, list)):
        given += cast("Any", edges)
    right = (isinstance(edge, (int, np.integer)) and edge > 0 for edge in given)
    if len(given) != len(shape) or not all(right):
        remedy = f"give {len(shape)} edges, positive integers"
        raise EncodeError(f"{edges!r} are no {option}", option, remedy)
    return tuple(map(int, given))


def joined_blocks(shape: Edges, unit: Edges, itemsize: int, target: int) -> Edges:
    """Join units, last dimension first, to blocks of about `target` bytes."""
    sizes = [max(size, 1) for size in shape]
    block = [*map(min, unit, sizes)]
    for dimension, size in reversed([*enumerate(sizes)]):
        room = target // max(prod(block) * itemsize, 1)
        block[dimension] = min(block[dimension] * max(room, 1), size)
        if block[dimension] < size:
            break
    return tuple(block)


CHUNK: Final = 2**22
"""Bytes of a chunk of a signal's array, by default: one frame is read in milliseconds."""
INNER: Final = 2**20
"""Bytes of a chunk inside a shard."""


def lay_out(group: Group, options: WriteOptions) -> None:
    """Choose chunks and shards for the array of a signal.

    One that grows has chunks for the size that it may reach, and shards only by request.
    """
    members: Any = group.members
    array: Array = members["data"]
    chunks, shards = options.chunks, options.shards
    # data may have no axes at all: then all of its dimensions are shown at once
    axes: list[Any] = [
        getattr(members.get(f"axis-{index}"), "attributes", {})
        for index in range(array.data.ndim)
    ]
    signal = tuple(
        index for index, axis in enumerate(axes) if not axis.get("navigate")
    )
    shape: list[int] = [*array.data.shape]
    sharded = options.zarr_format == 3 and shards is not False
    if options.append_dim is not None:
        sharded = sharded and shards is not None
        number = axis_number(axes, options.append_dim, "append_dim")
        most = _MANY
        if array.cells is not None:
            others = prod(shape[:number] + shape[number + 1 :])
            most = max(_MANY_CELLS // max(others, 1), 1)
        shape[number] = max(shape[number], most)
    target = INNER if sharded and chunks is None else CHUNK
    edges = chosen_chunks(array, chunks, signal, target, tuple(shape))
    array = replace(array, chunks=edges)
    if sharded and edges and has_own_chunks(array, shards is not None):
        array = replace(array, shards=chosen_shards(array, edges, shards, signal))
    members["data"] = array
    if (shapes := members.get(SHAPES + "data")) is not None:
        members[SHAPES + "data"] = replace(shapes, chunks=array.chunks)
