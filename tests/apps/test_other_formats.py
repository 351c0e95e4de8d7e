"""Files of other formats are converted by what rosettasciio has for them."""

from __future__ import annotations

import sys
import warnings
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
        {"name": "C", "file_extensions": ["lib"], "api": "rsciio_c"},
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
    another = "read it another way, and write it with zspy.file_writer"
    install = 'python -m pip install "rosettasciio[all]"'
    for name, said, remedy in (
        ("x.bad", "the reader of A files fails: not of mine False", another),
        ("x.lib", "the reader of C files fails: No module named 'rsciio_c'", install),
        ("x.unknown", "rosettasciio knows no format of .unknown files", another),
    ):
        path = source.with_name(name)
        path.write_bytes(b"text")
        assert main(["convert", str(path), target]) == 2
        assert capsys.readouterr().err == f"zspy: {path}: {said}; {remedy}\n"
    monkeypatch.setitem(sys.modules, "rsciio", None)
    packed = source.with_name("x.7z")
    packed.write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert main(["convert", str(packed), target]) == 2
    assert "a 7z archive, and no .zspy file; unpack it first" in capsys.readouterr().err
    assert main(["convert", str(source), target]) == 2
    said = "another format, which rosettasciio might read; it is not installed: python -m pip"
    assert f"{source}: a file of {said}" in capsys.readouterr().err
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


def test_a_file_is_named_once_by_whichever_way_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "here").mkdir()
    (tmp_path / "cut.hspy").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["info", "../cut.hspy"]) == 2
    said = capsys.readouterr().err
    assert said.count("cut.hspy") == 1
    assert said.endswith("; it may be cut off: copy it once more\n")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_warnings_that_are_for_developers_are_not_shown(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def read(_: str, lazy: bool) -> list[dict[str, Any]]:
        warnings.warn(f"not closed {lazy}", ResourceWarning, stacklevel=1)
        return [{"data": np.arange(3), "axes": [], "metadata": {}}]

    monkeypatch.setitem(sys.modules, "rsciio_b", SimpleNamespace(file_reader=read))
    assert main(["convert", str(source), str(source.with_name("scan.zspy")), "-q"]) == 0
    assert capsys.readouterr().err == ""
