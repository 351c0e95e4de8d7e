"""HyperSpy's `.hspy` files: the tree of a .zspy file in HDF5, written with h5py.

HyperSpy finds there what it would have written itself, compressed with gzip, which every reader of
HDF5 has. What HDF5 has no words for stands in attributes beside it, whose names HyperSpy skips.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..documents.chunk_shapes import chunk_shape
from ..documents.limits import LIMITS
from ..files.chunking import CHUNK, lay_out
from ..files.options import MAYBE, Chunks, WriteOptions, listed_signals
from ..files.write_signals import warn_of_what_is_left_out
from ..stores.backends import changing
from ..stores.replace import flush, new_beside, swap
from ..values.blocks import checked_blocks
from ..values.encoding import Encoder
from ..values.errors import (
    EncodeError,
    UnsupportedError,
    check_choices,
)
from ..values.names import IN_HDF5, RECORD, SHAPES, Where, unmark
from ..values.nodes import Array, Group, node_at, walk
from ..values.records import restored
from ..values.root import EXPERIMENTS, encode_file
from ..values.types import (
    DType,
    Unsupported,
    is_lazy,
)
from .hspy_reader import BYTES, DTYPE, OF_PYTHON, REST, hdf5, path_of

# Types in a record that are attributes in HDF5, with the mark before their name.
_MARKS: Final = {"[['bytes']]": BYTES, "[['numpy', 'V']]": ""}
# Of an attribute, and fields of a dtype: in all HDF5 has 64 kB for them.
_LONGEST_NAME: Final = 2**12
_MOST_FIELDS: Final = 2**12


def write_hspy(
    filename: str | os.PathLike[str],
    signal: Any,
    chunks: Chunks = None,
    *,
    overwrite: bool = False,
    unsupported: Unsupported = "raise",
) -> None:
    """Write a signal, or several, as a .hspy file, which HyperSpy loads as it loads its own.

    The file appears when it is complete: an error leaves what was there. Every sequence is kept as
    it is, type for type.

    Parameters
    ----------
    filename : path
    signal : Signal or sequence of Signal
        As `zspy.file_writer` takes them. Dask arrays are written block by block.
    chunks : tuple of int, int, bool or None
        Chunks of `data`, as for `zspy.file_writer`. Chunks of more than 4 MiB are divided.
    overwrite : bool, default False
        Replace a file that is there.
    unsupported : {"raise", "skip", "drop"}, default "raise"
        As for `zspy.file_writer`.

    Raises
    ------
    EncodeError
        If the signal is not what it should be, or if a file is there.
    UnsupportedError
        If a value is of a type that zspy does not store, or that HDF5 does not hold.

    Examples
    --------
    >>> import numpy as np
    >>> from zspy import read_hspy, write_hspy
    >>> axes = [{"name": "x"}]
    >>> write_hspy(
    ...     "a.hspy", {"data": np.zeros(3), "axes": axes, "metadata": {"a": 1j}}
    ... )
    >>> read_hspy("a.hspy")[0]["metadata"]
    {'a': 1j}
    """
    h5py = hdf5()
    check_choices(overwrite=(overwrite, MAYBE))
    most = LIMITS.nodes
    encoder = Encoder(False, unsupported, copy=False, naming=IN_HDF5, most=most)
    root, names = encode_file(listed_signals(filename, signal), encoder)
    for name in names:
        lay_out(node_at(root, f"{EXPERIMENTS}/{name}"), WriteOptions(chunks=chunks))
    path = Path(os.path.realpath(path_of(filename)))
    if path.suffix.lower() == ".zspy":
        problem, remedy = (
            "a .zspy file is no HDF5",
            "use file_writer, or end it in .hspy",
        )
        raise EncodeError(problem, str(path), remedy)
    with changing(path), new_beside(path, folder=False) as new:
        if path.exists() and not path.is_file():
            raise EncodeError("a folder is there", str(path), "use another name")
        if path.exists() and not overwrite:
            remedy = "use overwrite=True, if it may go"
            raise EncodeError("something is there", str(path), remedy)
        warn_of_what_is_left_out(encoder.places)
        # It is locked already, which keeps other writers from taking it for a leftover.
        with (
            _Target(new) as target,
            h5py.File(target, "w", track_order=True) as file,
        ):
            for where, node in walk(root):
                if isinstance(node, Group):
                    _put_back_natives(node)
                try:
                    if isinstance(node, Array):
                        _put_array(file, where, node)
                    else:
                        _put_group(file, where, node.attributes)
                except EncodeError:
                    raise
                except (TypeError, ValueError) as error:
                    raise UnsupportedError(
                        f"HDF5 refuses it: {str(error)[:100]}",
                        where,
                        "write a .zspy file, or leave it out",
                    ) from error
            file.attrs["file_format"] = "HyperSpy"
        if target.failure is not None:
            target.failure.filename = str(path)
            raise target.failure
        flush(new, everything=True)
        swap(new, path)
        flush(path.parent)


def _put_back_natives(group: Group) -> None:
    """Write as they are bytes and numbers that HDF5 has, and attributes of Zarr have not."""
    attributes: Any = group.attributes
    members: Any = group.members
    record: Any = attributes.get(RECORD, {})
    types: Any = record.get("types", {})
    if not types:  # as in nearly all groups
        return
    first, then = _entry_names(group)
    moved: dict[str, None] = {}
    for name, specs in [*types.items()]:
        array = members.get(name)
        mark = _MARKS.get(str(specs))
        if mark is None:
            if name in attributes and len(specs) == 1:
                number = restored(attributes[name], *specs)
                if type(number) is complex or _is_native(number):
                    del types[name]
                    attributes[name] = number
            continue
        if array and array.data.dtype.names:
            continue
        if not mark and name.startswith(BYTES):  # it would be read as bytes
            continue
        value = array.data.tobytes() if array else attributes[name].encode()
        if value and mark + name not in attributes:
            del types[name]
            (members if array else attributes).pop(name)
            attributes[mark + name] = np.void(value)
            moved[name] = None
    others = [
        [name for name in names if name not in moved] for names in (first, then)
    ]
    if first + then != [*others[0], *moved, *others[1]]:
        record.setdefault("order", first + then)


def _entry_names(group: Group) -> tuple[list[str], list[str]]:
    """Give the names of attributes, and of nodes, in the order in which they are read."""
    nodes: list[tuple[str, Where]] = [
        (name, "group" if isinstance(group.members[name], Group) else "array")
        for name in sorted(group.members)
        if not name.startswith(SHAPES)
    ]
    return (
        [
            _entry_name(name, "attribute")
            for name in group.attributes
            if name != RECORD
        ],
        [_entry_name(name, where) for name, where in nodes],
    )


def _entry_name(name: str, where: Where) -> str:
    marked = unmark(name, where)
    return marked[1] if marked else name


def _is_native(value: Any) -> bool:
    """Tell a number of NumPy that comes back from HDF5 with its type."""
    dtype = getattr(value, "dtype", np.dtype("O"))
    return dtype.kind in "iufc" and dtype.itemsize <= 8 and dtype not in OF_PYTHON


class _Target(io.FileIO):
    """A file that HDF5 writes: once the disk is full, it takes and drops the rest.

    HDF5 does not survive an error when it closes a file.
    """

    failure: OSError | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+")

    def attempted(self, step: Callable[[Any], int], given: Any) -> int:
        """Do something, unless something has failed before."""
        try:
            return step(given) if self.failure is None else 0
        except OSError as error:
            self.failure = error
            return 0

    def write(self, data: Any) -> int:
        """Write all of some bytes."""
        left = memoryview(data)
        while left and self.failure is None:
            left = left[self.attempted(super().write, left) :]
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Change the size."""
        return self.attempted(super().truncate, size)


