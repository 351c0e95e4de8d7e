"""The types of zspy, by the name under which they have always been imported."""

from __future__ import annotations

from .values.types import (
    JSON,
    ArrayLike,
    Axis,
    Compressor,
    Documents,
    LoadedSignal,
    Node,
    NumPyArray,
    Place,
    Signal,
    Unsupported,
    Value,
    ZarrFormat,
    is_array,
    is_dict,
    is_lazy,
    is_list,
    is_sequence,
)

__all__ = [
    "JSON",
    "ArrayLike",
    "Axis",
    "Compressor",
    "Documents",
    "LoadedSignal",
    "Node",
    "NumPyArray",
    "Place",
    "Signal",
    "Unsupported",
    "Value",
    "ZarrFormat",
    "is_array",
    "is_dict",
    "is_lazy",
    "is_list",
    "is_sequence",
]
