"""Sessions of HyperSpy as people type them, with zspy under it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from zarr.storage import LocalStore, MemoryStore, ZipStore

import zspy
import zspy.hyperspy
from zspy.stores.lmdb import LMDBStore

LINE: Final = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line.zspy"


@pytest.fixture
def line(hs: Any) -> Any:
    made = hs.signals.Signal1D(LINE)
    made.metadata.General.title = "line"
    return made


def last_io(signal: Any) -> dict[str, str]:
    """What HyperSpy notes of the last loading or saving."""
    history: dict[str, dict[str, str]] = signal.metadata.General.FileIO.as_dictionary()
    return history[max(history, key=int)]


def test_hyperspy_knows_who_reads_and_writes(hs: Any, line: Any, path: Path) -> None:
    line.save(path)
    assert last_io(line)["io_plugin"] == "zspy.hyperspy"
    assert last_io(hs.load(path))["io_plugin"] == "zspy.hyperspy"


def test_without_registration_a_file_is_loaded_by_the_module(
    hs: Any, line: Any, path: Path
) -> None:
    line.save(path)
    zspy.hyperspy.unregister()
    loaded = hs.load(path, file_format=zspy)
    assert np.array_equal(loaded.data, LINE)
    assert last_io(loaded)["io_plugin"] == "zspy"
    lazy = hs.load(path, file_format=zspy, lazy=True)
    assert lazy._lazy
    lazy.compute()
    assert np.array_equal(lazy.data, LINE)


def test_a_lazy_signal_is_closed_without_complaint(
    hs: Any, line: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line.save(path)
    with caplog.at_level(logging.WARNING):
        hs.load(path, lazy=True).close_file()
    assert not caplog.records
    lazy = hs.load(path, lazy=True)
    lazy.compute(close_file=True)
    assert np.array_equal(lazy.data, LINE)


def test_the_blocks_of_a_lazy_signal_are_the_chunks_that_were_asked_for(
    hs: Any, path: Path
) -> None:
    hs.signals.Signal1D(np.zeros((10, 10, 8))).save(path, chunks=(5, 5, 8))
    assert hs.load(path, lazy=True).data.chunksize == (5, 5, 8)
    assert hs.load(path, lazy=True, blocks=2**20).data.chunksize == (10, 10, 8)


@pytest.mark.parametrize("store_type", [None, "zip", "lmdb"])
def test_a_lazy_signal_is_saved_over_its_own_file(
    hs: Any, line: Any, path: Path, store_type: str | None
) -> None:
    line.save(path, store_type=store_type)
    lazy = hs.load(path, lazy=True) * 2
    lazy.save(path, overwrite=True, store_type=store_type)
    assert np.array_equal(hs.load(path).data, LINE * 2)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_files_are_loaded_by_a_pattern_and_stacked(hs: Any, path: Path, lazy: bool) -> None:
    for number in range(3):
        image = hs.signals.Signal2D(np.full((4, 5), number))
        image.metadata.General.title = f"image {number}"
        image.save(path.with_name(f"image {number}.zspy"))
    pattern = str(path.with_name("image *.zspy"))
    assert [one.metadata.General.title[-1] for one in hs.load(pattern, lazy=lazy)] == [*"012"]
    stack = hs.load(pattern, stack=True, lazy=lazy)
    stack.save(path)
    loaded = hs.load(path, lazy=lazy)
    if lazy:
        loaded.compute()
    assert np.array_equal(loaded.data[:, 0, 0], [0, 1, 2])
    assert len(loaded.split()) == 3


@pytest.mark.parametrize("signal_type", ["EDS_TEM", "EDS_SEM", "EELS"])
def test_spectra_of_extensions_come_back(hs: Any, path: Path, signal_type: str) -> None:
    pytest.importorskip("exspy")
    made = hs.signals.Signal1D(np.random.default_rng(0).random((3, 4, 512)) + 1)
    made.set_signal_type(signal_type)
    made.axes_manager[-1].units = "eV" if signal_type == "EELS" else "keV"
    made.add_elements(["Fe", "O"])
    made.set_microscope_parameters(beam_energy=200)
    made.save(path)
    for lazy in (False, True):
        loaded = hs.load(path, lazy=lazy)
        assert type(loaded).__name__.removeprefix("Lazy") == type(made).__name__
        assert loaded.metadata.Sample.elements == made.metadata.Sample.elements
        assert loaded.metadata.Acquisition_instrument.as_dictionary() == (
            made.metadata.Acquisition_instrument.as_dictionary()
        )


@pytest.mark.parametrize("store_type", [None, "zip"])
def test_a_file_is_overwritten(hs: Any, line: Any, path: Path, store_type: str | None) -> None:
    line.save(path, store_type=store_type)
    (line * 3).save(path, overwrite=True, store_type=store_type)
    (line * 5).save(path, overwrite=False, store_type=store_type)
    assert np.array_equal(hs.load(path).data, LINE * 3)


def test_axes_and_metadata_are_saved_without_the_data(hs: Any, line: Any, path: Path) -> None:
    line.save(path)
    changed = hs.load(path)
    changed.axes_manager[-1].scale = 0.25
    changed.metadata.set_item("Sample.name", "Å")
    changed.data[:] = 0
    changed.save(path, overwrite=True, write_dataset=False)
    loaded = hs.load(path)
    assert np.array_equal(loaded.data, LINE)
    assert loaded.axes_manager[-1].scale == 0.25
    assert loaded.metadata.Sample.name == "Å"


def test_what_cannot_be_saved_is_left_out_with_a_warning(hs: Any, line: Any, path: Path) -> None:
    line.metadata.set_item("Test.kept", 1 + 2j)
    line.metadata.set_item("Test.refused", object())
    with pytest.warns(UserWarning, match=r"metadata\.Test\.refused"):
        line.save(path)
    assert hs.load(path).metadata.Test.as_dictionary() == {"kept": 1 + 2j}


def test_markers_of_found_peaks_are_made_after_loading_as_before(hs: Any, path: Path) -> None:
    """HyperSpy's own writer drops the axes, and the markers are none."""
    images = hs.signals.Signal2D(np.zeros((2, 20, 30)))
    images.axes_manager[-1].scale = 0.5
    cells = np.empty(2, dtype=object)
    cells[:] = [np.arange(8.0).reshape(4, 2)] * 2
    peaks = hs.signals.BaseSignal(cells, ragged=True)
    peaks.metadata.set_item("Peaks.signal_axes", images.axes_manager.signal_axes)
    peaks.save(path)
    loaded = hs.load(path)
    before, after = (
        hs.plot.markers.Points.from_signal(one).kwargs["offsets"] for one in (peaks, loaded)
    )
    assert len(after[0]) == 4
    assert all(map(np.array_equal, before, after))


