"""The files of the suite: each clause of the specification, valid and invalid."""

from __future__ import annotations

import datetime as dt
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numcodecs import BZ2, LZ4, LZMA, Delta, GZip, Zstd

import zspy
from zspy.documents.crc32c import crc32c

Documents = dict[str, bytes]
AXIS: Final = {
    "name": "x",
    "units": "nm",
    "size": 3,
    "scale": 0.5,
    "offset": -1.0,
    "navigate": False,
}
GROUP: Final = b'{"zarr_format":2}'
LAYOUT: Final[Any] = np.dtype(
    {
        "names": ["a", "b"],
        "formats": ["<i4", ("<f4", (2,))],
        "offsets": [0, 8],
        "itemsize": 24,
    }
)


def cells(*values: Any) -> np.ndarray[Any, Any]:
    """Make an object array of arrays."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


@dataclass(frozen=True, slots=True)
class Case:
    """One file: its documents, the clauses that it is about, and whether it is valid."""

    name: str
    clauses: str
    documents: Documents
    valid: bool = True
    stores: tuple[str, ...] = ("local",)


def signal(metadata: dict[Any, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Make a small signal."""
    data = parts.pop("data", np.arange(3, dtype="u2"))
    axes = parts.pop("axes", [AXIS])
    return {"data": data, "axes": axes, "metadata": metadata or {}, **parts}


def written(*signals: dict[str, Any], **options: Any) -> Documents:
    """Give the documents that zspy writes."""
    place: Documents = {}
    zspy.file_writer(place, [*signals], show_progressbar=False, **options)
    return place


def without_records(documents: Documents) -> Documents:
    """Take the type records away, and what stands beside data: each reader knows the rest."""
    plain: Documents = {}
    for key, data in documents.items():
        if "/data_mask/" in key or "_data_cells/" in key:
            continue
        plain[key] = data
        if key.endswith((".zattrs", "zarr.json")):
            document = json.loads(data)
            attributes = document if key.endswith(".zattrs") else document.get("attributes", {})
            attributes.pop("_sig_zspy", None)
            plain[key] = json.dumps(document).encode()
    return plain


def changed(documents: Documents, key: str, **entries: Any) -> Documents:
    """Change entries of a JSON document."""
    document = {**json.loads(documents[key]), **entries}
    return {**documents, key: json.dumps(document).encode()}


def attributes_of(documents: Documents, path: str, **entries: Any) -> Documents:
    """Add attributes to a group of format 2, whatever they are."""
    key = f"{path}/.zattrs" if path else ".zattrs"
    document = json.loads(documents.get(key, b"{}"))
    return {**documents, key: json.dumps({**document, **entries}).encode()}


def _v31() -> Documents:
    """Rebuild what version 3.1 wrote: shapes of a group in one array, signals in lists."""
    base = without_records(written(signal({"n": 1})))
    del base["Experiments/__unnamed__/attributes/.zgroup"]
    base.pop("Experiments/__unnamed__/attributes/.zattrs", None)
    base = attributes_of(base, "", file_format_version="3.1")
    ragged = dict(zspy.serialise(zspy.encode({"r": cells(np.arange(2), np.arange(3))})))
    here = "Experiments/__unnamed__/metadata"
    for key, data in ragged.items():
        if key not in (".zgroup", ".zattrs"):
            base[f"{here}/{key.replace('_ragged_shapes_r', 'ragged_shapes')}"] = data
    return base


def _dropped(documents: Documents, *parts: str) -> Documents:
    """Leave out the keys that have one of these parts."""
    return {key: data for key, data in documents.items() if not any(part in key for part in parts)}


def _with_cells(
    codec: dict[str, Any], fill: Any, *chunks: bytes | None, shape: Sequence[int] = (), name: str
) -> Documents:
    """Make the documents of an array of cells in format 2, some of whose chunks are missing."""
    document = {
        "zarr_format": 2,
        "shape": [len(chunks)] if not shape else [*shape],
        "chunks": [1] if not shape else [*shape],
        "dtype": "|O",
        "order": "C",
        "compressor": None,
        "fill_value": fill,
        "filters": [codec],
    }
    path = f"Experiments/__unnamed__/metadata/{name}"
    keys = [".".join(["0"] * len(shape))] if shape else map(str, range(len(chunks)))
    found = {
        f"{path}/{key}": data for key, data in zip(keys, chunks, strict=True) if data is not None
    }
    return {f"{path}/.zarray": json.dumps(document).encode(), **found}


def _runs(*cells: bytes) -> bytes:
    """Encode the cells of a chunk as the filters `vlen-...` do."""
    parts = [struct.pack("<I", len(cells))]
    for cell in cells:
        parts += [struct.pack("<I", len(cell)), cell]
    return b"".join(parts)


def _int64(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)


