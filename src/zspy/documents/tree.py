"""Floor 3: nodes to documents {key: bytes} and back, for Zarr format 2 and 3. Pure: no store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import Any, Final, cast

from ..values.errors import FormatError, naming
from ..values.names import ENCODING, RECORD
from ..values.nodes import Array, Group, joined, walk
from ..values.ragged import RaggedCells
from ..values.types import JSON, ArrayLike, Documents, Node, ZarrFormat, is_dict
from .array_metadata import ArrayMetadata
from .attributes import attributes3, document3, dumped
from .chunks import encoded_chunks, read_whole, refuse_mask
from .dtypes import DTYPE
from .integrity import CHUNKS
from .json import parse_json
from .limits import LIMITS, RAISE_LIMITS, Budget, Limits
from .metadata import describe, parse_array
from .source import Listed, listed
from .storage import Storage, metadata_for

Chooser = Callable[[str, Array], bool]
Loader = Callable[[str, ArrayMetadata], ArrayLike | None]
GROUP2: Final = b'{"zarr_format":2}'
_ORPHAN: Final = (
    ("a node without a group above it", "the file is damaged"),
    ("there is no group at the root: writing was interrupted", "write the file again"),
)
_ARRAY2: Final[dict[str, JSON]] = {"zarr_format": 2}
_COPIES: Final = b', "consolidated_metadata": {"metadata": '
_ROOT3: Final = {"zarr_format", "node_type", "attributes"}


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
    >>> dict(serialise(Group({"a": 1})))
    {'.zgroup': b'{"zarr_format":2}', '.zattrs': b'{"a": 1}'}
    """
    metadata = storage or Storage(zarr_format=zarr_format)
    known: dict[
        Any, tuple[ArrayMetadata, bytes]
    ] = {}  # the arrays of a tree share very few layouts
    if metadata.zarr_format == 3:
        from .ragged_csr import flattened

        node = flattened(node)
    for path, here in walk(node):
        prefix = joined(path, "")
        if isinstance(here, Array):
            yield from _array(prefix, here, metadata, elsewhere, known)
        elif metadata.zarr_format == 3:
            group = {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": {**here.attributes},
            }
            yield prefix + "zarr.json", document3(group, path)
        else:
            yield prefix + ".zgroup", GROUP2
            if here.attributes:
                yield prefix + ".zattrs", dumped(here.attributes, path)


def _array(
    prefix: str,
    array: Array,
    storage: Storage,
    elsewhere: Chooser | None,
    known: dict[Any, tuple[ArrayMetadata, bytes]],
) -> Iterator[tuple[str, bytes]]:
    path = prefix[:-1]
    main = elsewhere is not None and elsewhere(path, array)
    data: Any = array.data
    same = (data.shape, data.dtype, array.cells, array.chunks, array.shards, main)
    if same not in known:
        metadata = metadata_for(path, array, storage, main)
        known[same] = metadata, dumped(describe(metadata, {}), path)
    metadata, document = known[same]
    if metadata.zarr_format == 2:
        yield prefix + ".zarray", document
        if array.attributes:
            yield prefix + ".zattrs", dumped(array.attributes, path)
    elif array.attributes:
        yield (
            prefix + "zarr.json",
            document3(describe(metadata, array.attributes), path),
        )
    else:
        yield prefix + "zarr.json", document
    if not main:
        whole = isinstance(data, RaggedCells) and metadata.chunks == data.shape
        yield from encoded_chunks(
            prefix, metadata, data if whole else refuse_mask(data, path)
        )


