"""Arrays block by block, so that one that is larger than the memory can be gone through."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..values.types import is_lazy


def boxes(array: Any) -> Iterator[tuple[slice, ...]]:
    """Yield where the blocks of an array lie; one that is in memory is one block."""
    if is_lazy(array):
        core: Any = import_module("dask.array.core")
        yield from core.slices_from_chunks(array.chunks)
    else:
        yield tuple(slice(0, size) for size in array.shape)
