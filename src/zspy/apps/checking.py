"""A leaf: all problems of a file at once."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod
from typing import Any, Final, Literal, TypeAlias

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import read_box
from ..documents.integrity import (
    CHUNKS,
    DIGEST,
    DOCUMENTS,
    chunk_count,
    digest,
    nodes_below,
    record_of,
)
from ..documents.json import parse_json
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.metadata import parse_array
from ..documents.tree import read_nodes
from ..files.lazy import is_small, stored_array
from ..files.progress import with_bar
from ..stores.backends import located, name_of, opened
from ..stores.base import Opened
from ..values.errors import FormatError, naming
from ..values.nodes import joined
from ..values.root import decode_file
from ..values.sequences import decoded_bytes
from ..values.types import is_dict

_MANY: Final = 1000  # chunks that are missing and are named one by one
_FEW: Final = 100  # chunks that need no progress bar
_Job: TypeAlias = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a file.

    Parameters
    ----------
    severity : {"error", "warning"}
        An error is damage, or keeps the file from being read whole. A warning may have a good
        reason: another program has changed the file.
    key : str
        The key of the document.
    message : str
        What is wrong with it.

    Examples
    --------
    >>> print(Finding("error", "Experiments/a/data/0", "the chunk is missing"))
    error: Experiments/a/data/0: the chunk is missing
    """

    severity: Literal["error", "warning"]
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.message}"


def check(
    path: Any,
    data: bool = False,
    *,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    show_progressbar: bool = True,
) -> list[Finding]:
    """Look for everything that is wrong with a file.

    Parameters
    ----------
    path : path, URL, Zarr store, mapping, or open database
        As for `file_reader`.
    data : bool, default False
        Decode every chunk as well, one after the other.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones.
    limits : Limits, optional
        What the file may ask for.
    show_progressbar : bool, default True
        Show how far the chunks are read, where tqdm is installed.

    Returns
    -------
    list of Finding
        Empty for a sound file.

    Examples
    --------
    >>> import numpy as np
    >>> from zspy import file_writer
    >>> file = {}
    >>> axis = {"name": "x", "units": "nm", "size": 4, "scale": 0.5, "offset": 0.0}
    >>> file_writer(file, {"data": np.zeros(4), "axes": [axis], "metadata": {}})
    >>> check(file)
    []
    >>> del file["Experiments/__unnamed__/data/0"]
    >>> [finding.key for finding in check(file)]
    ['Experiments/__unnamed__/data/0']
    """
    try:
        return damage_in(
            path, data, codecs=codecs, limits=limits, show_progressbar=show_progressbar
        )
    except FormatError as error:
        return [_finding(error, str(path) if isinstance(path, str) else "")]


def damage_in(
    path: Any,
    data: bool = False,
    *,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    show_progressbar: bool = True,
) -> list[Finding]:
    """Do what `check` says, but raise FormatError where nothing can be looked at."""
    with naming(lambda: name_of(path)), closing(opened(located(path, None))) as file:
        return _Check(file, codecs, limits).run(data, show_progressbar)


def _finding(error: FormatError, key: str) -> Finding:
    said = f"{error.problem}; {error.remedy}" if error.remedy else error.problem
    return Finding("error", error.where or key, said)


