"""URLs, which are opened with fsspec or obstore. No error shows more than their kind and host."""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.storage import LocalStore, WrapperStore

from ..values.errors import EncodeError, FormatError

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest

_T = TypeVar("_T")
_LARGEST: Final = 2**33  # bytes of a document that is read: no chunk is larger
_PIECE: Final = 2**16  # bytes that are taken from a server at a time
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST: Final = re.compile(r"([A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_LINK: Final = re.compile(r"::(?![0-9A-Fa-f:.]*\])")  # not that of an IPv6 address


def local_path(store: Store) -> Path | None:
    """Give the path of a store that is no more than a directory or a zip file."""
    if type(store) is LocalStore:
        return store.root
    inner: Any = getattr(store, "store", getattr(store, "fs", None))
    if type(inner).__module__ == "fsspec.implementations.asyn_wrapper":
        inner = inner.sync_fs
    if type(inner).__module__ == "fsspec.implementations.local":
        return Path(cast("Any", store).path)
    prefix: Any = getattr(inner, "prefix", None)
    is_local = type(inner).__module__.startswith("obstore") and isinstance(
        prefix, Path
    )
    return prefix if is_local else None


def open_url(url: str, options: Mapping[str, Any]) -> Path | Store:
    """Open a URL, with fsspec or else with obstore."""
    if url.startswith("file://") and not options:
        return Path(url2pathname(urlsplit(url).path))
    store: Store | None = None
    problem = ""
    try:
        store = _from_fsspec(url, options)
        return local_path(store) or Guarded(store, shown(url))
    except (FormatError, EncodeError, Warning):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client library raises
        problem = _kind_of(error)
    # An error that is raised here has no context, which would show what is secret.
    raise FormatError(f"it cannot be opened ({problem})", shown(url))


def _from_fsspec(url: str, options: Mapping[str, Any]) -> Store:
    try:
        from zarr.storage import FsspecStore

        return FsspecStore.from_url(url, storage_options=dict(options))
    except ImportError:
        pass
    try:
        from obstore.store import from_url
        from zarr.storage import ObjectStore
    except ImportError:
        problem = "what reads such URLs is not installed"
        raise EncodeError(problem, "filename", "pip install zspy[remote]") from None
    return ObjectStore(cast("Any", from_url)(url, **options))


def shown(url: str) -> str:
    """Give the kind and the host of a URL, and nothing else of it.

    >>> shown("zip::https://me:word@example.org/a?sig=x")
    'zip::https://example.org'
    """
    *links, last = _LINK.split(url)
    schemes = [link.partition("://")[0] for link in links]
    scheme, _, rest = last.partition("://")
    authority, rest = re.split(r"(?=[/?#\\])|$", rest, maxsplit=1)
    host = authority.rpartition("@")[2]
    if "@" in rest or not _HOST.fullmatch(host):
        # A password with a slash in it ends there.
        host = ""
    if not all(_SCHEME.fullmatch(name) for name in (*schemes, scheme)):
        return "URL"
    return "::".join([*schemes, f"{scheme}://{host}"])


def _kind_of(error: Exception) -> str:
    """Name an error of a client library, whose text may show secrets."""
    status: object = getattr(error, "status", None)
    name = type(error).__name__
    return f"{name}, status {status}" if isinstance(status, int) else name


