"""FORMAT 9.3: what NumPy makes a one-dimensional array of comes back as that array's scalars.

`homogenized` is that rule as a pure function: ``decode(encode(v)) == homogenized(v)``, type for
type.
"""

from __future__ import annotations

from hypothesis import given

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
