"""What docs/security.md says is so; what it says of codecs is in test_payloads.py."""

from __future__ import annotations

import contextlib
import dataclasses
import dbm.dumb
import json
import os
import re
import tracemalloc
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from tests.files.test_writer import FORMATS, signal_of
from tests.support.cost import calls
from tests.support.signals import signal_of as plain_signal
from zspy import FormatError, Group, Limits
from zspy.documents.array_metadata import ArrayMetadata
from zspy.documents.codecs import CODECS
from zspy.documents.json import has_many_values
from zspy.documents.limits import LOOKUP, Budget
from zspy.documents.parsed_nodes import ParsedNodes, _lost_axis, parse_nodes
from zspy.documents.source import Given, node_above, node_keys
from zspy.documents.stages import decode_cells
from zspy.documents.tree import read_nodes
from zspy.strategies import first_difference
from zspy.typing import Documents, Node
from zspy.values.names import NAV_SHAPE
from zspy.values.sequences import decoded_bytes

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "security.md").read_text("utf-8")
QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
UNITS: Final = {"": 1, " MiB": 2**20, " GiB": 2**30}


def content() -> dict[str, Any]:
    models = {"fit": {"a": 1, "map": np.arange(4.0)}}
    whole = signal_of(np.arange(60.0).reshape(6, 10), 1, l=["a", "b"], d={"x": 1.5, "t": ("u",)})
    return whole | {"models": models}


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def read(place: Any) -> Any:
    """Read a file; None where that is an error."""
    try:
        return zspy.file_reader(place, missing="raise")
    except FormatError:
        return None


def test_the_limits_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+)( [MG]iB)? \|", PAGE, re.M)
    told = {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in rows}
    assert told == dataclasses.asdict(Limits())


def test_the_tests_that_the_page_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_codecs_are_those_of_the_page() -> None:
    told = PAGE.partition("of a list: ")[2].partition("All others")[0].lower()
    named = {
        "zstd": "zstandard",
        "bz2": "bzip2",
        **dict.fromkeys(("crc32", "crc32c", "adler32", "fletcher32"), "checksums"),
        **dict.fromkeys(("jenkins_lookup3",), "checksums"),
        **dict.fromkeys(("vlen-utf8", "vlen-bytes", "vlen-array"), "strings"),
        "json2": "json",
        "msgpack2": "messagepack",
    }
    assert [name for name in CODECS if named.get(name, name) not in told] == []


def test_an_array_of_very_many_chunks_is_read_lazily_only() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(4), 1), **QUIET)
    huge = sized(file, "data", shape=[8_000_008])
    (lazy,) = zspy.file_reader(huge, lazy=True)
    assert np.shape(lazy["data"]) == (8_000_008,)
    with pytest.raises(FormatError, match="read it lazily"):
        zspy.file_reader(huge)


def sized(file: dict[str, bytes], path: str, **more: Any) -> dict[str, bytes]:
    """Give a file whose array says something else of itself, and has no chunks."""
    folder = f"Experiments/t/{path}"
    document: dict[str, Any] = json.loads(file[f"{folder}/.zarray"]) | more
    rest = {key: data for key, data in file.items() if not key.startswith(f"{folder}/")}
    return {**rest, f"{folder}/.zarray": json.dumps(document).encode(), **axes(file, **more)}


def axes(file: dict[str, bytes], **more: Any) -> dict[str, bytes]:
    """Give the documents of axes of other sizes: of two, a reader takes the smaller one."""
    changed: dict[str, bytes] = {}
    for number, size in enumerate(more.get("shape", ())):
        key = f"Experiments/t/axis-{number}/.zattrs"
        if key in file:
            changed[key] = json.dumps(json.loads(file[key]) | {"size": size}).encode()
    return changed


@pytest.mark.parametrize("shape", [[2**40], [0, 2**55], [2**20, 2**20, 2**15]])
@pytest.mark.parametrize("blocks", [2**27, 0])
def test_a_lazy_array_of_any_size_has_a_number_of_blocks_that_fits_memory(
    shape: list[int], blocks: int
) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros([4] * len(shape)), 1), **QUIET)
    huge = sized(file, "data", shape=shape, chunks=[1] * len(shape))
    (lazy,) = zspy.file_reader(huge, lazy=True, blocks=blocks)
    data: Any = lazy["data"]
    assert data.npartitions <= 2**21


