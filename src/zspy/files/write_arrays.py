"""A leaf: writing through zarr-python: dask arrays, and into stores that others keep."""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from ..documents.array_metadata import Layout, core_dtype, to_core
from ..documents.tree import unmasked
from ..values.nodes import Array
from ..values.types import is_lazy
from .lazy import SLAB, dask_module, joined_blocks, shown

if TYPE_CHECKING:
    from zarr.abc.store import Store

_Edges: TypeAlias = tuple[int, ...]


def write_through(store: Store, path: str, array: Array, how: Layout, progress: bool) -> None:
    """Write all chunks of an array whose document is written already."""
    import zarr

    opened = cast("Any", zarr).open_array(store, path=path, mode="r+")
    # chunks of the fill value are written too: it equals -0.0
    config: Any = {"write_empty_chunks": True}
    target: Any = zarr.Array(zarr.AsyncArray(opened.metadata, opened.store_path, config))
    data: Any = array.data
    if is_lazy(data):
        _write_lazy(target, path, data, how, progress)
        return
    if how.zarr_format == 3:
        data = to_core(data)
    slab = joined_blocks(how.shape, how.shards or how.chunks, how.dtype.itemsize, SLAB)
    sides = (range(0, size, edge) for size, edge in zip(how.shape, slab, strict=True))
    for corner in shown([*product(*sides)], progress, "Writing"):
        place = tuple(slice(at, at + edge) for at, edge in zip(corner, slab, strict=True))
        target[place] = data[place]


def _write_lazy(target: Any, path: str, data: Any, how: Layout, progress: bool) -> None:
    """Write a dask array block by block; no two tasks share a chunk or a shard."""
    core = core_dtype(how.dtype) if how.zarr_format == 3 else how.dtype
    meta = np.empty((0,) * data.ndim, how.dtype)
    blocks = data.map_blocks(unmasked, where=path, dtype=how.dtype, meta=meta)
    blocks = blocks.rechunk(aligned(data.chunks, how.shards or how.chunks))
    if core != how.dtype:
        more = {"new_axis": data.ndim, "chunks": (*blocks.chunks, core.shape)} if core.shape else {}
        blocks = blocks.map_blocks(to_core, dtype=core.base, **more)
    with dask_module("diagnostics").ProgressBar() if progress else nullcontext():
        if _reaches_all(target.store):
            with _own_threads():
                dask_module("array").store([blocks], [target], lock=False)
            return
        places = dask_module("array").core.slices_from_chunks(blocks.chunks)
        for index, place in zip(product(*map(range, blocks.numblocks)), places, strict=True):
            target[place] = np.asarray(blocks.blocks[index])


@contextmanager
def _own_threads() -> Generator[None]:
    """Give dask threads that have ended when an error arrives: none writes behind our back."""
    config = dask_module("config")
    with (
        ThreadPoolExecutor(config.get("num_workers", None) or os.cpu_count()) as pool,
        config.set(pool=pool),
    ):
        yield


def _reaches_all(store: Store) -> bool:
    """Tell whether dask's tasks, which may run in other processes, all write to this store."""
    from zarr.storage import LocalStore

    here = (None, dask_module("threaded").get, dask_module("local").get_sync)
    return isinstance(store, LocalStore) or dask_module("base").get_scheduler() in here


def aligned(blocks: tuple[_Edges, ...], unit: _Edges) -> tuple[_Edges, ...]:
    """Move the borders of blocks to those of the units that are stored, as few as there need be.

    >>> aligned(((3, 3, 3),), (4,))
    ((4, 4, 1),)
    """
    out: list[_Edges] = []
    for lengths, edge in zip(blocks, unit, strict=True):
        ends = np.cumsum(lengths)
        borders = {*(-(-ends // edge) * edge).clip(max=ends[-1]).tolist(), 0}
        out.append(tuple(np.diff(sorted(borders)).tolist()))
    return tuple(out)
