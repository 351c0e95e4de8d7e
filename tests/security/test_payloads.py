"""Files that try to run code, by every known way: each is refused by name, and nothing runs."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Final

import numcodecs
import numpy as np
import pytest
from numcodecs.abc import Codec
from zarr.abc.codec import BytesBytesCodec
from zarr.registry import register_codec
from zarr.storage import FsspecStore, MemoryStore

import zspy
from tests.stores import test_n5
from zspy import FormatError
from zspy.documents.codecs import CODECS
from zspy.stores.sqlite import SQLiteStore
from zspy.typing import is_array, is_lazy
from zspy.values.ragged import object_array

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
RAN: Final[list[str]] = []  # what has run
PLACES: Final = ("dict", "local", "zip", "lmdb", "dbm", "sqlite", "memory")


class Canary(Codec):
    """A codec of numcodecs that some package has registered."""

    codec_id = "canary"

    def __init__(self, **_: object) -> None:
        RAN.append("made")

    def encode(self, buf: Any) -> Any:
        return buf

    def decode(self, buf: Any, out: Any = None) -> Any:  # noqa: ARG002
        RAN.append("decoded")
        return buf


class Canary3(BytesBytesCodec):
    """A codec of zarr-python that some package has registered."""

    is_fixed_size = True

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Canary3:  # noqa: ARG003
        RAN.append("made")
        return cls()


numcodecs.register_codec(Canary)
register_codec("canary", Canary3)


class Payload:
    """What a pickle calls."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return RAN.append, ("unpickled",)


PICKLED: Final = pickle.dumps([Payload()])
NPY: Final = io.BytesIO()
np.save(NPY, object_array([Payload()], (1,)), allow_pickle=True)
CHUNKS: Final = (PICKLED, NPY.getvalue(), b"\x81\xc7\x05\x01" + PICKLED)

# --- documents ---------------------------------------------------------------------------------

ARRAY2: Final[dict[str, Any]] = {
    "zarr_format": 2,
    "shape": [1],
    "chunks": [1],
    "dtype": "|u1",
    "fill_value": 0,
    "order": "C",
    "compressor": None,
    "filters": None,
}
ARRAY3: Final[dict[str, Any]] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [1],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
}
IDS: Final = (
    *("pickle", "canary", "categorize", "json", "msgpack"),
    *sorted({"base64", "zfpy", "pcodec"} - CODECS.keys()),
    *("n5_wrapper", "os.system", "numcodecs.pickles.Pickle", "builtins:eval", "zarr.bytes", ""),
)
NAMES: Final = (
    *("pickle", "canary", "numcodecs.pickle", "numcodecs.pickles.Pickle", "numcodecs.canary"),
    *("numcodecs.json2", "numcodecs.msgpack2", "numcodecs.vlen-utf8", "numcodecs.zarr3.Pickle"),
    *("zarr.codecs.bytes.BytesCodec", "os.system", "builtins:eval", "numcodecs.zfpy"),
    *("cast_value", "scale_offset", "optional"),
)


def _sharding(inner: list[Any], index: list[Any]) -> dict[str, Any]:
    settings = {"chunk_shape": [1], "codecs": inner, "index_codecs": index}
    return {"name": "sharding_indexed", "configuration": settings}


def _payloads2() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for name in IDS:
        bad = {"id": name, "dtype": "|u1", "protocol": 5}
        zlib, json2 = {"id": "zlib", "level": 1}, {"id": "json2"}
        changes: list[dict[str, Any]] = [
            *({"compressor": bad}, {"filters": [bad]}, {"filters": [zlib, bad]}),
            *({"filters": [bad], "compressor": bad}, {"dtype": "|O", "filters": [json2, bad]}),
            {"dtype": "|O", "filters": [json2], "compressor": bad},
            {"dtype": "|O", "filters": [bad]},
        ]
        found += [(f"the codec {name!r} is not allowed", change) for change in changes]
    for dtype in ("O", "object", "|O8", "|O4", "numpy.object_", "V8,O", "O,O", "T"):
        found.append((f"{dtype!r} is no dtype", {"dtype": dtype}))
        found.append((f"{dtype!r} is no dtype", {"dtype": [["a", "<f8"], ["b", dtype]]}))
        cells = {"id": "vlen-array", "dtype": dtype}
        found.append((f"{dtype!r} is no dtype", {"dtype": "|O", "filters": [cells]}))
        for name in ("delta", "astype", "quantize", "fixedscaleoffset"):
            one = {"id": name, "dtype": dtype, "encode_dtype": dtype, "decode_dtype": "|u1"}
            more = {"digits": 1, "offset": 0, "scale": 1}
            found.append((f"the codec {name!r} is not understood", {"filters": [one | more]}))
    for nested in ([["a", "|O"]], [["a", [["b", "|O"]]]], [["a", "|O", [2]]]):
        found.append(("'|O' is no dtype", {"dtype": nested}))
    found.append(("an object array without an object codec", {"dtype": "|O"}))
    found.append(("is no dtype", {"dtype": {"names": ["a"], "formats": ["|O"]}}))
    return found


