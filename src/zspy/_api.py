"""Floor 8: the two entry points, compositions of the rooms below."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from ._arrays import (
    LARGE,
    File,
    StoredArray,
    StoredCells,
    as_dask,
    cells_in_place,
    chosen_chunks,
    chosen_shards,
    is_large,
    is_lazy_array,
    is_long,
    open_stored,
    read_array,
    write_array,
)
from ._codecs import codec
from ._documents import NAV_SHAPE, Listed, array_layout, deserialise, flattened, serialise
from ._encode import Encoder
from ._entries import DATA_CELLS, DATA_MASK
from ._keys import OFFSETS, SHAPES
from ._layout import Layout, Storage, default_compressor, parse_array, parse_json
from ._node import Array, Group, walk
from ._signal import ROOT, decode_file, encode_file
from ._store import STORE_TYPES, Opened, below, is_path, kind_of, opened, replaced
from .errors import EncodeError, FormatError
from .typing import Compressor, Place, Signal, Unsupported, ZarrFormat

CHUNK: Final = 2**22
"""Bytes of a chunk of a signal's array, by default: one frame is read in milliseconds."""
INNER: Final = 2**20
"""Bytes of a chunk inside a shard."""
_MODES: Final = ("r", "r+", "a")
_TRIES: Final = 5


def file_writer(
    filename: Any,
    signal: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    chunks: Any = None,
    compressor: Any = None,
    close_file: bool = True,
    write_dataset: bool = True,
    store_type: Literal["local", "zip", "lmdb", "dbm"] | None = None,
    show_progressbar: bool = True,
    *,
    homogenize: bool = True,
    unsupported: Unsupported = "raise",
    zarr_format: ZarrFormat = 2,
    shards: tuple[int, ...] | bool | None = None,
    sync: bool = True,
    **kwds: Any,
) -> None:
    """Write a signal, or several, as a .zspy file.

    Everything is encoded before the first byte is written, and a file at a path is replaced at
    once when the new one is complete: an error, or a killed process, leaves the old file.

    Parameters
    ----------
    filename : path, Zarr store, mutable mapping, or open LMDB environment
        Where to write. What lies there is replaced.
    signal : Signal or sequence of Signal
        A dictionary with `data` (NumPy or dask array, of any shape and dtype), `axes` (one
        dictionary for each dimension) and `metadata`; `original_metadata`, `attributes`,
        `learning_results`, `models`, `package` and `package_version` are optional. What
        `file_reader` returns is taken as it is.
    chunks : tuple of int, int, bool or None
        Chunks of `data`: their shape; an edge for all dimensions; True, small ones, divided along
        all dimensions; False, one chunk. None chooses: whole signals, about 4 MiB, or the blocks
        of a dask array.
    compressor : numcodecs codec, "default", False or None
        None is ``Blosc("zstd", 1, SHUFFLE)``, "default" is ``Blosc("lz4", 5, SHUFFLE)``, False
        or 0 stores without compression.
    close_file : bool, default True
        Accepted for HyperSpy; files are always closed.
    write_dataset : bool, default True
        False keeps the array `data` that is stored, and replaces everything else.
    store_type : {"local", "zip", "lmdb", "dbm"}, optional
        What to make at a path: a directory (the default), a zip file or a database.
    show_progressbar : bool, default True
        Show a bar for writes that last.
    homogenize : bool, default True
        False keeps every sequence as it is, type for type.
    unsupported : {"raise", "skip"}, default "raise"
        "skip" leaves out values of types that zspy does not store, with one warning.
    zarr_format : {2, 3}, default 2
        All releases of HyperSpy read format 2.
    shards : tuple of int, bool or None
        Shape of the shards of `data` in format 3; None chooses, False makes none.
    sync : bool, default True
        Bring the new file to the disk before it takes the place of the old one.
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
        If values were left out, with all their places.

    Examples
    --------
    >>> import numpy as np
    >>> axis = {"name": "Energy", "units": "eV", "size": 3, "scale": 0.1, "offset": 5.0}
    >>> signal = {"data": np.arange(3), "axes": [axis], "metadata": {"General": {"title": "edge"}}}
    >>> file_writer("edge.zspy", signal)
    >>> file_reader("edge.zspy")[0]["metadata"]
    {'General': {'title': 'edge'}}
    """
    storage = _storage(compressor, zarr_format, store_type, kwds)
    signals = [signal] if isinstance(signal, Mapping) else list(signal)
    encoder = Encoder(homogenize, unsupported, copy=False)
    root, names = encode_file(signals, encoder)
    if not encoder.skip:
        encoder.places.clear()  # what is narrowed is stored all the same
    for one, name in zip(signals, names, strict=True):
        _lay_out(root, name, one["axes"], chunks, shards, zarr_format)
    kept = _Kept(None, None, [])
    if not write_dataset:
        kept = _keep(filename, root, names, zarr_format)
        store_type = store_type or kept.kind
    if zarr_format == 3:
        root = flattened(root)
    paths = [path for path, node in walk(root) if isinstance(node, Array) and is_large(path, node)]
    documents = list(serialise(root, storage=storage, elsewhere=is_large))
    _warn(encoder.places)
    with closing(kept), replaced(filename, store_type, sync) as sink:
        sink.put(documents)
        sink.keep(kept.documents, kept.pairs)
        for path in paths:
            array = node_at(root, path)
            how = array_layout(path, array, storage, main=True)
            write_array(sink.store(), path, array, how, show_progressbar)


