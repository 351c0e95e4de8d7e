"""Wrong values for each keyword of public functions: messages say what, where and the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import zspy
from zspy.documents import Storage
from zspy.stores import DBMStore, LMDBStore, MappingStore
from zspy.stores.sqlite import SQLiteStore

AXES: Final = [{"name": "y", "size": 3, "navigate": True}, {"name": "x", "size": 4}]
ANY: Final[Any] = zspy  # wrong values are what is tested here


# A dictionary that says it is an integer.
Lying: Final[Any] = type("Lying", (dict,), {"__class__": property(lambda _: int)})


class Raising(list[int]):
    """A list that raises when somebody iterates over it."""

    def __iter__(self) -> Any:
        """Raise."""
        raise RuntimeError("no")


WRONG: Final[dict[str, object]] = {
    "lying class": Lying(),
    "list that raises": Raising([1, 2]),
    "object": object(),
    "None": None,
    "-1": -1,
    "nan": float("nan"),
    "NUL": "\0",
    "surrogate": "\ud800",
    "bytes": b"x",
    "long": "x" * 5000,
    "list": [None],
    "dictionary": {1: 2},
    "number in an array": np.array(3),
    "matrix": np.ones((2, 2)),
    "texts": np.array(["a", "b"]),
    "odd group": ANY.Group({}, {"a": b"x"}),
}


def signal() -> dict[str, Any]:
    """Make a small signal."""
    return {"data": np.zeros((3, 4)), "axes": [*map(dict, AXES)], "metadata": {}}


def nodes(**parts: Any) -> object:
    """Serialise a group."""
    return dict(zspy.serialise(zspy.Group(**parts)))


def array(**parts: Any) -> object:
    """Serialise an array."""
    return dict(zspy.serialise(zspy.Array(**parts)))


def written(**options: Any) -> object:
    """Write a file into a dictionary."""
    place: dict[str, bytes] = {}
    ANY.file_writer(**({"filename": place, "signal": signal()} | options))
    return place


def opened(kind: Callable[..., Any]) -> Callable[..., None]:
    """Open a store, and close it."""

    def call(**options: Any) -> None:
        kind(**options).close()

    return call


Call = tuple[Callable[..., object], Callable[..., object], dict[str, Any]]


def calls(folder: Path) -> dict[str, Call]:
    """List functions, those that have their keywords, and the arguments of a right call."""
    place = written()
    encoded = zspy.encode_signal(signal())
    stores: dict[str, Call] = {
        f"{kind.__name__}": (opened(kind), kind, {"path": folder / kind.__name__})
        for kind in (LMDBStore, DBMStore, SQLiteStore)
    }
    store: Any = {}
    others: dict[str, Call] = {
        "commit": (zspy.commit, zspy.commit, {"documents": place, "store": store}),
        "MappingStore": (MappingStore, MappingStore, {"mapping": {}}),
        "file_writer": (written, zspy.file_writer, {}),
        "file_reader": (zspy.file_reader, zspy.file_reader, {"filename": place}),
        "open_group": (zspy.open_group, zspy.open_group, {"place": place}),
        "Limits": (zspy.Limits, zspy.Limits, {}),
        "Storage": (Storage, Storage, {}),
        "encode": (zspy.encode, zspy.encode, {"value": {}}),
        "unsupported": (zspy.unsupported, zspy.unsupported, {}),
        "decode": (zspy.decode, zspy.decode, {"group": encoded}),
        "encode_signal": (zspy.encode_signal, zspy.encode_signal, {"signal": signal()}),
        "decode_signal": (zspy.decode_signal, zspy.decode_signal, {"group": encoded}),
        "Group": (nodes, zspy.Group, {}),
        "Array": (array, zspy.Array, {"data": np.ones(3)}),
    }
    if find_spec("xarray"):
        from_signal = zspy.xarray.from_signal
        others["from_signal"] = from_signal, from_signal, {"signal": signal()}
    return stores | others


def refusals(call: Callable[..., object], named: str) -> list[str]:
    """Make a call; say what is wrong with the error that it raises, if it does."""
    try:
        call()
    except zspy.ZspyError as error:
        said = str(error)
        if error.where and error.remedy and len(said) < 300:
            return []
        return [f"{named}: {said}"]
    except ModuleNotFoundError:
        return []
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        return [f"{named}: {error!r}"]
    return []


@pytest.mark.filterwarnings("ignore")
def test_each_message_says_what_where_and_the_remedy(tmp_path: Path) -> None:
    bad: list[str] = []
    for name, (function, keywords, right) in calls(tmp_path).items():
        for key in inspect.signature(keywords).parameters:
            if key in {"self", "options", "kwds"}:
                continue
            for kind, value in WRONG.items():
                given = {**right, key: value}
                bad += refusals(partial(function, **given), f"{name}({key}={kind})")
    assert bad == []


def test_a_group_of_another_library_is_told_from_ones_own() -> None:
    for module in ("h5py", "other.values.nodes"):
        group = type("Group", (), {"__module__": module})()
        said = f"^group: an? {module[:5].rstrip('.')}[.]Group is no group; encode makes one"
        with pytest.raises(zspy.EncodeError, match=said):
            ANY.decode(group)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["encode_signal", "from_signal"])
def test_each_part_of_a_signal_is_named(name: str) -> None:
    module: Any = zspy
    if name == "from_signal":
        pytest.importorskip("xarray")
        module = zspy.xarray
    function: Callable[..., object] = getattr(module, name)
    bad: list[str] = []
    for key in ("data", "axes", "metadata", "attributes", "models", "package"):
        for kind, value in WRONG.items():
            given = {**signal(), key: value}
            bad += refusals(partial(function, given), f"{key}={kind}")
    assert bad == []


class StrangeError(Exception):
    """What the class of a stranger raises."""


RAISING: Final = (
    *("__repr__", "__len__", "__iter__", "__array__", "__getitem__", "__getattr__", "__bool__"),
    *("__eq__", "__str__", "__float__", "__int__"),
)
BASES: Final[dict[type, tuple[Any, ...]]] = {
    object: (),
    str: ("a",),
    int: (3,),
    float: (1.5,),
    list: ([1, 2],),
    tuple: ((1, 2),),
    dict: ({"a": 1},),
}


def raising(method: str, base: type) -> Any:
    """Make an object of which a method raises."""

    def refuse(*_: object) -> object:
        raise StrangeError

    def hashed(_: object) -> int:
        return 1

    made: Any = type("Strange", (base,), {method: refuse, "__hash__": hashed})
    return made(*BASES[base])


def places_of(value: Any) -> dict[str, Callable[[], object]]:
    """Put a value at each place of a tree, and of a signal."""
    found: dict[str, Callable[[], object]] = {
        "value": partial(ANY.encode, value),
        "tree.value": partial(ANY.encode, {"tree": {"value": value}}),
        "list": partial(ANY.encode, {"list": [1, value]}),
        "key": partial(ANY.encode, {"key": {value: 1}}),
        "exact": partial(ANY.encode, {"exact": (1, value)}, homogenize=False),
        "homogenized": partial(ANY.homogenized, {"homogenized": [1, value]}),
        "unsupported": partial(ANY.unsupported, {"unsupported": [1, value]}),
        "signal": partial(ANY.file_writer, {}, value),
        "compressor": partial(written, compressor=value),
    }
    found |= {
        key: partial(written, signal={**signal(), key: value})
        for key in ("data", "axes", "metadata", "attributes", "models", "learning_results")
    }
    for key in ("name", "scale", "size", "axis", "expression", "x", "navigate"):
        given = {**signal(), "axes": [{**AXES[0], key: value}, AXES[1]]}
        found[f"axes[0].{key}"] = partial(written, signal=given)
    given = {**signal(), "metadata": {"General": {"title": value}}}
    found["metadata.General.title"] = partial(written, signal=given)
    found["axes[0]"] = partial(written, signal={**signal(), "axes": [value, AXES[1]]})
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", RAISING)
def test_what_the_class_of_a_stranger_raises_is_told_with_its_place(method: str) -> None:
    bad: list[str] = []
    for base in BASES:
        for name, call in places_of(raising(method, base)).items():
            bad += refusals(call, f"{name}={base.__name__}.{method}")
    assert bad == []


def test_the_error_of_a_stranger_is_the_cause() -> None:
    for value in (raising("__iter__", list), raising("__getattr__", object)):
        with pytest.raises(zspy.EncodeError, match="raises StrangeError") as caught:
            ANY.encode({"a": {"b": value}})
        assert caught.value.location == "a.b"
        assert isinstance(caught.value.__cause__, StrangeError)
        with pytest.raises(zspy.EncodeError, match=r"\Aaxes\[1\]\.axis: |\Aaxes\[1\]: "):
            ANY.encode_signal({**signal(), "axes": [AXES[0], {"axis": value}]})
    skipped = zspy.encode({"a": 1, "b": raising("__getattr__", object)}, unsupported="skip")
    assert skipped == zspy.encode({"a": 1})
