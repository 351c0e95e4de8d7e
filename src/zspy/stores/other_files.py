"""Files that are no .zspy files are called what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..documents.pointers import damaged
from ..values.errors import FormatError

CONVERT: Final = "zspy convert makes a .zspy file of what HyperSpy opens"
_UNPACK: Final = "unpack it first"
KINDS: Final[dict[bytes, tuple[str, str]]] = {
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", CONVERT),
    **dict.fromkeys(
        (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"), ("a TIFF file", CONVERT)
    ),
    b"\x1f\x8b": ("a gzip file", _UNPACK),
    b"BZh": ("a bzip2 file", _UNPACK),
    b"\xfd7zXZ": ("an xz file", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("a zstd file", _UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"Rar!": ("a RAR archive", _UNPACK),
    b"ustar": ("a tar archive", _UNPACK),
    b"<": ("a page of a web server, or XML", "download the file itself"),
}
"""What a file is that has these bytes, and what to do with it."""
PLACES: Final[dict[bytes, int]] = {b"ustar": 257}
"""Where they stand, if not at the start."""
_LOOKED_AT: Final = max(PLACES.values()) + max(map(len, KINDS))


def refusal(path: Path) -> FormatError:
    """Make the error of what lies at a path and is no .zspy file."""
    if not path.is_file():
        return FormatError("neither a file nor a folder", str(path), "name a file")
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    kind, remedy = "a file of another format", CONVERT
    for magic, told in KINDS.items():
        if start.startswith(magic, PLACES.get(magic, 0)):
            kind, remedy = told
    if not start:
        kind, remedy = "an empty file", "copy it once more, or write it"
    return damaged(f"{kind}, and no .zspy file", str(path), start, remedy)
