"""The laws of values: what `decode` gives for what `encode` was given, and what both leave alone.

``decode(encode(v)) == homogenized(v)``, type for type, and ``== v`` with homogenization off, in
memory and through the documents of both formats. A type record never overrides what is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from zspy import (
    Array,
    EncodeError,
    Group,
    decode,
    decode_signal,
    deserialise,
    encode,
    encode_signal,
    homogenized,
    serialise,
    unsupported,
)
from zspy.strategies import (
    arrays,
    dtypes,
    first_difference,
    json_scalars,
    keys,
    plain_trees,
    sequences,
    signals,
    trees,
    values,
)
from zspy.typing import is_array, is_dict, is_list, is_sequence
from zspy.values.names import (
    EMPTY,
    KINDS,
    NONE,
    RECORD,
    SHAPES,
    Kind,
    by_index,
    index_names,
    mark,
    unmark,
)
from zspy.values.nodes import same_json
from zspy.values.records import BY_TAG, lowered, spec_key

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from zspy.typing import JSON, Node, ZarrFormat

Tree = dict[Any, Any]

# One value of every kind, and trees in which kinds meet.
TREES: Final = trees() | values().map(lambda value: {"v": value})

# --------------------------------------------------------------------------------------------------
# Round trips


@given(TREES)
def test_without_homogenization_a_tree_comes_back_type_for_type(tree: Tree) -> None:
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None


@given(TREES)
def test_a_tree_comes_back_homogenized(tree: Tree) -> None:
    assert first_difference(homogenized(tree), decode(encode(tree))) is None


@pytest.mark.parametrize("zarr_format", [2, 3])
@given(tree=trees(max_depth=4))
def test_a_tree_comes_back_from_its_documents(zarr_format: ZarrFormat, tree: Tree) -> None:
    group = encode(tree, homogenize=False)
    found = deserialise(dict(serialise(group, zarr_format=zarr_format)))
    assert found == group
    assert isinstance(found, Group)
    assert first_difference(tree, decode(found)) is None


@given(signals())
def test_a_signal_comes_back_type_for_type(signal: dict[str, Any]) -> None:
    """But for its models, which a file holds beside the signals."""
    found = dict(decode_signal(encode_signal(signal, homogenize=False)))
    assert first_difference({**signal, "models": {}}, found, ordered=False) is None


@given(signals(), keys())
def test_a_signal_inside_of_metadata_comes_back(signal: dict[str, Any], key: str) -> None:
    nested = {name: value for name, value in signal.items() if name != "models"}
    axes = [
        {name: value for name, value in axis.items() if name != "index_in_array"}
        for axis in signal["axes"]
    ]
    tree = {f"_sig_{key}": nested | {"axes": axes}}
    found = decode(encode(tree, homogenize=False))
    assert first_difference(tree, found, ordered=False) is None


# --------------------------------------------------------------------------------------------------
# Homogenization


@given(TREES)
def test_homogenization_is_idempotent(tree: Tree) -> None:
    once = homogenized(tree)
    assert first_difference(once, homogenized(once)) is None


@given(plain_trees())
def test_homogenization_is_the_identity_where_it_loses_nothing(tree: Tree) -> None:
    assert first_difference(tree, homogenized(tree)) is None


@given(plain_trees())
def test_what_the_format_can_say_has_no_record(tree: Tree) -> None:
    """But for the order of keys, where it is not that of attributes before sorted members."""
    for group in groups(encode(tree)):
        record = group.attributes.get(RECORD, {})
        assert is_dict(record)
        assert record.keys() <= {"order", "types"}
        # a string that is no title, but might be one
        assert all(spec == [["str"]] for spec in record.get("types", {}).values())


@given(TREES)
def test_every_tree_that_is_kept_has_no_unsupported_place(tree: Tree) -> None:
    assert unsupported(tree) == []


# --------------------------------------------------------------------------------------------------
# Names


@given(st.sampled_from(KINDS), keys() | st.text(st.characters(exclude_categories=())))
def test_a_mark_can_be_undone_for_every_key(kind: Kind, key: str) -> None:
    assert unmark(mark(kind, key)) == (kind, key)
    assert unmark(mark(kind, key, 12), "group") == (kind, key)
    assert unmark(mark(kind, key, EMPTY), "attribute") == (kind, key)


@given(st.integers(1, 2000))
def test_names_of_members_sort_in_their_order_as_text_and_as_numbers(length: int) -> None:
    names = index_names(length)
    assert sorted(names) == sorted(names, key=by_index) == names


@given(st.dictionaries(keys(), st.sampled_from([None, {}]), max_size=8))
def test_no_two_names_of_a_group_are_one_name_to_a_file_system(tree: Tree) -> None:
    names = [*encode(tree).members]
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(set(name) & set('/\\\0<>:"|?*') or name in {"", ".", ".."} for name in names)


# --------------------------------------------------------------------------------------------------
# Order and depth


@given(sequences(elements=json_scalars()), st.integers(11, 120))
def test_more_than_ten_members_keep_their_order(
    sequence: list[Any] | tuple[Any, ...], length: int
) -> None:
    members = [[n, *sequence] if n % 2 else None for n in range(length)]
    tree = {"list": members, "tuple": tuple(members)}
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None


def wrapped(form: str, value: object) -> object:
    """Return a container of the value."""
    match form:
        case "dict":
            return {"x": value}
        case "ordered":
            return OrderedDict[str, object](x=value)
        case "list":
            return [value, None]
        case _:
            return (None, value)


def deep(forms: list[str], depth: int, innermost: object) -> Tree:
    """Wrap a value many times."""
    value = innermost
    for level in range(depth):
        value = wrapped(forms[level % len(forms)], value)
    return {"x": value}


def depth_of(tree: object) -> int:
    """Count the containers within each other; not recursive."""
    depth = 0
    while is_dict(tree) or is_sequence(tree):
        members = [*tree.values()] if is_dict(tree) else [*tree]
        tree = next(member for member in members if member is not None)
        depth += 1
    return depth


FORMS: Final = [["dict"], ["list"], ["tuple"], ["dict", "list", "tuple", "ordered"]]


@pytest.mark.parametrize("forms", FORMS)
def test_five_hundred_levels_come_back(forms: list[str]) -> None:
    tree = deep(forms, 500, 1.5)
    found = decode(encode(tree))
    assert depth_of(found) == depth_of(homogenized(tree)) == 501
    assert first_difference(tree, found) is None
    assert encode(found) == encode(tree)


@given(st.lists(st.sampled_from(["dict", "list", "tuple", "ordered"]), min_size=20), values())
def test_any_value_comes_back_from_twenty_levels_below(forms: list[str], value: object) -> None:
    assume(value is not None)
    tree = deep(forms, 20, value)
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None


@pytest.mark.parametrize("depth", [1, 2, 7, 500])
@pytest.mark.parametrize("forms", FORMS)
def test_a_cycle_is_refused_with_its_place(forms: list[str], depth: int) -> None:
    cells = np.empty(1, object)
    loops: list[Any] = [[None], {0: None}, OrderedDict({0: None}), cells]
    for loop in loops:
        loop[0] = tree = deep(forms, depth, loop)
        with pytest.raises(EncodeError, match="contains itself; break the cycle") as caught:
            encode(tree)
        assert caught.value.location.startswith("x")
        if loop is not cells:  # what is in cells, homogenization leaves alone
            with pytest.raises(EncodeError, match="contains itself; break the cycle") as caught:
                homogenized(tree)
            assert caught.value.location.startswith("x")


# --------------------------------------------------------------------------------------------------
# What is left alone


def arrays_in(value: object) -> Iterator[np.ndarray[Any, Any]]:
    """Yield every NumPy array of a tree, of nodes too."""
    pending: list[Any] = [value]
    while pending:
        found = pending.pop()
        if issubclass(found.__class__, np.ma.MaskedArray):
            pending += [found.data, found.mask]
        elif is_array(found):
            yield found
            pending += found.ravel().tolist() if found.dtype.kind == "O" else []
        elif isinstance(found, Group):
            pending += [*found.attributes.values(), *found.members.values()]
        elif isinstance(found, Array):
            pending.append(found.data)
        elif is_dict(found):
            pending += found.values()
        elif is_sequence(found):
            pending += found


def containers_in(value: object) -> Iterator[object]:
    """Yield every dictionary and list of a tree, of nodes too."""
    pending: list[Any] = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, Group):
            pending += [found.attributes, found.members]
        elif is_dict(found):
            yield found
            pending += found.values()
        elif is_sequence(found):
            if is_list(found):
                yield found
            pending += found


def shared(a: object, b: object) -> bool:
    """Whether two trees share memory, or anything else that can be changed."""
    left, right = [*arrays_in(a)], [*arrays_in(b)]
    if any(np.shares_memory(x, y) for x in left for y in right):
        return True
    return bool({id(x) for x in containers_in(a)} & {id(x) for x in containers_in(b)})


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.2.5", reason="its deep copies crash, or differ"
)
@given(TREES, st.booleans())
def test_encoding_leaves_its_input_as_it_was(tree: Tree, homogenize: bool) -> None:
    before = deepcopy(tree)
    group = encode(tree, homogenize=homogenize)
    homogenized(tree)
    unsupported(tree)
    assert first_difference(before, tree) is None
    nodes = deepcopy(group)
    decode(group)
    assert nodes == group


@given(TREES, st.booleans())
def test_no_output_shares_memory_with_its_input(tree: Tree, homogenize: bool) -> None:
    group = encode(tree, homogenize=homogenize)
    assert not shared(tree, group)
    assert not shared(group, decode(group))


# --------------------------------------------------------------------------------------------------
# Records: what an older program has changed reads as it has changed it


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
