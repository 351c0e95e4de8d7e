"""What runs inside the environment of a released program, as a process of its own.

It never imports zspy. The released programs are used through their public functions only, and
their answers are written down as sidecars (``tests/support/sidecar.py``).
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.interop.signals import SIGNALS
from tests.support import sidecar
from tests.support.gains import in_true_order
from tests.support.sidecar import JSON, differences, is_array, is_dict, is_sequence
from tests.support.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

HYPERSPY = "hyperspy.zspy"  # what HyperSpy wrote, in the directory of a signal
PROBLEMS_SHOWN = 12


def plugin() -> Any:
    """The plugin of the reference, which has no types."""
    return import_module("rsciio.zspy")


def read(path: Path, *, lazy: bool = False) -> object:
    """Read a file with the reader of the reference."""
    return plugin().file_reader(str(path), lazy=lazy)


def said(error: Exception) -> str:
    """Describe an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


# --------------------------------------------------------------------------------------------------
# Signals


def captured(save: Callable[[], object], *, write: bool) -> object:
    """Return the dictionary that HyperSpy hands to the writer while it saves a signal."""
    module = plugin()
    writer = module.file_writer
    handed: list[object] = []

    def recording_writer(filename: str, signal: object, **options: object) -> None:
        handed.append(signal)
        if write:
            writer(filename, signal, **options)

    module.file_writer = recording_writer
    try:
        save()
    except Exception:
        if not handed:
            raise
        if write:
            raise SavingError(handed[0]) from None
    finally:
        module.file_writer = writer
    return handed[0]


class SavingError(Exception):
    """HyperSpy could not save a signal; the dictionary for the writer is the only argument."""


def make(directory: Path) -> None:
    """Make and save every signal, and write down what the reference reads from each file."""
    for name, create in SIGNALS.items():
        path = directory / name / HYPERSPY
        path.parent.mkdir(parents=True)
        arrays: dict[str, sidecar.Array] = {}
        document: dict[str, JSON] = {}
        signal = create()
        try:
            given = captured(partial(signal.save, path, show_progressbar=False), write=True)
            document["returned"] = sidecar.encode(read(path), arrays)
        except SavingError as error:
            (given,) = error.args
            shutil.rmtree(path)  # what is left of it reads, without the rest
        document["captured"] = sidecar.encode(given, arrays)
        sidecar.save(path, document, arrays)


# How much of each file of zspy is looked at, by the way in which its signal came to be written:
# all of it once, and then what may differ.
LOOKS = {"from_capture": 4, "from_reader": 2, "from_zspy": 1}
# Signals that differ from others in one respect only, of which two looks tell enough.
SIMPLE = ("dtype_", "title_")


def judge(directory: Path, report: Path) -> None:
    """Compare what HyperSpy finds in files of zspy with what it finds in its own."""
    judged: dict[str, list[str]] = {}
    for name in SIGNALS:
        own = directory / name / HYPERSPY
        # Bytes, which only zspy saves, come back from a lazy reader as dask arrays, and HyperSpy
        # cannot use those.
        most = 4 if own.exists() and not name.startswith(SIMPLE) else 2
        looks = (_read_eagerly, _load_eagerly, _read_lazily, _load_lazily)[:most]
        expected = [_seen(look, own) for look in looks]
        if own.exists():  # what is compared with nothing would pass
            unseen = [look.error for look in expected[:2] if isinstance(look, Failed)]
            judged[f"{name}/own"] = unseen
        for way, count in LOOKS.items():
            path = directory / name / f"{way}.zspy"
            if path.exists():
                found = [_seen(look, path) for look in looks[:count]]
                places = [
                    f"{look.__name__.strip('_')}{place}"
                    for look, left, right in zip(looks, expected, found, strict=False)
                    for place in _compared(left, right)
                ]
                judged[f"{name}/{way}"] = places[:PROBLEMS_SHOWN]
    report.write_text(json.dumps(judged), encoding="utf-8")


def judge_hdf5(directory: Path, report: Path) -> None:
    """Compare what HyperSpy makes of files in HDF5 with what it makes of its own."""
    load = import_module("hyperspy.api").load
    judged: dict[str, list[str]] = {}
    for path in sorted(directory.glob("*/example.hspy")):
        own = path.with_name("own.hspy")
        load(path.parent / HYPERSPY).save(own)
        found = _compared(_seen(_load_eagerly, own), _seen(_load_eagerly, path))
        judged[path.parent.name] = found[:PROBLEMS_SHOWN]
    report.write_text(json.dumps(judged), encoding="utf-8")


