"""Large arrays: in chunks and shards, eagerly and lazily, by whatever dask runs its tasks."""

from __future__ import annotations

import json
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, cast

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, strategies as st
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import TransposeCodec
from zarr.registry import register_codec
from zarr.storage import MemoryStore

import zspy
from tests.support.places import DATABASES, IN_MEMORY, ONLY_WHOLE, place_of
from zspy import EncodeError, FormatError
from zspy.documents.chunk_shapes import chosen_chunks
from zspy.documents.storage import metadata_for
from zspy.files import (
    chunking as files_chunking,
    lazy as files_lazy,
    write_arrays as _zarr,
    write_arrays as files_write_arrays,
)
from zspy.files.lazy import StoredArray
from zspy.stores import backends as stores_backends, directory as _store, zip as _zips
from zspy.stores.backends import STORE_TYPES
from zspy.stores.base import Sink
from zspy.stores.zarr_store import MappingStore
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat, is_lazy
from zspy.values.ragged import object_array

AnyArray = np.ndarray[Any, Any]

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
FORMATS: Final[tuple[ZarrFormat, ...]] = (2, 3)
both_formats = pytest.mark.parametrize("zarr_format", FORMATS)
DATA: Final = "Experiments/__unnamed__/data"


def from_array(data: AnyArray, chunks: Any) -> Any:
    from dask import array as da

    return cast("Any", da).from_array(data, chunks=chunks)


def equal(a: Any, b: Any) -> bool:
    """Compare two arrays, lazy or not."""
    return np.array_equal(np.asarray(a), np.asarray(b))


def signal_of(data: Any, signal_dimensions: int = 1, **more: Any) -> dict[str, Any]:
    """Make a signal, of which the first dimensions navigate."""
    navigation = data.ndim - signal_dimensions
    axes = [{"navigate": index < navigation} for index in range(data.ndim)]
    return {"data": data, "axes": axes, "metadata": more}


def counting(*shape: int, dtype: str = "f4") -> AnyArray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def document(place: Any, path: str = DATA) -> dict[str, Any]:
    """Return what is stored of an array."""
    documents = zspy.fetch(place)
    for name in (".zarray", "zarr.json"):
        if (found := documents.get(f"{path}/{name}")) is not None:
            return cast("dict[str, Any]", json.loads(found))
    raise AssertionError(path)


def lazily(place: Any, **options: Any) -> Any:
    (signal,) = zspy.file_reader(place, lazy=True, **options)
    return signal["data"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


# --------------------------------------------------------------------------------------------------
# Blocks, chunks and shards


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((3, 7), [3, 7]),
        ([3, 7], [3, 7]),
        ((np.int64(3), 100), [3, 100]),
        (4, [4, 4]),
        (np.int8(4), [4, 4]),
        (1000, [10, 20]),
        (False, [10, 20]),
        (True, [10, 20]),
        (None, [10, 20]),
    ],
)
def test_chunks_are_what_the_caller_says(chunks: Any, expected: list[int]) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(10, 20)), chunks)
    assert document(place)["chunks"] == expected
    assert equal(zspy.file_reader(place)[0]["data"], counting(10, 20))


def test_chunks_of_true_are_small() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(10, 300_000)), True, **QUIET)
    assert document(place)["chunks"] == [10, 26214]


def test_chunks_of_dask_are_its_first_blocks() -> None:
    for blocks, expected in ((((4, 6), (20,)), [4, 20]), (((0, 7, 3), (5, 15)), [7, 5])):
        place: dict[str, bytes] = {}
        data = from_array(counting(10, 20), blocks)
        zspy.file_writer(place, signal_of(data), **QUIET)
        assert document(place)["chunks"] == expected
        assert equal(zspy.file_reader(place)[0]["data"], counting(10, 20))


@pytest.mark.parametrize("rows", [1, 2**15])
def test_a_block_that_was_cut_makes_no_tiny_chunks(rows: int) -> None:
    """A tiny first block is what a selection has left; one that is not tiny stays as it is."""
    place: dict[str, bytes] = {}
    data = counting(2 * 20 * rows + 5)
    blocks = ((rows, 20 * rows, 20 * rows - rows + 5),)
    zspy.file_writer(place, signal_of(from_array(data, blocks)), **QUIET)
    assert document(place)["chunks"] == [24 if rows == 1 else rows]
    assert equal(zspy.file_reader(place)[0]["data"], data)


@pytest.mark.parametrize(
    "chunks",
    [(3,), (3, 0), (3, -1), (3, 2.0), "auto", 0, -1, 1.5, ((5, 5), (20,)), np.array([3.0, 2.0])],
)
def test_bad_chunks_are_refused(chunks: Any, path: Path) -> None:
    with pytest.raises(EncodeError, match=r"^chunks: .* are no chunks; give"):
        zspy.file_writer(path, signal_of(counting(10, 20)), chunks)
    assert not path.exists()


def test_edges_may_be_an_array() -> None:
    place: dict[str, bytes] = {}
    signal = signal_of(counting(10, 20))
    edges: Any = np.array([5, 10])
    zspy.file_writer(place, signal, edges, shards=2 * edges, zarr_format=3)
    assert zspy.file_reader(place, lazy=True, blocks=0)[0]["data"].chunksize == (10, 20)
    with pytest.raises(EncodeError, match=r"^shards: shards are of Zarr format 3"):
        zspy.file_writer({}, signal, shards=edges)


def test_chunks_that_no_compressor_takes_are_divided() -> None:
    from dask import array as da

    data = cast("Any", da).zeros((2**17, 2**15), chunks=-1, dtype="u1")  # 4 GiB, not computed
    array = zspy.Array(data)
    assert chosen_chunks(array, None, (1,), 2**22) == data.shape
    from zspy.documents.storage import Storage, metadata_for

    assert np.prod(metadata_for("", zspy.Array(data, chunks=data.shape), Storage()).chunks) < 2**31


