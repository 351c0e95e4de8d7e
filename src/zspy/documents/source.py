"""What a reader of documents offers: their keys, their bytes, and parts of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from ..values.errors import EncodeError, FormatError, expect, shown, taking
from ..values.nodes import joined
from ..values.types import Documents

NODES: Final = frozenset({".zgroup", ".zarray", "zarr.json"})
"""The names of the documents of nodes."""
DOCUMENTS: Final = (*sorted(NODES), ".zattrs")
"""These, and the name of the document of attributes in format 2."""
_CHUNK: Final = re.compile(r"(c\.)?\d+(\.\d+)*\Z", re.ASCII)
_IN_GRID: Final = re.compile(r"[\d./]+\Z", re.ASCII)
# A path of no more levels is climbed level by level.
_FEW_LEVELS: Final = 32


def is_part(name: str) -> bool:
    """Tell the names of attributes and of chunks, which belong to a node, from others.

    In format 3, an array without dimensions has a chunk `c`.

    >>> is_part(".zattrs"), is_part("c.0.12"), is_part("c"), is_part("notes")
    (True, True, True, False)
    """
    return name in (".zattrs", "c") or _CHUNK.match(name) is not None


def node_keys(keys: Iterable[str]) -> list[str]:
    """Give the keys of the documents of nodes; of what has lost its document, another of its keys.

    >>> node_keys([".zgroup", "a/.zarray", "a/0", "b/0"])
    ['.zgroup', 'a/.zarray', 'b/0']
    >>> node_keys(["zarr.json", "c/0/1"]), node_keys(["zarr.json", "c/c/0"])
    (['zarr.json'], ['zarr.json', 'c/c/0'])
    """
    nodes: list[str] = []
    kinds: dict[str, str] = {}
    others: dict[str, str] = {}
    for key in keys:
        try:
            folder, _, name = key.rpartition("/")
        except AttributeError as error:
            given: object = key
            problem = (
                f"a place for a file has names as keys, and not {shown(given)}"
            )
            raise EncodeError(problem, "documents", "fetch gives one") from error
        if name in NODES:
            nodes.append(key)
            kinds[folder] = name
        elif folder not in others and is_part(name):
            others[folder] = key
    lost: dict[str, str] = {}
    node_of = finder(kinds)
    for folder in others.keys() - kinds.keys():
        above = node_of(folder.rpartition("/")[0]) or ""
        top = level_below(above, folder)
        kind, part = kinds.get(above), others[folder]
        is_of_chunks = kind == ".zarray"
        if kind == "zarr.json":
            # What else lies in `c` is of an array of that name, in a group.
            is_inside = top == joined(above, "c")
            is_of_chunks = is_inside and bool(_IN_GRID.match(part, len(top)))
        elif part.endswith("/c"):
            continue  # a name that says nothing in format 2
        if not is_of_chunks:
            lost[top] = part
    return [*nodes, *lost.values()]


def finder(nodes: Collection[str]) -> Callable[[str], str | None]:
    """Give what finds the node, of these, that a path is of, or lies below."""
    longest = max(map(len, nodes), default=0)
    return partial(node_above, nodes=nodes, longest=longest)


def node_above(path: str, nodes: Collection[str], longest: int) -> str | None:
    """Find the node that a path is of, or lies below, where no path of a node is longer than told.

    What is longer is cut first: somebody may have made a name of thousands of levels.

    >>> node_above("a/0/1", {"a"}, 1), node_above("b/0", {"a"}, 1)
    ('a', None)
    """
    if len(path) > longest:
        path = path[: longest + 1].rpartition("/")[0]
    if path.count("/") > _FEW_LEVELS and path not in nodes:
        # Where there is a node, there are those above it.
        levels, start = range(len(path) + 1), path.index("/") + 1

        def is_beyond(at: int) -> bool:
            return path[:at].rpartition("/")[0] not in nodes

        first = bisect_left(levels, True, start, key=is_beyond)
        path = path[: first - 1].rpartition("/")[0]
    while path not in nodes:
        if not path:
            return None
        path = path.rpartition("/")[0]
    return path


def level_below(above: str, path: str) -> str:
    """Give the level of a path that follows on another path, which is above it.

    >>> level_below("a", "a/b/c"), level_below("", "a/b/c")
    ('a/b', 'a')
    """
    return joined(above, path[len(joined(above, "")) :].partition("/")[0])


def by_group(keys: Iterable[str]) -> dict[str, list[str]]:
    """Sort keys by their first two names: those of the group of a signal, or of all models.

    >>> by_group(["a/b/.zgroup", "a/b/c/0", ".zgroup"])
    {'a/b': ['a/b/.zgroup', 'a/b/c/0'], '.zgroup': ['.zgroup']}
    """
    found: dict[str, list[str]] = {}
    own: list[str] = []
    start = "/"  # of no key
    for key in keys:
        if not key.startswith(start):  # most keys follow others of their group
            second = key.find("/", key.find("/") + 1)
            start = key[:second] + "/" if second > 0 else "/"
            own = found.setdefault(start[:-1] or key, [])
        own.append(key)
    return found


def is_document(key: str) -> bool:
    """Tell the documents of nodes from chunks.

    >>> is_document("a/.zattrs"), is_document("a/0")
    (True, False)
    """
    return key.rpartition("/")[2] in DOCUMENTS


asking: Final = partial(
    taking, kind=FormatError, remedy="see whether the store is sound"
)
"""Turns what a mapping or a store of a caller raises into an error with the key."""
NAME_A_FILE: Final = "name a .zspy file, which has one"


class Listed(Mapping[str, bytes]):
    """Documents that can list those of their nodes without listing all chunks."""

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes, and one key of each folder that lost its own."""
        return node_keys(self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        """Read a document, or a part of it."""
        return self[key][part]

    def below(self, folder: str) -> Iterable[str]:
        """List the keys below a folder."""
        return (key for key in self if key.startswith(joined(folder, "")))

    def size(self, keys: Iterable[str]) -> int:
        """Add up the sizes of documents, of those that exist."""
        return sum(len(self[key]) for key in keys if key in self)


class Given(Listed):
    """Documents in a mapping."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __getitem__(self, key: str) -> bytes:
        try:
            document = self._documents[key]
        except KeyError:
            raise
        except Exception:  # to enter a block first takes longer
            with asking(key):
                raise
        if document.__class__ is not bytes:
            kinds = (bytes, bytearray, memoryview)
            expect(document, kinds, "document", key, "use bytes")
            document = bytes(document)
        return document

    @asking("the mapping")
    def __contains__(self, key: object) -> bool:
        return key in self._documents

    @asking("the mapping")
    def __iter__(self) -> Iterator[str]:
        return iter([*self._documents])


def listed(documents: Documents) -> Listed:
    """View a mapping as documents that list their nodes."""
    if isinstance(documents, Listed):
        return documents
    expect(
        documents, Mapping, "mapping of documents", "documents", "fetch gives one"
    )
    return Given(documents)
