"""Values of other libraries: kept with their unit, zone and index, or as a plain form."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any, Self

import numpy as np
import pytest

from zspy import Array, EncodeError, Group, UnsupportedError, decode, encode, encode_signal
from zspy.values.foreign import FOREIGN_TYPES, has_unit
from zspy.values.names import RECORD


class Quantity:
    """A value with a unit, as pint has it."""

    __module__ = "pint.facets.plain.quantity"
    __qualname__ = "PlainQuantity"

    def __init__(self, value: Any, units: str) -> None:
        self.magnitude, self.units = value, units


class ArrayQuantity(np.ndarray[Any, Any]):
    """A value with a unit, as astropy has it."""

    __module__ = "astropy.units.quantity"
    __qualname__ = "Quantity"

    unit: Any

    def __new__(cls, value: Any, unit: str) -> Self:
        """Make one of an array."""
        made = np.asarray(value).view(cls)
        made.unit = Unit(unit)
        return made

    @property
    def value(self) -> Any:
        """Return the array without its unit."""
        return np.asarray(self)[()]


class Unit:
    """The unit of an `ArrayQuantity`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_string(self) -> str:
        """Return it as text."""
        return self.text


@pytest.fixture(autouse=True)
def _libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have modules that offer the two quantities."""
    for module, kind in (("pint", Quantity), ("astropy.units", ArrayQuantity)):
        fake: Any = ModuleType(module)
        fake.Quantity = kind
        monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setitem(sys.modules, "astropy", ModuleType("astropy"))


@pytest.mark.parametrize(
    ("value", "unit", "plain"),
    [
        (Quantity(5, "nanometer"), "nanometer", 5),
        (Quantity(1.5, "1 / second ** 2"), "1 / second ** 2", 1.5),
        (Quantity(np.arange(3), "kg * m / s"), "kg * m / s", [0, 1, 2]),
        (ArrayQuantity(2.5, "km / (Mpc s)"), "km / (Mpc s)", 2.5),
        (ArrayQuantity([1, 2], "nm"), "nm", [1, 2]),
    ],
)
def test_a_quantity_keeps_its_unit(value: Any, unit: str, plain: Any) -> None:
    group = encode({"x": value})
    stored: Any = group.members["x"]
    assert stored.attributes["unit"] == unit
    found = decode(group)["x"]
    assert type(found) is type(value)
    kept: Any = found.magnitude if isinstance(found, Quantity) else found.value
    assert np.asarray(kept).tolist() == plain


@pytest.mark.parametrize("unit", ["9**9**9**9", "9 ** 9 ** 9", "m ** 999", "a" * 300, "m(1)"])
def test_a_unit_that_a_library_would_compute_is_not_given_to_it(unit: str) -> None:
    found = decode(encode({"x": Quantity(1, unit)}))["x"]
    assert found == {"unit": unit, "value": 1}


def test_without_its_library_a_quantity_is_a_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    group = encode({"x": Quantity(1, "nm")})
    monkeypatch.setitem(sys.modules, "pint", None)
    assert decode(group)["x"] == {"unit": "nm", "value": 1}


def test_data_and_points_have_no_unit_of_their_own() -> None:
    assert has_unit(Quantity(1, "nm"))
    axis = {"axis": ArrayQuantity([1, 2], "nm")}
    signal: dict[str, Any] = {"data": np.zeros(2), "axes": [axis], "metadata": {}}
    with pytest.raises(EncodeError, match=r"^axes\[0\]\.axis: .* no vector without a unit"):
        encode_signal(signal)
    with pytest.raises(EncodeError, match=r"^data: .*; give its values; a unit belongs to an axis"):
        encode_signal(signal | {"data": ArrayQuantity([1, 2], "nm"), "axes": [{}]})


# --------------------------------------------------------------------------------------------------
# pandas


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_timestamp_keeps_its_unit_and_its_zone(zone: str | None, unit: str) -> None:
    pandas = pytest.importorskip("pandas")
    stamp = pandas.Timestamp("2026-11-28T12:00:01.5", tz=zone).as_unit(unit)
    found = decode(encode({"x": stamp}))["x"]
    assert found == stamp
    assert (type(found), found.unit, found.utcoffset()) == (type(stamp), unit, stamp.utcoffset())


def test_a_difference_of_timestamps_keeps_its_nanoseconds() -> None:
    pandas = pytest.importorskip("pandas")
    delta = pandas.Timedelta(1_500_000_001, "ns")
    found = decode(encode({"x": delta}))["x"]
    assert (found, type(found), found.unit) == (delta, type(delta), "ns")


def test_series_and_frames_are_arrays_with_an_index() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[5, 7])
    found = decode(encode({"frame": frame, "series": frame["b"]}))
    pandas.testing.assert_frame_equal(found["frame"], frame, check_dtype=False)
    assert found["series"].name == "b"
    assert found["series"].index.tolist() == [5, 7]
    assert found["series"].tolist() == ["x", "y"]
    with pytest.raises(UnsupportedError, match="DataFrame is of no type that zspy stores"):
        encode({"x": pandas.DataFrame([[1, 2]], columns=["a", "a"])})


@pytest.mark.parametrize(
    ("plain", "spec"),
    [
        ("2" * 10**6, ["pandas.Timestamp", "ns", None]),
        ("2020-01-01", ["pandas.Timestamp", "ns", "/dev/zero"]),
        (1.5, ["pandas.Timedelta", "1e9", "ns"]),
        (1.5, ["pandas.Timedelta", 10**400, "ns"]),
    ],
)
def test_a_record_that_pandas_would_work_on_for_long_is_ignored(plain: Any, spec: Any) -> None:
    pytest.importorskip("pandas")
    assert decode(Group({"x": plain, RECORD: {"types": {"x": [spec]}}}))["x"] == plain


def test_a_frame_is_not_made_larger_than_what_is_stored() -> None:
    pandas = pytest.importorskip("pandas")
    group: Any = encode({"x": pandas.DataFrame({"a": [1, 2]})})
    columns = group.members["x"].members["columns"]
    del columns.members["a"]
    columns.attributes["a"] = 1
    assert decode(group)["x"]["columns"] == {"a": 1}
    del columns.attributes["a"]
    columns.members["a"] = Array(np.zeros(1))
    assert decode(group)["x"]["columns"]["a"].shape == (1,)


# --------------------------------------------------------------------------------------------------
# Arrays in files


def test_the_data_may_lie_in_a_file(tmp_path: Any) -> None:
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("dask.array")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("a", data=np.arange(6).reshape(2, 3), chunks=(1, 3))
        signal: dict[str, Any] = {"data": data, "axes": [{}, {}], "metadata": {}}
        node: Any = encode_signal(signal).members["data"]
        assert node.data.chunks == ((1, 1), (3,))
        assert node.data.compute().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_no_library_is_imported() -> None:
    names = {name.partition(".")[0] for name in FOREIGN_TYPES} | {"h5py", "dask"}
    code = (
        "import sys, zspy; import numpy as np; "
        "zspy.encode({'a': 1, 'b': [1, 'x', None], 'c': np.ones(2), 'd': {1, 2}}); "
        f"print(sorted({names!r} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
