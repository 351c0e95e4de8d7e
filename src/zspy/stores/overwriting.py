"""What a new file may replace: nothing that is no .zspy file, unless the caller says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from ..documents.json import parse_json
from ..documents.source import NODES
from ..values.errors import EncodeError, FormatError
from ..values.root import EXPERIMENTS, FORMAT
from ..values.types import Documents, is_dict
from .base import Opened
from .directory import Directory
from .folders import HAS_DIR_FD
from .owned import replaceable_keys, unowned_keys

Unowned: TypeAlias = Callable[[Collection[str]], list[str]]
"""Gives the keys that are of somebody else, of all that are in a folder."""
_ON_DEMAND: Final = (
    "use overwrite=True, if it may go (HyperSpy's is not handed on: remove it)"
)


def is_replaceable(
    path: Path,
    kind: str,
    unowned: Unowned | None,
    overwrite: bool | None,
    keeps: bool,
) -> bool:
    """Tell whether what lies at a path may be replaced, before a look at its documents.

    `unowned` tells what in a folder of this kind is somebody else's, where it is no Zarr group.
    With `keeps`, what belongs to no Zarr node of a directory stays in the new file.

    Raises
    ------
    EncodeError
        If it may not be replaced, whatever its documents are.
    """
    where = str(path)
    if kind == "":
        return True
    if overwrite is False:
        _refuse_all(where)
    if path.is_dir():
        names = {*os.listdir(path)}
        if not names:
            return True
        _check_folder(path, names, unowned, keeps)
    elif not path.is_file() and path.exists():
        _refuse(where)
    if kind == "unknown" and overwrite is None:
        raise EncodeError(
            "a file is there that is no .zspy file", where, _ON_DEMAND
        )
    return overwrite is True


def _check_folder(
    path: Path, names: set[str], unowned: Unowned | None, keeps: bool
) -> None:
    """Refuse to replace a folder with what is of somebody else, unless that can stay."""
    if unowned is None:
        if NODES.isdisjoint(names):
            problem = "the directory there is no Zarr group"
            raise EncodeError(problem, str(path), "use another name")
        if keeps and HAS_DIR_FD:
            return
    with closing(Directory(path)) as file:
        keys = [*file]
        found = unowned(keys) if unowned else unowned_keys(keys, file.get)
    if found:
        problem = f"{found[0][:60]!r} in it belongs to no Zarr node"
        raise EncodeError(problem, str(path), "move it to another place first")


def check_file(file: Documents, overwrite: bool | None, where: str) -> None:
    """Refuse to replace an open file, unless the caller allows it.

    Raises
    ------
    EncodeError
        If it may not be replaced; it says what is there.
    """
    if overwrite is None and is_zspy(file):
        return
    keys = list(file)
    if not keys:
        return
    if overwrite is False:
        _refuse_all(where)
    is_node = not NODES.isdisjoint(keys)
    if overwrite is None:
        if is_node:
            problem = "a Zarr group is there that is no .zspy file"
            raise EncodeError(problem, where, _ON_DEMAND)
        _refuse(where)
    if not is_node:
        replaceable_keys(keys, file.get)


def refuse_inner(file: Opened, where: str) -> None:
    """Refuse to take what is only read for a file that can be replaced."""
    if file.is_only_read:
        remedy = "unpack it, and write to the file in it"
        raise EncodeError("a zip in a zip is only read", where, remedy)


def refuse_member(path: Path) -> None:
    """Refuse a place among the nodes of another .zspy file, which goes when that is replaced."""
    for folder in path.parents:
        if not any(os.path.exists(f"{folder}/{name}") for name in NODES):
            return
        with closing(Directory(folder)) as file:
            if is_zspy(file):
                problem = f"it would lie inside of the file {folder.name[:60]}"
                raise EncodeError(problem, str(path), "use another folder")


def _refuse_all(where: str) -> NoReturn:
    raise EncodeError("a file is there already", where, "use overwrite=True")


def _refuse(where: str) -> NoReturn:
    """Refuse to replace what is no file that zspy could have written."""
    problem = "what lies there is no .zspy file"
    raise EncodeError(problem, where, "remove it first, or use another place")


def is_zspy(file: Documents) -> bool:
    """Tell a .zspy file, also one of which the attributes of the root are lost."""
    for key in (".zattrs", "zarr.json"):
        try:
            document = parse_json(file[key], key)
        except (KeyError, FormatError):
            continue
        attributes = document.get("attributes") if key == "zarr.json" else document
        if is_dict(attributes) and attributes.get("file_format") == FORMAT:
            return True
    return any(f"{EXPERIMENTS}/{name}" in file for name in NODES)
