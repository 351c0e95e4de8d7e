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
from .backends import (
    BY_NAME,
    StoreType,
    backend_of,
    kind_named,
    kind_of,
    writer_of,
)
from .base import InPlace, Openable
from .other_files import refusal


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
    if isinstance(place, Path):
        found = backend_of(place)
        if found is None:
            raise refusal(place)
        sink: InPlace = found[1].in_place(
            Path(os.path.realpath(place)), folder, durable
        )
    else:
        from .zarr_store import MappingStore, StoreInPlace, opened_store

        if isinstance(place, Mapping):
            place = MappingStore(cast("Any", place))
        sink = StoreInPlace(opened_store(place))
    try:
        yield sink
    finally:
        sink.close()


def refuse_whole(place: Any) -> None:
    """Refuse a file of a kind that is only replaced as a whole."""
    kind = getattr(place, "kind", None)
    if isinstance(place, Path):
        kind = kind_of(place)
    elif not isinstance(place, (Mapping, Openable)):
        from zarr.storage import ZipStore

        kind = "zip" if isinstance(place, ZipStore) else None
    refuse_kind(kind, "filename")


def refuse_new(place: Any, kind: StoreType | None) -> None:
    """Refuse to begin a file of a kind that is only replaced as a whole."""
    refuse_kind(writer_of(kind or kind_named(place))[0].name, "store_type")


def refuse_kind(kind: str | None, where: str) -> None:
    """Refuse a kind of file that is only replaced as a whole."""
    backend = BY_NAME.get(kind or "local")
    if backend is None or not hasattr(backend.load(), "in_place"):
        problem = f"a file of the kind {kind!r} does not grow, nor change, in place"
        raise EncodeError(problem, where, "use a directory, or write it anew")
