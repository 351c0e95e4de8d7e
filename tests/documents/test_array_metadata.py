"""The document of an array, in both formats: what is written, what is read, what is refused."""

from __future__ import annotations

import json
import warnings
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from zspy import Array, EncodeError, FormatError, Storage
from zspy.documents.array_metadata import ArrayMetadata
from zspy.documents.chunks import decode_chunk, encode_chunk, filled
from zspy.documents.dtypes import DTYPE, core_dtype, from_core, parse_dtype
from zspy.documents.json import parse_json
from zspy.documents.limits import Budget, Limits
from zspy.documents.metadata import describe, parse_array
from zspy.documents.storage import ONE_CHUNK, default_compressor, metadata_for
from zspy.typing import ZarrFormat
from zspy.values.ragged import object_array

KEY: Final = "a/.zarray"
BLOSC: Final = {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1, "blocksize": 0}
TWO: Final = Storage()
THREE: Final = Storage(zarr_format=3)


def _document(**changes: Any) -> dict[str, Any]:
    """Return a document of format 2, changed; None leaves a key out."""
    plain = {"zarr_format": 2, "shape": [3, 4], "chunks": [2, 4], "dtype": "<f8", "fill_value": 0}
    plain |= {"compressor": BLOSC, "filters": None, "order": "C"}
    return plain | changes


def _document3(**changes: Any) -> dict[str, Any]:
    """Return a document of format 3, changed."""
    plain: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [3, 4],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
    }
    return plain | changes


def _sharded(*codecs: Any, chunks: Any = (1, 2), index: Any = ("bytes",)) -> dict[str, Any]:
    settings = {"chunk_shape": [*chunks], "codecs": [*codecs], "index_codecs": [*index]}
    return _document3(codecs=[{"name": "sharding_indexed", "configuration": settings}])


# --------------------------------------------------------------------------------------------------
# Layouts that are written


def test_the_default_compressor_is_that_of_the_format() -> None:
    assert default_compressor().get_config() == BLOSC


def test_the_document_of_an_array_is_that_of_releases() -> None:
    metadata = metadata_for("x", Array(np.zeros((3, 4)), chunks=(2, 4)), TWO)
    assert describe(metadata, {"a": 1}) == _document(fill_value=0.0) | {"dimension_separator": "/"}
    assert "dimension_separator" not in describe(
        metadata_for("x", Array(np.zeros(3)), Storage(separator=".", compressor=None)), {}
    )


@pytest.mark.parametrize(
    ("dtype", "written", "fill"),
    [
        *(("|b1", "|b1", False), ("<i2", "<i2", 0), (">u8", ">u8", 0), ("<f2", "<f2", 0.0)),
        *(
            ("<c8", "<c8", [0.0, 0.0]),
            ("|S3", "|S3", ""),
            ("<U2", "<U2", ""),
            ("|V3", "|V3", "AAAA"),
        ),
        *(("<M8[ns]", "<M8[ns]", 0), ("<m8", "<m8", 0), ("<f16", "<f16", 0.0)),
        (
            [("a", "<f4"), ("b", [("c", "|u1", (2, 1))])],
            [["a", "<f4"], ["b", [["c", "|u1", [2, 1]]]]],
            "AAAAAAAA",
        ),
    ],
)
def test_a_dtype_is_written_as_releases_write_it(dtype: Any, written: object, fill: object) -> None:
    document = describe(metadata_for("x", Array(np.zeros(3, dtype)), TWO), {})
    assert (document["dtype"], document["fill_value"]) == (written, fill)
    assert type(document["fill_value"]) is type(fill)
    assert parse_array(document, KEY).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("cells", "codec"),
    [
        *((name, {"id": name}) for name in ("vlen-utf8", "vlen-bytes", "json2")),
        ("<f8", {"id": "vlen-array", "dtype": "<f8"}),
        (
            "msgpack2",
            {"id": "msgpack2", "raw": False, "use_bin_type": True, "use_single_float": False},
        ),
    ],
)
def test_object_arrays_name_their_codec(cells: str, codec: object) -> None:
    metadata = metadata_for("x", Array(np.empty(2, object), cells=cells), TWO, main=True)
    document = describe(metadata, {})
    assert (document["dtype"], document["fill_value"]) == ("|O", 0)
    assert document["filters"] == [codec]
    assert parse_array(document, KEY).cells == cells


@pytest.mark.parametrize(
    "dtype",
    [
        object,
        np.dtypes.StringDType(),
        "V0",
        np.dtype([("a", "O")]),
        np.dtype([("a", "u1"), ("b", "<f8")], align=True),
        np.dtype([(("title", "a"), "<f8")]),
        np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [3]}),
    ],
)
@pytest.mark.parametrize("storage", [TWO, THREE], ids=["2", "3"])
def test_dtypes_that_a_document_cannot_say_are_refused(dtype: Any, storage: Storage) -> None:
    with pytest.raises(EncodeError, match=r"x/y: Zarr holds no arrays of dtype .*; use encode"):
        metadata_for("x/y", Array(np.empty(2, dtype)), storage)


def test_format_3_has_no_object_arrays() -> None:
    for cells in ("<f8", "msgpack2", "json2"):
        with pytest.raises(EncodeError, match="x: Zarr format 3 has no object arrays"):
            metadata_for("x", Array(np.empty(2, object), cells=cells), THREE)
    for cells in ("vlen-utf8", "vlen-bytes"):
        assert metadata_for("x", Array(np.empty(2, object), cells=cells), THREE).cells == cells


def test_main_arrays_take_filters_order_and_fill_value_in_format_2() -> None:
    filters = (numcodecs.Delta("<f8"),)
    storage = Storage(filters=filters, order="F", fill_value=float("nan"))
    metadata = metadata_for("x", Array(np.zeros(3)), storage, main=True)
    document = describe(metadata, {})
    assert (metadata.filters, document["order"], document["fill_value"]) == (filters, "F", "NaN")
    assert document["filters"] == [{"id": "delta", "dtype": "<f8", "astype": "<f8"}]
    other = metadata_for("x", Array(np.zeros(3)), storage)
    assert (other.filters, other.axes, other.fill) == ((), None, None)


