"""Read and write .zspy files: multi-dimensional signals with axes and metadata, in Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._api import file_reader, file_writer, open_group
from ._check import Finding, check
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
    """Import the Zarr stores only where one is asked for: they import zarr-python."""
    if name not in {"DBMStore", "LMDBStore"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import stores

    found: object = getattr(stores, name)
    return found
