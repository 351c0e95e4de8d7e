"""Files of HyperSpy's other format, .hspy, are written by zspy: as zip files of that name.

Whatever the tests of a program save as .hspy is saved and loaded by zspy then. Files that a release
brings with it are in HDF5, and stay with their reader.
"""

from __future__ import annotations

import zipfile
from importlib import import_module
from typing import Any, Final

import zspy.hyperspy

TAKEN: Final = ("chunks", "close_file", "write_dataset", "show_progressbar")


def file_writer(filename: Any, signal: dict[str, Any], **options: Any) -> None:
    """Write a zip file; what only HDF5 has, such as its compression, is left out."""
    taken = {name: options[name] for name in TAKEN if name in options}
    zspy.hyperspy.file_writer(filename, signal, store_type="zip", **taken)


def file_reader(filename: Any, lazy: bool = False, **options: Any) -> Any:
    """Read a zip file with zspy, and another with the reader of HDF5."""
    if zipfile.is_zipfile(filename):
        return zspy.hyperspy.file_reader(filename, lazy)
    return import_module("rsciio.hspy").file_reader(filename, lazy, **options)
