"""Codecs: one table of those that a file may ask for, for Zarr format 2 and 3.

A file names its codecs; only those of the table, and those that the reader allows by name, are ever
made. Codecs that run code (pickle) are not in the table. A new codec is one more row.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from re import compile as compiled
from typing import Any, Final, Literal

import numcodecs
from numcodecs.registry import get_codec

from ..values.errors import FormatError
from ..values.types import Compressor, DType, Entries, JSONObject, is_dict, is_list
from . import bounded, cells
from .crc32c import CRC32CCodec, crc32c


def _same(settings: JSONObject) -> JSONObject:
    return settings


def _to_blosc(settings: JSONObject) -> JSONObject:
    """Name the shuffle of Blosc, as format 3 does."""
    number = settings["shuffle"]
    if number < 0:  # Blosc chooses by the size of an element.
        number = 1 if settings["typesize"] > 1 else 2
    return {**settings, "shuffle": _SHUFFLES[number]}


def _from_blosc(settings: JSONObject) -> JSONObject:
    """Undo `_to_blosc`; the size of an element is that of the array."""
    rest = {**settings}
    rest.pop("typesize", None)
    if rest.get("shuffle") in _SHUFFLES:
        rest["shuffle"] = _SHUFFLES.index(rest["shuffle"])
    return rest


_SHUFFLES: Final = ("noshuffle", "shuffle", "bitshuffle")


def _to_zstd(settings: JSONObject) -> JSONObject:
    return {**settings, "checksum": bool(settings.get("checksum"))}


def _at_end(settings: JSONObject) -> JSONObject:
    """Say where the checksum of format 3 lies, which that format does not say."""
    return {"location": "end", **settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A codec: a row of the table.

    Parameters
    ----------
    id : str
        Its name in numcodecs, and in Zarr format 2.
    takes : {"bytes", "numbers", "cells"}
        What it encodes: bytes of any kind, elements of a dtype of numbers, or cells of objects.
    dtypes : collection of str
        The dtypes of the numbers that it takes, such as ``"<f8"``, if it does not take all.
    gives : {"bytes", "numbers"}
        What it encodes that to.
    decode : callable
        Decodes in bounded memory, as the functions of `bounded` do.
    growth : int
        Bytes that decoding makes of one byte at most; 0 where `decode` keeps to its bound itself.
    compresses : bool
        Whether it is a compressor: the number of bytes that it makes depends on what they are.
    level : str
        The setting of a compressor that the command line takes.
    encoded_size : callable, optional
        The number of bytes that a codec makes of so many, where that is known before.
    name_v3 : str
        Its name in format 3, besides ``numcodecs.<id>``.
    to_v3, from_v3 : callable
        Turn its configuration into that of format 3, and back.
    dtype_setting : str
        The setting that stands for the dtype of the array where format 3 leaves it out.
    encoded_setting : str
        The setting for the dtype of the numbers that it makes, where that is another.
    cells : CellCodec, optional
        How cells are encoded and decoded.
    """

    id: str
    takes: Literal["bytes", "numbers", "cells"] = "bytes"
    dtypes: Collection[str] = ()
    gives: Literal["bytes", "numbers"] = "bytes"
    decode: bounded.Decoder = bounded.decode_plain
    growth: int = 0
    compresses: bool = False
    level: str = "level"
    encoded_size: Callable[[int], int] | None = None
    name_v3: str = ""
    to_v3: Callable[[JSONObject], JSONObject] = _same
    from_v3: Callable[[JSONObject], JSONObject] = _same
    dtype_setting: str = ""
    encoded_setting: str = ""
    cells: cells.CellCodec | None = None
    settings: Entries = field(default_factory=dict[str, Any])

    def __reduce__(self) -> tuple[Callable[[str], Codec], tuple[str]]:
        return row_of, (self.id,)


