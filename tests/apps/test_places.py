"""What a person names on the command line is found, or called by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps.places import path_of, place_of, place_text, target_of


def written(path: Path) -> None:
    """Write a small file."""
    axis = {"name": "x", "size": 3}
    zspy.file_writer(path, {"data": np.zeros(3), "axes": [axis], "metadata": {}}, sync=False)


def test_a_folder_of_files_is_called_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty.zspy"
    empty.mkdir()
    with pytest.raises(zspy.FormatError, match=r"an empty folder; copy the file once more"):
        place_of(str(empty))
    empty.rmdir()
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(zspy.FormatError, match=r"a folder, and no .zspy file; name a"):
        place_of(str(tmp_path))
    for name, said in (("b", "1 .zspy file; name one, such as b"), ("a", "2 .zspy files; name")):
        written(tmp_path / f"{name}.zspy")
        with pytest.raises(zspy.FormatError, match=f"a folder of {said}"):
            place_of(str(tmp_path))
    assert place_of(str(tmp_path / "a.zspy")) == tmp_path / "a.zspy"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (
            b"\x89HDF\r\n\x1a\n",
            "an HDF5 file, and no .zspy file; zspy convert makes",
        ),
        (b"II*\0\1\2", "a TIFF file, and no .zspy file; zspy convert makes"),
    ],
)
def test_other_files_are_called_by_name(start: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(start)
    with pytest.raises(zspy.FormatError, match=said):
        place_of(str(path))


def test_files_of_no_known_kind_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, said in (
        (b"text", "a file of another format, and no .zspy file; zspy convert makes"),
        (b"", "an empty file, and no .zspy file; copy it once more"),
    ):
        path.write_bytes(content)
        with pytest.raises(zspy.FormatError, match=f"x: {said}"):
            place_of(str(path))


def test_the_root_and_the_folder_here_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zspy.FormatError, match=r"a folder, and no .zspy file"):
        place_of(".")
    # What lies in the root of a machine is not known.
    with pytest.raises(zspy.FormatError, match=r"a folder, and no|a folder of"):
        place_of("/")
    written(tmp_path / "a.zspy")
    monkeypatch.chdir(tmp_path / "a.zspy")
    assert place_of(".") == Path()


def test_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert path_of("~/x") == tmp_path / "x"

    def fail(_: Path) -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "expanduser", fail)
    assert path_of("~/x") == Path("~/x")


def test_a_url_is_a_place_with_what_its_file_system_needs() -> None:
    pytest.importorskip("fsspec")
    assert place_of("memory://x") == "memory://x"
    found: Any = place_of("memory://x", [("asynchronous", False)])
    assert not isinstance(found, str)
    assert place_text("memory://user:secret@host/x") == "memory://host"
    assert not isinstance(target_of("memory://x"), Path)


def test_a_name_of_another_format_is_no_target(tmp_path: Path) -> None:
    for name in ("a.nxs", "a.TIF", "a.emd", "a.csv", "a.Json"):
        with pytest.raises(zspy.EncodeError, match="zspy does not write"):
            target_of(str(tmp_path / name))
    assert target_of(str(tmp_path / "a.zspy")) == tmp_path / "a.zspy"
