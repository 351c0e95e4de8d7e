"""Arrays that are read in parts: at once, in several threads, or lazily with dask."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from math import prod
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import charge, read_box
from ..documents.dtypes import core_dtype, from_core, unsupported
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.source import NODES
from ..documents.tree import Missing, tell_missing
from ..values.errors import DAMAGED, EncodeError, FormatError, naming
from ..values.names import (
    KINDS,
    OFFSETS,
    SHAPES,
    is_flat,
    specs_of,
    unmark,
)
from ..values.nodes import Array, joined, node_at
from ..values.ragged import object_array
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import Edges, NumPyArray, is_lazy, is_list
from .chunking import BLOCK, LARGE
from .parallel import in_threads
from .rechunking import as_dask

if TYPE_CHECKING:
    from ..stores.base import Opened
    from ..values.types import JSON, Node


TINY: Final = 2**12
"""Bytes of a chunk, or of an array, that takes less time than to have others read it."""
# Where data and masks have so many blocks, multiplied, dask takes long to bring them together.
_MANY_BLOCKS: Final = 2**18
_SAMPLES: Final = 8
"""Chunks of a lazy array by which it is known when its file has changed."""
# What is brought back block by block.
_LAZY: Final = (["cells"], ["fields"], ["unitless"])


def is_small(metadata: ArrayMetadata) -> bool:
    """Tell arrays that are read at once."""
    return metadata.native and (
        metadata.cells is not None or metadata.nbytes <= LARGE
    )


def read_part(
    file: Opened,
    path: str,
    metadata: ArrayMetadata,
    start: Edges,
    stop: Edges,
    budget: Budget,
) -> NumPyArray:
    """Read what lies between two corners of an array, chunks in parallel."""
    sides = zip(start, stop, metadata.chunks, strict=True)
    number = prod(-(-high // edge) - low // edge for low, high, edge in sides)
    if not metadata.native:
        size = prod(np.subtract(stop, start).tolist()) * metadata.cost
        lookups = number // prod(metadata.per_shard)
        charge(path, metadata, size, lookups, lambda: 0, budget)
        return _read_by_zarr(file, path, metadata, tuple(map(slice, start, stop)))
    if prod(metadata.chunks) * metadata.cost < TINY:
        number = 1  # to hand them to threads takes longer than to decode them
    with in_threads(metadata, number) as spread:
        return read_box(file, path, metadata, start, stop, budget, spread)


def _read_by_zarr(
    file: Opened, path: str, metadata: ArrayMetadata, place: tuple[slice, ...]
) -> NumPyArray:
    """Read an array whose codecs the reader has allowed: zarr-python decodes without limits.

    Whatever it raises on a damaged file names the array.
    """
    where = metadata.document(path)
    if not metadata.needs_zarr:
        raise unsupported(metadata.unsupported, where)
    import zarr

    from ..stores.zarr_store import store_of

    open_array = cast("Any", zarr).open_array
    try:
        array = open_array(store_of(file), path=path, mode="r")
        values: NumPyArray = np.asarray(array[place])
    except (FormatError, Warning):
        raise
    except Exception as error:  # codecs raise whatever they like
        problem = f"the array cannot be read ({type(error).__name__}: {error})"
        raise FormatError(problem, where) from error
    if metadata.cells is not None:
        return values.astype(metadata.dtype, copy=False)
    # a type that has no name here is left as it is
    is_core = values.dtype == core_dtype(metadata.dtype).base
    return from_core(values, metadata.dtype) if is_core else values


def stays(file: Opened, path: str, metadata: ArrayMetadata) -> bool:
    """Tell which arrays lazy reading leaves in their file: the data of signals, and large ones."""
    above, _, name = path.rpartition("/")

    def beside(other: str) -> bool:
        return any(joined(above, f"{other}/{node}") in file for node in NODES)

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
        parts: list[Any] = [*cast("Any", key)] if isinstance(key, tuple) else [key]
        front = [*takewhile(lambda part: part is not Ellipsis, parts)]
        back = parts[len(front) + 1 :]
        front += [slice(None)] * (self.ndim - len(front) - len(back))
        if len(front + back) > self.ndim or NoneType in map(type, parts):
            problem = (
                f"{len(parts)} indices of {self.ndim} dimensions, or a new one"
            )
            raise IndexError(problem)
        chosen = [*map(_chosen, front + back, self.shape)]
        try:
            box = self.box(
                tuple(low for low, _, _ in chosen),
                tuple(high for _, high, _ in chosen),
            )
        finally:
            # this tells more than what is missing in a file that was replaced
            (self.check or self.file.check)()
        for axis in reversed(range(self.ndim)):
            # lists select along one dimension each
            box = box[(slice(None),) * axis + (chosen[axis][2],)]
        return box


def _chosen(part: Any, size: int) -> tuple[int, int, Any]:
    """Give where the elements of a dimension that are chosen begin and end, and which they are."""
    if isinstance(part, slice):
        picked = range(size)[part]
        low, last = sorted((picked[0], picked[-1])) if picked else (0, -1)
        return low, last + 1, slice(None, None, picked.step)
    indices: Any = np.asarray(part)
    if indices.dtype.kind == "b":
        numbers = np.arange(size)[part]
    else:
        # NumPy tells what is beyond the end, of an array that takes no memory.
        np.broadcast_to(np.int8(0), size)[part]
        numbers = indices.astype(np.intp)[()]
        numbers += size * (numbers < 0)
    low = int(np.min(numbers, initial=size))
    return low, int(np.max(numbers, initial=low - 1)) + 1, numbers - low


def stored_array(
    file: Opened,
    path: str,
    metadata: ArrayMetadata,
    limits: Limits = LIMITS,
    missing: Missing = "warn",
) -> StoredArray:
    """Give an array that stays in its file."""
    samples = {
        tuple(number * count // _SAMPLES for count in metadata.stored_grid)
        for number in range(_SAMPLES)
    }
    # one that is not full is written again while the array grows
    edges, shape = metadata.unit, metadata.shape
    full = {one for one in samples if (np.add(one, 1) * edges <= shape).all()}
    keys = {joined(path, metadata.key(index)) for index in full or samples}
    check = file.watch(metadata.document(path), keys)
    box = partial(_read_lazily, file, path, metadata, limits, missing, check)
    dtype = metadata.dtype
    if not metadata.native:
        nothing = (0,) * len(metadata.shape)
        dtype = box(nothing, nothing).dtype
    return StoredArray(metadata.shape, dtype, file, box, check)


def _read_lazily(
    file: Opened,
    path: str,
    metadata: ArrayMetadata,
    limits: Limits,
    missing: Missing,
    check: Callable[[], None],
    start: Edges,
    stop: Edges,
) -> NumPyArray:
    budget = Budget(limits)
    with naming(path):
        part = read_part(file, path, metadata, start, stop, budget)
    if budget.missing:
        # Of a file that was replaced, nothing is missing.
        check()
    tell_missing(budget, missing)
    return part


def _cells_box(
    values: StoredArray,
    offsets: NumPyArray,
    shape: Edges,
    start: Edges,
    stop: Edges,
) -> NumPyArray:
    """Read a box of a flat ragged array: all from its first to its last cell.

    It is laid out as clause 9.6 of the specification says.
    """
    place = tuple(map(slice, start, stop))
    count = prod(shape)
    begins = offsets[:count].reshape(shape)[place]
    ends = offsets[1 : count + 1].reshape(shape)[place]
    if not begins.size:
        return begins.astype(object)
    first, last = int(begins.min()), int(ends.max())
    tail = values.shape[1:]
    found = values.box((first, *(0,) * len(tail)), (last, *tail))
    rows = map(slice, (begins - first).flat, (ends - first).flat)
    return object_array(map(found.__getitem__, rows), begins.shape)


def block_of(array: Any, box: tuple[slice, ...]) -> Any:
    """Cut a box out of an array; one that stays in its file is read without tasks of dask.

    Of ten thousand small arrays these would take most of the time.
    """
    layers: Any = array.__dask_graph__().layers if is_lazy(array) else {}
    name = f"original-{array.name}" if layers else ""
    if name in layers and layers.keys() == {name, array.name}:
        array = layers[name][name]
    return np.asanyarray(array[(*box, ...)])


def refuse_own(arrays: Iterable[Any], place: object) -> None:
    """Refuse lazy arrays that take their blocks from the file which they are written into."""
    for array in arrays:
        layers: Any = (
            array.data.__dask_graph__().layers if is_lazy(array.data) else {}
        )
        for name in layers:
            source = layers[name][name] if name.startswith("original-") else None
            if isinstance(source, StoredArray) and _lies_at(source.file, place):
                problem = "the data is read from what it replaces"
                raise EncodeError(problem, "filename", "compute it")


def _lies_at(file: Opened, place: object) -> bool:
    """Tell whether an open file is the one at a place: a path, a mapping or a store."""
    path = getattr(place, "path", place)
    if file.root and isinstance(path, (str, os.PathLike)):
        return os.path.realpath(file.root) == os.path.realpath(cast("str", path))
    # mappings are not compared by what they hold
    return file.source is place or (
        not isinstance(place, Mapping) and file.source == place
    )


def resolve_lazy(root: Node, stored: Mapping[str, StoredArray]) -> None:
    """Put in the place of the lazy arrays of a tree what their neighbours say of them.

    A flat ragged array becomes one of cells. What a small mask or a type record belongs to is read.
    """
    for path, source in stored.items():
        above, _, name = path.rpartition("/")
        members: Any = node_at(root, above).members
        array: Array = members[name]
        if is_flat(array.attributes):
            offsets = members.pop(OFFSETS + name, None)
            ends = np.asarray(offsets.data if isinstance(offsets, Array) else None)
            source = _cells(source, ends, array.attributes, path)
            members[name] = array = Array(
                as_dask(source, (1,) * source.ndim, BLOCK)
            )
        if _is_explained(root, path):  # all at once: as much as the limits allow
            members[name] = replace(array, data=np.asarray(source))


def _is_explained(root: Node, path: str) -> bool:
    """Tell whether a mask, other cells or a type record say what an array, or what it is in, is.

    A mask that is lazy as well is put on block by block.
    """
    group: Any = root
    for name in path.split("/"):
        marked = unmark(name, "group")
        specs = specs_of(group.attributes, marked[1] if marked else name)
        if any(not is_list(spec) or spec[:1] not in _LAZY for spec in specs):
            return True
        beside = {DATA_MASK, DATA_CELLS} & group.members.keys()
        masks: Any = getattr(group.members.get(DATA_MASK), "members", {})
        pair = (masks.get("mask"), group.members.get("data"))
        blocks = [
            getattr(getattr(one, "data", 0), "npartitions", 0) for one in pair
        ]
        is_read = DATA_CELLS in beside or not 0 < prod(blocks) < _MANY_BLOCKS
        if beside and is_read and name in {"data", *beside}:
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
        raise FormatError(str(error), path, DAMAGED) from error
    box = partial(_cells_box, source, ends, shape)
    return StoredArray(shape, np.dtype(object), source.file, box, source.check)
