"""Pictures of signals are sums and means of all of the data, calibrated, in a bounded memory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import zspy
from zspy.apps.cli import main
from zspy.apps.drawing import fonts_for, save
from zspy.apps.pictures import pictures

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
        assert [side.label for side in picture.sides] == [f"a{i}" for i in some]
        assert [len(side.points) for side in picture.sides] == [shape[i] for i in some]
        assert picture.sides[0].points[:2].tolist() == [1.0, 1.5]
        names = ", ".join(f"a{i}" for i in rest)
        assert picture.note == (f"{'mean' if is_mean else 'sum'} over {names}" if names else "")


RGB: Any = [("R", "u1"), ("G", "u1"), ("B", "u1")]


@pytest.mark.parametrize(
    ("data", "wanted", "note"),
    [
        (np.array([3 + 4j, 0]), [5, 0], "magnitude"),
        (np.array([True, False]), [1, 0], ""),
        (np.array([(1, 3), (2, 4)], [("r", "u1"), ("g", "u1")]), [2, 3], "mean of its fields"),
        (np.array([(1, 2, 3)], RGB), [2], "mean of its fields"),
        (np.ma.MaskedArray([1.0, 2.0], np.array([False, True])), [1, np.nan], ""),
        (np.array([1.0, np.inf, np.nan]), [1, np.nan, np.nan], ""),
        (np.array([1.0, 1e201, -1e300]), [1, 1e200, -1e200], "cut at 1e+200"),
        (
            np.array(["2026-01-01", "NaT", "2026-01-03"], "M8[D]"),
            [0, np.nan, 2],
            "D since 2026-01-01",
        ),
        (np.array([2, 3], ">m8[25us]"), [2, 3], "in 25us"),
        (np.array([2, 3]).view("m8"), [2, 3], "in no unit"),
        (np.array(["NaT"], "M8[s]"), [np.nan], "in s"),
        (
            np.array([np.zeros((2, 3)), None, [], "no array"], object),
            [2, np.nan, 0, np.nan],
            "length of each cell",
        ),
    ],
)
def test_any_numbers_are_drawn(data: Any, wanted: list[float], note: str) -> None:
    (found,) = pictures(signal_of(data, "s"))
    np.testing.assert_equal(found.values, wanted)
    assert found.note == note


def test_times_are_never_summed() -> None:
    data = np.arange(12).astype("M8[s]").reshape(3, 4)
    found = pictures(signal_of(data, "ns"))
    assert [one.values.tolist() for one in found] == [[0.5, 4.5, 8.5], [0, 1, 2, 3]]
    assert found[0].note == "s since 1970-01-01T00:00:01, mean over a1"


def test_what_is_no_number_is_left_out_of_sums_and_means() -> None:
    data = np.array([[1.0, np.nan, 3.0], [5.0, np.nan, np.inf]])
    sums, means = pictures(signal_of(data, "ns"))
    np.testing.assert_equal(sums.values, [4, 5])
    np.testing.assert_equal(means.values, [3, np.nan, 3])
    sums, means = pictures(signal_of(np.ma.MaskedArray(data, data < 4), "ns"))
    np.testing.assert_equal(sums.values, [np.nan, 5])
    np.testing.assert_equal(means.values, [5, np.nan, np.nan])


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_colours_are_true(dtype: str) -> None:
    data = np.zeros((2, 1, 2), [(name, dtype) for name in "RGBA"])
    most = 1 if dtype == "f4" else 2 ** (8 * data["R"].itemsize) - 1
    data["R"][0], data["A"] = most, most
    total, found = pictures(signal_of(data, "nss"))
    assert not total.is_coloured
    assert found.is_coloured
    assert found.values.tolist() == [[[0.5, 0, 0, 1]] * 2]


@pytest.mark.parametrize("lazy", [False, True])
def test_the_signal_at_a_position_takes_the_place_of_all_others(lazy: bool) -> None:
    import dask.array

    da: Any = dask.array
    data = counted(3, 4, 5)
    given = da.from_array(data, chunks=2) if lazy else data
    (found,) = pictures(signal_of(given, "nns"), (2, 1))
    assert (found.values.tolist(), found.note) == (data[2, 1].tolist(), "at 2, 1")
    (found,) = pictures(signal_of(counted(2, 3, 4, 5), "nsss"), (1,))
    np.testing.assert_allclose(found.values, counted(2, 3, 4, 5)[1].mean(0))
    assert found.note == "at 1, mean over a1"
    for wrong in ((3, 0), (1,), (0, 0, 0)):
        with pytest.raises(zspy.EncodeError, match=r"no position .* have \[3, 4\] elements"):
            pictures(signal_of(given, "nns"), wrong)
    with pytest.raises(zspy.EncodeError, match="have no elements"):
        pictures(signal_of(given, "sss"), (1,))
    with pytest.raises(zspy.EncodeError, match="nothing to draw"):
        pictures(signal_of(counted(3, 4), "nn"), (1, 2))


@pytest.mark.parametrize(
    "data", [np.array(["a"]), np.zeros((0,)), np.array([None]), np.zeros(2, [("a", "f8", 2)])]
)
def test_what_has_no_picture_is_told(data: Any) -> None:
    with pytest.raises(zspy.EncodeError, match="nothing to draw"):
        pictures(signal_of(data, "s"))


@pytest.mark.parametrize(
    ("axis", "points", "units"),
    [
        ({"axis": [1.0, 4.0, 5.0], "units": "s"}, [1, 4, 5], "s"),
        ({"expression": "x**2", "x": {}, "units": "s"}, [0, 1, 4], "s"),
        ({"scale": -1.0}, [0, -1, -2], ""),
        ({"scale": 0.0}, [0, 1, 2], "index"),
        ({"scale": 1e308}, [0, 1, 2], "index"),
        ({"scale": "wide"}, [0, 1, 2], "index"),
        ({"scale": float("nan"), "units": "s"}, [0, 1, 2], "index"),
        ({"axis": np.array(["2020", "2021", "2022"], "M8[Y]")}, [0, 1, 2], "index"),
        ({"axis": [1.0]}, [0, 1, 2], "index"),
        ({"expression": "import os"}, [0, 1, 2], "index"),
    ],
)
def test_axes_are_calibrated_as_they_can_be(axis: Any, points: list[float], units: str) -> None:
    signal = signal_of(counted(3), "s")
    signal["axes"] = [axis]
    signal["metadata"] = {}
    (found,) = pictures(signal)
    assert found.title == "untitled"
    assert found.sides[0].points.tolist() == points
    assert found.sides[0].units == units


def test_pictures_are_saved(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "x.png"
    signals = [
        signal_of(counted(3, 4, 5), "nns"),
        signal_of(counted(3, 5), "ns"),
        signal_of(counted(7, 2), "ss"),
        signal_of(counted(1, 1), "ss"),
        signal_of(counted(1, 900), "ss"),
        signal_of(counted(1), "s"),
        signal_of(np.full((2, 2), np.nan), "ss"),
        signal_of(np.arange(3).astype("M8[s]"), "s"),
        signal_of(np.array([[1e308, -1e308]] * 2), "ss"),
        signal_of(np.zeros((3, 4), RGB), "ss"),
    ]
    signals[0]["metadata"]["General"]["title"] = "a $\\frac{ title"
    signals[2]["axes"][0] = {"axis": np.arange(7.0) ** 2, "units": "s"}
    for log in (False, True):
        save([pictures(signal) for signal in signals], str(path), log=log)
        assert path.read_bytes().startswith(b"\x89PNG")


# --------------------------------------------------------------------------------------------------
# show


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with two files, which a command is run in."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    named = signal_of(counted(3, 4, 5), "nns")
    text = signal_of(np.array(["a"]), "s")
    text["metadata"]["General"]["title"] = "letters"
    zspy.file_writer("a.zspy", [named, text], show_progressbar=False)
    zspy.file_writer("b.zspy", named, show_progressbar=False)
    return tmp_path


def test_what_can_be_drawn_is_and_the_rest_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "a.zspy", "-o", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert out == "a.png: 1 signal drawn\n"
    assert err.startswith("zspy: warning: letters: nothing to draw in (1,) str32")
    assert (here / "a.png").is_file()
    assert main(["show", "a.zspy", "--signal", "letters", "-o", "b.png"]) == 2
    assert capsys.readouterr().err.startswith("zspy: a.zspy: letters: nothing to draw")


@pytest.mark.parametrize("signal", ["t", "1"])
def test_a_signal_is_chosen_by_title_or_number(
    signal: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "a.zspy", "--signal", signal, "--at", "1,2", "-o", "a.png"]) == 0
    assert capsys.readouterr().err == ""
    assert (here / "a.png").is_file()
    assert main(["show", "a.zspy", "--signal", "nothing", "-o", "b.png"]) == 2
    said = "zspy: a.zspy: there is no signal 'nothing'; there is: letters, t\n"
    assert capsys.readouterr().err == said


def test_an_image_holds_so_many_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a row: thousands would take minutes, and make an image that nothing shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zspy.apps.commands.show._MOST_SIGNALS", 2)
    signal: dict[str, Any] = {"data": np.ones(3), "axes": [{}], "metadata": {}}
    zspy.file_writer("a.zspy", [signal] * 3)
    assert main(["show", "a.zspy", "-o", "a.png"]) == 2
    told = "3 signals, of which an image holds 2; choose one by its title, or number: --signal 0"
    assert told in capsys.readouterr().err
    pytest.importorskip("matplotlib")
    assert main(["show", "a.zspy", "--signal", "2", "-o", "a.png"]) == 0


def test_images_of_several_files_go_into_a_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "a.zspy", "b.zspy", "-o", "pictures/", "--log"]) == 0
    assert sorted(one.name for one in (here / "pictures").iterdir()) == ["a.png", "b.png"]
    assert main(["show", "b.zspy", "-o", "pictures", "-f"]) == 0
    capsys.readouterr()
    assert main(["show", "b.zspy", "-o", "plain"]) == 0
    assert capsys.readouterr().out.startswith("plain.png: ")
    assert (here / "plain.png").is_file()
    assert main(["show", "a.zspy", "b.zspy", "-o", "c.png"]) == 2
    assert capsys.readouterr().err.count("several files have no one image") == 1
    assert main(["show", "a.zspy", "-o", "b.zspy"]) == 2
    assert "it would lie inside of the file b.zspy" in capsys.readouterr().err
    assert main(["show", "a.zspy", "-o", "-"]) == 2
    assert "an image is a file; give its name: -o scan.png" in capsys.readouterr().err
    before = sorted(here.iterdir())
    assert main(["show", "a.zspy", "-o", os.devnull]) == 0
    assert capsys.readouterr().out == f"{os.devnull}: 1 signal drawn\n"
    assert sorted(here.iterdir()) == before


def test_an_image_that_is_there_is_replaced_by_force_only(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "pictures").mkdir()
    for output, image in (("mine.png", "mine.png"), ("pictures", "pictures/b.png")):
        (here / image).write_text("mine")
        assert main(["show", "b.zspy", "-o", output]) == 2
        said = f"zspy: {Path(image)}: there is something already; use --force to replace it\n"
        assert capsys.readouterr().err == said
        assert (here / image).read_text() == "mine"
        assert main(["show", "b.zspy", "-o", output, "--force"]) == 0
        assert (here / image).stat().st_size > 1000


def test_what_cannot_be_written_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nowhere/a.png", "a.unknown"):
        assert main(["show", "b.zspy", "-o", name]) == 2
        assert capsys.readouterr().err.startswith(f"zspy: {name}: ")
    zspy.file_writer(here / "none.zspy", [], show_progressbar=False)
    assert main(["show", "none.zspy", "-o", "c.png"]) == 2
    assert "there is no signal to draw" in capsys.readouterr().err


def test_a_full_disk_is_told_with_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    signal: dict[str, Any] = {"data": np.zeros(3), "axes": [{"name": "x"}], "metadata": {}}
    with pytest.raises(OSError, match=r"No space left on device: .*a\.png'$"):
        save([pictures(signal)], str(tmp_path / "a.png"))


def test_fonts_are_taken_that_have_the_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib import font_manager, rcParams

    own = [one for one in font_manager.fontManager.ttflist if "mpl-data" in one.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    usual = fonts_for("Gold, \u00b5m")
    assert usual == (rcParams["font.family"], set())
    monkeypatch.setitem(rcParams, "font.family", ["DejaVu Sans Display"])
    families, lacking = fonts_for("z\u0416\u91d1")
    assert families[0] == "DejaVu Sans Display"
    assert len(families) == 2
    assert lacking == {"\u91d1"}
    broken = SimpleNamespace(name="broken", fname=__file__)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [broken])
    assert fonts_for("\u0416") == (["DejaVu Sans Display"], {"\u0416"})


def test_characters_that_no_font_has_are_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = pytest.importorskip("matplotlib.font_manager").fontManager
    # matplotlib brings these itself, and draws nothing without them.
    own = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(manager, "ttflist", own)
    axes = [{"name": "\u91d1", "units": "\u7c92"}, {"name": "x", "units": "\u7c92"}]
    metadata = {"General": {"title": "\u7c92"}}
    zspy.file_writer("a.zspy", {"data": np.zeros((2, 3)), "axes": axes, "metadata": metadata})
    assert main(["show", "a.zspy", "-o", "a.png"]) == 0
    said = capsys.readouterr().err
    said_once = "no font here has \u7c92\u91d1: install one, such as Noto Sans CJK\n"
    assert said == f"zspy: warning: {said_once}"


def test_a_backend_that_there_is_not_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(_: str) -> Any:
        raise ValueError("Key backend: 'x' is not a valid value")

    monkeypatch.setattr("zspy.apps.drawing.import_module", failing)
    with pytest.raises(zspy.ZspyError, match=r"^MPLBACKEND: matplotlib has no such backend; unset"):
        save([], "a.png")


@pytest.mark.usefixtures("here")
def test_without_an_image_a_window_opens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from matplotlib import pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    opened: list[bool] = []
    monkeypatch.setattr(plt, "show", lambda: opened.append(True))
    plt.switch_backend("agg")
    assert main(["show", "b.zspy"]) == 2
    assert "no window can be opened here; use -o scan.png" in capsys.readouterr().err
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "some")
    assert main(["show", "b.zspy"]) == 0
    assert opened == [True]
    plt.close("all")


@pytest.mark.usefixtures("here")
def test_without_matplotlib_it_is_told_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib.figure", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    for more in ([], ["-o", "a.png"]):
        assert main(["show", "b.zspy", *more]) == 2
        said = 'zspy: matplotlib is not installed: python -m pip install "zspy[plot]"\n'
        assert capsys.readouterr().err == said


def test_a_picture_counts_as_what_is_made_for_it(tmp_path: Path, capsys: Any) -> None:
    """Bytes become sums, counts and colours, each many times as large."""
    path = tmp_path / "a.zspy"
    content: dict[str, Any] = {"data": np.zeros(3, "u1"), "axes": [{"size": 3}], "metadata": {}}
    zspy.file_writer(path, content, sync=False)
    folder = path / "Experiments/__unnamed__"
    for name in ("data/.zarray", "axis-0/.zattrs", ".zattrs"):
        document = json.loads((folder / name).read_text())
        document |= {"shape": [2**26], "chunks": [2**26], "size": 2**26}
        document.pop("_sig_zspy", None)
        # What a document takes brings no values.
        (folder / name).write_text(json.dumps(document) + " " * 10**6)
    (folder / "data/0").unlink()
    assert np.shape(zspy.file_reader(path)[0]["data"]) == (2**26,)
    assert main(["show", str(path), "-o", str(tmp_path / "a.png")]) != 0
    assert "hardly anything of that is stored" in capsys.readouterr().err


def test_what_has_all_dimensions_of_numpy_is_not_drawn(tmp_path: Path, capsys: Any) -> None:
    axes = [{"size": 1, "name": f"a{number}"} for number in range(64)]
    content: dict[str, Any] = {"data": np.zeros((1,) * 64), "axes": axes, "metadata": {}}
    zspy.file_writer(tmp_path / "a.zspy", content, sync=False)
    assert main(["show", str(tmp_path / "a.zspy"), "-o", str(tmp_path / "a.png")]) != 0
    assert "nothing to draw" in capsys.readouterr().err


def panel_of(signal: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draw a signal, and give the first panel."""
    figures: list[Any] = []
    figure = pytest.importorskip("matplotlib.figure").Figure

    def keep(self: Any, *_: Any, **__: Any) -> None:
        figures.append(self)

    monkeypatch.setattr(figure, "savefig", keep)
    save([pictures(signal)], "x.png")
    return figures[0].axes[0]


