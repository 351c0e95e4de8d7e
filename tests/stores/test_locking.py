"""The lock of a file: one writer at a time, whatever lies beside it."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from collections import UserDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pytest
from zarr.storage import MemoryStore

import zspy
from zspy import EncodeError
from zspy.stores import folders, locking
from zspy.stores.locking import locked, name_beside

LOCK: Final = ".scan.zspy.zspy-lock"
HOLD: Final = """
import sys
from zspy.stores.locking import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
    if "die" in sys.argv:
        import os
        os._exit(1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.zspy"


def holder(path: Path, *more: str) -> subprocess.Popen[str]:
    """Start a process that holds the lock until it is told a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_lies_beside_the_file_and_goes_with_the_block(path: Path) -> None:
    with locked(path):
        assert os.listdir(path.parent) == [LOCK]
    assert os.listdir(path.parent) == []


def test_an_error_in_the_block_releases_the_lock(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(path):
        _ = 1 / 0
    with locked(path, timeout=0):
        pass


def test_another_thread_waits(path: Path) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with locked(path):
            inside.set()
            go_on.wait()
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    go_on.set()
    with locked(path):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_another_process_keeps_it_until_it_ends(path: Path) -> None:
    process = holder(path)
    writing = pytest.raises(EncodeError, match="another process or thread is writing")
    with writing, locked(path, timeout=0.05):
        pass
    process.communicate("\n")
    with locked(path, timeout=0):
        pass


def test_a_killed_process_leaves_no_lock(path: Path) -> None:
    holder(path, "die").communicate("\n")
    assert os.listdir(path.parent) == [LOCK]
    with locked(path, timeout=0):
        pass
    assert os.listdir(path.parent) == []


def test_two_names_of_a_file_have_one_lock(path: Path) -> None:
    path.mkdir()
    other = path.with_name("link")
    other.symlink_to(path)
    with locked(path), pytest.raises(EncodeError), locked(other, timeout=0):
        pass


def test_without_a_timeout_there_is_no_lock(path: Path) -> None:
    with locked(path, timeout=0), locked(path, None):
        pass


@pytest.mark.parametrize("name", ["a.zspy", "ä" * 80, "é" * 127, "x" * 255])
def test_names_of_any_length_have_a_lock(tmp_path: Path, name: str) -> None:
    with locked(tmp_path / name):
        (found,) = os.listdir(tmp_path)
    assert found == name_beside(tmp_path / name, "zspy-lock")


def test_long_names_that_begin_alike_have_locks_of_their_own(tmp_path: Path) -> None:
    with locked(tmp_path / ("x" * 254)), locked(tmp_path / ("x" * 255), timeout=0):
        pass


def test_a_link_in_the_place_of_the_lock_is_not_followed(path: Path) -> None:
    other = path.with_name("other")
    path.with_name(LOCK).symlink_to(other)
    with pytest.raises(EncodeError, match="the file of its lock"), locked(path):
        pass
    assert not other.exists()


def test_a_fifo_in_the_place_of_the_lock_is_refused(path: Path) -> None:
    os.mkfifo(path.with_name(LOCK))
    with pytest.raises(EncodeError, match="no regular file"), locked(path):
        pass


def test_a_lock_that_may_only_be_read_is_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.with_name(LOCK).touch()
    real = os.open

    def opened(name: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_RDWR:
            raise PermissionError
        return real(name, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    with locked(path):
        pass


def test_a_folder_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(EncodeError, match="cannot be opened"), locked(path / "x"):
        pass


def test_a_lock_that_was_removed_before_it_was_taken_is_taken_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = locking.try_lock
    removed: list[Path] = []

    def too_late(handle: int, where: Path) -> bool:
        if not removed:
            removed.append(path.with_name(LOCK))
            removed[0].unlink()
        return real(handle, where)

    monkeypatch.setattr(locking, "try_lock", too_late)
    with locked(path):
        assert path.with_name(LOCK).exists()


def test_who_is_second_to_make_the_lock_opens_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def quicker(name: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            os.close(real(path.with_name(LOCK), os.O_RDWR | os.O_CREAT))
        return real(name, flags, *rest, **more)

    monkeypatch.setattr(os, "open", quicker)
    with locked(path):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks_is_an_error(
    path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_handle: int, **_: Any) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(locking, "_lock", failing)
    expected = EncodeError if code == errno.ENOLCK else OSError
    with pytest.raises(expected, match="no"), locked(path):
        pass


def test_who_cannot_take_a_lock_leaves_its_file_to_who_holds_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a drive of the network locks only what may be written."""

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EBADF, "on purpose")

    with locked(path):
        there = os.listdir(path.parent)
        with monkeypatch.context() as patch:
            patch.setattr(locking, "_lock", failing)
            with pytest.raises(OSError, match="on purpose"), locked(path):
                pass
        assert os.listdir(path.parent) == there


