"""zarr-python 2 and the reference read the stores that zspy wrote, however they came to be."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import numpy as np
import pytest

import zspy
from tests.interop.environments import REFERENCE, python_of, work
from zspy.stores.dbm import DBMStore
from zspy.stores.lmdb import LMDBStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STATES: Final = ("written", "overwritten", "appended", "updated", "updated_twice")
QUIET: Final[dict[str, Any]] = {"show_progressbar": False, "sync": False}


class Kind(NamedTuple):
    """How a file of one kind is written."""

    store_type: Literal["local", "zip", "lmdb", "dbm"] | None
    open: Callable[[Path], Any] | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "local": Kind("local"),
    "zip": Kind("zip"),
    "lmdb": Kind("lmdb"),
    "lmdb_file": Kind(None, partial(LMDBStore, subdir=False)),
    "dbm": Kind("dbm"),
    "dbm.dumb": Kind(None, partial(DBMStore, module="dbm.dumb")),
    "dbm.ndbm": Kind(None, partial(DBMStore, module="dbm.ndbm")),
    "dbm.gnu": Kind(None, partial(DBMStore, module="dbm.gnu")),
    "dbm.sqlite3": Kind(None, partial(DBMStore, module="dbm.sqlite3")),
}


def signal_of(number: int, title: str = "scan", shape: tuple[int, ...] = (40, 7)) -> zspy.Signal:
    data = np.arange(np.prod(shape), dtype="f4").reshape(shape) * (number + 1)
    axes = [{"name": f"a{i}", "size": size, "navigate": i == 0} for i, size in enumerate(shape)]
    metadata = {
        "General": {"title": title},
        "number": number,
        "texts": ["a", "é"],
        "long": [number, *range(20)],
        "sub": {"array": np.arange(5), "none": None},
    }
    return cast("zspy.Signal", {"data": data, "axes": axes, "metadata": metadata})


def write(path: Path, kind: Kind, state: str) -> None:
    """Write a file, and bring it into a state."""

    def put(number: int, title: str = "scan", **options: Any) -> None:
        place = path if kind.open is None else kind.open(path)
        given = signal_of(number, title)
        given["data"] = signal_of(1)["data"] if "write_dataset" in options else given["data"]
        if kind.store_type and not options:
            options["store_type"] = kind.store_type
        options["dimension_separator"] = "."  # of directories as well, for once
        zspy.file_writer(place, given, chunks=(1, 7), **options, **QUIET)

    if state == "overwritten":
        put(2, "another")
    put(1)
    if state == "appended":
        put(3, "another", mode="a")
    if state.startswith("updated"):
        put(4, write_dataset=False)
    if state == "updated_twice":
        put(5, write_dataset=False)


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Write all files, and ask zarr-python 2 and the reference what they make of them."""
    directory = tmp_path_factory.mktemp("stores")
    for name, kind in KINDS.items():
        for state in STATES:
            (directory / name).mkdir(exist_ok=True)
            try:
                write(directory / name / f"{state}.zspy", kind, state)
            except ImportError:  # a kind of dbm that this Python lacks
                shutil.rmtree(directory / name)
                break
    for archive in (directory / "zip").iterdir():
        if unzip := shutil.which("unzip"):
            subprocess.run([unzip, "-tq", archive], check=True, capture_output=True)
    report = directory / "report.json"
    work(python_of(REFERENCE), "judge_stores", directory, report)
    return cast("dict[str, list[str]]", json.loads(report.read_text(encoding="utf-8")))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", KINDS)
def test_other_stores_read_as_the_directory_does(
    problems: Mapping[str, list[str]], name: str, state: str
) -> None:
    found = problems.get(f"{name}/{state}")
    if found is None and name.startswith("dbm."):
        pytest.skip(f"one of the two Pythons lacks {name}")
    assert found == []
