"""The checksum of Zarr format 3 in plain Python.

numcodecs has it only where google-crc32c is installed, which is some thousand times faster; this
one lets a copy of zspy do without.
"""

from __future__ import annotations

from typing import Any

_POLYNOMIAL = 0x82F63B78  # of Castagnoli, its bits reversed
_ALL_BITS = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
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
    for byte in data:
        checksum = table[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    return checksum ^ _ALL_BITS


class PlainCRC32C:
    """A codec that puts the checksum behind the bytes, as that of numcodecs does."""

    codec_id = "crc32c"

    def encode(self, buf: Any, /) -> bytes:
        """Give the bytes with their checksum."""
        data = memoryview(buf).tobytes()
        return data + crc32c(data).to_bytes(4, "little")

    def decode(self, buf: Any, out: Any = None, /) -> bytes:
        """Give the bytes without their checksum, which has to be theirs."""
        del out
        stored = memoryview(buf).tobytes()
        data = stored[:-4]
        if self.encode(data) != stored:
            raise ValueError("the stored and the computed checksum differ")
        return data

    def get_config(self) -> dict[str, Any]:
        """Say which codec it is, as that of numcodecs does."""
        return {"id": self.codec_id, "location": "end"}