def test_a_signal_in_metadata_is_as_lazy_as_the_file_was_opened(hs: Any, path: Path) -> None:
    """A lazy variance beside data in memory makes a fit fail."""
    counts = hs.signals.Signal1D(np.arange(1.0, 61).reshape(3, 20)).as_lazy()
    counts.estimate_poissonian_noise_variance()
    counts.save(path)
    lazy, eager = (hs.load(path, lazy=lazy) for lazy in (True, False))
    assert lazy.metadata.Signal.Noise_properties.variance._lazy
    assert not eager.metadata.Signal.Noise_properties.variance._lazy
    model = eager.create_model()
    model.append(hs.model.components1D.Offset())
    model.multifit(show_progressbar=False)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("options", [{}, {"store_type": "zip"}, {"zarr_format": 3}])
def test_a_signal_without_axes_is_saved_and_loaded(
    hs: Any, path: Path, ragged: bool, options: dict[str, Any]
) -> None:
    """The results of a model of one spectrum, and the peaks that are found in one image."""
    data = np.arange(3.0)
    if ragged:
        data = np.empty(1, dtype=object)
        data[0] = np.arange(3.0)
    made = hs.signals.BaseSignal(data, axes=[], ragged=ragged)
    made.save(path, **options)
    for lazy in (False, True):
        loaded = hs.load(path, lazy=lazy)
        assert str(loaded.axes_manager) == str(made.axes_manager)
        if lazy:
            loaded.compute()
        assert loaded.data.dtype == data.dtype
        assert np.array_equal(loaded.data[0], data[0])
    assert not zspy.check(path)
    made.save(path, overwrite=True, write_dataset=False, **options)
    assert hs.load(path).data.shape == data.shape


