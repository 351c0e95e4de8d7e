"""Stored signals that change in place: data is added along an axis, or written into a part.

The order of what is written keeps the file a valid signal at each moment: first chunks, which
nobody sees beyond the shape of their array; then the document of the array; then that of the axis.
Readers take the smaller one of their two sizes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.codecs import CELLS
from ..documents.consolidated import KEYS, consolidated, expanded
from ..documents.integrity import (
    CHUNKS,
    chunk_count,
    nodes_below,
    record_of,
    sealed,
)
from ..documents.json import dump_json, parse_json
from ..documents.ragged_csr import flattened
from ..documents.tree import deserialise, serialise
from ..stores.backends import holds, opened
from ..stores.in_place import InPlace, in_place, refuse_remade, refuse_whole
from ..values.encoding import Encoder
from ..values.errors import EncodeError
from ..values.names import NAV_SHAPE, NONE, OFFSETS, RECORD, SHAPES
from ..values.nodes import Group
from ..values.ragged import object_array
from ..values.root import ROOT, encode_file, title_of
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import ZarrFormat, is_lazy
from .edit import rewrite
from .options import WriteOptions, axis_number
from .stored import StoredSignal, stored_signal
from .write_arrays import ArrayToWrite, write_arrays

_AT_ONCE = "write all of it at once"
_AGREE = "make them agree"
_ONE_RAGGED = "of this data and the stored one, one is ragged"


@dataclass(slots=True)
class Change:
    """What is written into a stored signal: chunks, then documents, in their order."""

    signal: StoredSignal
    arrays: list[ArrayToWrite] = field(default_factory=list[ArrayToWrite])
    documents: dict[str, Any] = field(default_factory=dict[str, Any])

    def place(self, name: str, data: Any, start: Sequence[int]) -> None:
        """Plan that data lies in an array from a corner on; the array grows to hold it.

        Chunks that it fills in part are completed by what the file holds of them now.
        """
        metadata = writable(self.signal, name)
        data = fitting(data, metadata)
        edges = metadata.shards or metadata.chunks
        corner = np.array(start)
        stop = corner + data.shape
        shape = np.maximum(metadata.shape, stop)
        low = corner - corner % edges
        high = np.minimum(stop + -stop % edges, shape)
        if (low != corner).any() or (high != stop).any():
            there = np.minimum(high, metadata.shape)
            old = self.signal.read(name, *map(slice, low, there))
            box = np.empty((high - low).tolist(), old.dtype)
            box[tuple(map(slice, old.shape))] = old
            box[tuple(map(slice, corner - low, stop - low))] = np.asarray(data)
            data = box
        larger = replace(metadata, shape=tuple(shape.tolist()))
        first = tuple((low // edges).tolist())
        path = f"{self.signal.path}/{name}"
        self.arrays.append(ArrayToWrite(path, data, larger, first))
        if larger.shape != metadata.shape:
            # the bytes of some dtypes are a dimension more
            self._document(name, ".zarray")["shape"][: len(start)] = larger.shape

    def attributes(self, name: str) -> Any:
        """Give the attributes of a node as they will be, to be changed."""
        document = self._document(name, ".zattrs")
        return document["attributes"] if "node_type" in document else document

    def _document(self, name: str, kind: str) -> Any:
        """Give the document of a node as it will be; it is of this kind in format 2."""
        key = f"{self.signal.path}/{name}/zarr.json"
        if key not in self.signal.documents:
            key = f"{self.signal.path}/{name}/{kind}"
        if key not in self.documents:
            self.documents[key] = parse_json(self.signal.documents[key], key)
        return self.documents[key]

    def set_size(self, number: int, size: int) -> None:
        """Plan that an axis without a vector has another size."""
        for name in (f"axis-{number}/x", f"axis-{number}"):
            if "size" in self.signal.attributes(name):
                self.attributes(name)["size"] = size

    def write(self, sink: InPlace, progress: bool, sync: bool) -> None:
        """Write chunks, and then the documents that name them."""
        write_arrays(sink, self.arrays, progress)
        if sync:
            sink.sync()
        self.name(sink)

    def name(self, sink: InPlace) -> None:
        """Write the documents that name chunks."""
        for key, document in self.documents.items():
            sink.put([(key, dump_json(document))])

    def complete(self, sink: InPlace, sync: bool) -> None:
        """Bring what is said of the signal elsewhere up to date: counts, digests and copies."""
        path, nodes = self.signal.path, self.signal.documents
        count = chunk_count(nodes_below(nodes, path))
        is_whole = record_of(nodes, path).get(CHUNKS) == count
        new = {key: dump_json(self.documents[key]) for key in self.documents}
        new |= sealed({**nodes, **new}, path, is_whole)
        sink.put(new.items())
        chunks = tuple(f"{array.path}/" for array in self.arrays)
        for key in KEYS:
            data = sink.get(key)
            found = None if data is None else expanded(key, data)
            if found is not None:
                copies, small = found
                fresh = {name: new.get(name, copies[name]) for name in copies}
                # Of small chunks, the copy has the names only.
                kept = (name for name in small if not name.startswith(chunks))
                fresh |= dict.fromkeys(kept, b"")
                sink.put([consolidated(fresh, 2 if key == KEYS[0] else 3)])
        if sync:
            sink.sync()


def writable(signal: StoredSignal, name: str) -> ArrayMetadata:
    """Give what the document of an array says, if zspy writes chunks of such arrays."""
    metadata = signal.array(name)
    _refuse_beside(signal.members)
    if metadata is None or not metadata.shape:
        problem = "an array without dimensions has no parts"
        raise EncodeError(problem, "data", _AT_ONCE)
    if not metadata.native or metadata.index != "end":
        problem = "the array is stored in a way that zspy does not write"
        raise EncodeError(problem, f"{signal.path}/{name}", _AT_ONCE)
    return metadata


def fitting(data: Any, metadata: ArrayMetadata) -> Any:
    """Give data, or its cells, the dtype of a stored array, where nothing is lost."""
    if metadata.cells is None:
        return _cast(data, metadata.dtype)
    cells = np.asarray(data)
    if metadata.cells in CELLS:
        return cells
    item = np.dtype(metadata.cells)
    found = (_cast(np.asarray(cell), item) for cell in cells.ravel())
    return object_array(found, cells.shape)


def _cast(data: Any, dtype: np.dtype[Any]) -> Any:
    if not np.can_cast(data.dtype, dtype, "safe"):
        problem = f"dtype {data.dtype} does not fit {dtype}, which is stored"
        raise EncodeError(problem, "data", "convert it")
    return data if data.dtype == dtype else data.astype(dtype)


def changed_in_place(
    place: Any, signals: Sequence[Mapping[str, Any]], options: WriteOptions
) -> bool:
    """Append the data of a signal, or write it into a region; False if neither is to be done.

    It is False as well where data is to be appended to a signal that is not there yet.
    """
    appends = options.append_dim is not None
    if not appends and options.region is None:
        return False
    if len(signals) != 1:
        problem = f"one signal at a time is written in place, not {len(signals)}"
        where = "append_dim" if appends else "region"
        raise EncodeError(problem, where, "call it for each")
    refuse_whole(place)
    if appends and not holds(place):
        return False
    (signal,) = signals
    title = title_of(signal)
    with closing(opened(place)) as file:
        refuse_remade(file)
        stored = stored_signal(file, title)
        if stored is None:
            if appends:
                return False
            problem = f"there is no signal {title!r}"
            raise EncodeError(problem, "metadata.General.title", "create it first")
        change = Change(stored)
        differs = False
        if appends:
            differs = _append(change, signal, options)
        else:
            _write_region(change, signal, options)
    # the file is closed before: a database is not opened twice by one process
    with in_place(place, stored.path) as sink:
        if appends:
            sink.remove_leftovers()
        change.write(sink, options.show_progressbar, options.sync)
        if appends:
            change.complete(sink, options.sync)
    if differs:
        new = {"metadata": signal["metadata"]}
        rewrite(place, title, lambda found: found.update(new), options)
    return True


def _encoded(signal: Mapping[str, Any], options: WriteOptions) -> Any:
    """Encode the signal of which something is to be stored in place, without its models."""
    encoder = Encoder(options.homogenize, options.unsupported, copy=False)
    root, (name,) = encode_file([{**signal, "models": {}}], encoder)
    group: Any = root[f"{ROOT}/{name}"]
    _refuse_beside(group.members)
    return group


def _refuse_beside(names: Collection[str]) -> None:
    """Refuse a signal which has nodes that its data does not do without."""
    # cells are stored in an array, or in a group whose name has a mark before
    if any(name.endswith((DATA_MASK, DATA_CELLS)) for name in names):
        problem = "masked data, and cells of several types, do not grow in place"
        raise EncodeError(problem, "data", _AT_ONCE)


def _append(
    change: Change, signal: Mapping[str, Any], options: WriteOptions
) -> bool:
    """Plan how data is added along an axis; tell whether the metadata is another one."""
    stored, shape = change.signal, change.signal.shape
    number = axis_number(stored.axes, options.append_dim, "append_dim")
    group = _encoded(signal, options)
    _compare_axes(stored, group, number)
    differs = _metadata_differs(stored, group.members["metadata"])
    size = group.members["data"].data.shape[number]
    members: Any = group.members
    if f"{stored.path}/zarr.json" in stored.documents:
        members = cast("Group", flattened(group)).members
    start = [0] * len(shape)
    start[number] = shape[number]
    for part in (SHAPES + "data", "data"):
        node = members.get(part)
        if (node is None) != (stored.array(part) is None):
            raise EncodeError(_ONE_RAGGED, "data", _AT_ONCE)
        if node is None:
            continue
        if NAV_SHAPE in node.attributes:
            _append_cells(change, part, node, members[OFFSETS + part], number)
        elif NAV_SHAPE in stored.attributes(part):
            raise EncodeError(_ONE_RAGGED, "data", _AT_ONCE)
        else:
            change.place(part, *_completed(stored, part, node.data, start, number))
    vector = members[f"axis-{number}"].members.get("axis")
    if vector is None:
        change.set_size(number, shape[number] + size)
    else:
        change.place(f"axis-{number}/axis", vector.data, [shape[number]])
    return differs


def _completed(
    stored: StoredSignal, name: str, data: Any, start: list[int], number: int
) -> tuple[Any, list[int]]:
    """Put in front of lazy data, which is not computed here, what is stored of the last chunks."""
    metadata = writable(stored, name)
    begin = [*start]
    begin[number] -= begin[number] % (metadata.shards or metadata.chunks)[number]
    if not is_lazy(data) or begin == start:
        return data, start
    ends = [*data.shape]
    ends[number] = start[number]
    old = stored.read(name, *map(slice, begin, ends))
    return np.concatenate([old, fitting(data, metadata)], number), begin


def _append_cells(
    change: Change, name: str, node: Any, offsets: Any, number: int
) -> None:
    """Plan how ragged data grows in format 3: its cells lie end to end, with offsets (FORMAT 9.5).

    Offsets go before the cells, shapes before the data.
    """
    if number != 0:
        problem = "ragged data of Zarr format 3 grows along its first axis only"
        raise EncodeError(problem, "append_dim", "use zarr_format=2")
    old = change.signal.attributes(name)
    nav = old.get(NAV_SHAPE, [])
    tail = node.data.shape[1:]
    kind = {**old, **node.attributes, NAV_SHAPE: nav}
    if kind != old or tail != writable(change.signal, name).shape[1:]:
        problem = "the stored cells are of another kind"
        raise EncodeError(problem, "data", _AT_ONCE)
    cells = prod(nav)
    last = change.signal.read(OFFSETS + name, slice(cells, cells + 1))
    end = int(last[0])
    change.place(OFFSETS + name, offsets.data[1:] + end, [cells + 1])
    change.place(name, node.data, [end, *[0] * len(tail)])
    change.attributes(name)[NAV_SHAPE][0] += node.attributes[NAV_SHAPE][0]


def _compare_axes(stored: StoredSignal, group: Any, number: int) -> None:
    """Refuse data whose other axes are not those of the stored signal."""
    axes = stored.axes
    given = sum(1 for name in group.members if name.startswith("axis-"))
    if given != len(axes):
        problem = f"it has {given} axes, the stored signal {len(axes)}"
        raise EncodeError(problem, "axes", _AGREE)
    for i, old in enumerate(axes):
        member = group.members[f"axis-{i}"]
        names = {*old, *member.attributes} - {RECORD, "is_binned", "navigate"}
        for key in sorted(names if i != number else {"_type"}):
            new, before = member.attributes.get(key, NONE), old.get(key, NONE)
            if new != before:
                problem = f"it is {new!r}, and {before!r} in the file"
                raise EncodeError(problem, f"axes[{i}].{key}", _AGREE)
        vector = member.members.get("axis")
        name = f"axis-{i}/axis"
        if i == number or vector is None or stored.array(name) is None:
            continue
        if not np.array_equal(stored.read(name, ...), vector.data):
            problem = "the vector is not that of the file"
            raise EncodeError(problem, f"axes[{i}].axis", _AGREE)


def _metadata_differs(stored: StoredSignal, metadata: Group) -> bool:
    """Tell whether metadata is another one than what is stored."""
    path = f"{stored.path}/metadata"
    keys = stored.file.below(path)
    old = {key[len(path) + 1 :]: stored.file[key] for key in keys}
    zarr_format: ZarrFormat = 3 if "zarr.json" in old else 2
    new = dict(serialise(metadata, zarr_format=zarr_format))
    for documents in (old, new):
        # the record that HyperSpy keeps of each saving
        for key in [*documents]:
            if key.startswith("General/FileIO/"):
                del documents[key]
    # nodes that are equal have the same documents, unless another program has written them
    return old != new and deserialise(old) != deserialise(new)


def _write_region(
    change: Change, signal: Mapping[str, Any], options: WriteOptions
) -> None:
    """Plan how data is written into a part of a stored array."""
    stored = change.signal
    metadata = writable(stored, "data")
    if metadata.cells is not None or NAV_SHAPE in stored.attributes("data"):
        problem = "ragged data is not written by regions"
        raise EncodeError(problem, "region", "append it, or write it whole")
    parts: dict[int, tuple[Any, Any]] = {}
    for axis, part in (options.region or {}).items():
        number = axis_number(stored.axes, axis, "region")
        if number in parts:
            where = f"region[{axis!r}]"
            raise EncodeError("the axis is named twice", where, "name it once")
        parts[number] = axis, part
    what, edges = "chunk", metadata.chunks
    if metadata.shards is not None:
        what, edges = "shard", metadata.shards
    corner: list[int] = []
    wanted: list[int] = []
    for number, (size, edge) in enumerate(zip(stored.shape, edges, strict=True)):
        axis, part = parts.get(number, (number, slice(None)))
        where = f"region[{axis!r}]"
        start, stop = _bounds(part, size, where)
        begin = start - start % edge
        end = min(stop + -stop % edge, metadata.shape[number])
        if options.safe_chunks and (begin, end) != (start, stop):
            problem = f"{start}:{stop} cuts a {what}: their borders are the multiples of {edge}"
            remedy = (
                f"use {begin}:{end}, or safe_chunks=False in one process at a time"
            )
            raise EncodeError(problem, where, remedy)
        corner.append(start)
        wanted.append(stop - start)
    given: dict[str, Any] = {"data": signal.get("data"), "axes": [], "metadata": {}}
    data = _encoded(given, options).members["data"].data
    if [*data.shape] != wanted:
        problem = (
            f"the shape {data.shape} is not {tuple(wanted)}, that of the region"
        )
        raise EncodeError(problem, "data", _AGREE)
    change.place("data", data, corner)


def _bounds(part: Any, size: int, where: str) -> tuple[int, int]:
    """Give where a part of an axis begins and ends."""
    given = part
    if not isinstance(given, slice) or part.step not in (None, 1):
        raise EncodeError(f"{part!r} is no plain slice", where, "use slice(a, b)")
    start = 0 if part.start is None else int(part.start)
    stop = size if part.stop is None else int(part.stop)
    if not 0 <= start < stop <= size:
        problem = f"{start}:{stop} lies outside of the {size} elements there"
        raise EncodeError(problem, where, "choose a part that is there")
    return start, stop
