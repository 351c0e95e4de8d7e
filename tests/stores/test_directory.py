"""A place holds the old file whole or the new one whole, and what is read never leaves it."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import gc
import os
import pickle
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, closing, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final, Literal, TypeAlias, cast

import lmdb
import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore, ZipStore

import zspy
from tests.support.places import DATABASES, FILES, IN_MEMORY, makes_folder, place_of
from zspy import EncodeError, FormatError, fetch
from zspy.documents.source import Given
from zspy.stores import (
    backends,
    base as stores_base,
    directory as _store,
    folders,
    replace as _moves,
    replace as stores_replace,
)
from zspy.stores.backends import (
    STORE_TYPES,
    StoreType,
    kind_of,
    located,
    opened,
    replacing,
)
from zspy.stores.directory import Directory, DirectorySink
from zspy.stores.folders import OpenHandle, open_below, remove_at
from zspy.stores.lmdb import LMDBStore
from zspy.stores.locking import name_beside
from zspy.stores.sqlite import SQLiteStore
from zspy.stores.zarr_store import MappingStore, each, store_of
from zspy.stores.zip import Zip, ZipSink, _inflated

commit: Final = partial(zspy.commit, overwrite=True)  # of trees that are no signals

Documents: TypeAlias = dict[str, bytes]

GROUP: Final = b'{"zarr_format":2}'
TREE: Final[Documents] = {
    ".zgroup": GROUP,
    ".zattrs": b'{"a": 1}',
    "b/.zgroup": GROUP,
    "b/c/.zarray": b"{}",
    "b/c/0/0": b"chunk",
    "b/c/0/1": b"another",
    "b/c/1/0": b"",
}
TREE3: Final[Documents] = {
    "zarr.json": b'{"attributes": {"node_type": "array"}}',
    "b/zarr.json": b"{}",
    "b/c/0/0": b"chunk",
    "c/zarr.json": b"{}",
    "c/c/0": b"chunk",
    "c/d/zarr.json": b"{}",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A Zarr group of somebody else, with a secret."""
    folder = tmp_path / "outside"
    commit({".zgroup": GROUP, ".zattrs": b"secret", "0": b"secret"}, folder)
    return folder


def descriptors() -> list[str]:
    """List the files that this process has open."""
    links: list[str] = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(links)


