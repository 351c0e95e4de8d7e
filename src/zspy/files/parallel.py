"""What reading and writing in parallel share: threads, their memory, and modules of dask."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from math import prod
from typing import Any, Final, TypeVar

from ..documents.array_metadata import ArrayMetadata
from ..values.errors import missing_package

CHUNKS_IN_MEMORY: Final = 2**30
"""Bytes of the chunks that are encoded or decoded at the same time."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def dask_module(module: str) -> Any:
    """Import a module of dask: it takes long, and its types are few.

    Raises
    ------
    ModuleNotFoundError
        If dask is not installed, with the command that does.
    """
    try:
        return import_module(f"dask.{module}")
    except ModuleNotFoundError as error:
        raise missing_package("dask", "dask") from error


@contextmanager
def in_threads(metadata: ArrayMetadata, number: int) -> Generator[Any]:
    """Give what `map` does with a number of chunks, in as many threads as have memory for them."""
    most = CHUNKS_IN_MEMORY // max(prod(metadata.chunks) * metadata.cost, 1)
    workers = min(number, most, (os.cpu_count() or 1) + 1)
    if workers < 2 or metadata.cells is not None:
        yield map
    else:
        with ThreadPoolExecutor(workers) as pool:
            yield partial(_ahead, pool, workers)


def _ahead(
    pool: ThreadPoolExecutor,
    number: int,
    work: Callable[[_T], _R],
    jobs: Iterable[_T],
) -> Generator[_R]:
    """Do what `map` does, a number of results before they are asked for."""
    begun: deque[Future[_R]] = deque()
    for job in jobs:
        begun.append(pool.submit(work, job))
        if len(begun) > number:
            yield begun.popleft().result()
    for one in begun:
        yield one.result()