VALUES: Final[dict[str, tuple[str, dict[Any, Any]]]] = {
    "scalars": (
        "5.2, 5.3",
        {
            "s": "text",
            "e": "",
            "u": "Å é 測定",
            "t": True,
            "f": False,
            "i": -3,
            "b": 2**70,
            "x": 0.1,
            "n": None,
            "z": -0.0,
        },
    ),
    "not-finite": ("5.2, 10.5", {"nan": float("nan"), "inf": float("inf"), "ninf": -float("inf")}),
    "dictionaries": ("5.1", {"a": {"b": {"c": {}}}, "d": {"e": 1.5}}),
    "empty-sequences": ("6.1", {"l": [], "t": (), "in": {"l": []}}),
    "lists-of-scalars": (
        "6.2",
        {
            "i": [1, 2, 3],
            "f": [0.5, -1.5],
            "b": [True, False],
            "s": ["a", "bcd", "é測"],
            "t": (1, 2),
        },
    ),
    "homogenized": ("6.2", {"a": [1, 2.5], "b": [1, "a"], "c": [True, 2]}),
    "other-sequences": (
        "6.4, 6.6, 6.7",
        {
            "nested": [[1, 2], [3]],
            "none": [None, 1, "a"],
            "dicts": [{"a": 1}, {"b": [2]}],
            "t": ((1,), ()),
        },
    ),
    "long-sequences": ("6.4, 6.5", {"l": [[i] if i % 2 else i for i in range(12)]}),
    "underscores": ("6.6", {"a_b": [1, [2]], "_c": [3, None], "3_x": [1, [2]]}),
    "arrays": (
        "5.4, 8.3",
        {
            "b1": np.array([True, False]),
            "i1": np.array([-1, 2], "i1"),
            "u8": np.array([2**64 - 1], "u8"),
            "f2": np.array([0.5], "f2"),
            "f4": np.array([[1, 2], [3, 4]], "f4"),
            "c8": np.array([1 + 2j], "c8"),
            "c16": np.array([1j]),
            "big": np.arange(3, dtype=">i4"),
            "M8": np.array(["2026-03-14", "NaT"], "M8[D]"),
            "m8": np.array([3], "m8[s]"),
            "U": np.array(["a", "bc"]),
            "V": np.array([(1, 2.5)], "i4, f8"),
        },
    ),
    "byte-strings": ("8.4", {"ascii": np.array([b"ab", b"c"])}),
    "ragged": (
        "9.1",
        {"r": cells(np.arange(2.0), np.ones((2, 2))), "s": np.array(["a", "é"], object)},
    ),
    "text-cells": (
        "9.3, 9.7",
        {"r": cells(np.array(["a", "bcd"]), np.array([["é"]]), np.empty((0, 2), "U1"))},
    ),
    "bytes-in-sequences": ("6.2, 8.4", {"l": [b"ab", b"\xff"], "t": (b"c",)}),
    "nested-signal": ("7.1", {"S": {"_sig_navigator": signal({"General": {"title": "nav"}})}}),
    "signals-in-lists": ("7.2", {"l": [1, {"_sig_": signal()}, "x"]}),
    "axes-manager": ("7.3", {"_hspy_AxesManager_old": [AXIS, {**AXIS, "name": "y"}]}),
    "fileio": (
        "5.1",
        {"General": {"FileIO": {"0": {"operation": "load"}, "1": {"operation": "save"}}}},
    ),
}
RECORDED: Final[dict[str, tuple[str, dict[Any, Any]]]] = {
    "record-scalars": (
        "14",
        {
            "c": 1 - 2j,
            "b": b"\x00\xff",
            "t": b"text",
            "d": dt.date(2026, 3, 14),
            "dt": dt.datetime(2026, 3, 14, 15, 9, tzinfo=dt.UTC),
            "td": dt.timedelta(1, 2, 3),
            "D": Decimal("1.50"),
            "none": "_None_",
        },
    ),
    "record-containers": (
        "14",
        {"set": {1, 2}, "range": range(3), "fs": frozenset({"a"}), "sl": slice(1, None, 2)},
    ),
    "record-keys": (
        "13.1, 14.1",
        {1: "int", 2.5: "float", (1, "a"): "tuple", None: "none", "a/b": "slash"},
    ),
    "record-order": ("13.1", {"z": {"a": {}}, "a": 1, "m": {"n": {}}}),
    "record-numpy": (
        "14",
        {"f4": np.float32(0.5), "i8": np.int64(3), "s": np.str_("a"), "list": [np.uint8(1)]},
    ),
    "record-text-scalars": ("14", {"s": [np.str_("a"), np.str_("é")]}),
    "record-layouts": ("14", {"fields": np.zeros(2, LAYOUT)}),
    "record-arrays": (
        "14",
        {
            "S": np.array([b"a"]),
            "0-d": np.array(3.0),
            "masked": np.ma.array([1, 2], mask=[True, False]),
        },
    ),
}
AXES: Final[dict[str, tuple[str, list[dict[str, Any]]]]] = {
    "uniform-axis": ("4.1, 4.4", [AXIS]),
    "data-axis": (
        "4.1",
        [{"name": "t", "units": "s", "axis": np.array([0.0, 1.0, 4.0]), "navigate": True}],
    ),
    "functional-axis": (
        "4.1",
        [
            {
                "name": "E",
                "units": "eV",
                "navigate": False,
                "expression": "a * x ** 2 + b",
                "a": 2.0,
                "b": 1.0,
                "size": 3,
                "x": {
                    "_type": "UniformDataAxis",
                    "size": 3,
                    "scale": 1.0,
                    "offset": 0.0,
                    "name": "x",
                    "units": "nm",
                    "navigate": False,
                    "is_binned": False,
                },
            }
        ],
    ),
    "undefined-names": (
        "4.2, 5.3",
        [{"name": None, "units": None, "size": 3, "scale": 1.0, "offset": 0.0, "navigate": False}],
    ),
}


