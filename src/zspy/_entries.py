"""Floor 1: a signal dictionary as the dictionary that its group holds, and back.

Pure rearrangement of dictionaries, the same for a signal of a file and for one nested in metadata.
What is wrong with a signal is said here, before anything is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .errors import EncodeError
from .typing import is_lazy

_AXIS: Final = re.compile(r"axis-(\d+)\Z")
# what the format's array of a signal does not hold stands beside it
DATA_CELLS: Final = "data_cells"
DATA_MASK: Final = "data_mask"
_LEARNING: Final = ("learning_results", "peak_learning_results")


def is_signal(value: object) -> bool:
    """Tell whether a dictionary can be stored as a nested signal."""
    if not isinstance(value, Mapping) or not {"data", "axes", "metadata"} <= value.keys():
        return False
    try:
        to_entries(value, nested=True)
    except EncodeError:
        return False
    return True


def to_entries(signal: Mapping[str, Any], *, nested: bool = False) -> dict[str, Any]:
    """Give the dictionary that the group of a signal holds.

    Parameters
    ----------
    signal : Signal
        As `file_writer` takes it or as `file_reader` returns it.
    nested : bool
        A signal inside metadata has its axes in one list, as HyperSpy writes it.

    Raises
    ------
    EncodeError
        If `data`, `axes` or `metadata` is missing or of the wrong kind, or if an axis disagrees
        with the shape of the data.
    """
    for key in ("data", "axes", "metadata"):
        if key not in signal:
            have = ", ".join(sorted(map(str, signal))) or "nothing"
            raise EncodeError("the signal has no such key", key, f"it has {have}")
    data = signal["data"]
    if not is_lazy(data):
        if not isinstance(data, np.ndarray):
            kind = type(data).__qualname__
            raise EncodeError(f"a {kind} is no array", "data", "use numpy.asarray or dask.array.from_array")
    axes = [_axis(axis, index, data.shape) for index, axis in enumerate(_in_order(signal["axes"]))]
    if len(axes) != data.ndim:
        hint = "a ragged signal has navigation axes only" if data.dtype.kind == "O" else "one for each dimension"
        raise EncodeError(f"{len(axes)} axes for data of {data.ndim} dimensions", "axes", hint)
    attributes = {**_dictionary(signal, "attributes")}
    attributes.setdefault("_lazy", False)
    attributes.setdefault("ragged", data.dtype.kind == "O")
    entries: dict[str, Any] = {}
    for key in _LEARNING:
        inner = attributes.pop(key, None)
        given = signal.get(key)
        entries[key] = given if given is not None else inner
    entries["learning_results"] = entries["learning_results"] or {}
    if entries["peak_learning_results"] is None:
        del entries["peak_learning_results"]
    entries |= {
        "data": data,
        "attributes": attributes,
        "metadata": _dictionary(signal, "metadata"),
        "original_metadata": _dictionary(signal, "original_metadata"),
    }
    if nested:
        entries["axes"] = axes
        if signal.get("tmp_parameters"):
            entries["tmp_parameters"] = _dictionary(signal, "tmp_parameters")
    else:
        entries |= {f"axis-{index}": axis for index, axis in enumerate(axes)}
    package = signal.get("package_info") or signal
    info = {key: package[key] for key in ("package", "package_version") if package.get(key)}
    return {**info, **dict(sorted(entries.items()))}


def from_entries(entries: dict[str, Any], *, nested: bool = False) -> dict[str, Any]:
    """Undo `to_entries`: give the signal dictionary that readers of the format return.

    Whatever is missing is empty; entries that are no part of a signal are left out.
    """
    attributes = _as_dictionary(entries.get("attributes"))
    attributes.setdefault("_lazy", False)
    for key in _LEARNING:
        if key in entries:
            attributes[key] = _as_dictionary(entries[key])
    signal: dict[str, Any] = {
        "data": _data(entries),
        "axes": _axes(entries, nested),
        "metadata": _as_dictionary(entries.get("metadata")),
        "original_metadata": _as_dictionary(entries.get("original_metadata")),
        "attributes": attributes,
        "package": entries.get("package", ""),
        "package_version": entries.get("package_version", ""),
    }
    if nested and entries.get("tmp_parameters"):
        signal["tmp_parameters"] = entries["tmp_parameters"]
    return signal


def _data(entries: dict[str, Any]) -> Any:
    data, cells, mask = entries["data"], entries.get(DATA_CELLS), entries.get(DATA_MASK)
    if isinstance(cells, np.ndarray) and cells.shape == data.shape:
        return cells
    if isinstance(mask, dict) and isinstance(data, np.ndarray):
        values, fill = mask.get("mask"), mask.get("fill_value")
        if isinstance(values, np.ndarray) and values.shape == data.shape and isinstance(fill, np.ndarray):
            masked: Any = np.ma.MaskedArray(data, values, hard_mask=bool(mask.get("hard")))
            masked.set_fill_value(fill[()])
            return masked
    return data


def _in_order(axes: object) -> list[Any]:
    """Give axes in the order of the array's dimensions: by index_in_array where all have one."""
    if not isinstance(axes, (list, tuple)):
        raise EncodeError(f"a {type(axes).__qualname__} is no list of axes", "axes", "one dictionary a dimension")
    for index, axis in enumerate(axes):
        if not isinstance(axis, Mapping):
            kind = type(axis).__qualname__
            raise EncodeError(f"a {kind} is no axis", f"axes[{index}]", "an axis is a dictionary")
    places = [axis.get("index_in_array") for axis in axes]
    if sorted(place for place in places if isinstance(place, int)) == list(range(len(axes))):
        return sorted(axes, key=lambda axis: axis["index_in_array"])
    return list(axes)


