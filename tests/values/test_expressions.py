"""The points of an axis: uniform, a vector, or what its expression gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zspy.values.axes import axis_points
from zspy.values.errors import EncodeError
from zspy.values.expressions import evaluated


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


def test_whole_numbers_are_no_narrower_than_others() -> None:
    small = np.array([200, 3], "u1")
    assert evaluated("x * x", {"x": small}, 2, "axis").tolist() == [40000.0, 9.0]
    assert evaluated("x / 7", {"x": small}, 2, "axis").tolist() == [200 / 7, 3 / 7]


def test_a_point_may_be_infinite_and_nobody_is_warned() -> None:
    points = evaluated("log(x) / x", {"x": [0.0, 1.0]}, 2, "axis")
    assert points.tolist() == [-np.inf, 0.0]


def test_an_expression_of_a_thousand_characters_is_known() -> None:
    longest = "1" + "+1" * 499
    assert evaluated(f"{longest} ", {}, 1, "axis").tolist() == [500.0]
    with pytest.raises(EncodeError) as caught:
        evaluated(f"{longest}  ", {}, 1, "axis")
    shown = repr(longest[:80])
    assert caught.value.problem == f"the expression {shown} is no arithmetic that is known here"
    assert str(caught.value.__cause__) == "too long"


def test_what_a_long_expression_lacks_is_shown_in_short() -> None:
    expression = "a" * 50 + " + b" * 20
    with pytest.raises(EncodeError) as caught:
        evaluated(expression, {}, 1, "axis")
    assert caught.value.problem == f"the expression {expression[:80]!r} lacks {'a' * 40!r}"


def test_what_is_no_arithmetic_is_the_cause() -> None:
    with pytest.raises(EncodeError) as caught:
        evaluated("[1]", {}, 1, "axis")
    assert str(caught.value.__cause__) == "no arithmetic"
