"""Values of other libraries: told by the names of their classes, so that no library is imported.

Each type is one row of the table. A library, or a module of the standard library that few need, is
imported only where a record in a file asks for a value of one of these types, and where it is not
installed the plain form stays.
"""

from __future__ import annotations

import datetime as dt
import re
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from .errors import EncodeError
from .nodes import same_json
from .types import JSON, Lowered, Value, ValueType, is_array, is_dict

_LONGEST_UNIT: Final = 200
_LONGEST_STAMP: Final = 100
# Units are names with small powers. A library would compute a large power, for hours.
_POWER: Final = r" \*\* -?\d{1,2}(?:\.\d{1,17})?|\(-?\d{1,2}/\d{1,2}\)"
_TERM: Final = rf"[^\W\d]\w*(?:{_POWER})?"
_TERMS: Final = rf"(?:1 / )?{_TERM}(?:(?: [*/] | )\(?{_TERM}\)?)*"
_SCALE: Final = r"\d{1,9}(?:\.\d{1,9})?(?:e[+-]\d{1,2})?"
# Astropy has units of logarithms, and one for each field.
_UNIT: Final = re.compile(
    rf"(?:{_SCALE} )?{_TERMS}|{_SCALE}|%?|"
    rf"(?:mag|dex|dB)\((?:1|{_TERMS})\)|\({_TERMS}(?:, {_TERMS})*\)"
)
# A dtype of pandas that is made by its name; others may be anything.
_DTYPE: Final = re.compile(
    r"(?:U?Int|Float)(?:8|16|32|64)|boolean|str|string|object|"
    r"datetime64\[[mun]?s, [A-Z][\w+/:-]{1,60}\]|"
    r"period\[-?\d{0,6}[a-zA-Z]{1,4}(?:-\w{2,4})?\]"
)
# How many dates, and how far apart. Even steps pandas computes at once, others one by one; those
# of business hours and calendars are more than their name.
_FREQUENCY: Final = re.compile(
    r"\d+ -?\d{0,6}(?:D|h|min|[mun]?s)|"
    r"\d{1,3} -?\d{0,6}(?![cC]|[bB]h)[a-zA-Z]{1,4}(?:-\w{2,4})?"
)
# Quantities of astropy that are more than a value and a unit are not made by such a name.
_ASTROPY: Final = {"Quantity", "Angle", "Latitude", "Longitude", "Distance"}
_ANY_DATE: Final = "cftime.datetime"
_CALENDARS: Final = "NoLeap AllLeap 360Day Julian Gregorian ProlepticGregorian"
_DATES: Final = {
    _ANY_DATE,
    *(f"cftime.Datetime{name}" for name in _CALENDARS.split()),
}
_ISO: Final = re.compile(
    r"(-?\d{4,9})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{6}))?"
)
_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


def _unit_of(plain: Any) -> str:
    """Give the unit of the plain form of a quantity."""
    unit: str = plain["unit"]
    if len(unit) > _LONGEST_UNIT or _UNIT.fullmatch(unit) is None:
        raise ValueError("a unit that a library would compute")
    return unit


def _pint_plain(one: Any) -> Any:
    # What a registry shows may be another form.
    return {"unit": format(one.units, "D"), "value": one.magnitude}


def _pint(plain: Any) -> Value:
    registry = import_module("pint").get_application_registry()
    return registry.Quantity(plain["value"], _unit_of(plain))


def _astropy_unit(plain: Any) -> Any:
    """Give the unit of a quantity by its name: one of astropy's, imperial ones too, or as it is."""
    name = _unit_of(plain)
    units: Any = import_module("astropy.units")
    try:
        return units.Unit(name)
    except ValueError:
        with units.add_enabled_units(import_module("astropy.units.imperial")):
            return units.Unit(name, parse_strict="silent")