def test_an_empty_array_has_no_chunks_whatever_its_other_edges_are() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros((0, 4)), 1), **QUIET)
    for chunks in ([1, 1], [3, 4]):
        huge = sized(file, "data", shape=[0, 2**55], chunks=chunks)
        (signal,) = zspy.file_reader(huge)
        assert np.shape(signal["data"]) == (0, 2**55)
    with pytest.raises(FormatError, match="the shape is too large"):
        zspy.file_reader(sized(file, "data", shape=[0, 2**60]))


def test_very_many_chunks_are_not_looked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(4), 1), **QUIET)
    zspy.commit(sized(file, "data", shape=[2**20], chunks=[1]), tmp_path / "x", sync=False)
    looks: list[str] = []

    def size(_: object, keys: Iterable[str]) -> int:
        looks.extend(keys)
        return len(looks)

    monkeypatch.setattr("zspy.stores.directory.Directory.size", size)
    with pytest.raises(FormatError, match="hardly anything of that is stored"):
        zspy.file_reader(tmp_path / "x")
    assert looks == ["Experiments/t/data/.zarray"]


@pytest.mark.parametrize(
    ("name", "dtype", "fits"),
    [("_list_x", "|u1", 2**22), ("_tuple_x", "|S1", 2**20), ("x", "|S1", 2**25)],
)
def test_lists_and_text_count_for_what_they_take_in_the_end(
    name: str, dtype: str, fits: int
) -> None:
    documents = dict(zspy.serialise(zspy.Group({}, {name: zspy.Array(np.zeros(1, dtype))})))
    key = f"{name}/.zarray"
    for size in (fits, 2**27):
        document: dict[str, Any] = json.loads(documents[key]) | {"shape": [size], "chunks": [size]}
        huge = {".zgroup": documents[".zgroup"], key: json.dumps(document).encode()}
        if size == fits:
            assert isinstance(_read_nodes(huge), zspy.Group)
            continue
        with pytest.raises(FormatError, match="hardly anything of that is stored"):
            _read_nodes(huge)


@pytest.mark.parametrize("dtype", ["V1", "V100", [("a", "u1")], [("a", "f8", 9), ("b", "u1")]])
@pytest.mark.parametrize("values", [list, np.ndarray.tolist])
def test_a_list_of_records_takes_no_more_than_it_counts_for(dtype: Any, values: Any) -> None:
    array = np.full(1000, 7, "u1").repeat(np.dtype(dtype).itemsize).view(dtype)
    tracemalloc.start()
    try:
        made = values(array)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < len(made) * decoded_bytes("_list_x", array.dtype)


@pytest.mark.parametrize("one", [b"\x90", b"\x80", b"\x91\x90", b"\xa1x"])
def test_a_document_of_messagepack_takes_no_more_than_it_counts_for(one: bytes) -> None:
    number = 20_000
    head = b"\x93\xdd" + number.to_bytes(4, "big")
    data = np.frombuffer(head + one * number + b"\xa2|O\x91\x01", "u1")
    budget = Budget(Limits())
    tracemalloc.start()
    try:
        decode_cells(data, "msgpack2", 1, budget, "x")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < Limits().memory - budget.left


def test_check_keeps_no_more_of_documents_than_reading_takes(tmp_path: Path) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(4), 1), **QUIET)
    path = tmp_path / "f.zspy"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, document in file.items():
            archive.writestr(key, document)
        for number in range(12):
            archive.writestr(f"Experiments/t/g{number}/.zgroup", b'{"zarr_format": 2}')
            archive.writestr(f"Experiments/t/g{number}/.zattrs", b" " * 2**22 + b"{}")
    tracemalloc.start()
    try:
        found = zspy.check(path, limits=Limits(memory=2**22), show_progressbar=False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert any("hardly anything of that is stored" in one.message for one in found)
    assert most < 5 * 2**22


def _read_nodes(documents: Documents) -> Node:
    return read_nodes(documents, (), Budget(Limits(), decoded_bytes), None)


@pytest.mark.parametrize("fill", [0, 1])
def test_what_has_to_be_filled_needs_more_that_is_stored(fill: int) -> None:
    noise = np.frombuffer(np.random.default_rng(0).bytes(2**16), "u1")
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(noise, 1), chunks=(2**15,), fill_value=fill, **QUIET)
    key = "Experiments/t/data/.zarray"
    document: dict[str, Any] = json.loads(file[key]) | {"shape": [2**29]}
    huge = {**file, key: json.dumps(document).encode(), **axes(file, shape=[2**29])}
    if fill:
        with pytest.raises(FormatError, match="hardly anything of that is stored"):
            zspy.file_reader(huge)
    else:
        (signal,) = zspy.file_reader(huge)
        assert np.shape(signal["data"]) == (2**29,)


