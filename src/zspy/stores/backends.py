"""The backends, in the order in which they are asked; `commit` and `fetch` of any place."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError, MissingFileError
from .base import (
    DBM_SUFFIXES,
    NOTHING,
    STORE_TYPES,
    Kept,
    Opened,
    Sink,
    StoreType,
    is_n5,
    spread,
)
from .directory import Directory, DirectorySink
from .folders import HAS_DIR_FD
from .locking import TIMEOUT, locked
from .mapping import Mapped, replacing_keys
from .overwriting import is_zspy, refuse, refuse_overwrite
from .owned import foreign_keys
from .replace import present, replacing, restore

if TYPE_CHECKING:
    from .zarr_store import MappingStore

_DATABASES: Final = ("lmdb", "dbm", "sqlite")


def kind_of(path: Path) -> str:
    """Tell what lies at a path: a store type, ``sqlite``, ``unknown`` or nothing (``""``)."""
    if path.is_dir() and not (path / "data.mdb").is_file():
        return "local"
    if path.is_file():
        from .zip import is_zip

        if is_zip(path):
            return "zip"
    elif path.exists() and not path.is_dir():
        return "unknown"  # to open a pipe might wait for ever
    if not any(os.path.exists(f"{path}{suffix}") for suffix in DBM_SUFFIXES):
        return ""  # without a look at what needs zarr-python
    try:
        from . import dbm, lmdb, sqlite
    except ModuleNotFoundError as error:
        if error.name != "zarr":
            raise
        return "unknown" if path.exists() else ""  # databases need zarr-python

    if lmdb.recognise(path):
        return "lmdb"
    if sqlite.recognise(path):
        return "sqlite"
    if dbm.recognise(path):
        return "dbm"
    return "unknown" if path.exists() else ""


def _database(path: Path, kind: str, *, read_only: bool) -> MappingStore:
    from .dbm import DBMStore
    from .lmdb import LMDBStore
    from .sqlite import SQLiteStore

    if kind == "lmdb":
        return LMDBStore(path, read_only=read_only)
    kinds = {"dbm": DBMStore, "sqlite": SQLiteStore}
    store: MappingStore = kinds[kind](path, read_only=read_only)
    return store


def is_path(place: object) -> bool:
    """Tell a path from a store."""
    return isinstance(place, (str, os.PathLike))


def located(place: Any, options: Mapping[str, Any] | None = None) -> Any:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    is_url = isinstance(place, str) and "://" in place
    if is_path(place) and not is_url and not options:
        return Path(place)
    if type(place) is dict and not options:
        return cast("Any", place)
    from .given import located_elsewhere

    return located_elsewhere(place, options)


def name_of(place: Any) -> str:
    """Name a place in an error: without the secrets of a URL, nor all that a dictionary holds."""
    place = located(place)
    return "" if isinstance(place, Mapping) else str(place)


def holds(place: Any) -> bool:
    """Tell whether there is anything at a place."""
    if isinstance(place, Path):
        return kind_of(present(place)) != ""
    with closing(opened(place)) as file:
        return any(True for _ in file)


def is_far(place: Any) -> bool:
    """Tell a Zarr store that is far away from all other places."""
    if isinstance(place, (Path, Mapping)):
        return False
    from .zarr_store import is_remote

    return is_remote(place)


def settle_store(place: Any, closes: bool) -> None:
    """Complete what was written to a store that the caller has given, and close it or not."""
    if not isinstance(place, Mapping):
        from .zarr_store import reopened

        place.close()
        if not closes:
            reopened(place)


def opened(place: Any) -> Opened:
    """Open what lies at a place for reading.

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.
    """
    found = located(place)
    if isinstance(found, Mapping):
        return Mapped(cast("Any", found))
    if not isinstance(found, Path):
        from .zarr_store import reading

        return reading(found)
    place, found = found, present(found)
    match kind_of(found):
        case "local":
            directory = Directory(found)
            if present(place) != found:  # it was replaced meanwhile
                directory.close()
                return opened(place)
            if not is_n5(found):
                return directory
            from .n5 import N5

            return N5(directory)
        case "zip":
            from .zip import Zip

            return Zip(found)
        case "":
            raise MissingFileError("there is no such file", str(found))
        case "unknown":
            raise FormatError("nothing that zspy reads lies there", str(found))
        case kind:
            from .zarr_store import Stored

            return Stored(_database(found, kind, read_only=True), owned=True)


@contextmanager
def changing(place: Any, timeout: float | None = TIMEOUT) -> Generator[None]:
    """Keep other writers from a place for a block in which its file is read and then replaced.

    With None for a timeout nobody is kept from it.
    """
    found = located(place)
    path = found if isinstance(found, Path) else getattr(found, "path", None)
    if not isinstance(path, Path):
        yield
        return
    has_name = path.name != ""
    path = Path(os.path.realpath(path))
    if not has_name or not path.parent.is_dir():
        problem = "there is no such directory"
        raise EncodeError(problem, str(path.parent), "make it first")
    with locked(path, timeout):
        restore(path)
        yield


@contextmanager
def replaced(
    place: Any,
    kind: str | None,
    sync: bool,
    kept: Kept = NOTHING,
    overwrite: bool | None = True,
    keeps_foreign: bool = False,
) -> Generator[Sink]:
    """Replace the file at a place by what is kept of an old one and is written in the block.

    Whoever calls this is `changing` the place. What is kept may be replaced in any case. With
    `keeps_foreign`, what belongs to no Zarr node stays in the new file.
    """
    if kind not in (None, "sqlite", *STORE_TYPES):
        remedy = f"use one of {' or '.join(map(repr, STORE_TYPES))}"
        raise EncodeError(f"{kind!r} is no kind of store", "store_type", remedy)
    found = located(place)
    if kept is NOTHING:
        _check_overwrite(found, overwrite)
    if isinstance(found, Path):
        context = _replaced_at(
            Path(os.path.realpath(found)), kind, sync, keeps_foreign
        )
    elif type(found) is dict:
        context = replacing_keys(cast("dict[str, bytes]", found))
    else:
        from .given import replacing as replacing_given

        context = replacing_given(found)
    with context as sink:
        sink.keep(*kept)
        if keeps_foreign and isinstance(found, Path) and found.is_file():
            _keep_foreign(found, kept, sink)
        yield sink


def _keep_foreign(path: Path, kept: Kept, sink: Sink) -> None:
    """Keep entries of a zip that belong to no Zarr node."""
    from .zip import Zip, is_zip

    if not is_zip(path):
        return
    with suppress(FormatError), closing(Zip(path)) as file:
        if not NODES.isdisjoint(file):
            known = {old for old, _ in spread(*kept)}
            foreign = [key for key in foreign_keys([*file]) if key not in known]
            sink.keep(file, [(key, key) for key in foreign])


def _replaced_at(
    path: Path, kind: str | None, sync: bool, keeps_foreign: bool
) -> AbstractContextManager[Sink]:
    """Choose how to replace what lies at a path."""
    if kind in _DATABASES:
        if kind_of(path) not in ("", kind):
            problem = f"there is something else than {kind}"
            raise EncodeError(problem, str(path), "remove it first")
        return _transaction(path, kind)
    if path.is_dir():
        keeps_foreign = _check_folder(path, kind, keeps_foreign)
    elif path.exists() and not path.is_file():
        refuse(str(path))
    if kind == "zip":
        from .zip import ZipSink

        return replacing(path, ZipSink, folder=False, sync=sync)
    return replacing(
        path, DirectorySink, folder=True, sync=sync, keeps_foreign=keeps_foreign
    )


def _check_folder(path: Path, kind: str | None, keeps_foreign: bool) -> bool:
    """Refuse to replace a folder with what is of somebody else, unless that can stay.

    Tells whether there may be something that stays.
    """
    names = {*os.listdir(path)}
    is_database = "data.mdb" in names and names <= {"data.mdb", "lock.mdb"}
    if not names or is_database:
        return False
    if not NODES & names and not is_n5(path):
        problem = "the directory there is no Zarr group"
        raise EncodeError(problem, str(path), "remove it first")
    can_stay = kind != "zip" and HAS_DIR_FD and bool(NODES & names)
    if keeps_foreign and not can_stay:
        with closing(Directory(path)) as file:
            keys = [*file]
        foreign = foreign_keys(keys) if NODES & names else _beside_n5(keys)
        if foreign:
            problem = f"{foreign[0][:60]!r} in it belongs to no Zarr node"
            raise EncodeError(problem, str(path), "move it to another place first")
    return keeps_foreign and can_stay


def _beside_n5(keys: Iterable[str]) -> list[str]:
    return [
        key
        for key in keys
        if key.rpartition("/")[2] != "attributes.json" and not key[-1].isdigit()
    ]


def _check_overwrite(found: Any, overwrite: bool | None) -> None:
    """Refuse to replace what lies at a place, unless the caller allows it."""
    if overwrite is True:
        return
    where = name_of(found)
    if isinstance(found, Path):
        kind = kind_of(found)
        is_empty = kind == "local" and not os.listdir(found)
        if kind == "" or (is_empty and overwrite is None):
            return
        if overwrite is None and kind == "unknown":
            problem = "a file is there that is no .zspy file"
            raise EncodeError(problem, where, "use overwrite=True, if it may go")
        if overwrite is False:
            refuse_overwrite({}, overwrite, where)
    try:
        file = opened(found)
    except FormatError as error:
        if isinstance(error.__cause__, FileNotFoundError):  # a zip store to come
            return
        problem = "it cannot be told whether a .zspy file is there"
        remedy = "use overwrite=True, if it may go"
        raise EncodeError(problem, where, remedy) from error
    with closing(file):
        if overwrite is None and is_zspy(file):
            return
        if any(True for _ in file):
            refuse_overwrite(file, overwrite, where)


@contextmanager
def _transaction(path: Path, kind: str) -> Generator[Sink]:
    """Replace what is in a database, in one step."""
    from .spool import Spool

    with closing(Spool(path.parent)) as gathered:
        yield gathered
        with closing(_database(path, kind, read_only=False)) as store:
            store.replace_file(gathered.items())


def fetch(store: Any) -> Mapping[str, bytes]:
    """Give the documents of a store, as a mapping that reads each when it is asked for.

    Parameters
    ----------
    store : path, mapping of str to bytes, Zarr store or open LMDB environment

    Returns
    -------
    mapping of str to bytes

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     commit({".zgroup": b"{}"}, f"{folder}/x.zspy")
    ...     dict(fetch(f"{folder}/x.zspy"))
    {'.zgroup': b'{}'}
    """
    return opened(store)


def commit(
    documents: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    store: Any,
    *,
    store_type: StoreType | None = None,
    sync: bool = True,
) -> None:
    """Replace what a store holds by these documents, in one sweep.

    Parameters
    ----------
    documents : mapping, or pairs of key and bytes
        As `zspy.serialise` gives them. All are made before the first is written.
    store : path, mutable mapping of str to bytes, Zarr store or open LMDB environment
        At a path the old file is there whole until the new one is.
    store_type : {"local", "zip", "lmdb", "dbm"}, optional
        What to make at a path: a directory (the default), a zip file or a database.
    sync : bool, default True
        Bring everything to the disk before the new file takes the place of the old one.

    Raises
    ------
    EncodeError
        If nothing can be made there.

    Examples
    --------
    >>> memory = {}
    >>> commit({".zgroup": b"{}"}, memory)
    >>> memory
    {'.zgroup': b'{}'}
    """
    pairs = dict(documents)
    with changing(store), replaced(store, store_type, sync) as sink:
        sink.put(pairs.items())
