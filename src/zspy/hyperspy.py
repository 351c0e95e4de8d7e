"""HyperSpy's reader and writer of .zspy files, on zarr-python 3.

They are put in the place of HyperSpy's own by the package `zspy_hyperspy`, which HyperSpy imports
when it starts, or by `register`. They differ from those of `zspy` where HyperSpy
has habits: what cannot be stored is left out with a warning, text in bytes is read as a string, and
the blocks of a lazy signal are the chunks of the file.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Literal, Unpack

from .documents.limits import Limits
from .documents.tree import Missing
from .files.options import ArrayKeywords, ReaderKeywords, Shards
from .files.reader import file_reader as _read
from .files.writer import file_writer as _write
from .stores.backends import StoreType, is_path, kind_of
from .stores.base import Links
from .values.errors import FormatError, missing_package
from .values.faces import listing
from .values.root import leave_unnamed
from .values.types import (
    Entries,
    LoadedSignal,
    Unsupported,
    ZarrFormat,
    is_dict,
    is_sequence,
    is_tuple,
)

__all__ = [
    "file_reader",
    "file_writer",
    "register",
    "registered",
    "unregister",
]
__dir__: Callable[[], list[str]] = listing(__name__, __all__)

_REPLACED: Final = "rsciio.zspy"
_EXTENSION: Final = "zspy_hyperspy"
_AXES: Final = "hyperspy.axes"
_AXIS_TYPES: Final = frozenset({"DataAxis", "UniformDataAxis"})
_LONGEST_AXIS: Final = 2**24
_DEEPEST: Final = 16  # levels of metadata in which HyperSpy keeps axes
_WHOM_TO_ASK: Final = (
    "This comes from zspy, which reads and writes .zspy files here in the place of RosettaSciIO: "
    "report it to zspy. `zspy.hyperspy.unregister()` gives the files back to RosettaSciIO."
)
_log: Final = logging.getLogger(__name__)


class WriterKeywords(ArrayKeywords, total=False):
    """The other options of `zspy.file_writer`."""

    homogenize: bool
    zarr_format: ZarrFormat
    shards: Shards
    sync: bool
    checksum: bool | None
    mode: Literal["w", "a"]
    storage_options: Entries | None
    append_dim: str | int | None
    region: Mapping[Any, slice] | None
    safe_chunks: bool
    overwrite: bool | None
    lock: bool
    lock_timeout: float


class FileReaderKeywords(ReaderKeywords, total=False):
    """The other options of `zspy.file_reader`."""

    storage_options: Entries | None
    limits: Limits
    missing: Missing
    links: Links


def register() -> None:
    """Let HyperSpy load and save .zspy files with zspy, in this process.

    An installed zspy does this by itself when HyperSpy starts, unless the environment variable
    ``ZSPY_HYPERSPY`` is 0. Once more does no harm.

    Raises
    ------
    ModuleNotFoundError
        If RosettaSciIO, which comes with HyperSpy, is not installed.

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> register()
    >>> hs.signals.Signal1D([1, 2, 3]).save("line.zspy")
    >>> hs.load("line.zspy")
    <Signal1D, title: , dimensions: (|3)>
    >>> unregister()
    """
    _plugin()["api"] = __name__


def unregister() -> None:
    """Give .zspy files back to HyperSpy's own reader and writer, in this process.

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> register()
    >>> unregister()
    >>> registered()
    False
    """
    # A package is imported once: where HyperSpy has not started yet, it finds it imported then.
    with suppress(ModuleNotFoundError):
        import_module(_EXTENSION)
    plugin = _plugin()
    if plugin["api"] == __name__:
        plugin["api"] = _REPLACED


def registered() -> bool:
    """Tell whether HyperSpy loads and saves .zspy files with zspy, in this process.

    Before HyperSpy has started, and without it, nothing is registered.

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> register()
    >>> registered()
    True
    >>> unregister()
    """
    try:
        plugin = _plugin()
    except ModuleNotFoundError:
        return False
    return bool(plugin["api"] == __name__)


def _plugin() -> dict[str, Any]:
    """Find what HyperSpy knows of the format; `api` is the module that it imports."""
    try:
        plugins = import_module("rsciio").IO_PLUGINS
    except ModuleNotFoundError as error:
        raise missing_package("rsciio", "hyperspy") from error
    found: dict[str, Any] = next(
        plugin for plugin in plugins if plugin["name"] == "ZSPY"
    )
    return found


@contextmanager
def _saying_whom_to_ask() -> Generator[None]:
    """Add to each error whose it is: HyperSpy tells its users to ask RosettaSciIO."""
    try:
        yield
    except Exception as error:
        error.add_note(_WHOM_TO_ASK)
        raise


def file_writer(
    filename: Any,
    signal: Entries,
    chunks: Any = None,
    compressor: Any = None,
    close_file: bool = True,
    write_dataset: bool = True,
    store_type: StoreType | None = None,
    show_progressbar: bool = True,
    consolidate: bool | None = True,
    *,
    unsupported: Unsupported = "skip",
    **kwds: Unpack[WriterKeywords],
) -> None:
    """Write a signal of HyperSpy: `zspy.file_writer` with HyperSpy's defaults.

    Parameters
    ----------
    filename : path or Zarr store
        As ``signal.save(filename)`` gives it.
    signal : Signal
        The dictionary that HyperSpy makes of a signal.
    chunks, compressor, close_file, write_dataset, store_type, show_progressbar
        As in `zspy.file_writer`; an edge of chunks that is -1, None or left out is the whole
        dimension, as for zarr-python.
    consolidate : bool, default True
        Store all metadata in one document as well, as HyperSpy does. None: only where that helps,
        in a zip and in a remote store.
    unsupported : {"skip", "raise"}, default "skip"
        "skip" leaves out values of types that zspy does not store, with one warning; of a list or
        tuple it leaves out the element, as HyperSpy does ("drop" of `zspy.file_writer`). "raise"
        writes nothing then.
    **kwds
        All other options of `zspy.file_writer`.

    Raises
    ------
    EncodeError, UnsupportedError
        As in `zspy.file_writer`.

    Warns
    -----
    UserWarning
        If values were left out, with all their places.

    Examples
    --------
    >>> import numpy as np
    >>> signal = {"data": np.arange(3), "axes": [{"size": 3}], "metadata": {"x": 1}}
    >>> file_writer("line.zspy", signal)
    >>> file_reader("line.zspy")[0]["metadata"]
    {'x': 1}
    """
    if is_dict(signal):
        signal = {
            key: _with_axis_dictionaries(one) if key == "metadata" else one
            for key, one in signal.items()
        }
        chunks = _completed(chunks, signal.get("data"))
    with _saying_whom_to_ask():
        _write(
            filename,
            signal,
            chunks,
            compressor,
            close_file,
            write_dataset,
            store_type,
            show_progressbar,
            consolidate=consolidate,
            unsupported="drop" if str(unsupported) == "skip" else unsupported,
            **kwds,
        )


def file_reader(
    filename: Any,
    lazy: bool = False,
    *,
    blocks: int = 0,
    codecs: Collection[str] = (),
    **kwds: Unpack[FileReaderKeywords],
) -> list[LoadedSignal]:
    """Read the signals of a .zspy file for HyperSpy: `zspy.file_reader` with HyperSpy's habits.

    Parameters
    ----------
    filename : path, Zarr store or mapping
        As ``hs.load(filename)`` gives it.
    lazy : bool, default False
        Leave large arrays in the file, as dask arrays.
    blocks : int, default 0
        Bytes that a block of a lazy array aims at, in whole chunks; 0 makes each chunk a block.
    codecs, **kwds
        As in `zspy.file_reader`.

    Returns
    -------
    list of LoadedSignal
        As `zspy.file_reader` gives them, but for text in bytes, which becomes str, and the title
        ``"__unnamed__"``, which becomes empty.

    Raises
    ------
    FormatError, EncodeError
        As in `zspy.file_reader`, and if there is no signal in the file.

    Examples
    --------
    >>> import numpy as np
    >>> signal = {
    ...     "data": np.arange(3),
    ...     "axes": [{"size": 3}],
    ...     "metadata": {"x": b"text"},
    ... }
    >>> file_writer("line.zspy", signal)
    >>> file_reader("line.zspy")[0]["metadata"]
    {'x': 'text'}
    """
    if "mode" in kwds and is_path(filename) and kind_of(Path(filename)) == "zip":
        _log.warning(
            "Specifying `mode` for a zip file changes nothing: it is only read"
        )
    with _saying_whom_to_ask():
        given: Any = lazy  # HyperSpy may hand on None
        given = False if given is None else given
        signals = _read(filename, given, blocks=blocks, codecs=codecs, **kwds)
        if not signals:
            # HyperSpy's own writer leaves such a file where it fails.
            raise FormatError("there is no signal", "Experiments", "save it again")
    left = _LONGEST_AXIS
    for signal in signals:
        found: Any = signal
        for tree in _dictionaries(found):
            _decode_text(tree)
            left = _make_axis_objects(tree, left)
        leave_unnamed(signal.get("metadata", {}))
    return signals


def _completed(chunks: Any, data: Any) -> Any:
    """Give the edges of chunks that are whole dimensions, of those that may be left out."""
    if not is_sequence(chunks):
        return chunks
    pairs = zip_longest(chunks, getattr(data, "shape", ()))
    return [(size or 1) if edge in (None, -1) else edge for edge, size in pairs]


def _with_axis_dictionaries(value: Any, level: int = 0) -> Any:
    """Put dictionaries in the place of the axes that HyperSpy keeps in metadata, in sequences.

    HyperSpy's own writer drops the axes, and the peaks that were found lose their calibration.
    """
    if is_dict(value) and level < _DEEPEST:
        given = {
            key: _with_axis_dictionaries(below, level + 1)
            for key, below in value.items()
        }
        is_changed = any(given[key] is not value[key] for key in value)
        return given if is_changed else value
    if is_sequence(value) and value and all(map(_is_axis, value)):
        return tuple(axis.get_axis_dictionary() for axis in value)
    return value


def _is_axis(value: object) -> bool:
    """Tell an axis of HyperSpy, without importing HyperSpy."""
    return type(value).__module__ == _AXES and hasattr(value, "get_axis_dictionary")


def _make_axis_objects(tree: dict[Any, Any], left: int) -> int:
    """Make, in place, the axes of which `_with_axis_dictionaries` has stored the dictionaries.

    HyperSpy holds all points of an axis: of those that may be made, give what is left.
    """
    axes = sys.modules.get(_AXES)
    if axes is None:
        return left
    for key, value in tree.items():
        if is_tuple(value) and value and all(map(_is_axis_dictionary, value)):
            size = sum(max(axis.get("size", 0), 0) for axis in value)
            if size > left:
                continue
            left -= size
            # What HyperSpy makes no axis of stays as it is.
            with suppress(Exception):
                tree[key] = tuple(axes.create_axis(**axis) for axis in value)
    return left


def _is_axis_dictionary(value: object) -> bool:
    if not is_dict(value) or value.get("_type") not in _AXIS_TYPES:
        return False
    return isinstance(value.get("size", 0), int)


def _dictionaries(tree: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """Yield each dictionary of a tree, which may be deeper than Python can recurse."""
    unseen = [tree]
    while unseen:
        tree = unseen.pop()
        yield tree
        unseen += filter(is_dict, tree.values())


def _decode_text(tree: dict[Any, Any]) -> None:
    """Decode the bytes that are text, in place; those with a NUL HyperSpy gives as bytes too."""
    for key, value in tree.items():
        if isinstance(value, bytes) and b"\0" not in value:
            with suppress(UnicodeDecodeError):
                tree[key] = value.decode()
