"""The dbm.dumb of the standard library, written so that several processes may have it open.

A file of values lies beside an index, which tells where in it each value lies. The standard library
keeps the index in memory, and writes it when a database is closed: whoever opened it before another
process wrote would then put an old index in the place of the new one. Here an index is looked at
again whenever it has changed, and it is written together with the values, under a lock.
"""

from __future__ import annotations

import os
import re
from ast import literal_eval
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from ..values.errors import DAMAGED, FormatError
from .base import allocated_size
from .database import Database, RawItems, alone, files_of, refuse_links
from .folders import NO_LINK, open_itself
from .replace import flush, new_beside, swap

_BLOCK: Final = 512  # bytes, at a multiple of which each value begins
# Bytes that an index may tell of for each that is stored, and besides.
_MOST_COPIES: Final = 8
_BYTES_BESIDES: Final = 2**20
# A line of an index, as the standard library writes it: the `repr` of a key, and its place.
_LINE: Final = re.compile(
    r"""(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"), """
    r"\((?P<start>\d{1,18}), (?P<size>\d{1,18})\)\s*",
    re.ASCII,
)
_Place: TypeAlias = tuple[int, int]  # where a value begins, and its size


def make_dumb(path: Path, mode: int, is_new: bool) -> None:
    """Make the two files of an empty database."""
    data, index = Path(f"{path}.dat"), Path(f"{path}.dir")
    if not is_new and data.exists() and data.stat().st_size:
        problem = "the index of this dbm.dumb is lost: a writer was killed"
        raise FormatError(
            problem, str(path), "rename its .bak to .dir, or remove its .dat"
        )
    if is_new:
        Path(f"{path}.bak").unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | NO_LINK | os.O_TRUNC
    for file in (data, index):
        os.close(os.open(file, flags, mode))


class DumbDatabase(Database):
    """An index as it was when somebody last looked at it."""

    # The index is taken for granted, so that damage shows as one of these.
    failures: tuple[type[Exception], ...] = (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
        ArithmeticError,
        MemoryError,
        RecursionError,
    )
    _seen: object = None

    def open(self) -> None:
        self._data, self._index = Path(f"{self.path}.dat"), Path(f"{self.path}.dir")
        self._look(again=True)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def refresh(self) -> None:
        self._look(again=True)

    def version(self) -> object:
        found = self._index.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _look(self, *, again: bool = False, tries: int = 9) -> None:
        """Read the index, if it is another one than before."""
        version = self.version()  # before it is read, as a later one is read again
        if not again and version == self._seen:
            return
        refuse_links(files_of(self.path))
        try:
            with open(self._index, encoding="latin-1", opener=open_itself) as index:
                self._places: dict[bytes, _Place] = dict(map(_entry, index))
            self._refuse_copies()
        except self.failures:
            if not tries or self.version() == version:
                raise
            self._look(tries=tries - 1)  # somebody was just adding a line
        else:
            self._seen = version

    def _refuse_copies(self) -> None:
        """Refuse places that share what is stored; of a file cut off, the rest is read."""
        told = sum(max(size, 0) for _, size in self._places.values())
        if told > _MOST_COPIES * self._data.stat().st_size + _BYTES_BESIDES:
            raise ValueError("many values lie at one place")

    def read(self, key: bytes, part: slice) -> bytes | None:
        while True:
            self._look()
            if key not in self._places:
                return None
            start, size = self._places[key]
            first, last, _ = part.indices(size)
            with open(self._data, "rb", opener=open_itself) as file:
                file.seek(start + first)
                value = file.read(max(last - first, 0))
            if self.version() == self._seen:  # nothing else lies there meanwhile
                return value

    def sizes(self, keys: Iterable[bytes]) -> list[int]:
        self._look()
        with open(self._data, "rb", opener=open_itself) as file:
            places = (self._places.get(key, (0, 0)) for key in keys)
            return [allocated_size(file.fileno(), *place) for place in places]

    def keys_with(self, prefix: bytes) -> list[bytes]:
        self._look()
        return [key for key in sorted(self._places) if key.startswith(prefix)]

    def write(
        self, gone: Collection[bytes], items: RawItems, together: bool
    ) -> None:
        with (
            alone(self.path),
            open(self._data, "r+b", opener=open_itself) as file,
        ):
            self._look(again=together)
            if together or gone:
                self._replace(file, gone, items)
                return
            for key, value in items:
                self._add(file, key, value)

    def _add(self, file: BinaryIO, key: bytes, value: bytes) -> None:
        """Write a value behind all others. Of two lines of a key in the index, the last counts."""
        start = _blocks(file.seek(0, os.SEEK_END))
        file.truncate(start)
        file.seek(start)
        file.write(value)
        file.flush()
        self._places[key] = start, len(value)
        with open(
            self._index, "a", encoding="latin-1", opener=open_itself
        ) as index:
            index.write(_line(key, self._places[key]))
        self._seen = self.version()

    def _replace(
        self, file: BinaryIO, gone: Collection[bytes], items: RawItems
    ) -> None:
        """Change many values, so that the old ones or the new ones can be read at each moment.

        New values come where no old one lies: between those, or else at the end. Then a new index
        takes the place of the old one, by one renaming.
        """
        size = file.seek(0, os.SEEK_END)
        if any(
            start < 0 or start + length > size
            for start, length in self._places.values()
        ):
            problem = "the index of this dbm.dumb names places that its data lacks"
            raise FormatError(problem, str(self.path), DAMAGED)
        places = {key: self._places[key] for key in self._places.keys() - {*gone}}
        total = sum(_blocks(len(value)) for _, value in items)
        start, end = _free(self._places.values(), total)
        for key, value in items:
            file.seek(start)
            file.write(value)
            places[key] = start, len(value)
            start += _blocks(len(value))
        if start > end:
            file.truncate(start)
        file.flush()
        os.fsync(file.fileno())
        with new_beside(self._index, folder=False) as new:
            with open(
                new, "w", encoding="latin-1", newline="\n", opener=open_itself
            ) as index:
                index.writelines(_line(*item) for item in places.items())
            flush(new)
            swap(new, self._index)
        flush(self.path.parent)
        self._places, self._seen = places, self.version()

    def flush(self) -> None:
        """Bring what was written one by one to the disk, values before what points to them."""
        for file in (self._data, self._index):
            flush(file)


def _entry(line: str) -> tuple[bytes, _Place]:
    """Undo `_line`. Only a key with escapes is parsed as Python, which takes long, and memory."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line[:40]!r} is no line of its index")
    key = found["key"]
    plain: str = literal_eval(key) if "\\" in key else key[1:-1]
    return plain.encode("latin-1"), (int(found["start"]), int(found["size"]))


def _line(key: bytes, place: _Place) -> str:
    return f"{key.decode('latin-1')!r}, {place}\n"


def _free(places: Iterable[_Place], size: int) -> tuple[int, int]:
    """Tell where there is room for so many bytes, and where the last value ends."""
    end, room = 0, None
    for start, length in sorted(places):
        if room is None and start - end >= size:
            room = end
        end = max(end, _blocks(start + length))
    return (end if room is None else room), end


def _blocks(size: int) -> int:
    """Round a size up to what a value takes."""
    return -(-size // _BLOCK) * _BLOCK
