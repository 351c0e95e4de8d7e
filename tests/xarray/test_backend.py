"""xarray's own tests of backends: what it saves, it opens again with the engine of zspy."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import zspy
from tests.support.sidecar import differences

xr: Any = pytest.importorskip("xarray")
theirs: Any = pytest.importorskip("xarray.tests.test_backends")
ours: Any = import_module("zspy.xarray")
fixtures: Any = import_module("xarray.tests.conftest")
time_unit, use_dask = fixtures.time_unit, fixtures.use_dask  # what the tests ask for

# What the tests ask for, and zspy does not have. A test that begins to pass fails here.
CF: Final = "zspy stores values as they are: it has no encodings of the CF conventions"
KNOWN: Final = {
    "test_write_store": "asks for a data store, the older interface of engines",
    "test_roundtrip_None_variable": "a signal has a name",
    "test_roundtrip_object_dtype": "objects of several types are refused by name",
    "test_roundtrip_string_encoded_characters": CF,
    "test_roundtrip_timedelta_data": CF,
    "test_roundtrip_coordinates": CF,
    "test_roundtrip_coordinates_with_space": "a dataset without data variables is refused",
    "test_roundtrip_boolean_dtype": "a dataset without data variables is refused",
    "test_roundtrip_empty_vlen_string_array": "a dataset without data variables is refused",
    "test_roundtrip_bytes_with_fill_value": "objects of several types are refused by name",
    "test_roundtrip_string_with_fill_value_nchar": "objects of several types are refused by name",
    "test_roundtrip_mask_and_scale": CF,
    "test_roundtrip_unsigned": CF,
    "test_grid_mapping_and_bounds_are_not_coordinates_in_file": CF,
    "test_coordinate_variables_after_dataset_roundtrip": CF,
    "test_grid_mapping_and_bounds_are_coordinates_after_dataarray_roundtrip": CF,
    "test_coordinates_encoding": CF,
    "test_vectorized_indexing_negative_step[numpy]": "small arrays are read when a file is opened",
    "test_vectorized_indexing": "small arrays are read when a file is opened",
    "test_invalid_dataarray_names_raise": "names of any type become titles",
    "test_encoding_unlimited_dims": CF,
    "test_multiindex_not_implemented": "the error is an EncodeError",
    "test_string_object_warning": "objects of several types are an error, not a warning",
}


@pytest.fixture(autouse=True)
def known(request: pytest.FixtureRequest) -> None:
    name = request.node.name
    reason = KNOWN.get(name) or KNOWN.get(name.partition("[")[0])
    if reason is not None:
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


class Engine:
    """How the tests save and open: by `zspy.xarray.to_signal`, and with the engine."""

    engine = "zspy"

    def save(self, dataset: Any, path: Any, **options: Any) -> None:
        if options.keys() - {"unlimited_dims"}:
            pytest.skip(f"options of to_netcdf: {', '.join(options)}")
        zspy.file_writer(f"{path}.zspy", ours.to_signal(dataset))

    @contextlib.contextmanager
    def open(self, path: Any, **options: Any) -> Generator[Any]:
        with xr.open_dataset(f"{path}.zspy", engine=self.engine, **options) as dataset:
            for variable in dataset.variables.values():
                for key in ("zspy_axis", "metadata", "attributes", "package", "package_version"):
                    variable.attrs.pop(key, None)
            yield dataset


class TestEngine(Engine, theirs.CFEncodedBase):  # type: ignore[misc] # it has no types
    """The tests of xarray for engines that are written and read."""


@pytest.mark.parametrize("engine", ["netcdf4", "scipy", "h5netcdf"])
def test_a_file_becomes_netcdf_and_a_signal_again(engine: str, tmp_path: Path) -> None:
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    axes = [
        {"name": "y", "size": 2, "scale": 0.5, "units": "nm", "navigate": True},
        {"size": 3, "units": ""},
    ]
    metadata = {"General": {"title": "map"}, "dose": 1 + 2j, "tags": ("a", None)}
    given = {"data": np.arange(6.0).reshape(2, 3), "axes": axes, "metadata": metadata}
    zspy.file_writer(tmp_path / "a.zspy", given)
    choice = {"attributes": "text"} if engine == "h5netcdf" else {}
    with xr.open_dataset(tmp_path / "a.zspy", engine="zspy", **choice) as dataset:
        dataset.to_netcdf(tmp_path / "a.nc", engine=engine)
    with xr.open_dataset(tmp_path / "a.nc", engine=engine) as dataset:
        zspy.file_writer(tmp_path / "b.zspy", ours.to_signal(dataset))
    first, second = (zspy.file_reader(tmp_path / name) for name in ("a.zspy", "b.zspy"))
    assert not differences(first, second)


@pytest.mark.parametrize("engine", ["netcdf4", "scipy", "h5netcdf"])
@pytest.mark.parametrize(("title", "name"), [("e\u0301", "x"), ("u\u0308/b", "A\u030ang")])
def test_names_with_marks_go_through_netcdf(
    title: str, name: str, engine: str, tmp_path: Path
) -> None:
    """For netCDF a letter and its mark are one character, but not where it looks for a name."""
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    metadata = {"General": {"title": title}}
    given = {"data": np.arange(3.0), "axes": [{"name": name}], "metadata": metadata}
    zspy.file_writer(tmp_path / "a.zspy", given)
    choice = {"attributes": "text"} if engine == "h5netcdf" else {}
    with xr.open_dataset(tmp_path / "a.zspy", engine="zspy", **choice) as dataset:
        dataset.to_netcdf(tmp_path / "a.nc", engine=engine)
    with xr.open_dataset(tmp_path / "a.nc", engine=engine) as dataset:
        (found,) = ours.to_signal(dataset.load())
    assert found["metadata"]["General"]["title"] == title
    assert found["axes"][0]["name"] == name