def _axis(axis: Mapping[str, Any], index: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Complete an axis, and hold it against the shape of the data."""
    where = f"axes[{index}]"
    full = {key: value for key, value in axis.items() if key != "index_in_array"}
    expected = shape[index] if index < len(shape) else None
    kind = full.setdefault(
        "_type",
        "DataAxis" if "axis" in full else "FunctionalDataAxis" if "expression" in full else "UniformDataAxis",
    )
    full.setdefault("navigate", False)
    full.setdefault("is_binned", False)
    if kind == "DataAxis" or (kind != "UniformDataAxis" and "axis" in full):
        values = full.get("axis")
        if not isinstance(values, np.ndarray):
            if not isinstance(values, (list, tuple)):
                raise EncodeError("a DataAxis has a vector of values", f"{where}.axis", "use a NumPy array")
            full["axis"] = values = np.asarray(values)
        size: Any = values.size
    else:
        size = full.setdefault("size", expected)
        if kind == "UniformDataAxis":
            full.setdefault("scale", 1.0)
            full.setdefault("offset", 0.0)
    if expected is not None and size != expected:
        place = f"{where}.axis" if "axis" in full else f"{where}.size"
        raise EncodeError(
            f"the axis has {size} values, but dimension {index} of the data {expected}", place, "make them agree"
        )
    return full


def _dictionary(signal: Mapping[str, Any], key: str) -> Mapping[Any, Any]:
    value = signal.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise EncodeError(f"a {type(value).__qualname__} is no dictionary", key, "use a dictionary")
    return value


def _as_dictionary(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _axes(entries: dict[str, Any], nested: bool) -> list[dict[str, Any]]:
    numbered = sorted((int(found[1]), key) for key in entries if isinstance(key, str) and (found := _AXIS.match(key)))
    axes: Any = [entries[key] for _, key in numbered] or entries.get("axes")
    found_axes = [dict(axis) for axis in axes if isinstance(axis, dict)] if isinstance(axes, list) else []
    return found_axes if nested else [{**axis, "index_in_array": i} for i, axis in enumerate(found_axes)]
