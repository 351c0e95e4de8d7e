"""Floor 5: where files lie: directories, zips, databases, mappings, Zarr stores, URLs.

`fetch` gives the documents of a place, `commit` replaces what is there; a path always holds the old
file whole or the new one whole. Nothing here knows what a document means.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from ._documents import Listed
from .errors import EncodeError, FormatError

if TYPE_CHECKING:
    from zarr.abc.store import Store

StoreType = Literal["local", "zip", "lmdb", "dbm"]
STORE_TYPES: Final = ("local", "zip", "lmdb", "dbm")
_NEW: Final = ".zspy-new-"
_NODE_NAMES: Final = frozenset({".zgroup", ".zarray", "zarr.json"})
_DIRECTORY_FLAGS: Final = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | os.O_RDONLY
)


class Sink(Protocol):
    """Where a new file is being written."""

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write documents, each key once."""

    def store(self) -> Store:
        """Give a Zarr store for what zarr-python writes."""

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        """Take documents over from an old file, under new keys."""


# --- directories -------------------------------------------------------------------------------


class Directory(Listed):
    """The documents below a directory. It never leaves its root, and reads regular files only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            found = os.stat(root)
        except OSError as error:
            raise FormatError(f"it cannot be opened ({error.strerror})", str(root)) from error
        self.identity = (found.st_dev, found.st_ino)
        self._real = os.path.realpath(root)
        self._safe: set[str] = {""}

    def check(self) -> None:
        """Raise if the directory was replaced by another since it was opened."""
        try:
            found = os.stat(self.root)
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self.identity:
            raise FormatError("the file was replaced while it was read", str(self.root), "open it again")

    def nodes(self) -> Collection[str]:
        found: list[str] = []
        todo = [""]
        while todo:
            folder = todo.pop()
            prefix = f"{folder}/" if folder else ""
            names: list[str] = []
            array = False
            with os.scandir(os.path.join(self.root, folder)) as entries:
                for entry in entries:
                    if entry.name in _NODE_NAMES:
                        found.append(prefix + entry.name)
                        array = array or entry.name == ".zarray"
                    elif self._is_folder(entry, prefix):
                        names.append(prefix + entry.name)
            if not array and not (prefix + "zarr.json" in found[-2:] and self._is_array(prefix + "zarr.json")):
                self._safe.update(names)
                todo.extend(names)
        return found

    def _is_folder(self, entry: os.DirEntry[str], prefix: str) -> bool:
        if entry.is_symlink():
            self._inside(prefix + entry.name)
        return entry.is_dir()

    def _is_array(self, key: str) -> bool:
        return b'"array"' in self[key]  # a group that says so in an attribute is scanned by its members' keys

    def _inside(self, key: str) -> None:
        """Refuse what a symbolic link puts outside of the root."""
        real = os.path.realpath(os.path.join(self.root, key))
        if real != self._real and not real.startswith(self._real + os.sep):
            raise FormatError("a link that leaves the file", key, "replace it by what it points to")

    def path(self, key: str) -> str:
        """Give the path of a document, once it is sure to lie below the root."""
        folder = key.rpartition("/")[0]
        if folder not in self._safe:
            if any(part in ("", ".", "..") for part in key.split("/")):
                raise FormatError("a key that leaves the file", key)
            self._inside(folder)
            self._safe.add(folder)
        return os.path.join(self.root, key)

    def guard(self, key: str) -> None:
        """Raise unless a document is a regular file below the root, or is not there."""
        self.check()
        path = self.path(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                self._inside(key)
                found = os.stat(path)
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
                raise FormatError("no regular file", key, "remove it")

    def __getitem__(self, key: str) -> bytes:
        path = self.path(key)
        try:
            handle = os.open(path, _FILE_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(key) from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise FormatError(f"it cannot be read ({error.strerror})", key) from error
            self._inside(key)
            handle = os.open(path, _FILE_FLAGS & ~getattr(os, "O_NOFOLLOW", 0))
        with open(handle, "rb", buffering=0) as file:
            found = os.fstat(handle)
            if stat.S_ISDIR(found.st_mode):
                raise KeyError(key)
            if not stat.S_ISREG(found.st_mode):
                raise FormatError("no regular file", key, "remove it")
            return file.read()

    def below(self, folder: str) -> Iterator[str]:
        """List the keys below a folder."""
        for here, folders, files in os.walk(os.path.join(self.root, folder)):
            folders.sort()
            prefix = Path(here).relative_to(self.root).as_posix()
            for name in sorted(files):
                yield name if prefix == "." else f"{prefix}/{name}"

    def __iter__(self) -> Iterator[str]:
        return self.below("")

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _DirectorySink:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._made: set[str] = set()

    def _folder(self, key: str) -> None:
        folder = key.rpartition("/")[0]
        if folder not in self._made:
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
            self._made.add(folder)

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self._folder(key)
            with open(os.path.join(self.root, key), "wb", buffering=0) as file:
                file.write(document)

    def store(self) -> Store:
        from zarr.storage import LocalStore

        return LocalStore(self.root)

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        for old, new in pairs:
            self._folder(new)
            path = os.path.join(self.root, new)
            if isinstance(source, Directory):
                with suppress(OSError):  # a file system without hard links
                    os.link(source.path(old), path, follow_symlinks=False)
                    continue
            with open(path, "wb") as file:
                file.write(source[old])


# --- zips --------------------------------------------------------------------------------------


class Zip(Listed):
    """The documents in a zip file. Names that are absolute or leave the file are not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise FormatError(f"the zip cannot be opened ({error})", str(path)) from error
        self.infos = {
            info.filename: info  # of duplicates, which older releases wrote, the last one counts
            for info in self._zip.infolist()
            if not any(part in ("", ".", "..") for part in info.filename.split("/"))
        }

    def nodes(self) -> Collection[str]:
        return [key for key in self.infos if key.rpartition("/")[2] in _NODE_NAMES]

    def __getitem__(self, key: str) -> bytes:
        info = self.infos[key]
        if info.flag_bits & 1:
            raise FormatError("the entry is encrypted", key)
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
        except Exception as error:  # BadZipFile, zlib.error, EOFError, NotImplementedError, ...
            raise FormatError(f"the entry cannot be read ({error})", key) from error
        if len(data) != info.file_size:
            raise FormatError("the entry has another size than the zip says", key)
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self.infos)

    def __len__(self) -> int:
        return len(self.infos)

    def close(self) -> None:
        self._zip.close()


