"""Files that grow in place: data added along an axis, by `append_dim`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from numcodecs import Delta
from zarr.storage import MemoryStore, ZipStore

import zspy
from tests.support.axes import ROWS, each_axis_type, entries_of
from tests.support.places import IN_MEMORY, IN_PLACE, ONLY_WHOLE, place_of
from tests.support.signals import signal_of as plain_signal
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values.axes import AxisType, axis_points
from zspy.values.ragged import object_array
from zspy.values.types import is_array

AnyArray = np.ndarray[Any, Any]
QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
FORMATS: Final[tuple[ZarrFormat, ...]] = (2, 3)
both_formats = pytest.mark.parametrize("zarr_format", FORMATS)
GROUP: Final = "Experiments/t"


def scan(*shape: int, dtype: str = "u2") -> AnyArray:
    return (np.arange(np.prod(shape)) % 9973).reshape(shape).astype(dtype)


def signal_of(data: Any, title: str = "t", **more: Any) -> dict[str, Any]:
    """Make a map of spectra, or a part of one."""
    names = ("y", "x", "Energy")
    return plain_signal(
        data, title, max(data.ndim - 2, 0), names=names, axis={"units": "nm", "scale": 0.5}, **more
    )


def read(place: Any, **options: Any) -> dict[str, Any]:
    (signal,) = zspy.file_reader(place, **options)
    return cast("dict[str, Any]", signal)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


# --------------------------------------------------------------------------------------------------
# What is appended is what is written at once


@both_formats
@pytest.mark.parametrize("kind", [*IN_PLACE, *IN_MEMORY])
@pytest.mark.parametrize(
    ("chunks", "shards"), [(None, None), ((7, 5, 3), None), ((2, 5, 8), (4, 5, 8))]
)
def test_a_signal_grows_in_every_store(
    kind: str, chunks: Any, shards: Any, zarr_format: ZarrFormat, path: Path
) -> None:
    data = scan(40, 5, 8)
    place, options = place_of(kind, path)
    options |= {"zarr_format": zarr_format, **QUIET}
    options |= {"shards": shards} if zarr_format == 3 else {}
    for start, stop in ((0, 1), (1, 3), (3, 20), (20, 21), (21, 40)):
        zspy.file_writer(place, signal_of(data[start:stop]), chunks, append_dim="y", **options)
        options.pop("store_type", None)
        found = read(place)
        assert np.array_equal(found["data"], data[:stop])
        assert found["axes"][0]["size"] == stop
    assert zspy.check(place, data=True) == []
    whole: dict[str, bytes] = {}
    zspy.file_writer(whole, signal_of(data), **QUIET)
    assert first_difference(read(whole)["axes"], read(place)["axes"]) is None


@both_formats
@pytest.mark.parametrize("axis", [0, 1, np.int64(2), "y", "x", "Energy"])
def test_any_axis_grows(axis: Any, zarr_format: ZarrFormat, path: Path) -> None:
    number = ("y", "x", "Energy").index(axis) if isinstance(axis, str) else axis
    data = scan(6, 7, 8)
    for part in np.array_split(data, 4, number):
        options: dict[str, Any] = {"append_dim": axis, "zarr_format": zarr_format}
        zspy.file_writer(path, signal_of(part), (4, 3, 5), **options, **QUIET)
    assert np.array_equal(read(path)["data"], data)
    assert np.array_equal(read(path, lazy=True)["data"].compute(), data)


def test_dask_arrays_are_appended_block_by_block(path: Path) -> None:
    from dask import array as da

    data = scan(40, 5, 8)
    for start in range(0, 40, 10):
        lazy = cast("Any", da).from_array(data[start : start + 10], chunks=(3, 5, 4))
        zspy.file_writer(path, signal_of(lazy), append_dim="y", **QUIET)
    assert np.array_equal(read(path)["data"], data)
    assert zspy.check(path, data=True) == []


@both_formats
def test_nothing_is_appended_block_by_block(zarr_format: ZarrFormat) -> None:
    from dask import array as da

    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5)), zarr_format=zarr_format, **QUIET)
    nothing = cast("Any", da).from_array(scan(0, 5), chunks=(1, 2))
    zspy.file_writer(place, signal_of(nothing), append_dim="y", **QUIET)
    assert np.array_equal(read(place)["data"], scan(4, 5))


def test_a_lazy_array_that_fills_a_chunk_is_appended(path: Path) -> None:
    from dask import array as da

    data = scan(8, 5)
    zspy.file_writer(path, signal_of(data[:4]), (4, 5), **QUIET)
    for start, stop in ((4, 6), (6, 8)):
        lazy = cast("Any", da).from_array(data[start:stop], chunks=(2, 5))
        zspy.file_writer(path, signal_of(lazy), append_dim="y", **QUIET)
    assert np.array_equal(read(path)["data"], data)


def test_chunks_are_those_of_a_long_axis_from_the_begin(path: Path) -> None:
    zspy.file_writer(path, signal_of(scan(1, 4, 8)), append_dim="y", **QUIET)
    document = json.loads(zspy.fetch(path)[f"{GROUP}/data/.zarray"])
    assert document["chunks"][0] > 100
    # also where the long axis is one of the signal, of which a chunk holds all else
    for shape in ((2, 15), (2, 4, 2), (2,)):
        spectra = plain_signal(scan(*shape, dtype="f8"), "t", 0)
        place: dict[str, bytes] = {}
        zspy.file_writer(place, spectra, append_dim=0, **QUIET)
        chunks = json.loads(place[f"{GROUP}/data/.zarray"])["chunks"]
        assert 2**19 < np.prod(chunks) * 8 <= 2**22
    for size in (0, 1):  # those that are given stay, also where nothing says that it will grow
        zspy.file_writer(path, signal_of(scan(size, 4, 8)), (64, 4, 8), **QUIET)
        assert json.loads(zspy.fetch(path)[f"{GROUP}/data/.zarray"])["chunks"] == [64, 4, 8]
    zspy.file_writer(path, signal_of(scan(1, 4, 8)), (2**31, 4, 8), **QUIET)
    # but no codec takes one as large as this
    assert json.loads(zspy.fetch(path)[f"{GROUP}/data/.zarray"])["chunks"] == [1, 4, 8]


@both_formats
def test_a_vector_grows_by_the_vector_of_what_is_added(zarr_format: ZarrFormat, path: Path) -> None:
    vector = np.array([1.0, 2, 4, 8, 16, 32])
    for start, stop in ((0, 2), (2, 3), (3, 6)):
        signal = signal_of(scan(6, 5)[start:stop])
        signal["axes"][0] = {"name": "y", "axis": vector[start:stop], "navigate": True}
        zspy.file_writer(path, signal, append_dim="y", zarr_format=zarr_format, **QUIET)
        assert read(path)["axes"][0]["axis"].tolist() == vector[:stop].tolist()
    assert np.array_equal(read(path)["data"], scan(6, 5))


@both_formats
@each_axis_type
def test_each_type_of_axis_grows(
    row: AxisType, zarr_format: ZarrFormat, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its size; or by points that go on, where HyperSpy reads points."""
    monkeypatch.setattr("zspy.values.axes.AXIS_TYPES", ROWS)
    entries, has_points = entries_of(row), row.size_key == "axis" or not row.released
    points = [*row.points(entries, 3 if has_points else 5, "")]  # which may follow from the size
    if has_points:
        points = [*points[:3], points[2] + 1, points[2] + 3]
    more = {"axis": points[3:]} if has_points else entries
    for axis, rows in ((entries, slice(3)), (more, slice(3, 5))):
        signal = signal_of(scan(5, 4)[rows])
        signal["axes"][0] = {"name": "y", "navigate": True, **axis}
        zspy.file_writer(path, signal, append_dim="y", zarr_format=zarr_format, **QUIET)
    found = read(path)
    assert np.array_equal(found["data"], scan(5, 4))
    assert axis_points(found["axes"][0], 5).tolist() == points
    assert zspy.check(path, data=True) == []


