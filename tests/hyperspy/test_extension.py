"""The wheel beside HyperSpy in a new environment: signals are saved and loaded with no call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from tests.interop.environments import ROOT, Release, python_of, run

BESIDE: Final = Release("extension", ("hyperspy==2.5.0", "rosettasciio==0.15.0", "zarr>=3.1"))

STARTED: Final = """
import sys
import hyperspy.api as hs

dir(hs.signals)
assert "zspy" not in sys.modules and "zarr" not in sys.modules
"""
SAVED: Final = """
signal = hs.signals.Signal1D([[1.0, 2.0, 3.0]])
signal.metadata.General.title = "line"
signal.save("line.zspy", overwrite=True)
loaded = hs.load("line.zspy")
assert loaded.data.tolist() == [[1.0, 2.0, 3.0]]
assert loaded.metadata.General.FileIO.as_dictionary()["0"]["io_plugin"] == "zspy.hyperspy"

import zspy.hyperspy
assert zspy.hyperspy.registered()
"""
ALONE: Final = """
import zspy
import rsciio
assert "zspy.hyperspy" not in {plugin["api"] for plugin in rsciio.IO_PLUGINS}
"""
GIVEN_BACK: Final = """
import zspy.hyperspy
assert not zspy.hyperspy.registered()
"""
GIVEN_BACK_FIRST: Final = """
import zspy.hyperspy
zspy.hyperspy.unregister()
"""


def installed(wheels: Path) -> Path:
    """Install the wheel of this checkout beside HyperSpy, and return the interpreter."""
    found = python_of(BESIDE)
    run(found, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT)
    (wheel,) = wheels.iterdir()
    run(found, "-m", "pip", "install", "--quiet", wheel)
    run(found, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
    return found


SESSIONS: Final = {
    "saved": (STARTED + SAVED, None),
    "alone": (ALONE, None),
    "given back by the variable": (STARTED + GIVEN_BACK, "0"),
    "given back first": (GIVEN_BACK_FIRST + "import hyperspy.api\n" + GIVEN_BACK, None),
}


def test_an_installed_zspy_is_used_with_no_call(tmp_path: Path) -> None:
    """One test, so that one process installs the wheel where tests run in parallel."""
    python = installed(tmp_path / "wheels")
    for name, (code, setting) in SESSIONS.items():
        environment = {key: value for key, value in os.environ.items() if key != "ZSPY_HYPERSPY"}
        if setting is not None:
            environment["ZSPY_HYPERSPY"] = setting
        done = subprocess.run(
            [python, "-I", "-W", "ignore", "-c", code],
            cwd=tmp_path,
            env=environment | {"MPLBACKEND": "Agg"},
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        assert done.returncode == 0, (name, done.stderr)
        assert "zspy" not in done.stderr  # no warning of HyperSpy about the extension
    hyperspy_starts_with_a_broken_zspy(python, tmp_path)


def hyperspy_starts_with_a_broken_zspy(python: Path, tmp_path: Path) -> None:
    """It loads and saves all other formats."""
    broken = tmp_path / "zspy"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    code = """
import hyperspy.api as hs
hs.signals.Signal1D([1.0, 2.0]).save("line.msa")
assert hs.load("line.msa").data.tolist() == [1.0, 2.0]
try:
    hs.signals.Signal1D([1.0]).save("new.zspy")
except RuntimeError as error:
    assert "broken" in str(error)
else:
    raise AssertionError("it was not broken")
"""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
