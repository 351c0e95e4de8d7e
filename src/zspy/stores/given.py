"""Places that a caller gives as an object, known by the names of their types: none is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from ..values.errors import EncodeError, unlike
from .base import Openable


def located_elsewhere(place: Any, options: Mapping[str, Any] | None) -> Any:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    if isinstance(place, str) and "://" in place:
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
    if isinstance(place, (Mapping, Openable)):
        return cast("Any", place)  # which it is already
    remedy = "use a path, a URL, an open binary file, a mapping or a Zarr store"
    if type(place) in (bytes, bytearray, memoryview):
        remedy = "use a path as text (os.fsdecode), or io.BytesIO of a zip"
    raise unlike("place for a file", place, "filename", remedy)


def _store(store: Any) -> Any:
    from .url import guarded

    return guarded(store)


def _mapper(mapper: Any) -> Any:
    from zarr.storage import FsspecStore

    return _store(FsspecStore.from_mapper(mapper))


def _client(client: Any) -> Any:
    from zarr.storage import ObjectStore

    return _store(ObjectStore(client))


def _universal(path: Any) -> Any:
    from .url import open_url

    return open_url(str(path), path.storage_options)


def _made(module: str, name: str, place: Any) -> Any:
    """Make a place by a class of a module that few need."""
    return getattr(import_module(module, __package__), name)(place)


def _hdf5(group: Any) -> NoReturn:
    """Refuse what would take keys like a mapping, in a file that is not zspy's."""
    remedy = "give zspy.write_hspy and read_hspy the name of the file"
    raise unlike("place for a file", group, "filename", remedy)


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
    "h5py._hl.group.Group": _hdf5,
    "obstore.store": _client,
    "upath.core": _universal,
    # The first is what the compiled module of lmdb calls it.
    **dict.fromkeys(
        ("builtins.Environment", "lmdb.cffi.Environment"),
        partial(_made, ".lmdb", "LMDBStore"),
    ),
    **dict.fromkeys(
        (
            "_io._BufferedIOBase",
            "_io._RawIOBase",
            "io.IOBase",
            "tempfile._TemporaryFileWrapper",
        ),
        partial(_made, ".binary", "Binary"),
    ),
    **dict.fromkeys(
        ("_gdbm", "_dbm", "dbm.dumb", "dbm.sqlite3"),
        partial(_made, ".dbm", "KeysOfBytes"),
    ),
}
"""What makes a place of an object, by the name of its type, or of the module of that."""
