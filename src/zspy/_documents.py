"""Floor 3: nodes to documents {key: bytes} and back, for Zarr format 2 and 3. Pure: no store."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ._chunks import chunk_shape
from ._keys import OFFSETS, RECORD, SHAPES
from ._layout import (
    OBJECT,
    Layout,
    Storage,
    blank,
    decode_chunk,
    describe,
    encode_chunk,
    layout,
    parse_array,
    parse_json,
)
from ._node import Array, Group, walk
from ._ragged import object_array
from .errors import EncodeError, FormatError
from .typing import JSON, ArrayLike, Documents, Node, ZarrFormat

_NumPyArray = np.ndarray[Any, Any]

GROUP2: Final = b'{"zarr_format":2}'
_ENCODING: Final = "_ragged_encoding"
_NAV_SHAPE: Final = "_ragged_nav_shape"
_CELLS: Final = "_ragged_cells"  # what the cells are, where they are no arrays with shapes
_NONFINITE: Final = "nonfinite"

Chooser = Callable[[str, Array], bool]
Loader = Callable[[str, Layout], ArrayLike]


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
        Told the path and the array, says whether its chunks are written by somebody else.

    Yields
    ------
    key : str
        ``a/b/.zarray``, ``a/b/0/0``, ...
    document : bytes

    Raises
    ------
    EncodeError
        If an array cannot be stored in this format.

    Examples
    --------
    >>> dict(serialise(Group({"a": 1})))
    {'.zgroup': b'{"zarr_format":2}', '.zattrs': b'{"a": 1}'}
    """
    how = storage or Storage(zarr_format=zarr_format)
    flat = flattened(node) if how.zarr_format == 3 else node
    for path, here in walk(flat):
        prefix = f"{path}/" if path else ""
        if isinstance(here, Group):
            yield from _group(prefix, here.attributes, how.zarr_format)
        else:
            yield from _array(prefix, path, here, how, elsewhere)


def _group(prefix: str, attributes: Mapping[str, JSON], zarr_format: ZarrFormat) -> Iterator[tuple[str, bytes]]:
    if zarr_format == 2:
        yield prefix + ".zgroup", GROUP2
        if attributes:
            yield prefix + ".zattrs", json.dumps(attributes).encode()
    else:
        document = {"zarr_format": 3, "node_type": "group", "attributes": finite(attributes)}
        yield prefix + "zarr.json", json.dumps(document).encode()


def array_layout(path: str, array: Array, storage: Storage, main: bool) -> Layout:
    """Lay out an array node for writing."""
    chunks = array.chunks
    dtype = np.dtype(array.data.dtype)
    shape = tuple(array.data.shape)
    if array.cells is not None or dtype.kind == "O":
        if array.cells is None:
            raise EncodeError("an object array without its kind of cells", path, "use encode")
        if storage.zarr_format == 3 and array.cells != "vlen-utf8":
            raise EncodeError("Zarr format 3 has no object arrays", path, "store it in a group")
        return layout(shape, OBJECT, array.cells, chunks, storage, main=main)
    if not dtype.itemsize or dtype.hasobject:
        raise EncodeError(f"Zarr holds no arrays of dtype {dtype}", path, "use encode")
    if chunks is None and prod(shape) * dtype.itemsize > _ONE_CHUNK:
        chunks = chunk_shape(shape, dtype.itemsize, (), _ONE_CHUNK)
    return layout(shape, dtype, None, chunks, storage, main=main)


_ONE_CHUNK: Final = 2**24  # bytes up to which an array without chunks of its own is one chunk


def _array(
    prefix: str, path: str, array: Array, storage: Storage, elsewhere: Chooser | None
) -> Iterator[tuple[str, bytes]]:
    large = elsewhere is not None and elsewhere(path, array)
    how = array_layout(path, array, storage, large)
    if how.zarr_format == 2:
        yield prefix + ".zarray", _zarray(how)
        if array.attributes:
            yield prefix + ".zattrs", json.dumps(array.attributes).encode()
    else:
        document = describe(how, finite(array.attributes))
        yield prefix + "zarr.json", json.dumps(document).encode()
    if large:
        return
    if how.shards is not None:
        raise EncodeError("shards are written by zarr-python", path)
    data = np.asarray(array.data)
    for index in product(*map(range, how.grid)):
        yield prefix + how.key(index), encode_chunk(how, chunk_of(data, how, index))


