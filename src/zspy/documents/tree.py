"""Nodes to documents {key: bytes} and back, for Zarr format 2 and 3. Pure: no store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from math import prod
from types import NoneType
from typing import Any, Final, Literal, cast, get_args

import numpy as np

from ..values.blocks import refuse_mask
from ..values.errors import (
    EncodeError,
    FormatError,
    check_choices,
    expect,
    naming,
    unlike,
    warn,
)
from ..values.migrate import newer
from ..values.names import OFFSETS, is_flat
from ..values.nodes import Array, Group, joined, walk
from ..values.ragged import RaggedCells
from ..values.types import ArrayLike, Documents, Node, ZarrFormat
from .array_metadata import ArrayMetadata
from .attributes import document_v3, dumped
from .chunks import encoded_chunks, read_whole
from .limits import CELL, LIMITS, Budget, Limits
from .metadata import describe
from .parsed_nodes import GROUP_V2, UPWARDS, parse_nodes
from .ragged_csr import flattened, unflatten
from .source import NAME_A_FILE, listed
from .storage import Storage, cut_cells, is_main, metadata_for

_GROUP_V3: Final = {"zarr_format": 3, "node_type": "group"}
# A warning names so many arrays.
_NAMED: Final = 5
Missing = Literal["warn", "raise", "ignore"]
Chooser = Callable[[str, Array], bool]
Loader = Callable[[str, ArrayMetadata], ArrayLike | None]
RaggedForm = Literal["cells", "shaped", "stored"]
"""How ragged arrays are given: as `encode` makes them; as far as it saves time in their shapes,
perhaps as `RaggedCells`; or as their file has them."""


def serialise(
    node: Node,
    *,
    zarr_format: ZarrFormat = 2,
    storage: Storage | None = None,
    elsewhere: Chooser | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Serialise a node, and all below it, as the documents that a Zarr store holds.

    Parameters
    ----------
    node : Group or Array
    zarr_format : {2, 3}, default 2
    storage : Storage, optional
        How arrays are stored; it has a `zarr_format` of its own.
    elsewhere : callable, optional
        Told once the path and the array, says whether its chunks are written by somebody else.

    Yields
    ------
    key : str
        ``a/b/.zarray``, ``a/b/0/0``, ...
    document : bytes

    Raises
    ------
    EncodeError
        If an array, or an attribute, cannot be stored in this format.

    Examples
    --------
    >>> from zspy import Group
    >>> dict(serialise(Group({"a": 1})))
    {'.zgroup': b'{"zarr_format":2}', '.zattrs': b'{"a": 1}'}
    """
    expect(storage, (Storage, NoneType), "Storage", "storage", "use zspy.Storage()")
    _expect_function(elsewhere, "elsewhere")
    storage = storage or Storage(zarr_format=zarr_format)
    is_v3 = storage.zarr_format == 3
    # The arrays of a tree are described by very few documents.
    known: dict[Any, tuple[ArrayMetadata, bytes]] = {}
    # What a caller made may hold anything.
    nodes: enumerate[tuple[str, Any]] = enumerate(
        walk(flattened(node) if is_v3 else node)
    )
    for number, (path, here) in nodes:
        if number >= LIMITS.nodes or path.count("/") >= LIMITS.depth:
            problem = f"more nodes than are read again: {LIMITS.nodes}, {LIMITS.depth} levels"
            raise EncodeError(
                problem, path, "store several files, or larger arrays"
            )
        prefix = joined(path, "")
        is_apart = False
        metadata = None
        name, document = ".zgroup", GROUP_V2
        if isinstance(here, Group):
            _check_names(here, path)
        elif isinstance(here, Array):
            is_apart = elsewhere is not None and elsewhere(path, here)
            main = is_apart and is_main(path)
            name = ".zarray"
            metadata, document = _described(path, here, storage, main, known)
        else:
            raise unlike(
                "node", here, path or "node", "use zspy.Group or zspy.Array"
            )
        if is_v3:
            name = "zarr.json"
            if here.attributes or metadata is None:
                group = {**_GROUP_V3, "attributes": {**here.attributes}}
                described = (
                    describe(metadata, here.attributes) if metadata else group
                )
                document = document_v3(described, path)
        yield prefix + name, document
        if here.attributes and not is_v3:
            yield prefix + ".zattrs", dumped(here.attributes, path)
        if isinstance(here, Array) and metadata is not None and not is_apart:
            data: Any = here.data
            if not isinstance(data, RaggedCells) or metadata.chunks != data.shape:
                data = refuse_mask(data, path)
            for key, pieces in encoded_chunks(prefix, metadata, data):
                yield key, b"".join(pieces)


def _expect_function(given: object, name: str) -> None:
    if given is not None and not callable(given):
        raise unlike("function", given, name, "give one, or None")


def _check_names(group: Group, path: str) -> None:
    """Refuse a name that leads elsewhere, which `encode` would have marked."""
    for name in cast("Iterable[object]", group.members):
        if not isinstance(name, str) or name in UPWARDS or "/" in name:
            problem = "no name, or one that leads out of its group"
            raise EncodeError(problem, joined(path, repr(name)), "use encode")


