"""Floor 2: values to nodes. Pure: no store, no bytes; what cannot be stored is refused here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

import numpy as np

from ._entries import to_entries
from ._keys import (
    EMPTY,
    NONE,
    RECORD,
    SHAPES,
    SIGNAL,
    Kind,
    Where,
    attribute_name,
    fold,
    index_names,
    mark,
    member_name,
)
from ._node import Array, Group
from ._ragged import Packed, pack
from ._scalars import key_spec, key_text, lowered
from ._sequences import UNITED, as_array, narrowed
from .errors import EncodeError, UnsupportedError, location
from .typing import JSON, Node, Place, Unsupported, Value, is_lazy

_REMEDY: Final = "store a plain value instead, or leave it out with unsupported='skip'"
_HELD: Final = frozenset({str, int, float, bool, type(None), dict, list, tuple, Packed})
_SKIPPED: Final = object()


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
        arrays, which are not computed unless they are ragged.
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


class _Level:
    """A container on its way into a group: the names in that group, and its type record."""

    def __init__(
        self, source: object, items: Iterable[tuple[Any, Value]], length: int | None, exact: bool
    ) -> None:
        self.source = source
        self.items = items
        self.texts = None if length is None else index_names(length)  # of a sequence
        self.exact = exact  # sequences inside are not homogenized
        self.above: tuple[_Level, object] | None = None  # and the key there
        self.names: dict[str, str | None] = {}  # of entries, with the node where there is one
        self.folded: set[str] = set()  # the nodes, as file systems tell them apart
        self.keys: dict[str, JSON] = {}
        self.types: dict[str, JSON] = {}
        self.attributes: dict[str, JSON] = {}
        self.members: dict[str, Node] = {}
        self.group = Group(self.attributes, self.members)

    def path(self, key: object) -> str:
        """Give the place of an entry."""
        keys, above = [key], self.above
        while above is not None:
            keys.append(above[1])
            above = above[0].above
        return location(reversed(keys))

    def attribute(self, text: str, value: JSON) -> str:
        """Add an attribute; give the name of the entry."""
        name = self._name(text if self.texts else attribute_name(text), None)
        self.attributes[name] = value
        return name

    def empty(self, text: str, kind: Kind) -> str:
        """Add the attribute of an empty sequence."""
        name = self._name(text, None)
        self.attributes[mark(kind, name, EMPTY)] = NONE
        return name

    def member(self, text: str, where: Where, node: Node, prefix: str = "") -> str:
        """Add a member."""
        name = self._name(text if self.texts else member_name(text, where), prefix)
        self.members[prefix + name] = node
        return name

    def _name(self, base: str, prefix: str | None) -> str:
        """Give an entry a name that no other has, nor its node, which has a prefix."""
        name, number = base, 0
        while True:
            node = None if prefix is None else prefix + name
            folded = "" if node is None else fold(node)
            if name not in self.names and folded not in self.folded:
                break
            number += 1
            name = f"{base}%{number}"
        self.names[name] = node
        if node is not None:
            self.folded.add(folded)
        return name

    def close(self) -> None:
        """Add the type record, if there is something to say."""
        # reading gives attributes, then sorted nodes
        natural = sorted(self.names, key=lambda name: self.names[name] or "")
        order: list[JSON] = [*self.names]
        parts: dict[str, JSON] = {"keys": self.keys, "types": self.types}
        if self.texts is None and natural != order:
            parts["order"] = order
        if record := {part: content for part, content in parts.items() if content}:
            self.attributes[RECORD] = record


class Encoder:
    """One run of `encode`: its options, and the places that it found."""

    signal_entries = staticmethod(to_entries)

    def __init__(self, homogenize: bool, unsupported: Unsupported, copy: bool) -> None:
        if unsupported not in ("raise", "skip"):
            remedy = "use 'raise' or 'skip'"
            raise EncodeError(f"{unsupported!r} is no choice", "unsupported", remedy)
        self.exact = not homogenize
        self.skip = unsupported == "skip"
        self.copy = copy
        self.places: list[Place] = []
        self._todo: deque[_Level] = deque()

    def encode(self, value: Mapping[Any, Value]) -> Group:
        """Encode one tree."""
        if not isinstance(value, Mapping):
            remedy = "wrap it: {'name': value}"
            raise EncodeError(f"a {type(value).__qualname__} is no dictionary", "", remedy)
        root = _Level(value, value.items(), None, self.exact)
        self._todo.append(root)
        while self._todo:  # not recursive: trees may be deeper than the interpreter's stack
            level = self._todo.popleft()
            for key, item in level.items:
                self._entry(level, key, item)
            level.close()
        return root.group

    def _entry(self, level: _Level, key: Any, value: Value) -> None:
        """Encode one entry of a container."""
        text = spec = level.texts[key] if level.texts else key
        if type(text) is not str:
            try:
                plain = narrowed(key)
                text, spec = key_text(plain), key_spec(plain)
            except (TypeError, RecursionError):
                return self._refuse(level, key, key, "is no key that zspy stores", "use a string")
            self._note(level, key, key, plain)
        specs: list[JSON] = []
        plain = self._plain(level, key, value, specs)
        if plain is _SKIPPED:
            if not level.texts:
                return None
            plain, specs = None, []
        name = self._node(level, key, text, plain, specs, value)
        if specs:
            level.types[name] = specs
        if name != spec:
            level.keys[name] = spec
        return None

    def _plain(self, level: _Level, key: object, value: Value, specs: list[JSON]) -> Value:
        """Lower a value until the format holds it, noting the specs that bring it back."""
        while True:
            kind = type(value)
            if (low := lowered(value)) is not None:
                specs.append(low.spec)
                if low.plain is value:
                    return value
                value = low.plain
            elif kind in _HELD:
                return value
            elif (plain := narrowed(value)) is not value:
                self._note(level, key, value, plain)
                value = plain
            elif kind is not np.ndarray and not is_lazy(value):
                return self._refuse(level, key, value, "is of no type that zspy stores", _REMEDY)
            elif value.dtype.kind != "O":
                if _is_held(value.dtype):
                    return value
                return self._refuse(level, key, value, f"has the dtype {value.dtype}", _REMEDY)
            else:
                value = np.asarray(value)  # what the cells of a lazy array are, only they tell
                if (packed := pack(value)) is not None:
                    return packed
                specs.append(["object", [*value.shape]])
                value = value.ravel().tolist()

    def _node(
        self, level: _Level, key: object, text: str, plain: Value, specs: list[JSON], value: Value
    ) -> str:
        """Add the attribute or the member of a plain value; give the name of the entry."""
        match plain:
            case None | bool() | int() | float() | str():
                return level.attribute(text, NONE if plain is None else plain)
            case Packed(cells=cells, shapes=shapes, item=item, spec=spec):
                specs += [] if spec is None else [spec]
                node = Array(deepcopy(cells) if self.copy else cells, cells=item)
                name = level.member(text, "array", node)
                if shapes is not None:
                    level.members[f"{SHAPES}{level.names[name]}"] = Array(shapes, cells="<i8")
                return name
            case dict():
                where: Where = "group"
                if text.startswith(SIGNAL):
                    with suppress(TypeError, ValueError, AttributeError):  # it is no signal
                        plain, where = to_entries(plain, nested=True), "sequence"
                child = _Level(value, plain.items(), None, level.exact)
                return level.member(text, where, self._group(level, key, child))
            case list() | tuple():
                kind: Kind = "tuple" if isinstance(plain, tuple) else "list"
                if not plain:
                    return level.empty(text, kind)
                exact = level.exact or bool(specs)
                array = as_array(plain, exact=exact)
                strings = array is not None and array.dtype.hasobject
                if array is None or not (strings or _is_held(array.dtype)) or lowered(array):
                    child = _Level(value, enumerate(plain), len(plain), exact)
                    prefix = mark(kind, "", len(plain))
                    return level.member(text, "sequence", self._group(level, key, child), prefix)
                if isinstance(plain[0], np.generic) and (exact or array.dtype.kind in UNITED):
                    specs.append(["scalars"])
                node = Array(array, cells="vlen-utf8" if strings else None)
                return level.member(text, "sequence", node, mark(kind, ""))
            case _:
                specs += [["S"]] if plain.dtype.kind == "S" else []
                data = plain if is_lazy(plain) or not self.copy else np.array(plain)
                return level.member(text, "array", Array(data))

    def _group(self, level: _Level, key: object, child: _Level) -> Group:
        """Put a container on the list of what is to be encoded; give its group."""
        child.above = level, key
        above: tuple[_Level, object] | None = child.above
        while above is not None:
            if above[0].source is child.source:
                kind = type(child.source).__name__
                raise EncodeError(f"a {kind} contains itself", level.path(key), "break the cycle")
            above = above[0].above
        self._todo.append(child)
        return child.group

    def _note(self, level: _Level, key: object, value: object, plain: object) -> None:
        """Note what is stored as its plain base."""
        if plain is not value:
            reason = f"stored as {type(plain).__name__}, its plain base"
            self.places.append(Place(level.path(key), _name(value), reason, narrowed=True))

    def _refuse(self, level: _Level, key: object, value: object, problem: str, remedy: str) -> Any:
        """Refuse a value, or note that it is skipped."""
        where, name = level.path(key), _name(value)
        if not self.skip:
            raise UnsupportedError(f"{name} {problem}", where, remedy)
        self.places.append(Place(where, name, f"{problem}; {remedy}", narrowed=False))
        return _SKIPPED


def _name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_held(dtype: Any) -> bool:
    """Tell whether Zarr holds a dtype; those of other libraries look like void."""
    if dtype.subdtype is not None:
        return _is_held(dtype.subdtype[0])
    if dtype.names is not None:
        return all(_is_held(dtype[name]) for name in dtype.names)
    return bool(dtype.itemsize) and dtype.kind in "biufcmMSUV" and np.dtype(dtype.str) == dtype
