"""LMDB databases as zarr-python 2 wrote them. Writing needs the package lmdb."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from hashlib import blake2b
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..values.errors import EncodeError, FormatError, missing_package
from .base import InPlace, Opened, Replacing
from .database import (
    Database,
    DatabaseStore,
    RawItems,
    check_whole_number,
    database_path,
    open_file,
    open_kind,
    refuse_links,
    refuse_other_content,
    replacing_content,
)
from .lmdb_pages import DamageError, Pages, Span, damage
from .zarr_store import Stored, StoreInPlace

if TYPE_CHECKING:
    import lmdb

_MAGICS: Final = (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde")  # little and big endian
_LONGEST_KEY: Final = 511  # bytes of a key
_DIGEST: Final = 33  # bytes of what stands for the rest of a longer key


def recognise(path: Path) -> bool:
    """Tell an LMDB database: a folder with a `data.mdb`, or such a file alone."""
    kind = open_kind(path)
    if kind is not None:
        return kind == "lmdb"
    file = path / "data.mdb" if path.is_dir() else path
    try:
        with open_file(file, follow=True) as stream:
            head = stream.read(32)
    except (FileNotFoundError, IsADirectoryError, FormatError):
        return False
    return any(magic in head for magic in _MAGICS)


def unowned(keys: Collection[str]) -> list[str]:
    """Give the files of a folder that are none of the database."""
    return sorted({*keys} - {"data.mdb", "lock.mdb"})


def opened(path: Path) -> Opened:
    """Open a database for reading."""
    return Stored(LMDBStore(path, read_only=True), owned=True)


def replacing(path: Path, *_: object) -> Replacing:
    """Replace what is in a database, which brings it to the disk in any case."""
    return replacing_content(path, LMDBStore)


def in_place(path: Path, folder: str, durable: bool) -> InPlace:  # noqa: ARG001
    """Open a database whose documents are replaced, each batch in one transaction."""
    return StoreInPlace(LMDBStore(path), owned=True)


class LMDBStore(DatabaseStore):
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
        Options of ``lmdb.open``, for writing. `sync` and `metasync` are off: what is written goes
        to the disk with `update`, `replace` and `close`. LMDB has in memory what one transaction
        writes.

    Notes
    -----
    What is only read needs no package, writes nothing and takes no lock.

    LMDB holds keys of up to 511 bytes. What has a longer one (members of groups far down in a tree,
    with long names) is kept under the begin of its key and a digest; zarr-python 2 does not see it.

    Raises
    ------
    ImportError
        If something is to be written and the package lmdb is not installed.
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
        given: dict[str, Any] = {}
        if not isinstance(path, (str, os.PathLike)) and callable(
            getattr(path, "flags", None)
        ):
            given = {"environment": path}
            read_only = read_only or path.flags()["readonly"]
            path = path.path()
        path = database_path(path, read_only=read_only, subdir=subdir)
        if map_size is not None:
            check_whole_number(map_size, "map_size", 2**63 - 1)
        if not read_only:
            try:
                import_module("lmdb")
            except ImportError as error:
                raise missing_package("lmdb", "lmdb") from error
        if not given:
            refuse_other_content(
                path, "lmdb", recognise(path), create=not read_only
            )
        options["subdir"] = not path.is_file() if subdir is None else subdir
        # Windows gives a database its whole map on the disk.
        options["map_size"] = map_size or (2**28 if os.name == "nt" else 2**40)
        self._options = {"path": path, **options}
        quick = {"sync": False, "metasync": False, "max_spare_txns": 0}
        super().__init__(_LMDB, "lmdb", read_only, quick | options | given)


class _LMDB(Database):
    """An open environment; or where it is only read, the pages of its file."""

    failures: tuple[type[Exception], ...] = (DamageError,)
    _pages: Pages | None = None

    def open(self) -> None:
        is_given = "environment" in self.options
        in_folder = self.options["subdir"]
        file = self.path / "data.mdb" if in_folder else self.path
        if self.read_only and not is_given:
            self._pages = Pages(file)
            return
        import lmdb

        self._pages = None
        self.failures = (DamageError, lmdb.Error)
        if is_given:
            self._env: lmdb.Environment = self.options["environment"]
            return
        lock = self.path / "lock.mdb" if in_folder else Path(f"{self.path}-lock")
        refuse_links([file, lock])
        if file.exists() and file.stat().st_size:
            problem = damage(file)
            if problem is not None:
                raise DamageError(problem)
        try:
            self._env = lmdb.open(str(self.path), **self.options)
        # These name none of them.
        except (TypeError, ValueError, OverflowError, SystemError) as error:
            problem = f"{error}, among {', '.join(self.options)}"
            raise EncodeError(problem, "options", "see lmdb.open") from error
        except lmdb.MemoryError as error:
            problem = (
                f"the system gives no {self.options['map_size']} addresses to map"
            )
            remedy = (
                "raise its limit (ulimit -v), or open an LMDBStore with a map_size"
            )
            raise EncodeError(problem, str(self.path), remedy) from error

    def close(self) -> None:
        if self._pages is not None:
            self._pages.close()
        elif "environment" not in self.options:
            with closing(self._env):
                self.flush()

    def leave(self) -> None:
        super().leave()
        if self._pages is None and "environment" not in self.options:
            # It caches no readers, so that the parent loses none.
            self._env.close()

    def flush(self) -> None:
        if self._pages is None and not self._env.flags()["readonly"]:
            self._env.sync(True)

    @contextmanager
    def _synced(self) -> Generator[None]:
        """Let LMDB bring data to the disk before what points to it, as it does by default."""
        if "environment" in self.options or self.options["sync"]:
            yield
            self.flush()
            return
        import lmdb

        self.close()
        synced = self.options | {"sync": True, "metasync": True}
        self._env = lmdb.open(str(self.path), **synced)
        try:
            yield
        finally:
            self._env.close()
            self._env = lmdb.open(str(self.path), **self.options)

    def version(self) -> object:
        if self._pages is not None:
            return self._pages.version()
        return self._env.info()["last_txnid"]

    def _begin(self, *, write: bool = False) -> lmdb.Transaction[memoryview]:
        import lmdb

        try:
            return self._env.begin(write=write, buffers=True)
        except lmdb.MapResizedError:
            # Another process has made the map larger.
            self._env.set_mapsize(0)
            return self._env.begin(write=write, buffers=True)

    def read(self, key: bytes, part: slice) -> bytes | None:
        name = _name(key)
        if not name:
            return None
        pages = self._pages
        if pages is not None:
            return pages.reading(partial(_read_pages, pages, name, key, part))
        with self._begin() as transaction:
            record = transaction.get(name)
            if record is None:
                return None
            found, start = _key_of(name, record)
            return bytes(record[start:][part]) if found == key else None

    def sizes(self, keys: Iterable[bytes]) -> list[int]:
        pages = self._pages
        if pages is None:
            return super().sizes(keys)
        return pages.reading(partial(_sizes_in_pages, pages, [*keys]))

    def keys_with(self, prefix: bytes) -> list[bytes]:
        start = prefix[: _LONGEST_KEY - _DIGEST]
        pages = self._pages
        if pages is not None:
            keys = pages.reading(partial(_list_pages, pages, start))
        else:
            with self._begin() as transaction, transaction.cursor() as cursor:
                cursor.set_range(start)
                records = (
                    (bytes(name), value) for name, value in cursor.iternext()
                )
                here = takewhile(
                    lambda record: record[0].startswith(start), records
                )
                keys = [_key_of(name, value)[0] for name, value in here]
        return [key for key in sorted(keys) if key.startswith(prefix)]

    def write(
        self, gone: Collection[bytes], items: RawItems, together: bool
    ) -> None:
        with self._synced() if together else nullcontext():
            self._write(gone, items)

    def _write(self, gone: Collection[bytes], items: RawItems) -> None:
        import lmdb

        try:
            with self._begin(write=True) as transaction:
                for name in filter(None, map(_name, gone)):
                    transaction.delete(name)
                for key, value in items:
                    _put(transaction, key, value)
        except lmdb.MapFullError:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
            self._write(gone, items)


def _put(
    transaction: lmdb.Transaction[memoryview], key: bytes, value: bytes
) -> None:
    name = _name(key)
    if not name:
        raise EncodeError("LMDB holds no empty key", "", "give it a name")
    if name != key:
        value = len(key).to_bytes(4, "little") + key + value
    transaction.put(name, value)


def _name(key: bytes) -> bytes:
    """Name a record: by its key, or where that is too long by its begin and a digest."""
    if len(key) <= _LONGEST_KEY:
        return key
    digest = blake2b(key, digest_size=16).hexdigest()
    return key[: _LONGEST_KEY - _DIGEST] + b"%" + digest.encode()


def _key_of(name: bytes, record: bytes | memoryview) -> tuple[bytes, int]:
    """Give the key of a record, and where its value begins: the value of a long key has that."""
    if len(name) == _LONGEST_KEY:
        start = 4 + int.from_bytes(record[:4], "little")
        key = bytes(record[4:start])
        if len(key) > _LONGEST_KEY and _name(key) == name:
            return key, start
    return name, 0


def _key_in(pages: Pages, name: bytes, span: Span) -> tuple[bytes, int]:
    if len(name) < _LONGEST_KEY:
        return name, 0
    size = int.from_bytes(pages.bytes_at(span, slice(4)), "little")
    return _key_of(name, pages.bytes_at(span, slice(4 + size)))


def _read_pages(
    pages: Pages,
    name: bytes,
    key: bytes,
    part: slice,
    records: Mapping[bytes, Span],
) -> bytes | None:
    span = _span(pages, name, key, records)
    return None if span is None else pages.bytes_at(span, part)


def _span(
    pages: Pages, name: bytes, key: bytes, records: Mapping[bytes, Span]
) -> Span | None:
    """Tell where the value of a key lies, or None where it is not there."""
    if name not in records:
        return None
    begin, size = records[name]
    found, start = _key_in(pages, name, (begin, size))
    return (begin + start, size - start) if found == key else None


def _sizes_in_pages(
    pages: Pages, keys: Iterable[bytes], records: Mapping[bytes, Span]
) -> list[int]:
    spans = (_span(pages, _name(key), key, records) for key in keys)
    return [0 if span is None else pages.allocated_size(span) for span in spans]


def _list_pages(
    pages: Pages, start: bytes, records: Mapping[bytes, Span]
) -> list[bytes]:
    return [
        _key_in(pages, name, span)[0]
        for name, span in records.items()
        if name.startswith(start)
    ]
