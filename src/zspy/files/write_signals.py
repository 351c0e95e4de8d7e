"""Signals as a whole file: encoded, laid out beside what is kept of an old file, and written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from itertools import repeat
from typing import Any, Final

from ..documents.consolidated import consolidated, is_readable
from ..documents.integrity import chunk_count, is_complete, with_record
from ..documents.ragged_csr import flattened
from ..documents.source import DOCUMENTS, by_group, is_document
from ..documents.storage import Storage, is_for_data, is_main, metadata_for
from ..documents.tree import serialise
from ..stores.backends import (
    Replaced,
    check_overwrite,
    holds,
    is_far,
    is_path,
    kind_named,
    name_of,
    opened,
    replacing,
    written_kind,
)
from ..stores.base import NOTHING, Kept, Moves, Opened, sorted_keys, spread
from ..stores.in_place import in_place
from ..stores.overwriting import refuse_inner
from ..values.blocks import computed
from ..values.errors import EncodeError, MissingFileError, warn
from ..values.nodes import Array, Group, node_at, walk
from ..values.root import EXPERIMENTS, MODELS, encode_file
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import Documents, Node, Place, is_mapping
from .chunking import has_own_chunks, lay_out
from .kept import (
    MODELS_PATH,
    changed_documents,
    joined_trees,
    move_kept_arrays,
    names_below,
)
from .lazy import refuse_own
from .options import WriteOptions
from .stored import documents_at
from .write_arrays import ArrayToWrite, write_arrays

_GROUPS: Final = (f"{DATA_CELLS}/", f"{DATA_MASK}/")
# Chunks, which take longer to count than the documents to read.
_MANY_CHUNKS: Final = 1000
_WARNINGS: Final = (
    "left out what it does not store",
    "stored as the plain type that it extends, or with the offset of its zone",
)


def write_signals(
    place: Any, signals: Sequence[Mapping[str, Any]], options: WriteOptions
) -> None:
    """Encode signals, lay out their tree beside what stays of the file that is there, and write."""
    encoder = options.encoder()
    with _opened_old(place, options) as old:
        found = kind_named(place) if old is None else old.kind
        kind = options.store_type or found
        replaced = _check_old(place, kind, old, options)
        taken = old if options.write_dataset else None
        below = [names_below(taken, path) for path in (EXPERIMENTS, MODELS_PATH)]
        root, names = encode_file(signals, encoder, *below)
        if not signals and holds(place):
            problem = "there is no signal, and a file is there"
            raise EncodeError(problem, "signal", "remove the file yourself")
        kind = written_kind(place) if kind is None and old is not None else kind
        storage = options.storage(kind)
        for name, own in zip(names, options.each or repeat(options), strict=False):
            lay_out(node_at(root, f"{EXPERIMENTS}/{name}"), own)
            if options.each:
                storage.groups[f"{EXPERIMENTS}/{name}/"] = own.storage(kind)
        root, kept = _joined_with_old(old, root, names, options)
        tree = flattened(root) if options.zarr_format == 3 else root
        arrays = _arrays_apart(tree, storage, options)
        # a mapping, or a database, is replaced when all is known; old metadata is there
        if not (is_mapping(place) or is_path(place) or hasattr(place, "replacing")):
            for path, one in arrays.items():
                if not options.write_dataset:
                    arrays[path] = replace(one, data=computed(one.data))
            refuse_own(arrays.values(), place)
        documents = dict(
            serialise(
                tree, storage=storage, elsewhere=lambda path, _: path in arrays
            )
        )
        around: Any = root.members.get(MODELS[0], Group())
        groups = [f"{EXPERIMENTS}/{name}" for name in names]
        groups += [MODELS_PATH] if MODELS[1] in around.members else []
        documents |= _records(documents, groups, kept, options.write_chunks)
        documents |= _consolidated(place, kind, documents, kept, options)
        targets = [
            ArrayToWrite(
                path, one.data, metadata_for(path, one, storage, is_main(path))
            )
            for path, one in arrays.items()
        ]
        warn_of_what_is_left_out(encoder.places)
        writes_data = options.write_dataset or options.anew or targets
        if kind == "local" and not writes_data:
            changes = changed_documents(old, documents, kept[1], groups)
            if changes is not None:
                _replace_documents(place, changes, options.sync)
                return
        target = replacing(place, kind, options.sync, kept, documents, replaced)
        with target as sink:
            sink.put(documents.items())
            if options.write_chunks:
                write_arrays(sink, targets, options.show_progressbar)
            if old is not None:
                old.check()
                old.close()  # Windows replaces nothing that is open


def _check_old(
    place: Any, kind: str | None, old: Opened | None, options: WriteOptions
) -> Replaced | None:
    """Refuse what may not be replaced; tell what it is, where that has to be known."""
    if old is not None and not is_path(place):
        return None
    return check_overwrite(place, kind, old is not None or options.overwrite)


def _joined_with_old(
    old: Opened | None, root: Group, names: Sequence[str], options: WriteOptions
) -> tuple[Group, Kept]:
    """Put the tree of new signals beside what stays of the old file."""
    if old is None:
        return root, NOTHING
    if not options.write_dataset:
        return root, (old, move_kept_arrays(old, root, names, options))
    root, pairs = joined_trees(old, root, options.zarr_format)
    return root, (old, pairs)


def _replace_documents(place: Any, documents: Documents, sync: bool) -> None:
    """Replace documents of a directory, one after the other."""
    # Whoever reads meanwhile notices what comes and goes in the root, and reads again.
    with in_place(place, "", durable=sync) as sink:
        sink.remove_leftovers()
        sink.put(documents.items())
        if sync:
            sink.sync()


@contextmanager
def _opened_old(place: Any, options: WriteOptions) -> Generator[Opened | None]:
    """Open the file of which something is kept, where anything is."""
    # a signal that will grow is added to a file
    adds = options.mode == "a" or options.append_dim is not None
    if options.write_dataset and not (adds and holds(place)):
        yield None
        return
    try:
        file = opened(place)
    except MissingFileError as error:
        problem = "there is no file whose data could be kept"
        raise EncodeError(problem, str(place), "write the data as well") from error
    with closing(file) as old:
        refuse_inner(old, name_of(place))
        yield old


def warn_of_what_is_left_out(places: Sequence[Place]) -> None:
    """Warn once of all values that are not stored, and once of those that are narrowed."""
    for narrowed, words in enumerate(_WARNINGS):
        found = [place for place in places if place.narrowed == narrowed]
        if found:
            listed = "; ".join(
                f"{place.location} ({place.type})" for place in found
            )
            warn(f"zspy {words}: {listed}")


def _arrays_apart(
    root: Node, storage: Storage, options: WriteOptions
) -> dict[str, Array]:
    """Choose the arrays whose chunks are written one after the other, when all else is."""
    compressor = storage.compressor
    special = (
        storage.filters
        or (compressor is not None and is_for_data(compressor))
        or storage.order != "C"
        or storage.fill_value != 0
    )
    apart = bool(special or options.each) or not options.write_chunks
    return {
        path: node
        for path, node in walk(root)
        if isinstance(node, Array) and has_own_chunks(node, apart and is_main(path))
    }


def _records(
    documents: Documents, groups: Sequence[str], kept: Kept, complete: bool
) -> dict[str, bytes]:
    """Record in groups how many chunks each has, with those that are kept, and its documents."""
    old, pairs = kept
    before = {new: source for source, new in pairs}
    stays, below = by_group(before), by_group(documents)
    # only when they are asked for: what cannot be read may be written anew
    nodes = cache(lambda: by_group(old.nodes()))
    keys = cache(lambda: sorted_keys(old, len(pairs)))

    def spreading(wanted: Moves) -> Iterable[tuple[str, str]]:
        wanted = [*wanted]
        return spread(old, wanted, keys()) if wanted else ()

    found: dict[str, bytes] = {}
    for path in groups:
        own = {key: documents[key] for key in below[path]}
        here = [(before[new], new) for new in stays.get(path, ())]
        found |= _with_record(own, path, (old, here), nodes, spreading, complete)
    return found


def _with_record(
    documents: Documents,
    path: str,
    kept: Kept,
    nodes: Callable[[], Mapping[str, Sequence[str]]],
    spreading: Callable[[Moves], Iterable[tuple[str, str]]],
    complete: bool,
) -> dict[str, bytes]:
    """Record in a group how many chunks are below it, and what its documents are."""
    old, here = kept
    if not here:
        return with_record(documents, path, complete, documents)
    # what stands beside data is a group
    groups = [pair for pair in here if pair[0].endswith(_GROUPS)]
    own = (
        (there + name, new + name)
        for there, new in here
        for name in (DOCUMENTS if there.endswith("/") else ("",))
    )
    stays = {
        new: old[key]
        for key, new in (*own, *spreading(groups))
        if is_document(key) and key in old
    }
    source = "/".join(here[0][0].split("/")[:2])

    def is_told() -> bool:
        return is_complete(documents_at(old, nodes().get(source, ())), source)

    # Chunks that are missing now stay missing: what the old file said of them counts.
    count = chunk_count(stays)
    is_claimed = (
        (count > _MANY_CHUNKS and is_told())
        or sum(1 for _ in spreading(here)) - len(stays) == count
        or is_told()
    )
    return with_record({**documents, **stays}, path, is_claimed, documents)


def _consolidated(
    place: Any,
    kind: str | None,
    documents: Documents,
    kept: Kept,
    options: WriteOptions,
) -> dict[str, bytes]:
    """Give the document that holds all others, where one is wanted."""
    helps = kind == "zip" or is_far(place)
    if options.consolidate is False or not (options.consolidate or helps):
        return {}
    old, pairs = kept
    every = {new: old[key] for key, new in spread(old, pairs) if is_document(key)}
    every |= documents
    if not options.consolidate and not is_readable(every):
        return {}
    return dict([consolidated(every, options.zarr_format)])