def cases() -> Iterator[Case]:
    """Yield all cases of the suite."""
    for name, (clauses, metadata) in VALUES.items():
        for number in (2, 3):
            if number == 3 and name == "byte-strings":
                continue
            stores = ("local", "zip") if name == "scalars" else ("local",)
            documents = written(signal(metadata), zarr_format=number)
            yield Case(f"{name}-{number}", clauses, documents, stores=stores)
    for name, (clauses, metadata) in RECORDED.items():
        for number in (2, 3):
            yield Case(f"{name}-{number}", clauses, written(signal(metadata), zarr_format=number))
    for name, (clauses, axes) in AXES.items():
        yield Case(f"{name}-2", clauses, written(signal(axes=axes)))
    yield from _files()
    yield from _arrays()
    yield from _of_other_programs()
    yield from _cells_of_codecs()
    yield from _invalid()
    yield from _parts()
    yield from _names()
    yield from _places()
    yield from _versions()
    yield from _stored_arrays()
    yield from _broken_nodes()
    yield from _broken_chunks()
    yield from _broken_offsets()


def _files() -> Iterator[Case]:
    two = written(signal({"General": {"title": "b"}}), signal({"General": {"title": "a/c"}}))
    yield Case("two-signals-2", "3.1, 3.2", two)
    model: dict[str, Any] = {
        "m": {"dimensions": 1, "date": "", "_dict": {"a": [1, 2]}, "components": {"c": {}}}
    }
    yield Case("models-2", "12.1", written(signal(models=model)))
    yield Case("version-3.1-2", "2.2, 2.3, 9.4", _v31())
    other = {**written(signal()), "Experiments/other/.zgroup": GROUP, "notes.txt": b"of somebody"}
    yield Case("other-groups-2", "3.1", other)
    yield Case(
        "newer-version-2", "2.2", attributes_of(written(signal()), "", file_format_version="3.9")
    )
    yield Case(
        "unknown-record-2",
        "7.6, 13.5",
        attributes_of(
            written(signal({"a": 1})),
            "Experiments/__unnamed__/metadata",
            _sig_other={"x": 1},
            _sig_zspy={"types": {"a": [["of the future", 3]]}},
        ),
    )
    edited = written(signal({"c": 1 - 2j}))
    yield Case(
        "edited-value-2",
        "13.4",
        attributes_of(edited, "Experiments/__unnamed__/metadata", c="edited"),
    )
    ragged = cells(np.arange(2.0), np.zeros((1, 3)))
    axis = {**AXIS, "size": 2, "navigate": True}
    for number in (2, 3):
        yield Case(
            f"ragged-data-{number}",
            "9.1, 9.5, 9.6",
            written(signal(data=ragged, axes=[axis]), zarr_format=number),
        )


def _arrays() -> Iterator[Case]:
    data = np.arange(30, dtype="i4").reshape(5, 6)
    axes = [
        {"name": name, "size": size, "navigate": name == "y"}
        for name, size in zip("yx", data.shape, strict=True)
    ]
    plain = signal(data=data, axes=axes)
    yield Case("chunks-2", "8.1", written(plain, chunks=(2, 4)))
    yield Case("separator-2", "8.1", written(plain, chunks=(2, 4), dimension_separator="."))
    yield Case("order-F-2", "8.1", written(plain, chunks=(2, 4), order="F"))
    yield Case("uncompressed-2", "8.1", written(plain, chunks=(2, 4), compressor=False))
    yield Case("shards-3", "10.4", written(plain, zarr_format=3, chunks=(1, 3), shards=(2, 6)))
    path = "Experiments/__unnamed__/data"
    holes = without_records(written(plain, chunks=(2, 4)))
    del holes[f"{path}/0/1"]
    yield Case("missing-chunk-2", "8.6", holes)
    yield Case("fill-value-2", "8.6, 8.7", changed(holes, f"{path}/.zarray", fill_value=7))
    dates = written(signal(data=np.array(["2026-03-14"] * 3, "M8[D]")), chunks=(1,))
    dates = without_records(dates)
    del dates[f"{path}/1"]
    null = changed(dates, f"{path}/.zarray", fill_value=None)
    yield Case("null-fill-value-2", "8.6", null)
    here = "Experiments/__unnamed__/metadata/_list_j"
    texts = without_records(written(signal({"j": ["a", "é", "c"]})))
    document = json.loads(texts[f"{here}/.zarray"])
    document |= {"filters": [{"id": "json2", "encoding": "utf-8"}], "compressor": None}
    chunk = json.dumps(["a", "é", "c", "|O", [3]]).encode()
    yield Case(
        "json2-2",
        "8.5",
        {**texts, f"{here}/.zarray": json.dumps(document).encode(), f"{here}/0": chunk},
    )
    document |= {"filters": [{"id": "vlen-utf8"}]}
    chunk = struct.pack("<I", 3) + b"".join(
        struct.pack("<I", len(t.encode())) + t.encode() for t in ("a", "é", "c")
    )
    document["compressor"] = {"id": "zlib", "level": 1}
    yield Case(
        "vlen-utf8-zlib-2",
        "8.5",
        {
            **texts,
            f"{here}/.zarray": json.dumps(document).encode(),
            f"{here}/0": zlib.compress(chunk),
        },
    )


