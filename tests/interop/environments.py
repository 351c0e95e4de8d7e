"""Environments that hold released programs, made with pip and kept between runs.

The reference is the newest release; older ones only read. Where an environment is:

* ``ZSPY_INTEROP_PYTHON``, ``ZSPY_INTEROP_PYTHON_0_10`` and ``ZSPY_INTEROP_PYTHON_0_4`` name the
  Python of an environment that is ready;
* else it is made in the directory that ``ZSPY_INTEROP_CACHE`` names, or in
  ``.nox/interop-reference``. A file in it says what it holds, so that it is made once.

``ZSPY_INTEROP_RELEASES`` lists the older releases to test with (``"0.4,0.10"``, the default).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
MADE_FROM: Final = "made-from.json"


@dataclass(frozen=True)
class Release:
    """A release of the reference, and what an environment for it needs."""

    version: str
    requirements: tuple[str, ...]
    newest_python: tuple[int, int] | None = None
    without_needs: tuple[str, ...] = ()  # installed last, whatever they ask for

    @property
    def variable(self) -> str:
        """The environment variable that may name a Python which has the release."""
        if self is REFERENCE:
            return "ZSPY_INTEROP_PYTHON"
        return f"ZSPY_INTEROP_PYTHON_{self.version.replace('.', '_')}"


REFERENCE: Final = Release(
    "0.15",
    ("hyperspy==2.5.0", "rosettasciio==0.15.0", "zarr<3", "lmdb", "msgpack"),
)
OLDER: Final[Mapping[str, Release]] = {
    "0.10": Release("0.10", ("rosettasciio==0.10.0", "zarr==2.18.*", "h5py", "msgpack")),
    "0.4": Release(
        "0.4",
        (
            *("rosettasciio==0.4", "zarr==2.17.2", "numpy==1.26.4", "numcodecs==0.12.1"),
            *("h5py", "msgpack"),
        ),
        newest_python=(3, 12),
    ),
}


def requested() -> frozenset[str]:
    """Return the versions of the older releases that tests run with."""
    listed = os.environ.get("ZSPY_INTEROP_RELEASES", ",".join(OLDER))
    return frozenset(version.strip() for version in listed.split(",") if version.strip())


def python_of(release: Release) -> Path:
    """Return the Python of the environment of a release, which is made if need be.

    Raises
    ------
    LookupError
        If no Python is old enough for the release.
    """
    if named := os.environ.get(release.variable):
        return Path(named)
    interpreter = _interpreter_for(release)
    cache = Path(os.environ.get("ZSPY_INTEROP_CACHE") or ROOT / ".nox" / "interop-reference")
    environment = cache / release.version
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    needs = [*release.requirements, *release.without_needs]
    made_from = json.dumps([needs, _version_of(interpreter)])
    marker = environment / MADE_FROM
    if not (marker.exists() and marker.read_text(encoding="utf-8") == made_from):
        shutil.rmtree(environment, ignore_errors=True)
        run(interpreter, "-m", "venv", str(environment))
        # An old pip takes minutes to solve what a new one solves at once.
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        run(python, "-m", "pip", "install", "--quiet", *release.requirements)
        if release.without_needs:
            run(python, "-m", "pip", "install", "--quiet", "--no-deps", *release.without_needs)
        marker.write_text(made_from, encoding="utf-8")
    return python


def _interpreter_for(release: Release) -> Path:
    for interpreter in _interpreters():
        version = _version_of(interpreter)
        if version and (release.newest_python is None or tuple(version) <= release.newest_python):
            return interpreter
    raise LookupError(f"no Python up to {release.newest_python} for release {release.version}")


def _interpreters() -> Iterator[Path]:
    yield Path(sys.executable)
    for minor in (12, 11):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)


def _version_of(interpreter: Path) -> list[int]:
    code = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run(
        [interpreter, "-c", code], capture_output=True, check=False, encoding="utf-8"
    )
    return [int(part) for part in answer.stdout.split()]  # nothing: a name that leads nowhere


def run(*command: str | Path) -> None:
    """Run a program, which is silent unless it fails.

    Raises
    ------
    RuntimeError
        If it fails, with all that it printed.
    """
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")


def work(python: Path, task: str, *paths: Path) -> str:
    """Run a task of ``worker.py`` in an environment, and return what it says.

    Raises
    ------
    RuntimeError
        If the task fails, with all that it printed.
    """
    command = [str(python), "-m", "tests.interop.worker", task, *map(str, paths)]
    # Only what the release needs: no path of this environment, no display.
    kept = ("PATH", "HOME", "TMPDIR", "TEMP", "SYSTEMROOT", "USERPROFILE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")
    return done.stdout
