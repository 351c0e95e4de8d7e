"""A signal that lies in a file already, by the documents of its nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

from ..documents.array_metadata import ArrayMetadata
from ..documents.limits import LIMITS
from ..documents.parsed_nodes import ParsedNodes, parse_nodes
from ..documents.source import listed
from ..stores.base import Opened
from ..values.errors import DAMAGED, EncodeError, FormatError, expect, shown
from ..values.names import NAV_SHAPE, UNNAMED, specs_of
from ..values.nodes import Group, joined
from ..values.root import EXPERIMENTS
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import Documents, Entries, NumPyArray, is_list
from .lazy import stored_array
from .options import axis_number

MASK: Final = f"{DATA_MASK}/mask"
"""The mask of the data of a signal, below its group."""


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """The group of a signal, in a file of which all documents of nodes are read."""

    file: Opened
    path: str  # of its group
    documents: Documents
    nodes: ParsedNodes

    def array(self, name: str) -> ArrayMetadata | None:
        """Give what the document of an array below the group says, if there is one."""
        found = self.nodes.arrays.get(f"{self.path}/{name}")
        return None if found is None else found[0]

    def attributes(self, name: str) -> Entries:
        """Give the attributes of a node below the group, if there is one."""
        path = joined(self.path, name) if name else self.path
        if path in self.nodes.arrays:
            return self.nodes.arrays[path][1]
        return self.nodes.groups.get(path, Group()).attributes

    def read(self, name: str, *part: Any) -> NumPyArray:
        """Read a part of an array below the group."""
        path = f"{self.path}/{name}"
        return stored_array(self.file, path, self.nodes.arrays[path][0])[part]

    @property
    def is_three(self) -> bool:
        """Whether it is of Zarr format 3."""
        return f"{self.path}/zarr.json" in self.documents

    @property
    def title(self) -> str:
        """Its title, which may be empty."""
        title = self.attributes("metadata/General").get("title")
        return title if isinstance(title, str) and title != UNNAMED else ""

    @property
    def axes(self) -> list[Entries]:
        """The attributes of the groups of its axes, in the order of the array."""
        found: list[Entries] = []
        while f"{self.path}/axis-{len(found)}" in self.nodes.groups:
            found.append(self.attributes(f"axis-{len(found)}"))
        return found

    def axis_number(self, axis: object, where: str) -> int:
        """Give the number of an axis; data without axes has dimensions all the same."""
        nameless: list[Entries] = [{}] * len(self.shape)
        return axis_number(self.axes or nameless, axis, where)

    @property
    def shape(self) -> list[int]:
        """Its shape: of an array and its axis the smaller size counts, while it grows."""
        stored: Any = self.array("data")
        shape: Any = self.attributes("data").get(NAV_SHAPE, [*stored.shape])
        if not is_list(shape) or not all(map(_is_size, shape)):
            raise self._damaged(
                "data", f"{shown(shape):.80} for the shape of its cells"
            )
        axes = self.axes
        if len(axes) > len(shape):
            problem = f"{len(axes)} axes for an array of {len(shape)} dimensions"
            raise self._damaged("data", problem)
        sizes: list[Any] = [*shape]
        for number, axis in enumerate(axes):
            name = f"axis-{number}"
            vector = self.array(f"{name}/axis")
            sides = vector.shape if vector else (axis.get("size", shape[number]),)
            if len(sides) != 1 or not _is_size(sides[0]):
                problem = f"{shown([*sides]):.80} for the size of an axis"
                raise self._damaged(name, problem)
            sizes[number] = min(shape[number], *sides)
        return sizes

    def _damaged(self, name: str, problem: str) -> FormatError:
        return FormatError(problem, f"{self.path}/{name}", DAMAGED)


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def chosen(titles: Sequence[str], title: str | None) -> int | None:
    """Choose a signal by its title, or the only one of a file; None if there is no such signal.

    Raises
    ------
    EncodeError
        If there are several.
    """
    expect(title, (str, NoneType), "text", "title", "use the title of a signal")
    numbers = [i for i, one in enumerate(titles) if title in (None, one)]
    if len(numbers) < 2:
        return numbers[0] if numbers else None
    problem = f"the title {title!r} is that of {len(numbers)} signals"
    remedy = "give each its own title"
    if title is None:
        problem = f"the file has {len(numbers)} signals"
        remedy = f"name one of {', '.join(map(repr, sorted(titles)))}"
    raise EncodeError(problem, "title", remedy)


def documents_at(file: Any, nodes: Collection[str]) -> dict[str, bytes]:
    """Read the documents of nodes by their keys, and the attributes beside them."""
    beside = (joined(key.rpartition("/")[0], ".zattrs") for key in nodes)
    keys = (*nodes, *beside)
    return {key: data for key in keys if (data := file.get(key)) is not None}


def stored_signals(file: Opened) -> list[StoredSignal]:
    """Find the signals of a file."""
    documents = documents_at(file, file.nodes())
    parsed = parse_nodes(listed(documents), (), LIMITS)
    return [
        StoredSignal(file, path, documents, parsed)
        for path in sorted(parsed.groups)
        if path.rpartition("/")[0] == EXPERIMENTS
        and f"{path}/data" in parsed.arrays
    ]


def stored_signal(file: Opened, title: str | None) -> StoredSignal | None:
    """Find a signal in a file by its title, if it is there; refuse cells that do not grow."""
    signals = stored_signals(file)
    number = chosen([signal.title for signal in signals], title)
    if number is None:
        return None
    signal = signals[number]
    paths = (*signal.nodes.groups, *signal.nodes.arrays)
    beside = [path for path in paths if path.rpartition("/")[0] == signal.path]
    refuse_cells(beside, signal.attributes(""))
    return signal


def refuse_cells(names: Collection[str], attributes: Entries) -> None:
    """Refuse a signal of which more than its data says what its cells are."""
    # they are stored in an array, or in a group whose name has a mark before
    beside = any(name.endswith(DATA_CELLS) for name in names)
    kinds = [spec[:1] for spec in specs_of(attributes, "data") if is_list(spec)]
    if beside or ["cells"] in kinds:
        problem = "cells that are not all arrays of one dtype do not grow in place"
        raise EncodeError(problem, "data", "make them such arrays")
