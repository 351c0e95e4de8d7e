"""An update moves the largest array of a directory, and is whole at every moment all the same."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
import pytest

import zspy
from zspy import FormatError
from zspy.stores import replace as _moves, replace as stores_replace
from zspy.stores.backends import opened, replaced
from zspy.stores.base import Opened
from zspy.stores.directory import Directory
from zspy.stores.replace import settle

QUIET: Final[dict[str, Any]] = {"show_progressbar": False}
DATA: Final = np.arange(40 * 6, dtype="u2").reshape(40, 6)
CHUNKS: Final = "Experiments/t/data"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with so many chunks that they are moved."""
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(0), chunks=(1, 6), sync=False, **QUIET)
    return path


def signal_of(number: int, title: str = "t") -> dict[str, Any]:
    metadata = {"General": {"title": title}, "n": number, "list": [number] * 3}
    axes = [{"size": 40, "navigate": True}, {"size": 6}]
    return {"data": DATA, "axes": axes, "metadata": metadata}


def update(path: Path, number: int, **options: Any) -> None:
    zspy.file_writer(path, signal_of(number), write_dataset=False, **QUIET, **options)


def number_in(path: Path) -> int:
    """Read a file, which has to be whole."""
    (signal,) = zspy.file_reader(path)
    assert (signal["data"] == DATA).all()
    metadata = cast("Any", signal["metadata"])
    assert metadata["list"] == [metadata["n"]] * 3
    return int(metadata["n"])


def alone(path: Path) -> bool:
    return os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("sync", [False, True])
def test_an_update_moves_the_chunks(zarr_format: int, sync: bool, path: Path) -> None:
    options: dict[str, Any] = {"zarr_format": zarr_format, "shards": False}
    zspy.file_writer(path, signal_of(0), chunks=(1, 6), sync=False, **options, **QUIET)
    before = (path / CHUNKS).stat().st_ino
    for number in range(1, 4):
        update(path, number, zarr_format=zarr_format, sync=sync)
        assert number_in(path) == number
        assert (path / CHUNKS).stat().st_ino == before
        assert alone(path)


def test_appending_moves_the_chunks(path: Path) -> None:
    before = (path / CHUNKS).stat().st_ino
    zspy.file_writer(path, signal_of(1, "other"), mode="a", sync=False, **QUIET)
    assert (path / CHUNKS).stat().st_ino == before
    found = zspy.file_reader(path)
    assert [(signal["data"] == DATA).all() for signal in found] == [True, True]
    assert alone(path)


def test_an_update_under_another_name_moves_the_chunks(path: Path) -> None:
    before = (path / CHUNKS).stat().st_ino
    zspy.file_writer(path, signal_of(1, "new"), write_dataset=False, sync=False, **QUIET)
    assert (path / "Experiments/new/data").stat().st_ino == before
    assert not (path / "Experiments/t").exists()
    assert number_in(path) == 1


def test_a_path_that_is_a_link_is_updated(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    update(link, 1, sync=False)
    assert link.is_symlink()
    assert number_in(link) == number_in(path) == 1


def test_few_chunks_are_linked(path: Path) -> None:
    zspy.file_writer(path, signal_of(0), sync=False, **QUIET)
    before = (path / CHUNKS).stat().st_ino
    update(path, 1, sync=False)
    assert (path / CHUNKS).stat().st_ino != before
    assert number_in(path) == 1


# --------------------------------------------------------------------------------------------------
# A writer that is killed

KILLED: Final = """
import os, signal, sys
from pathlib import Path
from tests.stores import test_replace as test_moves
left = [0]

def count(event, _):
    # what ctypes looks up is the exchange of the trees
    if event == "open" or event.startswith(("os.", "ctypes.dlopen")):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
test_moves.update(path, 0, sync=False)
last, windows, step = 0, 0, 0
while True:
    step += 1
    child = os.fork()
    if not child:
        left[0] = step
        sys.addaudithook(count)
        test_moves.update(path, last + 1, sync=False)
        os._exit(0)
    killed = os.waitpid(child, 0)[1] == signal.SIGKILL
    found = test_moves.number_in(path)
    assert found in (last, last + 1) and (killed or found == last + 1), (last, found)
    moved = not (path / test_moves.CHUNKS).exists()
    windows += moved
    last = found + 1
    if step % 2:
        test_moves.update(path, last, sync=False)
    else:
        test_moves.rewrite(path, last)
    assert os.listdir(path.parent) == [path.name]
    assert test_moves.number_in(path) == last
    if not killed:
        break
print(step, windows)
"""


def rewrite(path: Path, number: int) -> None:
    zspy.file_writer(path, signal_of(number), chunks=(1, 6), sync=False, **QUIET)


def test_an_update_that_is_killed_leaves_a_whole_file(path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    sources = [str(Path(zspy.__file__).parents[1]), str(Path(__file__).parents[2])]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path],
        capture_output=True,
        check=False,
        text=True,
        env=kept | {"PYTHONPATH": os.pathsep.join(sources)},
    )
    assert done.returncode == 0, done.stderr
    steps, windows = map(int, done.stdout.split())
    assert steps > 50
    assert windows > 0  # it was killed after the renaming, before the exchange
    assert zspy.check(path, data=True) == []