def test_a_functional_axis_grows_by_its_size(path: Path) -> None:
    for start, stop in ((0, 2), (2, 6)):
        signal = signal_of(scan(6, 5)[start:stop])
        x = {"_type": "UniformDataAxis", "name": "x", "size": stop - start, "scale": 1.0}
        axis = {"name": "y", "expression": "a * x", "a": 2.0, "size": stop - start, "x": x}
        signal["axes"][0] = {"_type": "FunctionalDataAxis", **axis}
        zspy.file_writer(path, signal, append_dim="y", **QUIET)
    found = read(path)["axes"][0]
    assert (found["size"], found["x"]["size"]) == (6, 6)


KINDS: Final[dict[str, Callable[[int], object]]] = {
    "numbers": lambda n: np.arange(float(n % 5)),
    "tables": lambda n: np.arange(2.0 * (n % 4)).reshape(-1, 2),
    "of any rank": lambda n: np.arange(4.0).reshape((4,) if n % 2 else (2, 2)),
    "strings": lambda n: f"number {n}",
}


@both_formats
@pytest.mark.parametrize("kind", KINDS)
def test_ragged_signals_grow(kind: str, zarr_format: ZarrFormat, path: Path) -> None:
    cells = object_array(map(KINDS[kind], range(40)), (20, 2))
    for start, stop in ((0, 2), (2, 4), (4, 10), (10, 20)):
        signal = signal_of(cells[start:stop])
        zspy.file_writer(path, signal, append_dim="y", zarr_format=zarr_format, **QUIET)
    for lazy in (False, True):
        found = np.asarray(read(path, lazy=lazy)["data"])
        assert first_difference(found, cells) is None
    assert zspy.check(path, data=True) == []


@both_formats
@pytest.mark.parametrize(
    ("place", "kind"),
    [*zip(IN_PLACE, cycle(KINDS), strict=False), *zip(IN_MEMORY * 2, KINDS, strict=True)],
)
def test_ragged_signals_grow_along_any_axis(
    place: str, kind: str, zarr_format: ZarrFormat, path: Path
) -> None:
    """In format 3, cells lie one behind the other: others come between those that are there."""
    cells = object_array(map(KINDS[kind], range(24)), (2, 3, 4))
    there, more = place_of(place, path)
    options: dict[str, Any] = {"zarr_format": zarr_format, **QUIET}
    zspy.file_writer(there, cells_of(scan(3), "other"), **more, **options)
    first = cells_of(cells[:1, :2, :3])
    zspy.file_writer(there, first, consolidate=True, mode="a", **options)
    for axis, part in ((2, cells[:1, :2, 3:]), (1, cells[:1, 2:]), ("y", cells[1:])):
        zspy.file_writer(there, cells_of(part), append_dim=axis, **options)
        assert zspy.check(there, data=True) == []
    for lazy in (False, True):
        other, found = zspy.file_reader(there, lazy=lazy)
        assert first_difference(np.asarray(found["data"]), cells) is None
        assert np.array_equal(np.asarray(other["data"]), scan(3))


def cells_of(data: Any, title: str = "t") -> dict[str, Any]:
    return plain_signal(data, title, data.ndim, names=("y", "x", "z"))


@both_formats
@pytest.mark.parametrize("axis", [0, 1])
def test_cells_that_a_killed_append_left_are_no_part_of_the_next(
    axis: int, zarr_format: ZarrFormat
) -> None:
    """Its array is larger than its axis, which says how much there is."""
    cells = object_array(map(KINDS["of any rank"], range(40)), (8, 5))
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"zarr_format": zarr_format, **QUIET}
    before: dict[str, bytes] = {}
    for part in (cells[:2], cells[3:6]):
        before = {key: data for key, data in place.items() if "/axis-0" in key}
        zspy.file_writer(place, cells_of(part), append_dim=0, **options)
    place |= before
    added = cells[2:] if axis == 0 else cells[:2]
    zspy.file_writer(place, cells_of(added), append_dim=axis, **options)
    expected = np.concatenate([cells[:2], added], axis)
    assert first_difference(read(place)["data"], expected) is None
    assert zspy.check(place, data=True) == []