def chunk_of(data: _NumPyArray, how: Layout, index: tuple[int, ...]) -> _NumPyArray:
    """Cut a chunk out of an array, filled up at the edges."""
    place = (slice(i * edge, (i + 1) * edge) for i, edge in zip(index, how.chunks, strict=True))
    values = data[(*place, ...)]
    if values.shape == how.chunks:
        return values
    full = blank(how, how.chunks)
    if how.item is not None and how.item != "vlen-utf8":
        full = object_array(([] if how.item == "msgpack2" else np.empty(0, how.item) for _ in range(full.size)), full.shape)
    full[tuple(map(slice, values.shape))] = values
    return full


@lru_cache(maxsize=256)
def _zarray_text(shape: tuple[int, ...], dtype: np.dtype[Any], item: str | None, codec: str, separator: str) -> bytes:
    """Write the document of an array of one chunk: lists of a tree share very few."""
    compressor = None if codec == "null" else json.loads(codec)
    how = layout(shape, dtype, item, None, Storage(compressor=None, separator=separator))
    return json.dumps({**describe(how, {}), "compressor": compressor}).encode()


def _zarray(how: Layout) -> bytes:
    plain = how.chunks == how.shape and not how.filters and how.order == "C" and how.fill == 0
    if not plain or how.dtype.names is not None:
        return json.dumps(describe(how, {})).encode()
    config = how.compressor and how.compressor.get_config()
    return _zarray_text(how.shape, how.dtype, how.item, json.dumps(config), how.separator)


