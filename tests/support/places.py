"""Places for a file: a path for each kind that the table of backends can make, and other ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from zarr.storage import LocalStore, MemoryStore

from zspy.stores.backends import BACKENDS, STORE_TYPES, StoreType, commit
from zspy.stores.sqlite import SQLiteStore

IN_PLACE: Final = tuple(
    one.name for one in BACKENDS if one.is_choice and hasattr(one.load(), "in_place")
)
"""The kinds of files that grow, and change in place."""
ONLY_WHOLE: Final = tuple(name for name in STORE_TYPES if name not in IN_PLACE)
DATABASES: Final = tuple(one.name for one in BACKENDS if one.is_database)
FILES: Final[tuple[Any, ...]] = tuple(name for name in STORE_TYPES if name not in DATABASES)
"""The kinds of which the file itself is replaced."""
IN_MEMORY: Final = ("dict", "memory")
_OTHERS: Final[dict[str, Callable[[Path], Any]]] = {
    "dict": lambda _: dict[str, bytes](),
    "memory": lambda _: MemoryStore(),
    "store": LocalStore,
    "sqlite": SQLiteStore,
}


def place_of(kind: str, path: Path) -> tuple[Any, dict[str, Any]]:
    """Give a place of a kind, and what `file_writer` is told to make such a file there."""
    if kind in _OTHERS:
        return _OTHERS[kind](path), {}
    return path, {"store_type": kind}


@cache
def makes_folder(kind: StoreType) -> bool:
    """Tell whether a file of a kind is a folder."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "scan.zspy")
        commit({".zgroup": b"{}"}, path, store_type=kind)
        return path.is_dir()
