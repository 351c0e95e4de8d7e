"""Pictures of signals: where the signal is, and what it is on average.

The values are made block by block; `zspy.apps.drawing` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..files.lazy import block_of
from ..values.errors import EncodeError
from ..values.nodes import Array
from ..values.types import DType, Entries, NumPyArray
from .blocks import boxes, columns
from .describing import points_of, shown_title
from .text import cut, dtype_text, printable

_COLOURS: Final = ([*"rgb"], [*"rgba"])
_NUMBERS: Final = "biufc"
# What is counted: times, and the cells of a ragged array.
_OF_NUMBERS: Final = f"{_NUMBERS}mMO"

_MOST_DIMENSIONS: Final = 64  # of NumPy; one is for the fields of an element
_LARGEST: Final = 1e200  # matplotlib adds and multiplies what it draws
_PIXELS: Final = 2048  # along a side: of more, matplotlib would take gigabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """An axis of a picture: its name and units, and where its elements lie."""

    label: str
    units: str
    points: NumPyArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Values along one or two calibrated axes; of colours, with one more dimension for them."""

    title: str
    note: str
    """What was reduced to show it, and how."""
    values: NumPyArray
    sides: tuple[Side, ...]
    is_coloured: bool = False


def pictures(signal: Entries, at: Sequence[int] | None = None) -> list[Picture]:
    """Make the pictures of a signal: its sum at every position, and its mean over them.

    Of more than two dimensions the last two are shown, of complex values the magnitude, and of
    ragged cells the length. Times are never summed, and points in time begin with the first one.
    Elements that are masked or not finite are left out of sums and means. With `at`, an index
    along each navigation axis, the signal at that position is the only picture.
    """
    data: Any = signal["data"]
    axes: Sequence[Entries] = signal["axes"]
    title = shown_title(signal) or "untitled"
    notes: list[str] = []
    if at is not None:
        data = data[_at_position(at, data.shape, axes, title)]
        axes = [axis for axis in axes if not axis.get("navigate")]
        notes = [f"at {', '.join(map(str, at))}"]
    dtype = data.dtype
    if not _is_drawable(data) or len(axes) != data.ndim:
        raise _nothing(data, title)
    is_time = dtype.kind in "mM"
    if "c" in {field.kind for field in _fields(dtype)}:
        notes.append("magnitude")
    if dtype.hasobject:
        notes.append("length of each cell")
    sides = [_side(axis, size) for axis, size in zip(axes, data.shape, strict=True)]
    kinds: list[tuple[str, list[int]]] = []
    for kind, navigates in (("sum", True), ("mean", False)):
        kept = [
            i
            for i, axis in enumerate(axes)
            if bool(axis.get("navigate")) is navigates
        ]
        if kept:
            kinds.append((kind, kept[-2:]))
    made: list[Picture] = []
    sums = _sums(data, [kept for _, kept in kinds])
    for (kind, kept), (total, count) in zip(kinds, sums, strict=True):
        if dtype.hasobject and not count.any():
            raise _nothing(data, title)
        if is_time:
            kind = "mean"
        is_coloured = kind == "mean" and len(kept) == 2 and _has_colours(dtype)
        values = _reduced(kind, total, count)
        if is_coloured:
            values = np.clip(np.nan_to_num(values) / _brightest(dtype), 0, 1)
        else:
            values = values.mean(-1)
        told = [_scale_of_times(values, dtype)] if is_time else []
        names = [
            side.label or "an axis" for i, side in enumerate(sides) if i not in kept
        ]
        reduction = [f"{kind} over {', '.join(names)}"] if names else []
        fields = ["mean of its fields"] if dtype.names and not is_coloured else []
        told += [*reduction, *fields, *_cut(values)]
        values, around, thinned = _thinned(values, [sides[i] for i in kept])
        told += thinned
        made.append(
            Picture(
                title=title,
                note=", ".join([*notes, *told]),
                values=values,
                sides=tuple(around),
                is_coloured=is_coloured,
            )
        )
    return made


def _reduced(kind: str, total: NumPyArray, count: NumPyArray) -> NumPyArray:
    if kind == "sum":
        return np.where(count > 0, total, np.nan)
    with np.errstate(all="ignore"):
        return np.divide(total, count, out=total)


