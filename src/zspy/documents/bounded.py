"""Decoding in bounded memory: how much a chunk may decode to is known before, or checked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from struct import unpack_from
from typing import Any, Final

import numpy as np

from ..values.errors import FormatError
from ..values.types import Compressor, NumPyArray
from .codecs import CHECKSUMS, COMPRESSORS, FILTERS

_SMALL: Final = 2**12  # bytes: copying them takes less time than a buffer for them
_GROWING: Final = FILTERS - CHECKSUMS - {"shuffle", "bitround"}
GROWTH: Final = (
    32  # bytes that a filter, or a document of cells, makes of one at the most
)


def decode_stages(
    stages: Sequence[Compressor], data: bytes, size: int | None, limit: int, where: str
) -> NumPyArray:
    """Undo codecs, the last one first: to `size` bytes, or to at most `limit` where it is None."""
    sizes = [size]
    for stage in stages:
        sizes.append(_encoded_size(stage, sizes[-1]))
    flat = np.frombuffer(data, np.uint8)
    for stage, wanted in zip(reversed(stages), reversed(sizes[:-1]), strict=True):
        _check_size(flat.size, sizes.pop(), where)
        try:
            flat = np.frombuffer(_decoded(stage, flat, wanted, limit), np.uint8)
        except (
            Exception
        ) as error:  # RuntimeError, ValueError, zlib.error, LZMAError, EOFError, ...
            problem = f"a chunk that {stage.codec_id} cannot decode ({error})"
            raise FormatError(problem, where) from error
    _check_size(flat.size, size, where)
    return flat


def _check_size(found: int, wanted: int | None, where: str) -> None:
    if wanted not in (None, found):
        raise FormatError(f"a chunk of {found} bytes where {wanted} belong", where)


def _encoded_size(stage: Any, size: int | None) -> int | None:
    """Give the number of bytes that a filter makes of so many, where their values don't matter."""
    name = stage.codec_id
    if size is None or name in COMPRESSORS:
        return None
    if name in CHECKSUMS:
        return size + 4
    match name:
        case "delta" | "fixedscaleoffset" | "quantize":
            return size // int(stage.dtype.itemsize) * int(stage.astype.itemsize)
        case "astype":
            return (
                size
                // int(stage.decode_dtype.itemsize)
                * int(stage.encode_dtype.itemsize)
            )
        case "packbits":
            return -(-size // 8) + 1
        case "shuffle" | "bitround":
            return size
        case _:
            return None


def _decoded(stage: Any, data: NumPyArray, wanted: int | None, limit: int) -> Any:
    """Undo one codec: to hardly more bytes than are wanted, or allowed, whatever the data says."""
    most = limit if wanted is None else wanted
    name = stage.codec_id
    if name in _TOLD:
        told, exact = _TOLD[name](data.data)
        size = told if exact else wanted
        if told > most and (exact or size is None):
            raise ValueError(f"{told} bytes, where {most} are allowed")
        if size is None or (exact and size < _SMALL):
            return stage.decode(data)
        out = np.empty(size, np.uint8)
        stage.decode(data, out)
        return out
    if name == "gzip":
        with gzip.GzipFile(fileobj=BytesIO(data.data)) as file:
            return _drained(file.read, most)
    if name in _STREAMS:
        stream = _STREAMS[name](stage, most)
        decoded = stream.decompress(data, most + 1)
        if not stream.eof:
            raise ValueError(f"it is truncated, or holds more than {most} bytes")
        return decoded
    if name in _GROWING and wanted is None and data.size * GROWTH > most:
        raise ValueError(f"{data.size} bytes, where {most} are allowed")
    if name in CHECKSUMS:
        return stage.decode(data)
    with np.errstate(all="ignore"):
        return stage.decode(data)


def _drained(read: Callable[[int], bytes], most: int) -> bytes:
    """Read a file that is decompressed on the way, to its end or a byte too far."""
    parts: list[bytes] = []
    left = most + 1
    while part := read(min(left, 2**20)):
        parts.append(part)
        left -= len(part)
    if not left:
        raise ValueError(f"it holds more than {most} bytes")
    return b"".join(parts)


def _lzma(stage: Any, most: int) -> lzma.LZMADecompressor:
    if stage.format == lzma.FORMAT_RAW:
        return lzma.LZMADecompressor(stage.format, filters=stage.filters)
    return lzma.LZMADecompressor(stage.format, memlimit=max(most, 2**27))


_STREAMS: Final[Mapping[str, Callable[[Any, int], Any]]] = {
    "bz2": lambda _, __: bz2.BZ2Decompressor(),
    "lzma": _lzma,
    "zlib": lambda _, __: zlib.decompressobj(),
}


def _blosc_size(data: memoryview) -> tuple[int, bool]:
    """Read the header of Blosc, which trusts it: the length of the data has to be right."""
    _, told, _, length = unpack_from("<4I", data)
    if length != len(data):
        raise ValueError("it is truncated")
    return told, True


def _zstd_size(data: memoryview) -> tuple[int, bool]:
    """Add up what the frames of Zstandard hold (RFC 8878): bytes, and whether exactly.

    A frame need not tell; it holds no more than its blocks can.
    """
    at, total, exact = 0, 0, True
    while at < len(data):
        magic, size = unpack_from("<2I", data, at)
        if magic & ~0xF == 0x184D2A50:  # skippable
            at += 8 + size
            continue
        if magic != 0xFD2FB528:
            raise ValueError("no Zstandard frame")
        single, flag = data[at + 4] >> 5 & 1, data[at + 4] >> 6
        start = at + 6 - single + (0, 1, 2, 4)[data[at + 4] & 3]
        width = (single, 2, 4, 8)[flag]
        told = int.from_bytes(data[start : start + width], "little") + 256 * (flag == 1)
        checksum = 4 * (data[at + 4] >> 2 & 1)
        at, blocks, last = start + width, 0, 0
        while not last:
            (head,) = unpack_from("<I", bytes(data[at : at + 3]) + b"\0")
            last, kind, size = head & 1, head >> 1 & 3, head >> 3
            at += 3 + (1 if kind == 1 else size)
            blocks += size if kind < 2 else 2**17
        at += checksum
        total += told if width else blocks
        exact = exact and bool(width)
    if at != len(data):
        raise ValueError("it is truncated")
    return total, exact


_TOLD: Final[Mapping[str, Callable[[memoryview], tuple[int, bool]]]] = {
    "blosc": _blosc_size,
    "lz4": lambda data: (unpack_from("<I", data)[0], True),
    "zstd": _zstd_size,
}
