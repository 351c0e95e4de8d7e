"""Files of other formats are converted by what rosettasciio has for them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file that the second of two readers reads."""

    def fail(_: str, lazy: bool) -> Any:
        raise RuntimeError(f"not of mine {lazy}")

    def read(name: str, lazy: bool) -> list[dict[str, Any]]:
        assert lazy
        metadata = {"General": {"title": Path(name).stem}, "what": object()}
        data = np.arange(6).reshape(2, 3)
        signal: dict[str, Any] = {"data": data, "axes": [], "metadata": metadata}
        axes = [{"name": "y", "size": 2}, {"name": "x", "size": 3}]
        return [{**signal, "mapping": {}}, {**signal, "axes": axes}]

    plugins = [
        {"name": "A", "file_extensions": ["ABC", "bad"], "api": "rsciio_a"},
        {"name": "B", "file_extensions": ["abc"], "api": "rsciio_b"},
    ]
    monkeypatch.setitem(sys.modules, "rsciio", SimpleNamespace(IO_PLUGINS=plugins))
    monkeypatch.setitem(sys.modules, "rsciio_a", SimpleNamespace(file_reader=fail))
    monkeypatch.setitem(sys.modules, "rsciio_b", SimpleNamespace(file_reader=read))
    path = tmp_path / "scan.abc"
    path.write_bytes(b"II*\0 and more")
    return path


@pytest.mark.filterwarnings("ignore:.*what")
def test_a_file_that_has_a_reader_is_converted(source: Path, capsys: Capture) -> None:
    target = source.with_name("scan.zspy")
    assert main(["convert", str(source), str(target)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{target}: directory, ")
    assert "metadata.what" in err
    signal, other = zspy.file_reader(target)
    assert signal["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [axis.get("size") for axis in signal["axes"]] == [2, 3]
    assert [axis.get("name") for axis in other["axes"]] == ["y", "x"]
    more = ["--chunks", "1,3", "--compressor", "none", "-f", "-q"]
    assert main(["convert", str(source), str(target), *more]) == 0


def test_what_cannot_be_converted_is_told(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    target = str(source.with_name("scan.zspy"))
    assert main(["convert", str(source), target, "--verify"]) == 2
    assert "only files of HyperSpy are verified" in capsys.readouterr().err
    for name, said in (
        ("x.bad", "the reader of A files fails: not of mine False"),
        ("x.unknown", "rosettasciio knows no format of .unknown files"),
    ):
        path = source.with_name(name)
        path.write_bytes(b"text")
        assert main(["convert", str(path), target]) == 2
        assert capsys.readouterr().err == f"zspy: {path}: {said}\n"
    monkeypatch.setitem(sys.modules, "rsciio", None)
    assert main(["convert", str(source), target]) == 2
    assert "rosettasciio is not installed: python -m pip" in capsys.readouterr().err
    assert not Path(target).exists()


@pytest.mark.parametrize("name", ["scan.prz", "scan.npz"])
def test_formats_that_are_zips_are_no_zspy_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = tmp_path / name
    np.savez(path.with_suffix(".npz"), data=np.arange(3))
    path.with_suffix(".npz").rename(path)
    monkeypatch.setitem(sys.modules, "rsciio", SimpleNamespace(IO_PLUGINS=[]))
    assert main(["info", str(path)]) == 2
    assert "a file of another format, and no .zspy file" in capsys.readouterr().err
    assert main(["convert", str(path), str(tmp_path / "a.zspy")]) == 2
    assert f"rosettasciio knows no format of {path.suffix} files" in capsys.readouterr().err