@pytest.mark.parametrize(
    ("fill", "dtype", "written"),
    [
        *(
            (1.5, "<f4", 1.5),
            (float("inf"), "<f8", "Infinity"),
            (-float("inf"), "<f2", "-Infinity"),
        ),
        *((-0.0, "<f8", -0.0), (7, "|u1", 7), (True, "|b1", True), (1, "<M8[s]", 0)),
        *((complex(1, float("nan")), "<c8", [1.0, "NaN"]), (3, "|S3", "")),
    ],
)
def test_fill_values_are_written_as_json_and_read_again(
    fill: complex, dtype: str, written: object
) -> None:
    metadata = metadata_for("x", Array(np.zeros(3, dtype)), Storage(fill_value=fill), main=True)
    document = json.loads(json.dumps(describe(metadata, {}), allow_nan=False))
    assert repr(document["fill_value"]) == repr(written)
    again = parse_array(document, KEY)
    assert filled(again, (2,)).tobytes() == filled(metadata, (2,)).tobytes()


@pytest.mark.parametrize(
    ("fill", "dtype"),
    [
        (float("nan"), "<i4"),
        (300, "|u1"),
        (-1, "<u2"),
        (1j, "<f8"),
        ("a", "<f8"),
        ([], "<f8"),
    ],
)
def test_fill_values_that_a_dtype_does_not_hold_are_refused(fill: Any, dtype: str) -> None:
    with pytest.raises(
        EncodeError, match=rf"x: the fill value .* is no {np.dtype(dtype)}; use another"
    ):
        metadata_for("x", Array(np.zeros(3, dtype)), Storage(fill_value=fill), main=True)


def test_an_array_without_chunks_is_one_chunk_up_to_16_mb() -> None:
    small = np.broadcast_to(np.uint8(0), (ONE_CHUNK // 4, 4))
    large = np.broadcast_to(np.uint8(0), (ONE_CHUNK // 4, 5))
    assert metadata_for("x", Array(small), TWO).chunks == small.shape
    assert metadata_for("x", Array(large), TWO).chunks == (3355443, 5)
    assert metadata_for("x", Array(np.zeros((0, 3))), TWO).chunks == (1, 3)
    texts = np.broadcast_to(np.array("", object), (ONE_CHUNK,))
    assert metadata_for("x", Array(texts, cells="vlen-utf8"), TWO).chunks == texts.shape


def test_a_chunk_that_no_codec_takes_is_divided() -> None:
    data = np.broadcast_to(0.0, (2, 30000, 30000))
    array = Array(data, chunks=(1, 30000, 30000), shards=(2, 30000, 30000))
    assert metadata_for("x", array, TWO).chunks == (1, 3535, 3535)
    metadata = metadata_for("x", array, THREE)
    assert (metadata.chunks, metadata.shards) == ((1, 3535, 3535), (2, 31815, 31815))


@pytest.mark.parametrize("chunks", [(3,), (), (1, 0), (2, -1), (1, 1, 1)])
def test_chunks_that_do_not_fit_are_refused(chunks: tuple[int, ...]) -> None:
    with pytest.raises(EncodeError, match=r"x: \(.*\) are no chunks; give 2 edges"):
        metadata_for("x", Array(np.zeros((3, 4)), chunks=chunks), TWO)


def test_arrays_have_as_many_dimensions_as_in_numpy() -> None:
    """In format 3, the bytes of what is no core data type are one more."""
    for dtype, storage, most in (("f4", TWO, 64), ("f4", THREE, 64), ("U2", TWO, 64)):
        metadata = metadata_for("x", Array(np.zeros((1,) * most, dtype)), storage)
        assert parse_array(describe(metadata, {}), "x/zarr.json").shape == metadata.shape
    assert metadata_for("x", Array(np.zeros((1,) * 63, "U2")), THREE).byte_shape == (8,)
    with pytest.raises(EncodeError, match=r"x: 64 dimensions, and one for the bytes of <U2; use z"):
        metadata_for("x", Array(np.zeros((1,) * 64, "<U2")), THREE)


def test_chunks_may_be_integers_of_numpy() -> None:
    edges: Any = tuple(np.array([1, 2]))
    document = describe(metadata_for("x", Array(np.zeros((3, 4)), chunks=edges), TWO), {})
    assert json.loads(json.dumps(document))["chunks"] == [1, 2]


# --------------------------------------------------------------------------------------------------
# Format 3


def test_an_array_of_format_3_is_written_with_a_checksum() -> None:
    metadata = metadata_for("x", Array(np.zeros((3, 4)), chunks=(2, 4)), THREE)
    settings = {"cname": "zstd", "clevel": 1, "shuffle": "shuffle", "blocksize": 0, "typesize": 8}
    codecs = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": settings},
        {"name": "crc32c"},
    ]
    assert describe(metadata, {"a": 1}) == _document3(
        codecs=codecs, attributes={"a": 1}, fill_value=0.0
    )


def test_a_sharded_array_is_written_with_its_index() -> None:
    array = Array(np.zeros((4, 4)), chunks=(2, 2), shards=(4, 4))
    document = describe(metadata_for("x", array, THREE), {})
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == [4, 4]
    (sharding,) = document["codecs"]
    assert sharding["configuration"]["chunk_shape"] == [2, 2]
    assert sharding["configuration"]["index_codecs"][-1] == {"name": "crc32c"}
    metadata = parse_array(document, KEY)
    assert (metadata.chunks, metadata.shards, metadata.native) == ((2, 2), (4, 4), True)
    assert metadata_for("x", array, TWO).shards is None


@pytest.mark.parametrize(
    ("compressor", "written"),
    [
        (None, []),
        (numcodecs.GZip(3), [{"name": "gzip", "configuration": {"level": 3}}]),
        (numcodecs.Zstd(3), [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}]),
        (numcodecs.LZ4(2), [{"name": "numcodecs.lz4", "configuration": {"acceleration": 2}}]),
        (numcodecs.Zlib(2), [{"name": "numcodecs.zlib", "configuration": {"level": 2}}]),
    ],
)
def test_compressors_have_a_name_in_format_3(compressor: Any, written: list[object]) -> None:
    storage = Storage(zarr_format=3, compressor=compressor)
    document = describe(metadata_for("x", Array(np.zeros(3)), storage), {})
    assert document["codecs"][1:-1] == written
    assert parse_array(document, KEY).native


@pytest.mark.parametrize(
    ("dtype", "shuffle", "name"),
    [
        ("<f8", -1, "shuffle"),
        ("|u1", -1, "bitshuffle"),
        ("<f8", 0, "noshuffle"),
        ("|u1", 2, "bitshuffle"),
    ],
)
def test_the_shuffle_of_blosc_has_a_name_in_format_3(dtype: str, shuffle: int, name: str) -> None:
    storage = Storage(zarr_format=3, compressor=numcodecs.Blosc(shuffle=shuffle))
    document = describe(metadata_for("x", Array(np.zeros(3, dtype)), storage), {})
    assert document["codecs"][1]["configuration"]["shuffle"] == name


@pytest.mark.parametrize(
    ("dtype", "core", "extra"),
    [
        *(
            (">f4", "float32", []),
            ("<M8[s]", "int64", []),
            ("<U2", "uint8", [8]),
            ("|S3", "uint8", [3]),
        ),
        *(("<f16", "uint8", [16]), ([("a", "<f4"), ("b", "|u1")], "uint8", [5])),
    ],
)
def test_other_dtypes_are_stored_in_a_core_data_type(
    dtype: Any, core: str, extra: list[int]
) -> None:
    array = Array(np.zeros((3, 2), dtype), chunks=(2, 2))
    metadata = metadata_for("x", array, THREE)
    document = describe(metadata, {"a": 1})
    assert (document["data_type"], document["shape"]) == (core, [3, 2, *extra])
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == [2, 2, *extra]
    assert document["attributes"].keys() == {"a", DTYPE}
    again = parse_array(json.loads(json.dumps(document)), KEY)
    assert (again.dtype, again.shape, again.chunks) == (np.dtype(dtype), (3, 2), (2, 2))
    assert again.native
    assert (
        again.key((1, 0))
        == metadata.key((1, 0))
        == "/".join(["c", "1", "0", *("0" for _ in extra)])
    )


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, -0.0], ">f4"),
        np.array([1, -(2**63)], ">M8[s]"),
        np.array(["a", "é"]),
        np.array(b"abc"),
        np.array([(1, b"x")], [("a", ">i2"), ("b", "S2")]),
        np.arange(6).reshape(2, 3).T,
    ],
    ids=str,
)
def test_values_come_back_from_their_core_data_type(values: Any) -> None:
    core = core_dtype(values.dtype)
    if core.shape:
        whole = np.ascontiguousarray(values).reshape(values.shape)
        stored = whole[..., None].view(np.uint8)
    else:
        stored = values.astype(values.dtype.newbyteorder("=")).view(core)
    assert (stored.dtype, stored.shape) == (core.base, values.shape + core.shape)
    assert Array(from_core(stored, values.dtype)) == Array(values)
    assert from_core(values, values.dtype) is values


