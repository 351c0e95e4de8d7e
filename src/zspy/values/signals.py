"""A signal dictionary as the dictionary that its group holds, and back.

Pure rearrangement of dictionaries, the same for a signal of a file and for one nested in metadata.
What is wrong with a signal is said here, before anything is encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np

from .axes import complete_axes, refuse_array, stored_axes
from .blocks import computed
from .errors import EncodeError, did_you_mean, expect, shown, taking, unlike, warn
from .foreign import has_unit, lazily_opened
from .ragged import object_array, pack
from .records import is_masked, lowered, restored
from .sequences import narrowed
from .types import Entries, Signal, is_array, is_dict, is_lazy

_LEARNING: Final = ("learning_results", "peak_learning_results")
_KEYS: Final = (*Signal.__annotations__, "peak_learning_results")
# File readers tell HyperSpy by these how to build a signal; they are no part of it.
_OF_READERS: Final = ("mapping", "post_process")
# What the array of a signal does not hold stands beside it.
DATA_CELLS: Final = "data_cells"
DATA_MASK: Final = "data_mask"


_MISFIT: Final = (
    "the {} of a signal, which stand beside its data, do not fit it and are left out:"
    " another program has changed one of them"
)


class NoAxes(NamedTuple):
    """The axes of data of some dimensions that has none.

    Releases read them from an empty group whose name has the number of dimensions, and no file
    without it.
    """

    dimensions: int


def to_entries(
    signal: Entries,
    *,
    nested: bool = False,
) -> dict[str, Any]:
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
        If `data`, `axes` or `metadata` is missing or of the wrong kind, if there is a key that no
        signal has, or if an axis disagrees with the shape of the data.

    Returns
    -------
    dict
        Its ``data`` is an array, or an object array that is packed already.
    """
    data, axes = checked(signal)
    attributes = dictionary_of(signal, "attributes")
    attributes.setdefault("_lazy", False)
    attributes.setdefault("ragged", data.dtype.kind == "O")
    # The reader puts learning results among the attributes, HyperSpy beside them.
    learning: dict[Any, Any] = {
        key: attributes.pop(key) for key in _LEARNING if key in attributes
    }
    learning |= {
        key: signal[key] for key in _LEARNING if signal.get(key) is not None
    }
    entries: dict[str, Any] = {"learning_results": {}}
    entries |= {key: dictionary_of(learning, key) for key in learning}
    if not axes:
        entries["axes"] = NoAxes(data.ndim)
    elif nested:
        entries["axes"] = axes
    else:
        entries |= {f"axis-{index}": axis for index, axis in enumerate(axes)}
    entries |= _stored_data(data)
    entries["attributes"] = attributes
    entries["metadata"] = dictionary_of(signal, "metadata")
    entries["original_metadata"] = dictionary_of(signal, "original_metadata")
    temporary = dictionary_of(signal, "tmp_parameters")
    if nested and temporary:
        entries["tmp_parameters"] = temporary
    return {**package_of(signal), **dict(sorted(entries.items()))}


def package_of(signal: Entries) -> dict[str, Any]:
    """Give the package that wrote a signal, and its version, as far as they are told."""
    package = dictionary_of(signal, "package_info") or signal
    for key in ("package", "package_version"):
        scalar = (str, int, float, np.generic, NoneType)
        expect(package.get(key), scalar, "text", key, "use a str")
    # HyperSpy looks for the version of each package that has a name.
    name, version = package.get("package"), package.get("package_version", "")
    info = {"package": name} if name else {}
    if name or version:
        info["package_version"] = version
    return info


def checked(signal: Entries) -> tuple[Any, list[dict[Any, Any]]]:
    """Give the data of a signal and its completed axes, or say what is wrong with the signal."""
    with taking("signal"):
        _check_keys(signal)
    dictionary_of(signal, "metadata")
    return data_and_axes(signal)


def data_and_axes(signal: Entries) -> tuple[Any, list[dict[Any, Any]]]:
    """Give the data of a signal and its completed axes, or say what is wrong with them."""
    with taking("data"):
        data = _checked_data(signal["data"])
    axes = complete_axes(signal["axes"], data.shape)
    if axes and len(axes) != data.ndim:
        hint = "one for each dimension"
        if data.dtype.kind == "O":
            hint = "a ragged signal has navigation axes only"
        raise EncodeError(
            f"{len(axes)} axes for data of {data.ndim} dimensions", "axes", hint
        )
    return data, axes


