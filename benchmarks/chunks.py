"""How the size of chunks tells: on one frame, on the whole array, on the number of files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.worker import counts, signal_of
from zspy import file_reader, file_writer
from zspy.documents.chunk_shapes import chunk_shape

MIB: Final = 2**20
SIZES: Final = (2**18, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 100_000_000)
FRAMES: Final = 9  # read in a round

Row = dict[str, Any]


class Case(NamedTuple):
    """An array, and where its frames, or its spectra, are looked at."""

    shape: tuple[int, ...]
    signal_dimensions: int


CASES: Final[dict[str, Case]] = {
    "scan": Case((96, 96, 128, 128), 2),
    "spectrum image": Case((256, 256, 1024), 1),
}


def measured(folder: Path, rounds: int) -> dict[str, list[Row]]:
    """Measure every case with chunks of every size, and with those that zspy chooses."""
    return {name: _case(folder / name, case, rounds) for name, case in CASES.items()}


def _case(path: Path, case: Case, rounds: int) -> list[Row]:
    signal = signal_of(counts(case.shape, 0), case.signal_dimensions)
    ways = list(_ways(case))
    found: list[list[tuple[float, ...]]] = [[] for _ in ways]
    rows: list[Row] = []
    for number in range(rounds + 1):  # once to warm up
        for (row, options), times in zip(ways, found, strict=True):
            shutil.rmtree(path, ignore_errors=True)
            times.append(_round(path, signal, options))
            if number == 0:
                files = (path / "Experiments").rglob("*/data/**/*")
                rows.append({**row, "files": sum(file.is_file() for file in files)})
                times.clear()
    shutil.rmtree(path)
    names = ("write", "read", "frame")
    for row, times in zip(rows, found, strict=True):
        row |= {
            name: float(f"{median(each):.3g}")
            for name, each in zip(names, zip(*times, strict=True), strict=True)
        }
    return rows


def _ways(case: Case) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield how an array is stored: what the table says of it, and the options of the writer."""
    dimensions = range(len(case.shape) - case.signal_dimensions, len(case.shape))
    for size in SIZES:
        chunks = chunk_shape(case.shape, 2, dimensions, size)
        yield {"target": size, "chunks": chunks, "format": 2}, {"chunks": chunks}
    yield {"target": None, "chunks": None, "format": 2}, {}
    yield {"target": None, "chunks": None, "format": 3}, {"zarr_format": 3}


def _round(path: Path, signal: dict[str, Any], options: dict[str, Any]) -> tuple[float, ...]:
    """Write an array, read all of it, and open it for one frame."""
    write = _seconds(lambda: file_writer(str(path), signal, show_progressbar=False, **options))
    read = _seconds(lambda: file_reader(str(path)))
    places = np.random.default_rng(0).integers(0, 96, (FRAMES, 2)).tolist()
    frames = [_seconds(partial(_frame, path, *place)) for place in places]
    return write, read, median(frames)


def _frame(path: Path, row: int, column: int) -> Any:
    return file_reader(str(path), lazy=True)[0]["data"][row, column].compute()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    result = work()
    end = time.perf_counter()
    del result
    return end - start
