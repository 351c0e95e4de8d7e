"""Ragged arrays as format 3 holds them: cells end to end, with offsets. Pure.

Clause 9.6 of the specification says how they are laid out.

Format 3 has no codec of cells that are arrays. They become a flat array of all their elements, and
a second one of where each cell begins: the rows of a matrix in the layout CSR. Their shapes become
the further dimensions of the flat array where they differ in the first edge only; otherwise they
are an array of cells themselves, which is stored in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any, Final

import numpy as np

from ..values.errors import DAMAGED, EncodeError, FormatError
from ..values.names import ENCODING, KIND, NAV_SHAPE, OFFSETS, SHAPES, is_flat
from ..values.nodes import Array, Group, joined, rebuilt
from ..values.ragged import RaggedCells, ends_of, object_array, reshaped
from ..values.types import JSON, Edges, Node, NumPyArray, is_lazy
from .cells import runs_of
from .chunk_shapes import chunk_shape
from .codecs import DOCUMENT_CELLS
from .dtypes import OBJECT, STRING_TYPES, parse_shape

# Chunks have so many bytes, so that cores share the work.
_CHUNK_BYTES: Final = 2**22


def flattened(node: Node) -> Node:
    """Replace object arrays of cells by flat ones with offsets, which format 3 can hold."""
    return node if isinstance(node, Array) else rebuilt(node, _with_flat_arrays)


def _with_flat_arrays(members: Mapping[str, Node]) -> dict[str, Node]:
    """Replace the arrays of cells among members, each together with the one of its shapes."""
    flat: dict[str, Node] = {}
    for name, member in members.items():
        if (cells := _array_of_cells(member)) is None:
            flat[name] = member
        elif not name.startswith(SHAPES) or not _array_of_cells(
            members.get(name.removeprefix(SHAPES))
        ):
            flat |= _flat_nodes(
                name, cells, _array_of_cells(members.get(SHAPES + name))
            )
    return flat


def _array_of_cells(node: Node | None) -> Array | None:
    """Give an array of cells that format 3 does not hold, or None."""
    if not isinstance(node, Array) or node.cells in (None, *STRING_TYPES):
        return None
    return node


def _flat_nodes(name: str, array: Array, shapes: Array | None) -> dict[str, Node]:
    """Give the cells of an array end to end, with their offsets, and their shapes where needed."""
    cell_type = str(array.cells)
    marks: dict[str, JSON] = {ENCODING: "csr", NAV_SHAPE: [*array.data.shape]}
    if cell_type in DOCUMENT_CELLS:
        cells = np.asarray(array.data).ravel().tolist()
        if not all(isinstance(cell, list) for cell in cells):
            raise EncodeError(
                f"cells of {cell_type} that are no lists of str", name, "use encode"
            )
        texts = [text for cell in cells for text in cell]
        values, kind = object_array(texts, (len(texts),)), cell_type
        ends = ends_of(cells)
    else:
        values, ends = _end_to_end(array, name)
        kind = "bare"

    def nodes(
        values: NumPyArray, ends: NumPyArray, **more: JSON
    ) -> dict[str, Node]:
        attributes = {**array.attributes, **marks, **more}
        text, tail = values.dtype == OBJECT, range(1, values.ndim)
        chunks = (
            None
            if text
            else chunk_shape(values.shape, values.itemsize, tail, _CHUNK_BYTES)
        )
        flat = Array(values, attributes, "vlen-utf8" if text else None, chunks)
        return {name: flat, OFFSETS + name: Array(ends)}

    plain = nodes(values, ends, **{KIND: kind})
    if shapes is None:
        return plain
    if kind == "bare" and shapes.cells == "<i8" and not shapes.attributes:
        runs = _end_to_end(shapes, SHAPES + name)
        shaped = reshaped(
            RaggedCells(values, ends, array.data.shape),
            RaggedCells(*runs, shapes.data.shape),
        )
        if shaped is not None:
            return nodes(shaped.values, shaped.ends)
    return plain | _flat_nodes(SHAPES + name, shapes, None)


def _end_to_end(array: Array, name: str) -> tuple[NumPyArray, NumPyArray]:
    """Give cells of a dtype end to end, and where they end."""
    if isinstance(array.data, RaggedCells):
        return array.data.values, array.data.ends
    try:
        return runs_of(np.asarray(array.data), str(array.cells))
    except ValueError as error:
        raise EncodeError(str(error), name, "use encode") from error


def unflatten(groups: Mapping[str, Group], with_shapes: bool) -> None:
    """Bring flat ragged arrays in groups back into cells, in place; lazy ones are left alone.

    With `with_shapes`, cells get their shapes at once where that saves time.
    """
    for path, group in groups.items():
        members: Any = group.members
        for name, values in [*group.members.items()]:
            if not isinstance(values, Array) or not is_flat(values.attributes):
                continue
            if name.startswith(OFFSETS) or is_lazy(values.data):
                continue
            offsets = members.pop(OFFSETS + name, None)
            try:
                if not isinstance(offsets, Array):
                    raise TypeError("a ragged array without its offsets")
                members[name], shapes = _cells(
                    values, np.asarray(offsets.data), with_shapes
                )
            except (ValueError, TypeError) as error:
                where = joined(path, name)
                raise FormatError(str(error), where, DAMAGED) from error
            if shapes is not None:
                members.setdefault(SHAPES + name, shapes)


def _cells(
    values: Array, offsets: NumPyArray, with_shapes: bool
) -> tuple[Array, Array | None]:
    """Bring a flat ragged array into cells; give their shapes too where these may not be stored.

    With `with_shapes`, the cells have them.
    """
    attributes, data = dict(values.attributes), np.asarray(values.data)
    nav = shape_of_cells(attributes, offsets, data.shape)
    _, _, kind = (
        attributes.pop(name, None) for name in (ENCODING, NAV_SHAPE, KIND)
    )
    offsets = offsets[: prod(nav) + 1]
    rows = [data[start:end] for start, end in pairwise(offsets.tolist())]
    if with_shapes and kind is None and data.dtype != OBJECT:
        return Array(object_array(rows, nav), attributes), None
    if data.dtype == OBJECT:
        cell_type = str(kind) if kind in DOCUMENT_CELLS else "msgpack2"
        array = Array(
            object_array((row.tolist() for row in rows), nav), attributes, cell_type
        )
    else:
        bare = object_array((row.reshape(-1) for row in rows), nav)
        array = Array(bare, attributes, data.dtype.str)
    if kind is not None:
        return array, None
    sizes = np.empty((len(rows), data.ndim), np.int64)
    sizes[:, 0], sizes[:, 1:] = np.diff(offsets), data.shape[1:]
    return array, Array(object_array(sizes, nav), cells="<i8")


def shape_of_cells(
    attributes: Mapping[str, JSON], offsets: NumPyArray, shape: Edges
) -> Edges:
    """Give the shape of the array of cells that a flat one, of a shape, and its offsets stand for.

    Raises ValueError where the offsets do not divide it so.
    """
    nav = parse_shape(attributes.get(NAV_SHAPE), 0)
    if attributes[ENCODING] != "csr":
        raise ValueError(
            f"the ragged encoding {attributes[ENCODING]!r} is not known"
        )
    cells = prod(nav)
    fit = offsets.ndim == 1 and offsets.dtype.kind in "iu" and shape != ()
    # A file that grows has the offsets of more cells for a moment.
    fit = fit and len(offsets) > cells and offsets[0] == 0
    fit = fit and offsets[cells] == shape[0]
    if not fit or (offsets[1 : cells + 1] < offsets[:cells]).any():
        raise ValueError("the offsets do not fit the ragged array")
    offsets[1 : cells + 1].reshape(nav)  # NumPy may not have this shape.
    return nav
