"""Names: marks can be undone, and every name is one that stores and file systems hold."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import pytest
from hypothesis import example, given, strategies as st

from zspy.strategies import keys
from zspy.values.names import (
    EMPTY,
    ENCODING,
    KINDS,
    MARKS,
    NAV_SHAPE,
    RECORD,
    DistinctNames,
    Kind,
    Where,
    attribute_name,
    by_index,
    fold,
    hdf5_name,
    index_names,
    is_flat,
    mark,
    member_name,
    numbered,
    safe_name,
    specs_of,
    unmark,
)

PLACES: Final[tuple[Where, ...]] = ("attribute", "array", "group", "sequence")
DEVICES: Final = ("con", "PRN", "Aux", "nul", "COM1", "lpt9", "com¹", "conin$", "CONOUT$")

# --------------------------------------------------------------------------------------------------
# Marks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["x", "", "3_x", "_list_x", "empty_", "\ud800", "a/b"])
def test_a_mark_can_be_undone(kind: Kind, key: str) -> None:
    assert unmark(mark(kind, key)) == (kind, key)
    assert unmark(mark(kind, key, 0), "group") == (kind, key)
    assert unmark(mark(kind, key, EMPTY), "attribute") == (kind, key)


@pytest.mark.parametrize("name", ["x", "", "_", "_listx", "list_x", "_List_x", "_dict_x"])
@pytest.mark.parametrize("where", PLACES)
def test_what_has_no_mark_is_told(name: str, where: Where) -> None:
    assert unmark(name, where) is None


def test_a_list_that_is_not_empty_is_no_attribute() -> None:
    assert unmark("_list_x", "attribute") is None


@pytest.mark.parametrize(
    ("name", "key"),
    [("_list_x", "x"), ("_list_2_x_y", "x_y"), ("_list_x_y", "y"), ("_list_", ""), ("_list__", "")],
)
def test_the_name_of_a_group_is_cut_as_every_reader_cuts_it(name: str, key: str) -> None:
    """Behind the underscore that follows the number, and behind any other if there is no number."""
    assert unmark(name, "group") == ("list", key)


# --------------------------------------------------------------------------------------------------
# Members of sequences


@pytest.mark.parametrize("length", [1, 2, 10, 11, 100, 101, 1000])
def test_names_of_members_sort_as_text(length: int) -> None:
    names = index_names(length)
    assert names == sorted(names)
    assert [*map(int, names)] == [*range(length)]
    assert len({*map(len, names)}) == 1


def test_ten_members_are_named_as_the_reference_names_them() -> None:
    assert index_names(10) == [*"0123456789"]


def test_members_that_the_reference_named_sort_as_numbers() -> None:
    names = [*map(str, range(12)), "_sig_12", "x"]
    assert sorted(sorted(names), key=by_index) == names
    assert sorted(["_sig_10", "_sig_9"], key=by_index) == ["_sig_9", "_sig_10"]


@pytest.mark.parametrize("name", ["٣", "²", "9" * 18, "-1", "1.0", ""])
def test_what_is_no_small_number_sorts_behind_numbers(name: str) -> None:
    assert by_index(name) > by_index("9" * 17)


def test_a_number_of_too_many_digits_is_text() -> None:
    assert sorted(["9" * 18, "0x", "9" * 17], key=by_index) == ["9" * 17, "0x", "9" * 18]


# --------------------------------------------------------------------------------------------------
# Names that readers, stores and file systems refuse


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("key", ["x", "General", "a b", "é", "日本", "chisq.data", "_x", "%", "1"])
def test_a_plain_key_is_its_own_name(where: Where, key: str) -> None:
    assert member_name(key, where) == key
    assert attribute_name(key) == key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("", "%"),
        (".", "%2E"),
        ("..", ".%2E"),
        ("/", "%2F"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("a\0b\x1f\x7f", "a%00b%1F%7F"),
        ("a.", "a%2E"),
        ("a ", "a%20"),
        (" a", "%20a"),
        ('<>:"|?*', "%3C%3E%3A%22%7C%3F%2A"),
        ("\ud800x", "%D800x"),
        (".zgroup", "%2Ezgroup"),
        ("ZARR.json", "%5AARR.json"),
        ("nul.txt", "%6Eul.txt"),
    ],
)
def test_an_escaped_name_can_be_read_by_eye(key: str, name: str) -> None:
    assert safe_name(key) == name


@pytest.mark.parametrize("key", DEVICES)
def test_devices_of_windows_are_escaped_with_and_without_a_suffix(key: str) -> None:
    assert safe_name(key) == f"%{ord(key[0]):02X}{key[1:]}"
    assert safe_name(f"{key}.x.y") == f"%{ord(key[0]):02X}{key[1:]}.x.y"
    assert safe_name(f"{key}x") == f"{key}x"


@pytest.mark.parametrize("where", PLACES)
def test_an_imitation_of_a_mark_is_escaped_where_readers_would_take_it_for_one(
    where: Where,
) -> None:
    for other in PLACES:
        for start in MARKS[other]:
            escaped = member_name(f"{start}x", where) != f"{start}x"
            assert escaped == start.startswith(MARKS[where])
    assert attribute_name(RECORD) == "%5Fsig_zspy"


def test_the_shapes_of_old_files_are_imitated_by_arrays_only() -> None:
    assert member_name("ragged_shapes", "array") == "%72agged_shapes"
    assert member_name("ragged_shapes", "group") == "ragged_shapes"


LONG: Final = [
    "k" * 201,
    "k" * 255,
    "é" * 200,
    "日" * 100,
    "/" * 100,
    "k" * 200 + "x.",
    "\ud800" * 99,
]


@pytest.mark.parametrize("key", LONG)
def test_a_long_key_is_cut_and_told_apart_by_a_digest(key: str) -> None:
    name, other = safe_name(key), safe_name(key + "x")
    assert len(name.encode()) <= 200
    assert name != other
    assert name == safe_name(key)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("k" * 201, "k" * 180 + "%ebf0ead0a3b837bc"),
        ("k" * 179 + "é" * 20, "k" * 179 + "%84d8164a929f25dd"),
        ("k" * 178 + ". x" * 20, "k" * 178 + "%e4860364edf2ae5f"),
    ],
)
def test_a_cut_name_is_the_same_in_every_release(key: str, name: str) -> None:
    """The start of the key, whole characters and no dot or space at its end, and the digest."""
    assert safe_name(key) == name


def test_two_hundred_bytes_are_not_too_long() -> None:
    assert safe_name("a/" + "k" * 196) == "a%2F" + "k" * 196
    assert safe_name("k" * 200) == "k" * 200
    assert safe_name("é" * 100) == "é" * 100


@given(keys() | st.text(st.characters(exclude_categories=())), st.sampled_from(PLACES))
@example("a" * 180 + "é" * 40, "group")
@example("a" * 179 + ". " * 40, "group")
def test_every_name_is_one_that_stores_and_file_systems_hold(key: str, where: Where) -> None:
    name = member_name(key, where)
    assert 0 < len(name.encode()) <= 200
    assert not set(name) & set('/\\\0<>:"|?*\n\r\t')
    assert name not in {".", ".."}
    assert not name.startswith((" ", *MARKS[where]))
    assert not name.endswith((" ", "."))
    assert name.partition(".")[0].casefold() not in {device.casefold() for device in DEVICES}
    assert not name.startswith((".z", "zarr.json")) or name not in {".zgroup", ".zarray", ".zattrs"}
    assert not attribute_name(key).startswith(MARKS["attribute"])


# --------------------------------------------------------------------------------------------------
# Names that some file system takes for one


@pytest.mark.parametrize(
    ("a", "b"), [("key", "KEY"), ("é", "e\u0301"), ("É", "e\u0301"), ("ß", "SS"), ("ﬁ", "FI")]
)
def test_names_that_some_file_system_takes_for_one_fold_to_one(a: str, b: str) -> None:
    assert a != b
    assert fold(a) == fold(b)


@given(st.text())
def test_composition_makes_no_difference(name: str) -> None:
    assert fold(name) == fold(unicodedata.normalize("NFD", name))


def test_a_name_is_made_distinct_by_a_number() -> None:
    assert DistinctNames().distinct("a") == "a"
    assert DistinctNames(("a", "a%1")).distinct("A") == "A%2"


def test_a_number_goes_on_from_the_last_one_of_the_name() -> None:
    numbers: dict[str, int] = {}
    taken = {"a", "a%1"}
    assert numbered("b", numbers, taken.__contains__) == "b"
    assert numbers == {}
    assert numbered("a", numbers, taken.__contains__) == "a%2"
    assert numbered("a", numbers, taken.__contains__) == "a%3"
    assert numbers == {"a": 3}


@pytest.mark.parametrize(
    "name",
    [
        *("_list_empty_", "_tuple_empty_", "_bs_", "_sig_", "_datetime_date", "_datetime_time"),
        *("_hspy_AxesManager_", "_hspy_Axis_"),
    ],
)
def test_an_attribute_imitates_no_mark_of_any_reader(name: str) -> None:
    assert attribute_name(f"{name}x") == f"%5F{name[1:]}x"
    assert attribute_name(f"x{name}") == f"x{name}"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        *(("", "%"), (".", "%2E"), ("..", "%2E."), ("...", "..."), ("a.b:c|d ", "a.b:c|d ")),
        *(("a/b", "a%2Fb"), ("a\0", "a%00"), ("\udfff", "%DFFF"), ("ü", "ü"), ("con", "con")),
    ],
)
def test_hdf5_has_names_that_file_systems_have_not(key: str, name: str) -> None:
    assert hdf5_name(key) == name


def test_a_name_for_hdf5_is_cut_where_it_is_too_long() -> None:
    longest = "k" * 4096
    assert hdf5_name(longest) == longest
    assert hdf5_name(f"{longest}k") == safe_name(f"{longest}k") != safe_name(longest)


# --------------------------------------------------------------------------------------------------
# What attributes say


def test_cells_lie_end_to_end_where_both_attributes_say_so() -> None:
    assert is_flat({ENCODING: "csr", NAV_SHAPE: [2]})
    assert not is_flat({ENCODING: "csr"})
    assert not is_flat({NAV_SHAPE: [2]})
    assert not is_flat({})


def test_a_record_says_what_a_member_is_if_it_is_one() -> None:
    assert specs_of({RECORD: {"types": {"x": ["set"]}}}, "x") == ["set"]
    assert specs_of({RECORD: {"types": {"x": ["set"]}}}, "y") == []
    records: list[Any] = [None, [], {}, {"types": None}, {"types": {"x": "set"}}]
    for record in records:
        assert specs_of({RECORD: record}, "x") == []
    assert specs_of({}, "x") == []
