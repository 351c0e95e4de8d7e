"""Files written anew, for the command line: elsewhere, in another format, repacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from ..documents.array_metadata import ArrayMetadata, times
from ..files.kept import of_others
from ..files.options import WriteOptions, choice_of
from ..files.reader import Reading, read_file
from ..files.writer import write
from ..stores.backends import (
    STORE_TYPES,
    StoreType,
    finish_store,
    located,
    name_of,
    written_kind,
)
from ..values.errors import EncodeError, warn
from ..values.nodes import Group, walk
from ..values.types import Unsupported, ZarrFormat
from .describing import data_paths, signal_names
from .hspy_writer import write_hspy
from .other_formats import (
    is_hspy,
    is_of_hyperspy,
    is_other_format,
    read_other_format,
)

_Edges = tuple[int, ...]
_BLOCK = 2**25  # bytes: two are in memory, with what they are made of
_TINY = 2**12  # bytes of a chunk; of as many of them HDF5 makes gigabytes
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


def read(place: Any, each: int = 0) -> Reading:
    """Read the signals of a file; large arrays stay where they are, if dask is there.

    A file that holds hardly anything of what it says is refused. What is done with a number of it
    later takes `each` bytes besides its own.
    """
    if is_other_format(place):
        return Reading(read_other_format(place), Group(), {})
    lazy = find_spec("dask") is not None
    return read_file(located(place), lazy, lazy, _BLOCK, each=each)


def convert(
    source: Any, target: Any, plan: Plan, *, progress: bool = False
) -> list[str]:
    """Write the signals of a file anew, block by block; give what is left behind.

    Target and source may be one path: the old file stays until the new one is complete. Of a file
    in another format, values of unknown types are left out.
    """
    is_other = is_other_format(source)
    found = read(source)
    complete = _complete(found.signals, source)
    paths = data_paths(found.layouts, len(complete))
    layouts = [None if path is None else found.layouts[path] for path in paths]
    cut = [*_cut(paths, layouts, complete)]
    if cut and source == target:
        problem = f"an array is larger than its axes, and would be cut: {cut[0]}"
        raise EncodeError(problem, str(target), "correct the axes, or convert it")
    formats = [metadata.zarr_format for metadata in layouts if metadata is not None]
    zarr_format: ZarrFormat = plan.zarr_format or (3 if 3 in formats else 2)
    stays = source == target and {*formats} == {zarr_format}
    left = [] if stays else cut + _left(found)
    each: list[WriteOptions] = []
    for signal, metadata in zip(complete, layouts, strict=True):
        signal.setdefault("attributes", {})["_lazy"] = False
        each.append(_options(metadata, signal["data"].shape, plan, zarr_format))
    unsupported: Unsupported = "skip" if is_other else "raise"
    if not is_hspy(target):
        options = WriteOptions(
            each=tuple(each),
            zarr_format=zarr_format,
            consolidate=plan.consolidate,
            store_type=plan.kind,
            homogenize=is_other and not is_of_hyperspy(source),
            unsupported=unsupported,
            overwrite=True,  # the command asks before
            show_progressbar=progress,
            # What others have put into a file stays where that is written in its own place.
            write_dataset=not stays,
            kept_in_order=stays,
            anew=range(len(complete)) if stays else (),
        )
        place = located(target)
        write(place, complete, options)
        if not isinstance(place, Path):
            finish_store(place, closes=True)
    elif plan == Plan(chunks=plan.chunks):
        chunks = _chunks_of_one(plan, each, layouts)
        write_hspy(
            target, complete, chunks, overwrite=True, unsupported=unsupported
        )
    else:
        raise EncodeError(
            "of an .hspy file only the chunks can be chosen",
            str(target),
            "leave the other options out",
        )
    if orphans := len(found.signals) - len(complete):
        left.append(f"{orphans} models of no signal")
    return left


def _complete(signals: Sequence[Any], source: Any) -> list[Any]:
    """Give the signals that have data, and tell where there are none."""
    complete = [signal for signal in signals if "data" in signal]
    if not complete:
        warn(f"there is no signal in {name_of(source)}, nor in what is written")
    return complete


def _chunks_of_one(
    plan: Plan,
    each: Sequence[WriteOptions],
    layouts: Sequence[ArrayMetadata | None],
) -> Any:
    """Give the chunks of the one signal, but for tiny ones, each of which takes HDF5 kilobytes."""
    metadata = layouts[0] if len(each) == 1 and plan.chunks == "keep" else None
    is_tiny = metadata is not None and (
        prod(metadata.chunks) * metadata.cost < _TINY
        and prod(times(metadata.shape, metadata.chunks)) > _TINY
    )
    return None if is_tiny or len(each) != 1 else each[0].chunks


def repack(path: Path, plan: Plan, *, progress: bool = False) -> list[str]:
    """Write a file anew in its own place: what nobody reads any more is gone."""
    kind = written_kind(path)
    if kind not in (None, *STORE_TYPES):
        raise EncodeError(
            f"{kind} cannot be written in place", str(path), "convert it"
        )
    same = plan._replace(kind=cast("Any", kind))
    return convert(path, path, same, progress=progress)


def _options(
    metadata: ArrayMetadata | None,
    shape: _Edges,
    plan: Plan,
    zarr_format: ZarrFormat,
) -> WriteOptions:
    """Choose how a signal is stored: like its array in the source, or as the plan says."""
    chunks: Any = plan.chunks
    compressor: Any = plan.compressor
    if chunks == "keep":
        chunks = metadata.chunks if metadata and metadata.shape == shape else None
    found, filters, is_checked = choice_of(metadata)
    if compressor == "keep":
        compressor = found or False
    else:
        filters = []
    return WriteOptions(
        chunks=chunks,
        shards=plan.shards,
        zarr_format=zarr_format,
        compressor=compressor,
        checksum=plan.checksum or is_checked,
        array_keywords={"filters": filters if zarr_format == 2 else []},
    )


def _cut(
    paths: list[str | None], layouts: list[ArrayMetadata | None], signals: list[Any]
) -> Iterator[str]:
    """Tell arrays of which only as much is read as their axes have points."""
    for path, metadata, signal in zip(paths, layouts, signals, strict=True):
        shape = signal["data"].shape
        if metadata is None or signal["data"].dtype.hasobject:
            continue  # the shape of cells is not that of the array
        # The bytes of some dtypes are a dimension more.
        if (stored := metadata.shape[: len(shape)]) != shape:
            yield f"all of {stored} in /{path} but {shape}"


def _left(source: Reading) -> list[str]:
    """List what a copy of the signals leaves behind."""
    nodes = [f"{path}/.zgroup" for path, _ in walk(source.root) if path]
    names = signal_names(source.layouts)
    found = of_others(nodes, dict(zip(names, names, strict=True)))
    return [f"/{folder[:-1]}" for folder, _ in found]
