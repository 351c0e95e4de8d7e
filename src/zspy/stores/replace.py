"""Whole-file replacement of a path: the old file is there until the new one is complete.

The new file is made beside the old one, under a name of zspy's own, and then they are exchanged.
Whoever does that holds the lock of the file.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..documents.source import NODES
from ..values.errors import EncodeError, unwritable
from .base import Sink
from .folders import NO_LINK, OpenHandle, opened_folder, remove_at
from .locking import name_beside
from .permissions import keep_permissions

_WAITS: Final = (0.01, 0.03, 0.1, 0.3, 1.0) if os.name == "nt" else ()
_NEW: Final = "zspy-new-"
# The new file before the exchange, and the old one after it.
_DONE: Final = "zspy-done-"
_OLD: Final = "zspy-old"
_IS_LEFTOVER: Final = re.compile(f"({_NEW}|{_DONE})[0-9a-f]{{12}}")
PART: Final = ".zspy-part-"
"""How the name of a document begins that is to be renamed when it is complete."""
_IS_PART: Final = re.compile(re.escape(PART) + "[0-9a-f]{16}")


@contextmanager
def replacing_path(
    path: Path,
    make: Callable[[Path], Sink],
    *,
    folder: bool,
    sync: bool,
    written: Collection[str] | None = None,
) -> Generator[Sink]:
    """Build a new file beside an old one, and exchange them at the end of the block.

    An exception leaves the old file as it is, and removes the new one. With keys that are
    `written`, what else belongs to no Zarr node of an old directory moves to the new one.
    """
    with new_beside(path, folder=folder) as new:
        sink = make(new)
        try:
            yield sink
        except BaseException:
            with suppress(Exception):  # the first error tells more
                sink.close()
            raise
        sink.close()
        if sync:
            flush(new, everything=True)
        try:
            old = swap(new, path)
        except PermissionError as error:
            raise unwritable(error, "it cannot be replaced", str(path)) from error
        if sync:
            flush(path.parent)
        if old is not None:
            with opened_folder(path.parent) as parent:
                stays = None if written is None else path
                remove_at(name_in(parent, old), parent, stays, written or ())


@contextmanager
def new_beside(path: Path, *, folder: bool) -> Generator[Path]:
    """Make an empty file or folder beside a path, which is removed in the end.

    It has the permissions of what lies at the path. What killed writers left behind is removed.
    """
    with opened_folder(path.parent) as parent:
        clear(path, parent)
        new, lock = _new_name(path), OpenHandle()
        try:
            while not _is_begun(new, path, folder, lock):
                new = _new_name(path)
            keep_permissions(path, new if lock.number == -1 else lock.number)
            yield new
        finally:
            if os.path.lexists(new):
                remove_at(name_in(parent, new), parent)
            lock.close()


def name_in(parent: int | None, path: Path) -> str:
    """Name a file in its open folder."""
    return str(path) if parent is None else path.name


def _new_name(path: Path, word: str = _NEW) -> Path:
    """Give a path beside another one, at which nothing lies."""
    return path.with_name(name_beside(path, word + secrets.token_hex(6)))


def _is_begun(new: Path, path: Path, folder: bool, lock: OpenHandle) -> bool:
    """Make something empty, and lock it, unless another writer took it for a leftover."""
    secret = os.path.lexists(path)  # until it has the permissions of what is there
    try:
        if folder:
            new.mkdir(0o700 if secret else 0o777)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            os.close(os.open(new, flags, 0o600 if secret else 0o666))
    except PermissionError as error:
        raise unwritable(
            error, "nothing can be made beside it", str(path)
        ) from error
    with suppress(FileNotFoundError):
        if _is_locked(lock, str(new), None) and new.exists():
            return True
    lock.close()
    return False


def _is_locked(file: OpenHandle, name: str, folder: int | None) -> bool:
    """Lock what a writer makes, where the system can; tell whether no other one has it."""
    try:
        import fcntl
    except ImportError:  # on Windows, which removes nothing that is open
        return True
    file.open(name, os.O_RDONLY | NO_LINK | os.O_NONBLOCK, folder=folder)
    try:
        fcntl.flock(file.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        file.close()
    return True


def clear(path: Path, parent: int | None) -> None:
    """Remove what killed writers left behind beside a path, unless somebody else owns it."""
    begin = name_beside(path, "")
    for name in os.listdir(path.parent if parent is None else parent):
        match = _IS_LEFTOVER.fullmatch(name, len(begin))
        if match and name.startswith(begin):
            stays = path if match[1] == _DONE and path.is_dir() else None
            with suppress(OSError):
                _clear_one(path.with_name(name), parent, stays)


def clear_parts(folder: Path) -> None:
    """Remove the parts of documents that killed writers left in the folder of a node.

    Those in the root of a file are of writers that had its lock. Those in a signal may be of
    regions, which need none: only what adds to that signal removes them.
    """
    with suppress(OSError, EncodeError), opened_folder(folder) as handle:
        names = os.listdir(folder if handle is None else handle)
        if NODES.isdisjoint(names):
            return
        for name in filter(_IS_PART.fullmatch, names):
            with suppress(OSError):
                _clear_one(folder / name, handle, None)


def _clear_one(leftover: Path, parent: int | None, stays: Path | None) -> None:
    name = name_in(parent, leftover)
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not _is_own(found):
        return
    if stat.S_ISLNK(found.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    lock = OpenHandle()
    try:
        if _is_locked(lock, name, parent) and lock.number != -1:
            remove_at(name, parent, stays)
    finally:
        lock.close()


def _is_own(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def swap(new: Path, path: Path) -> Path | None:
    """Put the new file in the place of the old one, and give where a folder is that was there.

    A file that takes the place of a file ends that one.
    """
    if not os.path.exists(path) or not (new.is_dir() or path.is_dir()):
        move(new, path)
        return None
    done = _new_name(path, _DONE)
    made = os.lstat(new)
    move(new, done)
    try:
        if not exchange(done, path):
            _exchange_by_steps(done, path)
    except BaseException:
        # Ctrl-C may come when they are exchanged, and what is of others in the old one stays.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(done), made):
                move(done, new)
        raise
    return done


def _exchange_by_steps(new: Path, path: Path) -> None:
    """Exchange two paths by three renamings (see `present` and `restore`)."""
    old = path.with_name(name_beside(path, _OLD))
    move(path, old)
    try:
        move(new, path)
    except OSError:
        move(old, path)
        raise
    move(old, new)


def present(path: Path) -> Path:
    """Give a path, or where its file is while two renamings exchange it (see `swap`)."""
    real = Path(os.path.realpath(path))
    if not real.name:
        return path  # the root of a disk
    old = real.with_name(name_beside(real, _OLD))
    is_moved = not os.path.lexists(real) and old.exists() and not old.is_symlink()
    return old if is_moved else path


def restore(path: Path) -> None:
    """End what a writer began that was killed between two renamings, under the lock of the file.

    Of what it was to rename into the root of a directory, nothing stays.
    """
    clear_parts(path)
    old = path.with_name(name_beside(path, _OLD))
    with suppress(OSError):
        found = os.lstat(old)
        if not _is_own(found) or stat.S_ISLNK(found.st_mode):
            return
        if not os.path.lexists(path):
            move(old, path)
        else:  # the new file took its place, and the next one that is made removes it
            move(old, _new_name(path, _DONE))


def move(source: Path | str, target: Path | str, folder: int | None = None) -> None:
    """Rename, again and again while Windows refuses it, since somebody reads there.

    Both may lie in an open folder.
    """
    here = {"src_dir_fd": folder, "dst_dir_fd": folder}
    for wait in _WAITS:
        with suppress(PermissionError):
            os.replace(source, target, **here)
            return
        time.sleep(wait)
    os.replace(source, target, **here)


def exchange(a: Path, b: Path) -> bool:
    """Exchange two paths in one step, where the system can."""
    here, first, second, swaps = -100, os.fsencode(a), os.fsencode(b), 2
    calls: dict[str, tuple[Any, ...]] = {
        "linux": ("renameat2", here, first, here, second, swaps),
        "darwin": ("renamex_np", first, second, swaps),
    }
    name, *arguments = calls.get(sys.platform, ("",))
    function = getattr(ctypes.CDLL(None), name, None) if name else None
    return function is not None and function(*arguments) == 0


def flush(path: Path, *, everything: bool = False) -> None:
    """Bring a file or a folder to the disk, or all of its file system in one sweep."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        if not everything or path.is_file():
            os.fsync(handle)
        elif (
            syncfs := getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        ) is None:
            os.sync()
        elif syncfs(handle):
            raise OSError(
                ctypes.get_errno(), "the disk cannot be written", str(path)
            )
    finally:
        os.close(handle)
