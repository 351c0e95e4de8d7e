"""Damaged files by the thousand: reading each ends in a value or in an error of zspy.

``python -m tests.security.fuzz --seconds 60`` damages valid files of every kind of place, and
makes up documents; each is read in every way, by a process that may take 1 GB of memory and 10 s
for it.
A seed gives one file: ``python -m tests.security.fuzz --seed 17 --count 1`` repeats it.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from functools import cache
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np

import zspy
from tests.stores.test_n5 import CODECS, DATA, blocks_of, described, write as write_n5
from tests.support.values import VALUES, cells
from zspy.documents.parsed_nodes import GROUP_V2
from zspy.typing import is_dict, is_lazy, is_sequence

Files: TypeAlias = dict[str, bytes]
Documents: TypeAlias = MutableMapping[str, bytes]
Make: TypeAlias = Callable[[int, Path], tuple[Any, str]]
Use: TypeAlias = Callable[[Any], list[str]]

MEMORY: Final = 2**30
SECONDS: Final = 10
WAITING: Final = 120  # seconds on the clock, which a busy machine may need for few of work
CPU: Final = 5.0  # seconds, and so many more for each byte of a file
CPU_FOR_A_BYTE: Final = 2e-5
BATCH: Final = 500
LATER: Final = ("dask.array", "zarr", "zspy.apps.checking")  # which some of the files need
CACHE: Final = "ZSPY_FUZZ_CACHE"
SMALL: Final = 2**24  # bytes of a lazy array that is computed
CORPUS: Final = Path(__file__).parents[1] / "data" / "corpus.tar.xz"
PLACES: Final = ("local", "local", "shards", "zip", "lmdb", "dbm", "sqlite", "dict", "n5")
DATABASES: Final = ("lmdb", "dbm", "sqlite")
SAMPLES: Final = 24  # valid files in each kind of place
JSON_NAMES: Final = (".zattrs", ".zarray", ".zgroup", "zarr.json", ".zmetadata", "attributes.json")


class Hang(BaseException):
    """Raised by the alarm; nothing but the harness catches it."""


# --- valid files -------------------------------------------------------------------------------


def _axes(shape: tuple[int, ...], signal: int) -> list[dict[str, Any]]:
    axes: list[dict[str, Any]] = []
    for index, size in enumerate(shape):
        navigate = index < len(shape) - signal
        axis: dict[str, Any] = {"name": f"a{index}", "units": "nm", "navigate": navigate}
        if index % 3 == 1:
            axis |= {"axis": np.linspace(0, 1, size) ** 2}
        elif index % 3 == 2:
            inner = {"_type": "UniformDataAxis", "size": size, "scale": 1.0, "offset": 1.0}
            axis |= {"expression": "a / x", "a": 2.0, "x": inner, "size": size}
        else:
            axis |= {"size": size, "scale": 0.5, "offset": 1.0}
        axes.append(axis)
    return axes


def _signal(data: Any, signal: int, **more: Any) -> dict[str, Any]:
    title = {"General": {"title": "t", "FileIO": {"0": {"operation": "load"}}}}
    metadata = title | more.pop("metadata", {})
    return {"data": data, "axes": _axes(data.shape, signal), "metadata": metadata, **more}


def _models() -> dict[str, Any]:
    table = np.zeros(4, [("values", "<f8"), ("std", "<f8"), ("is_set", "?")])
    return {"fit": {"components": [{"name": "G", "map": table}], "chisq.data": np.ones(4)}}


def _content(rng: random.Random) -> list[dict[str, Any]]:
    """Make signals that hold a bit of everything."""
    names = rng.sample(sorted(VALUES), 8)
    values = {name: VALUES[name]() for name in names}
    match rng.randrange(6):
        case 0:
            data: Any = np.arange(120, dtype="<u2").reshape(4, 5, 6)
            learning = {"factors": np.eye(3), "mask": None, "algorithm": "svd"}
            return [_signal(data, 1, metadata=values, learning_results=learning, models=_models())]
        case 1:
            data = cells(*(np.arange(n * 2.0).reshape(n, 2) for n in range(4)))
            return [_signal(data, 0, metadata=values)]
        case 2:
            inner = _signal(np.arange(6.0).reshape(2, 3), 1)
            nested = {"_sig_navigator": inner, "list": [inner, 1, "x"], **values}
            return [_signal(np.arange(3, dtype=">f4"), 1, metadata=nested)]
        case 3:
            data = np.zeros((32, 32, 640), "<u2")
            data[1, 2] = 7
            return [_signal(data, 1, original_metadata=values)]
        case 4:
            masked = np.ma.MaskedArray(np.arange(4), [False, True, False, True])
            texts = cells(["a", "bc"], [], ["d"])
            return [_signal(masked, 1, metadata={"texts": texts, **values})]
        case _:
            one = _signal(np.array(["a", "bc"]), 0, metadata=values)
            other = _signal(np.arange(5) * 1j, 1)
            return [one, other]


def _how(rng: random.Random, place: str) -> dict[str, Any]:
    """Choose how to write them."""
    metadata: dict[str, Any] = {} if place in {"dict", "sqlite"} else {"store_type": place}
    if place == "shards":
        return {"zarr_format": 3, "shards": True, "chunks": rng.choice([None, 3, 16])}
    if rng.random() < 0.4:
        return metadata | {"zarr_format": 3, "shards": rng.choice([None, True, False])}
    metadata["compressor"] = rng.choice([None, None, "default", False])
    return metadata | rng.choice([{}, {"chunks": 16}, {"chunks": True}])


def write(target: Path, rng: random.Random, place: str) -> Files:
    """Write a valid file, and return the files on the disk, or the documents of a dictionary."""
    if place == "n5":
        compression, codec = CODECS[rng.choice(sorted(CODECS))]
        data = DATA.astype(rng.choice(["?", "u2", "f4", "f8"]))
        write_n5(target / "f.zspy", described(data, compression), blocks_of(data, codec))
        return read_files(target)
    metadata, content = _how(rng, place), _content(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if place == "dict":
            documents: Files = {}
            zspy.file_writer(documents, content, **metadata)
            return documents
        if place == "sqlite":
            from zspy.stores.sqlite import SQLiteStore

            with SQLiteStore(target / "f.zspy") as store:
                zspy.file_writer(store, content, **metadata)
        else:
            zspy.file_writer(target / "f.zspy", content, sync=False, **metadata)
    return read_files(target)


def read_files(folder: Path) -> Files:
    """Return the files below a folder, but for locks."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if path.name != "lock.mdb"
    }


