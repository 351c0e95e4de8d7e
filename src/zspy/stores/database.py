"""Zarr stores over mappings and over key-value databases: LMDB, dbm and SQLite.

A leaf, which the core does not import. The databases are those that zarr-python 3 dropped: what is
written here zarr-python 2 reads, and the other way round. What the values mean is not its business.
"""

from __future__ import annotations

import dbm
import errno
import importlib
import os
import sqlite3
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, cast

from zarr.abc.store import Store

from ..values.errors import EncodeError, FormatError
from .base import ROOTS
from .lmdb_pages import damage
from .replace import beside
from .zarr_store import WHOLE_VALUE, Change, FileStore, MappingStore, NewStore

if TYPE_CHECKING:
    import lmdb


__all__ = [
    "DBMStore",
    "FileStore",
    "LMDBStore",
    "MappingStore",
    "NewStore",
    "SQLiteStore",
    "recognise",
]
_RawChanges: TypeAlias = Iterable[tuple[bytes, bytes | None]]  # again and again
_DBM_KINDS: Final = ("dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3")
_LMDB_MAGICS: Final = (
    b"\xde\xc0\xef\xbe",
    b"\xbe\xef\xc0\xde",
)  # little and big endian
# the text of an error may hold what the file says, in no encoding
_SQLITE_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


def recognise(path: str | os.PathLike[str]) -> Literal["lmdb", "dbm", "sqlite"] | None:
    """Tell which database lies at a path.

    Parameters
    ----------
    path : str or path-like
        A file, a directory, or the name of a dbm database: some kinds of dbm put suffixes behind
        it, so that nothing lies at the path itself.

    Returns
    -------
    {"lmdb", "dbm", "sqlite"} or None
        Which of `LMDBStore`, `DBMStore` and `SQLiteStore` opens it; None if none of them does.

    Examples
    --------
    >>> recognise("no such file") is None
    True
    """
    match _kind(Path(path).resolve()):
        case "lmdb" | "sqlite" | None as kind:
            return kind
        case _:
            return "dbm"


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
            self._database.sync()  # or dbm.dumb may know this value, but not where others went
        self._database[raw_key(key)] = value

    def __delitem__(self, key: str) -> None:
        del self._database[raw_key(key)]

    def __iter__(self) -> Iterator[str]:
        keys: list[bytes] = self._database.keys()  # dbm.gnu has no other way
        return iter([key.decode("utf-8", "surrogateescape") for key in keys])

    def __len__(self) -> int:
        return len(self._database)


class _DatabaseStore(MappingStore):
    """A store that opens its database by path: once more after `close`, pickle and fork."""

    def __init__(
        self,
        backend: type[_Database],
        kind: str,
        read_only: bool,
        options: dict[str, Any],
    ) -> None:
        Store.__init__(self, read_only=read_only)
        self._acquire = partial(
            _acquire, backend, self._options["path"], kind, read_only, options
        )
        self._held: _Database | None = None
        self._shared()

    @property
    def path(self) -> Path:
        """Where the database lies. HyperSpy looks there before it loads from a store."""
        path: Path = self._options["path"]
        return path

    def _shared(self) -> _Database:
        if self._held is None or self._held.pid != os.getpid():
            self._held = self._acquire()
            self._release = weakref.finalize(self, _release, self._held)
        return self._held

    def close(self) -> None:
        """Close the store, and the database if no other store of this process has it open."""
        super().close()
        if self._held is not None:
            self._held = None
            self._release()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._options['path'])!r})"

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        with (database := self._shared()).telling("written"):
            database.flush()
        return super().__reduce__()

    def with_read_only(self, read_only: bool = False) -> Self:
        self._shared()  # open, so that the other shares it
        return super().with_read_only(read_only)

    def read(self, key: str, part: slice = WHOLE_VALUE) -> bytes | None:
        with (database := self._shared()).telling("read"):
            return database.read(raw_key(key), part)

    def names(self, prefix: str = "") -> Iterable[str]:
        with (database := self._shared()).telling("read"):
            names = database.names(raw_key(prefix))
        return [name.decode("utf-8", "surrogateescape") for name in names]

    def version(self) -> object:
        with (database := self._shared()).telling("read"):
            return database.version()

    def _write(self, changes: Iterable[Change], clear: bool) -> None:
        with (database := self._shared()).telling("written"):
            database.write(_Raw(changes), clear)
            if clear or len(cast("list[Change]", changes)) > 1:
                database.flush()


