"""Arrays block by block, so that one that is larger than the memory can be gone through."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import product, repeat
from typing import Any

import numpy as np

from ..documents.chunk_shapes import chunk_shape
from ..values.types import Edges, NumPyArray, is_lazy


def boxes(array: Any) -> Iterator[tuple[slice, ...]]:
    """Yield where the blocks of an array lie; one that is in memory is one block."""
    if is_lazy(array):
        core: Any = import_module("dask.array.core")
        yield from core.slices_from_chunks(array.chunks)
    else:
        yield tuple(slice(0, size) for size in array.shape)


def parts(shape: Edges, most: int) -> Iterator[tuple[slice, ...]]:
    """Yield the parts of an array, each of so many elements at the most."""
    edges = chunk_shape(shape, 1, (), most)
    for corner in product(*map(range, repeat(0), shape, edges)):
        yield tuple(map(slice, corner, map(int.__add__, corner, edges)))


def columns(block: Any) -> Iterator[tuple[NumPyArray, NumPyArray]]:
    """Yield the fields of a block, or the block where it has none, each with its mask."""
    block = np.asanyarray(block)
    yield from _fields(np.asarray(block), np.ma.getmaskarray(block))


def _fields(data: Any, mask: Any) -> Iterator[tuple[NumPyArray, NumPyArray]]:
    if data.dtype.names is None:
        yield data, mask
    for name in data.dtype.names or ():
        yield from _fields(data[name], mask[name])
