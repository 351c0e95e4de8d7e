"""SQLite files as zarr-python 2 wrote them, and the tables of `dbm.sqlite3`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ..values.errors import EncodeError, FormatError
from .base import Opened, Replacing
from .database import (
    DatabaseStore,
    RawItems,
    WholeValues,
    database_path,
    open_file,
    open_kind,
    refuse_links,
    refuse_other_content,
    replacing_content,
    starting_with,
)
from .zarr_store import Stored

# The text of an error may hold what the file says, in no encoding.
FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
_OTHERS: Final = "SELECT name FROM sqlite_master WHERE type IN"
# An index that SQLite makes by itself has no text.
_RUN: Final = (
    "SELECT 1 FROM sqlite_master WHERE type = 'trigger'"
    " OR (type = 'index' AND sql IS NOT NULL) OR sql LIKE '%check%'"
)
_MAGIC: Final = b"SQLite format 3\0"
# The end of a journal that names another one, of changes to several files.
_NAMES_ANOTHER: Final = bytes.fromhex("d9d505f920a163d7")
# Steps of SQLite between two looks, bytes of a file for which there may be so many, and how many
# looks there may be besides. To list keys takes about a step for each byte.
_STEPS: Final = 2**16
_BYTES: Final = 2**14
_LOOKS: Final = 16


class Statements(NamedTuple):
    """What is asked of a table of keys and values."""

    make: str
    get: str
    names: str
    put: str
    delete: str


_ZARR: Final = Statements(
    make="CREATE TABLE IF NOT EXISTS zarr(k TEXT PRIMARY KEY, v BLOB)",
    get="SELECT CAST(v AS BLOB) FROM zarr WHERE k = CAST(? AS TEXT)",
    names="SELECT CAST(k AS BLOB) FROM zarr WHERE k >= CAST(? AS TEXT) ORDER BY k",
    put="REPLACE INTO zarr(k, v) VALUES (CAST(? AS TEXT), ?)",
    delete="DELETE FROM zarr WHERE k = CAST(? AS TEXT)",
)
_DICT: Final = Statements(
    make="CREATE TABLE IF NOT EXISTS Dict"
    "(key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)",
    get="SELECT CAST(value AS BLOB) FROM Dict WHERE key = ?",
    names="SELECT CAST(key AS BLOB) FROM Dict WHERE key >= ? ORDER BY key",
    put="REPLACE INTO Dict(key, value) VALUES (?, ?)",
    delete="DELETE FROM Dict WHERE key = ?",
)


def recognise(path: Path) -> bool:
    """Tell an SQLite file with the table of zarr-python 2, also one that is damaged."""
    kind = open_kind(path)
    if kind is not None:
        return kind == "sqlite"
    if not is_sqlite(path):
        return False
    try:
        return "zarr" in tables_of(path)
    except FAILURES:
        return True


def opened(path: Path) -> Opened:
    """Open a database for reading."""
    return Stored(SQLiteStore(path, read_only=True), owned=True)


def replacing(path: Path, *_: object) -> Replacing:
    """Replace what is in a database, which brings it to the disk in any case."""
    return replacing_content(path, SQLiteStore)


def is_sqlite(path: Path) -> bool:
    """Tell an SQLite file by its first bytes."""
    try:
        with open_file(path, follow=True) as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except (OSError, FormatError):
        return False


def tables_of(path: Path) -> set[str]:
    """Name the tables of an SQLite file.

    Views, virtual tables, and tables with generated columns are not among them: to read those
    runs what the file says.
    """
    query = (
        "SELECT name FROM sqlite_master AS one WHERE sql LIKE 'CREATE TABLE %'"
        " AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(one.name) WHERE hidden)"
    )
    try:
        database = _connect(path, "ro")
    except sqlite3.OperationalError as error:
        if not _is_half_written(error):
            raise
        # What tables there are is no part of what a killed writer has begun.
        database = _connect(path, "ro", as_it_is=True)
    with closing(database):
        return {name for (name,) in database.execute(query)}


def roll_back(path: Path) -> None:
    """Undo what a killed writer has begun, as SQLite does for whoever opens a file to write."""
    with suppress(*FAILURES):
        if is_sqlite(path):  # and no other kind of dbm
            _connect(path, "rwc").close()


def _is_half_written(error: sqlite3.Error) -> bool:
    """Tell the error of a file with a journal by which a killed writer's changes are undone."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK"


def refuse_others(path: Path) -> None:
    """Refuse to replace an SQLite file as a whole if it has more than the table of a store."""
    if not is_sqlite(path):
        return
    query = (
        f"{_OTHERS} ('table', 'view', 'trigger') AND name NOT IN ('zarr', 'Dict')"
    )
    with suppress(*FAILURES), closing(_connect(path, "ro")) as database:
        for (name,) in database.execute(query):
            problem = f"the SQLite file there has {name[:60]!r} as well"
            raise EncodeError(problem, str(path), "use another place")


