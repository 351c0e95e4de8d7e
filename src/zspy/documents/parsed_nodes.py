"""The documents of nodes, parsed and checked: one set of rules for reading and for `check`.

No chunk is read here. Whoever hands in a collector is told all problems; else the first is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Final

from ..values.errors import DAMAGED, FormatError, expect_names, naming
from ..values.names import KIND, NAV_SHAPE, RECORD, SHAPES, SIGNAL, unmark
from ..values.nodes import Group, joined
from ..values.root import EXPERIMENTS, VERSION
from ..values.types import JSON, JSONObject, is_dict, is_list
from .array_metadata import ArrayMetadata
from .attributes import attributes_v3
from .bounded import GROWTH
from .codecs import DOCUMENT_CELLS
from .dtypes import DTYPE, MOST_EDGES, STRING_TYPES
from .integrity import CHUNKS, COUNT
from .json import parse_json
from .limits import RAISE_LIMITS, Budget, Limits
from .metadata import parse_array
from .source import NODES, Listed, level_below, node_above

PACKED: Final = 2**10
"""Bytes of a document that deflate makes of one at the most."""
Report = Callable[[FormatError], None]
GROUP_V2: Final = b'{"zarr_format":2}'
# What cells are that are no arrays, or lists where they have no shapes.
_WITHOUT_SHAPES: Final = (None, *STRING_TYPES, *DOCUMENT_CELLS)
UPWARDS: Final = ("", ".", "..")
"""Names that would lead out of a group."""
_COPIES: Final = b', "consolidated_metadata": {"metadata": '
_ROOT_V3_KEYS: Final = {"zarr_format", "node_type", "attributes"}


@dataclass(frozen=True, slots=True)
class ParsedNodes:
    """The groups of a file, and the metadata and attributes of its arrays, by path."""

    groups: dict[str, Group]
    arrays: dict[str, tuple[ArrayMetadata, dict[str, JSON]]]
    documents: Counter[str]
    """How many documents each signal has, by the path of its group."""

    def lost(self) -> dict[str, int]:
        """Tell how many documents each signal lacks of those that were written."""
        found: dict[str, int] = {}
        for signal, number in self.documents.items():
            record = self.groups.get(signal, Group()).attributes.get(RECORD)
            count = record.get(COUNT) if is_dict(record) else None
            # A group without one above it is read alone.
            if "/" in signal and type(count) is int and count > number:
                found[signal] = count - number
        return found


@dataclass(frozen=True, slots=True)
class _Parser:
    """What parsing one node needs to know."""

    file: Listed
    codecs: Collection[str]
    budget: Budget
    nodes: ParsedNodes
    # Documents without attributes, by their names and bytes: the nodes of a tree share very few.
    known: dict[tuple[str, bytes], tuple[JSONObject, ArrayMetadata | None]]
    report: Report


def parse_nodes(
    file: Listed,
    codecs: Collection[str],
    limits: Limits,
    report: Report | None = None,
) -> ParsedNodes:
    """Parse the documents of all nodes, parents first.

    With `report` it is told each problem, and what can be parsed is; without, the first is raised.
    """
    expect_names(codecs, "codecs")
    nodes = ParsedNodes({}, {}, Counter())
    parser = _Parser(file, codecs, Budget(limits), nodes, {}, report or _raise)
    for key in sorted(file.nodes(), key=lambda key: (key.count("/"), key)):
        if report is None:
            _parse_node(parser, key)
            continue
        try:
            with naming(key):
                _parse_node(parser, key)
        except FormatError as error:
            report(error)
    _mark_complete(nodes)
    for path in nodes.arrays:
        if (lost := _lost_axis(nodes, path)) is not None:
            parser.report(lost)
        if (lost := _lost_shapes(nodes, path)) is not None:
            parser.report(lost)
    return nodes


def _raise(error: FormatError) -> None:
    raise error


def _lost_axis(nodes: ParsedNodes, path: str) -> FormatError | None:
    """Make the error of a signal which lacks an axis of its data, but not all of them.

    One that is as zspy wrote it may not lack all either.
    """
    metadata, attributes = nodes.arrays[path]
    signal, _, name = path.rpartition("/")
    above, _, last = signal.rpartition("/")
    if name != "data" or not (above == EXPERIMENTS or last.startswith(SIGNAL)):
        return None
    cells = attributes.get(NAV_SHAPE)
    ndim = min(len(cells if is_list(cells) else metadata.shape), MOST_EDGES)
    axes = [f"{signal}/axis-{number}" for number in range(ndim)]
    lost = [axis for axis in axes if axis not in nodes.groups]
    listed = f"{signal}/_list_{ndim}_axes" in nodes.groups
    if listed or not lost or (lost == axes and not metadata.complete):
        return None
    return FormatError("the document of an axis is missing", lost[0], DAMAGED)


def _lost_shapes(nodes: ParsedNodes, path: str) -> FormatError | None:
    """Make the error of an array of cells which lacks their shapes.

    Up to version 3.1 one array had those of a whole group; what is no .zspy file needs none.
    """
    metadata, attributes = nodes.arrays[path]
    above, _, name = path.rpartition("/")
    is_bare = attributes.get(KIND) == "bare"
    if metadata.cells in _WITHOUT_SHAPES and not is_bare:
        return None
    if name.startswith(SHAPES) or unmark(name) is not None:
        return None
    version = nodes.groups.get("", Group()).attributes.get("file_format_version")
    if version != VERSION or joined(above, SHAPES + name) in nodes.arrays:
        return None
    return FormatError("the shapes of its cells are missing", path, DAMAGED)


def _parse_node(parser: _Parser, key: str) -> None:
    """Parse one node, and add it to those that are known."""
    groups, arrays = parser.nodes.groups, parser.nodes.arrays
    path, _, name = key.rpartition("/")
    if name not in NODES:
        _refuse_lost(parser, path, key)
        return
    above, _, last = path.rpartition("/")
    if key[0] == "/" or (path and last in UPWARDS):
        raise FormatError("a key that leads out of its group", key, DAMAGED)
    if path in groups or path in arrays:
        raise FormatError("two nodes of one name", key, "remove one of them")
    if path and above not in groups:
        if above in arrays:
            return  # Documents among the chunks of an array are no nodes.
        raise _without_group(above, key)
    limits = parser.budget.limits
    if len(groups) + len(arrays) >= limits.nodes or key.count("/") > limits.depth:
        problem = (
            f"more than {limits.nodes} nodes, or {limits.depth} levels of groups"
        )
        raise FormatError(problem, key, RAISE_LIMITS)
    data = _document(parser, key)
    known = parser.known.get((name, data))
    document, metadata = known or (_parsed(data, key), None)
    wanted = 3 if name == "zarr.json" else 2
    kind = document.get("node_type") if wanted == 3 else name[2:]
    if document.get("zarr_format") != wanted or kind not in ("array", "group"):
        problem = f"no node of Zarr format {wanted}"
        raise FormatError(problem, key, "the file is damaged, or of a newer kind")
    attributes: dict[str, JSON] = {}
    signal = "/".join(path.split("/", 2)[:2])
    parser.nodes.documents[signal] += 1
    try:
        if wanted == 3:
            attributes = attributes_v3(document.get("attributes", {}), key)
        else:
            beside = joined(path, ".zattrs")
            attributes = parse_json(_document(parser, beside), beside)
            parser.nodes.documents[signal] += 1
    except KeyError:
        pass  # A node of format 2 need not have attributes.
    except FormatError as error:
        parser.report(error)
    if known is None and kind == "array":
        metadata = parse_array(document, key, parser.codecs)
    if wanted == 2 or attributes.keys() <= {DTYPE}:
        parser.known[name, data] = document, metadata
    if metadata is None:
        groups[path] = Group(attributes, {})
        return
    if wanted == 3:
        attributes.pop(DTYPE, None)  # The metadata has it.
    arrays[path] = metadata, attributes


def _without_group(above: str, key: str) -> FormatError:
    """Make the error of a node in a folder that is no group."""
    if above:
        return FormatError("a node without a group above it", key, DAMAGED)
    problem = "no group is at the root: writing was interrupted, or files lie there"
    return FormatError(problem, key, "write it again, or name one")


def _refuse_lost(parser: _Parser, path: str, key: str) -> None:
    """Raise FormatError for attributes, or a chunk, of a node whose own document is missing."""
    above = node_above(path, parser.nodes.groups, len(path)) or ""
    first = level_below(above, path)
    if path and first not in parser.nodes.arrays:
        problem = (
            "the document of a node is missing, and what belongs to it is there"
        )
        raise FormatError(problem, key, DAMAGED)


def _parsed(data: bytes, key: str) -> JSONObject:
    """Parse the document of a node; of a root, without the copies of all others that it may end in.

    Without them it has to be whole: elsewhere than where zspy puts them, they are parsed as well.
    """
    alone, copies, _ = (
        data.partition(_COPIES) if key == "zarr.json" else (data, b"", b"")
    )
    if copies:
        with suppress(FormatError):
            document = parse_json(alone + b"}", key)
            if document.keys() >= _ROOT_V3_KEYS:
                return document
    return parse_json(data, key)


def _mark_complete(nodes: ParsedNodes) -> None:
    """Mark the arrays of signals of which all chunks were written: none may be missing.

    The record counts for nothing once another program has changed the number of chunks.
    """
    signals: dict[str, list[str]] = {}
    for path in nodes.arrays:
        signals.setdefault("/".join(path.split("/", 2)[:2]), []).append(path)
    metadata_of = {id(metadata): metadata for metadata, _ in nodes.arrays.values()}
    marked = {key: replace(one, complete=True) for key, one in metadata_of.items()}
    for signal, paths in signals.items():
        record = nodes.groups.get(signal, Group()).attributes.get(RECORD)
        count = sum([prod(nodes.arrays[path][0].stored_grid) for path in paths])
        if is_dict(record) and record.get(CHUNKS) == count:
            for path in paths:
                metadata, attributes = nodes.arrays[path]
                nodes.arrays[path] = marked[id(metadata)], attributes


def _document(parser: _Parser, key: str) -> bytes:
    """Read the document of a node, and pay for it; raises KeyError where there is none."""
    file, budget = parser.file, parser.budget
    most = budget.limits.document
    data = file.read(key, slice(most + 1))  # up to a byte too far
    if len(data) > most:
        problem = f"a document of more than {most} bytes"
        raise FormatError(problem, key, RAISE_LIMITS)
    budget.spend(GROWTH * len(data), lambda: key, lambda: file.size([key]), PACKED)
    return data
