"""Zarr stores: over mappings and directories, and reading and writing through those of others."""

from __future__ import annotations

import asyncio
from collections import Counter
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
    MutableMapping,
)
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, cast

from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore, ZipStore

from ..documents.consolidated import KEYS, expanded
from ..documents.source import (
    NODES,
    asking,
    finder,
    is_document,
    listed,
    node_keys,
)
from ..values.errors import (
    DAMAGED,
    EncodeError,
    FormatError,
    check_choices,
    expect,
)
from ..values.types import Documents
from .base import (
    ROOT_DOCUMENTS,
    InPlace,
    Opened,
    Pairs,
    Replacing,
    Sink,
    Watch,
    is_safe,
)
from .mapping import PlaceSink, change, ended, replacing_keys
from .owned import misplaced

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest

_T = TypeVar("_T")
ALL_BYTES: Final = slice(None)
REQUESTS: Final = 64  # that are waited for at a time
_READ_TOGETHER: Final = 512  # documents that are read ahead at a time
_SHORT_DOCUMENT: Final = 2**20  # bytes of one that is read ahead
_READ_AHEAD: Final = 2**28  # bytes of all of them
# Bytes of chunks that are written at the same time.
_WRITTEN_TOGETHER: Final = 2**25
_CONSOLIDATED: Final = 2**26  # bytes of a document that holds all others


def takes_consolidated(store: Store) -> bool:
    """Tell a store that keeps consolidated metadata."""
    return getattr(store, "supports_consolidated_metadata", True)


