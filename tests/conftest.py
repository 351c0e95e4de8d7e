"""Hypothesis profiles, and what every test leaves as it was."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zarr
from hypothesis import HealthCheck, Phase, settings

# Time judges nothing: the first example of a test may import half of the scientific stack.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=int(os.environ.get("ZSPY_EXAMPLES", "100")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# The same examples on every run: what turns red is the code, not the dice.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
# For mutants: that a law fails is enough, nobody looks at the smallest example.
settings.register_profile(
    "mutation", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


def _process() -> tuple[object, ...]:
    return Path.cwd(), copy.deepcopy(zarr.config.config)


@pytest.fixture(autouse=True)
def _same_process() -> Iterator[None]:
    """No test changes the process: not the working directory, not the configuration of zarr."""
    before = _process()
    yield
    assert _process() == before