def _of_other_programs() -> Iterator[Case]:
    """Yield arrays that zspy reads, and would store in another way."""
    path = "Experiments/__unnamed__/data"
    data = np.arange(12, dtype="i4").reshape(3, 4)
    axes = [{"name": "y", "size": 3, "navigate": True}, {"name": "x", "size": 4}]
    plain = signal(data=data, axes=axes)
    bare = without_records(written(plain, zarr_format=3, chunks=(2, 2), compressor=False))
    dotted = {
        f"{path}/{key.removeprefix(f'{path}/c/').replace('/', '.')}"
        if f"{path}/c/" in key
        else key: one
        for key, one in bare.items()
    }
    yield Case(
        "keys-with-dots-3",
        "10.4",
        changed(dotted, f"{path}/zarr.json", chunk_key_encoding={"name": "v2"}),
    )
    swapped = {
        key: np.frombuffer(one[:-4], "<i4").astype(">i4").tobytes() if f"{path}/c/" in key else one
        for key, one in bare.items()
    }
    # without the checksum, which stands behind the values
    big = [{"name": "bytes", "configuration": {"endian": "big"}}]
    yield Case("big-endian-3", "10.4", changed(swapped, f"{path}/zarr.json", codecs=big))
    yield Case("index-at-start-3", "10.4", _with_index_at_start(plain))
    yield Case("texts-in-shards-3", "10.2, 10.4", _texts_in_shards())
    differences = written(plain, chunks=(2, 4), filters=[Delta("<i4")])
    yield Case("delta-2", "8.1", without_records(differences))
    for name, dtype, fill_value in (
        ("nan", "f4", "NaN"),
        ("infinite", "f8", "-Infinity"),
        ("complex", "c16", [1.5, -2.0]),
    ):
        holes = without_records(written(signal(data=np.ones(3, dtype)), chunks=(1,)))
        del holes[f"{path}/1"]
        filled = changed(holes, f"{path}/.zarray", fill_value=fill_value)
        yield Case(f"fill-value-{name}-2", "8.6, 8.7", filled)


def _with_index_at_start(plain: dict[str, Any]) -> Documents:
    """Move the index of each shard from its end to its start."""
    documents = without_records(written(plain, zarr_format=3, chunks=(1, 2), shards=(3, 4)))
    key = "Experiments/__unnamed__/data/zarr.json"
    (codec,) = json.loads(documents[key])["codecs"]
    codec["configuration"]["index_location"] = "start"
    (shard,) = (one for one in documents if one.endswith("data/c/0/0"))
    size = 6 * 16 + 4  # of six chunks, and a checksum
    chunks, index = documents[shard][:-size], documents[shard][-size:-4]
    places = np.frombuffer(index, "<u8").reshape(-1, 2) + np.array([size, 0], "u8")
    moved = places.tobytes()
    checked = moved + struct.pack("<I", crc32c(moved))
    return changed({**documents, shard: checked + chunks}, key, codecs=[codec])


def _texts_in_shards() -> Documents:
    """Store four texts in a shard of two chunks, of which one is not stored."""
    here = "Experiments/__unnamed__/metadata/_list_x"
    documents = without_records(written(signal({"x": ["a", "b", "c", "d"]}), zarr_format=3))
    texts = _runs(b"a", "é".encode())
    index = struct.pack("<4Q", 0, len(texts), 2**64 - 1, 2**64 - 1)
    ends = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [2],
            "codecs": [{"name": "vlen-utf8"}],
            "index_codecs": ends,
            "index_location": "end",
        },
    }
    shard = texts + index + struct.pack("<I", crc32c(index))
    return changed(
        {**documents, f"{here}/c/0": shard},
        f"{here}/zarr.json",
        codecs=[codec],
        fill_value="none",
    )


