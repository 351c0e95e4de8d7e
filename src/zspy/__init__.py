"""zspy."""
from ._decode import decode
from ._encode import encode, unsupported
from ._sequences import homogenized
from ._documents import serialise, deserialise
from ._store import commit, fetch
from ._api import file_reader, file_writer
from ._signal import encode_signal, decode_signal
from ._node import Array, Group
from .errors import ZspyError
__version__ = "0.1.0"
