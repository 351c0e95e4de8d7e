"""HyperSpy's `.hspy` files: the tree of a .zspy file in HDF5, read with h5py.

What HDF5 has no words for stands in attributes beside it, whose names HyperSpy skips.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from ..documents.bounded import GROWTH
from ..documents.json import parse_json
from ..documents.limits import CELL, LIMITS, LOOKUP, Budget
from ..documents.tree import tell_newer
from ..files.chunking import CHUNK, LARGE
from ..files.lazy import TINY, StoredArray, resolve_lazy
from ..files.rechunking import as_dask
from ..stores.backends import checked_path
from ..stores.mapping import Mapped
from ..values.errors import (
    DAMAGED,
    FormatError,
    MissingFileError,
    ZspyError,
    expect,
    missing_package,
)
from ..values.migrate import version_of
from ..values.names import NONE, unmark
from ..values.nodes import Array, Group, joined
from ..values.ragged import object_array
from ..values.records import text_array
from ..values.root import EXPERIMENTS, MODELS, decode_file
from ..values.types import (
    DType,
    Edges,
    LoadedSignal,
    NumPyArray,
    is_array,
    is_dict,
)
from .blocks import parts

BYTES: Final = "_bs_"  # before the name of an attribute that is bytes
_VERSION: Final = "file_format_version"
REST: Final = "_sig_json"  # attributes that HDF5 does not hold, as one text
# The dtype of text, and of cells, of which h5py has another one.
DTYPE: Final = "_sig_dtype"
_OLD: Final = {
    "mapped_parameters": "metadata",
    "original_parameters": "original_metadata",
    "mva_results": "learning_results",
}
_MOST_LINKS: Final = 16  # one after the other, as for HDF5
_COPIES_OF_NAMES: Final = 4
# What a group or an array takes in a file at the least, and how many more links may lead to.
_NODE: Final = 64
_FEW_NODES: Final = 4096
_MOVED: Final = """
1.2 title General.title
1.2 original_filename General.original_filename
1.2 date General.date
1.2 time General.time
1.1 name General.title
1.2 record_by Signal.record_by
1.2 signal_type Signal.signal_type
1.2 signal_origin Signal.signal_origin
1.2 Variance_estimation Noise_properties.Variance_linear_model
1.2 Sample.Xray_lines Sample.xray_lines
1.2 _internal_parameters _HyperSpy
1.2 _HyperSpy.folding _HyperSpy.Folding
1.2 _HyperSpy.stacking_history _HyperSpy.Stacking_history
1.2 TEM.dwell_time TEM.EELS.dwell_time
1.2 TEM.dwell_time_units TEM.EELS.dwell_time_units
1.2 TEM.exposure TEM.EELS.exposure
1.2 TEM.exposure_units TEM.EELS.exposure_units
1.2 TEM.EELS TEM.Detector
1.2 TEM.EDS TEM.Detector.EDS
1.2 SEM.EDS SEM.Detector.EDS
1.2 TEM Acquisition_instrument.TEM
1.2 SEM Acquisition_instrument.SEM
3.0 Acquisition_instrument.TEM.tilt_stage Acquisition_instrument.TEM.Stage.tilt_alpha
3.0 Acquisition_instrument.SEM.tilt_stage Acquisition_instrument.SEM.Stage.tilt_alpha
3.0 Acquisition_instrument.TEM.exposure_time Acquisition_instrument.TEM.Detector.Camera.exposure
3.0 Acquisition_instrument.TEM.exposure Acquisition_instrument.TEM.Detector.Camera.exposure
"""
"""Entries of the metadata in files below a version, and where HyperSpy puts them."""
# What is moved only into a group that is there.
_INTO: Final = "EELS"
_DATED: Final = re.compile(
    r"(?:datetime\.)?(date|time)\((\d{1,6}(?:, \d{1,6}){0,3})\)"
)
OF_PYTHON: Final = ("?", "i8", "u8", "f8", "c16")
"""Numbers that are Python's; others stay NumPy's."""


def hdf5() -> Any:
    """Import h5py, which has no types."""
    try:
        return import_module("h5py")
    except ModuleNotFoundError as error:
        raise missing_package("h5py", "hdf5") from error


@contextmanager
def _opened(path: Path, where: str = "") -> Generator[Any]:
    """Open a file for reading; on a damaged one h5py raises whatever it likes."""
    h5py = hdf5()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except ZspyError:
        raise
    except Exception as error:
        raise FormatError(
            f"HDF5 cannot be read ({type(error).__name__}: {error})",
            str(path / where),
            "it may be cut off: copy it once more",
        ) from error


def path_of(filename: Any) -> Path:
    """Give the path of a file, which is nothing else."""
    expect(
        filename, (str, os.PathLike), "path", "filename", "HDF5 is a file on a disk"
    )
    return checked_path(filename)


def holds_signals(path: Path) -> bool:
    """Tell a file of HDF5 that is HyperSpy's, whatever its name."""
    with suppress(FormatError), _opened(path) as file:
        return file.get(EXPERIMENTS, getlink=True) is not None
    return False


