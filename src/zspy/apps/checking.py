"""All problems of a file at once: those of its nodes, of its chunks, and of its values."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..documents.array_metadata import ArrayMetadata
from ..documents.bounded import GROWTH
from ..documents.chunks import charge, chunks_in, decode_chunk, decode_numbers
from ..documents.dtypes import unsupported
from ..documents.integrity import DIGEST, digest
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.parsed_nodes import PACKED, ParsedNodes, parse_nodes
from ..documents.source import (
    DOCUMENTS,
    NAME_A_FILE,
    NODES,
    Given,
    finder,
    is_document,
)
from ..files.progress import with_bar
from ..stores.backends import following, located, name_of, opened
from ..stores.base import Links, Opened
from ..stores.replace import PART
from ..values.axes import complete_axis
from ..values.errors import EncodeError, FormatError, check_choices, naming
from ..values.migrate import newer
from ..values.names import RECORD, is_flat
from ..values.nodes import Group, joined
from ..values.root import decode_file
from ..values.types import Documents, Edges, is_array, is_dict
from .describing import data_paths
from .tree import read_outline

_FEW_CHUNKS: Final = 100  # chunks that need no progress bar
_DIGITS: Final = re.compile(r"\d{1,19}", re.ASCII)
_Severity: TypeAlias = Literal["error", "warning"]


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

    severity: _Severity
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
    links: Links = "refuse",
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
    links : {"refuse", "follow"}
        As for `file_reader`.

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
        place = following(path, links)
        return damage_in(place, data, show_progressbar, codecs, limits).findings
    except FormatError as error:
        return [_finding(error, str(path) if isinstance(path, str) else "")]


class Checked(NamedTuple):
    """What was found, and what could not be told."""

    findings: list[Finding]
    unverified: str


def damage_in(
    path: Any,
    data: bool,
    progress: bool,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
) -> Checked:
    """Do what `check` says, but raise FormatError where nothing can be looked at."""
    check_choices(data=(data, (None, False, True)))
    place = located(path, None)
    with naming(name_of(place)), closing(opened(place)) as file:
        work = _Check(file, codecs, Budget(limits).limits)
        keys, lost = work.keys()
        if not keys:
            raise FormatError("there is no Zarr group", "", NAME_A_FILE)
        documents = work.documents(keys) | lost
        sized = _WithSizes(documents, file)
        nodes = parse_nodes(sized, codecs, limits, work.report)
        for name, (metadata, _) in nodes.arrays.items():
            if metadata.unsupported and not metadata.needs_zarr:
                work.report(
                    unsupported(metadata.unsupported, metadata.document(name))
                )
        work.records(nodes, documents)
        chunks = work.chunks(nodes, keys)
        if data:
            work.decode(nodes, chunks, progress)
        if not any(one.severity == "error" for one in work.found):
            work.values(nodes)
        return Checked([*work.found], _unverified(nodes, data))


def _finding(error: FormatError, key: str) -> Finding:
    said = f"{error.problem}; {error.remedy}" if error.remedy else error.problem
    return Finding("error", error.where or key, said)


def _unverified(nodes: ParsedNodes, data: bool) -> str:
    """Say which values a check cannot vouch for."""
    arrays = [metadata for metadata, _ in nodes.arrays.values()]
    if not data:
        return "values were not read" if arrays else ""
    bare = sum(not _has_checksum(metadata) for metadata in arrays)
    named = "array" if bare == 1 else "arrays"
    return f"the values of {bare} {named} carry no checksum" if bare else ""


def _has_checksum(metadata: ArrayMetadata) -> bool:
    ids = [str(one.codec_id) for one in metadata.filters]
    return metadata.checksum or any("crc32" in one for one in ids)


class _WithSizes(Given):
    """The documents of a file in memory, with the sizes that they have in the file."""

    def __init__(self, documents: Documents, file: Opened) -> None:
        super().__init__(documents)
        self._file = file

    def size(self, keys: Iterable[str]) -> int:
        return self._file.size(keys)


@dataclass(slots=True)
class _Check:
    """What is found in one file."""

    file: Opened
    codecs: Collection[str]
    limits: Limits
    found: dict[Finding, None] = field(default_factory=dict[Finding, None])

    def add(self, severity: _Severity, key: str, message: str) -> None:
        self.found[Finding(severity, key, message)] = None

    def report(self, error: FormatError, key: str = "") -> None:
        """Make a finding of an error."""
        self.found[_finding(error, key)] = None

    @contextmanager
    def _noting(self, key: str) -> Generator[None]:
        """Make a finding of an error, of whatever kind."""
        try:
            with naming(key):
                yield
        except FormatError as error:
            self.report(error, key)

    def keys(self) -> tuple[list[str], dict[str, bytes]]:
        """List all keys; of what has lost its document, another one stands for that."""
        keys = dict.fromkeys(self.file)
        nodes: Collection[str] = ()
        with self._noting(""):
            nodes = self.file.nodes()
        lost = (key for key in nodes if not is_document(key))
        return [*keys | dict.fromkeys(nodes)], dict.fromkeys(lost, b"")

    def documents(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read the documents of nodes, each up to a byte more than is allowed."""
        part = slice(self.limits.document + 1)
        budget = Budget(self.limits)
        found: dict[str, bytes] = {}
        for key in keys:
            if is_document(key):
                with self._noting(key):
                    data = self.file.read(key, part)
                    stored = partial(self.file.size, [key])
                    # What the parser refuses, for which it is read, is not kept either.
                    taken = GROWTH * len(data)
                    budget.spend(taken, partial(str, key), stored, PACKED)
                    found[key] = data
        return found

    def records(self, nodes: ParsedNodes, documents: Documents) -> None:
        """Hold each signal against its record."""
        below: dict[str, dict[str, bytes]] = {}
        node_of = finder(nodes.groups.keys() | nodes.arrays.keys())
        for key, data in documents.items():
            folder, _, name = key.rpartition("/")
            above = node_of(folder.rpartition("/")[0])
            if name in DOCUMENTS and above not in nodes.arrays:
                signal = "/".join(key.split("/", 2)[:2])
                below.setdefault(signal, {})[key] = data
        for path, own in below.items():
            record = nodes.groups.get(path, Group()).attributes.get(RECORD)
            known = record.get(DIGEST) if is_dict(record) else None
            with suppress(FormatError):
                if known is not None and known != digest(own, path):
                    problem = "the documents in it are not as zspy wrote them"
                    cause = "a writer was killed, or others changed them, or they are damaged"
                    self.add("warning", path, f"{problem}: {cause}")

    def chunks(
        self, nodes: ParsedNodes, keys: Iterable[str]
    ) -> dict[str, list[Edges]]:
        """List the chunks of each array; find what is missing, and what belongs to nothing."""
        stored = {path: dict[str, Edges]() for path in nodes.arrays}
        told = {one.key for one in self.found}
        node_of = finder(nodes.groups.keys() | nodes.arrays.keys())
        for key in keys:
            if key in told:
                continue
            folder, _, name = key.rpartition("/")
            if name in DOCUMENTS and (
                folder in nodes.groups or folder in nodes.arrays
            ):
                continue
            array = node_of(folder)
            number = None
            if array is not None and array in nodes.arrays:
                metadata, _ = nodes.arrays[array]
                number = _number(metadata, key[len(array) + 1 :] if array else key)
            elif name in {".zmetadata", *NODES}:
                continue
            if array is not None and number is not None:
                stored[array][key] = number
            else:
                self.add("warning", key, _stray(name, array in nodes.arrays))
        for path, numbers in stored.items():
            metadata, _ = nodes.arrays[path]
            self._missing(path, metadata, numbers)
        return {path: [*numbers.values()] for path, numbers in stored.items()}

    def _missing(
        self,
        path: str,
        metadata: ArrayMetadata,
        there: Collection[str],
    ) -> None:
        """Tell how many chunks of an array are missing, and the first of them."""
        total = prod(metadata.stored_grid)
        missing = total - len(there)
        if missing <= 0:
            return
        # Along each dimension: more would be kept in memory.
        enough = len(there) + 1
        edges = (range(min(edge, enough)) for edge in metadata.stored_grid)
        keys = (joined(path, metadata.key(number)) for number in product(*edges))
        first = next(key for key in keys if key not in there)
        what = "shards" if metadata.shards else "chunks"
        count = f"{missing} of {total} {what}"
        if metadata.complete:
            problem = f"{count} are missing: zspy wrote all of them"
            self.add("error", first, problem)
        else:
            problem = f"{count} are not there, and read as the fill value"
            self.add(
                "warning", first, f"{problem}: left out, not written yet, or lost"
            )

    def decode(
        self,
        nodes: ParsedNodes,
        chunks: dict[str, list[Edges]],
        progress: bool,
    ) -> None:
        """Decode every chunk that is stored, one after the other."""
        jobs = [
            (path, number)
            for path, found in chunks.items()
            if nodes.arrays[path][0].native
            for number in found
        ]
        whole = Budget(self.limits)  # for the time; memory is free after each
        for path, number in with_bar(jobs, progress, "Checking", _FEW_CHUNKS):
            metadata, _ = nodes.arrays[path]
            key = joined(path, metadata.key(number))
            box = (0,) * len(number), metadata.shape
            # Its size counts once: a shard may name the same bytes for all of its chunks.
            stored = partial(self.file.size, iter([key]))
            budget = Budget(self.limits)
            lacking = 0
            decode = decode_chunk if metadata.cells else decode_numbers
            with self._noting(key):
                charge(path, metadata, 0, 0, stored, budget)  # for the first
                found = chunks_in(self.file, key, metadata, number, box, whole)
                for place, (*_, count, read) in enumerate(found):
                    if place:
                        size = metadata.chunk_nbytes
                        budget.spend(size, partial(str, key), stored)
                    chunk = read()
                    if chunk is None:
                        lacking += count
                    else:
                        decode(metadata, chunk, key, budget)
                if lacking:
                    self.add(
                        "error", key, f"{lacking} chunks are missing from the shard"
                    )

    def values(self, nodes: ParsedNodes) -> None:
        """See whether the nodes are signals, and whether their axes fit them."""
        with self._noting(""):
            root, layouts = read_outline(self.file, self.codecs, self.limits)
            signals = [one for one in decode_file(root) if "data" in one]
            if said := newer(root):
                self.add("warning", "", said)
            paths = data_paths(layouts, len(signals))
            for path, signal in zip(paths, signals, strict=True):
                if path is not None:
                    self._axes(nodes, path, signal["axes"])

    def _axes(self, nodes: ParsedNodes, path: str, axes: list[Any]) -> None:
        metadata, attributes = nodes.arrays[path]
        if is_flat(attributes):
            return  # a flat array: its shape is not that of the signal
        group, shape = path.rpartition("/")[0], metadata.shape
        if axes and len(axes) != len(shape):
            problem = f"{len(axes)} axes for data of {len(shape)} dimensions"
            self.add("warning", group, problem)
        for index, axis in enumerate(axes):
            points = axis.get("axis")
            if is_array(points) and not points.size:
                continue  # they are too many to be read here
            try:
                complete_axis(axis, index, shape)
            except EncodeError as error:
                self.add("warning", f"{group}/axis-{index}", error.problem)


def _stray(name: str, in_array: bool) -> str:
    """Say what something is that is no document of a node and no chunk."""
    if name.startswith(PART):
        return "what is being written, or was when its writer was killed"
    if in_array:
        return "it is no chunk of its array: a killed writer may have left it, and nothing reads it"
    return "it belongs to no array and no group"


def _number(metadata: ArrayMetadata, name: str) -> Edges | None:
    """Give the number of a chunk, or of a shard, by its name; None where it is none."""
    grid = metadata.stored_grid
    number = tuple(map(int, _DIGITS.findall(name)))[: len(grid)]
    fits = len(number) == len(grid) and all(map(int.__lt__, number, grid))
    return number if fits and metadata.key(number) == name else None
