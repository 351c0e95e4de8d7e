"""How arrays are to be stored, by the choice of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Final

import numcodecs
import numpy as np

from ..values.errors import (
    EncodeError,
    check_choices,
    expect,
    expect_several,
    taking,
    unlike,
)
from ..values.nodes import Array
from ..values.root import EXPERIMENTS, MODELS
from ..values.signals import DATA_MASK
from ..values.types import Compressor, DType, Edges, NumPyArray, ZarrFormat
from .array_metadata import ArrayMetadata
from .chunk_shapes import (
    LARGEST,
    bytes_in_cells,
    bytes_of_cells,
    chunk_shape,
    given_edges,
)
from .codecs import CODECS, row_of
from .dtypes import MOST_EDGES, STRING_TYPES, core_dtype, is_held, parse_fill
from .stages import stages_of, takes

ONE_CHUNK: Final = 2**24
"""Bytes up to which an array without chunks of its own is one chunk."""


def default_compressor() -> Compressor:
    """Give the compressor of the format: Blosc with Zstandard, level 1, byte shuffle."""
    blosc = numcodecs.Blosc
    compressor: Compressor = blosc(cname="zstd", clevel=1, shuffle=blosc.SHUFFLE)
    return compressor


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How arrays are stored.

    Parameters
    ----------
    zarr_format : {2, 3}
    compressor : numcodecs codec or None
        None stores without compression. Arrays that it does not take, such as text for a codec of
        numbers, get the default one; so do all but the main arrays where it is a filter, or none
        that zspy knows, which may lose something.
    filters : tuple of numcodecs codecs
        Applied to the main arrays only, before the compressor.
    order : {"C", "F"}
        Memory order inside a chunk of a main array, in format 2.
    separator : {"/", "."}
        Between the numbers of a chunk's key, in format 2.
    fill_value : bool, int, float or complex
        What chunks of main arrays hold that are not stored.
    checksum : bool
        A CRC32 in each chunk, in format 2; format 3 has a CRC32C in any case.
    groups : dict of str to Storage
        How the arrays of groups are stored, by the paths of these, each with a slash behind it.
    """

    zarr_format: ZarrFormat = 2
    compressor: Compressor | None = field(default_factory=default_compressor)
    filters: tuple[Compressor, ...] = ()
    order: str = "C"
    separator: str = "/"
    fill_value: Any = 0
    checksum: bool = False
    groups: dict[str, Storage] = field(default_factory=dict[str, "Storage"])

    def __post_init__(self) -> None:
        check_choices(
            zarr_format=(self.zarr_format, (2, 3)),
            order=(self.order, ("C", "F")),
            separator=(self.separator, ("/", ".")),
            checksum=(self.checksum, (False, True)),
        )
        groups: object = self.groups
        expect(groups, Mapping, "dictionary", "groups", "use {path: Storage()}")
        expect_several(self.filters, "list of codecs", "filters", "use [codec]")
        with taking("filters"):
            codecs = (self.compressor, *self.filters)
        for one in codecs:
            if one is not None and not hasattr(one, "codec_id"):
                remedy = "use one of numcodecs, such as numcodecs.Zstd()"
                raise unlike("codec", one, "compressor", remedy)

    def of(self, path: str) -> Storage:
        """Give how the array at a path is stored, for which there may be thousands of groups."""
        end = 0
        while self.groups and (end := path.find("/", end) + 1):
            if (own := self.groups.get(path[:end])) is not None:
                return own
        return self


