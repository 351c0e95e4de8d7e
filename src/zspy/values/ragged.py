"""Floor 1: object arrays: how their cells are packed, and brought back (FORMAT 6 and 9.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, groupby, pairwise
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from .errors import FormatError
from .types import JSON, NumPyArray, is_lazy

_NUMBERS: Final = frozenset("biufc")
_ALONE: Final = frozenset("mMSUV")
_SCALARS: Final = frozenset({bool, int, float, complex, str})
_LEAST_ROOM: Final = 2**26
# cells that are no arrays: how the record calls them, before the dtype that they are stored in
_LISTS: Final[dict[type, str]] = {list: "list:", tuple: "tuple:"}


class Packed(NamedTuple):
    """An object array as the format stores it.

    `cells` holds one-dimensional arrays (for `item` ``msgpack2`` lists of str, for ``vlen-utf8``
    str), `shapes` the shape of each as int64, and `spec` what the cells were, where that differs.
    """

    cells: NumPyArray
    shapes: Uncut | None
    item: str
    spec: list[JSON] | None


@dataclass(frozen=True, slots=True, eq=False)
class Uncut:
    """An object array whose cells still lie end to end in `values`, with where they end.

    >>> np.asarray(Uncut(np.arange(3), np.array([0, 1, 3]), (2, 1)))
    array([[array([0])],
           [array([1, 2])]], dtype=object)
    """

    values: NumPyArray
    ends: NumPyArray  # from zero
    shape: tuple[int, ...]
    dtype = np.dtype(object)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumPyArray:
        cells = (self.values[start:end] for start, end in pairwise(self.ends.tolist()))
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
        Its cells: none, or all str; or arrays of numbers, of one kind of time, of bytes or of str,
        of any shape, lists and tuples of scalars of one type, and None.

    Returns
    -------
    Packed or None

    Examples
    --------
    >>> packed = pack(object_array([np.arange(2), np.zeros((1, 2))], (2,)))
    >>> packed.item, packed.cells[0], np.asarray(packed.shapes)[1]
    ('<f8', array([0., 1.]), array([1, 2]))
    """
    flat: list[Any] = array.ravel().tolist()
    kinds = {*map(type, flat)}
    if kinds <= {str}:
        return (
            Packed(array, None, "vlen-utf8", None) if _is_utf8("".join(flat)) else None
        )
    lists = kinds & _LISTS.keys()
    rows: list[Any] = (
        [_row(one) if type(one) in lists else one for one in flat] if lists else flat
    )
    if {*map(type, rows)} - {np.ndarray, type(None)}:
        return None
    dtypes: set[np.dtype[Any]] = {row.dtype for row in rows if row is not None}
    if (item := _common(dtypes)) is None:
        return None
    as_they_are = kinds == {np.ndarray} and dtypes == {item}
    if not as_they_are:
        rows = [np.empty(0, item) if row is None else row for row in rows]
    cells: list[Any] = rows
    if dtypes != {item}:
        cells = [_cast(row, item) for row in rows]
        if not all(map(_keeps, cells, rows)):
            return None
    code, cells = item.str, [cell.ravel() for cell in cells]
    if item.kind == "U":
        code, cells = "msgpack2", [cell.tolist() for cell in cells]
        short = [np.array(cell) for cell in cells]  # what NumPy makes of lists of str
        as_they_are = as_they_are and all(cell.dtype == item for cell in short)
        if not _is_utf8("".join(map("".join, cells))) or _size(rows) > _room(short):
            return None
    shapes = [row.shape for row in rows]
    ends = np.cumsum([0, *map(len, shapes)])
    edges = np.fromiter(chain.from_iterable(shapes), np.int64, ends[-1])
    codes = () if as_they_are else map(_code, flat, rows)
    runs: list[JSON] = [[was, len([*run])] for was, run in groupby(codes)]
    spec = None if as_they_are else ["cells", *runs]
    return Packed(
        object_array(cells, array.shape), Uncut(edges, ends, array.shape), code, spec
    )


