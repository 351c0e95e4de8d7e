"""Trees of values that the laws draw."""

from __future__ import annotations

from typing import Any, Final

from zspy.strategies import trees, values

Tree = dict[Any, Any]


# One value of every kind, and trees in which kinds meet.
TREES: Final = trees() | values().map(lambda value: {"v": value})
