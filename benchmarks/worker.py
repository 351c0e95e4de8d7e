"""One program at work, in a process and an environment of its own.

``python -m benchmarks.worker PROGRAM DIRECTORY`` reads lines that each name a work, and answers
each with a line of JSON: the seconds that it took, and what else there is to say. What does not
belong to the work, such as making its data, is not in the seconds.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

Answer = dict[str, float]
AnyArray = np.ndarray[Any, Any]

SCAN: Final = (96, 96, 128, 128)
CHUNKS: Final = (11, 11, 128, 128)  # what zspy chooses for it in format 2
CELLS: Final = (256, 256)
DICTIONARIES: Final = 1000
GIGABYTE: Final = (244, 250, 128, 128)  # times uint8


class Program(NamedTuple):
    """How a program writes a signal to a path, reads it, and reads one frame."""

    write: Callable[..., object]
    read: Callable[[Path], Any]
    frame: Callable[[Path], Any]


# --- programs ----------------------------------------------------------------------------------


def _plugin(name: str, **options: Any) -> Program:
    """Give zspy or RosettaSciIO, which have one interface."""
    module = import_module(name)

    def write(path: Path, signal: dict[str, Any], **more: Any) -> None:
        module.file_writer(str(path), signal, show_progressbar=False, **options, **more)

    def read(path: Path, lazy: bool = False) -> Any:
        return module.file_reader(str(path), lazy=lazy)[0]["data"]

    def frame(path: Path) -> Any:
        return read(path, lazy=True)[48, 48].compute()

    return Program(write, read, frame)


def _zarr() -> Program:
    """Give plain zarr-python, which writes the chunks that zspy writes."""
    import numcodecs
    import zarr

    library: Any = zarr

    def write(path: Path, signal: dict[str, Any]) -> None:
        codec = numcodecs.Blosc("zstd", 1, numcodecs.Blosc.SHUFFLE)
        library.create_array(
            path, data=signal["data"], chunks=CHUNKS, zarr_format=2, compressors=codec
        )

    def opened(path: Path) -> Any:
        return library.open_array(path, mode="r")

    def read(path: Path) -> Any:
        return opened(path)[...]

    def frame(path: Path) -> Any:
        return opened(path)[48, 48]

    return Program(write, read, frame)


def _h5py() -> Program:
    """Give h5py, with the fastest compression that all its readers know."""
    library: Any = import_module("h5py")

    def write(path: Path, signal: dict[str, Any]) -> None:
        with library.File(path, "w") as file:
            file.create_dataset(
                *("data",), data=signal["data"], chunks=CHUNKS, compression="lzf", shuffle=True
            )

    def read(path: Path, key: Any = ...) -> Any:
        with library.File(path) as file:
            return file["data"][key]

    def frame(path: Path) -> Any:
        return read(path, (48, 48))

    return Program(write, read, frame)


def _limit() -> Program:
    """Do nothing but encode and decode chunks on two threads, and write and read files."""
    import numcodecs

    codec = numcodecs.Blosc("zstd", 1, numcodecs.Blosc.SHUFFLE)

    def places(shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[slice, ...]]]:
        grid = (range(-(-size // edge)) for size, edge in zip(shape, CHUNKS, strict=True))
        for index in product(*grid):
            pairs = zip(index, CHUNKS, strict=True)
            yield (
                ".".join(map(str, index)),
                tuple(slice(i * edge, (i + 1) * edge) for i, edge in pairs),
            )

    def write(path: Path, signal: dict[str, Any]) -> None:
        path.mkdir()
        data = signal["data"]

        def one(pair: tuple[str, tuple[slice, ...]]) -> None:
            name, place = pair
            (path / name).write_bytes(codec.encode(np.ascontiguousarray(data[place])))

        with ThreadPoolExecutor(2) as pool:
            deque_of(pool.map(one, places(data.shape)))

    def read(path: Path) -> Any:
        out = np.empty(SCAN, "u2")

        def one(pair: tuple[str, tuple[slice, ...]]) -> None:
            name, place = pair
            part = out[place]
            part[...] = np.frombuffer(codec.decode((path / name).read_bytes()), "u2").reshape(
                part.shape
            )

        with ThreadPoolExecutor(2) as pool:
            deque_of(pool.map(one, places(out.shape)))
        return out

    def frame(path: Path) -> Any:
        chunk = codec.decode((path / "4.4.0.0").read_bytes())
        return np.frombuffer(chunk, "u2").reshape(CHUNKS)[4, 4].copy()

    return Program(write, read, frame)


def deque_of(results: Iterator[Any]) -> None:
    """Wait for all results, so that an error shows."""
    for _ in results:
        pass


PROGRAMS: Final[dict[str, Callable[[], Program]]] = {
    "reference": lambda: _plugin("rsciio.zspy"),
    "zspy": lambda: _plugin("zspy"),
    "zspy, format 3": lambda: _plugin("zspy", zarr_format=3),
    "zarr": _zarr,
    "h5py": _h5py,
    "limit": _limit,
}


# --- data --------------------------------------------------------------------------------------


def signal_of(data: Any, signal_dimensions: int, **metadata: Any) -> dict[str, Any]:
    """Make a signal that every program takes."""
    navigation = data.ndim - signal_dimensions
    axes = [
        {
            "_type": "UniformDataAxis",
            "name": f"axis {number}",
            "units": "nm",
            "navigate": number < navigation,
            "is_binned": False,
            "size": size,
            "scale": 0.5,
            "offset": 0.0,
        }
        for number, size in enumerate(data.shape)
    ]
    package = {"package": "hyperspy", "package_version": "2.5.0"}
    return {
        "data": data,
        "axes": axes,
        "metadata": {"General": {"title": "work"}, **metadata},
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": data.dtype == np.dtype(object)},
        "learning_results": {},
        "models": {},
        "package_info": package,
        **package,
    }


def counts(shape: tuple[int, ...], seed: int) -> AnyArray:
    """Draw counts of a mean of three: Poisson's distribution, as a table, for it is much faster."""
    mean = 3.0
    chances = np.cumsum(np.exp(-mean) * np.cumprod([1.0, *(mean / np.arange(1, 16))]))
    table = np.searchsorted(chances, (np.arange(256) + 0.5) / 256).astype("u2")
    found: AnyArray = table[np.random.default_rng(seed).integers(0, 256, shape, "u1")]
    return found


