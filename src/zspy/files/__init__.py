"""Signals to a file and back, with the choice of chunks, lazy arrays and updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.faces import face

if TYPE_CHECKING:
    from .edit import update
    from .merging import REMOVE
    from .reader import file_reader
    from .stream import Stream, append
    from .writer import create, file_writer

__all__ = [
    "REMOVE",
    "Stream",
    "append",
    "create",
    "file_reader",
    "file_writer",
    "update",
]

_HOME = {
    "REMOVE": "merging",
    "Stream": "stream",
    "append": "stream",
    "create": "writer",
    "file_reader": "reader",
    "file_writer": "writer",
    "update": "edit",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
