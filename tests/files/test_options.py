"""Each wrong call is told with what is wrong, where, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from zspy.stores.replace import present

AXES: Final = [{"name": "y", "size": 3, "navigate": True}, {"name": "x", "size": 4}]
SIGNAL: Final[Any] = {"data": np.zeros((3, 4)), "axes": AXES, "metadata": {}}
ANY: Final[Any] = zspy  # wrong calls are what is tested here


class Unshown:
    """Has a representation that fails, as objects have that are not complete yet."""

    def __repr__(self) -> str:
        raise AttributeError("not yet")


WRONG: Final[dict[str, tuple[Callable[[Any], object], str]]] = {
    "a misspelt option": (
        lambda file: ANY.file_writer(file, SIGNAL, compresor=None),
        "compresor: file_writer has no such option; did you mean 'compressor'?",
    ),
    "an option of another library": (
        lambda file: ANY.file_reader(file, squeeze=True),
        "squeeze: file_reader has no such option; leave it out",
    ),
    "a misspelt option of the reader": (
        lambda file: ANY.file_reader(file, lasy=True),
        "lasy: file_reader has no such option; did you mean 'lazy'?",
    ),
    "options of no URL": (
        lambda file: ANY.file_writer(str(file), SIGNAL, storage_options={"anon": True}),
        "storage_options: only a URL has options; leave them out",
    ),
    "a lock that is none": (
        lambda file: ANY.file_writer(file, SIGNAL, lock="no"),
        "lock: 'no' is no choice; use one of (None, False, True)",
    ),
    "a time that has passed": (
        lambda file: ANY.file_writer(file, SIGNAL, lock_timeout=-1),
        "lock_timeout: -1 is no number of seconds; use lock=False for no lock",
    ),
    "text for yes or no": (
        lambda file: ANY.file_reader(file, lazy="no"),
        "lazy: 'no' is no choice; use one of (None, False, True)",
    ),
    "a limit below nothing": (
        lambda _: zspy.Limits(array=-1),
        "limits.array: -1 is no limit; use 0 or more",
    ),
    "a tree that is not encoded": (
        lambda _: dict(ANY.serialise({"a": 1})),
        "node: a dict is no node; use zspy.Group or zspy.Array",
    ),
    "an array that is no node": (
        lambda _: dict(ANY.serialise(zspy.Group({}, {"a": ANY.Array([1])}))),
        "a/data: a list is no array; use numpy.asarray",
    ),
    "a format of Zarr that is none": (
        lambda _: dict(ANY.serialise(zspy.Group(), zarr_format=1)),
        "zarr_format: 1 is no choice; use one of (2, 3)",
    ),
    "a path for documents": (
        lambda file: ANY.deserialise(str(file)),
        "documents: a str is no mapping of documents; fetch gives one",
    ),
    "text for a document": (
        lambda _: ANY.deserialise({".zgroup": "{}"}),
        ".zgroup: a str is no document; use bytes",
    ),
    "a value for a document": (
        lambda file: ANY.commit({"a": 1}, file),
        "a: an int is no document; use bytes",
    ),
    "an array for yes or no": (
        lambda file: ANY.file_writer(file, SIGNAL, overwrite=np.ones(3)),
        "overwrite: array([1., 1., 1.]) is no choice; use one of (None, True, False)",
    ),
    "an array for a choice": (
        lambda file: ANY.file_writer(file, SIGNAL, unsupported=np.ones(3)),
        "unsupported: array([1., 1., 1.]) is no choice; use one of ('raise', 'skip', 'drop')",
    ),
    "an array for links": (
        lambda file: ANY.file_reader(file, links=np.ones(3)),
        "links: array([1., 1., 1.]) is no choice",
    ),
    "an array for a kind of store": (
        lambda file: ANY.file_writer(file, SIGNAL, store_type=np.ones(3)),
        "store_type: a NumPy array is no kind of store",
    ),
    "an array for a fill value": (
        lambda file: ANY.file_writer(file, SIGNAL, fill_value=np.ones(3)),
        "fill_value: a NumPy array is no number; use a number",
    ),
    "an array for a title": (
        lambda file: ANY.update(file, {}, title=np.ones(3)),
        "title: a NumPy array is no text; use the title of a signal",
    ),
    "an array for homogenize": (
        lambda _: ANY.encode({}, homogenize=np.ones(3)),
        "homogenize: array([1., 1., 1.]) is no choice; use one of (True, False)",
    ),
    "a number for the storage": (
        lambda _: dict(ANY.serialise(zspy.Group(), storage=3)),
        "storage: an int is no Storage; use zspy.Storage()",
    ),
    "a name for a compressor": (
        lambda _: ANY.Storage(compressor="zstd"),
        "compressor: a str is no codec; use one of numcodecs, such as numcodecs.Zstd()",
    ),
    "a number for the filters of a storage": (
        lambda _: ANY.Storage(filters=3),
        "filters: an int is no list of codecs; use [codec]",
    ),
    "a number for chunks": (
        lambda _: dict(zspy.serialise(ANY.Array(np.ones(3), chunks=3))),
        "chunks: an int is no tuple of edges; give a positive edge for each dimension",
    ),
    "bytes for documents": (
        lambda file: ANY.commit(b"x", file),
        "documents: an int is no pair of a str and bytes; serialise makes them",
    ),
    "numbers for keys": (
        lambda file: ANY.commit({1: b""}, file),
        "documents: a tuple is no pair of a str and bytes; serialise makes them",
    ),
    "numbers that are no shape": (
        lambda file: ANY.create(file, SIGNAL, shape=np.ones(2)),
        "shape: [1.0, 1.0] is no shape; give sizes",
    ),
    "a number for the path of a database": (
        lambda _: ANY.LMDBStore(3),
        "path: an int is no path; use a str or a pathlib.Path",
    ),
    "an option that lmdb does not have": (
        lambda file: ANY.LMDBStore(file.with_name("a.lmdb"), colour=3),
        "options: unrecognized keyword argument, among sync, metasync, max_spare_txns, colour, ",
    ),
    "a list for a flag": (
        lambda file: ANY.DBMStore(file.with_name("a.dbm"), flag=[]),
        "flag: [] is no choice; use one of ('r', 'w', 'c', 'n')",
    ),
    "a filter that is none": (
        lambda file: ANY.file_writer(file, SIGNAL, filters="delta"),
        "filters: a str is no list of codecs",
    ),
    "a filter for the filters": (
        lambda file: ANY.file_writer(file, SIGNAL, filters=numcodecs.Delta("f8")),
        "filters: a Delta is no list of codecs; use [codec]",
    ),
    "a class of codecs": (
        lambda file: ANY.file_writer(file, SIGNAL, compressor=numcodecs.Blosc),
        "is no codec of numcodecs; use numcodecs.Blosc(",
    ),
    "options of the storage as text": (
        lambda file: ANY.file_reader(str(file), storage_options="anon"),
        "storage_options: a str is no dictionary",
    ),
    "a codec for the codecs": (
        lambda file: ANY.file_reader(file, codecs="delta"),
        'codecs: a str is no collection of names; use a tuple, such as ("name",)',
    ),
    "a number for the limits": (
        lambda file: ANY.file_reader(file, limits=5),
        "limits: an int is no limit; use zspy.Limits(array=2**40)",
    ),
    "a number for the limits of a check": (
        lambda file: ANY.check(file, limits=5),
        "limits: an int is no limit",
    ),
    "a limit as text": (
        lambda _: ANY.Limits(array="1"),
        "limits.array: a str is no limit; use an integer",
    ),
    "an array for the signal of create": (
        lambda file: ANY.create(file, np.zeros(3)),
        "signal: a NumPy array is no signal; give a dictionary",
    ),
    "create with its arguments swapped": (
        lambda file: ANY.create(SIGNAL, file),
        "is no signal; the file comes first, and then the signal",
    ),
    "a dtype that is none": (
        lambda file: ANY.create(file, {"axes": AXES, "metadata": {}}, dtype="flot"),
        "dtype: 'flot' is no dtype; use one of NumPy",
    ),
    "a number for an axis": (
        lambda file: ANY.update(file, axes={"y": 3}),
        "axes['y']: an int is no dictionary; use {\"key\": value}",
    ),
    "nodes for documents": (
        lambda file: ANY.commit(zspy.Group(), file),
        "documents: a zspy.Group is no mapping of documents; serialise makes them",
    ),
    "nothing to encode": (lambda _: ANY.encode_signal(None), "None is no signal"),
    "nothing to decode": (
        lambda _: ANY.decode_signal(None),
        "group: None is no group; encode_signal",
    ),
    "an array for the options of the storage": (
        lambda file: ANY.file_reader(str(file), storage_options=np.ones(2)),
        "storage_options: a NumPy array is no dictionary; use a dictionary, such as",
    ),
    "an array for filters": (
        lambda file: ANY.file_writer(file, SIGNAL, filters=np.ones(2)),
        "filters: a NumPy array is no list of codecs",
    ),
    "an array for a mode": (
        lambda file: ANY.file_reader(file, mode=np.ones(2)),
        "mode: array([1., 1.]) is no choice; use one of",
    ),
    "what cannot be shown": (
        lambda file: ANY.file_reader(file, missing=Unshown()),
        "missing: Unshown is no choice; use one of",
    ),
    "a list of ten thousand numbers for an axis": (
        lambda file: ANY.file_writer(file, SIGNAL, append_dim=[*range(10_000)]),
        "9998, 9999], or it has no name of its own; use one of 'y', 'x', or a number below 2",
    ),
    "more dimensions than NumPy has": (
        lambda file: ANY.create(file, SIGNAL, shape=(1,) * 100),
        "shape: NumPy has no array of [1, 1, 1, ",
    ),
    "a dictionary for a dtype": (
        lambda file: ANY.create(file, SIGNAL, dtype={"a": 1}),
        "dtype: {'a': 1} is no dtype; use one of NumPy",
    ),
    "a surrogate for a dtype": (
        lambda file: ANY.create(file, SIGNAL, dtype="\ud800"),
        "is no dtype; use one of NumPy",
    ),
    "a dictionary that is no store": (
        lambda _: ANY.file_reader({1: b""}),
        "documents: a place for a file has names as keys, and not 1; fetch gives one",
    ),
    "a misspelt choice of deserialise": (
        lambda file: ANY.deserialise(zspy.fetch(file), missing="rais"),
        "missing: 'rais' is no choice; use one of ('warn', 'raise', 'ignore')",
    ),
    "text for a function": (
        lambda file: ANY.deserialise(zspy.fetch(file), load="data"),
        "load: a str is no function; give one, or None",
    ),
    "text for the values of a check": (
        lambda file: ANY.check(file, data="no"),
        "data: 'no' is no choice; use one of (None, False, True)",
    ),
    "text for yes or no of a commit": (
        lambda file: ANY.commit({".zgroup": b"{}"}, file, sync="no"),
        "sync: 'no' is no choice; use one of (None, False, True)",
    ),
    "a list for a kind of store": (
        lambda file: ANY.commit({".zgroup": b"{}"}, file, store_type=["zip"]),
        "store_type: a list is no kind of store",
    ),
    "an order of the storage that is none": (
        lambda _: ANY.Storage(order="A"),
        "order: 'A' is no choice; use one of ('C', 'F')",
    ),
    "a separator that is none": (
        lambda _: ANY.Storage(separator="-"),
        "separator: '-' is no choice; use one of ('/', '.')",
    ),
    "a list for chunks": (
        lambda _: dict(zspy.serialise(ANY.Array(np.ones(3), chunks=[2]))),
        "chunks: a list is no tuple of edges; give a positive edge for each dimension",
    ),
    "a number for the codec of cells": (
        lambda _: dict(zspy.serialise(ANY.Array(np.ones(3), cells=2))),
        "an int is no codec of cells",
    ),
    "a list for a mapping": (
        lambda _: zspy.stores.MappingStore(ANY.REMOVE),
        "mapping: a Removal is no mapping of documents; use a dict",
    ),
    "a module that makes no database": (
        lambda file: ANY.DBMStore(file.with_name("a.dbm"), module="dbm.fast"),
        "module: 'dbm.fast' is no choice; use one of (None, 'dbm.gnu', ",
    ),
    "too few dimensions": (
        lambda file: zspy.append(file, 3),
        "frames: 0 dimensions; frames have the shape (4,)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_told_with_its_place_and_a_remedy(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.zspy"
    zspy.file_writer(file, SIGNAL)
    call, message = WRONG[name]
    with pytest.raises(zspy.EncodeError) as error:
        call(file)
    assert message in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("n" * 256, "is too long a name"),
        ("/".join(["n" * 200] * 30), "is too long a path"),
        ("a\ud800b", "is no path"),
        ("a\0b", "is no path"),
        ("", "is no path"),
    ],
)
@pytest.mark.parametrize("call", ["file_reader", "open_group", "check", "update", "read_hspy"])
def test_what_can_be_no_path_is_refused(call: str, text: str, problem: str) -> None:
    if call == "read_hspy":
        pytest.importorskip("h5py")
    with pytest.raises(zspy.EncodeError, match=f"^filename: '.*' {problem}; name a file, like"):
        getattr(zspy, call)(text)


def test_the_root_of_the_disk_is_no_zspy_file() -> None:
    root = Path("/").resolve()
    assert present(root) == root
    with pytest.raises(zspy.EncodeError, match="a folder, and no name of a file; name a file in"):
        zspy.file_writer(root, SIGNAL)


def test_a_folder_that_is_not_there_is_an_error_of_the_system_as_well(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "file.zspy"
    with pytest.raises(zspy.EncodeError, match="no such directory; make it first") as error:
        zspy.file_writer(path, SIGNAL)
    assert isinstance(error.value, FileNotFoundError)
    assert (error.value.errno, error.value.filename) == (errno.ENOENT, str(path.parent))


def test_a_link_that_leads_to_itself_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    path.symlink_to(path)
    with pytest.raises(zspy.EncodeError, match=r"a\.zspy: a link that leads to itself; remove it$"):
        zspy.file_writer(path, SIGNAL)
    assert [*tmp_path.iterdir()] == [path]


def test_a_disk_that_fails_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zspy"
    path.write_text("text")

    def failing(_: object) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("zspy.stores.zip.recognise", failing)
    with pytest.raises(
        zspy.FormatError, match=r"a\.zspy: it cannot be read \(Input/output error\)"
    ):
        zspy.file_reader(path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(zspy.EncodeError, match="text: a file is there, and no directory; write"):
        zspy.file_writer(tmp_path / "text" / "file.zspy", SIGNAL)


def test_the_home_of_a_user_is_found_by_shells_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"use os\.path\.expanduser"):
        zspy.file_reader("~/file.zspy")
    with pytest.raises(FileNotFoundError, match=r"use os\.path\.expanduser"):
        zspy.file_writer("~/file.zspy", SIGNAL)


@pytest.mark.parametrize("call", ["file_writer", "update", "append"])
def test_what_may_not_be_written_is_an_error_of_the_system_as_well(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.zspy"
    zspy.file_writer(path, SIGNAL)

    def refused(*_: Any) -> bool:
        return False

    monkeypatch.setattr("os.access", refused)
    with pytest.raises(PermissionError, match="may not be written; change its perm") as error:
        getattr(zspy, call)(path, SIGNAL)
    assert isinstance(error.value, zspy.EncodeError)
    assert (error.value.errno, error.value.filename) == (errno.EACCES, str(path))


def test_what_may_not_be_read_is_an_error_of_the_system_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")

    monkeypatch.setattr("zspy.stores.backends.backend_of", refused)
    with pytest.raises(PermissionError, match=r"it cannot be read \(Permission denied\)") as error:
        zspy.file_reader(tmp_path)
    assert isinstance(error.value, zspy.FormatError)


def test_nothing_is_called_like_the_home_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zspy.EncodeError, match="~: a folder, and no name of a file"):
        zspy.file_writer("~", SIGNAL)


def test_a_file_without_a_signal_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tree.zarr"
    zspy.commit(zspy.serialise(zspy.encode({"a": 1})), path)
    with pytest.raises(zspy.EncodeError, match="title: there is no signal; write its first"):
        zspy.append(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_signal_that_has_lost_its_array_is_damaged(zarr_format: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.zspy"
    zspy.file_writer(path, SIGNAL, zarr_format=zarr_format)
    rmtree(path / "Experiments" / "__unnamed__" / "data")
    with pytest.raises(zspy.FormatError, match="data: a signal without its array; the file is"):
        zspy.file_reader(path)
    assert any(one.severity == "error" for one in zspy.check(path))
    with pytest.raises(zspy.FormatError, match="a signal without its array"):
        zspy.update(path, {"a": 1})
