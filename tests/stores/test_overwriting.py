"""What a new file may replace: one table, cell by cell."""

from __future__ import annotations

import dbm.dumb
import errno
import os
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import obstore.store
import pytest
import zarr
from zarr.storage import FsspecStore

import zspy
from zspy import EncodeError
from zspy.stores import backends, replace
from zspy.stores.backends import STORE_TYPES, opened
from zspy.stores.lmdb import LMDBStore
from zspy.stores.overwriting import refuse_member
from zspy.stores.sqlite import SQLiteStore
from zspy.stores.zarr_store import MappingStore

GROUP: Final = b'{"zarr_format":2}'
QUIET: Final[dict[str, Any]] = {"show_progressbar": False, "sync": False}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


def signal(number: int = 1) -> dict[str, Any]:
    return {"data": np.full(3, number), "axes": [{"size": 3}], "metadata": {"n": number}}


def number_in(place: Any) -> int:
    (found,) = zspy.file_reader(place)
    return int(found["metadata"]["n"])


def nothing(path: Path) -> Any:
    return path


def zspy_file(path: Path) -> Any:
    zspy.file_writer(path, signal(0), **QUIET)
    return path


def zspy_zip(path: Path) -> Any:
    zspy.file_writer(path, signal(0), store_type="zip", **QUIET)
    return path


def empty_folder(path: Path) -> Any:
    path.mkdir()
    return path


def foreign_group(path: Path) -> Any:
    cast("Any", zarr).create_group(str(path), attributes={"a": 1}, zarr_format=2)
    return path


def foreign_zip(path: Path) -> Any:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(".zgroup", GROUP)
    return path


def document(path: Path) -> Any:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "text")
    return path


def folder_of(*names: str) -> Callable[[Path], Any]:
    def make(path: Path) -> Any:
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b'{"n5": "2.0.0"}')
        return path

    return make


def text_file(path: Path) -> Any:
    path.write_text("a diary")
    return path


def cut_zip(path: Path) -> Any:
    zspy_zip(path)
    path.write_bytes(path.read_bytes()[:100])
    return path


def pipe(path: Path) -> Any:
    os.mkfifo(path)
    return path


def mapping_of(**keys: bytes) -> Callable[[Path], Any]:
    return lambda _: {key.replace("__", "."): value for key, value in keys.items()}


def memory_store(key: str) -> Callable[[Path], Any]:
    def make(_: Path) -> Any:
        return MappingStore({key: GROUP})

    return make


def object_store(_: Path) -> Any:
    store = obstore.store.MemoryStore()
    obstore.put(store, "raw.dm4", b"raw")
    return store


def lmdb_of_others(path: Path) -> Any:
    lmdb: Any = import_module("lmdb")
    with lmdb.open(str(path)) as database, database.begin(write=True) as transaction:
        transaction.put(b"raw", b"raw")
    return path


def sqlite_of_others(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)")
        database.execute("INSERT INTO zarr VALUES ('raw', 'raw')")
        database.commit()
    return path


def dbm_of_others(path: Path) -> Any:
    with dbm.dumb.open(str(path), "n") as database:
        database[b"raw"] = b"raw"
    return path


def url(path: Path) -> Any:
    fsspec: Any = import_module("fsspec")
    fsspec.filesystem("memory").pipe(f"/{path.parent.name}/raw.dm4", b"raw")
    return f"memory://{path.parent.name}"


