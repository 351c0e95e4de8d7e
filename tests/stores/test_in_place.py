"""Documents that are replaced in place, each by a rename."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import zspy
from zspy.stores.directory import DirectoryInPlace
from zspy.stores.in_place import in_place, refuse_whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.zspy"
    zspy.commit({".zgroup": b'{"zarr_format": 2}', "a/.zgroup": b'{"zarr_format": 2}'}, path)
    return path


def test_a_document_is_replaced_and_nothing_is_left_beside_it(path: Path) -> None:
    with in_place(path, "a") as sink:
        sink.put([("a/.zattrs", b"{}"), ("a/b/c/0", b"new")])
        sink.put([("a/.zattrs", b'{"x": 1}')])
        assert sink.get("a/.zattrs") == b'{"x": 1}'
        assert sink.get("a/nothing") is None
        sink.sync()
    assert (path / "a/b/c/0").read_bytes() == b"new"
    assert sorted(os.listdir(path / "a")) == [".zattrs", ".zgroup", "b"]


def test_to_look_for_a_document_makes_nothing(path: Path) -> None:
    before = sorted(path.rglob("*"))
    with in_place(path, "a") as sink:
        assert sink.get("no/such/folder/.zattrs") is None
        with pytest.raises(zspy.EncodeError, match="a key that leaves the file"):
            sink.get("a/../../x")
    assert sorted(path.rglob("*")) == before


@pytest.mark.parametrize("durable", [False, True])
def test_a_copy_in_another_process_writes_to_the_same_file(durable: bool, path: Path) -> None:
    with in_place(path, "a", durable=durable) as sink:
        copy: Any = pickle.loads(pickle.dumps(sink))  # noqa: S301 - just written
        copy.put([("a/0", b"chunk")])
    assert (path / "a/0").read_bytes() == b"chunk"


def test_an_error_leaves_the_old_document_and_no_part_of_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with in_place(path, "a") as sink:
        with monkeypatch.context() as patch:
            patch.setattr("zspy.stores.directory.os.replace", full)
            with pytest.raises(OSError, match="No space left"):
                sink.put([("a/.zgroup", b"new")])
        assert sink.get("a/.zgroup") == b'{"zarr_format": 2}'
    assert os.listdir(path / "a") == [".zgroup"]


def test_a_folder_that_may_not_be_written_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zspy.stores.directory.move", refused)
    with (
        pytest.raises(
            zspy.EncodeError, match=r"a/0: it cannot be replaced .*; see whether its folder"
        ),
        in_place(path, "a") as sink,
    ):
        sink.put([("a/0", b"new")])
    assert not [*path.rglob(".zspy-part-*")]


def test_a_document_that_somebody_reads_is_replaced_when_that_is_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace what is open."""
    replace, left = os.replace, [2]

    def refuse(old: str, new: str, **folders: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError("it is in use")
        replace(old, new, **folders)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr("zspy.stores.replace._WAITS", (0, 0, 0))
    with in_place(path, "a") as sink:
        sink.put([("a/.zgroup", b"new")])
    assert (path / "a/.zgroup").read_bytes() == b"new"


@pytest.mark.parametrize("key", ["../out", "/etc/x", "a//b", "a/./b"])
def test_a_key_that_leaves_the_file_is_refused(key: str, path: Path) -> None:
    with in_place(path, "a") as sink, pytest.raises(zspy.EncodeError, match="leaves the file"):
        sink.put([(key, b"")])


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "secret").write_bytes(b"secret")
    (path / "linked").symlink_to(other)
    (path / "a/.zattrs").symlink_to(other / "secret")
    with in_place(path, "a") as sink:
        with pytest.raises(zspy.EncodeError, match="a folder that is a link; replace it"):
            sink.put([("linked/secret", b"mine")])
        assert sink.get("a/.zattrs") is None
        sink.put([("a/.zattrs", b"{}")])
    assert (other / "secret").read_bytes() == b"secret"
    assert (path / "a/.zattrs").read_bytes() == b"{}"


def test_leftovers_are_removed(path: Path) -> None:
    (path / "a/.zspy-part-0123456789abcdef").write_bytes(b"half")
    with in_place(path, "a") as sink:
        assert isinstance(sink, DirectoryInPlace)
        sink.remove_leftovers()
    assert os.listdir(path / "a") == [".zgroup"]


def test_what_may_grow_is_not_refused_as_what_is_only_replaced(tmp_path: Path) -> None:
    places: tuple[Any, ...] = ({}, tmp_path / "nothing.zspy", tmp_path)
    for place in places:
        refuse_whole(place)


def test_what_another_user_has_left_behind_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = path / "a/.zspy-part-0123456789abcdef"
    leftover.write_bytes(b"half")
    with monkeypatch.context() as patch, in_place(path, "a") as sink:
        patch.setattr(os, "geteuid", lambda: leftover.stat().st_uid + 1)
        sink.remove_leftovers()
    assert leftover.exists()
    leftover.unlink()
    leftover.symlink_to(path / ".zgroup")
    with in_place(path, "a") as sink:
        sink.remove_leftovers()
    assert not leftover.is_symlink()
    assert (path / ".zgroup").exists()


def test_what_lies_in_a_folder_of_no_node_stays(tmp_path: Path) -> None:
    """Somebody may call a file of theirs like that."""
    theirs = tmp_path / "notes/.zspy-part-0123456789abcdef"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    with pytest.raises(zspy.EncodeError):
        zspy.commit({".zgroup": b'{"zarr_format": 2}'}, theirs.parent)
    assert theirs.read_bytes() == b"theirs"
