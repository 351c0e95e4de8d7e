"""The seal of a signal: how many chunks it has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zspy import FormatError
from zspy.documents.integrity import chunk_count


@pytest.mark.parametrize(
    "document",
    [
        {"shape": [-1], "chunks": [1]},
        {"shape": [4], "chunks": [0]},
        {"shape": [4], "chunks": [1, 1]},
        {"shape": "4", "chunks": [1]},
        {},
    ],
)
def test_a_grid_that_is_none_is_told_with_its_key(document: dict[str, Any]) -> None:
    documents = {"signal/data/.zarray": json.dumps(document).encode()}
    with pytest.raises(FormatError, match=r"^signal/data/\.zarray: "):
        chunk_count(documents)


def test_a_group_that_speaks_of_an_array_has_no_chunks() -> None:
    document = {"node_type": "group", "attributes": {"kind": "array"}}
    assert chunk_count({"signal/x/zarr.json": json.dumps(document).encode()}) == 0
