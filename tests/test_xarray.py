"""Signals as xarray objects, and the way back."""

from __future__ import annotations

import copy
import json
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast
from unicodedata import normalize

import numpy as np
import pytest

import zspy
from tests.support.cost import calls
from tests.support.sidecar import differences
from zspy.strategies import first_difference
from zspy.values.records import is_masked
from zspy.values.types import is_lazy

xr: Any = pytest.importorskip("xarray")
ours: Any = import_module("zspy.xarray")


def uniform(name: str | None, size: int, **more: Any) -> dict[str, Any]:
    axis = {"name": name, "units": "nm", "size": size, "scale": 0.5, "offset": -1.0}
    return axis | {"navigate": False, "is_binned": False, "_type": "UniformDataAxis"} | more


def signal(title: str = "map", data: Any = None, axes: Any = None, **more: Any) -> Any:
    given = np.arange(24.0).reshape(4, 6) if data is None else data
    if axes is None:
        axes = [uniform("y", 4, navigate=True), uniform("E", 6, units="eV", scale=0.1, offset=5.0)]
    metadata = {"General": {"title": title}, "dose": 1 + 2j, "tags": ["a", None]}
    return {"data": given, "axes": axes, "metadata": metadata, **more}


def saved(path: Path, *signals: Any, **options: Any) -> Path:
    zspy.file_writer(path / "x.zspy", list(signals), **options)
    return path / "x.zspy"


def big() -> Any:
    data = np.random.default_rng(1).integers(0, 99, (8, 16, 64, 96)).astype("u2")
    names = zip(("y", "x", "ky", "kx"), data.shape, strict=True)
    return signal("4D", data, [uniform(name, size, units=f"1/{name}") for name, size in names])


FUNCTIONAL = {
    "_type": "FunctionalDataAxis",
    "expression": "a * x ** 2 - log(b) / 1e3 + (-x)",
    "a": 2.5,
    "b": 100,
    "x": {"_type": "UniformDataAxis", "size": 4, "scale": 0.5, "offset": 1.0},
    "name": "w",
    "units": "1/m",
    "navigate": False,
    "is_binned": False,
    "size": 4,
}


def test_the_engine_is_an_entry_point() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    found = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]
    module, _, name = found["xarray.backends"]["zspy"].partition(":")
    assert getattr(import_module(module), name) is ours.Backend


def test_xarray_opens_a_file_by_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path, signal())
    assert xr.open_dataset(path).identical(xr.open_dataset(path, engine="zspy"))
    assert not ours.Backend().guess_can_open({})
    with xr.open_dataset(path, engine="zspy") as dataset:
        assert list(dataset) == ["map"]


def test_axes_are_coordinates_with_units_and_metadata_are_attributes(tmp_path: Path) -> None:
    found = xr.open_dataset(saved(tmp_path, signal()), engine="zspy")["map"]
    assert found.dims == ("y", "E")
    assert found.E.units == "eV"
    np.testing.assert_array_equal(found.E.values, 5.0 + 0.1 * np.arange(6))
    assert found.attrs["metadata"] == signal()["metadata"]
    np.testing.assert_array_equal(found.values, signal()["data"])


@pytest.mark.parametrize("options", [{}, {"store_type": "zip"}, {"zarr_format": 3}])
def test_a_large_array_is_read_when_it_is_indexed(tmp_path: Path, options: Any) -> None:
    given = big()
    edges = (4, 8, 64, 96)
    path = saved(tmp_path, given, chunks=edges, **options)
    with xr.open_dataset(path, engine="zspy", cache=False) as dataset:
        found = dataset["4D"]
        assert not found._in_memory
        for key in ((0, ..., 3), ([1, 5], slice(None, None, -3), 2), (slice(2, 7), [0, 7], [3, 1])):
            outer = np.asarray(given["data"])
            for axis, part in reversed(list(enumerate(_whole(key)))):
                outer = outer[(slice(None),) * axis + (part,)]
            np.testing.assert_array_equal(found[key].values, outer)
        np.testing.assert_array_equal(found.values, given["data"])


def _whole(key: Any) -> tuple[Any, ...]:
    at = key.index(...) if ... in key else len(key)
    return (
        *key[:at],
        *[slice(None)] * (5 - len(key) if ... in key else 4 - len(key)),
        *key[at + 1 :],
    )


def test_chunks_make_dask_arrays_in_the_chunks_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    given = big()
    path = saved(tmp_path, given, chunks=(4, 8, 64, 96))
    found = xr.open_dataset(path, engine="zspy", chunks={})["4D"]
    assert found.chunks == ((4, 4), (8, 8), (64,), (96,))
    np.testing.assert_array_equal(found.values, given["data"])
    again = zspy.file_reader(path, lazy=True)[0]
    assert ours.from_signal(again).chunks is not None
    zspy.file_writer(tmp_path / "back.zspy", ours.to_signal(found), show_progressbar=False)
    np.testing.assert_array_equal(
        zspy.file_reader(tmp_path / "back.zspy")[0]["data"], given["data"]
    )


@pytest.mark.parametrize(
    "axes",
    [
        [uniform("y", 4), uniform("E", 6)],
        [uniform(None, 4), uniform(None, 6, units=None)],
        [uniform("x", 4), uniform("x", 6)],
        [FUNCTIONAL, {**uniform("E", 6), "_type": "DataAxis", "axis": np.arange(6.0) ** 2}],
    ],
)
def test_what_becomes_an_array_comes_back(tmp_path: Path, axes: Any) -> None:
    for axis in axes:
        if "axis" in axis:
            for key in ("size", "scale", "offset"):
                axis.pop(key, None)
    (given,) = zspy.file_reader(saved(tmp_path, signal(axes=axes)))
    back = ours.to_signal(ours.from_signal(given))
    zspy.file_writer(tmp_path / "back.zspy", back)
    assert not differences([given], zspy.file_reader(tmp_path / "back.zspy"))


def test_names_that_are_missing_or_taken_are_numbered(tmp_path: Path) -> None:
    axes = [uniform(None, 4), uniform("x", 6), uniform("x", 2)]
    given = signal("a", np.zeros((4, 6, 2)), axes)
    other = signal("a", axes=[uniform("x", 4, scale=2.0), uniform("x_2", 6)])
    dataset = xr.open_dataset(saved(tmp_path, given, other, signal("")), engine="zspy")
    assert sorted(dataset) == ["a", "a_2", "data"]
    assert dataset["a"].dims == ("dim_0", "x", "x_2")
    assert dataset["a_2"].dims == ("x_3", "x_2_2")
    assert ours.to_signal(dataset["a_2"])["metadata"] == other["metadata"]
    assert ours.to_signal(dataset["a"])["axes"][0]["name"] is None
    assert ours.to_signal(dataset["data"])["metadata"]["General"]["title"] == ""


