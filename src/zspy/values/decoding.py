"""Nodes to values. Pure: whatever nodes hold, it ends in a value or a FormatError."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, Literal, cast

import numpy as np

from .dtype_specs import MISFITS
from .errors import DAMAGED, FormatError, check_choices
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
    hdf5_name,
    is_flat,
    member_name,
    record_part,
    safe_name,
    unmark,
)
from .nodes import Array, Group, expect_group, joined
from .ragged import RaggedCells, unpacked
from .records import (
    few_collide,
    key_text,
    made_again,
    sorting_text,
    spec_key,
    text_array,
)
from .signals import from_entries
from .types import JSON, Value, is_dict, is_lazy, is_list

_Role = Literal["dict", "list", "tuple", "axes", "signal", "nested"]
# What a record says of the elements of an array, and not of a value that was stored as one.
_OF_ELEMENTS: Final = (["scalars"], ["cells"], ["S"])


def decode(
    group: Group,
    *,
    copy: bool = True,
) -> dict[Any, Any]:
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
    EncodeError
        If it is no group, or a member of it is no node.
    FormatError
        If nodes that belong together contradict each other, with the path of the node.

    Examples
    --------
    >>> from zspy import encode
    >>> decode(encode({"a": (1, 2), "b": {"c": None, "d": 1 + 2j}}))
    {'a': (1, 2), 'b': {'c': None, 'd': (1+2j)}}
    """
    expect_group(group, "encode makes one, and open_group")
    check_choices(copy=(copy, (True, False)))
    return decode_entries(group, copy=copy)


class _GroupReader:
    """A group whose members are being decoded."""

    def __init__(
        self,
        group: Group,
        role: _Role,
        path: str,
        name: str = "",
        above: _GroupReader | None = None,
    ) -> None:
        self.group = group
        self.role: _Role = role
        self.path = path
        self.name = name
        self.above = above
        self.entries: dict[str, Any] = {}
        self.types: dict[str, JSON] = record_part(group.attributes, "types")

    def specs(self, name: str) -> list[JSON]:
        """Give what the type record says about an entry, the outermost first."""
        specs = self.types.get(name)
        return specs if isinstance(specs, list) else []


def decode_entries(
    group: Group,
    *,
    copy: bool,
    role: _Role = "dict",
    path: str = "",
    lazy: bool = False,
) -> dict[Any, Any]:
    """Decode a group; of the group of a signal, the entries that `from_entries` takes.

    `lazy` says how the file was opened, for the signals in it.
    """
    # The list grows on the way, so that groups stand before their members.
    readers = [_GroupReader(group, role, path)]
    for reader in readers:
        for name, value in reader.group.attributes.items():
            _decode_attribute(reader, name, value)
        for name in sorted(reader.group.members):
            member = reader.group.members[name]
            if isinstance(member, Array):
                _decode_array(reader, name, member, copy)
            elif not name.startswith(SHAPES):
                child = _member_reader(reader, name, member)
                readers.append(child)
                # The reader stands in for the value, until its members are decoded.
                reader.entries[child.name] = child
    decoded: Any = {}
    for reader in reversed(readers):
        decoded = _assemble(reader, lazy)
        above = reader.above
        # Of two nodes that stand for one key, the last one counts.
        if above is not None and above.entries[reader.name] is reader:
            specs = above.specs(reader.name)
            above.entries[reader.name] = _apply_record(decoded, specs)
    return cast("dict[Any, Any]", decoded)


def _copied_json(value: JSON) -> JSON:
    """Copy lists and dictionaries within each other, in a tenth of the time of `deepcopy`."""
    if isinstance(value, list):
        return [*map(_copied_json, value)]
    if isinstance(value, dict):
        return dict(zip(value, map(_copied_json, value.values()), strict=True))
    return value


def _decode_attribute(
    reader: _GroupReader,
    name: str,
    value: JSON,
) -> None:
    """Decode an attribute: a scalar, or an empty list or tuple."""
    if name.startswith("_"):
        if (marks := unmark(name, "attribute")) is not None:
            kind, key = marks
            empty: Value = [] if kind == "list" else ()
            reader.entries[key] = _apply_record(empty, reader.specs(key))
            return
        if name.startswith(SIGNAL):
            return
    try:
        # Another program may have made a tree of it.
        is_none = isinstance(value, str) and value == NONE
        plain = None if is_none else _copied_json(value)
    except RecursionError as error:
        problem = f"the attribute {name[:80]!r} is nested too deep"
        raise FormatError(problem, reader.path, DAMAGED) from error
    reader.entries[name] = _apply_record(plain, reader.specs(name))


