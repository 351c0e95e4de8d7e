"""Read and write .zspy files: multi-dimensional signals with axes and metadata, in Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .apps.notebook import open_group
from .documents.limits import Limits
from .documents.storage import Storage
from .documents.tree import deserialise, serialise
from .files.reader import file_reader
from .files.writer import file_writer
from .stores.backends import commit, fetch
from .values.decoding import decode
from .values.encoding import encode, unsupported
from .values.errors import EncodeError, FormatError, UnsupportedError, ZspyError
from .values.nodes import Array, Group
from .values.root import decode_signal, encode_signal
from .values.sequences import homogenized
from .values.types import (
    JSON,
    Axis,
    Compressor,
    Documents,
    LoadedSignal,
    Node,
    Place,
    Signal,
    Value,
)

if TYPE_CHECKING:
    from .apps.checking import Finding, check
    from .stores.database import DBMStore, LMDBStore

__all__ = [
    "JSON",
    "Array",
    "Axis",
    "Compressor",
    "DBMStore",
    "Documents",
    "EncodeError",
    "Finding",
    "FormatError",
    "Group",
    "LMDBStore",
    "Limits",
    "LoadedSignal",
    "Node",
    "Place",
    "Signal",
    "Storage",
    "UnsupportedError",
    "Value",
    "ZspyError",
    "check",
    "commit",
    "decode",
    "decode_signal",
    "deserialise",
    "encode",
    "encode_signal",
    "fetch",
    "file_reader",
    "file_writer",
    "homogenized",
    "open_group",
    "serialise",
    "unsupported",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import what is in optional rooms only where it is asked for: the stores need zarr-python."""
    rooms = {
        **dict.fromkeys(("DBMStore", "LMDBStore"), "stores.database"),
        **dict.fromkeys(("Finding", "check"), "apps.checking"),
    }
    if name not in rooms:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f".{rooms[name]}", __name__), name)
    return found
