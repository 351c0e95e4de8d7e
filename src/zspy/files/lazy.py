"""Floor 7: large arrays: their chunks and shards in parallel, eagerly or lazily with dask."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import charge, read_box
from ..documents.dtypes import core_dtype, from_core, unsupported
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.source import NODES
from ..documents.tree import Missing, tell_missing
from ..values.errors import FormatError
from ..values.names import ENCODING, KINDS, OFFSETS, RECORD, SHAPES, unmark
from ..values.nodes import Array, node_at
from ..values.ragged import object_array
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import NumPyArray, is_dict, is_lazy, is_list
from .chunking import BLOCK, LARGE, Edges, joined_blocks
from .parallel import CHUNKS_IN_MEMORY, dask_module

if TYPE_CHECKING:
    from ..stores.base import Opened
    from ..values.types import JSON, Node


_T = TypeVar("_T")
_MOST_BLOCKS: Final = 2**20  # of a lazy array: dask keeps them in memory
_LAZY: Final = (
    ["cells"],
    ["fields"],
    ["unitless"],
)  # what is brought back block by block


def is_small(metadata: ArrayMetadata) -> bool:
    """Tell arrays that are read at once."""
    return metadata.native and (
        metadata.cells is not None or metadata.nbytes <= LARGE
    )


def _tried(function: Callable[[], _T], where: str) -> _T:
    """Call zarr-python; whatever it raises on a damaged file names the array."""
    try:
        return function()
    except (FormatError, Warning):
        raise
    except Exception as error:  # codecs raise whatever they like
        problem = f"the array cannot be read ({type(error).__name__}: {error})"
        raise FormatError(problem, where) from error


def _values(read: Any, metadata: ArrayMetadata) -> NumPyArray:
    """Give what zarr-python read the dtype that was written."""
    values = np.asarray(read)
    if metadata.cells is not None:
        return values.astype(metadata.dtype, copy=False)
    is_core = (
        values.dtype == core_dtype(metadata.dtype).base
    )  # the type of others may have no name here
    return from_core(values, metadata.dtype) if is_core else values


def read_array(
    file: Opened, path: str, metadata: ArrayMetadata, budget: Budget
) -> NumPyArray:
    """Read a whole array, chunks in parallel."""
    if metadata.native:
        with _threads(metadata) as spread:
            return read_box(
                file,
                path,
                metadata,
                (0,) * len(metadata.shape),
                metadata.grid,
                budget,
                spread,
            )
    charge(
        path,
        metadata,
        metadata.nbytes,
        prod(metadata.stored_grid),
        lambda: 0,
        budget,
    )
    where = metadata.document(path)
    return _tried(
        lambda: _values(_foreign(file, path, metadata)[...], metadata), where
    )


def _foreign(file: Opened, path: str, metadata: ArrayMetadata) -> Any:
    """Open an array whose codecs the reader has allowed: zarr-python decodes without limits."""
    if not metadata.foreign:
        raise unsupported(metadata.unsupported, metadata.document(path))
    import zarr

    from ..stores.zarr_store import store_of

    return cast("Any", zarr).open_array(store_of(file), path=path, mode="r")


@contextmanager
def _threads(metadata: ArrayMetadata) -> Generator[Any]:
    """Give what `map` does in several threads, as many as there is memory for their chunks."""
    most = CHUNKS_IN_MEMORY // max(prod(metadata.chunks) * metadata.cost, 1)
    workers = min(prod(metadata.grid), most, (os.cpu_count() or 1) + 2)
    if workers < 2 or metadata.cells is not None:
        yield map
    else:
        with ThreadPoolExecutor(workers) as pool:
            yield pool.map


def stays(file: Opened, path: str, metadata: ArrayMetadata) -> bool:
    """Tell which arrays lazy reading leaves in their file: the data of signals, and large ones."""
    above, _, name = path.rpartition("/")

    def beside(other: str) -> bool:
        return any(f"{above}/{other}/{node}" in file for node in NODES)

    if not metadata.shape or name == "axis" or name.startswith(OFFSETS):
        return False
    if metadata.cells is not None and beside(OFFSETS + name):
        return False
    name = name.removeprefix(SHAPES)
    is_sequence = name.startswith(tuple(f"_{kind}_" for kind in KINDS))
    is_large = (
        metadata.nbytes > LARGE and not is_sequence and metadata.dtype.kind != "S"
    )
    return is_large or (name == "data" and beside("axis-0"))


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """An array that stays in its file: what a lazy array takes its blocks from.

    `box` reads what lies between two corners; `check` raises when another array has taken the
    place of this one, but not when a new file keeps it. `file.close()` closes the file; HyperSpy
    calls it through the graph of the lazy array.
    """

    shape: Edges
    dtype: np.dtype[Any]
    file: Opened
    box: Callable[[Edges, Edges], NumPyArray]
    check: Callable[[], None] | None = None

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"StoredArray(shape={self.shape}, dtype={self.dtype})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumPyArray:
        return np.array(self[...], dtype, copy=copy)

    def __getitem__(self, key: Any) -> NumPyArray:
        """Read the box around a selection, by slices, integers and lists, and select from it."""
        start: list[int] = []
        stop: list[int] = []
        rests: list[Any] = []
        for part, size in zip(_whole_key(key, self.ndim), self.shape, strict=True):
            if isinstance(part, slice):
                picked = range(size)[part]
                low, last = sorted((picked[0], picked[-1])) if picked else (0, -1)
                rests.append(slice(None, None, picked.step))
            else:
                chosen = _numbers(part, size)
                low, last = (
                    (int(chosen.min()), int(chosen.max()))
                    if chosen.size
                    else (0, -1)
                )
                rests.append(chosen - low)
            start.append(low)
            stop.append(last + 1)
        try:
            box = self.box(tuple(start), tuple(stop))
        finally:
            (
                self.check or self.file.check
            )()  # which tells more than what is missing in a file that was replaced
        for axis in reversed(
            range(self.ndim)
        ):  # lists select along one dimension each
            box = box[(slice(None),) * axis + (rests[axis],)]
        return box


def _whole_key(key: Any, ndim: int) -> tuple[Any, ...]:
    """Give a key one part for each dimension."""
    parts: list[Any] = [*cast("Any", key)] if isinstance(key, tuple) else [key]
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    missing = ndim - len(parts) + (at < len(parts))
    return (*parts[:at], *[slice(None)] * missing, *parts[at + 1 :])


def _numbers(part: Any, size: int) -> NumPyArray:
    """Give the elements of a dimension that an integer, a list of them, or a mask selects."""
    chosen = np.asarray(part)
    numbers = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(int)
    if not ((-size <= numbers) & (numbers < size)).all():
        raise IndexError(f"{part} is beyond the {size} elements of its dimension")
    return np.where(numbers < 0, numbers + size, numbers)


def stored_array(
    file: Opened,
    path: str,
    metadata: ArrayMetadata,
    limits: Limits = LIMITS,
    missing: Missing = "warn",
) -> StoredArray:
    """Give an array that stays in its file."""
    where = metadata.document(path)
    check = file.watch(where)
    if metadata.native:
        return StoredArray(
            metadata.shape,
            metadata.dtype,
            file,
            partial(_chunks_box, file, path, metadata, limits, missing),
            check,
        )
    source = _tried(lambda: _foreign(file, path, metadata), where)
    own = metadata.cells or source.dtype == core_dtype(metadata.dtype).base
    box = partial(_array_box, source, metadata, where)
    return StoredArray(
        metadata.shape, metadata.dtype if own else source.dtype, file, box, check
    )


def _array_box(
    source: Any, metadata: ArrayMetadata, where: str, start: Edges, stop: Edges
) -> NumPyArray:
    key = tuple(map(slice, start, stop))
    return _tried(lambda: _values(source[key], metadata), where)


def _chunks_box(
    file: Opened,
    path: str,
    metadata: ArrayMetadata,
    limits: Limits,
    missing: Missing,
    start: Edges,
    stop: Edges,
) -> NumPyArray:
    sides = list(zip(start, stop, metadata.chunks, strict=True))
    first = tuple(low // edge for low, _, edge in sides)
    ends = tuple(-(-high // edge) for _, high, edge in sides)
    budget = Budget(limits)
    with _threads(metadata) as spread:
        whole = read_box(file, path, metadata, first, ends, budget, spread)
    tell_missing(budget.missing, missing)
    at = [
        number * edge for number, edge in zip(first, metadata.chunks, strict=True)
    ]
    return whole[
        tuple(
            slice(low - n, high - n)
            for low, high, n in zip(start, stop, at, strict=True)
        )
    ]


def _cells_box(
    values: StoredArray,
    offsets: NumPyArray,
    shape: Edges,
    start: Edges,
    stop: Edges,
) -> NumPyArray:
    """Read a box of a flat ragged array (FORMAT 9.5): all from its first to its last cell."""
    numbers = np.arange(prod(shape)).reshape(shape)[tuple(map(slice, start, stop))]
    if not numbers.size:
        return numbers.astype(object)
    first, last = int(offsets[numbers.min()]), int(offsets[numbers.max() + 1])
    tail = values.shape[1:]
    found = values.box((first, *(0,) * len(tail)), (last, *tail))
    ends = (offsets - first).tolist()
    rows = (found[ends[i] : ends[i + 1]] for i in numbers.ravel().tolist())
    return object_array(rows, numbers.shape)


def reads_from(array: Array, store: object) -> bool:
    """Tell whether a lazy array takes its blocks from an array in this store."""
    data: Any = array.data
    layers: dict[str, Any] = data.__dask_graph__().layers if is_lazy(data) else {}
    sources = (
        layers[name][name] for name in layers if name.startswith("original-")
    )
    return any(
        isinstance(one, StoredArray) and one.file.is_of(store) for one in sources
    )


def as_dask(source: StoredArray, unit: Edges, block: int) -> Any:
    """Make a dask array of a stored one, in blocks of whole units: chunks or shards."""
    itemsize = source.dtype.itemsize if source.dtype != np.dtype(object) else 2**12
    whole = prod(max(size, 1) for size in source.shape) * itemsize
    blocks = joined_blocks(
        source.shape, unit, itemsize, max(block, whole // _MOST_BLOCKS)
    )
    meta = np.empty((0,) * source.ndim, source.dtype)
    return dask_module("array").from_array(
        source, chunks=blocks, name=False, asarray=False, meta=meta
    )


def settle(root: Node, stored: Mapping[str, StoredArray]) -> None:
    """Put in the place of the lazy arrays of a tree what their neighbours say of them.

    A flat ragged array becomes one of cells. What a mask or a type record belongs to is read.
    """
    for path, source in stored.items():
        above, _, name = path.rpartition("/")
        members: Any = node_at(root, above).members
        array: Array = members[name]
        if ENCODING in array.attributes:
            offsets = members.pop(OFFSETS + name, None)
            ends = np.asarray(offsets.data if isinstance(offsets, Array) else None)
            source = _cells(source, ends, array.attributes, path)
            members[name] = array = Array(
                as_dask(source, (1,) * source.ndim, BLOCK)
            )
        if _is_explained(root, path):  # all at once: as much as the limits allow
            members[name] = replace(array, data=np.asarray(source))


def _is_explained(root: Node, path: str) -> bool:
    """Tell whether a mask, other cells or a type record say what an array, or what it is in, is."""
    group: Any = root
    for name in path.split("/"):
        marked = unmark(name, "group")
        record = group.attributes.get(RECORD)
        types = record.get("types") if is_dict(record) else None
        specs = types.get(marked[1] if marked else name) if is_dict(types) else None
        if is_list(specs) and any(
            not is_list(spec) or spec[:1] not in _LAZY for spec in specs
        ):
            return True
        beside = {DATA_MASK, DATA_CELLS} & group.members.keys()
        if beside and name in {"data", *beside}:
            return True
        group = group.members[name]
    return False


def _cells(
    source: StoredArray, ends: NumPyArray, attributes: Mapping[str, JSON], path: str
) -> StoredArray:
    """Give the array of cells that a flat one and its offsets stand for."""
    from ..documents.ragged_csr import shape_of_cells

    try:
        shape = shape_of_cells(attributes, ends, source.shape)
    except (TypeError, ValueError) as error:
        raise FormatError(str(error), path, "the file is damaged") from error
    box = partial(_cells_box, source, ends, shape)
    return StoredArray(shape, np.dtype(object), source.file, box, source.check)