def file_reader(
    filename: Any,
    lazy: bool = False,
    *,
    codecs: Collection[str] = (),
    **kwds: Any,
) -> list[Signal]:
    """Read the signals of a .zspy file, of any release and in any store.

    Parameters
    ----------
    filename : path, Zarr store, mapping, or open LMDB environment
        What lies at a path is recognised: a directory, a zip file, an LMDB, dbm or SQLite
        database.
    lazy : bool, default False
        Leave `data`, and every other large array, in the file, as dask arrays.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones, by name, for files that you trust.
    **kwds
        For the opening of the store: `mode` ("r", "r+" or "a", which all read).

    Returns
    -------
    list of Signal
        In order of the names of their groups. Each has `data`, `axes` (in the array's order, with
        `name`, `units`, `index_in_array`, and `size`, `offset`, `scale`, or the vector `axis`, or
        `expression`), `metadata`, `original_metadata`, `attributes`, `models`, `package` and
        `package_version`. Models of no signal come last, in dictionaries without `metadata`.

    Raises
    ------
    FormatError
        If there is no such file, if it is no .zspy file, or if it is damaged; with the key.
    EncodeError
        If an argument is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> axis = {"name": "x", "units": "nm", "size": 4, "scale": 0.5, "offset": 0.0}
    >>> file_writer("line.zspy", {"data": np.zeros(4), "axes": [axis], "metadata": {}})
    >>> file_reader("line.zspy")[0]["axes"][0]["scale"]
    0.5
    """
    mode = kwds.pop("mode", "r")
    if mode not in _MODES:
        raise EncodeError(f"the mode {mode!r} does not read", "mode", f"use one of {_MODES}")
    _refuse_options(kwds, "file_reader")
    for _ in range(_TRIES):
        file = opened(filename)
        try:
            signals = _read(file, lazy, codecs)
            file.check()
        except FormatError:
            if not _was_replaced(file):
                raise
        else:
            return signals
        finally:
            if not lazy:
                file.close()
    raise FormatError("the file was replaced again and again while it was read", str(filename))


def _was_replaced(file: Opened) -> bool:
    try:
        file.check()
    except FormatError:
        return True
    return False


def _read(file: Opened, lazy: bool, codecs: Collection[str]) -> list[Signal]:
    """Read the nodes of a file, and decode them."""
    documents = file.documents
    handle = File(file.close)
    flat: dict[str, StoredArray] = {}

    def load(path: str, how: Layout) -> Any:
        if lazy and is_lazy_array(path, how):
            if how.item is not None or is_long(how.dtype):
                return as_dask(StoredCells(documents, path, how, handle), how.chunks)
            flat[path] = StoredArray(open_stored(file.store(), path), how, handle)
            return as_dask(flat[path], how.shards or how.chunks)
        small = how.item is not None or how.nbytes <= LARGE or is_long(how.dtype)
        return None if how.native and small else read_array(file.store(), path, how)

    root = deserialise(documents, codecs=codecs, load=load)
    cells_in_place(root, flat)
    signals = decode_file(root)
    for signal in signals:
        if "attributes" in signal:
            signal["attributes"]["_lazy"] = lazy
    return signals


# --- arguments ---------------------------------------------------------------------------------


def _storage(
    compressor: Any, zarr_format: ZarrFormat, store_type: str | None, kwds: dict[str, Any]
) -> Storage:
    """Check what the caller says of the storage of arrays."""
    if store_type is not None and store_type not in STORE_TYPES:
        raise EncodeError(f"{store_type!r} is no kind of store", "store_type", f"use one of {STORE_TYPES}")
    if zarr_format not in (2, 3):
        raise EncodeError(f"Zarr format {zarr_format!r} is not known", "zarr_format", "use 2 or 3")
    separator = kwds.pop("dimension_separator", None) or ("/" if store_type in (None, "local") else ".")
    order, fill, filters = kwds.pop("order", "C"), kwds.pop("fill_value", 0), kwds.pop("filters", None) or ()
    _refuse_options(kwds, "file_writer")
    if order not in ("C", "F") or separator not in ("/", "."):
        raise EncodeError(f"order {order!r}, dimension_separator {separator!r}", "order", "use 'C' or 'F', '/' or '.'")
    if zarr_format == 3 and (filters or order == "F"):
        raise EncodeError("filters and order are of Zarr format 2", "filters", "leave them out")
    made = _compressor(compressor)
    for one in (*filters, *([made] if made else [])):
        if not hasattr(one, "codec_id"):
            raise EncodeError(f"{one!r} is no codec of numcodecs", "compressor", "use numcodecs.Blosc or the like")
    return Storage(
        zarr_format=zarr_format,
        compressor=made,
        filters=tuple(filters),
        order=order,
        separator=separator,
        fill_value=fill,
    )


