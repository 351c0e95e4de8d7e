"""The points of an axis: uniform, a vector, or what its expression gives."""

from __future__ import annotations

from typing import Any

import pytest

from zspy.values.axes import axis_points
from zspy.values.errors import EncodeError


@pytest.mark.parametrize(
    ("axis", "points"),
    [
        ({}, [0, 1, 2]),
        ({"offset": 1.0, "scale": 0.5}, [1.0, 1.5, 2.0]),
        ({"axis": [1, 5, 7]}, [1, 5, 7]),
        ({"expression": "a * x + 1", "a": 2, "x": {"offset": 1.0}}, [3, 5, 7]),
        ({"expression": "2"}, [2, 2, 2]),
        ({"expression": "-sqrt(x)", "x": {"scale": 4}}, [0, -2, -(8**0.5)]),
    ],
)
def test_the_points_of_an_axis_follow_its_type(axis: dict[str, Any], points: list[float]) -> None:
    assert axis_points(axis, 3).tolist() == points


@pytest.mark.parametrize("expression", ["open('x')", "x.real", "x +", "x" * 2000])
def test_an_expression_runs_no_code(expression: str) -> None:
    with pytest.raises(
        EncodeError, match=r"no arithmetic that is known here; use zspy\.file_reader$"
    ):
        axis_points({"expression": expression}, 3)


def test_what_an_expression_lacks_is_named() -> None:
    with pytest.raises(
        EncodeError, match=r"the expression 'a \* x \+ b' lacks 'b'; give it to the axis$"
    ):
        axis_points({"expression": "a * x + b", "a": 2}, 3)
