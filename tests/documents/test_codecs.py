"""Which codecs are allowed, what they decode to, and that hostile chunks are refused in time."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import struct
import sys
import tracemalloc
import zlib
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final, cast

import numcodecs
import numpy as np
import pytest
from hypothesis import given, strategies as st
from numcodecs import registry
from numcodecs.abc import Codec

from zspy import Array, FormatError, Storage
from zspy.documents import codecs, stages
from zspy.documents.bounded import Bound, decode_into, decode_plain
from zspy.documents.chunks import encoded_chunks, read_box
from zspy.documents.codecs import CELLS, CODECS, CRC32C, Codec as CodecRow, codec
from zspy.documents.json import dump_json, load_json
from zspy.documents.limits import HOLDER, Budget, Limits
from zspy.documents.metadata import describe, parse_array
from zspy.documents.stages import decode_cells, decode_stages, encode_stages, stages_of
from zspy.documents.storage import default_compressor, metadata_for
from zspy.typing import Compressor, NumPyArray, ZarrFormat
from zspy.values.ragged import RaggedCells, object_array

MEGA: Final = 2**20
GIGA: Final = 2**30
KEY: Final = "a/0"


def _named(stage: Compressor) -> str:
    return json.dumps(stage.get_config())


def encode_cells(cells: NumPyArray, name: str) -> bytes:
    return codecs.cell_codec(name).encode(cells, name)


def _raw(stages: list[Any], data: bytes, size: int | None, limit: int = MEGA) -> bytes:
    return decode_stages(stages_of(stages, None), data, size, limit, KEY).tobytes()


# --------------------------------------------------------------------------------------------------
# Names


def _parse_filter(config: object) -> None:
    """Parse the document of an array with a filter."""
    document = describe(metadata_for("a", Array(np.zeros(1)), Storage()), {})
    parse_array({**document, "filters": [config]}, "a/.zarray")


@pytest.mark.parametrize(
    "name",
    ["pickle", "categorize", "no such", "", *sorted({"zfpy", "pcodec", "base64"} - CODECS.keys())],
)
def test_codecs_outside_of_the_list_are_refused_by_name(name: str) -> None:
    with pytest.raises(FormatError) as caught:
        _parse_filter({"id": name})
    assert str(caught.value) == (
        f"a/.zarray: the codec {name!r} is not allowed;"
        " if you trust the file, allow it by name: codecs=(...)"
    )


@pytest.mark.parametrize("config", [None, "zlib", ["zlib"], {}, {"id": None}, {"id": ["zlib"]}])
def test_a_codec_without_an_id_is_refused(config: object) -> None:
    with pytest.raises(FormatError, match=r"a/\.zarray: a codec without an id"):
        _parse_filter(config)


def test_a_codec_that_the_caller_allows_is_made() -> None:
    assert codec({"id": "base64"}, ("base64",)).codec_id == "base64"


def test_pickle_is_not_on_the_list() -> None:
    assert not CODECS.keys() & {"pickle", "json", "msgpack"}


@pytest.mark.parametrize(
    "config",
    [
        {"id": "zlib", "level": 1, "more": 2},
        {"id": "bitround", "keepbits": -1},
        {"id": "bitround", "keepbits": "x"},
        {"id": "delta"},
        {"id": "delta", "dtype": "|O"},
        {"id": "delta", "dtype": "|S2147483647", "astype": "|u1"},
        {"id": "delta", "dtype": 3},
        {"id": "delta", "dtype": "<f3"},
        {"id": "astype", "encode_dtype": "|u1", "decode_dtype": "<U9999999"},
        {"id": "astype", "encode_dtype": "<c16", "decode_dtype": "<f8"},
        {"id": "fixedscaleoffset", "scale": [[1.0], [2.0]], "offset": 0, "dtype": "<f8"},
        {"id": "fixedscaleoffset", "scale": 1, "offset": {"a": 1}, "dtype": "<f8"},
        {"id": "quantize", "digits": 3, "dtype": "<i4"},
        {"id": "crc32", "location": "middle"},
        {"id": "crc32", "location": ["start"]},
        {"id": "jenkins_lookup3", "prefix": "text"},
        {"id": "blosc", "cname": "é"},
        {"id": "blosc", "typesize": 0},
    ],
)
def test_configurations_that_make_no_codec_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=rf"the codec '{config['id']}' is not understood"):
        codec(config)


# --------------------------------------------------------------------------------------------------
# There and back

PLAIN: Final = np.arange(1000, dtype="<u4")
COMPRESSED: Final[list[Compressor]] = [
    *(
        numcodecs.Blosc(cname, 1, shuffle)
        for cname in ("zstd", "lz4", "zlib")
        for shuffle in (0, 1, 2)
    ),
    *(numcodecs.Zstd(1), numcodecs.Zstd(1, True), numcodecs.LZ4(), numcodecs.GZip(1)),
    *(numcodecs.Zlib(1), numcodecs.BZ2(1), numcodecs.LZMA()),
    numcodecs.LZMA(lzma.FORMAT_ALONE),
    numcodecs.LZMA(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]),
]
FILTERED: Final[list[Compressor]] = [
    *(numcodecs.Delta("<u4"), numcodecs.Delta("<u4", "<i8"), numcodecs.Shuffle(4)),
    *(numcodecs.AsType("<f8", "<u4"), numcodecs.FixedScaleOffset(0, 2, "<u4", "<u2")),
    *(numcodecs.CRC32(), numcodecs.CRC32("end"), numcodecs.CRC32C(), numcodecs.Adler32()),
    *(numcodecs.Fletcher32(), numcodecs.JenkinsLookup3()),
]


@pytest.mark.parametrize("stage", [*COMPRESSED, *FILTERED], ids=_named)
@pytest.mark.parametrize("known", [True, False])
def test_what_a_codec_encodes_comes_back(stage: Compressor, known: bool) -> None:
    data = bytes(np.asarray(stage.encode(PLAIN)).tobytes())
    assert _raw([stage], data, PLAIN.nbytes if known else None) == PLAIN.tobytes()


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64])
def test_packed_bits_come_back(count: int) -> None:
    bits, stage = np.arange(count) % 3 == 0, numcodecs.PackBits()
    assert _raw([stage], np.asarray(stage.encode(bits)).tobytes(), count) == bits.tobytes()


@pytest.mark.parametrize("dtype", [">f4", "<c16", "<f2", "<f8"])
def test_filters_give_any_dtype_back(dtype: str) -> None:
    data = np.arange(5).astype(dtype)
    stage = numcodecs.Delta(dtype)
    encoded = np.asarray(stage.encode(data)).tobytes()
    assert _raw([stage], encoded, data.nbytes) == data.tobytes()


def test_reduced_floats_come_back_reduced() -> None:
    data = np.linspace(0, 1, 9)
    for stage in (numcodecs.Quantize(2, "<f8", "<f4"), numcodecs.BitRound(4)):
        encoded = np.asarray(stage.encode(data)).tobytes()
        wanted = np.asarray(stage.decode(stage.encode(data))).tobytes()
        assert _raw([stage], encoded, data.nbytes) == wanted


def test_codecs_are_undone_in_reverse() -> None:
    stages = [numcodecs.Delta("<u4"), numcodecs.Zlib(1), numcodecs.CRC32(), numcodecs.Blosc()]
    data: Any = PLAIN
    for stage in stages:
        data = stage.encode(data)
    assert _raw(stages, data, PLAIN.nbytes) == PLAIN.tobytes()
    assert _raw([], PLAIN.tobytes(), PLAIN.nbytes) == PLAIN.tobytes()


def test_a_codec_that_the_caller_allows_decodes() -> None:
    stage = codec({"id": "base64"}, ("base64",))
    assert _raw([stage], stage.encode(b"abc"), 3) == b"abc"


def test_all_members_of_a_gzip_file_are_read() -> None:
    data = gzip.compress(b"abc") + gzip.compress(b"") + gzip.compress(b"def") + b"\0\0"
    assert _raw([numcodecs.GZip()], data, 6) == b"abcdef"


def _frame(*blocks: tuple[int, int, bytes], checksum: bool = False) -> bytes:
    """Return a Zstandard frame that does not tell its size: blocks of (kind, size, content)."""
    parts = [struct.pack("<IBB", 0xFD2FB528, checksum << 2, 0x58)]
    for number, (kind, size, content) in enumerate(blocks, 1):
        parts.append(((number == len(blocks)) | kind << 1 | size << 3).to_bytes(3, "little"))
        parts.append(content)
    return b"".join(parts)


SKIPPED: Final = struct.pack("<II", 0x184D2A53, 2) + b"xx"
ZSTD: Final = numcodecs.Zstd()


@pytest.mark.parametrize("known", [True, False])
def test_zstandard_frames_need_not_tell_their_size(known: bool) -> None:
    data = _frame((0, 3, b"abc"), (1, 4, b"d"))
    assert _raw([ZSTD], data, 7 if known else None) == b"abcdddd"
    told = ZSTD.encode(b"x" * 300)
    assert _raw([ZSTD], data + told, 307 if known else None) == b"abcdddd" + b"x" * 300


def test_zstandard_frames_are_joined() -> None:
    data = SKIPPED + ZSTD.encode(b"a" * 10) + ZSTD.encode(b"b" * 300) + ZSTD.encode(b"c" * 70000)
    assert _raw([ZSTD], data, 70310) == b"a" * 10 + b"b" * 300 + b"c" * 70000
    checked = numcodecs.Zstd(1, True)
    assert _raw([ZSTD], checked.encode(b"a") + checked.encode(b"b"), 2) == b"ab"


# --------------------------------------------------------------------------------------------------
# Bombs and lies


def _bomb(stage: Compressor) -> bytes:
    """Return a few kB, or hardly more, that unpack to a GB."""
    match stage:
        case numcodecs.Blosc():
            piece = bytearray(stage.encode(bytes(MEGA)))
            piece[4:8] = GIGA.to_bytes(4, "little")
            return bytes(piece)
        case numcodecs.LZ4():
            return GIGA.to_bytes(4, "little") + b"\x1f\0\1\0" + b"\xff" * 4096
        case numcodecs.Zstd():
            return _frame(*[(1, 2**17, b"\0")] * 8192)
        case numcodecs.GZip():
            return gzip.compress(bytes(16 * MEGA)) * 64
        case numcodecs.Zlib():
            return zlib.compress(bytes(64 * MEGA))
        case numcodecs.BZ2():
            return bz2.compress(bytes(64 * MEGA))
        case _:
            assert isinstance(stage, numcodecs.LZMA)
            kind: Any = stage.format
            return lzma.compress(bytes(64 * MEGA), kind, filters=stage.filters)


BOMBERS: Final = [
    *(numcodecs.Blosc(), numcodecs.LZ4(), numcodecs.Zstd(), numcodecs.GZip(), numcodecs.Zlib()),
    *(numcodecs.BZ2(), numcodecs.LZMA()),
    numcodecs.LZMA(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]),
]


@pytest.mark.parametrize("stage", BOMBERS, ids=_named)
@pytest.mark.parametrize("known", [True, False])
def test_a_bomb_is_refused_before_it_goes_off(stage: Compressor, known: bool) -> None:
    data = _bomb(stage)
    assert len(data) < MEGA + 2**16
    tracemalloc.start()
    with pytest.raises(FormatError, match=rf"a/0: a chunk that {stage.codec_id} cannot decode"):
        _raw([stage], data, 2**16 if known else None, 2**16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MEGA  # the dictionary of LZMA has 8


HOLLOW: Final[dict[str, tuple[Compressor, bytes]]] = {
    "gzip": (numcodecs.GZip(), gzip.compress(b"") * 2**13 + gzip.compress(b"a")),
    "zlib": (
        numcodecs.Zlib(),
        zlib.compress(b"")[:2] + b"\0\0\0\xff\xff" * 2**15 + zlib.compress(b"a")[2:],
    ),
    "frames": (ZSTD, SKIPPED * 2**13 + ZSTD.encode(b"a")),
    "blocks": (ZSTD, _frame(*[(0, 0, b"")] * 2**15, (0, 1, b"a"))),
}


@pytest.mark.parametrize("name", HOLLOW)
def test_data_that_holds_hardly_anything_is_refused_on_the_way(name: str) -> None:
    """Each of its blocks takes a time: those in a MiB of gzip took half a second."""
    stage, data = HOLLOW[name]
    with pytest.raises(FormatError, match=r"cannot decode \(\d+ bytes of it hold [0-8]?\d bytes\)"):
        _raw([stage], data, 1)


@pytest.mark.parametrize("stage", [numcodecs.Zlib(), numcodecs.BZ2(), numcodecs.LZMA()], ids=_named)
@pytest.mark.parametrize("rest", [b"rest", bytes(2**18)])
def test_what_lies_behind_a_stream_is_passed_over(stage: Compressor, rest: bytes) -> None:
    assert _raw([stage], bytes(stage.encode(b"abc")) + rest, 3) == b"abc"


@pytest.mark.parametrize("stage", BOMBERS, ids=_named)
def test_noise_is_decoded_though_it_takes_more_than_it_holds(stage: Compressor) -> None:
    noise = np.random.default_rng(0).bytes(3 * MEGA)
    assert _raw([stage], bytes(stage.encode(noise)), len(noise), 8 * MEGA) == noise


@pytest.mark.parametrize(
    "stage",
    [numcodecs.GZip(), numcodecs.Zlib(), numcodecs.BZ2(), numcodecs.LZMA(preset=0)],
    ids=_named,
)
def test_a_stream_takes_its_memory_once(stage: Compressor) -> None:
    values = np.random.default_rng(0).integers(0, 16, 8 * MEGA, "u1")
    data = bytes(stage.encode(values))
    stages = stages_of([stage], None)
    tracemalloc.start()
    found = decode_stages(stages, data, values.nbytes, MEGA, KEY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found == values).all()
    assert peak < 1.5 * values.nbytes


def test_zstandard_frames_that_tell_too_much_are_refused() -> None:
    data = ZSTD.encode(b"a") + struct.pack("<IBQ", 0xFD2FB528, 0xE0, 2**60) + b"\x01\0\0"
    with pytest.raises(FormatError, match=r"bytes, where 1048576 are allowed"):
        _raw([ZSTD], data, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfd\0\x58\1\0",
        b"abcdefghi",
        _frame((0, 9, b"abc")),
        SKIPPED,
    ],
)
def test_what_is_no_zstandard_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="cannot decode"):
        _raw([ZSTD], data, 3)


@pytest.mark.parametrize("cut", [0, 3, 15, 16, 100, -1])
def test_blosc_that_is_cut_or_lies_is_refused(cut: int) -> None:
    data = numcodecs.Blosc().encode(PLAIN)
    with pytest.raises(FormatError, match="blosc cannot decode"):
        _raw([numcodecs.Blosc()], data[:cut], PLAIN.nbytes)


@given(
    position=st.integers(0, 15),
    value=st.integers(0, 255),
    size=st.sampled_from([PLAIN.nbytes, None]),
)
def test_any_header_of_blosc_is_decoded_or_refused(
    position: int, value: int, size: int | None
) -> None:
    data = bytearray(numcodecs.Blosc("zstd", 1, 1).encode(PLAIN))
    data[position] = value
    with suppress(FormatError):
        assert size in (None, len(_raw([numcodecs.Blosc()], bytes(data), size)))


@pytest.mark.parametrize("stage", [*COMPRESSED, *FILTERED, numcodecs.PackBits()], ids=_named)
@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\xff" * 20])
def test_what_no_codec_has_written_is_refused(stage: Compressor, data: bytes) -> None:
    with pytest.raises(FormatError, match=r"cannot decode|bytes where \d+ belong"):
        _raw([stage], data, 4000)


@pytest.mark.parametrize("stage", COMPRESSED, ids=_named)
def test_a_chunk_of_another_size_is_refused(stage: Compressor) -> None:
    data = stage.encode(PLAIN)
    for wrong in (PLAIN.nbytes - 4, PLAIN.nbytes + 4):
        with pytest.raises(FormatError, match="a/0"):
            _raw([stage], data, wrong)
    with pytest.raises(FormatError, match="a/0: a chunk of 3 bytes where 4 belong"):
        _raw([], b"abc", 4)


@pytest.mark.parametrize("stage", [numcodecs.CRC32(), numcodecs.CRC32C(), numcodecs.Fletcher32()])
def test_a_wrong_checksum_is_refused(stage: Compressor) -> None:
    data = bytearray(np.asarray(stage.encode(PLAIN)).tobytes())
    data[10] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        _raw([stage], bytes(data), PLAIN.nbytes)


def test_filters_that_enlarge_stay_within_the_limit() -> None:
    stage = numcodecs.AsType("|u1", "<c16")
    assert _raw([stage], b"\1", None, 64) == np.array([1], "<c16").tobytes()
    with pytest.raises(FormatError, match="a chunk that astype cannot decode"):
        _raw([stage], bytes(1000), None, 1000)


@pytest.mark.filterwarnings("error")
def test_filters_do_not_warn() -> None:
    for config in (
        {"id": "fixedscaleoffset", "scale": 0, "offset": 0, "dtype": "<i4", "astype": "|u1"},
        {"id": "astype", "encode_dtype": "<f8", "decode_dtype": "<i4"},
        {"id": "quantize", "digits": 1, "dtype": "<f2", "astype": "<f8"},
    ):
        data = np.array([float("nan"), 1e300]).tobytes()
        _raw([codec(config)], data, None)


def test_a_dictionary_of_lzma_takes_no_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**32 - 1}]
    with pytest.raises(FormatError):
        _raw([numcodecs.LZMA(lzma.FORMAT_RAW, filters=filters)], b"\1\0", 10)
    big = lzma.compress(b"abc", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}])
    with pytest.raises(FormatError, match="Memory usage limit"):
        _raw([numcodecs.LZMA()], big, 3)


# --------------------------------------------------------------------------------------------------
# Object arrays

TEXTS: Final = object_array(["", "a", "é測🔬", "x" * 300], (2, 2))
BYTES: Final = object_array([b"", b"\0", b"abc"], (3,))
LISTS: Final = object_array([[], ["a", "é" * 20], ["b"] * 20, ["c" * 40]], (2, 2))
ANY: Final = object_array([[None, True, False], [1.5, -(2**40), 2**40], [["a"], []], "text"], (4,))


def _decoded(data: NumPyArray, item: str, size: int, budget: Budget) -> NumPyArray:
    found = decode_cells(data, item, size, budget, KEY)
    return np.asarray(RaggedCells(*found, (size,))) if isinstance(found, tuple) else found


def _cells(cells: Any, item: str, budget: int = MEGA) -> Any:
    data = np.frombuffer(encode_cells(cells, item), np.uint8)
    return _decoded(data, item, cells.size, Budget(Limits(memory=budget))).reshape(cells.shape)


@pytest.mark.parametrize(
    ("cells", "item"),
    [
        *((TEXTS, "vlen-utf8"), (BYTES, "vlen-bytes"), (LISTS, "json2"), (LISTS, "msgpack2")),
        *((ANY, "json2"), (ANY, "msgpack2"), (TEXTS, "json2"), (TEXTS, "msgpack2")),
        *((object_array([["a"]], ()), "msgpack2"), (object_array([["a"]], ()), "json2")),
        *((object_array([], (0,)), item) for item in ("vlen-utf8", "json2", "msgpack2", "<f8")),
    ],
)
def test_cells_come_back(cells: Any, item: str) -> None:
    found = _cells(cells, item)
    assert found.dtype == cells.dtype
    assert found.tolist() == cells.tolist()
    assert [type(cell) for cell in found.flat] == [type(cell) for cell in cells.flat]


@pytest.mark.parametrize(
    "dtype", ["|b1", "<i2", ">i8", "<f2", ">f8", "<c16", ">f16", "S3", ">U2", "<M8[s]"]
)
def test_arrays_in_cells_come_back(dtype: str) -> None:
    arrays = [np.zeros(3, dtype), np.ones(4, dtype)[::2], np.zeros(0, dtype)]
    found = _cells(object_array(arrays, (3,)), dtype)
    for cell, wanted in zip(found, arrays, strict=True):
        assert cell.dtype == wanted.dtype
        assert cell.tobytes() == wanted.tobytes()
        assert cell.flags.writeable


@given(
    st.sampled_from(["|u1", "<i2", ">f8", "S3", "<c16"]),
    st.lists(st.integers(0, 3)) | st.integers(0, 3).map(lambda length: [length] * 4),
    st.binary(max_size=16),
)
def test_arrays_lie_in_a_document_as_numcodecs_puts_them(
    dtype: str, lengths: list[int], behind: bytes
) -> None:
    values = np.frombuffer(bytes(range(240)), dtype)
    cells = object_array((values[:length] for length in lengths), (len(lengths),))
    data = encode_cells(cells, dtype)
    assert data == bytes(numcodecs.VLenArray(dtype).encode(cells))
    whole = np.frombuffer(data + behind, np.uint8)
    found = _decoded(whole, dtype, len(lengths), Budget(Limits()))
    for cell, wanted in zip(found, cells, strict=True):
        assert cell.dtype == wanted.dtype
        assert cell.tobytes() == wanted.tobytes()
    assert not any(np.shares_memory(a, b) for a, b in pairwise(found))


def test_cells_are_encoded_as_numcodecs_does() -> None:
    """By the layouts of clause 8.5 of the specification."""
    strings = TEXTS.ravel()
    assert encode_cells(TEXTS, "vlen-utf8") == bytes(numcodecs.VLenUTF8().encode(strings))
    arrays = object_array([np.arange(3.0), np.zeros(0)], (2,))
    assert encode_cells(arrays, "<f8") == bytes(numcodecs.VLenArray("<f8").encode(arrays))
    assert json.loads(encode_cells(LISTS, "json2")) == [*LISTS.tolist(), "|O", [2, 2]]
    assert encode_cells(object_array([["a"]], (1,)), "msgpack2") == (b"\x93\x91\xa1a\xa2|O\x91\1")


def test_every_type_of_messagepack_that_others_write_is_read() -> None:
    numbers = [
        *(
            (0x7F).to_bytes(),
            b"\xe0",
            b"\xca" + struct.pack(">f", 0.5),
            b"\xcb" + struct.pack(">d", 0.1),
        ),
        *(b"\xcc\xff", b"\xcd\xff\xff", b"\xce\xff\xff\xff\xff", b"\xcf" + b"\xff" * 8),
        *(b"\xd0\xff", b"\xd1\xff\xfe", b"\xd2\xff\xff\xff\xfd", b"\xd3" + b"\xff" * 8),
        *(b"\xc0", b"\xc2", b"\xc3", b"\xd9\1a", b"\xda\0\1b", b"\xdb\0\0\0\1c", b"\xdc\0\1\1"),
        b"\xdd\0\0\0\1\2",
    ]
    count = len(numbers)
    data = b"\xdc\0" + bytes([count + 2]) + b"".join(numbers) + b"\xa2|O\x91" + bytes([count])
    whole = np.frombuffer(data, np.uint8)
    found = _decoded(whole, "msgpack2", count, Budget(Limits(memory=MEGA)))
    assert found.tolist() == [
        *(127, -32, 0.5, 0.1, 255, 65535, 2**32 - 1, 2**64 - 1, -1, -2, -3, -1, None, False, True),
        *("a", "b", "c", [1], [2]),
    ]


@pytest.mark.parametrize(
    ("cells", "item"),
    [
        ([None], "vlen-utf8"),
        ([0], "vlen-utf8"),
        (["a"], "vlen-bytes"),
        ([np.arange(2)], "<f8"),
        ([np.zeros((1, 1))], "<f8"),
        ([np.array(1.0)], "<f8"),
        ([[1.0]], "<f8"),
    ],
)
def test_cells_that_would_change_are_not_encoded(cells: list[Any], item: str) -> None:
    with pytest.raises(ValueError, match=f"a cell that is no {item}"):
        encode_cells(object_array(cells, (1,)), item)


def test_cells_of_messagepack_may_be_what_it_holds() -> None:
    cells = object_array([{"a": [1, None]}, b"a", [True, 0.5]], (3,))
    data = np.frombuffer(encode_cells(cells, "msgpack2"), np.uint8)
    assert _decoded(data, "msgpack2", 3, Budget(Limits())).tolist() == cells.tolist()
    with pytest.raises(TypeError, match="complex"):
        encode_cells(object_array([[1j]], (1,)), "msgpack2")


def test_cells_of_messagepack_need_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(ImportError, match="need the package msgpack: install it"):
        encode_cells(object_array([["a"]], (1,)), "msgpack2")
    with pytest.raises(FormatError, match=r"a/0: a chunk .* need the package msgpack: install it"):
        decode_cells(np.zeros(9, np.uint8), "msgpack2", 1, Budget(Limits()), KEY)


def test_lengths_of_messagepack_are_not_believed() -> None:
    data = np.frombuffer(b"\xdd\0\x0f\xff\xff" * 500 + bytes(MEGA), np.uint8)
    tracemalloc.start()
    with pytest.raises(FormatError, match="msgpack2 cannot decode"):
        decode_cells(data, "msgpack2", 1, Budget(Limits()), KEY)
    assert tracemalloc.get_traced_memory()[1] < 8 * MEGA
    tracemalloc.stop()


_COUNT: Final = struct.pack("<I", 1)


@pytest.mark.parametrize(
    ("data", "item"),
    [
        *(
            (data, item)
            for data in (b"", b"\1", b"\0\0\0\0")
            for item in ("vlen-utf8", "<f8", "vlen-bytes")
        ),
        *((_COUNT + length, "vlen-utf8") for length in (b"", b"\1\0\0\0", b"\xff\xff\xff\xffa")),
        (_COUNT + b"\1\0\0\0\xff", "vlen-utf8"),
        (_COUNT + b"\1\0\0\0a", "<f8"),
        *(
            (data, "json2")
            for data in (b"", b"{}", b"1", b"[]", b"[1]", b'["a","|O",[2]]', b'["a","|O",3]')
        ),
        *(
            (data, "json2")
            for data in (b'["a","<f8",[1]]', b'["a","b","|O",[1]]', b'["a","|O",[1,1]]')
        ),
        *((b"[" * count + b"]" * count, "json2") for count in (300, 100_000)),
        *(
            (data, "msgpack2")
            for data in (b"", b"\x90", b"\x91", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xd3\0")
        ),
        *(
            (data, "msgpack2")
            for data in (b"\xdb\xff\xff\xff\xffa", b"\xa2a", b"\x80", b"\xc4\0", b"\xc0\xc0")
        ),
        (b"\x91" * 1000 + b"\xc0", "msgpack2"),
        (b"\x93\xa1\xff\xa2|O\x91\1", "msgpack2"),
    ],
)
def test_what_are_no_cells_is_refused(data: bytes, item: str) -> None:
    with pytest.raises(FormatError, match=f"a/0: a chunk that {item} cannot decode"):
        decode_cells(np.frombuffer(data, np.uint8), item, 1, Budget(Limits(memory=GIGA)), KEY)


def test_pickles_are_not_unpacked() -> None:
    data = np.frombuffer(pickle.dumps(["a"]), np.uint8)
    for item in (*CELLS - {"vlen-array"}, "<f8"):
        with pytest.raises(FormatError):
            decode_cells(data, item, 1, Budget(Limits(memory=MEGA)), KEY)


@pytest.mark.parametrize(
    ("item", "growth", "lists"), [("vlen-utf8", 4, 0), ("json2", 32, 0), ("msgpack2", 32, 2)]
)
def test_cells_are_paid_for_as_memory(item: str, growth: int, lists: int) -> None:
    """In MessagePack a list may be as short as a byte, so each is paid for."""
    cells = object_array(["abc"], (1,))
    data = np.frombuffer(encode_cells(cells, item), np.uint8)
    budget = Budget(Limits(memory=data.size * growth + lists * HOLDER))
    assert _decoded(data, item, 1, budget).tolist() == ["abc"]
    assert budget.left == 0
    with pytest.raises(FormatError, match=r"a/0: it takes .* bytes of memory, and hardly"):
        decode_cells(data, item, 1, budget, KEY)


# --------------------------------------------------------------------------------------------------
# JSON


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_json_that_is_nested_as_deep_as_allowed_comes_back() -> None:
    values: list[Any] = [_nested(200), {"a": _nested(100)}, [[], {}] * 500]
    for value in values:
        assert load_json(dump_json(value)) == value


@pytest.mark.parametrize("depth", [201, 500, 900])
def test_json_that_is_nested_deeper_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="it is nested too deep"):
        dump_json(_nested(depth))
    with pytest.raises(ValueError, match="it is nested too deep"):
        load_json(json.dumps(_nested(depth)).encode())


# --------------------------------------------------------------------------------------------------
# The table

_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "delta": {"dtype": "<f8"},
    "fixedscaleoffset": {"dtype": "<f8", "scale": 1, "offset": 0},
    "quantize": {"dtype": "<f8", "digits": 9},
    "astype": {"encode_dtype": "<f4", "decode_dtype": "<f8"},
    "bitround": {"keepbits": 30},
    "shuffle": {"elementsize": 8},
    "crc32c": {"location": "end"},
}
_DATA: Final = np.arange(24.0).reshape(4, 6)
each_row = pytest.mark.parametrize("name", sorted(CODECS.keys() - CELLS))


def _made(name: str) -> Compressor:
    """Make the codec of a row; a test of one whose library is not installed is skipped."""
    if name not in registry.codec_registry and name != CRC32C.codec_id:
        pytest.skip(f"numcodecs has no {name} here")
    return codec({"id": name, **_SETTINGS.get(name, {})})


def _data_for(name: str) -> NumPyArray:
    """Give an array of a dtype that the codec of a row takes."""
    default = "?" if name == "packbits" else "<f8"
    return _DATA.astype(next(iter(CODECS[name].dtypes), default))


@each_row
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_each_row_encodes_and_decodes_an_array_in_both_formats(
    name: str, zarr_format: ZarrFormat
) -> None:
    made = _made(name)
    compresses = CODECS[name].compresses
    storage = Storage(
        zarr_format=zarr_format,
        compressor=made if compresses else None,
        filters=() if compresses else (made,),
    )
    _assert_kept(_data_for(name), storage, [name])


@each_row
def test_each_row_refuses_data_that_is_cut_off_or_of_another_size(name: str) -> None:
    values = _data_for(name).ravel()
    stages = stages_of([_made(name)], values.dtype)
    data = b"".join(encode_stages(stages, values))
    size = values.nbytes
    assert decode_stages(stages, data, size, MEGA, KEY).tobytes() == values.tobytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError, match=KEY):
            decode_stages(stages, data[:cut], size, MEGA, KEY)
    for wrong in (size - 8 * values.itemsize, size + 8 * values.itemsize):
        with pytest.raises(FormatError, match=KEY):
            decode_stages(stages, data, wrong, MEGA, KEY)


def test_each_compressor_of_bytes_is_tried_with_a_bomb() -> None:
    rows = [row for row in CODECS.values() if row.compresses and row.takes == "bytes"]
    names = {row.id for row in rows if row.decode is not decode_plain}
    assert names == {stage.codec_id for stage in BOMBERS}, "write its bomb in _bomb"


def _assert_kept(data: NumPyArray, storage: Storage, names: list[str]) -> None:
    """Serialise a main array, and hold what is read of it against it."""
    metadata = metadata_for("x", Array(data, chunks=(2, 4)), storage, main=True)
    document = json.loads(json.dumps(describe(metadata, {})))
    parsed = parse_array(document, "x")
    assert parsed.native
    known = [stage.row.id for stage in parsed.stages]
    assert known[: len(names)] == names
    is_compressed = parsed.compressor is not None
    assert is_compressed == CODECS[names[-1]].compresses
    assert parsed.compressor == metadata.compressor
    chunks = {key: b"".join(chunk) for key, chunk in encoded_chunks("", metadata, data)}
    found = read_box(chunks, "", parsed, (0, 0), parsed.shape, Budget(Limits()))
    assert found.tolist() == data.tolist()


class Halves(Codec):
    """A codec of numbers: their upper and lower halves, one behind the other."""

    codec_id = "tests.halves"

    def encode(self, buf: Any) -> bytes:
        if buf.dtype != np.float64:
            raise TypeError("no doubles")
        return bytes(buf.view("<u4").reshape(-1, 2).T.tobytes())

    def decode(self, buf: Any, out: Any = None) -> Any:
        out.view("<u4").reshape(-1, 2)[...] = np.frombuffer(buf, "<u4").reshape(2, -1).T
        return out


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_codec_of_numbers_is_one_more_row(
    zarr_format: ZarrFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = CodecRow(id=Halves.codec_id, takes="numbers", decode=decode_into, compresses=True)
    monkeypatch.setitem(registry.codec_registry, row.id, Halves)
    monkeypatch.setitem(cast("Any", CODECS), row.id, row)
    monkeypatch.setitem(cast("Any", codecs.CODECS_V3), f"numcodecs.{row.id}", row)
    storage = Storage(zarr_format=zarr_format, compressor=Halves())
    _assert_kept(_DATA, storage, [row.id])
    text = metadata_for("x", Array(np.array(["a"])), storage)
    assert text.compressor == default_compressor()
    shuffled = Storage(
        zarr_format=zarr_format, compressor=Halves(), filters=(numcodecs.Shuffle(8),)
    )
    _assert_kept(_DATA, shuffled, ["shuffle", "blosc"])
    if zarr_format == 2:
        checked = Storage(compressor=Halves(), checksum=True)
        _assert_kept(_DATA, checked, [row.id, "crc32"])
    with pytest.raises(FormatError, match="it does not say how much it holds"):
        decode_stages(stages_of([Halves()], None), bytes(8), None, MEGA, KEY)


class Short(Codec):
    """A codec of numbers that says nothing where there are fewer than asked for."""

    codec_id = "tests.short"

    def encode(self, buf: Any) -> Any:
        return buf

    def decode(self, buf: Any, out: Any = None) -> Any:
        out[:1] = np.frombuffer(buf, out.dtype)[:1]
        return out


def test_numbers_that_a_codec_does_not_give_are_none_of_the_memory() -> None:
    bound = Bound(8 * 1000, MEGA, np.dtype("i8"))
    for _ in range(10):
        decoded = decode_into(Short(), np.full(8, 1, "u1"), bound)
        assert not decoded[1:].any()
        decoded[...] = -1
        del decoded


def test_a_row_goes_to_another_process() -> None:
    for row in (*CODECS.values(), codecs.row_of("unheard of")):
        assert pickle.loads(pickle.dumps(row)).id == row.id  # noqa: S301


def test_extensions_of_messagepack_are_refused() -> None:
    data = np.frombuffer(b"\x93\xd4\x05\x00\xa2|O\x91\x01", np.uint8)
    with pytest.raises(FormatError, match="the extension 5 of MessagePack"):
        decode_cells(data, "msgpack2", 1, Budget(Limits()), KEY)


def test_a_codec_takes_the_dtypes_that_its_row_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(name: str) -> CodecRow:
        return CodecRow(id=name, dtypes=("<f8",))

    monkeypatch.setattr(stages, "row_of", row)
    zlib_codec = numcodecs.Zlib()
    found = [stages.takes(zlib_codec, np.dtype(kind)) for kind in ("<f8", "<f4", "?")]
    assert found == [True, False, False]
    assert stages.takes(zlib_codec, None)
