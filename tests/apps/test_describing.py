"""`zspy info` says what each signal is, and reads none of its values."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps import describing
from zspy.apps.cli import main
from zspy.apps.describing import describe_file, shown_title
from zspy.values.axes import axis_cost

Capture = pytest.CaptureFixture[str]


def line(title: str = "Line", **more: Any) -> dict[str, Any]:
    """Make a signal with one navigation axis."""
    axes: list[dict[str, Any]] = [
        {"name": "y", "units": "nm", "size": 3, "scale": 0.5, "offset": 1.0, "navigate": True},
        {"name": "E", "units": "eV", "size": 2000, "expression": "x**2", "x": {}},
    ]
    metadata = {"General": {"title": title}, "Signal": {"signal_type": "EELS"}}
    package = {"package": "hyperspy", "package_version": "2.5"}
    return {"data": np.zeros((3, 2000)), "axes": axes, "metadata": metadata, **package, **more}


def test_a_signal_is_described(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.zspy"
    signals = [line(models={"fit": {"a": 1}}), line("other\x1b[2J")]
    zspy.file_writer(path, signals, chunks=(1, 500), sync=False)
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: directory, Zarr format 2, ")
    assert lines[1:8] == [
        "[0] Line",
        "    signal type  EELS",
        "    y            3, 1 to 2 nm, navigation",
        "    E            2000, 0 to 3.996e+06 eV, signal",
        "    data         float64, 48 kB",
        lines[6],
        "    models       fit",
    ]
    assert lines[6].startswith("    stored       chunks (1, 500), blosc zstd 1, ")
    assert lines[8] == "    written by   hyperspy 2.5"
    assert lines[9] == "[1] other\\x1b[2J"


def test_a_signal_is_described_for_programs(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, line(), sync=False)
    assert main(["info", str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["dimensions"][0] == {
        "name": "y",
        "size": 3,
        "units": "nm",
        "range": [1.0, 2.0],
        "navigate": True,
    }
    assert (found["title"], found["data"]) == ("Line", "float64, 48 kB")


def test_axes_without_points_and_signals_without_words_are_described(
    tmp_path: Path, capsys: Capture
) -> None:
    axes: list[dict[str, Any]] = [
        {"size": 3, "expression": "unknown(x)", "x": {}},
        {"axis": np.array(["2020", "2021"], "M8[Y]").astype(object)},
        {"size": 0},
    ]
    content: dict[str, Any] = {"data": np.zeros((3, 2, 0)), "axes": axes, "metadata": {}}
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, content, sync=False)
    assert main(["info", str(path)]) == 0
    out = capsys.readouterr().out
    assert "[0] untitled\n    axis 0  3, signal\n    axis 1  2, signal\n    axis 2  0, " in out


def test_axes_of_one_name_and_of_that_of_another_fact_are_all_told(
    tmp_path: Path, capsys: Capture
) -> None:
    axes = [{"name": "y"}, {"name": "y"}, {"name": "data"}]
    content: dict[str, Any] = {"data": np.zeros((3, 2, 4)), "axes": axes, "metadata": {}}
    zspy.file_writer(tmp_path / "a.zspy", content, sync=False)
    assert main(["info", str(tmp_path / "a.zspy")]) == 0
    told = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert told[2:6] == [["y", "3,"], ["y", "2,"], ["data", "4,"], ["data", "float64,"]]


def test_an_axis_says_of_its_size_what_it_likes(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, line(), sync=False)
    document = path / "Experiments" / "Line" / "axis-0" / ".zattrs"
    for size, said in ((10**15, f"{10**15}, navigation"), (None, "3, 1 to 2 nm, navigation")):
        document.write_text(json.dumps({**json.loads(document.read_text()), "size": size}))
        assert main(["info", str(path)]) == 0
        assert f"    axis 0       {said}\n".replace("axis 0", "y     ") in capsys.readouterr().out


def test_where_it_is_not_sure_which_array_it_is_nothing_is_said_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, [line("a"), line("b")], sync=False)
    (path / "Experiments" / "in").mkdir()
    (path / "Experiments" / "in" / ".zgroup").write_text('{"zarr_format":2}')
    shutil.copytree(path / "Experiments" / "a", path / "Experiments" / "in" / "a")
    _, found = describe_file(path)
    assert [(one["data"], one["stored"]) for one in found] == [("", "")] * 3
    assert {one.severity for one in zspy.check(path)} <= {"warning"}
    assert main(["convert", str(path), str(tmp_path / "b"), "-q"]) == 0
    assert len(zspy.file_reader(tmp_path / "b")) == 3


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ragged_signals_are_described(zarr_format: Any, tmp_path: Path, capsys: Capture) -> None:
    cells = np.empty(2000, object)
    cells[:] = [np.zeros((n % 3, 2)) for n in range(2000)]
    axis = {"name": "y", "size": 2000, "navigate": True}
    content: dict[str, Any] = {"data": cells, "axes": [axis], "metadata": {}}
    zspy.file_writer(tmp_path / "a", content, zarr_format=zarr_format, sync=False)
    assert main(["info", str(tmp_path / "a")]) == 0
    said = "object (<f8)" if zarr_format == 2 else "ragged float64"
    assert f"    data    {said}\n" in capsys.readouterr().out


def test_a_title_is_any_value() -> None:
    assert shown_title({"metadata": {"General": []}}) == ""
    assert shown_title({"metadata": {"General": {"title": 3}}}) == "3"


def test_several_files_are_described_and_the_worst_counts(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, line(), sync=False)
    names = [str(tmp_path / "none.zspy"), str(path)]
    for command in ("info", "tree", "check"):
        assert main([command, *names]) == 2
        out, err = capsys.readouterr()
        assert "none.zspy: there is no such file" in err
        assert str(path) in out
        assert main([command, str(path), str(path)]) == 0
        assert capsys.readouterr().out.count(str(path)) == 2
        assert main([command, str(path), str(tmp_path / "no.zspy"), "--json"]) == 2
        assert [*json.loads(capsys.readouterr().out)] == [str(path)]


@pytest.mark.parametrize("expression", [None, "cos(" * 90 + "x" + ")" * 90])
def test_the_points_of_all_axes_are_bounded(
    expression: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of some kilobytes may have thousands of axes, each of millions of points."""
    made: list[int] = []

    def points(axis: Any, size: int) -> Any:
        made.append(axis_cost(axis, size))
        return np.arange(3.0)

    monkeypatch.setattr(describing, "axis_points", points)
    for size, count in ((2**24, 0), (2**10, 64)):
        made.clear()
        axis: dict[str, Any] = {"size": size, "scale": 1.0}
        if expression is not None:
            axis = {"size": size, "expression": expression}
        file: dict[str, bytes] = {}
        axes = [{"size": 1, "name": f"a{number}"} for number in range(64)]
        content: dict[str, Any] = {"data": np.zeros((1,) * 64), "axes": axes, "metadata": {}}
        zspy.file_writer(file, content, sync=False, show_progressbar=False)
        for number in range(64):
            key = f"Experiments/__unnamed__/axis-{number}/.zattrs"
            file[key] = json.dumps(axis).encode()
        _, (described,) = describing.describe_file(file)
        assert [one["size"] for one in described["dimensions"]] == [size] * 64
        assert len(made) == count
        assert sum(made) <= 2**24


