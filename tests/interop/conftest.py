"""One exchange of files with the released programs, for all tests of this directory.

Starting HyperSpy takes seconds, so each environment gets everything at once: it makes all files
that zspy reads, then zspy writes all files that the environment reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

import zspy
from tests.interop.answers import RELEASES, Answers, ask, write_values
from tests.interop.environments import REFERENCE, Release, python_of, requested, work
from tests.interop.signals import SIGNALS
from tests.interop.worker import HYPERSPY
from tests.support import sidecar
from tests.support.gains import in_true_order
from tests.support.sidecar import is_sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.sidecar import Array, Chunks


@dataclass(frozen=True)
class Exchange:
    """What HyperSpy wrote and what zspy wrote, each with what the other reads."""

    directory: Path

    def path(self, name: str, writer: str = HYPERSPY) -> Path:
        """Return where the file of a signal is."""
        return self.directory / name / writer

    def recorded(self, name: str, key: str) -> object:
        """Return what the sidecar of a signal holds under a key, or MISSING."""
        document, arrays = sidecar.load(self.path(name))
        if key not in document:
            return sidecar.MISSING
        return sidecar.decode(document[key], arrays, in_blocks)


def in_blocks(array: Array, chunks: Chunks) -> object:
    """Return a dask array of the array."""
    return cast("Any", import_module("dask.array")).from_array(array, chunks=chunks)


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """All signals, as HyperSpy wrote them."""
    directory = tmp_path_factory.mktemp("signals")
    work(python_of(REFERENCE), "make", directory)
    return Exchange(directory)


@pytest.fixture(scope="session")
def written(exchange: Exchange) -> Mapping[str, str]:
    """Write all signals with zspy; what failed, by name and way of writing."""
    failed: dict[str, str] = {}
    for name in SIGNALS:
        for way, signal in signals_to_write(exchange, name).items():
            try:
                zspy.file_writer(exchange.path(name, f"{way}.zspy"), signal, show_progressbar=False)
            except Exception as error:  # noqa: BLE001 - reported by the test of this file
                failed[f"{name}/{way}"] = f"{type(error).__name__}: {error}"
    return failed


def signals_to_write(exchange: Exchange, name: str) -> Mapping[str, zspy.Signal]:
    """Return the dictionaries that zspy writes of one signal, by the way that they come from."""
    given = {"from_capture": exchange.recorded(name, "captured")}
    returned = in_true_order(exchange.recorded(name, "returned"))
    if is_sequence(returned):
        given["from_reader"] = returned[0]
        given["from_zspy"] = zspy.file_reader(exchange.path(name))[0]
    return cast("dict[str, zspy.Signal]", given)


@pytest.fixture(scope="session")
def judged(exchange: Exchange, written: Mapping[str, str]) -> Mapping[str, list[str]]:
    """What HyperSpy finds wrong with the files of zspy, by name and way of writing."""
    report = exchange.directory / "judged.json"
    work(python_of(REFERENCE), "judge", exchange.directory, report)
    problems = cast("dict[str, list[str]]", json.loads(report.read_text(encoding="utf-8")))
    return problems | {where: [error] for where, error in written.items()}


@pytest.fixture(scope="session")
def values_written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write each value into the metadata of a file of its own, and all into that of one file."""
    directory = tmp_path_factory.mktemp("values")
    write_values(directory)
    return directory


@pytest.fixture(scope="session")
def asked(
    values_written: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Release], Answers]:
    """Ask a release about the values that zspy wrote, once."""

    @cache
    def answers_of(release: Release) -> Answers:
        if release is not REFERENCE and release.version not in requested():
            pytest.skip(f"release {release.version} is not asked for")
        try:
            return ask(release, values_written, tmp_path_factory.mktemp("answers"))
        except LookupError as error:
            pytest.skip(str(error))

    return answers_of


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: release.version)
def answers(request: pytest.FixtureRequest, asked: Callable[[Release], Answers]) -> Answers:
    """Return the answers of each release."""
    return asked(cast("Release", request.param))
