"""A leaf: where two values differ, for the command line. Large arrays are compared in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from ..values.errors import location, shown
from ..values.nodes import same_json
from ..values.types import (
    NumPyArray,
    is_array,
    is_dict,
    is_lazy,
    is_sequence,
)
from .blocks import boxes, columns
from .text import cut, printable

_Keys = tuple[object, ...]


class Difference(NamedTuple):
    """A place where two values differ, and how."""

    location: str
    problem: str


def differences(a: Any, b: Any) -> Iterator[Difference]:
    """Yield all places where two trees of values differ, by type or by value.

    The order of keys, the byte order of numbers and how arrays are stored do not count.

    >>> [*map(tuple, differences({"a": [1, 2]}, {"a": [1, 2.0]}))]
    [('a[1]', '2 (int) is not 2.0 (float)')]
    """
    todo: list[tuple[_Keys, Any, Any]] = [((), a, b)]
    while todo:
        keys, x, y = todo.pop()
        if _is_arrays(x, y):
            yield from (Difference(location(keys), said) for said in _arrays(x, y))
        elif type(x) is not type(y):
            yield Difference(location(keys), _unlike(x, y))
        elif is_dict(x):
            for key in [*x, *(key for key in y if key not in x)]:
                if key in x and key in y:
                    continue
                where = "first" if key in x else "second"
                yield Difference(location((*keys, key)), f"only in the {where}")
            todo += [
                ((*keys, key), x[key], y[key]) for key in reversed(x) if key in y
            ]
        elif is_sequence(x):
            if len(x) != len(y):
                yield Difference(location(keys), f"{len(x)} elements, not {len(y)}")
            pairs = [*zip(x, y, strict=False)]
            todo += [((*keys, i), *pairs[i]) for i in reversed(range(len(pairs)))]
        elif not _is_same(x, y):
            yield Difference(location(keys), _unlike(x, y))


def _is_same(a: object, b: object) -> bool:
    """Compare two values; those that refuse to be compared, by what they say of themselves."""
    try:
        if same_json(a, b):
            return True
    except (TypeError, ValueError, ArithmeticError):
        pass
    return shown(a) == shown(b)


def _unlike(a: object, b: object) -> str:
    left, right = (f"{_short(one)} ({type(one).__name__})" for one in (a, b))
    return f"{left} is not {right}"


def _short(value: object) -> str:
    return printable(cut(shown(value), 60))


def _element(value: Any) -> str:
    scalar: Any = value
    return _short(scalar.item() if isinstance(value, np.generic) else value)


def _is_arrays(a: object, b: object) -> TypeGuard[Any]:
    return all(is_array(one) or is_lazy(one) for one in (a, b))


def _arrays(a: Any, b: Any) -> Iterator[str]:
    """Yield what differs in two arrays: what they are, or how many elements, and the first."""
    if a.shape != b.shape:
        yield f"the shape {a.shape} is not {b.shape}"
        return
    if _native(a.dtype) != _native(b.dtype):
        yield f"the dtype {a.dtype} is not {b.dtype}"
        return
    count, first = 0, ""
    for box in boxes(a):
        x, y = (a[box], b[box]) if box else (a, b)
        if is_lazy(x) or is_lazy(y):
            x, y = np.asanyarray(x), np.asanyarray(y)
        wrong = np.argwhere(~_same(x, y))
        if len(wrong) and not count:
            at = tuple(wrong[0].tolist())
            place = [i + part.start for i, part in zip(at, box, strict=True)]
            first = (
                f"the first at {place}: {_element(x[at])} is not {_element(y[at])}"
            )
        count += len(wrong)
    if count:
        yield f"{count} of {a.size} elements differ, {first}"


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "T" else dtype.newbyteorder("=")


def _same(a: Any, b: Any) -> NumPyArray:
    """Tell which elements are the same; what is masked is no value."""
    same = np.ones(a.shape, bool)
    for (x, mask), (y, other) in zip(columns(a), columns(b), strict=True):
        found = np.where(mask | other, mask & other, _equal(x, y))
        same &= found.all(tuple(range(a.ndim, found.ndim)))
    return same


def _equal(a: NumPyArray, b: NumPyArray) -> NumPyArray:
    """Compare the elements of two arrays without fields; NaN is NaN."""
    if a.dtype.kind == "O":
        pairs = zip(a.flat, b.flat, strict=True)
        found = [not any(differences(x, y)) for x, y in pairs]
        return np.array(found, bool).reshape(a.shape)
    with np.errstate(invalid="ignore"):
        same = np.asarray(a == b)
        return same | ((a != a) & (b != b)) if a.dtype.kind in "fcmM" else same
