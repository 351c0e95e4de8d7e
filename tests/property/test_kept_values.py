"""What the format cannot say is stored in a plain form, and a record brings it back.

Clause 14 of the specification has the plain forms.
With homogenization off, ``decode(encode(v)) == v``, type for type, in memory and through the
documents of both formats, at any depth. A container that contains itself is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from tests.support.trees import TREES, Tree
from zspy import (
    EncodeError,
    Group,
    decode,
    deserialise,
    encode,
    homogenized,
    serialise,
    unsupported,
)
from zspy.strategies import first_difference, trees, values
from zspy.typing import is_dict, is_sequence

if TYPE_CHECKING:
    from zspy.typing import ZarrFormat


@given(TREES)
def test_without_homogenization_a_tree_comes_back_type_for_type(tree: Tree) -> None:
    assert first_difference(tree, decode(encode(tree, homogenize=False))) is None


@pytest.mark.parametrize("zarr_format", [2, 3])
@given(tree=trees(max_depth=4))
def test_a_tree_comes_back_from_its_documents(zarr_format: ZarrFormat, tree: Tree) -> None:
    group = encode(tree, homogenize=False)
    found = deserialise(dict(serialise(group, zarr_format=zarr_format)))
    assert found == group
    assert isinstance(found, Group)
    assert first_difference(tree, decode(found)) is None


@given(TREES)
def test_every_tree_that_is_kept_has_no_unsupported_place(tree: Tree) -> None:
    assert unsupported(tree) == []


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