class LMDBStore(_DatabaseStore):
    """A Zarr store in an LMDB database, like that of zarr-python 2.

    Parameters
    ----------
    path : str, path-like or lmdb.Environment
        The database, made if need be. An environment that is open is not closed with the store.
    read_only : bool, optional
        Refuse to write, or to make the database.
    subdir : bool, optional
        Whether the path is a directory (the default for a new database) or a file.
    map_size : int, optional
        Bytes that the database may take at first. It grows where this is too little.
    **options : Any
        Options of ``lmdb.open``. `sync` and `metasync` are off: what is written goes to the disk
        with `update`, `replace` and `close`. LMDB has in memory what one transaction writes.

    Notes
    -----
    LMDB holds keys of up to 511 bytes. What has a longer one (members of groups far down in a tree,
    with long names) is kept under the begin of its key and a digest; zarr-python 2 does not see it.

    Raises
    ------
    ImportError
        If the package lmdb is not installed.
    FormatError
        If something else lies at the path, or the database is damaged: its pages are judged when
        it is opened, as LMDB itself does not check what they say.

    Examples
    --------
    >>> import zarr
    >>> with LMDBStore("scan.zspy") as store:
    ...     _ = zarr.create_group(store, attributes={"voltage": 200}, zarr_format=2)
    ...     store.names()
    ['.zattrs', '.zgroup']
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | lmdb.Environment,
        *,
        read_only: bool = False,
        subdir: bool | None = None,
        map_size: int | None = None,
        **options: Any,
    ) -> None:
        try:
            import lmdb
        except ImportError as error:
            problem = "LMDBStore needs the package lmdb: pip install zspy[lmdb]"
            raise ImportError(problem) from error

        given: dict[str, Any] = {}
        if isinstance(path, lmdb.Environment):
            given = {"environment": path}
            read_only = read_only or path.flags()["readonly"]
            path = path.path()
        path = Path(path).resolve()
        if not given:
            _expect(path, ("lmdb",), create=not read_only)
        options["subdir"] = not path.is_file() if subdir is None else subdir
        # Windows gives a database its whole map on the disk
        options["map_size"] = map_size or (2**28 if os.name == "nt" else 2**40)
        self._options = {"path": path, **options}
        quick = {"sync": False, "metasync": False, "max_spare_txns": 0}
        super().__init__(_LMDB, "lmdb", read_only, quick | options | given)


class DBMStore(_DatabaseStore):
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
        module: Literal["dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3"] | None = None,
        read_only: bool = False,
    ) -> None:
        path = Path(path).resolve()
        flag = "r" if read_only else flag
        if flag != "n" or path in _databases:
            kinds = (module,) if module else _DBM_KINDS
            kind = _expect(path, kinds, create=flag in {"c", "n"}) or module
        else:
            kind = module or next(
                (kind for kind in _DBM_KINDS if kind == _kind(path)), None
            )
            path.unlink(missing_ok=True)
        if kind is None:
            dbm.open(path, "n", mode).close()
            kind = _kind(path) or "dbm.dumb"
        self._options = {"path": path, "flag": "w", "mode": mode, "module": kind}
        backend = _SQLite if kind == "dbm.sqlite3" else _DBM
        super().__init__(backend, kind, flag == "r", {"flag": flag, "mode": mode})
        if flag == "n":
            self.replace(())


class SQLiteStore(_DatabaseStore):
    """A Zarr store in an SQLite database, like that of zarr-python 2.

    Parameters
    ----------
    path : str or path-like
        The file, made if need be.
    read_only : bool, optional
        Refuse to write, or to make the file.

    Raises
    ------
    FormatError
        If something else lies at the path, or the database is damaged.

    Examples
    --------
    >>> import zarr
    >>> with SQLiteStore("scan.zspy") as store:
    ...     _ = zarr.create_group(store, attributes={"voltage": 200}, zarr_format=2)
    ...     store.names()
    ['.zattrs', '.zgroup']
    """

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False
    ) -> None:
        path = Path(path).resolve()
        _expect(path, ("sqlite",), create=not read_only)
        self._options = {"path": path}
        super().__init__(_SQLite, "sqlite", read_only, {})


class _Raw:
    """Changes with keys of bytes, which are drawn again where a database has to begin again."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = changes

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        return ((raw_key(key), value) for key, value in self._changes)


