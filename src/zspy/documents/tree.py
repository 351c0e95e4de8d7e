"""Floor 3: nodes to documents {key: bytes} and back, for Zarr format 2 and 3. Pure: no store."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import groupby, product
from math import prod
from typing import Any, Final, cast

import numpy as np

from ..values.errors import EncodeError, FormatError, naming
from ..values.names import KINDS, RECORD
from ..values.nodes import Array, Group, joined, same_json, walk
from ..values.ragged import Uncut
from ..values.types import (
    JSON,
    ArrayLike,
    Documents,
    Node,
    NumPyArray,
    ZarrFormat,
    is_dict,
    is_lazy,
)
from .array_metadata import (
    DTYPE,
    Layout,
    Storage,
    array_layout,
    blank,
    decode_chunk,
    describe,
    encode_chunk,
    encode_shard,
    index_size,
    parse_array,
    parse_json,
    shard_index,
)
from .codecs import Budget, Limits, dump_json, load_json
from .integrity import CHUNKS

Chooser = Callable[[str, Array], bool]
Loader = Callable[[str, Layout], ArrayLike | None]

GROUP2: Final = b'{"zarr_format":2}'
ENCODING: Final = "_ragged_encoding"
NAV_SHAPE: Final = "_ragged_nav_shape"
_NONFINITE: Final = "nonfinite"
_ORPHAN: Final = (
    ("a node without a group above it", "the file is damaged"),
    ("there is no group at the root: writing was interrupted", "write the file again"),
)
NODES: Final = frozenset({".zgroup", ".zarray", "zarr.json"})
_ARRAY2: Final[dict[str, JSON]] = {"zarr_format": 2}
LOOKUP: Final = 2**13  # bytes that looking up a chunk counts for: its time is bounded as well
_MOST_LOOKUPS: Final = 2**20
_FEW_LOOKUPS: Final = 2**12  # to see how much is stored: of more, what there is takes less time
_COPIES: Final = b', "consolidated_metadata": {"metadata": '
_ROOT3: Final = {"zarr_format", "node_type", "attributes"}
_LISTS: Final = tuple(f"_{kind}_" for kind in KINDS)  # they become objects, and S text
_OVERHEAD: Final = 2**20  # bytes by which an encoded chunk may be larger than twice the chunk
_DAMAGED: Final = "the file is damaged"
_Job = tuple[tuple[int, ...], str, bytes | None]
_Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
LIMITS: Final = Limits()


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
    how = storage or Storage(zarr_format=zarr_format)
    known: dict[Any, tuple[Layout, bytes]] = {}  # the arrays of a tree share very few layouts
    if how.zarr_format == 3:
        from .ragged_csr import flattened

        node = flattened(node)
    for path, here in walk(node):
        prefix = joined(path, "")
        if isinstance(here, Array):
            yield from _array(prefix, here, how, elsewhere, known)
        elif how.zarr_format == 3:
            group = {"zarr_format": 3, "node_type": "group", "attributes": {**here.attributes}}
            yield prefix + "zarr.json", _document3(group, path)
        else:
            yield prefix + ".zgroup", GROUP2
            if here.attributes:
                yield prefix + ".zattrs", _dumped(here.attributes, path)


def _array(
    prefix: str,
    array: Array,
    storage: Storage,
    elsewhere: Chooser | None,
    known: dict[Any, tuple[Layout, bytes]],
) -> Iterator[tuple[str, bytes]]:
    path = prefix[:-1]
    main = elsewhere is not None and elsewhere(path, array)
    data: Any = array.data
    same = (data.shape, data.dtype, array.cells, array.chunks, array.shards, main)
    if same not in known:
        how = array_layout(path, array, storage, main)
        known[same] = how, _dumped(describe(how, {}), path)
    how, document = known[same]
    if how.zarr_format == 2:
        yield prefix + ".zarray", document
        if array.attributes:
            yield prefix + ".zattrs", _dumped(array.attributes, path)
    elif array.attributes:
        yield prefix + "zarr.json", _document3(describe(how, array.attributes), path)
    else:
        yield prefix + "zarr.json", document
    if not main:
        whole = isinstance(data, Uncut) and how.chunks == data.shape
        yield from encoded_chunks(prefix, how, data if whole else unmasked(data, path))


def unmasked(block: Any, where: str = "") -> NumPyArray:
    """Refuse what is masked where nobody has said so: the mask would be lost."""
    block = block.compute() if is_lazy(block) else block
    if np.ma.is_masked(block):
        problem = "elements are masked, of which the array itself says nothing"
        raise EncodeError(problem, where, "encode a masked array (of dask.array.ma), or fill them")
    return np.asarray(block)


def encoded_chunks(
    prefix: str, how: Layout, data: Any, spread: _Spread = map
) -> Generator[tuple[str, bytes]]:
    """Encode the chunks, or shards, of an array, with their keys.

    `spread` applies a function to many chunks, as `map` does, perhaps several at a time.
    """
    per = how.per_shard

    def unit(index: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i // n for i, n in zip(index, per, strict=True))

    def encoded(index: tuple[int, ...]) -> tuple[str, bytes]:
        key = prefix + how.key(unit(index))
        try:
            return key, encode_chunk(how, _chunk_of(data, how, index))
        except Exception as error:  # whatever a codec raises of what it cannot encode
            raise EncodeError(f"a chunk that cannot be encoded ({error})", key) from error

    indices = product(*map(range, how.grid))
    if how.shards is None:
        yield from spread(encoded, indices)
        return
    order = sorted(indices, key=unit)
    pairs = zip(order, spread(encoded, order), strict=True)
    for key, run in groupby(pairs, lambda pair: pair[1][0]):
        yield key, encode_shard(how, {index: chunk for index, (_, chunk) in run})


def _chunk_of(data: Any, how: Layout, index: tuple[int, ...]) -> NumPyArray | Uncut:
    """Cut a chunk out of an array, filled up at the edges."""
    if isinstance(data, Uncut):  # of one chunk
        return data
    pairs = zip(index, how.chunks, strict=True)
    place: Any = (*(slice(i * edge, (i + 1) * edge) for i, edge in pairs), ...)
    values = unmasked(data[place])
    if values.shape == how.chunks:
        return values
    full = blank(how, how.chunks)
    full[tuple(map(slice, values.shape))] = values
    return full


class Listed(Mapping[str, bytes]):
    """Documents that can list those of their nodes without listing all chunks."""

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes."""
        return [key for key in self if key.rpartition("/")[2] in NODES]

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
        return self._documents[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)


