"""What is chosen for data bends nothing else, and no codec bends numbers that are not its own."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from numcodecs.abc import Codec
from numcodecs.registry import register_codec

import zspy
from zspy import EncodeError
from zspy.documents.storage import is_main

QUIET: dict[str, Any] = {"show_progressbar": False}
VALUES: dict[str, Any] = {
    "integers": np.array([2**60 + 1, 5, -7]),
    "floats": np.array([0.1, 2e300, -0.0]),
    "complex": np.array([1 + 2j] * 9),
    "times": np.array(["2020-01-01"], "M8[s]"),
    "bools": np.array([True] * 9),
    "turned": np.array([1, 2], ">i2"),
}
CODECS: list[Any] = [
    numcodecs.Delta("<f8"),
    numcodecs.Delta(">f8"),
    numcodecs.Delta("<i8"),
    numcodecs.AsType("<i4", "<f8"),
    numcodecs.AsType(">i4", "<f8"),
    numcodecs.FixedScaleOffset(0, 1, "<f8", "<i4"),
    numcodecs.FixedScaleOffset(0, 1, ">f8", ">i4"),
    numcodecs.PackBits(),
    numcodecs.Shuffle(8),
    numcodecs.CRC32(),
    numcodecs.CRC32("start"),
    numcodecs.Zstd(3),
    numcodecs.Zstd(3, checksum=True),
    numcodecs.CRC32("end"),
    numcodecs.Adler32(),
]
LOSSY: list[Any] = [numcodecs.BitRound(3), numcodecs.Quantize(1, "<f8")]


def _signal(data: Any) -> dict[str, Any]:
    points = np.sqrt(np.arange(30) + 1)
    return {
        "data": data,
        "axes": [{"name": "x", "size": 30, "axis": points}],
        "metadata": {"values": VALUES},
    }


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ["compressor", "filters"])
@pytest.mark.parametrize("codec", [*CODECS, *LOSSY], ids=lambda codec: str(codec.get_config()))
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<i8", "|b1", "<c16"])
def test_a_codec_for_data_is_refused_or_bends_nothing(
    codec: Any, dtype: str, name: str, zarr_format: Any
) -> None:
    given = _signal((np.arange(30) % 3).astype(dtype))
    place: dict[str, bytes] = {}
    how: dict[str, Any] = {name: codec if name == "compressor" else [codec]}
    with suppress(EncodeError):
        zspy.file_writer(place, given, zarr_format=zarr_format, **how, **QUIET)
    if not place:
        return
    (found,) = zspy.file_reader(place)
    for key, value in VALUES.items():
        back = found["metadata"]["values"][key]
        assert back.dtype == value.dtype, key
        np.testing.assert_array_equal(back, value, key)
    axes: Any = found["axes"]
    np.testing.assert_array_equal(axes[0]["axis"], given["axes"][0]["axis"])
    if codec in CODECS:
        np.testing.assert_array_equal(found["data"], given["data"])


class Rounded(Codec):
    """A compressor that the table does not have, and that loses something."""

    codec_id = "zspy-test-rounded"

    def encode(self, buf: Any) -> bytes:
        return np.asarray(buf).view("<f8").round().tobytes()

    def decode(self, buf: Any, out: Any = None) -> Any:  # noqa: ARG002
        return bytes(buf)


def test_a_codec_that_the_table_does_not_have_is_for_data() -> None:
    register_codec(Rounded)
    given = _signal(np.arange(30) / 7)
    place: dict[str, bytes] = {}
    zspy.file_writer(place, given, compressor=Rounded(), **QUIET)
    (found,) = zspy.file_reader(place, codecs=["zspy-test-rounded"])
    for key, value in VALUES.items():
        np.testing.assert_array_equal(found["metadata"]["values"][key], value)
    np.testing.assert_array_equal(found["data"], given["data"].round())


@pytest.mark.parametrize("name", ["compressor", "filters"])
def test_a_large_array_of_the_metadata_is_no_data(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.files.chunking.LARGE", 1000)
    given = _signal(np.arange(30) / 7)
    given["metadata"]["large"] = np.arange(900) / 7
    codec = numcodecs.Quantize(1, "<f8")
    how: dict[str, Any] = {name: codec if name == "compressor" else [codec]}
    place: dict[str, bytes] = {}
    zspy.file_writer(place, given, **how, **QUIET)
    (found,) = zspy.file_reader(place)
    assert (found["metadata"]["large"] == given["metadata"]["large"]).all()
    assert not (found["data"] == given["data"]).all()


@pytest.mark.parametrize(
    ("codec", "dtype"),
    [
        (numcodecs.AsType("<i4", "<f8"), "<i8"),
        (numcodecs.FixedScaleOffset(0, 1, "<f8", "<i4"), "<i8"),
        (numcodecs.Delta("<f8"), ">f8"),
        (numcodecs.PackBits(), "<f8"),
    ],
    ids=repr,
)
def test_a_filter_of_other_numbers_is_refused(codec: Any, dtype: str) -> None:
    with pytest.raises(EncodeError, match=r"Experiments/.*/data: .* is not for numbers of "):
        zspy.file_writer({}, _signal(np.arange(30).astype(dtype)), filters=[codec], **QUIET)


@pytest.mark.parametrize(
    "codec", [numcodecs.AsType(">i4", "<f8"), numcodecs.Delta(">f8")], ids=repr
)
def test_format_3_has_no_big_endian_numbers_between_codecs(codec: Any) -> None:
    given = _signal(np.arange(30.0).astype(">f8"))
    with pytest.raises(EncodeError, match="format 3 has little-endian numbers only"):
        zspy.file_writer({}, given, compressor=codec, zarr_format=3, **QUIET)


def test_a_compressor_of_data_is_kept_for_it(tmp_path: Path) -> None:
    given = _signal(np.arange(30) % 2 == 0)
    zspy.file_writer(tmp_path / "a.zspy", given, compressor=numcodecs.PackBits(), **QUIET)
    written = {
        one.parent.relative_to(tmp_path / "a.zspy").as_posix()
        for one in tmp_path.rglob(".zarray")
        if json.loads(one.read_bytes())["compressor"]["id"] == "packbits"
    }
    assert written == {"Experiments/__unnamed__/data"}


def test_main_arrays_are_the_data_and_the_mask_of_each_signal() -> None:
    paths = ["Experiments/a/data", "Experiments/a/data_mask/mask", "data", ""]
    assert all(map(is_main, paths))
    others = ["a/axis-0/axis", "a/metadata/data", "a/data_mask/data", "a/x/data_mask/mask", "data"]
    assert not any(is_main(f"Experiments/{path}") for path in others)
    assert not is_main("Analysis/models/a/data/b")
