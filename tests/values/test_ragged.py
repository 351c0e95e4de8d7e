"""Object arrays: cells are packed as the format holds them, and come back as they were."""

from __future__ import annotations

import json
from typing import Any, Final, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.support.values import CELLS, cells
from zspy import FormatError
from zspy.strategies import first_difference, object_arrays
from zspy.typing import NumPyArray, is_array
from zspy.values.dtype_specs import dtype_spec
from zspy.values.ragged import RaggedCells, cell_codes, object_array, pack, reshaped, unpack

THIRD: Final = np.longdouble(1) / 3
LONG: Final = np.dtype(np.longdouble)
LONGER: Final = np.dtype(np.clongdouble)
DAYS: Final = np.array([1, 2], "M8[D]")


def unpacked(array: NumPyArray) -> NumPyArray | None:
    """Pack an object array and unpack it again; what it was is written down as JSON."""
    if (packed := pack(array)) is None:
        return None
    spec = json.loads(json.dumps(packed.spec))
    return unpack(packed.cells, packed.shapes, cell_codes(spec, array.shape) if spec else None)


@given(object_arrays())
def test_what_can_be_packed_comes_back_type_for_type(array: NumPyArray) -> None:
    found = unpacked(array)
    assert found is None or first_difference(array, found) is None


@given(object_arrays())
def test_packed_cells_are_flat_and_of_one_dtype(array: NumPyArray) -> None:
    packed = pack(array)
    if packed is None or packed.shapes is None:
        return
    assert packed.cells.shape == packed.shapes.shape == array.shape
    shapes = np.asarray(packed.shapes)
    for cell, shape in zip(packed.cells.ravel(), shapes.ravel(), strict=True):
        assert shape.dtype == np.int64
        assert len(cell) == shape.prod()
        if packed.cell_type == "msgpack2":
            assert all(type(text) is str for text in cell)
        else:
            assert cell.dtype == packed.cell_type
            assert cell.ndim == 1


@pytest.mark.parametrize(
    ("array", "item", "spec"),
    [
        (cells("a", "é", ""), "vlen-utf8", None),
        (np.empty((2, 0), object), "vlen-utf8", None),
        (cells(np.arange(2), np.eye(2, dtype=int)), "<i8", None),
        (cells(np.array([b"a"]), np.array([b"b"])), "|S1", None),
        (cells(DAYS, DAYS), "<M8[D]", None),
        (cells(DAYS.astype(">M8[D]")), ">M8[D]", None),
        (cells(np.array(["a", "bc"])), "msgpack2", None),
        (cells(np.array(["a"], "<U5")), "msgpack2", ["cells", ["<U5", 1]]),
        (cells(np.array(["a"], ">U1")), "msgpack2", ["cells", [">U1", 1]]),
        (cells(np.array([], "<U1")), "msgpack2", ["cells", ["<U1", 1]]),
        (cells(np.zeros(2, "i1"), np.zeros(1, "i4")), "<i4", ["cells", ["|i1", 1], ["<i4", 1]]),
        (cells(np.arange(2), np.zeros(1)), "<f8", ["cells", ["<i8", 1], ["<f8", 1]]),
        (cells(np.zeros(1, ">f8"), np.zeros(1)), "<f8", ["cells", [">f8", 1], ["<f8", 1]]),
        (cells(np.ones(1), np.ones(1) * 1j), "<c16", ["cells", ["<f8", 1], ["<c16", 1]]),
        (cells(np.zeros(1), None, None), "<f8", ["cells", ["<f8", 1], [None, 2]]),
        (
            cells([1, 2], (3,), []),
            "<i8",
            ["cells", ["list:<i8", 1], ["tuple:<i8", 1], ["list:", 1]],
        ),
        (cells(["a"], ()), "msgpack2", ["cells", ["list:<U1", 1], ["tuple:", 1]]),
        (cells([1.5], np.zeros(1)), "<f8", ["cells", ["list:<f8", 1], ["<f8", 1]]),
        (
            cells(np.zeros(1, LONG.newbyteorder())),
            LONG.str,
            ["cells", [LONG.newbyteorder().str, 1]],
        ),
        (cells(np.array([THIRD]), np.zeros(1)), LONG.str, ["cells", [LONG.str, 1], ["<f8", 1]]),
        (
            cells(np.array([np.longdouble("nan")]), np.full(1, np.nan)),
            LONG.str,
            ["cells", [LONG.str, 1], ["<f8", 1]],
        ),
        (
            cells(np.array([THIRD * 1j]), np.zeros(1)),
            LONGER.str,
            ["cells", [LONGER.str, 1], ["<f8", 1]],
        ),
        (
            cells(np.zeros(1, LONGER.newbyteorder())),
            LONGER.str,
            ["cells", [LONGER.newbyteorder().str, 1]],
        ),
        (cells(np.arange(2), None), "<i8", ["cells", ["<i8", 1], [None, 1]]),
        (
            cells(np.array([1j], "<c8"), np.array([2j])),
            "<c16",
            ["cells", ["<c8", 1], ["<c16", 1]],
        ),
        (
            cells(*(np.ones(1, code) for code in ("?", "i1", "u1", "<f2", "<c8"))),
            "<c8",
            ["cells", ["|b1", 1], ["|i1", 1], ["|u1", 1], ["<f2", 1], ["<c8", 1]],
        ),
    ],
)
def test_cells_are_promoted_to_one_dtype_and_the_record_keeps_their_own(
    array: NumPyArray, item: str, spec: list[Any] | None
) -> None:
    packed = pack(array)
    assert packed is not None
    assert packed.cell_type == item
    assert packed.spec == spec
    if packed.shapes is not None and item != "msgpack2":
        assert {cell.dtype for cell in packed.cells} == {np.dtype(item)}
    assert first_difference(array, unpacked(array)) is None


