"""LMDB databases as zarr-python 2 wrote them. They need the package lmdb."""

from __future__ import annotations

import os
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..values.errors import EncodeError, FormatError, missing_package
from .database import Database, DatabaseStore, RawChanges, expect, open_kind
from .lmdb_pages import damage

if TYPE_CHECKING:
    import lmdb

_MAGICS: Final = (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde")  # little and big endian


def recognise(path: Path) -> bool:
    """Tell an LMDB database: a folder with a `data.mdb`, or such a file alone."""
    kind = open_kind(path)
    if kind is not None:
        return kind == "lmdb"
    file = path / "data.mdb" if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            head = stream.read(32)
    except OSError:
        return False
    return any(magic in head for magic in _MAGICS)


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
            raise missing_package("lmdb", "lmdb") from error

        given: dict[str, Any] = {}
        if isinstance(path, lmdb.Environment):
            given = {"environment": path}
            read_only = read_only or path.flags()["readonly"]
            path = path.path()
        path = Path(path).resolve()
        if not given:
            expect(path, "lmdb", recognise(path), create=not read_only)
        options["subdir"] = not path.is_file() if subdir is None else subdir
        # Windows gives a database its whole map on the disk.
        options["map_size"] = map_size or (2**28 if os.name == "nt" else 2**40)
        self._options = {"path": path, **options}
        quick = {"sync": False, "metasync": False, "max_spare_txns": 0}
        super().__init__(_LMDB, "lmdb", read_only, quick | options | given)


class _LMDB(Database):
    def open(self) -> None:
        import lmdb

        self.failures = (lmdb.Error,)
        self._is_given = "environment" in self.options
        if self._is_given:
            self._env: lmdb.Environment = self.options["environment"]
            return
        file = self.path / "data.mdb" if self.options["subdir"] else self.path
        if file.exists() and file.stat().st_size:
            problem = damage(file)
            if problem is not None:
                problem = f"this lmdb database cannot be opened: {problem}"
                raise FormatError(problem, str(self.path), "copy it again")
        lock = not self.read_only or os.access(file.parent, os.W_OK)
        options = {"readonly": self.read_only, "lock": lock, **self.options}
        self._env = lmdb.open(str(self.path), **options)

    def close(self) -> None:
        if not self._is_given:
            self.flush()
            self._env.close()

    def leave(self) -> None:
        super().leave()
        if not self._is_given:
            # It caches no readers, so that the parent loses none.
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
        except lmdb.MapResizedError:
            # Another process has made the map larger.
            self._env.set_mapsize(0)
            return self._env.begin(write=write, buffers=True)

    def _name(self, key: bytes) -> bytes:
        """Name a record: by its key, or where that is too long by its begin and a digest."""
        most = self._env.max_key_size()
        if len(key) <= most:
            return key
        digest = blake2b(key, digest_size=16).hexdigest()
        return key[: most - 33] + b"%" + digest.encode()

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
        if not name:
            return None
        with self._begin() as transaction:
            record = transaction.get(name)
            if record is None:
                return None
            found, value = self._parted(name, record)
            return bytes(value[part]) if found == key else None

    def names(self, prefix: bytes) -> list[bytes]:
        start = prefix[: self._env.max_key_size() - 33]
        with self._begin() as transaction, transaction.cursor() as cursor:
            cursor.set_range(start)
            records = ((bytes(name), value) for name, value in cursor.iternext())
            here = takewhile(lambda record: record[0].startswith(start), records)
            keys = sorted(self._parted(name, value)[0] for name, value in here)
        return [key for key in keys if key.startswith(prefix)]

    def write(self, changes: RawChanges, clear: bool) -> None:
        import lmdb

        try:
            with self._begin(write=True) as transaction:
                if clear:
                    transaction.drop(self._env.open_db(), delete=False)
                for key, value in changes:
                    self._put(transaction, key, value)
        except lmdb.MapFullError:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
            self.write(changes, clear)

    def _put(
        self, transaction: lmdb.Transaction[memoryview], key: bytes, value: bytes | None
    ) -> None:
        name = self._name(key)
        if value is None:
            if name:
                transaction.delete(name)
            return
        if not name:
            raise EncodeError("LMDB holds no empty key", "", "give it a name")
        if name != key:
            value = len(key).to_bytes(4, "little") + key + value
        transaction.put(name, value)
