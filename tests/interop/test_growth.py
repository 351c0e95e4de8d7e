"""HyperSpy loads one signal from a file that was written at once, by appending, and by regions."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.files.test_regions import three_ways
from tests.interop.environments import REFERENCE, python_of

if TYPE_CHECKING:
    from pathlib import Path

LOADED: Final = """
import sys
import numpy as np
import hyperspy.api as hs
import zarr
places = [
    zarr.LMDBStore(path, readonly=True) if sys.argv[1] == "lmdb" else path for path in sys.argv[2:]
]
first, *others = [hs.load(place, lazy=lazy) for place in places for lazy in (False, True)]
for other in others:
    assert type(other.data if not other._lazy else other.data.compute()) is np.ndarray
    assert np.array_equal(np.asarray(first.data), np.asarray(other.data))
    one, two = (s.axes_manager.as_dictionary() for s in (first, other))
    assert one == two, (one, two)
    one, two = (s.metadata.as_dictionary() for s in (first, other))
    assert one["General"]["title"] == two["General"]["title"]
print(first.data.shape)
"""


@pytest.mark.parametrize("kind", ["local", "lmdb", "store"])
def test_hyperspy_loads_the_same_signal_however_it_was_written(kind: str, tmp_path: Path) -> None:
    paths = three_ways(tmp_path, 2, kind)
    command = [str(python_of(REFERENCE)), "-c", LOADED, kind, *map(str, paths)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(100, 5, 8)\n"