def test_a_file_grows_and_is_filled_in_parts(hs: Any, path: Path) -> None:
    """`save` hands both keywords on; HyperSpy asks before it writes to a file that is there."""

    def rows(number: int) -> Any:
        made = hs.signals.Signal1D(np.full((2, 3, 5), float(number)))
        made.metadata.General.title = "map"
        for axis, name in zip(made.axes_manager._axes, ("y", "x", "E"), strict=True):
            axis.name = name
        return made

    for number in range(3):
        rows(number).save(path, append_dim="y", overwrite=True)
    loaded = hs.load(path)
    assert loaded.data[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert [axis.size for axis in loaded.axes_manager._axes] == [6, 3, 5]
    rows(7).save(path, region={"y": slice(2, 4)}, safe_chunks=False, overwrite=True)
    assert hs.load(path).data[:, 0, 0].tolist() == [0, 0, 7, 7, 2, 2]


def test_text_in_bytes_is_loaded_as_a_string(hs: Any, line: Any, path: Path) -> None:
    line.metadata.set_item("Test.bytes", b"text")
    line.save(path)
    assert hs.load(path).metadata.Test.bytes == "text"


def test_an_option_that_there_is_not_is_an_error_and_the_old_file_stays(
    hs: Any, line: Any, path: Path
) -> None:
    line.save(path)
    with pytest.raises(ValueError, match="compression: file_writer has no such option"):
        (line * 2).save(path, overwrite=True, compression="gzip")
    assert np.array_equal(hs.load(path).data, LINE)


@pytest.mark.parametrize("close_file", [True, False])
@pytest.mark.parametrize("kind", ["local", "zip", "lmdb"])
def test_a_store_is_a_file_name(
    hs: Any, line: Any, path: Path, kind: str, close_file: bool
) -> None:
    make: Any = {
        "local": lambda: LocalStore(path),
        "zip": lambda: ZipStore(path, mode="a"),
        "lmdb": lambda: LMDBStore(path),
    }[kind]
    store: Any = make()
    line.save(store, close_file=close_file)
    if kind != "zip" or not close_file:
        assert np.array_equal(hs.load(store).data, LINE)
    store.close()
    assert np.array_equal(hs.load(path).data, LINE)


def test_a_signal_is_made_of_what_the_reader_of_zspy_returns(hs: Any, line: Any) -> None:
    """From memory and from the net, where HyperSpy loads nothing."""
    model = line.create_model()
    model.append(hs.model.components1D.Offset())
    model.store("flat")
    store = MemoryStore()
    line.save(store)
    for lazy in (False, True):
        (found,) = zspy.file_reader(store, lazy=lazy)
        made = hs.signals.BaseSignal(**found)
        made.set_signal_type(made.metadata.Signal.signal_type)
        assert repr(made) == repr(line).replace("Signal1D", "LazySignal1D" if lazy else "Signal1D")
        assert made.models.restore("flat")[0].name == "Offset"
        assert np.array_equal(np.asarray(made.data), LINE)


def test_a_decomposition_and_a_fit_are_saved_and_taken_up_again(hs: Any, path: Path) -> None:
    made = hs.signals.Signal1D(np.random.default_rng(0).random((6, 16)) + 1.0)
    made.decomposition(print_info=False)
    model = made.create_model()
    model.append(hs.model.components1D.Offset())
    model.multifit(show_progressbar=False)
    model.store("fit")
    made.save(path)
    loaded = hs.load(path)
    assert np.array_equal(loaded.learning_results.factors, made.learning_results.factors)
    assert np.allclose(loaded.get_decomposition_model(3).data, made.get_decomposition_model(3).data)
    restored = loaded.models.restore("fit")
    assert np.array_equal(restored[0].offset.map["values"], model[0].offset.map["values"])
    restored.multifit(show_progressbar=False)
