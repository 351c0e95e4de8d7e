"""What a reader returns, as JSON that tells types apart: docs/conformance.md says how."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np


def represented(value: Any) -> Any:
    """Give the JSON of a value.

    >>> represented({"a": [1, 2.5, None]})
    {'dict': [['a', {'list': [1, {'float': '2.5'}, None]}]]}
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"float": repr(value)}
    if type(value) in (list, tuple):
        return {type(value).__name__: [represented(one) for one in value]}
    if _is_array(value):
        return _array(value)
    if _is_mapping(value):
        pairs = [[represented(key), represented(one)] for key, one in value.items()]
        return {"dict": sorted(pairs, key=repr)}
    return {"value": [type(value).__name__, _text(value)]}


def _is_array(value: object) -> TypeGuard[np.ndarray[Any, Any]]:
    return isinstance(value, np.ndarray)


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_set(value: object) -> TypeGuard[set[Any] | frozenset[Any]]:
    return isinstance(value, (set, frozenset))


def _text(value: Any) -> str:
    """Give the text of a value that only zspy's records tell."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if _is_set(value):
        return repr(sorted(value, key=repr))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    return repr(value)


def _array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Give dtype, shape and elements, in C order."""
    dtype = array.dtype
    described: Any = dtype.str if dtype.names is None else [[n, dtype[n].str] for n in dtype.names]
    if dtype.kind == "T":
        described, array = "T", array.astype(object)
    hidden = np.ma.getmaskarray(array).ravel()
    values = np.ma.getdata(array).ravel()
    elements = [_element(one, dtype, mask) for one, mask in zip(values, hidden, strict=True)]
    return {"array": {"dtype": described, "shape": [*array.shape], "elements": elements}}


def _element(value: Any, dtype: np.dtype[Any], mask: Any) -> Any:
    if dtype.names is not None:
        return [_element(value[name], dtype[name], mask[name]) for name in dtype.names]
    if np.all(mask):
        return None
    match dtype.kind:
        case "f":
            return repr(float(value))
        case "c":
            return [repr(float(value.real)), repr(float(value.imag))]
        case "m" | "M":
            return int(value.view("i8"))
        case "S" | "V":
            return b64encode(bytes(value)).decode()
        case "O" | "T":
            return represented(value)
        case _:
            return value.item()


def signals_of(found: list[Any]) -> list[Any]:
    """Give the JSON of the signals of a file, by the parts that every reader returns."""
    parts = ("data", "axes", "metadata", "original_metadata", "attributes", "models")
    return [
        {part: represented(signal.get(part)) for part in parts if part in signal}
        if "metadata" in signal
        else {"models": represented(signal)}
        for signal in found
    ]
