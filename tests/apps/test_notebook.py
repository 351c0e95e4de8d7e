"""Looking at a file: its nodes are there, its large arrays are read when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pytest

import zspy
from tests.support.places import place_of
from zspy.files.lazy import StoredArray
from zspy.stores import backends as stores_backends
from zspy.stores.backends import STORE_TYPES

FORMATS: Final[tuple[Literal[2, 3], ...]] = (2, 3)


@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_small_arrays_are_there_and_large_ones_stay(
    tmp_path: Path, kind: str, zarr_format: Literal[2, 3]
) -> None:
    data = np.arange(16 * 16 * 64 * 64, dtype="u2").reshape(16, 16, 64, 64)
    axes = [{"size": size, "navigate": index < 2} for index, size in enumerate(data.shape)]
    signal = {"data": data, "axes": axes, "metadata": {"General": {"title": "t"}, "n": [1, 2]}}
    place, more = place_of(kind, tmp_path / "file.zspy")
    zspy.file_writer(place, signal, zarr_format=zarr_format, sync=False, **more)
    root: Any = zspy.open_group(place)
    group = root.members["Experiments"].members["t"]
    found = group.members["data"]
    assert not isinstance(found.data, np.ndarray)
    assert found.data.shape == data.shape
    assert (found.shards is None) == (zarr_format == 2)
    assert np.array_equal(found.data[3, ..., 5], data[3, ..., 5])
    assert np.array_equal(found.data, data)
    assert zspy.decode(group.members["metadata"])["n"] == [1, 2]
    assert np.array_equal(zspy.decode_signal(group, copy=False)["data"], data)
    assert str(data.shape) in group._repr_html_()


def test_only_a_group_is_opened(tmp_path: Path) -> None:
    documents = dict(zspy.serialise(zspy.Array(np.arange(3))))
    with pytest.raises(zspy.FormatError, match="array"):
        zspy.open_group(documents)
    with pytest.raises(zspy.FormatError, match="no such file"):
        zspy.open_group(tmp_path / "nothing.zspy")


@pytest.mark.parametrize(
    "key",
    [
        *(..., 1, -1, (..., 1), (1, ...), (1, ..., 2), slice(1, 3), ()),
        *(([-1, 0],), (slice(None), [True, False, True])),
    ],
)
def test_a_selection_need_not_name_every_dimension(key: Any) -> None:
    data = np.arange(12.0).reshape(4, 3)
    stored = StoredArray(
        data.shape,
        data.dtype,
        stores_backends.opened({}),
        lambda start, stop: data[tuple(map(slice, start, stop))],
    )
    assert np.array_equal(stored[key], data[key])
    assert np.array_equal(np.asarray(stored), data)
    assert repr(stored) == "StoredArray(shape=(4, 3), dtype=float64)"
    for beyond in (4, -5, [0, 4]):
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size 4"):
            stored[beyond]


def test_what_is_no_group_is_named_without_all_that_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(zspy.FormatError, match=r"a: there is no Zarr group; name a .zspy file"):
        zspy.open_group(tmp_path / "a")
    array = zspy.Array(np.zeros(3), {"key": "secret"})
    group = dict(zspy.serialise(zspy.Group({}, {"a": array})))
    place = {key.removeprefix("a/"): data for key, data in group.items() if key[:2] == "a/"}
    with pytest.raises(
        zspy.FormatError, match=r"^the mapping: there is an array, and no group; open"
    ):
        zspy.open_group(place)