FOREIGN: Final[list[tuple[Any, str]]] = [
    *((name, name) for name in ("bool", "int8", "uint64", "float16", "complex128")),
    ({"name": "fixed_length_utf32", "configuration": {"length_bytes": 8}}, "<U2"),
    ({"name": "null_terminated_bytes", "configuration": {"length_bytes": 3}}, "|S3"),
    ({"name": "raw_bytes", "configuration": {"length_bytes": 3}}, "|V3"),
    ({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 10}}, "<M8[10s]"),
    ({"name": "numpy.datetime64", "configuration": {"unit": "μs", "scale_factor": 1}}, "<M8[us]"),
    (
        {"name": "numpy.datetime64", "configuration": {"unit": "as", "scale_factor": 2147483647}},
        "<M8[2147483647as]",
    ),
    ({"name": "numpy.timedelta64", "configuration": {"unit": "generic", "scale_factor": 1}}, "<m8"),
    ("r16", "|V2"),
]


@pytest.mark.parametrize(("data_type", "dtype"), FOREIGN, ids=str)
def test_data_types_of_others_are_read(data_type: object, dtype: str) -> None:
    metadata = parse_array(_document3(data_type=data_type), KEY)
    assert (metadata.dtype, metadata.native) == (np.dtype(dtype), True)


@pytest.mark.parametrize("name", ["struct", "structured"])
def test_structures_of_others_are_read(name: str) -> None:
    """One release of zarr-python names the fields by objects, others by pairs."""
    inner: Any = {"name": name, "configuration": {"fields": [["c", "uint8"]]}}
    fields: Any = [["a", "float32"], {"name": "b", "data_type": inner}]
    data_type = {"name": name, "configuration": {"fields": fields}}
    metadata = parse_array(_document3(data_type=data_type, fill_value="AACAPwc="), KEY)
    assert metadata.dtype == np.dtype([("a", "<f4"), ("b", [("c", "u1")])])
    assert filled(metadata, ()).tolist() == (1.0, (7,))
    metadata = parse_array(
        _document3(data_type=data_type, fill_value={"a": "NaN", "b": {"c": 7}}), KEY
    )
    assert str(filled(metadata, ()).tolist()) == "(nan, (7,))"
    metadata = parse_array(_document3(data_type=data_type, fill_value={"a": 0, "b": {"c": 7}}), KEY)
    assert filled(metadata, ()).tolist() == (0.0, (7,))


@pytest.mark.parametrize(
    "data_type",
    [
        "bfloat16",
        "int4",
        "r7x",
        {"name": "fixed_length_utf32"},
        {"name": "struct", "configuration": {}},
    ],
    ids=str,
)
def test_unknown_data_types_are_left_to_zarr_python(data_type: object) -> None:
    assert not parse_array(_document3(data_type=data_type), KEY).native


