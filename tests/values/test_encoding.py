"""Values become the nodes that the format has for them; what it has none for is refused by name."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pytest

from tests.support.cost import calls
from tests.support.values import (
    NARROWED,
    REFUSED,
    VALUES,
    Colour,
    OwnStr,
    Pair,
    Point,
    Shade,
    cells,
    nested,
)
from zspy import Array, EncodeError, Group, UnsupportedError, decode, encode, unsupported
from zspy.strategies import first_difference
from zspy.typing import Node, is_dict, is_lazy
from zspy.values.encoding import Encoder
from zspy.values.names import RECORD
from zspy.values.nodes import walk
from zspy.values.ragged import object_array

REMEDY: Final = "store a plain value instead, or leave it out with unsupported='skip'"
# The dtype of another library, which looks like void.
RATIONAL: Final[Any] = np.zeros(2, import_module("numpy._core._rational_tests").rational)


def record(group: Node) -> dict[str, Any]:
    """Return the type record of a group."""
    found = group.attributes.get(RECORD, {})
    assert is_dict(found)
    return found


# --------------------------------------------------------------------------------------------------
# The nodes of the format


def test_json_scalars_are_attributes() -> None:
    group = encode({"a": None, "b": True, "c": 1, "d": 2.5, "e": "text", "f": 2**64})
    assert group == Group({"a": "_None_", "b": True, "c": 1, "d": 2.5, "e": "text", "f": 2**64})


def test_empty_sequences_are_marked_attributes() -> None:
    assert encode({"a": [], "b": (), "a/b": []}) == Group(
        {"_list_empty_a": "_None_", "_tuple_empty_b": "_None_", "_list_empty_a/b": "_None_"}
    )


def test_dictionaries_are_groups() -> None:
    assert encode({"a": {"c": 1, "b": {}}}) == Group({}, {"a": Group({"c": 1}, {"b": Group()})})


def test_arrays_are_arrays() -> None:
    for array in (np.arange(3), np.eye(2), np.array(5), np.array(["a"]), np.zeros((0, 2), ">i2")):
        assert encode({"a": array}) == Group({}, {"a": Array(array)})


def test_sequences_of_scalars_are_marked_arrays() -> None:
    assert encode({"a": [1, 2], "c": ["x"], "d": [1, 2.5], "b": (1.5,)}) == Group(
        {},
        {
            "_list_a": Array(np.array([1, 2])),
            "_list_c": Array(object_array(["x"], (1,)), cells="vlen-utf8"),
            "_list_d": Array(np.array([1.0, 2.5])),
            "_tuple_b": Array(np.array([1.5])),
        },
    )


def test_other_sequences_are_marked_groups_of_numbered_members() -> None:
    assert encode({"a": [1, None], "b": ([1], {}, "x")}) == Group(
        {},
        {
            "_list_2_a": Group({"0": 1, "1": "_None_"}),
            "_tuple_3_b": Group({"2": "x"}, {"_list_0": Array(np.array([1])), "1": Group()}),
        },
    )
    long = encode({"a": [[], *[None] * 10]}).members["_list_11_a"]
    assert [*long.attributes][:2] == ["_list_empty_00", "01"]


def test_object_arrays_have_the_shapes_of_their_cells_beside_them() -> None:
    group = encode({"a/b": cells(np.eye(2), np.ones(1))})
    assert [*group.members] == ["a%2Fb", "_ragged_shapes_a%2Fb"]
    assert group.members["a%2Fb"] == Array(cells(np.eye(2).ravel(), np.ones(1)), cells="<f8")
    assert group.members["_ragged_shapes_a%2Fb"] == Array(
        cells(np.array([2, 2]), np.array([1])), cells="<i8"
    )


def test_a_nested_signal_has_its_axes_in_a_list() -> None:
    signal: dict[str, Any] = {"data": np.zeros(2), "axes": [{"name": "x"}], "metadata": {}}
    (member,) = encode({"_sig_x": signal}).members.values()
    assert isinstance(member, Group)
    assert sorted(member.members) == [
        *("_list_1_axes", "attributes", "data", "learning_results"),
        *("metadata", "original_metadata"),
    ]


NO_SIGNALS: Final[list[dict[str, Any]]] = [
    {"a": 1},
    {"data": 1, "axes": 2, "metadata": 3},
    {"data": np.zeros(2), "axes": [1], "metadata": {}},
    {"data": np.zeros(2), "axes": [{"size": np.zeros(2)}], "metadata": {}},
    {"data": np.zeros(2), "axes": [{}], "metadata": {}, "package_info": {"package": np.ones(2)}},
]


@pytest.mark.parametrize("value", NO_SIGNALS)
def test_what_is_called_a_signal_but_is_none_is_a_dictionary(value: dict[str, Any]) -> None:
    group = encode({"_sig_x": value})
    assert [*group.members] == ["%5Fsig_x"]
    assert first_difference({"_sig_x": value}, decode(group), ordered=False) is None


# --------------------------------------------------------------------------------------------------
# Names and order


def test_no_more_groups_are_made_than_somebody_reads() -> None:
    """A list of kilobytes in a file may hold a million lists: each would become a group."""
    encoder = Encoder(True, "raise", copy=False, most=5)
    encoder.encode({"a": [[None, 1], [None, 2]]})
    wide = {"a": [[None, 1]] * 1000}
    with pytest.raises(EncodeError, match=r"a\[1\]: more nodes than are read again: 5; store"):
        encoder.encode(wide)
    assert len(encode(wide).members) == 1


def test_plain_trees_have_no_record() -> None:
    tree = {"a": 1, "b": None, "e": [1, [2, None]], "c": {"d": [1, 2]}, "f": np.arange(2)}
    assert all(RECORD not in node.attributes for _, node in walk(encode(tree)))


def test_keys_that_are_not_their_own_names_are_recorded() -> None:
    tree: dict[Any, Any] = {1: "a", (1, "b"): "c", "_sig_x": 1, "_bs_y": [2], None: 3}
    assert record(encode(tree)) == {
        "keys": {"1": 1, "(1, 'b')": ["tuple", 1, "b"], "%5Fsig_x": "_sig_x", "None": None},
        "order": ["1", "(1, 'b')", "%5Fsig_x", "_bs_y", "None"],
    }


def test_entries_of_one_name_are_told_apart() -> None:
    tree: dict[Any, Any] = {"1": 1, 1: 2, "a/b": {}, "a%2Fb": {}, "Key": {}, "key": {}, "KEY": 1}
    group = encode(tree)
    assert [*group.attributes] == ["1", "1%1", "KEY", RECORD]
    assert [*group.members] == ["a%2Fb", "a%2Fb%1", "Key", "key%1"]
    assert first_difference(tree, decode(group)) is None


def test_sequences_whose_nodes_would_have_one_name_are_told_apart() -> None:
    tree = {"x": [1, [2], 3], "3_x": [1, 2, 3], "_list_3_x": {"a": 1}}
    assert [*encode(tree).members] == ["_list_3_x", "_list_3_x%1", "%5Flist_3_x"]
    assert first_difference(tree, decode(encode(tree))) is None


@pytest.mark.parametrize(
    ("tree", "order"),
    [
        ({"b": 1, "a": 2}, None),
        ({"b": 1, "a": {}}, None),
        ({"a": {}, "b": {}}, None),
        ({"b": {}, "a": {}}, ["b", "a"]),
        ({"a": {}, "b": 1}, ["a", "b"]),
        ({"b": [1], "a": np.ones(1)}, None),
        ({"a": np.ones(1), "b": [1]}, ["a", "b"]),
    ],
)
def test_the_order_is_recorded_where_reading_would_give_another(
    tree: dict[str, Any], order: list[str] | None
) -> None:
    assert record(encode(tree)).get("order") == order
    assert [*decode(encode(tree))] == [*tree]


# --------------------------------------------------------------------------------------------------
# Types that the format has no word for


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (1j, [["complex"]]),
        (b"_None_", [["bytes"], ["str"]]),
        (np.array([b"a"]), [["S"]]),
        ([np.float32(1)], [["scalars"]]),
        ({1, 2}, [["set"]]),
        (cells(1, None), [["object", [2]]]),
        (cells({}, shape=(1, 1)), [["object", [1, 1]]]),
        (cells(np.ones(1), None), [["cells", ["<f8", 1], [None, 1]]]),
        (np.array(["a"], np.dtypes.StringDType()), [["StringDType", True]]),
        (np.void(b"ab"), [["numpy", "V"]]),
    ],
)
def test_types_are_recorded_outermost_first(value: object, types: list[Any]) -> None:
    assert record(encode({"x": value}, homogenize=False))["types"] == {"x": types}


def test_of_homogenized_scalars_only_those_with_units_stay_what_they_are() -> None:
    value = {"time": [np.timedelta64(1, "s")], "number": [np.float32(0.5)], "text": [np.str_("a")]}
    plain = {**value, "number": [0.5], "text": ["a"]}
    assert first_difference(decode(encode(value)), plain) is None
    assert first_difference(decode(encode(value, homogenize=False)), value) is None


def test_the_content_of_what_is_no_plain_container_is_not_homogenized() -> None:
    for value in ({1, 2.5}, slice(1, 2.5), cells([1, 2.5], [True, 2]), {(1, 2.5)}):
        assert first_difference({"x": value}, decode(encode({"x": value}))) is None
    ordered = OrderedDict[str, Any](x=[1, 2.5])
    assert first_difference([1.0, 2.5], decode(encode({"o": ordered}))["o"]["x"]) is None


def test_records_of_one_dtype_are_an_array_those_with_padding_are_not() -> None:
    packed = np.zeros(2, [("a", "i1"), ("b", "f8")])
    padded = np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    assert [*encode({"x": [*packed]}).members] == ["_list_x"]
    assert [*encode({"x": [*padded]}).members] == ["_list_2_x"]
    assert first_difference({"x": [*padded]}, decode(encode({"x": [*padded]}))) is None


@pytest.mark.parametrize("name", VALUES)
def test_every_value_is_kept_without_homogenization(name: str) -> None:
    tree = {"x": VALUES[name]()}
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None
    assert unsupported(tree) == []


# --------------------------------------------------------------------------------------------------
# What is narrowed, refused or skipped


@pytest.mark.parametrize("name", NARROWED)
def test_a_subclass_is_stored_as_its_plain_base_and_reported(name: str) -> None:
    value, plain = NARROWED[name]()
    tree = {"a": {"b": value}}
    assert first_difference({"a": {"b": plain}}, decode(encode(tree, homogenize=False))) is None
    (place, *_) = unsupported(tree)
    kind = type(value)
    reason = f"stored as {type(plain).__name__}, its plain base"
    assert place == ("a.b", f"{kind.__module__}.{kind.__qualname__}", reason, True)


def test_a_memory_map_is_an_array_without_a_word(tmp_path: Path) -> None:
    tree = {"a": np.memmap(tmp_path / "a", "i4", "w+", shape=(2, 3))}
    assert first_difference({"a": np.zeros((2, 3), "i4")}, decode(encode(tree))) is None
    assert unsupported(tree) == []


def test_a_key_of_a_subclass_is_narrowed_and_reported() -> None:
    tree = {Colour.RED: 1, Shade.DARK: {OwnStr("x"): 2}}
    assert first_difference({1: 1, "dark": {"x": 2}}, decode(encode(tree))) is None
    assert [place[0] for place in unsupported(tree)] == ["[<Colour.RED: 1>]", "dark", "dark.x"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_kept_is_refused_with_its_place_its_type_and_a_remedy(name: str) -> None:
    tree = {"a": {"b": [0, REFUSED[name]()]}}
    (place, *_) = unsupported(tree)
    with pytest.raises(UnsupportedError) as caught:
        encode(tree)
    assert caught.value.location == place.location
    assert place.location.startswith("a.b[1]")
    assert str(caught.value) == f"{place.location}: {place.type} {place.reason}"
    assert place.reason == f"is of no type that zspy stores; {REMEDY}"
    assert not place.narrowed


def test_what_is_skipped_is_gone_and_so_is_a_sequence_that_would_come_back_shorter() -> None:
    tree = {"a": object(), "b": [1, object()], object(): 1, "c": {"d": Point(1.5), "e": 2}}
    found = decode(encode(tree, unsupported="skip"))
    assert first_difference({"c": {"e": 2}}, found) is None
    dropped = decode(encode(tree, unsupported="drop"))
    assert first_difference({"b": [1], "c": {"e": 2}}, dropped) is None
    places = unsupported(tree)
    assert [place.location for place in places] == ["a", f"[{[*tree][2]!r}]", "b[1]", "c.d"]
    assert places[1].reason == "is no key that zspy stores; use a string"


LEFT_OUT: Final[list[tuple[Any, Any, Any]]] = [
    # a value, what "skip" and what "drop" leave of it
    ([1, [2, (object(), 3)]], None, [1, [2, (3,)]]),
    ([{"a": [len], "b": 1}, object()], None, [{"a": [], "b": 1}]),
    ([{"a": [len], "b": 1}, None], [{"b": 1}, None], [{"a": [], "b": 1}, None]),
    ((len, len), None, ()),
    ([0, {1, len}, "x"], None, [0, "x"]),
    ({1, len}, None, None),
    (cells(1, len), None, None),
]


@pytest.mark.parametrize(("value", "skipped", "dropped"), LEFT_OUT)
def test_no_sequence_has_a_hole(value: Any, skipped: Any, dropped: Any) -> None:
    for choice, left in (("skip", skipped), ("drop", dropped)):
        unsupported: Any = choice
        group = encode({"é": 1, "x": value}, homogenize=False, unsupported=unsupported)
        expected = {"é": 1} if left is None else {"é": 1, "x": left}
        assert first_difference(expected, decode(group)) is None


def test_places_are_listed_level_by_level_in_order() -> None:
    tree = {"a": [object(), [object()]], "b": object(), "c": {"d": object()}}
    assert [place.location for place in unsupported(tree)] == ["b", "a[0]", "c.d", "a[1][0]"]


@pytest.mark.parametrize(
    "value",
    [
        RATIONAL,
        np.zeros(2, [("a", RATIONAL.dtype)]),
        np.zeros(2, [("a", RATIONAL.dtype, (2,))]),
        np.zeros(2, [("a", "O")]),
        np.zeros(2, "V0"),
        np.zeros(2, [("a", "i4"), ("b", "V0")]),
        np.zeros(2, [("a", "i4"), ("b", "i4", (0,))]),
        np.zeros(2, [("a", "i4"), ("b", [])]),
        np.zeros(2, []),
    ],
)
def test_an_array_whose_dtype_zarr_does_not_hold_is_refused(value: Any) -> None:
    text = f"x: numpy.ndarray has the dtype {value.dtype}; {REMEDY}"
    with pytest.raises(UnsupportedError) as caught:
        encode({"x": value})
    assert str(caught.value) == text
    (place,) = unsupported({"x": value})
    assert (place.location, place.narrowed) == ("x", False)


def test_scalars_whose_dtype_zarr_does_not_hold_are_refused() -> None:
    for value in (RATIONAL[0], np.zeros(1, [("a", "O")])[0]):
        for tree in ({"x": value}, {"x": [value]}, {"x": [value, value]}):
            with pytest.raises(UnsupportedError, match=r"^x"):
                encode(tree)
    assert decode(encode({"x": np.zeros(1, [("a", "O")])[0]}, unsupported="skip")) == {}


@pytest.mark.parametrize("value", [1, None, "a", [1], np.zeros(1), [("a", 1)]])
def test_the_root_is_a_dictionary(value: Any) -> None:
    with pytest.raises(
        EncodeError,
        match=r"^value: (an? \w+|None|a NumPy array) is no dictionary; wrap it: \{'name': value\}$",
    ):
        encode(value)


def test_the_root_may_be_any_mapping() -> None:
    roots: list[Any] = [MappingProxyType({"a": 1}), defaultdict(int, a=1), OrderedDict({"a": 1})]
    for value in roots:
        assert encode(value) == Group({"a": 1})


def test_other_choices_are_refused() -> None:
    choice: Any = "ignore"
    with pytest.raises(EncodeError, match="unsupported: 'ignore' is no choice; use one of"):
        encode({}, unsupported=choice)


def test_an_encoder_that_has_refused_can_go_on() -> None:
    encoder = Encoder(homogenize=True, unsupported="raise", copy=True)
    with pytest.raises(UnsupportedError):
        encoder.encode({"a": {"b": 1}, "c": object()})
    assert encoder.encode({"d": 1}) == Group({"d": 1})


def test_a_key_that_contains_too_much_is_refused() -> None:
    key: Any = ()
    for _ in range(20_000):
        key = (key,)
    with pytest.raises(UnsupportedError, match="is no key that zspy stores; use a string"):
        encode({"a": {key: 1}})


def test_a_cycle_is_refused_where_it_closes() -> None:
    inner: list[Any] = [None]
    inner[0] = inner
    with pytest.raises(EncodeError, match=r"^a\[0\]: a list contains itself; break the cycle$"):
        encode({"a": inner})
    tree: dict[str, Any] = {}
    tree["a"] = tree
    with pytest.raises(EncodeError, match=r"^a: a dict contains itself; break the cycle$"):
        encode(tree)


def test_a_cycle_far_below_is_refused_when_it_comes_by_again() -> None:
    inner: list[Any] = [None]
    inner[0] = inner
    for _ in range(100):
        inner = [inner]
    with pytest.raises(EncodeError, match="a list contains itself; break the cycle"):
        encode({"a": inner})


def test_a_list_that_is_in_itself_twice_is_refused_at_once_at_any_depth() -> None:
    """With each level more, there would be twice as many."""
    inner: list[Any] = [None]
    inner += [inner, inner]
    for _ in range(55):
        inner = [inner, None]
    with pytest.raises(EncodeError, match="a list contains itself; break the cycle") as caught:
        encode({"a": inner})
    assert caught.value.location == "a" + "[0]" * 55 + "[1]"


# --------------------------------------------------------------------------------------------------
# Memory and time


def test_memory_is_shared_where_the_caller_says_so() -> None:
    masked: Any = np.ma.MaskedArray([1.5])
    tree: dict[str, Any] = {"a": np.arange(3), "b": cells(np.arange(2)), "c": {"d": masked}}
    shared, own = encode(tree, copy=False), encode(tree)
    assert shared == own
    for group, share in ((shared, True), (own, False)):
        found: Any = group.members
        assert np.shares_memory(tree["a"], found["a"].data) is share
        assert np.shares_memory(tree["b"][0], found["b"].data[0]) is share
        values = found["c"].members["d"].members["data"].data
        assert np.shares_memory(masked.data, values) is share


def test_lazy_arrays_stay_lazy_unless_they_are_ragged() -> None:
    da = pytest.importorskip("dask.array")
    lazy = da.zeros(3)
    group = encode({"a": lazy, "b": da.from_array(cells(np.ones(2)), chunks=1)})
    assert group.members["a"] == Array(np.zeros(3))
    found: Any = group.members
    assert found["a"].data is lazy
    assert type(found["b"].data) is np.ndarray
    with pytest.raises(UnsupportedError, match="has the dtype"):
        encode({"a": da.from_array(RATIONAL)})


def masked(values: Any, mask: Any, **metadata: Any) -> Any:
    return np.ma.MaskedArray(values, mask, **metadata)


MASKED: Final[dict[str, Any]] = {
    "numbers": masked([[1, 2], [3, 4], [5, 6]], np.eye(3, 2, dtype=bool), fill_value=7),
    "hard": masked([1.5, 2.5, 3.5], [0, 1, 0], hard_mask=True),
    "without a mask": masked([1.5, 2.5], np.ma.nomask),
    "fields": masked(np.zeros(3, "i4,f4"), [(1, 0), (0, 1), (0, 0)]),
    "padded": masked(np.zeros(2, np.dtype("i1,f8", align=True)), [(1, 0), (0, 1)]),
    "objects": masked(np.array(["a", 1, None], object), [1, 0, 0]),
    "strings": masked(np.array(["a", "b"], np.dtypes.StringDType()), [1, 0]),
}


@pytest.mark.parametrize("name", MASKED)
def test_lazy_arrays_keep_their_masks(name: str) -> None:
    da = pytest.importorskip("dask.array")
    value = MASKED[name]
    # of one block: of several, dask forgets that a mask is hard
    lazy = da.from_array(value, chunks=-1)
    found: Any = decode(encode({"x": lazy}))["x"]
    assert is_lazy(found) == (value.dtype.kind not in "OT")
    array = found.compute() if is_lazy(found) else found
    assert first_difference(value, array) is None
    assert array.hardmask == value.hardmask


def test_a_shape_that_dask_does_not_know_is_refused() -> None:
    da = pytest.importorskip("dask.array")
    lazy = da.arange(5, chunks=2)
    with pytest.raises(UnsupportedError, match=r"^x\.y: .*Array has the unknown shape \(nan,"):
        encode({"x": {"y": lazy[lazy > 2]}})


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("dtype", [[("a", "?"), ("b", "f8")], [("a", "f8")], "m8"])
def test_lazy_arrays_keep_their_dtype(dtype: Any, align: bool) -> None:
    da = pytest.importorskip("dask.array")
    array = np.frombuffer(b"\1" * 144, np.dtype(dtype, align=align))
    group = encode({"a": da.from_array(array, chunks=2, name=False)})
    found: Any = decode(group)["a"]
    assert is_lazy(found)
    assert found.dtype == array.dtype
    assert group == encode({"a": array}) or (align and dtype == [("a", "f8")])


LARGE: Final[dict[str, Callable[[int], dict[Any, Any]]]] = {
    "numpy scalars": lambda size: {"x": [*np.arange(size, dtype="f4")]},
    "integers": lambda size: {"x": {*range(size)}},
    "keys": lambda size: {f"key {n}": n for n in range(size)},
    "integer keys": lambda size: dict.fromkeys(range(size)),
    "names": lambda size: {f"Key {n}": {} for n in range(size)},
    "mixed members": lambda size: {"x": [None if n % 2 else n for n in range(size)]},
    "cells": lambda size: {"x": object_array(map(np.arange, [1, 2] * (size // 2)), (size,))},
    "decimals": lambda size: {"x": [*map(Decimal, range(size))]},
}


@pytest.mark.parametrize("name", LARGE)
def test_work_grows_as_size_does(name: str) -> None:
    """Ten times as many entries take ten times as many calls; squared would be a hundred."""
    small, large = (LARGE[name](size) for size in (100, 1000))
    few = calls(lambda: decode(encode(small, homogenize=False)))
    many = calls(lambda: decode(encode(large, homogenize=False)))
    assert many < 11 * few
    assert first_difference(small, decode(encode(small, homogenize=False))) is None


def test_a_named_tuple_is_a_tuple() -> None:
    assert first_difference((1, 2), decode(encode({"x": Pair(1, "a")}, homogenize=False))["x"]) == (
        "value[1]: 2 (int) is not 'a' (str)"
    )


def test_sets_that_are_nested_too_deep_for_python_are_refused_and_never_read() -> None:
    deep = nested(20_000, lambda member: frozenset({member}), 1)
    with pytest.raises(UnsupportedError, match=r"a: builtins.frozenset is nested too deep"):
        encode({"a": deep})
    group = Group({"_list_empty_0": "_None_"})
    for _ in range(2000):
        group = Group({RECORD: {"types": {"0": [["frozenset"]]}}}, {"_list_1_0": group})
    assert [*decode(group)] == ["0"]


def test_of_two_nodes_that_stand_for_one_key_the_last_one_counts() -> None:
    """As every reader has it."""
    group, array = Group({"0": 1}), Array(np.arange(2))
    assert decode(Group({"x": 5}, {"_list_1_x": group, "_list_x": array})) == {"x": [0, 1]}
    assert decode(Group({}, {"_list_1_x": group, "_tuple_1_x": group})) == {"x": (1,)}
    assert decode(Group({}, {"x": group, "_list_x": array})) == {"x": {"0": 1}}


def test_a_group_in_the_place_of_shapes_says_nothing() -> None:
    array = Array(object_array([np.zeros(2)], (1,)), cells="<f8")
    tree = Group({}, {"x": array, "_ragged_shapes_x": Group({"a": 1})})
    assert first_difference(decode(tree), {"x": object_array([np.zeros(2)], (1,))}) is None


@pytest.mark.parametrize(
    "cells",
    [[1, "x", None], [np.zeros(2), np.ones(3)]],
    ids=["another number of cells", "what would be packed"],
)
def test_a_record_of_cells_that_does_not_fit_them_says_nothing(cells: list[Any]) -> None:
    tree = encode({"x": cells})
    tree.attributes[RECORD] = {"types": {"x": [["object", [2]]]}}  # type: ignore[index]
    assert first_difference(decode(tree), {"x": cells}) is None


@pytest.mark.parametrize(("plain", "spec"), [("2/6", ["Fraction"]), ("0x7", ["int"])])
def test_a_record_says_nothing_of_what_would_be_stored_in_another_way(
    plain: str, spec: Any
) -> None:
    assert decode(Group({"x": plain, RECORD: {"types": {"x": [spec]}}})) == {"x": plain}


@pytest.mark.parametrize("key", ["_sig_x", "_hspy_Axis_x", "_hspy_AxesManager_x"])
@pytest.mark.parametrize("value", [[1, 2], (1, None), [], np.arange(2), 1, None])
def test_what_is_called_a_signal_or_an_axis_but_is_none_is_escaped(key: str, value: object) -> None:
    """HyperSpy makes a signal, or an axis, of what has such a key, whatever it is."""
    group = encode({key: value, "within": [{key: value}]})
    names = [*group.attributes, *group.members]
    assert not any(key in name for name in names)
    assert any(f"%5F{key[1:]}" in name for name in names)
    found = decode(group)
    assert first_difference(found, {key: value, "within": [{key: value}]}) is None


def test_axes_and_signals_keep_their_names() -> None:
    group = encode({"_hspy_AxesManager_x": [{"size": 2}], "_hspy_Axis_x": {"size": 2}})
    assert sorted(group.members) == ["_hspy_Axis_x", "_list_1__hspy_AxesManager_x"]


@pytest.mark.parametrize("choice", ["skip", "drop"])
def test_what_is_left_out_leaves_no_record(choice: Any) -> None:
    group = encode({1: {object(): [1]}, 2.5: {1j, len}}, unsupported=choice)
    assert "2.5" not in group.members
    group = encode({1: [None, object()]}, unsupported="skip")
    assert (dict(group.attributes), dict(group.members)) == ({}, {})


def test_an_empty_sequence_needs_no_escape_that_a_scalar_needs() -> None:
    assert encode({"_bs_x": []}).attributes == {"_list_empty__bs_x": "_None_"}
    assert "%5Fsig_x" in str([*encode({"_sig_x": []}).attributes])


def test_what_the_class_of_a_value_raises_is_told_with_its_place() -> None:
    class Failing(np.ndarray[Any, Any]):
        @property
        def dtype(self) -> Any:
            raise RuntimeError

    failing = np.zeros(2).view(Failing)
    with pytest.raises(UnsupportedError) as caught:
        encode({"a": [{"b": failing}]})
    assert str(caught.value).startswith("a[0].b: ")
    assert "raises RuntimeError; store " in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert decode(encode({"a": 1, "b": failing}, unsupported="skip")) == {"a": 1}


@pytest.mark.parametrize("option", ["homogenize", "copy"])
def test_an_option_of_encoding_is_true_or_false(option: str) -> None:
    given: dict[str, Any] = {option: "yes"}
    with pytest.raises(EncodeError, match=rf"^{option}: 'yes' is no choice; use one of \(True, Fa"):
        encode({}, **given)


def test_what_the_class_of_the_whole_value_raises_is_told() -> None:
    class Failing(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError

    with pytest.raises(EncodeError, match=r"^value: it raises RuntimeError; give a plain value"):
        encode(Failing(a=1))
