"""Floor 2: values to nodes. Pure: no store, no bytes; what cannot be stored is refused here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ._entries import DATA_CELLS, DATA_MASK, is_signal, to_entries
from ._keys import UNNAMED, NONE, RECORD, SHAPES, SIGNAL, Where, attribute_name, fold, mark, mark_empty, member_name
from ._node import Array, Group
from ._ragged import Packed, object_array, pack
from ._scalars import key_spec, lowered
from ._sequences import UNITED, as_array, narrowed
from .errors import EncodeError, UnsupportedError, location
from .typing import JSON, Node, Place, Unsupported, Value, is_lazy

_REMEDY: Final = "store a plain value instead, or leave it out with unsupported='skip'"
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_SPOKEN: Final = frozenset({NONE, UNNAMED})  # strings that readers take for something else
_LARGE: Final = 2**14000  # beyond it an int is lowered to text


def encode(
    value: Mapping[Any, Value],
    *,
    homogenize: bool = True,
    unsupported: Unsupported = "raise",
    copy: bool = True,
) -> Group:
    """Encode a dictionary, and all that it holds, as a Zarr group.

    Scalars become attributes, dictionaries groups, arrays arrays; lists and tuples become arrays
    or groups by the homogenization rule (`zspy.homogenized`). What the format cannot say is
    stored in a plain form beside a type record, which `decode` undoes.

    Parameters
    ----------
    value : dict
        The tree. Arrays may be NumPy arrays of any shape, masked, ragged (dtype object), or dask
        arrays, which are not computed.
    homogenize : bool, default True
        False keeps every sequence as it is, type for type.
    unsupported : {"raise", "skip"}, default "raise"
        What becomes of a value of no type that zspy stores; a skipped element of a sequence
        becomes None. `zspy.unsupported` lists such places.
    copy : bool, default True
        False lets the nodes share the memory of the arrays of `value`.

    Returns
    -------
    Group

    Raises
    ------
    UnsupportedError
        A value, or a key, that zspy does not store, with its place.
    EncodeError
        A container that contains itself.

    Examples
    --------
    >>> group = encode({"beam": {"energy": 200.0}, "detectors": ["HAADF", "BF"]})
    >>> group.members["beam"].attributes
    {'energy': 200.0}
    >>> group.members["_list_detectors"].data
    array(['HAADF', 'BF'], dtype=object)
    """
    return Encoder(homogenize, unsupported, copy).encode(value)


def unsupported(value: Mapping[Any, Value]) -> list[Place]:
    """List what in a tree cannot be stored as it is. Nothing is stored.

    Parameters
    ----------
    value : dict
        A tree, or a signal dictionary.

    Returns
    -------
    list of Place
        Location, type, reason, and whether the value is stored all the same, as its plain base
        type (``narrowed``). Empty where every value is kept.

    Examples
    --------
    >>> unsupported({"a": 1, "b": {"c": [len]}})[0][:2]
    ('b.c[0]', 'builtins.builtin_function_or_method')
    """
    encoder = Encoder(False, "skip", False)
    encoder.encode(value)
    return encoder.places


class _Task(NamedTuple):
    """A container on its way to a group; `above` links to the one that contains it."""

    items: Iterable[tuple[Any, Value]]
    length: int | None  # of a sequence; None for a dictionary
    group: Group
    exact: bool  # sequences inside are not homogenized
    source: object
    key: object
    above: _Task | None

    @property
    def keyed(self) -> bool:
        return self.length is None

    def index(self, index: int) -> str:
        """Name the member of a sequence so that a sort of the names is their order."""
        return f"{index:0{len(str((self.length or 1) - 1))}}"

    def path(self, key: object) -> str:
        keys, task = [key], self
        while task.above is not None:
            keys.append(task.key)
            task = task.above
        return location(reversed(keys))


class _Names:
    """The names in one group: each entry's own, and its node's, which no other may have."""

    def __init__(self, keyed: bool) -> None:
        self.keyed = keyed
        self.names: dict[str, str | None] = {}  # of entries, with the node where there is one
        self.nodes: set[str] = set()
        self.natural = True  # whether reading gives the entries in this order by itself

    def attribute(self, key: str, escape: bool) -> str:
        base = name = attribute_name(key) if escape and self.keyed else key
        number = 0
        while name in self.names:
            number += 1
            name = f"{base}%{number}"
        self.names[name] = None
        self.natural = self.natural and not self.nodes
        return name

    def node(self, key: str, where: Where, marks: tuple[Any, int | None] | None = None) -> tuple[str, str]:
        base = name = member_name(key, where) if self.keyed else key
        number = 0
        while True:
            node = mark(marks[0], name, marks[1]) if marks else name
            if name not in self.names and (folded := fold(node)) not in self.nodes:
                self.names[name] = node
                self.nodes.add(folded)
                return name, node
            number += 1
            name = f"{base}%{number}"

    def order(self) -> list[JSON] | None:
        """Give the order of the entries, where it is not that of attributes, then sorted nodes."""
        nodes = [node for node in self.names.values() if node is not None]
        return None if self.natural and nodes == sorted(nodes) else [*self.names]


class Encoder:
    """One run of `encode`: its options, and the places that it found."""

    def __init__(self, homogenize: bool, unsupported: Unsupported, copy: bool) -> None:
        if unsupported not in ("raise", "skip"):
            raise EncodeError(f"{unsupported!r} is no choice", "unsupported", "use 'raise' or 'skip'")
        self.exact = not homogenize
        self.skip = unsupported == "skip"
        self.copy = copy
        self.places: list[Place] = []
        self._last: tuple[object, Packed | None] = (None, None)

    def signal_entries(self, signal: Mapping[str, Any], *, nested: bool = False) -> dict[str, Any]:
        """Give the entries of a signal's group, its data as every reader takes it."""
        entries = to_entries(signal, nested=nested)
        data = entries["data"]
        if is_lazy(data) and data.dtype.kind == "O":
            data = entries["data"] = np.asarray(data)
        if type(data) is np.ma.MaskedArray and (low := lowered(data)) is not None:
            entries["data"] = low.plain.pop("data")
            entries[DATA_MASK] = {**low.plain, "hard": low.spec[1]}
        elif type(data) is np.ndarray and data.dtype.kind == "O" and self._pack(data) is None:
            entries["data"] = object_array((np.empty(0) for _ in range(data.size)), data.shape)
            entries[DATA_CELLS] = data
        return entries

    def _pack(self, array: np.ndarray[Any, Any]) -> Packed | None:
        """Pack an object array, once for the check of a signal's data and for its encoding."""
        if self._last[0] is not array:
            self._last = (array, pack(array))
        return self._last[1]

    def encode(self, value: Mapping[Any, Value]) -> Group:
        """Encode one tree."""
        if not isinstance(value, Mapping):
            kind = type(value).__qualname__
            raise EncodeError(f"a {kind} is no dictionary", "", "wrap it: {'name': value}")
        root = Group({}, {})
        todo = [_Task(value.items(), None, root, self.exact, value, None, None)]
        while todo:  # not recursive: trees may be deeper than the interpreter's stack
            self._fill(todo.pop(), todo)
        return root

    def _fill(self, task: _Task, todo: list[_Task]) -> None:
        """Encode the entries of a container into its group."""
        names = _Names(task.keyed)
        types: dict[str, JSON] = {}
        keys: dict[str, JSON] = {}
        for key, value in task.items:
            spec: JSON = None
            if type(key) is str:
                text = key
            elif not task.keyed:
                text = task.index(key)
            else:
                try:
                    spec, text = key_spec(key), str(key)
                except (TypeError, ValueError):
                    self._refuse(task, key, key, "is no key that zspy stores", "use a string")
                    continue
            specs: list[JSON] = []
            name = self._entry(_Entry(task, names, key, text, specs), value, todo)
            if name is None:
                continue
            if specs:
                types[name] = specs
            if type(key) is not str and task.keyed:
                keys[name] = spec
            elif name != text:
                keys[name] = text
        order = names.order() if task.keyed else None
        parts: dict[str, JSON] = {"order": order, "keys": keys, "types": types}
        if record := {part: content for part, content in parts.items() if content}:
            _own(task.group.attributes)[RECORD] = record

    def _entry(self, entry: _Entry, value: Value, todo: list[_Task]) -> str | None:
        """Encode one entry; give its name, or None where it was skipped."""
        origin = value
        if type(value) not in _SCALARS or value in _SPOKEN or (type(value) is int and abs(value) > _LARGE):
            try:
                value = self._plain(entry, value)
            except UnsupportedError:
                if not self.skip:
                    raise
                if entry.task.keyed:
                    return None
                value = None
        kind = type(value)
        if kind in _SCALARS:
            return entry.attribute(NONE if value is None else value)
        if kind is dict:
            where: Where = "group"
            if entry.task.keyed and entry.text.startswith(SIGNAL) and is_signal(value):
                value, where = self.signal_entries(value, nested=True), "sequence"
            name, child = entry.group(where)
            self._push(entry, child, value.items(), None, entry.task.exact, origin, todo)
            return name
        if kind is np.ndarray and value.dtype.kind == "O":
            if (packed := self._pack(value)) is not None:
                return self._packed(entry, packed)
            entry.specs.append(["object", [*value.shape]])
            value = value.ravel().tolist()
            kind = list
        if kind is not list and kind is not tuple:
            if value.dtype.kind == "S":
                entry.specs.append(["S"])
            return entry.array("array", Array(np.array(value) if self.copy and not is_lazy(value) else value))
        exact = entry.task.exact or (bool(entry.specs) and kind is list)
        sequence: Any = kind.__name__
        if not value:
            return entry.attribute(NONE, sequence)
        if (array := as_array(value, exact=exact)) is not None:
            if isinstance(value[0], np.generic) and (exact or array.dtype.kind in UNITED):
                entry.specs.append(["scalars"])
            cells = "vlen-utf8" if array.dtype.kind == "O" else None
            return entry.array("sequence", Array(array, cells=cells), (sequence, None))
        name, child = entry.group("sequence", (sequence, len(value)))
        self._push(entry, child, enumerate(value), len(value), exact, origin, todo)
        return name

    def _packed(self, entry: _Entry, packed: Packed) -> str:
        """Add an object array, and the shapes of its cells."""
        cells = packed.cells
        if self.copy and packed.shapes is not None and packed.item != "msgpack2":
            cells = object_array(map(np.copy, cells.ravel().tolist()), cells.shape)
        if packed.spec is not None:
            entry.specs.append(packed.spec)
        shapes = None if packed.shapes is None else Array(packed.shapes, cells="<i8")
        return entry.array("array", Array(cells, cells=packed.item), shapes=shapes)

    def _plain(self, entry: _Entry, value: Value) -> Value:
        """Lower a value until the format holds it, noting the specs that bring it back."""
        while True:
            if (low := lowered(value)) is not None:
                value, spec = low
                entry.specs.append(spec)
                if type(value) is str:
                    return value
                continue
            if is_lazy(value) and value.dtype.kind == "O":
                value = np.asarray(value)  # what its cells are, only they tell
                continue
            kind = type(value)
            if kind in _SCALARS or kind in (dict, list, tuple):
                return value
            if kind is np.ndarray or is_lazy(value):
                if not _held(value.dtype):
                    self._refuse(entry.task, entry.key, value, f"has the dtype {value.dtype}", _REMEDY)
                    raise _SKIPPED
                return value
            plain = narrowed(value)
            if plain is value:
                self._refuse(entry.task, entry.key, value, "is of no type that zspy stores", _REMEDY)
                raise _SKIPPED
            reason = f"stored as {type(plain).__name__}, its plain base"
            self.places.append(Place(entry.task.path(entry.key), _name(value), reason, narrowed=True))
            value = plain

    def _refuse(self, task: _Task, key: object, value: object, problem: str, remedy: str) -> None:
        where = task.path(key)
        if not self.skip:
            raise UnsupportedError(f"{_name(value)} {problem}", where, remedy)
        self.places.append(Place(where, _name(value), f"{problem}; {remedy}", narrowed=False))

    def _push(
        self,
        entry: _Entry,
        group: Group,
        items: Iterable[tuple[Any, Value]],
        length: int | None,
        exact: bool,
        origin: object,
        todo: list[_Task],
    ) -> None:
        """Put a container on the list of what is to be encoded."""
        above: _Task | None = entry.task
        while above is not None:
            if above.source is origin:
                where = entry.task.path(entry.key)
                raise EncodeError(f"a {type(origin).__name__} contains itself", where, "break the cycle")
            above = above.above
        todo.append(_Task(items, length, group, exact, origin, entry.key, entry.task))


