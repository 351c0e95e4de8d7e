"""Blocks of a dask array brought to the borders of chunks, in bounded memory.

A large array whose blocks and chunks have few borders in common takes two passes: each block is
cut into pieces that lie in a folder meanwhile, and new blocks are put together from those.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import Any, Final

import numpy as np

from ..values.types import NumPyArray
from .chunking import Edges, aligned, joined_blocks
from .parallel import dask_module

_FEW: Final = 2**28
"""Bytes of an array that may be in memory as a whole."""
_BLOCK: Final = 2**26
"""Bytes that a block aims at which is put together from others."""

Blocks = tuple[Edges, ...]


def rechunked(data: Any, unit: Edges, folder: str) -> Any:
    """Give an array in blocks of whole units; what does not fit in memory goes through a folder."""
    itemsize = data.dtype.itemsize
    blocks = aligned(data.chunks, unit)
    if blocks == data.chunks:
        return data
    if prod(data.shape) * itemsize <= _FEW:
        return data.rechunk(blocks)
    blocks = common_blocks(data.chunks, unit)
    if prod(map(max, blocks)) * itemsize <= 2 * _BLOCK:
        return data.rechunk(blocks)
    shape = joined_blocks(data.shape, unit, itemsize, _BLOCK)
    pieces = Pieces(folder, data.shape, data.dtype, data.chunks, shape)
    return pieces.through_folder(data)


def common_blocks(blocks: Blocks, unit: Edges) -> Blocks:
    """Join blocks, so that they end where units end: each one goes into one other.

    >>> common_blocks(((3, 3, 3),), (2,))
    ((6, 3),)
    """
    out: list[Edges] = []
    for lengths, edge in zip(blocks, unit, strict=True):
        ends = [*accumulate(lengths)]
        kept = [0, *(end for end in ends[:-1] if end % edge == 0), ends[-1]]
        out.append(tuple(np.diff(sorted(set(kept))).tolist()))
    return tuple(out)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """An array in files: one for each pair of an old block and a new one that share elements."""

    folder: str
    shape: Edges
    dtype: np.dtype[Any]
    old: Blocks
    new: Edges

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def through_folder(self, data: Any) -> Any:
        """Write the pieces of all blocks, and give the array in new blocks."""
        written = data.map_blocks(
            self.write,
            dtype=bool,
            chunks=tuple((1,) * count for count in data.numblocks),
            meta=np.empty((0,) * self.ndim, bool),
            name=f"zspy-pieces-{id(self)}",
        )
        written.compute()
        meta = np.empty((0,) * self.ndim, self.dtype)
        return dask_module("array").from_array(
            self, chunks=self.new, name=False, asarray=False, meta=meta
        )

    def write(self, block: NumPyArray, block_id: Edges = ()) -> NumPyArray:
        """Write the pieces of a block."""
        start: list[int] = []
        for lengths, number in zip(self.old, block_id, strict=True):
            start.append(sum(lengths[:number]))
        sides: list[range] = []
        for at, size, edge in zip(start, block.shape, self.new, strict=True):
            sides.append(range(at // edge, -(-(at + size) // edge)))
        for index in product(*sides):
            inside: list[slice] = []
            pairs = zip(index, self.new, start, strict=True)
            for number, edge, at in pairs:
                inside.append(
                    slice(max(number * edge - at, 0), (number + 1) * edge - at)
                )
            np.save(self._name(index, block_id), block[tuple(inside)])
        return np.ones((1,) * block.ndim, bool)

    def __getitem__(self, key: tuple[slice, ...]) -> NumPyArray:
        """Put a new block together."""
        starts = [part.start for part in key]
        index = tuple(at // edge for at, edge in zip(starts, self.new, strict=True))
        block = np.empty([part.stop - part.start for part in key], self.dtype)
        for block_id, places in self._parts(key):
            piece = np.load(self._name(index, block_id))
            block[places] = piece
        return block

    def _parts(self, key: tuple[slice, ...]) -> Iterator[tuple[Edges, Any]]:
        """Give the old blocks in a new one, with where their pieces lie in it."""
        sides: list[list[tuple[int, slice]]] = []
        for lengths, part in zip(self.old, key, strict=True):
            ends = [*accumulate(lengths)]
            first, last = bisect_right(ends, part.start), bisect_left(ends, part.stop)
            side: list[tuple[int, slice]] = []
            for number in range(first, last + 1):
                low = max(ends[number] - lengths[number], part.start) - part.start
                high = min(ends[number], part.stop) - part.start
                side.append((number, slice(low, high)))
            sides.append([one for one in side if one[1].start < one[1].stop])
        for parts in product(*sides):
            yield tuple(number for number, _ in parts), tuple(one for _, one in parts)

    def _name(self, index: Edges, block_id: Edges) -> str:
        numbers = ("_".join(map(str, one)) for one in (index, block_id))
        return f"{self.folder}/{'-'.join(numbers)}.npy"
