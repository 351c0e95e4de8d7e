"""What each row of the list of backends does that writes files at a path."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import pytest

import zspy
from tests.support.places import DATABASES, IN_PLACE
from tests.support.signals import version_of
from zspy import EncodeError
from zspy.stores.backends import STORE_TYPES, StoreType, kind_of, opened
from zspy.stores.in_place import in_place
from zspy.stores.lmdb import LMDBStore

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
ROWS: Final = 16
WRITE_ROWS: Final = f"""
import sys, numpy as np, zspy
for row in range(int(sys.argv[2]), {ROWS}, 2):
    axes = [{{"name": "y", "size": 1}}, {{"name": "x", "size": 3}}]
    signal = {{"data": np.full((1, 3), row + 1), "axes": axes, "metadata": {{}}}}
    zspy.file_writer(
        sys.argv[1], signal, region={{"y": slice(row, row + 1)}}, show_progressbar=False
    )
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder / "scan.zspy"


def write(path: Path, number: int, title: str = "t", **options: Any) -> None:
    zspy.file_writer(path, version_of(number, title), **{**QUIET, **options})


def numbers(path: Path, **options: Any) -> list[int]:
    """Read the signals, each of which has to be of one version."""
    found = [
        (one["metadata"], np.asarray(one["data"])) for one in zspy.file_reader(path, **options)
    ]
    assert all((data == metadata["n"]).all() for metadata, data in found)
    return [metadata["n"] for metadata, _ in found]


def test_type_checkers_and_people_know_all_kinds_that_may_be_asked_for(path: Path) -> None:
    assert get_args(StoreType) == STORE_TYPES, f"StoreType has to name {STORE_TYPES}"
    names = " or ".join(f"'{kind}'" for kind in STORE_TYPES)
    with pytest.raises(zspy.EncodeError, match=f"store_type: 'x' .* use one of {names}"):
        write(path, 0, store_type="x")


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_documents_of_any_size_and_name_come_back(kind: Any, path: Path) -> None:
    group = b'{"zarr_format":2}'
    documents = {
        ".zgroup": group,
        "é, '%;/.zgroup": group,
        "0": b"",
        "1": bytes(range(256)) * 2**13,
    }
    zspy.commit(documents, path, store_type=kind, sync=False)
    found = zspy.fetch(path)
    assert dict(found) == documents
    with closing(opened(path)) as file:
        assert dict(file.sizes()).keys() == documents.keys()
        assert file.read("1", slice(255, 257)) == b"\xff\0"


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_a_file_that_is_emptied_keeps_its_kind_and_takes_a_new_file(
    kind: Any, is_there: bool, path: Path
) -> None:
    if is_there:
        write(path, 0, store_type=kind)
    for _ in range(2):
        zspy.commit({}, path, store_type=kind, sync=False)
        assert (dict(zspy.fetch(path)), kind_of(path)) == ({}, kind)
        with pytest.raises(zspy.FormatError):
            zspy.file_reader(path)
    write(path, 1, store_type=kind)
    assert numbers(path) == [1]