def _thinned(
    values: NumPyArray, sides: Sequence[Side]
) -> tuple[NumPyArray, list[Side], list[str]]:
    """Give an image of the means of neighbours where it has more elements than can be seen."""
    steps = [-(-side.points.size // _PIXELS) for side in sides]
    if len(sides) == 1 or max(steps) == 1:
        return values, [*sides], []
    for number, step in enumerate(steps):
        starts: Any = np.arange(0, len(sides[number].points), step)
        is_there = np.isfinite(values)
        total = np.add.reduceat(np.where(is_there, values, 0), starts, number)
        count = np.add.reduceat(is_there, starts, number, dtype=float)
        with np.errstate(invalid="ignore"):
            values = total / count
    pairs = zip(sides, steps, strict=True)
    thinned = [
        replace(side, points=_every(side.points, step)) for side, step in pairs
    ]
    return values, thinned, [f"mean of {steps[0]} x {steps[1]} pixels"]


def _every(points: NumPyArray, step: int) -> NumPyArray:
    """Give the middles of so many neighbours, of which the last ones may be fewer."""
    first, last = points[::step], points[step - 1 :: step]
    width = last[0] - first[0]
    return np.append(
        (first[: last.size] + last) / 2, first[last.size :] + width / 2
    )


def _nothing(data: Any, title: str) -> EncodeError:
    what = f"{tuple(data.shape)} {dtype_text(Array(data))}"
    return EncodeError(f"nothing to draw in {what}", title, "use zspy tree")


def _cut(values: NumPyArray) -> list[str]:
    """Cut what is too large to be drawn, in place, and say so."""
    is_cut = bool((np.abs(values) > _LARGEST).any())
    np.clip(values, -_LARGEST, _LARGEST, out=values)
    return [f"cut at {_LARGEST:g}"] if is_cut else []


def _scale_of_times(values: NumPyArray, dtype: DType) -> str:
    """Count points in time from the first one, in place, and name what the numbers are."""
    unit: Any = dtype.name.partition("[")[2].rstrip("]")
    there = values[np.isfinite(values)]
    if dtype.kind == "m" or not (unit and there.size):
        return f"in {unit or 'no unit'}"
    first = np.floor(there.min())
    values -= first
    return f"{unit} since {np.datetime64(int(first), unit)}"


def _at_position(
    at: Sequence[int],
    shape: Sequence[int],
    axes: Sequence[Entries],
    title: str,
) -> tuple[Any, ...]:
    """Give the key of the signal at a position, or say what is wrong with the position."""
    navigation = [i for i, axis in enumerate(axes) if axis.get("navigate")]
    sizes = [shape[i] for i in navigation]
    is_there = len(at) == len(sizes) and min(at, default=0) >= 0
    if not is_there or not all(map(int.__lt__, at, sizes)):
        raise EncodeError(
            f"there is no position {','.join(map(str, at))}",
            title,
            f"the navigation dimensions have {sizes or 'no'} elements",
        )
    key: list[Any] = [slice(None)] * len(shape)
    for i, index in zip(navigation, at, strict=True):
        key[i] = index
    return tuple(key)


def _is_drawable(data: Any) -> bool:
    fields = _fields(data.dtype)
    kinds = _NUMBERS if data.dtype.names else _OF_NUMBERS
    is_number = all(field.kind in kinds and not field.shape for field in fields)
    return bool(is_number and data.size and 0 < data.ndim < _MOST_DIMENSIONS)


def _fields(dtype: DType) -> list[DType]:
    return [dtype] if dtype.names is None else [dtype[name] for name in dtype.names]


def _has_colours(dtype: DType) -> bool:
    return [*map(str.lower, dtype.names or ())] in _COLOURS


def _brightest(dtype: DType) -> float:
    """Give the number of the brightest colour, which is one where it is no integer."""
    first = dtype[0]
    return float(np.iinfo(first).max) if first.kind in "iu" else 1.0


def _sums(
    data: Any, choices: Sequence[Sequence[int]]
) -> list[tuple[NumPyArray, NumPyArray]]:
    """Sum and count the elements along all dimensions but some, in one sweep over the blocks.

    The last dimension of what is given is that of the fields of an element.
    """
    fields = len(_fields(data.dtype))
    shapes = [(*(data.shape[i] for i in kept), fields) for kept in choices]
    found = [(np.zeros(shape), np.zeros(shape)) for shape in shapes]
    for box in boxes(data):
        values, is_there = _numbers(block_of(data, box))
        for kept, (total, count) in zip(choices, found, strict=True):
            rest = tuple(i for i in range(data.ndim) if i not in kept)
            where = tuple(box[i] for i in kept)
            with np.errstate(over="ignore"):
                total[where] += values.sum(rest, dtype=float)
            count[where] += is_there.sum(rest, dtype=float)
    return found


def _numbers(block: Any) -> tuple[NumPyArray, NumPyArray]:
    """Give the numbers of a block, zero where there is none, and tell where there is one."""
    parts = [*columns(block)]
    values = np.stack([_counted(one) for one, _ in parts], -1)
    is_there = np.isfinite(values) & ~np.stack([mask for _, mask in parts], -1)
    return np.where(is_there, values, 0), is_there


def _counted(values: Any) -> Any:
    """Make numbers of values that are none, and that have a size all the same."""
    match values.dtype.kind:
        case "c":
            return abs(values)
        case "m" | "M":
            return np.where(np.isnat(values), np.nan, values.astype("i8"))
        case "O":
            return np.reshape([*map(_length, values.flat)], values.shape)
        case _:
            return values


def _length(cell: Any) -> float:
    try:
        return np.nan if isinstance(cell, str) else len(cell)
    except TypeError:
        return np.nan


def _side(axis: Entries, size: int) -> Side:
    """Calibrate an axis; one whose points cannot be drawn is counted."""
    name, units = (
        printable(cut(str(axis.get(key) or ""), 40)) for key in ("name", "units")
    )
    points = points_of(axis, size)
    if points is None:
        return Side(label=name, units="index", points=np.arange(float(size)))
    return Side(label=name, units=units, points=points)
