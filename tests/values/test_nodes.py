"""Nodes are plain data: equal where they hold the same, type for type, bit for bit."""

from __future__ import annotations

import copy
import dataclasses
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pytest

from zspy import Array, EncodeError, Group
from zspy.typing import Node
from zspy.values.nodes import expect_group, node_at, same_json, walk
from zspy.values.ragged import object_array

NAN: Final = float("nan")
PADDED: Final = np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8]})


def extended(*numbers: float) -> np.ndarray[Any, Any]:
    """Return long doubles, with something in the bytes that no number uses."""
    array = np.array(numbers, np.longdouble)
    raw = np.full(array.nbytes, 0xA5, np.uint8).view(np.longdouble)
    size = 10 if np.finfo(np.longdouble).nmant == 63 else array.itemsize
    raw.view(np.uint8).reshape(len(array), -1)[:, :size] = array.view(np.uint8).reshape(
        len(array), -1
    )[:, :size]
    return raw


# --------------------------------------------------------------------------------------------------
# Plain values


@pytest.mark.parametrize(
    "value",
    [
        *((1, (NAN,)), complex(0, NAN)),
        *(None, True, 1, 1.5, NAN, -0.0, "a", "", "\ud800"),
        *([], [1, [NAN]], {}, {"a": {"b": [None]}}),
    ],
)
def test_a_value_is_the_same_as_its_copy(value: object) -> None:
    assert same_json(value, copy.deepcopy(value))
    assert same_json(value, value)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *((1, True), (1, 1.0), (0.0, -0.0), (None, False), ("1", 1), ("a", "b"), (1, 2)),
        *(([1], [1, 1]), ([1], [True]), ([1], (1,)), ({}, [])),
        *(({"a": 1}, {"a": True}), ({"a": 1}, {"b": 1}), ({"a": 1, "b": 2}, {"b": 2, "a": 1})),
        *(((1,), (True,)), (0j, complex(0, -0.0))),
        (np.zeros(1), [0.0]),
    ],
)
def test_values_differ_by_type_and_order(a: object, b: object) -> None:
    assert not same_json(a, b)
    assert not same_json(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2), np.zeros(2, "f4")),
        (np.zeros(2, "<i4"), np.zeros(2, ">i4")),
        (np.zeros(2), -np.zeros(2)),
        (np.zeros(1, PADDED), np.ones(1, PADDED)),
        (object_array([1], (1,)), object_array([True], (1,))),
        (object_array([[1]], (1,)), object_array([[2]], (1,))),
        (np.zeros(1, "g"), -np.zeros(1, "g")),
        (np.ones(1, "G"), np.array([1 + 1j], "G")),
    ],
)
def test_arrays_differ_by_shape_dtype_and_value(a: object, b: object) -> None:
    assert not same_json(a, b)


@pytest.mark.parametrize(
    "array",
    [
        np.array([NAN, -0.0]),
        np.array(["a", "b"]),
        np.arange(12).reshape(3, 4)[::-1, ::2],
        np.array([NAN, -0.0, 1], "g") / 3,
        np.array([complex(NAN, -0.0), 1j], ">G"),
        np.empty((0, 3)),
        np.array(5),
        object_array(["a", None, [1, NAN], np.arange(3)], (2, 2)),
        np.zeros(2, [("x", PADDED), ("y", "g")]),
    ],
)
def test_an_array_is_the_same_as_its_copy(array: np.ndarray[Any, Any]) -> None:
    assert same_json(array, copy.deepcopy(array))
    assert same_json(array, array[...])


def test_bytes_that_hold_no_value_make_no_difference() -> None:
    padded = np.full(16, 0xA5, np.uint8).view(PADDED)
    padded["a"], padded["b"] = 0, 0.0
    assert same_json(padded, np.zeros(1, PADDED))
    assert same_json(extended(1.5, NAN), np.array([1.5, NAN], np.longdouble))
    pair = extended(1.5, -0.0).view(np.clongdouble)
    assert same_json(pair, np.array([complex(1.5, -0.0)], np.clongdouble))


# --------------------------------------------------------------------------------------------------
# Nodes


def test_an_array_equals_what_holds_the_same() -> None:
    array = Array(np.arange(3), {"a": 1}, "<i8")
    assert array == Array(np.arange(3), {"a": 1}, "<i8", chunks=(2,), shards=(4,))
    for other in (
        Array(np.arange(3.0), {"a": 1}, "<i8"),
        Array(np.arange(3), {"a": True}, "<i8"),
        Array(np.arange(3), {"a": 1}),
        Group({"a": 1}),
    ):
        assert array != other
        assert other != array


def test_a_lazy_array_equals_what_it_holds() -> None:
    da = pytest.importorskip("dask.array")
    assert Array(da.arange(3, chunks=2)) == Array(np.arange(3))


