"""The types of axes: the rows of the table, with one that no release of HyperSpy knows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from zspy.values.axes import AXIS_TYPES, AxisType

KEYS: Final[dict[str, Any]] = {"axis": [1.0, 2.0, 4.0], "expression": "3 * x + 1"}
"""Entries by which a type is told, where it has no default for them."""


def powers(axis: Any, size: int, _: str) -> Any:
    return axis.get("powers_of", 2.0) ** np.arange(size)


# Its key is of no type that somebody would add.
POWERS: Final = AxisType(
    "PowerAxis", "powers_of", "size", powers, {"powers_of": 2.0}, released=False
)
ROWS: Final = (*AXIS_TYPES[:-1], POWERS, AXIS_TYPES[-1])
each_axis_type = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def entries_of(row: AxisType) -> dict[str, Any]:
    """Give the entries of an axis of three points."""
    known = KEYS | {**row.defaults}
    assert row.key in known, f"give {row.name} a default for {row.key!r}, or KEYS a value"
    return {**row.defaults, row.key: known[row.key]}