def test_axes_that_differ_beside_their_points_are_not_shared(tmp_path: Path) -> None:
    titles = ("x", "x", "y", "y")
    scales = (0.5, 0.25, 0.5, 0.5)
    axes = [uniform("x", 1, scale=scale) for scale in scales]
    axes[3]["navigate"] = True
    signals = [signal(title, np.ones(1), [axis]) for title, axis in zip(titles, axes, strict=True)]
    path = saved(tmp_path, *signals)
    with xr.open_dataset(path, engine="zspy") as dataset:
        assert [*dataset] == ["x_4", "x_2_2", "y", "y_2"]
        zspy.file_writer(tmp_path / "back.zspy", ours.to_signal(dataset))
    first, second = zspy.file_reader(path), zspy.file_reader(tmp_path / "back.zspy")
    assert not differences(first, second)


NOT_HELD: list[Any] = [
    np.ma.array([(1, 2.0)], "i4,f8", mask=[(True, False)]),
    np.ma.array([b"ab"], "V2", mask=[True]),
    # Made in any other way, NumPy 2.5 warns of times without a unit.
    np.array([np.iinfo("i8").min]).view("M8"),
    np.array([1]).view("m8"),
    np.array([1], "m8[25s]"),
    np.array([1], "M8[ps]"),
    np.array([1], "m8[as]"),
]


@pytest.mark.parametrize("data", NOT_HELD)
def test_data_that_xarray_cannot_hold_is_refused_by_its_name(data: Any, tmp_path: Path) -> None:
    path = saved(tmp_path, signal("r", data, [uniform("y", 1)]), signal("plain"))
    with pytest.raises(zspy.EncodeError, match=r"Experiments/r: xarray has no .*; use zspy\.file_"):
        xr.open_dataset(path, engine="zspy")
    assert list(xr.open_dataset(path, engine="zspy", drop_variables="r")) == ["plain"]


@pytest.mark.parametrize(("title", "name"), [("e\u0301", "x"), ("u\u0308/b", "A\u030ang")])
def test_names_with_marks_are_those_of_netcdf_and_come_back(
    title: str, name: str, tmp_path: Path
) -> None:
    """For netCDF a letter and its mark are one character, but not where it looks for a name."""
    path = saved(tmp_path, signal(title, np.arange(3.0), [uniform(name, 3)]))
    with xr.open_dataset(path, engine="zspy") as dataset:
        shown = [*map(str, dataset.variables)]
        assert shown == [normalize("NFC", one.replace("/", "_")) for one in shown]
        (found,) = ours.to_signal(dataset.load())
    assert found["metadata"]["General"]["title"] == title
    assert found["axes"][0]["name"] == name


@pytest.mark.parametrize(
    "name",
    [
        r"C:\scans\a", "(001) map", "#3", "two\nlines", "ends ", "a\0b", ".", "..", "\ud800",
        "long" * 80, "é" * 150, " ", "-", "%41", "_x", "日本 map",
    ],
)  # fmt: skip
def test_any_title_and_name_is_written_by_xarray_and_comes_back(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path, signal(name, np.arange(3.0), [uniform(name, 3)]))
    places = {"netcdf4": tmp_path / "a.nc", 2: tmp_path / "a2.zarr", 3: tmp_path / "a3.zarr"}
    with xr.open_dataset(path, engine="zspy", attributes="text") as dataset:
        if find_spec("netCDF4"):
            dataset.to_netcdf(places["netcdf4"], engine="netcdf4")
        for format_ in (2, 3):
            dataset.to_zarr(places[format_], zarr_format=format_, consolidated=False)
    for way, place in places.items():
        if not place.exists():
            continue
        options: Any = {"engine": way} if isinstance(way, str) else {"engine": "zarr"}
        if not isinstance(way, str):
            options["consolidated"] = False
        with xr.open_dataset(place, **options) as dataset:
            (found,) = ours.to_signal(dataset.load())
        assert found["metadata"]["General"]["title"] == name, way
        assert found["axes"][0]["name"] == name, way


def test_a_ragged_signal_is_refused_by_its_name(tmp_path: Path) -> None:
    cells = np.empty(4, object)
    cells[:] = [np.arange(n) for n in range(4)]
    path = saved(tmp_path, signal("r", cells, [uniform("y", 4, navigate=True)]), signal("plain"))
    with pytest.raises(zspy.EncodeError, match="Experiments/r: xarray has no ragged arrays"):
        xr.open_dataset(path, engine="zspy")
    assert list(xr.open_dataset(path, engine="zspy", drop_variables="r")) == ["plain"]
    assert list(xr.open_dataset(path, engine="zspy", drop_variables=["r", "plain"])) == []


def test_masked_values_are_missing_and_large_metadata_is_read(tmp_path: Path) -> None:
    mask = np.ma.MaskedArray(np.ones((512, 512)), np.eye(512, dtype=bool))
    given = signal("m", mask, [uniform("y", 512), uniform("x", 512)])
    given["metadata"]["large"] = large = np.random.default_rng(0).random(200_000)
    found = xr.open_dataset(saved(tmp_path, given), engine="zspy")["m"]
    assert int(found.isnull().sum()) == 512
    assert type(found.attrs["metadata"]["large"]) is np.ndarray
    np.testing.assert_array_equal(found.attrs["metadata"]["large"], large)


def test_models_of_no_signal_are_no_variables(tmp_path: Path) -> None:
    path = saved(tmp_path, signal(models={"m": {"a": 1}}))
    node: Any = zspy.deserialise(zspy.fetch(path))
    del node.members["Experiments"].members["map"]
    zspy.commit(zspy.serialise(node), path)
    assert list(xr.open_dataset(path, engine="zspy")) == []


@pytest.mark.parametrize(
    ("expression", "points"),
    [
        ("x", [1.0, 1.5]),
        ("+a / x", [2.0, 2.0 / 1.5]),
        ("5", [5.0, 5.0]),
        ("sqrt(x) - sin(a)", np.sqrt([1.0, 1.5]) - np.sin(2.0)),
        ("9 ** 9 ** 9 ** 9", [np.inf, np.inf]),
    ],
)
def test_an_expression_is_evaluated(expression: str, points: Any) -> None:
    x = {"size": 2, "scale": 0.5, "offset": 1.0}
    axis = {"name": "f", "expression": expression, "a": 2, "x": x}
    array = ours.from_signal({"data": np.zeros(2), "axes": [axis], "metadata": {}})
    np.testing.assert_allclose(array.f.values, points)


@pytest.mark.parametrize(
    "expression",
    [
        *("__import__('os')", "x.real", "x if a else 1", "f(x)", "sin(x, x)"),
        *("x +", "(" * 500 + "x", "x" + " + x" * 500, "'a'", "[x]", "x % 2", "~a", f"1{'0' * 400}"),
    ],
)
def test_an_expression_that_is_no_arithmetic_is_refused(expression: str) -> None:
    axis: dict[str, Any] = {"name": "f", "expression": expression, "a": 2, "x": {}}
    with pytest.raises(zspy.EncodeError, match=r"axes\[0\].*is no arithmetic"):
        ours.from_signal({"data": np.zeros(2), "axes": [axis], "metadata": {}})


