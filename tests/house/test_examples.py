"""The examples that build on zspy keep their word."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore

import zspy
from examples import demo, foreign_group
from tests.support.sidecar import differences
from tests.support.values import VALUES

if TYPE_CHECKING:
    from zarr.abc.store import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
# HDF5 has no strings with NUL inside, and no cells of times.
REFUSED = {"list_str_inner_nul", "ragged_datetime"}
# Nor has it attributes whose name is empty, or has a NUL inside.
NAMELESS = {
    *("keys_each_odd", "keys_no_text_of_empty", "keys_no_text_of_scalars"),
    *(f"keys_odd_of_{kind}" for kind in ("empty", "kinds", "scalars")),
}
# Cells of h5py are of this machine's byte order.
NATIVE = {"ragged_big_endian"}


def signal(**metadata: object) -> zspy.Signal:
    axes: list[zspy.Axis] = [
        {"name": "y", "units": "nm", "size": 2, "scale": 0.5, "offset": 1.0, "navigate": True},
        {"name": "E", "units": "eV", "size": 3, "scale": 2.0, "offset": 0.0, "navigate": False},
    ]
    return {"data": np.arange(6.0).reshape(2, 3), "axes": axes, "metadata": metadata}


# --- examples/hspy.py --------------------------------------------------------------------------


def test_hdf5_takes_less_than_a_hundred_lines() -> None:
    assert len((EXAMPLES / "hspy.py").read_text(encoding="utf-8").splitlines()) < 100


def test_a_signal_in_hdf5_comes_back_as_zspy_reads_it(tmp_path: Path) -> None:
    hspy = pytest.importorskip("examples.hspy", exc_type=ImportError)
    given = signal(General={"title": "a/b", "tags": ["x", "å"]}, none=None, mixed=[1, [2, "a"]])
    hspy.write(tmp_path / "a.hspy", given)
    zspy.file_writer(tmp_path / "a.zspy", given)
    assert not differences(zspy.file_reader(tmp_path / "a.zspy"), hspy.read(tmp_path / "a.hspy"))


@pytest.mark.parametrize("name", sorted(VALUES.keys() - REFUSED - NAMELESS - NATIVE))
def test_every_value_comes_back_from_hdf5(name: str, tmp_path: Path) -> None:
    hspy = pytest.importorskip("examples.hspy", exc_type=ImportError)
    node = zspy.encode({"value": VALUES[name]()}, homogenize=False)
    with hspy.h5py.File(tmp_path / "tree.h5", "w", track_order=True) as file:
        hspy.put_group(file, node)
    with hspy.h5py.File(tmp_path / "tree.h5") as file:
        found = zspy.decode(hspy.get_group(file))
    assert not differences({"value": VALUES[name]()}, found)


@pytest.mark.parametrize("name", sorted(NATIVE))
def test_a_cell_in_hdf5_keeps_its_values(name: str, tmp_path: Path) -> None:
    hspy = pytest.importorskip("examples.hspy", exc_type=ImportError)
    hspy.write(tmp_path / "a.hspy", signal(value=VALUES[name]()))
    (found,) = hspy.read(tmp_path / "a.hspy")
    for cell, back in zip(cast("Any", VALUES[name]()), found["metadata"]["value"], strict=True):
        np.testing.assert_array_equal(cell, back)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_hdf5_cannot_hold_is_refused_by_its_place(name: str, tmp_path: Path) -> None:
    hspy = pytest.importorskip("examples.hspy", exc_type=ImportError)
    with pytest.raises(zspy.UnsupportedError, match="value: HDF5 refuses it"):
        hspy.write(tmp_path / "a.hspy", signal(value=VALUES[name]()))


# --- examples/foreign_group.py -----------------------------------------------------------------


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "theirs.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_tree_in_a_foreign_group_comes_back(store: Store, below: str, zarr_format: int) -> None:
    root: zarr.Group = cast("Any", zarr).create_group(store, zarr_format=zarr_format)
    root.create_group("beside", attributes={"theirs": 1})
    theirs = root.create_group(below) if below else root
    tree = {"a": [1, 2.5, "x", None], "b": {"c": np.arange(5), "d": 1j}, 3: (b"\0", {4})}
    foreign_group.put(theirs, "ours", {"what was": {"there": np.ones(3)}, "a": {}})
    foreign_group.put(theirs, "ours", tree)
    assert not differences(tree, foreign_group.get(theirs, "ours"))
    found: zarr.Group = cast("Any", zarr).open_group(store, mode="r")
    assert found["beside"].attrs.asdict() == {"theirs": 1}
    assert sorted(cast("Any", found[f"{below}/ours".lstrip("/")]).keys()) == sorted(
        zspy.encode(tree, homogenize=False).members
    )


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    foreign_group.main()
    assert "a key of any kind" in capsys.readouterr().out


# --- examples/demo.py --------------------------------------------------------------------------


def test_the_demo_keeps_its_file_and_no_other_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "DETECTOR", (16, 16))
    for _ in range(2):  # its own file is written over
        demo.main()
    assert f"{shlex.quote(sys.executable)} -m zspy tree particle.zspy" in capsys.readouterr().out
    (found,) = zspy.file_reader("particle.zspy")
    assert found["metadata"]["General"]["title"] == demo.TITLE
    zspy.file_writer("particle.zspy", signal(General={"title": "of somebody"}))
    with pytest.raises(SystemExit, match="not of this demo"):
        demo.main()
    (kept,) = zspy.file_reader("particle.zspy")
    assert kept["metadata"]["General"]["title"] == "of somebody"
