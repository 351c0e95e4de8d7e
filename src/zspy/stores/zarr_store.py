"""A leaf: Zarr stores, mappings and URLs. Few of them can swap two files.

There a file is written in place: what makes it one, the documents of its root, is removed first and
written last, so that an interrupted write is never read as a whole file.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore, WrapperStore, ZipStore

from ..documents.consolidated import KEYS, expanded, is_document
from ..documents.tree import NODES
from ..values.errors import EncodeError, FormatError
from .database import DBMStore, KeysOfBytes, LMDBStore, MappingStore, Spool, SQLiteStore
from .directory import ROOTS, Gathered, Opened, Sink

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest

_T = TypeVar("_T")
_MANY: Final = 64  # requests at a time
_DBM: Final = ("_gdbm", "_dbm", "dbm.dumb", "dbm.sqlite3")


# --- which place it is -------------------------------------------------------------------------


def located(place: Any, options: Mapping[str, Any] | None) -> Path | Mapping[str, bytes] | Store:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    if isinstance(place, str):
        return _at(place, options or {})
    if options:
        raise EncodeError("only a URL has options", "storage_options", "leave them out")
    mapper: Any = getattr(sys.modules.get("fsspec"), "FSMap", ())
    if isinstance(place, mapper):
        from zarr.storage import FsspecStore

        place = FsspecStore.from_mapper(place)
    elif type(place).__module__.partition(".")[0] == "obstore":
        from zarr.storage import ObjectStore

        place = ObjectStore(place)
    environment: Any = getattr(sys.modules.get("lmdb"), "Environment", ())
    if isinstance(place, Store):
        return _path_of(place) or place
    if type(place).__module__ in _DBM:
        return KeysOfBytes(place)
    if isinstance(place, Mapping):
        return cast("Mapping[str, bytes]", place)
    if isinstance(place, environment):
        return LMDBStore(place)
    problem = f"a {type(place).__qualname__} is no place for a file"
    raise EncodeError(problem, "filename", "use a path, a URL, a mapping or a Zarr store")


def _path_of(store: Store) -> Path | None:
    """Give the path of a store that is no more than a directory or a zip file."""
    if type(store) is LocalStore:
        return store.root
    inner: Any = getattr(store, "store", getattr(store, "fs", None))
    if type(inner).__module__ == "fsspec.implementations.asyn_wrapper":
        inner = inner.sync_fs
    if type(inner).__module__ == "fsspec.implementations.local":
        return Path(cast("Any", store).path)
    prefix: Any = getattr(inner, "prefix", None)
    is_local = type(inner).__module__.startswith("obstore") and isinstance(prefix, Path)
    return prefix if is_local else None


def _at(url: str, options: Mapping[str, Any]) -> Path | Store:
    """Open a URL, with fsspec or else with obstore."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not options:
        return Path(url2pathname(parts.path))
    with _telling(_Hidden(url, options), "opened"):
        try:
            from zarr.storage import FsspecStore

            store: Store = FsspecStore.from_url(url, storage_options=dict(options))
        except ImportError:
            store = _from_obstore(url, options)
    return _path_of(store) or Guarded(store, _Hidden(url, options))


def _from_obstore(url: str, options: Mapping[str, Any]) -> Store:
    try:
        from obstore.store import from_url
        from zarr.storage import ObjectStore
    except ImportError:
        problem = "what reads such URLs is not installed"
        raise EncodeError(problem, "filename", "pip install zspy[remote]") from None
    return ObjectStore(cast("Any", from_url)(url, **options))


