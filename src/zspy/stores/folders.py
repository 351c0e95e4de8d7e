"""Folders that are open: what lies in them is reached without following a link.

On systems whose calls take no open folder, such as Windows, whole paths stand in for them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import struct
import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..documents.source import NODES
from ..values.errors import EncodeError
from ..values.nodes import joined
from .owned import ABOVE_ROOT, Level
from .permissions import give

HAS_DIR_FD: Final = os.open in os.supports_dir_fd
NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_OPEN: Final = 64  # folders below one another that are open at a time
BINARY: Final = getattr(os, "O_BINARY", 0)
READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | BINARY
FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)

# The number of the call, in Linux from 5.6 on, on all machines.
_OPENAT2: Final = 437
_NO_MAGIC_LINKS: Final = 0x02  # such as those of /proc
_NO_LINKS: Final = 0x04
_BELOW: Final = 0x08


@lru_cache
def _openat2(flags: int, links: int = _NO_LINKS) -> tuple[Any, bytes] | None:
    """Give the function for system calls of Linux, and how `openat2` opens, and by which links."""
    if sys.platform != "linux":
        return None
    how = struct.pack("3Q", flags | os.O_CLOEXEC, 0, _BELOW | links)
    return ctypes.CDLL(None, use_errno=True).syscall, how


def open_below(folder: int, key: str, flags: int) -> int:
    """Open what lies below an open folder, which its path reaches without a link.

    A link on the way or at its end raises OSError with ELOOP. One system call does it where
    there is such a call: to open folder after folder takes three times as long.
    """
    if (known := _openat2(flags)) is not None:
        call, how = known
        handle: int = call(_OPENAT2, folder, os.fsencode(key), how, len(how))
        if handle >= 0:
            return handle
        code = ctypes.get_errno()
        # There is no such call, or a signal came, after which `os.open` goes on.
        if code not in (errno.ENOSYS, errno.EPERM, errno.EINTR):
            raise OSError(code, os.strerror(code), key)
    return _open_by_steps(folder, key, flags)


def open_by_links(folder: int, key: str, flags: int) -> int | None:
    """Open what links that stay below an open folder lead to; None where only paths may tell it.

    Each path would be resolved by a call for each name in it, and from the root of the disk.
    """
    if (known := _openat2(flags, _NO_MAGIC_LINKS)) is None:
        return None
    call, how = known
    handle: int = call(_OPENAT2, folder, os.fsencode(key), how, len(how))
    return handle if handle >= 0 else None


def _open_by_steps(folder: int, key: str, flags: int) -> int:
    here = os.dup(folder)
    names = key.split("/")
    for name, how in zip(names, [*[FOLDER] * (len(names) - 1), flags], strict=True):
        try:
            inner = _open_step(name, how, here)
        finally:
            os.close(here)
        here = inner
    return here


def _open_step(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags | NO_LINK, dir_fd=folder)
    except NotADirectoryError:  # which a link is as well
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            raise
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None


def open_itself(path: str, flags: int) -> int:
    """Open a file for `open`, but none that a link leads to, which may have come since a look."""
    return os.open(path, flags | NO_LINK, 0o666)


class OpenHandle:
    """The number of a file or folder that is to be opened, and -1 while it is not.

    It is made before the block that closes it, which then closes it whenever Ctrl-C comes.
    """

    def __init__(self) -> None:
        self.number: int = -1

    def open(
        self, name: str, flags: int, mode: int = 0o777, folder: int | None = None
    ) -> None:
        """Open a file, as `os.open` does."""
        self.number = os.open(name, flags, mode, dir_fd=folder)

    def close(self) -> None:
        """Close it, if it is open."""
        number, self.number = self.number, -1
        if number != -1:
            os.close(number)


@contextmanager
def opened_folder(path: Path) -> Generator[int | None]:
    """Open a folder, so that nobody puts another one in its place; None where that cannot be.

    A link there is not followed.
    """
    if not HAS_DIR_FD:
        yield None
        return
    try:
        folder = os.open(path, FOLDER | NO_LINK)
    except OSError as error:
        problem = f"the folder cannot be opened ({error.strerror})"
        raise EncodeError(problem, str(path), "make it first") from error
    try:
        yield folder
    finally:
        os.close(folder)


Listing: TypeAlias = tuple[dict[str, bool], dict[str, bool]]
"""The folders in one, and whether each is a link; its files, and which are regular."""


def entries(folder: int | str) -> Listing:
    """List a folder."""
    folders: dict[str, bool] = {}
    files: dict[str, bool] = {}
    with os.scandir(folder) as found:
        for one in found:
            try:
                is_folder = one.is_dir()
            except OSError:  # a link that leads to itself, or where nobody may look
                is_folder = False
            if is_folder:
                folders[one.name] = one.is_symlink()
            else:
                files[one.name] = one.is_file(follow_symlinks=False)
    return folders, files


def remove_at(
    name: str,
    folder: int | None,
    stays: Path | None = None,
    written: Collection[str] = (),
) -> None:
    """Remove a file, or a folder with all that is in it. What cannot be removed stays.

    With `stays`, the new file that took the place of a directory, what belongs to no Zarr node
    of the old one moves there, but for keys that were written anew.
    """
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)
        return
    if folder is None:
        shutil.rmtree(name, ignore_errors=True)
        return
    with suppress(OSError):
        top = os.open(name, FOLDER | NO_LINK, dir_fd=folder)
        try:
            _empty(top, stays, written)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=folder)


def unowned_files(
    path: Path, skipped: Collection[str] = (), *, everywhere: bool = False
) -> list[str]:
    """List what belongs to no Zarr node in a folder, but for some folders.

    Links, and what lies among the chunks of an array, in a folder of theirs, are listed only where
    it is to look everywhere, which takes a time that grows with the number of chunks.
    """
    found: list[str] = []

    def read(key: str) -> bytes:
        return _read(f"{path}/{key}", None)

    todo = [("", ABOVE_ROOT)]
    while todo:
        here, above = todo.pop()
        with suppress(OSError):
            with os.scandir(f"{path}/{here}") as listing:
                inner = [*listing]
            folders = {
                one.name for one in inner if one.is_dir(follow_symlinks=False)
            }
            names = [
                f"{one.name}/" if one.name in folders else one.name for one in inner
            ]
            level = above.inside(here, names, read)
            for one in inner:
                is_known = level.owns(one.name) or one.is_symlink()
                if everywhere:
                    is_known = one.name not in folders and level.owns(one.name)
                if is_known:
                    continue
                key = joined(here, one.name)
                if one.name not in folders:
                    found.append(key)
                elif key not in skipped:
                    todo.append((key, level))
    return found


@contextmanager
def opened_below(folder: int, key: str) -> Generator[int]:
    """Open a folder below an open one for a block; OSError where a link leads to it."""
    handle = open_below(folder, key or ".", FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _empty(top: int, stays: Path | None, written: Collection[str]) -> None:
    """Remove what is in an open folder.

    A node keeps its document until all that is below it is gone, which is told by that. Each
    folder is opened in the one above it, which stays open meanwhile; one that is far down is
    opened by its path, so that not too many are open at a time.
    """
    far_down = [("", ABOVE_ROOT)]

    def empty(folder: int, path: str, above: Level, room: int) -> None:
        folders, files = entries(folder)
        names = [*files, *(f"{name}/" for name in folders)]
        level = above.inside(
            path, names, lambda key: _read(os.path.basename(key), folder)
        )
        is_left = False
        for name in (name for name in folders if not folders[name]):
            there = joined(path, name)
            try:
                if room:
                    inner = os.open(name, FOLDER | NO_LINK, dir_fd=folder)
                    try:
                        empty(inner, there, level, room - 1)
                    finally:
                        os.close(inner)
                os.rmdir(name, dir_fd=folder)
            except OSError:
                is_left = True
                if not room:
                    far_down.append((there, level))
        others = [*files, *(name for name in folders if folders[name])]
        with suppress(OSError):
            for name in sorted(others, key=NODES.__contains__):
                if is_left and name in NODES:
                    break
                if (
                    stays is None
                    or level.owns(name)
                    or joined(path, name) in written
                    or _moved(top, folder, joined(path, name), stays)
                ):
                    os.unlink(name, dir_fd=folder)

    for path, above in far_down:  # which grows meanwhile
        with suppress(OSError), opened_below(top, path) as folder:
            empty(folder, path, above, _OPEN)
    for path, above in [*reversed(far_down)]:  # what is below them is gone now
        with suppress(OSError), opened_below(top, path) as folder:
            empty(folder, path, above, _OPEN)


def _read(document: str, folder: int | None) -> bytes:
    """Read the document of a node, perhaps in an open folder."""
    handle = os.open(document, READ | NO_LINK, dir_fd=folder)
    try:
        # Nobody's document is larger. A file object would take twice as long.
        return os.read(handle, min(os.fstat(handle).st_size, 2**26))
    finally:
        os.close(handle)


def _moved(top: int, folder: int, path: str, stays: Path) -> bool:
    """Move to the new file what is of somebody else; tell whether it is there already."""
    name, there = os.path.basename(path), f"{stays}/{path}"
    if os.path.lexists(there):
        here = os.stat(name, dir_fd=folder, follow_symlinks=False)
        now = os.stat(there, follow_symlinks=False)
        # A link that stood for a folder of the file is replaced by that.
        is_replaced = stat.S_ISLNK(here.st_mode) and stat.S_ISDIR(now.st_mode)
        return is_replaced or os.path.samestat(now, here)
    _make_like(top, os.path.dirname(path), stays)
    os.rename(name, there, src_dir_fd=folder)
    return False


def _make_like(top: int, path: str, stays: Path) -> None:
    """Make a folder in the new file, and those above it, for those who may enter the old one."""
    new = f"{stays}/{path}"
    if not os.path.lexists(new):
        _make_like(top, os.path.dirname(path), stays)
        os.mkdir(new, 0o700)
        give(os.stat(path, dir_fd=top, follow_symlinks=False), new)
