"""Pictures are drawn with matplotlib: into a file, or a window."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import chain
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from ..values.errors import ZspyError, missing_package, warn
from ..values.types import NumPyArray
from .pictures import Picture, Side
from .text import cut

_LONGEST_SIDE: Final = 8  # times the other side, of an image in one scale
# Of colours, beside an image of a height of one.
_BAR: Final = (
    1.03,
    0.0,
    0.04,
    1.0,
)
_TITLE: Final = 44  # characters
_LABEL: Final = 38
_UNITS: Final = 16
_DOTS: Final = 120  # an inch
_BOXES: Final = "Last Resort"  # a font with a box for every character
_NO_VALUE: Final = "#bbbbbb"  # is no colour of the map of colours


def save(
    rows: Sequence[Sequence[Picture]], path: str, *, log: bool = False
) -> None:
    """Draw the pictures of some signals, one row each, as an image file."""
    figures = _matplotlib("matplotlib.figure")
    figure = figures.Figure(_size(rows), layout="constrained")
    with _legible(rows):
        _fill(figure, rows, log)
        try:
            # A name without an ending, such as that of a device, is kept as it is.
            kind = None if PurePath(path).suffix else "png"
            figure.savefig(path, dpi=_DOTS, format=kind)
        except ValueError as error:
            problem, remedy = str(error), "use a name that ends in .png"
            raise ZspyError(problem, path, remedy) from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error


def open_window(rows: Sequence[Sequence[Picture]], *, log: bool = False) -> None:
    """Draw the pictures in a window, and wait until it is closed."""
    pyplot = _matplotlib("matplotlib.pyplot")
    figure = pyplot.figure(figsize=_size(rows), layout="constrained")
    if figure.canvas.required_interactive_framework is None:
        raise ZspyError("no window can be opened here", "", "use -o scan.png")
    with _legible(rows):
        _fill(figure, rows, log)
        pyplot.show()


@contextmanager
def _legible(rows: Sequence[Sequence[Picture]]) -> Generator[None]:
    """Draw with fonts that have all characters, and name those that no font here has."""
    texts: list[str] = []
    for picture in chain(*rows):
        texts += [picture.title, picture.note]
        for side in picture.sides:
            texts += [side.label, side.units]
    families, lacking = fonts_for("".join(texts))
    if lacking:
        shown = cut("".join(sorted(lacking)), _TITLE)
        warn(f"no font here has {shown}: install one, such as Noto Sans CJK")
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    with (
        warnings.catch_warnings(),
        _matplotlib("matplotlib").rc_context({"font.family": families}),
    ):
        # matplotlib tells of each character, and of fonts that are not of the usual weight.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def fonts_for(text: str) -> tuple[list[str], set[str]]:
    """Name the font of matplotlib, and those that have what it lacks; and what all of them lack."""
    fonts = _matplotlib("matplotlib.font_manager")
    usual = fonts.FontProperties()
    families = [*usual.get_family()]
    lacking = {*text} - _characters(fonts, fonts.findfont(usual))
    if not lacking:  # so most texts take no time
        return families, lacking
    found: dict[str, set[str]] = {}
    for font in fonts.fontManager.ttflist:
        if font.name not in found and not font.name.startswith(_BOXES):
            found[font.name] = lacking & _characters(fonts, font.fname)
    for name in sorted(found, key=lambda name: -len(found[name])):
        if lacking & found[name]:
            families.append(name)
            lacking -= found[name]
    return families, lacking


def _characters(fonts: Any, file: str) -> set[str]:
    """List the characters of a font; a file that is damaged has none."""
    with suppress(OSError, RuntimeError):
        return {*map(chr, fonts.get_font(file).get_charmap())}
    return set()


def _matplotlib(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing_package("matplotlib", "plot") from error
    except ValueError as error:
        problem = "matplotlib has no such backend"
        raise ZspyError(problem, "MPLBACKEND", "unset it, or use agg") from error


def _size(rows: Sequence[Sequence[Picture]]) -> tuple[float, float]:
    return 4.8 * max(map(len, rows)), 3.8 * len(rows)


def _fill(figure: Any, rows: Sequence[Sequence[Picture]], log: bool) -> None:
    panels = figure.subplots(len(rows), max(map(len, rows)), squeeze=False)
    for row, line in zip(rows, panels, strict=True):
        for number, panel in enumerate(line):
            if number >= len(row):
                panel.set_axis_off()
            elif len(row[number].sides) == 1:
                _draw_curve(panel, row[number], log)
            else:
                _draw_image(figure, panel, row[number], log)


def _draw_curve(panel: Any, picture: Picture, log: bool) -> None:
    (side,) = picture.sides
    _label(panel, picture)
    is_short = picture.values.size == 1
    panel.plot(
        side.points,
        _drawable(picture.values),
        linewidth=1,
        color="#2a6f97",
        marker="o" if is_short else None,
    )
    panel.margins(x=0)
    if is_short:
        panel.set_xticks(side.points)
    if log and _has_positive(picture.values):
        panel.set_yscale("log", nonpositive="mask")


def _draw_image(figure: Any, panel: Any, picture: Picture, log: bool) -> None:
    down, across = picture.sides
    _label(panel, picture)
    panel.set_ylabel(_side_text(down))
    panel.set_facecolor(_NO_VALUE)
    if picture.is_coloured:
        options: dict[str, Any] = {}
        values: Any = picture.values
    else:
        norm = "log" if log and _has_positive(picture.values) else None
        options = {"cmap": "magma", "norm": norm}
        values = _drawable(picture.values)
    if _is_uniform(down) and _is_uniform(across):
        extent = [*_ends(across.points), *reversed(_ends(down.points))]
        options |= {"extent": extent, "interpolation": "nearest"}
        image = panel.imshow(values, **options)
    else:
        image = panel.pcolormesh(
            across.points, down.points, values, shading="nearest", **options
        )
        panel.yaxis.set_inverted(down.points[-1] > down.points[0])
    panel.set_aspect("equal" if _has_one_scale(down, across) else "auto")
    if not picture.is_coloured:
        bar = panel.inset_axes(_BAR)
        figure.colorbar(image, cax=bar)


def _label(panel: Any, picture: Picture) -> None:
    title = cut(picture.title, _TITLE)
    lines = [title, cut(picture.note, _TITLE)] if picture.note else [title]
    panel.set_title(_plain("\n".join(lines)), fontsize="medium")
    panel.set_xlabel(_side_text(picture.sides[-1]))


def _side_text(side: Side) -> str:
    units = f" ({cut(side.units, _UNITS)})" if side.units else ""
    return _plain(f"{cut(side.label, _LABEL - len(units))}{units}")


def _plain(text: str) -> str:
    """Keep matplotlib from reading a formula."""
    return text.replace("$", r"\$")


def _drawable(values: NumPyArray) -> Any:
    """Mask what is no number."""
    return np.ma.masked_invalid(values)


def _has_positive(values: NumPyArray) -> bool:
    return bool((values[np.isfinite(values)] > 0).any())


def _is_uniform(side: Side) -> bool:
    steps = np.diff(side.points)
    return bool(steps.size == 0 or np.allclose(steps, steps[0], rtol=1e-3, atol=0))


def _has_one_scale(down: Side, across: Side) -> bool:
    """Tell whether a length is a length along both sides, and neither is much longer."""
    if down.units != across.units:
        return False
    lengths = [
        abs(first - last)
        for first, last in map(_ends, (down.points, across.points))
    ]
    if not down.units:  # numbers of pixels, unless they are stretched
        steps = np.divide(lengths, (down.points.size, across.points.size))
        if not np.isclose(*steps):
            return False
    return max(lengths) <= _LONGEST_SIDE * min(lengths)


def _ends(points: NumPyArray) -> tuple[float, float]:
    """Give the borders of the first and the last element."""
    half = (points[-1] - points[0]) / max(len(points) - 1, 1) / 2 or 0.5
    return float(points[0] - half), float(points[-1] + half)
