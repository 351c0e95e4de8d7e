"""Zips at URLs, of which the end is read first, and then only what is needed."""

from __future__ import annotations

import io
import struct
import threading
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError
from .base import REPLACED, Opened, Replacing
from .binary import building
from .url import Guarded, is_web, told
from .zarr_store import Stored, got, run
from .zip import CUT_OFF, HEADER, Zip, innermost

_TAIL: Final = 2**18  # bytes that are asked for at the end of a zip
_AHEAD: Final = 2**16  # bytes that are read with the header of an entry
# A directory of a million entries with long names; a longer one is not asked for.
_LONGEST_DIRECTORY: Final = 2**28
_READ_WITH_HEADER: Final = 2**24  # bytes of an entry that is read with its header
# https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.14 to 4.3.16
_END: Final = b"PK\5\6"
_LOCATOR: Final = b"PK\6\7"
_END_64: Final = b"PK\6\6"


def opened_zip(store: Guarded, file: Stored) -> Opened:
    """Open the zip at a URL: if its name says so, or else where no document holds all others.

    What has a query is asked for first: the query may be a signature of this one URL.
    """
    if not store.may_be_zip:
        return file
    path, is_one, _ = _path(store).partition("#")[0].partition("?")
    is_named = path.endswith(".zip")
    if not (is_named or is_one) and file.is_consolidated():
        return file
    size = _TAIL
    tail = b""
    with suppress(FormatError, struct.error):
        while size <= _LONGEST_DIRECTORY:
            tail = run(got(store, [""], slice(-size, None))).get("", b"")
            begin, offset = _directory(tail)
            if begin >= 0 or size >= len(tail) - begin:
                return innermost(FarZip(store, tail, offset - begin))
            size = len(tail) - begin
    if len(tail) == size:  # there may be more before it
        tail = run(got(store, [""], slice(0, 4))).get("", b"")
    if tail.startswith(HEADER):
        raise FormatError("the zip has no directory", str(store), CUT_OFF)
    return file


def _path(store: Guarded) -> str:
    inner: Any = store.behind
    return str(getattr(inner, "path", ""))


def _directory(tail: bytes) -> tuple[int, int]:
    """Tell where the directory of a zip begins, in what is known of its end and in all of it."""
    end = tail.rfind(_END)
    if end < 0:
        raise FormatError("no end of a zip", "")
    size, offset = struct.unpack_from("<2L", tail, end + 12)
    if tail[max(end - 20, 0) :].startswith(_LOCATOR):
        end = tail.rfind(_END_64, 0, end)
        size, offset = struct.unpack_from("<2Q", tail, end + 40)
    return end - size, offset


class FarZip(Zip):
    """The documents in a zip at a URL: each is one request, and small ones share it."""

    kind: str | None = "zip"

    def __init__(self, store: Guarded, tail: bytes, shift: int) -> None:
        self._store, self._tail, self._shift = store, tail, shift
        self._here = threading.local()
        self._index(io.BytesIO(tail), str(store), shift)

    def __reduce__(self) -> tuple[type[FarZip], tuple[Any, ...]]:
        return FarZip, (self._store, self._tail, self._shift)

    def _content(self, info: zipfile.ZipInfo, start: int, stop: int) -> bytes:
        end = self.ends[info.header_offset]
        is_whole = (start, stop) == (0, info.file_size)
        is_small = end - info.header_offset <= _READ_WITH_HEADER
        self._here.stop = end if is_whole and is_small else 0
        try:
            return super()._content(info, start, stop)
        except Exception:
            # Another zip may have taken its place, which is asked for only now.
            last = slice(-len(self._tail), None)
            if run(got(self._store, [""], last)) != {"": self._tail}:
                raise FormatError(REPLACED, "", "open it again") from None
            raise

    def bytes_at(self, start: int, size: int) -> bytes:
        stop = start + size
        known = (self._shift, self._tail), getattr(self._here, "last", (0, b""))
        for begin, data in known:
            if begin <= start and stop <= begin + len(data):
                return data[start - begin : stop - begin]
        until = max(start + _AHEAD, getattr(self._here, "stop", 0))
        until = max(stop, min(until, self._shift + len(self._tail)))
        data = run(got(self._store, [""], slice(start, until))).get("", b"")
        self._here.last = start, data
        return data[:size]


def replacing(store: Any, kind: str) -> Replacing:
    """Write a zip, and put it to a URL when it is complete."""
    if kind != "zip" or not getattr(store, "may_be_zip", False):
        problem = f"a file of the kind {kind!r} is made at a path"
        raise EncodeError(problem, "store_type", "leave it out")
    if run(_has_documents(store.list(), _path(store))):
        problem = "there are documents below it, which would be read instead"
        raise EncodeError(problem, str(store), "use another name")

    def put(path: Path) -> None:
        run(told(str(store), "written", _put(store.behind, path)))

    return building(put)


async def _has_documents(keys: AsyncIterator[str], own: str) -> bool:
    names = [key.rpartition("/")[2] async for key in keys if key != own]
    return not NODES.isdisjoint(names)


async def _put(store: Any, path: Path) -> None:
    # fsspec would post it, which few servers take for a new document.
    options = {"method": "put"} if is_web(store) else {}
    await store.fs._put_file(str(path), store.path, **options)  # noqa: SLF001
