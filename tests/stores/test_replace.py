"""A file is replaced as a whole: what is kept is linked, and nothing of others is touched."""

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import shutil
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import zspy
from tests.support.signals import version_of
from zspy import EncodeError, FormatError
from zspy.stores import backends, directory, folders, locking, replace
from zspy.stores.dbm import DBMStore
from zspy.stores.folders import OpenHandle, open_below, opened_folder, remove_at
from zspy.stores.permissions import keep_permissions

QUIET: Final[dict[str, Any]] = {"show_progressbar": False, "sync": False}
DATA: Final = np.arange(40 * 6, dtype="u2").reshape(40, 6)
CHUNKS: Final = "Experiments/t/data"
KINDS: Final = ("local", "zip")
both_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory with an array of 40 chunks."""
    path = tmp_path / "scan.zspy"
    write(path, 0)
    return path


def signal_of(number: int, title: str = "t") -> dict[str, Any]:
    return version_of(number, title, DATA.shape) | {"data": DATA}


def write(path: Path, number: int, title: str = "t", **options: Any) -> None:
    every: dict[str, Any] = {**QUIET, "chunks": (1, 6), **options}
    zspy.file_writer(path, signal_of(number, title), **every)


def write_kind(path: Path, kind: str) -> None:
    """Write a file of a kind; a dbm of several files, whatever Python makes by itself."""
    if kind != "dbm":
        write(path, 0, store_type=kind)
        return
    with DBMStore(path, module="dbm.dumb") as store:
        zspy.file_writer(store, signal_of(0), chunks=(1, 6), close_file=False, **QUIET)


def update(path: Path, number: int, title: str = "t", **options: Any) -> None:
    write(path, number, title, write_dataset=False, **options)


def numbers(path: Path) -> list[int]:
    """Read the numbers of the signals, after all of each was compared."""
    signals = zspy.file_reader(path)
    for signal in signals:
        assert (signal["data"] == DATA).all()
        assert signal["metadata"]["list"] == [signal["metadata"]["n"]] * 3
    return [signal["metadata"]["n"] for signal in signals]


def inodes(path: Path, title: str = "t") -> dict[str, int]:
    folder = path / "Experiments" / title / "data"
    return {
        str(file.relative_to(folder)): file.stat().st_ino
        for file in folder.rglob("*")
        if file.is_file() and file.name[0] not in ".z"
    }


def always(value: object) -> Callable[..., object]:
    def give(*_: object, **__: object) -> object:
        return value

    return give


# What is kept


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("sync", [True, False])
def test_an_update_links_the_chunks(zarr_format: int, sync: bool, path: Path) -> None:
    write(path, 0, zarr_format=zarr_format)
    before = inodes(path) if zarr_format == 2 else None
    update(path, 1, zarr_format=zarr_format, sync=sync)
    assert numbers(path) == [1]
    assert before is None or inodes(path) == before
    assert os.listdir(path.parent) == [path.name]
    assert zspy.check(path, show_progressbar=False) == []


def test_an_addition_and_a_new_title_link_the_chunks(path: Path) -> None:
    before = inodes(path)
    write(path, 1, "other", mode="a")
    assert sorted(numbers(path)) == [0, 1]
    assert inodes(path) == before
    shutil.rmtree(path)
    write(path, 0)
    before = inodes(path)
    update(path, 2, "renamed")
    assert numbers(path) == [2]
    assert inodes(path, "renamed") == before


def test_a_path_that_is_a_link_is_updated(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    update(link, 1)
    assert link.is_symlink()
    assert numbers(path) == [1]


def test_where_there_are_no_links_chunks_are_copied(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links")

    before = inodes(path)
    monkeypatch.setattr(os, "link", refuse)
    update(path, 1)
    assert numbers(path) == [1]
    assert inodes(path) != before


@pytest.mark.parametrize("is_folder", [True, False])
def test_an_update_copies_nothing_through_a_link_that_leaves_the_file(
    is_folder: bool, path: Path
) -> None:
    secret = path.with_name("secret")
    if is_folder:
        shutil.copytree(path / CHUNKS, secret)
        shutil.rmtree(path / CHUNKS)
        (path / CHUNKS).symlink_to(secret)
    else:
        secret.write_bytes(b"secret")
        (path / CHUNKS / "99").symlink_to(secret)
    with pytest.raises(FormatError, match="a link that leaves the file"):
        update(path, 1)
    assert sorted(os.listdir(path.parent)) == sorted([path.name, "secret"])


def test_a_link_inside_of_the_file_is_kept_as_what_it_points_to(path: Path) -> None:
    chunk = path / CHUNKS / "0/0"
    chunk = chunk if chunk.exists() else path / CHUNKS / "0.0"
    chunk.rename(path / CHUNKS / "moved")
    chunk.symlink_to(path / CHUNKS / "moved")
    update(path, 1)
    assert numbers(path) == [1]
    assert not chunk.is_symlink()


def test_a_chunk_that_vanishes_meanwhile_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = directory._is_linked

    def vanish(folder: int, name: str, *more: Any) -> bool:
        os.unlink(name, dir_fd=folder)
        return linked(folder, name, *more)

    monkeypatch.setattr(directory, "_is_linked", vanish)
    with pytest.raises(FormatError, match="a document has vanished"):
        update(path, 1)
    assert os.listdir(path.parent) == [path.name]


def test_what_is_linked_to_the_old_file_is_never_written_to(path: Path) -> None:
    kept = path / CHUNKS / "kept"
    kept.write_bytes(b"old")
    new = path.with_name("new")
    new.mkdir()
    sink = directory.DirectorySink(new)
    with directory_of(path) as old:
        sink.keep(old, [(f"{CHUNKS}/kept", "x/0")])
        sink.put([("x/0", b"new")])
    assert kept.read_bytes() == b"old"
    assert (new / "x/0").read_bytes() == b"new"


def directory_of(path: Path) -> Any:
    from contextlib import closing

    return closing(directory.Directory(path))


# Lazy arrays


@both_kinds
def test_a_lazy_array_goes_on_while_the_file_keeps_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    write(path, 0, store_type=kind)
    (lazy,) = zspy.file_reader(path, lazy=True)
    for number in range(1, 4):
        update(path, number)
        assert (lazy["data"].compute() == DATA).all()
    write(path, 9, "added", mode="a")
    assert (lazy["data"].compute() == DATA).all()


def test_a_lazy_array_notices_another_one_in_its_place(path: Path) -> None:
    (lazy,) = zspy.file_reader(path, lazy=True)
    update(path, 1)
    assert (lazy["data"].compute() == DATA).all()
    write(path, 2)
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        lazy["data"].compute()
    shutil.rmtree(path)
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        lazy["data"].compute()


def test_a_reader_keeps_few_folders_open(path: Path) -> None:
    file = directory.Directory(path)
    for number in range(6):
        update(path, number)
        assert file[".zattrs"]
    assert len(file._roots) == 3
    file.close()
    assert file[".zattrs"]
    with pytest.raises(KeyError):
        file["nothing"]
    file.close()


# Leftovers


def test_a_link_among_the_leftovers_is_not_followed(path: Path) -> None:
    home = path.with_name("home")
    home.mkdir()
    (home / "thesis").write_bytes(b"years")
    names = [".scan.zspy.zspy-new-x", f".scan.zspy.zspy-new-{'a' * 12}"]
    for name in names:
        path.with_name(name).symlink_to(home)
    write(path, 1)
    assert (home / "thesis").read_bytes() == b"years"
    assert sorted(os.listdir(path.parent)) == sorted([path.name, "home", names[0]])


def test_what_cannot_be_unlinked_is_not_emptied_behind_a_link(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = path.with_name("home")
    home.mkdir()
    (home / "thesis").write_bytes(b"years")
    link = path.with_name(f".scan.zspy.zspy-new-{'a' * 12}")
    link.symlink_to(home)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        replace.clear(path, None)
        with folders.opened_folder(path.parent) as parent:
            replace.clear(path, parent)
            remove_at(link.name, parent)
    assert (home / "thesis").read_bytes() == b"years"


def test_leftovers_of_another_user_are_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = path.with_name(f".scan.zspy.zspy-new-{'a' * 12}")
    other.mkdir()
    monkeypatch.setattr(os, "geteuid", always(os.geteuid() + 1))
    with folders.opened_folder(path.parent) as parent:
        replace.clear(path, parent)
    assert other.exists()
    monkeypatch.delattr(os, "geteuid")  # of Windows
    with folders.opened_folder(path.parent) as parent:
        replace.clear(path, parent)
    assert not other.exists()


def test_names_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    first, second = tmp_path / ("x" * 230 + "1"), tmp_path / ("x" * 230 + "2")
    write(first, 1)
    write(second, 2)
    with replace.new_beside(first, folder=True) as new:
        write(second, 3)
        assert new.exists()


def test_deep_leftovers_are_removed(tmp_path: Path) -> None:
    """Deeper than as many folders as may be open."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for number in range(1500):
        name = "d" if number else "x"
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)
    with folders.opened_folder(tmp_path) as parent:
        remove_at("x", parent)
    assert os.listdir(tmp_path) == []


