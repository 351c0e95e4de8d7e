"""File objects and groups of Zarr are places."""

from __future__ import annotations

import errno
import gzip
import io
import os
import pickle
import re
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import zspy
from tests.support.signals import version_of
from zspy import EncodeError, FormatError
from zspy.stores.backends import located, opened
from zspy.stores.base import in_pieces

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}


signal_of = version_of


def numbers_in(place: Any, **options: Any) -> list[int]:
    found = zspy.file_reader(place, **options)
    return [int(np.asarray(signal["data"]).max()) for signal in found]


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_WRONLY | os.O_APPEND])
def test_what_cannot_be_read_is_not_replaced(flags: int, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"notes")
    with os.fdopen(os.open(path, flags), "ab" if flags & os.O_APPEND else "wb") as file:
        with pytest.raises(EncodeError, match="use overwrite=True, if it may go"):
            zspy.file_writer(file, signal_of(1), **QUIET)
        assert path.read_bytes() == b"notes"
        zspy.file_writer(file, signal_of(1), overwrite=True, **QUIET)
    assert numbers_in(path) == [1]


@pytest.mark.parametrize("size", [40, 2000])
def test_another_archive_in_a_file_object_is_called_what_it_is(size: int) -> None:
    """It was taken for a zip that was cut off."""
    file = io.BytesIO(gzip.compress(os.urandom(size)))
    with pytest.raises(FormatError, match=r"BytesIO: a gzip file, and no \.zspy file; unpack it"):
        zspy.file_reader(file)
    whole = io.BytesIO()
    zspy.file_writer(whole, signal_of(1), **QUIET)
    cut = io.BytesIO(whole.getvalue()[:-9])
    with pytest.raises(FormatError, match="it may be cut off: copy it once more"):
        zspy.file_reader(cut)


@pytest.mark.parametrize(
    ("start", "said"),
    [(b"\x89HDF\r\n\x1a\n", "an HDF5 file"), (b"II*\0", "a TIFF file"), (b"<html>", "a page of")],
)
def test_another_format_in_an_object_is_called_what_it_is(start: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=f"BytesIO: {said}"):
        zspy.file_reader(io.BytesIO(start + bytes(999)))


@pytest.mark.parametrize("kind", ["BytesIO", "file", "unbuffered", "temporary", "spooled"])
def test_a_file_object_holds_a_zip(kind: str, tmp_path: Path) -> None:
    make: dict[str, Any] = {
        "BytesIO": io.BytesIO,
        "file": lambda: (tmp_path / "a").open("w+b"),
        "unbuffered": lambda: (tmp_path / "a").open("w+b", buffering=0),
        "temporary": tempfile.NamedTemporaryFile,
        "spooled": tempfile.SpooledTemporaryFile,
    }
    with make[kind]() as file:
        for number in (1, 2):
            zspy.file_writer(file, signal_of(number), **QUIET)
            assert numbers_in(file) == numbers_in(file, lazy=True) == [number]
        zspy.file_writer(file, signal_of(4), write_dataset=False, **QUIET)
        assert zspy.file_reader(file)[0]["metadata"]["n"] == 4
        with pytest.raises(EncodeError, match="'zip' does not grow"):
            zspy.file_writer(file, signal_of(4), append_dim=0, **QUIET)
        zspy.file_writer(file, signal_of(3, "u"), mode="a", **QUIET)
        assert numbers_in(file) == [2, 3]
        assert zspy.check(file) == []
        with pytest.raises(EncodeError, match="a file is there already"):
            zspy.file_writer(file, signal_of(1), overwrite=False, **QUIET)
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None


def test_a_zip_in_memory_is_read_by_copies_of_its_arrays() -> None:
    file = io.BytesIO()
    zspy.file_writer(file, signal_of(5), **QUIET)
    (lazy,) = zspy.file_reader(file, lazy=True)
    copy: Any = pickle.loads(pickle.dumps(lazy["data"]))  # noqa: S301 - just written
    assert (copy.compute() == 5).all()


