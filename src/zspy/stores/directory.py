"""Floor 5: where files lie: directories, zips, databases, mappings, Zarr stores.

`fetch` gives the documents of a place, `commit` replaces what is there; a path always holds the old
file whole or the new one whole. Nothing here knows what a document means.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

from ..documents.tree import NODES, Given, Listed
from ..values.errors import EncodeError, FormatError
from ..values.nodes import joined

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from .database import MappingStore

StoreType: TypeAlias = Literal["local", "zip", "lmdb", "dbm"]
STORE_TYPES: Final = ("local", "zip", "lmdb", "dbm")
_DATABASES: Final = ("lmdb", "dbm", "sqlite")
ROOTS: Final = (".zmetadata", ".zgroup", ".zarray", "zarr.json")
"""What makes a store a Zarr node, in the order in which it is removed; it is written last."""
_WHOLE: Final = slice(None)
_LARGEST: Final = 2**33  # bytes of a document that is read: no chunk is larger
_SMALL: Final = 2**12  # bytes of a document that is read in one call
_LONG: Final = 1000  # characters of a path, which every system takes
_RELATIVE: Final = os.open in os.supports_dir_fd
_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY
_T = TypeVar("_T")
Kept: TypeAlias = tuple[Mapping[str, bytes], Sequence[tuple[str, str]]]
NOTHING: Final[Kept] = ({}, ())
"""What is kept of an old file: its documents, with pairs of a key there and the key here.

What ends with a slash is a folder, which is kept with all that is in it.
"""


class Opened(Listed):
    """A file that is open for reading: its documents, each read when it is asked for."""

    root = ""  # its path, where it has one

    def store(self) -> Store:
        """Give a Zarr store, through which zarr-python reads."""
        from .database import MappingStore

        return MappingStore(self, read_only=True)

    def is_of(self, place: object) -> bool:  # noqa: ARG002
        """Tell whether it is read from a Zarr store."""
        return False

    def replaced(self) -> bool:
        """Tell whether another file has taken the place of this one since it was opened."""
        return False

    def check(self) -> None:
        """Raise if another file has taken its place: what was read may be of both."""
        if self.replaced():
            raise FormatError(REPLACED, self.root, "open it again")

    def close(self) -> None:
        """Close what is open; reading may fail then."""


class Sink(ABC):
    """A new file that is being written: first `keep`, then `put`, then large arrays in `store`."""

    streams = True  # whether `put` takes more, bit by bit

    @abstractmethod
    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write documents, each key once."""

    @abstractmethod
    def store(self) -> Store:
        """Give a Zarr store, through which zarr-python writes."""

    def close(self) -> None:  # noqa: B027 - few have anything to do
        """End the file."""

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        """Take documents over from the old file: pairs of the key there and the key here."""
        self.put((new, source[old]) for old, new in pairs)