def unpack(
    cells: NumPyArray | Uncut,
    shapes: NumPyArray | Uncut | None,
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
    whole: Uncut | None = None
    if isinstance(cells, Uncut) and isinstance(shapes, Uncut):
        whole = shaped(cells, shapes)
    flat: list[Any] = np.asarray(cells if whole is None else whole).ravel().tolist()
    if shapes is not None and whole is None:
        flat = _shaped(flat, np.asarray(shapes), cells.shape)
    if codes is not None:
        with suppress(
            ArithmeticError, AttributeError, TypeError, ValueError
        ):  # of other cells
            flat = _recast(flat, codes.ravel().tolist())
    return object_array(flat, cells.shape)


def _shaped(
    cells: list[Any], shapes: NumPyArray, shape: tuple[int, ...]
) -> list[NumPyArray]:
    """Give the cells of an array of some shape their own shapes."""
    rows: list[Any] = shapes.ravel().tolist()
    if shapes.shape != shape or {*map(type, rows)} - {np.ndarray}:
        raise ValueError("the shapes of the cells are of another shape than the cells")
    dtypes = {row.dtype if row.ndim == 1 else np.dtype(object) for row in rows}
    if {dtype.kind for dtype in dtypes} - {"i", "u"}:
        raise ValueError("the shape of a cell is no list of integers")
    if rows and np.concatenate(rows).min(initial=0) < 0:
        raise ValueError(
            "a cell has a negative length"
        )  # NumPy would find one that fits
    edges = (row.tolist() for row in rows)
    return [
        np.asarray(cell).reshape(edge) for cell, edge in zip(cells, edges, strict=True)
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
    kinds = {code: _kind(code) for code in {*codes}}
    room = _room(cells)
    out: list[Any] = []
    for cell, code in zip(cells, codes, strict=True):
        kind, dtype = kinds[code]
        room -= 0 if dtype is None else cell.size * dtype.itemsize
        fits = (
            room >= 0
            and (dtype is not None or not cell.size)
            and (not kind or cell.ndim == 1)
        )
        back = _cast(cell, dtype) if fits and dtype is not None else cell
        if not fits or not _keeps(back, cell):
            raise ValueError("another cell")
        out.append(kind(back.tolist()) if kind else None if dtype is None else back)
    return out


def _code(cell: Any, row: NumPyArray) -> str | None:
    """Say what a cell was: None, an array of some dtype, or a list."""
    if prefix := _LISTS.get(cell.__class__):
        return prefix + (row.dtype.str if cell else "")
    return None if cell is None else row.dtype.str


def _kind(code: str | None) -> tuple[Any, np.dtype[Any] | None]:
    """Undo `_code`: the class of a list, and a dtype, where there is one. Raises TypeError."""
    text = code or ""
    found = [kind for kind, prefix in _LISTS.items() if text.startswith(prefix)]
    text = text.removeprefix(_LISTS[found[0]]) if found else text
    dtype = None if code is None or (found and not text) else np.dtype(text)
    if dtype is not None and dtype.hasobject:
        raise TypeError("no dtype of a cell")
    return found[0] if found else None, dtype


def _size(cells: list[NumPyArray]) -> int:
    return sum(cell.nbytes for cell in cells)


def _room(cells: list[NumPyArray]) -> int:
    """Give the bytes that a record may make of cells: a dtype of str may be wide and empty."""
    return _LEAST_ROOM + 64 * _size(cells)


def _common(dtypes: set[np.dtype[Any]]) -> np.dtype[Any] | None:
    """Give one dtype for all cells, or None where the format has none."""
    kinds = {dtype.kind for dtype in dtypes}
    if not dtypes or not (kinds <= _NUMBERS or (len(kinds) == 1 and kinds <= _ALONE)):
        return None
    if len(dtypes) > 1 and kinds & {"m", "M", "V"}:  # of several units or lengths
        return None
    item = np.result_type(*dtypes) if len(dtypes) > 1 else next(iter(dtypes))
    # the object codecs hold no long doubles of the other byte order
    if item.char in "gG":
        return item.newbyteorder("=")
    odd = item.str in {">m8", ">M8"}  # NumPy turns the bytes of these at every occasion
    return (
        item if item.itemsize and np.dtype(item.str) == item and not odd else None
    )  # no fields


def _cast(cell: NumPyArray, dtype: np.dtype[Any]) -> NumPyArray:
    if cell.dtype == dtype:
        return cell
    if cell.dtype.kind == "c" and dtype.kind != "c":
        cell = cell.real  # NumPy warns of the part that is dropped; `_keeps` sees it
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
    row = np.array(cell)
    held = not row.dtype.hasobject and str(row.tolist()) == str([*cell])
    return None if not cell else row if held else cell


def _is_utf8(text: str) -> bool:
    """Tell whether there are no lone surrogates."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


_MOST_CODES: Final = (
    2**24
)  # of the dtypes of cells, which are in memory while the cells are not


def shaped(cells: Uncut, shapes: Uncut) -> Uncut | None:
    """Give cells their shapes at once, or None where these differ in more than their first edge."""
    count, lengths = max(prod(cells.shape), 1), np.diff(cells.ends)
    rank = len(shapes.values) // count
    if cells.shape != shapes.shape or shapes.values.dtype.kind != "i" or rank < 1:
        return None
    if not np.array_equal(shapes.ends, np.arange(0, rank * count + 1, rank)):
        return None
    tail = tail_of(shapes.values.reshape(count, rank), lengths)
    if tail is None:
        return None
    return Uncut(cells.values.reshape(-1, *tail), cells.ends // prod(tail), cells.shape)


def tail_of(table: NumPyArray, lengths: NumPyArray) -> tuple[int, ...] | None:
    """Give all edges of shapes but the first, if all cells, of these lengths, have the same.

    >>> tail_of(np.array([[0, 2], [3, 2]]), np.array([0, 6]))
    (2,)
    """
    edges, tail = table[:, 0], table[0, 1:]
    size = prod(tail.tolist())
    fits = (
        0 < size < 2**62
        and (table[:, 1:] == tail).all()
        and (lengths % size == 0).all()
    )
    return (
        tuple(tail.tolist())
        if fits and np.array_equal(lengths // size, edges)
        else None
    )


def lazily(
    unpacked: Callable[..., Any], data: Any, shapes: Any, spec: JSON, where: str
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
    own = [
        part
        if part is None or is_lazy(part)
        else da.from_array(np.asarray(part), data.chunks)
        for part in (shapes, codes)
    ]
    blocks = [part if part is None else part.rechunk(data.chunks) for part in own]
    meta = np.empty((), object)
    return da.map_blocks(unpacked, data, *blocks, where=where, dtype=object, meta=meta)
