"""An optional package that is missing is named, with the command that installs it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import zspy.hyperspy
from zspy.apps.drawing import save
from zspy.apps.hspy_writer import write_hspy
from zspy.files.parallel import dask_module
from zspy.stores.lmdb import LMDBStore


def imported_again(name: str) -> None:
    """Import a module of zspy anew, beside the one that there is."""
    spec = importlib.util.find_spec(f"zspy.{name}")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


NEEDED: dict[str, tuple[str, Callable[[], object]]] = {
    "dask": ("dask", lambda: dask_module("array")),
    "h5py": ("hdf5", lambda: write_hspy("x.hspy", [])),
    "hypothesis": ("testing", lambda: imported_again("strategies")),
    "lmdb": ("lmdb", lambda: LMDBStore(Path("x"))),
    "matplotlib": ("plot", lambda: save([], "x.png")),
    "rsciio": ("hyperspy", zspy.hyperspy.register),
    "xarray": ("xarray", lambda: imported_again("xarray")),
}


@pytest.mark.parametrize("package", NEEDED)
def test_a_missing_package_is_named_with_what_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, use = NEEDED[package]
    for module in [*sys.modules, package]:
        if module.split(".")[0] == package:
            monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError) as error:
        use()
    assert str(error.value) == (
        f'{package} is not installed: python -m pip install "zspy[{extra}]"'
    )