@pytest.mark.parametrize(
    ("name", "item"),
    [("string", "vlen-utf8"), ("bytes", "vlen-bytes"), ("variable_length_bytes", "vlen-bytes")],
)
def test_strings_of_format_3_are_object_arrays(name: str, item: str) -> None:
    metadata = parse_array(_document3(data_type=name, codecs=[item], fill_value="eA=="), KEY)
    assert (metadata.cells, metadata.dtype, metadata.native) == (item, np.dtype(object), True)
    assert not parse_array(_document3(data_type=name, codecs=["bytes"]), KEY).native


@pytest.mark.parametrize(
    ("codecs", "stages"),
    [
        *((["bytes"], []), (["bytes", "crc32c"], ["crc32c"]), (["bytes", "gzip"], ["gzip"])),
        *((["bytes", "zstd", "crc32c"], ["zstd", "crc32c"]), (["bytes", "blosc"], ["blosc"])),
        *((["bytes", "numcodecs.lz4"], ["lz4"]), (["bytes", "numcodecs.crc32"], ["crc32"])),
        (["bytes", "gzip", "zstd"], ["gzip", "zstd"]),
        (["numcodecs.delta", "bytes", "gzip"], ["delta", "gzip"]),
        (["bytes", "crc32c", "gzip"], ["crc32c", "gzip"]),
        (["bytes", {"name": "numcodecs.lzma", "configuration": {"format": 2}}], ["lzma"]),
    ],
    ids=str,
)
def test_chains_of_codecs_that_zspy_decodes(codecs: list[Any], stages: list[str]) -> None:
    metadata = parse_array(_document3(codecs=codecs), KEY)
    assert [stage.row.id for stage in metadata.stages] == stages
    assert metadata.native


@pytest.mark.parametrize(
    "changes",
    [
        *({"codecs": codecs} for codecs in (["crc32c"], ["gzip"])),
        *({"codecs": ["bytes", codec]} for codec in ("numcodecs.delta", "bytes")),
        {"codecs": ["numcodecs.crc32", "bytes"]},
        {"storage_transformers": [{"name": "x"}]},
    ],
    ids=str,
)
def test_what_zspy_does_not_decode_is_left_to_zarr_python(changes: dict[str, Any]) -> None:
    assert not parse_array(_document3(**changes), KEY).native


@pytest.mark.parametrize("dtype", ["float64", "int16", "complex64"])
def test_big_endian_chunks_are_read(dtype: str) -> None:
    codecs = [{"name": "bytes", "configuration": {"endian": "big"}}]
    metadata = parse_array(_document3(data_type=dtype, codecs=codecs), KEY)
    values = np.arange(8).reshape(2, 4).astype(dtype)
    data = values.astype(values.dtype.newbyteorder(">")).tobytes()
    assert Array(decode_chunk(metadata, data, KEY, Budget(Limits(memory=1000)))) == Array(values)


# --------------------------------------------------------------------------------------------------
# What is read, and what is refused


@pytest.mark.parametrize(
    ("dtype", "fill", "value"),
    [
        *(
            ("<i4", 7, 7),
            ("<i4", 7.0, 7),
            ("|b1", True, True),
            ("|b1", 1, True),
            ("<u8", 2**64 - 1, 2**64 - 1),
        ),
        *(("<f8", "-Infinity", -np.inf), ("<f4", 1, 1.0), ("<f8", -0.0, -0.0), ("<f8", 0.5, 0.5)),
        *(("<c8", [1, "Infinity"], complex(1, np.inf)), ("<c16", 2, 2 + 0j), ("|S3", "YQ==", b"a")),
        *(("<U3", "é", "é"), (">U1", "b", "b"), ("<M8[s]", 7, np.datetime64(7, "s"))),
        *((">M8[s]", 7, np.datetime64(7, "s")), ("<m8[D]", -1, np.timedelta64(-1, "D"))),
        *(
            ("|V2", "AQI=", np.void(b"\1\2")),
            ("|V2", [1, 2], np.void(b"\1\2")),
            (">f4", "0x3fc00000", 1.5),
        ),
        *(("<f2", "0x3e00", 1.5), ("<c8", ["0x3fc00000", 0], 1.5 + 0j)),
        *(
            ("<i4", None, 0),
            ("|S3", "", b""),
            ("|S3", 0, b""),
            ("<f8", 0, 0.0),
            ("|V1", 0, np.void(b"\0")),
        ),
    ],
)
def test_fill_values_are_read(dtype: str, fill: object, value: Any) -> None:
    metadata = parse_array(_document(dtype=dtype, fill_value=fill), KEY)
    found = filled(metadata, (2,))
    assert found.dtype == np.dtype(dtype)
    assert found.tobytes() == np.array([value, value], dtype).tobytes()


def test_nan_and_nat_are_read() -> None:
    for dtype, fill in (("<f8", "NaN"), ("<f8", float("nan")), ("<f16", "NaN")):
        assert np.isnan(filled(parse_array(_document(dtype=dtype, fill_value=fill), KEY), ()))
    for dtype in ("<M8[s]", ">m8[D]"):
        assert np.isnat(filled(parse_array(_document(dtype=dtype, fill_value="NaT"), KEY), ()))


WRONG_FILLS: Final[list[Any]] = [
    *(
        ("<i4", "x"),
        ("<i4", float("nan")),
        ("|u1", 256),
        ("|u1", -1),
        ("<i4", [0]),
        ("<i4", 2**70),
    ),
    *(
        ("<f8", "x"),
        ("<f8", [1.0]),
        ("<f8", "0x00"),
        ("<f8", "0xzz"),
        ("<f8", 10**400),
        ("<f8", {}),
    ),
    *(
        ("<c8", [1]),
        ("<c8", [1, 2, 3]),
        ("<c8", "x"),
        ("|S3", "é"),
        ("|S3", [300]),
        ("|S3", "a"),
    ),
    *(
        ("<U3", 5),
        ("<U3", ["a"]),
        ("<M8[s]", "x"),
        ("<M8[s]", 2**63),
        ("|V2", {"a": 1}),
        ("|V2", [[]]),
    ),
    *(
        ("|S1048577", "YQ=="),
        ([["a", "<f4"]], {}),
        ([["a", "<f4"]], {"a": "x"}),
        ([["a", "<f4"]], 1.5),
    ),
]


