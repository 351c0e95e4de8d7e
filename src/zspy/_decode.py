"""Floor 2: nodes to values. Pure: whatever the nodes hold, the result is a value or a FormatError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ._entries import from_entries
from ._keys import (
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
    unmark_empty,
)
from ._node import Array, Group
from ._ragged import cell_codes, object_array, pack, unpack
from ._scalars import restored, spec_key, text_array
from ._sequences import from_array
from .errors import FormatError
from .typing import JSON, Value, is_lazy

_Role = Literal["dict", "list", "tuple", "axes", "signal", "nested"]


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
    return decode_entries(group, copy=copy, role="dict")


class _Open:
    """A group whose members are being decoded."""

    def __init__(self, group: Group, role: _Role, above: _Open | None, name: str, path: str) -> None:
        self.group = group
        self.role: _Role = role
        self.above = above
        self.name = name
        self.path = path
        self.entries: dict[str, Any] = {}
        record = group.attributes.get(RECORD)
        self.record: dict[str, JSON] = record if isinstance(record, dict) else {}
        types = self.record.get("types")
        self.types: dict[str, JSON] = types if isinstance(types, dict) else {}

        self.pending: dict[str, list[JSON]] = {}

    def put(self, name: str, plain: Value, specs: list[JSON]) -> None:
        """Note an entry in plain form, and what is left of its record."""
        self.entries[name] = plain
        if specs:
            self.pending[name] = specs
        else:
            self.pending.pop(name, None)

    def specs(self, name: str) -> list[JSON]:
        specs = self.types.get(name)
        return specs if isinstance(specs, list) else []


def decode_entries(group: Group, *, copy: bool, role: _Role, path: str = "") -> dict[Any, Any]:
    """Decode a group; of the group of a signal, the entries that `from_entries` takes."""
    root = _Open(group, role, None, "", path)
    found = [root]
    for here in found:  # grows on the way: parents stand before members
        _attributes(here)
        for name in sorted(here.group.members):
            member = here.group.members[name]
            if isinstance(member, Array):
                _array(here, name, member, copy)
            elif not name.startswith(SHAPES):
                child = _Open(member, *_role(here, name), here.path + "/" + name if here.path else name)
                here.put(child.name, None, here.specs(child.name))
                found.append(child)
    for here in reversed(found[1:]):
        assert here.above is not None
        here.above.entries[here.name] = _whole(here)
    whole: dict[Any, Any] = _whole(root)
    return whole


def _role(here: _Open, name: str) -> tuple[_Role, _Open, str]:
    """Tell what a group is, by its name: its role, its parent, and its key."""
    if (marks := unmark(name, group=True)) is not None:
        return marks[0], here, marks[1]
    if name.startswith(AXES_MANAGER):
        return "axes", here, name
    member = here.group.members[name]
    if name.startswith(SIGNAL) and isinstance(member, Group) and "data" in member.members:
        return "nested", here, name
    return "dict", here, name


def _attributes(here: _Open) -> None:
    """Decode the attributes of a group."""
    for name, value in here.group.attributes.items():
        if (empty := unmark_empty(name)) is not None:
            kind, key = empty
            here.put(key, [] if kind == "list" else (), here.specs(key))
        elif not name.startswith(SIGNAL):
            specs = here.specs(name)
            here.put(name, None if value == NONE and not specs else value, specs)


def _array(here: _Open, name: str, array: Array, copy: bool) -> None:
    """Decode an array member: an array, or the list or tuple of its scalars."""
    if name.startswith((SHAPES, OFFSETS)):
        return
    data: Any = array.data
    marks = unmark(name)
    kind, key = marks if marks is not None else ("", name)
    specs = here.specs(key)
    if kind:
        data = np.asarray(data)
        if specs and specs[-1] == ["scalars"]:
            specs = specs[:-1]
            plain: Any = [np.str_(text) for text in data] if data.dtype.kind == "O" else list(data)
            plain = tuple(plain) if kind == "tuple" else plain
        else:
            plain = from_array(data, kind)
    elif data.dtype.kind == "O":
        specs, plain = _object_array(here, name, array, specs)
        if copy and isinstance(plain, np.ndarray):
            plain = object_array(map(_copied, plain.ravel().tolist()), plain.shape)
    elif is_lazy(data):
        plain = data
    else:
        keep = here.role in ("signal", "nested") and name == "data"
        if specs and specs[-1] == ["S"]:
            specs, keep = specs[:-1], True
        plain = text_array(data) if data.dtype.kind == "S" and not keep else data
        if copy and plain is data:
            plain = data.copy()
    here.put(key, plain, specs)


def _copied(cell: Any) -> Any:
    return cell.copy() if isinstance(cell, np.ndarray) else cell


def _object_array(here: _Open, name: str, array: Array, specs: list[JSON]) -> tuple[list[JSON], Any]:
    """Bring the cells of an object array into their shapes; give the specs that are left."""
    shapes = here.group.members.get(SHAPES + name)
    data: Any = array.data
    if not isinstance(shapes, Array):
        return specs, data
    spec: JSON = None
    if specs and isinstance(specs[-1], list) and specs[-1][:1] == ["cells"]:
        spec, specs = specs[-1], specs[:-1]
    codes = cell_codes(spec, data.shape)
    try:
        if is_lazy(data):
            from dask import array as da  # a lazy array was given: dask is there

            own: Any = shapes.data
            if not is_lazy(own):
                own = da.from_array(own, chunks=data.chunks)
            blocks = [own.rechunk(data.chunks)]
            blocks += [] if codes is None else [da.from_array(codes, chunks=data.chunks)]
            return specs, da.map_blocks(unpack, data, *blocks, dtype=object, meta=np.empty((), object))
        return specs, unpack(data, np.asarray(shapes.data), codes)
    except ValueError as error:
        where = f"{here.path}/{name}" if here.path else name
        raise FormatError(str(error), where, "the array was changed without its shapes") from error


def _restored(plain: Value, specs: list[JSON]) -> Value:
    """Undo what the type record says, innermost first."""
    for spec in reversed(specs):
        match spec:
            case ["object", [*shape]] if isinstance(plain, list):
                plain = _object_back(plain, shape)
            case _:
                plain = restored(plain, spec)
    return plain


def _object_back(plain: list[Any], shape: list[Any]) -> Value:
    """Give the object array that was stored as a list of its cells."""
    if not all(type(edge) is int and edge >= 0 for edge in shape):
        return plain
    try:
        array = object_array(plain, tuple(shape)) if np.prod(shape, dtype=object) == len(plain) else None
    except ValueError:
        return plain
    return plain if array is None or pack(array) is not None else array


def _whole(here: _Open) -> Any:
    """Put the entries of a group together, once its members are decoded."""
    entries = here.entries
    if here.role in ("list", "tuple"):
        values = [_member(here, name) for name in sorted(entries, key=by_index)]
        return tuple(values) if here.role == "tuple" else values
    if here.role == "axes":
        return [entries[name] for name in sorted(entries, key=lambda name: (len(name), name))]
    order = here.record.get("order")
    names: dict[str, None] = {}
    if isinstance(order, list):
        names.update((name, None) for name in order if isinstance(name, str) and name in entries)
    names.update(dict.fromkeys(entries))
    keys = here.record.get("keys")
    known = keys if isinstance(keys, dict) else {}
    whole: dict[Any, Any] = {}
    for name in names:
        whole[_key(name, known[name], whole) if name in known else name] = _member(here, name)
    return from_entries(whole, nested=True) if here.role == "nested" else whole


def _member(here: _Open, name: str) -> Any:
    """Give an entry, as its record says."""
    value = here.entries[name]
    return _restored(value, here.pending[name]) if name in here.pending else value


def _key(name: str, spec: JSON, taken: Mapping[Any, Any]) -> Any:
    """Give the key that a name stands for, as long as the key would be named so."""
    try:
        key = spec_key(spec)
        text = key if isinstance(key, str) else str(key)
        bases = {attribute_name(text), text, *(member_name(text, where) for where in MARKS)}  # type: ignore[arg-type]
        fits = name in bases or name.rpartition("%")[0] in bases
        return key if fits and key not in taken else name
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return name
