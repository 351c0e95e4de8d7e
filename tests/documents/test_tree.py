"""The documents of a store: what is written, byte by byte, and what is refused, with its place."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import numcodecs
import numpy as np
import pytest
import zarr

from tests.support.cost import calls
from zspy import (
    Array,
    EncodeError,
    FormatError,
    Group,
    Limits,
    Storage,
    check,
    commit,
    deserialise,
    encode,
    fetch,
    file_reader,
    file_writer,
    serialise,
)
from zspy.documents import attributes
from zspy.documents.array_metadata import ArrayMetadata
from zspy.documents.chunks import read_box
from zspy.documents.codecs import CRC32C
from zspy.documents.json import dump_json
from zspy.documents.limits import Budget
from zspy.documents.source import Given, Listed
from zspy.documents.storage import metadata_for
from zspy.stores.zarr_store import MappingStore
from zspy.typing import ZarrFormat
from zspy.values.names import ENCODING, NAV_SHAPE, OFFSETS, RECORD, SHAPES
from zspy.values.ragged import RaggedCells, object_array

ZARR: Final[Any] = zarr  # its signatures are known in part only
TWO: Final = b'{"zarr_format":2}'
GROUP: Final = {".zgroup": TWO}
GROUP3: Final = {"zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'}
PLAIN: Final = Storage(compressor=None)


def _array(**changes: Any) -> bytes:
    """Return the document of an array of format 2."""
    plain = {"zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "|u1", "fill_value": 0}
    return json.dumps(
        plain | {"compressor": None, "filters": None, "order": "C"} | changes
    ).encode()


def _read(document: bytes, **chunks: bytes) -> Any:
    """Read a group with one array ``x`` of this document and these chunks."""
    parts = {f"x/{name}": data for name, data in chunks.items()}
    return deserialise({**GROUP, "x/.zarray": document, **parts})


def _zeros(_: str, __: ArrayMetadata) -> Any:
    return np.zeros(3)


# --------------------------------------------------------------------------------------------------
# What is written


def test_a_tree_becomes_these_documents_in_format_2() -> None:
    tree = Group(
        {"b": float("nan")}, {"x": Array(np.arange(3, dtype="u1"), {"unit": "é"}), "g": Group()}
    )
    document = (
        b'{"chunks": [3], "compressor": null, "dtype": "|u1", "fill_value": 0, "filters": null,'
        b' "order": "C", "shape": [3], "zarr_format": 2, "dimension_separator": "/"}'
    )
    assert dict(serialise(tree, storage=PLAIN)) == {
        ".zgroup": TWO,
        ".zattrs": b'{"b": NaN}',
        "g/.zgroup": TWO,
        "x/.zarray": document,
        "x/.zattrs": b'{"unit": "\\u00e9"}',
        "x/0": b"\0\1\2",
    }


def test_a_tree_becomes_these_documents_in_format_3() -> None:
    tree = Group({"b": [float("nan"), "NaN"], "c": "NaN"}, {"x": Array(np.arange(3, dtype="u1"))})
    documents = dict(serialise(tree, storage=Storage(zarr_format=3, compressor=None)))
    record = {"nonfinite": {"b": '[NaN, "NaN"]'}}
    assert json.loads(documents.pop("zarr.json")) == {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"b": ["NaN", "NaN"], "c": "NaN", RECORD: record},
    }
    assert json.loads(documents.pop("x/zarr.json")) == {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [3],
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes"}, {"name": "crc32c"}],
        "attributes": {},
    }
    assert documents == {"x/c/0": b"\0\1\2" + bytes.fromhex("fa4bfd92")}


def test_an_array_may_be_the_root() -> None:
    for zarr_format in (2, 3):
        documents = dict(serialise(Array(np.array(5)), zarr_format=zarr_format))
        assert documents.keys() == ({".zarray", "0"} if zarr_format == 2 else {"zarr.json", "c"})
        assert deserialise(documents) == Array(np.array(5))


def test_chunks_that_somebody_else_writes_are_left_out() -> None:
    tree = Group({}, {"x": Array(np.zeros(3)), "y": Array(np.zeros(3))})
    storage = Storage(filters=(numcodecs.Delta("<f8"),))
    documents = dict(serialise(tree, storage=storage, elsewhere=lambda path, _: path == "x"))
    assert sorted(documents) == [".zgroup", "x/.zarray", "y/.zarray", "y/0"]
    assert json.loads(documents["x/.zarray"])["filters"] == [
        {"id": "delta", "dtype": "<f8", "astype": "<f8"}
    ]
    assert json.loads(documents["y/.zarray"])["filters"] is None


def test_chunks_are_put_into_shards() -> None:
    data = np.arange(70).reshape(10, 7)
    tree = Group({}, {"x": Array(data, chunks=(2, 3), shards=(4, 5))})  # of whole chunks: (4, 6)
    documents = dict(serialise(tree, zarr_format=3))
    shards = {f"x/c/{row}/{column}" for row in range(3) for column in range(2)}
    assert documents.keys() == {"zarr.json", "x/zarr.json"} | shards
    assert deserialise(documents) == tree
    array: Any = ZARR.open_array(MappingStore(documents), path="x", mode="r")
    assert (array.chunks, array.shards) == ((2, 3), (4, 6))
    assert np.array_equal(array[...], data)
    assert dict(serialise(tree, zarr_format=2)).keys() >= {"x/.zarray", "x/4/2"}


@pytest.mark.parametrize("shards", [(4,), (4, 0), (4, -4)])
def test_shards_have_a_positive_edge_for_each_dimension(shards: tuple[int, ...]) -> None:
    array = Array(np.zeros((4, 4)), chunks=(2, 2), shards=shards)
    with pytest.raises(EncodeError, match=r"x: .* are no shards; give 2 edges, positive integers"):
        dict(serialise(Group({}, {"x": array}), zarr_format=3))


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "attributes",
    [
        {"a": {1, 2}},
        {"a": np.int64(1)},
        {"a": 10**5000},
        {"a": _nested(250)},
        {"a": _nested(100_000)},
    ],
    ids=["set", "NumPy", "digits", "deep", "very deep"],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_are_no_json_are_refused(
    zarr_format: ZarrFormat, attributes: dict[str, Any]
) -> None:
    for node in (Group(attributes), Array(np.zeros(2), attributes)):
        tree = Group({}, {"g": Group({}, {"x": node})})
        with pytest.raises(EncodeError, match="g/x: attributes that are no JSON"):
            dict(serialise(tree, zarr_format=zarr_format))


@pytest.mark.parametrize("record", ["text", [1], {"a": float("nan")}])
def test_an_attribute_in_the_place_of_the_record_is_refused(record: Any) -> None:
    tree = Group({RECORD: record, "a": float("inf")})
    assert deserialise(dict(serialise(tree))) == tree
    with pytest.raises(EncodeError, match=f"the attribute {RECORD} is no type record; rename it"):
        dict(serialise(tree, zarr_format=3))


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (Array(np.array(["\ud800"], object), cells="vlen-utf8"), "surrogates not allowed"),
        (Array(np.array([None]), cells="vlen-utf8"), "a cell that is no vlen-utf8"),
        (Array(object_array([np.arange(2)], (1,)), cells="<f8"), "a cell that is no <f8"),
        (Array(np.arange(2), cells="<f8"), "a cell that is no <f8"),
    ],
)
def test_what_a_codec_cannot_encode_is_refused(array: Array, problem: str) -> None:
    with pytest.raises(EncodeError, match=rf"x/0: a chunk that cannot be encoded .*{problem}"):
        dict(serialise(Group({}, {"x": array})))


def test_a_compressor_that_fails_is_named_with_its_chunk() -> None:
    storage = Storage(compressor=numcodecs.Blosc("no such"))
    with pytest.raises(EncodeError, match=r"x/0: a chunk that cannot be encoded .*no such"):
        dict(serialise(Group({}, {"x": Array(np.zeros(3))}), storage=storage))


@pytest.mark.parametrize(("zarr_format", "name"), [(2, ".zarray"), (3, "zarr.json")])
def test_arrays_that_are_alike_know_their_own_place(zarr_format: ZarrFormat, name: str) -> None:
    tree = Group({}, {key: Array(np.arange(3), {"a": key}) for key in "xyz"})
    seen: list[str] = []

    def load(path: str, metadata: ArrayMetadata) -> None:
        seen.append(f"{path} {metadata.document(path)}")

    assert deserialise(dict(serialise(tree, zarr_format=zarr_format)), load=load) == tree
    assert seen == [f"{path} {path}/{name}" for path in "xyz"]


def test_a_dictionary_costs_what_it_holds_however_many_there_are() -> None:
    part = {"i": 1, "f": 0.5, "s": "text", "l": [1, 2, 3], "n": {"a": 1}}

    def cost(count: int) -> int:
        tree = encode({f"k{number}": part for number in range(count)})
        return calls(lambda: deserialise(dict(serialise(tree))))

    few, many = cost(100), cost(1000)
    assert many < 11 * few
    assert many < 1000 * 400  # about 300 on Python 3.11


# --------------------------------------------------------------------------------------------------
# What is read


def test_data_types_of_this_machine_are_shown_as_numpy_shows_its_own() -> None:
    """Equal ones with an explicit byte order print as ``<f8``."""
    for given in (np.zeros(2), np.zeros((), "i4"), np.zeros(2, "c8"), np.zeros(2, "m8[s]")):
        node: Any = deserialise(dict(serialise(Group({}, {"x": Array(given)}), zarr_format=3)))
        assert repr(node.members["x"].data.dtype) == repr(given.dtype)


def test_a_chunk_that_is_missing_holds_the_fill_value() -> None:
    assert _read(_array(fill_value=7)).members["x"] == Array(np.full(3, 7, "u1"))
    found = _read(_array(fill_value=7, chunks=[2]), **{"1": b"\1\2"}).members["x"]
    assert found == Array(np.array([7, 7, 1], "u1"))
    texts = _read(_array(dtype="|O", filters=[{"id": "vlen-utf8"}], fill_value=None)).members["x"]
    assert texts == Array(object_array(["", "", ""], (3,)), cells="vlen-utf8")


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"dtype": "|O", "filters": [{"id": codec}], "fill_value": 0}
            for codec in ("vlen-utf8", "vlen-bytes", "json2", "msgpack2")
        ),
        {"dtype": "|O", "filters": [{"id": "vlen-bytes"}], "fill_value": "YWI="},
        *(
            {"dtype": "|O", "filters": [{"id": "vlen-array", "dtype": "<f8"}], "fill_value": fill}
            for fill in (None, 0, "")
        ),
        *(
            {"dtype": "<c8", "fill_value": [*fill]}
            for fill in (("Infinity", "-Infinity"), (0.0, "NaN"), ("NaN", -0.0), (-0.0, 2))
        ),
        {"dtype": [["a", "<i4"], ["b", "|S2"]], "fill_value": None},
    ],
)
@pytest.mark.parametrize("chunks", [[3], [2]])
def test_a_fill_value_that_programs_read_differently_is_refused(
    changes: dict[str, Any], chunks: list[int]
) -> None:
    """zarr-python 2 and 3 give other values, and HyperSpy's files mean empty cells by 0."""
    with pytest.raises(
        FormatError, match=r"x/\.zarray: a chunk that is not stored.* not supported"
    ):
        _read(_array(**changes, chunks=chunks))


