"""Chunks and shards: encoded, decoded, and read as boxes of the grid."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, islice, product
from math import prod
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from ..values.blocks import refuse_mask
from ..values.errors import DAMAGED, EncodeError, FormatError
from ..values.names import OLD_SHAPES, SHAPES
from ..values.nodes import joined
from ..values.ragged import RaggedCells, object_array
from ..values.types import Documents, Edges, NumPyArray, Pieces
from .array_metadata import ArrayMetadata, times
from .cells import encode_runs
from .codecs import CRC32C, cell_codec
from .dtypes import unsupported
from .limits import RAISE_LIMITS, Budget
from .source import Listed, is_document, listed
from .stages import (
    decode_cells,
    decode_stages,
    encode_stages,
    stages_of,
)

_CHECKSUM: Final = stages_of((CRC32C,), None)
_MOST_LOOKUPS: Final = 2**20
# Up to so many chunks are looked up to see how much is stored; else all that is there is listed.
_FEW_LOOKUPS: Final = 2**12
# An encoded chunk may be so many bytes larger than twice the chunk.
_OVERHEAD: Final = 2**20
# A shard of no more bytes may be read at once.
_SHARD_AT_ONCE: Final = 2**31
# One of more chunks is, if no more bytes of it are stored.
_SMALL_SHARD: Final = 2**26
# Chunks of no more bytes, and no more elements, are put into their places together: the place of
# each element is computed, which for more takes longer, and more memory, than to copy each chunk.
_TINY: Final = 2**12
_FEW_ELEMENTS: Final = 2**6
_CHUNKS_AT_ONCE: Final = 2**12
_MapLike = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class ChunkToRead(NamedTuple):
    """A chunk, or a shard that is missing, which stands for its chunks."""

    number: Edges  # in a grid
    edges: Edges  # of each chunk of that grid
    key: str
    stands_for: int  # chunks
    read: Callable[[], bytes | None]


def encode_chunk(array: ArrayMetadata, values: NumPyArray | RaggedCells) -> Pieces:
    """Encode the values of a chunk, which has its full shape; raises what the codecs raise.

    It is given in pieces that lie one behind the other.
    """
    plain: Any
    if isinstance(values, RaggedCells):
        plain = encode_runs(values.values, values.ends)
    elif array.cells is not None:
        plain = cell_codec(array.cells).encode(values, array.cells)
    else:
        numbers = values.astype(array.stored, copy=False)
        if array.axes is not None:
            numbers = numbers.transpose(array.axes)
        plain = numbers.ravel()
    return encode_stages(array.stages, plain)


def decode_chunk(
    array: ArrayMetadata,
    data: bytes,
    where: str,
    budget: Budget,
    end_to_end: bool = False,
) -> Any:
    """Decode the bytes of a chunk: its values, in the chunk's full shape, writeable.

    With `end_to_end`, cells of a dtype may be given as `RaggedCells`, which are not cut yet.
    """
    if array.cells is None:
        flat = decode_numbers(array, data, where, budget)
        aligned = flat.flags.writeable and not flat.ctypes.data % 16
        values = (flat if aligned else flat.copy()).view(array.stored)
        return _untransposed(array, values).astype(array.dtype, copy=False)
    growth = cell_codec(array.cells).growth
    most = _decoded_limit(data, budget) // growth
    flat = decode_stages(array.stages, data, None, most, where)
    count = prod(array.chunks)
    cells = decode_cells(flat, array.cells, count, budget, where, len(data))
    if isinstance(cells, tuple):
        ragged = RaggedCells(*cells, array.chunks)
        if end_to_end and array.axes is None:
            return ragged
        cells = np.asarray(ragged)
    return _untransposed(array, cells)


def decode_numbers(
    array: ArrayMetadata, data: bytes, where: str, budget: Budget
) -> NumPyArray:
    """Decode the bytes of a chunk to the bytes of its numbers."""
    size = prod(array.chunks) * array.stored.itemsize
    return decode_stages(
        array.stages, data, size, _decoded_limit(data, budget), where
    )


def _decoded_limit(data: bytes, budget: Budget) -> int:
    """Give the bytes that a chunk may decode to."""
    limits = budget.limits
    paid = max(budget.left, limits.memory) + limits.expansion * len(data)
    return min(limits.chunk, paid)


def _untransposed(
    array: ArrayMetadata, values: NumPyArray, several: Edges = ()
) -> NumPyArray:
    """Give the elements of a chunk, which lie in the order of the array, the shape of a chunk.

    Of several chunks their number comes first.
    """
    if array.axes is None:
        return values.reshape((*several, *array.chunks))
    turned = values.reshape(
        (*several, *(array.chunks[axis] for axis in array.axes))
    )
    back = np.argsort(array.axes) + len(several)
    return turned.transpose((*range(len(several)), *back))


def encode_shard(
    array: ArrayMetadata, chunks: Iterable[tuple[Edges, Pieces]]
) -> Pieces:
    """Put the chunks that are in a shard, with their places in the grid, before their index."""
    per = array.per_shard
    table = np.full((*per, 2), -1, "<i8")
    parts: Pieces = []
    at = 0
    for index, chunk in chunks:
        place = tuple(number % n for number, n in zip(index, per, strict=True))
        size = sum(map(len, chunk))
        table[place] = at, size
        at += size
        parts += chunk
    return [*parts, CRC32C.encode(table)]


def filled(array: ArrayMetadata, shape: Edges) -> NumPyArray:
    """Give an array of the fill value: what chunks that are not stored hold."""
    if array.fill is not None:
        return np.full(shape, array.fill)
    if array.cells is None:
        return np.zeros(shape, array.dtype)
    codec = cell_codec(array.cells)
    return object_array(
        (codec.empty(array.cells) for _ in range(prod(shape))), shape
    )


def encoded_chunks(
    prefix: str,
    metadata: ArrayMetadata,
    data: Any,
    spread: _MapLike = map,
    first: Edges = (),
) -> Generator[tuple[str, Pieces]]:
    """Encode the chunks, or shards, of an array, or of a part of it, to pieces, with their keys.

    `spread` applies a function to many chunks, as `map` does, perhaps several at a time. A part
    begins with the chunk, or shard, that is number `first` of the array along each dimension.
    """
    per = metadata.per_shard

    def place_of(index: Edges) -> Edges:
        if metadata.shards is not None:
            index = tuple(i // n for i, n in zip(index, per, strict=True))
        if first:
            index = tuple(i + at for i, at in zip(index, first, strict=True))
        return index

    def encoded(index: Edges) -> tuple[str, Edges, Pieces]:
        key = prefix + metadata.key(place_of(index))
        try:
            chunk = encode_chunk(metadata, _chunk_of(data, metadata, index))
        # A codec raises whatever it likes of what it cannot encode.
        except Exception as error:
            raise EncodeError(
                f"a chunk that cannot be encoded ({error})", key, "use encode"
            ) from error
        return key, index, chunk

    grid = times(data.shape, metadata.chunks)
    if not all(grid):
        return  # Beside an empty edge, others may be huge.
    indices = product(*map(range, grid))
    if metadata.shards is None:
        for key, _, chunk in spread(encoded, indices):
            yield key, chunk
        return
    pieces = spread(encoded, sorted(indices, key=place_of))
    for key, run in groupby(pieces, itemgetter(0)):
        yield key, encode_shard(metadata, (piece[1:] for piece in run))


def _chunk_of(
    data: Any, metadata: ArrayMetadata, index: Edges
) -> NumPyArray | RaggedCells:
    """Cut a chunk out of an array, filled up at the edges."""
    if isinstance(data, RaggedCells):  # These are in one chunk.
        return data
    place: Any = ...
    if data.shape != metadata.chunks:  # that of many small arrays is whole
        pairs = zip(index, metadata.chunks, strict=True)
        place = (*(slice(i * edge, (i + 1) * edge) for i, edge in pairs), ...)
    values = refuse_mask(data[place])
    if values.shape == metadata.chunks:
        return values
    full = filled(metadata, metadata.chunks)
    full[tuple(map(slice, values.shape))] = values
    return full


def read_whole(
    file: Listed,
    path: str,
    metadata: ArrayMetadata,
    budget: Budget,
    end_to_end: bool,
) -> Any:
    """Read a whole array; with `end_to_end`, cells may be given as `RaggedCells`."""
    if metadata.needs_zarr:
        problem = "an array that only zarr-python can read"
        raise FormatError(problem, metadata.document(path), "use file_reader")
    if metadata.unsupported:
        raise unsupported(metadata.unsupported, metadata.document(path))
    start = (0,) * len(metadata.shape)
    if metadata.chunks != metadata.shape or metadata.shards is not None:
        return read_box(file, path, metadata, start, metadata.shape, budget)
    # It is one chunk: nothing is copied.
    key = joined(path, metadata.key(start))
    charge(path, metadata, metadata.nbytes, 1, lambda: file.size([key]), budget)
    data = _read_chunk(file, key, _most(metadata, budget), budget)
    if data is not None:
        return decode_chunk(metadata, data, key, budget, end_to_end)
    _note_missing(budget, path, metadata, 1)
    return _filled_where_missing(file, path, metadata, metadata.shape)


def _filled_where_missing(
    file: Listed, path: str, metadata: ArrayMetadata, shape: Edges
) -> NumPyArray:
    """Do what `filled` does for a chunk that is missing; raise where programs disagree on it."""
    if metadata.disputed and not metadata.complete:
        above, _, name = path.rpartition("/")
        shapes = (f"{one}/.zarray" for one in (OLD_SHAPES, SHAPES + name))
        # Whoever writes ragged arrays as HyperSpy does means empty cells.
        is_ragged = any(joined(above, one) in file for one in shapes)
        if not is_ragged and not name.startswith(SHAPES):
            what = f"a chunk that is not stored, of the fill value {metadata.disputed},"
            remedy = "write all of its chunks with the program that made it"
            raise unsupported(what, metadata.document(path), remedy)
    return filled(metadata, shape)


def _note_missing(
    budget: Budget, path: str, metadata: ArrayMetadata, number: int
) -> None:
    """Keep the number of chunks that an array lacks, if all of them were written."""
    if number and metadata.complete:
        budget.missing[path] = budget.missing.get(path, 0) + number


def charge(
    path: str,
    metadata: ArrayMetadata,
    size: int,
    lookups: int,
    stored: Callable[[], int],
    budget: Budget,
    there: Callable[[], int] | None = None,
) -> None:
    """Raise FormatError where an array, or a part of it, takes more than it may.

    `stored` gives the bytes of its chunks in the file that bring values: they pay for memory.
    `there` gives all of them, as far as it is more: they pay for looking them up.
    """
    limits = budget.limits
    chunk = metadata.chunk_nbytes
    if chunk > limits.chunk or size > limits.array or lookups > _MOST_LOOKUPS:
        problem = f"it takes {size} bytes, in {lookups} chunks of {chunk}"
        allowed = f"{limits.array} in {_MOST_LOOKUPS} chunks of {limits.chunk} are allowed"
        remedy = "read it lazily, or raise the limits"
        raise FormatError(f"{problem}; {allowed}", metadata.document(path), remedy)
    later = budget.bytes_later(path, metadata.dtype) * size // metadata.cost
    decoded = max(size, chunk)
    later += metadata.excess * decoded // max(chunk, 1)
    where = partial(metadata.document, path)
    budget.look_up(lookups, where, there or stored)
    budget.spend(decoded + later, where, stored)


def charge_later(
    file: Listed, path: str, metadata: ArrayMetadata, budget: Budget, each: int
) -> None:
    """Raise FormatError where an array takes more than it may when all of it is gone through.

    Each of its elements takes so many bytes besides its own.
    """
    where = partial(metadata.document, path)

    def stored() -> int:
        return file.size(key for key in file.below(path) if not is_document(key))

    # In shards as well, chunks are looked up.
    budget.look_up(prod(times(metadata.shape, metadata.chunks)), where, stored)
    elements = prod(metadata.shape) * len(metadata.dtype.names or "1")
    budget.spend(metadata.nbytes + each * elements, where, stored)


def _most(metadata: ArrayMetadata, budget: Budget) -> int:
    """Give the bytes that an encoded chunk has at the most: hardly more are read."""
    if metadata.cells is not None:
        return budget.limits.chunk
    return 2 * metadata.chunk_nbytes + _OVERHEAD


def _read_chunk(file: Listed, key: str, most: int, budget: Budget) -> bytes | None:
    """Read the bytes of a chunk, or of a shard, or None where there are none.

    What is larger than the memory of the limits is read once it is known to be stored.
    """
    limits = budget.limits
    at_once = min(most, limits.memory)
    data = _read_part(file, key, slice(at_once + 1))
    if data is not None and at_once < len(data) and at_once < most:
        at_once = min(most, at_once + limits.expansion * file.size([key]))
        del data
        data = _read_part(file, key, slice(at_once + 1))
    if data is not None and len(data) > at_once:
        problem = f"a chunk that has more than {at_once} bytes"
        raise FormatError(problem, key, DAMAGED)
    return data


def _read_part(file: Listed, key: str, part: slice) -> bytes | None:
    try:
        return file.read(key, part)
    except KeyError:
        return None


def read_box(
    documents: Documents,
    path: str,
    metadata: ArrayMetadata,
    start: Edges,
    stop: Edges,
    budget: Budget,
    spread: _MapLike = map,
) -> NumPyArray:
    """Read what lies between two corners of an array.

    `spread` applies a function to many chunks, as `map` does, perhaps several at a time.
    """
    file = listed(documents)
    shape = tuple(np.subtract(stop, start).tolist())
    sides = zip(start, stop, metadata.unit, strict=True)
    ranges = [range(low // edge, -(-high // edge)) for low, high, edge in sides]
    if not all(shape):
        ranges = [range(0)]  # Beside an empty range, others may be huge.
    lookups = prod(map(len, ranges))

    def keys() -> Iterator[str]:
        return (joined(path, metadata.key(index)) for index in product(*ranges))

    _charge_box(file, path, metadata, shape, lookups, keys, budget)
    one_by_one = metadata.complete or metadata.disputed
    values = (
        np.empty(shape, metadata.dtype) if one_by_one else filled(metadata, shape)
    )

    def place(chunk: ChunkToRead) -> int:
        """Put a chunk into its place; give the number of chunks that are missing."""
        outer: list[Any] = []
        inner: list[Any] = []
        sides = zip(chunk.number, chunk.edges, start, stop, strict=True)
        for number, edge, low, high in sides:
            at = number * edge
            begin, end = max(at, low), min(at + edge, high)
            outer.append(slice(begin - low, end - low))
            inner.append(slice(begin - at, end - at))
        part = values[(*outer, ...)]  # This is a view, also without dimensions.
        data = chunk.read()
        if data is not None:
            decoded = decode_chunk(metadata, data, chunk.key, budget)
            part[...] = decoded[(*inner, ...)]
        elif one_by_one:
            part[...] = _filled_where_missing(file, path, metadata, part.shape)
        return chunk.stands_for * (data is None)

    runs: Iterable[Iterable[ChunkToRead]] = (
        chunks_in(file, key, metadata, index, (start, stop), budget)
        for index, key in zip(product(*ranges), keys(), strict=True)
    )
    if metadata.shards is None:
        runs = [chain.from_iterable(runs)]  # Only shards are read one by one.
    is_tiny = metadata.chunk_nbytes <= _TINY
    is_tiny = is_tiny and prod(metadata.chunks) <= _FEW_ELEMENTS
    if metadata.cells is None and is_tiny and start:
        every = chain.from_iterable(runs)
        missing = sum(_place_many(values, start, metadata, budget, every, place))
    else:
        missing = sum(sum(spread(place, chunks)) for chunks in runs)
    _note_missing(budget, path, metadata, missing)
    return values


def _place_many(
    values: NumPyArray,
    start: Edges,
    metadata: ArrayMetadata,
    budget: Budget,
    wanted: Iterator[ChunkToRead],
    place: Callable[[ChunkToRead], int],
) -> Iterator[int]:
    """Put tiny chunks into their places, thousands at a time; give how many are missing."""
    while some := [*islice(wanted, _CHUNKS_AT_ONCE)]:
        found: list[Edges] = []
        flat: list[NumPyArray] = []
        for chunk in some:
            index, edges, key, _, read = chunk
            data = read() if edges == metadata.chunks else None
            if data is None:
                yield place(chunk)
            else:
                flat.append(decode_numbers(metadata, data, key, budget))
                found.append(index)
        if found:
            numbers = np.concatenate(flat).view(metadata.stored)
            chunks = _untransposed(metadata, numbers, (len(found),))
            chunks = chunks.astype(metadata.dtype, copy=False)
            _put_many(values, start, found, chunks)


def _put_many(
    values: NumPyArray, start: Edges, indices: Sequence[Edges], chunks: NumPyArray
) -> None:
    """Put chunks of some numbers into an array that begins at a corner."""
    inside: Any = np.ones((len(indices),) + (1,) * len(start), bool)
    places: list[NumPyArray] = []
    for axis, low in enumerate(start):
        edge = chunks.shape[axis + 1]
        first = np.array([index[axis] * edge - low for index in indices], np.intp)
        others = [number + 1 for number in range(len(start)) if number != axis]
        steps = np.arange(edge, dtype=np.intp)
        at: Any = np.expand_dims(first[:, None] + steps, others)
        inside = inside & (at >= 0) & (at < values.shape[axis])
        places.append(at)
    inside = np.broadcast_to(inside, chunks.shape)
    whole = np.broadcast_arrays(*places)
    values[tuple(at[inside] for at in whole)] = chunks[inside]


def _charge_box(
    file: Listed,
    path: str,
    metadata: ArrayMetadata,
    shape: Edges,
    lookups: int,
    keys: Callable[[], Iterable[str]],
    budget: Budget,
) -> None:
    """Charge a box of an array, for which so many chunks, or shards, of some keys are looked up."""

    def looked_up() -> Iterable[str]:
        return keys() if lookups <= _FEW_LOOKUPS else file.below(path)

    def stored() -> int:
        return _stored_size(file, looked_up(), metadata, budget)

    def there() -> int:
        return file.size(looked_up())

    size = prod(shape) * metadata.cost
    charge(path, metadata, size, lookups, stored, budget, there)


def _stored_size(
    file: Listed, keys: Iterable[str], metadata: ArrayMetadata, budget: Budget
) -> int:
    """Give the bytes that chunks take in their file, as far as they bring values."""
    if metadata.fill is None or metadata.complete:
        return file.size(keys)
    # What is not there is filled all the same, which has to be paid for by the rest.
    found = [key for key in keys if key in file]
    elements = len(found) * prod(metadata.unit)
    enough = -(-8 * elements * metadata.cost // budget.limits.expansion)
    return min(file.size(found), enough)


def chunks_in(
    file: Listed,
    key: str,
    metadata: ArrayMetadata,
    index: Edges,
    box: tuple[Edges, Edges],
    budget: Budget,
) -> Iterator[ChunkToRead]:
    """Give the chunks in a document that are in a box: one, or those of a shard.

    Chunks that a shard lacks are left out, unless all of them were written: they hold the fill
    value. A shard that is missing stands for its chunks, which may be very many.
    """
    most = _most(metadata, budget)
    if metadata.shards is None:
        read_all = partial(_read_chunk, file, key, most, budget)
        yield ChunkToRead(index, metadata.chunks, key, 1, read_all)
        return
    per = metadata.per_shard
    count = prod(per)
    size = 16 * count + 4
    inside: list[range] = []
    sides = zip(index, per, metadata.chunks, *box, strict=True)
    for number, n, edge, low, high in sides:
        first, end = low // edge - number * n, -(-high // edge) - number * n
        inside.append(range(max(first, 0), min(end, n)))
    among = prod(map(len, inside))
    part = _parts_of_shard(file, key, metadata, among, budget)
    data = part(slice(-size, None) if metadata.index == "end" else slice(size))
    if data is None:
        if metadata.complete:
            yield ChunkToRead(index, metadata.shards, key, among, lambda: None)
        return
    flat = decode_stages(_CHECKSUM, data, 16 * count, 0, key)
    corner = tuple(slice(each.start, each.stop) for each in inside)
    table = flat.view("<i8").reshape(*per, 2)[corner]
    wanted = np.argwhere(metadata.complete | (table != -1).any(-1))
    budget.look_up(len(wanted), lambda: key, lambda: file.size([key]))

    def read(start: int, length: int) -> bytes | None:
        if start == length == -1:
            return None
        known = start >= 0 and 0 <= length <= most
        data = part(slice(start, start + length)) if known else None
        if data is None or len(data) != length:
            raise FormatError("the index of the shard points nowhere", key, DAMAGED)
        return data

    begin = np.multiply(index, per) + [each.start for each in inside]
    for at in range(0, len(wanted), _CHUNKS_AT_ONCE):
        some = wanted[at : at + _CHUNKS_AT_ONCE]
        numbers = (begin + some).tolist()
        places = table[tuple(some.T)].reshape(-1, 2).tolist()
        for number, place in zip(numbers, places, strict=True):
            read_part = partial(read, *place)
            yield ChunkToRead(tuple(number), metadata.chunks, key, 1, read_part)


def _parts_of_shard(
    file: Listed, key: str, metadata: ArrayMetadata, among: int, budget: Budget
) -> Callable[[slice], bytes | None]:
    """Give what reads parts of a shard: of all of it, where it is small and most is wanted."""
    count = prod(metadata.per_shard)
    size = 16 * count + 4
    if size > budget.limits.memory:
        problem = f"a shard of {count} chunks, whose index takes {size} bytes"
        raise FormatError(problem, key, RAISE_LIMITS)
    most = count * _most(metadata, budget)
    if 2 * among > count and (
        most <= _SHARD_AT_ONCE or file.size([key]) <= _SMALL_SHARD
    ):
        shard = _read_chunk(file, key, min(most, _SHARD_AT_ONCE) + size, budget)
        return partial(_part_of, shard)
    return partial(_read_part, file, key)


def _part_of(data: bytes | None, part: slice) -> bytes | None:
    return data if data is None else data[part]
