"""What is no .zspy file is called what it is, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import zspy
from zspy.stores.other_files import KINDS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        *(
            (bytes(one.start) + one.magic, f"{one.words}, and no .zspy file; {one.remedy}")
            for one in KINDS
        ),
        (b"", "an empty file, and no .zspy file; copy it once more, or write it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, and not the"),
        (b"/annex/objects/SHA256E-s9--a\n", "a pointer of git-annex, and not the file itself"),
        (b"text", "a file of another format, and no .zspy file; zspy convert makes"),
    ],
)
def test_a_file_is_called_what_it_is(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(zspy.FormatError) as caught:
        zspy.file_reader(path)
    assert str(caught.value).startswith(f"{path}: {said}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(zspy.FormatError, match="neither a file nor a folder; name a file"):
        zspy.file_reader(tmp_path / "x")


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(".git/annex/objects/y")
    with pytest.raises(FileNotFoundError, match="it is a link, to nothing: restore the file"):
        zspy.file_reader(tmp_path / "x")


def test_a_chunk_that_is_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    zspy.commit(dict(zspy.serialise(zspy.encode({"a": np.arange(3)}))), path)
    (path / "a/0").unlink()
    (path / "a/0").symlink_to("nothing")
    problem = r"a/0: it cannot be read \(.*\); it was removed, or is a link to nothing"
    with pytest.raises(zspy.FormatError, match=problem):
        zspy.deserialise(zspy.fetch(path))
