"""Blocks of dask arrays that are not what the array says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import zspy
from zspy.values.blocks import checked_blocks, computed, refuse_mask
from zspy.values.ragged import object_array

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}


def cells(number: int) -> Any:
    return object_array([np.arange(3.0)] * number, (number,))


def lazily(make: Callable[[Any], Any], dtype: Any) -> Any:
    """Make a dask array of two blocks of three elements, which are whatever a function gives."""
    da: Any = pytest.importorskip("dask.array")
    return da.zeros(6, chunks=3).map_blocks(make, dtype=dtype, meta=np.empty(0, dtype))


BLOCKS: Final[dict[str, tuple[Any, str]]] = {
    "list": ([np.arange(3.0)] * 3, "a list, not"),
    "ragged list": ([np.arange(3.0), np.arange(2.0), 5], "a list, not"),
    "None": (None, "None, not"),
    "scalar": (5.0, "a float, not"),
    "text": ("abc", "a str, not"),
    "size": (cells(2), r"the shape \(2,\) of object, not"),
    "rank": (cells(3).reshape(3, 1), r"the shape \(3, 1\) of object, not"),
    "no rank": (np.array(None), r"the shape \(\) of object, not"),
    "numbers": (np.ones((3, 2)), r"the shape \(3, 2\) of float64, not"),
}


@pytest.mark.parametrize("dtype", [object, float])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_is_something_else_is_refused(name: str, dtype: Any) -> None:
    block, found = BLOCKS[name]
    data = lazily(lambda _: block, dtype)
    wanted = rf"a block computes to {found} \(3,\) of {np.dtype(dtype)}; give map_blocks"
    with pytest.raises(zspy.EncodeError, match=rf"^[\w/]*data: {wanted}"):
        zspy.file_writer({}, {"data": data, "axes": [], "metadata": {}}, **QUIET)
    metadata = {"x": [{"y": data}]}
    with pytest.raises(zspy.EncodeError, match=rf"^[\w/]*metadata.*y: {wanted}"):
        zspy.file_writer({}, {"data": np.zeros(2), "axes": [], "metadata": metadata}, **QUIET)


@pytest.mark.parametrize("dtype", [object, float])
def test_a_mask_in_a_block_is_not_lost(dtype: Any) -> None:
    masked = np.ma.MaskedArray(cells(3) if dtype is object else np.zeros(3), [True, False, False])
    data = lazily(lambda _: masked, dtype)
    with pytest.raises(zspy.EncodeError, match="data: elements are masked, of which"):
        zspy.file_writer({}, {"data": data, "axes": [], "metadata": {}}, **QUIET)


@pytest.mark.parametrize(
    ("dtype", "block"), [("i4", np.ones(3)), ("u1", np.ones(3, int)), ("U2", np.array(["abc"] * 3))]
)
def test_a_block_that_would_be_cut_is_refused(dtype: str, block: Any) -> None:
    data = lazily(lambda _: block, dtype)
    with pytest.raises(zspy.EncodeError, match=f"of {block.dtype}, not .* of {np.dtype(dtype)}"):
        zspy.file_writer({}, {"data": data, "axes": [], "metadata": {}}, **QUIET)


def test_a_block_of_another_precision_is_rounded() -> None:
    place: dict[str, bytes] = {}
    data = lazily(lambda _: np.full(3, 0.1), "f4")
    zspy.file_writer(place, {"data": data, "axes": [], "metadata": {}}, **QUIET)
    found = zspy.file_reader(place)[0]["data"]
    assert np.array_equal(found, np.full(6, 0.1, "f4"))


def test_blocks_of_sizes_that_are_not_known_are_computed() -> None:
    data = lazily(lambda _: cells(3), object)
    lengths = data.map_blocks(lengths_of, dtype=int)
    assert computed(data[lengths > 2]).shape == (6,)
    assert computed(cells(2)).shape == (2,)


def lengths_of(block: Any) -> Any:
    return np.array([*map(len, block)], int)


def test_a_block_of_a_long_dtype_is_named_in_short() -> None:
    dtype = np.dtype([(f"field_{number}", "f4") for number in range(9)])
    data = lazily(lambda _: np.zeros(3), dtype)
    with pytest.raises(zspy.EncodeError) as caught:
        computed(data, "x")
    wanted = f"not (3,) of {str(dtype)[:50]}; give map_blocks its dtype and chunks"
    assert str(caught.value).endswith(wanted)
    data = lazily(lambda _: np.zeros(3, dtype), "f4")
    with pytest.raises(zspy.EncodeError) as caught:
        computed(data, "x")
    assert f"the shape (3,) of {str(dtype)[:50]}, not" in str(caught.value)


@pytest.mark.parametrize("dtype", ["f4", "i2", "U3", "M8[s]"])
def test_what_is_checked_is_of_the_dtype_and_the_edges_that_it_was_of(dtype: str) -> None:
    da: Any = pytest.importorskip("dask.array")
    data = da.from_array(np.ones((4, 6)).astype(dtype), chunks=(2, 3))
    checked = checked_blocks(data, "x")
    assert (checked.dtype, checked.chunks) == (data.dtype, data.chunks)
    assert type(checked._meta) is np.ndarray
    assert (checked._meta.shape, checked._meta.dtype) == ((0, 0), data.dtype)
    assert np.array_equal(checked.compute(), data.compute())


def test_a_mask_that_hides_something_is_refused_with_its_place() -> None:
    hides = np.ma.MaskedArray([1, 2], [True, False])
    said = "x: elements are masked, of which the array itself says nothing; "
    remedy = "encode a masked array (of dask.array.ma), or fill them"
    da: Any = pytest.importorskip("dask.array")
    for masked in (hides, da.from_array(hides, asarray=False)):
        with pytest.raises(zspy.EncodeError) as caught:
            refuse_mask(masked, "x")
        assert str(caught.value) == said + remedy
    with pytest.raises(zspy.EncodeError, match=r"^elements are masked"):
        refuse_mask(hides)


def test_a_mask_that_hides_nothing_goes() -> None:
    plain = np.arange(2)
    assert refuse_mask(plain) is plain
    found = refuse_mask(np.ma.MaskedArray(plain, False))
    assert type(found) is np.ndarray
    assert np.array_equal(found, plain)
