"""Decoding in bounded memory: how much a chunk may decode to is known before, or checked.

Each codec has one of these functions. It is given the codec, the data, and the `Bound` of what that
may decode to.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from struct import unpack_from
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from ..values.types import DType, NumPyArray


class Bound(NamedTuple):
    """How much data may decode to: `size` bytes, or `most` where that is not known, of a dtype."""

    size: int | None
    most: int
    dtype: DType | None


Decoder: TypeAlias = Callable[[Any, NumPyArray, Bound], Any]
SizeOf: TypeAlias = Callable[[memoryview], tuple[int, bool]]
Stream: TypeAlias = Callable[[Any, int], Any]
GROWTH: Final = 32
"""Bytes that a filter, or a document of cells, makes of one at the most."""
_PIECE: Final = 2**16  # bytes of a stream that are decoded at a time
# Copying so few bytes takes less time than making a buffer for them.
_SMALL_COPY: Final = 2**12
_ZSTD_BLOCK: Final = 2**17  # bytes that a block of Zstandard holds at most


def decode_plain(codec: Any, data: NumPyArray, _: Bound) -> Any:
    """Decode what cannot grow."""
    return codec.decode(data)


def decode_numbers(codec: Any, data: NumPyArray, _: Bound) -> Any:
    """Decode what cannot grow; numbers may overflow."""
    with np.errstate(all="ignore"):
        return codec.decode(data)


def decode_into(codec: Any, data: NumPyArray, bound: Bound) -> Any:
    """Decode numbers into an array of the size that is known.

    A codec that has fewer should raise; where it does not, the rest is zeros, and never what was
    in memory before.
    """
    if bound.size is None or bound.dtype is None:
        raise ValueError("it does not say how much it holds")
    out = np.zeros(bound.size // bound.dtype.itemsize, bound.dtype)
    codec.decode(data, out)
    return out


def decode_sized(
    size_of: SizeOf, undo: Callable[..., Any] | None = None
) -> Decoder:
    """Make the decoder of a codec whose data says how many bytes it holds, and whether exactly.

    A function that does not need the settings of the codec may undo it.
    """

    def decode(codec: Any, data: NumPyArray, bound: Bound) -> Any:
        told, exact = size_of(data.data)
        size = told if exact else bound.size
        if told > bound.most and (exact or size is None):
            raise ValueError(f"{told} bytes, where {bound.most} are allowed")
        decompress = undo or codec.decode
        if size is None or (exact and size < _SMALL_COPY):
            return decompress(data)
        out = np.empty(size, np.uint8)
        decompress(data, out)
        return out

    return decode


def decode_stream(
    opened: Stream, slack: int = 2**16, *, several: bool = False
) -> Decoder:
    """Make the decoder of a codec whose data is one stream, or several one behind the other.

    What it reads ahead of the bytes that it makes of it, a block at the most, is `slack`.
    """

    def decode(codec: Any, data: NumPyArray, bound: Bound) -> bytearray:
        # It grows where it lies: to join parts would take a chunk twice.
        decoded = bytearray()
        stream = opened(codec, bound.most)
        for start in range(0, len(data), _PIECE):
            if stream.eof and not several:
                break
            check_progress(start, len(decoded), slack)
            piece = data[start : start + _PIECE].tobytes()
            while piece and len(decoded) <= bound.most:
                if stream.eof:
                    # Zeros may fill up what is behind a stream.
                    piece = piece.lstrip(b"\0")
                    if not piece:
                        break
                    stream = opened(codec, bound.most)
                decoded += stream.decompress(piece, bound.most + 1 - len(decoded))
                piece = stream.unused_data if several and stream.eof else b""
        if len(decoded) > bound.most or not stream.eof:
            raise ValueError(
                f"it is truncated, or holds more than {bound.most} bytes"
            )
        return decoded

    return decode


def check_progress(taken: int, made: int, slack: int = 2**16) -> None:
    """Refuse data of which hardly anything is made: no codec makes its input much larger.

    It may have blocks, or streams, of nothing, each of which takes a time.
    """
    if taken > made + made // 16 + slack:
        raise ValueError(f"{taken} bytes of it hold {made} bytes")


def lzma_stream(codec: Any, most: int) -> Any:
    """Open a stream of LZMA."""
    if codec.format == lzma.FORMAT_RAW:
        return lzma.LZMADecompressor(codec.format, filters=codec.filters)
    return lzma.LZMADecompressor(codec.format, memlimit=max(most, 2**27))


def lz4_size(data: memoryview) -> tuple[int, bool]:
    """Read what numcodecs puts before LZ4."""
    return unpack_from("<I", data)[0], True


def blosc_size(data: memoryview) -> tuple[int, bool]:
    """Read the header of Blosc, which trusts it: the length of the data has to be right."""
    _, told, _, length = unpack_from("<4I", data)
    if length != len(data):
        raise ValueError("it is truncated")
    return told, True


def _zstd_header(data: memoryview, at: int) -> tuple[int, int | None, int]:
    """Give where the blocks of a frame begin, the size that it tells, and that of its checksum."""
    descriptor = data[at + 4]
    has_one_segment = descriptor >> 5 & 1
    size_flag = descriptor >> 6
    has_checksum = descriptor >> 2 & 1
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    size_bytes = (has_one_segment, 2, 4, 8)[size_flag]
    # Behind the magic number and the descriptor: the window, unless there is one segment.
    start = at + 6 - has_one_segment + dictionary_bytes
    stop = start + size_bytes
    told = int.from_bytes(data[start:stop], "little")
    if size_flag == 1:
        told += 256
    return stop, told if size_bytes else None, 4 * has_checksum


def _zstd_blocks(data: memoryview, at: int, before: int) -> tuple[int, int]:
    """Give where the blocks of a frame end, and how many bytes they can hold at most."""
    most = 0
    is_last = 0
    while not is_last:
        (head,) = unpack_from("<I", bytes(data[at : at + 3]) + b"\0")
        is_last = head & 1
        kind = head >> 1 & 3
        size = head >> 3
        is_repeated = kind == 1  # of one byte
        at += 3 + (1 if is_repeated else size)
        most += size if kind < 2 else _ZSTD_BLOCK
        check_progress(at, before + most)
    return at, most


def zstd_size(data: memoryview) -> tuple[int, bool]:
    """Add up what the frames of Zstandard hold (RFC 8878): bytes, and whether exactly.

    A frame need not tell; it holds no more than its blocks can.
    """
    at = 0
    total = 0
    exact = True
    while at < len(data):
        check_progress(at, total)
        magic, size = unpack_from("<2I", data, at)
        if magic & ~0xF == 0x184D2A50:  # This frame holds no data.
            at += 8 + size
            continue
        if magic != 0xFD2FB528:
            raise ValueError("no Zstandard frame")
        at, told, checksum = _zstd_header(data, at)
        at, most = _zstd_blocks(data, at, total)
        at += checksum
        total += most if told is None else told
        exact = exact and told is not None
    if at != len(data):
        raise ValueError("it is truncated")
    return total, exact
