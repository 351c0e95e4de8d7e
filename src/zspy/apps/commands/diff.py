"""``zspy diff``: whether two files hold the same values."""

from __future__ import annotations

import argparse
from typing import Any, Final

from ..arguments import (
    DIFFERENT,
    JSON,
    QUIET,
    SAME,
    STORAGE,
    Command,
    argument,
)
from ..converting import read
from ..differences import differences
from ..places import place_of
from ..terminal import say, say_json
from ..text import printable


def run(options: argparse.Namespace) -> int:
    """Print where the values of two files differ."""
    first: Any = read(place_of(options.a, options.storage_option))
    second: Any = read(place_of(options.b, options.storage_option))
    found = [*differences(first, second)]
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
        STORAGE,
    ),
)
