"""What belongs to the Zarr nodes of a file: only that is ever replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from itertools import filterfalse, pairwise
from typing import Final, NamedTuple, TypeAlias

from ..documents.json import parse_json
from ..documents.limits import LIMITS
from ..documents.source import DOCUMENTS, NODES, is_document, node_keys
from ..values.errors import EncodeError, FormatError
from ..values.nodes import joined
from ..values.root import EXPERIMENTS, FORMAT, MODELS

_DOCUMENTS: Final = {*DOCUMENTS, ".zmetadata"}
# The names of chunks, and of the folders that they are in.
_CHUNK_V2: Final = re.compile(r"[0-9]+(\.[0-9]+)*/?")
_CHUNK_V3: Final = re.compile(r"(c\.)?[0-9]+(\.[0-9]+)*/?|c/?")
_DEEPEST: Final = LIMITS.depth
_OF_THE_FILE: Final = (f"{EXPERIMENTS}/", f"{MODELS[0]}/")
Read: TypeAlias = Callable[[str], bytes | None]
"""Reads a document of a file, if it is there."""


class Level(NamedTuple):
    """A folder: what is in it belongs to a node, or to an array above it."""

    is_node: bool
    chunk: re.Pattern[str] | None
    """What the chunks of the array are called, if it is in one."""

    def inside(self, path: str, names: Collection[str], read: Read) -> Level:
        """Give the level of a folder right below: by its path, and the names in it.

        Those of folders end with a slash.
        """
        is_node = self.is_node and not NODES.isdisjoint(names)
        if f"{EXPERIMENTS}/" in names and _is_copied(path, read):
            return _NOTHING
        if is_node and ".zarray" in names:
            return Level(is_node, _CHUNK_V2)
        if is_node and "zarr.json" in names:
            # In a group, which looks the same, such a name is somebody else's.
            is_unclear = any(map(_CHUNK_V3.fullmatch, names))
            kind = _node_type(path, read) if is_unclear else "array"
            # Where a document is damaged, a folder of chunks alone tells an array.
            if kind == "array" or (not kind and {*names} == {"zarr.json", "c/"}):
                return Level(is_node, _CHUNK_V3)
        inside = self._has_chunk(path.rpartition("/")[2])
        return Level(is_node, self.chunk if inside else None)

    def owns(self, name: str) -> bool:
        """Tell whether a file in the folder is a document or a chunk."""
        return (self.is_node and name in _DOCUMENTS) or self._has_chunk(name)

    def _has_chunk(self, name: str) -> bool:
        return self.chunk is not None and self.chunk.fullmatch(name) is not None


def _is_copied(path: str, read: Read) -> bool:
    """Tell the root of another file, which was put into this one, beside its signals and models.

    Among these, the group of all signals is an entry of that name.
    """
    if not path or f"{path}/".startswith(_OF_THE_FILE):
        return False
    documents = (read(joined(path, name)) for name in (".zattrs", "zarr.json"))
    return any(f'"{FORMAT}"'.encode() in data for data in documents if data)


def _node_type(path: str, read: Read) -> object:
    """Tell an array of format 3 from a group; nothing of what is damaged."""
    key = joined(path, "zarr.json")
    try:
        return parse_json(read(key) or b"", key).get("node_type", "")
    except FormatError:
        return ""


ABOVE_ROOT: Final = Level(is_node=True, chunk=None)
"""What stands above the root of a file."""
_NOTHING: Final = Level(is_node=False, chunk=None)


def unowned_keys(keys: Collection[str], read: Read) -> list[str]:
    """Give the keys that belong to no node of the hierarchy at the root.

    Where the root has no document, a replacement may have been interrupted: then the keys of the
    group that each .zspy file has belong to the file too.

    >>> group = {"zarr.json": b'{"node_type": "group"}', "0": b""}
    >>> unowned_keys([*group], group.get)
    ['0']
    >>> unowned_keys(
    ...     [".zgroup", "a/.zarray", "a/0.0", "a/README", "b/c/.zgroup"], {}.get
    ... )
    ['a/README', 'b/c/.zgroup']
    """
    is_whole = not NODES.isdisjoint(keys)
    owned: set[str] = set()
    # Folders, each with the keys in it and what is above. Nobody looks below those that belong to
    # nothing, or are deeper than is read: names are as deep as an attacker likes.
    todo = [("", sorted(keys), ABOVE_ROOT)]
    while todo:
        folder, inner, above = todo.pop()
        start = len(folder)
        names: dict[str, list[str]] = {}
        for key in inner:
            stop = key.find("/", start) + 1 or len(key)
            names.setdefault(key[start:stop], []).append(key)
        here = {*names}
        if not is_whole and folder.startswith(f"{EXPERIMENTS}/"):
            here.add(".zgroup")
            above = ABOVE_ROOT if folder == f"{EXPERIMENTS}/" else above
        level = above.inside(folder[:-1], here, read)
        for name, below in names.items():
            if not name.endswith("/"):
                if level.owns(name):
                    owned.update(below)
            elif not folder or (
                level != _NOTHING and folder.count("/") <= _DEEPEST
            ):
                todo.append((folder + name, below, level))
    return [key for key in keys if key not in owned]


def replaceable_keys(keys: Collection[str], read: Read) -> list[str]:
    """Give the keys that a new file replaces, among all those of a store.

    Raises
    ------
    EncodeError
        If there are keys, and none of them is of a Zarr group or array at the root.
    """
    unowned = set(unowned_keys(keys, read))
    if unowned and len(unowned) == len(keys):
        problem = "the place holds what is no .zspy file"
        example = min(unowned)
        if "://" not in example:  # A web server's are URLs, with their secrets.
            problem += f", such as {example[:60]!r}"
        remedy = "use a place of its own: a prefix, or an empty store"
        raise EncodeError(problem, "filename", remedy)
    return [key for key in keys if key not in unowned]


def refuse_misplaced(
    unowned: Iterable[str],
    keys: Collection[str],
    read: Read,
) -> None:
    """Refuse what stays of others where it has no place in a new file, of these keys.

    It would be taken for a chunk of an array, or for what is left of a node that has lost its
    document; or it has the name of a folder. Of what is written anew nothing stays.

    >>> group = {".zgroup": b"{}", "a/.zgroup": b"{}"}
    >>> refuse_misplaced(["a/7", "b/notes"], group, group.get)
    >>> refuse_misplaced(["b/7"], group, group.get)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    zspy.values.errors.EncodeError: b/7: what belongs to no node has no place in the new file; ...
    """
    stays = {*unowned}
    if not stays:
        return
    together = {*keys, *stays}
    claimed = filterfalse(
        is_document, stays.difference(unowned_keys(together, read))
    )
    lost = stays.intersection(node_keys(together)).difference(keys)
    ordered = sorted(together, key=lambda key: key.replace("/", "\0"))
    blocked = {
        min(stays.intersection([above, key]))
        for above, key in pairwise(ordered)
        if key.startswith(f"{above}/") and (above in stays) != (key in stays)
    }
    if key := min({*claimed, *lost, *blocked}, default=""):
        raise misplaced(key)


def misplaced(key: str) -> EncodeError:
    """Give the error for what would stay where something of a new file is to be."""
    problem = "what belongs to no node has no place in the new file"
    remedy = "move it to another place first, or remove the file if it is damaged"
    return EncodeError(problem, key, remedy)
