"""N5 directories, which zarr-python 2 could write, as documents of Zarr format 2.

Names, descriptions and headers are translated; what a block holds is decoded by whoever reads the
documents. Nothing is written as N5.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from struct import error, unpack_from
from typing import Any, Final

import numpy as np

from ..documents.json import dump_json, parse_json
from ..documents.source import NODES, node_above
from ..values.errors import FormatError
from ..values.nodes import joined
from ..values.types import JSON, Entries, is_dict, is_list
from .base import Opened
from .directory import Directory

_DESCRIPTION: Final = "attributes.json"
_ARRAY: Final = ("dimensions", "blockSize", "dataType", "compression")
_GROUP: Final[Mapping[str, JSON]] = {"zarr_format": 2}
_NUMBERS: Final = re.compile(
    r"(?:bool|u?int(?:8|16|32|64)|float(?:16|32|64))\Z", re.ASCII
)


def recognise(path: Path) -> bool:
    """Tell an N5 directory, which zarr-python 2 could write."""
    file = path / _DESCRIPTION
    if not file.is_file() or any((path / name).exists() for name in NODES):
        return False
    with file.open("rb") as stream:  # of a file that might be of any size
        return b'"n5"' in stream.read(2**20)


def unowned(keys: Collection[str]) -> list[str]:
    """Give the files of an N5 directory that are neither attributes nor chunks."""
    names = ((key, key.rpartition("/")[2]) for key in keys)
    return [
        key
        for key, name in names
        if name not in {"attributes.json", ".zmetadata"} and not name.isdecimal()
    ]


def opened(path: Path) -> Opened:
    """Open an N5 directory."""
    return N5(Directory(path))


class N5(Opened):
    """The documents that an open N5 directory would have as Zarr."""

    def __init__(self, source: Opened) -> None:
        self.root: str = source.root
        self._source = source

    @cached_property
    def _described(self) -> dict[str, dict[str, Any]]:
        """Give the descriptions by the path of their node."""
        self._source.follows = self.follows
        return {
            key.rpartition("/")[0]: parse_json(self._source[key], key)
            for key in self._source
            if key.rpartition("/")[2] == _DESCRIPTION
        }

    def is_replaced(self) -> bool:
        return self._source.is_replaced()

    def close(self) -> None:
        self._source.close()

    def nodes(self) -> Collection[str]:
        return [
            joined(path, f".z{_kind(found)}")
            for path, found in self._described.items()
        ]

    def __iter__(self) -> Iterator[str]:
        yield from self.nodes()
        yield from (joined(path, ".zattrs") for path in self._described)
        for key in self._source:
            found = self._array_of(key)
            if found and not key.endswith(f"/{_DESCRIPTION}"):
                yield _turned(key, found)

    def __getitem__(self, key: str) -> bytes:
        path, _, name = key.rpartition("/")
        described = self._described.get(path)
        if described is not None and name == ".zattrs":
            own = {"n5", *(_ARRAY if _kind(described) == "array" else ())}
            return dump_json(
                {name: described[name] for name in described if name not in own}
            )
        if described is not None and name == f".z{_kind(described)}":
            return dump_json(
                _array_document(described) if name == ".zarray" else _GROUP
            )
        if (found := self._array_of(key)) is None:
            raise KeyError(key)
        return _block(
            self._source[_turned(key, found)], self._described[found], key
        )

    def _array_of(self, key: str) -> str | None:
        """Give the path of the array that a block belongs to."""
        path = node_above(key.rpartition("/")[0], self._described, len(key)) or ""
        return path if _kind(self._described.get(path, {})) == "array" else None


def _kind(described: Entries) -> str:
    return "array" if described.keys() >= {*_ARRAY} else "group"


def _turned(key: str, array: str) -> str:
    """Turn the number of a block around: N5 counts the fastest dimension first."""
    return "/".join([array, *reversed(key.removeprefix(f"{array}/").split("/"))])


def _array_document(described: Entries) -> dict[str, JSON]:
    """Describe an array as Zarr does; whoever parses it judges what is no description."""
    shape, chunks, name, found = (described[key] for key in _ARRAY)
    filters: JSON = None
    if isinstance(name, str) and _NUMBERS.match(name):
        dtype = np.dtype(name)
        name = dtype.str
        if dtype.itemsize > 1:  # blocks are big endian
            swapped = dtype.newbyteorder(">").str
            filters = [
                {"id": "astype", "encode_dtype": swapped, "decode_dtype": name}
            ]
    return {
        "zarr_format": 2,
        "shape": shape[::-1] if is_list(shape) else None,
        "chunks": chunks[::-1] if is_list(chunks) else None,
        "dtype": name,
        "filters": filters,
        "compressor": _compressor(found),
        "order": "C",
        "fill_value": 0,
        "dimension_separator": "/",
    }


def _compressor(found: Any) -> JSON:
    """Name the codec of a compression."""
    if not is_dict(found):
        return {"id": None}
    settings = {key: found[key] for key in found if key != "type"}
    match found.get("type"):
        case "raw":
            return None
        case "gzip":
            return {"id": "zlib" if settings.get("useZlib") else "gzip"}
        case "bzip2":
            return {"id": "bz2"}
        case "xz":
            return {"id": "lzma"}
        case kind:
            return {"id": kind, **settings}


def _block(data: bytes, described: Entries, where: str) -> bytes:
    """Take the header from a block: its mode, and its shape, which has to be that of a chunk."""
    shape = described["blockSize"]
    try:
        mode, dimensions = unpack_from(">2H", data)
        found = unpack_from(f">{dimensions}I", data, 4)
    except error as problem:
        raise FormatError(f"no N5 block ({problem})", where) from problem
    if mode or [*found] != shape:
        raise FormatError(
            f"an N5 block of mode {mode} and shape {found}", where, "use zarr 2"
        )
    return data[4 + 4 * dimensions :]
