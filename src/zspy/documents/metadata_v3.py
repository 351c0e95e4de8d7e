"""The document of an array in Zarr format 3: `zarr.json`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..values.types import JSON, Compressor, is_dict, is_list
from .array_metadata import ArrayMetadata
from .codecs import (
    CODECS3,
    COMPRESSORS,
    CRC32C,
    FILTERS,
    OF_BYTES,
    SHUFFLES,
    check_allowed,
    codec,
)
from .dtypes import (
    DTYPE,
    OBJECT,
    STRINGS,
    core_dtype,
    data_type,
    dtype_description,
    named_extension,
    parse_dtype,
    parse_shape,
    shortened,
)
from .fill_values import describe_fill, parse_fill

_Codecs3 = list[tuple[str, dict[str, Any]]]


def describe_v3(array: ArrayMetadata, attributes: Mapping[str, JSON]) -> dict[str, Any]:
    """Give the `zarr.json` of an array with its attributes."""
    byte_shape, chunks, shards = (
        [*array.byte_shape],
        [*array.chunks],
        [*(array.shards or ())],
    )
    if array.cells is None:
        core = core_dtype(array.dtype)
        name, size = core.base.name, core.base.itemsize
        little: dict[str, Any] = (
            {"configuration": {"endian": "little"}} if size > 1 else {}
        )
        codecs: list[Any] = [{"name": "bytes", **little}]
        if core != array.dtype:
            attributes = {**attributes, DTYPE: dtype_description(array.dtype)}
    else:
        name, size = (
            "string" if array.cells == "vlen-utf8" else "variable_length_bytes",
            1,
        )
        codecs = [{"name": array.cells}]
    codecs += _compressor3(array.compressor, size)
    codecs.append({"name": "crc32c"})
    if shards:
        index: list[Any] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        sharding: dict[str, Any] = {
            "chunk_shape": chunks + byte_shape,
            "codecs": codecs,
            "index_codecs": [*index, {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*array.shape, *byte_shape],
        "data_type": name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": (shards or chunks) + byte_shape},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": describe_fill(array),
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
        config |= {"typesize": size, "shuffle": SHUFFLES[shuffle]}
    elif name == "zstd":
        config["checksum"] = bool(config.get("checksum"))
    elif name != "gzip":
        name = f"numcodecs.{name}"
    return [{"name": name, "configuration": config}]


def parse_v3(
    document: Mapping[str, Any], where: str, allowed: Collection[str]
) -> ArrayMetadata:
    """Check a `zarr.json` document; raises ValueError, TypeError or LookupError."""
    shape = parse_shape(document.get("shape"), 0, "shape")
    grid, settings = named_extension(document.get("chunk_grid"), "chunk_grid")
    chunks = parse_shape(settings.get("chunk_shape"), 1, "chunk_shape")
    shards: tuple[int, ...] | None = None
    encoding, settings = named_extension(
        document.get("chunk_key_encoding"), "chunk_key_encoding"
    )
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    if (
        grid != "regular"
        or encoding not in {"default", "v2"}
        or separator not in (".", "/")
    ):
        raise ValueError(
            f"chunk grid {grid!r}, keys {encoding!r}, separator {shortened(separator)}"
        )
    codecs = _codecs3(document.get("codecs"), where, allowed)
    alone, index = True, "end"
    if codecs[0][0] == "sharding_indexed":
        settings = codecs[0][1]
        shards, chunks = (
            chunks,
            parse_shape(settings.get("chunk_shape"), 1, "chunk_shape"),
        )
        alone = len(codecs) == 1 and _is_index(settings)
        index = str(settings.get("index_location", "end"))
        codecs = _codecs3(settings.get("codecs"), where, allowed)
    if len(chunks) != len(shape) or len(shards or chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    if shards and any(
        shard % chunk for shard, chunk in zip(shards, chunks, strict=True)
    ):
        raise ValueError("shards are no whole number of chunks")
    description = data_type(document.get("data_type"))
    cells = STRINGS.get(description) if isinstance(description, str) else None
    dtype = OBJECT if cells else parse_dtype(description or "|u1")
    fill = (
        parse_fill(document.get("fill_value"), dtype)
        if description and not cells
        else None
    )
    big = any(name == "bytes" and one.get("endian") == "big" for name, one in codecs)
    endian: Any = (
        ">" if big else "=" if sys.byteorder == "little" else "<"
    )  # as NumPy's own
    stored = dtype.newbyteorder(endian)
    byte_shape: tuple[int, ...] = ()
    attributes = document.get("attributes")
    spec = attributes.get(DTYPE) if is_dict(attributes) else None
    if spec is not None and not cells:
        core, dtype, fill = core_dtype(dtype), parse_dtype(spec), None
        byte_shape = core_dtype(dtype).shape
        stored = dtype if byte_shape else dtype.newbyteorder(endian)
        cut = len(shape) - len(byte_shape)
        if (
            core != core_dtype(dtype).base
            or shape[cut:] != byte_shape
            or chunks[cut:] != byte_shape
        ):
            raise ValueError(f"{DTYPE} {shortened(spec)} does not fit the array")
        shape, chunks, shards = shape[:cut], chunks[:cut], shards and shards[:cut]
    names = [name for name, _ in codecs]
    stages, axes, plain = _chain3(codecs, cells, stored, where)
    more = document.get("storage_transformers")
    unknown = more or (None if description else document.get("data_type"))
    if axes is not None and sorted(axes) != [*range(len(shape) + len(byte_shape))]:
        raise ValueError(f"{shortened(axes)} is no order of the dimensions")
    return ArrayMetadata(
        zarr_format=3,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=stored,
        byte_shape=byte_shape,
        cells=cells,
        filters=tuple(stages),
        separator=separator,
        prefix="c" if encoding == "default" else "",
        axes=axes,
        fill=fill,
        shards=shards,
        index=index,
        native=bool(description)
        and alone
        and not more
        and plain
        and (axes is None or not byte_shape),
        foreign=not CODECS3.issuperset(names)
        and not more,  # zarr-python passes over them
        unknown=shortened(unknown) if unknown else "",
    )


def _chain3(
    codecs: _Codecs3, cells: str | None, stored: np.dtype[Any], where: str
) -> tuple[list[Compressor], tuple[int, ...] | None, bool]:
    """Give the stages of a chain of codecs, its transposition, and whether that is all of it."""
    names = [name for name, _ in codecs]
    axes: tuple[int, ...] | None = None
    if names[0] == "transpose":
        axes = parse_shape(codecs[0][1].get("order"), 0, "order")
        codecs, names = codecs[1:], names[1:]
    core = cells or "bytes"
    at = names.index(core) if core in names else len(names)
    filters = [_stage3(*one, where, stored) for one in codecs[:at]]
    stages = filters + [_stage3(*one, where) for one in codecs[at + 1 :]]
    fit = not filters or (cells is None and stored.byteorder != ">")
    known = [stage for stage in stages if stage is not None]
    return known, axes, fit and at < len(names) and len(known) == len(stages)


def _is_index(settings: Mapping[str, Any]) -> bool:
    """Tell an index of shards as everybody writes it."""
    codecs = [named_extension(one, "a codec") for one in settings["index_codecs"]]
    little = codecs[0][1].get("endian") == "little"
    known = [name for name, _ in codecs] == ["bytes", "crc32c"] and little
    return known and settings.get("index_location", "end") in ("start", "end")


def _codecs3(
    value: Any, where: str, allowed: Collection[str], depth: int = 0
) -> _Codecs3:
    """Check a chain of codecs, and those inside of shards: all have to be allowed."""
    if not is_list(value) or not value or depth > 4:
        raise ValueError("codecs are no list, or shards are nested too deep")
    codecs = [named_extension(one, "a codec") for one in value]
    for name, settings in codecs:
        check_allowed(name, CODECS3, where, allowed)
        if name == "sharding_indexed":
            for part in ("codecs", "index_codecs"):
                _codecs3(settings.get(part), where, allowed, depth + 1)
    return codecs


def _stage3(
    name: str,
    settings: Mapping[str, Any],
    where: str,
    dtype: np.dtype[Any] | None = None,
) -> Compressor | None:
    """Make what decodes a codec of format 3: of bytes, or of values of a dtype."""
    plain = name.removeprefix("numcodecs.")
    if dtype is not None:
        known = plain != name and plain in FILTERS - OF_BYTES
        return (
            codec({"dtype": dtype.str, **settings, "id": plain}, where)
            if known
            else None
        )
    if name == "crc32c":
        return CRC32C
    if plain not in COMPRESSORS and (plain == name or plain not in OF_BYTES):
        return None
    told = plain in COMPRESSORS and plain != "lzma"  # by the data
    return codec({"id": plain} if told else {**settings, "id": plain}, where)
