"""A document, a chunk or a node that is taken away is told, and never read around.

Clause 3.5 of the specification says it of nodes, clause 15.2 of chunks.
What another program may have removed is told as well, but for a signal, or all models, as a whole,
and for attributes of a document that stays. In format 2, the attributes of the group of a signal
say how many documents there were.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest

import zspy
from tests.support.nodes import both
from tests.support.signals import signal_of
from tests.support.values import cells
from zspy.documents.source import NODES
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat

_POINTS: Final = {"_type": "DataAxis", "name": "x", "axis": np.array([1.0, 2.0, 4.0])}
_FUNCTION: Final = {
    "_type": "FunctionalDataAxis",
    "size": 4,
    "expression": "a / x",
    "a": 6.0,
    "x": {"_type": "UniformDataAxis", "size": 4, "scale": 2.0, "offset": 1.0},
}
_UNIFORM: Final = {"name": "y", "units": "nm", "navigate": True, "scale": 0.5, "offset": 3.0}
_METADATA: Final[dict[str, Any]] = {
    "array": np.arange(1, 4),
    "list": [1, 2, 3],
    "mixed": [1, [2]],
    "texts": ["a", "b"],
    "number": 1 + 2j,
    "ragged": cells(np.arange(2.0), np.ones((2, 2))),
    "masked": np.ma.array([1, 2], mask=[False, True]),
    "group": {"inner": {"n": 1}},
}
_MODELS: Final = {"m": {"date": "today", "components": {"a": {"v": np.arange(1.0, 3.0)}}}}


def _every_axis() -> dict[str, Any]:
    """Make a signal with an axis of each type, models, and values of each kind."""
    signal = signal_of(np.arange(1.0, 25).reshape(2, 3, 4), **_METADATA)
    signal["axes"] = [_UNIFORM, _POINTS, _FUNCTION]
    return {**signal, "models": _MODELS, "original_metadata": {"o": {"p": 1}}}


def _ragged(*data: Any) -> dict[str, Any]:
    signal = signal_of(cells(*data), signal_dimensions=0)
    return {**signal, "axes": [{**_UNIFORM, "size": len(data)}]}


SIGNALS: Final[dict[str, dict[str, Any]]] = {
    "axes": _every_axis(),
    "nested": signal_of(np.arange(1.0, 3), sub={"_sig_variance": _every_axis()}),
    "cells": _ragged(np.arange(2.0), np.ones((2, 2)), np.arange(4.0)),
    "rows": _ragged(np.ones((3, 2)), np.ones((2, 2))),
    "lines": _ragged(np.ones(3), np.ones(2)),
    "texts": _ragged(np.array(["a", "bb"]), np.array([["c"]])),
    "lists": _ragged([1, 2], None, (3,)),
    "anything": _ragged({"a": 1}, None, "x"),
    "masked": signal_of(np.ma.array([1.0, 2.0], mask=[False, True])),
    "no axes": {**signal_of(np.arange(1.0, 4)), "axes": []},
}


def _without_each(file: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Give a file without each of its keys, and without each of its nodes."""
    for gone in file:
        if gone != "Experiments/t/.zattrs":  # with which goes what tells
            yield gone, {key: data for key, data in file.items() if key != gone}
    nodes = {key.rpartition("/")[0] for key in file if key.rpartition("/")[2] in NODES}
    for node in sorted(nodes - {"", "Experiments", "Experiments/t", "Analysis", "Analysis/models"}):
        yield node, {key: data for key, data in file.items() if not key.startswith(f"{node}/")}


def _is_told(place: Any, whole: Any) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = zspy.file_reader(place)
        except zspy.FormatError:
            return True
    # A chunk that holds nothing but the fill value reads the same without it.
    return bool(caught) or first_difference(found, whole, ordered=False) is None


@both
@pytest.mark.parametrize("kind", SIGNALS)
def test_whatever_is_taken_away_is_told(kind: str, zarr_format: ZarrFormat) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS[kind], zarr_format=zarr_format)
    whole = zspy.file_reader(file)
    silent = [gone for gone, rest in _without_each(file) if not _is_told(rest, whole)]
    assert not silent


