"""``zspy show``: what the signals of files look like."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from ...stores.overwriting import refuse_member
from ...values.errors import EncodeError, ZspyError
from ..arguments import (
    FILES,
    LINKS,
    SAME,
    STORAGE,
    Command,
    argument,
    natural_number,
    parsed,
)
from ..converting import read
from ..describing import shown_title
from ..drawing import open_window, save
from ..other_formats import source_of
from ..pictures import Picture, pictures
from ..places import path_of, place_text
from ..terminal import note, say, worst
from ..text import printable

_MOST_SIGNALS: Final = 64  # signals in an image, which has a row for each
_DRAWN: Final = 32  # bytes of an element: of sums, counts, means and colours


def run(options: argparse.Namespace) -> int:
    """Draw each file."""
    output = options.output or ""
    if output and len(options.files) > 1 and not _is_folder(output):
        problem = "several files have no one image"
        raise ZspyError(problem, output, "give a folder: -o pictures/")
    return worst(options.files, lambda file: _run_one(options, file), output)


def _run_one(options: argparse.Namespace, file: str) -> int:
    target = None if options.output is None else _target(options, file)
    signals = _chosen(options, file)
    rows: list[Sequence[Picture]] = []
    problems: list[EncodeError] = []
    for signal in signals:
        try:
            rows.append(pictures(signal, options.at))
        except EncodeError as error:
            problems.append(error)
    if not rows:
        if problems:
            raise problems[0]
        said = "there is no signal to draw"
        raise ZspyError(said, place_text(file), "see zspy tree")
    for problem in problems:
        note(f"warning: {problem}")
    if target is None:
        open_window(rows, log=options.log)
        return SAME
    target.parent.mkdir(exist_ok=True)
    save(rows, str(target), log=options.log)
    say(
        f"{printable(str(target))}: {len(rows)} signal{'s' * (len(rows) > 1)} drawn"
    )
    return SAME


def _chosen(options: argparse.Namespace, file: str) -> list[Mapping[str, Any]]:
    """Read the signals that are asked for, by their title or their number."""
    place = source_of(file, options.storage_option, options.links)
    signals = [one for one in read(place, _DRAWN).signals if "data" in one]
    wanted = options.signal
    if wanted is None:
        if len(signals) > _MOST_SIGNALS:
            problem = (
                f"{len(signals)} signals, of which an image holds {_MOST_SIGNALS}"
            )
            remedy = "choose one by its title, or number: --signal 0"
            raise ZspyError(problem, place_text(file), remedy)
        return signals
    found = [one for one in signals if shown_title(one) == wanted]
    if not found and wanted.isdecimal() and int(wanted) < len(signals):
        found = [signals[int(wanted)]]
    if not found:
        titles = ", ".join(shown_title(one) or "untitled" for one in signals)
        raise ZspyError(
            f"there is no signal {wanted!r}",
            place_text(file),
            f"there is: {titles}",
        )
    return found


def _is_folder(output: str) -> bool:
    return path_of(output).is_dir() or output.endswith(("/", "\\"))


def _target(options: argparse.Namespace, file: str) -> Path:
    """Give the image to write: in a folder, it has the name of the file."""
    target = path_of(options.output)
    if not target.parent.is_dir():
        problem = "it is in no folder that is there"
        raise ZspyError(problem, options.output, "make the folder first")
    if options.output == "-":
        raise ZspyError("an image is a file", "-", "give its name: -o scan.png")
    if _is_folder(options.output):
        target /= f"{PurePath(file).stem}.png"
    elif target.exists() and not target.is_file():
        return target  # a device, such as /dev/null, which is not replaced
    elif not target.suffix:
        target = target.with_suffix(".png")
    refuse_member(target.absolute())
    if target.exists() and not options.force:
        problem = "there is something already"
        raise ZspyError(problem, str(target), "use --force to replace it")
    return target


def _indices(text: str) -> tuple[int, ...]:
    return tuple(natural_number(part) for part in text.split(","))


COMMAND: Final = Command(
    run=run,
    purpose="draw every signal: its sum at each position, and its mean over them",
    examples=(
        "scan.zspy",
        "scan.zspy -o scan.png --log",
        "scan.zspy --signal Line --at 3,5 -o line.png",
        "*.zspy -o pictures/",
    ),
    arguments=(
        FILES,
        argument(
            *("-o", "--output"),
            metavar="PNG",
            help="an image to write, or a folder for one image a file; else a window opens",
        ),
        argument(
            *("-f", "--force"),
            action="store_true",
            help="replace images that are there",
        ),
        argument(
            "--signal",
            metavar="TITLE",
            help="only the signal of that title, or number",
        ),
        argument(
            "--at",
            type=parsed(_indices, "indices like 3,5"),
            metavar="Y,X",
            help="the signal at that position, instead of the mean over all of them",
        ),
        argument(
            "--log", action="store_true", help="a logarithmic scale of the values"
        ),
        LINKS,
        STORAGE,
    ),
)