class _Database(ABC):
    """An open database, shared by all stores of a path in a process.

    LMDB must not be opened twice in a process, and two handles of one dbm overwrite each other.
    """

    failures: tuple[type[Exception], ...] = _SQLITE_FAILURES
    path: Path
    kind: str
    read_only: bool
    options: dict[str, Any]
    pid: int
    users: int
    lock: threading.RLock
    identity: list[tuple[int, int]]

    def __init__(
        self, path: Path, kind: str, read_only: bool, options: dict[str, Any]
    ) -> None:
        self.path, self.kind, self.read_only, self.options = (
            path,
            kind,
            read_only,
            options,
        )
        self.pid, self.users, self.lock = os.getpid(), 0, threading.RLock()
        with self.telling("opened"):
            self.open()
        self.identity = _identity(path)

    @contextmanager
    def telling(self, what: str) -> Generator[None]:
        """Keep other threads out, and turn the backend's errors into one that names the path."""
        with self.lock:
            try:
                yield
            except self.failures as error:
                if isinstance(error, OSError) and error.errno not in {
                    None,
                    errno.EINVAL,
                }:
                    raise  # not the file is to blame: a lock, a full disk, a permission
                problem = f"this {self.kind} database cannot be {what}: {error}"
                if what == "written":
                    raise OSError(f"{self.path}: {problem}") from error
                raise FormatError(problem, str(self.path)) from error

    @abstractmethod
    def open(self) -> None: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    def read(self, key: bytes, part: slice) -> bytes | None: ...
    @abstractmethod
    def names(self, prefix: bytes) -> list[bytes]: ...
    @abstractmethod
    def write(self, changes: _RawChanges, clear: bool) -> None: ...
    @abstractmethod
    def flush(self) -> None: ...
    @abstractmethod
    def version(self) -> object: ...

    def leave(self) -> None:
        """Let go in a child process: to be collected there would write in the parent's name."""
        _inherited.append(self)


class _LMDB(_Database):
    def open(self) -> None:
        import lmdb

        self.failures = (lmdb.Error,)
        self._given = "environment" in self.options
        if self._given:
            self._env: lmdb.Environment = self.options["environment"]
            return
        file = self.path / "data.mdb" if self.options["subdir"] else self.path
        lock = not self.read_only or os.access(file.parent, os.W_OK)
        options = {"readonly": self.read_only, "lock": lock, **self.options}
        if (
            file.exists()
            and file.stat().st_size
            and (problem := damage(file)) is not None
        ):
            problem = f"this lmdb database cannot be opened: {problem}"
            raise FormatError(problem, str(self.path), "copy it again")
        self._env = lmdb.open(str(self.path), **options)

    def close(self) -> None:
        if not self._given:
            self.flush()
            self._env.close()

    def leave(self) -> None:
        super().leave()
        if not self._given:  # it caches no readers, so that the parent loses none
            self._env.close()

    def flush(self) -> None:
        if not self._env.flags()["readonly"]:
            self._env.sync(True)

    def version(self) -> object:
        return self._env.info()["last_txnid"]

    def _begin(self, *, write: bool = False) -> lmdb.Transaction[memoryview]:
        import lmdb

        try:
            return self._env.begin(write=write, buffers=True)
        except lmdb.MapResizedError:  # by another process
            self._env.set_mapsize(0)
            return self._env.begin(write=write, buffers=True)

    def _name(self, key: bytes) -> bytes:
        """Name a record: by its key, or where that is too long by its begin and a digest."""
        most = self._env.max_key_size()
        if len(key) <= most:
            return key
        return (
            key[: most - 33] + b"%" + blake2b(key, digest_size=16).hexdigest().encode()
        )

    def _parted(self, name: bytes, value: memoryview) -> tuple[bytes, memoryview]:
        """Give the key and the value of a record: a key that is too long is in the value."""
        if len(name) == self._env.max_key_size():
            start = 4 + int.from_bytes(value[:4], "little")
            key = bytes(value[4:start])
            if len(key) > len(name) and self._name(key) == name:
                return key, value[start:]
        return name, value

    def read(self, key: bytes, part: slice) -> bytes | None:
        name = self._name(key)
        with self._begin() as transaction:
            value = transaction.get(name) if name else None
            found, value = (b"", None) if value is None else self._parted(name, value)
            return bytes(value[part]) if value is not None and found == key else None

    def names(self, prefix: bytes) -> list[bytes]:
        start = prefix[: self._env.max_key_size() - 33]
        with self._begin() as transaction, transaction.cursor() as cursor:
            cursor.set_range(start)
            records = ((bytes(name), value) for name, value in cursor.iternext())
            here = takewhile(lambda record: record[0].startswith(start), records)
            keys = sorted(self._parted(name, value)[0] for name, value in here)
        return [key for key in keys if key.startswith(prefix)]

    def write(self, changes: _RawChanges, clear: bool) -> None:
        import lmdb

        try:
            with self._begin(write=True) as transaction:
                if clear:
                    transaction.drop(self._env.open_db(), delete=False)
                for key, value in changes:
                    name = self._name(key)
                    if value is None:
                        _ = name and transaction.delete(name)
                    elif not name:
                        raise EncodeError(
                            "LMDB holds no empty key", "", "give it a name"
                        )
                    else:
                        if name != key:
                            value = len(key).to_bytes(4, "little") + key + value
                        transaction.put(name, value)
        except lmdb.MapFullError:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
            self.write(changes, clear)


