"""The laws of documents: what nodes become in a store, and what comes back.

``deserialise(dict(serialise(n))) == n`` in both formats; zarr-python reads what zspy writes, and
zspy what zarr-python writes; and whatever the documents of a store hold, reading them ends in nodes
or in a FormatError.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import assume, given, strategies as st
from zarr import codecs as codecs3
from zarr.core.buffer import default_buffer_prototype
from zarr.dtype import VariableLengthBytes, VariableLengthUTF8
from zarr.storage import MemoryStore

from zspy import Array, FormatError, Group, Limits, deserialise, serialise
from zspy.documents.chunks import encode_chunk
from zspy.documents.dtypes import DTYPE, from_core
from zspy.documents.metadata import describe
from zspy.documents.storage import Storage, metadata_for
from zspy.strategies import arrays, dtypes, json_scalars
from zspy.typing import is_dict, is_list
from zspy.values.names import ENCODING, NAV_SHAPE, RECORD, SHAPES
from zspy.values.nodes import walk
from zspy.values.ragged import object_array

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from zspy.typing import JSON, Node, ZarrFormat

AnyArray = np.ndarray[Any, Any]
ZARR: Final[Any] = zarr  # its signatures are known in part only

FORMATS: Final[tuple[ZarrFormat, ...]] = (2, 3)
OWN: Final = frozenset({RECORD, ENCODING, NAV_SHAPE, DTYPE, "_ragged_cells"})
RESERVED: Final = frozenset({".zgroup", ".zarray", ".zattrs", "zarr.json"})
FIELDS: Final = "biufcmMSUV"

both = pytest.mark.parametrize("zarr_format", FORMATS)

# --------------------------------------------------------------------------------------------------
# Nodes


def _attributes() -> SearchStrategy[dict[str, Any]]:
    names = st.text(max_size=4).filter(lambda name: name not in OWN)
    texts = st.sampled_from(["NaN", "Infinity", "-Infinity", '"'])
    value = st.recursive(
        json_scalars() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
        max_leaves=4,
    )
    return st.dictionaries(names, value, max_size=3)


@st.composite
def _chunks(draw: DrawFn, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    edges = st.tuples(*(st.integers(1, edge + 2) for edge in shape))
    return draw(st.none() | edges)


@st.composite
def _numeric(draw: DrawFn) -> Array:
    data = draw(arrays(dtype=dtypes(kinds=FIELDS), masked=False))
    assume(_storable(data.dtype))
    chunks, shards = draw(_chunks(data.shape)), draw(_chunks(data.shape))
    return Array(data, draw(_attributes()), chunks=chunks, shards=shards)


def _storable(dtype: np.dtype[Any]) -> bool:
    """Whether Zarr can describe a dtype: no padding, no empty element."""
    return bool(dtype.itemsize) and not dtype.isalignedstruct and _packed(dtype) == dtype


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.subdtype is not None:
        return np.dtype((_packed(dtype.subdtype[0]), dtype.subdtype[1]))
    fields: Any = dtype.fields
    if fields is None:
        return dtype
    return np.dtype([(name, _packed(fields[name][0])) for name in fields])


@st.composite
def _strings(draw: DrawFn) -> Array:
    shape = draw(st.lists(st.integers(0, 3), max_size=3).map(tuple))
    texts = draw(st.lists(st.text(max_size=4), min_size=prod(shape), max_size=prod(shape)))
    data = object_array(texts, shape)
    chunks, shards = draw(_chunks(shape)), draw(_chunks(shape))
    return Array(data, draw(_attributes()), "vlen-utf8", chunks, shards)


@st.composite
def _ragged(draw: DrawFn, name: str = "ragged") -> dict[str, Array]:
    """An object array of cells, as `encode` makes it, and as it does not."""
    shape = draw(st.lists(st.integers(0, 3), max_size=2).map(tuple))
    ndim = draw(st.integers(0, 2))
    tail = draw(st.lists(st.integers(0, 2), min_size=ndim, max_size=ndim).map(tuple))
    shapes: list[tuple[int, ...]] = [
        draw(
            st.integers(0, 3).map(lambda edge: (edge, *tail))
            | st.lists(st.integers(0, 2), max_size=3).map(tuple)
        )
        for _ in range(prod(shape))
    ]
    cells: list[Any]
    if draw(st.booleans()):
        item = "msgpack2"
        cells = [
            draw(st.lists(st.text(max_size=3), min_size=n, max_size=n)) for n in map(prod, shapes)
        ]
    else:
        dtype = draw(dtypes(kinds="biufcSU"))
        assume(dtype.itemsize)
        item = dtype.str
        cells = [draw(arrays(dtype=st.just(dtype), shape=s, masked=False)).ravel() for s in shapes]
    chunks = draw(_chunks(shape))
    members = {name: Array(object_array(cells, shape), draw(_attributes()), item, chunks)}
    if draw(st.booleans()):
        rows = object_array((np.array(row, np.int64) for row in shapes), shape)
        members[SHAPES + name] = Array(rows, {}, "<i8", chunks)
    return members


@st.composite
def nodes(draw: DrawFn, depth: int = 2) -> Group:
    """Trees of groups and arrays of every kind."""
    names = st.text(min_size=1, max_size=5).filter(
        lambda name: "/" not in name and name not in RESERVED
    )
    members: dict[str, Node] = {}
    for name in draw(st.lists(names, max_size=3, unique=True)):
        kind = draw(st.integers(0, 4 if depth else 3))
        if kind == 4:
            members[name] = draw(nodes(depth - 1))
        elif kind == 3:
            members |= draw(_ragged(name))
        else:
            members[name] = draw(_strings() if kind == 2 else _numeric())
    return Group(draw(_attributes()), members)


# --------------------------------------------------------------------------------------------------
# There and back


@both
@given(node=nodes() | _numeric() | _strings())
def test_what_is_serialised_comes_back(zarr_format: ZarrFormat, node: Node) -> None:
    documents = dict(serialise(node, zarr_format=zarr_format))
    assert deserialise(documents) == node


@both
@given(node=nodes())
def test_each_key_is_given_once(zarr_format: ZarrFormat, node: Node) -> None:
    keys = [key for key, _ in serialise(node, zarr_format=zarr_format)]
    assert len(keys) == len(set(keys))


@both
@given(node=nodes())
def test_what_comes_back_is_serialised_alike(zarr_format: ZarrFormat, node: Node) -> None:
    documents = dict(serialise(node, zarr_format=zarr_format))
    again = dict(serialise(deserialise(documents), zarr_format=zarr_format))
    assert deserialise(again) == node


def _no_constant(name: str) -> object:
    raise AssertionError(name)


@given(node=nodes())
def test_documents_of_format_3_are_valid_json(node: Group) -> None:
    for key, document in serialise(node, zarr_format=3):
        if key.endswith("zarr.json"):
            json.loads(document, parse_constant=_no_constant)


@given(node=nodes())
def test_documents_of_format_2_are_json_as_python_reads_it(node: Group) -> None:
    for key, document in serialise(node):
        if key.rpartition("/")[2] in {".zgroup", ".zarray", ".zattrs"}:
            assert isinstance(json.loads(document), dict)


@both
@given(node=nodes())
def test_nothing_that_is_serialised_is_changed(zarr_format: ZarrFormat, node: Group) -> None:
    twin = deserialise(dict(serialise(node)))
    dict(serialise(node, zarr_format=zarr_format))
    assert node == twin


@both
@given(node=nodes())
def test_arrays_that_come_back_can_be_written_to(zarr_format: ZarrFormat, node: Group) -> None:
    found = deserialise(dict(serialise(node, zarr_format=zarr_format)))
    for _, here in walk(found):
        if isinstance(here, Array):
            assert np.asarray(here.data).flags.writeable


# --------------------------------------------------------------------------------------------------
# zarr-python


def _store(documents: Mapping[str, bytes]) -> MemoryStore:
    buffer = default_buffer_prototype().buffer
    return MemoryStore({key: buffer.from_bytes(data) for key, data in documents.items()})


def _documents(store: MemoryStore) -> dict[str, bytes]:
    return {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}


def _same(found: AnyArray, wanted: AnyArray) -> bool:
    return Array(found) == Array(wanted)


def _zarr_knows(dtype: np.dtype[Any]) -> bool:
    """Whether every zarr-python reads it.

    Not extended precision, times without a unit, and fields that are arrays or structures.
    """
    if dtype.names is not None:
        inner = [dtype[name] for name in dtype.names]
        return all(field.names is None and _zarr_knows(field) for field in inner)
    if dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
        return False
    return dtype.char not in "gG" and dtype.subdtype is None


@both
@given(array=_numeric())
def test_zarr_python_reads_arrays_that_zspy_writes(zarr_format: ZarrFormat, array: Array) -> None:
    data: Any = array.data
    assume(_zarr_knows(data.dtype))
    store = _store(dict(serialise(Group({}, {"x": array}), zarr_format=zarr_format)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of data types that format 3 does not specify yet
        found: Any = ZARR.open_array(store, path="x", mode="r")[...]
    # a scalar of no dimensions has forgotten the size of its dtype
    whole = np.asarray(found) if zarr_format == 3 else np.asarray(found, data.dtype)
    assert _same(from_core(whole, data.dtype), data)


@both
@given(array=_strings())
def test_zarr_python_reads_strings_that_zspy_writes(zarr_format: ZarrFormat, array: Array) -> None:
    store = _store(dict(serialise(Group({}, {"x": array}), zarr_format=zarr_format)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = ZARR.open_array(store, path="x", mode="r")[...]
    wanted: list[str] = np.asarray(array.data).ravel().tolist()
    if isinstance(found, str):  # of no dimensions: zarr-python 3.1 drops NULs at the end
        assert str.__str__(found).rstrip("\0") == wanted[0].rstrip("\0")
    else:
        assert [*map(str.__str__, np.asarray(found, object).ravel().tolist())] == wanted


@both
@given(attributes=_attributes())
def test_zarr_python_reads_groups_that_zspy_writes(
    zarr_format: ZarrFormat, attributes: dict[str, JSON]
) -> None:
    store = _store(dict(serialise(Group(attributes), zarr_format=zarr_format)))
    found = ZARR.open_group(store, mode="r", use_consolidated=False).attrs.asdict()
    assert set(found) - {RECORD} == set(attributes)


_ZARR_DTYPES: Final[tuple[Any, ...]] = (
    *([("a", "<f4"), ("b", "S3")], [("a", "u1"), ("b", "<U2")]),
    *("bool", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", ">u8", "<f2", ">f4", "<f8"),
    *("<c8", ">c16", "<U3", "S3", "V3", "<M8[ns]", "<m8[10us]", "S1"),
)
_COMPRESSORS: Final[tuple[Any, ...]] = (
    None,
    *(numcodecs.Blosc(cname, 3, shuffle) for cname in ("lz4", "zstd") for shuffle in (0, 1, 2)),
    *(numcodecs.Zstd(1), numcodecs.LZ4(), numcodecs.GZip(1), numcodecs.Zlib(1), numcodecs.BZ2(1)),
    *(numcodecs.LZMA(), numcodecs.LZMA(3, filters=[{"id": 3, "dist": 4}, {"id": 33, "preset": 1}])),
)


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    return a + b


def _filters(dtype: np.dtype[Any]) -> SearchStrategy[list[Any]]:
    """Chains of filters, some of which lose what the values hold."""
    own: list[Any] = [numcodecs.Shuffle(dtype.itemsize)]
    if dtype.kind in "iu":
        own += [numcodecs.Delta(dtype), numcodecs.AsType(dtype.newbyteorder(), dtype)]
        own += [numcodecs.FixedScaleOffset(0, 1, dtype)] if dtype.itemsize < 4 else []
    elif dtype.kind == "b":
        own += [numcodecs.PackBits(), numcodecs.AsType("<f8", "|b1")]
    elif dtype.kind == "f":
        own += [numcodecs.BitRound(4)] if dtype.isnative else []
        own += [numcodecs.AsType("<f8", dtype), numcodecs.Delta(dtype)]
    checks: list[Any] = [
        numcodecs.CRC32(),
        numcodecs.CRC32("end"),
        numcodecs.CRC32C(),
        numcodecs.Adler32(),
    ]
    checks += [numcodecs.Fletcher32(), numcodecs.JenkinsLookup3(), numcodecs.Zlib(1)]
    checks += [numcodecs.Shuffle(1), numcodecs.Blosc()]
    chains = st.lists(st.sampled_from(checks), max_size=3)
    return st.builds(_joined, st.lists(st.sampled_from(own), max_size=1), chains)


@st.composite
def _stored(draw: DrawFn, zarr_format: ZarrFormat) -> tuple[AnyArray, Any, dict[str, Any]]:
    """Values, some of which are the fill value in chunks that are not stored, and options."""
    dtype = np.dtype(draw(st.sampled_from(_ZARR_DTYPES)))
    shape = draw(st.lists(st.integers(0, 5), max_size=3).map(tuple))
    data = draw(arrays(dtype=st.just(dtype), shape=shape, masked=False))
    chunks = tuple(draw(st.integers(1, edge + 1)) for edge in shape)
    fill = draw(arrays(dtype=st.just(dtype), shape=(), masked=False))[()]
    options: dict[str, Any] = {"chunks": chunks, "fill_value": fill}
    if zarr_format == 2:
        options["compressors"] = draw(st.sampled_from(_COMPRESSORS))
        options["filters"] = draw(_filters(dtype)) or None
        options["order"] = draw(st.sampled_from("CF"))
        separator = draw(st.sampled_from("./"))
        options["chunk_key_encoding"] = {"name": "v2", "separator": separator}
        return data, dtype, options
    codecs: list[Any] = draw(
        st.lists(
            st.sampled_from([codecs3.BloscCodec(), codecs3.ZstdCodec(), codecs3.GzipCodec()]),
            max_size=1,
        )
    )
    codecs += draw(st.sampled_from([[], [codecs3.Crc32cCodec()]]))
    options["compressors"] = codecs or None
    endian: Any = draw(st.sampled_from(["little", "big"]))
    options["serializer"] = codecs3.BytesCodec(endian=endian)
    separator = draw(st.sampled_from("./"))
    options["chunk_key_encoding"] = {"name": "default", "separator": separator}
    return data, dtype, options


@both
@given(random=st.data())
def test_zspy_reads_arrays_that_zarr_python_writes(
    zarr_format: ZarrFormat, random: st.DataObject
) -> None:
    data, dtype, options = random.draw(_stored(zarr_format))
    store = MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = ZARR.create_array(
            store, name="x", shape=data.shape, dtype=dtype, zarr_format=zarr_format, **options
        )
        rows = slice(random.draw(st.integers(0, len(data)))) if data.ndim else ...
        written[rows] = data[rows]
        # opened again, for JSON has but one NaN for a fill value of any bits
        wanted = np.asarray(ZARR.open_array(store, path="x", mode="r")[...], dtype)
    documents = {**dict(serialise(Group(), zarr_format=zarr_format)), **_documents(store)}
    node: Any = deserialise(documents)
    found: Any = node.members["x"].data
    assert found.dtype == (dtype if zarr_format == 2 else dtype.newbyteorder("="))
    assert _same(found, wanted.astype(found.dtype))


@both
@given(array=_strings(), texts=st.booleans())
def test_zspy_reads_strings_that_zarr_python_writes(
    zarr_format: ZarrFormat, array: Array, texts: bool
) -> None:
    data: Any = array.data
    if not texts:
        assume(data.ndim)  # zarr-python does not write bytes without dimensions
        data = object_array((text.encode() for text in data.ravel().tolist()), data.shape)
    store = MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = VariableLengthUTF8() if texts else VariableLengthBytes()
        written = ZARR.create_array(
            store,
            name="x",
            shape=data.shape,
            dtype=kind,
            zarr_format=zarr_format,
            chunks=array.chunks or tuple(max(edge, 1) for edge in data.shape),
        )
        written[...] = data
    documents = {**dict(serialise(Group(), zarr_format=zarr_format)), **_documents(store)}
    found: Any = deserialise(documents)
    cells = "vlen-utf8" if texts else "vlen-bytes"
    assert found.members["x"] == Array(data, cells=cells)


# --------------------------------------------------------------------------------------------------
# Hostile documents

LIMITS: Final = Limits(memory=2**22, expansion=1)


def _tree() -> Group:
    """A tree with an array of each kind."""
    texts = object_array(["a", "é", ""], (3,))
    cells = object_array([np.arange(3.0), np.arange(4.0)], (2,))
    shapes = object_array([np.array([3]), np.array([2, 2])], (2,))
    words = object_array([["a", "b"], []], (2,))
    members: dict[str, Node] = {
        "number": Array(np.arange(12).reshape(3, 4), {"unit": "nm"}, chunks=(2, 3)),
        "empty": Array(np.zeros((0, 2), np.float32)),
        "scalar": Array(np.array(3j)),
        "text": Array(np.array(["ab", "c"])),
        "time": Array(np.array([1, 2], "M8[s]")),
        "record": Array(np.zeros(2, [("a", "<f4"), ("b", "S3", (2,))])),
        "strings": Array(texts, cells="vlen-utf8"),
        "ragged": Array(cells, cells="<f8"),
        SHAPES + "ragged": Array(shapes, cells="<i8"),
        "words": Array(words, cells="msgpack2"),
        "group": Group({"a": [1, {"b": None}], "c": float("nan")}),
    }
    return Group({"file_format": "ZSpy"}, members)


def _filtered(array: Array, metadata: Any) -> dict[str, bytes]:
    data: Any = array.data
    return {
        ".zarray": json.dumps(describe(metadata, {})).encode(),
        "0/0": encode_chunk(metadata, data),
    }


def _bases() -> list[dict[str, bytes]]:
    stages: list[Any] = [
        *_COMPRESSORS[:2],
        *(numcodecs.Zstd(1), numcodecs.LZ4(), numcodecs.GZip(1), numcodecs.Zlib(1)),
        *(numcodecs.BZ2(1), numcodecs.LZMA()),
    ]
    found = [dict(serialise(_tree(), storage=Storage(compressor=stage))) for stage in stages]
    found += [
        dict(serialise(_tree(), storage=Storage(zarr_format=3, compressor=stage)))
        for stage in stages
    ]
    filters = (numcodecs.Delta("<i8"), numcodecs.Shuffle(8), numcodecs.CRC32())
    for stage in filters:
        array = Array(np.arange(12).reshape(3, 4))
        metadata = metadata_for("", array, Storage(filters=(stage,), order="F"), main=True)
        found.append(_filtered(array, metadata))
    return found


BASES: Final = _bases()
_CONFIGS: Final[list[Any]] = [
    *({"id": name} for name in ("pickle", "nope", "vlen-utf8", "json2", "msgpack2", "packbits")),
    *({"id": name} for name in ("zlib", "lzma", "blosc", "crc32", "fletcher32", "jenkins_lookup3")),
    {"id": "vlen-array", "dtype": "<f8"},
    {"id": "vlen-array", "dtype": "|O"},
    {"id": "delta", "dtype": "<f8", "astype": "|u1"},
    {"id": "delta", "dtype": "|S2000000000", "astype": "|u1"},
    {"id": "astype", "encode_dtype": "|u1", "decode_dtype": "<f8"},
    {"id": "astype", "encode_dtype": "<c16", "decode_dtype": "<f8"},
    {"id": "fixedscaleoffset", "scale": 0, "offset": 0, "dtype": "<f8", "astype": "<i2"},
    {"id": "fixedscaleoffset", "scale": [[1]] * 9, "offset": 0, "dtype": "<f8"},
    {"id": "quantize", "digits": 3, "dtype": "<f8", "astype": "<f2"},
    {"id": "shuffle", "elementsize": 0},
    {"id": "shuffle", "elementsize": 2**70},
    {"id": "bitround", "keepbits": "a"},
    {"id": "lzma", "format": 3, "filters": [{"id": 33, "dict_size": 2**32 - 1}]},
    {"name": "sharding_indexed", "configuration": {"chunk_shape": [1], "codecs": []}},
    *({"name": name} for name in ("bytes", "crc32c", "blosc", "numcodecs.pickle", "transpose")),
    {"name": "bytes", "configuration": {"endian": "big"}},
    {"name": "numcodecs.lzma", "configuration": {"format": "x"}},
]
_DEEP: Final[Any] = json.loads("[" * 300 + "]" * 300)
_NASTY: Final[list[Any]] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        7,
        2**20,
        2**31,
        2**63,
        2**64,
        10**400,
        -(2**63),
        1.5,
        -0.0,
    ),
    *(
        float("nan"),
        float("inf"),
        "",
        "NaN",
        "0x7fc00000",
        "-Infinity",
        "AAAA",
        "é",
        "\ud800",
        "a" * 500,
    ),
    *(
        "|O",
        "O",
        "<f8",
        ">i4",
        "|S3",
        "<U2",
        "|V4",
        "<M8[s]",
        "<m8",
        "|S2147483647",
        "<U900000000",
        "|V0",
    ),
    *(
        "f",
        "a5",
        "2f8",
        "i3",
        "<f8,<f8",
        "datetime64",
        "float32",
        "int8",
        "string",
        "r16",
        "bytes",
        "bool",
    ),
    *([], [0], [1], [-1], [1, 1], [2**40], [2**31, 2**31], [1] * 40, [[]], [[1]], {}, {"id": 1}),
    *(
        [["a", "<f8"]],
        [["a", "|O"]],
        [["a", "<f8", [2, 2]]],
        [["", "|u1"]],
        [["a", "|u1"], ["a", "|u1"]],
    ),
    *(
        {"name": "numpy.datetime64", "configuration": {"unit": unit, "scale_factor": 1}}
        for unit in "sx"
    ),
    *(
        {"name": name, "configuration": {"length_bytes": 8}}
        for name in ("fixed_length_utf32", "raw_bytes")
    ),
    {"name": "struct", "configuration": {"fields": [{"name": "a", "data_type": "int8"}]}},
    {"name": "structured", "configuration": {"fields": [["a", "int8"], ["b"]]}},
    *(
        "C",
        "F",
        ".",
        "/",
        "csr",
        "bare",
        "bzip",
        2.0,
        "array",
        "group",
        "regular",
        "default",
        "v2",
        _DEEP,
    ),
    *_CONFIGS,
    *([config] for config in _CONFIGS),
    *([{"name": "bytes"}, config] for config in _CONFIGS[-5:]),
]


def _paths(value: Any) -> list[tuple[Any, ...]]:
    """Give the paths of all parts of a JSON value."""
    found: list[tuple[Any, ...]] = [()]
    items: Any = value.items() if is_dict(value) else enumerate(value) if is_list(value) else ()
    for key, part in items:
        found += [(key, *path) for path in _paths(part)]
    return found


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Give a JSON value with another part; ``...`` leaves it out."""
    if not path:
        return new
    copy: Any = {**value} if is_dict(value) else [*value]
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = _changed(value[path[0]], path[1:], new)
    return copy