# Folders that are open


@pytest.mark.parametrize("has_call", [True, False])
def test_nothing_is_opened_past_a_link(
    has_call: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one call of the system, or step by step where there is none."""
    if not has_call:
        monkeypatch.setattr(folders, "_openat2", always(None))
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"")
    (tmp_path / "a/link").symlink_to("b")
    with folders.opened_folder(tmp_path) as parent:
        assert parent is not None
        os.close(open_below(parent, "a/b/c", os.O_RDONLY))
        for key, code in {
            "a/link/c": errno.ELOOP,
            "a/link": errno.ELOOP,
            "a/nothing": errno.ENOENT,
            "a/b/c/d": errno.ENOTDIR,
        }.items():
            with pytest.raises(OSError) as error:  # noqa: PT011 - it is the number that counts
                open_below(parent, key, os.O_RDONLY)
            assert error.value.errno == code


def test_a_system_that_refuses_the_call_goes_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.setattr(folders, "_openat2", always((always(-1), b"")))
    monkeypatch.setattr(ctypes, "get_errno", always(errno.ENOSYS))
    with folders.opened_folder(tmp_path) as parent:
        assert parent is not None
        os.close(open_below(parent, "a", os.O_RDONLY))


def test_only_linux_has_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    folders._openat2.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        assert folders._openat2(0) is None
    folders._openat2.cache_clear()


@pytest.mark.parametrize("held", [0, 2**20])
def test_a_folder_that_becomes_a_link_later_is_not_followed(
    held: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read with the list of nodes is that of the file: it is given once."""
    monkeypatch.setattr(directory, "_CACHED", held)
    outside = path.with_name("outside")
    shutil.copytree(path, outside)
    with directory_of(path) as file:
        assert file.nodes()
        if held:
            assert file.read("Experiments/.zgroup") == file.read(".zgroup")
            assert file.read(f"{CHUNKS}/.zarray")
        shutil.rmtree(path / "Experiments")
        (path / "Experiments").symlink_to(outside / "Experiments")
        for key in ("Experiments/.zgroup", f"{CHUNKS}/.zarray"):
            with pytest.raises(FormatError, match="a link that leaves the file"):
                file[key]
    assert numbers(outside) == [0]


# Permissions


@both_kinds
@pytest.mark.parametrize("mode", [0o700, 0o640, 0o2770])
def test_a_new_file_has_the_permissions_of_the_old_one(
    kind: str, mode: int, tmp_path: Path
) -> None:
    path = tmp_path / "scan.zspy"
    write(path, 0, store_type=kind)
    mode = mode | 0o100
    path.chmod(mode)
    if has_attributes := hasattr(os, "setxattr"):
        try:
            os.setxattr(path, "user.sample", b"Si")
        except OSError:
            has_attributes = False
    for change in (write, update):
        change(path, 1, store_type=kind)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert not has_attributes or os.getxattr(path, "user.sample") == b"Si"
    write(path, 2, mode="a")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def modes(path: Path) -> dict[str, int]:
    """Give the modes of the folders in a file, and of one document."""
    folders = [path, *(one for one in path.rglob("*") if one.is_dir())]
    found = {str(one.relative_to(path)): stat.S_IMODE(one.stat().st_mode) for one in folders}
    return found | {"document": stat.S_IMODE((path / ".zattrs").stat().st_mode)}


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o2775])
@pytest.mark.parametrize("title", ["t", "renamed"])
def test_the_folders_in_a_new_file_keep_their_modes(mode: int, title: str, path: Path) -> None:
    """Those of a signal that gets another name, and those that are secret in an open file, too."""
    for one in [path, *path.rglob("*")]:
        one.chmod(mode if one.is_dir() else mode & 0o666)
    (path / "Experiments/t").chmod(0o700)
    (path / CHUNKS / "7").chmod(0o711)
    before = modes(path)
    if title == "t":
        write(path, 1)
        assert modes(path) == {**before, "document": mode & 0o666}
    update(path, 2, title)
    after = {key.replace(f"/{title}", "/t"): value for key, value in modes(path).items()}
    if title == "t":
        assert after == {**before, "document": mode & 0o666}
    for key in (".", "Experiments", "Experiments/t", CHUNKS, f"{CHUNKS}/0", f"{CHUNKS}/7"):
        assert after[key] == before[key], key
    write(path, 3, "added", mode="a")
    assert modes(path)["Experiments/added"] == mode
    assert modes(path)[f"Experiments/{title}/data"] == mode