REPLACED: Final = (True, True, False)  # with None, with True, with False
ON_DEMAND: Final = (False, True, False)
NEVER: Final = (False, False, False)
TABLE: Final[dict[str, tuple[Callable[[Path], Any], tuple[bool, bool, bool]]]] = {
    "nothing": (nothing, (True, True, True)),
    "a .zspy file": (zspy_file, REPLACED),
    "a zipped .zspy file": (zspy_zip, REPLACED),
    "an empty folder": (empty_folder, REPLACED),
    "a foreign group": (foreign_group, ON_DEMAND),
    "a foreign zip": (foreign_zip, ON_DEMAND),
    "a document of an office": (document, ON_DEMAND),
    "a zip that is cut": (cut_zip, ON_DEMAND),
    "a text file": (text_file, ON_DEMAND),
    "a folder with data.mdb": (folder_of("data.mdb", "thesis.tex"), NEVER),
    "a folder with nothing but data.mdb": (folder_of("data.mdb"), NEVER),
    "a folder with a folder data.mdb": (folder_of("data.mdb/thesis.tex"), NEVER),
    "a folder with attributes.json": (folder_of("attributes.json", "thesis.tex"), NEVER),
    "a folder of N5": (folder_of("attributes.json"), ON_DEMAND),
    "a folder of pictures": (folder_of("holiday.jpg"), NEVER),
    "a pipe": (pipe, NEVER),
    "an LMDB database of others": (lmdb_of_others, NEVER),
    "an SQLite file of others": (sqlite_of_others, NEVER),
    "a dbm of others": (dbm_of_others, NEVER),
    "an empty mapping": (mapping_of(), (True, True, True)),
    "a mapping with a foreign group": (mapping_of(__zgroup=GROUP), ON_DEMAND),
    "a mapping with other keys": (mapping_of(raw=b"raw"), NEVER),
    "a store with a foreign group": (memory_store(".zgroup"), ON_DEMAND),
    "a store with other keys": (memory_store("raw"), NEVER),
    "a client with other keys": (object_store, NEVER),
    "a prefix of a URL with other keys": (url, NEVER),
}


def snapshot(place: Any, path: Path) -> Any:
    """Give what lies at a place, and beside it."""
    if isinstance(place, Path):
        files = [path, *path.rglob("*")] if path.is_dir() else [path]
        beside = sorted(os.listdir(path.parent))
        is_file = [one for one in files if one.exists() and stat.S_ISREG(one.stat().st_mode)]
        return beside, {str(one): one.read_bytes() for one in is_file}
    with closing(opened(place)) as file:
        return dict(file)


@pytest.mark.parametrize("overwrite", [None, True, False])
@pytest.mark.parametrize("kind", TABLE)
def test_what_may_be_replaced(kind: str, overwrite: bool | None, path: Path) -> None:
    make, allowed = TABLE[kind]
    place = make(path)
    before = snapshot(place, path)
    if allowed[[None, True, False].index(overwrite)]:
        zspy.file_writer(place, signal(), overwrite=overwrite, **QUIET)
        assert number_in(place) == 1
    else:
        with pytest.raises(EncodeError):
            zspy.file_writer(place, signal(), overwrite=overwrite, **QUIET)
        assert snapshot(place, path) == before


@pytest.mark.parametrize("no", [0, np.False_, "no"])
def test_nothing_but_a_yes_lets_a_file_be_replaced(no: Any, path: Path) -> None:
    zspy_file(path)
    writes: list[Callable[[], None]] = [
        lambda: zspy.file_writer(path, signal(), overwrite=no, **QUIET),
        lambda: zspy.commit({".zgroup": b"{}"}, path, overwrite=no),
    ]
    for write in writes:
        with pytest.raises(EncodeError, match=r"a file is there already|'no' is no choice"):
            write()
    assert number_in(path) == 0


@pytest.mark.parametrize("overwrite", [None, True, False])
@pytest.mark.parametrize("kind", TABLE)
def test_documents_obey_the_same_table(kind: str, overwrite: bool | None, path: Path) -> None:
    make, allowed = TABLE[kind]
    place = make(path)
    before = snapshot(place, path)
    documents: dict[str, bytes] = {}
    zspy.file_writer(documents, signal(), **QUIET)
    if allowed[[None, True, False].index(overwrite)]:
        zspy.commit(documents, place, overwrite=overwrite, sync=False)
        assert number_in(place) == 1
    else:
        with pytest.raises(EncodeError):
            zspy.commit(documents, place, overwrite=overwrite, sync=False)
        assert snapshot(place, path) == before


