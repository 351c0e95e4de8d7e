"""What nodes become in a store (clauses 8 to 10 of the specification), and that it comes back.

``deserialise(dict(serialise(n))) == n`` in both formats, for arrays of every dtype, cells of every
kind and attributes that JSON cannot say; what format 3 holds is valid JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given

from tests.support.nodes import both, nodes, numeric, strings
from zspy import Array, Group, deserialise, serialise
from zspy.values.nodes import walk

if TYPE_CHECKING:
    from zspy.typing import Node, ZarrFormat


@both
@given(node=nodes() | numeric() | strings())
def test_what_is_serialised_comes_back(zarr_format: ZarrFormat, node: Node) -> None:
    documents = dict(serialise(node, zarr_format=zarr_format))
    assert deserialise(documents) == node


@both
@given(node=nodes())
def test_each_key_is_given_once(zarr_format: ZarrFormat, node: Node) -> None:
    keys = [key for key, _ in serialise(node, zarr_format=zarr_format)]
    assert len(keys) == len(set(keys))


@both
@given(node=nodes())
def test_what_comes_back_is_serialised_alike(zarr_format: ZarrFormat, node: Node) -> None:
    documents = dict(serialise(node, zarr_format=zarr_format))
    again = dict(serialise(deserialise(documents), zarr_format=zarr_format))
    assert deserialise(again) == node


def _no_constant(name: str) -> object:
    raise AssertionError(name)


@given(node=nodes())
def test_documents_of_format_3_are_valid_json(node: Group) -> None:
    for key, document in serialise(node, zarr_format=3):
        if key.endswith("zarr.json"):
            json.loads(document, parse_constant=_no_constant)


@given(node=nodes())
def test_documents_of_format_2_are_json_as_python_reads_it(node: Group) -> None:
    for key, document in serialise(node):
        if key.rpartition("/")[2] in {".zgroup", ".zarray", ".zattrs"}:
            assert isinstance(json.loads(document), dict)


@both
@given(node=nodes())
def test_nothing_that_is_serialised_is_changed(zarr_format: ZarrFormat, node: Group) -> None:
    twin = deserialise(dict(serialise(node)))
    dict(serialise(node, zarr_format=zarr_format))
    assert node == twin


@both
@given(node=nodes())
def test_arrays_that_come_back_can_be_written_to(zarr_format: ZarrFormat, node: Group) -> None:
    found = deserialise(dict(serialise(node, zarr_format=zarr_format)))
    for _, here in walk(found):
        if isinstance(here, Array):
            assert np.asarray(here.data).flags.writeable
