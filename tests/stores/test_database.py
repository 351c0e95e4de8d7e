"""Stores over mappings and databases keep to the contract of zarr, and hold what they are given.

zarr's own suite runs against each of them; what follows it are the laws that it leaves out.
"""

from __future__ import annotations

import asyncio
import contextlib
import dbm.dumb
import errno
import importlib
import json
import os
import pickle
import sqlite3
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final, Literal, TypeAlias, cast

import lmdb
import numpy as np
import pytest
import zarr
from zarr.abc.buffer import Buffer
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.buffer import cpu, default_buffer_prototype
from zarr.testing.store import StoreTests

import zspy
from tests.support.places import DATABASES as DATABASES_OF_BACKENDS
from tests.support.signals import signal_of
from zspy.errors import EncodeError, FormatError
from zspy.stores import (
    database as stores,
    dumb_dbm,
    lmdb as lmdb_stores,
    lmdb_pages,
    replace,
    sqlite,
    zarr_store,
)
from zspy.stores.backends import kind_of, opened
from zspy.stores.dbm import KINDS, DBMStore
from zspy.stores.lmdb import LMDBStore
from zspy.stores.sqlite import SQLiteStore
from zspy.stores.zarr_store import MappingStore

Make: TypeAlias = Callable[..., stores.DatabaseStore]
DBMKind: TypeAlias = Literal["dbm.gnu", "dbm.ndbm", "dbm.dumb", "dbm.sqlite3"]

open_group: Final = cast("Any", zarr).open_group  # whose types name packages that may be absent

DATA: Final = Path(__file__).parents[1] / "data"


def exists(kind: str) -> bool:
    try:
        importlib.import_module(kind)
    except ImportError:
        return False
    return True


DBM_MODULES: Final = [kind for kind in KINDS if exists(kind)]
DBM_KINDS: Final = sorted({*DBM_MODULES, "dbm.sqlite3"})  # which works without its module


def lmdb_file(path: Path, **options: Any) -> LMDBStore:
    return LMDBStore(path, **{"subdir": False} | options)


def dbm_of(kind: str) -> Make:
    def make(path: Path, **options: Any) -> DBMStore:
        given: dict[str, Any] = {"module": kind} | options
        return DBMStore(path, **given)

    return make


DATABASES: Final = [
    pytest.param(LMDBStore, id="lmdb"),
    pytest.param(lmdb_file, id="lmdb file"),
    pytest.param(SQLiteStore, id="sqlite"),
    *(pytest.param(dbm_of(kind), id=kind) for kind in DBM_KINDS),
]
TRANSACTIONS: Final = [*DATABASES[:3], pytest.param(dbm_of("dbm.sqlite3"), id="dbm.sqlite3")]
every_database = pytest.mark.parametrize("make", DATABASES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


@pytest.fixture(autouse=True)
def _all_closed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """A store that is closed leaves no database open."""
    yield
    if cast("Any", request).cls is None:  # the suite of zarr closes nothing
        assert not [path for path in stores.databases if path.is_relative_to(tmp_path)]


def contents(store: MappingStore) -> dict[str, bytes | None]:
    return {name: store.read(name) for name in store.names()}


# The suite of zarr


@pytest.mark.suite
class Suite(StoreTests[Any, cpu.Buffer]):
    buffer_cls = cpu.Buffer

    def test_store_repr(self, store: MappingStore) -> None:
        assert repr(store).startswith(f"{type(store).__name__}(")

    def test_store_supports_writes(self, store: MappingStore) -> None:
        assert store.supports_writes

    def test_store_supports_partial_writes(self, store: MappingStore) -> None:
        assert not store.supports_partial_writes

    def test_store_supports_listing(self, store: MappingStore) -> None:
        assert store.supports_listing


class TestMappingStore(Suite):
    store_cls = MappingStore

    @pytest.fixture
    def store_kwargs(self) -> dict[str, Any]:
        return {"mapping": {}}

    async def set(self, store: MappingStore, key: str, value: Buffer) -> None:
        store._options["mapping"][key] = value.to_bytes()

    async def get(self, store: MappingStore, key: str) -> Buffer:
        return self.buffer_cls.from_bytes(store._options["mapping"][key])


class DatabaseSuite(Suite):
    @pytest.fixture
    def kwargs(self, path: Path) -> dict[str, Any]:
        return {"path": path}

    @pytest.fixture
    def store_kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        self.store_cls(**kwargs).close()  # to open it read-only, it has to exist
        return kwargs

    async def set(self, store: stores.DatabaseStore, key: str, value: Buffer) -> None:
        store.shared().write((), [(key.encode(), value.to_bytes())], together=False)

    async def get(self, store: stores.DatabaseStore, key: str) -> Buffer:
        value = store.shared().read(key.encode(), slice(None))
        assert value is not None
        return self.buffer_cls.from_bytes(value)


class TestLMDBStore(DatabaseSuite):
    store_cls = LMDBStore

    @pytest.fixture(params=[True, False])
    def kwargs(self, path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
        return {"path": path, "subdir": request.param}


class TestDBMStore(DatabaseSuite):
    store_cls = DBMStore

    @pytest.fixture(params=DBM_KINDS)
    def kwargs(self, path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
        return {"path": path, "module": request.param}


class TestSQLiteStore(DatabaseSuite):
    store_cls = SQLiteStore


# Values


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (None, b"0123"),
        (RangeByteRequest(1, 3), b"12"),
        (RangeByteRequest(2, 9), b"23"),
        (RangeByteRequest(9, 12), b""),
        (OffsetByteRequest(3), b"3"),
        (OffsetByteRequest(9), b""),
        (SuffixByteRequest(3), b"123"),
        (SuffixByteRequest(9), b"0123"),
        (SuffixByteRequest(0), b""),
    ],
)
def test_a_part_of_a_value_is_what_is_there(part: ByteRequest | None, expected: bytes) -> None:
    buffer = MappingStore({"a": b"0123"}).get_sync("a", byte_range=part)
    assert buffer is not None
    assert buffer.to_bytes() == expected


@every_database
def test_values_come_back_from_a_reopened_database(make: Make, path: Path) -> None:
    values = {"a/.zattrs": b"{}", "a/0.0": os.urandom(5000), "empty": b"", "a/µ": b"\0"}
    with make(path) as store:
        store.update(values.items())
        assert contents(store) == values
    with make(path, read_only=True) as store:
        assert contents(store) == values
        assert store.names("a/") == ["a/.zattrs", "a/0.0", "a/µ"]
        assert store.read("a/0.0", slice(-2, None)) == values["a/0.0"][-2:]
        assert store.read("b") is None


@every_database
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_writes_and_reads(make: Make, path: Path, zarr_format: Literal[2, 3]) -> None:
    data = np.arange(600.0).reshape(20, 30)
    with make(path) as store:
        root = open_group(store, mode="w", zarr_format=zarr_format, attributes={"old": 1})
        shards = (10, 30) if zarr_format == 3 else None
        array = root.create_array(
            "s/data", shape=(20, 30), dtype="f8", chunks=(5, 10), shards=shards
        )
        array[...] = data
        array[3, 4] = -1
    data[3, 4] = -1
    with make(path) as store:
        root = open_group(store, mode="r")
        stored = root["s/data"]
        assert isinstance(stored, zarr.Array)
        np.testing.assert_array_equal(np.asarray(stored[...]), data)
        assert stored[7, 7] == data[7, 7]
        assert dict(root.attrs) == {"old": 1}
        assert [name for name, _ in root.groups()] == ["s"]
        assert asyncio.run(store.getsize_prefix("s")) > 100
        open_group(store, mode="w", zarr_format=zarr_format)
        assert len(list(store.names())) <= 2


@every_database
def test_any_thread_may_call(make: Make, path: Path) -> None:
    with make(path) as store:

        def work(number: int) -> bytes | None:
            store.update([(f"{number}", b"%d" % number)])
            return store.read(f"{number}")

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(40))) == [b"%d" % number for number in range(40)]


@every_database
def test_names_of_any_bytes_are_listed_and_can_be_removed(make: Make, path: Path) -> None:
    with make(path) as store:
        assert isinstance(store, stores.DatabaseStore)
        store.shared().write((), [(b"\xff", b"1"), (b"a", b"2")], together=False)
        assert contents(store) == {"a": b"2", "\udcff": b"1"}
        asyncio.run(store.clear())
        assert contents(store) == {}


def test_a_mapping_is_used_and_not_copied() -> None:
    mapping = {"a": b"1"}
    store = MappingStore(mapping)
    store.update([("b", b"2")])
    assert mapping == {"a": b"1", "b": b"2"}
    assert repr(store) == f"MappingStore({object.__repr__(mapping)})"


def test_a_mapping_that_is_not_mutable_is_read_only() -> None:
    view: Mapping[str, bytes] = MappingProxyType({"a": b"1"})
    store = MappingStore(view)
    assert store.read_only
    assert store.with_read_only(read_only=False).read_only
    assert store.read("a") == b"1"
    with pytest.raises(ValueError, match="read-only"):
        store.update([("b", b"2")])
    with pytest.raises(ValueError, match="read-only"):
        asyncio.run(store.delete_dir(""))