def _compressor(name: str, decode: bounded.Decoder, **more: Any) -> Codec:
    return Codec(id=name, decode=decode, compresses=True, **more)


def _checksum(name: str, **more: Any) -> Codec:
    return Codec(id=name, encoded_size=lambda size: size + 4, **more)


def _filter(name: str, **more: Any) -> Codec:
    decode = bounded.decode_numbers
    return Codec(id=name, takes="numbers", gives="numbers", decode=decode, **more)


def _cast(name: str, setting: str, encoded: str) -> Codec:
    """Make the row of a filter with settings for the dtype it takes, and for what it gives."""
    return _filter(
        name, growth=bounded.GROWTH, dtype_setting=setting, encoded_setting=encoded
    )


def _cells(name: str, codec: cells.CellCodec, **more: Any) -> Codec:
    return Codec(id=name, takes="cells", cells=codec, **more)


_TABLE: Final = (
    _compressor(
        "blosc",
        # The class takes three times as long for a small chunk.
        bounded.decode_sized(bounded.blosc_size, numcodecs.blosc.decompress),
        name_v3="blosc",
        to_v3=_to_blosc,
        from_v3=_from_blosc,
    ),
    _compressor(
        "zstd",
        bounded.decode_sized(bounded.zstd_size),
        name_v3="zstd",
        to_v3=_to_zstd,
    ),
    _compressor(
        "lz4", bounded.decode_sized(bounded.lz4_size), level="acceleration"
    ),
    _compressor(
        "gzip",
        # More than 15 bits stand for the header of gzip.
        bounded.decode_stream(
            lambda _codec, _most: zlib.decompressobj(31), several=True
        ),
        name_v3="gzip",
    ),
    _compressor(
        "zlib", bounded.decode_stream(lambda _codec, _most: zlib.decompressobj())
    ),
    _compressor(
        "bz2",
        bounded.decode_stream(lambda _codec, _most: bz2.BZ2Decompressor(), 2**20),
    ),
    _compressor("lzma", bounded.decode_stream(bounded.lzma_stream), level="preset"),
    _checksum("crc32"),
    _checksum("crc32c", name_v3="crc32c", from_v3=_at_end),
    _checksum("adler32"),
    _checksum("fletcher32"),
    _checksum("jenkins_lookup3"),
    Codec(id="shuffle", encoded_size=lambda size: size),
    _filter("bitround"),
    Codec(
        id="packbits",
        takes="numbers",
        dtypes=("|b1",),
        gives="numbers",
        growth=bounded.GROWTH,
        encoded_size=lambda size: -(-size // 8) + 1,
    ),
    _cast("delta", "dtype", "astype"),
    _cast("fixedscaleoffset", "dtype", "astype"),
    _cast("quantize", "dtype", "astype"),
    _cast("astype", "decode_dtype", "encode_dtype"),
    _cells("vlen-utf8", cells.TEXTS, name_v3="vlen-utf8"),
    _cells("vlen-bytes", cells.BYTES, name_v3="vlen-bytes"),
    _cells("vlen-array", cells.ARRAYS),
    _cells("json2", cells.JSON_DOCUMENTS),
    _cells(
        "msgpack2",
        cells.MSGPACK_DOCUMENTS,
        # numcodecs describes it so.
        settings={"raw": False, "use_bin_type": True, "use_single_float": False},
    ),
)
CODECS: Final[Mapping[str, Codec]] = {row.id: row for row in _TABLE}
"""The rows of the table, by the names of numcodecs."""
CODECS_V3: Final[Mapping[str, Codec]] = {
    **{f"numcodecs.{row.id}": row for row in _TABLE if row.takes != "cells"},
    **{row.name_v3: row for row in _TABLE if row.name_v3},
}
"""The rows of the table, by their names in format 3."""
_STRUCTURE_V3: Final = frozenset({"bytes", "transpose", "sharding_indexed"})
CELLS: Final = frozenset(row.id for row in _TABLE if row.takes == "cells")
"""The object codecs."""
DOCUMENT_CELLS: Final = frozenset(
    row.id for row in _TABLE if row.cells and row.cells.is_document
)
"""Those whose cells are what JSON can be; zspy writes lists of str."""

_FAST_CRC32C: Any = getattr(numcodecs, "CRC32C", None)
CRC32C: Final = CRC32CCodec(
    crc32c if _FAST_CRC32C is None else _FAST_CRC32C.checksum
)


def row_of(name: str) -> Codec:
    """Give the row of a codec; one that the table does not have takes and gives what it likes."""
    return CODECS.get(name) or Codec(id=name, takes="numbers", compresses=True)


def cell_codec(name: str) -> cells.CellCodec:
    """Give the codec of cells, which are named by it, or by the dtype of the arrays in them."""
    return CODECS[name if name in CELLS else "vlen-array"].cells or cells.ARRAYS


def cell_settings(name: str) -> JSONObject:
    """Describe the codec of cells as format 2 does.

    >>> cell_settings("<f8")
    {'id': 'vlen-array', 'dtype': '<f8'}
    """
    if name in CELLS:
        return {"id": name, **CODECS[name].settings}
    return {"id": "vlen-array", "dtype": name}


_ALLOW: Final = "if you trust the file, allow it by name: codecs=(...)"


def codec_id(
    config: Any, allowed: Collection[str] = (), remedy: str = _ALLOW
) -> str:
    """Give the name of the codec that a document asks for, or raise FormatError."""
    name = config.get("id") if is_dict(config) else None
    if not isinstance(name, str):
        raise FormatError("a codec without an id")
    if name not in CODECS:
        _check_allowed(name, allowed, remedy)
    return name


def check_v3(name: str, allowed: Collection[str]) -> bool:
    """Tell whether zspy knows a codec of format 3; or raise FormatError if it is not allowed."""
    if name in _STRUCTURE_V3 or name in CODECS_V3:
        return True
    _check_allowed(name, allowed)
    return False


def _check_allowed(
    name: str, allowed: Collection[str], remedy: str = _ALLOW
) -> None:
    if name not in allowed:
        raise FormatError(f"the codec {name!r} is not allowed", remedy=remedy)


def codec(config: Any, allowed: Collection[str] = ()) -> Compressor:
    """Make the codec that a document names; raises FormatError where it is none that is allowed."""
    name = codec_id(config, allowed)
    if config == CRC32C.get_config():
        return CRC32C  # numcodecs may not have it.
    try:
        if not row_of(name).compresses:
            _check_filter(config)
        made: Compressor = get_codec(config)
    except Exception as error:  # Codecs raise whatever they like.
        problem = f"the codec {name!r} is not understood ({error})"
        raise FormatError(problem) from error
    return made


_DTYPES: Final = frozenset({"dtype", "astype", "encode_dtype", "decode_dtype"})
_NUMBERS: Final = compiled(r"[<>|]?([biufc])\d{1,2}\Z")


def _check_filter(config: Entries) -> None:
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


def codec_v3(row: Codec, settings: Entries, dtype: DType) -> Compressor:
    """Make the codec of a row, for numbers of a dtype, by its configuration in format 3."""
    told = {row.dtype_setting: dtype.str} if row.dtype_setting else {}
    return codec({**told, **row.from_v3({**settings}), "id": row.id})


def describe_codec_v3(made: Compressor, itemsize: int) -> JSONObject:
    """Describe a codec as format 3 does, for elements of so many bytes."""
    settings: JSONObject = made.get_config()
    if settings == CRC32C.get_config():
        return {"name": made.codec_id}
    row = row_of(settings.pop("id"))
    if row.id == "blosc":
        settings["typesize"] = itemsize
    name = row.name_v3 or f"numcodecs.{row.id}"
    return {"name": name, "configuration": row.to_v3(settings)}
