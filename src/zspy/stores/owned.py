"""What belongs to the Zarr nodes of a file: only that is ever replaced."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from ..documents.source import DOCUMENTS, NODES
from ..values.errors import EncodeError

_DOCUMENTS: Final = {*DOCUMENTS, ".zmetadata"}
_CHUNK: Final = re.compile(r"(c\.)?\d+(\.\d+)*|c")
_TOP: Final = "Experiments"
"""A group of each .zspy file."""


class Level(NamedTuple):
    """A folder: what is in it belongs to a node, or to an array above it."""

    is_node: bool
    in_array: bool

    def inside(self, name: str, names: Collection[str]) -> Level:
        """Give the level of a folder right below, by its name and the names in it."""
        is_node = self.is_node and not NODES.isdisjoint(names)
        is_array = is_node and (".zarray" in names or "zarr.json" in names)
        return Level(is_node, is_array or (self.in_array and _is_chunk(name)))

    def owns(self, name: str) -> bool:
        """Tell whether a file in the folder is a document or a chunk."""
        is_document = self.is_node and name in _DOCUMENTS
        return is_document or (self.in_array and _is_chunk(name))


def _is_chunk(name: str) -> bool:
    return _CHUNK.fullmatch(name) is not None


ROOT: Final = Level(is_node=True, in_array=False)
"""What stands above the root of a file."""


def foreign_keys(keys: Collection[str]) -> list[str]:
    """Give the keys that belong to no node of the hierarchy at the root.

    Where the root has no document, a replacement may have been interrupted: then the keys of the
    group that each .zspy file has belong to the file too.

    >>> foreign_keys([".zgroup", "a/.zarray", "a/0.0", "a/README", "b/c/.zgroup"])
    ['a/README', 'b/c/.zgroup']
    >>> foreign_keys([".zarray", "0/0", "README"])
    ['README']
    """
    names: dict[str, set[str]] = {"": set()}
    for key in keys:
        folder, _, name = key.rpartition("/")
        names.setdefault(folder, set()).add(name)
        while folder:
            folder = _above(folder)
            names.setdefault(folder, set())
    nodes = [one for one in names if one and not NODES.isdisjoint(names[one])]
    groups = {_above(one) for one in nodes}
    is_whole = not NODES.isdisjoint(names[""])
    levels: dict[str, Level] = {}
    for folder in sorted(names, key=len):
        here, is_top = names[folder], folder == _TOP
        if not is_whole and (is_top or folder.startswith(f"{_TOP}/")):
            here = here | {".zgroup"}
        if not NODES.isdisjoint(here):
            here = {".zgroup" if folder in groups else ".zarray"}
        is_first = not folder or (is_top and not is_whole)
        above = ROOT if is_first else levels[_above(folder)]
        levels[folder] = above.inside(folder.rpartition("/")[2], here)
    return [
        key for key in keys if not levels[_above(key)].owns(key.rpartition("/")[2])
    ]


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def replaceable_keys(keys: Collection[str]) -> list[str]:
    """Give the keys that a new file replaces, among all those of a store.

    Raises
    ------
    EncodeError
        If there are keys, and none of them is of a Zarr group or array at the root.
    """
    foreign = set(foreign_keys(keys))
    if foreign and len(foreign) == len(keys):
        example = min(foreign)
        problem = f"the place holds what is no .zspy file, such as {example[:60]!r}"
        remedy = "use a place of its own: a prefix, or an empty store"
        raise EncodeError(problem, "filename", remedy)
    return [key for key in keys if key not in foreign]
