"""The document of an array in Zarr format 2: `.zarray`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from ..values.types import is_list
from .array_metadata import ArrayMetadata
from .codecs import CELLS, codec, codec_id
from .dtypes import OBJECT, parse_dtype, parse_shape, shortened
from .fill_values import parse_fill

CELL_CODECS: Final[Mapping[str, dict[str, Any]]] = {
    **{cells: {"id": cells} for cells in CELLS},
    # as numcodecs describes it, which needs a package to make it
    "msgpack2": {
        "id": "msgpack2",
        "raw": False,
        "use_bin_type": True,
        "use_single_float": False,
    },
}


def parse_v2(
    document: Mapping[str, Any], where: str, allowed: Collection[str]
) -> ArrayMetadata:
    """Check a `.zarray` document; raises ValueError, TypeError or LookupError."""
    shape = parse_shape(document.get("shape"), 0, "shape")
    chunks = parse_shape(document.get("chunks"), 1, "chunks")
    filters: Any = document.get("filters") or []
    order, separator = document.get("order"), document.get("dimension_separator", ".")
    if len(chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    if not is_list(filters):
        raise ValueError("filters are no list")
    if order not in ("C", "F") or separator not in (".", "/"):
        raise ValueError(f"order {shortened(order)}, separator {shortened(separator)}")
    names = [codec_id(config, where, allowed) for config in filters]
    cells, dtype = None, OBJECT
    if document.get("dtype") == "|O":
        if not names or names[0] not in CELLS:
            raise ValueError("an object array without an object codec")
        cells, config, names, filters = names[0], filters[0], names[1:], filters[1:]
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
        compressor=None if compressor is None else codec(compressor, where, allowed),
        filters=tuple(codec(config, where, allowed) for config in filters),
        order=order,
        separator=separator,
        fill=None if cells else parse_fill(document.get("fill_value"), dtype),
    )
