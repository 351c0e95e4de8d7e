"""Files that are made with intent, used: on the command line, by xarray, updated and added to.

``python -m tests.security.uses --count 1000`` makes the files of `attack`, and uses each in three
ways, within the same time and memory. Nothing but errors of zspy may come of it, or on the command
line a line that says what is wrong, and is no fault of zspy.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

import zspy
from tests.security import attack, fuzz
from zspy.apps.cli import main as command
from zspy.typing import is_dict

XARRAY: Final[Any] = import_module("xarray")  # it is typed in part
ADDED: Final[dict[str, Any]] = {
    "data": np.arange(3.0),
    "axes": [{"name": "x", "size": 3, "navigate": False}],
    "metadata": {"General": {"title": "added"}},
}


def commanded(*arguments: str) -> Callable[[Path], None]:
    """Make a use of a command; the first FILE is the file, and OTHER is one to write."""

    def use(place: Path) -> None:
        names = {"FILE": str(place), "OTHER": str(place.parent / "other")}
        given = [names.get(one, one) for one in arguments]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            command(given)
        text = said.getvalue()
        assert "fault of zspy" not in text, text[-2000:]
        assert "not enough memory" not in text, text[-2000:]
        assert "\x1b" not in text, "what a file says reaches the terminal raw"

    return use


def opened_by_xarray(place: Path) -> None:
    """Open a dataset, and read an element of each of its variables."""
    with XARRAY.open_dataset(place, engine="zspy") as found:
        for variable in found.variables.values():
            if variable.size:
                np.asarray(variable[(0,) * variable.ndim])


def updated(place: Path) -> None:
    zspy.update(place, {"General": {"more": 1}}, title="t", sync=False)


def added_to(place: Path) -> None:
    zspy.file_writer(place, ADDED, mode="a", sync=False, show_progressbar=False)


USES: Final[tuple[Callable[[Path], None], ...]] = (
    commanded("info", "FILE"),
    commanded("tree", "FILE"),
    commanded("show", "FILE", "-o", "OTHER"),
    commanded("check", "FILE", "--data"),
    commanded("diff", "FILE", "FILE"),
    commanded("convert", "FILE", "OTHER", "--store", "zip", "--quiet", "--force"),
    commanded("repack", "FILE", "--quiet"),
    opened_by_xarray,
    updated,
    added_to,
)


def attempt(place: Any) -> list[str]:
    """Use a file in three ways; give the outcomes. What is no error of zspy gets out."""
    outcomes: list[str] = []
    for use in random.Random(fuzz.stored(place)).sample(USES, 3):
        try:
            use(place)
        except zspy.ZspyError as error:
            outcomes.append(f"{type(error).__name__}: {error.problem[:60]}")
        else:
            outcomes.append("done")
    return outcomes


def made(seed: int, folder: Path) -> tuple[Any, str]:
    """Make the file of a seed of `attack`, in a path."""
    place, what = attack.made(seed, folder)
    if is_dict(place):
        safe = {key: data for key, data in place.items() if fuzz._is_text(key)}
        shutil.rmtree(folder / "f.zspy", ignore_errors=True)
        fuzz.write_files(folder, {f"f.zspy/{key}": data for key, data in safe.items()})
        place = folder / "f.zspy"
    return place, what


if __name__ == "__main__":
    sys.exit(fuzz.main(made, "tests.security.uses", attempt=attempt))
