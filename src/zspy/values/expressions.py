"""Arithmetic that an axis is given by; no code of a file runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .errors import EncodeError

_LONGEST_EXPRESSION: Final = 1000  # characters of an expression
_OPERATORS: Final[Mapping[type, Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}
_FUNCTIONS: Final = (
    "cos",
    "cosh",
    "exp",
    "log",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
)


def evaluated(
    expression: str,
    numbers: Mapping[str, Any],
    size: int,
    where: str,
) -> Any:
    """Give the values of an expression: arithmetic of numbers by name, and nothing else that runs.

    >>> evaluated("2 * x + 1", {"x": [1, 2]}, 2, "axis").tolist()
    [3.0, 5.0]
    """

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)
            case ast.Name(id=name):
                if name not in numbers:
                    problem = (
                        f"the expression {expression[:80]!r} lacks {name[:40]!r}"
                    )
                    raise EncodeError(problem, where, "give it to the axis")
                return np.asarray(numbers[name], np.float64)
            case ast.UnaryOp(op=sign, operand=operand):
                return _OPERATORS[type(sign)](value(operand))
            case ast.BinOp(left=left, op=sign, right=right):
                return _OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=[one], keywords=[]) if (
                name in _FUNCTIONS
            ):
                return getattr(np, name)(value(one))
            case _:
                raise ValueError("no arithmetic")

    try:
        if len(expression) > _LONGEST_EXPRESSION:
            raise ValueError("too long")
        with np.errstate(all="ignore"):
            points: Any = value(ast.parse(expression, mode="eval").body)
        return np.broadcast_to(points, (size,)).copy()
    except EncodeError:
        raise
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RecursionError,
        SyntaxError,
        ValueError,
    ) as error:
        problem = f"the expression {expression[:80]!r} is no arithmetic that is known here"
        raise EncodeError(problem, where, "use zspy.file_reader") from error