def metadata_for(
    path: str, array: Array, storage: Storage, main: bool = False
) -> ArrayMetadata:
    """Give the metadata of an array that is to be written.

    Main arrays (`is_main`) take filters, order and fill value; filters are for data, and not for
    its mask.
    """
    storage = storage.of(path)
    dtype = np.dtype(array.data.dtype)
    shape = tuple(array.data.shape)
    cells = array.cells
    is_v3 = storage.zarr_format == 3
    if cells is None and not is_held(dtype):
        raise EncodeError(
            f"Zarr holds no arrays of dtype {dtype} as they are",
            path or "node",
            "use encode",
        )
    if is_v3 and cells is not None and cells not in STRING_TYPES:
        raise EncodeError(
            "Zarr format 3 has no object arrays", path, "store it in a group"
        )
    chunks = _chunks_of(path, array, shape, dtype)
    shards = array.shards if is_v3 and shape else None
    if shards is not None:  # They are enlarged until they hold whole chunks.
        wanted = given_edges("shards", shards, shape, path)
        sides = zip(wanted, chunks, strict=True)
        shards = tuple(-(-shard // edge) * edge for shard, edge in sides)
    byte_shape = core_dtype(dtype).shape if is_v3 and cells is None else ()
    if len(shape + byte_shape) > MOST_EDGES:
        problem = f"{len(shape)} dimensions, and one for the bytes of {dtype}"
        raise EncodeError(problem, path, "use zarr_format=2")
    filtered = main and cells is None
    turned = filtered and not is_v3 and storage.order == "F"
    numbers = dtype if cells is None and not byte_shape else None
    is_mask = path.endswith(f"/{DATA_MASK}/mask")
    filters = storage.filters if filtered and not is_mask else ()
    if is_v3:
        filters = tuple(one for one in filters if takes(one, numbers))
    has_choice = main and not is_mask
    compressor = _taking(storage.compressor, filters, numbers, has_choice)
    if storage.checksum and not is_v3:
        filters, compressor = _checked(
            filters, compressor, 1 if cells else dtype.itemsize
        )
    metadata = ArrayMetadata(
        zarr_format=storage.zarr_format,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        stored=dtype.newbyteorder("<") if is_v3 and not byte_shape else dtype,
        byte_shape=byte_shape,
        cells=cells,
        compressor=compressor,
        filters=filters,
        axes=tuple(reversed(range(len(shape)))) if turned else None,
        separator="/" if is_v3 else storage.separator,
        prefix="c" if is_v3 else "",
        fill=_fill(storage.fill_value, dtype, path) if main else None,
        checksum=is_v3,
        shards=shards,
    )
    _refuse_other_numbers(metadata, path)
    return metadata


def is_main(path: str) -> bool:
    """Tell the data of a signal, and its mask, from other arrays of a file, however large.

    >>> (
    ...     is_main("Experiments/edge/data"),
    ...     is_main("Experiments/edge/metadata/Gain/dark"),
    ... )
    (True, False)
    """
    first, *below = path.split("/")
    # In a tree of another kind, whoever writes an array apart knows what it is.
    is_of_signals = first in (EXPERIMENTS, MODELS[0])
    if not is_of_signals:
        return True
    return below[1:] in (["data"], [DATA_MASK, "mask"])


def _refuse_other_numbers(metadata: ArrayMetadata, path: str) -> None:
    """Refuse a codec that would make other values of numbers that it is not made for."""
    for stage in metadata.stages:
        if not stage.fits(metadata.zarr_format):
            problem = (
                f"{stage.codec!r:.80} is not for numbers of {stage.dtype!s:.20}"
            )
            remedy = "give it their dtype (format 3 has little-endian numbers only)"
            raise EncodeError(problem, path, remedy)


def _taking(
    compressor: Compressor | None,
    filters: tuple[Compressor, ...],
    numbers: DType | None,
    has_choice: bool,
) -> Compressor | None:
    """Give a compressor, or the default one if it does not take what filters make of numbers.

    A filter in its place is for the data that it was chosen for.
    """
    if compressor is None:
        return None
    if not has_choice and is_for_data(compressor):
        return default_compressor()
    given = numbers
    for stage in stages_of(filters, numbers):  # many make bytes
        made = stage.encoded_dtype()
        given = made if made.itemsize > 1 else None
    if takes(compressor, given):
        return compressor
    return default_compressor()


def is_for_data(codec: Compressor) -> bool:
    """Tell what may lose a part of numbers, or is for one dtype, from a compressor of all arrays.

    Of a codec that is not in the table, as that of ZFP, nobody knows.
    """
    row = CODECS.get(codec.codec_id)
    return row is None or (row.takes == "numbers" and not row.compresses)


def _fill(value: Any, dtype: DType, path: str) -> NumPyArray | None:
    """Give the fill value that a caller wants, for arrays of numbers."""
    try:
        return parse_fill(value, dtype) if dtype.kind in "biufc" else None
    except ValueError as error:
        raise EncodeError(str(error), path, "use another") from error


def _chunks_of(path: str, array: Array, shape: Edges, dtype: DType) -> Edges:
    """Give the chunks that were asked for, or those of the format; none is too large for Blosc."""
    if array.chunks is not None:
        chunks = given_edges("chunks", array.chunks, shape, path)
    elif array.cells is None:
        chunks = chunk_shape(shape, dtype.itemsize, (), ONE_CHUNK)
    else:
        chunks = tuple(max(edge, 1) for edge in shape)
    if array.cells is None and prod(chunks) * dtype.itemsize > LARGEST:
        chunks = tuple(
            min(edge, max(size, 1))
            for edge, size in zip(chunks, shape, strict=True)
        )
        chunks = chunk_shape(chunks, dtype.itemsize, range(len(chunks)))
    return chunks


def cut_cells(path: str, array: Array) -> Array:
    """Divide an array of cells that no codec takes at once; refuse too large a chunk."""
    try:
        total = bytes_in_cells(array)
    except (TypeError, ValueError):  # Their codec refuses them.
        return array
    if total <= LARGEST:
        return array
    sizes = bytes_of_cells(array)
    shape = array.data.shape
    chunks = array.chunks or chunk_shape(
        shape, -(-total // sizes.size), (), LARGEST // 16
    )
    sizes = sizes.reshape(shape)
    for axis, edge in enumerate(chunks):
        sizes = np.add.reduceat(sizes, range(0, shape[axis], edge), axis)
    if sizes.max() > LARGEST:
        problem = f"a chunk of cells that hold {sizes.max()} bytes: {LARGEST} fit"
        raise EncodeError(
            problem, path, "give smaller chunks, or use zarr_format=3"
        )
    return replace(array, chunks=chunks)


def _checked(
    filters: tuple[Compressor, ...], compressor: Compressor | None, size: int
) -> tuple[tuple[Compressor, ...], Compressor | None]:
    """Put a checksum behind the filters; bytes are shuffled before it, where Blosc would do so.

    A compressor of numbers takes no checksum: it is one more filter before it.
    """
    config = {} if compressor is None else compressor.get_config()
    if compressor is not None and row_of(config["id"]).takes == "numbers":
        filters, compressor = (*filters, compressor), None
    elif (
        config.get("id") == "blosc"
        and config["shuffle"] == 1
        and not filters
        and size > 1
    ):
        filters = (numcodecs.Shuffle(size),)
        compressor = numcodecs.Blosc(
            config["cname"], config["clevel"], 0, config["blocksize"]
        )
    return (*filters, numcodecs.CRC32()), compressor
