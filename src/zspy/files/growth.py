"""Stored signals that change in place: data is added along an axis, or written into a part.

The order of what is written keeps the file a valid signal at each moment: first chunks, which
nobody sees beyond the shape of their array; then the document of the array; then that of the axis.
Readers take the smaller one of their two sizes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.codecs import CELLS
from ..documents.consolidated import KEYS, consolidated, expanded
from ..documents.integrity import is_complete, with_record
from ..documents.json import dump_json, parse_json
from ..documents.ragged_csr import flattened
from ..documents.tree import deserialise, serialise
from ..stores.backends import holds, opened
from ..stores.base import InPlace
from ..stores.in_place import (
    in_place,
    refuse_kind,
    refuse_new,
    refuse_whole,
)
from ..values.errors import EncodeError, shown
from ..values.names import NAV_SHAPE, NONE, OFFSETS, RECORD, SHAPES
from ..values.nodes import Group
from ..values.ragged import object_array
from ..values.records import is_masked
from ..values.root import EXPERIMENTS, encode_file, title_of
from ..values.signals import DATA_MASK
from ..values.types import Entries, is_lazy
from .edit import rewrite
from .lazy import refuse_own
from .options import WriteOptions
from .stored import MASK, StoredSignal, refuse_cells, stored_signal
from .write_arrays import ArrayToWrite, write_arrays

_WRITE_ALL = "write all of it at once"
_AGREE = "make them agree"


@dataclass(slots=True)
class Change:
    """What is written into a stored signal: chunks, then documents, in their order."""

    signal: StoredSignal
    grows: bool
    is_rewritten: bool = False  # Whether all of the signal is written instead.
    arrays: list[ArrayToWrite] = field(default_factory=list[ArrayToWrite])
    documents: dict[str, Any] = field(default_factory=dict[str, Any])

    def plan(self, name: str, data: Any, start: Sequence[int]) -> None:
        """Plan that data lies in an array from a corner on, up to the end of an array that grows.

        Only whole chunks are written: where the data begins or ends within one, its other elements
        are read from the file, and put before and behind the data, dimension by dimension.
        """
        metadata = writable(self.signal, name)
        data = fitting(data, metadata)
        edges = metadata.unit
        corner = np.array(start)
        stop = corner + data.shape
        # an append that was not completed may have left the array larger than its axes
        shape = stop if self.grows else np.array(metadata.shape)
        # the corners of the box of whole chunks around the data
        low = corner - corner % edges
        high = np.minimum(stop + -stop % edges, shape)
        box = [*map(slice, start, stop.tolist())]
        for axis, part in enumerate(box):
            pieces = [data]
            if low[axis] < part.start:
                box[axis] = slice(low[axis], part.start)
                pieces.insert(0, self.signal.read(name, *box))
            if part.stop < high[axis]:
                box[axis] = slice(part.stop, high[axis])
                pieces.append(self.signal.read(name, *box))
            box[axis] = slice(low[axis], high[axis])
            if len(pieces) > 1:  # lazy data is not computed here
                data = np.concatenate(pieces, axis)
        larger = replace(metadata, shape=tuple(shape.tolist()))
        first = tuple((low // edges).tolist())
        self.arrays.append(
            ArrayToWrite(f"{self.signal.path}/{name}", data, larger, first)
        )
        if larger.shape != metadata.shape:
            # the bytes of some dtypes are a dimension more
            self._document(name, ".zarray")["shape"][: len(start)] = larger.shape

    def plan_mask(self, data: Any, mask: Any, start: Sequence[int]) -> None:
        """Plan that the mask of data lies in that of the stored data, which is named before.

        A reader takes of a mask what belongs to the data that there is. Data may have none.
        """
        refuse_mask(self.signal, mask)
        stored = self.signal.array(MASK)
        if stored is not None:
            if mask is np.ma.nomask:
                mask = np.zeros_like(data, stored.dtype)
            self.plan(MASK, mask, start)

    def attributes(self, name: str) -> Any:
        """Give the attributes of a node as they will be, to be changed."""
        document = self._document(name, ".zattrs")
        return document["attributes"] if "node_type" in document else document

    def _document(self, name: str, kind: str) -> Any:
        """Give the document of a node as it will be; it is of this kind in format 2."""
        kind = "zarr.json" if self.signal.is_three else kind
        key = f"{self.signal.path}/{name}/{kind}"
        if key not in self.documents:
            self.documents[key] = parse_json(self.signal.documents[key], key)
        return self.documents[key]

    def set_size(self, number: int, size: int) -> None:
        """Plan that an axis has another size, where its size is stored."""
        for name in (f"axis-{number}/x", f"axis-{number}"):
            if "size" in self.signal.attributes(name):
                self.attributes(name)["size"] = size

    def put_documents(self, sink: InPlace) -> None:
        """Write the documents by which readers see the chunks, in their order."""
        for key, document in self.documents.items():
            sink.put([(key, dump_json(document))])

    def update_copies(self, sink: InPlace, sync: bool) -> None:
        """Bring what is said of the signal elsewhere up to date: counts, digests and copies."""
        path, nodes = self.signal.path, self.signal.documents
        new = {key: dump_json(self.documents[key]) for key in self.documents}
        new |= with_record({**nodes, **new}, path, is_complete(nodes, path))
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
    if metadata is None or not metadata.shape:
        problem = "an array without dimensions has no parts"
        raise EncodeError(problem, "data", _WRITE_ALL)
    if not metadata.native or metadata.index != "end":
        problem = "the array is stored in a way that zspy does not write"
        raise EncodeError(problem, f"{signal.path}/{name}", _WRITE_ALL)
    return metadata


def fitting(data: Any, metadata: ArrayMetadata, where: str = "data") -> Any:
    """Give data, or its cells, the dtype of a stored array, where nothing is lost."""
    if metadata.cells is None or metadata.cells in CELLS:
        return _cast(data, metadata.dtype, where)
    cells = np.asarray(data)
    item = np.dtype(metadata.cells)
    found = (_cast(np.asarray(cell), item, where) for cell in cells.ravel())
    return object_array(found, cells.shape)


def _cast(data: Any, dtype: np.dtype[Any], where: str) -> Any:
    # for NumPy, all numbers are safe as text, as records and as durations
    kinds = {data.dtype.kind, dtype.kind}
    alike = len(kinds) == 1 or kinds <= {*"biufc"}
    is_safe = np.can_cast(data.dtype, dtype, "safe") and not _rounds(data, dtype)
    if not alike or not is_safe:
        problem = f"dtype {data.dtype} does not fit {dtype}, which is stored"
        raise EncodeError(problem, where, "convert it")
    return data if data.dtype == dtype else data.astype(dtype)


def _rounds(data: Any, dtype: np.dtype[Any]) -> bool:
    """Tell whether integers would become others as floats of 64 bits, which NumPy calls safe."""
    kind = data.dtype.kind
    if kind not in "iu" or data.dtype.itemsize < 8 or dtype.char not in "dD":
        return False
    largest = 2**53
    return is_lazy(data) or bool((data > largest).any() or (data < -largest).any())


def refuse_mask(signal: StoredSignal, mask: Any) -> None:
    """Refuse the mask of data where the stored data has none, but for one that hides nothing."""
    hides = is_lazy(mask) or mask.dtype.names or mask.any()
    if hides and signal.array(MASK) is None:
        problem = "it is masked, and there is no mask in the file"
        raise EncodeError(problem, "data", "fill it, or begin with masked data")


def changed_in_place(
    place: Any, signals: Sequence[Entries], options: WriteOptions
) -> bool:
    """Append the data of a signal, or write it into a region; False if neither is to be done.

    It is False as well where data is to be appended to a signal that is not there yet.
    """
    appends = options.append_dim is not None
    if not appends and options.region is None:
        return False
    if len(signals) != 1:
        problem = f"one signal at a time is written in place, not {len(signals)}"
        raise EncodeError(
            problem, "append_dim" if appends else "region", "call it for each"
        )
    if appends:
        refuse_whole(place)
        if not holds(place):
            refuse_new(place, options.store_type)
            return False
    (signal,) = signals
    title = title_of(signal)
    with closing(opened(place)) as file:
        refuse_kind(file.kind, "filename")
        stored = stored_signal(file, title)
        if stored is None:
            if appends:
                return False
            problem = f"there is no signal {title!r}"
            raise EncodeError(problem, "metadata.General.title", "create it first")
        change = Change(stored, appends)
        differs = False
        if appends:
            differs = _append(change, signal, options)
        else:
            _write_region(change, signal, options)
            refuse_own(change.arrays, place)

    def grown(found: dict[str, Any]) -> None:
        if change.is_rewritten:
            _add_data(found, signal, stored.axis_number(options.append_dim, ""))
        if differs:
            found["metadata"] = signal["metadata"]

    if change.is_rewritten:
        rewrite(place, title, grown, options, anew=True)
        return True
    # the file is closed before: a database is not opened twice by one process
    with in_place(place, stored.path) as sink:
        if appends:
            sink.remove_leftovers()
        if sink.names_first:
            change.put_documents(sink)
        write_arrays(sink, change.arrays, options.show_progressbar)
        if options.sync:
            sink.sync()
        change.put_documents(sink)
        if appends:
            with _telling_that_data_is_there():
                change.update_copies(sink, options.sync)
    if differs:
        with _telling_that_data_is_there():
            rewrite(place, title, grown, options)
    return True


@contextmanager
def _telling_that_data_is_there() -> Generator[None]:
    """Note in an error that the data is in the file: who tries again would have it twice."""
    try:
        yield
    except Exception as error:
        error.add_note("the data is in the file already: do not append it again")
        raise


def _encoded(signal: Entries, options: WriteOptions) -> Any:
    """Encode the signal of which something is to be stored in place, without its models."""
    root, (name,) = encode_file([{**signal, "models": {}}], options.encoder())
    group: Any = root[f"{EXPERIMENTS}/{name}"]
    refuse_cells(group.members, group.attributes)
    return group


def _append(change: Change, signal: Entries, options: WriteOptions) -> bool:
    """Plan how data is added along an axis; tell whether the metadata is another one."""
    stored, shape = change.signal, change.signal.shape
    number = stored.axis_number(options.append_dim, "append_dim")
    group = _encoded(signal, options)
    _compare_axes(stored, group, number)
    refuse_points(stored, number)
    differs = _metadata_differs(stored, group.members["metadata"])
    members: Any = group.members
    data, mask = members["data"].data, _mask_of(members)
    if stored.is_three:
        members = cast("Group", flattened(group)).members
    mark = (OFFSETS if stored.is_three else SHAPES) + "data"
    if (mark in members) != (stored.array(mark) is not None):
        problem = "of this data and the stored one, one is ragged"
        raise EncodeError(problem, "data", _WRITE_ALL)
    start = [0] * len(shape)
    start[number] = shape[number]
    change.plan_mask(data, mask, start)
    vector = members.get(f"axis-{number}", Group()).members.get("axis")
    if vector is not None:
        vector = _compare_vector(stored, vector, number)
    names = (SHAPES + "data", "data")
    if any(
        _cells_cannot_follow(stored, name, members.get(name), number)
        for name in names
    ):
        change.is_rewritten = True
        fitting(members["data"].data, writable(stored, "data"))
        return differs
    for name in names:
        node = members.get(name)
        if node is not None and NAV_SHAPE in node.attributes:
            _append_cells(change, name, node, members[OFFSETS + name], number)
        elif node is not None:
            change.plan(name, node.data, start)
    change.set_size(number, shape[number] + data.shape[number])
    if vector is not None:
        change.plan(f"axis-{number}/axis", vector, [shape[number]])
    return differs


def _compare_vector(stored: StoredSignal, vector: Any, number: int) -> Any:
    """Give the vector of an axis as the file has it; refuse one that does not go on as it began."""
    name, where = f"axis-{number}/axis", f"axes[{number}].axis"
    more = fitting(np.asarray(vector.data), writable(stored, name), where)
    points = np.concatenate([stored.read(name, slice(stored.shape[number])), more])
    before, after = points[:-1], points[1:]
    if not (before < after).all() and not (before > after).all():
        problem = "the vector would turn back, as none does that HyperSpy reads"
        raise EncodeError(problem, where, "go on as it began")
    return more


def _mask_of(members: Entries) -> Any:
    """Give the mask of the data of an encoded signal."""
    beside: Any = members.get(DATA_MASK, Group())
    return getattr(beside.members.get("mask"), "data", np.ma.nomask)


def _cells_cannot_follow(
    stored: StoredSignal, name: str, node: Any, number: int
) -> bool:
    """Tell whether new cells of ragged data cannot follow the stored ones, as format 3 has them.

    There all cells lie end to end. New ones cannot follow where they are of another kind, or belong
    between those that are there, or where a killed writer has left cells behind, which would come
    before them.
    """
    old = stored.attributes(name)
    nav = old.get(NAV_SHAPE)
    if node is None:
        return nav is not None
    if nav is None:
        return NAV_SHAPE in node.attributes
    tail = writable(stored, name).shape[1:]
    kind = {**old, **node.attributes, NAV_SHAPE: nav}
    is_alike = kind == old and tail == node.data.shape[1:]
    return not is_alike or prod(nav[:number]) != 1 or nav != stored.shape


def _append_cells(
    change: Change, name: str, node: Any, offsets: Any, number: int
) -> None:
    """Plan how ragged data grows in format 3: its cells lie end to end, with offsets.

    Clause 9.6 of the specification says how.
    Offsets go before the cells, shapes before the data.
    """
    nav = change.signal.attributes(name)[NAV_SHAPE]
    cells = prod(nav)
    (end,) = change.signal.read(OFFSETS + name, slice(cells, cells + 1)).tolist()
    change.plan(OFFSETS + name, offsets.data[1:] + end, [cells + 1])
    change.plan(name, node.data, [end, *[0] * (node.data.ndim - 1)])
    change.attributes(name)[NAV_SHAPE][number] += node.attributes[NAV_SHAPE][number]


def _add_data(found: dict[str, Any], signal: Entries, number: int) -> None:
    """Add the data of a signal to that of one that was read, and to its axis."""
    parts = [np.asanyarray(one["data"]) for one in (found, signal)]
    ma: Any = np.ma
    join = ma.concatenate if any(map(is_masked, parts)) else np.concatenate
    found["data"] = join(parts, number)
    axis: Any = found["axes"][number] if found["axes"] else {}
    if "axis" in axis:
        more: Any = signal["axes"][number]
        axis["axis"] = np.concatenate([axis["axis"], more["axis"]])
    for sized in (axis, axis.get("x", {})):
        if "size" in sized:
            sized["size"] = found["data"].shape[number]


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


def refuse_points(signal: StoredSignal, number: int) -> None:
    """Refuse an axis that grows and is a function of points, of which none would be added."""
    start = f"{signal.path}/axis-{number}/x/"
    if any(path.startswith(start) for path in signal.nodes.arrays):
        problem = "the axis is a function of given points"
        raise EncodeError(problem, f"axes[{number}].x", _WRITE_ALL)


def _metadata_differs(stored: StoredSignal, metadata: Group) -> bool:
    """Tell whether metadata is another one than what is stored."""
    path = f"{stored.path}/metadata/"
    keys = stored.file.below(path[:-1])
    there = ((key.removeprefix(path), stored.file[key]) for key in keys)
    given = serialise(metadata, zarr_format=3 if stored.is_three else 2)
    # but for the record that HyperSpy keeps of each saving
    old, new = (
        {key: data for key, data in pair if not key.startswith("General/FileIO/")}
        for pair in (there, given)
    )
    # nodes that are equal have the same documents, unless another program has written them
    return old != new and deserialise(old) != deserialise(new)


def _write_region(change: Change, signal: Entries, options: WriteOptions) -> None:
    """Plan how data is written into a part of a stored array."""
    stored = change.signal
    if writable(stored, "data").cells or NAV_SHAPE in stored.attributes("data"):
        problem = "ragged data is not written by regions"
        raise EncodeError(problem, "region", "append it, or write it whole")
    region = options.region or dict[Any, Any]()
    axes = {stored.axis_number(axis, "region"): axis for axis in region}
    if len(axes) != len(region):
        raise EncodeError("the axis is named twice", "region", "name it once")
    box = [
        _part_of(
            stored, number, axes.get(number, number), region, options.safe_chunks
        )
        for number in range(len(stored.shape))
    ]
    wanted = [stop - start for start, stop in box]
    given: dict[str, Any] = {"data": signal.get("data"), "axes": [], "metadata": {}}
    members = _encoded(given, options).members
    data = members["data"].data
    if [*data.shape] != wanted:
        problem = (
            f"the shape {data.shape} is not {tuple(wanted)}, that of the region"
        )
        raise EncodeError(problem, "data", _AGREE)
    corner = [start for start, _ in box]
    change.plan_mask(data, _mask_of(members), corner)
    change.plan("data", data, corner)


def _part_of(
    stored: StoredSignal, number: int, axis: Any, region: Any, is_safe: bool
) -> tuple[int, int]:
    """Give where a part of an axis begins and ends, which cuts no chunk if that is asked."""
    where = f"region[{axis!r}]"
    size = stored.shape[number]
    part: Any = region.get(axis, slice(None))
    given: object = part
    start = stop = step = 0
    with suppress(TypeError, ValueError):
        if isinstance(given, slice):
            start, stop, step = part.indices(size)
    if step != 1:
        problem = f"{shown(part):.80} is no plain slice"
        raise EncodeError(problem, where, "use slice(a, b)")
    asked = (part.start or 0, size if part.stop is None else part.stop)
    counted = tuple(bound + size * (bound < 0) for bound in asked)
    if counted != (start, stop) or start >= stop:
        problem = f"{asked[0]}:{asked[1]} lies outside of the {size} elements there"
        raise EncodeError(problem, where, "choose a part that is there")
    names = ("data", MASK) if is_safe else ()
    for metadata in filter(None, map(stored.array, names)):
        edge = metadata.unit[number]
        begin = start - start % edge
        end = min(stop + -stop % edge, size)
        if (begin, end) != (start, stop):
            what = "shard" if metadata.shards else "chunk"
            problem = f"{start}:{stop} cuts a {what}: their borders are the multiples of {edge}"
            remedy = (
                f"use {begin}:{end}, or safe_chunks=False in one process at a time"
            )
            raise EncodeError(problem, where, remedy)
    return start, stop
