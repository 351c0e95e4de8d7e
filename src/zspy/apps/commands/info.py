"""``zspy info``: which signals files hold."""

from __future__ import annotations

import argparse
from functools import partial
from itertools import chain, starmap
from typing import Final

from ..arguments import FILES, JSON, LINKS, STORAGE, Command
from ..describing import describe_file, describe_signals, description_lines
from ..other_formats import (
    hdf5_summary,
    is_other_format,
    read_other_format,
    source_of,
)
from ..places import place_text
from ..terminal import Told, tell
from ..tree import summary


def run(options: argparse.Namespace) -> int:
    """Print what each file holds."""
    return tell(options.files, options.json, partial(_told, options))


def _told(options: argparse.Namespace, file: str) -> Told:
    place = source_of(file, options.storage_option, options.links)
    name = place_text(file)
    if is_other_format(place):
        said = hdf5_summary(place, name)
        signals = describe_signals(read_other_format(place, is_copied=False))
    else:
        tree, signals = describe_file(place)
        said = summary(tree.overview, name)
    described = starmap(description_lines, enumerate(signals))
    lines = chain([said], *described)
    return Told(lines, lambda: signals)


COMMAND: Final = Command(
    run=run,
    purpose="say which signals files hold: sizes, axes, storage, models",
    examples=("scan.zspy", "*.zspy", "scan.zspy --json"),
    arguments=(FILES, JSON, LINKS, STORAGE),
)
