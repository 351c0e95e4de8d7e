"""Hypothesis strategies for values, trees and signals, and exact comparison.

The strategies give what a file is asked to hold, hard cases first: names that imitate a mark,
integers beyond 64 bit, lone surrogates, deep nesting, odd memory layouts. They judge nothing:
whether a value has survived a round trip is for `identical` to say.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache, wraps
from itertools import chain
from math import prod
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar, cast
from zoneinfo import available_timezones

import numpy as np

from .apps.differences import Comparer
from .values.errors import EncodeError, is_choice, missing_package, shown
from .values.faces import listing
from .values.names import MARKS, RECORD
from .values.records import VALUE_TYPES

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
    from hypothesis.strategies import DrawFn, SearchStrategy
except ModuleNotFoundError as _error:
    raise missing_package("hypothesis", "testing") from _error

__all__ = [
    "arrays",
    "axes",
    "dtypes",
    "first_difference",
    "identical",
    "json_scalars",
    "keys",
    "object_arrays",
    "plain_trees",
    "scalars",
    "sequences",
    "signals",
    "trees",
    "values",
]
__dir__: Callable[[], list[str]] = listing(__name__, __all__)

AnyArray: TypeAlias = np.ndarray[Any, Any]
AnyDType: TypeAlias = np.dtype[Any]
_P = ParamSpec("_P")
_T = TypeVar("_T")

_INTS: Final = [
    sign * 2**n + one
    for n in (31, 63, 64, 1024)
    for sign in (1, -1)
    for one in (-1, 0)
]
_NUMBERS: Final = "-0.0 0.1 1.0 1e16 5e-324 nan inf -inf"
_FLOATS: Final = [*map(float, _NUMBERS.split())]
_WORDS_TEXT: Final = (
    "_None_ __unnamed__ NaN null 1 \ud800 \udfffa é e\u0301 日本 \U0001f600 \ufeff"
)
_TEXTS: Final = (
    "",
    "\0",
    "a\0",
    "a\0b",
    "\n",
    "\u2028",
    "a" * 300,
    "é" * 200,
    *_WORDS_TEXT.split(),
)
# Names that some store, file system or reader takes for something else.
_WITHOUT_SPACES: Final = """
. .. ... / // a/b /a a/ a. a:b
 \\ a\\b " * ~ | < c c0 key Key KEY nul CON aux.txt com1 é e\u0301 日本
