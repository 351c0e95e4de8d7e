"""What the document of an array says, checked: the same for Zarr format 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..values.nodes import joined
from ..values.types import Compressor, ZarrFormat
from .codecs import CRC32C
from .limits import CELL


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayMetadata:
    """What the document of an array says: shapes in elements, `item` for object arrays."""

    zarr_format: ZarrFormat
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]  # in the bytes of a chunk
    byte_shape: tuple[
        int, ...
    ] = ()  # dimension of the stored array that is no dimension of this one
    cells: str | None = None
    compressor: Compressor | None = None
    filters: tuple[Compressor, ...] = ()
    order: str = "C"
    separator: str = "/"
    fill: Any = None  # None for zeros
    checksum: bool = False
    shards: tuple[int, ...] | None = None
    native: bool = True  # whether `decode_chunk` knows all about it
    foreign: bool = (
        False  # whether it has a codec that the reader allowed, for zarr-python
    )
    unknown: str = (
        ""  # its storage transformers, or its data type, where zspy has not heard of it
    )
    prefix: str = ""  # of the keys of chunks
    axes: tuple[int, ...] | None = None  # how a chunk is transposed
    index: str = "end"  # where a shard has its index
    complete: bool = False  # whether all of its chunks are known to have been written

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each dimension."""
        return tuple(
            -(-size // edge) for size, edge in zip(self.shape, self.chunks, strict=True)
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array in memory; of object arrays, without what the cells hold."""
        return prod(self.shape) * self.cost

    @property
    def cost(self) -> int:
        """Bytes of an element in memory; of a cell, without what it holds."""
        return self.dtype.itemsize if self.cells is None else CELL

    @property
    def stages(self) -> tuple[Compressor, ...]:
        """Filters, compressor and checksum, in the order in which they encode."""
        compressor = () if self.compressor is None else (self.compressor,)
        return (*self.filters, *compressor, *((CRC32C,) if self.checksum else ()))

    @property
    def stored_grid(self) -> tuple[int, ...]:
        """Number of documents along each dimension: of shards, or of chunks."""
        edges = self.shards or self.chunks
        return tuple(
            -(-size // edge) for size, edge in zip(self.shape, edges, strict=True)
        )

    @property
    def per_shard(self) -> tuple[int, ...]:
        """Number of chunks in a shard along each dimension; one where there are no shards."""
        shards = self.shards or self.chunks
        return tuple(
            shard // edge for shard, edge in zip(shards, self.chunks, strict=True)
        )

    def document(self, path: str) -> str:
        """Name the document that says all this of the array at a path."""
        return joined(path, ".zarray" if self.zarr_format == 2 else "zarr.json")

    def key(self, index: tuple[int, ...]) -> str:
        """Name the document of a chunk, or of a shard, below the array's path."""
        prefix = (self.prefix,) if self.prefix else ()
        numbers = map(str, index + (0,) * len(self.byte_shape))
        return self.separator.join((*prefix, *numbers)) or "0"
