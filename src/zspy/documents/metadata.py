"""The documents of arrays, written and parsed, whichever their format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

from ..values.errors import FormatError
from ..values.types import JSON
from .array_metadata import ArrayMetadata
from .dtypes import MOST_ELEMENTS, dtype_description, shortened
from .fill_values import describe_fill
from .metadata_v2 import CELL_CODECS, parse_v2
from .metadata_v3 import describe_v3, parse_v3


def describe(array: ArrayMetadata, attributes: Mapping[str, JSON]) -> dict[str, Any]:
    """Give the document of an array: ``.zarray``, or ``zarr.json`` with its attributes."""
    if array.zarr_format == 3:
        return describe_v3(array, attributes)
    filters: list[Any] = [one.get_config() for one in array.filters]
    filters = [{"id": "crc32"} if one["id"] == "crc32" else one for one in filters]
    if array.cells is not None:
        cells = CELL_CODECS.get(array.cells) or {
            "id": "vlen-array",
            "dtype": array.cells,
        }
        filters = [cells, *filters]
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
    return document | ({"dimension_separator": "/"} if array.separator == "/" else {})


def parse_array(
    document: Mapping[str, Any], where: str, allowed: Collection[str] = ()
) -> ArrayMetadata:
    """Check the document of an array, and give its layout, or raise FormatError."""
    try:
        match document.get("zarr_format"):
            case 2:
                metadata = parse_v2(document, where, allowed)
            case 3:
                metadata = parse_v3(document, where, allowed)
            case other:
                raise ValueError(f"Zarr format {shortened(other)} is not known")
        if (
            prod(max(edge, 1) for edge in metadata.shape) * 8 * metadata.dtype.itemsize
            > MOST_ELEMENTS
        ):
            raise ValueError(
                "the shape is too large"
            )  # for NumPy, also of an empty array
        return metadata
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise FormatError(
            str(error), where, "the file is damaged, or of a newer kind"
        ) from error
