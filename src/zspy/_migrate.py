"""Floor 3: older versions of the format, as pure steps on a tree of nodes."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from ._keys import OLD_SHAPES, SHAPES
from ._node import Array, Group
from .errors import FormatError
from .typing import JSON, Node

_VERSION: Final = re.compile(r"\s*v?(\d+)\.(\d+)[.\w+-]*\s*\Z")


def version_of(root: Group) -> tuple[int, int]:
    """Give the version of the format that a file has.

    Raises
    ------
    FormatError
        If it has none, or what it has is no version.
    """
    version: JSON = root.attributes.get("file_format_version")
    text = str(version) if isinstance(version, (str, float)) else ""
    found = _VERSION.match(text)
    if found is None:
        raise FormatError(f"file_format_version is {version!r}", ".zattrs", "a version looks like '3.3'")
    return int(found[1]), int(found[2])


def migrated(root: Group) -> Group:
    """Bring a file of an older version to the nodes that version 3.3 has."""
    if version_of(root) >= (3, 3):
        return root
    return _with_shapes(root)


def _with_shapes(root: Group) -> Group:
    """Give every object array the shapes of its cells under its own name.

    Up to 3.1 one array ``ragged_shapes`` served a whole group; of several object arrays, each
    overwrote the shapes of the one before. They belong to those whose cells they fit.
    """
    copy = Group(root.attributes, {})
    todo = [(root, copy)]
    while todo:
        source, target = todo.pop()
        members: Any = target.members
        shapes = source.members.get(OLD_SHAPES)
        old = shapes if isinstance(shapes, Array) and shapes.cells is not None else None
        for name, member in source.members.items():
            if isinstance(member, Group):
                members[name] = Group(member.attributes, {})
                todo.append((member, members[name]))
            elif member is not old:
                members[name] = member
                if old is not None and member.cells is not None and _fit(member, old):
                    members[SHAPES + name] = old
    return copy


def _fit(array: Array, shapes: Array) -> bool:
    """Tell whether shapes are those of these cells."""
    cells: Node = array
    if not isinstance(cells.data, np.ndarray) or not isinstance(shapes.data, np.ndarray):
        return tuple(cells.data.shape) == tuple(shapes.data.shape)
    if cells.data.shape != shapes.data.shape:
        return False
    pairs = zip(cells.data.ravel().tolist(), shapes.data.ravel().tolist(), strict=True)
    return all(np.size(cell) == int(np.prod(shape)) for cell, shape in pairs)