.zgroup .zarray .zattrs .zmetadata zarr.json %41 %2F A 0 00 1 10 0.0
ragged_shapes axis-0 _dict _ _None_ True
"""
_NAMES: Final = (
    "",
    "\0",
    "a\0",
    "\x1f",
    "\x7f",
    "a ",
    " a",
    "k" * 255,
    "k" * 256,
    "é" * 200,
    "\ud800",
    *_WITHOUT_SPACES.split(),
)
_MARKS: Final = (
    *chain.from_iterable(MARKS.values()),
    "_list_3_",
    "_tuple_3_",
    RECORD,
    "_ragged_",
    "_datetime_",
    "axis-",
)
_WORD_LIST: Final = "General Stage.tilt date Höhe x y0 日付 µm"
_WORDS: Final = (*_WORD_LIST.split(), "beam energy")
# Keys that are one name to some file system, to a mark, to a path or to str().
_CLASHES: Final[list[tuple[Hashable, ...]]] = [
    ("key", "Key", "KEY"),
    ("é", "e\u0301"),
    ("a", "a ", "a."),
    ("%41", "A"),
    ("", ".", ".."),
    ("x", "3_x", "_list_x", "_list_3_x"),
    ("a", "a/b", "a\\b"),
    (1, "1", (1,)),
    (None, "None", "_None_"),
]
_KINDS: Final = "biufcmMSUVT"
_DEEPEST: Final = 64
_CODES: Final = {
    kind: codes.split()
    for codes in (
        "?",
        "b h i l q",
        "B H I L Q",
        "e f d g",
        "F D G",
        "S1 S4",
        "U1 U4",
        "V1 V5",
    )
    for kind in np.dtype(codes.split()[0]).kind
}
_UNITS: Final = "Y M W D h m s ms us ns ps fs as 25s 7D"
_DECIMALS: Final = "-0 0E-28 1.10 1E+999999 sNaN12 -NaN NaN -Infinity"
_EXPRESSIONS: Final = {
    "x": "",
    "a * x + b": "ab",
    "x ** c": "c",
    "a / (x - b) + c": "abc",
}
# Types whose hard cases Hypothesis does not draw of itself.
_OWN: Final = (
    str,
    int,
    bytes,
    bytearray,
    datetime,
    time,
    Decimal,
    range,
    slice,
    PurePosixPath,
    PureWindowsPath,
    PosixPath,
    WindowsPath,
    set,
    frozenset,
    OrderedDict,
)
# Every one keeps shape and dtype: Fortran order, strided, reversed, read-only, zero strides.
_LAYOUTS: Final[tuple[Callable[[Any], AnyArray], ...]] = (
    lambda array: array,
    lambda array: array.copy(order="F"),
    lambda array: np.broadcast_to(array[..., None], (*array.shape, 2)).copy()[
        ..., 0
    ],
    lambda array: array[(..., *[slice(None, None, -1)] * array.ndim)],
    lambda array: np.broadcast_to(array, array.shape),
    lambda array: np.broadcast_to(
        array[(..., *[slice(1)] * array.ndim)], array.shape
    ),
)


def _once(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """`lru_cache` that keeps the signature: building a strategy costs more than drawing from it.

    Hypothesis would name its own parts in the errors of wrong arguments, where it tells them.
    """
    made = cast("Callable[_P, _T]", lru_cache(function))

    @wraps(function)
    def checked(*args: _P.args, **keywords: _P.kwargs) -> _T:
        for name, value in keywords.items():
            _check(name, value)
        return made(*args, **keywords)

    return checked


def _check(name: str, value: Any) -> None:
    """Refuse a wrong argument."""
    is_number = isinstance(value, int) and value >= 0
    match name:
        case "dtype" | "cells" | "elements" | "data" | "tree":
            is_right = value is None or isinstance(value, SearchStrategy)
            remedy = "use a strategy of Hypothesis, such as st.just(value)"
        case "shape":
            edges: list[Any] = [-1]
            if isinstance(value, tuple):
                edges = [*cast("Any", value)]
            is_right = value is None or all(
                isinstance(edge, int) and edge >= 0 for edge in edges
            )
            remedy = "use a tuple, such as (2, 3)"
        case "max_depth":
            is_right = is_number and value <= _DEEPEST
            remedy = f"use an integer, 0 to {_DEEPEST}"
        case "max_dims":
            is_right = is_number
            remedy = "use an integer, 0 or more"
        case "size" | "index":
            is_right = value is None or is_number
            remedy = "use an integer, 0 or more, or None"
        case "kinds":
            is_right = (
                isinstance(value, str) and bool(value) and {*value} <= {*_KINDS}
            )
            remedy = f"use letters of {_KINDS!r}"
        case "form":
            is_right = is_choice(value, ("reader", "hyperspy"))
            remedy = "use 'reader' or 'hyperspy'"
        case "any_type" | "functional" | "masked":
            is_right = is_choice(value, (True, False))
            remedy = "use True or False"
        case _:  # Python tells that there is no such argument
            return
    if not is_right:
        raise EncodeError(
            f"{shown(cast('Any', value)):.60} is no choice", name, remedy
        )


def _evenly(*choices: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """One of these, each as likely as another; `one_of` would count the branches within them."""
    return st.integers(0, len(choices) - 1).flatmap(lambda choice: choices[choice])


@_once
def _texts() -> SearchStrategy[str]:
    """Strings of any code points, surrogates too."""
    return st.sampled_from(_TEXTS) | st.text(
        st.characters(exclude_categories=()), max_size=6
    )


@_once
def _ints() -> SearchStrategy[int]:
    """Integers of any size."""
    return st.integers(-3, 12) | st.integers() | st.sampled_from(_INTS)


@_once
def _zones() -> SearchStrategy[tzinfo]:
    """Fixed offsets to the microsecond, with and without a name, and the zones of the system."""
    offsets = st.timedeltas(
        timedelta(microseconds=1) - timedelta(1), timedelta(1, 0, -1)
    )
    fixed = st.one_of(
        st.builds(timezone, offsets), st.builds(timezone, offsets, _texts())
    )
    return fixed | st.timezones() if available_timezones() else fixed


@_once
def _members() -> SearchStrategy[Hashable]:
    """Members of sets; a signalling NaN, a slice and a void scalar do not hash."""
    numbers = st.complex_numbers() | st.fractions() | st.decimals(allow_nan=False)
    times = st.datetimes() | st.dates() | st.timedeltas()
    others = st.one_of(
        st.binary(max_size=4), st.uuids(), st.builds(np.int16, st.integers(0, 9))
    )
    plain = st.one_of(json_scalars(), numbers, times, others)
    return (
        plain | st.tuples(plain, plain) | st.frozensets(json_scalars(), max_size=2)
    )


def json_scalars() -> SearchStrategy[bool | int | float | str | None]:
    """Scalars that JSON can write: None, bool, int of any size, float, str.

    Floats include nan, the infinities and -0.0; strings include NUL, lone surrogates and
    ``"_None_"``.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(
    ...     json_scalars(), lambda value: isinstance(value, int) and value > 2**64
    ... ) > 2**64
    True
    """
    floats = st.sampled_from(_FLOATS) | st.floats()
    return st.one_of(st.none(), st.booleans(), _ints(), floats, _texts())


def _scalars_with(texts: SearchStrategy[Any]) -> list[SearchStrategy[Any]]:
    """One strategy for each plain type."""
    return [st.none(), st.booleans(), _ints(), st.floats(), texts]


def _of_the_table() -> list[SearchStrategy[object]]:
    """One strategy for each row of the table of value types, but for those with hard cases here."""
    return [st.from_type(row.kind) for row in VALUE_TYPES if row.kind not in _OWN]


@_once
def scalars() -> SearchStrategy[object]:
    """Scalars of every type that the format keeps, sets and slices among them.

    Beyond `json_scalars`: complex, bytes, bytearray, every NumPy scalar type (extended precision,
    all units of datetime64 and timedelta64 with NaT, structured void), datetime and time (naive,
    fixed, named and zoneinfo offsets, fold), date, timedelta, Decimal (signalling NaN, exponents),
    Fraction, UUID, pure paths of both flavours, range, slice, set and frozenset.

    Examples
    --------
    >>> from hypothesis import find
    >>> type(
    ...     find(
    ...         scalars(),
    ...         lambda value: isinstance(value, Decimal) and value.is_snan(),
    ...     )
    ... )
    <class 'decimal.Decimal'>
    """
    texts, zones, fold = _texts(), st.none() | _zones(), st.integers(0, 1)
    binary = st.binary(max_size=6) | st.sampled_from(
        [b"", b"\0", b"a\0", b"\xff", b"_None_"]
    )
    paths = (
        st.sampled_from(
            ["/a/../b", "a/./b/", "//h/s/a", "C:\\a", "c:a", "a:b/c", ""]
        )
        | texts
    )
    sets = st.sets(_members(), max_size=4)
    void = arrays(dtype=dtypes(kinds="biufcmMV"), shape=(), masked=False).map(
        lambda a: a[()]
    )
    return _evenly(
        json_scalars(),
        json_scalars(),
        binary,
        binary.map(bytearray),
        *_of_the_table(),
        *[void] * 4,
        texts.map(np.str_),
        binary.map(np.bytes_),
        st.builds(datetime.replace, st.datetimes(), tzinfo=zones, fold=fold),
        st.builds(time.replace, st.times(), tzinfo=zones, fold=fold),
        st.sampled_from(_DECIMALS.split()).map(Decimal) | st.decimals(),
        paths.map(PurePosixPath),
        paths.map(PureWindowsPath),
        st.builds(range, _ints(), _ints(), _ints().map(lambda step: step or 1)),
        st.builds(slice, *[st.none() | _ints() | json_scalars()] * 3),
        sets,
        sets.map(frozenset),
    )


@_once
def keys(*, any_type: bool = False) -> SearchStrategy[Any]:
    """Keys of dictionaries: plain names, and every kind that a store or a mark trips over.

    Parameters
    ----------
    any_type : bool
        Also give int, float, bool, None, and tuples of these and of strings.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(keys(), lambda key: key.startswith("_tuple_3_"))[:9]
    '_tuple_3_'
    """
    marked = [mark + name for mark in _MARKS for name in ("", "x", "3_x")]
    hard = st.sampled_from([*_WORDS, *_NAMES, *marked])
    names = st.one_of(hard, hard, _texts())
    if not any_type:
        return names
    others = st.one_of(_scalars_with(names))
    members = st.lists(others | st.tuples(others, others), max_size=3)
    return _evenly(names, names, others, members.map(tuple))


def _dictionaries(
    children: SearchStrategy[Any], any_type: bool = False
) -> SearchStrategy[dict[Any, Any]]:
    """Small dictionaries; now and then their keys clash."""
    found = [
        names for names in _CLASHES if any_type or set(map(type, names)) == {str}
    ]
    clashes = st.sampled_from(found).flatmap(
        lambda names: st.fixed_dictionaries(dict.fromkeys(names, children))
    )
    plain = st.dictionaries(keys(any_type=any_type), children, max_size=3)
    return _evenly(*[plain] * 7, clashes)


@_once
def _dtypes(kind: str) -> SearchStrategy[AnyDType]:
    """The dtypes of one letter, in both byte orders."""
    if kind == "T":
        string: Any = np.dtypes.StringDType
        missing = [string(na_object=one) for one in (None, float("nan"), "b")]
        return st.sampled_from([string(), string(coerce=False), *missing])
    codes = (
        [f"{kind}8", *(f"{kind}8[{unit}]" for unit in _UNITS.split())]
        if kind in "mM"
        else _CODES[kind]
    )
    return st.sampled_from(
        [np.dtype(order + code) for code in codes for order in "<>"]
    )


def _structured(fields: SearchStrategy[AnyDType]) -> SearchStrategy[AnyDType]:
    """Structured dtypes, packed and aligned, with subarrays."""
    names = st.sampled_from(["values", "std", "a b", "é", "_list_x", "a/b", ".."])
    shape = hnp.array_shapes(max_dims=2, max_side=2)
    entries = st.tuples(names, fields) | st.tuples(names, fields, shape)
    chosen = st.lists(
        entries, min_size=1, max_size=3, unique_by=lambda entry: entry[0]
    )
    return st.builds(np.dtype, chosen, align=st.booleans())


@_once
def dtypes(*, kinds: str = _KINDS) -> SearchStrategy[AnyDType]:
    """Data types of arrays, in both byte orders.

    Parameters
    ----------
    kinds : str
        Letters of `numpy.dtype.kind`. ``f`` and ``c`` include half and extended precision, ``m``
        and ``M`` every unit, multiples and none, ``V`` structured dtypes (nested, aligned, with
        subarrays; fields of the other kinds), ``T`` StringDType with and without a missing value.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(
    ...     dtypes(kinds="M"), lambda dtype: np.datetime_data(dtype) == ("ps", 1)
    ... ).kind
    'M'
    """
    simple = {kind: _dtypes(kind) for kind in kinds}
    fields = _evenly(
        *(found for kind, found in simple.items() if kind != "T"), _dtypes("f")
    )
    nested = [_structured(fields), _structured(_structured(fields) | fields)]
    return _evenly(*simple.values(), *(nested if "V" in kinds else ()))


@_once
def _elements(dtype: AnyDType) -> SearchStrategy[Any]:
    """What `numpy.array` takes for one element of this dtype."""
    size = dtype.itemsize
    if dtype.names is not None:
        return st.tuples(*(_elements(dtype[name]) for name in dtype.names))
    if dtype.subdtype is not None:
        return arrays(dtype=st.just(dtype.base), shape=dtype.shape, masked=False)
    match dtype.kind:
        case "T":
            texts = _texts().map(
                lambda text: text.encode(errors="replace").decode()
            )
            return texts | st.none() if hasattr(dtype, "na_object") else texts
        case "U":
            return st.text(st.characters(exclude_categories=()), max_size=size // 4)
        case "S" | "V" as kind:
            least = size if kind == "V" else 0
            return st.binary(min_size=least, max_size=size) | st.just(
                b"\xff" * size
            )
        case "m" | "M":
            counts = st.integers(-(2**63), 2**63 - 1) | st.just(-(2**63))
            return counts.map(
                lambda count: np.int64(count).view(dtype.newbyteorder("="))
            )
        case "f" | "c":
            special = [float("nan"), float("inf"), -0.0]
            third = [np.longdouble(1) / 3] if dtype.char in "gG" else []
            return hnp.from_dtype(dtype) | st.sampled_from(special + third)
        case _:
            return hnp.from_dtype(dtype)


@_once
def _maskable(dtype: AnyDType) -> bool:
    """Whether NumPy can mask such an array: not if its default fill value does not fit a field."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.ma.MaskedArray(np.zeros((), dtype)).fill_value is not None
        except (RuntimeWarning, ValueError, OverflowError):
            return False


