"""Floor 8: the two entry points, compositions of the rooms below."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import product
from typing import Any, Literal

from ..documents.integrity import (
    CHUNKS,
    DOCUMENTS,
    chunk_count,
    nodes_below,
    record_of,
    sealed,
)
from ..documents.storage import metadata_for
from ..documents.tree import serialise
from ..stores.backends import (
    holds,
    is_far,
    is_path,
    kind_of,
    located,
    opened,
    replaced,
    settle_store,
)
from ..stores.base import Kept, Opened, StoreType, spread
from ..values.encoding import Encoder
from ..values.errors import EncodeError
from ..values.nodes import Array, node_at
from ..values.root import MODELS, ROOT, encode_file
from ..values.types import Place, Unsupported, ZarrFormat
from .chunking import is_large, lay_out
from .lazy import reads_from
from .options import check_choices, storage_of
from .update import kept_arrays, old_file
from .write_arrays import write_array


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
    >>> from zspy import file_reader, file_writer
    >>> axis = {"name": "Energy", "units": "eV", "size": 3, "scale": 0.1, "offset": 5.0}
    >>> signal = {
    ...     "data": np.arange(3),
    ...     "axes": [axis],
    ...     "metadata": {"General": {"title": "edge"}},
    ... }
    >>> file_writer("edge.zspy", signal)
    >>> file_reader("edge.zspy")[0]["metadata"]
    {'General': {'title': 'edge'}}
    """
    check_choices(
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
    storage = storage_of(compressor, zarr_format, kind, shards, kwds)
    storage = replace(storage, checksum=bool(checksum))
    signals = [signal] if isinstance(signal, Mapping) else list(signal)
    encoder = Encoder(homogenize, unsupported, copy=False)
    root, names = encode_file(signals, encoder)
    if not encoder.skip:
        encoder.places.clear()  # what is narrowed is stored all the same
    for name in names:
        lay_out(node_at(root, f"{ROOT}/{name}"), chunks, shards, zarr_format)
    with ExitStack() as stack:
        old = stack.enter_context(closing(old_file(place) if keeps else opened({})))
        pairs: list[tuple[str, str]] = []
        if adds:
            from .update import appended

            root, names, pairs = appended(old, root, zarr_format)
        elif keeps:
            pairs = kept_arrays(old, root, names, zarr_format)
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
            raise EncodeError(
                "the data is read from what it replaces", "filename", "compute it"
            )
        _warn(encoder.places)
        models = ["/".join(MODELS)] if MODELS[0] in root.members else []
        for path in [*(f"{ROOT}/{name}" for name in names), *models]:
            documents |= _sealed(documents, path, old, pairs)
        documents |= _consolidated(
            place, kind, documents, (old, pairs), consolidate, zarr_format
        )
        sink = stack.enter_context(replaced(place, kind, sync, (old, pairs)))
        sink.put(documents.items())
        for path, array in large:
            metadata = metadata_for(path, array, storage, main=True)
            write_array(sink, path, array, metadata, show_progressbar)
        old.check()
    if not is_path(place):
        settle_store(place, close_file)


def _sealed(
    documents: Mapping[str, bytes],
    path: str,
    old: Opened,
    pairs: Sequence[tuple[str, str]],
) -> dict[str, bytes]:
    """Record how many chunks a signal has, with those that are kept, and what its documents are."""
    here = [(source, key) for source, key in pairs if key.startswith(f"{path}/")]
    kept: dict[str, bytes] = {}
    complete = not here
    if here:
        source = here[0][0].rpartition("/data")[0]
        folders = {
            source,
            *(k.rpartition("/")[0] for k in old.nodes() if k.startswith(source)),
        }
        nodes = {
            k: old[k] for k in map("/".join, product(folders, DOCUMENTS)) if k in old
        }
        kept = {
            b + k[len(a) :]: nodes[k] for a, b in here for k in nodes if k.startswith(a)
        }
        # chunks that are missing now stay missing
        complete = record_of(nodes, source).get(CHUNKS) == chunk_count(
            nodes_below(nodes, source)
        )
        if not complete:
            here = [*spread(old, here)]
            complete = len(here) - len(kept) == chunk_count(kept)
    return sealed({**documents, **kept} if kept else documents, path, complete)


def _warn(places: Sequence[Place]) -> None:
    """Warn once of all that was left out."""
    if skipped := [place for place in places if not place.narrowed]:
        listed = "; ".join(f"{place.location} ({place.type})" for place in skipped)
        warnings.warn(
            f"zspy left out what it does not store: {listed}", UserWarning, stacklevel=3
        )


def _consolidated(
    place: Any,
    kind: str | None,
    documents: Mapping[str, bytes],
    kept: Kept,
    wanted: bool | None,
    zarr_format: ZarrFormat,
) -> dict[str, bytes]:
    """Give the document that holds all others, where one is wanted."""
    if wanted is False or (
        wanted is None and kind in (None, "local") and is_path(place)
    ):
        return {}
    from ..documents.consolidated import consolidated, is_document, is_readable

    old, pairs = kept
    whole = {new: old[key] for key, new in spread(old, pairs) if is_document(key)}
    whole |= documents
    if not (wanted or (is_readable(whole) and (kind == "zip" or is_far(place)))):
        return {}
    return dict([consolidated(whole, zarr_format)])