# --------------------------------------------------------------------------------------------------
# What comes in between


@pytest.fixture
def at_the_exchange(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Do something, once, when the array is moved and the trees are not exchanged."""

    def arrange(step: Callable[[], Any]) -> None:
        def first(path: Path, identity: int) -> bool:
            monkeypatch.setattr(_moves, "settle", settle)
            step()
            return settle(path, identity)

        monkeypatch.setattr(_moves, "settle", first)

    yield arrange
    monkeypatch.undo()


Arrange: TypeAlias = Callable[[Callable[[], Any]], None]


def test_readers_know_that_the_array_is_elsewhere(path: Path, at_the_exchange: Arrange) -> None:
    old = cast("Directory", opened(path))
    (lazy,) = zspy.file_reader(path, lazy=True)
    new: list[Directory] = []

    def look() -> None:
        assert not (path / CHUNKS).exists()
        assert number_in(path) == 1
        assert old.replaced()
        with pytest.raises(FormatError, match="the file was replaced while it was read"):
            np.asarray(lazy["data"])
        new.append(cast("Directory", opened(path)))
        assert not new[0].replaced()

    at_the_exchange(look)
    update(path, 1, sync=False)
    assert [*map(Directory.replaced, [old, *new])] == [True, True]
    old.close()
    new[0].close()
    assert number_in(path) == 1
    assert alone(path)


def test_a_reader_that_opens_during_the_exchange_opens_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present, asked = stores_replace.present, list[Path]()

    def moves_on(place: Path) -> Path:
        asked.append(place)
        return path.with_name("elsewhere") if len(asked) == 2 else present(place)

    monkeypatch.setattr("zspy.stores.backends.present", moves_on)
    assert number_in(path) == 0
    assert len(asked) == 4


def test_an_interruption_after_the_renaming_ends_with_the_new_file(
    path: Path, at_the_exchange: Arrange
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    at_the_exchange(interrupt)
    with pytest.raises(KeyboardInterrupt):
        update(path, 1, sync=False)
    assert number_in(path) == 1
    assert alone(path)


def test_an_error_before_the_renaming_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(_moves, "flush", full)
    with pytest.raises(OSError, match="the disk is full"):
        update(path, 1)
    assert number_in(path) == 0
    assert alone(path)


def test_where_the_exchange_fails_the_new_file_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later writer puts it in its place."""
    answers = [True]  # it is tried first

    def exchange(*_: object) -> bool:
        return bool(answers and answers.pop())

    monkeypatch.setattr(_moves, "exchange", exchange)
    with pytest.raises(OSError, match="cannot be exchanged"):
        update(path, 1, sync=False)
    assert number_in(path) == 1
    assert not (path / CHUNKS).exists()
    with pytest.raises(zspy.UnsupportedError):
        zspy.file_writer(path, signal_of(2) | {"original_metadata": {"a": object()}}, **QUIET)
    stores_replace.clear(path)  # which cannot mend it
    monkeypatch.setattr(_moves, "locked", unlocked)
    _moves.mend(path)  # nor where there are no locks
    assert number_in(path) == 1
    monkeypatch.undo()
    stores_replace.clear(path)
    assert (path / CHUNKS).exists()
    assert number_in(path) == 1
    assert alone(path)


def test_what_a_living_writer_has_moved_is_left_to_it(path: Path, at_the_exchange: Arrange) -> None:
    def write() -> None:
        _moves.mend(path)
        assert not (path / CHUNKS).exists()
        stores_replace.clear(path)
        assert number_in(path) == 1

    at_the_exchange(write)
    update(path, 1, sync=False)
    assert number_in(path) == 1
    assert alone(path)


def test_a_writer_that_is_quicker_wins(path: Path, at_the_exchange: Arrange) -> None:
    """The array has moved out of a tree that is no longer the file."""
    at_the_exchange(lambda: rewrite(path, 2))
    with pytest.raises(FormatError, match="the file was replaced while it was read; open it again"):
        update(path, 1, sync=False)
    assert number_in(path) == 2
    assert alone(path)


def take_over(path: Path, old: Opened, meanwhile: Callable[[], Any]) -> None:
    """Write a file with the array of an old one."""
    pairs = [(f"{CHUNKS}/", f"{CHUNKS}/")]
    with replaced(path, None, False, (old, pairs)) as sink:
        sink.put([(".zgroup", b"{}")])
        meanwhile()


def nothing(*_: object) -> bool:
    return False


@pytest.mark.parametrize("metadata", ["moved", "linked"])
def test_an_update_of_a_file_that_was_replaced_is_refused(
    metadata: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = opened(path)

    def quicker() -> None:
        monkeypatch.undo()
        rewrite(path, 2)

    def refuse(*_: object, **__: object) -> None:
        quicker()
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if metadata == "linked":
        monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        take_over(path, old, quicker if metadata == "moved" else nothing)
    assert number_in(path) == 2
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        take_over(path, old, nothing)
    assert number_in(path) == 2
    assert alone(path)
    old.close()


def test_a_file_of_which_something_vanishes_is_not_updated(path: Path) -> None:
    old = opened(path)
    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        take_over(path, old, lambda: (path / CHUNKS).rename(path / "elsewhere"))
    with (
        pytest.raises(FormatError, match=r"t/data/.*: a document has vanished"),
        replaced(path, None, False, (old, [(f"{CHUNKS}/.zarray", "0")])),
    ):
        pass
    old.close()
    assert alone(path)


def test_of_two_updates_at_once_the_second_links_and_wins(path: Path) -> None:
    old = opened(path)
    pairs = [(f"{CHUNKS}/", f"{CHUNKS}/")]
    documents = {key: old[key] for key in old if not key.startswith(f"{CHUNKS}/")}
    before = (path / CHUNKS).stat().st_ino

    def both() -> None:
        with replaced(path, None, False, (old, pairs)) as first:
            first.put(documents.items())
            with replaced(path, None, False, (old, pairs)) as second:
                second.put([*documents.items(), ("second", b"")])

    with pytest.raises(FormatError, match="the file was replaced while it was read"):
        both()
    old.close()
    assert (path / "second").exists()
    assert (path / CHUNKS).stat().st_ino != before
    assert number_in(path) == 0
    assert alone(path)


def unlocked(_: Path) -> None:
    """Lock nothing."""


def refused(old: str, new: str, **metadata: Any) -> None:
    if metadata:
        raise OSError(errno.EXDEV, "Invalid cross-device link")
    os.replace(old, new)


@pytest.mark.parametrize(
    ("name", "value"),
    [("exchange", nothing), ("locked", unlocked), ("os.rename", refused)],
    ids=["no exchange", "no locks", "no moving of folders"],
)
@pytest.mark.parametrize("sync", [False, True])
def test_chunks_are_linked_where_they_cannot_be_moved(
    name: str, value: Any, sync: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (path / CHUNKS).stat().st_ino
    owner, _, attribute = name.rpartition(".")
    monkeypatch.setattr(os if owner else _moves, attribute, value)
    update(path, 1, sync=sync)
    assert (path / CHUNKS).stat().st_ino != before
    assert number_in(path) == 1
    assert alone(path)


def test_an_array_with_a_link_is_not_moved(path: Path) -> None:
    (path / CHUNKS / "0" / "0").rename(path / "chunk")
    (path / CHUNKS / "0" / "0").symlink_to("../../../../chunk")
    update(path, 1, sync=False)
    assert not (path / "chunk").exists()
    assert number_in(path) == 1


def test_what_is_written_into_a_moved_array_is_kept(path: Path) -> None:
    old = opened(path)
    pairs = [(f"{CHUNKS}/", f"{CHUNKS}/")]
    with replaced(path, None, False, (old, pairs)) as sink:
        sink.put([(".zgroup", b"{}"), (f"{CHUNKS}/new", b"x")])
    old.close()
    assert (path / CHUNKS / "new").read_bytes() == b"x"
    assert (path / CHUNKS / "0/0").exists()