def test_what_xarray_changed_is_written_as_it_is_now() -> None:
    array = ours.from_signal(signal())
    part = array.isel(E=slice(1, 5)).transpose("E", "y").rename(y="z", E="E")
    axes = ours.to_signal(part)["axes"]
    assert axes[0]["size"] == 4
    assert axes[0]["scale"] == 0.1
    assert axes[0]["offset"] == 5.1
    assert (axes[1]["name"], axes[1]["navigate"]) == ("z", True)
    uneven = ours.to_signal(array.isel(E=[0, 1, 4]).rename("new"), navigation=["E"])
    assert uneven["axes"][1]["_type"] == "DataAxis"
    assert [axis["navigate"] for axis in uneven["axes"]] == [False, True]
    assert uneven["metadata"]["General"]["title"] == "new"
    zspy.file_writer({}, uneven)


def test_any_array_of_xarray_becomes_a_signal() -> None:
    coords = {"x": [1.0], "t": ("y", ["a", "b", "c"]), "at": 2.5}
    array = xr.DataArray(np.zeros((1, 3, 0)), coords, ("x", "y", "none"), attrs={"units": "K"})
    found = ours.to_signal(array)
    assert [axis["name"] for axis in found["axes"]] == ["x", "y", "none"]
    assert (found["axes"][0]["offset"], found["axes"][0]["scale"]) == (1.0, 1.0)
    rest = found["original_metadata"]["xarray"]
    assert rest["attrs"] == {"units": "K"}
    assert rest["coords"]["at"]["data"] == 2.5
    store: dict[str, bytes] = {}
    zspy.file_writer(store, found)
    assert zspy.file_reader(store)[0]["data"].shape == (1, 3, 0)


def test_an_axis_that_xarray_cannot_hold_is_refused_by_its_number() -> None:
    points = np.array([0, 1], "M8[25s]")
    with pytest.raises(
        zspy.EncodeError, match=r"axes\[0\]: xarray has no .*, a unit with a factor"
    ):
        ours.from_signal({"data": np.zeros(2), "axes": [{"axis": points}], "metadata": {}})


def test_texts_of_an_axis_that_have_become_objects_are_texts_again() -> None:
    given = {"_type": "DataAxis", "name": "x", "axis": np.array(["a", "bc"])}
    array = ours.from_signal({"data": np.zeros(2), "axes": [given], "metadata": {}})
    (axis,) = ours.to_signal(array.assign_coords(x=array["x"].astype(object)))["axes"]
    assert (axis["axis"].dtype, axis["axis"].tolist()) == (np.dtype("U2"), ["a", "bc"])


@pytest.mark.parametrize("name", ["x", "t"])
def test_a_coordinate_of_times_in_a_zone_is_refused(name: str) -> None:
    """Beside an axis it was stored without its zone."""
    pandas: Any = pytest.importorskip("pandas")
    times = pandas.DatetimeIndex(["2020-01-01", "2020-01-02"], tz="Europe/Berlin")
    array = xr.DataArray(np.zeros(2), dims="x", coords={name: ("x", times)})
    with pytest.raises(zspy.EncodeError, match=rf"^coords\.{name}: .*Europe/Berlin"):
        ours.to_signal(array)
    array[name] = ("x", times.tz_convert(None))
    assert ours.to_signal(array)["data"].shape == (2,)


@pytest.mark.parametrize("dim", [0, None, ("a", 1)])
def test_a_dimension_whose_name_is_no_text_is_refused(dim: Any) -> None:
    array = xr.DataArray(np.zeros((2, 3)), dims=[dim, "x"])
    with pytest.raises(zspy.EncodeError, match=r"^dims: .* is no name of a dimension; rename it"):
        ours.to_signal(array)


@pytest.mark.parametrize("values", [[(1, 2), 3], [1 + 2j, 3]])
def test_a_coordinate_that_no_axis_is_made_from_is_refused(values: Any) -> None:
    points = np.empty(2, object)
    points[:] = values
    given = np.asarray(values) if isinstance(values[0], complex) else points
    array = xr.DataArray(np.zeros(2), {"x": ("x", given)}, ("x",))
    with pytest.raises(zspy.EncodeError, match=r"coords\.x: .* is no axis"):
        ours.to_signal(array)


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        (np.array(["a", "b", "c"]), {"scale": 1.0, "units": None}),
        (np.array(["a", "b", "c"], object), {"scale": 1.0, "units": None}),
        (np.array([True, False, True]), {"scale": 1.0, "units": None}),
        (np.arange(3), {"scale": 1.0, "units": None}),
        (np.array([1, 2, 4], "M8[h]").astype("M8[ns]"), {"axis": [0, 3600, 3 * 3600]}),
        (np.array([10, 20, 30], "m8[s]").astype("m8[ns]"), {"offset": 10.0, "units": "s"}),
        (np.array([], "M8[ns]"), {"size": 0, "units": "s"}),
    ],
)
def test_times_texts_and_whole_numbers_come_back(
    values: Any, axis: dict[str, Any], tmp_path: Path
) -> None:
    coords = {"x": ("x", values, {"long_name": "of x"})}
    array = xr.DataArray(np.zeros(len(values)), coords, ("x",), "t")
    found = ours.to_signal(array)
    for key, value in axis.items():
        np.testing.assert_array_equal(found["axes"][0][key], value)
    zspy.file_writer(tmp_path / "x.zspy", found)
    back = xr.open_dataset(tmp_path / "x.zspy", engine="zspy")["t"]
    assert back.x.dtype.kind == values.dtype.kind or values.dtype.kind == "O"
    assert back.x.long_name == "of x"
    np.testing.assert_array_equal(back.x.values, values)
    again = ours.to_signal(back)
    assert again["axes"][0]["name"] == "x"
    np.testing.assert_array_equal(ours.from_signal(again).x.values, values)


def test_an_axis_that_was_changed_counts(tmp_path: Path) -> None:
    """What a coordinate says of the axis of a file is held against its values."""
    points = np.array(["2020-01-01", "2020-01-03"], "M8[s]")
    axis = {"_type": "DataAxis", "axis": points, "name": "x", "units": "", "navigate": False}
    given: Any = {"data": np.arange(2.0), "axes": [axis], "metadata": {}}
    zspy.file_writer(tmp_path / "x.zspy", given)
    (array,) = xr.open_dataset(tmp_path / "x.zspy", engine="zspy").data_vars.values()
    changed = array.assign_coords(x=array.x.copy(data=np.array([1.5, 4.0])))
    np.testing.assert_array_equal(ours.to_signal(changed)["axes"][0]["axis"], [1.5, 4.0])
    for dtype in ("M8[nothing]", "M", "Mx"):
        odd = array.copy()
        (name,) = (name for name, held in odd.x.attrs.items() if "dtype" in str(held))
        odd.x.attrs[name] = {**odd.x.attrs[name], "dtype": dtype}
        assert len(ours.to_signal(odd)["axes"]) == 1


