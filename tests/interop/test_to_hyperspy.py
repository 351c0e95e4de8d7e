"""HyperSpy reads and loads what zspy wrote as it does its own file of the same signal.

It compares what its reader returns, eager and lazy, and what it makes of that: the class of the
signal, data, axes, metadata, learning results, stored models (restored) and markers (drawn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.signals import SIGNALS
from tests.interop.test_from_hyperspy import SAVED, UNSAVED

if TYPE_CHECKING:
    from collections.abc import Mapping

# Ways in which zspy comes by the dictionary that it writes.
WAYS = {
    "from_capture": "what HyperSpy hands to the writer of a plugin",
    "from_reader": "what the reader of the reference returns for the file of HyperSpy",
    "from_zspy": "what zspy returns for the file of HyperSpy",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SIGNALS)
def test_hyperspy_loads_what_zspy_wrote_as_its_own_file(
    judged: Mapping[str, list[str]], name: str, way: str
) -> None:
    if name in UNSAVED and way != "from_capture":
        pytest.skip("HyperSpy cannot save this signal")
    assert not judged[f"{name}/{way}"], "\n".join(judged[f"{name}/{way}"])


def test_hyperspy_reads_and_loads_its_own_files(judged: Mapping[str, list[str]]) -> None:
    """Else nothing was compared."""
    assert not [name for name in SAVED if judged[f"{name}/own"]]
