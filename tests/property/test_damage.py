"""Whatever a file holds, reading ends in nodes or an error, in bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
from hypothesis import given, strategies as st

from tests.support.nodes import COMPRESSORS, both
from zspy import Array, FormatError, Group, Limits, deserialise, serialise
from zspy.documents.chunks import encode_chunk
from zspy.documents.metadata import describe
from zspy.documents.storage import Storage, metadata_for
from zspy.strategies import json_scalars
from zspy.typing import is_dict, is_list
from zspy.values.names import SHAPES
from zspy.values.nodes import walk
from zspy.values.ragged import object_array

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from zspy.typing import Node, ZarrFormat


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
        "0/0": b"".join(encode_chunk(metadata, data)),
    }


def _bases() -> list[dict[str, bytes]]:
    stages: list[Any] = [
        *COMPRESSORS[:2],
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
