"""``zspy info``: which signals files hold."""

from __future__ import annotations

import argparse
from functools import partial
from itertools import chain, starmap
from typing import Final

from ..arguments import FILES, JSON, LINKS, STORAGE, Command
from ..describing import describe_file, description_lines
from ..places import place_of, place_text
from ..terminal import Told, tell
from ..tree import summary


def run(options: argparse.Namespace) -> int:
    """Print what each file holds."""
    return tell(options.files, options.json, partial(_told, options))


def _told(options: argparse.Namespace, file: str) -> Told:
    tree, signals = describe_file(
        place_of(file, options.storage_option, options.links)
    )
    described = starmap(description_lines, enumerate(signals))
    lines = chain([summary(tree, place_text(file))], *described)
    return Told(lines, lambda: signals)


COMMAND: Final = Command(
    run=run,
    purpose="say which signals files hold: sizes, axes, storage, models",
    examples=("scan.zspy", "*.zspy", "scan.zspy --json"),
    arguments=(FILES, JSON, LINKS, STORAGE),
)
