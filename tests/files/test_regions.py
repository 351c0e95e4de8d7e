"""Parts of a stored array: made by `zspy.create`, written by `region`, by several processes."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from zarr.storage import MemoryStore

import zspy
from tests.support.places import IN_MEMORY, IN_PLACE, place_of
from zspy.apps.cli import main
from zspy.stores.directory import DirectoryInPlace
from zspy.stores.replace import move
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values.ragged import object_array

from .test_growth import FORMATS, GROUP, QUIET, both_formats, masked, read, scan, signal_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


def write_part(kind: str, path: Path, start: int, stop: int) -> None:
    part = signal_of(scan(100, 5, 8)[start:stop])
    place, _ = place_of(kind, path)
    zspy.file_writer(place, part, region={"y": slice(start, stop)}, **QUIET)


@pytest.mark.filterwarnings("ignore:.*chunks")
@both_formats
@pytest.mark.parametrize("kind", [*IN_PLACE, *IN_MEMORY])
def test_a_signal_is_written_by_parts(kind: str, zarr_format: ZarrFormat, path: Path) -> None:
    data = scan(40, 5, 8)
    place, options = place_of(kind, path)
    zspy.create(place, signal_of(data), chunks=(10, 5, 4), zarr_format=zarr_format, **options)
    empty = read(place)
    assert (empty["data"].shape, empty["data"].dtype) == (data.shape, data.dtype)
    assert not empty["data"].any()
    for start in range(0, 40, 10):
        for half in (slice(0, 4), slice(4, None)):
            part = signal_of(data[start : start + 10, :, half])
            region = {"y": slice(np.int64(start), start + 10), np.int64(2): half}
            zspy.file_writer(place, part, region=region, **QUIET)
    assert np.array_equal(read(place)["data"], data)


@pytest.mark.parametrize("shards", [None, False, True])
def test_regions_of_whole_chunks_fit_where_no_shards_were_asked_for(shards: Any) -> None:
    data = scan(40, 5, 8)
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"chunks": (10, 5, 8), "shards": shards, "zarr_format": 3}
    zspy.create(place, signal_of(data), **options)
    part: dict[str, Any] = {"region": {"y": slice(10, 20)}, **QUIET}
    if shards:
        with pytest.raises(zspy.EncodeError, match="10:20 cuts a shard"):
            zspy.file_writer(place, signal_of(data[10:20]), **part)
        return
    zspy.file_writer(place, signal_of(data[10:20]), **part)
    assert [key for key in place if "/data/c/" in key] == [f"{GROUP}/data/c/1/0/0"]


@pytest.mark.filterwarnings("ignore:.*chunks")
def test_an_empty_signal_has_the_sizes_that_are_given(path: Path) -> None:
    axes = [{"name": "y", "size": 3, "navigate": True}, {"name": "x", "size": 4}]
    signal: dict[str, Any] = {"axes": axes, "metadata": {"General": {"title": "t"}}}
    for more, shape in (({}, (3, 4)), ({"shape": (3, 4)}, (3, 4))):
        zspy.create(path, signal, dtype="f4", fill_value=7, **more)  # type: ignore[arg-type]
        assert read(path)["data"].tolist() == np.full(shape, 7).tolist()
        assert not list((path / "Experiments/t/data").glob("[0-9]*"))
    zspy.create(path, signal_of(scan(3, 4), "u"), mode="a")
    assert len(zspy.file_reader(path)) == 2
    store = MemoryStore()
    zspy.create(store, signal_of(scan(3, 4)))
    assert read(store)["data"].shape == (3, 4)
    signal["axes"] = [{"axis": [1, 2, 4]}]
    for options in ({}, {"shape": 3}):
        zspy.create(store, signal, dtype="f4", **options)  # type: ignore[arg-type]
        assert read(store)["data"].shape == (3,)


@pytest.mark.parametrize("signal", [None, {"axes": [3], "metadata": {}}, {"axes": None}])
def test_what_is_no_signal_is_not_made(signal: Any, path: Path) -> None:
    with pytest.raises(zspy.EncodeError):
        zspy.create(path, signal, dtype="f4")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "dtype: it is not known; give it"),
        ({"dtype": "O"}, "dtype: ragged data, or objects, are not"),
        ({"dtype": "u1", "shape": (3, -1)}, "is no shape"),
        ({"dtype": "u1", "store_type": "zip"}, "store_type: a file of the kind 'zip'"),
        ({"dtype": "u1", "shape": (3, 5)}, "the axis has 4 values"),
    ],
)
def test_what_cannot_be_created_is_refused(
    arguments: dict[str, Any], message: str, path: Path
) -> None:
    signal: dict[str, Any] = {"axes": [{"size": 3}, {"size": 4}], "metadata": {}}
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.create(path, signal, **arguments)
    assert not path.exists()
    zspy.file_writer(path, signal_of(scan(3, 4)), store_type="zip", **QUIET)
    with pytest.raises(zspy.EncodeError, match="the kind 'zip' does not grow"):
        zspy.create(path, signal, dtype="u1", mode="a")


def three_ways(folder: Path, zarr_format: ZarrFormat, kind: str) -> list[Path]:
    """Write one signal at once, by appending each of its rows, and by four processes."""
    data = scan(100, 5, 8)
    paths = [folder / f"{name}.zspy" for name in ("at-once", "rows", "regions")]
    whole, appended, regions = (place_of(kind, path)[0] for path in paths)
    options: dict[str, Any] = {"chunks": (5, 5, 8), "zarr_format": zarr_format}
    _, first = place_of(kind, paths[0])
    zspy.file_writer(whole, signal_of(data), **options, **first, **QUIET)
    for row in range(100):
        part = signal_of(data[row : row + 1])
        more = {} if row else first
        zspy.file_writer(appended, part, append_dim="y", **options, **more, **QUIET)
    zspy.create(regions, signal_of(data), sync=False, **options, **first)
    context = multiprocessing.get_context("spawn")
    parts = [(kind, paths[2], start, start + 25) for start in range(0, 100, 25)]
    with context.Pool(4) as pool:
        pool.starmap(write_part, parts)
    return paths


@pytest.mark.cluster
@both_formats
@pytest.mark.parametrize("kind", [*IN_PLACE, "store"])
def test_a_signal_is_the_same_however_it_was_written(
    kind: str, zarr_format: ZarrFormat, tmp_path: Path
) -> None:
    whole, *others = three_ways(tmp_path, zarr_format, kind)
    assert np.array_equal(read(whole)["data"], scan(100, 5, 8))
    for other in others:
        assert main(["diff", str(whole), str(other)]) == 0
        assert not zspy.check(other, data=True)


@pytest.mark.filterwarnings("ignore:.*chunks")
@both_formats
def test_masked_data_is_written_by_regions(zarr_format: ZarrFormat) -> None:
    data = masked(20, 6)
    data.fill_value = 7
    place: dict[str, bytes] = {}
    zspy.create(place, signal_of(data), fill_value=7, zarr_format=zarr_format)
    assert read(place)["data"].mask.all(), "a fill value stands for what is not known"
    zspy.create(place, signal_of(data), chunks=(5, 6), zarr_format=zarr_format)
    assert not any("/data/0" in key or "/mask/0" in key for key in place)
    assert not read(place)["data"].mask.any()
    for start in range(0, 20, 5):
        part = signal_of(data[start : start + 5])
        zspy.file_writer(place, part, region={"y": slice(start, start + 5)}, **QUIET)
    assert first_difference(read(place)["data"], data) is None
    part = signal_of(data.data[8:12])
    zspy.file_writer(place, part, region={"y": slice(8, 12)}, safe_chunks=False, **QUIET)
    assert not read(place)["data"].mask[8:12].any()
    assert np.array_equal(read(place)["data"].mask[12:], data.mask[12:])


@both_formats
def test_dask_arrays_are_written_into_a_region(zarr_format: ZarrFormat, path: Path) -> None:
    from dask import array as da

    data = scan(40, 5, 8)
    zspy.create(path, signal_of(data), chunks=(10, 5, 8), zarr_format=zarr_format)
    lazy = cast("Any", da).from_array(data, chunks=(7, 5, 3))
    zspy.file_writer(path, signal_of(lazy[:20]), region={"y": slice(0, 20)}, **QUIET)
    rest: dict[str, Any] = {"region": {"y": slice(17, None)}, "safe_chunks": False}
    zspy.file_writer(path, signal_of(lazy[17:]), **rest, **QUIET)
    assert np.array_equal(read(path)["data"], data)


@both_formats
@pytest.mark.parametrize("shards", [None, (20, 5, 8)])
def test_a_region_that_shares_chunks_is_refused_with_the_borders(
    shards: Any, zarr_format: ZarrFormat
) -> None:
    if shards and zarr_format == 2:
        return
    data = scan(40, 5, 8)
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"zarr_format": zarr_format, "shards": shards} if shards else {}
    zspy.file_writer(place, signal_of(data), (10, 5, 8), **options, **QUIET)
    before = dict(place)
    part = signal_of(data[10:33] + 1)
    edge, what = (20, "shard") if shards else (10, "chunk")
    borders = "0:40" if shards else "10:40"
    problem = rf"^region\['y'\]: 10:33 cuts a {what}: their borders are the multiples of {edge}; "
    with pytest.raises(zspy.EncodeError, match=f"{problem}use {borders}, or safe_chunks=False"):
        zspy.file_writer(place, part, region={"y": slice(10, 33)})
    assert place == before
    zspy.file_writer(place, part, region={"y": slice(10, 33)}, safe_chunks=False)
    expected = data.copy()
    expected[10:33] += 1
    assert np.array_equal(read(place)["data"], expected)


@pytest.mark.parametrize(
    "part",
    [slice(-10, None), slice(-20, -10), slice(-40, 10), slice(10, -10), slice(0, np.int64(-10))],
)
def test_a_part_is_counted_from_the_end_as_numpy_does(part: slice) -> None:
    data = scan(40, 5)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data), (10, 5), **QUIET)
    zspy.file_writer(place, signal_of(data[part] + 1), region={"y": part}, **QUIET)
    data[part] += 1
    assert np.array_equal(read(place)["data"], data)


@pytest.mark.parametrize("times", [1, 2])
def test_a_part_that_an_append_has_taken_for_a_leftover_is_written_again(
    times: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes a region has no lock: another process may clear up what is not renamed yet."""
    data = scan(40, 5)
    zspy.file_writer(path, signal_of(data), (10, 5), **QUIET)
    taken: list[str] = []

    def move_late(part: Any, target: Any, folder: int | None = None) -> None:
        if "/data/" in str(target) and len(taken) < times:
            taken.append(str(part))
            DirectoryInPlace(path, GROUP).remove_leftovers()
        move(part, target, folder)

    monkeypatch.setattr("zspy.stores.directory.move", move_late)
    part = signal_of(data[:10] + 1)
    if times == 2:  # nobody begins to append that often
        with pytest.raises(FileNotFoundError):
            zspy.file_writer(path, part, region={"y": slice(0, 10)}, **QUIET)
        return
    zspy.file_writer(path, part, region={"y": slice(0, 10)}, **QUIET)
    data[:10] += 1
    assert np.array_equal(read(path)["data"], data)
    assert not list(path.rglob(".zspy*"))