@pytest.mark.parametrize("kind", ["local", "zip", "dbm"])
@pytest.mark.parametrize("default", [False, True])
def test_a_new_file_is_not_read_by_whom_the_old_one_was_closed_to(
    kind: str, default: bool, tmp_path: Path
) -> None:
    """What a folder lets others do with what is new in it says nothing of an old file."""
    path = tmp_path / "scan.zspy"
    write_kind(path, kind)
    lists = {
        "system.posix_acl_default": access_list(7),
        "system.posix_acl_access": access_list(5),
    }
    file = Path(f"{path}.dir") if kind == "dbm" else path
    if kind != "local":
        del lists["system.posix_acl_default"]
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", access_list(7))
        for name in lists if default else ():
            os.setxattr(file, name, lists[name])
    except (AttributeError, OSError):
        pytest.skip("there are no such lists here")
    before = {name: os.getxattr(file, name) for name in os.listxattr(file)}
    for change in (write, update):
        change(path, 1, store_type=kind)
        assert {name: os.getxattr(file, name) for name in os.listxattr(file)} == before
        if kind == "local" and not default:
            assert not any(os.listxattr(one) for one in path.rglob("*"))


def access_list(others: int) -> bytes:
    """Give the form of a list that lets one user more do something."""
    entries = ((1, 7, -1), (2, others, 12345), (4, 5, -1), (16, others, -1), (32, 0, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *one) for one in entries)