def test_what_is_no_zip_is_not_replaced_in_a_file_object() -> None:
    file = io.BytesIO(b"a diary")
    with pytest.raises(EncodeError, match=r"whether a \.zspy file is there is not known"):
        zspy.file_writer(file, signal_of(1), **QUIET)
    assert file.getvalue() == b"a diary"
    zspy.file_writer(file, signal_of(1), overwrite=True, **QUIET)
    assert numbers_in(file) == [1]
    with pytest.raises(EncodeError, match="a StringIO is no place for a file"):
        zspy.file_writer(io.StringIO(), signal_of(1), **QUIET)


def test_a_file_object_may_be_read_only_or_written_only(tmp_path: Path) -> None:
    path = tmp_path / "scan.zip"
    with path.open("wb") as file:
        zspy.file_writer(file, signal_of(1), **QUIET)
    with path.open("rb") as file:
        assert numbers_in(file) == [1]
        assert str(located(file)) == "BufferedReader"
        with pytest.raises(EncodeError, match="open for reading only; open it for writing"):
            zspy.file_writer(file, signal_of(2), **QUIET)
    read, end = os.pipe()
    with open(end, "wb") as pipe:
        zspy.file_writer(pipe, signal_of(3), **QUIET)
    with open(read, "rb") as source:
        with pytest.raises(FormatError, match=r"read only once, from its start to its end; use io"):
            zspy.file_reader(source)
        assert numbers_in(io.BytesIO(source.read())) == [3]


def test_an_error_leaves_the_old_zip_in_a_file_object() -> None:
    file = io.BytesIO()
    zspy.file_writer(file, signal_of(1), **QUIET)
    before = file.getvalue()
    with pytest.raises(zspy.UnsupportedError):
        zspy.file_writer(file, {**signal_of(2), "metadata": {"x": object()}}, **QUIET)
    assert file.getvalue() == before


