"""One lock for a file: whoever writes takes it before the old file is read, until the swap.

The lock is a file beside the one that it stands for. A place in memory has one among threads only.
Readers take none.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from ..values.errors import EncodeError, unwritable
from .folders import NO_LINK, READ, OpenHandle, opened_folder

TIMEOUT: Final = 60.0
"""Seconds that a writer waits for another one."""
_LONGEST_NAME: Final = 200  # bytes of a file's name to which more may be added
_SHORTEST, _LONGEST = 0.001, 0.05  # seconds between two tries
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_FLAGS: Final = READ | NO_LINK
# Windows removes no file that anybody has open. That it removes a file when one who has it open
# closes it, as it does by request, would take the lock from the others.
_REMOVES_OPEN: Final = os.name != "nt"
# The locks of places in memory, by the numbers of these, as long as somebody holds or awaits them.
_IN_MEMORY: Final = WeakValueDictionary[tuple[int, str], threading.Lock]()
_FINDING: Final = threading.Lock()


class NoLockError(EncodeError):
    """Raised where a file system has no locks."""


def name_beside(path: Path, suffix: str) -> str:
    """Name a file of zspy's own that lies beside a path, by the whole name of that or a digest."""
    name = os.fsencode(path.name)
    if len(name) > _LONGEST_NAME:
        return f".{blake2b(name, digest_size=16).hexdigest()}.{suffix}"
    return f".{path.name}.{suffix}"


@contextmanager
def locked(path: str | Path, timeout: float | None = TIMEOUT) -> Generator[None]:
    """Hold the lock of a file, which need not exist, for a block.

    It works between processes and between threads, and is no lock that one thread takes twice.
    With None for a timeout there is no lock at all.

    Raises
    ------
    EncodeError
        If another one holds it for all that time, if the folder cannot be written, or if the
        file system has no locks.
    """
    if timeout is None:
        yield
        return
    real = Path(os.path.realpath(path))
    with opened_folder(real.parent) as folder, ExitStack() as stack:
        name = name_beside(real, "zspy-lock")
        if folder is None:  # where no system call takes one
            name = str(real.parent / name)
        # Each is done, whatever stops the one before, the last one first.
        if not _REMOVES_OPEN:
            stack.callback(_remove, name, folder)
        file = OpenHandle()
        stack.callback(file.close)
        _take(file, name, folder, real, time.monotonic() + timeout)
        # A forked process may have the open file too.
        stack.callback(_lock, file.number, release=True)
        # only who holds the lock removes its file, and whoever waits for it sees that
        stack.callback(_remove, name, folder)
        yield


@contextmanager
def locked_in_memory(
    place: object, path: str, name: str, timeout: float | None
) -> Generator[None]:
    """Hold the lock that the threads of this process have for a path in an object, for a block.

    With None for a timeout there is no lock at all.

    Raises
    ------
    EncodeError
        If another thread holds it for all that time.
    """
    if timeout is None:
        yield
        return
    with _FINDING:
        lock = _IN_MEMORY.setdefault((id(place), path), threading.Lock())
    if not lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
        raise _taken_by_another(name)
    try:
        yield
    finally:
        lock.release()


def _taken_by_another(name: str) -> EncodeError:
    problem = "another process or thread is writing this file"
    return EncodeError(problem, name, "try again, with a longer timeout")


def _remove(name: str, folder: int | None) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _take(
    file: OpenHandle, name: str, folder: int | None, path: Path, deadline: float
) -> None:
    """Open the file of the lock, and take it."""
    pause = _SHORTEST
    while True:
        _open_lock(file, name, folder, path)
        try:
            if try_lock(file.number, path) and _is_there(file.number, name, folder):
                return
        except NoLockError:  # nobody can hold this one
            _remove(name, folder)
            raise
        file.close()
        if time.monotonic() >= deadline:
            raise _taken_by_another(str(path))
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)


def _open_lock(file: OpenHandle, name: str, folder: int | None, path: Path) -> None:
    """Open the file of the lock, and make it where it is not there."""
    flags = os.O_RDWR | _FLAGS
    while file.number == -1:
        try:
            # a file of another user is not opened with O_CREAT where everybody may write
            try:
                file.open(name, flags, folder=folder)
            except PermissionError:
                file.open(name, _FLAGS, folder=folder)
            except FileNotFoundError:
                new = flags | os.O_CREAT | os.O_EXCL
                file.open(name, new, 0o666, folder)
        except FileExistsError:  # another one was quicker to make it
            continue
        except OSError as error:
            raise unwritable(
                error, "the file of its lock cannot be opened", str(path)
            ) from error
    if not stat.S_ISREG(os.fstat(file.number).st_mode):
        problem = f"{os.path.basename(name)} beside it is no regular file"
        raise EncodeError(problem, str(path), "remove that")


def try_lock(handle: int, path: Path) -> bool:
    """Take the lock unless another one has it."""
    try:
        _lock(handle)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        problem = "this file system has no locks"
        remedy = "use lock=False, and let nobody else write meanwhile"
        raise NoLockError(problem, str(path), remedy) from error
    return True


def _lock(handle: int, *, release: bool = False) -> None:
    try:
        import fcntl
    except ImportError:
        msvcrt: Any = import_module("msvcrt")  # which only Windows has
        msvcrt.locking(handle, msvcrt.LK_UNLCK if release else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(
            handle, fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB
        )


def _is_there(handle: int, name: str, folder: int | None) -> bool:
    """Tell whether the file of the lock was not removed before it was locked."""
    with suppress(FileNotFoundError):
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.path.samestat(there, os.fstat(handle))
    return False