def test_a_list_of_a_file_gives_nobody_a_folder(tmp_path: Path) -> None:
    """A folder whose owner may not enter it is no place for a file."""
    path = tmp_path / "scan.zspy"
    write(path, 0, store_type="zip")
    try:
        os.setxattr(path, "system.posix_acl_access", access_list(4))
    except (AttributeError, OSError):
        pytest.skip("there are no such lists here")
    write(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert os.listxattr(path) == []


def test_the_attributes_of_one_file_stay(path: Path) -> None:
    one = path / "Experiments/t/.zattrs"
    try:
        os.setxattr(one, "user.note", b"mine")
    except (AttributeError, OSError):
        pytest.skip("there are none here")
    write(path, 1)
    assert os.getxattr(one, "user.note") == b"mine"


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="no system call follows no link")
@pytest.mark.parametrize("kind", ["zip", "dbm"])
def test_a_link_that_takes_the_place_of_what_is_being_made_is_not_followed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder where everybody may write, it would lead to a file of who writes."""
    path, victim = tmp_path / "scan.zspy", tmp_path / "victim"
    victim.write_bytes(b"mine")
    victim.chmod(0o600)
    write_kind(path, kind)
    swapped: list[Path] = []

    def swapping(like: Path, new: Any) -> None:
        for one in tmp_path.glob(".*zspy-new-*"):
            one.unlink()
            one.symlink_to(victim)
            swapped.append(one)
        keep_permissions(like, new)

    monkeypatch.setattr(replace, "keep_permissions", swapping)
    with pytest.raises(OSError, match="symbolic link"):
        write(path, 1, store_type=kind)
    assert swapped
    assert victim.read_bytes() == b"mine"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    monkeypatch.undo()
    write(path, 1, store_type=kind)


@pytest.mark.parametrize("way", ["overwrite", "update", "add", "append", "region"])
def test_each_file_in_a_new_one_keeps_its_mode_and_its_attributes(way: str, path: Path) -> None:
    shown, secret = path / "Experiments/t/.zattrs", path / CHUNKS / ".zarray"
    shown.parent.chmod(0o700)
    shown.chmod(0o604)
    secret.chmod(0o600)
    told = [path / "Experiments", path / "Experiments/t/.zattrs", path / CHUNKS]
    try:
        for one in [path / "Experiments/t", *told]:
            os.setxattr(one, "user.note", b"mine")
    except (OSError, AttributeError):
        pytest.skip("this user, or this system, cannot")
    if way == "overwrite":
        write(path, 1)
    elif way == "update":
        update(path, 1, "t")
    elif way == "add":
        write(path, 1, "u", mode="a")
    else:
        change: dict[str, Any] = {"append_dim": 0} if way == "append" else {"region": {}}
        write(path, 1, **change)
    assert stat.S_IMODE(shown.stat().st_mode) == 0o604
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert [os.getxattr(one, "user.note") for one in told] == [b"mine"] * 3


@pytest.mark.parametrize("way", ["append", "add", "overwrite", "zip"])
def test_what_is_new_in_a_private_file_is_private(way: str, path: Path) -> None:
    private = [one for one in path.rglob("*") if one.is_file()]
    for one in private if way == "add" else [path / CHUNKS / ".zarray"]:
        one.chmod(0o600)
    before = {*path.rglob("*")}
    if way == "append":
        write(path, 1, append_dim=0)
    elif way == "add":
        write(path, 1, "u", mode="a")
    elif way == "overwrite":
        write(path, 1, chunks=(1, 1))
    else:
        write(path, 1, store_type="zip")
        before.discard(path)
    new = {*path.rglob("*")} - before if path.is_dir() else {path}
    assert new
    assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in new} == {0}


def test_the_folders_in_a_new_file_keep_their_group(path: Path) -> None:
    inner = path / "Experiments/t"
    try:
        for one in (inner, inner / ".zgroup"):
            os.chown(one, -1, 12345)
    except (OSError, AttributeError):
        pytest.skip("this user, or this system, cannot")
    update(path, 1)
    assert inner.stat().st_gid == 12345
    assert (inner / ".zgroup").stat().st_gid == 12345
    assert path.stat().st_gid != 12345


def test_other_processes_write_with_the_modes_of_the_old_file(path: Path) -> None:
    path.chmod(0o700)
    with replace.new_beside(path, folder=True) as new:
        pickled = pickle.dumps(directory.DirectorySink(new, path))
        sink = pickle.loads(pickled)  # noqa: S301 - it was made here
        sink.put([("a/b/0", b"chunk")])
        assert stat.S_IMODE((new / "a/b").stat().st_mode) == 0o700
        assert stat.S_IMODE((new / "a/b/0").stat().st_mode) == 0o600


def test_a_new_file_is_secret_until_it_has_the_permissions_of_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o700)
    modes: list[int] = []

    def noted(old: Path, new: Path | int) -> None:
        modes.append(stat.S_IMODE(os.stat(new).st_mode))
        keep_permissions(old, new)

    monkeypatch.setattr(replace, "keep_permissions", noted)
    write(path, 1)
    write(path, 1, store_type="zip")
    assert modes == [0o700, 0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_in_the_place_of_a_file_can_be_entered_by_who_could_read(path: Path) -> None:
    write(path, 1, store_type="zip")
    path.chmod(0o640)
    write(path, 2, store_type="local")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@pytest.mark.parametrize("allowed", ["owner", "group", "nothing"])
def test_who_may_not_give_a_file_away_allows_the_group_no_more_than_all(
    allowed: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o775)
    asked: list[tuple[int, int]] = []
    found = os.stat(path)
    other = os.stat_result((found.st_mode, 0, 0, 1, 12345, 54321, *found[6:]))

    def chown(_: Path, owner: int, group: int) -> None:
        asked.append((owner, group))
        if allowed == "nothing" or (allowed == "group" and owner != -1):
            raise PermissionError

    new = path.with_name("new")
    new.mkdir()
    real = os.stat

    def fake(name: Any, *arguments: Any, **options: Any) -> os.stat_result:
        return other if name == path else real(name, *arguments, **options)

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "stat", fake)
    monkeypatch.delattr(os, "listxattr", raising=False)
    keep_permissions(path, new)
    monkeypatch.undo()
    assert asked == [(12345, 54321), (-1, 54321)][: 1 if allowed == "owner" else 2]
    assert stat.S_IMODE(new.stat().st_mode) == (0o755 if allowed == "nothing" else 0o775)


@both_kinds
def test_a_folder_that_may_not_be_written_is_refused_before_anything_is_made(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        patch.setattr(os, "open", refuse)
        with pytest.raises(EncodeError, match="nothing can be made beside it"):
            replace._is_begun(path.with_name("new"), path, kind == "local", OpenHandle())


# Several writers


ADD: Final = """
import sys, numpy as np, zspy
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    signal = {"data": np.arange(3), "axes": [{"size": 3}],
              "metadata": {"General": {"title": f"{name}{number}"}}}
    zspy.file_writer(path, signal, mode="a", store_type=sys.argv[4], show_progressbar=False,
                     sync=False)
