"""One value of a stored signal at a time, by `zspy.update`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from tests.support.places import IN_PLACE, place_of
from zspy.files import growth
from zspy.stores.backends import STORE_TYPES
from zspy.stores.directory import Directory
from zspy.stores.locking import locked
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values.ragged import object_array

from .test_growth import QUIET, both_formats, masked, read, scan, signal_of


@both_formats
@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
def test_changes_are_merged_and_the_data_stays(
    kind: str, zarr_format: ZarrFormat, tmp_path: Path
) -> None:
    place, options = place_of(kind, tmp_path / "scan.zspy")
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
@pytest.mark.parametrize("kind", ["signal", "as a signal", "large"])
@pytest.mark.parametrize("is_url", [False, True])
def test_arrays_in_metadata_stay_where_the_file_is_replaced_key_by_key(
    is_url: bool, kind: str, zarr_format: ZarrFormat
) -> None:
    """They were to be read from what was being replaced: who updates could not compute them."""
    pytest.importorskip("zarr")
    pytest.importorskip("fsspec")
    from zarr.storage import MemoryStore

    place: Any = f"memory://update-{kind}-{zarr_format}.zspy" if is_url else MemoryStore()
    kinds: dict[str, dict[str, Any]] = {
        "signal": {"_sig_dark": signal_of(scan(2, 3))},
        "as a signal": {"x": {"data": np.arange(2), "axis-0": {"a": 1}}},
        "large": {"x": np.arange(2**19)},
    }
    entries = kinds[kind]
    zspy.file_writer(place, signal_of(scan(4, 5), **entries), zarr_format=zarr_format, **QUIET)
    before = read(place)
    zspy.update(place, {"d": 1}, axes={"y": {"scale": 0.25}})
    found = read(place)
    assert found["metadata"].pop("d") == 1
    assert found["axes"][0].pop("scale") == 0.25
    del before["axes"][0]["scale"]
    assert first_difference(found, before) is None
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


def test_an_axis_becomes_a_vector_where_its_type_is_given() -> None:
    """One that is shorter than the data would hide some of it."""
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5)))
    before = dict(place)
    with pytest.raises(zspy.EncodeError, match=r"axes\[0\].axis: a UniformDataAxis has no 'axis'"):
        zspy.update(place, axes={"y": {"axis": np.arange(4.0)}})
    with pytest.raises(zspy.EncodeError, match="the axis has 3 values, but dimension 0"):
        zspy.update(place, axes={"y": {"_type": "DataAxis", "axis": np.arange(3.0)}})
    assert place == before
    zspy.update(place, axes={"y": {"_type": "DataAxis", "axis": np.arange(4.0) ** 2}})
    found: Any = zspy.file_reader(place)[0]["axes"][0]
    assert found["axis"].tolist() == [0, 1, 4, 9]


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


@pytest.mark.parametrize(
    ("key", "value"), [("scale", 0), ("scale", -0.0), ("scale", np.nan), ("offset", np.inf)]
)
def test_what_calibrates_no_axis_is_refused(key: str, value: float) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(2, 3)), **QUIET)
    before = dict(place)
    with pytest.raises(
        zspy.EncodeError, match=rf"axes\['y'\]\.{key}: .* calibrates no axis; use a"
    ):
        zspy.update(place, axes={"y": {key: value}})
    assert place == before


def test_corrections_need_no_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zspy.file_writer(tmp_path / "a", signal_of(scan(400, 500)), chunks=(100, 500), **QUIET)
    before = {path: path.stat().st_ino for path in (tmp_path / "a").rglob("data/*/*")}
    nowhere: dict[str, None] = {}
    monkeypatch.setattr("zspy.files.edit.find_spec", nowhere.get)
    zspy.update(tmp_path / "a", axes={0: {"units": "um"}})
    assert {path: path.stat().st_ino for path in before} == before
    found: Any = zspy.file_reader(tmp_path / "a")[0]
    assert (found["axes"][0]["units"], found["data"].shape) == ("um", (400, 500))


# --------------------------------------------------------------------------------------------------
# One document that changes is renamed into its place, and all other changes make a new file

TREE: Final[dict[str, Any]] = {"beam": {"energy": 80, "on": True}, "steps": [[1, 2], [3, 4]]}


def files_of(path: Path) -> dict[str, bytes]:
    return {
        one.relative_to(path).as_posix(): one.read_bytes()
        for one in path.rglob("*")
        if one.is_file()
    }


def numbers_of(path: Path) -> dict[str, int]:
    """Give the numbers of the files, and of the folder itself, which tell them from new ones."""
    every = [path, *(one for one in path.rglob("*") if one.is_file())]
    return {one.relative_to(path).as_posix(): one.stat().st_ino for one in every}


@both_formats
def test_one_document_that_changes_is_replaced_alone(
    zarr_format: ZarrFormat, tmp_path: Path
) -> None:
    path = tmp_path / "scan.zspy"
    nested = {**signal_of(scan(2, 3)), "attributes": {"_lazy": False}}
    signal: Any = signal_of(scan(4, 5), **TREE, _sig_variance=nested)
    zspy.file_writer(path, signal, zarr_format=zarr_format, **QUIET)
    before, old = numbers_of(path), files_of(path)
    zspy.update(path, {"beam": {"energy": 200}})
    after, new = numbers_of(path), files_of(path)
    document = "zarr.json" if zarr_format == 3 else ".zattrs"
    changed = {f"Experiments/t/{document}", f"Experiments/t/metadata/beam/{document}"}
    assert {key for key in new if new[key] != old.get(key)} == changed
    assert {key for key in after if after[key] != before.get(key)} == changed
    assert read(path)["metadata"]["beam"] == {"energy": 200, "on": True}
    assert zspy.check(path, data=True) == []
    zspy.update(path, {"beam": {"energy": 200}})  # which it is already
    assert numbers_of(path) == after


@pytest.mark.parametrize(
    "case",
    ["two groups", "a new group", "a group less", "an array", "attributes of the root", "a title"],
)
def test_more_than_one_document_makes_a_new_file(case: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(4, 5), **TREE), **QUIET)
    changes: dict[str, dict[str, Any]] = {
        "two groups": {"beam": {"energy": 200}, "new": 1},
        "a new group": {"sample": {"name": "gold"}},
        "a group less": {"beam": zspy.REMOVE},
        "an array": {"steps": [[1, 2], [3, 5]]},
        "attributes of the root": {"beam": {"on": False}},
        "a title": {"General": {"title": "new"}},
    }
    if case == "attributes of the root":
        (path / ".zattrs").write_text('{"file_format": "ZSpy", "file_format_version": "3.1"}')
    number = path.stat().st_ino
    before = read(path)["metadata"]
    zspy.update(path, changes[case])
    assert path.stat().st_ino != number
    found = read(path)["metadata"]
    assert found != before
    assert zspy.check(path, data=True) == []


def test_copies_of_documents_are_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(4, 5), **TREE), consolidate=True, **QUIET)
    zspy.update(path, {"beam": {"energy": 200}})
    assert not (path / ".zmetadata").exists()
    assert read(path)["metadata"]["beam"]["energy"] == 200


def test_a_file_of_another_kind_is_made_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    signal = signal_of(scan(4, 5), **TREE)
    zspy.file_writer(path, signal, **QUIET)
    zspy.file_writer(path, signal, write_dataset=False, store_type="zip", **QUIET)
    assert path.is_file()
    assert np.array_equal(read(path)["data"], scan(4, 5))


def test_what_is_behind_a_link_or_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    tree: dict[str, Any] = {**TREE, "beam": {"energy": 80}}
    signal = signal_of(scan(4, 5), **tree)
    beam = path / "Experiments/t/metadata/beam"
    for number, kind in enumerate(("linked", "broken")):
        zspy.file_writer(path, signal, **QUIET)
        if kind == "linked":
            beam.rename(path / "elsewhere")
            beam.symlink_to("../../../elsewhere")
        else:
            (beam / ".zattrs").unlink()
            (beam / ".zattrs").symlink_to(tmp_path)
        signal["metadata"]["beam"]["energy"] = number
        zspy.file_writer(path, signal, write_dataset=False, **QUIET)
        assert not beam.is_symlink()
        assert read(path)["metadata"]["beam"]["energy"] == number


@pytest.mark.parametrize("way", ["update", "overwrite", "add", "more"])
def test_what_a_killed_update_left_behind_is_removed(way: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    signal = signal_of(scan(4, 5), beam={"energy": 80})
    zspy.file_writer(path, signal, **QUIET)
    names = {*os.listdir(path)}
    (path / ".zspy-part-0123456789abcdef").write_bytes(b"{")
    (path / ".zspy-part-of-somebody").write_bytes(b"{")
    region = path / "Experiments/t/.zspy-part-0123456789abcdef"  # may be written now
    region.write_bytes(b"{")
    assert read(path)["metadata"]["beam"]["energy"] == 80
    if way == "update":
        zspy.update(path, {"beam": {"energy": 200}})
    elif way == "more":
        zspy.update(path, {"beam": {"energy": 200}, "new": {"a": 1}})
    else:
        zspy.file_writer(path, signal, mode="a" if way == "add" else "w", **QUIET)
    assert {*os.listdir(path)} == names | {".zspy-part-of-somebody"}
    assert region.exists()


def test_a_file_that_is_gone_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(4, 5)), **QUIET)
    file = Directory(path)
    assert not file.is_changed()
    path.rename(tmp_path / "elsewhere")
    assert file.is_changed()


def test_a_reader_sees_no_mix_of_two_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.zspy"
    signal = signal_of(scan(4, 5), a={"n": 0}, b={"n": 0})
    zspy.file_writer(path, signal, **QUIET)
    real = Directory.read
    seen: list[str] = []

    def reading(self: Any, key: str, part: slice = slice(None)) -> bytes:
        found = real(self, key, part)
        if key.endswith("a/.zattrs") and not seen:
            seen.append(key)
            zspy.update(path, {"a": {"n": 1}}, sync=False)
            zspy.update(path, {"b": {"n": 1}}, sync=False)
            self._known.clear()  # as where there are more than are held
        return found

    monkeypatch.setattr(Directory, "read", reading)
    found = read(path)["metadata"]
    assert (found["a"], found["b"]) == ({"n": 1}, {"n": 1})


@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_another_program_has_put_into_a_file_is_kept_by_an_update(
    kind: Any, zarr_format: Any, tmp_path: Path
) -> None:
    """A result that was added with zarr was gone when somebody corrected one value."""
    place, how = place_of(kind, tmp_path / "scan.zspy")
    documents: dict[str, bytes] = {}
    zspy.file_writer(documents, signal_of(scan(4, 5)), zarr_format=zarr_format, **QUIET)
    tree = zspy.encode({"a": np.arange(5), "b": {"c": 1}})
    theirs = dict(zspy.serialise(tree, zarr_format=zarr_format))
    places = ("raw", "Analysis/raw", "Experiments/raw", "Experiments/t/raw")
    added = {f"{where}/{key}": data for where in places for key, data in theirs.items()}
    groups = {key: theirs[key] for key in (".zgroup", "zarr.json") if key in theirs}
    around = {f"Analysis/{key}": data for key, data in groups.items()}
    zspy.commit({**documents, **around, **added}, place, **how)
    cases: Any = (("t", {"x": {"scale": 3.0}}), ("new", None), ("newer", "written"))
    for title, axes in cases:
        changes = {"General": {"title": title}, "more": {"q": 1, "r": np.arange(3)}}
        if axes == "written":
            again = {**read(place), "metadata": changes}
            zspy.file_writer(place, again, write_dataset=False, zarr_format=zarr_format, **QUIET)
        else:
            zspy.update(place, changes, axes=axes)
        found = zspy.fetch(place)
        for key, data in added.items():
            assert found[key.replace("Experiments/t/", f"Experiments/{title}/")] == data
        assert read(place)["axes"][1]["scale"] == 3.0
    with pytest.raises(zspy.EncodeError, match=r"Experiments/raw/: a new name .* another program"):
        zspy.update(place, {"General": {"title": "raw"}})


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_of_another_program_are_kept_by_an_update(
    zarr_format: Any, tmp_path: Path
) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(4, 5)), zarr_format=zarr_format, **QUIET)
    for where in ("", "Experiments", "Experiments/t"):
        zarr.open_group(path, path=where, mode="r+").attrs["note"] = "mine"
    for title in ("t", "new", "newer"):
        changes = {"General": {"title": title}, "a": {"b": title}}
        if title == "newer":
            again = {**read(path), "metadata": changes}
            zspy.file_writer(path, again, write_dataset=False, zarr_format=zarr_format, **QUIET)
        else:
            zspy.update(path, changes)
        for where in ("", "Experiments", f"Experiments/{title}"):
            assert zarr.open_group(path, path=where, mode="r").attrs["note"] == "mine"
        assert zspy.check(path) == []


@both_formats
@pytest.mark.parametrize("models", [{}, {"m": {"n": 1}}])
def test_what_another_program_has_put_beside_models_is_kept(
    models: dict[str, Any], zarr_format: ZarrFormat
) -> None:
    """A signal that was added to such a file left it without a document that it needs."""
    place: dict[str, bytes] = {}
    signal = {**signal_of(scan(4, 5)), "models": models}
    zspy.file_writer(place, signal, zarr_format=zarr_format, **QUIET)
    above = dict(zspy.serialise(zspy.encode({"note": 1}), zarr_format=zarr_format))
    theirs = {f"Analysis/raw/{key}": data for key, data in above.items()}
    name = "Analysis/zarr.json" if zarr_format == 3 else "Analysis/.zattrs"
    place |= {f"Analysis/{key}": data for key, data in above.items()} | theirs
    other = {**signal_of(scan(4, 5)), "metadata": {"General": {"title": "other"}}}
    zspy.file_writer(place, other, mode="a", zarr_format=zarr_format, **QUIET)
    for changed in (zspy.file_reader(place), [signal_of(scan(4, 5)), other]):
        zspy.file_writer(place, changed, write_dataset=False, zarr_format=zarr_format, **QUIET)
        assert theirs.items() <= place.items()
        assert b'"note"' in place[name]
        assert zspy.check(place) == []
    assert "models" not in zspy.file_reader(place)[0] or not zspy.file_reader(place)[0]["models"]


@both_formats
@pytest.mark.parametrize("kind", [*IN_PLACE, "dict"])
def test_a_signal_whose_append_was_not_completed_can_be_corrected(
    kind: Any, zarr_format: ZarrFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its array is larger than its axis by then, and nothing is lost by that."""
    place, how = place_of(kind, tmp_path / "scan.zspy")
    zspy.file_writer(place, signal_of(scan(4, 5)), zarr_format=zarr_format, **how, **QUIET)

    def size_is_not_set(*_: object) -> None: ...

    monkeypatch.setattr(growth.Change, "set_size", size_is_not_set)
    zspy.file_writer(place, signal_of(scan(2, 5)), append_dim="y", **QUIET)
    monkeypatch.undo()
    for change in ({"a": 1}, {"b": {"c": 1}, "d": np.arange(3)}):
        zspy.update(place, change)
        assert read(place)["data"].shape == (4, 5)
    (signal,) = zspy.file_reader(place)
    signal["metadata"]["e"] = 5
    zspy.file_writer(place, signal, write_dataset=False, zarr_format=zarr_format, **QUIET)
    signal["data"] = signal["data"][:, :3]
    signal["axes"] = [{"size": 4}, {"size": 3}]
    with pytest.raises(
        zspy.EncodeError, match=r"the stored data has the shape \[4, 5\]; write the"
    ):
        zspy.file_writer(place, signal, write_dataset=False, zarr_format=zarr_format, **QUIET)
    zspy.append(place, scan(2, 5)).close()
    found = read(place)
    assert found["data"].shape == (6, 5)
    said = found["metadata"]
    assert (said["a"], said["b"], said["e"]) == (1, {"c": 1}, 5)