def _cells_of_codecs() -> Iterator[Case]:
    """Yield object arrays as other programs than zspy write them, also with chunks missing."""
    base = without_records(written(signal()))
    packed, document = {"id": "msgpack2"}, {"id": "json2", "encoding": "utf-8"}
    octets, utf8 = {"id": "vlen-bytes"}, {"id": "vlen-utf8"}
    integers = {"id": "vlen-array", "dtype": "<i8"}
    texts = b"\x94\xa1a\xa2\xc3\xa9\xa2|O\x91\x02"
    one = b"\x93\x92\xa1a\xa2bc\xa2|O\x91\x01"
    nested = b"\x94\x92\xa1a\xa1b\x92\xa1c\xa1d\xa2|O\x92\x02\x02"
    listed = b'[["a", "bc"], "|O", [1]]'
    shapes = _with_cells(integers, 0, _runs(_int64(2)), _runs(_int64(2)), name="_ragged_shapes_x")
    row, square = _runs(_int64(1, 2)), _runs(_int64(1, 2, 3, 4))
    found = {
        "msgpack2": ("8.5", _with_cells(packed, 0, texts, shape=(2,), name="_list_x")),
        "msgpack2-nested": ("8.5", _with_cells(packed, 0, nested, shape=(2, 2), name="x")),
        "vlen-bytes": ("8.5", _with_cells(octets, "", _runs(b"\0a"), _runs(b"b\xff"), name="x")),
        "list-cells-msgpack2": ("9.3", _with_cells(packed, 0, one, one, name="x")),
        "list-cells-json2": ("9.3", _with_cells(document, 0, listed, listed, name="x")),
        "list-cells-with-shapes": ("9.3", _with_cells(packed, 0, one, one, name="x") | shapes),
        "missing-vlen-bytes": ("8.6, 8.7", _with_cells(octets, "", None, _runs(b"a"), name="x")),
        "missing-vlen-utf8": ("8.6, 8.7", _with_cells(utf8, "ab", None, _runs(b"a"), name="x")),
        "missing-msgpack2": ("8.6, 8.7", _with_cells(packed, None, one, None, name="x")),
        "missing-json2": ("8.6, 8.7", _with_cells(document, "ab", listed, None, name="x")),
        "missing-vlen-array": (
            "8.7, 9.2",
            _with_cells(integers, 0, square, None, name="x")
            | _with_cells(integers, 0, _runs(_int64(2, 2)), None, name="_ragged_shapes_x"),
        ),
    }
    for name, (clauses, array) in found.items():
        yield Case(f"{name}-2", clauses, base | array)
    lost = _with_cells(integers, 0, _runs(_int64(1)), None, name="_ragged_shapes_x")
    yield Case(
        "invalid-missing-shape",
        "9.2",
        base | _with_cells(integers, 0, row, row, name="x") | lost,
        valid=False,
    )


def _parts() -> Iterator[Case]:
    """Yield signals that have more, or fewer, parts than usual."""
    path = "Experiments/__unnamed__"
    plain = without_records(written(signal()))
    names = [written(signal({"General": {"title": title}})) for title in ("a", "a-b", "B")]
    ordered: Documents = {}
    for each in reversed(names):
        ordered |= each
    yield Case("order-of-names-2", "3.1", ordered)
    yield Case("longer-axis-2", "4.7", changed(plain, f"{path}/axis-0/.zattrs", size=5))
    yield Case("shorter-axis-2", "4.7", changed(plain, f"{path}/axis-0/.zattrs", size=2))
    points = without_records(written(signal(axes=AXES["data-axis"][1])))
    short = changed(points, f"{path}/data/.zarray", shape=[2], chunks=[3])
    yield Case("longer-data-axis-2", "4.7", short)
    yield Case("no-axes-2", "3.6", _dropped(plain, "/axis-0/"))
    more = {key.replace("/axis-0/", "/axis-1/"): data for key, data in plain.items()}
    yield Case("additional-axis-2", "3.6", plain | more)
    square = signal(data=np.zeros((3, 3), "u1"), axes=[AXIS, {**AXIS, "name": "y"}])
    for lost in ("axis-0", "axis-1"):
        some = _dropped(without_records(written(square)), f"/{lost}/")
        yield Case(f"invalid-without-{lost}", "3.6", some, valid=False)
    models: dict[str, Any] = {name: {"dimensions": 1, "a": [1, 2]} for name in ("m", "n")}
    modelled = written(signal(models=models))
    for name, parent in (("other", "/Experiments/other"), ("no", None)):
        documents = modelled
        for model in models:
            key = f"Analysis/models/{model}/.zattrs"
            entries = {**json.loads(modelled[key]), "_signal": parent}
            if parent is None:
                del entries["_signal"]
            documents = {**documents, key: json.dumps(entries).encode()}
        yield Case(f"models-of-{name}-signal-2", "12.2", documents)
    dictionaries = cells({"a": 1}, {"b": [2]}, None)
    for number in (2, 3):
        masked = signal(data=np.ma.array([1, 2, 3], mask=[True, False, False]))
        mask = written(masked, zarr_format=number)
        yield Case(f"data-mask-{number}", "14.2", mask)
        beside = written(signal(data=dictionaries), zarr_format=number)
        yield Case(f"data-cells-{number}", "14.2", beside)
    yield from _entries(plain)


def _names() -> Iterator[Case]:
    """Yield files whose nodes or attributes have names, or values, with a meaning."""
    here = "Experiments/__unnamed__/metadata"
    plain = without_records(written(signal({"l": [[i] if i % 2 else i for i in range(12)]})))
    updated = attributes_of(plain, f"{here}/_list_12_l", **{"0": "new", "6": None, "10": 10})
    yield Case("updated-list-2", "6.5", updated)

    def group(below: str, **entries: Any) -> Documents:
        made: Documents = {f"{here}/{below}/.zgroup": GROUP}
        return attributes_of(plain | made, f"{here}/{below}", **entries)

    shapes = group("_ragged_shapes_q", x=1) | group("_ragged_offsets_q", x=2)
    shapes = attributes_of(shapes, here, _ragged_shapes_a=3, _ragged_offsets_a=[4])
    yield Case("named-like-shapes-2", "7.5", shapes)
    yield Case("sequence-without-length-2", "6.6", group("_list_x", **{"1": "b", "0": "a"}))
    yield Case("dictionary-named-like-signal-2", "7.1", group("_sig_x", y=[1]))
    unnamed = group("General", title="__unnamed__", name="__unnamed__")
    yield Case("unnamed-title-2", "3.2", unnamed)


