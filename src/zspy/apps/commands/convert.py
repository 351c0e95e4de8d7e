"""``zspy convert``: the signals of a file in another store or format."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

from ...stores.backends import STORE_TYPES, StoreType, holds
from ...values.errors import ZspyError
from ..arguments import DIFFERENT, LINKS, SAME, STORAGE, Command, argument
from ..converting import convert, read
from ..differences import differences
from ..layout_arguments import LAYOUT, plan_of
from ..other_formats import hdf5_summary, is_hspy, is_of_hyperspy, other_format
from ..places import place_of, place_text, target_of
from ..terminal import naming_place, note, say
from ..tree import overview, summary

_ADDED: Final = re.compile(r"\[\d+\](.*\._sig_\w*)?\.(axes|attributes)\b")
"""Where a writer adds what older files do not say, also in signals within others: the type of an
axis."""


def run(options: argparse.Namespace) -> int:
    """Copy the signals of a file."""
    source: Any = other_format(options.source)
    is_other = source is not None
    if not is_other:
        source = place_of(options.source, options.storage_option, options.links)
    target = target_of(options.target, options.storage_option)
    if not options.force and holds(target):
        raise ZspyError(
            "there is something already",
            place_text(options.target),
            "use --force to replace it",
        )
    kind: StoreType | None = options.store
    if isinstance(target, Path):
        ending: Any = target.suffix[1:].lower()
        kind = kind or (ending if ending in STORE_TYPES else None)
    plan, progress = plan_of(options, kind), shows_progress(options)
    if is_other and options.verify and not is_of_hyperspy(source):
        raise ZspyError(
            "only files of HyperSpy are verified", str(source), "leave it out"
        )
    # where progress is shown
    with redirect_stdout(sys.stderr), naming_place(options.source, str(target)):
        tell_left(convert(source, target, plan, progress=progress))
    if options.verify and not _is_verified(source, target):
        return DIFFERENT
    if not options.quiet:
        verified = ", verified" if options.verify else ""
        name = place_text(options.target)
        is_hdf5 = is_hspy(target)
        said = (
            hdf5_summary(target, name)
            if is_hdf5
            else summary(overview(target), name)
        )
        say(f"{said}{verified}")
    return SAME


def shows_progress(options: argparse.Namespace) -> bool:
    """Tell whether a person wants to see how far it is."""
    return not options.quiet and sys.stderr.isatty()


def tell_left(left: list[str]) -> None:
    """Name what was not copied."""
    for name in left:
        note(f"warning: left behind: {name}")


def _is_verified(source: Any, target: Any) -> bool:
    found = [
        one
        for one in differences(read(source).signals, read(target).signals)
        if one.problem != "only in the second" or not _ADDED.match(one.location)
    ]
    for one in found:
        note(f"{one.location}: {one.problem}")
    return not found


COMMAND: Final = Command(
    run=run,
    purpose="copy the signals of a file to another store or format, block by block",
    examples=(
        "scan.zspy scan.zspy.zip",
        "scan.zspy cloud.zspy --format 3 --chunks auto --verify",
        "scan.zspy small.zspy --compressor zstd:9",
        "scan.mib scan.zspy",
        "scan.zspy scan.hspy --verify",
    ),
    arguments=(
        argument(
            "source",
            metavar="SRC",
            help="a file of any kind, .hspy, or what rosettasciio reads: its path, or its URL",
        ),
        argument(
            "target",
            metavar="DST",
            help="a path or URL to write to; a zip if it ends in .zip, HDF5 if in .hspy",
        ),
        argument("--store", choices=STORE_TYPES, help="what to make there"),
        argument(
            *("-f", "--force"), action="store_true", help="replace what is there"
        ),
        argument(
            "--verify", action="store_true", help="read both and compare the values"
        ),
        *LAYOUT,
        LINKS,
        STORAGE,
    ),
)