@pytest.mark.parametrize(
    ("codec", "fill", "shape"),
    [
        ("vlen-utf8", None, [3]),
        ("vlen-bytes", None, [3]),
        ("vlen-bytes", "", [3]),
        ("json2", None, []),
        ("msgpack2", None, []),
    ],
)
def test_a_fill_value_that_zarr_python_2_gives_as_it_is_is_refused_in_its_documents(
    codec: str, fill: Any, shape: list[int]
) -> None:
    """Their names are sorted. Those of zarr-python 3, where it is an empty cell, are not."""
    changes: dict[str, Any] = {"filters": [{"id": codec}], "fill_value": fill, "shape": shape}
    document = _array(dtype="|O", chunks=shape, **changes)
    assert not _read(document).members["x"].data.any()
    ordered = json.dumps(json.loads(document), sort_keys=True).encode()
    with pytest.raises(FormatError, match=r"x/\.zarray: a chunk that is not stored"):
        _read(ordered)


@pytest.mark.parametrize("beside", ["_ragged_shapes_x", "ragged_shapes"])
def test_cells_of_ragged_arrays_that_are_not_stored_are_empty(beside: str) -> None:
    document = _array(dtype="|O", filters=[{"id": "vlen-array", "dtype": "<f8"}])
    found: Any = deserialise({**GROUP, "x/.zarray": document, f"{beside}/.zarray": document})
    assert [cell.size for cell in found.members["x"].data] == [0, 0, 0]


