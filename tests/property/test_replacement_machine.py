"""A file at each moment: two writers, three readers, a kill at any system call, and power loss.

The file is the old or the new one, whole, whatever happens to who writes it. A writer is a process
that stops at one of its calls of the system. Then it goes on, or is killed, or the power fails: of
each file whose data was not brought to the disk there is the name, and nothing in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import zspy
from tests.support.signals import version_of
from zspy import EncodeError, FormatError
from zspy.stores import directory, replace
from zspy.stores.replace import PART
from zspy.values.errors import MissingFileError

Change: TypeAlias = Literal["write", "update", "add", "correct"]
State: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""The signals of a file: title, number in the metadata, one that was corrected, and of the data."""
MANY: Final = 3  # signals of a file, above which it is written anew
CHANGES: Final = st.sampled_from(["write", "update", "add", "correct"])
STEPS: Final = st.integers(1, 260)  # calls of the system, which a write has about as many of


class Job(NamedTuple):
    """What a writer does."""

    change: Change
    number: int
    titles: tuple[str, ...]

    def after(self, before: State) -> State:
        """Give the state that it leaves."""
        new = (f"t{self.number}", self.number, 0, self.number)
        match self.change:
            case "write":
                return (new,)
            case "add":
                return tuple(sorted((*before, new)))
            case "update":
                # The only signal of a file gets the title that it is updated with, also where
                # another writer has given it a new one before the update began.
                kept = [title for title, *_ in before]
                titles = self.titles if len(kept) == 1 else kept
                pairs = zip(titles, before, strict=False)
                return tuple((title, self.number, 0, data) for title, (*_, data) in pairs)
            case "correct":
                title, n, _, data = before[0]
                return ((title, n, self.number, data), *before[1:])

    def run(self, path: Path, kind: Any, **options: Any) -> None:
        if self.change == "correct":
            title = None if len(self.titles) == 1 else self.titles[0]
            zspy.update(path, {"note": self.number}, title=title, **options)
            return
        quiet: dict[str, Any] = {"show_progressbar": False, "store_type": kind, "chunks": (1, 3)}
        titles = self.titles if self.change == "update" else (f"t{self.number}",)
        ways: dict[str, dict[str, Any]]
        ways = {"write": {}, "add": {"mode": "a"}, "update": {"write_dataset": False}}
        signals = [signal_of(self.number, title) for title in titles]
        zspy.file_writer(path, signals, **quiet, **ways[self.change], **options)


signal_of = partial(version_of, shape=(2, 3))


def state_of(signals: Sequence[Any]) -> State:
    found: list[tuple[str, int, int, int]] = []
    for one in signals:
        data, metadata = np.asarray(one["data"]), one["metadata"]
        assert data.shape == (2, 3)
        assert (data == data.flat[0]).all(), "a mix of two arrays"
        assert metadata["list"] == [metadata["n"]] * 3, "a mix of two trees"
        note = metadata.get("note", 0)
        found.append((metadata["General"]["title"], metadata["n"], note, int(data.flat[0])))
    return tuple(sorted(found))


def read(path: Path) -> State:
    try:
        return state_of(zspy.file_reader(path))
    except MissingFileError:
        return ()


