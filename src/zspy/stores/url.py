"""URLs, which are opened with fsspec or obstore. No error shows more than their kind and host."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from zarr.abc.store import (
    Store,
)
from zarr.storage import LocalStore, WrapperStore

from ..documents.consolidated import KEYS
from ..values.errors import EncodeError, FormatError
from .base import UNREACHED, kind_of_error
from .zarr_store import MappingStore, part_of

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest

_CACHING: Final = threading.Lock()
_CACHES: Final = ("simplecache::", "filecache::", "blockcache::", "cached::")
_T = TypeVar("_T")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST: Final = re.compile(r"([A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_WEB: Final = "fsspec.implementations.http"
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
    is_local = _is_of_obstore(inner) and isinstance(prefix, Path)
    return prefix if is_local else None


def guarded(store: Store) -> Path | Store:
    """Give the path of a store that is local, and hide the URL of one that has one."""
    if (path := local_path(store)) is not None:
        return path
    whole_url: Any = getattr(getattr(store, "fs", None), "unstrip_protocol", None)
    inner: Any = getattr(store, "store", None)
    if whole_url is not None:  # it is a store of fsspec
        return Guarded(store, shown(whole_url(getattr(store, "path", ""))))
    if _is_of_obstore(inner):
        url = getattr(inner, "url", None)
        name = shown(url) if isinstance(url, str) else type(inner).__name__
        return Guarded(store, name)
    return store


def _is_of_obstore(client: object) -> bool:
    return type(client).__module__.startswith("obstore")


def open_url(url: str, options: Mapping[str, Any]) -> Path | Store:
    """Open a URL, with fsspec or else with obstore."""
    if url.partition("://")[0].lower() in ("file", "local"):
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or "?" in url or "#" in url:
            problem = "a URL of a local file has no host, '?' or '#'"
            raise EncodeError(problem, "filename", "use the path itself")
        return Path(url2pathname(parts.path))
    try:
        store = _from_fsspec(url, options)
        return local_path(store) or Guarded(store, shown(url))
    except (FormatError, EncodeError, Warning):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client library raises
        problem = kind_of_error(error)
    # An error that is raised here has no context, which would show what is secret.
    raise FormatError(f"it cannot be opened ({problem})", shown(url), UNREACHED)


def _from_fsspec(url: str, options: Mapping[str, Any]) -> Store:
    try:
        from zarr.storage import FsspecStore

        if url.startswith(_CACHES):
            return _through_cache(url, options)
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


def _through_cache(url: str, options: Mapping[str, Any]) -> Store:
    """Open a URL through a cache of fsspec, which waits for its source: it is asked in a thread.

    Of itself it says that it is asynchronous where its source is.
    """
    fsspec: Any = import_module("fsspec")
    wrapper: Any = import_module("fsspec.implementations.asyn_wrapper")
    from zarr.storage import FsspecStore

    client, path = fsspec.url_to_fs(url, **options)
    asked = wrapper.AsyncFileSystemWrapper(client, asynchronous=True)

    async def read(
        path: str, start: int | None = None, end: int | None = None
    ) -> bytes:
        return await asyncio.to_thread(_part_of, client, path, start or 0, end)

    asked._cat_file = read  # noqa: SLF001 - of its own, no copy is read from its end
    return FsspecStore(asked, path=path)


def _part_of(client: Any, path: str, start: int, end: int | None) -> bytes:
    """Read a part of a file, which may be counted from the end."""
    # fsspec keeps the list of what it holds for one thread only.
    with _CACHING, client.open(path, "rb") as file:
        if start < 0:
            start = max(file.seek(0, os.SEEK_END) + start, 0)
        file.seek(start)
        return cast("bytes", file.read(-1 if end is None else end - start))


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


async def told(name: str, what: str, steps: Awaitable[_T]) -> _T:
    """Await an answer of a store; what it raises gives its name to an error of zspy's."""
    try:
        return await steps
    except (FormatError, EncodeError, Warning) as error:
        # A warning is an error where the user wants it to be one.
        if error.__cause__ is None:
            raise
        problem = kind_of_error(error.__cause__)
    except Exception as error:  # noqa: BLE001 - whatever a client library raises
        problem = kind_of_error(error)
    # An error that is raised here has no context, which would show what is secret.
    raise FormatError(f"it cannot be {what} ({problem})", name, UNREACHED)


def _asking(method: str, what: str) -> Any:
    """Make a method that asks the same of the store behind a URL."""

    async def ask(self: Any, *arguments: Any) -> Any:
        steps = getattr(self._store, method)(*arguments)
        return await told(str(self), what, steps)

    return ask


def _asking_below(method: str, of_client: str, what: str) -> Any:
    """Make a method that asks the same of a key, which a web server wants before the query."""

    async def ask(self: Any, key: str, *values: Buffer) -> Any:
        inner = self._store
        if is_web(inner):
            if what == "written":
                inner._check_writable()  # noqa: SLF001
            data = [value.to_bytes() for value in values]
            steps = getattr(inner.fs, of_client)(self.url_of(key), *data)
        else:
            steps = getattr(inner, method)(self._asked(key), *values)
        return await told(str(self), what, steps)

    return ask


def _keys_of_pages(found: Iterable[str]) -> Iterator[str]:
    """Give keys that pages have quoted, and with "./" before them.

    A server that answers whatever it is asked lists the URL itself, with its secrets. Links with
    a "?" sort the page.
    """
    for key in found:
        if "://" not in key and "?" not in key:
            yield "/".join(part for part in unquote(key).split("/") if part != ".")


