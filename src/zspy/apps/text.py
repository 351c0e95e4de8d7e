"""How names, values and numbers are shown to people, safely and in one line. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from ..values.errors import shown
from ..values.names import unmark
from ..values.nodes import Array
from ..values.types import Node, is_array

LONGEST: Final = 80
"""Characters of a value that are shown."""
Paint: TypeAlias = Callable[[str, str], str]
"""Gives a text of a kind ("group", "array", "key", "note") in its colour."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def printable(text: str) -> str:
    r"""Escape what does not print: control characters, lone surrogates, changes of direction.

    >>> printable("a\x1b[2J\u202eb")
    'a\\x1b[2J\\u202eb'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


def cut(text: str, longest: int = LONGEST) -> str:
    """Cut a text that is too long.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def value_text(value: object, longest: int = LONGEST) -> str:
    """Show the value of an attribute, or one that was decoded.

    >>> value_text("a"), value_text([1, None])
    ("'a'", '[1, None]')
    """
    if isinstance(value, str):
        value = value[: longest + 1]
    return printable(cut(shown(value), longest))


def values_text(data: Any) -> str:
    """Show the values of an array that is in memory; nothing of one that is elsewhere.

    >>> values_text(np.arange(3)), values_text(np.arange(100))
    ('0 1 2', '0 1 2 ... 97 98 99')
    """
    if not is_array(data) or not data.size:
        return ""
    flat = data.ravel()
    few = flat if flat.size <= 10 else np.concatenate([flat[:3], flat[-3:]])
    words = [printable(cut(_cell_text(one), 24)) for one in few.tolist()]
    return " ".join(words if flat.size <= 10 else [*words[:3], "...", *words[3:]])


def _cell_text(cell: object) -> str:
    if is_array(cell):
        return f"{cell.dtype}{list(cell.shape)}"
    return f"{cell:.6g}" if isinstance(cell, float) else shown(cell)


def size_text(count: float) -> str:
    """Show a number of bytes.

    >>> size_text(999), size_text(1_060_000_000)
    ('999 B', '1.06 GB')
    """
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.3g} {_UNITS[unit]}"


def type_text(name: str, node: Node) -> str:
    """Name what a node stands for.

    >>> type_text("_list_x", Array(np.arange(3)))
    'list'
    """
    where = where_of(node)
    marked = unmark(name, where)
    return marked[0] if marked else where


def where_of(node: Node) -> Any:
    """Say whether a name is that of an array or of a group."""
    return "array" if isinstance(node, Array) else "group"


def dtype_text(array: Array) -> str:
    """Name the dtype of an array, or what its cells are.

    >>> (
    ...     dtype_text(Array(np.zeros(2, ">f4"))),
    ...     dtype_text(Array(np.array(["a"], object))),
    ... )
    ('>f4', 'object')
    """
    dtype: np.dtype[Any] = np.dtype(array.data.dtype)
    if array.cells is not None:
        return f"object ({printable(array.cells)})"
    plain = dtype.name if dtype.isnative and dtype.names is None else str(dtype)
    return printable(cut(plain))
