"""Nodes to values: marks, records, what is lazy, what is shared, and what is wrong with a place."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from tests.support.values import cells
from zspy import Array, EncodeError, FormatError, Group, decode, encode
from zspy.strategies import first_difference
from zspy.values.decoding import decode_entries
from zspy.values.names import RECORD, SHAPES

NUMBERS: Final = Array(np.arange(2))
TEXTS: Final = Array(cells("a", "b"), cells="vlen-utf8")


def _same(found: object, wanted: object) -> bool:
    return first_difference(found, wanted, ordered=False) is None


def _recorded(types: Any, attributes: Any = None, **members: Any) -> dict[Any, Any]:
    """Decode a group with a record of types."""
    return decode(Group({**(attributes or {}), RECORD: {"types": types}}, members))


# --------------------------------------------------------------------------------------------------
# Marks


def test_an_attribute_is_a_scalar_or_an_empty_sequence() -> None:
    attributes: Any = {"a": 1, "b": "_None_", "_list_empty_c": "_None_", "_tuple_empty_d": "_None_"}
    attributes |= {"_sig_e": 1, "_list_f": 2, "g": {"h": [1]}}
    wanted: Any = {"a": 1, "b": None, "c": [], "d": (), "_list_f": 2, "g": {"h": [1]}}
    assert _same(decode(Group(attributes)), wanted)


def test_an_array_is_an_array_or_the_sequence_of_its_scalars() -> None:
    members: Any = {"a": NUMBERS, "_list_b": NUMBERS, "_tuple_c": NUMBERS, "_list_d": TEXTS}
    members |= {"_list_e": Array(np.array(5)), "_tuple_f": Array(np.ones((2, 1)))}
    members |= {"_ragged_shapes_x": NUMBERS, "_ragged_offsets_x": NUMBERS}
    wanted = {"a": np.arange(2), "b": [0, 1], "c": (0, 1), "d": ["a", "b"]}
    assert _same(decode(Group({}, members)), {**wanted, "e": [5], "f": ([1.0], [1.0])})


def test_a_group_is_what_its_name_says() -> None:
    numbered: Any = {f"{n}": n for n in range(12)}
    axes = {f"axis-{n}": Group({"size": n}) for n in (0, 10, 2)}
    members: Any = {
        "a": Group({"x": 1}),
        "_list_12_b": Group(numbered),
        "_tuple_2_c": Group({"1": "y"}, {"0": Group({"x": 1})}),
        "_hspy_AxesManager_d": Group({}, axes),
        "_sig_e": Group({"x": 1}),
        "_sig_f": Group({"x": 1}, {"data": Group()}),
        "_ragged_shapes_g": Group({"x": 1}),
    }
    assert _same(
        decode(Group({}, members)),
        {
            "a": {"x": 1},
            "b": [*range(12)],
            "c": ({"x": 1}, "y"),
            "_hspy_AxesManager_d": [{"size": 0}, {"size": 2}, {"size": 10}],
            "_sig_e": {"x": 1},
            "_sig_f": {"x": 1, "data": {}},
        },
    )


def test_an_element_that_was_stored_anew_without_zeros_counts() -> None:
    """HyperSpy updates a file in place, and does not remove what it does not know."""
    stored: Any = {f"{n:02}": n for n in range(12)} | {f"{n}": -n for n in range(12)}
    stored |= {"0x": "a", "x": "b"}
    found = decode(Group({}, {"_list_12_a": Group(stored)}))
    assert _same(found, {"a": [*range(0, -12, -1), "a", "b"]})


def test_a_group_of_a_signal_is_a_signal_wherever_it_is() -> None:
    signal = Group({"package": "p"}, {"data": NUMBERS, "axis-0": Group({"size": 2})})
    found = decode(Group({}, {"_list_1_a": Group({}, {"_sig_0": signal}), "_sig_b": signal}))
    for nested in (found["a"][0], found["_sig_b"]):
        assert nested["package"] == "p"
        assert _same(nested["data"], np.arange(2))
        assert nested["axes"] == [{"size": 2}]


def test_the_last_of_several_nodes_of_one_key_counts() -> None:
    members: Any = {"_list_a": NUMBERS, "_tuple_1_a": Group({"0": 5}), "a": Group({"x": 1})}
    assert decode(Group({"a": 1}, members)) == {"a": {"x": 1}}
    del members["a"]
    assert decode(Group({"a": 1}, members)) == {"a": (5,)}
    members["a"] = NUMBERS
    assert _same(decode(Group({"a": 1}, members)), {"a": np.arange(2)})


# --------------------------------------------------------------------------------------------------
# Records


def test_scalars_of_a_sequence_are_those_of_numpy_where_the_record_says_so() -> None:
    spec = [["scalars"]]
    found = _recorded({"a": spec, "b": spec}, _list_a=NUMBERS, _tuple_b=TEXTS)
    assert _same(found, {"a": [np.int64(0), np.int64(1)], "b": (np.str_("a"), np.str_("b"))})
    inner = {"c": [["set"], ["scalars"]]}
    assert _recorded(inner, _list_c=NUMBERS)["c"] == {np.int64(0), np.int64(1)}
    table = Array(np.ones((1, 2)))
    assert _same(_recorded({"a": spec}, _list_a=table), {"a": [[1.0, 1.0]]})


def test_bytes_are_text_unless_the_record_says_so_or_they_are_data() -> None:
    array = Array(np.array([b"a", b"bc"]))
    assert _same(decode(Group({}, {"x": array})), {"x": np.array(["a", "bc"])})
    assert _same(_recorded({"x": [["S"]]}, x=array), {"x": np.array([b"a", b"bc"])})
    found = decode(Group({}, {"data": array, "_sig_s": Group({}, {"data": array, "x": array})}))
    assert _same(found["data"], np.array(["a", "bc"]))
    assert _same(found["_sig_s"]["data"], np.array([b"a", b"bc"]))
    entries = decode_entries(Group({}, {"data": array, "x": array}), copy=True, role="signal")
    assert _same(entries, {"data": np.array([b"a", b"bc"]), "x": np.array(["a", "bc"])})


def test_the_data_of_a_signal_is_an_array_whatever_the_record_says() -> None:
    octets = Array(np.array([97, 0], np.uint8))
    group = Group({RECORD: {"types": {"data": [["bytes"]]}}}, {"data": octets})
    assert decode(group) == {"data": b"a\0"}
    entries = decode_entries(group, copy=True, role="signal")
    assert _same(entries, {"data": np.array([97, 0], np.uint8)})


@pytest.mark.parametrize(
    "spec",
    [
        *(None, 5, "set", {"set": 1}, [], ["set"], [5], [[]], [[5]], [["no such"]], [["set"], 5]),
        *([["object"]], [["object", 2]], [["object", [3]]], [["object", [-1, -2]]]),
        *([["object", [1, 2.0]]], [["object", ["a"]]], [["object", [2], 1]], [["bytes"]]),
    ],
    ids=repr,
)
def test_a_record_that_does_not_fit_says_nothing(spec: Any) -> None:
    members: Any = {"_list_2_a": Group({"0": None, "1": "x"})}
    assert _same(_recorded({"a": spec}, **members), {"a": [None, "x"]})
    assert _same(_recorded({"b": spec}, {"b": 1.5}), {"b": 1.5})


@pytest.mark.parametrize("record", [5, None, [], "types", {"types": ["a"]}, {"types": {"a": 1}}])
def test_a_record_that_is_none_says_nothing(record: Any) -> None:
    assert decode(Group({RECORD: record, "a": 1})) == {"a": 1}


def test_a_record_is_undone_from_the_inside_or_not_at_all() -> None:
    pair: Any = {"_list_2_a": Group({"0": None, "1": "x"})}
    assert _recorded({"a": [["frozenset"]]}, **pair) == {"a": frozenset([None, "x"])}
    assert _same(
        _recorded({"a": [["object", [2, 1]]]}, **pair)["a"], cells(None, "x").reshape(2, 1)
    )
    assert _recorded({"a": [["no such"], ["frozenset"]]}, **pair) == {"a": [None, "x"]}
    assert _recorded({"a": [["frozenset"], ["no such"]]}, **pair) == {"a": [None, "x"]}
    plain: Any = {"_list_2_a": Group({"0": "y", "1": "x"})}
    # the members of a set are written in order, and strings as a packed array
    assert _recorded({"a": [["set"]]}, **plain) == {"a": ["y", "x"]}
    assert _recorded({"a": [["object", [2]]]}, **plain) == {"a": ["y", "x"]}


def test_a_dictionary_may_have_a_record_of_its_own() -> None:
    found = _recorded({"a": [["OrderedDict"]]}, a=Group({"x": 1}))
    assert type(found["a"]).__name__ == "OrderedDict"


def test_keys_come_back_in_their_order() -> None:
    record: Any = {"order": ["c", 5, "no such", "a", "c"], "keys": {"1": 1, "a": ["float", "2.5"]}}
    found = decode(Group({RECORD: record, "1": "x", "b": "y", "a": "z"}, {"c": Group()}))
    assert [*found.items()] == [("c", {}), ("a", "z"), (1, "x"), ("b", "y")]
    nonsense: tuple[Any, ...] = (5, "ab", None, {"b": 1})
    for order in nonsense:
        assert [*decode(Group({RECORD: {"order": order}, "b": 1, "a": 2}))] == ["b", "a"]


NAMED: Final[list[tuple[Any, list[Any]]]] = [
    ({"1": 1}, [1]),
    ({"1%2": 1}, [1]),  # made distinct
    ({"%5Flist_x": "_list_x"}, ["_list_x"]),
    ({"a%2Fb": "a/b"}, ["a/b"]),
    ({"a%2Fb%1": "a/b"}, ["a/b"]),
    ({"2": 1}, ["2"]),  # not its name
    ({"1": [1]}, ["1"]),  # no key
    ({"1": {"a": 1}}, ["1"]),
    ({"(1, [])": ["tuple", 1, []]}, ["(1, [])"]),
    ({"x": "x"}, ["x"]),
    ({"1": 1, "1%1": 1}, [1, "1%1"]),  # twice
    ({"1": 1, "True": True}, [1, "True"]),  # the same to a dictionary
]


@pytest.mark.parametrize(("names", "keys"), NAMED)
def test_a_key_is_what_the_record_says_where_it_would_be_named_so(names: Any, keys: Any) -> None:
    found = decode(Group({RECORD: {"keys": names}, **dict.fromkeys(names, 0)}))
    assert _same([*found], keys)


def test_what_an_older_program_has_added_keeps_its_name() -> None:
    record: Any = {"keys": {"%5Flist_x": "_list_x"}}
    found = decode(Group({RECORD: record, "%5Flist_x": 1, "_list_x": 2}))
    assert found == {"%5Flist_x": 1, "_list_x": 2}
    swapped: Any = {"keys": {"a%1": "a", "a": ["value", "a", ["PurePosixPath"]]}}
    assert {*map(str, decode(Group({RECORD: swapped, "a": 1, "a%1": 2})))} == {"a"}


# --------------------------------------------------------------------------------------------------
# Object arrays

SHAPED: Final[dict[str, Any]] = {
    "x": Array(cells(np.arange(6), np.arange(2)), cells="<i8"),
    SHAPES + "x": Array(cells(np.array([2, 3]), np.array([2])), cells="<i8"),
}
UNSHAPED: Final = SHAPED | {
    SHAPES + "x": Array(cells(np.array([2, 3]), np.array([3])), cells="<i8")
}


def test_cells_have_the_shapes_beside_them_and_the_dtypes_of_the_record() -> None:
    wanted = cells(np.arange(6).reshape(2, 3), np.arange(2))
    assert _same(decode(Group({}, SHAPED)), {"x": wanted})
    codes = {"x": [["cells", ["|u1", 2]]]}
    narrow = cells(np.arange(6, dtype="u1").reshape(2, 3), np.arange(2, dtype="u1"))
    assert _same(_recorded(codes, **SHAPED), {"x": narrow})
    assert _same(_recorded({"x": [["no such"], *codes["x"]]}, **SHAPED), {"x": narrow})
    alone = {"x": SHAPED["x"]}
    flat = cells(np.arange(6, dtype="u1"), np.arange(2, dtype="u1"))
    assert _same(_recorded(codes, **alone), {"x": flat})
    assert _same(decode(Group({}, alone | {SHAPES + "x": Group()})), {"x": alone["x"].data})


def test_cells_that_have_other_shapes_are_refused_with_their_place() -> None:
    inner = Group({}, {"b": Group({}, UNSHAPED)})
    with pytest.raises(FormatError) as caught:
        decode(Group({}, {"a": inner}))
    assert caught.value.location == "a/b/x"
    assert caught.value.remedy == "the array was changed without its shapes"
    with pytest.raises(FormatError, match=r"^Experiments/a/x: "):
        decode_entries(Group({}, UNSHAPED), copy=True, path="Experiments/a")
    with pytest.raises(FormatError, match=r"^x: "):
        decode(Group({}, UNSHAPED))


# --------------------------------------------------------------------------------------------------
# What is lazy


def _lazy(array: Any, chunks: Any = 1) -> Array:
    da: Any = pytest.importorskip("dask.array")
    return Array(da.from_array(array.data, chunks=chunks), cells=array.cells)


def test_lazy_arrays_stay_lazy() -> None:
    numbers, octets = _lazy(NUMBERS), _lazy(Array(np.array([b"a", b"b"])))
    found = decode(Group({}, {"x": numbers, "y": octets}))
    assert found["x"] is numbers.data
    assert found["y"] is octets.data
    assert _same(decode(Group({}, {"_list_x": numbers})), {"x": [0, 1]})


@pytest.mark.parametrize("lazy_shapes", [True, False])
def test_lazy_cells_are_brought_into_their_shapes_block_by_block(lazy_shapes: bool) -> None:
    members = {**SHAPED, "x": _lazy(SHAPED["x"])}
    if lazy_shapes:
        members[SHAPES + "x"] = _lazy(SHAPED[SHAPES + "x"], 2)
    found = decode(Group({}, members))["x"]
    assert found.dtype == object
    assert found.chunks == ((1, 1),)
    assert _same(found.compute(), cells(np.arange(6).reshape(2, 3), np.arange(2)))
    found = _recorded({"x": [["cells", ["<i8", 1], ["|u1", 1]]]}, **members)["x"]
    wanted = cells(np.arange(6).reshape(2, 3), np.arange(2, dtype="u1"))
    assert _same(found.compute(), wanted)


def test_lazy_cells_without_shapes_have_the_dtypes_of_the_record() -> None:
    alone = {"x": _lazy(SHAPED["x"])}
    assert decode(Group({}, alone))["x"] is alone["x"].data
    found = _recorded({"x": [["cells", ["|u1", 2]]]}, **alone)["x"]
    assert _same(found.compute(), cells(np.arange(6, dtype="u1"), np.arange(2, dtype="u1")))


def test_lazy_cells_that_have_other_shapes_are_refused_with_their_place() -> None:
    members = {**UNSHAPED, "x": _lazy(SHAPED["x"])}
    found = decode(Group({}, {"a": Group({}, members)}))["a"]["x"]
    assert _same(found[:1].compute(), cells(np.arange(6).reshape(2, 3)))
    with pytest.raises(FormatError, match=r"^a/x: .*; the array was changed without its shapes"):
        found.compute()


def test_lazy_cells_and_their_shapes_are_of_one_shape() -> None:
    da: Any = pytest.importorskip("dask.array")
    huge = Array(da.empty((2**40,), dtype=object, chunks=2**36), cells="<i8")
    members = {**SHAPED, "x": huge}
    with pytest.raises(FormatError, match=r"^a/x: \(1099511627776,\) cells, and the shapes of"):
        decode(Group({}, {"a": Group({}, members)}))


def test_shapes_of_cells_that_are_not_there_yet_are_left_out() -> None:
    """A file that grows has the shapes of its new cells first."""
    more = cells(np.array([2, 3]), np.array([2]), np.array([9]))
    members = {**SHAPED, SHAPES + "x": Array(more, cells="<i8")}
    found = decode(Group({}, members))["x"]
    assert _same(found, cells(np.arange(6).reshape(2, 3), np.arange(2)))


def test_the_record_of_lazy_cells_takes_little_memory() -> None:
    da: Any = pytest.importorskip("dask.array")
    huge = Array(da.empty((2**40,), dtype=object, chunks=2**36), cells="<i8")
    assert _recorded({"x": [["scalars"]]}, x=huge)["x"] is huge.data
    with pytest.raises(FormatError, match=r"^x: a record of what more than"):
        _recorded({"x": [["cells", ["<i8", 2**40]]]}, x=huge)


# --------------------------------------------------------------------------------------------------
# What is shared


def test_memory_is_shared_where_the_caller_says_so_only() -> None:
    texts = Array(np.array(["a", "b"]))
    members = {"x": NUMBERS, "y": SHAPED["x"], "z": texts}
    for copy in (True, False):
        found = decode(Group({}, members), copy=copy)
        assert np.shares_memory(found["x"], np.asarray(NUMBERS.data)) is not copy
        assert (found["y"][0] is SHAPED["x"].data[0]) is not copy
        assert np.shares_memory(found["z"], np.asarray(texts.data)) is not copy
    assert not np.shares_memory(decode(Group({}, members))["x"], np.asarray(NUMBERS.data))


def test_records_of_a_list_share_no_memory_either() -> None:
    """NumPy's scalars with fields can be changed, and are windows into the array they are from."""
    group = encode({"x": [np.array([(1, 2.5)], "i4,f8")[0]]})
    records = group.members["_list_x"]
    assert isinstance(records, Array)
    for copy in (True, False):
        found = decode(group, copy=copy)["x"][0]
        assert np.shares_memory(found, np.asarray(records.data)) is not copy


def test_attributes_that_can_be_changed_are_never_shared() -> None:
    attributes: Any = {"a": {"b": [1]}, "c": [[1]]}
    found = decode(Group(attributes), copy=False)
    found["a"]["b"].append(2)
    found["c"][0].append(2)
    assert attributes == {"a": {"b": [1]}, "c": [[1]]}


def test_only_groups_are_decoded() -> None:
    wrong: Any = {}
    with pytest.raises(EncodeError, match="a dict is no group; encode makes one"):
        decode(wrong)
