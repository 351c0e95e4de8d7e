"""Floor 6: the two entry points, short compositions of the rooms below."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ._arrays import LARGE, is_large, read_array, write_array
from ._chunks import chunk_shape
from ._documents import Storage, deserialise, serialise
from ._encode import Encoder
from ._layout import Layout, default_compressor
from ._node import Array, Group, walk
from ._signal import ROOT, decode_file, encode_file
from ._store import Directory, fetch, replacing
from .errors import EncodeError, FormatError
from .typing import Compressor, Signal, Unsupported, ZarrFormat


def file_writer(filename: Any, signal: Mapping[str, Any], chunks: Any = None, compressor: Any = None, close_file: bool = True,
    write_dataset: bool = True, store_type: Any = None, show_progressbar: bool = True, *, homogenize: bool = True,
    unsupported: Unsupported = "raise", zarr_format: ZarrFormat = 2, sync: bool = True, **kwds: Any) -> None:
    encoder = Encoder(homogenize, unsupported, copy=False)
    root, names = encode_file([signal], encoder)
    storage = Storage(zarr_format=zarr_format)
    documents = list(serialise(root, storage=storage, elsewhere=is_large))
    with replacing(Path(filename), "local", sync) as sink:
        sink.put(documents)
        for path, node in walk(root):
            if isinstance(node, Array) and is_large(path, node):
                write_array(sink.store(), path, node, zarr_format)


def file_reader(filename: Any, lazy: bool = False, **kwds: Any) -> list[Signal]:
    documents = fetch(filename)
    def load(path: str, how: Layout) -> Any:
        if how.native and (how.nbytes <= LARGE or how.item or how.dtype.name.endswith(("128","256"))): return None
        from zarr.storage import LocalStore
        return read_array(LocalStore(documents.root, read_only=True), path, how)
    signals = decode_file(deserialise(documents, load=load))
    for s in signals:
        if "attributes" in s: s["attributes"]["_lazy"]=lazy
    return signals
