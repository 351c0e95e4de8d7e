"""Reads LMDB files without LMDB, and judges their pages before LMDB does.

LMDB opens a second file for writing, even to read, and goes where a file says: where that leads
nowhere, the process ends. What is read here writes nothing and takes no lock.

The layout is that of data version 1, 64 bits wide: a header of 16 bytes on each page, then the
places of its nodes from above, and the nodes from below. Two meta pages, written in turn, have the
roots of two trees: the pages that are free, and what is stored.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias, TypeVar

from .base import allocated_size, read_at
from .database import open_file

# Number, padding, flags, lower and upper end of the gap.
_HEADER: Final = struct.Struct("=QHHHH")
# The same of pages in a row: how many they are.
_SPAN: Final = struct.Struct("=QHHI")
_META: Final = struct.Struct("=IIQQ")  # magic, version, address, size of the map
_TREE: Final = struct.Struct("=IHHQQQQQ")  # page size, flags, depth, counts, root
_END: Final = struct.Struct("=QQ")  # last page, transaction
# Of a leaf: the size of the value in two parts, flags, and the size of the key.
_NODE: Final = struct.Struct("=HHHH")
_BRANCH, _LEAF, _OVERFLOW, _IS_META, _DIRTY = 1, 2, 4, 8, 16
_BIG, _DUPLICATES = 1, 4
_INTEGERS = 8
_ALONE: Final = 0x4000  # a flag of a file that lies in no folder of its own
_NOWHERE: Final = 2**64 - 1
_DEEPEST: Final = 32
_AGAIN: Final = 10
_BUSY: Final = "it is written all the time"
_T = TypeVar("_T")
Span: TypeAlias = tuple[int, int]
"""Where in the file a value begins, and how many bytes it has."""


class DamageError(Exception):
    """What is wrong with an LMDB file."""


class _Meta(NamedTuple):
    """What a meta page says of a state of the file."""

    size: int  # of a page, in bytes
    room: int  # for pages in the file: those at its end that nobody used are not there
    last: int  # number of a page
    transaction: int
    # Flags, depth and root of each: of the free pages, and of the records.
    trees: tuple[tuple[int, int, int], tuple[int, int, int]]


def damage(path: Path) -> str | None:
    """Tell what is wrong with the newest state of an LMDB file, or None where nothing is.

    What is written all the time is written by LMDB, which reads it as well.
    """
    try:
        Pages(path).close()
    except DamageError as error:
        return None if str(error) == _BUSY else str(error)
    return None


class Pages:
    """The records of an LMDB file, as they are after its newest transaction.

    LMDB writes no page of a state before the second transaction after it. So what was read is of
    one state if no transaction has ended since that state was looked up.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_file(path)
        self._meta: _Meta | None = None
        self._records: dict[bytes, Span] = {}
        try:
            self.reading(len)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def version(self) -> int:
        """Give the number of the newest transaction."""
        try:
            return _newest(self._file).transaction
        except (ValueError, struct.error) as error:
            raise DamageError(str(error)) from error

    def reading(self, work: Callable[[Mapping[bytes, Span]], _T]) -> _T:
        """Do something with the records, again where another process has changed them meanwhile."""
        for _ in range(_AGAIN):
            meta = None
            try:
                meta = _newest(self._file)
                if meta != self._meta:
                    walk = _Walk(self._file, meta)
                    walk.judge()
                    self._records = walk.records
                    self._meta = meta
                found = work(self._records)
            except (ValueError, struct.error) as error:
                if meta is None or not _is_outdated(self._file, meta):
                    raise DamageError(str(error)) from error
                continue
            if not _is_outdated(self._file, meta):
                return found
        raise DamageError(_BUSY)

    def bytes_at(self, span: Span, part: slice = slice(None)) -> bytes:
        """Read a value, or a part of it."""
        start, size = span
        first, last, _ = part.indices(size)
        wanted = max(last - first, 0)
        data = _read(self._file, wanted, start + first)
        _expect(len(data) == wanted, "a value")
        return data

    def allocated_size(self, span: Span) -> int:
        """Tell how many bytes of a value the disk holds."""
        return allocated_size(self._file.fileno(), *span)


def _is_outdated(file: BinaryIO, meta: _Meta) -> bool:
    try:
        return _newest(file).transaction != meta.transaction
    except (ValueError, struct.error):
        return False


def _expect(fact: bool, what: str) -> None:
    if not fact:
        raise ValueError(f"{what} is damaged")


def _expect_packed(number: int, page: bytes, nodes: Sequence[Span]) -> None:
    """Judge the places and sizes of the nodes of a page: they fill it from the gap to its end.

    LMDB moves as many bytes as a node says that it has when it removes one.
    """
    *_, end = _HEADER.unpack_from(page)
    is_packed = True
    for place, size in sorted(nodes):
        is_packed = is_packed and place == end
        end += size + size % 2
    _expect(is_packed and end == len(page), f"page {number}")


def _read(file: BinaryIO, size: int, start: int) -> bytes:
    return read_at(file.fileno(), size, start)


def _newest(file: BinaryIO) -> _Meta:
    first = _meta(file, 0, 0)
    second = _meta(file, 1, first.size)
    newest = max(first, second, key=lambda meta: meta.transaction)
    _expect(first.size == second.size, "its page size")
    _expect(
        newest is (first, second)[newest.transaction & 1],
        "the number of its transaction",
    )
    return newest


