"""The chain of codecs of an array: what its chunks pass through, and how that is undone."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ..values.errors import FormatError
from ..values.types import (
    Compressor,
    DType,
    NumPyArray,
    Pieces,
    ZarrFormat,
    is_array,
)
from .bounded import Bound
from .codecs import Codec, cell_codec, row_of
from .crc32c import CRC32CCodec
from .limits import HOLDER, Budget
from .pointers import damaged

_BYTE: Final = np.dtype("u1")
_COMPUTED: Final = 8  # bytes of a number that is computed with
_START: Final = 99  # bytes that tell a pointer


class Stage(NamedTuple):
    """A codec with its row of the table, and the dtype of what it takes; None for cells."""

    codec: Compressor
    row: Codec
    dtype: DType | None

    def encoded_dtype(self) -> DType:
        """Give the dtype of what the codec makes: bytes, or numbers."""
        row = self.row
        if self.dtype is None or row.gives == "bytes" or row.encoded_size:
            return _BYTE
        return self._dtype_of_setting(row.encoded_setting)

    def encoded_size(self, size: int | None) -> int | None:
        """Give the number of bytes that it makes of so many, where their values don't matter."""
        row = self.row
        if size is None:
            return None
        if row.encoded_size is not None:
            return row.encoded_size(size)
        if self.dtype is None or row.gives == "bytes":
            return None
        return size // self.taken_dtype().itemsize * self.encoded_dtype().itemsize

    def taken_dtype(self) -> DType:
        """Give the dtype of the numbers that the codec takes."""
        return self._dtype_of_setting(self.row.dtype_setting)

    def _dtype_of_setting(self, setting: str) -> DType:
        """Give the dtype that a setting of the codec names, or that of what it takes."""
        told: Any = getattr(self.codec, setting) if setting else self.dtype
        dtype: DType = np.dtype(told)
        return dtype

    def takes_numbers(self) -> bool:
        """Tell whether the codec has to know the dtype of what it encodes."""
        is_number = self.dtype is not None and self.dtype.kind in "biufc"
        return is_number and self.row.takes == "numbers"

    def fits(self, zarr_format: ZarrFormat) -> bool:
        """Tell whether it takes the numbers that it is given for what they are.

        In format 2 it may take their bits as integers. Format 3 has no byte order between codecs:
        zarr-python turns bytes around, and casts, where two of them do not fit.
        """
        given, taken = self.dtype, self.taken_dtype()
        if given is None or not self.takes_numbers():
            return True
        if self.row.dtypes and given.str not in self.row.dtypes:
            return False
        if zarr_format == 3:
            return taken == given and self.encoded_dtype().str[0] != ">"
        are_bits = taken.kind in "iu" and taken.itemsize == given.itemsize
        return taken == given or are_bits

    def encode(self, values: Any) -> Any:
        """Encode bytes, or an array of one dimension."""
        if is_array(values):
            plain = f"V{values.itemsize}"  # Not every dtype has a buffer.
            dtype: Any = self.dtype if self.takes_numbers() else plain
            values = values.view(dtype)
        return self.codec.encode(values)

    def decode(self, data: NumPyArray, size: int | None, limit: int) -> NumPyArray:
        """Undo `encode`: to `size` bytes, or to at most `limit` where it is None."""
        most = limit if size is None else size
        growth = self.row.growth
        if growth and size is None and data.size * growth > most:
            raise ValueError(f"{data.size} bytes, where {most} are allowed")
        decoded = self.row.decode(self.codec, data, Bound(size, most, self.dtype))
        return np.frombuffer(decoded, np.uint8)


def stages_of(
    codecs: Iterable[Compressor], dtype: DType | None
) -> tuple[Stage, ...]:
    """Give the stages of a chain of codecs, the first of which takes elements of a dtype."""
    stages: list[Stage] = []
    for codec in codecs:
        stage = Stage(codec, row_of(codec.codec_id), dtype)
        stages.append(stage)
        dtype = stage.encoded_dtype()
    return tuple(stages)


def passed_size(stages: Iterable[Stage], size: int | None) -> int:
    """Give how many bytes the codecs of a chunk of some size take, as far as that is known.

    Those that compute do so in numbers of eight bytes.
    """
    total = 0
    for stage in stages:
        if size is None:
            break
        encoded = stage.encoded_size(size)
        taken = max(size, encoded or 0)
        if stage.row.dtype_setting:
            taken = max(taken, size // stage.taken_dtype().itemsize * _COMPUTED)
        total += taken
        size = encoded
    return total


def encode_stages(stages: Sequence[Stage], values: Any) -> Pieces:
    """Encode bytes, or an array of one dimension, to pieces that lie one behind the other.

    A checksum is a piece of its own: to put it beside what it belongs to would take a copy.
    """
    last = stages[-1].codec if stages else None
    checked = last.checked if isinstance(last, CRC32CCodec) else None
    for stage in stages if checked is None else stages[:-1]:
        values = stage.encode(values)
    data = values if isinstance(values, bytes) else np.asarray(values).tobytes()
    return [data] if checked is None else [data, checked(data)]


def decode_stages(
    stages: Sequence[Stage], data: bytes, size: int | None, limit: int, where: str
) -> NumPyArray:
    """Undo codecs, the last one first: to `size` bytes, or to at most `limit` where it is None."""
    sizes = [size]
    for stage in stages:
        sizes.append(stage.encoded_size(sizes[-1]))
    flat = np.frombuffer(data, np.uint8)
    for stage in reversed(stages):
        _check_size(flat, sizes.pop(), where)
        try:
            flat = stage.decode(flat, sizes[-1], limit)
        except Exception as error:  # Codecs raise whatever they like.
            raise _undecoded(stage.row.id, error, where, data) from error
    _check_size(flat, size, where)
    return flat


def _check_size(flat: NumPyArray, wanted: int | None, where: str) -> None:
    if wanted not in (None, flat.size):
        problem = f"a chunk of {flat.size} bytes where {wanted} belong"
        raise damaged(problem, where, flat[:_START].tobytes())


def takes(codec: Compressor, dtype: DType | None) -> bool:
    """Tell whether a codec takes the elements of a dtype; None: the bytes of cells."""
    row = row_of(codec.codec_id)
    if row.dtypes and dtype is not None and dtype.str not in row.dtypes:
        return False
    return row.takes == "bytes" or Stage(codec, row, dtype).takes_numbers()


def decode_cells(
    data: NumPyArray,
    name: str,
    size: int,
    budget: Budget,
    where: str,
    stored: int = 0,
) -> NumPyArray | tuple[NumPyArray, NumPyArray]:
    """Decode the cells of a chunk: give an object array of `size` cells, one-dimensional.

    Cells of a dtype are given end to end, with where they end.
    """
    codec = cell_codec(name)
    taken = data.size * codec.growth + codec.holders(data) * HOLDER
    budget.spend(taken, lambda: where, lambda: stored)
    try:
        return codec.decode(data, size, name)
    except Exception as error:  # Codecs raise whatever they like.
        start = data[:_START].tobytes()
        raise _undecoded(name, error, where, start) from error


def _undecoded(
    name: str, error: Exception, where: str, start: bytes
) -> FormatError:
    """Say why a codec does not decode a chunk that begins so."""
    said = "it is truncated" if isinstance(error, struct.error) else error
    problem = f"a chunk that {name} cannot decode ({said})"
    return damaged(problem, where, start)
