"""Floor 1: Zarr nodes in memory, as plain frozen data. No store, no bytes, no conversion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .typing import JSON, ArrayLike, Node


def same_cells(a: Any, b: Any) -> bool:
    """Compare two cells of object arrays, type for type."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and same_array(a, b)
    return type(a) is type(b) and bool(a == b)


def same_array(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Compare two arrays bit for bit: shape, dtype and values (NaN equals itself)."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.hasobject:
        return all(map(same_cells, a.ravel().tolist(), b.ravel().tolist()))
    return a.tobytes() == b.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Array:
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
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Array):
            return NotImplemented
        return (
            self.cells == other.cells
            and same_json(self.attributes, other.attributes)
            and same_array(np.asarray(self.data), np.asarray(other.data))
        )

    __hash__ = None  # type: ignore[assignment]  # arrays are mutable

    def _repr_html_(self) -> str:
        from ._html import node_html  # only notebooks ask for it

        return node_html(self)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group node: attributes, and members by name.

    Equality compares types and values throughout, the order of the attributes as well; the order
    of the members does not count, since stores list them in any order.

    Examples
    --------
    >>> Group({"a": 1}, {"b": Group()}) == Group({"a": 1}, {"b": Group()})
    True
    >>> Group({"a": 1}) == Group({"a": True})
    False
    """

    attributes: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    members: Mapping[str, Node] = field(default_factory=dict[str, Node])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Group):
            return NotImplemented
        stack: list[tuple[Group, Group]] = [(self, other)]
        while stack:  # not recursive: trees may be deeper than the interpreter's stack
            a, b = stack.pop()
            if not same_json(a.attributes, b.attributes) or a.members.keys() != b.members.keys():
                return False
            for name, x in a.members.items():
                y = b.members[name]
                if isinstance(x, Group) and isinstance(y, Group):
                    stack.append((x, y))
                elif x != y:
                    return False
        return True

    __hash__ = None  # type: ignore[assignment]  # its arrays are mutable

    def __repr__(self) -> str:
        return f"Group({dict(self.attributes)!r}, members={sorted(self.members)!r})"

    def _repr_html_(self) -> str:
        from ._html import node_html  # only notebooks ask for it

        return node_html(self)


def same_json(a: object, b: object) -> bool:
    """Compare JSON values type for type: 1 is not True, NaN equals itself, order counts."""
    if type(a) is not type(b):
        return isinstance(a, Mapping) and isinstance(b, Mapping) and same_json({**a}, {**b})
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(map(same_json, a.values(), b.values()))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return repr(a) == repr(b)
    return bool(a == b)


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield every node with its path, parents before members, members in order."""
    stack = [(path, node)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, Group):
            prefix = f"{here}/" if here else ""
            stack.extend((prefix + name, member) for name, member in reversed(node.members.items()))