def deserialise(
    documents: Documents,
    *,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    load: Loader | None = None,
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
        Told the path and the layout of an array, gives its data, or None to have it read here.

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
    with naming():
        return read_nodes(documents, codecs, Budget(limits), load)


def read_nodes(
    documents: Documents,
    codecs: Collection[str],
    budget: Budget,
    load: Loader | None,
    shaped: bool | None = False,
) -> Node:
    """Do what `deserialise` says; ragged arrays may be `RaggedCells`, shaped; None: as stored."""
    file = listed(documents)
    groups: dict[str, Group] = {}
    limits = budget.limits
    part = slice(limits.document + 1)
    found: dict[str, tuple[ArrayMetadata, dict[str, JSON]]] = {}
    known: dict[
        bytes, ArrayMetadata
    ] = {}  # the arrays of a tree share very few documents
    for key in sorted(file.nodes(), key=lambda key: (key.count("/"), key)):
        path, _, name = key.rpartition("/")
        if path in groups or path in found:
            raise FormatError("two nodes of one name", key, "remove one of them")
        if path and (above := path.rpartition("/")[0]) not in groups:
            if above in found:
                continue  # documents among the chunks of an array are no nodes
            problem, remedy = _ORPHAN[not above]
            raise FormatError(problem, key, remedy)
        if len(groups) + len(found) >= limits.nodes or key.count("/") > limits.depth:
            problem = (
                f"more than {limits.nodes} nodes, or {limits.depth} levels of groups"
            )
            raise FormatError(problem, key, RAISE_LIMITS)
        data = _document(file, key, part)
        metadata = known.get(data) if name != ".zgroup" else None
        told = data == GROUP2 or (metadata is not None and metadata.zarr_format == 2)
        document = _ARRAY2 if told else _parsed(data, key)
        wanted, kind = (
            (3, document.get("node_type")) if name == "zarr.json" else (2, name[2:])
        )
        if document.get("zarr_format") != wanted or kind not in ("array", "group"):
            raise FormatError(f"no node of Zarr format {wanted}", key)
        if wanted == 2:
            side = joined(path, ".zattrs")
            try:
                attributes = parse_json(_document(file, side, part), side)
            except KeyError:
                attributes = {}
        else:
            attributes = attributes3(document.get("attributes", {}), key)
        if kind == "group":
            groups[path] = Group(attributes, {})
        else:
            known[data] = metadata = metadata or parse_array(document, key, codecs)
            attributes.pop(DTYPE, None)  # it is part of the layout
            found[path] = metadata, attributes
    if "" not in groups and "" not in found:
        raise FormatError("there is no Zarr group", "", "is this a .zspy file?")
    units = {id(metadata): prod(metadata.stored_grid) for metadata in known.values()}
    whole = _whole(groups, found, units)
    complete = {
        id(metadata): replace(metadata, complete=True) for metadata in known.values()
    }
    arrays: dict[str, Array] = {}
    for path, (common, attributes) in found.items():
        metadata = complete[id(common)] if path in whole else common
        given = load(path, metadata) if load is not None else None
        values = (
            read_whole(file, path, metadata, budget, not shaped)
            if given is None
            else given
        )
        arrays[path] = Array(
            values, attributes, metadata.cells, metadata.chunks, metadata.shards
        )
    return _assembled(groups, arrays, shaped)


def _parsed(data: bytes, key: str) -> dict[str, Any]:
    """Parse the document of a node; of a root, without the copies of all others that it may end in.

    Without them it has to be whole: elsewhere than where zspy puts them, they are parsed as well.
    """
    alone, copies, _ = (
        data.partition(_COPIES) if key == "zarr.json" else (data, b"", b"")
    )
    if copies:
        with suppress(FormatError):
            document = parse_json(alone + b"}", key)
            if document.keys() >= _ROOT3:
                return document
    return parse_json(data, key)


def _assembled(
    groups: dict[str, Group], arrays: dict[str, Array], shaped: bool | None
) -> Node:
    """Put groups and arrays into the groups above them."""
    nodes: dict[str, Node] = {**groups, **arrays}
    for path, node in nodes.items():
        if path:
            above, _, name = path.rpartition("/")
            cast("Any", groups[above].members)[name] = node
    if shaped is not None and any(
        ENCODING in array.attributes for array in arrays.values()
    ):
        from .ragged_csr import gather

        gather(groups, shaped)
    return nodes[""]


def _whole(
    groups: Mapping[str, Group],
    found: Mapping[str, tuple[ArrayMetadata, Any]],
    units: Mapping[int, int],
) -> set[str]:
    """Give the arrays of signals of which all chunks were written: none may be missing.

    The record counts for nothing once another program has changed the number of chunks.
    """
    arrays: dict[str, list[str]] = {}
    whole: set[str] = set()
    for path in found:
        arrays.setdefault("/".join(path.split("/", 2)[:2]), []).append(path)
    for signal, paths in arrays.items():
        record = groups[signal].attributes.get(RECORD) if signal in groups else None
        count = sum([units[id(found[path][0])] for path in paths])
        if is_dict(record) and record.get(CHUNKS) == count:
            whole.update(paths)
    return whole


def _document(file: Listed, key: str, part: slice) -> bytes:
    """Read the document of a node, up to a byte too far; raises KeyError where there is none."""
    data = file.read(key, part)
    if len(data) >= part.stop:
        raise FormatError(
            f"a document of more than {part.stop - 1} bytes", key, RAISE_LIMITS
        )
    return data
