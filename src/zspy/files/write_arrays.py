"""The one path that writes chunks: of NumPy and dask arrays, into any store.

Chunks are encoded by `encoded_chunks` and put through a `Sink`, several at a time. A dask array is
computed block by block, and its blocks are first aligned to whole chunks or shards, so that no two
tasks write to one document.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, product
from math import prod
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import encoded_chunks, refuse_mask
from ..stores.directory import DirectorySink
from ..values.errors import EncodeError
from ..values.nodes import joined
from ..values.types import NumPyArray, is_lazy
from .chunking import SLAB, Edges
from .parallel import CHUNKS_IN_MEMORY, dask_module
from .progress import with_bar
from .rechunking import rechunked

if TYPE_CHECKING:
    from ..stores.base import Sink

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, eq=False)
class ArrayToWrite:
    """An array whose document is written apart from its chunks."""

    path: str
    data: Any
    metadata: ArrayMetadata
    first: Edges = ()  # number of the chunk, or shard, with which the data begins


def write_arrays(
    sink: Sink, arrays: Sequence[ArrayToWrite], progress: bool
) -> None:
    """Write all chunks of arrays whose documents are written already.

    All dask arrays are computed at once, so that a task that they share is done once.
    """
    lazy = [array for array in arrays if is_lazy(array.data)]
    for array in arrays:
        if array not in lazy:
            in_threads = partial(_ahead, array.metadata, progress)
            prefix = joined(array.path, "")
            chunks = encoded_chunks(
                prefix, array.metadata, array.data, in_threads, array.first
            )
            with closing(chunks):
                sink.put(chunks)
    if lazy:
        _write_lazy(sink, lazy, progress)


@dataclass(frozen=True, slots=True)
class _BlockWriter:
    """Encodes a block of a dask array in the task that computed it, and puts it where it can."""

    path: str
    metadata: ArrayMetadata
    starts: tuple[Edges, ...]  # of the blocks, along each dimension
    begin: Edges  # number of the chunk, or shard, with which the first block begins
    sink: Sink | None  # None gives the documents back

    def __call__(self, block: NumPyArray, block_id: Edges = ()) -> NumPyArray:
        metadata = self.metadata
        units = metadata.shards or metadata.chunks
        first: list[int] = []
        sides = zip(self.starts, block_id, units, self.begin, strict=True)
        wanted: list[int] = []
        for starts, number, edge, begin in sides:
            first.append(begin + starts[number] // edge)
            wanted.append(starts[number + 1] - starts[number])
        if [*block.shape] != wanted:
            problem = f"a block computes to the shape {block.shape}, not {wanted}"
            remedy = "give map_blocks its dtype and chunks"
            raise EncodeError(problem, self.path, remedy)
        prefix = joined(self.path, "")
        documents = encoded_chunks(prefix, metadata, block, first=tuple(first))
        done = np.empty((1,) * block.ndim, object)
        if self.sink is None:
            done[(0,) * block.ndim] = [*documents]
        else:
            self.sink.put(documents)
        return done


def _write_lazy(sink: Sink, arrays: Sequence[ArrayToWrite], progress: bool) -> None:
    """Compute dask arrays, and write each block in the task that computes it, where that reaches.

    Tasks of other processes put documents in a directory only; else they give them back.
    """
    compute = dask_module("base").compute
    if sink.from_other_processes or _runs_here():
        bar = (
            dask_module("diagnostics").ProgressBar() if progress else nullcontext()
        )
        with bar, _own_threads(arrays), _folder_of_pieces(sink) as folder:
            compute(*[_block_tasks(array, sink, folder) for array in arrays])
        return
    with _folder_of_pieces(sink) as folder:
        for array in arrays:
            batches = [*_batches(array, folder)]
            for batch in with_bar(batches, progress, "Writing"):
                for (documents,) in compute(*batch):
                    sink.put(documents)


def _folder_of_pieces(sink: Sink) -> TemporaryDirectory[str]:
    """Make a folder for an array that takes two passes: in a new directory, it is on that disk."""
    near = sink.root if isinstance(sink, DirectorySink) else None
    return TemporaryDirectory(dir=near, prefix=".zspy-pieces-")


def _block_tasks(array: ArrayToWrite, sink: Sink | None, folder: str) -> Any:
    """Give a dask array with one element for each block that is written, or encoded."""
    data, metadata = array.data, array.metadata
    meta = np.empty((0,) * data.ndim, metadata.dtype)
    # before blocks are joined, which would lose masks that dask does not know of
    blocks = data.map_blocks(
        refuse_mask, where=array.path, dtype=metadata.dtype, meta=meta
    )
    blocks = rechunked(blocks, metadata.shards or metadata.chunks, folder)
    starts = tuple(tuple(accumulate(sizes, initial=0)) for sizes in blocks.chunks)
    begin = array.first or (0,) * data.ndim
    return blocks.map_blocks(
        _BlockWriter(array.path, metadata, starts, begin, sink),
        name=f"zspy-write-{uuid4().hex}",
        dtype=object,
        chunks=tuple((1,) * count for count in blocks.numblocks),
        meta=np.empty((0,) * data.ndim, object),
    )


def _batches(array: ArrayToWrite, folder: str) -> Iterator[list[Any]]:
    """Give the tasks of an array, as many at a time as their documents may take in memory."""
    tasks = _block_tasks(array, None, folder)
    block = prod(array.data.chunksize) * array.metadata.dtype.itemsize
    most = max(min(CHUNKS_IN_MEMORY // max(block, 1), 2 * (os.cpu_count() or 1)), 1)
    batch: list[Any] = []
    for index in product(*map(range, tasks.numblocks)):
        batch.append(tasks.blocks[index].ravel())
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _own_threads(arrays: Sequence[ArrayToWrite]) -> Generator[None]:
    """Give dask threads that have ended when an error arrives: none writes behind our back.

    There are as many as have memory for a block, and for what it is made of.
    """
    config = dask_module("config")
    sizes = (prod(one.data.chunksize) * one.data.dtype.itemsize for one in arrays)
    most = max(CHUNKS_IN_MEMORY // (4 * max(*sizes, 1)), 1)
    wanted: int = config.get("num_workers", None) or os.cpu_count() or 1
    with ThreadPoolExecutor(min(wanted, most)) as pool, config.set(pool=pool):
        yield


def _runs_here() -> bool:
    """Tell whether dask runs its tasks in this process."""
    here = (None, dask_module("threaded").get, dask_module("local").get_sync)
    return dask_module("base").get_scheduler() in here


def _ahead(
    metadata: ArrayMetadata,
    progress: bool,
    work: Callable[[_T], _R],
    places: Iterable[_T],
) -> Generator[_R]:
    """Do what `map` does in several threads, a few results before they are asked for."""
    size = max(prod(metadata.chunks) * metadata.dtype.itemsize, 1)
    jobs = with_bar([*places], progress, "Writing", SLAB // size)
    workers = min(len(jobs), CHUNKS_IN_MEMORY // size, os.cpu_count() or 1)
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
