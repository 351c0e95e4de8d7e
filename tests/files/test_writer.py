"""Files: what is written is read, in every kind of place, in both Zarr formats."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import pytest

import zspy
from tests.support.places import IN_MEMORY, place_of
from tests.support.signals import signal_of as plain_signal
from zspy import Limits
from zspy.documents.tree import read_nodes
from zspy.stores.backends import STORE_TYPES
from zspy.strategies import first_difference
from zspy.values.ragged import object_array
from zspy.values.root import decode_file

FORMATS: Final[tuple[Literal[2, 3], ...]] = (2, 3)
AnyArray = np.ndarray[Any, Any]


def _ragged() -> AnyArray:
    cells = np.empty((4, 5), object)
    for number, index in enumerate(np.ndindex(cells.shape)):
        cells[index] = np.arange(number * 2.0).reshape(number, 2)
    return cells


def _mixed() -> AnyArray:
    cells = np.empty(4, object)
    cells[:] = [1, "two", None, {"three": 3.0}]
    return cells


ARRAYS: Final[dict[str, tuple[Callable[[], AnyArray], int]]] = {
    "scan": (lambda: np.arange(16 * 16 * 64 * 64, dtype="u2").reshape(16, 16, 64, 64), 2),
    "spectrum": (lambda: np.arange(5.0), 1),
    "ragged": (_ragged, 0),
    "mixed cells": (_mixed, 0),
    "text": (lambda: np.array(["a", "bc", "é"]), 0),
    "bytes": (lambda: np.array([b"a", b"bc\xff"]), 0),
    "long double": (lambda: np.arange(5, dtype="g"), 1),
    "structured": (lambda: np.ones((1000, 200), [("a", "<f8"), ("b", "i4")]), 1),
    "times": (lambda: np.arange(300_000).astype("M8[s]").reshape(300, 1000), 1),
    "big endian": (lambda: np.arange(600_000, dtype=">f8").reshape(600, 1000), 1),
    "empty": (lambda: np.zeros((0, 3)), 1),
    "no dimensions": (lambda: np.array(3.0), 0),
    "masked": (lambda: np.ma.MaskedArray(np.arange(4), [False, True, False, True]), 1),
}


def signal_of(data: AnyArray, signal_dimensions: int, **metadata: Any) -> dict[str, Any]:
    """Make a signal of an array, whose axes have all that a uniform one has."""
    names = [f"axis {index}" for index in range(data.ndim)]
    axis = {"units": "nm", "scale": 0.5, "offset": 1.0}
    return plain_signal(data, "t", signal_dimensions, names=names, axis=axis, **metadata)


def same(found: object, wanted: object) -> bool:
    """Compare, with the difference in the message."""
    difference = first_difference(found, wanted)
    assert difference is None, difference
    return True


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("kind", [*STORE_TYPES, "dict"])
@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_written_is_read(
    name: str, kind: str, zarr_format: Literal[2, 3], tmp_path: Path
) -> None:
    make, dimensions = ARRAYS[name]
    data = make()
    file, how = place_of(kind, tmp_path / "file.zspy")
    signal = signal_of(data, dimensions, list=[1, 2, 3], nan=float("nan"), mixed=[1, [2]])
    zspy.file_writer(file, signal, zarr_format=zarr_format, sync=False, **how)

    (eager,) = zspy.file_reader(file)
    assert same(eager["data"], data)
    assert same(eager["metadata"], signal["metadata"])
    assert [axis.get("index_in_array") for axis in eager["axes"]] == list(range(data.ndim))

    (lazy,) = zspy.file_reader(file, lazy=True)
    if name != "masked":
        assert same(np.asarray(lazy["data"]), data)
    assert lazy["attributes"]["_lazy"] is True

    changed = signal_of(data, dimensions, new={"a": 1})
    changed["metadata"]["General"]["title"] = "another"
    zspy.file_writer(file, changed, zarr_format=zarr_format, write_dataset=False, sync=False)
    (again,) = zspy.file_reader(file)
    assert same(again["metadata"], changed["metadata"])
    assert same(again["data"], data)

    (lazy,) = zspy.file_reader(file, lazy=True)
    more: Any = {"show_progressbar": False, "sync": False, **how}
    zspy.file_writer(file, lazy, zarr_format=zarr_format, **more)
    (last,) = zspy.file_reader(file)
    if name != "masked":
        assert same(last["data"], data)
    assert not [entry for entry in os.listdir(tmp_path) if "zspy-new" in entry]


@pytest.mark.parametrize(("first", "second"), [("local", "zip"), ("zip", "local"), ("zip", "zip")])
def test_a_file_takes_the_place_of_one_of_another_kind(
    first: Literal["local", "zip"], second: Literal["local", "zip"], tmp_path: Path
) -> None:
    file = tmp_path / "file.zspy"
    zspy.file_writer(file, signal_of(np.zeros(3), 1), store_type=first)
    zspy.file_writer(file, signal_of(np.ones(4), 1), store_type=second)
    assert same(zspy.file_reader(file)[0]["data"], np.ones(4))
    assert file.is_dir() == (second == "local")
    assert os.listdir(tmp_path) == ["file.zspy"]


def test_a_value_that_is_refused_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file.zspy"
    zspy.file_writer(file, signal_of(np.zeros(3), 1))
    with pytest.raises(zspy.UnsupportedError, match=r"metadata\.here\.x\[1\].*builtins\.object"):
        zspy.file_writer(file, signal_of(np.ones(3), 1, here={"x": [1, object()]}))
    assert same(zspy.file_reader(file)[0]["data"], np.zeros(3))
    assert os.listdir(tmp_path) == ["file.zspy"]


@pytest.mark.parametrize("unsupported", ["skip", "drop"])
def test_data_are_not_left_out(unsupported: Any) -> None:
    """All else may be; a signal without its array is none."""
    signal = signal_of(np.zeros(3, "i4,O"), 1)
    with pytest.raises(zspy.UnsupportedError, match=r"^data: an array of .* is not stored"):
        zspy.file_writer({}, signal, unsupported=unsupported)


def test_values_that_are_left_out_are_listed_in_one_warning(tmp_path: Path) -> None:
    file = tmp_path / "file.zspy"
    with pytest.warns(UserWarning, match=r"metadata\.x .*; metadata\.y\[1\]") as caught:
        zspy.file_writer(
            file, signal_of(np.ones(3), 1, x=object(), y=[1, len, 2]), unsupported="skip"
        )
    assert len(caught) == 1
    assert zspy.file_reader(file)[0]["metadata"] == {"General": {"title": "t"}}


@pytest.mark.parametrize("depth", [20, 200, 500])
@pytest.mark.parametrize("shape", ["dict", "list", "tuple"])
def test_deep_trees_are_encoded_and_decoded(depth: int, shape: str) -> None:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if shape == "dict" else [value, "x"] if shape == "list" else (value,)
    node = zspy.encode({"deep": value}, homogenize=False)
    for zarr_format in FORMATS:
        documents = dict(zspy.serialise(node, zarr_format=zarr_format))
        decoded = zspy.decode(zspy.deserialise(documents))  # type: ignore[arg-type]  # a group
        one, other = decoded["deep"], value
        for _ in range(depth):
            one, other = (v["a"] if shape == "dict" else v[0] for v in (one, other))
        assert one == other


def test_several_signals_and_their_models_stay_apart(tmp_path: Path) -> None:
    file = tmp_path / "file.zspy"
    first, second = signal_of(np.zeros(3), 1), signal_of(np.ones(4), 1)
    first["models"] = {"m": {"date": "today", "dimensions": "(|3)", "_dict": {"a": 1}}}
    second["models"] = {"m": {"date": "then", "dimensions": "(|4)", "_dict": {"a": 2}}}
    zspy.file_writer(file, [first, second])
    found = zspy.file_reader(file)
    assert [signal["models"]["m"]["date"] for signal in found] == ["today", "then"]
    assert [len(signal["data"]) for signal in found] == [3, 4]


BAD: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no data": ({"axes": [], "metadata": {}}, "data: the signal has no such key"),
    "a list for data": ({"data": [1], "axes": [{}], "metadata": {}}, "data: a list is no array"),
    "too few axes": ({"data": np.zeros((3, 3)), "axes": [{}], "metadata": {}}, "axes: 1 axes for"),
    "an axis too short": (
        {"data": np.zeros(3), "axes": [{"size": 4}], "metadata": {}},
        r"axes\[0\]\.size: the axis has 4 values",
    ),
    "a title that is a number": (
        {"data": np.zeros(3), "axes": [{}], "metadata": {"General": {"title": 3}}},
        r"metadata\.General\.title: a title is a string, not an int",
    ),
    "an axis of objects": (
        {"data": np.zeros(3), "axes": [{"units": object()}], "metadata": {}},
        r"axes\[0\]\.units: an object, where text or None belongs",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_signal_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    signal, message = BAD[name]
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.file_writer(tmp_path / "file.zspy", signal)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nonsense": 1}, "nonsense: file_writer has no such option"),
        ({"store_type": {"a": 1}}, "is no kind of store; use one of '"),
        ({"store_type": "hdf5"}, "store_type: 'hdf5' is no kind of store; use one of '"),
        ({"zarr_format": 4}, "zarr_format"),
        ({"chunks": (1, 2)}, "chunks"),
        ({"chunks": "big"}, "chunks"),
        ({"compressor": "gzip"}, "compressor"),
        ({"order": "K"}, "order"),
        ({"unsupported": "ignore"}, "unsupported"),
        ({"write_dataset": "no"}, "write_dataset: 'no' is no choice"),
        ({"lock_timeout": None}, "lock_timeout: None is no number of seconds; use lock=False"),
        ({"write_dataset": False}, "there is no file whose data could be kept"),
        ({"zarr_format": 3, "order": "F"}, "filters"),
        ({"zarr_format": 3, "chunks": (2,), "shards": (3,)}, "shards"),
    ],
)
def test_a_bad_argument_is_refused_by_name(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    data = np.zeros(200_000)
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.file_writer(tmp_path / "file.zspy", signal_of(data, 1), **arguments)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("how", [{"mode": "a"}, {"write_dataset": False}], ids=str)
def test_a_file_that_cannot_be_read_is_not_called_absent(
    how: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "file.zip"
    zspy.file_writer(path, signal_of(np.zeros(3), 1))
    os.truncate(path, path.stat().st_size - 30)
    before = path.read_bytes()
    with pytest.raises(zspy.FormatError, match="it may be cut off: copy it once more"):
        zspy.file_writer(path, signal_of(np.ones(3), 1), **how)
    assert path.read_bytes() == before


def test_a_key_that_no_zip_holds_is_refused(tmp_path: Path) -> None:
    """A path in a zip has no more than 65535 bytes."""
    deep: dict[str, Any] = {}
    for _ in range(350):
        deep = {"k" * 190: deep}
    signal = {**signal_of(np.zeros(3), 0), "metadata": deep}
    with pytest.raises(zspy.EncodeError, match="more than 65535 bytes, which no zip holds"):
        zspy.file_writer(tmp_path / "file.zspy", signal, store_type="zip")
    assert not os.listdir(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(zspy.FormatError, match="there is no such file"):
        zspy.file_reader(tmp_path / "nothing.zspy")
    (tmp_path / "text.zspy").write_text("hello")
    with pytest.raises(zspy.FormatError, match=r"and no \.zspy file"):
        zspy.file_reader(tmp_path / "text.zspy")
    with pytest.raises(zspy.FormatError, match=f"^{re.escape(str(tmp_path))}: there is no Zarr"):
        zspy.file_reader(tmp_path)
    with pytest.raises(zspy.FormatError, match=r"^the mapping: there is no Zarr group"):
        zspy.file_reader({})
    with pytest.raises(zspy.EncodeError, match="no place for a file"):
        zspy.file_reader(3)
    with pytest.raises(zspy.EncodeError, match="'w' is no choice"):
        cast("Any", zspy.file_reader)(tmp_path, mode="w")
    with pytest.raises(zspy.EncodeError, match="no such option"):
        cast("Any", zspy.file_reader)(tmp_path, nonsense=1)


def test_the_compressor_may_be_that_of_zarr() -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, signal_of(np.arange(9.0), 1), compressor="default")
    compressor = json.loads(file["Experiments/t/data/.zarray"])["compressor"]
    assert (compressor["cname"], compressor["clevel"], compressor["shuffle"]) == ("lz4", 5, 1)


def _titled(title: str, data: AnyArray | None = None) -> dict[str, Any]:
    data = np.zeros(3) if data is None else data
    return {**signal_of(data, 0), "metadata": {"General": {"title": title}}}


@pytest.mark.parametrize(
    ("signals", "zarr_format", "message"),
    [
        ([_titled("a")], 2, "signal: the file has 2 signals, not 1; write the data as well"),
        ([_titled("a"), _titled("c")], 2, r"General\.title: the file has no signal 'c'"),
        (
            [_titled("a"), _titled("b")],
            3,
            "the stored data is of Zarr format 2; use zarr_format=2, or write the data",
        ),
        ([_titled("a"), _titled("b", np.zeros(4))], 2, r"the stored data has the shape \[3\]"),
        ([_titled("a", _mixed()[:3]), _titled("b")], 2, "one is ragged"),
    ],
)
def test_data_that_does_not_fit_is_not_kept(
    signals: list[dict[str, Any]], zarr_format: Literal[2, 3], message: str
) -> None:
    file: dict[str, bytes] = {}
    zspy.file_writer(file, [_titled("a"), _titled("b")])
    before = dict(file)
    with pytest.raises(zspy.EncodeError, match=message):
        zspy.file_writer(file, signals, zarr_format=zarr_format, write_dataset=False)
    assert file == before


@pytest.mark.parametrize("problem", [None, KeyError("a"), zspy.FormatError("damaged", "a")])
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    problem: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, times = tmp_path / "file.zspy", 3

    def replacing(root: zspy.Group, *, lazy: bool) -> Any:
        nonlocal times
        if times:
            times -= 1
            zspy.file_writer(path, signal_of(np.full(3, times), 1), sync=False)
            if problem is not None:
                raise problem
        return decode_file(root, lazy=lazy)

    zspy.file_writer(path, signal_of(np.full(3, times), 1), sync=False)
    monkeypatch.setattr("zspy.files.reader.decode_file", replacing)
    assert same(zspy.file_reader(path)[0]["data"], np.zeros(3, int))
    times = 100
    with pytest.raises(zspy.FormatError, match="the file was replaced again and again"):
        zspy.file_reader(path)


@pytest.mark.parametrize("missing", ["warn", "raise"])
def test_nothing_is_missing_in_a_file_that_is_replaced_while_it_is_read(
    missing: Literal["warn", "raise"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, times = tmp_path / "file.zspy", 2

    def replacing(file: Any, codecs: Any, budget: Any, *rest: Any, **options: Any) -> Any:
        nonlocal times
        found = read_nodes(file, codecs, budget, *rest, **options)
        if times:
            times -= 1
            zspy.file_writer(path, signal_of(np.full(3, times), 1), sync=False)
            budget.lost["Experiments/a"] = budget.missing["Experiments/a/data"] = 1
        return found

    zspy.file_writer(path, signal_of(np.full(3, times), 1), sync=False)
    monkeypatch.setattr("zspy.files.reader.read_nodes", replacing)
    assert same(zspy.file_reader(path, missing=missing)[0]["data"], np.zeros(3, int))


@pytest.mark.parametrize("kind", [*STORE_TYPES, "sqlite", *IN_MEMORY])
def test_what_is_stored_counts_for_the_limit_of_memory(kind: str, tmp_path: Path) -> None:
    file, how = place_of(kind, tmp_path / "file.zspy")
    data = np.arange(4000.0)
    zspy.file_writer(file, signal_of(data, 1), chunks=1000, compressor=False, **how)
    few = Limits(memory=2**14, expansion=0)
    with pytest.raises(zspy.FormatError, match="it takes 32000 bytes of memory"):
        zspy.file_reader(file, limits=few)
    more = Limits(memory=2**14, expansion=2)
    assert same(zspy.file_reader(file, limits=more)[0]["data"], data)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_data_without_axes_is_written_and_read(
    shape: tuple[int, ...], zarr_format: Any, tmp_path: Path
) -> None:
    """Such as the result of a model of one spectrum."""
    path = tmp_path / "x.zspy"
    signal: zspy.Signal = {"data": np.ones(shape), "axes": [], "metadata": {}}
    zspy.file_writer(path, signal, zarr_format=zarr_format)
    for lazy in (False, True):
        (found,) = zspy.file_reader(path, lazy=lazy)
        assert found["axes"] == []
        assert same(np.asarray(found["data"]), np.ones(shape))


AXES: Any = [{"size": 3}]
SIGNAL: Any = {"data": np.zeros(3), "axes": AXES, "metadata": {}}
WRONG: Any = {
    "an array": (
        ("file.zspy", np.zeros((300, 300))),
        "signal: a NumPy array is no signal; give a dict",
    ),
    "nothing": (("file.zspy", None), "signal: None is no signal; give a dictionary"),
    "a number": (("file.zspy", 3), "signal: an int is no signal"),
    "a path": (("file.zspy", "other.zspy"), "signal: a str is no signal"),
    "arrays": (("file.zspy", [np.zeros(3)]), r"signal\[0\]: a NumPy array is no signal"),
    "swapped": ((SIGNAL, "file.zspy"), "the file comes first, and then the signal"),
    "no place": ((None, SIGNAL), "filename: None is no place for a file; use a path"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_told_in_a_few_words(name: str) -> None:
    arguments, message = WRONG[name]
    with pytest.raises(zspy.EncodeError, match=message) as error:
        zspy.file_writer(*arguments)
    assert len(str(error.value)) < 300


def test_a_missing_file_is_an_error_of_the_system_as_well(tmp_path: Path) -> None:
    path = tmp_path / "nothing.zspy"
    with pytest.raises(FileNotFoundError) as error:
        zspy.file_reader(path)
    assert (error.value.errno, error.value.filename) == (errno.ENOENT, str(path))
    assert str(error.value) == f"{path}: there is no such file; see its name"


@pytest.mark.parametrize("kind", ["local", "zip"])
def test_a_refused_permission_is_an_error_of_the_system_as_well(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.zspy"
    zspy.file_writer(path, SIGNAL, store_type=kind)

    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")

    function = "directory._Root" if kind == "local" else "zip.open"
    monkeypatch.setattr(f"zspy.stores.{function}", refused, raising=kind == "local")
    with pytest.raises(
        PermissionError, match=r"it cannot be opened \(Permission denied\)"
    ) as error:
        zspy.file_reader(path)
    assert isinstance(error.value, zspy.FormatError)
    assert (error.value.errno, error.value.filename) == (errno.EACCES, str(path))


def test_no_more_is_added_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zspy.file_writer(tmp_path / "a.zspy", SIGNAL)
    before = zspy.file_reader(tmp_path / "a.zspy")
    monkeypatch.setattr("zspy.files.kept.LIMITS", zspy.Limits(nodes=8))
    with pytest.raises(zspy.EncodeError, match="more nodes than the 8 that are read"):
        zspy.file_writer(tmp_path / "a.zspy", SIGNAL, mode="a")
    assert len(zspy.file_reader(tmp_path / "a.zspy")) == len(before)


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, *_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", name)

    monkeypatch.setattr("zspy.stores.directory._opened_anew", full)
    with pytest.raises(OSError, match=r"No space left on device: .*file\.zspy'$"):
        zspy.file_writer(tmp_path / "file.zspy", SIGNAL)
    monkeypatch.undo()
    zspy.file_writer(tmp_path / "file.zspy", SIGNAL)
    monkeypatch.setattr("zspy.stores.directory._opened_anew", full)
    with pytest.raises(OSError, match=r"No space left on device: .*file\.zspy'$"):
        zspy.update(tmp_path / "file.zspy", {"a": 1})


def test_blocks_that_compute_to_another_shape_are_refused() -> None:
    da: Any = pytest.importorskip("dask.array")

    def first(block: Any) -> Any:
        return block[:1]

    short = da.zeros((6, 4), chunks=3).map_blocks(first, meta=np.empty((0, 0)))
    with pytest.raises(zspy.EncodeError, match=r"/data: a block computes to the shape \(1, "):
        zspy.file_writer({}, signal_of(short, 0))

    def cells(block: Any) -> Any:
        return object_array([np.zeros(2)] * (len(block) + 1), (len(block) + 1,))

    ragged = da.zeros(6, chunks=3).map_blocks(cells, dtype=object, meta=np.empty(0, object))
    with pytest.raises(zspy.EncodeError, match=r"^data: a block computes to the shape \(4,\)"):
        zspy.file_writer({}, signal_of(ragged, 0))


@pytest.mark.parametrize("separator", ["/", "."])
def test_keys_of_chunks_have_the_separator_that_is_asked_for(separator: Literal["/", "."]) -> None:
    place: dict[str, bytes] = {}
    signal = signal_of(np.arange(6.0).reshape(2, 3), 2)
    zspy.file_writer(place, signal, dimension_separator=separator)
    assert f"Experiments/t/data/0{separator}0" in place


def test_a_directory_is_written_and_read_without_zarr_python(tmp_path: Path) -> None:
    """To import it takes longer than to write a small file."""
    code = (
        "import sys, numpy, zspy;"
        "s = {'data': numpy.zeros(3), 'axes': [{'size': 3}], 'metadata': {}};"
        "[zspy.file_writer(sys.argv[1], s) for _ in range(2)]; zspy.file_reader(sys.argv[1]);"
        "print('zarr' in sys.modules)"
    )
    source = str(Path(zspy.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.zspy")],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        check=True,
        text=True,
    )
    assert result.stdout.strip() == "False"


def test_a_path_that_ends_in_zip_is_a_zip(tmp_path: Path) -> None:
    axes = [{"name": "x", "size": 3}]
    signal: dict[str, Any] = {"data": np.arange(3), "axes": axes, "metadata": {}}
    path = tmp_path / "a.ZIP"
    zspy.file_writer(path, signal)
    assert path.is_file()
    zspy.file_writer(path, signal, write_dataset=False)
    zspy.file_writer(path, signal, mode="a")
    assert path.is_file()
    assert len(zspy.file_reader(path)) == 2
    zspy.file_writer(path, signal, store_type="local")
    assert path.is_dir()
    zspy.file_writer(path, signal, mode="a")  # what is there stays what it is
    assert path.is_dir()
    other = tmp_path / "b.zip"
    with pytest.raises(zspy.EncodeError, match="kind 'zip' does not grow"):
        zspy.file_writer(other, signal, append_dim="x")
    with pytest.raises(zspy.EncodeError, match="kind 'zip' does not grow"):
        zspy.create(other, signal)
    assert not other.exists()


def test_a_name_of_the_sister_format_is_refused(tmp_path: Path) -> None:
    axes = [{"name": "x", "size": 3}]
    signal: dict[str, Any] = {"data": np.arange(3), "axes": axes, "metadata": {}}
    with pytest.raises(zspy.EncodeError, match=r"an .hspy file is HDF5; use write_hspy"):
        zspy.file_writer(tmp_path / "a.hspy", signal)
    pytest.importorskip("h5py")
    with pytest.raises(zspy.EncodeError, match=r"a .zspy file is no HDF5; use file_writer"):
        zspy.write_hspy(tmp_path / "a.zspy", signal)
    assert not [*tmp_path.iterdir()]


def test_chunks_that_are_none_are_shown_as_they_were_given(tmp_path: Path) -> None:
    axes = [{"name": "x", "size": 3}, {"name": "y", "size": 2}]
    signal: dict[str, Any] = {"data": np.ones((3, 2)), "axes": axes, "metadata": {}}
    with pytest.raises(zspy.EncodeError, match=r"^chunks: 'auto' are no chunks; give 2 edges"):
        cast("Any", zspy.file_writer)(tmp_path / "a.zspy", signal, chunks="auto")
    with pytest.raises(zspy.EncodeError, match=r"^chunks: \[0, 0\] are no chunks; give 2 edges"):
        zspy.file_writer(tmp_path / "a.zspy", signal, chunks=0)
