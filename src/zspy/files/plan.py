"""What a write will do: its documents, its large arrays, and what it keeps of an old file."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from ..documents.consolidated import consolidated, is_document, is_readable
from ..documents.integrity import CHUNKS, chunk_count, record_of, sealed
from ..documents.ragged_csr import flattened
from ..documents.storage import Storage, metadata_for
from ..documents.tree import serialise
from ..stores.backends import holds, is_far, is_path, kind_of
from ..stores.base import NOTHING, Kept, Opened, spread
from ..values.errors import EncodeError
from ..values.nodes import Array, Group, node_at, walk
from ..values.root import MODELS, ROOT
from ..values.types import Node
from .chunking import has_own_chunks, lay_out
from .kept import MODELS_PATH, beside, kept_arrays, old_file
from .lazy import reads_from
from .options import WriteOptions
from .write_arrays import ArrayToWrite


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file will hold: documents, arrays in chunks, and what is kept of an old file."""

    documents: Mapping[str, bytes]
    arrays: Sequence[ArrayToWrite]
    kept: Kept
    kind: str | None


@contextmanager
def opened_old(place: Any, options: WriteOptions) -> Generator[Opened | None]:
    """Open the file of which something is kept, where anything is."""
    adds = options.mode == "a" and options.write_dataset
    if options.write_dataset and not (adds and holds(place)):
        yield None
        return
    with closing(old_file(place)) as old:
        yield old


def planned(
    root: Group,
    names: Sequence[str],
    old: Opened | None,
    place: Any,
    options: WriteOptions,
) -> Plan:
    """Plan how signals, encoded as `root`, are written to a place, beside what is kept there."""
    kind: str | None = options.store_type
    if kind is None and old is not None and is_path(place):
        kind = kind_of(place)
    storage = options.storage(kind)
    for name in names:
        group = node_at(root, f"{ROOT}/{name}")
        lay_out(group, options)
    pairs: Sequence[tuple[str, str]] = ()
    if old is not None and options.write_dataset:
        root, pairs = beside(old, root, options.zarr_format)
    elif old is not None:
        pairs = kept_arrays(old, root, names, options)
    kept = NOTHING if old is None else (old, pairs)
    tree = flattened(root) if options.zarr_format == 3 else root
    arrays = _arrays_apart(tree, names, storage, options)
    documents = dict(
        serialise(tree, storage=storage, elsewhere=lambda path, _: path in arrays)
    )
    if not is_path(place) and any(
        reads_from(one, place) for one in arrays.values()
    ):
        raise EncodeError(
            "the data is read from what it replaces", "filename", "compute it"
        )
    models = [MODELS_PATH] if MODELS[0] in root.members else []
    for path in [*(f"{ROOT}/{name}" for name in names), *models]:
        documents |= _sealed(documents, path, kept, options.write_chunks)
    documents |= _consolidated(place, kind, documents, kept, options)
    targets = [
        ArrayToWrite(path, one.data, metadata_for(path, one, storage, main=True))
        for path, one in arrays.items()
    ]
    return Plan(documents, targets, kept, kind)


def _arrays_apart(
    root: Node, names: Sequence[str], storage: Storage, options: WriteOptions
) -> dict[str, Array]:
    """Choose the arrays whose chunks are written one after the other, when all else is."""
    special = storage.filters or storage.order != "C" or storage.fill_value != 0
    apart = special or not options.write_chunks
    main = {f"{ROOT}/{name}/data" for name in names} if apart else set[str]()
    return {
        path: node
        for path, node in walk(root)
        if isinstance(node, Array) and has_own_chunks(node, path in main)
    }


def _sealed(
    documents: Mapping[str, bytes], path: str, kept: Kept, complete: bool
) -> dict[str, bytes]:
    """Record how many chunks a signal has, with those that are kept, and what its documents are."""
    old, pairs = kept
    here = [(source, key) for source, key in pairs if key.startswith(f"{path}/")]
    if not here:
        return sealed(documents, path, complete)
    every = [*spread(old, here)]
    stays = {new: old[there] for there, new in every if is_document(there)}
    # Chunks that are missing now stay missing: what the old file said of them counts.
    is_claimed = len(every) - len(stays) == chunk_count(stays) or _was_complete(
        old, here[0][0]
    )
    return sealed({**documents, **stays}, path, is_claimed)


def _was_complete(old: Mapping[str, bytes], key: str) -> bool:
    """Tell whether the signal of an array says of itself that no chunk is missing."""
    source = key.rpartition("/data")[0]
    found = cast("Opened", old).below(source)
    nodes = {below: old[below] for below in found if is_document(below)}
    return record_of(nodes, source).get(CHUNKS) == chunk_count(nodes)


def _consolidated(
    place: Any,
    kind: str | None,
    documents: Mapping[str, bytes],
    kept: Kept,
    options: WriteOptions,
) -> dict[str, bytes]:
    """Give the document that holds all others, where one is wanted."""
    wanted = options.consolidate
    if wanted is False:
        return {}
    if wanted is None and kind in (None, "local") and is_path(place):
        return {}
    old, pairs = kept
    every = {new: old[key] for key, new in spread(old, pairs) if is_document(key)}
    every |= documents
    helps = kind == "zip" or is_far(place)
    if not wanted and not (helps and is_readable(every)):
        return {}
    return dict([consolidated(every, options.zarr_format)])
