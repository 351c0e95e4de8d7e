"""What zspy returns otherwise than the reference does, and only this.

* an axis may carry ``index_in_array``, and then the true one;
* ``attributes._lazy`` tells how the file was opened;
* members of long lists come in their true order, not in the string order of their names.

Needs the standard library and NumPy only, so that it also runs beside another release of a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.sidecar import is_dask, is_dict, is_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_true_order(value: object) -> object:
    """Undo the string order of the reference in lists that it stores as groups."""
    if is_dict(value):
        return {key: in_true_order(below) for key, below in value.items()}
    if not is_sequence(value):
        return value
    members = [in_true_order(below) for below in value]
    if len(members) > 10 and not stored_as_array(value):
        positions = sorted(range(len(members)), key=str)
        by_position = dict(zip(positions, members, strict=True))
        members = [by_position[position] for position in range(len(members))]
    return tuple(members) if isinstance(value, tuple) else members


def stored_as_array(value: object) -> bool:
    """Whether the reference stores this list as an array, and so in order."""
    try:
        array = np.array(value)
    except ValueError:
        return False
    return array.ndim == 1 and array.dtype != object


def comparable(signals: object) -> object:
    """Take off what reading may add: ``_lazy``, at every depth, and a true ``index_in_array``."""
    assert is_sequence(signals)
    assert type(signals) is list
    return [_comparable(signal) for signal in signals]


def _comparable(value: object) -> object:
    if is_dict(value):
        kept = {key: _comparable(below) for key, below in value.items()}
        axes, attributes = kept.get("axes"), kept.get("attributes")
        if "data" in kept and is_sequence(axes):
            kept["axes"] = [_without_index(axis, number) for number, axis in enumerate(axes)]
        if "data" in kept and is_dict(attributes):
            attributes.pop("_lazy", None)
        return kept
    if is_sequence(value):
        members = [_comparable(below) for below in value]
        return tuple(members) if isinstance(value, tuple) else members
    return value


def _without_index(axis: object, number: int) -> object:
    assert is_dict(axis)
    assert axis.pop("index_in_array", number) == number
    return axis


def member(value: object, path: str) -> object:
    """Follow a path of keys and list positions."""
    for step in path.split("/")[1:]:
        if is_dict(value):
            value = value[step]
        else:
            assert is_sequence(value)
            value = value[int(step)]
    return value


def dask_chunks(value: object, path: str = "") -> Iterator[tuple[str, list[list[int]]]]:
    """Find the dask arrays of a value, with their chunks."""
    if is_dask(value):
        yield path, [[int(size) for size in sizes] for sizes in value.chunks]
    elif is_dict(value):
        for key, below in value.items():
            yield from dask_chunks(below, f"{path}/{key}")
    elif is_sequence(value):
        for number, below in enumerate(value):
            yield from dask_chunks(below, f"{path}/{number}")
