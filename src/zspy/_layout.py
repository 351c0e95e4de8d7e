"""Floor 2: the layout of one stored array: its document in Zarr format 2 or 3, chunks, and codecs.

`Layout` is what a document says, checked; `describe` and `parse_array` turn it into a document and
back; `encode_chunk` and `decode_chunk` turn a chunk's values into bytes and back.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, Final

import numcodecs
import numpy as np

from ._codecs import CELLS, codec, crc32c, decode_cells, decompress, encode_cells
from ._scalars import dtype_spec, spec_dtype
from .errors import FormatError
from .typing import JSON, Compressor, ZarrFormat

_NumPyArray = np.ndarray[Any, Any]
OBJECT: Final = np.dtype(object)
DTYPE: Final = "_zspy_dtype"  # attribute of format-3 arrays whose dtype is no core data type
_LARGEST: Final = 2**62


def default_compressor() -> Compressor:
    """Give the compressor of the format: Blosc with Zstandard, level 1, byte shuffle."""
    compressor: Compressor = numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE)
    return compressor


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How arrays are stored.

    Parameters
    ----------
    zarr_format : {2, 3}
    compressor : numcodecs codec or None
        None stores without compression.
    filters : tuple of numcodecs codecs
        Applied to the main arrays only, before the compressor.
    order : {"C", "F"}
        Memory order inside a chunk of a main array.
    separator : {"/", "."}
        Between the numbers of a chunk's key, in format 2.
    shards : tuple of int, None or False
        Shape of the shards of main arrays in format 3; None decides, False makes none.
    """

    zarr_format: ZarrFormat = 2
    compressor: Compressor | None = field(default_factory=default_compressor)
    filters: tuple[Compressor, ...] = ()
    order: str = "C"
    separator: str = "/"
    fill_value: JSON = 0
    shards: tuple[int, ...] | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the document of an array says: shapes in elements, `item` for object arrays."""

    where: str
    zarr_format: ZarrFormat
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    item: str | None
    item_config: Mapping[str, JSON]
    compressor: Compressor | None
    filters: tuple[Compressor, ...]
    order: str
    separator: str
    fill: Any
    checksum: bool
    shards: tuple[int, ...] | None
    native: bool  # whether `decode_chunk` knows its codecs; zarr-python knows more

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each dimension."""
        return tuple(-(-size // edge) for size, edge in zip(self.shape, self.chunks, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, decoded; of pointers for object arrays."""
        return prod(self.shape) * self.dtype.itemsize

    def key(self, index: tuple[int, ...]) -> str:
        """Name the document of a chunk, below the array's path."""
        numbers = self.separator.join(map(str, index))
        if self.zarr_format == 2:
            return numbers or "0"
        return f"c{self.separator}{numbers}" if numbers else "c"

    def keys(self) -> Iterator[str]:
        """Name the documents of all chunks; of all shards where there are shards."""
        edges = self.shards or self.chunks
        grid = (range(-(-size // edge)) for size, edge in zip(self.shape, edges, strict=True))
        return map(self.key, product(*grid))


def layout(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    item: str | None,
    chunks: tuple[int, ...] | None,
    storage: Storage,
    *,
    main: bool = False,
) -> Layout:
    """Lay out an array that is to be written; `main` ones take filters, order and shards."""
    return Layout(
        where="",
        zarr_format=storage.zarr_format,
        shape=shape,
        chunks=chunks or tuple(max(edge, 1) for edge in shape),
        dtype=dtype,
        item=item,
        item_config={},
        compressor=storage.compressor,
        filters=storage.filters if main and item is None else (),
        order=storage.order if main and item is None else "C",
        separator=storage.separator if storage.zarr_format == 2 else "/",
        fill=storage.fill_value if main and item is None else 0,
        checksum=storage.zarr_format == 3,
        shards=storage.shards if main and isinstance(storage.shards, tuple) else None,
        native=True,
    )


# --- documents ---------------------------------------------------------------------------------


def describe(array: Layout, attributes: Mapping[str, JSON]) -> dict[str, JSON]:
    """Give the document of an array: ``.zarray``, or ``zarr.json`` with its attributes."""
    if array.zarr_format == 3:
        return _describe3(array, attributes)
    filters: list[JSON] = [one.get_config() for one in array.filters]
    if array.item is not None:
        named = array.item in CELLS
        filters = [{"id": array.item} if named else {"id": "vlen-array", "dtype": array.item}]
    document: dict[str, JSON] = {
        "chunks": [*array.chunks],
        "compressor": array.compressor and array.compressor.get_config(),
        "dtype": "|O" if array.item else _descr(array.dtype),
        "fill_value": _fill_out(array),
        "filters": filters or None,
        "order": array.order,
        "shape": [*array.shape],
        "zarr_format": 2,
    }
    if array.separator != ".":
        document["dimension_separator"] = array.separator
    return document


def _descr(dtype: np.dtype[Any]) -> JSON:
    """Describe a packed dtype as Zarr format 2 does: a string, or a list of fields."""
    if dtype.names is None or dtype.fields is None:
        return dtype.str
    fields: list[JSON] = []
    for name in dtype.names:
        inner = dtype.fields[name][0]
        base, shape = inner.subdtype or (inner, ())
        fields.append([name, _descr(base), *([[*shape]] if shape else [])])
    return fields


def _fill_out(array: Layout) -> JSON:
    kind = "O" if array.item else array.dtype.kind
    match kind:
        case "b":
            return bool(array.fill)
        case "f":
            return _number(float(array.fill))
        case "c":
            number = complex(array.fill)
            return [_number(number.real), _number(number.imag)]
        case "S" | "U":
            return ""
        case "V":
            return b64encode(bytes(array.dtype.itemsize)).decode()
        case "O":
            return 0
        case _:
            return int(array.fill)


def _number(value: float) -> JSON:
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Parse a document: a JSON object."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no JSON ({error})", where) from error
    if not isinstance(document, dict):
        raise FormatError("no JSON object", where)
    return document  # pyright: ignore[reportUnknownVariableType]


def parse_array(document: Mapping[str, Any], where: str, allowed: Collection[str] = ()) -> Layout:
    """Check the document of an array, and give its layout.

    Raises
    ------
    FormatError
        If anything in it is missing, of the wrong type, or contradicts the rest.
    """
    zarr_format = document.get("zarr_format")
    if zarr_format == 3:
        return _parse3(document, where, allowed)
    if zarr_format != 2:
        raise FormatError(f"Zarr format {zarr_format!r}", where, "zspy reads formats 2 and 3")
    shape = _edges(document, "shape", where, 0)
    chunks = _edges(document, "chunks", where, 1)
    if len(chunks) != len(shape):
        raise FormatError(f"chunks of {len(chunks)} dimensions for {len(shape)}", where)
    raw_filters = document.get("filters") or []
    if not isinstance(raw_filters, list):
        raise FormatError("filters are no list", where)
    cells = raw_filters[0] if raw_filters and document.get("dtype") == "|O" else None
    made = [codec(config, where, allowed) for config in raw_filters[0 if cells is None else 1 :]]
    raw_compressor = document.get("compressor")
    compressor = None if raw_compressor is None else codec(raw_compressor, where, allowed)
    item, config = None, {}
    if document.get("dtype") == "|O":
        if not isinstance(cells, dict) or cells.get("id") not in CELLS:
            if cells is not None:
                codec(cells, where)  # says which codec is not allowed
            raise FormatError("an object array without an object codec", where)
        config = {**cells}
        item, dtype = str(cells["id"]), OBJECT
        if item == "vlen-array":
            item = _dtype(config.get("dtype"), where).str
            config = {**config, "id": "vlen-array"}
    else:
        dtype = _dtype(document.get("dtype"), where)
    if any(one.codec_id in CELLS for one in made):
        raise FormatError("an object codec for an array of numbers", where)
    order = document.get("order")
    separator = document.get("dimension_separator", ".")
    if order not in ("C", "F") or separator not in (".", "/"):
        raise FormatError(f"order {order!r}, separator {separator!r}", where)
    return Layout(
        where=where,
        zarr_format=2,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        item=item,
        item_config=config,
        compressor=compressor,
        filters=tuple(made),
        order=order,
        separator=separator,
        fill=_fill_in(document.get("fill_value"), dtype, where),
        checksum=False,
        shards=None,
        native=True,
    )


def _edges(document: Mapping[str, Any], key: str, where: str, least: int) -> tuple[int, ...]:
    edges = document.get(key)
    if not isinstance(edges, list) or not all(type(edge) is int and edge >= least for edge in edges):
        raise FormatError(f"{key} is {_short(edges)}, not a list of integers from {least}", where)
    if len(edges) > 32 or prod(max(edge, 1) for edge in edges) > _LARGEST:
        raise FormatError(f"{key} {_short(edges)} is too large", where)
    return tuple(edges)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:76] + " ..."


def _dtype(description: Any, where: str) -> np.dtype[Any]:
    """Parse the dtype of a format-2 document."""
    try:
        dtype = np.dtype(_fields(description))
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError) as error:
        raise FormatError(f"dtype {_short(description)} ({error})", where) from error
    if dtype.hasobject or dtype.kind == "T" or not 0 < dtype.itemsize < 2**31:
        raise FormatError(f"dtype {_short(description)} is not allowed", where)
    return dtype


def _fields(description: Any, depth: int = 0) -> Any:
    if isinstance(description, str) and "," not in description:
        return description
    if not isinstance(description, list) or depth > 16:
        raise TypeError("neither a string nor a list of fields")
    fields: list[Any] = []
    for entry in description:
        if not isinstance(entry, list) or len(entry) not in (2, 3) or not isinstance(entry[0], str):
            raise TypeError("a field is a name, a dtype, and perhaps a shape")
        fields.append((entry[0], _fields(entry[1], depth + 1), *(tuple(shape) for shape in entry[2:])))
    return fields


def _fill_in(value: Any, dtype: np.dtype[Any], where: str) -> Any:
    """Parse a fill value: an element of the array, or None."""
    if value is None or dtype == OBJECT:
        return value
    try:
        if dtype.kind in "SV" or dtype.names is not None:
            if value == 0 or value == "":
                return np.zeros((), dtype)[()]
            return np.frombuffer(b64decode(value).ljust(dtype.itemsize, b"\0"), dtype, 1)[0]
        if dtype.kind == "c":
            return dtype.type(complex(*map(float, value))) if isinstance(value, list) else dtype.type(complex(value))
        if dtype.kind == "f":
            return dtype.type(float(value))
        if dtype.kind in "mM":
            number = -(2**63) if value == "NaT" else int(value)
            return np.array([number], np.int64).view(dtype)[0]
        if dtype.kind == "U":
            return np.array("" if value == 0 else str(value), dtype)[()]
        return np.array([value]).astype(dtype)[0]
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"fill value {_short(value)} for {dtype}", where) from error


# --- format 3 ----------------------------------------------------------------------------------

_CORE: Final = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS: Final = ("float16", "float32", "float64", "complex64", "complex128")


def core_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the core data type that any reader of format 3 knows, for a dtype that is none.

    Values with a unit become int64; whatever else, bytes along one more dimension.

    >>> core_dtype(np.dtype("M8[s]")), core_dtype(np.dtype(">f4")), core_dtype(np.dtype("U2"))
    (dtype('int64'), dtype('float32'), dtype(('u1', (8,))))
    """
    if dtype.kind in "mM":
        return np.dtype(np.int64)
    native = dtype.newbyteorder("=")
    if native.name in _CORE + _FLOATS:
        return native
    return np.dtype((np.uint8, (dtype.itemsize,)))


def to_core(values: _NumPyArray) -> _NumPyArray:
    """Give the values of an array in its core data type, with the extra dimension where it has one."""
    core = core_dtype(values.dtype)
    if core.subdtype is not None:
        packed = np.ascontiguousarray(values)
        return packed.reshape(values.shape)[..., None].view(np.uint8)
    return values.astype(values.dtype.newbyteorder("="), copy=False).view(core)


def from_core(values: _NumPyArray, dtype: np.dtype[Any]) -> _NumPyArray:
    """Undo `to_core`."""
    if core_dtype(dtype).subdtype is not None:
        return np.ascontiguousarray(values).view(dtype)[..., 0]
    if dtype.kind in "mM":
        return values.view(dtype.newbyteorder("=")).astype(dtype, copy=False)
    return values.astype(dtype, copy=False)


def _describe3(array: Layout, attributes: Mapping[str, JSON]) -> dict[str, JSON]:
    core = core_dtype(array.dtype)
    data_type, fill = ("string", "") if array.item else (core.base.name, _fill_out(array))
    shape, chunks, shards = [*array.shape], [*array.chunks], [*(array.shards or ())]
    extra: list[int] = [] if array.item else [*core.shape]
    if not array.item and core != array.dtype:
        attributes = {**attributes, DTYPE: dtype_spec(array.dtype)}
        fill = 0 if core.kind != "f" else fill
    size = 1 if array.item else core.base.itemsize
    codecs: list[JSON] = [{"name": "vlen-utf8"} if array.item else _bytes3(core.base)]
    codecs += _compressors3(array.compressor, size)
    if array.checksum:
        codecs.append({"name": "crc32c"})
    if shards:
        index: list[JSON] = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
        inner: dict[str, JSON] = {
            "chunk_shape": [*chunks, *extra],
            "codecs": codecs,
            "index_codecs": index,
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
        chunks = shards
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*shape, *extra],
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*chunks, *extra]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {**attributes},
    }


def _bytes3(core: np.dtype[Any]) -> JSON:
    return {"name": "bytes", "configuration": {"endian": "little"}} if core.itemsize > 1 else {"name": "bytes"}


_SHUFFLES: Final = ("noshuffle", "shuffle", "bitshuffle")


def _compressors3(compressor: Compressor | None, size: int) -> list[JSON]:
    """Name the format-3 codec of a numcodecs compressor."""
    if compressor is None:
        return []
    config = compressor.get_config()
    name = config.pop("id")
    match name:
        case "blosc":
            shuffle = config["shuffle"] if config["shuffle"] >= 0 else 1 if size > 1 else 2
            return [
                {
                    "name": "blosc",
                    "configuration": {
                        "typesize": size,
                        "cname": config["cname"],
                        "clevel": config["clevel"],
                        "shuffle": _SHUFFLES[shuffle],
                        "blocksize": config["blocksize"],
                    },
                }
            ]
        case "zstd":
            configuration: JSON = {"level": config["level"], "checksum": bool(config.get("checksum"))}
            return [{"name": "zstd", "configuration": configuration}]
        case "gzip":
            return [{"name": "gzip", "configuration": {"level": config["level"]}}]
        case _:
            return [{"name": f"numcodecs.{name}", "configuration": config}]


def _parse3(document: Mapping[str, Any], where: str, allowed: Collection[str]) -> Layout:
    shape = _edges(document, "shape", where, 0)
    grid = _named(document.get("chunk_grid"), "chunk_grid", where)
    if grid[0] != "regular":
        raise FormatError(f"chunk grid {grid[0]!r}", where)
    outer = _edges(grid[1], "chunk_shape", where, 1)
    encoding, settings = _named(document.get("chunk_key_encoding"), "chunk_key_encoding", where)
    if encoding not in ("default", "v2"):
        raise FormatError(f"chunk key encoding {encoding!r}", where)
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    raw = document.get("codecs")
    if not isinstance(raw, list) or separator not in (".", "/") or len(outer) != len(shape):
        raise FormatError("codecs, separator or chunk shape are not understood", where)
    codecs = [_named(one, "codecs", where) for one in raw]
    shards: tuple[int, ...] | None = None
    chunks = outer
    native = encoding == "default" and not document.get("storage_transformers")
    _check_codecs3(codecs, where, allowed)
    if codecs and codecs[0][0] == "sharding_indexed":
        inner = codecs[0][1]
        shards, chunks = outer, _edges(inner, "chunk_shape", where, 1)
        if len(chunks) != len(outer) or any(shard % chunk for shard, chunk in zip(shards, chunks, strict=True)):
            raise FormatError("shards are no whole number of chunks", where)
        codecs = [_named(one, "codecs", where) for one in inner.get("codecs") or []]
        native = False
    data_type = document.get("data_type")
    attributes = document.get("attributes") or {}
    named = isinstance(data_type, str)
    string = data_type == "string"
    dtype = OBJECT if string else np.dtype(data_type) if named and data_type in _CORE + _FLOATS else None
    if dtype is None:
        native, dtype = False, np.dtype(np.uint8)
    spec = attributes.get(DTYPE) if isinstance(attributes, dict) else None
    if spec is not None and not string:
        shape, chunks, shards, dtype = _stored_dtype(spec, dtype, shape, chunks, shards, where)
    compressor, checksum, known = _pipeline3(codecs, string)
    return Layout(
        where=where,
        zarr_format=3,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        item="vlen-utf8" if string else None,
        item_config={},
        compressor=compressor,
        filters=(),
        order="C",
        separator=separator,
        fill="" if string else _fill_in(0 if spec is not None else document.get("fill_value"), dtype, where),
        checksum=checksum,
        shards=shards,
        native=native and known,
    )


def _stored_dtype(
    spec: JSON,
    core: np.dtype[Any],
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    shards: tuple[int, ...] | None,
    where: str,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None, np.dtype[Any]]:
    """Take the dtype that an array had before it was stored in a core data type."""
    try:
        dtype = spec_dtype(spec)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise FormatError(f"{DTYPE} is {_short(spec)}", where) from error
    wanted = core_dtype(dtype)
    if wanted.base != core or wanted.shape != shape[len(shape) - len(wanted.shape) :]:
        raise FormatError(f"{DTYPE} {_short(spec)} does not fit the array", where)
    if wanted.shape:
        if chunks[-1:] != wanted.shape or (shards and shards[-1:] != wanted.shape):
            raise FormatError("an element is divided between chunks", where)
        return shape[:-1], chunks[:-1], shards and shards[:-1], dtype
    return shape, chunks, shards, dtype


def _named(value: Any, what: str, where: str) -> tuple[str, dict[str, Any]]:
    """Give the name and the configuration of an extension point of format 3."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise FormatError(f"{what} without a name", where)
    configuration = value.get("configuration") or {}
    if not isinstance(configuration, dict):
        raise FormatError(f"{what}: a configuration that is no object", where)
    return value["name"], configuration


_CODECS3: Final = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "crc32c", "transpose", "sharding_indexed", "vlen-utf8", "vlen-bytes"}
)


