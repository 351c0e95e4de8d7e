"""`zspy set` corrects values in their file, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps.cli import main

pytest.importorskip("dask.array")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file with two signals."""
    axes = [{"name": "y", "size": 2, "scale": 1.0}, {"name": "x", "size": 3, "units": "nm"}]
    signals: list[dict[str, Any]] = [
        {
            "data": np.arange(6).reshape(2, 3),
            "axes": axes,
            "metadata": {"General": {"title": title, "notes": "n"}},
        }
        for title in ("a", "b")
    ]
    zspy.file_writer(tmp_path / "s.zspy", signals, sync=False)
    return tmp_path / "s.zspy"


def test_values_are_merged_and_removed(path: Path, capsys: Capture) -> None:
    values = ["Beam.energy=80", "axes.y.scale=0.25", "axes.1.units=um", "Beam.mode=a=b"]
    options = ["--title", "a", "--remove", "General.notes"]
    assert main(["set", str(path), *values, *options]) == 0
    assert capsys.readouterr().out == f"{path}: 5 values changed\n"
    first, second = zspy.file_reader(path)
    assert first["metadata"] == {"General": {"title": "a"}, "Beam": {"energy": 80, "mode": "a=b"}}
    slow, fast = first["axes"]
    assert (slow.get("scale"), fast.get("units")) == (0.25, "um")
    assert second["metadata"] == {"General": {"title": "b", "notes": "n"}}
    assert first["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert main(["set", str(path), "x=1", "--title", "b", "-q"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to set"),
        (["x=1"], "the file has 2 signals"),
        (["a=1", "a.b=2", "--title", "a"], "a.b: a value, and values in it"),
        (["a.b=2", "a=1", "--title", "a"], "a: a value, and values in it"),
        (["axes.z.scale=1", "--title", "a"], "axes"),
    ],
)
def test_what_cannot_be_set_is_told(
    arguments: list[str], said: str, path: Path, capsys: Capture
) -> None:
    assert main(["set", str(path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