@pytest.mark.parametrize("overwrite", [None, True, False])
@pytest.mark.parametrize(
    "kind", ["a .zspy file", "a foreign group", "a text file", "a mapping with other keys"]
)
def test_what_is_created_obeys_the_same_table(
    kind: str, overwrite: bool | None, path: Path
) -> None:
    make, allowed = TABLE[kind]
    place = make(path)
    before = snapshot(place, path)
    if allowed[[None, True, False].index(overwrite)]:
        zspy.create(place, signal(), overwrite=overwrite, sync=False)
        assert number_in(place) == 1
    else:
        with pytest.raises(EncodeError):
            zspy.create(place, signal(), overwrite=overwrite, sync=False)
        assert snapshot(place, path) == before


@pytest.mark.parametrize("kind", [kind for kind in TABLE if TABLE[kind][1] == NEVER])
def test_what_is_never_replaced_is_refused_before_anything_is_done(kind: str, path: Path) -> None:
    class Untouched:
        shape, dtype = (3,), np.dtype(float)

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise AssertionError

    place = TABLE[kind][0](path)
    for overwrite in (None, True, False):
        with pytest.raises(EncodeError):
            zspy.file_writer(
                place,
                {"data": Untouched(), "axes": 5, "metadata": object()},
                overwrite=overwrite,
                **QUIET,
            )


@pytest.mark.parametrize("mode", ["w", "update"])
@pytest.mark.parametrize("kind", ["local", "zip", "mapping"])
def test_a_number_in_a_group_of_format_3_stays(kind: str, mode: str, path: Path) -> None:
    place: Any = {} if kind == "mapping" else path
    options: dict[str, Any] = {"zarr_format": 3, **QUIET}
    if kind != "mapping":
        options["store_type"] = kind
    zspy.file_writer(place, signal(0), **options)
    names = ("5", "Experiments/__unnamed__/7", "Experiments/__unnamed__/metadata/c")
    if kind == "local":
        for name in names:
            (path / name).write_bytes(b"mine")
    elif kind == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            for name in names:
                archive.writestr(name, "mine")
    else:
        place |= dict.fromkeys(names, b"mine")
    zspy.file_writer(place, signal(), write_dataset=mode == "w", **options)
    with closing(opened(place)) as file:
        assert {name: file[name] for name in names} == dict.fromkeys(names, b"mine")


@pytest.mark.parametrize("mode", ["w", "a", "update", "True"])
@pytest.mark.parametrize("kind", ["local", "zip", "mapping", "store"])
def test_what_belongs_to_no_node_stays(kind: str, mode: str, path: Path) -> None:
    places: dict[str, Any] = {"mapping": {}, "store": MappingStore({})}
    place = places.get(kind, path)
    options: dict[str, Any] = {"store_type": kind} if kind in ("local", "zip") else {}
    zspy.file_writer(place, signal(0), **options, **QUIET)
    names = ["README", "Experiments/notes.txt", "Experiments/__unnamed__/data/x.log", "mine/notes"]
    names += ["Experiments/__unnamed__/data/notes/1"]
    if kind == "local":
        for name in names:
            (path / name).parent.mkdir(exist_ok=True, parents=True)
            (path / name).write_bytes(b"mine")
    elif kind == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            for name in names:
                archive.writestr(name, "mine")
    elif kind == "mapping":
        place |= dict.fromkeys(names, b"mine")
    else:
        place.update((name, b"mine") for name in names)
    more: dict[str, dict[str, Any]] = {
        "w": {},
        "a": {"mode": "a"},
        "update": {"write_dataset": False},
        "True": {"overwrite": True},
    }
    zspy.file_writer(place, signal(), **more[mode], **options, **QUIET)
    with closing(opened(place)) as file:
        assert {name: file[name] for name in names} == dict.fromkeys(names, b"mine")
    assert 1 in [found["metadata"]["n"] for found in zspy.file_reader(place)]
    assert not isinstance(place, Path) or os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("parent", ["", "Experiments/__unnamed__", "Experiments/gone"])
