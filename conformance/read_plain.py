"""A whole reader, for those who write one: it follows "A reader in outline" of the specification.

It needs NumPy, numcodecs and msgpack, and nothing of zspy. ``python read_plain.py FILE`` prints the
JSON of the conformance suite, at the level core; ``read_file`` gives the signals.
"""

from __future__ import annotations

import json
import math
import re
import sys
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import numcodecs
import numpy as np

CODECS = {"blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma", "crc32c", "delta", "astype"}
CELLS = {"vlen-utf8", "vlen-bytes", "vlen-array"}
KINDS = {"list": list, "tuple": tuple}
TREES = ("metadata", "original_metadata", "attributes", "learning_results", "tmp_parameters")
NOT_STORED = 2**64 - 1


@dataclass
class Node:
    """An array, or a group with its members."""

    store: dict[str, bytes]
    path: str
    is_array: bool
    document: dict[str, Any]
    attributes: dict[str, Any]
    members: dict[str, Any] = field(default_factory=dict[str, Any])


# 1. The store and its nodes


def read_store(path: Path) -> dict[str, bytes]:
    """Give all keys and their bytes."""
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
    with zipfile.ZipFile(path) as archive:
        return {key: archive.read(key) for key in archive.namelist()}


def read_nodes(store: dict[str, bytes]) -> Node:
    """Give the root, with all that is below it."""
    is_three = "zarr.json" in store
    documents = {"zarr.json"} if is_three else {".zgroup", ".zarray"}
    part = r"\.zattrs|(c\.)?[0-9]+(\.[0-9]+)*" + ("|c" if is_three else "")
    nodes: dict[str, Node] = {}

    def order(key: str) -> tuple[int, bool]:
        return key.count("/"), key.rpartition("/")[2] not in documents

    for key in sorted(store, key=order):
        folder, slash, name = key.rpartition("/")
        above = [nodes.get(folder[: found.start()]) for found in re.finditer("/", folder)]
        if any(node and node.is_array for node in above):
            continue  # a chunk, or what else lies in an array
        if name in documents:
            if slash and {"", ".", ".."} & set(folder.split("/")):
                raise ValueError(f"{key} leads out of the file")
            document = json.loads(store[key])
            is_array = name == ".zarray" or document.get("node_type") == "array"
            attributes = {**json.loads(store.get(f"{folder}{slash}.zattrs", b"{}"))}
            attributes = document.get("attributes", attributes)
            nodes[folder] = Node(store, folder, is_array, document, attributes)
            if slash:
                parent, _, own_name = folder.rpartition("/")
                nodes[parent].members[own_name] = nodes[folder]  # KeyError: the group is lost
        elif slash and folder not in nodes and re.fullmatch(part, name):
            raise ValueError(f"{folder} has lost its document")
    return nodes[""]


# 2. Arrays


def read_array(node: Node) -> Any:
    """Give what an array holds, whatever other arrays say of it."""
    document, attributes = node.document, node.attributes
    if document["zarr_format"] == 3:
        dtype = np.dtype("O" if document["data_type"] == "string" else document["data_type"])
        chunks, codecs = document["chunk_grid"]["configuration"]["chunk_shape"], document["codecs"]
        keys = document["chunk_key_encoding"]
        prefix = ["c"] if keys["name"] == "default" else []
        separator = keys.get("configuration", {}).get("separator", "/" if prefix else ".")
    else:
        dtype, chunks = dtype_of(document["dtype"]), document["chunks"]
        codecs = [] if dtype.kind == "O" else [{"id": "bytes"}]
        codecs += [*(document["filters"] or []), document["compressor"]]
        prefix, separator = [], document.get("dimension_separator", ".")
    as_bytes = dtype == np.uint8 and "_zspy_dtype" in attributes
    fill = fill_value(0 if as_bytes else document["fill_value"], dtype, codecs[0])
    stored = {}
    for index in grid(document["shape"], chunks):
        key = separator.join([*prefix, *map(str, index)]) or "0"
        stored[index] = node.store.get(f"{node.path}/{key}")
    order = document.get("order", "C")
    array = assembled(document["shape"], chunks, stored, codecs, fill, order)
    if "_zspy_dtype" not in attributes:
        return array
    dtype = dtype_of(attributes["_zspy_dtype"])
    if array.dtype == np.uint8:
        return array.view(dtype)[..., 0]
    return array.astype(dtype)


