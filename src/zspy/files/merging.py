"""Dictionaries that are merged into others."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from ..values.types import is_mapping


class Removal(Enum):
    """The value that removes a key."""

    REMOVE = "remove"


REMOVE: Final = Removal.REMOVE


def merged(old: Mapping[Any, Any], changes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Merge changes into a dictionary, which stays as it is.

    >>> merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}, "d": REMOVE})
    {'a': {'b': 5, 'c': 2}}
    """
    new = dict(old)
    for key, value in changes.items():
        if value is REMOVE:
            new.pop(key, None)
        elif is_mapping(value):
            before = new.get(key)
            new[key] = merged(before if is_mapping(before) else {}, value)
        else:
            new[key] = value
    return new