def test_folders_of_others_stay_as_they_are(parent: str, path: Path) -> None:
    zspy_file(path)
    mine = path / parent / "mine"
    mine.mkdir(parents=True)
    (mine / "diary").write_bytes(b"mine")
    (path / parent / "README").write_bytes(b"mine")
    mine.chmod(0o700)
    secret = path / "Experiments"
    secret.chmod(0o700)
    if parent.endswith("gone"):
        mine.parent.chmod(0o700)
        (mine.parent / ".zgroup").write_bytes(GROUP)
    zspy.file_writer(path, signal(), **QUIET)
    assert (mine / "diary").read_bytes() == b"mine"
    assert (path / parent / "README").read_bytes() == b"mine"
    folders = [mine, secret, *([mine.parent] if parent.endswith("gone") else [])]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert number_in(path) == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("kind", ["local", "zip"])
def test_what_others_keep_in_lmdb_comes_into_the_file_that_replaces_it(
    kind: str, path: Path
) -> None:
    zspy.file_writer(path, signal(0), store_type="lmdb", **QUIET)
    with LMDBStore(path) as store:
        store.update([("README", b"mine")])
    zspy.file_writer(path, signal(), store_type=cast("Any", kind), **QUIET)
    with closing(opened(path)) as file:
        assert file["README"] == b"mine"
    assert number_in(path) == 1


@pytest.mark.parametrize("overwrite", [None, True])
@pytest.mark.parametrize(
    "more",
    [
        "CREATE TABLE mine(a)",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE TRIGGER mine DELETE ON zarr BEGIN SELECT 1; END",
    ],
)
def test_other_tables_in_an_sqlite_file_are_never_lost(
    more: str, overwrite: bool | None, path: Path
) -> None:
    with SQLiteStore(path) as store:
        zspy.file_writer(store, signal(0), **QUIET)
    with closing(sqlite3.connect(path)) as database:
        database.execute(more)
    before = path.read_bytes()
    with pytest.raises(EncodeError, match="has 'mine' as well"):
        zspy.file_writer(path, signal(), overwrite=overwrite, **QUIET)
    assert path.read_bytes() == before


def test_files_of_others_are_in_the_way_of_a_zip(path: Path) -> None:
    zspy_file(path)
    (path / "README").write_bytes(b"mine")
    with pytest.raises(EncodeError, match="'README' in it belongs to no Zarr node; move it"):
        zspy.file_writer(path, signal(), store_type="zip", **QUIET)
    assert (path / "README").read_bytes() == b"mine"
    (path / "README").unlink()
    zspy.file_writer(path, signal(), store_type="zip", **QUIET)
    assert number_in(path) == 1


def test_files_of_others_outlive_a_writer_that_was_killed_before_it_moved_them(path: Path) -> None:
    zspy_file(path)
    (path / "README").write_bytes(b"mine")
    shutil.copytree(path, path.with_name(f".{path.name}.zspy-done-0123456789ab"))
    (path / "README").unlink()
    zspy.file_writer(path, signal(), **QUIET)
    assert (path / "README").read_bytes() == b"mine"
    assert os.listdir(path.parent) == [path.name]


def test_where_two_files_of_others_have_one_name_both_stay(path: Path) -> None:
    zspy_file(path)
    (path / "README").write_bytes(b"mine")
    left = path.with_name(f".{path.name}.zspy-done-0123456789ab")
    shutil.copytree(path, left)
    zspy.file_writer(path, signal(), **QUIET)
    assert (path / "README").read_bytes() == b"mine"
    assert [file for file in left.rglob("*") if file.is_file()] == [left / "README"]


