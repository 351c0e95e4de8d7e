"""Data types, as the documents of Zarr format 2 and 3 describe them."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from ..values.errors import FormatError
from ..values.types import JSON, NumPyArray, is_dict, is_list

OBJECT: Final = np.dtype(object)
DTYPE: Final = "_zspy_dtype"
"""Attribute of a format-3 array: the dtype that its core data type stands for."""
MOST_ELEMENTS: Final = 2**62  # elements of an array
MOST_EDGES: Final = 64  # of an array, in NumPy
_NAME: Final = re.compile(
    r"[<>|]?[biufcmMSUV]\d{1,10}(\[\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?\Z"
)
CORE_NAMES: Final = frozenset(
    {"bool", "float16", "float32", "float64", "complex64", "complex128"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def core_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the core data type that any reader of format 3 knows, for a dtype that is none.

    Values with a unit become int64; whatever else, bytes along one more dimension.

    >>> (
    ...     core_dtype(np.dtype("M8[s]")),
    ...     core_dtype(np.dtype(">f4")),
    ...     core_dtype(np.dtype("U2")),
    ... )
    (dtype('int64'), dtype('float32'), dtype(('u1', (8,))))
    """
    if dtype.kind in "mM":
        return np.dtype(np.int64)
    native = dtype.newbyteorder("=")
    return (
        native
        if native.name in CORE_NAMES
        else np.dtype((np.uint8, (dtype.itemsize,)))
    )


def from_core(values: NumPyArray, dtype: np.dtype[Any]) -> NumPyArray:
    """Give values of a core data type the dtype that it stands for, if they do not have it."""
    if values.dtype == dtype:
        return values
    if core_dtype(dtype).shape:
        return np.ascontiguousarray(values).view(dtype)[..., 0]
    if dtype.kind in "mM":
        values = values.view(dtype.newbyteorder("="))
    return values.astype(dtype)


@lru_cache(maxsize=256)
def is_held(dtype: np.dtype[Any]) -> bool:
    """Tell whether a document of format 2 can say all of a dtype."""
    try:
        return parse_dtype(dtype_description(dtype)) == dtype
    except (ValueError, TypeError):
        return False


def dtype_description(dtype: np.dtype[Any]) -> JSON:
    """Describe a dtype as Zarr format 2 does: a string, or a list of fields."""
    parts: Any = dtype.fields
    fields: list[JSON] = []
    for name in dtype.names or ():
        inner = parts[name][0]
        fields.append(
            [
                name,
                dtype_description(inner.base),
                *([[*inner.shape]] if inner.shape else []),
            ]
        )
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
        raise ValueError(f"{shortened(description)} is no dtype")
    fields: list[Any] = []
    for name, inner, *shapes in description:
        if not isinstance(name, str) or not name or len(shapes) > 1:
            raise ValueError(
                "a field of a dtype is a name, a dtype, and perhaps a shape"
            )
        fields.append(
            (name, _fields(inner), *(parse_shape(shape, 1) for shape in shapes))
        )
    return fields


def parse_shape(edges: Any, least: int, what: str = "a shape") -> tuple[int, ...]:
    """Check a list of integers; raises ValueError where it is none."""
    if not is_list(edges) or not all(
        type(edge) is int and edge >= least for edge in edges
    ):
        raise ValueError(
            f"{what} is {shortened(edges)}, no list of integers from {least}"
        )
    if (
        len(edges) > MOST_EDGES
        or prod(max(edge, 1) for edge in edges) > MOST_ELEMENTS
    ):
        raise ValueError(f"{what} is {shortened(edges)}, which is too large")
    return tuple(edges)


def parse_chunk_shape(edges: Any, shape: Any, what: str) -> tuple[int, ...]:
    """Check the shape of chunks; raises ValueError where it is none.

    zarr-python 3.1 writes chunks of length 0 for a dimension of length 0.
    """
    if is_list(edges) and is_list(shape) and len(edges) == len(shape):
        edges = [
            1 if edge == size == 0 else edge
            for edge, size in zip(edges, shape, strict=True)
        ]
    return parse_shape(edges, 1, what)


def unsupported(what: str, where: str) -> FormatError:
    """Make the error of what other programs write, and zspy does not read."""
    remedy = "read it with zarr-python, and write it anew"
    return FormatError(f"{what} is not supported", where, remedy)


def shortened(value: object) -> str:
    """Represent a value in less than 80 characters."""
    text = repr(value)
    return text if len(text) < 80 else text[:76] + " ..."


STRINGS: Final = {
    "string": "vlen-utf8",
    "bytes": "vlen-bytes",
    "variable_length_bytes": "vlen-bytes",
}
_LENGTHS: Final = {
    "fixed_length_utf32": ("<U", 4),
    "null_terminated_bytes": ("|S", 1),
    "raw_bytes": ("|V", 1),
}


def named_extension(value: Any, what: str) -> tuple[str, dict[str, Any]]:
    """Give the name and the configuration of an extension point of format 3."""
    one = value if is_dict(value) else {"name": value}
    name: Any = one.get("name")
    settings: Any = one.get("configuration") or {}
    if not isinstance(name, str) or not is_dict(settings):
        raise ValueError(f"{what} without a name and its configuration")
    return name, settings


def data_type(value: Any) -> JSON:
    """Describe a data type of format 3 as format 2 does; ``""`` where only zarr-python can."""
    name, settings = named_extension(value, "data_type")
    if name in CORE_NAMES:
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
                inner, kind = (
                    (one["name"], one["data_type"]) if is_dict(one) else one
                )
                described.append([inner, data_type(kind)])
            return described
        case _:
            bits = re.fullmatch(r"r(\d{1,9})", name)
            return f"|V{int(bits[1]) // 8}" if bits else ""