@both_formats
def test_ragged_data_is_one_chunk_unless_it_is_large(zarr_format: ZarrFormat) -> None:
    cells = object_array((np.arange(float(n % 5)) for n in range(60)), (6, 10))
    for chunks, expected in ((None, [6, 10]), ((2, 5), [2, 5]), (True, [6, 10])):
        place: dict[str, bytes] = {}
        zspy.file_writer(place, signal_of(cells, 0), chunks, zarr_format=zarr_format)
        if zarr_format == 2:
            assert document(place)["chunks"] == expected
            shapes = document(place, "Experiments/__unnamed__/_ragged_shapes_data")
            assert shapes["chunks"] == expected
        (found,) = zspy.file_reader(place)
        assert all(map(equal, found["data"].ravel(), cells.ravel()))
    large = object_array([np.zeros(10**6)] * 30, (30,))
    assert chosen_chunks(zspy.Array(large, cells="<f8"), None, (0,), 1) == (12,)
    assert chosen_chunks(zspy.Array(cells[:0], cells="<f8"), 3, (), 1) is None


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ((8, 256), [8, 256]),
        ([4, 512], [4, 512]),
        (None, [64, 20224]),
        (True, [64, 20224]),
        (False, None),
    ],
)
def test_shards_are_what_the_caller_says(shards: Any, expected: Any) -> None:
    place: dict[str, bytes] = {}
    data = counting(64, 20_000, dtype="u2")
    signal = signal_of(data)
    zspy.file_writer(place, signal, (4, 256), zarr_format=3, shards=shards, **QUIET)
    stored = document(place)
    (outer,) = (codec for codec in stored["codecs"][:1])
    assert stored["chunk_grid"]["configuration"]["chunk_shape"] == (expected or [4, 256])
    assert (outer["name"] == "sharding_indexed") == (expected is not None)
    for lazy in (False, True):
        assert equal(zspy.file_reader(place, lazy)[0]["data"], data)


def test_an_edge_for_all_dimensions_ends_with_the_data_and_so_does_its_shard() -> None:
    place: dict[str, bytes] = {}
    data = counting(3, 8)
    chunks, shards = 4, (8, 4)
    zspy.file_writer(place, signal_of(data), chunks, zarr_format=3, shards=shards, **QUIET)
    assert document(place)["chunk_grid"]["configuration"]["chunk_shape"] == [3, 4]
    assert equal(zspy.file_reader(place)[0]["data"], data)


def test_shards_are_about_as_large_as_the_chunks_of_a_release() -> None:
    data = np.broadcast_to(np.uint16(0), (256, 256, 256, 256))
    chunks = chosen_chunks(zspy.Array(data), None, (2, 3), 2**20)
    assert chunks is not None
    assert 2 * np.prod(chunks) <= 2**20
    shards = files_chunking.chosen_shards(zspy.Array(data), chunks, None, (2, 3), data.shape)
    assert not any(np.remainder(shards, chunks))
    assert 0.5e8 < 2 * np.prod(shards) <= 1e8


def test_small_data_is_sharded_only_where_the_caller_says_so() -> None:
    place: dict[str, bytes] = {}
    for shards, name in ((None, "bytes"), (True, "sharding_indexed"), ((4, 4), "sharding_indexed")):
        zspy.file_writer(place, signal_of(counting(8, 8)), 2, zarr_format=3, shards=shards)
        assert document(place)["codecs"][0]["name"] == name
        assert equal(zspy.file_reader(place)[0]["data"], counting(8, 8))


def test_data_without_elements_has_shards_for_those_to_come() -> None:
    place: dict[str, bytes] = {}
    signal = signal_of(counting(0, 8))
    zspy.file_writer(place, signal, (2, 4), zarr_format=3, shards=True, **QUIET)
    assert document(place)["codecs"][0]["name"] == "sharding_indexed"
    assert zspy.file_reader(place)[0]["data"].shape == (0, 8)


@pytest.mark.parametrize(
    ("shards", "message"),
    [((6, 4), "no multiple"), ((4,), "give 2 edges"), (8, "give 2 edges"), ((4, 0), "positive")],
)
def test_bad_shards_are_refused(shards: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=f"^shards: .*{message}"):
        zspy.file_writer({}, signal_of(counting(8, 8)), 4, zarr_format=3, shards=shards)
    with pytest.raises(EncodeError, match="shards: shards are of Zarr format 3; leave them out"):
        zspy.file_writer({}, signal_of(counting(8, 8)), 4, shards=shards)


# --------------------------------------------------------------------------------------------------
# Values


@both_formats
@pytest.mark.parametrize("lazy", [False, True], ids=["numpy", "dask"])
def test_the_sign_of_zero_is_kept(lazy: bool, zarr_format: ZarrFormat) -> None:
    """A chunk that equals the fill value is no empty chunk."""
    data = np.full((1200, 400), -0.0)
    data[5, 5] = 1
    place: dict[str, bytes] = {}
    given = from_array(data, 200) if lazy else data
    zspy.file_writer(place, signal_of(given), 100, zarr_format=zarr_format, **QUIET)
    (found,) = zspy.file_reader(place)
    assert equal(np.signbit(found["data"]), np.signbit(data))


DTYPES: Final[dict[str, Any]] = {
    "float": "<f4",
    "big endian": ">f8",
    "half": "<f2",
    "complex": "<c8",
    "bool": "?",
    "text": "<U5",
    "bytes": "S5",
    "void": "V3",
    "time": "<M8[25s]",
    "time without unit": "<m8",
    "long double": "g",
    "long complex": "G",
    "fields": [("a", "<f8"), ("b", "S2")],
    "fields of times": [("a", "<M8[s]")],
    "fields of long doubles": [("a", "g")],
    "fields with shapes": [("a", "<f8", (2, 3))],
    "fields in fields": [("a", [("b", "<i2")])],
}


