"""Places of every kind: an interrupted write is told, what is far is read at once."""

from __future__ import annotations

import dbm.dumb
import errno
import json
import os
import pickle
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import obstore
import pytest
import zarr
from zarr.buffer import cpu
from zarr.storage import FsspecStore, LocalStore, MemoryStore, ObjectStore, WrapperStore, ZipStore

import zspy
from tests.support.cost import calls
from tests.support.places import DATABASES, IN_MEMORY, place_of
from tests.support.signals import version_of
from zspy import EncodeError, FormatError, commit, fetch
from zspy.apps.cli import main
from zspy.documents.consolidated import consolidated, expanded, is_readable
from zspy.documents.source import Given
from zspy.stores import (
    backends as stores_backends,
    replace as _moves,
    zarr_store as _remote,
    zip as _zips,
)
from zspy.stores.backends import (
    STORE_TYPES,
    changing,
    following,
    kind_of,
    located,
    opened,
    replacing,
)
from zspy.stores.base import spread
from zspy.stores.dbm import DBMStore
from zspy.stores.zarr_store import MappingStore, store_of

FORMATS: Final = (2, 3)
QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
both_formats = pytest.mark.parametrize("zarr_format", FORMATS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


signal_of = partial(version_of, sub={"a": "b"})


def write(place: Any, number: int, title: str = "t", **options: Any) -> None:
    zspy.file_writer(place, signal_of(number, title), **{**QUIET, **options})


def versions(place: Any, **options: Any) -> list[int]:
    """Read a file; each signal in it has to be of one version."""
    found: list[int] = []
    for signal in zspy.file_reader(place, **options):
        number = cast("Any", signal["metadata"])["n"]
        assert signal["metadata"]["list"] == [number] * 3
        assert (np.asarray(signal["data"]) == number).all()
        found.append(number)
    return found


# --------------------------------------------------------------------------------------------------
# What is written in place is a file only when it is whole


class Stop(Exception):  # noqa: N818
    """The end of the process."""


class Mortal(MutableMapping[str, bytes]):
    """A mapping whose process ends before a change."""

    def __init__(self) -> None:
        self.inner: dict[str, bytes] = {}
        self.left = 10**9

    def _step(self) -> None:
        if not self.left:
            raise Stop
        self.left -= 1

    def __getitem__(self, key: str) -> bytes:
        return self.inner[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._step()
        self.inner[key] = value

    def __delitem__(self, key: str) -> None:
        self._step()
        del self.inner[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


class MortalStore(WrapperStore[MemoryStore]):
    """A store whose process ends before a change."""

    left = 10**9

    def _step(self) -> None:
        if not self.left:
            raise Stop
        self.left -= 1

    async def set(self, key: str, value: Any) -> None:
        self._step()
        await super().set(key, value)

    async def delete(self, key: str) -> None:
        self._step()
        await super().delete(key)


@pytest.mark.parametrize("options", [{}, {"mode": "a"}, {"write_dataset": False}], ids=str)
@pytest.mark.parametrize("make", [Mortal, lambda: MortalStore(MemoryStore())], ids=["map", "store"])
@both_formats
def test_an_interrupted_write_is_told_and_never_read_as_whole(
    make: Callable[[], Any], options: dict[str, Any], zarr_format: Literal[2, 3]
) -> None:
    told = 0
    for step in range(10**6):
        place: Any = make()
        write(place, 1, zarr_format=zarr_format)
        place.left = step
        title = "t" if "mode" in options else "u"
        if "write_dataset" in options:
            update = signal_of(1, title)
            update["metadata"]["new"] = 2
        else:
            update = signal_of(2, title)
        new = [signal_of(1)["metadata"]] * ("mode" in options) + [update["metadata"]]
        try:
            zspy.file_writer(place, update, zarr_format=zarr_format, **QUIET, **options)
        except zspy.FormatError as stopped:
            cause = stopped.__cause__
            assert isinstance(cause, Stop)
            place.left = 10**9
            try:
                found = [signal["metadata"] for signal in zspy.file_reader(place)]
            except FormatError as error:
                told += "writing was interrupted, or" in str(error)
            else:  # all of the old one, or of the new one but for its consolidated document
                assert found in ([signal_of(1)["metadata"]], new)
            write(place, 3, zarr_format=zarr_format)
            assert versions(place) == [3]
        else:
            assert step > told > 10
            break


KILL: Final = """
import os, signal, sys, zspy
from zspy.stores.base import spread
from zspy.stores.dbm import DBMStore
path, step = sys.argv[1], int(sys.argv[2])
def count(event, arguments):
    global step
    if event in {"open", "os.rename", "os.remove"} and path in str(arguments[0]):
        step -= 1
        if step < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
documents = {".zgroup": b"new", **{str(n): b"new" * 300 for n in range(5)}}
with DBMStore(path, module="dbm.dumb") as store:
    store.replace(documents.items())
"""


get_mapper: Final[Any] = import_module("fsspec").get_mapper


def a_false(*_: object) -> bool:
    return False


def no_memory(*_: object, **__: object) -> object:
    raise MemoryError


def an_import(*_: object, **__: object) -> object:
    return import_module("fsspec")


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    return kept | {"PYTHONPATH": str(Path(zspy.__file__).parents[1])}


@pytest.mark.kills
def test_a_dbm_of_several_files_is_whole_at_each_moment(path: Path) -> None:
    old = {".zgroup": b"old", **{str(n): b"old" * 100 for n in range(5)}}
    new = {".zgroup": b"new", **{str(n): b"new" * 300 for n in range(5)}}
    step = -1
    while True:
        step += 1
        with DBMStore(path, module="dbm.dumb") as store:
            store.replace(old.items())
        done = subprocess.run(
            [sys.executable, "-c", KILL, path, f"{step}"], check=False, env=environment()
        )
        found = dict(fetch(path))
        assert found in (old, new), step
        if not done.returncode:
            assert found == new
            break
        assert done.returncode == -9
    assert step > 5
    assert not [name for name in os.listdir(path.parent) if "zspy-new" in name]


def test_an_open_dbm_is_a_place(path: Path) -> None:
    with dbm.dumb.open(str(path), "c") as database:
        write(database, 1)
        write(database, 2)
        assert versions(database) == [2]
        assert len(fetch(database)) == len(database)
        assert fetch(database).get("nothing") is None
    assert versions(path) == [2]


# --------------------------------------------------------------------------------------------------
# Adding signals


@both_formats
@pytest.mark.parametrize("kind", [*STORE_TYPES, *IN_MEMORY])
def test_signals_are_added(kind: str, zarr_format: int, path: Path) -> None:
    place, options = place_of(kind, path)
    options |= {"mode": "a", "zarr_format": zarr_format}
    model = {"m": {"date": "today", "_dict": {"a": 1}}}
    first = signal_of(1, "b") | {"models": model}
    zspy.file_writer(place, first, **QUIET, **options)
    zspy.file_writer(place, [signal_of(2, "b"), signal_of(3, "a")], **QUIET, **options)
    zspy.file_writer(place, signal_of(4, "c") | {"models": model}, **QUIET, **options)
    more = model | {"n": {"date": "tomorrow"}}
    zspy.file_writer(place, signal_of(5, "d") | {"models": more}, **QUIET, **options)
    found = zspy.file_reader(place)
    assert versions(place) == [3, 1, 2, 4, 5]
    assert [sorted(signal["models"]) for signal in found] == [[], ["m"], [], ["m"], ["m", "n"]]
    assert [signal["metadata"]["General"]["title"] for signal in found] == list("abbcd")


def test_the_arrays_of_other_signals_are_linked(path: Path) -> None:
    write(path, 1, "a")
    chunk = path / "Experiments/a/data/0/0"
    number = chunk.stat().st_ino
    write(path, 2, "b", mode="a")
    assert chunk.stat().st_ino == number
    assert os.listdir(path.parent) == [path.name]


def test_an_error_while_adding_leaves_the_old_file(path: Path) -> None:
    write(path, 1)
    with pytest.raises(zspy.UnsupportedError):
        zspy.file_writer(path, signal_of(2) | {"original_metadata": {"a": object()}}, mode="a")
    assert versions(path) == [1]


def test_nothing_is_added_to_a_file_of_another_format(path: Path) -> None:
    write(path, 1, zarr_format=3)
    with pytest.raises(EncodeError, match="mode: the file is of Zarr format 3; use zarr_format=3"):
        write(path, 2, mode="a")
    write(path, 2, mode="a", zarr_format=3)
    assert versions(path) == [1, 2]
    old = json.dumps({"file_format": "ZSpy", "file_format_version": "3.1"}).encode()
    commit({**fetch({".zgroup": b'{"zarr_format":2}'}), ".zattrs": old}, path)
    with pytest.raises(EncodeError, match=r"mode: the file is of version 3\.1; read it"):
        write(path, 2, mode="a")
    for argument in ("mode", "consolidate"):
        with pytest.raises(EncodeError, match=f"{argument}: 'x' is no choice; use one of"):
            write(path, 2, **{argument: "x"})


# --------------------------------------------------------------------------------------------------
# Of a zip entries are kept as they are


def big(number: int, title: str = "t") -> dict[str, Any]:
    signal = signal_of(number, title)
    signal["data"] = np.random.default_rng(0).integers(0, 255, (40, 1000), "u1")
    signal["axes"] = [{"size": 40, "navigate": True}, {"size": 1000}]
    return signal


def update(path: Path, number: int, **options: Any) -> None:
    zspy.file_writer(path, big(number), write_dataset=False, show_progressbar=False, **options)


def number_in(path: Path) -> int:
    (signal,) = zspy.file_reader(path)
    assert (signal["data"] == big(0)["data"]).all()
    assert signal["metadata"]["list"] == [signal["metadata"]["n"]] * 3
    return int(signal["metadata"]["n"])


def test_an_update_of_a_zip_is_a_new_zip(path: Path) -> None:
    zspy.file_writer(path, big(0), store_type="zip", chunks=(1, 1000), **QUIET)
    (lazy,) = zspy.file_reader(path, lazy=True)
    update(path, 1)
    size = path.stat().st_size
    for number in range(2, 5):
        update(path, number, sync=number == 2)
        assert number_in(path) == number
        assert abs(path.stat().st_size - size) < 1000
    assert (np.asarray(lazy["data"]) == big(0)["data"]).all()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len({*archive.namelist()})
    assert cast("Any", zarr).open_group(ZipStore(path), mode="r")["Experiments/t/data"].shape
    assert os.listdir(path.parent) == [path.name]


def test_an_update_of_a_zip_copies_chunks_in_one_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.file_writer(path, big(0), store_type="zip", chunks=(1, 1000), **QUIET)
    real = _zips.ZipSink._copy
    sizes: list[int] = []

    def noted(sink: _zips.ZipSink, source: _zips.Zip, start: int, stop: int) -> None:
        sizes.append(stop - start)
        real(sink, source, start, stop)

    monkeypatch.setattr(_zips.ZipSink, "_copy", noted)
    with closing(cast("_zips.Zip", opened(path))) as file:
        chunks = [key for key in file if "/data/" in key]
        assert len(chunks) == 41
    update(path, 1)
    assert len([size for size in sizes if size]) == 1


@pytest.mark.parametrize("copies", [True, False])
def test_an_update_of_a_zip_may_rename(
    copies: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.file_writer(path, big(0), store_type="zip", **QUIET)
    if not copies:
        monkeypatch.delattr(os, "copy_file_range")
    update(path, 1)
    zspy.file_writer(path, big(2, "other"), write_dataset=False, **QUIET)
    assert number_in(path) == 2
    assert zspy.file_reader(path)[0]["metadata"]["General"]["title"] == "other"
    assert zspy.check(path, show_progressbar=False) == []


def test_entries_that_others_wrote_are_kept(path: Path) -> None:
    """Compressed, with a size behind the data, names of other encodings, and rests between."""
    old = path.with_name("old")
    documents = {".zgroup": b"{}", "a/0": bytes(999), "a/1": b"one", "ä/2": b"two", "3": b"3"}
    with zipfile.ZipFile(old, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, data in documents.items():
            with archive.open(key, "w") as file:  # which writes the size behind the data
                file.write(data)
            assert archive.fp is not None
            archive.fp.write(bytes(100 * ("1" in key)))
            archive.start_dir = archive.fp.tell()
    with closing(opened(old)) as source, replacing(path, "zip", sync=False) as sink:
        sink.keep(source, [(key, key.replace("3", "b/3")) for key in documents])
    documents["b/3"] = documents.pop("3")
    assert dict(fetch(path)) == documents
    assert path.stat().st_size < old.stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_entries_that_overlap_are_not_read(path: Path) -> None:
    zspy.commit({"a": b"0123456789", "b": b"x"}, path, store_type="zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 20 : at + 28] = struct.pack("<LL", 30, 30)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="it overlaps another"):
        fetch(path)["a"]
    with (
        closing(opened(path)) as source,
        replacing(path.with_name("new"), "zip", sync=False) as sink,
        pytest.raises(FormatError, match="it overlaps another"),
    ):
        sink.keep(source, [("a", "a")])


def test_a_zip_that_is_cut_while_it_is_copied_is_an_error(path: Path) -> None:
    zspy.commit({"a": bytes(10**5)}, path, store_type="zip")
    with closing(opened(path)) as source, replacing(path.with_name("new"), "zip", False) as sink:
        with path.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(FormatError, match="the file ends too early"):
            sink.keep(source, [("a", "a")])


def test_an_error_in_an_update_leaves_the_old_zip(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.file_writer(path, big(0), store_type="zip", **QUIET)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "_write_end_record", fail)
        with pytest.raises(OSError, match="the disk is full"):
            update(path, 1)
    assert path.read_bytes() == before
    update(path, 1)
    assert number_in(path) == 1


def test_a_zip_is_read_in_forked_processes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the place where the open file stands."""
    zspy.commit({"a": b"0123456789", "b": b"x"}, path, store_type="zip")
    with closing(cast("_zips.Zip", opened(path))) as file:
        os.lseek(file.file.fileno(), 3, os.SEEK_SET)
        assert file["a"] == b"0123456789"
        assert os.lseek(file.file.fileno(), 0, os.SEEK_CUR) == 3
        assert file.read("a", slice(2, 4)) == b"23"
        whole = os.pread

        def short(handle: int, size: int, at: int) -> bytes:
            return whole(handle, min(size, 3), at)

        monkeypatch.setattr(os, "pread", short)
        assert file["a"] == b"0123456789"
        monkeypatch.delattr(os, "pread")  # on Windows, which has no forks
        assert file["a"] == b"0123456789"
        some = os.read

        def few(handle: int, size: int) -> bytes:
            return some(handle, min(size, 3))

        monkeypatch.setattr(os, "read", few)
        assert file["a"] == b"0123456789"


def test_a_zip_with_something_before_it_is_read(path: Path) -> None:
    write(path, 1, store_type="zip")
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert versions(path) == [1]


# --------------------------------------------------------------------------------------------------
# Renaming, where it takes two steps or is refused


def test_a_file_is_read_between_two_renamings(path: Path) -> None:
    """A writer was killed there: the old file has another name until there is a new one."""
    write(path, 1)
    path.rename(path.with_name(f".{path.name}.zspy-old"))
    assert versions(path) == [1]
    with pytest.raises(zspy.UnsupportedError):
        zspy.file_writer(path, signal_of(2) | {"original_metadata": {"a": object()}}, **QUIET)
    assert versions(path) == [1]
    with changing(path):  # whoever takes the lock puts it back, also for other programs
        assert path.exists()
    write(path, 2)
    path.with_name(f".{path.name}.zspy-old").mkdir()
    write(path, 3)
    assert versions(path) == [3]
    assert os.listdir(path.parent) == [path.name]


def test_a_link_in_the_place_of_the_old_file_is_left_alone(path: Path) -> None:
    """Between two renamings somebody may plant one."""
    other = path.with_name("other")
    write(other, 1)
    link = path.with_name(f".{path.name}.zspy-old")
    link.symlink_to(other)
    with pytest.raises(FormatError, match="there is no such file"):
        zspy.file_reader(path)
    write(path, 2)
    assert versions(path) == [2]
    assert versions(other) == [1]
    assert link.is_symlink()


@pytest.mark.parametrize("options", [{"mode": "a"}, {"write_dataset": False}])
def test_an_old_file_is_closed_before_it_is_replaced(
    options: dict[str, Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace what is open."""
    write(path, 1, store_type="zip")
    renamed: list[str] = []
    replace = os.replace

    def refuse(old: Path, new: Path, **folders: Any) -> None:
        numbers = os.listdir("/proc/self/fd")
        assert str(new) not in [os.path.realpath(f"/proc/self/fd/{one}") for one in numbers]
        renamed.append(str(new))
        replace(old, new, **folders)

    monkeypatch.setattr(os, "replace", refuse)
    write(path, 1, store_type="zip", **options)
    assert str(path) in renamed


@pytest.mark.parametrize("kind", ["local", "zip"])
def test_a_renaming_that_is_refused_is_tried_again(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, 1, store_type=kind)
    replace, left = os.replace, [2]

    def refuse(old: Path, new: Path, **folders: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError("it is in use")
        replace(old, new, **folders)

    monkeypatch.setattr(_moves, "exchange", a_false)
    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(_moves, "_WAITS", (0, 0, 0))
    write(path, 2, store_type=kind)
    assert versions(path) == [2]
    left[0] = 4
    with pytest.raises(PermissionError, match="it cannot be replaced"):
        write(path, 3, store_type=kind)
    assert versions(path) == [2]
    assert os.listdir(path.parent) == [path.name]


# --------------------------------------------------------------------------------------------------
# Consolidated documents


@both_formats
def test_a_consolidated_document_holds_all_others(zarr_format: Literal[2, 3]) -> None:
    tree = zspy.encode({"a": {"list": [1, 2]}, "b": "c", "large": np.zeros(10**5)})
    documents = dict(zspy.serialise(tree, zarr_format=zarr_format))
    key, data = consolidated(documents, zarr_format)
    found = expanded(key, data)
    assert found is not None
    nodes, chunks = found
    assert zspy.deserialise(documents | nodes) == tree
    assert {key for key in documents if "chunk" not in key} >= nodes.keys()
    assert [key.partition("/")[0] for key in chunks] == ["a", "large"]
    assert expanded("zarr.json", b"{}") is None


def test_a_damaged_consolidated_document_is_told() -> None:
    for text in (b"", b"[]", b"{}"):
        with pytest.raises(FormatError, match=r"^\.zmetadata: "):
            expanded(".zmetadata", text)
    assert is_readable({"a/.zarray": b'{"dtype": "|O", "filters": [{"id": "vlen-utf8"}]}'})


@both_formats
@pytest.mark.parametrize("consolidate", [None, False, True])
@pytest.mark.parametrize("kind", ["local", "zip", "dict"])
def test_it_is_written_by_default_where_it_helps(
    kind: str, consolidate: bool | None, zarr_format: int, path: Path
) -> None:
    place: Any = {} if kind == "dict" else path
    options: dict[str, Any] = {"store_type": kind} if kind == "zip" else {}
    write(place, 1, consolidate=consolidate, zarr_format=zarr_format, **options)
    documents = fetch(place)
    is_there = b"consolidated" in documents.get(".zmetadata", documents.get("zarr.json", b""))
    assert is_there == (kind == "zip" if consolidate is None else consolidate)
    store = {"zip": ZipStore, "local": LocalStore, "dict": MappingStore}[kind](place)
    group = cast("Any", zarr).open_group(store, mode="r", use_consolidated=is_there)
    assert group["Experiments/t/data"][...].tolist() == [[1] * 5] * 4
    write(place, 2, "u", mode="a", consolidate=consolidate, zarr_format=zarr_format)
    store = {"zip": ZipStore, "local": LocalStore, "dict": MappingStore}[kind](place)
    group = cast("Any", zarr).open_group(store, mode="r", use_consolidated=is_there)
    assert {*group["Experiments"].keys()} == {"t", "u"}
    assert versions(place) == [1, 2]


def test_one_that_disagrees_with_a_directory_never_wins(path: Path) -> None:
    for place in (path, LocalStore(path), obstore.store.LocalStore(path, mkdir=True)):
        write(path, 1, consolidate=True)
        stale = (path / ".zmetadata").read_bytes()
        write(path, 2)
        (path / ".zmetadata").write_bytes(stale)
        assert versions(place) == [2]
        assert versions(f"file://{path}") == [2]
        assert versions(get_mapper(str(path))) == [2]


# --------------------------------------------------------------------------------------------------
# URLs, and what client libraries open


@pytest.mark.parametrize("consolidate", [None, False])
@both_formats
def test_every_client_is_a_place(zarr_format: int, consolidate: bool | None) -> None:
    url = f"memory://{os.urandom(8).hex()}.zspy"
    options: dict[str, Any] = {"zarr_format": zarr_format, "consolidate": consolidate}
    for place in (url, get_mapper(url), FsspecStore.from_url(url)):
        for number in (1, 2):
            write(place, number, **options)
        assert versions(place) == versions(place, lazy=True) == versions(url) == [2]
        zspy.file_writer(place, signal_of(2), write_dataset=False, **options, **QUIET)
        assert versions(place) == [2]
        write(place, 3, "u", mode="a", **options)
        assert versions(url) == [2, 3]
        (lazy, _) = zspy.file_reader(place, lazy=True)
        if not isinstance(place, str):
            with pytest.raises(EncodeError, match="the data is read from what it replaces"):
                zspy.file_writer(place, lazy, **options, **QUIET)
    for store in (obstore.store.MemoryStore(), ObjectStore(obstore.store.MemoryStore())):
        write(store, 1, **options)
        assert versions(store) == [1]


def test_what_is_no_url_has_no_options(path: Path) -> None:
    places: tuple[Any, ...] = ({}, path)
    for place in places:
        with pytest.raises(EncodeError, match="storage_options: only a URL has options"):
            zspy.file_reader(place, storage_options={"key": "secret"})


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"key": "hidden1", "client_kwargs": {"headers": ["hidden2", 3], "x": None}}
    url = "memory://me:hidden3@host/a.zspy?sig=hidden4"
    place: Any = stores_backends.located(url, options)
    copies = (place, place.with_read_only(read_only=True), pickle.loads(pickle.dumps(place)))  # noqa: S301
    for copy in copies:
        assert "hidden" not in f"{copy}{copy!r}"
        assert copy == place or copy.read_only
        assert hash(copy) == hash(place)

    class Failing(WrapperStore[Any]):
        async def get(self, *_: Any, **__: Any) -> Any:
            raise ValueError("no hidden1 hidden2 hidden3 sig=hidden4 here")

    place._store = Failing(place._store)
    with pytest.raises(FormatError, match="it cannot be read") as error:
        zspy.file_reader(place)
    assert "hidden" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
    url = f"memory://me:hidden@host{os.urandom(8).hex()}"
    write(url, 1)
    with monkeypatch.context() as full:
        full.setattr("zspy.files.reader.read_nodes", no_memory)
        with pytest.raises(FormatError, match="enough memory") as error:
            zspy.file_reader(url)
    assert error.value.where == url.replace("me:hidden@", "")
    with pytest.raises(FormatError, match=r"^nothing://host: it cannot be opened"):
        zspy.file_reader("nothing://me:hidden@host/a", storage_options={"a": "hidden"})
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setattr(FsspecStore, "from_url", an_import)
    write("memory:///", 1)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(EncodeError, match=r"not installed; pip install zspy\[remote\]"):
        zspy.file_reader("memory:///")


def test_a_warning_that_is_made_an_error_stays_what_it_is() -> None:
    place: Any = stores_backends.located(f"memory://{os.urandom(8).hex()}", {})
    write(place, 1, close_file=False)

    class Outdated(WrapperStore[Any]):
        async def get(self, *_: Any, **__: Any) -> Any:
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    place._store = Outdated(place._store)
    with pytest.raises(DeprecationWarning, match="old"):
        zspy.file_reader(place)


def test_a_store_that_deletes_nothing_is_written_once(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        write(store, 1, close_file=False)
        assert versions(path) == versions(store) == [1]
        with pytest.raises(EncodeError, match="a ZipStore replaces nothing; use a path"):
            write(store, 2, close_file=False)
    assert versions(path) == [1]
    store = ZipStore(path, mode="w")
    write(store, 2)
    assert versions(path) == versions(store) == [2]
    assert versions(ZipStore(path, mode="w")) == [2]  # to read empties nothing
    memory = MemoryStore()
    write(memory, 1, close_file=False)
    assert memory._is_open


class NamedStore(MemoryStore):
    """A store of a caller, with names that others have for other things."""

    fs = "a field of its own"
    path = 5


def test_a_store_may_have_any_names_of_its_own() -> None:
    store = NamedStore()
    write(store, 1, close_file=False)
    assert versions(store) == versions(store, lazy=True) == [1]


def zip_in(file: object, mode: str = "r") -> Any:
    try:
        return cast("Any", ZipStore)(file, mode=mode)
    except (AssertionError, TypeError):
        pytest.skip("this release of zarr makes zips of paths only")


@pytest.mark.parametrize("close", [False, True])
def test_a_zip_may_lie_in_a_file_object(close: bool) -> None:
    file = BytesIO()
    store = zip_in(file, "w")
    write(store, 1, close_file=close)
    assert versions(store) == [1]
    store.close()
    assert versions(zip_in(BytesIO(file.getvalue()))) == [1]
    assert versions(zip_in(BytesIO(file.getvalue())), lazy=True) == [1]


def test_a_zip_in_a_file_object_is_replaced_or_left_as_it_is() -> None:
    file = BytesIO()
    write(zip_in(file, "w"), 1)
    write(zip_in(file, "w"), 1)
    before = file.getvalue()
    for mode, problem in (("r", "the store is read-only"), ("a", "a ZipStore replaces nothing")):
        for options in ({}, {"mode": "a"}, {"write_dataset": False}):
            with pytest.raises(EncodeError, match=problem):
                write(zip_in(file, mode), 2, **cast("dict[str, Any]", options))
        assert file.getvalue() == before
    file.seek(0)
    shorter: dict[str, Any] = {"data": np.zeros(3), "axes": [{}], "metadata": {"n": 3}}
    zspy.file_writer(zip_in(file, "w"), shorter, **QUIET)
    assert len(file.getvalue()) < len(before)  # nothing of the old zip is behind it
    (found,) = zspy.file_reader(zip_in(BytesIO(file.getvalue())))
    assert found["metadata"] == {"n": 3}


def test_a_zip_is_written_to_what_cannot_go_back() -> None:
    read, end = os.pipe()
    written: list[bytes] = []

    def collect() -> None:
        with open(read, "rb") as source:
            written.append(source.read())

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        with open(end, "wb") as file:
            write(zip_in(file, "w"), 1)
    finally:
        thread.join()
    assert versions(zip_in(BytesIO(written[0]))) == [1]


def test_a_zip_store_that_adds_makes_a_file(path: Path) -> None:
    write(ZipStore(path, mode="a"), 1)
    assert versions(path) == [1]


@pytest.mark.parametrize("size", [0.5, 1])
def test_the_damage_of_a_zip_store_is_told(size: float, path: Path) -> None:
    write(path, 1, store_type="zip")
    data = bytearray(path.read_bytes())
    place = data.index(b"zarr_format")
    data[place : place + 4] = b"xxxx"
    path.write_bytes(data[: int(len(data) * size)])
    with pytest.raises(FormatError, match=r"the zip cannot be read \((Bad CRC-32|File is not)"):
        zspy.file_reader(ZipStore(path))
    with pytest.raises(FileNotFoundError):
        zspy.file_reader(ZipStore(path.with_name("nothing")))


def test_a_reader_notices_that_a_store_is_written() -> None:
    store = FsspecStore.from_url(f"memory://{os.urandom(8).hex()}")
    for consolidate in (True, False):
        write(store, 1, consolidate=consolidate)
        file = opened(store)
        file.nodes()
        assert not file.is_replaced()
        assert file["Experiments/t/data/0/0"]
        with pytest.raises(KeyError):
            file["Experiments/.zattrs"]
        file.check()
        store_of(file)
        _remote.run(store.delete(".zmetadata" if consolidate else ".zgroup"))
        assert file.is_replaced()


def test_a_reader_notices_that_a_database_is_written(path: Path) -> None:
    for kind in DATABASES:
        place = path.with_name(kind)
        write(place, 1, store_type=kind)
        (lazy,) = zspy.file_reader(place, lazy=True)
        file = opened(place)
        assert not file.is_replaced()
        write(place, 2, store_type=kind)
        assert file.is_replaced()
        with pytest.raises(FormatError, match="the file was replaced while it was read"):
            np.asarray(lazy["data"])
        file.close()


def test_a_consolidated_document_that_is_damaged_is_not_needed() -> None:
    store = FsspecStore.from_url(f"memory://{os.urandom(8).hex()}")
    write(store, 1, consolidate=True)
    _remote.run(store.set(".zmetadata", cpu.Buffer.from_bytes(b"}")))
    assert versions(store) == [1]


def test_a_store_behind_a_url_keeps_its_secrets_whoever_wraps_it() -> None:
    store: Any = located("memory://name:word@host/a", {})
    for one in (store, store.with_read_only(True)):
        assert "word" not in f"{one} {one!r}"
        assert one.read_only == (one is not store)


def test_what_a_store_of_somebody_raises_is_the_cause_of_an_error() -> None:
    class Broken(MemoryStore):
        async def _open(self) -> None:
            raise ArithmeticError("on fire")

    with pytest.raises(FormatError, match="the store: it raises ArithmeticError; see") as error:
        zspy.file_reader(Broken())
    assert str(error.value.__cause__) == "on fire"


@pytest.mark.parametrize("missing", ["zarr", "of another package"])
def test_without_zarr_python_there_are_no_databases(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"something")
    as_before = import_module

    def imported(name: str, package: str) -> Any:
        if name in (".dbm", ".lmdb", ".sqlite"):
            raise ModuleNotFoundError(f"no {missing}", name=missing)
        return as_before(name, package)

    monkeypatch.setattr(stores_backends, "import_module", imported)
    if missing == "zarr":
        assert kind_of(path) == "unknown"
    else:
        with pytest.raises(ModuleNotFoundError, match="of another package"):
            kind_of(path)


def test_chunks_are_written_to_a_store_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remote, "_WRITTEN_TOGETHER", 4)
    documents = {str(number): bytes(3) for number in range(4)}
    store = MemoryStore()
    _remote.StoreInPlace(store).put(documents.items())
    assert sorted(documents) == sorted(_remote.run(_listed(store)))
    _remote.StoreInPlace(store).put([])


async def _listed(store: MemoryStore) -> list[str]:
    return [key async for key in store.list()]


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_can_be_no_path_is_refused(name: str) -> None:
    with pytest.raises(EncodeError, match=r"filename: .* is no path; name a file"):
        fetch(name)


@pytest.mark.parametrize("name", ["y" * 300, "é" * 140, f"{'d' * 300}/a"])
def test_a_name_that_no_system_takes_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signal: zspy.Signal = {"data": np.arange(3), "axes": [{"size": 3}], "metadata": {}}
    for use in (fetch, zspy.file_reader, zspy.check, partial(zspy.file_writer, signal=signal)):
        with pytest.raises(EncodeError, match=r"filename: .* is too long a name; name a file"):
            use(name)
    assert main(["info", name]) == 2
    said = capsys.readouterr().err
    assert "is too long a name; name a file" in said
    assert len(said) < 300


@pytest.mark.parametrize("place", [".", "/"])
def test_a_folder_without_a_name_is_no_place_for_a_file(place: str) -> None:
    with pytest.raises(EncodeError, match="a folder, and no name of a file; name a file in it"):
        commit({}, place)


def test_documents_come_before_the_store(tmp_path: Path) -> None:
    swapped: Any = (tmp_path / "a", {})
    with pytest.raises(EncodeError, match="documents: a PosixPath is no mapping of documents"):
        commit(*swapped)


def test_a_place_that_is_read_with_its_links_is_named_by_its_path(tmp_path: Path) -> None:
    place = following(tmp_path / "scan.zspy", "follow")
    assert str(place) == str(tmp_path / "scan.zspy")


@pytest.mark.parametrize("mode", ["w", "a"])
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_an_empty_folder_is_replaced_by_a_file_of_any_kind(
    kind: Any, mode: Any, path: Path
) -> None:
    path.mkdir()
    with pytest.raises(EncodeError, match=r"a file is there already|a directory is there"):
        write(path, 1, store_type=kind, overwrite=False)
    write(path, 1, store_type=kind, mode=mode)
    assert versions(path) == [1]


def test_what_claims_to_be_a_path_and_gives_a_number_is_told() -> None:
    class Wrong:
        def __fspath__(self) -> int:
            return 5

    with pytest.raises(EncodeError, match=r"__fspath__.*use a str or a pathlib\.Path"):
        zspy.file_reader(cast("Any", Wrong()))


def test_an_error_of_the_system_says_where_documents_were_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("zspy.stores.backends.check_overwrite", fail)
    with pytest.raises(OSError, match="No space left") as told:
        commit({".zgroup": b"{}"}, path)
    assert told.value.filename == str(path)


def test_a_shard_that_a_zip_has_compressed_is_unpacked_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file: dict[str, bytes] = {}
    content: dict[str, Any] = {"data": np.arange(64.0), "axes": [{"size": 64}], "metadata": {}}
    zspy.file_writer(file, content, (1,), zarr_format=3, shards=(64,), sync=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, data in file.items():
            archive.writestr(key, data)
    # it is read part by part
    monkeypatch.setattr("zspy.documents.chunks._SHARD_AT_ONCE", 0)
    monkeypatch.setattr("zspy.documents.chunks._SMALL_SHARD", 0)
    opened: list[str] = []
    inflated: Any = import_module("zspy.stores.zip")._inflated

    def counted(packed: bytes, info: zipfile.ZipInfo, stop: int) -> bytes:
        opened.append(info.filename)
        data: bytes = inflated(packed, info, stop)
        return data

    monkeypatch.setattr("zspy.stores.zip._inflated", counted)
    (found,) = zspy.file_reader(path)
    assert np.array_equal(found["data"], np.asarray(content["data"]))
    assert max(Counter(opened).values()) == 1
    monkeypatch.setattr("zspy.stores.zip._CACHED", 100)
    with pytest.raises(FormatError, match="compressed once more"):
        zspy.file_reader(path)


def test_many_folders_are_looked_for_in_few_steps() -> None:
    """To look through all keys for each of thousands of signals takes minutes."""

    def pairs(count: int) -> Iterator[tuple[str, str]]:
        names = [f"Experiments/a{number}/data" for number in range(count)]
        file = Given({f"{name}/{key}": b"" for name in names for key in ("0", "c/1")})
        moves = [(f"{name}/", f"b/{name}/") for name in names]
        return spread(file, [*moves, (f"{names[0]}/0", "one")])

    found = [*pairs(40)]
    assert len(found) == 81
    assert found[-1] == ("Experiments/a0/data/0", "one")
    assert all(new == f"b/{old}" for old, new in found[:-1])
    assert calls(lambda: [*pairs(400)]) < 5 * calls(lambda: [*pairs(100)])


def test_the_name_of_a_new_file_asks_for_a_zip(tmp_path: Path) -> None:
    documents = dict(zspy.serialise(zspy.encode({"a": 1})))
    zspy.commit(documents, tmp_path / "a.zip")
    zspy.commit(documents, tmp_path / "b.zip", store_type="local")
    assert (kind_of(tmp_path / "a.zip"), kind_of(tmp_path / "b.zip")) == ("zip", "local")
