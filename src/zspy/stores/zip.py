"""Zip files: read by position, and written anew as a whole. What is kept is copied as it is."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import struct
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from ..documents.source import NODES, Listed
from ..values.errors import DAMAGED, EncodeError, FormatError, unreadable
from ..values.root import EXPERIMENTS
from .base import (
    REPLACED,
    Moves,
    Opened,
    Pairs,
    Replacing,
    Sink,
    allocated_size,
    is_safe,
    keys_below,
    limited,
    read_at,
    spread,
)
from .folders import open_itself
from .replace import replacing_path

_ENTRY: Final = b"PK\1\2"
HEADER: Final = b"PK\3\4"
# A header, with the sizes of two texts behind it.
_LOCAL: Final = struct.Struct("<4s22xHH")
CUT_OFF: Final = "it may be cut off: copy it once more"
_ENCRYPTED: Final = 1  # bits of the flags of an entry
_UTF8: Final = 0x800
_LONGEST_NAME: Final = 2**16 - 1  # bytes of a name
# What systems add to a folder, which is nobody's.
_ADDED: Final = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_BLOCK: Final = 2**24  # bytes that are copied at a time
_LZMA_MEMORY: Final = 2**28  # bytes that unpacking may take besides
# Bytes of an entry that is unpacked once for all of its parts.
_CACHED: Final = 2**27


def recognise(path: Path) -> bool:
    """Tell a zip file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == HEADER or zipfile.is_zipfile(file)


def opened(path: Path) -> Opened:
    """Open a zip file."""
    return innermost(Zip(path))


def replacing(path: Path, sync: bool, *_: object) -> Replacing:
    """Replace a path by a zip file."""
    return replacing_path(path, ZipSink, folder=False, sync=sync)


