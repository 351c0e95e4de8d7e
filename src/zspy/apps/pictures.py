"""Pictures of signals: where the signal is, and what it is on average.

The values are made block by block; `zspy.apps.drawing` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..values.axes import axis_points
from ..values.errors import EncodeError
from ..values.types import NumPyArray
from .blocks import boxes
from .describing import title_of
from .text import cut, printable

_COLOURS: Final = (("r", "g", "b"), ("r", "g", "b", "a"))
_LARGEST: Final = 1e150  # a point of an axis that can be drawn
_NUMBERS: Final = "biufc"


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
    marked: tuple[float, ...] = ()
    """A position that is marked, along the sides."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one picture shows: the dimensions that it keeps, and what becomes of the others."""

    kept: tuple[int, ...]
    is_mean: bool


def pictures(
    signal: Mapping[str, Any], at: Sequence[int] | None = None
) -> list[Picture]:
    """Make the pictures of a signal: its sum at every position, and its mean over them.

    Of more than two dimensions the last two are shown, and of complex values the magnitude.
    Elements that are masked or not finite are left out of sums and means. With `at`, an index
    along each navigation axis, the signal at that position is shown instead of the mean.
    """
    data: Any = signal["data"]
    axes: Sequence[Mapping[str, Any]] = signal["axes"]
    title = title_of(signal) or "untitled"
    if not _is_drawable(data) or len(axes) != data.ndim:
        problem = f"nothing to draw in {data.dtype}{list(data.shape)}"
        raise EncodeError(printable(cut(problem)), title, "use zspy tree")
    navigation = tuple(i for i, axis in enumerate(axes) if axis.get("navigate"))
    own = tuple(i for i in range(data.ndim) if i not in navigation)
    parts = [_Part(navigation[-2:], is_mean=False), _Part(own[-2:], is_mean=True)]
    parts = [part for part in parts if part.kept]
    sides = [_side(axis, size) for axis, size in zip(axes, data.shape, strict=True)]
    position = None if at is None else _position(at, data.shape, navigation, title)
    values = _reduced(data, parts)
    made: list[Picture] = []
    for part, reduced in zip(parts, values, strict=True):
        rest = [i for i in range(data.ndim) if i not in part.kept]
        note = _reduction(part, [sides[i].label for i in rest])
        if position is not None and part.kept == own[-2:]:
            reduced = _signal_at(data, position, own, part)
            note = f"at {', '.join(map(str, at or ()))}"
        made.append(_picture(title, note, data.dtype, part, reduced, sides))
    if position is not None and len(made) == len(parts) > 1:
        marked = tuple(float(sides[i].points[position[i]]) for i in parts[0].kept)
        made[0] = replace(made[0], marked=marked)
    return made


def _is_drawable(data: Any) -> bool:
    dtype = data.dtype
    fields = [dtype]
    if dtype.names is not None:
        fields = [dtype[name] for name in dtype.names]
    is_number = all(field.kind in _NUMBERS and not field.shape for field in fields)
    return bool(is_number and data.size and data.ndim)


def _has_colours(dtype: np.dtype[Any]) -> bool:
    return dtype.names is not None and tuple(map(str.lower, dtype.names)) in _COLOURS


def _position(
    at: Sequence[int], shape: Sequence[int], navigation: Sequence[int], title: str
) -> dict[int, int]:
    """Give the index of each navigation dimension, or say what is wrong with the position."""
    sizes = [shape[i] for i in navigation]
    if len(at) != len(sizes) or any(
        not 0 <= index < size for index, size in zip(at, sizes, strict=False)
    ):
        problem = f"there is no position {','.join(map(str, at))}"
        remedy = f"the navigation dimensions have {sizes or 'no'} elements"
        raise EncodeError(problem, title, remedy)
    return dict(zip(navigation, at, strict=True))


def _reduction(part: _Part, names: Sequence[str]) -> str:
    """Say which dimensions are summed or averaged."""
    if not names:
        return ""
    kind = "mean" if part.is_mean else "sum"
    return f"{kind} over {', '.join(name or 'an axis' for name in names)}"


