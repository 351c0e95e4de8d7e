"""Writing into a part of a stored array, which is how many machines write one.

Regions that cover whole chunks, or shards, need no lock: no two writers touch one document.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..stores.backends import opened
from ..stores.in_place import in_place, refuse_whole
from ..values.errors import EncodeError
from ..values.names import NAV_SHAPE
from ..values.root import title_of
from ..values.types import is_lazy
from .growth import fitting, writable
from .lazy import stored_array
from .options import WriteOptions
from .parallel import dask_module
from .stored import StoredSignal, axis_number, stored_shape, stored_signal
from .write_arrays import ArrayToWrite, write_arrays

Bounds = tuple[tuple[int, int], ...]


def write_region(
    place: Any,
    signal: Mapping[str, Any],
    options: WriteOptions,
) -> None:
    """Write the data of a signal into a part of the stored signal of the same title."""
    refuse_whole(place)
    with closing(opened(place)) as file:
        stored = stored_signal(file, title_of(signal))
        if stored is None:
            problem = f"there is no signal {title_of(signal)!r}"
            raise EncodeError(problem, "metadata.General.title", "create it first")
        metadata = writable(stored, "data")
        if metadata.cells is not None or NAV_SHAPE in stored.attributes("data"):
            problem = "ragged data is not written by regions"
            raise EncodeError(problem, "region", "append it, or write it whole")
        bounds = _bounds(stored, options.region or {})
        data = fitting(signal["data"], metadata)
        shape = tuple(stop - start for start, stop in bounds)
        if data.shape != shape:
            problem = f"the shape {data.shape} is not {shape}, that of the region"
            raise EncodeError(problem, "data", "make them agree")
        first = _first_chunks(metadata, bounds)
        if options.safe_chunks:
            _refuse_shared_chunks(stored, metadata, bounds)
        else:
            path = f"{stored.path}/data"
            source = stored_array(file, path, metadata)
            data = _merged(source, metadata, bounds, data)
    with in_place(place, stored.path) as sink:
        target = ArrayToWrite(f"{stored.path}/data", data, metadata, first)
        write_arrays(sink, [target], options.show_progressbar)
        if options.sync:
            sink.sync()


def _bounds(stored: StoredSignal, region: Mapping[Any, slice]) -> Bounds:
    """Give where a region begins and ends along each dimension."""
    shape = stored_shape(stored)
    bounds = [(0, size) for size in shape]
    seen: set[int] = set()
    for axis, part in region.items():
        number = axis_number(stored.axes, axis, "region")
        where = f"region[{axis!r}]"
        if number in seen:
            raise EncodeError("the axis is named twice", where, "name it once")
        seen.add(number)
        plain: object = part
        if not isinstance(plain, slice) or part.step not in (None, 1):
            raise EncodeError(f"{part!r} is no plain slice", where, "use slice(a, b)")
        size = shape[number]
        start = 0 if part.start is None else part.start
        stop = size if part.stop is None else part.stop
        if not 0 <= start < stop <= size:
            problem = f"{start}:{stop} lies outside of the {size} elements there"
            raise EncodeError(problem, where, "choose a part that is there")
        bounds[number] = int(start), int(stop)
    return tuple(bounds)


def _edges(metadata: ArrayMetadata) -> tuple[int, ...]:
    return metadata.shards or metadata.chunks


def _first_chunks(metadata: ArrayMetadata, bounds: Bounds) -> tuple[int, ...]:
    pairs = zip(bounds, _edges(metadata), strict=True)
    return tuple(start // edge for (start, _), edge in pairs)


def _refuse_shared_chunks(
    stored: StoredSignal, metadata: ArrayMetadata, bounds: Bounds
) -> None:
    """Refuse a region that shares a chunk, or a shard, with what lies beside it."""
    what = "shard" if metadata.shards else "chunk"
    axes = stored.axes
    sides = zip(bounds, _edges(metadata), metadata.shape, strict=True)
    for number, ((start, stop), edge, size) in enumerate(sides):
        if start % edge == 0 and (stop % edge == 0 or stop == size):
            continue
        low = start - start % edge
        high = min(stop + -stop % edge, size)
        name = axes[number].get("name") if number < len(axes) else None
        where = f"region[{name if isinstance(name, str) else number!r}]"
        problem = (
            f"{start}:{stop} cuts a {what}: their borders are the multiples of {edge}"
        )
        remedy = f"use {low}:{high}, or safe_chunks=False in one process at a time"
        raise EncodeError(problem, where, remedy)


def _merged(source: Any, metadata: ArrayMetadata, bounds: Bounds, data: Any) -> Any:
    """Put data into the chunks that it lies in, as they are stored."""
    outer: list[slice] = []
    inner: list[slice] = []
    sides = zip(bounds, _edges(metadata), metadata.shape, strict=True)
    for (start, stop), edge, size in sides:
        low = start - start % edge
        outer.append(slice(low, min(stop + -stop % edge, size)))
        inner.append(slice(start - low, stop - low))
    if is_lazy(data):
        array = dask_module("array")
        merged = array.from_array(source, asarray=False)[tuple(outer)].copy()
        merged[tuple(inner)] = data
        return merged
    merged = np.array(source[tuple(outer)])
    merged[tuple(inner)] = data
    return merged