class SQLiteStore(DatabaseStore):
    """A Zarr store in an SQLite file, like that of zarr-python 2."""

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False
    ) -> None:
        path = database_path(path, read_only=read_only)
        refuse_other_content(path, "sqlite", recognise(path), create=not read_only)
        self._options = {"path": path}
        super().__init__(SQLiteDatabase, "sqlite", read_only, {})


class SQLiteDatabase(WholeValues):
    """One table of keys and values. That of `dbm.sqlite3` is read by each Python."""

    failures: tuple[type[Exception], ...] = FAILURES

    def open(self) -> None:
        self._sql = _ZARR if self.kind == "sqlite" else _DICT
        if self.read_only:
            try:
                self._db = _connect(self.path, "ro")
            except sqlite3.OperationalError as error:
                if not _is_half_written(error):
                    raise
                problem = "a writer was killed, whose changes are to be undone"
                remedy = 'open it once with sqlite3, or write with mode="a"'
                raise FormatError(problem, str(self.path), remedy) from error
            if self._scans():
                self._db.close()
                problem = (
                    "its table has no index of keys: each is looked for in all"
                )
                raise FormatError(problem, str(self.path), "make k its PRIMARY KEY")
        else:
            self._db = _connect(self.path, "rwc", self._sql.make)
            if self._db.execute(_RUN).fetchone():
                self._db.close()
                problem = (
                    "it has triggers, checks or indexes, which writing would run"
                )
                raise FormatError(problem, str(self.path), "drop them")
        self._db.set_progress_handler(None, 0)

    def _scans(self) -> bool:
        """Tell a table of which every row is looked at for one key."""
        plan = self._db.execute(f"EXPLAIN QUERY PLAN {self._sql.get}", (b"",))
        return any("SCAN" in str(step) for *_, step in plan)

    def close(self) -> None:
        self._db.close()

    def flush(self) -> None:
        """Do nothing: a transaction that has ended is on the disk."""

    def version(self) -> object:
        (others,) = self._db.execute("PRAGMA data_version").fetchone()
        # A connection counts from its opening, and what is immutable to SQLite is never counted.
        changed = self.path.stat().st_mtime_ns
        return others, self._db.total_changes, changed

    def whole(self, key: bytes) -> bytes | None:
        row = self._db.execute(self._sql.get, (key,)).fetchone()
        return None if row is None else row[0] or b""

    def keys_with(self, prefix: bytes) -> list[bytes]:
        _limit_steps(self._db, self.path)
        try:
            rows = self._db.execute(self._sql.names, (prefix,))
            # A damaged index has keys alone.
            return starting_with(
                prefix, (name for (name,) in rows if name is not None)
            )
        finally:
            self._db.set_progress_handler(None, 0)

    def write(
        self,
        gone: Collection[bytes],
        items: RawItems,
        together: bool,  # noqa: ARG002 - it is one transaction in any case
    ) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(self._sql.delete, [(key,) for key in gone])
            self._db.executemany(self._sql.put, items)


def _limit_steps(database: sqlite3.Connection, path: Path) -> None:
    """Let SQLite stop where it lists more than a file can hold: many pages may lead to one."""
    looks = iter(range(_LOOKS + path.stat().st_size // _BYTES))
    database.set_progress_handler(lambda: next(looks, None) is None, _STEPS)


def _refuse_other_journal(path: Path) -> None:
    """Refuse a file with a journal that names another one, which SQLite removes when it writes."""
    with suppress(FileNotFoundError), open_file(path) as stream:
        stream.seek(max(os.fstat(stream.fileno()).st_size - len(_NAMES_ANOTHER), 0))
        if stream.read() == _NAMES_ANOTHER:
            problem = "its journal names another file, which SQLite would remove"
            raise sqlite3.OperationalError(problem)


def _is_in_wal_mode(path: Path) -> bool:
    """Tell a file whose changes come into a second one, the write-ahead log, first."""
    with open_file(path) as stream:
        return stream.read(20)[18:] == b"\2\2"


def _connect(
    path: Path,
    mode: Literal["ro", "rwc"],
    *statements: str,
    as_it_is: bool = False,
) -> sqlite3.Connection:
    log, journal = Path(f"{path}-wal"), Path(f"{path}-journal")
    refuse_links([path, log, Path(f"{path}-shm"), journal])
    if mode == "rwc":
        _refuse_other_journal(journal)
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if mode == "ro" and _is_in_wal_mode(path):
        if log.exists() and log.stat().st_size:
            problem = "it has changes beside it, which are not read without writing"
            raise sqlite3.OperationalError(problem)
        # Otherwise SQLite would make files beside it.
        as_it_is = True
    if as_it_is:
        uri += "&immutable=1"
    database = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        _limit_steps(database, path)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA schema_version")
        for statement in statements:
            database.execute(statement)
    except FAILURES:
        database.close()
        raise
    return database