def _picture(
    title: str,
    note: str,
    dtype: np.dtype[Any],
    part: _Part,
    values: NumPyArray,
    sides: Sequence[Side],
) -> Picture:
    is_coloured = part.is_mean and len(part.kept) == 2 and _has_colours(dtype)
    notes = [note] if note else []
    if is_coloured:
        values = np.clip(np.nan_to_num(values) / _brightest(dtype), 0, 1)
    else:
        if values.shape[-1] > 1:
            is_colours = _has_colours(dtype)
            notes.append(f"mean of its {'colours' if is_colours else 'fields'}")
        values = values.mean(-1)
    if any(dtype[name].kind == "c" for name in dtype.names or ()) or dtype.kind == "c":
        notes.append("magnitude")
    kept = tuple(sides[i] for i in part.kept)
    return Picture(
        title=title,
        note=", ".join(notes),
        values=values,
        sides=kept,
        is_coloured=is_coloured,
    )


def _brightest(dtype: np.dtype[Any]) -> float:
    """Give the number of the brightest colour, which is one where it is no integer."""
    first = dtype[0]
    return float(np.iinfo(first).max) if first.kind in "iu" else 1.0


def _reduced(data: Any, parts: Sequence[_Part]) -> list[NumPyArray]:
    """Reduce an array to several choices of its dimensions, in one sweep over its blocks."""
    channels = len(data.dtype.names or ("",))
    sums = [np.zeros((*(data.shape[i] for i in part.kept), channels)) for part in parts]
    counts = [np.zeros(one.shape) for one in sums]
    for box in boxes(data):
        values, is_there = _numbers(data[box])
        for part, total, count in zip(parts, sums, counts, strict=True):
            rest = tuple(i for i in range(data.ndim) if i not in part.kept)
            where = tuple(box[i] for i in part.kept)
            with np.errstate(over="ignore"):
                total[where] += values.sum(rest, dtype=float)
            count[where] += is_there.sum(rest, dtype=float)
    found: list[NumPyArray] = []
    for part, total, count in zip(parts, sums, counts, strict=True):
        with np.errstate(all="ignore"):
            mean = total / count
        found.append(mean if part.is_mean else np.where(count > 0, total, np.nan))
    return found


def _signal_at(
    data: Any, position: Mapping[int, int], own: Sequence[int], part: _Part
) -> NumPyArray:
    """Give the signal at a position, as the mean over what is not shown of it."""
    key = tuple(position.get(i, slice(None)) for i in range(data.ndim))
    values, is_there = _numbers(data[key])
    rest = tuple(place for place, i in enumerate(own) if i not in part.kept)
    with np.errstate(all="ignore"):
        return np.asarray(values.sum(rest) / is_there.sum(rest))


def _numbers(block: Any) -> tuple[NumPyArray, NumPyArray]:
    """Give the numbers of a block, zero where there is none, and tell where there is one.

    The last dimension is that of the colours, or other fields, of an element.
    """
    block = np.asanyarray(block)
    mask = np.ma.getmaskarray(block)
    names = block.dtype.names
    fields = (
        [np.asarray(block)] if names is None else [np.asarray(block[n]) for n in names]
    )
    masks = [mask] if names is None else [mask[n] for n in names]
    values = np.stack(
        [np.abs(one) if one.dtype.kind == "c" else one for one in fields], -1
    )
    is_there = np.isfinite(values) & ~np.stack(masks, -1)
    return np.where(is_there, values, 0), is_there


def _side(axis: Mapping[str, Any], size: int) -> Side:
    """Calibrate an axis; one whose points cannot be drawn is counted."""
    name, units = (
        printable(cut(str(axis.get(key) or ""), 40)) for key in ("name", "units")
    )
    points = _drawable_points(axis, size)
    if points is None:
        return Side(label=name, units="index", points=np.arange(float(size)))
    return Side(label=name, units=units, points=points)


def _drawable_points(axis: Mapping[str, Any], size: int) -> NumPyArray | None:
    """Give points that are finite and ascend or descend, or None."""
    try:
        with np.errstate(all="ignore"):
            points = np.asarray(axis_points(axis, size))
            if points.dtype.kind not in "biuf" or points.shape != (size,):
                return None
            points = points.astype(float)
            steps = np.diff(points)
    except (EncodeError, TypeError, ValueError, OverflowError):
        return None
    is_ordered = bool((steps > 0).all() or (steps < 0).all())
    is_small = bool((np.abs(points) < _LARGEST).all())
    return points if is_ordered and is_small else None