def _member_reader(
    reader: _GroupReader,
    name: str,
    member: Group,
) -> _GroupReader:
    """Tell what a group is, by its name."""
    role: _Role = "dict"
    key = name
    if (marks := unmark(name, "group")) is not None:
        role, key = marks
    elif name.startswith(AXES_MANAGER):
        role = "axes"
    elif name.startswith(SIGNAL) and isinstance(member.members.get("data"), Array):
        role = "nested"
    return _GroupReader(member, role, joined(reader.path, name), key, reader)


def _decode_array(
    reader: _GroupReader,
    name: str,
    array: Array,
    copy: bool,
) -> None:
    """Decode an array member: an array, or the list or tuple of its scalars."""
    if name.startswith((SHAPES, OFFSETS)):
        return
    stays = is_lazy(array.data) or isinstance(array.data, RaggedCells)
    data: Any = array.data if stays else np.asanyarray(array.data)
    kind, key = unmark(name) or (None, name)
    specs = reader.specs(key)
    last = specs[-1] if specs else None
    if isinstance(last, list) and last[:1] in _OF_ELEMENTS:
        specs = specs[:-1]
    plain: Any = data
    # The data of a signal is an array, whatever the record says.
    is_data = name == "data" and reader.role in ("signal", "nested")
    if kind is not None:
        data = np.atleast_1d(np.asarray(data))
        if last == ["scalars"] and data.ndim == 1:
            # Scalars with fields are views of the array.
            data = np.array(data, copy=copy or None)
            plain = [*map(np.str_, data)] if data.dtype.hasobject else [*data]
        else:
            plain = data.tolist()
        plain = tuple(plain) if kind == "tuple" else plain
    elif data.dtype.kind == "O" and (stays or not is_flat(array.attributes)):
        # an array that is left as it is stored, end to end, has no cells
        found = reader.group.members.get(SHAPES + name)
        shapes = found.data if isinstance(found, Array) else None
        plain = unpacked(data, shapes, last, joined(reader.path, name))
    elif data.dtype.kind == "S" and not (stays or is_data or last == ["S"]):
        plain = text_array(data)
    if copy and kind is None and not is_lazy(plain):
        plain = deepcopy(plain)
    value = _apply_record(plain, specs)
    reader.entries[key] = (
        plain if is_data and not hasattr(value, "dtype") else value
    )


def _apply_record(plain: Value, specs: list[JSON]) -> Value:
    """Undo what the type record says, innermost first, as long as all of it fits."""
    value = plain
    try:
        for spec in reversed(specs):
            value = made_again(value, spec)
    except MISFITS:
        return plain
    return value


def _assemble(reader: _GroupReader, lazy: bool) -> Any:
    """Put the entries of a group together, once its members are decoded."""
    entries = reader.entries
    if reader.role in ("list", "tuple"):
        names = sorted(entries, key=by_index)
        values = [
            entries[name] for name in names if not _is_outdated(name, entries)
        ]
        return tuple(values) if reader.role == "tuple" else values
    if reader.role == "axes":
        names = sorted(entries, key=lambda name: (len(name), name))
        return [entries[name] for name in names]
    keyed = _with_keys(reader)
    if reader.role == "nested":
        return from_entries(keyed, nested=True, lazy=lazy)
    return keyed


def _is_outdated(name: str, entries: Mapping[str, Any]) -> bool:
    """Tell an element that HyperSpy has stored anew, under its index without zeros."""
    plain = name.lstrip("0") or "0"
    return name != plain and name.isdecimal() and plain in entries


def _with_keys(reader: _GroupReader) -> dict[Any, Any]:
    """Give the entries of a dictionary in their order, under the keys that they had."""
    entries = reader.entries
    record: Any = reader.group.attributes.get(RECORD)
    if not is_dict(record):
        return entries
    specs = record_part(reader.group.attributes, "keys")
    keys = {name: restored_key(name, spec) for name, spec in specs.items()}
    if not few_collide(keys.values()):
        keys = {}  # They collide on purpose.
    order = record.get("order")
    first = order if is_list(order) else []
    names = dict.fromkeys(
        name for name in first if isinstance(name, str) and name in entries
    )
    keyed: dict[Any, Any] = {}
    for name in names | entries:
        key = keys.get(name, name)
        # What an older program has added keeps its name.
        taken = key in keyed or (
            key is not name and key in entries and key not in keys
        )
        keyed[name if taken else key] = entries[name]
    return keyed


def restored_key(name: str, spec: JSON) -> Any:
    """Give the key that a name stands for, as long as the key would be named so."""
    try:
        key = spec_key(spec)
        hash(key)
        sorting_text(key)  # by which keys are compared
        text = key_text(key)
    except MISFITS:
        return name
    candidates = {text, attribute_name(text)}
    for escaped in (safe_name, hdf5_name):
        candidates |= {member_name(text, where, escaped) for where in MARKS}
        if name in candidates or name.rpartition("%")[0] in candidates:
            return key
    return name