REFUSED: Final[dict[str, tuple[dict[Any, Any], int, str]]] = {
    "no such axis": ({"q": slice(0, 10)}, 10, "region: there is no axis 'q'"),
    "outside": ({"y": slice(30, 50)}, 20, r"region\['y'\]: 30:50 lies outside of the 40"),
    "nothing": ({"y": slice(5, 5)}, 5, "lies outside"),
    "before the begin": ({"y": slice(-50, None)}, 40, r"region\['y'\]: -50:40 lies outside"),
    "with a step": ({"y": slice(0, 20, 2)}, 10, "is no plain slice"),
    "with no step": ({"y": slice(0, 20, 0)}, 20, "is no plain slice"),
    "a number": ({"y": 3}, 10, "3 is no plain slice"),
    "fractions": ({"y": slice(0.5, 10.0)}, 10, "is no plain slice"),
    "text": ({"y": slice("a")}, 10, "is no plain slice"),
    "twice": ({"y": slice(0, 10), 0: slice(0, 10)}, 10, "the axis is named twice"),
    "another shape": ({"y": slice(0, 10)}, 20, r"data: the shape \(20, 5\) is not \(10, 5\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_region_that_is_none_is_refused_and_changes_nothing(name: str) -> None:
    region, size, message = REFUSED[name]
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(40, 5)), (10, 5), **QUIET)
    before = dict(place)
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.file_writer(place, signal_of(scan(size, 5)), region=region)
    assert place == before


