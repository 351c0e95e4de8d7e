"""Stored signals that change in place: data is added along an axis, or written into a part.

The order of what is written keeps the file a valid signal at each moment: first chunks, which
nobody sees beyond the shape of their array; then the document of the array; then that of the axis.
Readers take the smaller one of their two sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.codecs import CELLS
from ..documents.consolidated import KEYS, consolidated, expanded, is_document
from ..documents.integrity import (
    CHUNKS,
    chunk_count,
    nodes_below,
    record_of,
    sealed,
)
from ..documents.json import dump_json, parse_json
from ..documents.ragged_csr import flattened
from ..documents.tree import serialise
from ..stores.backends import changing, opened
from ..stores.base import Opened
from ..stores.in_place import InPlace, in_place, refuse_whole
from ..values.encoding import Encoder
from ..values.errors import EncodeError, FormatError
from ..values.names import NAV_SHAPE, NONE, OFFSETS, RECORD, SHAPES
from ..values.nodes import Array, Group
from ..values.ragged import object_array
from ..values.root import ROOT, encode_file, title_of
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import ZarrFormat, is_lazy
from .edit import replace_metadata
from .lazy import stored_array
from .options import WriteOptions
from .stored import StoredSignal, axis_number, stored_signal
from .write_arrays import ArrayToWrite, write_arrays

_AT_ONCE = "write all of it at once"
_AGREE = "make them agree"


@dataclass(slots=True)
class Change:
    """What is written into a stored signal: chunks, then documents, in their order."""

    signal: StoredSignal
    arrays: list[ArrayToWrite] = field(default_factory=list[ArrayToWrite])
    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def place(
        self, file: Opened | None, name: str, data: Any, start: Sequence[int]
    ) -> None:
        """Plan that data lies in an array from a corner on; the array grows to hold it.

        Chunks that it fills in part are completed by what a file holds of them now.
        """
        metadata = writable(self.signal, name)
        path = f"{self.signal.path}/{name}"
        data = fitting(data, metadata)
        stops = [at + size for at, size in zip(start, data.shape, strict=True)]
        shape = [*map(max, metadata.shape, stops)]
        edges = metadata.shards or metadata.chunks
        low = [at - at % edge for at, edge in zip(start, edges, strict=True)]
        high: list[int] = []
        for stop, edge, size in zip(stops, edges, shape, strict=True):
            high.append(min(stop + -stop % edge, size))
        if file is not None and (low, high) != ([*start], stops):
            there = [*map(min, high, metadata.shape)]
            stored = stored_array(file, path, metadata)
            old = stored[tuple(map(slice, low, there))]
            corner = np.subtract(start, low).tolist()
            data = _laid_over(old, data, corner, np.subtract(high, low).tolist())
        first = tuple(at // edge for at, edge in zip(low, edges, strict=True))
        larger = replace(metadata, shape=tuple(shape))
        self.arrays.append(ArrayToWrite(path, data, larger, first))
        if shape != [*metadata.shape]:
            key, document = self._document(name, ".zarray")
            # the bytes of some dtypes are a dimension more
            document["shape"][: len(shape)] = shape
            self.documents[key] = dump_json(document)

    def set_attribute(self, name: str, entry: str, value: Any) -> None:
        """Plan that an attribute of a node has another value."""
        key, document = self._document(name, ".zattrs")
        three = key.endswith("/zarr.json")
        attributes = document["attributes"] if three else document
        attributes[entry] = value
        self.documents[key] = dump_json(document)

    def _document(self, name: str, kind: str) -> tuple[str, dict[str, Any]]:
        key = self.signal.key(name, kind)
        data = self.documents.get(key, self.signal.documents[key])
        return key, parse_json(data, key)

    def set_size(self, number: int, size: int) -> None:
        """Plan that an axis without a vector has another size."""
        for name in (f"axis-{number}/x", f"axis-{number}"):
            if "size" in self.signal.attributes(name):
                self.set_attribute(name, "size", size)

    def write(self, sink: InPlace, progress: bool, sync: bool) -> None:
        """Write chunks, and then the documents that name them."""
        write_arrays(sink, self.arrays, progress)
        if sync:
            sink.sync()
        for pair in self.documents.items():
            sink.put([pair])

    def complete(self, sink: InPlace, sync: bool) -> None:
        """Bring what is said of the signal elsewhere up to date: counts, digests and copies."""
        nodes = nodes_below(self.signal.documents, self.signal.path)
        count = record_of(nodes, self.signal.path).get(CHUNKS)
        complete = count is not None and count == chunk_count(nodes)
        new = self.documents | sealed(
            nodes | self.documents, self.signal.path, complete
        )
        sink.put(new.items())
        chunks = tuple(f"{array.path}/" for array in self.arrays)
        for key in KEYS:
            data = sink.get(key)
            found = None if data is None else expanded(key, data)
            if found is not None:
                copies, small = found
                fresh = {name: new.get(name, copy) for name, copy in copies.items()}
                # Of small chunks, the copy has the names only.
                kept = (name for name in small if not name.startswith(chunks))
                fresh |= dict.fromkeys(kept, b"")
                sink.put([consolidated(fresh, 2 if key == KEYS[0] else 3)])
        if sync:
            sink.sync()


def _laid_over(old: Any, data: Any, corner: list[int], shape: list[int]) -> Any:
    """Put data over what is stored of the chunks that it lies in."""
    whole = np.empty(shape, old.dtype)
    whole[tuple(map(slice, old.shape))] = old
    ends = np.add(corner, data.shape).tolist()
    whole[tuple(map(slice, corner, ends))] = np.asarray(data)
    return whole


def writable(signal: StoredSignal, name: str) -> ArrayMetadata:
    """Give what the document of an array says, if zspy writes chunks of such arrays."""
    metadata = signal.array(name)
    if metadata is None or not metadata.shape:
        raise EncodeError(
            "an array without dimensions has no parts", "data", _AT_ONCE
        )
    if not metadata.native or metadata.index != "end":
        problem = "the array is stored in a way that zspy does not write"
        raise EncodeError(problem, signal.key(name, ".zarray"), _AT_ONCE)
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
    if np.can_cast(data.dtype, dtype, "safe"):
        return data if data.dtype == dtype else data.astype(dtype)
    problem = f"dtype {data.dtype} does not fit {dtype}, which is stored"
    raise EncodeError(problem, "data", "convert it")


def changed_in_place(
    place: Any, signals: Sequence[Mapping[str, Any]], options: WriteOptions
) -> bool:
    """Append the data of a signal, or write it into a region; False if neither is to be done.

    It is False as well where data is to be appended to a signal that is not there yet.
    """
    if options.append_dim is None and options.region is None:
        return False
    if len(signals) != 1:
        where = "region" if options.append_dim is None else "append_dim"
        problem = f"one signal at a time is written in place, not {len(signals)}"
        raise EncodeError(problem, where, "call it for each")
    refuse_whole(place)
    (signal,) = signals
    try:
        file = opened(place)
    except FormatError:
        if options.region is None:
            return False
        raise
    with closing(file):
        stored = stored_signal(file, title_of(signal))
        if stored is None and options.region is None:
            return False
        if stored is None:
            problem = f"there is no signal {title_of(signal)!r}"
            raise EncodeError(problem, "metadata.General.title", "create it first")
        differs = False
        if options.region is None:
            change, differs = _appended(file, stored, signal, options)
        else:
            change = _into_region(file, stored, signal, options)
    # the file is closed before: a database is not opened twice by one process
    with in_place(place, stored.path) as sink:
        if options.region is None:
            sink.remove_leftovers()
        change.write(sink, options.show_progressbar, options.sync)
        if options.region is None:
            change.complete(sink, options.sync)
    if differs:
        metadata = signal["metadata"]
        replace_metadata(place, stored.path, metadata, options.unsupported)
    return True


def alone(place: Any, options: WriteOptions) -> AbstractContextManager[None]:
    """Keep other writers away from a file, but for regions that share no chunk with others."""
    if options.region is not None and options.safe_chunks:
        return nullcontext()
    return changing(place, options.lock_timeout)


def for_the_rest(options: WriteOptions) -> WriteOptions:
    """Give the options of what is not done in place: a signal that will grow is added to a file."""
    return options if options.append_dim is None else replace(options, mode="a")


def _appended(
    file: Opened,
    stored: StoredSignal,
    signal: Mapping[str, Any],
    options: WriteOptions,
) -> tuple[Change, bool]:
    """Plan how data is added along an axis; tell whether the metadata is another one."""
    axes = stored.axes
    number = axis_number(axes, options.append_dim, "append_dim")
    encoder = Encoder(options.homogenize, options.unsupported, copy=False)
    root, (name,) = encode_file([{**signal, "models": {}}], encoder)
    group = cast("Any", root.members[ROOT]).members[name]
    if {DATA_MASK, DATA_CELLS} & group.members.keys():
        problem = "masked data, and cells of several types, do not grow in place"
        raise EncodeError(problem, "data", _AT_ONCE)
    three = stored.key("data", ".zarray").endswith("/zarr.json")
    differs = _metadata_differs(file, stored, group, 3 if three else 2)
    group = cast("Any", flattened(group)) if three else group
    _compare_axes(file, stored, group, number)
    change, shape = Change(stored), stored.shape
    start = [size if i == number else 0 for i, size in enumerate(shape)]
    added = group.members["data"]
    if three and NAV_SHAPE in added.attributes:
        size = added.attributes[NAV_SHAPE][number]
        _grow_flat(file, change, group, number)
    else:
        size = added.data.shape[number]
        for part in (SHAPES + "data", "data"):
            node = group.members.get(part)
            if (node is None) != (stored.array(part) is None):
                problem = "of this data and the stored one, one is ragged"
                raise EncodeError(problem, "data", _AT_ONCE)
            if node is not None:
                _append_rows(file, change, part, node.data, start, number)
    vector = group.members[f"axis-{number}"].members.get("axis")
    if vector is None:
        change.set_size(number, shape[number] + size)
    else:
        change.place(file, f"axis-{number}/axis", vector.data, [shape[number]])
    return change, differs


def _append_rows(
    file: Opened, change: Change, name: str, data: Any, start: list[int], axis: int
) -> None:
    """Plan that data lies behind an array; of a lazy one what completes a chunk is computed."""
    if is_lazy(data):
        metadata = writable(change.signal, name)
        count = -start[axis] % (metadata.shards or metadata.chunks)[axis]
        front = (slice(None),) * axis
        if count:
            head = data[(*front, slice(count))].compute()
            change.place(file, name, head, start)
            data = data[(*front, slice(count, None))]
            start = [*start[:axis], start[axis] + count, *start[axis + 1 :]]
        if not data.size:
            return
    change.place(file, name, data, start)


def _grow_flat(file: Opened, change: Change, group: Group, axis: int) -> None:
    """Plan how ragged data grows in format 3: its cells lie end to end, with offsets (FORMAT 9.5).

    Offsets go before the cells, shapes before the data.
    """
    if axis != 0:
        problem = "ragged data of Zarr format 3 grows along its first axis only"
        raise EncodeError(problem, "append_dim", "use zarr_format=2")
    for name in (SHAPES + "data", "data"):
        node = cast("Array | None", group.members.get(name))
        new = {} if node is None else dict(node.attributes)
        old = change.signal.attributes(name)
        added: Any = new.pop(NAV_SHAPE, None)
        stored: Any = old.pop(NAV_SHAPE, None)
        if new.items() - old.items() or (added is None) != (stored is None):
            raise EncodeError(
                "the stored cells are of another kind", "data", _AT_ONCE
            )
        if node is None:
            continue
        offsets: Any = group.members[OFFSETS + name]
        cells = int(cast("Any", np.prod(stored)))
        metadata = writable(change.signal, OFFSETS + name)
        path = f"{change.signal.path}/{OFFSETS}{name}"
        end = int(stored_array(file, path, metadata)[cells : cells + 1][0])
        change.place(file, OFFSETS + name, offsets.data[1:] + end, [cells + 1])
        change.place(file, name, node.data, [end, *[0] * (node.data.ndim - 1)])
        change.set_attribute(name, NAV_SHAPE, [stored[0] + added[0], *stored[1:]])


def _compare_axes(
    file: Opened, stored: StoredSignal, group: Group, number: int
) -> None:
    """Refuse data whose other axes are not those of the stored signal."""
    axes = stored.axes
    given = sum(1 for name in group.members if name.startswith("axis-"))
    if given != len(axes):
        problem = f"it has {given} axes, the stored signal {len(axes)}"
        raise EncodeError(problem, "axes", _AGREE)
    for i, old in enumerate(axes):
        member: Any = group.members[f"axis-{i}"]
        names = {*old, *member.attributes} - {RECORD, "is_binned", "navigate"}
        for key in sorted(names if i != number else {"_type"}):
            new, before = member.attributes.get(key, NONE), old.get(key, NONE)
            if new != before:
                problem = f"it is {new!r}, and {before!r} in the file"
                raise EncodeError(problem, f"axes[{i}].{key}", _AGREE)
        vector, metadata = (
            member.members.get("axis"),
            stored.array(f"axis-{i}/axis"),
        )
        if i != number and vector is not None and metadata is not None:
            found = stored_array(file, f"{stored.path}/axis-{i}/axis", metadata)[
                ...
            ]
            if not np.array_equal(found, vector.data):
                problem = "the vector is not that of the file"
                raise EncodeError(problem, f"axes[{i}].axis", _AGREE)


def _metadata_differs(
    file: Opened, stored: StoredSignal, group: Group, zarr_format: ZarrFormat
) -> bool:
    """Tell whether metadata is another one than what is stored, by its documents.

    The record that HyperSpy keeps of each saving does not count.
    """
    path = f"{stored.path}/metadata/"
    saved = f"{path}General/FileIO/"
    documents = serialise(group.members["metadata"], zarr_format=zarr_format)
    new = {path + key: data for key, data in documents}
    new = {key: new[key] for key in new if not key.startswith(saved)}
    below = (key for key in stored.documents if key.startswith(path))
    old = {key for key in below if not key.startswith(saved)}
    if old != {key for key in new if is_document(key)}:
        return True
    for key, data in new.items():
        found = file.get(key, b"")
        same = data == found
        if not same and found and is_document(key):
            same = parse_json(data, key) == parse_json(found, key)
        if not same:
            return True
    return False


def _into_region(
    file: Opened,
    stored: StoredSignal,
    signal: Mapping[str, Any],
    options: WriteOptions,
) -> Change:
    """Plan how data is written into a part of a stored array."""
    metadata = writable(stored, "data")
    if metadata.cells is not None or NAV_SHAPE in stored.attributes("data"):
        problem = "ragged data is not written by regions"
        raise EncodeError(problem, "region", "append it, or write it whole")
    axes, shape = stored.axes, stored.shape
    bounds = [(0, size) for size in shape]
    names: dict[int, Any] = {}
    for axis, part in (options.region or {}).items():
        number = axis_number(axes, axis, "region")
        where = f"region[{axis!r}]"
        if number in names:
            raise EncodeError("the axis is named twice", where, "name it once")
        names[number] = axis
        bounds[number] = _bounds(part, shape[number], where)
    wanted = tuple(stop - start for start, stop in bounds)
    data = signal["data"]
    if data.shape != wanted:
        problem = f"the shape {data.shape} is not {wanted}, that of the region"
        raise EncodeError(problem, "data", _AGREE)
    what, edges = "chunk", metadata.chunks
    if metadata.shards is not None:
        what, edges = "shard", metadata.shards
    for number, ((start, stop), edge) in enumerate(zip(bounds, edges, strict=True)):
        size = metadata.shape[number]
        cut = start % edge or (stop % edge and stop != size)
        if cut and options.safe_chunks:
            borders = f"{start - start % edge}:{min(stop + -stop % edge, size)}"
            problem = (
                f"{start}:{stop} cuts a {what}: their borders are the multiples"
            )
            remedy = f"use {borders}, or safe_chunks=False in one process at a time"
            where = f"region[{names.get(number, number)!r}]"
            raise EncodeError(f"{problem} of {edge}", where, remedy)
    change = Change(stored)
    change.place(file, "data", data, [start for start, _ in bounds])
    return change


def _bounds(part: Any, size: int, where: str) -> tuple[int, int]:
    """Give where a part of an axis begins and ends."""
    chosen = part
    if not isinstance(part, slice) or chosen.step not in (None, 1):
        raise EncodeError(f"{part!r} is no plain slice", where, "use slice(a, b)")
    start = 0 if chosen.start is None else int(chosen.start)
    stop = size if chosen.stop is None else int(chosen.stop)
    if not 0 <= start < stop <= size:
        problem = f"{start}:{stop} lies outside of the {size} elements there"
        raise EncodeError(problem, where, "choose a part that is there")
    return start, stop