@pytest.fixture
def _all_closed(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [name for name in descriptors() if name.startswith(str(tmp_path))]


def always(value: object) -> Callable[..., object]:
    """Make a function that returns this whatever it is asked."""

    def give(*_: object, **__: object) -> object:
        return value

    return give


def read(place: Any) -> Documents:
    """Read all that a place holds, then close it."""
    file = opened(place)
    found = dict(file)
    file.close()
    return found


# --------------------------------------------------------------------------------------------------
# Any place

PLACES: Final[dict[str, tuple[Callable[[Path], Any], Any]]] = {
    **{kind: (lambda path: path, kind) for kind in STORE_TYPES},
    "a directory": (lambda path: path, None),
    "a directory, by name": (str, "local"),
    "an LMDB environment": (lambda path: lmdb.open(str(path)), None),
    "an SQLite store": (SQLiteStore, None),
    "a dictionary": (lambda _: {}, None),
    "a store over a mapping": (lambda _: MappingStore({}), None),
    "a MemoryStore": (lambda _: MemoryStore(), None),
    "a LocalStore": (LocalStore, None),
}


@pytest.mark.parametrize("tree", [TREE, TREE3], ids=["2", "3"])
@pytest.mark.parametrize("kind", PLACES)
def test_what_is_committed_is_fetched(kind: str, tree: Documents, path: Path) -> None:
    make, store_type = PLACES[kind]
    place = make(path)
    old = {"old/.zattrs": b"", "old/.zgroup": b"old", ".zgroup": b"old", "b/.zarray": b"x"}
    commit({**old, "b/7": b"stale"}, place, store_type=store_type)
    commit(tree.items(), place, store_type=store_type)
    found = fetch(place)
    assert found == tree
    assert len(found) == len(tree)
    assert "b/nothing" not in found
    assert found.get("b") is None
    file = opened(place)
    names = {".zgroup", ".zarray", "zarr.json"}
    assert sorted(file.nodes()) == sorted(key for key in tree if key.rpartition("/")[2] in names)
    assert sorted(file.below("b/c")) == sorted(key for key in tree if key[:4] == "b/c/")
    assert store_of(file) == store_of(file)
    assert not file.is_replaced()
    file.check()
    file.close()
    del found
    if hasattr(place, "close"):
        place.close()


def test_documents_are_fetched_before_the_first_is_committed(path: Path) -> None:
    commit(TREE, path)
    commit(fetch(path), path)
    commit(((key, data) for key, data in fetch(path).items()), path)
    assert read(path) == TREE


def test_a_path_of_bytes_is_one_where_an_object_says_so(path: Path) -> None:
    class Named:
        def __fspath__(self) -> bytes:
            return os.fsencode(path)

    commit(TREE, Named())
    assert read(path) == TREE
    assert dict(fetch(Named())) == TREE
    for content in (b"PK", bytearray(b"PK"), memoryview(b"PK")):
        with pytest.raises(
            EncodeError, match=r"as text \(os\.fsdecode\), or io\.BytesIO of a zip$"
        ):
            fetch(content)


def test_what_is_no_place_is_refused(path: Path) -> None:
    for place in (3, None, b"scan.zspy"):
        with pytest.raises(
            EncodeError,
            match=r"^filename: (an int|None|a bytes) is no place for a file; use a path",
        ):
            fetch(place)
        with pytest.raises(EncodeError, match="is no place for a file"):
            commit(TREE, place)
    with pytest.raises(FormatError, match="there is no such file"):
        fetch(path)
    path.write_bytes(b"no database")
    with pytest.raises(FormatError, match=r"and no \.zspy file"):
        fetch(path)
    with pytest.raises(EncodeError, match="store_type: 'n5' is no kind of store"):
        commit(TREE, path, store_type=cast("Any", "n5"))


def test_folders_far_below_are_not_opened_by_their_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree of some thousand levels would take a time that grows as their square."""
    path = tmp_path / "deep.zspy"
    levels = 300
    keys = {"/".join(["a"] * level + [".zgroup"]) for level in range(levels)}
    keys |= {"/".join(["a"] * level + ["b", ".zgroup"]) for level in range(levels)}
    for key in keys:
        (path / key).parent.mkdir(parents=True, exist_ok=True)
        (path / key).write_bytes(b'{"zarr_format":2}')
    (path / "/".join(["a"] * 200) / "c").symlink_to("a/b")
    lengths: list[int] = []

    def counted(folder: int, key: str, flags: int) -> int:
        lengths.append(len(key))
        return open_below(folder, key, flags)

    monkeypatch.setattr("zspy.stores.directory.open_below", counted)
    with closing(Directory(path)) as file:
        assert {*file.nodes()} == keys | {"/".join(["a"] * 200 + ["c", ".zgroup"])}
        assert sum(lengths) < 70 * len(lengths)
        below = "/".join(["a"] * 250)
        assert {*file.below(below)} == {key for key in keys if key.startswith(f"{below}/")}
        walk: Any = file.walk("")
        for _ in range(100):
            next(walk)
        before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
        walk.close()
        if sys.platform == "linux":
            assert len(os.listdir("/proc/self/fd")) < before


def test_an_ordinary_folder_is_not_searched(tmp_path: Path) -> None:
    """It may be the home of somebody: the answer comes at once, and names no file in it."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "loop").symlink_to("..")
    (tmp_path / "a" / ".zgroup").write_bytes(b"{}")
    with pytest.raises(FormatError, match=r"no Zarr group; name a \.zspy file") as error:
        zspy.file_reader(tmp_path)
    assert error.value.location == str(tmp_path)


def test_an_open_hdf5_file_is_no_place_for_a_file(tmp_path: Path) -> None:
    """It is a mapping, which would take the keys."""
    h5py: Any = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for place in (file, file.create_group("g")):
            for work in (fetch, partial(commit, TREE)):
                with pytest.raises(
                    EncodeError, match=r"no place for a file; give zspy\.write_hspy"
                ):
                    work(place)
        assert [*file] == ["g"]


@pytest.mark.parametrize("store_type", STORE_TYPES)
def test_a_file_has_a_name_and_lies_in_a_directory(
    store_type: StoreType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(TREE, "here.zspy", store_type=store_type)
    before = sorted(tmp_path.rglob("*"))
    no_folder, no_name = "there is no such directory; make it first", "; name a file"
    places: dict[Any, str] = {
        "": no_name,
        ".": no_name,
        "/": no_name,
        tmp_path / "nowhere" / "scan.zspy": no_folder,
        "here.zspy/nowhere/x": no_folder,
    }
    for place, problem in places.items():
        with pytest.raises(EncodeError, match=problem):
            commit(TREE, place, store_type=store_type)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("store_type", FILES)
def test_a_directory_that_is_no_zarr_group_is_not_replaced(
    store_type: StoreType, path: Path
) -> None:
    path.mkdir()
    commit(TREE, path, store_type=store_type)  # it was empty
    remove(path)
    path.mkdir()
    (path / "holiday.jpg").write_bytes(b"picture")
    with pytest.raises(EncodeError, match="there is no Zarr group; use another name"):
        commit(TREE, path, store_type=store_type)
    assert (path / "holiday.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize("store_type", [kind for kind in STORE_TYPES if kind in DATABASES])
def test_a_database_replaces_none_but_its_like(store_type: StoreType, path: Path) -> None:
    commit(TREE, path)
    with pytest.raises(EncodeError, match=f"something else than {store_type}; remove it first"):
        commit({}, path, store_type=store_type)
    assert read(path) == TREE


def remove(path: Path) -> None:
    """Remove a file or a folder, whatever lies there."""
    remove_at(str(path), None)


def failing(error: type[BaseException]) -> Iterator[tuple[str, bytes]]:
    yield ".zgroup", b"new"
    raise error("on purpose")


def fail_half_way(error: type[BaseException], place: Any, store_type: StoreType | None) -> None:
    with replacing(located(place), store_type, sync=True) as sink:
        sink.put({".zgroup": b"new", "a/b": b"c"}.items())
        raise error("on purpose")


@pytest.mark.parametrize("kind", PLACES)
def test_an_error_while_writing_leaves_the_old_file(kind: str, path: Path) -> None:
    make, store_type = PLACES[kind]
    place = make(path)
    if isinstance(place, MemoryStore):
        pytest.skip("it can only be written in place")
    for old in (None, TREE):
        if old is not None:
            commit(old, place, store_type=store_type)
        before = [name for name in os.listdir(path.parent) if not name.endswith(("-wal", "-shm"))]
        for error in (ValueError, KeyboardInterrupt):
            with pytest.raises(error, match="on purpose"):
                commit(failing(error), place, store_type=store_type)
            with pytest.raises(error, match="on purpose"):
                fail_half_way(error, place, store_type)
        after = [name for name in os.listdir(path.parent) if not name.endswith(("-wal", "-shm"))]
        assert sorted(after) == sorted(before)
    assert read(place) == TREE
    if hasattr(place, "close"):
        place.close()


def test_a_group_named_like_a_database_is_none(path: Path) -> None:
    commit({".zgroup": GROUP, "data.mdb/.zgroup": GROUP}, path)
    assert kind_of(path) == "local"
    LMDBStore(path.with_name("lmdb")).close()
    assert kind_of(path.with_name("lmdb")) == "lmdb"


def test_a_symbolic_link_is_written_through(path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    path.symlink_to("disk/scan.zspy")
    for _ in range(2):
        commit(TREE, path)
        assert path.is_symlink()
        assert read(tmp_path / "disk" / "scan.zspy") == TREE
        assert os.listdir(tmp_path / "disk") == ["scan.zspy"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_an_array_may_be_the_root(kind: StoreType, zarr_format: Literal[2, 3], path: Path) -> None:
    array = zspy.Array(np.arange(12.0).reshape(3, 4), {"a": 1}, chunks=(2, 2))
    commit(zspy.serialise(array, zarr_format=zarr_format), path, store_type=kind)
    assert zspy.deserialise(fetch(path)) == array


# --------------------------------------------------------------------------------------------------
# Directories: nothing leaves the root, and only regular files are read


def link_to(target: str) -> Callable[[Path, Path], None]:
    def make(entry: Path, outside: Path) -> None:
        entry.symlink_to(target.format(outside=outside))

    return make


def make_socket(entry: Path, _: Path) -> None:
    # a system takes no more than about 100 bytes for the address of a socket
    with chdir(entry.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(entry.name)


def make_device(entry: Path, _: Path) -> None:
    try:
        os.mknod(entry, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # zeros without end
    except PermissionError:
        pytest.skip("devices are made by the administrator")


def make_huge(entry: Path, _: Path) -> None:
    with entry.open("wb") as file:
        file.truncate(2**40)  # holes


BAD_ENTRIES: Final[dict[str, tuple[Callable[[Path, Path], None], str]]] = {
    "a link out of the file": (link_to("{outside}/.zattrs"), "a link that leaves the file"),
    "a relative link out of the file": (link_to("../../outside/0"), "a link that leaves"),
    "a link that leads nowhere": (link_to("nothing"), "cannot be read"),
    "a link to itself": (link_to("bad"), "cannot be read"),
    "a link to /dev/zero": (link_to("/dev/zero"), "a link that leaves the file"),
    "a pipe": (lambda entry, _: os.mkfifo(entry), "no regular file"),
    "a socket": (make_socket, "cannot be read"),
    "a device": (make_device, "no regular file"),
    "a file of a terabyte": (make_huge, "a document of 1099511627776 bytes"),
}


@pytest.mark.usefixtures("_all_closed")
@pytest.mark.parametrize("kind", BAD_ENTRIES)
def test_a_document_is_a_regular_file_inside_of_the_root(
    kind: str, path: Path, outside: Path
) -> None:
    make, message = BAD_ENTRIES[kind]
    commit({".zgroup": GROUP, "a/.zgroup": GROUP}, path)
    make(path / "a" / "bad", outside)
    file = Directory(path)
    for access in (lambda: file["a/bad"], lambda: store_of(file).get_sync("a/bad")):  # type: ignore[attr-defined]
        with pytest.raises(FormatError, match=message) as error:
            access()
        assert error.value.location == "a/bad"
    file.close()


def test_a_file_that_may_not_be_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    file = Directory(path)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        patch.setattr(_store, "open_below", refuse)
        with pytest.raises(FormatError, match=r"b/c/0/0: it cannot be read \(Permission denied\)"):
            file["b/c/0/0"]
        with pytest.raises(FormatError, match=r"it cannot be opened \(Permission denied\)"):
            Directory(path)
    with monkeypatch.context() as patch:
        patch.setattr(_store, "open_below", refuse)
        with pytest.raises(
            FormatError, match=rf"^{re.escape(str(path))}: it cannot be listed \(Permission"
        ):
            list(file)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(
            FormatError, match=rf"^{re.escape(str(path))}: it cannot be listed \(Permission"
        ):
            file.nodes()


def reading(key: str) -> Callable[[Directory], object]:
    def access(file: Directory) -> object:
        return file[key]

    return access


@pytest.mark.parametrize("target", ["{outside}", "../../outside", "../.."])
def test_a_linked_folder_outside_of_the_root_is_refused(
    target: str, path: Path, outside: Path
) -> None:
    commit(TREE, path)
    (path / "b" / "linked").symlink_to(target.format(outside=outside))
    for access in (Directory.nodes, list[str], reading("b/linked/0"), reading("b/linked/x/0")):
        with pytest.raises(FormatError, match=r"^b/linked.*: a link that leaves the file"):
            access(Directory(path))


def test_a_linked_chunk_folder_outside_of_the_root_is_refused(path: Path, outside: Path) -> None:
    commit(TREE, path)
    (path / "b/c/9").symlink_to(outside)
    for access in (Directory.nodes, list[str], reading("b/c/9/0")):
        with pytest.raises(FormatError, match="b/c/9: a link that leaves the file"):
            access(Directory(path))


@pytest.mark.parametrize("has_call", [True, False])
def test_links_inside_of_the_root_are_followed(
    has_call: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_call:
        monkeypatch.setattr(folders, "_openat2", always(None))
    commit(TREE, path)
    (path / "same").symlink_to("b/c")
    (path / "b/2").symlink_to(path / "b/c/0")
    (path / "b/c/1/1").symlink_to("../0/0")
    file = Directory(path)
    assert file["b/c/1/1"] == b"chunk"
    assert file["b/2/1"] == b"another"
    assert file["same/0/0"] == b"chunk"
    assert "same/.zarray" in file.nodes()
    assert "same/0/0" in set(file.below("same"))
    with pytest.raises(KeyError):
        file["same"]


@pytest.mark.skipif(sys.platform != "linux", reason="it is a call of Linux that follows them")
def test_the_paths_of_many_links_are_not_resolved_one_by_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call for each name from the root of the disk on, for each document behind a link."""
    commit(zspy.serialise(zspy.Group({}, {"a": zspy.Group({"b": 1})})), path)
    for number in range(10):
        (path / f"link{number}").symlink_to("a")
    monkeypatch.setattr(Directory, "_target", always(None))  # it would give no key
    tree = zspy.deserialise(fetch(path))
    assert isinstance(tree, zspy.Group)
    assert len(tree.members) == 11
    assert all(node.attributes == {"b": 1} for node in tree.members.values())


@pytest.mark.parametrize("name", [".zattrs", ".zgroup"])
def test_a_document_of_a_node_may_be_a_link_inside_of_the_root(path: Path, name: str) -> None:
    tree = zspy.Group({"a": 1}, {"b": zspy.Group({"long": "x" * 10_000})})
    commit(zspy.serialise(tree), path)
    (path / name).rename(path / "elsewhere")
    (path / name).symlink_to("elsewhere")
    assert zspy.deserialise(fetch(path)) == tree


def test_a_root_that_is_a_link_is_followed(path: Path) -> None:
    commit(TREE, path)
    path.with_name("link").symlink_to(path)
    assert read(path.with_name("link")) == TREE


def test_links_in_a_circle_end(path: Path) -> None:
    commit(TREE, path)
    for number in range(5):
        (path / "b" / f"round{number}").symlink_to("..")
    with pytest.raises(FormatError, match="a link behind a link"):
        list(fetch(path))
    with pytest.raises(FormatError, match="a link behind a link"):
        Directory(path).nodes()


@pytest.mark.parametrize(
    "key", ["../outside/0", "b/../../outside/0", "/etc/passwd", "b//c", "", "b/a\0b", "b/c\0"]
)
def test_a_key_never_leaves_the_root(key: str, path: Path, outside: Path) -> None:
    commit(TREE, path)
    with pytest.raises((FormatError, KeyError), match=r"leaves the file|^''$"):
        Directory(path)[key]
    for store_type in ("local", "zip"):
        with pytest.raises(EncodeError, match="a key that leaves the file") as error:
            commit({".zgroup": GROUP, key: b"broken out"}, path, store_type=store_type)
        assert error.value.location == key
    assert read(path) == TREE
    assert read(outside)["0"] == b"secret"
    assert sorted(os.listdir(path.parent)) == ["outside", "scan.zspy"]


def test_parts_of_files_are_read(path: Path) -> None:
    commit({".zgroup": GROUP, "a": bytes(range(100))}, path)
    file = Directory(path)
    for part in (
        slice(None),
        slice(3, 7),
        slice(90, 200),
        slice(95, None),
        slice(-4, None),
        slice(0),
    ):
        assert file.read("a", part) == bytes(range(100))[part]
    store = store_of(file)
    assert isinstance(store, MappingStore)
    assert store.read("a", slice(3, 7)) == bytes(range(3, 7))
    assert store.read("b") is None
    assert asyncio.run(store.get("b")) is None
    assert cast("Any", asyncio.run(store.get("a"))).to_bytes() == bytes(range(100))
    assert store.names() == [".zgroup", "a"] or store.names() == ["a", ".zgroup"]
    assert store.read_only
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301 - just written
    assert copy.read("a", slice(2)) == b"\0\1"


def test_a_read_that_the_system_cuts_short_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit({".zgroup": GROUP, "a": b"0123456789"}, path)
    whole = os.read

    def short(handle: int, size: int) -> bytes:
        return whole(handle, min(size, 3))

    monkeypatch.setattr(os, "read", short)
    assert Directory(path)["a"] == b"0123456789"
    assert Directory(path).read("a", slice(2, 9)) == b"2345678"


@pytest.mark.parametrize("kind", [*STORE_TYPES, "sqlite", *IN_MEMORY])
def test_documents_have_parts_and_a_size_wherever_they_lie(kind: str, path: Path) -> None:
    tree = {".zgroup": GROUP, "a": b"0123456789", "b": b"01"}
    place, how = place_of(kind, path)
    commit(tree, place, **how)
    with closing(opened(place)) as file:
        with pytest.raises(KeyError):
            file.read("c")
        assert file.read("a", slice(2, 5)) == b"234"
        assert file.read("a", slice(-3, None)) == b"789"
        assert file.read("b", slice(1, 9)) == b"1"
        assert file.size(["a", "b", "c"]) == 12


@pytest.mark.usefixtures("_all_closed")
def test_a_directory_that_was_replaced_is_known(path: Path) -> None:
    commit(TREE, path)
    first, second = Directory(path), Directory(path)
    assert not first.is_replaced()
    for _ in range(20):  # a file system gives the number of a removed directory to a new one
        commit(TREE, path)
        assert first.is_replaced()
        with pytest.raises(FormatError, match="the file was replaced while it was read; open it"):
            first.check()
    copy = pickle.loads(pickle.dumps(first))  # noqa: S301 - just written
    assert copy.is_replaced()
    remove(path)
    assert first.is_replaced()
    for file in (first, second, copy):
        file.close()
        file.close()


def test_a_directory_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be opened"):
        Directory(path)
    commit(TREE, path)
    file = Directory(path)
    remove(path)
    assert file.nodes() == []
    assert list(file) == []


def test_a_directory_collected_unclosed_lets_go(path: Path) -> None:
    commit(TREE, path)
    before = descriptors()
    file = Directory(path)
    assert len(descriptors()) == len(before) + 1
    del file
    assert descriptors() == before


# --------------------------------------------------------------------------------------------------
# Paths that are longer than the system takes

DEEP: Final = "/".join(["a folder with quite a long name"] * 200)


def deep_tree() -> Documents:
    tree = {".zgroup": GROUP, f"{DEEP}/.zarray": b"{}", f"{DEEP}/0": b"chunk"}
    return tree | {f"{DEEP[:-n]}/x" if n else f"{DEEP}/x": b"x" for n in (0,)}


@pytest.mark.usefixtures("_all_closed")
def test_a_zip_has_paths_of_any_length(path: Path) -> None:
    for _ in range(2):
        commit(deep_tree(), path, store_type="zip")
        assert read(path) == deep_tree()
        file = opened(path)
        assert f"{DEEP}/.zarray" in file.nodes()
        assert file.get(f"{DEEP}/nothing") is None
        file.close()
        assert os.listdir(path.parent) == ["scan.zspy"]


@pytest.mark.parametrize("key", [f"{DEEP}/0", f"{'x' * 256}/0", f"{'ä' * 128}/0"])
def test_a_path_that_the_system_does_not_take_is_refused_before_anything_is_written(
    key: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    monkeypatch.setattr(_store, "_opened_anew", None)
    with pytest.raises(EncodeError, match=r'longer than the system takes; .* store_type="zip"'):
        commit({".zgroup": GROUP, key: b""}, path)
    assert read(path) == TREE
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("key", [f"{'x/' * 4000}0", f"{'x' * 256}/0"])
def test_a_long_name_beside_the_nodes_of_a_zip_is_refused_for_a_directory(
    key: str, path: Path
) -> None:
    commit({**TREE, key: b"of somebody"}, path, store_type="zip")
    with (
        pytest.raises(EncodeError, match=r'longer than the system takes; .* store_type="zip"'),
        replacing(path, "local", False),
    ):
        pass
    assert os.listdir(path.parent) == [path.name]
    assert read(path)[key] == b"of somebody"


def test_a_document_that_vanishes_while_nodes_are_listed_is_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    (path / ".zgroup").unlink()
    folders: dict[str, bool] = {}
    files = {".zgroup": True, ".zattrs": True}
    monkeypatch.setattr(_store, "entries", always((folders, files)))
    file = Directory(path)
    assert file.nodes() == [".zgroup"]
    assert file[".zattrs"] == TREE[".zattrs"]
    with pytest.raises(KeyError):
        file[".zgroup"]


def test_names_longer_than_any_system_takes_are_no_documents(path: Path) -> None:
    commit(TREE, path)
    for key in (f"{'x' * 5000}/0", f"{DEEP}/0"):
        with pytest.raises(KeyError):
            Directory(path)[key]


def test_systems_without_relative_paths_are_given_whole_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows."""
    monkeypatch.setattr(_store, "HAS_DIR_FD", False)
    monkeypatch.setattr(folders, "HAS_DIR_FD", False)
    commit(TREE, path)
    before = descriptors()
    file = Directory(path)
    assert descriptors() == before
    assert dict(file) == TREE
    (path / "b/same").symlink_to("c")
    assert file["b/same/0/0"] == b"chunk"
    (path / "b/outside").symlink_to(path.parent)
    with pytest.raises(FormatError, match="a link that leaves the file"):
        list(file)
    file.close()
    (path / "b/outside").unlink()
    (path / "b/same").unlink()
    commit({**TREE, "b/c/0/1": b"another"}, path)
    assert dict(Directory(path)) == {**TREE, "b/c/0/1": b"another"}
    with replacing(path, None, sync=False) as sink:
        sink.keep(file, [("b/c/0/0", "0")])
    assert read(path) == {"0": b"chunk"}
    remove(path)
    assert file.nodes() == []
    assert os.listdir(path.parent) == []


def test_a_document_is_whole_where_the_system_takes_a_part_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.write

    def some(handle: int, data: bytes) -> int:
        return plain(handle, bytes(data[:7]))

    monkeypatch.setattr(os, "write", some)
    commit(TREE | {"b/c/2": bytes(range(50))}, path)
    assert read(path) == TREE | {"b/c/2": bytes(range(50))}


# --------------------------------------------------------------------------------------------------
# Removing


@pytest.mark.usefixtures("_all_closed")
def test_whatever_lies_there_is_removed(path: Path, outside: Path) -> None:
    remove(path)
    path.write_bytes(b"file")
    remove(path)
    path.symlink_to(outside)
    remove(path)
    commit(TREE, path)
    (path / "b" / "link").symlink_to(outside)
    os.mkfifo(path / "pipe")
    remove(path)
    assert os.listdir(path.parent) == ["outside"]
    assert len(read(outside)) == 3


def test_many_may_remove_the_same(path: Path) -> None:
    for _ in range(20):
        commit({f"{i}/{j}/{k}": b"" for i in range(4) for j in range(4) for k in range(4)}, path)
        threads = [threading.Thread(target=remove, args=(path,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not path.exists()


def test_what_cannot_be_removed_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(TREE, path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "unlink", refuse)
    remove(path)
    assert path.exists()


# --------------------------------------------------------------------------------------------------
# Zips


def test_equal_trees_are_equal_zips(path: Path) -> None:
    commit(TREE, path, store_type="zip")
    first = path.read_bytes()
    commit(TREE, path, store_type="zip")
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}


def test_no_key_is_written_twice_into_a_zip(path: Path) -> None:
    commit(TREE, path, store_type="zip")
    with pytest.raises(EncodeError, match="a: a key that is written twice"):
        _put_twice(path)
    assert read(path) == TREE


def _put_twice(path: Path) -> None:
    with replacing(path, "zip", sync=False) as sink:
        sink.put([("a", b"1")])
        sink.put([("a", b"2")])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_last_of_duplicate_entries_counts(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            archive.writestr(".zattrs", f"{number}")
    assert read(path) == {".zattrs": b"2"}


def test_names_that_leave_a_zip_are_not_there(path: Path) -> None:
    names = ["../a", "a/../../b", "/etc/passwd", "b//c", "./d", "folder/", "ok"]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    assert read(path) == {"d": b"./d", "ok": b"ok"}


def test_a_compressed_zip_is_read(path: Path) -> None:
    for number, method in enumerate((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a", bytes(1000 + number))
        assert read(path) == {"a": bytes(1000 + number)}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_more_of_a_compressed_zip_is_unpacked_than_is_asked_for(path: Path, method: int) -> None:
    """A kilobyte of bzip2 may hold a gigabyte, also where the zip says that it is some bytes."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a", bytes(2**25))
    file = Zip(path)
    info = file.infos["a"]
    packed = file.bytes_at(file.start_of(info), info.compress_size)
    for info.file_size in (2**25, 99):
        tracemalloc.start()
        try:
            assert _inflated(packed, info, 9) == bytes(9)
            assert tracemalloc.get_traced_memory()[1] < 2**24
        finally:
            tracemalloc.stop()
    file.close()


def spoilt(path: Path, *changes: tuple[int, bytes], central: bool = True, method: int = 0) -> None:
    """Write a zip of one entry, then change bytes of its header or of its central record."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a", b"0123456789" * 10)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") if central else 0
    for at, new in changes:
        data[start + at : start + at + len(new)] = new
    path.write_bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_entry_of_another_checksum_is_damaged(path: Path, method: int) -> None:
    spoilt(path, (16, b"\0\0\0\0"), method=method)
    with pytest.raises(FormatError, match=r"^a: .*Bad CRC-32"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(8, b"\1\0")], "the entry is encrypted"),
        ([(16, b"\0\0\0\0")], "Bad CRC-32"),
        ([(10, b"\x63\0")], "compression"),
        ([(20, struct.pack("<LL", 50, 100))], "the entry"),
        ([(20, struct.pack("<LL", 100, 50))], "the entry"),
        ([(42, struct.pack("<L", 1))], "the entry"),
        ([(24, b"\xff\xff\xff\x7f")], "the entry"),
    ],
    ids=["encrypted", "checksum", "method", "short", "long", "place", "huge"],
)
def test_a_damaged_entry_names_its_key(
    changes: list[tuple[int, bytes]], message: str, path: Path
) -> None:
    spoilt(path, *changes)
    with pytest.raises(FormatError, match=message) as error:
        fetch(path)["a"]
    assert error.value.location == "a"


def test_an_entry_that_claims_too_much_is_not_unpacked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores_base, "LARGEST", 99)
    commit({"a": bytes(100), "b": bytes(99)}, path, store_type="zip")
    with pytest.raises(FormatError, match="a: a document of 100 bytes"):
        fetch(path)["a"]
    assert fetch(path)["b"] == bytes(99)


@pytest.mark.usefixtures("_all_closed")
def test_a_zip_that_is_cut_short_is_refused(path: Path) -> None:
    commit(TREE, path, store_type="zip")
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            fetch(path)
    path.write_bytes(whole[:-22] + b"PK\5\6" + b"\xff" * 18)
    with pytest.raises(FormatError):
        fetch(path)
    with pytest.raises(FormatError, match="the zip cannot be opened"):
        Zip(path)


@pytest.mark.usefixtures("_all_closed")
@pytest.mark.parametrize("change", ["update", "add", "overwrite"])
def test_the_comment_of_a_zip_stays(change: str, path: Path) -> None:
    signal: Any = {"data": np.zeros(3), "axes": [{"size": 3}], "metadata": {}}
    zspy.file_writer(path, signal, store_type="zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"of the lab"
    if change == "update":
        zspy.update(path, {"a": 1})
    else:
        mode: Any = "a" if change == "add" else "w"
        zspy.file_writer(path, signal, store_type="zip", mode=mode)
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b"of the lab"


@pytest.mark.parametrize("place", ["name", "folder", "comment"])
def test_no_flip_in_the_directory_of_a_zip_hides_a_document(place: str, path: Path) -> None:
    group = {".zgroup": b"{}", "a/.zgroup": b"{}", "a/.zattrs": b"{}", "b/.zgroup": b"{}"}
    commit(group, path, store_type="zip")
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"a/.zattrs")
    at = {"name": entry + 2, "folder": entry, "comment": entry - 14}[place]
    data[at] ^= {"name": 1, "folder": 4, "comment": 46 + len("b/.zgroup")}[place]
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"name in directory|hides others"):
        zspy.file_reader(path)
    assert zspy.check(path, show_progressbar=False) != []


def test_an_entry_that_takes_the_name_of_another_is_refused(path: Path) -> None:
    group = {".zgroup": b"{}", "0/.zgroup": b"{}", "0/.zattrs": b"{}", "1/.zattrs": b"{}"}
    commit(group, path, store_type="zip")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"0/.zattrs")] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="name in directory"):
        zspy.file_reader(path)


def test_a_zip_that_is_closed_is_not_read(path: Path) -> None:
    commit(TREE, path, store_type="zip")
    file = Zip(path)
    file.close()
    file.close()
    with pytest.raises(FormatError, match="was already closed"):
        file[".zgroup"]


def test_a_zip_goes_to_another_process_unless_it_was_replaced(path: Path) -> None:
    commit(TREE, path, store_type="zip")
    file = Zip(path)
    text = pickle.dumps(store_of(file))
    copy = pickle.loads(text)  # noqa: S301 - just written
    assert copy.read(".zattrs") == TREE[".zattrs"]
    commit({}, path, store_type="zip")
    assert dict(file) == TREE
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        pickle.loads(text)  # noqa: S301


# --------------------------------------------------------------------------------------------------
# Whole replacement

each_kind = pytest.mark.parametrize("kind", FILES)


def leftovers(path: Path) -> list[str]:
    return [name for name in os.listdir(path.parent) if "zspy-new" in name]


@pytest.mark.parametrize("second", FILES)
@pytest.mark.parametrize("first", FILES)
@pytest.mark.parametrize("metadata", ["exchanged", "moved twice"])
def test_a_file_takes_the_place_of_any_other(
    first: StoreType, second: StoreType, metadata: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if metadata == "moved twice":
        monkeypatch.setattr(_moves, "exchange", always(False))
    commit({".zgroup": b"old"}, path, store_type=first)
    commit(TREE, path, store_type=second)
    assert read(path) == TREE
    assert path.is_dir() == makes_folder(second)
    assert os.listdir(path.parent) == [path.name]


def test_the_old_file_comes_back_where_the_new_one_cannot_take_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    replace = os.replace

    def refuse(old: str | Path, new: str | Path, **folders: Any) -> None:
        if Path(new) == path and not str(old).endswith("-old"):
            raise PermissionError(errno.EACCES, "on purpose")
        replace(old, new, **folders)

    monkeypatch.setattr(_moves, "exchange", always(False))
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match="on purpose"):
        commit({}, path)
    assert read(path) == TREE
    assert not leftovers(path)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "freebsd14"])
def test_an_exchange_is_asked_of_the_system(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    class Library:
        def renameat2(self, *arguments: Any) -> int:
            asked.append(arguments)
            return 0

        def renamex_np(self, *arguments: Any) -> int:
            asked.append(arguments)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", always(Library()))
    monkeypatch.setattr(sys, "platform", platform)
    found = _moves.exchange(tmp_path / "a", tmp_path / "b")
    monkeypatch.undo()
    a, b = os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b")
    wanted = {"linux": [(-100, a, -100, b, 2)], "darwin": [(a, b, 2)]}
    assert asked == wanted.get(platform, [])
    assert found == (platform == "linux")


@each_kind
def test_writing_brings_the_file_to_the_disk_first(
    kind: StoreType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    swap, fsync = _moves.swap, os.fsync

    def flushed(handle: int) -> int:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)
        return 0

    class Library:
        syncfs = staticmethod(flushed)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(ctypes, "CDLL", always(Library()))
    monkeypatch.setattr(_moves, "exchange", always(False))

    def swapped(new: Path, old: Path) -> Path | None:
        done.append("swap")
        return swap(new, old)

    monkeypatch.setattr(_moves, "swap", swapped)
    commit(TREE, path, store_type=kind, sync=False)
    assert done == ["swap"]
    commit(TREE, path, store_type=kind)
    assert done == ["swap", "folder" if makes_folder(kind) else "file", "swap", "folder"]


def test_a_disk_that_cannot_be_written_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def syncfs(self, _: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    commit(TREE, path)
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", always(Library()))
        with pytest.raises(OSError, match="the disk cannot be written") as error:
            commit({}, path)
    assert error.value.errno == errno.EIO
    assert read(path) == TREE
    assert not leftovers(path)


def test_systems_that_cannot_flush_one_file_system_flush_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(ctypes, "CDLL", always(object()))
    monkeypatch.setattr(os, "sync", lambda: done.append("sync"))
    commit(TREE, path)
    assert done == ["sync"]
    monkeypatch.setattr(os, "name", "nt")
    stores_replace.flush(path, everything=True)  # which cannot be done
    monkeypatch.undo()
    assert done == ["sync"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
@each_kind
def test_a_full_disk_leaves_the_old_file(kind: StoreType, path: Path) -> None:
    """The system writes what has room, and says so: nobody may take that for all."""
    commit(TREE, path, store_type=kind)
    code = (
        "import resource, sys, zspy\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "documents = {'.zgroup': b'{}', 'a': bytes(10000)}\n"
        "try: zspy.commit(documents, sys.argv[1], store_type=sys.argv[2], overwrite=True)\n"
        "except OSError as error: print(error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, kind],
        capture_output=True,
        check=True,
        text=True,
        env=environment(),
    )
    assert done.stdout.strip() == str(errno.EFBIG)
    assert read(path) == TREE
    assert not leftovers(path)


def environment() -> dict[str, str]:
    """Give the environment of another process, which measures nothing: it may be killed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    return kept | {"PYTHONPATH": str(Path(zspy.__file__).parents[1])}


@each_kind
def test_the_leftovers_of_killed_writers_are_removed(kind: StoreType, path: Path) -> None:
    commit(TREE, path, store_type=kind)
    mark = f".{path.name}.zspy-new-"
    path.with_name(f"{mark}0123456789ab").write_bytes(b"half a zip")
    (path.with_name(f"{mark}0123456789ac") / ("deep/" * 300)).mkdir(parents=True)
    path.with_name(f"{mark}0123456789ad").symlink_to(path)
    others = [path.with_name(name) for name in (".other.zspy-new-1", "scan.zspy-new-1", ".scan")]
    for other in others:
        other.write_bytes(b"")
    assert read(path) == TREE
    commit({".zgroup": b"new"}, path, store_type=kind)
    assert read(path) == {".zgroup": b"new"}
    assert sorted(os.listdir(path.parent)) == sorted([path.name, *(one.name for one in others)])


@each_kind
def test_what_a_living_writer_is_writing_is_left_alone(kind: StoreType, path: Path) -> None:
    with replacing(path, kind, sync=False) as slow:
        slow.put({".zgroup": b"slow"}.items())
        with replacing(path, kind, sync=False) as fast:
            fast.put({".zgroup": b"fast", "a": b""}.items())
        assert read(path) == {".zgroup": b"fast", "a": b""}
        slow.put({"b": b""}.items())
    assert read(path) == {".zgroup": b"slow", "b": b""}
    assert os.listdir(path.parent) == [path.name]


@each_kind
def test_a_writer_whose_file_is_taken_for_a_leftover_makes_another(
    kind: StoreType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_locked, names = stores_replace._is_locked, list[str]()

    def taken(lock: OpenHandle, name: str, folder: int | None) -> bool:
        assert folder is None
        new = Path(name)
        names.append(new.name)
        match len(names):
            case 1:  # the other is faster, and has not removed it yet
                return False
            case 2:  # it has
                remove(new)
            case 3:  # it does so now
                assert is_locked(lock, name, None)
                remove(new)
                return True
            case _:
                pass
        return is_locked(lock, name, None)

    monkeypatch.setattr(stores_replace, "_is_locked", taken)
    commit(TREE, path, store_type=kind)
    assert read(path) == TREE
    assert len(set(names)) == 4
    monkeypatch.undo()
    commit(TREE, path, store_type=kind)
    assert os.listdir(path.parent) == [path.name]


@each_kind
def test_windows_has_locks_of_its_own(
    kind: StoreType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = SimpleNamespace(locking=always(None), LK_NBLCK=2, LK_UNLCK=0)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    other = path.with_name(f".{path.name}.zspy-new-0123456789ab")
    other.write_bytes(b"somebody may be writing it")
    for _ in range(2):
        commit(TREE, path, store_type=kind)
        assert read(path) == TREE
    assert sorted(os.listdir(path.parent)) == sorted([path.name, other.name])


@each_kind
def test_files_are_written_where_there_are_no_locks(
    kind: StoreType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    signal: dict[str, Any] = {"data": np.arange(3), "axes": [{"size": 3}], "metadata": {}}
    with pytest.raises(EncodeError, match="this file system has no locks; use lock=False"):
        zspy.file_writer(path, signal, store_type=kind)
    assert os.listdir(path.parent) == []
    other = path.with_name(f".{path.name}.zspy-new-0123456789ab")
    other.write_bytes(b"somebody may be writing it")
    for _ in range(2):
        zspy.file_writer(path, signal, store_type=kind, lock=False)
        assert zspy.file_reader(path)[0]["data"].tolist() == [0, 1, 2]
    assert sorted(os.listdir(path.parent)) == sorted([path.name, other.name])


def test_a_long_name_leaves_room_for_the_new_one(tmp_path: Path) -> None:
    for name in ("x" * 255, "日" * 85):
        for kind in FILES:
            commit(TREE, tmp_path / name, store_type=kind)
            assert read(tmp_path / name) == TREE
        remove(tmp_path / name)
        assert os.listdir(tmp_path) == []


VERSIONS: Final = """
import os, random, signal, sys, time, zspy
path, kind, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])

def documents(number):
    text = str(number).encode()
    return {".zarray": text, **{f"{i}/{j}": text * 50 for i in range(9) for j in range(9)}}

def check():
    found = dict(zspy.fetch(path))
    number = int(found[".zarray"])
    assert found == documents(number), sorted(found)
    return number
"""
KILLED: Final = (
    VERSIONS
    + """
import itertools, zipfile
header = zipfile.ZipInfo.FileHeader

def noted(*arguments):
    sys.audit("os.write")
    return header(*arguments)

def commit_killed(number, step):
    '''Commit in a child, which kills itself at a step; tell whether it was killed.'''
    child = os.fork()
    if not child:
        left = [step]

        def count(event, _):
            if event == "open" or event.startswith("os."):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        zipfile.ZipInfo.FileHeader = noted
        sys.addaudithook(count)
        zspy.commit(documents(number), path, overwrite=True, store_type=kind, sync=False)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

zspy.commit(documents(0), path, overwrite=True, store_type=kind)
folder, name = os.path.split(path)
last, left = 0, 0
for step in itertools.count(1, rounds):
    killed = commit_killed(last + 1, step)
    found = check()
    assert found in (last, last + 1) and (killed or found == last + 1)
    left += len(os.listdir(folder)) > 1
    last = found + 1
    zspy.commit(documents(last), path, overwrite=True, store_type=kind, sync=False)
    assert os.listdir(folder) == [name]
    assert check() == last
    if not killed:
        break
print(step, left)
"""
)


@pytest.mark.kills
@each_kind
def test_a_writer_that_is_killed_leaves_a_whole_file(kind: StoreType, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path, kind, "7"],
        capture_output=True,
        check=False,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    last, left = map(int, done.stdout.split())
    assert last > 80  # each document is a step
    assert left > 5  # most were killed in the middle


RACE: Final = (
    VERSIONS
    + """
first = int(sys.argv[4])
for number in range(first, first + rounds):
    zspy.commit(documents(number), path, overwrite=True, store_type=kind, sync=False)
"""
)


@pytest.mark.parametrize("kinds", [("local", "local"), ("zip", "zip"), ("local", "zip")])
def test_of_two_writers_one_whole_file_wins(kinds: tuple[str, str], path: Path) -> None:
    commit({}, path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, path, kind, "15", str(1000 * number)], env=environment()
        )
        for number, kind in enumerate(kinds)
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert os.listdir(path.parent) == [path.name]
    text = read(path)[".zarray"]
    assert text in {b"14", b"1014"}
    chunks = {f"{i}/{j}": text * 50 for i in range(9) for j in range(9)}
    assert read(path) == {".zarray": text, **chunks}


# --------------------------------------------------------------------------------------------------
# What is kept of an old file


@each_kind
def test_documents_are_kept_under_new_keys(kind: StoreType, path: Path) -> None:
    commit(TREE, path, store_type=kind)
    old = opened(path)
    pairs = [(key, key.replace("b/c", "x/y")) for key in old.below("b/c")]
    numbers = {(path / key).stat().st_ino for key, _ in pairs} if kind == "local" else set[int]()
    with replacing(path, kind, sync=False) as sink:
        sink.keep(old, pairs)
        sink.put({".zgroup": GROUP, "x/.zgroup": GROUP}.items())
    old.close()
    wanted = {new: TREE[key] for key, new in pairs}
    assert read(path) == wanted | {".zgroup": GROUP, "x/.zgroup": GROUP}
    if kind == "local":
        assert {(path / new).stat().st_ino for _, new in pairs} == numbers


def test_documents_are_copied_where_they_cannot_be_linked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    (path / "b/c/7").symlink_to("0/0")
    with replacing(path, None, sync=False) as sink:  # what is linked is kept, not the link
        sink.keep(opened(path), [("b/c/7", "7")])
        sink.put({".zgroup": GROUP}.items())
    assert not (path / "7").is_symlink()
    assert read(path) == {".zgroup": GROUP, "7": b"chunk"}

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    with replacing(path, None, sync=False) as sink:
        sink.keep(opened(path), [("7", "a/8")])
        sink.keep(Given({"x": b"y"}), [("x", "z")])
    assert read(path) == {"7": b"chunk", "a/8": b"chunk", "z": b"y"}  # 7 is of no node


ARRAY: Final = b'{"shape": [1], "chunks": [1], "zarr_format": 2}'
NODES_BEFORE: Final = {
    ".zgroup": GROUP,
    "a/.zgroup": GROUP,
    "a/.zattrs": b'{"x": 1}',
    "same/.zgroup": GROUP,
    "same/.zattrs": b'{"x": 1}',
    "b/.zarray": ARRAY,
    "b/0": b"chunk",
    "c/.zarray": ARRAY,
    "c/0": b"before",
}
NODES_AFTER: Final = {
    **NODES_BEFORE,
    "a/.zattrs": b'{"x": 2}',
    "c/0": b"after",
    "d/.zgroup": GROUP,
}


def numbers_of(path: Path) -> dict[str, int]:
    """Give the number of each file."""
    return {key: (path / key).stat().st_ino for key in read(path)}


def test_nodes_that_are_as_they_were_are_linked_and_not_written(path: Path) -> None:
    commit(NODES_BEFORE, path)
    # Whoever reads the array has it open: files that are removed meanwhile keep their numbers.
    opened_files = [(path / key).open("rb") for key in NODES_BEFORE]
    before = numbers_of(path)
    commit(NODES_AFTER, path)
    after = numbers_of(path)
    for file in opened_files:
        file.close()
    assert read(path) == NODES_AFTER
    assert {key for key in before if before[key] == after[key]} == {
        ".zgroup",
        "same/.zgroup",
        "same/.zattrs",
        "b/.zarray",
        "b/0",
    }
    assert {(path / key).stat().st_nlink for key in NODES_AFTER} == {1}


def test_an_array_whose_chunks_are_written_later_is_another_one(path: Path) -> None:
    commit(NODES_BEFORE, path)
    with closing(opened(path)) as old:
        changed = old.watch("b/.zarray", ["b/0"])
        with replacing(path, None, sync=False) as sink:
            sink.put({".zgroup": GROUP, "b/.zarray": ARRAY}.items())
            sink.put([("b/0", b"chunk")])
        with pytest.raises(FormatError, match="was replaced"):
            changed()


def test_a_node_behind_a_link_is_written_and_not_linked(path: Path, tmp_path: Path) -> None:
    commit(NODES_BEFORE, path)
    (path / "same").rename(tmp_path / "outside")
    (path / "same").symlink_to(tmp_path / "outside")
    commit(NODES_BEFORE, path)
    assert read(path) == NODES_BEFORE
    assert not (path / "same").is_symlink()
    assert (path / "same/.zattrs").stat().st_nlink == 1


def test_nodes_are_written_where_they_cannot_be_linked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link_one(name: str, new: str, **more: Any) -> None:
        if name == ".zattrs":
            raise OSError(errno.EMLINK, "too many links")
        link(name, new, **more)

    link = os.link
    commit(NODES_BEFORE, path)
    monkeypatch.setattr(os, "link", link_one)
    commit(NODES_BEFORE, path)
    assert read(path) == NODES_BEFORE


# --------------------------------------------------------------------------------------------------
# Zarr stores, which are written in place


class Recorded(MemoryStore):
    """A store that remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []

    async def set(self, key: str, value: Any, byte_range: tuple[int, int] | None = None) -> None:
        self.calls.append(("set", key))
        await super().set(key, value, byte_range)

    async def delete(self, key: str) -> None:
        self.calls.append(("delete", key))
        await super().delete(key)

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.calls.append(("get", key))
        return await super().get(key, *arguments, **options)


def test_a_store_is_no_file_until_it_is_whole() -> None:
    """Without the document of its root nothing is read."""
    store = Recorded()
    commit({".zgroup": GROUP, "a/.zgroup": GROUP, "stale/.zgroup": b""}, store)
    assert store.calls[-1] == ("set", ".zgroup")
    store.calls.clear()
    commit(TREE, store)
    assert next(call for call in store.calls if call[0] != "get") == ("delete", ".zgroup")
    assert store.calls[-1] == ("set", ".zgroup")
    assert read(store) == TREE
    with suppress(ValueError), replacing(store, None, sync=False) as sink:
        sink.put({".zgroup": GROUP, "x/.zgroup": GROUP}.items())
        assert ".zgroup" not in read(store)
        raise ValueError
    assert read(store) == TREE


def test_what_a_store_keeps_stays_where_it_is() -> None:
    store = Recorded()
    commit(TREE, store)
    store.calls.clear()
    with replacing(store, None, sync=False) as sink:
        sink.keep(opened(store), [("b/c/0/0", "b/c/0/0"), ("b/c/0/1", "x")])
        sink.put({".zgroup": b"new"}.items())
    assert read(store) == {".zgroup": b"new", "b/c/0/0": b"chunk", "x": b"another"}
    assert ("set", "b/c/0/0") not in store.calls
    assert ("delete", "b/c/0/0") not in store.calls


def test_the_nodes_of_a_store_are_read_in_one_sweep() -> None:
    store = Recorded()
    commit(TREE, store)
    store.calls.clear()
    file = opened(store)
    assert file["b/c/0/0"] == b"chunk"
    with pytest.raises(KeyError):
        file["b/c/9/9"]
    store.calls.clear()
    file.nodes()
    wanted = [".zgroup", ".zattrs", "b/.zgroup", "b/c/.zarray"]
    assert sorted(store.calls) == sorted(("get", key) for key in wanted)
    assert file.get("b/.zattrs") is None
    assert [file[key] for key in wanted] == [TREE[key] for key in wanted]
    assert len(store.calls) == len(wanted)
    assert file["b/c/0/1"] == b"another"
    asyncio.run(store.delete("b/c/0/0"))
    with pytest.raises(KeyError):
        file["b/c/0/0"]


def test_a_store_that_was_given_is_not_closed(path: Path) -> None:
    with SQLiteStore(path) as store:
        commit(TREE, store)
        opened(store).close()
        assert store.read(".zgroup") == GROUP
        assert store._database is not None
    assert kind_of(path) == "sqlite"
    file = opened(path)
    assert dict(file) == TREE
    inner = cast("SQLiteStore", store_of(file))
    file.close()
    assert inner._database is None


@pytest.mark.parametrize(
    "place",
    [MemoryStore(read_only=True), MappingProxyType(dict[str, bytes]())],
    ids=["a store", "a mapping"],
)
def test_what_is_read_only_is_not_written(place: Any) -> None:
    with pytest.raises(EncodeError, match="filename: the store is read-only; open it for writing"):
        commit(TREE, place)


def test_a_new_zip_store_is_written(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        commit(TREE, store)
    assert read(path) == TREE
    with ZipStore(path, mode="r") as store:
        assert read(store) == TREE


def test_a_mapping_is_read_as_it_is() -> None:
    mapping: Mapping[str, bytes] = MappingProxyType(TREE)
    assert fetch(mapping) == TREE
    assert sorted(opened(mapping).below("b/c/0")) == ["b/c/0/0", "b/c/0/1"]
    assert cast("MappingStore", store_of(opened(mapping))).read("b/c/0/0", slice(1, 3)) == b"hu"


# --------------------------------------------------------------------------------------------------
# zarr-python reads what is written


def test_zarr_reads_through_the_store_of_an_open_file(path: Path) -> None:
    import zarr

    documents = dict(zspy.serialise(zspy.Group({"a": 1}, {"x": zspy.Array(np.arange(5))})))
    for kind in FILES:
        commit(documents, path, store_type=kind)
        file = opened(path)
        group = cast("Any", zarr).open_group(store_of(file), mode="r")
        assert dict(group.attrs) == {"a": 1}
        assert group["x"][1:3].tolist() == [1, 2]
        file.close()
        shutil.rmtree(path) if makes_folder(kind) else path.unlink()


# --------------------------------------------------------------------------------------------------
# Small things


@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
def test_a_file_tells_the_sizes_of_its_documents(kind: str, path: Path) -> None:
    place, how = place_of(kind, path)
    commit(TREE, place, **how)
    with closing(opened(place)) as file:
        assert dict(file.sizes()) == {key: len(document) for key, document in TREE.items()}


def test_a_copy_of_a_new_directory_writes_to_it(path: Path) -> None:
    path.mkdir()
    copy: DirectorySink = pickle.loads(pickle.dumps(DirectorySink(path)))  # noqa: S301 - just written
    copy.put([("a/0", b"chunk")])
    assert (path / "a/0").read_bytes() == b"chunk"


def test_a_long_key_is_taken_where_the_system_tells_no_limit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pathconf")
    path.mkdir()
    sink = DirectorySink(path)
    key = "/".join(["a" * 50] * 3)
    sink.put([(key, b"chunk")])
    assert read(path) == {key: b"chunk"}
    with pytest.raises(EncodeError, match="longer than the system takes"):
        sink.put([("/".join(["a" * 200] * 200), b"")])


def test_what_lies_behind_a_link_is_copied_and_not_linked(path: Path, tmp_path: Path) -> None:
    commit(TREE, path)
    (path / "link").symlink_to("b")
    new = tmp_path / "new"
    new.mkdir()
    DirectorySink(new).keep(Directory(path), [("link/c/0/0", "x/0")])
    assert (new / "x/0").read_bytes() == b"chunk"
    assert (new / "x/0").stat().st_nlink == 1


def test_a_zip_that_may_not_be_read_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    commit(TREE, path, store_type="zip")
    monkeypatch.setattr("zspy.stores.zip.open", refuse, raising=False)
    with pytest.raises(PermissionError):
        Zip(path)


def test_an_entry_whose_name_is_in_another_encoding_gets_a_new_header(
    path: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("é", b"chunk")
    data = bytearray(path.read_bytes())
    for begin, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(begin) + at + 1] &= ~0x08 & 0xFF  # the flag of UTF-8
    path.write_bytes(data)
    new = tmp_path / "new.zip"
    new.touch()
    with closing(Zip(path)) as file, closing(ZipSink(new)) as sink:
        (key,) = file
        assert key == "├⌐"
        sink.keep(file, [(key, key)])
    assert read(new) == {"├⌐": b"chunk"}


def test_a_directory_that_moves_while_it_is_opened_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    moved = path.with_name("moved")
    path.rename(moved)
    places = iter([moved, path])

    def present(place: Path) -> Path:
        found = next(places, place)
        if found == path and moved.exists():
            moved.rename(path)
        return found

    monkeypatch.setattr("zspy.stores.backends.present", present)
    with closing(opened(path)) as file:
        assert dict(file) == TREE
        assert file.root == str(path)


def test_a_directory_that_another_thread_closes_is_read_to_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of its open folder is given to nobody else meanwhile."""
    commit(TREE, path)
    file = Directory(path)
    real = open_below

    def closing_before(handle: int, key: str, flags: int) -> int:
        file.close()
        return real(handle, key, flags)

    monkeypatch.setattr(_store, "open_below", closing_before)
    key = next(iter(TREE))
    assert file[key] == TREE[key]


def test_an_empty_zip_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    with zipfile.ZipFile(path, "w"):
        pass
    for read in (zspy.file_reader, zspy.open_group):
        with pytest.raises(FormatError, match="there is no"):
            read(path)


@pytest.fixture
def linked(path: Path, tmp_path: Path) -> Path:
    """A file in a cache: each document and each chunk is a link to what lies elsewhere."""
    axes = [{"name": "y", "size": 4}, {"name": "x", "size": 6}]
    signal = {"data": np.arange(24).reshape(4, 6), "axes": axes, "metadata": {"a": 1}}
    zspy.file_writer(path, signal, chunks=(2, 3))
    (tmp_path / "blobs").mkdir()
    for number, one in enumerate([*path.rglob("*")]):
        if one.is_file():
            blob = tmp_path / "blobs" / str(number)
            one.rename(blob)
            one.symlink_to(os.path.relpath(blob, one.parent))
    return path


@pytest.mark.usefixtures("_all_closed")
@pytest.mark.parametrize("has_dir_fd", [True, False])
def test_links_are_followed_to_regular_files_where_that_is_asked_for(
    linked: Path, monkeypatch: pytest.MonkeyPatch, has_dir_fd: bool
) -> None:
    monkeypatch.setattr(_store, "HAS_DIR_FD", has_dir_fd)
    with pytest.raises(FormatError, match=r'leaves the file; .*, or read it with links="follow"'):
        zspy.file_reader(linked)
    whole = np.arange(24).reshape(4, 6)
    (found,) = zspy.file_reader(linked, links="follow", missing="raise")
    np.testing.assert_array_equal(found["data"], whole)
    (lazy,) = zspy.file_reader(linked, lazy=True, links="follow", missing="raise")
    data: Any = pickle.loads(pickle.dumps(lazy["data"]))  # noqa: S301 - its own bytes
    np.testing.assert_array_equal(data.compute(scheduler="synchronous"), whole)
    assert zspy.check(linked)
    assert zspy.check(linked, data=True, links="follow") == []
    group = zspy.open_group(linked, links="follow")
    assert group.attributes["file_format"] == "ZSpy"
    with pytest.raises(EncodeError, match=r"links: 'maybe' is no choice|^links"):
        zspy.file_reader(linked, links="maybe")  # type: ignore[arg-type]
    del lazy, data, group
    gc.collect()  # what is lazy keeps its file open, and is part of a cycle


def test_xarray_follows_links_where_that_is_asked_for(linked: Path) -> None:
    xarray: Any = pytest.importorskip("xarray")
    with xarray.open_dataset(linked, engine="zspy", links="follow") as dataset:
        (array,) = dataset.values()
        np.testing.assert_array_equal(array.values, np.arange(24).reshape(4, 6))


def test_commands_follow_links_where_that_is_asked_for(
    linked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run: Any = pytest.importorskip("zspy.apps.cli").main
    path = str(linked)
    for command in ("info", "tree", "check"):
        assert run([command, path]) != 0
        assert run([command, path, "--links", "follow"]) == 0
    copy = str(tmp_path / "copy.zspy")
    assert run(["convert", path, copy, "--links", "follow", "--verify"]) == 0
    assert run(["diff", path, copy, "--links", "follow"]) == 0
    assert "leaves the file" in capsys.readouterr().err


@pytest.mark.usefixtures("_all_closed")
def test_a_writer_follows_no_link(linked: Path) -> None:
    before = {one: one.read_bytes() for one in linked.parent.rglob("*") if one.is_file()}
    (found,) = zspy.file_reader(linked, links="follow")
    changed: Any = found | {"metadata": {"a": 2}}
    writes: list[Callable[[], object]] = [
        lambda: zspy.file_writer(linked, changed, write_dataset=False),
        lambda: zspy.file_writer(linked, changed, mode="a"),
        lambda: zspy.update(linked, {"a": 2}),
    ]
    for write in writes:
        with pytest.raises(FormatError, match="a link that leaves the file"):
            write()
    assert before == {one: one.read_bytes() for one in linked.parent.rglob("*") if one.is_file()}


FOLLOWED_TO: Final[dict[str, Callable[[Path], object]]] = {
    "nothing": lambda _: None,
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a device": lambda entry: entry.symlink_to("/dev/zero"),
}


@pytest.mark.usefixtures("_all_closed")
@pytest.mark.parametrize("kind", FOLLOWED_TO)
def test_what_a_link_leads_to_is_a_regular_file(kind: str, linked: Path, tmp_path: Path) -> None:
    chunk = next(linked.rglob("data/0/0"))
    chunk.unlink()
    chunk.symlink_to(tmp_path / "target")
    FOLLOWED_TO[kind](tmp_path / "target")
    said = "put the folder" if kind == "a folder" else "it leads to no regular file: get what"
    with pytest.raises(FormatError, match=f"leaves the file; {said}"):
        zspy.file_reader(linked, links="follow")


@pytest.mark.parametrize("links", ["refuse", "follow"])
@pytest.mark.parametrize("inside", ["", "/map", "/map/data"], ids=["all", "signal", "data"])
def test_a_link_to_a_folder_has_a_remedy_that_helps(
    links: Any, inside: str, tmp_path: Path
) -> None:
    """To follow links was advised, which follows those to files only."""
    path, elsewhere = tmp_path / "scan.zspy", tmp_path / "elsewhere"
    metadata = {"General": {"title": "map"}}
    zspy.file_writer(path, {"data": np.zeros(3), "axes": [], "metadata": metadata})
    folder = path / f"Experiments{inside}"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    with pytest.raises(FormatError, match=rf"Experiments{inside}: .*; put the folder itself there"):
        zspy.file_reader(path, links=links)
    folder.unlink()
    elsewhere.rename(folder)
    assert zspy.file_reader(path, links=links)[0]["data"].shape == (3,)


@pytest.mark.usefixtures("_all_closed")
def test_a_linked_folder_is_not_followed_out_of_the_file(linked: Path, tmp_path: Path) -> None:
    folder = next(linked.rglob("data/0"))
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    with pytest.raises(FormatError, match=r"data/0.*: a link that leaves the file"):
        zspy.file_reader(linked, links="follow")


def test_a_zip_file_that_is_a_link_needs_no_option(tmp_path: Path) -> None:
    signal: Any = {"data": np.arange(3), "axes": [{"size": 3}], "metadata": {}}
    zspy.file_writer(tmp_path / "blob", signal, store_type="zip")
    (tmp_path / "a.zspy").symlink_to("blob")
    assert zspy.file_reader(tmp_path / "a.zspy")[0]["data"].tolist() == [0, 1, 2]


def test_a_node_of_which_some_files_cannot_be_linked_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may let nobody link a file of somebody else, beside one that may be linked."""
    documents = {".zgroup": GROUP, ".zattrs": b'{"a": 1}', "b/.zgroup": GROUP}
    commit(documents, path)
    link = os.link
    linked: list[str] = []

    def refuse(name: Any, *more: Any, **options: Any) -> None:
        if name == ".zattrs":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        linked.append(name)
        link(name, *more, **options)

    monkeypatch.setattr(os, "link", refuse)
    commit(documents, path, overwrite=True)
    assert linked
    assert dict(fetch(path)) == documents


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_empty_folders_that_a_store_leaves_are_no_damage(zarr_format: int, path: Path) -> None:
    """A store that removes keys only leaves the folders of chunks, which say nothing."""
    options: dict[str, Any] = {"zarr_format": zarr_format, "chunks": (1, 2), "sync": False}
    axes = [{"name": "y"}, {"name": "x"}]
    signals: list[Any] = [
        {"data": np.ones((2, 2)), "axes": axes, "metadata": {"General": {"title": title}}}
        for title in "ab"
    ]
    zspy.file_writer(path, signals, show_progressbar=False, **options)
    for file in (path / "Experiments" / "b").rglob("*"):
        if file.is_file():
            file.unlink()
    assert len(zspy.file_reader(path)) == 1
    zspy.file_writer(path, signals, show_progressbar=False, **options)
    for name in (".zarray", "zarr.json"):
        (path / "Experiments" / "b" / "data" / name).unlink(missing_ok=True)
    with pytest.raises(FormatError, match="the document of a node is missing"):
        zspy.file_reader(path)


@pytest.mark.skipif(not folders.HAS_DIR_FD, reason="no system call takes an open folder")
@pytest.mark.parametrize("is_old", [False, True])
def test_a_link_in_the_place_of_the_new_folder_is_not_followed(
    is_old: bool, tmp_path: Path
) -> None:
    """Whoever may write in the folder around it can rename it meanwhile."""
    path, theirs = tmp_path / "scan.zspy", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "0").write_bytes(b"old")
    if is_old:
        commit(TREE, path)
    with suppress(OSError), _store.replacing(path, False, None) as sink:
        (new,) = tmp_path.glob(".scan.zspy.zspy-new-*")
        new.rename(tmp_path / "away")
        new.symlink_to(theirs)
        sink.put([("0", b"new"), ("a/b/0", b"1"), ("a/b/0", b"2")])
        sink.put_chunks([("a/c/0", [b"1", b"2"])])
        sink.keep(Given({"d": b"3"}), [("d", "d")])
    assert (theirs / "0").read_bytes() == b"old"
    assert os.listdir(theirs) == ["0"]


def test_a_link_that_leads_to_itself_is_no_obstacle(path: Path) -> None:
    """It goes with the file that it is in: nothing of that is left beside the new one."""
    commit(TREE, path)
    (path / "b/c/0/loop").symlink_to("loop")
    (path / "b/loop").symlink_to("loop")
    with closing(opened(path)) as file:
        assert file["b/c/0/0"] == TREE["b/c/0/0"]
        assert set(file.nodes()) == {".zgroup", "b/.zgroup", "b/c/.zarray"}
        with pytest.raises(FormatError, match="b/loop"):
            file.read("b/loop")
    commit(TREE, path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.usefixtures("_all_closed")
def test_a_folder_that_only_seems_to_be_a_database_is_closed(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(b"no database")
    with pytest.raises(FormatError, match="neither a file nor a folder"):
        opened(path)


@pytest.mark.parametrize("of", ["store", "group", "inner group"])
def test_a_directory_that_is_open_for_reading_is_not_written(of: str, path: Path) -> None:
    commit(TREE, path)
    store = LocalStore(path.parent if of == "inner group" else path, read_only=True)
    place: Any = store
    if of != "store":
        place = cast("Any", zarr).open_group(
            store, path=path.name if of == "inner group" else "", mode="r"
        )
    assert read(place) == TREE
    refused = partial(pytest.raises, EncodeError, match="the store is read-only; open it for")
    with refused():
        commit(TREE3, place)
    with refused():
        zspy.file_writer(place, {"data": np.zeros(3), "axes": [{"size": 3}], "metadata": {}})
    assert read(path) == TREE


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("moment", ["moved away", "moved back", "replaced", "opened late"])
def test_a_file_is_found_whenever_it_is_renamed(
    moment: str, kind: StoreType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a system exchanges no two files, the old one is beside its place for a moment."""
    commit(TREE, path, store_type=kind)
    beside = path.with_name(name_beside(path, "zspy-old"))
    if moment == "moved back":
        path.rename(beside)
    find = backends.backend_of
    late = moment == "opened late"

    def rename() -> None:
        monkeypatch.setattr(backends, "backend_of", find)
        if moment == "moved back":
            beside.rename(path)
            return
        path.rename(beside)
        if moment == "replaced":
            shutil.copytree(beside, path) if makes_folder(kind) else shutil.copy(beside, path)

    def finding(place: Path) -> Any:
        found = find(place) if late else None
        rename()
        return found if late else find(place)

    monkeypatch.setattr(backends, "backend_of", finding)
    assert read(path) == TREE


def test_a_signal_that_interrupts_an_opening_is_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(TREE, path)
    with closing(Directory(path)) as file:

        def interrupted(*_: object) -> int:
            ctypes.set_errno(errno.EINTR)
            return -1

        monkeypatch.setattr(folders, "_openat2", always((interrupted, b"")))
        assert dict(file) == TREE


def test_many_items_have_few_tasks() -> None:
    most = 0

    async def step(key: str) -> str:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        return key * 2

    keys = [f"{number}" for number in range(1000)]
    assert asyncio.run(each(step, keys)) == [key * 2 for key in keys]
    assert most < 100


def test_an_array_that_lost_a_chunk_is_another_one_for_its_readers(path: Path) -> None:
    """They would take the chunk for one that was never written."""
    array = {".zgroup": GROUP, "a/.zarray": b'{"shape": [2]}', "a/0": b"0"}
    commit(array | {"a/1": b"1"}, path)
    with closing(opened(path)) as file:
        check = file.watch("a/.zarray", ["a/0", "a/1"])
        commit(array, path)
        with pytest.raises(FormatError, match="was replaced while it was read"):
            check()
    assert read(path) == array