class Stored(Opened):
    """The documents in a Zarr store: nodes are listed and read in one concurrent sweep.

    Where they are far away, and consolidated, they are read with one request, and not listed.
    """

    def __init__(self, store: Store, *, owned: bool = False) -> None:
        self.source: object = store
        self._store, self._owned = store, owned
        path: object = getattr(store, "path", None)
        if isinstance(path, Path):  # a database, or a zip
            self.root: str = str(path)
        self._known: dict[str, bytes] = {}
        self._is_asked = False  # whether it is known to be consolidated, or not
        self._has_all = False  # all nodes are known
        self._keys: dict[str, None] | None = None
        self._version = _version(store)
        self._root: dict[str, bytes] = {}  # what is not there while somebody writes
        self._has_read_more = False  # than the one document that was read at first

    def __iter__(self) -> Iterator[str]:
        if self._keys is None:
            self._keys = _checked(dict.fromkeys(run(_all_keys(self._store))))
        return iter(self._keys)

    def nodes(self) -> Collection[str]:
        if self.is_consolidated():
            return node_keys(self._known)
        keys = self._listed_keys()
        if is_remote(self._store):
            self._check_listed(keys)
        wanted = [key for key in _of_nodes(keys) if key not in self._known]
        self.read_ahead(wanted)
        self._root = {
            key: self._known[key] for key in ROOT_DOCUMENTS if key in self._known
        }
        self._has_read_more = True
        return node_keys(keys)

    def _listed_keys(self) -> list[str]:
        """List all keys, or those that a store lists instead, which looks into no chunks."""
        list_nodes: Any = getattr(self._store, "list_nodes", None)
        if list_nodes is None:
            return [*self]
        return [*_checked(dict.fromkeys(run(list_nodes())))]

    def is_consolidated(self) -> bool:
        """Tell whether one document holds all others, which is then read, once."""
        if not self._is_asked:
            self._is_asked = True
            self._read_consolidated()
        return self._has_all

    def _check_listed(self, keys: list[str]) -> None:
        """Refuse a group of which nothing tells the members, or it would seem to be empty."""
        is_told = any(key.rpartition("/")[2] in NODES for key in keys)
        if not is_told and run(got(self._store, [*NODES])):
            raise FormatError(
                "the server lists no documents, and there is no consolidated metadata",
                str(self._store),
                "write it with consolidate=True, or as a zip",
            )

    def _read_consolidated(self) -> None:
        if not is_remote(self._store):
            return
        self._known = {}
        copies = run(got(self._store, [*KEYS], slice(0, _CONSOLIDATED + 1)))
        for key, data in copies.items():
            if len(data) > _CONSOLIDATED:
                continue  # its nodes may be read one by one
            self._known[key] = data
            try:
                found = expanded(key, data)
            except FormatError:
                continue  # its nodes may tell more
            if found is not None:
                documents, chunks = found
                self._known = _checked(documents)
                self._has_all, self._root = True, {key: data}
                self.read_ahead([name for name in chunks if is_safe(name)])
                return

    def read_ahead(self, keys: list[str]) -> None:
        """Read small documents ahead, many at a time; what is not, its reader asks for."""
        left = _READ_AHEAD
        for start in range(0, len(keys), _READ_TOGETHER):
            batch = keys[start : start + _READ_TOGETHER]
            found = self._several(batch, slice(_SHORT_DOCUMENT + 1))
            short = {
                key: data
                for key, data in found.items()
                if len(data) <= _SHORT_DOCUMENT
            }
            self._known |= short
            left -= sum(map(len, short.values()))
            if left < 0:
                break

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        if key in self._known:
            return self._known[key][part]
        absent = self._has_all and is_document(key)
        if absent or (self._keys is not None and key not in self._keys):
            raise KeyError(key)
        self._has_read_more = True
        return self._several([key], part)[key]

    def _several(self, keys: list[str], part: slice) -> dict[str, bytes]:
        """Read what is there of some keys, or of a part of them."""
        store = self._store
        if not isinstance(store, MappingStore):
            return _run_telling_damage(store, got(store, keys, part))
        return store.read_several(keys, part)  # there is nothing to wait for

    def size(self, keys: Iterable[str]) -> int:
        return sum(self._sizes([*keys]))

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Give each key with the bytes of its document, of which many are asked for at a time."""
        keys = [*self]
        return zip(keys, self._sizes(keys), strict=True)

    def _sizes(self, keys: list[str]) -> list[int]:
        store = self._store
        if isinstance(store, MappingStore):
            return store.sizes(keys)  # there is nothing to wait for
        return run(each(partial(size_in, store), keys))

    def zarr_store(self) -> Store:
        """Give the store itself, of which zarr-python will read more."""
        self._has_read_more = True
        return self._store

    def is_replaced(self) -> bool:
        """Tell whether another file is there; no request if all came from one document."""
        if self._version is not None:
            return _version(self._store) != self._version
        return (
            self._has_read_more
            and run(got(self._store, [*self._root])) != self._root
        )

    def check(self) -> None:
        if self._version is not None:  # a request for every block would be too many
            super().check()

    def watch(self, key: str, chunks: Iterable[str]) -> Callable[[], None]:
        if self._version is None:
            return self.check
        return Watch(self, self.head, key, chunks)

    def head(self, key: str) -> object:
        """Read the begin of a document of a database, as it is now."""
        return cast("MappingStore", self._store).read(key, slice(2**12))

    def close(self) -> None:
        if self._owned:
            self._store.close()


def _checked(documents: dict[str, _T]) -> dict[str, _T]:
    """Refuse keys that lead out of the file, wherever it may be copied to."""
    for key in documents:
        if not is_safe(key) and (
            is_document(key) or {"..", "."} & {*key.split("/")}
        ):
            problem = "a key that leads out of the file"
            raise FormatError(problem, key, DAMAGED)
    return documents


def reading(store: Store) -> Opened:
    """Open a Zarr store for reading."""
    zipped: Any = store
    if isinstance(store, ZipStore) and zipped._zmode == "w":  # noqa: SLF001
        # A zip in a file object has no path (zarr 3.4).
        path = getattr(store, "path", None)
        if path is not None and not zipped._is_open:  # noqa: SLF001
            from .zip import Zip

            return Zip(path)  # to open the store again would empty it
    return Stored(opened_store(store))


def store_of(file: Opened) -> Store:
    """Give a Zarr store, through which zarr-python reads a file."""
    if isinstance(file, Stored):
        return file.zarr_store()
    return MappingStore(file, read_only=True)


def _run_telling_damage(store: Store, steps: Coroutine[Any, Any, _T]) -> _T:
    """Run what reads a store; errors of any kind that tell the damage of a zip become one."""
    try:
        return run(steps)
    except FormatError as error:
        cause = error.__cause__
        if not isinstance(store, ZipStore) or cause is None:
            raise
        if isinstance(cause, OSError):
            raise cause from None
        problem = f"the zip cannot be read ({cause})"
        raise FormatError(problem, str(store)) from cause


def opened_store(store: Store) -> Store:
    """Open a Zarr store that is not open yet."""
    # a zip that is not open cannot be listed
    opening = store._ensure_open()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    _run_telling_damage(store, opening)
    return store


def _version(store: Store) -> object:
    """Tell the states of a database from one another; None where it cannot be told."""
    return store.version() if isinstance(store, MappingStore) else None


def _of_nodes(keys: list[str]) -> list[str]:
    """Choose what is read at once: documents, and chunks of arrays that have no other.

    The arrays of signals are left out.
    """
    nodes = {
        key.rpartition("/")[0]
        for key in keys
        if key.endswith((".zarray", ".zgroup", "/zarr.json"))
    }
    node_of = finder(nodes)
    chunks = [key for key in keys if not is_document(key)]
    above = {key: node_of(key) for key in chunks}
    counts = Counter(above.values())
    others = {
        key
        for key in chunks
        if not above[key] or counts[above[key]] > 1 or "/data/" in key
    }
    return [key for key in keys if key not in others]


class StoreSink(PlaceSink):
    """Replaces the file in a Zarr store."""

    def __init__(self, store: Store) -> None:
        there = run(_all_keys(store))
        file = Stored(store)
        # The documents of the arrays of format 3 of which there are chunks are looked at.
        folders = {key.partition("/c/")[0] for key in there if "/c/" in key}
        file.read_ahead(
            [key for key in there if key.removesuffix("/zarr.json") in folders]
        )
        super().__init__(there, file.get)
        if there and not store.supports_deletes:
            problem = f"a {type(store).__name__} replaces nothing"
            raise EncodeError(problem, "filename", "use a path, or a new store")
        self._store = store
        self._files: set[str] = {*self._own}
        self._folders: set[str] = _above(self._own)

    def put(self, documents: Pairs) -> None:
        if not self._documents:
            super().put(documents)
        else:
            for batch in _batches(documents):
                super().put(batch.items())

    def _get(self, keys: Collection[str]) -> dict[str, bytes]:
        return run(got(self._store, [*keys]))

    def _set(self, documents: Documents) -> None:
        above = _above(documents)
        # Of an array that has more dimensions now, or fewer, a chunk was a file where a folder is
        # to be, or the other way round. A file system does not have both.
        files, folders = self._files & above, self._folders & documents.keys()
        if files or folders:
            self._written -= documents.keys()  # none of them is yet
            self._refuse_others(folders)
            self._written |= documents.keys()
            self._is_lost = True
            self._delete(files)
            run(each(self._store.delete_dir, folders))
            self._own = {
                key
                for key in self._own - files
                if folders.isdisjoint(_above([key]))
            }
        self._files = (self._files - files) | documents.keys()
        self._folders = (self._folders - folders) | above
        run(_set(self._store, documents))

    def _refuse_others(self, folders: Collection[str]) -> None:
        """Refuse to remove folders of chunks where others have put something into one beside them.

        The first is refused before it goes, so that the old file can be brought back.
        """
        arrays = {folder.rpartition("/")[0] for folder in folders}
        for key in sorted(self._unowned):
            around = self._folders & _above([key])
            if not arrays.isdisjoint(one.rpartition("/")[0] for one in around):
                raise misplaced(key)

    def _delete(self, keys: Collection[str]) -> None:
        run(each(self._store.delete, keys))


def _above(keys: Iterable[str]) -> set[str]:
    """Give the folders that keys lie in."""
    found: set[str] = set()
    while keys := {key.rpartition("/")[0] for key in keys} - {""}:
        found |= keys
    return found


class SessionSink(StoreSink):
    """Replaces the file in a session of Icechunk: who has it commits all of it, or nothing.

    It would lose all that is below the root with its document.
    """

    def _begin(self, documents: Documents) -> None:
        if not documents.keys().isdisjoint((".zgroup", ".zattrs")):
            problem = "a session of Icechunk holds Zarr format 3"
            raise EncodeError(problem, "zarr_format", "use zarr_format=3")
        if documents is self._documents:
            self._remove(self._own - self._written)

    def close(self) -> None:
        self._set_root(self._documents)

    def undo(self) -> None:
        """Leave that to the session."""


class StoreInPlace(InPlace):
    """Replaces documents of a Zarr store, of a mapping, or of a database."""

    def __init__(self, store: Store, *, owned: bool = False) -> None:
        self._store = store
        self._owned = owned
        # In a session of Icechunk nobody sees what is named before it is there.
        self.names_first: bool = not takes_consolidated(store)

    def put(self, documents: Pairs) -> None:
        store = self._store
        for batch in _batches(documents):
            if isinstance(store, MappingStore):  # in a database, one transaction
                store.update(batch.items())
            else:
                run(_set(store, batch))

    def get(self, key: str) -> bytes | None:
        return run(got(self._store, [key])).get(key)

    def sync(self) -> None:
        """Bring a database to the disk. Any other store does so itself."""
        if isinstance(self._store, MappingStore):
            self._store.flush()

    def close(self) -> None:
        if self._owned:
            self._store.close()


def _batches(documents: Pairs) -> Iterator[dict[str, bytes]]:
    """Give chunks some at a time: what is written at once is in memory."""
    batch: dict[str, bytes] = {}
    size = 0
    for key, data in documents:
        batch[key] = data
        size += len(data)
        if size >= _WRITTEN_TOGETHER:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


@contextmanager
def replacing_store(store: Store) -> Generator[Sink]:
    """Replace what a Zarr store holds, in an order in which a reader notices that."""
    if isinstance(store, MappingStore):
        with store.replacing() as gathered:
            yield gathered
        return
    kind = StoreSink if takes_consolidated(store) else SessionSink
    sink = kind(opened_store(store))
    if isinstance(store, ZipStore):
        archive: Any = store._zf  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        # zarr-python begins at the start of a file object, and leaves what it holds
        if archive.mode in ("w", "x") and hasattr(archive.fp, "truncate"):
            archive.fp.truncate()
    with ended(sink):
        yield sink


def reopened(store: Store) -> None:
    """Open a store again; a zip that Zarr has begun goes on."""
    if isinstance(store, ZipStore):
        store._zmode = "a"  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    opened_store(store)


@asking("the store")
def run(steps: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the loop that zarr-python runs its stores on."""
    from zarr.core.sync import sync  # private, but the one way to share that loop

    return sync(steps)