def test_equal_stores_have_equal_hashes(path: Path) -> None:
    one, other = MappingStore({"a": b"1"}), MappingStore({"a": b"1"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != MappingStore({"a": b"1"}, read_only=True)
    assert one != MappingStore({})
    with LMDBStore(path) as database:
        assert database != one


def test_partial_writes_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(MappingStore({}).set_partial_values([]))


# Many keys at once


@every_database
def test_replacing_removes_all_else(make: Make, path: Path) -> None:
    with make(path) as store:
        store.update([("a", b"1" * 4000), ("b", b"2")])
        store.replace([("b", b"3"), ("c/d", b"4")])
        assert contents(store) == {"b": b"3", "c/d": b"4"}
        store.update([("e", b"5")])
    with make(path) as store:
        assert contents(store) == {"b": b"3", "c/d": b"4", "e": b"5"}


@every_database
@pytest.mark.parametrize("method", ["update", "replace"])
def test_what_fails_halfway_changes_nothing(make: Make, path: Path, method: str) -> None:
    def items() -> Iterator[tuple[str, bytes]]:
        yield "a", b"2"
        raise ZeroDivisionError

    with make(path) as store:
        store.update([("a", b"1")])
        with pytest.raises(ZeroDivisionError):
            getattr(store, method)(items())
        assert contents(store) == {"a": b"1"}


@every_database
def test_a_failed_replacement_changes_nothing(make: Make, path: Path) -> None:
    wrong: Any = object()
    with make(path) as store:
        store.update([("a", b"1")])
        with pytest.raises((TypeError, OSError)):
            store.replace([("b", b"2"), ("c", wrong)])
        assert contents(store) == {"a": b"1"}
        store.update([("b", b"2")])
    with make(path) as store:
        assert contents(store) == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("make", TRANSACTIONS)
def test_a_failed_transaction_changes_nothing(make: Make, path: Path) -> None:
    wrong: Any = object()
    with make(path) as store:
        with pytest.raises((TypeError, OSError)):
            store.update([("b", b"2"), ("c", wrong)])
        assert contents(store) == {}


# Sharing


@every_database
def test_stores_of_one_path_share_a_database(make: Make, path: Path) -> None:
    writer = make(path)
    reader = make(path, read_only=True)
    writer.update([("a", b"1")])
    assert reader.read("a") == b"1"
    writer.close()
    writer.close()
    assert reader.read("a") == b"1"
    other = reader.with_read_only(read_only=False)
    other.update([("b", b"2")])
    assert reader.read("b") == b"2"
    other.close()
    reader.close()
    assert path not in stores.databases


@every_database
def test_a_closed_store_opens_again(make: Make, path: Path) -> None:
    store = make(path)
    store.update([("a", b"1")])
    store.close()
    assert path not in stores.databases
    assert cast("Any", store).path == path  # where HyperSpy looks
    assert store.read("a") == b"1"
    store.close()


@every_database
def test_files_that_took_the_place_of_others_are_seen(make: Make, path: Path) -> None:
    with make(path) as old, make(path.with_name("other")) as other:
        old.update([("a", b"1")])
        other.update([("b", b"2")])
        other.close()
        for file in sorted(path.parent.iterdir()):
            if file.name.startswith("scan.zspy") and "lock" not in file.name:
                file.rename(file.with_name(file.name.replace("scan.zspy", "away")))
        for file in sorted(path.parent.iterdir()):
            if file.name.startswith("other") and "lock" not in file.name:
                file.rename(file.with_name(file.name.replace("other", "scan.zspy")))
        if old.__class__ is LMDBStore and path.is_file():
            path.with_name("scan.zspy-lock").unlink()
        with make(path) as new:
            assert contents(new) == {"b": b"2"}


@every_database
def test_another_process_opens_what_is_pickled(make: Make, path: Path) -> None:
    with make(path) as store:
        store.update([("a", b"1")])
        pickled = pickle.dumps(store.with_read_only(read_only=True))
        if "gnu" in repr(store._options):
            store.close()  # locks others out
        script = "import pickle, sys\nwith pickle.load(sys.stdin.buffer) as s: print(s.read('a'))"
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, input=pickled, capture_output=True, check=True, env=environ()
        )
        assert done.stdout.strip() == b"b'1'"


def environ() -> dict[str, str]:
    source = str(Path(stores.__file__).parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


FORK: Final = """
import os, sys
from zspy.stores.dbm import DBMStore
from zspy.stores.lmdb import LMDBStore
from zspy.stores.sqlite import SQLiteStore
store = {"lmdb": LMDBStore, "sqlite": SQLiteStore, "dbm": DBMStore}[sys.argv[1]](sys.argv[2])
store.update([("parent", b"1"), ("x", b"")])
if (child := os.fork()) == 0:
    assert store.read("parent") == b"1"
    store.update([("child", b"2")])
    store.close()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
if sys.argv[1] != "dbm":
    assert store.read("child") == b"2"
store.update([("after", b"3")])
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("kind", ["lmdb", "sqlite"])
def test_a_child_process_has_a_database_of_its_own(kind: str, path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK, kind, path], check=True, env=environ())
    make: Make = {"lmdb": LMDBStore, "sqlite": SQLiteStore}[kind]
    with make(path) as store:
        assert set(store.names()) == {"after", "child", "parent", "x"}


@pytest.mark.parametrize("make", [make for make in DATABASES if make.id != "dbm.gnu"])  # locks
def test_what_belongs_to_the_parent_is_left_alone(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inherited = make(path)
    inherited.update([("a", b"1"), ("b", b"2")])
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert inherited.read("a") == b"1"
    inherited.close()
    (left,) = stores.inherited
    stores.inherited.clear()
    with contextlib.suppress(lmdb.Error):  # which is closed, since it could not be opened again
        left.close()


# LMDB


def test_an_open_environment_stays_open(path: Path) -> None:
    with lmdb.open(str(path), map_size=2**20) as environment:
        with LMDBStore(environment) as store:
            store.update([("a", b"1")])
            with store.with_read_only(read_only=True) as reader:
                assert reader.read("a") == b"1"
            copy = pickle.loads(pickle.dumps(store))  # noqa: S301  # just written
            assert copy == store
            assert copy.read("a") == b"1"
            copy.close()
        with environment.begin() as transaction:
            assert transaction.get(b"a") == b"1"
        assert store.read("a") == b"1"
        store.close()


def test_an_environment_left_by_the_parent_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lmdb.open(str(path)) as environment, LMDBStore(environment) as store:
        store.update([("a", b"1")])
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert store.read("a") == b"1"
        store.close()
    stores.inherited.clear()


def test_a_read_only_environment_makes_a_read_only_store(path: Path) -> None:
    LMDBStore(path).close()
    with lmdb.open(str(path), readonly=True) as environment, LMDBStore(environment) as store:
        assert store.read_only
        assert store.names() == []


def test_the_map_grows(path: Path) -> None:
    with LMDBStore(path, map_size=2**16) as store:
        store.update([("a", bytes(2**20))])
        asyncio.run(store.set("b", cpu.Buffer.from_bytes(bytes(2**21))))
        assert store.read("a") == bytes(2**20)
        assert store.read("b") == bytes(2**21)


def test_a_map_that_another_process_has_grown_is_read(path: Path) -> None:
    script = "import sys; from zspy.stores.lmdb import LMDBStore\n"
    script += "with LMDBStore(sys.argv[1]) as s: s.update([('b', bytes(2**21))])"
    with LMDBStore(path, map_size=2**16) as store:
        store.update([("a", b"1")])
        subprocess.run([sys.executable, "-c", script, path], check=True, env=environ())
        assert store.read("b") == bytes(2**21)


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folder")
@pytest.mark.parametrize("kind", DATABASES_OF_BACKENDS)
def test_a_link_in_the_place_of_a_new_database_is_not_followed(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write in the folder puts it there when the database is complete."""
    path, others = tmp_path / "scan.zspy", tmp_path / "others"
    others.mkdir()
    (others / "thesis").write_text("theirs", encoding="utf-8")
    replace_file = stores.DatabaseStore.replace_file

    def then_linked(store: stores.DatabaseStore, gathered: stores.Spool) -> None:
        replace_file(store, gathered)
        made = store.path.parent
        made.rename(tmp_path / "stolen")
        made.symlink_to(others)

    monkeypatch.setattr(stores.DatabaseStore, "replace_file", then_linked)
    with pytest.raises(EncodeError, match="the folder cannot be opened"):
        zspy.file_writer(path, signal_of(np.zeros(2)), store_type=kind, show_progressbar=False)
    assert [one.name for one in others.iterdir()] == ["thesis"]
    assert {one.name for one in tmp_path.iterdir()} == {"others", "stolen"}


@every_database
@pytest.mark.parametrize("size", [248, 255])
def test_a_name_behind_which_nothing_fits_is_refused(make: Make, size: int, tmp_path: Path) -> None:
    """Suffixes come behind the name of a database, which the system then takes no more."""
    for flags in ({}, {"read_only": True}):
        with pytest.raises(EncodeError, match=r"path: .* too long a name .*; name a file, like"):
            make(tmp_path / ("y" * size), **flags)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("kind", DATABASES_OF_BACKENDS)
def test_a_file_with_such_a_name_is_no_database(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match=r"path: .* too long a name .*; name a file, like"):
        zspy.file_writer(tmp_path / ("y" * 248), signal_of(np.zeros(2)), store_type=kind)
    assert not [*tmp_path.iterdir()]


def test_an_lmdb_that_cannot_be_brought_to_the_disk_is_closed_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDB opens no database twice in a process, and the error may hold the first one."""

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = LMDBStore(path)
    store.update([("a", b"1")])
    with monkeypatch.context() as patch:
        patch.setattr(type(stores.databases[path]), "flush", full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as told:
            store.close()
    with LMDBStore(path) as again:
        assert again.read("a") == b"1"
    assert told.tb is not None  # it was held meanwhile


def test_a_dumb_dbm_is_there_also_where_the_disk_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard library takes an error of the disk for no database: a new one was made."""
    with DBMStore(path, module="dbm.dumb") as store:
        zspy.file_writer(store, signal_of(np.zeros(2), "a"), show_progressbar=False)
    added = partial(zspy.file_writer, path, mode="a", store_type="dbm", show_progressbar=False)

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(stores, "open_file", fails)
        with pytest.raises(FormatError, match=f"it cannot be read .{os.strerror(errno.EIO)}"):
            added(signal_of(np.zeros(2), "b"))

    def none(_: object) -> None: ...

    monkeypatch.setattr(dbm, "whichdb", none)  # as it is then
    added(signal_of(np.zeros(2), "c"))
    monkeypatch.undo()
    titles = [one["metadata"]["General"]["title"] for one in zspy.file_reader(path)]
    assert sorted(titles) == ["a", "c"]


def test_an_empty_key_is_refused(path: Path) -> None:
    with LMDBStore(path) as store:
        with pytest.raises(EncodeError, match="LMDB holds no empty key; give it a name"):
            store.update([("a", b"1"), ("", b"2")])
        assert store.read("") is None
        asyncio.run(store.delete(""))
        assert contents(store) == {}


def test_keys_that_are_longer_than_those_of_lmdb_are_kept(path: Path) -> None:
    long = [
        f"a/{letter * 509}{more}" for letter in "xyé" for more in ("", "1", "2", "/" + "z" * 600)
    ]
    with LMDBStore(path) as store:
        store.update([("b", b"0"), *((key, key.encode()) for key in long)])
        assert contents(store) == {"b": b"0", **{key: key.encode() for key in long}}
        assert store.names() == sorted([*long, "b"], key=str.encode)
        assert store.names(long[3][:700]) == [long[3]]
        assert store.names("a/y") == sorted(long[4:8])
        assert store.read(long[1], slice(509, 512)) == b"xx1"
        store.update([(long[1], b"changed")])
        asyncio.run(store.delete(long[2]))
        assert store.read(long[1]) == b"changed"
        assert store.read(long[2]) is None
        assert store.read(long[2] + "x") is None
        assert set(store.names()) == {*long, "b"} - {long[2]}


def test_the_name_that_stands_for_a_long_key_is_no_key(path: Path) -> None:
    with LMDBStore(path) as store:
        store.update([("x" * 600, b"1")])
    with lmdb.open(str(path)) as environment, environment.begin() as transaction:
        (name,) = [bytes(key).decode() for key, _ in transaction.cursor()]
    with LMDBStore(path) as store:
        assert len(name) == 511
        assert store.read(name) is None
        store.update([(name[:-1] + "g", b"2"), ("y" * 511, bytes(1000))])
        assert store.read(name[:-1] + "g") == b"2"
        assert len(store.read("y" * 511) or b"") == 1000


def test_a_database_that_is_cut_short_is_refused(path: Path) -> None:
    with LMDBStore(path) as store:
        store.update([(f"{number}", bytes(3000)) for number in range(20)])
    os.truncate(path / "data.mdb", 3 * 4096)
    with pytest.raises(FormatError, match="cut short; copy it again"):
        LMDBStore(path)


def test_removing_all_leaves_a_database_that_opens(path: Path) -> None:
    with LMDBStore(path) as store:
        store.update([(f"{number}", bytes(30000)) for number in range(200)])
        store.replace([("a", b"1")])
        asyncio.run(store.delete_dir(""))
    with LMDBStore(path) as store:
        assert contents(store) == {}


def test_options_of_lmdb_are_handed_on(path: Path) -> None:
    with LMDBStore(path, map_size=2**24, sync=True, lock=False) as store:
        environment = cast("lmdb.Environment", cast("Any", store).shared()._env)
        assert environment.info()["map_size"] == 2**24
        assert environment.flags()["sync"]
        assert not environment.flags()["lock"]


def test_without_lmdb_an_error_says_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError) as error:
        LMDBStore(path)
    assert str(error.value) == 'lmdb is not installed: python -m pip install "zspy[lmdb]"'


# dbm and SQLite


def test_the_flags_of_dbm(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DBMStore(path, flag="w")
    with DBMStore(path, flag="c", module="dbm.dumb") as store:
        store.update([("a", b"1")])
    with DBMStore(path, flag="w") as store:
        store.update([("b", b"2")])
    with DBMStore(path, flag="r") as store:
        assert store.read_only
        assert contents(store) == {"a": b"1", "b": b"2"}
    with DBMStore(path, flag="n") as store:
        assert contents(store) == {}
        store.update([("c", b"3")])
        with DBMStore(path, flag="n") as other:
            assert contents(store) == contents(other) == {}


@pytest.mark.parametrize("kind", DBM_KINDS)
def test_a_new_dbm_takes_the_place_of_any_file(kind: DBMKind, path: Path) -> None:
    path.write_bytes(b"something else")
    with DBMStore(path, flag="n", module=kind) as store:
        store.update([("a", b"1")])
    assert kind_of(path) == "dbm"
    with DBMStore(path) as store:
        assert store._options["module"] == kind
        assert contents(store) == {"a": b"1"}


def test_a_new_dbm_is_of_the_kind_that_the_standard_library_takes(path: Path) -> None:
    dbm.open(str(path.with_name("other")), "n").close()
    with DBMStore(path) as store, DBMStore(path.with_name("other")) as other:
        assert store._options["module"] == other._options["module"]


@pytest.mark.parametrize("kind", DBM_MODULES)
def test_the_standard_library_reads_and_writes_a_dbm(kind: DBMKind, path: Path) -> None:
    with DBMStore(path, module=kind) as store:
        store.update([("a/0.0", b"1"), ("µ", b"2")])
    with contextlib.closing(importlib.import_module(kind).open(str(path), "w")) as database:
        assert set(database.keys()) == {b"a/0.0", "µ".encode()}
        database[b"b"] = b"3"
    with DBMStore(path) as store:
        assert contents(store) == {"a/0.0": b"1", "b": b"3", "µ": b"2"}


def test_a_dbm_of_a_kind_that_this_python_lacks_is_explained(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes((0x13579ACE).to_bytes(4, sys.byteorder) + bytes(60))
    monkeypatch.setitem(sys.modules, "dbm.gnu", None)
    assert kind_of(path) == "dbm"
    with pytest.raises(ImportError, match=r"this Python lacks dbm\.gnu, which made .*scan\.zspy"):
        DBMStore(path)


@pytest.mark.parametrize(
    "index",
    ["'a', (0, 1, 2)", "'a', 7", "'a", "'a', (-9, 1)", "'a', (0, 10**9", "'a', (1, 'b')", "'\\"],
)
def test_a_damaged_dumb_dbm_is_told(index: str, path: Path) -> None:
    Path(f"{path}.dat").write_bytes(b"123")
    Path(f"{path}.dir").write_text(index)

    def read() -> None:
        with DBMStore(path, read_only=True) as store:
            store.read("a")

    with pytest.raises(FormatError, match=r"this dbm\.dumb database cannot be (opened|read)"):
        read()


def test_values_of_a_dumb_dbm_at_one_place_are_told(path: Path) -> None:
    """Four hundred documents in one megabyte would take as many megabytes, and more."""
    with dbm.dumb.open(str(path), "n") as database:
        database[".zgroup"] = b'{"zarr_format": 2}'
        database["a"] = bytes(2**20)
    index = Path(f"{path}.dir")
    lines = [f"'a{number}', (512, {2**20})\n" for number in range(5)]
    index.write_text(index.read_text() + "".join(lines))
    assert zspy.fetch(path)["a4"] == bytes(2**20)
    lines = [f"'b{number}', (512, {2**20})\n" for number in range(30)]
    index.write_text(index.read_text() + "".join(lines))
    with pytest.raises(FormatError, match="many values lie at one place"):
        zspy.fetch(path)


def test_what_a_dumb_dbm_says_of_its_damage_is_short(path: Path) -> None:
    Path(f"{path}.dat").write_bytes(b"123")
    Path(f"{path}.dir").write_text("'a', " + "9" * 9999)
    with pytest.raises(FormatError) as caught:
        DBMStore(path, read_only=True)
    assert len(str(caught.value).removeprefix(str(path))) < 200


def test_what_the_system_refuses_is_no_damage(path: Path) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1"), ("b", b"2")])
        Path(f"{path}.dat").unlink()
        with pytest.raises(FileNotFoundError, match=r"scan\.zspy\.dat"):
            store.read("a")


def test_an_empty_value_is_found_where_ndbm_denies_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Denying(dbm.dumb._Database):
        def get(self, key: Any, default: Any = None) -> Any:
            return super().get(key) or default

    def make(file: str, flag: str, mode: Any) -> Denying:
        return Denying(file, mode, flag)

    monkeypatch.setitem(sys.modules, "dbm.ndbm", SimpleNamespace(open=make))
    with DBMStore(path, module="dbm.ndbm") as store:
        store.update([("a", b""), ("ab", b"1")])
        assert store.read("a") == b""
        assert store.read("") is None
        assert store.read("b") is None
        store.replace([("c", b"3")])
        assert contents(store) == {"c": b"3"}
        with contextlib.closing(
            dbm.dumb.open(str(path), "w")
        ) as other:  # as another process has it
            other[b"d"] = b"5"
        assert store.read("d") == b"5"


def test_a_dbm_of_one_file_is_replaced_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = (0x13579ACE).to_bytes(4, sys.byteorder)
    opened: list[OneFile] = []

    class OneFile(dict[bytes, bytes]):
        def __init__(self, file: str, flag: str, _: Any) -> None:
            super().__init__()
            self.file = Path(file)
            opened.append(self)
            if flag != "n" and self.file.exists():
                self.update(pickle.loads(self.file.read_bytes()[4:]))  # noqa: S301 - just written
            self.close()

        def close(self) -> None:
            self.file.write_bytes(mark + pickle.dumps({**self}))

    monkeypatch.setitem(sys.modules, "dbm.gnu", SimpleNamespace(open=OneFile))
    with DBMStore(path, module="dbm.gnu") as store:
        store.update([(".zgroup", b"old"), ("a", b"1")])
        old = opened[-1]
        store.replace([(".zgroup", b"new")])
        assert old == {b".zgroup": b"old", b"a": b"1"}
        assert contents(store) == {".zgroup": b"new"}
        shared = cast("stores.DatabaseStore", store).shared()
        shared.write((), [(b"README", b"of others")], together=False)
        shared.flush()
        with contextlib.closing(stores.Spool(path.parent)) as spool:
            spool.put([(".zgroup", b"newer")])
            store.replace_file(spool)
        assert contents(store) == {".zgroup": b"newer", "README": b"of others"}


def test_a_part_is_that_of_what_was_written_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a gdbm need not change with each value: its state does not tell all of them."""

    class InMemory(dict[bytes, bytes]):
        def __init__(self, file: str, *_: Any) -> None:
            super().__init__()
            Path(file).write_bytes((0x13579ACE).to_bytes(4, sys.byteorder))

        def close(self) -> None: ...
        def sync(self) -> None: ...

    monkeypatch.setitem(sys.modules, "dbm.gnu", SimpleNamespace(open=InMemory))
    with DBMStore(path, module="dbm.gnu") as store:
        for value in (b"0123456789", b"9876543210"):
            store.update([("a", value)])
            assert store.read("a", slice(1, 3)) == value[1:3]


@pytest.mark.parametrize(
    "make", [pytest.param(SQLiteStore, id="sqlite"), pytest.param(dbm_of("dbm.sqlite3"), id="dbm")]
)
def test_a_damaged_sqlite_database_is_told(make: Make, path: Path) -> None:
    with make(path) as store:
        store.update([(f"{number}", bytes(3000)) for number in range(20)])
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = os.urandom(len(damaged) - 4096)
    path.write_bytes(damaged)
    with make(path, read_only=True) as store, pytest.raises(FormatError, match="cannot be read"):
        contents(store)
    damaged[16:100] = bytes(84)
    path.write_bytes(damaged)
    with pytest.raises(FormatError):
        make(path, read_only=True)


def test_a_key_that_a_damaged_index_has_alone_is_left_out(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    with SQLiteStore(path) as store:
        query = sqlite._ZARR._replace(names="SELECT NULL UNION ALL SELECT ?")
        monkeypatch.setattr(store.shared(), "_sql", query)
        assert list(store.names("a")) == ["a"]


def test_values_that_are_no_blobs_are_read_as_bytes(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)")
        database.execute("INSERT INTO zarr VALUES ('a', 'text'), ('b', 12), ('c', NULL)")
        database.commit()
    with SQLiteStore(path, read_only=True) as store:
        assert contents(store) == {"a": b"text", "b": b"12", "c": b""}


def test_what_cannot_be_written_is_told(path: Path) -> None:
    with SQLiteStore(path) as store, contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        cast("Any", store).shared()._db.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(OSError, match="cannot be written: database is locked") as error:
            store.update([("a", b"1")])
        assert not isinstance(error.value, FormatError)
        assert str(path) in str(error.value)


@every_database
def test_a_folder_that_cannot_be_written_can_be_read(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make(path) as store:
        store.update([("a", b"1")])
    for lock in path.parent.rglob("*lock*"):
        lock.unlink()

    def access(_path: object, mode: int) -> bool:
        return mode != os.W_OK

    monkeypatch.setattr(os, "access", access)
    before = sorted(path.parent.rglob("*"))
    with make(path, read_only=True) as store:
        assert contents(store) == {"a": b"1"}
        assert sorted(path.parent.rglob("*")) == before


# Reading writes nothing


def state_of(folder: Path) -> dict[str, tuple[int, bytes, int]]:
    """Tell whether anything in a folder was made, written or removed."""
    return {
        str(file.relative_to(folder)): (
            file.stat().st_mtime_ns,
            b"" if file.is_dir() else file.read_bytes(),
            file.stat().st_mode,
        )
        for file in folder.rglob("*")
    }


def files_of(path: Path) -> list[Path]:
    return [file for file in path.parent.rglob("*") if file.is_file()]


@every_database
def test_reading_writes_nothing(make: Make, path: Path) -> None:
    with make(path) as store:
        store.replace([(".zgroup", b'{"zarr_format": 2}'), ("a", b"1")])
    for lock in path.parent.rglob("*lock*"):
        lock.unlink()
    before = state_of(path.parent)
    assert kind_of(path) != "unknown"
    with contextlib.closing(opened(path)) as file:
        assert dict(file)["a"] == b"1"
        assert not file.is_replaced()
    assert state_of(path.parent) == before


@every_database
def test_a_link_in_the_place_of_a_file_of_a_database_is_refused(make: Make, path: Path) -> None:
    with make(path) as store:
        store.replace([(".zgroup", b'{"zarr_format": 2}')])
    secret = path.parent / "elsewhere"
    for file in files_of(path):
        if file != path:
            file.rename(secret)
            file.symlink_to(secret)
            before = secret.read_bytes()
            with pytest.raises(FormatError, match=r"link|something else"), make(path) as store:
                store.update([("a", b"1")])
            assert secret.read_bytes() == before
            file.unlink()
            secret.rename(file)


def test_reading_lmdb_leaves_a_link_in_the_place_of_its_lock_alone(path: Path) -> None:
    with LMDBStore(path) as store:
        store.update([(".zgroup", b"{}")])
    secret = path.parent / "secret"
    secret.write_bytes(b"secret")
    (path / "lock.mdb").unlink()
    (path / "lock.mdb").symlink_to(secret)
    assert dict(opened(path)) == {".zgroup": b"{}"}
    assert secret.read_bytes() == b"secret"
    with pytest.raises(FormatError, match=r"lock\.mdb: it is a link, which is not followed"):
        LMDBStore(path)
    assert secret.read_bytes() == b"secret"


def test_lmdb_is_read_without_its_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LMDBStore(path) as store:
        store.update([("a", b"1"), ("b" * 600, b"22")])
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with LMDBStore(path, read_only=True) as store:
        assert contents(store) == {"a": b"1", "b" * 600: b"22"}
        assert store.read("b" * 601) is None
        assert store.read("b" * 511) is None
        assert store.read(lmdb_stores._name(b"b" * 600).decode()) is None


def test_a_reader_of_lmdb_sees_what_another_process_writes(path: Path) -> None:
    script = "import sys; from zspy.stores.lmdb import LMDBStore\n"
    script += "with LMDBStore(sys.argv[1]) as s: s.replace([('b', b'2')])"
    with LMDBStore(path) as store:
        store.update([("a", b"1")])
    with LMDBStore(path, read_only=True) as store:
        before = store.version()
        assert contents(store) == {"a": b"1"}
        subprocess.run([sys.executable, "-c", script, path], check=True, env=environ())
        assert contents(store) == {"b": b"2"}
        assert store.version() != before


def test_changes_beside_an_sqlite_file_are_not_passed_over(path: Path) -> None:
    copy = path.with_name("copy")
    with SQLiteStore(path) as store, contextlib.closing(sqlite3.connect(path)) as database:
        store.update([("a", b"1")])
        database.execute("PRAGMA journal_mode = WAL")
        store.update([("b", b"2")])
        for suffix in ("", "-wal"):
            Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    before = state_of(path.parent)
    with pytest.raises(FormatError, match="changes beside it, which are not read without writing"):
        opened(copy)
    with SQLiteStore(path, read_only=True) as store:
        assert contents(store) == {"a": b"1", "b": b"2"}
    assert state_of(path.parent) == before


def test_an_sqlite_file_whose_writer_was_killed_is_not_repaired_by_reading(path: Path) -> None:
    copy = path.with_name("copy")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)")
        database.execute("BEGIN IMMEDIATE")
        for number in range(100):
            database.execute("INSERT INTO zarr VALUES (?, ?)", (f"{number}", bytes(3000)))
        for suffix in ("", "-journal"):
            Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
        before = state_of(path.parent)
        with pytest.raises(FormatError, match="a writer was killed, whose changes are to be und"):
            opened(copy)
        assert state_of(path.parent) == before


def half_written(path: Path, copy: Path) -> None:
    """Copy an SQLite file in the middle of a change, as a writer leaves it that is killed."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        ((table, key),) = database.execute(
            "SELECT one.name, two.name FROM sqlite_master AS one,"
            " pragma_table_info(one.name) AS two WHERE one.type = 'table' AND two.cid = 0"
        )
        database.execute("BEGIN IMMEDIATE")
        database.execute(f"UPDATE {table} SET {key} = {key} || zeroblob(3000)")  # noqa: S608
        for suffix in ("", "-journal"):
            Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())


@pytest.mark.parametrize("kind", ["sqlite", "dbm.sqlite3"])
def test_what_a_killed_writer_began_is_undone_by_the_next_one(kind: str, path: Path) -> None:
    store = SQLiteStore(path) if kind == "sqlite" else DBMStore(path, module="dbm.sqlite3")
    metadata: dict[str, Any] = {f"m{number}": {"x": "y" * 3000} for number in range(9)}
    with store:
        zspy.file_writer(store, signal_of(np.full(3, 1), **metadata), sync=False)
    copy = path.with_name("copy")
    half_written(path, copy)
    remedy = r'; open it once with sqlite3, or write with mode="a"'
    said = rf"^{copy}: a writer was killed, whose changes are to be undone{remedy}"
    with pytest.raises(FormatError, match=said):
        zspy.file_reader(copy)
    assert Path(f"{copy}-journal").stat().st_size
    zspy.file_writer(copy, signal_of(np.full(3, 2)), mode="a", sync=False)
    assert [int(one["data"][0]) for one in zspy.file_reader(copy)] == [1, 2]
    assert not Path(f"{copy}-journal").exists()


def test_a_journal_that_names_another_file_removes_none(path: Path) -> None:
    """SQLite removes the journal of changes to several files, which may be any file."""
    with SQLiteStore(path) as store:
        zspy.file_writer(store, signal_of(np.full(3, 1)), sync=False)
    others = path.with_name("thesis")
    others.write_bytes(b"years of work")
    name = bytes(others)
    begin = bytes.fromhex("d9d505f920a163d7")
    header = begin + struct.pack(">5I", 0, 1, path.stat().st_size // 4096, 512, 4096)
    end = struct.pack(">2I", len(name), sum(name)) + begin
    journal = header.ljust(512, b"\0") + bytes(4) + name + end
    Path(f"{path}-journal").write_bytes(journal)
    before = state_of(path.parent)
    calls: list[dict[str, Any]] = [{"overwrite": True}, {"mode": "a"}, {"write_dataset": False}, {}]
    for how in calls:
        how |= {"store_type": "sqlite", "sync": False}
        with pytest.raises(zspy.ZspyError):
            zspy.file_writer(path, signal_of(np.full(3, 2)), **how)
    said = "its journal names another file, which SQLite would remove"
    with pytest.raises(FormatError, match=said):
        SQLiteStore(path)
    assert state_of(path.parent) == before


def _with_shared_pages(path: Path, name: str) -> None:
    """Let a tree of an SQLite file have pages which all lead to one page, again and again."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name LIKE ?"
        (root,) = database.execute(query, (name,)).fetchone()
    data = bytearray(path.read_bytes())
    start = (root - 1) * 4096
    leaf = bytes(data[start : start + 4096])
    first = int.from_bytes(leaf[8:10], "big")
    record = leaf[first : first + 1 + leaf[first]]
    child = len(data) // 4096 + 1
    pages = [leaf]
    for _ in range(8):
        cell = child.to_bytes(4, "big") + record
        places = range(4096 - len(cell), 2000, -len(cell))
        page = struct.pack(">BHHHBI", 2, 0, len(places), places[-1], 0, child)
        page += struct.pack(f">{len(places)}H", *places)
        page = page.ljust(places[-1], b"\0") + cell * len(places)
        pages.append(page.ljust(4096, b"\0"))
        child += 1
    data[start : start + 4096] = pages.pop()
    data += b"".join(pages)
    data[28:32] = (len(data) // 4096).to_bytes(4, "big")
    path.write_bytes(data)


def test_an_sqlite_file_whose_pages_lead_to_one_page_is_not_listed_for_ever(path: Path) -> None:
    """It has some kilobytes, and more keys than could be counted in years."""
    with SQLiteStore(path) as store:
        store.update([(".zgroup", b"{}"), ("a/.zgroup", b"{}")])
    _with_shared_pages(path, "sqlite_autoindex%")
    with pytest.raises(FormatError, match="this sqlite database cannot be read"):
        zspy.file_reader(path)
    assert [finding.severity for finding in zspy.check(path)] == ["error"]
    how: dict[str, Any] = {"store_type": "sqlite", "overwrite": True}
    with pytest.raises(zspy.ZspyError):
        zspy.file_writer(path, signal_of(np.full(3, 2)), **how)


def test_a_file_that_is_no_database_needs_no_module_of_databases(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the package may lack it."""
    Path(f"{path}-journal").write_bytes(b"somebody else's")
    monkeypatch.setitem(sys.modules, "zspy.stores.sqlite", None)
    zspy.file_writer(path, signal_of(np.full(3, 2)), sync=False)
    assert Path(f"{path}-journal").read_bytes() == b"somebody else's"


def test_a_database_of_others_is_not_rolled_back(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE others(k TEXT)")
        database.executemany("INSERT INTO others VALUES (?)", [("a" * 3000,)] * 50)
        database.commit()
    copy = path.with_name("copy")
    half_written(path, copy)
    before = state_of(path.parent)
    with pytest.raises(EncodeError):
        zspy.file_writer(copy, signal_of(np.full(3, 2)), sync=False)
    with pytest.raises(FormatError, match="a file of another format"):
        zspy.file_writer(copy, signal_of(np.full(3, 2)), mode="a", sync=False)
    assert state_of(path.parent) == before


def test_an_ndbm_of_which_two_names_are_one_file_is_not_read(path: Path) -> None:
    Path(f"{path}.pag").touch()
    Path(f"{path}.dir").hardlink_to(f"{path}.pag")
    with pytest.raises(FormatError, match=r"its \.pag and \.dir are one file"):
        opened(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_a_pipe_is_no_database(path: Path) -> None:
    os.mkfifo(path)
    assert kind_of(path) == "unknown"
    for kind in (LMDBStore, SQLiteStore, DBMStore):
        with pytest.raises(FormatError):
            kind(path, read_only=True)


# Power loss, permissions and several writers


def test_a_dumb_dbm_can_be_read_at_each_moment_of_its_replacement(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is replaced again and again takes no more than a few times its place."""
    calls: list[str] = []
    real_sync, real_swap = os.fsync, replace.swap

    def sync(handle: int) -> None:
        calls.append("sync")
        real_sync(handle)

    def swap(new: Path, old: Path) -> None:
        assert calls.count("sync") >= 2
        copy = path.with_name("copy")
        for suffix in (".dat", ".dir"):
            Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
        with DBMStore(copy, read_only=True) as store:
            assert contents(store) == before
        real_swap(new, old)
        calls.append("swap")

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr("zspy.stores.dumb_dbm.swap", swap)
    before: dict[str, bytes] = {}
    sizes: list[int] = []
    with DBMStore(path, module="dbm.dumb") as store:
        for number in range(12):
            calls.clear()
            version = store.version()
            after = {f"{key}": bytes([number]) * (1000 * key + number) for key in range(9)}
            store.replace(after.items())
            assert calls.index("swap") < len(calls) - 1
            assert contents(store) == after
            assert store.version() != version
            sizes.append(Path(f"{path}.dat").stat().st_size)
            before = {**after}
    assert max(sizes) < 4 * sum(map(len, before.values()))
    with DBMStore(path) as store:
        assert contents(store) == before


def test_lmdb_is_replaced_with_its_own_order_of_syncs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LMDBStore(path) as store:
        seen: list[bool] = []
        real = lmdb.open

        def noted(*args: Any, **options: Any) -> Any:
            seen.append(options["sync"] and options["metasync"])
            return real(*args, **options)

        monkeypatch.setattr(lmdb, "open", noted)
        store.replace([("a", b"1")])
        store.update([("b", b"1"), ("c", b"1")])
        store.update([("d", b"1")])
        assert seen == [True, False, True, False]
        assert contents(store) == dict.fromkeys("abcd", b"1")
    seen.clear()
    with LMDBStore(path, sync=True, metasync=True) as store:
        store.replace([("a", b"1")])
    assert seen == [True]


@pytest.mark.skipif(os.name == "nt", reason="there are other permissions there")
@every_database
def test_the_permissions_of_a_database_stay(make: Make, path: Path) -> None:
    with make(path) as store:
        store.replace([(".zgroup", b"{}")])
    files = [file for file in files_of(path) if "lock" not in file.name and ".bak" not in file.name]
    for file in files:
        file.chmod(0o640)
    with make(path) as store:
        store.replace([(".zgroup", b"{ }"), ("a", b"1")])
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


ADD: Final = """
import sys, numpy as np, zspy
path, name, kind = sys.argv[1:]
for number in range(5):
    signal = {"data": np.arange(3), "axes": [{"size": 3}],
              "metadata": {"General": {"title": f"{name}{number}"}}}
    zspy.file_writer(path, signal, mode="a", store_type=kind, show_progressbar=False)
"""


@pytest.mark.parametrize("kind", ["lmdb", "dbm", "sqlite"])
def test_no_addition_of_two_processes_is_lost(kind: str, path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", ADD, path, name, kind], env=environ())
        for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    titles = {signal["metadata"]["General"]["title"] for signal in zspy.file_reader(path)}
    assert titles == {f"{name}{number}" for name in "ab" for number in range(5)}


def titled(title: str) -> dict[str, Any]:
    metadata = {"General": {"title": title}}
    return {"data": np.arange(3), "axes": [{"size": 3}], "metadata": metadata}


@pytest.mark.parametrize("by_path", [False, True])
def test_what_is_added_behind_an_open_dumb_dbm_is_not_lost(by_path: bool, path: Path) -> None:
    options: dict[str, Any] = {"mode": "a", "show_progressbar": False}
    with DBMStore(path, module="dbm.dumb") as store:
        zspy.file_writer(store, titled("0"), close_file=False, **options)
        command = [sys.executable, "-c", ADD, str(path), "a", "dbm"]
        subprocess.run(command, check=True, env=environ())
        if by_path:
            zspy.file_writer(path, titled("1"), store_type="dbm", **options)
        else:
            zspy.file_writer(store, titled("1"), close_file=False, **options)
    titles = [one["metadata"]["General"]["title"] for one in zspy.file_reader(path)]
    assert sorted(titles) == ["0", "1", *(f"a{number}" for number in range(5))]


def test_two_that_change_one_dumb_dbm_lose_nothing(path: Path) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        zspy.file_writer(store, titled("0"), close_file=False, show_progressbar=False)
        store.update([("a", b"1")])
        with dbm.dumb.open(str(path), "w") as other:
            other[b"b"] = b"2"
        store.update([("c", b"3")])
        assert {key: store.read(key) for key in "abc"} == {"a": b"1", "b": b"2", "c": b"3"}
        assert len(zspy.file_reader(store)) == 1


OTHER: Final = """
import json, sys, shutil
from pathlib import Path
from zspy.stores.dbm import DBMStore
from zspy.stores.lmdb import LMDBStore
from zspy.stores.sqlite import SQLiteStore
path, kind, anew = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "anew"
for file in path.parent.iterdir() if anew else ():
    shutil.rmtree(file) if file.is_dir() else file.unlink()
make = {"LMDBStore": LMDBStore, "SQLiteStore": SQLiteStore, "DBMStore": DBMStore}[kind]
with make(path, **json.loads(sys.argv[4])) as store:
    store.update([(f"b{number}", b"2" * 999) for number in range(9)])
    store.update([(".zgroup", b"{ }")])
"""


@pytest.mark.parametrize("anew", ["anew", "more"])
@pytest.mark.parametrize("make", [make for make in DATABASES if make.id != "dbm.gnu"])  # locks
def test_an_open_store_sees_and_keeps_what_another_process_writes(
    make: Make, anew: str, path: Path
) -> None:
    with make(path) as store:
        store.update([(".zgroup", b"{}")])
        before = store.version()
        same = {key: store._options[key] for key in ("module", "subdir") if key in store._options}
        options = [type(store).__name__, anew, json.dumps(same)]
        command = [sys.executable, "-c", OTHER, str(path), *options]
        subprocess.run(command, check=True, env=environ())
        assert store.version() != before
        assert dict(zspy.fetch(store))[".zgroup"] == b"{ }"
        store.update([("a", b"1")])
        store.update([("a", b"1"), ("b1", b"3")])
    with make(path) as store:
        assert {*store.names()} == {".zgroup", "a", *(f"b{number}" for number in range(9))}
        assert store.read("b1") == b"3"


@pytest.mark.parametrize("durable", [False, True])
def test_a_value_of_a_dumb_dbm_is_read_though_others_write_meanwhile(
    durable: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1" * 999), ("b", b"2")])
        other = stores.databases.pop(path.resolve())
        with DBMStore(path) as second:
            real, calls = type(other).version, 0

            def version(self: Any) -> object:
                nonlocal calls
                calls += 1
                if self is other and calls == 2:
                    more = [("b", b"4")] if durable else []
                    second.update([("a", b"3" * 999), *more])
                return real(self)

            monkeypatch.setattr(type(other), "version", version)
            assert store.read("a") == b"3" * 999
        assert store.read("a", slice(-2, None)) == b"33"
        stores.databases[path.resolve()] = other


def test_a_line_that_is_just_being_added_is_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1")])
        index, real = Path(f"{path}.dir"), dbm.dumb.open
        whole = index.read_text()

        def half(*arguments: Any) -> Any:
            index.write_text(whole[:6])
            with contextlib.suppress(SyntaxError):
                real(*arguments)
            monkeypatch.setattr(dbm.dumb, "open", real)
            index.write_text(whole)
            raise SyntaxError

        monkeypatch.setattr(dbm.dumb, "open", half)
        store.refresh()
        assert contents(store) == {"a": b"1"}


def test_values_are_removed_one_by_one_from_a_dumb_dbm(path: Path) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        for number in range(4):
            store.update([(f"{number}", bytes(100 * number))])
        store.flush()
        store.delete_sync("1")
        store.delete_sync("1")
        size = Path(f"{path}.dat").stat().st_size
        store.update([("x", b"1"), ("y", b"")])
        assert Path(f"{path}.dat").stat().st_size == size  # where there is room
    with contextlib.closing(dbm.dumb.open(str(path), "r")) as database:
        assert {key: len(database[key]) for key in database} == {
            b"0": 0,
            b"2": 200,
            b"3": 300,
            b"x": 1,
            b"y": 0,
        }


def test_an_index_that_was_lost_is_not_taken_for_an_empty_one(path: Path) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1")])
    Path(f"{path}.dir").rename(f"{path}.bak")
    with pytest.raises(FormatError, match=r"rename its \.bak to \.dir"):
        DBMStore(path, module="dbm.dumb")
    Path(f"{path}.bak").rename(f"{path}.dir")
    with DBMStore(path) as store:
        assert contents(store) == {"a": b"1"}


def test_an_index_that_names_places_beyond_its_data_is_not_written_to(path: Path) -> None:
    Path(f"{path}.dat").write_bytes(b"123")
    Path(f"{path}.dir").write_text(f"'a', ({10**15}, 1)\n")
    with DBMStore(path) as store, pytest.raises(FormatError, match="that its data lacks"):
        store.replace([("a", b"1")])
    assert Path(f"{path}.dat").read_bytes() == b"123"


def test_without_locks_a_dumb_dbm_is_written_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("zspy.stores.locking._lock", refuse)
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1")])
        assert contents(store) == {"a": b"1"}


def test_nothing_runs_triggers(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.update([(".zgroup", b"{}")])
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TRIGGER t INSERT ON zarr BEGIN DELETE FROM zarr; END")
    with pytest.raises(FormatError, match="it has triggers"):
        SQLiteStore(path).update([("a", b"1")])
    assert dict(zspy.fetch(path)) == {".zgroup": b"{}"}


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE INDEX i ON zarr(hex(v))"],
        ["CREATE TABLE n(k TEXT PRIMARY KEY, v BLOB CHECK (length(v) < 9))"],
    ],
)
def test_nothing_runs_what_a_table_computes_when_it_is_written(
    path: Path, statements: list[str]
) -> None:
    with SQLiteStore(path) as store:
        store.update([(".zgroup", b"{}")])
    with contextlib.closing(sqlite3.connect(path)) as other:
        for statement in statements:
            other.execute(statement)
    with pytest.raises(FormatError, match="checks or indexes, which writing would run"):
        SQLiteStore(path).update([("a", b"1")])
    assert dict(zspy.fetch(path)) == {".zgroup": b"{}"}


def test_a_table_that_computes_its_values_is_not_read(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, w, v BLOB AS (zeroblob(900000000)))")
        other.execute("INSERT INTO zarr(k) VALUES ('.zgroup')")
        other.commit()
    with pytest.raises(FormatError):
        zspy.file_reader(path)
    with pytest.raises((EncodeError, FormatError)):
        SQLiteStore(path)
    with pytest.raises(EncodeError):
        zspy.file_writer(path, titled("a"))


# Recognition


@every_database
def test_a_database_is_recognised(make: Make, path: Path) -> None:
    with make(path) as store:
        kind = {"LMDBStore": "lmdb", "SQLiteStore": "sqlite", "DBMStore": "dbm"}[
            type(store).__name__
        ]
        assert kind_of(path) == kind
        for other in (LMDBStore, SQLiteStore, DBMStore):
            if other is not type(store):
                with pytest.raises(FormatError, match="something else than a database of the kind"):
                    other(path)
    assert kind_of(path) == kind
    with make(path, read_only=True) as store:
        assert store.names() == []


@pytest.mark.parametrize("kind", [LMDBStore, DBMStore, SQLiteStore])
def test_a_database_in_a_folder_that_is_not_there_is_refused(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match=r"/no: there is no such directory; make it first"):
        kind(tmp_path / "no" / "scan.zspy")


def test_what_was_gathered_is_given_by_its_key(tmp_path: Path) -> None:
    gathered = stores.Spool(tmp_path)
    gathered.put([("a", b"x"), ("b", b"y"), ("a", b"z")])
    assert {key: gathered.get(key) for key in gathered.names()} == {"a": b"z", "b": b"y"}
    assert gathered.get("c") is None
    gathered.close()


def test_what_may_not_be_read_is_refused_by_its_path(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    zspy.file_writer(path, {"data": np.arange(3), "axes": [], "metadata": {}}, store_type="zip")
    monkeypatch.setattr("zspy.stores.zip.recognise", refuse)
    with pytest.raises(FormatError, match=rf"{path}: it cannot be read .*Permission denied"):
        zspy.file_reader(path)


def test_what_is_no_database_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".zgroup").touch()
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(".zgroup", "{}")
    for name, statement in (
        ("other", "CREATE TABLE other(k, v)"),
        ("view", "CREATE VIEW zarr(k, v) AS SELECT 1, 2"),
    ):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as database:
            database.execute(statement)
    for file in tmp_path.iterdir():
        assert kind_of(file) in ("unknown", "local", "zip")
        if file.name != "empty":
            for kind in (LMDBStore, SQLiteStore, DBMStore):
                with pytest.raises(FormatError, match="something else than a database of the kind"):
                    kind(file)
                with pytest.raises(FormatError, match="something else than a database of the kind"):
                    kind(file, read_only=True)
    assert kind_of(tmp_path / "nothing") == ""
    assert kind_of(tmp_path / "text" / "nothing") == ""


def test_what_a_damaged_sqlite_file_says_may_be_no_text(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.replace([(".zgroup", b"{}")])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema=ON")
        database.execute(
            "UPDATE sqlite_master SET name = CAST(X'82' AS TEXT), sql = 'CREATE TABLE'"
        )
    assert kind_of(path) == "sqlite"
    with pytest.raises(FormatError, match="this sqlite database cannot be opened"):
        SQLiteStore(path)


def test_a_damaged_sqlite_file_is_recognised_as_sqlite(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    assert kind_of(path) == "sqlite"
    with pytest.raises(FormatError, match="this sqlite database cannot be opened"):
        SQLiteStore(path)


def test_the_files_of_ndbm_are_recognised(path: Path) -> None:
    Path(f"{path}.pag").touch()
    Path(f"{path}.dir").touch()
    assert kind_of(path) == "dbm"


@every_database
def test_to_read_what_is_not_there_makes_nothing(make: Make, path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"scan\.zspy: there is no such database"):
        make(path, read_only=True)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("make", DATABASES[:3])
def test_an_empty_file_or_directory_becomes_a_database(make: Make, path: Path) -> None:
    if make is LMDBStore:
        path.mkdir()
    else:
        path.touch()
    with make(path) as store:
        store.update([("a", b"1")])
        assert contents(store) == {"a": b"1"}


# Files of zarr-python 2


@pytest.fixture(scope="session", params=["hs17", "rs015"])
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(DATA / "corpus.tar.xz") as archive:
        prefixes = tuple(
            f"corpus/{request.param}/store_{kind}" for kind in ("lmdb", "sqlite", "dbm")
        )
        chosen = [member for member in archive if member.name.startswith(prefixes)]
        # The first releases of Python 3.11 know no filter, and ignore this.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder, chosen)
    return folder / "corpus" / str(request.param)


CORPUS: Final = {
    "store_lmdb.zspy": (LMDBStore, "lmdb"),
    "store_sqlite.zspy": (SQLiteStore, "sqlite"),
    "store_dbm_dumb.zspy": (DBMStore, "dbm"),
}


def test_files_of_zarr_2_are_read(corpus: Path) -> None:
    names: set[tuple[str, ...]] = set()
    for name, (kind, recognised) in CORPUS.items():
        assert kind_of(corpus / name) == recognised
        with kind(corpus / name, read_only=True) as store:
            names.add(tuple(store.names()))
            root = open_group(store, mode="r", use_consolidated=False)
            assert root.attrs["file_format"] == "ZSpy"
            experiments = root["Experiments"]
            assert isinstance(experiments, zarr.Group)
            for _, signal in experiments.groups():
                assert isinstance(signal, zarr.Group)
                data = signal["data"]
                assert isinstance(data, zarr.Array)
                assert np.asarray(data[...]).size
    assert len({len(found) for found in names}) == 1


def test_files_of_zarr_2_are_written(corpus: Path, tmp_path: Path) -> None:
    for name, (kind, _) in CORPUS.items():
        with kind(corpus / name, read_only=True) as store:
            items = {
                name: value for name in store.names() if (value := store.read(name)) is not None
            }
        with kind(tmp_path / name) as store:
            store.replace(items.items())
        with kind(tmp_path / name, read_only=True) as store:
            assert contents(store) == items


def test_the_prototype_of_a_buffer_is_optional() -> None:
    store = MappingStore({"a": b"1"})
    default, given = (
        asyncio.run(store.get("a", prototype)) for prototype in (None, default_buffer_prototype())
    )
    assert default is not None
    assert given is not None
    assert default.to_bytes() == given.to_bytes() == b"1"


# What is gathered in a file


def test_a_spool_gives_what_was_put_again_and_again(tmp_path: Path) -> None:
    with contextlib.closing(stores.Spool(tmp_path)) as spool:
        spool.put([("a", b"old"), ("b", b"b" * 1000), ("c", b"")])
        spool.put([("a", b"new")])
        for _ in range(2):
            assert dict(spool) == {"a": b"new", "b": b"b" * 1000, "c": b""}
        assert not os.listdir(tmp_path)


def test_a_spool_lies_where_it_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuse)
    with contextlib.closing(stores.Spool(tmp_path / "nowhere")) as spool:
        spool.put([("a", b"1")])
        assert dict(spool) == {"a": b"1"}


@every_database
def test_a_database_is_replaced_by_a_spool(make: Make, path: Path) -> None:
    """Values are drawn one after the other, and again where LMDB has to begin again."""
    options = {"map_size": 2**16} if make is LMDBStore else {}
    with make(path, **options) as store, contextlib.closing(stores.Spool(path.parent)) as spool:
        store.update([("old", b"x"), ("b", b"x")])
        values = {f"{number}": bytes([number]) * 100_000 for number in range(30)}
        spool.put(values.items())
        store.replace(spool)
        assert contents(store) == values


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_a_link_that_comes_while_a_dumb_dbm_is_open_is_not_followed(
    suffix: str, path: Path
) -> None:
    other = path.with_name("secret")
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1")])
        file = Path(f"{path}{suffix}")
        os.rename(file, other)
        file.symlink_to(other)
        before = other.read_bytes()
        with pytest.raises((FormatError, OSError)):
            store.update([("b", b"2")])
        if suffix == ".dat":
            with pytest.raises((FormatError, OSError)):
                store.read("a")
    assert other.read_bytes() == before


def test_a_gdbm_that_another_process_has_open_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    path.write_bytes((0x13579ACE).to_bytes(4, sys.byteorder))
    monkeypatch.setitem(sys.modules, "dbm.gnu", SimpleNamespace(open=refuse))
    told = "another process has this dbm.gnu database open; try again"
    with pytest.raises(FormatError, match=told):
        DBMStore(path, read_only=True)
    with pytest.raises(EncodeError, match=told):
        DBMStore(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize(("mode", "expected"), [(0o700, 0o600), (0o750, 0o600), (0o755, 0o644)])
def test_a_dbm_in_the_place_of_an_empty_folder_is_as_private(
    mode: int, expected: int, path: Path
) -> None:
    path.mkdir()
    path.chmod(mode)
    signal: dict[str, Any] = {"data": np.zeros(2), "axes": [{"name": "x"}], "metadata": {}}
    zspy.file_writer(path, signal, store_type="dbm", show_progressbar=False)
    files = [file for file in path.parent.iterdir() if file.name.startswith(path.name)]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {expected}


@pytest.mark.parametrize("store", [LMDBStore, DBMStore, SQLiteStore])
@pytest.mark.parametrize("path", [3, None, {}])
def test_what_is_no_path_is_refused_by_its_type(store: Any, path: object) -> None:
    with pytest.raises(EncodeError, match=r"path: .* is no path; use a str or a pathlib\.Path"):
        store(path)


def test_the_sizes_of_very_many_keys_are_asked_for_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, three hundred thousand keys of a database took half a minute."""
    keys = {f"a{number}": bytes(number % 7) for number in range(3000)}
    with SQLiteStore(path) as store:
        store.replace({".zgroup": b"{}", **keys}.items())
    waits: list[object] = []
    waiting = zarr_store.run

    def run(awaited: Any) -> Any:
        waits.append(awaited)
        return waiting(awaited)

    with contextlib.closing(opened(path)) as file:
        monkeypatch.setattr(zarr_store, "run", run)
        assert dict(file.sizes()) == {".zgroup": 2, **{key: len(keys[key]) for key in keys}}
    assert len(waits) < 10


def test_a_table_without_an_index_of_keys_is_refused(path: Path) -> None:
    """Each key would be looked for in all rows: by the square of their number."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE zarr(k TEXT, v BLOB)")
        database.execute("INSERT INTO zarr VALUES ('.zgroup', '{\"zarr_format\":2}')")
    with pytest.raises(FormatError, match="no index of keys"):
        zspy.open_group(path)


@pytest.mark.parametrize("kind", ["sqlite", "dbm.gnu"])
def test_a_value_that_is_read_in_parts_is_read_once(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard is read in thousands of parts, and these databases give whole values only."""
    if kind != "sqlite":
        pytest.importorskip(kind)
    make: Any = SQLiteStore if kind == "sqlite" else dbm_of(cast("DBMKind", kind))
    with contextlib.closing(make(path)) as store:
        store.replace([("a", b"0123456789"), ("b", b"abc")])
        database = store.shared()
        looked: list[bytes] = []
        whole = database.whole

        def counted(key: bytes) -> bytes | None:
            looked.append(key)
            found: bytes | None = whole(key)
            return found

        monkeypatch.setattr(database, "whole", counted)
        parts = [store.read("a", slice(start, start + 2)) for start in range(1, 9)]
        assert parts == [b"0123456789"[start : start + 2] for start in range(1, 9)]
        assert looked == [b"a"]
        store.replace([("a", b"9876543210")])
        assert store.read("a", slice(1, 3)) == b"87"
        assert store.read("a", slice(-2, None)) == b"10"
        assert store.read("b", slice(1, 2)) is None


@pytest.mark.parametrize("name", ["identity_of", "refuse_links"])
def test_who_is_interrupted_while_a_database_is_opened_may_open_it_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDB opens nothing twice in a process, and who read it found it half open."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "scan.zspy"
    zspy.commit({".zgroup": b"{}"}, path, store_type="lmdb", sync=False)
    reader = opened(path) if name == "refuse_links" else None
    module = lmdb_stores if name == "refuse_links" else stores
    with monkeypatch.context() as patched:
        patched.setattr(module, name, interrupted)
        # What is raised keeps what was opened, as it does in a notebook.
        with pytest.raises(KeyboardInterrupt) as stopped:
            LMDBStore(path)
    assert dict(reader or zspy.fetch(path)) == {".zgroup": b"{}"}
    if reader is not None:
        reader.close()
    zspy.commit({".zgroup": b"{ }"}, path, store_type="lmdb", overwrite=True, sync=False)
    assert dict(zspy.fetch(path)) == {".zgroup": b"{ }"}
    assert stopped.type is KeyboardInterrupt


def test_the_sizes_of_a_database_are_looked_up_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LMDBStore(tmp_path / "x") as store:
        zspy.commit(zspy.serialise(zspy.encode({"a": 1})), store)
        store.update((f"stray{number}", b"12") for number in range(3000))
    times = 0
    newest = cast("Any", lmdb_pages)._newest

    def counted(file: object) -> object:
        nonlocal times
        times += 1
        return newest(file)

    monkeypatch.setattr(lmdb_pages, "_newest", counted)
    with contextlib.closing(opened(tmp_path / "x")) as file:
        assert sum(size for key, size in file.sizes() if "stray" in key) == 6000
    assert times < 100


@pytest.mark.parametrize("line", ["'a', (1+1, 2)", "'a', (1, 2, 3)", "['a'], (1, 2)", "'a', 1"])
def test_an_index_of_dbm_dumb_is_no_program(tmp_path: Path, line: str) -> None:
    place = tmp_path / "x"
    zspy.commit(zspy.serialise(zspy.encode({"a": 1})), DBMStore(place, module="dbm.dumb"))
    with open(f"{place}.dir", "a", encoding="latin-1") as index:
        index.write(f"{line}\n")
    with pytest.raises(FormatError, match="no line of its index"):
        zspy.open_group(place)


def test_the_index_of_dbm_dumb_has_any_key(tmp_path: Path) -> None:
    keys = [b"a'b", b'a"b', b"a\\b", b"\xff\n", b"", b"'\"\\n", "\u00e9".encode()]
    with dbm.dumb.open(str(tmp_path / "x"), "n") as database:
        for key in keys:
            database[key] = key * 2
    with DBMStore(tmp_path / "x", read_only=True) as store:
        found = {stores.raw_key(key): store.read(key) for key in store.names()}
    assert found == {key: key * 2 for key in keys}


def test_a_database_that_is_written_tells_sizes_as_well(tmp_path: Path) -> None:
    with LMDBStore(tmp_path / "x") as store:
        store.update({"a": b"12", "b": b""}.items())
        assert store.sizes(["a", "b", "c"]) == [2, 0, 0]
    assert MappingStore({"a": b"12"}).sizes(["a", "b"]) == [2, 0]


def test_an_index_of_dbm_dumb_to_which_a_line_is_just_added_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "x"
    zspy.commit(zspy.serialise(zspy.encode({"a": 1})), DBMStore(place, module="dbm.dumb"))
    entry, lines = cast("Any", dumb_dbm)._entry, list[str]()

    def cut(line: str) -> object:
        lines.append(line)
        if len(lines) == 1:
            with open(f"{place}.dir", "a", encoding="latin-1") as index:
                index.write("'b', (0, 0)\n")
            line = line[:-3]
        return entry(line)

    monkeypatch.setattr(dumb_dbm, "_entry", cut)
    with DBMStore(place, read_only=True) as store:
        assert "b" in store.names()


@pytest.mark.parametrize("kind", ["lmdb", "dbm"])
def test_a_new_database_takes_its_place_when_it_is_whole(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that was killed left one with nothing in it, which nobody could read."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    signal = signal_of(np.arange(6).reshape(2, 3))
    path = tmp_path / "scan.zspy"
    with monkeypatch.context() as patched:
        patched.setattr(stores.DatabaseStore, "replace_file", stopped)
        with pytest.raises(KeyboardInterrupt):
            zspy.file_writer(path, signal, store_type=kind)
    assert not [*tmp_path.iterdir()]
    zspy.file_writer(path, signal, store_type=kind)
    assert zspy.file_reader(path)[0]["data"].shape == (2, 3)
    (tmp_path / ".scan.zspy.zspy-new-0123456789ab").mkdir()
    zspy.file_writer(path, signal, store_type=kind)
    assert all(one.name.startswith("scan.zspy") for one in tmp_path.iterdir())


@pytest.mark.parametrize("is_read_before", [False, True])
def test_a_map_that_the_system_refuses_is_told(
    is_read_before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a limit of addresses, where those who read the file meanwhile go on."""
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(np.arange(3)), store_type="lmdb")
    readers = [opened(path)] if is_read_before else []

    def refuse(*_: object, **__: object) -> None:
        raise lmdb.MemoryError(str(path), 12)

    monkeypatch.setattr(lmdb, "open", refuse)
    with pytest.raises(EncodeError, match=r"no 1099511627776 addresses.*map_size"):
        LMDBStore(path)
    for reader in readers:
        assert ".zgroup" in reader
        reader.close()


def test_a_disk_that_is_full_leaves_the_root_of_an_ndbm_of_two_files(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(file: str, flag: Any, mode: int) -> Any:
        return dbm.dumb.open(file, flag, mode)

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "on purpose")

    monkeypatch.setitem(sys.modules, "dbm.ndbm", SimpleNamespace(open=make))
    with DBMStore(path, module="dbm.ndbm") as store:
        store.update([(".zgroup", b"old")])
        with monkeypatch.context() as patch:
            patch.setattr("zspy.stores.dbm.flush", full)
            with pytest.raises(OSError, match="on purpose"):
                store.replace([(".zgroup", b"new")])
        assert store.read(".zgroup") == b"old"


@pytest.mark.parametrize("others", [False, True])
def test_a_database_that_cannot_be_looked_at_again_is_not_held(
    others: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DBMStore(path, module="dbm.dumb") as store:
        store.update([("a", b"1")])
        if not others:
            store.close()

        def fail(_: object) -> None:
            raise ValueError("on purpose")

        with monkeypatch.context() as patch:
            patch.setattr("zspy.stores.dumb_dbm.DumbDatabase.refresh", fail)
            with pytest.raises(FormatError, match="on purpose"):
                DBMStore(path, read_only=True)
        assert (path in stores.databases) == others
        assert store.read("a") == b"1"
    assert path not in stores.databases
