"""The choice of chunks, shards and blocks."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Final, cast

import numpy as np

from ..documents.chunk_shapes import TARGET, chosen_chunks, chunk_shape, given_edges
from ..values.errors import EncodeError
from ..values.names import SHAPES
from ..values.nodes import Array, Group
from ..values.signals import DATA_MASK
from ..values.types import Edges, is_lazy
from .options import WriteOptions, axis_number

LARGE: Final = 2**20
"""Bytes from which the chunks of an array are read and written several at a time."""
_MANY_ELEMENTS: Final = 2**24
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


def chosen_shards(
    array: Array, chunks: Edges, shards: Any, signal: Edges, shape: Edges
) -> Edges:
    """Choose the shards of the array of a signal: whole chunks, about the bytes of a release's."""
    if shards is None or shards is True:
        wanted = chunk_shape(shape, array.data.dtype.itemsize, signal, TARGET)
        return tuple(
            chunk * max(-(-size // chunk) if edge >= size else edge // chunk, 1)
            for edge, size, chunk in zip(wanted, shape, chunks, strict=True)
        )
    edges = given_edges("shards", shards, shape)
    # a chunk that was asked for beyond the data ends with it: so does its shard
    edges = tuple(
        chunk if chunk == size < edge and edge % chunk else edge
        for edge, size, chunk in zip(edges, shape, chunks, strict=True)
    )
    if any(np.remainder(edges, chunks)):
        problem = f"{edges} is no multiple of {chunks}"
        raise EncodeError(problem, "shards", "use whole chunks")
    return edges


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
    is_growing = options.append_dim is not None or not options.write_chunks
    # several write to one that is made empty, and a shard has one writer
    is_for_shards = shards is not None or not is_growing
    sharded = options.zarr_format == 3 and shards is not False and is_for_shards
    growing: list[int] = []
    if options.append_dim is not None:
        growing = [axis_number(axes, options.append_dim, "append_dim")]
    elif is_growing:  # what is made without any frame
        growing = [index for index, size in enumerate(shape) if not size]
    for number in growing:
        most = _MANY_ELEMENTS
        if array.cells is not None:
            others = prod(shape[:number] + shape[number + 1 :])
            most = max(_MANY_CELLS // max(others, 1), 1)
        shape[number] = max(shape[number], most)
        # no chunk holds all of it
        signal = tuple(index for index in signal if index != number)
    target = INNER if sharded and chunks is None else CHUNK
    edges = chosen_chunks(array, chunks, signal, target, tuple(shape))
    array = replace(array, chunks=edges)
    is_wanted = shards is not None and array.cells is None
    if sharded and edges and (is_wanted or has_own_chunks(array)):
        shards = chosen_shards(array, edges, shards, signal, tuple(shape))
        array = replace(array, shards=shards)
    members["data"] = array
    masks: Any = members.get(DATA_MASK, Group()).members
    if DATA_MASK in members and is_growing:
        # more of the data may be masked later
        kind: Any = cast("Any", np.ma).make_mask_descr(array.data.dtype)
        nothing = np.broadcast_to(np.zeros((), kind), array.data.shape)
        masks.setdefault("mask", Array(nothing))
    for nodes, name in ((members, SHAPES + "data"), (masks, "mask")):
        if name in nodes:
            nodes[name] = replace(nodes[name], chunks=edges, shards=array.shards)
