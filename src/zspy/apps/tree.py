"""A leaf: what a file stores, node by node, for the command line; no large array is read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.limits import LIMITS, Budget
from ..documents.tree import read_nodes
from ..stores.backends import located, name_of, opened
from ..stores.base import Opened
from ..stores.directory import Directory
from ..values.errors import ZspyError, naming
from ..values.names import by_index
from ..values.nodes import Array, Group, joined, walk
from ..values.types import JSON, Node
from .text import (
    cut,
    dtype_text,
    printable,
    size_text,
    type_text,
    value_text,
    values_text,
)

_SMALL: Final = 2**12  # bytes of an array whose values are shown
_FORK, _LAST, _DOWN, _BLANK = "├── ", "└── ", "│   ", "    "
Paint = Callable[[str, str], str]
"""Gives a text of a kind ("group", "array", "key", "note") in its colour."""


@dataclass(frozen=True, slots=True)
class _Unread:
    """An array of which only the document was read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, key: Any, /) -> Any:
        raise LookupError(key)


class Tree(NamedTuple):
    """What is stored: the nodes, the layouts of arrays and the bytes of all nodes by path."""

    root: Node
    layouts: Mapping[str, ArrayMetadata]
    stored: Mapping[str, int]
    kind: str
    documents: int


def look(place: Any) -> Tree:
    """Read the documents of all nodes, and the sizes of all others."""
    with closing(opened(place)) as file:
        layouts: dict[str, ArrayMetadata] = {}

        def load(path: str, metadata: ArrayMetadata) -> Any:
            layouts[path] = metadata
            small = (
                metadata.native
                and metadata.nbytes <= _SMALL
                and prod(metadata.grid) == 1
            )
            return None if small else _Unread(metadata.shape, metadata.dtype)

        with naming(lambda: name_of(place)):
            root = read_nodes(file, (), Budget(LIMITS), load, shaped=None)
        stored = {path: 0 for path, _ in walk(root)}
        documents = 0
        for key, size in _sizes(file):
            documents += 1
            folder = key
            while folder:
                folder = folder.rpartition("/")[0]
                if folder in stored:
                    stored[folder] += size
        kind = {"Directory": "directory", "Zip": "zip file"}.get(
            type(file).__name__, "store"
        )
        return Tree(root, layouts, stored, kind, documents)


def _sizes(file: Opened) -> Iterator[tuple[str, int]]:
    """Yield the bytes of each document."""
    if isinstance(file, Directory):
        yield from ((key, os.stat(file.path(key)).st_size) for key in file)
    elif type(file).__name__ == "Zip":
        with zipfile.ZipFile(file.root) as entries:
            sizes = {entry.filename: entry.file_size for entry in entries.infolist()}
        yield from ((key, sizes[key]) for key in file)
    else:
        yield from ((key, len(file[key])) for key in file)


def found_at(tree: Tree, path: str) -> tuple[str, Node]:
    """Give a node of the tree, and its path as the tree has it."""
    parts = [part for part in path.split("/") if part]
    node: Any = tree.root
    for part in parts:
        node = node.members.get(part) if isinstance(node, Group) else None
    if node is None:
        raise ZspyError("there is no such node", path, "leave PATH out to see all")
    return "/".join(parts), node


def tree_lines(tree: Tree, path: str, depth: int | None, paint: Paint) -> Iterator[str]:
    """Render the tree below a path as text, one line a node or attribute."""
    path, node = found_at(tree, path)
    todo: list[tuple[str, str, str, str, Any, int]] = [
        ("", "", f"/{path}", path, node, 0)
    ]
    while todo:
        lead, rest, name, here, item, level = todo.pop()
        if not isinstance(item, (Group, Array)):
            yield f"{lead}{paint(printable(name), 'key')}: {value_text(item)}"
            continue
        yield f"{lead}{_node_line(tree, name, here, item, paint)}"
        members: Mapping[str, Node] = item.members if isinstance(item, Group) else {}
        inner: list[tuple[str, Any]] = [
            *item.attributes.items(),
            *((key, members[key]) for key in sorted(members, key=by_index)),
        ]
        if depth is not None and level >= depth and inner:
            yield f"{rest}{_LAST}{paint(f'… {len(inner)} more', 'note')}"
            continue
        branches = [(_FORK, _DOWN)] * (len(inner) - 1) + [(_LAST, _BLANK)]
        for (fork, down), (key, child) in reversed(
            [*zip(branches, inner, strict=False)]
        ):
            below = joined(here, key)
            todo.append((rest + fork, rest + down, key, below, child, level + 1))