def write_files(folder: Path, files: Files) -> None:
    """Undo `read_files`, as far as the system takes the names, and they stay in the folder."""
    for name, data in files.items():
        path = Path(os.path.normpath(folder / name))
        if not path.is_relative_to(folder):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except (OSError, ValueError):
            continue


@cache
def corpus() -> list[tuple[str, Files]]:
    """Return small files that other programs wrote."""
    found: dict[str, Files] = {}
    with tarfile.open(CORPUS) as archive:
        for member in archive:
            parts = member.name.split("/")
            at = next((i for i, part in enumerate(parts) if ".zspy" in part), None)
            if at is None or not member.isfile():
                continue
            files = found.setdefault("/".join(parts[: at + 1]), {})
            inner = "/".join(parts[at + 1 :])
            files["f.zspy" + (f"/{inner}" if inner else "")] = _bytes(archive, member)
    small = {k: v for k, v in found.items() if sum(map(len, v.values())) < 2**19}
    return sorted(small.items())


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


# --- damage ------------------------------------------------------------------------------------

HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**20, 2**31 - 1, 2**31, 2**32, 2**40),
    *(2**63 - 1, 2**63, 2**64, -(2**63), 10**30, -(10**400), 0.5, -0.0, 1e308, -1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), "", "a", "NaN", "0x7fc0", "/", "..", "../../x"),
    *("\0", "é", "\ud800", "1/0", "1e999999999", "x" * 5000, "_None_", "__unnamed__", "data"),
    *("|O", "|b1", "<f8", ">f4", "<U9", "<U99999999", "|S0", "|V0", "|V3", "<M8[ns]", "<M8"),
    *("<m8[999999999999Y]", "<f16", "<c32", "<f2", "i4", "T", "f8,f8", "float64", "int8", "string"),
    *([], {}, [[]], [0], [1], [-1], [2**40], [2**40, 2**40], [1] * 40, [None], [{}], ["a", "b"]),
    *([["a", "<f8"]], [["a", "<f8", [2**30]]], [["", "|O"]], {"a": 1}, {"name": "bytes"}),
    *({"id": "pickle"}, {"id": "zlib"}, {"id": "json2"}, {"id": "msgpack2"}, {"id": "vlen-utf8"}),
    *({"id": "vlen-array", "dtype": "<f8"}, {"id": "vlen-array", "dtype": "|O"}, {"id": "lz4"}),
    *({"id": "delta", "dtype": "<f8"}, {"id": "lzma", "format": 3}, {"id": "blosc", "cname": "x"}),
    *({"id": "astype", "encode_dtype": "<U99", "decode_dtype": "<f8"}, {"id": "crc32"}, 2, 3, "C"),
    *({"name": "gzip"}, {"name": "sharding_indexed"}, {"name": "numcodecs.pickle"}, "crc32c", "F"),
    *({"name": "transpose", "configuration": {"order": [0, 0]}}, {"name": "blosc"}, "default"),
    *(["complex"], ["set"], ["range"], ["numpy", "<f8"], ["numpy", "<M8[s]", 2**70], ["masked", 1]),
    *(["int"], ["Fraction"], ["Decimal"], ["datetime", 0, "../x"], ["datetime", 0, 10**9, 0, 0]),
    *(["object", [2**40]], ["object", [-1]], ["cells", ["<f8", 2**60]], ["cells", [None, 1]]),
    *(["fields", {"names": ["a"], "formats": ["<f8"], "offsets": [2**31]}], ["StringDType", 1]),
    *(["scalars"], ["S"], ["str"], ["tuple", 1], ["float", "nan"], ["value", 1, ["set"]]),
)
MARKS: Final = (
    *("_list_x", "_list_2_x", "_tuple_x", "_tuple_11_x", "_list_empty_x", "_sig_zspy", "_sig_s"),
    *("_ragged_shapes_x", "_ragged_offsets_x", "ragged_shapes", "_hspy_AxesManager_a", "_bs_x"),
    *("axis-0", "axis-1", "data", "metadata", "attributes", "data_mask", "data_cells", "x", "y"),
    *("0", "1", "00", "10", "General", "title", "_ragged_encoding", "_ragged_nav_shape", "axes"),
    *("_zspy_dtype", "types", "keys", "order", "nonfinite", "learning_results", "_datetime_date"),
)
TOKENS: Final = (
    *(b"NaN", b"-Infinity", b"1e999999999", b"-1e-999999999", b"9" * 5000, b"0." + b"9" * 5000),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"[" * 190 + b"]" * 190, b'"\\ud800"', b'"\xff"'),
    *(b'"\\u0000"', b"'a'", b"tru", b"0x10", b"01", b"+1", b".5", b"1.", b"-", b'"', b"\t\v\f"),
    *(
        b"null",
        b"{}",
        b"[[],",
        b'"\n"',
        b"[1e400, -1e400]",
        b'{"a":1,"a":2}',
        b"-0",
        b"1" + b"0" * 400,
    ),
)
RECORDS: Final = (
    *("_sig_zspy", "types", "keys", "order", "nonfinite", "chunks", "documents", "_zspy_dtype"),
    *("_ragged_encoding", "_ragged_nav_shape", "consolidated_metadata", "ragged_shapes"),
    *("storage_transformers", "extensions", "chunk_grid", "chunk_key_encoding", "dimension_names"),
)
KEYS: Final = ("..", ".", "", "a" * 300, "\x01", "é", "CON", " ", "\ud800", "..\\..", "~", "data")


