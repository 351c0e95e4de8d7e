"""`file_writer`, and `create` for a signal of which no chunk is written yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

import numpy as np

from ..stores.backends import (
    StoreType,
    finish_store,
    is_path,
)
from ..stores.in_place import refuse_new, refuse_whole
from ..stores.locking import TIMEOUT
from ..values.axes import complete_axes
from ..values.errors import EncodeError, shown, taking
from ..values.records import is_masked
from ..values.types import Entries, Unsupported, ZarrFormat
from .growth import changed_in_place
from .options import (
    ArrayKeywords,
    Chunks,
    Shards,
    WriteOptions,
    check_signal,
    listed_signals,
)
from .write_signals import write_signals


def file_writer(
    filename: Any,
    signal: Entries | Sequence[Entries],
    chunks: Chunks = None,
    compressor: Any = None,
    close_file: bool = True,
    write_dataset: bool = True,
    store_type: StoreType | None = None,
    show_progressbar: bool = True,
    *,
    homogenize: bool = True,
    unsupported: Unsupported = "raise",
    zarr_format: ZarrFormat = 2,
    shards: Shards = None,
    sync: bool = True,
    checksum: bool | None = None,
    mode: Literal["w", "a"] = "w",
    storage_options: Entries | None = None,
    consolidate: bool | None = None,
    append_dim: str | int | None = None,
    region: Mapping[Any, slice] | None = None,
    safe_chunks: bool = True,
    overwrite: bool | None = None,
    lock: bool = True,
    lock_timeout: float = TIMEOUT,
    **kwds: Unpack[ArrayKeywords],
) -> None:
    """Write a signal, or several, as a .zspy file.

    Everything is encoded before the first byte is written, and a file at a path is replaced at
    once when the new one is complete: an error, or a killed process, leaves the old file.

    Parameters
    ----------
    filename : path, URL, Zarr store, mutable mapping, or open database
        Where to write. A .zspy file that lies there is replaced, nothing else (see `overwrite`).
        A URL (``s3://bucket/file.zspy``) is opened with fsspec; stores of obstore, mappers of
        fsspec, LMDB environments and databases of the module dbm are taken as they are.
    signal : Signal or sequence of Signal
        A dictionary with `data` (NumPy or dask array, of any shape and dtype), `axes` (one
        dictionary for each dimension) and `metadata`; `original_metadata`, `attributes`,
        `learning_results`, `models`, `package` and `package_version` are optional. What
        `file_reader` returns is taken as it is.
    chunks : tuple of int, int, bool or None
        Chunks of `data`: their shape, which may be larger than an array that grows; an edge for
        all dimensions; True, small ones, divided along all dimensions; False, one chunk. None
        chooses: whole signals, about 4 MiB, or the blocks of a dask array.
    compressor : numcodecs codec, "default", False or None
        None is ``Blosc("zstd", 1, SHUFFLE)``, "default" is ``Blosc("lz4", 5, SHUFFLE)``, False
        or 0 stores without compression. A filter in its place, or a codec that zspy does not
        know, is for the data of signals, and all else gets the default one.
    close_file : bool, default True
        Close a Zarr store that was given. False leaves it open; the file is readable all the same.
    write_dataset : bool, default True
        False keeps the array `data` that is stored, and replaces all else of the signals.
    store_type : str, optional
        What to make at a path: None makes a directory, or a zip where the path ends in ``.zip``;
        ``"local"``, ``"zip"``, or another kind, as for `zspy.commit`.
    show_progressbar : bool, default True
        Show a bar for writes that last.
    homogenize : bool, default True
        False keeps every sequence as it is, type for type.
    unsupported : {"raise", "skip", "drop"}, default "raise"
        "skip" leaves out values of types that zspy does not store, with one warning; of a list or
        tuple that holds one, "skip" leaves out the whole, "drop" the element.
    zarr_format : {2, 3}, default 2
        All releases of HyperSpy read format 2.
    shards : tuple of int, bool or None
        Shape of the shards of `data` in format 3; None chooses, False makes none.
    sync : bool, default True
        Bring the new file to the disk before it takes the place of the old one.
    checksum : bool, optional
        True stores a CRC32 in every chunk in format 2, which all readers check: a chunk that is
        damaged is an error. Format 3 and zip files have checksums in any case.
    mode : {"w", "a"}, default "w"
        "a" adds the signals to those of the file, if there is one; equal titles are told apart.
        What ``write_dataset=False`` updates it updates in any mode.
    storage_options : mapping, optional
        For a URL: what the file system needs, such as its credentials.
    consolidate : bool, optional
        Write one document that holds all others, with which a remote file is opened by one or two
        requests. None does so in a zip file and in a remote store.
    append_dim : str or int, optional
        An axis, by its name or its number in the array: `data` is added along it, in place, to
        the signal of the same title, whose other axes agree. A signal that is not there yet is
        written; `chunks`, `compressor` and the like count for that only. Directories, LMDB and
        Zarr stores grow, zip files do not.
    region : mapping of str or int to slice, optional
        Write `data` into this part of the signal of the same title, and nothing else. Axes that
        are not named are taken whole.
    safe_chunks : bool, default True
        Refuse a region that shares a chunk, or a shard, with what lies beside it. Regions that
        share none may be written by many processes at once. False reads such chunks, changes
        them and writes them back, one process at a time.
    overwrite : bool, optional
        None replaces a .zspy file, or an empty folder, and nothing else. True replaces another
        Zarr group too, or a plain file. False replaces nothing. What belongs to no Zarr node, such
        as a README in the folder of a file, stays in any case, or makes the write an error.
    lock : bool, default True
        Keep other processes and threads from writing the file meanwhile. False is for file
        systems without locks; nobody else may write then.
    lock_timeout : float, default 60.0
        Seconds to wait for another writer, before that is an error.
    **kwds
        For the creation of the arrays: `filters` (numcodecs codecs, for `data`), `order` ("C" or
        "F", of the values inside a chunk), `fill_value`, `dimension_separator` ("/" or ".").

    Raises
    ------
    EncodeError
        If the signal, or an argument, is not what it should be, with its place.
    UnsupportedError
        If a value is of a type that zspy does not store.

    Warns
    -----
    UserWarning
        If values were left out, or stored as their plain base type, with all their places.

    Examples
    --------
    >>> import numpy as np
    >>> from zspy import file_reader, file_writer
    >>> axis = {
    ...     "name": "Energy",
    ...     "units": "eV",
    ...     "size": 3,
    ...     "scale": 0.1,
    ...     "offset": 5.0,
    ... }
    >>> signal = {
    ...     "data": np.arange(3),
    ...     "axes": [axis],
    ...     "metadata": {"General": {"title": "edge"}},
    ... }
    >>> file_writer("edge.zspy", signal)
    >>> file_reader("edge.zspy")[0]["metadata"]
    {'General': {'title': 'edge'}}
    """
    options = WriteOptions.of(locals())
    signals = listed_signals(filename, signal)
    place = options.located(filename, storage_options)
    write(place, signals, options)
    if not is_path(place):
        finish_store(place, close_file)


def write(place: Any, signals: Sequence[Entries], options: WriteOptions) -> None:
    """Write signals in place, where that is to be done, or a whole file."""
    with options.changing(place):
        if not changed_in_place(place, signals, options):
            write_signals(place, signals, options)


def create(
    filename: Any,
    signal: Entries,
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
    storage_options: Entries | None = None,
    consolidate: bool | None = None,
    overwrite: bool | None = None,
    lock: bool = True,
    lock_timeout: float = TIMEOUT,
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
    mode, storage_options, consolidate, overwrite, lock, lock_timeout, **kwds
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
    options = WriteOptions.of(locals(), write_chunks=False)
    check_signal(filename, signal)
    place = options.located(filename, storage_options)
    refuse_new(place, store_type)
    if mode == "a":
        refuse_whole(place)
    empty = {**signal, "data": _unwritten(signal, shape, dtype)}
    write(place, [empty], options)
    if not is_path(place):
        finish_store(place, closes=False)


def _unwritten(signal: Entries, shape: Any, dtype: Any) -> Any:
    """Give an array of the shape that is wanted, which takes no memory."""
    data = signal.get("data")
    axes = complete_axes(signal.get("axes", ()), ())
    sizes = [axis.get("size", np.size(axis.get("axis", ()))) for axis in axes]
    shape = getattr(data, "shape", sizes) if shape is None else shape
    with taking("shape"):
        shape = np.asarray(shape).ravel().tolist()
        is_shape = all(isinstance(size, int) and size >= 0 for size in shape)
    dtype = getattr(data, "dtype", None) if dtype is None else dtype
    if dtype is None:
        raise EncodeError("it is not known", "dtype", "give it")
    if not is_shape:
        raise EncodeError(f"{shown(shape)} is no shape", "shape", "give sizes")
    try:
        kind = np.dtype(dtype)
    except Exception as error:
        problem = f"{shown(dtype):.80} is no dtype"
        raise EncodeError(problem, "dtype", "use one of NumPy") from error
    if kind.hasobject:
        problem = "ragged data, or objects, are not written by regions"
        raise EncodeError(problem, "dtype", "append them")
    try:
        empty = np.broadcast_to(np.zeros((), kind), tuple(map(int, shape)))
    except ValueError as error:
        problem = f"NumPy has no array of {shown(shape)}"
        raise EncodeError(
            problem, "shape", "give fewer, or smaller, sizes"
        ) from error
    if not is_masked(data):
        return empty
    return np.ma.MaskedArray(empty, fill_value=getattr(data, "_fill_value", None))