def _check_keys(signal: Entries) -> None:
    """Refuse a signal that lacks a key, or has one that no signal has."""
    for key in ("data", "axes", "metadata"):
        if key not in signal:
            have = ", ".join(sorted(map(str, signal))) or "nothing"
            remedy = 'write {"data": array, "axes": [...], "metadata": {}}'
            problem = f"the signal has no such key; it has {have[:100]}"
            raise EncodeError(problem, key, remedy)
    for key in signal:
        if key not in _KEYS and key not in _OF_READERS:
            elsewhere = "leave it out, or put it into the metadata"
            remedy = did_you_mean(key, _KEYS) or elsewhere
            raise EncodeError("no signal has such a key", shown(key)[:80], remedy)


def _checked_data(data: Any) -> Any:
    """Refuse data that is no array, or of no known shape."""
    if has_unit(data):
        remedy = "give its values; a unit belongs to an axis, or to the metadata"
        raise unlike("array", data, "data", remedy)
    data = lazily_opened(data)
    if not is_array(data) and not is_lazy(data):
        remedy = "use numpy.asarray or dask.array.from_array"
        raise unlike("array", data, "data", remedy)
    if any(edge != edge for edge in data.shape):
        remedy = "call compute_chunk_sizes() of the dask array"
        raise EncodeError(
            f"the shape {data.shape} is not known yet", "data", remedy
        )
    return data


def from_entries(
    entries: dict[Any, Any],
    *,
    nested: bool = False,
    lazy: bool = False,
) -> dict[str, Any]:
    """Undo `to_entries`: give the signal dictionary that readers of the format return.

    Whatever is missing is empty; entries that are no part of a signal are left out. ``_lazy`` says
    how the file was opened, whatever is stored: HyperSpy makes a lazy signal where it is true.
    """
    for key in ("package", "package_version"):
        refuse_array(entries.get(key), key)
    found = {key: value for key, value in entries.items() if is_dict(value)}
    attributes = found.get("attributes", {})
    attributes["_lazy"] = lazy
    attributes |= {key: found.get(key, {}) for key in _LEARNING if key in entries}
    signal: dict[str, Any] = {
        "data": _given_data(entries),
        "axes": stored_axes(entries, len(entries["data"].shape), nested),
        "metadata": found.get("metadata", {}),
        "original_metadata": found.get("original_metadata", {}),
        "attributes": attributes,
        "package": entries.get("package", ""),
        "package_version": entries.get("package_version", ""),
    }
    if nested and entries.get("tmp_parameters"):
        signal["tmp_parameters"] = entries["tmp_parameters"]
    return signal


def _stored_data(data: Any) -> dict[str, Any]:
    """Give the data as every reader takes it, and beside it what that leaves out."""
    beside: dict[str, Any] = {}
    if is_masked(data):
        low: Any = lowered(data if is_lazy(data) else narrowed(data))
        mask = {**low.plain, "hard": low.spec[1]}
        data = mask.pop("data")
        beside[DATA_MASK] = mask
    if data.dtype.kind in "OT":
        data = computed(data, "data")
        packed = pack(data.astype(object))
        if packed is None:
            beside[DATA_CELLS] = data
            data = object_array((np.empty(0) for _ in range(data.size)), data.shape)
        elif data.dtype.kind == "O":
            return {"data": packed, **beside}
    return {"data": data, **beside}


def _given_data(entries: dict[Any, Any]) -> Any:
    """Undo `_stored_data`, where what stands beside the data fits it."""
    data, cells, mask = (
        entries["data"],
        entries.get(DATA_CELLS),
        entries.get(DATA_MASK),
    )
    # What another program has put into the data since is what counts.
    if is_array(cells) and data.dtype == object and not _has_any(data):
        if cells.shape == data.shape:
            data = cells
        else:
            warn(_MISFIT.format("cells"))
    if is_dict(mask):
        with suppress(ValueError):
            return restored({"data": data, **mask}, ["masked", mask.get("hard")])
        warn(_MISFIT.format("masks"))
    return data


def _has_any(data: Any) -> bool:
    """Tell whether any cell of ragged data has an element."""
    return any(map(np.size, np.asarray(data).flat))


def dictionary_of(
    signal: Entries,
    key: str,
) -> dict[Any, Any]:
    """Give a part of a signal that is a dictionary, empty where there is none."""
    value = signal.get(key)
    expect(value, (Mapping, NoneType), "dictionary", key, "use a dictionary")
    with taking(key):
        return {} if value is None else {**value}