def test_windows_locks_one_byte(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without folders that are open, and with its own call."""
    calls: list[int] = []

    def locking_call(_handle: int, how: int, size: int) -> None:
        calls.append(how)
        assert size == 1

    windows = SimpleNamespace(locking=locking_call, LK_NBLCK=2, LK_UNLCK=0)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr(folders, "HAS_DIR_FD", False)
    monkeypatch.setattr(locking, "_REMOVES_OPEN", False)
    real = os.unlink

    def unlink(name: str, **options: Any) -> None:
        """Refuse to remove what is open, as Windows does."""
        opened = (os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd"))
        if os.path.realpath(name) in opened:
            raise PermissionError(errno.EACCES, "it is open")
        real(name, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    with locked(path):
        assert os.listdir(path.parent) == [LOCK]
    assert calls == [2, 0]
    assert os.listdir(path.parent) == []


def test_who_is_interrupted_while_waiting_leaves_the_lock_to_who_holds_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with locked(path):
        with monkeypatch.context() as patched:
            patched.setattr(locking, "try_lock", interrupted)
            with pytest.raises(KeyboardInterrupt), locked(path):
                pass
        assert os.listdir(path.parent) == [LOCK]


def test_who_is_interrupted_while_the_lock_ends_does_not_hold_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process could not write that file any more until it ended."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(locking, "_remove", interrupted)
        with pytest.raises(KeyboardInterrupt), locked(path):
            pass
    with locked(path, 0.0):
        assert os.listdir(path.parent) == [LOCK]
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("kind", ["dict", "mapping", "MemoryStore", "obstore", "BytesIO", "URL"])
def test_threads_that_add_to_one_place_in_memory_lose_nothing(kind: str) -> None:
    place: Any = {}
    if kind == "mapping":
        place = UserDict[str, bytes]()
    elif kind == "MemoryStore":
        place = MemoryStore()
    elif kind == "obstore":
        place = pytest.importorskip("obstore.store").MemoryStore()
    elif kind == "BytesIO":
        place = io.BytesIO()
    elif kind == "URL":
        pytest.importorskip("fsspec")
        place = f"memory://{uuid4()}/scan.zspy"  # which each thread opens for itself
    titles = [f"{thread} {number}" for thread in range(4) for number in range(5)]

    def add(title: str) -> None:
        metadata = {"General": {"title": title}}
        signal: dict[str, Any] = {"data": np.zeros(2), "axes": [], "metadata": metadata}
        zspy.file_writer(place, signal, mode="a", show_progressbar=False)

    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(add, titles)] == [None] * len(titles)
    found = {one["metadata"]["General"]["title"] for one in zspy.file_reader(place)}
    assert found == {*titles}


def test_a_place_in_memory_that_is_being_written_is_waited_for() -> None:
    place: dict[str, bytes] = {}
    signal: dict[str, Any] = {"data": np.zeros(2), "axes": [], "metadata": {}}
    zspy.file_writer(place, signal, show_progressbar=False)
    with zspy.append(place) as stream:
        for wait in (0, 0.01):
            with pytest.raises(EncodeError, match="the mapping: another process or thread is"):
                zspy.update(place, {"a": 1}, lock_timeout=wait)
        zspy.file_writer({}, signal, show_progressbar=False)
        zspy.update(place, {"a": 1}, lock=False)
        stream.append([1.0])
    zspy.update(place, {"b": 2}, lock_timeout=float("inf"))
    assert zspy.file_reader(place)[0]["metadata"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("lines", range(1, 60))
def test_ctrl_c_at_any_line_leaves_the_lock_to_others(path: Path, lines: int) -> None:
    """Somebody who works at a prompt goes on in the process that was interrupted."""
    done = 0
    before_it: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal done
        if frame.f_code.co_filename not in (locking.__file__, folders.__file__):
            return None
        # Python goes back to the line of a `with` when it ends, and handles no signal there.
        goes_back = frame.f_lineno < before_it.get(frame, 0)
        before_it[frame] = frame.f_lineno
        done += event == "line" and not goes_back
        if done == lines:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    interrupt: BaseException | None = None
    sys.settrace(trace)
    try:
        with locked(path):
            pass
    except KeyboardInterrupt as error:
        interrupt = error  # with the frames of all functions, as a prompt keeps them
    finally:
        sys.settrace(before)
    assert (interrupt is not None) == (done >= lines)
    with locked(path, timeout=0):
        pass
