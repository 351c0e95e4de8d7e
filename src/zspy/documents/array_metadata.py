"""Floor 2: the layout of one stored array: its document in Zarr format 2 or 3, and its chunks.

A `Layout` is what the document of an array says, checked. Pure: no store, and no array is read.
"""

from __future__ import annotations

import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import prod
from typing import Any, Final

import numcodecs
import numpy as np

from ..values.errors import EncodeError, FormatError
from ..values.nodes import Array, joined
from ..values.ragged import Uncut, object_array
from ..values.types import JSON, Compressor, NumPyArray, ZarrFormat, is_dict, is_list
from .chunk_shapes import LARGEST, chunk_shape
from .codecs import (
    CELL,
    CELLS,
    CHECKSUMS,
    COMPRESSORS,
    FILTERS,
    Budget,
    check_allowed,
    codec,
    codec_id,
    decode_cells,
    decode_stages,
    encode_cells,
    encode_runs,
    load_json,
)

_Codecs3 = list[tuple[str, dict[str, Any]]]
OBJECT: Final = np.dtype(object)
DTYPE: Final = "_zspy_dtype"
"""Attribute of a format-3 array: the dtype that its core data type stands for."""
ONE_CHUNK: Final = 2**24
"""Bytes up to which an array without chunks of its own is one chunk."""
_LARGEST: Final = 2**62  # elements of an array
_MOST_EDGES: Final = 64  # of an array, in NumPy
_LONGEST: Final = 2**20  # bytes of a fill value
_MOST_VALUES: Final = 2**22  # in a document: each takes some 64 bytes
_POSITIVE: Final = "give a positive edge for each dimension"
_CRC32C: Final = numcodecs.CRC32C(location="end")


