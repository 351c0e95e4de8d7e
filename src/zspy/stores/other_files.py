"""Files that are no .zspy files are called what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from ..documents.pointers import damaged
from ..values.errors import FormatError

CONVERT: Final = "zspy convert makes a .zspy file of what HyperSpy opens"
_UNPACK: Final = "unpack it first"
LOOKED_AT: Final = 2**9
"""Bytes at the start of a file, which tell its kind, or that it is a pointer to another."""


class Kind(NamedTuple):
    """A kind of file, told by some bytes in it, and what to do with it."""

    magic: bytes
    words: str
    remedy: str
    start: int = 0
    """Where the bytes stand."""


KINDS: Final = (
    Kind(b"\x89HDF\r\n\x1a\n", "an HDF5 file", CONVERT),
    *(
        Kind(magic, "a TIFF file", CONVERT)
        for magic in (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")
    ),
    Kind(b"\x1f\x8b", "a gzip file", _UNPACK),
    Kind(b"BZh", "a bzip2 file", _UNPACK),
    Kind(b"\xfd7zXZ", "an xz file", _UNPACK),
    Kind(b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    Kind(b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    Kind(b"Rar!", "a RAR archive", _UNPACK),
    Kind(b"ustar", "a tar archive", _UNPACK, start=257),
    Kind(b"<", "a page of a web server, or XML", "download the file itself"),
)


def refusal(path: Path) -> FormatError:
    """Make the error of what lies at a path and is no .zspy file."""
    if not path.is_file():
        return FormatError("neither a file nor a folder", str(path), "name a file")
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    if not start:
        remedy = "copy it once more, or write it"
        return FormatError("an empty file, and no .zspy file", str(path), remedy)
    return refusal_of(start, str(path))


def refusal_of(start: bytes, where: str) -> FormatError:
    """Make the error of a file that begins with some bytes and is no .zspy file."""
    kind, remedy = "a file of another format", CONVERT
    for one in KINDS:
        if start.startswith(one.magic, one.start):
            kind, remedy = one.words, one.remedy
    return damaged(f"{kind}, and no .zspy file", where, start, remedy)


def is_other(start: bytes) -> bool:
    """Tell a file of another format by the bytes with which it begins."""
    return any(start.startswith(one.magic, one.start) for one in KINDS)
