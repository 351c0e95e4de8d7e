"""Values to nodes and back. NumPy is all that this package needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faces import face

if TYPE_CHECKING:
    from .decoding import decode
    from .encoding import encode, unsupported
    from .errors import EncodeError, FormatError, UnsupportedError, ZspyError
    from .nodes import Array, Group
    from .root import decode_signal, encode_signal
    from .sequences import homogenized
    from .types import JSON, Axis, LoadedSignal, Node, Signal, Value

__all__ = [
    "JSON",
    "Array",
    "Axis",
    "EncodeError",
    "FormatError",
    "Group",
    "LoadedSignal",
    "Node",
    "Signal",
    "UnsupportedError",
    "Value",
    "ZspyError",
    "decode",
    "decode_signal",
    "encode",
    "encode_signal",
    "homogenized",
    "unsupported",
]

_HOME = {
    "Array": "nodes",
    "Axis": "types",
    "EncodeError": "errors",
    "FormatError": "errors",
    "Group": "nodes",
    "JSON": "types",
    "LoadedSignal": "types",
    "Node": "types",
    "Signal": "types",
    "UnsupportedError": "errors",
    "Value": "types",
    "ZspyError": "errors",
    "decode": "decoding",
    "decode_signal": "root",
    "encode": "encoding",
    "encode_signal": "root",
    "homogenized": "sequences",
    "unsupported": "encoding",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = face(__name__, _HOME)
