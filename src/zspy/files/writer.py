"""Floor 8: the two entry points, compositions of the rooms below."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal, cast

from ..documents.array_metadata import (
    Layout,
    Storage,
    array_layout,
    default_compressor,
    parse_array,
    parse_json,
)
from ..documents.codecs import Budget, Limits, codec
from ..documents.integrity import CHUNKS, DOCUMENTS, chunk_count, nodes_below, record_of, sealed
from ..documents.tree import LIMITS, NAV_SHAPE, deserialise, read_nodes, serialise
from ..stores.directory import (
    Kept,
    Opened,
    StoreType,
    holds,
    is_path,
    is_remote,
    kind_of,
    located,
    name_of,
    opened,
    replaced,
    settle_store,
    spread,
)
from ..values.encoding import Encoder
from ..values.errors import EncodeError, FormatError, naming
from ..values.names import OFFSETS, SHAPES
from ..values.nodes import Array, Group
from ..values.root import DATA, MODELS, ROOT, decode_file, encode_file
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import Compressor, LoadedSignal, Place, Unsupported, ZarrFormat, is_dict
from .lazy import (
    BLOCK,
    StoredArray,
    as_dask,
    chosen_chunks,
    chosen_shards,
    is_large,
    is_small,
    node_at,
    read_array,
    reads_from,
    settle,
    stays,
    stored_array,
    write_array,
)

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
    store_type: StoreType | None = None,
    show_progressbar: bool = True,
    *,
    homogenize: bool = True,
    unsupported: Unsupported = "raise",
    zarr_format: ZarrFormat = 2,
    shards: tuple[int, ...] | bool | None = None,
    sync: bool = True,
    checksum: bool | None = None,
    mode: Literal["w", "a"] = "w",
    storage_options: Mapping[str, Any] | None = None,
    consolidate: bool | None = None,
    **kwds: Any,
) -> None:
    """Write a signal, or several, as a .zspy file.

    Everything is encoded before the first byte is written, and a file at a path is replaced at
    once when the new one is complete: an error, or a killed process, leaves the old file.

    Parameters
    ----------
    filename : path, URL, Zarr store, mutable mapping, or open database
        Where to write. What lies there is replaced. A URL (``s3://bucket/file.zspy``) is opened
        with fsspec; stores of obstore, mappers of fsspec, LMDB environments and databases of the
        module dbm are taken as they are.
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
        Close a Zarr store that was given. False leaves it open; the file is readable all the same.
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
    _check_choices(
        mode=(mode, ("w", "a")),
        write_dataset=(write_dataset, (True, False)),
        consolidate=(consolidate, (None, False, True)),
        checksum=(checksum, (None, False, True)),
        zarr_format=(zarr_format, (2, 3)),
    )
    if store_type is not None and not is_path(filename):
        problem = "The `store_type` parameter must be None if a zarr store is given"
        raise EncodeError(problem, "filename", "leave it out")
    place = located(filename, storage_options)
    adds = mode == "a" and write_dataset and holds(place)
    keeps = adds or not write_dataset
    kind = store_type or (kind_of(place) if keeps and is_path(place) else None)
    storage = _storage(compressor, zarr_format, kind, shards, kwds)
    storage = replace(storage, checksum=bool(checksum))
    signals = [signal] if isinstance(signal, Mapping) else list(signal)
    encoder = Encoder(homogenize, unsupported, copy=False)
    root, names = encode_file(signals, encoder)
    if not encoder.skip:
        encoder.places.clear()  # what is narrowed is stored all the same
    for name in names:
        _lay_out(node_at(root, f"{ROOT}/{name}"), chunks, shards, zarr_format)
    with ExitStack() as stack:
        old = stack.enter_context(closing(_old_file(place) if keeps else opened({})))
        pairs: list[tuple[str, str]] = []
        if adds:
            from .update import appended

            root, names, pairs = appended(old, root, zarr_format)
        elif keeps:
            pairs = _kept(old, root, names, zarr_format)
        special = storage.filters or storage.order != "C" or storage.fill_value != 0
        main = [f"{ROOT}/{name}/data" for name in names] if special else []
        large: list[tuple[str, Array]] = []

        def elsewhere(path: str, array: Array) -> bool:
            found = is_large(path, array, main)
            if found:
                large.append((path, array))
            return found

        documents = dict(serialise(root, storage=storage, elsewhere=elsewhere))
        if not is_path(place) and any(reads_from(node, place) for _, node in large):
            raise EncodeError("the data is read from what it replaces", "filename", "compute it")
        _warn(encoder.places)
        models = ["/".join(MODELS)] if MODELS[0] in root.members else []
        for path in [*(f"{ROOT}/{name}" for name in names), *models]:
            documents |= _sealed(documents, path, old, pairs)
        documents |= _consolidated(place, kind, documents, (old, pairs), consolidate, zarr_format)
        sink = stack.enter_context(replaced(place, kind, sync, (old, pairs)))
        sink.put(documents.items())
        for path, array in large:
            how = array_layout(path, array, storage, main=True)
            write_array(sink, path, array, how, show_progressbar)
        old.check()
    if not is_path(place):
        settle_store(place, close_file)


def file_reader(
    filename: Any,
    lazy: bool = False,
    *,
    blocks: int = BLOCK,
    codecs: Collection[str] = (),
    storage_options: Mapping[str, Any] | None = None,
    limits: Limits = LIMITS,
    **kwds: Any,
) -> list[LoadedSignal]:
    """Read the signals of a .zspy file, of any release and in any store.

    Parameters
    ----------
    filename : path, URL, Zarr store, mapping, or open database
        What lies at a path is recognised: a directory, a zip file, an LMDB, dbm or SQLite
        database. The rest as for `file_writer`.
    lazy : bool, default False
        Leave `data`, and every other large array, in the file, as dask arrays.
    blocks : int, default 2**27
        Bytes that a block of a lazy array aims at. A block is one chunk or shard, or whole ones
        joined; 0 joins none.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones, by name, for files that you trust.
    storage_options : mapping, optional
        For a URL: what the file system needs, such as its credentials.
    limits : Limits, optional
        What a file may ask for: memory, nodes, levels.
    **kwds
        For the opening of the store: `mode` ("r", "r+" or "a", which all read).

    Returns
    -------
    list of LoadedSignal
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
    place = located(filename, storage_options)
    for _ in range(_TRIES):
        with ExitStack() as stack:
            file = stack.enter_context(closing(opened(place)))
            try:
                with naming(lambda: name_of(place)):
                    signals = _read(file, lazy, blocks, codecs, limits)
            except FormatError:
                if not file.replaced():
                    raise
            else:
                if not file.replaced():
                    if lazy:
                        stack.pop_all()
                    return signals
    raise FormatError("the file was replaced again and again while it was read", name_of(place))


def _read(
    file: Opened, lazy: bool, blocks: int, codecs: Collection[str], limits: Limits
) -> list[LoadedSignal]:
    """Read the nodes of a file, and decode them."""
    stored: dict[str, StoredArray] = {}
    budget = Budget(limits)

    def load(path: str, how: Layout) -> Any:
        if lazy and stays(file, path, how):
            stored[path] = stored_array(file, path, how, limits)
            return as_dask(stored[path], how.shards or how.chunks, blocks)
        return None if is_small(how) else read_array(file, path, how, budget)

    root = read_nodes(file, codecs, budget, load, shaped=True)
    settle(root, stored)
    signals = decode_file(root)
    for signal in signals:
        if "attributes" in signal:
            signal["attributes"]["_lazy"] = lazy
    return signals


def open_group(place: Any, *, codecs: Collection[str] = ()) -> Group:
    """Open a file to look at what is stored: its nodes, with the large arrays left where they are.

    Nothing is decoded: these are the groups and arrays of the file, which a notebook shows as a
    tree. A large array is read when it is indexed; the file stays open as long as there is one.

    Parameters
    ----------
    place : path, Zarr store, mapping, or open LMDB environment
        A .zspy file, or any other Zarr group.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones, by name, for files that you trust.

    Returns
    -------
    Group

    Raises
    ------
    FormatError
        If there is no such group, or if it is damaged; with the key.

    Examples
    --------
    >>> import numpy as np
    >>> axis = {"name": "x", "units": "nm", "size": 4, "scale": 0.5, "offset": 0.0}
    >>> file_writer("line.zspy", {"data": np.zeros(4), "axes": [axis], "metadata": {}})
    >>> open_group("line.zspy")
    Group({'file_format': 'ZSpy', 'file_format_version': '3.3'}, members=['Experiments'])
    """
    file = opened(place)

    def load(path: str, how: Layout) -> Any:
        return None if is_small(how) else stored_array(file, path, how)

    node = deserialise(file, codecs=codecs, load=load)
    if not isinstance(node, Group):
        raise FormatError("there is an array, and no group", str(place), "open the group it is in")
    return node


def _sealed(
    documents: Mapping[str, bytes], path: str, old: Opened, pairs: Sequence[tuple[str, str]]
) -> dict[str, bytes]:
    """Record how many chunks a signal has, with those that are kept, and what its documents are."""
    here = [(source, key) for source, key in pairs if key.startswith(f"{path}/")]
    kept: dict[str, bytes] = {}
    complete = not here
    if here:
        source = here[0][0].rpartition("/data")[0]
        folders = {source, *(k.rpartition("/")[0] for k in old.nodes() if k.startswith(source))}
        nodes = {k: old[k] for k in map("/".join, product(folders, DOCUMENTS)) if k in old}
        kept = {b + k[len(a) :]: nodes[k] for a, b in here for k in nodes if k.startswith(a)}
        # chunks that are missing now stay missing
        complete = record_of(nodes, source).get(CHUNKS) == chunk_count(nodes_below(nodes, source))
        if not complete:
            here = [*spread(old, here)]
            complete = len(here) - len(kept) == chunk_count(kept)
    return sealed({**documents, **kept} if kept else documents, path, complete)


# --- arguments ---------------------------------------------------------------------------------


def _check_choices(**arguments: tuple[object, tuple[object, ...]]) -> None:
    for name, (value, choices) in arguments.items():
        if value not in choices:
            raise EncodeError(f"{value!r} is no choice", name, f"use one of {choices}")


def _storage(
    compressor: Any, zarr_format: ZarrFormat, kind: str | None, shards: Any, kwds: dict[str, Any]
) -> Storage:
    """Check what the caller says of the storage of arrays."""
    filters = kwds.pop("filters", None) or ()
    order = kwds.pop("order", None) or "C"
    separator = kwds.pop("dimension_separator", None)
    fill = kwds.pop("fill_value", None)
    _refuse_options(kwds, "file_writer")
    _check_choices(order=(order, ("C", "F")), dimension_separator=(separator, (None, "/", ".")))
    if zarr_format == 3 and (filters or order == "F" or separator == "."):
        problem = "filters, order F and separators are of Zarr format 2"
        raise EncodeError(problem, "zarr_format", "leave them out")
    if zarr_format == 2 and shards:
        raise EncodeError("shards are of Zarr format 3", "shards", "leave them out")
    made = _compressor(compressor)
    for one in (*filters, *([] if made is None else [made])):
        if not hasattr(one, "codec_id"):
            problem = f"{one!r} is no codec of numcodecs"
            raise EncodeError(problem, "compressor", "use numcodecs.Blosc or the like")
    return Storage(
        zarr_format=zarr_format,
        compressor=made,
        filters=tuple(filters),
        order=order,
        separator=separator or ("/" if kind in (None, "local") else "."),
        fill_value=0 if fill is None else fill,
    )


def _compressor(compressor: Any) -> Compressor | None:
    """Give the compressor that the argument stands for (FORMAT 4)."""
    if compressor is None:
        return default_compressor()
    if isinstance(compressor, str) and compressor == "default":
        return codec({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}, "compressor")
    return (
        None if isinstance(compressor, int) and not compressor else cast("Compressor", compressor)
    )


def _refuse_options(kwds: Mapping[str, Any], function: str) -> None:
    if kwds:
        raise EncodeError(f"{function} has no such option", ", ".join(kwds), "leave it out")


def _warn(places: Sequence[Place]) -> None:
    """Warn once of all that was left out."""
    if skipped := [place for place in places if not place.narrowed]:
        listed = "; ".join(f"{place.location} ({place.type})" for place in skipped)
        warnings.warn(f"zspy left out what it does not store: {listed}", UserWarning, stacklevel=3)


# --- arrays of signals -------------------------------------------------------------------------


def _lay_out(group: Group, chunks: Any, shards: Any, zarr_format: ZarrFormat) -> None:
    """Choose chunks and shards for the array of a signal."""
    members: Any = group.members
    array: Array = members["data"]
    axes = (members[f"axis-{index}"].attributes for index in range(array.data.ndim))
    signal = tuple(index for index, axis in enumerate(axes) if not axis.get("navigate"))
    sharded = zarr_format == 3 and shards is not False
    target = INNER if sharded and chunks is None else CHUNK
    array = replace(array, chunks=chosen_chunks(array, chunks, signal, target))
    if sharded and array.chunks and (is_large("", array) or not (shards is None or array.cells)):
        array = replace(array, shards=chosen_shards(array, array.chunks, shards, signal))
    members["data"] = array
    if (shapes := members.get(SHAPES + "data")) is not None:
        members[SHAPES + "data"] = replace(shapes, chunks=array.chunks)


# --- what is kept of an old file ---------------------------------------------------------------


def _old_file(place: Any) -> Opened:
    try:
        if isinstance(place, Path):
            from ..stores.replace import mend

            mend(place)
        return opened(place)
    except FormatError as error:
        problem = "there is no file whose data could be kept"
        raise EncodeError(problem, str(place), _REMEDY) from error


def _consolidated(
    place: Any,
    kind: str | None,
    documents: Mapping[str, bytes],
    kept: Kept,
    wanted: bool | None,
    zarr_format: ZarrFormat,
) -> dict[str, bytes]:
    """Give the document that holds all others, where one is wanted."""
    if wanted is False or (wanted is None and kind in (None, "local") and is_path(place)):
        return {}
    from ..documents.consolidated import consolidated, is_document, is_readable

    old, pairs = kept
    whole = {new: old[key] for key, new in spread(old, pairs) if is_document(key)}
    whole |= documents
    if not (wanted or (is_readable(whole) and (kind == "zip" or is_remote(place)))):
        return {}
    return dict([consolidated(whole, zarr_format)])


def _kept(
    file: Opened, root: Group, names: Sequence[str], zarr_format: ZarrFormat
) -> list[tuple[str, str]]:
    """Find the arrays that the file has for these signals, and take them out of the new tree.

    Gives pairs of the folders of the arrays in the file, and of their folders in the new one.
    """
    found = {match[1]: key for key in file.nodes() if (match := DATA.match(key))}
    if len(found) != len(names):
        raise EncodeError(f"the file has {len(found)} signals, not {len(names)}", "signal", _REMEDY)
    pairs: list[tuple[str, str]] = []
    for name in names:
        source = next(iter(found)) if len(found) == 1 else name
        if source not in found:
            raise EncodeError(f"the file has no signal {name!r}", "metadata.General.title", _REMEDY)
        document = parse_json(file[found[source]], found[source])
        stored = parse_array(document, found[source])
        if stored.zarr_format != zarr_format:
            problem = f"the stored data is of Zarr format {stored.zarr_format}"
            raise EncodeError(problem, "zarr_format", _REMEDY)
        attributes = document.get("attributes")
        nav = attributes.get(NAV_SHAPE) if is_dict(attributes) else None
        shape = [*stored.shape] if nav is None else nav
        members = node_at(root, f"{ROOT}/{name}").members
        data: Array = members["data"]
        if shape != [*data.data.shape]:
            raise EncodeError(f"the stored data has the shape {shape}", "data", _REMEDY)
        if (data.cells is None) != (stored.item is None and nav is None):
            raise EncodeError("of this data and the stored one, one is ragged", "data", _REMEDY)
        for part in _PARTS:
            members.pop(part, None)
            old, new = (f"{ROOT}/{group}/{part}" for group in (source, name))
            pairs += [(f"{old}/", f"{new}/")] if any(file.below(old)) else []
    return pairs


_REMEDY: Final = "write the data as well"
_PARTS: Final = frozenset(
    {"data", SHAPES + "data", OFFSETS + "data", OFFSETS + SHAPES + "data", DATA_CELLS, DATA_MASK}
)
