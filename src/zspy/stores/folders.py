"""Folders that are open: what lies in them is reached without following a link.

On systems whose calls take no open folder, such as Windows, whole paths stand in for them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..documents.source import NODES
from ..values.errors import EncodeError

HAS_DIR_FD: Final = os.open in os.supports_dir_fd
NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_DEEPEST: Final = 64  # folders below one another that are open at a time
FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)

_DOCUMENTS: Final = NODES | {".zattrs", ".zmetadata"}
_CHUNK: Final = re.compile(r"(c\.)?\d+(\.\d+)*\Z|c\Z")
_OPENAT2: Final = (
    437  # the number of the call, in Linux from 5.6 on, on all machines
)
_BENEATH_AND_NO_LINKS: Final = 0x08 | 0x04
_NO_SUCH_CALL: Final = (errno.ENOSYS, errno.EPERM)


class _How(ctypes.Structure):
    """How `openat2` opens a file (its manual page)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


@lru_cache
def _how(flags: int) -> Any:
    return ctypes.byref(_How(flags | os.O_CLOEXEC, 0, _BENEATH_AND_NO_LINKS))


@lru_cache
def _system_call() -> Any:
    """Give the function that makes a system call by its number, on Linux."""
    return (
        ctypes.CDLL(None, use_errno=True).syscall
        if sys.platform == "linux"
        else None
    )


def open_below(folder: int, key: str, flags: int) -> int:
    """Open what lies below an open folder, which its path reaches without a link.

    A link on the way or at its end raises OSError with ELOOP. One system call does it where
    there is such a call: to open folder after folder takes three times as long.
    """
    if (call := _system_call()) is not None:
        handle: int = call(_OPENAT2, folder, os.fsencode(key), _how(flags), 24)
        if handle >= 0:
            return handle
        code = ctypes.get_errno()
        if code not in _NO_SUCH_CALL:
            raise OSError(code, os.strerror(code), key)
    return _open_by_steps(folder, key, flags)


def _open_by_steps(folder: int, key: str, flags: int) -> int:
    *above, name = key.split("/")
    here = folder
    try:
        for part in above:
            inner = _open_step(part, FOLDER, here)
            if here != folder:
                os.close(here)
            here = inner
        return _open_step(name, flags, here)
    finally:
        if here != folder:
            os.close(here)


def _open_step(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags | NO_LINK, dir_fd=folder)
    except NotADirectoryError:  # which a link is as well
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            raise
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None


@contextmanager
def opened_folder(path: Path) -> Generator[int | None]:
    """Open a folder, so that nobody puts another one in its place; None where that cannot be."""
    if not HAS_DIR_FD:
        yield None
        return
    try:
        folder = os.open(path, FOLDER)
    except OSError as error:
        problem = f"the folder cannot be opened ({error.strerror})"
        raise EncodeError(problem, str(path), "make it first") from error
    try:
        yield folder
    finally:
        os.close(folder)


def remove_at(name: str, folder: int | None, stays: Path | None = None) -> None:
    """Remove a file, or a folder with all that is in it. What cannot be removed stays.

    With `stays`, the new file that took the place of a directory, what belongs to no Zarr node
    of the old one moves there.
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
            while _Emptied(top, stays).empty(
                top, "", 0, is_below_node=True, in_array=False
            ):
                pass
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=folder)


class _Emptied(NamedTuple):
    """A folder that is being emptied."""

    top: int
    stays: Path | None

    def empty(
        self,
        folder: int,
        path: str,
        depth: int,
        *,
        is_below_node: bool,
        in_array: bool,
    ) -> bool:
        """Remove what is in an open folder; tell whether some of it was moved to the top instead.

        Folders far down move there, since each one above them is open meanwhile.
        """
        moved = False
        with os.scandir(folder) as entries:
            found = {one.name: one.is_dir(follow_symlinks=False) for one in entries}
        is_node = is_below_node and not NODES.isdisjoint(found)
        is_array = in_array or (
            is_node and (".zarray" in found or "zarr.json" in found)
        )
        # a node keeps its document to the last: what is below it is told by that
        something_stays = False
        for name in sorted(found, key=NODES.__contains__):
            if something_stays and name in NODES:
                continue
            is_folder = found[name]
            try:
                if not is_folder:
                    is_own = (is_node and name in _DOCUMENTS) or (
                        is_array and _CHUNK.match(name)
                    )
                    if (
                        self.stays is None
                        or is_own
                        or self._moved(folder, path + name)
                    ):
                        os.unlink(name, dir_fd=folder)
                elif depth == _DEEPEST and self.stays is None:
                    there = f"zspy-{secrets.token_hex(8)}"
                    os.rename(name, there, src_dir_fd=folder, dst_dir_fd=self.top)
                    moved = True
                else:
                    inner = os.open(name, FOLDER | NO_LINK, dir_fd=folder)
                    try:
                        moved |= self.empty(
                            inner,
                            f"{path}{name}/",
                            depth + 1,
                            is_below_node=is_node,
                            in_array=is_array,
                        )
                    finally:
                        os.close(inner)
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                something_stays = True
        return moved

    def _moved(self, folder: int, path: str) -> bool:
        """Move to the new file what is of somebody else; tell whether it is there already."""
        there = f"{self.stays}/{path}"
        if os.path.lexists(there):
            return os.path.samestat(
                os.stat(there, follow_symlinks=False),
                os.stat(
                    os.path.basename(path), dir_fd=folder, follow_symlinks=False
                ),
            )
        os.makedirs(os.path.dirname(there), exist_ok=True)
        os.rename(os.path.basename(path), there, src_dir_fd=folder)
        return False