def test_an_attribute_of_the_name_of_the_ragged_encoding_is_one_of_another_program() -> None:
    tree = Group({}, {"x": Array(np.arange(3), {ENCODING: "csr"})})
    assert deserialise(dict(serialise(tree))) == tree


def test_documents_that_belong_to_no_node_are_ignored() -> None:
    documents = {**GROUP, ".zmetadata": b"}", ".zattrs": b"{}", "README": b"", "a/b/c": b""}
    assert deserialise(documents) == Group()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("lost", ["a", "g", "g/b", "c", "g/c", "g/n", "n", "g/h/c"])
@pytest.mark.parametrize("in_directory", [False, True])
def test_a_node_that_lost_its_document_is_told(
    zarr_format: ZarrFormat, lost: str, in_directory: bool, tmp_path: Path
) -> None:
    """Chunks of format 3 lie in `c`, which may be the name of an array as well."""
    scalar, row = Array(np.ones(())), Array(np.ones(3))
    inner = Group({}, {"c": scalar})
    group = Group({"x": 1}, {"b": row, "c": row, "n": scalar, "h": inner})
    tree = Group({}, {"a": Array(np.ones((2, 2))), "c": scalar, "n": scalar, "g": group})
    documents = dict(serialise(tree, zarr_format=zarr_format))
    assert deserialise(documents) == tree
    if in_directory:
        commit(documents, tmp_path / "tree")
    for name in ("zarr.json", ".zgroup", ".zarray"):
        documents.pop(f"{lost}/{name}", None)
        (tmp_path / "tree" / lost / name).unlink(missing_ok=True)
    found = fetch(tmp_path / "tree") if in_directory else documents
    with pytest.raises(FormatError, match=rf"^{lost}/\S+: .*; the file is damaged"):
        deserialise(found)
    assert [one.key for one in check(found) if one.severity == "error"]


def test_a_name_of_chunks_of_format_3_says_nothing_in_format_2(tmp_path: Path) -> None:
    documents = {**dict(serialise(Group({}, {"a": Group()}))), "notes/c": b"", "a/n/c": b""}
    for key, data in documents.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(data)
    for place in (documents, fetch(tmp_path)):
        assert deserialise(place) == Group({}, {"a": Group()})


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a"])
def test_a_name_that_leads_out_of_its_group_is_not_written(
    name: str, zarr_format: ZarrFormat
) -> None:
    for node in (Group(), Array(np.zeros(2))):
        for tree in (Group({}, {name: node}), Group({}, {"a": Group({}, {name: node})})):
            with pytest.raises(
                EncodeError, match="no name, or one that leads out of its group; use encode"
            ):
                dict(serialise(tree, zarr_format=zarr_format))


@pytest.mark.parametrize("name", [5, None, b"a"])
def test_a_name_that_is_no_text_is_not_written(name: Any) -> None:
    with pytest.raises(
        EncodeError, match="no name, or one that leads out of its group; use encode"
    ):
        dict(serialise(Group({}, {name: Group()})))


@pytest.mark.parametrize("key", ["a/../.zgroup", "/.zgroup", "a//.zgroup", "../.zgroup"])
def test_a_key_that_leads_out_of_its_group_is_refused(key: str) -> None:
    class Told(Listed):
        """A reader that would follow any key."""

        def nodes(self) -> Collection[str]:
            return [".zgroup", "a/.zgroup", key]

        def __getitem__(self, name: str) -> bytes:
            if name.endswith(".zgroup"):
                return TWO
            raise KeyError(name)

        def __iter__(self) -> Iterator[str]:
            return iter(self.nodes())

    with pytest.raises(FormatError, match="a key that leads out of its group"):
        deserialise(Told())


def test_documents_among_the_chunks_of_an_array_are_no_nodes() -> None:
    assert _read(_array(), **{"0": b"\0\1\2", "y/.zgroup": b"}"}).members.keys() == {"x"}


def test_nodes_are_listed_by_those_that_can() -> None:
    class Few(Listed):
        def nodes(self) -> Collection[str]:
            return ["a/.zgroup", ".zgroup"]

        def __getitem__(self, key: str) -> bytes:
            if key.endswith(".zgroup"):
                return TWO
            raise KeyError(key)

        def __iter__(self) -> Iterator[str]:
            raise NotImplementedError

        def __len__(self) -> int:
            raise NotImplementedError

    assert deserialise(Few()) == Group({}, {"a": Group()})
    with pytest.raises(NotImplementedError):
        Listed.nodes(Few())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_empty_array_is_written_whatever_its_other_edges_are(zarr_format: Any) -> None:
    """A file of some bytes says that it has one: whoever adds to the file writes it again."""
    root = Group({}, {"x": Array(np.zeros((0, 2**50)), chunks=(1, 1))})
    documents = dict(serialise(root, zarr_format=zarr_format))
    found: Any = deserialise(documents)
    assert found.members["x"].data.shape == (0, 2**50)
    assert len(documents) == 2


def test_the_storage_of_very_many_groups_is_found_at_once() -> None:
    """A file may have thousands of signals, each with a storage of its own."""

    def cost(count: int) -> int:
        names = [f"s{n}" for n in range(count)]
        groups = {f"{name}/": Storage(compressor=None) for name in names}
        root = Group({}, {name: Group({}, {"x": Array(np.zeros(3))}) for name in names})
        found: dict[str, bytes] = {}
        number = calls(lambda: found.update(serialise(root, storage=Storage(groups=groups))))
        assert b'"compressor": null' in found["s0/x/.zarray"].replace(b":null", b": null")
        return number

    assert cost(400) < 5 * cost(100)


