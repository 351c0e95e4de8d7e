"""`zspy set` corrects values in their file, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

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


def test_a_title_is_a_text_whatever_it_looks_like(path: Path) -> None:
    for given, title in (("3", "3"), ("null", "null"), ('"3.0"', "3.0"), ("[1]", "[1]")):
        assert main(["set", str(path), f"General.title={given}", "--title", "b", "-q"]) == 0
        assert title in [one["metadata"]["General"]["title"] for one in zspy.file_reader(path)]
        assert main(["set", str(path), "General.title=b", "--title", title, "-q"]) == 0


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


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("title", "General.title"),
        ("Energy", "Beam.energy"),
        ("general.title", "General.title"),
        ("Beam.enrgy", "Beam.energy"),
        ("energies", None),
        ("Camera.energy", None),
        ("Beam.energy", None),
        ("General.title", None),
    ],
)
def test_a_name_that_is_new_and_nearly_another_is_told(
    given: str, meant: str | None, path: Path, capsys: Capture
) -> None:
    assert main(["set", str(path), "Beam.energy=80", "--title", "a", "-q"]) == 0
    assert main(["set", str(path), f"{given}=a", "--title", "a", "-q"]) == 0
    said = f"zspy: warning: {given} is new: did you mean {meant!r}?\n" if meant else ""
    assert capsys.readouterr().err == said


REFUSED: Final = {
    "a key that is not there": (["--remove", "nope"], "nope: there is nothing of this name"),
    "one in a dictionary": (["--remove", "General.nope"], "General.nope: there is nothing"),
    "one of an axis": (["--remove", "axes.x.nope"], "axes.x.nope: there is nothing"),
    "one below a value": (["--remove", "General.title.x"], "General.title: a value, and values"),
    "a value for a dictionary": (["General=5"], "General: a value, and values in it"),
    "a value below a value": (["beam.energy.x=5"], "beam.energy: a value, and values in it"),
    "a value for an axis": (["axes.x=5"], "axes.x: an axis has several values"),
    "no name": ([".=5"], "there is nothing of this name"),
    "a name without a part": (["General..x=5"], "General.: there is nothing of this name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_lost_by_a_name_that_is_wrong(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.zspy"
    signal: Any = {
        "data": np.arange(3),
        "axes": [{"name": "x", "size": 3}],
        "metadata": {"General": {"title": "t"}, "beam": {"energy": 200}},
    }
    zspy.file_writer(path, signal)
    before = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    arguments, message = REFUSED[case]
    assert main(["set", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert before == {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}


def test_the_names_of_deep_metadata_are_gone_through(path: Path, capsys: Capture) -> None:
    deep: dict[str, Any] = {"energy": 1}
    for _ in range(1200):
        deep = {"k": deep}
    (signal,) = zspy.file_reader(path)[:1]
    given: Any = {**signal, "metadata": {**signal["metadata"], "deep": deep}}
    # Folders in one another would be more than what empties the folder of a test goes through.
    path = path.with_name("deep.zip")
    zspy.file_writer(path, given, sync=False, show_progressbar=False)
    assert main(["set", str(path), "General.titel=a", "-q"]) == 0
    assert "did you mean 'General.title'?" in capsys.readouterr().err
