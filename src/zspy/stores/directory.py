"""Directories. Reading never leaves the folder, and reads regular files only."""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError
from ..values.nodes import joined
from .base import WHOLE, Opened, Sink, is_safe, limited, moved

_WHOLE: Final = slice(None)
_SMALL: Final = 2**12  # bytes of a document that is read in one call
_LONG: Final = 1000  # characters of a path, which every system takes
_RELATIVE: Final = os.open in os.supports_dir_fd
_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY


def _reached(root: str, key: str) -> AbstractContextManager[tuple[str, int | None]]:
    """Give a path, and the folder that it starts from: of a long one, that of the last name."""
    path = f"{root}/{key}"
    return nullcontext((path, None)) if is_near(path) else _down(root, key)


def is_near(path: str) -> bool:
    """Tell a path that the system takes as it is."""
    return len(path) < _LONG or not _RELATIVE


def _entries(folder: str | int) -> list[tuple[str, bool, bool, bool]]:
    with os.scandir(folder) as entries:
        return [
            (
                one.name,
                one.is_dir(),
                one.is_symlink(),
                one.is_file(follow_symlinks=False),
            )
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

    def __init__(
        self, root: str | os.PathLike[str], identity: int | None = None
    ) -> None:
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
            raise FormatError(
                f"it cannot be opened ({error.strerror})", self.root
            ) from error

    def __reduce__(self) -> tuple[type[Directory], tuple[str, int]]:
        return Directory, (self.root, self.identity)

    def replaced(self) -> bool:
        with suppress(OSError):
            return os.stat(self.root).st_ino != self.identity or os.path.exists(
                self._moved
            )
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
        return (
            prefix + name for prefix, _, files in self._walk(folder) for name in files
        )

    def __iter__(self) -> Iterator[str]:
        return self.below("")

    def _walk(
        self, folder: str
    ) -> Iterator[tuple[str, dict[str, bool], dict[str, bool]]]:
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
            raise FormatError(
                f"it cannot be listed ({error.strerror})", folder
            ) from error

    def _stay(self, key: str) -> bool:
        """Refuse what a symbolic link puts outside of the root."""
        path = f"{self.root}/{key}"
        real = os.path.realpath(path)
        if real != self._real and not real.startswith(os.path.join(self._real, "")):
            raise FormatError("a link that leaves the file", key, _REMEDY)
        if not is_near(path):  # nothing tells where it points to
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
            if is_near(path):
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
    while len(data) < stop - start and (
        more := os.read(handle, stop - start - len(data))
    ):
        data += more
    return data


def _write(handle: int, data: bytes) -> None:
    """Write a file; a file object would take half as long again."""
    at = os.write(handle, data)
    while at < len(data):
        at += os.write(handle, memoryview(data)[at:])


_REMEDY: Final = "replace it by what it points to"


class DirectorySink(Sink):
    """Writes a new directory."""

    from_other_processes = True

    def __init__(self, root: Path, make: bool = True) -> None:
        if make:
            root.mkdir()
        self.root = str(root)
        self._made = {""}

    def __reduce__(self) -> tuple[type[DirectorySink], tuple[Path, bool]]:
        return DirectorySink, (Path(self.root), False)

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
            with (
                _reached(self.root, folder) as (path, near),
                suppress(FileExistsError),
            ):
                os.mkdir(path, dir_fd=near)  # unless another thread was quicker
            self._made.add(folder)
        return f"{self.root}/{key}"

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, document in documents:
            self._path(key)
            with _reached(self.root, key) as (path, near):
                handle = os.open(path, _WRITE, 0o666, dir_fd=near)
            try:
                _write(handle, document)
            finally:
                os.close(handle)

    def keep(
        self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]
    ) -> None:
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