def spread(
    source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Give pairs of keys for those of folders."""
    for old, new in pairs:
        if old.endswith("/"):
            below = cast("Opened", source).below(old[:-1])
            yield from ((key, new + key[len(old) :]) for key in below)
        else:
            yield old, new


def is_safe(key: str) -> bool:
    """Tell whether a key names something below the root, whoever reads it."""
    return not any(part in ("", ".", "..") for part in key.split("/"))


# --- directories -------------------------------------------------------------------------------


def _reached(root: str, key: str) -> AbstractContextManager[tuple[str, int | None]]:
    """Give a path, and the folder that it starts from: of a long one, that of the last name."""
    path = f"{root}/{key}"
    return nullcontext((path, None)) if _is_near(path) else _down(root, key)


def _is_near(path: str) -> bool:
    """Tell a path that the system takes as it is."""
    return len(path) < _LONG or not _RELATIVE


def _entries(folder: str | int) -> list[tuple[str, bool, bool, bool]]:
    with os.scandir(folder) as entries:
        return [
            (one.name, one.is_dir(), one.is_symlink(), one.is_file(follow_symlinks=False))
            for one in entries
        ]


@contextmanager
def _down(root: str, key: str) -> Generator[tuple[str, int]]:
    """Descend to the folder of a key, by as much of its path at a time as the system takes."""
    folder, _, name = key.rpartition("/")
    here = os.open(root, _FOLDER)
    try:
        while folder:
            cut = len(folder) if len(folder) < _LONG else folder.rfind("/", 0, _LONG)
            inner = os.open(folder[:cut], _FOLDER | _NO_LINK, dir_fd=here)
            os.close(here)
            here, folder = inner, folder[cut + 1 :]
        yield name, here
    finally:
        os.close(here)


def _is_link(root: str, key: str) -> bool:
    with suppress(OSError), _reached(root, key) as (path, near):
        return stat.S_ISLNK(os.stat(path, dir_fd=near, follow_symlinks=False).st_mode)
    return False


class Directory(Opened):
    """The documents below a directory. It never leaves its root, and reads regular files only."""

    def __init__(self, root: str | os.PathLike[str], identity: int | None = None) -> None:
        self.root = os.path.abspath(root)
        self._real = os.path.realpath(root)
        self._safe = {""}  # folders
        self._known: dict[str, bool] = {}  # documents: a regular file, or none
        self.linked = False  # whether there was a link in what was listed
        self._release: Callable[[], object] | None = None
        try:
            self.identity = identity or os.stat(root).st_ino
            self._moved = moved(Path(self._real), self.identity) / WHOLE
            if _RELATIVE:  # while it is open, no other directory gets its number
                self._release = weakref.finalize(self, os.close, os.open(root, _FOLDER))
        except OSError as error:
            raise FormatError(f"it cannot be opened ({error.strerror})", self.root) from error

    def __reduce__(self) -> tuple[type[Directory], tuple[str, int]]:
        return Directory, (self.root, self.identity)

    def store(self) -> Store:
        from .database import FileStore

        return FileStore(self, read_only=True)

    def replaced(self) -> bool:
        with suppress(OSError):
            return os.stat(self.root).st_ino != self.identity or os.path.exists(self._moved)
        return True

    def close(self) -> None:
        if self._release is not None:
            self._release()

    def nodes(self) -> Collection[str]:
        found: list[str] = []
        for prefix, folders, files in self._walk(""):
            here = [prefix + name for name in files if name in NODES]
            self._known.update((key, True) for key in here if files[key[len(prefix) :]])
            if files.get(".zattrs", True):
                self._known[f"{prefix}.zattrs"] = ".zattrs" in files
            if f"{prefix}.zarray" in here or (not here and prefix.endswith("/c/")):
                folders.clear()  # they hold chunks
            found += here
        return found

    def below(self, folder: str) -> Iterator[str]:
        return (prefix + name for prefix, _, files in self._walk(folder) for name in files)

    def __iter__(self) -> Iterator[str]:
        return self.below("")

    def _walk(self, folder: str) -> Iterator[tuple[str, dict[str, bool], dict[str, bool]]]:
        """Yield each prefix with the names of its folders, which may be cleared, and files.

        Of a folder: whether it lies behind a link; of a file: whether it is a regular one.
        """
        todo = [(folder, False)]
        while todo:
            here, linked = todo.pop()
            prefix = joined(here, "")
            folders: dict[str, bool] = {}
            files: dict[str, bool] = {}
            for name, is_folder, is_link, is_file in self._listed(here):
                self.linked |= is_link
                if not is_folder:
                    files[name] = is_file
                elif linked and is_link:  # there may be no end to it
                    raise FormatError("a link behind a link", prefix + name, _REMEDY)
                else:
                    folders[name] = linked or (is_link and self._stay(prefix + name))
            self._safe.add(here)
            yield prefix, folders, files
            todo += [(prefix + name, through) for name, through in folders.items()]

    def _listed(self, folder: str) -> list[tuple[str, bool, bool, bool]]:
        """List a folder: names, and whether each is a folder, a link, or a regular file itself."""
        try:
            with _reached(self.root, f"{folder}/") as (path, near):
                return _entries(path if near is None else near)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FormatError(f"it cannot be listed ({error.strerror})", folder) from error

    def _stay(self, key: str) -> bool:
        """Refuse what a symbolic link puts outside of the root."""
        path = f"{self.root}/{key}"
        real = os.path.realpath(path)
        if real != self._real and not real.startswith(os.path.join(self._real, "")):
            raise FormatError("a link that leaves the file", key, _REMEDY)
        if not _is_near(path):  # nothing tells where it points to
            raise FormatError("a link so deep that it is not followed", key, _REMEDY)
        return True

    def path(self, key: str) -> str:
        """Give the path of a document, once it is sure to lie below the root."""
        folder = key.rpartition("/")[0]
        if folder not in self._safe:
            if not is_safe(key):
                raise FormatError("a key that leaves the file", key)
            todo: list[str] = []
            while folder not in self._safe:
                todo.append(folder)
                folder = folder.rpartition("/")[0]
            for one in reversed(todo):
                _ = _is_link(self.root, one) and self._stay(one)
            self._safe.update(todo)
        return f"{self.root}/{key}"

    def _open(self, key: str, known: bool) -> int:
        """Open a document, which may be a link to another."""
        path = f"{self.root}/{key}" if known else self.path(key)
        try:
            if _is_near(path):
                return os.open(path, _READ | _NO_LINK)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(key) from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            self._stay(key)
            return os.open(path, _READ)
        with _down(self.root, key) as (name, near):
            try:
                return os.open(name, _READ | _NO_LINK, dir_fd=near)
            except FileNotFoundError:
                raise KeyError(key) from None

    def read(self, key: str, part: slice = _WHOLE) -> bytes:
        known = self._known.get(key)
        if known is False:
            raise KeyError(key)
        try:
            handle = self._open(key, known is True)
            try:
                if known and len(data := os.read(handle, _SMALL)) < _SMALL:
                    return data[part]
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode):
                    if stat.S_ISDIR(found.st_mode):
                        raise KeyError(key)
                    raise FormatError("no regular file", key, "remove it")
                start, stop, _ = part.indices(limited(found.st_size, key))
                return _bytes_of(handle, start, stop)
            finally:
                os.close(handle)
        except FormatError:
            raise
        except OSError as error:
            raise FormatError(f"it cannot be read ({error.strerror})", key) from error

    def size(self, keys: Iterable[str]) -> int:
        return sum(map(self._size, keys))

    def _size(self, key: str) -> int:
        try:
            self.path(key)
            with _reached(self.root, key) as (path, near):
                return os.stat(path, dir_fd=near, follow_symlinks=False).st_size
        except OSError:
            return 0

    def __getitem__(self, key: str) -> bytes:
        return self.read(key)


def _bytes_of(handle: int, start: int, stop: int) -> bytes:
    """Read a part of a file; a file object would make more calls of the system."""
    os.lseek(handle, start, os.SEEK_SET)
    data = os.read(handle, stop - start)
    while len(data) < stop - start and (more := os.read(handle, stop - start - len(data))):
        data += more
    return data


def _write(handle: int, data: bytes) -> None:
    """Write a file; a file object would take half as long again."""
    at = os.write(handle, data)
    while at < len(data):
        at += os.write(handle, memoryview(data)[at:])


OLD: Final = "-old"
TREE: Final = "tree"
WHOLE: Final = "whole"
_REMEDY: Final = "replace it by what it points to"
REPLACED: Final = "the file was replaced while it was read"


def limited(size: int, key: str) -> int:
    """Refuse what is too large to be a document."""
    if size > _LARGEST:
        raise FormatError(f"a document of {size} bytes", key, "the file is damaged")
    return size


class DirectorySink(Sink):
    """Writes a new directory."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self._root = str(root)
        self._made = {""}

    def _path(self, key: str) -> str:
        """Make the folders of a key, and give its path."""
        folder, _, name = key.rpartition("/")
        if not is_safe(key if folder not in self._made else name):
            raise EncodeError("a key that leaves the file", key)
        missing: list[str] = []
        while folder not in self._made:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for folder in reversed(missing):
            with _reached(self._root, folder) as (path, near):
                os.mkdir(path, dir_fd=near)
            self._made.add(folder)
        return f"{self._root}/{key}"

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self._path(key)
            with _reached(self._root, key) as (path, near):
                handle = os.open(path, _WRITE, 0o666, dir_fd=near)
            try:
                _write(handle, document)
            finally:
                os.close(handle)

    def store(self) -> Store:
        from .database import NewStore

        return NewStore(self._root)

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        for old, new in pairs:
            if isinstance(source, Directory):
                with suppress(OSError):  # a file system without hard links
                    path = source.path(old)
                    os.link(os.path.realpath(path), self._path(new))
                    continue
            try:
                self.put([(new, source[old])])
            except KeyError:
                raise FormatError("a document has vanished", old) from None


class Gathered(dict[str, bytes], Sink):
    """Gathers what is written, to replace a database in one transaction."""

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self[key] = document

    def store(self) -> Store:
        from .database import MappingStore

        return MappingStore(self)


# --- whole replacement of a path ---------------------------------------------------------------


@contextmanager
def _replacing(path: Path, zipped: bool, sync: bool) -> Generator[Sink]:
    """Build a new file beside an old one, and swap them at the end of the block.

    An exception leaves the old file as it is, and removes the new one.
    """
    names: set[str] = set()
    with suppress(FileNotFoundError, NotADirectoryError):
        names = {*os.listdir(path)}
    if names and not {*NODES, "data.mdb"} & names and not _is_n5(path):
        raise EncodeError("the directory there is no Zarr group", str(path), "remove it first")
    from .replace import swap

    with beside(path, _zip_sink if zipped else DirectorySink) as (new, sink):
        try:
            yield sink
        except BaseException:
            with suppress(Exception):  # the first error tells more
                sink.close()
            raise
        sink.close()
        if sync:
            flush(new, everything=True)
        swap(new, path)
        if sync:
            flush(path.parent)


def _zip_sink(path: Path) -> Sink:
    from .zip import ZipSink

    return ZipSink(path)


@contextmanager
def beside(path: Path, make: Callable[[Path], _T]) -> Generator[tuple[Path, _T]]:
    """Make something beside a path, which is removed in the end.

    What killed writers left behind is removed as well.
    """
    clear(path)
    new, made, lock = _begun(path.with_name(_mark(path)), make)
    try:
        yield new, made
    finally:
        remove(new)
        if lock is not None:
            os.close(lock)


def _mark(path: Path) -> str:
    """Give what the names of new files of a path begin with."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}.zspy-new-"


def moved(path: Path, identity: int) -> Path:
    """Name where an update of the directory with that number is made, which moves parts of it.

    When these are there, which `WHOLE` points to, `TREE` is the whole file, until it takes the
    place of that directory (see `_moves`).
    """
    return path.with_name(f"{_mark(path)}{identity}-moves")


def _present(path: Path) -> Path:
    """Give a path; or, where a writer was killed between two renamings, that of the whole file."""
    with suppress(OSError):
        real = Path(os.path.realpath(path))
        if real.exists():
            place = moved(real, os.stat(real).st_ino)
            return place / TREE if os.path.exists(place / WHOLE) else path
        for name in os.listdir(real.parent):
            if name.startswith(_mark(real)) and name.endswith(OLD):
                return real.with_name(name)
    return path


def clear(path: Path) -> None:
    """Remove what killed writers left behind beside a path."""
    from .replace import mend

    mend(path)
    whole = _present(path)
    for name in os.listdir(path.parent):
        if name.startswith(_mark(path)) and path.with_name(name) not in (whole, whole.parent):
            _remove_leftover(path.with_name(name))


def _begun(mark: Path, make: Callable[[Path], _T]) -> tuple[Path, _T, int | None]:
    """Make something new, and lock it before another writer takes it for a leftover."""
    while True:
        new = mark.with_name(mark.name + secrets.token_hex(6))
        made = make(new)
        with suppress(BlockingIOError, FileNotFoundError):
            lock = locked(new)
            if lock is None or new.exists():
                return new, made, lock
            os.close(lock)


def _remove_leftover(path: Path) -> None:
    """Remove what a killed writer left behind; what a living one is writing is locked."""
    with suppress(OSError):
        if (lock := locked(path)) is not None:
            try:
                remove(path)
            finally:
                os.close(lock)


def locked(path: Path) -> int | None:
    """Lock a file or directory, where the system can; BlockingIOError if another has it."""
    try:
        import fcntl
    except ImportError:  # on Windows
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def remove(path: Path) -> None:
    """Remove a file, or a tree of any depth: deep folders move to its top before they are emptied.

    Another process may do the same at the same time. What cannot be removed stays.
    """
    with suppress(OSError):
        path.unlink()
    folders = [str(path)]
    token = secrets.token_hex(6)
    for folder in folders:  # grows on the way
        with suppress(OSError):
            with os.scandir(folder) as entries:
                found = list(entries)
            for entry in found:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        inner = entry.path
                        if not _is_near(inner):
                            inner = f"{path}/{token}{len(folders)}"
                            os.rename(entry.path, inner)
                        folders.append(inner)
                    else:
                        os.unlink(entry.path)
    for folder in reversed(folders):
        with suppress(OSError):
            os.rmdir(folder)


def flush(path: Path, *, everything: bool = False) -> None:
    """Bring a file or a folder to the disk, or all of its file system in one sweep."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        if not everything or path.is_file():
            os.fsync(handle)
        elif (syncfs := getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)) is None:
            os.sync()
        elif syncfs(handle):
            raise OSError(ctypes.get_errno(), "the disk cannot be written", str(path))
    finally:
        os.close(handle)