def deserialise(
    documents: Documents,
    *,
    codecs: Collection[str] = (),
    limit: int = 2**31,
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
    limit : int
        Bytes that one chunk, or one whole array, may decode to.
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
    groups: dict[str, Group] = {}
    layouts: dict[str, tuple[Layout, dict[str, JSON]]] = {}
    names = documents.nodes() if isinstance(documents, Listed) else documents
    for key in sorted(names, key=_depth):
        path, _, name = key.rpartition("/")
        if name not in _NODES:
            continue
        if path in groups or path in layouts:
            raise FormatError("two nodes of one name", key, "remove one of them")
        if path and (above := path.rpartition("/")[0]) not in groups:
            if above not in layouts:
                raise FormatError("a node without a group above it", key, "the file is damaged")
            continue  # documents among the chunks of an array are no nodes
        document = parse_json(documents[key], key)
        if name == "zarr.json":
            attributes = _attributes(document.get("attributes", {}), key)
            kind = document.get("node_type")
            if document.get("zarr_format") != 3 or kind not in ("group", "array"):
                raise FormatError(f"no node of Zarr format 3 ({kind!r})", key)
        else:
            kind = "array" if name == ".zarray" else "group"
            if document.get("zarr_format") != 2:
                raise FormatError("no node of Zarr format 2", key)
            side = f"{path}/.zattrs" if path else ".zattrs"
            found = documents.get(side)
            attributes = {} if found is None else parse_json(found, side)
        if kind == "group":
            groups[path] = Group(attributes, {})
        else:
            layouts[path] = (parse_array(document, key, codecs), attributes)
    if "" not in groups and "" not in layouts:
        raise FormatError("there is no Zarr group", "", "is this a .zspy file?")
    arrays = {
        path: _read(documents, path, how, attributes, limit, load) for path, (how, attributes) in layouts.items()
    }
    for path, node in (*groups.items(), *arrays.items()):
        if path:
            above, _, name = path.rpartition("/")
            members: Any = groups[above].members
            members[name] = node
    for path, group in groups.items():
        _gather(path, group)
    return groups[""] if "" in groups else arrays[""]


class Listed(Mapping[str, bytes]):
    """Documents that can list those of their nodes without listing all chunks."""

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes."""
        raise NotImplementedError


_NODES: Final = frozenset({".zgroup", ".zarray", "zarr.json"})


def _depth(key: str) -> tuple[int, str]:
    return key.count("/"), key


def _attributes(value: Any, where: str) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise FormatError("attributes are no object", where)
    return infinite(value)  # pyright: ignore[reportUnknownArgumentType]


def _read(
    documents: Documents, path: str, how: Layout, attributes: dict[str, JSON], limit: int, load: Loader | None
) -> Array:
    attributes = {key: value for key, value in attributes.items() if key != "_zspy_dtype"}
    item = how.item
    data = load(path, how) if load is not None else None
    if data is None:
        data = read_array(documents, path, how, limit)
    return Array(data, attributes, item, how.chunks)


def read_array(documents: Documents, path: str, how: Layout, limit: int) -> _NumPyArray:
    """Read a whole array from its chunks."""
    if not how.native:
        raise FormatError("an array that only zarr-python can read", how.where, "use file_reader")
    if how.nbytes > limit or prod(how.chunks) * how.dtype.itemsize > limit:
        raise FormatError(
            f"an array of {how.nbytes} bytes, where {limit} are allowed", how.where, "read it lazily, or raise the limits"
        )
    prefix = f"{path}/" if path else ""
    if how.chunks == how.shape:  # one chunk: no copy
        key = prefix + how.key((0,) * len(how.shape))
        data = documents.get(key)
        if data is not None:
            return decode_chunk(how, data, key, limit)
        return blank(how, how.shape)
    whole = blank(how, how.shape)
    for index in product(*map(range, how.grid)):
        key = prefix + how.key(index)
        data = documents.get(key)
        if data is not None:
            place = tuple(slice(i * edge, (i + 1) * edge) for i, edge in zip(index, how.chunks, strict=True))
            part = whole[place]
            part[:] = decode_chunk(how, data, key, limit)[tuple(map(slice, part.shape))]
    return whole


# --- attributes that are no JSON ---------------------------------------------------------------


def finite(attributes: Mapping[str, JSON]) -> dict[str, JSON]:
    """Replace numbers that are not finite, which JSON does not have; the type record keeps them."""
    plain: dict[str, JSON] = {}
    kept: dict[str, JSON] = {}
    for name, value in attributes.items():
        plain[name] = value
        if isinstance(value, (float, list, dict)):
            plain[name] = _finite(value)
            if plain[name] != value or value != value:
                kept[name] = json.dumps(value)
    if not kept:
        return plain
    record = plain.get(RECORD)
    return {**plain, RECORD: {**(record if isinstance(record, dict) else {}), _NONFINITE: kept}}


def infinite(attributes: dict[str, JSON]) -> dict[str, JSON]:
    """Undo `finite`, where the record fits what is stored."""
    record = attributes.get(RECORD)
    kept = record.get(_NONFINITE) if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(kept, dict):
        return attributes
    rest = {name: value for name, value in record.items() if name != _NONFINITE}
    whole = {name: value for name, value in attributes.items() if name != RECORD or rest}
    if rest:
        whole[RECORD] = rest
    for name, text in kept.items():
        try:
            value: JSON = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            continue
        if name in attributes and name != RECORD and _finite(value) == attributes[name]:
            whole[name] = value
    return whole


def _finite(value: JSON) -> JSON:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return value


# --- ragged arrays, flat (FORMAT 9.5) ----------------------------------------------------------


class _Flat(NamedTuple):
    values: Array
    offsets: Array


def flattened(node: Node) -> Node:
    """Replace object arrays of cells by flat ones with offsets, which format 3 can hold."""
    if isinstance(node, Array):
        return node
    root = Group(node.attributes, {})
    todo = [(node, root)]
    while todo:
        source, copy = todo.pop()
        members: Any = copy.members
        for name, member in source.members.items():
            if isinstance(member, Group):
                members[name] = Group(member.attributes, {})
                todo.append((member, members[name]))
            elif member.cells in (None, "vlen-utf8") or not isinstance(member.data, np.ndarray):
                members.setdefault(name, member)
            elif not (name.startswith(SHAPES) and name.removeprefix(SHAPES) in source.members):
                shapes = source.members.get(SHAPES + name)
                flat, keep = _flatten(member, shapes if isinstance(shapes, Array) else None)
                members[name], members[OFFSETS + name] = flat
                if keep is not None:
                    kept, _ = _flatten(keep, None)
                    members[SHAPES + name], members[OFFSETS + SHAPES + name] = kept
    return root


def _flatten(array: Array, shapes: Array | None) -> tuple[_Flat, Array | None]:
    """Give the cells of an array end to end, with their offsets, and the shapes if they are needed."""
    data = np.asarray(array.data)
    cells: list[Any] = data.ravel().tolist()
    item = str(array.cells)
    attributes: dict[str, JSON] = {**array.attributes, _ENCODING: "csr", _NAV_SHAPE: [*data.shape]}
    trailing: tuple[int, ...] = ()
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    keep = shapes
    if item in ("msgpack2", "json2"):
        attributes[_CELLS] = item
        strings = [text for cell in cells for text in cell]
        if not all(isinstance(text, str) for text in strings):
            raise EncodeError(f"cells of {item} that are no strings", "", "use encode")
        values: _NumPyArray = object_array(strings, (len(strings),))
    else:
        dtype = np.dtype(item)
        values = np.concatenate([*cells, np.empty(0, dtype)]).astype(dtype, copy=False)
        if shapes is not None:
            rows = [tuple(row.tolist()) for row in np.asarray(shapes.data).ravel()]
            tails = {row[1:] for row in rows}
            tail = tails.pop() if len(tails) == 1 and all(rows) else None
            if tail is not None and (not cells or prod(tail)):
                trailing, keep = tail, None
                lengths = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        if shapes is None:
            attributes[_CELLS] = "bare"
    if keep is None and shapes is not None and item == "msgpack2":
        keep = shapes
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    flat = Array(values.reshape(-1, *trailing), attributes, "vlen-utf8" if values.dtype == OBJECT else None)
    return _Flat(flat, Array(offsets)), keep


def _gather(path: str, group: Group) -> None:
    """Bring flat ragged arrays of a group back into cells, in place."""
    members: Any = group.members
    flat = [name for name, node in group.members.items() if isinstance(node, Array) and _ENCODING in node.attributes]
    for name in flat:
        where = f"{path}/{name}" if path else name
        values, offsets = members[name], members.get(OFFSETS + name)
        if not isinstance(values.data, np.ndarray):
            continue  # lazy: brought into cells by who reads it
        if not isinstance(offsets, Array):
            raise FormatError("a ragged array without its offsets", where, "the file is damaged")
        array, shapes = cells_of(values, np.asarray(offsets.data), where)
        members[name] = array
        del members[OFFSETS + name]
        if shapes is not None and SHAPES + name not in members:
            members[SHAPES + name] = shapes


def cells_of(values: Array, offsets: _NumPyArray, where: str) -> tuple[Array, Array | None]:
    """Bring a flat ragged array into cells, with their shapes unless these are stored."""
    attributes = dict(values.attributes)
    encoding, shape, kind = attributes.pop(_ENCODING), attributes.pop(_NAV_SHAPE, None), attributes.pop(_CELLS, None)
    if encoding != "csr":
        raise FormatError(f"the ragged encoding {encoding!r} is not known", where, "a newer zspy may read it")
    data = np.asarray(values.data)
    if not isinstance(shape, list) or not all(type(edge) is int and edge >= 0 for edge in shape):
        raise FormatError(f"{_NAV_SHAPE} is no shape", where)
    nav: tuple[int, ...] = tuple(shape)  # type: ignore[arg-type]
    ends = offsets.tolist() if offsets.ndim == 1 and offsets.dtype.kind in "iu" else []
    if len(ends) != prod(nav) + 1 or data.ndim < 1 or ends[0] != 0 or ends[-1] != len(data) or ends != sorted(ends):
        raise FormatError("the offsets do not fit the ragged array", where, "the file is damaged")
    rows = [data[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    if kind in ("msgpack2", "json2"):
        cells = object_array((row.tolist() for row in rows), nav)
        return Array(cells, attributes, str(kind)), None
    if data.dtype == OBJECT:  # strings, written by others: cells of str
        lengths = np.diff(offsets)[:, None]
        cells = object_array((row.tolist() for row in rows), nav)
        return Array(cells, attributes, "msgpack2"), Array(object_array(lengths, nav), cells="<i8")
    bare = object_array((row.reshape(-1) for row in rows), nav)
    array = Array(bare, attributes, data.dtype.str)
    if kind == "bare":
        return array, None
    tail = data.shape[1:]
    sizes = np.empty((len(rows), 1 + len(tail)), np.int64)
    sizes[:, 0] = np.diff(offsets)
    sizes[:, 1:] = tail
    return array, Array(object_array(sizes, nav), cells="<i8")
