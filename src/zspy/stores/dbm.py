"""The dbm databases of the standard library, as zarr-python 2 wrote them."""

from __future__ import annotations

import dbm
import importlib
import os
import stat
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from ..values.errors import FormatError, check_choices
from .base import ROOT_DOCUMENTS, Opened, Replacing
from .database import (
    Database,
    DatabaseStore,
    RawItems,
    WholeValues,
    alone,
    check_whole_number,
    database_path,
    databases,
    files_of,
    identity_of,
    library_of,
    move_files,
    open_kind,
    raw_key,
    refuse_links,
    refuse_other_content,
    replacing_content,
    text_key,
)
from .dumb_dbm import DumbDatabase, make_dumb
from .permissions import keep_permissions
from .replace import flush, new_beside
from .sqlite import FAILURES, SQLiteDatabase, is_sqlite, tables_of
from .zarr_store import Stored


def recognise(path: Path) -> bool:
    """Tell a dbm database.

    The path is its name: some kinds put suffixes behind it, so that nothing lies there itself.
    """
    return kind_of(path) is not None


def kind_of(path: Path) -> str | None:
    """Tell which module of the standard library made a database."""
    kind = open_kind(path)
    if kind is None and not path.is_dir():
        if is_sqlite(path):
            with suppress(*FAILURES):
                return "dbm.sqlite3" if "Dict" in tables_of(path) else None
        kind = library_of(path)
        if path.is_file() and kind != "dbm.gnu":
            # What lies beside a file is not looked at.
            return None
    return kind if kind in KINDS else None


def opened(path: Path) -> Opened:
    """Open a database for reading."""
    return Stored(DBMStore(path, read_only=True), owned=True)


def replacing(path: Path, *_: object) -> Replacing:
    """Replace what is in a database, which brings it to the disk in any case."""
    mode = 0o666
    with suppress(OSError):
        allowed = path.stat().st_mode
        path.rmdir()  # an empty folder is as good as nothing
        # The group of the new files may be another one, which is allowed no more than everybody.
        mode &= allowed if allowed & stat.S_IROTH else stat.S_IRWXU
    return replacing_content(path, partial(DBMStore, mode=mode))


class KeysOfBytes(MutableMapping[str, bytes]):
    """A mapping over an open database of the standard library's dbm, whose keys are bytes.

    Examples
    --------
    >>> import dbm.dumb
    >>> with dbm.dumb.open("scan", "n") as database:
    ...     database[b"a"] = b"1"
    ...     dict(KeysOfBytes(database))
    {'a': b'1'}
    """

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getitem__(self, key: str) -> bytes:
        return bytes(self._database[raw_key(key)])

    def __setitem__(self, key: str, value: bytes) -> None:
        if key in ROOT_DOCUMENTS and hasattr(self._database, "sync"):
            # Otherwise dbm.dumb may know this value, but not where the others went.
            self._database.sync()
        self._database[raw_key(key)] = value

    def __delitem__(self, key: str) -> None:
        del self._database[raw_key(key)]

    def __iter__(self) -> Iterator[str]:
        keys: list[bytes] = self._database.keys()  # dbm.gnu has no other way
        return iter([text_key(key) for key in keys])

    def __len__(self) -> int:
        return len(self._database)