def _places() -> Iterator[Case]:
    """Yield files whose nodes are at other places than usual, or at none."""
    here = "Experiments/__unnamed__"
    recorded = written(signal({"c": 1j}, models={"m": {"a": 1}}))
    plain = without_records(recorded)

    def moved(old: str, new: str) -> Documents:
        return {
            new + key.removeprefix(old) if f"{key}/".startswith(f"{old}/") else key: data
            for key, data in plain.items()
        }

    deeper = moved(here, "Experiments/a/b")
    yield Case("groups-in-groups-2", "3.1, 12.2", {**deeper, "Experiments/a/.zgroup": GROUP})
    yield Case("axis-of-no-dimension-2", "3.6", moved(f"{here}/axis-0", f"{here}/axis-1"))
    path = "Analysis/models/m"
    model = attributes_of(plain, path, _signal="Experiments\\__unnamed__")
    yield Case("path-of-a-model-2", "12.1", model)
    results = _dropped(plain, "/learning_results/", "/original_metadata/")
    yield Case("no-learning-results-2", "3.4", results)
    others = {f"{here}/data/{name}": b"{}" for name in ("x/.zarray", "a/0", "note")}
    yield Case("other-keys-of-an-array-2", "8.1", plain | others)
    yield Case("no-data-2", "3.1, 3.5", _dropped(plain, f"{here}/data/"))
    lost = _dropped(recorded, f"{here}/data/")
    yield Case("invalid-no-data", "3.5", lost, valid=False)
    renamed = moved("Experiments", "Other")
    yield Case("invalid-no-experiments", "3.1", renamed, valid=False)


def _below(path: str, documents: Documents) -> Documents:
    """Put documents below a path."""
    return {f"{path}/{key}": data for key, data in documents.items()}


def _stored(array: Any, **options: Any) -> Documents:
    """Give the documents of an array, of format 2 or 3, with a chunk for each element."""
    node = zspy.Array(np.asarray(array), chunks=(1,))
    return dict(zspy.serialise(node, storage=zspy.Storage(compressor=None, **options)))


def _versions() -> Iterator[Case]:
    """Yield files of other versions, and what only some versions have."""
    path = "Experiments/__unnamed__"
    here = f"{path}/metadata"
    plain = without_records(written(signal()))
    integers = {"id": "vlen-array", "dtype": "<i8"}
    shapes = _with_cells(integers, 0, _runs(_int64(2)), name="ragged_shapes")
    row = _with_cells(integers, 0, _runs(_int64(1, 2)), name="x")
    own = _with_cells(integers, 0, _runs(_int64(2)), name="_ragged_shapes_x")
    beside = _with_cells(integers, 0, _runs(_int64(1)), name="_ragged_shapes_ragged_shapes")
    several = plain | row | own | shapes | beside
    for version in ("3.10", "3.3.1"):
        numbered = attributes_of(several, "", file_format_version=version)
        yield Case(f"version-{version}-2", "2.2, 9.4", numbered)
    yield Case("entry-named-ragged-shapes-2", "9.4", several)
    for version in ("3", "new"):
        bad = attributes_of(plain, "", file_format_version=version)
        yield Case(f"invalid-version-{version}", "2.2", bad, valid=False)
    old = _v31()
    inner = {
        key.replace(path, f"{here}/_list_1_l/_sig_0"): data
        for key, data in plain.items()
        if key.startswith(f"{path}/") and "/attributes/" not in key
    }
    listed = old | {f"{here}/_list_1_l/.zgroup": GROUP} | inner
    yield Case("signal-in-list-3.1-2", "7.2", listed)
    axes = {f"{here}/_hspy_AxesManager_x/.zgroup": GROUP}
    for number, size in enumerate((3, 4)):
        axis = f"{here}/_hspy_AxesManager_x/axis-{number}"
        axes |= {f"{axis}/.zgroup": GROUP, f"{axis}/.zattrs": json.dumps({"size": size}).encode()}
    yield Case("axes-manager-3.1-2", "7.3", old | axes)


