"""Frames that come one after the other, by `zspy.append`."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest

import zspy
from tests.support.places import IN_PLACE, place_of
from zspy.stores.directory import DirectoryInPlace
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values.ragged import object_array

from .test_growth import QUIET, both_formats, masked, read, scan, signal_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "movie.zspy"


@both_formats
@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("axis", ["y", 1])
def test_frames_are_appended_one_after_the_other(
    axis: Any, sync: bool, zarr_format: ZarrFormat, path: Path
) -> None:
    data = scan(50, 5, 8) if axis == "y" else np.moveaxis(scan(50, 5, 8), 0, 1)
    number = 0 if axis == "y" else 1
    parts = np.split(data, [3, 4, 5, 20, 29], number)
    zspy.file_writer(path, signal_of(parts[0]), 8, append_dim=axis, zarr_format=zarr_format)
    with zspy.append(path, parts[1], axis, sync=sync) as stream:
        stream.append(np.squeeze(parts[2], number))
        assert stream.size == 5
        stream.append(parts[3])
        stream.flush()
        found = read(path)
        assert np.array_equal(found["data"], np.concatenate(parts[:4], number))
        assert found["axes"][number]["size"] == 20
        stream.append(parts[4])
        assert read(path)["axes"][number]["size"] in (20, 24)
        stream.append(parts[5])
    assert np.array_equal(read(path)["data"], data)
    assert zspy.check(path, data=True) == []


def layout(path: Path) -> Any:
    """Give the chunks and the shards of the array of the only signal."""
    array: Any = zspy.open_group(path)["Experiments"]
    (signal,) = array.members.values()
    data = signal["data"]
    return data.chunks, data.shards


@pytest.mark.parametrize("shards", [None, (16, 5), True])
def test_a_file_is_made_before_the_first_frame(shards: Any, path: Path) -> None:
    """Its chunks are those of one that grows, and its shards those that were asked for."""
    empty = signal_of(scan(0, 5))
    more: dict[str, Any] = {"zarr_format": 3, "shards": shards}
    chunks = None if shards is None else (4, 5)
    zspy.create(path, empty, shape=(0, 5), chunks=chunks, **more)
    other = path.with_name("other.zspy")
    zspy.file_writer(other, empty, chunks, append_dim="y", **QUIET, **more)
    assert layout(path) == layout(other)
    assert (layout(path)[1] is None) == (shards is None)
    with zspy.append(path, axis="y") as stream:
        for frame in scan(37, 5):
            stream.append(frame)
    assert np.array_equal(read(path)["data"], scan(37, 5))
    assert zspy.check(path, data=True) == []


@pytest.mark.parametrize("kind", [*IN_PLACE, "dict"])
def test_a_stream_makes_the_signal_where_there_is_none(kind: str, path: Path) -> None:
    place, options = place_of(kind, path)
    if kind not in ("local", "dict"):  # which it makes itself
        zspy.file_writer(path, signal_of(scan(2, 3), "other"), **options)
    with zspy.append(place, signal_of(scan(1, 5)), axis="y") as stream:
        for row in scan(30, 5):
            stream.append(row)
    found = {one["metadata"]["General"]["title"]: one["data"] for one in zspy.file_reader(place)}
    assert np.array_equal(found["t"], [*scan(1, 5), *scan(30, 5)])


def test_what_was_flushed_is_not_written_again() -> None:
    class Counted(dict[str, bytes]):
        count = 0

        def __setitem__(self, key: str, value: bytes) -> None:
            self.count += 1
            super().__setitem__(key, value)

    place = Counted()
    zspy.file_writer(place, signal_of(scan(4, 5)), (4, 5), consolidate=True, **QUIET)
    with zspy.append(place, axis="y") as stream:
        stream.append(scan(3, 5))
        stream.flush()
        before = place.count
        stream.flush()
    assert place.count == before
    assert zspy.check(place, data=True) == []


def test_a_signal_that_is_stored_is_continued_by_its_title(path: Path) -> None:
    for _ in range(2):
        with zspy.append(path, signal_of(scan(1, 5)), axis="y", title="t") as stream:
            stream.append(scan(2, 5))
    assert read(path)["data"].shape == (6, 5)


def test_nothing_is_written_for_a_stream_without_frames(path: Path) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), **QUIET)
    before = {key: zspy.fetch(path)[key] for key in zspy.fetch(path)}
    with zspy.append(path, axis="y"):
        pass
    assert {key: zspy.fetch(path)[key] for key in zspy.fetch(path)} == before


def test_functional_axes_grow_with_the_frames(path: Path) -> None:
    signal = signal_of(scan(2, 5))
    x = {"_type": "UniformDataAxis", "name": "x", "size": 2, "scale": 1.0}
    signal["axes"][0] = {"_type": "FunctionalDataAxis", "name": "y", "expression": "x", "x": x}
    signal["axes"][0]["size"] = 2
    zspy.file_writer(path, signal, append_dim="y", **QUIET)
    with zspy.append(path, scan(3, 5), axis="y"):
        pass
    axis = read(path)["axes"][0]
    assert (axis["size"], axis["x"]["size"]) == (5, 5)


@both_formats
@pytest.mark.parametrize("chunks", [(4, 6), (3, 6)])
def test_masked_frames_are_appended(
    chunks: tuple[int, int], zarr_format: ZarrFormat, path: Path
) -> None:
    data = masked(20, 6)
    zspy.file_writer(path, signal_of(data[:5]), chunks, zarr_format=zarr_format, **QUIET)
    with zspy.append(path, axis="y") as stream:
        for part in (data[5], data[6:9], data.data[9:10], data[10:]):
            stream.append(part)
            stream.flush()
    expected = data.copy()
    expected[9] = data.data[9]
    assert first_difference(read(path)["data"], expected) is None
    assert zspy.check(path, data=True) == []


def test_a_mask_in_other_chunks_than_its_data_grows_with_it(path: Path) -> None:
    import zarr

    data = masked(20, 6)
    zspy.file_writer(path, signal_of(data[:5]), (4, 6), **QUIET)
    name = "Experiments/t/data_mask/mask"
    options: dict[str, Any] = {"shape": (5, 6), "chunks": (3, 2), "dtype": "?", "overwrite": True}
    array = cast("Any", zarr).create_array(path, name=name, zarr_format=2, **options)
    array[:] = data[:5].mask
    with zspy.append(path, axis="y") as stream:
        for row in data[5:]:
            stream.append(row)
    assert first_difference(read(path)["data"], data) is None
    with pytest.raises(zspy.EncodeError, match="0:4 cuts a chunk: their borders are the multi"):
        zspy.file_writer(path, signal_of(data[:4]), region={"y": slice(0, 4)})


REFUSED: Final[dict[str, tuple[Any, dict[str, Any], str]]] = {
    "another shape": (scan(4, 6), {}, r"frames: frames of the shape \(6,\); they have \(5,\)"),
    "lists of several lengths": ([[1, 2], [3]], {}, r"lists of several lengths; frames have"),
    "another dtype": (scan(4, 5, dtype="f8"), {}, "dtype float64 does not fit"),
    "masked": (masked(4, 5, dtype="u2"), {}, "data: it is masked, and there is no mask in"),
    "no such axis": (scan(4, 5), {"axis": "q"}, "axis: there is no axis 'q'"),
    "no such signal": (scan(4, 5), {"title": "q"}, "there is no signal 'q'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_frames_that_do_not_fit_are_refused_and_the_file_is_free(name: str, path: Path) -> None:
    frames, more, message = REFUSED[name]
    options: dict[str, Any] = {"axis": "y", **more}
    zspy.file_writer(path, signal_of(scan(4, 5)), **QUIET)
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.append(path, frames, **options)
    with zspy.append(path, scan(1, 5), axis="y"):
        pass
    assert read(path)["data"].shape == (5, 5)


@both_formats
def test_signals_that_are_no_streams_are_refused(zarr_format: ZarrFormat) -> None:
    place: dict[str, bytes] = {}
    cells = signal_of(object_array([np.zeros(2)] * 4, (4,)))
    vector = signal_of(scan(4, 5), "vector")
    vector["axes"][0] = {"name": "y", "axis": np.arange(4.0)}
    zspy.file_writer(place, [cells, vector], zarr_format=zarr_format)
    with pytest.raises(zspy.EncodeError, match="ragged data, and axes with a vector, grow by"):
        zspy.append(place, axis="y", title="t")
    with pytest.raises(zspy.EncodeError, match="ragged data, and axes with a vector, grow by"):
        zspy.append(place, axis="y", title="vector")
    with pytest.raises(zspy.EncodeError, match="the file has 2 signals; name one of 't', 'vec"):
        zspy.append(place, axis="y")


@pytest.mark.parametrize("call", ["flush", "append"])
def test_an_error_of_writing_is_raised_by_the_next_call(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), (4, 5), **QUIET)

    def full(_: DirectoryInPlace, documents: Any) -> None:
        raise OSError(28, "No space left on device", next(iter(documents))[0])

    stream = zspy.append(path, axis="y")
    with monkeypatch.context() as patch:
        patch.setattr(DirectoryInPlace, "put_chunks", full)
        stream.append(scan(4, 5))
        with pytest.raises(OSError, match="No space left"):
            stream.flush() if call == "flush" else stream.append(scan(4, 5))
    for more in (stream.flush, lambda: stream.append(scan(1, 5))):
        with pytest.raises(zspy.EncodeError, match="is closed, or what it wrote has failed"):
            more()
    stream.close()
    assert read(path)["data"].shape == (4, 5)
    assert not list(path.parent.glob(".*lock"))
    with zspy.append(path, axis="y") as stream:
        stream.append(scan(9, 5))
    with pytest.raises(zspy.EncodeError, match="is closed"):
        stream.append(scan(1, 5))
    stream.close()
    assert np.array_equal(read(path)["data"], [*scan(4, 5), *scan(9, 5)])


STREAM: Final = """
import os, sys
import numpy as np
import zspy
data = np.random.default_rng(0).integers(0, 999, (60, 16, 16)).astype("u2")
flushed, last = 0, int(sys.argv[2])
with zspy.append(sys.argv[1], axis="y", sync=False) as stream:
    for number, frame in enumerate(data):
        stream.append(frame)
        if number % 7 == 6:
            stream.flush()
            print(number + 1, flush=True)
        if number == last:
            os._exit(1)
