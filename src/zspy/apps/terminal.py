"""What is printed for people, and how trouble is told: one line, and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from ..values.errors import FormatError, ZspyError
from .arguments import SAME, TROUBLE
from .places import place_text
from .text import LONGEST, Paint, printable

_COLOURS: Final = {"group": "1;34", "array": "1;32", "key": "36", "note": "2"}
_NARROWEST: Final = 40
_TELLS_ALL: Final = "zspy check lists all damage"


def guarded(run: Callable[[], int]) -> int:
    """Run something, and tell each error in one line."""
    try:
        return run()
    except BrokenPipeError:
        raise
    except ModuleNotFoundError as error:
        said = str(error)
        if "pip install" not in said:
            said = (
                f"{error.name} is not installed: python -m pip install {error.name}"
            )
        return trouble(said)
    except ZspyError as error:
        return trouble(str(error))
    except OSError as error:
        said = f"{error.filename or 'the output'}: {error.strerror}"
        if isinstance(error, PermissionError):
            said += "; see who may read or write it"
        return trouble(said if error.errno else str(error))
    except MemoryError:
        return trouble("there is not enough memory")
    except Exception as error:  # noqa: BLE001 - a person is told in one line, whatever it is
        kind = type(error).__name__
        return trouble(
            f"{kind}: {error}; this is a fault of zspy, please report it"
        )


@contextmanager
def naming_place(file: str, other: str = "") -> Generator[None]:
    """Name the file in what is said of a key in it; but for what is said of another file."""
    try:
        yield
    except ZspyError as error:
        name = place_text(file)
        if not error.where:
            where, remedy = name, error.remedy
        elif (
            name in printable(error.where)
            or os.path.abspath(file) in error.where
            or (other and other in error.where)
        ):
            raise
        else:
            where, remedy = f"{name}: {error.where}", error.remedy
            if isinstance(error, FormatError):
                remedy = remedy or _TELLS_ALL
        raise ZspyError(error.problem, where, remedy) from error


def worst(files: Iterable[str], run: Callable[[str], int], other: str = "") -> int:
    """Run something for each file, and give the status of the worst."""

    def run_named(file: str) -> int:
        with naming_place(file, other):
            return run(file)

    return max(guarded(partial(run_named, file)) for file in files)


class Told(NamedTuple):
    """What a command says of a file: to a person, and to a program."""

    lines: Iterable[str]
    value: Callable[[], Any]
    status: int = SAME


def tell(
    files: Sequence[str], as_json: bool, describe: Callable[[str], Told]
) -> int:
    """Print what is said of each file; for programs, of the one file, or of each by its name."""
    values: dict[str, Any] = {}

    def tell_one(file: str) -> int:
        told = describe(file)
        if as_json:
            values[place_text(file)] = told.value()
        else:
            for line in told.lines:
                say(line)
        return told.status

    status = worst(files, tell_one)
    if as_json and len(files) > 1:
        say_json(values)
    elif values:
        say_json(*values.values())
    return status


def trouble(said: str) -> int:
    """Tell why a command could not do what it was asked for."""
    note(said.replace('links="follow"', "--links follow"))
    return TROUBLE


def warn(message: Warning | str, *_: object, **__: object) -> None:
    """Tell a warning in one line; it takes the place of `warnings.showwarning`."""
    note(f"warning: {message}")


def note(said: str) -> None:
    """Tell something on the error output."""
    print(f"zspy: {printable(said)}", file=sys.stderr)


def say(said: str) -> None:
    """Print a line; what a file says in it is printable already."""
    print(said)


def say_json(value: Any) -> None:
    """Print a value for programs; of numbers that JSON does not have, the names."""
    finite = json.loads(
        json.dumps(value), parse_constant=lambda name: str(float(name))
    )
    print(json.dumps(finite, indent=2))


def paint() -> Paint:
    """Give what colours texts: where a person looks on, who has not said NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not sys.stdout.isatty():
        return lambda text, _: text
    return lambda text, kind: f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"


def width() -> int:
    """Give the characters of a line that a person sees; of none that a program reads."""
    if not sys.stdout.isatty():
        return 2 * LONGEST
    return max(shutil.get_terminal_size().columns, _NARROWEST)