def dtype_of(dtype: Any) -> Any:
    """Give the dtype that format 2 writes so."""
    if isinstance(dtype, str):
        return np.dtype(dtype)
    return np.dtype([(name, dtype_of(one), *map(tuple, shape)) for name, one, *shape in dtype])


def fill_value(fill: Any, dtype: Any, codec: dict[str, Any]) -> Any:
    """Give the fill value as an array without dimensions."""
    result = np.zeros((), dtype)
    if dtype.kind == "O":
        name = codec.get("id", codec.get("name"))
        if name == "vlen-array":
            fill = np.empty(0, codec["dtype"])
        elif name == "vlen-bytes":
            fill = b64decode(fill or "")
        elif name == "vlen-utf8":
            fill = fill or ""
        elif fill == 0:
            fill = []
        result[()] = fill
        return result
    if fill is None or fill == "":
        return np.array("NaT", dtype) if dtype.kind in "mM" else result
    if dtype.kind in "SV":
        data = b64decode(fill or "").ljust(dtype.itemsize, b"\0")
        return np.frombuffer(data, dtype).reshape(())
    if not np.isscalar(fill):
        fill = complex(float(fill[0]), float(fill[1]))
    return np.array(fill).astype(dtype)


def grid(shape: Any, chunks: Any) -> list[tuple[int, ...]]:
    """Give the indices of the chunks of an array."""
    counts = [n and -(-n // size) for n, size in zip(shape, chunks, strict=True)]
    return list(np.ndindex(*counts))


def assembled(shape: Any, chunks: Any, stored: Any, codecs: Any, fill: Any, order: str) -> Any:
    """Give an array, or a shard, from the bytes of its chunks."""
    array = np.empty(shape, fill.dtype)
    for index, raw in stored.items():
        chunk = np.broadcast_to(fill, chunks)
        if raw is not None:
            chunk = decoded(raw, codecs, chunks, fill).reshape(chunks, order=order)
        place = tuple(slice(i * n, i * n + n) for i, n in zip(index, chunks, strict=True))
        array[place] = chunk[tuple(slice(n) for n in array[place].shape)]
    return array


def decoded(raw: Any, codecs: Any, shape: Any, fill: Any) -> Any:
    """Give the elements of a chunk of this shape; `fill` has their dtype."""
    for codec in filter(None, reversed(codecs)):
        name, options = codec.get("id", codec.get("name")), codec.get("configuration", {})
        if name == "bytes":
            byte_order = {"little": "<", "big": ">"}.get(options.get("endian"))
            dtype = fill.dtype.newbyteorder(byte_order) if byte_order else fill.dtype
            raw = np.frombuffer(bytes(memoryview(raw)), dtype)
        elif name == "sharding_indexed":
            raw = decoded_shard(raw, options, shape, fill)
        elif name in {"json2", "msgpack2"}:
            items = json.loads(raw) if name == "json2" else msgpack.unpackb(raw)
            cells = items[:-2]  # then the dtype, and the shape, by which the cells are nested
            for _ in items[-1][1:]:
                cells = [cell for row in cells for cell in row]
            raw = np.fromiter(cells, object)
        elif name not in CODECS | CELLS:
            raise ValueError(f"the codec {name} is not known")
        elif name == "blosc" and int.from_bytes(raw[12:16], "little") != len(raw):
            raise ValueError("a chunk is truncated")
        else:
            raw = numcodecs.get_codec(codec if "dtype" in codec else {"id": name}).decode(raw)
    return raw


def decoded_shard(raw: bytes, options: Any, shape: Any, fill: Any) -> Any:
    """Give the elements of a shard, whose index says where its chunks lie."""
    chunks, places = options["chunk_shape"], grid(shape, options["chunk_shape"])
    size = 16 * len(places) + 4 * (len(options["index_codecs"]) - 1)
    index = raw[:size] if options.get("index_location") == "start" else raw[-size:]
    numbers = decoded(index, options["index_codecs"], [len(places), 2], np.zeros((), "u8"))
    stored = {}
    for place, (offset, length) in zip(places, numbers.reshape(-1, 2).tolist(), strict=True):
        stored[place] = None if offset == NOT_STORED else raw[offset : offset + length]
    return assembled(shape, chunks, stored, options["codecs"], fill, "C")


# 3. Ragged arrays


def read_entry(group: Node, name: str) -> Any:
    """Give an array of a group: of cells in their shapes where it is ragged."""
    node, array = group.members[name], read_array(group.members[name])
    if "_ragged_encoding" in node.attributes:
        offsets = read_array(group.members[f"_ragged_offsets_{name}"])
        if offsets[0] != 0 or offsets[-1] != len(array) or np.any(offsets[1:] < offsets[:-1]):
            raise ValueError(f"the offsets of {node.path} do not fit")
        cells = [array[start:stop] for start, stop in pairwise(offsets)]
        if node.attributes.get("_ragged_cells") in {"json2", "msgpack2"}:
            cells = [cell.tolist() for cell in cells]
        array = np.fromiter(cells, object).reshape(node.attributes["_ragged_nav_shape"])
    if f"_ragged_shapes_{name}" in group.members and array.dtype.kind == "O":
        shapes = read_entry(group, f"_ragged_shapes_{name}")
        for index in np.ndindex(array.shape):
            cell = array[index]
            if type(cell) is list:
                cell = np.array(cell, "U" if cell else "f8")
            array[index] = cell.reshape(shape_of(cell, shapes[index]))
    return array


def shape_of(cell: Any, shape: Any) -> tuple[int, ...]:
    """Give the shape of a cell: one dimension where nothing is stored of it."""
    return tuple(map(int, shape)) if len(cell) or len(shape) else (0,)


def fits(cell: Any, shape: Any) -> bool:
    """Whether a cell has as many elements as a shape says."""
    is_cell = type(cell) in (list, np.ndarray)
    return is_cell and len(cell) == math.prod(shape_of(cell, shape))


def rename_old_shapes(group: Node) -> None:
    """Give the shapes of ragged arrays the names that they have from version 3.3 on."""
    old: Any = group.members.get("ragged_shapes")
    filters: list[Any] = (old and old.document.get("filters")) or [{}]
    if filters[0].get("dtype") == "<i8":
        shapes = read_array(group.members.pop("ragged_shapes"))
        for name, node in list(group.members.items()):
            cells = read_array(node) if node.is_array else shapes[:0]
            pairs = list(zip(cells.flat, shapes.flat, strict=False))
            if cells.shape == shapes.shape and all(fits(cell, shape) for cell, shape in pairs):
                group.members[f"_ragged_shapes_{name}"] = old
    for node in group.members.values():
        rename_old_shapes(node)


# 4. Trees


def read_tree(group: Node) -> dict[str, Any]:
    """Give the dictionary that a group holds."""
    tree: dict[str, Any] = {}
    for name, value in group.attributes.items():
        mark = re.fullmatch(r"(?s)_(list|tuple)_empty_(.*)", name)
        if mark:
            tree[mark[2]] = KINDS[mark[1]]()
        elif not name.startswith("_sig_"):
            tree[name] = None if value == "_None_" else value
    for name, node in group.members.items():
        length = "" if node.is_array else r"(?:\d+_)?"
        mark = re.fullmatch(rf"(?s)_(list|tuple)_{length}(.*)", name)
        if re.match("_ragged_(shapes|offsets)_" if node.is_array else "_ragged_shapes_", name):
            continue
        if mark:
            items = read_array(node).tolist() if node.is_array else read_sequence(node)
            tree[mark[2]] = KINDS[mark[1]](items)
        elif node.is_array:
            array = read_entry(group, name)
            is_text = array.dtype.kind == "S" and array.tobytes().isascii()
            tree[name] = array.astype("U") if is_text else array
        elif name.startswith("_sig_") and has_data(node):
            tree[name] = read_signal(node)
        elif name.startswith("_hspy_AxesManager_"):
            tree[name] = read_axes(node, len(node.members))
        else:
            tree[name] = read_tree(node)
    return tree


def read_sequence(group: Node) -> list[Any]:
    """Give the entries of a group in the order of their numbers."""
    entries = read_tree(group)
    numbered: dict[int, Any] = {}
    for key in sorted(entries, key=len, reverse=True):  # of 007 and 7, the latter is newer
        number = re.fullmatch(r"(?:_sig_)?([0-9]{1,17})", key)
        if number:
            numbered[int(number[1])] = entries.pop(key)
    return [numbered[i] for i in sorted(numbered)] + [entries[key] for key in sorted(entries)]


# 5. Signals


def has_data(group: Node) -> bool:
    """Whether a group is a signal."""
    return "data" in group.members and group.members["data"].is_array


def read_signal(group: Node) -> dict[str, Any]:
    """Give a signal: of the file, or within the metadata of another one."""
    data = read_entry(group, "data")
    axes = read_axes(group, data.ndim)
    for i, axis in enumerate(axes):
        size = min(data.shape[i], len(axis["axis"]) if "axis" in axis else axis["size"])
        data = data[(slice(None),) * i + (slice(size),)]
        axis |= {"axis": axis["axis"][:size]} if "axis" in axis else {"size": size}
    signal: dict[str, Any] = {"data": data, "axes": axes}
    signal |= {name: group.attributes.get(name, "") for name in ("package", "package_version")}
    signal |= {name: read_tree(group.members.get(name, EMPTY)) for name in TREES}
    learning_results = signal.pop("learning_results")
    if "learning_results" in group.members:
        signal["attributes"]["learning_results"] = learning_results
    if not signal["tmp_parameters"]:
        del signal["tmp_parameters"]
    if signal["metadata"].get("General", {}).get("title") == "__unnamed__":
        signal["metadata"]["General"]["title"] = ""
    return signal


def read_axes(group: Node, count: int) -> list[Any]:
    """Give an axis for each of so many dimensions, or none."""
    names = [f"axis-{i}" for i in range(count)]
    if any(name in group.members for name in names):
        return [read_tree(group.members[name]) for name in names]
    lists = [node for name, node in group.members.items() if re.fullmatch(r"_list_\d+_axes", name)]
    return read_sequence(lists[0])[:count] if lists else []


def find_signals(group: Node, path: str = "Experiments") -> Iterator[tuple[str, Node]]:
    """Yield the path and the group of each signal below a group."""
    for name, node in group.members.items():
        if has_data(node):
            yield f"{path}/{name}", node
        elif "_sig_zspy" in node.attributes:
            raise ValueError(f"{node.path} has lost its data")
        elif "metadata" not in node.members:
            yield from find_signals(node, f"{path}/{name}")


def read_file(path: Path) -> list[dict[str, Any]]:
    """Give the signals of a file, and behind them the models without one."""
    root = read_nodes(read_store(path))
    version = re.match(r"(\d+)\.(\d+)(?!\d)", root.attributes["file_format_version"])
    if version is None:
        raise ValueError("the version of the file is none")
    if (int(version[1]), int(version[2])) < (3, 3):
        rename_old_shapes(root)
    signals = {
        name: read_signal(group) for name, group in find_signals(root.members["Experiments"])
    }
    found: list[dict[str, Any]] = [signals[name] | {"models": {}} for name in sorted(signals)]
    models = root.members.get("Analysis", EMPTY).members.get("models", EMPTY)
    for name, node in sorted(models.members.items()):
        model = read_tree(node)
        owner = str(model.pop("_signal", "")).replace("\\", "/").removeprefix("/")
        if owner in signals:
            found[sorted(signals).index(owner)]["models"][name] = model
        else:
            found.append({"models": {name: model}})
    return found


# 6. The JSON of the conformance suite


def represent(value: Any) -> Any:
    """Give the JSON of a value."""
    if isinstance(value, float):
        return {"float": str(value)}
    kind = type(value).__name__
    if kind in {"bytes", "complex"}:
        return {"value": [kind, value.hex() if kind == "bytes" else str(value)]}
    if kind in {"list", "tuple"}:
        return {kind: [represent(one) for one in value]}
    if kind == "dict":
        return {"dict": [[key, represent(one)] for key, one in value.items()]}
    if kind == "ndarray":
        dtype = value.dtype.descr if value.dtype.names else value.dtype.str
        array = {"dtype": dtype, "shape": value.shape}
        if value.dtype.kind == "O":
            return {"array": array | {"elements": [represent(cell) for cell in value.flat]}}
        return {"array": array | {"bytes": b64encode(value.tobytes()).decode()}}
    return value


def represent_file(path: Path) -> list[Any]:
    """Give the JSON of a file; only nested signals have a package."""
    return [
        {part: represent(value) for part, value in signal.items() if not part.startswith("package")}
        for signal in read_file(path)
    ]


EMPTY = Node({}, "", False, {}, {})

if __name__ == "__main__":
    print(json.dumps(represent_file(Path(sys.argv[1]))))