class _ZipSink:
    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)

        self.known: dict[str, bytes] = {}

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self.zip.writestr(_entry(key), document)
            if key.endswith((".zarray", "zarr.json")):
                self.known[key] = document

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        self.put((new, source[old]) for old, new in pairs)

    def store(self) -> Store:
        from .stores import MappingStore

        return MappingStore(_WriteOnly(self.zip, self.known))


def _entry(key: str) -> zipfile.ZipInfo:
    """Describe an entry without its time: equal trees are equal files."""
    info = zipfile.ZipInfo(key)
    info.external_attr = 0o644 << 16
    return info


class _WriteOnly(MutableMapping[str, bytes]):
    """A zip that is being written: chunks go in, only the documents of arrays can be read."""

    def __init__(self, target: zipfile.ZipFile, known: Mapping[str, bytes]) -> None:
        self._zip = target
        self._known = known

    def __setitem__(self, key: str, value: bytes) -> None:
        self._zip.writestr(_entry(key), value)

    def __getitem__(self, key: str) -> bytes:
        return self._known[key]

    def __delitem__(self, key: str) -> None:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


# --- whole replacement of a path ---------------------------------------------------------------


@contextmanager
def replacing(path: Path, store_type: StoreType, sync: bool) -> Iterator[Sink]:
    """Build a new file beside an old one, and swap them at the end of the block.

    An exception leaves the old file as it is, and removes the new one. Files that a killed process
    left behind are removed.
    """
    path = Path(os.path.abspath(path))
    if not path.parent.is_dir():
        raise EncodeError("there is no such directory", str(path.parent), "make it first")
    clear_leftovers(path)
    new = path.with_name(f".{path.name[:100]}{_NEW}{secrets.token_hex(6)}")
    lock = -1
    try:
        if store_type == "zip":
            zipped = _ZipSink(new)
            lock = _locked(new)
            try:
                yield zipped
            finally:
                zipped.zip.close()
        else:
            new.mkdir()
            lock = _locked(new)
            yield _DirectorySink(new)
        if sync:
            flush(new)
        _swap(new, path)
        if sync:
            _flush_folder(path.parent)
    finally:
        remove(new)  # the old file, if they were swapped
        if lock >= 0:
            os.close(lock)


def clear_leftovers(path: Path) -> None:
    """Remove what killed writers left beside a path; what a living one is writing is locked."""
    mark = f".{path.name[:100]}{_NEW}"
    with os.scandir(path.parent) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(mark)]
    for leftover in found:
        with suppress(OSError):
            lock = _locked(leftover)
            try:
                remove(leftover)
            finally:
                os.close(lock)


