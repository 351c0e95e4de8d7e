"""A leaf: pictures of signals: where the signal is, and what it is on average.

They are made block by block, and drawn with matplotlib, or as characters in a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import numpy as np

from ..values.errors import EncodeError, ZspyError, missing_package
from ..values.types import is_dict
from .differences import boxes
from .text import cut, printable

_Array = np.ndarray[Any, Any]
_SHADES: Final = " ░▒▓█"
_BARS: Final = " ▁▂▃▄▅▆▇█"
_WIDTH: Final = 64  # characters of a picture
_ROWS: Final = 8  # lines of a curve
_GREY: Final = 232  # the first of the 24 greys of a terminal


class Side(NamedTuple):
    """An axis of a picture: its name and units, and where its elements lie."""

    label: str
    places: _Array


class Picture(NamedTuple):
    """Values along one or two calibrated axes."""

    title: str
    values: _Array
    sides: tuple[Side, ...]


def pictures(signal: Mapping[str, Any]) -> list[Picture]:
    """Make the pictures of a signal: its sum at every position, and its mean over them.

    Of more than two dimensions the last two are shown; complex values by their size.
    """
    data: Any = signal["data"]
    title = _title(signal)
    if not _is_number(data.dtype) or not data.size or not data.ndim:
        raise EncodeError(
            f"nothing to draw in {data.dtype}{data.shape}", title, "use zspy tree"
        )
    axes: Sequence[Mapping[str, Any]] = signal["axes"]
    navigation = [i for i, axis in enumerate(axes) if axis.get("navigate")]
    own = [i for i, axis in enumerate(axes) if not axis.get("navigate")]
    parts = {"sum of the signal": navigation[-2:], "mean over positions": own[-2:]}
    wanted = {said: kept for said, kept in parts.items() if kept}
    sums = _sums(data, [*wanted.values()])
    made: list[Picture] = []
    for (said, kept), values in zip(wanted.items(), sums, strict=True):
        if kept == own[-2:]:
            values = values * (values.size / data.size)
        note = f": {said}" if navigation and own else ""
        sides = tuple(_side(axes[i], data.shape[i]) for i in kept)
        made.append(Picture(f"{title}{note}", values, sides))
    return made


def _title(signal: Mapping[str, Any]) -> str:
    general: Any = signal["metadata"].get("General")
    title = general.get("title") if is_dict(general) else None
    return printable(cut(str(title))) if title else "untitled"


def _is_number(dtype: np.dtype[Any]) -> bool:
    parts = (
        [dtype] if dtype.names is None else [dtype[name].base for name in dtype.names]
    )
    return all(part.kind in "biufc" for part in parts)


def _sums(data: Any, kept: list[list[int]]) -> list[_Array]:
    """Add up an array over all dimensions but some, for several choices, in one sweep."""
    sums = [np.zeros([data.shape[i] for i in some]) for some in kept]
    for box in boxes(data):
        block = _plain(np.ma.filled(data[box] if box != (...,) else data, 0))
        for some, total in zip(kept, sums, strict=True):
            rest = tuple(i for i in range(data.ndim) if i not in some)
            at: Any = ... if box == (...,) else tuple(box[i] for i in some)
            total[at] += block.sum(rest, dtype=float)
    return sums


def _plain(values: Any) -> _Array:
    """Give the numbers of a block: the size of complex ones, the mean of colours."""
    block = np.asarray(values)
    if block.dtype.names is not None:
        return np.asarray(np.mean([block[name] for name in block.dtype.names], axis=0))
    return np.abs(block) if block.dtype.kind == "c" else block


def _side(axis: Mapping[str, Any], size: int) -> Side:
    """Calibrate an axis; one that is given by an expression is counted."""
    name, units = (str(axis.get(key) or "") for key in ("name", "units"))
    vector = axis.get("axis")
    if vector is not None:
        places = np.asarray(vector, float)
    elif "expression" in axis:
        places, units = np.arange(float(size)), "index"
    else:
        places = axis.get("offset", 0.0) + axis.get("scale", 1.0) * np.arange(size)
    label = f"{name} ({units})" if units else name
    return Side(printable(cut(label, 40)), places)


def save(rows: Sequence[Sequence[Picture]], path: str) -> None:
    """Draw the pictures of some signals, one row each, as an image file."""
    try:
        figures: Any = import_module("matplotlib.figure")
    except ModuleNotFoundError as error:
        raise missing_package("matplotlib", "plot") from error
    width = max(map(len, rows))
    figure = figures.Figure((4.5 * width, 3.6 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), width, squeeze=False)
    for row, line in zip(rows, panels, strict=True):
        for number, panel in enumerate(line):
            if number < len(row):
                _draw(figure, panel, row[number])
            else:
                panel.set_axis_off()
    try:
        figure.savefig(path, dpi=120)
    except ValueError as error:
        raise ZspyError(str(error), path) from None


def _draw(figure: Any, panel: Any, picture: Picture) -> None:
    panel.set_title(_unmathed(picture.title), fontsize="medium")
    *above, side = picture.sides
    panel.set_xlabel(_unmathed(side.label))
    if not above:
        panel.plot(side.places, picture.values, linewidth=1, color="#2a6f97")
        panel.margins(x=0)
        return
    panel.set_ylabel(_unmathed(above[0].label))
    extent = [*_ends(side.places), *reversed(_ends(above[0].places))]
    image = panel.imshow(
        picture.values, extent=extent, cmap="magma", interpolation="nearest"
    )
    panel.set_aspect("equal" if _same_units(picture.sides) else "auto")
    figure.colorbar(image, ax=panel)


def _unmathed(text: str) -> str:
    """Keep matplotlib from reading a formula."""
    return text.replace("$", r"\$")


def _same_units(sides: Sequence[Side]) -> bool:
    units = {
        side.label.rpartition("(")[2] for side in sides if side.label.endswith(")")
    }
    return len(units) == 1


def _ends(places: _Array) -> tuple[float, float]:
    """Give the borders of the first and the last element."""
    half = (places[-1] - places[0]) / max(len(places) - 1, 1) / 2 or 0.5
    return float(places[0] - half), float(places[-1] + half)


def lines(picture: Picture, *, colour: bool) -> Iterator[str]:
    """Draw a picture as characters: greys where there are colours, else shades or bars."""
    yield picture.title
    *above, side = picture.sides
    if above:
        values = _fitted(picture.values, _WIDTH if colour else _WIDTH // 2)
        yield from _image(values, colour)
        yield f"{_range_text(above[0])} down"
        yield f"{_range_text(side)} across"
    else:
        yield from _curve(_fitted(picture.values, _WIDTH))
        yield _range_text(side)
    low, high = _limits(picture.values)
    yield f"values {low:.4g} to {high:.4g}"


def _range_text(side: Side) -> str:
    return f"{side.label or 'axis'}: {side.places[0]:.4g} to {side.places[-1]:.4g}"


def _limits(values: _Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _fitted(values: _Array, most: int) -> _Array:
    """Average neighbours until no dimension is longer than that."""
    step = -(-max(values.shape) // most)
    for dimension in range(values.ndim):
        size = values.shape[dimension]
        starts = [*range(0, size, step)]
        counts = np.diff([*starts, size])
        shape = [-1 if i == dimension else 1 for i in range(values.ndim)]
        values = np.add.reduceat(values, starts, dimension) / counts.reshape(shape)
    return values


def _levels(values: _Array, count: int) -> _Array:
    """Give the level of every value, from 0 to count - 1; what is not finite has the lowest."""
    low, high = _limits(values)
    part = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / (
        high - low or 1
    )
    return np.minimum(part * count, count - 1).astype(int)


def _image(values: _Array, colour: bool) -> Iterator[str]:
    """Draw an image; in colour, two of its rows are one line."""
    if not colour:
        for row in _levels(values, len(_SHADES)):
            yield "".join(_SHADES[level] * 2 for level in row)
        return
    levels = _levels(values, 24) + _GREY
    if len(levels) % 2:
        levels = np.vstack([levels, np.full((1, levels.shape[1]), _GREY)])
    for upper, lower in zip(levels[::2], levels[1::2], strict=True):
        cells = (f"\x1b[38;5;{a};48;5;{b}m▀" for a, b in zip(upper, lower, strict=True))
        yield "".join(cells) + "\x1b[0m"


def _curve(values: _Array) -> Iterator[str]:
    """Draw a curve as bars."""
    steps = len(_BARS) - 1
    heights = _levels(values, _ROWS * steps + 1)
    for row in reversed(range(_ROWS)):
        yield "".join(
            _BARS[min(max(height - row * steps, 0), steps)] for height in heights
        )
