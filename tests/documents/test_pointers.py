"""A pointer of git in the place of a document, or of a chunk, is called so."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

import zspy

LFS: Final = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"
ANNEX: Final = b"/annex/objects/SHA256E-s9--" + b"a" * 64 + b"\n"


@pytest.mark.parametrize(
    ("pointer", "remedy"),
    [(LFS, "get it first: git lfs pull"), (ANNEX, "get it first: git annex get")],
)
@pytest.mark.parametrize("key", [".zgroup", ".zattrs", "a/.zarray", "a/0", "b/0"])
def test_a_pointer_is_told_with_the_command_that_gets_the_file(
    key: str, pointer: bytes, remedy: str
) -> None:
    members = {"a": zspy.Array(np.arange(3)), "b": zspy.Array(np.array(["x"], object), {}, "json2")}
    storage = zspy.Storage(compressor=None)
    documents = dict(zspy.serialise(zspy.Group({"c": 1}, members), storage=storage))
    assert key in documents
    with pytest.raises(zspy.FormatError, match=r"a pointer of .* not the file itself") as caught:
        zspy.deserialise({**documents, key: pointer})
    assert (caught.value.location, caught.value.remedy) == (key, remedy)


def test_a_chunk_that_ends_in_its_header_is_truncated() -> None:
    documents = dict(zspy.serialise(zspy.Array(np.arange(3))))
    problem = r"0: a chunk that blosc cannot decode \(it is truncated\); restore it from a copy"
    with pytest.raises(zspy.FormatError, match=problem):
        zspy.deserialise({**documents, "0": b"\2\1"})
