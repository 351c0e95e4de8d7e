"""Object arrays: how their cells are packed, and brought back (FORMAT 6 and 9.5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, groupby, pairwise
from math import prod
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from .errors import FormatError
from .records import MISFITS, dtype_spec, spec_dtype
from .types import JSON, NumPyArray, is_lazy

_NUMBERS: Final = frozenset("biufc")
_ALONE: Final = frozenset("mMSUV")
_SCALARS: Final = frozenset({bool, int, float, complex, str})
_ALWAYS_ALLOWED: Final = 2**26  # bytes
# dtypes of cells, which are in memory while the cells of a lazy array are not
_MOST_CODES: Final = 2**24
# cells that are no arrays: how the record calls them, before the dtype that they are stored in
_LISTS: Final[dict[type, str]] = {list: "list:", tuple: "tuple:"}
_FIELDS: Final = "fields:"  # before the dtype of an array with fields, as JSON


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
    ends: NumPyArray  # from zero
    shape: tuple[int, ...]
    dtype: ClassVar[np.dtype[Any]] = np.dtype(object)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumPyArray:
        cells = (
            self.values[start:end] for start, end in pairwise(self.ends.tolist())
        )
        return object_array(cells, self.shape)


def object_array(values: Iterable[Any], shape: tuple[int, ...]) -> NumPyArray:
    """Make an object array of these cells, whatever they are, in C order.

    >>> object_array([[1], [2, 3]], (2,))
    array([list([1]), list([2, 3])], dtype=object)
    """
    return np.fromiter(values, dtype=object, count=prod(shape)).reshape(shape)


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
        if not _is_utf8("".join(flat)):
            return None
        return Packed(array, None, "vlen-utf8", None)
    rows: list[Any] = flat
    if kinds & _LISTS.keys():
        rows = [_row(cell) if type(cell) in _LISTS else cell for cell in flat]
    if {*map(type, rows)} - {np.ndarray, type(None)}:
        return None
    dtypes: set[np.dtype[Any]] = {row.dtype for row in rows if row is not None}
    if any(dtype.names for dtype in dtypes):
        rows = [row if row is None else _without_fields(row) for row in rows]
        dtypes = {row.dtype for row in rows if row is not None}
    common = _common(dtypes)
    if common is None:
        return None
    needs_no_record = rows is flat and dtypes == {common} and kinds == {np.ndarray}
    if not needs_no_record:
        rows = [np.empty(0, common) if row is None else row for row in rows]
    cells: list[Any] = rows
    if dtypes != {common}:
        cells = [_cast(row, common) for row in rows]
        if not all(map(_keeps, cells, rows)):
            return None
    cell_type = common.str
    cells = [cell.ravel() for cell in cells]
    if common.kind == "U":
        cell_type = "msgpack2"
        cells = [cell.tolist() for cell in cells]
        # reading makes arrays of the lists of str, as narrow as the longest string
        read_back = [np.array(cell) for cell in cells]
        if any(cell.dtype != common for cell in read_back):
            needs_no_record = False
        if not _is_utf8("".join(map("".join, cells))):
            return None
        if _size(rows) > _most_bytes(read_back):
            return None
    spec: list[JSON] | None = None
    if not needs_no_record:
        codes = map(_code, flat, rows)
        runs: list[JSON] = [[code, len([*run])] for code, run in groupby(codes)]
        spec = ["cells", *runs]
    packed = object_array(cells, array.shape)
    return Packed(packed, _shapes_of(rows, array.shape), cell_type, spec)


def _shapes_of(rows: list[NumPyArray], shape: tuple[int, ...]) -> RaggedCells:
    """Give the shapes of cells as cells of int64."""
    shapes = [row.shape for row in rows]
    ends = np.cumsum([0, *map(len, shapes)])
    edges = np.fromiter(chain.from_iterable(shapes), np.int64, ends[-1])
    return RaggedCells(edges, ends, shape)


def unpack(
    cells: NumPyArray | RaggedCells,
    shapes: NumPyArray | RaggedCells | None,
    codes: NumPyArray | None = None,
) -> NumPyArray:
    """Undo `pack`. Raises ValueError where a cell does not have its shape.

    Parameters
    ----------
    cells, shapes : arrays of dtype object, of one shape
    codes : array of dtype object, optional
        The dtype that each cell had, or None where there was no array: `cell_codes`.

    Examples
    --------
    >>> packed = pack(object_array([np.eye(2), None], (2,)))
    >>> unpack(packed.cells, packed.shapes, cell_codes(packed.spec, (2,)))
    array([array([[1., 0.],
                  [0., 1.]]), None], dtype=object)
    """
    at_once: RaggedCells | None = None
    if isinstance(cells, RaggedCells) and isinstance(shapes, RaggedCells):
        at_once = reshaped(cells, shapes)
    flat: list[Any]
    if at_once is not None:
        flat = np.asarray(at_once).ravel().tolist()
    else:
        flat = np.asarray(cells).ravel().tolist()
        if shapes is not None:
            flat = _reshaped_one_by_one(flat, np.asarray(shapes), cells.shape)
    if codes is not None:
        # a record of other cells changes nothing
        with suppress(*MISFITS):
            flat = _recast(flat, codes.ravel().tolist())
    return object_array(flat, cells.shape)


def _reshaped_one_by_one(
    cells: list[Any], shapes: NumPyArray, shape: tuple[int, ...]
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
        # NumPy would take a negative edge for one that it has to find
        raise ValueError("a cell has a negative length")
    return [
        np.asarray(cell).reshape(row.tolist())
        for cell, row in zip(cells, rows, strict=True)
    ]


def cell_codes(spec: JSON, shape: tuple[int, ...]) -> NumPyArray | None:
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
    """Make of each cell what it was. Raises where that is not what is stored, or no array."""
    originals = {code: _decoded(code) for code in {*codes}}
    bytes_left = _most_bytes(cells)
    out: list[Any] = []
    for cell, code in zip(cells, codes, strict=True):
        container, dtype = originals[code]
        if container and cell.ndim != 1:
            raise ValueError("a list that has another shape")
        if dtype is None:
            # nothing was there, or an empty list
            if cell.size:
                raise ValueError("a cell that was empty")
            out.append(container() if container else None)
            continue
        bytes_left -= cell.size * dtype.itemsize
        if bytes_left < 0:
            raise ValueError("cells of more bytes than a record may make")
        if dtype.names:
            out.append(_with_fields(cell, dtype))
            continue
        original = _cast(cell, dtype)
        if not _keeps(original, cell):
            raise ValueError("another cell")
        out.append(container(original.tolist()) if container else original)
    return out


def _code(cell: Any, row: NumPyArray) -> str | None:
    """Say what a cell was: None, an array of some dtype, or a list."""
    if cell is None:
        return None
    prefix = _LISTS.get(cell.__class__)
    if prefix is None and cell.dtype.names:
        return _FIELDS + json.dumps(dtype_spec(cell.dtype))
    code: str = row.dtype.str
    if prefix is None:
        return code
    return prefix + code if cell else prefix


def _decoded(code: str | None) -> tuple[Any, np.dtype[Any] | None]:
    """Undo `_code`: the class of a list, and a dtype, where there is one. Raises TypeError."""
    if code is None:
        return None, None
    container: Any = None
    name = code
    for kind, prefix in _LISTS.items():
        if code.startswith(prefix):
            container = kind
            name = code.removeprefix(prefix)
    if container and not name:
        return container, None
    if name.startswith(_FIELDS):
        return container, spec_dtype(json.loads(name.removeprefix(_FIELDS)))
    dtype = np.dtype(name)
    if dtype.hasobject:
        raise TypeError("no dtype of a cell")
    return container, dtype


def _without_fields(cell: NumPyArray) -> NumPyArray:
    """Give an array with fields as one of numbers, with the fields along a last dimension.

    Releases show such cells. Where a field is no number that comes back, the cell stays as it is.
    """
    columns = [cell[name] for name in cell.dtype.names or ()]
    if not columns or any(one.dtype.kind not in _NUMBERS for one in columns):
        return cell
    if any(one.shape != cell.shape for one in columns):
        return cell
    common = np.result_type(*(one.dtype for one in columns))
    numbers = [_cast(one, common) for one in columns]
    if not all(map(_keeps, numbers, columns)):
        return cell
    return np.stack(numbers, -1)


def _with_fields(cell: NumPyArray, dtype: np.dtype[Any]) -> NumPyArray:
    """Undo `_without_fields`. Raises ValueError where the cell is another one."""
    names = dtype.names or ()
    if not cell.ndim or cell.shape[-1] != len(names):
        raise ValueError("a cell without these fields")
    original = np.zeros(cell.shape[:-1], dtype)
    for index, name in enumerate(names):
        original[name] = _cast(cell[..., index], dtype[name])
    if not _keeps(_without_fields(original), cell):
        raise ValueError("a cell that these fields do not hold")
    return original


def _size(cells: list[NumPyArray]) -> int:
    return sum(cell.nbytes for cell in cells)


def _most_bytes(cells: list[NumPyArray]) -> int:
    """Give the bytes that a record may make of cells: a dtype of str may be wide and empty."""
    return _ALWAYS_ALLOWED + 64 * _size(cells)


def _common(dtypes: set[np.dtype[Any]]) -> np.dtype[Any] | None:
    """Give one dtype for all cells, or None where the format has none."""
    kinds = {dtype.kind for dtype in dtypes}
    numbers = kinds <= _NUMBERS
    if not dtypes or not (numbers or (len(kinds) == 1 and kinds <= _ALONE)):
        return None
    if len(dtypes) > 1 and kinds & {"m", "M", "V"}:
        return None  # of several units or lengths
    common = np.result_type(*dtypes) if len(dtypes) > 1 else next(iter(dtypes))
    if common.char in "gG":
        # the object codecs hold no long doubles of the other byte order
        return common.newbyteorder("=")
    if common.str in {">m8", ">M8"}:
        return None  # NumPy turns the bytes of these at every occasion
    has_fields = np.dtype(common.str) != common
    return None if has_fields or not common.itemsize else common


def _cast(cell: NumPyArray, dtype: np.dtype[Any]) -> NumPyArray:
    if cell.dtype == dtype:
        return cell
    if cell.dtype.kind == "c" and dtype.kind != "c":
        cell = (
            cell.real
        )  # NumPy warns of the part that is dropped; `_keeps` sees it
    with np.errstate(all="ignore"):
        return cell.astype(dtype)


def _keeps(other: NumPyArray, cell: NumPyArray) -> bool:
    """Tell whether a cell comes back from another dtype."""
    if (back := _cast(other, cell.dtype)) is cell:
        return True
    if cell.dtype.char in "gG":  # of their bytes, some are padding
        return np.array_equal(back, cell, equal_nan=True)
    return back.tobytes() == cell.tobytes()


def _row(cell: Any) -> Any:
    """Give a list or tuple of scalars of one type as an array, an empty one as None."""
    if not {*map(type, cell)} <= _SCALARS:
        return cell
    if not cell:
        return None
    row = np.array(cell)
    held = not row.dtype.hasobject and str(row.tolist()) == str([*cell])
    return row if held else cell


def _is_utf8(text: str) -> bool:
    """Tell whether there are no lone surrogates."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def reshaped(cells: RaggedCells, shapes: RaggedCells) -> RaggedCells | None:
    """Give cells their shapes at once, or None where these differ in more than their first edge."""
    count = max(prod(cells.shape), 1)
    lengths = np.diff(cells.ends)
    rank = len(shapes.values) // count
    if cells.shape != shapes.shape or rank < 1:
        return None
    if shapes.values.dtype.kind != "i":
        return None
    if not np.array_equal(shapes.ends, np.arange(0, rank * count + 1, rank)):
        return None
    tail = tail_of(shapes.values.reshape(count, rank), lengths)
    if tail is None:
        return None
    values = cells.values.reshape(-1, *tail)
    return RaggedCells(values, cells.ends // prod(tail), cells.shape)


def tail_of(table: NumPyArray, lengths: NumPyArray) -> tuple[int, ...] | None:
    """Give all edges of shapes but the first, if all cells, of these lengths, have the same.

    >>> tail_of(np.array([[0, 2], [3, 2]]), np.array([0, 6]))
    (2,)
    """
    tail = table[0, 1:]
    size = prod(tail.tolist())
    if not 0 < size < 2**62 or not (table[:, 1:] == tail).all():
        return None
    first_edges, remainders = np.divmod(lengths, size)
    if remainders.any() or not np.array_equal(first_edges, table[:, 0]):
        return None
    return tuple(tail.tolist())


def unpack_lazily(
    unpack_block: Callable[..., Any], data: Any, shapes: Any, spec: JSON, where: str
) -> Any:
    """Bring the cells of a lazy object array into their shapes, block by block."""
    codes: Any = None
    if isinstance(spec, list) and spec[:1] == ["cells"]:
        if data.size > _MOST_CODES:
            problem = f"a record of what more than {_MOST_CODES} cells were"
            raise FormatError(problem, where, "the file is damaged")
        codes = cell_codes(spec, data.shape)
    if shapes is codes is None:
        return data
    da: Any = import_module("dask.array")  # a lazy array was given: dask is there
    blocks: list[Any] = []
    for part in (shapes, codes):
        if part is not None and not is_lazy(part):
            part = da.from_array(np.asarray(part), data.chunks)
        blocks.append(part if part is None else part.rechunk(data.chunks))
    meta = np.empty((), object)
    return da.map_blocks(
        unpack_block, data, *blocks, where=where, dtype=object, meta=meta
    )