def test_a_large_image_is_of_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib took 1.8 GB for 21 million pixels."""
    monkeypatch.setattr("zspy.apps.pictures._PIXELS", 4)
    data = np.arange(35.0).reshape(5, 7)
    data[4, 0] = np.nan
    axes = [{"size": 5, "offset": 1.0, "scale": 2.0}, {"size": 7}]
    (picture,) = pictures({"data": data, "axes": axes, "metadata": {}})
    assert picture.note == "mean of 2 x 2 pixels"
    assert picture.values.shape == (3, 4)
    assert picture.values[0].tolist() == [4, 6, 8, 9.5]
    assert picture.values[2].tolist() == [29, 30.5, 32.5, 34]
    assert [side.points.tolist() for side in picture.sides] == [[2, 6, 10], [0.5, 2.5, 4.5, 6.5]]
    empty = np.full((5, 7), np.nan)
    (picture,) = pictures({"data": empty, "axes": axes, "metadata": {}})
    assert np.isnan(picture.values).all()


def test_what_is_drawn_as_means_is_summed_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of an image, or a curve, of 1 GiB took 4.8 GB, whatever could be seen of it."""
    for name, most in (("_PIXELS", 4), ("_POINTS", 3), ("_SUMMED_AT_ONCE", 5)):
        monkeypatch.setattr(f"zspy.apps.pictures.{name}", most)
    data = np.arange(140.0).reshape(4, 5, 7)
    data[:, 4, 0] = np.nan
    axes: list[dict[str, Any]] = [{"size": 4}, *({"size": n, "navigate": True} for n in (5, 7))]
    sums, means = pictures({"data": data, "axes": axes, "metadata": {}})
    assert sums.note == "sum over an axis, mean of 2 x 2 pixels"
    whole = np.pad(data.sum(0), ((0, 1), (0, 1)), constant_values=np.nan)
    blocks = whole.reshape(3, 2, 4, 2).swapaxes(1, 2).reshape(3, 4, 4)
    assert np.allclose(sums.values, np.nanmean(blocks, -1))
    assert means.note == "mean over an axis, an axis, mean of 2 pixels"
    assert np.allclose(means.values, np.nanmean(data.reshape(2, 70), -1))
    assert means.sides[0].points.tolist() == [0.5, 2.5]


@pytest.mark.parametrize(
    ("y", "x", "aspect"),
    [
        ({}, {}, 1.0),
        ({"units": "nm", "scale": 2.0}, {"units": "nm"}, 1.0),
        ({"scale": 2.0}, {}, "auto"),
        ({"units": "nm"}, {"units": "eV"}, "auto"),
    ],
)
def test_pixels_are_squares_where_both_axes_count_alike(
    y: dict[str, Any], x: dict[str, Any], aspect: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = [{"name": "y", "size": 4, **y}, {"name": "x", "size": 5, **x}]
    signal: dict[str, Any] = {"data": np.ones((4, 5)), "axes": axes, "metadata": {}}
    assert panel_of(signal, monkeypatch).get_aspect() == aspect


def test_long_names_of_axes_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = {"name": "n" * 99, "units": "u" * 99, "size": 3}
    signal: dict[str, Any] = {"data": np.ones(3), "axes": [axis], "metadata": {}}
    said = f"{'n' * 18}… ({'u' * 15}…)"
    assert panel_of(signal, monkeypatch).get_xlabel() == said
