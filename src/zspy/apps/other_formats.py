"""Files of other formats, as rosettasciio reads them where it is installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from ..stores.base import Links
from ..stores.other_files import CONVERT, refusal
from ..values.errors import FormatError, missing_package
from .hspy_reader import holds_signals, read_signals
from .places import is_other, path_of, place_of
from .text import size_text


def is_other_format(place: Any) -> bool:
    """Tell a file that zspy itself does not read."""
    return isinstance(place, Path) and place.is_file() and is_other(place)


def is_hspy(place: Any) -> bool:
    """Tell a file in HyperSpy's own format by its name."""
    return isinstance(place, Path) and place.suffix.lower() == ".hspy"


def is_of_hyperspy(place: Any) -> bool:
    """Tell a file in HyperSpy's own format, whose name ended in .hdf5 once."""
    is_old = isinstance(place, Path) and place.suffix.lower() == ".hdf5"
    return is_hspy(place) or (is_old and holds_signals(place))


def source_of(text: str, options: Iterable[tuple[str, Any]], links: Links) -> Any:
    """Give the place that a person has named, which may be a file of HyperSpy's own."""
    path = other_format(text)
    if is_of_hyperspy(path):
        return path
    return place_of(text, options, links)


def other_format(text: str) -> Path | None:
    """Give the path of a file that a person has named and zspy itself does not read."""
    path = None if "://" in text else path_of(text)
    return path if is_other_format(path) else None


def hdf5_summary(path: Path, name: str) -> str:
    """Describe a file of HyperSpy's own in one line."""
    return f"{name}: HDF5, {size_text(path.stat().st_size)}"


def read_other_format(path: Path, is_copied: bool = True) -> list[dict[str, Any]]:
    """Read the signals of a file: HyperSpy's own, or by the first reader for such names that can.

    A signal without axes gets plain ones; what else is contradictory is refused when it is written.
    """
    if is_of_hyperspy(path):
        is_lazy = find_spec("dask") is not None
        return [*map(dict, read_signals(path, is_lazy, is_copied))]
    if (other := refusal(path)).remedy != CONVERT:
        raise other
    try:
        plugins: list[Any] = import_module("rsciio").IO_PLUGINS
    except ModuleNotFoundError as error:
        problem = "a file of another format, which rosettasciio might read"
        remedy = str(missing_package("it", "hyperspy"))
        raise FormatError(problem, str(path), remedy) from error
    suffix = path.suffix.removeprefix(".").lower()
    problem = f"rosettasciio knows no format of .{suffix} files"
    remedy = "read it another way, and write it with zspy.file_writer"
    fitting = [
        plugin
        for plugin in plugins
        if suffix in map(str.lower, plugin["file_extensions"])
    ]
    for plugin, is_lazy in product(fitting, (True, False)):
        try:
            reader: Any = import_module(plugin["api"])
            found: list[dict[str, Any]] = reader.file_reader(
                str(path), lazy=is_lazy
            )
        except Exception as error:  # noqa: BLE001 - a reader raises whatever it likes
            problem = f"the reader of {plugin['name']} files fails: {error}"
            if isinstance(error, ModuleNotFoundError):
                remedy = 'python -m pip install "rosettasciio[all]"'
            continue
        for signal in found:
            if not signal["axes"]:
                signal["axes"] = [{"size": size} for size in signal["data"].shape]
        return found
    raise FormatError(problem, str(path), remedy)
