"""A leaf: zip files. An update that keeps most of a large one appends to it."""

from __future__ import annotations

import io
import os
import struct
import threading
import weakref
import zipfile
import zlib
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, cast

from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError
from .base import REPLACED, Kept, Opened, Sink, is_safe, limited
from .mapping import Gathered
from .replace import locked

_END: Final = b"PK\5\6"
_ENTRY: Final = b"PK\1\2"
_DAMAGED: Final = "the file is damaged"
_TAIL: Final = 2**28  # bytes that a killed writer may have appended
_COPIED: Final = 2**24  # bytes that are rather copied


class Zip(Opened):
    """The documents in a zip file. Names that are absolute or leave the file are not there."""

    def __init__(
        self, path: str | os.PathLike[str], identity: int | None = None
    ) -> None:
        self.root = os.path.abspath(path)
        try:
            self._zip, self.end = _opened_zip(self.root)
        except (
            Exception
        ) as error:  # BadZipFile, OSError, ValueError, NotImplementedError, ...
            raise FormatError(
                f"the zip cannot be opened ({error})", self.root
            ) from error
        file: Any = self._zip.fp
        weakref.finalize(self, file.close)
        self._identity = os.fstat(file.fileno()).st_ino
        if identity not in (None, self._identity):
            raise FormatError(REPLACED, self.root, "open it again")
        # of duplicates, which older releases wrote, the last one counts
        infos = {info.filename: info for info in self._zip.infolist()}
        for info in infos.values():
            if _ENTRY in info.comment + info.extra:
                raise FormatError(
                    "an entry of its directory hides others", info.filename, _DAMAGED
                )
        self.infos = {key: info for key, info in infos.items() if is_safe(key)}

    def __reduce__(self) -> tuple[type[Zip], tuple[str, int]]:
        return Zip, (self.root, self._identity)

    def read(self, key: str, part: slice = slice(None)) -> bytes:
        info = self.infos[key]
        if info.flag_bits & 1:
            raise FormatError("the entry is encrypted", key)
        size = limited(info.file_size, key)
        # the end is read too, where the zip has its checksum, but no more than is asked for
        most = size if part.stop is None or part.stop < 0 else min(size, part.stop)
        try:
            with self._zip.open(info) as file:
                data = file.read(most + (most == size))
        except (
            Exception
        ) as error:  # BadZipFile, zlib.error, EOFError, NotImplementedError, ...
            raise FormatError(f"the entry cannot be read ({error})", key) from error
        if len(data) != most:
            raise FormatError("the entry has another size than the zip says", key)
        return data[part]

    def size(self, keys: Iterable[str]) -> int:
        return sum(self.infos[key].compress_size for key in keys if key in self.infos)

    def __getitem__(self, key: str) -> bytes:
        return self.read(key)

    def nodes(self) -> Collection[str]:
        """Give the keys of the documents of nodes; see whether what nobody reads is called so."""
        nodes = super().nodes()
        with_attributes = {key.rpartition("/")[0] for key in nodes}
        for info in self._zip.infolist():
            folder, _, name = info.filename.rpartition("/")
            known = name in NODES or name.replace(".", "").isdigit()
            known = known or (name == ".zattrs" and folder in with_attributes)
            if not known or self.infos.get(info.filename) is not info:
                try:
                    self._zip.open(
                        info
                    ).close()  # which compares the names at both places
                except (
                    Exception
                ) as error:  # BadZipFile, NotImplementedError, RuntimeError, ...
                    problem = f"the entry cannot be read ({error})"
                    raise FormatError(problem, info.filename, _DAMAGED) from error
        return nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self.infos)

    def is_at(self, path: Path) -> bool:
        """Tell whether it still lies at a path."""
        with suppress(OSError):
            return os.stat(path).st_ino == self._identity
        return False

    def close(self) -> None:
        file: Any = self._zip.fp
        self._zip.close()
        if file is not None:
            file.close()


class _Front(io.FileIO):
    """The front of a file, before what a killed writer has appended."""

    def __init__(self, path: str, end: int) -> None:
        super().__init__(path)
        self._end = end

    def seek(self, offset: int, whence: int = 0) -> int:
        return (
            super().seek(self._end + offset)
            if whence == 2
            else super().seek(offset, whence)
        )

    def readall(self) -> bytes:
        return super().read(max(self._end - self.tell(), 0)) or b""

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(self._end - self.tell(), 0)]
        return super().readinto(view)