def _locked(path: Path) -> int:
    """Open and lock a file or directory; OSError where another process has it."""
    if sys.platform == "win32":
        raise OSError("directories cannot be locked")
    import fcntl

    handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def remove(path: Path) -> None:
    """Remove a file or a tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _swap(new: Path, path: Path) -> None:
    """Put the new file in the place of the old one, and the old one in that of the new one."""
    if not path.is_dir() and not new.is_dir():
        os.replace(new, path)
        return
    if not os.path.lexists(path):
        with suppress(OSError):  # somebody else may have been first
            os.rename(new, path)
            return
    if _exchange(new, path):
        return
    old = path.with_name(new.name + "-old")
    os.rename(path, old)
    os.rename(new, path)
    os.rename(old, new)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two paths in one step, where the system can."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(a), os.fsencode(b))
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        here, exchange = -100, 2
        return int(libc.renameat2(here, names[0], here, names[1], exchange)) == 0
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return int(libc.renamex_np(*names, 2)) == 0
    return False


def flush(path: Path) -> None:
    """Bring a file, or all of a file system, to the disk: one sweep, not a call for each file."""
    if path.is_file():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    elif sys.platform == "linux":
        handle = os.open(path, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(handle) != 0:
                raise OSError(ctypes.get_errno(), "syncfs failed", str(path))
        finally:
            os.close(handle)
    elif hasattr(os, "sync"):
        os.sync()


def _flush_folder(path: Path) -> None:
    if sys.platform != "win32":
        handle = os.open(path, _DIRECTORY_FLAGS)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- stores that cannot swap -------------------------------------------------------------------


class Stored(Listed):
    """The documents in a Zarr store: nodes are listed and read in one concurrent sweep."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, bytes] = {}
        self._keys: tuple[str, ...] | None = None

    def keys_(self) -> tuple[str, ...]:
        if self._keys is None:
            self._keys = tuple(_run(_listed, self.store))
        return self._keys

    def nodes(self) -> Collection[str]:
        names = _NODE_NAMES | {".zattrs"}
        wanted = [key for key in self.keys_() if key.rpartition("/")[2] in names]
        self._known.update(_run(_got, self.store, wanted))
        return [key for key in wanted if not key.endswith(".zattrs")]

    def __getitem__(self, key: str) -> bytes:
        if key not in self._known:
            self._known.update(_run(_got, self.store, [key]))
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_())

    def __len__(self) -> int:
        return len(self.keys_())


