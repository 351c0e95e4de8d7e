"""Pointers to files, which programs of git keep in the place of the files themselves."""

from __future__ import annotations

from typing import Final

from ..values.errors import FormatError

_POINTERS: Final = {
    b"version https://git-lfs.github.com/": ("Git LFS", "git lfs pull"),
    b"/annex/objects/": ("git-annex", "git annex get"),
}


def damaged(
    problem: str, where: str, data: bytes, remedy: str = "restore it from a copy"
) -> FormatError:
    """Make the error of bytes that are not what they should be, or are a pointer to that."""
    for start, (program, command) in _POINTERS.items():
        if data.startswith(start):
            problem = f"a pointer of {program}, and not the file itself"
            remedy = f"get it first: {command}"
    return FormatError(problem, where, remedy)
