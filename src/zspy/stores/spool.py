"""What replaces a database, gathered in a file without a name and not in memory."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping
from pathlib import Path

from .base import Sink


class Spool(MutableMapping[str, bytes], Sink):
    """Gathers what replaces a database: its values in a file without a name, not in memory."""

    def __init__(self, folder: Path) -> None:
        near = folder if os.access(folder, os.W_OK) else None
        self._file = tempfile.TemporaryFile(dir=near)  # noqa: SIM115 - it ends with this
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def __setitem__(self, key: str, value: bytes) -> None:
        with self._lock:
            self._places[key] = self._file.seek(0, os.SEEK_END), len(value)
            self._file.write(value)

    def __getitem__(self, key: str) -> bytes:
        with self._lock:
            start, size = self._places[key]
            self._file.seek(start)
            return self._file.read(size)

    def __delitem__(self, key: str) -> None:
        del self._places[key]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._places))

    def __len__(self) -> int:
        return len(self._places)

    def items(self) -> ItemsView[str, bytes]:
        return Spooled(self)

    def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
        self.update(documents)

    def close(self) -> None:
        self._file.close()


class Spooled(ItemsView[str, bytes]):
    """What need not be drawn before it is written."""
