"""Only what belongs to the Zarr nodes of a file is ever replaced in a store."""

from __future__ import annotations

import tracemalloc
from typing import Any, Final

import numpy as np
import pytest
from zarr.storage import MemoryStore, ObjectStore

import zspy
from tests.support.places import DATABASES, FILES, IN_MEMORY, place_of
from zspy import EncodeError
from zspy.apps.cli import main as command
from zspy.stores.backends import STORE_TYPES, commit
from zspy.stores.lmdb import LMDBStore
from zspy.stores.owned import replaceable_keys, unowned_keys
from zspy.stores.zarr_store import MappingStore

OWN: Final = [
    ".zgroup",
    ".zattrs",
    ".zmetadata",
    "a/.zgroup",
    "a/b/.zarray",
    "a/b/.zattrs",
    "a/b/0.0",
    "a/b/10/3",
    "a/s/zarr.json",
    "a/s/c",
    "a/v/zarr.json",
    "a/v/c/0/1",
]
UNOWNED: Final = [
    "README",
    "0",
    "a/0",
    "a/b/README",
    "a/b/0.0.bak",
    "a/b/c/x",
    "a/b/notes/1",
    "x/.zattrs",
    "x/y/.zgroup",
    "x/y/z/.zarray",
    "x/y/z/0",
]
READ: Final = {"a/s/zarr.json": b'{"node_type": "array"}'}.get
QUIET: Final[dict[str, Any]] = {"show_progressbar": False}


def test_keys_of_nodes_are_told_from_all_others() -> None:
    assert unowned_keys(OWN, READ) == []
    assert unowned_keys([*UNOWNED, *OWN], READ) == UNOWNED
    assert replaceable_keys([*UNOWNED, *OWN], READ) == OWN
    assert replaceable_keys([], READ) == []


@pytest.mark.parametrize("kind", [b'{"node_type": "group"}', b"{"])
def test_a_name_like_that_of_a_chunk_is_foreign_in_a_group(kind: bytes) -> None:
    own = {"zarr.json": kind, "_list_x/zarr.json": kind, "_list_x/0/zarr.json": kind}
    unowned = ["0", "c", "c.1", "_list_x/1", "_list_x/2/0"]
    assert unowned_keys([*own, *unowned], own.get) == unowned


@pytest.mark.parametrize("keys", [UNOWNED, UNOWNED[:1], ["other.zarr/.zgroup", "other.zarr/0"]])
def test_a_place_without_a_node_at_its_root_is_not_replaced(keys: list[str]) -> None:
    with pytest.raises(EncodeError, match=r"the place holds what is no \.zspy file, such as '"):
        replaceable_keys(keys, READ)


def test_no_url_that_a_server_lists_is_shown() -> None:
    with pytest.raises(EncodeError, match=r"what is no \.zspy file; use a place of its own"):
        replaceable_keys(["http://user:word@example.org/scan.zspy"], READ)


def test_what_is_left_of_an_interrupted_replacement_is_replaced() -> None:
    left = ["Experiments/.zgroup", "Experiments/x/.zattrs", "Experiments/x/y/.zarray"]
    assert unowned_keys([*left, "Experiments/x/y/0", "other/.zgroup"], READ) == ["other/.zgroup"]


def memory_store(content: dict[str, bytes]) -> Any:
    store = MemoryStore()
    for key, value in content.items():
        store._store_dict[key] = store_value(value)
    return store


def store_value(value: bytes) -> Any:
    from zarr.core.buffer.cpu import Buffer

    return Buffer.from_bytes(value)


def object_store(content: dict[str, bytes]) -> Any:
    from obstore.store import MemoryStore as Objects

    inner = Objects()
    for key, value in content.items():
        inner.put(key, value)
    return ObjectStore(inner)


def mapping_store(content: dict[str, bytes]) -> Any:
    return MappingStore(content)


def keys_in(place: Any) -> set[str]:
    from zspy.stores.backends import opened

    return set(opened(place))


