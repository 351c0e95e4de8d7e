"""What NumPy makes a one-dimensional array of comes back as that array's scalars.

`homogenized` is that rule as a pure function: ``decode(encode(v)) == homogenized(v)``, type for
type. The rule is clause 6.2 of the specification.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import from_dtype

from tests.support.trees import TREES, Tree
from zspy import decode, encode, homogenized
from zspy.strategies import first_difference, plain_trees


@given(TREES)
def test_a_tree_comes_back_homogenized(tree: Tree) -> None:
    assert first_difference(homogenized(tree), decode(encode(tree))) is None


@given(TREES)
def test_homogenization_is_idempotent(tree: Tree) -> None:
    once = homogenized(tree)
    assert first_difference(once, homogenized(once)) is None


@given(plain_trees())
def test_homogenization_is_the_identity_where_it_loses_nothing(tree: Tree) -> None:
    assert first_difference(tree, homogenized(tree)) is None


def _exact(number: Any) -> list[Any]:
    """Give the parts of a number as fractions, which nothing rounds."""
    plain = number.item() if hasattr(number, "item") else number
    parts: list[Any] = []
    for part in (plain.real, plain.imag):
        try:
            parts.append(Fraction(*map(int, part.as_integer_ratio())))
        except (OverflowError, ValueError):  # it is infinite, or none
            parts.append(repr(float(part)))
    return parts


NUMBERS: Final = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.complex_numbers(),
    *(from_dtype(np.dtype(code)) for code in "?bBhHiIlLefdgFD"),
    from_dtype(np.dtype("i8")).map(np.asarray),
)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_a_number_among_others_stays_the_number_that_it_was(numbers: list[Any]) -> None:
    """An array that would round one of them is none that they become."""
    assert [*map(_exact, homogenized(numbers))] == [*map(_exact, numbers)]