def judge_stores(directory: Path, report: Path) -> None:
    """Compare what zarr-python 2 and the reference read in stores with what directories hold."""
    judged: dict[str, list[str]] = {}
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        for own in sorted((directory / "local").iterdir()):
            try:
                open_store = _opener(folder.name, folder / own.name)
            except ImportError:  # a kind of dbm that this Python lacks
                continue
            looks = (_contents, plugin().file_reader)
            expected = [look(_opener("local", own)()) for look in looks]
            found = [_seen_in(look, open_store) for look in looks]
            pairs = zip(expected, found, strict=True)
            judged[f"{folder.name}/{own.stem}"] = [
                place for pair in pairs for place in _compared(*pair)
            ][:PROBLEMS_SHOWN]
    report.write_text(json.dumps(judged), encoding="utf-8")


def _opener(kind: str, path: Path) -> Callable[[], Any]:
    zarr: Any = import_module("zarr")
    where = str(path)
    match kind.partition(".")[0]:
        case "local":
            return lambda: zarr.DirectoryStore(where)
        case "zip":
            return lambda: zarr.ZipStore(where, mode="r")
        case "lmdb":
            return lambda: zarr.LMDBStore(where, readonly=True, lock=False, max_readers=1)
        case "lmdb_file":
            return lambda: zarr.LMDBStore(where, readonly=True, lock=False, subdir=False)
        case _:
            module = import_module(kind)
            return lambda: zarr.DBMStore(where, flag="r", open=module.open)


def _contents(store: Any) -> object:
    """Read all groups and arrays with zarr-python 2."""
    zarr: Any = import_module("zarr")
    root = zarr.open_group(store, mode="r")
    found: dict[str, object] = {"/": dict(root.attrs)}

    def note(path: str, node: Any) -> None:
        found[path] = [dict(node.attrs), node[...] if isinstance(node, zarr.Array) else None]

    root.visititems(note)
    return found


def _seen_in(look: Callable[[Any], object], open_store: Callable[[], Any]) -> object:
    try:
        store = open_store()
        try:
            return look(store)
        finally:
            store.close()
    except Exception as error:  # noqa: BLE001 - whatever the release raises
        return Failed(said(error))


def _seen(look: Callable[[Path], object], path: Path) -> object:
    try:
        return look(path)
    except Exception as error:  # noqa: BLE001 - whatever the release raises
        return Failed(said(error))


@dataclass(frozen=True)
class Failed:
    """A look that raised."""

    error: str


def _compared(expected: object, found: object) -> list[str]:
    if isinstance(found, Failed):
        # What the release cannot do with its own file it need not do with that of zspy.
        return [] if expected == found else [f" raises {found.error}"]
    if isinstance(expected, Failed):
        return []
    return [str(place) for place in differences(in_true_order(expected), found)]


def _read_eagerly(path: Path) -> object:
    return read(path)


def _read_lazily(path: Path) -> object:
    return read(path, lazy=True)


def _load_eagerly(path: Path) -> object:
    return _described(path, lazy=False)


def _load_lazily(path: Path) -> object:
    return _described(path, lazy=True)


def _described(path: Path, *, lazy: bool) -> object:
    """Describe all that a loaded signal is: its class, what it would save, models, markers."""
    hyperspy = import_module("hyperspy.api")
    signal = hyperspy.load(path, lazy=lazy)
    saved = captured(lambda: signal.save("unused.zspy", overwrite=True), write=False)
    drop_history(saved)
    assert is_dict(saved)
    saved.pop("tmp_parameters")  # the name of the file
    return {
        "class": type(signal).__name__,
        "lazy": signal._lazy,
        "axes": str(signal.axes_manager),
        "saved": saved,
        "models": {name: restored(signal, name) for name in sorted(model_names(signal))},
        "drawn": _drawn(signal),
    }


def drop_history(signal: object) -> None:
    """Drop the times at which a file was loaded and saved."""
    if is_dict(signal):
        signal.pop("FileIO", None)
        for below in signal.values():
            drop_history(below)
    elif is_sequence(signal):
        for below in signal:
            drop_history(below)


