"""The points of an axis, also of one that is given by an expression; no code of a file runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .errors import EncodeError

_LONGEST: Final = 1000  # characters of an expression
_OPERATORS: Final[Mapping[type, Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}
_FUNCTIONS: Final = ("cos", "cosh", "exp", "log", "sin", "sinh", "sqrt", "tan", "tanh")


def axis_points(axis: Mapping[str, Any], size: int, where: str = "axis") -> Any:
    """Give the points of an axis.

    >>> axis_points({"offset": 1.0, "scale": 0.5}, 3).tolist()
    [1.0, 1.5, 2.0]
    >>> axis_points({"expression": "a / x", "a": 6, "x": {"offset": 1}}, 3).tolist()
    [6.0, 3.0, 2.0]
    """
    if "expression" in axis:
        return _evaluated(axis, size, where)
    if "axis" in axis:
        return np.asarray(axis["axis"])
    steps: Any = np.arange(size)
    return axis.get("offset", 0.0) + axis.get("scale", 1.0) * steps


def _evaluated(axis: Mapping[str, Any], size: int, where: str) -> Any:
    """Give the points of an axis that is a function: arithmetic, and nothing else that runs."""
    expression = str(axis["expression"])
    names: dict[str, Any] = {
        key: one for key, one in axis.items() if isinstance(one, (int, float))
    }
    names["x"] = axis_points(axis.get("x", {}), size, where)

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)
            case ast.Name(id=name) if name in names:
                return np.asarray(names[name], np.float64)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
                return _OPERATORS[type(sign)](value(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                return _OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=[one], keywords=[]) if (
                name in _FUNCTIONS
            ):
                return getattr(np, name)(value(one))
            case _:
                raise ValueError("no arithmetic")

    try:
        if len(expression) > _LONGEST:
            raise ValueError("too long")
        with np.errstate(all="ignore"):
            points: Any = value(ast.parse(expression, mode="eval").body)
        return np.broadcast_to(points, (size,)).copy()
    except (
        ArithmeticError,
        MemoryError,
        RecursionError,
        SyntaxError,
        ValueError,
    ) as error:
        problem = (
            f"the expression {expression[:80]!r} is no arithmetic that is known here"
        )
        raise EncodeError(problem, where, "use zspy.file_reader") from error
