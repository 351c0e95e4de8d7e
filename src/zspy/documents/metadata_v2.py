"""The document of an array in Zarr format 2: `.zarray`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..values.types import is_list
from .array_metadata import ArrayMetadata
from .codecs import CELLS, cell_settings, codec, codec_id
from .dtypes import (
    OBJECT,
    dtype_description,
    parse_chunk_shape,
    parse_dtype,
    parse_shape,
    shortened,
    unsupported,
)
from .fill_values import describe_fill, parse_fill


def describe_v2(array: ArrayMetadata) -> dict[str, Any]:
    """Give the `.zarray` of an array."""
    filters: list[Any] = [one.get_config() for one in array.filters]
    # Older releases of numcodecs know no other setting of it.
    filters = [{"id": "crc32"} if one["id"] == "crc32" else one for one in filters]
    if array.cells is not None:
        filters = [cell_settings(array.cells), *filters]
    document: dict[str, Any] = {
        "chunks": [*array.chunks],
        "compressor": array.compressor and array.compressor.get_config(),
        "dtype": "|O" if array.cells else dtype_description(array.dtype),
        "fill_value": describe_fill(array),
        "filters": filters or None,
        "order": array.order,
        "shape": [*array.shape],
        "zarr_format": 2,
    }
    return document | (
        {"dimension_separator": "/"} if array.separator == "/" else {}
    )


def parse_v2(
    document: Mapping[str, Any], where: str, allowed: Collection[str]
) -> ArrayMetadata:
    """Check a `.zarray` document; raises ValueError, TypeError or LookupError."""
    shape = parse_shape(document.get("shape"), 0, "shape")
    chunks = parse_chunk_shape(
        document.get("chunks"), document.get("shape"), "chunks"
    )
    filters: Any = document.get("filters") or []
    order, separator = (
        document.get("order"),
        document.get("dimension_separator", "."),
    )
    if len(chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    if not is_list(filters):
        raise ValueError("filters are no list")
    if order not in ("C", "F") or separator not in (".", "/"):
        raise ValueError(
            f"order {shortened(order)}, separator {shortened(separator)}"
        )
    names = [codec_id(config, where, allowed) for config in filters]
    cells, dtype = None, OBJECT
    if document.get("dtype") == "|O":
        if not names:
            raise ValueError("an object array without an object codec")
        cells = names.pop(0)
        config, *filters = filters
        if cells not in CELLS:
            raise unsupported(f"an object array of the codec {cells!r}", where)
        if cells == "vlen-array":
            cells = parse_dtype(config.get("dtype")).str
    else:
        dtype = parse_dtype(document.get("dtype"))
    compressor = document.get("compressor")
    if compressor is not None:
        names.append(codec_id(compressor, where, allowed))
    if not CELLS.isdisjoint(names):
        raise ValueError("an object codec where there are no objects")
    return ArrayMetadata(
        zarr_format=2,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype,
        cells=cells,
        compressor=None
        if compressor is None
        else codec(compressor, where, allowed),
        filters=tuple(codec(config, where, allowed) for config in filters),
        order=order,
        separator=separator,
        fill=None if cells else parse_fill(document.get("fill_value"), dtype),
    )