def test_a_signal_that_was_read_shows_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, [line(models={"fit": {"a": 1}}), line("other")], sync=False)
    signals = zspy.file_reader(path)
    lines = repr(zspy.describe(signals)).splitlines()
    assert lines == [
        "[0] Line",
        "    signal type  EELS",
        "    y            3, 1 to 2 nm, navigation",
        "    E            2000, 0 to 3.996e+06 eV, signal",
        "    data         float64, 48 kB",
        "    models       fit",
        "    written by   hyperspy 2.5",
        "[1] other",
        *lines[8:],
    ]
    assert repr(zspy.describe(signals[1])).splitlines()[0] == "[0] other"
    assert str(zspy.describe(signals)) == repr(zspy.describe(signals))


def test_a_signal_is_described_before_it_is_written() -> None:
    dask = pytest.importorskip("dask.array")
    signal: dict[str, Any] = {"axes": [], "metadata": {}}
    for data in (np.ones((3, 4)), dask.ones((3, 4)), np.ma.masked_equal(np.eye(3, 4), 1)):
        said = zspy.describe({**signal, "data": data})
        assert said.splitlines()[1:3] == [
            "    axis 0  3, 0 to 2, signal",
            "    axis 1  4, 0 to 3, signal",
        ]
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(2), np.ones(3)]
    assert "ragged" in zspy.describe({**signal, "data": ragged})
    assert zspy.describe([]) == ""
    assert zspy.describe([{"models": {}, "metadata": {}}]) == ""


def test_what_is_no_signal_is_not_described() -> None:
    described: Any = zspy.describe
    wrong: tuple[tuple[object, str], ...] = (
        ("a.zspy", "signals: a str is no signal; read it first, by zspy.file_reader"),
        (3, "signal: an int is no signal; give a dictionary"),
        ([3], "signal[0]: an int is no signal; give a dictionary"),
        ({"axes": [], "metadata": {}}, "data: the signal has no such key"),
        ({**line(), "axes": [{"size": 4}, {}]}, "axes[0].size: the axis has 4 values"),
        ({**line(), "metadata": 3}, "metadata: an int is no dictionary"),
        ({**line(), "models": 3}, "models: an int is no dictionary"),
    )
    for given, said in wrong:
        with pytest.raises(zspy.EncodeError) as caught:
            described(given)
        assert str(caught.value).startswith(said)
