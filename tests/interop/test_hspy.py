"""HyperSpy loads the .hspy files of the example as it loads its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

import pytest

from examples import hspy
from tests.interop.environments import REFERENCE, python_of, work
from tests.interop.test_from_hyperspy import SAVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import zspy
    from tests.interop.conftest import Exchange

NAMES: Final = [name for name in SAVED if not name.startswith("model_")]


@pytest.fixture(scope="module")
def problems(exchange: Exchange) -> Mapping[str, list[str]]:
    """Write all signals, and ask HyperSpy what it makes of them."""
    for name in NAMES:
        signal = cast("zspy.Signal", exchange.recorded(name, "captured"))
        hspy.write(exchange.path(name, "example.hspy"), signal)
    report = exchange.directory / "hdf5.json"
    work(python_of(REFERENCE), "judge_hdf5", exchange.directory, report)
    return cast("dict[str, list[str]]", json.loads(report.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_hyperspy_loads_the_file_of_the_example(
    problems: Mapping[str, list[str]], name: str
) -> None:
    assert not problems[name]
