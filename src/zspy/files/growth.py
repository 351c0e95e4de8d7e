"""Files that grow in place: data added along an axis, or written into a part of an array.

The order of what is written keeps the file a valid signal at each moment: first chunks, which
nobody sees beyond the shape of their array; then the document of the array; then that of the axis.
Readers take the smaller one of their two sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.consolidated import KEYS, consolidated, expanded, is_document
from ..documents.integrity import CHUNKS, chunk_count, nodes_below, record_of, sealed
from ..documents.json import dump_json, parse_json
from ..documents.ragged_csr import flattened
from ..documents.tree import serialise
from ..stores.backends import opened
from ..stores.base import Opened
from ..stores.in_place import InPlace, in_place, refuse_whole
from ..values.encoding import Encoder
from ..values.errors import EncodeError, FormatError
from ..values.names import NAV_SHAPE, NONE, OFFSETS, SHAPES
from ..values.nodes import Array, Group
from ..values.ragged import object_array
from ..values.root import ROOT, encode_file, title_of
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import ZarrFormat, is_lazy
from .edit import replace_metadata
from .lazy import stored_array
from .options import WriteOptions
from .parallel import dask_module
from .stored import StoredSignal, axis_number, stored_shape, stored_signal
from .write_arrays import ArrayToWrite, write_arrays

Edges = tuple[int, ...]


@dataclass(slots=True)
class Growth:
    """What makes a stored signal larger, in the order in which it is written."""

    signal: StoredSignal
    arrays: list[ArrayToWrite] = field(default_factory=list[ArrayToWrite])
    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])


def append(place: Any, signal: Mapping[str, Any], options: WriteOptions) -> bool:
    """Add the data of a signal to that of the same title; False if there is none yet."""
    refuse_whole(place)
    try:
        file = opened(place)
    except FormatError:
        return False
    with closing(file):
        stored = stored_signal(file, title_of(signal))
        if stored is None:
            return False
        growth = _planned(file, stored, signal, options)
        differs = _metadata_differs(file, stored, signal, options)
        commit_growth(place, file, growth, options)
    if differs:
        replace_metadata(place, stored.path, signal["metadata"])
    return True


def _metadata_differs(
    file: Opened,
    stored: StoredSignal,
    signal: Mapping[str, Any],
    options: WriteOptions,
) -> bool:
    """Tell whether the metadata of a signal is another one than what is stored."""
    path = f"{stored.path}/metadata"
    three = stored.array_key("data").endswith("zarr.json")
    zarr_format: ZarrFormat = 3 if three else 2
    group = encoded_group(signal, options).members["metadata"]
    storage = replace(options.storage(None), zarr_format=zarr_format)
    new = {f"{path}/{key}": data for key, data in serialise(group, storage=storage)}
    old = {key for key in stored.documents if key.startswith(f"{path}/")}
    if old != {key for key in new if is_document(key)}:
        return True
    for key, data in new.items():
        if key not in file:
            return True
        found = file[key]
        if data == found:
            continue
        if not is_document(key) or parse_json(data, key) != parse_json(found, key):
            return True
    return False


def _planned(
    file: Opened,
    stored: StoredSignal,
    signal: Mapping[str, Any],
    options: WriteOptions,
) -> Growth:
    """Hold a signal against the stored one, and plan how its data is added."""
    number = axis_number(stored.axes, options.append_dim, "append_dim")
    group = encoded_group(signal, options)
    three = stored.array_key("data").endswith("zarr.json")
    if three:
        group = cast("Group", flattened(group))
    _compare_axes(file, stored, group, number)
    size = stored_shape(stored)[number]
    growth = Growth(stored)
    data = group.members["data"]
    if not isinstance(data, Array):
        raise EncodeError("it is no array", "data")
    if three and NAV_SHAPE in data.attributes:
        _grow_flat(file, growth, group, number)
        added = _nav_shape(data)[number]
    else:
        for name in (SHAPES + "data", "data"):
            new = group.members.get(name)
            if isinstance(new, Array) != stored.has_array(name):
                raise _unlike("of this data and the stored one, one is ragged")
            if isinstance(new, Array):
                extend(file, growth, name, new.data, number, size)
        added = data.data.shape[number]
    grow_axis(file, growth, number, size + added, group.members[f"axis-{number}"])
    return growth


def encoded_group(signal: Mapping[str, Any], options: WriteOptions) -> Group:
    """Encode a signal whose data is to be added to another's."""
    encoder = Encoder(options.homogenize, options.unsupported, copy=False)
    root, (name,) = encode_file([{**signal, "models": {}}], encoder)
    experiments: Any = root.members[ROOT]
    group: Group = experiments.members[name]
    if {DATA_MASK, DATA_CELLS} & group.members.keys():
        problem = "masked data, and cells of several types, do not grow in place"
        raise EncodeError(problem, "data", "write all of it at once")
    return group


