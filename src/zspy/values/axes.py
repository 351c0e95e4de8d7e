"""Axes of a signal: the table of their types, and the checks before an axis is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from .dtype_specs import MISFITS
from .errors import (
    DAMAGED,
    EncodeError,
    FormatError,
    a_kind,
    did_you_mean,
    expect,
    taking,
    unlike,
)
from .expressions import evaluated
from .foreign import has_unit
from .records import AxisTypeName
from .types import (
    JSON,
    Edges,
    Entries,
    NumPyArray,
    is_array,
    is_dict,
    is_lazy,
    is_list,
    is_mapping,
    is_sequence,
)

_WORD: Final = re.compile(r"\w+")
# Of more entries that an axis does not know, none is misspelt.
_MOST_OTHERS: Final = 1000
# From this likeness on, one key is taken for a misspelling of another (`difflib`).
_SIMILAR: Final = 0.8

_Kind: TypeAlias = tuple[tuple[type, ...], str]
_TEXT: Final = ((str, type(None)), "text or None")
_TRUTH: Final = ((bool, np.bool_), "True or False")
_COUNT: Final = ((int, np.integer), "an integer")
_NUMBER: Final = ((int, float, np.integer, np.floating), "a number")
_ENTRIES: Final[Mapping[str, _Kind]] = {
    "_type": ((str,), "the name of a type"),
    "name": _TEXT,
    "units": _TEXT,
    "expression": ((str,), "text"),
    "navigate": _TRUTH,
    "is_binned": _TRUTH,
    "size": _COUNT,
    "scale": _NUMBER,
    "offset": _NUMBER,
}


def _function(
    axis: Entries,
    size: int,
    where: str,
) -> Any:
    """Give the points of a FunctionalDataAxis."""
    numbers: dict[str, Any] = {
        key: value for key, value in axis.items() if isinstance(value, (int, float))
    }
    within = axis.get("x")
    numbers["x"] = axis_points(within if is_dict(within) else {}, size, where)
    return evaluated(str(axis["expression"]), numbers, size, where)


def _given(axis: Entries, _size: int, _where: str) -> Any:
    """Give the points of a DataAxis."""
    return np.asarray(axis["axis"])


def _uniform(axis: Entries, size: int, _where: str) -> Any:
    """Give the points of a UniformDataAxis."""
    return axis.get("offset", 0.0) + axis.get("scale", 1.0) * np.arange(size)


class AxisType(NamedTuple):
    """A type of axes: one row of the table."""

    name: str
    """What stands as ``_type``."""
    key: str
    """The entry that tells an axis of this type where no ``_type`` does."""
    size_key: str
    """The entry that tells the size: a number, or the vector of the points."""
    points: Callable[[Entries, int, str], Any]
    """Give the points of an axis of a size; the last argument is the location for errors."""
    defaults: Mapping[str, JSON]
    """Entries that are added where they are missing; those with a number have to be numbers."""
    released: bool = True
    """Whether released HyperSpy knows the type. If not, it is stored as a DataAxis."""


# In the order in which they are asked for their key; the last one is the type of all others.
AXIS_TYPES: Final = (
    AxisType("DataAxis", "axis", "axis", _given, {}),
    AxisType("FunctionalDataAxis", "expression", "size", _function, {}),
    AxisType(
        "UniformDataAxis",
        "scale",
        "size",
        _uniform,
        {"scale": 1.0, "offset": 0.0},
    ),
)


def axis_type(axis: Entries) -> AxisType:
    """Tell the type of an axis: by its ``_type``, or by the entries that it has.

    >>> axis_type({"axis": [1, 2, 4]}).name
    'DataAxis'
    """
    for row in AXIS_TYPES:
        if row.name == axis.get("_type"):
            return row
    for row in AXIS_TYPES:
        if row.key in axis:
            return row
    return AXIS_TYPES[-1]


def axis_cost(axis: Entries, size: int) -> int:
    """Count the points of an axis; those of a long expression take longer.

    >>> (
    ...     axis_cost({"scale": 2.0}, 10),
    ...     axis_cost({"expression": "x ** 2 + 3 * x"}, 10),
    ... )
    (10, 20)
    """
    return size * (1 + len(str(axis.get("expression", ""))) // 8)


def axis_points(
    axis: Entries,
    size: int,
    where: str = "axis",
) -> Any:
    """Give the points of an axis. Raises EncodeError where they cannot be computed.

    >>> axis_points({"offset": 1.0, "scale": 0.5}, 3).tolist()
    [1.0, 1.5, 2.0]
    >>> axis_points({"expression": "a / x", "a": 6, "x": {"offset": 1}}, 3).tolist()
    [6.0, 3.0, 2.0]
    """
    row = axis_type(axis)
    if row.key not in axis:
        row = AXIS_TYPES[-1]
    return _points_of(row, axis, size, where)


def _points_of(
    row: AxisType,
    axis: Entries,
    size: int,
    where: str,
) -> Any:
    """Give the points of an axis, whose entries may be anything in a file that others changed."""
    try:
        return row.points(axis, size, where)
    except EncodeError:
        raise
    except MISFITS as error:
        problem = f"the points of a {row.name} cannot be computed of its entries"
        raise EncodeError(problem, where, "see whether all are there") from error


def complete_axes(
    axes: object,
    shape: Edges,
) -> list[dict[str, Any]]:
    """Check axes, and complete them for an array of some shape.

    They stand in the order of the array's dimensions. `index_in_array` does not count, nor does it
    for HyperSpy.
    """
    if not is_sequence(axes):
        raise unlike("list of axes", axes, "axes", "one dictionary a dimension")
    found: list[dict[str, Any]] = []
    with taking(lambda: f"axes[{len(found)}]"):
        for axis in axes:
            found.append(complete_axis(axis, len(found), shape))
    return found


def complete_axis(
    axis: Entries,
    index: int,
    shape: Edges,
) -> dict[str, Any]:
    """Check an axis, complete it, and hold it against the shape of the data."""
    where = f"axes[{index}]"
    expect(axis, Mapping, "axis", where, "an axis is a dictionary")
    _check(axis, where)
    full = {key: value for key, value in axis.items() if key != "index_in_array"}
    row = axis_type(full)
    if "axis" in full and row.key not in full and not row.released:
        row = axis_type({"axis": full["axis"]})  # its points are all that is given
    name: str = full.setdefault("_type", row.name)
    other = axis_type({**full, "_type": None})
    if row.name == name and AXIS_TYPES.index(other) < AXIS_TYPES.index(row):
        problem = f"a {row.name} has no {other.key!r}, as a {other.name} has"
        remedy = f'leave it out, or give {{"_type": "{other.name}"}}'
        raise EncodeError(problem, f"{where}.{other.key}", remedy)
    full.setdefault("is_binned", False)
    edge = shape[index] if index < len(shape) else None
    size: Any
    if row.size_key == "size":
        size = full.setdefault("size", edge)
    else:
        full[row.size_key] = points = _points_given(full, row, where)
        size = points.size
    for key, default in row.defaults.items():
        value = full.setdefault(key, default)
        if isinstance(default, float):
            _check_entry(value, _NUMBER, f"{where}.{key}")
    if edge is not None and size != edge:
        problem = (
            f"the axis has {size} values, but dimension {index} of the data {edge}"
        )
        raise EncodeError(problem, f"{where}.{row.size_key}", "make them agree")
    if row.name != name or not row.released:
        return _as_data_axis(full, row, size, where)
    return full


def _as_data_axis(
    axis: dict[str, Any],
    row: AxisType,
    size: int,
    where: str,
) -> dict[str, Any]:
    """Store an axis of a type that released HyperSpy does not know as a DataAxis."""
    name: str = axis["_type"]
    if row.name != name and row.size_key == "size":
        known = ", ".join(one.name for one in AXIS_TYPES)
        remedy = f"give its points as 'axis', or use one of {known}"
        raise EncodeError(
            f"no type of axes is called {name!r}", f"{where}._type", remedy
        )
    points = _points_of(row, axis, size, where)
    return {**axis, "axis": points, "_type": AxisTypeName(name)}


def _points_given(
    axis: Entries,
    row: AxisType,
    where: str,
) -> Any:
    """Give the vector of an axis as an array."""
    points = axis.get(row.size_key)
    where = f"{where}.{row.size_key}"
    if has_unit(points):
        remedy = "give its values, and its unit as 'units'"
        raise unlike("vector without a unit", points, where, remedy)
    if not is_array(points) and not is_sequence(points):
        raise unlike("vector", points, where, "use a NumPy array")
    if np.any(getattr(points, "mask", False)):
        raise EncodeError("points that are masked", where, "fill or remove them")
    try:
        vector = np.asarray(points)
        if vector.ndim != 1:
            raise ValueError(f"it has {vector.ndim} dimensions")
    except ValueError as error:
        raise EncodeError(f"no vector: {error}", where, "use a vector") from error
    return vector


def _check_entry(
    value: object,
    kind: _Kind,
    where: str,
) -> None:
    """Refuse an entry of another type than it has to be of."""
    types, words = kind
    truth_as_number = isinstance(value, bool) and bool not in types
    if truth_as_number or not isinstance(value, types):
        problem = f"{a_kind(value)}, where {words} belongs"
        raise EncodeError(problem, where, f"use {words}")


def _check(
    axis: Mapping[Any, Any],
    where: str,
) -> None:
    """Check the types of an axis' entries, and find keys that are misspelt."""
    own = {"axis", "x", "index_in_array", *_ENTRIES}
    for row in AXIS_TYPES:
        own |= {row.key, *row.defaults}
    within: Any = axis
    while is_mapping(within):  # not recursive: a file may have thousands of them
        for key in _ENTRIES.keys() & within.keys():
            _check_entry(within[key], _ENTRIES[key], f"{where}.{key}")
        # The parameters of an expression have names of their own.
        named = {*_WORD.findall(str(within.get("expression", "")))}
        others = [one for one in within if one not in own and str(one) not in named]
        for key in others if len(others) <= _MOST_OTHERS else ():
            if remedy := did_you_mean(key, own, _SIMILAR):
                raise EncodeError(f"an axis has no {key!r}", where, remedy)
        within, where = within.get("x"), f"{where}.x"


