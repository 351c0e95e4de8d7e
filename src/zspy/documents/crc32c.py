"""The checksum of Zarr format 3, also in plain Python.

numcodecs has it only where google-crc32c is installed, which is some thousand times faster; the one
in plain Python lets a copy of zspy do without. The codec is zspy's own: that of numcodecs
takes four times as long for a small chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..values.types import JSONObject, NumPyArray

# This is the polynomial of Castagnoli with its bits reversed.
_POLYNOMIAL = 0x82F63B78
_ALL_BITS = 0xFFFFFFFF


def crc32c(data: bytes | NumPyArray) -> int:
    """Return the CRC32C of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table: list[int] = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            odd = remainder & 1
            remainder >>= 1
            if odd:
                remainder ^= _POLYNOMIAL
        table.append(remainder)
    checksum = _ALL_BITS
    for byte in bytes(data):
        checksum = table[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    return checksum ^ _ALL_BITS


@dataclass
class CRC32CCodec:
    """A codec that puts the checksum behind the bytes, as that of numcodecs does."""

    codec_id = "crc32c"

    checksum: Callable[[Any], int] = crc32c

    def encode(self, buf: Any, /) -> bytes:
        """Give the bytes with their checksum."""
        data = np.frombuffer(buf, np.uint8)
        return b"".join([data.data, self.checked(data)])

    def checked(self, data: bytes | NumPyArray) -> bytes:
        """Give the checksum of bytes, as it lies behind them."""
        return self.checksum(data).to_bytes(4, "little")

    def decode(self, buf: Any, out: Any = None, /) -> memoryview:
        """Give the bytes without their checksum, which has to be theirs."""
        del out
        stored = np.frombuffer(buf, np.uint8)
        data = stored[:-4]
        if self.checked(data) != stored[-4:].tobytes():
            raise ValueError("the stored and the computed checksum differ")
        return data.data

    def get_config(self) -> JSONObject:
        """Say which codec it is, as that of numcodecs does."""
        return {"id": self.codec_id, "location": "end"}