def _opened_zip(path: str) -> tuple[zipfile.ZipFile, int]:
    """Open a zip file; give its end as well, behind which a killed writer may have left something.

    That is 0 where it is not certain.
    """
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        for end in _ends(file, size):
            if end == size:
                return zipfile.ZipFile(path), size
            front = io.BufferedReader(_Front(path, end))
            try:
                return zipfile.ZipFile(front), end
            except zipfile.BadZipFile:
                front.close()
    return zipfile.ZipFile(path), 0


def _ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Find where a zip file ends, or ended at some time, the last first."""
    stop = size
    while stop > max(size - _TAIL, 0):
        start = max(stop - 2**20, 0)
        file.seek(start)
        block = file.read(stop - start + 21)
        place = len(block)
        while (place := block.rfind(_END, 0, place)) >= 0:
            record = block[place : place + 22]
            if len(record) == 22 and start + place < stop:
                length, offset, comment = struct.unpack("<LLH", record[12:])
                if not comment and (
                    length + offset == start + place or offset == 2**32 - 1
                ):
                    yield start + place + 22
        stop = start


def is_zip(path: Path) -> bool:
    """Tell a zip file, also one to which a killed writer has appended."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4" or zipfile.is_zipfile(path)


class ZipSink(Gathered):
    """Writes a zip; only the documents of arrays can be read back."""

    def __init__(self, file: Path | BinaryIO, mode: Literal["x", "a"] = "x") -> None:
        super().__init__()
        self.zip = zipfile.ZipFile(file, mode)
        self._file: Any = self.zip.fp
        self._lock = threading.Lock()

    def __setitem__(self, key: str, document: bytes) -> None:
        if not is_safe(key):
            raise EncodeError("a key that leaves the file", key)
        info = zipfile.ZipInfo(key)  # which has no time: equal trees are equal files
        info.external_attr = 0o644 << 16
        info.CRC, info.file_size = zlib.crc32(document), len(document)
        info.compress_size = info.file_size
        with self._lock:  # as `writestr` does, which seeks, tells and packs twice
            if key in self.zip.NameToInfo:
                raise EncodeError("a key that is written twice", key)
            info.header_offset = self.zip.start_dir
            header = info.FileHeader()
            self._file.write(header)
            self._file.write(document)
            self.zip.start_dir += len(header) + info.file_size
            self.zip.filelist.append(info)
            self.zip.NameToInfo[key] = info
        if key.endswith((".zarray", "zarr.json")):
            super().__setitem__(key, document)

    def close(self) -> None:
        self.zip.close()


class _Appender(ZipSink):
    """Writes behind the end of a zip, whose entries are kept where they are."""

    def __init__(
        self, file: BinaryIO, end: int, kept: Iterable[zipfile.ZipInfo]
    ) -> None:
        file.truncate(end)
        super().__init__(file, "a")
        self.zip.filelist = [*kept]
        self.zip.NameToInfo = {info.filename: info for info in self.zip.filelist}
        self.zip.start_dir = (
            end  # what is there now stays, in case that this is interrupted
        )
        cast("Any", self.zip)._didModify = True  # noqa: SLF001 - it has an end to write
        file.seek(end)

    def keep(
        self, source: Mapping[str, bytes], pairs: Iterable[tuple[str, str]]
    ) -> None:
        pass


@contextmanager
def appending(path: Path, kept: Kept, lock: int, sync: bool) -> Generator[Sink]:
    """Write behind the end of a zip: it is the old file until its new end is there.

    Readers take no lock: what they have opened stays where it was.
    """
    old, pairs = kept
    with open(path, "r+b") as file:
        end = Zip(path).end
        try:
            infos = cast("Zip", old).infos
            sink = _Appender(file, end, (infos[key] for key, _ in pairs))
            yield sink
            if sync:
                os.fsync(file)
            sink.zip.close()
            file.flush()
            if sync:
                os.fsync(file)
        except BaseException:
            file.truncate(end)
            raise
        finally:
            os.close(lock)


def to_append(path: Path, kept: Kept) -> int | None:
    """Lock a zip of which so much is kept that it would take long to copy it."""
    old, pairs = kept
    if not isinstance(old, Zip) or any(key != new for key, new in pairs):
        return None
    size = sum(old.infos[key].compress_size for key, _ in pairs)
    if size < max(_COPIED, old.end / 2) or not old.end or not old.is_at(path):
        return None
    with suppress(OSError):
        return locked(path)
    return None
