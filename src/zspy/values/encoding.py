"""Values to nodes. Pure: no store, no bytes; what cannot be stored is refused here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import tzinfo
from functools import partial
from typing import Any, Final, cast, get_args

import numpy as np

from .dtype_specs import is_held
from .errors import (
    TOLD,
    EncodeError,
    UnsupportedError,
    a_kind,
    check_choices,
    expect,
    location,
    taking,
)
from .foreign import FOREIGN_TYPES, has_unit
from .names import (
    AXES_MANAGER,
    EMPTY,
    IN_FILES,
    NONE,
    RECORD,
    SHAPES,
    SIGNAL,
    Kind,
    Naming,
    Where,
    attribute_name,
    index_names,
    mark,
    member_name,
    numbered,
)
from .nodes import Array, Group
from .ragged import Packed
from .records import key_spec, key_text, lowered, made_again
from .sequences import KEPT_AS_SCALARS, as_array, narrowed
from .signals import NoAxes, to_entries
from .types import (
    JSON,
    Lowered,
    Node,
    Place,
    Unsupported,
    Value,
    is_dict,
    is_lazy,
    is_sequence,
)

_LEAVE_OUT: Final = "leave it out with unsupported='skip'"
_STORE_PLAIN: Final = f"store a plain value instead, or {_LEAVE_OUT}"
_PLAIN: Final = frozenset(
    {float, bool, type(None), dict, list, tuple, Packed, NoAxes}
)
_SKIPPED: Final = object()
_SHALLOW: Final = 32


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
    unsupported : {"raise", "skip", "drop"}, default "raise"
        What becomes of a value of no type that zspy stores. "skip" leaves out the entry of the
        dictionary that it belongs to, so that no list comes back shorter; "drop" leaves out of a
        list or tuple only the element, as HyperSpy does. `zspy.unsupported` lists such places.
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


class _GroupBuilder:
    """Builds the group of a dictionary, a list or a tuple, one entry after the other.

    `key` and `specs` are those of the entry that is being encoded. `key_above` is the key that the
    container itself has in the one above, and `name_above` the name of its node there.
    """

    def __init__(
        self,
        source: object,
        items: Iterable[tuple[Any, Value]],
        exact: bool,
        above: _GroupBuilder | None = None,
        *,
        is_sequence: bool = False,
        naming: Naming = IN_FILES,
    ) -> None:
        self.source = source
        self.items = items
        self.exact = (
            exact  # whether sequences in it stay as they are, not homogenized
        )
        self.is_sequence = is_sequence
        self.naming: Naming = naming if above is None else above.naming
        self.above = above
        self.depth: int = above.depth + 1 if above is not None else 0
        self.key_above = None if above is None else above.key
        self.name_above = ""
        self.may_drop = above is not None and not above.specs
        self.key: Any = None
        self.specs: list[JSON] = []
        # The names of entries, each with that of its node, where it has one.
        self.names: dict[str, str | None] = {}
        # For each name, the last number that made another entry of it distinct.
        self.numbers: dict[str, int] = {}
        # The names of nodes, folded: some file systems do not tell them apart.
        self.folded: set[str] = set()
        self.keys: dict[str, JSON] = {}
        self.types: dict[str, JSON] = {}
        self.attributes: dict[str, JSON] = {}
        self.members: dict[str, Node] = {}
        self.group = Group(self.attributes, self.members)

    def location(self) -> str:
        """Give the location of the entry in the tree."""
        keys: list[object] = []
        builder: _GroupBuilder | None = self
        key = self.key
        while builder is not None:
            keys.append(int(cast("Any", key)) if builder.is_sequence else key)
            key, builder = builder.key_above, builder.above
        return location(reversed(keys))

    def attribute(
        self,
        text: str,
        value: JSON,
        kind: Kind | None = None,
    ) -> str:
        """Add an attribute, or that of an empty sequence; give the name of the entry."""
        base = attribute_name(text, "sequence" if kind else "attribute")
        name = base
        if base in self.names:
            name = numbered(base, self.numbers, self.names.__contains__)
        self.names[name] = None
        self.attributes[mark(kind, name, EMPTY) if kind else name] = value
        return name

    def member(
        self,
        text: str,
        where: Where,
        node: Node,
        prefix: str = "",
    ) -> str:
        """Add a member, whose name no other has where it is written; give that of the entry."""
        name = member_name(text, where, self.naming.escaped)
        if self.is_taken(name, prefix):
            name = numbered(
                name, self.numbers, partial(self.is_taken, prefix=prefix)
            )
        self.names[name] = key = prefix + name
        self.folded.add(self.naming.folded(key))
        self.members[key] = node
        return name

    def is_taken(self, name: str, prefix: str) -> bool:
        """Tell whether an entry has a name, or a node one that is the same where it is written."""
        return (
            name in self.names or self.naming.folded(prefix + name) in self.folded
        )

    def remove(self, name: str) -> None:
        """Take an entry back. Its group is closed already."""
        node = self.names.pop(name, None)
        if node is not None:
            del self.members[node]
            self.keys.pop(name, None)
            self.types.pop(name, None)
            self.close()

    def close(self) -> None:
        """Add the type record, if there is something to say."""
        order: list[JSON] = []
        if not self.is_sequence:
            # Reading gives the attributes, then the nodes in order of their names.
            natural = sorted(self.names, key=lambda name: self.names[name] or "")
            if natural != [*self.names]:
                order = [*self.names]
        self.attributes.pop(RECORD, None)
        if order or self.keys or self.types:
            parts: dict[str, JSON] = {
                "order": order,
                "keys": self.keys,
                "types": self.types,
            }
            parts = {part: content for part, content in parts.items() if content}
            self.attributes[RECORD] = parts


class Encoder:
    """One run of `encode`: its options, and the places that it found."""

    def __init__(
        self,
        homogenize: bool,
        unsupported: Unsupported,
        copy: bool,
        naming: Naming = IN_FILES,
        most: int | None = None,
    ) -> None:
        check_choices(
            unsupported=(unsupported, get_args(Unsupported)),
            homogenize=(homogenize, (True, False)),
            copy=(copy, (True, False)),
        )
        self.exact: bool = not homogenize
        self.unsupported = unsupported
        self.copy = copy
        self.naming = naming
        self.most = most  # of the groups of all trees
        self.groups: int = 0
        self.places: list[Place] = []
        self._todo: deque[_GroupBuilder] = deque()

    def named(self, key: str, where: Where) -> str:
        """Name a node as what is written to takes it."""
        return member_name(key, where, self.naming.escaped)

    def encode(self, value: Any) -> Group:
        """Encode one tree."""
        expect(value, Mapping, "dictionary", "value", "wrap it: {'name': value}")
        with taking("value"):
            items = value.items()
        root = _GroupBuilder(value, items, self.exact, naming=self.naming)
        self._todo = deque([root])
        builder = root
        with taking(lambda: builder.location()):  # noqa: PLW0108 - the builder changes
            # This is not recursive: trees may be deeper than the stack.
            while self._todo:
                builder = self._todo.popleft()
                for key, item in builder.items:
                    builder.key = key
                    if item.__class__ is float and builder.is_sequence:
                        builder.attributes[key] = (
                            item  # Long lists hold little else.
                        )
                    else:
                        self._encode_entry(builder, item)
                builder.close()
        return root.group

    def _encode_entry(
        self,
        builder: _GroupBuilder,
        value: Value,
    ) -> None:
        """Encode one entry of a container."""
        text = spec = key = builder.key
        if key.__class__ is not str or not key.isascii():
            key = narrowed(key)
            try:
                text, spec = key_text(key), key_spec(key)
            except (TypeError, RecursionError):
                problem = "is no key that zspy stores"
                self._refuse(builder, builder.key, problem, "use a string")
                return
            if key is not builder.key:
                self._note_narrowing(builder, builder.key, type(key).__name__)
        builder.specs = []
        try:
            plain = self._lower(builder, value)
        except RecursionError:  # There are sets within sets.
            plain = self._refuse(builder, value, "is nested too deep", _STORE_PLAIN)
        except TOLD:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the class of a stranger raises
            problem = f"raises {type(error).__name__}"
            plain = self._refuse(builder, value, problem, _STORE_PLAIN, error)
        if plain is _SKIPPED:
            self._leave_out(builder)
            return
        name = self._add(builder, text, plain, value)
        if builder.specs:
            builder.types[name] = builder.specs
        if name != spec:  # the name does not say what the key was
            builder.keys[name] = spec

    def _leave_out(self, builder: _GroupBuilder) -> None:
        """Leave out what a skipped element belongs to.

        The element itself is not added. "skip" takes back the entry of a dictionary that it
        belongs to; "drop" only sets, object arrays and the like that would not be what they were.
        """
        dropping = self.unsupported == "drop"
        while builder.is_sequence and builder.above is not None:
            if dropping and builder.may_drop:
                return
            name, builder = builder.name_above, builder.above
            if not builder.is_sequence or (dropping and builder.may_drop):
                builder.remove(name)

    def _lower(
        self,
        builder: _GroupBuilder,
        value: Value,
    ) -> Value:
        """Lower a value until the format holds it, noting the specs that bring it back."""
        while value.__class__ not in _PLAIN:
            try:
                low = lowered(value)
            except EncodeError as error:
                where = error.where or builder.location()
                raise EncodeError(error.problem, where, error.remedy) from error
            if low is not None and self._is_made_again(builder, value, low):
                if low.spec:
                    builder.specs.append(low.spec)
                if low.plain is value:
                    return value
                value = low.plain
            elif value.__class__ in (str, int):
                return value
            elif value.__class__ is np.ndarray or is_lazy(value):
                is_unknown = any(edge != edge for edge in value.shape)
                if not is_unknown and is_held(value.dtype):
                    return value
                problem = f"has the dtype {str(value.dtype)[:100]}"
                remedy = _STORE_PLAIN
                if is_unknown:
                    problem = f"has the unknown shape {value.shape}"
                    remedy = "call compute_chunk_sizes() of the dask array"
                return self._refuse(builder, value, problem, remedy)
            elif has_unit(value):
                problem = "has a unit, which would be lost"
                remedy = "store its values, and its unit beside them"
                return self._refuse(builder, value, problem, remedy)
            elif (plain := narrowed(value)) is not value:
                if value.__class__ is not np.memmap:  # It says where an array lies.
                    self._note_narrowing(builder, value, type(plain).__name__)
                value = plain
            else:
                problem = "is of no type that zspy stores"
                zone = getattr(value, "tzinfo", None)
                if isinstance(zone, tzinfo):
                    problem += f" (its zone is a {_class_name(zone)})"
                remedy = _STORE_PLAIN
                # an Index, a Series of polars; others have whatever they are asked for
                if hasattr(value.__class__, "to_numpy"):
                    remedy = f"store value.to_numpy(), or {_LEAVE_OUT}"
                return self._refuse(builder, value, problem, remedy)
        return value

    def _is_made_again(
        self,
        builder: _GroupBuilder,
        value: Value,
        low: Lowered,
    ) -> bool:
        """Tell whether reading makes it again; note the class that it is of then."""
        if low.spec and low.spec[0] in FOREIGN_TYPES:
            try:
                back = made_again(*low)
            except ValueError:
                return False
            # A registry of pint has classes of its own, with the same name, or a derived one.
            is_same = _class_name(back) == _class_name(value)
            if not is_same and not isinstance(back, type(value)):
                self._note_narrowing(builder, value, str(low.spec[0]))
        return True

    def _add(
        self,
        builder: _GroupBuilder,
        text: str,
        plain: Value,
        value: Value,
    ) -> str:
        """Add the attribute or the member of a plain value; give the name of the entry."""
        if plain is None or isinstance(plain, (str, int, float)):
            return builder.attribute(text, NONE if plain is None else plain)
        if isinstance(plain, Packed):
            return self._add_object_array(builder, text, plain)
        if isinstance(plain, NoAxes):
            name = mark("list", "", plain.dimensions)
            return builder.member(text, "sequence", Group(), name)
        if is_sequence(plain):
            return self._add_sequence(builder, text, plain, value)
        if is_dict(plain):
            where: Where = "group"
            if text.startswith(SIGNAL):
                # What is no signal is stored as the dictionary that it is.
                with suppress(TypeError, ValueError, AttributeError):
                    plain, where = to_entries(plain, nested=True), "meant"
            # What a library makes something of is not homogenized.
            is_own = any(spec != ["OrderedDict"] for spec in builder.specs)
            exact = builder.exact or is_own
            child = _GroupBuilder(value, plain.items(), exact, builder)
            return builder.member(text, where, self._add_group(builder, child))
        if plain.dtype.kind == "S":
            builder.specs.append(["S"])
        data = plain if is_lazy(plain) or not self.copy else np.array(plain)
        return builder.member(text, "array", Array(data))

    def _add_object_array(
        self,
        builder: _GroupBuilder,
        text: str,
        packed: Packed,
    ) -> str:
        """Add an object array, and the shapes of its cells."""
        cells = deepcopy(packed.cells) if self.copy else packed.cells
        node = Array(cells, cells=packed.cell_type)
        name = builder.member(text, "array", node)
        if packed.shapes is not None:
            shapes: Any = np.asarray(packed.shapes) if self.copy else packed.shapes
            beside = f"{SHAPES}{builder.names[name]}"
            builder.members[beside] = Array(shapes, cells="<i8")
        if packed.spec is not None:
            builder.specs.append(packed.spec)
        return name

    def _add_sequence(
        self,
        builder: _GroupBuilder,
        text: str,
        plain: list[Any] | tuple[Any, ...],
        value: Value,
    ) -> str:
        """Add a list or a tuple: as an array where it may be one, else as a group."""
        kind: Kind = "tuple" if isinstance(plain, tuple) else "list"
        if not plain:
            return builder.attribute(text, NONE, kind)
        exact = builder.exact or bool(builder.specs)
        array = as_array(plain, exact=exact)
        if array is not None:
            as_scalars = array.dtype.kind in KEPT_AS_SCALARS
            if not as_scalars or (is_held(array.dtype) and lowered(array) is None):
                if isinstance(plain[0], np.generic) and (exact or as_scalars):
                    builder.specs.append(["scalars"])
                cells = "vlen-utf8" if array.dtype.hasobject else None
                node = Array(array, cells=cells)
                return builder.member(text, "sequence", node, mark(kind, ""))
        items = zip(index_names(len(plain)), plain, strict=True)
        child = _GroupBuilder(value, items, exact, builder, is_sequence=True)
        axes = text.startswith(AXES_MANAGER) and all(map(is_dict, plain))
        where: Where = "meant" if axes else "sequence"
        group = self._add_group(builder, child)
        name = builder.member(text, where, group, mark(kind, "", len(plain)))
        child.name_above = name
        return name

    def _add_group(
        self,
        builder: _GroupBuilder,
        child: _GroupBuilder,
    ) -> Group:
        """Put a container on the list of what is to be encoded; give its group."""
        above: _GroupBuilder | None = builder
        # Going up to the root from each of many that are deep takes long: some do, and a cycle
        # of many levels comes by again. A short one may be in itself twice: it is found at once.
        steps = _SHALLOW if child.depth % _SHALLOW else child.depth
        while above is not None and steps:
            if above.source is child.source:
                problem = f"{a_kind(child.source)} contains itself"
                raise EncodeError(problem, builder.location(), "break the cycle")
            above = above.above
            steps -= 1
        self.groups += 1
        if self.most is not None and self.groups > self.most:
            problem = f"more nodes than are read again: {self.most}"
            remedy = "store several files, or larger arrays"
            raise EncodeError(problem, builder.location(), remedy)
        self._todo.append(child)
        return child.group

    def _note_narrowing(
        self,
        builder: _GroupBuilder,
        value: object,
        base: str,
    ) -> None:
        """Note what is stored as its plain base type."""
        reason = f"stored as {base}, its plain base"
        place = builder.location(), _class_name(value), reason
        self.places.append(Place(*place, narrowed=True))

    def _refuse(
        self,
        builder: _GroupBuilder,
        value: object,
        problem: str,
        remedy: str,
        cause: Exception | None = None,
    ) -> object:
        """Refuse a value, or note that it is left out."""
        where, kind = builder.location(), _class_name(value)
        if self.unsupported == "raise":
            raise UnsupportedError(f"{kind} {problem}", where, remedy) from cause
        reason = f"{problem}; {remedy}"
        self.places.append(Place(where, kind, reason, narrowed=False))
        return _SKIPPED


def _class_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
