"""Values of other libraries: kept with their unit, zone and index, or as a plain form."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from zspy import (
    Array,
    EncodeError,
    Group,
    UnsupportedError,
    decode,
    decode_signal,
    encode,
    encode_signal,
    homogenized,
    unsupported,
)
from zspy.typing import Place
from zspy.values.foreign import FOREIGN_TYPES, has_unit
from zspy.values.names import RECORD


class Units(str):
    """Units as pint has them: what they look like is for their registry to say."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str.__str__(self) if spec == "D" else "as their registry shows them"


class Quantity:
    """A value with a unit, as pint has it."""

    __module__ = "pint.facets.plain.quantity"
    __qualname__ = "PlainQuantity"

    def __init__(self, value: Any, units: str) -> None:
        self.magnitude, self.units = value, Units(units)


class Unit:
    """The unit of an `ArrayQuantity`: one that its library knows, or a name that it does not."""

    def __init__(self, text: str, *, is_known: bool = True) -> None:
        self.text, self.is_known = text, is_known
        self.scale = float(text.split(maxsplit=1)[0]) if text[:1].isdecimal() else 1.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unit) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.text)

    def to_string(self) -> str:
        """Return it as text."""
        return self.text


UNKNOWN: Final = {"foo", "inch"}
"""Names that the library does not know by themselves."""
ENABLED: Final[list[str]] = []


def unit_by_name(text: str, parse_strict: str = "raise") -> Unit:
    """Give a unit, as astropy does."""
    is_known = text not in UNKNOWN or text in ENABLED
    if not is_known and parse_strict != "silent":
        raise ValueError(text)
    return Unit(text, is_known=is_known)


@contextmanager
def with_enabled(system: Any) -> Generator[None]:
    """Have more units known, as astropy does."""
    ENABLED.extend(system.names)
    yield
    ENABLED.clear()


class ArrayQuantity(np.ndarray[Any, Any]):
    """A value with a unit, as astropy has it."""

    __module__ = "astropy.units.quantity"
    __qualname__ = "Quantity"

    unit: Any

    def __new__(
        cls, value: Any, unit: Unit | str = "", *, subok: bool = False, dtype: Any = float
    ) -> Self:
        """Make one of an array, or of another one; of whole numbers only where it is asked to."""
        made = np.asarray(value, dtype).view(cls)
        assert subok or dtype is not None
        given = value.unit if isinstance(value, ArrayQuantity) else unit
        made.unit = Unit(given) if isinstance(given, str) else given
        return made

    @property
    def value(self) -> Any:
        """Return the array without its unit."""
        return np.asarray(self)[()]

    def to_value(self, unit: str) -> Any:
        """Return the value in the unit that it has."""
        assert unit == self.unit.to_string()
        return self.value


class Angle(ArrayQuantity):
    """An angle, as astropy has it."""

    __module__ = "astropy.coordinates.angles"
    __qualname__ = "Angle"


class Longitude(Angle):
    """An angle that begins again somewhere, as astropy has it."""

    __qualname__ = "Longitude"

    wrap_angle: Any = ArrayQuantity(360.0, "deg")


class MaskedNDArray(np.ndarray[Any, Any]):
    """An array with a mask, as astropy has it."""

    __module__ = "astropy.utils.masked.core"
    __qualname__ = "MaskedNDArray"

    mask: Any

    def __new__(cls, value: Any, mask: Any) -> Self:
        """Make one of two arrays."""
        made = np.asarray(value).view(cls)
        made.mask = np.asarray(mask)
        return made

    @property
    def unmasked(self) -> Any:
        """Return all values."""
        return np.asarray(self)


