"""The rule for the shapes of chunks, and what a caller may ask for instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np

from ..values.errors import EncodeError, shown, taking
from ..values.nodes import Array
from ..values.ragged import RaggedCells
from ..values.types import Edges, NumPyArray, is_array, is_lazy, is_sequence
from .codecs import CELLS

TARGET: Final = 100_000_000
"""Bytes of a chunk that the releases aim at."""
# Bytes of chunks that are divided along all dimensions.
_SMALL_CHUNKS: Final = 2**20
LARGEST: Final = 2**31 - 1
"""Bytes of a chunk, uncompressed, that every codec takes: Blosc takes no more."""


def chunk_shape(
    shape: Sequence[int],
    itemsize: int,
    signal_dimensions: Sequence[int] = (),
    target: int = TARGET,
) -> Edges:
    """Choose the shape of the chunks of an array.

    A chunk holds whole signals: as many along the navigation dimensions, evenly, as fit the
    target. Signals that no chunk can hold are divided, evenly as well.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    itemsize : int
        Bytes of an element.
    signal_dimensions : sequence of int
        Which dimensions belong to the signal; the others are navigation dimensions. Without any,
        all dimensions are divided alike.
    target : int
        Bytes of a chunk, uncompressed, to aim at.

    Returns
    -------
    tuple of int
        One edge for each dimension, none below 1; together at most `LARGEST` bytes.

    Examples
    --------
    >>> chunk_shape((256, 256, 256, 256), 2, (2, 3), target=100_000_000)
    (27, 27, 256, 256)
    """
    signal = {dimension % len(shape) for dimension in signal_dimensions}
    edges = [max(length, 1) for length in shape]
    frame = itemsize * prod(edges[dimension] for dimension in signal)
    if signal and frame > LARGEST:
        edges = [
            edge if dimension in signal else 1
            for dimension, edge in enumerate(edges)
        ]
        return chunk_shape(edges, itemsize, (), target)
    navigation = [
        dimension for dimension in range(len(shape)) if dimension not in signal
    ]
    room = max(min(target, LARGEST) // frame, 1)
    if room > prod(edges[dimension] for dimension in navigation):
        return tuple(edges)
    # Dimensions shorter than the edge are taken whole, and the others get more.
    root = 1
    short = navigation
    while short:
        root = _root(room, len(navigation))
        short = [dimension for dimension in navigation if edges[dimension] < root]
        room //= prod(edges[dimension] for dimension in short)
        navigation = [
            dimension for dimension in navigation if dimension not in short
        ]
    return tuple(
        root if dimension in navigation else edge
        for dimension, edge in enumerate(edges)
    )


def _root(number: int, degree: int) -> int:
    """Give the largest integer whose power does not exceed a number."""
    root: int = round(number ** (1 / degree))
    return root if root**degree <= number else root - 1


def chosen_chunks(
    array: Array,
    chunks: Any,
    signal: Edges,
    target: int,
    shape: Edges | None = None,
) -> Edges | None:
    """Choose the chunks of the array of a signal, which may grow to a shape, by what is asked."""
    data: Any = array.data
    sizes = shape or data.shape
    if isinstance(chunks, (tuple, list, np.ndarray)):
        # They are used as they are: the array may grow into a chunk that is larger than it.
        return given_edges("chunks", chunks, sizes)
    if not all(sizes):
        return None
    itemsize = data.dtype.itemsize
    if array.cells is not None:
        # This is one chunk, unless it is larger than those of a release.
        size = bytes_in_cells(array)
        itemsize, signal, target = max(size // max(data.size, 1), 1), (), TARGET
    match chunks:
        case None if is_lazy(data):
            edges = tuple(lengths[0] or max(lengths) for lengths in data.chunks)
            # what a selection has left of a block would make very many chunks
            whole = tuple(map(max, data.chunks))
            if 16 * prod(edges) * itemsize < min(
                prod(whole) * itemsize, _SMALL_CHUNKS
            ):
                edges = whole
        case None:
            edges = chunk_shape(sizes, itemsize, signal, target)
        case True:
            edges = chunk_shape(sizes, itemsize, (), _SMALL_CHUNKS)
        case False:
            edges = tuple(max(size, 1) for size in data.shape)
        case _:
            given: Any = chunks
            if isinstance(chunks, (int, np.integer)):
                given = [*(chunks for _ in sizes)]
            edges = given_edges("chunks", given, sizes)
    return tuple(map(min, edges, sizes))


def bytes_in_cells(array: Array) -> int:
    """Give the bytes that all cells of an array hold; of text its characters, of lists the items.

    Raises TypeError where the cells are nothing that has a length.
    """
    if isinstance(array.data, RaggedCells):
        return array.data.values.nbytes
    return _bytes_of_item(array) * sum(map(len, _cells_of(array)))


def bytes_of_cells(array: Array) -> NumPyArray:
    """Give the bytes that each cell of an array holds, as `bytes_in_cells` counts them."""
    if isinstance(array.data, RaggedCells):
        return np.diff(array.data.ends) * array.data.values.itemsize
    lengths = [*map(len, _cells_of(array))]
    return np.array(lengths, np.int64) * _bytes_of_item(array)


def _cells_of(array: Array) -> list[Any]:
    cells: list[Any] = np.asarray(array.data).ravel().tolist()
    return cells


def _bytes_of_item(array: Array) -> int:
    return 1 if array.cells in CELLS else np.dtype(array.cells).itemsize


def given_edges(what: str, edges: Any, shape: Edges, where: str = "") -> Edges:
    """Check the edges of chunks, or of shards, that the caller gave."""
    with taking(where or what):
        several = is_sequence(edges) or (is_array(edges) and edges.ndim)
        given = [*edges] if several else []
        right = (isinstance(edge, (int, np.integer)) and edge > 0 for edge in given)
        if len(given) != len(shape) or not all(right):
            remedy = f"give {len(shape)} edges, positive integers"
            problem = f"{shown(edges)[:80]} are no {what}"
            raise EncodeError(problem, where or what, remedy)
        return tuple(map(int, given))
