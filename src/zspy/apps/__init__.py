"""What people use on files: a check, a view for notebooks, and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.faces import face

if TYPE_CHECKING:
    from .checking import Finding, check
    from .hspy_reader import read_hspy
    from .hspy_writer import write_hspy
    from .notebook import open_group

__all__ = [
    "Finding",
    "check",
    "open_group",
    "read_hspy",
    "write_hspy",
]

_HOME = {
    "Finding": "checking",
    "check": "checking",
    "open_group": "notebook",
    "read_hspy": "hspy_reader",
    "write_hspy": "hspy_writer",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
