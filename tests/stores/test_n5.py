"""An N5 directory reads as the Zarr directory that it might have been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from struct import pack
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from zspy import EncodeError, FormatError
from zspy.files import chunking as files_chunking
from zspy.stores.backends import opened
from zspy.typing import NumPyArray

DATA: Final = (np.arange(5 * 7 * 11) % 120).reshape(5, 7, 11)
EDGES: Final = (2, 7, 4)


def write(root: Path, described: Mapping[str, Any], blocks: Mapping[str, bytes]) -> None:
    """Write a file as HyperSpy wrote it into an N5Store, around the description of its data."""
    signal = "Experiments/a title"
    groups: dict[str, dict[str, Any]] = {
        "": {"file_format": "ZSpy", "file_format_version": "3.3"},
        "Experiments": {},
        signal: {"package": "hyperspy", "package_version": "2.5.0"},
        f"{signal}/metadata": {},
        f"{signal}/metadata/General": {"title": "a title", "n": 5, "type": "raw"},
    }
    axes = {f"{signal}/axis-{i}": {"size": size} for i, size in enumerate((5, 7, 11))}
    for path, attributes in (groups | axes).items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "attributes.json").write_text(json.dumps({**attributes, "n5": "2.0.0"}))
    data = root / signal / "data"
    data.mkdir()
    (data / "attributes.json").write_text(json.dumps(described))
    for key, block in blocks.items():
        (data / key).parent.mkdir(parents=True, exist_ok=True)
        (data / key).write_bytes(block)


def described(data: NumPyArray, compression: Any) -> dict[str, Any]:
    """Describe an array as N5 does: the fastest dimension comes first."""
    return {
        "dimensions": [*data.shape[::-1]],
        "blockSize": [*EDGES[::-1]],
        "dataType": data.dtype.name,
        "compression": compression,
        "comment": "of the array",
    }


def blocks_of(data: NumPyArray, codec: Any) -> dict[str, bytes]:
    """Cut an array into blocks: a header, then big endian values."""
    found: dict[str, bytes] = {}
    for index in np.ndindex(3, 1, 3):
        block = np.zeros(EDGES, data.dtype.newbyteorder(">"))
        pairs = zip(index, EDGES, strict=True)
        part = data[tuple(slice(i * edge, (i + 1) * edge) for i, edge in pairs)]
        block[tuple(map(slice, part.shape))] = part
        body = block.tobytes()
        header = pack(">2H3I", 0, 3, *EDGES[::-1])
        encoded = body if codec is None else bytes(codec.encode(body))
        found["/".join(map(str, index[::-1]))] = header + encoded
    return found


CODECS: Final[Mapping[str, tuple[Any, Any]]] = {
    "raw": ({"type": "raw"}, None),
    "gzip": ({"type": "gzip", "level": 5, "useZlib": False}, numcodecs.GZip(5)),
    "zlib": ({"type": "gzip", "level": 3, "useZlib": True}, numcodecs.Zlib(3)),
    "bzip2": ({"type": "bzip2", "blockSize": 4}, numcodecs.BZ2(4)),
    "xz": ({"type": "xz", "preset": 2}, numcodecs.LZMA(preset=2)),
    "lz4": ({"type": "lz4", "acceleration": 3}, numcodecs.LZ4(3)),
    "blosc": (
        {"type": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1, "blocksize": 0},
        numcodecs.Blosc("zstd", 1, 1),
    ),
}


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "f2", "f8"])
@pytest.mark.parametrize("name", CODECS)
def test_an_array_reads_as_it_was_written(
    name: str, dtype: str, large: bool, lazy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(files_chunking, "LARGE", 0)  # chunks in threads
    data = DATA.astype(dtype)
    compression, codec = CODECS[name]
    write(tmp_path / "a.zspy", described(data, compression), blocks_of(data, codec))
    (signal,) = zspy.file_reader(tmp_path / "a.zspy", lazy=lazy)
    found = np.asarray(signal["data"])
    assert found.dtype == data.dtype
    assert np.array_equal(found, data)
    assert signal["metadata"] == {"General": {"title": "a title", "n": 5, "type": "raw"}}
    assert signal["package_version"] == "2.5.0"


def test_a_block_that_is_missing_holds_zeros(tmp_path: Path) -> None:
    blocks = blocks_of(DATA, None)
    del blocks["1/0/2"]
    write(tmp_path / "a.zspy", described(DATA, {"type": "raw"}), blocks)
    (signal,) = zspy.file_reader(tmp_path / "a.zspy")
    wanted = DATA.copy()
    wanted[4:, :, 4:8] = 0
    assert np.array_equal(signal["data"], wanted)


def test_links_are_followed_where_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.zspy", described(DATA, {"type": "raw"}), blocks_of(DATA, None))
    for number, one in enumerate([*(tmp_path / "a.zspy").rglob("*")]):
        if one.is_file() and number:
            one.rename(tmp_path / str(number))
            one.symlink_to(tmp_path / str(number))
    with pytest.raises(FormatError, match="a link that leaves the file"):
        zspy.file_reader(tmp_path / "a.zspy")
    (signal,) = zspy.file_reader(tmp_path / "a.zspy", links="follow")
    assert np.array_equal(signal["data"], DATA)


def test_the_documents_are_those_of_zarr(tmp_path: Path) -> None:
    write(tmp_path / "a.zspy", described(DATA, {"type": "raw"}), blocks_of(DATA, None))
    (tmp_path / "a.zspy" / ".zmetadata").write_text("{}")
    file = opened(tmp_path / "a.zspy")
    keys = list(file)
    assert len(keys) == len(file) == 2 * 9 + 9
    assert ".zgroup" in keys
    assert "Experiments/a title/data/.zattrs" in keys
    assert json.loads(file["Experiments/a title/data/.zattrs"]) == {"comment": "of the array"}
    assert json.loads(file["Experiments/a title/data/.zarray"])["shape"] == [5, 7, 11]
    assert len(file["Experiments/a title/data/2/0/1"]) == 8 * 2 * 7 * 4
    for key in ("nothing", "Experiments/0", ".zarray", "Experiments/a title/data/.zgroup"):
        assert key not in file
    assert not file.is_replaced()
    file.close()


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("write_dataset", [True, False])
def test_it_can_be_written_over(write_dataset: bool, consolidated: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    write(path, described(DATA, {"type": "raw"}), blocks_of(DATA, None))
    if consolidated:  # by zarr-python 2, whenever HyperSpy writes such a file
        said = '{"metadata": {}, "zarr_consolidated_format": 1}'
        (path / ".zmetadata").write_text(said, encoding="utf-8")
    (signal,) = zspy.file_reader(path, lazy=True)
    signal["metadata"]["General"]["title"] = "new"
    zspy.file_writer(path, signal, write_dataset=write_dataset, show_progressbar=False)
    assert (path / ".zgroup").exists()
    assert not (path / ".zmetadata").exists()
    (found,) = zspy.file_reader(path)
    assert np.array_equal(found["data"], DATA)
    assert found["metadata"]["General"]["title"] == "new"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dimensions": "5"}, "shape"),
        ({"dimensions": [-1, 7, 11]}, "shape"),
        ({"blockSize": 4}, "chunks"),
        ({"blockSize": [4, 7]}, "dimensions"),
        ({"dataType": "object"}, "dtype"),
        ({"dataType": 5}, "dtype"),
        ({"compression": None}, "a codec without an id"),
        ({"compression": {"type": "pickle"}}, "the codec 'pickle' is not allowed"),
    ],
)
def test_a_bad_description_is_refused(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    whole = described(DATA, {"type": "raw"}) | change
    write(tmp_path / "a.zspy", whole, blocks_of(DATA, None))
    with pytest.raises(FormatError, match=problem) as error:
        zspy.file_reader(tmp_path / "a.zspy")
    assert error.value.location == "Experiments/a title/data/.zarray"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (b"", "no N5 block"),
        (b"\0\0\0\3\0\0", "no N5 block"),
        (pack(">2H3I", 1, 3, 4, 7, 2), "an N5 block of mode 1"),
        (pack(">2H3I", 0, 3, 3, 7, 2), r"an N5 block of mode 0 and shape \(3, 7, 2\)"),
        (pack(">2H3I", 0, 3, 4, 7, 2) + bytes(8), "a chunk of 8 bytes where 448 belong"),
    ],
)
def test_a_bad_block_is_refused(block: bytes, problem: str, tmp_path: Path) -> None:
    blocks = blocks_of(DATA, None) | {"1/0/2": block}
    write(tmp_path / "a.zspy", described(DATA, {"type": "raw"}), blocks)
    with pytest.raises(FormatError, match=problem) as error:
        zspy.file_reader(tmp_path / "a.zspy")
    assert error.value.location == "Experiments/a title/data/2/0/1"


def test_what_ends_in_a_digit_is_no_block(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    write(path, described(DATA, {"type": "raw"}), blocks_of(DATA, None))
    (path / "notes2").write_text("mine")
    with pytest.raises(EncodeError, match="'notes2' in it belongs to no Zarr node"):
        zspy.commit({}, path, overwrite=True)
    assert (path / "notes2").read_text() == "mine"