@pytest.mark.parametrize(
    "array",
    [
        *(cells(1, 2), cells(None, None), cells([], ()), cells(np.zeros(1), 1), cells("a", None)),
        *(cells("\ud800"), cells(np.array(["\ud800"])), cells(["\ud800"]), cells({}), cells(b"a")),
        *(cells(np.zeros(1), np.array(["a"])), cells(DAYS, DAYS.astype("M8[s]"))),
        *(
            cells(DAYS, np.zeros(1)),
            cells(np.zeros(1, "m8[s]"), DAYS),
            cells(np.zeros(1, "m8[s]"), np.zeros(1, "m8[ms]")),
            cells(np.zeros(1, ">i8").view(">m8")),
            cells(np.ma.MaskedArray([1])),
        ),
        *(cells(np.array([2**63 + 1], "u8"), np.array([-1])), cells(np.zeros(1, [("a", "S1")]))),
        *(
            cells(np.zeros(1, "V3"), np.zeros(1, "V2")),
            cells(cells(1)),
            cells([1, "a"]),
            cells([None]),
            cells([[1]]),
        ),
        *(cells([2**63, -1]), cells([2**70]), cells(["a\0"]), cells([np.int8(1)]), cells({1})),
        cells(np.array(["a"], "<U40000000")),
        cells((False, 0)),
        cells(["\ud800", 1]),
    ],
)
def test_other_cells_are_not_packed(array: NumPyArray) -> None:
    assert pack(array) is None


@pytest.mark.parametrize("name", CELLS)
def test_packing_leaves_the_cells_alone(name: str) -> None:
    array, before = CELLS[name](), CELLS[name]()
    assert is_array(array)
    pack(array)
    assert first_difference(before, array) is None


# --------------------------------------------------------------------------------------------------
# What does not belong together


@pytest.mark.parametrize(
    "shapes",
    [
        *(cells(np.array([2]), np.array([2])), cells([2]), cells(None), cells(np.array(2))),
        *(cells(np.array([2.0])), cells(np.array([3])), cells(np.array([[2]]))),
        *(cells(np.array([-1])), cells(np.array([2, -1]))),
    ],
)
def test_a_cell_without_its_shape_is_refused(shapes: NumPyArray) -> None:
    with pytest.raises(FormatError, match=r"\A(?:the shape|a cell has|cannot reshape)"):
        unpack(cells(np.arange(2)), shapes)


def test_cells_of_older_files_come_back_as_arrays() -> None:
    """Lists of any scalars, and shapes of any integers."""
    given = cells(["a", "bc"], [1, 2.5], [], np.arange(2))
    shapes = cells(*(np.array(shape, "u1") for shape in ([2], [2, 1], [0], [1, 2])))
    expected = cells(
        *(np.array(["a", "bc"]), np.array([[1.0], [2.5]]), np.empty(0), np.arange(2)[None])
    )
    assert first_difference(expected, unpack(given, shapes)) is None


def uncut(*arrays: NumPyArray) -> RaggedCells:
    """Lay cells end to end."""
    values = np.concatenate([*arrays, np.empty(0, arrays[0].dtype if arrays else "f8")])
    return RaggedCells(values, np.cumsum([0, *map(len, arrays)]), (len(arrays), 1))


_EDGES: Final = st.integers(0, 3)
_TAILS: Final = st.lists(_EDGES, max_size=2).flatmap(
    lambda tail: st.lists(_EDGES.map(lambda first: [first, *tail]))
)