def _run(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a coroutine on the loop that zarr-python runs its stores on."""
    from zarr.core.sync import sync  # private, but the only way to share zarr's event loop

    return sync(function(*arguments))


async def _listed(store: Any) -> list[str]:
    return [key async for key in store.list()]


async def _got(store: Any, keys: list[str]) -> dict[str, bytes]:
    import asyncio

    from zarr.core.buffer import default_buffer_prototype

    limit = asyncio.Semaphore(64)

    async def one(key: str) -> tuple[str, bytes | None]:
        async with limit:
            found = await store.get(key, default_buffer_prototype())
        return key, None if found is None else found.to_bytes()

    found = await asyncio.gather(*map(one, keys))
    return {key: data for key, data in found if data is not None}


async def _put(store: Any, pairs: list[tuple[str, bytes]]) -> None:
    import asyncio

    from zarr.core.buffer import default_buffer_prototype

    limit = asyncio.Semaphore(64)

    async def one(key: str, data: bytes) -> None:
        async with limit:
            await store.set(key, default_buffer_prototype().buffer.from_bytes(data))

    await asyncio.gather(*(one(key, data) for key, data in pairs))


class _StoreSink:
    """Writes into a store in place; the root's document, without which nothing is read, comes last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.last: list[tuple[str, bytes]] = []
        _run(store.clear)

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        pairs = list(documents)
        self.last += [pair for pair in pairs if pair[0] in _NODE_NAMES]
        _run(_put, self._store, [pair for pair in pairs if pair[0] not in _NODE_NAMES])

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        self.put((new, source[old]) for old, new in pairs)

    def store(self) -> Store:
        return self._store

    def finish(self) -> None:
        _run(_put, self._store, self.last)


class _Gathered:
    """Gathers what is written, to replace a database in one transaction."""

    def __init__(self) -> None:
        self.pairs: dict[str, bytes] = {}

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        self.pairs.update(documents)

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        self.put((new, source[old]) for old, new in pairs)

    def store(self) -> Store:
        from .stores import MappingStore

        return MappingStore(self.pairs)


# --- any place ---------------------------------------------------------------------------------


class Opened(NamedTuple):
    """A file that is open for reading."""

    documents: Listed | Mapping[str, bytes]
    store: Callable[[], Store]
    close: Callable[[], None]
    check: Callable[[], None]  # raises where the file was replaced since


def nothing() -> None:
    """Do nothing: there is nothing to close or to check."""


def kind_of(path: Path) -> str:
    """Tell what lies at a path: ``local``, ``zip``, ``lmdb``, ``dbm``, ``sqlite`` or nothing (``""``)."""
    if path.is_dir() and not (path / "data.mdb").exists():
        return "local"
    if path.is_file() and zipfile.is_zipfile(path):
        return "zip"
    from .stores import recognise

    return recognise(path) or ("unknown" if path.exists() else "")


def database(path: Path, kind: str, *, read_only: bool) -> Any:
    """Open a database as a Zarr store."""
    from . import stores

    made: Mapping[str, Any] = {"lmdb": stores.LMDBStore, "dbm": stores.DBMStore, "sqlite": stores.SQLiteStore}
    return made[kind](path, read_only=read_only)


def as_store(place: Any, *, read_only: bool) -> Any:
    """Give a Zarr store for what is no path: a store, a mapping, an LMDB environment."""
    from zarr.abc.store import Store

    from . import stores

    if isinstance(place, Store):
        return place
    if isinstance(place, Mapping):
        return stores.MappingStore(place, read_only=read_only)
    if type(place).__module__.partition(".")[0] == "lmdb":
        return stores.LMDBStore(place, read_only=read_only)
    kind = type(place).__qualname__
    raise EncodeError(f"a {kind} is no place for a file", "filename", "use a path, a mapping or a Zarr store")


def is_path(place: object) -> bool:
    """Tell a path from a store."""
    return isinstance(place, (str, os.PathLike))


def opened(place: Any) -> Opened:
    """Open what lies at a place for reading.

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.
    """
    if not is_path(place):
        store = as_store(place, read_only=True)
        documents = place if isinstance(place, Mapping) else Stored(store)
        return Opened(documents, lambda: store, nothing, nothing)
    path = Path(place)
    kind = kind_of(path)
    if kind == "local":
        directory = Directory(path)
        return Opened(directory, lambda: _files(directory), nothing, directory.check)
    if kind == "zip":
        zipped = Zip(path)
        return Opened(zipped, lambda: as_store(zipped, read_only=True), zipped.close, nothing)
    if kind in ("", "unknown"):
        problem = "nothing that zspy reads lies there" if kind else "there is no such file"
        raise FormatError(problem, str(path))
    store = database(path, kind, read_only=True)
    return Opened(Stored(store), lambda: store, store.close, nothing)


def _files(directory: Directory) -> Store:
    from .stores import FileStore

    return FileStore(directory)


@contextmanager
def replaced(place: Any, store_type: StoreType | None, sync: bool) -> Iterator[Sink]:
    """Replace the file at a place by what is written in the block."""
    if not is_path(place):
        store = as_store(place, read_only=False)
        with _in_place(store) as sink:
            yield sink
        return
    path = Path(place)
    if store_type in ("lmdb", "dbm"):
        store = database(path, store_type, read_only=False)
        try:
            with _in_place(store) as sink:
                yield sink
        finally:
            store.close()
        return
    with replacing(path, store_type or "local", sync) as sink:
        yield sink


@contextmanager
def _in_place(store: Any) -> Iterator[Sink]:
    if hasattr(store, "replace"):
        gathered = _Gathered()
        yield gathered
        store.replace(gathered.pairs.items())
        return
    sink = _StoreSink(store)
    yield sink
    sink.finish()


def below(documents: Mapping[str, bytes], prefix: str) -> Iterator[str]:
    """List the keys below a folder."""
    if isinstance(documents, Directory):
        return documents.below(prefix)
    return (key for key in documents if key.startswith(prefix))


def fetch(store: Any) -> Mapping[str, bytes]:
    """Give the documents of a store, as a mapping that reads each when it is asked for.

    Parameters
    ----------
    store : path, mapping of str to bytes, Zarr store or open LMDB environment

    Returns
    -------
    mapping of str to bytes

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     commit({".zgroup": b"{}"}, f"{folder}/x.zspy")
    ...     dict(fetch(f"{folder}/x.zspy"))
    {'.zgroup': b'{}'}
    """
    return opened(store).documents


def commit(
    documents: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    store: Any,
    *,
    store_type: StoreType | None = None,
    sync: bool = True,
) -> None:
    """Replace what a store holds by these documents, in one sweep.

    Parameters
    ----------
    documents : mapping, or pairs of key and bytes
        As `zspy.serialise` gives them. All are made before the first is written.
    store : path, mutable mapping of str to bytes, Zarr store or open LMDB environment
        At a path the old file is there whole until the new one is.
    store_type : {"local", "zip", "lmdb", "dbm"}, optional
        What to make at a path: a directory (the default), a zip file or a database.
    sync : bool, default True
        Bring everything to the disk before the new file takes the place of the old one.

    Raises
    ------
    EncodeError
        If nothing can be made there.

    Examples
    --------
    >>> memory = {"old": b""}
    >>> commit({".zgroup": b"{}"}, memory)
    >>> memory
    {'.zgroup': b'{}'}
    """
    pairs = list(documents.items() if isinstance(documents, Mapping) else documents)
    with replaced(store, store_type, sync) as sink:
        sink.put(pairs)