"""


@pytest.mark.parametrize("kind", ["local", "zip"])
def test_no_addition_of_two_processes_is_lost(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"
    environment = {**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1])}
    writers = [
        subprocess.Popen([sys.executable, "-c", ADD, path, name, "6", kind], env=environment)
        for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    titles = {one["metadata"]["General"]["title"] for one in zspy.file_reader(path)}
    assert titles == {f"{name}{number}" for name in "ab" for number in range(6)}
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_that_another_writer_makes_meanwhile_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when its permissions were asked for, and was there a moment later."""
    path, is_allowed = tmp_path / "scan.zspy", os.access

    def made_after(asked: Any, *how: Any) -> bool:
        allowed = is_allowed(asked, *how)
        if not path.exists():
            path.touch()
        return allowed

    monkeypatch.setattr(os, "access", made_after)
    with backends.changing(path, None):
        assert not path.exists()


@both_kinds
def test_no_addition_of_two_threads_is_lost(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.zspy"

    def add(name: str) -> None:
        for number in range(4):
            write(path, number, f"{name}{number}", mode="a", store_type=kind)

    threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(path)) == sorted([0, 1, 2, 3] * 3)


def test_who_does_not_get_the_lock_gets_an_error(path: Path) -> None:
    with locking.locked(path):
        with pytest.raises(EncodeError, match="another process or thread is writing this file"):
            write(path, 1, lock_timeout=0)
        write(path, 2, lock=False)
    assert numbers(path) == [2]


