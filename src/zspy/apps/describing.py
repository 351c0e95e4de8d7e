"""What each signal of a file is: its dimensions, how it is stored, and who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat, starmap
from typing import Any, Final

import numpy as np

from ..files.chunking import LARGE
from ..files.options import listed_signals
from ..stores.backends import is_path
from ..values.axes import axis_cost, axis_points, axis_type
from ..values.errors import EncodeError, unlike
from ..values.nodes import Array
from ..values.root import DATA, EXPERIMENTS, decode_file
from ..values.signals import checked, dictionary_of
from ..values.types import JSON, Entries, NumPyArray, is_array, is_dict
from .text import cut, dtype_text, printable, size_text
from .tree import Tree, data_text, look, storage_text

_LARGEST: Final = 1e150  # a point of an axis that can be drawn
_MOST_POINTS: Final = 2**24  # of all axes whose ends are computed


def describe_file(place: Any) -> tuple[Tree, list[dict[str, Any]]]:
    """Describe all signals of a file, of which no large array is read."""
    tree = look(place, LARGE)
    signals = [one for one in decode_file(tree.overview.root) if "data" in one]
    paths = data_paths(tree.layouts, len(signals))
    most = _points_for_each(signals)
    described: list[dict[str, Any]] = []
    for signal, path in zip(signals, paths, strict=True):
        stored: tuple[tuple[int, ...], str, str] = ((), "", "")
        if path is not None:
            shape = tree.layouts[path].shape
            stored = (shape, data_text(tree, path), storage_text(tree, path))
        described.append(_description(signal, *stored, most))
    return tree, described


class Description(str):
    """A text that a terminal, and a notebook, shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def describe(signals: Entries | Sequence[Entries]) -> Description:
    """Say what a signal is, or several: title, dimensions, data and models.

    `file_reader` gives plain dictionaries, of which a terminal shows all values. This is what one
    looks for first, in the words of ``zspy info``. No lazy array is computed.

    Parameters
    ----------
    signals : Signal, or sequence of Signal
        As `file_reader` returns them, or as `file_writer` takes them.

    Returns
    -------
    str
        It has a line for each fact, and shows itself without quotes.

    Raises
    ------
    EncodeError
        If it is no signal, or if an axis disagrees with the shape of the data.

    Examples
    --------
    >>> axis = {"name": "E", "units": "eV", "size": 3, "scale": 0.5, "offset": 5.0}
    >>> describe({"data": np.ones(3), "axes": [axis], "metadata": {}})
    [0] untitled
        E     3, 5 to 6 eV, signal
        data  float64, 24 B
    """
    if is_path(signals):
        remedy = "read it first, by zspy.file_reader"
        raise unlike("signal", signals, "signals", remedy)
    complete: list[Entries] = []
    for signal in listed_signals("", signals):
        if "data" in signal or "models" not in signal:  # models may have no signal
            data, axes = checked(signal)
            complete.append({**signal, "data": data, "axes": axes})
    described = starmap(description_lines, enumerate(describe_signals(complete)))
    return Description("\n".join(chain(*described)))


def describe_signals(signals: Iterable[Entries]) -> list[dict[str, Any]]:
    """Describe signals as they were read, of which nobody knows how they are stored."""
    complete = [
        one for one in signals if "data" in one
    ]  # others are models of none
    most = _points_for_each(complete)
    described: list[dict[str, Any]] = []
    for signal in complete:
        data: Any = signal["data"]
        text = f"{dtype_text(Array(data))}, {size_text(data.nbytes)}"
        if data.dtype.hasobject:
            text = "ragged"
        described.append(_description(signal, data.shape, text, "", most))
    return described


def _points_for_each(signals: Iterable[Entries]) -> int:
    """Share the points that are computed among the axes."""
    return _MOST_POINTS // max(sum(len(one["axes"]) for one in signals), 1)


def signal_names(layouts: Iterable[str]) -> list[str]:
    """Find the groups of signals by the paths of arrays, in the order in which they are read."""
    matches = (DATA.match(f"{path}/.zarray") for path in layouts)
    return sorted(match[1] for match in matches if match)


def data_paths(layouts: Iterable[str], count: int) -> list[str | None]:
    """Find the arrays of all signals; None for all where that is not sure."""
    found = [f"{EXPERIMENTS}/{name}/data" for name in signal_names(layouts)]
    return [*found] if len(found) == count else [None] * count


def shown_title(signal: Entries) -> str:
    """Give the title of a signal, or nothing."""
    general: Any = signal["metadata"].get("General")
    title = general.get("title") if is_dict(general) else None
    return _text(title)


def _description(
    signal: Entries, shape: tuple[int, ...], data: str, stored: str, most: int
) -> dict[str, Any]:
    part: Any = signal["metadata"].get("Signal")
    words = (signal.get("package"), signal.get("package_version"))
    axes: Sequence[Entries] = signal["axes"] or [{} for _ in shape]
    sizes = chain(shape, repeat(0))
    return {
        "title": shown_title(signal),
        "signal_type": _text(part.get("signal_type") if is_dict(part) else None),
        "dimensions": [*map(_dimension, axes, sizes, repeat(most))],
        "data": data,
        "stored": stored,
        "models": [
            printable(str(name)) for name in dictionary_of(signal, "models")
        ],
        "written_by": " ".join(map(_text, words)).strip(),
    }


def _text(value: object) -> str:
    """Show a name that a file has; nothing where there is none."""
    return "" if is_array(value) else printable(cut(str(value or "")))


def _dimension(axis: Entries, size: int, most: int) -> dict[str, JSON]:
    """Describe an axis; where it does not tell its size, it has that of the data."""
    key = axis_type(axis).size_key
    told = axis.get(key, size)
    if key != "size":
        told = np.size(told)
    size = told if isinstance(told, int) and told else size
    points = points_of(axis, size, most)
    ends: list[JSON] = []
    if points is not None and size:
        ends = [float(points[0]), float(points[-1])]
    return {
        "name": _text(axis.get("name")),
        "size": size,
        "range": ends,
        "units": _text(axis.get("units")),
        "navigate": bool(axis.get("navigate")),
    }


def points_of(
    axis: Entries, size: int, most: int = _MOST_POINTS
) -> NumPyArray | None:
    """Give the points of an axis where they are numbers that ascend or descend, or None."""
    if axis_cost(axis, size) > most:
        return None
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


def description_lines(number: int, one: Entries) -> Iterator[str]:
    """Render what a signal is, as lines of a name and what it says."""
    yield f"[{number}] {one['title'] or 'untitled'}"
    # Two axes may have one name, or that of another fact.
    facts = [("signal type", one["signal_type"])]
    for index, dimension in enumerate(one["dimensions"]):
        name = dimension["name"] or f"axis {index}"
        facts.append((name, _dimension_text(dimension)))
    facts += [
        ("data", one["data"]),
        ("stored", one["stored"]),
        ("models", ", ".join(one["models"])),
        ("written by", one["written_by"]),
    ]
    told = [(name, said) for name, said in facts if said]
    column = max(len(name) for name, _ in told)
    for name, said in told:
        yield f"    {name:{column}}  {said}"


def _dimension_text(dimension: Entries) -> str:
    words = [str(dimension["size"])]
    if dimension["range"]:
        first, last = dimension["range"]
        words.append(f"{first:.5g} to {last:.5g} {dimension['units']}".rstrip())
    words.append("navigation" if dimension["navigate"] else "signal")
    return ", ".join(words)
