"""The marks of sequences, and members that are numbered in their true order.

They are those of clause 6 of the specification. Names that a store cannot hold, or that imitate a
mark, are escaped (clause 7.8).
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from tests.support.trees import Tree
from zspy import decode, encode
from zspy.strategies import first_difference, json_scalars, keys, sequences
from zspy.values.names import EMPTY, KINDS, Kind, by_index, index_names, mark, unmark


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


@given(sequences(elements=json_scalars()), st.integers(11, 120))
def test_more_than_ten_members_keep_their_order(
    sequence: list[Any] | tuple[Any, ...], length: int
) -> None:
    members = [[n, *sequence] if n % 2 else None for n in range(length)]
    tree = {"list": members, "tuple": tuple(members)}
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None
