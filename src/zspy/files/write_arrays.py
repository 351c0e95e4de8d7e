"""The one path that writes chunks: of NumPy and dask arrays, into any store.

Chunks are encoded by `encoded_chunks` and put through a `Sink`, several at a time. A dask array is
computed block by block, and its blocks are first aligned to whole chunks or shards, so that no two
tasks write to one document.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import encoded_chunks
from ..stores.directory import DirectoryInPlace, DirectorySink
from ..stores.replace import new_beside
from ..values.blocks import checked_blocks
from ..values.nodes import joined
from ..values.types import Edges, NumPyArray, Pieces, is_lazy
from .chunking import SLAB
from .parallel import CHUNKS_IN_MEMORY, dask_module, in_threads
from .progress import with_bar
from .rechunking import Place, as_tasks, rechunked, takes_two_passes

if TYPE_CHECKING:
    from ..stores.base import Sink


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
    lazy: list[ArrayToWrite] = []
    for array in arrays:
        if not prod(array.data.shape):  # there is no chunk
            continue
        if is_lazy(array.data):
            lazy.append(array)
        else:
            sink.put_chunks(encoded(array, progress))
    if lazy:
        _write_lazy(sink, lazy, progress)


def encoded(
    array: ArrayToWrite, progress: bool = False
) -> Generator[tuple[str, Pieces]]:
    """Encode the chunks, or shards, of an array in memory, several at a time."""
    metadata = array.metadata
    shown = progress and metadata.nbytes > SLAB
    # A part of an array may be one chunk, which some codecs encode in threads of their own.
    sides = zip(array.data.shape, metadata.unit, strict=False)
    number = prod(-(-size // edge) for size, edge in sides)
    with in_threads(metadata, number) as spread:

        def with_progress(work: Any, jobs: Iterable[Any]) -> Any:
            return spread(work, with_bar([*jobs], shown, "Writing"))

        yield from _chunks(array, with_progress)


def _chunks(
    array: ArrayToWrite, spread: Any = map
) -> Generator[tuple[str, Pieces]]:
    """Encode the chunks, or shards, of an array."""
    prefix = joined(array.path, "")
    return encoded_chunks(prefix, array.metadata, array.data, spread, array.first)


def _write_lazy(sink: Sink, arrays: Sequence[ArrayToWrite], progress: bool) -> None:
    """Compute dask arrays, and write each block in the task that computes it, where that reaches.

    Tasks of other processes put documents in a directory only; else they give them back.
    """
    here = isinstance(sink, DirectorySink) or _runs_here()
    bar = (
        dask_module("diagnostics").ProgressBar()
        if progress and here
        else nullcontext()
    )
    two = any(takes_two_passes(one.data, one.metadata.unit) for one in arrays)
    pieces = _folder_for_pieces(sink) if two else nullcontext("")
    passes: tuple[list[Any], list[Any]] = ([], [])
    largest = 1
    with bar, pieces as folder:
        for array in arrays:
            # before blocks are joined with others, which would hide what they are
            blocks = checked_blocks(array.data, array.path)
            spilling, aligned = rechunked(blocks, array.metadata.unit, str(folder))
            for one in (blocks, aligned):
                largest = max(largest, prod(one.chunksize) * one.dtype.itemsize)
            passes[0].extend(spilling)
            write = partial(
                _write_block, replace(array, data=None), sink if here else None
            )
            passes[len(spilling)].append(as_tasks(write, aligned))
        # each thread has memory for a block, and for what it is made of
        most = max(CHUNKS_IN_MEMORY // (4 * largest), 1)
        workers = dask_module("config").get("num_workers", None) or os.cpu_count()
        # the threads have ended when an error arrives: none writes behind our back
        with ThreadPoolExecutor(min(workers or 1, most)) as pool:
            # other threads have the same configuration of dask
            threads = {"pool": pool} if here else {}
            for tasks in passes:
                batches = [tasks] if here else _batches(tasks, most)
                for batch in with_bar(batches, progress and not here, "Writing"):
                    for done in dask_module("base").compute(*batch, **threads):
                        for chunks in done.flat:
                            sink.put_chunks(chunks)


def _folder_for_pieces(sink: Sink) -> AbstractContextManager[Path | str]:
    """Make a folder for arrays that take two passes, on the disk of the file where it is known.

    A new directory is removed with it where the process is killed. One that is changed in place
    stays: the folder lies beside it, where the next writer removes what was left.
    """
    if isinstance(sink, DirectoryInPlace):
        return new_beside(Path(sink.root), folder=True)
    near = sink.root if isinstance(sink, DirectorySink) else None
    return TemporaryDirectory(dir=near, prefix=".zspy-pieces-")


def _write_block(
    array: ArrayToWrite, sink: Sink | None, block: NumPyArray, place: Place
) -> list[tuple[str, Pieces]]:
    """Write a block of an array, or give its documents where there is no sink."""
    edges = array.metadata.unit
    begin = array.first or (0,) * block.ndim
    corner = zip(begin, place, edges, strict=True)
    first = tuple(number + part.start // edge for number, part, edge in corner)
    chunks = _chunks(replace(array, data=block, first=first))
    if sink is None:
        return [*chunks]
    sink.put_chunks(chunks)
    return []


def _batches(tasks: Sequence[Any], most: int) -> list[list[Any]]:
    """Give the blocks of arrays, as many at a time as their documents may take in memory."""
    blocks = [
        one.blocks[index] for one in tasks for index in np.ndindex(one.numblocks)
    ]
    step = min(most, 2 * (os.cpu_count() or 1))
    return [blocks[at : at + step] for at in range(0, len(blocks), step)]


def _runs_here() -> bool:
    """Tell whether dask runs its tasks in this process."""
    here = (None, dask_module("threaded").get, dask_module("local").get_sync)
    return dask_module("base").get_scheduler() in here