NO_DATA: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "none": ({}, "data: None is no array"),
    "a list": ({"data": [[1, 2]]}, "data: a list is no array"),
    "masked": (
        {"data": np.ma.MaskedArray(scan(10, 5), True)},
        "data: it is masked, and there is no mask",
    ),
    "of no number": ({"data": np.full((10, 5), "a")}, "data: dtype .* does not fit uint16"),
    "of another kind": ({"data": scan(10, 5, dtype="f4")}, "data: dtype float32 does not fit"),
}


@pytest.mark.parametrize("name", NO_DATA)
def test_what_does_not_fit_a_region_is_refused_and_changes_nothing(name: str) -> None:
    data, message = NO_DATA[name]
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(40, 5)), (10, 5), **QUIET)
    before = dict(place)
    signal = {"metadata": {"General": {"title": "t"}}, **data}
    with pytest.raises(zspy.EncodeError, match=message) as error:
        zspy.file_writer(place, signal, region={"y": slice(0, 10)})
    assert len(str(error.value)) < 300
    assert place == before


@pytest.mark.parametrize("region", ["y", 3, [slice(0, 4)], slice(0, 4), ...])
def test_a_region_that_is_no_dictionary_is_refused(region: Any) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(4, 5)), **QUIET)
    with pytest.raises(zspy.EncodeError, match=r"region: an? .* is no dictionary"):
        zspy.file_writer(place, signal_of(scan(4, 5)), region=region)