@pytest.mark.parametrize("make", [dict, mapping_store, memory_store, object_store])
def test_what_others_keep_in_a_store_is_never_removed(make: Any) -> None:
    signal: dict[str, Any] = {"data": np.arange(6), "axes": [{"size": 6}], "metadata": {}}
    place = make({"b/raw.dm4": b"raw", "other.zarr/.zgroup": b"{}"})
    with pytest.raises(EncodeError, match=r"what lies there is no \.zspy file; remove it first"):
        zspy.file_writer(place, signal, **QUIET)
    with pytest.raises(EncodeError, match=r"'b/raw\.dm4'; use a place of its own"):
        zspy.file_writer(place, signal, overwrite=True, **QUIET)
    assert keys_in(place) == {"b/raw.dm4", "other.zarr/.zgroup"}
    documents: dict[str, bytes] = {}
    zspy.file_writer(documents, signal, **QUIET)
    place = make({**documents, "b/raw.dm4": b"raw", "Experiments/README": b"text"})
    old = keys_in(place)
    zspy.file_writer(place, {**signal, "metadata": {"General": {"title": "new"}}}, **QUIET)
    new = keys_in(place)
    assert {"b/raw.dm4", "Experiments/README"} < new
    assert old - new
    assert zspy.file_reader(place)[0]["metadata"]["General"]["title"] == "new"


def test_what_others_keep_in_a_database_is_never_removed(tmp_path: Any) -> None:
    path = tmp_path / "scan.zspy"
    with LMDBStore(path) as store:
        store.update([("notes", b"1")])
        for place, options in ((store, {}), (path, {"store_type": "lmdb"})):
            with pytest.raises(EncodeError, match="such as 'notes'"):
                commit({".zgroup": b"{}"}, place, overwrite=True, **options)  # type: ignore[arg-type]
        store.update([(".zgroup", b"{}"), ("a/.zgroup", b"{}")])
        commit({".zgroup": b"{ }"}, path, store_type="lmdb", overwrite=True)
        assert {name: store.read(name) for name in store.names()} == {
            ".zgroup": b"{ }",
            "notes": b"1",
        }


@pytest.mark.parametrize("kind", [*FILES, *DATABASES])
def test_a_tree_that_is_no_zspy_file_removes_nothing_of_others(kind: Any, tmp_path: Any) -> None:
    """A directory lost what people had put beside the nodes, since the new tree is no signal."""
    path = tmp_path / "tree.zarr"
    tree = dict(zspy.serialise(zspy.encode({"a": 1})))
    how: dict[str, Any] = {"store_type": kind, "sync": False}
    zspy.commit({**tree, "README": b"1", "notes/a": b"2"}, path, **how)
    zspy.commit({**tree, "README": b"3"}, path, overwrite=True, **how)
    zspy.commit({**tree, "b/.zgroup": tree[".zgroup"]}, path, overwrite=True, **how)
    found = zspy.fetch(path)
    assert {*found} == {*tree, "b/.zgroup", "README", "notes/a"}
    assert (found["README"], found["notes/a"]) == (b"3", b"2")
    assert [each.name for each in tmp_path.iterdir() if each.name[0] == "."] == []


def test_names_that_are_deep_by_intent_cost_no_more_than_they_are_long() -> None:
    """Of one name of 60 kB all folders above it would be 900 MB of text."""
    group, array = b'{"zarr_format": 2}', b"{}"
    documents = {".zgroup": group, "a/.zarray": array}
    deep = [f"a/{'0/' * 30_000}0", f"b/{'x/' * 30_000}0"]
    tracemalloc.start()
    try:
        assert unowned_keys([*documents, *deep], documents.get) == deep
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["zarr.json", ".zarray"])
def test_a_folder_called_like_that_of_chunks_is_foreign_where_there_are_none(name: str) -> None:
    """In a group of format 3 that holds nothing else, and in an array of format 2."""
    keys = {name: b'{"node_type": "group"}', "c/0/0": b"of others"}
    assert unowned_keys([*keys], keys.get) == ["c/0/0"]


def test_a_folder_in_a_group_that_is_called_like_that_of_chunks_is_of_somebody_else() -> None:
    keys = {"zarr.json": b"{}", "Experiments/zarr.json": b"{}", "c/0/0": b"", "c/1": b""}
    assert unowned_keys([*keys], keys.get) == ["c/0/0", "c/1"]
    plain = {"zarr.json": b'{"node_type": "array"}', "c/0/0": b"", "c/1": b""}
    assert unowned_keys([*plain], plain.get) == []
    keyed = {**plain, "notes": b""}
    assert unowned_keys([*keyed], keyed.get) == ["notes"]