# --- any place ---------------------------------------------------------------------------------


def kind_of(path: Path) -> str:
    """Tell what lies at a path: a store type, ``sqlite``, ``unknown`` or nothing (``""``)."""
    if path.is_dir() and not (path / "data.mdb").is_file():
        return "local"
    if path.is_file():
        from .zip import is_zip

        if is_zip(path):
            return "zip"
    from .database import recognise

    return recognise(path) or ("unknown" if path.exists() else "")


def _is_n5(path: Path) -> bool:
    """Tell an N5 directory, which zarr-python 2 could write."""
    if any((path / name).exists() for name in NODES):
        return False
    file = path / "attributes.json"
    if not file.is_file():
        return False
    with file.open("rb") as stream:  # of a file that might be of any size
        return b'"n5"' in stream.read(2**20)


def _database(path: Path, kind: str, *, read_only: bool) -> MappingStore:
    from . import database as stores

    if kind == "lmdb":
        return stores.LMDBStore(path, read_only=read_only)
    kinds = {"dbm": stores.DBMStore, "sqlite": stores.SQLiteStore}
    store: MappingStore = kinds[kind](path, read_only=read_only)
    return store


def is_path(place: object) -> bool:
    """Tell a path from a store."""
    return isinstance(place, (str, os.PathLike))