@pytest.mark.parametrize("safe_chunks", [False, True])
@pytest.mark.parametrize("kind", ["path", "link", "zarr", "dict", "lmdb", "lmdb store"])
def test_data_that_is_read_from_what_a_region_replaces_is_refused(
    kind: str, safe_chunks: bool, path: Path
) -> None:
    """Chunks would be read that are written already."""
    stores: dict[str, Any] = {"zarr": MemoryStore(), "dict": {}}
    place = stores.get(kind, path)
    store_type: Any = "lmdb" if kind.startswith("lmdb") else None
    zspy.file_writer(place, signal_of(scan(40, 5)), (4, 5), store_type=store_type, **QUIET)
    lazy = read(place, lazy=True)
    if kind == "link":
        place = path.with_name("link.zspy")
        place.symlink_to(path)
    if kind == "lmdb store":
        place = zspy.LMDBStore(path)
    lazy["data"] = lazy["data"][::-1]
    with pytest.raises(zspy.EncodeError, match="the data is read from what it replaces"):
        zspy.file_writer(place, lazy, region={}, safe_chunks=safe_chunks)
    assert np.array_equal(read(place)["data"], scan(40, 5))


def test_a_region_may_be_read_from_another_mapping_that_holds_the_same() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(scan(40, 5)), (4, 5), **QUIET)
    lazy = read(dict(place), lazy=True)
    lazy["data"] = lazy["data"][::-1]
    zspy.file_writer(place, lazy, region={}, **QUIET)
    assert np.array_equal(read(place)["data"], scan(40, 5)[::-1])


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_what_has_no_regions_is_refused(zarr_format: ZarrFormat) -> None:
    place: dict[str, bytes] = {}
    cells = object_array([np.zeros(2)] * 4, (4,))
    zspy.file_writer(place, signal_of(cells), zarr_format=zarr_format)
    with pytest.raises(zspy.EncodeError, match="ragged data is not written by regions"):
        zspy.file_writer(place, signal_of(cells), region={"y": slice(0, 4)})
    with pytest.raises(zspy.EncodeError, match="there is no signal 'other'; create it first"):
        zspy.file_writer(place, signal_of(scan(4), "other"), region={"y": slice(0, 4)})
    place = {}
    zspy.file_writer(place, signal_of(np.array(3.0)), zarr_format=zarr_format)
    with pytest.raises(zspy.EncodeError, match="an array without dimensions"):
        zspy.file_writer(place, signal_of(np.array(3.0)), region={})


def test_a_region_of_a_file_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(zspy.FormatError, match="there is no such file"):
        zspy.file_writer(path, signal_of(scan(4, 5)), region={"y": slice(0, 4)})
    assert not list(path.parent.iterdir())


def test_a_region_ends_where_the_axes_end(path: Path) -> None:
    """An append that was not completed has left an array that is larger."""
    zspy.file_writer(path, signal_of(scan(5, 4)), (4, 4), **QUIET)
    document = path / "Experiments/t/data/.zarray"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"shape": [8, 4]}))
    zspy.file_writer(path, signal_of(scan(1, 4) + 7), region={"y": slice(4, 5)}, **QUIET)
    assert np.array_equal(read(path)["data"], [*scan(4, 4), *(scan(1, 4) + 7)])
