"""Values to nodes. Pure: no store, no bytes; what cannot be stored is refused here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

import numpy as np

from .errors import EncodeError, UnsupportedError, a_kind, location
from .names import (
    AXES_MANAGER,
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
from .nodes import Array, Group
from .ragged import Packed, pack
from .records import key_spec, key_text, lowered
from .sequences import UNITED, as_array, narrowed
from .signals import to_entries
from .types import JSON, Node, Place, Unsupported, Value, is_dict, is_lazy, is_sequence

_REMEDY: Final = "store a plain value instead, or leave it out with unsupported='skip'"
_HELD: Final = frozenset({float, bool, type(None), dict, list, tuple, Packed})
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
    """A container on its way into a group, and the entry of it that is being encoded."""

    def __init__(
        self,
        source: object,
        items: Iterable[tuple[Any, Value]],
        exact: bool,
        length: int | None = None,
        above: _Level | None = None,
    ) -> None:
        self.source = source
        self.items = items
        self.exact = exact  # sequences inside are not homogenized
        self.texts = None if length is None else index_names(length)  # of a sequence
        self.above = above
        self.within = None if above is None else above.key
        self.key: Any = None
        self.specs: list[JSON] = []
        self.names: dict[
            str, str | None
        ] = {}  # of entries, with the node where there is one
        self.folded: set[str] = set()  # the nodes, as file systems tell them apart
        self.keys: dict[str, JSON] = {}
        self.types: dict[str, JSON] = {}
        self.attributes: dict[str, JSON] = {}
        self.members: dict[str, Node] = {}
        self.group = Group(self.attributes, self.members)

    def place(self) -> str:
        """Give the place of the entry."""
        keys, level = [self.key], self
        while level.above is not None:
            keys.append(level.within)
            level = level.above
        return location(reversed(keys))

    def attribute(self, text: str, value: JSON) -> str:
        """Add an attribute; give the name of the entry."""
        name = self._name(text if self.texts else attribute_name(text), None)
        self.attributes[name] = value
        return name

    def empty(self, text: str, kind: Kind) -> str:
        """Add the attribute of an empty sequence."""
        name = self._name(
            text if self.texts else attribute_name(text, "sequence"), None
        )
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
        order = [*self.names] if self.texts is None and natural != [*self.names] else []
        parts: dict[str, JSON] = {
            "order": [*order],
            "keys": self.keys,
            "types": self.types,
        }
        parts = {part: content for part, content in parts.items() if content}
        if parts:
            self.attributes[RECORD] = parts


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

    def encode(self, value: Any) -> Group:
        """Encode one tree."""
        if not issubclass(type(value), Mapping):
            remedy = "wrap it: {'name': value}"
            raise EncodeError(f"{a_kind(value)} is no dictionary", "", remedy)
        root = _Level(value, value.items(), self.exact)
        self._todo = deque([root])
        while (
            self._todo
        ):  # not recursive: trees may be deeper than the interpreter's stack
            level = self._todo.popleft()
            for key, item in level.items:
                level.key = key
                self._entry(level, item)
            level.close()
        return root.group

    def _entry(self, level: _Level, value: Value) -> None:
        """Encode one entry of a container."""
        key: Any = level.texts[int(level.key)] if level.texts else level.key
        text, spec = key, key
        if key.__class__ is not str or not key.isascii():
            key = narrowed(key)
            try:
                text, spec = key_text(key), key_spec(key)
            except (TypeError, RecursionError):
                self._refuse(
                    level, level.key, "is no key that zspy stores", "use a string"
                )
                return
            if key is not level.key:
                self._narrow(level, level.key, key)
        level.specs = []
        try:
            plain = self._plain(level, value)
        except RecursionError:  # of sets within sets
            plain = self._refuse(level, value, "is nested too deep", _REMEDY)
        if plain is _SKIPPED:
            if not level.texts:
                return
            plain, level.specs = None, []
        name = self._node(level, text, plain, value)
        if level.specs:
            level.types[name] = level.specs
        if name != spec:
            level.keys[name] = spec

    def _plain(self, level: _Level, value: Value) -> Value:
        """Lower a value until the format holds it, noting the specs that bring it back."""
        while value.__class__ not in _HELD:
            if (low := lowered(value)) is not None:
                level.specs.append(low.spec)
                if low.plain is value:
                    return value
                value = low.plain
            elif value.__class__ in (str, int):
                return value
            elif (plain := narrowed(value)) is not value:
                self._narrow(level, value, plain)
                value = plain
            elif value.__class__ is not np.ndarray and not is_lazy(value):
                return self._refuse(
                    level, value, "is of no type that zspy stores", _REMEDY
                )
            elif value.dtype.kind == "O":
                value = np.asarray(
                    value
                )  # what the cells of a lazy array are, only they tell
                if (packed := pack(value)) is not None:
                    return packed
                level.specs.append(["object", [*value.shape]])
                value = value.ravel().tolist()
            elif any(edge != edge for edge in value.shape):
                remedy = "call compute_chunk_sizes() of the dask array"
                return self._refuse(
                    level, value, f"has the unknown shape {value.shape}", remedy
                )
            elif _is_held(value.dtype):
                return value
            else:
                return self._refuse(
                    level, value, f"has the dtype {value.dtype}", _REMEDY
                )
        return value

    def _node(self, level: _Level, text: str, plain: Value, value: Value) -> str:
        """Add the attribute or the member of a plain value; give the name of the entry."""
        if isinstance(plain, Packed):
            return self._packed(level, text, plain)
        if is_sequence(plain):
            return self._sequence(level, text, plain, value)
        if is_dict(plain):
            where: Where = "group"
            if text.startswith(SIGNAL):
                with suppress(TypeError, ValueError, AttributeError):  # it is no signal
                    plain, where = to_entries(plain, nested=True), "meant"
            child = _Level(value, plain.items(), level.exact, None, level)
            return level.member(text, where, self._group(level, child))
        if plain is None or isinstance(plain, (str, int, float)):
            return level.attribute(text, NONE if plain is None else plain)
        if plain.dtype.kind == "S":
            level.specs.append(["S"])
        data = plain if is_lazy(plain) or not self.copy else np.array(plain)
        return level.member(text, "array", Array(data))

    def _packed(self, level: _Level, text: str, packed: Packed) -> str:
        """Add an object array, and the shapes of its cells."""
        cells = deepcopy(packed.cells) if self.copy else packed.cells
        name = level.member(text, "array", Array(cells, cells=packed.cell_type))
        if packed.shapes is not None:
            shapes: Any = np.asarray(packed.shapes) if self.copy else packed.shapes
            level.members[f"{SHAPES}{level.names[name]}"] = Array(shapes, cells="<i8")
        if packed.spec is not None:
            level.specs.append(packed.spec)
        return name

    def _sequence(
        self, level: _Level, text: str, plain: list[Any] | tuple[Any, ...], value: Value
    ) -> str:
        """Add a list or a tuple: as an array where it may be one, else as a group."""
        kind: Kind = "tuple" if isinstance(plain, tuple) else "list"
        if not plain:
            return level.empty(text, kind)
        exact = level.exact or bool(level.specs)
        array = as_array(plain, exact=exact)
        strings = array is not None and array.dtype.hasobject
        if array is None or not (
            strings or (_is_held(array.dtype) and lowered(array) is None)
        ):
            child = _Level(value, enumerate(plain), exact, len(plain), level)
            axes = text.startswith(AXES_MANAGER) and all(map(is_dict, plain))
            where: Where = "meant" if axes else "sequence"
            return level.member(
                text, where, self._group(level, child), mark(kind, "", len(plain))
            )
        if isinstance(plain[0], np.generic) and (exact or array.dtype.kind in UNITED):
            level.specs.append(["scalars"])
        node = Array(array, cells="vlen-utf8" if strings else None)
        return level.member(text, "sequence", node, mark(kind, ""))

    def _group(self, level: _Level, child: _Level) -> Group:
        """Put a container on the list of what is to be encoded; give its group."""
        above: _Level | None = level
        while above is not None:
            if above.source is child.source:
                problem = f"{a_kind(child.source)} contains itself"
                raise EncodeError(problem, level.place(), "break the cycle")
            above = above.above
        self._todo.append(child)
        return child.group

    def _narrow(self, level: _Level, value: object, plain: object) -> None:
        """Note what is stored as its plain base."""
        reason = f"stored as {type(plain).__name__}, its plain base"
        self.places.append(Place(level.place(), _name(value), reason, narrowed=True))

    def _refuse(
        self, level: _Level, value: object, problem: str, remedy: str
    ) -> object:
        """Refuse a value, or note that it is skipped."""
        where, name = level.place(), _name(value)
        if not self.skip:
            raise UnsupportedError(f"{name} {problem}", where, remedy)
        self.places.append(Place(where, name, f"{problem}; {remedy}", narrowed=False))
        return _SKIPPED


def _name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_held(dtype: Any) -> bool:
    """Tell whether Zarr holds a dtype; those of other libraries look like void."""
    if not dtype.itemsize:
        return False
    if dtype.subdtype is not None:
        return _is_held(dtype.subdtype[0])
    if dtype.names is not None:
        return all(_is_held(dtype[name]) for name in dtype.names)
    return dtype.kind in "biufcmMSUV" and np.dtype(dtype.str) == dtype
