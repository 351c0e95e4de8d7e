"""Values of other libraries: told by the names of their classes, so that no library is imported.

Each type is one row of the table. A library is imported only where a record in a file asks for a
value of one of these types, and where it is not installed the plain form stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

from .types import JSON, Lowered, Value, ValueType

_LONGEST_UNIT: Final = 200
_LONGEST_STAMP: Final = 100
# Units are names with small powers. A library would compute a large power, for hours.
_TERM: Final = r"[^\W\d]\w*(?: \*\* -?\d{1,2}(?:\.\d{1,3})?)?"
_UNIT: Final = re.compile(rf"(?:1 / )?{_TERM}(?:(?: [*/] | )\(?{_TERM}\)?)*|%?")


def _quantity(module: str) -> Callable[..., Value]:
    """Give a function that makes a quantity of its plain form."""

    def make(plain: Any) -> Value:
        unit = plain["unit"]
        if len(unit) > _LONGEST_UNIT or _UNIT.fullmatch(unit) is None:
            raise ValueError("a unit that a library would compute")
        kind: Any = import_module(module).Quantity
        return kind(plain["value"], unit)

    return make


def _lower_timestamp(stamp: Any) -> Lowered:
    zone = getattr(stamp.tz, "key", None) or getattr(stamp.tz, "zone", None)
    return Lowered(stamp.isoformat(), ["pandas.Timestamp", stamp.unit, zone])


def _timestamp(
    plain: str,
    unit: Any,
    zone: Any,
) -> Value:
    if len(plain) > _LONGEST_STAMP:
        raise ValueError("a text that pandas would look at for minutes")
    stamp: Any = import_module("pandas").Timestamp(plain)
    if zone is not None:
        stamp = stamp.tz_convert(ZoneInfo(zone))
    return stamp.as_unit(unit)


def _lower_timedelta(delta: Any) -> Lowered:
    spec: list[JSON] = ["pandas.Timedelta", int(delta.value), delta.unit]
    return Lowered(delta.total_seconds(), spec)


def _timedelta(
    _: Any,
    nanoseconds: Any,
    unit: Any,
) -> Value:
    if type(nanoseconds) is not int:
        raise TypeError("no number of nanoseconds")
    return import_module("pandas").Timedelta(nanoseconds, "ns").as_unit(unit)


def _series_plain(series: Any) -> Value:
    index, values = series.index.to_numpy(), series.to_numpy()
    return {"index": index, "name": series.name, "values": values}


def _series(plain: Any) -> Value:
    pandas: Any = import_module("pandas")
    return pandas.Series(plain["values"], plain["index"], name=plain["name"])


def _frame_plain(frame: Any) -> Value:
    columns = {name: column.to_numpy() for name, column in frame.items()}
    if len(columns) < len(frame.columns):
        return None  # Several columns have one name.
    return {"columns": columns, "index": frame.index.to_numpy()}


def _frame(plain: Any) -> Value:
    shape = plain["index"].shape
    if any(column.shape != shape for column in plain["columns"].values()):
        raise ValueError("pandas would repeat a column")
    return import_module("pandas").DataFrame(plain["columns"], plain["index"])


def _pint_plain(one: Any) -> Any:
    return {"unit": str(one.units), "value": one.magnitude}


def _astropy_plain(one: Any) -> Any:
    return {"unit": one.unit.to_string(), "value": one.value}


# One row a type: by its name, with the library that it or one of its bases is from.
FOREIGN_TYPES: Final = {
    "pint.PlainQuantity": ValueType(
        None,
        (dict,),
        _pint_plain,
        _quantity("pint"),
    ),
    "astropy.Quantity": ValueType(
        None,
        (dict,),
        _astropy_plain,
        _quantity("astropy.units"),
    ),
    "pandas.Timestamp": ValueType(None, (str,), _lower_timestamp, _timestamp),
    "pandas.Timedelta": ValueType(None, (float,), _lower_timedelta, _timedelta),
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
    return None


def has_unit(value: object) -> bool:
    """Tell a quantity, whose values are not all that it is.

    >>> has_unit(1.5)
    False
    """
    return any(name.endswith("Quantity") for name in _names(value))


# Arrays that lie in a file are read block by block.
_ARRAYS_IN_FILES: Final = {"h5py.Dataset", "zarr.Array"}


def lazily_opened(value: Any) -> Any:
    """Give a dask array of an array that lies in a file; all else unchanged."""
    if not set(_names(value)) & _ARRAYS_IN_FILES:
        return value
    chunks = value.chunks or "auto"
    return import_module("dask.array").from_array(value, chunks, name=False)