@_once
def _shapes(max_dims: int) -> SearchStrategy[tuple[int, ...]]:
    """Small shapes: no dimension, empty dimensions."""
    some, empty = (
        hnp.array_shapes(
            min_dims=min(1, max_dims), max_dims=max_dims, min_side=side, max_side=3
        )
        for side in (1, 0)
    )
    return st.one_of(st.just(()), some, some, empty)


@_once
@st.composite
def arrays(
    draw: DrawFn,
    *,
    dtype: SearchStrategy[AnyDType] | None = None,
    shape: tuple[int, ...] | None = None,
    max_dims: int = 3,
    masked: bool = True,
) -> AnyArray:
    """Arrays in C and Fortran order, strided, reversed, broadcast and read-only.

    Parameters
    ----------
    dtype : SearchStrategy of numpy.dtype, optional
        All that `dtypes` gives, unless told.
    shape : tuple of int, optional
        Any of up to `max_dims` dimensions, none and empty ones included, unless told.
    max_dims : int
        Largest number of dimensions.
    masked : bool
        Make some of them masked arrays, with and without a fill value.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays(shape=(2, 0)), lambda array: array.dtype.kind == "c").shape
    (2, 0)
    """
    found = draw(dtypes() if dtype is None else dtype)
    sides = draw(_shapes(max_dims)) if shape is None else shape
    size = prod(sides)
    # Few elements, repeated: large shapes cost no more than small ones.
    items = draw(
        st.lists(_elements(found), min_size=1, max_size=max(1, min(size, 5)))
    )
    flat = np.array(items, found)
    lay = draw(st.sampled_from(_LAYOUTS))
    data: AnyArray = lay(flat[np.arange(size) % flat.size].reshape(sides))
    if not masked or draw(st.integers(0, 3)) or not _maskable(found):
        return data
    bits, fields = (
        draw(st.lists(st.booleans(), max_size=4)),
        np.ma.make_mask_descr(found),
    )
    mask = (
        np.resize(bits, size * fields.itemsize).view(fields).reshape(sides)
        if bits
        else np.ma.nomask
    )
    fill = flat[0] if found.kind != "T" and draw(st.booleans()) else None
    return np.ma.MaskedArray(data, mask, fill_value=fill)