def damage_bytes(files: Files, rng: random.Random) -> str:
    """Damage the bytes of a file, or the files."""
    if not files:
        return "nothing"
    chunks = [name for name in sorted(files) if name.rpartition("/")[2] not in JSON_NAMES]
    name = rng.choice(chunks if chunks and rng.random() < 0.4 else sorted(files))
    data = bytearray(files[name])
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(12)
    match kind:
        case 0 | 1 | 2 | 3 if data:
            for _ in range(1 if kind < 3 else rng.randrange(1, 20)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 4:
            del data[at:]
        case 5:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        case 6:
            del data[at : at + rng.randrange(1, 40)]
        case 7:
            data[at : at + 32] = bytes([rng.choice((0, 0xFF))]) * len(data[at : at + 32])
        case 8:
            del files[name]
            return f"delete {name}"
        case 9:
            other = rng.choice(sorted(files))
            files[name], files[other] = files[other], files[name]
            return f"swap {name} {other}"
        case 10:
            other = rng.choice(sorted(files)).rpartition("/")[0] + "/" + name.rpartition("/")[2]
            files[other] = files[name]
            return f"copy {name} {other}"
        case _:
            data[:] = rng.randbytes(rng.randrange(64))
    files[name] = bytes(data)
    return f"bytes {kind} {name} {at}"


def _parsed(documents: Documents, rng: random.Random) -> tuple[str, Any] | None:
    """Choose a JSON document, and parse it, unless it was damaged already."""
    key = _document(documents, rng)
    try:
        return None if key is None else (key, json.loads(documents[key]))
    except ValueError:
        return None


def damage_json(documents: Documents, rng: random.Random) -> str:
    """Replace, remove, rename or add a value somewhere in a JSON document."""
    found = _parsed(documents, rng)
    if found is None:
        return "nothing"
    key, document = found
    places = list(_places(document))
    value = _hostile(rng)
    if places and rng.random() < 0.9:
        holder, part = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del holder[part]
            case 1 if is_dict(holder):
                holder[rng.choice(MARKS)] = holder.pop(part)
            case 2 if is_dict(holder):
                holder[rng.choice(MARKS)] = value
            case 3:
                other, there = rng.choice(places)
                holder[part] = json.loads(json.dumps(other[there]))
            case 4 if isinstance(holder[part], int):
                holder[part] += rng.choice((-1, 1, 2, 256, 2**31))
            case _:
                holder[part] = value
    elif is_dict(document) and rng.random() < 0.5:
        document[rng.choice(MARKS)] = value
    else:
        document = value
    documents[key] = json.dumps(document).encode()
    return f"json {key}"


def damage_text(documents: Documents, rng: random.Random) -> str:
    """Make of a JSON document what no writer of JSON makes, or few do."""
    key = _document(documents, rng)
    if key is None:
        return "nothing"
    data = documents[key]
    token = rng.choice(TOKENS)
    marks = [at for at, byte in enumerate(data) if byte in b":[,"]
    kind = rng.randrange(6)
    match kind:
        case 0 | 1 if marks:  # a value before that which was there, or in its place
            at = rng.choice(marks) + 1
            data = data[:at] + token + (b"," if kind else b"") + data[at:]
        case 2 if b"{" in data:  # a name twice
            at = rng.choice([at for at, byte in enumerate(data) if byte in b"{"]) + 1
            names = [name for name in data.split(b'"')[1::2] if name] or [b"a"]
            data = data[:at] + b'"' + rng.choice(names) + b'":' + token + b"," + data[at:]
        case 3:
            data = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b" ", token)) + data
        case 4:
            data = data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32")))
        case _:
            data += rng.choice((b"\0", b"{}", b"//", b" " * 100_000, token))
    documents[key] = data
    return f"text {kind} {key} {token[:20]!r}"


