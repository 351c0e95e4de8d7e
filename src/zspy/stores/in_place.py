"""Files that are changed in place: each document is replaced by a rename, or in a transaction.

Whoever writes decides on the order, in which a killed writer leaves a valid file at each moment.
What cannot be changed like that, such as a zip, is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ..values.errors import EncodeError
from .backends import BY_NAME, backend_of, kind_of, located
from .base import InPlace, Openable


@contextmanager
def in_place(
    place: Any, folder: str, *, durable: bool = False
) -> Generator[InPlace]:
    """Open a file whose documents are to be replaced; parts lie in a folder of it meanwhile.

    Raises
    ------
    EncodeError
        If the file is of a kind that is only replaced as a whole.
    """
    refuse_whole(place)
    found = located(place)
    if isinstance(found, Path):
        _, module = cast("tuple[Any, Any]", backend_of(found))
        sink: InPlace = module.in_place(
            Path(os.path.realpath(found)), folder, durable
        )
    else:
        from .zarr_store import MappingStore, StoreInPlace, opened_store

        if isinstance(found, Mapping):
            found = MappingStore(cast("Any", found))
        sink = StoreInPlace(opened_store(found))
    try:
        yield sink
    finally:
        sink.close()


def refuse_whole(place: Any) -> None:
    """Refuse a file of a kind that is only replaced as a whole."""
    found = located(place)
    kind = getattr(found, "kind", None)
    if isinstance(found, Path):
        kind = kind_of(found)
    elif not isinstance(found, (Mapping, Openable)):
        from zarr.storage import ZipStore

        kind = "zip" if isinstance(found, ZipStore) else None
    refuse_kind(kind, "filename")


def refuse_kind(kind: str | None, where: str) -> None:
    """Refuse a kind of file that is only replaced as a whole."""
    backend = BY_NAME.get(kind or "local")
    if backend is None or not hasattr(backend.load(), "in_place"):
        problem = f"a file of the kind {kind!r} does not grow, nor change, in place"
        raise EncodeError(problem, where, "use a directory, or write it anew")
