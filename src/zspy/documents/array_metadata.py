"""What the document of an array says, checked: the same for Zarr format 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Final

from ..values.nodes import joined
from ..values.types import Compressor, DType, Edges, ZarrFormat
from .codecs import CRC32C
from .limits import CELL
from .stages import Stage, passed_size, stages_of

# How often the bytes of a chunk go through its codecs at no charge.
_PASSES: Final = 4


def times(sizes: Edges, edges: Edges) -> Edges:
    """Count how often edges fit into sizes, a part of one as well."""
    return tuple(-(-size // edge) for size, edge in zip(sizes, edges, strict=True))


@dataclass(frozen=True, kw_only=True)
class ArrayMetadata:
    """What the document of an array says; shapes are counted in elements.

    The arrays of a tree share very few of them, so what follows from one is computed once.

    Parameters
    ----------
    zarr_format : {2, 3}
    shape, chunks, shards : tuple of int
        Of the array, of a chunk, and of a shard where there are shards.
    dtype, stored : dtype
        Of the elements in memory, and in the bytes of a chunk.
    byte_shape : tuple of int
        The last dimension of the stored array, where it holds the bytes of an element.
    cells : str or None
        The object codec of an object array, or the dtype of the arrays in its cells.
    filters, compressor, checksum
        What a chunk is encoded by, in this order; the checksum is that of format 3.
    axes : tuple of int or None
        The order in which the dimensions of a chunk are stored, where it is another: Fortran's.
    separator, prefix : str
        Of the keys of chunks.
    fill : array or None
        What a chunk that is not stored holds; None for zeros.
    index : {"start", "end"}
        Where a shard has its index.
    needs_zarr : bool
        Whether it has a codec that the reader allowed, which zarr-python decodes.
    unsupported : str
        What it needs that zspy does not support; empty where there is nothing.
    disputed : str
        The fill value where readers understand it differently; empty where they agree.
    complete : bool
        Whether all of its chunks are known to have been written.
    """

    zarr_format: ZarrFormat
    shape: Edges
    chunks: Edges
    dtype: DType
    stored: DType
    byte_shape: Edges = ()
    cells: str | None = None
    compressor: Compressor | None = None
    filters: tuple[Compressor, ...] = ()
    checksum: bool = False
    axes: Edges | None = None
    separator: str = "/"
    prefix: str = ""
    fill: Any = None
    shards: Edges | None = None
    index: str = "end"
    needs_zarr: bool = False
    unsupported: str = ""
    disputed: str = ""
    complete: bool = False
    stages: tuple[Stage, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codecs = [*self.filters]
        if self.compressor is not None:
            codecs.append(self.compressor)
        if self.checksum:
            codecs.append(CRC32C)
        dtype = self.stored if self.cells is None else None
        object.__setattr__(self, "stages", stages_of(codecs, dtype))

    @property
    def unit(self) -> Edges:
        """Shape of what one document holds: a chunk, or a shard."""
        return self.shards or self.chunks

    @cached_property
    def native(self) -> bool:
        """Whether `decode_chunk` knows all about it."""
        return not self.needs_zarr and not self.unsupported

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the whole array in memory; of object arrays, without what the cells hold."""
        return prod(self.shape) * self.cost

    @cached_property
    def cost(self) -> int:
        """Bytes of an element in memory; of a cell, without what it holds."""
        return self.dtype.itemsize if self.cells is None else CELL

    @cached_property
    def chunk_nbytes(self) -> int:
        """Bytes of a chunk in memory; of object arrays, without what the cells hold."""
        return prod(self.chunks) * self.cost

    @cached_property
    def excess(self) -> int:
        """Bytes that its codecs go through for a chunk, beyond some times those of a chunk."""
        if self.cells is not None:
            return 0
        stored = prod(self.chunks) * self.stored.itemsize
        return max(
            passed_size(self.stages, stored) - _PASSES * self.chunk_nbytes, 0
        )

    @cached_property
    def stored_grid(self) -> Edges:
        """Number of documents along each dimension: of shards, or of chunks."""
        return times(self.shape, self.unit)

    @cached_property
    def per_shard(self) -> Edges:
        """Number of chunks in a shard along each dimension; one where there are no shards."""
        return times(self.unit, self.chunks)

    def document(self, path: str) -> str:
        """Name the document that says all this of the array at a path."""
        return joined(path, ".zarray" if self.zarr_format == 2 else "zarr.json")

    def key(self, index: Edges) -> str:
        """Name the document of a chunk, or of a shard, below the array's path."""
        prefix = (self.prefix,) if self.prefix else ()
        numbers = map(str, index + (0,) * len(self.byte_shape))
        return self.separator.join((*prefix, *numbers)) or "0"
