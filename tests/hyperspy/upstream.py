"""A plugin for pytest: RosettaSciIO's own tests of .zspy files, run on zspy and zarr-python 3.

Its wheel holds the tests. Three things are put in place for them: zspy as the reader and writer;
the names that zarr-python 2 had for what its successor calls otherwise; and the six files of data
that the wheel lacks, made by the release of HyperSpy that `tests/interop` compares with.
"""

from __future__ import annotations

import sys
import zipfile
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import pytest
import zarr
from zarr.storage import LocalStore, ZipStore

import zspy.hyperspy
from tests.interop.environments import REFERENCE, ROOT, python_of, run
from zspy.stores.lmdb import LMDBStore


class _DirectoryStore(LocalStore):
    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(Path(path))


class _ZipStore(ZipStore):
    def __init__(self, path: str | PathLike[str], mode: Any = "a") -> None:
        super().__init__(Path(path), mode=mode)

    def __contains__(self, key: str) -> bool:
        with zipfile.ZipFile(str(self.path)) as file:
            return key in file.namelist()


class _AnotherStore(LMDBStore):
    """For N5Store: a store that a directory store is not mistaken for."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)


def _create_dataset(group: Any, name: str, data: Any) -> Any:
    return group.create_array(name, data=data)


def _download_nothing(*_: object, **__: object) -> None:
    """Stand for what fetches all data of all formats."""


def pytest_configure(config: pytest.Config) -> None:
    """Put all in place, before a test is imported."""
    del config
    sys.modules["rsciio.zspy"] = zspy.hyperspy
    zspy.hyperspy.register()
    names: dict[str, Any] = {
        "DirectoryStore": _DirectoryStore,
        "NestedDirectoryStore": _DirectoryStore,
        "ZipStore": _ZipStore,
        "N5Store": _AnotherStore,
    }
    for name, successor in names.items():
        setattr(zarr, name, successor)
    group: Any = zarr.Group
    group.create_dataset = _create_dataset
    registry: Any = import_module("rsciio.tests.registry_utils")
    registry.download_all = _download_nothing
    data = Path(registry.__file__).parent / "data" / "zspy"
    if not data.exists():
        script = Path(__file__).with_name("upstream_data.py")
        run(python_of(REFERENCE), script.relative_to(ROOT), data)