def masked(*shape: int, dtype: Any = "i4") -> Any:
    data: Any = scan(*shape).astype(dtype)
    mask = scan(*shape) % 3 == 1
    fill_value: Any = np.zeros((), dtype)[()]
    return np.ma.MaskedArray(data, mask, fill_value=fill_value)


RECORD: Final = [("a", "i4"), ("b", "f8")]


@both_formats
@pytest.mark.parametrize("dtype", ["i4", RECORD], ids=["numbers", "records"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("lazy", [False, True])
def test_masked_data_grows(lazy: bool, axis: int, dtype: Any, zarr_format: ZarrFormat) -> None:
    from dask import array as da

    data = masked(20, 6, dtype=dtype)
    place: dict[str, bytes] = {}
    for part in np.split(data, [1, 3], axis):
        given = cast("Any", da).from_array(part, chunks=(3, 2)) if lazy else part
        options: dict[str, Any] = {"append_dim": axis, "zarr_format": zarr_format}
        zspy.file_writer(place, signal_of(given), (4, 5), **options, **QUIET)
    assert first_difference(read(place)["data"], data) is None
    assert zspy.check(place, data=True) == []


def test_filters_are_for_data_and_not_for_its_mask() -> None:
    place: dict[str, bytes] = {}
    data = masked(4, 6)
    for part in (data[:2], data[2:]):
        options: dict[str, Any] = {"append_dim": "y", "filters": [Delta("i4")]}
        zspy.file_writer(place, signal_of(part), (2, 5), **options, **QUIET)
    assert first_difference(read(place)["data"], data) is None


def test_where_there_is_no_mask_nothing_is_masked() -> None:
    place: dict[str, bytes] = {}
    parts = (np.ma.MaskedArray(scan(2, 5)), scan(3, 5), masked(3, 5, dtype="u2"))
    for part in parts:
        zspy.file_writer(place, signal_of(part), append_dim="y", **QUIET)
    found = read(place)["data"]
    assert np.array_equal(found.data, np.concatenate([np.asarray(part) for part in parts]))
    assert not found.mask[:5].any()
    assert np.array_equal(found.mask[5:], parts[2].mask)


@both_formats
def test_masked_cells_grow(zarr_format: ZarrFormat) -> None:
    numbers: Any = object_array(map(KINDS["numbers"], range(6)), (6,))
    line: Any = np.ma.MaskedArray(numbers, np.arange(6) % 2 == 1)
    table: Any = line.reshape(2, 3)
    parts = {0: (line[:2], line[2:]), 1: (table[:, :1], table[:, 1:])}
    for axis, cells in ((0, line), (1, table)):
        place: dict[str, bytes] = {}
        for part in parts[axis]:
            signal = cells_of(part)
            zspy.file_writer(place, signal, append_dim=axis, zarr_format=zarr_format, **QUIET)
        found = read(place)["data"]
        assert first_difference(found.data, cells.data) is None
        assert found.mask.tolist() == cells.mask.tolist()


@pytest.mark.parametrize("name", ["vector", "functional"])
def test_each_kind_of_axis_grows_with_cells_that_are_written_anew(name: str) -> None:
    """With them the metadata, where that is another one."""
    cells = object_array(map(KINDS["numbers"], range(16)), (2, 8))
    place: dict[str, bytes] = {}
    for start, stop in ((0, 4), (4, 8)):
        signal = cells_of(cells[:, start:stop])
        signal["metadata"]["begin"] = start
        axis: dict[str, Any] = {"name": "x", "axis": np.arange(start, stop) ** 2.0}
        if name == "functional":
            x = {"_type": "UniformDataAxis", "size": 4, "scale": 1.0, "offset": 0.0}
            axis = {"name": "x", "expression": "a * x", "a": 2.0, "size": 4, "x": x}
            axis["_type"] = "FunctionalDataAxis"
        signal["axes"][1] = axis
        zspy.file_writer(place, signal, append_dim=1, zarr_format=3, **QUIET)
    found = read(place)
    assert first_difference(found["data"], cells) is None
    assert found["metadata"]["begin"] == 4
    grown: dict[str, Any] = found["axes"][1]
    sizes = [grown["size"], grown["x"]["size"]] if name == "functional" else [len(grown["axis"])]
    assert {*sizes} == {8}
    assert zspy.check(place, data=True) == []


def test_numbers_are_cast_where_nothing_is_lost(path: Path) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), append_dim="y", **QUIET)
    zspy.file_writer(path, signal_of(scan(4, 5, dtype="u1")), append_dim="y", **QUIET)
    found = read(path)["data"]
    assert found.dtype == "u2"
    assert np.array_equal(found[4:], scan(4, 5, dtype="u1"))


@pytest.mark.parametrize("dtype", ["i8", "u8"])
@pytest.mark.parametrize("stored", ["f8", "c16"])
@pytest.mark.parametrize("lazy", [False, True])
def test_integers_that_would_be_rounded_do_not_fit_floats(
    stored: str, dtype: str, lazy: bool
) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5, dtype=stored)))
    data: Any = scan(4, 5, dtype=dtype)
    if lazy:
        data = pytest.importorskip("dask.array").from_array(data)
    else:
        zspy.file_writer(place, signal_of(data), append_dim="y")
        assert np.array_equal(read(place)["data"][4:], data)
        data = data + 2**53
    before = dict(place)
    with pytest.raises(zspy.EncodeError, match=f"data: dtype {data.dtype} does not fit"):
        zspy.file_writer(place, signal_of(data), append_dim="y")
    assert place == before


