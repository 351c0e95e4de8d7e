"""Which keys of a store belong to the Zarr nodes in it: only those are ever replaced."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from ..documents.source import NODES
from ..values.errors import EncodeError

_DOCUMENTS: Final = NODES | {".zattrs", ".zmetadata"}
_CHUNK: Final = re.compile(r"(c/)?\d+([./]\d+)*|c")
_TOP: Final = "Experiments"
"""A group of each .zspy file."""


def foreign_keys(keys: Collection[str]) -> list[str]:
    """Give the keys that belong to no node of the hierarchy at the root.

    Where the root has no document, a replacement may have been interrupted: then the keys of the
    group that each .zspy file has belong to the file too.

    >>> foreign_keys([".zgroup", "a/.zarray", "a/0.0", "a/README", "b/c/.zgroup"])
    ['a/README', 'b/c/.zgroup']
    """
    found = {folder for folder, name in map(_split, keys) if name in NODES}
    is_whole = "" in found
    nodes = (
        _reached(found) if is_whole else {node for node in found if _is_top(node)}
    )
    groups = {_above(node) for node in nodes if node}
    arrays = nodes - groups
    in_arrays: dict[str, str | None] = {}
    foreign: list[str] = []
    for key in keys:
        folder, name = _split(key)
        if name in _DOCUMENTS:
            is_own = folder in nodes if is_whole else _is_top(folder)
        else:
            if folder not in in_arrays:
                in_arrays[folder] = _array_above(folder, arrays)
            array = in_arrays[folder]
            is_own = array is not None and _is_chunk(key, array)
        if not is_own:
            foreign.append(key)
    return foreign


def _reached(found: Iterable[str]) -> set[str]:
    """Give the nodes of which all groups above are there, up to the root."""
    nodes = {""}
    for node in sorted(found, key=lambda path: path.count("/")):
        if _above(node) in nodes:
            nodes.add(node)
    return nodes


def _is_top(node: str) -> bool:
    """Tell what may be left of a .zspy file whose replacement was interrupted."""
    return node == _TOP or node.startswith(f"{_TOP}/")


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name


def _above(node: str) -> str:
    return node.rpartition("/")[0]


def _array_above(folder: str, arrays: Collection[str]) -> str | None:
    """Give the array in which a folder of chunks lies."""
    while folder not in arrays:
        if not folder:
            return None
        folder = _above(folder)
    return folder


def _is_chunk(key: str, array: str) -> bool:
    rest = key[len(array) :].lstrip("/")
    return _CHUNK.fullmatch(rest) is not None


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
