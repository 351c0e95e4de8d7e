"""The wheel beside HyperSpy in a new environment: signals are saved and loaded with no call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

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


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which the wheel of this checkout was installed last."""
    found = python_of(BESIDE)
    wheels = tmp_path_factory.mktemp("wheels")
    run(found, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT)
    (wheel,) = wheels.iterdir()
    run(found, "-m", "pip", "install", "--quiet", wheel)
    run(found, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
    return found


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        (STARTED + SAVED, None),
        (ALONE, None),
        (STARTED + GIVEN_BACK, "0"),
        (GIVEN_BACK_FIRST + "import hyperspy.api\n" + GIVEN_BACK, None),
    ],
    ids=["saved", "alone", "by variable", "given back first"],
)
def test_an_installed_zspy_is_used_with_no_call(
    code: str, setting: str | None, python: Path, tmp_path: Path
) -> None:
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
    assert done.returncode == 0, done.stderr
    assert "zspy" not in done.stderr  # no warning of HyperSpy about the extension


def test_a_broken_zspy_does_not_keep_hyperspy_from_starting(python: Path, tmp_path: Path) -> None:
    """Nor from loading and saving all other formats."""
    broken = tmp_path / "zspy"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    code = """
import hyperspy.api as hs
hs.signals.Signal1D([1.0, 2.0]).save("line.msa")
assert hs.load("line.msa").data.tolist() == [1.0, 2.0]
try:
    hs.signals.Signal1D([1.0]).save("line.zspy")
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
