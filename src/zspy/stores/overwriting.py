"""What a new file may replace: nothing that is no .zspy file, unless the caller says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from ..documents.json import parse_json
from ..values.errors import EncodeError, FormatError
from ..values.root import FORMAT, ROOT
from ..values.types import is_dict

_ROOTS: Final = (".zgroup", "zarr.json", ".zarray")


def refuse_overwrite(
    file: Mapping[str, bytes], overwrite: bool | None, where: str
) -> NoReturn:
    """Refuse to replace a file that is there: any where `overwrite` is False, else a foreign one.

    Raises
    ------
    EncodeError
        In any case; it says what is there.
    """
    if overwrite is False:
        raise EncodeError("a file is there already", where, "use overwrite=True")
    if any(key in file for key in _ROOTS):
        problem = "a Zarr group is there that is no .zspy file"
        raise EncodeError(problem, where, "use overwrite=True, if it may go")
    refuse(where)


def refuse(where: str) -> NoReturn:
    """Refuse to replace what is no file that zspy could have written."""
    problem = "what lies there is no .zspy file"
    raise EncodeError(problem, where, "remove it first, or use another place")


def is_zspy(file: Mapping[str, bytes]) -> bool:
    """Tell a .zspy file, also one of which the attributes of the root are lost."""
    for key in (".zattrs", "zarr.json"):
        try:
            document = parse_json(file[key], key)
        except (KeyError, FormatError):
            continue
        attributes = document.get("attributes") if key == "zarr.json" else document
        if is_dict(attributes) and attributes.get("file_format") == FORMAT:
            return True
    return any(f"{ROOT}/{name}" in file for name in _ROOTS)
