"""Floor 1: homogenization, the rule that turns innermost lists and tuples into NumPy arrays.

Pure: it looks at values and decides. It never stores, and it never loses a value: a sequence whose
array would not give its values back is left as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import numpy as np

from .errors import EncodeError, location
from .typing import Value

_Sequence = list[Any] | tuple[Any, ...]
_NumPyArray = np.ndarray[Any, Any]

_EXACT: Final = (bool, int, float, str, bytes, complex)
_PLAIN: Final = (str, bool, int, float, list, tuple, dict)
UNITED: Final = "mMV"  # kinds with units or fields: an array of them is kept as NumPy scalars


def as_array(value: _Sequence, *, exact: bool = False) -> _NumPyArray | None:
    """Give the array that a list or tuple is stored as, or None where it is stored as a group.

    The rule (FORMAT 3 and 9.3): what NumPy makes a one-dimensional, non-object array of. Guards on
    top: the array must hold the values (not 2**63 beside -1, nor a trailing NUL), and what has
    units or fields must be all of one dtype.

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
    types = set(map(type, value))
    only = types.pop() if len(types) == 1 else object
    if only is str:
        return _strings(value)
    if only in (bool, float, complex):
        return np.array(value)
    if issubclass(only, np.generic):
        if len({element.dtype for element in value}) > 1 and value[0].dtype.kind in UNITED:
            return None  # units or fields differ
    elif only not in (int, bytes) and (exact or not value or not all(map(_is_scalar, value))):
        return None
    try:
        array: _NumPyArray = np.array(value)
    except (ValueError, OverflowError, TypeError):  # bytes that are not ASCII, among strings
        return None
    kind = array.dtype.kind
    if array.ndim != 1 or kind in "OT" or array.dtype.hasobject or not array.dtype.itemsize:
        return None
    if kind == "U":
        rendered: list[Any] = array.tolist()
        return _strings(rendered) if all(map(_rendered, value, rendered)) else None
    if kind == "f" and not any(isinstance(element, (float, np.inexact, np.ndarray)) for element in value):
        return None  # integers that no integer dtype holds
    return array if kind in UNITED or all(map(_equal, value, array.tolist())) else None


def from_array(array: _NumPyArray, kind: str) -> _Sequence:
    """Give the list or tuple of an array's scalars: plain Python ones where there are."""
    values: list[Any] = array.tolist()
    return tuple(values) if kind == "tuple" else values


def _is_scalar(value: object) -> bool:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.ndim == 0 and value.dtype.kind in "biufcUS"
    return isinstance(value, _EXACT)


def _strings(value: _Sequence) -> _NumPyArray | None:
    """Hold strings as an object array, unless UTF-8 or a NumPy reader would not keep them."""
    text = "\n".join(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # lone surrogates
            return None
    if "\0" in text and any(element.endswith("\0") for element in value):
        return None
    array = np.empty(len(value), object)
    array[:] = value
    return array


def _rendered(value: Any, text: str) -> bool:
    """Tell whether NumPy's string for a value among strings is Python's own."""
    if isinstance(value, bytes):
        return value.decode("ascii") == text
    return text == (value if isinstance(value, str) else str(value))


def _equal(value: Any, stored: Any) -> bool:
    return bool(value == stored or (value != value and stored != stored))


def narrowed(value: Any) -> Any:
    """Give an instance of a subclass of a plain type as that plain type; all else unchanged.

    >>> import http
    >>> narrowed(http.HTTPStatus.OK)
    200
    """
    kind = type(value)
    if kind in _PLAIN or isinstance(value, np.generic):
        return value
    for plain in _PLAIN:
        if isinstance(value, plain):
            if plain is dict:
                return value if kind is OrderedDict else dict(value.items())
            return plain(value) if plain in (list, tuple) else getattr(plain, f"__{plain.__name__}__")(value)
    return value


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
    >>> homogenized({"a": [1, 2.5], "b": [1, "a"], "c": [1, None], "d": ([1, True], 2)})
    {'a': [1.0, 2.5], 'b': ['1', 'a'], 'c': [1, None], 'd': ([1, 1], 2)}
    """
    # containers, parents before members, each with its parent's number and its key there
    found: list[tuple[Any, int, Any]] = []
    done: list[dict[Any, Any]] = [{}]
    todo: list[tuple[Any, int, Any]] = [(value, -1, None)]
    for child, parent, key in todo:
        source = narrowed(child)
        if not isinstance(source, (dict, list, tuple)):
            done[parent + 1][key] = source
            continue
        if not isinstance(source, dict) and (array := as_array(source)) is not None:
            if array.dtype.kind not in UNITED:
                source = from_array(array, type(source).__name__)
            done[parent + 1][key] = source if isinstance(source, tuple) else [*source]
            continue
        keys, above = [key], parent
        while above >= 0:
            if found[above][0] is child:
                where = location(k for k in reversed(keys))
                raise EncodeError("a container contains itself", where, "break the cycle")
            keys.append(found[above][2])
            above = found[above][1]
        number = len(found)
        found.append((child, parent, key))
        done.append({})
        items = source.items() if isinstance(source, dict) else enumerate(source)
        todo.extend((member, number, name) for name, member in items)
        done[parent + 1][key] = None  # keeps the place in the order
    for number in range(len(found) - 1, -1, -1):
        child, parent, key = found[number]
        members = done[number + 1]
        whole: Any = members if isinstance(child, dict) else [*members.values()]
        if isinstance(child, (tuple, OrderedDict)):
            whole = tuple(whole) if isinstance(child, tuple) else OrderedDict(whole)
        done[parent + 1][key] = whole
    return done[0][None]
