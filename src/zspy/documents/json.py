"""JSON documents in bounded depth and size."""

from __future__ import annotations

import json
from typing import Any, Final

from ..values.types import is_dict
from .pointers import damaged

# A document has no more values: each takes some 64 bytes.
_MOST_VALUES: Final = 2**22


def has_many_values(data: bytes) -> bool:
    """Tell a document that has more values than are read."""
    most = _MOST_VALUES
    return len(data) > most and max(data.count(b","), data.count(b"[")) > most


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Parse a document: a JSON object."""
    try:
        if has_many_values(data):
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
