"""Floor 1: object arrays: how their cells are packed, and brought back (FORMAT 6 and 9.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import groupby
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from .typing import JSON, NumPyArray, is_array

_NUMBERS: Final = frozenset("biufc")
_ALONE: Final = frozenset("mMSU")
_LEAST_ROOM: Final = 2**26
# what cells can be instead of arrays, as the record says it before their dtype
_ROWS: Final[Mapping[type, str]] = {list: "list:", tuple: "tuple:"}
_BACK: Final[Mapping[str, Callable[[Any], Any]]] = {
    "": lambda cell: cell,
    "list:": lambda cell: cell.tolist(),
    "tuple:": lambda cell: tuple(cell.tolist()),
}
_SCALARS: Final = frozenset({bool, int, float, complex, str})


class Packed(NamedTuple):
    """An object array as the format stores it.

    `cells` holds one-dimensional arrays (for `item` ``msgpack2`` lists of str, for ``vlen-utf8``
    str), `shapes` the shape of each as int64, and `spec` what the cells were, where that differs.
    """

    cells: NumPyArray
    shapes: NumPyArray | None
    item: str
    spec: list[JSON] | None


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
    >>> packed.item, packed.cells[0], packed.shapes[1]
    ('<f8', array([0., 1.]), array([1, 2]))
    """
    flat: list[Any] = array.ravel().tolist()
    types = set(map(type, flat))
    if types <= {str}:
        return Packed(array, None, "vlen-utf8", None) if _is_utf8("".join(flat)) else None
    origins = [_ROWS.get(type(cell), "") for cell in flat]
    if types & _ROWS.keys():
        flat = [_row(cell) if origin else cell for cell, origin in zip(flat, origins, strict=True)]
        types = set(map(type, flat))
    if not types <= {np.ndarray, type(None)} or np.ndarray not in types:
        return None
    dtypes = {cell.dtype for cell in flat if cell is not None}
    if (item := _common(dtypes)) is None:
        return None
    cells = [np.empty(0, item) if cell is None else cell for cell in flat]
    shapes = object_array((np.array(cell.shape, np.int64) for cell in cells), array.shape)
    plain = [_cast(cell, item) for cell in cells]
    if not all(map(_keeps, plain, cells)):
        return None
    as_they_are = types == {np.ndarray} and dtypes == {item} and not any(origins)
    code = item.str
    rows: list[Any] = [cell.ravel() for cell in plain]
    if item.kind == "U":
        code, rows = "msgpack2", [row.tolist() for row in rows]
        if not _is_utf8("".join(map("".join, rows))):
            return None
        short = [np.array(row) for row in rows]  # NumPy gives lists of str the shortest dtype
        as_they_are = as_they_are and all(row.dtype == item for row in short)
        if sum(cell.nbytes for cell in cells) > _room(short):
            return None
    spec: list[JSON] | None = None if as_they_are else ["cells", *_runs(flat, origins)]
    return Packed(object_array(rows, array.shape), shapes, code, spec)


def unpack(
    cells: NumPyArray, shapes: NumPyArray | None, codes: NumPyArray | None = None
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
    if shapes is None:
        return cells
    if shapes.shape != cells.shape:
        raise ValueError("the shapes of the cells are of another shape than the cells")
    flat: list[NumPyArray | None] = []
    for cell, shape in zip(cells.ravel().tolist(), shapes.ravel().tolist(), strict=True):
        if not is_array(shape) or shape.ndim != 1 or shape.dtype.kind not in "iu":
            raise ValueError("the shape of a cell is no list of integers")
        edges = shape.tolist()
        if min(edges, default=0) < 0:
            raise ValueError("a cell has a negative length")  # NumPy would find one that fits
        flat.append(np.asarray(cell).reshape(edges))
    if codes is not None:
        with suppress(
            TypeError, ValueError, OverflowError
        ):  # what is stored is not what the record speaks of
            flat = _recast(flat, codes.ravel().tolist())
    return object_array(flat, cells.shape)


def cell_codes(spec: JSON, shape: tuple[int, ...]) -> NumPyArray | None:
    """Give the dtype of each cell by the record, or None where it does not speak of such an array.

    >>> cell_codes(["cells", ["<f8", 1], [None, 2]], (3,))
    array(['<f8', None, None], dtype=object)
    """
    codes: list[str | None] = []
    count = prod(shape)
    for run in spec[1:] if isinstance(spec, list) else []:
        match run:
            case [str() | None as code, int(number)] if 0 < number <= count - len(codes):
                codes += [code] * number
            case _:
                return None
    return object_array(codes, shape) if len(codes) == count else None


def _recast(cells: list[Any], codes: list[Any]) -> list[Any]:
    """Give each cell the dtype that it had. Raises where that is not what is stored."""
    dtypes = {code: np.dtype(_split(code)[1]) for code in {*codes} - {None}}
    room = _room(cells)
    out: list[Any] = []
    for cell, code in zip(cells, codes, strict=True):
        back = None
        if code is not None:
            room -= cell.size * dtypes[code].itemsize
            if room < 0 or dtypes[code].hasobject:
                raise ValueError("a dtype that no cell has")
            back = _cast(cell, dtypes[code])
        if cell.size and (back is None or not _keeps(back, cell)):
            raise ValueError("another value")
        origin = "" if code is None else _split(code)[0]
        if origin and (back is None or back.ndim != 1):
            raise ValueError("no list")
        out.append(_BACK[origin](back))
    return out


def _split(code: str) -> tuple[str, str]:
    """Split the code of a cell: what it was if it was no array, and its dtype."""
    origin = next((origin for origin in _ROWS.values() if code.startswith(origin)), "")
    return origin, code.removeprefix(origin)


def _room(cells: list[NumPyArray]) -> int:
    """Give the bytes that a record may make of cells: a dtype of str may be wide and empty."""
    return _LEAST_ROOM + 64 * sum(cell.nbytes for cell in cells)


def _common(dtypes: set[np.dtype[Any]]) -> np.dtype[Any] | None:
    """Give one dtype for all cells, or None where the format has none."""
    kinds = {dtype.kind for dtype in dtypes}
    if not (kinds <= _NUMBERS or (len(kinds) == 1 and kinds <= _ALONE)):
        return None
    if kinds & {"m", "M"}:
        return next(iter(dtypes)) if len(dtypes) == 1 else None
    item = np.result_type(*dtypes) if len(dtypes) > 1 else next(iter(dtypes))
    # the object codecs hold no long doubles of the other byte order
    return item.newbyteorder("=") if item.char in "gG" else item if item.itemsize else None


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


def _row(cell: list[Any] | tuple[Any, ...]) -> NumPyArray | list[Any] | tuple[Any, ...]:
    """Give a list or tuple of scalars of one type as an array, or as it is where there is none."""
    if len(types := set(map(type, cell))) > 1 or not types <= _SCALARS:
        return cell
    row = np.array(cell) if types else np.empty(0)
    return row if str(row.tolist()) == str([*cell]) else cell


def _runs(cells: list[Any], origins: list[str]) -> list[JSON]:
    """Give the dtypes of cells, None where there is no array, as runs: ``[code, count]``."""
    codes = (
        None if cell is None else origin + cell.dtype.str
        for cell, origin in zip(cells, origins, strict=True)
    )
    return [[code, len([*run])] for code, run in groupby(codes)]


def _is_utf8(text: str) -> bool:
    """Tell whether there are no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
