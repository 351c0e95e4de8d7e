"""Icechunk: whole replacement and history for object storage, through the store of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import dask.array as da
import icechunk
import numpy as np
import pytest

import zspy
from tests.support.signals import version_of
from zspy import EncodeError

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False, "zarr_format": 3}


def signal_of(number: int, data: Any = None) -> dict[str, Any]:
    signal = version_of(number, shape=(4, 30, 40))
    return signal if data is None else {**signal, "data": data}


def number_in(store: Any) -> int:
    (signal,) = zspy.file_reader(store)
    number = cast("Any", signal["metadata"])["n"]
    assert (np.asarray(signal["data"]) == number).all()
    return int(number)


@pytest.fixture
def repository(tmp_path: Path) -> Any:
    storage = icechunk.local_filesystem_storage(str(tmp_path / "scan"))
    return cast("Any", icechunk).Repository.create(storage)


def committed(repository: Any, number: int, **options: Any) -> str:
    session = repository.writable_session("main")
    zspy.file_writer(session.store, signal_of(number), **QUIET, **options)
    snapshot: str = session.commit(f"version {number}")
    return snapshot


def test_a_reader_of_a_snapshot_reads_on(repository: Any) -> None:
    first = committed(repository, 1)
    reader = repository.readonly_session(snapshot_id=first).store
    (lazy,) = zspy.file_reader(reader, lazy=True)
    second = committed(repository, 2)
    assert number_in(reader) == 1
    assert (np.asarray(lazy["data"]) == 1).all()
    assert number_in(repository.readonly_session("main").store) == 2
    assert number_in(repository.readonly_session(snapshot_id=second).store) == 2
    with pytest.raises(EncodeError, match="the store is read-only"):
        zspy.file_writer(reader, signal_of(3), **QUIET)


def test_what_is_not_committed_is_not_there(repository: Any) -> None:
    committed(repository, 1)
    session = repository.writable_session("main")
    zspy.file_writer(session.store, signal_of(2), **QUIET)
    assert number_in(session.store) == 2
    assert number_in(repository.readonly_session("main").store) == 1
    session.discard_changes()
    assert number_in(session.store) == 1


def test_signals_are_added_and_updated(repository: Any) -> None:
    committed(repository, 1)
    committed(repository, 2, mode="a")
    store = repository.readonly_session("main").store
    assert [signal["metadata"]["n"] for signal in zspy.file_reader(store)] == [1, 2]
    committed(repository, 3)
    session = repository.writable_session("main")
    zspy.file_writer(session.store, signal_of(4), write_dataset=False, **QUIET)
    (signal,) = zspy.file_reader(session.store)
    assert cast("Any", signal["metadata"])["n"] == 4
    assert (np.asarray(signal["data"]) == 3).all()


@pytest.mark.parametrize("options", [{}, {"shards": True}])
@pytest.mark.parametrize("masked", [False, True])
def test_a_signal_grows_in_a_session(
    masked: bool, options: dict[str, Any], repository: Any
) -> None:
    data: Any = np.arange(8 * 30 * 40).reshape(8, 30, 40)
    if masked:
        data = np.ma.masked_greater(data, 9000)
    session = repository.writable_session("main")
    first, part = signal_of(1, data[:1]), signal_of(1, data[1:3])
    first["axes"], part["axes"] = ([{"size": n}, {}, {}] for n in (1, 2))
    zspy.file_writer(session.store, first, chunks=(2, 30, 40), **options, **QUIET)
    session.commit("begun")
    session = repository.writable_session("main")
    zspy.file_writer(session.store, part, append_dim=0, sync=False)
    with zspy.append(session.store, sync=False) as stream:
        for frame in data[3:]:
            stream.append(frame)
    assert np.shape(zspy.file_reader(repository.readonly_session("main").store)[0]["data"])[0] == 1
    session.commit("grown")
    (found,) = zspy.file_reader(repository.readonly_session("main").store)
    assert np.ma.allequal(found["data"], data)
    assert (np.ma.getmaskarray(found["data"]) == np.ma.getmaskarray(data)).all()


def test_zarr_format_2_is_refused_before_anything_goes(repository: Any) -> None:
    committed(repository, 1)
    session = repository.writable_session("main")
    with pytest.raises(EncodeError, match="zarr_format: a session of Icechunk holds Zarr format 3"):
        zspy.file_writer(session.store, signal_of(2), show_progressbar=False)
    assert number_in(session.store) == 1


def test_writers_in_forks_of_a_session_fill_one_array(repository: Any) -> None:
    """Each has a part of the data, wherever it runs; their changes are merged."""
    session = repository.writable_session("main")
    zspy.file_writer(session.store, signal_of(0), chunks=(1, 30, 40), shards=False, **QUIET)
    session.commit("room for the data")
    session = repository.writable_session("main")
    forks = [session.fork() for _ in range(4)]
    for number, fork in enumerate(forks):
        array = __import__("zarr").open_array(fork.store, path="Experiments/t/data")
        array[number] = number + 1
    session.merge(*forks)
    session.commit("the data")
    (signal,) = zspy.file_reader(repository.readonly_session("main").store)
    assert np.asarray(signal["data"])[:, 0, 0].tolist() == [1, 2, 3, 4]


def test_a_lazy_array_is_written_by_many_threads(repository: Any) -> None:
    session = repository.writable_session("main")
    data = cast("Any", da).full((4, 30, 40), 5, chunks=(1, 30, 40))
    zspy.file_writer(session.store, signal_of(5, data), **QUIET)
    session.commit("lazy")
    assert number_in(repository.readonly_session("main").store) == 5