async def each(
    step: Callable[[str], Awaitable[_T]], keys: Iterable[str]
) -> list[_T]:
    """Await a step for each key, many at a time; after an error none begins.

    Those that have begun end first: what runs in a thread goes on though it is cancelled.
    """
    wanted = [*keys]
    todo = iter(enumerate(wanted))
    found: dict[int, _T] = {}
    failures: list[Exception] = []

    # A task for each key would take a kilobyte of each.
    async def work() -> None:
        for at, key in todo:
            try:
                with asking(key):
                    found[at] = await step(key)
            except Exception as error:  # noqa: BLE001 - whatever the store raises
                failures.append(error)
            if failures:
                return

    count = min(REQUESTS, len(wanted))
    await asyncio.gather(*(work() for _ in range(count)))
    if failures:
        raise failures[0]
    return [found[at] for at in range(len(wanted))]


async def _all_keys(store: Store) -> list[str]:
    return [key async for key in store.list()]


async def size_in(store: Store, key: str) -> int:
    """Ask for the size of a document, which is 0 if there is none."""
    try:
        return await store.getsize(key)
    except FileNotFoundError:
        return 0


async def got(
    store: Store, keys: list[str], part: slice = slice(None)
) -> dict[str, bytes]:
    """Read what is there of some keys, or of a part of them."""
    prototype = default_buffer_prototype()
    wanted: ByteRequest | None = None
    first: int = part.start or 0
    if first < 0:
        wanted = SuffixByteRequest(-first)
    elif part.stop is not None and (first or is_remote(store)):
        # Beyond its end, Icechunk fails.
        wanted = RangeByteRequest(first, part.stop)
    elif first:
        wanted = OffsetByteRequest(first)
    found = await each(lambda key: store.get(key, prototype, wanted), keys)
    pairs = zip(keys, found, strict=True)
    stop = None if first else part.stop
    return {
        key: buffer.to_bytes()[:stop] for key, buffer in pairs if buffer is not None
    }


