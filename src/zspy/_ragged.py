"""Floor 1: object arrays: how their cells are packed, and brought back (FORMAT 6 and 9.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from .typing import JSON

_NumPyArray = np.ndarray[Any, Any]
_NUMBERS: Final = frozenset("biufc")


class Packed(NamedTuple):
    """An object array as the format stores it.

    `cells` holds one-dimensional arrays (for `item` ``msgpack2`` lists of str, for ``vlen-utf8``
    str), `shapes` the shape of each as int64, and `spec` what the cells were, where that differs.
    """

    cells: _NumPyArray
    shapes: _NumPyArray | None
    item: str
    spec: list[JSON] | None


def object_array(values: Iterable[Any], shape: tuple[int, ...]) -> _NumPyArray:
    """Make an object array of these cells, whatever they are, in C order."""
    count = 1
    for edge in shape:
        count *= edge
    return np.fromiter(values, dtype=object, count=count).reshape(shape)


def pack(array: _NumPyArray) -> Packed | None:
    """Pack an object array, or give None where its cells are no strings and no plain arrays.

    Parameters
    ----------
    array : array of dtype object, any shape
        Its cells: all str; or arrays of numbers, of one kind of time, of bytes or of str, of any
        shape, and None.

    Returns
    -------
    Packed or None

    Examples
    --------
    >>> packed = pack(object_array([np.arange(2), np.zeros((1, 2))], (2,)))
    >>> packed.item, packed.cells[0], packed.shapes[1]
    ('<f8', array([0., 1.]), array([1, 2]))
    """
    flat = array.ravel().tolist()
    types = set(map(type, flat))
    if types == {str}:
        if any(map(_has_surrogates, flat)):
            return None
        return Packed(object_array(flat, array.shape), None, "vlen-utf8", None)
    if not types <= {np.ndarray, type(None)} or np.ndarray not in types:
        return None
    dtypes = {cell.dtype for cell in flat if cell is not None}
    if (item := _common(dtypes)) is None:
        return None
    if item.kind in "mM":
        item = np.dtype(np.int64)  # the object codecs hold no units: the record does
    missing = np.empty(0, item)
    cells = [missing if cell is None else cell for cell in flat]
    shapes = _shapes([cell.shape for cell in cells], array.shape)
    spec: list[JSON] | None = None
    if len(dtypes) > 1 or len(types) > 1 or item not in dtypes:
        packed = [_cast(cell, item) for cell in cells]
        if not all(map(_keeps, cells, packed)):
            return None
        spec, cells = _cell_spec(flat), packed
    raw: Iterable[Any] = (cell.ravel() for cell in cells)
    if item.kind == "U":
        rows = [row.tolist() for row in raw]
        if any(_has_surrogates("".join(row)) for row in rows):
            return None
        if spec is None and any(np.array(row).dtype != item for row in rows):
            spec = _cell_spec(flat)  # NumPy would give them the shortest dtype
        return Packed(object_array(rows, array.shape), shapes, "msgpack2", spec)
    return Packed(object_array(raw, array.shape), shapes, item.str, spec)


def unpack(cells: _NumPyArray, shapes: _NumPyArray | None, codes: _NumPyArray | None = None) -> _NumPyArray:
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
    flat: list[Any] = cells.ravel().tolist()
    if set(map(type, flat)) - {np.ndarray}:
        flat = [cell if isinstance(cell, np.ndarray) else np.array(cell) for cell in flat]
    shaped = _shaped(flat, _shape_table(shapes))
    return object_array(
        shaped if codes is None else _recast(shaped, codes.ravel().tolist()), cells.shape
    )


def _shaped(cells: list[_NumPyArray], shapes: _NumPyArray | list[list[int]]) -> list[_NumPyArray]:
    """Give cells their shapes; where these differ in their first edge only, by cutting one array."""
    if isinstance(shapes, list):
        return [cell.reshape(shape) for cell, shape in zip(cells, shapes, strict=True)]
    tail = shapes[:1, 1:]
    dtypes = {cell.dtype for cell in cells}
    if not shapes.size or (shapes[:, 1:] != tail).any() or len(dtypes) > 1 or not tail.all():
        return [cell.reshape(shape) for cell, shape in zip(cells, shapes.tolist(), strict=True)]
    lengths = shapes[:, 0]
    sizes = np.fromiter(map(len, cells), np.int64, len(cells))
    if (sizes != lengths * tail.prod()).any():
        raise ValueError("a cell has another size than its shape")
    whole = np.concatenate(cells, dtype=dtypes.pop()).reshape(-1, *tail[0].tolist())
    ends = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    return [whole[start:end] for start, end in pairwise(ends)]


def cell_codes(spec: JSON, shape: tuple[int, ...]) -> _NumPyArray | None:
    """Give the dtype of each cell by the record, or None where it does not speak of such an array."""
    count = int(np.prod(shape, dtype=np.int64))
    match spec:
        case ["cells", str(code)]:
            return object_array([code] * count, shape)
        case ["cells", [*runs]]:
            codes: list[Any] = []
            for run in runs:
                match run:
                    case [str() | None as code, int(number)] if 0 < number <= count - len(codes):
                        codes += [code] * number
                    case _:
                        return None
            return object_array(codes, shape) if len(codes) == count else None
        case _:
            return None


def _recast(cells: list[_NumPyArray], codes: list[Any]) -> Sequence[_NumPyArray | None]:
    """Give each cell the dtype that it had, where that keeps what is stored."""
    dtypes: dict[str, np.dtype[Any]] = {}
    out: list[_NumPyArray | None] = []
    for cell, code in zip(cells, codes, strict=True):
        if code is None:
            if cell.size:
                return cells
            out.append(None)
            continue
        try:
            dtype = dtypes.get(code) or dtypes.setdefault(code, np.dtype(code))
            back = _cast(cell, dtype)
        except (TypeError, ValueError):
            return cells
        if cell.size and not _keeps(cell, back):
            return cells
        out.append(back)
    return out


def _common(dtypes: set[np.dtype[Any]]) -> np.dtype[Any] | None:
    """Give one dtype for all cells, or None where the format has none."""
    kinds = {dtype.kind for dtype in dtypes}
    if not kinds <= _NUMBERS and (len(kinds) > 1 or not kinds <= frozenset("mMSU")):
        return None
    if not all(dtype.itemsize for dtype in dtypes):
        return None
    try:
        return dtypes.copy().pop() if len(dtypes) == 1 else np.result_type(*dtypes)
    except TypeError:  # units that don't mix
        return None


def _cast(cell: _NumPyArray, dtype: np.dtype[Any]) -> _NumPyArray:
    if cell.dtype.kind == "c" and dtype.kind != "c":
        cell = cell.real  # NumPy warns of the part that is dropped; `_keeps` sees it
    with np.errstate(all="ignore"):
        return cell.astype(dtype, copy=False)


def _keeps(cell: _NumPyArray, other: _NumPyArray) -> bool:
    """Tell whether a cell comes back from another dtype, bit for bit."""
    return cell.tobytes() == _cast(other, cell.dtype).tobytes()


def _cell_spec(cells: list[Any]) -> list[JSON]:
    codes: list[JSON] = [None if cell is None else cell.dtype.str for cell in cells]
    return ["cells", codes[0] if len(set(codes)) == 1 else _runs(codes)]


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _runs(codes: list[JSON]) -> list[JSON]:
    """Give runs of equal codes: ``[[code, count], ...]``."""
    runs: list[list[JSON]] = []
    for code in codes:
        if runs and runs[-1][0] == code:
            runs[-1][1] += 1  # type: ignore[operator]
        else:
            runs.append([code, 1])
    return [*runs]


def _shapes(shapes: list[tuple[int, ...]], outer: tuple[int, ...]) -> _NumPyArray:
    """Hold the shapes of cells as the format does: an int64 array each."""
    if len(set(map(len, shapes))) == 1:  # rows of one array: no array for each cell is made
        return object_array(np.array(shapes, np.int64), outer)
    return object_array((np.array(shape, np.int64) for shape in shapes), outer)


def _shape_table(shapes: _NumPyArray) -> _NumPyArray | list[list[int]]:
    """Give the shapes of cells as one array, a row each, or as lists where they differ in length."""
    rows: list[Any] = shapes.ravel().tolist()
    if set(map(type, rows)) <= {np.ndarray} and {row.dtype.kind for row in rows} <= {"i", "u"}:
        if {row.ndim for row in rows} == {1} and len(set(map(len, rows))) == 1:
            return np.concatenate(rows).reshape(len(rows), -1)
        if {row.ndim for row in rows} <= {1}:
            return [row.tolist() for row in rows]
    raise ValueError("the shape of a cell is no list of integers")
