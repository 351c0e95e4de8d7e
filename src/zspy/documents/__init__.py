"""Nodes to documents of Zarr, format 2 and 3, and back. It needs NumPy and numcodecs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.faces import face

if TYPE_CHECKING:
    from .limits import Limits
    from .storage import Storage
    from .tree import deserialise, serialise

__all__ = [
    "Limits",
    "Storage",
    "deserialise",
    "serialise",
]

_HOME = {
    "Limits": "limits",
    "Storage": "storage",
    "deserialise": "tree",
    "serialise": "tree",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
