"""Object arrays: how their cells are packed, and brought back (clause 9 of the specification)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sized
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate, chain, groupby
from math import prod
from types import NoneType
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from .dtype_specs import MISFITS, dtype_spec, is_held, spec_dtype
from .errors import DAMAGED, FormatError
from .nodes import same_json
from .sequences import is_utf8
from .types import JSON, DType, Edges, NumPyArray, is_array, is_lazy

_NUMBERS: Final = frozenset("biufc")
_SCALARS: Final = frozenset({bool, int, float, complex, str})
# Bytes of cells that a record may make, besides what it makes of those that are stored.
_ALWAYS_ALLOWED: Final = 2**26
# The codes of all cells are in memory, also where the cells of a lazy array are not.
_MOST_CODES: Final = 2**24
_MOST_EDGES: Final = 64  # as NumPy has them
# Cells that are no arrays, by what the record has before the dtype that they are stored in.
_CONTAINERS: Final[dict[str, type]] = {
    "None": NoneType,
    "list": list,
    "tuple": tuple,
}
_CHANGED: Final = "the array was changed without its shapes"


class Packed(NamedTuple):
    """An object array as the format stores it.

    `cells` holds one-dimensional arrays (lists of str where `cell_type` is ``msgpack2``, str where
    it is ``vlen-utf8``), `shapes` the shape of each as int64, and `spec` what the cells were, where
    that differs.
    """

    cells: NumPyArray
    shapes: RaggedCells | None
    cell_type: str
    spec: list[JSON] | None


@dataclass(frozen=True, slots=True, eq=False)
class RaggedCells:
    """An object array whose cells still lie end to end in `values`, with where they end.

    >>> np.asarray(RaggedCells(np.arange(3), np.array([0, 1, 3]), (2, 1)))
    array([[array([0])],
           [array([1, 2])]], dtype=object)
    """

    values: NumPyArray
    ends: NumPyArray
    """Where each cell ends, behind a zero."""
    shape: Edges
    dtype: ClassVar[DType] = np.dtype(object)

    def __array__(
        self,
        dtype: Any = None,
        copy: bool | None = None,
    ) -> NumPyArray:
        ends = self.ends.tolist()
        # This takes no step in Python for each cell.
        cells = map(self.values.__getitem__, map(slice, ends, ends[1:]))
        return object_array(cells, self.shape)


def object_array(values: Iterable[Any], shape: Edges) -> NumPyArray:
    """Make an object array of these cells, whatever they are, in C order.

    >>> object_array([[1], [2, 3]], (2,))
    array([list([1]), list([2, 3])], dtype=object)
    """
    return np.fromiter(values, dtype=object, count=prod(shape)).reshape(shape)


def ends_of(cells: Iterable[Sized]) -> NumPyArray:
    """Tell where each of some cells ends when they lie end to end, behind a zero.

    >>> ends_of(["ab", "", "c"])
    array([0, 2, 2, 3])
    """
    return np.fromiter(accumulate(map(len, cells), initial=0), np.int64)


def pack(array: NumPyArray) -> Packed | None:
    """Pack an object array, or give None where its cells are no strings and no plain arrays.

    Parameters
    ----------
    array : array of dtype object, any shape
        Its cells: none, or all str; or arrays of numbers, of fields of numbers, of one kind of
        time, of bytes or of str, of any shape, lists and tuples of scalars of one type, and None.

    Returns
    -------
    Packed or None

    Examples
    --------
    >>> packed = pack(object_array([np.arange(2), np.zeros((1, 2))], (2,)))
    >>> packed.cell_type, packed.cells[0], np.asarray(packed.shapes)[1]
    ('<f8', array([0., 1.]), array([1, 2]))
    """
    flat: list[Any] = array.ravel().tolist()
    kinds = {*map(type, flat)}
    if kinds <= {str}:
        if not is_utf8("".join(flat)):
            return None
        return Packed(array, None, "vlen-utf8", None)
    if not kinds <= {np.ndarray, *_CONTAINERS.values()}:
        return None
    rows: list[Any] = flat
    dtypes: set[DType] = set()
    if kinds == {np.ndarray}:
        dtypes = {cell.dtype for cell in flat}
    if not dtypes or any(dtype.names for dtype in dtypes):
        rows = [*map(_row, flat)]
        dtypes = {row.dtype for row in rows if row is not None}
    common = _common(dtypes)
    if common is None:
        return None
    needs_record = rows is not flat or dtypes != {common}
    if needs_record:
        rows = [np.empty(0) if row is None else row for row in rows]
    stored = [_cast(row, common) for row in rows] if needs_record else rows
    cells: list[Any] = [cell.ravel() for cell in stored]
    cell_type = common.str
    if common.kind == "U":
        cell_type = "msgpack2"
        cells = [cell.tolist() for cell in cells]
        if not is_utf8("".join(map("".join, cells))):
            return None
        # Reading makes arrays of the lists of str, as narrow as the longest string.
        pairs = zip(cells, stored, strict=True)
        stored = [np.array(cell).reshape(one.shape) for cell, one in pairs]
        needs_record = needs_record or any(cell.dtype != common for cell in stored)
    spec: list[Any] | None = None
    if needs_record:
        codes = [*map(_code, flat, rows)]
        with suppress(*MISFITS):
            if same_json(_recast(stored, codes), flat):
                spec = [
                    "cells",
                    *([code, len([*run])] for code, run in groupby(codes)),
                ]
        if spec is None:
            return None
    shapes = _shapes_of(rows, array.shape)
    return Packed(object_array(cells, array.shape), shapes, cell_type, spec)


def _row(cell: Any) -> Any:
    """Give a cell as an array that has no fields; None where there is nothing in it."""
    if is_array(cell):
        return _without_fields(cell)
    if not cell:
        return None
    is_plain = {*map(type, cell)} <= _SCALARS
    # An array of objects is not packed.
    return np.array(cell if is_plain else None)


def _shapes_of(rows: list[NumPyArray], shape: Edges) -> RaggedCells:
    """Give the shapes of cells as cells of int64."""
    shapes = [row.shape for row in rows]
    ends = ends_of(shapes)
    edges = np.fromiter(chain.from_iterable(shapes), np.int64, ends[-1])
    return RaggedCells(edges, ends, shape)


def unpack(
    cells: NumPyArray | RaggedCells,
    shapes: NumPyArray | RaggedCells | None,
    codes: NumPyArray | None = None,
    where: str = "",
) -> NumPyArray:
    """Undo `pack`. Raises FormatError where a cell does not have its shape.

    Parameters
    ----------
    cells, shapes : arrays of dtype object, of one shape
    codes : array of dtype object, optional
        The dtype that each cell had, or None where there was no array: `cell_codes`.
    where : str
        The path of the array.

    Examples
    --------
    >>> packed = pack(object_array([np.eye(2), None], (2,)))
    >>> unpack(packed.cells, packed.shapes, cell_codes(packed.spec, (2,)))
    array([array([[1., 0.],
                  [0., 1.]]), None], dtype=object)
    """
    at_once = None
    if isinstance(cells, RaggedCells) and isinstance(shapes, RaggedCells):
        at_once = reshaped(cells, shapes)
    flat: list[Any] = np.asarray(at_once or cells).ravel().tolist()
    if shapes is not None and at_once is None:
        try:
            flat = _reshaped_one_by_one(flat, np.asarray(shapes), cells.shape)
        except ValueError as error:
            raise FormatError(str(error), where, _CHANGED) from error
    if codes is not None:
        # A record of other cells changes nothing.
        with suppress(*MISFITS):
            flat = _recast(flat, codes.ravel().tolist())
    return object_array(flat, cells.shape)


def _reshaped_one_by_one(
    cells: list[Any],
    shapes: NumPyArray,
    shape: Edges,
) -> list[NumPyArray]:
    """Give the cells of an array of some shape their own shapes."""
    rows: list[Any] = shapes.ravel().tolist()
    if shapes.shape != shape or {*map(type, rows)} - {np.ndarray}:
        raise ValueError(
            "the shapes of the cells are of another shape than the cells"
        )
    if any(row.ndim != 1 or row.dtype.kind not in "iu" for row in rows):
        raise ValueError("the shape of a cell is no list of integers")
    if rows and np.concatenate(rows).min(initial=0) < 0:
        # NumPy would take a negative edge for one that it has to find.
        raise ValueError("a cell has a negative length")
    # Both are empty where their chunks are not stored.
    return [
        np.asarray(cell).reshape(row.tolist() or (() if np.size(cell) else 0))
        for cell, row in zip(cells, rows, strict=True)
    ]


def cell_codes(spec: JSON, shape: Edges) -> NumPyArray | None:
    """Give the dtype of each cell by the record, or None where it does not speak of such an array.

    >>> cell_codes(["cells", ["<f8", 1], [None, 2]], (3,))
    array(['<f8', None, None], dtype=object)
    """
    codes: list[str | None] = []
    count = prod(shape)
    for run in spec[1:] if isinstance(spec, list) else []:
        match run:
            case [str() | None as code, int(number)] if (
                0 < number <= count - len(codes)
            ):
                codes += [code] * number
            case _:
                return None
    return object_array(codes, shape) if len(codes) == count else None


def _recast(cells: list[NumPyArray], codes: list[Any]) -> list[Any]:
    """Make of each cell what it was. Raises where that would be stored in another way."""
    types = {code: _cell_type(code) for code in {*codes}}
    bytes_left = _ALWAYS_ALLOWED + 64 * sum(cell.nbytes for cell in cells)
    out: list[Any] = []
    for cell, code in zip(cells, codes, strict=True):
        container, dtype = types[code]
        if container and cell.ndim != 1:
            raise ValueError("a list that has another shape")
        if dtype is None:
            if cell.size:
                raise ValueError("a cell that was empty")
            out.append(container())
            continue
        # A dtype of str may be wide, and its cells empty.
        bytes_left -= cell.size * dtype.itemsize
        if bytes_left < 0:
            raise ValueError("cells of more bytes than a record may make")
        original = _with_fields(cell, dtype) if dtype.names else _cast(cell, dtype)
        if not same_json(_cast(_without_fields(original), cell.dtype), cell):
            raise ValueError("another cell")
        out.append(container(original.tolist()) if container else original)
    return out


def _code(cell: Any, row: NumPyArray) -> str | None:
    """Say what a cell was: None, an array of some dtype, or a list."""
    if cell is None:
        return None
    if not is_array(cell):
        return f"{type(cell).__name__}:{row.dtype.str if cell else ''}"
    spec = dtype_spec(cell.dtype)
    return spec if isinstance(spec, str) else f"fields:{json.dumps(spec)}"


def _cell_type(code: str | None) -> tuple[Any, DType | None]:
    """Undo `_code`: the class of what is no array, and a dtype, where there is one."""
    kind, colon, name = ("None:" if code is None else code).partition(":")
    if not colon:
        return None, spec_dtype(kind)
    if kind == "fields":
        return None, spec_dtype(json.loads(name))
    return _CONTAINERS[kind], spec_dtype(name) if name else None


def _without_fields(cell: NumPyArray) -> NumPyArray:
    """Give an array with fields as one of numbers, with the fields along a last dimension.

    Releases show such cells. Where a field is no number, the cell stays as it is.
    """
    columns = [cell[name] for name in cell.dtype.names or ()]
    if not columns or any(
        one.dtype.kind not in _NUMBERS or one.shape != cell.shape for one in columns
    ):
        return cell
    common = np.result_type(*(one.dtype for one in columns))
    return np.stack([_cast(one, common) for one in columns], -1)


def _with_fields(cell: NumPyArray, dtype: DType) -> NumPyArray:
    """Undo `_without_fields`. Raises ValueError where the cell is another one."""
    names = dtype.names or ()
    if not cell.ndim or cell.shape[-1] != len(names):
        raise ValueError("a cell without these fields")
    original = np.zeros(cell.shape[:-1], dtype)
    for index, name in enumerate(names):
        original[name] = _cast(cell[..., index], dtype[name])
    return original


def _common(dtypes: set[DType]) -> DType | None:
    """Give one dtype for all cells, or None where the format has none."""
    kinds = {dtype.kind for dtype in dtypes}
    if len(dtypes) == 1:
        (common,) = dtypes
    elif kinds and (kinds <= _NUMBERS or kinds in ({"S"}, {"U"})):
        common = np.result_type(*dtypes)
    else:
        return None  # They have several units or lengths.
    if common.char in "gG":
        # The object codecs hold no long doubles of the other byte order.
        common = common.newbyteorder("=")
    # NumPy does not keep the byte order of times without a unit.
    is_packable = common.names is None and common.str not in {">m8", ">M8"}
    return common if is_packable and is_held(common) else None


def _cast(cell: NumPyArray, dtype: DType) -> NumPyArray:
    if cell.dtype == dtype:
        return cell
    if cell.dtype.kind == "c" and dtype.kind != "c":
        cell = cell.real  # NumPy would warn of the part that is dropped.
    with np.errstate(all="ignore"):
        return cell.astype(dtype)


def reshaped(cells: RaggedCells, shapes: RaggedCells) -> RaggedCells | None:
    """Give cells their shapes at once, or None where these differ in more than their first edge."""
    count = max(prod(cells.shape), 1)
    rank = len(shapes.values) // count
    ranks = np.arange(0, rank * count + 1, rank or 1)
    is_table = shapes.values.dtype.kind == "i" and np.array_equal(
        shapes.ends, ranks
    )
    is_rank = 0 < rank <= _MOST_EDGES
    if cells.shape != shapes.shape or not is_rank or not is_table:
        return None
    table = shapes.values.reshape(count, rank)
    tail: list[int] = table[0, 1:].tolist()
    size = prod(tail)
    if not 0 < size < 2**62 or not (table[:, 1:] == tail).all():
        return None
    first_edges, remainders = np.divmod(np.diff(cells.ends), size)
    if remainders.any() or not np.array_equal(first_edges, table[:, 0]):
        return None
    values = cells.values.reshape(-1, *tail)
    return RaggedCells(values, cells.ends // size, cells.shape)


def unpacked(data: Any, shapes: Any, spec: JSON, where: str) -> Any:
    """Bring the cells of an object array into their shapes; of a lazy one, block by block."""
    if shapes is not None and shapes.shape != data.shape:
        # A file that grows has the shapes of cells that are not there yet. None are computed.
        pairs = zip(shapes.shape, data.shape, strict=False)
        is_more = all(have >= size for have, size in pairs)
        if not is_more or len(shapes.shape) != len(data.shape):
            problem = f"{data.shape} cells, and the shapes of {shapes.shape}"
            raise FormatError(problem, where, _CHANGED)
        more = shapes if is_lazy(shapes) else np.asarray(shapes)
        shapes = more[tuple(map(slice, data.shape))]
    codes: Any = None
    if isinstance(spec, list) and spec[:1] == ["cells"]:
        if is_lazy(data) and data.size > _MOST_CODES:
            problem = f"a record of what more than {_MOST_CODES} cells were"
            raise FormatError(problem, where, DAMAGED)
        codes = cell_codes(spec, data.shape)
    if shapes is codes is None:  # Cells of a flat array have their shapes.
        return data if is_lazy(data) else np.asarray(data)
    if not is_lazy(data):
        return unpack(data, shapes, codes, where)
    # There is a lazy array, so there is dask.
    da: Any = import_module("dask.array")
    blocks: list[Any] = []
    for part in (shapes, codes):
        if part is not None and not is_lazy(part):
            part = da.from_array(np.asarray(part), data.chunks)
        blocks.append(part if part is None else part.rechunk(data.chunks))
    meta = np.empty((), object)
    return da.map_blocks(
        unpack, data, *blocks, where=where, dtype=object, meta=meta
    )
