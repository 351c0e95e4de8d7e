"""What the stores over key-value databases share: a database is open once in a process.

The databases are those that zarr-python 3 dropped: what is written here zarr-python 2 reads, and
the other way round. Each has a module of its own: `lmdb`, `dbm` and `sqlite`.
"""

from __future__ import annotations

import dbm
import errno
import os
import stat
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeAlias, cast

from zarr.abc.store import Store

from ..values.errors import (
    EncodeError,
    FormatError,
    MissingFileError,
    MissingFolderError,
    ZspyError,
    check_choices,
    shown,
    taking,
    unlike,
)
from .base import DBM_SUFFIXES, Pairs, Sink, forbidden
from .folders import NO_LINK, READ, opened_folder
from .locking import NoLockError, locked
from .owned import refuse_misplaced, replaceable_keys
from .replace import clear, flush, move, name_in, new_beside
from .zarr_store import ALL_BYTES, MappingStore

RawItems: TypeAlias = Iterable[tuple[bytes, bytes]]
"""What is set. It can be iterated again where a database begins again."""
_IDENTIFYING: Final = ("", "/data.mdb", ".dat", ".pag", ".db")
"""What the files of a database of any kind have behind its name, by which it is told from another.

Those that are missing here belong to a dumb dbm, which renames and makes them again as it grows.
"""


