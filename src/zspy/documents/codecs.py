"""Codecs: which of them a file may ask for. Those that run code are not among them.

A file names its codecs; only those of the allow-list are ever made, and pickle is never on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import numcodecs
from numcodecs.registry import get_codec

from ..values.errors import FormatError
from ..values.types import Compressor, is_dict, is_list

COMPRESSORS: Final = frozenset({"blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma"})
CHECKSUMS: Final = frozenset(
    {"crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"}
)
FILTERS: Final = CHECKSUMS | {
    *(
        "delta",
        "shuffle",
        "fixedscaleoffset",
        "quantize",
        "astype",
        "bitround",
        "packbits",
    )
}
CELLS: Final = frozenset({"vlen-utf8", "vlen-array", "vlen-bytes", "json2", "msgpack2"})
"""The object codecs."""
DOCUMENTS: Final = frozenset({"json2", "msgpack2"})
"""Those whose cells are what JSON can be; zspy writes lists of str."""
ALLOWED: Final = COMPRESSORS | FILTERS | CELLS
"""The codecs by their numcodecs id. Those that run code (pickle) or are unknown are not here."""
_DTYPES: Final = frozenset({"dtype", "astype", "encode_dtype", "decode_dtype"})
_NUMBERS: Final = re.compile(r"[<>|]?([biufc])\d{1,2}\Z")


def codec_id(config: Any, where: str, allowed: Collection[str] = ()) -> str:
    """Give the name of the codec that a document asks for, or raise FormatError."""
    name = config.get("id") if is_dict(config) else None
    if not isinstance(name, str):
        raise FormatError("a codec without an id", where)
    check_allowed(name, ALLOWED, where, allowed)
    return name


def check_allowed(
    name: str, known: Collection[str], where: str, allowed: Collection[str]
) -> None:
    """Raise FormatError for a codec that is neither known nor allowed by the reader."""
    if name not in known and name not in allowed:
        remedy = "if you trust the file, allow it by name: codecs=(...)"
        raise FormatError(f"the codec {name!r} is not allowed", where, remedy)


def codec(config: Any, where: str, allowed: Collection[str] = ()) -> Compressor:
    """Make the codec that a document names; raises FormatError where it is none that is allowed."""
    name = codec_id(config, where, allowed)
    try:
        if name in FILTERS:
            _check_filter(config)
        made: Compressor = get_codec(config)
    except Exception as error:  # whatever the constructor of the codec raises
        raise FormatError(
            f"the codec {name!r} is not understood ({error})", where
        ) from error
    return made


def _check_filter(config: Mapping[str, Any]) -> None:
    """Refuse what lets a filter enlarge its input without bounds, or lose values with a warning."""
    kinds: set[str] = set()
    for key, value in config.items():
        if key in _DTYPES and value is not None:
            if (found := _NUMBERS.match(value)) is None:
                raise ValueError(f"{key} is no dtype of numbers")
            kinds.add(found[1])
        elif is_list(value) or is_dict(value):
            raise TypeError(f"{key} is no number")
    if "c" in kinds and len(kinds) > 1:
        raise ValueError("complex and real numbers")


CRC32C: Final = numcodecs.CRC32C(location="end")
CODECS3: Final = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "crc32c", "transpose", "sharding_indexed"}
    | {"vlen-utf8", "vlen-bytes"}
    | {f"numcodecs.{name}" for name in COMPRESSORS | FILTERS}
)
OF_BYTES: Final = CHECKSUMS | {"shuffle"}
SHUFFLES: Final = ("noshuffle", "shuffle", "bitshuffle")
