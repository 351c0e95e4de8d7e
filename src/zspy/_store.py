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
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ._documents import Listed
from .errors import EncodeError, FormatError

if TYPE_CHECKING:
    from zarr.abc.store import Store

StoreType = Literal["local", "zip", "lmdb", "dbm"]
STORE_TYPES: Final = ("local", "zip", "lmdb", "dbm")
MARKER: Final = ".zspy-incomplete"
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

    def keep(self, source: Listed, keys: Iterable[str]) -> None:
        """Take documents over from the old file, without decoding them."""


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

    def __iter__(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            prefix = Path(folder).relative_to(self.root).as_posix()
            for name in sorted(files):
                yield name if prefix == "." else f"{prefix}/{name}"

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

    def keep(self, source: Listed, keys: Iterable[str]) -> None:
        for key in keys:
            self._folder(key)
            new = os.path.join(self.root, key)
            if isinstance(source, Directory):
                with suppress(OSError):  # a file system without hard links
                    os.link(source.path(key), new, follow_symlinks=False)
                    continue
            with open(new, "wb") as file:
                file.write(source[key])


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

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self.zip.writestr(_entry(key), document)

    def store(self) -> Store:
        from .stores import MappingStore

        return MappingStore(_WriteOnly(self.put))

    def keep(self, source: Listed, keys: Iterable[str]) -> None:
        self.put((key, source[key]) for key in keys)


def _entry(key: str) -> zipfile.ZipInfo:
    """Describe an entry without its time: equal trees are equal files."""
    info = zipfile.ZipInfo(key)
    info.external_attr = 0o644 << 16
    return info


class _WriteOnly(MutableMapping[str, bytes]):
    """A mapping that passes on what is set, and remembers small documents for zarr to read."""

    def __init__(self, put: Callable[[Iterable[tuple[str, bytes]]], None]) -> None:
        self._put = put
        self.known: dict[str, bytes] = {}

    def __setitem__(self, key: str, value: bytes) -> None:
        self._put([(key, value)])

    def __getitem__(self, key: str) -> bytes:
        return self.known[key]

    def __delitem__(self, key: str) -> None:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


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


# --- any place ---------------------------------------------------------------------------------


def kind_of(path: Path) -> str:
    """Tell what lies at a path: ``local``, ``zip``, ``lmdb``, ``dbm``, ``sqlite`` or nothing (``""``)."""
    if path.is_dir() and not (path / "data.mdb").exists():
        return "local"
    if path.is_file() and zipfile.is_zipfile(path):
        return "zip"
    from .stores import recognise

    return recognise(path) or ("unknown" if path.exists() else "")


def fetch(store: Any) -> Listed | Mapping[str, bytes]:
    """Give the documents of a store, as a mapping that reads each when it is asked for.

    Parameters
    ----------
    store : path, or mapping of str to bytes
        A directory or a zip file; a mapping is given back as it is.

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
    if isinstance(store, Mapping):
        return store
    path = Path(store)
    match kind_of(path):
        case "local":
            return Directory(path)
        case "zip":
            return Zip(path)
        case "":
            raise FormatError("there is no such file", str(path))
        case kind:
            raise FormatError(f"what lies there ({kind}) is no directory and no zip file", str(path))


def commit(
    documents: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    store: Any,
    *,
    store_type: StoreType = "local",
    sync: bool = True,
) -> None:
    """Replace what a store holds by these documents, in one sweep.

    Parameters
    ----------
    documents : mapping, or pairs of key and bytes
        As `zspy.serialise` gives them. All are made before the first is written.
    store : path, or mutable mapping of str to bytes
        At a path the old file is there whole until the new one is.
    store_type : {"local", "zip"}
        What to make at a path: a directory or a zip file.
    sync : bool, default True
        Bring everything to the disk before the new file takes the place of the old one.

    Examples
    --------
    >>> memory = {"old": b""}
    >>> commit({".zgroup": b"{}"}, memory)
    >>> memory
    {'.zgroup': b'{}'}
    """
    pairs = list(documents.items() if isinstance(documents, Mapping) else documents)
    if isinstance(store, MutableMapping):
        store.clear()
        store.update(pairs)
        return
    with replacing(Path(store), store_type, sync) as sink:
        sink.put(pairs)