def _stored_arrays() -> Iterator[Case]:
    """Yield arrays of codecs, and with fill values, that the others do not have."""
    path = "Experiments/__unnamed__"
    here = f"{path}/metadata/x"
    data = np.arange(30, dtype="i4").reshape(5, 6)
    axes = [{"name": "y", "size": 5, "navigate": True}, {"name": "x", "size": 6}]
    for codec in (Zstd(3), LZ4(), GZip(1), BZ2(1), LZMA(preset=1)):
        documents = written(signal(data=data, axes=axes), chunks=(2, 4), compressor=codec)
        yield Case(f"{codec.codec_id}-2", "8.1", without_records(documents))
    plain = without_records(written(signal()))
    for name, values, fill_value in (
        ("text", np.array(["ab", "c"]), "q"),
        ("time", np.array([1, 2], "M8[D]"), 20000),
        ("bytes", np.array([b"\xff\xfea", b"c"]), "YQ=="),
        ("void", np.array([b"ab", b"cd"], "V2"), "YQ=="),
    ):
        array = _stored(values)
        del array["1"]
        filled = changed(array, ".zarray", fill_value=fill_value)
        yield Case(f"fill-value-{name}-2", "8.7", plain | _below(here, filled))
    recorded = without_records(written(signal(), zarr_format=3))
    void = _stored(np.array([b"ab", b"cd"], "V2"), zarr_format=3)
    chunk = next(key for key in void if key.startswith("c/1"))
    void = changed(_dropped(void, chunk), "zarr.json", fill_value=7)
    yield Case("fill-value-void-3", "10.3", recorded | _below(here, void))
    bytestrings = _stored(np.array([b"a", b"\xff"]))
    yield Case("bytes-beyond-ascii-2", "8.4", plain | _below(here, bytestrings))
    listed = f"{path}/metadata/_sig_x/_list_2_axes"
    nested = without_records(written(signal({"_sig_x": signal()})))
    nested = {key.replace("_list_1_axes", "_list_2_axes"): one for key, one in nested.items()}
    nested |= {f"{listed}/1/.zgroup": GROUP, f"{listed}/1/.zattrs": b'{"size": 3}'}
    yield Case("more-axes-than-dimensions-2", "3.6, 7.1", nested)
    points = without_records(written(signal(axes=AXES["data-axis"][1])))
    stale = attributes_of(points, f"{path}/axis-0", size=7)
    yield Case("data-axis-with-size-2", "4.7", stale)


def _broken_nodes() -> Iterator[Case]:
    """Yield files with a document, or a name, that is none."""
    path = "Experiments/__unnamed__"
    plain = without_records(written(signal({"a": {"b": 1}})))
    dotted = without_records(written(signal(), zarr_format=3))
    array = _stored(np.arange(2))
    bad: dict[str, tuple[str, Documents]] = {
        "attributes-no-object": ("2.1", {**plain, f"{path}/metadata/a/.zattrs": b"[1]"}),
        "group-no-json": ("2.1", {**plain, f"{path}/metadata/a/.zgroup": b"group"}),
        "root-is-array": ("2.1", array),
        "chunk-of-no-array-3": ("3.5", {**dotted, "other/x/c.0.0": b"0"}),
    }
    for name, (clauses, documents) in bad.items():
        yield Case(f"invalid-{name}", clauses, documents, valid=False)
    modelled = written(signal(models={"m": {"dimensions": 1}}))
    model = attributes_of(modelled, "Analysis/models/m", _signal=f"//{path}")
    yield Case("path-of-a-model-with-slashes-2", "12.1, 12.2", model)


def _broken_chunks() -> Iterator[Case]:
    """Yield files with a chunk that is not what its array says."""
    path = "Experiments/__unnamed__"
    plain = without_records(written(signal(), compressor=False))
    chunk = plain[f"{path}/data/0"]
    summed = without_records(written(signal(), zarr_format=3, compressor=False))
    flipped = summed[f"{path}/data/c/0"]
    sharded = without_records(written(signal(), zarr_format=3, chunks=(1,), shards=(3,)))
    key = f"{path}/data/zarr.json"
    (codec,) = json.loads(sharded[key])["codecs"]
    codec["configuration"]["chunk_shape"] = [2]
    utf8 = {"id": "vlen-utf8"}
    cut, few = _runs(b"ab")[:-1], struct.pack("<I", 2) + _runs(b"ab")[4:]
    bad: dict[str, tuple[str, Documents]] = {
        "too-many-elements": ("8.1", {**plain, f"{path}/data/0": chunk + chunk[:2]}),
        "too-few-elements": ("8.1", {**plain, f"{path}/data/0": chunk[:-2]}),
        "chunk-of-length-0": ("8.1", changed(plain, f"{path}/data/.zarray", chunks=[0])),
        "chunks-of-another-rank": ("8.1", changed(plain, f"{path}/data/.zarray", chunks=[3, 1])),
        "wrong-checksum": (
            "10.4",
            {**summed, f"{path}/data/c/0": bytes([flipped[0] ^ 1]) + flipped[1:]},
        ),
        "undivided-shard": ("10.4", changed(sharded, key, codecs=[codec])),
        "truncated-cells": ("8.1", plain | _with_cells(utf8, "", cut, name="x")),
        "too-few-cells": ("8.1", plain | _with_cells(utf8, "", few, name="x")),
    }
    for name, (clauses, documents) in bad.items():
        yield Case(f"invalid-{name}", clauses, documents, valid=False)