def test_nothing_is_filled_where_zspy_wrote_all_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    file: dict[str, bytes] = {}
    data = np.arange(40.0)
    zspy.file_writer(file, signal_of(data, 1), chunks=(7,), fill_value=1, **QUIET)
    monkeypatch.setattr("zspy.documents.chunks.filled", None)
    (signal,) = zspy.file_reader(file)
    assert np.array_equal(signal["data"], data)


U1: Final = {"id": "fixedscaleoffset", "offset": 0, "scale": 1, "dtype": "|u1", "astype": "|u1"}
CHAINS: Final[dict[str, list[dict[str, Any]]]] = {
    "many": [{"id": "delta", "dtype": "|u1", "astype": "|u1"}] * 31,
    "checksums": [{"id": "crc32"}] * 31,
    "wide": [{"id": "astype", "encode_dtype": "<f8", "decode_dtype": "|u1"}],
    "computed": [U1],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("is_lazy", [False, True])
def test_codecs_that_go_through_more_than_is_stored_pays_for_are_refused(
    name: str, is_lazy: bool
) -> None:
    """A file of a kilobyte took four gigabytes, or twenty seconds, since each codec was allowed."""
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(1, "u1"), 1), **QUIET)
    huge = sized(file, "data", shape=[2**27], chunks=[2**27], filters=CHAINS[name])

    def read_all() -> None:
        (signal,) = zspy.file_reader(huge, lazy=is_lazy)
        np.asarray(signal["data"])

    with pytest.raises(FormatError, match="hardly anything of that is stored"):
        read_all()


def test_codecs_of_usual_chains_are_free() -> None:
    file: dict[str, bytes] = {}
    data = np.zeros(2**26, "u2")
    delta = numcodecs.Delta("<u2")
    shuffle = numcodecs.Shuffle(2)
    how: dict[str, Any] = {"filters": [delta, shuffle, numcodecs.CRC32()], "chunks": data.shape}
    zspy.file_writer(file, signal_of(data, 1), **how, **QUIET)
    assert sum(map(len, file.values())) < 2**20
    (signal,) = zspy.file_reader(file)
    assert np.array_equal(signal["data"], data)


def test_very_many_chunks_that_are_missing_are_one_finding() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros((2, 2)), 1), **QUIET)
    huge = sized(file, "data", shape=[2**15, 2**40], chunks=[1, 1])
    key = "Experiments/t/.zattrs"
    document = json.loads(huge[key])
    document["_sig_zspy"]["chunks"] += 2**55 - 1
    found = zspy.check({**huge, key: json.dumps(document).encode()}, show_progressbar=False)
    missing = [(one.key, one.message) for one in found if "missing" in one.message]
    problem = f"{2**55} of {2**55} chunks are missing: zspy wrote all of them"
    assert missing == [("Experiments/t/data/0/0", problem)]


def sharded(count: int, edge: int = 1) -> dict[str, bytes]:
    """Give a file that lacks its one shard, which has so many chunks."""
    file: dict[str, bytes] = {}
    data = signal_of(np.ones(2), 1)
    zspy.file_writer(file, data, (1,), zarr_format=3, shards=(2,), **QUIET)
    del file["Experiments/t/data/c/0"]
    size = count * edge
    key = "Experiments/t/data/zarr.json"
    document: dict[str, Any] = json.loads(file[key]) | {"shape": [size]}
    document["chunk_grid"]["configuration"]["chunk_shape"] = [size]
    inner = document["codecs"][0]["configuration"]
    inner["chunk_shape"] = [edge]
    inner["codecs"][1:] = [{"name": "zstd", "configuration": {"level": 1, "checksum": False}}]
    return {**file, key: json.dumps(document).encode()}


