"""Whole-file replacement of a path: the old file is there until the new one is complete."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError
from .base import OLD, REPLACED, TREE, WHOLE, Kept, Sink, is_n5, moved, new_mark, spread
from .directory import Directory, DirectorySink, is_near

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

    def keep(
        self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]
    ) -> None:
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


def _folders(
    old: Directory, pairs: Iterable[tuple[str, str]]
) -> tuple[str, str] | None:
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
        raise OSError(
            f"{path} cannot be exchanged with {place / TREE}, which is the new file"
        )
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
        except (
            OSError
        ) as error:  # another writer was quicker, with a file of another kind
            if error.errno not in (
                errno.EISDIR,
                errno.ENOTDIR,
                errno.ENOTEMPTY,
                errno.EEXIST,
            ):
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


_T = TypeVar("_T")


@contextmanager
def replacing(path: Path, zipped: bool, sync: bool) -> Generator[Sink]:
    """Build a new file beside an old one, and swap them at the end of the block.

    An exception leaves the old file as it is, and removes the new one.
    """
    names: set[str] = set()
    with suppress(FileNotFoundError, NotADirectoryError):
        names = {*os.listdir(path)}
    if names and not {*NODES, "data.mdb"} & names and not is_n5(path):
        raise EncodeError(
            "the directory there is no Zarr group", str(path), "remove it first"
        )

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
    new, made, lock = _begun(path.with_name(new_mark(path)), make)
    try:
        yield new, made
    finally:
        remove(new)
        if lock is not None:
            os.close(lock)


def present(path: Path) -> Path:
    """Give a path; or, where a writer was killed between two renamings, that of the whole file."""
    with suppress(OSError):
        real = Path(os.path.realpath(path))
        if real.exists():
            place = moved(real, os.stat(real).st_ino)
            return place / TREE if os.path.exists(place / WHOLE) else path
        for name in os.listdir(real.parent):
            if name.startswith(new_mark(real)) and name.endswith(OLD):
                return real.with_name(name)
    return path


def clear(path: Path) -> None:
    """Remove what killed writers left behind beside a path."""
    mend(path)
    whole = present(path)
    for name in os.listdir(path.parent):
        if name.startswith(new_mark(path)) and path.with_name(name) not in (
            whole,
            whole.parent,
        ):
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
                        if not is_near(inner):
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
        elif (
            syncfs := getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        ) is None:
            os.sync()
        elif syncfs(handle):
            raise OSError(ctypes.get_errno(), "the disk cannot be written", str(path))
    finally:
        os.close(handle)