class _Check:
    """What is found in one file."""

    def __init__(self, file: Opened, codecs: Collection[str], limits: Limits) -> None:
        self.file, self.codecs, self.limits = file, codecs, limits
        self.found: dict[Finding, None] = {}
        self.documents: dict[str, bytes] = {}
        self.arrays: dict[str, ArrayMetadata] = {}
        self.groups: dict[str, None] = {}
        self.jobs: list[_Job] = []  # the chunks that are stored

    def add(
        self, severity: Literal["error", "warning"], key: str, message: str
    ) -> None:
        self.found[Finding(severity, key, message)] = None

    def run(self, data: bool, progress: bool) -> list[Finding]:
        """Go through the file: documents, nodes, chunks, and what all of them together mean."""
        keys = self._keys()
        if not keys:
            raise FormatError("there is no Zarr group", "", "is this a .zspy file?")
        for key in sorted(keys, key=lambda key: (key.count("/"), key)):
            if key.rpartition("/")[2] in DOCUMENTS:
                with self._noting(key):
                    self._document(key)
        whole = {p for p in self.groups if p.count("/") == 1 and self._is_as_written(p)}
        self._chunks(keys, whole)
        if data:
            self._data(progress)
        if not any(one.severity == "error" for one in self.found):
            with self._noting(""):
                self._values()
        return [*self.found]

    @contextmanager
    def _noting(self, key: str) -> Generator[None]:
        """Make a finding of an error."""
        try:
            yield
        except FormatError as error:
            self.found[_finding(error, key)] = None
        except KeyError:
            self.add("error", key, "it has vanished")
        except MemoryError:
            self.add("error", key, "there is not enough memory for it")

    def _keys(self) -> dict[str, None]:
        keys = dict.fromkeys(self.file)
        with self._noting(""):
            keys.update(dict.fromkeys(self.file.nodes()))
        return keys

    def _document(self, key: str) -> None:
        """Look at one document of a node."""
        path, _, name = key.rpartition("/")
        above = path.rpartition("/")[0]
        if path and (above in self.arrays or self._is_inside(above)):
            return
        self.documents[key] = data = self.file.read(
            key, slice(self.limits.document + 1)
        )
        if len(data) > self.limits.document:
            raise FormatError("a document larger than the limits allow", key)
        document = parse_json(data, key)
        if name == ".zattrs":
            return
        if path in self.groups or path in self.arrays:
            raise FormatError("two nodes of one name", key, "remove one of them")
        kind = document.get("node_type") if name == "zarr.json" else name[2:]
        if kind == "array":
            self.arrays[path] = parse_array(document, key, self.codecs)
        elif kind == "group" and document.get("zarr_format") == (
            3 if name == "zarr.json" else 2
        ):
            self.groups[path] = None
        else:
            raise FormatError("no node of its Zarr format", key)
        attributes = document.get("attributes", {})
        if not is_dict(attributes):
            raise FormatError("attributes are no object", key)
        if path and above not in self.groups:
            raise FormatError(
                "a node without a group above it", key, "the file is damaged"
            )

    def _is_inside(self, path: str) -> bool:
        while path and path not in self.arrays:
            path = path.rpartition("/")[0]
        return bool(path)

    def _is_as_written(self, path: str) -> bool:
        """Hold a signal against its record; tell whether all of its chunks were written."""
        with suppress(FormatError):
            nodes = nodes_below(self.documents, path)
            record = record_of(nodes, path)
            if DIGEST in record and record[DIGEST] != digest(nodes, path):
                self.add(
                    "warning",
                    path,
                    "the documents in it are not as zspy wrote them:"
                    " another program has changed them, or they are damaged",
                )
            return CHUNKS in record and record[CHUNKS] == chunk_count(nodes)
        return False

    def _chunks(self, keys: Iterable[str], whole: Collection[str]) -> None:
        """Look for chunks that are missing, and for documents that belong to nothing."""
        stored = {path: dict[str, None]() for path in self.arrays}
        for key in keys:
            path, _, name = key.rpartition("/")
            if name in DOCUMENTS:
                owned = (
                    path in self.groups or path in self.arrays or key in self.documents
                )
                if (
                    name == ".zattrs"
                    and path not in self.groups
                    and path not in self.arrays
                ):
                    self.add("warning", key, "attributes of no node")
                if owned or not self._is_inside(path):
                    continue
            array = path
            while array and array not in self.arrays:
                array = array.rpartition("/")[0]
            if array in stored:
                stored[array][key[len(array) + 1 :] if array else key] = None
            elif name not in {".zmetadata", *DOCUMENTS}:
                self._stray(key)
        for path, names in stored.items():
            metadata, complete = (
                self.arrays[path],
                "/".join(path.split("/", 2)[:2]) in whole,
            )
            numbers = {name: _number(metadata, name) for name in names}
            for name, number in numbers.items():
                if number is None:
                    self._stray(joined(path, name))
                else:
                    self.jobs.append((path, number))
            missing = (
                prod(metadata.stored_grid)
                - len(names)
                + [*numbers.values()].count(None)
            )
            if complete:
                self.arrays[path] = replace(metadata, complete=True)
            if complete and missing:
                self._missing(path, metadata, names, missing)

    def _stray(self, key: str) -> None:
        with self._noting(key):
            self.file.read(key)
        self.add("warning", key, "it belongs to no array and no group")

    def _missing(
        self, path: str, metadata: ArrayMetadata, names: Collection[str], number: int
    ) -> None:
        enough = (
            len(names) + _MANY
        )  # along each dimension: more would be kept in memory
        keys = map(
            metadata.key,
            product(*(range(min(edge, enough)) for edge in metadata.stored_grid)),
        )
        for name in islice(
            (key for key in keys if key not in names), min(number, _MANY)
        ):
            self.add(
                "error",
                joined(path, name),
                "the chunk is missing: zspy wrote all of them",
            )

    def _data(self, progress: bool) -> None:
        """Decode every chunk that is stored."""
        for path, number in with_bar(self.jobs, progress, "Checking", _FEW):
            metadata = self.arrays[path]
            if metadata.native:
                with self._noting(joined(path, metadata.key(number))):
                    first = tuple(
                        i * n for i, n in zip(number, metadata.per_shard, strict=True)
                    )
                    corners = zip(first, metadata.per_shard, metadata.grid, strict=True)
                    ends = tuple(min(at + n, grid) for at, n, grid in corners)
                    budget = Budget(self.limits)
                    read_box(self.file, path, metadata, first, ends, budget)
                    for lacking in budget.missing.values():
                        problem = f"{lacking} chunks are missing from the shard"
                        self.add("error", joined(path, metadata.key(number)), problem)

    def _values(self) -> None:
        """See whether the nodes are signals."""
        budget = Budget(self.limits, decoded_bytes)

        def load(path: str, metadata: ArrayMetadata) -> Any:
            return (
                None
                if is_small(metadata)
                else stored_array(self.file, path, metadata, self.limits)
            )

        decode_file(read_nodes(self.file, self.codecs, budget, load))


def _number(metadata: ArrayMetadata, name: str) -> tuple[int, ...] | None:
    """Give the number of a chunk, or of a shard, by its name; None where it is none."""
    parts = name.split(metadata.separator)
    parts = parts[1:] if metadata.prefix and parts[0] == metadata.prefix else parts
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        return None
    numbers = tuple(map(int, parts))[: len(metadata.stored_grid)]
    fits = len(numbers) == len(metadata.stored_grid) and all(
        map(int.__lt__, numbers, metadata.stored_grid)
    )
    return numbers if fits and metadata.key(numbers) == name else None