def _payloads3() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    plain: list[Any] = [{"name": "bytes"}]
    for name in NAMES:
        for bad in (name, {"name": name, "configuration": {"id": name, "protocol": 5}}):
            chains: list[list[Any]] = [
                *([bad], [bad, *plain], [*plain, bad], [*plain, {"name": "crc32c"}, bad]),
                *([_sharding([*plain, bad], plain)], [_sharding(plain, [*plain, bad])]),
                [_sharding([_sharding([*plain, bad], plain)], plain)],
                [_sharding([_sharding(plain, [bad, *plain])], plain)],
                [_sharding(plain, plain), bad],
            ]
            found += [(f"the codec {name!r} is not allowed", {"codecs": one}) for one in chains]
    for name in ("object", "numpy.object", "canary", "os.system", "zarr.dtype.Object"):
        for kind in (name, {"name": name, "configuration": {"dtype": "|O"}}):
            found.append((f"{name}", {"data_type": kind}))
        found.append((name, {"chunk_grid": {"name": name, "configuration": {"chunk_shape": [1]}}}))
        found.append((name, {"chunk_key_encoding": {"name": name}}))
        found.append((name, {"storage_transformers": [{"name": name}]}))
        fields = {"fields": [["a", name]]}
        found.append(
            ("the data type", {"data_type": {"name": "structured", "configuration": fields}})
        )
        found.append(("is no dtype", {"attributes": {"_zspy_dtype": name}}))
    found.append(("is no dtype", {"attributes": {"_zspy_dtype": [["a", "|O"]]}}))
    return found


PAYLOADS: Final = [(2, *one) for one in _payloads2()] + [(3, *one) for one in _payloads3()]
FEW: Final = [
    *(one for one in PAYLOADS if "'pickle'" in one[1] or "numcodecs.pickle'" in one[1]),
    *(one for one in PAYLOADS if one[1] in {"os.system", "'|O' is no dtype"}),
]


def _file(zarr_format: int, change: dict[str, Any], inside: bool) -> dict[str, bytes]:
    """Give a file with an array that belongs to a signal, or that nobody asks for."""
    file: dict[str, bytes] = {}
    signal = {"data": np.zeros(3), "axes": [{"size": 3}], "metadata": {"a": {"b": 1}}}
    more: Any = {"zarr_format": zarr_format}
    zspy.file_writer(file, signal, **more, **QUIET)
    group = "Experiments/__unnamed__/metadata/a" if inside else "unread"
    node = {"zarr_format": zarr_format}
    if zarr_format == 2:
        file[f"{group}/.zgroup"] = json.dumps(node).encode()
        file[f"{group}/x/.zarray"] = json.dumps(ARRAY2 | deepcopy(change)).encode()
    else:
        group3 = {**node, "node_type": "group", "attributes": {"b": 1} if inside else {}}
        file[f"{group}/zarr.json"] = json.dumps(group3).encode()
        file[f"{group}/x/zarr.json"] = json.dumps(ARRAY3 | deepcopy(change)).encode()
    return file | {f"{group}/x/{key}": CHUNKS[0] for key in ("0", "c/0")}


def _place(file: dict[str, bytes], kind: str, folder: Path) -> Any:
    path = folder / "a.zspy"
    if kind == "dict":
        return file
    if kind == "memory":
        store = MemoryStore()
        zspy.commit(file, store)
        return store
    if kind == "sqlite":
        with SQLiteStore(path) as database:
            database.replace(file.items())
    else:
        metadata: Any = {"store_type": kind, "sync": False}
        zspy.commit(file, path, **metadata)
    return path


def _is_refused(place: Any, problem: str) -> None:
    """Read a file in every way."""
    RAN.clear()
    ways: list[Callable[[], object]] = [
        partial(zspy.file_reader, place),
        partial(zspy.file_reader, place, lazy=True),
        partial(zspy.open_group, place),
        lambda: zspy.deserialise(zspy.fetch(place)),
    ]
    for way in ways:
        with pytest.raises(FormatError) as caught:
            way()
        assert problem in str(caught.value)
        assert f"/{caught.value.location}".rpartition("/")[0].endswith("/x")
    for data in (False, True):
        findings = zspy.check(place, data=data, show_progressbar=False)
        assert [one for one in findings if one.severity == "error" and problem in one.message]
    assert RAN == []


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True], ids=["unread", "read"])
def test_a_codec_that_is_not_on_the_list_is_refused_by_name(inside: bool) -> None:
    for zarr_format, problem, change in PAYLOADS:
        _is_refused(_file(zarr_format, change, inside), problem)


@pytest.mark.parametrize("kind", PLACES)
def test_it_is_refused_in_any_place(kind: str, tmp_path: Path) -> None:
    for number, (zarr_format, problem, change) in enumerate(FEW[:: 1 if kind == "dict" else 9]):
        folder = tmp_path / str(number)
        folder.mkdir()
        _is_refused(_place(_file(zarr_format, change, False), kind, folder), problem)


