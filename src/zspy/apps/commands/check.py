"""``zspy check``: whether files are sound."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from functools import partial
from typing import Final

from ..arguments import (
    DIFFERENT,
    FILES,
    JSON,
    LINKS,
    SAME,
    STORAGE,
    Command,
    argument,
)
from ..checking import damage_in
from ..places import place_of, place_text
from ..terminal import Told, tell
from ..text import printable


def run(options: argparse.Namespace) -> int:
    """Check each file, and print what is found."""
    return tell(options.files, options.json, partial(_told, options))


def _told(options: argparse.Namespace, file: str) -> Told:
    place = place_of(file, options.storage_option, options.links)
    findings, unverified = damage_in(place, options.data, sys.stderr.isatty())
    lines: list[str] = []
    for one in findings:
        where = f"{printable(one.key)}: " if one.key else ""
        lines.append(f"{one.severity}: {where}{printable(one.message)}")
    count = f"{len(findings) or 'no'} finding{'s' * (len(findings) != 1)}"
    note = f" ({unverified})" if unverified else ""
    lines.append(f"{count} in {place_text(file)}{note}")
    has_errors = any(one.severity == "error" for one in findings)
    return Told(
        lines,
        lambda: [*map(asdict, findings)],
        DIFFERENT if has_errors else SAME,
    )


COMMAND: Final = Command(
    run=run,
    purpose="look for damage",
    examples=("scan.zspy", "scan.zspy --data", "scan.zspy --json"),
    arguments=(
        FILES,
        argument("--data", action="store_true", help="decode all chunks as well"),
        JSON,
        LINKS,
        STORAGE,
    ),
)
