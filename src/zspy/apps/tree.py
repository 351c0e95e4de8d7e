"""What a file stores, node by node, for the command line; no large array is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any, Final, NamedTuple

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.source import finder
from ..documents.tree import read_nodes
from ..files.chunking import LARGE
from ..files.kept import stored_node
from ..stores.backends import located, name_of, opened
from ..stores.base import Opened
from ..values.errors import FormatError, did_you_mean, naming
from ..values.names import is_flat
from ..values.nodes import Array, Group, joined, walk
from ..values.root import FORMAT
from ..values.sequences import decoded_bytes
from ..values.types import Node, NumPyArray
from .text import (
    cut,
    dtype_text,
    printable,
    size_text,
    type_text,
    values_text,
)

_SMALL_ARRAY: Final = 2**12  # bytes of an array whose values are shown


class Overview(NamedTuple):
    """What a file is: its kind, what its root says, and how much it stores."""

    kind: str
    root: Node
    is_three: bool
    """Whether it is of Zarr format 3."""
    documents: int
    size: int


class Tree(NamedTuple):
    """What is stored: the nodes, the layouts of arrays and the bytes of all nodes by path."""

    overview: Overview
    layouts: Mapping[str, ArrayMetadata]
    stored: Mapping[str, int]


class Unread(NumPyArray):
    """Stands for an array that was not read."""


def read_outline(
    file: Opened,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    small: int = LARGE,
) -> tuple[Node, dict[str, ArrayMetadata]]:
    """Read the nodes of a file, and the metadata of all arrays by their path.

    Empty arrays stand for those that are not small.
    """
    layouts: dict[str, ArrayMetadata] = {}

    def load(path: str, metadata: ArrayMetadata) -> Any:
        layouts[path] = metadata
        if metadata.native and _size(file, path, metadata) <= small:
            return None
        dtype = metadata.dtype if metadata.cells is None else np.dtype(float)
        return np.empty((0,) * len(metadata.shape), dtype).view(Unread)

    budget = Budget(limits, decoded_bytes)
    return read_nodes(file, codecs, budget, load, ragged="stored"), layouts


def is_read(node: Node) -> bool:
    """Tell whether all arrays of a node are there, and nothing stands for one."""
    inner = (one for _, one in walk(node) if isinstance(one, Array))
    return not any(isinstance(one.data, Unread) for one in inner)


def _size(file: Opened, path: str, metadata: ArrayMetadata) -> int:
    """Give the bytes of an array; what is in its cells is told by what is stored."""
    if metadata.cells is None:
        return metadata.nbytes
    first = metadata.key((0,) * len(metadata.shape))
    return metadata.nbytes + file.size([joined(path, first)])


def look(place: Any, small: int = _SMALL_ARRAY) -> Tree:
    """Read the documents of all nodes, and the sizes of all others."""
    found = located(place)
    with naming(name_of(found)), closing(opened(found)) as file:
        root, layouts = read_outline(file, small=small)
        stored = {path: 0 for path, _ in walk(root)}
        node_of = finder(stored)
        documents = 0
        for key, size in file.sizes():
            documents += 1
            above = node_of(key.rpartition("/")[0]) or ""
            stored[above] += size
        for path in [*stored][:0:-1]:  # groups stand before what is in them
            stored[path.rpartition("/")[0]] += stored[path]
        whole = Overview(
            file.words, root, "zarr.json" in file, documents, stored[""]
        )
        return Tree(whole, layouts, stored)


def overview(place: Any) -> Overview:
    """Tell what a file is; but for its root, no node is parsed."""
    found = located(place)
    with naming(name_of(found)), closing(opened(found)) as file:
        root = stored_node(file, "")
        sizes = [size for _, size in file.sizes()]
        return Overview(
            file.words, root, "zarr.json" in file, len(sizes), sum(sizes)
        )


def found_at(tree: Tree, path: str) -> tuple[str, Node]:
    """Give a node of the tree, and its path as the tree has it."""
    parts = [part for part in path.split("/") if part]
    node = tree.overview.root
    for part in parts:
        members: Mapping[str, Node] = (
            node.members if isinstance(node, Group) else {}
        )
        if part not in members:
            remedy = did_you_mean(part, members) or "leave PATH out to see all"
            raise FormatError("there is no such node", path, remedy)
        node = members[part]
    return "/".join(parts), node


def node_text(tree: Tree, path: str, node: Node, kind: str) -> str:
    """Describe a node after its name: what it is, its values where they are few, or its size."""
    stored = size_text(tree.stored[path])
    if isinstance(node, Group):
        return f"{kind}, {stored}"
    metadata = tree.layouts[path]
    described = f"{kind} {dtype_text(node)} {metadata.shape}"
    if values := values_text(node.data):  # none of what was not read
        return f"{described}: {cut(values)}"
    return f"{described} {storage_text(tree, path)}"


def data_text(tree: Tree, path: str) -> str:
    """Describe the elements of an array: their type, and their bytes in memory."""
    node = found_at(tree, path)[1]
    metadata = tree.layouts[path]
    if not isinstance(node, Array) or is_flat(node.attributes):
        return f"ragged {metadata.dtype}"
    if metadata.cells is not None:
        return dtype_text(node)
    return f"{dtype_text(node)}, {size_text(metadata.nbytes)}"


def storage_text(tree: Tree, path: str) -> str:
    """Describe how an array is stored."""
    metadata = tree.layouts[path]
    parts: list[str] = []
    if metadata.chunks != metadata.shape:
        parts.append(f"chunks {metadata.chunks}")
    if metadata.shards:
        parts.append(f"shards {metadata.shards}")
    parts.append(_compressor_text(metadata))
    stored = f"{size_text(tree.stored[path])} of {size_text(metadata.nbytes)}"
    ratio = _ratio(tree, path)
    parts.append(stored if ratio is None else f"{stored} ({ratio:.3g} : 1)")
    return ", ".join(parts)


def _compressor_text(metadata: ArrayMetadata) -> str:
    if metadata.compressor is None:
        return "not compressed" if metadata.native else "codecs of its own"
    config = metadata.compressor.get_config()
    level = config.get("clevel", config.get("level"))
    known = (config["id"], config.get("cname"), level)
    return printable(" ".join(str(one) for one in known if one))


def _ratio(tree: Tree, path: str) -> float | None:
    """Divide the bytes in memory by those that are stored; the size of cells is not known."""
    metadata = tree.layouts[path]
    if metadata.cells is not None or not tree.stored[path]:
        return None
    return metadata.nbytes / tree.stored[path]


def summary(file: Overview, name: str) -> str:
    """Describe a file in one line."""
    facts = [file.kind]
    if file.root.attributes.get("file_format") == FORMAT:
        version = file.root.attributes.get("file_format_version")
        facts.append(f"Zarr format {2 + file.is_three}")
        facts.append(f".zspy {printable(str(version))}")
    facts.append(f"{file.documents} document{'s' * (file.documents != 1)}")
    facts.append(size_text(file.size))
    return f"{name}: {', '.join(facts)}"


def tree_json(tree: Tree, path: str) -> dict[str, Any]:
    """Describe the tree below a path for programs: a flat list of nodes, parents first."""
    path, node = found_at(tree, path)
    return {
        "kind": tree.overview.kind,
        "documents": tree.overview.documents,
        "bytes": tree.overview.size,
        "nodes": [_node_json(tree, *one) for one in walk(node, path)],
    }


def _node_json(tree: Tree, path: str, node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": f"/{path}",
        "type": type_text(path.rpartition("/")[2], node),
        "stored_bytes": tree.stored[path],
        "attributes": node.attributes,
    }
    if isinstance(node, Group):
        return found
    metadata = tree.layouts[path]
    compressor = metadata.compressor
    return {
        **found,
        "shape": metadata.shape,
        "dtype": dtype_text(node),
        "chunks": metadata.chunks,
        "shards": metadata.shards,
        "compressor": compressor and compressor.get_config(),
        "bytes": metadata.nbytes if metadata.cells is None else None,
        "ratio": _ratio(tree, path),
        "zarr_format": metadata.zarr_format,
    }