class Zip(Opened):
    """The documents in a zip file. Names that are absolute or leave the file are not there."""

    def __init__(self, path: str | Path, identity: int | None = None) -> None:
        self.root: str = os.path.abspath(path)
        try:
            file = open(self.root, "rb")  # noqa: SIM115 - it ends with this
        except OSError as error:
            raise unreadable(error, "it cannot be opened", self.root) from error
        weakref.finalize(self, file.close)
        self._index(file, self.root)
        found = os.fstat(file.fileno())
        self._size, self._identity = found.st_size, found.st_ino
        if identity not in (None, self._identity):
            raise FormatError(REPLACED, self.root, "open it again")

    def _index(self, file: Any, where: str, shift: int = 0) -> None:
        """Find the entries. With a shift, the file has only the end of the zip."""
        self.file = file
        self._last: tuple[int, bytes] = (-1, b"")
        self._starts: dict[int, int] = {}
        archive = _archive_in(file, where)
        self.comment: bytes = archive.comment
        self.all: list[zipfile.ZipInfo] = sorted(
            archive.infolist(), key=attrgetter("header_offset")
        )
        for info in self.all:
            info.header_offset += shift
        starts = [info.header_offset for info in self.all]
        self.ends: dict[int, int] = dict(
            pairwise([*starts, archive.start_dir + shift])
        )
        infos = _last_of_each_name(archive)
        safe = {key: info for key, info in infos.items() if is_safe(key)}
        folder = _folder_around(safe, where)
        inside = {
            key[len(folder) :]: info
            for key, info in safe.items()
            if key.startswith(folder)
        }
        _refuse_foreign_names(infos, safe, inside, where)
        # What lies beside that folder stays where the file is written anew.
        beside = {
            key: safe[key] for key in safe if folder and _is_beside(key, folder)
        }
        self.infos: dict[str, zipfile.ZipInfo] = beside | inside
        self.keys_at: dict[int, str] = {
            info.header_offset: key for key, info in self.infos.items()
        }

    def __reduce__(self) -> tuple[type[Zip], tuple[Any, ...]]:
        return Zip, (self.root, self._identity)

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        info = self.infos[key]
        start, stop, _ = part.indices(limited(info.file_size, key))
        with _telling(key):
            return self._content(info, start, max(start, stop))

    def _content(self, info: zipfile.ZipInfo, start: int, stop: int) -> bytes:
        """Read a part of an entry; the checksum is that of the whole one."""
        # An entry that is read in parts, as a zip in this one is, has one header.
        at = self._starts.get(info.header_offset) or self.start_of(info)
        self._starts[info.header_offset] = at
        size = info.file_size
        is_part = (start, stop) != (0, size)
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size == size:
            data = self.bytes_at(at + start, stop - start)
            if not is_part and zlib.crc32(data) != info.CRC:
                raise zipfile.BadZipFile("Bad CRC-32")
        elif is_part and size <= _CACHED:
            data = self._unpacked(info)[start:stop]
        elif start:
            problem = (
                f"a part of {size} bytes that the zip has compressed once more"
            )
            remedy = "unpack it, or zip it without compression"
            raise FormatError(problem, info.filename, remedy)
        else:
            data = _inflated(self.bytes_at(at, info.compress_size), info, stop)
        if len(data) != stop - start:
            raise zipfile.BadZipFile("it has another size than the zip says")
        return data

    def _unpacked(self, info: zipfile.ZipInfo) -> bytes:
        """Unpack an entry, unless it was the last one: a shard is read in thousands of parts."""
        at, data = self._last
        if at != info.header_offset:
            data = self._content(info, 0, info.file_size)
            self._last = info.header_offset, data
        return data

    def start_of(self, info: zipfile.ZipInfo) -> int:
        """Find where the content of an entry begins, behind a header that has its name too."""
        if info.flag_bits & _ENCRYPTED:
            remedy = "unpack it first"
            raise FormatError("the entry is encrypted", info.filename, remedy)
        wanted = _LOCAL.size + len(info.orig_filename)
        header = self.bytes_at(info.header_offset, wanted)
        if not header.startswith(HEADER):
            raise zipfile.BadZipFile("it has no header")
        _, length, extra = _LOCAL.unpack_from(header)
        at: int = info.header_offset + _LOCAL.size
        encoding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
        stored = header[_LOCAL.size :]
        if len(stored) != length:  # it is no plain name, or another one
            stored = self.bytes_at(at, length)
        name = stored.decode(encoding)
        if name != info.orig_filename:
            raise zipfile.BadZipFile(
                f"its name in directory and header differ: {name!r}"
            )
        at += length + extra
        if at + info.compress_size > self.ends[info.header_offset]:
            raise zipfile.BadZipFile("it overlaps another one")
        return at

    def below(self, folder: str) -> Iterable[str]:
        return keys_below(self._keys, folder)

    @cached_property
    def _keys(self) -> list[str]:
        """The keys in order: thousands of arrays may each ask for those below them."""
        return sorted(self.infos)

    def bytes_at(self, start: int, size: int) -> bytes:
        """Read a part of the file."""
        if self.file.closed:
            raise ValueError("the zip was already closed")
        size = max(min(size, self._size - start), 0)
        return read_at(self.file.fileno(), size, start)

    def size(self, keys: Iterable[str]) -> int:
        infos = (self.infos[key] for key in keys if key in self.infos)
        return sum(
            self._allocated_size(info.header_offset, info.compress_size)
            for info in infos
        )

    def _allocated_size(self, start: int, size: int) -> int:
        try:
            return allocated_size(self.file.fileno(), start, size)
        except io.UnsupportedOperation:  # it is in no file of the system
            return size

    def sizes(self) -> Iterator[tuple[str, int]]:
        return ((key, info.file_size) for key, info in self.infos.items())

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes; see whether what nobody reads is called so."""
        nodes = super().nodes()
        parts = [self.infos[key].filename.rpartition("/") for key in nodes]
        with_attributes = {folder for folder, _, name in parts if name in NODES}
        for info in self.all:
            folder, _, name = info.filename.rpartition("/")
            is_told = name == ".zattrs" and folder in with_attributes
            known = is_told or name in NODES or name.replace(".", "").isdigit()
            if not known or info.header_offset not in self.keys_at:
                with _telling(info.filename):
                    self.start_of(info)  # which compares the names at both places
        return nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self.infos)

    def close(self) -> None:
        self.file.close()


class Window(io.RawIOBase):
    """What is read by position, as a file: its end is what the module zipfile reads."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size, self._at = read, size, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._read(self._at, min(len(buffer), self._size - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class InnerZip(Zip):
    """The documents in a zip that is all there is in another one, and is read where it lies."""

    is_only_read = True

    def __init__(self, outer: Zip, key: str) -> None:
        self._outer, self._key = outer, key
        self.root: str = outer.root
        size = limited(outer.infos[key].file_size, key)
        self.bytes_at(size - 1, 1)  # or it is told that this cannot be read
        self._index(Window(self.bytes_at, size), key)

    def __reduce__(self) -> tuple[type[InnerZip], tuple[Any, ...]]:
        return InnerZip, (self._outer, self._key)

    def bytes_at(self, start: int, size: int) -> bytes:
        begin = max(start, 0)
        return self._outer.read(self._key, slice(begin, begin + size))

    def _allocated_size(self, start: int, size: int) -> int:  # noqa: ARG002
        around = self._outer.infos[self._key].file_size
        return size * self._outer.size([self._key]) // around

    def is_replaced(self) -> bool:
        return self._outer.is_replaced()

    def close(self) -> None:
        self._outer.close()


