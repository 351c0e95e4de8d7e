"""Older versions of the format: which there are, and what becomes of their nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zspy import Array, FormatError, Group
from zspy.values.migrate import migrated, newer, version_of
from zspy.values.names import SHAPES
from zspy.values.ragged import object_array


def _cells(*sizes: int, nav: tuple[int, ...] | None = None) -> Array:
    rows = (np.arange(size) for size in sizes)
    return Array(object_array(rows, nav or (len(sizes),)), cells="<i8")


def _shapes(*shapes: tuple[int, ...], nav: tuple[int, ...] | None = None) -> Array:
    rows = (np.array(shape, np.int64) for shape in shapes)
    return Array(object_array(rows, nav or (len(shapes),)), cells="<i8")


def _file(version: Any = "3.1", **members: Any) -> Group:
    return Group({"file_format_version": version}, members)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        *(("3.1", (3, 1)), ("3.3", (3, 3)), (3.3, (3, 3)), ("v3.10", (3, 10)), (" 3.3.1 ", (3, 3))),
        *(("3.4rc1", (3, 4)), ("3.3+local", (3, 3)), ("12.0", (12, 0))),
    ],
)
def test_a_version_is_text_or_a_float(text: Any, version: tuple[int, int]) -> None:
    assert version_of(_file(text)) == version


@pytest.mark.parametrize(
    "text",
    [
        *(None, 3, True, "", "3", "x", "3.x", "-3.1", ["3.1"], float("nan"), float("inf")),
        pytest.param("9" * 5000 + ".1", id="many digits"),
        pytest.param("\u0663.\u0661", id="other digits"),
    ],
    ids=repr,
)
def test_what_is_no_version_is_refused(text: Any) -> None:
    with pytest.raises(FormatError, match=r"file_format_version is .*; a \.zspy file says one"):
        version_of(_file(text))
    with pytest.raises(FormatError, match="file_format_version is None"):
        version_of(Group())


def test_what_is_no_version_is_shown_in_short() -> None:
    with pytest.raises(FormatError) as caught:
        version_of(_file("x" * 100))
    shown = repr("x" * 100)[:60]
    assert caught.value.problem == f"file_format_version is {shown}"


class _VersionByName:
    """No text and no number, though it looks like one."""

    def __str__(self) -> str:
        return "3.3"


def test_only_text_and_numbers_are_versions() -> None:
    with pytest.raises(FormatError, match="file_format_version is"):
        version_of(_file(_VersionByName()))


@pytest.mark.parametrize("version", ["3.3", "3.4", "4.0"])
def test_newer_files_are_left_alone(version: str) -> None:
    tree = _file(version, x=_cells(2), ragged_shapes=_shapes((2,)))
    assert migrated(tree) is tree


@pytest.mark.parametrize("version", ["3.4", "4.0", "9.0", 3.5, "3.10"], ids=repr)
def test_a_newer_version_is_told(version: Any) -> None:
    said = f"the file is of version {version} of the format, and zspy knows 3.3: what is new in"
    assert newer(_file(version)).startswith(said)


@pytest.mark.parametrize("version", ["3.1", "3.3", 3.3], ids=repr)
def test_a_known_version_is_not_told(version: Any) -> None:
    assert newer(_file(version)) == ""


def test_the_shapes_of_a_group_are_given_to_its_array() -> None:
    cells, shapes = _cells(2, 6), _shapes((2,), (2, 3))
    tree = _file(g=Group({"a": 1}, {"x": cells, "ragged_shapes": shapes, "y": Array(np.zeros(2))}))
    inner = Group({"a": 1}, {"x": cells, SHAPES + "x": shapes, "y": Array(np.zeros(2))})
    assert migrated(tree) == _file(g=inner)


def test_the_shapes_of_a_group_belong_to_the_arrays_that_they_fit() -> None:
    """Of several arrays in one group, the last one wrote over the shapes of the others."""
    first, last, other = _cells(2, 6), _cells(6, 2), _cells(6, 2, nav=(2, 1))
    shapes = _shapes((3, 2), (2,))
    found = migrated(_file(first=first, last=last, other=other, ragged_shapes=shapes))
    assert found == _file(first=first, last=last, other=other, **{SHAPES + "last": shapes})


def test_shapes_may_be_those_of_lazy_cells() -> None:
    da = pytest.importorskip("dask.array")
    for nav, fits in (((2,), True), ((1, 2), False)):
        cells = Array(da.from_array(_cells(2, 3, nav=nav).data, chunks=1), cells="<i8")
        found = migrated(_file(x=cells, ragged_shapes=_shapes((5,), (7,))))
        assert (SHAPES + "x" in found.members) == fits
    shapes = Array(da.from_array(_shapes((5,), (7,)).data, chunks=1), cells="<i8")
    found = migrated(_file(x=_cells(2, 3), ragged_shapes=shapes))
    assert found.members[SHAPES + "x"] is shapes


@pytest.mark.parametrize(
    "own",
    [
        Array(np.arange(3)),
        Group({}, {"x": Array(np.arange(3))}),
        Array(object_array(["a"], (1,)), cells="vlen-utf8"),
    ],
)
def test_an_array_of_that_name_that_holds_no_shapes_stays(own: Any) -> None:
    tree = _file(x=_cells(2), ragged_shapes=own)
    assert migrated(tree) == tree


def test_nothing_is_changed_in_place() -> None:
    members = {"x": _cells(2), "ragged_shapes": _shapes((2,))}
    tree = _file(**members)
    migrated(tree)
    assert tree.members == members


@pytest.mark.parametrize("cells", ["vlen-utf8", "vlen-bytes"])
def test_lazy_text_has_no_shapes_though_nobody_knows_its_cells(cells: str) -> None:
    da: Any = pytest.importorskip("dask.array")
    texts = Array(da.from_array(object_array(["ab", "abc"], (2,)), chunks=1), cells=cells)
    found = migrated(_file(x=texts, ragged_shapes=_shapes((2,), (3,))))
    assert {*found.members} == {"x"}


def test_text_has_no_shapes_though_they_would_fit() -> None:
    texts = Array(object_array(["ab", "abc"], (2,)), cells="vlen-utf8")
    documents = Array(object_array([None, "ab"], (2,)), cells="json2")
    members = {"x": texts, "y": documents}
    found = migrated(_file(**members, ragged_shapes=_shapes((2,), (3,))))
    assert found == _file(**members)