@pytest.mark.parametrize("inner", ["b.zspy", "Experiments/b.zspy", "Experiments/t/data/b.zspy"])
def test_nothing_is_written_inside_of_another_file(inner: str, path: Path) -> None:
    """It was a node of that file, and went with it when that was replaced."""
    zspy.file_writer(path, signal() | {"metadata": {"General": {"title": "t"}}}, **QUIET)
    before = sorted(path.rglob("*"))
    writes: list[Callable[..., Any]] = [zspy.file_writer, zspy.create]
    for write in writes:
        for place in (path / inner, f"{(path / inner).as_uri()}"):
            with pytest.raises(EncodeError, match=r"it would lie inside of the file scan\.zspy"):
                write(place, signal(), sync=False)
    with pytest.raises(EncodeError, match=r"inside of the file scan\.zspy; use another folder"):
        zspy.commit({".zgroup": GROUP}, path / inner)
    assert sorted(path.rglob("*")) == before


def test_a_root_that_is_a_group_of_others_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder above the last one is that one again: the search for a file had no end."""
    cast("Any", zarr).create_group(tmp_path, zarr_format=2)
    monkeypatch.chdir(tmp_path)
    refuse_member(Path("b.zspy"))


def test_a_file_may_lie_in_a_group_of_others(path: Path) -> None:
    group = cast("Any", zarr).create_group(path, zarr_format=2)
    zspy.file_writer(path / "b.zspy", signal(3), **QUIET)
    assert number_in(path / "b.zspy") == 3
    zspy.file_writer(group.create_group("c"), signal(4), overwrite=True, **QUIET)
    assert number_in(path / "c") == 4


def test_no_signals_replace_nothing(path: Path) -> None:
    zspy_file(path)
    with pytest.raises(EncodeError, match="there is no signal, and a file is there"):
        zspy.file_writer(path, [], **QUIET)
    assert number_in(path) == 0


def test_a_pipe_is_no_file(path: Path) -> None:
    os.mkfifo(path)
    assert backends.kind_of(path) == "unknown"
    with pytest.raises(zspy.FormatError, match="neither a file nor a folder"):
        zspy.file_reader(path)


def test_what_was_begun_never_comes_into_the_old_file(path: Path) -> None:
    zspy_file(path)
    before = snapshot(path, path)

    def fail() -> None:
        with backends.replacing(path, None, sync=False) as sink:
            sink.put([("Experiments/new/.zgroup", GROUP), ("no node", b"")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert snapshot(path, path) == before


def test_an_exchange_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy_file(path)
    before = snapshot(path, path)

    def refuse(*_: object) -> None:
        raise OSError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(replace, "swap", refuse)
        with pytest.raises(OSError, match="on purpose"):
            zspy.file_writer(path, signal(), **QUIET)
    assert snapshot(path, path) == before


def test_a_database_with_nothing_of_others_is_replaced_by_a_directory(path: Path) -> None:
    with SQLiteStore(path) as store:
        zspy.file_writer(store, signal(), **QUIET)
    zspy.file_writer(path, signal(), store_type="local", **QUIET)
    assert path.is_dir()
    assert number_in(path) == 1


@pytest.mark.parametrize("overwrite", [None, True])
@pytest.mark.parametrize("around", ["file", "group"])
def test_a_file_that_was_put_into_the_folder_of_another_is_not_replaced_with_it(
    around: str, overwrite: bool | None, path: Path
) -> None:
    """Its groups are nodes of the one around it, which would go with that."""
    inner = path.with_name("inner.zspy")
    zspy_file(inner)
    if around == "file":
        zspy_file(path)
    else:
        path.mkdir()
        (path / ".zgroup").write_bytes(GROUP)
    shutil.copytree(inner, path / inner.name)
    before = snapshot(path, path)
    with pytest.raises(EncodeError):
        zspy.file_writer(path, signal(2), overwrite=overwrite, **QUIET)
    assert snapshot(path, path) == before
    if around == "file":
        zspy.update(path, {"new": 1})
        zspy.file_writer(path, signal(2), write_dataset=False, **QUIET)
        zspy.file_writer(path, {**signal(3), "metadata": {"n": 3}}, mode="a", **QUIET)
    assert number_in(path / inner.name) == number_in(inner)


@pytest.mark.parametrize("kind", backends.STORE_TYPES)
def test_an_entry_may_be_called_as_the_group_of_all_signals(kind: Any, path: Path) -> None:
    """It is no other file, whatever stands beside it."""
    inner = {"file_format": "ZSpy", "file_format_version": "3.3", "Experiments": {"a": {"b": 1}}}
    named = {"data": np.zeros(2), "axes": [{"size": 2}], "models": {"m": {"Experiments": inner}}}
    for number in range(3):
        metadata: dict[str, Any] = {"n": number, "Experiments": {"a": {}}, "x": inner}
        zspy.file_writer(path, {**named, "metadata": metadata}, store_type=kind, **QUIET)
    zspy.file_writer(path, {**named, "metadata": {"n": 4}}, write_dataset=False, **QUIET)
    assert zspy.check(path) == []
    assert zspy.file_reader(path)[0]["metadata"]["n"] == 4


def test_a_tree_may_have_a_group_that_is_called_as_that_of_all_signals(path: Path) -> None:
    tree = zspy.encode({"x": {"Experiments": {"a": {"b": 1}}}})
    for _ in range(2):
        zspy.commit(zspy.serialise(tree), path, overwrite=True)
    assert zspy.decode(zspy.open_group(path)) == {"x": {"Experiments": {"a": {"b": 1}}}}


def test_a_signal_may_be_called_as_the_group_of_all_signals(path: Path) -> None:
    named = {**signal(), "metadata": {"General": {"title": "Experiments"}}}
    for _ in range(2):
        zspy.file_writer(path, named, **QUIET)
    assert (path / "Experiments" / "Experiments").is_dir()


def folder_of_fsspec(folder: Path) -> FsspecStore:
    """Give a store whose keys are the files of a file system, as at ``sftp://``."""
    fsspec: Any = pytest.importorskip("fsspec")
    wrapper: Any = import_module("fsspec.implementations.asyn_wrapper")
    files = fsspec.filesystem(
        "dir", path=str(folder), fs=fsspec.filesystem("file", auto_mkdir=True)
    )
    return FsspecStore(wrapper.AsyncFileSystemWrapper(files, asynchronous=True), path="scan.zspy")