def test_arrays_may_be_given_by_somebody_else() -> None:
    documents = dict(serialise(Group({}, {"x": Array(np.zeros(3)), "y": Array(np.ones(3))})))

    def load(path: str, metadata: ArrayMetadata) -> Any:
        assert metadata.shape == (3,)
        return np.arange(3.0) if path == "x" else None

    found: Any = deserialise(documents, load=load)
    assert found.members["x"].data.tolist() == [0, 1, 2]
    assert found.members["y"].data.tolist() == [1, 1, 1]
    assert found.members["x"].chunks == (3,)


@pytest.mark.parametrize("tiny", [0, 2**12])  # together, or one by one
@pytest.mark.parametrize("shards", [None, (6, 8)])
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ((0, 0), (7, 10)),
        ((3, 4), (7, 8)),
        ((6, 8), (7, 10)),
        ((2, 3), (4, 9)),
        ((4, 1), (5, 2)),
        ((4, 9), (4, 10)),
    ],
)
def test_a_box_is_read(
    start: Any, stop: Any, shards: Any, tiny: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.documents.chunks._TINY", tiny)
    monkeypatch.setattr("zspy.documents.chunks._CHUNKS_AT_ONCE", 3)
    data = np.arange(70).reshape(7, 10)
    array, storage = Array(data, chunks=(3, 4), shards=shards), Storage(zarr_format=3)
    documents = dict(serialise(Group({}, {"x": array}), storage=storage))
    metadata = metadata_for("x", array, storage)
    found = read_box(documents, "x", metadata, start, stop, Budget(Limits()))
    assert found.tolist() == data[tuple(map(slice, start, stop))].tolist()
    with pytest.raises(FormatError, match=r"x/zarr\.json: it takes"):
        read_box(documents, "x", metadata, (0, 0), (7, 10), Budget(Limits(memory=9, expansion=0)))


def test_chunks_of_more_elements_are_not_placed_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The places of all their elements would take eight times their bytes for each dimension."""
    monkeypatch.setattr("zspy.documents.chunks._put_many", None)
    data = np.arange(130, dtype="u1").reshape(2, 65)
    group = Group({}, {"x": Array(data, chunks=(1, 65))})
    assert deserialise(dict(serialise(group))) == group


_NO_ROOT: Final = (
    "a/.zgroup: no group is at the root: writing was interrupted, or files lie there; write it "
    "again, or name one"
)


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (
            {},
            "the mapping: there is no Zarr group; name a .zspy file, which has one",
        ),
        ({"a/.zgroup": TWO}, _NO_ROOT),
        (
            {**GROUP, "a/b/.zgroup": TWO},
            "a/b/.zgroup: a node without a group above it; the file is damaged",
        ),
        ({**GROUP, "zarr.json": b"{}"}, "zarr.json: two nodes of one name; remove one of them"),
        (
            {**GROUP, "x/.zgroup": TWO, "x/.zarray": _array()},
            "x/.zgroup: two nodes of one name; remove one of them",
        ),
        (
            {".zgroup": b'{"zarr_format": 3}'},
            ".zgroup: no node of Zarr format 2; the file is damaged, or of a newer kind",
        ),
        (
            {".zgroup": b"{}"},
            ".zgroup: no node of Zarr format 2; the file is damaged, or of a newer kind",
        ),
        (
            {".zarray": b"{}"},
            ".zarray: no node of Zarr format 2; the file is damaged, or of a newer kind",
        ),
        (
            {"zarr.json": b'{"zarr_format": 2, "node_type": "group"}'},
            "zarr.json: no node of Zarr format 3; the file is damaged, or of a newer kind",
        ),
        (
            {"zarr.json": b'{"zarr_format": 3, "node_type": ["a"]}'},
            "zarr.json: no node of Zarr format 3; the file is damaged, or of a newer kind",
        ),
        (
            {"zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": [1]}'},
            "zarr.json: attributes are no object",
        ),
        ({**GROUP, ".zattrs": b"[]"}, ".zattrs: no JSON object; restore it from a copy"),
        (
            {".zarray": _array(), "0": b"\0"},
            "0: a chunk of 1 bytes where 3 belong; restore it from a copy",
        ),
        (
            {**GROUP, "x/.zarray": _array(compressor={"id": "pickle"})},
            (
                "x/.zarray: the codec 'pickle' is not allowed;"
                " if you trust the file, allow it by name: codecs=(...)"
            ),
        ),
    ],
)
def test_damaged_trees_are_refused_with_their_place(
    documents: dict[str, bytes], problem: str
) -> None:
    with pytest.raises(FormatError) as caught:
        deserialise(documents)
    assert str(caught.value) == problem


def test_codecs_are_refused_where_the_array_is_never_read() -> None:
    documents = {**GROUP, "x/.zarray": _array(filters=[{"id": "pickle"}])}
    with pytest.raises(FormatError, match="'pickle' is not allowed"):
        deserialise(documents, load=_zeros)
    allowed = {**GROUP, "x/.zarray": _array(filters=[{"id": "base64"}]), "x/0": b"AAEC"}
    assert deserialise(allowed, codecs=["base64"]).members["x"].data.tolist() == [0, 1, 2]  # type: ignore[union-attr]


def test_an_array_that_only_zarr_python_reads_is_refused_without_it() -> None:
    documents = dict(serialise(Group({}, {"x": Array(np.zeros(3))}), zarr_format=3))
    documents["x/zarr.json"] = documents["x/zarr.json"].replace(b'"crc32c"', b'"own"')
    with pytest.raises(FormatError, match=r"x/zarr.json: an array that only zarr-python can read"):
        deserialise(documents, codecs=("own",))
    assert deserialise(documents, codecs=("own",), load=_zeros) == Group(
        {}, {"x": Array(np.zeros(3))}
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"crc32c"', b'"vlen-utf8"', "the codec 'vlen-utf8', in this place,"),
        (b'"data_type": "float64"', b'"data_type": "float128x"', "the data type 'float128x'"),
    ],
)
def test_what_zspy_does_not_support_is_called_so(old: bytes, new: bytes, problem: str) -> None:
    documents = dict(serialise(Group({}, {"x": Array(np.zeros(3))}), zarr_format=3))
    documents["x/zarr.json"] = documents["x/zarr.json"].replace(old, new)
    with pytest.raises(FormatError) as caught:
        deserialise(documents)
    remedy = "is not supported; read it with the program that wrote it, and write it anew"
    assert str(caught.value) == f"x/zarr.json: {problem} {remedy}"


def test_shards_in_shards_are_not_supported() -> None:
    documents = {
        "zarr.json": dump_json(
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": [4],
                "data_type": "float64",
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
                "chunk_key_encoding": {"name": "default"},
                "fill_value": 0,
                "codecs": [_sharding(4, _sharding(2, {"name": "bytes"}))],
            }
        )
    }
    with pytest.raises(FormatError, match="the codec 'sharding_indexed', in this place, is not"):
        deserialise(documents)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_documents_may_be_anything_of_bytes(kind: Any, zarr_format: ZarrFormat) -> None:
    texts = Array(object_array(["a", "b"], (2,)), cells="vlen-utf8")
    node = Group({"a": 1}, {"x": Array(np.arange(5.0)), "texts": texts})
    documents = {key: kind(data) for key, data in serialise(node, zarr_format=zarr_format)}
    assert deserialise(documents) == node


def test_a_shard_may_hold_the_only_element_of_an_array() -> None:
    document: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [_sharding(None, {"name": "bytes", "configuration": {"endian": "little"}})],
    }
    documents = {"zarr.json": dump_json(document)}
    node: Any = deserialise(documents)
    assert (node.data.shape, float(node.data)) == ((), 0)
    shard = np.array([3.5], "<f8").tobytes() + CRC32C.encode(np.array([0, 8], "<i8"))
    node = deserialise({**documents, "c": shard})
    assert (node.data.shape, float(node.data)) == ((), 3.5)


def _sharding(edge: int | None, codec: object) -> dict[str, object]:
    index = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    edges = [] if edge is None else [edge]
    settings = {"chunk_shape": edges, "codecs": [codec], "index_codecs": index}
    return {"name": "sharding_indexed", "configuration": settings}


# --------------------------------------------------------------------------------------------------
# Limits


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [2**40]},
        {"shape": [2**31 + 1], "chunks": [2**31 + 1], "fill_value": 1},
        {"shape": [1], "chunks": [2**40]},
        {"shape": [2**30], "chunks": [1]},
        {"shape": [2**20, 2], "chunks": [1, 1]},
        {"shape": [2**25], "chunks": [2**25], "dtype": "|O", "filters": [{"id": "vlen-utf8"}]},
        {"shape": [1], "dtype": "|S2000000000", "chunks": [2]},
        {"shape": [2**30, 2**28], "chunks": [2**30, 2**27], "dtype": "|u1"},
    ],
    ids=str,
)
def test_arrays_that_take_more_memory_or_time_than_allowed_are_refused(changes: Any) -> None:
    def refused() -> None:
        with pytest.raises(FormatError, match=r"x/\.zarray: it takes .* bytes"):
            _read(_array(**changes))

    assert calls(refused) < 10_000


def test_the_limit_holds_for_all_arrays_together() -> None:
    tree = Group({}, {name: Array(np.zeros(100, "u1")) for name in "abc"})
    documents = dict(serialise(tree))
    each = 100
    assert deserialise(documents, limits=Limits(memory=3 * each, expansion=0)) == tree
    with pytest.raises(
        FormatError, match=rf"c/\.zarray: it takes {each} bytes of memory, and hardly"
    ):
        deserialise(documents, limits=Limits(memory=3 * each - 1, expansion=0))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(nodes=2), "a/b/.zgroup: more than 2 nodes, or 4096 levels of groups; raise"),
        (Limits(depth=1), "a/b/.zgroup: more than 262144 nodes, or 1 levels of groups; raise"),
        (Limits(document=18), "a/.zattrs: a document of more than 18 bytes; raise"),
    ],
    ids=["nodes", "depth", "document"],
)
def test_trees_that_are_larger_than_allowed_are_refused(limits: Limits, message: str) -> None:
    documents = {
        **GROUP,
        "a/.zgroup": TWO,
        "a/.zattrs": b'{"a": "and so on, and so on"}',
        "a/b/.zgroup": TWO,
    }
    with pytest.raises(FormatError, match=message):
        deserialise(documents, limits=limits)


def test_a_chunk_of_many_more_bytes_than_it_decodes_to_is_refused() -> None:
    with pytest.raises(FormatError, match="x/0: a chunk that has more than 1048582 bytes"):
        _read(_array(), **{"0": bytes(2**20 + 7)})


def test_arrays_that_somebody_else_gives_take_nothing_of_the_limit() -> None:
    documents = {**GROUP, "x/.zarray": _array(shape=[2**40])}
    wanted = Group({}, {"x": Array(np.zeros(3))})
    assert deserialise(documents, limits=Limits(memory=0), load=_zeros) == wanted


# --------------------------------------------------------------------------------------------------
# Numbers that are not finite


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"a": "NaN", RECORD: {"nonfinite": {"a": "Infinity"}}}, {"a": "NaN"}),
        ({"a": 5, RECORD: {"nonfinite": {"a": "NaN"}}}, {"a": 5}),
        ({"a": ["NaN", True], RECORD: {"nonfinite": {"a": "[NaN, 1]"}}}, {"a": ["NaN", True]}),
        ({RECORD: {"nonfinite": {"a": "NaN"}}}, {}),
        ({"a": "NaN", RECORD: {"nonfinite": {"a": 5}}}, {"a": "NaN"}),
        ({"a": "NaN", RECORD: {"nonfinite": {"a": "{"}}}, {"a": "NaN"}),
        ({"a": "NaN", RECORD: {"nonfinite": {"a": "[" * 100_000}}}, {"a": "NaN"}),
        ({"a": "NaN", RECORD: {"nonfinite": ["a"], "b": 1}}, {"a": "NaN", RECORD: {"b": 1}}),
        ({"a": "NaN", RECORD: 5}, {"a": "NaN", RECORD: 5}),
    ],
)
def test_a_record_that_does_not_fit_what_is_stored_says_nothing(
    attributes: Any, found: Any
) -> None:
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    assert deserialise({"zarr.json": json.dumps(document).encode()}) == Group(found)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_may_have_an_attribute_of_the_name_of_a_layout(zarr_format: ZarrFormat) -> None:
    tree = Group({"_zspy_dtype": "<f8"})
    assert deserialise(dict(serialise(tree, zarr_format=zarr_format))) == tree


def test_numbers_that_are_not_finite_join_a_record() -> None:
    tree = Group({RECORD: {"keys": {"a": 1}}, "a": float("-inf")})
    assert deserialise(dict(serialise(tree, zarr_format=3))) == tree


# --------------------------------------------------------------------------------------------------
# Ragged arrays, flat


def _ragged(shapes: list[tuple[int, ...]], nav: tuple[int, ...], **changes: Any) -> Group:
    """Return cells of these shapes, as `encode` makes them of an object array."""
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    cells = [np.arange(a, b, dtype="<f8") for a, b in pairwise(sizes)]
    rows = object_array((np.array(shape, np.int64) for shape in shapes), nav)
    members: dict[str, Any] = {
        "x": Array(object_array(cells, nav), {"unit": "nm"}, "<f8"),
        SHAPES + "x": Array(rows, cells="<i8"),
    }
    return Group({}, members | changes)


UNIFORM: Final = _ragged([(1, 2), (0, 2), (3, 2), (1, 2)], (2, 2))
MIXED: Final = _ragged([(1, 2), (3,), ()], (3,))


def _stored(tree: Group) -> Group:
    """Return the flat nodes that the documents of a tree hold in format 3."""
    documents = dict(serialise(tree, zarr_format=3))
    key = ENCODING.encode()
    found = deserialise({name: data.replace(key, b"plain") for name, data in documents.items()})
    assert isinstance(found, Group)
    return found


def _flat(
    values: Any, offsets: Any, nav: Any, encoding: Any = "csr", **members: Any
) -> dict[str, bytes]:
    """Return the documents of a flat ragged array of format 2."""
    marks: Any = {ENCODING: encoding, NAV_SHAPE: nav, "unit": "nm"}
    nodes: dict[str, Any] = {"x": Array(np.asarray(values), marks), **members}
    if offsets is not None:
        nodes[OFFSETS + "x"] = Array(np.asarray(offsets))
    return dict(serialise(Group({}, nodes)))


def test_cells_of_one_trailing_shape_are_stored_end_to_end() -> None:
    stored = _stored(UNIFORM)
    assert sorted(stored.members) == [OFFSETS + "x", "x"]
    values, offsets = stored.members["x"], stored.members[OFFSETS + "x"]
    assert values == Array(
        np.arange(10.0).reshape(5, 2), {"unit": "nm", "plain": "csr", NAV_SHAPE: [2, 2]}
    )
    assert offsets == Array(np.array([0, 1, 1, 4, 5]))


def test_other_cells_are_stored_with_their_shapes() -> None:
    stored = _stored(MIXED)
    names = ["x", SHAPES + "x"]
    assert sorted(stored.members) == sorted([*names, *(OFFSETS + name for name in names)])
    assert stored.members["x"].data.tolist() == list(range(6))  # type: ignore[union-attr]
    assert stored.members[SHAPES + "x"].data.tolist() == [1, 2, 3]  # type: ignore[union-attr]
    assert stored.members[OFFSETS + SHAPES + "x"].data.tolist() == [0, 2, 3, 3]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "tree",
    [
        *(
            UNIFORM,
            MIXED,
            _ragged([], (0,)),
            _ragged([], (2, 0)),
            _ragged([(2,)], ()),
            _ragged([(0,)], (1,)),
        ),
        *(
            _ragged([(0, 3), (2, 0)], (2,)),
            _ragged([(2, 0), (3, 0)], (2,)),
            _ragged([(), ()], (2,)),
        ),
        _ragged([(2,), (1,)], (2,), **{SHAPES + "x": Array(np.arange(2))}),
        _ragged([(2,), (1,)], (2,), **{SHAPES + "x": Group({}, {"y": Array(np.arange(2))})}),
        _ragged(
            [(2,)], (1,), **{SHAPES + "x": Array(object_array([np.array([3])], (1,)), cells="<i8")}
        ),
        _ragged(
            [(2,)],
            (1,),
            **{SHAPES + "x": Array(object_array([np.array([2])], (1,)), {"a": 1}, "<i8")},
        ),
        _ragged(
            [(2,)],
            (1,),
            **{SHAPES + "x": Array(object_array([np.array([-2, -1])], (1,)), cells="<i8")},
        ),
        _ragged(
            [(2,)],
            (1,),
            **{SHAPES + "x": Array(object_array([np.array([2], "<i4")], (1,)), cells="<i4")},
        ),
        _ragged(
            [(2,)],
            (1,),
            **{SHAPES + "x": Array(object_array([np.array([2])], (1, 1)), cells="<i8")},
        ),
        _ragged([(1,), (3,)], (2,), y=Array(object_array([["a"], []], (2,)), cells="msgpack2")),
        _ragged([(1,), (3,)], (2,), y=Array(object_array([["a"], []], (2,)), cells="json2")),
        _ragged([(1,)], (1,), y=Array(object_array([b"a"], (1,)), cells="vlen-bytes")),
    ],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_cells_come_back_with_their_shapes(zarr_format: ZarrFormat, tree: Group) -> None:
    whole = Group({}, {"group": tree})
    assert deserialise(dict(serialise(whole, zarr_format=zarr_format))) == whole


@pytest.mark.parametrize(
    ("cells", "item", "problem"),
    [
        (["a"], "json2", "x: cells of json2 that are no lists of str; use encode"),
        ([[1]], "msgpack2", "x/c/0: a chunk that cannot be encoded .a cell that is no vlen-utf8."),
        ([np.arange(2)], "<f8", "x: a cell that is no <f8; use encode"),
    ],
)
def test_cells_that_are_none_have_no_place_in_format_3(
    cells: list[Any], item: str, problem: str
) -> None:
    tree = Group({}, {"x": Array(object_array(cells, (1,)), cells=item)})
    with pytest.raises(EncodeError, match=problem):
        dict(serialise(tree, zarr_format=3))


def test_flat_arrays_of_format_2_are_brought_into_cells() -> None:
    found: Any = deserialise(_flat([[0.0], [1.0], [2.0]], [0, 2, 2, 3], [3]))
    wanted = _ragged([(2, 1), (0, 1), (1, 1)], (3,))
    assert found == wanted
    rows = object_array([np.array([1, 2]), np.array([1])], (2,))
    shapes = Array(rows, cells="<i8")
    found = deserialise(
        _flat([0.0, 1.0, 2.0], np.array([0, 2, 3], "u4"), [2], **{SHAPES + "x": shapes})
    )
    assert found == _ragged([(1, 2), (1,)], (2,))


def test_flat_strings_are_brought_into_cells() -> None:
    texts = Array(
        object_array(["a", "b", "c"], (3,)), {ENCODING: "csr", NAV_SHAPE: [2]}, "vlen-utf8"
    )
    tree = Group({}, {"x": texts, OFFSETS + "x": Array(np.array([0, 1, 3]))})
    found: Any = deserialise(dict(serialise(tree)))
    assert found.members["x"] == Array(object_array([["a"], ["b", "c"]], (2,)), cells="msgpack2")
    assert [row.tolist() for row in found.members[SHAPES + "x"].data] == [[1], [2]]


def test_flat_arrays_that_are_lazy_are_left_alone() -> None:
    da = pytest.importorskip("dask.array")
    data = da.zeros(3)
    documents = _flat([0.0, 1.0, 2.0], [0, 3], [1])
    found: Any = deserialise(documents, load=lambda path, _: data if path == "x" else None)
    assert found.members["x"].data is data
    assert OFFSETS + "x" in found.members


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (_flat([1.0], None, [1]), "a ragged array without its offsets"),
        (_flat([1.0], [0, 1], [1], encoding="zip"), "the ragged encoding 'zip' is not known"),
        *(
            (_flat([1.0], [0, 1], nav), "no list of integers from 0")
            for nav in (None, 5, [-1], ["1"], [True])
        ),
        (_flat([1.0], [0, 1], [2**40, 2**40]), "is too large"),
        *(
            (_flat(values, offsets, [2]), "the offsets do not fit the ragged array")
            for values, offsets in (
                *(([1.0], [0, 1]), ([1.0], [0, 2, 1]), ([1.0], [1, 1, 1]), ([1.0], [0, 0, 0])),
                *(
                    ([1.0], [0.0, 1.0, 1.0]),
                    (1.0, [0, 1, 1]),
                    ([1.0], [[0, 1, 1]]),
                    ([1.0], [0, -1, 1]),
                ),
            )
        ),
        (_flat([1.0], [0], [2**40, 0, 2**21]), "the offsets do not fit the ragged array"),
        (_flat(np.zeros((0, 1)), [0], [2**61, 0]), ""),
    ],
)
def test_flat_arrays_that_do_not_fit_their_offsets_are_refused(
    documents: dict[str, bytes], problem: str
) -> None:
    with pytest.raises(FormatError, match=rf"x: .*{problem}.*; the file is damaged"):
        deserialise(documents)


def test_an_offsets_array_that_is_flat_itself_is_no_ragged_array() -> None:
    tree = Group({}, {OFFSETS + "x": Array(np.arange(2), {ENCODING: "csr"})})
    assert deserialise(dict(serialise(tree))) == tree


# --------------------------------------------------------------------------------------------------
# Bombs, from the documents on


@pytest.mark.parametrize("name", ["zlib", "gzip", "bz2", "lzma", "zstd", "blosc", "lz4"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_unpacks_to_more_than_its_array_is_refused(
    zarr_format: ZarrFormat, name: str
) -> None:
    compressor: Any = numcodecs.get_codec({"id": name})
    storage = Storage(zarr_format=zarr_format, compressor=compressor)
    documents = dict(serialise(Group({}, {"x": Array(np.zeros(10, "u1"))}), storage=storage))
    key = "x/0" if zarr_format == 2 else "x/c/0"
    stages = [compressor] + ([numcodecs.CRC32C("end")] if zarr_format == 3 else [])
    data: Any = bytes(2**24)
    for stage in stages:
        data = stage.encode(data)
    documents[key] = bytes(np.asarray(bytearray(data)).tobytes())
    with pytest.raises(FormatError, match=f"{key}: a chunk that {name} cannot decode"):
        deserialise(documents)


@pytest.mark.parametrize(
    "document",
    [
        b'"attributes": {"a": 1}, "consolidated_metadata": {"metadata": {}}',
        b'"node_type": "group", "consolidated_metadata": {"metadata": {}}, "attributes": {"a": 1}',
    ],
)
def test_copies_of_documents_are_no_attributes_wherever_they_stand(document: bytes) -> None:
    whole = b'{"zarr_format": 3, "node_type": "group", %s}' % document
    assert deserialise({"zarr.json": whole}).attributes == {"a": 1}


def test_attributes_may_look_like_copies_of_documents() -> None:
    attributes = {"a": 1, "consolidated_metadata": {"metadata": {"b": 2}}}
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    node = deserialise({"zarr.json": json.dumps(document).encode()})
    assert node.attributes == attributes


def test_chunks_of_format_3_may_have_the_keys_of_format_2() -> None:
    tree = Group({}, {"a": Array(np.arange(4.0).reshape(2, 2))})
    documents = dict(serialise(tree, zarr_format=3))
    document = json.loads(documents["a/zarr.json"])
    document["chunk_key_encoding"] = {"name": "v2", "configuration": {"separator": "/"}}
    moved = {
        "zarr.json": documents["zarr.json"],
        "a/zarr.json": json.dumps(document).encode(),
        "a/0/0": documents["a/c/0/0"],
    }
    assert deserialise(moved) == deserialise(documents)


# --------------------------------------------------------------------------------------------------
# What is written is read with the default limits, or refused


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_nobody_would_read_are_not_written(
    zarr_format: ZarrFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Group({}, {"a": Group({"text": "x" * 5000})})
    assert dict(serialise(tree, zarr_format=zarr_format))
    monkeypatch.setattr(attributes, "LIMITS", Limits(document=5000))
    with pytest.raises(EncodeError, match=r"a: attributes of \d+ bytes, more than are read again"):
        dict(serialise(tree, zarr_format=zarr_format))


def test_attributes_of_more_values_than_are_read_are_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zspy.documents.json._MOST_VALUES", 13)
    for value in ([0] * 10, 'a "text" \\ ' + "[{," * 20):
        assert dict(serialise(Group(cast("Any", {"value": value}))))
    many: list[Any] = [[0] * 20, [[]] * 8, [{}] * 4]
    for value in many:
        with pytest.raises(EncodeError, match="store numbers as arrays, or several files"):
            dict(serialise(Group(cast("Any", {"value": value}))))


@pytest.mark.parametrize("limits", [Limits(nodes=2), Limits(depth=1)])
def test_nodes_that_nobody_would_read_are_not_written(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Group({}, {"b": Group()})
    documents = dict(serialise(inner))
    assert deserialise(documents, limits=limits) == inner
    monkeypatch.setattr("zspy.documents.tree.LIMITS", limits)
    assert dict(serialise(inner)) == documents
    with pytest.raises(EncodeError, match=r"a/b: more nodes than are read again"):
        dict(serialise(Group({}, {"a": inner})))


@pytest.mark.parametrize("is_packed", [True, False])
def test_cells_that_no_codec_takes_at_once_are_divided(
    is_packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, ends = np.arange(30.0), np.arange(0, 31, 10)
    packed: Any = RaggedCells(values, ends, (3,))
    array = Array(packed if is_packed else np.asarray(packed), cells="<f8")
    whole = dict(serialise(array))
    assert whole.keys() == {".zarray", "0"}
    monkeypatch.setattr("zspy.documents.storage.LARGEST", 100)
    divided = dict(serialise(array))
    assert divided.keys() == {".zarray", "0", "1", "2"}
    assert deserialise(divided) == deserialise(whole)


def test_a_chunk_of_cells_that_no_codec_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zspy.documents.storage.LARGEST", 100)
    cells = object_array(["a" * 101, "b"], (2,))
    remedy = "give smaller chunks, or use zarr_format=3"
    with pytest.raises(EncodeError, match=rf"a chunk of cells that hold 101 bytes.*; {remedy}"):
        dict(serialise(Array(cells, cells="vlen-utf8")))
    given = Array(object_array(["a" * 60] * 4, (2, 2)), cells="vlen-utf8", chunks=(2, 1))
    with pytest.raises(EncodeError, match="a chunk of cells that hold 120 bytes"):
        dict(serialise(given))


def test_documents_take_of_a_limit_of_their_own() -> None:
    documents = dict(serialise(Group({}, {"a": Group({"text": "x" * 900})})))

    class Packed(Given):
        def size(self, keys: Iterable[str]) -> int:
            return len([*keys])

    assert isinstance(deserialise(Packed(documents)), Group)
    with pytest.raises(FormatError, match=r"a/\.zattrs: it takes \d+ bytes of memory, and hardly"):
        deserialise(Packed(documents), limits=Limits(memory=2000))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("lost", ["axis-0", "axis-1"])
def test_an_axis_that_lost_its_only_document_is_told(zarr_format: ZarrFormat, lost: str) -> None:
    file: dict[str, bytes] = {}
    axes: list[Any] = [{"name": name, "size": 3, "scale": 0.5, "offset": 0.0} for name in "yx"]
    signal: Any = {"data": np.zeros((3, 3)), "axes": axes, "metadata": {"General": {"title": "t"}}}
    file_writer(file, signal, zarr_format=zarr_format, show_progressbar=False)
    assert len(file_reader(file)[0]["axes"]) == 2
    rest = {key: data for key, data in file.items() if f"/{lost}/" not in key}
    with pytest.raises(FormatError, match=rf"Experiments/t/{lost}: the document of an axis is mis"):
        file_reader(rest)


@pytest.mark.parametrize("path", ["Experiments/t", "Experiments/t/metadata/_sig_x"])
def test_a_signal_has_all_of_its_axes_or_none(path: str) -> None:
    axes = {f"axis-{number}": Group() for number in range(2)}
    parts: dict[str, Any] = {"data": Array(np.zeros((3, 3))), "metadata": Group()}

    def written(*lost: str) -> dict[str, bytes]:
        kept = {name: axis for name, axis in axes.items() if name not in lost}
        node = Group({}, {**parts, **kept})
        for name in reversed(path.split("/")):
            node = Group({}, {name: node})
        return dict(serialise(node))

    deserialise(written())
    deserialise(written("axis-0", "axis-1"))
    for lost in axes:
        with pytest.raises(FormatError, match=rf"{path}/{lost}: the document of an axis is mis"):
            deserialise(written(lost))
    elsewhere = {key.replace(path, "a/b"): data for key, data in written("axis-0").items()}
    deserialise({**elsewhere, "a/.zgroup": b'{"zarr_format":2}'})


def test_cells_of_flat_ragged_arrays_take_of_the_limit() -> None:
    cells = object_array((np.empty(0) for _ in range(200)), (200,))
    tree = Group({}, {"a": Array(cells, cells="<f8")})
    documents = dict(serialise(tree, zarr_format=3))
    assert deserialise(documents) == tree
    limits = Limits(memory=20_000, expansion=1)
    with pytest.raises(FormatError, match="it takes 51456 bytes of memory, and hardly"):
        deserialise(documents, limits=limits)


def test_an_attribute_of_format_2_may_have_the_name_of_one_of_format_3() -> None:
    array = Array(np.zeros(2), {"_zspy_dtype": "<f4"})
    documents = dict(serialise(Group({}, {"a": array})))
    assert deserialise(documents) == Group({}, {"a": array})


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "layout",
    [{"cells": [1]}, {"chunks": ("a",)}, {"chunks": ([1],)}, {"chunks": (1.5,), "shards": (2,)}],
)
def test_a_layout_of_other_types_is_refused(layout: Any, zarr_format: ZarrFormat) -> None:
    tree = Group({}, {"x": Array(np.arange(3), **layout)})
    with pytest.raises(EncodeError, match="x"):
        dict(serialise(tree, zarr_format=zarr_format))
