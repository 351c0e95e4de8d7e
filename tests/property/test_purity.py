"""The law of all arrows: no input is changed, and no output shares with it what can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.support.trees import TREES, Tree
from zspy import Array, Group, decode, encode, homogenized, unsupported
from zspy.strategies import first_difference
from zspy.typing import is_array, is_dict, is_list, is_sequence


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
