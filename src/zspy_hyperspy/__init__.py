"""HyperSpy's extension: HyperSpy imports this package when it starts, and uses zspy from then on.

The entry point ``zspy_hyperspy.extension`` leads HyperSpy here. The package only tells RosettaSciIO
which module reads and writes .zspy files. zspy itself is imported when the first file is loaded or
saved, so that a broken installation of zspy cannot keep HyperSpy from starting. With the
environment variable ``ZSPY_HYPERSPY=0`` nothing is changed.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any


def _register() -> None:
    """Name zspy as the reader and writer, where HyperSpy's own would be used."""
    if os.environ.get("ZSPY_HYPERSPY", "").strip().lower() in {
        "0",
        "false",
        "no",
        "off",
    }:
        return
    plugins: Any = import_module("rsciio").IO_PLUGINS
    for plugin in plugins:
        if plugin["name"] == "ZSPY" and plugin["api"] == "rsciio.zspy":
            plugin["api"] = "zspy.hyperspy"


try:
    _register()
except Exception:  # HyperSpy has to start, whatever is wrong here
    logging.getLogger(__name__).warning(
        "zspy is not used for .zspy files", exc_info=True
    )
