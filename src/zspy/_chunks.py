"""Floor 1: the rule for chunk and shard shapes, in integers only."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

TARGET: Final = 100_000_000
"""Bytes of a chunk that the releases aim at."""


def chunk_shape(
    shape: Sequence[int],
    itemsize: int,
    signal_dimensions: Sequence[int] = (),
    target: int = TARGET,
) -> tuple[int, ...]:
    """Choose the chunk shape of an array of signals (FORMAT 5).

    A chunk holds whole signals: as many along the navigation dimensions, evenly, as fit the target.

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
        One edge for each dimension, none below 1.

    Examples
    --------
    >>> chunk_shape((256, 256, 256, 256), 2, (2, 3), target=100_000_000)
    (27, 27, 256, 256)
    """
    signal = {dimension % len(shape) for dimension in signal_dimensions}
    edges = [max(length, 1) for length in shape]
    navigation = [dimension for dimension in range(len(shape)) if dimension not in signal]
    room = target // max(itemsize * prod(edges[dimension] for dimension in signal), 1)
    if room > prod(edges[dimension] for dimension in navigation):
        return tuple(edges)
    if room < 2:
        return tuple(edge if dimension in signal else 1 for dimension, edge in enumerate(edges))
    while True:  # dimensions shorter than the edge are taken whole, which leaves more to the others
        edge = _root(room, len(navigation))
        short = [dimension for dimension in navigation if edges[dimension] < edge]
        if not short:
            break
        room //= prod(edges[dimension] for dimension in short)
        navigation = [dimension for dimension in navigation if dimension not in short]
    return tuple(edge if dimension in navigation else length for dimension, length in enumerate(edges))


def _root(number: int, degree: int) -> int:
    """Give the largest integer whose power does not exceed a number."""
    if degree < 1:
        return number
    root = max(round(number ** (1 / degree)), 1)
    while root**degree > number:
        root -= 1
    while (root + 1) ** degree <= number:
        root += 1
    return root