def extend(
    file: Opened, growth: Growth, name: str, data: Any, axis: int, size: int
) -> None:
    """Plan that data follows the first `size` elements of an array along an axis."""
    path = f"{growth.signal.path}/{name}"
    metadata = writable(growth.signal, name)
    data = fitting(data, metadata)
    others = [edge for i, edge in enumerate(metadata.shape) if i != axis]
    if [edge for i, edge in enumerate(data.shape) if i != axis] != others:
        problem = f"the shape {data.shape} does not continue {metadata.shape}"
        raise EncodeError(f"{problem} along dimension {axis}", "data")
    edge = (metadata.shards or metadata.chunks)[axis]
    start = size - size % edge
    shape = list(metadata.shape)
    shape[axis] = size + data.shape[axis]
    first = [0] * len(shape)
    first[axis] = start // edge
    if start < size:
        data = _joined_arrays(box(file, path, metadata, axis, start, size), data, axis)
    larger = replace(metadata, shape=tuple(shape))
    growth.arrays.append(ArrayToWrite(path, data, larger, tuple(first)))
    key = growth.signal.array_key(name)
    document = parse_json(growth.signal.documents[key], key)
    document["shape"][axis] = shape[axis]
    growth.documents[key] = dump_json(document)


def writable(signal: StoredSignal, name: str) -> ArrayMetadata:
    """Give what the document of an array says, if zspy writes chunks of such arrays."""
    metadata = signal.array(name)
    plain = metadata.native and metadata.axes is None and metadata.index == "end"
    if not plain:
        key = signal.array_key(name)
        raise EncodeError("it is stored in a way that zspy does not write", key)
    if not metadata.shape:
        raise EncodeError("an array without dimensions does not grow", "data")
    return metadata


def fitting(data: Any, metadata: ArrayMetadata) -> Any:
    """Give data the dtype of a stored array, where nothing is lost."""
    dtype = np.dtype(data.dtype)
    if metadata.cells is not None:
        cells = np.asarray(data)
        kinds = {np.asarray(cell).dtype for cell in cells.ravel()}
        if metadata.cells not in ("msgpack2", "json2", "vlen-utf8", "vlen-bytes"):
            item = np.dtype(metadata.cells)
            if not all(np.can_cast(kind, item, "safe") for kind in kinds):
                raise _unlike(f"the stored cells are of dtype {item}")
            bare = (np.asarray(cell).astype(item) for cell in cells.ravel())
            return object_array(bare, cells.shape)
        return cells
    if dtype == metadata.dtype:
        return data
    if not np.can_cast(dtype, metadata.dtype, "safe"):
        problem = f"dtype {dtype} does not fit {metadata.dtype}, which is stored"
        raise EncodeError(problem, "data", "convert it")
    return data.astype(metadata.dtype)


def box(
    file: Opened, path: str, metadata: ArrayMetadata, axis: int, start: int, stop: int
) -> Any:
    """Read what a stored array holds between two places along an axis."""
    source = stored_array(file, path, metadata)
    key = [slice(None)] * len(metadata.shape)
    key[axis] = slice(start, stop)
    return source[tuple(key)]


def _joined_arrays(stored: Any, data: Any, axis: int) -> Any:
    """Put an array behind a stored one."""
    if is_lazy(data):
        array = dask_module("array")
        return array.concatenate([array.from_array(stored), data], axis=axis)
    return np.concatenate([stored, data], axis=axis)


def _nav_shape(data: Array) -> Sequence[int]:
    shape: Any = data.attributes[NAV_SHAPE]
    return [*shape]


def _grow_flat(file: Opened, growth: Growth, group: Group, axis: int) -> None:
    """Plan how ragged data grows in format 3: its cells lie end to end, with offsets (FORMAT 9.5).

    Offsets go before the cells, shapes before the data.
    """
    if axis != 0:
        problem = "ragged data of Zarr format 3 grows along its first axis only"
        raise EncodeError(problem, "append_dim", "use zarr_format=2")
    for name in (SHAPES + "data", "data"):
        new = group.members.get(name)
        old = growth.signal.attributes(name)
        if isinstance(new, Array) != (NAV_SHAPE in old):
            raise _unlike("the stored cells have other shapes, or are no ragged data")
        if not isinstance(new, Array):
            continue
        stored_nav = [*old[NAV_SHAPE]]
        marks = {
            key: value for key, value in new.attributes.items() if key != NAV_SHAPE
        }
        if any(old.get(key) != value for key, value in marks.items()):
            raise _unlike("the stored cells are of another kind")
        cells = int(np.prod(stored_nav))
        offsets: Any = group.members[OFFSETS + name]
        path = f"{growth.signal.path}/{OFFSETS}{name}"
        metadata = writable(growth.signal, OFFSETS + name)
        end = int(box(file, path, metadata, 0, cells, cells + 1)[0])
        ends = np.asarray(offsets.data)[1:] + end
        extend(file, growth, OFFSETS + name, ends, 0, cells + 1)
        extend(file, growth, name, new.data, 0, end)
        key = growth.signal.array_key(name)
        document = parse_json(growth.documents[key], key)
        navigation = [stored_nav[0] + _nav_shape(new)[0], *stored_nav[1:]]
        document["attributes"][NAV_SHAPE] = navigation
        growth.documents[key] = dump_json(document)


