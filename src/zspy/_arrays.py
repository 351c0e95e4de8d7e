"""Floor 7: large arrays, through zarr-python: chunks in parallel, eagerly or lazily with dask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._chunks import TARGET, chunk_shape
from ._documents import read_box
from ._keys import KINDS, OFFSETS, SHAPES
from ._layout import Layout, core_dtype, from_core, to_core
from ._node import Array, Group, walk
from ._ragged import object_array
from .errors import EncodeError, FormatError
from .typing import is_lazy

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from .typing import Documents, Node

_NumPyArray = np.ndarray[Any, Any]

LARGE: Final = 2**20
"""Bytes from which an array is read and written by zarr-python."""
BLOCK: Final = 2**27
"""Bytes that a lazy block aims at: whole chunks or shards."""
_CELL_LIMIT: Final = 2**31
_SLAB: Final = 2**28  # bytes between two steps of the progress bar


def is_large(_: str, array: Array) -> bool:
    """Tell arrays that zarr-python writes; it knows no long doubles and no object arrays."""
    dtype = array.data.dtype
    if array.cells is not None or is_long(dtype):
        return False
    return is_lazy(array.data) or prod(array.data.shape) * dtype.itemsize > LARGE


def is_long(dtype: np.dtype[Any]) -> bool:
    """Tell long doubles."""
    return dtype.kind in "fc" and dtype.itemsize > 8 * (1 + (dtype.kind == "c"))


def open_stored(store: Store, path: str, *, write: bool = False) -> Any:
    """Open an array with zarr-python; chunks that hold the fill value are written all the same."""
    import zarr

    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(store, path=path, mode="r+" if write else "r")


def write_array(store: Store, path: str, array: Array, how: Layout, progress: bool) -> None:
    """Write all chunks of an array whose document is in the store already."""
    target = open_stored(store, path, write=True)
    if is_lazy(array.data):
        _write_lazy(target, array.data, how, progress)
        return
    data: Any = array.data
    if how.zarr_format == 3:
        data = to_core(data)
    edge = (how.shards or how.chunks)[0]
    step = max(_SLAB // max(data[:1].nbytes * edge, 1), 1) * edge
    with _bar(len(data), progress and step < len(data)) as advance:
        for start in range(0, len(data), step):
            target[start : start + step] = data[start : start + step]
            advance(min(step, len(data) - start))


def _bar(total: int, wanted: bool) -> AbstractContextManager[Callable[[int], object]]:
    """Give a progress bar, where there is a need and tqdm."""
    if wanted:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return nullcontext(id)
        return _Bar(tqdm(total=total, desc="Writing"))
    return nullcontext(id)


class _Bar(AbstractContextManager[Callable[[int], object]]):
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __enter__(self) -> Callable[[int], object]:
        update: Callable[[int], object] = self._bar.update
        return update

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _write_lazy(target: Any, data: Any, how: Layout, progress: bool) -> None:
    """Write a dask array block by block; no two tasks share a chunk or a shard."""
    from dask import array as da
    from dask.diagnostics.progress import ProgressBar

    core = core_dtype(how.dtype) if how.zarr_format == 3 else how.dtype
    blocks = data.rechunk(aligned(data.chunks, how.shards or how.chunks))
    if core != how.dtype:
        extra = {"new_axis": data.ndim, "chunks": (*blocks.chunks, core.shape)} if core.shape else {}
        blocks = blocks.map_blocks(to_core, dtype=core.base, **extra)
    with ProgressBar() if progress else nullcontext():
        da.store([blocks], [target], lock=False)


def aligned(blocks: tuple[tuple[int, ...], ...], unit: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Move the borders of blocks to those of the units that are stored, as few as there need be.

    >>> aligned(((3, 3, 3),), (4,))
    ((4, 4, 1),)
    """
    out: list[tuple[int, ...]] = []
    for lengths, edge in zip(blocks, unit, strict=True):
        total, at, last, kept = sum(lengths), 0, 0, []
        for length in lengths:
            at += length
            border = total if at == total else -(-at // edge) * edge
            if last < border <= total:
                kept.append(border - last)
                last = border
        if last < total or not kept:
            kept.append(total - last)
        out.append(tuple(kept))
    return tuple(out)


def chosen_chunks(array: Array, chunks: Any, signal: tuple[int, ...], target: int) -> tuple[int, ...] | None:
    """Choose the chunks of the array of a signal, by what the caller said."""
    shape = tuple(array.data.shape)
    if array.cells is not None or not all(shape):
        return None
    itemsize = array.data.dtype.itemsize
    match chunks:
        case None if is_lazy(array.data):
            data: Any = array.data
            return tuple(lengths[0] for lengths in data.chunks)
        case None:
            return chunk_shape(shape, itemsize, signal, target)
        case True:
            return chunk_shape(shape, itemsize, (), LARGE)
        case False:
            return shape
        case int() if chunks > 0:
            return tuple(min(chunks, edge) for edge in shape)
        case tuple() | list() if len(chunks) == len(shape) and all(
            isinstance(edge, (int, np.integer)) and edge > 0 for edge in chunks
        ):
            return tuple(min(int(edge), length) for edge, length in zip(chunks, shape, strict=True))
        case _:
            raise EncodeError(f"{chunks!r} are no chunks for the shape {shape}", "chunks", "give an edge for each dimension")


def chosen_shards(
    array: Array, chunks: tuple[int, ...], shards: Any, signal: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Choose the shards of the array of a signal: whole chunks, about as many bytes as a release's chunk."""
    shape = tuple(array.data.shape)
    if isinstance(shards, (tuple, list)):
        if len(shards) != len(shape) or any(
            not isinstance(edge, int) or edge < 1 or edge % chunk for edge, chunk in zip(shards, chunks, strict=False)
        ):
            raise EncodeError(f"{shards!r} are no shards of chunks {chunks}", "shards", "use multiples of the chunks")
        return tuple(shards)
    wanted = chunk_shape(shape, array.data.dtype.itemsize, signal, TARGET)
    shard = tuple(max(edge // chunk, 1) * chunk for edge, chunk in zip(wanted, chunks, strict=True))
    whole = tuple(-(-size // chunk) * chunk for size, chunk in zip(shape, chunks, strict=True))
    return tuple(
        full if edge >= size else part for edge, size, full, part in zip(wanted, shape, whole, shard, strict=True)
    )


def _read(function: Callable[[], Any], path: str) -> _NumPyArray:
    """Read with zarr-python; whatever it raises on a damaged chunk names the array."""
    try:
        return np.asarray(function())
    except FormatError:
        raise
    except Exception as error:  # codecs raise whatever they like
        raise FormatError(f"the array cannot be read ({type(error).__name__}: {error})", path) from error


def read_array(store: Store, path: str, how: Layout) -> _NumPyArray:
    """Read a whole array, its chunks in parallel."""
    values = _read(lambda: open_stored(store, path)[...], path)
    return _values(values, how)


def _values(values: _NumPyArray, how: Layout) -> _NumPyArray:
    if how.zarr_format == 3:
        return from_core(values, how.dtype) if values.dtype == core_dtype(how.dtype).base else values
    return values.astype(how.dtype, copy=False)


# --- lazy reading ------------------------------------------------------------------------------


class _Stored:
    """An array that stays in its store: what a lazy array takes its blocks from.

    `file.close()` closes the file; HyperSpy calls it through the array's graph.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], file: File) -> None:
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        self.file = file

    def box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> _NumPyArray:
        """Read a box of the array."""
        raise NotImplementedError

    def __getitem__(self, key: tuple[Any, ...]) -> _NumPyArray:
        """Read the box around a selection (dask asks for slices, integers and lists), and select."""
        start: list[int] = []
        stop: list[int] = []
        rests: list[Any] = []
        for part, size in zip(key, self.shape, strict=True):
            chosen = np.arange(size)[part]
            low, high = (int(chosen.min()), int(chosen.max()) + 1) if chosen.size else (0, 0)
            start.append(low)
            stop.append(high)
            rests.append(slice(None) if isinstance(part, slice) and part.step in (None, 1) else chosen - low)
        box = self.box(tuple(start), tuple(stop))
        for axis in reversed(range(self.ndim)):
            box = box[(slice(None),) * axis + (rests[axis],)]
        return box


class StoredArray(_Stored):
    """An array that zarr-python reads."""

    def __init__(self, source: Any, how: Layout, file: File) -> None:
        super().__init__(how.shape, how.dtype, file)
        self._source = source
        self._how = how

    def box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> _NumPyArray:
        """Read a box of the array, its chunks in parallel."""
        key = tuple(map(slice, start, stop))
        return _values(_read(lambda: self._source[key], self._how.where), self._how)


class StoredCells(_Stored):
    """An object array, or one of long doubles, that zarr-python does not read."""

    def __init__(self, documents: Documents, path: str, how: Layout, file: File) -> None:
        super().__init__(how.shape, how.dtype, file)
        self._documents = documents
        self._path = path
        self._how = how

    def box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> _NumPyArray:
        """Read a box of the array chunk by chunk."""
        edges = self._how.chunks
        first = tuple(low // edge for low, edge in zip(start, edges, strict=True))
        ends = tuple(-(-high // edge) for high, edge in zip(stop, edges, strict=True))
        whole = read_box(self._documents, self._path, self._how, first, ends, _CELL_LIMIT)
        moved = zip(start, stop, first, edges, strict=True)
        return whole[tuple(slice(low - at * edge, high - at * edge) for low, high, at, edge in moved)]


class FlatCells(_Stored):
    """A flat ragged array (FORMAT 9.5), brought into cells where it is read."""

    def __init__(self, values: StoredArray, offsets: _NumPyArray, shape: tuple[int, ...]) -> None:
        super().__init__(shape, np.dtype(object), values.file)
        self._values = values
        self._offsets = offsets
        self._numbers = np.arange(len(offsets) - 1).reshape(shape)

    def box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> _NumPyArray:
        """Read all that lies between the first and the last cell of a box."""
        cells = self._numbers[tuple(map(slice, start, stop))]
        if not cells.size:
            return np.empty(cells.shape, object)
        first, last = self._offsets[cells[(0,) * self.ndim]], self._offsets[cells[(-1,) * self.ndim] + 1]
        tail = self._values.shape[1:]
        values = self._values.box((int(first), *(0,) * len(tail)), (int(last), *tail))
        ends = (self._offsets - first).tolist()
        return object_array((values[ends[i] : ends[i + 1]] for i in cells.ravel().tolist()), cells.shape)


class File:
    """An open file, as lazy arrays know it."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def close(self) -> None:
        """Close it."""
        self._close()

    def __reduce__(self) -> tuple[type[File], tuple[Callable[[], None]]]:
        return File, (_nothing,)  # another process has not opened it


def _nothing() -> None:
    """Close what is not open."""


def as_dask(source: _Stored, unit: tuple[int, ...]) -> Any:
    """Make a dask array of a stored one, in blocks of whole units: chunks or shards."""
    from dask import array as da

    itemsize = source.dtype.itemsize if source.dtype != np.dtype(object) else 2**12
    blocks = _blocks(source.shape, unit, itemsize)
    meta = np.empty((0,) * source.ndim, source.dtype)
    return da.from_array(source, chunks=blocks, name=False, asarray=False, meta=meta)


def _blocks(shape: tuple[int, ...], unit: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Join units, last dimension first, to blocks of about `BLOCK` bytes."""
    block = [min(edge, max(size, 1)) for edge, size in zip(unit, shape, strict=True)]
    for dimension in reversed(range(len(shape))):
        room = BLOCK // max(prod(block) * itemsize, 1)
        if room < 2:
            break
        block[dimension] = min(block[dimension] * room, max(shape[dimension], 1))
        if block[dimension] < shape[dimension]:
            break
    return tuple(block)


def is_lazy_array(path: str, how: Layout) -> bool:
    """Tell which arrays lazy reading leaves in their store: the data of signals, and large ones."""
    parts = path.split("/")
    name = parts[-1].removeprefix(SHAPES)
    if len(parts) == 3 and parts[0] == "Experiments" and name == "data":
        return bool(how.shape)
    marked = name.startswith(tuple(f"_{kind}_" for kind in KINDS))
    size = prod(how.shape) * (how.dtype.itemsize if how.item is None else 64)
    return size > LARGE and not marked and how.dtype.kind != "S"


def cells_in_place(root: Node, flat: Mapping[str, StoredArray]) -> None:
    """Replace the lazy flat ragged arrays of a tree by arrays of cells."""
    for path, node in list(walk(root)):
        if not isinstance(node, Group):
            continue
        members: Any = node.members
        for name, member in list(node.members.items()):
            where = f"{path}/{name}" if path else name
            if isinstance(member, Array) and member.attributes.get("_ragged_encoding") == "csr" and where in flat:
                offsets = members.pop(OFFSETS + name).data
                shape: Any = member.attributes["_ragged_nav_shape"]
                cells = FlatCells(flat[where], np.asarray(offsets), tuple(shape))
                members[name] = Array(as_dask(cells, (1,) * cells.ndim))