@given(_TAILS | st.lists(st.lists(_EDGES, max_size=3)))
def test_cells_that_lie_end_to_end_get_the_shapes_that_cut_ones_get(
    shapes: list[list[int]],
) -> None:
    arrays = [np.arange(float(np.prod(shape))) for shape in shapes]
    edges = [np.array(shape, np.int64) for shape in shapes]
    given, rows = uncut(*arrays), uncut(*edges)
    expected = unpack(np.asarray(given), np.asarray(rows))
    assert expected.shape == given.shape
    for found in (unpack(given, rows), unpack(given, np.asarray(rows))):
        assert first_difference(expected, found) is None
    for cell, array, shape in zip(expected.flat, arrays, shapes, strict=True):
        assert cell.shape == tuple(shape)
        assert cell.tobytes() == array.tobytes()
        assert cell.flags.writeable


def test_cells_that_lie_end_to_end_are_cut_by_their_first_edges() -> None:
    given = uncut(np.arange(6.0), np.arange(3.0))
    found = unpack(given, uncut(np.array([2, 3]), np.array([1, 3])))
    assert [cell.tolist() for cell in found.flat] == [[[0, 1, 2], [3, 4, 5]], [[0, 1, 2]]]


@pytest.mark.parametrize(
    "edges",
    [
        *([[2, 2], [1, 2]], [[-2, -2], [-1, -2]], [[1, 2**62], [1, 2]], [[2, 2**33], [1, 2**33]]),
        *([[2, 2**62, 4], [1, 2**62, 4]], [[2], [1]], [[4, 0], [2, 0]], [[], []], [[4], [2, 1, 2]]),
    ],
)
def test_cells_that_lie_end_to_end_get_no_shapes_of_others(edges: list[list[int]]) -> None:
    given, rows = uncut(np.zeros(4), np.zeros(3)), uncut(*(np.array(e, "i8") for e in edges))
    for one in (given, np.asarray(given)):
        with pytest.raises(FormatError, match=r"cannot reshape|negative length|too (large|big)"):
            unpack(one, rows)


def test_cells_that_lie_end_to_end_are_an_object_array() -> None:
    given = uncut(np.arange(2), np.arange(3))
    assert (np.asarray(given).shape, given.dtype) == ((2, 1), np.dtype(object))
    with pytest.raises(FormatError, match="another shape"):
        unpack(given, uncut(np.array([2])))
    with pytest.raises(FormatError, match="no list of integers"):
        unpack(given, uncut(np.array([2.0]), np.array([3.0])))


def test_cells_get_shapes_of_one_tail_at_once() -> None:
    shapes = RaggedCells(np.array([0, 2, 3, 2]), np.array([0, 2, 4]), (2,))

    def made(*lengths: int) -> RaggedCells | None:
        ends = np.cumsum([0, *lengths])
        return reshaped(RaggedCells(np.arange(int(ends[-1])), ends, (2,)), shapes)

    found = made(0, 6)
    assert found is not None
    assert found.values.shape == (3, 2)
    assert found.ends.tolist() == [0, 0, 3]
    assert made(0, 7) is made(2, 6) is None


def test_an_empty_cell_whose_shape_is_empty_has_one_dimension() -> None:
    """Both are so where their chunks are not stored."""
    empty = np.empty(0, np.int64)
    found = unpack(cells(np.arange(3.0), np.empty(0)), cells(np.array([3]), empty))
    assert [cell.shape for cell in found] == [(3,), (0,)]
    (scalar,) = unpack(cells(np.arange(1.0)), cells(empty))
    assert scalar.shape == ()


def test_cells_without_shapes_stay_as_they_are() -> None:
    array = cells("a", "b")
    for codes in (None, cell_codes(["cells", ["<f8", 2]], (2,))):
        assert first_difference(array, unpack(array, None, codes)) is None


def test_flat_cells_have_the_dtypes_of_the_record() -> None:
    codes = cell_codes(["cells", ["<i2", 1], [None, 1]], (2,))
    found = unpack(cells(np.arange(2.0), np.empty(0)), None, codes)
    assert first_difference(cells(np.arange(2, dtype="<i2"), None), found) is None


@pytest.mark.parametrize(
    "spec",
    [
        *(None, 1, [], ["cells"], ["cells", 1], ["cells", ["<f8"]], ["cells", ["<f8", 3]]),
        *(["cells", ["<f8", 1]], ["cells", ["<f8", 0], ["<f8", 2]], ["cells", [1, 2]]),
        *(["cells", ["<f8", -1], ["<f8", 3]], ["cells", ["<f8", 2.0]], ["cells", ["<f8", 2**70]]),
    ],
)
def test_a_record_of_another_array_gives_no_dtypes(spec: Any) -> None:
    assert cell_codes(spec, (2,)) is None