def read_hspy(
    filename: str | os.PathLike[str], lazy: bool = False
) -> list[LoadedSignal]:
    """Read the signals of a .hspy file, as HyperSpy writes it, of all releases.

    What older releases called otherwise gets the name that HyperSpy gives it today.

    Parameters
    ----------
    filename : path
    lazy : bool, default False
        Leave `data`, and every other large array, in the file, as dask arrays in blocks of
        about 4 MiB. Ragged arrays are read.

    Returns
    -------
    list of LoadedSignal
        As `zspy.file_reader` returns them.

    Raises
    ------
    FormatError
        If there is no such file, if it is no .hspy file, or if it is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> from zspy import read_hspy, write_hspy
    >>> signal = {"data": np.arange(3), "axes": [{"name": "x"}], "metadata": {}}
    >>> write_hspy("line.hspy", signal)
    >>> read_hspy("line.hspy")[0]["data"]
    array([0, 1, 2])
    """
    return read_signals(filename, lazy)


def read_signals(
    filename: str | os.PathLike[str], lazy: bool, is_copied: bool = False
) -> list[LoadedSignal]:
    """Read the signals; of arrays that are copied later, hardly any may be lacking."""
    path = Path(os.path.abspath(path_of(filename)))
    if not path.is_file():
        if path.exists():
            raise MissingFileError(
                "no file, but a folder", str(path), "use file_reader"
            )
        raise MissingFileError("there is no such file", str(path), "see its name")
    stored: dict[str, StoredArray] = {}
    with _opened(path) as file:
        is_there = file.get(EXPERIMENTS, getlink=True) is not None
        top = (
            _target(file, EXPERIMENTS, EXPERIMENTS, Budget(LIMITS))
            if is_there
            else None
        )
        if not isinstance(top, hdf5().Group):
            raise FormatError(
                f"there is no group {EXPERIMENTS!r}",
                str(path),
                "this is no .hspy file",
            )
        root = _read(file, path, stored, lazy, is_copied)
    resolve_lazy(root, stored)
    signals = decode_file(root, lazy=lazy)
    tell_newer(root)
    for signal in signals:
        _rename(signal.get("metadata", {}), version_of(root))
    return signals


def _rename(metadata: Any, version: tuple[int, int]) -> None:
    """Give entries of the metadata the names that they have today."""
    for row in _MOVED.strip().splitlines():
        since, old, new = row.split()
        *above, name = old.split(".")
        *beyond, renamed = new.split(".")
        source: Any = _inner(metadata, above)
        is_newer = version >= tuple(map(int, since.split(".")))
        if is_newer or name not in source:
            continue
        target = metadata
        for part in beyond:
            target = (
                target.get(part) if part == _INTO else target.setdefault(part, {})
            )
            if not is_dict(target):
                break
        else:
            if renamed not in target:  # nothing is lost
                target[renamed] = source.pop(name)