def _lower_astropy(one: Any) -> Lowered | None:
    """Lower a quantity, with the name of its class, and where an angle begins again."""
    plain = {"unit": one.unit.to_string(), "value": one.value}
    if _astropy_unit(plain) != one.unit:
        return None  # by that name it would be another one, or have fewer digits
    classes = (name.partition(".")[2] for name in _names(one))
    name = next(name for name in classes if name in _ASTROPY)
    spec: list[JSON] = ["astropy.Quantity", name]
    if name == "Longitude":
        spec.append(float(one.wrap_angle.to_value("deg")))
    return Lowered(plain, spec if len(spec) > 2 or name != "Quantity" else spec[:1])


def _astropy(plain: Any, name: str = "Quantity", *wrap: float) -> Value:
    if name not in _ASTROPY:
        raise ValueError("no quantity")
    kind: Any = import_module("astropy.units").Quantity
    unit = _astropy_unit(plain)
    made = kind(plain["value"], unit, subok=True, dtype=None)
    if name == "Quantity":
        return made
    made = getattr(import_module("astropy.coordinates"), name)(made)
    for angle in wrap:
        made.wrap_angle = kind(angle, "deg")
    return made


def _masked_plain(one: Any) -> Value:
    return np.ma.MaskedArray(one.unmasked, one.mask)


def _masked(plain: Any) -> Value:
    kind: Any = import_module("astropy.utils.masked").Masked
    return kind(plain.data, plain.mask)


def _lower_timestamp(stamp: Any) -> Lowered | None:
    of_pytz = getattr(stamp.tz, "zone", None)
    zone = getattr(stamp.tz, "key", of_pytz)
    offset = stamp.utcoffset() or dt.timedelta()
    if zone is None and stamp.tz and str(stamp.tz) != str(dt.timezone(offset)):
        return None  # The zone is more than its offset.
    if offset % dt.timedelta(minutes=1):  # What pandas writes has no seconds of it.
        zone = offset.total_seconds() if zone is None else zone
        stamp = stamp.tz_convert("UTC")
    spec: list[JSON] = ["pandas.Timestamp", stamp.unit, zone]
    return Lowered(stamp.isoformat(), [*spec, "pytz"] if of_pytz else spec)


def _timestamp(
    plain: str,
    unit: Any,
    zone: Any,
    *library: Any,
) -> Value:
    if len(plain) > _LONGEST_STAMP:
        raise ValueError("a text that pandas would look at for minutes")
    stamp: Any = import_module("pandas").Timestamp(plain)
    if isinstance(zone, (int, float)):
        stamp = stamp.tz_convert(dt.timezone(dt.timedelta(seconds=zone)))
    elif zone is not None:
        known = ZoneInfo(zone)
        # Of a name, pandas 2 makes a zone of pytz.
        stamp = stamp.tz_convert(known.key if library else known)
    return stamp.as_unit(unit)


def _lower_timedelta(delta: Any) -> Lowered:
    nanoseconds = int(delta.asm8.view("i8")) * _NANOSECONDS[delta.unit]
    spec: list[JSON] = ["pandas.Timedelta", nanoseconds, delta.unit]
    return Lowered(delta.total_seconds(), spec)


