"""Files that are changed in place: each document is replaced by a rename, or in a transaction.

Whoever writes decides on the order, in which a killed writer leaves a valid file at each moment.
What cannot be changed like that, such as a zip, is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ..values.errors import EncodeError
from .backends import backend_of, kind_of, located, writer_of
from .base import InPlace, Opened


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
        sink = _opener(found)(Path(os.path.realpath(found)), folder, durable)
    else:
        from .zarr_store import MappingStore, StoreInPlace, opened_store

        if isinstance(found, Mapping):
            store: Any = MappingStore(cast("Any", found))
        else:
            store = opened_store(found)
        sink = StoreInPlace(store)
    try:
        yield sink
    finally:
        sink.close()


def refuse_whole(place: Any) -> None:
    """Refuse a file of a kind that is only replaced as a whole."""
    found = located(place)
    if isinstance(found, Path):
        if kind_of(found) != "":
            _opener(found)
    elif hasattr(found, "opened"):  # a file object
        raise _replaced_only("zip")
    elif not isinstance(found, Mapping):
        from zarr.storage import ZipStore

        if isinstance(found, ZipStore):
            raise _replaced_only("zip")


def refuse_remade(file: Opened) -> None:
    """Refuse an open file that is only replaced as a whole, though its place does not tell."""
    if file.kind is not None:
        raise _replaced_only(file.kind)


def refuse_kind(kind: str | None) -> None:
    """Refuse to make a file of a kind that is only replaced as a whole."""
    backend, module = writer_of(kind)
    if not hasattr(module, "in_place"):
        raise _replaced_only(backend.name, "store_type")


def _opener(path: Path) -> Callable[..., InPlace]:
    """Give what opens a file at a path to be changed in place."""
    found = backend_of(path)
    if found is None or not hasattr(found[1], "in_place"):
        raise _replaced_only(kind_of(path))
    return cast("Callable[..., InPlace]", found[1].in_place)


def _replaced_only(kind: str, where: str = "filename") -> EncodeError:
    problem = f"a file of the kind {kind!r} does not grow, nor change, in place"
    return EncodeError(problem, where, "use a directory, or write it anew")