@pytest.mark.parametrize(
    "points",
    [
        np.array(["2020-01-01", "2020-01-03", "NaT"], "M8[D]"),
        np.array(["2020-01-01T00:00:01", "2021-01-01"], ">M8[s]"),
        np.array([1, 2, 5], "m8[s]"),
        np.array(["a", "bé", "c"]),
        np.array(["a", "bé", "c"], np.dtypes.StringDType()),
        np.array([1, 2.5, 7], ">f8"),
        np.array([b"a", b"b"]),
        np.array([True, False]),
    ],
    ids=lambda points: str(points.dtype),
)
@pytest.mark.parametrize("units", ["", "s"])
@pytest.mark.parametrize("to", ["dataset", "netcdf4", "zarr"])
def test_an_axis_of_a_file_that_is_not_of_numbers_comes_back(
    to: str, units: str, points: Any, tmp_path: Path
) -> None:
    axis = {"_type": "DataAxis", "axis": points, "name": "x", "units": units, "navigate": False}
    given: Any = {"data": np.arange(float(len(points))), "axes": [axis], "metadata": {}}
    zspy.file_writer(tmp_path / "x.zspy", given)
    dataset = xr.open_dataset(tmp_path / "x.zspy", engine="zspy")
    if to == "netcdf4":
        pytest.importorskip("netCDF4")
        dataset.to_netcdf(tmp_path / "x.nc", engine="netcdf4")
        with xr.open_dataset(tmp_path / "x.nc", decode_timedelta=True) as opened:
            dataset = opened.load()
    elif to == "zarr":
        dataset.to_zarr(tmp_path / "x.zarr", zarr_format=2, consolidated=False)
        dataset = xr.open_zarr(tmp_path / "x.zarr", consolidated=False, decode_timedelta=True)
    (found,) = ours.to_signal(dataset)
    (wanted,) = zspy.file_reader(tmp_path / "x.zspy")
    wanted_axis = dict(wanted["axes"][0])
    wanted_axis.pop("index_in_array", None)
    assert first_difference(wanted_axis, found["axes"][0], ordered=False) is None
    assert not found.get("original_metadata")
    part: Any = dataset.isel(x=slice(1, None))
    np.testing.assert_array_equal(ours.to_signal(part)[0]["axes"][0]["axis"], points[1:])
    part = part.assign_coords(x=np.arange(3.0, len(points) + 2))
    assert ours.to_signal(part)[0]["axes"][0]["offset"] == 3


@pytest.mark.parametrize("kind", [{}, {"_type": "DataAxis"}, {"_type": "AxisOfOthers"}])
@pytest.mark.parametrize(
    "points",
    [
        ["a", "b", "c"],
        np.array([True, False, True]),
        np.array([1, 2, 5], "M8[s]"),
        np.array([1, 2, 5], "m8[ms]"),
        np.array([1.0, 2.0, 3.0]),
        np.array([1, 2, 4], ">f4"),
    ],
    ids=lambda points: str(np.asarray(points).dtype),
)
@pytest.mark.parametrize("to", ["dataset", "netcdf4"])
def test_given_points_come_back_whatever_the_type_of_their_axis_is_called(
    to: str, points: Any, kind: dict[str, str], tmp_path: Path
) -> None:
    """Without a type they were put beside the axis, or taken for equal steps."""
    axis = {"name": "x", "units": "s", "axis": points, **kind}
    array = ours.from_signal(signal(data=np.zeros(3), axes=[axis]))
    (found,) = ours.to_signal(through_netcdf(array.to_dataset(), tmp_path / "x.nc", to))
    wanted = {**axis, "axis": np.asarray(points)}
    assert first_difference(wanted, dict(found["axes"][0]), ordered=False) is None
    assert not found.get("original_metadata")


LOST_ON_THE_WAY: Final[dict[str, Any]] = {
    "days": np.array([[1, -5, "NaT"]], "M8[D]"),
    "nanoseconds": np.array([[1, 2**62, -(2**62)]], "M8[ns]"),
    "long ago": np.array([["0001-01-01", "9999-12-31T23:59:59", "2026-01-01"]], "M8[us]"),
    "durations": np.array([[1, -5, 3]], "m8[h]"),
    "half precision": np.array([[1.5, np.nan, 3]], "f2"),
    "half precision of others": np.array([[1.5, 2, 3]], ">f2"),
    "long numbers": np.array([[1.5, np.nan, 3]], "g"),
    "other order": np.array([[1.5, np.nan, 3]], ">f4"),
    "whole numbers of other order": np.array([[1, 2, 3]], ">i2"),
    "short texts": np.array([["a", "b", "c"]], "U4"),
    "short bytes": np.array([[b"a", b"b", b"c"]], "S4"),
    "texts": np.array([["a", "", "bcd"]], np.dtypes.StringDType()),
    "masked numbers": np.ma.array([[1, 0, 3]], "u2", mask=[[False, True, False]], fill_value=7),
    "masked fractions": np.ma.array([[1.5, 0, 3]], mask=[[False, True, False]]),
    "masked truth": np.ma.array([[True, False, True]], mask=[[False, True, False]]),
    "masked days": np.ma.array(np.array([[1, 0, 3]], "M8[D]"), mask=[[False, True, False]]),
    "masked years far away": np.ma.array(np.array([["2373", "0001", "9999"]], "M8[Y]"), mask=False),
    "nothing masked": np.ma.array([[1, 2, 3]], "i8", mask=False),
}


def through_netcdf(dataset: Any, path: Path, to: str) -> Any:
    """Write a dataset, and read it."""
    if to == "dataset":
        return dataset
    pytest.importorskip("netCDF4" if to == "netcdf4" else to)
    dataset.to_netcdf(path, engine=cast("Any", to))
    with xr.open_dataset(path, engine=cast("Any", to), decode_timedelta=True) as opened:
        return opened.load()


@pytest.mark.parametrize("case", LOST_ON_THE_WAY)
@pytest.mark.parametrize("to", ["dataset", "netcdf4", "h5netcdf"])
# xarray says that dates of cftime are its way to hold these
@pytest.mark.filterwarnings("ignore:Unable to decode time axis:xarray.SerializationWarning")
def test_data_of_which_xarray_makes_something_else_comes_back(
    to: str, case: str, tmp_path: Path
) -> None:
    data = LOST_ON_THE_WAY[case]
    path = saved(tmp_path, signal("t", data, [uniform("y", 1), uniform("x", 3)]))
    attributes = "text" if to == "h5netcdf" else "nested"
    with xr.open_dataset(path, engine="zspy", attributes=attributes) as dataset:
        (found,) = ours.to_signal(through_netcdf(dataset, tmp_path / "x.nc", to))
    assert first_difference(zspy.file_reader(path)[0]["data"], found["data"]) is None
    assert not found.get("original_metadata")


@pytest.mark.parametrize("dtype", ["f2", "g", ">i4", "U5", "T", "M8[D]", "f8"])
@pytest.mark.parametrize("to", ["dataset", "netcdf4", "h5netcdf"])
def test_a_scalar_comes_back(to: str, dtype: str, tmp_path: Path) -> None:
    """It became what xarray makes of it: nothing was said of data without a dimension."""
    path = saved(tmp_path, signal("t", np.array(1).astype(dtype), []))
    attributes = "text" if to == "h5netcdf" else "nested"
    with xr.open_dataset(path, engine="zspy", attributes=attributes) as dataset:
        (found,) = ours.to_signal(through_netcdf(dataset, tmp_path / "x.nc", to))
    assert first_difference(zspy.file_reader(path)[0]["data"], found["data"]) is None
    assert not found.get("original_metadata")


