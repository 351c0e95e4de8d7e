"""What HyperSpy asks of its reader and writer; a stand-in for RosettaSciIO holds the plugins.

`tests/hyperspy` has HyperSpy itself do the same.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import numpy as np
import pytest
from zarr.storage import LocalStore, MemoryStore, ZipStore

import zspy
import zspy.hyperspy
from zspy.hyperspy import file_reader, file_writer, register, registered, unregister

OWN: Final = "rsciio.zspy"


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The list of plugins of RosettaSciIO, as much of it as matters."""
    rsciio: Any = ModuleType("rsciio")
    rsciio.IO_PLUGINS = [{"name": "HSPY", "api": "rsciio.hspy"}, {"name": "ZSPY", "api": OWN}]
    monkeypatch.setitem(sys.modules, "rsciio", rsciio)
    found: list[dict[str, Any]] = rsciio.IO_PLUGINS
    return found


def signal_of(data: Any, **metadata: Any) -> dict[str, Any]:
    """Make the dictionary that HyperSpy hands to a writer."""
    return {
        "data": data,
        "axes": [{"size": size, "navigate": False} for size in data.shape],
        "metadata": {"General": {"title": "line"}, **metadata},
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "package_info": {"package": "hyperspy", "package_version": "2.5.0"},
        "tmp_parameters": {},
    }


LINE: Final = np.arange(6.0)


def names(plugins: list[dict[str, Any]]) -> list[str]:
    return [plugin["api"] for plugin in plugins]


def test_register_redirects_one_plugin_and_unregister_gives_it_back(
    plugins: list[dict[str, Any]],
) -> None:
    for _ in range(2):
        register()
        assert names(plugins) == ["rsciio.hspy", "zspy.hyperspy"]
    for _ in range(2):
        unregister()
        assert names(plugins) == ["rsciio.hspy", OWN]


def test_the_name_of_the_plugin_is_a_module_with_both_functions(
    plugins: list[dict[str, Any]],
) -> None:
    register()
    module = import_module(plugins[1]["api"])
    assert (module.file_reader, module.file_writer) == (file_reader, file_writer)


def test_unregister_leaves_what_others_have_registered(plugins: list[dict[str, Any]]) -> None:
    plugins[1]["api"] = "another.reader"
    unregister()
    assert names(plugins) == ["rsciio.hspy", "another.reader"]


def test_register_needs_rosettasciio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rsciio", None)
    command = r'rsciio is not installed: python -m pip install "zspy\[hyperspy\]"'
    with pytest.raises(ModuleNotFoundError, match=command):
        register()
    assert not registered()


def test_who_is_registered_is_told(plugins: list[dict[str, Any]]) -> None:
    for api in (OWN, "another.reader"):
        plugins[1]["api"] = api
        assert not registered()
    plugins[1]["api"] = "zspy.hyperspy"
    assert registered()


def start_hyperspy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what HyperSpy does with its extensions when it starts: look for the module."""
    for name in ("zspy_hyperspy", "zspy_hyperspy.extension"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = find_spec("zspy_hyperspy.extension")
    assert spec is not None
    assert spec.origin is not None
    beside = Path(spec.origin).with_name("hyperspy_extension.yaml")
    assert "signals: {}" in beside.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("setting", "expected"), [(None, True), ("1", True), ("0", False), (" Off", False)]
)
def test_hyperspy_registers_zspy_when_it_starts_unless_told_otherwise(
    setting: str | None,
    expected: bool,
    plugins: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ZSPY_HYPERSPY", raising=False)
    if setting is not None:
        monkeypatch.setenv("ZSPY_HYPERSPY", setting)
    start_hyperspy(monkeypatch)
    assert registered() == expected
    assert names(plugins)[0] == "rsciio.hspy"


def test_hyperspy_starts_whatever_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "rsciio", None)
    start_hyperspy(monkeypatch)
    assert "zspy is not used for .zspy files" in caplog.text


def test_starting_leaves_what_others_have_registered(
    plugins: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins[1]["api"] = "another.reader"
    start_hyperspy(monkeypatch)
    assert names(plugins) == ["rsciio.hspy", "another.reader"]


def test_what_was_given_back_stays_so_when_hyperspy_starts_later(
    plugins: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "zspy_hyperspy", raising=False)
    unregister()
    assert names(plugins)[1] == OWN
    find_spec("zspy_hyperspy.extension")
    assert names(plugins)[1] == OWN


def test_an_error_says_whom_to_ask(tmp_path: Path) -> None:
    with pytest.raises(zspy.EncodeError) as writing:
        cast("Any", file_writer)(tmp_path / "line.zspy", signal_of(LINE), compression="gzip")
    with pytest.raises(zspy.FormatError) as reading:
        file_reader(tmp_path / "line.zspy")
    for error in (writing, reading):
        (note,) = error.value.__notes__
        assert "report it to zspy" in note


@pytest.mark.parametrize("general", [None, "text", 5, [1]])
def test_a_general_that_is_no_dictionary_is_loaded_as_it_is(general: Any, tmp_path: Path) -> None:
    signal = {"data": LINE, "axes": [{"size": 6}], "metadata": {"General": {"title": "x"}}}
    zspy.file_writer(tmp_path / "line.zspy", signal)
    attributes = tmp_path / "line.zspy" / "Experiments" / "x" / "metadata" / ".zattrs"
    shutil.rmtree(attributes.with_name("General"))
    attributes.write_text(json.dumps({"General": general}), encoding="utf-8")
    (tmp_path / "line.zspy" / ".zmetadata").unlink(missing_ok=True)
    with pytest.warns(UserWarning, match=r"documents that were written are missing: Exp.*/x \(1"):
        found = file_reader(tmp_path / "line.zspy")
    assert found[0]["metadata"]["General"] == general


class UniformDataAxis:
    """An axis, as much of it as matters."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        _ = given["scale"]

    def get_axis_dictionary(self) -> dict[str, Any]:
        return self.given