@both_formats
@pytest.mark.parametrize("name", DTYPES)
def test_large_arrays_of_every_dtype_are_kept(name: str, zarr_format: ZarrFormat) -> None:
    dtype = np.dtype(DTYPES[name])
    count = 2 * (2**20 // dtype.itemsize + 1)
    data = np.resize(np.arange(256, dtype="u1") % 3, count * dtype.itemsize).view(dtype)

    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"zarr_format": zarr_format, "homogenize": False, **QUIET}
    zspy.file_writer(place, signal_of(data.reshape(2, -1)) | {"metadata": {"x": data}}, **options)
    for lazy in (False, True):
        (found,) = zspy.file_reader(place, lazy)
        for one in (np.asarray(found["data"]).ravel(), np.asarray(found["metadata"]["x"])):
            assert one.dtype == dtype
            assert one.tobytes() == data.tobytes()


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_arrays_that_zarr_cannot_reach_are_read(lazy: bool, tmp_path: Path) -> None:
    deep: Any = {"x": counting(1000, 1000)}
    for _ in range(100):
        deep = {"quite a long name for a group": deep}
    tree = {"deep": deep, "with \\ in it": counting(500, 1000)}
    places: tuple[Any, ...] = ({}, tmp_path / "scan.zspy")
    for place in places:
        signal = signal_of(counting(3)) | {"metadata": tree}
        zspy.file_writer(place, signal, **QUIET)
        (found,) = zspy.file_reader(place, lazy)
        inner: Any = found["metadata"]["deep"]
        while "x" not in inner:
            (inner,) = inner.values()
        assert is_lazy(inner["x"]) == lazy
        assert equal(inner["x"], counting(1000, 1000))
        assert equal(found["metadata"]["with \\ in it"], counting(500, 1000))


# --------------------------------------------------------------------------------------------------
# What other programs write


def put_array(place: dict[str, bytes], path: str, data: AnyArray, **options: Any) -> None:
    """Let zarr-python write an array into a file."""
    array = cast("Any", zarr).create_array(
        MappingStore(place),
        name=path,
        shape=data.shape,
        dtype=data.dtype,
        overwrite=True,
        **options,
    )
    array[...] = data  # `create_array(data=...)` of zarr 3.1.0 spoils shards


@pytest.mark.filterwarnings("ignore:The data type")  # its class is newer than zarr 3.1.0
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("dtype", ["datetime64[s]", "<U3", "S3", ">f4", "uint16"])
@pytest.mark.parametrize("sharded", [False, True], ids=["chunks", "shards"])
def test_arrays_of_other_writers_are_read(dtype: str, lazy: bool, sharded: bool) -> None:
    data = (np.arange(600).reshape(20, 30) % 100).astype(dtype)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(20, 30)), zarr_format=3)
    more = {"shards": (10, 10)} if sharded else {}
    put_array(place, DATA, data, chunks=(5, 5), **more)
    (found,) = zspy.file_reader(place, lazy=lazy)
    assert is_lazy(found["data"]) == lazy
    assert found["data"].dtype.newbyteorder("=") == data.dtype.newbyteorder("=")
    assert equal(found["data"], data)


@pytest.mark.parametrize("sharded", [False, True], ids=["chunks", "shards"])
def test_transposed_arrays_are_read(sharded: bool) -> None:
    data = counting(7, 8, 9)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data), zarr_format=3)
    more = {"shards": (4, 6, 8)} if sharded else {}
    put_array(place, DATA, data, chunks=(2, 3, 4), filters=TransposeCodec(order=(2, 0, 1)), **more)
    assert equal(zspy.file_reader(place)[0]["data"], data)
    assert equal(lazily(place), data)


def test_shards_that_were_not_written_hold_the_fill_value() -> None:
    data = counting(20, 30)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data), zarr_format=3)
    put_array(place, DATA, data, chunks=(5, 5), shards=(10, 30))
    spoil(place, "data/c/1/0", None)
    assert equal(zspy.file_reader(place)[0]["data"], [*data[:10], *np.zeros((10, 30))])


@pytest.mark.filterwarnings("ignore:The (data type|codec)")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_sharded_strings_are_read(lazy: bool) -> None:
    data = np.array(["a", "bc", "é", ""] * 5, np.dtypes.StringDType())
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(20)), zarr_format=3)
    put_array(place, DATA, data, chunks=(2,), shards=(10,))
    (found,) = zspy.file_reader(place, lazy=lazy)
    assert np.asarray(found["data"]).tolist() == data.tolist()
    assert found["data"].dtype == object


def spoil(place: dict[str, bytes], key: str, value: bytes | None) -> None:
    (full,) = [one for one in place if one.endswith(f"unnamed__/{key}")]
    if value is None:
        del place[full]
    else:
        place[full] = value


@both_formats
def test_a_damaged_chunk_names_its_array(zarr_format: ZarrFormat) -> None:
    key = "data/1/0" if zarr_format == 2 else "data/c/1/0"
    for shards in (False, True) if zarr_format == 3 else (False,):
        place: dict[str, bytes] = {}
        options: dict[str, Any] = {"zarr_format": zarr_format, "shards": shards, **QUIET}
        zspy.file_writer(place, signal_of(counting(1200, 400)), (100, 400), **options)
        key = "data/c/0/0" if shards else key
        spoil(place, key, b"damaged")
        with pytest.raises(FormatError, match=r"a chunk (of|that) .* ") as error:
            zspy.file_reader(place)
        assert f"{error.value.location}/".endswith(f"/{key}/")
        lazy = lazily(place)
        with pytest.raises(FormatError, match=r"a chunk (of|that) "):
            lazy.compute()


def test_an_array_that_is_stored_otherwise_is_named() -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(1200, 400)), zarr_format=3, **QUIET)
    stored = document(place)
    stored["storage_transformers"] = [{"name": "unheard of"}]
    spoil(place, "data/zarr.json", json.dumps(stored).encode())
    for lazy in (False, True):
        with pytest.raises(FormatError, match=r"transformer .* is not supported") as error:
            zspy.file_reader(place, lazy)
        assert error.value.location == f"{DATA}/zarr.json"


@dataclass(frozen=True)
class Mirrored(BytesBytesCodec):
    """A codec that zspy does not know."""

    is_fixed_size = True

    def to_dict(self) -> dict[str, Any]:
        return {"name": "tests.mirrored"}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Mirrored:
        assert data["name"] == "tests.mirrored"
        return cls()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:  # noqa: ARG002
        return input_byte_length

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        if chunk_data.to_bytes() == b"warn":
            warnings.warn("as told", UserWarning, stacklevel=1)
        return chunk_spec.prototype.buffer.from_bytes(chunk_data.to_bytes()[::-1])


