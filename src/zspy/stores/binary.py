"""Zips in file objects, such as `io.BytesIO`: read by position, and written as a whole."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from weakref import WeakValueDictionary

from ..values.errors import TOLD, EncodeError, FormatError
from .base import (
    Openable,
    Opened,
    Replacing,
    Sink,
    in_pieces,
    kind_of_error,
)
from .mapping import Mapped
from .other_files import LOOKED_AT, is_other, refusal_of
from .zip import Window, Zip, ZipSink, innermost

# The locks of file objects, by their identity: who has such a lock has the object too.
_LOCKS: Final = WeakValueDictionary[int, threading.Lock]()


def _lock_of(file: IO[bytes]) -> threading.Lock:
    """Give the lock of an object, which several may have, and which stands at one place."""
    return _LOCKS.setdefault(id(file), threading.Lock())


class Binary(Openable):
    """A file object as a place for a file."""

    kind = "zip"

    def __init__(self, file: IO[bytes]) -> None:
        self.store = file
        if file.closed:
            raise EncodeError(f"a {self} that is closed", "filename", "open it")

    def __str__(self) -> str:
        return type(self.store).__name__

    def opened(self) -> Opened:
        """Open it for reading; what is empty, or has no positions, holds nothing."""
        file = self.store
        if not file.seekable() and not file.writable():
            problem = "it can be read only once, from its start to its end"
            raise FormatError(problem, str(self), "use io.BytesIO(file.read())")
        try:
            with _lock_of(file):
                size = file.seekable() and file.seek(0, io.SEEK_END)
        except ValueError as error:  # a gzip.GzipFile that is written, say
            remedy = "use io.BytesIO, and write its content into the file"
            raise EncodeError(str(error), str(self), remedy) from error
        if not size:
            return Mapped({})
        if not file.readable():
            problem = "it holds something, and is open for writing only"
            raise FormatError(problem, str(self), "open it for reading as well")
        return innermost(ObjectZip(file, size))

    def replacing(self) -> Replacing:
        """Replace its content by a zip, when that is complete."""
        if not self.store.writable():
            problem = "the file object is open for reading only"
            raise EncodeError(problem, str(self), "open it for writing")
        return building(self._take)

    def _take(self, path: Path) -> None:
        if self.store.seekable():
            self.store.seek(0)
            self.store.truncate()
        with path.open("rb") as new:
            shutil.copyfileobj(new, self.store)
        self.store.flush()


class ObjectZip(Zip):
    """The documents in a zip in a file object, whose number may be that of another file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._object, self._size = file, size
        self._lock = _lock_of(file)
        where = type(file).__name__
        try:
            self._index(Window(self.bytes_at, size), where)
        except FormatError:
            start = self.bytes_at(0, min(size, LOOKED_AT))
            if is_other(start):
                raise refusal_of(start, where) from None
            raise

    def __reduce__(self) -> tuple[type[ObjectZip], tuple[Any, ...]]:
        return ObjectZip, (self._object, self._size)

    def bytes_at(self, start: int, size: int) -> bytes:
        with self._lock:
            return in_pieces(self._piece_at, size, start)

    def _piece_at(self, size: int, start: int) -> bytes:
        try:
            self._object.seek(start)
            return self._object.read(size)
        except Exception as error:
            if isinstance(error, TOLD):
                raise
            number: object = getattr(error, "errno", None)
            said = kind_of_error(error)
            if self._object.closed:
                said = "it is closed"
            elif isinstance(number, int):
                said = os.strerror(number)
            problem = f"it cannot be read ({said})"
        # What a client library raises may show a URL: this error has no context.
        raise FormatError(problem, type(self._object).__name__, "open it again")


@contextmanager
def building(take: Callable[[Path], None]) -> Generator[Sink]:
    """Build a zip in a folder for temporary files, and hand it over when it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.zip"
        path.touch()
        sink = ZipSink(path)
        try:
            yield sink
        finally:
            sink.close()
        take(path)