"""


@pytest.mark.parametrize("last", [0, 6, 13, 20, 41])
def test_frames_that_were_flushed_survive_a_kill(last: int, path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 999, (60, 16, 16)).astype("u2")
    zspy.file_writer(path, signal_of(data[:1]), (4, 16, 16), append_dim="y", **QUIET)
    source = str(Path(zspy.__file__).parents[1])
    command = [sys.executable, "-c", STREAM, str(path), str(last)]
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    flushed = int((done.stdout.split() or ["0"])[-1])
    found = read(path)["data"]
    assert len(found) - 1 >= flushed
    assert np.array_equal(found[1:], data[: len(found) - 1])
    assert not [one for one in zspy.check(path, data=True) if one.severity == "error"]
    with zspy.append(path, data[len(found) - 1 :], axis="y"):
        pass
    assert np.array_equal(read(path)["data"][1:], data)


MEMORY: Final[dict[str, dict[str, Any]]] = {
    "format 2": {"chunks": (32, 128, 128)},
    "format 3": {"chunks": (32, 128, 128), "zarr_format": 3},
    "shards": {"chunks": (4, 128, 128), "shards": (32, 128, 128), "zarr_format": 3},
    "plain": {"chunks": (32, 128, 128), "compressor": None},
}


@pytest.mark.parametrize("name", MEMORY)
def test_a_row_of_chunks_and_an_encoded_one_are_in_memory(name: str, path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 2**16, (8, 128, 128), "u2")
    row = 32 * frames[0].nbytes
    zspy.file_writer(path, signal_of(frames[:1]), append_dim="y", **MEMORY[name], **QUIET)
    tracemalloc.start()
    try:
        with zspy.append(path, axis="y", sync=False) as stream:
            for number in range(1, 111):
                stream.append(frames[number % 8])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.25 * row
    assert np.array_equal(read(path)["data"], np.tile(frames, (14, 1, 1))[:111])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_row_whose_encoding_is_interrupted_stays_in_memory(
    error: type[BaseException], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), (4, 5), **QUIET)

    def fail(_: Any) -> Any:
        raise error

    stream = zspy.append(path, axis="y")
    with monkeypatch.context() as patch:
        patch.setattr("zspy.files.stream.encoded", fail)
        with pytest.raises(error):
            stream.append(scan(7, 5))
    stream.close()
    more = scan(0 if error is ValueError else 4, 5)
    assert np.array_equal(read(path)["data"], [*scan(4, 5), *more])
    assert zspy.check(path, data=True) == []


def test_an_error_of_the_disk_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system says what is wrong with an open file, and not which one that is."""
    path = tmp_path / "scan.zspy"
    signal: dict[str, Any] = {"data": np.zeros((1, 3)), "axes": [], "metadata": {}}
    zspy.file_writer(path, signal, chunks=(2, 3), show_progressbar=False)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for frames in (np.ones((1, 3)), np.ones((9, 3))):
        stream = zspy.append(path)
        monkeypatch.setattr(DirectoryInPlace, "put_chunks", full)
        with pytest.raises(OSError, match=r"No space left.*scan\.zspy"), stream:
            stream.append(frames)
        monkeypatch.undo()
