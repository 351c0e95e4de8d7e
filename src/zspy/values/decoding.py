"""Nodes to values. Pure: whatever nodes hold, it ends in a value or a FormatError."""

from __future__ import annotations

from copy import deepcopy
from math import prod
from typing import Any, Final, Literal

import numpy as np

from .errors import FormatError
from .names import (
    AXES_MANAGER,
    MARKS,
    NONE,
    OFFSETS,
    RECORD,
    SHAPES,
    SIGNAL,
    attribute_name,
    by_index,
    member_name,
    unmark,
)
from .nodes import Array, Group, joined, same_json
from .ragged import RaggedCells, cell_codes, object_array, pack, unpack
from .records import key_text, lowered, restored, spec_key, text_array
from .signals import from_entries
from .types import JSON, Value, is_lazy, is_list

_Role = Literal["dict", "list", "tuple", "axes", "signal", "nested"]
_CHANGED: Final = "the array was changed without its shapes"


def decode(group: Group, *, copy: bool = True) -> dict[Any, Any]:
    """Decode a group as the dictionary that it holds: the inverse of `encode`.

    Reads what every release of HyperSpy and rosettasciio wrote as well, with their marks.

    Parameters
    ----------
    group : Group
    copy : bool, default True
        False lets the value share the memory of the node's arrays.

    Returns
    -------
    dict

    Raises
    ------
    FormatError
        If nodes that belong together contradict each other, with the path of the node.

    Examples
    --------
    >>> from zspy import encode
    >>> decode(encode({"a": (1, 2), "b": {"c": None, "d": 1 + 2j}}))
    {'a': (1, 2), 'b': {'c': None, 'd': (1+2j)}}
    """
    return decode_entries(group, copy=copy)


class _Open:
    """A group whose members are being decoded."""

    def __init__(
        self,
        group: Group,
        role: _Role,
        path: str,
        name: str = "",
        above: _Open | None = None,
    ) -> None:
        self.group = group
        self.role: _Role = role
        self.path = path
        self.name = name
        self.above = above
        self.entries: dict[str, Any] = {}
        record = group.attributes.get(RECORD)
        self.record: dict[str, JSON] = record if isinstance(record, dict) else {}
        self.types = self.part("types")

    def part(self, part: str) -> dict[str, JSON]:
        """Give a part of the type record."""
        found = self.record.get(part)
        return found if isinstance(found, dict) else {}

    def specs(self, name: str) -> list[JSON]:
        """Give what the type record says about an entry, the outermost first."""
        specs = self.types.get(name)
        return specs if isinstance(specs, list) else []

    def below(self, name: str) -> str:
        """Give the path of a member."""
        return joined(self.path, name)


def decode_entries(
    group: Group, *, copy: bool, role: _Role = "dict", path: str = ""
) -> dict[Any, Any]:
    """Decode a group; of the group of a signal, the entries that `from_entries` takes."""
    found = [_Open(group, role, path)]
    for here in found:  # grows on the way: parents stand before members
        for name, value in here.group.attributes.items():
            _attribute(
                here,
                name,
                deepcopy(value) if isinstance(value, (dict, list)) else value,
            )
        for name in sorted(here.group.members):
            member = here.group.members[name]
            if isinstance(member, Array):
                _array(here, name, member, copy)
            elif not name.startswith(SHAPES):
                found.append(_open(here, name, member))
                here.entries[found[-1].name] = found[
                    -1
                ]  # until its members are decoded
    whole: dict[Any, Any] = {}
    for here in reversed(found):
        whole = _whole(here)
        # of two nodes that stand for one key, the last one counts
        if here.above is not None and here.above.entries[here.name] is here:
            here.above.entries[here.name] = _restored(
                whole, here.above.specs(here.name)
            )
    return whole


def _attribute(here: _Open, name: str, value: JSON) -> None:
    """Decode an attribute: a scalar, or an empty list or tuple."""
    specs = here.specs(name)
    if name[:1] != "_" and not specs:
        here.entries[name] = None if value == NONE else value
    elif (marks := unmark(name, "attribute")) is not None:
        kind, key = marks
        here.entries[key] = _restored([] if kind == "list" else (), here.specs(key))
    elif not name.startswith(SIGNAL):
        here.entries[name] = _restored(None if value == NONE else value, specs)


def _open(here: _Open, name: str, member: Group) -> _Open:
    """Tell what a group is, by its name."""
    role: _Role = "dict"
    key = name
    if (marks := unmark(name, "group")) is not None:
        role, key = marks
    elif name.startswith(AXES_MANAGER):
        role = "axes"
    elif name.startswith(SIGNAL) and isinstance(member.members.get("data"), Array):
        role = "nested"
    return _Open(member, role, here.below(name), key, here)