@pytest.mark.parametrize("dtype", ["f2", "U5", "f8"])
def test_a_scalar_of_xarray_is_what_it_was(dtype: str) -> None:
    array = xr.DataArray(np.array(1, dtype), name="t", attrs={"a": 1})
    found = ours.from_signal(ours.to_signal(array))
    del found.attrs["metadata"]
    xr.testing.assert_identical(found, array)


@pytest.mark.parametrize("dtype", ["i2", "f2", "f4"])
def test_a_mask_has_no_other_fill_value(dtype: str) -> None:
    """NumPy's default is of eight bytes, and two had another value for it, or infinity."""
    masked = np.ma.MaskedArray(np.zeros(2, dtype), [True, False])
    found: Any = ours.to_signal(ours.from_signal(signal("t", masked, [uniform("x", 2)])))["data"]
    wanted = np.ma.MaskedArray(np.zeros(2, dtype), [True, False])
    assert found.fill_value == wanted.fill_value
    assert type(found.fill_value) is type(wanted.fill_value)


@pytest.mark.parametrize("dtype", ["i2", "f8", "M8[s]", "?"])
def test_lazy_data_is_masked(dtype: str) -> None:
    """It ended in an AttributeError."""
    dask: Any = pytest.importorskip("dask.array")
    data = np.ma.MaskedArray(np.ones((4, 6), dtype), np.arange(24).reshape(4, 6) % 5 == 0)
    given = ours.from_signal(signal(data=dask.from_array(data, chunks=(2, 3))))
    assert given.chunks == ((2, 2), (3, 3))
    np.testing.assert_array_equal(given.isnull().values, data.mask)
    found = ours.to_signal(given)["data"].compute()
    assert found.mask.tolist() == data.mask.tolist()
    assert found.compressed().tolist() == data.compressed().tolist()


@pytest.mark.parametrize("mask", [[True, False, False, False], np.ma.nomask])
@pytest.mark.parametrize(
    "data",
    [
        np.array([1, np.nan, 3, np.nan]),
        np.array([1, np.nan, 3, 4], "f2"),
        np.array([1, complex(np.nan, 1), complex(1, np.nan), 2]),
        np.array([1, "NaT", 3, 4], "M8[s]"),
    ],
    ids=lambda data: str(data.dtype),
)
@pytest.mark.parametrize("to", ["dataset", "netcdf4"])
def test_nan_beside_a_mask_is_not_masked(to: str, data: Any, mask: Any, tmp_path: Path) -> None:
    """In xarray both are the same."""
    given = np.ma.MaskedArray(data, mask)
    array = ours.from_signal(signal("t", given, [uniform("x", 4)]))
    if data.dtype.kind == "c" and to == "netcdf4":
        to = "h5netcdf"
        array.attrs = {key: str(one) for key, one in array.attrs.items()}
        array.x.attrs = {key: str(one) for key, one in array.x.attrs.items()}
    (found,) = ours.to_signal(through_netcdf(array.to_dataset(), tmp_path / "x.nc", to))
    wanted = np.ma.MaskedArray(np.ma.filled(given, 0), mask)
    assert first_difference(wanted, found["data"]) is None
    changed = array.copy(data=np.roll(array.values, 1))
    assert ours.to_signal(changed)["data"].mask.sum() == np.isnan(array.values).sum()
    assert ours.to_signal(array[:3])["data"].mask.tolist() == np.isnan(array.values[:3]).tolist()


@pytest.mark.parametrize("dtype", ["u1", "i8", "f8", "M8[s]"])
def test_a_masked_scalar_stays_masked(dtype: str) -> None:
    given = np.ma.MaskedArray(np.array(5).astype(dtype), True)
    found: Any = ours.to_signal(ours.from_signal(signal("t", given, [])))["data"]
    assert found.mask.tolist() is True
    assert found.dtype == dtype


@pytest.mark.parametrize(
    "data", [[2**53 + 1, 0], np.array([2**64 - 1, 0], "u8"), ["a", "b"], [b"a", b"b"]]
)
def test_masked_values_that_have_no_missing_value_are_refused(data: Any) -> None:
    """Whole numbers were rounded, and texts became objects."""
    masked = np.ma.MaskedArray(data, [False, True])
    with pytest.raises(zspy.EncodeError, match="no missing value for a mask of"):
        ours.from_signal(signal("t", masked, [uniform("x", 2)]))
    held = np.ma.MaskedArray([2**53, 2**60], [False, True])
    found: Any = ours.to_signal(ours.from_signal(signal("t", held, [uniform("x", 2)])))
    assert found["data"].tolist() == [2**53, None]