def _check_codecs3(codecs: list[tuple[str, dict[str, Any]]], where: str, allowed: Collection[str], depth: int = 0) -> None:
    """Refuse codecs that are not on the allow-list, inside shards as well."""
    if depth > 4:
        raise FormatError("shards inside shards inside shards", where)
    for name, configuration in codecs:
        plain = name.removeprefix("numcodecs.")
        if name in _CODECS3 or name in allowed:
            pass
        elif name.startswith("numcodecs."):
            codec({**configuration, "id": plain}, where, allowed)
        else:
            raise FormatError(
                f"the codec {name!r} is not allowed", where, "if you trust the file, allow it by name: codecs=(...)"
            )
        for key in ("codecs", "index_codecs"):
            if name == "sharding_indexed":
                inner = configuration.get(key)
                if not isinstance(inner, list):
                    raise FormatError(f"a shard without {key}", where)
                _check_codecs3([_named(one, key, where) for one in inner], where, allowed, depth + 1)


def _pipeline3(codecs: list[tuple[str, dict[str, Any]]], string: bool) -> tuple[Compressor | None, bool, bool]:
    """Give compressor and checksum of a chain of codecs, and whether that is all there is."""
    chain = list(codecs)
    checksum = bool(chain) and chain[-1][0] == "crc32c"
    if checksum:
        chain.pop()
    first = chain.pop(0) if chain else ("", {})
    known = first[0] == "vlen-utf8" if string else first[0] == "bytes" and first[1].get("endian") != "big"
    if not chain:
        return None, checksum, known
    name, config = chain[0]
    compressor: Compressor | None = None
    try:
        match name:
            case "blosc":
                shuffle = _SHUFFLES.index(config["shuffle"])
                compressor = numcodecs.Blosc(config["cname"], config["clevel"], shuffle, config["blocksize"])
            case "zstd":
                compressor = numcodecs.Zstd(config["level"])
            case "gzip":
                compressor = numcodecs.GZip(config["level"])
            case _ if name.startswith("numcodecs."):
                compressor = codec({**config, "id": name.removeprefix("numcodecs.")}, "")
            case _:
                pass
    except (KeyError, ValueError, TypeError):
        pass  # zarr-python is asked instead
    return compressor, checksum, known and compressor is not None and len(chain) == 1