def damage_record(documents: Documents, rng: random.Random) -> str:
    """Damage what zspy itself records of types, names, order, chunks and documents."""
    found: list[tuple[str, Any, Any, Any]] = []
    for key in sorted(documents):
        if key.rpartition("/")[2] in JSON_NAMES:
            try:
                document: Any = json.loads(documents[key])
            except ValueError:
                continue
            for holder, part in _places(document):
                if part in RECORDS:
                    found.append((key, document, holder, part))
    if not found:
        return "nothing"
    key, document, holder, part = rng.choice(found)
    if is_dict(holder[part]) and (inner := list(_places(holder[part]))) and rng.random() < 0.9:
        holder, part = rng.choice(inner)
    value = _hostile(rng)
    match rng.randrange(5):
        case 0 if is_dict(holder[part]):
            holder[part][rng.choice((*MARKS, *RECORDS))] = value
        case 1 if is_sequence(holder[part]):
            holder[part].insert(rng.randrange(len(holder[part]) + 1), value)
        case 2 if isinstance(holder, dict):
            holder[rng.choice((*MARKS, *RECORDS))] = holder[part]
        case _:
            holder[part] = value
    documents[key] = json.dumps(document).encode()
    return f"record {key} {part}"


def damage_type(documents: Documents, rng: random.Random) -> str:
    """Make of a value in a JSON document something near, or the same in another type."""
    found = _parsed(documents, rng)
    if found is None:
        return "nothing"
    key, document = found
    places = list(_places(document))
    if not places:
        return "nothing"
    holder, part = rng.choice(places)
    value: Any = holder[part]
    forms: list[Any] = [str(value), [value], {"name": value}, None, [value, value]]
    if isinstance(value, (int, float)):
        forms += [-value, value + 1, value / 3, value * 10**6, not value]
    elif isinstance(value, str):
        forms += [f"{value}x", value[:-1], value.upper(), [*value][:50], f"/{value}"]
    elif is_sequence(value):
        forms += [[*value][::-1], [*value][1:], [*value] * 20, dict(enumerate(value))]
    elif is_dict(value):
        forms += [[*value], [*value.values()], dict([*value.items()][1:])]
    holder[part] = rng.choice(forms)
    documents[key] = json.dumps(document).encode()
    return f"type {key} {part}"


