"""A signal of which no chunk is written yet: many processes then write its regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack

import numpy as np

from ..stores.backends import changing, is_path, located, settle_store
from ..stores.base import StoreType
from ..stores.in_place import refuse_whole
from ..values.errors import EncodeError
from ..values.types import ZarrFormat
from .options import ArrayKeywords, Chunks, Shards, WriteOptions
from .write_signals import write_signals


def create(
    filename: Any,
    signal: Mapping[str, Any],
    shape: tuple[int, ...] | None = None,
    dtype: Any = None,
    chunks: Chunks = None,
    compressor: Any = None,
    *,
    store_type: StoreType | None = None,
    zarr_format: ZarrFormat = 2,
    shards: Shards = None,
    sync: bool = True,
    checksum: bool | None = None,
    mode: Literal["w", "a"] = "w",
    storage_options: Mapping[str, Any] | None = None,
    consolidate: bool | None = None,
    **kwds: Unpack[ArrayKeywords],
) -> None:
    """Write a signal without its data: metadata, axes, and an array without chunks.

    A reader sees the fill value there. ``file_writer(..., region=...)`` fills it, from as many
    processes as there are, and ``file_writer(..., append_dim=...)`` makes it larger.

    Parameters
    ----------
    filename : path, URL, Zarr store, mutable mapping, or open database
        Where to write: anything but a zip file.
    signal : mapping
        As for `zspy.file_writer`; `data` may be missing, or an array whose shape and dtype count.
    shape : tuple of int, optional
        Shape of the array; None takes that of `data`, or the sizes of the axes.
    dtype : dtype, optional
        Type of its elements; None takes that of `data`.
    chunks, compressor, store_type, zarr_format, shards, sync, checksum
        As for `zspy.file_writer`.
    mode, storage_options, consolidate, **kwds
        As for `zspy.file_writer`.

    Raises
    ------
    EncodeError
        If the shape or the dtype is not known, or if the signal is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> import zspy
    >>> axes = [
    ...     {"name": "y", "size": 4, "navigate": True},
    ...     {"name": "x", "size": 3},
    ... ]
    >>> signal = {"axes": axes, "metadata": {"General": {"title": "map"}}}
    >>> zspy.create("map.zspy", signal, dtype="u2", chunks=(2, 3))
    >>> rows = {
    ...     "data": np.ones((2, 3), "u2"),
    ...     "axes": axes,
    ...     "metadata": signal["metadata"],
    ... }
    >>> zspy.file_writer("map.zspy", rows, region={"y": slice(2, 4)})
    >>> zspy.file_reader("map.zspy")[0]["data"].sum()
    np.uint64(6)
    """
    options = WriteOptions(
        chunks=chunks,
        compressor=compressor,
        store_type=store_type,
        zarr_format=zarr_format,
        shards=shards,
        sync=sync,
        checksum=checksum,
        mode=mode,
        consolidate=consolidate,
        array_keywords=kwds,
        write_chunks=False,
    )
    options.check_place(filename)
    place = located(filename, storage_options)
    if store_type not in (None, "local", "lmdb"):
        problem = f"a file of the kind {store_type!r} is only written as a whole"
        raise EncodeError(problem, "store_type", "use a directory")
    if mode == "a":
        refuse_whole(place)
    empty = {**signal, "data": _unwritten(signal, shape, dtype)}
    with changing(place):
        write_signals(place, [empty], options)
    if not is_path(place):
        settle_store(place, closes=False)


def _unwritten(signal: Mapping[str, Any], shape: Any, dtype: Any) -> Any:
    """Give an array of the shape that is wanted, which takes no memory."""
    data = signal.get("data")
    if shape is None and data is not None:
        shape = data.shape
    if shape is None:
        shape = tuple(axis.get("size") for axis in signal.get("axes", ()))
    if dtype is None and data is not None:
        dtype = data.dtype
    if dtype is None:
        raise EncodeError("it is not known", "dtype", "give it")
    if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
        raise EncodeError(f"{shape!r} is no shape", "shape", "give sizes")
    kind = np.dtype(dtype)
    if kind.hasobject:
        problem = "ragged data, or objects, are not written by regions"
        raise EncodeError(problem, "dtype", "append them")
    return np.broadcast_to(np.zeros((), kind), tuple(map(int, shape)))