def test_a_group_equals_what_holds_the_same() -> None:
    group = Group({"a": 1, "b": NAN}, {"x": Group({}, {"y": Array(np.ones(2))}), "z": Group()})
    assert group == copy.deepcopy(group)
    assert group == Group(group.attributes, dict(reversed([*group.members.items()])))
    for other in (
        Group({"b": NAN, "a": 1}, group.members),
        Group({"a": True, "b": NAN}, group.members),
        Group(group.attributes, {"x": Group(), "z": Group()}),
        Group(group.attributes, {"x": Array(np.ones(2)), "z": Group()}),
        Group(group.attributes, {"z": Group()}),
        Group(group.attributes, {"x": Group({}, {"y": Array(np.zeros(2))}), "z": Group()}),
        1,
    ):
        assert group != other


def chain(depth: int) -> Group:
    """Return groups within each other."""
    group = Group({"depth": depth})
    for _ in range(depth):
        group = Group({}, {"a": group})
    return group


def test_groups_are_compared_and_walked_however_deep_they_are() -> None:
    assert chain(3000) == chain(3000)
    assert chain(3000) != chain(3001)
    assert sum(1 for _ in walk(chain(3000))) == 3001


def test_a_node_has_no_hash_and_cannot_be_changed() -> None:
    nodes: list[Any] = [Group(), Array(np.ones(1))]
    for node in nodes:
        with pytest.raises(TypeError):
            hash(node)
        with pytest.raises(dataclasses.FrozenInstanceError):
            node.attributes = {}


def test_a_path_of_no_node_is_no_key() -> None:
    group = Group({}, {"a": Array(np.ones(1))})
    for path in ("b", "a/b"):
        with pytest.raises(KeyError, match=path):
            group[path]


def test_a_group_is_shown_in_one_line() -> None:
    group = Group({"a": 1}, {"x": Group(), "b": Array(np.ones(10**6))})
    assert repr(group) == "Group({'a': 1}, members=['b', 'x'])"


def test_a_walk_gives_parents_before_members_in_their_order() -> None:
    inner: dict[str, Node] = {"z": Array(np.ones(1)), "a": Group()}
    tree = Group({}, {"b": Group({}, inner), "a": Array(np.ones(1))})
    assert [path for path, _ in walk(tree)] == ["", "b", "b/z", "b/a", "a"]
    assert [path for path, _ in walk(tree, "root")] == [
        *("root", "root/b", "root/b/z", "root/b/a", "root/a")
    ]
    assert [*walk(inner["z"], "x")] == [("x", inner["z"])]


def test_a_path_leads_from_the_root_and_the_empty_one_to_it() -> None:
    array = Array(np.arange(2))
    root = Group({}, {"a": Group({}, {"b": array})})
    assert node_at(root, "a/b") is node_at(array, "") is array
    assert node_at(root, "") is root


def test_a_node_that_is_not_there_is_told_with_what_is() -> None:
    root: Any = Group({}, {"a": Group({}, {"b": Array(np.zeros(1))})})
    for path, said in (("a/c", "'c', but 'b'"), ("a/b/d", "'d', but nothing"), (0, "'0', but 'a'")):
        with pytest.raises(KeyError, match=f"{path}: there is no {said}"):
            root[path]


@pytest.mark.parametrize("parts", [([1], [2]), ({}, None), (3, {})])
def test_a_group_is_made_of_dictionaries(parts: Any) -> None:
    with pytest.raises(EncodeError, match=r" is no dictionary; use \{"):
        Group(*parts)
    assert Group(MappingProxyType({"a": 1})) == Group({"a": 1})


ANY_GROUP: Final[Any] = Group
NO_GROUPS: Final[list[tuple[Any, str]]] = [
    (None, "group: None is no group; make one"),
    (Array(np.zeros(1)), "group: a zspy.Array is no group; make one"),
    (ANY_GROUP({1: 2}), "group: an int is no name; use a str"),
    (ANY_GROUP({}, {2: Group()}), "group: an int is no name; use a str"),
    (ANY_GROUP({}, {"a": ANY_GROUP({b"x": 1})}), "a: a bytes is no name; use a str"),
    (ANY_GROUP({}, {"x": 3}), "x: an int is no node; use zspy.Group or zspy.Array"),
    (
        ANY_GROUP({}, {"a": ANY_GROUP({}, {"b": ANY_GROUP({}, {"c": []})})}),
        "a/b/c: a list is no node; use zspy.Group or zspy.Array",
    ),
]


@pytest.mark.parametrize(("node", "said"), NO_GROUPS)
def test_what_is_no_group_of_nodes_is_told_with_its_place(node: Any, said: str) -> None:
    expect_group(Group({"x": 1}, {"a": Group({}, {"b": Array(np.zeros(1))})}), "make one")
    with pytest.raises(EncodeError) as caught:
        expect_group(node, "make one")
    assert str(caught.value) == said