def test_metadata_that_differs_is_replaced_as_a_whole(path: Path) -> None:
    first: dict[str, Any] = {"a": [1, 2], "b": np.arange(5)}
    others: tuple[dict[str, Any], ...] = (
        {"a": [1, 3], "b": np.arange(5)},
        {"a": [1, 3], "b": np.arange(6)},
        {"c": 1},
    )
    for step in range(2):
        zspy.file_writer(path, signal_of(scan(4, 5), **first), append_dim=0, **QUIET)
        assert read(path)["metadata"]["a"] == [1, 2], step
    for other in others:
        zspy.file_writer(path, signal_of(scan(4, 5), **other), append_dim=0, **QUIET)
        expected = {"General": {"title": "t"}, **other}
        assert first_difference(read(path)["metadata"], expected) is None
    assert np.array_equal(read(path)["data"], np.tile(scan(4, 5), (5, 1)))


def test_what_hyperspy_notes_at_each_saving_replaces_no_metadata(path: Path) -> None:
    for number in range(3):
        general = {"title": "t", "FileIO": {str(i): {"x": i} for i in range(number + 1)}}
        signal = {**signal_of(scan(4, 5)), "metadata": {"General": general}}
        zspy.file_writer(path, signal, append_dim="y", **QUIET)
    found = read(path)
    assert found["data"].shape == (12, 5)
    assert list(found["metadata"]["General"]["FileIO"]) == ["0"]


def test_values_that_are_not_stored_are_left_out_of_new_metadata(path: Path) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), append_dim="y", **QUIET)
    signal = signal_of(scan(4, 5), a=1, b=object())
    with pytest.warns(UserWarning, match="left out what it does not store: metadata.b"):
        zspy.file_writer(path, signal, append_dim="y", unsupported="skip", **QUIET)
    assert read(path)["metadata"] == {"General": {"title": "t"}, "a": 1}
    assert read(path)["data"].shape == (8, 5)


@both_formats
def test_the_other_signals_of_a_file_stay(zarr_format: ZarrFormat, path: Path) -> None:
    other = scan(3, 4)
    zspy.file_writer(path, signal_of(other, "other"), zarr_format=zarr_format, **QUIET)
    for _ in range(3):
        options: dict[str, Any] = {"append_dim": "y", "zarr_format": zarr_format}
        zspy.file_writer(path, signal_of(scan(4, 5)), **options, **QUIET)
    found = {one["metadata"]["General"]["title"]: one["data"] for one in zspy.file_reader(path)}
    assert np.array_equal(found["other"], other)
    assert found["t"].shape == (12, 5)


@both_formats
def test_copies_of_documents_are_brought_up_to_date(zarr_format: ZarrFormat, path: Path) -> None:
    import zarr
    from obstore.store import LocalStore as LocalObjects
    from zarr.storage import ObjectStore

    options: dict[str, Any] = {"consolidate": True, "zarr_format": zarr_format, **QUIET}
    for _ in range(2):
        zspy.file_writer(path, signal_of(scan(4, 5)), append_dim="y", **options)
    assert zspy.check(ObjectStore(LocalObjects(path))) == []
    group = cast("Any", zarr).open_consolidated(path)
    assert group[f"{GROUP}/data"].shape == (8, 5)
    assert np.array_equal(group[f"{GROUP}/data"][4:], scan(4, 5))


# --------------------------------------------------------------------------------------------------
# A file that grows is a signal at every moment


@both_formats
@pytest.mark.parametrize("kind", ["numbers", "cells", "masked"])
def test_each_state_between_two_documents_is_the_one_before_or_after(
    kind: str, zarr_format: ZarrFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zspy.stores.zarr_store import StoreInPlace

    data: Any = scan(20, 5)
    if kind == "cells":
        data = object_array(map(KINDS["of any rank"], range(40)), (20, 2))
    elif kind == "masked":
        data = masked(20, 5)
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"append_dim": "y", "zarr_format": zarr_format, **QUIET}
    zspy.file_writer(place, signal_of(data[:7]), **options)
    states: list[dict[str, bytes]] = []
    put = StoreInPlace.put

    def noted(sink: StoreInPlace, documents: Any) -> None:
        for pair in documents:
            put(sink, [pair])
            states.append(dict(place))

    monkeypatch.setattr(StoreInPlace, "put", noted)
    zspy.file_writer(place, signal_of(data[7:]), **options)
    sizes: list[int] = []
    for state in states:
        size = len(read(state)["data"])
        for lazy in (False, True):
            found = read(state, lazy=lazy)
            assert found["axes"][0]["size"] == len(found["data"]) == size
            cells = found["data"] if kind == "masked" else np.asarray(found["data"])
            assert first_difference(cells, data[:size]) is None
        sizes.append(size)
        assert {one.severity for one in zspy.check(state, data=True)} <= {"warning"}
        # the next writer goes on from there
        again = dict(state)
        monkeypatch.setattr(StoreInPlace, "put", put)
        zspy.file_writer(again, signal_of(data[size:] if size < 20 else data[:1]), **options)
        expected = data if size < 20 else data[[*range(20), 0]]
        assert first_difference(read(again)["data"], expected) is None
        monkeypatch.setattr(StoreInPlace, "put", noted)
    assert set(sizes) == {7, 20}
    assert len(states) > 3


def test_an_axis_that_is_longer_than_its_array_is_read_by_the_smaller_size() -> None:
    place: dict[str, bytes] = {}
    signal = signal_of(scan(6, 5))
    signal["axes"][1] = {"name": "x", "axis": np.arange(5.0)}
    zspy.file_writer(place, signal, (2, 5), **QUIET)
    key = f"{GROUP}/data/.zarray"
    place[key] = json.dumps({**json.loads(place[key]), "shape": [4, 3]}).encode()
    found = read(place)
    assert found["data"].shape == (4, 3)
    assert found["axes"][0]["size"] == 4
    assert found["axes"][1]["axis"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [*IN_PLACE, "store"])
