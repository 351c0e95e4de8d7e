"""Stores: documents to a place and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .database import DBMStore, LMDBStore
    from .zarr_store import MappingStore

__all__ = ["DBMStore", "LMDBStore", "MappingStore"]


def __getattr__(name: str) -> object:
    """Import the stores, which need zarr-python, where they are asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import database

    found: object = getattr(database, name)
    return found