def _node_line(tree: Tree, name: str, path: str, node: Node, paint: Paint) -> str:
    kind = type_text(name, node)
    stored = size_text(tree.stored[path])
    if isinstance(node, Group):
        return f"{paint(printable(name), 'group')} {paint(f'{kind}, {stored}', 'note')}"
    metadata = tree.layouts[path]
    line = (
        f"{paint(printable(name), 'array')} {kind} {dtype_text(node)} {metadata.shape}"
    )
    if values := values_text(node.data):
        return f"{line}: {cut(values)}"
    parts = [f"chunks {metadata.chunks}"] if metadata.chunks != metadata.shape else []
    parts += [f"shards {metadata.shards}"] if metadata.shards else []
    parts += [_compressor_text(metadata)]
    parts += [f"{stored} of {size_text(metadata.nbytes)}{_ratio_text(tree, path)}"]
    return f"{line} {paint(', '.join(parts), 'note')}"


def _compressor_text(metadata: ArrayMetadata) -> str:
    if metadata.compressor is None:
        return "not compressed" if metadata.native else "codecs of its own"
    config = metadata.compressor.get_config()
    level = config.get("clevel", config.get("level"))
    return " ".join(
        str(one) for one in (config["id"], config.get("cname"), level) if one
    )


def _ratio(tree: Tree, path: str) -> float | None:
    """Divide the bytes in memory by those that are stored; the size of cells is not known."""
    metadata = tree.layouts[path]
    return (
        metadata.nbytes / tree.stored[path]
        if metadata.cells is None and tree.stored[path]
        else None
    )


def _ratio_text(tree: Tree, path: str) -> str:
    ratio = _ratio(tree, path)
    return "" if ratio is None else f" ({ratio:.3g} : 1)"


def summary(tree: Tree, place: str) -> str:
    """Describe a file in one line, without the secrets of a URL."""
    return f"{printable(str(located(place)))}: {', '.join(map(str, _facts(tree)))}"


def _facts(tree: Tree) -> Iterator[str]:
    yield tree.kind
    if formats := sorted({metadata.zarr_format for metadata in tree.layouts.values()}):
        yield f"Zarr format {' and '.join(map(str, formats))}"
    version = tree.root.attributes.get("file_format_version")
    if tree.root.attributes.get("file_format") == "ZSpy":
        yield f".zspy {printable(str(version))}"
    yield f"{tree.documents} documents"
    yield size_text(tree.stored[""])


def tree_json(tree: Tree, path: str) -> dict[str, JSON]:
    """Describe the tree below a path for programs: a flat list of nodes, parents first."""
    path, node = found_at(tree, path)
    nodes: list[JSON] = [
        _node_json(tree, where, one) for where, one in walk(node, path)
    ]
    return {
        "kind": tree.kind,
        "documents": tree.documents,
        "bytes": tree.stored[""],
        "nodes": nodes,
    }


def _node_json(tree: Tree, path: str, node: Node) -> JSON:
    found: dict[str, JSON] = {
        "path": f"/{path}",
        "type": type_text(path.rpartition("/")[2], node),
        "stored_bytes": tree.stored[path],
        "attributes": {**node.attributes},
    }
    if isinstance(node, Group):
        return found
    metadata = tree.layouts[path]
    return {
        **found,
        "shape": [*metadata.shape],
        "dtype": dtype_text(node),
        "chunks": [*metadata.chunks],
        "shards": None if metadata.shards is None else [*metadata.shards],
        "compressor": None
        if metadata.compressor is None
        else metadata.compressor.get_config(),
        "bytes": metadata.nbytes if metadata.cells is None else None,
        "ratio": _ratio(tree, path),
        "zarr_format": metadata.zarr_format,
    }
