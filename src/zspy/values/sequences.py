"""Homogenization, the rule that turns innermost lists and tuples into NumPy arrays.

Pure: it looks at values and decides. It never stores, and it never loses a value: a sequence whose
array would not give its values back is left as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, time, timezone
from operator import index
from typing import Any, Final, overload
from zoneinfo import ZoneInfo

import numpy as np

from .errors import EncodeError, location, taking
from .foreign import lowered_foreign
from .names import KINDS
from .types import DType, NumPyArray, Value, is_dict, is_sequence

_Sequence = list[Any] | tuple[Any, ...]
# The plain types, each with what makes one: an enumeration has a text, or a number, of its own.
_PLAIN: Final[dict[type, Callable[[Any], Value]]] = {
    bool: bool,
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    list: list,
    tuple: tuple,
    dict: dict,
}
_TIMES: Final = (datetime, time)
_MERGED: Final = (bool, int, float, complex, str, bytes)
_LISTS: Final = tuple(f"_{kind}_" for kind in KINDS)
KEPT_AS_SCALARS: Final = "mMV"
"""Kinds of dtypes with units or fields: a list of such NumPy scalars comes back as them."""


def as_array(
    value: _Sequence,
    *,
    exact: bool = False,
) -> NumPyArray | None:
    """Give the array that a list or tuple is stored as, or None where it is stored as a group.

    The rule (clause 6.2 of the specification): what NumPy makes a one-dimensional, non-object
    array of. Guards on top: the array must hold the values (not 2**63 beside -1, nor a trailing
    NUL; clause 6.3), and what has units or fields must be all of one dtype.

    Parameters
    ----------
    value : list or tuple
        Any sequence; nothing but scalars can become an array.
    exact : bool, default False
        Only where all elements have one exact type.

    Returns
    -------
    array or None
        Shape ``(len(value),)``; strings as dtype object.

    Examples
    --------
    >>> as_array([1, 2.5])
    array([1. , 2.5])
    >>> as_array([1, 2.5], exact=True) is None, as_array([2**63, -1]) is None
    (True, True)
    """
    types: set[type] = set(map(type, value))
    only = types.pop() if len(types) == 1 else object
    if only is str:
        return _strings(value)
    dtype = None
    if issubclass(only, np.generic):
        if narrowed(value[0]) is not value[0]:
            return None  # A class of another program is told for each.
        if value[0].dtype.kind in KEPT_AS_SCALARS:
            # NumPy would choose the byte order of several itself.
            dtype = value[0].dtype
            if len({element.dtype for element in value}) > 1:
                return None
        elif exact and np.dtype(value[0].dtype.str).type is not only:
            return None  # It would come back as another type of as many bytes.
    elif only not in _MERGED and (
        exact or not value or not all(map(_is_scalar, value))
    ):
        return None
    try:
        # Of a tuple NumPy would make one record.
        array: NumPyArray = np.array([*value], dtype)
    # There are bytes that are no ASCII among strings, or huge integers.
    except (ValueError, OverflowError):
        return None
    kind = array.dtype.kind
    if array.dtype.hasobject or not array.dtype.itemsize:
        return None
    if kind in KEPT_AS_SCALARS:
        return array
    stored: list[Any] = array.tolist()
    if kind == "U":
        return _strings(stored) if all(map(_renders, value, stored)) else None
    if kind == "f" and all(
        np.asarray(element).dtype.kind in "biu" for element in value
    ):
        return None  # No dtype of integers holds them all.
    # NumPy rounds an integer of its own that it compares with a float.
    is_merged = only is object or only is np.ndarray
    equal = _is_number if is_merged and kind in "fc" else _equal
    return array if all(map(equal, value, stored)) else None


def _is_scalar(value: Any) -> bool:
    """Tell what NumPy may merge with others: numbers, strings and bytes."""
    if issubclass(value.__class__, np.generic) or value.__class__ is np.ndarray:
        return bool(value.ndim == 0 and value.dtype.kind in "biufcUS")
    return narrowed(value).__class__ in _MERGED


def is_utf8(text: str) -> bool:
    """Tell whether there are no lone surrogates."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def _strings(value: _Sequence) -> NumPyArray | None:
    """Hold strings as an object array, unless UTF-8 or a NumPy reader would not keep them."""
    text = "\n".join(value)
    if "\0" in text and any(element.endswith("\0") for element in value):
        return None
    return np.fromiter(value, object, len(value)) if is_utf8(text) else None


def _renders(value: Any, text: str) -> bool:
    """Tell whether NumPy's string for a value among strings is Python's own."""
    if isinstance(value, str):
        # np.str_ itself would leave out NULs at the end.
        return text == str.__str__(value)
    return text == (
        value.decode("ascii") if isinstance(value, bytes) else str(value)
    )


def _equal(value: Any, stored: Any) -> bool:
    return bool(value == stored or value != value)  # NaN does not equal itself.


def _is_number(value: Any, stored: Any) -> bool:
    """Tell whether a float, or a complex number, is the number that it was made of."""
    try:
        return index(value) == int(stored.real)
    except (TypeError, OverflowError):  # that was no integer, or is none now
        return _equal(value, stored)


