"""What a reader of documents offers: their keys, their bytes, and parts of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from ..values.nodes import joined
from ..values.types import Documents

NODES: Final = frozenset({".zgroup", ".zarray", "zarr.json"})


class Listed(Mapping[str, bytes]):
    """Documents that can list those of their nodes without listing all chunks."""

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes."""
        return [key for key in self if key.rpartition("/")[2] in NODES]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        """Read a document, or a part of it."""
        return self[key][part]

    def below(self, folder: str) -> Iterable[str]:
        """List the keys below a folder."""
        return (key for key in self if key.startswith(joined(folder, "")))

    def size(self, keys: Iterable[str]) -> int:
        """Add up the sizes of documents, of those that exist."""
        return sum(len(self[key]) for key in keys if key in self)


class Given(Listed):
    """Documents in a mapping."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __getitem__(self, key: str) -> bytes:
        return self._documents[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)


def listed(documents: Documents) -> Listed:
    """View a mapping as documents that list their nodes."""
    return documents if isinstance(documents, Listed) else Given(documents)