def located(place: Any, options: Mapping[str, Any] | None = None) -> Any:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    is_url = isinstance(place, str) and "://" in place
    if is_path(place) and not is_url and not options:
        return Path(place)
    if type(place) is dict and not options:
        return cast("Any", place)
    from .zarr_store import located

    return located(place, options)


def name_of(place: Any) -> str:
    """Name a place in an error: without the secrets of a URL, nor all that a dictionary holds."""
    place = located(place)
    return "" if isinstance(place, Mapping) else str(place)


def holds(place: Any) -> bool:
    """Tell whether there is anything at a place."""
    if isinstance(place, Path):
        return kind_of(_present(place)) != ""
    with closing(opened(place)) as file:
        return any(True for _ in file)


def is_remote(place: Any) -> bool:
    """Tell a Zarr store that is far away from all other places."""
    if isinstance(place, (Path, Mapping)):
        return False
    from . import zarr_store as _remote

    return _remote.is_remote(place)


def settle_store(place: Any, closes: bool) -> None:
    """Complete what was written to a store that the caller has given, and close it or not."""
    if not isinstance(place, Mapping):
        from .zarr_store import reopened

        place.close()
        if not closes:
            reopened(place)


class _Mapped(Given, Opened):
    """The documents in a mapping."""


def opened(place: Any) -> Opened:
    """Open what lies at a place for reading.

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.
    """
    found = located(place)
    if isinstance(found, Mapping):
        return _Mapped(cast("Any", found))
    if not isinstance(found, Path):
        from .zarr_store import reading

        return reading(found)
    place, found = found, _present(found)
    match kind_of(found):
        case "local":
            directory = Directory(found)
            if _present(place) != found:  # it was replaced meanwhile
                directory.close()
                return opened(place)
            if not _is_n5(found):
                return directory
            from .n5 import N5

            return N5(directory)
        case "zip":
            from .zip import Zip

            return Zip(found)
        case "":
            raise FormatError("there is no such file", str(found))
        case "unknown":
            raise FormatError("nothing that zspy reads lies there", str(found))
        case kind:
            from .zarr_store import Stored

            return Stored(_database(found, kind, read_only=True), owned=True)


