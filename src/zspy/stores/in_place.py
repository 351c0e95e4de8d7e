"""Files that are changed in place: each document is replaced by a rename, or in a transaction.

Whoever writes decides on the order, in which a killed writer leaves a valid file at each moment.
What cannot be changed like that, such as a zip, is refused by name.
"""

from __future__ import annotations

import os
import secrets
from abc import abstractmethod
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..values.errors import EncodeError
from ..values.nodes import joined
from ..values.types import is_mapping
from .backends import kind_of, located
from .base import Sink, is_n5, is_safe
from .replace import flush

if TYPE_CHECKING:
    from zarr.abc.store import Store

_PART: Final = ".zspy-part-"


class InPlace(Sink):
    """A file of which documents are replaced, each at once, in the order in which they come."""

    def remove_leftovers(self) -> None:
        """Remove what killed writers have left, where nobody else writes."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Read a document as it is stored, or None if there is none."""

    @abstractmethod
    def sync(self) -> None:
        """Bring what was put so far to the disk, where there is one."""


class DirectoryInPlace(InPlace):
    """Replaces documents of a directory: each is written beside, and then renamed."""

    from_other_processes = True

    def __init__(self, root: str, folder: str, durable: bool = False) -> None:
        self._root = root
        self._durable = (
            durable  # whether each document is on the disk before the next
        )
        self._folder = folder  # for what is not complete, below the root
        self._known = {""}  # folders that are there, none of them behind a link

    def __reduce__(self) -> tuple[type[DirectoryInPlace], tuple[str, str, bool]]:
        return DirectoryInPlace, (self._root, self._folder, self._durable)

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for key, data in documents:
            path = self._path(key)
            part = self._path(f"{self._folder}/{_PART}{secrets.token_hex(8)}")
            try:
                with open(part, "xb", buffering=0) as file:
                    left = memoryview(data)
                    while left:
                        left = left[file.write(left) :]
                    if self._durable:
                        os.fsync(file)
                os.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(part)
                raise

    def get(self, key: str) -> bytes | None:
        path = Path(self._path(key))
        if path.is_symlink() or not path.is_file():
            return None
        return path.read_bytes()

    def _path(self, key: str) -> str:
        """Make the folders of a key, and give its path; none of them may be a link."""
        if not is_safe(key):
            raise EncodeError("a key that leaves the file", key)
        folder = ""
        for name in key.split("/")[:-1]:
            folder = joined(folder, name)
            if folder not in self._known:
                path = f"{self._root}/{folder}"
                with suppress(FileExistsError):
                    os.mkdir(path)
                if os.path.islink(path):
                    raise EncodeError("a folder that is a link", key, "replace it")
                self._known.add(folder)
        return f"{self._root}/{key}"

    def sync(self) -> None:
        flush(Path(self._root), everything=True)

    def remove_leftovers(self) -> None:
        """Remove what killed writers have left, where nobody else writes."""
        folder = os.path.dirname(self._path(f"{self._folder}/{_PART}"))
        for name in os.listdir(folder):
            if name.startswith(_PART):
                with suppress(OSError):
                    os.unlink(f"{folder}/{name}")


class StoreInPlace(InPlace):
    """Replaces documents of a Zarr store, of a mapping, or of a database."""

    def __init__(self, store: Store, *, owned: bool = False) -> None:
        self._store = store
        self._owned = owned

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        from .zarr_store import write_all

        write_all(self._store, documents)

    def get(self, key: str) -> bytes | None:
        from .zarr_store import got, run

        return run(got(self._store, [key])).get(key)

    def sync(self) -> None:
        """Do nothing: a store brings its values to the disk itself."""

    def close(self) -> None:
        if self._owned:
            self._store.close()


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
    sink = _opened(located(place), folder, durable)
    try:
        yield sink
    finally:
        sink.close()


def refuse_whole(place: Any) -> None:
    """Refuse a file of a kind that is only replaced as a whole."""
    found = located(place)
    if isinstance(found, Path):
        kind = kind_of(found)
        if kind not in ("", "local", "lmdb") or (kind == "local" and is_n5(found)):
            raise _whole(kind)
    elif type(found).__name__ == "ZipStore":
        raise _whole("zip")


def _whole(kind: str) -> EncodeError:
    problem = f"a file of the kind {kind!r} does not grow, nor change, in place"
    return EncodeError(problem, "filename", "use a directory, or write it anew")


def _opened(found: Any, folder: str, durable: bool) -> InPlace:
    if isinstance(found, Path) and kind_of(found) == "local":
        return DirectoryInPlace(os.path.realpath(found), folder, durable)
    from .zarr_store import MappingStore, opened_store

    if isinstance(found, Path):
        from .lmdb import LMDBStore

        return StoreInPlace(LMDBStore(found), owned=True)
    if is_mapping(found):
        return StoreInPlace(MappingStore(found))
    return StoreInPlace(opened_store(found))
