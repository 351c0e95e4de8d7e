"""Save a simulated 4D-STEM scan, load it, and show what is on disk.

Run it with ``python examples/demo.py``, or with ``python -m nox -s demo`` from a checkout.
"""

from __future__ import annotations

import itertools
import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import zspy

TITLE = "Gold particle, 4D-STEM"
SCAN = (24, 24)
DETECTOR = (128, 128)


def diffraction_patterns() -> NDArray[np.uint16]:
    """Count electrons: a crystalline particle on a thin film, with its diffraction discs.

    Returns
    -------
    ndarray of uint16, shape (24, 24, 128, 128)
        Two navigation axes (y, x), then two signal axes (ky, kx).
    """
    rng = np.random.default_rng(2026)
    y, x = np.indices(SCAN)
    ky, kx = np.indices(DETECTOR) - 63.5
    thickness = np.exp(-(((y - 11) / 6) ** 2 + ((x - 13) / 7) ** 2))
    # The lattice is strained a little from one side of the particle to the other.
    stretch = (1 + 0.04 * (x[0] - 12) / 12)[:, np.newaxis, np.newaxis]
    expected: NDArray[np.float64] = (
        np.zeros((*SCAN, *DETECTOR)) + 0.02 + 0.3 * np.exp(-np.hypot(ky, kx) / 18)
    )
    for h, k in itertools.product((-1, 0, 1), repeat=2):
        disc = np.hypot(ky - (34 * h + 6 * k), kx - (34 * k - 6 * h) * stretch) < 9
        strength = 2.5 * thickness / (h * h + k * k) if h or k else 6 - 3 * thickness
        expected += strength[..., np.newaxis, np.newaxis] * disc
    return np.asarray(rng.poisson(expected), np.uint16)


def axis(name: str, units: str, scale: float, size: int, navigate: bool) -> zspy.Axis:
    """Describe a calibrated axis; those of the detector have their origin in the middle."""
    return {
        "_type": "UniformDataAxis",
        "name": name,
        "units": units,
        "scale": scale,
        "offset": 0.0 if navigate else -scale * (size - 1) / 2,
        "size": size,
        "navigate": navigate,
        "is_binned": False,
    }


def scan() -> zspy.Signal:
    """Put the patterns, their axes and their metadata together, as HyperSpy names them."""
    return {
        "data": diffraction_patterns(),
        "axes": [
            axis("y", "nm", 0.8, SCAN[0], navigate=True),
            axis("x", "nm", 0.8, SCAN[1], navigate=True),
            axis("ky", "1/nm", 0.12, DETECTOR[0], navigate=False),
            axis("kx", "1/nm", 0.12, DETECTOR[1], navigate=False),
        ],
        "metadata": {
            "General": {
                "title": TITLE,
                "date": "2026-03-14",
                "time": "15:09:26",
                "authors": ["A. Author", "B. Author"],
                "notes": None,
            },
            "Signal": {"signal_type": "electron_diffraction", "quantity": "Counts"},
            "Acquisition_instrument": {
                "TEM": {
                    "beam_energy": 200.0,
                    "beam_current": 0.05,
                    "camera_length": 120.0,
                    "convergence_angle": 0.9,
                    "acquisition_mode": "STEM",
                    "Stage": {"tilt_alpha": 1.5, "tilt_beta": -0.25},
                    "Detector": {"Diffraction": {"exposure": 0.001, "counting": True}},
                }
            },
        },
        "original_metadata": {
            "Header": {"Version": [2, 1, 0], "Checksums": bytes.fromhex("00ff17")},
            "Acquisition": {
                "Corrections": [["dark", True, [0.5, None]], ["gain", False, []]],
                "Positions": [[0, 0], [0, 1], [1, 0]],
                "Shape": (*SCAN, *DETECTOR),
            },
        },
    }


def stored_nodes(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path of each node of the file, and a description read from its JSON document."""
    for document in sorted(root.rglob(".z[ga]*")):
        path = document.parent
        where = "/" + path.relative_to(root).as_posix().removeprefix(".")
        if document.name == ".zgroup":
            yield where, ""
        elif document.name == ".zarray":
            meta: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
            columns = meta["shape"], meta["dtype"], meta["chunks"], size(path)
            yield where, "{!s:20} {:6} {!s:20} {:>12,}".format(*columns)


def size(path: Path) -> int:
    """Add up the bytes of all files in a directory."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def is_of_the_demo(file: Path) -> bool:
    """Tell whether a file that lies there was made by this demo."""
    try:
        (found,) = zspy.file_reader(file)
    except (zspy.ZspyError, ValueError):
        return False
    return bool(found["metadata"].get("General", {}).get("title") == TITLE)


def main() -> None:
    """Save, load, compare, show; the file stays in the current folder."""
    file = Path("particle.zspy")
    if file.exists() and not is_of_the_demo(file):
        sys.exit(f"There is a {file} here already, which is not of this demo: run it elsewhere.")
    signal = scan()
    data: NDArray[np.uint16] = signal["data"]

    start = time.perf_counter()
    zspy.file_writer(file, signal, show_progressbar=False)
    written = time.perf_counter()
    (loaded,) = zspy.file_reader(file)
    read = time.perf_counter()

    assert loaded["data"].dtype == data.dtype
    assert np.array_equal(loaded["data"], data)
    for key in ("metadata", "original_metadata"):
        assert loaded.get(key) == zspy.homogenized(signal.get(key))
    for before, after in zip(signal["axes"], loaded["axes"], strict=True):
        assert before.items() <= after.items()

    print(f"{file}, written by zspy {zspy.__version__}\n")
    print(f"{'node':62} {'shape':20} {'dtype':6} {'chunks':20} {'bytes':>12}")
    for path, description in stored_nodes(file):
        print(f"{path:62} {description}".rstrip())

    stored = size(file)
    print(f"\nData in memory   {data.nbytes / 1e6:8.1f} MB")
    print(f"File on disk     {stored / 1e6:8.1f} MB, {data.nbytes / stored:.1f} times smaller")
    print(f"Writing took     {written - start:8.2f} s")
    print(f"Reading took     {read - written:8.2f} s")
    print("What was loaded equals what was saved: data, axes and all metadata.\n")
    print(f"{file} stays in this folder. Look at it with")
    # The environment of nox is not on the path of whoever reads this.
    print(f"    {shlex.quote(sys.executable)} -m zspy tree {file}")
    print("or open it in HyperSpy with")
    print("    import hyperspy.api as hs")
    print(f'    signal = hs.load("{file}")')


if __name__ == "__main__":
    main()
