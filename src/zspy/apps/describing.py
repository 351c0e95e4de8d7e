"""What each signal of a file is: its dimensions, how it is stored, and who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..stores.backends import opened
from ..values.axes import axis_points, axis_type
from ..values.errors import EncodeError
from ..values.nodes import Group
from ..values.root import ROOT, decode_file
from ..values.types import is_dict
from .outline import read_outline
from .text import cut, printable
from .tree import Tree, data_text, look, storage_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A dimension of a signal: how many elements, and from where to where."""

    name: str
    size: int
    units: str
    first: float | None
    last: float | None
    navigate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a signal is."""

    title: str
    signal_type: str
    dimensions: tuple[Dimension, ...]
    data: str
    stored: str
    models: tuple[str, ...]
    written_by: str


def describe_file(place: Any) -> tuple[Tree, list[Description]]:
    """Describe all signals of a file, of which no large array is read."""
    tree = look(place)
    with closing(opened(place)) as file:
        signals = [one for one in decode_file(read_outline(file)) if "data" in one]
    paths = data_paths(tree, len(signals))
    found = [
        _description(tree, signal, path)
        for signal, path in zip(signals, paths, strict=True)
    ]
    return tree, found


def data_paths(tree: Tree, count: int) -> list[str | None]:
    """Find the arrays of all signals; None for all where that is not sure."""
    root: Any = tree.root
    experiments = root.members.get(ROOT) if isinstance(root, Group) else None
    names = sorted(experiments.members) if isinstance(experiments, Group) else []
    paths = [f"{ROOT}/{name}/data" for name in names]
    found: list[str | None] = [path for path in paths if path in tree.layouts]
    return found if len(found) == count else [None] * count


def title_of(signal: Mapping[str, Any]) -> str:
    """Give the title of a signal, or nothing."""
    general: Any = signal["metadata"].get("General")
    title = general.get("title") if is_dict(general) else None
    return printable(cut(str(title))) if title else ""


def axis_size(axis: Mapping[str, Any], default: int = 0) -> int:
    """Give the number of elements along an axis, as far as it tells."""
    found = axis.get(axis_type(axis).size_key, default)
    return len(found) if isinstance(found, Sized) else int(found)


def _description(
    tree: Tree, signal: Mapping[str, Any], path: str | None
) -> Description:
    part: Any = signal["metadata"].get("Signal")
    signal_type = part.get("signal_type") if is_dict(part) else None
    words = (signal.get("package"), signal.get("package_version"))
    stored = "" if path is None else storage_text(tree, path)
    return Description(
        title=title_of(signal),
        signal_type=printable(cut(str(signal_type))) if signal_type else "",
        dimensions=tuple(map(_dimension, signal["axes"])),
        data="" if path is None else data_text(tree, path),
        stored=stored,
        models=tuple(printable(str(name)) for name in signal.get("models", {})),
        written_by=" ".join(printable(cut(str(word))) for word in words if word),
    )


def _dimension(axis: Mapping[str, Any]) -> Dimension:
    name, units = (
        printable(cut(str(axis.get(key) or ""), 40)) for key in ("name", "units")
    )
    size = axis_size(axis)
    first: float | None = None
    last: float | None = None
    try:
        points = axis_points(axis, size)
        if len(points):
            first, last = float(points[0]), float(points[-1])
    except (EncodeError, TypeError, ValueError):
        pass  # dates, and expressions that are not known
    return Dimension(
        name=name,
        size=size,
        units=units,
        first=first,
        last=last,
        navigate=bool(axis.get("navigate")),
    )


def description_lines(number: int, one: Description) -> Iterator[str]:
    """Render what a signal is, as lines of a name and what it says."""
    yield f"[{number}] {one.title or 'untitled'}"
    facts = [("signal type", one.signal_type)]
    for index, dimension in enumerate(one.dimensions):
        facts.append((dimension.name or f"axis {index}", _dimension_text(dimension)))
    facts.append(("data", one.data))
    facts.append(("stored", one.stored))
    facts.append(("models", ", ".join(one.models)))
    facts.append(("written by", one.written_by))
    told = [(name, said) for name, said in facts if said]
    column = max(len(name) for name, _ in told)
    for name, said in told:
        yield f"    {name:{column}}  {said}"


def _dimension_text(dimension: Dimension) -> str:
    kind = "navigation" if dimension.navigate else "signal"
    if dimension.first is None or dimension.last is None:
        return f"{dimension.size}, {kind}"
    ends = f"{dimension.first:.5g} to {dimension.last:.5g} {dimension.units}".rstrip()
    return f"{dimension.size}, {ends}, {kind}"