def a_file(place: Any, metadata: dict[str, Any], **how: Any) -> None:
    signal = {
        "data": np.arange(6),
        "axes": [{"size": 6}],
        "metadata": {"General": {"title": "t"}, **metadata},
    }
    zspy.file_writer(place, signal, sync=False, **QUIET, **how)


def contents(place: Any) -> dict[str, bytes]:
    from contextlib import closing

    from zspy.stores.backends import opened

    with closing(opened(place)) as file:
        return {key: file[key] for key in file}


@pytest.mark.parametrize("kind", [*STORE_TYPES, *IN_MEMORY])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("name", "then"),
    [
        pytest.param("7", {}, id="a-number-in-a-group-that-goes-away"),
        pytest.param("7", {"sub": np.arange(9)}, id="a-number-in-a-group-that-becomes-an-array"),
        pytest.param("c/7", {"sub": np.arange(9)}, id="a-number-in-a-folder-of-chunks"),
        pytest.param("x", {"sub": {"x": {"y": 1}}}, id="a-name-of-a-folder-that-comes"),
    ],
)
def test_a_file_of_others_that_the_new_file_has_no_place_for_is_refused(
    name: str, then: dict[str, Any], zarr_format: Any, kind: Any, tmp_path: Any
) -> None:
    """It was taken for a chunk of a new array, hidden in a leftover, or no file was left."""
    place, how = place_of(kind, tmp_path / "scan.zspy")
    how["zarr_format"] = zarr_format
    documents: dict[str, bytes] = {}
    a_file(documents, {"sub": {"a": 1}}, zarr_format=zarr_format)
    key = f"Experiments/t/metadata/sub/{name}"
    commit({**documents, key: b"mine", "README": b"text"}, place, store_type=how.get("store_type"))
    before = contents(place)
    if name == "c/7" and zarr_format == 2:
        return  # it is no name of chunks in format 2
    with pytest.raises(EncodeError, match=f"{key}: .* has no place .*; move it to another"):
        a_file(place, then, **how)
    assert contents(place) == before
    assert [each.name for each in tmp_path.iterdir() if each.name[0] == "."] == []
    a_file(place, {"sub": {"b": 1}}, **how)
    after = contents(place)
    assert (after[key], after["README"]) == (b"mine", b"text")
    assert zspy.file_reader(place)[0]["metadata"]["sub"] == {"b": 1}


@pytest.mark.parametrize("kind", [*STORE_TYPES, *IN_MEMORY])
def test_an_array_that_is_kept_never_takes_the_place_of_what_is_of_others(
    kind: Any, tmp_path: Any
) -> None:
    """LMDB overwrote it, and in a directory it became a chunk of the signal."""
    place, how = place_of(kind, tmp_path / "scan.zspy")
    documents: dict[str, bytes] = {}
    a_file(documents, {})
    key = "Experiments/new/data/0"
    commit(documents, place, **how)
    commit({**documents, key: b"mine"}, place, **how)
    before = contents(place)
    with pytest.raises(EncodeError, match=f"{key}: .* has no place .*; move it to another"):
        a_file(place, {"General": {"title": "new"}}, write_dataset=False, **how)
    assert contents(place) == before


def test_a_link_that_leads_to_itself_hides_no_file_beside_it(tmp_path: Any) -> None:
    path = tmp_path / "scan.zspy"
    a_file(path, {"sub": {"a": 1}})
    folder = path / "Experiments/t/metadata/sub"
    (folder / "loop").symlink_to("loop")
    for number in range(1500):
        (folder / f"{number}a").symlink_to(f"{number + 1}a")
    assert command(["tree", str(path)]) == 0
    (folder / "7").write_bytes(b"mine")
    with pytest.raises(EncodeError, match=r"metadata/sub/7: .* has no place"):
        a_file(path, {"sub": np.arange(9)})
    assert (folder / "7").read_bytes() == b"mine"


def test_a_digit_of_another_script_is_no_chunk() -> None:
    keys = [".zgroup", "a/.zarray", "a/\u0663", "b/zarr.json", "b/c.\u0663"]
    assert unowned_keys(keys, dict[str, bytes]().get) == ["a/\u0663", "b/c.\u0663"]
