"""Make the files that RosettaSciIO's tests of reading want, with HyperSpy on zarr-python 2."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def at_each(signal: Any, *values: Any) -> Any:
    """Hold a value for each position of a signal."""
    cells = np.empty(signal.axes_manager.navigation_shape, dtype=object)
    for number, value in enumerate(values):
        cells[number] = value
    return cells


def main(directory: Path) -> None:
    """Save everything."""
    hs: Any = import_module("hyperspy.api")
    zarr: Any = import_module("zarr")
    directory.mkdir(parents=True)

    line = hs.signals.Signal1D(np.arange(100).reshape(10, 10))
    for store in (zarr.DirectoryStore, zarr.NestedDirectoryStore, zarr.ZipStore):
        line.save(store(str(directory / f"signal1d_10x10-{store.__name__}.zspy")))

    images = hs.signals.Signal2D(np.arange(2000).reshape(20, 10, 10))
    places = at_each(images, *([n / 2, n / 2] for n in range(20)))
    points = hs.plot.markers.Points(offsets=places, facecolor="orange")
    images.add_marker(points, permanent=True, plot_marker=False)
    images.save(directory / "signal2d_20x10x10-ragged_markers.zspy", store_type="zip")

    images = hs.signals.Signal2D(np.ones((5, 10, 10)))
    places = at_each(images, *([n / 2, n / 2] for n in range(5)))
    words = at_each(images, *(np.array(["a" * (n + 1), "b"]) for n in range(5)))
    texts = hs.plot.markers.Texts(offsets=places, texts=words, sizes=3, facecolor="black")
    images.add_marker(texts, permanent=True, plot_marker=False)
    images.save(directory / "signal2d_20x10x10-ragged_markers_unicode.zspy", store_type="zip")

    spectra = hs.signals.Signal1D(np.arange(1000, dtype="<i8").reshape(10, 100))
    spectra.add_poissonian_noise(random_state=0)
    model = spectra.create_model()
    model.append(hs.model.components1D.Expression("a * x + b", name="Affine"))
    model.multifit(show_progressbar=False)
    model.store()
    spectra.save(directory / "signal1d_10x100-model.zspy", store_type="zip")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
