"""What reading and writing in parallel share: the memory for chunks, and modules of dask."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from ..values.errors import missing_package

CHUNKS_IN_MEMORY: Final = 2**30
"""Bytes of the chunks that are encoded or decoded at the same time."""


def dask_module(module: str) -> Any:
    """Import a module of dask: it takes long, and its types are few.

    Raises
    ------
    ModuleNotFoundError
        If dask is not installed, with the command that does.
    """
    try:
        return import_module(f"dask.{module}")
    except ModuleNotFoundError as error:
        raise missing_package("dask", "dask") from error
