"""What reading a file may take: limits, and the budget that arrays spend of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..values.errors import EncodeError, FormatError, expect, taking
from ..values.types import DType

CELL: Final = 128
"""Bytes that a cell of an object array takes in memory, besides what it holds."""

HOLDER: Final = 112
"""Bytes that an empty list or object takes, while it is looked at for others in it as well."""

LOOKUP: Final = 2**13
"""Bytes of memory for which a chunk may be looked up, so that its time is bounded as well."""
_STORED: Final = 8
"""Bytes that are stored of a chunk at the least, where there are very many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What reading a file may take: a file that asks for more is refused.

    Parameters
    ----------
    chunk : int
        Bytes of one decoded chunk; by default 2 GiB, more than any compressor of the format takes.
    array : int
        Bytes of one array that is read whole; by default 256 GiB. Lazy arrays have any size.
    memory : int
        Bytes that the arrays of a file may take whatever is stored; by default 256 MiB. As many
        for its documents.
    expansion : int
        Bytes that they may take besides, for each byte of their chunks that is stored; by default
        32,768, which is what Zstandard makes of zeros.
    nodes : int
        Number of groups and arrays; by default 262,144.
    depth : int
        Levels of groups; by default 4,096.
    document : int
        Bytes of the document, or of the attributes, of one node; by default 64 MiB.

    Examples
    --------
    >>> Limits(array=2**20).array
    1048576
    """

    chunk: int = 2**31
    array: int = 2**38
    memory: int = 2**28
    expansion: int = 2**15
    nodes: int = 2**18
    depth: int = 2**12
    document: int = 2**26

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value: Any = getattr(self, name)
            where = f"limits.{name}"
            expect(value, int, "limit", where, "use an integer")
            with taking(where):
                if value < 0:
                    raise EncodeError(
                        f"{value} is no limit", where, "use 0 or more"
                    )


def _nothing(*_: object) -> int:
    return 0


class Budget:
    """Bytes that the arrays of a file may still take, and what it lacks.

    Parameters
    ----------
    limits : Limits
    bytes_later : callable
        Told the path and the dtype of an array, gives the bytes that an element takes besides,
        when what was read is decoded.
    """

    def __init__(
        self,
        limits: Limits,
        bytes_later: Callable[[str, DType], int] = _nothing,
    ) -> None:
        expect(limits, Limits, "limit", "limits", "use zspy.Limits(array=2**40)")
        self.limits = limits
        self.bytes_later = bytes_later
        self.left: int = limits.memory
        self.lookups: int = limits.memory // LOOKUP
        self.missing: dict[str, int] = {}
        """How many chunks an array lacks that were written, by its path."""
        self.lost: dict[str, int] = {}
        """How many documents a signal lacks that were written, by the path of its group."""

    def spend(
        self,
        size: int,
        where: Callable[[], str],
        stored: Callable[[], int] = _nothing,
        expansion: int = 0,
    ) -> None:
        """Take bytes from what is left; where it is too little, what is stored brings more.

        A byte brings those of the limits, or so many for what does not grow as far as chunks do.
        """
        if size > self.left:
            self.left += stored() * (expansion or self.limits.expansion)
        if size > self.left:
            problem = f"it takes {size} bytes of memory, and hardly anything of that is stored"
            raise FormatError(
                problem, where(), "read it lazily, or raise the limits"
            )
        self.left -= size

    def look_up(
        self, count: int, where: Callable[[], str], stored: Callable[[], int]
    ) -> None:
        """Take chunks that are looked up; what is stored of them brings more, but not so many."""
        if count > self.lookups:
            self.lookups += stored() // _STORED
        if count > self.lookups:
            problem = (
                f"it has {count} chunks, and hardly anything of that is stored"
            )
            raise FormatError(
                problem, where(), "read it lazily, or raise the limits"
            )
        self.lookups -= count


LIMITS: Final = Limits()
RAISE_LIMITS: Final = "raise the limits if you trust the file"