class _SQLite(_Database):
    """Also for dbm.sqlite3, which Python has from 3.13 on, and which is bound to one thread."""

    def open(self) -> None:
        self._sql = _ZARR if self.kind == "sqlite" else _DICT
        make = () if self.read_only else (self._sql["make"],)
        self._db = _connect(self.path, "ro" if self.read_only else "rwc", *make)

    def close(self) -> None:
        self._db.close()

    def flush(self) -> None:
        pass  # a transaction that has ended is on the disk

    def version(self) -> object:
        (others,) = self._db.execute("PRAGMA data_version").fetchone()
        return others, self._db.total_changes

    def read(self, key: bytes, part: slice) -> bytes | None:
        row = self._db.execute(self._sql["get"], (key,)).fetchone()
        return None if row is None else bytes((row[0] or b"")[part])

    def names(self, prefix: bytes) -> list[bytes]:
        rows = self._db.execute(self._sql["names"], (prefix,))
        return _beginning(prefix, (name for (name,) in rows if name is not None))

    def write(self, changes: _RawChanges, clear: bool) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if clear:
                self._db.execute(self._sql["clear"])
            for key, value in changes:
                if value is None:
                    self._db.execute(self._sql["delete"], (key,))
                else:
                    self._db.execute(self._sql["put"], (key, value))


class _DBM(_Database):
    # dbm.dumb takes what it reads for granted: damage shows as one of these
    failures = (
        *(OSError, ValueError, TypeError, SyntaxError, AttributeError),
        *(ArithmeticError, MemoryError, RecursionError),
    )

    def open(self) -> None:
        try:
            self._module = importlib.import_module(self.kind)
        except ImportError as error:
            problem = f"this Python lacks {self.kind}, which made {self.path}"
            raise ImportError(f"{problem}: open it with one that has it") from error
        flag = "r" if self.read_only else self.options["flag"]
        # gnu, ndbm and dumb have no type in common
        self._db: Any = self._module.open(str(self.path), flag, self.options["mode"])
        self.options["flag"] = "w"

    def close(self) -> None:
        self._db.close()

    def flush(self) -> None:
        self.close()
        self.open()  # ndbm has no other way

    def read(self, key: bytes, part: slice) -> bytes | None:
        value = self._db.get(key)
        if value is None and self.kind == "dbm.ndbm" and key in self.names(key):
            return b""  # some kinds of ndbm do not find what is empty
        return None if value is None else bytes(value[part])

    def names(self, prefix: bytes) -> list[bytes]:
        return [key for key in sorted(self._db.keys()) if key.startswith(prefix)]

    def write(self, changes: _RawChanges, clear: bool) -> None:
        if not clear:
            _put(self._db, changes)
            return
        with beside(self.path, Path.mkdir) as (new, _):
            path = new / self.path.name
            with closing(
                self._module.open(str(path), "n", self.options["mode"])
            ) as anew:
                _put(anew, changes)
            if (
                len(files := sorted(new.iterdir())) > 1
            ):  # between two of them it is no group
                _put(self._db, [(root.encode(), None) for root in ROOTS])
            self.close()
            for file in files:  # .dat before .dir, which knows where its values begin
                file.replace(self.path.with_name(file.name))
        self.open()
        self.identity = _identity(self.path)

    def version(self) -> object:
        return _identity(self.path)


def _put(database: Any, changes: _RawChanges) -> None:
    for key, value in changes:
        if value is not None:
            database[key] = value
        else:
            with suppress(KeyError):
                del database[key]


# The open databases, by path; and those that belong to the parent of this process.
_databases: Final[dict[Path, _Database]] = {}
_inherited: Final[list[_Database]] = []
_guard: Final = threading.RLock()


def _acquire(
    backend: type[_Database],
    path: Path,
    kind: str,
    read_only: bool,
    options: dict[str, Any],
) -> _Database:
    with _guard:
        database = _databases.get(path)
        if database is not None and database.pid != os.getpid():
            database.leave()
            database = None
        if database is None or database.identity != _identity(path):
            database = _databases[path] = backend(path, kind, read_only, options)
        database.users += 1
    # outside of the guard: a thread that has the lock may come to collect a store
    with database.telling("opened"):
        if database.read_only and not read_only:
            database.close()
            database.read_only = False
            database.open()
    return database


