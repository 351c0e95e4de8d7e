"""The checksum in plain Python is that of numcodecs."""

from __future__ import annotations

import numcodecs
import numpy as np
import pytest
from hypothesis import given, strategies as st

from zspy.documents.codecs import CRC32C
from zspy.documents.crc32c import CRC32CCodec

PLAIN = CRC32CCodec()


@given(st.binary(max_size=100))
def test_it_is_the_checksum_of_numcodecs(data: bytes) -> None:
    encoded = PLAIN.encode(data)
    assert encoded == bytes(numcodecs.CRC32C(location="end").encode(data)) == CRC32C.encode(data)
    assert PLAIN.decode(encoded) == data == CRC32C.decode(encoded)
    assert PLAIN.get_config() == numcodecs.CRC32C(location="end").get_config()


def test_arrays_are_bytes() -> None:
    array = np.arange(6, dtype="<i2")
    assert PLAIN.encode(array) == PLAIN.encode(array.tobytes())


@pytest.mark.parametrize("data", [b"", b"abc", b"data1234"])
def test_another_checksum_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="the stored and the computed checksum differ"):
        PLAIN.decode(data)