SHAPES: Final = ((), (3,), (3, 3))


@pytest.mark.parametrize("is_memory", [False, True])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("before", SHAPES)
@pytest.mark.parametrize("after", SHAPES)
def test_an_array_may_have_more_dimensions_than_the_one_before_where_keys_are_files(
    after: tuple[int, ...],
    before: tuple[int, ...],
    zarr_format: Literal[2, 3],
    is_memory: bool,
    tmp_path: Path,
) -> None:
    """A chunk was a file where a folder was to be: the file could not be written, or was lost."""
    name = f"{zarr_format}-{len(before)}-{len(after)}"
    place: Any = f"memory://{name}.zspy" if is_memory else folder_of_fsspec(tmp_path)
    for shape in (before, after):
        given: dict[str, Any] = {
            "data": np.full(shape, len(shape)),
            "axes": [{"size": size} for size in shape],
            "metadata": {"x": np.ones(shape)},
        }
        zspy.file_writer(place, given, zarr_format=zarr_format, chunks=False, **QUIET)
        (found,) = zspy.file_reader(place)
        assert cast("Any", found["metadata"])["x"].shape == shape
        np.testing.assert_array_equal(found["data"], given["data"])
    assert zspy.check(place, data=True) == []


def test_what_is_of_others_among_chunks_that_are_in_the_way_stays(tmp_path: Path) -> None:
    """It went with the folder of the chunks, in which one of the new array was to be."""
    from_array: Any = import_module("dask.array").from_array
    store = folder_of_fsspec(tmp_path)
    square = from_array(np.ones((4, 4)), chunks=2)
    zspy.file_writer(store, signal() | {"data": square, "axes": [{"size": 4}] * 2}, **QUIET)
    (theirs,) = tmp_path.glob("**/data/1")
    (theirs / "README").write_bytes(b"mine")
    row = signal() | {"data": from_array(np.ones(4), chunks=2), "axes": [{"size": 4}]}
    with pytest.raises(zspy.EncodeError, match=r"data/1/README: .* has no place"):
        zspy.file_writer(store, row, **QUIET)
    assert (theirs / "README").read_bytes() == b"mine"
    assert zspy.file_reader(store)[0]["data"].shape == (4, 4)


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize("before", [2, 3])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_of_others_among_chunks_has_no_place_where_one_becomes_a_file(
    zarr_format: Any, before: int, is_lazy: bool, is_link: bool, tmp_path: Path
) -> None:
    """It was left, with the old file, in a hidden folder of which nobody was told."""
    from_array: Any = import_module("dask.array").from_array
    path = tmp_path / "scan.zspy"
    how: dict[str, Any] = {"zarr_format": zarr_format, **QUIET}
    old = from_array(np.ones((4,) * before), chunks=2)
    axes = [{"size": 4}] * before
    zspy.file_writer(path, signal() | {"data": old, "axes": axes}, **how)
    folder = next(path.glob("**/data/**/0/0")).parent
    theirs = folder / "README"
    if is_link:
        theirs.symlink_to(tmp_path)
    else:
        theirs.write_bytes(b"mine")
    zspy.file_writer(path, signal() | {"data": old + 1, "axes": axes}, **how)
    assert os.path.lexists(theirs)
    row: Any = np.ones(4)
    if is_lazy:
        row = from_array(row, chunks=2)
    new = signal() | {"data": row, "axes": [{"size": 4}]}
    with pytest.raises(zspy.EncodeError, match=r"0/README: .* has no place"):
        zspy.file_writer(path, new, **how)
    assert os.path.lexists(theirs)
    assert zspy.file_reader(path)[0]["data"].shape == old.shape
    assert [*tmp_path.iterdir()] == [path]
    theirs.unlink()
    zspy.file_writer(path, new, **how)
    assert zspy.file_reader(path)[0]["data"].shape == (4,)