class _Hidden:
    """What a message may say of a place, and what it may not."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        self.name = (
            f"{parts.scheme}://{host}{parts.path}{'#' * bool(parts.fragment)}{parts.fragment}"
        )
        self._secrets = {parts.query, user, *user.split(":"), *_texts(options)} - {""}

    def __call__(self, text: str) -> str:
        """Leave out of a message what is secret."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _texts(options: object) -> Iterator[str]:
    """Yield all strings among the values of options."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping):
        yield from _texts([*cast("Any", options).values()])
    elif isinstance(options, (list, tuple)):
        for value in cast("tuple[Any, ...]", options):
            yield from _texts(value)


@contextmanager
def _telling(hidden: _Hidden, what: str) -> Generator[None]:
    """Say of any error where it was, and none of the secrets."""
    try:
        yield
    except (FormatError, EncodeError, NotImplementedError, Warning):
        raise  # a warning is an error where the user wants it to be one
    except Exception as error:  # noqa: BLE001 - whatever a client library raises
        problem = f"it cannot be {what} ({type(error).__name__}: {hidden(str(error))})"
        raise FormatError(problem, hidden.name) from None  # the cause would show what is hidden


class Guarded(WrapperStore[Store]):
    """A store behind a URL, whose errors and representation show no secrets."""

    def __init__(self, store: Store, hidden: _Hidden | None = None) -> None:
        super().__init__(store)
        self._hidden = hidden or _Hidden("", {})

    def _with_store(self, store: Store) -> Guarded:
        return Guarded(store, self._hidden)

    def with_read_only(self, read_only: bool = False) -> Guarded:
        return self._with_store(self._store.with_read_only(read_only))

    def __str__(self) -> str:
        return self._hidden.name

    def __repr__(self) -> str:
        return f"Guarded({self._hidden.name!r})"

    def __hash__(self) -> int:
        return hash(self._hidden.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guarded) and self._store == other._store

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        with _telling(self._hidden, "read"):
            return await self._store.get(key, prototype, byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        with _telling(self._hidden, "written"):
            await self._store.set(key, value)

    async def delete(self, key: str) -> None:
        with _telling(self._hidden, "written"):
            await self._store.delete(key)

    async def list(self) -> AsyncIterator[str]:
        with _telling(self._hidden, "listed"):
            async for key in self._store.list():
                yield key


def is_remote(store: object) -> bool:
    """Tell a store from those whose every document is at hand."""
    near = (LocalStore, MemoryStore, MappingStore, ZipStore)
    return isinstance(store, Store) and not isinstance(store, near) and _takes_consolidated(store)


def _takes_consolidated(store: Store) -> bool:
    return getattr(store, "supports_consolidated_metadata", True)


# --- reading -----------------------------------------------------------------------------------


class Stored(Opened):
    """The documents in a Zarr store: nodes are listed and read in one concurrent sweep.

    Where they are far away, and consolidated, they are read with one request, and not listed.
    """

    def __init__(self, store: Store, *, owned: bool = False) -> None:
        self._store, self._owned = store, owned
        self._known: dict[str, bytes] = {}
        self._whole = False  # all nodes are known
        self._keys: dict[str, None] | None = None
        self._version = _version(store)
        self._root: dict[str, bytes] = {}  # what is not there while somebody writes
        self._more = False  # more was read than what came with it

    def __iter__(self) -> Iterator[str]:
        if self._keys is None:
            self._keys = dict.fromkeys(run(_listed(self._store)))
        return iter(self._keys)

    def nodes(self) -> Collection[str]:
        if not self._read_consolidated():
            wanted = [key for key in _of_nodes([*self]) if key not in self._known]
            self._known |= _told(self._store, got(self._store, wanted))
            self._root = {key: self._known[key] for key in ROOTS if key in self._known}
            self._more = True
        found = self._known if self._whole else self
        return [key for key in found if key.rpartition("/")[2] in NODES]

    def _read_consolidated(self) -> bool:
        if not is_remote(self._store):
            return False
        self._known = run(got(self._store, [*KEYS]))
        for key, data in [*self._known.items()]:
            try:
                found = expanded(key, data)
            except FormatError:
                continue  # its nodes may tell more
            if found is not None:
                self._known, self._whole, self._root = found, True, {key: data}
                return True
        return False

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        if key in self._known:
            return self._known[key][part]
        absent = self._whole and is_document(key)
        if absent or (self._keys is not None and key not in self._keys):
            raise KeyError(key)
        self._more = True
        if not isinstance(self._store, MappingStore):
            return _told(self._store, got(self._store, [key], part))[key]
        if (found := self._store.read(key, part)) is None:  # there is nothing to wait for
            raise KeyError(key)
        return found

    def size(self, keys: Iterable[str]) -> int:
        return sum(run(_each(partial(_size, self._store), keys)))

    def __getitem__(self, key: str) -> bytes:
        return self.read(key)

    def store(self) -> Store:
        self._more = True
        return self._store

    def is_of(self, place: object) -> bool:
        return self._store == place

    def replaced(self) -> bool:
        """Tell whether another file is there; no request if all came from one document."""
        if self._version is not None:
            return _version(self._store) != self._version
        return self._more and run(got(self._store, [*self._root])) != self._root

    def check(self) -> None:
        if self._version is not None:  # a request for every block would be too many
            super().check()

    def close(self) -> None:
        if self._owned:
            self._store.close()


def reading(store: Store) -> Opened:
    """Open a Zarr store for reading."""
    path: Any = getattr(store, "path", None)  # none of a zip in a file object (zarr 3.4)
    begun = isinstance(store, ZipStore) and store._zmode == "w" and not store._is_open  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if begun and path is not None:
        from .zip import Zip

        return Zip(path)  # to open the store again would empty it
    _told(store, store._ensure_open())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return Stored(store)


def _told(store: Store, steps: Coroutine[Any, Any, _T]) -> _T:
    """Run what reads a store; the damage of a zip is told by errors of many kinds."""
    try:
        return run(steps)
    except OSError:
        raise
    except Exception as error:
        if not isinstance(store, ZipStore):
            raise
        raise FormatError(f"the zip cannot be read ({error})", str(store)) from error


def _open(store: Store) -> Store:
    # a zip that is not open cannot be listed
    run(store._ensure_open())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return store


def _version(store: Store) -> object:
    """Tell the states of a database from one another; None where it cannot be told."""
    return store.version() if isinstance(store, MappingStore) else None


def _of_nodes(keys: list[str]) -> list[str]:
    """Choose what is read at once: documents, and chunks of arrays that have no other.

    The arrays of signals are left out.
    """
    chunks: dict[str, list[str]] = {
        key.rpartition("/")[0]: [] for key in keys if key.endswith((".zarray", "/zarr.json"))
    }
    for key in keys:
        above = key
        while above and not is_document(key):
            above = above.rpartition("/")[0]
            if above in chunks:
                chunks[above].append(key)
                break
    single = {found[0] for found in chunks.values() if len(found) == 1}
    data = {key for key in single if "/data/" in key and key.startswith("Experiments/")}
    return [key for key in keys if is_document(key) or key in single - data]


# --- writing -----------------------------------------------------------------------------------


class StoreSink(Sink):
    """Writes in place. The root's documents, without which nothing is read, come last."""

    streams = False

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: set[str] = set()
        self._last: dict[str, bytes] = {}
        self._there: list[str] | None = None

    def _begun(self) -> list[str]:
        """Make it no file, if that is not done yet; give the keys that are there."""
        if self._there is None:
            there = run(_listed(self._store))
            if there and not self._store.supports_deletes:
                problem = f"a {type(self._store).__name__} replaces nothing"
                raise EncodeError(problem, "filename", "use a path, or a new store")
            # a session of Icechunk is a transaction, and would lose all that is below the root
            for key in ROOTS if _takes_consolidated(self._store) else ():
                if key in there:
                    run(self._store.delete(key))
            self._there = [key for key in there if key not in ROOTS]
        return self._there

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        self._begun()
        pairs = list(pairs)
        moved = {new: source[old] for old, new in pairs if old != new}  # all of them, then write
        self._set(moved)
        self._kept |= {new for _, new in pairs}

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        pairs = dict(documents)
        self._last = {key: pairs.pop(key) for key in reversed(ROOTS) if key in pairs}
        stale = {*self._begun()} - self._kept - pairs.keys()
        nodes = {key: key.count("/") for key in stale if is_document(key)}
        run(_each(self._store.delete, stale - nodes.keys()))
        for depth in sorted({*nodes.values()}, reverse=True):
            run(_each(self._store.delete, [key for key in nodes if nodes[key] == depth]))
        self._set(pairs)

    def _set(self, pairs: Mapping[str, bytes]) -> None:
        """Write documents before chunks, which a store may ask for (icechunk)."""
        for first in (True, False):
            run(_set(self._store, {k: pairs[k] for k in pairs if is_document(k) is first}))

    def store(self) -> Store:
        return self._store

    def close(self) -> None:
        for key, data in self._last.items():
            run(_set(self._store, {key: data}))


