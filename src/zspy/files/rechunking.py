"""Blocks of a dask array brought to the borders of chunks, in bounded memory.

A large array whose blocks and chunks have few borders in common takes two passes, over a file that
holds it meanwhile.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from tempfile import mkstemp
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
    """Give an array in blocks of whole units; what does not fit in memory goes through a file."""
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
    return _through_file(data, shape, folder)


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
class _Spilled:
    """An array in a file without structure, which tasks write and read by parts."""

    path: str
    shape: Edges
    dtype: np.dtype[Any]

    def write(self, block: NumPyArray, block_info: Any) -> NumPyArray:
        """Write a block where it belongs."""
        place = tuple(slice(*ends) for ends in block_info[0]["array-location"])
        self._file("r+")[place] = block
        return np.ones((1,) * block.ndim, bool)

    def __getitem__(self, key: Any) -> NumPyArray:
        return np.array(self._file("r")[key])

    def _file(self, mode: Any) -> NumPyArray:
        return np.memmap(self.path, self.dtype, mode, shape=self.shape)


def _through_file(data: Any, blocks: Edges, folder: str) -> Any:
    """Write an array into a file, and give it in other blocks."""
    handle, path = mkstemp(dir=folder)
    os.truncate(handle, prod(data.shape) * data.dtype.itemsize)
    os.close(handle)
    spilled = _Spilled(path, data.shape, data.dtype)
    ones = tuple((1,) * count for count in data.numblocks)
    meta = np.empty((0,) * data.ndim, data.dtype)
    data.map_blocks(spilled.write, dtype=bool, chunks=ones, meta=meta).compute()
    from_array = dask_module("array").from_array
    return from_array(spilled, chunks=blocks, name=False, asarray=False, meta=meta)
