"""HyperSpy's .hspy files: what is written comes back, and damaged ones are told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from hypothesis import given, reject, settings

import zspy
from tests.support.cost import calls
from tests.support.sidecar import differences
from tests.support.values import VALUES
from zspy.apps import hspy_reader, hspy_writer
from zspy.apps.cli import main
from zspy.documents.limits import Limits
from zspy.strategies import first_difference, signals
from zspy.values.types import is_lazy

h5py: Any = pytest.importorskip("h5py")
da: Any = pytest.importorskip("dask.array")

# HDF5 has no strings with NUL inside; as an attribute they are kept as JSON.
REFUSED: Final = {"list_str_inner_nul"}
AXES: Final[list[zspy.Axis]] = [
    {"name": "y", "units": "nm", "size": 2, "scale": 0.5, "offset": 1.0, "navigate": True},
    {"name": "E", "units": "eV", "size": 3, "scale": 2.0, "offset": 0.0, "navigate": False},
]


def signal(**metadata: object) -> dict[str, Any]:
    return {"data": np.arange(6.0).reshape(2, 3), "axes": AXES, "metadata": metadata}


def through(path: Path, given: Any) -> list[Any]:
    zspy.write_hspy(path, given, overwrite=True)
    return cast("list[Any]", zspy.read_hspy(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.hspy"


@pytest.mark.parametrize("kind", ["shape", "dtype", "mask", "list"])
def test_blocks_that_compute_to_something_else_are_refused(kind: str, path: Path) -> None:
    """HDF5 would repeat a short block, cast it to another dtype, and drop its mask."""

    def work(block: Any) -> Any:
        masked: Any = np.ma.masked_less(block, 2)
        made = {"shape": block[:1], "dtype": block + 0.5, "mask": masked, "list": [*block]}
        return made[kind]

    data = da.arange(12, chunks=6).reshape(4, 3).map_blocks(work, meta=np.empty((0, 0), int))
    with pytest.raises(zspy.EncodeError, match=r"/data: (a block|elements are masked)"):
        zspy.write_hspy(path, signal() | {"data": data, "axes": [{}, {}]})
    assert not path.exists()


@pytest.mark.parametrize("name", sorted(VALUES.keys() - REFUSED))
def test_every_value_comes_back(name: str, path: Path) -> None:
    store: dict[str, bytes] = {}
    zspy.file_writer(store, signal(value=VALUES[name]()), homogenize=False)
    found = through(path, signal(value=VALUES[name]()))
    assert not differences(zspy.file_reader(store), found)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_hdf5_does_not_hold_is_refused_by_its_place(name: str, path: Path) -> None:
    with pytest.raises(zspy.UnsupportedError, match="value: HDF5 refuses it"):
        zspy.write_hspy(path, signal(value=VALUES[name]()))
    assert not path.exists()


def test_fields_that_h5py_would_change_are_refused(path: Path) -> None:
    given = signal(x=np.zeros(2, [("a", ">c32")]))
    with pytest.raises(zspy.UnsupportedError, match=r"x: HDF5 refuses it: it makes .*; write a"):
        zspy.write_hspy(path, given)


@settings(max_examples=25)
@given(signals())
def test_every_signal_comes_back(tmp_path_factory: pytest.TempPathFactory, given: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.hspy"
    store: dict[str, bytes] = {}
    zspy.file_writer(store, given, homogenize=False)
    try:
        (found,) = through(path, given)
    except zspy.UnsupportedError:
        reject()
    (wanted,) = zspy.file_reader(store)
    assert first_difference(wanted, found) is None


@pytest.mark.parametrize(
    "given",
    [
        {"a": {}, "b": b"x"},
        {"b": b"x", "a": {}},
        {"c": {}, "n": 1, "a": b"x", "b": [1, "a"], "d": (), "e": b"y"},
        {(): {}, "General": b"\0"},
    ],
)
def test_bytes_stay_where_they_were_among_the_entries(given: Any, path: Path) -> None:
    (found,) = through(path, signal(part=given, rows=[given, b"z", given]))
    assert first_difference(found["metadata"]["part"], given) is None
    assert first_difference(found["metadata"]["rows"], [given, b"z", given]) is None


@pytest.mark.parametrize(
    "given",
    [
        {"a": 2**70, "b": b"zz"},
        {"b": b"zz", "long": "y" * 70_000, "c": b"q"},
        {"list": ["\0", b"\0"], "c": b"q"},
        {"_bs_b": np.void(b"12"), "b": 1},
        {"_bs_b": np.void(b"12"), "b": b"34"},
        {"_bs_b": b"12", "b": np.void(b"34")},
    ],
    ids=str,
)
def test_bytes_beside_what_hdf5_does_not_hold_are_entries_once(given: Any, path: Path) -> None:
    (found,) = through(path, signal(**given))
    assert found["metadata"] == given
    assert [*found["metadata"]] == [*given]


def test_keys_are_names_where_hdf5_has_them(path: Path) -> None:
    """HyperSpy, which knows no records, is to find the keys: those of files are not folded."""
    kept: dict[str, Any] = {
        name: {"x": 1} for name in ("b", "B", "a:b", "q?", " lead", "dot.", "con", "\\", "n" * 300)
    }
    kept |= {"list*": [1, "a"], "arr<1>": np.arange(2), "ARR<1>": np.arange(3)}
    changed: dict[str, Any] = {
        name: {"x": 1} for name in ("a/b:c", ".", "..", "", "\0", "\ud800", "m" * 5000, "zarr.json")
    }
    models: dict[str, Any] = {"a: 1": {"y": {}}, "b/c": {"y": {}}}
    (found,) = through(path, signal(**kept, **changed) | {"models": models})
    assert first_difference(found["metadata"], {**kept, **changed}) is None
    assert found["models"].keys() == models.keys()
    with h5py.File(path) as file:
        assert "a: 1" in file["Analysis/models"]
        (group,) = file["Experiments"].values()
        names = {*group["metadata"]}
    assert names >= {*kept} - {"list*"} | {"_list_2_list*", "a%2Fb:c", "%2E", "%2E.", "%"}


def test_hyperspy_finds_what_it_writes_itself(path: Path) -> None:
    given = signal(General={"title": "a/b"}, c=1j, f=np.float32(0.1), u=np.array(["a"]))
    models = {"m": {"_dict": {"a": None}}}
    (found,) = through(path, {**given, "models": models})
    assert found["models"] == models
    with h5py.File(path) as file:
        assert dict(file.attrs) == {"file_format": "HyperSpy", "file_format_version": "3.3"}
        assert file["Analysis/models/m"].attrs["_signal"] == "/Experiments/a-b"
        data = file["Experiments/a-b/data"]
        assert (data.chunks, data.compression, data.shuffle) == ((2, 3), "gzip", True)
        metadata = file["Experiments/a-b/metadata"]
        assert metadata.attrs["c"] == 1j
        assert type(metadata.attrs["f"]) is np.float32
        assert metadata["u"].dtype == np.dtype("S1")


def test_text_of_hyperspy_is_text(path: Path) -> None:
    zspy.write_hspy(path, signal(General={}))
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__/metadata"]
        group.create_dataset("_list_l", data=np.array([b"a", b"bc"]))
        group.create_dataset("a", data=np.array([b"a", b"bc"]))
        group.attrs["s"] = np.bytes_(b"abc")
        group.attrs["i"] = np.int32(3)
        group.attrs["c"] = 1j
        group.attrs["_bs_n"] = np.void(b"a\0b")
    metadata = zspy.read_hspy(path)[0]["metadata"]
    assert metadata["l"] == ["a", "bc"]
    assert metadata["a"].tolist() == ["a", "bc"]
    assert metadata["s"] == "abc"
    assert metadata["i"].dtype == np.int32
    assert type(metadata["c"]) is complex
    assert metadata["n"] == b"a\0b"


@pytest.mark.parametrize("length", [None, 4])
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_list_of_strings_is_one_of_text(encoding: str, length: int | None, path: Path) -> None:
    """HyperSpy reads as text each kind of strings that HDF5 has; what is none stays."""
    kind = h5py.string_dtype(encoding, length)
    texts: list[Any] = [text.encode() for text in (["é", "b"] if encoding != "ascii" else "ab")]
    wanted = [text.decode() for text in texts]
    zspy.write_hspy(path, signal(General={}))
    with h5py.File(path, "r+") as file:
        metadata = file["Experiments/__unnamed__/metadata"]
        for name, values in {"flat": texts, "pair": [texts, texts], "raw": [b"\xff", b"b"]}.items():
            if (name, encoding, length) != ("raw", "utf-8", None):
                metadata.create_dataset(f"_tuple_{name}", data=np.array(values, kind), dtype=kind)
        texts_of_one = np.array(texts, kind)
        metadata.create_dataset("_list_2_both/_list_0", data=texts_of_one, dtype=kind)
        metadata["_list_2_both"].attrs["1"] = 1
    found = zspy.read_hspy(path)[0]["metadata"]
    assert found["flat"] == (*wanted,)
    assert found["pair"] == (wanted, wanted)
    assert found["both"] == [wanted, 1]
    assert found.get("raw") in (None, (b"\xff", b"b"))


def test_a_text_that_is_no_utf_8_is_an_error(path: Path) -> None:
    zspy.write_hspy(path, signal(General={}))
    with h5py.File(path, "r+") as file:
        metadata = file["Experiments/__unnamed__/metadata"]
        metadata.create_dataset("_list_x", data=np.array([b"\xff"], h5py.string_dtype()))
    with pytest.raises(zspy.FormatError, match="can't decode byte 0xff"):
        zspy.read_hspy(path)


def test_ragged_arrays_of_hyperspy_are_read_and_what_is_no_signal_is_not(path: Path) -> None:
    zspy.write_hspy(path, signal(General={}))
    with h5py.File(path, "r+") as file:
        file["other"] = h5py.SoftLink("/Experiments")
        file.create_group("mine")["x"] = 1
        for name, kind, cells in (
            ("r", "f8", [[1.5], [2.0, 3.0]]),
            ("_ragged_shapes_r", "i8", [[1], [2]]),
        ):
            made = file["Experiments/__unnamed__/metadata"].create_dataset(
                name, (2,), h5py.vlen_dtype(kind)
            )
            for index, cell in enumerate(cells):
                made[index] = cell
    found = zspy.read_hspy(path)[0]["metadata"]["r"]
    assert [one.tolist() for one in found] == [[1.5], [2.0, 3.0]]


def test_lazy_arrays_stay_in_their_files(path: Path) -> None:
    data = da.arange(6_000_000, chunks=1_000_000).reshape(60, 1000, 100)
    given: Any = {**signal(big=np.zeros((600, 300))), "data": data, "axes": []}
    zspy.write_hspy(path, given)
    (found,) = zspy.read_hspy(path, lazy=True)
    assert is_lazy(found["data"])
    assert is_lazy(found["metadata"]["big"])
    assert found["attributes"]["_lazy"] is True
    np.testing.assert_array_equal(found["data"], data)
    with h5py.File(path) as file:
        stored = file["Experiments/__unnamed__/data"]
        assert np.prod(stored.chunks) * 8 <= 2**22
    through(path, found)  # in its own place
    np.testing.assert_array_equal(zspy.read_hspy(path)[0]["data"], data)


def test_lazy_arrays_are_of_their_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    zspy.write_hspy("a.hspy", cast("Any", {**signal(), "data": np.zeros((2, 3)), "axes": []}))
    data = zspy.read_hspy("a.hspy", lazy=True)[0]["data"]
    monkeypatch.chdir("/")
    assert data.sum().compute() == 0
    monkeypatch.chdir(tmp_path)
    given: Any = {**signal(), "data": np.ones((2, 3)), "axes": []}
    zspy.write_hspy("a.hspy", given, overwrite=True)
    with pytest.raises(zspy.FormatError, match="another file has taken its place"):
        data.compute()


def test_large_arrays_get_chunks(path: Path) -> None:
    zspy.write_hspy(path, {**signal(), "data": np.zeros((2, 3)), "axes": AXES}, chunks=(1, 2))
    with h5py.File(path) as file:
        assert file["Experiments/__unnamed__/data"].chunks == (1, 2)
    through(path, {**signal(large=np.zeros((3000, 300)))})
    with h5py.File(path) as file:
        assert file["Experiments/__unnamed__/metadata/large"].chunks == (1747, 300)


def test_nothing_is_replaced_unless_it_may(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(zspy.EncodeError, match="something is there; use overwrite=True"):
        zspy.write_hspy(path, signal())
    assert path.read_text() == "mine"
    zspy.write_hspy(path, signal(), overwrite=True)
    with pytest.raises(zspy.UnsupportedError):
        zspy.write_hspy(path, signal(x=len), overwrite=True)
    assert zspy.read_hspy(path)[0]["metadata"] == {}
    assert [one.name for one in path.parent.iterdir() if not one.name.startswith(".")] == ["a.hspy"]


def spoil(file: Any) -> Any:
    """Give the group of metadata, without its values."""
    return file["Experiments/__unnamed__/metadata"]


def nothing_there(file: Any) -> None:
    del file["Experiments"]


def no_group(file: Any) -> None:
    del file["Experiments"]
    file["Experiments"] = 1


def no_version(file: Any) -> None:
    file.attrs["file_format_version"] = "new"


def no_array(file: Any) -> None:
    del file["Experiments/__unnamed__/data"]


def soft_link(file: Any) -> None:
    spoil(file)["x"] = h5py.SoftLink("/Experiments")


def links_without_end(file: Any) -> None:
    spoil(file)["x"] = h5py.SoftLink("y")
    spoil(file)["y"] = h5py.SoftLink("./x")


def link_through_an_array(file: Any) -> None:
    spoil(file)["x"] = h5py.SoftLink("/Experiments/__unnamed__/data/x")


def link_through_another_file(file: Any) -> None:
    file["out"] = h5py.ExternalLink("/etc/passwd", "/")
    spoil(file)["x"] = h5py.SoftLink("/out/x")


def external_link(file: Any) -> None:
    spoil(file)["x"] = h5py.ExternalLink("/etc/passwd", "/")


def external_values(file: Any) -> None:
    spoil(file).create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual_values(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    spoil(file).create_virtual_dataset("x", layout)


def no_values(file: Any) -> None:
    spoil(file)["x"] = h5py.Empty("f8")


def cycle(file: Any) -> None:
    spoil(file)["x"] = spoil(file)


def bomb(file: Any) -> None:
    spoil(file).create_dataset("x", (2**40,), "u1", chunks=(2**20,))


def wide_chunk(file: Any) -> None:
    spoil(file).create_dataset("x", (1,), "u1", chunks=(2**31,), maxshape=(None,))


def no_json(file: Any) -> None:
    spoil(file).attrs["_sig_json"] = "{"


def no_dtype(file: Any) -> None:
    spoil(file).create_dataset("x", data=b"a").attrs["_sig_dtype"] = "nothing"


PROBLEMS: Final[dict[Callable[[Any], None], str]] = {
    nothing_there: "there is no group 'Experiments'; this is no .hspy file",
    no_group: "there is no group 'Experiments'; this is no .hspy file",
    no_version: r"a.hspy: file_format_version is 'new'; this is no .hspy file",
    no_array: "Experiments/__unnamed__: a signal without its array",
    soft_link: "metadata/x: a link that leads back",
    links_without_end: "metadata/x: a link that leads out of the file, or to nothing",
    link_through_an_array: "metadata/x: a link that leads out of the file, or to nothing",
    link_through_another_file: "metadata/x: a link that leads out of the file, or to nothing",
    external_link: "metadata/x: a link that leads out of the file, or to nothing",
    external_values: "metadata/x: an array whose values are not in the file",
    virtual_values: "metadata/x: an array whose values are not in the file",
    no_values: "metadata/x: an array whose values are not in the file",
    cycle: "metadata/x: a link that leads back",
    bomb: "metadata/x: it takes 1099511627776 bytes of memory",
    wide_chunk: "metadata/x: it takes 2147483648 bytes of memory",
    no_json: "metadata: no JSON",
    no_dtype: "HDF5 cannot be read .TypeError",
}


@pytest.mark.parametrize("damage", PROBLEMS, ids=lambda one: one.__name__)
def test_what_is_wrong_with_a_file_is_told(damage: Callable[[Any], None], path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(zspy.FormatError, match=PROBLEMS[damage]):
        zspy.read_hspy(path)


def as_before_metadata(file: Any) -> None:
    """Make a file such as the first releases wrote, where the metadata had other names."""
    del file.attrs["file_format_version"]
    group = file["Experiments/__unnamed__"]
    del group["metadata"], group["original_metadata"]
    mapped = group.create_group("mapped_parameters")
    mapped.attrs["title"], mapped.attrs["record_by"] = "old", "image"
    mapped.attrs["name"] = "other"
    mapped.attrs["elements"] = [b"Fe", b"Pt"]
    mapped.attrs["signal_type"] = "EELS"
    microscope = mapped.create_group("TEM")
    microscope.attrs["beam_energy"], microscope.attrs["tilt_stage"] = 200.0, 3.5
    microscope.create_group("EELS").attrs["collection_angle"] = 2.0
    microscope.create_group("EDS").attrs["live_time"] = 4.0
    microscope.attrs["dwell_time"], microscope.attrs["dwell_time_units"] = 100.0, "ms"
    mapped.create_group("Sample").attrs["thickness"] = 3
    mapped["Sample"].attrs["Xray_lines"] = "Fe_Ka"
    mapped.attrs["_datetime_date"] = "datetime.date(1991, 10, 1)"
    internal = mapped.create_group("_internal_parameters")
    internal.create_group("folding").attrs["unfolded"] = False
    internal.create_group("stacking_history").attrs["axis"] = 1
    group.create_group("original_parameters").attrs["gain"] = 2
    del group["learning_results"]
    group.create_group("mva_results").attrs["pca_algorithm"] = "svd"


def test_metadata_of_the_first_releases_is_found_where_it_is_today(path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        as_before_metadata(file)
    (found,) = zspy.read_hspy(path)
    assert found["metadata"].pop("elements").tolist() == ["Fe", "Pt"]
    assert found["metadata"] == {
        "General": {"title": "old", "date": "1991-10-01"},
        "name": "other",
        "Signal": {"record_by": "image", "signal_type": "EELS"},
        "Acquisition_instrument": {
            "TEM": {
                "beam_energy": 200.0,
                "Stage": {"tilt_alpha": 3.5},
                "Detector": {
                    "collection_angle": 2.0,
                    "EDS": {"live_time": 4.0},
                    "dwell_time": 100.0,
                    "dwell_time_units": "ms",
                },
            }
        },
        "Sample": {"thickness": 3, "xray_lines": "Fe_Ka"},
        "_HyperSpy": {"Folding": {"unfolded": False}, "Stacking_history": {"axis": 1}},
    }
    assert found["original_metadata"] == {"gain": 2}
    assert found["attributes"]["learning_results"] == {"pca_algorithm": "svd"}


ATTRIBUTES: Final[dict[str, tuple[Any, Any]]] = {
    "numbers": ([1, 2], np.array([1, 2])),
    "bytes": (np.array([b"a", b"bc"]), np.array(["a", "bc"])),
    "fields": (np.array((1, 2.5), "i4,f8"), np.array((1, 2.5), "i4,f8")),
    "no value": (h5py.Empty("f8"), None),
    "Latin-1": (np.bytes_("µm".encode("latin-1")), "µm"),
    "_list_x": (np.array([1, 2]), [1, 2]),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_of_old_files_are_values(name: str, path: Path) -> None:
    given, wanted = ATTRIBUTES[name]
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        spoil(file).attrs[name] = given
    (found,) = zspy.read_hspy(path)
    assert not first_difference(found["metadata"], {name.removeprefix("_list_"): wanted})


def test_text_in_an_attribute_is_text(path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        spoil(file).attrs.create("x", ["é", "b"], dtype=h5py.string_dtype())
    assert zspy.read_hspy(path)[0]["metadata"]["x"].tolist() == ["é", "b"]


@pytest.mark.parametrize("version", ["1", 2, "2.2", b"3.0"])
def test_versions_are_read_as_they_were_written(version: Any, path: Path) -> None:
    zspy.write_hspy(path, signal(a=1))
    with h5py.File(path, "r+") as file:
        file.attrs["file_format_version"] = version
    assert zspy.read_hspy(path)[0]["metadata"] == {"a": 1}


def test_no_file_and_no_hdf5_are_told(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        zspy.read_hspy(path)
    path.write_bytes(b"text")
    with pytest.raises(zspy.FormatError, match="HDF5 cannot be read"):
        zspy.read_hspy(path)


def test_a_file_that_has_gone_is_told_when_its_values_are_read(path: Path) -> None:
    zspy.write_hspy(path, signal())
    (found,) = zspy.read_hspy(path, lazy=True)
    path.unlink()
    with pytest.raises(zspy.FormatError, match="data: HDF5 cannot be read"):
        np.asarray(found["data"])


# zspy convert


def test_files_are_converted_there_and_back(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.zspy", tmp_path / "b.zspy"
    given = {**signal(l=[1, 2.5], c=1j, General={"title": "t"}), "models": {"m": {"a": 1}}}
    given["data"] = np.arange(6_000_000.0).reshape(2000, 3000)
    given["axes"] = [{"name": "y"}, {"name": "x"}]
    zspy.file_writer(first, given, homogenize=False, chunks=(100, 3000))
    assert main(["convert", str(first), str(path), "--verify"]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: HDF5, ")
    with h5py.File(path) as file:
        assert file["Experiments/t/data"].chunks == (100, 3000)
    assert main(["convert", str(path), str(second), "--verify"]) == 0
    assert not differences(zspy.file_reader(first), zspy.file_reader(second))
    assert main(["convert", str(path), str(path)]) == 2
    assert main(["convert", str(path), str(path), "-f", "-q", "--chunks", "10,3000"]) == 0
    assert not differences(zspy.file_reader(first), zspy.read_hspy(path))
    capsys.readouterr()
    for option in ("--format=3", "--store=zip"):
        assert main(["convert", str(first), str(path), "-f", option]) == 2
        assert "of an .hspy file only the chunks can be chosen" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.hspy", "a.hdf5"])
def test_files_are_looked_at_without_a_conversion(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As HyperSpy called them once, too: the group of signals tells them."""
    path, converted = tmp_path / name, tmp_path / "b.zspy"
    cells: Any = np.empty(2, object)
    cells[:] = [np.zeros(1), np.zeros(2)]
    ragged: dict[str, Any] = {"data": cells, "axes": [AXES[0]], "metadata": {}}
    zspy.write_hspy(tmp_path / "a", [signal(General={"title": "Line"}), ragged])
    (tmp_path / "a").rename(path)
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: HDF5, ")
    assert "[0] Line\n    y     2, 1 to 1.5 nm, navigation\n" in said
    assert "    data  float64, 48 B\n" in said
    assert "    data  ragged\n" in said
    assert main(["convert", str(path), str(converted), "--verify"]) == 0
    assert capsys.readouterr().out.endswith(", verified\n")
    assert main(["diff", str(path), str(path)]) == 0
    with h5py.File(path, "r+") as file:  # a model of no signal
        file["Analysis/models/m/x"] = 0
        file["Analysis/models/m"].attrs["_signal"] = "/Experiments/none"
    assert main(["info", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == said.splitlines()[1:]
    assert main(["tree", str(path)]) == 2
    assert "an HDF5 file, and no .zspy file; zspy convert makes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["b.zspy", "b.hspy"])
def test_a_source_without_a_signal_is_told(
    name: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("Experiments")
    assert main(["convert", str(path), str(tmp_path / name), "-q"]) == 0
    said = f"zspy: warning: there is no signal in {path}, nor in what is written\n"
    assert capsys.readouterr().err == said


def test_hdf5_of_other_programs_is_not_read_as_hyperspys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    for name in ("a.hdf5", "text.hdf5"):
        (tmp_path / "text.hdf5").write_bytes(b"text")
        assert main(["info", str(tmp_path / name)]) == 2
        assert "and no .zspy file; zspy convert makes" in capsys.readouterr().err


def test_a_file_without_what_later_releases_say_is_verified(path: Path, tmp_path: Path) -> None:
    zspy.write_hspy(path, signal(a=1, b={"_sig_variance": signal(c=2)}))
    with h5py.File(path, "r+") as file:
        for number in range(2):
            del file[f"Experiments/__unnamed__/axis-{number}"].attrs["_type"]
        inner = file["Experiments/__unnamed__/metadata/b/_sig_variance"]
        del inner["attributes"]
        for number in range(2):
            del inner[f"_list_2_axes/{number}"].attrs["_type"]
    assert main(["convert", str(path), str(tmp_path / "b.zspy"), "--verify"]) == 0


def test_links_are_followed_in_the_file(path: Path) -> None:
    zspy.write_hspy(path, signal(a={"b": 1}))
    with h5py.File(path, "r+") as file:
        group: Any = file["Experiments/__unnamed__"]
        group.move("data", "/raw")
        group["data"] = h5py.SoftLink("//raw")
        spoil(file)["soft"] = h5py.SoftLink("a/.")
        spoil(file)["hard"] = spoil(file)["a"]
        spoil(file)["values"] = file["raw"]
        spoil(file)["type"] = np.dtype("f8")
    for lazy in (False, True):
        (found,) = zspy.read_hspy(path, lazy=lazy)
        whole = np.asarray(found["data"])
        np.testing.assert_array_equal(whole, signal()["data"])
        np.testing.assert_array_equal(found["metadata"].pop("values"), whole)
        assert found["metadata"] == {name: {"b": 1} for name in ("a", "hard", "soft")}


def test_what_older_releases_called_otherwise_is_called_as_today(path: Path) -> None:
    tem = {"tilt_stage": 5.0, "Stage": {"x": 1.0}, "exposure_time": 2.0, "exposure": 1.0}
    dates = {
        "_datetime_date": "datetime.date(2015, 3, 1)",
        "_datetime_time": "datetime.time(25, 1)",
    }
    dated = {"date": "2014-05-06", "_datetime_date": "datetime.date(2015, 3, 1)"}
    metadata: dict[str, Any] = {
        "General": dates,
        "Acquisition_instrument": {"TEM": tem, "SEM": {"tilt_stage": 2.0, "Stage": 3}},
    }
    zspy.write_hspy(path, signal(**metadata))
    (found,) = zspy.read_hspy(path)
    assert found["metadata"]["Acquisition_instrument"]["TEM"] == tem
    assert found["metadata"]["General"] == dates  # names of the caller's own
    with h5py.File(path, "r+") as file:
        file.attrs["file_format_version"] = "2.2"
        del spoil(file)["General"]
        spoil(file).create_group("General").attrs.update(dates)
    (found,) = zspy.read_hspy(path)
    assert found["metadata"]["General"] == {
        "date": "2015-03-01",
        "_datetime_time": "datetime.time(25, 1)",
    }
    with h5py.File(path, "r+") as file:
        spoil(file)["General"].attrs.update(dated)
        spoil(file).create_group("deep/down").attrs["_datetime_time"] = "time(1, 2)"
    again: Any = zspy.read_hspy(path)[0]["metadata"]
    assert again["General"]["date"] == "2014-05-06"
    assert again["deep"]["down"] == {"time": "01:02:00"}
    instrument = found["metadata"]["Acquisition_instrument"]
    assert instrument["TEM"] == {
        "Stage": {"x": 1.0, "tilt_alpha": 5.0},
        "Detector": {"Camera": {"exposure": 2.0}},
        "exposure": 1.0,  # HyperSpy leaves it, too
    }
    assert instrument["SEM"] == {"tilt_stage": 2.0, "Stage": 3}


def test_bytes_are_attributes_as_hyperspy_has_them(path: Path) -> None:
    fields = np.void((1.0, 2), [("a", "f8"), ("b", "i4")])
    values: dict[str, Any] = {"fields": fields, "none": b"", "_bs_text": b"text", "text": b"\0"}
    values |= {"void": np.void(b"ab\0"), "list": [b"q", (b"\xff",)], "huge": b"\0" * 100_000}
    (found,) = through(path, signal(**values))
    assert [*differences(values, found["metadata"])] == []
    assert list(found["metadata"]) == list(values)
    with h5py.File(path) as file:
        attributes = spoil(file).attrs
        assert attributes["_bs_text"].tobytes() == b"\0"
        assert attributes["void"].tobytes() == b"ab\0"
        assert spoil(file)["_list_2_list"].attrs["_bs_0"].tobytes() == b"q"


def test_links_are_told_beside_arrays_that_are_attributes(path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        spoil(file).attrs["x"] = [1, 2]
        spoil(file)["y"] = h5py.SoftLink("/Experiments")
    with pytest.raises(zspy.FormatError, match="metadata/y: a link that leads back"):
        zspy.read_hspy(path)


def test_a_damaged_file_is_no_source(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(b"text")
    assert main(["convert", str(path), str(tmp_path / "b.zspy")]) == 2
    assert "HDF5 cannot be read" in capsys.readouterr().err


def test_arrays_beside_the_signals_are_no_signals(path: Path) -> None:
    zspy.write_hspy(path, signal(a=1))
    with h5py.File(path, "r+") as file:
        file["Experiments/other"] = [1, 2]
    (found,) = zspy.read_hspy(path)
    assert found["metadata"] == {"a": 1}


def test_what_is_wrong_with_a_source_names_its_file(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        file["Experiments/__unnamed__/axis-1"].attrs["size"] = 7
    assert main(["convert", str(path), str(tmp_path / "b.zspy")]) == 2
    assert capsys.readouterr().err.startswith(f"zspy: {path}: axes[1].size: the axis has 7 values")


def test_old_names_are_read_where_they_are_of_hyperspy(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, target = tmp_path / "old.hdf5", tmp_path / "new.zspy"
    zspy.write_hspy(path, signal(a=1))
    with h5py.File(path, "r+") as file:
        model = file.create_group("Analysis/models/m")
        model.attrs["_signal"] = "/Experiments/gone"
    path.rename(old)
    assert main(["convert", str(old), str(target)]) == 0
    assert "left behind: 1 models of no signal" in capsys.readouterr().err
    assert zspy.file_reader(target)[0]["metadata"] == {"a": 1}
    with h5py.File(old, "w") as file:
        file["x"] = 1
    assert main(["convert", str(old), str(tmp_path / "other.zspy")]) == 2
    assert not (tmp_path / "other.zspy").exists()


def test_what_is_no_path_of_a_file_is_refused(tmp_path: Path) -> None:
    wrong: Any = None
    with pytest.raises(zspy.EncodeError, match="filename: None is no path; HDF5 is a file"):
        zspy.read_hspy(wrong)
    with pytest.raises(zspy.EncodeError, match="filename: None is no path; HDF5 is a file"):
        zspy.write_hspy(wrong, signal())
    with pytest.raises(zspy.FormatError, match="no file, but a folder"):
        zspy.read_hspy(tmp_path)
    with pytest.raises(zspy.EncodeError, match="a folder is there; use another name"):
        zspy.write_hspy(tmp_path, signal(), overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of that kind")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    path, target = tmp_path / "a.zspy", tmp_path / "a.hspy"
    data = np.random.default_rng(0).random((200, 200))
    zspy.file_writer(path, {"data": data, "axes": [{}, {}], "metadata": {}})
    code = "import sys; from zspy.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    limited = f"ulimit -f 20; exec '{sys.executable}' -c '{code}' convert '{path}' '{target}'"
    env = {**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1])}
    # where coverage is measured, its file is too large as well
    env = {name: value for name, value in env.items() if not name.startswith("COV")}
    result = subprocess.run(
        ["/bin/sh", "-c", limited], capture_output=True, text=True, check=False, env=env
    )
    assert (result.returncode, result.stderr) == (2, f"zspy: {target}: File too large\n")
    assert not target.exists()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    class Full(hspy_writer._Target):
        def attempted(self, step: Any, given: Any) -> int:
            return super().attempted(full if step else step, given)

    path = tmp_path / "a.hspy"
    signal: dict[str, Any] = {"data": np.arange(3), "axes": [{}], "metadata": {}}
    zspy.write_hspy(path, signal)
    monkeypatch.setattr(hspy_writer, "_Target", Full)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.hspy'$"):
        zspy.write_hspy(path, {**signal, "data": np.zeros(5)}, overwrite=True)
    assert zspy.read_hspy(path)[0]["data"].tolist() == [0, 1, 2]


def test_groups_that_many_links_lead_to_do_not_take_minutes(path: Path) -> None:
    """Of forty groups, each with two links to the next, some kilobytes would make 2**40 nodes."""
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        last = file.create_group("last")
        for number in range(40):
            made = file.create_group(f"above {number}")
            made["a"] = made["b"] = last
            last = made
        file["Experiments/__unnamed__/metadata/many"] = last
    with pytest.raises(zspy.FormatError, match=r"metadata/many/.* more groups than the file holds"):
        zspy.read_hspy(path)


def test_an_array_that_is_hardly_stored_is_not_converted(path: Path, tmp_path: Path) -> None:
    """Its zeros would take minutes to write, and gigabytes; lazily it is read."""
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__/metadata"]
        group.create_dataset("x", shape=(2**33,), dtype="u1", chunks=(2**20,))
    assert zspy.read_hspy(path, lazy=True)[0]["metadata"]["x"].shape == (2**33,)
    assert main(["info", str(path)]) == 0
    assert main(["convert", str(path), str(tmp_path / "a.zspy")]) == 2
    assert not (tmp_path / "a.zspy").exists()


@pytest.mark.parametrize("lazy", [False, True])
def test_an_array_that_many_links_lead_to_is_stored_once(
    lazy: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise three thousand links to one array of some kilobytes would take gigabytes."""
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__/metadata"]
        group["x0"] = np.zeros(2**14, "u1")
        for number in range(1, 10):
            group[f"x{number}"] = group["x0"]
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(memory=2**16, expansion=1))
    monkeypatch.setattr(hspy_reader, "LARGE", 2**10)
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        hspy_reader.read_signals(path, lazy, is_copied=True)


@pytest.mark.parametrize("size", [3, 2**13], ids=["tiny", "large"])
def test_arrays_that_are_copied_are_not_all_open(
    size: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 100 kB of memory; tiny ones are read, which takes less than dask does."""
    zspy.write_hspy(path, [{**signal(), "data": np.zeros(size), "axes": []} for _ in range(9)])
    opened: list[int] = []
    target: Any = vars(hspy_reader)["_target"]

    def count(group: Any, *given: Any) -> Any:
        opened.append(h5py.h5f.get_obj_count(group.file.id, h5py.h5f.OBJ_DATASET))
        return target(group, *given)

    monkeypatch.setattr(hspy_reader, "_target", count)
    found = hspy_reader.read_signals(path, lazy=True, is_copied=True)
    assert max(opened) <= 2
    assert [is_lazy(one["data"]) for one in found] == 9 * [size > 2**9]


def references(path: Path, count: int, size: int, cell: Any) -> None:
    """Write an array of cells, all of which are references to the one that is stored."""
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        made = file.create_dataset("Experiments/__unnamed__/metadata/x", (count,), cell)
        made[0] = "a" * size if h5py.check_string_dtype(cell) else np.ones(size, "u1")
        file.flush()
        start = made.id.get_offset()
    content = bytearray(path.read_bytes())
    content[start : start + 16 * count] = count * content[start : start + 16]
    path.write_bytes(content)


@pytest.mark.parametrize(
    "cell", [h5py.string_dtype(), h5py.vlen_dtype("u1")], ids=["text", "numbers"]
)
def test_cells_that_are_one_and_the_same_count_each(
    cell: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise twenty thousand references to one text of half a megabyte would take gigabytes."""
    references(path, 1000, 10_000, cell)
    (found,) = zspy.read_hspy(path)
    assert len(found["metadata"]["x"][999]) == 10_000
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(memory=2**18))
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        zspy.read_hspy(path)


@pytest.mark.parametrize("value", ["a" * 10_000, np.zeros(5000, "u2")], ids=["text", "numbers"])
def test_attributes_that_many_links_lead_to_count_each(
    value: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__/metadata"]
        group.create_group("x0").attrs["a"] = value
        for number in range(1, 200):
            group[f"x{number}"] = group["x0"]
    assert len(zspy.read_hspy(path)[0]["metadata"]["x199"]["a"]) == len(value)
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(memory=2**10))
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        zspy.read_hspy(path)


@pytest.mark.parametrize("dtype", ["|O", "i4,O", "f8,f8", "(2,)i4"])
def test_an_array_was_of_no_dtype_that_hdf5_does_not_change(dtype: str, path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        file["Experiments/__unnamed__/data"].attrs["_sig_dtype"] = dtype
    with pytest.raises(zspy.FormatError, match="_sig_dtype is "):
        zspy.read_hspy(path)


def test_groups_have_so_many_levels(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "a") as file:
        file.create_group("Experiments/__unnamed__/metadata/" + "a/" * 30)
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(depth=40))
    assert zspy.read_hspy(path)
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(depth=20))
    with pytest.raises(zspy.FormatError, match="more than 20 levels"):
        zspy.read_hspy(path)


def assert_takes(more: int, at_most: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a file takes more than so much memory, and no more than some other."""
    monkeypatch.setattr(hspy_reader, "GROWTH", 0)
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(memory=at_most))
    assert zspy.read_hspy(path)
    monkeypatch.setattr(hspy_reader, "LIMITS", Limits(memory=more))
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        zspy.read_hspy(path)


def test_the_whole_name_of_each_group_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below one with a long name, thousands have that name as well."""
    zspy.write_hspy(path, signal())
    with h5py.File(path, "a") as file:
        group = file["Experiments/__unnamed__/metadata"].create_group("n" * 5000)
        for number in range(100):
            group.create_group(str(number))
    assert_takes(2**20, 2**22, path, monkeypatch)


def test_links_of_very_many_steps_are_not_followed_again_and_again(path: Path) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "a") as file:
        loop = file.create_group("loop")
        loop["a"] = loop
        loop.create_group("end")
        file["long"] = h5py.SoftLink("/loop/" + "a/" * 5000 + "end")
        metadata = file["Experiments/__unnamed__/metadata"]
        for number in range(20):
            metadata[str(number)] = h5py.SoftLink("/long")
    with pytest.raises(zspy.FormatError, match="hardly anything of that is stored"):
        zspy.read_hspy(path)


FIELDS: Final = np.dtype([(f"a{number}", "u1") for number in range(500)])
ENUMERATION: Final = h5py.enum_dtype({f"a{number}": number for number in range(500)}, "i4")


@pytest.mark.parametrize(
    ("as_attributes", "dtype"),
    [(False, FIELDS), (True, FIELDS), (False, ENUMERATION)],
    ids=["fields", "fields of attributes", "names"],
)
def test_the_fields_of_a_type_that_many_have_in_common_count_each(
    as_attributes: bool, dtype: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zspy.write_hspy(path, signal())
    with h5py.File(path, "r+") as file:
        file["type"] = dtype
        group = file["Experiments/__unnamed__/metadata"]
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        make = h5py.h5a.create if as_attributes else h5py.h5d.create
        for number in range(20):
            make(group.id, str(number).encode(), file["type"].id, space)
    assert_takes(2**19, 2**22, path, monkeypatch)


def test_names_and_fields_that_hdf5_does_not_hold(path: Path) -> None:
    name = "n" * 10**5
    assert through(path, signal(a={name: 1}))[0]["metadata"]["a"] == {name: 1}
    fields = np.zeros(2, [(f"a{number}", "u1") for number in range(5000)])
    with pytest.raises(zspy.UnsupportedError, match="more than 4096 fields"):
        zspy.write_hspy(path, signal(a=fields), overwrite=True)


def test_texts_are_written_at_once(path: Path) -> None:
    """A million empty ones, which are some kilobytes, took 37 s."""
    counts: list[int] = []
    for size in (10, 1000):
        content = signal(x=np.array(["\u03b1"] * size, object))
        counts.append(calls(partial(zspy.write_hspy, path, content, overwrite=True)))
    assert counts[1] - counts[0] < 1000
    assert zspy.read_hspy(path)[0]["metadata"]["x"].tolist() == ["\u03b1"] * 1000