def started(job: Job, path: Path, kind: str, step: int, how: int, log: Path) -> int:
    """Start a writer, which gives itself a signal at a step; give its process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this process may have threads
        process = os.fork()
    if process:
        return process
    left, counts = step, True

    def count(event: str, _: object) -> None:
        nonlocal left, counts
        if counts and (event == "open" or event.startswith("os.")):
            left -= 1
            if not left:
                counts = False
                os.kill(os.getpid(), how)

    def flushed(place: Path, *, everything: bool = False) -> None:
        """Note what is on the disk now, instead of bringing it there."""
        nonlocal counts
        before, counts = counts, False
        every = everything and place.is_dir()
        files = [*path.parent.rglob("*")] if every else [place]
        with log.open("a") as file:
            file.writelines(f"{one.stat().st_ino}\n" for one in files if one.is_file())
        counts = before

    def synced(handle: int) -> None:
        nonlocal counts
        before, counts = counts, False
        with log.open("a") as file:
            file.write(f"{os.fstat(handle).st_ino}\n")
        counts = before

    code = 2
    try:
        for module, name, noting in (
            (replace, "flush", flushed),
            (directory, "flush", flushed),
            (os, "fsync", synced),
        ):
            vars(module)[name] = noting
        sys.addaudithook(count)
        with suppress(EncodeError, FormatError):
            code = 1
            job.run(path, kind, sync=True)
            code = 0
    finally:
        os._exit(code)


class Machine(RuleBasedStateMachine):
    """A file, two writers of it, and three readers."""

    @initialize(kind=st.sampled_from(["local", "zip"]), is_there=st.booleans())
    def begin(self, kind: str, is_there: bool) -> None:
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix="zspy-machine-"))
        self.log = Path(tempfile.mkstemp()[1])
        self.path = self.folder / "scan.zspy"
        self.number = 0
        self.before: State = ()
        self.paused: tuple[int, Job] | None = None
        self.lazy: list[tuple[Any, int]] = []
        self.is_interrupted = False  # since the last write that was completed
        if is_there:
            self.write("write")

    def note_what_is_on_the_disk(self) -> None:
        """Take what lies at the path for on the disk, where a paused writer has nothing."""
        every = [self.path, *self.path.rglob("*")]
        with self.log.open("a") as file:
            file.writelines(f"{one.stat().st_ino}\n" for one in every if one.is_file())

    def job(self, change: Change) -> Job:
        self.number += 1
        titles = tuple(title for title, *_ in self.before)
        if not titles or (change == "add" and len(titles) >= MANY):
            change = "write"
        return Job(change, self.number, titles)

    @rule(change=CHANGES)
    def write(self, change: Change) -> None:
        """Another writer is refused while one has the lock; else the new file is there."""
        job = self.job(change)
        try:
            job.run(self.path, self.kind, sync=False, lock_timeout=0)
        except EncodeError:
            if self.paused is None:
                raise
        else:
            self.before = job.after(self.before)
            self.note_what_is_on_the_disk()
            self.is_interrupted = self.paused is not None
        if self.paused is None:
            assert read(self.path) == self.before
            assert os.listdir(self.folder) == [self.path.name]

    @precondition(lambda self: self.paused is None)
    @rule(change=CHANGES, step=STEPS)
    def pause(self, change: Change, step: int) -> None:
        job = self.job(change)
        self.log.write_text("")
        self.note_what_is_on_the_disk()
        process = started(job, self.path, self.kind, step, signal.SIGSTOP, self.log)
        _, status = os.waitpid(process, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            self.paused = process, job
            self.is_interrupted = True
        else:
            assert not status
            self.before = job.after(self.before)

    @precondition(lambda self: self.paused is not None)
    @rule()
    def go_on(self) -> None:
        assert self.paused is not None
        process, job = self.paused
        os.kill(process, signal.SIGCONT)
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, 1)
        found = read(self.path)
        done = [self.before, job.after(self.before)]
        assert found == done[1] if code == 0 else found in done
        self.before, self.paused = found, None

    @precondition(lambda self: self.paused is not None)
    @rule()
    def kill(self) -> None:
        self.settle(self.killed())

    def killed(self) -> Job:
        """Kill the writer that stands still, and give what it was to do."""
        assert self.paused is not None
        process, job = self.paused
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self.paused = None
        return job

    def settle(self, job: Job) -> None:
        found = read(self.path)
        assert found in (self.before, job.after(self.before))
        self.before = found

    @precondition(lambda self: self.paused is None)
    @rule(change=CHANGES, step=STEPS)
    def write_and_die(self, change: Change, step: int) -> None:
        job = self.job(change)
        self.note_what_is_on_the_disk()
        self.is_interrupted = True
        os.waitpid(started(job, self.path, self.kind, step, signal.SIGKILL, self.log), 0)
        self.settle(job)

    @precondition(lambda self: self.paused is not None)
    @rule()
    def lose_power(self) -> None:
        """What was written since the last sync is lost, and its names are not."""
        job = self.killed()
        safe = {*map(int, self.log.read_text().split())}
        for one in self.folder.rglob("*"):
            if one.is_file() and one.stat().st_ino not in safe:
                os.truncate(one, 0)
        self.lazy = []
        self.settle(job)

    @invariant()
    def is_whole(self) -> None:
        """A reader that opens the file finds the old one or the new one."""
        if hasattr(self, "path"):
            wanted = [self.before]
            if self.paused is not None:
                wanted.append(self.paused[1].after(self.before))
            assert read(self.path) in wanted

    @precondition(lambda self: self.before)
    @rule()
    def open_lazily(self) -> None:
        signals = zspy.file_reader(self.path, lazy=True)
        for one in signals:
            self.lazy.append((one["data"], one["metadata"]["n"]))
        self.lazy = self.lazy[-4:]

    @rule()
    def compute(self) -> None:
        """A reader that had opened the file goes on while its array is there."""
        for data, _ in self.lazy:
            try:
                found = data.compute()
            except FormatError as error:
                if "replaced while it was read" not in str(error):
                    raise
                continue
            assert (found == found.flat[0]).all()

    @rule()
    def look_for_damage(self) -> None:
        if not self.before:
            return
        found = zspy.check(self.path, show_progressbar=False)
        if self.is_interrupted:  # one document may lie in the root under another name
            unfinished = [one for one in found if one.key.startswith(PART)]
            assert len(unfinished) < 2
            assert all(one.severity == "warning" for one in unfinished)
            found = [one for one in found if one not in unfinished]
        assert found == []

    def teardown(self) -> None:
        if hasattr(self, "path"):
            if self.paused is not None:
                self.kill()
            self.write("write")
            shutil.rmtree(self.folder)
            self.log.unlink()


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_file_is_the_old_or_the_new_one_at_each_moment() -> None:
    chosen = settings(max_examples=int(os.environ.get("ZSPY_RUNS", "30")), stateful_step_count=12)
    run_state_machine_as_test(Machine, settings=chosen)