def _listed(documents: Documents) -> Listed:
    return documents if isinstance(documents, Listed) else Given(documents)


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
    """Do what `deserialise` says; ragged arrays may be `Uncut`, or shaped; None: as stored."""
    file = _listed(documents)
    groups: dict[str, Group] = {}
    limits = budget.limits
    part = slice(limits.document + 1)
    found: dict[str, tuple[Layout, dict[str, JSON]]] = {}
    known: dict[bytes, Layout] = {}  # the arrays of a tree share very few documents
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
            problem = f"more than {limits.nodes} nodes, or {limits.depth} levels of groups"
            raise FormatError(problem, key, _RAISE)
        data = _document(file, key, part)
        how = known.get(data) if name != ".zgroup" else None
        told = data == GROUP2 or (how is not None and how.zarr_format == 2)
        document = _ARRAY2 if told else _parsed(data, key)
        wanted, kind = (3, document.get("node_type")) if name == "zarr.json" else (2, name[2:])
        if document.get("zarr_format") != wanted or kind not in ("array", "group"):
            raise FormatError(f"no node of Zarr format {wanted}", key)
        if wanted == 2:
            side = joined(path, ".zattrs")
            try:
                attributes = parse_json(_document(file, side, part), side)
            except KeyError:
                attributes = {}
        else:
            attributes = _attributes3(document.get("attributes", {}), key)
        if kind == "group":
            groups[path] = Group(attributes, {})
        else:
            known[data] = how = how or parse_array(document, key, codecs)
            attributes.pop(DTYPE, None)  # it is part of the layout
            found[path] = how, attributes
    if "" not in groups and "" not in found:
        raise FormatError("there is no Zarr group", "", "is this a .zspy file?")
    units = {id(how): prod(how.units) for how in known.values()}
    whole = _whole(groups, found, units)
    complete = {id(how): replace(how, whole=True) for how in known.values()}
    arrays: dict[str, Array] = {}
    for path, (common, attributes) in found.items():
        how = complete[id(common)] if path in whole else common
        given = load(path, how) if load is not None else None
        values = _read(file, path, how, budget, not shaped) if given is None else given
        arrays[path] = Array(values, attributes, how.item, how.chunks, how.shards)
    return _assembled(groups, arrays, shaped)


def _parsed(data: bytes, key: str) -> dict[str, Any]:
    """Parse the document of a node; of a root, without the copies of all others that it may end in.

    Without them it has to be whole: elsewhere than where zspy puts them, they are parsed as well.
    """
    alone, copies, _ = data.partition(_COPIES) if key == "zarr.json" else (data, b"", b"")
    if copies:
        with suppress(FormatError):
            document = parse_json(alone + b"}", key)
            if document.keys() >= _ROOT3:
                return document
    return parse_json(data, key)


