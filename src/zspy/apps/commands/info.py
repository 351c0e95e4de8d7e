"""``zspy info``: which signals files hold."""

from __future__ import annotations

import argparse
from typing import Any, Final

from ..arguments import FILES, JSON, SAME, STORAGE, Command
from ..describing import describe_file, description_lines
from ..places import place_of, place_text
from ..terminal import say, worst, worst_as_json
from ..tree import summary


def run(options: argparse.Namespace) -> int:
    """Print what each file holds."""
    if options.json:
        return worst_as_json(options.files, lambda file: _json_of(options, file))
    return worst(options.files, lambda file: _run_one(options, file))


def _run_one(options: argparse.Namespace, file: str) -> int:
    tree, signals = describe_file(place_of(file, options.storage_option))
    say(summary(tree, place_text(file)))
    for number, one in enumerate(signals):
        for line in description_lines(number, one):
            say(line)
    return SAME


def _json_of(options: argparse.Namespace, file: str) -> tuple[Any, int]:
    _, signals = describe_file(place_of(file, options.storage_option))
    return signals, SAME


COMMAND: Final = Command(
    run=run,
    purpose="say which signals files hold: sizes, axes, storage, models",
    examples=("scan.zspy", "*.zspy", "scan.zspy --json"),
    arguments=(FILES, JSON, STORAGE),
)
