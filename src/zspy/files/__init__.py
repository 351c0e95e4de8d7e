"""Signals to a file and back, with the choice of chunks, lazy arrays and updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.faces import face

if TYPE_CHECKING:
    from .reader import file_reader
    from .writer import file_writer

__all__ = [
    "file_reader",
    "file_writer",
]

_HOME = {
    "file_reader": "reader",
    "file_writer": "writer",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
