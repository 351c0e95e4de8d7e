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
from ..values.names import NAV_SHAPE, UNNAMED
from ..values.root import DATA, ROOT


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """The documents of a signal, each under its key in the file."""

    path: str  # of its group
    documents: Mapping[str, bytes]

    def key(self, name: str, document: str) -> str:
        """Give the key of the document of a node, which has this name in format 2."""
        path = f"{self.path}/{name}"
        key = f"{path}/zarr.json"
        return key if key in self.documents else f"{path}/{document}"

    def attributes(self, name: str) -> dict[str, Any]:
        """Give the attributes of a node below the group."""
        key = self.key(name, ".zattrs")
        document = parse_json(self.documents.get(key, b"{}"), key)
        if key.endswith("/zarr.json"):
            document = document.get("attributes", {})
        return document

    def array(self, name: str) -> ArrayMetadata | None:
        """Give what the document of an array below the group says, if there is one."""
        key = self.key(name, ".zarray")
        if key not in self.documents:
            return None
        return parse_array(parse_json(self.documents[key], key), key)

    @property
    def axes(self) -> list[dict[str, Any]]:
        """The attributes of the groups of its axes, in the order of the array."""
        found: list[dict[str, Any]] = []
        while self.key(f"axis-{len(found)}", ".zgroup") in self.documents:
            found.append(self.attributes(f"axis-{len(found)}"))
        return found

    @property
    def shape(self) -> list[int]:
        """Its shape: of an array and its axis the smaller size counts, while it grows."""
        data = self.array("data")
        navigation: Any = self.attributes("data").get(NAV_SHAPE)
        shape: list[int] = list(navigation or getattr(data, "shape", ()))
        for number, axis in enumerate(self.axes):
            vector = self.array(f"axis-{number}/axis")
            size = (
                axis.get("size", shape[number])
                if vector is None
                else vector.shape[0]
            )
            shape[number] = min(shape[number], size)
        return shape


def titles_of(file: Opened) -> dict[str, str]:
    """Give the title of each signal in a file, by the path of its group."""
    titles: dict[str, str] = {}
    for key in file.nodes():
        if match := DATA.match(key):
            path = f"{ROOT}/{match[1]}"
            general = _documents_at(file, f"{path}/metadata/General")
            title = (
                StoredSignal(path, general)
                .attributes("metadata/General")
                .get("title")
            )
            titles[path] = (
                title if isinstance(title, str) and title != UNNAMED else ""
            )
    return dict(sorted(titles.items()))


def path_of(titles: Mapping[str, str], title: str | None) -> str | None:
    """Choose a signal by its title, or the only one of a file; None if there is no such signal.

    Raises
    ------
    EncodeError
        If there are several.
    """
    paths = [path for path, one in titles.items() if title in (None, one)]
    if len(paths) > 1:
        what = (
            "the file has" if title is None else f"the title {title!r} is that of"
        )
        names = ", ".join(map(repr, sorted(titles.values())))
        remedy = (
            f"name one of {names}" if title is None else "give each its own title"
        )
        raise EncodeError(f"{what} {len(paths)} signals", "title", remedy)
    return paths[0] if paths else None


def stored_signal(file: Opened, title: str | None) -> StoredSignal | None:
    """Read the documents of a signal, chosen by its title, if there is one."""
    path = path_of(titles_of(file), title)
    if path is None:
        return None
    documents: dict[str, bytes] = {}
    for key in file.nodes():
        folder = key.rpartition("/")[0]
        if folder == path or folder.startswith(f"{path}/"):
            documents |= _documents_at(file, folder)
    return StoredSignal(path, documents)


def _documents_at(file: Opened, path: str) -> dict[str, bytes]:
    """Read the documents of one node."""
    keys = [f"{path}/{name}" for name in DOCUMENTS]
    return {key: file[key] for key in keys if key in file}


def axis_number(axes: Sequence[Mapping[str, Any]], axis: object, where: str) -> int:
    """Give the number of the axis that a caller names.

    Raises
    ------
    EncodeError
        If there is no such axis, or if two have the name.
    """
    names = [one.get("name") for one in axes]
    if (
        isinstance(axis, int)
        and not isinstance(axis, bool)
        and 0 <= axis < len(axes)
    ):
        return axis
    if isinstance(axis, str) and names.count(axis) == 1:
        return names.index(axis)
    known = ", ".join(repr(name) for name in names if isinstance(name, str))
    problem = f"there is no axis {axis!r}, or it has no name of its own"
    remedy = f"use one of {known or 'its numbers'}, or a number below {len(axes)}"
    raise EncodeError(problem, where, remedy)