def test_what_fails_where_a_chunk_was_in_the_way_leaves_no_mix(tmp_path: Path) -> None:
    store = folder_of_fsspec(tmp_path)

    def failing(block: Any) -> Any:
        raise ZeroDivisionError(str(block))

    data = import_module("dask.array").from_array(np.ones((3, 3)), chunks=3)
    zspy.file_writer(store, signal() | {"data": np.ones(3)}, **QUIET)
    lazy: dict[str, Any] = {
        "data": data.map_blocks(failing, dtype=float, meta=np.empty((0, 0))),
        "axes": [{"size": 3}] * 2,
        "metadata": {"n": 2},
    }
    with pytest.raises(ZeroDivisionError):
        zspy.file_writer(store, lazy, **QUIET)
    assert number_in(store) == 1


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_an_error_of_the_disk_does_not_say_that_nothing_is_there(
    kind: Any, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "thesis"
    path.write_text("theirs", encoding="utf-8")
    real, looks = os.stat, 0

    def fails(place: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal looks
        looks += str(place) == str(path)
        if looks == number + 1 and str(place) == str(path):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(place))
        return real(place, *arguments, **options)

    monkeypatch.setattr(os, "stat", fails)
    with pytest.raises((zspy.ZspyError, OSError)):
        zspy.file_writer(path, signal(1), store_type=kind, **QUIET)
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == "theirs"
