"""Pictures of signals are sums and means of all of the data, calibrated, in a bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps.cli import main
from zspy.apps.pictures import lines, pictures, save

AnyArray = np.ndarray[Any, Any]


def signal_of(data: Any, navigate: str, **more: Any) -> dict[str, Any]:
    """Make a signal: "n" in `navigate` is a navigation axis, "s" a signal axis."""
    axes = [
        {
            "name": f"a{index}",
            "units": "nm",
            "size": size,
            "scale": 0.5,
            "offset": 1.0,
            "navigate": letter == "n",
        }
        for index, (size, letter) in enumerate(zip(data.shape, navigate, strict=True))
    ]
    return {"data": data, "axes": axes, "metadata": {"General": {"title": "t"}}, **more}


def counted(*shape: int) -> AnyArray:
    """Give an array that is not the same anywhere."""
    return np.arange(np.prod(shape), dtype=float).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "navigate", "kept"),
    [
        ((3, 4, 5, 6), "nnss", [(0, 1), (2, 3)]),
        ((3, 4, 5), "nns", [(0, 1), (2,)]),
        ((3, 4), "ns", [(0,), (1,)]),
        ((3, 4), "ss", [(0, 1)]),
        ((3, 4), "nn", [(0, 1)]),
        ((5,), "s", [(0,)]),
        ((2, 3, 4, 5), "nnns", [(1, 2), (3,)]),
        ((2, 3, 4, 5), "nsss", [(0,), (2, 3)]),
        ((3, 4, 5), "sns", [(1,), (0, 2)]),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_picture_is_a_sum_or_a_mean(
    shape: tuple[int, ...], navigate: str, kept: list[tuple[int, ...]], lazy: bool
) -> None:
    import dask.array

    data = counted(*shape)
    da: Any = dask.array
    given = da.from_array(data, chunks=2) if lazy else data
    found = pictures(signal_of(given, navigate))
    assert len(found) == len(kept)
    for picture, some in zip(found, kept, strict=True):
        rest = tuple(i for i in range(data.ndim) if i not in some)
        is_mean = all(navigate[i] == "s" for i in some)
        wanted = data.mean(rest) if is_mean else data.sum(rest)
        np.testing.assert_allclose(picture.values, wanted)
        assert [side.label for side in picture.sides] == [f"a{i} (nm)" for i in some]
        assert [len(side.places) for side in picture.sides] == [shape[i] for i in some]
        assert picture.sides[0].places[:2].tolist() == [1.0, 1.5]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (np.array([3 + 4j, 0]), [5, 0]),
        (np.array([True, False]), [1, 0]),
        (np.array([(1, 3), (2, 4)], [("r", "u1"), ("g", "u1")]), [2, 3]),
        (np.ma.MaskedArray([1.0, 2.0], np.array([False, True])), [1, 0]),
    ],
)
def test_any_numbers_are_drawn(data: Any, wanted: list[float]) -> None:
    (found,) = pictures(signal_of(data, "s"))
    assert found.values.tolist() == wanted


@pytest.mark.parametrize("data", [np.array(["a"]), np.zeros((0,)), np.array([None])])
def test_what_has_no_picture_is_told(data: Any) -> None:
    with pytest.raises(zspy.EncodeError, match="nothing to draw"):
        pictures(signal_of(data, "s"))


def test_axes_are_calibrated_as_they_can_be() -> None:
    signal = signal_of(counted(2, 3), "ss")
    signal["axes"] = [{"axis": [1.0, 4.0], "units": "s"}, {"expression": "x**2", "name": "q"}]
    signal["metadata"] = {}
    ((title, _, (y, x)),) = pictures(signal)
    assert (title, y.label, x.label) == ("untitled", " (s)", "q (index)")
    assert (y.places.tolist(), x.places.tolist()) == ([1, 4], [0, 1, 2])
    signal["axes"] = [{}, {}]
    assert pictures(signal)[0].sides[0].label == ""


def test_an_image_in_characters() -> None:
    (picture,) = pictures(signal_of(counted(3, 2), "ss"))
    assert [*lines(picture, colour=False)] == [
        "t",
        "  ░░",
        "▒▒▓▓",
        "████",
        "a0 (nm): 1 to 2 down",
        "a1 (nm): 1 to 1.5 across",
        "values 0 to 5",
    ]
    text = [*lines(picture, colour=True)]
    assert text[1] == "\x1b[38;5;232;48;5;241m▀\x1b[38;5;236;48;5;246m▀\x1b[0m"
    assert text[2] == "\x1b[38;5;251;48;5;232m▀\x1b[38;5;255;48;5;232m▀\x1b[0m"
    (even,) = pictures(signal_of(counted(2, 2), "ss"))
    assert sum("▀" in line for line in lines(even, colour=True)) == 1


def test_a_curve_in_characters() -> None:
    (picture,) = pictures(signal_of(np.array([0.0, 4.0, 8.0]), "s"))
    text = [*lines(picture, colour=True)]
    assert text[1:9] == ["  █"] * 4 + [" ██"] * 4
    assert text[9:] == ["a0 (nm): 1 to 2", "values 0 to 8"]


def test_a_large_picture_is_averaged() -> None:
    (picture,) = pictures(signal_of(counted(1000, 130), "ss"))
    text = [*lines(picture, colour=False)]
    assert len(text) == 32 + 4
    assert {len(line) for line in text[1:-3]} == {10}


def test_what_is_no_number_is_dark() -> None:
    (picture,) = pictures(signal_of(np.array([np.nan, 1.0, 2.0]), "s"))
    assert [*lines(picture, colour=False)][-1] == "values 1 to 2"
    (picture,) = pictures(signal_of(np.array([np.nan]), "s"))
    assert [*lines(picture, colour=False)][-1] == "values 0 to 0"


def test_pictures_are_saved(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "x.png"
    signals = [
        signal_of(counted(3, 4, 5), "nns"),
        signal_of(counted(7, 2), "ss"),
        signal_of(counted(1, 1), "ss"),
    ]
    signals[0]["metadata"]["General"]["title"] = "a $\\frac{ title"
    signals[1]["axes"][0]["units"] = "s"
    save([pictures(signal) for signal in signals], str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_file_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    zspy.file_writer("a.zspy", signal_of(counted(3, 4, 5), "nns"), show_progressbar=False)
    assert main(["show", "a.zspy"]) == 0
    out = capsys.readouterr().out
    assert "t: sum of the signal\n" in out
    assert "t: mean over positions\n" in out


def test_a_file_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    zspy.file_writer("a.zspy", signal_of(counted(3, 4, 5), "nns"), show_progressbar=False)
    assert main(["show", "a.zspy", "-o", "a.png"]) == 0
    assert Path("a.png").is_file()
    for name in ("nowhere/a.png", "a.unknown"):
        assert main(["show", "a.zspy", "-o", name]) == 2
        assert capsys.readouterr().err.startswith(f"zspy: {name}: ")