@pytest.mark.parametrize(("dtype", "fill"), WRONG_FILLS)
def test_fill_values_of_another_type_are_refused(dtype: Any, fill: object) -> None:
    with pytest.raises(FormatError, match=r"a/\.zarray: the fill value .* is no "):
        parse_array(_document(dtype=dtype, fill_value=fill), KEY)


@pytest.mark.parametrize(
    "description",
    [
        *(
            None,
            5,
            "",
            "O",
            "|O4",
            "f",
            "f8,f8",
            "2f8",
            "(2,)f8",
            "a5",
            "float64",
            "datetime64",
            "<T8",
            "|T16",
        ),
        *(
            "<f3",
            "|S2147483648",
            "<U2147483647",
            "|V99999999999",
            "<M8[x]",
            "<M8[D/2]",
        ),
        *(
            "b",
            "S",
            "<i8 ",
            "object",
            "|b1\n",
            {},
            [["a", "|V2147483647"], ["b", "|V2147483647"]],
            [[]],
            ["ab"],
            [["a"]],
            [["a", "O"]],
            [["a", "<f8", 2]],
        ),
        *(
            [["a", "<f8", [2], [2]]],
            [["a", "<f8", [-1]]],
            [["a", "<f8", [0]]],
            [["a", "<f8", ["1"]]],
        ),
        *(
            [["a", "<f8", [True]]],
            [["", "<f8"]],
            [[1, "<f8"]],
            [["a", "<f8"], ["a", "<f8"]],
            [["a", None]],
        ),
        *(
            [["a", "<f8", [2**40, 2**40]]],
            [["a", "<f8", [2**20, 2**20]]],
            [["a", "u1", [1] * 65]],
            [[["a"], "u1"]],
        ),
    ],
    ids=str,
)
def test_dtypes_that_are_none_are_refused_without_a_warning(description: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FormatError, match=r"a/\.zarray: .*; the file is damaged"):
            parse_array(_document(dtype=description), KEY)


@pytest.mark.parametrize("description", ["|S0", "<U0", "|V0", []])
def test_dtypes_without_bytes_are_not_supported(description: Any) -> None:
    """zarr-python 2 writes them, and reads some as text of one character."""
    with pytest.raises(FormatError, match=r"a/\.zarray: a dtype of 0 bytes.* is not supported"):
        parse_array(_document(dtype=description), KEY)


def test_long_descriptions_are_cut_in_messages() -> None:
    with pytest.raises(ValueError, match="no dtype") as caught:
        parse_dtype("x" * 1000)
    assert len(str(caught.value)) < 200


EDGES: Final[list[Any]] = [
    None,
    5,
    "ab",
    [-1],
    [1.0],
    [True],
    ["1"],
    [2**62, 2],
    [1] * 65,
    [None],
    {},
]


@pytest.mark.parametrize("edges", EDGES, ids=str)
def test_shapes_that_are_none_are_refused(edges: object) -> None:
    for key in ("shape", "chunks"):
        with pytest.raises(FormatError, match=rf"a/\.zarray: {key} is "):
            parse_array(_document(**{key: edges}), KEY)
    with pytest.raises(FormatError, match=r"a/\.zarray: shape is "):
        parse_array(_document3(shape=edges), KEY)
    grid = {"name": "regular", "configuration": {"chunk_shape": edges}}
    with pytest.raises(FormatError, match=r"a/\.zarray: chunk_shape is "):
        parse_array(_document3(chunk_grid=grid), KEY)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"zarr_format": 4}, "Zarr format 4 is not known"),
        ({"zarr_format": None}, "Zarr format None"),
        ({"shape": [4, 1], "chunks": [0, 1]}, "chunks is .*, no list of integers from 1"),
        ({"chunks": [1]}, "chunks of other dimensions than the array"),
        ({"filters": {"id": "zlib"}}, "filters are no list"),
        ({"filters": [{"id": "vlen-utf8"}]}, "an object codec where there are no objects"),
        ({"compressor": {"id": "json2"}}, "an object codec where there are no objects"),
        ({"dtype": "|O"}, "an object array without an object codec"),
        (
            {"dtype": "|O", "filters": [{"id": "zlib"}]},
            "an object array of the codec .zlib. is not",
        ),
        ({"dtype": "|O", "filters": [{"id": "vlen-utf8"}] * 2}, "an object codec where there"),
        ({"dtype": "|O", "filters": [{"id": "vlen-array"}]}, "None is no dtype"),
        ({"dtype": "|O", "filters": [{"id": "vlen-array", "dtype": "|O"}]}, "'.O' is no dtype"),
        ({"order": "A"}, "order 'A', separator '.'"),
        ({"order": ["C"]}, "order"),
        ({"dimension_separator": "-"}, "order 'C', separator '-'"),
        ({"compressor": "zlib"}, "a codec without an id"),
        ({"filters": [{"id": "delta"}]}, "the codec 'delta' is not understood"),
    ],
)
def test_documents_of_format_2_that_contradict_themselves_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FormatError, match=rf"a/\.zarray: {problem}"):
        parse_array(_document(**changes), KEY)


