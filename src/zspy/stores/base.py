"""What every backend shares: a file that is open for reading, and one that is being written."""

from __future__ import annotations

import errno
import operator
import os
import threading
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ..documents.source import Given, Listed
from ..values.errors import DAMAGED, READ_ONLY, ForbiddenError, FormatError
from ..values.types import Pieces

Links: TypeAlias = Literal["refuse", "follow"]
DBM_SUFFIXES: Final = ("", ".dat", ".dir", ".bak", ".pag", ".db")
"""What the files of a dbm database have behind its name."""
ROOT_DOCUMENTS: Final = (".zmetadata", ".zgroup", ".zarray", "zarr.json")
"""What makes a store a Zarr node, in the order in which it is removed; it is written last."""
UNREACHED: Final = "see whether the URL and its storage options are right"
"""What to do where a client library raises an error."""
LARGEST: Final = 2**33  # bytes of a document that is read: no chunk is larger
_NO_NAMES: Final = frozenset(("", ".", ".."))
_SEEKING: Final = threading.Lock()
Pairs: TypeAlias = Iterable[tuple[str, bytes]]
"""Documents and their keys."""
Chunks: TypeAlias = Iterable[tuple[str, Pieces]]
"""Encoded chunks and their keys."""
Moves: TypeAlias = Iterable[tuple[str, str]]
"""Pairs of the key of a document in an old file and its key in the new one."""
Kept: TypeAlias = tuple[Listed, Sequence[tuple[str, str]]]
NOTHING: Final[Kept] = (Given({}), ())
"""What is kept of an old file: its documents, with pairs of a key there and the key here.

What ends with a slash is a folder, which is kept with all that is in it.
"""
_FEW_FOLDERS: Final = 16
_HOLE: Final = 2**20  # bytes from which holes in a document matter
_BLOCK: Final = 2**9  # bytes that the smallest file takes
# Bytes that are read at a time: macOS refuses twice as many.
_LONGEST_READ: Final = 2**30
_BEHIND_SLASH: Final = "0"  # the character that follows on a slash


def forbidden(path: Path) -> ForbiddenError:
    """Make the error of a file that may not be written."""
    remedy = "change its permissions first"
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        remedy = READ_ONLY
    return ForbiddenError("it may not be written", str(path), remedy)


def kind_of_error(error: BaseException) -> str:
    """Name an error of a client library, whose text may show secrets."""
    status: object = getattr(error, "status", None)
    name = type(error).__name__
    return f"{name}, status {status}" if isinstance(status, int) else name


class Opened(Listed):
    """A file that is open for reading: its documents, each read when it is asked for."""

    root = ""  # its path, where it has one
    words = "store"  # what people call it
    source: object = None  # the mapping, or the Zarr store, that it is read from
    follows = False  # whether links may lead out of it, to regular files
    comment: bytes = b""  # what a zip says of itself, which stays in a new one
    is_only_read = False
    """Whether nothing may take its place unless the caller says so."""
    kind: str | None = None
    """The name of the backend that writes it anew, where its place does not tell that."""

    def __getitem__(self, key: str) -> bytes:
        return self.read(key)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield each key with the bytes of its document."""
        return ((key, self.size([key])) for key in self)

    def is_replaced(self) -> bool:
        """Tell whether another file has taken the place of this one since it was opened."""
        return False

    def is_changed(self) -> bool:
        """Tell whether what was read may be of several states of the file."""
        return self.is_replaced()

    def watch(self, key: str, chunks: Iterable[str]) -> Callable[[], None]:  # noqa: ARG002
        """Give what raises if another array takes the place of one: of its document, and chunks."""
        return self.check

    def check(self) -> None:
        """Raise if another file has taken its place: what was read may be of both."""
        if self.is_replaced():
            raise FormatError(REPLACED, self.root, "open it again")

    def close(self) -> None:
        """Close what is open; reading may fail then."""


class Openable(ABC):
    """A place that is no path, no mapping and no Zarr store, and opens what lies there."""

    @abstractmethod
    def opened(self) -> Opened:
        """Open it for reading."""


class Watch:
    """Notices that an array is another one than it was, by the states of some of its chunks.

    An array that has grown has another document, and may have other chunks at its end. A state is
    `unique` if nothing else ever has it, as that of a file in a directory.
    """

    def __init__(
        self,
        file: Opened,
        state: Callable[[str], object],
        key: str,
        chunks: Iterable[str],
        unique: bool = False,
        same: Callable[[object, object], bool] = operator.eq,
    ) -> None:
        self._file, self._state, self._unique = file, state, unique
        self._same = same
        self._document = {key: state(key)}
        states = {chunk: state(chunk) for chunk in chunks}
        self._chunks = {
            key: state for key, state in states.items() if state is not None
        }

    def _are_same(self, before: Mapping[str, object]) -> list[bool]:
        return [
            self._same(self._state(key), state) for key, state in before.items()
        ]

    def __call__(self) -> None:
        if not self._file.is_replaced():
            return
        same = self._are_same(self._chunks)
        kept = any(same) or not same
        if self._are_same(self._document) == [True]:
            kept = self._unique or all(same)
        if not kept:
            self._file.check()


class Sink(ABC):
    """A new file that is being written: first `keep`, then `put` documents, then chunks."""

    @abstractmethod
    def put(self, documents: Pairs) -> None:
        """Write documents, each key once. Several threads may write chunks at the same time."""

    def put_chunks(self, chunks: Chunks) -> None:
        """Write chunks of which each is in pieces, which leave the memory with that."""
        self.put((key, _in_one(pieces)) for key, pieces in chunks)

    def close(self) -> None:  # noqa: B027 - few have anything to do
        """End the file."""

    def keep(self, source: Listed, pairs: Moves) -> None:
        """Take documents over from the old file: pairs of the key there and the key here.

        What ends with a slash is a folder, which is kept with all that is in it.
        """
        self.put((new, source[old]) for old, new in spread(source, pairs))


def _in_one(pieces: Pieces) -> bytes:
    """Join pieces, each of which leaves the memory with that."""
    pieces.reverse()
    whole = BytesIO(pieces.pop())
    whole.seek(0, os.SEEK_END)
    while pieces:
        whole.write(pieces.pop())
    return whole.getvalue()


Replacing: TypeAlias = AbstractContextManager[Sink]
"""Replaces a file at the end of a block."""


class InPlace(Sink):
    """A file of which documents are replaced, each at once, in the order in which they come."""

    names_first: bool = False
    """Whether a chunk is taken only where the document of its array names it already."""

    def remove_leftovers(self) -> None:
        """Remove what killed writers have left, where nobody else writes."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Read a document as it is stored, or None if there is none."""

    @abstractmethod
    def sync(self) -> None:
        """Bring what was put so far to the disk, where there is one."""


