"""Fill values, as the documents of both formats write them."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from zspy import Array, FormatError, Group, deserialise, serialise
from zspy.documents.dtypes import parse_dtype, parse_fill


@pytest.mark.parametrize("value", [None, "", 0])
@pytest.mark.parametrize("dtype", ["S2000000000", "U500000000", "V2000000000"])
def test_zeros_of_any_length_take_no_memory(dtype: str, value: Any) -> None:
    """Documents of some bytes declare elements of gigabytes: no such element is made."""
    tracemalloc.start()
    assert parse_fill(value, np.dtype(dtype)) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


@pytest.mark.parametrize("dtype", ["V3000000", [("a", "<f8", (512, 768))]])
def test_elements_of_megabytes_are_read_again(dtype: Any) -> None:
    data = np.zeros(2, dtype)
    data[1] = np.frombuffer(b"x" * data.itemsize, dtype)
    documents = dict(serialise(Group({}, {"a": Array(data)})))
    assert len(documents["a/.zarray"]) < 1000
    for fill in (None, b64encode(bytes(data.itemsize)).decode()):
        # Others write the zeros out.
        document = json.loads(documents["a/.zarray"]) | {"fill_value": fill}
        documents["a/.zarray"] = json.dumps(document).encode()
        node: Any = deserialise(documents)
        assert node.members["a"].data.tobytes() == data.tobytes()


def test_a_field_without_a_name_is_padding() -> None:
    """zarr-python 2 describes padded dtypes so, and reads a field that NumPy has named."""
    dtype = parse_dtype([["x", "|i1"], ["", "|V3"], ["y", "<i4"]])
    assert dtype == np.dtype([("x", "i1"), ("f1", "V3"), ("y", "<i4")])


def test_a_fill_value_that_is_text_is_none_of_arrays() -> None:
    filters = [{"id": "vlen-array", "dtype": "<i8"}]
    document = {"zarr_format": 2, "shape": [2], "chunks": [2], "dtype": "|O", "order": "C"}
    document |= {"filters": filters, "compressor": None, "fill_value": "x"}
    with pytest.raises(FormatError, match="the fill value"):
        deserialise({".zarray": json.dumps(document).encode()})
