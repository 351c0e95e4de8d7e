"""Files that are made with intent, by structure: reading each stays within what its size pays for.

``python -m tests.security.attack --count 1000`` makes records, documents, zip files, shards,
consolidated metadata and links that are each valid but for what an attacker would change, and reads
them in every way. A file may cost so much time and memory as a linear law of its size allows.
Then the system calls of every kind of write fail, one by one: see `tests.security.faults`.
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, MutableMapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

import zspy
from tests.security import faults, fuzz
from tests.support.values import VALUES
from zspy.values.names import RECORD
from zspy.values.types import is_dict, is_list

Documents = dict[str, bytes]

NUMBERS: Final[tuple[Any, ...]] = (
    *(0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e308, 5e-324, True, None),
    *("9" * 5000, "1e999999999", "-1E+1000000", "1/" + "3" * 4000, "0x" + "f" * 4000, ""),
)
NAMES: Final = (
    *("..", ".", "a/../../x", "/etc", "C:", "a\\b", "nul", "x" * 300, "\x00", "\ud800", ""),
    *("__class__", "_sig_zspy", "_hspy_AxesManager_a", "axis-0", "data", "Models", "_signal_a"),
)
DTYPES: Final[tuple[Any, ...]] = (
    *("|O", "|V2147483647", "<U536870911", "|S0", "<m8[1000000000000Y]", "<M8", "|b9", "<f3"),
    *([["a", "<i4"]] * 3000, [["a", [["b", [["c", "|V9"]]]]]], [["a", "<i4", [2**20, 2**20]]]),
)
CENTRAL: Final = b"PK\x01\x02"  # an entry of the directory of a zip file
CODECS: Final[tuple[Any, ...]] = (
    {"id": "pickle"},
    {"id": "delta", "dtype": "<i4", "astype": "|O"},
    {"id": "fixedscaleoffset", "scale": 1e308, "offset": -1e308, "dtype": "<f8", "astype": "|u1"},
    {"id": "categorize", "labels": ["a"] * 5000, "dtype": "|O", "astype": "|u1"},
    {"id": "zlib", "level": 2**40},
    {"id": "blosc", "cname": "x" * 4000, "clevel": 9, "shuffle": 1},
    {"id": "zstd", "level": -(2**60)},
    {"id": "lzma", "filters": [{"id": 33, "dict_size": 2**32 - 1}]},
    {"id": "shuffle", "elementsize": 2**31},
    {"id": "packbits"},
    {"id": "quantize", "digits": 10**9, "dtype": "<f8"},
    {"id": "vlen-array", "dtype": "|V1000000"},
)


def written(rng: random.Random, zarr_format: int | None = None) -> Documents:
    """Make a valid file with values of many types in its metadata."""
    place: Documents = {}
    chosen = {name: VALUES[name] for name in rng.sample(sorted(VALUES), 12)}
    axes = [{"name": f"a{n}", "size": size, "navigate": n == 0} for n, size in enumerate((4, 6))]
    signal: dict[str, Any] = {
        "data": np.arange(24, dtype="<i4").reshape(4, 6),
        "axes": axes,
        "metadata": {"General": {"title": "t"}, "More": chosen},
    }
    how: dict[str, Any] = {"zarr_format": zarr_format or rng.choice((2, 3))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zspy.file_writer(place, signal, unsupported="skip", show_progressbar=False, **how)
    return place


def parsed(documents: MutableMapping[str, bytes]) -> dict[str, Any]:
    """Return the documents that are JSON objects."""
    found: dict[str, Any] = {}
    for key, text in documents.items():
        if key.rpartition("/")[2] in {".zattrs", ".zarray", ".zgroup", "zarr.json", ".zmetadata"}:
            found[key] = json.loads(text)
    return found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return the places in a value: what holds a part, and its key or index there."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    for one in todo:
        if is_dict(one):
            found += [(one, key) for key in one]
            todo += one.values()
        elif is_list(one):
            found += [(one, index) for index in range(len(one))]
            todo += one
    return found


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


# --------------------------------------------------------------------------------------------------
# What an attacker changes


def records(rng: random.Random, _folder: Path) -> tuple[Any, str]:
    """Change type records: numbers, tags, repetitions, depth, keys of one hash."""
    documents = written(rng)
    known = parsed(documents)
    found: list[tuple[str, dict[str, Any]]] = []
    for key, document in known.items():
        attributes = document.get("attributes", document)
        if is_dict(attributes) and RECORD in attributes:
            found.append((key, attributes))
    if not found:
        return documents, "records: there are none"
    specs = [
        part
        for _, each in found
        for holder, at in places(each[RECORD])
        if is_list(part := holder[at]) and part and isinstance(part[0], str)
    ]
    steps: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        key, attributes = rng.choice(found)
        spots = places(attributes[RECORD])
        if not spots:
            continue
        holder, at = rng.choice(spots)
        large = any(step.startswith(("repeat", "hash")) for step in steps)
        kinds = ("number", "spec", "tag", "deep", "name", *(() if large else ("repeat", "hash")))
        kind = rng.choice(kinds)
        match kind:
            case "number":
                holder[at] = rng.choice(NUMBERS)
            case "spec" if specs:
                holder[at] = rng.choice(specs)
            case "tag" if specs and is_list(holder[at]) and holder[at]:
                holder[at] = [rng.choice(specs)[0], *holder[at][1:]]
            case "repeat":
                holder[at] = [holder[at]] * rng.choice((100, 5000))
            case "deep":
                holder[at] = nested(holder[at], rng.choice((60, 190)))
            case "hash":
                holder[at] = [["int", str(n * (2**61 - 1))] for n in range(3000)]
            case _:
                holder[at] = rng.choice(NAMES)
        steps.append(f"{kind} at {at!r} of {key}")
    _store(documents, known)
    return documents, f"records: {'; '.join(steps)}"[:400]


def _store(documents: Documents, known: dict[str, Any]) -> None:
    for key, document in known.items():
        documents[key] = json.dumps(document).encode("utf-8", "surrogatepass")


def metadata(rng: random.Random, _folder: Path) -> tuple[Any, str]:
    """Change the metadata of arrays, and give them chunks that unpack to much."""
    documents = written(rng)
    known = parsed(documents)
    arrays = [key for key, one in known.items() if "shape" in one]
    steps: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        key = rng.choice(arrays)
        one = known[key]
        match rng.randrange(7):
            case 0:
                holder, at = rng.choice(places(one))
                holder[at] = rng.choice(NUMBERS)
            case 1:
                one["shape"] = rng.choice(([2**40], [2**31] * 3, [1] * 500, [0, 2**62], [True]))
            case 2:
                one["chunks"] = rng.choice(([1], [1, 1], [2**40], [0], [2**62, 1], []))
            case 3:
                one["dtype"] = rng.choice(DTYPES)
            case 4:
                codec = rng.choice(CODECS)
                most = 10**6 // len(str(codec))  # one of them alone has 25 kB
                one["filters"] = [codec] * rng.choice((1, 1, min(most, 4000)))
                one["codecs"] = [
                    {"name": f"numcodecs.{c['id']}", "configuration": c} for c in one["filters"]
                ]
            case 5:
                one["compressor"] = {"id": "zlib", "level": 9}
                folder = key.rpartition("/")[0]
                for name in [*documents]:
                    if name.startswith(f"{folder}/") and name not in known:
                        documents[name] = bomb(rng.choice((10**6, 10**8)))
            case _:
                one["fill_value"] = rng.choice((*NUMBERS, "AAAA" * 1000, [1, 2], {"a": 1}))
        steps.append(key)
    _store(documents, known)
    return documents, f"metadata: {' '.join(steps)}"[:400]


@cache
def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def zips(rng: random.Random, folder: Path) -> tuple[Any, str]:
    """Make a zip file with entries that are too many, too large, twice there, or elsewhere."""
    documents = written(rng, 2)
    path = folder / "f.zspy"
    kind = rng.choice(("bomb", "twice", "names", "offsets", "counts", "flags", "many", "tail"))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for key, data in documents.items():
            archive.writestr(key, data)
        match kind:
            case "bomb":
                name = rng.choice((".zattrs", "Experiments/t/.zattrs", "Experiments/t/data/0.0"))
                archive.writestr(name, b" " * (3 * 10**7), zipfile.ZIP_DEFLATED)
            case "twice":
                for key, data in list(documents.items()) * 20:
                    archive.writestr(key, data[: rng.randrange(len(data) + 1)])
            case "names":
                for name in NAMES:
                    if name.isprintable():
                        archive.writestr(f"{name}/.zarray", b"{}")
            case "many":
                for number in range(3000):
                    archive.writestr(f"Experiments/x{number}/.zgroup", b'{"zarr_format": 2}')
            case _:
                pass
    content = bytearray(path.read_bytes())
    entries = [at for at in range(len(content) - 46) if content.startswith(CENTRAL, at)]
    at = rng.choice(entries)
    match kind:
        case "offsets":  # overlapping entries: one piece of the file is read by many
            for entry in entries:
                content[entry + 42 : entry + 46] = content[at + 42 : at + 46]
        case "counts":
            sizes = rng.choice((0, 1, 2**31, 2**32 - 1))
            content[at + 20 : at + 28] = struct.pack("<LL", sizes, rng.choice((sizes, 2**32 - 1)))
        case "flags":
            content[at + 8 : at + 12] = rng.randbytes(4)
            content[at + 38 : at + 42] = struct.pack("<L", 0o120777 << 16)  # a symbolic link
        case "tail":
            content[-22 + 8 : -22 + 12] = struct.pack("<HH", 65535, 65535)
            content += b"PK\x05\x06" * 20_000
        case _:
            pass
    path.write_bytes(content)
    return path, f"zip: {kind}"


def shards(rng: random.Random, _folder: Path) -> tuple[Any, str]:
    """Change the index of a shard: parts that overlap, lie outside, or are one and the same."""
    place: Documents = {}
    signal: dict[str, Any] = {"data": np.arange(4096, dtype="<i4").reshape(64, 64), "metadata": {}}
    how: dict[str, Any] = {"zarr_format": 3, "chunks": (8, 8), "shards": (64, 64)}
    axes = [{"name": name, "size": 64, "navigate": False} for name in "yx"]
    zspy.file_writer(place, signal | {"axes": axes}, show_progressbar=False, **how)
    key = max(place, key=lambda name: len(place[name]))
    data = bytearray(place[key])
    count = 64
    start = len(data) - 16 * count - 4
    index = np.frombuffer(data[start:-4], "<u8").reshape(count, 2).copy()
    kind = rng.choice(("same", "outside", "large", "overlap", "missing", "checksum"))
    match kind:
        case "same":
            index[:] = (0, len(data))
        case "outside":
            index[rng.randrange(count)] = rng.choice(((2**63, 8), (start, 2**62), (2**64 - 9, 9)))
        case "large":
            index[:, 1] = 2**40
        case "overlap":
            index[:, 0] = 0
        case "missing":
            index[rng.randrange(count)] = (2**64 - 1, rng.choice((0, 2**64 - 1)))
        case _:
            pass
    body = index.tobytes()
    checksum: Any = import_module("google_crc32c").value  # which zarr-python needs for shards
    data[start:] = body + struct.pack("<L", checksum(body) ^ (kind == "checksum"))
    place[key] = bytes(data)
    return place, f"shard: {kind}"


def consolidated(rng: random.Random, folder: Path) -> tuple[Any, str]:
    """Give a file copies of its documents that say something else, or lead out of it."""
    documents = written(rng, 2)
    copies: dict[str, Any] = parsed(documents)
    kind = rng.choice(("out", "stale", "lost", "huge", "types", "deep"))
    match kind:
        case "out":
            for name in NAMES:
                copies[f"{name}/.zarray"] = rng.choice([*copies.values()])
                copies[f"Experiments/t/{name}/.zgroup"] = {"zarr_format": 2}
        case "stale":
            for one in copies.values():
                if "shape" in one:
                    one["shape"] = [rng.choice((0, 2**40)) for _ in one["shape"]]
        case "lost":
            for key in rng.sample(sorted(copies), len(copies) // 2):
                del copies[key]
        case "huge":
            copies |= {f"Experiments/t/{n}/.zattrs": {"a": "x" * 100} for n in range(3000)}
        case "types":
            copies = {key: rng.choice((None, [], "x", 1, one)) for key, one in copies.items()}
        case _:
            copies["Experiments/t/.zattrs"] = {"a": nested(1, 900)}
    copy = {"zarr_consolidated_format": 1, "metadata": copies}
    documents[".zmetadata"] = json.dumps(copy).encode()
    if rng.random() < 0.5:
        fuzz.write_files(folder, {f"f.zspy/{key}": data for key, data in documents.items()})
        return folder / "f.zspy", f"consolidated: {kind}, a directory"
    return documents, f"consolidated: {kind}"


def links(rng: random.Random, folder: Path) -> tuple[Any, str]:
    """Put links, pipes and folders where files belong."""
    documents = written(rng)
    fuzz.write_files(folder, {f"f.zspy/{key}": data for key, data in documents.items()})
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"a secret")
    key = rng.choice(sorted(documents))
    victim = folder / "f.zspy" / key
    kind = rng.choice(("file", "folder", "loop", "pipe", "dangling", "directory", "device"))
    match kind:
        case "file":
            victim.unlink()
            victim.symlink_to(outside / "secret")
        case "folder":
            parent = folder / "f.zspy" / rng.choice(("Experiments", "Experiments/t"))
            parent.rename(outside / "moved")
            parent.symlink_to(outside / "moved")
        case "loop":
            (victim.parent / "loop").symlink_to(folder / "f.zspy")
        case "pipe":
            victim.unlink()
            os.mkfifo(victim)
        case "dangling":
            victim.unlink()
            victim.symlink_to("nowhere")
        case "directory":
            victim.unlink()
            victim.mkdir()
        case _:
            victim.unlink()
            victim.symlink_to("/dev/zero")
    return folder / "f.zspy", f"link: {kind} for {key}"


KINDS: Final[tuple[Callable[[random.Random, Path], tuple[Any, str]], ...]] = (
    *(records, metadata, zips, shards, consolidated, links),
)


def made(seed: int, folder: Path) -> tuple[Any, str]:
    """Make the file of a seed; return where it lies, and what was done to it."""
    rng = random.Random(seed)
    place, what = KINDS[seed % len(KINDS)](rng, folder)
    if is_dict(place) and rng.random() < 0.5:
        safe = {key: data for key, data in place.items() if fuzz._is_text(key)}
        fuzz.write_files(folder, {f"f.zspy/{key}": data for key, data in safe.items()})
        return folder / "f.zspy", f"{what}, a directory"
    return place, what


def main() -> int:
    failed = fuzz.main(made, "tests.security.attack", 1000)
    return failed if "--work" in sys.argv else max(failed, faults.main())


if __name__ == "__main__":
    sys.exit(main())