@_once
def _cells() -> tuple[SearchStrategy[object], ...]:
    """Cells of object arrays: of several dtypes, some missing, strings, anything."""
    part, scalar = arrays(max_dims=2), json_scalars()
    inner = object_arrays(cells=_evenly(part, scalar), max_dims=1)
    lists, tables = st.lists(scalar, max_size=3), _dictionaries(scalar)
    anything = _evenly(
        st.none(), scalars(), part, lists, lists.map(tuple), tables, inner
    )
    return part, st.none() | part, _texts(), anything


@_once
@st.composite
def object_arrays(
    draw: DrawFn,
    *,
    cells: SearchStrategy[object] | None = None,
    shape: tuple[int, ...] | None = None,
    max_dims: int = 2,
) -> AnyArray:
    """Arrays of objects: ragged ones of one dtype, and such as hold anything.

    Parameters
    ----------
    cells : SearchStrategy, optional
        Unless told: arrays of one dtype, or of several, or also None; strings; or a mixture of
        scalars, arrays, lists, tuples, dictionaries and object arrays.
    shape : tuple of int, optional
        As for `arrays`.
    max_dims : int
        As for `arrays`.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(object_arrays(shape=(2,)), lambda array: array[1] is None)[1] is None
    True
    """
    if cells is None:
        same = arrays(dtype=st.just(draw(dtypes())), max_dims=2, masked=False)
        cells = draw(st.sampled_from([same, same, *_cells()]))
    sides = draw(_shapes(max_dims)) if shape is None else shape
    size = prod(sides)
    items = draw(st.lists(cells, min_size=size, max_size=size))
    lay = draw(st.sampled_from(_LAYOUTS))
    # The one constructor that does not look into the cells.
    data: AnyArray = lay(np.fromiter(items, object, size).reshape(sides))
    return data


