"""`file_reader` and `open_group`: what a file holds, decoded or as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from numbers import Integral
from typing import Any, Final, NamedTuple, Unpack, get_args

from ..documents.array_metadata import ArrayMetadata
from ..documents.chunks import charge_later
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.tree import Missing, read_nodes, tell_missing, tell_newer
from ..stores.backends import following, located, name_of, opened
from ..stores.base import Links, Opened
from ..values.errors import (
    EncodeError,
    FormatError,
    check_choices,
    naming,
    shown,
    taking,
)
from ..values.nodes import Group
from ..values.root import decode_file
from ..values.sequences import decoded_bytes
from ..values.types import LoadedSignal, Node
from .chunking import BLOCK
from .lazy import (
    TINY,
    StoredArray,
    is_small,
    read_part,
    resolve_lazy,
    stays,
    stored_array,
)
from .options import (
    MAYBE,
    MODES,
    ReaderKeywords,
    refuse_options,
)
from .rechunking import as_dask


class Reading(NamedTuple):
    """The signals of a file, the nodes that they were decoded from, and how arrays are stored."""

    signals: list[Any]
    root: Node
    layouts: Mapping[str, ArrayMetadata]


_TRIES: Final = 20  # an LMDB file that grows changes with each chunk


def file_reader(
    filename: Any,
    lazy: bool = False,
    *,
    blocks: int = BLOCK,
    codecs: Collection[str] = (),
    storage_options: Mapping[str, Any] | None = None,
    limits: Limits = LIMITS,
    missing: Missing = "warn",
    links: Links = "refuse",
    **kwds: Unpack[ReaderKeywords],
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
    missing : {"warn", "raise", "ignore"}
        What to do where chunks are missing that zspy had written: another program has removed them,
        as zarr-python does where all is the fill value, or they are lost. They are read as the
        fill value, with a warning, or not at all.
    links : {"refuse", "follow"}
        What to do where a document or a chunk in a directory is a symbolic link that leads out of
        it, as in the caches of model hubs and in git-annex. They are followed to regular files
        only. Folders in it have to be its own, and writers follow no links.
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
    >>> from zspy import file_reader, file_writer
    >>> axis = {"name": "x", "units": "nm", "size": 4, "scale": 0.5, "offset": 0.0}
    >>> file_writer(
    ...     "line.zspy", {"data": np.zeros(4), "axes": [axis], "metadata": {}}
    ... )
    >>> file_reader("line.zspy")[0]["axes"][0]["scale"]
    0.5
    """
    mode: object = kwds.pop("mode", "r")
    check_choices(mode=(mode, MODES))
    refuse_options(kwds, "file_reader", file_reader.__annotations__)
    check_choices(lazy=(lazy, MAYBE), missing=(missing, get_args(Missing)))
    given: Any = blocks
    with taking("blocks"):
        if not isinstance(given, Integral) or given < 0:
            problem = f"{shown(given)} is no number of bytes"
            raise EncodeError(problem, "blocks", "use an integer, such as 2**27")
    place = following(located(filename, storage_options), links)
    return read_file(place, lazy, lazy, blocks, codecs, limits, missing).signals


def read_file(
    place: Any,
    lazy: bool,
    says_lazy: bool,
    blocks: int = BLOCK,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    missing: Missing = "warn",
    each: int | None = None,
) -> Reading:
    """Read the signals of a file; whether they say that they are lazy is chosen apart.

    With `each`, lazy arrays count as if they were read, and each of their elements for so many
    bytes besides; tiny ones are read, which takes less than a lazy array of them.
    """

    def read(file: Opened) -> Reading:
        stored: dict[str, StoredArray] = {}
        layouts: dict[str, ArrayMetadata] = {}
        budget = Budget(limits, decoded_bytes)

        def load(path: str, metadata: ArrayMetadata) -> Any:
            layouts[path] = metadata
            is_tiny = each is not None and metadata.nbytes <= TINY
            if lazy and not is_tiny and stays(file, path, metadata):
                if each is not None:
                    charge_later(file, path, metadata, budget, each)
                stored[path] = stored_array(file, path, metadata, limits, missing)
                return as_dask(stored[path], metadata.unit, blocks)
            return _read_at_once(file, path, metadata, budget)

        root = read_nodes(file, codecs, budget, load, ragged="shaped")
        resolve_lazy(root, stored)
        signals = decode_file(root, lazy=says_lazy)
        if not (budget.lost or budget.missing) or not file.is_changed():
            # What was moved away is not lost.
            tell_missing(budget, missing)
        tell_newer(root)
        for signal in signals:
            if "axes" in signal:
                _take_smaller(signal)
        return Reading(signals, root, layouts)

    return _read_unchanged(place, read, lazy)


def _read_unchanged(
    place: Any, read: Callable[[Opened], Reading], stays_open: bool
) -> Reading:
    """Read a file, and again where it was replaced meanwhile."""
    for _ in range(_TRIES):
        with ExitStack() as stack:
            file = stack.enter_context(closing(opened(place)))
            try:
                with naming(name_of(place)):
                    found = read(file)
            except FormatError:
                if not file.is_changed():
                    raise
            else:
                if not file.is_changed():
                    if stays_open:
                        stack.pop_all()
                    return found
    raise FormatError(
        "the file was replaced again and again while it was read", name_of(place)
    )


def _read_at_once(
    file: Opened, path: str, metadata: ArrayMetadata, budget: Budget
) -> Any:
    """Read a whole array, unless it is a small one, which is read with its node."""
    if is_small(metadata):
        return None
    start = (0,) * len(metadata.shape)
    return read_part(file, path, metadata, start, metadata.shape, budget)


def _take_smaller(signal: LoadedSignal) -> None:
    """Cut an array, or an axis, to the size of the other: a file that grows has both for a moment.

    What is beyond is not complete (clause 4.7 of the specification).
    """
    data: Any = signal["data"]
    shape = list(data.shape)
    for number, axis in enumerate(signal["axes"][: len(shape)]):
        entries: Any = axis
        vector = entries.get("axis")
        counted = entries.get("size") if vector is None else len(vector)
        if type(counted) is int and 0 <= counted != shape[number]:
            shape[number] = smaller = min(counted, shape[number])
            if vector is None:
                entries["size"] = smaller
            else:
                entries["axis"] = vector[:smaller]
    if shape != [*data.shape]:
        signal["data"] = data[tuple(map(slice, shape))]


def read_group(
    place: Any,
    codecs: Collection[str] = (),
    leaves: Callable[[str], bool] | None = None,
) -> Group:
    """Read the nodes of any Zarr group, with large arrays left where they are.

    Those at other paths than it `leaves` are read, within the limits.
    """
    budget = Budget(LIMITS, decoded_bytes)
    with ExitStack() as stack, naming(name_of(place)):
        file = stack.enter_context(closing(opened(place)))

        def load(path: str, metadata: ArrayMetadata) -> Any:
            if not is_small(metadata) and (leaves is None or leaves(path)):
                return stored_array(file, path, metadata)
            return _read_at_once(file, path, metadata, budget)

        node = read_nodes(file, codecs, budget, load)
        tell_missing(budget, "warn")
        if not isinstance(node, Group):
            raise FormatError(
                "there is an array, and no group", "", "open the group it is in"
            )
        stack.pop_all()  # large arrays are read when they are asked for
    return node
