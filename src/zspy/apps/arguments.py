"""What a command is, and the arguments that several commands take."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, Final, get_args

from ..stores.base import Links
from ..values.errors import EncodeError

SAME: Final = 0
DIFFERENT: Final = 1
TROUBLE: Final = 2


# Where a command keeps the files that it was given.
_FILES: Final = ("a", "b", "file", "files", "source", "target")
# Names of storage options, which are no secrets when their value is forgotten.
_NAMES: Final = ("anon", "endpoint_url", "key", "profile", "secret", "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: the function that runs it, and what its help says."""

    run: Callable[[argparse.Namespace], int]
    purpose: str
    examples: Sequence[str]
    arguments: Sequence[Callable[[argparse.ArgumentParser], object]]


def argument(*names: str, **options: Any) -> Callable[[Any], object]:
    """Describe an argument in the words of argparse: give what adds it to a parser."""
    return methodcaller("add_argument", *names, **options)


def parsed(
    parse: Callable[[str], Any], wanted: str, words: Mapping[str, Any] | None = None
) -> Callable[[str], Any]:
    """Give a function that parses an argument, or knows it as one of the words."""
    known = words or {}

    def parse_argument(text: str) -> Any:
        if text in known:
            return known[text]
        try:
            return parse(text)
        except ValueError:
            choices = ", ".join([*known, wanted])
            problem = f"{text!r} is not {choices}"
            raise argparse.ArgumentTypeError(problem) from None

    return parse_argument


def natural_number(text: str) -> int:
    """Parse a number that is not negative."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def json_or_text(text: str) -> Any:
    """Parse JSON; what is no JSON is a text.

    >>> json_or_text("[1, null]"), json_or_text("nm")
    ([1, None], 'nm')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def named_value(text: str) -> tuple[str, Any]:
    """Parse a name and its value.

    >>> named_value("anon=true"), named_value("a=b=c")
    (('anon', True), ('a', 'b=c'))
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(text)
    return name, json_or_text(value)


def _storage_option(text: str) -> tuple[str, Any]:
    try:
        return named_value(text)
    except ValueError:
        if text in _NAMES:
            raise
        problem = "that is not a name and its value"  # it may be a secret
        raise argparse.ArgumentTypeError(f"{problem}, {_OPTION}") from None


def refuse_idle(options: argparse.Namespace) -> None:
    """Refuse options of a URL where no file is one."""
    given = vars(options)
    files = " ".join(str(given.get(name)) for name in _FILES)
    if given.get("storage_option") and "://" not in files:
        problem, remedy = "only a URL has options", "leave it out"
        raise EncodeError(problem, "--storage-option", remedy)


_OPTION: Final = "like anon=true"
FILE: Final = argument(
    "file", metavar="FILE", help="a file of any kind: its path, or its URL"
)
FILES: Final = argument(
    "files", metavar="FILE", nargs="+", help="files of any kind: paths, or URLs"
)
JSON: Final = argument(
    "--json", action="store_true", help="print JSON, for programs"
)
QUIET: Final = argument(
    "-q", "--quiet", action="store_true", help="print nothing but trouble"
)
LINKS: Final = argument(
    "--links",
    choices=get_args(Links),
    default="refuse",
    help="follow links that lead out of a directory to files, as in caches of model hubs",
)
STORAGE: Final = argument(
    "--storage-option",
    action="append",
    default=[],
    type=parsed(_storage_option, f"a name and its value, {_OPTION}"),
    metavar="NAME=VALUE",
    help="what the file system of a URL needs; may be given again",
)