def damage_fields(files: Files, rng: random.Random) -> str:
    """Set numbers in the heads of a file: of a chunk, a page, or an entry of a zip or its end."""
    names = [name for name in sorted(files) if len(files[name]) > 20]
    chunks = [name for name in names if name.rpartition("/")[2] not in JSON_NAMES]
    if not names:
        return "nothing"
    name = rng.choice(chunks or names)
    data = bytearray(files[name])
    heads = [0, len(data) - 20, *range(0, len(data), 4096)]
    for _ in range(rng.choice((1, 1, 2))):
        mark = rng.choice((b"PK\1\2", b"PK\3\4", b"PK\5\6"))
        marked = [at for at in range(len(data)) if data.startswith(mark, at)]
        at = min(rng.choice(marked or heads) + rng.randrange(0, 46, 2), len(data) - 1)
        width = rng.choice((1, 2, 4, 8))
        old = int.from_bytes(data[at : at + width], "little")
        new = rng.choice((0, 1, 255, 2**31, 2**32 - 1, 2**63, old + 1, old - 1, old * 2, len(data)))
        data[at : at + width] = (new % 2 ** (8 * width)).to_bytes(width, "little")
    files[name] = bytes(data)
    return f"fields {name}"


def splice(files: Files, rng: random.Random) -> str:
    """Go on in the middle of a file as another one does, of the same name if there is one."""
    one = rng.choice(sorted(files))
    name = one.rpartition("/")[2]
    _, more = rng.choice(corpus())
    others = {**more, **files} if rng.random() < 0.5 else files
    two = rng.choice([key for key in sorted(others) if key.rpartition("/")[2] == name])
    at = rng.randrange(len(files[one]) + 1)
    files[one] = files[one][:at] + others[two][rng.choice((at, 0, len(others[two]) // 2)) :]
    return f"splice {one} {two} {at}"


def damage_keys(documents: Documents, rng: random.Random) -> str:
    """Give a document another key, beside its own or in its place."""
    key = rng.choice(sorted(documents) or [""])
    if not key:
        return "nothing"
    folder, _, name = key.rpartition("/")
    new = rng.choice(
        [
            *(f"{folder}/{other}" for other in JSON_NAMES),
            *(f"{folder}/{part}/{name}" for part in KEYS),
            *(f"{key}/{name}", f"{folder}/{name.upper()}", f"{folder}//{name}", f"{key}/0"),
            *(f"{folder}/{number}" for number in ("0", "-1", "01", "9" * 30, "0.0", "c/0/0", "c")),
            *(f"{folder}/" + "d/" * 300 + name, f"{folder}/{name}x"),
        ]
    )
    data = documents[key]
    if rng.random() < 0.5:
        del documents[key]
    documents[new] = data
    return f"key {key} {new[:80]}"


def _document(documents: Documents, rng: random.Random) -> str | None:
    names = [key for key in sorted(documents) if key.rpartition("/")[2] in JSON_NAMES]
    return rng.choice(names) if names else None


def _hostile(rng: random.Random) -> Any:
    if rng.random() < 0.03:
        value: Any = 1
        for _ in range(rng.choice((150, 195, 250, 900))):
            value = [value] if rng.random() < 0.5 else {"a": value}
        return value
    return rng.choice(HOSTILE)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the places in a JSON document: what holds a value, and its key or index there."""
    parts = value.items() if is_dict(value) else enumerate(value) if is_sequence(value) else ()
    for key, inner in list(parts):
        yield value, key
        yield from _places(inner)


def made_up(rng: random.Random) -> Files:
    """Make up documents: a tree of groups and arrays with whatever names and values."""
    three = rng.random() < 0.3
    documents: Files = {}
    version: dict[str, Any] = {"file_format": "ZSpy", "file_format_version": "3.3"}
    _group(documents, "", version, three)
    _group(documents, "Experiments", {}, three)
    _group(documents, "Experiments/t", {}, three)
    _array(documents, "Experiments/t/data", rng, three)
    groups = ["Experiments/t", "Experiments/t/metadata"]
    for group in groups[1:]:
        _group(documents, group, _attributes(rng), three)
    for _ in range(rng.randrange(25)):
        path = f"{rng.choice(groups)}/{rng.choice(MARKS)}"
        if rng.random() < 0.4:
            _group(documents, path, _attributes(rng), three)
            groups.append(path)
        else:
            _array(documents, path, rng, three)
    return documents


def _attributes(rng: random.Random) -> dict[str, Any]:
    attributes = {rng.choice(MARKS): _hostile(rng) for _ in range(rng.randrange(4))}
    if rng.random() < 0.5:
        types = {rng.choice(MARKS): [rng.choice(HOSTILE)] for _ in range(3)}
        attributes["_sig_zspy"] = {
            "types": types,
            "keys": {rng.choice(MARKS): _hostile(rng)},
            "order": [rng.choice(MARKS), _hostile(rng)],
        }
    return attributes


def _group(documents: Files, path: str, attributes: dict[str, Any], three: bool) -> None:
    prefix = f"{path}/" if path else ""
    if three:
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        documents[f"{prefix}zarr.json"] = json.dumps(group).encode()
        return
    documents[f"{prefix}.zgroup"] = GROUP_V2
    documents[f"{prefix}.zattrs"] = json.dumps(attributes).encode()


def _array(documents: Files, path: str, rng: random.Random, three: bool) -> None:
    """Make up an array, whose document says more or less what its chunks are."""
    data: Any = rng.choice(
        [np.arange(rng.randrange(7)), np.eye(2), np.array(["a", "é"]), np.array([b"a"]), 1j]
    )
    item: str | None = None
    if rng.random() < 0.3:
        item = rng.choice(["vlen-utf8", "msgpack2", "json2", "<i8", "<f8"])
        filled: dict[str, Any] = {"vlen-utf8": "a", "msgpack2": ["b"], "json2": [1]}
        data = cells(
            *(
                [filled.get(item, np.arange(2, dtype=item if item[0] == "<" else None))]
                * rng.randrange(3)
            )
        )
    node = zspy.Array(np.asarray(data), cells=item)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = dict(zspy.serialise(zspy.Group({}, {"a": node}), zarr_format=3 if three else 2))
        except zspy.ZspyError:
            return
    for key, document in made.items():
        if key.startswith("a/"):
            documents[f"{path}/{key[2:]}"] = document
    if rng.random() < 0.5:
        damage_json(_Below(documents, path), rng)


class _Below(dict[str, bytes]):
    """The documents below a path; what is set goes into the whole as well."""

    def __init__(self, documents: Files, path: str) -> None:
        super().__init__({k: v for k, v in documents.items() if k.startswith(f"{path}/")})
        self._documents = documents

    def __setitem__(self, key: str, value: bytes) -> None:
        super().__setitem__(key, value)
        self._documents[key] = value


# --- one file ----------------------------------------------------------------------------------


def damaged(seed: int, folder: Path) -> tuple[Any, str]:
    """Make the file of a seed; give where it lies, and what was done to it."""
    rng = random.Random(seed)
    place = rng.choice(PLACES)
    chance = rng.random()
    if chance < 0.1:
        documents = made_up(rng)
        if place == "dict" or rng.random() < 0.5:
            return documents, "made up"
        write_files(folder, {f"f.zspy/{key}": data for key, data in documents.items()})
        return folder / "f.zspy", "made up, local"
    if chance < 0.25:
        name, known = rng.choice(corpus())
        place, files = "local", dict(known)
    else:
        name, files = "", dict(_sample(seed % SAMPLES, place))
    steps = [f"{place} {name}"]
    changes = (damage_json, damage_bytes, damage_text, damage_record, damage_keys, damage_type)
    change: Callable[[Any, random.Random], str] = rng.choice((*changes, damage_fields, splice))
    rounds = rng.choice((1, 1, 1, 2, 5))
    if place in {"zip", *DATABASES} and rng.random() < 0.7:
        write_files(folder, files)
        documents = dict(zspy.fetch(folder / "f.zspy"))
        gc.collect()
        steps += [change(documents, rng) for _ in range(rounds)]
        shutil.rmtree(folder)
        folder.mkdir()
        _commit(documents, folder / "f.zspy", place, rng)
        return folder / "f.zspy", "; ".join(steps)
    if place in {"zip", *DATABASES} or len(files) == 1:
        change = rng.choice((damage_bytes, damage_fields, splice))
    steps += [change(files, rng) for _ in range(rounds) if files]
    if place == "dict":
        return files, "; ".join(steps)
    write_files(folder, files)
    return folder / "f.zspy", "; ".join(steps)


@cache
def _sample(number: int, place: str) -> Files:
    """Give a valid file, which the first process that needs it writes."""
    kept = Path(os.environ[CACHE], f"{number}-{place}")
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            files = write(Path(folder), random.Random(f"{number} {place}"), place)
        new = Path(f"{kept}.{os.getpid()}")
        new.write_bytes(pickle.dumps(files))
        new.replace(kept)
    return cast("Files", pickle.loads(kept.read_bytes()))  # noqa: S301 - its own


def _commit(documents: Documents, path: Path, place: str, rng: random.Random) -> None:
    """Write documents as they are; a zip file may hold some twice, or a name that leads out."""
    pairs = {key: data for key, data in documents.items() if _is_text(key)}
    if place == "sqlite":
        from zspy.stores.sqlite import SQLiteStore

        with SQLiteStore(path) as store:
            store.replace(pairs.items())
        return
    if place != "zip":
        short = {key: data for key, data in pairs.items() if 0 < len(key) < 400}
        zspy.commit(short, path, store_type=place, sync=False)  # type: ignore[arg-type] # a str
        return
    prefix = rng.choice(("", "", "", "../", "/", "./", "C:/"))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for key, data in pairs.items():
            twice = rng.random() < 0.02
            metadata = rng.choice((0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            for name in (prefix + key, key) if twice else (key,):
                archive.writestr(name, data if rng.random() < 0.99 else data[:9], metadata)


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _compute(value: Any) -> None:
    """Compute the lazy arrays in a value, as long as they are small."""
    todo = [value]
    for one in todo:
        if is_lazy(one):
            if one.nbytes <= SMALL:
                one.compute(scheduler="synchronous")
        elif is_dict(one):
            todo += one.values()
        elif is_sequence(one):
            todo += one


def _decoded(node: zspy.Group | zspy.Array) -> object:
    return zspy.decode(node) if isinstance(node, zspy.Group) else node


def _indexed(group: zspy.Group) -> None:
    """Read the arrays of a group that are left where they are."""
    todo: list[Any] = [group]
    for one in todo:
        if isinstance(one, zspy.Group):
            todo += one.members.values()
        elif not isinstance(one.data, np.ndarray) and prod(one.data.shape) < SMALL:
            one.data[...]


def attempt(place: Any) -> list[str]:
    """Read a file in every way; give the outcomes. What is no error of zspy gets out."""
    ways: list[Callable[[], object]] = [
        lambda: _indexed(zspy.open_group(place)),
        lambda: _decoded(zspy.deserialise(zspy.fetch(place))),
        lambda: zspy.file_reader(place),
        lambda: _compute(zspy.file_reader(place, lazy=True)),
        lambda: zspy.check(place, data=True, show_progressbar=False),
    ]
    outcomes: list[str] = []
    for way in ways:
        try:
            way()
        except zspy.ZspyError as error:
            text = str(error)
            assert 0 < len(text) < 3000, f"a message of {len(text)} characters"
            outcomes.append(f"{type(error).__name__}: {error.problem[:60]}")
        else:
            outcomes.append("value")
    return outcomes


# --- many files --------------------------------------------------------------------------------


def stored(place: Any) -> int:
    """Return how many bytes a file has."""
    if isinstance(place, Path):
        files = [place] if place.is_file() else [*place.rglob("*")]
        return sum(file.lstat().st_size for file in files)
    return sum(map(len, place.values()))


def work(first: int, count: int, make: Make, use: Use) -> None:
    """Try the files of some seeds, and tell of each what came of it, in lines of JSON."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def hang(*_: object) -> None:
        raise Hang

    unseen: list[str] = []
    sys.unraisablehook = lambda what: unseen.append(f"{what.exc_value!r} {what.object!r}")
    threading.excepthook = lambda what: unseen.append(f"{what.exc_value!r} in a thread")
    signal.signal(signal.SIGALRM, hang)
    signal.signal(signal.SIGPROF, hang)
    for module in LATER:
        import_module(module)
    gc.freeze()  # the modules: looking through them takes longer than all else
    for seed in range(first, first + count):
        print(json.dumps({"seed": seed}), flush=True)
        with tempfile.TemporaryDirectory(prefix="zspy-fuzz-") as folder:
            inner = Path(folder) / "x"
            inner.mkdir()
            place, what = make(seed, inner)
            report: dict[str, Any] = {"seed": seed, "what": what}
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # Missing chunks are no damage: Zarr leaves out what is all fill value.
                warnings.filterwarnings("ignore", "(?s).*they are read as the fill value")
                # Nor are documents that others may have removed.
                warnings.filterwarnings("ignore", "(?s).*others removed them, or they are lost")
                try:
                    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of work
                    signal.alarm(WAITING)
                    report["outcomes"] = use(place)
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is reported
                    signal.alarm(0)
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    report["failure"] = type(error).__name__
                    report["trace"] = "".join(traceback.format_exception(error))[-3000:]
                signal.alarm(0)
                signal.setitimer(signal.ITIMER_PROF, 0)
                gc.collect()
            if unseen and "failure" not in report:
                report |= {"failure": "unseen", "trace": "; ".join(unseen)}
            unseen.clear()
            report["seconds"] = time.process_time() - start
            if report["seconds"] > CPU + CPU_FOR_A_BYTE * stored(place):
                report.setdefault("failure", "cost")
            report["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(json.dumps(report), flush=True)


def run(seed: int, count: int | None, seconds: float | None, module: str) -> int:
    """Try files until their number or the time is up; tell of the failures. Give their number."""
    outcomes: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    done, slowest, memory = 0, 0.0, 0
    end = time.monotonic() + seconds if seconds else float("inf")
    while (count is None or done < count) and time.monotonic() < end:
        size = BATCH if count is None else min(BATCH, count - done)
        lines, problem = _batch(seed + done, size, module)
        started = [line for line in lines if len(line) == 1]
        reports = [line for line in lines if len(line) > 1]
        done += len(started)
        for report in reports:
            slowest, memory = max(slowest, report["seconds"]), max(memory, report["memory"])
            outcomes.update(report.get("outcomes", ()))
            if report["memory"] > MEMORY:
                report.setdefault("failure", "memory")
        failures += [report for report in reports if "failure" in report]
        if len(reports) < len(started):
            failures.append({**started[-1], "failure": "crash", "trace": problem})
        elif not started:
            failures.append({"seed": seed + done, "failure": "harness", "trace": problem})
            break
    for failure in failures:
        print(json.dumps(failure, indent=1).replace("\\n", "\n"))
    kinds = Counter(failure["failure"] for failure in failures)
    for outcome, number in outcomes.most_common(25):
        print(f"{number:7} {outcome}")
    print(f"{done} files, failures {dict(kinds)}: {[failure['seed'] for failure in failures]}")
    print(f"slowest {slowest:.2f} s, at most {memory / 2**20:.0f} MiB")
    return len(failures)


def _batch(first: int, size: int, module: str) -> tuple[list[dict[str, Any]], str]:
    """Run a worker; give what it said, and how it ended."""
    command = [sys.executable, "-m", module, "--work", str(first), str(size)]
    errors = io.StringIO()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=600 + 3 * size)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        errors.write("killed after a hang\n")
    errors.write(f"exit {process.returncode}\n{err[-3000:]}")
    lines = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    return lines, errors.getvalue()


def main(
    make: Make = damaged,
    module: str = "tests.security.fuzz",
    most: int = 1000,
    attempt: Use = attempt,
) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--work", type=int, nargs=2)
    given = parser.parse_args()
    if given.work:
        first, size = given.work
        work(first, size, make, attempt)
        return 0
    count = given.count if given.count or given.seconds else most
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault(CACHE, folder)
        return min(run(given.seed, count, given.seconds, module), 1)


if __name__ == "__main__":
    sys.exit(main())