class Guarded(WrapperStore[Store]):
    """A store behind a URL, whose errors and representation show its kind and host only."""

    def __init__(self, store: Store, name: str = "URL") -> None:
        super().__init__(store)
        self._name = name

    def _with_store(self, store: Store) -> Guarded:
        return Guarded(store, self._name)

    def with_read_only(self, read_only: bool = False) -> Guarded:
        return self._with_store(self._store.with_read_only(read_only))

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Guarded({self._name!r})"

    def __hash__(self) -> int:
        return hash(self._name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guarded) and self._store == other._store

    async def _asked(self, what: str, steps: Awaitable[_T], key: str = "") -> _T:
        """Await an answer of the store; what it raises gives its name to an error of zspy's.

        Where a key is given, that it is not there is an answer.
        """
        is_missing = False
        problem = ""
        try:
            return await steps
        except (FormatError, EncodeError, Warning):
            # A warning is an error where the user wants it to be one.
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client library raises
            is_missing = isinstance(error, FileNotFoundError) and bool(key)
            problem = _kind_of(error)
        if is_missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key)
        raise FormatError(f"it cannot be {what} ({problem})", self._name)

    async def _open(self) -> None:
        await self._asked("opened", super()._open())

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        inner: Any = self._store
        client: Any = getattr(inner, "fs", None)
        if type(client).__module__ != "fsspec.implementations.http":
            return await self._asked("read", inner.get(key, prototype, byte_range))
        url = f"{inner.path.rstrip('/')}/{key}"
        data = await self._asked("read", _download(client, url, byte_range))
        return None if data is None else prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        steps = self._store.exists(key)
        return await self._asked("read", steps)

    async def getsize(self, key: str) -> int:
        steps = self._store.getsize(key)
        return await self._asked("read", steps, key)

    async def getsize_prefix(self, prefix: str) -> int:
        steps = self._store.getsize_prefix(prefix)
        return await self._asked("read", steps, prefix)

    async def is_empty(self, prefix: str) -> bool:
        steps = self._store.is_empty(prefix)
        return await self._asked("listed", steps)

    async def set(self, key: str, value: Buffer) -> None:
        steps = self._store.set(key, value)
        await self._asked("written", steps)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        steps = self._store.set_if_not_exists(key, value)
        await self._asked("written", steps)

    async def delete(self, key: str) -> None:
        steps = self._store.delete(key)
        await self._asked("written", steps)

    async def delete_dir(self, prefix: str) -> None:
        steps = self._store.delete_dir(prefix)
        await self._asked("written", steps)

    async def clear(self) -> None:
        steps = self._store.clear()
        await self._asked("written", steps)

    async def list(self) -> AsyncIterator[str]:
        for key in await self._asked("listed", _all(self._store.list())):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        keys = _all(self._store.list_prefix(prefix))
        for key in await self._asked("listed", keys):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        keys = _all(self._store.list_dir(prefix))
        for key in await self._asked("listed", keys):
            yield key


async def _all(keys: AsyncIterator[str]) -> list[str]:
    return [key async for key in keys]


async def _download(
    client: Any, url: str, part: ByteRequest | None
) -> bytes | None:
    """Read a document of a web server, or a part of it, and no more than is asked for.

    A server may send more than that, or something small that becomes large.
    """
    span, start, most = _asked_of(part)
    session = await client.set_session()
    options = dict(client.kwargs)
    headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
    for header in ({"Range": f"bytes={span}"}, {}) if span else ({},):
        options |= {"headers": headers | header, "auto_decompress": False}
        async with session.get(client.encode_url(url), **options) as answer:
            if answer.status == 404:
                return None
            if answer.status == 416:
                # Nothing lies in that range.
                return b""
            answer.raise_for_status()
            encoding = answer.headers.get("Content-Encoding", "identity").lower()
            if answer.status != 206:
                end = start + most if start >= 0 else _LARGEST
                return (await _received(answer, encoding, end))[start:][:most]
            if encoding == "identity":
                return await _received(answer, encoding, most)
            # A part of what is compressed is of no use: it is asked for as a whole.
    raise FormatError("its server sends a part where all was asked for", "")


def _asked_of(part: ByteRequest | None) -> tuple[str, int, int]:
    """Give the range to ask a server for, where it begins and how many bytes it has at most."""
    match part:
        case RangeByteRequest(start=start, end=end):
            return f"{start}-{end - 1}", start, end - start
        case OffsetByteRequest(offset=offset):
            return f"{offset}-", offset, _LARGEST
        case SuffixByteRequest(suffix=suffix):
            return f"-{suffix}", -suffix, suffix
        case _:
            return "", 0, _LARGEST


async def _received(answer: Any, encoding: str, most: int) -> bytes:
    """Take the body of an answer, up to so many bytes."""
    decoder: Any = None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    elif encoding != "identity":
        raise FormatError(
            "its server sends what is encoded in a way of its own", ""
        )
    data = bytearray()
    async for piece in answer.content.iter_chunked(_PIECE):
        left = most + 1 - len(data)
        data += decoder.decompress(piece, left) if decoder else piece
        if len(data) > most:
            break
    if len(data) > most >= _LARGEST:
        raise FormatError("its server sends more than any document has", "")
    return bytes(data[:most])
