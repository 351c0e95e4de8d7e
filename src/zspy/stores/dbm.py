"""The dbm databases of the standard library, as zarr-python 2 wrote them."""

from __future__ import annotations

import dbm
import importlib
import os
from collections.abc import Iterator, MutableMapping
from contextlib import closing, suppress
from dbm import dumb
from pathlib import Path
from typing import Any, Final, Literal, cast

from ..values.errors import FormatError
from .base import DBM_SUFFIXES, ROOTS, Opened, Replacing
from .database import (
    Database,
    DatabaseStore,
    RawChanges,
    databases,
    expect,
    identity_of,
    library_of,
    open_kind,
    raw_key,
    refuse_links,
    replacing_content,
    text_key,
)
from .permissions import keep_permissions
from .replace import beside, flush, swap
from .sqlite import FAILURES, SQLiteDatabase, is_sqlite, tables_of
from .zarr_store import Stored

_BLOCK: Final = 512  # bytes
KINDS: Final = ("dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3")


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


def replacing(path: Path, *_: bool) -> Replacing:
    """Replace what is in a database, which brings it to the disk in any case."""
    return replacing_content(path, DBMStore)


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
        try:
            return bytes(self._database[raw_key(key)])
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: bytes) -> None:
        if key in ROOTS and hasattr(self._database, "sync"):
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

    Close it, or the last changes may not be on the disk. While one process writes, no other may
    have it open.

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
        path = Path(path).resolve()
        if read_only:
            flag = "r"
        found = kind_of(path)
        if flag == "n" and path not in databases:
            path.unlink(missing_ok=True)
            kind = module or found
        else:
            is_right = found is not None and module in (None, found)
            expect(path, module or "dbm", is_right, create=flag in {"c", "n"})
            kind = found or module
        if kind is None:
            dbm.open(path, "n", mode).close()
            kind = kind_of(path) or "dbm.dumb"
        self._options = {"path": path, "flag": "w", "mode": mode, "module": kind}
        backend = SQLiteDatabase if kind == "dbm.sqlite3" else _DBM
        options = {"flag": flag, "mode": mode}
        super().__init__(backend, kind, flag == "r", options)
        if flag == "n":
            self.replace(())


class _DBM(Database):
    # dbm.dumb takes what it reads for granted, so that damage shows as one of these.
    failures = (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
        ArithmeticError,
        MemoryError,
        RecursionError,
    )

    def open(self) -> None:
        files = {suffix: Path(f"{self.path}{suffix}") for suffix in DBM_SUFFIXES}
        refuse_links(files.values())
        page, folder = files[".pag"], files[".dir"]
        if (
            self.read_only
            and page.exists()
            and folder.exists()
            and page.samefile(folder)
        ):
            # The gdbm of today removes the second name, also to read.
            problem = "its .pag and .dir are one file: it cannot be read unchanged"
            raise FormatError(problem, str(self.path), "read a copy of it")
        try:
            self._module = importlib.import_module(self.kind)
        except ImportError as error:
            problem = f"this Python lacks {self.kind}, which made {self.path}"
            raise ImportError(f"{problem}: open it with one that has it") from error
        flag = "r" if self.read_only else self.options["flag"]
        # gnu, ndbm and dumb have no type in common.
        self._db: Any = self._module.open(
            str(self.path), flag, self.options["mode"]
        )
        self.options["flag"] = "w"
        self._seen = self.version()

    def refresh(self) -> None:
        if self.kind != "dbm.dumb" or self._seen == self.version():
            return  # the other kinds see it, or have locks of their own
        if self._db._modified:  # noqa: SLF001
            problem = "another process has changed it as well"
            raise FormatError(problem, str(self.path), "let one write at a time")
        self.close()
        self.open()

    def close(self) -> None:
        self._db.close()

    def flush(self) -> None:
        """Bring all to the disk. There is no other way in ndbm."""
        self.close()
        self.open()

    def read(self, key: bytes, part: slice) -> bytes | None:
        value = self._db.get(key)
        if value is None and self.kind == "dbm.ndbm" and key in self.names(key):
            # Some kinds of ndbm do not find what is empty.
            return b""
        return None if value is None else bytes(value[part])

    def names(self, prefix: bytes) -> list[bytes]:
        return [key for key in sorted(self._db.keys()) if key.startswith(prefix)]

    def write(self, changes: RawChanges, clear: bool) -> None:
        if not clear:
            _put(self._db, changes)
            self._seen = self.version()
            return
        if self.kind == "dbm.dumb":
            self.close()
            try:
                _replace_dumb(self.path, changes)
            finally:
                self.open()
        else:
            self._replace(changes)
            self.open()
        self.identity = identity_of(self.path)

    def _replace(self, changes: RawChanges) -> None:
        """Make the database anew, and put its files in the place of the old ones."""
        with beside(self.path, folder=True) as new:
            path = new / self.path.name
            database = self._module.open(str(path), "n", self.options["mode"])
            with closing(database) as anew:
                _put(anew, changes)
            pairs = [
                (file, self.path.with_name(file.name)) for file in new.iterdir()
            ]
            if len(pairs) > 1:
                # Between the moves of two files it is no group.
                _put(self._db, [(root.encode(), None) for root in ROOTS])
            self.close()
            for file, target in pairs:
                keep_permissions(target, file)
                flush(file)
            for file, target in pairs:
                file.replace(target)
        flush(self.path.parent)

    def version(self) -> object:
        index = Path(f"{self.path}.dir")
        state = index.stat() if index.exists() else None
        changed = state and (state.st_ino, state.st_mtime_ns)
        return identity_of(self.path), changed


def _replace_dumb(path: Path, changes: RawChanges) -> None:
    """Replace what a dbm.dumb holds, so that it can be read at each moment.

    Its index tells where in the file of data each value lies. New values come where no old one
    lies: at the begin where that is free, or else at the end. Then a new index takes the place of
    the old one, by one renaming.
    """
    data, index = Path(f"{path}.dat"), Path(f"{path}.dir")
    with closing(dumb.open(str(path), "r")) as old:
        spans: list[tuple[int, int]] = [*cast("Any", old)._index.values()]  # noqa: SLF001
    first = min((start for start, _ in spans), default=0)
    end = max((start + size for start, size in spans), default=0)
    total = sum(_blocks(len(value or b"")) for _, value in changes)
    start = 0 if total <= first or not spans else _blocks(end)
    lines: list[str] = []
    with data.open("r+b") as file:
        for key, value in changes:
            content = value or b""
            file.seek(start)
            file.write(content)
            lines.append(f"{key.decode('latin-1')!r}, {(start, len(content))}\n")
            start += _blocks(len(content))
        if start > end:
            file.truncate(start)
        file.flush()
        os.fsync(file.fileno())
    with beside(index, folder=False) as new:
        new.write_text("".join(lines), "latin-1")
        flush(new)
        swap(new, index)
    flush(path.parent)


def _blocks(size: int) -> int:
    """Round a size up to what dbm.dumb gives a value."""
    return -(-size // _BLOCK) * _BLOCK


def _put(database: Any, changes: RawChanges) -> None:
    for key, value in changes:
        if value is not None:
            database[key] = value
        else:
            with suppress(KeyError):
                del database[key]