@contextmanager
def replacing(place: Any) -> Generator[Sink]:
    """Replace what a mapping or a Zarr store holds; only databases do it in one step."""
    store: Store = MappingStore(cast("Any", place)) if isinstance(place, Mapping) else place
    if store.read_only:
        raise EncodeError("the store is read-only", "filename", "open it for writing")
    if isinstance(store, MappingStore):
        databases = (LMDBStore, DBMStore, SQLiteStore)
        spool = Spool(store.path.parent) if isinstance(store, databases) else Gathered()
        with closing(spool) as gathered:
            yield gathered
            store.replace(gathered.items())
    else:
        sink = StoreSink(_open(store))
        if isinstance(store, ZipStore):
            _cut(store)
        yield sink
        sink.close()


def _cut(store: ZipStore) -> None:
    """Cut off what a file object holds already: zarr-python begins at its start, and leaves it."""
    archive: Any = store._zf  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if archive.mode in ("w", "x") and hasattr(archive.fp, "truncate"):
        archive.fp.truncate()


def reopened(store: Store) -> None:
    """Open a store again; a zip that Zarr has begun goes on."""
    if isinstance(store, ZipStore):
        store._zmode = "a"  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    _open(store)


# --- many requests at a time -------------------------------------------------------------------


def run(steps: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the loop that zarr-python runs its stores on."""
    from zarr.core.sync import sync  # private, but the one way to share that loop

    return sync(steps)


async def _each(step: Callable[[Any], Awaitable[_T]], items: Iterable[Any]) -> list[_T]:
    """Await a step for each item, many at a time; after an error none goes on."""
    limit = asyncio.Semaphore(_MANY)

    async def one(item: Any) -> _T:
        async with limit:
            return await step(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listed(store: Store) -> list[str]:
    return [key async for key in store.list()]


async def _size(store: Store, key: str) -> int:
    try:
        return await store.getsize(key)
    except FileNotFoundError:
        return 0


async def got(store: Store, keys: list[str], part: slice = slice(None)) -> dict[str, bytes]:
    """Read what is there of some keys, or of a part of them."""
    prototype = default_buffer_prototype()
    wanted: ByteRequest | None = None
    if part.start is not None:
        first, last = part.start, part.stop
        wanted = SuffixByteRequest(-first) if first < 0 else RangeByteRequest(first, last)
    found = await _each(lambda key: store.get(key, prototype, wanted), keys)
    pairs = zip(keys, found, strict=True)
    return {key: buffer.to_bytes() for key, buffer in pairs if buffer is not None}


async def _set(store: Store, documents: Mapping[str, bytes]) -> None:
    make = default_buffer_prototype().buffer.from_bytes
    for first in (True, False):  # Icechunk takes no chunk of an array that is not there
        pairs = [pair for pair in documents.items() if is_document(pair[0]) == first]
        await _each(lambda pair: store.set(pair[0], make(pair[1])), pairs)