register_codec("tests.mirrored", Mirrored)


@pytest.mark.filterwarnings("ignore:The codec")  # of strings, in zarr 3.1.0
@pytest.mark.parametrize(
    "data",
    [
        counting(20, 30),
        counting(20, 30, dtype=">f8"),
        counting(20).astype("M8[s]"),
        np.array(["a", "bcd"]),
        object_array(["a", "bcd", ""], (3,)),
    ],
    ids=lambda data: str(data.dtype),
)
def test_codecs_that_the_reader_allows_are_left_to_zarr_python(data: AnyArray) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data, 0), zarr_format=3, shards=False, **QUIET)
    stored = document(place)
    stored["codecs"].append({"name": "tests.mirrored"})
    spoil(place, "data/zarr.json", json.dumps(stored).encode())
    place |= {key: place[key][::-1] for key in place if key.startswith(f"{DATA}/c/")}
    with pytest.raises(FormatError, match=r"the codec 'tests\.mirrored' is not allowed"):
        zspy.file_reader(place)
    allowed: dict[str, Any] = {"codecs": ["tests.mirrored"]}
    (eager,), lazy = zspy.file_reader(place, **allowed), lazily(place, **allowed)
    assert first_difference(eager["data"], data) is None
    assert first_difference(lazy.compute(), data) is None
    assert {one.severity for one in zspy.check(place, data=True, **allowed)} == {"warning"}
    first = next(key for key in place if key.startswith(f"{DATA}/c/"))
    with pytest.raises(UserWarning, match="as told"):
        zspy.file_reader({**place, first: b"warn"}, **allowed)
    place |= {key: b"damaged" for key in place if key.startswith(f"{DATA}/c/")}
    with pytest.raises(FormatError, match="the array cannot be read") as error:
        zspy.file_reader(place, **allowed)
    assert error.value.location == f"{DATA}/zarr.json"
    with pytest.raises(FormatError, match="the array cannot be read"):
        lazily(place, **allowed).compute()


# --------------------------------------------------------------------------------------------------
# Lazy reading


@pytest.mark.parametrize("blocks", [0, 40_000])
@pytest.mark.parametrize(
    ("zarr_format", "chunks", "shards"),
    [
        *((2, (7, 30), None), (2, (100, 11), None), (2, (3, 100), None), (3, (7, 30), False)),
        *((3, (7, 30), (21, 60)), (3, (5, 5), (50, 10))),
    ],
)
def test_blocks_are_whole_chunks_or_shards(
    zarr_format: ZarrFormat, chunks: tuple[int, int], shards: Any, blocks: int
) -> None:
    data = counting(250, 300)
    place: dict[str, bytes] = {}
    options: dict[str, Any] = {"zarr_format": zarr_format, "shards": shards}
    zspy.file_writer(place, signal_of(data), chunks, **options, **QUIET)
    lazy = lazily(place, blocks=blocks)
    for lengths, unit in zip(lazy.chunks, shards or chunks, strict=True):
        assert all(length % unit == 0 for length in lengths[:-1])
    assert np.prod(lazy.chunksize) * 4 <= max(blocks, 4 * np.prod(shards or chunks))
    assert equal(lazy, data)
    assert equal(lazy[::-3, [1, 5, 299]][2:4], data[::-3, [1, 5, 299]][2:4])


@pytest.mark.parametrize(
    ("shape", "unit", "itemsize", "block"),
    [
        ((10, 10), (2, 2), 1, (10, 10)),
        ((10**9,), (2**20,), 1, (2**27,)),
        ((100, 2**20), (1, 2**20), 8, (16, 2**20)),
        ((100, 2**30), (1, 2**20), 8, (1, 2**24)),
        ((100, 100), (100, 1), 2**25, (100, 1)),
        ((0, 5), (1, 5), 8, (1, 5)),
    ],
)
def test_blocks_are_about_128_mebibytes(shape: Any, unit: Any, itemsize: int, block: Any) -> None:
    assert files_chunking.joined_blocks(shape, unit, itemsize, files_chunking.BLOCK) == block


