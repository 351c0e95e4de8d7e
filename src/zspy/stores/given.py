"""Places that a caller gives as an object, known by the names of their types: none is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from ..values.errors import EncodeError


def located_elsewhere(place: Any, options: Mapping[str, Any] | None) -> Any:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    if isinstance(place, str):
        from .url import open_url

        return open_url(place, options or {})
    if options:
        raise EncodeError(
            "only a URL has options", "storage_options", "leave them out"
        )
    for one in type(place).__mro__:
        for name in (f"{one.__module__}.{one.__qualname__}", one.__module__):
            if name in _PLACES:
                return _PLACES[name](place)
    if isinstance(place, Mapping) or hasattr(place, "opened"):
        return cast("Any", place)  # which it is already
    problem = f"a {type(place).__qualname__} is no place for a file"
    raise EncodeError(
        problem, "filename", "use a path, a URL, a mapping or a Zarr store"
    )


def _store(store: Any) -> Any:
    from .url import local_path

    return local_path(store) or store


def _mapper(mapper: Any) -> Any:
    from zarr.storage import FsspecStore

    return _store(FsspecStore.from_mapper(mapper))


def _client(client: Any) -> Any:
    from zarr.storage import ObjectStore

    return _store(ObjectStore(client))


def _environment(environment: Any) -> Any:
    from .lmdb import LMDBStore

    return LMDBStore(environment)


def _dbm(database: Any) -> Any:
    from .dbm import KeysOfBytes

    return KeysOfBytes(database)


def _binary(file: Any) -> Any:
    from .binary import Binary

    return Binary(file)


def _below(path: Any) -> Any:
    place = _store(path.store)
    if not path.path:
        return place
    if isinstance(place, Path):
        return place / path.path
    problem = f"a group inside of a {type(place).__name__} is no place for a file"
    raise EncodeError(problem, "filename", "use a store that begins at the group")


_PLACES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "zarr.abc.store.Store": _store,
    "zarr.core.group.Group": lambda group: _below(group.store_path),
    "zarr.storage._common.StorePath": _below,
    "fsspec.mapping.FSMap": _mapper,
    "obstore.store": _client,
    "builtins.Environment": _environment,  # as the compiled module of lmdb calls it
    "lmdb.cffi.Environment": _environment,
    **dict.fromkeys(
        (
            "_io._BufferedIOBase",
            "_io._RawIOBase",
            "io.IOBase",
            "tempfile._TemporaryFileWrapper",
        ),
        _binary,
    ),
    **dict.fromkeys(("_gdbm", "_dbm", "dbm.dumb", "dbm.sqlite3"), _dbm),
}
"""What makes a place of an object, by the name of its type, or of the module of that."""
