"""Mappings of keys to bytes."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, MutableMapping
from contextlib import contextmanager
from typing import TypeAlias

from ..documents.source import NODES, Given, is_document
from ..values.errors import EncodeError
from ..values.types import Documents
from .base import ROOTS, Opened, Pairs, Sink
from .owned import replaceable_keys

Change: TypeAlias = tuple[str, bytes | None]  # None deletes


class GatheringSink(dict[str, bytes], Sink):
    """Gathers what is written, to replace a database in one transaction."""

    def put(self, documents: Pairs) -> None:
        for key, document in documents:
            self[key] = document


class Mapped(Given, Opened):
    """The documents in a mapping."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.source: object = documents


@contextmanager
def replacing_keys(place: MutableMapping[str, bytes]) -> Generator[Sink]:
    """Replace the file in a dictionary, once all of the new one is known."""
    if not hasattr(place, "__setitem__"):
        raise EncodeError(
            "the store is read-only", "filename", "open it for writing"
        )
    gathered = GatheringSink()
    yield gathered
    own = replaceable_keys([*place], place.get)
    change(place, in_place(gathered.items(), own))


def change(place: MutableMapping[str, bytes], changes: Iterable[Change]) -> None:
    """Set and delete keys of a mapping."""
    for key, value in changes:
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value


def in_place(changes: Iterable[Change], there: Collection[str]) -> list[Change]:
    """Order the changes that replace a file: the documents of its root go first and come last.

    In between no chunk is there without its array, and no node without the group above it.
    """
    new = dict(changes)
    gone = [key for key in ROOTS if key in there]
    stale = [key for key in there if key not in new and key not in gone]
    gone += sorted(stale, key=rank, reverse=True)
    last = [(key, new.pop(key)) for key in reversed(ROOTS) if key in new]
    added = sorted(new, key=rank)
    return [
        *((key, None) for key in gone),
        *((key, new[key]) for key in added),
        *last,
    ]


def rank(key: str) -> tuple[bool, int, bool]:
    """Tell what is written before what: documents of nodes, of the upper ones first."""
    return not is_document(key), key.count("/"), key.rpartition("/")[2] not in NODES
