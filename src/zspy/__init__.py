"""Read and write .zspy files: multi-dimensional signals with axes and metadata, in Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values.faces import face

if TYPE_CHECKING:
    from . import (
        apps as apps,
        documents as documents,
        errors as errors,
        files as files,
        hyperspy as hyperspy,
        stores as stores,
        strategies as strategies,
        typing as typing,
        values as values,
        xarray as xarray,
    )
    from .apps.checking import Finding, check
    from .apps.describing import describe
    from .apps.hspy_reader import read_hspy
    from .apps.hspy_writer import write_hspy
    from .apps.notebook import open_group
    from .documents.limits import Limits
    from .documents.storage import Storage
    from .documents.tree import deserialise, serialise
    from .files.edit import update
    from .files.merging import REMOVE
    from .files.reader import file_reader
    from .files.stream import Stream, append
    from .files.writer import create, file_writer
    from .stores.backends import commit, fetch
    from .stores.dbm import DBMStore
    from .stores.lmdb import LMDBStore
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

__all__ = [
    "JSON",
    "REMOVE",
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
    "Stream",
    "UnsupportedError",
    "Value",
    "ZspyError",
    "append",
    "check",
    "commit",
    "create",
    "decode",
    "decode_signal",
    "describe",
    "deserialise",
    "encode",
    "encode_signal",
    "fetch",
    "file_reader",
    "file_writer",
    "homogenized",
    "open_group",
    "read_hspy",
    "serialise",
    "unsupported",
    "update",
    "write_hspy",
]

__version__ = "0.1.0"

_HOME = {
    "Array": "values.nodes",
    "Axis": "values.types",
    "Compressor": "values.types",
    "DBMStore": "stores.dbm",
    "Documents": "values.types",
    "EncodeError": "values.errors",
    "Finding": "apps.checking",
    "FormatError": "values.errors",
    "Group": "values.nodes",
    "JSON": "values.types",
    "LMDBStore": "stores.lmdb",
    "Limits": "documents.limits",
    "LoadedSignal": "values.types",
    "Node": "values.types",
    "Place": "values.types",
    "REMOVE": "files.merging",
    "Signal": "values.types",
    "Storage": "documents.storage",
    "Stream": "files.stream",
    "UnsupportedError": "values.errors",
    "Value": "values.types",
    "ZspyError": "values.errors",
    "append": "files.stream",
    "check": "apps.checking",
    "commit": "stores.backends",
    "create": "files.writer",
    "decode": "values.decoding",
    "decode_signal": "values.root",
    "describe": "apps.describing",
    "deserialise": "documents.tree",
    "encode": "values.encoding",
    "encode_signal": "values.root",
    "fetch": "stores.backends",
    "file_reader": "files.reader",
    "file_writer": "files.writer",
    "homogenized": "values.sequences",
    "open_group": "apps.notebook",
    "read_hspy": "apps.hspy_reader",
    "serialise": "documents.tree",
    "unsupported": "values.encoding",
    "update": "files.edit",
    "write_hspy": "apps.hspy_writer",
}
_MODULES = (
    "apps",
    "documents",
    "errors",
    "files",
    "hyperspy",
    "stores",
    "strategies",
    "typing",
    "values",
    "xarray",
)
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME, _MODULES)