def _timedelta(
    _: Any,
    nanoseconds: Any,
    unit: Any,
) -> Value:
    if type(nanoseconds) is not int:
        raise TypeError("no number of nanoseconds")
    count = np.timedelta64(nanoseconds // _NANOSECONDS[unit], unit)
    return import_module("pandas").Timedelta(count).as_unit(unit)


def _lower_period(period: Any) -> Lowered:
    spec: list[JSON] = ["pandas.Period", period.ordinal, period.freqstr]
    return Lowered(str(period), spec)


def _period(_: Any, ordinal: Any, frequency: Any) -> Value:
    if type(ordinal) is not int or not _FREQUENCY.fullmatch(f"1 {frequency}"):
        raise ValueError("no period that is made by its name")
    return import_module("pandas").Period(ordinal=ordinal, freq=frequency)


def _interval_plain(one: Any) -> Value:
    return {"left": one.left, "right": one.right, "closed": one.closed}


def _interval(plain: Any) -> Value:
    pandas: Any = import_module("pandas")
    return pandas.Interval(plain["left"], plain["right"], plain["closed"])


def _lower_date(date: Any) -> Lowered:
    """Lower a date of any calendar, with the name of its class."""
    name = next(name for name in _names(date) if name in _DATES)
    spec: list[JSON] = [_ANY_DATE, name, date.calendar]
    return Lowered(date.isoformat(), [*spec, date.has_year_zero])


def _date(plain: str, name: str, calendar: str, has_year_zero: Any) -> Value:
    found = _ISO.fullmatch(plain)
    if found is None or name not in _DATES:
        raise ValueError("no date")
    parts = [int(part) for part in found.groups(default="0")]
    kind = getattr(import_module("cftime"), name.partition(".")[2])
    # The others have their calendar by themselves.
    given = {"calendar": calendar} if name == _ANY_DATE else {}
    return kind(*parts, has_year_zero=has_year_zero, **given)


def _column_plain(column: Any) -> Any:
    """Give the values of a Series or an Index, with the dtype where NumPy has none like it."""
    dtype: Any = column.dtype
    if isinstance(column.dtype, np.dtype) and not dtype.hasobject:
        return column.to_numpy()
    name = str(dtype)
    if name == "category":
        codes = getattr(column, "cat", column).codes
        return {
            "categories": _column_plain(dtype.categories),
            "codes": np.asarray(codes),
            "ordered": dtype.ordered,
        }
    # To have a place for what is missing, pandas would make floats of integers.
    values = column.astype(object).to_numpy()
    pandas: Any = import_module("pandas")
    kind = pandas.Index if hasattr(column, "nlevels") else pandas.Series
    if kind(values).dtype == dtype:
        return values
    if _DTYPE.fullmatch(name) and kind(values, dtype=name).dtype == dtype:
        return {"dtype": name, "values": values}
    return column.array  # which is refused by its name


def _column(plain: Any) -> Any:
    if not is_dict(plain):
        return plain
    pandas: Any = import_module("pandas")
    if "codes" in plain:
        return pandas.Categorical.from_codes(
            plain["codes"], _column(plain["categories"]), plain["ordered"]
        )
    if not _DTYPE.fullmatch(plain["dtype"]):
        raise ValueError("no dtype that is made by its name")
    return pandas.Index(plain["values"], dtype=plain["dtype"])


def _index_plain(index: Any) -> Any:
    """Give the values of an index; of several levels, or with names, each level."""
    levels = [
        _column_plain(index.get_level_values(level))
        for level in range(index.nlevels)
    ]
    names = [*index.names]
    # That of periods is said by each of them.
    if getattr(index, "freq", None) and not hasattr(index.dtype, "freq"):
        return {"levels": levels, "names": names, "freq": index.freqstr}
    if names == [None]:
        return levels[0]
    return {"levels": levels, "names": names}


def _index(plain: Any) -> Any:
    pandas: Any = import_module("pandas")
    if not is_dict(plain) or "levels" not in plain:
        return pandas.Index(_column(plain))
    levels, names = [*map(_column, plain["levels"])], plain["names"]
    if len(levels) != 1:
        return pandas.MultiIndex.from_arrays(levels, names=names)
    made = pandas.Index(levels[0], name=names[0])
    if frequency := plain.get("freq"):
        if not _FREQUENCY.fullmatch(f"{made.size} {frequency}"):
            raise ValueError("no frequency that is made by its name")
        made.freq = frequency
    return made


def _series_plain(series: Any) -> Value:
    return {
        "index": _index_plain(series.index),
        "name": series.name,
        "values": _column_plain(series),
        **_attributes(series),
    }


def _attributes(one: Any) -> dict[str, Any]:
    return {"attrs": dict(one.attrs)} if one.attrs else {}


def _series(plain: Any) -> Value:
    values, index = _column(plain["values"]), _index(plain["index"])
    made = import_module("pandas").Series(values, index, name=plain["name"])
    made.attrs.update(plain.get("attrs", {}))
    return made


def _frame_plain(frame: Any) -> Value:
    columns = {name: _column_plain(column) for name, column in frame.items()}
    if len(columns) < len(frame.columns):
        return None  # Several columns have one name.
    plain = {"columns": columns, "index": _index_plain(frame.index)}
    labels = _index_plain(frame.columns)
    # Of the names alone, pandas may make other ones.
    if not same_json(
        labels, _index_plain(import_module("pandas").Index([*columns]))
    ):
        plain["labels"] = labels
    return plain | _attributes(frame)


def _frame(plain: Any) -> Value:
    index = _index(plain["index"])
    columns = {name: _column(one) for name, one in plain["columns"].items()}
    if any(column.shape != index.shape for column in columns.values()):
        raise ValueError("pandas would repeat a column")
    made = import_module("pandas").DataFrame(columns, index)
    if "labels" in plain:
        made.columns = _index(plain["labels"])
    made.attrs.update(plain.get("attrs", {}))
    return made


def _missing(name: str) -> ValueType:
    """Make the row of what pandas has where a value is missing."""

    def restore(_: Any) -> Value:
        return getattr(import_module("pandas"), name)

    return ValueType(None, (str,), str, restore)


# One row a type: by its name, with the library that it or one of its bases is from.
FOREIGN_TYPES: Final = {
    "pint.PlainQuantity": ValueType(None, (dict,), _pint_plain, _pint),
    "astropy.Quantity": ValueType(None, (dict,), _lower_astropy, _astropy),
    "astropy.MaskedNDArray": ValueType(
        None, (np.ma.MaskedArray,), _masked_plain, _masked
    ),
    "pandas.Timestamp": ValueType(None, (str,), _lower_timestamp, _timestamp),
    "pandas.Timedelta": ValueType(None, (float,), _lower_timedelta, _timedelta),
    "pandas.Period": ValueType(None, (str,), _lower_period, _period),
    "pandas.Interval": ValueType(None, (dict,), _interval_plain, _interval),
    _ANY_DATE: ValueType(None, (str,), _lower_date, _date),
    "pandas.NaTType": _missing("NaT"),
    "pandas.NAType": _missing("NA"),
    "pandas.Series": ValueType(None, (dict,), _series_plain, _series),
    "pandas.DataFrame": ValueType(None, (dict,), _frame_plain, _frame),
}


def _names(value: object) -> list[str]:
    """Name the classes of a value, with their libraries: modules change from version to version."""
    classes = type(value).__mro__
    return [
        f"{str(one.__module__).split('.')[0]}.{one.__qualname__}" for one in classes
    ]


def lowered_foreign(value: object) -> Lowered | None:
    """Give the plain form of a value of another library, or None where it is in no row.

    >>> lowered_foreign(1) is None
    True
    """
    for name in _names(value):
        if row := FOREIGN_TYPES.get(name):
            return row.lowered(value, name)
    array = lazily_opened(value)
    return None if array is value else Lowered(array, [])


def has_unit(value: Any) -> bool:
    """Tell a quantity, whose values are not all that it is.

    >>> has_unit(1.5)
    False
    """
    if is_array(value) and value.dtype.names is None:
        units = getattr(value, "unit", None), getattr(value, "units", None)
        return units != (None, None)
    return any(name.endswith("Quantity") for name in _names(value))


# Arrays that lie in a file are read block by block.
_ARRAYS_IN_FILES: Final = {"h5py.Dataset", "zarr.Array"}


def lazily_opened(value: Any) -> Any:
    """Give a dask array of an array that lies in a file, and NumPy's array of a masked one.

    All else is unchanged.
    """
    names = {*_names(value)}
    if "astropy.MaskedNDArray" in names:
        return _masked_plain(value)
    if not names & _ARRAYS_IN_FILES:
        return value
    if "h5py.Dataset" in names and not value:
        problem = "an h5py.Dataset of a file that is closed"
        raise EncodeError(problem, "", "leave it open until it is written")
    if value.shape is None:
        return value
    if value.dtype.hasobject:
        is_text = "h5py.Dataset" in names and import_module(
            "h5py"
        ).check_string_dtype(value.dtype)
        return np.asarray((value.asstr() if is_text else value)[()])
    chunks = value.chunks or "auto"
    return import_module("dask.array").from_array(value, chunks, name=False)