@pytest.mark.parametrize("complete", [True, False])
def test_a_missing_shard_is_filled_at_once(complete: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sharded(2**20)
    fills: list[tuple[int, ...]] = []

    def filled(metadata: ArrayMetadata, shape: tuple[int, ...]) -> Any:
        fills.append(shape)
        return np.zeros(shape, metadata.dtype)

    monkeypatch.setattr("zspy.documents.chunks.filled", filled)
    if complete:
        with pytest.raises(FormatError, match=r"are missing: .*data \(1048576\)"):
            zspy.file_reader(file, missing="raise")
    else:  # of another writer
        file["Experiments/t/zarr.json"] = b'{"zarr_format": 3, "node_type": "group"}'
        zspy.file_reader(file, missing="raise")
    assert fills == [(2**20,)]


@pytest.mark.parametrize(
    ("count", "edge", "fits"), [(2**12, 1, True), (2**17, 1, False), (2**12, 2**17, False)]
)
def test_chunks_of_a_shard_that_are_the_same_bytes_count_each(
    count: int, edge: int, fits: bool, tmp_path: Path
) -> None:
    chunk = bytes(numcodecs.Zstd(1).encode(bytes(8 * edge)))
    index = np.array([[0, len(chunk)]] * count, "<i8").tobytes()
    shard = chunk + bytes(numcodecs.CRC32C(location="end").encode(index))
    path = tmp_path / "a.zspy"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for key, data in {**sharded(count, edge), "Experiments/t/data/c/0": shard}.items():
            file.writestr(key, data)
    found = [one.message for one in zspy.check(path, data=True, show_progressbar=False)]
    refused = [one for one in found if "hardly anything of that is stored" in one]
    assert bool(refused) is not fits
    if fits:
        (signal,) = zspy.file_reader(path)
        assert np.shape(signal["data"]) == (2,)
        return
    with pytest.raises(FormatError, match="hardly anything of that is stored"):
        zspy.file_reader(path)


def repeated(count: int, shards: int) -> dict[str, bytes]:
    """Give a file whose shards name one and the same bytes for each of their chunks."""
    chunk = bytes(numcodecs.Zstd(1).encode(bytes(8)))
    index = np.array([[0, len(chunk)]] * count, "<i8").tobytes()
    shard = chunk + bytes(numcodecs.CRC32C(location="end").encode(index))
    file = sharded(count)
    key = "Experiments/t/data/zarr.json"
    document = json.loads(file[key]) | {"shape": [count * shards]}
    axis = "Experiments/t/axis-0/zarr.json"
    told = json.loads(file[axis])
    told["attributes"]["size"] = count * shards
    chunks = {f"Experiments/t/data/c/{number}": shard for number in range(shards)}
    return {**file, **chunks, key: json.dumps(document).encode(), axis: json.dumps(told).encode()}


def test_chunks_of_all_shards_are_looked_up_as_often_as_what_is_stored_pays(
    tmp_path: Path,
) -> None:
    """Hardly a byte each is stored of them in a zip; what they decode to is small."""
    path = tmp_path / "a.zspy"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for key, data in repeated(2**11, 3).items():
            file.writestr(key, data)
    for count, refused in ((2**11, 2), (2**13, 0)):
        limits = Limits(memory=count * LOOKUP)
        found = zspy.check(path, data=True, limits=limits, show_progressbar=False)
        assert sum("it has 2048 chunks, and hardly" in one.message for one in found) == refused
        if refused:
            with pytest.raises(FormatError, match="hardly anything of that is stored"):
                zspy.file_reader(path, limits=limits)
        else:
            zspy.file_reader(path, limits=limits)


def test_what_is_stored_of_a_chunk_brings_few_to_look_up() -> None:
    budget = Budget(Limits(memory=0))
    budget.look_up(10, str, lambda: 80)
    with pytest.raises(FormatError, match="it has 11 chunks, and hardly anything of that"):
        budget.look_up(11, str, lambda: 80)


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="where a file has holes is not known")
@pytest.mark.parametrize("kind", ["local", "zip", "lmdb", "dbm.dumb"])
def test_a_hole_in_a_file_is_nothing_that_is_stored(kind: str, tmp_path: Path) -> None:
    """A file of some kilobytes may say that it is one of gigabytes: the disk holds none of it."""
    path = tmp_path / "a.zspy"
    size = 2**25
    file: dict[str, bytes] = {}
    data = np.zeros(size, "u1")
    zspy.file_writer(file, signal_of(data, 1), chunks=(size,), compressor=False, **QUIET)
    key = "Experiments/t/data/0"
    if kind == "zip":
        _write_zip_with_hole(path, file, key)
    elif kind == "lmdb":
        zspy.commit(file, path, store_type="lmdb")
        _dig(path / "data.mdb")
    elif kind == "dbm.dumb":
        with dbm.dumb.open(str(path), "n") as database:
            for name, document in file.items():
                database[name] = document
        _dig(tmp_path / "a.zspy.dat")
    else:
        zspy.commit(file, path)
        os.truncate(path / key, 0)
        os.truncate(path / key, size)
    limits = Limits(memory=2**20, expansion=2**10)
    refused = "hardly anything of that is stored"
    for lazy in (False, True):
        with pytest.raises(FormatError, match=refused):
            np.asarray(zspy.file_reader(path, lazy=lazy, limits=limits)[0]["data"][:2])
    found = zspy.check(path, data=True, limits=limits, show_progressbar=False)
    assert any(refused in one.message for one in found)


