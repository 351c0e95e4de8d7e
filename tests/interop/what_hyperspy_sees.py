"""The table of ``docs/what-hyperspy-sees.md``: ``python -m tests.interop.what_hyperspy_sees``."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from tests.interop.answers import RELEASES, Answers, ask, write_values
from tests.interop.environments import ROOT
from tests.support import values
from tests.support.sidecar import (
    MISSING,
    Repr,
    differences,
    is_array,
    is_dict,
    is_numpy_scalar,
    is_sequence,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PAGE: Final = ROOT / "docs" / "what-hyperspy-sees.md"
WIDTH: Final = 70
KINDS: Final[Mapping[str, Mapping[str, Callable[[], object]]]] = {
    "Plain values": values.PLAIN,
    "Lists and tuples": values.LISTS,
    "Scalars": values.SCALARS,
    "Containers": values.CONTAINERS,
    "Keys": values.KEYS,
    "Arrays": values.ARRAYS,
    "Arrays of objects": values.CELLS,
}
HEAD: Final = """\
# What HyperSpy sees

A file of zspy holds values for which the format has no words, such as complex numbers or dates.
zspy brings all of them back. HyperSpy, which does not know zspy, reads the same file and sees what
the first tables show: these are the exceptions. Everything else it reads as it was given; those
values are listed at the end.

The tables show what the readers of rosettasciio {releases}, the library behind HyperSpy's `load`,
return for each value in the metadata of a file that zspy wrote with its defaults. "As given" means
equal in value and type. The last column shows what rosettasciio {newest} reads from a file that it
wrote itself. Lists and tuples of numbers or strings of several types are homogenized by default.

This page is made by `python -m tests.interop.what_hyperspy_sees`, and a test compares it.
"""
GIVEN: Final = "as given"


def page(answers: Mapping[str, Answers]) -> str:
    """Return the page: a table for each kind of value, from the answers by release."""
    versions = sorted(answers, key=lambda version: [int(part) for part in version.split(".")])
    lines = HEAD.format(
        releases=f"{', '.join(versions[:-1])} and {versions[-1]}", newest=versions[-1]
    ).splitlines()
    heads = ["value", *(f"{version} reads" for version in versions)]
    own = f"{versions[-1]} writes itself"
    as_given: list[str] = []
    for kind, of_kind in KINDS.items():
        rows = [[*_cells(name, create, answers, versions)] for name, create in of_kind.items()]
        kept = [row for row in rows if {*row[1:-1]} == {GIVEN}]
        different = [row for row in rows if row not in kept]
        if different:
            lines += ["", f"## {kind}", "", _row([*heads, own])]
            lines.append("|---" * (len(heads) + 1) + "|")
            lines += map(_row, different)
        if kept:
            as_given += ["", f"### {kind}", "", _row([heads[0], own])]
            as_given.append("|---|---|")
            as_given += [_row([row[0], row[-1]]) for row in kept]
    lines += ["", "## What every release reads as given", *as_given]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(
    name: str,
    create: Callable[[], object],
    answers: Mapping[str, Answers],
    versions: list[str],
) -> Iterator[str]:
    yield code(create())
    for version in versions:
        yield outcome(create(), answers[version].about(name)["read"])
    yield outcome(create(), answers[versions[-1]].about(name)["own"])


def outcome(given: object, answer: object) -> str:
    """Say in one cell what came of a value."""
    assert is_dict(answer)
    if "error" in answer:
        return f"raises {str(answer['error']).partition(':')[0]}"
    read = answer["value"]
    if read is MISSING:
        return "is lost"
    places = differences(given, read)
    if not places:
        return GIVEN
    # A long value may be cut before the place where it differs.
    shown, path = code(read), places[0].path.encode("utf-8", "backslashreplace").decode()
    return shown if shown != code(given) else f"differs at `{path}`"


def code(value: object) -> str:
    """Return a value as short code in a cell."""
    text = described(value).replace("`", "'")
    text = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
    if "|" not in text:
        return f"`{text}`"
    # A bar ends a cell of a table. A backslash before it is not shown on GitHub, but in the site.
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def described(value: object) -> str:
    """Return a value in one line, the same on every run and for every NumPy."""
    if is_dict(value):
        members = (f"{described(key)}: {described(below)}" for key, below in value.items())
        text = f"{{{', '.join(members)}}}"
        return text if type(value) is dict else f"{type(value).__name__}({text})"
    if is_sequence(value):
        inner = ", ".join(map(described, value))
        if isinstance(value, tuple):
            return f"({inner}{',' if len(value) == 1 else ''})"
        return f"[{inner}]"
    if is_set(value):
        inner = ", ".join(sorted(map(described, value)))
        text = f"{{{inner}}}" if inner else ""
        return text if inner and type(value) is set else f"{type(value).__name__}({text})"
    if is_array(value):
        items = described(value.tolist()) if value.size <= 12 else f"of shape {value.shape}"
        masked = "masked " if isinstance(value, np.ma.MaskedArray) else ""
        return f"{masked}array({items}, {dtype_name(value.dtype)})"
    if is_numpy_scalar(value):
        item: object = value.item() if value.dtype.kind in "SUV" else value
        text = str(item) if item is value else repr(item)
        return f"np.{type(value).__name__}({text})"
    if isinstance(value, Repr):
        return value.text
    return " ".join(repr(value).split())


def is_set(value: object) -> TypeGuard[set[object] | frozenset[object]]:
    """Whether the value is a set, frozen or not."""
    return isinstance(value, set | frozenset)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return the name of a data type: short, and with its byte order where it has one."""
    return dtype.str.lstrip("|") if dtype.names is None else f"fields {', '.join(dtype.names)}"


def main() -> None:
    """Ask all releases, and write the page."""
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "ours"
        ours.mkdir()
        write_values(ours)
        answers: dict[str, Answers] = {}
        for release in RELEASES:
            (place := Path(directory) / release.version).mkdir()
            answers[release.version] = ask(release, ours, place)
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