@both_formats
@pytest.mark.parametrize("store_type", ["local", "zip"])
def test_opening_reads_no_chunk_of_a_large_array(
    store_type: Any, zarr_format: ZarrFormat, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    if store_type == "local":
        inner = _store.Directory.read

        def noted(file: _store.Directory, key: str, part: slice = slice(None)) -> bytes:
            read.append(key)
            return inner(file, key, part)

        monkeypatch.setattr(_store.Directory, "read", noted)
    else:
        entry = _zips.Zip.read

        def looked_up(file: _zips.Zip, key: str, part: slice = slice(None)) -> bytes:
            read.append(key)
            return entry(file, key, part)

        monkeypatch.setattr(_zips.Zip, "read", looked_up)
    signal = signal_of(counting(1200, 400)) | {"metadata": {"x": counting(1200, 400)}}
    zspy.file_writer(path, signal, store_type=store_type, zarr_format=zarr_format, **QUIET)
    (found,) = zspy.file_reader(path, lazy=True)
    names = {".zgroup", ".zattrs", ".zarray", ".zmetadata", "zarr.json"}
    assert {key.rpartition("/")[2] for key in read} <= names
    read.clear()
    assert found["data"][:3, :3].compute().tolist() == counting(1200, 400)[:3, :3].tolist()
    assert {key for key in read if "/data/" in key}
    assert is_lazy(found["metadata"]["x"])


def test_the_file_is_closed_through_the_graph(path: Path) -> None:
    """As HyperSpy does."""
    zspy.file_writer(path, signal_of(counting(1200, 400)), store_type="zip", **QUIET)
    lazy = lazily(path)
    (key,) = (key for key in lazy.dask.layers if key.startswith("original-array"))
    lazy.dask[key].file.close()
    with pytest.raises(FormatError, match="was already closed"):
        lazy.compute()


@both_formats
@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
def test_a_lazy_signal_can_be_saved_over_its_own_file(
    kind: str, zarr_format: ZarrFormat, path: Path
) -> None:
    place, options = place_of(kind, path)
    options |= {"zarr_format": zarr_format, **QUIET}
    data = counting(1200, 400)
    zspy.file_writer(place, signal_of(data), (100, 400), **options)
    (signal,) = zspy.file_reader(place, lazy=True)
    signal["data"] = (signal["data"] + 1).rechunk((77, 333))
    zspy.file_writer(place, signal, **options)
    assert equal(zspy.file_reader(place)[0]["data"], data + 1)
    assert [name for name in path.parent.iterdir() if "zspy-new" in str(name)] == []


def test_data_that_comes_from_a_store_that_is_cleared_first_are_refused() -> None:
    store = MemoryStore()
    data = counting(1200, 400)
    zspy.file_writer(store, signal_of(data), **QUIET)
    (signal,) = zspy.file_reader(store, lazy=True)
    with pytest.raises(EncodeError, match="filename: the data is read from what it replaces"):
        zspy.file_writer(store, signal | {"data": signal["data"] * 2}, **QUIET)
    assert equal(zspy.file_reader(store)[0]["data"], data)
    zspy.file_writer(store, signal | {"metadata": {"new": 1}}, write_dataset=False, **QUIET)
    zspy.file_writer(MemoryStore(), signal, **QUIET)
    zspy.file_writer(store, signal | {"data": data + 1}, **QUIET)
    assert equal(zspy.file_reader(store)[0]["data"], data + 1)


@both_formats
@pytest.mark.parametrize("ragged", [False, True], ids=["numbers", "cells"])
def test_a_lazy_array_whose_file_was_replaced_says_so(
    ragged: bool, zarr_format: ZarrFormat, path: Path
) -> None:
    cells = object_array((np.arange(float(n)) for n in range(60)), (6, 10))
    signal = signal_of(cells, 0) if ragged else signal_of(counting(1200, 400))
    zspy.file_writer(path, signal, zarr_format=zarr_format, **QUIET)
    lazy = lazily(path)
    text = pickle.dumps(lazy)
    for _ in range(3):
        zspy.file_writer(path, signal, zarr_format=zarr_format, **QUIET)
        with pytest.raises(FormatError, match="the file was replaced while it was read; open it"):
            lazy.compute()
    with pytest.raises(FormatError, match="the file was replaced while it was read; open it again"):
        pickle.loads(text).compute()  # noqa: S301 - just written
    assert lazily(path).compute().shape == lazy.shape


@both_formats
def test_nothing_is_missing_in_a_lazy_array_whose_file_is_gone(
    zarr_format: ZarrFormat, path: Path
) -> None:
    zspy.file_writer(path, signal_of(counting(1200, 400)), zarr_format=zarr_format, **QUIET)
    lazy = lazily(path)
    rmtree(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(FormatError, match="the file was replaced while it was read"):
            lazy.compute()
    assert not told


@both_formats
@pytest.mark.parametrize("kind", [*STORE_TYPES, "sqlite", *IN_MEMORY])
def test_a_lazy_array_survives_what_keeps_it(
    kind: str, zarr_format: ZarrFormat, path: Path
) -> None:
    """Its axis is corrected, a signal is added, metadata is updated, frames are appended."""
    place, options = place_of(kind, path)
    options |= {"zarr_format": zarr_format, **QUIET}
    data, empty = counting(120, 40), signal_of(counting(0, 4), General={"title": "empty"})
    signal = signal_of(data, General={"title": "t"})
    signal["axes"][0] |= {"name": "y"}
    zspy.file_writer(place, [signal, empty], (7, 40), **options)
    found = {one["data"].shape[0]: one for one in zspy.file_reader(place, lazy=True)}
    lazy = found[120]["data"]
    options.pop("store_type", None)
    cast("Any", found[120]["axes"][0])["scale"] = 2.0
    zspy.file_writer(place, [*found.values()], write_dataset=False, **options)
    assert equal(lazy, data)
    zspy.file_writer(place, signal_of(counting(3)), mode="a", **options)
    assert equal(lazy, data)
    zspy.update(place, {"new": 1}, title="t")
    assert equal(lazy, data)
    if kind not in ONLY_WHOLE:
        rows = {**signal, "data": data[:5]}
        zspy.file_writer(place, rows, append_dim="y", **options)
        assert equal(lazy, data)
    assert found[0]["data"].compute().size == 0


@both_formats
@pytest.mark.parametrize("kind", DATABASES)
def test_a_lazy_array_of_a_database_notices_other_data(
    kind: str, zarr_format: ZarrFormat, path: Path
) -> None:
    place, options = place_of(kind, path)
    options |= {"zarr_format": zarr_format, **QUIET}
    for number in (120, 90):
        zspy.file_writer(place, signal_of(counting(120, 40)), (7, 40), **options)
        lazy = lazily(place)
        zspy.file_writer(place, signal_of(counting(number, 40) + 1), (7, 40), **options)
        with pytest.raises(FormatError, match="the file was replaced while it was read"):
            lazy.compute()


@pytest.mark.parametrize("store_type", STORE_TYPES)
def test_a_lazy_array_goes_to_another_process(store_type: Any, path: Path) -> None:
    data = counting(1200, 400)
    cells = object_array((np.arange(float(n)) for n in range(60)), (6, 10))
    signals = [signal_of(data), signal_of(cells, 0)]
    signals[1]["metadata"] = {"General": {"title": "z"}}
    zspy.file_writer(path, signals, store_type=store_type, **QUIET)
    plain, ragged = (signal["data"] for signal in zspy.file_reader(path, lazy=True))
    copies = pickle.loads(pickle.dumps([plain, ragged]))  # noqa: S301 - just written
    assert equal(copies[0].compute(), data)
    assert all(map(equal, copies[1].compute().ravel(), cells.ravel()))


@both_formats
@pytest.mark.parametrize(
    "kind", ["of one rank", "of any rank", "of any type", "of texts", "of strings"]
)
def test_ragged_data_is_lazy(
    kind: str, zarr_format: ZarrFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_chunking, "BLOCK", 40_000)
    make: dict[str, Callable[[int], Any]] = {
        "of one rank": lambda n: np.arange(2.0 * n).reshape(n, 2),
        "of any rank": lambda n: np.arange(float(n)).reshape((n,) if n % 2 else (1, n)),
        "of any type": lambda n: [None, np.arange(n), np.arange(n / 1.0)][n % 3],
        "of texts": lambda n: np.array([f"text {i}" for i in range(n % 5)], "<U9"),
        "of strings": lambda n: f"number {n}",
    }
    cells = object_array(map(make[kind], range(120)), (12, 10))
    place: dict[str, bytes] = {}
    signal = signal_of(cells, 0) | {"metadata": {"ragged": cells[:3]}}
    zspy.file_writer(place, signal, (3, 10), zarr_format=zarr_format, **QUIET)
    lazy = lazily(place, blocks=40_000)
    if is_lazy(lazy):
        assert lazy.dtype == object
    computed = np.asarray(lazy)
    assert computed.shape == cells.shape
    for one, other in zip(computed.ravel(), cells.ravel(), strict=True):
        assert first_difference(one, other) is None
    part = np.asarray(lazy[4:7, 3:5])
    assert all(map(equal, part.ravel(), cells[4:7, 3:5].ravel()))
    assert np.asarray(lazy[5:5]).size == 0


FLAT: Final = "data/zarr.json"
OFFSETS: Final = "_ragged_offsets_data"


@pytest.mark.parametrize(
    "offsets", [[0, 1, 2], [1, 1, 3, 6], [0, 1, 3, 7], [0, 4, 3, 6], [0.0, 1.0, 3.0, 6.0], None]
)
def test_offsets_that_do_not_fit_are_refused(offsets: Any) -> None:
    cells = object_array((np.arange(float(n)) for n in (1, 2, 3)), (3,))
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(cells, 0), zarr_format=3)
    group = f"Experiments/__unnamed__/{OFFSETS}"
    for key in [key for key in place if key.startswith(group)]:
        del place[key]
    if offsets is not None:
        put_array(place, group, np.array(offsets))
    for lazy in (False, True):
        with pytest.raises(FormatError, match="offsets"):
            zspy.file_reader(place, lazy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("_ragged_encoding", "cbor"), ("_ragged_nav_shape", [-1]), ("_ragged_nav_shape", 3)],
)
def test_a_flat_array_that_is_not_understood_is_refused(name: str, value: Any) -> None:
    cells = object_array((np.arange(float(n)) for n in (1, 2, 3)), (3,))
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(cells, 0), zarr_format=3)
    stored = document(place)
    stored["attributes"][name] = value
    spoil(place, "data/zarr.json", json.dumps(stored).encode())
    for lazy in (False, True):
        with pytest.raises(FormatError):
            zspy.file_reader(place, lazy)