_SKIPPED: Final = UnsupportedError("skipped")


class _Entry(NamedTuple):
    """An entry of a container on its way into the group; `specs` tell what type it had."""

    task: _Task
    names: _Names
    key: object
    text: str
    specs: list[JSON]

    def attribute(self, value: JSON, empty: Any = None) -> str:
        name = self.names.attribute(self.text, escape=empty is None)
        _own(self.task.group.attributes)[mark_empty(empty, name) if empty else name] = value
        return name

    def array(self, where: Where, array: Array, marks: Any = None, shapes: Array | None = None) -> str:
        name, node = self.names.node(self.text, where, marks)
        members = _own(self.task.group.members)
        members[node] = array
        if shapes is not None:
            members[SHAPES + node] = shapes
        return name

    def group(self, where: Where, marks: Any = None) -> tuple[str, Group]:
        name, node = self.names.node(self.text, where, marks)
        child = Group({}, {})
        _own(self.task.group.members)[node] = child
        return name, child


def _own(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Give the dictionary behind a mapping that this run has made itself."""
    assert isinstance(mapping, dict)
    return mapping  # pyright: ignore[reportUnknownVariableType]


def _name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _held(dtype: Any) -> bool:
    """Tell whether Zarr holds a dtype; others (bfloat16, structures of objects) look like void."""
    if dtype.kind == "O":
        return True
    if dtype.kind not in "biufcmMSUV" or dtype.hasobject:
        return False
    return dtype.names is not None or dtype.subdtype is not None or np.dtype(dtype.str) == dtype