@pytest.mark.parametrize(
    "code",
    [
        *(None, "x", "O", "T", "<i4", "<f4", "M8[D]", "list:", "tuple:", "list:x", "list:O"),
        *("<U99999999", "V9", "S1", "<U1"),
    ],
)
def test_a_dtype_that_would_not_be_stored_so_is_ignored(code: str | None) -> None:
    for values in ([0.1, 300], [np.nan, 1e300]):
        stored = cells(np.array(values))
        codes = cell_codes(["cells", [code, 1]], (1,))
        found = unpack(stored, cells(np.array([2])), codes)
        assert first_difference(stored, found) is None


def test_cells_of_many_bytes_have_their_dtypes() -> None:
    codes = cell_codes(["cells", ["<i2", 1], [None, 1]], (2,))
    cell = np.zeros(2**19, "<i2")
    found = unpack(cells(cell, cell[:0]), None, codes)
    assert first_difference(cells(cell, None), found) is None


def test_a_list_has_one_dimension() -> None:
    codes = cell_codes(["cells", ["list:<f8", 1]], (1,))
    found = unpack(cells(np.zeros(4)), cells(np.array([2, 2])), codes)
    assert first_difference(cells(np.zeros((2, 2))), found) is None


def test_an_object_array_holds_whatever_it_is_given() -> None:
    array = object_array([[1], [2, 3], np.zeros(2), "a"], (2, 2))
    assert first_difference([[[1], [2, 3]], [np.zeros(2), "a"]], array.tolist()) is None


# --------------------------------------------------------------------------------------------------
# Cells with fields

PEAKS: Final = np.dtype([("position", "<f8"), ("height", "<f8"), ("width", "<f4")])


def test_fields_of_numbers_stand_along_a_last_dimension() -> None:
    peaks = np.array([(1.5, 2.0, 3.0), (4.0, 5.0, 6.5)], PEAKS)
    array = object_array([peaks, np.zeros(0, PEAKS), None, np.ones(2)], (4,))
    packed = pack(array)
    assert packed is not None
    assert packed.cell_type == "<f8"
    assert packed.cells[0].tolist() == [1.5, 2.0, 3.0, 4.0, 5.0, 6.5]
    assert [row.tolist() for row in np.asarray(packed.shapes)] == [[2, 3], [0, 3], [0], [2]]
    found = unpack(packed.cells, packed.shapes, cell_codes(packed.spec, (4,)))
    assert first_difference(array, found) is None


@pytest.mark.parametrize(
    "dtype", [[("a", "S2")], [("a", "f8", (2,))], [("a", "i8"), ("b", "f8")], [("a", "M8[s]")]]
)
def test_fields_that_no_number_holds_are_not_packed(dtype: Any) -> None:
    cell = cast("Any", np.zeros(2, dtype))
    if len(dtype) == 2:
        cell["a"] = 2**53 + 1
    assert pack(object_array([cell], (1,))) is None


def test_a_record_of_other_fields_changes_nothing() -> None:
    packed = pack(object_array([np.ones((1, 3))], (1,)))
    assert packed is not None
    two = dtype_spec(np.dtype([("a", "f8"), ("b", "f8")]))
    integers = dtype_spec(np.dtype([("a", "i8"), ("b", "i8"), ("c", "i8")]))
    for flat, spec in ((packed.cells, two), (object_array([np.full(3, 1.5)], (1,)), integers)):
        codes = object_array([f"fields:{json.dumps(spec)}"], (1,))
        found = unpack(flat, packed.shapes, codes)
        assert first_difference(object_array([flat[0].reshape(1, 3)], (1,)), found) is None


def test_cells_of_text_in_several_dimensions_keep_their_widths() -> None:
    array = cells(np.array([["a", "b"]]), np.array([["abc"], ["d"]]))
    packed = pack(array)
    assert packed is not None
    assert packed.spec == ["cells", ["<U1", 1], ["<U3", 1]]
    assert first_difference(array, unpacked(array)) is None


def test_cells_of_more_dimensions_than_there_can_be_are_an_error() -> None:
    one = RaggedCells(np.zeros(2), np.arange(3), (2,))
    shapes = RaggedCells(np.ones(200, "i8"), np.array([0, 100, 200]), (2,))
    assert reshaped(one, shapes) is None
    with pytest.raises(FormatError, match="dimension"):
        unpack(one, shapes, where="a")