class DatabaseStore(MappingStore):
    """A store that opens its database by path: once more after `close`, pickle and fork."""

    def __init__(
        self,
        backend: type[Database],
        kind: str,
        read_only: bool,
        options: dict[str, Any],
    ) -> None:
        Store.__init__(self, read_only=read_only)
        make = partial(backend, self.path, kind, read_only, options)
        self._acquire = partial(_acquire, self.path, read_only, make)
        self._database: Database | None = None
        self.shared()

    @property
    def path(self) -> Path:
        """Where the database lies. HyperSpy looks there before it loads from a store."""
        path: Path = self._options["path"]
        return path

    def shared(self) -> Database:
        """Give the open database, which all stores of its path in this process share."""
        if self._database is None or self._database.pid != os.getpid():
            self._database = self._acquire()
            self._release = weakref.finalize(self, _release, self._database)
        return self._database

    def close(self) -> None:
        """Close the store, and the database if no other store of this process has it open."""
        super().close()
        if self._database is not None:
            self._database = None
            self._release()

    def refresh(self) -> None:
        """See what another process has changed since the database was opened."""
        with self._current().exclusively("opened") as database:
            database.refresh()

    def _current(self) -> Database:
        """Give the open database, opened again where another one has taken its place."""
        database = self.shared()
        if database.identity != identity_of(self.path):
            self._database = None
            self._release()
            database = self.shared()
        return database

    @contextmanager
    def replacing(self) -> Generator[Sink]:
        with closing(Spool(self.path.parent)) as gathered:
            yield gathered
            self.replace_file(gathered)

    def replace_file(self, gathered: Spool) -> None:
        """Set many keys, and remove all others that belong to the nodes of the old file.

        Raises
        ------
        EncodeError
            If there are keys, and none of them belongs to a node; if one has no place any more.
        """
        names = self.names()
        own = replaceable_keys(names, self.read)
        keys = {*gathered.names()}
        unowned = {*names}.difference(own)
        refuse_misplaced(unowned, keys, gathered.get)
        self._check_writable()
        self._write(own, gathered, together=True)

    def replace(self, items: Pairs) -> None:
        """Set many keys and remove all others.

        In LMDB and SQLite this is one transaction. A dbm is written anew, and then takes the place
        of the old one. `items` are drawn before all that.
        """
        self._check_writable()
        with closing(Spool(self.path.parent)) as gathered:
            gathered.put(items)
            self._write(self.names(), gathered, together=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        self.flush()
        return super().__reduce__()

    def with_read_only(self, read_only: bool = False) -> Self:
        self.shared()  # The other store shares what is open.
        return super().with_read_only(read_only)

    def read(self, key: str, part: slice = ALL_BYTES) -> bytes | None:
        with self.shared().exclusively("read") as database:
            return database.read(raw_key(key), part)

    def sizes(self, keys: Iterable[str]) -> list[int]:
        with self.shared().exclusively("read") as database:
            return database.sizes(map(raw_key, keys))

    def names(self, prefix: str = "") -> Collection[str]:
        with self.shared().exclusively("read") as database:
            keys = database.keys_with(raw_key(prefix))
        return [text_key(key) for key in keys]

    def version(self) -> object:
        with self._current().exclusively("read") as database:
            return database.version()

    def flush(self) -> None:
        """Bring what was set key by key to the disk."""
        with self.shared().exclusively("written") as database:
            database.flush()

    def _write(self, gone: Collection[str], items: Pairs, together: bool) -> None:
        with self._current().exclusively("written") as database:
            database.forget()
            database.write([*map(raw_key, gone)], _Raw(items), together)


class Spool(Sink, Iterable[tuple[str, bytes]]):
    """Gathers what replaces a database: its values in a file without a name, not in memory."""

    def __init__(self, folder: Path) -> None:
        near = folder if os.access(folder, os.W_OK) else None
        self._file = tempfile.TemporaryFile(dir=near)  # noqa: SIM115 - it ends with this
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def put(self, documents: Pairs) -> None:
        for key, value in documents:
            with self._lock:
                self._places[key] = self._file.seek(0, os.SEEK_END), len(value)
                self._file.write(value)

    def names(self) -> Collection[str]:
        """Give the keys of what was gathered."""
        return self._places.keys()

    def get(self, key: str) -> bytes | None:
        """Give what was gathered last for a key."""
        place = self._places.get(key)
        return None if place is None else self._read(*place)

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return ((key, self._read(*place)) for key, place in self._places.items())

    def close(self) -> None:
        self._file.close()


@contextmanager
def replacing_content(
    path: Path, make: Callable[[Path], DatabaseStore]
) -> Generator[Sink]:
    """Replace what is in a database at a path, in one step.

    A new one is made beside its place: whoever is killed leaves none, and not an empty one.
    """
    with ExitStack() as stack:
        database_path(path)  # before anything is computed
        gathered = stack.enter_context(closing(Spool(path.parent)))
        yield gathered
        folder = path.parent
        if any(map(os.path.lexists, files_of(path))):
            with opened_folder(folder) as parent:
                clear(path, parent)
        else:
            folder = stack.enter_context(new_beside(path, folder=True))
        with closing(make(folder / path.name)) as store:
            store.replace_file(gathered)
        if folder != path.parent:
            move_files(folder, path.parent)


def move_files(folder: Path, target: Path) -> None:
    """Move the files of a new database to their places.

    Of a dbm, the values come last: without them there is no database.
    """
    with opened_folder(folder) as made:
        for name in sorted(os.listdir(folder if made is None else made))[::-1]:
            move(name_in(made, folder / name), target / name, made)
    flush(target)


def files_of(path: Path) -> list[Path]:
    """Name the files that a database at a path may have."""
    return [Path(f"{path}{suffix}") for suffix in DBM_SUFFIXES]


class _Raw:
    """Items with keys of bytes, which are drawn again where a database has to begin again."""

    def __init__(self, items: Pairs) -> None:
        self._items = items

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return ((raw_key(key), value) for key, value in self._items)


class Database(ABC):
    """An open database, shared by all stores of a path in a process.

    LMDB must not be opened twice in a process, and two handles of one dbm overwrite each other.
    """

    failures: tuple[type[Exception], ...] = ()
    _kept: tuple[object, bytes | None] = None, None

    def __init__(
        self, path: Path, kind: str, read_only: bool, options: dict[str, Any]
    ) -> None:
        self.path = path
        self.kind = kind
        self.read_only = read_only
        self.options = options
        self.pid: int = os.getpid()
        self.users = 0
        self.lock: threading.RLock = threading.RLock()
        with self.exclusively("opened"):
            self.open()
        try:
            self.identity: list[tuple[int, int]] = identity_of(path)
        except BaseException:  # or nobody could open it again in this process
            self.close()
            raise

    @contextmanager
    def exclusively(self, what: str) -> Generator[Database]:
        """Keep other threads out, and turn the backend's errors into one that names the path."""
        with self.lock:
            try:
                yield self
            except ZspyError:
                raise
            except self.failures as error:
                number = getattr(error, "errno", None)
                if number == errno.EAGAIN:
                    problem = f"another process has this {self.kind} database open"
                    kind = FormatError if self.read_only else EncodeError
                    raise kind(
                        problem, str(self.path), "try again when it is closed"
                    ) from error
                if isinstance(error, OSError) and number not in {
                    None,
                    errno.EINVAL,
                }:
                    # A lock, a full disk or a permission is no fault of the file.
                    raise
                # That of a module dbm may have files with endings alone.
                is_here = not self.read_only and self.path.exists()
                if is_here and not os.access(self.path, os.W_OK):
                    raise forbidden(self.path) from error
                problem = (
                    f"this {self.kind} database cannot be {what}: {str(error)[:99]}"
                )
                if what == "written":
                    raise OSError(f"{self.path}: {problem}") from error
                raise FormatError(
                    problem, str(self.path), "copy it again"
                ) from error

    @abstractmethod
    def open(self) -> None: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    def read(self, key: bytes, part: slice) -> bytes | None: ...
    def sizes(self, keys: Iterable[bytes]) -> list[int]:
        """Tell how many bytes there are of each key; none where it is not there."""
        return [len(self.read(key, ALL_BYTES) or b"") for key in keys]

    @abstractmethod
    def keys_with(self, prefix: bytes) -> list[bytes]: ...
    @abstractmethod
    def write(
        self, gone: Collection[bytes], items: RawItems, together: bool
    ) -> None:
        """Delete keys, and set others; `together` so that kills and power loss spare them."""

    @abstractmethod
    def flush(self) -> None: ...
    @abstractmethod
    def version(self) -> object: ...

    def forget(self) -> None:
        """Keep no value any more. A version need not tell what this process writes."""
        self._kept = None, None

    def refresh(self) -> None:  # noqa: B027 - few have anything to do
        """See what another process has changed, where that is not seen in any case."""

    def leave(self) -> None:
        """Let go in a child process: to be collected there would write in the parent's name."""
        inherited.append(self)


class WholeValues(Database):
    """A database that gives whole values only."""

    @abstractmethod
    def whole(self, key: bytes) -> bytes | None: ...

    def read(self, key: bytes, part: slice) -> bytes | None:
        """Give a part of a value, which is kept: a shard is read in thousands of parts."""
        if not part.start:
            value = self.whole(key)
        else:
            state = key, self.version()
            if self._kept[0] != state:
                self._kept = state, self.whole(key)
            value = self._kept[1]
        return None if value is None else bytes(value[part])


databases: Final[dict[Path, Database]] = {}
"""The open databases of this process, by path."""
inherited: Final[list[Database]] = []
"""The databases that belong to the parent of this process."""
_guard: Final = threading.RLock()


def _acquire(path: Path, read_only: bool, make: Callable[[], Database]) -> Database:
    """Give the open database of a path, or open it."""
    with _guard:
        database = databases.get(path)
        if database is not None and database.pid != os.getpid():
            database.leave()
            database = None
        if database is None or database.identity != identity_of(path):
            database = make()
            databases[path] = database
        database.users += 1
    try:
        # This stands outside of the guard: a thread with the lock may come to collect a store.
        with database.exclusively("opened"):
            database.refresh()
            if database.read_only and not read_only:
                database.close()
                database.read_only = False
                try:
                    database.open()
                except BaseException:  # those who read go on
                    database.read_only = True
                    database.open()
                    raise
    except BaseException:
        _release(database)
        raise
    return database


def _release(database: Database) -> None:
    """Close a database that no store of this process uses any more."""
    with _guard:
        if database.pid != os.getpid():
            return
        database.users -= 1
        if database.users:
            return
        if databases.get(database.path) is database:
            del databases[database.path]
        with database.exclusively("written"):
            database.close()


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Keep all others from changing a database that has no locks of its own.

    This is another lock than that of the file, which whoever comes here may hold. Where the file
    system has none, nobody is kept from it.
    """
    with ExitStack() as stack:
        with suppress(NoLockError):
            stack.enter_context(locked(f"{path}.dbm"))
        yield


def open_kind(path: Path) -> str | None:
    """Tell the kind of a database that this process has open.

    Its files must not be opened once more: closing them would drop the locks of the first.
    """
    database = databases.get(path)
    if database is not None and database.identity == identity_of(path):
        return database.kind
    return None


def database_path(path: Any, **flags: bool | None) -> Path:
    """Give the whole path of a database, and check what else is True, False or left to zspy."""
    check_choices(
        **{name: (one, (None, True, False)) for name, one in flags.items()}
    )
    if not isinstance(path, (str, os.PathLike)):
        raise unlike("path", path, "path", "use a str or a pathlib.Path")
    text = str(cast("object", path))
    try:
        whole = Path(text).resolve()
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            Path(f"{whole}-journal").lstat()  # nothing longer comes behind a name
    except (OSError, ValueError) as error:  # it is too long, or has a NUL in it
        problem = f"{text[:80]!r} is no path, or too long a name of a database"
        raise EncodeError(problem, "path", "name a file, like scan.zspy") from error
    return whole


def check_whole_number(value: object, name: str, most: int) -> None:
    """Refuse what is no number from zero to the largest that a database takes."""
    with taking(name):
        if not isinstance(value, int) or not 0 <= value <= most:
            problem = f"{shown(value):.80} is no whole number of a database"
            raise EncodeError(problem, name, f"use one from 0 to {most}")


def refuse_other_content(path: Path, kind: str, found: bool, create: bool) -> None:
    """Raise where a database is not there and cannot be made, or where something else is."""
    if found:
        return
    if path.is_dir():
        is_free = not any(path.iterdir())
    elif path.exists():
        is_free = path.stat().st_size == 0
    elif open_kind(path) is not None or library_of(path) is not None:
        is_free = False
    elif create:
        if not path.parent.is_dir():
            problem = "there is no such directory"
            raise MissingFolderError(problem, str(path.parent), "make it first")
        return
    else:
        remedy = "leave read_only out to make it"
        raise MissingFileError("there is no such database", str(path), remedy)
    if not is_free or not create:
        problem = f"something else than a database of the kind {kind} lies there"
        raise FormatError(problem, str(path), "use another name")


def library_of(path: Path) -> str | None:
    """Tell which module of the standard library made a dbm; nothing but files is looked into."""
    for suffix in DBM_SUFFIXES:
        file = Path(f"{path}{suffix}")
        if file.exists() and not file.is_file():
            return None
    # `whichdb` takes an error of the disk for no database, and a new one would be made.
    if Path(f"{path}.dat").exists():
        index = Path(f"{path}.dir")
        with suppress(FileNotFoundError), open_file(index, follow=True) as stream:
            if stream.read(1) in b"'\"":  # or it is empty
                return "dbm.dumb"
    return dbm.whichdb(path)


def open_file(path: Path, *, follow: bool = False) -> BinaryIO:
    """Open a regular file for reading. A pipe is refused, and a link where it is not followed."""
    flags = READ
    if not follow:
        refuse_links([path])
        flags |= NO_LINK
    # It is closed where it is a folder, which is an error.
    stream = open(path, "rb", 0, opener=lambda name, _: os.open(name, flags))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FormatError("it is no regular file", str(path), "remove it")
    return stream


def refuse_links(files: Iterable[Path]) -> None:
    """Refuse links in the place of the files of a database, which would lead out of it."""
    for file in files:
        if file.is_symlink():
            remedy = "put the file itself there"
            raise FormatError(
                "it is a link, which is not followed", str(file), remedy
            )


def identity_of(path: Path) -> list[tuple[int, int]]:
    """Tell the files of a database from others that have taken their place."""
    files = [Path(f"{path}{suffix}") for suffix in _IDENTIFYING]
    states = [file.stat() for file in files if file.exists()]
    return [(state.st_dev, state.st_ino) for state in states]


def raw_key(key: str) -> bytes:
    """Give the bytes of a key. Those that are no text are surrogates in it."""
    return key.encode("utf-8", "surrogateescape")


def text_key(key: bytes) -> str:
    """Give the text of a key, of which `raw_key` gives the same bytes."""
    return key.decode("utf-8", "surrogateescape")


def starting_with(prefix: bytes, keys: Iterable[bytes]) -> list[bytes]:
    """Take from sorted keys those at the front that begin with `prefix`."""
    return list(takewhile(lambda key: key.startswith(prefix), keys))
