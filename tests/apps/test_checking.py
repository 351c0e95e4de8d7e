"""What a file says of its own completeness, and `check`: all problems at once."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numcodecs
import numpy as np
import pytest

import zspy
from tests.files.test_writer import FORMATS, signal_of
from tests.support.places import place_of
from zspy import Finding, FormatError, Limits, check
from zspy.apps.checking import _number, _WithSizes, damage_in
from zspy.documents.storage import Storage, metadata_for
from zspy.stores.backends import STORE_TYPES, opened
from zspy.values.ragged import object_array

SIGNAL: Final = "Experiments/t"
QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}


def signal(**metadata: Any) -> dict[str, Any]:
    return signal_of(np.arange(600.0).reshape(20, 30), 1, **metadata)


def written(**metadata: Any) -> dict[str, bytes]:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal(l=[1, 2, 3], d={"a": 1}), chunks=10, **QUIET, **metadata)
    return file


def edited(file: dict[str, bytes], key: str, **changes: Any) -> None:
    file[key] = json.dumps({**json.loads(file[key]), **changes}).encode()


def kinds(file: Any, **metadata: Any) -> set[tuple[str, str]]:
    return {(one.severity, one.key) for one in check(file, **metadata)}


# --------------------------------------------------------------------------------------------------
# Chunks that are missing


@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_sound_file_has_no_findings(kind: str, zarr_format: Any, tmp_path: Path) -> None:
    where, how = place_of(kind, tmp_path / "file.zspy")
    content = signal(l=["a"], r=np.array([1j]))
    zspy.file_writer(where, content, zarr_format=zarr_format, **QUIET, **how)
    assert check(where) == []
    assert check(where, data=True) == []


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("metadata", [{}, {"zarr_format": 3, "shards": False}])
def test_a_missing_chunk_is_read_as_the_fill_value_and_told(
    metadata: dict[str, Any], lazy: bool
) -> None:
    file = written(**metadata)
    key = f"{SIGNAL}/data/{'c/' if metadata else ''}1/2"
    del file[key]
    with pytest.warns(UserWarning, match=rf"are missing: {SIGNAL}/data \(1\);") as caught:
        found = np.asarray(zspy.file_reader(file, lazy)[0]["data"])
    assert len(caught) == 1
    assert not found[10:, 20:].any()
    assert found[1:10].all()
    with pytest.raises(FormatError, match=r"are missing: .*data \(1\); restore them"):
        np.asarray(zspy.file_reader(file, lazy, missing="raise")[0]["data"])
    np.asarray(zspy.file_reader(file, lazy, missing="ignore")[0]["data"])
    assert kinds(file) == {("error", key)}
    (finding,) = check(file)
    assert finding.message == "1 of 6 chunks are missing: zspy wrote all of them"


def test_a_missing_shard_counts_for_all_of_its_chunks() -> None:
    file = written(zarr_format=3, shards=(20, 20))
    del file[f"{SIGNAL}/data/c/0/1"]
    with pytest.warns(UserWarning, match=r"data \(2\)") as caught:
        found: Any = zspy.file_reader(file)[0]["data"]
    assert len(caught) == 1
    assert not found[:, 20:].any()
    assert found[1:, :20].all()


def test_a_chunk_that_is_missing_from_its_shard_is_told() -> None:
    file = written(zarr_format=3, shards=(20, 30))
    key = f"{SIGNAL}/data/c/0/0"
    index = file[key][-100:-4]
    gone = b"\xff" * 16 + index[16:]
    file[key] = file[key][:-100] + bytes(numcodecs.CRC32C(location="end").encode(gone))
    with pytest.raises(FormatError, match=r"are missing: .*data \(1\)"):
        zspy.file_reader(file, missing="raise")
    assert [(one.severity, one.key) for one in check(file, data=True)] == [("error", key)]
    edited(file, f"{SIGNAL}/zarr.json", attributes={})  # of another writer
    found: Any = zspy.file_reader(file, missing="raise")[0]["data"]
    assert not found[:10, :10].any()
    assert found[10:, 10:].all()


def test_arrays_of_which_chunks_are_missing_are_told_at_once() -> None:
    more = {f"m{i}": np.arange(3) + 1 for i in range(7)}
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal(**more), **QUIET)
    for name in more:
        del file[f"{SIGNAL}/metadata/{name}/0"]
    with pytest.warns(
        UserWarning, match=r"are missing: .*m0 \(1\).*m4 \(1\) and 2 more;"
    ) as caught:
        found = zspy.file_reader(file)[0]["metadata"]
    assert len(caught) == 1
    assert not any(found[name].any() for name in more)


def test_what_to_do_with_missing_chunks_is_one_of_three() -> None:
    with pytest.raises(zspy.EncodeError, match="missing: 'no' is no choice"):
        zspy.file_reader(written(), missing="no")  # type: ignore[arg-type]


def test_an_index_that_points_nowhere_is_an_error() -> None:
    file = written(zarr_format=3, shards=(20, 30))
    key = f"{SIGNAL}/data/c/0/0"
    for offset, length in ((2**40, 100), (-5, 100), (0, -7), (0, 2**50)):
        index = np.array([offset, length], "<i8").tobytes() + file[key][-84:-4]
        data = file[key][:-100] + bytes(numcodecs.CRC32C(location="end").encode(index))
        with pytest.raises(FormatError, match="the index of the shard points nowhere"):
            zspy.file_reader({**file, key: data})
    lazy: Any = zspy.file_reader({**file, key: file[key][:50]}, lazy=True)[0]["data"]
    with pytest.raises(FormatError, match=f"{key}: a chunk"):
        lazy.compute()


def test_files_of_other_writers_read_as_zarr_says() -> None:
    file = written()
    edited(file, f"{SIGNAL}/.zattrs", _sig_zspy={})
    del file[f"{SIGNAL}/data/1/2"]
    assert not zspy.file_reader(file)[0]["data"][10:, 20:].any()
    (found,) = check(file)
    assert str(found) == (
        f"warning: {SIGNAL}/data/1/2: 1 of 6 chunks are not there, and read as the fill value:"
        " left out, not written yet, or lost"
    )


def test_the_record_counts_for_nothing_once_another_program_has_changed_the_arrays() -> None:
    file = written()
    edited(file, f"{SIGNAL}/data/.zarray", shape=[20, 40])
    assert zspy.file_reader(file)[0]["data"].shape == (20, 30)  # the axis has 30
    assert kinds(file) == {
        *(("warning", key) for key in (SIGNAL, f"{SIGNAL}/data/0/3", f"{SIGNAL}/axis-1"))
    }


def test_data_that_is_kept_is_counted_as_it_was() -> None:
    file = written()
    zspy.file_writer(file, signal(new=[1, 2]), write_dataset=False, **QUIET)
    assert check(file) == []
    del file[f"{SIGNAL}/data/1/2"]
    zspy.file_writer(file, signal(), write_dataset=False, **QUIET)
    with pytest.raises(FormatError, match=r"are missing: .* \(1\)"):
        zspy.file_reader(file, missing="raise")
    edited(file, f"{SIGNAL}/.zattrs", _sig_zspy={})
    zspy.file_writer(file, signal(), write_dataset=False, **QUIET)
    assert not zspy.file_reader(file)[0]["data"][10:, 20:].any()


def test_a_signal_that_is_added_leaves_the_records_of_the_others() -> None:
    file = written()
    zspy.file_writer(file, signal(), mode="a", **QUIET)
    assert check(file, data=True) == []


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_arrays_of_no_dimensions_are_checked(zarr_format: Any) -> None:
    file: dict[str, bytes] = {}
    content = signal(d={"a": np.array(1.5), "b": np.ones((), "u1,f8"), "c": np.array("é")})
    zspy.file_writer(file, content, zarr_format=zarr_format, **QUIET)
    assert check(file, data=True) == []


def test_a_cell_of_no_dimensions_is_checked() -> None:
    cell = zspy.Array(object_array([["a", "b"]], ()), cells="json2")
    nodes = zspy.serialise(zspy.Group({}, {"a": cell}))
    assert kinds(dict(nodes), data=True) == {("error", "")}  # no signal, but no damage


# --------------------------------------------------------------------------------------------------
# Checksums


@pytest.mark.parametrize("compressor", [None, False, numcodecs.LZ4(), numcodecs.Blosc("lz4", 5, 2)])
def test_a_checksum_finds_every_flipped_bit(compressor: Any) -> None:
    file: dict[str, bytes] = {}
    content = signal_of(np.arange(100, dtype="u2"), 1, s=["a", "b"], n=[1.5])
    metadata: Any = {"compressor": compressor, "checksum": True, **QUIET}
    zspy.file_writer(file, content, **metadata)
    sound = zspy.file_reader(file)
    for key in [key for key in file if key.endswith("/0")]:
        for bit in range(0, 8 * len(file[key]), 11):
            data = bytearray(file[key])
            data[bit // 8] ^= 1 << bit % 8
            try:
                found: Any = zspy.file_reader({**file, key: bytes(data)})
            except FormatError:
                continue
            assert found[0]["data"].tolist() == sound[0]["data"].tolist()
            assert found[0]["metadata"] == sound[0]["metadata"]


def test_a_checksum_is_described_as_old_readers_know_it() -> None:
    file = written(checksum=True)
    document = json.loads(file[f"{SIGNAL}/data/.zarray"])
    assert document["filters"] == [{"id": "shuffle", "elementsize": 8}, {"id": "crc32"}]
    assert document["compressor"]["shuffle"] == 0
    raw = bytes(numcodecs.get_codec(document["compressor"]).decode(file[f"{SIGNAL}/data/0/0"]))
    assert int.from_bytes(raw[:4], "little") == zlib.crc32(raw[4:])


def test_a_checksum_is_a_choice() -> None:
    with pytest.raises(zspy.EncodeError, match="checksum: 'md5' is no choice"):
        zspy.file_writer({}, signal(), checksum="md5")  # type: ignore[arg-type] # on purpose


# --------------------------------------------------------------------------------------------------
# Findings


def test_all_problems_are_found_at_once() -> None:
    file = written()
    del file[f"{SIGNAL}/data/0/1"]
    file[f"{SIGNAL}/data/1/1"] = b"damaged"
    file[f"{SIGNAL}/data/7/7"] = b""
    file[f"{SIGNAL}/data/notes"] = b""
    file["stray"] = b""
    file["gone/.zattrs"] = b"{}"
    file[f"{SIGNAL}/metadata/.zattrs"] = b"{"
    file[f"{SIGNAL}/metadata/x/y/.zgroup"] = b'{"zarr_format":2}'
    file[f"{SIGNAL}/metadata/d/zarr.json"] = b'{"zarr_format":3,"node_type":"group"}'
    file[f"{SIGNAL}/attributes/.zgroup"] = b'{"zarr_format":7}'
    file["three/zarr.json"] = b'{"zarr_format":3,"node_type":"group","attributes":[]}'
    assert {(s, k.removeprefix(f"{SIGNAL}/")) for s, k in kinds(file)} == {
        *(("error", key) for key in ("data/0/1", "metadata/.zattrs", "attributes/.zgroup")),
        *(("error", key) for key in ("metadata/x/y/.zgroup", "metadata/d/zarr.json")),
        ("error", "three/zarr.json"),
        ("error", "gone/.zattrs"),
        *(("warning", key) for key in ("data/7/7", "data/notes", "stray")),
        *(("warning", key) for key in ("attributes/.zattrs", SIGNAL)),
    }
    assert ("error", f"{SIGNAL}/data/1/1") in kinds(file, data=True)


def test_a_changed_value_is_a_warning() -> None:
    file = written()
    edited(file, f"{SIGNAL}/metadata/d/.zattrs", a=2)
    (found,) = check(file)
    assert str(found).startswith(f"warning: {SIGNAL}: the documents in it are not as zspy")
    assert zspy.file_reader(file)[0]["metadata"]["d"] == {"a": 2}


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_models_have_a_record_of_their_own(zarr_format: Any) -> None:
    models = {"fit": {"map": np.arange(600.0), "a": 1}, "": {"b": "é"}}
    file: dict[str, bytes] = {}
    for mode in ("w", "a", "a"):
        content = signal_of(np.zeros(3), 1) | {"models": models}
        zspy.file_writer(file, content, mode=mode, zarr_format=zarr_format, **QUIET)
        zspy.file_writer(file, signal(), mode="a", zarr_format=zarr_format, **QUIET)
        assert check(file, data=True) == []
    found = zspy.file_reader(file)
    zspy.file_writer(file, found, write_dataset=False, zarr_format=zarr_format, **QUIET)
    assert check(file, data=True) == []
    where = "Analysis/models/fit%1"
    chunk = f"{where}/map/{'c/' if zarr_format == 3 else ''}0"
    gone = {key: data for key, data in file.items() if key != chunk}
    assert kinds(gone) == {("error", chunk)}
    with pytest.warns(UserWarning, match=r"are missing: .* \(1\)"):
        zspy.file_reader(gone)
    key = f"{where}/{'zarr.json' if zarr_format == 3 else '.zattrs'}"
    changed = {**file, key: file[key].replace(b'"a":1', b'"a":2').replace(b'"a": 1', b'"a": 2')}
    assert changed != file
    assert kinds(changed) == {("warning", "Analysis/models")}


@pytest.mark.parametrize("attributes", ["text", [], 5, None])
def test_attributes_of_a_signal_that_are_no_object_are_found(attributes: Any) -> None:
    file = written(zarr_format=3)
    edited(file, f"{SIGNAL}/zarr.json", attributes=attributes)
    assert ("error", f"{SIGNAL}/zarr.json") in kinds(file, data=True)


def test_names_that_are_no_text_are_found() -> None:
    file = written()
    key = f"{SIGNAL}/metadata/\udcff/.zgroup"
    file[key] = b'{"zarr_format":2}'
    assert kinds(file) == {("warning", SIGNAL)}


def test_what_is_no_signal_is_found() -> None:
    message = check("no such file")[0].message
    assert message == f"there is no such file; the current folder is {Path.cwd()}"
    assert check({}) != []
    assert kinds({".zgroup": b'{"zarr_format":2}'}) == {("error", "")}
    file = written()
    del file[f"{SIGNAL}/data/.zarray"]
    lost = [one for one in check(file) if "is missing, and what belongs to it" in one.message]
    assert [(one.severity, one.key[:-4]) for one in lost] == [("error", f"{SIGNAL}/data")]


def test_documents_beside_chunks_are_no_nodes() -> None:
    file = written()
    file[f"{SIGNAL}/data/0/.zgroup"] = b"{"
    assert kinds(file) == {("warning", f"{SIGNAL}/data/0/.zgroup")}


def test_what_asks_for_too_much_is_found() -> None:
    file = written()
    assert ("error", f"{SIGNAL}/data/.zarray") in kinds(file, data=True, limits=Limits(chunk=10))
    assert ("error", ".zattrs") in kinds(file, limits=Limits(document=30))


def test_codecs_that_are_not_allowed_are_found_without_reading() -> None:
    file = written()
    edited(file, f"{SIGNAL}/data/.zarray", filters=[{"id": "pickle"}])
    found = {one.key: one.message for one in check(file)}
    assert found[f"{SIGNAL}/data/.zarray"].startswith("the codec 'pickle' is not allowed")


def test_what_is_not_supported_is_found_without_reading() -> None:
    file = written(zarr_format=3)
    grid: Any = {"name": "rectilinear", "configuration": {}}
    edited(file, f"{SIGNAL}/data/zarr.json", chunk_grid=grid)
    found = {one.key: one.message for one in check(file)}
    assert "is not supported" in found[f"{SIGNAL}/data/zarr.json"]


def test_of_very_many_chunks_the_first_is_named() -> None:
    file = {key: data for key, data in written().items() if "/data/0/" not in key}
    (found,) = check(file)
    assert found.message.startswith("3 of 6 chunks are missing")
    edited(file, f"{SIGNAL}/data/.zarray", shape=[2**20, 2**20], chunks=[1, 1])
    assert ("warning", f"{SIGNAL}/data/0/0") in kinds(file)


@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
def test_an_array_that_lost_its_document_is_found(kind: str, tmp_path: Path) -> None:
    file = written()
    del file[f"{SIGNAL}/data/.zarray"]
    where, how = place_of(kind, tmp_path / "file.zspy")
    zspy.commit(file, where, **how)
    lost = [one for one in check(where) if one.severity == "error"]
    assert [one.message for one in lost] == [
        "the document of a node is missing, and what belongs to it is there; the file is damaged"
    ]


def test_an_axis_of_another_size_is_found() -> None:
    file = written()
    edited(file, f"{SIGNAL}/axis-1/.zattrs", size=31)
    found = {one.key: one.message for one in check(file)}
    assert found[f"{SIGNAL}/axis-1"] == "the axis has 31 values, but dimension 1 of the data 30"
    content = signal_of(np.arange(4.0), 1)
    content["axes"][0] = {"axis": np.array([1.0, 2.0, 4.0, 8.0]), "name": "x"}
    with_points: dict[str, bytes] = {}
    zspy.file_writer(with_points, content, **QUIET)
    edited(with_points, f"{SIGNAL}/axis-0/axis/.zarray", shape=[3])
    assert [one.message for one in check(with_points) if one.key.endswith("axis-0")] == [
        "the axis has 3 values, but dimension 0 of the data 4"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "many"}, "a str, where an integer belongs"),
        ({"scale": None}, "None, where a number belongs"),
    ],
)
def test_an_axis_that_could_not_be_written_again_is_found(
    changes: dict[str, Any], message: str
) -> None:
    file = written()
    edited(file, f"{SIGNAL}/axis-1/.zattrs", **changes)
    found = {one.key: one.message for one in check(file)}
    assert found[f"{SIGNAL}/axis-1"] == message


def test_an_axis_that_is_missing_is_found() -> None:
    file = {key: data for key, data in written().items() if "/axis-1/" not in key}
    lost = {one.key: one.message for one in check(file) if one.severity == "error"}
    assert lost == {f"{SIGNAL}/axis-1": "the document of an axis is missing; the file is damaged"}
    del file[f"{SIGNAL}/.zattrs"]  # with the record of how zspy wrote it
    assert lost == {one.key: one.message for one in check(file) if one.severity == "error"}
    listed = {key.replace("/axis-0/", "/_list_2_axes/0/"): data for key, data in file.items()}
    listed[f"{SIGNAL}/_list_2_axes/.zgroup"] = file[".zgroup"]
    found = {one.key: one.message for one in check(listed) if one.message[0] == "1"}
    assert found == {SIGNAL: "1 axes for data of 2 dimensions"}


def test_an_axis_of_very_many_points_is_sound() -> None:
    file: dict[str, bytes] = {}
    content = signal_of(np.zeros(2**18, bool), 1)
    content["axes"][0] = {"axis": np.arange(2.0**18) ** 1.5, "name": "x"}
    zspy.file_writer(file, content, **QUIET)
    assert check(file) == []


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize(
    "cells",
    [
        [np.array("a"), np.array("bb")],
        [np.array(["a"]), np.array(["b", "c"])],
        [np.zeros((2, 3)), np.zeros(3)],
        [["a"], None, {"a": 1}],
    ],
    ids=["texts", "vectors of texts", "dimensions", "objects"],
)
def test_cells_of_all_kinds_are_sound(cells: Any, zarr_format: Any, tmp_path: Path) -> None:
    """Of texts in format 3 it was said that their shapes were changed."""
    ragged = object_array(cells, (len(cells),))
    path = tmp_path / "a.zspy"
    given: Any = {"data": ragged, "axes": [], "metadata": {"x": ragged}}
    zspy.file_writer(path, given, zarr_format=zarr_format, **QUIET)
    assert check(path) == check(path, data=True) == []
    info: Any = pytest.importorskip("zspy.apps.cli").main
    assert info(["info", str(path)]) == 0


def test_ragged_signals_are_sound(tmp_path: Path) -> None:
    cells = object_array([np.zeros((n % 3, 2)) for n in range(2000)], (2000,))
    for zarr_format in FORMATS:
        path = tmp_path / str(zarr_format)
        zspy.file_writer(path, signal_of(cells, 0), zarr_format=zarr_format, **QUIET)
        assert check(path, data=True) == []


def test_no_large_array_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    file: dict[str, bytes] = {}
    large = np.ma.MaskedArray(np.zeros(2**19), np.zeros(2**19, bool))
    zspy.file_writer(file, signal_of(large, 1, l=[0.5] * 2**18), **QUIET)
    data = {key for key in file if key.endswith("/0") and len(file[key]) > 2**10}
    monkeypatch.setattr("zspy.apps.tree.LARGE", 2**10)

    class Without(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            assert key not in data
            return super().__getitem__(key)

    assert check(Without(file)) == []


def test_long_texts_are_left_where_they_are(tmp_path: Path) -> None:
    zspy.file_writer(tmp_path / "a", signal(o=["a" * 20, *map(str, range(10**5))]), **QUIET)
    assert check(tmp_path / "a") == []


def test_it_is_told_what_could_not_be_verified() -> None:
    assert damage_in(written(), False, False).unverified == "values were not read"
    assert damage_in(written(), True, False).unverified.endswith(" arrays carry no checksum")
    for more in ({"checksum": True}, {"zarr_format": 3}):
        assert damage_in(written(**more), True, False).unverified == ""
    empty: Any = dict(zspy.serialise(zspy.Group()))
    assert damage_in(empty, False, False).unverified == ""


def test_all_chunks_of_a_shard_are_decoded() -> None:
    file = written(zarr_format=3, shards=(20, 20))
    assert check(file, data=True) == []
    key = f"{SIGNAL}/data/c/0/1"
    file[key] = b"x" * 50 + file[key][50:]
    assert kinds(file, data=True) == {("error", key)}


def test_a_document_that_vanishes_is_found() -> None:
    class Vanishing(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            if key.endswith("data/.zarray"):
                raise KeyError(key)
            if key.endswith("General/.zattrs"):
                raise MemoryError
            return super().__getitem__(key)

    file = Vanishing(written())
    messages = {one.message for one in check(file)}
    assert {
        "a document has vanished",
        "there is not enough memory for it; read it lazily",
    } <= messages
    with pytest.raises(FormatError, match=r"data/\.zarray: a document has vanished"):
        zspy.file_reader(file)
    looks: list[Callable[[Any], object]] = [zspy.open_group, zspy.deserialise]
    for read in looks:
        with pytest.raises(FormatError, match=r"data/\.zarray: a document has vanished"):
            read(file)
    sound = Vanishing({key: data for key, data in file.items() if "/data/" not in key})
    full = r"^the mapping: there is not enough memory for it; read it lazily"
    for read in (zspy.file_reader, *looks):
        with pytest.raises(FormatError, match=full):
            read(sound)


def test_a_bar_shows_how_many_chunks_are_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.apps.checking._FEW_CHUNKS", 2)
    file = written()
    assert check(file, data=True) == []
    assert "Checking" in capsys.readouterr().err
    assert check(file, data=True, show_progressbar=False) == []
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert check(file, data=True) == []


def test_the_number_of_a_chunk_is_known_by_its_name() -> None:
    metadata = metadata_for(
        "x", zspy.Array(np.zeros((4, 4)), chunks=(2, 2)), Storage(separator=".")
    )
    names = {"0.1": (0, 1), "1.1": (1, 1), "2.0": None, "0": None, "00.1": None, "a.b": None}
    assert {name: _number(metadata, name) for name in names} == names
    scalar = metadata_for("x", zspy.Array(np.array(1.0)), Storage())
    assert (_number(scalar, "0"), _number(scalar, "1")) == ((), None)


def test_a_finding_is_a_value() -> None:
    assert hash(Finding("error", "a", "b")) == hash(Finding("error", "a", "b"))


def test_what_is_held_has_the_size_that_it_has_in_the_file(tmp_path: Path) -> None:
    zspy.commit({".zgroup": b'{"zarr_format": 2}'}, tmp_path / "f.zspy")
    with closing(opened(tmp_path / "f.zspy")) as file:
        sized = _WithSizes(dict(file), file)
        assert sized.size([".zgroup"]) == file.size([".zgroup"])
