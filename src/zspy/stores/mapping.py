"""Mappings of keys to bytes."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    MutableMapping,
)
from contextlib import contextmanager, suppress
from itertools import groupby

from ..documents.source import NODES, Given, Listed, asking, is_document
from ..values.errors import EncodeError
from ..values.types import Documents
from .base import (
    ROOT_DOCUMENTS,
    Moves,
    Opened,
    Pairs,
    Sink,
    Watch,
    is_safe,
    spread,
)
from .owned import misplaced, refuse_misplaced, replaceable_keys


class GatheringSink(dict[str, bytes], Sink):
    """Gathers what is written, for what is made of all of it at once, such as a transaction."""

    def put(self, documents: Pairs) -> None:
        for key, document in documents:
            if not is_safe(key):
                raise EncodeError("a key that leaves the file", key)
            self[key] = document


class Mapped(Given, Opened):
    """The documents in a mapping."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.source: object = documents
        # What replaces a file in a dictionary puts another object there, though it may be equal.
        kind: object = type(documents)
        self._roots: dict[str, bytes | None] = {
            key: documents.get(key)
            for key in (ROOT_DOCUMENTS if kind is dict else ())
        }

    def is_replaced(self) -> bool:
        now = self._documents.get
        return any(now(key) is not root for key, root in self._roots.items())

    def watch(self, key: str, chunks: Iterable[str]) -> Callable[[], None]:
        return Watch(self, self.get, key, chunks, same=operator.is_)


@contextmanager
def replacing_keys(place: MutableMapping[str, bytes]) -> Generator[Sink]:
    """Replace the file in a dictionary, once all of the new one is known."""
    gathered = GatheringSink()
    yield gathered
    with ended(KeysSink(place)) as sink:
        sink.put(gathered.items())


class PlaceSink(Sink):
    """Replaces a file key by key, where nothing can be renamed.

    The documents of the root go first and come last: in between it is no file. What documents
    were there is known until then, and brings the old file back after an error, as long as none
    of its chunks was overwritten or removed.
    """

    def __init__(
        self, there: Collection[str], get: Callable[[str], bytes | None]
    ) -> None:
        self._read = get
        self._own = {*replaceable_keys(there, get)}
        self._unowned = {*there} - self._own
        self._documents: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}
        self._written: set[str] = set()
        self._is_lost = False

    @abstractmethod
    def _get(self, keys: Collection[str]) -> dict[str, bytes]:
        """Read what is there of some keys."""

    @abstractmethod
    def _set(self, documents: Documents) -> None: ...

    @abstractmethod
    def _delete(self, keys: Collection[str]) -> None: ...

    def keep(self, source: Listed, pairs: Moves) -> None:
        pairs = list(spread(source, pairs))
        # All are read before the first is written.
        moved = {new: source[old] for old, new in pairs if old != new}
        if key := min(self._unowned.intersection(moved), default=""):
            raise misplaced(key)
        self._written |= {new for _, new in pairs}
        if moved:
            self._begin(moved)
            self._set(moved)

    def put(self, documents: Pairs) -> None:
        pairs = dict(documents)
        if not self._documents:
            self._refuse_misplaced(pairs)
        self._written |= pairs.keys()
        if not self._documents:
            # These are all of them, and the chunks of small arrays.
            self._documents = pairs
            self._begin(pairs)
            pairs = {
                key: data
                for key, data in pairs.items()
                if key not in ROOT_DOCUMENTS and self._old.get(key) != data
            }
        elif not self._own.isdisjoint(pairs):
            self._is_lost = True
        self._set(pairs)

    def _begin(self, documents: Documents) -> None:
        """Make it no file, and remember what is replaced of it, and what may go."""
        wanted = {*filter(is_document, self._own), *ROOT_DOCUMENTS, *documents}
        self._old |= self._get((wanted & self._own) - self._old.keys())
        for key in ROOT_DOCUMENTS:
            if key in self._own:
                self._delete([key])

    def close(self) -> None:
        """Remove what is left of the old file, and make it a file again."""
        stale = self._own - self._written - {*ROOT_DOCUMENTS}
        self._is_lost = self._is_lost or not stale.issubset(self._old)
        self._remove(stale)
        self._set_root(self._documents)

    def undo(self) -> None:
        """Bring the old file back, where that can be done."""
        if not self._is_lost:
            self._remove(
                self._written - self._own - self._unowned - {*ROOT_DOCUMENTS}
            )
            self._set(
                {
                    key: self._old[key]
                    for key in self._old
                    if key not in ROOT_DOCUMENTS
                }
            )
            # Those that were there are set again, or were never deleted.
            new = self._documents.keys() - self._own
            self._delete([key for key in ROOT_DOCUMENTS if key in new])
            self._set_root(self._old)

    def _refuse_misplaced(self, documents: Documents) -> None:
        """Refuse what belongs to no node where the new file is to be."""

        def read(key: str) -> bytes | None:
            return documents[key] if key in documents else self._read(key)

        keys = documents.keys() | self._written
        refuse_misplaced(self._unowned, keys, read)

    def _remove(self, keys: Collection[str]) -> None:
        """Remove chunks, and then nodes, those far down before the ones above them."""
        for _, gone in groupby(sorted(keys, key=rank, reverse=True), rank):
            self._delete([*gone])

    def _set_root(self, documents: Documents) -> None:
        for key in reversed(ROOT_DOCUMENTS):
            if key in documents:
                self._set({key: documents[key]})


def change(
    place: MutableMapping[str, bytes], gone: Iterable[str], items: Pairs = ()
) -> None:
    """Remove keys from a mapping, and set others."""
    for key in gone:
        with asking(key):
            place.pop(key, None)
    for key, value in items:
        with asking(key):
            place[key] = value


class KeysSink(PlaceSink):
    """Replaces the file in a mapping."""

    def __init__(self, place: MutableMapping[str, bytes]) -> None:
        self._there = Given(place)
        super().__init__([*self._there], self._there.get)
        self._place = place

    def _get(self, keys: Collection[str]) -> dict[str, bytes]:
        return {key: self._there[key] for key in keys if key in self._there}

    def _set(self, documents: Documents) -> None:
        change(self._place, (), documents.items())

    def _delete(self, keys: Collection[str]) -> None:
        change(self._place, keys)

    def _set_root(self, documents: Documents) -> None:
        # They are other objects than those of the old file, by which readers notice.
        roots = filter(documents.__contains__, ROOT_DOCUMENTS)
        super()._set_root({key: bytes(bytearray(documents[key])) for key in roots})


@contextmanager
def ended(sink: PlaceSink) -> Generator[PlaceSink]:
    """End a file that is written in a block, or bring the old one back."""
    try:
        yield sink
        sink.close()
    except BaseException:  # also where a person stops it
        with suppress(Exception):  # what failed may fail again
            sink.undo()
        raise


def rank(key: str) -> tuple[bool, int, bool]:
    """Tell what is written before what: documents of nodes, of the upper ones first."""
    return not is_document(key), key.count("/"), key.rpartition("/")[2] not in NODES