KILLED: Final = """
import os, signal, sys, numpy as np, zspy
path, kind, change, stride = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
folder, name = os.path.split(path)
quiet = {"show_progressbar": False, "sync": False}

def write(number, **options):
    metadata = {"General": {"title": f"t{number}" if options.get("mode") == "a" else "t"},
                "n": number, "list": [number] * 3}
    data = {"data": np.arange(12).reshape(4, 3), "axes": [{"size": 4}, {"size": 3}]}
    zspy.file_writer(path, data | {"metadata": metadata}, chunks=(1, 3), **quiet, **options)

def numbers():
    found = zspy.file_reader(path)
    for one in found:
        assert (one["data"] == np.arange(12).reshape(4, 3)).all()
        assert one["metadata"]["list"] == [one["metadata"]["n"]] * 3
    return sorted(one["metadata"]["n"] for one in found)

def killed(number, step, **options):
    '''Change the file in a child, which kills itself at a step; tell whether it was killed.'''
    child = os.fork()
    if not child:
        left = [step]

        def count(event, _):
            if event == "open" or event.startswith("os."):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        write(number, **options)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

options = {"write": {}, "update": {"write_dataset": False}, "add": {"mode": "a"}}[change]
write(0, store_type=kind)
if kind == "local":
    open(os.path.join(path, "README"), "w").write("mine")
step, number = 1, 0
while True:
    if change == "add":  # or the file, and with it the number of steps, would grow
        write(0, store_type=kind)
    before = numbers()
    number += 1
    was_killed = killed(number, step, store_type=kind, **options)
    after = [*before, number] if change == "add" else [number]
    assert numbers() in ([after] if not was_killed else [before, after]), (step, numbers())
    if not was_killed:
        break
    step += stride
write(number + 1, store_type=kind)
assert numbers() == [number + 1]
assert os.listdir(folder) == [name], os.listdir(folder)
assert kind != "local" or open(os.path.join(path, "README")).read() == "mine"
print(step)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("change", ["write", "update", "add"])
@both_kinds
def test_a_change_that_is_killed_leaves_the_old_file_or_the_new_one(
    kind: str, change: str, tmp_path: Path
) -> None:
    stride = {"local": "41", "zip": "7"}[kind]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "scan.zspy", kind, change, stride],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def test_a_node_of_which_something_stays_keeps_its_document(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def refuse(name: Any, **more: Any) -> None:
        if str(name).isdigit():
            raise OSError("the disk fails")
        unlink(name, **more)

    with opened_folder(path.parent) as parent:
        with monkeypatch.context() as failing:
            failing.setattr(os, "unlink", refuse)
            remove_at(path.name, parent)
        assert [*path.rglob(".zarray")]
        remove_at(path.name, parent)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["local", "zip"])
def test_what_its_owner_alone_may_rename_is_refused_by_name(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder like /tmp, in a file that everybody may write."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "scan.zspy"
    zspy.commit({".zgroup": b"{}"}, path, store_type=kind, sync=False)
    monkeypatch.setattr(replace, "swap", refuse)
    with pytest.raises(EncodeError, match=r"scan\.zspy: it cannot be replaced .*; ask its owner"):
        zspy.commit({".zgroup": b"{ }"}, path, store_type=kind, overwrite=True)
    assert dict(zspy.fetch(path)) == {".zgroup": b"{}"}
    assert os.listdir(tmp_path) == ["scan.zspy"]


def test_what_others_have_in_the_old_file_survives_an_interrupt_after_the_exchange(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then both are complete, and the old one is no new file that may go."""
    write(path, 1)
    (path / "README").write_text("mine")
    exchange = replace.exchange

    def interrupted(a: Path, b: Path) -> bool:
        exchange(a, b)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replace, "exchange", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(path, 2)
    assert numbers(path) == [2]
    write(path, 3)
    assert numbers(path) == [3]
    assert (path / "README").read_text() == "mine"
    assert os.listdir(path.parent) == [path.name]
