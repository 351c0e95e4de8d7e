"""Axes of a signal: their types and defaults, held against the shape of the data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .errors import EncodeError, unlike
from .types import is_array, is_dict, is_list, is_sequence

_AXIS: Final = re.compile(r"axis-\d{1,9}\Z", re.ASCII)


def in_array_order(axes: object) -> list[Any]:
    """Give axes in the order of the array's dimensions: by index_in_array where all have one."""
    if not is_sequence(axes):
        raise unlike("list of axes", axes, "axes", "one dictionary a dimension")
    for index, axis in enumerate(axes):
        if not isinstance(axis, Mapping):
            raise unlike("axis", axis, f"axes[{index}]", "an axis is a dictionary")
    places = [axis.get("index_in_array") for axis in axes]
    if sorted(place for place in places if isinstance(place, int)) == [
        *range(len(axes))
    ]:
        return sorted(axes, key=lambda axis: axis["index_in_array"])
    return [*axes]


def complete_axis(
    axis: Mapping[str, Any], index: int, shape: tuple[int, ...]
) -> dict[str, Any]:
    """Complete an axis, and hold it against the shape of the data."""
    full = {key: value for key, value in axis.items() if key != "index_in_array"}
    kind = "FunctionalDataAxis" if "expression" in full else "UniformDataAxis"
    kind = full.setdefault("_type", "DataAxis" if "axis" in full else kind)
    full.setdefault("navigate", False)
    full.setdefault("is_binned", False)
    expected = shape[index] if index < len(shape) else None
    key = "size"
    if kind == "DataAxis" or ("axis" in full and kind != "UniformDataAxis"):
        key, values = "axis", full.get("axis")
        if not is_array(values) and not is_sequence(values):
            raise unlike("vector", values, f"axes[{index}].axis", "use a NumPy array")
        full["axis"] = values = np.asarray(values)
        size: Any = values.size
    else:
        size = full.setdefault("size", expected)
    if kind == "UniformDataAxis":
        full.setdefault("scale", 1.0)
        full.setdefault("offset", 0.0)
    if expected is not None and size != expected:
        problem = (
            f"the axis has {size} values, but dimension {index} of the data {expected}"
        )
        raise EncodeError(problem, f"axes[{index}].{key}", "make them agree")
    return full


def stored_axes(entries: dict[Any, Any], nested: bool) -> list[dict[str, Any]]:
    """Find the axes: in groups of their own, or in one list."""
    keys = [key for key in entries if isinstance(key, str) and _AXIS.match(key)]
    keys.sort(key=lambda key: int(key.removeprefix("axis-")))
    listed = entries.get("axes")
    axes: list[Any] = [entries[key] for key in keys] or (
        listed if is_list(listed) else []
    )
    found = [{**axis} for axis in axes if is_dict(axis)]
    return (
        found
        if nested
        else [{**axis, "index_in_array": i} for i, axis in enumerate(found)]
    )
