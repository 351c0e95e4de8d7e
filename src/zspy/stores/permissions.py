"""What a new file takes over from the one that it replaces: mode, owner, group, attributes."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_ACCESS: Final = "system.posix_acl_"
"""How the names of attributes begin that say who may read a file."""


def keep_permissions(old: Path, new: Path | int) -> None:
    """Give a new file mode, owner, group and extended attributes of an old one, if there is one.

    A process that may not give files away keeps what it may. Where the group is another one
    then, it is allowed no more than everybody. An open file is not taken for another one.
    """
    try:
        was = os.stat(old)
    except OSError:
        return
    is_folder = stat.S_ISDIR(os.stat(new).st_mode)
    if not is_folder:  # a folder may be open, and what is in it may not
        for folder, _, names in os.walk(old):
            for name in (".", *names):
                was = narrowed(was, os.lstat(f"{folder}/{name}").st_mode)
    is_alike = stat.S_ISDIR(was.st_mode) == is_folder
    if not is_alike and any(map(_is_access, attributes_of(old))):
        was = narrowed(was, stat.S_IRWXU)  # it says nothing of another kind of file
    give(was, new)
    copy_attributes(old, new, is_alike)


def narrowed(like: os.stat_result, allowed: int) -> os.stat_result:
    """Give what is allowed of a file to no more than who may read a file of another mode."""
    mode = like.st_mode
    for reads, all_of_them in (
        (stat.S_IRGRP, stat.S_IRWXG),
        (stat.S_IROTH, stat.S_IRWXO),
    ):
        if not allowed & reads:
            mode &= ~all_of_them
    return os.stat_result((mode, *like[1:]))


def give(was: os.stat_result, new: Path | str | int) -> None:
    """Give a new file, which may be open, mode, owner and group of an old one."""
    now = os.stat(new)
    has_group = _give_away(was, now, new)
    mode = stat.S_IMODE(was.st_mode)
    if not has_group:
        mode &= ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    was_folder, is_folder = stat.S_ISDIR(was.st_mode), stat.S_ISDIR(now.st_mode)
    if is_folder and not was_folder:
        mode |= (mode & 0o444) >> 2  # who may read a file may list a folder
    elif was_folder and not is_folder:
        mode &= 0o666  # nobody runs a file because its folder could be entered
    if stat.S_IMODE(now.st_mode) != mode:
        os.chmod(new, mode)


def _give_away(
    was: os.stat_result, now: os.stat_result, new: Path | str | int
) -> bool:
    """Give a file the owner and the group of another, and tell whether it has the group."""
    if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (
        was.st_uid,
        was.st_gid,
    ):
        for owner in (was.st_uid, -1):
            with suppress(OSError):
                os.chown(new, owner, was.st_gid)
                return True
    return now.st_gid == was.st_gid


def copy_attributes(
    old: Path | str, new: Path | str | int, is_alike: bool = True
) -> None:
    """Copy the extended attributes of a file.

    What the folder of the new file lets others read, and the old file did not, goes.
    """
    names = attributes_of(old)
    for name in filter(_is_access, attributes_of(new)):
        if name not in names or not is_alike:
            with suppress(OSError):
                os.removexattr(new, name)
    for name in names:
        if is_alike or not _is_access(name):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))


def attributes_of(path: Path | str | int) -> list[str]:
    """Name the extended attributes of a file."""
    if hasattr(os, "listxattr"):
        with suppress(OSError):  # it is not there, or its file system has none
            return os.listxattr(path)
    return []


def _is_access(name: str) -> bool:
    return name.startswith(_ACCESS)
