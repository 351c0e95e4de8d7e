"""The documents of arrays, written and parsed: `.zarray` of format 2, `zarr.json` of format 3."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from math import prod
from typing import Any, Final, NamedTuple

from ..values.errors import FormatError
from ..values.types import (
    JSON,
    Compressor,
    DType,
    Edges,
    Entries,
    JSONObject,
    is_dict,
    is_list,
)
from .array_metadata import ArrayMetadata
from .codecs import (
    CELLS,
    CODECS_V3,
    CRC32C,
    DOCUMENT_CELLS,
    cell_settings,
    check_v3,
    codec,
    codec_id,
    codec_v3,
    describe_codec_v3,
    row_of,
)
from .dtypes import (
    DTYPE,
    MOST_ELEMENTS,
    OBJECT,
    REWRITE,
    STRING_TYPES,
    STRINGS,
    core_dtype,
    data_type,
    describe_fill,
    disputed_fill,
    dtype_description,
    fill_of,
    named_extension,
    parse_chunk_shape,
    parse_dtype,
    parse_grid,
    unsupported,
)
from .stages import Stage

_Codecs = list[tuple[str, JSONObject]]
# One behind the other. Each of them copies a chunk, however small what is stored of it is.
_MOST_CODECS: Final = 32
_KEYS_V3: Final = {
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "codecs",
    "chunk_key_encoding",
    "fill_value",
    "attributes",
    "storage_transformers",
    "dimension_names",
}
# NumPy names the byte order of the machine so.
_LITTLE: Final[Any] = "=" if sys.byteorder == "little" else "<"


def describe(array: ArrayMetadata, attributes: Mapping[str, JSON]) -> JSONObject:
    """Give the document of an array: ``.zarray``, or ``zarr.json`` with its attributes."""
    return (
        _describe_v2(array)
        if array.zarr_format == 2
        else _describe_v3(array, attributes)
    )


def _describe_v2(array: ArrayMetadata) -> JSONObject:
    filters = [_settings_v2(one) for one in array.filters]
    dtype = dtype_description(array.dtype)
    fill = describe_fill(array.fill, array.dtype)
    if array.cells is not None:
        filters = [cell_settings(array.cells), *filters]
        dtype, fill = "|O", 0
    document: JSONObject = {
        "chunks": [*array.chunks],
        "compressor": array.compressor and _settings_v2(array.compressor),
        "dtype": dtype,
        "fill_value": fill,
        "filters": filters or None,
        "order": "C" if array.axes is None else "F",
        "shape": [*array.shape],
        "zarr_format": 2,
    }
    slash = {"dimension_separator": "/"}
    return document | (slash if array.separator == "/" else {})


def _settings_v2(codec: Compressor) -> JSONObject:
    """Describe a codec, without settings that older releases of numcodecs do not know."""
    settings: JSONObject = codec.get_config()
    name = settings["id"]
    if name == "crc32" and settings.get("location") == "start":
        del settings["location"]
    if name == "zstd" and not settings.get("checksum", True):
        del settings["checksum"]
    return settings


def _describe_v3(
    array: ArrayMetadata, attributes: Mapping[str, JSON]
) -> JSONObject:
    dtype = core_dtype(array.dtype)
    size = dtype.base.itemsize
    element = None if array.byte_shape else array.fill
    serializer, fill = _bytes_codec(size), describe_fill(element, dtype.base)
    name = dtype.base.name
    if array.cells is not None:
        serializer, fill, size = {"name": array.cells}, "", 1
        name = STRING_TYPES[array.cells]
    elif dtype != array.dtype:
        attributes = {**attributes, DTYPE: dtype_description(array.dtype)}
    grid = {"chunk_shape": [*array.chunks, *array.byte_shape]}
    codecs = _describe_chain(array, serializer, size)
    if array.shards:
        index = {
            "codecs": codecs,
            "index_codecs": [_bytes_codec(8), {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": grid | index}]
        grid = {"chunk_shape": [*array.shards, *array.byte_shape]}
    keys = {"separator": "/"}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*array.shape, *array.byte_shape],
        "data_type": name,
        "chunk_grid": {"name": "regular", "configuration": grid},
        "chunk_key_encoding": {"name": "default", "configuration": keys},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {**attributes},
    }


def _bytes_codec(itemsize: int) -> JSONObject:
    """Describe the codec that makes bytes of numbers."""
    little = {"configuration": {"endian": "little"}}
    return {"name": "bytes"} | (little if itemsize > 1 else {})


def _describe_chain(
    array: ArrayMetadata, serializer: JSONObject, size: int
) -> list[Any]:
    """List the codecs of an array; the serializer makes bytes where no codec of numbers does."""
    codecs: list[Any] = []
    serialized = False
    for stage in array.stages:
        if stage.row.takes == "bytes" and not serialized:
            codecs.append(serializer)
            serialized = True
        codecs.append(describe_codec_v3(stage.codec, size))
        serialized = serialized or stage.row.gives == "bytes"
    return codecs  # The serializer is among them: a checksum, which takes bytes, is last.


def parse_array(
    document: Entries, where: str, allowed: Collection[str] = ()
) -> ArrayMetadata:
    """Check the document of an array, and give its layout, or raise FormatError."""
    zarr_format = document.get("zarr_format")
    try:
        if zarr_format not in (2, 3):
            raise ValueError(f"Zarr format {zarr_format!r:.80} is not known")
        parse = _parse_v2 if zarr_format == 2 else _parse_v3
        metadata = parse(document, allowed)
        # NumPy has no larger shapes, not even of an empty array.
        elements = prod(edge or 1 for edge in metadata.shape)
        if elements * 8 * metadata.dtype.itemsize > MOST_ELEMENTS:
            raise ValueError("the shape is too large")
        return metadata
    except FormatError as error:
        raise FormatError(error.problem, where, error.remedy) from error.__cause__
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        remedy = "the file is damaged, or of a newer kind"
        raise FormatError(str(error), where, remedy) from error


def _parse_v2(document: Entries, allowed: Collection[str]) -> ArrayMetadata:
    shape, chunks = parse_grid(document)
    filters: Any = document.get("filters") or []
    order = document.get("order")
    separator = document.get("dimension_separator", ".")
    if not is_list(filters):
        raise ValueError("filters are no list")
    _refuse_many(filters)
    if order not in ("C", "F") or separator not in (".", "/"):
        problem = f"order {order!r:.80}, separator {separator!r:.80}"
        raise ValueError(problem)
    cells = None
    if document.get("dtype") == "|O":
        dtype = OBJECT
        if not filters:
            raise ValueError("an object array without an object codec")
        config, *filters = filters
        cells = codec_id(config, allowed, REWRITE)
        if cells not in CELLS:
            raise unsupported(f"an object array of the codec {cells!r}")
        if cells == "vlen-array":
            cells = parse_dtype(config.get("dtype")).str
    else:
        dtype = parse_dtype(document.get("dtype"))
    compressor = document.get("compressor")
    made = None if compressor is None else codec(compressor, allowed)
    codecs = [codec(config, allowed) for config in filters]
    if not CELLS.isdisjoint(one.codec_id for one in (*codecs, made) if one):
        raise ValueError("an object codec where there are no objects")
    # Such a document has its cells in order C: zarr-python 2 mixes them up when it edits some.
    turned = order == "F" and sum(edge > 1 for edge in chunks) > 1
    if turned and cells in DOCUMENT_CELLS:
        problem = f"order F of cells of {cells}, which zarr-python 2 mixes up,"
        raise unsupported(problem, remedy="write them in order C")
    fill = fill_of(document, cells, dtype)
    return ArrayMetadata(
        zarr_format=2,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype,
        cells=cells,
        compressor=made,
        filters=tuple(codecs),
        axes=None if order == "C" else tuple(reversed(range(len(shape)))),
        separator=separator,
        fill=fill,
        disputed=disputed_fill(document, cells, dtype, fill),
    )


def _parse_v3(document: Entries, allowed: Collection[str]) -> ArrayMetadata:
    shape, chunks = parse_grid(document)
    separator, prefix = _parse_keys(document.get("chunk_key_encoding"))
    codecs, needs_zarr = _parse_codecs(document.get("codecs"), allowed)
    shards = None
    index, problem = "end", ""
    name, settings = codecs[0]
    if name == "sharding_indexed":
        shards = chunks
        chunks = parse_chunk_shape(
            settings.get("chunk_shape"), shape, "chunk_shape"
        )
        if any(shard % edge for shard, edge in zip(shards, chunks, strict=True)):
            raise ValueError("shards are no whole number of chunks")
        index = settings.get("index_location", index)
        if len(codecs) > 1 or not _is_standard_index(settings):
            problem = "a shard that is encoded as zspy does not encode them"
        codecs, _ = _parse_codecs(settings.get("codecs"), allowed)
    description = data_type(document.get("data_type"))
    cells = STRINGS.get(description) if isinstance(description, str) else None
    dtype = OBJECT if cells else parse_dtype(description or "|u1")
    chain = _parse_chain(codecs, cells, dtype, len(shape))
    extension = _extension(document)
    if extension:
        needs_zarr = False  # zarr-python would pass over it.
    elif not description:
        extension = f"the data type {document['data_type']!r:.80}"
    problem = extension or problem
    byte_shape: Edges = ()
    attributes = document.get("attributes")
    spec = attributes.get(DTYPE) if is_dict(attributes) and not cells else None
    if spec is not None:
        dtype, byte_shape = _extension_dtype(spec, dtype, shape, chunks)
        cut = len(shape) - len(byte_shape)
        shape, chunks, shards = shape[:cut], chunks[:cut], shards and shards[:cut]
        if byte_shape and (chain.axes is not None or chain.filters):
            problem = problem or f"{DTYPE} with other codecs than those of zspy"
    has_fill = description and not byte_shape
    return ArrayMetadata(
        zarr_format=3,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype if byte_shape else dtype.newbyteorder(chain.byte_order),
        byte_shape=byte_shape,
        cells=cells,
        compressor=chain.compressor,
        filters=chain.filters,
        checksum=chain.checksum,
        separator=separator,
        prefix=prefix,
        axes=chain.axes,
        fill=fill_of(document, cells, dtype) if has_fill else None,
        shards=shards,
        index=index,
        needs_zarr=needs_zarr,
        unsupported=problem or chain.problem,
    )


def _extension(document: Entries) -> str:
    """Name what has to be understood besides the parts of format 3 that zspy knows."""
    if transformers := document.get("storage_transformers"):
        return f"the storage transformer {transformers!r:.80}"
    for key in sorted(document.keys() - _KEYS_V3):
        value = document[key]
        if not is_dict(value) or value.get("must_understand", True):
            return f"the key {key!r:.80}"
    return ""


def _extension_dtype(spec: Any, core: DType, *shapes: Edges) -> tuple[DType, Edges]:
    """Give the dtype that a core data type stands for, and the shape of its bytes."""
    dtype = parse_dtype(spec)
    wanted = core_dtype(dtype)
    ends = {shape[len(shape) - len(wanted.shape) :] for shape in shapes}
    if core_dtype(core) != wanted.base or ends != {wanted.shape}:
        raise ValueError(f"{DTYPE} {spec!r:.80} does not fit the array")
    return dtype, wanted.shape


def _parse_keys(encoding: Any) -> tuple[str, str]:
    """Give the separator, and the prefix, of the keys of chunks."""
    name, settings = named_extension(encoding, "chunk_key_encoding")
    prefixes = {"default": "c", "v2": ""}
    if name not in prefixes:
        raise unsupported(f"the chunk key encoding {name!r}")
    separator = settings.get("separator", "/" if prefixes[name] else ".")
    if separator not in (".", "/"):
        raise ValueError(f"the separator {separator!r:.80}")
    return separator, prefixes[name]


def _is_standard_index(settings: Entries) -> bool:
    """Tell an index of shards as everybody writes it."""
    codecs = [named_extension(one, "a codec") for one in settings["index_codecs"]]
    known = codecs == [("bytes", {"endian": "little"}), ("crc32c", {})]
    return known and settings.get("index_location", "end") in ("start", "end")


def _refuse_many(codecs: list[Any]) -> None:
    if len(codecs) > _MOST_CODECS:
        raise ValueError(f"{len(codecs)} codecs; {_MOST_CODECS} are allowed")


def _parse_codecs(
    value: Any, allowed: Collection[str], depth: int = 0
) -> tuple[_Codecs, bool]:
    """Check a chain of codecs, and those inside of shards; tell whether zspy does not know one."""
    if not is_list(value) or not value or depth > 4:
        raise ValueError("codecs are no list, or shards are nested too deep")
    _refuse_many(value)
    codecs = [named_extension(one, "a codec") for one in value]
    needs_zarr = False
    for name, settings in codecs:
        needs_zarr |= not check_v3(name, allowed)
        if name == "sharding_indexed":
            for part in ("codecs", "index_codecs"):
                inner = _parse_codecs(settings.get(part), allowed, depth + 1)
                needs_zarr |= inner[1]
    return codecs, needs_zarr


class _Chain(NamedTuple):
    """What a chunk is encoded by."""

    axes: Edges | None
    byte_order: Any
    filters: tuple[Compressor, ...]
    compressor: Compressor | None
    checksum: bool
    problem: str


def _parse_chain(
    codecs: _Codecs, cells: str | None, dtype: DType, ndim: int
) -> _Chain:
    """Make the codecs of a chain: of numbers, then what makes bytes of them, then of bytes."""
    axes = None
    if codecs[0][0] == "transpose":
        order: Any = codecs[0][1].get("order")
        codecs = codecs[1:]
        if sorted(order) != [*range(ndim)]:
            raise ValueError(f"{tuple(order)!r:.80} is no order of the dimensions")
        axes = tuple(map(int, order))
    made: list[Compressor] = []
    serialized = False
    byte_order = _LITTLE
    problem = ""
    for name, settings in codecs:
        row = CODECS_V3.get(name)
        if not serialized and name == (cells or "bytes"):
            serialized = True
            if settings.get("endian") == "big":
                byte_order = ">"
                problem = "a filter before a big-endian codec" if made else problem
        elif (
            row is None
            or row.takes == "cells"
            or (row.takes == "numbers") == serialized
            or (cells and not serialized)
        ):
            problem = f"the codec {name!r}, in this place,"
        else:
            stage = Stage(codec_v3(row, settings, dtype), row, dtype)
            made.append(stage.codec)
            if not stage.fits(3):
                problem = f"the codec {name!r}, for numbers of such types,"
            dtype = stage.encoded_dtype()
            serialized = serialized or row.gives == "bytes"
    if not serialized:
        problem = problem or "a chain of codecs that makes no bytes"
    checksum = made[-1:] == [CRC32C]
    filters = made[: len(made) - checksum]
    compresses = bool(filters) and row_of(filters[-1].codec_id).compresses
    compressor = filters.pop() if compresses else None
    return _Chain(axes, byte_order, tuple(filters), compressor, checksum, problem)
