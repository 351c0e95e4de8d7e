"""JSON documents in bounded depth and size."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any, Final

from ..values.types import JSONObject, is_dict
from .pointers import damaged

# A document has no more values: each takes some 64 bytes, an object more than twice as many, and
# whoever copies a file takes microseconds for each.
_MOST_VALUES: Final = 2**21
_HEAVIEST: Final = 3  # the weight of an object, besides its comma
# One that is not closed ends with the document, and nothing is tried twice: to look from each quote
# to the end takes minutes for a megabyte, and to remember each escape, or text, takes gigabytes.
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
# Documents that may hold copies of those of all nodes, which nobody converts.
_COPIES: Final = {".zmetadata", "zarr.json"}


def has_many_values(data: bytes, where: str = "") -> bool:
    """Tell a document that has more values than are read."""
    most = 4 * _MOST_VALUES if where in _COPIES else _MOST_VALUES
    if _HEAVIEST * len(data) <= most:  # as nearly all are
        return False
    outside = _weight(data)
    # Each second text at least is a value, or has one: of so many, the rest need not be looked at.
    for text in islice(_TEXT.finditer(data), 2 * _MOST_VALUES):
        outside -= _weight(text[0])
    return outside > most


def _weight(data: bytes) -> int:
    """Count values, an object as four, and what looks so in texts."""
    return data.count(b",") + data.count(b"[") + _HEAVIEST * data.count(b"{")


def parse_json(data: bytes, where: str) -> JSONObject:
    """Parse a document: a JSON object."""
    try:
        if has_many_values(data, where):
            raise ValueError("too many values")
        document = load_json(data)
    except (ValueError, RecursionError) as error:
        raise damaged(f"no JSON ({error})", where, data) from error
    if not is_dict(document):
        raise damaged("no JSON object", where, data)
    return document


_NESTING: Final = frozenset({dict, list})
DEEPEST: Final = 200
"""Levels of lists and objects in a document."""


def load_json(data: bytes) -> Any:
    """Parse JSON; raises ValueError, or RecursionError, also where it is nested too deep."""
    return _shallow(json.loads(str(data, "utf-8", "surrogatepass")), data)


def dump_json(document: Any) -> bytes:
    """Undo `load_json`; raises TypeError as well, where it is no JSON."""
    data = json.dumps(document).encode()
    _shallow(document, data)
    return data


def _shallow(document: Any, data: bytes) -> Any:
    """Refuse what is nested too deep; few brackets tell that it is not."""
    if len(data) > DEEPEST and data.count(b"[") + data.count(b"{") > DEEPEST:
        refuse_depth(document)
    return document


def refuse_depth(document: Any) -> None:
    """Raise ValueError for what is nested deeper than recursion on it may go."""
    level: list[Any] = [[document]]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = [one.values() if is_dict(one) else one for one in level]
        level = [
            part for parts in inner for part in parts if type(part) in _NESTING
        ]
        if not level:
            return
    raise ValueError("it is nested too deep")