# --- chunks ------------------------------------------------------------------------------------


def encode_chunk(array: Layout, values: _NumPyArray) -> bytes:
    """Encode the values of a chunk, which has its full shape."""
    buffer: Any
    if array.item is not None:
        buffer = encode_cells(values, array.item)
    else:
        stored = to_core(values) if array.zarr_format == 3 else values
        if stored.dtype.byteorder == ">" and array.zarr_format == 3:
            stored = stored.astype(stored.dtype.newbyteorder("<"))
        buffer = stored.ravel(order="F" if array.order == "F" else "C")
        if not array.filters and (buffer.dtype.kind in "MmV" or not buffer.dtype.isnative):  # no buffers
            buffer = buffer.view(np.uint8) if array.compressor is None else _opaque(buffer)
        for one in array.filters:
            buffer = one.encode(buffer)
    if array.compressor is not None:
        buffer = array.compressor.encode(buffer)
    data = buffer if isinstance(buffer, bytes) else bytes(memoryview(buffer).cast("B"))
    return data + crc32c(data).to_bytes(4, "little") if array.checksum else data


def _opaque(buffer: _NumPyArray) -> _NumPyArray:
    """View values as numbers of their size where there are such, for the shuffle of Blosc."""
    size = buffer.dtype.itemsize
    return buffer.view(f"u{size}") if size in (1, 2, 4, 8) else buffer.view(np.uint8)


