"""The command line: ``zspy COMMAND``, or ``python -m zspy COMMAND``."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn, cast

from .. import __version__
from ..values.errors import did_you_mean, shown
from .arguments import SAME, TROUBLE, Command, refuse_idle
from .terminal import guarded, say, trouble, warn
from .text import cut, printable

COMMANDS: Final = (
    "info",
    "tree",
    "show",
    "check",
    "diff",
    "convert",
    "repack",
    "set",
)
"""The modules of the commands, in the order in which the help lists them."""
_LONGEST: Final = 200  # characters of what is wrong with the arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process, by default.

    Returns
    -------
    int
        What the process should exit with: 0, or 1 where something differs or is wrong with a
        file, or 2 where the command could not do what it was asked for.

    Examples
    --------
    >>> main(["--version"])
    Traceback (most recent call last):
    ...
    SystemExit: 0
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # whoever started the process has closed it
            setattr(sys, name, io.StringIO())
    parser = _parser()
    options = _parsed(parser, sys.argv[1:] if arguments is None else [*arguments])
    out: Any = sys.stdout
    if isinstance(out, io.TextIOWrapper):  # not every terminal has all characters
        cast("Any", out).reconfigure(errors="replace")
    if options.run is None:
        say(parser.format_help().rstrip())
        return SAME
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = warn
            status = guarded(lambda: _run(options))
            out.flush()
            return status
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        if isinstance(error, BrokenPipeError):  # whoever reads has seen enough
            return TROUBLE
        return trouble(f"the output: {error.strerror}")
    except KeyboardInterrupt:
        return trouble("interrupted")


def _run(options: argparse.Namespace) -> int:
    refuse_idle(options)
    status: int = options.run(options)
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line; the usage is in the help."""
        option = re.match(r"unrecognized arguments: (--[a-z-]+)", message)
        known = re.findall(r"--[a-z-]+", self.format_usage())
        near = did_you_mean(option[1], known) if option else ""
        said = cut(printable(message), _LONGEST)
        remedy = f"{near} see" if near else "see"
        self.exit(TROUBLE, f"{self.prog}: {said}; {remedy} {self.prog} --help\n")


def _parsed(parser: _Parser, given: list[str]) -> argparse.Namespace:
    """Parse the arguments of a process; values may also stand between options, and behind them."""
    name = "".join(given[:1])
    if name and name not in COMMANDS and not name.startswith("-"):
        near = did_you_mean(name, COMMANDS) or "a command comes before a file"
        parser.error(f"there is no command {shown(cut(name))} ({near})")
    options, unknown = parser.parse_known_args(given)
    if unknown and options.run:
        # Subparsers take no values behind options, so that one is asked alone.
        return cast("_Parser", options.parser).parse_intermixed_args(given[1:])
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _parser() -> _Parser:
    parser = _Parser(
        "zspy",
        description="Look at .zspy files, compare, convert, check and correct them.",
    )
    parser.add_argument(
        "--version", action="version", version=f"zspy {__version__}"
    )
    parser.set_defaults(run=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        found: Command = import_module(f"{__package__}.commands.{name}").COMMAND
        examples = [f"  zspy {name} {one}" for one in found.examples]
        command = commands.add_parser(
            name,
            help=found.purpose,
            description=f"{found.purpose[0].upper()}{found.purpose[1:]}.",
            epilog="\n".join(["examples:", *examples]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=found.run, parser=command)
        for add_to in found.arguments:
            add_to(command)
    return parser