def _dig(path: Path) -> None:
    """Write a file anew, with holes where nothing but zeros is."""
    data = path.read_bytes()
    with path.open("wb") as file:
        for start in range(0, len(data), 2**12):
            block = data[start : start + 2**12]
            if any(block):
                file.seek(start)
                file.write(block)
        file.truncate(len(data))


def _write_zip_with_hole(path: Path, file: Documents, hole: str) -> None:
    """Write a zip in which what is stored under a key is a hole."""

    class Sparse(zipfile.ZipFile):
        def put_hole(self, info: zipfile.ZipInfo, size: int) -> None:
            info.CRC, info.file_size, info.compress_size = 0, size, size
            info.header_offset = self.start_dir
            target: Any = self.fp
            target.seek(self.start_dir)
            target.write(info.FileHeader(False))
            target.seek(size, os.SEEK_CUR)
            self.start_dir = target.tell()
            self.filelist.append(info)
            self.NameToInfo[info.filename] = info

    with Sparse(path, "w") as archive:
        archive.put_hole(zipfile.ZipInfo(hole), len(file[hole]))
        for key, data in file.items():
            if key != hole:
                archive.writestr(key, data)


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="where a file has holes is not known")
def test_no_more_of_a_chunk_of_cells_is_read_than_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    cells = np.empty(3, object)
    cells[:] = [np.arange(n + 1.0) for n in range(3)]
    zspy.file_writer(path, {"data": cells, "axes": [{"size": 3}], "metadata": {}}, **QUIET)
    limits = Limits(memory=2**20, expansion=2**10)
    assert len(zspy.file_reader(path, limits=limits)) == 1
    for chunk in path.glob("Experiments/*/data*/0"):
        os.truncate(chunk, 2**26)
    with pytest.raises(FormatError, match=r"a chunk that has more than \d{7} bytes"):
        zspy.file_reader(path, limits=limits)