@pytest.fixture(autouse=True)
def _libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have modules that offer the two quantities."""
    modules: dict[str, dict[str, Any]] = {
        "pint": {"get_application_registry": lambda: SimpleNamespace(Quantity=Quantity)},
        "astropy": {},
        "astropy.units": {
            "Quantity": ArrayQuantity,
            "Unit": unit_by_name,
            "add_enabled_units": with_enabled,
        },
        "astropy.units.imperial": {"names": ["inch"]},
        "astropy.coordinates": {"Angle": Angle, "Longitude": Longitude},
        "astropy.utils": {},
        "astropy.utils.masked": {"Masked": MaskedNDArray},
    }
    for module, names in modules.items():
        fake = ModuleType(module)
        fake.__dict__.update(names)
        monkeypatch.setitem(sys.modules, module, fake)


class AngleOfProgram(Angle):
    """An angle of a program that has a class of its own for it."""

    __module__ = "program.angles"


def test_a_value_that_comes_back_as_what_a_library_has_is_told() -> None:
    """What geopandas makes of a table of pandas was stored as that, and nobody was told."""
    tree = {"x": [AngleOfProgram(2.5, "deg")], "y": Angle(2.5, "deg")}
    assert type(decode(encode(tree))["x"][0]) is Angle
    reason = "stored as astropy.Quantity, its plain base"
    name = "program.angles.AngleOfProgram"
    assert unsupported(tree) == [Place("x[0]", name, reason, narrowed=True)]


@pytest.mark.parametrize(
    ("value", "unit", "plain"),
    [
        (Quantity(5, "nanometer"), "nanometer", 5),
        (Quantity(1.5, "1 / second ** 2"), "1 / second ** 2", 1.5),
        (Quantity(np.arange(3), "kg * m / s"), "kg * m / s", [0, 1, 2]),
        (ArrayQuantity(2.5, "km / (Mpc s)"), "km / (Mpc s)", 2.5),
        (ArrayQuantity([1, 2], "nm", dtype=int), "nm", [1, 2]),
        (ArrayQuantity(2.5, "m(1/2) s"), "m(1/2) s", 2.5),
        (ArrayQuantity(2.5, "10 nm"), "10 nm", 2.5),
        (ArrayQuantity(2.5, "0.001 m / s"), "0.001 m / s", 2.5),
        (ArrayQuantity(2.5, "1e-10 m(3/2)"), "1e-10 m(3/2)", 2.5),
        (ArrayQuantity(2.5, "1e-06"), "1e-06", 2.5),
        (ArrayQuantity(2.5, "inch"), "inch", 2.5),
        (ArrayQuantity(2.5, Unit("foo", is_known=False)), "foo", 2.5),
        (ArrayQuantity(2.5, "dex(cm / s2)"), "dex(cm / s2)", 2.5),
        (ArrayQuantity([1.5, 2], "(m, s)"), "(m, s)", [1.5, 2]),
        (Angle(2.5, "deg"), "deg", 2.5),
        (Longitude([2.5], "deg"), "deg", [2.5]),
    ],
)
def test_a_quantity_keeps_its_unit(value: Any, unit: str, plain: Any) -> None:
    group = encode({"x": value})
    stored: Any = group.members["x"]
    assert stored.attributes["unit"] == unit
    found = decode(group)["x"]
    assert type(found) is type(value)
    assert getattr(found, "unit", None) == getattr(value, "unit", None)
    kept: Any = found.magnitude if isinstance(found, Quantity) else found.value
    assert np.asarray(kept).tolist() == plain
    assert (
        np.asarray(kept).dtype
        == np.asarray(value.magnitude if isinstance(found, Quantity) else value.value).dtype
    )


def test_a_longitude_begins_again_where_it_did() -> None:
    east = Longitude([170.0, -170.0], "deg")
    east.wrap_angle = ArrayQuantity(180.0, "deg")
    found: Any = decode(encode({"x": east}))["x"]
    assert found.wrap_angle.value == 180
    assert found.tolist() == [170, -170]


@pytest.mark.parametrize("name", ["Quantity", "Masked", "__class__"])
def test_a_record_names_no_other_class(name: str) -> None:
    group: Any = encode({"x": Angle(1.5, "deg")})
    group.attributes[RECORD]["types"]["x"] = [["astropy.Quantity", name]]
    found = decode(group)["x"]
    assert type(found) in (dict, ArrayQuantity)


def test_homogenization_leaves_what_a_library_makes_again() -> None:
    """It gave the plain array, without the unit or the mask."""
    masked = MaskedNDArray([1.5, 2.5], [False, True])
    given: dict[str, Any] = {
        "x": [ArrayQuantity(1.5, "nm"), 1],
        "y": (Longitude([2.5], "deg"),),
        "z": masked,
    }
    found = homogenized(given)
    assert found["x"][0] is given["x"][0]
    assert found["y"][0] is given["y"][0]
    assert found["z"] is masked
    assert type(decode(encode(found))["x"][0]) is ArrayQuantity


def test_a_mask_of_astropy_is_kept() -> None:
    masked = MaskedNDArray([1.5, 2.5], [False, True])
    found = decode(encode({"x": masked}))["x"]
    assert type(found) is MaskedNDArray
    assert (found.tolist(), found.mask.tolist()) == ([1.5, 2.5], [False, True])
    signal: dict[str, Any] = {"data": masked, "axes": [{}], "metadata": {}}
    read: Any = decode_signal(encode_signal(signal))["data"]
    assert (read.data.tolist(), read.mask.tolist()) == ([1.5, 2.5], [False, True])
    with pytest.raises(EncodeError, match=r"axes\[0\].axis: points that are masked"):
        encode_signal(signal | {"data": np.zeros(2), "axes": [{"axis": masked}]})
    with pytest.raises(EncodeError, match=r"axes\[0\].axis: no vector"):
        encode_signal(signal | {"data": np.zeros(2), "axes": [{"axis": [[1, 2], [3]]}]})


def test_the_class_of_a_quantity_is_recorded_where_it_is_another_one() -> None:
    given = {"a": ArrayQuantity(1.5, "nm"), "b": Angle(1.5, "deg"), "c": Longitude(1.5, "deg")}
    record: Any = encode(given).attributes[RECORD]
    assert record["types"] == {
        "a": [["astropy.Quantity"]],
        "b": [["astropy.Quantity", "Angle"]],
        "c": [["astropy.Quantity", "Longitude", 360.0]],
    }


def test_an_array_that_has_a_unit_is_not_stored_without_it() -> None:
    class Column(np.ndarray[Any, Any]):
        unit = Unit("nm")

    column = np.zeros(2).view(Column)
    with pytest.raises(UnsupportedError, match=r"^x: .*Column has a unit, which would be lost"):
        encode({"x": column})
    assert has_unit(column)
    assert not has_unit(np.zeros(2))
    assert not has_unit(np.zeros(2, [("unit", "f8")]).view(np.recarray))


def test_a_unit_that_its_name_does_not_give_is_refused() -> None:
    """One of the caller's own, or one whose name is that of another unit as well."""
    with pytest.raises(UnsupportedError, match=r"x: .* has a unit, which would be lost"):
        encode({"x": ArrayQuantity(2.5, "foo")})