@_once
def sequences(
    *, elements: SearchStrategy[object] | None = None
) -> SearchStrategy[list[object] | tuple[object, ...]]:
    """Lists and tuples: empty, of one type, of types that NumPy merges, of more than ten members.

    Parameters
    ----------
    elements : SearchStrategy, optional
        Members of the short mixed ones: scalars and short sequences, unless told.

    Examples
    --------
    >>> from hypothesis import find
    >>> len(find(sequences(), lambda members: len(members) > 10)) > 10
    True
    """
    short = st.lists(json_scalars(), max_size=3)
    mixed = (
        _evenly(scalars(), short, short.map(tuple))
        if elements is None
        else elements
    )
    kinds = (
        *_scalars_with(_texts()),
        st.complex_numbers(),
        st.binary(max_size=3),
    )
    same = st.one_of([st.lists(kind, max_size=14) for kind in kinds])
    merged: list[tuple[object, ...]] = [
        (1, 2.5),
        (True, 2),
        (2**63, -1),
        (1, "a"),
        (1j, 2),
        ("a", b"b"),
        ("a\0", "b"),
        ((1,), 2),
        (1.5, None),
        ((1, 2), (3, 4)),
    ]
    long = st.lists(_evenly(st.integers(0, 9), short), min_size=11, max_size=13)
    either = _evenly(
        st.lists(mixed, max_size=4),
        same,
        st.sampled_from(merged).map(list[object]),
        long,
    )
    return _evenly(either, either.map(tuple))


