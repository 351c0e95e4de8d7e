"""One value of a stored signal at a time, by `zspy.update`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.stores.locking import locked
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values.ragged import object_array

from .test_growth import QUIET, both_formats, masked, read, scan, signal_of


@both_formats
@pytest.mark.parametrize("kind", ["local", "zip", "lmdb", "dict"])
def test_changes_are_merged_and_the_data_stays(
    kind: str, zarr_format: ZarrFormat, tmp_path: Path
) -> None:
    place: Any = {} if kind == "dict" else tmp_path / "scan.zspy"
    options: dict[str, Any] = {} if kind == "dict" else {"store_type": kind}
    more: dict[str, Any] = {"a": {"b": [1, 2.5], "c": (1, 2)}, "d": 1}
    signal = {**signal_of(scan(4, 5), **more), "learning_results": {"x": np.arange(3)}}
    zspy.file_writer(place, signal, zarr_format=zarr_format, homogenize=False, **options, **QUIET)
    before = read(place)
    zspy.update(place, {"General": {"title": "new"}, "a": {"c": zspy.REMOVE, "e": None}})
    zspy.update(place, {"d": zspy.REMOVE, "gone": zspy.REMOVE, "f": {"g": 1}}, title="new")
    zspy.update(place, axes={"y": {"scale": 0.25, "units": "um"}, 1: {"offset": 3.0}}, sync=False)
    found = read(place)
    metadata = {"General": {"title": "new"}, "a": {"b": [1, 2.5], "e": None}, "f": {"g": 1}}
    assert first_difference(found["metadata"], metadata) is None
    assert (found["axes"][0]["scale"], found["axes"][0]["units"]) == (0.25, "um")
    assert found["axes"][1]["offset"] == 3
    for key in ("data", "attributes", "original_metadata", "package"):
        assert first_difference(found[key], before[key]) is None
    assert zspy.check(place, data=True) == []


@both_formats
@pytest.mark.parametrize("kind", ["several types", "nothing in some", "masked"])
def test_what_says_more_of_stored_data_stays_with_it(kind: str, zarr_format: ZarrFormat) -> None:
    """It is kept as the data is, and what is given with new data is not stored."""
    cells: list[object] = [np.zeros(2), None] if kind == "nothing in some" else [1, "two"]
    stored: Any = object_array(cells, (2,))
    given: Any = object_array([None, b"x"], (2,))
    if kind == "masked":
        stored, given = masked(2, 5), scan(2, 5)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(stored), zarr_format=zarr_format, **QUIET)
    for data in (given, given.copy(), stored):
        options: dict[str, Any] = {"write_dataset": False, "zarr_format": zarr_format}
        zspy.file_writer(place, signal_of(data, n=len(place)), mode="a", **options, **QUIET)
        assert first_difference(read(place)["data"], stored) is None
        assert zspy.check(place, data=True) == []
    zspy.update(place, {"n": 3})
    assert first_difference(read(place)["data"], stored) is None


def test_one_of_several_signals_is_changed() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, [signal_of(scan(4, 5), "a"), signal_of(scan(2, 3), "b")], **QUIET)
    zspy.update(place, {"General": {"title": "z"}}, title="a")
    found = {one["metadata"]["General"]["title"]: one["data"] for one in zspy.file_reader(place)}
    assert {title: data.shape for title, data in found.items()} == {"b": (2, 3), "z": (4, 5)}
    assert np.array_equal(found["z"], scan(4, 5))


def test_what_is_not_there_is_refused_and_nothing_is_changed() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, [signal_of(scan(4, 5), "a"), signal_of(scan(4, 5), "b")], **QUIET)
    before = dict(place)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "title: the file has 2 signals; name one of 'a', 'b'"),
        ({"title": "c"}, "title: no signal has this title; use one of 'a', 'b'"),
        ({"title": "a", "axes": {"q": {}}}, "axes: there is no axis 'q'"),
    )
    for more, message in cases:
        with pytest.raises(zspy.EncodeError, match=message):
            zspy.update(place, {"x": 1}, **more)
    assert place == before


def test_models_of_no_signal_are_not_lost() -> None:
    place: dict[str, bytes] = {}
    signal = {**signal_of(scan(4, 5)), "models": {"m": {"x": 1}}}
    zspy.file_writer(place, signal, **QUIET)
    zspy.update(place, {"x": 1})
    assert read(place)["models"] == {"m": {"x": 1}}
    key = "Analysis/models/m/.zattrs"
    place[key] = place[key].replace(b"Experiments/t", b"Experiments/gone")
    with pytest.raises(zspy.EncodeError, match="models of no signal, which would be lost"):
        zspy.update(place, {"x": 2})


def test_a_signal_of_many_chunks_is_still_known_to_be_complete() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(1001, 2)), (1, 2), **QUIET)
    zspy.update(place, {"x": 1})
    assert zspy.check(place) == []
    del place["Experiments/t/data/7/0"]
    assert [one.severity for one in zspy.check(place)] == ["error"]


def test_whatever_writes_waits_for_other_writers_unless_it_is_told_not_to(tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(4, 5)), **QUIET)

    def append(**more: Any) -> None:
        zspy.append(path, scan(1, 5), axis="y", **more).close()

    def create(**more: Any) -> None:
        zspy.create(path, signal_of(scan(2, 3), "new"), mode="a", **more)

    def update(**more: Any) -> None:
        zspy.update(path, {"x": 1}, title="t", **more)

    for write in (append, update, create):
        with locked(path, 0):
            with pytest.raises(zspy.EncodeError, match="is writing this file"):
                write(lock_timeout=0)
            write(lock=False)
    found = {one["metadata"]["General"]["title"]: one for one in zspy.file_reader(path)}
    assert found["t"]["data"].shape == (5, 5)
    assert found["t"]["metadata"]["x"] == 1
    assert found["new"]["data"].shape == (2, 3)


@pytest.mark.parametrize("wrong", [{"metadata": 5}, {"axes": [1]}])
def test_what_is_no_dictionary_is_refused(wrong: Any) -> None:
    (name,) = wrong
    with pytest.raises(zspy.EncodeError, match=f"{name}: .* is no dictionary; use"):
        zspy.update("nowhere.zspy", **wrong)


def test_corrections_need_no_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zspy.file_writer(tmp_path / "a", signal_of(scan(400, 500)), chunks=(100, 500), **QUIET)
    before = {path: path.stat().st_ino for path in (tmp_path / "a").rglob("data/*/*")}
    nowhere: dict[str, None] = {}
    monkeypatch.setattr("zspy.files.edit.find_spec", nowhere.get)
    zspy.update(tmp_path / "a", axes={0: {"units": "um"}})
    assert {path: path.stat().st_ino for path in before} == before
    found: Any = zspy.file_reader(tmp_path / "a")[0]
    assert (found["axes"][0]["units"], found["data"].shape) == ("um", (400, 500))