NO_CODECS: Final[list[Any]] = [None, [], {}, "bytes"]
CONTRADICTIONS: Final[list[Any]] = [
    *(({"chunk_grid": grid}, "chunk_grid without a name") for grid in (None, 5, {}, {"name": 5})),
    (
        {"chunk_grid": {"name": "regular", "configuration": [1]}},
        "chunk_grid without a name and",
    ),
    (
        {"chunk_grid": {"name": "x", "configuration": {"chunk_shape": [2, 4]}}},
        "the chunk grid 'x' is not supported; read it with the program",
    ),
    ({"chunk_key_encoding": "x"}, "the chunk key encoding 'x' is not supported"),
    (
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": ["/"]}}},
        "the separator",
    ),
    *(({"codecs": codecs}, "codecs are no list") for codecs in NO_CODECS),
    ({"codecs": [5]}, "a codec without a name"),
    ({"shape": [3]}, "chunks of other dimensions than the array"),
    (
        {"codecs": [{"name": "transpose", "configuration": {"order": [0, 0]}}, "bytes"]},
        r"\(0, 0\) is no order of the dimensions",
    ),
    ({"data_type": None}, "data_type without a name"),
    ({"data_type": "r0"}, "a dtype of 0 bytes"),
    ({"fill_value": "x"}, "the fill value 'x' is no float64"),
    ({"attributes": {DTYPE: "|O"}}, "'|O' is no dtype"),
    ({"attributes": {DTYPE: ">f4"}}, f"{DTYPE} '>f4' does not fit the array"),
    ({"attributes": {DTYPE: "<U1"}}, f"{DTYPE} '<U1' does not fit the array"),
    (
        {"codecs": ["bytes", {"name": "numcodecs.lzma", "configuration": {"x": 1}}]},
        "the codec 'lzma' is",
    ),
]


@pytest.mark.parametrize(("changes", "problem"), CONTRADICTIONS)
def test_documents_of_format_3_that_contradict_themselves_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FormatError, match=rf"a/\.zarray: {problem}".replace("|", r"\|")):
        parse_array(_document3(**changes), KEY)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (_sharded("bytes", chunks=(2, 3)), "shards are no whole number of chunks"),
        (_sharded("bytes", chunks=(2,)), "chunks of other dimensions"),
        (_sharded(), "codecs are no list"),
        (_sharded("bytes", index=()), "codecs are no list"),
        (
            _sharded(
                _sharded(
                    _sharded(
                        _sharded(_sharded(_sharded("bytes")["codecs"][0])["codecs"][0])["codecs"][0]
                    )["codecs"][0]
                )["codecs"][0]
            ),
            "codecs are no list, or shards are nested too deep",
        ),
    ],
)
def test_shards_that_contradict_themselves_are_refused(document: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=rf"a/\.zarray: {problem}"):
        parse_array(document, KEY)


@pytest.mark.parametrize("shape", [[3, 4], [3, 5]])
def test_an_element_that_is_divided_between_chunks_is_refused(shape: list[int]) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [2, 2]}}
    document = _document3(
        data_type="uint8", attributes={DTYPE: "<U1"}, shape=shape, chunk_grid=grid
    )
    with pytest.raises(FormatError, match="does not fit the array"):
        parse_array(document, KEY)


def test_bytes_of_elements_that_another_program_has_turned_are_not_supported() -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [2, 4]}}
    turned = {"name": "transpose", "configuration": {"order": [1, 0]}}
    document = _document3(
        data_type="uint8",
        attributes={DTYPE: "<U1"},
        shape=[2, 4],
        chunk_grid=grid,
        codecs=[turned, "bytes"],
        fill_value=0,
    )
    problem = parse_array(document, KEY).unsupported
    assert problem == f"{DTYPE} with other codecs than those of zspy"


def test_codecs_are_refused_by_name_wherever_they_stand() -> None:
    pickle = {"id": "pickle"}
    documents = [
        *(
            _document(compressor=pickle),
            _document(filters=[pickle]),
            _document(filters=[{"id": "zlib"}, pickle]),
        ),
        *(
            _document(dtype="|O", filters=[pickle]),
            _document(dtype="|O", filters=[{"id": "json2"}, pickle]),
        ),
        _document(dtype="|O", filters=[{"id": "json2"}], compressor=pickle),
        *(
            _document3(codecs=codecs)
            for codecs in (["pickle"], ["bytes", "pickle"], ["numcodecs.pickle"])
        ),
        *(_sharded("bytes", "pickle"), _sharded("bytes", index=("bytes", "numcodecs.pickle"))),
        _sharded(_sharded("bytes", "pickle")["codecs"][0]),
    ]
    for document in documents:
        with pytest.raises(
            FormatError, match=r"a/\.zarray: the codec '(numcodecs\.)?pickle' is not allowed"
        ):
            parse_array(document, KEY)


def test_codecs_that_the_caller_allows_are_left_to_zarr_python_in_format_3() -> None:
    document = _document3(codecs=["bytes", "numcodecs.pcodec"])
    assert not parse_array(document, KEY, ("numcodecs.pcodec",)).native


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b"5", b'"a"', b"\xff", b"9" * 5000, b"[" * 100_000),
        b"[" + b"0," * (2**22 + 1) + b"0]",
    ],
    ids=lambda data: f"{data[:9]!r}",
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"a/\.zarray: no JSON"):
        parse_json(data, KEY)


# --------------------------------------------------------------------------------------------------
# Chunks


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("compressor", [None, default_compressor(), numcodecs.GZip(1)])
@pytest.mark.parametrize(
    "dtype", ["|b1", "<i2", ">f4", "<f2", "<f16", "<c16", "<U2", "|S3", "|V5", ">M8[s]"]
)
def test_chunks_come_back(zarr_format: ZarrFormat, compressor: Any, dtype: str) -> None:
    values = np.frombuffer(np.arange(96, dtype="u1").tobytes() * 5, "u1")[
        : 6 * np.dtype(dtype).itemsize
    ]
    data = (
        np.ascontiguousarray(values).view(dtype).reshape(2, 3)
        if dtype != "|b1"
        else np.eye(2, 3, dtype="b1")
    )
    metadata = metadata_for(
        "x", Array(data), Storage(zarr_format=zarr_format, compressor=compressor)
    )
    chunk = b"".join(encode_chunk(metadata, data))
    found = decode_chunk(metadata, chunk, KEY, Budget(Limits(memory=1000)))
    assert Array(found) == Array(data)
    assert found.flags.writeable


def test_blosc_shuffles_by_the_size_of_an_element() -> None:
    for dtype in ("<f8", ">c16", "<U3", "|V5", "<M8[s]", [("a", "<f4"), ("b", "<M8[s]")]):
        data = np.zeros(100, dtype)
        (chunk,) = encode_chunk(metadata_for("x", Array(data), TWO), data)
        assert chunk[3] == data.dtype.itemsize


