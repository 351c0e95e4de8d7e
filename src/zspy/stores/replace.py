"""A leaf: an update of a directory that takes the largest array over by one renaming.

To link thousands of chunks, and to remove as many folders, takes seconds on a slow disk. Here the
new tree is made without that array, in a folder beside the old one; the renaming of the array from
there to here makes the new tree the whole one, for every reader and writer; then the trees are
exchanged. Only a process that is killed in between leaves the array where no other program looks.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from ..values.errors import FormatError
from .directory import (
    OLD,
    REPLACED,
    TREE,
    WHOLE,
    Directory,
    DirectorySink,
    Kept,
    Sink,
    clear,
    flush,
    locked,
    moved,
    remove,
    spread,
)

_WAITS: Final = (0.01, 0.03, 0.1, 0.3, 1.0) if os.name == "nt" else ()
_FEW: Final = 32  # files that are rather linked
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)


class Move(NamedTuple):
    """What is moved, from which folder of the old tree to which of the new one, and where."""

    place: Path
    old: str
    new: str
    lock: int


class _MovingSink(DirectorySink):
    """Leaves out of what is kept what will be moved."""

    def __init__(self, root: Path, kept: Kept, move: Move) -> None:
        super().__init__(root)
        self._path(move.new)  # makes the folders above
        here = [pair for pair in kept[1] if pair[0] != f"{move.old}/"]
        super().keep(kept[0], spread(kept[0], here))

    def keep(self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]) -> None:
        """Do nothing: that would list all."""


def to_move(path: Path, kept: Kept) -> Move | None:
    """Choose what to move, and begin a new tree; None where that is not worth it, or not sure."""
    old, pairs = kept
    if not isinstance(old, Directory) or (folders := _folders(old, pairs)) is None:
        return None
    clear(path)
    place = moved(path, old.identity)
    with suppress(OSError):  # another writer is at it
        place.mkdir()
        if (lock := locked(place)) is not None:
            for name in ("a", "b"):
                (place / name).mkdir()
            if exchange(place / "a", place / "b"):
                return Move(place, *folders, lock)
            os.close(lock)
        remove(place)
    return None


def _folders(old: Directory, pairs: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Choose a folder with many files. A link in it might point to what does not move."""
    for source, target in pairs:
        if source.endswith("/"):
            few = len([*islice(old.below(source[:-1]), _FEW)])
            if few == _FEW and not old.linked:
                return source[:-1], target[:-1]
    return None


@contextmanager
def moving(path: Path, kept: Kept, move: Move, sync: bool) -> Generator[Sink]:
    """Build a new tree without an array, which moves there in the end."""
    old = cast("Directory", kept[0])
    place, tree = move.place, move.place / TREE
    try:
        sink = _MovingSink(tree, kept, move)
        yield sink
        if sync:
            flush(place, everything=True)
        if _take(path, old.identity, move):
            whole = settle(path, old.identity)
        else:
            folder = [(f"{move.old}/", f"{move.new}/")]
            DirectorySink.keep(sink, old, spread(old, folder))
            if sync:
                flush(place, everything=True)
            whole = not old.replaced()
            if whole:
                swap(tree, path)
        if not whole:
            raise FormatError(REPLACED, str(path), "open it again")
        if sync:
            flush(path.parent)
    finally:
        try:
            with suppress(FileNotFoundError):
                settle(path, old.identity)  # where it was interrupted
            remove(place)
        finally:
            os.close(move.lock)


def _take(path: Path, identity: int, move: Move) -> bool:
    """Move the array out of the old tree; give False where the system moves no folders."""
    new, whole = move.place / TREE / move.new, move.place / WHOLE
    root = os.open(path, _FOLDER)
    try:
        if os.fstat(root).st_ino != identity:
            return True
        if new.exists():  # something was written there
            return False
        whole.symlink_to(f"{TREE}/{move.new}")
        os.rename(move.old, new, src_dir_fd=root)
    except FileNotFoundError:  # another writer has it
        return True
    except OSError:
        whole.unlink(missing_ok=True)
        return False
    finally:
        os.close(root)
    return True


def settle(path: Path, identity: int) -> bool:
    """Put an update that moved parts of a directory in its place, if it is whole."""
    place = moved(path, identity)
    if os.stat(path).st_ino != identity or not os.path.exists(place / WHOLE):
        return False
    if not exchange(place / TREE, path):
        raise OSError(f"{path} cannot be exchanged with {place / TREE}, which is the new file")
    return True


def mend(path: Path) -> None:
    """End the update of a killed writer; that of a living one is locked."""
    path = Path(os.path.realpath(path))
    with suppress(OSError):
        identity = os.stat(path).st_ino
        if (lock := locked(moved(path, identity))) is not None:
            try:
                settle(path, identity)
            finally:
                os.close(lock)


def swap(new: Path, path: Path) -> None:
    """Put the new file in the place of the old one, which then has the name of the new one."""
    if not path.exists() or not (new.is_dir() or path.is_dir()):
        try:
            _move(new, path)
            return
        except OSError as error:  # another writer was quicker, with a file of another kind
            if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise
    if not exchange(new, path):
        old = new.with_name(new.name + OLD)
        _move(path, old)
        try:
            _move(new, path)
        except OSError:
            _move(old, path)
            raise
        remove(old)


def _move(source: Path, target: Path) -> None:
    """Rename, again and again while Windows refuses it, since somebody reads there."""
    for wait in _WAITS:
        with suppress(PermissionError):
            os.replace(source, target)
            return
        time.sleep(wait)
    os.replace(source, target)


def exchange(a: Path, b: Path) -> bool:
    """Exchange two paths in one step, where the system can."""
    here, first, second, exchange = -100, os.fsencode(a), os.fsencode(b), 2
    calls: dict[str, tuple[Any, ...]] = {
        "linux": ("renameat2", here, first, here, second, exchange),
        "darwin": ("renamex_np", first, second, exchange),
    }
    name, *arguments = calls.get(sys.platform, ("",))
    function = getattr(ctypes.CDLL(None), name, None) if name else None
    return function is not None and function(*arguments) == 0