def innermost(file: Zip) -> Zip:
    """Give the zip in a zip that has no documents, as where people zip once more, or the zip."""
    if any(key.rpartition("/")[2] in NODES for key in file):
        return file
    inner = [
        key
        for key in file
        if key.lower().endswith((".zip", ".zspy")) and _is_beside(key, "")
    ]
    if len(inner) > 1:
        found = " and ".join(key[:50] for key in inner[:2])
        problem = f"a zip of several files: {found}"
        raise FormatError(problem, file.root, "unpack it first")
    return InnerZip(file, inner[0]) if inner else file


def _inflated(packed: bytes, info: zipfile.ZipInfo, stop: int) -> bytes:
    """Unpack the start of an entry; of a whole one, the checksum has to be right."""
    size = info.file_size
    # What follows the end would make it another size than the zip says.
    most = stop + (stop == size)
    # The class of the standard library takes three times as long for a document, and unpacks all
    # that there is by some methods.
    match info.compress_type:
        case zipfile.ZIP_DEFLATED:
            stream: Any = zlib.decompressobj(-zlib.MAX_WBITS)
        case zipfile.ZIP_BZIP2:
            stream = bz2.BZ2Decompressor()
        case zipfile.ZIP_LZMA:
            stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY)
            # This format tells a size, or that it is not known, where a zip has a version.
            packed = packed[4:9] + b"\xff" * 8 + packed[9:]
        case method:
            raise zipfile.BadZipFile(f"the compression {method}, or two sizes")
    data: bytes = stream.decompress(packed, most or 1)[:most]
    if len(data) == size and zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile("Bad CRC-32")
    return data


def _archive_in(file: Any, where: str) -> zipfile.ZipFile:
    """Read the directory of a zip, and close what has read it."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive
    # It is BadZipFile, ValueError, NotImplementedError, and others.
    except Exception as error:
        problem = f"the zip cannot be opened ({error})"
        raise FormatError(problem, where, CUT_OFF) from error


def _last_of_each_name(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Give the entries by their names: the last one of duplicates, which older releases wrote.

    Some programs begin each name with "./", the folder that they were in.
    """
    infos = {info.filename.removeprefix("./"): info for info in archive.infolist()}
    for info in infos.values():
        if _ENTRY in info.comment + info.extra:
            problem = "an entry of its directory hides others"
            raise FormatError(problem, info.filename, DAMAGED)
    return infos


def _refuse_foreign_names(
    infos: Collection[str],
    safe: Collection[str],
    inside: Collection[str],
    where: str,
) -> None:
    """Refuse a zip of which the documents have names as Windows has them, or lead out of it."""
    foreign = [
        key
        for key in infos
        if ("\\" in key or key not in safe)
        and key.replace("\\", "/").rpartition("/")[2] in NODES
    ]
    names = (key.rpartition("/") for key in inside)
    if foreign and NODES.isdisjoint(name for above, _, name in names if above):
        problem = f"the names in the zip are none of Zarr, as {foreign[0][:60]!r}"
        raise FormatError(problem, where, "unpack it, and zip the folder anew")


def _folder_around(keys: Collection[str], where: str) -> str:
    """Give the folder that all of a file lies in, as where people have zipped a directory."""
    # Where the root has no document, nothing is around it: the file is damaged.
    if any(name in keys or f"{EXPERIMENTS}/{name}" in keys for name in NODES):
        return ""
    around: list[str] = []
    for key in sorted(keys, key=lambda key: key.count("/")):
        folder, _, name = key.rpartition("/")
        is_inside = any(key.startswith(one) for one in around)
        if name in NODES and not is_inside and _is_beside(key, ""):
            around.append(f"{folder}/")
        if len(around) > 1:
            break
    if len(around) > 1:
        names = " and ".join(folder[:50] for folder in around)
        raise FormatError(
            f"a zip of several files: {names}", where, "unpack it first"
        )
    return "".join(around)


def _is_beside(key: str, folder: str) -> bool:
    """Tell what lies beside a folder, and was not added by a system."""
    is_added = key.partition("/")[0] in _ADDED
    return not (
        is_added or key.endswith("/") or (folder and key.startswith(folder))
    )


@contextmanager
def _telling(key: str) -> Generator[None]:
    """Name the entry in the errors of the module zipfile, which are of many kinds."""
    try:
        yield
    except FormatError:
        raise
    # It is BadZipFile, zlib.error, EOFError, NotImplementedError, and others.
    except Exception as error:
        problem = f"the entry cannot be read ({error})"
        raise FormatError(problem, key, DAMAGED) from error