def test_data_that_was_changed_keeps_its_values(tmp_path: Path) -> None:
    """What an attribute says of the data is held against its values."""
    path = saved(
        tmp_path,
        signal("days", np.array([1, 2, 3], "M8[D]"), [uniform("x", 3)]),
        signal("half", np.ones(3, "f2"), [uniform("x", 3)]),
        signal("masked", np.ma.array([1, 2, 3], mask=[False, True, False]), [uniform("x", 3)]),
    )
    given = xr.open_dataset(path, engine="zspy")

    def changed(name: str, by: Any) -> Any:
        array = given[name].astype("f8") if name == "half" else given[name]
        array = array + by
        array.attrs.update(given[name].attrs)
        return ours.to_signal(array)["data"]

    assert changed("days", np.timedelta64(1, "s")).dtype == "M8[s]"
    assert changed("half", 1e-9).tolist() == [1 + 1e-9] * 3
    assert changed("masked", 0.5).tolist() == [1.5, None, 3.5]
    lazy = xr.open_dataset(path, engine="zspy", chunks={})
    assert is_lazy(ours.to_signal(lazy["days"])["data"])
    masked = ours.to_signal(lazy["masked"])["data"]
    assert is_lazy(masked)
    assert is_masked(masked)
    assert masked.compute().tolist() == [1, None, 3]
    assert masked.dtype == masked.compute().dtype == "f8"
    odd = given["masked"].copy(data=np.array([1, 2, 3]))
    assert ours.to_signal(odd)["data"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("units", ["days since 2000-01-01", "hours since 2001-01-01 00:00"])
@pytest.mark.parametrize("points", [None, [0.0, 1.5, 4.0]])
def test_an_axis_in_a_unit_that_netcdf_takes_for_dates_comes_back(
    units: str, points: Any, tmp_path: Path
) -> None:
    axis = uniform("x", 3, units=units)
    if points:
        axis = {"_type": "DataAxis", "axis": np.array(points), "name": "x", "units": units}
    path = saved(tmp_path, signal("t", np.zeros(3), [axis]))
    pytest.importorskip("netCDF4")
    pytest.importorskip("cftime")
    dataset = xr.open_dataset(path, engine="zspy", attributes="text")
    (found,) = ours.to_signal(through_netcdf(dataset, tmp_path / "x.nc", "netcdf4"))
    (wanted,) = zspy.file_reader(path)
    wanted_axis = {key: one for key, one in wanted["axes"][0].items() if key != "index_in_array"}
    assert first_difference(wanted_axis, dict(found["axes"][0]), ordered=False) is None
    assert not found.get("original_metadata")


def test_dates_of_other_calendars_are_seconds_from_the_first(tmp_path: Path) -> None:
    cftime: Any = pytest.importorskip("cftime")
    dates = [cftime.DatetimeNoLeap(2024, 2, day) for day in (27, 28)]
    dates.append(cftime.DatetimeNoLeap(2024, 3, 1))
    found = ours.to_signal(xr.DataArray(np.zeros(3), {"x": dates}, ("x",)))
    assert (found["axes"][0].get("scale"), found["axes"][0].get("units")) == (86400.0, "s")
    zspy.file_writer(tmp_path / "x.zspy", found)
    back = xr.open_dataset(tmp_path / "x.zspy", engine="zspy")
    assert back.x.values.tolist() == dates


def test_a_coordinate_of_an_axis_that_was_changed_stays_in_the_metadata() -> None:
    array = xr.DataArray(np.zeros(3), {"x": ["a", "b", "c"]}, ("x",), "t")
    signal: Any = ours.to_signal(array)
    signal["axes"][0]["scale"] = 2.0
    found = ours.from_signal(signal)
    assert found.x.values.tolist() == [0.0, 2.0, 4.0]
    assert found.attrs["original_metadata"]["xarray"]["coords"].keys() == {"x"}
    signal = ours.to_signal(xr.DataArray(np.zeros(3), dims="x"))
    assert "x" not in ours.from_signal(signal).coords
    signal["axes"][0]["scale"] = 2.0
    assert ours.from_signal(signal).x.values.tolist() == [0.0, 2.0, 4.0]


def test_who_wrote_a_signal_is_an_attribute() -> None:
    package = {"package": "hyperspy", "package_version": "2.5.0"}
    array = ours.from_signal(signal(**package))
    assert array.attrs["package"] == "hyperspy"
    assert {key: ours.to_signal(array)[key] for key in package} == package
    assert repr(array.attrs["metadata"]) == repr(signal()["metadata"])


def test_dictionaries_that_are_set_as_attributes_are_parts_of_the_signal() -> None:
    array = ours.from_signal(signal())
    array.attrs["metadata"] = {"General": {"title": "other"}}
    array.attrs["original_metadata"] = {"a": 1}
    found = ours.to_signal(array.rename("other"))
    assert (found["metadata"], found["original_metadata"]) == (
        {"General": {"title": "other"}},
        {"a": 1},
    )


def test_a_dataset_becomes_signals_and_a_dataset_again(tmp_path: Path) -> None:
    dataset = xr.Dataset(
        {
            "a": (("y", "x"), np.arange(6.0).reshape(2, 3), {"units": "K"}),
            "b": ("y", np.array(["u", "v"], object)),
            "c": ((), 5),
        },
        {"x": [1.0, 2.0, 4.0], "beside": ("z", [7, 8]), "z": [0.5, 1.0], "at": 3},
        {"title": "all"},
    )
    zspy.file_writer(tmp_path / "x.zspy", ours.to_signal(dataset))
    with xr.open_dataset(tmp_path / "x.zspy", engine="zspy") as found:
        xr.testing.assert_equal(dataset, found)
        assert found.attrs == {"title": "all"}
        assert "y" not in found.coords
        assert found.a.units == "K"
    with pytest.raises(zspy.EncodeError, match="without data variables"):
        ours.to_signal(xr.Dataset(coords={"x": [1]}))


def test_names_that_xarray_does_not_take_are_others(tmp_path: Path) -> None:
    """A title that is the name of an axis, and a slash, which would be a path in Zarr."""
    axes = [uniform("m/z", 5), {"_type": "DataAxis", "name": "y", "axis": [1.0, np.nan, 3.0]}]
    given = [signal("y", np.zeros((5, 3)), axes), signal("a/b", np.zeros((5, 3)), axes)]
    path = saved(tmp_path, *given)
    found = xr.open_dataset(path, engine="zspy")
    assert {*found.data_vars} == {"y_2", "a_b"}
    assert found["a_b"].dims == ("m_z", "y")
    found.to_zarr(tmp_path / "a.zarr", consolidated=False)
    again = xr.open_dataset(tmp_path / "a.zarr", engine="zarr", consolidated=False)
    assert {*xr.open_datatree(path, engine="zspy").groups} == {"/", "/y", "/a_b"}
    expected = {one["metadata"]["General"]["title"]: one for one in zspy.file_reader(path)}
    zspy.file_writer(tmp_path / "b.zspy", ours.to_signal(again))
    for one in zspy.file_reader(tmp_path / "b.zspy"):
        assert [*differences(one, expected[one["metadata"]["General"]["title"]])] == []


def test_one_signal_is_a_group_and_all_are_a_tree(tmp_path: Path) -> None:
    axes = [uniform("x", 5), uniform("y", 6)]
    path = saved(tmp_path, signal(), signal("a/b", np.zeros((5, 6)), axes), big())
    assert list(xr.open_dataset(path, engine="zspy", group="/map")) == ["map"]
    with pytest.raises(zspy.EncodeError, match="group: there is no signal 'x'; use one of"):
        xr.open_dataset(path, engine="zspy", group="x")
    with xr.open_datatree(path, engine="zspy") as tree:
        assert {*tree.groups} == {"/", "/map", "/a_b", "/4D"}
        np.testing.assert_array_equal(tree["4D"]["4D"].values, big()["data"])
        assert ours.to_signal(tree["a_b"]["a_b"])["metadata"]["General"]["title"] == "a/b"
    assert next(iter(xr.open_groups(path, engine="zspy"))) == "/"


OTHER = '{"__zspy__": {".zgroup": "eyJ6YXJyX2Zvcm1hdCI6Mn0="}}'


def deep(levels: int) -> Any:
    tree: Any = {}
    for _ in range(levels):
        tree = {"d": tree}
    return tree


METADATA: list[Any] = [
    {},
    {"a": {"b": [1, 2.5, "x", None, True, {"c": []}]}},
    {"a": (1, (2,)), "b": 1 + 2j, "c": b"\xff", "nan": float("nan"), "inf": [-float("inf")]},
    {5: 6, "__zspy__": 7, "\ud800": "\ud800", "array": np.arange(5, dtype=">u2")},
    {"a": {"__zspy__": {}}, "date": np.datetime64("2020-01-01")},
]


@pytest.mark.parametrize("metadata", METADATA)
def test_nested_attributes_are_text_that_tells_all(metadata: Any) -> None:
    nested: Any = ours.Nested(metadata)
    text: Any = str(nested)
    assert type(text) is str
    assert len({nested, text}) == 1
    assert nested == text
    assert repr(ours.Nested.of(text)) == repr(metadata)
    assert copy.deepcopy(nested).value.keys() == metadata.keys()
    assert {*nested} == metadata.keys()
    assert len(nested) == len(metadata)


def test_a_tree_of_many_levels_is_text_as_well() -> None:
    text = str(ours.Nested(deep(2000)))
    assert str(ours.Nested(ours.Nested.of(text))) == text


def test_very_many_values_that_json_does_not_know_are_documents_together() -> None:
    """A list of some kilobytes in a file may have millions of them."""

    def cost(number: int) -> int:
        value = {"x": [1j * n for n in range(number)], "y": {"z": 1}}
        nested: list[Any] = []
        counted = calls(lambda: nested.append(ours.Nested(value)))
        assert ours.Nested.of(str(nested[0])) == value
        return counted

    assert cost(20_000) < 2 * cost(1100)


@pytest.mark.parametrize(
    "text", [5, "", "text", "{", '{"__zspy__": {}}', '{"__zspy__": 5}', "[1]", OTHER]
)
def test_other_attributes_stay_what_they_are(text: Any) -> None:
    array = xr.DataArray(np.zeros(2), dims="x", attrs={"metadata": text})
    assert ours.to_signal(array)["original_metadata"]["xarray"]["attrs"] == {"metadata": text}


def test_attributes_that_are_nested_are_a_dictionary() -> None:
    nothing: Any = None
    with pytest.raises(zspy.EncodeError, match="value: None is no dictionary; use"):
        ours.Nested(nothing)


def test_attributes_can_be_text_alone(tmp_path: Path) -> None:
    path = saved(tmp_path, signal())
    found = xr.open_dataset(path, engine="zspy", attributes="text")["map"]
    assert type(found.attrs["metadata"]) is str
    assert type(found.E.attrs["zspy_axis"]) is str
    assert not differences([ours.to_signal(found)["metadata"]], [signal()["metadata"]])
    with pytest.raises(zspy.EncodeError, match="attributes: 'other' is no choice"):
        xr.open_dataset(path, engine="zspy", attributes="other")


@pytest.mark.parametrize(
    ("installed", "kind"),
    [({"netCDF4", "h5netcdf"}, ours.Nested), ({"h5netcdf"}, str), ({"scipy"}, ours.Nested)],
    ids=["both", "h5netcdf", "scipy"],
)
def test_attributes_are_what_the_package_for_netcdf_takes(
    installed: set[str], kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> object:
        return name if name in installed else None

    monkeypatch.setattr(ours, "find_spec", find)
    found = xr.open_dataset(saved(tmp_path, signal()), engine="zspy")["map"]
    assert type(found.attrs["metadata"]) is kind
    assert not differences([ours.to_signal(found)["metadata"]], [signal()["metadata"]])


def test_many_files_are_opened_as_one(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    for number in range(3):
        axes = [uniform("y", 4, offset=2.0 * number, navigate=True), uniform("E", 6)]
        zspy.file_writer(tmp_path / f"{number}.zspy", signal(axes=axes))
    with xr.open_mfdataset(str(tmp_path / "*.zspy"), engine="zspy") as found:
        axis = ours.to_signal(found)[0]["axes"][0]
        assert (axis["size"], axis["scale"], axis["navigate"]) == (12, 0.5, True)
        np.testing.assert_array_equal(found["map"][4:8].values, signal()["data"])


def test_an_option_that_the_engine_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(zspy.EncodeError, match="lazy: the engine zspy has no such option; see"):
        xr.open_dataset(tmp_path / "x.zspy", engine="zspy", lazy=True)


def test_coordinates_of_no_dimension_and_attributes_come_back(tmp_path: Path) -> None:
    coords = {
        "x": [1.0, 2.0],
        "label": ("y", ["a", "b", "c"], {"long_name": "of the row"}),
        "lat": (("x", "y"), np.arange(6.0).reshape(2, 3)),
        "at": 2.5,
    }
    array = xr.DataArray(
        np.ones((2, 3)), {**coords, "y": [0.0, 1.0, 5.0]}, ("x", "y"), "t", {"units": "K"}
    )
    signal = ours.to_signal(array)
    zspy.file_writer(tmp_path / "x.zspy", signal)
    for found in (
        ours.from_signal(signal),
        xr.open_dataset(tmp_path / "x.zspy", engine="zspy")["t"],
    ):
        for name in ("label", "lat", "at"):
            xr.testing.assert_identical(found[name].variable, array[name].variable)
        assert found.attrs["units"] == "K"
        assert "original_metadata" not in found.attrs
        assert ours.to_signal(found)["original_metadata"].keys() == {"xarray"}


@pytest.mark.parametrize("units", [5, None, ["nm"], np.array([1, 2]), b"nm", {"of": "nm"}])
def test_units_that_are_no_text_are_an_attribute_like_others(units: Any, tmp_path: Path) -> None:
    coordinate = xr.Variable("x", [1.0, 2.0], {"units": units})
    signal = ours.to_signal(xr.DataArray(np.ones(2), {"x": coordinate}, name="t"))
    assert signal["axes"][0]["units"] is None
    zspy.file_writer(tmp_path / "x.zspy", signal)
    found = xr.open_dataset(tmp_path / "x.zspy", engine="zspy")["t"]
    assert first_difference(found.x.attrs["units"], units) is None


@pytest.mark.parametrize(
    "coordinate",
    [
        5,
        {"dims": ["x"], "data": [1, 2, 3]},
        {"dims": ["other"], "data": [1, 2]},
        {"dims": "x", "data": [1, 2]},
        {"dims": [], "data": [1, 2]},
        {"data": [1, 2]},
    ],
)
def test_a_coordinate_that_does_not_fit_stays_in_the_metadata(coordinate: Any) -> None:
    carried: dict[str, Any] = {"coords": {"c": coordinate, "x": {"dims": ["x"], "data": [7, 8]}}}
    signal = {
        "data": np.ones(2),
        "axes": [{"name": "x", "size": 2}],
        "metadata": {},
        "original_metadata": {"xarray": carried, "more": 1},
    }
    found = ours.from_signal(signal)
    assert [*found.coords] == ["x"]
    assert found.attrs["original_metadata"] == {"more": 1, "xarray": carried}


@pytest.mark.parametrize("carried", [3, {}, {"attrs": 5, "coords": 6}, {"attrs": {"metadata": 1}}])
def test_what_was_put_aside_may_be_anything(carried: Any) -> None:
    signal = {
        "data": np.ones(2),
        "axes": [{"name": "x", "size": 2}],
        "metadata": {"a": 1},
        "original_metadata": {"xarray": carried},
    }
    found = ours.from_signal(signal)
    assert found.attrs["metadata"] == {"a": 1}
    assert [*found.coords] == ["x"]


def test_data_without_axes_has_dimensions_that_count(tmp_path: Path) -> None:
    zspy.file_writer(tmp_path / "x.zspy", {"data": np.ones((2, 3)), "axes": [], "metadata": {}})
    found = xr.open_dataset(tmp_path / "x.zspy", engine="zspy")["data"]
    assert found.dims == ("dim_0", "dim_1")
    assert found.dim_1.values.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [2**40, 3], "chunks": [2**20, 3]}, "an axis of 1099511627776 points, which"),
        ({"shape": [2**28, 3], "chunks": [2**20, 3]}, "an axis of 268435456 points, which"),
    ],
)
def test_an_axis_that_memory_would_not_hold_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "f.zspy"
    axes: list[Any] = [{"name": "y", "size": 4}, {"name": "x", "size": 3}]
    zspy.file_writer(path, {"data": np.zeros((4, 3)), "axes": axes, "metadata": {}})
    (document,) = path.glob("Experiments/*/data/.zarray")
    said = json.loads(document.read_bytes())
    document.write_text(json.dumps(said | changes), encoding="utf-8")
    (first,) = path.glob("Experiments/*/axis-0/.zattrs")
    said = json.loads(first.read_bytes())
    first.write_text(json.dumps(said | {"size": changes["shape"][0]}), encoding="utf-8")
    with pytest.raises(zspy.FormatError, match=message):
        xr.open_dataset(path, engine=ours.Backend)