def test_a_unit_whose_text_has_fewer_digits_is_refused_by_name() -> None:
    quantity = ArrayQuantity(2.5, "0.333333 m")
    quantity.unit.scale = 1 / 3
    with pytest.raises(UnsupportedError, match="has a unit, which would be lost"):
        encode({"x": quantity})
    quantity.unit.scale = 0.333333
    assert type(decode(encode({"x": quantity}))["x"]) is ArrayQuantity


@pytest.mark.parametrize("unit", ["9**9**9**9", "9 ** 9 ** 9", "m ** 999", "a" * 300, "m(1)"])
def test_a_unit_that_a_library_would_compute_is_not_given_to_it(unit: str) -> None:
    group: Any = encode({"x": Quantity(1, "nm")})
    group.members["x"].attributes["unit"] = unit
    assert decode(group)["x"] == {"unit": unit, "value": 1}
    with pytest.raises(UnsupportedError, match=r"x: .* has a unit, which would be lost"):
        encode({"x": Quantity(1, unit)})


def test_a_unit_that_its_library_has_another_name_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The "blob" of pint is a mass: a length of that name, of a caller's registry, became one."""

    def other(value: Any, _: str) -> Quantity:
        return Quantity(value, "slinch")

    registry = SimpleNamespace(Quantity=other)
    monkeypatch.setattr(sys.modules["pint"], "get_application_registry", lambda: registry)
    with pytest.raises(UnsupportedError, match=r"x: .* has a unit, which would be lost"):
        encode({"x": Quantity(1, "blob")})


