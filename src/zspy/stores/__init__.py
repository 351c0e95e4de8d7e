"""Documents to a place and back: directories, zip files, mappings, Zarr stores and URLs.

Directories, zip files and mappings do without zarr-python, which all else needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.faces import face

if TYPE_CHECKING:
    from .backends import commit, fetch
    from .dbm import DBMStore
    from .lmdb import LMDBStore
    from .zarr_store import MappingStore

__all__ = [
    "DBMStore",
    "LMDBStore",
    "MappingStore",
    "commit",
    "fetch",
]

_HOME = {
    "DBMStore": "dbm",
    "LMDBStore": "lmdb",
    "MappingStore": "zarr_store",
    "commit": "backends",
    "fetch": "backends",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
