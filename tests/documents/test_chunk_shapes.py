"""The shapes of chunks: what releases choose, and what no codec could take."""

from __future__ import annotations

from math import prod
from typing import Final

import pytest
from hypothesis import given, strategies as st

from zspy.documents.chunk_shapes import LARGEST, TARGET, chunk_shape

# What released programs choose: shape, bytes of an element, signal dimensions, chunks.
TABLE: Final = (
    ((100, 100, 1024), 2, (2,), (100, 100, 1024)),
    ((256, 256, 256, 256), 2, (2, 3), (27, 27, 256, 256)),
    ((512, 512, 2048), 4, (2,), (110, 110, 2048)),
    ((10, 1000, 5, 1000), 4, (1, 3), (5, 1000, 5, 1000)),
    ((50, 20000, 20000), 4, (1, 2), (1, 20000, 20000)),
    ((4, 5000, 8, 128), 8, (3,), (4, 3051, 8, 128)),
    ((2, 3, 4, 300, 300, 64), 4, (5,), (2, 3, 4, 127, 127, 64)),
    ((6, 1000, 1000, 64), 4, (3,), (6, 255, 255, 64)),
    ((30000, 30000), 8, (), (3535, 3535)),
)
SHAPES: Final = st.lists(st.integers(0, 50_000), max_size=5)


@pytest.mark.parametrize(("shape", "itemsize", "signal", "expected"), TABLE)
def test_chunks_are_those_that_releases_choose(
    shape: tuple[int, ...], itemsize: int, signal: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert chunk_shape(shape, itemsize, signal) == expected


@pytest.mark.parametrize(("shape", "itemsize", "signal", "expected"), TABLE)
def test_signal_dimensions_may_be_counted_from_the_end(
    shape: tuple[int, ...], itemsize: int, signal: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    negative = [dimension - len(shape) for dimension in signal]
    assert chunk_shape(shape, itemsize, negative) == expected


def test_a_signal_that_no_chunk_holds_is_divided_evenly() -> None:
    """Releases make one chunk of 7.2 GB of it, which Blosc refuses."""
    assert chunk_shape((30000, 30000), 8, (0, 1)) == (3535, 3535)
    assert chunk_shape((4, 30000, 30000), 8, (1, 2)) == (1, 3535, 3535)
    assert chunk_shape((7, 10, 2**31), 1, (1, 2)) == (1, 10, TARGET // 10)


def test_a_signal_that_no_chunk_holds_is_divided_by_the_target() -> None:
    assert chunk_shape((2, 30000, 30000), 8, (1, 2), target=8_000_000) == (1, 1000, 1000)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((4, 100), 199, (1, 100)),  # one signal
        ((4, 100), 200, (2, 100)),  # two
        ((2, 3, 100), 600, (2, 2, 100)),  # as many as there are, but the root is taken first
        ((2, 3, 100), 699, (2, 2, 100)),
        ((2, 3, 100), 700, (2, 3, 100)),  # more than there are
        ((4, 9, 100), 2400, (4, 4, 100)),  # as long as the root is no shorter
        ((3, 9, 100), 2400, (3, 8, 100)),
    ],
)
def test_signals_are_counted_in_whole_ones(
    shape: tuple[int, ...], target: int, expected: tuple[int, ...]
) -> None:
    assert chunk_shape(shape, 1, (len(shape) - 1,), target) == expected


def test_a_signal_of_the_largest_size_is_one_chunk() -> None:
    assert chunk_shape((2, LARGEST), 1, (1,)) == (1, LARGEST)
    assert chunk_shape((2, LARGEST + 1), 1, (1,)) == (1, TARGET)


def test_no_dimensions_make_one_chunk_of_none() -> None:
    assert chunk_shape((), 8) == ()


def test_empty_dimensions_have_an_edge_of_one() -> None:
    assert chunk_shape((0, 3), 8, (1,)) == (1, 3)
    assert chunk_shape((0,), 8) == (1,)


def test_elements_larger_than_the_target_have_a_chunk_each() -> None:
    assert chunk_shape((3, 2), 10, (), target=9) == (1, 1)
    assert chunk_shape((3,), 2**31 + 5) == (1,)


@given(
    shape=SHAPES,
    itemsize=st.sampled_from([1, 2, 3, 4, 8, 16, 1000]),
    signal=st.sets(st.integers(0, 4)),
    target=st.integers(1, 2**40),
)
def test_chunks_fit_the_array_and_every_codec(
    shape: list[int], itemsize: int, signal: set[int], target: int
) -> None:
    dimensions = [dimension for dimension in signal if dimension < len(shape)]
    chunks = chunk_shape(shape, itemsize, dimensions, target)
    assert len(chunks) == len(shape)
    assert all(1 <= edge <= max(size, 1) for edge, size in zip(chunks, shape, strict=True))
    assert prod(chunks) * itemsize <= LARGEST


@given(shape=SHAPES, itemsize=st.sampled_from([1, 2, 8]), signal=st.sets(st.integers(0, 4)))
def test_a_chunk_holds_whole_signals_or_exceeds_no_target(
    shape: list[int], itemsize: int, signal: set[int]
) -> None:
    dimensions = {dimension for dimension in signal if dimension < len(shape)}
    chunks = chunk_shape(shape, itemsize, [*dimensions])
    whole = all(chunks[dimension] == max(shape[dimension], 1) for dimension in dimensions)
    frames = prod(
        chunks[dimension] for dimension in range(len(shape)) if dimension not in dimensions
    )
    assert (whole and frames == 1) or prod(chunks) * itemsize <= TARGET