def test_chunks_of_main_arrays_are_encoded_by_filters_in_their_order() -> None:
    data = np.arange(6.0).reshape(2, 3)
    filters = (numcodecs.Delta("<f8"), numcodecs.Shuffle(8))
    for compressor in (None, default_compressor()):
        storage = Storage(filters=filters, order="F", compressor=compressor)
        metadata = metadata_for("x", Array(data), storage, main=True)
        (chunk,) = encode_chunk(metadata, data)
        found = decode_chunk(metadata, chunk, KEY, Budget(Limits(memory=1000)))
        assert found.flags.f_contiguous
        assert Array(found) == Array(data)


def test_a_damaged_chunk_of_format_3_fails_its_checksum() -> None:
    metadata = metadata_for("x", Array(np.zeros(3)), THREE)
    chunk = bytearray(b"".join(encode_chunk(metadata, np.zeros(3))))
    chunk[-6] ^= 1
    with pytest.raises(FormatError, match="x/c/0: a chunk that crc32c cannot decode"):
        decode_chunk(metadata, bytes(chunk), "x/c/0", Budget(Limits(memory=1000)))


@pytest.mark.parametrize(
    ("item", "cell"),
    [
        ("vlen-utf8", ""),
        ("vlen-bytes", b""),
        ("json2", []),
        ("msgpack2", []),
        (">f4", np.zeros(0, ">f4")),
    ],
    ids=str,
)
def test_cells_that_are_not_stored_are_empty(item: str, cell: Any) -> None:
    metadata = metadata_for("x", Array(np.empty((2, 1), object), cells=item), TWO)
    found = filled(metadata, (2, 1))
    assert Array(found, cells=item) == Array(object_array([cell, cell], (2, 1)), cells=item)
    assert found[0, 0] is not found[1, 0] or isinstance(cell, (str, bytes))


@pytest.mark.parametrize(
    ("value", "is_read"),
    [
        *(("x", False), ({"name": "x"}, False), ({"must_understand": True}, False)),
        ({"name": "x", "must_understand": False}, True),
    ],
)
def test_a_key_of_format_3_that_is_not_known_may_be_passed_over(value: Any, is_read: bool) -> None:
    metadata = parse_array(_document3(shielding=value), "a/zarr.json")
    assert metadata.native == is_read
    assert metadata.unsupported == ("" if is_read else "the key 'shielding'")


@pytest.mark.parametrize(
    ("codec", "fill", "cell"),
    [
        ("vlen-utf8", "Å", "Å"),
        ("vlen-bytes", "YWI=", b"ab"),
        ("json2", "x", "x"),
        ("msgpack2", "", ""),
        ("vlen-utf8", None, ""),
        ("vlen-bytes", "", b""),
        ("vlen-bytes", None, b""),
        ("json2", None, None),
        ("msgpack2", None, None),
    ],
)
def test_cells_that_are_not_stored_are_the_fill_value(codec: str, fill: Any, cell: Any) -> None:
    document = _document(dtype="|O", filters=[{"id": codec}], fill_value=fill)
    metadata = parse_array(document, KEY)
    assert filled(metadata, (2,)).tolist() == [cell, cell]
    assert bool(metadata.disputed) == (fill == "YWI=")


def test_strings_of_format_3_that_are_not_stored_are_the_fill_value() -> None:
    codecs = [{"name": "vlen-utf8"}]
    document = _document3(data_type="string", codecs=codecs, fill_value="Å")
    assert filled(parse_array(document, "a/zarr.json"), (2,)).tolist() == ["Å", "Å"]


@pytest.mark.parametrize(
    ("codec", "fill"),
    [
        *(("vlen-utf8", 5), ("vlen-utf8", "x" * 129), ("vlen-bytes", "x"), ("vlen-bytes", 5)),
        ("json2", []),
    ],
)
def test_fill_values_that_are_no_cell_are_refused_by_name(codec: str, fill: Any) -> None:
    document = _document(dtype="|O", filters=[{"id": codec}], fill_value=fill)
    with pytest.raises(FormatError, match=r"a/\.zarray: the fill value .* is not supported"):
        parse_array(document, KEY)


@pytest.mark.parametrize("checksum", [False, True])
def test_a_checksum_of_zstandard_is_told_where_there_is_one(checksum: bool) -> None:
    """Older releases of numcodecs do not know the setting."""
    storage = Storage(compressor=numcodecs.Zstd(1, checksum=checksum))
    document = describe(metadata_for("x", Array(np.zeros(3)), storage), {})
    told = {"checksum": True} if checksum else {}
    assert document["compressor"] == {"id": "zstd", "level": 1, **told}
    assert parse_array(document, KEY).compressor == storage.compressor


def test_a_layout_knows_its_size_in_memory() -> None:
    numbers = metadata_for("x", Array(np.zeros((3, 4)), chunks=(2, 3)), TWO)
    assert (numbers.stored_grid, numbers.nbytes) == ((2, 2), 96)
    cells = metadata_for("x", Array(np.empty(5, object), cells="<f8"), TWO)
    assert (cells.stored_grid, cells.nbytes) == ((1,), 640)


@pytest.mark.parametrize(
    ("storage", "index", "key"),
    [
        *((TWO, (), "0"), (TWO, (1, 2), "1/2"), (Storage(separator="."), (1, 2), "1.2")),
        *((THREE, (), "c"), (THREE, (1, 2), "c/1/2")),
    ],
)
def test_chunks_have_the_names_that_zarr_gives_them(
    storage: Storage, index: tuple[int, ...], key: str
) -> None:
    metadata: ArrayMetadata = metadata_for("x", Array(np.zeros((3,) * len(index))), storage)
    assert metadata.key(index) == key


@pytest.mark.parametrize("dtype", ["<M8[ns]", ">M8[D]", "<m8[s]", "<m8"])
def test_null_is_no_time_as_zarr_python_reads_it(dtype: str) -> None:
    metadata = parse_array(_document(dtype=dtype, fill_value=None), KEY)
    found = filled(metadata, (2,))
    assert found.dtype == np.dtype(dtype)
    assert np.isnat(found).all()