def _compressor(compressor: Any) -> Compressor | None:
    """Give the compressor that the argument stands for (FORMAT 4)."""
    if compressor is None or compressor is True:
        return default_compressor()
    if isinstance(compressor, str) and compressor == "default":
        return codec({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}, "compressor")
    if isinstance(compressor, (bool, int)):
        return None
    made: Compressor = compressor
    return made


def _refuse_options(kwds: Mapping[str, Any], function: str) -> None:
    if kwds:
        raise EncodeError(f"{function} has no such option", ", ".join(kwds), "leave it out")


def _warn(places: Sequence[Place]) -> None:
    """Warn once of all that was left out."""
    if skipped := [place for place in places if not place.narrowed]:
        listed = "; ".join(f"{place.location} ({place.type})" for place in skipped)
        warnings.warn(f"zspy left out what it does not store: {listed}", UserWarning, stacklevel=3)


# --- arrays of signals -------------------------------------------------------------------------


def node_at(root: Group, path: str) -> Any:
    """Give the node at a path."""
    node: Any = root
    for name in path.split("/"):
        node = node.members[name]
    return node


def _lay_out(
    root: Group,
    name: str,
    axes: Sequence[Mapping[str, Any]],
    chunks: Any,
    shards: Any,
    zarr_format: ZarrFormat,
) -> None:
    """Choose chunks and shards for the array of a signal."""
    group = node_at(root, f"{ROOT}/{name}")
    array: Array = group.members["data"]
    signal = tuple(index for index in range(array.data.ndim) if not navigates(group, index))
    target = INNER if zarr_format == 3 and shards is not False and chunks is None else CHUNK
    chosen = chosen_chunks(array, chunks, signal, target)
    shard = None
    if zarr_format == 3 and chosen and shards is not False and is_large("", array):
        shard = chosen_shards(array, chosen, shards, signal)
    group.members["data"] = replace(array, chunks=chosen, shards=shard)


def navigates(group: Group, index: int) -> bool:
    """Tell whether a dimension of a signal is a navigation dimension."""
    return bool(group.members[f"axis-{index}"].attributes.get("navigate"))


# --- write_dataset=False -----------------------------------------------------------------------


class _Kept(NamedTuple):
    """What stays of an old file: pairs of its keys and of their names in the new one."""

    file: Opened | None
    kind: Any
    pairs: list[tuple[str, str]]

    @property
    def documents(self) -> Any:
        return None if self.file is None else self.file.documents

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def _keep(filename: Any, root: Group, names: Sequence[str], zarr_format: ZarrFormat) -> _Kept:
    """Find the arrays that the file has for these signals, and take them out of the new tree."""
    where = str(filename) if is_path(filename) else "filename"
    remedy = "write the data as well"
    try:
        file = opened(filename)
    except FormatError as error:
        raise EncodeError("there is no file whose data could be kept", where, remedy) from error
    documents = file.documents
    nodes = documents.nodes() if isinstance(documents, Listed) else documents
    found = {match[1]: key for key in nodes if (match := _DATA.match(key))}
    pairs: list[tuple[str, str]] = []
    for name in names:
        source = name if name in found else next(iter(found), "") if len(found) == len(names) == 1 else ""
        if not source:
            raise EncodeError(f"the file has no signal {name!r}", where, remedy)
        document = parse_json(documents[found[source]], found[source])
        how = parse_array(document, found[source])
        group = node_at(root, f"{ROOT}/{name}")
        shape = list(group.members["data"].data.shape)
        stored = (document.get("attributes") or {}).get(NAV_SHAPE, [*how.shape])
        if how.zarr_format != zarr_format:
            raise EncodeError(f"the stored data is of Zarr format {how.zarr_format}", "zarr_format", remedy)
        if stored != shape:
            raise EncodeError(f"the stored data has the shape {stored}, not {shape}", "data", remedy)
        for member in _PARTS & group.members.keys():
            del group.members[member]
        for member in _PARTS:
            prefix, new = f"{ROOT}/{source}/{member}/", f"{ROOT}/{name}/{member}/"
            pairs += [(key, new + key.removeprefix(prefix)) for key in below(documents, prefix)]
    return _Kept(file, kind_of(Path(filename)) if is_path(filename) else None, pairs)


_DATA: Final = re.compile(rf"{ROOT}/([^/]+)/data/(?:\.zarray|zarr\.json)\Z")
_PARTS: Final = frozenset(
    {"data", SHAPES + "data", OFFSETS + "data", OFFSETS + SHAPES + "data", DATA_CELLS, DATA_MASK}
)
