"""A signal that lies in a file already, by its documents: where it is, and how large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents.array_metadata import ArrayMetadata
from ..documents.integrity import DOCUMENTS
from ..documents.json import parse_json
from ..documents.metadata import parse_array
from ..stores.base import Opened
from ..values.errors import EncodeError
from ..values.names import NAV_SHAPE, NONE, UNNAMED
from ..values.nodes import joined
from ..values.root import DATA, ROOT
from ..values.types import is_dict

_NAMES: Sequence[str] = DOCUMENTS


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """The documents of a signal, each under its key in the file."""

    path: str  # of its group
    documents: Mapping[str, bytes]

    def attributes(self, name: str) -> dict[str, Any]:
        """Give the attributes of a node below the group."""
        path = joined(self.path, name)
        for key, inner in ((f"{path}/zarr.json", True), (f"{path}/.zattrs", False)):
            if key in self.documents:
                document = parse_json(self.documents[key], key)
                found = document.get("attributes") if inner else document
                return found if is_dict(found) else {}
        return {}

    def has_array(self, name: str) -> bool:
        """Tell whether there is an array, or a group of format 3, below the group."""
        path = joined(self.path, name)
        return any(
            f"{path}/{one}" in self.documents for one in (".zarray", "zarr.json")
        )

    def array_key(self, name: str) -> str:
        """Give the key of the document of an array below the group."""
        path = joined(self.path, name)
        key = f"{path}/zarr.json"
        return key if key in self.documents else f"{path}/.zarray"

    def array(self, name: str) -> ArrayMetadata:
        """Give what the document of an array below the group says."""
        key = self.array_key(name)
        return parse_array(parse_json(self.documents[key], key), key)

    @property
    def axes(self) -> list[dict[str, Any]]:
        """The attributes of the groups of its axes, in the order of the array."""
        found: list[dict[str, Any]] = []
        while True:
            name = f"axis-{len(found)}"
            group = joined(self.path, name)
            if not any(f"{group}/{one}" in self.documents for one in _NAMES):
                return found
            found.append(self.attributes(name))


def group_paths(file: Opened) -> dict[str, str]:
    """Give the title of each signal in a file, by the path of its group."""
    titles: dict[str, str] = {}
    for key in file.nodes():
        if match := DATA.match(key):
            path = f"{ROOT}/{match[1]}"
            general = _documents_at(file, f"{path}/metadata/General")
            signal = StoredSignal(path, general)
            title = signal.attributes("metadata/General").get("title", "")
            titles[path] = "" if title in (None, NONE, UNNAMED) else str(title)
    return titles


def stored_signal(file: Opened, title: str | None) -> StoredSignal | None:
    """Find a signal by its title, or the only one of a file; None if there is no such signal.

    Raises
    ------
    EncodeError
        If there are several.
    """
    titles = group_paths(file)
    paths = [path for path, one in titles.items() if title in (None, one)]
    if not paths:
        return None
    if len(paths) > 1:
        what = "the file has" if title is None else f"the title {title!r} is that of"
        names = ", ".join(map(repr, sorted(titles.values())))
        remedy = f"name one of {names}" if title is None else "give each its own title"
        raise EncodeError(f"{what} {len(paths)} signals", "title", remedy)
    start = f"{paths[0]}/"
    folders = {key.rpartition("/")[0] for key in file.nodes() if key.startswith(start)}
    documents: dict[str, bytes] = {}
    for folder in folders:
        documents |= _documents_at(file, folder)
    return StoredSignal(paths[0], documents)


def _documents_at(file: Opened, path: str) -> dict[str, bytes]:
    """Read the documents of one node."""
    keys = [f"{path}/{name}" for name in _NAMES]
    return {key: file[key] for key in keys if key in file}


def axis_number(axes: Sequence[Mapping[str, Any]], axis: object, where: str) -> int:
    """Give the number of the axis that a caller names.

    Raises
    ------
    EncodeError
        If there is no such axis, or if two have the name.
    """
    names = [one.get("name") for one in axes]
    if isinstance(axis, int) and not isinstance(axis, bool) and 0 <= axis < len(axes):
        return axis
    if isinstance(axis, str) and names.count(axis) == 1:
        return names.index(axis)
    known = ", ".join(repr(name) for name in names if isinstance(name, str))
    remedy = f"use one of {known}" if known else "use its number in the array"
    problem = f"there is no axis {axis!r}"
    if isinstance(axis, str) and axis in names:
        problem, remedy = f"two axes are called {axis!r}", "use its number in the array"
    raise EncodeError(problem, where, f"{remedy}; there are {len(axes)}")


def stored_shape(stored: StoredSignal) -> list[int]:
    """Give the shape of a stored signal: of the array and its axes the smaller one counts."""
    navigation = stored.attributes("data").get(NAV_SHAPE)
    shape = [*(navigation or stored.array("data").shape)]
    for number, axis in enumerate(stored.axes):
        name = f"axis-{number}/axis"
        if stored.has_array(name) and axis.get("_type") == "DataAxis":
            size = stored.array(name).shape[0]
        else:
            size = axis.get("size", shape[number])
        shape[number] = min(shape[number], size)
    return shape
