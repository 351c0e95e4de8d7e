"""Mappings of keys to bytes."""

from __future__ import annotations

from collections.abc import Iterable

from ..documents.source import Given
from .base import Opened, Sink


class Gathered(dict[str, bytes], Sink):
    """Gathers what is written, to replace a database in one transaction."""

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self[key] = document


class Mapped(Given, Opened):
    """The documents in a mapping."""
