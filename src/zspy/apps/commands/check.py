"""``zspy check``: whether files are sound."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from ..arguments import DIFFERENT, FILES, JSON, SAME, STORAGE, Command, argument
from ..checking import Checked, Finding, damage_in
from ..places import place_of, place_text
from ..terminal import say, worst, worst_as_json
from ..text import printable


def run(options: argparse.Namespace) -> int:
    """Check each file, and print what is found."""
    if options.json:
        return worst_as_json(options.files, lambda file: _json_of(options, file))
    return worst(options.files, lambda file: _run_one(options, file))


def _json_of(options: argparse.Namespace, file: str) -> tuple[Any, int]:
    findings, _ = _checked(options, file)
    said = [
        {"severity": one.severity, "key": one.key, "message": one.message}
        for one in findings
    ]
    return said, _status(findings)


def _run_one(options: argparse.Namespace, file: str) -> int:
    findings, unverified = _checked(options, file)
    for one in findings:
        where = f"{printable(one.key)}: " if one.key else ""
        say(f"{one.severity}: {where}{printable(one.message)}")
    count = f"{len(findings) or 'no'} finding{'s' * (len(findings) != 1)}"
    note = f" ({unverified})" if unverified else ""
    say(f"{count} in {place_text(file)}{note}")
    return _status(findings)


def _checked(options: argparse.Namespace, file: str) -> Checked:
    place = place_of(file, options.storage_option)
    return damage_in(place, options.data, show_progressbar=sys.stderr.isatty())


def _status(findings: list[Finding]) -> int:
    has_errors = any(one.severity == "error" for one in findings)
    return DIFFERENT if has_errors else SAME


COMMAND: Final = Command(
    run=run,
    purpose="look for damage",
    examples=("scan.zspy", "scan.zspy --data", "scan.zspy --json"),
    arguments=(
        FILES,
        argument("--data", action="store_true", help="decode all chunks as well"),
        JSON,
        STORAGE,
    ),
)
