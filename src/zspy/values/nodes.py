"""Zarr nodes in memory, as plain frozen data. No store, no bytes, no conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from .errors import expect
from .types import (
    JSON,
    ArrayLike,
    Edges,
    Node,
    NumPyArray,
    is_array,
    is_dict,
    is_sequence,
)


def same_json(a: Any, b: Any) -> bool:
    """Compare plain values type for type: 1 is not True, NaN is NaN, the order of keys counts."""
    if a is b:
        return True
    if is_array(a) and is_array(b):
        return _same_array(a, b)
    if type(a) is not type(b):
        return False
    if is_dict(a):
        return same_json([*a, *a.values()], [*b, *b.values()])
    if is_sequence(a):
        return len(a) == len(b) and all(map(same_json, a, b))
    return repr(a) == repr(b) if isinstance(a, (float, complex)) else bool(a == b)


def _same_array(a: NumPyArray, b: NumPyArray) -> bool:
    """Compare shape, dtype with its byte order, and bits, but for those that are padding."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.names is not None:
        return all(_same_array(a[name], b[name]) for name in a.dtype.names)
    if a.dtype.hasobject:
        return same_json(a.ravel().tolist(), b.ravel().tolist())
    if a.dtype.char in "gG":
        x, y = (np.stack([part.real, part.imag]) for part in (a, b))
        signs = np.array_equal(np.signbit(x), np.signbit(y))
        return signs and np.array_equal(x, y, equal_nan=True)
    return (
        a.__array_interface__ == b.__array_interface__ or a.tobytes() == b.tobytes()
    )


@dataclass(frozen=True, slots=True, eq=False)
class Array:  # noqa: PLW1641 - arrays are mutable: a node has no hash
    """An array node.

    Parameters
    ----------
    data : array-like
        A NumPy array, or a lazy array with `shape`, `dtype` and `chunks` (dask).
    attributes : mapping, optional
        The node's own attributes.
    cells : str, optional
        For arrays of dtype object, how a cell is stored: ``"vlen-utf8"`` (str), ``"msgpack2"``
        or ``"json2"`` (anything JSON), or the dtype of one-dimensional cells (``"<f8"``).
    chunks, shards : tuple of int, optional
        Shape of a chunk, and of a shard in format 3; None leaves it to whoever serialises. Not
        part of equality: they say how an array is stored, not what it is.

    Examples
    --------
    >>> Array(np.arange(3)) == Array(np.arange(3), chunks=(2,))
    True
    """

    data: ArrayLike
    attributes: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    cells: str | None = None
    chunks: Edges | None = None
    shards: Edges | None = None

    def __post_init__(self) -> None:
        _expect_mapping("attributes", self.attributes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Array):
            return NotImplemented
        return (
            self.cells == other.cells
            and same_json({**self.attributes}, {**other.attributes})
            and same_json(np.asarray(self.data), np.asarray(other.data))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Group:  # noqa: PLW1641 - its arrays are mutable
    """A group node: attributes, and members by name.

    Equality compares types and values throughout, the order of the attributes as well; the order
    of the members does not count, since stores list them in any order.

    Parameters
    ----------
    attributes : mapping, optional
        What JSON can say, by name.
    members : mapping, optional
        Groups and arrays, by name.

    Examples
    --------
    >>> Group({"a": 1}, {"b": Group()}) == Group({"a": 1}, {"b": Group()})
    True
    >>> Group({"a": 1}) == Group({"a": True})
    False
    """

    attributes: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    members: Mapping[str, Node] = field(default_factory=dict[str, Node])

    def __post_init__(self) -> None:
        _expect_mapping("attributes", self.attributes)
        _expect_mapping("members", self.members)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Group):
            return NotImplemented
        pairs: list[tuple[Node, Node]] = [(self, other)]
        while pairs:  # This is not recursive: trees may be deeper than the stack.
            a, b = pairs.pop()
            if isinstance(a, Group) and isinstance(b, Group):
                if a.members.keys() != b.members.keys():
                    return False
                if not same_json({**a.attributes}, {**b.attributes}):
                    return False
                pairs += [(a.members[name], b.members[name]) for name in a.members]
            elif a != b:
                return False
        return True

    def __getitem__(self, path: str) -> Node:
        """Give the node at a path. Raises KeyError, which says what is there instead.

        >>> Group({}, {"a": Group({}, {"b": Group({"c": 1})})})["a/b"].attributes
        {'c': 1}
        """
        node: Node = self
        for name in filter(None, str(path).split("/")):
            there: Mapping[str, Node] = getattr(node, "members", {})
            if name not in there:
                known = ", ".join(map(repr, there))[:200] or "nothing"
                raise KeyError(f"{path}: there is no {name!r}, but {known}")
            node = there[name]
        return node

    def __repr__(self) -> str:
        return f"Group({dict(self.attributes)!r}, members={sorted(self.members)!r})"


def _expect_mapping(name: str, given: object) -> None:
    if type(given) is not dict:  # this saves time: a tree has many nodes
        expect(given, Mapping, "dictionary", name, 'use {"name": value}')


def expect_group(node: object, remedy: str) -> None:
    """Refuse what is no group of nodes, each under a name."""
    expect(node, Group, "group", "group", remedy)
    todo: list[tuple[str, Any]] = [("", node)]
    while todo:
        path, here = todo.pop()
        for name in chain(here.attributes, here.members):
            expect(name, str, "name", path or "group", "use a str")
        for name, member in here.members.items():
            where = joined(path, name)
            if isinstance(member, Group):
                todo.append((where, member))
            else:
                expect(member, Array, "node", where, "use zspy.Group or zspy.Array")


def joined(path: str, name: str) -> str:
    """Give the path of a member; that of the root is empty."""
    return f"{path}/{name}" if path else name


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield every node with its path, parents before members, members in order."""
    stack = [(path, node)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, Group):
            prefix = joined(here, "")
            members = [
                (prefix + name, member) for name, member in node.members.items()
            ]
            stack.extend(reversed(members))


def rebuilt(
    root: Group, change: Callable[[Mapping[str, Node]], dict[str, Node]]
) -> Group:
    """Copy a tree of groups, with the members of each as a function gives them."""
    copy = Group(root.attributes, change(root.members))
    todo = [copy]
    while todo:
        members: Any = todo.pop().members
        for name, member in members.items():
            if isinstance(member, Group):
                members[name] = Group(member.attributes, change(member.members))
                todo.append(members[name])
    return copy


def node_at(root: Any, path: str) -> Any:
    """Give the node at a path; of an array, there is the empty one only."""
    return root[path] if path else root