def model_names(signal: Any) -> list[str]:
    return list(signal.models._models.keys())


def restored(signal: Any, name: str) -> object:
    model = signal.models.restore(name)
    return [
        (
            type(component).__name__,
            component.name,
            component.active,
            [(p.name, p.value, p.std, p.free, p.bmin, p.bmax) for p in component.parameters],
        )
        for component in model
    ]


def _drawn(signal: Any) -> object:
    """Draw the markers, and return their properties at the first position."""
    if not signal.metadata.has_item("Markers"):
        return None
    figures = import_module("matplotlib.pyplot")
    try:
        signal.plot()
        markers = signal.metadata.Markers
        return {
            name: {
                key: value.tolist() if is_array(value) else value
                for key, value in marker.get_current_kwargs().items()
            }
            for name, marker in markers
        }
    finally:
        figures.close("all")


# --------------------------------------------------------------------------------------------------
# Values in metadata


def signal_with(value: object) -> dict[str, object]:
    """Return a small signal, as writers of the reference take it, with a value in its metadata."""
    axis: dict[str, object] = {
        "_type": "UniformDataAxis",
        "name": "x",
        "units": None,
        "navigate": False,
        "is_binned": False,
        "size": 3,
        "scale": 1.0,
        "offset": 0.0,
    }
    return {
        "data": np.arange(3.0),
        "axes": [axis],
        "metadata": {
            "General": {"title": "value"},
            "Signal": {"signal_type": ""},
            "given": value,
        },
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "package_info": {"package": "hyperspy", "package_version": "2.5.0"},
        "tmp_parameters": {},
    }


def given_in(signals: object) -> object:
    """Return the value that `signal_with` put into a signal, from what a reader returned."""
    assert is_sequence(signals)
    (signal,) = signals
    assert is_dict(signal)
    metadata = signal["metadata"]
    assert is_dict(metadata)
    return metadata.get("given", sidecar.MISSING)


def values(ours: Path, own: Path, report: Path) -> None:
    """Read the values that zspy wrote, and those that this release writes itself.

    The report has three answers for each value: ``read`` is what this release reads from the file
    of zspy, ``own`` what it reads from the file that it wrote itself; ``kept`` says whether that is
    the given value. An answer is a value or an error.
    """
    arrays: dict[str, sidecar.Array] = {}
    document: dict[str, JSON] = {}
    own.mkdir(parents=True)
    for name, create in VALUES.items():
        answers: dict[str, JSON] = {}
        path = ours / f"{name}.zspy"
        if path.exists():
            answers["read"] = _answer(path, arrays)
        kept = False
        try:
            given = create()
            path = own / f"{name}.zspy"
            plugin().file_writer(str(path), signal_with(given), show_progressbar=False)
            back = given_in(read(path))
            answers["own"] = {"value": sidecar.encode(back, arrays)}
            kept = not differences(create(), back)
        except Exception as error:  # noqa: BLE001 - whatever the release raises
            answers["own"] = {"error": said(error)}
        document[name] = answers | {"kept": kept}
    if (tree := ours / "all.zspy").exists():
        document["all"] = {"read": _answer(tree, arrays)}
    sidecar.save(report, document, arrays)


def _answer(path: Path, arrays: dict[str, sidecar.Array]) -> JSON:
    try:
        return {"value": sidecar.encode(given_in(read(path)), arrays)}
    except Exception as error:  # noqa: BLE001 - whatever the release raises
        return {"error": said(error)}


def load_all(directory: Path, report: Path) -> None:
    """Load every file of a directory with HyperSpy, and say what was raised."""
    load = import_module("hyperspy.api").load
    raised: dict[str, str] = {}
    for path in sorted(directory.glob("*.zspy")):
        try:
            load(path)
        except Exception as error:  # noqa: BLE001 - whatever HyperSpy raises
            raised[path.stem] = said(error)
    report.write_text(json.dumps(raised), encoding="utf-8")


def main(task: str, *paths: str) -> None:
    """Do one of the tasks."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    tasks: dict[str, Callable[..., None]] = {
        "make": make,
        "judge": judge,
        "judge_hdf5": judge_hdf5,
        "judge_stores": judge_stores,
        "values": values,
        "load_all": load_all,
    }
    tasks[task](*(Path(path) for path in paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
