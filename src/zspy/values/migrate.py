"""Older versions of the format, as pure steps on a tree of nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np

from .errors import FormatError, shown
from .names import OLD_SHAPES, SHAPES
from .nodes import Array, Group, rebuilt
from .types import Node, is_lazy

_VERSION: Final = re.compile(r"\s*v?(\d{1,9})\.(\d{1,9})[.\w+-]*\s*\Z", re.ASCII)
_KNOWN: Final = (3, 3)


def version_of(root: Group) -> tuple[int, int]:
    """Give the version of the format that a file has; raises FormatError where it has none."""
    version = root.attributes.get("file_format_version")
    found = (
        _VERSION.match(str(version)) if isinstance(version, (str, float)) else None
    )
    if found is None:
        remedy = "a .zspy file says one, like '3.3'"
        told = shown(version)[:60]
        raise FormatError(f"file_format_version is {told}", ".zattrs", remedy)
    return int(found[1]), int(found[2])


def migrated(root: Group) -> Group:
    """Bring a file of an older version to the nodes that version 3.3 has."""
    return root if version_of(root) >= _KNOWN else rebuilt(root, _with_shapes)


def newer(root: Any) -> str:
    """Say that a file is of a version that is newer than the one that zspy knows, if it is."""
    version = version_of(root)
    if version <= _KNOWN:
        return ""
    words = "the file is of version {}.{} of the format, and zspy knows 3.3"
    return (
        f"{words.format(*version)}: what is new in it may be missing; update zspy"
    )


def _with_shapes(members: Mapping[str, Node]) -> dict[str, Node]:
    """Give every object array of a group the shapes of its cells under its own name.

    Up to 3.1 one array ``ragged_shapes`` served a whole group; of several object arrays, each
    overwrote the shapes of the one before. They belong to those whose cells they fit.
    """
    shapes = members.get(OLD_SHAPES)
    if not isinstance(shapes, Array) or shapes.cells != "<i8":
        return {**members}
    found: dict[str, Node] = {}
    for name, member in members.items():
        if member is shapes:
            continue
        found[name] = member
        if (
            isinstance(member, Array)
            and member.cells not in {None, "vlen-utf8", "vlen-bytes"}
            and _fit(member.data, shapes.data)
        ):
            found[SHAPES + name] = shapes
    return found


def _fit(cells: Any, shapes: Any) -> bool:
    """Tell whether shapes are those of these cells; of lazy ones, whether they may be."""
    if cells.shape != shapes.shape:
        return False
    if is_lazy(cells) or is_lazy(shapes):
        return True
    pairs = zip(
        *(np.asarray(one).ravel().tolist() for one in (cells, shapes)), strict=True
    )
    return all(
        np.ndim(cell) and len(cell) == prod(shape.tolist()) for cell, shape in pairs
    )
