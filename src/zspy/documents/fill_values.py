"""Fill values, as the documents of Zarr format 2 and 3 describe them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

import numpy as np

from ..values.errors import EncodeError
from ..values.types import JSON, NumPyArray, is_dict, is_list
from .array_metadata import ArrayMetadata
from .dtypes import shortened

_LONGEST: Final = 2**20  # bytes of a fill value


def fill_of(value: Any, dtype: np.dtype[Any], path: str) -> NumPyArray | None:
    """Give the fill value that a caller wants, for arrays of numbers."""
    try:
        return parse_fill(value, dtype) if dtype.kind in "biufc" else None
    except ValueError as error:
        raise EncodeError(str(error), path, "use another") from error


def describe_fill(array: ArrayMetadata) -> JSON:
    """Give the fill value as both formats write it."""
    if array.cells is not None:
        return "" if array.zarr_format == 3 else 0
    fill: Any = np.zeros((), array.dtype) if array.fill is None else array.fill
    match array.dtype.kind:
        case _ if array.byte_shape:
            return 0
        case "b":
            return bool(fill)
        case "f":
            return _json_number(float(fill))
        case "c":
            return [_json_number(float(fill.real)), _json_number(float(fill.imag))]
        case "V":
            return b64encode(fill.tobytes()).decode()
        case "S" | "U":
            return ""
        case "m" | "M":
            return 0
        case _:
            return int(fill)


def _json_number(value: float) -> JSON:
    if value != value:
        return "NaN"
    return (
        value
        if abs(value) != float("inf")
        else "Infinity"
        if value > 0
        else "-Infinity"
    )


def parse_fill(value: Any, dtype: np.dtype[Any]) -> NumPyArray | None:
    """Parse a fill value: an array of one element, or None for zeros.

    None stands for zeros too, but for times: it is NaT, as zarr-python reads it.
    """
    if value is None and dtype.kind in "mM":
        value = "NaT"
    if _is_zero(value):
        return None
    try:
        if dtype.itemsize > _LONGEST:
            raise ValueError("too long")
        with np.errstate(all="ignore"):
            return _nonzero(_element(value, dtype))
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ValueError(
            f"the fill value {shortened(value)} is no {dtype}"
        ) from error


def _nonzero(element: NumPyArray) -> NumPyArray | None:
    return element if element.tobytes().strip(b"\0") else None


def _is_zero(value: Any) -> bool:
    return value is None or value == "" or (type(value) is int and not value)


def _element(value: Any, dtype: np.dtype[Any]) -> NumPyArray:
    if _is_zero(value):
        return np.zeros((), dtype)
    match dtype.kind:
        case "V" if is_dict(value):  # of format 3: by field
            names: Any = dtype.names  # of none, if it is not structured
            parts = [_element(value[name], dtype[name])[()] for name in names]
            return np.array(tuple(parts), dtype)
        case "S" | "V":
            raw = bytes(value) if is_list(value) else b64decode(str(value))
            return np.frombuffer(
                raw.ljust(dtype.itemsize, b"\0"), dtype, 1
            ).reshape(())
        case "U" if not isinstance(value, str):
            raise TypeError("no string")
        case "U":
            return np.array(value, dtype)
        case "c":
            half = np.dtype(f"f{dtype.itemsize // 2}")
            if is_list(value):
                real, imaginary = value
                value = complex(_number(real, half), _number(imaginary, half))
            return np.array(complex(value), dtype)
        case "f":
            return np.array(_number(value, dtype), dtype)
        case "m" | "M":
            number = np.iinfo(np.int64).min if value == "NaT" else int(value)
            return np.array(
                number, np.dtype(np.int64).newbyteorder(dtype.byteorder)
            ).view(dtype)
        case _:
            return np.array(int(value), dtype)


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    """Parse a real number: JSON, a name, or the hexadecimal bytes of format 3."""
    if isinstance(value, str) and value.startswith("0x"):
        return np.frombuffer(bytes.fromhex(value[2:]), dtype.newbyteorder(">"))[0]
    return float(value)