UniformDataAxis.__module__ = "hyperspy.axes"
AXIS: Final = {"_type": "UniformDataAxis", "size": 5, "scale": 0.5}


@pytest.fixture
def _axes(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("hyperspy.axes")
    module.create_axis = UniformDataAxis
    monkeypatch.setitem(sys.modules, "hyperspy.axes", module)


@pytest.mark.usefixtures("_axes")
def test_axes_in_metadata_come_back_as_axes(tmp_path: Path) -> None:
    peaks = {"signal_axes": (UniformDataAxis(**AXIS), UniformDataAxis(**AXIS))}
    signal = signal_of(LINE, Peaks=peaks, Deep={"a": {"b": peaks}})
    file_writer(tmp_path / "line.zspy", signal)
    assert signal["metadata"]["Peaks"] is peaks
    assert isinstance(peaks["signal_axes"][0], UniformDataAxis)
    (exact,) = zspy.file_reader(tmp_path / "line.zspy")
    assert exact["metadata"]["Peaks"] == {"signal_axes": (AXIS, AXIS)}
    (found,) = file_reader(tmp_path / "line.zspy")
    for tree in (found["metadata"], found["metadata"]["Deep"]["a"]["b"]):
        axes: Any = tree.get("Peaks", tree)["signal_axes"]
        assert [type(axis) for axis in axes] == [UniformDataAxis] * 2
        assert axes[0].given == AXIS


@pytest.mark.usefixtures("_axes")
@pytest.mark.parametrize(
    "axes",
    [
        (),
        [AXIS],
        (AXIS, 1),
        ({**AXIS, "_type": "FunctionalDataAxis"},),
        ({**AXIS, "size": 2**40},),
        ({**AXIS, "size": "5"},),
        ({"_type": "UniformDataAxis"},),
    ],
)
def test_what_is_no_tuple_of_axes_stays_as_it_is(axes: Any, tmp_path: Path) -> None:
    file_writer(tmp_path / "line.zspy", signal_of(LINE, Test={"axes": axes}))
    assert file_reader(tmp_path / "line.zspy")[0]["metadata"]["Test"] == {"axes": axes}


@pytest.mark.usefixtures("_axes")
def test_axes_are_made_of_so_many_points_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HyperSpy holds the points of each: a file of some kilobytes would take gigabytes."""
    monkeypatch.setattr(zspy.hyperspy, "_LONGEST_AXIS", 22)
    axes = (AXIS, AXIS)
    signal = signal_of(LINE, A={"axes": axes}, B={"axes": axes}, C={"axes": axes})
    both: Any = [signal, signal]
    file_writer(tmp_path / "line.zspy", both)
    made: list[Any] = [
        found["metadata"][part]["axes"][0]
        for found in file_reader(tmp_path / "line.zspy")
        for part in "ABC"
    ]
    assert sum(type(one) is UniformDataAxis for one in made) == 2
    assert made.count(AXIS) == 4


@pytest.mark.parametrize("depth", [40, 100_000])
def test_deep_and_circular_metadata_end_in_errors_of_zspy_or_are_stored(
    depth: int, tmp_path: Path
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(depth):
        deep = {"a": deep}
    deep["circle"] = deep
    with pytest.raises(zspy.EncodeError):
        file_writer(tmp_path / "line.zspy", signal_of(LINE, deep=deep))


def test_text_is_decoded_at_any_depth() -> None:
    deep: dict[str, Any] = {"text": b"x"}
    for _ in range(100_000):
        deep = {"a": deep}
    for tree in zspy.hyperspy._dictionaries(deep):
        zspy.hyperspy._decode_text(tree)
    while "a" in deep:
        deep = deep["a"]
    assert deep == {"text": "x"}


def test_what_cannot_be_stored_is_left_out_with_a_warning_that_says_where(tmp_path: Path) -> None:
    signal = signal_of(LINE, kept=1, refused=len)
    with pytest.warns(UserWarning, match=r"left out what it does not store: metadata\.refused"):
        file_writer(tmp_path / "line.zspy", signal)
    (found,) = file_reader(tmp_path / "line.zspy")
    assert found["metadata"] == {"General": {"title": "line"}, "kept": 1}
    with pytest.raises(zspy.UnsupportedError, match=r"metadata\.refused"):
        file_writer(tmp_path / "line.zspy", signal, unsupported="raise")


def test_text_in_bytes_is_read_as_a_string_wherever_it_stands(tmp_path: Path) -> None:
    signal = signal_of(LINE, text="Å".encode(), other=b"\xff", inside={"text": b"a"})
    signal["metadata"]["code"] = b"c\x01\0\x02"
    signal["original_metadata"] = {"text": b"b"}
    file_writer(tmp_path / "line.zspy", signal)
    (found,) = file_reader(tmp_path / "line.zspy")
    assert found["metadata"]["text"] == "Å"
    assert found["metadata"]["other"] == b"\xff"
    assert found["metadata"]["code"] == b"c\x01\0\x02"
    assert found["metadata"]["inside"] == {"text": "a"}
    assert found["original_metadata"] == {"text": "b"}
    (exact,) = zspy.file_reader(tmp_path / "line.zspy")
    assert exact["metadata"]["inside"] == {"text": b"a"}


@pytest.mark.parametrize("title", ["__unnamed__", ""])
def test_a_title_that_says_unnamed_is_none(title: str, tmp_path: Path) -> None:
    file_writer(tmp_path / "line.zspy", signal_of(LINE, General={"title": title}))
    assert file_reader(tmp_path / "line.zspy")[0]["metadata"] == {"General": {"title": ""}}


def test_models_of_no_signal_have_no_metadata(tmp_path: Path) -> None:
    version = {"file_format": "ZSpy", "file_format_version": "3.3"}
    models = {"Analysis": {"models": {"a": {"text": b"x"}}}}
    root = zspy.encode({**version, "Experiments": {}, **models})
    zspy.commit(zspy.serialise(root), tmp_path / "models.zspy")
    found: Any = file_reader(tmp_path / "models.zspy")
    assert found == [{"a": {"text": "x"}}]


def test_a_file_without_signals_is_refused(tmp_path: Path) -> None:
    """HyperSpy's own writer leaves one where it fails, and HyperSpy cannot load an empty list."""
    version = {"file_format": "ZSpy", "file_format_version": "3.3"}
    root = zspy.encode({**version, "Experiments": {"line": {"metadata": {}}}})
    zspy.commit(zspy.serialise(root), tmp_path / "line.zspy")
    with pytest.raises(zspy.FormatError, match="there is no signal"):
        file_reader(tmp_path / "line.zspy")


def test_the_blocks_of_a_lazy_array_are_the_chunks_of_the_file(tmp_path: Path) -> None:
    data = np.arange(400.0).reshape(20, 20)
    file_writer(tmp_path / "map.zspy", signal_of(data), chunks=(5, 20))
    (found,) = file_reader(tmp_path / "map.zspy", lazy=True)
    assert found["data"].chunks == ((5, 5, 5, 5), (20,))
    assert np.array_equal(np.asarray(found["data"]), data)
    (joined,) = file_reader(tmp_path / "map.zspy", lazy=True, blocks=2**20)
    assert joined["data"].chunks == ((20,), (20,))


def test_the_data_that_is_stored_stays_where_only_the_rest_is_written(tmp_path: Path) -> None:
    file_writer(tmp_path / "line.zspy", signal_of(LINE))
    file_writer(tmp_path / "line.zspy", signal_of(LINE * 2, new=1), write_dataset=False)
    (found,) = file_reader(tmp_path / "line.zspy", mode="r+")
    assert np.array_equal(found["data"], LINE)
    assert found["metadata"]["new"] == 1


@pytest.fixture(params=["local", "memory", "zip", "mapping"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A place that is no path."""
    made: dict[str, Any] = {
        "local": lambda: LocalStore(tmp_path / "line.zspy"),
        "memory": MemoryStore,
        "zip": lambda: ZipStore(tmp_path / "line.zspy", mode="a"),
        "mapping": dict,
    }
    store = made[request.param]()
    yield store
    if isinstance(store, ZipStore) and (tmp_path / "line.zspy").exists():
        store.close()


@pytest.mark.parametrize("close_file", [True, False])
def test_a_store_is_readable_after_writing(store: Any, close_file: bool, tmp_path: Path) -> None:
    file_writer(store, signal_of(LINE), close_file=close_file)
    at_path = tmp_path / "line.zspy"
    place = at_path if at_path.exists() else store
    assert np.array_equal(file_reader(place)[0]["data"], LINE)


def test_a_store_is_of_its_own_kind(store: Any) -> None:
    with pytest.raises(zspy.EncodeError, match="`store_type` parameter must be None"):
        file_writer(store, signal_of(LINE), store_type="zip")


@pytest.mark.parametrize("store_type", ["zip", "local"])
def test_a_mode_is_taken_and_where_it_means_nothing_that_is_said(
    store_type: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_writer(tmp_path / "line.zspy", signal_of(LINE), store_type=store_type)
    (found,) = file_reader(tmp_path / "line.zspy", mode="a")
    assert np.array_equal(found["data"], LINE)
    assert ("Specifying `mode` " in caplog.text) == (store_type == "zip")


@pytest.mark.parametrize(
    ("chunks", "edges"),
    [((2,), (2, 5)), ([-1, 3], (4, 3)), ((None, np.int8(2)), (4, 2)), ((), (4, 5)), (3, (3, 3))],
)
def test_an_edge_of_chunks_that_is_left_out_is_the_whole_dimension(chunks: Any, edges: Any) -> None:
    place: dict[str, bytes] = {}
    file_writer(place, signal_of(np.zeros((4, 5))), chunks)
    assert file_reader(place, lazy=True)[0]["data"].chunksize == edges
    with pytest.raises(zspy.EncodeError, match="give 2 edges"):
        file_writer({}, signal_of(np.zeros((4, 5))), (2, 0))


def test_lazy_may_be_none_as_for_hyperspy(tmp_path: Path) -> None:
    file_writer(tmp_path / "line.zspy", signal_of(LINE))
    lazy: Any = None
    assert file_reader(tmp_path / "line.zspy", lazy)[0]["attributes"]["_lazy"] is False
    lazy = np.ones(2)
    with pytest.raises(zspy.EncodeError, match=r"^lazy: array\(\[1., 1.\]\) is no choice"):
        file_reader(tmp_path / "line.zspy", lazy)


def test_who_overwrites_through_hyperspy_hears_what_it_does_not_hand_on(tmp_path: Path) -> None:
    path = tmp_path / "line.zspy"
    path.write_bytes(b"somebody's")
    with pytest.raises(zspy.EncodeError, match=r"use overwrite=True.* not handed on: remove it"):
        file_writer(path, signal_of(LINE))
    assert path.read_bytes() == b"somebody's"


@pytest.mark.parametrize("consolidate", [True, False])
def test_all_metadata_lies_in_one_document_unless_told_otherwise(
    consolidate: bool, tmp_path: Path
) -> None:
    options: dict[str, Any] = {} if consolidate else {"consolidate": False}
    file_writer(tmp_path / "line.zspy", signal_of(LINE), **options)
    assert (tmp_path / "line.zspy" / ".zmetadata").exists() == consolidate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "gzip"}, "compression: file_writer has no such option"),
        ({"store_type": "n5"}, "use one of 'local' or 'zip' or"),
        ({"write_dataset": "no"}, "write_dataset: 'no' is no choice"),
        ({"unsupported": "ignore"}, "use one of .'raise', 'skip', 'drop'"),
    ],
)
def test_an_option_that_there_is_not_is_refused_by_name(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        file_writer(tmp_path / "line.zspy", signal_of(LINE), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [None, 3, np.zeros(3), MemoryStore()])
def test_what_is_no_signal_is_refused_by_its_type(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(zspy.EncodeError, match="is no signal"):
        file_writer(tmp_path / "line.zspy", wrong)