@st.composite
def _damaged(draw: DrawFn) -> dict[str, bytes]:
    """The documents of a tree, a few of them changed."""
    documents = dict(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(sorted(documents)))
        kind = draw(st.integers(0, 5))
        data = documents[key]
        if kind <= 2:
            try:
                document = json.loads(data)
            except ValueError:
                kind = 3
            else:
                path = draw(st.sampled_from(_paths(document)))
                new = draw(st.sampled_from([*_NASTY, ...]) | json_scalars())
                documents[key] = json.dumps(
                    _changed(document, path, new if path else None)
                ).encode()
        if kind == 3:
            at = draw(st.integers(0, len(data)))
            cut = draw(st.integers(0, 8))
            documents[key] = data[:at] + draw(st.binary(max_size=8)) + data[at + cut :]
        elif kind == 4:
            documents[key] = documents[draw(st.sampled_from(sorted(documents)))]
        elif kind == 5:
            name = draw(st.sampled_from([".zgroup", ".zarray", ".zattrs", "zarr.json", "0", "c/0"]))
            folder = draw(st.sampled_from(sorted(documents))).rpartition("/")[0]
            documents[f"{folder}/{name}" if draw(st.booleans()) else name] = data
    return documents


@given(documents=_damaged())
def test_damaged_documents_are_nodes_or_an_error(documents: dict[str, bytes]) -> None:
    try:
        found = deserialise(documents, limits=LIMITS)
    except FormatError:
        pass
    else:
        for _, node in walk(found):
            assert isinstance(node, (Array, Group))


_KEYS: Final = ("shape", "chunks", "dtype", "compressor", "filters", "fill_value", "order")
_KEYS3: Final = (
    *(
        "shape",
        "chunk_grid",
        "data_type",
        "codecs",
        "fill_value",
        "chunk_key_encoding",
        "attributes",
    ),
    *("node_type", "storage_transformers"),
)


@both
@given(random=st.data())
def test_random_documents_are_nodes_or_an_error(
    zarr_format: ZarrFormat, random: st.DataObject
) -> None:
    value = st.sampled_from(_NASTY) | st.lists(st.integers(-1, 4), max_size=3)
    keys = _KEYS if zarr_format == 2 else _KEYS3
    document = {"zarr_format": zarr_format} | {key: random.draw(value) for key in keys}
    key = ".zarray" if zarr_format == 2 else "zarr.json"
    data = random.draw(st.binary(max_size=20))
    try:
        node = deserialise(
            {key: json.dumps(document).encode(), "0": data, "c/0": data}, limits=LIMITS
        )
    except FormatError:
        pass
    else:
        assert isinstance(node, (Array, Group))
