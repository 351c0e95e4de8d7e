"""Mappings of keys to bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..documents.source import Given
from .base import Opened, Sink

if TYPE_CHECKING:
    from zarr.abc.store import Store


class Gathered(dict[str, bytes], Sink):
    """Gathers what is written, to replace a database in one transaction."""

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self[key] = document

    def store(self) -> Store:
        from .zarr_store import MappingStore

        return MappingStore(self)


class Mapped(Given, Opened):
    """The documents in a mapping."""
