"""HyperSpy, with zspy in the place of its own reader and writer of .zspy files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import zspy.hyperspy


@pytest.fixture(scope="session")
def hs() -> Any:
    """HyperSpy, which has no types; its progress bars are for people."""
    api: Any = pytest.importorskip("hyperspy.api")
    api.preferences.General.show_progressbar = False
    return api


@pytest.fixture(autouse=True)
def _registered(hs: Any) -> Iterator[None]:  # noqa: ARG001 - needs it
    zspy.hyperspy.register()
    yield
    zspy.hyperspy.unregister()
