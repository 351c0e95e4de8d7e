"""Write and read .hspy, the sister format in HDF5, with the nodes of zspy and h5py.

A .hspy file holds the tree that a .zspy file holds, so all that is left to say is what a group and
an array are in HDF5. HyperSpy opens what `write` makes. Models, and lazy arrays, are left out.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

import zspy

h5py: Any = import_module("h5py")  # which has no types
ROOT: Final = "Experiments"
REST: Final = "_sig_json"  # HyperSpy skips attributes whose names begin so
DTYPE: Final = "_sig_dtype"
TEXT: Final[Any] = h5py.string_dtype()
CELLS: Final = {"vlen-utf8": TEXT, "msgpack2": h5py.vlen_dtype(TEXT)}


def write(path: Path, signal: zspy.Signal) -> None:
    """Write a signal; models are no part of its nodes."""
    title = str(signal["metadata"].get("General", {}).get("title") or "__unnamed__")
    group = zspy.Group({}, {title.replace("/", "-"): zspy.encode_signal(signal, copy=False)})
    root = zspy.Group({"file_format": "HyperSpy", "file_format_version": "3.3"}, {ROOT: group})
    with h5py.File(path, "w", track_order=True) as file:
        put_group(file, root)


def read(path: Path) -> list[zspy.LoadedSignal]:
    """Read the signals of a file."""
    with h5py.File(path) as file:
        found = get_group(file[ROOT]).members.values()
    return [zspy.decode_signal(node, copy=False) for node in found if isinstance(node, zspy.Group)]


def put_group(target: Any, group: zspy.Group) -> None:
    """Write attributes and members; JSON that HDF5 has no words for is kept as one text."""
    rest: dict[str, zspy.JSON] = {}
    for name, value in group.attributes.items():
        try:
            if not name or isinstance(value, (dict, list)):
                raise TypeError  # HDF5 would make an array of a list
            target.attrs[name] = value
        except (TypeError, ValueError, OverflowError):  # nor has it for 2**64 and "a\0b"
            rest[name] = value
    if rest:
        target.attrs[REST] = json.dumps(rest)
    for name, node in group.members.items():
        if isinstance(node, zspy.Group):
            put_group(target.create_group(name, track_order=True), node)
        else:
            put_array(target, name, node)


def put_array(target: Any, name: str, array: zspy.Array) -> None:
    """Write an array: strings as strings of any length, cells as arrays of any length."""
    data = np.asarray(array.data)
    stored: Any = data.dtype
    if array.cells is not None:
        stored = CELLS.get(array.cells) or h5py.vlen_dtype(np.dtype(array.cells).newbyteorder("="))
    elif stored.kind in "mMU":
        stored = TEXT if stored.kind == "U" else h5py.opaque_dtype(stored)
    try:
        zipped = "gzip" if data.ndim and data.size else None  # in chunks, as HyperSpy expects it
        made = target.create_dataset(name, data.shape, stored, compression=zipped)
        if data.dtype.hasobject:
            for index in np.ndindex(data.shape):
                made[index] = data[index]
        elif data.size:
            made[...] = data.astype(stored)
    except (TypeError, ValueError) as error:
        raise zspy.UnsupportedError(f"HDF5 refuses it: {error}", f"{target.name}/{name}") from error
    made.attrs[DTYPE] = data.dtype.str


def get_group(source: Any) -> zspy.Group:
    """Read attributes and members."""
    attributes = json.loads(json.dumps(dict(source.attrs), default=np.generic.item))
    attributes |= json.loads(attributes.pop(REST, "{}"))
    nodes = source.items()
    members = {n: get_group(x) if isinstance(x, h5py.Group) else get_array(x) for n, x in nodes}
    return zspy.Group(attributes, members)


def get_array(source: Any) -> zspy.Array:
    """Read an array; what HDF5 calls a string of any length is a str."""
    cells = h5py.check_vlen_dtype(source.dtype)
    if cells is str:
        return zspy.Array(source.asstr()[...].astype(source.attrs.get(DTYPE, object)))
    if cells is not None and cells.kind == "O":
        decoded: Any = np.frompyfunc(lambda cell: [text.decode() for text in cell], 1, 1)
        return zspy.Array(decoded(source[...]))
    return zspy.Array(source[...])
