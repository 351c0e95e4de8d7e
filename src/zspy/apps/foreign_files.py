"""Files of other formats, as rosettasciio reads them where it is installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from ..values.errors import FormatError, missing_package
from .hspy import read_hspy
from .places import is_other


def is_foreign(place: Any) -> bool:
    """Tell a file that zspy itself does not read."""
    return isinstance(place, Path) and place.is_file() and is_other(place)


def is_hspy(place: Any) -> bool:
    """Tell a file in HyperSpy's own format by its name."""
    return isinstance(place, Path) and place.suffix.lower() == ".hspy"


def read_foreign(path: Path) -> list[dict[str, Any]]:
    """Read the signals of a file: HyperSpy's own, or by the first reader for such names that can.

    A signal without axes gets plain ones; what else is contradictory is refused when it is written.
    """
    if path.suffix.lower() in {".hspy", ".hdf5"}:  # as HyperSpy called it once
        try:
            return [*map(dict, read_hspy(path, find_spec("dask") is not None))]
        except FormatError:
            if is_hspy(path):
                raise
    try:
        plugins: list[Any] = import_module("rsciio").IO_PLUGINS
    except ModuleNotFoundError as error:
        raise missing_package("rosettasciio", "hyperspy") from error
    suffix = path.suffix.removeprefix(".").lower()
    problem = f"rosettasciio knows no format of .{suffix} files"
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
            continue
        for signal in found:
            if not signal["axes"]:
                signal["axes"] = [{"size": size} for size in signal["data"].shape]
        return found
    raise FormatError(problem, str(path))