def _is_plain(info: zipfile.ZipInfo, end: int) -> bool:
    """Tell whether an entry can be copied with its header, and with nothing else."""
    name = info.orig_filename
    is_utf8 = name.isascii() or info.flag_bits & _UTF8
    if name != info.filename or not is_utf8 or info.flag_bits & _ENCRYPTED:
        return False
    size = _LOCAL.size + len(name.encode()) + info.compress_size
    # A few bytes between two entries are copied with them.
    return size <= end - info.header_offset <= size + len(info.extra) + 64


def _new_info(name: str, checksum: int, size: int) -> zipfile.ZipInfo:
    """Describe an entry, without a time: equal trees are equal files."""
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o644 << 16
    info.CRC, info.file_size = checksum, size
    return info


def _same(old: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Describe an entry that is copied; the module copy takes four times as long."""
    info = zipfile.ZipInfo.__new__(zipfile.ZipInfo)
    for name in zipfile.ZipInfo.__slots__:
        setattr(info, name, getattr(old, name, None))
    return info


class ZipSink(Sink):
    """Writes a zip to an empty file."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "r+b", opener=open_itself)  # noqa: SIM115 - it is closed with this
        self.zip: zipfile.ZipFile = zipfile.ZipFile(self._file, "w")
        self._lock = threading.Lock()

    def put(self, documents: Pairs) -> None:
        for key, document in documents:
            if not is_safe(key):
                raise EncodeError("a key that leaves the file", key)
            info = _new_info(key, zlib.crc32(document), len(document))
            info.compress_size = info.file_size
            # `writestr` does the same, but seeks, tells and packs twice.
            with self._lock:
                self._begin(info)
                self._file.write(document)
                self.zip.start_dir += info.file_size

    def _begin(self, info: zipfile.ZipInfo) -> None:
        """Write the header of what comes next."""
        if len(info.filename.encode()) > _LONGEST_NAME:
            problem = (
                f"a path of more than {_LONGEST_NAME} bytes, which no zip holds"
            )
            raise EncodeError(problem, info.filename[:60], "use shorter keys")
        self._enter(info, self.zip.start_dir)
        header = info.FileHeader()
        self._file.write(header)
        self.zip.start_dir += len(header)

    def _enter(self, info: zipfile.ZipInfo, at: int) -> None:
        """Enter what lies somewhere into the directory."""
        if info.filename in self.zip.NameToInfo:
            raise EncodeError("a key that is written twice", info.filename)
        info.header_offset = at
        self.zip.filelist.append(info)
        self.zip.NameToInfo[info.filename] = info

    def keep(self, source: Listed, pairs: Moves) -> None:
        """Copy entries of a zip as they are, in as few steps as can be."""
        if not isinstance(source, Zip):
            super().keep(source, pairs)
            return
        self.zip.comment = source.comment
        wanted = dict(spread(source, pairs))
        # Entries that lie in a row are copied at once, from start to stop.
        start = stop = 0
        for old in source.all:
            name = wanted.get(source.keys_at.get(old.header_offset, ""))
            if name is None:
                continue
            end = source.ends[old.header_offset]
            if name == old.filename and _is_plain(old, end):
                if stop != old.header_offset:
                    self._copy(source, start, stop)
                    start = old.header_offset
                stop = end
                at = self.zip.start_dir + old.header_offset - start
                self._enter(_same(old), at)
                continue
            self._copy(source, start, stop)
            start = stop = 0
            with _telling(old.filename):
                at = source.start_of(old)
            info = _new_info(name, old.CRC, old.file_size)
            info.compress_type = old.compress_type
            info.compress_size = old.compress_size
            info.flag_bits = old.flag_bits & 0x6  # those of codecs
            self._begin(info)
            self._copy(source, at, at + old.compress_size)
        self._copy(source, start, stop)

    def _copy(self, source: Zip, start: int, stop: int) -> None:
        """Copy bytes of another zip: the system does it where it can."""
        self._file.flush()
        at = self.zip.start_dir
        self.zip.start_dir += stop - start
        with suppress(AttributeError, OSError):
            while start < stop:
                count = os.copy_file_range(
                    source.file.fileno(),
                    self._file.fileno(),
                    stop - start,
                    start,
                    at,
                )
                if not count:
                    break
                start, at = start + count, at + count
        self._file.seek(at)
        while start < stop:
            data = source.bytes_at(start, min(stop - start, _BLOCK))
            if not data:
                raise FormatError("the file ends too early", source.root, DAMAGED)
            self._file.write(data)
            start += len(data)

    def close(self) -> None:
        try:
            self.zip.close()
        finally:
            self._file.close()