@pytest.mark.parametrize("dtype", ["|b1", "<i2", "<f8", "<c8", "|S3", "<U2", "|V3"])
def test_null_is_zeros_else(dtype: str) -> None:
    metadata = parse_array(_document(dtype=dtype, fill_value=None), KEY)
    assert not filled(metadata, (2,)).tobytes().strip(b"\0")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_of_no_length_are_read_where_the_array_has_none(zarr_format: Any) -> None:
    """So zarr-python 3.1 writes them."""
    array = zspy.Array(np.zeros((0, 3)), chunks=(1, 3))
    root = zspy.Group({}, {"a": array})
    documents = dict(zspy.serialise(root, zarr_format=zarr_format))
    key = "a/zarr.json" if zarr_format == 3 else "a/.zarray"
    document = json.loads(documents[key])
    place = document["chunk_grid"]["configuration"] if zarr_format == 3 else document
    place["chunk_shape" if zarr_format == 3 else "chunks"] = [0, 3]
    documents[key] = json.dumps(document).encode()
    read: Any = zspy.deserialise(documents)
    found = read.members["a"]
    assert found.data.shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"codecs": ["numcodecs.delta", {"name": "bytes", "configuration": {"endian": "big"}}]},
            "a filter before a big-endian codec",
        ),
        (_sharded("bytes", index=("bytes", "gzip")), "a shard that is encoded as zspy does not"),
    ],
)
def test_what_zspy_does_not_support_has_a_name(changes: dict[str, Any], problem: str) -> None:
    metadata = parse_array(_document3() | changes, KEY)
    assert metadata.unsupported.startswith(problem)
    assert not metadata.native


@pytest.mark.parametrize("dtype", [">f4", ">i2", "<f4"])
def test_a_fill_value_of_another_byte_order_comes_back_in_format_3(dtype: str) -> None:
    storage = Storage(zarr_format=3, fill_value=7)
    metadata = metadata_for("x", Array(np.zeros(3, dtype)), storage, main=True)
    parsed = parse_array(describe(metadata, {}), "x/zarr.json")
    assert Array(filled(parsed, (2,))) == Array(np.full(2, 7, dtype))


# What zarr-python 2 writes of [[0, 1, 2], [3, 4, 5]] in order F, as texts, and as arrays.
CELLS_IN_ORDER_F: Final = {
    "vlen-utf8": b"\6\0\0\0" + b"".join(b"\1\0\0\0" + b"%d" % n for n in (0, 3, 1, 4, 2, 5)),
    "vlen-array": b"\6\0\0\0" + b"".join(b"\1\0\0\0%c" % n for n in (0, 3, 1, 4, 2, 5)),
}


@pytest.mark.parametrize("codec", CELLS_IN_ORDER_F)
def test_cells_in_the_order_of_fortran_are_read_as_they_were_written(codec: str) -> None:
    settings = {"dtype": "|u1"} if codec == "vlen-array" else {}
    document = {
        "zarr_format": 2,
        "shape": [2, 3],
        "chunks": [2, 3],
        "dtype": "|O",
        "order": "F",
        "filters": [{"id": codec, **settings}],
        "compressor": None,
        "fill_value": None,
    }
    file = {
        ".zgroup": b'{"zarr_format":2}',
        "a/.zarray": json.dumps(document).encode(),
        "a/0.0": CELLS_IN_ORDER_F[codec],
    }
    found: Any = zspy.deserialise(file)
    cells = [int(cell[0]) for cell in found.members["a"].data.ravel()]
    assert cells == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("codec", ["json2", "msgpack2"])
def test_documents_of_cells_in_the_order_of_fortran_are_refused(codec: str) -> None:
    """zarr-python 2 writes them in order C, reads them in order F, and edits what it has read."""
    document = _document(
        dtype="|O", filters=[{"id": codec}], order="F", shape=[2, 3], chunks=[2, 3]
    )
    with pytest.raises(FormatError, match=r"order F of cells of .* not supported; write them in"):
        parse_array(document, KEY)
    assert parse_array({**document, "chunks": [1, 3]}, KEY).cells == codec


@pytest.mark.parametrize(
    "data_type",
    ["r12", {"name": "structured", "configuration": {"fields": [["a", "bfloat16"]]}}],
)
def test_data_types_that_are_not_known_are_named(data_type: Any) -> None:
    metadata = parse_array(_document3(data_type=data_type, fill_value=None), "a/zarr.json")
    assert metadata.unsupported.startswith("the data type ")


def test_an_order_of_many_dimensions_is_read() -> None:
    order = [*reversed(range(30))]
    codecs = [{"name": "transpose", "configuration": {"order": order}}, "bytes"]
    grid = {"name": "regular", "configuration": {"chunk_shape": [1] * 30}}
    document = _document3(shape=[1] * 30, chunk_grid=grid, codecs=codecs)
    assert parse_array(document, "a/zarr.json").axes == tuple(order)


@pytest.mark.parametrize(
    ("decoded", "encoded", "is_read"),
    [("<f8", "<i4", True), ("<f8", ">i4", False), ("<i8", "<i4", False), (">f8", "<i4", False)],
)
def test_filters_that_do_not_fit_their_numbers_are_refused(
    decoded: str, encoded: str, is_read: bool
) -> None:
    """zarr-python turns their bytes around, or casts them."""
    settings = {"decode_dtype": decoded, "encode_dtype": encoded}
    codecs = [{"name": "numcodecs.astype", "configuration": settings}, "bytes"]
    assert parse_array(_document3(codecs=codecs), "a/zarr.json").native == is_read


@pytest.mark.parametrize("codec", ["pickle", "categorize"])
def test_an_object_codec_that_no_allowance_helps_is_not_offered(codec: str) -> None:
    document = _document(dtype="|O", filters=[{"id": codec}])
    with pytest.raises(FormatError, match=r"is not allowed; read it with the program that wrote"):
        parse_array(document, KEY)
    with pytest.raises(FormatError, match=r"is not supported; read it with the program that wrote"):
        parse_array(document, KEY, [codec])