def default_compressor() -> Compressor:
    """Give the compressor of the format: Blosc with Zstandard, level 1, byte shuffle."""
    blosc = numcodecs.Blosc
    compressor: Compressor = blosc(cname="zstd", clevel=1, shuffle=blosc.SHUFFLE)
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
        Applied to the main arrays only, before the compressor; in format 2.
    order : {"C", "F"}
        Memory order inside a chunk of a main array, in format 2.
    separator : {"/", "."}
        Between the numbers of a chunk's key, in format 2.
    fill_value : bool, int, float or complex
        What chunks of main arrays hold that are not stored.
    checksum : bool
        A CRC32 in each chunk, in format 2; format 3 has a CRC32C in any case.
    """

    zarr_format: ZarrFormat = 2
    compressor: Compressor | None = field(default_factory=default_compressor)
    filters: tuple[Compressor, ...] = ()
    order: str = "C"
    separator: str = "/"
    fill_value: Any = 0
    checksum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the document of an array says: shapes in elements, `item` for object arrays."""

    zarr_format: ZarrFormat
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]  # in the bytes of a chunk
    extra: tuple[int, ...] = ()  # dimension of the stored array that is no dimension of this one
    item: str | None = None
    compressor: Compressor | None = None
    filters: tuple[Compressor, ...] = ()
    order: str = "C"
    separator: str = "/"
    fill: Any = None  # None for zeros
    checksum: bool = False
    shards: tuple[int, ...] | None = None
    native: bool = True  # whether `decode_chunk` knows all about it
    foreign: bool = False  # whether it has a codec that the reader allowed, for zarr-python
    unknown: str = ""  # its storage transformers, or its data type, where zspy has not heard of it
    prefix: str = ""  # of the keys of chunks
    axes: tuple[int, ...] | None = None  # how a chunk is transposed
    index: str = "end"  # where a shard has its index
    whole: bool = False  # whether all of its chunks are known to have been written

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each dimension."""
        return tuple(-(-size // edge) for size, edge in zip(self.shape, self.chunks, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array in memory; of object arrays, without what the cells hold."""
        return prod(self.shape) * self.cost

    @property
    def cost(self) -> int:
        """Bytes of an element in memory; of a cell, without what it holds."""
        return self.dtype.itemsize if self.item is None else CELL

    @property
    def stages(self) -> tuple[Compressor, ...]:
        """Filters, compressor and checksum, in the order in which they encode."""
        compressor = () if self.compressor is None else (self.compressor,)
        return (*self.filters, *compressor, *((_CRC32C,) if self.checksum else ()))

    @property
    def units(self) -> tuple[int, ...]:
        """Number of documents along each dimension: of shards, or of chunks."""
        edges = self.shards or self.chunks
        return tuple(-(-size // edge) for size, edge in zip(self.shape, edges, strict=True))

    @property
    def per_shard(self) -> tuple[int, ...]:
        """Number of chunks in a shard along each dimension; one where there are no shards."""
        shards = self.shards or self.chunks
        return tuple(shard // edge for shard, edge in zip(shards, self.chunks, strict=True))

    def document(self, path: str) -> str:
        """Name the document that says all this of the array at a path."""
        return joined(path, ".zarray" if self.zarr_format == 2 else "zarr.json")

    def key(self, index: tuple[int, ...]) -> str:
        """Name the document of a chunk, or of a shard, below the array's path."""
        prefix = (self.prefix,) if self.prefix else ()
        numbers = map(str, index + (0,) * len(self.extra))
        return self.separator.join((*prefix, *numbers)) or "0"


def array_layout(path: str, array: Array, storage: Storage, main: bool = False) -> Layout:
    """Lay out an array that is to be written; main ones take filters, order and fill value."""
    dtype, shape, item = np.dtype(array.data.dtype), tuple(array.data.shape), array.cells
    three = storage.zarr_format == 3
    if item is None and not _is_held(dtype):
        raise EncodeError(f"Zarr holds no arrays of dtype {dtype} as they are", path, "use encode")
    if item not in {None, "vlen-utf8", "vlen-bytes"} and three:
        raise EncodeError("Zarr format 3 has no object arrays", path, "store it in a group")
    if array.chunks is not None:
        chunks = tuple(map(int, array.chunks))
    elif item is None:
        chunks = chunk_shape(shape, dtype.itemsize, (), ONE_CHUNK)
    else:
        chunks = tuple(max(edge, 1) for edge in shape)
    if len(chunks) != len(shape) or min(chunks, default=1) < 1:
        raise EncodeError(f"chunks {chunks} for the shape {shape}", path, _POSITIVE)
    if item is None and prod(chunks) * dtype.itemsize > LARGEST:
        chunks = chunk_shape(chunks, dtype.itemsize, range(len(chunks)))
    shards = array.shards if three and shape else None
    if shards is not None:  # of whole chunks
        if len(shards) != len(shape) or min(shards) < 1:
            raise EncodeError(f"shards {shards} for the shape {shape}", path, _POSITIVE)
        shards = tuple(-(-s // c) * c for s, c in zip(shards, chunks, strict=True))
    extra = core_dtype(dtype).shape if three and item is None else ()
    if len(shape + extra) > _MOST_EDGES:
        problem = f"{len(shape)} dimensions, and one for the bytes of {dtype}"
        raise EncodeError(problem, path, "use zarr_format=2")
    filtered = main and item is None and not three
    filters, compressor = storage.filters if filtered else (), storage.compressor
    if storage.checksum and not three:
        filters, compressor = _checked(filters, compressor, 1 if item else dtype.itemsize)
    return Layout(
        zarr_format=storage.zarr_format,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype.newbyteorder("<") if three and not extra else dtype,
        extra=extra,
        item=item,
        compressor=compressor,
        filters=filters,
        order=storage.order if filtered else "C",
        separator="/" if three else storage.separator,
        prefix="c" if three else "",
        fill=_fill_of(storage.fill_value, dtype, path) if main else None,
        checksum=three,
        shards=shards,
    )


def _checked(
    filters: tuple[Compressor, ...], compressor: Compressor | None, size: int
) -> tuple[tuple[Compressor, ...], Compressor | None]:
    """Put a checksum behind the filters; bytes are shuffled before it, where Blosc would do so."""
    config = {} if compressor is None else compressor.get_config()
    if config.get("id") == "blosc" and config["shuffle"] == 1 and not filters and size > 1:
        filters = (numcodecs.Shuffle(size),)
        compressor = numcodecs.Blosc(config["cname"], config["clevel"], 0, config["blocksize"])
    return (*filters, numcodecs.CRC32()), compressor


def _fill_of(value: Any, dtype: np.dtype[Any], path: str) -> NumPyArray | None:
    """Give the fill value that a caller wants, for arrays of numbers."""
    try:
        return _fill_in(value, dtype) if dtype.kind in "biufc" else None
    except ValueError as error:
        raise EncodeError(str(error), path, "use another") from error


# --- dtypes ------------------------------------------------------------------------------------

_NAME: Final = re.compile(
    r"[<>|]?[biufcmMSUV]\d{1,10}(\[\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?\Z"
)
_CORE: Final = frozenset(
    {"bool", "float16", "float32", "float64", "complex64", "complex128"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def core_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the core data type that any reader of format 3 knows, for a dtype that is none.

    Values with a unit become int64; whatever else, bytes along one more dimension.

    >>> core_dtype(np.dtype("M8[s]")), core_dtype(np.dtype(">f4")), core_dtype(np.dtype("U2"))
    (dtype('int64'), dtype('float32'), dtype(('u1', (8,))))
    """
    if dtype.kind in "mM":
        return np.dtype(np.int64)
    native = dtype.newbyteorder("=")
    return native if native.name in _CORE else np.dtype((np.uint8, (dtype.itemsize,)))


def to_core(values: NumPyArray) -> NumPyArray:
    """Give values in their core data type, with the extra dimension where it has one."""
    core = core_dtype(values.dtype)
    if core.shape:
        return np.ascontiguousarray(values).reshape(values.shape)[..., None].view(np.uint8)
    return values.astype(values.dtype.newbyteorder("="), copy=False).view(core)


def from_core(values: NumPyArray, dtype: np.dtype[Any]) -> NumPyArray:
    """Undo `to_core`; values that have their dtype already are left alone."""
    if values.dtype == dtype:
        return values
    if core_dtype(dtype).shape:
        return np.ascontiguousarray(values).view(dtype)[..., 0]
    if dtype.kind in "mM":
        values = values.view(dtype.newbyteorder("="))
    return values.astype(dtype)


@lru_cache(maxsize=256)
def _is_held(dtype: np.dtype[Any]) -> bool:
    """Tell whether a document of format 2 can say all of a dtype."""
    try:
        return parse_dtype(_description(dtype)) == dtype
    except (ValueError, TypeError):
        return False


def _description(dtype: np.dtype[Any]) -> JSON:
    """Describe a dtype as Zarr format 2 does: a string, or a list of fields."""
    parts: Any = dtype.fields
    fields: list[JSON] = []
    for name in dtype.names or ():
        inner = parts[name][0]
        fields.append([name, _description(inner.base), *([[*inner.shape]] if inner.shape else [])])
    return fields or dtype.str


def parse_dtype(description: Any) -> np.dtype[Any]:
    """Undo `_description`; raises ValueError or TypeError for what is none, and for objects."""
    dtype: np.dtype[Any] = np.dtype(_fields(description))
    if not 0 < dtype.itemsize < 2**31:
        raise ValueError(f"a dtype of {dtype.itemsize} bytes")
    return dtype


def _fields(description: Any) -> Any:
    if isinstance(description, str) and _NAME.match(description):
        return description
    if not is_list(description):
        raise ValueError(f"{_short(description)} is no dtype")
    fields: list[Any] = []
    for name, inner, *shapes in description:
        if not isinstance(name, str) or not name or len(shapes) > 1:
            raise ValueError("a field of a dtype is a name, a dtype, and perhaps a shape")
        fields.append((name, _fields(inner), *(parse_shape(shape, 1) for shape in shapes)))
    return fields


def parse_shape(edges: Any, least: int, what: str = "a shape") -> tuple[int, ...]:
    """Check a list of integers; raises ValueError where it is none."""
    if not is_list(edges) or not all(type(edge) is int and edge >= least for edge in edges):
        raise ValueError(f"{what} is {_short(edges)}, no list of integers from {least}")
    if len(edges) > _MOST_EDGES or prod(max(edge, 1) for edge in edges) > _LARGEST:
        raise ValueError(f"{what} is {_short(edges)}, which is too large")
    return tuple(edges)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:76] + " ..."


# --- fill values -------------------------------------------------------------------------------


def _fill_out(array: Layout) -> JSON:
    """Give the fill value as both formats write it."""
    if array.item is not None:
        return "" if array.zarr_format == 3 else 0
    fill: Any = np.zeros((), array.dtype) if array.fill is None else array.fill
    match array.dtype.kind:
        case _ if array.extra:
            return 0
        case "b":
            return bool(fill)
        case "f":
            return _json_number(float(fill))
        case "c":
            return [_json_number(float(fill.real)), _json_number(float(fill.imag))]
        case "V":
            return b64encode(fill.tobytes()).decode()
        case "S" | "U":
            return ""
        case "m" | "M":
            return 0
        case _:
            return int(fill)


def _json_number(value: float) -> JSON:
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"


def _fill_in(value: Any, dtype: np.dtype[Any]) -> NumPyArray | None:
    """Parse a fill value: an array of one element, or None for zeros."""
    if _is_zero(value):
        return None
    try:
        if dtype.itemsize > _LONGEST:
            raise ValueError("too long")
        with np.errstate(all="ignore"):
            return _nonzero(_element(value, dtype))
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ValueError(f"the fill value {_short(value)} is no {dtype}") from error


def _nonzero(element: NumPyArray) -> NumPyArray | None:
    return element if element.tobytes().strip(b"\0") else None


def _is_zero(value: Any) -> bool:
    return value is None or value == "" or (type(value) is int and not value)


def _element(value: Any, dtype: np.dtype[Any]) -> NumPyArray:
    if _is_zero(value):
        return np.zeros((), dtype)
    match dtype.kind:
        case "V" if is_dict(value):  # of format 3: by field
            names: Any = dtype.names  # of none, if it is not structured
            parts = [_element(value[name], dtype[name])[()] for name in names]
            return np.array(tuple(parts), dtype)
        case "S" | "V":
            raw = bytes(value) if is_list(value) else b64decode(str(value))
            return np.frombuffer(raw.ljust(dtype.itemsize, b"\0"), dtype, 1).reshape(())
        case "U" if not isinstance(value, str):
            raise TypeError("no string")
        case "U":
            return np.array(value, dtype)
        case "c":
            half = np.dtype(f"f{dtype.itemsize // 2}")
            if is_list(value):
                real, imaginary = value
                value = complex(_number(real, half), _number(imaginary, half))
            return np.array(complex(value), dtype)
        case "f":
            return np.array(_number(value, dtype), dtype)
        case "m" | "M":
            number = np.iinfo(np.int64).min if value == "NaT" else int(value)
            return np.array(number, np.dtype(np.int64).newbyteorder(dtype.byteorder)).view(dtype)
        case _:
            return np.array(int(value), dtype)


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    """Parse a real number: JSON, a name, or the hexadecimal bytes of format 3."""
    if isinstance(value, str) and value.startswith("0x"):
        return np.frombuffer(bytes.fromhex(value[2:]), dtype.newbyteorder(">"))[0]
    return float(value)


# --- documents ---------------------------------------------------------------------------------


_CELL_CODECS: Final[Mapping[str, dict[str, Any]]] = {
    **{item: {"id": item} for item in CELLS},
    # as numcodecs describes it, which needs a package to make it
    "msgpack2": {
        "id": "msgpack2",
        "raw": False,
        "use_bin_type": True,
        "use_single_float": False,
    },
}


def describe(array: Layout, attributes: Mapping[str, JSON]) -> dict[str, Any]:
    """Give the document of an array: ``.zarray``, or ``zarr.json`` with its attributes."""
    if array.zarr_format == 3:
        return _describe3(array, attributes)
    filters: list[Any] = [one.get_config() for one in array.filters]
    filters = [{"id": "crc32"} if one["id"] == "crc32" else one for one in filters]
    if array.item is not None:
        cells = _CELL_CODECS.get(array.item) or {"id": "vlen-array", "dtype": array.item}
        filters = [cells, *filters]
    document: dict[str, Any] = {
        "chunks": [*array.chunks],
        "compressor": array.compressor and array.compressor.get_config(),
        "dtype": "|O" if array.item else _description(array.dtype),
        "fill_value": _fill_out(array),
        "filters": filters or None,
        "order": array.order,
        "shape": [*array.shape],
        "zarr_format": 2,
    }
    return document | ({"dimension_separator": "/"} if array.separator == "/" else {})


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Parse a document: a JSON object."""
    try:
        if len(data) > _MOST_VALUES and max(map(data.count, (b",", b"["))) > _MOST_VALUES:
            raise ValueError("too many values")
        document = load_json(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no JSON ({error})", where) from error
    if not is_dict(document):
        raise FormatError("no JSON object", where)
    return document


def parse_array(document: Mapping[str, Any], where: str, allowed: Collection[str] = ()) -> Layout:
    """Check the document of an array, and give its layout, or raise FormatError."""
    try:
        match document.get("zarr_format"):
            case 2:
                how = _parse2(document, where, allowed)
            case 3:
                how = _parse3(document, where, allowed)
            case other:
                raise ValueError(f"Zarr format {_short(other)} is not known")
        if prod(max(edge, 1) for edge in how.shape) * 8 * how.dtype.itemsize > _LARGEST:
            raise ValueError("the shape is too large")  # for NumPy, also of an empty array
        return how
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise FormatError(str(error), where, "the file is damaged, or of a newer kind") from error


def _parse2(document: Mapping[str, Any], where: str, allowed: Collection[str]) -> Layout:
    shape = parse_shape(document.get("shape"), 0, "shape")
    chunks = parse_shape(document.get("chunks"), 1, "chunks")
    filters: Any = document.get("filters") or []
    order, separator = document.get("order"), document.get("dimension_separator", ".")
    if len(chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    if not is_list(filters):
        raise ValueError("filters are no list")
    if order not in ("C", "F") or separator not in (".", "/"):
        raise ValueError(f"order {_short(order)}, separator {_short(separator)}")
    names = [codec_id(config, where, allowed) for config in filters]
    item, dtype = None, OBJECT
    if document.get("dtype") == "|O":
        if not names or names[0] not in CELLS:
            raise ValueError("an object array without an object codec")
        item, config, names, filters = names[0], filters[0], names[1:], filters[1:]
        if item == "vlen-array":
            item = parse_dtype(config.get("dtype")).str
    else:
        dtype = parse_dtype(document.get("dtype"))
    compressor = document.get("compressor")
    if compressor is not None:
        names.append(codec_id(compressor, where, allowed))
    if not CELLS.isdisjoint(names):
        raise ValueError("an object codec where there are no objects")
    return Layout(
        zarr_format=2,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype,
        item=item,
        compressor=None if compressor is None else codec(compressor, where, allowed),
        filters=tuple(codec(config, where, allowed) for config in filters),
        order=order,
        separator=separator,
        fill=None if item else _fill_in(document.get("fill_value"), dtype),
    )


# --- format 3 ----------------------------------------------------------------------------------

_CODECS3: Final = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "crc32c", "transpose", "sharding_indexed"}
    | {"vlen-utf8", "vlen-bytes"}
    | {f"numcodecs.{name}" for name in COMPRESSORS | FILTERS}
)
_STRINGS: Final = {
    "string": "vlen-utf8",
    "bytes": "vlen-bytes",
    "variable_length_bytes": "vlen-bytes",
}
_LENGTHS: Final = {
    "fixed_length_utf32": ("<U", 4),
    "null_terminated_bytes": ("|S", 1),
    "raw_bytes": ("|V", 1),
}
_OF_BYTES: Final = CHECKSUMS | {"shuffle"}
_SHUFFLES: Final = ("noshuffle", "shuffle", "bitshuffle")


def _describe3(array: Layout, attributes: Mapping[str, JSON]) -> dict[str, Any]:
    extra, chunks, shards = [*array.extra], [*array.chunks], [*(array.shards or ())]
    if array.item is None:
        core = core_dtype(array.dtype)
        name, size = core.base.name, core.base.itemsize
        little: dict[str, Any] = {"configuration": {"endian": "little"}} if size > 1 else {}
        codecs: list[Any] = [{"name": "bytes", **little}]
        if core != array.dtype:
            attributes = {**attributes, DTYPE: _description(array.dtype)}
    else:
        name, size = "string" if array.item == "vlen-utf8" else "variable_length_bytes", 1
        codecs = [{"name": array.item}]
    codecs += _compressor3(array.compressor, size)
    codecs.append({"name": "crc32c"})
    if shards:
        index: list[Any] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        sharding: dict[str, Any] = {
            "chunk_shape": chunks + extra,
            "codecs": codecs,
            "index_codecs": [*index, {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*array.shape, *extra],
        "data_type": name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": (shards or chunks) + extra},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _fill_out(array),
        "codecs": codecs,
        "attributes": {**attributes},
    }


def _compressor3(compressor: Compressor | None, size: int) -> list[JSON]:
    """Name the format-3 codec of a numcodecs compressor."""
    if compressor is None:
        return []
    config = compressor.get_config()
    name = config.pop("id")
    if name == "blosc":
        shuffle = config["shuffle"] if config["shuffle"] >= 0 else 1 if size > 1 else 2
        config |= {"typesize": size, "shuffle": _SHUFFLES[shuffle]}
    elif name == "zstd":
        config["checksum"] = bool(config.get("checksum"))
    elif name != "gzip":
        name = f"numcodecs.{name}"
    return [{"name": name, "configuration": config}]


def _parse3(document: Mapping[str, Any], where: str, allowed: Collection[str]) -> Layout:
    shape = parse_shape(document.get("shape"), 0, "shape")
    grid, settings = _named(document.get("chunk_grid"), "chunk_grid")
    chunks = parse_shape(settings.get("chunk_shape"), 1, "chunk_shape")
    shards: tuple[int, ...] | None = None
    encoding, settings = _named(document.get("chunk_key_encoding"), "chunk_key_encoding")
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    if grid != "regular" or encoding not in {"default", "v2"} or separator not in (".", "/"):
        raise ValueError(f"chunk grid {grid!r}, keys {encoding!r}, separator {_short(separator)}")
    codecs = _codecs3(document.get("codecs"), where, allowed)
    alone, index = True, "end"
    if codecs[0][0] == "sharding_indexed":
        settings = codecs[0][1]
        shards, chunks = chunks, parse_shape(settings.get("chunk_shape"), 1, "chunk_shape")
        alone = len(codecs) == 1 and _is_index(settings)
        index = str(settings.get("index_location", "end"))
        codecs = _codecs3(settings.get("codecs"), where, allowed)
    if len(chunks) != len(shape) or len(shards or chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    if shards and any(shard % chunk for shard, chunk in zip(shards, chunks, strict=True)):
        raise ValueError("shards are no whole number of chunks")
    description = _data_type(document.get("data_type"))
    item = _STRINGS.get(description) if isinstance(description, str) else None
    dtype = OBJECT if item else parse_dtype(description or "|u1")
    fill = _fill_in(document.get("fill_value"), dtype) if description and not item else None
    big = any(name == "bytes" and one.get("endian") == "big" for name, one in codecs)
    endian: Any = ">" if big else "=" if sys.byteorder == "little" else "<"  # as NumPy's own
    stored = dtype.newbyteorder(endian)
    extra: tuple[int, ...] = ()
    attributes = document.get("attributes")
    spec = attributes.get(DTYPE) if is_dict(attributes) else None
    if spec is not None and not item:
        core, dtype, fill = core_dtype(dtype), parse_dtype(spec), None
        extra = core_dtype(dtype).shape
        stored = dtype if extra else dtype.newbyteorder(endian)
        cut = len(shape) - len(extra)
        if core != core_dtype(dtype).base or shape[cut:] != extra or chunks[cut:] != extra:
            raise ValueError(f"{DTYPE} {_short(spec)} does not fit the array")
        shape, chunks, shards = shape[:cut], chunks[:cut], shards and shards[:cut]
    names = [name for name, _ in codecs]
    stages, axes, plain = _chain3(codecs, item, stored, where)
    more = document.get("storage_transformers")
    unknown = more or (None if description else document.get("data_type"))
    if axes is not None and sorted(axes) != [*range(len(shape) + len(extra))]:
        raise ValueError(f"{_short(axes)} is no order of the dimensions")
    return Layout(
        zarr_format=3,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=stored,
        extra=extra,
        item=item,
        filters=tuple(stages),
        separator=separator,
        prefix="c" if encoding == "default" else "",
        axes=axes,
        fill=fill,
        shards=shards,
        index=index,
        native=bool(description) and alone and not more and plain and (axes is None or not extra),
        foreign=not _CODECS3.issuperset(names) and not more,  # zarr-python passes over them
        unknown=_short(unknown) if unknown else "",
    )


def _chain3(
    codecs: _Codecs3, item: str | None, stored: np.dtype[Any], where: str
) -> tuple[list[Compressor], tuple[int, ...] | None, bool]:
    """Give the stages of a chain of codecs, its transposition, and whether that is all of it."""
    names = [name for name, _ in codecs]
    axes: tuple[int, ...] | None = None
    if names[0] == "transpose":
        axes = parse_shape(codecs[0][1].get("order"), 0, "order")
        codecs, names = codecs[1:], names[1:]
    core = item or "bytes"
    at = names.index(core) if core in names else len(names)
    filters = [_stage3(*one, where, stored) for one in codecs[:at]]
    stages = filters + [_stage3(*one, where) for one in codecs[at + 1 :]]
    fit = not filters or (item is None and stored.byteorder != ">")
    known = [stage for stage in stages if stage is not None]
    return known, axes, fit and at < len(names) and len(known) == len(stages)


def _is_index(settings: Mapping[str, Any]) -> bool:
    """Tell an index of shards as everybody writes it."""
    codecs = [_named(one, "a codec") for one in settings["index_codecs"]]
    little = codecs[0][1].get("endian") == "little"
    known = [name for name, _ in codecs] == ["bytes", "crc32c"] and little
    return known and settings.get("index_location", "end") in ("start", "end")


def _named(value: Any, what: str) -> tuple[str, dict[str, Any]]:
    """Give the name and the configuration of an extension point of format 3."""
    one = value if is_dict(value) else {"name": value}
    name: Any = one.get("name")
    settings: Any = one.get("configuration") or {}
    if not isinstance(name, str) or not is_dict(settings):
        raise ValueError(f"{what} without a name and its configuration")
    return name, settings


def _codecs3(value: Any, where: str, allowed: Collection[str], depth: int = 0) -> _Codecs3:
    """Check a chain of codecs, and those inside of shards: all have to be allowed."""
    if not is_list(value) or not value or depth > 4:
        raise ValueError("codecs are no list, or shards are nested too deep")
    codecs = [_named(one, "a codec") for one in value]
    for name, settings in codecs:
        check_allowed(name, _CODECS3, where, allowed)
        if name == "sharding_indexed":
            for part in ("codecs", "index_codecs"):
                _codecs3(settings.get(part), where, allowed, depth + 1)
    return codecs


def _stage3(
    name: str, settings: Mapping[str, Any], where: str, dtype: np.dtype[Any] | None = None
) -> Compressor | None:
    """Make what decodes a codec of format 3: of bytes, or of values of a dtype."""
    plain = name.removeprefix("numcodecs.")
    if dtype is not None:
        known = plain != name and plain in FILTERS - _OF_BYTES
        return codec({"dtype": dtype.str, **settings, "id": plain}, where) if known else None
    if name == "crc32c":
        return _CRC32C
    if plain not in COMPRESSORS and (plain == name or plain not in _OF_BYTES):
        return None
    told = plain in COMPRESSORS and plain != "lzma"  # by the data
    return codec({"id": plain} if told else {**settings, "id": plain}, where)


def _data_type(value: Any) -> JSON:
    """Describe a data type of format 3 as format 2 does; ``""`` where only zarr-python can."""
    name, settings = _named(value, "data_type")
    if name in _CORE:
        return np.dtype(name).str
    if name in _LENGTHS:
        unit, size = _LENGTHS[name]
        length = settings.get("length_bytes")
        return f"{unit}{length // size}" if isinstance(length, int) else ""
    match name:
        case "string" | "bytes" | "variable_length_bytes":
            return name
        case "numpy.datetime64" | "numpy.timedelta64":
            unit = f"[{settings.get('scale_factor')}{settings.get('unit')}]"
            scaled = "" if settings.get("unit") == "generic" else unit
            return f"<{'M' if name == 'numpy.datetime64' else 'm'}8{scaled}"
        case "structured" | "struct":
            described: list[JSON] = []
            for one in settings.get("fields") or ():
                inner, kind = (one["name"], one["data_type"]) if is_dict(one) else one
                described.append([inner, _data_type(kind)])
            return described
        case _:
            bits = re.fullmatch(r"r(\d{1,9})", name)
            return f"|V{int(bits[1]) // 8}" if bits else ""


# --- chunks ------------------------------------------------------------------------------------


def encode_chunk(array: Layout, values: NumPyArray | Uncut) -> bytes:
    """Encode the values of a chunk, which has its full shape; raises what the codecs raise."""
    buffer: Any
    if isinstance(values, Uncut):
        buffer = encode_runs(values.values, values.ends)
    elif array.item is not None:
        buffer = encode_cells(values, array.item)
    else:
        buffer = values.astype(array.stored, copy=False).ravel("F" if array.order == "F" else "C")
        buffer = buffer.view(f"V{array.stored.itemsize}")  # not every dtype has a buffer
    for stage in array.stages:
        buffer = stage.encode(buffer)
    return buffer if isinstance(buffer, bytes) else np.asarray(buffer).tobytes()


def decode_chunk(array: Layout, data: bytes, where: str, budget: Budget, cut: bool = True) -> Any:
    """Decode the bytes of a chunk: its values, in the chunk's full shape, writeable.

    The cells of an object array may be given as an `Uncut`.
    """
    count = prod(array.chunks)
    size = count * array.stored.itemsize if array.item is None else None
    limits = budget.limits
    most = min(limits.chunk, limits.memory + limits.expansion * len(data))
    flat = decode_stages(array.stages, data, size, most, where)
    if array.item is not None:
        cells = decode_cells(flat, array.item, count, budget, where, len(data))
        if not isinstance(cells, tuple):
            return cells.reshape(array.chunks)
        uncut = Uncut(*cells, array.chunks)
        return np.asarray(uncut) if cut else uncut
    aligned = flat.flags.writeable and not flat.ctypes.data % 16
    values = (flat if aligned else flat.copy()).view(array.stored)
    if array.axes is not None:
        turned = values.reshape([array.chunks[axis] for axis in array.axes])
        shaped = turned.transpose(np.argsort(array.axes))
    else:
        shaped = values.reshape(array.chunks, order="F" if array.order == "F" else "C")
    return shaped.astype(array.dtype, copy=False)


def encode_shard(array: Layout, chunks: Mapping[tuple[int, ...], bytes]) -> bytes:
    """Put the chunks that are in a shard, by their places in the grid, before their index."""
    per = array.per_shard
    at = np.ravel_multi_index((np.array([*chunks]) % per).T, per)
    table = np.full((prod(per), 2), -1, "<i8")
    table[at, 1] = [*map(len, chunks.values())]
    table[at, 0] = np.cumsum(table[at, 1]) - table[at, 1]
    return b"".join([*chunks.values(), bytes(_CRC32C.encode(table.tobytes()))])


def shard_index(array: Layout, data: bytes, where: str) -> NumPyArray:
    """Decode the index of a shard: offset and length of each chunk, or -1 where there is none."""
    count = prod(array.per_shard)
    flat = decode_stages((_CRC32C,), data, 16 * count, 0, where)
    return flat.view("<i8").reshape(count, 2)


def index_size(array: Layout) -> int:
    """Give the bytes of the index of a shard."""
    return 16 * prod(array.per_shard) + 4


_EMPTY_CELLS: Final = {"vlen-utf8": str, "vlen-bytes": bytes, "json2": list, "msgpack2": list}


def blank(array: Layout, shape: tuple[int, ...]) -> NumPyArray:
    """Give an array of the fill value: what chunks that are not stored hold."""
    if array.item is None:
        return np.zeros(shape, array.dtype) if array.fill is None else np.full(shape, array.fill)
    make: Any = _EMPTY_CELLS.get(array.item) or partial(np.empty, 0, array.item)
    return object_array((make() for _ in range(prod(shape))), shape)
