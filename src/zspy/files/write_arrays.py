"""Writing the chunks of large arrays, several at a time; the one path that writes chunks."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import encoded_chunks, refuse_mask
from ..documents.dtypes import core_dtype, to_core
from ..values.nodes import Array, joined
from ..values.types import is_lazy
from .chunking import SLAB, aligned, joined_blocks
from .parallel import ROOM, dask_module
from .progress import shown

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from ..stores.base import Sink


Edges: TypeAlias = tuple[int, ...]

_T = TypeVar("_T")
_R = TypeVar("_R")


def write_through(
    store: Store, path: str, array: Array, metadata: ArrayMetadata, progress: bool
) -> None:
    """Write all chunks of an array whose document is written already."""
    import zarr

    opened = cast("Any", zarr).open_array(store, path=path, mode="r+")
    # chunks of the fill value are written too: it equals -0.0
    config: Any = {"write_empty_chunks": True}
    target: Any = zarr.Array(
        zarr.AsyncArray(opened.metadata, opened.store_path, config)
    )
    data: Any = array.data
    if is_lazy(data):
        _write_lazy(target, path, data, metadata, progress)
        return
    if metadata.zarr_format == 3:
        data = to_core(data)
    slab = joined_blocks(
        metadata.shape,
        metadata.shards or metadata.chunks,
        metadata.dtype.itemsize,
        SLAB,
    )
    sides = (
        range(0, size, edge) for size, edge in zip(metadata.shape, slab, strict=True)
    )
    for corner in shown([*product(*sides)], progress, "Writing"):
        place = tuple(
            slice(at, at + edge) for at, edge in zip(corner, slab, strict=True)
        )
        target[place] = data[place]


def _write_lazy(
    target: Any, path: str, data: Any, metadata: ArrayMetadata, progress: bool
) -> None:
    """Write a dask array block by block; no two tasks share a chunk or a shard."""
    core = core_dtype(metadata.dtype) if metadata.zarr_format == 3 else metadata.dtype
    meta = np.empty((0,) * data.ndim, metadata.dtype)
    blocks = data.map_blocks(refuse_mask, where=path, dtype=metadata.dtype, meta=meta)
    blocks = blocks.rechunk(aligned(data.chunks, metadata.shards or metadata.chunks))
    if core != metadata.dtype:
        more = (
            {"new_axis": data.ndim, "chunks": (*blocks.chunks, core.shape)}
            if core.shape
            else {}
        )
        blocks = blocks.map_blocks(to_core, dtype=core.base, **more)
    with dask_module("diagnostics").ProgressBar() if progress else nullcontext():
        if _reaches_all(target.store):
            with _own_threads():
                dask_module("array").store([blocks], [target], lock=False)
            return
        places = dask_module("array").core.slices_from_chunks(blocks.chunks)
        for index, place in zip(
            product(*map(range, blocks.numblocks)), places, strict=True
        ):
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


def write_array(
    sink: Sink, path: str, array: Array, metadata: ArrayMetadata, progress: bool
) -> None:
    """Write all chunks of an array whose document is written already."""
    if sink.streams and not is_lazy(array.data):
        spread = partial(_ahead, metadata, progress)
        with closing(
            encoded_chunks(joined(path, ""), metadata, array.data, spread)
        ) as chunks:
            sink.put(chunks)
    else:
        from ..stores.zarr_store import store_of

        write_through(store_of(sink), path, array, metadata, progress)


def _ahead(
    metadata: ArrayMetadata,
    progress: bool,
    work: Callable[[_T], _R],
    places: Iterable[_T],
) -> Generator[_R]:
    """Do what `map` does in several threads, a few results before they are asked for."""
    size = max(prod(metadata.chunks) * metadata.dtype.itemsize, 1)
    jobs = shown([*places], progress, "Writing", SLAB // size)
    workers = min(len(jobs), ROOM // size, os.cpu_count() or 1)
    if workers < 2:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[_R]] = deque()
        for job in jobs:
            begun.append(pool.submit(work, job))
            if len(begun) > 2 * workers:
                yield begun.popleft().result()
        for one in begun:
            yield one.result()