def narrowed(value: object) -> Any:
    """Give an instance of a subclass of a plain type as that plain type; all else unchanged.

    >>> import http
    >>> narrowed(http.HTTPStatus.OK)
    200
    """
    kind = type(value)
    if kind in _PLAIN or kind is OrderedDict:
        return value
    if issubclass(kind, _TIMES):
        return _with_offset(value)
    if issubclass(kind, np.generic):
        scalar: Any = value
        is_own = kind is scalar.dtype.type and kind is not np.record
        return value if is_own else _narrowed_array(value)
    if issubclass(kind, np.ndarray):
        return _narrowed_array(value)
    for plain, convert in _PLAIN.items():
        if issubclass(kind, plain):
            return convert(value)
    return value


def _with_offset(value: Any) -> Any:
    """Give a time with the offset of its zone, where the zone has no key that can be stored."""
    zone = value.tzinfo
    offset = None if zone is None else value.utcoffset()
    if offset is None or (type(zone) is ZoneInfo and zone.key):
        return value
    plain = timezone(offset)
    is_own = type(value) in _TIMES
    # pandas makes a zone again by its offset.
    is_kept = type(zone) is timezone if is_own else str(zone) == str(plain)
    return value if is_kept else value.replace(tzinfo=plain)


def _narrowed_array(value: Any) -> Any:
    """Give an array, or a record, of a subclass as one of the base class."""
    masked: Any = np.ma.MaskedArray
    if isinstance(value, masked):
        return value if type(value) is masked else masked(value[...], subok=False)
    plain: Any = np.asarray(value)
    if plain.dtype.type is np.record:
        plain = plain.view(np.dtype((np.void, plain.dtype)))
    return plain if isinstance(value, np.ndarray) else plain[()]


@overload
def homogenized(value: dict[Any, Any]) -> dict[Any, Any]: ...


@overload
def homogenized(value: list[Any]) -> list[Any]: ...


@overload
def homogenized(value: tuple[Any, ...]) -> tuple[Any, ...]: ...


@overload
def homogenized(value: Value) -> Value: ...


@taking("value")
def homogenized(value: Value) -> Value:
    """Apply the homogenization rule to every list and tuple of a tree.

    What ``decode(encode(value))`` returns, type for type: the innermost sequences have become
    sequences of one type, as the format stores them; instances of subclasses of plain types have
    become these. Nothing else changes.

    Parameters
    ----------
    value : any value that zspy stores

    Returns
    -------
    the same kind of value
        New dictionaries, lists and tuples; other leaves are the same objects.

    Raises
    ------
    EncodeError
        If a container contains itself.

    Examples
    --------
    >>> homogenized(
    ...     {"a": [1, 2.5], "b": [1, "a"], "c": [1, None], "d": ([1, True], 2)}
    ... )
    {'a': [1.0, 2.5], 'b': ['1', 'a'], 'c': [1, None], 'd': ([1, 1], 2)}
    """
    result: list[Any] = [None]
    # The containers that are being copied, each with its key.
    within: dict[int, Any] = {}
    # Where a copy goes, under which key, of what, and the copy once its members are done.
    todo: list[tuple[Any, Any, Any, Any]] = [(result, 0, value, None)]
    while todo:  # This is not recursive: trees may be deeper than the stack.
        above, key, source, copy = todo.pop()
        if copy is not None:
            within.popitem()
            above[key] = tuple(copy) if type(source) is tuple else copy
            continue
        plain = narrowed(source)
        if plain is not source and lowered_foreign(source) is not None:
            plain = source  # Its library makes it again.
        members: Iterable[tuple[Any, Any]]
        if is_sequence(plain):
            array = as_array(plain)
            members = enumerate(plain) if array is None else ()
            copy = (
                [*plain]
                if array is None or array.dtype.kind in KEPT_AS_SCALARS
                else array.tolist()
            )
        elif is_dict(plain):
            copy = type(plain).fromkeys(map(narrowed, plain))
            members = zip(copy, plain.values(), strict=True)
        else:
            above[key] = plain
            continue
        if id(source) in within:
            where = location([*within.values(), key][1:])
            raise EncodeError(
                "a container contains itself", where, "break the cycle"
            )
        within[id(source)] = key
        todo.append((above, key, plain, copy))
        todo.extend((copy, name, member, None) for name, member in members)
    return result[0]


def decoded_bytes(path: str, dtype: DType) -> int:
    """Give the bytes that an element of an array takes once it is decoded, besides the array's own.

    Lists become objects, and bytes become text.

    >>> (
    ...     decoded_bytes("a/_list_b", np.dtype("i8")),
    ...     decoded_bytes("a/b", np.dtype("i8")),
    ... )
    (32, 0)
    """
    later = 4 * dtype.itemsize if dtype.kind == "S" else 0
    if path.rpartition("/")[2].startswith(_LISTS):
        if dtype.kind == "V":
            # A scalar has bytes of its own, and a record may become a tuple of numbers.
            each = 40 if dtype.names else 1
            later += 96 + each * dtype.itemsize
        else:
            later += 64 if dtype.kind in "SUc" else 32
    return later