def test_a_lazy_signal_is_read_between_the_chunks_of_an_append_and_its_document(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = scan(10, 5)
    place, first = place_of(kind, path)
    zspy.file_writer(place, signal_of(data), (4, 5), **first, **QUIET)
    lazy = read(place, lazy=True)["data"]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zspy.files.growth.Change.put_documents", killed)
    with pytest.raises(KeyboardInterrupt):
        zspy.file_writer(place, signal_of(scan(3, 5) + 1), append_dim="y", **QUIET)
    assert np.array_equal(lazy.compute(), data)
    assert np.array_equal(read(place)["data"], data)
    (beyond,) = zspy.check(place, data=True)
    assert beyond.key in (f"{GROUP}/data/3/0", f"{GROUP}/data/3.0")
    assert beyond.message.startswith("it is no chunk of its array: a killed writer may have left")
    # what comes next takes its place
    monkeypatch.undo()
    zspy.file_writer(place, signal_of(data), append_dim="y", **QUIET)
    assert np.array_equal(read(place)["data"], [*data, *data])
    assert zspy.check(place, data=True) == []


def test_a_lazy_signal_keeps_the_shape_that_it_opened(path: Path) -> None:
    data = scan(20, 5)
    zspy.file_writer(path, signal_of(data[:7]), (4, 5), append_dim="y", **QUIET)
    lazy = read(path, lazy=True)["data"]
    zspy.file_writer(path, signal_of(data[7:]), append_dim="y", **QUIET)
    assert np.array_equal(lazy.compute(), data[:7])


KILLED: Final = """
import os, sys
import numpy as np
import zspy
from zspy.stores import in_place
calls = 0
def counted(name):
    inner = getattr(os, name)
    def call(*arguments, **more):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(1)
        return inner(*arguments, **more)
    return call
for name in ("replace", "unlink", "mkdir"):
    setattr(in_place.os, name, counted(name))
data = (np.arange(100) % 9973).reshape(20, 5).astype("u2")
axes = [{"name": n, "units": "nm", "scale": 0.5, "navigate": n != "Energy"} for n in ("y", "x")]
for start in range(7, 20, 3):
    part = data[start:start + 3]
    signal = {"data": part, "axes": axes, "metadata": {"General": {"title": "t"}}}
    zspy.file_writer(sys.argv[1], signal, append_dim="y", sync=False, show_progressbar=False)
"""


def test_a_killed_writer_leaves_a_whole_file(path: Path) -> None:
    data = scan(20, 5)
    zspy.file_writer(path, signal_of(data[:7]), (4, 5), append_dim="y", **QUIET)
    source = str(Path(zspy.__file__).parents[1])
    for call in (1, 2, 3, 5, 8):
        done = [sys.executable, "-c", KILLED, str(path), str(call)]
        killed = subprocess.run(done, env={**os.environ, "PYTHONPATH": source}, check=False)
        assert killed.returncode == 1
        found = read(path)
        size = len(found["data"])
        assert np.array_equal(found["data"], np.concatenate([data, data])[:size])
        assert not [one for one in zspy.check(path, data=True) if one.severity == "error"]
        zspy.file_writer(path, signal_of(data[:7]), (4, 5), **QUIET)


def test_leftovers_of_killed_writers_are_removed(path: Path) -> None:
    zspy.file_writer(path, signal_of(scan(4, 5)), append_dim="y", **QUIET)
    leftover = path / GROUP / ".zspy-part-0123456789abcdef"
    leftover.write_bytes(b"half")
    assert np.array_equal(read(path)["data"], scan(4, 5))
    (found,) = zspy.check(path)
    assert found.message.startswith("what is being written, or was when its writer was")
    zspy.file_writer(path, signal_of(scan(4, 5)), append_dim="y", **QUIET)
    assert not leftover.exists()


def bare(data: Any) -> dict[str, Any]:
    axes: list[dict[str, Any]] = []
    return {**signal_of(data), "axes": axes}


@both_formats
@pytest.mark.parametrize("number", [0, 1])
def test_data_without_axes_grows_along_its_dimensions(number: int, zarr_format: ZarrFormat) -> None:
    data = scan(6, 8)
    cells = object_array(map(KINDS["numbers"], range(48)), (6, 8))
    for whole in (data, cells):
        place: dict[str, bytes] = {}
        for part in np.array_split(whole, 3, number):
            options: dict[str, Any] = {"append_dim": number, "zarr_format": zarr_format}
            zspy.file_writer(place, bare(part), **options, **QUIET)
        assert first_difference(read(place)["data"], whole) is None
        assert not read(place)["axes"]
        with pytest.raises(zspy.EncodeError, match="append_dim: there is no axis 'y'"):
            zspy.file_writer(place, bare(whole), append_dim="y")
    place = {}
    zspy.file_writer(place, bare(data), (2, 8), zarr_format=zarr_format, **QUIET)
    with zspy.append(place, data, axis=0):
        pass
    zspy.file_writer(place, bare(data[:2] + 1), region={0: slice(2, 4)}, **QUIET)
    assert np.array_equal(read(place)["data"], [*data[:2], *(data[:2] + 1), *data[4:], *data])
    assert zspy.check(place, data=True) == []


@both_formats
def test_a_mask_that_hides_nothing_needs_none_in_the_file(zarr_format: ZarrFormat) -> None:
    data = scan(6, 5)
    shown: Any = np.ma.MaskedArray(data, False)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data), (2, 5), zarr_format=zarr_format, **QUIET)
    zspy.file_writer(place, signal_of(shown), append_dim="y", **QUIET)
    with zspy.append(place, shown, axis="y"):
        pass
    more: Any = np.ma.MaskedArray(data + 1, False)
    zspy.file_writer(place, signal_of(more), region={"y": slice(0, 6)}, **QUIET)
    assert first_difference(read(place)["data"], np.concatenate([data + 1, data, data])) is None