class DBMStore(DatabaseStore):
    """A Zarr store in a dbm database of the standard library, like that of zarr-python 2.

    Close it, or the last changes may not be on the disk. Several processes may have it open, but
    for a gdbm, which lets nobody else in while one writes.

    Parameters
    ----------
    path : str or path-like
        The name of the database, behind which some kinds of dbm put suffixes.
    flag : {"c", "w", "r", "n"}, optional
        Make it if need be; open what exists; open it for reading; make it anew.
    mode : int, optional
        Permissions of new files.
    module : {"dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3"}, optional
        The kind of a new database; by default the one that ``dbm.open`` takes.
    read_only : bool, optional
        The same as ``flag="r"``.

    Raises
    ------
    ImportError
        If this Python lacks the module of the database. ``dbm.sqlite3`` works in all.
    FormatError
        If something else lies at the path, or the database is damaged.

    Examples
    --------
    >>> import zarr
    >>> with DBMStore("scan.zspy") as store:
    ...     _ = zarr.create_group(store, attributes={"voltage": 200}, zarr_format=2)
    ...     store.names()
    ['.zattrs', '.zgroup']
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        flag: Literal["r", "w", "c", "n"] = "c",
        mode: int = 0o666,
        module: Literal["dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3"]
        | None = None,
        read_only: bool = False,
    ) -> None:
        check_choices(
            flag=(flag, ("r", "w", "c", "n")), module=(module, (None, *KINDS))
        )
        path = database_path(path, read_only=read_only)
        check_whole_number(mode, "mode", 0o7777)
        if read_only:
            flag = "r"
        found = kind_of(path)
        is_new = flag == "n" and path not in databases
        if not is_new:
            is_right = found is not None and module in (None, found)
            refuse_other_content(
                path, module or "dbm", is_right, create=flag in {"c", "n"}
            )
        kind = found or module
        if kind is None or is_new or (found is None and kind != "dbm.sqlite3"):
            with alone(path):
                kind = _made(path, module or found, mode, is_new)
        self._options = {"path": path, "flag": "w", "mode": mode, "module": kind}
        super().__init__(_BACKENDS[kind], kind, flag == "r", {"mode": mode})
        if flag == "n":
            self.replace(())


def _made(path: Path, kind: str | None, mode: int, is_new: bool) -> str:
    """Make a database, unless another process has just done so, and give its kind."""
    refuse_links(files_of(path))
    if is_new:
        path.unlink(missing_ok=True)
    found = None if is_new else kind_of(path)
    if found is None and kind == "dbm.dumb":
        make_dumb(path, mode, is_new)
    elif found is None and kind != "dbm.sqlite3":
        (dbm if kind is None else _module(kind, path)).open(path, "n", mode).close()
    return found or kind or kind_of(path) or "dbm.dumb"


def _module(kind: str, path: Path) -> Any:
    # gnu and ndbm have no type in common.
    try:
        return importlib.import_module(kind)
    except ImportError as error:
        problem = f"this Python lacks {kind}, which made {path}"
        raise ImportError(f"{problem}: open it with one that has it") from error


class _GNU(WholeValues):
    """A gdbm, which is locked as long as it is open."""

    failures = (OSError,)

    def open(self) -> None:
        refuse_links(files_of(self.path))
        page, folder = Path(f"{self.path}.pag"), Path(f"{self.path}.dir")
        if (
            self.read_only
            and page.exists()
            and folder.exists()
            and page.samefile(folder)
        ):
            # The gdbm of today removes the second name, also to read.
            problem = "its .pag and .dir are one file: it cannot be read unchanged"
            raise FormatError(problem, str(self.path), "read a copy of it")
        self._module = _module(self.kind, self.path)
        self._db = self._opened(self.read_only)

    def _opened(self, read_only: bool) -> Any:
        flag = "r" if read_only else "w"
        return self._module.open(str(self.path), flag, self.options["mode"])

    def close(self) -> None:
        self._db.close()

    def flush(self) -> None:
        """Bring all to the disk. There is no other way in ndbm."""
        self.close()
        self.open()

    def whole(self, key: bytes) -> bytes | None:
        value: bytes | None = self._db.get(key)
        return value

    def keys_with(self, prefix: bytes) -> list[bytes]:
        return [key for key in sorted(self._db.keys()) if key.startswith(prefix)]

    def write(
        self, gone: Collection[bytes], items: RawItems, together: bool
    ) -> None:
        if together:
            self._replace({*gone}, items)
            self.open()
            self.identity = identity_of(self.path)
        else:
            _change(self._db, gone, items)

    def _replace(self, gone: set[bytes], items: RawItems) -> None:
        """Make the database anew, and put its files in the place of the old ones."""
        with new_beside(self.path, folder=True) as new:
            path = new / self.path.name
            database = self._module.open(str(path), "n", self.options["mode"])
            with closing(database) as anew:
                for key in {*self._db.keys()} - gone:
                    anew[key] = self._db[key]
                _change(anew, (), items)
            files = [*new.iterdir()]
            for file in files:
                keep_permissions(self.path.with_name(file.name), file)
                flush(file)
            if len(files) > 1:
                # Between the moves of two files it is no group.
                _change(self._db, [root.encode() for root in ROOT_DOCUMENTS], ())
            self.close()
            move_files(new, self.path.parent)

    def version(self) -> object:
        states = [file.stat() for file in files_of(self.path) if file.exists()]
        return [(one.st_ino, one.st_size, one.st_mtime_ns) for one in states]


class _NDBM(_GNU):
    """An ndbm, which knows of no other process: each look at it is at what lies there."""

    def open(self) -> None:
        self._seen = self.version()
        super().open()

    def _opened(self, read_only: bool) -> Any:  # noqa: ARG002 - see `write`
        return super()._opened(read_only=True)

    def refresh(self) -> None:
        if self._seen != self.version():
            self.close()
            self.open()

    def read(self, key: bytes, part: slice) -> bytes | None:
        self.refresh()
        value = super().read(key, part)
        if value is None and key in self.keys_with(key):
            # Some kinds of ndbm do not find what is empty.
            return b""
        return value

    def keys_with(self, prefix: bytes) -> list[bytes]:
        self.refresh()
        return super().keys_with(prefix)

    def write(
        self, gone: Collection[bytes], items: RawItems, together: bool
    ) -> None:
        self.close()
        with alone(self.path):
            self._db = super()._opened(read_only=False)
            try:
                super().write(gone, items, together)
            finally:
                self.close()
                self.open()


_BACKENDS: Final[dict[str, type[Database]]] = {
    "dbm.gnu": _GNU,
    "dbm.ndbm": _NDBM,
    "dbm.dumb": DumbDatabase,
    "dbm.sqlite3": SQLiteDatabase,
}
KINDS: Final = tuple(_BACKENDS)


def _change(database: Any, gone: Collection[bytes], items: RawItems) -> None:
    for key in gone:
        with suppress(KeyError):
            del database[key]
    for key, value in items:
        database[key] = value
