"""Every system call of every kind of write fails, one by one: the file is the old or the new one.

A child process writes. Its calls that change a file system (and those that open, list and lock) are
counted by an audit hook and by wrappers; one of them, or all from one on, raises an error of the
system. The parent looks at what the child left: a whole file, no error but zspy's own and those of
the system, and a later write that works and leaves nothing else behind.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

import zspy
from tests.support.signals import version_of

ERRORS: Final = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
# Calls that no audit event tells of.
WRAPPED: Final = (
    *("write", "pwrite", "fsync", "fdatasync", "ftruncate", "sendfile", "copy_file_range"),
    *("replace", "stat", "lstat", "readlink"),
)
EVENTS: Final = ("open", "os.", "shutil.", "fcntl.", "tempfile.")
CONTROL: Final = ("os.fork", "os.putenv", "os.unsetenv", "os.kill", "os.exec")
QUIET: Final[dict[str, Any]] = {"show_progressbar": False}


class Fault(NamedTuple):
    """Which call fails."""

    kind: str
    way: str
    step: int
    error: int
    forever: bool


signal = partial(version_of, shape=(40, 40))


def new(path: Path, kind: Any) -> None:
    """Write the whole file."""
    how: dict[str, Any] = {"chunks": (20, 20), "store_type": kind}
    zspy.file_writer(path, signal(1), **how, **QUIET)


def metadata_only(path: Path, _: Any) -> None:
    """Write the metadata, and keep the array."""
    zspy.file_writer(
        path, {**signal(0), "metadata": signal(1)["metadata"]}, write_dataset=False, **QUIET
    )


def one_more(path: Path, _: Any) -> None:
    """Add a signal."""
    zspy.file_writer(path, signal(1, "more"), mode="a", **QUIET)


WAYS: Final[dict[str, Callable[[Path, Any], None]]] = {
    "new": new,
    "metadata": metadata_only,
    "more": one_more,
}
KINDS: Final = ("local", "zip")


def counted(fault: Fault) -> Callable[[], int]:
    """Let a call fail, and return a function that says how many there have been."""
    left, total, active = fault.step, 0, True

    def call(name: str) -> None:
        nonlocal left, total
        if not active or name.startswith(CONTROL):
            return
        total += 1
        left -= 1
        if left == 0 or (left < 0 and fault.forever):
            raise OSError(fault.error, f"{os.strerror(fault.error)} (planned, in {name})")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Modules that are imported meanwhile are not what is tested.
        ours = event.startswith(EVENTS) and "site-packages" not in str(arguments[:1])
        if ours and not str(arguments[:1]).endswith((".py',)", ".pyc',)")):
            call(event)

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            call(f"os.{name} itself")
            return function(*arguments, **options)

        return wrapper

    for name in WRAPPED:
        setattr(os, name, wrapped(name, getattr(os, name)))
    sys.addaudithook(hook)

    def stop() -> int:
        nonlocal active
        active = False
        return total

    return stop


def child(fault: Fault, path: Path, told: int) -> None:
    """Write under a fault; tell what became of it, and how many calls there were."""
    stop = counted(fault)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            WAYS[fault.way](path, fault.kind)
        outcome = "done"
    except (zspy.ZspyError, OSError):
        outcome = "told"
    except BaseException:  # noqa: BLE001 - whatever it is, it is reported
        outcome = traceback.format_exc()[-1500:]
    count = stop()
    os.write(told, f"{count} {outcome}".encode())


def state(path: Path) -> list[tuple[str, int, int]]:
    """Return the signals of a file: title, number in the metadata, number in the data."""
    found: list[tuple[str, int, int]] = []
    for one in zspy.file_reader(path):
        data = np.asarray(one["data"])
        assert (data == data.flat[0]).all(), "a mix of two arrays"
        metadata = one["metadata"]
        found.append((metadata["General"]["title"], metadata["n"], int(data.flat[0])))
    return sorted(found)


AFTER: Final = {
    "new": [("t", 1, 1)],
    "metadata": [("t", 1, 0)],
    "more": [("more", 1, 1), ("t", 0, 0)],
}


def attempt(fault: Fault) -> tuple[int, str]:
    """Try one fault; return how many calls there were, and what is wrong or ""."""
    with tempfile.TemporaryDirectory(prefix="zspy-faults-") as folder:
        path = Path(folder) / "f.zspy"
        how: dict[str, Any] = {"chunks": (20, 20), "store_type": fault.kind}
        zspy.file_writer(path, signal(0), **how, **QUIET)
        read, write = os.pipe()
        process = os.fork()
        if not process:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            try:
                child(fault, path, write)
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as told:
            count, _, outcome = told.read().partition(" ")
        os.waitpid(process, 0)
        problem = "" if outcome in {"done", "told"} else outcome or "the process ended"
        try:
            found = state(path)
            if found not in (AFTER[fault.way], [("t", 0, 0)]):
                problem = problem or f"neither the old nor the new file: {found}"
            if outcome == "done" and found != AFTER[fault.way]:
                problem = problem or "it said nothing, and nothing was written"
            new(path, fault.kind)
            left = sorted({each.name for each in Path(folder).iterdir()} - {"f.zspy"})
            if left and state(path) == AFTER["new"] and [*_leftovers(left)]:
                problem = problem or f"left behind: {left}"
        except Exception:  # noqa: BLE001 - whatever it is, it is reported
            problem = problem or traceback.format_exc()[-1500:]
        return int(count or 0), problem


def _leftovers(names: list[str]) -> list[str]:
    """Return the names beside a file that are no lock of it, which stays."""
    return [name for name in names if not name.endswith("lock")]


def every() -> list[Fault]:
    """Return a fault for each call of each kind of write."""
    faults: list[Fault] = []
    for kind in KINDS:
        for way in WAYS:
            count, problem = attempt(Fault(kind, way, 0, errno.EIO, False))
            assert not problem, problem
            faults += [
                Fault(kind, way, step, error, forever)
                for step in range(1, count + 1)
                for error in ERRORS
                for forever in (False, True)
            ]
    return faults


def main() -> int:
    """Try a part of a fixed size of all faults: as many as ``--count`` says files."""
    wanted = int(sys.argv[sys.argv.index("--count") + 1]) if "--count" in sys.argv else 1000
    faults = every()
    chosen = random.Random(0).sample(faults, min(wanted, len(faults)))
    failures = 0
    for fault in sorted(chosen):
        _, problem = attempt(fault)
        if problem:
            failures += 1
            print(f"{fault}\n{problem}\n")
    print(f"{len(chosen)} faults of {len(faults)}, {failures} failures")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
