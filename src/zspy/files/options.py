"""The options of the entry points, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from ..documents.codecs import codec
from ..documents.storage import Storage, default_compressor
from ..values.errors import EncodeError
from ..values.types import Compressor, ZarrFormat

MODES: Final = ("r", "r+", "a")


def check_choices(**arguments: tuple[object, tuple[object, ...]]) -> None:
    """Refuse an argument that is none of its choices."""
    for name, (value, choices) in arguments.items():
        if value not in choices:
            raise EncodeError(f"{value!r} is no choice", name, f"use one of {choices}")


def storage_of(
    compressor: Any,
    zarr_format: ZarrFormat,
    kind: str | None,
    shards: Any,
    kwds: dict[str, Any],
) -> Storage:
    """Check what the caller says of the storage of arrays."""
    filters = kwds.pop("filters", None) or ()
    order = kwds.pop("order", None) or "C"
    separator = kwds.pop("dimension_separator", None)
    fill = kwds.pop("fill_value", None)
    refuse_options(kwds, "file_writer")
    check_choices(
        order=(order, ("C", "F")), dimension_separator=(separator, (None, "/", "."))
    )
    if zarr_format == 3 and (filters or order == "F" or separator == "."):
        problem = "filters, order F and separators are of Zarr format 2"
        raise EncodeError(problem, "zarr_format", "leave them out")
    if zarr_format == 2 and shards:
        raise EncodeError("shards are of Zarr format 3", "shards", "leave them out")
    made = _compressor(compressor)
    for one in (*filters, *([] if made is None else [made])):
        if not hasattr(one, "codec_id"):
            problem = f"{one!r} is no codec of numcodecs"
            raise EncodeError(problem, "compressor", "use numcodecs.Blosc or the like")
    return Storage(
        zarr_format=zarr_format,
        compressor=made,
        filters=tuple(filters),
        order=order,
        separator=separator or ("/" if kind in (None, "local") else "."),
        fill_value=0 if fill is None else fill,
    )


def _compressor(compressor: Any) -> Compressor | None:
    """Give the compressor that the argument stands for (FORMAT 4)."""
    if compressor is None:
        return default_compressor()
    if isinstance(compressor, str) and compressor == "default":
        return codec(
            {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}, "compressor"
        )
    return (
        None
        if isinstance(compressor, int) and not compressor
        else cast("Compressor", compressor)
    )


def refuse_options(kwds: Mapping[str, Any], function: str) -> None:
    """Refuse keywords that a function does not have."""
    if kwds:
        raise EncodeError(
            f"{function} has no such option", ", ".join(kwds), "leave it out"
        )
