"""What zspy writes, zarr-python and tensorstore read: the same values."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from zarr.storage import LocalStore

import zspy
from tests.zarrs.test_from_zarr import DTYPES

zarr: Any = import_module("zarr")
pytestmark = pytest.mark.filterwarnings("ignore")
# What tensorstore knows of the data types of Zarr.
KNOWN: Final = "biufc"


@settings(
    max_examples=int(os.environ.get("ZSPY_EXAMPLES", "20")) * 5,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
@given(st.data())
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_arrays_of_zspy_are_read_by_other_implementations(
    zarr_format: Any, data: st.DataObject
) -> None:
    draw = data.draw
    values: Any = draw(hnp.arrays(draw(DTYPES), hnp.array_shapes(max_dims=3, max_side=6)))
    chunks = tuple(draw(st.integers(1, size)) for size in values.shape)
    shards = None
    if zarr_format == 3 and draw(st.booleans()):
        shards = tuple(edge * draw(st.integers(1, 3)) for edge in chunks)
    array = zspy.Array(values, chunks=chunks, shards=shards)
    documents = dict(zspy.serialise(zspy.Group({}, {"a": array}), zarr_format=zarr_format))
    with tempfile.TemporaryDirectory() as work:
        for key, value in documents.items():
            path = Path(work, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
        group: Any = zarr.open_group(LocalStore(work), mode="r")
        same(values, np.asarray(group["a"][...]))
        if values.dtype.kind in KNOWN:
            same(values, read_by_tensorstore(work, zarr_format))


def read_by_tensorstore(work: str, zarr_format: int) -> Any:
    """Read the array with the implementation in C++."""
    tensorstore: Any = pytest.importorskip("tensorstore")
    driver = {2: "zarr", 3: "zarr3"}[zarr_format]
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{work}/a/"}}
    try:
        return tensorstore.open(spec).result().read().result()
    except ValueError as error:
        document = Path(work, "a", {2: ".zarray", 3: "zarr.json"}[zarr_format])
        raise AssertionError(document.read_text(encoding="utf-8")) from error


def same(expected: Any, found: Any) -> None:
    """Compare by bytes, in one order."""
    native = expected.dtype.newbyteorder("=")
    if found.ndim > expected.ndim:
        # Types that format 3 does not know are stored as the bytes of each element.
        assert found.dtype == "u1"
        assert found.tobytes() == expected.tobytes()
        return
    assert found.shape == expected.shape
    if native.kind in "SU":
        assert found.tolist() == expected.tolist()
    else:
        assert found.astype(native).tobytes() == expected.astype(native).tobytes()
