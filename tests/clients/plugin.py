"""A plug-in for pytest: each signal that a test of another program makes is saved and loaded.

It runs in the environment of that program, beside its own installed tests. The signal is saved and
loaded by zspy or, on zarr-python 2, by HyperSpy's own reader and writer, and what HyperSpy would
save of the loaded signal is compared with what it would have saved of the first one: values, types,
axes, metadata and class. Signals of one kind are exchanged once.

``ZSPY_CLIENTS_WRITER``
    ``zspy.hyperspy`` or ``rsciio.zspy``: the module that saves and loads.
``ZSPY_CLIENTS_REPORT``
    The file that the report is written to, as JSON.
``ZSPY_CLIENTS_COUNT``
    So many tests are run, spread over all; without it all are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import pytest

from tests.interop.worker import drop_history, model_names, restored, said
from tests.support.sidecar import Difference, differences, is_array, is_dict

WRITER: Final = os.environ.get("ZSPY_CLIENTS_WRITER", "zspy.hyperspy")
REPORT: Final = Path(os.environ.get("ZSPY_CLIENTS_REPORT", os.devnull))
COUNT: Final = int(os.environ.get("ZSPY_CLIENTS_COUNT", "0"))
MOST_SIGNALS: Final = 40  # of one test: a decomposition makes hundreds
MOST_BYTES: Final = 4_000_000
MOST_PROBLEMS: Final = 10  # of one signal

_made: list[Any] = []  # by the test that runs
_handed: list[dict[str, Any]] = []
_kinds: set[str] = set()
_problems: list[dict[str, str]] = []
_tests: list[str] = []
_failed: list[str] = []
_signals: list[str] = []


def file_writer(filename: str, signal: dict[str, Any], **options: object) -> None:
    """Stand for a writer: keep what HyperSpy hands to one."""
    del filename, options
    _handed.append(signal)


def pytest_configure(config: pytest.Config) -> None:
    """Note each signal that is made, and let the writer save and load it."""
    del config
    api: Any = import_module("hyperspy.api")
    api.preferences.General.show_progressbar = False
    base: Any = import_module("hyperspy.signal").BaseSignal
    make = base.__init__

    @wraps(make)
    def noted(signal: Any, *args: object, **kwds: object) -> None:
        make(signal, *args, **kwds)
        if len(_made) < MOST_SIGNALS:
            _made.append(signal)

    base.__init__ = noted
    plugin()["api"] = WRITER
    if WRITER == "zspy.hyperspy":
        plugin("HSPY")["api"] = "tests.clients.redirected"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a fixed count of tests, from the first to the last."""
    if 0 < COUNT < len(items):
        items[:] = [items[number * len(items) // COUNT] for number in range(COUNT)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run a test, then exchange the signals that it has made."""
    _made.clear()
    _tests.append(item.nodeid)
    try:
        return (yield)
    except Exception:
        _failed.append(item.nodeid)
        raise
    finally:
        exchange_all(item.nodeid, [*_made])
        _made.clear()


def pytest_sessionfinish() -> None:
    """Write the report."""
    report = {"tests": _tests, "failed": _failed, "signals": _signals, "problems": _problems}
    REPORT.write_text(json.dumps(report, indent=1), encoding="utf-8")


def exchange_all(test: str, signals: list[Any]) -> None:
    """Exchange the signals of a test, as far as they are of a kind that was not seen before."""
    for signal in signals:
        if signal.data.nbytes > MOST_BYTES:
            continue
        try:
            kind = kind_of(signal)
        except Exception:  # noqa: BLE001, S112 - a test may leave a signal that is broken
            continue
        if kind in _kinds:
            continue
        _kinds.add(kind)
        _signals.append(kind)
        about = {"test": test, "kind": f"{type(signal).__name__} of {signal.data.dtype}"}
        found = [*exchanged(signal)][:MOST_PROBLEMS]
        _problems.extend({**about, **problem} for problem in found)


def kind_of(signal: Any) -> str:
    """Say what makes a signal different from others: types and keys, no values."""
    metadata = [*leaves(signal.metadata.as_dictionary())]
    original = [*leaves(signal.original_metadata.as_dictionary())][:100]
    results: dict[str, object] = {**vars(signal.learning_results)}
    learned = [key for key, value in results.items() if value is not None]
    axes: list[object] = [
        (type(axis).__name__, axis.navigate, bool(axis.name), bool(axis.units))
        for axis in signal.axes_manager._axes
    ]
    about = (type(signal).__name__, str(signal.data.dtype), signal._lazy, signal.ragged)
    return repr((about, axes, metadata, original, learned, len(model_names(signal))))


def leaves(tree: dict[Any, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the places of values, and their types."""
    for key, value in tree.items():
        if is_dict(value):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", type_of(value)


def type_of(value: object) -> str:
    """Name a type; of an array its data type as well."""
    name = type(value).__name__
    return f"{name} of {value.dtype}" if is_array(value) else name


def exchanged(given: Any) -> Iterator[dict[str, str]]:
    """Save and load a signal, eagerly and lazily, and yield what has become different."""
    work = Path(tempfile.mkdtemp())
    try:
        signal = given.deepcopy()
        before = described(signal)
    except Exception:  # noqa: BLE001 - it cannot be copied or described: nothing to compare with
        shutil.rmtree(work)
        return
    try:
        signal.save(work / "signal.zspy")
        for lazy in (False, True)[: 1 + (signal.data.size > 0)]:
            way = "lazy" if lazy else "eager"
            for difference in compared(before, work / "signal.zspy", lazy):
                yield {"way": way, **told(difference)}
    except Exception as error:  # noqa: BLE001 - told
        yield {"way": "", "place": "", "difference": said(error), "values": ""}
    finally:
        shutil.rmtree(work)


def compared(before: dict[str, Any], path: Path, lazy: bool) -> list[Difference]:
    """Load a signal, and compare it."""
    loaded = import_module("hyperspy.api").load(path, lazy=lazy)
    found = [Difference("lazy", lazy, loaded._lazy)] if loaded._lazy != lazy else []
    found += [
        Difference(f"lazy {place}", lazy, below._lazy)
        for place, below in nested(loaded.metadata)
        if below._lazy != lazy
    ]
    return found + differences(before, described(loaded))


def nested(metadata: Any) -> Iterator[tuple[str, Any]]:
    """Yield the signals in metadata, which are as lazy as the file was opened."""
    for key, value in metadata:
        if hasattr(value, "axes_manager"):
            yield key, value
        elif hasattr(value, "as_dictionary"):
            yield from nested(value)


def told(difference: Difference) -> dict[str, str]:
    """Describe a difference without what changes from run to run, and with it."""
    expected, found = type_of(difference.expected), type_of(difference.found)
    return {
        "place": re.sub(r"\d+", "0", difference.path),
        "difference": f"{expected} became {found}" if expected != found else f"another {found}",
        "values": str(difference)[:300],
    }


def described(signal: Any) -> dict[str, Any]:
    """Describe all that a signal is: its class, what HyperSpy would save, its models."""
    signal._assign_subclass()  # HyperSpy chooses the class by shape and dtype when it loads
    with saving_by(__name__):
        signal.save("unused.zspy", overwrite=True)
    saved = _handed.pop()
    drop_history(saved)
    saved.pop("tmp_parameters", None)  # the name of the file
    comparable(saved)
    return {
        "class": type(signal).__name__.removeprefix("Lazy").removeprefix("Base"),
        "axes_manager": str(signal.axes_manager),
        **{key: as_stored(value) for key, value in saved.items()},
        "restored": {name: restored(signal, name) for name in sorted(model_names(signal))},
    }


def comparable(tree: dict[Any, Any]) -> None:
    """Leave out, in place, how signals were opened, and show axes that stand in metadata."""
    tree.pop("_lazy", None)
    for key, value in tree.items():
        if is_dict(value):
            comparable(value)
        elif isinstance(value, (list, tuple)):
            given = cast("Any", value)
            for below in given:
                if is_dict(below):
                    comparable(below)
            tree[key] = type(given)(map(axis_shown, given))


def axis_shown(value: Any) -> Any:
    """Give the dictionary of an axis."""
    return value.get_axis_dictionary() if hasattr(value, "get_axis_dictionary") else value


def as_stored(value: Any) -> Any:
    """Follow the rule that a list becomes an array; for zspy by its own word."""
    if WRITER != "zspy.hyperspy" or not is_dict(value):
        return value
    return import_module("zspy").homogenized(value)


@contextmanager
def saving_by(module: str) -> Generator[None]:
    """Let HyperSpy save with a module of this name."""
    plugin()["api"] = module
    try:
        yield
    finally:
        plugin()["api"] = WRITER


def plugin(name: str = "ZSPY") -> dict[str, Any]:
    """Find what HyperSpy knows of a format."""
    plugins: Any = import_module("rsciio").IO_PLUGINS
    found: dict[str, Any] = next(plugin for plugin in plugins if plugin["name"] == name)
    return found
