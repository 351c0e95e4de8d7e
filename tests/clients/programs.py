"""The released programs, what an environment for them needs, and which of their tests are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.interop.environments import Release

RELEASES: Final = (
    *("hyperspy==2.5.0", "rosettasciio==0.15.0", "exspy==0.3.2", "lumispy==0.3.0"),
    *("holospy==0.4.0", "kikuchipy==0.13.1"),
)
# pyxem 0.21 asks for zarr-python 2: it is installed beside what it needs.
UNPINNED: Final = ("pyxem==0.21.0",)
NEEDED: Final = (
    *("diffsims", "lmfit", "numba", "orix", "psutil", "scikit-image", "scikit-learn"),
    *("shapely", "transforms3d", "msgpack"),
    *("filelock", "h5py", "pooch", "pytest", "pytest-mpl", "pytest-timeout"),
)
ON_ZSPY: Final = Release(
    "clients", (*RELEASES, *NEEDED, "zarr>=3.1", "numcodecs>=0.16.6"), without_needs=UNPINNED
)
ON_THEIRS: Final = Release("clients-native", (*RELEASES, *NEEDED, "zarr<3"), without_needs=UNPINNED)


@dataclass(frozen=True)
class Program:
    """Which tests of a program are run: all, and how many of them where there is little time."""

    tests: tuple[str, ...]
    count: int


PROGRAMS: Final[Mapping[str, Program]] = {
    "hyperspy": Program(
        (
            *("hyperspy.tests.axes", "hyperspy.tests.component", "hyperspy.tests.drawing"),
            *("hyperspy.tests.learn", "hyperspy.tests.misc", "hyperspy.tests.model"),
            *("hyperspy.tests.samfire", "hyperspy.tests.signals", "hyperspy.tests.utils"),
        ),
        150,
    ),
    "exspy": Program(("exspy.tests.signals", "exspy.tests.models"), 60),
    "lumispy": Program(("lumispy.tests",), 40),
    "holospy": Program(("holospy.tests",), 20),
    "pyxem": Program(("pyxem.tests.signals", "pyxem.tests.generators"), 60),
    "kikuchipy": Program(("kikuchipy",), 40),
}