def _put_group(file: Any, where: str, attributes: Any) -> None:
    """Write a group; attributes that HDF5 does not hold are kept as one text."""
    target = file.create_group(where, track_order=True) if where else file
    left: dict[str, Any] = {}
    for name, value in attributes.items():
        try:
            # It would make arrays of these.
            is_name = 0 < len(name) <= _LONGEST_NAME and "\0" not in name
            if not is_name or isinstance(value, (dict, list)):
                raise ValueError(name)
            target.attrs[name] = value
        except (TypeError, ValueError, OverflowError):
            left[name] = value
    if left.keys() - {RECORD}:  # names of all of them, so that their order is kept
        left = {
            _read_name(name, value): left.get(name)
            for name, value in attributes.items()
        }
    if left:
        target.attrs[REST] = json.dumps(left)


def _read_name(name: str, value: Any) -> str:
    """Give the name by which an attribute is read: that of bytes has lost its mark."""
    return name.removeprefix(BYTES) if isinstance(value, np.void) else name


def _put_array(file: Any, where: str, array: Array) -> None:
    """Write an array: at once, or one of dask block by block."""
    data: Any = array.data
    if is_lazy(data):  # h5py would repeat a block, cast it, and drop its mask
        data = checked_blocks(data, where)
    dtype: DType = data.dtype
    if len(dtype.names or ()) > _MOST_FIELDS:
        raise TypeError(f"a dtype of more than {_MOST_FIELDS} fields")
    stored = _stored_dtype(array)
    if stored is not dtype or not is_lazy(data):
        data = np.asarray(data)
        if array.cells is None:
            data = data.astype(stored)
    has_cells = data.dtype.hasobject
    packed = data.ndim and not has_cells
    # HyperSpy reads no array without them lazily.
    chunks: Any = bool(data.ndim) or None
    if data.ndim and data.size:
        edges = array.chunks or getattr(data, "chunksize", data.shape)
        size = 2**8 if has_cells else data.dtype.itemsize
        chunks = chunk_shape(edges, size, range(1, data.ndim), CHUNK)
    made = file.create_dataset(
        where,
        data.shape,
        stored,
        chunks=chunks,
        compression="gzip" if packed else None,
        shuffle=bool(packed),
    )
    if made.dtype != stored:  # it would write other values
        raise TypeError(f"it makes {made.dtype} of {dtype}")
    is_told = made.dtype == dtype and dtype.kind != "S"
    note = array.cells or (None if is_told else dtype.str)
    if note not in (None, "vlen-utf8", "msgpack2"):
        made.attrs[DTYPE] = note
    if is_lazy(data):
        # One thread computes a block while the other one compresses.
        with ThreadPoolExecutor(2) as pool:
            data.store(made, lock=True, scheduler="threads", pool=pool)
    elif has_cells and array.cells != "vlen-utf8":
        for index in np.ndindex(data.shape):
            made[index] = data[index]
    elif data.size:
        made[...] = data


def _stored_dtype(array: Array) -> Any:
    """Give the dtype that HDF5 has for an array."""
    h5py = hdf5()
    dtype: DType = array.data.dtype
    text: Any = h5py.string_dtype()
    if array.cells == "vlen-utf8":
        return text
    if array.cells is not None:
        if array.cells != "msgpack2":
            text = np.dtype(array.cells).newbyteorder("=")
        return h5py.vlen_dtype("i8" if text.kind in "mM" else text)
    if dtype.kind == "U":
        is_ascii = "".join(np.asarray(array.data).ravel().tolist()).isascii()
        return f"S{dtype.itemsize // 4}" if is_ascii else text
    if dtype.kind == "c" and not dtype.isnative:
        # Of long doubles, h5py writes something else.
        return dtype.newbyteorder("=")
    return h5py.opaque_dtype(dtype) if dtype.kind in "mM" else dtype