# --------------------------------------------------------------------------------------------------
# Bad input


def changed(**axis: Any) -> dict[str, Any]:
    signal = signal_of(scan(4, 5))
    signal["axes"][1] |= axis
    return signal


BAD: Final[dict[str, tuple[Any, dict[str, Any], str]]] = {
    "no such axis": (
        signal_of(scan(4, 5)),
        {"append_dim": "q"},
        r"append_dim: there is no axis 'q'",
    ),
    "a number too large": (signal_of(scan(4, 5)), {"append_dim": 2}, "there is no axis 2"),
    "a truth value": (signal_of(scan(4, 5)), {"append_dim": True}, "there is no axis True"),
    "another shape": (signal_of(scan(4, 6)), {}, r"axes\[1\].size: it is 6, and 5 in the file"),
    "another scale": (changed(scale=2.0), {}, r"axes\[1\].scale: it is 2.0, and 0.5 in"),
    "another name": (changed(name="z"), {}, r"axes\[1\].name: it is 'z', and 'x' in"),
    "more axes": (signal_of(scan(4, 5, 2)), {}, "axes: it has 3 axes, the stored signal 2"),
    "another dtype": (signal_of(scan(4, 5, dtype="f8")), {}, "data: dtype float64 does not fit"),
    "ragged": (
        signal_of(object_array([np.zeros(2)] * 20, (4, 5))),
        {},
        "one is ragged; write all of it at once",
    ),
    "masked": (
        signal_of(np.ma.MaskedArray(scan(4, 5), True)),
        {},
        "data: it is masked, and there is no mask in the file; fill it",
    ),
    "text": (signal_of(scan(4, 5).astype("U4")), {}, "data: dtype <U4 does not fit uint16"),
    "two signals": ([signal_of(scan(4, 5))] * 2, {}, "append_dim: one signal at a time"),
    "a region as well": (signal_of(scan(4, 5)), {"region": {"y": slice(0, 2)}}, "not both"),
    "no data": (signal_of(scan(4, 5)), {"write_dataset": False}, "there is nothing to write"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_and_changes_nothing(name: str) -> None:
    signal, more, message = BAD[name]
    options: dict[str, Any] = {"append_dim": "y", **more}
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5)), **QUIET)
    before = dict(place)
    with pytest.raises(zspy.EncodeError, match=message) as error:
        zspy.file_writer(place, signal, **options)
    assert len(str(error.value)) < 300
    assert place == before


CELLS: Final[dict[str, tuple[Any, Any]]] = {
    "strings and arrays": (["a", "b"], [np.zeros(2)] * 2),
    "tables of two and of three columns": ([np.zeros((1, 2))] * 2, [np.ones((1, 3))] * 2),
    "tables and vectors": ([np.zeros(2), np.zeros((1, 2))], [np.zeros(2)] * 2),
    "integers and floats": ([np.zeros(2, "i4")] * 2, [np.zeros(2)] * 2),
    "floats and integers": ([np.zeros(2)] * 2, [np.zeros(2, "i4")] * 2),
    "numbers and cells": (np.zeros(2), [np.zeros(2)] * 2),
    "cells and numbers": ([np.zeros(2)] * 2, np.zeros(2)),
}


@both_formats
@pytest.mark.parametrize("kind", CELLS)
def test_cells_that_do_not_fit_are_refused(kind: str, zarr_format: ZarrFormat) -> None:
    """Whatever is taken reads as it was given, but for its dtype."""
    stored, added = CELLS[kind]
    first: AnyArray = stored if is_array(stored) else object_array(stored, (2,))
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"append_dim": 0, "zarr_format": zarr_format, **QUIET}
    zspy.file_writer(place, signal_of(first), **options)
    before = dict(place)
    try:
        more = added if is_array(added) else object_array(added, (2,))
        zspy.file_writer(place, signal_of(more), **options)
    except zspy.EncodeError as error:
        assert place == before
        assert error.where == "data"  # noqa: PT017 - it depends on the format what fits
    else:
        cells = read(place)["data"]
        assert all(map(np.array_equal, cells, [*stored, *added]))


OF_SEVERAL_KINDS: Final[dict[str, tuple[list[Any], list[Any]]]] = {
    "several types": ([1, "two", None, np.zeros(2)], [np.zeros(0)] * 4),
    "nothing in some": ([np.zeros(2), None], [np.zeros(2)] * 2),
    "lists": ([[1, 2], [3]], [np.zeros(2, int)] * 2),
    "two dtypes": ([np.zeros(2), np.zeros(2, "i2")], [np.zeros(2)] * 2),
    "nothing in what is added": ([np.zeros(2)] * 2, [np.zeros(2), None]),
}


@both_formats
@pytest.mark.parametrize("kind", OF_SEVERAL_KINDS)
def test_cells_of_several_kinds_do_not_grow(kind: str, zarr_format: ZarrFormat) -> None:
    """What says of each cell what it is would not fit the larger array any more."""
    stored, added = (object_array(cells, (len(cells),)) for cells in OF_SEVERAL_KINDS[kind])
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(stored), zarr_format=zarr_format, **QUIET)
    before = dict(place)
    problem = "data: cells that are not all arrays of one dtype do not grow in place"
    writes: list[Callable[[], object]] = [
        lambda: zspy.file_writer(place, signal_of(added), append_dim="y")
    ]
    if kind != "nothing in what is added":
        writes.append(lambda: zspy.append(place, added, axis="y"))
    for write in writes:
        with pytest.raises(zspy.EncodeError, match=problem):
            write()
        assert place == before