def stored_axes(
    entries: dict[Any, Any],
    ndim: int,
    nested: bool,
) -> list[dict[str, Any]]:
    """Find the axes: in groups of their own, or in one list; those of no dimension are ignored."""
    keys = [f"axis-{number}" for number in range(ndim)]
    axes = [entries[key] for key in keys if key in entries]
    listed = entries.get("axes")
    if not axes and is_list(listed):
        axes = listed[:ndim]
    for index, axis in enumerate(axes):
        _refuse_arrays(axis, f"axis-{index}")
    found = [_as_given(axis) for axis in axes if is_dict(axis)]
    if nested:
        return found
    return [{**axis, "index_in_array": index} for index, axis in enumerate(found)]


def refuse_array(value: object, where: str) -> None:
    """Refuse an array in the place of text or a number, which nobody writes or can compare."""
    if is_array(value) or is_lazy(value):
        problem = "an array, where text or a number belongs"
        raise FormatError(problem, where, "another program has changed it")


def _refuse_arrays(axis: Any, where: str) -> None:
    """Refuse arrays in the place of text and numbers, and points that are no vector."""
    entries: dict[Any, Any] = axis if is_dict(axis) else {}
    for key in _ENTRIES:
        refuse_array(entries.get(key), f"{where}/{key}")
    within: Any = axis
    while is_dict(within):  # not recursive: a file may have thousands of them
        key = axis_type(within).size_key
        if key != "size" and key not in within:
            problem = "the points of an axis are missing"
            raise FormatError(problem, where, DAMAGED)
        within = within.get("x")
    points = entries.get("axis")
    if points is not None and not (is_sequence(points) or np.ndim(points)):
        problem = f"the points of an axis are {a_kind(points)}"
        raise FormatError(problem, f"{where}/axis", "store a vector")


def _are_same(made: NumPyArray, points: NumPyArray) -> bool:
    """Tell points that are computed anew from changed ones: another processor rounds otherwise."""
    if np.array_equal(made, points):
        return True
    if made.dtype != points.dtype or points.dtype.kind != "f" or len(points) < 2:
        return False
    with np.errstate(all="ignore"):
        sizes = np.abs(points) + np.abs(np.diff(points)).min()
        rounding = 2**12 * np.finfo(points.dtype).eps
        return bool((np.abs(made - points) <= rounding * sizes).all())


def _as_given(axis: Mapping[Any, Any]) -> dict[Any, Any]:
    """Undo `_as_data_axis`, unless another program has changed the points."""
    given = {**axis}
    if isinstance(given.get("_type"), AxisTypeName):
        given["_type"] = str.__str__(given["_type"])
        row = axis_type(given)
        points = given.get("axis")
        if row.size_key != "axis" and is_array(points):
            del given["axis"]
            made = None
            with suppress(EncodeError):
                made = axis_points(given, points.size, "axes")
            if made is None or not _are_same(made, points):
                return {**axis, "_type": "DataAxis"}
    return given
