"""``zspy tree``: what files hold, node by node."""

from __future__ import annotations

import argparse
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from ..arguments import (
    FILES,
    JSON,
    LINKS,
    STORAGE,
    Command,
    argument,
    natural_number,
    parsed,
)
from ..places import place_of, place_text
from ..terminal import Told, paint, tell, width
from ..tree import look, summary, tree_json
from ..tree_lines import tree_lines


def run(options: argparse.Namespace) -> int:
    """Print the tree of each file."""
    files, path = _files_and_path(options)
    return tell(files, options.json, partial(_told, options, path))


def _files_and_path(options: argparse.Namespace) -> tuple[list[str], str]:
    """Tell files from a path in the one file: a second argument that is no file is a path."""
    files: list[str] = options.files
    if options.path is not None or len(files) != 2:
        return files, options.path or ""
    first, second = files
    if "://" in second or Path(second).exists() or second.endswith(".zspy"):
        return files, ""
    return [first], second


def _told(options: argparse.Namespace, path: str, file: str) -> Told:
    tree = look(place_of(file, options.storage_option, options.links))
    lines = tree_lines(
        tree, path, options.depth, paint(), stored=options.stored, width=width()
    )
    return Told(
        chain([summary(tree.overview, place_text(file))], lines),
        lambda: tree_json(tree, path),
    )


COMMAND: Final = Command(
    run=run,
    purpose="show what files hold: groups, arrays and values",
    examples=(
        "scan.zspy",
        "scan.zspy Experiments --depth 2",
        "scan.zspy --stored",
        "*.zspy --json",
    ),
    arguments=(
        FILES,
        argument(
            "--path",
            metavar="PATH",
            help="a node in the file; it may also follow the name of the one file",
        ),
        argument(
            *("-d", "--depth"),
            type=parsed(natural_number, "a number of levels"),
            metavar="N",
            help="levels to show, at most",
        ),
        argument(
            "--stored",
            action="store_true",
            help="show names and values as the Zarr hierarchy has them",
        ),
        JSON,
        LINKS,
        STORAGE,
    ),
)
