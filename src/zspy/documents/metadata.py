"""The documents of arrays, written and parsed, whichever their format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

from ..values.errors import FormatError
from ..values.types import JSON
from .array_metadata import ArrayMetadata
from .dtypes import MOST_ELEMENTS, shortened
from .metadata_v2 import describe_v2, parse_v2
from .metadata_v3 import describe_v3, parse_v3


def describe(
    array: ArrayMetadata, attributes: Mapping[str, JSON]
) -> dict[str, Any]:
    """Give the document of an array: ``.zarray``, or ``zarr.json`` with its attributes."""
    if array.zarr_format == 3:
        return describe_v3(array, attributes)
    return describe_v2(array)


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
        # NumPy has no larger shapes, not even of an empty array.
        elements = prod(max(edge, 1) for edge in metadata.shape)
        if elements * 8 * metadata.dtype.itemsize > MOST_ELEMENTS:
            raise ValueError("the shape is too large")
        return metadata
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        remedy = "the file is damaged, or of a newer kind"
        raise FormatError(str(error), where, remedy) from error
