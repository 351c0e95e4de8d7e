"""Blocks of dask arrays: of stored ones, and brought to the borders of chunks in bounded memory.

A large array whose blocks and chunks have few borders in common takes two passes, over a file that
holds it meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from errno import EDQUOT, EFBIG, ENOSPC
from functools import partial
from itertools import accumulate
from math import prod
from tempfile import mkstemp
from typing import Any, Final, TypeAlias
from uuid import uuid4

import numpy as np

from ..values.ragged import object_array
from ..values.types import Edges, NumPyArray
from .chunking import joined_blocks
from .parallel import dask_module

_BLOCK: Final = 2**26
"""Bytes that a block aims at which is put together from others."""

_MAPPED: Final = 2**24
"""Bytes of a file that are mapped at the same time."""

_FULL: Final = (ENOSPC, EDQUOT, EFBIG)
"""Errors of a disk, or of what a user may have there, that has no place for a file."""

_MOST_BLOCKS: Final = 2**20
"""Blocks of a lazy array: dask keeps them in memory."""

Blocks: TypeAlias = tuple[Edges, ...]
Place: TypeAlias = tuple[slice, ...]


def rechunked(data: Any, unit: Edges, folder: str) -> tuple[list[Any], Any]:
    """Give an array in blocks of whole units, and the tasks that have to be done before.

    There is such a task where what blocks and units have in common does not fit in memory: it
    writes the array into a file.
    """
    if not takes_two_passes(data, unit):
        return [], data.rechunk(common_blocks(data.chunks, unit))
    path = _file_of(prod(data.shape) * data.dtype.itemsize, folder)
    spilled = _Spilled(path, data.shape, data.dtype)
    return [as_tasks(spilled.write, data)], as_dask(spilled, unit, _BLOCK)


def _file_of(size: int, folder: str) -> str:
    """Make a file that has its place on the disk: to map one that has none kills the process."""
    handle, path = mkstemp(dir=folder)
    with open(handle, "wb") as file:
        try:
            os.posix_fallocate(handle, 0, size)
        except (AttributeError, OSError) as error:  # it is not everywhere
            if getattr(error, "errno", None) in _FULL:
                raise
            file.truncate(size)
    return path


def takes_two_passes(data: Any, unit: Edges) -> bool:
    """Tell an array of which what blocks and units have in common does not fit in memory."""
    blocks = common_blocks(data.chunks, unit)
    size = prod(map(max, blocks)) * data.dtype.itemsize
    return bool(blocks != data.chunks and size > 2 * _BLOCK)


def as_dask(source: Any, unit: Edges, target: int) -> Any:
    """Make a dask array of a stored one, in blocks of whole units: chunks or shards."""
    dtype: np.dtype[Any] = source.dtype
    itemsize = 2**12 if dtype.hasobject else dtype.itemsize
    least = prod(max(size, 1) for size in source.shape) * itemsize // _MOST_BLOCKS
    return dask_module("array").from_array(
        source,
        chunks=joined_blocks(source.shape, unit, itemsize, max(target, least)),
        name=False,
        asarray=False,
        meta=np.empty((0,) * len(source.shape), dtype),
    )


def common_blocks(blocks: Blocks, unit: Edges) -> Blocks:
    """Join blocks, so that they end where units end: each one goes into one other.

    >>> common_blocks(((3, 3, 3),), (2,))
    ((6, 3),)
    """
    out: list[Edges] = []
    for lengths, edge in zip(blocks, unit, strict=True):
        ends = [*accumulate(lengths)]
        kept = {0, *(end for end in ends if end % edge == 0), ends[-1]}
        out.append(tuple(np.diff(sorted(kept)).tolist()))
    return tuple(out)


def as_tasks(work: Callable[..., list[Any]], data: Any) -> Any:
    """Do some work with each block of an array: a dask array of the lists that it gives."""
    return data.map_blocks(
        partial(_done, work),
        name=f"zspy-{uuid4().hex}",
        dtype=object,
        chunks=tuple((1,) * count for count in data.numblocks),
        meta=np.empty((0,) * data.ndim, object),
    )


def _done(
    work: Callable[..., list[Any]], block: NumPyArray, block_info: Any
) -> NumPyArray:
    place = tuple(slice(*ends) for ends in block_info[0]["array-location"])
    return object_array([work(block, place)], (1,) * block.ndim)


@dataclass(frozen=True, slots=True, eq=False)
class _Spilled:
    """An array in a file without structure, which tasks write and read by parts."""

    path: str
    shape: Edges
    dtype: np.dtype[Any]

    def write(self, block: NumPyArray, place: Place) -> list[Any]:
        """Write a block where it belongs."""
        for here, there in self._parts(block, place, "r+"):
            there[...] = here
        return []

    def __getitem__(self, place: Place) -> NumPyArray:
        block = np.empty([part.stop - part.start for part in place], self.dtype)
        for here, there in self._parts(block, place, "r"):
            here[...] = there
        return block

    def _parts(
        self, block: NumPyArray, place: Place, mode: Any
    ) -> Generator[tuple[NumPyArray, NumPyArray]]:
        """Give parts of a block, and their places in the file.

        What is mapped counts as memory of the process, and so does what lies between: few rows
        of the whole array at a time.
        """
        step = max(
            _MAPPED * self.shape[0] // (prod(self.shape) * self.dtype.itemsize), 1
        )
        begin, end = place[0].start, place[0].stop
        for at in range(begin, end, step):
            rows = slice(at, min(at + step, end))
            yield (
                block[at - begin : at - begin + step],
                self._file(mode)[rows, *place[1:]],
            )

    def _file(self, mode: Any) -> NumPyArray:
        return np.memmap(self.path, self.dtype, mode, shape=self.shape)