@contextmanager
def replaced(place: Any, kind: str | None, sync: bool, kept: Kept = NOTHING) -> Generator[Sink]:
    """Replace the file at a place by what is kept of an old one and is written in the block."""
    if kind not in (None, "sqlite", *STORE_TYPES):
        remedy = f"use one of {' or '.join(map(repr, STORE_TYPES))}"
        raise EncodeError(f"{kind!r} is no kind of store", "store_type", remedy)
    found = located(place)
    if not isinstance(found, Path):
        from .zarr_store import replacing

        context: AbstractContextManager[Sink] = replacing(found)
    else:
        path = Path(os.path.realpath(found))
        if not found.name or not path.parent.is_dir():
            raise EncodeError("there is no such directory", str(path.parent), "make it first")
        context = _chosen(path, kind, sync, kept)
    with context as sink:
        sink.keep(kept[0], spread(*kept))
        yield sink


def _chosen(path: Path, kind: str | None, sync: bool, kept: Kept) -> AbstractContextManager[Sink]:
    """Choose how to replace what lies at a path."""
    if kind in _DATABASES:
        if kind_of(path) not in ("", kind):
            raise EncodeError(f"there is something else than {kind}", str(path), "remove it first")
        return _transaction(path, kind)
    if kind == "zip":
        from .zip import appending, to_append

        kept = kept[0], [*spread(*kept)]
        if (lock := to_append(path, kept)) is not None:
            return appending(path, kept, lock, sync)
    if kind != "zip" and isinstance(kept[0], Directory):
        from .replace import moving, to_move

        if (move := to_move(path, kept)) is not None:
            return moving(path, kept, move, sync)
    return _replacing(path, kind == "zip", sync)


@contextmanager
def _transaction(path: Path, kind: str) -> Generator[Sink]:
    """Replace what is in a database, in one step."""
    from .database import Spool

    with closing(Spool(path.parent)) as gathered:
        yield gathered
        with closing(_database(path, kind, read_only=False)) as store:
            store.replace(gathered.items())


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
    return opened(store)


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
    pairs = dict(documents)
    with replaced(store, store_type, sync) as sink:
        sink.put(pairs.items())