@both_formats
def test_an_axis_that_is_a_function_of_points_does_not_grow(zarr_format: ZarrFormat) -> None:
    """None would be added to them, and the axis would have more points than they are."""

    def signal(x: dict[str, Any]) -> dict[str, Any]:
        axis = {"name": "y", "expression": "2 * x", "x": x, "navigate": True}
        return {**signal_of(scan(4, 5)), "axes": [axis, {"name": "x", "size": 5}]}

    points = signal({"name": "x", "axis": np.arange(4.0)})
    place: dict[str, bytes] = {}
    zspy.file_writer(place, points, zarr_format=zarr_format)
    before = dict(place)
    writes: list[Callable[[], object]] = [
        lambda: zspy.file_writer(place, points, append_dim="y"),
        lambda: zspy.append(place, scan(4, 5), axis="y"),
    ]
    for write in writes:
        with pytest.raises(zspy.EncodeError, match=r"axes\[0\].x: the axis is a function of given"):
            write()
        assert place == before


def test_a_vector_of_another_dtype_is_named() -> None:
    place: dict[str, bytes] = {}
    signal = signal_of(scan(2, 5))
    signal["axes"][0] = {"name": "y", "axis": np.arange(2), "navigate": True}
    zspy.file_writer(place, signal)
    signal["axes"][0]["axis"] = np.array([2.5, 3.5])
    with pytest.raises(zspy.EncodeError, match=r"axes\[0\].axis: dtype float64 does not fit int64"):
        zspy.file_writer(place, signal, append_dim="y")


def test_another_vector_is_refused() -> None:
    place: dict[str, bytes] = {}
    for number in (0, 0, 1):
        signal = signal_of(scan(4, 5))
        signal["axes"][1] = {"name": "x", "axis": np.arange(5.0) + number}
        if number:
            with pytest.raises(zspy.EncodeError, match=r"axes\[1\].axis: the vector is not that"):
                zspy.file_writer(place, signal, append_dim="y")
        else:
            zspy.file_writer(place, signal, append_dim="y")


@pytest.mark.parametrize("vector", [[4.5, 3.5], [4.0], [6.0, 5.0]])
def test_a_vector_that_would_turn_back_is_refused(vector: list[float]) -> None:
    """HyperSpy opens no file with such an axis."""
    place: dict[str, bytes] = {}
    signal = signal_of(scan(4, 5))
    signal["axes"][0] = {"name": "y", "axis": np.arange(1.0, 5)}
    zspy.file_writer(place, signal, **QUIET)
    before = dict(place)
    signal = signal_of(scan(len(vector), 5))
    signal["axes"][0] = {"name": "y", "axis": np.array(vector)}
    with pytest.raises(zspy.EncodeError, match=r"axes\[0\].axis: the vector would turn back"):
        zspy.file_writer(place, signal, append_dim="y")
    assert place == before


@pytest.mark.parametrize("kind", [*ONLY_WHOLE, "store"])
def test_files_that_are_replaced_as_a_whole_are_refused_by_name(kind: Any, path: Path) -> None:
    place: Any = path
    if kind == "store":
        zspy.file_writer(path, signal_of(scan(4, 5)), store_type="zip", **QUIET)
        place = ZipStore(path, mode="a")
    else:
        zspy.file_writer(path, signal_of(scan(4, 5)), store_type=kind, **QUIET)
    name = "zip" if kind == "store" else kind
    with pytest.raises(zspy.EncodeError, match=f"the kind '{name}' does not grow"):
        zspy.file_writer(place, signal_of(scan(4, 5)), append_dim="y")
    assert read(path)["data"].shape == (4, 5)


@pytest.mark.parametrize("kind", ["zip", "store"])
def test_no_file_is_begun_that_cannot_grow(kind: str, path: Path) -> None:
    place: Any = ZipStore(path, mode="w") if kind == "store" else path
    more: dict[str, Any] = {} if kind == "store" else {"store_type": "zip"}
    with pytest.raises(zspy.EncodeError, match="the kind 'zip' does not grow"):
        zspy.file_writer(place, signal_of(scan(4, 5)), append_dim="y", **more)
    assert kind == "store" or not path.exists()


def test_titles_that_are_stored_twice_are_refused() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, [signal_of(scan(4, 5)), signal_of(scan(4, 5))], **QUIET)
    with pytest.raises(zspy.EncodeError, match="the title 't' is that of 2 signals"):
        zspy.file_writer(place, signal_of(scan(4, 5)), append_dim="y")


@pytest.mark.parametrize("written", ["transposed", "index at the start"])
def test_arrays_of_other_writers_grow_or_are_refused(written: str) -> None:
    import zarr
    from zarr.codecs import ShardingCodec, TransposeCodec

    from zspy.stores.zarr_store import MappingStore

    place: dict[str, bytes] = {}
    data = scan(4, 5)
    zspy.file_writer(place, signal_of(data), zarr_format=3, **QUIET)
    options: dict[str, Any] = {"filters": TransposeCodec(order=(1, 0))}
    if written != "transposed":
        sharding = ShardingCodec(chunk_shape=(1, 5), index_location="start")
        options = {"serializer": sharding, "compressors": None}
    name = f"{GROUP}/data"
    options |= {"shape": (4, 5), "dtype": "u2", "chunks": (3, 5), "overwrite": True}
    array = cast("Any", zarr).create_array(MappingStore(place), name=name, **options)
    array[:] = data
    if written == "transposed":
        zspy.file_writer(place, signal_of(data), append_dim="y")
        assert np.array_equal(read(place)["data"], [*data, *data])
    else:
        with pytest.raises(zspy.EncodeError, match="stored in a way that zspy does not write"):
            zspy.file_writer(place, signal_of(data), append_dim="y")


