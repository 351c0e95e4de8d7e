"""Read and write .zspy files: multi-dimensional signals with axes and metadata, in Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._api import file_reader, file_writer, open_group
from ._codecs import Limits
from ._decode import decode
from ._documents import deserialise, serialise
from ._encode import encode, unsupported
from ._layout import Storage
from ._node import Array, Group
from ._sequences import homogenized
from ._signal import decode_signal, encode_signal
from ._store import commit, fetch
from .errors import EncodeError, FormatError, UnsupportedError, ZspyError
from .typing import JSON, Axis, Compressor, Documents, LoadedSignal, Node, Place, Signal, Value

if TYPE_CHECKING:
    from ._check import Finding, check
    from .stores import DBMStore, LMDBStore

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
    rooms = {"DBMStore": "stores", "Finding": "_check", "LMDBStore": "stores", "check": "_check"}
    if name not in rooms:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f".{rooms[name]}", __name__), name)
    return found
