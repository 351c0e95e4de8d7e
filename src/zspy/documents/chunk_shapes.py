"""Floor 1: the rule for the shapes of chunks, in integers only."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

TARGET: Final = 100_000_000
"""Bytes of a chunk that the releases aim at."""
LARGEST: Final = 2**31 - 1
"""Bytes of a chunk, uncompressed, that every codec takes: Blosc takes no more."""


def chunk_shape(
    shape: Sequence[int],
    itemsize: int,
    signal_dimensions: Sequence[int] = (),
    target: int = TARGET,
) -> tuple[int, ...]:
    """Choose the shape of the chunks of an array (FORMAT 5).

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
    room = min(target, LARGEST) // frame
    if room > prod(edges[dimension] for dimension in navigation):
        return tuple(edges)
    if room < 2:
        return tuple(
            edge if dimension in signal else 1
            for dimension, edge in enumerate(edges)
        )
    while True:  # dimensions shorter than the edge are taken whole: more is left to the others
        root = _root(room, len(navigation))
        short = [dimension for dimension in navigation if edges[dimension] < root]
        if not short:
            return tuple(
                root if dimension in navigation else edge
                for dimension, edge in enumerate(edges)
            )
        room //= prod(edges[dimension] for dimension in short)
        navigation = [
            dimension for dimension in navigation if dimension not in short
        ]


def _root(number: int, degree: int) -> int:
    """Give the largest integer whose power does not exceed a number."""
    root: int = round(number ** (1 / degree))
    return root if root**degree <= number else root - 1
