"""``zspy set``: one value of the metadata, or of an axis, corrected in its file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from ...files.edit import update
from ...files.merging import REMOVE
from ...values.errors import ZspyError
from ...values.root import decode_file, title_of
from ...values.types import is_dict
from ..arguments import (
    FILE,
    QUIET,
    SAME,
    STORAGE,
    Command,
    argument,
    named_value,
    parsed,
)
from ..places import place_of, place_text
from ..terminal import naming_place, note, say
from ..tree import look

_AXES: Final = "axes"
_TITLE: Final = (
    "General.title"  # which is a text, also where it looks like a number
)


def run(options: argparse.Namespace) -> int:
    """Merge values into the metadata and the axes of a signal."""
    metadata: dict[str, Any] = {}
    axes: dict[str | int, dict[str, Any]] = {}
    given = options.values + [(name, REMOVE) for name in options.remove]
    for name, value in given:
        kind, _, rest = name.partition(".")
        axis, dot, key = rest.partition(".")
        if kind == _AXES and dot:
            number = int(axis) if axis.isdecimal() else axis
            axes.setdefault(number, {})[key] = value
        elif kind == _AXES:
            raise ZspyError("an axis has several values", name, "name one of them")
        else:
            _put(metadata, name.split("."), value)
    if not metadata and not axes:
        raise ZspyError("nothing to set", "", "name a value: General.title=new")
    with naming_place(options.file):
        _store(options, metadata, axes)
    if not options.quiet:
        counted = f"{len(given)} value{'s' * (len(given) > 1)}"
        say(f"{place_text(options.file)}: {counted} changed")
    return SAME


def _change(text: str) -> tuple[str, Any]:
    """Parse a name and its value.

    >>> _change("x=3"), _change("General.title=3"), _change('General.title="3"')
    (('x', 3), ('General.title', '3'), ('General.title', '3'))
    """
    name, value = named_value(text)
    if name == _TITLE and not isinstance(value, str):
        value = text.partition("=")[2]
    return name, value


def _store(
    options: argparse.Namespace,
    metadata: dict[str, Any],
    axes: dict[str | int, dict[str, Any]],
) -> None:
    """Hold the values against those that are there, and store them."""
    place = place_of(options.file, options.storage_option)
    for signal in decode_file(look(place).overview.root):
        if "data" in signal and options.title in (None, title_of(signal)):
            there: list[Any] = signal[_AXES]
            named = {axis.get("name"): axis for axis in there}
            _check(named | dict(enumerate(there)), axes, f"{_AXES}.")
            _check(signal["metadata"], metadata, "")
            _tell_misspelt(signal["metadata"], metadata)
    update(place, metadata or None, title=options.title, axes=axes or None)


def _check(old: dict[Any, Any], changes: dict[Any, Any], where: str) -> None:
    """Refuse to remove what is not there, and to replace what holds other values."""
    for key, value in changes.items():
        name = f"{where}{key}"
        if key == "" or (value is REMOVE and key not in old):
            raise ZspyError("there is nothing of this name", name, "see zspy tree")
        there: Any = old.get(key, {} if is_dict(value) else None)
        if value is not REMOVE and is_dict(value) != is_dict(there):
            raise ZspyError("a value, and values in it", name, "remove it first")
        if is_dict(value):
            _check(there, value, f"{name}.")


def _tell_misspelt(old: dict[Any, Any], changes: dict[str, Any]) -> None:
    """Name the place that was meant, perhaps, by a new one: elsewhere, or nearly this."""
    known = dict.fromkeys((_TITLE, *_paths(old)))
    for name in _paths(changes):
        if name in known:
            continue
        *above, last = name.lower().split(".")
        is_alone = not above
        meant = {
            there: one
            for one in known
            for *others, there in [one.lower().split(".")]
            if others == above or (is_alone and there == last)
        }
        near = get_close_matches(last, meant, 1, 0.8)
        if near:
            note(f"warning: {name} is new: did you mean {meant[near[0]]!r}?")


def _paths(tree: dict[Any, Any]) -> Iterator[str]:
    """Give the names of all values in nested dictionaries, of which there may be thousands."""
    todo = [("", tree)]
    while todo:
        above, here = todo.pop()
        for key, value in here.items():
            if is_dict(value):
                todo.append((f"{above}{key}.", value))
            else:
                yield f"{above}{key}"


def _put(tree: Any, path: list[str], value: Any) -> None:
    """Put a value into nested dictionaries."""
    *above, key = path
    for name in above:
        tree = tree.setdefault(name, {})
        if not is_dict(tree):
            break
    if not is_dict(tree) or is_dict(tree.get(key)):
        raise ZspyError(
            "a value, and values in it", ".".join(path), "set one of them"
        )
    tree[key] = value


COMMAND: Final = Command(
    run=run,
    purpose="correct values of the metadata, or of axes, in their file",
    examples=(
        'scan.zspy General.title="A new title"',
        "scan.zspy axes.y.scale=0.25 axes.y.units=nm",
        "scan.zspy --remove General.notes",
    ),
    arguments=(
        FILE,
        argument(
            "values",
            nargs="*",
            type=parsed(_change, "a name and its value, like General.title=new"),
            metavar="NAME=VALUE",
            help="a place in the metadata, or axes.NAME.KEY; JSON where it is JSON, or text",
        ),
        argument(
            "--remove",
            action="append",
            default=[],
            metavar="NAME",
            help="a place to remove; may be given again",
        ),
        argument(
            "--title", help="the title of the signal, where the file holds several"
        ),
        QUIET,
        STORAGE,
    ),
)