@cache
def scan() -> dict[str, Any]:
    """Make a 4D-STEM scan of 302 MB."""
    return signal_of(counts(SCAN, 0), 2)


@cache
def cells() -> dict[str, Any]:
    """Make a ragged signal of 256 x 256 cells."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 41, CELLS)
    lengths[0, 0] = 40  # the reference stores all cells as it stores the first
    rows = np.split(rng.random((int(lengths.sum()), 2)), np.cumsum(lengths)[:-1])
    data = np.empty(lengths.size, object)
    data[:] = rows
    return signal_of(data.reshape(CELLS), 0)


@cache
def tree() -> dict[str, Any]:
    """Make 3000 nodes: a dictionary is a group, with one for a list and one for what is in it."""
    entries = {
        f"item {number}": {
            "number": number,
            "ratio": number / 7,
            "name": f"the item {number}",
            "shape": [number, number + 1, number + 2],
            "inner": {"a": number, "b": "text"},
        }
        for number in range(DICTIONARIES)
    }
    return signal_of(np.zeros(3), 1, entries=entries)


@cache
def many_chunks() -> dict[str, Any]:
    """Make a small array that may have many chunks."""
    return signal_of(np.zeros((100, 100, 8), "u2"), 1)


def large() -> dict[str, Any]:
    """Make a scan of 1 GB."""
    data = counts((1, *GIGABYTE[1:]), 0).astype("u1")
    return signal_of(np.broadcast_to(data, GIGABYTE).copy(), 2)


# --- works -------------------------------------------------------------------------------------


def _fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    return path


def _timed(work: Callable[..., object], *arguments: Any, **options: Any) -> Answer:
    start = time.perf_counter(), time.process_time()
    result = work(*arguments, **options)
    ends = time.perf_counter(), time.process_time()
    del result
    return {"seconds": ends[0] - start[0], "cpu": ends[1] - start[1]}


def _written(program: Program, path: Path, signal: dict[str, Any], **options: Any) -> Answer:
    answer = _timed(program.write, _fresh(path), signal, **options)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return answer | {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _peak(program: Program, path: Path, signal: dict[str, Any]) -> Answer:
    """Measure the memory of this process, which does nothing else."""
    answer = _timed(program.write, _fresh(path), signal) | {"array": signal["data"].nbytes}
    return answer | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def _lazy_large() -> dict[str, Any]:
    da: Any = import_module("dask.array")
    frames = counts((1, 61, 128, 128), 0)

    def block(block_id: tuple[int, ...]) -> AnyArray:
        return np.asarray(frames + np.uint16(block_id[0] % 7))

    data = da.map_blocks(
        block, chunks=((1,) * 2000, (61,), (128,), (128,)), dtype="u2", meta=frames[:0]
    )
    return signal_of(data, 2)


def _open(program: Program, path: Path) -> Answer:
    read: Any = program.read
    return _timed(read, path, lazy=True)


def _updated(program: Program, path: Path) -> Answer:
    if not path.exists():
        program.write(path, large())
    data = np.broadcast_to(np.uint8(0), GIGABYTE)
    new = signal_of(data, 2, note="new")
    return _timed(program.write, path, new, write_dataset=False)


WORKS: Final[dict[str, Callable[[Program, Path], Answer]]] = {
    "scan, write": lambda program, path: _written(program, path / "scan", scan()),
    "scan, read": lambda program, path: _timed(program.read, path / "scan"),
    "scan, one frame": lambda program, path: _timed(program.frame, path / "scan"),
    "ragged, write": lambda program, path: _written(program, path / "ragged", cells()),
    "ragged, read": lambda program, path: _timed(program.read, path / "ragged"),
    "tree, write": lambda program, path: _written(program, path / "tree", tree()),
    "tree, read": lambda program, path: _timed(program.read, path / "tree"),
    "tree in a zip, write": lambda program, path: _written(
        program, path / "tree.zip", tree(), store_type="zip"
    ),
    "tree in a zip, read": lambda program, path: _timed(program.read, path / "tree.zip"),
    "one chunk, write": lambda program, path: _written(program, path / "one", many_chunks()),
    "one chunk, open": lambda program, path: _open(program, path / "one"),
    "10,000 chunks, write": lambda program, path: _written(
        program, path / "many", many_chunks(), chunks=(1, 1, 8)
    ),
    "10,000 chunks, open": lambda program, path: _open(program, path / "many"),
    "metadata of 1 GB, replace": lambda program, path: _updated(program, path / "large"),
    "memory, 1 GB": lambda program, path: _peak(program, path / "memory", large()),
    "memory, 4 GB lazily": lambda program, path: _peak(program, path / "memory", _lazy_large()),
}


def main(program: str, directory: str) -> None:
    """Do the works that the input names."""
    warnings.simplefilter("ignore")  # of what other programs say of themselves
    made = PROGRAMS[program]()
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    for line in sys.stdin:
        print(json.dumps(WORKS[line.strip()](made, path)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
