"""Places that a caller gives as an object: Zarr stores, mappings, open databases, clients."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, cast

from zarr.abc.store import Store
from zarr.storage import ZipStore

from ..values.errors import EncodeError, a_kind
from .base import Sink
from .database import DatabaseStore, Spool
from .dbm import KeysOfBytes
from .lmdb import LMDBStore
from .mapping import Gathered
from .url import local_path, open_url
from .zarr_store import MappingStore, StoreSink, cut, opened_store

_DBM: Final = ("_gdbm", "_dbm", "dbm.dumb", "dbm.sqlite3")


def located_elsewhere(
    place: Any, options: Mapping[str, Any] | None
) -> Path | Mapping[str, bytes] | Store:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    if isinstance(place, str):
        return open_url(place, options or {})
    if options:
        raise EncodeError(
            "only a URL has options", "storage_options", "leave them out"
        )
    mapper: Any = getattr(sys.modules.get("fsspec"), "FSMap", ())
    if isinstance(place, mapper):
        from zarr.storage import FsspecStore

        place = FsspecStore.from_mapper(place)
    elif type(place).__module__.partition(".")[0] == "obstore":
        from zarr.storage import ObjectStore

        place = ObjectStore(place)
    environment: Any = getattr(sys.modules.get("lmdb"), "Environment", ())
    if isinstance(place, Store):
        return local_path(place) or place
    if type(place).__module__ in _DBM:
        return KeysOfBytes(place)
    if isinstance(place, Mapping):
        return cast("Mapping[str, bytes]", place)
    if isinstance(place, environment):
        return LMDBStore(place)
    problem = f"{a_kind(place)} is no place for a file"
    raise EncodeError(
        problem, "filename", "use a path, a URL, a mapping or a Zarr store"
    )


@contextmanager
def replacing(place: Any) -> Generator[Sink]:
    """Replace what a mapping or a Zarr store holds; only databases do it in one step."""
    store: Store = (
        MappingStore(cast("Any", place)) if isinstance(place, Mapping) else place
    )
    if store.read_only:
        raise EncodeError(
            "the store is read-only", "filename", "open it for writing"
        )
    if isinstance(store, MappingStore):
        is_database = isinstance(store, DatabaseStore)
        spool = Spool(cast("Any", store).path.parent) if is_database else Gathered()
        with closing(spool) as gathered:
            yield gathered
            store.replace_file(gathered.items())
    else:
        sink = StoreSink(opened_store(store))
        if isinstance(store, ZipStore):
            cut(store)
        yield sink
        sink.close()