def test_whatever_is_taken_away_of_shards_is_told() -> None:
    file: dict[str, bytes] = {}
    options: dict[str, Any] = {"zarr_format": 3, "chunks": (1, 1, 4), "shards": (2, 1, 4)}
    zspy.file_writer(file, SIGNALS["axes"], **options)
    whole = zspy.file_reader(file)
    silent = [gone for gone, rest in _without_each(file) if not _is_told(rest, whole)]
    assert not silent


@both
def test_whatever_is_taken_away_of_a_zip_is_told(zarr_format: ZarrFormat, tmp_path: Any) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, SIGNALS["axes"], store_type="zip", zarr_format=zarr_format)
    whole = zspy.file_reader(path)
    with zipfile.ZipFile(path) as archive:
        file = {name: archive.read(name) for name in archive.namelist()}
    for gone, rest in _without_each(file):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in rest.items():
                archive.writestr(name, data)
        assert _is_told(packed, whole), gone


@both
def test_a_document_that_is_missing_may_be_an_error_or_nothing(zarr_format: ZarrFormat) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS["axes"], zarr_format=zarr_format)
    node = "Experiments/t/metadata/group/inner/"
    rest = {key: data for key, data in file.items() if not key.startswith(node)}
    number = len(file) - len(rest)
    said = rf"documents that were written are missing: Experiments/t \({number}\)"
    with pytest.raises(zspy.FormatError, match=said):
        zspy.file_reader(rest, missing="raise")
    zspy.file_reader(rest, missing="ignore")
    with pytest.warns(UserWarning, match=said):
        found = zspy.file_reader(rest)
    assert found[0]["metadata"]["group"] == {}
    zspy.file_writer(rest, found, zarr_format=zarr_format)
    zspy.file_reader(rest, missing="raise")


@both
@pytest.mark.parametrize("more", [{"append_dim": 0}, {"mode": "a"}])
def test_what_is_lost_stays_told_where_something_is_added(
    more: dict[str, Any], zarr_format: ZarrFormat
) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS["axes"], zarr_format=zarr_format)
    lost = ("Experiments/t/original_metadata/o/", "Analysis/models/m/components/")
    rest = {key: data for key, data in file.items() if not key.startswith(lost)}
    said = r"missing: Analysis/models \(\d+\), Experiments/t \(\d+\)"
    with pytest.warns(UserWarning, match=said) as before:
        zspy.file_reader(rest)
    zspy.file_writer(rest, SIGNALS["axes"], zarr_format=zarr_format, **more)
    with pytest.warns(UserWarning, match=said) as after:
        zspy.file_reader(rest)
    assert [str(one.message) for one in after] == [str(one.message) for one in before]


def test_data_is_not_added_along_an_axis_that_has_lost_its_points() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS["axes"])
    rest = {key: data for key, data in file.items() if "/axis-1/axis/" not in key}
    row = {**SIGNALS["axes"], "data": np.ones((2, 1, 4))}
    row["axes"] = [_UNIFORM, {**_POINTS, "axis": np.array([8.0])}, _FUNCTION]
    before = dict(rest)
    with pytest.raises(zspy.ZspyError, match="write all of it at once"):
        zspy.file_writer(rest, row, append_dim=1)
    assert rest == before


@both
def test_ragged_data_without_their_shapes_are_an_error(zarr_format: ZarrFormat) -> None:
    """Whoever wrote the file: released HyperSpy has stored them since version 3.3."""
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS["cells"], zarr_format=zarr_format)
    lost = ("Experiments/t/_ragged_shapes_data/", "Experiments/t/.zattrs")
    rest = {key: data for key, data in file.items() if not key.startswith(lost)}
    with pytest.raises(zspy.FormatError, match="t/data: the shapes of its cells are missing"):
        zspy.file_reader(rest)
    errors = [one.key for one in zspy.check(rest) if one.severity == "error"]
    assert errors == ["Experiments/t/data"]


def test_an_axis_without_its_points_is_an_error() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, SIGNALS["axes"])
    lost = ("Experiments/t/axis-1/axis/", "Experiments/t/.zattrs")
    rest = {key: data for key, data in file.items() if not key.startswith(lost)}
    with pytest.raises(zspy.FormatError, match="axis-1: the points of an axis are missing"):
        zspy.file_reader(rest)
    assert [one.key for one in zspy.check(rest)] == ["Experiments/t/axis-1"]
