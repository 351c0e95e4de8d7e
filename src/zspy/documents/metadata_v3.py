"""The document of an array in Zarr format 3: `zarr.json`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..values.types import JSON, Compressor, is_dict, is_list
from .array_metadata import ArrayMetadata
from .codecs import check_v3, codec_v3, describe_codec_v3, row_of, row_v3
from .dtypes import (
    DTYPE,
    OBJECT,
    STRINGS,
    core_dtype,
    data_type,
    dtype_description,
    named_extension,
    parse_chunk_shape,
    parse_dtype,
    parse_shape,
    shortened,
    unsupported,
)
from .fill_values import describe_fill, parse_fill
from .stages import Stage

_Shape = tuple[int, ...]
_Codecs = list[tuple[str, dict[str, Any]]]


def describe_v3(
    array: ArrayMetadata, attributes: Mapping[str, JSON]
) -> dict[str, Any]:
    """Give the `zarr.json` of an array with its attributes."""
    bytes_of_element = [*array.byte_shape]
    chunks = [*array.chunks, *bytes_of_element]
    stored_chunks = chunks
    serializer: dict[str, Any] = {"name": array.cells}
    size = 1
    if array.cells is None:
        core = core_dtype(array.dtype)
        name = core.base.name
        size = core.base.itemsize
        serializer = _bytes(size)
        if core != array.dtype:
            attributes = {**attributes, DTYPE: dtype_description(array.dtype)}
    elif array.cells == "vlen-utf8":
        name = "string"
    else:
        name = "variable_length_bytes"
    codecs = _describe_chain(array, serializer, size)
    if array.shards:
        stored_chunks = [*array.shards, *bytes_of_element]
        settings: dict[str, Any] = {
            "chunk_shape": chunks,
            "codecs": codecs,
            "index_codecs": [_bytes(8), {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": settings}]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*array.shape, *bytes_of_element],
        "data_type": name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": stored_chunks},
        },
        "chunk_key_encoding": {
            "name": "default",
            "configuration": {"separator": "/"},
        },
        "fill_value": describe_fill(array),
        "codecs": codecs,
        "attributes": {**attributes},
    }


def _bytes(itemsize: int) -> dict[str, Any]:
    """Describe the codec that makes bytes of numbers."""
    if itemsize == 1:
        return {"name": "bytes"}
    return {"name": "bytes", "configuration": {"endian": "little"}}


def _describe_chain(
    array: ArrayMetadata, serializer: dict[str, Any], size: int
) -> list[Any]:
    """List the codecs of an array; the serializer makes bytes where no codec of numbers does."""
    codecs: list[Any] = []
    serialized = False
    compressor = [] if array.compressor is None else [array.compressor]
    for one in (*array.filters, *compressor):
        row = row_of(one.codec_id)
        if row.takes == "bytes" and not serialized:
            codecs.append(serializer)
            serialized = True
        codecs.append(describe_codec_v3(one, size))
        serialized = serialized or row.gives == "bytes"
    if not serialized:
        codecs.append(serializer)
    codecs.append(
        {"name": "crc32c"}
    )  # zspy writes no chunk of format 3 without one
    return codecs


def parse_v3(
    document: Mapping[str, Any], where: str, allowed: Collection[str]
) -> ArrayMetadata:
    """Check a `zarr.json` document; raises ValueError, TypeError, LookupError or FormatError."""
    shape = parse_shape(document.get("shape"), 0, "shape")
    separator, prefix = _parse_keys(document.get("chunk_key_encoding"), where)
    grid = _parse_grid(document, where, allowed)
    if len(grid.chunks) != len(shape) or len(grid.shards or grid.chunks) != len(
        shape
    ):
        raise ValueError("chunks of other dimensions than the array")
    told = document.get("data_type")
    description = data_type(told)
    cells = STRINGS.get(description) if isinstance(description, str) else None
    dtype = OBJECT if cells else parse_dtype(description or "|u1")
    chain = _parse_chain(grid.codecs, cells, dtype, where)
    if chain.axes is not None and sorted(chain.axes) != [*range(len(shape))]:
        raise ValueError(f"{shortened(chain.axes)} is no order of the dimensions")
    transformers = document.get("storage_transformers")
    if transformers:
        problem = f"the storage transformer {shortened(transformers)}"
    elif not description:
        problem = f"the data type {shortened(told)}"
    else:
        problem = grid.problem or chain.problem
    known = description and not cells
    metadata = ArrayMetadata(
        zarr_format=3,
        shape=shape,
        chunks=grid.chunks,
        dtype=dtype,
        stored=dtype.newbyteorder(_byte_order(chain.big)),
        cells=cells,
        compressor=chain.compressor,
        filters=chain.filters,
        checksum=chain.checksum,
        separator=separator,
        prefix=prefix,
        axes=chain.axes,
        fill=parse_fill(document.get("fill_value"), dtype) if known else None,
        shards=grid.shards,
        index=grid.index,
        foreign=grid.foreign and not transformers,  # zarr-python passes over them
        unsupported=problem,
    )
    attributes = document.get("attributes")
    spec = attributes.get(DTYPE) if is_dict(attributes) else None
    return (
        metadata
        if spec is None or cells
        else _with_dtype(metadata, spec, chain.big)
    )


def _byte_order(big: bool) -> Any:
    if big:
        return ">"
    return "=" if sys.byteorder == "little" else "<"  # as NumPy says of its own


def _with_dtype(metadata: ArrayMetadata, spec: Any, big: bool) -> ArrayMetadata:
    """Give elements the dtype that their core data type stands for."""
    dtype = parse_dtype(spec)
    core = core_dtype(dtype)
    bytes_of_element = core.shape
    cut = len(metadata.shape) - len(bytes_of_element)
    if (
        core_dtype(metadata.dtype) != core.base
        or metadata.shape[cut:] != bytes_of_element
        or metadata.chunks[cut:] != bytes_of_element
    ):
        raise ValueError(f"{DTYPE} {shortened(spec)} does not fit the array")
    problem = metadata.unsupported
    if bytes_of_element and (metadata.axes is not None or metadata.filters):
        problem = problem or f"{DTYPE} with other codecs than those of zspy"
    return replace(
        metadata,
        shape=metadata.shape[:cut],
        chunks=metadata.chunks[:cut],
        shards=metadata.shards and metadata.shards[:cut],
        dtype=dtype,
        stored=dtype if bytes_of_element else dtype.newbyteorder(_byte_order(big)),
        byte_shape=bytes_of_element,
        fill=None,
        unsupported=problem,
    )


def _parse_keys(encoding: Any, where: str) -> tuple[str, str]:
    """Give the separator, and the prefix, of the keys of chunks."""
    name, settings = named_extension(encoding, "chunk_key_encoding")
    if name not in {"default", "v2"}:
        raise unsupported(f"the chunk key encoding {name!r}", where)
    separator = settings.get("separator", "/" if name == "default" else ".")
    if separator not in (".", "/"):
        raise ValueError(f"the separator {shortened(separator)}")
    return separator, "c" if name == "default" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """How an array is divided, and what its chunks are encoded by."""

    chunks: _Shape
    codecs: _Codecs
    foreign: bool
    shards: _Shape | None = None
    index: str = "end"
    problem: str = ""


def _parse_grid(
    document: Mapping[str, Any], where: str, allowed: Collection[str]
) -> _Grid:
    name, settings = named_extension(document.get("chunk_grid"), "chunk_grid")
    if name != "regular":
        raise unsupported(f"the chunk grid {name!r}", where)
    shape = document.get("shape")
    chunks = parse_chunk_shape(settings.get("chunk_shape"), shape, "chunk_shape")
    codecs, foreign = _parse_codecs(document.get("codecs"), where, allowed)
    name, settings = codecs[0]
    if name != "sharding_indexed":
        return _Grid(chunks=chunks, codecs=codecs, foreign=foreign)
    inner = parse_chunk_shape(settings.get("chunk_shape"), shape, "chunk_shape")
    if len(inner) != len(chunks):
        raise ValueError("chunks of other dimensions than the array")
    if any(shard % chunk for shard, chunk in zip(chunks, inner, strict=True)):
        raise ValueError("shards are no whole number of chunks")
    problem = ""
    if len(codecs) > 1 or not _is_index(settings):
        problem = "a shard that is encoded as zspy does not encode them"
    codecs, foreign_inside = _parse_codecs(settings.get("codecs"), where, allowed)
    return _Grid(
        chunks=inner,
        codecs=codecs,
        foreign=foreign or foreign_inside,
        shards=chunks,
        index=str(settings.get("index_location", "end")),
        problem=problem,
    )


def _is_index(settings: Mapping[str, Any]) -> bool:
    """Tell an index of shards as everybody writes it."""
    codecs = [named_extension(one, "a codec") for one in settings["index_codecs"]]
    little = codecs[0][1].get("endian") == "little"
    known = [name for name, _ in codecs] == ["bytes", "crc32c"] and little
    return known and settings.get("index_location", "end") in ("start", "end")


def _parse_codecs(
    value: Any, where: str, allowed: Collection[str], depth: int = 0
) -> tuple[_Codecs, bool]:
    """Check a chain of codecs, and those inside of shards; tell whether zspy does not know one."""
    if not is_list(value) or not value or depth > 4:
        raise ValueError("codecs are no list, or shards are nested too deep")
    codecs = [named_extension(one, "a codec") for one in value]
    foreign = False
    for name, settings in codecs:
        foreign |= not check_v3(name, where, allowed)
        if name == "sharding_indexed":
            for part in ("codecs", "index_codecs"):
                inner = _parse_codecs(settings.get(part), where, allowed, depth + 1)
                foreign |= inner[1]
    return codecs, foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """What a chunk is encoded by."""

    axes: _Shape | None = None
    big: bool = False
    filters: tuple[Compressor, ...] = ()
    compressor: Compressor | None = None
    checksum: bool = False
    problem: str = ""


def _parse_chain(
    codecs: _Codecs, cells: str | None, dtype: np.dtype[Any], where: str
) -> _Chain:
    """Make the codecs of a chain: of numbers, then what makes bytes of them, then of bytes."""
    axes: _Shape | None = None
    if codecs[0][0] == "transpose":
        axes = parse_shape(codecs[0][1].get("order"), 0, "order")
        codecs = codecs[1:]
    made: list[Compressor] = []
    serialized = big = False
    problem = ""
    for name, settings in codecs:
        row = row_v3(name)
        if not serialized and name == (cells or "bytes"):
            serialized = True
            big = settings.get("endian") == "big"
            if big and made:
                problem = "a filter before a big-endian codec"
        elif (
            row is None
            or row.takes == "cells"
            or (row.takes == "numbers") == serialized
            or (cells and not serialized)
        ):
            problem = f"the codec {name!r}, in this place,"
        else:
            stage = Stage(codec_v3(row, settings, dtype, where), row, dtype)
            made.append(stage.codec)
            dtype = stage.encoded_dtype()
            serialized = serialized or row.gives == "bytes"
    if not serialized:
        problem = problem or "a chain of codecs that makes no bytes"
    checksum = bool(made) and codecs[-1][0] == "crc32c"
    if checksum:
        made.pop()
    compresses = bool(made) and row_of(made[-1].codec_id).compresses
    compressor = made.pop() if compresses else None
    return _Chain(
        axes=axes,
        big=big,
        filters=tuple(made),
        compressor=compressor,
        checksum=checksum,
        problem=problem,
    )