@pytest.mark.parametrize(
    ("there", "more", "grows"),
    [
        ([1.0, 2.0], [3.0], True),
        ([2.0, 1.0], [0.0], True),
        ([1.0, 2.0], [2.0], False),
        ([1.0, 2.0], [0.5], False),
        (["a", "b"], ["c"], True),
    ],
)
def test_a_vector_goes_on_as_it_began(
    there: list[Any], more: list[Any], grows: bool, tmp_path: Path
) -> None:
    path = tmp_path / "f.zspy"

    def frames(vector: list[Any]) -> dict[str, Any]:
        axes = [{"name": "y", "axis": np.array(vector), "navigate": True}, {"name": "x", "size": 2}]
        return {"data": np.zeros((len(vector), 2)), "axes": axes, "metadata": {}}

    zspy.file_writer(path, frames(there))
    if grows:
        zspy.file_writer(path, frames(more), append_dim="y")
    else:
        with pytest.raises(zspy.EncodeError, match=r"axes\[0\].axis: the vector would turn back"):
            zspy.file_writer(path, frames(more), append_dim="y")
        more = []
    (loaded,) = zspy.file_reader(path)
    vector: Any = loaded["axes"][0].get("axis")
    assert vector.tolist() == [*there, *more]


@pytest.mark.parametrize("damaged", [None, 5, "ab", [1.5], [-1], {"a": 1}, [[3]]])
@pytest.mark.parametrize("how", [{"append_dim": 0}, {"write_dataset": False}])
def test_a_shape_of_cells_that_is_none_is_an_error_of_the_file(damaged: object, how: Any) -> None:
    place: dict[str, bytes] = {}
    cells = object_array(map(np.arange, range(3)), (3,))
    zspy.file_writer(place, plain_signal(cells, "t", 1), zarr_format=3, **QUIET)
    key = "Experiments/t/data/zarr.json"
    document = json.loads(place[key])
    document["attributes"]["_ragged_nav_shape"] = damaged
    place[key] = json.dumps(document).encode()
    with pytest.raises(zspy.FormatError, match=r"/data: .* for the shape of its cells; the"):
        zspy.file_writer(place, plain_signal(cells[:2], "t", 1), zarr_format=3, **how, **QUIET)


def test_more_axes_than_dimensions_are_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.zspy"
    axes: list[Any] = [{"name": "y", "size": 2}, {"name": "x", "size": 2}]
    zspy.file_writer(path, {"data": np.zeros((2, 2)), "axes": axes, "metadata": {}})
    (document,) = path.glob("Experiments/*/data/.zarray")
    said = json.loads(document.read_bytes())
    document.write_text(json.dumps(said | {"shape": [2], "chunks": [2]}), encoding="utf-8")
    with pytest.raises(zspy.FormatError, match="2 axes for an array of 1 dimensions; the file"):
        zspy.file_writer(
            path, {"data": np.zeros((2, 2)), "axes": axes, "metadata": {}}, append_dim="y"
        )


@pytest.mark.parametrize("size", [None, "4", 2.5, -1, [4], True])
def test_a_size_that_is_none_is_an_error_of_the_file(size: Any) -> None:
    """A reader takes no notice of it, and nothing is written where it would lead."""
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5)))
    key = f"{GROUP}/axis-0/.zattrs"
    place[key] = json.dumps({**json.loads(place[key]), "size": size}).encode()
    before = dict(place)
    assert read(place)["data"].shape == (4, 5)
    writes: list[Callable[[], object]] = [
        lambda: zspy.file_writer(place, signal_of(scan(2, 5)), append_dim="y"),
        lambda: zspy.file_writer(place, signal_of(scan(4, 5)), region={}),
        lambda: zspy.append(place, axis="y"),
    ]
    for write in writes:
        with pytest.raises(
            zspy.FormatError, match=rf"{GROUP}/axis-0: .* for the size of an axis; the"
        ):
            write()
    assert place == before


def test_the_size_of_another_signal_does_not_keep_one_from_being_updated() -> None:
    place: dict[str, bytes] = {}
    signals = [signal_of(scan(4, 5), title) for title in ("cut", "other")]
    zspy.file_writer(place, signals)
    for title, size in (("cut", 3), ("other", "four")):  # an append that was killed, a mistake
        key = f"Experiments/{title}/axis-0/.zattrs"
        place[key] = json.dumps({**json.loads(place[key]), "size": size}).encode()
    kept = [signal_of(scan(3, 5), "cut"), signal_of(scan(4, 5), "other")]
    zspy.file_writer(place, kept, write_dataset=False)
    assert [one["data"].shape for one in zspy.file_reader(place)] == [(3, 5), (4, 5)]


@pytest.mark.parametrize("options", [{"mode": "a"}, {"append_dim": "y"}])
def test_an_empty_folder_is_no_file_that_could_grow(options: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.zspy"
    path.mkdir()
    zspy.file_writer(path, signal_of(np.zeros((2, 2))), **options, **QUIET)
    (loaded,) = zspy.file_reader(path)
    assert loaded["data"].shape == (2, 2)


def test_a_store_that_syncs_by_itself_grows() -> None:
    store = MemoryStore()
    for _ in range(2):
        part = signal_of(np.ones((2, 2)))
        zspy.file_writer(store, part, append_dim="y", show_progressbar=False)
    (loaded,) = zspy.file_reader(store)
    assert loaded["data"].shape == (4, 2)


def test_a_part_of_one_chunk_is_encoded_by_who_writes_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codecs that have threads use them there only."""
    zspy.file_writer(path, signal_of(scan(8, 3, 4)), (2, 3, 4), **QUIET)

    def refused(*_: Any) -> None:
        pytest.fail("there is one chunk")

    monkeypatch.setattr("zspy.files.parallel.ThreadPoolExecutor", refused)
    zspy.file_writer(path, signal_of(scan(2, 3, 4)), append_dim="y", **QUIET)
    assert read(path)["data"].shape == (10, 3, 4)


@pytest.mark.parametrize(
    "write",
    [zspy.create, partial(zspy.file_writer, append_dim=0)],
)
def test_a_kind_of_store_that_is_none_is_told_with_the_choices(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    signal: dict[str, Any] = {"data": np.zeros(4), "axes": [{"size": 4}], "metadata": {}}
    with pytest.raises(zspy.EncodeError, match="store_type: 'loca' is no kind of store; use one"):
        write(path, signal, store_type="loca")
    assert not path.exists()
