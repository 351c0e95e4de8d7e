"""``zspy diff``: whether two files hold the same values."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any, Final

from ..arguments import (
    DIFFERENT,
    JSON,
    LINKS,
    QUIET,
    SAME,
    STORAGE,
    Command,
    argument,
)
from ..converting import read
from ..differences import Difference, differences
from ..other_formats import source_of
from ..terminal import naming_place, say, say_json
from ..text import printable

_MOST_DIFFERENCES: Final = 10_000
"""Places that are listed: a list of kilobytes in a file may have millions of elements."""


def run(options: argparse.Namespace) -> int:
    """Print where the values of two files differ."""
    given: list[Any] = []
    for file in (options.a, options.b):
        with naming_place(file):
            place = source_of(file, options.storage_option, options.links)
            given.append(read(place).signals)
    most = 0 if options.quiet else _MOST_DIFFERENCES
    found = [*islice(differences(*given), most + 1)]
    if len(found) > most:
        found[most:] = [Difference("", f"more differs than these {most} places")]
    if options.json:
        say_json(
            [{"location": one.location, "problem": one.problem} for one in found]
        )
    elif not options.quiet:
        for one in found:
            say(f"{printable(one.location) or 'signals'}: {printable(one.problem)}")
    return DIFFERENT if found else SAME


COMMAND: Final = Command(
    run=run,
    purpose="compare the values in two files; exit with 0 where they are the same, 1 where not",
    examples=(
        "before.zspy after.zspy",
        "before.zspy after.zspy --quiet && echo same",
    ),
    arguments=(
        argument("a", metavar="A", help="a file"),
        argument("b", metavar="B", help="another one, in any store and format"),
        QUIET,
        JSON,
        LINKS,
        STORAGE,
    ),
)
