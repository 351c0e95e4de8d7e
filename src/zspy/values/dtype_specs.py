"""Dtypes as type records describe them, and which of them Zarr holds."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .types import JSON, DType

# What is raised where a record does not fit what is stored.
MISFITS: Final = (
    ArithmeticError,
    AttributeError,
    ImportError,  # The library of the value is not installed.
    LookupError,
    np.ma.MAError,  # Masks raise it,
    OSError,  # time zones this one,
    RecursionError,  # and deep specs this one.
    TypeError,
    ValueError,
)


def dtype_spec(dtype: DType) -> JSON:
    """Describe a dtype with its layout: offsets, sizes, titles, alignment.

    >>> dtype_spec(np.dtype("<f4"))
    '<f4'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_spec(base), "shape": [*shape]}
    if dtype.names is None:
        return dtype.str
    known: Any = dtype.fields
    fields = [known[name] for name in dtype.names]
    return {
        "names": [*dtype.names],
        "formats": [dtype_spec(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def spec_dtype(
    spec: Any,
    *,
    packed: bool = False,
) -> DType:
    """Undo `dtype_spec`. Raises ValueError, TypeError or KeyError where it is none.

    Where it is `packed`, there is no padding, alignment or title: all that Zarr describes.
    """
    if isinstance(spec, str):
        dtype = np.dtype(spec)
        if dtype.hasobject:
            raise TypeError("object")
        return dtype
    if "base" in spec:
        base = spec_dtype(spec["base"], packed=packed)
        return np.dtype((base, tuple(spec["shape"])))
    formats = [spec_dtype(one, packed=packed) for one in spec["formats"]]
    layout: Any = {"names": spec["names"]} if packed else {**spec}
    layout["formats"] = formats
    laid_out: DType = np.dtype(layout)
    return laid_out


def is_held(dtype: Any) -> bool:
    """Tell whether Zarr holds a dtype; those of other libraries look like void."""
    if not dtype.itemsize:
        return False
    if dtype.subdtype is not None:
        return is_held(dtype.subdtype[0])
    if dtype.names is not None:
        return all(is_held(dtype[name]) for name in dtype.names)
    return dtype.kind in "biufcmMSUV" and np.dtype(dtype.str) == dtype