def _unlike(problem: str) -> EncodeError:
    return EncodeError(problem, "data", "write all of it at once")


def grow_axis(
    file: Opened, growth: Growth, number: int, size: int, axis: object
) -> None:
    """Plan how an axis grows: by its size, or by the vector of what is added."""
    signal = growth.signal
    name = f"axis-{number}"
    vector = axis.members.get("axis") if isinstance(axis, Group) else None
    if isinstance(vector, Array):
        old = size - vector.data.shape[0]
        extend(file, growth, f"{name}/axis", vector.data, 0, old)
        return
    for group in (f"{name}/x", name):
        attributes = signal.attributes(group)
        if "size" in attributes:
            set_size(growth, group, size)


def set_size(growth: Growth, group: str, size: int) -> None:
    """Plan that the attributes of the group of an axis say another size."""
    path = f"{growth.signal.path}/{group}"
    key = f"{path}/zarr.json"
    three = key in growth.signal.documents
    key = key if three else f"{path}/.zattrs"
    document = parse_json(growth.signal.documents[key], key)
    attributes: Any = document["attributes"] if three else document
    attributes["size"] = size
    growth.documents[key] = dump_json(document)


def _compare_axes(
    file: Opened, stored: StoredSignal, group: Group, number: int
) -> None:
    """Refuse data whose other axes are not those of the stored signal."""
    axes = stored.axes
    given = sum(1 for name in group.members if name.startswith("axis-"))
    if given != len(axes):
        problem = f"it has {given} axes, the stored signal {len(axes)}"
        raise EncodeError(problem, "axes", "make them agree")
    for i, old in enumerate(axes):
        member: Any = group.members[f"axis-{i}"]
        new = member.attributes
        names = {*old, *new} - {"_sig_zspy", "is_binned", "navigate"}
        for key in sorted(names if i != number else {"_type"}):
            a, b = (
                None if one.get(key) == NONE else one.get(key) for one in (new, old)
            )
            if a != b:
                problem = f"it is {a!r}, and {b!r} in the file"
                raise EncodeError(problem, f"axes[{i}].{key}", "make them agree")
        vector = member.members.get("axis")
        if i != number and isinstance(vector, Array):
            path = f"{stored.path}/axis-{i}/axis"
            found = stored_array(file, path, stored.array(f"axis-{i}/axis"))[...]
            if not np.array_equal(found, np.asarray(vector.data)):
                problem = "the vector is not that of the file"
                raise EncodeError(problem, f"axes[{i}].axis", "make them agree")


def commit_growth(
    place: Any, file: Opened, growth: Growth, options: WriteOptions
) -> None:
    """Write what was planned, in its order; counts and copies come last."""
    file.close()  # a database is not opened twice by one process
    with in_place(place, growth.signal.path) as sink:
        sink.remove_leftovers()
        write_arrays(sink, growth.arrays, options.show_progressbar)
        write_documents(sink, growth, options.sync)


def write_documents(sink: InPlace, growth: Growth, sync: bool) -> None:
    """Write the documents of a signal that has grown, each after what it needs."""
    if sync:
        sink.sync()
    growth.documents |= grown_record(growth)
    for pair in growth.documents.items():
        sink.put([pair])
    _refresh_copies(sink, growth)
    if sync:
        sink.sync()


def grown_record(growth: Growth) -> dict[str, bytes]:
    """Give the document of the group, whose record counts chunks and sums up documents."""
    signal = growth.signal
    before = nodes_below(signal.documents, signal.path)
    count = record_of(before, signal.path).get(CHUNKS)
    complete = count is not None and count == chunk_count(before)
    return sealed({**before, **growth.documents}, signal.path, complete)


def _refresh_copies(sink: InPlace, growth: Growth) -> None:
    """Bring the document that holds all others up to date, where there is one."""
    changed = tuple(f"{array.path}/" for array in growth.arrays)
    for key in KEYS:
        data = sink.get(key)
        copies = None if data is None else expanded(key, data)
        if copies is not None:
            fresh = {
                name: growth.documents.get(name, copy)
                for name, copy in copies.items()
                if is_document(name) or not name.startswith(changed)
            }
            sink.put([consolidated(fresh, 2 if key == KEYS[0] else 3)])
