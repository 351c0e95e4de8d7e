"""Dtypes as records describe them: with all of their layout, and nothing that runs."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given

from zspy.strategies import dtypes
from zspy.values.dtype_specs import dtype_spec, is_held, spec_dtype

PADDED: Final = np.dtype([("a", "i1"), ("b", "f8")], align=True)


@given(dtypes(kinds="biufcmMSUV"))
def test_a_dtype_comes_back_with_its_layout(dtype: np.dtype[Any]) -> None:
    found = spec_dtype(json.loads(json.dumps(dtype_spec(dtype))))
    assert found == dtype
    assert found.isalignedstruct == dtype.isalignedstruct


@pytest.mark.parametrize(
    ("dtype", "packed"),
    [
        (PADDED, [("a", "i1"), ("b", "f8")]),
        (np.dtype([(("title", "a"), "i4"), ("b", PADDED, (2, 1))]), None),
        (np.dtype({"names": ["a"], "formats": ["u1"], "itemsize": 8}), [("a", "u1")]),
        (np.dtype("<f4"), "<f4"),
    ],
)
def test_a_packed_dtype_has_neither_padding_nor_titles(dtype: np.dtype[Any], packed: Any) -> None:
    wanted: Any = packed or [("a", "i4"), ("b", [("a", "i1"), ("b", "f8")], (2, 1))]
    found = spec_dtype(dtype_spec(dtype), packed=True)
    assert found == np.dtype(wanted)
    assert not found.isalignedstruct
    assert found.fields == np.dtype(wanted).fields


@pytest.mark.parametrize("spec", ["O", "x", 5, None, {}, {"base": "O", "shape": [1]}])
def test_what_describes_no_dtype_is_refused(spec: Any) -> None:
    with pytest.raises((TypeError, KeyError)):
        spec_dtype(spec)


@pytest.mark.parametrize(
    ("dtype", "held"),
    [
        *(("<f8", True), (">M8[s]", True), ("U3", True), ("V2", True), (PADDED, True)),
        *(("O", False), ("U0", False), ([("a", "O")], False), (("f8", (2,)), True)),
        (np.dtypes.StringDType(), False),
    ],
)
def test_zarr_holds_what_has_bytes_of_known_meaning(dtype: Any, held: bool) -> None:
    assert is_held(np.dtype(dtype)) is held