@pytest.mark.parametrize("name", ["pickle", "canary", "os.system", "numcodecs.pickles.Pickle", ""])
def test_a_compression_of_n5_is_refused_by_name(name: str, tmp_path: Path) -> None:
    whole = test_n5.described(test_n5.DATA, {"type": name, "protocol": 5})
    test_n5.write(tmp_path / "a.zspy", whole, {"0/0/0": PICKLED})
    (tmp_path / "a.zspy/Experiments/a title/data").rename(tmp_path / "a.zspy/x")
    _is_refused(tmp_path / "a.zspy", f"the codec {name!r} is not allowed")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_codecs_in_consolidated_metadata_are_refused_as_well(zarr_format: Any) -> None:
    refused: dict[tuple[bool, bool], str] = {}
    for clean in (False, True):  # in the consolidated document alone, or in that of the node
        store = MemoryStore()
        signal: Any = {"data": np.zeros(3), "axes": [{"size": 3}], "metadata": {}}
        zspy.file_writer(store, signal, zarr_format=zarr_format, consolidate=True, **QUIET)
        documents = dict(zspy.fetch(store))
        good = {2: b'"id": "blosc"', 3: b'"name": "blosc"'}[zarr_format]
        for key, data in documents.items():
            whole = key in {".zmetadata", "zarr.json"}
            if whole is not clean:
                new = data.replace(good, good.replace(b"blosc", b"pickle"))
                documents[key] = new.replace(good.replace(b" ", b""), b'"id":"pickle"')
        spoiled = FsspecStore.from_url(f"memory://{os.urandom(8).hex()}")
        zspy.commit(documents, spoiled)
        RAN.clear()
        for place in (documents, spoiled):
            try:
                (found,) = zspy.file_reader(place)
            except FormatError as error:
                refused[clean, place is spoiled] = error.problem
            else:  # by the documents that name no pickle
                assert not np.asarray(found["data"]).any()
        assert RAN == []
    assert {(False, True), (True, False)} <= {*refused}
    assert {*refused.values()} == {"the codec 'pickle' is not allowed"}


# --- what is read as data, or not at all -------------------------------------------------------


@pytest.mark.parametrize("item", ["json2", "msgpack2", "vlen-utf8", "vlen-bytes", "vlen-array"])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_nothing_is_unpickled_from_a_chunk(item: str, chunk: bytes) -> None:
    cells = {"id": item, "dtype": "<f8"}
    file = _file(2, {"dtype": "|O", "filters": [cells]}, True)
    # of a release that had the shapes of cells for a whole group, so that the chunk is decoded
    file[".zattrs"] = file[".zattrs"].replace(b'"3.3"', b'"3.1"')
    file = {key: chunk if key.endswith("/x/0") else data for key, data in file.items()}
    RAN.clear()
    for lazy in (False, True):
        with pytest.raises(FormatError, match=r"/x/0: a chunk that .* cannot decode"):
            zspy.file_reader(file, lazy=lazy)
    assert RAN == []


RECORDS: Final = (
    *(["os.system", "true"], ["canary"], ["object", "|O"], ["numpy", "|O"], ["numpy", "O"]),
    *(["eval", "1"], ["pickle", "gASV"], ["type", "os"], ["builtins.set"], ["fields", ["|O"]]),
    *(["datetime", {"__reduce__": 1}], ["cells", ["|O"]], ["cells", ["|O", 1]], ["class", "x"]),
)


@pytest.mark.parametrize("record", RECORDS, ids=str)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_record_names_no_type_but_those_of_the_table(record: Any, zarr_format: Any) -> None:
    file: dict[str, bytes] = {}
    metadata = {"a": {"b": 1, "c": [1], "d": np.zeros(2)}, "_class": "os.system"}
    signal = {"data": np.zeros(3), "axes": [{"size": 3}], "metadata": metadata}
    zspy.file_writer(file, signal, zarr_format=zarr_format, **QUIET)
    attributes = {"b": "echo", "_sig_zspy": {"types": dict.fromkeys("bcd", record)}}
    key = "Experiments/__unnamed__/metadata/a/"
    key += ".zattrs" if zarr_format == 2 else "zarr.json"
    known = {**json.loads(file[key]), "attributes": attributes}
    file[key] = json.dumps(attributes if zarr_format == 2 else known).encode()
    RAN.clear()
    for lazy in (False, True):
        try:
            (found,) = zspy.file_reader(file, lazy=lazy)
        except FormatError:
            continue
        assert _is_data(found)
    assert RAN == []


def _is_data(value: Any) -> bool:
    """Tell whether a value is made of numbers, strings, arrays, lists and dictionaries alone."""
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))  # pyright: ignore[reportUnknownArgumentType]
    if is_array(value):
        return bool(value.dtype != object)
    return is_lazy(value) or isinstance(value, (str, int, float, type(None)))


def test_zspy_has_nothing_that_runs_code() -> None:
    names = {"eval", "exec", "compile", "__import__"}
    for path in Path(zspy.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = {name.name.partition(".")[0] for name in node.names}
                assert not modules & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in names, f"{path.name}: {called}"
                assert called.rpartition(".")[0] not in {"pickle", "marshal"}
                assert called not in {"np.load", "numpy.load", "np.lib.format.read_array"}