def _described(
    path: str,
    array: Array,
    storage: Storage,
    main: bool,
    known: dict[Any, tuple[ArrayMetadata, bytes]],
) -> tuple[ArrayMetadata, bytes]:
    """Give the metadata of an array, and its document without attributes, once for all like it."""
    data: Any = array.data
    if not hasattr(data, "dtype"):
        raise unlike("array", data, joined(path, "data"), "use numpy.asarray")
    cells, chunks, shards = array.cells, array.chunks, array.shards
    if cells is not None or chunks is not None or shards is not None:
        _check_layout(path, cells, chunks, shards)
    if cells is not None:
        array = cut_cells(path, array)
    storage = storage.of(path)
    layout = array.cells, array.chunks, array.shards
    kind = main, path.endswith("/mask")  # which takes no filters
    same = data.shape, data.dtype, layout, kind, id(storage)
    if same not in known:
        metadata = metadata_for(path, array, storage, main)
        known[same] = metadata, dumped(describe(metadata, {}), path)
    return known[same]


def _check_layout(path: str, cells: object, chunks: object, shards: object) -> None:
    """Refuse what an array cannot ask for."""
    if not isinstance(cells, (str, NoneType)):
        where = joined(path, "cells")
        raise unlike("codec of cells", cells, where, 'use "vlen-utf8"')
    for name, edges in (("chunks", chunks), ("shards", shards)):
        given: Any = edges
        is_shape = isinstance(given, tuple) and all(
            isinstance(edge, (int, np.integer))
            for edge in cast("tuple[Any]", given)
        )
        if given is not None and not is_shape:
            remedy = "give a positive edge for each dimension"
            raise unlike("tuple of edges", edges, f"{path}: {name}", remedy)


def deserialise(
    documents: Documents,
    *,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    load: Loader | None = None,
    missing: Missing = "warn",
) -> Node:
    """Build the nodes that documents describe: the inverse of `serialise`.

    Parameters
    ----------
    documents : mapping of str to bytes
        What a store holds below one node. Keys that belong to no node are ignored; a chunk that
        is missing holds the fill value, as Zarr says.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones.
    limits : Limits, optional
        What may be asked for.
    load : callable, optional
        Told the path and the metadata of an array, gives its data, or None to have it read here.
    missing : {"warn", "raise", "ignore"}
        What to do where chunks are missing of an array of which zspy had written all.

    Returns
    -------
    Group or Array

    Raises
    ------
    FormatError
        With the key of the document that is damaged, or that asks for what is not allowed.

    Examples
    --------
    >>> deserialise({".zgroup": b'{"zarr_format":2}', ".zattrs": b'{"a": 1}'})
    Group({'a': 1}, members=[])
    """
    check_choices(missing=(missing, get_args(Missing)))
    _expect_function(load, "load")
    budget = Budget(limits)
    with naming("the mapping"):
        node = read_nodes(documents, codecs, budget, load)
        tell_missing(budget, missing)
        return node


def tell_missing(budget: Budget, policy: Missing) -> None:
    """Warn of documents and chunks that were written and are missing, or raise FormatError."""
    kinds = (
        (
            "documents that were",
            budget.lost,
            "others removed them, or they are lost",
        ),
        ("chunks that zspy had", budget.missing, "they are read as the fill value"),
    )
    for kind, missing, consequence in kinds:
        if not missing or policy == "ignore":
            continue
        places = [f"{path} ({number})" for path, number in sorted(missing.items())]
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        named = ", ".join(places[:_NAMED]) + more
        problem = f"{kind} written are missing: {named}"
        if policy == "raise":
            remedy = f"restore them, or use missing='warn'; {consequence}"
            raise FormatError(problem, min(missing), remedy)
        warn(f"{problem}; {consequence}")


def tell_newer(root: Node) -> None:
    """Warn of a file of a version that is newer than the one that zspy knows."""
    if said := newer(root):
        warn(said)


def read_nodes(
    documents: Documents,
    codecs: Collection[str],
    budget: Budget,
    load: Loader | None,
    ragged: RaggedForm = "cells",
) -> Node:
    """Do what `deserialise` says, with ragged arrays in some form."""
    file = listed(documents)
    nodes = parse_nodes(file, codecs, budget.limits)
    budget.lost |= nodes.lost()
    if "" not in nodes.groups and "" not in nodes.arrays:
        raise FormatError("there is no Zarr group", "", NAME_A_FILE)
    arrays: dict[str, Array] = {}
    for path, (metadata, attributes) in nodes.arrays.items():
        if path.rpartition("/")[2].startswith(OFFSETS) and ragged != "stored":
            cells = 2 * CELL * prod(metadata.shape)  # Their shapes take as much.
            where = partial(metadata.document, path)
            budget.spend(cells, where, lambda: file.size(file.below(path)))  # noqa: B023 - called at once
        values = load(path, metadata) if load is not None else None
        if values is None:
            values = read_whole(file, path, metadata, budget, ragged == "shaped")
        arrays[path] = Array(
            values, attributes, metadata.cells, metadata.chunks, metadata.shards
        )
    every: dict[str, Node] = {**nodes.groups, **arrays}
    for path, node in every.items():
        if path:
            above, _, name = path.rpartition("/")
            cast("Any", nodes.groups[above].members)[name] = node
    if ragged != "stored" and any(
        is_flat(array.attributes) for array in arrays.values()
    ):
        unflatten(nodes.groups, ragged == "shaped")
    return every[""]
