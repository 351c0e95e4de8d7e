"""``zspy repack``: a file written anew in its own place."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from ...stores.backends import located
from ...values.errors import ZspyError
from ..arguments import SAME, Command, argument
from ..converting import repack
from ..layout_arguments import LAYOUT, plan_of
from ..places import place_of, place_text
from ..terminal import naming_place, say
from ..tree import overview, summary
from .convert import shows_progress, tell_left


def run(options: argparse.Namespace) -> int:
    """Write a file anew."""
    name = place_text(options.file)
    path = located(place_of(options.file))
    if not isinstance(path, Path):
        raise ZspyError("only local files are repacked", name, "convert it")
    # where progress is shown
    with redirect_stdout(sys.stderr), naming_place(options.file):
        left = repack(
            path, plan_of(options, None), progress=shows_progress(options)
        )
    tell_left(left)
    if not options.quiet:
        say(summary(overview(path), name))
    return SAME


COMMAND: Final = Command(
    run=run,
    purpose="write a file anew in its own place, which drops what nobody reads any more",
    examples=("scan.zspy", "scan.zspy --compressor zstd:5 --chunks auto"),
    arguments=(
        argument("file", metavar="FILE", help="a file of any kind: its path"),
        *LAYOUT,
    ),
)