@_once
def values(*, any_type: bool = True, max_depth: int = 2) -> SearchStrategy[Any]:
    """Any value that the format keeps: scalars, arrays, sequences and dictionaries, nested.

    Parameters
    ----------
    any_type : bool
        Also give keys that are not strings.
    max_depth : int, at most 64
        How far dictionaries and mixed sequences nest.

    Examples
    --------
    >>> from hypothesis import find
    >>> type(find(values(), lambda value: isinstance(value, OrderedDict)))
    <class 'collections.OrderedDict'>
    """
    leaves = (scalars(), scalars(), arrays(), object_arrays(), sequences())
    if max_depth < 1:
        return _evenly(*leaves)
    inner = values(any_type=any_type, max_depth=max_depth - 1)
    plain = _dictionaries(inner, any_type)
    mixed = st.lists(inner, max_size=3)
    return _evenly(*leaves, plain, plain.map(OrderedDict), mixed, mixed.map(tuple))


@_once
@st.composite
def trees(
    draw: DrawFn,
    *,
    any_type: bool = True,
    max_depth: int = 24,
) -> dict[Any, object]:
    """Metadata: dictionaries of `values`, within chains of dictionaries, lists and tuples.

    Parameters
    ----------
    any_type : bool
        Also give keys that are not strings.
    max_depth : int, at most 64
        Longest chain of dictionaries; the values at its end nest a little themselves.

    Examples
    --------
    >>> from hypothesis import find
    >>> "General" in find(trees(), lambda tree: "General" in tree)
    True
    """
    names = keys(any_type=any_type)
    tree: dict[Any, Any] = draw(_dictionaries(values(any_type=any_type), any_type))
    # From the inside: recursion alone hardly ever gets deep.
    depth = draw(
        st.integers(0, min(3, max_depth) - 1) | st.integers(0, max_depth - 1)
    )
    for _ in range(depth):
        form = draw(st.integers(0, 5))
        siblings = (
            draw(_dictionaries(json_scalars(), any_type)) if form == 1 else {}
        )
        tree = siblings | {
            draw(names): [tree]
            if form == 2
            else (None, tree)
            if form == 3
            else tree
        }
    return tree