def decode_chunk(array: Layout, data: bytes, where: str, limit: int) -> _NumPyArray:
    """Decode the bytes of a chunk: its values, in the chunk's full shape, writeable."""
    size = prod(array.chunks)
    itemsize = array.dtype.itemsize
    if array.checksum:
        data, stored = data[:-4], data[-4:]
        if crc32c(data).to_bytes(4, "little") != stored:
            raise FormatError("the chunk is damaged: its checksum is wrong", where)
    plain = array.item is None and not array.filters
    most = min(size * itemsize, limit) if plain else limit
    buffer: Any = data
    if array.compressor is not None:
        buffer = decompress(array.compressor, data, most, where)
    for one in reversed(array.filters):
        buffer = decompress(one, buffer, limit, where)
    if array.item is not None:
        return decode_cells(buffer, _codec_name(array), array.item_config, size, where).reshape(array.chunks)
    view = memoryview(buffer).cast("B")
    if view.nbytes != size * itemsize:
        raise FormatError(f"a chunk of {view.nbytes} bytes where {size * itemsize} belong", where)
    flat = np.frombuffer(view, np.uint8)
    if not flat.flags.writeable:
        flat = flat.copy()
    if array.zarr_format == 3:
        core = core_dtype(array.dtype)
        return from_core(flat.view(core.base).reshape(array.chunks + core.shape), array.dtype)
    return flat.view(array.dtype).reshape(array.chunks, order="F" if array.order == "F" else "C")


def _codec_name(array: Layout) -> str:
    return str(array.item_config.get("id", array.item))


def blank(array: Layout, shape: tuple[int, ...]) -> _NumPyArray:
    """Give an array of the fill value: what chunks that are not stored hold."""
    if array.item is not None:
        return np.full(shape, "" if array.item == "vlen-utf8" else array.fill, object)
    values = np.zeros(shape, array.dtype)
    if array.fill is not None and np.array(array.fill, array.dtype).tobytes().strip(b"\0"):
        values[...] = array.fill
    return values