def _array(here: _Open, name: str, array: Array, copy: bool) -> None:
    """Decode an array member: an array, or the list or tuple of its scalars."""
    if name.startswith((SHAPES, OFFSETS)):
        return
    stays = is_lazy(array.data) or isinstance(array.data, RaggedCells)
    data: Any = array.data if stays else np.asanyarray(array.data)
    kind, key = unmark(name) or (None, name)
    specs = here.specs(key)
    last = specs[-1] if specs else None
    plain: Any = data
    if kind is not None:
        data = np.atleast_1d(np.asarray(data))
        if last == ["scalars"] and data.ndim == 1:
            specs = specs[:-1]
            data = np.array(
                data, copy=copy or None
            )  # scalars with fields are windows into it
            plain = [*map(np.str_, data)] if data.dtype.hasobject else [*data]
        else:
            plain = data.tolist()
        plain = tuple(plain) if kind == "tuple" else plain
    elif data.dtype.kind == "O":
        if isinstance(last, list) and last[:1] == ["cells"]:
            specs = specs[:-1]
        plain = _object_array(here, name, data, last)
    elif data.dtype.kind == "S" and not is_lazy(data):
        if last == ["S"]:
            specs = specs[:-1]
        elif not (name == "data" and here.role in ("signal", "nested")):
            plain = text_array(data)
    if copy and kind is None and not is_lazy(plain):
        plain = deepcopy(plain)
    value = _restored(plain, specs)
    # the data of a signal is an array, whatever the record says
    is_data = name == "data" and here.role in ("signal", "nested")
    here.entries[key] = plain if is_data and not hasattr(value, "dtype") else value


def _object_array(here: _Open, name: str, data: Any, spec: JSON) -> Any:
    """Bring the cells of an object array into their shapes."""
    found = here.group.members.get(SHAPES + name)
    shapes: Any = found.data if isinstance(found, Array) else None
    where = here.below(name)
    if (
        shapes is not None and shapes.shape != data.shape
    ):  # before a lazy one is computed
        raise FormatError(
            f"{data.shape} cells, and the shapes of {shapes.shape}", where, _CHANGED
        )
    if is_lazy(data):
        from .ragged import unpack_lazily

        return unpack_lazily(_unpacked, data, shapes, spec, where)
    codes = cell_codes(spec, data.shape)
    if shapes is codes is None:  # the cells of a flat array have them
        return np.asarray(data) if isinstance(data, RaggedCells) else data
    return _unpacked(data, shapes, codes, where)


def _unpacked(cells: Any, shapes: Any, codes: Any, where: str) -> Any:
    """Bring cells into their shapes, or tell which array has others."""
    try:
        return unpack(cells, shapes, codes)
    except ValueError as error:
        raise FormatError(str(error), where, _CHANGED) from error


def _restored(plain: Value, specs: list[JSON]) -> Value:
    """Undo what the type record says, innermost first, as long as all of it fits."""
    value = plain
    try:
        for spec in reversed(specs):
            value = _back(value, spec)
    except (ValueError, RecursionError):  # of sets within sets
        return plain
    return value


def _back(plain: Value, spec: JSON) -> Value:
    """Give the value of a spec. Raises ValueError unless it would be stored just so."""
    match spec:
        case ["object", [*shape]]:
            edges = tuple(edge for edge in shape if isinstance(edge, int) and edge >= 0)
            if (
                not is_list(plain)
                or len(edges) < len(shape)
                or prod(edges) != len(plain)
            ):
                raise ValueError("no list of that many cells")
            array = object_array(plain, edges)
            if pack(array) is None:
                return array
        case _:
            value = restored(plain, spec)
            low = lowered(value)
            if low is not None and (is_lazy(value) or same_json(low.plain, plain)):
                return value
    raise ValueError("it would be stored in another way")


def _whole(here: _Open) -> Any:
    """Put the entries of a group together, once its members are decoded."""
    entries = here.entries
    if here.role in ("list", "tuple"):
        values = [entries[name] for name in sorted(entries, key=by_index)]
        return tuple(values) if here.role == "tuple" else values
    if here.role == "axes":
        return [
            entries[name]
            for name in sorted(entries, key=lambda name: (len(name), name))
        ]
    order, keys = here.record.get("order"), here.part("keys")
    if not order and not keys and here.role != "nested":
        return entries
    first = order if isinstance(order, list) else []
    names = dict.fromkeys(
        name for name in first if isinstance(name, str) and name in entries
    )
    whole: dict[Any, Any] = {}
    for name in names | entries:
        key = _key(name, keys[name]) if name in keys else name
        # what an older program has added keeps its name
        taken = key in whole or (key != name and key in entries and key not in keys)
        whole[name if taken else key] = entries[name]
    return from_entries(whole, nested=True) if here.role == "nested" else whole


def _key(name: str, spec: JSON) -> Any:
    """Give the key that a name stands for, as long as the key would be named so."""
    try:
        key = spec_key(spec)
        hash(key)
        text = key_text(key)
        bases = {
            text,
            attribute_name(text),
            *(member_name(text, where) for where in MARKS),
        }
        return key if name in bases or name.rpartition("%")[0] in bases else name
    except (TypeError, ValueError, RecursionError):
        return name