@_once
def _plain(max_depth: int) -> SearchStrategy[object]:
    """Values of `plain_trees`."""
    texts = _texts().map(lambda text: text.replace("_None_", "None"))
    scalar = st.one_of(_scalars_with(texts))
    strings = st.text(max_size=6).map(lambda text: text.rstrip("\0"))
    octets = st.binary(max_size=4).map(lambda octets: octets.rstrip(b"\0"))
    numbers = (st.integers(-(2**63), 2**63 - 1), st.floats(), st.complex_numbers())
    kinds = (st.booleans(), *numbers, strings, octets)
    same = st.one_of([st.lists(kind, max_size=14) for kind in kinds])
    times = [f"{kind}8[{unit}]" for kind in "mM" for unit in _UNITS.split()]
    others = [np.dtype(code) for code in (*times, "V3", "f8, (2,)i4, S2, ?")]
    shapes = hnp.array_shapes(max_dims=3, min_side=0, max_side=3)
    found = dtypes(kinds="biufc") | st.sampled_from(others)
    array = shapes.flatmap(
        lambda shape: arrays(dtype=found, shape=shape, masked=False)
    )
    words = st.lists(st.text("ab 1", max_size=4), min_size=1).map(
        lambda text: np.array(text, "U4")
    )
    leaves = (scalar, scalar, same, same.map(tuple), array, words)
    if max_depth < 1:
        return _evenly(*leaves)
    inner = _plain(max_depth - 1)
    # None keeps NumPy from merging the members.
    mixed = st.lists(inner, max_size=4).map(lambda members: [None, *members])
    return _evenly(
        *leaves, plain_trees(max_depth=max_depth - 1), mixed, mixed.map(tuple)
    )


@_once
def plain_trees(*, max_depth: int = 3) -> SearchStrategy[dict[str, object]]:
    """Trees that the format has always kept, type for type, in nodes that every reader knows.

    Other readers sort the keys: compare what they give with ``ordered=False``.

    Parameters
    ----------
    max_depth : int, at most 64
        How far dictionaries and mixed sequences nest.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(plain_trees(), lambda tree: True)
    {}
    """
    names = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=2).map("_".join)
    return st.dictionaries(names, _plain(max_depth), max_size=3)


@_once
@st.composite
def axes(
    draw: DrawFn,
    *,
    size: int | None = None,
    index: int | None = 0,
    functional: bool = True,
) -> dict[str, object]:
    """Axes of the three types, one each, as dictionaries like those that reading returns.

    Parameters
    ----------
    size : int, optional
        Number of points; 0 to 4 unless told.
    index : int or None
        The dimension of the array that the axis belongs to; with None, the entry is missing.
    functional : bool
        Also give axes of type ``FunctionalDataAxis``.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(axes(size=2), lambda axis: axis["_type"] == "DataAxis")["axis"]
    array([1., 2.])
    """
    count = draw(st.integers(0, 4)) if size is None else size
    kind = draw(
        st.sampled_from(
            ["UniformDataAxis", "DataAxis", "FunctionalDataAxis"][: 2 + functional]
        )
    )
    texts, flags = st.none() | _texts(), st.booleans()
    axis: dict[str, object] = {
        "_type": kind,
        "name": draw(texts),
        "units": draw(texts),
        "navigate": draw(flags),
        "is_binned": draw(flags),
    }
    axis |= {} if index is None else {"index_in_array": index}
    if kind == "DataAxis":
        steps = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
        code = draw(st.sampled_from(["<f8", ">f8", "<f4", "<i8"]))
        return axis | {"axis": np.cumsum(steps).astype(code)}
    if kind == "UniformDataAxis":
        return axis | {
            "size": count,
            "scale": draw(st.floats()),
            "offset": draw(st.floats()),
        }
    expression = draw(st.sampled_from(list(_EXPRESSIONS)))
    parameters = {
        name: draw(st.floats() | _ints()) for name in _EXPRESSIONS[expression]
    }
    inner = draw(axes(size=count, index=None, functional=False))
    return axis | {
        "size": count,
        "expression": expression,
        **parameters,
        "x": inner,
    }