def test_a_file_without_signals_is_told() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, [])
    with pytest.raises(zspy.EncodeError, match="no signal has this title; the file has no signal"):
        zspy.update(place, {"x": 1})


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_models_are_added_to_a_file_that_had_none(zarr_format: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    signal: dict[str, Any] = {"data": np.arange(3), "axes": [{}], "metadata": {}}
    zspy.file_writer(path, signal, zarr_format=zarr_format)
    (found,) = zspy.file_reader(path, lazy=True)
    found["models"] = {"m": {"a": 1}}
    zspy.file_writer(path, found, write_dataset=False, zarr_format=zarr_format)
    assert zspy.file_reader(path)[0]["models"] == {"m": {"a": 1}}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("store_type", ["local", "zip"])
def test_signals_in_groups_of_groups_are_not_taken_for_others(
    store_type: Any, zarr_format: Any, tmp_path: Path
) -> None:
    """One of two signals was given the data of the other."""
    path, options = tmp_path / "a.zspy", {"zarr_format": zarr_format}
    titles: Any = [
        {"data": np.arange(3) + n, "axes": [{}], "metadata": {"General": {"title": title}}}
        for n, title in enumerate("tu")
    ]
    zspy.file_writer(path, titles, **options)
    document = "zarr.json" if zarr_format == 3 else ".zgroup"
    experiments = path / "Experiments"
    (experiments / "a").mkdir()
    (experiments / "a" / document).write_bytes((experiments / document).read_bytes())
    (experiments / "t").rename(experiments / "a" / "t")
    place = tmp_path / "b.zspy"
    zspy.commit(zspy.fetch(path), place, store_type=store_type)
    assert [one["metadata"]["General"]["title"] for one in zspy.file_reader(place)] == ["t", "u"]
    for given in (1, 2):
        signals = zspy.file_reader(place, lazy=True)[:given]
        with pytest.raises(zspy.EncodeError, match=r"Experiments/a: it holds signals, .*; write"):
            zspy.file_writer(place, signals, write_dataset=False, **options)


def test_copies_of_documents_are_not_read_to_see_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole of 8 GB that somebody has made there took as much memory."""
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(np.arange(3)))
    (path / ".zmetadata").write_bytes(b"{}")
    read: list[str] = []
    whole = Directory.read

    def note(self: Directory, key: str, part: slice = slice(None)) -> bytes:
        read.append(key)
        return whole(self, key, part)

    monkeypatch.setattr(Directory, "read", note)
    zspy.update(path, {"a": 1})
    assert read
    assert ".zmetadata" not in read
    assert not (path / ".zmetadata").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"compressor": numcodecs.Zlib(3)},
        {"compressor": False},
        {"checksum": True},
        {"compressor": numcodecs.BZ2(2), "zarr_format": 3},
    ],
    ids=["zlib", "none", "checksum", "format 3"],
)
def test_what_is_written_anew_is_stored_as_the_data_is(options: Any) -> None:
    """It got the default compressor, and no checksum."""
    place: dict[str, bytes] = {}
    axis = {"axis": np.arange(4.0) ** 2, "name": "x"}
    metadata = {"General": {"title": "t"}, "many": [*range(50)]}
    given: Any = {"data": np.zeros(4), "axes": [axis], "metadata": metadata}
    zspy.file_writer(place, given, **options)
    other = {**given, "metadata": {**metadata, "General": {"title": "other"}}}
    zspy.file_writer(place, other, mode="a", zarr_format=options.get("zarr_format", 2))
    before = {key: data for key, data in place.items() if key.endswith("/.zarray")}
    chunks = {key: data for key, data in place.items() if key.endswith("/0")}
    zspy.update(place, {"new": 1}, title="t", axes={"x": {"units": "nm"}})
    assert before.items() <= place.items()
    assert chunks.items() <= place.items()
