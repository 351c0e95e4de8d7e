"""The lines of a tree: its nodes, and the values in them as they were given. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from ..values.decoding import decode
from ..values.errors import FormatError
from ..values.names import (
    NONE,
    OFFSETS,
    RECORD,
    SHAPES,
    by_index,
    unmark,
)
from ..values.nodes import Array, Group, joined
from ..values.types import Node
from .text import (
    LONGEST,
    Paint,
    printable,
    type_text,
    value_text,
    where_of,
)
from .tree import Tree, found_at, is_read, node_text

_FORK: Final = "├── "
_LAST: Final = "└── "
_DOWN: Final = "│   "
_BLANK: Final = "    "
_SHORTEST: Final = 16  # characters of a value
_DEEPEST: Final = (
    400  # characters before a name: what lies deeper begins there as well
)


_Row: TypeAlias = tuple[str, str, object]
"""The name that is shown, the path in the file, and the node or the value that is there."""


def tree_lines(
    tree: Tree,
    path: str,
    depth: int | None,
    paint: Paint,
    *,
    stored: bool = False,
    width: int = 2 * LONGEST,
) -> Iterator[str]:
    """Render the tree below a path as text, one line a node or value.

    Names and values are those that were given, or with `stored` those that the file has.
    """
    path, node = found_at(tree, path)
    # What stands before all rows of a node is held once: there may be very many of them.
    todo: list[tuple[str, str, str, _Row, int]] = []
    todo.append(("", "", "", (f"/{path}", path, node), 0))
    while todo:
        above, fork, down, (name, here, item), level = todo.pop()
        lead = above + fork
        if not isinstance(item, (Group, Array)):
            space = max(width - len(lead) - len(name) - 2, _SHORTEST)
            value = value_text(item, min(space, LONGEST))
            yield f"{lead}{paint(printable(name), 'key')}: {value}"
            continue
        yield f"{lead}{_node_line(tree, name, here, item, paint)}"
        rest = above if len(above) > _DEEPEST else above + down
        is_given = isinstance(item, Group) and not stored
        rows: Any = _given_rows if is_given else _stored_rows
        inner: list[_Row] = rows(here, item)
        if depth is not None and level >= depth and inner:
            yield f"{rest}{_LAST}{paint(f'… {len(inner)} more', 'note')}"
            continue
        branches = [(_FORK, _DOWN)] * (len(inner) - 1) + [(_LAST, _BLANK)]
        for branch, row in reversed([*zip(branches, inner, strict=False)]):
            todo.append((rest, *branch, row, level + 1))


def _node_line(tree: Tree, name: str, path: str, node: Node, paint: Paint) -> str:
    colour = "group" if isinstance(node, Group) else "array"
    kind = type_text(path.rpartition("/")[2], node)
    said = node_text(tree, path, node, kind)
    return f"{paint(printable(name), colour)} {paint(said, 'note')}"


def _stored_rows(path: str, node: Node) -> list[_Row]:
    """List attributes and members under the names that they have in the file."""
    rows: list[_Row] = [(key, path, one) for key, one in node.attributes.items()]
    members: Mapping[str, Node] = node.members if isinstance(node, Group) else {}
    names = sorted(members, key=by_index)
    return rows + [(name, joined(path, name), members[name]) for name in names]


def _given_rows(path: str, group: Group) -> list[_Row]:
    """List what a group holds as it was given: values, and then arrays and groups."""
    small = {
        name: member
        for name, member in group.members.items()
        if unmark(name, where_of(member)) is not None and is_read(member)
    }
    try:
        values: dict[Any, Any] = decode(Group(group.attributes, small))
    except FormatError:
        small = {}
        values = _attributes(group)
    rows: list[_Row] = [
        (key if isinstance(key, str) else value_text(key), path, value)
        for key, value in values.items()
    ]
    for name in sorted(group.members, key=by_index):
        if name in small or name.startswith((SHAPES, OFFSETS)):
            continue
        member = group.members[name]
        marked = unmark(name, where_of(member))
        rows.append((marked[1] if marked else name, joined(path, name), member))
    return rows


def _attributes(group: Group) -> dict[str, Any]:
    """Give the attributes of a group that cannot be decoded."""
    return {
        key: None if value == NONE else value
        for key, value in group.attributes.items()
        if key != RECORD
    }
