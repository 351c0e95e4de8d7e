"""A leaf: files written anew, for the command line: elsewhere, in another format, repacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numcodecs import CRC32, Blosc, Shuffle

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import LOOKUP
from ..documents.limits import LIMITS, Budget
from ..files.chunking import CHUNK, INNER, chosen_chunks, chosen_shards
from ..files.lazy import StoredArray
from ..files.reader import file_reader
from ..files.writer import file_writer
from ..stores.backends import kind_of
from ..stores.base import StoreType
from ..values.errors import EncodeError, FormatError
from ..values.nodes import Array, Group
from ..values.root import ROOT
from ..values.types import Node, ZarrFormat, is_lazy
from .describing import data_paths
from .tree import Tree, look

_BLOCK: Final = 2**25  # bytes of a block: chunks smaller than that are joined
_MOST: Final = (
    2**28
)  # bytes of a block that is larger so that no stored chunk is read twice
_Edges = tuple[int, ...]
Keep = Literal["keep"]


class Plan(NamedTuple):
    """How a file is to be written; "keep" is as the source has it, None chooses."""

    kind: StoreType | None = None
    zarr_format: ZarrFormat | None = None
    chunks: Keep | _Edges | None = "keep"
    shards: _Edges | bool | None = None
    compressor: Any = "keep"
    checksum: bool | None = None
    consolidate: bool | None = None


def read(place: Any) -> list[Any]:
    """Read the signals of a file; large arrays stay where they are, if dask is there."""
    return _read(place, look(place))


def _read(place: Any, tree: Tree) -> list[Any]:
    """Read the signals of a file, unless it holds hardly anything of what it says."""
    budget = Budget(LIMITS)
    for path, metadata in tree.layouts.items():
        size = metadata.nbytes + LOOKUP * prod(metadata.stored_grid)
        budget.spend(size, partial(str, path), partial(tree.stored.__getitem__, path))
    return file_reader(place, lazy=find_spec("dask") is not None)


def convert(
    source: Any, target: Any, plan: Plan, *, progress: bool = False
) -> list[str]:
    """Write the signals of a file anew, block by block; give what is left behind.

    Target and source may be one path: the old file stays until the new one is complete.
    """
    tree = look(source)
    signals = _read(source, tree)
    whole = [signal for signal in signals if "data" in signal]
    layouts = [
        None if path is None else tree.layouts[path]
        for path in data_paths(tree, len(whole))
    ]
    zarr_format = plan.zarr_format or (
        3 if any(_is3(metadata) for metadata in layouts) else 2
    )
    options: dict[str, Any] = {"zarr_format": zarr_format, "shards": plan.shards}
    for signal, metadata in zip(whole, layouts, strict=True):
        signal["attributes"]["_lazy"] = False
        chunks, shards, signal["data"] = _laid(signal, metadata, plan, zarr_format)
        if len(whole) == 1:
            options |= {"chunks": chunks, "shards": shards}
        elif is_lazy(signal["data"]) and chunks is not None:
            signal["data"] = signal["data"].rechunk(chunks)
    file_writer(
        target,
        whole,
        **_compression(layouts, plan, zarr_format),
        consolidate=plan.consolidate,
        store_type=plan.kind,
        show_progressbar=progress,
        **options,
    )
    return _left(tree, len(signals) - len(whole))


def repack(path: Path, plan: Plan, *, progress: bool = False) -> list[str]:
    """Write a file anew in its own place: what nobody reads any more is gone."""
    kind = kind_of(path)
    kinds: Mapping[str, StoreType] = {
        "local": "local",
        "zip": "zip",
        "lmdb": "lmdb",
        "dbm": "dbm",
    }
    if kind == "":
        raise FormatError("there is no such file", str(path))
    if kind not in kinds:
        raise EncodeError(f"{kind} cannot be written in place", str(path), "convert it")
    return convert(path, path, plan._replace(kind=kinds[kind]), progress=progress)


def _is3(metadata: ArrayMetadata | None) -> bool:
    return metadata is not None and metadata.zarr_format == 3


def _compression(
    layouts: Sequence[ArrayMetadata | None], plan: Plan, zarr_format: ZarrFormat
) -> dict[str, Any]:
    """Choose compressor, filters and checksum: those of the first signal, or as the plan says."""
    first = layouts[0] if layouts else None
    if first is None or not first.native:
        chosen = None if plan.compressor == "keep" else plan.compressor
        return {"compressor": chosen, "checksum": plan.checksum}
    filters = [one for one in first.filters if one.codec_id != CRC32.codec_id]
    is_checked = len(filters) < len(first.filters)
    compressor: Any = first.compressor or False
    settings: Any = compressor.get_config() if compressor else {}
    is_shuffled = [one.codec_id for one in filters] == [Shuffle.codec_id]
    if is_checked and is_shuffled and settings.get("shuffle") == Blosc.NOSHUFFLE:
        filters.pop()  # Blosc does it again: it shuffled after the checksum
        compressor = Blosc(settings["cname"], settings["clevel"], Blosc.SHUFFLE)
    if plan.compressor != "keep":
        compressor, filters = plan.compressor, []
    return {
        "compressor": compressor,
        "filters": filters if zarr_format == 2 else [],
        "checksum": plan.checksum or is_checked,
    }


def _laid(
    signal: Mapping[str, Any],
    metadata: ArrayMetadata | None,
    plan: Plan,
    zarr_format: ZarrFormat,
) -> tuple[Any, Any, Any]:
    """Choose chunks and shards of the data of a signal, and divide it into blocks of them."""
    data: Any = signal["data"]
    same = metadata is not None and metadata.shape == data.shape
    if plan.chunks != "keep":
        chunks: Any = plan.chunks
    else:
        chunks = metadata.chunks if metadata is not None and same else None
    if data.dtype.kind == "O" or not data.size or not data.ndim:
        return chunks, plan.shards, data
    like = Array(np.broadcast_to(np.zeros((), data.dtype), data.shape))
    sides = tuple(
        i for i, axis in enumerate(signal["axes"]) if not axis.get("navigate")
    )
    sharded = zarr_format == 3 and plan.shards is not False
    edges = (
        chosen_chunks(like, chunks, sides, INNER if sharded else CHUNK) or data.shape
    )
    shards: Any = plan.shards
    if sharded:
        shards = chosen_shards(like, edges, plan.shards, sides)
    unit: _Edges = shards if sharded else edges
    old = (
        (metadata.shards or metadata.chunks) if metadata is not None and same else unit
    )
    return (
        edges,
        shards,
        _in_blocks(data, _block(data.shape, data.dtype.itemsize, unit, old)),
    )


def _block(shape: _Edges, itemsize: int, unit: _Edges, old: _Edges) -> _Edges:
    """Choose a block of whole units that are written, and, if it can be, of those that are read."""
    block = [-(-edge // size) * size for size, edge in zip(unit, old, strict=True)]
    if prod(block) * itemsize > _MOST:
        block = [*unit]
    for dimension in reversed(range(len(shape))):
        room = max(_BLOCK // (prod(block) * itemsize), 1)
        block[dimension] = min(
            block[dimension] * room, max(shape[dimension], block[dimension])
        )
    return tuple(map(min, block, shape))


def _in_blocks(data: Any, block: _Edges) -> Any:
    """Divide a lazy array anew; one that a file holds is read so from the start."""
    if not is_lazy(data):
        return data
    layers: dict[str, Any] = data.__dask_graph__().layers
    sources = [layers[name][name] for name in layers if name.startswith("original-")]
    source = sources[0] if len(sources) == 1 else None
    if not isinstance(source, StoredArray) or source.shape != data.shape:
        return data.rechunk(block)
    dask_array: Any = import_module("dask.array")
    meta = np.empty((0,) * source.ndim, source.dtype)
    return dask_array.from_array(
        source, chunks=block, name=False, asarray=False, meta=meta
    )


def _left(tree: Tree, orphans: int) -> list[str]:
    """List what a copy of the signals leaves behind."""
    members: Mapping[str, Node] = (
        tree.root.members if isinstance(tree.root, Group) else {}
    )
    left = [f"/{name}" for name in sorted(members) if name not in (ROOT, "Analysis")]
    return left + [f"{orphans} models of no signal"] * bool(orphans)
