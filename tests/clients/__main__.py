"""Run the tests of released programs on zspy and on HyperSpy's own files, and compare.

``python -m tests.clients`` runs all tests of all programs, which takes hours. ``--part`` runs a
fixed count of them, in some five minutes. Names of programs choose among them.

A difference is new, and an error, if zspy shows it, HyperSpy's own reader and writer do not show
the same, and ``known.json`` does not say why it is there. So is a test of a program that fails on
zspy only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from tests.clients.programs import ON_THEIRS, ON_ZSPY, PROGRAMS
from tests.interop.environments import ROOT, python_of

KNOWN: Final = Path(__file__).with_name("known.json")
WRITERS: Final = {"zspy.hyperspy": ON_ZSPY, "rsciio.zspy": ON_THEIRS}
SAID: Final = ("program", "test", "kind", "way", "place", "difference")


def main() -> int:
    """Run what the command line asks for; the exit status is the number of new differences."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("--part", action="store_true", help="run a fixed count of the tests")
    parser.add_argument("programs", nargs="*", default=[*PROGRAMS], choices=[*PROGRAMS])
    options = parser.parse_args()
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    new = 0
    for name in options.programs:
        with ThreadPoolExecutor() as at_once:
            runs = [
                at_once.submit(report_of, name, writer, part=options.part) for writer in WRITERS
            ]
            ours, theirs = (run.result() for run in runs)
        found = [*differences(name, ours, theirs)]
        unknown = [one for one in found if not reasons(one, known)]
        print(
            f"{name}: {len(ours['tests'])} tests, {len(ours['signals'])} kinds of signals, "
            f"{len(found)} differences, {len(unknown)} of them new; "
            f"HyperSpy's own files have {len(theirs['problems'])}",
            flush=True,
        )
        for one, times in Counter(json.dumps(one) for one in unknown).items():
            print(f"  {times} x {one}")
        new += len(unknown)
    return min(new, 100)


def report_of(name: str, writer: str, *, part: bool) -> dict[str, Any]:
    """Run the tests of a program with one writer."""
    program = PROGRAMS[name]
    paths = [str(ROOT), str(ROOT / "src")]
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        log = Path(work) / "log"
        environment = {
            **os.environ,
            "MPLBACKEND": "Agg",
            "PYTHONPATH": os.pathsep.join(paths[: 2 if writer == "zspy.hyperspy" else 1]),
            "ZSPY_CLIENTS_COUNT": str(program.count if part else 0),
            "ZSPY_CLIENTS_REPORT": str(report),
            "ZSPY_CLIENTS_WRITER": writer,
        }
        plain = ("-c", os.devnull, "--rootdir", work, "-p", "no:cacheprovider", "-W", "ignore")
        plugin = ("-p", "tests.clients.plugin", "--timeout", "300", "-q")
        with log.open("w", encoding="utf-8") as said:
            subprocess.run(
                [
                    *(python_of(WRITERS[writer]), "-m", "pytest", *plain, *plugin),
                    *("--continue-on-collection-errors", "--pyargs", *program.tests),
                ],
                cwd=work,  # no conftest of this checkout is found here
                env=environment,
                check=False,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        if not report.exists():
            raise RuntimeError(log.read_text(encoding="utf-8")[-5000:])
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        if not found["tests"]:
            raise RuntimeError(log.read_text(encoding="utf-8")[-5000:])
        return found


def differences(
    name: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> Iterator[dict[str, str]]:
    """Yield what zspy does otherwise than HyperSpy's own reader and writer."""
    same = {key(problem) for problem in theirs["problems"]}
    for problem in ours["problems"]:
        if key(problem) not in same:
            yield {"program": name, **problem}
    run = {*theirs["tests"]} - {*theirs["failed"]}
    for test in ours["failed"]:
        if test in run:
            yield {"program": name, "test": test, "difference": "the test fails on zspy only"}


def key(problem: dict[str, str]) -> tuple[str, ...]:
    """Say what is the same in both runs: each has its own words where it refuses a signal."""
    if not problem["place"]:
        return (problem["test"], problem["kind"], "refused")
    return tuple(problem[name] for name in ("test", "kind", "place", "difference"))


def reasons(found: dict[str, str], known: list[dict[str, str]]) -> list[str]:
    """Find why a difference is there: an entry says by patterns which it explains."""
    return [
        entry["reason"]
        for entry in known
        if all(
            fnmatchcase(found.get(name, ""), pattern)
            for name, pattern in entry.items()
            if name != "reason"
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