def _meta(file: BinaryIO, number: int, start: int) -> _Meta:
    page = _read(file, 152, start)
    at, _, flags, *_ = _HEADER.unpack_from(page)
    magic, version, *_ = _META.unpack_from(page, 16)
    trees = [_TREE.unpack_from(page, place) for place in (40, 88)]
    last, transaction = _END.unpack_from(page, 136)
    size = trees[0][0]
    room = os.fstat(file.fileno()).st_size // max(size, 1)
    is_sound = (
        at == number and flags & _IS_META and magic == 0xBEEFC0DE and version == 1
    )
    is_sound = is_sound and 256 <= size <= 65536 and size & (size - 1) == 0
    is_sound = is_sound and trees[0][1] & ~_ALONE == _INTEGERS and trees[1][1] == 0
    _expect(is_sound, f"meta page {number}")
    (_, free, depth, *_, root), (_, main, main_depth, *_, main_root) = trees
    return _Meta(
        size,
        room,
        last,
        transaction,
        ((free, depth, root), (main, main_depth, main_root)),
    )


class _Walk:
    """Goes through all pages of a state, each of which may stand in one place only."""

    def __init__(self, file: BinaryIO, meta: _Meta) -> None:
        self.file = file
        self.meta = meta
        self.seen = bytearray(min(meta.room, meta.last + 1))
        self.records: dict[bytes, Span] = {}

    def judge(self) -> None:
        """Raise ValueError where something is wrong."""
        for is_main, (_, depth, root) in enumerate(self.meta.trees):
            _expect(
                depth <= _DEEPEST and (root == _NOWHERE) == (depth == 0),
                "the root of a tree",
            )
            if depth:
                self.tree(root, depth, bool(is_main))

    def tree(self, root: int, depth: int, is_main: bool) -> None:
        """Judge the pages below a page, and the order of their keys."""
        last = b""
        todo = [(root, 1)]
        while todo:
            number, level = todo.pop()
            page, places = self.page(number, _BRANCH if level < depth else _LEAF)
            if level == depth:
                last = self.leaf(number, page, places, is_main, last)
                continue
            _expect(len(places) >= 1 + is_main, f"page {number}")
            nodes: list[Span] = []
            # what is put down last is taken first: the page of the lowest keys
            for place in reversed(places):
                low, high, top, width = _NODE.unpack_from(page, place)
                todo.append((low | high << 16 | top << 32, level + 1))
                nodes.append((place, _NODE.size + width))
            _expect_packed(number, page, nodes)

    def leaf(
        self,
        number: int,
        page: bytes,
        places: tuple[int, ...],
        is_main: bool,
        last: bytes,
    ) -> bytes:
        """Judge the records of a page, and note where they are; give the last key.

        A large value lies in pages of its own, whose number stands in its place. The values of the
        other tree are lists of free pages.
        """
        nodes: list[Span] = []
        for place in places:
            low, high, flags, width = _NODE.unpack_from(page, place)
            start = place + _NODE.size + width
            key = page[place + _NODE.size : start]
            # Numbers, of which the lowest byte is first.
            order = key if is_main else key[::-1]
            size = low | high << 16
            is_big = bool(flags & _BIG)
            end = start + (8 if is_big else size)
            nodes.append((place, end - place))
            is_inside = end <= len(page)
            has_key = width > 0 and (is_main or width == 8)
            is_sound = is_inside and has_key and not flags & _DUPLICATES
            _expect(is_sound and last < order, f"page {number}")
            last = order
            begin = number * len(page) + start
            if is_big:
                (at,) = struct.unpack_from("=Q", page, start)
                self.span(at, size)
                begin = at * len(page) + _HEADER.size
            if is_main:
                self.records[key] = begin, size
            else:
                self.free(_read(self.file, size, begin))
        _expect_packed(number, page, nodes)
        return last

    def page(self, number: int, kind: int) -> tuple[bytes, tuple[int, ...]]:
        """Give a page of a tree, and the places of its nodes."""
        self.take(number, 1)
        size = self.meta.size
        page = _read(self.file, size, number * size)
        at, _, flags, lower, upper = _HEADER.unpack_from(page)
        count = (lower - _HEADER.size) // 2
        is_sound = at == number and flags & ~_DIRTY == kind and count > 0
        _expect(is_sound and lower <= upper <= size, f"page {number}")
        places = struct.unpack_from(f"={count}H", page, _HEADER.size)
        _expect(
            upper <= min(places) and max(places) <= size - _NODE.size,
            f"page {number}",
        )
        return page, places

    def span(self, number: int, size: int) -> None:
        """Judge the pages in a row that hold a value of some bytes."""
        width = self.meta.size
        self.take(number, 1)
        at, _, flags, count = _SPAN.unpack_from(
            _read(self.file, 16, number * width)
        )
        is_sound = (
            at == number
            and flags & ~_DIRTY == _OVERFLOW
            and count * width >= size + 16
        )
        _expect(is_sound, f"page {number}")
        if count > 1:
            self.take(number + 1, count - 1)

    def free(self, data: bytes) -> None:
        """Judge a list of pages that are free: how many, and their numbers."""
        _expect(len(data) >= 8 and len(data) % 8 == 0, "a list of free pages")
        count, *numbers = struct.unpack(f"={len(data) // 8}Q", data)
        _expect(count <= len(numbers), "a list of free pages")
        for number in numbers[:count]:
            _expect(1 < number <= self.meta.last, "a list of free pages")
            if number < len(self.seen):
                self.take(number, 1)

    def take(self, number: int, count: int) -> None:
        """Note pages, which nothing else may have."""
        end = number + count
        _expect(number > 1 and end <= self.meta.last + 1, f"page {number}")
        if end > len(self.seen):
            raise ValueError("it is cut short")
        _expect(not any(self.seen[number:end]), f"page {number}")
        self.seen[number:end] = b"\1" * count