def test_a_class_of_the_library_itself_that_does_not_come_back_is_told() -> None:
    """A constant of astropy, or a place on Earth, came back as a quantity, and nobody was told."""

    class Constant(ArrayQuantity):
        __qualname__ = "Constant"

    tree = {"x": Constant(2.5, "m")}
    assert type(decode(encode(tree))["x"]) is ArrayQuantity
    reason = "stored as astropy.Quantity, its plain base"
    name = "astropy.units.quantity.Constant"
    Constant.__module__ = ArrayQuantity.__module__
    assert unsupported(tree) == [Place("x", name, reason, narrowed=True)]


def test_a_class_that_its_registry_derives_from_it_is_no_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `pint.Quantity(1, "nm")` makes is the base of what a registry makes."""

    class OfRegistry(Quantity):
        __qualname__ = "Quantity"

    registry = SimpleNamespace(Quantity=OfRegistry)
    monkeypatch.setattr(sys.modules["pint"], "get_application_registry", lambda: registry)
    tree = {"x": Quantity(1, "nm")}
    assert type(decode(encode(tree))["x"]) is OfRegistry
    assert not unsupported(tree)


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


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Amsterdam",
        ZoneInfo("Europe/Amsterdam"),
        dt.timezone(dt.timedelta(seconds=1172)),
        dt.timezone(-dt.timedelta(seconds=1172, microseconds=5)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_timestamp_keeps_an_offset_with_seconds(zone: Any, unit: str) -> None:
    """The text that pandas makes of it has no seconds."""
    pandas = pytest.importorskip("pandas")
    stamp = pandas.Timestamp("1890-01-01T12:00:01", tz=zone).as_unit(unit)
    found = decode(encode({"x": stamp}))["x"]
    assert found == stamp
    assert (str(found), found.unit, found.tz) == (str(stamp), unit, stamp.tz)


def test_a_difference_of_timestamps_keeps_its_nanoseconds() -> None:
    pandas = pytest.importorskip("pandas")
    delta = pandas.Timedelta(1_500_000_001, "ns")
    found = decode(encode({"x": delta}))["x"]
    assert (found, type(found), found.unit) == (delta, type(delta), "ns")
    long = pandas.Timedelta(np.timedelta64(10**12, "s"))
    assert decode(encode({"x": long}))["x"] == long


def test_what_pandas_has_for_missing_values_is_kept() -> None:
    pandas = pytest.importorskip("pandas")
    found = decode(encode({"a": pandas.NaT, "b": [pandas.NA, 1]}))
    assert found["a"] is pandas.NaT
    assert found["b"][0] is pandas.NA
    assert [*decode(encode({pandas.NA: 1, "a": 2}))] == [pandas.NA, "a"]


@pytest.mark.parametrize(
    "dtype",
    [
        "Int64",
        "Float32",
        "boolean",
        "string",
        "category",
        "datetime64[ns, Europe/Berlin]",
        "datetime64[s, Europe/Berlin]",
        "datetime64[us, UTC+01:00]",
        "object",
    ],
)
def test_a_series_keeps_its_dtype(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    values = ["2020-01-01", None] if dtype.startswith("d") else [1, None, 1]
    if dtype == "Int64":
        values = [2**60 + 1, None]
    series = pandas.Series(["b", "a"] if dtype == "string" else values, dtype=dtype)
    series.attrs["unit"] = "nm"
    frame = series.to_frame("x").rename_axis(columns="quantity")
    frame.attrs["by"] = "me"
    found = decode(encode({"series": series, "frame": frame}))
    pandas.testing.assert_series_equal(found["series"], series)
    pandas.testing.assert_frame_equal(found["frame"], frame)
    assert (found["series"].attrs, found["frame"].attrs) == (series.attrs, frame.attrs)


@pytest.mark.parametrize(
    "kind", ["named", "categories", "levels", "times", "days", "halves", "text"]
)
def test_a_series_keeps_its_index(kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    levels = [["a", "b"], [1, 2]]
    index = {
        "named": pandas.Index([3, 4], name="n"),
        "categories": pandas.CategoricalIndex(["a", "b"]),
        "levels": pandas.MultiIndex.from_arrays(levels, names=["x", None]),
        "times": pandas.date_range("2020", periods=2, freq="D", tz="UTC", name="t"),
        "days": pandas.bdate_range("2020", periods=2),
        "halves": pandas.date_range("2020", periods=2, freq="SMS"),
        "text": pandas.Index(["a", "b"], dtype=object),
    }[kind]
    found = decode(encode({"x": pandas.Series([1.5, 2], index)}))["x"]
    pandas.testing.assert_series_equal(found, pandas.Series([1.5, 2], index))


@pytest.mark.parametrize("name", ["CDay", "CBMonthBegin", "BusinessHour"])
def test_dates_of_a_calendar_of_its_own_are_refused(name: str) -> None:
    """Without its holidays, or its hours, the frequency would be another one."""
    pandas = pytest.importorskip("pandas")
    given = {"start": "10:00"} if name == "BusinessHour" else {"holidays": ["2020-01-07"]}
    offset = getattr(pandas.offsets, name)(**given)
    index = pandas.date_range("2020-01-01", periods=2, freq=offset)
    with pytest.raises(UnsupportedError, match="Series is of no type that zspy stores"):
        encode({"x": pandas.Series([1, 2], index)})


def test_a_frequency_of_many_dates_is_an_even_step() -> None:
    """Of others pandas would compute date after date, from a file of hardly any bytes."""
    pandas = pytest.importorskip("pandas")
    for count, name in ((2**11, "D"), (2**11, "-5min"), (900, "B"), (900, "W-MON")):
        series = pandas.Series(1, pandas.date_range("2020", periods=count, freq=name))
        pandas.testing.assert_series_equal(decode(encode({"x": series}))["x"], series)
    many = pandas.date_range("2020", periods=2**11, freq="B", name="n")
    with pytest.raises(UnsupportedError, match="Series is of no type that zspy stores"):
        encode({"x": pandas.Series(1, many)})
    group: Any = encode({"x": pandas.Series(1, pandas.Index([*many], name="n"))})
    group.members["x"].members["index"].attributes["freq"] = "B"
    assert type(decode(group)["x"]) is dict


@pytest.mark.parametrize("index", [{"levels": [], "names": []}, {"levels": [], "names": ["a"]}])
def test_an_index_without_levels_is_a_dictionary(index: Any) -> None:
    pandas = pytest.importorskip("pandas")
    group: Any = encode({"x": pandas.Series([1, 2], pandas.Index([3, 4], name="n"))})
    group.members["x"].members["index"] = encode(index)
    assert decode(group)["x"]["index"] == index


@pytest.mark.parametrize("kind", ["short", "categories", "text", "times", "levels", "empty"])
def test_a_frame_keeps_the_labels_of_its_columns(kind: str) -> None:
    """Of their values alone, pandas made labels of another dtype, or without a frequency."""
    pandas = pytest.importorskip("pandas")
    labels = {
        "short": pandas.Index(np.array([1, 2], "i2")),
        "categories": pandas.CategoricalIndex(["a", "b"], name="n"),
        "text": pandas.Index(["a", "b"], dtype=object),
        "times": pandas.date_range("2020", periods=2),
        "levels": pandas.MultiIndex.from_arrays([["a", "a"], np.array([1, 2], "i2")]),
        "empty": pandas.Index([], dtype="i8"),
    }[kind]
    frame = pandas.DataFrame(np.zeros((1, len(labels))), columns=labels)
    pandas.testing.assert_frame_equal(decode(encode({"x": frame}))["x"], frame, check_freq=True)


@pytest.mark.parametrize("values", [["a", "b"], ["a", None], [], [1, 2]])
@pytest.mark.parametrize("dtype", ["object", "str"])
def test_text_is_of_the_dtype_that_it_was_of(values: list[Any], dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(values, dtype=dtype)
    pandas.testing.assert_series_equal(decode(encode({"x": series}))["x"], series)


@pytest.mark.parametrize("frequency", ["M", "Q-NOV", "2h", "ns", "W-SUN"])
@pytest.mark.parametrize("values", [["2020-01-05"], ["2020-01-05", None], [None], []])
def test_periods_are_kept(frequency: str, values: list[Any]) -> None:
    pandas = pytest.importorskip("pandas")
    periods = pandas.PeriodIndex(values, freq=frequency, name="n")
    series = pandas.Series(np.arange(len(values)), periods)
    found = decode(encode({"index": series, "values": pandas.Series(periods), "all": [*periods]}))
    pandas.testing.assert_series_equal(found["index"], series)
    pandas.testing.assert_series_equal(found["values"], pandas.Series(periods))
    assert [type(one) for one in found["all"]] == [type(one) for one in periods]
    assert [str(one) for one in found["all"]] == [str(one) for one in periods]


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
def test_intervals_are_kept(closed: str) -> None:
    pandas = pytest.importorskip("pandas")
    stamps = [pandas.Timestamp("2020"), pandas.Timestamp("2021")]
    for left, right in ([0, 1], [0.5, 2.5], [*map(np.int16, (1, 2))], stamps):
        one = pandas.Interval(left, right, closed)
        found = decode(encode({"x": one}))["x"]
        assert (found, type(found), found.closed) == (one, type(one), closed)
    many = pandas.interval_range(0, 3, closed=closed, name="n")
    cut = pandas.cut(pandas.Series([1, 2, 3]), 2)
    for series in (pandas.Series(many), pandas.Series([1, 2, 3], many), cut):
        pandas.testing.assert_series_equal(decode(encode({"x": series}))["x"], series)


@pytest.mark.parametrize(
    ("plain", "spec"),
    [
        ("2020-01", ["pandas.Period", 10**400, "M"]),
        ("2020-01", ["pandas.Period", "600", "M"]),
        ("2020-01", ["pandas.Period", 600, "C"]),
        ("2020-01", ["pandas.Period", 600, "M" * 300]),
        ({"left": "a", "right": "b", "closed": "left"}, ["pandas.Interval"]),
        ({"left": 1, "right": 2, "closed": "other"}, ["pandas.Interval"]),
        ({"left": 1}, ["pandas.Interval"]),
    ],
)
def test_a_record_of_no_period_or_interval_is_ignored(plain: Any, spec: Any) -> None:
    pytest.importorskip("pandas")
    group: Any = encode({"x": plain})
    group.attributes[RECORD] = {"types": {"x": [spec]}}
    assert decode(group)["x"] == plain


def test_what_a_library_makes_something_of_is_not_homogenized() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1], name=("a", 1))
    series.attrs["list"] = [1, 2.5, True]
    found = decode(encode({"x": series}, homogenize=True))["x"]
    assert found.name == ("a", 1)
    assert [type(one) for one in found.attrs["list"]] == [int, float, bool]


def test_a_column_without_a_name_is_kept() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({None: [1], "a": [2]})
    pandas.testing.assert_frame_equal(decode(encode({"x": frame}))["x"], frame)


@pytest.mark.parametrize("values", [[], [None]])
def test_stamps_that_are_missing_have_a_zone(values: list[Any]) -> None:
    """There is no value whose zone it could be, and the series was refused."""
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(values, dtype="datetime64[us, Europe/Berlin]")
    pandas.testing.assert_series_equal(decode(encode({"x": series}))["x"], series)


@pytest.mark.parametrize("name", ["dateutil/Europe/Berlin", "tzlocal()", "Z/../x", "/dev/zero"])
def test_a_zone_of_a_record_is_one_by_its_key(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([None], dtype="datetime64[us, Europe/Berlin]")
    group: Any = encode({"x": series})
    dtype = f"datetime64[us, {name}]"
    group.members["x"].members["values"].attributes["dtype"] = dtype
    assert decode(group)["x"]["values"]["dtype"] == dtype


class Moving(dt.tzinfo):
    """A zone that is more than its offset, and has no key."""

    def utcoffset(self, _: dt.datetime | None, /) -> dt.timedelta:
        """Return its offset."""
        return dt.timedelta(hours=1)

    dst = utcoffset

    def tzname(self, _: dt.datetime | None, /) -> str:
        """Return its name."""
        return "moving"


@pytest.mark.parametrize("zone", [Moving(), dt.timezone(dt.timedelta(hours=1), "XX")])
def test_a_stamp_in_a_zone_that_is_more_than_an_offset_is_told(zone: dt.tzinfo) -> None:
    pandas = pytest.importorskip("pandas")
    tree = {"x": pandas.Timestamp("2026-01-01", tz=zone)}
    found = decode(encode(tree))["x"]
    assert (found, found.utcoffset()) == (tree["x"], dt.timedelta(hours=1))
    assert [place.location for place in unsupported(tree) if place.narrowed] == ["x"]
    with pytest.raises(UnsupportedError, match="its zone is a"):
        encode({"x": type("Stamp", (dt.datetime,), {})(2026, 1, 1, tzinfo=found.tz)})


def test_a_stamp_of_a_year_that_pandas_does_not_read_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UnsupportedError, match="Timestamp is of no type that zspy stores"):
        encode({"x": pandas.Timestamp(np.datetime64("20000-01-01", "s"))})


@pytest.mark.parametrize("is_ordered", [True, False])
def test_categories_keep_whether_they_are_ordered(is_ordered: bool) -> None:
    pandas = pytest.importorskip("pandas")
    kind = pandas.CategoricalDtype(["b", "a", "c"], ordered=is_ordered)
    found = decode(encode({"x": pandas.Series(["a", "b", None], dtype=kind)}))["x"]
    assert found.dtype == kind
    assert found.cat.ordered is is_ordered


def test_a_zone_that_has_a_name_of_another_kind_is_kept() -> None:
    """The zones of pytz have a ``zone``, where those of Python have a ``key``."""
    stamp = SimpleNamespace(tz=SimpleNamespace(zone="UTC"), unit="s", isoformat=lambda: "2026")
    stamp.utcoffset = lambda: None
    row = FOREIGN_TYPES["pandas.Timestamp"]
    lowered = row.lowered(stamp, "pandas.Timestamp")
    assert lowered is not None
    assert (lowered.plain, lowered.spec) == ("2026", ["pandas.Timestamp", "s", "UTC", "pytz"])


def test_a_zone_that_pandas_makes_of_its_name_is_kept() -> None:
    """Those of pytz, which pandas 2 has, became zones of Python, and a column of another dtype."""
    pandas = pytest.importorskip("pandas")
    stamp = pandas.Timestamp("2026-11-28", tz="Europe/Berlin")
    group: Any = encode({"x": stamp})
    assert decode(group)["x"].tz == stamp.tz
    group.attributes[RECORD]["types"]["x"] = [["pandas.Timestamp", "s", "Europe/Berlin", "pytz"]]
    assert decode(group)["x"].tz == stamp.tz


def test_a_series_of_another_dtype_is_refused_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(pandas.arrays.SparseArray([0, 1.5]))
    with pytest.raises(UnsupportedError, match=r"^x.values: pandas[.\w]*SparseArray is of no type"):
        encode({"x": series})


def test_a_dtype_of_a_record_is_one_that_zspy_writes() -> None:
    pandas = pytest.importorskip("pandas")
    group: Any = encode({"x": pandas.Series([1, None], dtype="Int64")})
    group.members["x"].members["values"].attributes["dtype"] = "Sparse[int]"
    assert decode(group)["x"]["values"]["dtype"] == "Sparse[int]"


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
        *(("2020-01-01", ["pandas.Timestamp", "ns", zone]) for zone in (1e300, math.inf, 86400.0)),
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
# cftime


@pytest.mark.filterwarnings("ignore:this date/calendar/year zero convention")
@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day", "julian", "all_leap"])
@pytest.mark.parametrize("name", ["datetime", "DatetimeNoLeap", "Datetime360Day"])
@pytest.mark.parametrize("parts", [(2026, 2, 28), (12345, 1, 1, 2, 3, 4, 5), (-5, 12, 30)])
def test_a_date_keeps_its_class_and_its_calendar(
    calendar: str, name: str, parts: tuple[int, ...]
) -> None:
    cftime = pytest.importorskip("cftime")
    given = {"calendar": calendar} if name == "datetime" else {}
    date = getattr(cftime, name)(*parts, **given)
    group: Any = encode({"x": date, "several": [date, date]})
    assert group.attributes["x"] == date.isoformat()
    found = decode(group)
    for one in (found["x"], *found["several"]):
        assert (one, type(one), one.calendar) == (date, type(date), date.calendar)
        assert one.has_year_zero == date.has_year_zero


@pytest.mark.parametrize(
    ("plain", "name"),
    [
        ("2026-02-30T00:00:00", "cftime.DatetimeNoLeap"),
        ("2026-01-01T00:00:00", "cftime.num2date"),
        ("9" * 5000 + "-01-01T00:00:00", "cftime.datetime"),
    ],
)
def test_a_record_of_no_date_is_ignored(plain: str, name: str) -> None:
    pytest.importorskip("cftime")
    spec: Any = ["cftime.datetime", name, "noleap", True]
    assert decode(Group({"x": plain, RECORD: {"types": {"x": [spec]}}}))["x"] == plain


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
        inner: Any = decode(encode({"a": [data, 1]}))["a"][0]
        assert inner.chunks == ((1, 1), (3,))
        texts = file.create_dataset("t", data=["a", "\xe4"])
        assert decode(encode({"x": texts}))["x"].tolist() == ["a", "\xe4"]
        empty = file.create_dataset("e", data=h5py.Empty("f8"))
        with pytest.raises(EncodeError, match=r"an? \w+[.]Dataset is no array"):
            encode_signal({"data": empty, "axes": [], "metadata": {}})
    with pytest.raises(EncodeError, match=r"^x: an h5py.Dataset of a file that is closed"):
        encode({"x": data})


def test_what_has_whatever_it_is_asked_for_is_refused_for_what_it_is() -> None:
    """A delayed value of dask was said to have a zone, and to have values for NumPy."""

    class Delayed:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return self

    with pytest.raises(UnsupportedError, match="of no type that zspy stores; store a plain value"):
        encode({"x": Delayed()})


def test_no_library_is_imported() -> None:
    names = {name.partition(".")[0] for name in FOREIGN_TYPES} | {"h5py", "dask"}
    code = (
        # NumPy may load some of the standard library, and so does pathlib before Python 3.13.
        "import sys, pathlib; import numpy as np; before = {*sys.modules}; import zspy; "
        "zspy.encode({'a': 1, 'b': [1, 'x', None], 'c': np.ones(2), 'd': {1, 2}}); "
        f"print(sorted({names!r} & ({{*sys.modules}} - before)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("dtype", ["int64", "category", "datetime64[ns]"])
def test_an_index_is_refused_with_what_makes_an_array_of_it(dtype: str) -> None:
    pandas: Any = pytest.importorskip("pandas")
    said = r"^x: pandas[.\w]*Index is of no type .*; store value.to_numpy\(\), or leave it out"
    with pytest.raises(UnsupportedError, match=said):
        encode({"x": pandas.Index([1, 2], dtype=dtype)})