def test_a_wrong_call_is_told_with_its_place_and_a_remedy() -> None:
    wrong: Any = None
    array = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"))
    with pytest.raises(zspy.EncodeError, match="signal: None is no signal; give one dictionary"):
        ours.from_signal(wrong)
    with pytest.raises(zspy.EncodeError, match="array: None is no object of xarray"):
        ours.to_signal(wrong)
    with pytest.raises(zspy.EncodeError, match="navigation: a str is no collection of names"):
        ours.to_signal(array, navigation="y")
    with pytest.raises(
        zspy.EncodeError, match="navigation: there is no dimension 'z'; use some of 'y', 'x'"
    ):
        ours.to_signal(array, navigation=["y", "z"])


@pytest.mark.parametrize("key", ["data", "axes", "metadata"])
def test_a_signal_that_lacks_a_key_is_refused_by_its_name(key: str) -> None:
    signal: dict[str, Any] = {"data": np.arange(3), "axes": [{"name": "x"}], "metadata": {}}
    signal.pop(key)
    with pytest.raises(zspy.EncodeError, match="signal: a dict is no signal; give one dict"):
        zspy.xarray.from_signal(signal)


def test_what_xarray_reads_of_a_file_is_within_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of arrays that are all fill value, a file of some kilobytes held as many gigabytes."""
    file: dict[str, bytes] = {}
    plain: dict[str, Any] = {"data": np.arange(4), "axes": [{"size": 4}]}
    zspy.file_writer(file, {**plain, "metadata": {"m": {"a": np.ones(2**20, "f8")}}})
    folder = "Experiments/__unnamed__/metadata/m"
    huge = file[f"{folder}/a/.zarray"].replace(b'"fill_value": 0.0', b'"fill_value": 1.0')
    path = tmp_path / "a.zspy"
    zspy.commit({**file, **{f"{folder}/x{n}/.zarray": huge for n in range(4)}}, path)
    monkeypatch.setattr("zspy.files.reader.LIMITS", zspy.Limits(memory=2**24))
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        xr.open_dataset(path, engine="zspy")


def test_the_points_of_all_axes_are_bounded(tmp_path: Path, monkeypatch: Any) -> None:
    def line(number: int) -> Any:
        return signal(f"s{number}", np.zeros(60), [uniform(f"x{number}", 60)])

    monkeypatch.setattr(ours, "_MOST_POINTS", 100)
    with pytest.raises(zspy.FormatError, match="axes of 100 points"):
        xr.open_dataset(saved(tmp_path, line(1), line(2)), engine="zspy")
    same = line(1) | {"metadata": {"General": {"title": "other"}}}
    with xr.open_dataset(saved(tmp_path, line(1), same), engine="zspy") as found:
        assert found.sizes == {"x1": 60}
    monkeypatch.setattr(ours, "_MAKING", 1)  # an expression takes longer to make
    long = FUNCTIONAL | {"expression": f"x + 0 * ({'+'.join('x' * 40)})", "size": 4}
    monkeypatch.setattr(ours, "_MOST_POINTS", 20)
    with pytest.raises(zspy.FormatError, match="axes of 20 points"):
        ours.from_signal(signal("s", np.zeros(4), [long]))


def test_thousands_of_one_name_are_numbered_in_few_steps() -> None:
    names: set[str] = set()
    last: dict[str, int] = {}
    asked: list[str] = []

    def taken(name: str) -> bool:
        asked.append(name)
        return name in names

    for _ in range(1000):
        names.add(ours._free("a", taken, last))
    assert names == {"a", *(f"a_{number}" for number in range(2, 1001))}
    assert len(asked) < 100 * 1000


@pytest.mark.parametrize("edges", [[2], [3, 2]])
def test_points_of_another_shape_are_told(edges: list[int], tmp_path: Path) -> None:
    points = {"axis": np.array([1.0, 2.0, 4.0]), "name": "x"}
    path = saved(tmp_path, signal("s", np.zeros(3), [points]), compressor=False)
    document = path / "Experiments/s/axis-0/axis/.zarray"
    changed = json.loads(document.read_text()) | {"shape": edges, "chunks": edges}
    document.write_text(json.dumps(changed))
    (document.parent / "0").unlink()
    (path / "Experiments/s/.zattrs").write_text("{}")
    with pytest.raises(zspy.FormatError, match="for 3 elements"):
        xr.open_dataset(path, engine="zspy")


def test_fewer_axes_than_dimensions_are_completed() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal("s"), show_progressbar=False)
    kept = {key: data for key, data in file.items() if "/axis-" not in key}
    listed = {"axes": [uniform("y", 4)]}
    kept["Experiments/s/.zattrs"] = json.dumps(listed).encode()
    assert xr.open_dataset(kept, engine="zspy").sizes == {"y": 4, "dim_1": 6}


def named_alike(count: int) -> dict[str, bytes]:
    """Make a file of signals with axes of one name that all differ."""
    file: dict[str, bytes] = {}
    axes = [{"name": "x", "size": 3, "scale": 1.0 + number} for number in range(count)]
    signals = [
        {"data": np.zeros(3), "axes": [axis], "metadata": {"General": {"title": str(number)}}}
        for number, axis in enumerate(axes)
    ]
    zspy.file_writer(file, signals, sync=False)
    return file


def test_axes_of_one_name_are_told_apart_without_comparing_each_with_all() -> None:
    few, many = (named_alike(count) for count in (50, 100))
    opened = ours.Backend().open_dataset
    opened(few)
    assert calls(lambda: opened(many)) < 2.3 * calls(lambda: opened(few))


def test_more_axes_than_xarray_can_take_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "_MOST_COORDINATES", 4)
    assert len(ours.Backend().open_dataset(named_alike(4)).dims) == 4
    with pytest.raises(zspy.FormatError, match="more than 4 axes that differ; use"):
        ours.Backend().open_dataset(named_alike(5))
    assert len(ours.Backend().open_groups_as_dict(named_alike(5))) == 6
    monkeypatch.setattr(ours, "_MOST_NODES", 4)
    assert len(ours.Backend().open_datatree(named_alike(4)).children) == 4
    with pytest.raises(zspy.FormatError, match=r"more than 4 signals.*use group="):
        ours.Backend().open_datatree(named_alike(5))