def test_what_is_explained_elsewhere_is_not_lazy() -> None:
    """A mask, an axis, and what only a type record tells."""
    from collections import OrderedDict

    data = np.ma.MaskedArray(counting(1200, 400), counting(1200, 400) % 3 == 0)
    text = np.array(["a", "bc"] * 100_000, np.dtypes.StringDType())
    signal = signal_of(data, 1, masked=data, ordered=OrderedDict(x=counting(1200, 400)), text=text)
    signal["axes"][1] = {"axis": np.arange(400.0), "navigate": False}
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal, **QUIET)
    (found,) = zspy.file_reader(place, lazy=True)
    for one in (found["data"], found["metadata"]["masked"]):
        assert isinstance(one, np.ma.MaskedArray)
        assert equal(np.ma.getmaskarray(cast("Any", one)), data.mask)
    assert type(found["metadata"]["ordered"]) is OrderedDict
    assert found["metadata"]["text"].dtype == text.dtype
    assert isinstance(found["axes"][1].get("axis"), np.ndarray)


@both_formats
def test_large_masked_data_is_lazy_and_is_not_read_to_update_what_is_beside_it(
    zarr_format: ZarrFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of one megabyte took gigabytes for a new title."""
    mask = counting(1200, 1200) % 3 == 0
    data = np.ma.MaskedArray(counting(1200, 1200), mask, fill_value=7, hard_mask=True)
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(data, 1), **QUIET, zarr_format=zarr_format)
    read: list[str] = []
    read_box = vars(files_lazy)["read_box"]

    def count(file: Any, path: str, *given: Any) -> Any:
        read.append(path)
        return read_box(file, path, *given)

    monkeypatch.setattr(files_lazy, "read_box", count)
    (found,) = zspy.file_reader(path, lazy=True)
    zspy.update(path, {"a": 1})
    zspy.file_writer(path, found, write_dataset=False, zarr_format=zarr_format)
    assert read == []
    assert is_lazy(found["data"])
    computed = found["data"].compute()
    assert equal(np.ma.getmaskarray(computed), mask)
    assert equal(computed.data, data.data)
    assert (computed.fill_value, computed.hardmask) == (7, True)


@both_formats
def test_padding_may_be_large_and_is_lazy(zarr_format: ZarrFormat) -> None:
    data = np.ones(3_000_000, np.dtype([("a", "?"), ("b", "f8")], align=True))
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(data, 0), **QUIET, zarr_format=zarr_format)
    for lazy in (False, True):
        (found,) = zspy.file_reader(place, lazy=lazy)
        assert is_lazy(found["data"]) is lazy
        assert found["data"].dtype == data.dtype
        assert found["data"].dtype.isalignedstruct
        assert (np.asarray(found["data"]) == data).all()


def test_large_lists_and_axes_are_not_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = signal_of(counting(4), 1, numbers=[1.0] * 200_000, text=[b"ab"] * 10)
    signal["axes"][0] = {"axis": np.arange(4.0)}
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal, **QUIET)
    monkeypatch.setattr(files_chunking, "LARGE", 0)
    (found,) = zspy.file_reader(place, lazy=True)
    assert is_lazy(found["data"])
    assert isinstance(found["axes"][0].get("axis"), np.ndarray)
    assert found["metadata"] == signal["metadata"]


# --------------------------------------------------------------------------------------------------
# Selections

indices = st.one_of(
    st.integers(-7, 6),
    st.slices(7),
    st.lists(st.integers(-7, 6), max_size=4),
)


@given(st.tuples(indices, indices))
def test_a_selection_is_that_of_numpy(key: tuple[Any, Any]) -> None:
    data = counting(7, 7)
    boxes: list[tuple[Any, Any]] = []

    def box(start: Any, stop: Any) -> AnyArray:
        boxes.append((start, stop))
        return data[tuple(map(slice, start, stop))]

    stored = StoredArray(data.shape, data.dtype, stores_backends.opened({}), box)
    found = stored[key]
    wanted = data[key[0]][..., key[1]] if np.ndim(key[0]) < 2 else data
    assert equal(found, wanted)
    ((start, stop),) = boxes
    assert all(0 <= low <= high <= 7 for low, high in zip(start, stop, strict=True))
    assert stored.ndim == 2


@pytest.mark.parametrize("key", [(0, 0, 0), (..., 0, 0, 0), None, (None, 0)])
def test_a_selection_of_other_dimensions_is_an_error(key: Any) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(600, 600)), **QUIET)
    data: Any = zspy.open_group(place)[DATA]
    with pytest.raises(IndexError, match="of 2 dimensions"):
        data.data[key]


def test_a_selection_costs_nothing_where_nothing_is_selected() -> None:
    def box(start: Any, stop: Any) -> AnyArray:
        return np.empty([high - low for low, high in zip(start, stop, strict=True)])

    huge = StoredArray((2**60,), np.dtype("f8"), stores_backends.opened({}), box)
    assert huge[(slice(2**50, 2**50 + 3),)].shape == (3,)
    assert huge[(slice(5, 5),)].shape == (0,)
    assert huge[2**50].shape == huge[-1].shape == ()
    assert huge[[-(2**50), 2**60 - 2**50 + 1]].shape == (2,)
    for beyond in (2**60, [0, 2**60]):
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size"):
            huge[beyond]


# --------------------------------------------------------------------------------------------------
# Dask


def tens(part: AnyArray) -> AnyArray:
    return part * 10


@both_formats
@pytest.mark.parametrize(
    "scheduler", ["threads", "synchronous", pytest.param("processes", marks=pytest.mark.cluster)]
)
@pytest.mark.parametrize("kind", [*STORE_TYPES, *IN_MEMORY])
def test_any_scheduler_writes_and_reads(
    kind: str, scheduler: str, zarr_format: ZarrFormat, path: Path
) -> None:
    """Tasks in other processes have no part in a zip or in memory: what they made comes here."""
    import dask

    data = counting(60, 40)
    place, options = place_of(kind, path)
    options |= {"zarr_format": zarr_format, **QUIET}
    with cast("Any", dask).config.set(scheduler=scheduler, num_workers=2):
        given = from_array(data, (25, 40)).map_blocks(tens)
        zspy.file_writer(place, signal_of(given), **options)
        if kind != "memory":
            assert equal(lazily(place).map_blocks(tens), data * 100)
    assert equal(zspy.file_reader(place)[0]["data"], data * 10)


def hidden(block: AnyArray) -> Any:
    """Mask what is larger than one, without a word to dask."""
    return np.ma.masked_greater(block, 1.0)


@both_formats
@pytest.mark.parametrize("kind", ["local", *IN_MEMORY])
def test_masked_blocks_are_kept(kind: str, zarr_format: ZarrFormat, path: Path) -> None:
    data = np.ma.masked_greater(counting(7, 5), 20)
    place, options = place_of(kind, path)
    lazy = from_array(data, (3, 2))
    options |= {"zarr_format": zarr_format, **QUIET}
    zspy.file_writer(place, signal_of(lazy, x=lazy), **options)
    (found,) = zspy.file_reader(place)
    for one in (found["data"], cast("Any", found["metadata"])["x"]):
        assert first_difference(data, one) is None


@pytest.mark.parametrize("data", [np.zeros(()), np.zeros(3)], ids=["scalar", "blocks"])
def test_masks_of_which_dask_knows_nothing_are_refused(data: AnyArray, path: Path) -> None:
    """They would be lost; what was there before stays."""
    zspy.file_writer(path, signal_of(data, 0), **QUIET)
    meta = np.empty((0,) * data.ndim)
    lazy = from_array(data + 2, -1).map_blocks(hidden, dtype=float, meta=meta)
    problem = f"^{DATA}: elements are masked, of which the array itself says nothing"
    with pytest.raises(EncodeError, match=problem):
        zspy.file_writer(path, signal_of(lazy, 0), **QUIET)
    assert equal(zspy.file_reader(path)[0]["data"], data)


def test_no_array_of_a_node_loses_its_mask() -> None:
    for shape in ((3,), (3000, 1000)):
        group = zspy.Group({}, {"x": zspy.Array(np.ma.MaskedArray(np.zeros(shape), True))})
        with pytest.raises(EncodeError, match="masked"):
            dict(zspy.serialise(group))


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_cells_that_do_not_have_their_shapes_are_refused(lazy: bool) -> None:
    place: dict[str, bytes] = {}
    cells = object_array([np.zeros(3), np.zeros(2)], (2,))
    zspy.file_writer(place, signal_of(cells, 0), compressor=False, **QUIET)
    (key,) = (key for key in place if key.endswith("_ragged_shapes_data/0"))
    place[key] = place[key].replace(b"\3", b"\4")
    with pytest.raises(FormatError, match=r"/data: cannot reshape .* changed without its shapes"):
        np.asarray(zspy.file_reader(place, lazy)[0]["data"])


def test_an_error_in_a_block_leaves_the_old_file(path: Path) -> None:
    def fail(block: AnyArray, block_info: Any = None) -> AnyArray:
        if block_info and block_info[0]["chunk-location"][0] == 2:
            raise ZeroDivisionError("on purpose")
        return block

    data = counting(1200, 400)
    bad = from_array(data, (100, 400)).map_blocks(fail, dtype="f4")
    for kind in STORE_TYPES:
        place, how = place_of(kind, path.with_name(kind))
        for old in (False, True):
            if old:
                zspy.file_writer(place, signal_of(data), **how, **QUIET)
            with pytest.raises(ZeroDivisionError, match="on purpose"):
                zspy.file_writer(place, signal_of(bad), **how, **QUIET)
            assert stores_backends.kind_of(place) == (kind if old else "")
        assert equal(zspy.file_reader(place)[0]["data"], data)
    assert not [one for one in path.parent.iterdir() if "zspy-new" in one.name]


# --------------------------------------------------------------------------------------------------
# Progress


@pytest.mark.parametrize("shown", [True, False])
def test_a_bar_shows_the_progress_of_a_long_write(
    shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("zspy.files.write_arrays.SLAB", 2**20)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(1200, 400)), (100, 400), show_progressbar=shown)
    assert ("Writing: 100%" in capsys.readouterr().err) == shown
    assert equal(zspy.file_reader(place)[0]["data"], counting(1200, 400))
    zspy.file_writer(place, signal_of(from_array(counting(60, 40), 30)), show_progressbar=shown)
    assert ("Completed" in capsys.readouterr().out) == shown


def test_a_short_write_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    zspy.file_writer({}, signal_of(counting(1200, 400)))
    assert capsys.readouterr() == ("", "")


def test_progress_needs_no_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr("zspy.files.write_arrays.SLAB", 2**20)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal_of(counting(1200, 400)), (100, 400))
    assert equal(zspy.file_reader(place)[0]["data"], counting(1200, 400))


@pytest.mark.parametrize("shards", [(7, 400), (1000, 400), (300, 150), (1000, 3)])
def test_slabs_are_whole_shards(shards: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shard is written once."""
    written: list[str] = []
    inner = MemoryStore.set

    async def noted(store: MemoryStore, key: str, value: Any, *more: Any) -> None:
        written.extend([key] if "/data/c/" in key else [])
        await inner(store, key, value, *more)

    monkeypatch.setattr(_zarr, "SLAB", 10_000)
    monkeypatch.setattr(MemoryStore, "set", noted)
    data, place = counting(1000, 400), MemoryStore()
    zspy.file_writer(place, signal_of(data), shards, zarr_format=3, shards=shards, **QUIET)
    assert len(written) == len(set(written)) == -(-1000 // shards[0]) * -(-400 // shards[1])
    assert equal(zspy.file_reader(place)[0]["data"], data)


def test_chunks_are_encoded_a_few_ahead_of_what_is_written() -> None:
    taken: list[object] = []

    class Counted:
        shape, dtype = (1000, 400), np.dtype("<f8")

        def __getitem__(self, key: Any) -> Any:
            taken.append(key)
            return np.ones((1, 400))

    class Slow(Sink):
        def put(self, documents: Iterable[tuple[str, bytes]]) -> None:
            found = iter(documents)
            assert [next(found)[0] for _ in range(10)] == [f"x/{row}/0" for row in range(10)]

        def store(self) -> Any:
            raise AssertionError

    array = zspy.Array(cast("Any", Counted()), chunks=(1, 400))
    metadata = metadata_for("x", array, zspy.Storage())
    target = files_write_arrays.ArrayToWrite("x", array.data, metadata)
    files_write_arrays.write_arrays(Slow(), [target], progress=False)
    assert 10 <= len(taken) <= 10 + 3 * (os.cpu_count() or 1)


def test_numcodecs_filters_work_with_zarr() -> None:
    place: dict[str, bytes] = {}
    data = counting(1200, 400, dtype="<i4")
    filters = [numcodecs.Delta("<i4")]
    zspy.file_writer(place, signal_of(data), filters=filters, order="F", fill_value=7, **QUIET)
    stored = document(place)
    assert [one["id"] for one in stored["filters"]] == ["delta"]
    assert (stored["order"], stored["fill_value"]) == ("F", 7)
    assert equal(zspy.file_reader(place)[0]["data"], data)


# --------------------------------------------------------------------------------------------------
# Clusters: last, since a client serves all dask arrays of its process


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    cluster: Any = LocalCluster
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with cluster(**options, processes=True) as found, cast("Any", Client)(found) as one:
        one.wait_for_workers(2)
        yield one


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")  # what the cluster says of itself
@both_formats
@pytest.mark.parametrize("kind", ["local", "zip", "dict"])
def test_a_cluster_writes_and_reads(
    client: Any, kind: Any, zarr_format: ZarrFormat, path: Path
) -> None:
    # asked of the workers themselves: what a client knows of them is some seconds old
    client.wait_for_workers(2)
    assert len({os.getpid(), *client.run(os.getpid).values()}) == 3
    data = counting(600, 400)
    place: Any = {} if kind == "dict" else path
    options: dict[str, Any] = {} if kind == "dict" else {"store_type": kind}
    given = from_array(data, (77, 400)).map_blocks(tens).persist()
    zspy.file_writer(place, signal_of(given), zarr_format=zarr_format, **options, **QUIET)
    assert equal(lazily(place).map_blocks(tens).compute(), data * 100)
    assert equal(zspy.file_reader(place)[0]["data"], data * 10)


@pytest.mark.parametrize("blocks", ["1 MB", -1, 0.5])
def test_the_size_of_blocks_is_a_number_of_bytes(blocks: Any) -> None:
    with pytest.raises(zspy.EncodeError, match=r"blocks: .* is no number of bytes; use an"):
        zspy.file_reader({}, blocks=blocks)


@both_formats
@pytest.mark.parametrize("number", [1, 2])
def test_what_is_replaced_in_a_dictionary_is_never_mixed(
    number: int, zarr_format: ZarrFormat
) -> None:
    place: dict[str, bytes] = {}
    data = counting(4, 6)
    kept: dict[str, Any] = {"chunks": (1, 6), "zarr_format": zarr_format, **QUIET}
    zspy.file_writer(place, signal_of(data), **kept)
    (lazy,) = zspy.file_reader(place, lazy=True)
    part = signal_of(data[1:3])
    zspy.file_writer(place, part, region={0: slice(1, 3)}, **QUIET)
    assert equal(lazy["data"], data), "a region is no replacement"
    (lazy,) = zspy.file_reader(place, lazy=True)
    zspy.file_writer(place, signal_of(data, title=1), mode="a", **kept)
    assert equal(lazy["data"], data), "nor is an addition"
    zspy.file_writer(place, signal_of(number * data), **kept)
    if number == 1:
        assert equal(lazy["data"], data)
    else:
        with pytest.raises(FormatError, match="the file was replaced while it was read"):
            lazy["data"].compute()
