"""The one comparer of values, for the command line and for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final, NamedTuple, TypeAlias, cast
from uuid import UUID

import numpy as np

from ..files.lazy import block_of
from ..values.errors import location, shown
from ..values.foreign import has_unit, lowered_foreign
from ..values.records import sorting_text
from ..values.types import DType, Lowered, NumPyArray, is_array, is_dict, is_lazy
from .blocks import boxes, columns
from .text import cut, printable

Keys: TypeAlias = tuple[object, ...]
_Pair: TypeAlias = tuple[Keys, Any, Any]
_Named: TypeAlias = dict[tuple[str, int], tuple[Any, Any]]
_COMPARED_AT_ONCE: Final = 2**20  # elements that are compared at a time
_LONGEST_VALUE: Final = 60  # characters of a value that are shown
_LONGEST_KEY: Final = 2**10  # and of a name, of which there may be several
# Their repr tells all values apart: the sign of zero, a signalling NaN, fold, tzinfo, letter case.
_BY_REPR: Final = (
    float,
    complex,
    Decimal,
    UUID,
    PurePath,
    date,
    time,
    timedelta,
    tzinfo,
)
_PLAIN: Final = (bool, int, float, str, bytes)
_SEQUENCES: Final = (list, tuple, set, frozenset, slice, range)
_COMPARED_HERE: Final = ("builtins", "numpy", "numpy.ma")  # modules of classes
_MASKED: Final = ("mask", "data", "fill_value")


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
    comparer = Comparer(ordered=False, exact=False)
    for keys, problem in comparer.differences(a, b):
        named = [
            cut(key, _LONGEST_KEY) if type(key) is str else key for key in keys
        ]
        yield Difference(location(named), printable(problem))


class Comparer(NamedTuple):
    """How values are compared, and the comparison.

    Every NaN is the same, whatever its payload, but -0.0 and 0.0 differ. Instances of classes that
    zspy does not know are compared with ``==``.
    """

    ordered: bool = True
    """The order of keys counts."""
    exact: bool = True
    """The byte order of numbers, values under a mask and fill values count."""

    def differences(self, a: Any, b: Any) -> Iterator[tuple[Keys, str]]:
        """Yield the keys of all places where two values differ, and how.

        >>> [*Comparer().differences({"a": [1, 2]}, {"a": [1, 2.0]})]
        [(('a', 1), '2 (int) is not 2.0 (float)')]
        """
        # Not recursive, as values may be deeper than the interpreter's stack; and of the members of
        # each container only those are held that are being compared.
        todo: list[Iterator[_Pair]] = [iter([((), a, b)])]
        while todo:
            pair = next(todo[-1], None)
            if pair is None:
                todo.pop()
                continue
            keys, x, y = pair
            members: Iterable[tuple[object, Any, Any]] = ()
            if stored := _stored(x, y):
                one, other = stored
                if one.spec != other.spec:
                    yield keys, _unlike(x, y)
                todo.append(iter([(keys, one.plain, other.plain)]))
                continue
            if self._are_arrays(x, y):
                is_masked = isinstance(cast("object", x), np.ma.MaskedArray)
                if self.exact and is_masked:
                    members = zip(_MASKED, *map(_mask_parts, (x, y)), strict=True)
                else:
                    for problem in self._array_differences(x, y):
                        yield keys, problem
            elif _kind(x) != _kind(y):
                yield keys, _unlike(x, y)
            elif is_dict(x):
                left, right = map(_by_rank, (x, y))
                for name, (key, _) in left.items():
                    if name not in right:
                        yield (*keys, key), "only in the first"
                for name, (key, _) in right.items():
                    if name not in left:
                        yield (*keys, key), "only in the second"
                if self.ordered and {*left} == {*right} and [*left] != [*right]:
                    yield keys, "the keys have another order"
                members = _in_both(left, right)
            elif isinstance(cast("object", x), _SEQUENCES):
                first, second = map(_elements, (x, y))
                if len(first) != len(second):
                    yield keys, f"{len(first)} elements, not {len(second)}"
                pairs = zip(first, second, strict=False)
                members = ((i, *pair) for i, pair in enumerate(pairs))
            elif not _is_same(x, y):
                yield keys, _unlike(x, y)
            todo.append(_not_alike(keys, members))

    def _are_arrays(self, a: Any, b: Any) -> bool:
        """Tell whether to compare element by element."""
        if self.exact:
            return is_array(a) and type(a) is type(b)
        are_arrays = all(is_array(one) or is_lazy(one) for one in (a, b))
        return are_arrays and not (has_unit(a) or has_unit(b))

    def _array_differences(self, a: Any, b: Any) -> Iterator[str]:
        """Yield what differs in two arrays: what they are, or how many elements, and the first."""
        if a.shape != b.shape:
            yield f"the shape {a.shape} is not {b.shape}"
            return
        if self._dtype(a) != self._dtype(b):
            yield f"the dtype {a.dtype} is not {b.dtype}"
            return
        count, first = 0, ""
        for box in boxes(a):
            x, y = (block_of(one, box) for one in (a, b))
            shape = x.shape
            x, y = x.reshape(-1), y.reshape(-1)
            for start in range(0, x.size, _COMPARED_AT_ONCE):
                part = slice(start, start + _COMPARED_AT_ONCE)
                wrong = np.flatnonzero(self._unequal(x[part], y[part]))
                if wrong.size and not count:
                    at = start + int(wrong[0])
                    index = np.unravel_index(at, shape)
                    place = [
                        int(i) + side.start
                        for i, side in zip(index, box, strict=True)
                    ]
                    one, other = (_element(values[at]) for values in (x, y))
                    first = f"the first at {place}: {one} is not {other}"
                count += wrong.size
        if count:
            yield f"{count} of {a.size} elements differ, {first}"

    def _dtype(self, array: Any) -> DType:
        dtype: DType = array.dtype
        return dtype if self.exact or dtype.kind == "T" else dtype.newbyteorder("=")

    def _unequal(self, a: Any, b: Any) -> NumPyArray:
        """Tell which elements differ; what is masked in both is no value."""
        if self.exact and not a.dtype.hasobject and a.tobytes() == b.tobytes():
            return np.zeros(a.shape, bool)
        wrong = np.zeros(a.shape, bool)
        for (x, mask), (y, other) in zip(columns(a), columns(b), strict=True):
            found = np.where(mask | other, mask ^ other, self._unlike_column(x, y))
            wrong |= found.any(axis=tuple(range(a.ndim, found.ndim)))
        return wrong

    def _unlike_column(self, a: Any, b: Any) -> NumPyArray:
        """Compare the elements of two arrays without fields; NaN is NaN, -0.0 is not 0.0."""
        wrong: NumPyArray
        match a.dtype.kind:
            case "c":
                parts = (a.real, b.real), (a.imag, b.imag)
                wrong = np.any(
                    [self._unlike_column(*part) for part in parts], axis=0
                )
            case "f":
                same = (a == b) & (np.signbit(a) == np.signbit(b))
                wrong = ~(same | (np.isnan(a) & np.isnan(b)))
            case "m" | "M":
                wrong = (a != b) & ~(np.isnat(a) & np.isnat(b))
            case "O" | "T":
                pairs = zip(
                    *(one.astype(object).flat for one in (a, b)), strict=True
                )
                found = [any(self.differences(x, y)) for x, y in pairs]
                wrong = np.array(found, bool).reshape(a.shape)
            case _:
                wrong = a != b
        return wrong


def _not_alike(
    keys: Keys, members: Iterable[tuple[object, Any, Any]]
) -> Iterator[_Pair]:
    """Give the members of two containers that have to be looked into."""
    for key, one, other in members:
        if not _are_alike(one, other):
            yield (*keys, key), one, other


def _in_both(left: _Named, right: _Named) -> Iterator[tuple[object, Any, Any]]:
    for name, (key, value) in left.items():
        if name in right:
            yield key, value, right[name][1]


def _stored(a: Any, b: Any) -> tuple[Lowered, Lowered] | None:
    """Give what values of another library are stored as, which would compare them as it likes."""
    if type(a) is not type(b) or type(a).__module__ in _COMPARED_HERE:
        return None
    one, other = lowered_foreign(a), lowered_foreign(b)
    return None if one is None or other is None else (one, other)


def _mask_parts(array: Any) -> tuple[Any, ...]:
    # to look up the fill value sets it
    return np.ma.getmaskarray(array), array.data, array.copy().fill_value


def _by_rank(value: dict[Any, Any]) -> _Named:
    """Give keys and values under texts that tell 1 from True; a NaN may be a key several times."""
    named: _Named = {}
    times: Counter[str] = Counter()
    for key, member in value.items():
        name = sorting_text(key)
        named[name, times[name]] = key, member
        times[name] += 1
    return named


def _elements(value: Any) -> Sequence[Any]:
    if isinstance(value, (slice, range)):
        limits = cast("Any", value)
        return [limits.start, limits.stop, limits.step]
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[Any]", value), key=sorting_text)
    sequence: Sequence[Any] = value
    return sequence


def _kind(value: Any) -> Any:
    """Give the class, but for numbers of NumPy the dtype: a long long may be an int64."""
    if isinstance(value, np.number):
        return np.number, cast("Any", value).dtype
    return cast("Any", type(value))


def _are_alike(a: object, b: object) -> bool:
    """Tell at once most values that are the same; a zero may have another sign."""
    return a is b or (
        type(a) is type(b)
        and type(a) in _PLAIN
        and a == b
        and (bool(a) or repr(a) == repr(b))
    )


def _is_same(a: Any, b: Any) -> bool:
    """Compare two scalars of one type."""
    if isinstance(a, (np.str_, np.bytes_)):
        return [*a] == [*b]  # item by item: they hide NULs at the end
    if isinstance(a, _BY_REPR):
        return repr(a) == repr(b)
    if isinstance(cast("object", a), np.generic):
        return not any(Comparer().differences(np.asarray(a), np.asarray(b)))
    try:
        return bool(a == b)
    # Some values refuse to be compared.
    except (TypeError, ValueError, ArithmeticError):
        return shown(a) == shown(b)


def _unlike(a: object, b: object) -> str:
    left, right = (f"{_short(one)} ({type(one).__name__})" for one in (a, b))
    return f"{left} is not {right}"


def _element(value: Any) -> str:
    is_scalar = isinstance(cast("object", value), np.generic)
    return _short(value.item() if is_scalar else value)


def _short(value: object) -> str:
    return cut(shown(value), _LONGEST_VALUE)