def sorted_keys(source: Listed, folders: int) -> Sequence[str] | None:
    """Sort all keys where there are many folders: else all are looked through for each."""
    return sorted(source) if folders > _FEW_FOLDERS else None


def spread(
    source: Listed, pairs: Moves, keys: Sequence[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Give pairs of keys for those of folders, perhaps by the sorted keys of the source."""
    wanted = [*pairs]
    if keys is None:
        keys = sorted_keys(source, sum(old.endswith("/") for old, _ in wanted))
    for old, new in wanted:
        if not old.endswith("/"):
            yield old, new
            continue
        folder = old[:-1]
        below = source.below(folder) if keys is None else keys_below(keys, folder)
        yield from ((key, new + key[len(old) :]) for key in below)


def keys_below(keys: Sequence[str], folder: str) -> Sequence[str]:
    """Give those of sorted keys that lie below a folder."""
    if not folder:
        return keys
    start = bisect_left(keys, f"{folder}/")
    return keys[start : bisect_left(keys, f"{folder}{_BEHIND_SLASH}")]


def read_at(handle: int, size: int, start: int) -> bytes:
    """Read by position: forked processes share the place where an open file stands."""
    return in_pieces(partial(_piece_at, handle), size, start)


def in_pieces(read: Callable[[int, int], bytes], size: int, start: int) -> bytes:
    """Read as much as there is by a function that may give less than it is asked for."""
    data = b""
    while more := read(min(size - len(data), _LONGEST_READ), start + len(data)):
        data += more
        if len(data) == size:
            break
    return data


def _piece_at(handle: int, size: int, start: int) -> bytes:
    """Read as many bytes as the system gives at once."""
    if hasattr(os, "pread"):
        return os.pread(handle, size, start)
    with _SEEKING:  # on Windows, which has no forks
        os.lseek(handle, start, os.SEEK_SET)
        return os.read(handle, size)


def allocated_size(handle: int, start: int, size: int) -> int:
    """Tell how many bytes of a part of a file the disk holds: a hole in it is nothing.

    Something of it is always counted, as its entry in a folder is.
    """
    if size <= _HOLE or not hasattr(os, "SEEK_DATA"):
        return size
    total = _BLOCK
    at, stop = start, start + size
    while at < stop:
        try:
            at = min(os.lseek(handle, at, os.SEEK_DATA), stop)
            end = min(os.lseek(handle, at, os.SEEK_HOLE), stop)
        except OSError as error:
            return total if error.errno == errno.ENXIO else size
        total += end - at
        at = max(end, at + 1)
    return min(total, size)


def is_safe(key: str) -> bool:
    """Tell whether a key names something below the root, whoever reads it; no name has a NUL."""
    return "\0" not in key and _NO_NAMES.isdisjoint(key.split("/"))


REPLACED: Final = "the file was replaced while it was read"


def limited(size: int, key: str) -> int:
    """Refuse what is too large to be a document."""
    if size > LARGEST:
        raise FormatError(f"a document of {size} bytes", key, DAMAGED)
    return size
