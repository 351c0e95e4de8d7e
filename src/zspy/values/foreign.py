"""Values of other libraries: told by the names of their classes, so that no library is imported.

Each type is one row of the table. A library is imported only where a record in a file asks for a
value of one of these types, and where it is not installed the plain form stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from .types import JSON, Value

_LONGEST_UNIT: Final = 200
_LONGEST_STAMP: Final = 100
# Names with small powers, which is how units are written; no numbers that a library would compute.
_TERM: Final = r"[^\W\d]\w*(?: \*\* -?\d{1,2}(?:\.\d{1,3})?)?"
_UNIT: Final = re.compile(rf"(?:1 / )?{_TERM}(?:(?: [*/] | )\(?{_TERM}\)?)*|%?")


class ForeignType(NamedTuple):
    """One row of the table: a type, how it is stored, and how it is made again."""

    tag: str
    """What the record calls it."""
    class_name: str
    """The class that it or one of its bases is, with the library."""
    plain: Callable[[Any], Value]
    """Give the plain form, which every reader understands."""
    details: Callable[[Any], list[JSON]]
    """Give what the record has to say beside the tag."""
    takes: tuple[type, ...]
    """The types of plain forms, which is all that `restore` is given."""
    restore: Callable[..., Value]
    """Make the value of the plain form and the details."""


def _nothing(_: object) -> list[JSON]:
    return []


def _quantity(module: str) -> Callable[..., Value]:
    """Give a function that makes a quantity of its plain form."""

    def make(plain: Any) -> Value:
        unit = plain["unit"]
        if len(unit) > _LONGEST_UNIT or _UNIT.fullmatch(unit) is None:
            raise ValueError("a unit that a library would compute")
        kind: Any = import_module(module).Quantity
        return kind(plain["value"], unit)

    return make


def _timestamp_details(stamp: Any) -> list[JSON]:
    key = getattr(stamp.tz, "key", None) or getattr(stamp.tz, "zone", None)
    return [stamp.unit, key]


def _timestamp(plain: str, unit: Any, zone: Any) -> Value:
    if len(plain) > _LONGEST_STAMP:
        raise ValueError("a text that pandas would look at for minutes")
    stamp: Any = import_module("pandas").Timestamp(plain)
    if zone is not None:
        stamp = stamp.tz_convert(ZoneInfo(zone))
    return stamp.as_unit(unit)


def _timedelta(_: Any, nanoseconds: Any, unit: Any) -> Value:
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
        # columns of one name
        return None
    return {"columns": columns, "index": frame.index.to_numpy()}


def _frame(plain: Any) -> Value:
    shape = plain["index"].shape
    if any(column.shape != shape for column in plain["columns"].values()):
        raise ValueError("pandas would repeat a column")
    return import_module("pandas").DataFrame(plain["columns"], plain["index"])


FOREIGN_TYPES: Final = (
    ForeignType(
        "pint",
        "pint.PlainQuantity",
        lambda value: {"unit": str(value.units), "value": value.magnitude},
        _nothing,
        (dict,),
        _quantity("pint"),
    ),
    ForeignType(
        "astropy",
        "astropy.Quantity",
        lambda value: {"unit": value.unit.to_string(), "value": value.value},
        _nothing,
        (dict,),
        _quantity("astropy.units"),
    ),
    ForeignType(
        "pandas.Timestamp",
        "pandas.Timestamp",
        lambda value: value.isoformat(),
        _timestamp_details,
        (str,),
        _timestamp,
    ),
    ForeignType(
        "pandas.Timedelta",
        "pandas.Timedelta",
        lambda value: value.total_seconds(),
        lambda value: [int(value.value), value.unit],
        (float,),
        _timedelta,
    ),
    ForeignType(
        "pandas.Series",
        "pandas.Series",
        _series_plain,
        _nothing,
        (dict,),
        _series,
    ),
    ForeignType(
        "pandas.DataFrame",
        "pandas.DataFrame",
        _frame_plain,
        _nothing,
        (dict,),
        _frame,
    ),
)
QUANTITIES: Final = ("pint", "astropy")


def _names(value: object) -> set[str]:
    """Name the classes of a value, with their libraries: modules change from version to version."""
    return {
        f"{str(kind.__module__).partition('.')[0]}.{kind.__qualname__}"
        for kind in type(value).__mro__
    }


def foreign_type(value: object) -> ForeignType | None:
    """Find the row of a value, or None where its type is in no row.

    >>> foreign_type(1) is None
    True
    """
    names = _names(value)
    for row in FOREIGN_TYPES:
        if row.class_name in names:
            return row
    return None


def has_unit(value: object) -> bool:
    """Tell a quantity, whose values are not all that it is.

    >>> has_unit(1.5)
    False
    """
    row = foreign_type(value)
    return row is not None and row.tag in QUANTITIES


# arrays in a file, which are read block by block
_ARRAYS_IN_FILES: Final = ("h5py.Dataset", "zarr.Array")


def lazily_opened(value: Any) -> Any:
    """Give a dask array of an array that lies in a file; all else unchanged."""
    if _names(value).isdisjoint(_ARRAYS_IN_FILES):
        return value
    chunks = value.chunks or "auto"
    return import_module("dask.array").from_array(value, chunks, name=False)