def _assembled(groups: dict[str, Group], arrays: dict[str, Array], shaped: bool | None) -> Node:
    """Put groups and arrays into the groups above them."""
    nodes: dict[str, Node] = {**groups, **arrays}
    for path, node in nodes.items():
        if path:
            above, _, name = path.rpartition("/")
            cast("Any", groups[above].members)[name] = node
    if shaped is not None and any(ENCODING in array.attributes for array in arrays.values()):
        from .ragged_csr import gather

        gather(groups, shaped)
    return nodes[""]


def _whole(
    groups: Mapping[str, Group], found: Mapping[str, tuple[Layout, Any]], units: Mapping[int, int]
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
        raise FormatError(f"a document of more than {part.stop - 1} bytes", key, _RAISE)
    return data


_RAISE: Final = "raise the limits if you trust the file"


def _read(file: Listed, path: str, how: Layout, budget: Budget, cut: bool) -> Any:
    """Read a whole array."""
    if not how.native:
        problem = f"an array that only zarr-python can read {how.unknown}".rstrip()
        raise FormatError(problem, how.document(path), "use file_reader")
    start = (0,) * len(how.shape)
    if how.chunks != how.shape or how.shards is not None:
        return read_box(file, path, how, start, how.grid, budget)
    key = joined(path, how.key(start))  # one chunk: nothing is copied
    data = _chunk(file, key, how)
    afford(path, how, how.nbytes, 1, lambda: len(data or b""), budget)
    return blank(how, how.shape) if data is None else decode_chunk(how, data, key, budget, cut)


def afford(
    path: str, how: Layout, size: int, lookups: int, stored: Callable[[], int], budget: Budget
) -> None:
    """Raise FormatError where an array, or a part of it, takes more than it may."""
    cost, limits = how.cost, budget.limits
    chunk = prod(how.chunks) * cost
    if chunk > limits.chunk or size > limits.array or lookups > _MOST_LOOKUPS:
        problem = f"it takes {size} bytes, in {lookups} chunks of {chunk}"
        allowed = f"{limits.array} in {_MOST_LOOKUPS} chunks of {limits.chunk} are allowed"
        remedy = "read it lazily, or raise the limits"
        raise FormatError(f"{problem}; {allowed}", how.document(path), remedy)
    kind, name = how.dtype.kind, path[path.rfind("/") + 1 :]
    later = 4 * cost if kind == "S" else 0
    if name.startswith(_LISTS):
        later += 64 if kind in "SUc" else 32
    taken = max(size, chunk) + size // cost * later + LOOKUP * lookups
    budget.spend(taken, lambda: how.document(path), stored)


def _chunk(file: Listed, key: str, how: Layout, part: slice | None = None) -> bytes | None:
    """Read the bytes of a chunk, or of a part of a shard, or None where there are none."""
    most = _most(how)
    try:
        data = file.read(key, part or slice(most and most + 1))
    except KeyError as error:
        if how.whole:
            problem = "the chunk is missing: zspy wrote all of them"
            raise FormatError(problem, key, _DAMAGED) from error
        return None
    if part is None and most is not None and len(data) > most:
        raise FormatError(f"a chunk that has more than {most} bytes", key, _DAMAGED)
    return data


def _most(how: Layout) -> int | None:
    """Give the bytes that an encoded chunk has at the most: hardly more are read."""
    return None if how.item else 2 * prod(how.chunks) * how.cost + _OVERHEAD


def read_box(
    documents: Documents,
    path: str,
    how: Layout,
    first: tuple[int, ...],
    ends: tuple[int, ...],
    budget: Budget,
    spread: _Spread = map,
) -> NumPyArray:
    """Read the chunks of a box of the grid, cut to the shape of the array.

    `spread` applies a function to many chunks, as `map` does, perhaps several at a time.
    """
    sides = zip(first, ends, how.chunks, how.shape, strict=True)
    shape = tuple(min(end * edge, size) - at * edge for at, end, edge, size in sides)
    corners = zip(first, ends, how.per_shard, strict=True)
    ranges = [range(at // per, -(-end // per)) for at, end, per in corners]
    ranges = ranges if all(ranges) else [range(0)]  # beside nothing, others may be huge
    file, prefix, lookups = _listed(documents), joined(path, ""), prod(map(len, ranges))

    def stored() -> int:
        many = lookups > _FEW_LOOKUPS
        keys = file.below(path) if many else (prefix + how.key(i) for i in product(*ranges))
        if how.fill is None or how.whole:
            return file.size(keys)
        found = [key for key in keys if key in file]  # the rest has to be filled
        room = 8 * len(found) * prod(how.shards or how.chunks) * how.cost
        return min(file.size(found), -(-room // budget.limits.expansion))

    afford(path, how, prod(shape) * how.cost, lookups, stored, budget)
    whole = np.empty(shape, how.dtype) if how.whole else blank(how, shape)

    def place(job: _Job) -> None:
        index, key, data = job
        data = _chunk(file, key, how) if data is None else data
        if data is not None:
            places = zip(index, first, how.chunks, strict=True)
            cut: Any = (slice((i - at) * edge, (i - at + 1) * edge) for i, at, edge in places)
            part = whole[(*cut, ...)]  # a view, also of an array of no dimensions
            inner: Any = map(slice, part.shape)
            part[...] = decode_chunk(how, data, key, budget)[(*inner, ...)]

    if how.shards is None:
        keys = ((index, prefix + how.key(index), None) for index in product(*ranges))
        deque(spread(place, keys), 0)
    for index in product(*ranges) if how.shards is not None else ():
        jobs = _shard(file, prefix + how.key(index), how, index, (first, ends))
        deque(spread(place, jobs), 0)
    return whole


def _shard(file: Listed, key: str, how: Layout, index: tuple[int, ...], box: Any) -> Iterator[_Job]:
    """Give the chunks in a shard that are in a box of the grid."""
    size, per = index_size(how), how.per_shard
    table_at = slice(-size, None) if how.index == "end" else slice(size)
    inside = [
        range(max(at - i * n, 0), min(end - i * n, n))
        for i, n, at, end in zip(index, per, *box, strict=True)
    ]
    wanted = prod(map(len, inside))
    shard = _chunk(file, key, how, slice(None) if 2 * wanted > prod(per) else table_at)
    if shard is None:
        return
    table = shard_index(how, shard[table_at], key).tolist()
    most = _most(how)
    for place in product(*inside):
        start, length = table[np.ravel_multi_index(place, per)] if per else table[0]
        if start == length == -1:
            if how.whole:
                raise FormatError(f"chunk {place} is missing from the shard", key, _DAMAGED)
            continue
        if start < 0 or length < 0 or (most is not None and length > most):
            raise FormatError("the index of the shard points nowhere", key, _DAMAGED)
        part = slice(start, start + length)
        data = shard[part] if 2 * wanted > prod(per) else _chunk(file, key, how, part)
        if data is None or len(data) != length:
            raise FormatError("the index of the shard points nowhere", key, _DAMAGED)
        number = tuple(i * n + inner for i, n, inner in zip(index, per, place, strict=True))
        yield number, key, data


# --- attributes --------------------------------------------------------------------------------


def _dumped(document: Mapping[str, JSON], where: str) -> bytes:
    try:
        return dump_json(document)
    except (ValueError, TypeError, RecursionError) as error:
        raise EncodeError(f"attributes that are no JSON ({error})", where) from error


def _document3(document: Mapping[str, Any], where: str) -> bytes:
    data = _dumped(document, where)
    if b"NaN" in data or b"Infinity" in data:
        return _dumped({**document, "attributes": _finite(document["attributes"], where)}, where)
    return data


def _finite(attributes: Mapping[str, JSON], where: str) -> dict[str, JSON]:
    """Replace numbers that are not finite, which JSON does not have; the type record keeps them."""
    plain = {name: _named(value) for name, value in attributes.items()}
    kept: dict[str, JSON] = {
        name: json.dumps(value)
        for name, value in attributes.items()
        if not same_json(plain[name], value)
    }
    record = plain.get(RECORD, {})
    if not isinstance(record, dict) or RECORD in kept:
        raise EncodeError(f"the attribute {RECORD} is no type record", where, "rename it")
    return {**plain, RECORD: {**record, _NONFINITE: kept}} if kept else plain


def _named(value: JSON) -> JSON:
    """Give the names of numbers that are not finite in the place of them."""
    match value:
        case float() if value != value or abs(value) == float("inf"):
            return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        case list():
            return [_named(one) for one in value]
        case dict():
            return {key: _named(one) for key, one in value.items()}
        case _:
            return value


def _attributes3(attributes: Any, where: str) -> dict[str, JSON]:
    """Undo `_finite`, where the record fits what is stored."""
    if not is_dict(attributes):
        raise FormatError("attributes are no object", where)
    whole: dict[str, JSON] = {**attributes}
    record = whole.get(RECORD)
    if not isinstance(record, dict) or not isinstance(kept := record.pop(_NONFINITE, None), dict):
        return whole
    if not record:
        del whole[RECORD]
    for name, text in kept.items():
        try:
            value = load_json(text.encode()) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            continue
        if name in whole and same_json(_named(value), whole[name]):
            whole[name] = value
    return whole