def test_memory_that_a_lazy_array_lacks_is_an_error_of_zspy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(np.zeros(4), 1), **QUIET)
    (lazy,) = zspy.file_reader(path, lazy=True)

    def fail(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("zspy.stores.directory.read_at", fail)
    with pytest.raises(FormatError, match="Experiments/t/data: there is not enough memory"):
        np.asarray(lazy["data"])


def test_tiny_chunks_are_decoded_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To hand each to a thread takes as long again."""
    threads: list[int] = []

    def in_threads(_: object, number: int) -> Any:
        threads.append(number)
        return contextlib.nullcontext(map)

    monkeypatch.setattr("zspy.files.lazy.in_threads", in_threads)
    for edge in (2**8, 2**12):
        file: dict[str, bytes] = {}
        zspy.file_writer(file, signal_of(np.zeros(2**14), 1), chunks=(edge,), **QUIET)
        (lazy,) = zspy.file_reader(file, lazy=True)
        assert not np.asarray(lazy["data"]).any()
    assert threads == [1, 4]


def test_a_lazy_array_that_something_explains_is_read_within_the_limits() -> None:
    file: dict[str, bytes] = {}
    masked = np.ma.MaskedArray(np.zeros(4), np.arange(4) == 1)
    zspy.file_writer(file, signal_of(masked, 1), **QUIET)
    huge = sized(file, "data", shape=[2**50])
    for one in (huge, sized(huge, "data_mask/mask", shape=[2**50])):
        with pytest.raises(FormatError, match="9007199254740992 bytes"):
            zspy.file_reader(one, lazy=True)


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("checksum", [False, True])
def test_a_flip_in_a_file_is_an_error_or_found_or_changes_nothing(
    checksum: bool, zarr_format: Any
) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, content(), zarr_format=zarr_format, checksum=checksum, **QUIET)
    sound = zspy.file_reader(file)
    for key, data in file.items():
        is_document = key.endswith((".zattrs", ".zarray", ".zgroup", "zarr.json"))
        if not is_document and zarr_format == 2 and not checksum:
            continue  # may go unnoticed, says the page
        for bit in range(len(key) % 97, 8 * len(data), 97 if is_document else 31):
            damaged = {**file, key: flipped(data, bit)}
            found = read(damaged)
            if found is not None and first_difference(found, sound) is not None:
                assert is_document, (key, bit)
                assert zspy.check(damaged), (key, bit)


def test_a_flip_in_a_zip_is_an_error_or_found_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, content(), store_type="zip", **QUIET)
    sound, data = zspy.file_reader(path), path.read_bytes()
    for bit in range(0, 8 * len(data), 307):
        path.write_bytes(flipped(data, bit))
        found = read(path)
        if found is not None and first_difference(found, sound) is not None:
            assert zspy.check(path), bit


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_check_alone_finds_what_reading_takes_as_it_is(zarr_format: Any) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, content(), zarr_format=zarr_format, chunks=(2, 10), **QUIET)
    gone = {key: data for key, data in file.items() if "/metadata/d/" not in key}
    stray = {**file, "Experiments/t/notes": b""}
    name = ".zattrs" if zarr_format == 2 else "zarr.json"
    key = f"Experiments/t/metadata/General/{name}"
    changed = {**file, key: file[key].replace(b'"t"', b'"s"')}
    with pytest.warns(UserWarning, match="documents that were written are missing"):
        assert zspy.file_reader(gone)
    for damaged in (stray, changed):
        assert zspy.file_reader(damaged)
    for damaged in (gone, stray, changed):
        assert {one.severity for one in zspy.check(damaged)} == {"warning"}
    chunk = f"Experiments/t/data/{'c/' if zarr_format == 3 else ''}2/0"
    lost = {key: data for key, data in file.items() if key != chunk}
    (lazy,) = zspy.file_reader(lost, lazy=True)
    assert np.asarray(lazy["data"][0]).size == 10
    assert [one.key for one in zspy.check(lost)] == [chunk]


def test_a_name_of_thousands_of_levels_is_not_climbed_level_by_level() -> None:
    looked_for: list[str] = []

    class Nodes(set[str]):
        def __contains__(self, path: object) -> bool:
            looked_for.append(str(path))
            return super().__contains__(path)

    assert node_above("a/" * 30_000, Nodes({"a", "b/c"}), 3) == "a"
    assert looked_for == ["a/a", "a"]
    looked_for.clear()
    deep = "/".join(["a"] * 1000)  # one node that is as deep does not change that
    assert node_above("b/" * 500, Nodes({"b", deep}), len(deep)) == "b"
    assert len(looked_for) < 20
    keys = [".zgroup", "a/.zarray", f"{'b/' * 30_000}0", f"{'a/' * 30_000}0"]
    assert node_keys(keys) == [*keys[:3]]


def test_what_is_lost_far_below_an_array_is_not_climbed(tmp_path: Path) -> None:
    """From the root down there is one array; below it, names go on as long as they like."""
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, content(), store_type="zip", zarr_format=3, **QUIET)
    (found,) = zspy.file_reader(path)
    title = found["metadata"]["General"]["title"]
    with zipfile.ZipFile(path, "a") as file:
        for number in range(20):
            file.writestr(f"Experiments/{title}/data/x{number}/{'a/' * 30_000}0", b"")
    (again,) = zspy.file_reader(path)
    assert first_difference(found, again) is None


def test_a_text_that_is_not_closed_is_looked_at_once() -> None:
    """Values in it do not count: whoever counts them has looked at the rest from each quote on."""
    values = b"," * 2**21
    assert has_many_values(b"{" + values)
    for text in (b'"' + values, b'"\\"' + values, b'"' + values + b"\\"):
        assert not has_many_values(b"{" + text)


@pytest.mark.parametrize(
    "text", [b'"' + b"\\n," * 2**21 + b'"', b"[" + (b'"' + b"," * 40 + b'",') * 2**16 + b"1]"]
)
def test_the_escapes_of_a_text_and_many_texts_take_no_memory(text: bytes) -> None:
    tracemalloc.start()
    try:
        assert not has_many_values(text)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_no_more_axes_are_looked_for_than_an_array_can_have() -> None:
    looked_for: list[object] = []

    class Groups(dict[str, Group]):
        def __contains__(self, path: object) -> bool:
            looked_for.append(path)
            return super().__contains__(path)

    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(4), 1), **QUIET)
    path = "Experiments/t/data"
    nodes = parse_nodes(Given(file), (), Limits())
    metadata, _ = nodes.arrays[path]
    attributes: dict[str, Any] = {NAV_SHAPE: [1] * 10**5}
    huge = ParsedNodes(Groups(nodes.groups), {path: (metadata, attributes)}, nodes.documents)
    assert _lost_axis(huge, path) is not None
    assert len(looked_for) < 100


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_chain_has_so_many_codecs(zarr_format: Any) -> None:
    """Each of thousands copies the chunk, which may be large, and hardly anything of it stored."""
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.zeros(4), 1), zarr_format=zarr_format, **QUIET)
    key = f"Experiments/t/data/{'.zarray' if zarr_format == 2 else 'zarr.json'}"
    document = json.loads(file[key])
    if zarr_format == 2:
        document["filters"] = [{"id": "shuffle", "elementsize": 8}] * 33
    else:
        document["codecs"] += [{"name": "crc32c"}] * 33
    with pytest.raises(FormatError, match="codecs; 32 are allowed"):
        zspy.file_reader({**file, key: json.dumps(document).encode()})


@pytest.mark.parametrize("updates", [False, True])
def test_the_work_of_writing_grows_as_the_number_of_signals(updates: bool) -> None:
    work: list[int] = []
    for count in (100, 200):
        place: dict[str, bytes] = {}
        signals = [plain_signal(np.arange(3.0), str(number), 1) for number in range(count)]
        if updates:
            zspy.file_writer(place, signals)
        work.append(
            calls(lambda: zspy.file_writer(place, signals, write_dataset=not updates))  # noqa: B023
        )
    assert work[1] < 2.3 * work[0]


def test_the_index_of_a_shard_takes_no_more_than_the_memory_of_the_limits() -> None:
    file: dict[str, bytes] = {}
    signal = signal_of(np.arange(4096, dtype="u1"), 1)
    zspy.file_writer(file, signal, zarr_format=3, chunks=1, shards=(4096,), **QUIET)
    with pytest.raises(FormatError, match="a shard of 4096 chunks, whose index takes 65540 bytes"):
        zspy.file_reader(file, limits=Limits(memory=2**15))


def test_the_work_of_adding_to_a_deep_file_grows_as_its_folders(tmp_path: Path) -> None:
    """30,000 folders, 1,880 levels deep, took minutes."""
    counts: list[int] = []
    for levels in (100, 200):
        path = tmp_path / f"{levels}.zspy"
        zspy.file_writer(path, plain_signal(np.arange(3.0)), sync=False)
        folder = path / "Experiments/t/metadata"
        for _ in range(levels):
            folder /= "a"
            folder.mkdir()
            (folder / ".zgroup").write_bytes(b'{"zarr_format":2}')
        add = partial(
            zspy.file_writer, path, plain_signal(np.arange(3.0), "b"), mode="a", sync=False
        )
        counts.append(calls(add))
    assert counts[1] < 2.2 * counts[0]