def _show_dates(entries: dict[str, Any]) -> None:
    """Give the dates and times of the first releases the names and the text of today."""
    for name in ("date", "time"):
        found = _DATED.fullmatch(str(entries.get(f"_datetime_{name}", "")))
        with suppress(ValueError):  # no day or time that there is
            if found and found[1] == name:
                date = getattr(dt, name)(*map(int, found[2].split(", ")))
                entries.setdefault(name, date.isoformat())
                del entries[f"_datetime_{name}"]


def _inner(metadata: Any, path: Iterable[str]) -> dict[Any, Any]:
    """Give a dictionary in the metadata, or an empty one where there is none."""
    found = metadata
    for part in path:
        found = found.get(part) if is_dict(found) else None
    return found if is_dict(found) else {}


def _check_signals(signals: Group) -> None:
    """Refuse a signal without its array; give parts the names that they have today."""
    for title, group in signals.members.items():
        if not isinstance(group, Group):
            continue
        members: Any = group.members
        for old, new in _OLD.items():
            if old in members:
                members.setdefault(new, members.pop(old))
        if "metadata" in members and "data" not in members:
            raise FormatError(
                "a signal without its array",
                f"{EXPERIMENTS}/{title}",
                DAMAGED,
            )


def _read(
    file: Any,
    path: Path,
    stored: dict[str, StoredArray],
    lazy: bool,
    is_copied: bool,
) -> Group:
    """Read the groups of signals and of models, with all that is in them.

    `budget` is of the arrays, which what is stored of each pays for. `own` is of all else, which
    the size of the file pays for: attributes, cells, names and dtypes are stored once, and as often
    read as something leads to them.
    """
    h5py = hdf5()
    budget = Budget(LIMITS)
    identity = _identity(path)
    size_of_file = path.stat().st_size
    own = Budget(replace(LIMITS, memory=LIMITS.memory + GROWTH * size_of_file))
    root = _read_root(file, path, own)
    # Two links to one group are twice all that is below it: a file holds no more than its bytes.
    left = min(LIMITS.nodes, _FEW_NODES + size_of_file // _NODE)
    arrays: set[int] = set()
    # The group that is read, and those above it, from the root down.
    holders: dict[Any, None] = {}
    todo: list[Any] = [(root, file, "", 0)]
    while todo:
        group, source, above, level = todo.pop()
        while len(holders) > level:
            holders.popitem()
        holders[source.id] = None
        members: Any = group.members
        for name in sorted(source):
            if not above and name not in (EXPERIMENTS, MODELS[0]):
                continue
            where = joined(above, name)
            node = _target(source, name, where, own)
            if node.id in holders:
                raise FormatError("a link that leads back", where, "remove it")
            own.spend(_node_memory(node, where), partial(str, where))
            left -= 1
            _refuse_more(left, level, where)
            if isinstance(node, h5py.Group):
                members[name] = Group(*_attributes(node, where, own))
                todo.append((members[name], node, where, level + 1))
                continue
            if not isinstance(node, h5py.Dataset):
                continue
            # What many links lead to is stored once.
            address = h5py.h5o.get_info(
                node.id
            ).addr  # an array that stays open takes much
            size = int if address in arrays else node.id.get_storage_size
            arrays.add(address)
            if lazy and _stays(node, name, is_copied):
                if is_copied:
                    budget.spend(node.nbytes, partial(str, where), size)
                box = partial(_read_region, path, identity, where)
                stored[where] = StoredArray(node.shape, node.dtype, Mapped({}), box)
                unit = node.chunks or (1,) * node.ndim
                members[name] = Array(as_dask(stored[where], unit, CHUNK))
            else:
                budget.spend(*_needed(node, where), size)
                members[name] = _read_array(node, where, own)
    _check_signals(cast("Group", root.members[EXPERIMENTS]))
    return root


def _refuse_more(left: int, level: int, where: str) -> None:
    """Raise FormatError for more groups than are left, or more levels than are allowed."""
    if left < 0:
        problem = "more groups than the file holds: many links lead to one"
        raise FormatError(problem, where, "remove them")
    if level > LIMITS.depth:
        problem = f"more than {LIMITS.depth} levels of groups"
        raise FormatError(problem, where, DAMAGED)


def _node_memory(node: Any, where: str) -> int:
    """Give the bytes that a node takes, without what is in it.

    Names may be long, and of each group the whole one is held several times.
    """
    return _COPIES_OF_NAMES * len(where) + _dtype_memory(
        getattr(node, "dtype", None)
    )


def _read_root(file: Any, path: Path, own: Budget) -> Group:
    """Read the group at the root, which says the version of the file."""
    root = Group(*_attributes(file, "", own))
    version = str(root.attributes.get(_VERSION, 1))
    if not version[:1].isdecimal():
        raise FormatError(
            f"{_VERSION} is {version[:60]!r}", str(path), "this is no .hspy file"
        )
    attributes: Any = root.attributes
    attributes[_VERSION] = version if "." in version else f"{version}.0"
    return root


def _target(group: Any, name: str, where: str, own: Budget) -> Any:
    """Give the node that a name stands for. Links are followed where they stay in the file."""
    h5py = hdf5()
    # What is looked up next stands last.
    node, names, left = group, [name], _MOST_LINKS
    while names:
        part = names.pop()
        link: Any = (
            node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        )
        if isinstance(link, h5py.SoftLink) and left:
            left -= 1
            if link.path.startswith("/"):
                node = node.file
            steps = [one for one in link.path.split("/") if one not in ("", ".")]
            own.spend(LOOKUP * len(steps), lambda: where)
            names += reversed(steps)
        elif isinstance(link, h5py.HardLink):
            node = node[part]
        else:
            raise FormatError(
                "a link that leads out of the file, or to nothing",
                where,
                "put there what it leads to",
            )
    if isinstance(node, h5py.Dataset) and (
        node.shape is None or node.is_virtual or node.external
    ):
        raise FormatError("an array whose values are not in the file", where)
    return node


def _stays(node: Any, name: str, is_copied: bool) -> bool:
    """Tell an array that is left in the file, where that is asked for."""
    # To copy a tiny one takes less than a lazy array of it.
    is_data = name == "data" and not (is_copied and node.nbytes <= TINY)
    is_large = is_data or node.nbytes > LARGE
    is_plain = bool(node.ndim) and node.dtype.kind not in "OS"
    return is_large and is_plain and DTYPE not in node.attrs


def _read_region(
    path: Path, identity: Any, where: str, start: Edges, stop: Edges
) -> NumPyArray:
    """Read a part of an array. The file is open no longer than that takes."""
    with _opened(path, where) as file:
        if _identity(path) != identity:
            raise FormatError(
                "another file has taken its place", str(path), "read it again"
            )
        found: NumPyArray = file[where][tuple(map(slice, start, stop))]
        return found


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _read_cells(source: Any, where: str, own: Budget, most: int) -> NumPyArray:
    """Read cells, so many at once: very many may be one and the same that is stored."""
    if not source.ndim:
        one = np.asarray(source[...])
        own.spend(_memory_of(one), lambda: where)
        return one
    values = np.empty(source.shape, object)
    if not values.size:
        return values  # Beside an empty edge, others may be huge.
    for region in parts(source.shape, most):
        values[region] = part = source[region]
        own.spend(_memory_of(part), lambda: where)
    return values


def _memory_of(value: Any) -> int:
    """Give the bytes that a value takes, and an array with what is in it."""
    if isinstance(value, (str, bytes)):
        return len(value) if value.isascii() else 4 * len(value)
    if is_array(value) and value.dtype.hasobject:
        return value.nbytes + sum(map(_memory_of, value.flat))
    size = int(getattr(value, "nbytes", 0))
    return size + _dtype_memory(value.dtype) if size else 0


def _dtype_memory(dtype: Any) -> int:
    """Give the bytes that the fields of a dtype take: those of a file may have one in common."""
    if dtype is None:
        return 0
    known = cast("Any", dtype.metadata or {})
    taken = CELL * len(known.get("enum", ()))
    if dtype.subdtype is not None:
        taken += _dtype_memory(dtype.base)
    return taken + sum(
        CELL + _dtype_memory(dtype[one]) for one in dtype.names or ()
    )


def _needed(source: Any, where: str) -> tuple[int, Callable[[], str]]:
    """Give the bytes that an array takes, without what is in its cells, and its name."""
    dtype: DType = source.dtype
    meant = _meant(source, where)
    count = max(source.size, prod(source.chunks or ()))
    size = max(dtype.itemsize, meant.itemsize, CELL * dtype.hasobject)
    return count * size, partial(str, where)


def _meant(source: Any, where: str) -> DType:
    """Give the dtype that an array had, of which HDF5 has made another one."""
    told = source.attrs.get(DTYPE)
    if told is None:
        return cast("DType", source.dtype)
    dtype: DType = np.dtype(told)
    # HDF5 has these as they are.
    if dtype.hasobject or dtype.names or dtype.subdtype:
        remedy = "remove that attribute"
        raise FormatError(f"{DTYPE} is {dtype.str!r}", where, remedy)
    return dtype


def _read_array(source: Any, where: str, own: Budget) -> Array:
    """Read an array, which was paid for, but for what is in its cells."""
    dtype: DType = source.dtype
    meant = _meant(source, where)
    cell: Any = hdf5().check_vlen_dtype(dtype)
    # Each cell may be as large as the file.
    most = own.limits.memory // source.file.id.get_filesize()
    if cell is str or _is_listed_text(source, where):
        try:
            texts = _read_cells(source.asstr(), where, own, most)
        except UnicodeDecodeError:
            if cell is str:
                raise
        else:
            if meant.kind == "U":
                return Array(texts.astype(meant))
            return Array(texts, cells="vlen-utf8")
    if cell is None:
        return Array(np.asarray(source[...]).astype(meant, copy=False))
    values = _read_cells(source, where, own, most)
    rows: list[Any] = values.ravel().tolist()
    cell = np.dtype(cell)
    if cell.hasobject:
        strings = ([one.decode() for one in row] for row in rows)
        return Array(object_array(strings, values.shape), cells="msgpack2")
    if meant != dtype:
        cell = meant
        values = object_array((row.astype(cell) for row in rows), values.shape)
    return Array(values, cells=cell.str)


def _is_listed_text(source: Any, where: str) -> bool:
    """Tell a list of strings, which is one of text whatever kind of them HDF5 has."""
    is_told = DTYPE in source.attrs
    if is_told or not unmark(where.rpartition("/")[2]):
        return False
    return hdf5().check_string_dtype(source.dtype) is not None


def _attributes(
    source: Any, where: str, own: Budget
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the attributes of a group, and as nodes the arrays among them, which old files have."""
    arrays: dict[str, Any] = {}
    native: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in source.attrs.items():
        taken = _memory_of(value)
        own.left -= taken  # of thousands, a call for each would be felt
        if own.left < 0:
            own.spend(taken, lambda: where)
        if name == REST:
            own.spend(GROWTH * len(value), lambda: where)
            rest = parse_json(value.encode(), where)
        elif isinstance(value, hdf5().Empty):
            native[name] = NONE
        elif isinstance(value, np.void) and value.dtype.names is None:
            is_void = not name.startswith(BYTES)
            key = name.removeprefix(BYTES)
            native[key] = value if is_void else value.tobytes()
        elif isinstance(value, (np.ndarray, np.void)):
            arrays[name] = _attribute_as_array(np.asarray(cast("Any", value)))
        elif isinstance(value, bytes):
            try:
                native[name] = value.decode()
            except UnicodeDecodeError:  # of Python 2
                native[name] = value.decode("latin-1")
        elif getattr(value, "dtype", None) in OF_PYTHON:
            native[name] = value.item()
        else:
            native[name] = value
    _show_dates(native)
    return rest | native, arrays  # in the order in which they were


def _attribute_as_array(values: Any) -> Array:
    if values.dtype.kind == "S":
        return Array(text_array(values))
    is_text = values.dtype.hasobject and {*map(type, values.flat)} <= {str}
    return Array(values, cells="vlen-utf8" if is_text else None)