def _broken_offsets() -> Iterator[Case]:
    """Yield ragged arrays, in the flat encoding, whose offsets are none."""
    here = "Experiments/__unnamed__/metadata"
    ragged = signal({"r": cells(np.arange(2), np.arange(3))})
    flat = without_records(written(ragged, zarr_format=3))
    key = f"{here}/_ragged_offsets_r/zarr.json"
    little = [{"name": "bytes", "configuration": {"endian": "little"}}]
    plain = changed(flat, key, codecs=little)
    for name, offsets in {
        "right": (0, 2, 5),
        "beginning-later": (1, 2, 5),
        "decreasing": (0, 6, 5),
        "too-few": (0, 5),
    }.items():
        changes: dict[str, Any] = {"shape": [len(offsets)]}
        changes["chunk_grid"] = json.loads(flat[key])["chunk_grid"]
        changes["chunk_grid"]["configuration"]["chunk_shape"] = [len(offsets)]
        documents = changed(plain, key, **changes)
        documents[f"{here}/_ragged_offsets_r/c/0"] = _int64(*offsets)
        is_right = name == "right"
        called = "right-offsets-3" if is_right else f"invalid-offsets-{name}"
        yield Case(called, "9.6, 9.8", documents, valid=is_right)


def _entries(plain: Documents) -> Iterator[Case]:
    """Yield files with a document, or an entry of one, changed."""
    path = "Experiments/__unnamed__"
    yield Case("version-3.2-2", "2.2, 9.4", attributes_of(_v31(), "", file_format_version="3.2"))
    unversioned = json.loads(plain[".zattrs"])
    del unversioned["file_format_version"]
    invalid = {
        "no-version": ("2.2", {**plain, ".zattrs": json.dumps(unversioned).encode()}),
        "attributes-of-no-group": ("3.5", {**plain, f"{path}/metadata/x/.zattrs": b"{}"}),
        "chunk-of-no-array": ("3.5", {**plain, "other/x/0": b"0"}),
        "truncated-by-one": (
            "8.1",
            {**plain, f"{path}/data/0": plain[f"{path}/data/0"][:-1]},
        ),
    }
    for name, (clauses, bad) in invalid.items():
        yield Case(f"invalid-{name}", clauses, bad, valid=False)
    numbered = without_records(written(signal({"l": [[1], 2, [3]]})))
    numbered = attributes_of(
        numbered, f"{path}/metadata/_list_3_l", **{"10": 10, "-1": "minus", "x": "x"}
    )
    yield Case("sequence-names-2", "6.5", numbered)
    emptied = attributes_of(plain, f"{path}/metadata", _list_empty_l=5, _tuple_empty_t=None)
    yield Case("empty-sequence-values-2", "6.1", emptied)
    dates = signal({"d": np.array(["2026-03-14"], "M8[D]"), "s": np.array(["a"])})
    holes = without_records(written(dates, zarr_format=3))
    holes = _dropped(holes, "metadata/d/c", "metadata/s/c")
    yield Case("fill-value-3", "10.3", changed(holes, f"{path}/metadata/d/zarr.json", fill_value=5))
    sharded = without_records(written(signal(), zarr_format=3, chunks=(1,), shards=(3,)))
    key = f"{path}/data/c/0"
    index = np.frombuffer(sharded[key][-52:-4], "<u8").copy()
    index[2:4] = 2**64 - 1
    table = index.tobytes()
    end = table + struct.pack("<I", crc32c(table))
    yield Case("missing-in-shard-3", "10.4", {**sharded, key: sharded[key][:-52] + end})


def _invalid() -> Iterator[Case]:
    path = "Experiments/__unnamed__"
    good = written(signal({"a": {"b": 1}, "l": [1, 2]}))

    def without(*keys: str) -> Documents:
        return {key: data for key, data in good.items() if key not in keys}

    bad: dict[str, tuple[str, Callable[[], Documents]]] = {
        "no-root": ("2.1", lambda: without(".zgroup")),
        "no-array-document": ("3.5", lambda: without(f"{path}/data/.zarray")),
        "no-axis-document": ("3.5", lambda: without(f"{path}/axis-0/.zgroup")),
        "no-group-above": ("3.5", lambda: without(f"{path}/metadata/.zgroup")),
        "no-json": ("8.1", lambda: {**good, f"{path}/data/.zarray": b"{"}),
        "negative-shape": ("8.1", lambda: changed(good, f"{path}/data/.zarray", shape=[-3])),
        "pickle": (
            "8.1",
            lambda: changed(good, f"{path}/data/.zarray", filters=[{"id": "pickle"}]),
        ),
        "truncated-chunk": ("8.1", lambda: {**good, f"{path}/data/0": good[f"{path}/data/0"][:-5]}),
    }
    for name, (clauses, make) in bad.items():
        yield Case(f"invalid-{name}", clauses, make(), valid=False)
    three = written(signal({"r": cells(np.arange(2), np.arange(3))}), zarr_format=3)
    key = next(one for one in three if "_ragged_offsets_r/c" in one)
    offsets = dict(three)
    # as many cells, which end elsewhere: the document and its chunk are sound in themselves
    other = written(signal({"r": cells(np.arange(1), np.arange(3))}), zarr_format=3)
    offsets[key] = next(data for one, data in other.items() if one == key)
    yield Case("invalid-offsets", "9.8", offsets, valid=False)
    scalar = without_records(written(signal({"s": np.array(1.5)}), zarr_format=3))
    lost = _dropped(scalar, f"{path}/metadata/s/zarr.json")
    yield Case("invalid-no-document-of-a-scalar", "3.5", lost, valid=False)
