"""A record never overrides what is stored: a file that is edited reads as edited.

That is clause 13.4 of the specification.
It holds only while encoding the restored value gives exactly what is there; plain types have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given, strategies as st

from tests.support.trees import Tree
from zspy import Array, Group, decode, encode
from zspy.strategies import (
    arrays,
    dtypes,
    first_difference,
    json_scalars,
    keys,
    plain_trees,
    values,
)
from zspy.typing import is_dict
from zspy.values.names import NONE, RECORD, SHAPES, unmark
from zspy.values.nodes import same_json
from zspy.values.records import BY_TAG, lowered, spec_key

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from zspy.typing import JSON, Node


def groups(node: Node) -> Iterator[Group]:
    """Yield every group of a tree of nodes."""
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, Group):
            yield found
            pending += found.members.values()


def without_record(group: Group) -> Group:
    """Return a group as a program that knows no records leaves it."""
    attributes = {name: value for name, value in group.attributes.items() if name != RECORD}
    return Group(attributes, group.members)


def key_of(group: Group, name: str) -> Any:
    """Return the key that a name stands for."""
    record = group.attributes.get(RECORD)
    names = record.get("keys") if isinstance(record, dict) else None
    return spec_key(names[name]) if isinstance(names, dict) and name in names else name


def assert_rest_kept(before: Tree, after: Tree, key: object) -> None:
    """Fail unless all entries but one are what they were."""
    rest = {name: value for name, value in before.items() if not same_key(name, key)}
    found = {name: value for name, value in after.items() if not same_key(name, key)}
    assert first_difference(rest, found, ordered=False) is None


def same_key(a: object, b: object) -> bool:
    return type(a) is type(b) and (a is b or a == b or repr(a) == repr(b))


def assert_plain_or_stored_just_so(group: Group, name: str) -> None:
    """Fail unless a changed entry is read as without records, or would be stored as it is there."""
    found = entry(decode(group), key_of(group, name))
    plain = decode(without_record(group))[name]
    if first_difference(plain, found) is not None:
        again = without_record(encode({"x": found}, homogenize=False))
        assert first_difference(plain, decode(again)["x"]) is None


def entry(tree: Tree, key: object) -> object:
    """Return the value under a key, which may be NaN."""
    return next(value for name, value in tree.items() if same_key(name, key))


@st.composite
def flat_trees(draw: DrawFn) -> Tree:
    """Dictionaries whose records speak of attributes and arrays."""
    tree: Tree = draw(st.dictionaries(keys(any_type=True), values(max_depth=0), min_size=1))
    return tree


def scalars_of(group: Group) -> list[str]:
    """Name the entries that are attributes."""
    return [
        name for name in group.attributes if name != RECORD and unmark(name, "attribute") is None
    ]


def members_of(group: Group) -> dict[str, str]:
    """Name the members, each with its entry; the shapes of cells are none."""
    found: dict[str, str] = {}
    for node, member in group.members.items():
        if not node.startswith(SHAPES):
            marks = unmark(node, "group" if isinstance(member, Group) else "array")
            found[node] = node if marks is None else marks[1]
    return found


@given(plain_trees())
def test_what_the_format_can_say_has_no_record(tree: Tree) -> None:
    """But for the order of keys, where it is not that of attributes before sorted members."""
    for group in groups(encode(tree)):
        record = group.attributes.get(RECORD, {})
        assert is_dict(record)
        assert record.keys() <= {"order", "types"}
        # a string that is no title, but might be one
        assert all(spec == [["str"]] for spec in record.get("types", {}).values())


@given(flat_trees(), st.data())
def test_a_changed_attribute_reads_as_it_was_changed(tree: Tree, data: st.DataObject) -> None:
    group = encode(tree, homogenize=False)
    assume(scalars_of(group))
    name = data.draw(st.sampled_from(scalars_of(group)))
    value = data.draw(json_scalars().filter(lambda value: value != NONE))
    changed = Group({**group.attributes, name: NONE if value is None else value}, group.members)
    assert_rest_kept(decode(group), decode(changed), key_of(group, name))
    assert_plain_or_stored_just_so(changed, name)


@given(flat_trees(), arrays(dtype=dtypes(kinds="biufcmMSUV"), masked=False), st.data())
def test_a_changed_array_reads_as_it_was_changed(
    tree: Tree, array: Any, data: st.DataObject
) -> None:
    assume(lowered(array) is None)  # no store gives others
    group = encode(tree, homogenize=False)
    nodes = [node for node in members_of(group) if isinstance(group.members[node], Array)]
    assume(nodes)
    node = data.draw(st.sampled_from(nodes))
    changed = Group(group.attributes, {**group.members, node: Array(array)})
    name = members_of(group)[node]
    assert_rest_kept(decode(group), decode(changed), key_of(group, name))
    assert_plain_or_stored_just_so(changed, name)


@given(flat_trees(), st.data())
def test_a_deleted_entry_is_gone_and_a_new_one_is_there(tree: Tree, data: st.DataObject) -> None:
    assume("new entry" not in tree)
    group = encode(tree, homogenize=False)
    entries = {name: name for name in scalars_of(group)} | members_of(group)
    assume(entries)
    gone = data.draw(st.sampled_from(sorted(entries)))
    attributes = {name: value for name, value in group.attributes.items() if name != gone}
    members = {name: node for name, node in group.members.items() if name != gone}
    found = decode(Group({**attributes, "new entry": 1}, members))
    key = key_of(group, entries[gone])
    assert not any(same_key(key, other) for other in found)
    assert found.pop("new entry") == 1
    assert_rest_kept(decode(group), found, key)


@st.composite
def specs(draw: DrawFn) -> JSON:
    """Draw what a record may say of an entry, be it nonsense."""
    codes = st.sampled_from(["<f4", ">i8", "U", "S", "V", "<M8[D]", "O", "T", "U99999999", "x"])
    layout: dict[str, st.SearchStrategy[Any]] = {
        "names": st.just(["a"]),
        "formats": st.lists(codes, max_size=2),
        "offsets": st.lists(st.integers(-1, 9), max_size=2),
        "titles": st.just([None]),
        "itemsize": st.integers(0, 2**40),
        "aligned": st.booleans(),
    }
    lists: st.SearchStrategy[Any] = st.lists(json_scalars(), max_size=3)
    plain = st.one_of(json_scalars(), codes, lists, st.fixed_dictionaries(layout))
    tags = st.sampled_from([*BY_TAG, "object", "cells", "scalars", "S", "no such tag"])
    some = st.lists(plain, max_size=4)
    one: Any = st.tuples(tags, some).map(lambda found: [found[0], *found[1]]) | plain
    spec: JSON = draw(st.lists(one, min_size=1, max_size=2))
    return spec


@given(flat_trees(), specs(), st.data())
def test_no_record_overrides_what_is_stored(tree: Tree, spec: JSON, data: st.DataObject) -> None:
    group = without_record(encode(tree, homogenize=False))
    name = data.draw(st.sampled_from([*decode(group)]))
    record: dict[str, JSON] = {"types": {name: spec}, "order": spec, "keys": {name: spec}}
    changed = Group({**group.attributes, RECORD: record}, group.members)
    plain, found = decode(group), decode(changed)
    assert len(plain) == len(found)
    again = without_record(encode(found, homogenize=False))
    assert first_difference(plain, found, ordered=False) is None or same_json(
        sorted(again.attributes), sorted(group.attributes)
    )


@given(json_scalars() | st.lists(json_scalars()) | st.dictionaries(st.text(), specs()))
def test_a_record_of_nonsense_is_no_record(record: JSON) -> None:
    attributes: dict[str, JSON] = {"a": 1, "b": "_None_", "c": "1/3", "_list_empty_d": "_None_"}
    found = decode(Group({**attributes, RECORD: record}))
    assert sorted(found) == ["a", "b", "c", "d"]
