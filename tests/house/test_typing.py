"""What tells values apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zspy.typing import is_array, is_dict, is_lazy, is_list, is_sequence


def test_a_dask_array_is_lazy() -> None:
    da = pytest.importorskip("dask.array")
    assert is_lazy(da.zeros(3))


@pytest.mark.parametrize(
    "value", [np.zeros(3), [1], SimpleNamespace(chunks=((1,),), __dask_graph__=None), object()]
)
def test_nothing_else_is_lazy(value: object) -> None:
    assert not is_lazy(value)


def test_subclasses_are_of_their_kind() -> None:
    assert is_array(np.ma.MaskedArray([1]))
    assert is_dict({})
    assert is_list([])
    assert is_sequence([])
    assert is_sequence(())
    assert not is_array([1])
    assert not is_dict([])
    assert not is_list(())
    assert not is_sequence("ab")