@pytest.mark.parametrize("kind", IN_PLACE)
def test_a_file_in_which_nothing_is_put_stays_as_it_is(kind: str, path: Path) -> None:
    write(path, 2, store_type=kind)
    before, names = dict(zspy.fetch(path)), sorted(os.listdir(path.parent))
    with in_place(path, "Experiments/t") as sink:
        sink.put(())
        sink.sync()
    assert dict(zspy.fetch(path)) == before
    assert sorted(os.listdir(path.parent)) == names


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_all_of_a_file_lies_below_its_root(kind: str, path: Path) -> None:
    write(path, 0, store_type=kind)
    with closing(opened(path)) as file:
        assert sorted(file.below("")) == sorted(file)
        own = [key for key in file if key.startswith("Experiments/t/")]
        assert sorted(file.below("Experiments/t")) == sorted(own)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_a_file_is_written_replaced_added_to_and_updated(
    kind: str, zarr_format: int, path: Path
) -> None:
    options: dict[str, Any] = {"store_type": kind, "zarr_format": zarr_format}
    write(path, 0, **options)
    assert numbers(path) == [0]
    before = sorted(os.listdir(path.parent))
    write(path, 1, **options)
    write(path, 2, "u", mode="a", **options)
    zspy.update(path, {"note": "x"}, title="u", sync=False)
    assert numbers(path) == [1, 2]
    assert zspy.file_reader(path)[1]["metadata"]["note"] == "x"
    assert zspy.check(path) == []
    assert sorted(os.listdir(path.parent)) == before
    if kind in DATABASES:  # what is in them is replaced, and they replace no other file
        write(path, 4, **options)
    else:
        write(path, 3, store_type="local")
        write(path, 4, **options)
    assert numbers(path) == [4]


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_a_lazy_array_goes_to_threads_and_other_processes(kind: str, path: Path) -> None:
    pytest.importorskip("dask")
    write(path, 5, store_type=kind, chunks=(1, 5))
    ((lazy,),) = [[one["data"] for one in zspy.file_reader(path, lazy=True)]]
    again: Any = pickle.loads(pickle.dumps(lazy))  # noqa: S301

    def total(_: int) -> int:
        return int(again.sum().compute())

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(total, range(8))] == [5 * 20] * 8


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_an_array_that_fails_leaves_the_old_file_and_nothing_else(kind: str, path: Path) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError("no more frames")

    write(path, 6, store_type=kind)
    before = sorted(os.listdir(path.parent))
    da = pytest.importorskip("dask.array")
    data = da.zeros((4, 5), chunks=(2, 5)).map_blocks(fail, dtype="f8", meta=np.ones(()))
    options: dict[str, Any] = {"store_type": kind, **QUIET}
    with pytest.raises(RuntimeError, match="no more frames"):
        zspy.file_writer(path, version_of(7) | {"data": data}, **options)
    assert numbers(path) == [6]
    assert sorted(os.listdir(path.parent)) == before


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_half_of_a_file_is_told(kind: str, path: Path) -> None:
    write(path, 8, store_type=kind)
    files = [one for one in path.parent.rglob("*") if one.is_file() and one.stat().st_size > 9]
    for one in files:
        os.truncate(one, one.stat().st_size // 2)
    with pytest.raises(zspy.FormatError):
        zspy.file_reader(path)


@pytest.mark.parametrize("kind", IN_PLACE)
def test_regions_are_written_by_two_processes_at_once(kind: str, path: Path) -> None:
    """They take no lock of the file: what is no file of its own needs one, or a transaction."""
    axes = [{"name": "y", "size": ROWS}, {"name": "x", "size": 3}]
    signal: dict[str, Any] = {"data": np.zeros((ROWS, 3), int), "axes": axes, "metadata": {}}
    options: dict[str, Any] = {"store_type": kind, "chunks": (1, 3), **QUIET}
    zspy.file_writer(path, signal, **options)
    command = [sys.executable, "-c", WRITE_ROWS, str(path)]
    with (
        subprocess.Popen([*command, "0"]) as even,
        subprocess.Popen([*command, "1"]) as odd,
    ):
        assert (even.wait(), odd.wait()) == (0, 0)
    (found,) = zspy.file_reader(path)
    assert np.asarray(found["data"])[:, 0].tolist() == [*range(1, ROWS + 1)]


@contextmanager
def somebody_else() -> Generator[None]:
    """Be a user who owns nothing, where the tests are run by one who may do everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


ASKED: Final[dict[str, Callable[[Path], Any]]] = {
    "read": zspy.file_reader,
    "write": lambda path: write(path, 2),
    "replace": lambda path: write(path, 2, overwrite=True),
    "add": lambda path: write(path, 2, "more", mode="a"),
    "update": lambda path: zspy.update(path, {"n": 2}),
}


@pytest.mark.skipif(os.name == "nt", reason="it has other permissions")
@pytest.mark.parametrize("way", ASKED)
@pytest.mark.parametrize("closed", ["folder", "file"])
@pytest.mark.parametrize("kind", STORE_TYPES)
def test_what_may_not_be_reached_is_refused_by_name(kind: Any, closed: str, way: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.zspy"
        write(path, 1, store_type=kind)
        # Without its index there is no dbm, for the standard library.
        every = [one for one in Path(folder).rglob("*") if one.suffix != ".dir"]
        files = [one for one in every if one.is_file()]
        Path(folder).chmod(0o555)
        if closed == "file":
            for one in files:
                one.chmod(0)
        else:
            Path(folder).chmod(0)
        with somebody_else(), pytest.raises(PermissionError, match=r"scan|zgroup") as error:
            ASKED[way](path)
        # What the system tells a writer has the path.
        assert isinstance(error.value, zspy.ZspyError) or error.value.filename
        Path(folder).chmod(0o700)
        for one in files:
            one.chmod(0o600)
        assert numbers(path) == [1]


def never(*_: object) -> bool:
    return False


def flags_of(read_only: bool) -> Any:
    """Make a `statvfs` that says of a disk whether it is read-only."""

    def ask(path: Any) -> os.statvfs_result:
        found = [*os_statvfs(path)]
        found[8] = os.ST_RDONLY if read_only else 0
        return os.statvfs_result(found)

    os_statvfs = os.statvfs
    return ask


@pytest.mark.skipif(os.name == "nt", reason="what is tested are disks of Unix")
@pytest.mark.parametrize(
    ("read_only", "remedy"),
    [(False, "change its permissions first"), (True, "its disk is read-only: write to another")],
)
def test_what_may_not_be_written_has_a_remedy_that_helps(
    read_only: bool, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, version_of(1), **QUIET)
    monkeypatch.setattr(os, "statvfs", flags_of(read_only))
    monkeypatch.setattr(os, "access", never)
    with pytest.raises(PermissionError, match=f"may not be written; {remedy}"):
        zspy.file_writer(path, version_of(2), mode="a", **QUIET)


def test_a_database_that_may_not_be_written_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lmdb: Any = pytest.importorskip("lmdb")
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, version_of(1), store_type="lmdb", **QUIET)

    def refuse(*_: Any, **__: Any) -> None:
        raise lmdb.Error("Permission denied")

    monkeypatch.setattr(lmdb, "open", refuse)
    monkeypatch.setattr(lmdb, "Environment", refuse)
    monkeypatch.setattr(os, "access", never)
    with pytest.raises(PermissionError, match="may not be written"):
        LMDBStore(path)


@pytest.mark.skipif(os.name == "nt", reason="what is tested are disks of Unix")
def test_a_region_on_a_read_only_disk_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.zspy"
    axes = [{"name": "y", "size": 2}]
    signal: dict[str, Any] = {"data": np.arange(2), "axes": axes, "metadata": {}}
    zspy.file_writer(path, signal, **QUIET)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("zspy.stores.directory.move", refuse)
    with pytest.raises(EncodeError, match=r"it cannot be replaced .*; its disk is read-only"):
        zspy.file_writer(path, signal, region={"y": slice(0, 2)}, **QUIET)