def _listing(method: str) -> Any:
    """Make a method that lists what the store behind a URL lists."""

    async def ask(self: Any, *arguments: str) -> AsyncIterator[str]:
        # What fsspec adds to a URL would follow its query: it finds the first page again and again.
        keys = (
            _listed_by_pages(self._store, *arguments, inside=method == "list_dir")
            if is_web(self._store)
            else _all(getattr(self._store, method)(*arguments))
        )
        found = await told(str(self), "listed", keys)
        for key in _keys_of_pages(found) if _has_pages(self._store) else found:
            yield key

    return ask


async def _listed_by_pages(
    store: Any, prefix: str = "", *, inside: bool
) -> Iterable[str]:
    """List what a web server has below a prefix, or what is in that folder alone."""
    from .web import listed, names_in

    if inside:
        # It is asked for in a URL, of which "%3A" is a colon.
        folder = quote(f"{prefix.strip('/')}/".lstrip("/"))
        return [
            name.rstrip("/")
            for name in await names_in(store.fs, store.path, folder)
        ]
    keys = await listed(store.fs, store.path, chunks=True)
    return [key for key in keys if unquote(key).startswith(prefix)]


class Guarded(WrapperStore[Store]):
    """A store behind a URL, whose errors and representation show its kind and host only."""

    def __init__(self, store: Store, name: str = "URL") -> None:
        super().__init__(store)
        self._name = name

    def _with_store(self, store: Store) -> Guarded:
        return Guarded(store, self._name)

    # The wrapper of zarr-python 3.1.0 does not have it.
    def with_read_only(self, read_only: bool = False) -> Guarded:
        return self._with_store(self._store.with_read_only(read_only))

    @property
    def behind(self) -> Store:
        """Give the store itself, whose errors may show secrets."""
        return self._store

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Guarded({self._name!r})"

    def __hash__(self) -> int:
        return hash(self._name)

    def _asked(self, key: str) -> str:
        # Of a URL, "%3A" is a colon, and what follows a "#" is not asked for.
        return quote(key) if _has_pages(self._store) else key

    def url_of(self, key: str) -> str:
        """Give the URL of a key on a web server, or of the file itself."""
        from .web import beside_query

        inner: Any = self._store
        return beside_query(inner.path, f"/{quote(key)}" if key else "")

    @property
    def may_be_zip(self) -> bool:
        """Tell a store of fsspec, of which a document may have no key, but a URL."""
        return hasattr(self._store, "fs")

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        inner: Any = self._store
        if not is_web(inner):
            steps = inner.get(self._asked(key), prototype, byte_range)
            return await told(self._name, "read", steps)
        from .web import download

        url = self.url_of(key)
        # Whoever may not list a bucket is told of what is not there that it is forbidden. Whether
        # it holds these two is not known; where all is forbidden, the next document is an error.
        steps = download(inner.fs, url, part_of(byte_range), key in KEYS)
        data = await told(self._name, "read", steps)
        return None if data is None else prototype.buffer.from_bytes(data)

    @property
    def list_nodes(self) -> Callable[[], Awaitable[Iterable[str]]] | None:
        """Give what lists the nodes of a web server, where each folder is a request."""
        inner: Any = self._store
        if not is_web(inner):
            return None
        from .web import listed

        async def ask() -> Iterable[str]:
            keys = listed(inner.fs, inner.path, chunks=False)
            return _keys_of_pages(await told(self._name, "listed", keys))

        return ask

    async def getsize(self, key: str) -> int:
        inner: Any = self._store
        if is_web(inner):
            from .web import size_of

            steps = size_of(inner.fs, self.url_of(key))
        else:
            steps = inner.getsize(self._asked(key))
        size = await told(self._name, "read", _or_none(steps))
        if size is None:
            raise FileNotFoundError(key)
        return size

    get_partial_values: Any = MappingStore.get_partial_values
    _open: Any = _asking("_open", "opened")
    exists: Any = _asking_below("exists", "_exists", "read")
    set: Any = _asking_below("set", "_pipe_file", "written")
    delete: Any = _asking_below("delete", "_rm_file", "written")
    delete_dir: Any = _asking("delete_dir", "written")
    list: Any = _listing("list")
    list_prefix: Any = _listing("list_prefix")
    list_dir: Any = _listing("list_dir")


# Made of the others. Those of the wrapper ask the store itself (`get_ranges` since zarr 3.4).
for _name in (
    *("_ensure_open", "_get_many", "_set_many"),
    *("clear", "get_ranges", "getsize_prefix", "is_empty", "set_if_not_exists"),
):
    setattr(Guarded, _name, getattr(Store, _name, None))


async def _or_none(size: Awaitable[int]) -> int | None:
    """Await the size of a document, or None where there is none."""
    try:
        return await size
    except FileNotFoundError:
        return None


def is_web(store: Any) -> bool:
    """Tell a store on a web server, whose listings are pages with links."""
    return type(getattr(store, "fs", None)).__module__ == _WEB


def _has_pages(store: Any) -> bool:
    """Tell a store whose keys are ends of URLs: on a web server, or in a cache of one."""
    client = getattr(store, "fs", None)
    for inner in ("sync_fs", "fs"):
        client = getattr(client, inner, client)
    return type(client).__module__ == _WEB


async def _all(keys: AsyncIterator[str]) -> list[str]:
    return [key async for key in keys]