@pytest.mark.parametrize("above", ["", "my data/day 1/"])
@pytest.mark.parametrize(
    "inside", [[], ["__MACOSX/._scan.zspy", ".DS_Store"], ["README", "a/b.txt", "Thumbs.db"]]
)
def test_a_zip_that_contains_the_folder_is_read(
    inside: list[str], above: str, tmp_path: Path
) -> None:
    (tmp_path / above).mkdir(parents=True, exist_ok=True)
    zspy.file_writer(tmp_path / above / "scan.zspy", signal_of(1), **QUIET)
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in inside:
            archive.writestr(name, b"x")
        for file in sorted((tmp_path / above / "scan.zspy").rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
    assert numbers_in(path) == numbers_in(path, lazy=True) == [1]
    assert [one for one in zspy.check(path) if one.key not in inside] == []
    zspy.file_writer(path, signal_of(2), write_dataset=False, **QUIET)
    assert numbers_in(path) == [1]
    assert zspy.file_reader(path)[0]["metadata"]["n"] == 2
    with zipfile.ZipFile(path) as archive:
        kept = {"README", "a/b.txt"} & {*inside}
        assert {name for name in archive.namelist() if name in inside} == kept


def test_of_two_folders_in_a_zip_none_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/.zgroup", b'{"zarr_format": 2}')
        archive.writestr("b/.zgroup", b'{"zarr_format": 2}')
        archive.writestr("b/c/.zgroup", b'{"zarr_format": 2}')
    with pytest.raises(zspy.FormatError, match="a zip of several files: a/ and b/; unpack it"):
        zspy.file_reader(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["scan.zspy.zip", "a/b/scan.zspy"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_zip_in_a_zip_is_read_where_it_lies(
    name: str, method: int, is_folder: bool, tmp_path: Path
) -> None:
    inner = zip_with_names("scan.zspy/{}".format if is_folder else "{}".format, tmp_path)
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("README", b"text")
        archive.writestr("__MACOSX/._scan.zip", b"text")
        archive.write(inner, name)
    content = io.BytesIO(path.read_bytes())
    for place in (path, content):
        assert numbers_in(place) == numbers_in(place, lazy=True) == [1]
    lazy = zspy.file_reader(path, lazy=True)[0]["data"]
    assert (np.asarray(pickle.loads(pickle.dumps(lazy))) == 1).all()  # noqa: S301 - just written
    changes: tuple[Callable[[], object], ...] = (
        lambda: zspy.update(path, {"x": 1}),
        lambda: zspy.file_writer(path, signal_of(2), store_type="zip", **QUIET),
        lambda: zspy.file_writer(path, signal_of(2), store_type="zip", mode="a", **QUIET),
        lambda: zspy.file_writer(path, signal_of(2), store_type="local", mode="a", **QUIET),
        lambda: zspy.file_writer(path, signal_of(1), store_type="zip", write_dataset=False),
    )
    for change in changes:
        with pytest.raises(zspy.EncodeError, match="a zip in a zip is only read; unpack it"):
            change()
    assert path.read_bytes() == content.getvalue()
    zspy.file_writer(path, signal_of(2), store_type="zip", overwrite=True, **QUIET)
    assert numbers_in(path) == [2]


def test_a_zip_in_a_zip_takes_its_share_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scan.zspy", zip_with_names("{}".format, tmp_path).read_bytes())
    with closing(opened(path)) as file:
        assert 0 < file.size([*file]) < path.stat().st_size


def test_the_header_of_a_zip_in_a_zip_is_read_once(tmp_path: Path) -> None:
    """At a URL, each chunk took four requests: two of them for the header of the inner zip."""
    inner = tmp_path / "scan.zspy"
    data = np.random.default_rng(0).random((64, 9, 9))
    axes: list[dict[str, int]] = [{"size": size} for size in data.shape]
    signal: dict[str, Any] = {"data": data, "axes": axes, "metadata": {}}
    zspy.file_writer(inner, signal, store_type="zip", chunks=(1, 9, 9), **QUIET)
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, inner.name)

    def reads(path: Path) -> list[int]:
        starts: list[int] = []

        class Counted(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                starts.append(self.tell())
                return super().read(size)

        np.testing.assert_array_equal(zspy.file_reader(Counted(path.read_bytes()))[0]["data"], data)
        return starts

    assert reads(outer).count(0) == 1
    assert len(reads(outer)) < len(reads(inner)) + 20


def test_what_is_no_single_zip_in_a_zip_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = zip_with_names("{}".format, tmp_path).read_bytes()
    path = tmp_path / "outer.zip"

    def told(method: int, **entries: bytes) -> str:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in entries.items():
                archive.writestr(f"{name}.zip", data)
        with pytest.raises(zspy.FormatError) as error:
            zspy.file_reader(path)
        return str(error.value)

    assert "several files: a.zip and b.zip; unpack it" in told(0, a=inner, b=inner, c=inner)
    assert "there is no Zarr group" in told(0)
    assert told(0, a=b"text").startswith("a.zip: the zip cannot be opened")
    with_zip = io.BytesIO()
    with zipfile.ZipFile(with_zip, "w") as archive:
        archive.writestr("a.zip", inner)
    assert "there is no Zarr group" in told(0, a=with_zip.getvalue())
    monkeypatch.setattr("zspy.stores.zip._CACHED", 99)
    assert "compressed once more; unpack it" in told(zipfile.ZIP_DEFLATED, a=inner)


def zip_with_names(
    named: Callable[[str], str], folder: Path, method: int = zipfile.ZIP_STORED
) -> Path:
    """Make a zip of a file whose documents have other names."""
    zspy.file_writer(folder / "plain.zip", signal_of(1), store_type="zip", **QUIET)
    path = folder / "scan.zip"
    with (
        zipfile.ZipFile(folder / "plain.zip") as plain,
        zipfile.ZipFile(path, "w", method) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(named(name), plain.read(name))
    return path


@pytest.mark.parametrize("begin", ["/{}", "../{}", "a//{}", "./../{}", "././{}"])
@pytest.mark.parametrize("is_of_windows", [False, True])
def test_a_zip_whose_names_are_strange_says_so(
    begin: str, is_of_windows: bool, tmp_path: Path
) -> None:
    def strange(name: str) -> str:
        return name.replace("/", "\\") if is_of_windows else begin.format(name)

    path = zip_with_names(strange, tmp_path)
    with pytest.raises(
        zspy.FormatError, match=r"the names in the zip are none of Zarr, as '.*; unp"
    ):
        zspy.file_reader(path)


@pytest.mark.parametrize("begin", ["./", "./scan.zspy/"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_zip_whose_names_begin_with_the_folder_here_is_read_and_changed(
    begin: str, is_compressed: bool, tmp_path: Path
) -> None:
    method = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
    path = zip_with_names(f"{begin}{{}}".format, tmp_path, method)
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("./README", b"text")
    assert numbers_in(path) == [1]
    assert [one.key for one in zspy.check(path, data=True)] == ["README"]
    zspy.update(path, {"x": 1})
    (signal,) = zspy.file_reader(path, lazy=True)
    assert (numbers_in(path), signal["metadata"]["x"]) == ([1], 1)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("README") == b"text"
        assert not [name for name in archive.namelist() if name.startswith(".") and "/" in name]


def test_a_file_object_holds_a_zip_and_nothing_else() -> None:
    file = io.BytesIO()
    zspy.file_writer(file, signal_of(1), store_type="zip", **QUIET)
    assert numbers_in(file) == [1]
    with pytest.raises(EncodeError, match="`store_type` parameter must be None"):
        zspy.file_writer(file, signal_of(1), store_type="local", **QUIET)


def test_a_path_of_universal_pathlib_is_a_place() -> None:
    class MemoryPath:
        __module__ = "upath.core"
        storage_options: ClassVar[dict[str, Any]] = {}

        def __str__(self) -> str:
            return "memory://universal/a.zspy"

    zspy.file_writer(MemoryPath(), signal_of(1), **QUIET)
    assert numbers_in(MemoryPath()) == [1]


def test_a_file_object_that_is_closed_is_told() -> None:
    file = io.BytesIO()
    file.close()
    with pytest.raises(EncodeError, match="a BytesIO that is closed; open it"):
        zspy.file_reader(file)
    with pytest.raises(EncodeError, match="a BytesIO that is closed; open it"):
        zspy.file_writer(file, signal_of(1), overwrite=True, **QUIET)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", ["folder", "root"])
def test_a_group_of_zarr_is_a_place(kind: str, zarr_format: Any, tmp_path: Path) -> None:
    store: Any = tmp_path / "all.zarr" if kind == "folder" else MemoryStore()
    root = cast("Any", zarr).open_group(store, mode="w", zarr_format=zarr_format)
    group = root if kind == "root" else root.create_group("a/b")
    for place in (group, group.store_path):
        with pytest.raises(EncodeError, match=r"a Zarr group is there that is no \.zspy file"):
            zspy.file_writer(place, signal_of(0), **QUIET)
    options: dict[str, Any] = {"zarr_format": zarr_format, **QUIET}
    zspy.file_writer(group, signal_of(1), overwrite=True, **options)
    zspy.file_writer(group.store_path, signal_of(2), close_file=False, **options)
    zspy.file_writer(group, signal_of(3, "u"), mode="a", **options)
    assert numbers_in(group) == [2, 3]
    assert numbers_in(group.store_path, lazy=True) == [2, 3]
    assert kind == "root" or [*root] == ["a"]


def test_a_group_inside_of_another_store_is_refused_by_name() -> None:
    group = cast("Any", zarr).open_group(MemoryStore(), mode="w").create_group("a")
    with pytest.raises(EncodeError, match="a group inside of a MemoryStore is no place for a file"):
        zspy.file_reader(group)


def test_what_is_of_no_node_stays_in_a_file_object() -> None:
    file = io.BytesIO()
    zspy.file_writer(file, signal_of(1), **QUIET)
    zspy.commit({**zspy.fetch(file), "notes.txt": b"mine"}, file)
    zspy.file_writer(file, signal_of(2), **QUIET)
    assert zspy.fetch(file)["notes.txt"] == b"mine"


def test_a_file_that_is_packed_while_it_is_written_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        with pytest.raises(EncodeError, match=r"GzipFile: .*use io\.BytesIO"):
            zspy.file_writer(file, signal_of(1), **QUIET)
        with pytest.raises(EncodeError, match="GzipFile"):
            zspy.file_reader(file)


def zipped(documents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    zspy.stores.commit({".zgroup": b'{"zarr_format": 2}', **documents}, file)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["BytesIO", "file", "gzip"])
def test_what_a_file_object_holds_has_a_size(kind: str, tmp_path: Path) -> None:
    """Of a compressed file, the number of the file object is that of another file."""
    large = bytes(range(256)) * 2**13
    path = tmp_path / "a"
    data = zipped({"x/0": large})
    path.write_bytes(gzip.compress(data) if kind == "gzip" else data)
    make: dict[str, Any] = {"BytesIO": lambda: io.BytesIO(data), "file": lambda: path.open("rb")}
    with make.get(kind, lambda: gzip.open(path))() as file:
        documents: Any = zspy.stores.fetch(file)
        begin = documents.read("x/0", slice(5000))
        assert documents.size(["x/0"]) == len(large)
        assert begin + documents.read("x/0", slice(5000, None)) == large


class Interrupted(io.BytesIO):
    """Lets another thread go on between a seek and what is read there."""

    between: Callable[[], object] = staticmethod(bool)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = super().seek(offset, whence)
        between, self.between = self.between, bool
        between()
        return at


@pytest.mark.parametrize("is_open", [True, False])
def test_two_readers_of_a_file_object_wait_for_each_other(is_open: bool) -> None:
    content = {f"x/{number}": bytes([number]) * 5000 for number in range(2)}
    file = Interrupted(zipped(content))
    one, two = zspy.stores.fetch(file), zspy.stores.fetch(file)
    read: Callable[[], object] = lambda: two["x/1"]  # noqa: E731
    other = threading.Thread(target=read if is_open else lambda: zspy.stores.fetch(file))

    def begin() -> None:
        other.start()
        other.join(0.1)

    file.between = begin
    assert one["x/0"] == content["x/0"]
    other.join()


class Unhashable(io.BytesIO):  # noqa: PLW1641 - that is what is tested
    """Compares itself with others, and so is no key of a dictionary."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)


def test_a_file_object_need_not_be_hashable() -> None:
    file = Unhashable(zipped({"x/0": b"1"}))
    assert zspy.stores.fetch(file)["x/0"] == b"1"


class Short(io.BytesIO):
    """Gives less than it is asked for, as a raw file may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None else min(size, 1000))


def test_a_file_object_may_give_less_than_it_is_asked_for() -> None:
    content = {"x/0": bytes(5000)}
    assert zspy.stores.fetch(Short(zipped(content)))["x/0"] == content["x/0"]


def test_no_system_is_asked_for_more_than_it_gives() -> None:
    """On macOS, to ask for 2 GiB at once is an error."""
    asked: list[int] = []

    def read(size: int, start: int) -> bytes:
        asked.append(size + start)
        return b""

    assert in_pieces(read, 2**33, 0) == b""
    assert max(asked) < 2**31


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("hidden"), "RuntimeError"),
        (ValueError("hidden"), "ValueError"),
        (OSError("hidden"), "OSError"),
        (OSError(errno.EIO, "hidden"), os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize("good", [0, 3, 4])
def test_what_a_file_object_raises_is_told_without_its_text(
    good: int, error: Exception, said: str
) -> None:
    """That of a client library may be a URL with its secrets."""
    whole = io.BytesIO()
    zspy.file_writer(whole, signal_of(1), compressor=False, **QUIET)
    left = [good]

    class Far(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            left[0] -= 1
            if left[0] < 0:
                raise error
            return super().read(size)

    with pytest.raises(FormatError, match=re.escape(f"cannot be read ({said})")) as told:
        zspy.file_reader(Far(whole.getvalue()))
    assert "hidden" not in f"{told.value} {told.value.__cause__} {told.value.__context__}"


def test_a_file_object_that_was_closed_meanwhile_is_told() -> None:
    file = io.BytesIO()
    zspy.file_writer(file, signal_of(1), **QUIET)
    (lazy,) = zspy.file_reader(file, lazy=True)
    file.close()
    with pytest.raises(FormatError, match="it is closed"):
        np.asarray(lazy["data"])


def test_a_warning_in_a_file_object_that_is_an_error_stays_one() -> None:
    class Loud(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002
            raise UserWarning

    with pytest.raises(UserWarning):
        zspy.file_reader(Loud(bytes(100)))