def _release(database: _Database) -> None:
    with _guard:
        if database.pid == os.getpid():
            database.users -= 1
            if not database.users:
                if _databases.get(database.path) is database:
                    del _databases[database.path]
                with database.telling("written"):
                    database.close()


def _kind(path: Path) -> str | None:
    """Tell which database lies at a path: ``lmdb``, ``sqlite`` or the module of a dbm."""
    # An open database is not looked at: to close a second handle of its file drops its locks.
    if (database := _databases.get(path)) and database.identity == _identity(path):
        return database.kind
    file = path / "data.mdb" if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            head = stream.read(32)
    except (FileNotFoundError, NotADirectoryError):
        kind = dbm.whichdb(file)
        return kind if kind in {"dbm.dumb", "dbm.ndbm"} else None
    if any(magic in head for magic in _LMDB_MAGICS):
        return "lmdb"
    if not head.startswith(_SQLITE_MAGIC):
        return "dbm.gnu" if dbm.whichdb(file) == "dbm.gnu" else None
    try:
        with closing(_connect(path, "ro")) as tables:
            # neither views nor virtual tables: to read those runs what the file says
            query = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE TABLE %'"
            names = {name for (name,) in tables.execute(query)}
    except _SQLITE_FAILURES:
        return "sqlite"  # damaged or locked: to open it will tell
    return "sqlite" if "zarr" in names else "dbm.sqlite3" if "Dict" in names else None


def _expect(path: Path, kinds: tuple[str, ...], *, create: bool) -> str | None:
    """Tell the kind of what lies at a path: one of `kinds`, or None where one can be created."""
    kind = _kind(path)
    if kind in kinds:
        return kind
    there = path.exists()
    filled = there and (
        any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0
    )
    if create and kind is None and not filled:
        return None
    if kind is None and not there:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    found = f"but one of the kind {kind}" if kind else "nor any other that is known"
    raise FormatError(
        f"this is no database of the kind {' or '.join(kinds)}, {found}", str(path)
    )


def _identity(path: Path) -> list[tuple[int, int]]:
    """Tell the files of a database from others that have taken their place."""
    files = [
        Path(f"{path}{suffix}") for suffix in ("", "/data.mdb", ".dat", ".pag", ".db")
    ]
    states = [file.stat() for file in files if file.exists()]
    return [(state.st_dev, state.st_ino) for state in states]


_ZARR: Final = {
    "make": "CREATE TABLE IF NOT EXISTS zarr(k TEXT PRIMARY KEY, v BLOB)",
    "get": "SELECT CAST(v AS BLOB) FROM zarr WHERE k = CAST(? AS TEXT)",
    "names": "SELECT CAST(k AS BLOB) FROM zarr WHERE k >= CAST(? AS TEXT) ORDER BY k",
    "put": "REPLACE INTO zarr(k, v) VALUES (CAST(? AS TEXT), ?)",
    "delete": "DELETE FROM zarr WHERE k = CAST(? AS TEXT)",
    "clear": "DELETE FROM zarr",
}
_DICT: Final = {
    "make": "CREATE TABLE IF NOT EXISTS Dict(key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)",
    "get": "SELECT CAST(value AS BLOB) FROM Dict WHERE key = ?",
    "names": "SELECT CAST(key AS BLOB) FROM Dict WHERE key >= ? ORDER BY key",
    "put": "REPLACE INTO Dict(key, value) VALUES (?, ?)",
    "delete": "DELETE FROM Dict WHERE key = ?",
    "clear": "DELETE FROM Dict",
}


def _connect(
    path: Path, mode: Literal["ro", "rwc"], *statements: str
) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    if (
        mode == "ro"
        and not os.access(path.parent, os.W_OK)
        and not Path(f"{path}-wal").exists()
    ):
        uri += "&immutable=1"  # or a database in WAL mode wants to write next to itself
    database = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        for statement in (
            "PRAGMA trusted_schema = OFF",
            "PRAGMA schema_version",
            *statements,
        ):
            database.execute(statement)
    except _SQLITE_FAILURES:
        database.close()
        raise
    return database


def raw_key(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _beginning(prefix: bytes, keys: Iterable[bytes]) -> list[bytes]:
    """Take from sorted keys those at the front that begin with `prefix`."""
    return list(takewhile(lambda key: key.startswith(prefix), keys))
