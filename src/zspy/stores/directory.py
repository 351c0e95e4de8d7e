"""Directories. Reading reads regular files only, and leaves the folder where it is allowed to."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import weakref
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from ..documents.source import DOCUMENTS, NODES, Listed, is_part
from ..values.errors import EncodeError, FormatError, unreadable, unwritable
from ..values.nodes import joined
from ..values.root import EXPERIMENTS
from ..values.types import Documents
from .base import (
    Chunks,
    InPlace,
    Moves,
    Opened,
    Pairs,
    Replacing,
    Sink,
    Watch,
    allocated_size,
    is_safe,
    limited,
    read_at,
    spread,
)
from .folders import (
    BINARY,
    FOLDER,
    HAS_DIR_FD,
    NO_LINK,
    READ,
    Listing,
    entries,
    open_below,
    open_by_links,
    opened_below,
    opened_folder,
    unowned_files,
)
from .owned import misplaced
from .permissions import attributes_of, copy_attributes, give, narrowed
from .replace import (
    PART,
    clear,
    clear_parts,
    flush,
    move,
    replacing_path,
)

# Bytes of a document that is read while its folder is listed, and of all of them: they are in
# memory until they are read.
_SMALL_DOCUMENT: Final = 2**12
_CACHED: Final = 2**24
_ABSENT: Final = b""  # known in the place of a document that is not there
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY
# Of a link that leaves the file: where links are not followed, and where they are.
_REMEDIES: Final = (
    'replace it by what it points to, or read it with links="follow"',
    "it leads to no regular file: get what it points to first",
)
_OF_FOLDERS: Final = (
    "put the folder itself there: links to folders are not followed"
)
_SHORT: Final = 60  # characters of a key, which every system takes
_ROOM: Final = 128  # bytes of a path that the key of a chunk, or a library, may add


_NEAR: Final = 32  # levels of folders that are opened by one path
_MOST_ABOVE: Final = 8  # folders that stay open for that
_AT_ROOT: Final = {*NODES, ".zattrs", ".zmetadata", EXPERIMENTS}
"""What lies in the folder of a file, also where something of it is lost."""


def recognise(path: Path) -> bool:
    """Tell a directory that is no database."""
    return path.is_dir() and not (path / "data.mdb").is_file()


def opened(path: Path) -> Opened:
    """Open a directory."""
    return Directory(path)


def replacing(path: Path, sync: bool, written: Collection[str] | None) -> Replacing:
    """Replace a path by a directory. What belongs to no Zarr node of an old one moves there."""
    is_group = path.is_dir() and not NODES.isdisjoint(os.listdir(path))
    return replacing_path(
        path,
        partial(DirectorySink, old=path if path.exists() else None),
        folder=True,
        sync=sync,
        written=written if is_group and HAS_DIR_FD else None,
    )


def in_place(path: Path, folder: str, durable: bool) -> InPlace:
    """Open a directory whose documents are replaced; parts lie in a folder of it meanwhile."""
    return DirectoryInPlace(path, folder, durable)


class _Root:
    """An open folder, which is closed when nobody reads from it any more."""

    def __init__(self, path: str, flags: int = FOLDER) -> None:
        self.handle = -1
        if HAS_DIR_FD:
            self.handle = os.open(path, flags)
            weakref.finalize(self, os.close, self.handle)
        found = os.stat(self.handle if HAS_DIR_FD else path)
        self.identity = (found.st_dev, found.st_ino)
        self.time = found.st_mtime_ns  # of the last change of what lies right in it


class _Above:
    """Folders that stay open while what lies far below them is listed.

    To open each by its whole path takes a time that grows with its level.
    """

    def __init__(self, open_whole: Callable[[str, int], int]) -> None:
        self._open = open_whole
        self._handles: dict[str, int] = {}

    def opened(self, near: str, folder: str, flags: int) -> int:
        """Open a folder by the rest of its path; a link, or one that moved, by the whole of it."""
        with suppress(OSError):
            if near not in self._handles:
                if len(self._handles) >= _MOST_ABOVE:
                    os.close(self._handles.pop(next(iter(self._handles))))
                self._handles[near] = self._open(near, FOLDER)
            return open_below(self._handles[near], folder[len(near) + 1 :], flags)
        return self._open(folder, flags)

    def close(self) -> None:
        """Close the folders."""
        while self._handles:
            os.close(self._handles.popitem()[1])


class Directory(Opened):
    """The documents below a directory. It never leaves its root, and reads regular files only."""

    def __init__(
        self,
        root: str | Path,
        identity: tuple[int, int] | None = None,
        follows: bool = False,
    ) -> None:
        self.root: str = os.path.abspath(root)
        self.follows = follows
        # Small documents that were read when their folder was listed, or `_ABSENT`.
        self._known: dict[str, bytes] = {}
        try:
            # while a folder is open, no other one gets its number
            self._roots = [_Root(self.root)]
        except OSError as error:
            raise unreadable(error, "it cannot be opened", self.root) from error
        self.identity: tuple[int, int] = identity or self._roots[0].identity
        self._time = self._roots[0].time

    def __reduce__(self) -> tuple[type[Directory], tuple[Any, ...]]:
        return Directory, (self.root, self.identity, self.follows)

    def is_replaced(self) -> bool:
        with suppress(OSError):
            return _Root(self.root).identity != self.identity
        return True

    def is_changed(self) -> bool:
        """Tell whether it was replaced, or parts of it, which pass through its root meanwhile."""
        with suppress(OSError):
            there = _Root(self.root)
            return (there.identity, there.time) != (self.identity, self._time)
        return True

    def watch(self, key: str, chunks: Iterable[str]) -> Callable[[], None]:
        return Watch(self, self.identify, key, chunks, unique=True)

    def identify(self, key: str) -> tuple[int, int, int] | None:
        """Tell a document from any other that takes its place; None if there is none."""
        with suppress(OSError):
            found = os.stat(f"{self.root}/{key}")
            return found.st_dev, found.st_ino, found.st_mtime_ns
        return None

    def close(self) -> None:
        self._roots = []

    def nodes(self, depth: int | None = None) -> Collection[str]:
        found: dict[str, None] = {}
        room = _CACHED
        for prefix, handle, folders, files in self.walk(""):
            here = [name for name in files if name in NODES]
            for name in here:
                found[prefix + name] = None
            if ".zattrs" not in files:
                self._known[f"{prefix}.zattrs"] = _ABSENT
            for name in filter(files.get, (*here, ".zattrs")):
                if handle is None or room <= 0:
                    break
                if document := _small_document(handle, name):
                    self._known[prefix + name] = document
                    room -= len(document)
            holds_chunks = ".zarray" in here
            if not here:
                is_in_array = f"{prefix.removesuffix('c/')}zarr.json" in found
                # There is no such chunk, but an array of that name in a group.
                is_in_array = is_in_array and "c" not in {*folders, *files}
                holds_chunks = is_in_array and f"/{prefix}".endswith("/c/")
                lost = (
                    []
                    if is_in_array
                    else _lost_document(files, "zarr.json" in found)
                )
                found |= {prefix + name: None for name in lost}
            # An ordinary folder, which may be a large one.
            is_other = not prefix and {*files, *folders}.isdisjoint(_AT_ROOT)
            if holds_chunks or is_other or prefix.count("/") == depth:
                folders.clear()
        return [*found]

    def below(self, folder: str) -> Iterator[str]:
        return (
            prefix + name
            for prefix, _, _, files in self.walk(folder)
            for name in files
        )

    def __iter__(self) -> Iterator[str]:
        return self.below("")

    def walk(
        self, folder: str
    ) -> Iterator[tuple[str, int | None, dict[str, bool], dict[str, bool]]]:
        """Yield the prefix of each folder, the open folder, its folders and its files.

        Folders that are cleared are not entered. Of a folder: whether it is a link; of a file:
        whether it is a regular one. What is behind a link is not given as an open folder.
        """
        above = _Above(self._open)
        # Of each folder also a folder above it, which is near, and its level.
        todo = [(folder, False, "", 0)]
        try:
            while todo:
                here, linked, near, level = todo.pop()
                prefix = joined(here, "")
                is_far = near and not linked
                opened = partial(above.opened, near) if is_far else self._open
                handle, (folders, files) = self._listed(here, opened)
                try:
                    for name in filter(folders.get, folders):
                        if linked:  # there may be no end to it
                            remedy = "replace it by what it points to"
                            raise FormatError(
                                "a link behind a link", prefix + name, remedy
                            )
                        self._refuse_leaving(prefix + name)
                    yield prefix, None if linked else handle, folders, files
                finally:
                    if handle is not None:
                        os.close(handle)
                level += 1
                near = here if level % _NEAR == 0 else near
                todo += [
                    (prefix + name, linked or folders[name], near, level)
                    for name in folders
                ]
        finally:
            above.close()

    def _listed(
        self, folder: str, opened: Callable[[str, int], int]
    ) -> tuple[int | None, Listing]:
        """Open a folder and list it."""
        handle = None
        try:
            if not HAS_DIR_FD:
                return None, entries(f"{self.root}/{self._target(folder)}")
            handle = opened(folder or ".", FOLDER)
            return handle, entries(handle)
        except (KeyError, FileNotFoundError):
            return None, ({}, {})
        except OSError as error:
            if handle is not None:
                os.close(handle)
            raise FormatError(
                f"it cannot be listed ({error.strerror})", folder or self.root
            ) from error

    def _open(self, key: str, flags: int) -> int:
        """Open a document or a folder; a link may lead to another place in the root.

        When a new file has taken the place of this one, what was kept of it is read there.
        """
        while True:
            # It is held while its number is used: another thread may close it.
            root = self._root()
            handle = root.handle
            try:
                if HAS_DIR_FD:
                    return open_below(handle, key, flags)
                return os.open(os.path.join(self.root, self._target(key)), flags)
            except OSError as error:
                match error.errno:
                    case errno.ELOOP:
                        inner = open_by_links(handle, key, flags)
                        if inner is not None:
                            return inner
                        target = self._target(key)
                        if os.path.isabs(target):
                            return os.open(target, flags | NO_LINK)
                        return open_below(handle, target, flags)
                    case errno.ENOENT | errno.ENOTDIR | errno.ENAMETOOLONG:
                        if not self._follow_replacement(handle):
                            raise KeyError(key) from None
                    case _:
                        raise
            finally:
                del root  # who keeps an error does not keep it open

    def _follow_replacement(self, handle: int) -> bool:
        """Open the folder that lies at the path now, and tell whether it is another one."""
        with suppress(OSError):
            there = _Root(self.root)
            if there.identity != self._roots[-1].identity:
                # other threads may read from the one before
                self._roots = [self._roots[0], *self._roots[1:][-1:], there]
        return self.root_folder() != handle

    def _refuse_leaving(self, key: str) -> None:
        """Refuse a link to a folder that leaves the root."""
        handle = open_by_links(self.root_folder(), key, FOLDER)
        if handle is None:
            self._target(key)
        else:
            os.close(handle)

    def _target(self, key: str) -> str:
        """Give the key of what a link points to.

        One that leaves the root is refused, or followed to a regular file, of which the whole
        path is given. A link to a folder never leaves the root.
        """
        root = os.path.join(os.path.realpath(self.root), "")
        with suppress(FileNotFoundError):
            os.stat(
                f"{self.root}/{key}"
            )  # raises for a chain of links, which Python would climb
        target = os.path.realpath(f"{self.root}/{key}")
        if not os.path.join(target, "").startswith(root):
            if self.follows and os.path.isfile(target):
                self._target(os.path.dirname(key))
                return target
            while not os.path.islink(f"{self.root}/{key}"):
                key = key.rpartition("/")[0]
            is_folder = os.path.isdir(f"{self.root}/{key}")
            remedy = _OF_FOLDERS if is_folder else _REMEDIES[self.follows]
            raise FormatError("a link that leaves the file", key, remedy)
        return target[len(root) :] or "."

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        known = self._known.pop(key, None)
        if known == _ABSENT:
            raise KeyError(key)
        if known is not None:
            return known[part]
        if not is_safe(key):
            raise FormatError("a key that leaves the file", key)
        try:
            handle = self._open(key, READ)
            try:
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode):
                    if stat.S_ISDIR(found.st_mode):
                        raise KeyError(key)
                    raise FormatError("no regular file", key, "remove it")
                start, stop, _ = part.indices(limited(found.st_size, key))
                return read_at(handle, stop - start, start)
            finally:
                os.close(handle)
        except FormatError:
            raise
        except OSError as error:
            raise unreadable(error, "it cannot be read", key) from error

    def size(self, keys: Iterable[str]) -> int:
        total = 0
        for key in keys:
            with suppress(OSError, KeyError):
                found = os.stat(f"{self.root}/{key}", follow_symlinks=self.follows)
                size = found.st_size
                if getattr(found, "st_blocks", size) * 512 < size:
                    size = self._allocated_size(key, size)
                total += size
        return total

    def _allocated_size(self, key: str, size: int) -> int:
        handle = self._open(key, READ)
        try:
            return allocated_size(handle, 0, size)
        finally:
            os.close(handle)

    def root_folder(self) -> int:
        """Give the open folder of the file."""
        return self._root().handle

    def _root(self) -> _Root:
        """Give the root, which is opened again after `close`."""
        roots = self._roots
        if not roots:
            roots = self._roots = [_Root(self.root)]
        return roots[-1]


_TAKES_OPEN: Final = os.chmod in os.supports_fd
"""Whether an open file takes permissions, of which the path need not be followed again."""


def _lost_document(files: Iterable[str], is_format_3: bool) -> list[str]:
    """Name a file that only nodes have, in a folder that has no document of one.

    Folders that are empty tell nothing: stores that remove keys only leave them.
    """
    parts = [*filter(is_part, files)]
    return [] if parts == ["c"] and not is_format_3 else parts[:1]


def _small_document(folder: int, name: str) -> bytes:
    """Read a document in an open folder; nothing of one that is larger, or cannot be read."""
    try:
        handle = os.open(name, READ | NO_LINK, dir_fd=folder)
    except OSError:
        return b""
    try:
        document = os.read(handle, _SMALL_DOCUMENT)
    finally:
        os.close(handle)
    return document if len(document) < _SMALL_DOCUMENT else b""


def _folders(pair: tuple[str, str]) -> tuple[str, str]:
    return os.path.dirname(pair[0]), os.path.dirname(pair[1])


class DirectorySink(Sink):
    """Writes to a new directory, which is empty; copies of it in other processes may `put` too.

    It is held open: who may write in the folder around it could put a link into its place.
    """

    _durable = False  # whether each document is on the disk before the next

    def __init__(self, root: Path, old: Path | None = None) -> None:
        self.root: str = str(root)
        self._open_root = _Root(self.root, FOLDER | NO_LINK)
        self._at = self._open_root.handle if HAS_DIR_FD else None
        self._old = old
        self._names: dict[str, str] = {}  # of folders in the old file
        # what a folder is like, what is new in it, and who may read the node that it belongs to
        self._made = {"": os.stat(root)}
        self._new: dict[str, os.stat_result] = {}
        self._modes: dict[str, int] = {}
        self._attributed: set[str] = set()  # folders with extended attributes
        # What is of others in the old file, by each folder that it is in; None: not known yet.
        self._others: dict[str, str] | None = None
        longest = 2**15  # bytes of a path on Windows
        if hasattr(os, "pathconf"):
            longest = os.pathconf(root, "PC_PATH_MAX")
        self._longest = longest - len(os.fsencode(root)) - _ROOM

    def __reduce__(self) -> tuple[type[DirectorySink], tuple[Any, ...]]:
        return DirectorySink, (Path(self.root), self._old)

    def _made_path(self, key: str) -> str:
        """Make the folders of a key, and give its path in the open folder."""
        folder, _, name = key.rpartition("/")
        is_made = folder in self._made
        if not is_safe(name if is_made else key):
            raise EncodeError("a key that leaves the file", key)
        if not is_made:
            self._make(folder)
        return self._in(key)

    def _in(self, key: str) -> str:
        """Name a file in the open folder; by its whole path where system calls take none."""
        return f"{self.root}/{key}" if self._at is None else key

    def _make(self, folder: str) -> None:
        """Make a folder, and those above it: like those of the old file, or the one above."""
        missing: list[str] = []
        while folder not in self._made:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for folder in reversed(missing):
            self._made[folder] = self._make_one(folder)

    def _was(self, folder: str) -> str:
        """Give the folder of the old file that a folder is made like."""
        if folder not in self._names:
            above, _, name = folder.rpartition("/")
            self._names[folder] = joined(self._was(above), name) if folder else ""
        return self._names[folder]

    def _make_one(self, folder: str) -> os.stat_result:
        """Make a folder below one that is there, and tell what it is like."""
        path = self._in(folder)
        above = folder.rpartition("/")[0]
        old, like = "", self._made[above]
        if self._old is not None:
            old = f"{self._old}/{self._was(folder)}"
            like = self._like(old, stat.S_IFDIR, above)
        is_new = True
        try:
            os.mkdir(path, like.st_mode & 0o7777, dir_fd=self._at)
        except FileExistsError:  # another thread was quicker, or it is an old one
            is_new = False
            found = os.stat(path, dir_fd=self._at, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                problem = "a folder that is a link"
                raise EncodeError(problem, folder, "replace it") from None
        if self._old is not None:
            with self._opened(folder) as new:
                if is_new:
                    give(like, new)
                if self._copies_attributes(old, new, folder):
                    self._attributed.add(folder)
        return like

    @contextmanager
    def _opened(self, folder: str) -> Generator[int | str]:
        """Open a folder, for what is given to it; its path where that cannot be."""
        if self._at is None:
            yield self._in(folder)
            return
        with opened_below(self._at, folder) as handle:
            yield handle

    def _copies_attributes(self, old: str, new: int | str, key: str) -> bool:
        """Copy extended attributes where there are any, and tell whether there are."""
        is_found = bool(
            attributes_of(old) or key.rpartition("/")[0] in self._attributed
        )
        if is_found:  # what is new may have those of its folder
            copy_attributes(old, new)
        return is_found

    def _like(self, old: str, kind: int, folder: str) -> os.stat_result:
        """Tell what a file or folder of the old file is like, or else what is new in a folder."""
        with suppress(OSError):
            found = os.lstat(old)
            if stat.S_IFMT(found.st_mode) == kind:
                return found
            if stat.S_ISDIR(found.st_mode):
                self._refuse_others(old)
        return self._like_new(folder)

    def _refuse_others(self, old: str) -> None:
        """Refuse a file in the place of a folder of the old one in which others have put something.

        It is a chunk where the array before had folders of chunks. What is of others would have no
        place when it moves to the new file, in which all else of the old one is gone.
        """
        if self._others is None:
            others: dict[str, str] = {}
            for key in unowned_files(Path(str(self._old)), everywhere=True):
                above = key.rpartition("/")[0]
                while above and above not in others:
                    others[above] = key
                    above = above.rpartition("/")[0]
            self._others = others  # when it is complete: other threads write too
        theirs = self._others.get(old[len(str(self._old)) + 1 :])
        if theirs is not None:
            raise misplaced(theirs)

    def _like_new(self, folder: str) -> os.stat_result:
        """Tell what is new in a folder is like: for those who may read what it belongs to."""
        if folder not in self._new:
            allowed = self._allowed(folder)
            self._new[folder] = narrowed(self._made[folder], allowed)
        return self._new[folder]

    def _allowed(self, folder: str) -> int:
        """Tell what is allowed of the documents of the old node of a folder, and of those above."""
        if folder not in self._modes:
            mode = self._allowed(folder.rpartition("/")[0]) if folder else 0o777
            old = f"{self._old}/{self._was(folder)}"
            for name in NODES:
                with suppress(OSError):
                    mode &= os.lstat(joined(old, name)).st_mode
            self._modes[folder] = mode
        return self._modes[folder]

    def _write(self, key: str, path: str, *pieces: bytes) -> None:
        """Write a document with the permissions that it had, or else with those of its node."""
        folder, _, name = key.rpartition("/")
        old, like = "", self._made[folder]
        if self._old is not None:
            old = f"{self._old}/{joined(self._was(folder), name)}"
            like = self._like(old, stat.S_IFREG, folder)
        handle = _opened_anew(path, like.st_mode & 0o666, self._at)
        try:
            for piece in pieces:
                at = os.write(handle, piece)
                while at < len(piece):
                    at += os.write(handle, memoryview(piece)[at:])
            if self._old is not None:
                new = handle if _TAKES_OPEN else path
                give(like, new)
                self._copies_attributes(old, new, key)
            if self._durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def put(self, documents: Pairs) -> None:
        if isinstance(documents, Collection):  # before the first is written
            for key, _ in documents:
                self._check_length(key)
            if self._old is not None and HAS_DIR_FD and self._old.is_dir():
                documents = self._changed(self._old, documents)
        for key, document in documents:
            self._write(key, self._made_path(key), document)

    def put_chunks(self, chunks: Chunks) -> None:
        for key, pieces in chunks:
            self._write(key, self._made_path(key), *pieces)

    def _changed(self, old: Path, documents: Pairs) -> Pairs:
        """Link the documents of nodes that are as they were, and give all others."""
        root = _Root(str(old))
        for folder, group in groupby(
            documents, lambda one: one[0].rpartition("/")[0]
        ):
            pairs = [*group]
            node = {os.path.basename(key): document for key, document in pairs}
            if not self._is_node_linked(root.handle, folder, node):
                yield from pairs

    def _is_node_linked(self, root: int, folder: str, node: Documents) -> bool:
        """Link the documents of a node if none has changed, and tell whether that was possible.

        An array is linked with its chunks or not at all: who reads it knows it by its document.
        """
        names = [*node]
        is_array = b'"shape"' in node[names[0]]
        if names[0] not in NODES or (is_array and names[-1] in DOCUMENTS):
            return False
        there = self._was(folder)
        with suppress(OSError), opened_below(root, there) as handle:
            if is_array and {*os.listdir(handle)} != {*names}:
                return False
            if any(_small_document(handle, name) != node[name] for name in names):
                return False
            old = {joined(there, name): node[name] for name in names}
            self._keep(old, handle, there, folder, zip(names, names, strict=True))
            return True
        return False

    def _check_length(self, key: str) -> None:
        """Refuse a path, or a name in it, that is longer than the system takes."""
        if len(key) < _SHORT:
            return
        encoded = os.fsencode(key)
        longest = max(map(len, encoded.split(b"/")))
        if longest > 255 or len(encoded) >= self._longest:
            raise EncodeError(
                "its path is longer than the system takes",
                f"{key[:_SHORT]}...",
                'use shorter keys, or store_type="zip"',
            )

    def keep(self, source: Listed, pairs: Moves) -> None:
        """Link what is kept, where the file system has links, and copy it elsewhere."""
        if not isinstance(source, Directory) or not HAS_DIR_FD:
            for _, new in spread(source, pairs):
                self._check_length(new)
            super().keep(source, pairs)
            return
        for (old, new), group in groupby(pairs, _folders):
            here, there = new, old
            # Those above a folder that is known are known.
            while here and there and self._names.get(here) != there:
                self._names[here] = there
                here, there = os.path.dirname(here), os.path.dirname(there)
            names = [(os.path.basename(a), os.path.basename(b)) for a, b in group]
            if names[0] == ("", ""):  # the whole folder
                for prefix, handle, _, files in source.walk(old):
                    here = new + prefix[len(old) : -1]
                    names = [(name, name) for name in files]
                    self._keep(source, handle, prefix[:-1], here, names)
                continue
            with ExitStack() as stack:
                handle = None
                with suppress(OSError):  # a link, of which the target is read
                    below = opened_below(source.root_folder(), old)
                    handle = stack.enter_context(below)
                self._keep(source, handle, old, new, names)

    def _keep(
        self,
        source: Documents,
        folder: int | None,
        old_folder: str,
        new_folder: str,
        names: Moves,
    ) -> None:
        """Link files of an open folder, and copy what cannot be linked."""
        for old, new in names:
            key = joined(new_folder, new)
            path = self._made_path(key)
            # Of some files, the owner may refuse it.
            if folder is None or not _is_linked(folder, old, path, self._at):
                there = joined(old_folder, old)
                try:
                    self._write(key, path, source[there])
                except KeyError:
                    raise FormatError("a document has vanished", there) from None


class DirectoryInPlace(DirectorySink, InPlace):
    """Replaces documents of a directory: each is written beside, and then renamed."""

    def __init__(self, root: Path, folder: str, durable: bool = False) -> None:
        super().__init__(root, root)
        self._folder = folder  # for what is not complete, below the root
        self._durable = durable

    def __reduce__(self) -> tuple[type[DirectoryInPlace], tuple[Any, ...]]:
        return DirectoryInPlace, (Path(self.root), self._folder, self._durable)

    def put(self, documents: Pairs) -> None:
        self.put_chunks((key, [document]) for key, document in documents)

    def put_chunks(self, chunks: Chunks) -> None:
        for key, pieces in chunks:
            try:
                self._replace(key, pieces)
            except FileNotFoundError:  # who began to append took it for a leftover
                self._replace(key, pieces)

    def _replace(self, key: str, pieces: Sequence[bytes]) -> None:
        path = self._made_path(key)
        part = self._made_path(joined(self._folder, PART + secrets.token_hex(8)))
        try:
            self._write(key, part, *pieces)
            move(part, path, self._at)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(part, dir_fd=self._at)
            if isinstance(error, PermissionError) or (
                isinstance(error, OSError) and error.errno == errno.EROFS
            ):
                raise unwritable(error, "it cannot be replaced", key) from error
            raise

    def get(self, key: str) -> bytes | None:
        if not is_safe(key):
            raise EncodeError("a key that leaves the file", key)
        path = Path(self.root, key)
        if path.is_symlink() or not path.is_file():
            return None
        return path.read_bytes()

    def sync(self) -> None:
        flush(Path(self.root), everything=True)

    def remove_leftovers(self) -> None:
        root = Path(self.root)
        with opened_folder(root.parent) as parent:
            clear(root, parent)
        clear_parts(root / self._folder)


def _opened_anew(path: str, mode: int, folder: int | None) -> int:
    """Open a new file; a file object would take half as long again."""
    try:
        return os.open(path, _WRITE, mode, dir_fd=folder)
    except FileExistsError:
        # It may be linked to the old one, and is not written to.
        os.unlink(path, dir_fd=folder)
        return os.open(path, _WRITE, mode, dir_fd=folder)


def _is_linked(folder: int, name: str, new: str, there: int | None) -> bool:
    """Link a regular file, and tell whether that was possible."""
    with suppress(OSError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):
            os.link(
                name,
                new,
                src_dir_fd=folder,
                dst_dir_fd=there,
                follow_symlinks=False,
            )
            return True
    return False
