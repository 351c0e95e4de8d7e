"""Pictures of signals: where the signal is, and what it is on average.

The values are made block by block; `zspy.apps.drawing` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..files.lazy import block_of
from ..values.errors import EncodeError
from ..values.nodes import Array
from ..values.types import DType, Entries, NumPyArray
from .blocks import boxes, columns, parts
from .describing import points_of, shown_title
from .text import cut, dtype_text, printable

_COLOURS: Final = ([*"rgb"], [*"rgba"])
_NUMBERS: Final = "biufc"
# What is counted: times, and the cells of a ragged array.
_OF_NUMBERS: Final = f"{_NUMBERS}mMO"

_MOST_DIMENSIONS: Final = 64  # of NumPy; one is for the fields of an element
_LARGEST: Final = 1e200  # matplotlib adds and multiplies what it draws
_PIXELS: Final = 2048  # along a side: of more, matplotlib would take gigabytes
_POINTS: Final = 2**20  # of a curve
_SUMMED_AT_ONCE: Final = 2**22  # elements that are summed at a time


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
    if "c" in {field.kind for field in _fields(dtype)}:
        notes.append("magnitude")
    if dtype.hasobject:
        notes.append("length of each cell")
    made: list[Picture] = []
    for one in _reductions(data, axes):
        if dtype.hasobject and not one.sums[1].any():
            raise _nothing(data, title)
        is_coloured = (
            one.kind == "mean" and len(one.kept) == 2 and _has_colours(dtype)
        )
        values = one.values()
        if is_coloured:
            values = np.clip(np.nan_to_num(values) / _brightest(dtype), 0, 1)
        else:
            values = values.mean(-1)
        told = [_scale_of_times(values, dtype)] if dtype.kind in "mM" else []
        names = [
            _name(axis) or "an axis"
            for i, axis in enumerate(axes)
            if i not in one.kept
        ]
        reduction = [f"{one.kind} over {', '.join(names)}"] if names else []
        fields = ["mean of its fields"] if dtype.names and not is_coloured else []
        told += [*reduction, *fields, *_cut(values), *one.thinned()]
        sides = (
            _side(axes[i], data.shape[i], step)
            for i, step in zip(one.kept, one.steps, strict=True)
        )
        made.append(
            Picture(
                title=title,
                note=", ".join([*notes, *told]),
                values=values,
                sides=tuple(sides),
                is_coloured=is_coloured,
            )
        )
    return made


class _Reduction:
    """What is summed up along all dimensions but some: in one place for neighbours that share it.

    The last dimension is that of the fields of an element.
    """

    def __init__(self, data: Any, kind: str, kept: Sequence[int]) -> None:
        self.kind = kind
        self.kept = kept
        most = _PIXELS if kept[1:] else _POINTS
        whole = [data.shape[i] for i in kept]
        # how many elements along each dimension become one, since no more can be seen
        self.steps = [_quotient(size, most) for size in whole]
        fields = len(_fields(data.dtype))
        # the sums, and then how many numbers, or elements of a picture of sums, are in each
        self.sums = np.zeros((2, *map(_quotient, whole, self.steps), fields))
        # which elements of a picture of sums were counted, each of which counts once
        self.seen = np.zeros((*whole, fields), bool) if kind == "sum" else None

    def add(
        self, box: tuple[slice, ...], values: NumPyArray, is_there: NumPyArray
    ) -> None:
        """Add the numbers of a part of the data, and tell where there are any."""
        rest = tuple(i for i in range(len(box)) if i not in self.kept)
        where = tuple(box[i] for i in self.kept)
        count = is_there.sum(rest)
        if self.seen is not None:
            count = (count > 0) & ~self.seen[where]
            self.seen[where] |= count
        sums = np.stack([values.sum(rest, dtype=float), count])
        places: list[slice] = []
        for number, (side, step) in enumerate(zip(where, self.steps, strict=True)):
            borders = range(step - side.start % step, side.stop - side.start, step)
            sums = np.add.reduceat(sums, [0, *borders], number + 1)
            places.append(slice(side.start // step, _quotient(side.stop, step)))
        self.sums[:, *places] += sums

    @np.errstate(all="ignore")
    def values(self) -> NumPyArray:
        """Give the picture: no number where there was none."""
        return np.asarray(self.sums[0] / self.sums[1])

    def thinned(self) -> list[str]:
        """Say what became one."""
        joined = f"mean of {' x '.join(map(str, self.steps))} pixels"
        return [joined] if max(self.steps) > 1 else []


def _quotient(size: int, step: int) -> int:
    return -(-size // step)


@np.errstate(over="ignore")
def _reductions(data: Any, axes: Sequence[Entries]) -> list[_Reduction]:
    """Sum up the elements in one sweep over the blocks, and some of each at a time."""
    reductions: list[_Reduction] = []
    for kind, navigates in (("sum", True), ("mean", False)):
        kept = [
            i
            for i, axis in enumerate(axes)
            if bool(axis.get("navigate")) is navigates
        ]
        if kept:
            kind = "mean" if data.dtype.kind in "mM" else kind
            reductions.append(_Reduction(data, kind, kept[-2:]))
    for box in boxes(data):
        block = block_of(data, box)
        for part in parts(block.shape, _SUMMED_AT_ONCE):
            numbers = _numbers(block[part])
            here = tuple(
                slice(whole.start + one.start, whole.start + min(one.stop, size))
                for whole, one, size in zip(box, part, block.shape, strict=True)
            )
            for one in reductions:
                one.add(here, *numbers)
    return reductions


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


def _name(axis: Entries) -> str:
    return printable(cut(str(axis.get("name") or ""), 40))


def _side(axis: Entries, size: int, step: int) -> Side:
    """Calibrate an axis, so many elements in one; where its points cannot be drawn, count them."""
    units = printable(cut(str(axis.get("units") or ""), 40))
    points = points_of(axis, size)
    if points is None:
        points, units = np.arange(0.0, size, step) + (step - 1) / 2, "index"
    elif step > 1:
        points = _every(points, step)
    return Side(label=_name(axis), units=units, points=points)


def _every(points: NumPyArray, step: int) -> NumPyArray:
    """Give the middles of so many neighbours, of which the last ones may be fewer."""
    first, last = points[::step], points[step - 1 :: step]
    width = last[0] - first[0]
    return np.append(
        (first[: last.size] + last) / 2, first[last.size :] + width / 2
    )