@_once
@st.composite
def signals(
    draw: DrawFn,
    *,
    data: SearchStrategy[AnyArray] | None = None,
    tree: SearchStrategy[dict[Any, Any]] | None = None,
    form: Literal["reader", "hyperspy"] = "reader",
) -> dict[str, Any]:
    """Whole signals: data with an axis for each dimension, metadata, learning results, models.

    Parameters
    ----------
    data : SearchStrategy of numpy.ndarray, optional
        Arrays of 0 to 4 dimensions, and object arrays, which make the signal ragged, unless told.
    tree : SearchStrategy of dict, optional
        Metadata and the like; small `trees` unless told. The title is set to a hard one.
    form : {"reader", "hyperspy"}
        Laid out as reading returns it, or as HyperSpy hands it to a writer.

    Examples
    --------
    >>> from hypothesis import find
    >>> len(find(signals(), lambda signal: signal["data"].ndim == 3)["axes"])
    3
    """
    plain = arrays(max_dims=4)
    tree = (
        _evenly(trees(max_depth=3), st.fixed_dictionaries({}))
        if tree is None
        else tree
    )
    titles = (
        st.sampled_from([None, "", "__unnamed__", ".", "..", "a/b", "a\\b"])
        | keys()
    )
    array = draw(_evenly(plain, plain, object_arrays()) if data is None else data)
    ragged = array.dtype == object
    found = [
        draw(axes(size=size, index=index)) for index, size in enumerate(array.shape)
    ]
    signal: dict[str, Any] = {
        "data": array,
        "axes": [axis | {"navigate": True} if ragged else axis for axis in found],
        "metadata": draw(tree) | {"General": {"title": draw(titles)}},
        "original_metadata": draw(tree),
        "attributes": {"_lazy": False, "ragged": ragged},
        "models": {},
    }
    for name in draw(st.lists(keys(), max_size=1)):
        model: dict[str, Any] = {
            "date": "2026-01-01 00:00:00",
            "dimensions": "(|3)",
        }
        signal["models"] = {
            name: model | {"_dict": draw(tree), "components": {"A": {}}}
        }
    results, package = (
        draw(tree),
        {"package": "hyperspy", "package_version": draw(_texts())},
    )
    if form == "hyperspy":
        extra = {
            "learning_results": results,
            "tmp_parameters": {},
            "package_info": package,
        }
        return signal | extra
    signal["attributes"]["learning_results"] = results
    return signal | package


def identical(
    a: object,
    b: object,
    *,
    ordered: bool = True,
) -> bool:
    """Whether two values are the same, type for type, all the way down.

    Every NaN is the same, whatever its payload, but -0.0 and 0.0 differ. Decimals differ where
    digits or exponents do (``1.0`` and ``1.00``), times where fold or tzinfo does, ranges where
    a limit does. Arrays need the same class, shape and dtype with byte order, but not the same
    memory order. Masked arrays are compared under the mask too, and by fill value; no mask is the
    same as a mask of False. NumPy scalars of one dtype have one type (longlong may be int64).
    Instances of other classes are compared with ``==``.

    Parameters
    ----------
    a, b : object
        The values.
    ordered : bool
        Whether the order of keys in dictionaries counts.

    Examples
    --------
    >>> identical({"a": [float("nan")]}, {"a": [float("nan")]})
    True
    >>> identical(1, True) or identical(0.0, -0.0) or identical((1,), [1])
    False
    """
    return first_difference(a, b, ordered=ordered) is None


def first_difference(
    a: object,
    b: object,
    *,
    ordered: bool = True,
) -> str | None:
    """Where two values first differ by the rule of `identical`, or None.

    Parameters
    ----------
    a, b : object
        The values.
    ordered : bool
        Whether the order of keys in dictionaries counts.

    Examples
    --------
    >>> first_difference({"a": [1, 2]}, {"a": [1, 2.0]})
    "value['a'][1]: 2 (int) is not 2.0 (float)"
    """
    for keys, problem in Comparer(ordered=ordered).differences(a, b):
        steps = (f"[{shown(key)}]" for key in keys)
        return f"value{''.join(steps)}: {problem}"
    return None