async def _set(store: Store, documents: Documents) -> None:
    make = default_buffer_prototype().buffer.from_bytes
    # Nodes go first: Icechunk takes no chunk of an array that is not there.
    for first in (True, False):
        keys = [key for key in documents if is_document(key) == first]
        await each(lambda key: store.set(key, make(documents[key])), keys)


class MappingStore(Store):
    """A Zarr store over a mapping of keys to bytes.

    Parameters
    ----------
    mapping : Mapping of str to bytes
        Any mapping: a dictionary, one of zict, a view of an archive. It is used, not copied.
    read_only : bool, optional
        Refuse to write. A mapping that is not mutable is read-only in any case.

    Examples
    --------
    >>> import zarr
    >>> documents = {}
    >>> _ = zarr.create_group(
    ...     MappingStore(documents), attributes={"voltage": 200}, zarr_format=2
    ... )
    >>> sorted(documents)
    ['.zattrs', '.zgroup']
    """

    def __init__(self, mapping: Documents, *, read_only: bool = False) -> None:
        expect(mapping, Mapping, "mapping of documents", "mapping", "use a dict")
        check_choices(read_only=(read_only, (None, True, False)))
        super().__init__(
            read_only=read_only or not isinstance(mapping, MutableMapping)
        )
        self._options: dict[str, Any] = {"mapping": mapping}
        self._mapping: Any = mapping

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and other._options == self._options
            and other.read_only == self.read_only
        )

    def __hash__(self) -> int:
        return hash((type(self), self.read_only))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({object.__repr__(self._mapping)})"

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        return partial(type(self), **self._options, read_only=self.read_only), ()

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return another store of the same mapping."""
        return type(self)(**self._options, read_only=read_only)

    def read(self, key: str, part: slice = ALL_BYTES) -> bytes | None:
        """Return a value, or a part of it; None if there is none."""
        try:
            return bytes(listed(self._mapping).read(key, part))
        except KeyError:
            return None

    def read_several(self, keys: Iterable[str], part: slice) -> dict[str, bytes]:
        """Read what is there of some keys, or of a part of them."""
        found = ((key, self.read(key, part)) for key in keys)
        return {key: data for key, data in found if data is not None}

    def sizes(self, keys: Iterable[str]) -> list[int]:
        """Return how many bytes are there of each of some keys."""
        return [len(self.read(key) or b"") for key in keys]

    def names(self, prefix: str = "") -> Collection[str]:
        """Return the keys that begin with `prefix`."""
        return [key for key in listed(self._mapping) if key.startswith(prefix)]

    def update(self, items: Pairs) -> None:
        """Set many keys; in a database all of them or none."""
        self._change((), items)

    def flush(self) -> None:
        """Bring what was set key by key to the disk, where a database lies there."""

    def replacing(self) -> Replacing:
        """Replace what belongs to the nodes of the file in it by what is written in a block."""
        return replacing_keys(self._mapping)

    def _change(self, gone: Collection[str], items: Pairs = ()) -> None:
        self._check_writable()
        # They are drawn before the first is made: what draws them may read the mapping.
        drawn = [*items]
        self._write(gone, drawn, together=len(gone) + len(drawn) > 1)

    def _write(
        self,
        gone: Collection[str],
        items: Pairs,
        together: bool,  # noqa: ARG002 - what databases make of it
    ) -> None:
        change(self._mapping, gone, items)

    def version(self) -> object:
        """Tell the states of a database from one another; None where it cannot be told."""
        return None

    # What zarr asks of a store

    @property
    def supports_writes(self) -> bool:
        return True

    @property
    def supports_deletes(self) -> bool:
        return True

    @property
    def supports_listing(self) -> bool:
        return True

    @property
    def supports_partial_writes(self) -> Literal[False]:
        return False

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        value = self.read(key, part_of(byte_range))
        buffer = (prototype or default_buffer_prototype()).buffer
        return None if value is None else buffer.from_bytes(value)

    def set_sync(self, key: str, value: Buffer) -> None:
        self.update([(key, value.to_bytes())])

    def delete_sync(self, key: str) -> None:
        self._change([key])

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        return self.get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return self.read(key, slice(0)) is not None

    async def set(self, key: str, value: Buffer) -> None:
        self.set_sync(key, value)

    async def set_partial_values(self, key_start_values: Any) -> None:
        raise NotImplementedError  # zarr 3.1 has it in the interface, and does not call it

    async def delete(self, key: str) -> None:
        self.delete_sync(key)

    async def delete_dir(self, prefix: str) -> None:
        self._change(self.names(_folder(prefix)))

    def list(self) -> AsyncIterator[str]:
        return self.list_prefix("")

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in self.names(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        folder = _folder(prefix)
        rests = (key[len(folder) :] for key in self.names(folder))
        for name in dict.fromkeys(rest.partition("/")[0] for rest in rests):
            yield name


def _folder(prefix: str) -> str:
    return prefix and f"{prefix.rstrip('/')}/"


def part_of(byte_range: ByteRequest | None) -> slice:
    """Give the part of a value that a request means."""
    match byte_range:
        case None:
            return ALL_BYTES
        case RangeByteRequest(start=start, end=end):
            return slice(start, end)
        case OffsetByteRequest(offset=offset):
            return slice(offset, None)
        case SuffixByteRequest(suffix=suffix):
            return slice(-suffix, None) if suffix else slice(0)
        case _:
            raise TypeError(f"Unexpected byte_range, got {byte_range!r}")


def is_remote(store: object) -> bool:
    """Tell a store from those whose every document is at hand."""
    near = (LocalStore, MemoryStore, MappingStore, ZipStore)
    return (
        isinstance(store, Store)
        and not isinstance(store, near)
        and takes_consolidated(store)
    )
