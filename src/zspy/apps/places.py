"""What a person has named on the command line: a file, or something that is called by its name."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..stores.backends import STORE_TYPES, following, kind_of, located
from ..stores.base import ROOT_DOCUMENTS, Links
from ..stores.other_files import refusal
from ..values.errors import EncodeError, FormatError
from ..values.root import EXPERIMENTS
from .text import printable

_IN_GROUPS: Final = (*ROOT_DOCUMENTS, EXPERIMENTS)
"""What lies in a directory that may be a group, or a damaged one."""
_OTHER_FORMATS: Final = """
bcf blo bmp csv dm3 dm4 edf emd emi fits gif gz h5 hdf5 jpeg jpg json mat mib mrc mrcz msa nc
npy npz nxs pdf png prz pts raw rpl ser sif spc spd spx sur tar tif tiff tvips txt wdf xlsx xml
"""
"""Ends of the names of files in formats that zspy does not write, unless a backend does."""


def place_of(
    text: str, options: Iterable[tuple[str, Any]] = (), links: Links = "refuse"
) -> Any:
    """Give the place that a person has named, or say what lies there instead of a .zspy file."""
    storage = dict(options)
    if "://" in text:
        return located(text, storage) if storage else text
    path = path_of(text)
    if path.is_dir():
        _refuse_folder(path)
    elif path.is_file() and is_other(path):
        raise refusal(path)
    return following(path, links)


def target_of(text: str, options: Iterable[tuple[str, Any]] = ()) -> Any:
    """Give the place to write to, unless its name is that of a format that is not written."""
    if "://" in text:
        return located(text, dict(options) or None)
    path = path_of(text)
    ending = path.suffix.lower()[1:]
    if ending in _OTHER_FORMATS.split() and ending not in STORE_TYPES:
        problem = f"zspy does not write {path.suffix} files"
        raise EncodeError(
            problem, str(path), "use a name that ends in .zspy or .zip"
        )
    return path


def is_other(path: Path) -> bool:
    """Tell a file of another format, some of which are zips."""
    return kind_of(path) == "unknown" or path.suffix.lower() in {".prz", ".npz"}


def path_of(text: str) -> Path:
    """Give a path; the home of a user is found where a shell has not done so."""
    path = Path(text) if text else located(text)  # which says that this is no path
    with suppress(RuntimeError):
        path = path.expanduser()
    return Path(located(path))


def place_text(text: str) -> str:
    """Name a place, without the secrets of a URL."""
    return printable(str(located(text if "://" in text else path_of(text))))


def _refuse_folder(path: Path) -> None:
    is_group = any((path / name).exists() for name in _IN_GROUPS)
    if is_group or kind_of(path) != "local":
        return
    problem, remedy = "a folder, and no .zspy file", "name a .zspy file"
    if path.suffix and not any(path.iterdir()):
        problem, remedy = "an empty folder", "copy the file once more, or write it"
    if files := sorted(one.name for one in path.glob("*.zspy")):
        problem = f"a folder of {len(files)} .zspy file{'s' * (len(files) > 1)}"
        remedy = f"name one, such as {files[0]}"
    raise FormatError(problem, str(path), remedy)
