"""The strategies give every hard class that they promise; `identical` tells everything apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import copysign, isinf, isnan
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings, strategies as st

from zspy import strategies
from zspy.strategies import (
    arrays,
    axes,
    dtypes,
    first_difference,
    identical,
    json_scalars,
    keys,
    object_arrays,
    plain_trees,
    scalars,
    sequences,
    signals,
    trees,
    values,
)

Test: TypeAlias = Callable[[Any], object]

ALL: Final[dict[str, Callable[..., st.SearchStrategy[Any]]]] = {
    name: getattr(strategies, name)
    for name in (
        *("json_scalars", "scalars", "keys", "dtypes", "arrays", "object_arrays", "sequences"),
        *("values", "trees", "plain_trees", "axes", "signals"),
    )
}


@cache
def sample(strategy: st.SearchStrategy[Any], count: int = 800) -> list[Any]:
    """Return the same examples on every run; of the health checks only that of time is off."""
    drawn: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow,),
    )
    @given(strategy)
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    return drawn


def missing(strategy: st.SearchStrategy[Any], classes: dict[str, Test], count: int) -> list[str]:
    """Return the names of the classes of which there is no example, however far one looks."""
    names = list(classes)
    for enough in (count, 5 * count):  # another version of Hypothesis gives other examples
        drawn = sample(strategy, enough) if names else []
        names = [name for name in names if not any(map(classes[name], drawn))]
    return names


def isa(value: object, *kinds: type) -> bool:
    """Return what `isinstance` returns; type checkers learn nothing, and ask for no more."""
    return isinstance(value, kinds)


def parts(value: Any) -> Iterator[Any]:
    """Yield a value and all that is in it, keys too."""
    pending = [value]
    while pending:
        found = pending.pop()
        yield found
        if isa(found, dict):
            pending += [*found, *found.values()]
        elif isa(found, list, tuple, set, frozenset):
            pending += found
        elif isa(found, np.ndarray) and found.dtype == object:
            pending += cells(found)


def cells(array: Any) -> list[Any]:
    """Return what is in an array, row by row, as it is."""
    return [array[index] for index in np.ndindex(array.shape)]


def depth(value: Any) -> int:
    """Return how many dictionaries there are within each other."""
    deepest, pending = 0, [(value, 0)]
    while pending:
        found, level = pending.pop()
        level += isa(found, dict)
        deepest = max(deepest, level)
        if isa(found, dict, list, tuple):
            pending += [(part, level) for part in (found.values() if isa(found, dict) else found)]
    return deepest


def equal(*expected: Any, get: Callable[[Any], Any] = lambda value: value) -> Test:
    """Return whether a value, or something of it, is one of those expected."""
    return lambda value: get(value) in expected


def of(kind: type, test: Test = lambda _: True) -> Test:
    """Return whether a value is of exactly this type, and passes the test."""
    return lambda value: type(value) is kind and bool(test(value))


JSON_SCALARS: Final[dict[str, Test]] = {
    "none": lambda v: v is None,
    "bool": of(bool),
    "small int": of(int, lambda v: 0 < v < 10),
    "64 bit": of(int, lambda v: 2**63 <= v < 2**64),
    "beyond 64 bit": of(int, lambda v: v > 2**64),
    "far below": of(int, lambda v: v < -(2**64)),
    "beyond float": of(int, lambda v: v >= 2**1024),
    "nan": of(float, isnan),
    "infinity": of(float, lambda v: isinf(v) and v > 0),
    "negative infinity": of(float, lambda v: isinf(v) and v < 0),
    "negative zero": of(float, lambda v: v == 0 and copysign(1, v) < 0),
    "integral float": of(float, lambda v: v.is_integer() and v != 0),
    "subnormal": of(float, lambda v: 0 < abs(v) < 1e-310),
    "empty": of(str, lambda v: v == ""),
    "none mark": of(str, lambda v: v == "_None_"),
    "NUL": of(str, lambda v: "\0" in v[:-1]),
    "trailing NUL": of(str, lambda v: v.endswith("\0")),
    "lone surrogate": of(str, lambda v: any("\ud800" <= c <= "\udfff" for c in v)),
    "beyond ASCII": of(str, lambda v: not v.isascii()),
    "beyond 16 bit": of(str, lambda v: max(v, default="") > "\uffff"),
    "long": of(str, lambda v: len(v) > 255),
}

NUMPY: Final = (
    *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128),
    *(np.clongdouble, np.str_, np.bytes_, np.void, np.datetime64, np.timedelta64),
)


def aware(value: Any) -> bool:
    return value.tzinfo is not None


def zone_name(value: Any) -> str:
    return value.tzinfo.tzname(None) if isinstance(value.tzinfo, timezone) else ""


SCALARS: Final[dict[str, Test]] = {
    **{name: JSON_SCALARS[name] for name in ("none", "bool", "beyond 64 bit", "nan", "empty")},
    **{kind.__name__: of(kind) for kind in NUMPY},
    **{
        kind.__name__: of(kind)
        for kind in (
            *(complex, bytes, bytearray, date, timedelta, datetime, time, Decimal, Fraction, UUID),
            *(PurePosixPath, PureWindowsPath, range, slice, set, frozenset),
        )
    },
    "not a time": of(np.datetime64, np.isnat),
    "not a duration": of(np.timedelta64, np.isnat),
    "a time": of(np.datetime64, lambda v: not np.isnat(v)),
    "np.str_ with trailing NUL": of(np.str_, lambda v: v.endswith("\0")),
    "np.bytes_ with trailing NUL": of(np.bytes_, lambda v: v.endswith(b"\0")),
    "structured void": of(np.void, lambda v: v.dtype.names is not None),
    "plain void": of(np.void, lambda v: v.dtype.names is None),
    "bytes with NUL": of(bytes, lambda v: b"\0" in v),
    "bytes beyond UTF-8": of(bytes, lambda v: b"\xff" in v),
    "naive": of(datetime, lambda v: v.tzinfo is None),
    "fixed offset": of(datetime, lambda v: zone_name(v).startswith("UTC+")),
    "named offset": of(datetime, lambda v: zone_name(v)[:3] not in ("", "UTC")),
    "zoneinfo": of(datetime, lambda v: isinstance(v.tzinfo, ZoneInfo)),
    "fold": of(datetime, lambda v: v.fold == 1),
    "aware time": of(time, aware),
    "time fold": of(time, lambda v: v.fold == 1),
    "signalling NaN": of(Decimal, Decimal.is_snan),
    "quiet NaN": of(Decimal, Decimal.is_qnan),
    "infinite decimal": of(Decimal, Decimal.is_infinite),
    "negative zero decimal": of(Decimal, lambda v: v.is_zero() and v.is_signed()),
    "exponent": of(Decimal, lambda v: v.is_finite() and abs(int(v.as_tuple().exponent)) > 20),
    "trailing zero": of(Decimal, lambda v: str(v) == "1.10"),
    "range beyond 64 bit": of(range, lambda v: v.stop > 2**64),
    "backward range": of(range, lambda v: v.step < 0),
    "open slice": of(slice, lambda v: v.start is None),
    "slice of strings": of(slice, lambda v: isinstance(v.stop, str)),
    "empty set": of(set, lambda v: not v),
    "set of types": of(set, lambda v: len(set(map(type, v))) > 1),
    "set of sets": of(set, lambda v: any(isinstance(m, frozenset) for m in v)),
    "set of NumPy scalars": of(set, lambda v: any(isa(m, np.generic) for m in v)),
}

NAMES: Final[dict[str, Test]] = {
    **{
        f"mark {mark}": equal(mark, mark + "x", mark + "3_x")
        for mark in (
            *("_list_", "_tuple_", "_list_3_", "_tuple_3_", "_list_empty_", "_tuple_empty_"),
            *("_bs_", "_sig_", "_sig_zspy", "_ragged_shapes_", "_ragged_offsets_", "_ragged_"),
            *("_datetime_date", "_datetime_time", "_hspy_AxesManager_", "_hspy_Axis_", "axis-"),
        )
    },
    **{
        f"name {name!r}": equal(name)
        for name in (
            *("", ".", "..", ".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json", "%41"),
            *("ragged_shapes", "CON", "nul", "aux.txt", "a.", "a ", "0", "10", "General"),
        )
    },
    "slash": lambda v: "/" in v,
    "backslash": lambda v: "\\" in v,
    "NUL": lambda v: "\0" in v,
    "control character": lambda v: any("\x01" <= c < " " for c in v),
    "too long": lambda v: len(v) > 255,
    "too long in UTF-8 only": lambda v: len(v) < 256 < len(v.encode(errors="replace")),
    "lone surrogate": JSON_SCALARS["lone surrogate"],
}

RECORDS: Final[dict[str, Test]] = {
    "structured": lambda v: v.names is not None,
    "nested": lambda v: any(v[name].names for name in v.names or ()),
    "subarray": lambda v: any(v[name].subdtype for name in v.names or ()),
    "aligned": lambda v: v.names is not None and v.itemsize > sum(v[n].itemsize for n in v.names),
    "name beyond ASCII": lambda v: "é" in (v.names or ()),
}

UNITS: Final = (*"YMWDhms", "ms", "us", "ns", "ps", "fs", "as", "25s", "7D")
CODES: Final[dict[str, list[Any]]] = {
    "b": ["?"],
    "i": ["i1", "i2", "i4", "i8"],
    "u": ["u1", "u2", "u4", "u8"],
    "f": ["f2", "f4", "f8", "g"],
    "c": ["c8", "c16", "G"],
    "S": ["S1", "S4"],
    "U": ["U1", "U4"],
    "V": ["V1", "V5"],
    **{kind: [f"{kind}8", *(f"{kind}8[{unit}]" for unit in UNITS)] for kind in "mM"},
}

ARRAYS: Final[dict[str, Test]] = {
    **{f"kind {kind}": equal(kind, get=lambda v: v.dtype.kind) for kind in "biufcmMSUVT"},
    "no dimension": lambda v: v.ndim == 0,
    "three dimensions": lambda v: v.ndim == 3,
    "empty": lambda v: v.size == 0 and v.ndim == 2,
    "Fortran": lambda v: v.flags.f_contiguous and not v.flags.c_contiguous,
    "strided": lambda v: v.size and not v.flags.forc and min(v.strides) > 0,
    "reversed": lambda v: min(v.strides, default=0) < 0,
    "zero strides": lambda v: 0 in v.strides and v.size > 1,
    "read-only": lambda v: not v.flags.writeable and v.flags.c_contiguous and v.size > 1,
    "masked": lambda v: (
        isa(v, np.ma.MaskedArray) and v.dtype.names is None and {*v.mask.flat} == {True, False}
    ),
    "no mask": lambda v: isa(v, np.ma.MaskedArray) and v.mask is np.ma.nomask,
    "masked record": lambda v: isa(v, np.ma.MaskedArray) and v.dtype.names is not None,
    "filled": lambda v: isa(v, np.ma.MaskedArray) and v.dtype == "i1" and v.fill_value != 63,
    "missing string": lambda v: v.dtype.kind == "T" and None in v.ravel().tolist(),
    "bytes of any value": lambda v: v.dtype.kind == "S" and any(b"\xff" in b for b in v.flat),
    "not a number": lambda v: v.dtype.kind == "f" and np.isnan(v).any(),
}


def kinds(array: Any) -> set[type]:
    return set(map(type, cells(array)))


def cell_dtypes(array: Any) -> list[Any]:
    return [cell.dtype for cell in cells(array) if isa(cell, np.ndarray)]


OBJECT_ARRAYS: Final[dict[str, Test]] = {
    "ragged, of one dtype": lambda v: (
        len(found := cell_dtypes(v)) == v.size > 1
        and all(d == found[0] for d in found)
        and len({cell.shape for cell in cells(v)}) > 1
    ),
    "ragged, of several dtypes": lambda v: len({str(d) for d in cell_dtypes(v)}) > 1,
    "arrays and None": lambda v: {np.ndarray, type(None)} <= kinds(v),
    "strings": lambda v: kinds(v) == {str},
    "lists": lambda v: list in kinds(v),
    "tuples": lambda v: tuple in kinds(v),
    "dictionaries": lambda v: dict in kinds(v),
    "object arrays": lambda v: object in cell_dtypes(v),
    "0-d cell": lambda v: any(isa(c, np.ndarray) and c.ndim == 0 for c in cells(v)),
    "scalars of types": lambda v: len(kinds(v)) > 2,
    "two dimensions": lambda v: v.ndim == 2 and v.size > 1,
    "no dimension": lambda v: v.ndim == 0,
    "empty": lambda v: v.size == 0,
}

SEQUENCES: Final[dict[str, Test]] = {
    f"{kind.__name__}: {name}": of(kind, test)
    for kind in (list, tuple)
    for name, test in dict[str, Test](
        {
            "empty": lambda v: not v,
            "one type": lambda v: len(v) > 1 and set(map(type, v)) == {int},
            "strings": lambda v: len(v) > 1 and set(map(type, v)) == {str},
            "numbers that merge": lambda v: {int, float} == set(map(type, v)),
            "text and number": lambda v: {int, str} == set(map(type, v)),
            "signs of 64 bit": lambda v: list(v) == [2**63, -1],
            "None inside": lambda v: len(v) > 1 and None in [m for m in v if m is None],
            "more than ten, mixed": lambda v: len(v) > 10 and {int, list} == set(map(type, v)),
            "more than ten, alike": lambda v: len(v) > 10 and len(set(map(type, v))) == 1,
            "nested": lambda v: any(isinstance(m, list) for m in v),
        }
    ).items()
}

VALUES: Final[dict[str, Test]] = {
    "dictionary": of(dict, len),
    "ordered dictionary": of(OrderedDict, len),
    "dictionary in list": of(list, lambda v: any(isinstance(m, dict) for m in v)),
    "list in dictionary": of(dict, lambda v: any(isinstance(m, list) for m in v.values())),
    "list in list": of(list, lambda v: list in map(type, v)),
    "array in tuple": of(tuple, lambda v: any(isa(m, np.ndarray) for m in v)),
    "array": of(np.ndarray, lambda v: v.dtype != object),
    "object array": of(np.ndarray, lambda v: v.dtype == object),
    "masked array": of(np.ma.MaskedArray),
    "scalar": lambda v: type(v).__module__ in ("uuid", "datetime", "decimal", "fractions"),
}

AXES: Final[dict[str, Test]] = {
    **{
        kind: equal(kind, get=lambda v: v["_type"])
        for kind in ("UniformDataAxis", "DataAxis", "FunctionalDataAxis")
    },
    "no name": lambda v: v["name"] is None,
    "hard name": lambda v: v["name"] == "_None_",
    "navigation": lambda v: v["navigate"],
    "signal": lambda v: not v["navigate"],
    "vector inside": lambda v: "axis" in v.get("x", {}),
    "parameters": lambda v: "a" in v,
    "integer parameter": lambda v: isinstance(v.get("a"), int),
}


def is_ragged(signal: dict[str, Any]) -> bool:
    return bool(signal["attributes"]["ragged"])


SIGNALS: Final[dict[str, Test]] = {
    **{
        f"{dims} dimensions": equal((dims, False), get=lambda v: (v["data"].ndim, is_ragged(v)))
        for dims in range(5)
    },
    **{
        f"title {title!r}": equal(title, get=lambda v: v["metadata"]["General"]["title"])
        for title in ("", "..", None)
    },
    "ragged": lambda v: is_ragged(v) and v["data"].ndim == 2,
    "model": lambda v: v["models"],
    "metadata": lambda v: len(v["metadata"]) > 2,
    "learning results": lambda v: v["attributes"]["learning_results"],
}


@pytest.mark.samples
@pytest.mark.parametrize(
    ("strategy", "classes", "count"),
    [
        pytest.param(json_scalars(), JSON_SCALARS, 800, id="json_scalars"),
        pytest.param(scalars(), SCALARS, 2000, id="scalars"),
        pytest.param(keys(), NAMES, 1500, id="keys"),
        pytest.param(dtypes(kinds="bifV"), RECORDS, 300, id="dtypes"),
        pytest.param(arrays(), ARRAYS, 1000, id="arrays"),
        pytest.param(object_arrays(), OBJECT_ARRAYS, 500, id="object_arrays"),
        pytest.param(sequences(), SEQUENCES, 800, id="sequences"),
        pytest.param(values(), VALUES, 800, id="values"),
        pytest.param(axes(), AXES, 500, id="axes"),
        pytest.param(signals(), SIGNALS, 250, id="signals"),
    ],
)
def test_every_hard_class_is_generated(
    strategy: st.SearchStrategy[Any], classes: dict[str, Test], count: int
) -> None:
    assert missing(strategy, classes, count) == []


@pytest.mark.samples
@pytest.mark.parametrize("kind", CODES)
def test_every_dtype_of_a_kind_is_generated(kind: str) -> None:
    found = {dtype for dtype in sample(dtypes(kinds=kind), 300) if dtype.names is None}
    assert found == {np.dtype(order + code) for code in CODES[kind] for order in "<>"}


def test_strings_of_variable_length_are_generated_with_and_without_missing_ones() -> None:
    string = np.dtypes.StringDType
    found = sample(dtypes(kinds="T"), 50)
    assert all(dtype in found for dtype in (string(), string(coerce=False), string(na_object=None)))


def test_extended_precision_is_more_than_a_float_has() -> None:
    for code in "gG":
        strategy = arrays(dtype=st.just(np.dtype(code)), shape=())
        assert find(strategy, lambda array: array == np.longdouble(1) / 3).dtype == code


def among(test: Test) -> Test:
    return lambda value: any(map(test, value))


@pytest.mark.samples
def test_keys_of_any_type_include_tuples() -> None:
    types = (str, int, float, bool, type(None), tuple)
    single = {kind.__name__: of(kind) for kind in types}
    inside = {f"{name} in tuple": of(tuple, among(test)) for name, test in single.items()}
    assert missing(keys(any_type=True), {**single, **inside, "()": equal(())}, 800) == []
    assert {type(key) for key in sample(keys(), 1500)} == {str}


@pytest.mark.samples
def test_trees_are_shallow_and_deep() -> None:
    found = [depth(tree) for tree in sample(trees(), 250)]
    assert min(found) == 1
    assert max(found) > 20
    assert max(depth(tree) for tree in sample(trees(max_depth=1), 150)) < 6
    assert {type(part) for tree in sample(trees(), 250) for part in parts(tree)} >= {
        *(dict, list, tuple, np.ndarray, set, OrderedDict, str, bool, int, float, type(None)),
    }


@pytest.mark.samples
def test_keys_of_one_dictionary_clash() -> None:
    """By case, mark, path or normalization; and by type only, where that is asked for."""
    found = strategies._CLASHES
    names = {str(clash): among_keys(clash) for clash in found}
    assert missing(strategies._dictionaries(st.none(), any_type=True), names, 500) == []
    assert ("key", "Key", "KEY") in found
    assert ("x", "3_x", "_list_x", "_list_3_x") in found
    strings = sample(strategies._dictionaries(st.none()), 300)
    assert {type(key) for drawn in strings for key in drawn} == {str}


def among_keys(names: tuple[Any, ...]) -> Test:
    return lambda drawn: {*names} <= drawn.keys()


@pytest.mark.samples
def test_trees_without_keys_of_any_type_have_names_only() -> None:
    for tree in sample(trees(any_type=False), 150) + sample(values(any_type=False), 150):
        for part in parts(tree):
            if isa(part, dict):
                assert {type(key) for key in part} <= {str}


@pytest.mark.samples
def test_arguments_narrow_what_is_generated() -> None:
    assert {dtype.kind for dtype in sample(dtypes(kinds="fT"), 100)} == {"f", "T"}
    assert {a.shape for a in sample(arrays(shape=(2, 3)), 100)} == {(2, 3)}
    assert max(a.ndim for a in sample(arrays(max_dims=1), 100)) == 1
    assert {a.ndim for a in sample(arrays(max_dims=0), 20)} == {0}
    assert not any(isa(a, np.ma.MaskedArray) for a in sample(arrays(masked=False), 200))
    found = sample(object_arrays(cells=st.just(0), shape=(2,)), 20)
    assert all(a.tolist() == [0, 0] for a in found)
    assert {type(m) for v in sample(sequences(elements=st.just(b"")), 20) for m in v} >= {bytes}
    assert sample(axes(size=3, index=2, functional=False), 20)[0]["index_in_array"] == 2
    data, tree = st.just(np.zeros(2)), st.just({"a": 1})
    assert sample(signals(data=data, tree=tree), 5)[0]["original_metadata"] == {"a": 1}


@pytest.mark.samples
def test_an_axis_has_as_many_points_as_it_says() -> None:
    for axis in sample(axes(size=3, index=1), 300):
        assert axis["index_in_array"] == 1
        inner = axis.get("x", axis)
        assert inner["size"] == 3 if "size" in inner else len(inner["axis"]) == 3
        if "x" in axis:
            assert axis["size"] == 3
            assert "index_in_array" not in inner
            names = {c for c in axis["expression"] if c in "abc"}
            assert names <= axis.keys()
        if "axis" in inner:
            assert (np.diff(inner["axis"]) > 0).all()


@pytest.mark.samples
@pytest.mark.parametrize("form", ["reader", "hyperspy"])
def test_a_signal_has_an_axis_for_each_dimension(form: Any) -> None:
    common = {"data", "axes", "metadata", "original_metadata", "attributes", "models"}
    own = {
        "reader": {"package", "package_version"},
        "hyperspy": {"learning_results", "tmp_parameters", "package_info"},
    }
    for signal in sample(signals(form=form), 80):
        assert signal.keys() == common | own[form]
        for index, axis in enumerate(signal["axes"]):
            length = signal["data"].shape[index]
            assert axis["index_in_array"] == index
            assert axis.get("size", length) == length == len(axis.get("axis", range(length)))
        assert len(signal["axes"]) == signal["data"].ndim
        ragged = signal["attributes"]["ragged"]
        assert ragged == (signal["data"].dtype == object)
        assert not ragged or all(axis["navigate"] for axis in signal["axes"])
        assert ("learning_results" in signal["attributes"]) == (form == "reader")


@pytest.mark.samples
def test_what_is_plain_loses_nothing_when_numpy_makes_one_array_of_it() -> None:
    """The rule for lists: an array of one dimension, not of objects, is what is stored."""
    kept: Final = {
        *(bool, int, float, complex, str, bytes, type(None), dict, list, tuple, np.ndarray),
    }
    merged = 0
    for part in (part for tree in sample(plain_trees(), 200) for part in parts(tree)):
        assert type(part) in kept
        if isa(part, list, tuple) and None in [*part[:1]]:
            assert len(part) <= 10
        elif isa(part, list, tuple) and part:
            assert identical(np.asarray(part).tolist(), [*part])
            merged += 1
        elif isa(part, np.ndarray):
            assert part.dtype.kind in "biufcmMUV"
            assert part.ndim
    assert merged > 50
    assert max(depth(tree) for tree in sample(plain_trees(), 200)) > 2


@pytest.mark.samples
@pytest.mark.parametrize("name", ALL)
def test_hardly_any_example_is_thrown_away(name: str) -> None:
    assert len(sample(ALL[name](), 80)) > 60


@pytest.mark.samples
@pytest.mark.parametrize("name", ALL)
def test_the_same_examples_come_on_every_run(name: str) -> None:
    """And `identical` knows them again: nothing in them is shared between the runs."""
    again = sample.__wrapped__(ALL[name](), 80)
    for first, second in zip(sample(ALL[name](), 80), again, strict=True):
        assert first_difference(first, second) is None
        assert identical(second, first, ordered=False)


def masked(data: Any = (1, 2), mask: Any = (0, 1), fill: Any = None) -> Any:
    return np.ma.MaskedArray(np.array(data), mask=mask, fill_value=fill)


def objects(*cells: Any) -> Any:
    return np.fromiter(cells, object, len(cells))


CET: Final = timezone(timedelta(hours=1), "CET")
MOON: Final = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
STRINGS: Final = np.dtypes.StringDType(na_object=None)
RECORD: Final = np.dtype([("a", "<f8", (2,)), ("b", [("c", "S2"), ("d", "?")])])
ONE: Final = np.array((([0.0, 1.0]), (b"x", True)), RECORD)


def record(**changes: Any) -> Any:
    made = ONE.copy()
    for name, value in changes.items():
        made[name] = value
    return made


DIFFERENT: Final[list[tuple[Any, Any, str]]] = [
    (1, True, ": 1 (int) is not True (bool)"),
    (1, 1.0, ": 1 (int) is not 1.0 (float)"),
    (0.0, -0.0, ": 0.0 (float) is not -0.0 (float)"),
    (1.0, float("nan"), ": 1.0 (float) is not nan (float)"),
    (complex(0, 0), complex(0, -0.0), ": 0j (complex) is not -0j (complex)"),
    ("a", np.str_("a"), ": 'a' (str) is not np.str_('a') (str_)"),
    (np.str_("a"), np.str_("a\0"), ": np.str_('a') (str_) is not np.str_('a') (str_)"),
    (
        np.bytes_(b""),
        np.bytes_(b"\0"),
        ": np.bytes_(b'') (bytes_) is not np.bytes_(b'') (bytes_)",
    ),
    (b"a", bytearray(b"a"), ": b'a' (bytes) is not bytearray(b'a') (bytearray)"),
    (bytearray(b"a"), bytearray(b"b"), ": bytearray(b'a') (bytearray) is not bytearray(b'b')"),
    ("x" * 100, "y", ": 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"),
    (None, 0, ": None (NoneType) is not 0 (int)"),
    (1.0, np.float64(1), ": 1.0 (float) is not np.float64(1.0) (float64)"),
    (np.int32(1), np.int64(1), ": np.int32(1) (int32) is not np.int64(1) (int64)"),
    (np.int64(1), 1, ": np.int64(1) (int64) is not 1 (int)"),
    (
        np.float32(0),
        np.float32(-0.0),
        ": np.float32(0.0) (float32) is not np.float32(-0.0) (float32)",
    ),
    (np.True_, np.False_, ": np.True_ (bool) is not np.False_ (bool)"),
    (
        np.datetime64(1, "s"),
        np.datetime64(1, "ms"),
        ": np.datetime64('1970-01-01T00:00:01') (datetime64) is not np.",
    ),
    (
        np.datetime64(1, "s"),
        np.datetime64("NaT", "s"),
        ": np.datetime64('1970-01-01T00:00:01') (datetime64) is not np.",
    ),
    (Decimal("1.0"), Decimal("1.00"), ": Decimal('1.0') (Decimal) is not Decimal('1.00')"),
    (Decimal("sNaN"), Decimal("NaN"), ": Decimal('sNaN') (Decimal) is not Decimal('NaN')"),
    (Decimal(0), Decimal("-0"), ": Decimal('0') (Decimal) is not Decimal('-0') (Decimal)"),
    (Fraction(1, 2), Fraction(1, 3), ": Fraction(1, 2) (Fraction)"),
    (UUID(int=1), UUID(int=2), ": UUID("),
    (MOON, MOON.replace(tzinfo=None), ": datetime.datetime(1969, 7, 20, 20, 17, tzinfo="),
    (MOON, MOON.astimezone(CET), ": datetime.datetime(1969"),
    (MOON.replace(tzinfo=CET), MOON.replace(tzinfo=timezone(timedelta(hours=1))), ": datetime"),
    (MOON.replace(tzinfo=ZoneInfo("UTC")), MOON, ": datetime.datetime(1969"),
    (MOON, MOON.replace(fold=1), ": datetime.datetime(1969"),
    (time(1), time(1, fold=1), ": datetime.time(1, 0)"),
    (date(2026, 1, 1), date(2026, 1, 2), ": datetime.date(2026, 1, 1) (date)"),
    (range(0, 3, 2), range(0, 4, 2), "[1]: 3 (int) is not 4 (int)"),
    (range(10**5000), range(-1, 10**5000), "[0]: 0 (int) is not -1 (int)"),
    ([10**5000], [10**5000 + 1], "[0]: int (int) is not int (int)"),
    ({10**5000: 0}, {10**5000 + 1: 0}, "[int]: only in the first"),
    ({10**5000}, {10**5000 + 1}, "[0]: int (int) is not int (int)"),
    (PureWindowsPath("A"), PureWindowsPath("a"), ": PureWindowsPath('A') (PureWindowsPath)"),
    (PureWindowsPath("a"), PurePosixPath("a"), ": PureWindowsPath('a') (PureWindowsPath)"),
    (slice(1, 2), slice(1, 2.0), "[1]: 2 (int) is not 2.0 (float)"),
    (slice(None), slice(None, None, 1), "[2]: None (NoneType) is not 1 (int)"),
    (object, int, ": <class 'object'> (type) is not <class 'int'> (type)"),
    ([1], (1,), ": [1] (list) is not (1,) (tuple)"),
    ([1, 2], [1], ": 2 elements, not 1"),
    ([[1], [2, [3]]], [[1], [2, [4]]], "[1][1][0]: 3 (int) is not 4 (int)"),
    ([1, 2], [3, 4], "[0]: 1 (int) is not 3 (int)"),
    ({"a": 1}, OrderedDict(a=1), ": {'a': 1} (dict) is not OrderedDict"),
    ({"a": 1}, {}, "['a']: only in the first"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ": the keys have another order"),
    ({1: 0}, {True: 0}, "[1]: only in the first"),
    ({float("nan"): 1, -float("nan"): 2}, {float("nan"): 3, -float("nan"): 2}, "[nan]: 1 (int)"),
    ({(1,): 0}, {(1.0,): 0}, "[(1,)]: only in the first"),
    ({"a": {2: [0]}}, {"a": {2: [0.0]}}, "['a'][2][0]: 0 (int) is not 0.0 (float)"),
    ({1}, {True}, "[0]: 1 (int) is not True (bool)"),
    ({1}, frozenset({1}), ": {1} (set) is not frozenset({1}) (frozenset)"),
    ({1, 2}, {1}, ": 2 elements, not 1"),
    ({(frozenset({1}),)}, {(frozenset({2}),)}, "[0][0][0]: 1 (int) is not 2 (int)"),
    (np.arange(2.0), np.arange(2), ": the dtype float64 is not int"),
    (np.zeros(2, "<f8"), np.zeros(2, ">f8"), ": the dtype float64 is not >f8"),
    (np.zeros((2, 1)), np.zeros((1, 2)), ": the shape (2, 1) is not (1, 2)"),
    (np.zeros(0), np.zeros((0, 1)), ": the shape (0,) is not (0, 1)"),
    (np.array(1), np.int64(1), ": array(1) (ndarray) is not np.int64(1) (int64)"),
    (
        np.array([0.0]),
        np.array([-0.0]),
        ": 1 of 1 elements differ, the first at [0]: 0.0 is not -0.0",
    ),
    (
        np.array([[1j, 0]]),
        np.array([[1j, -0.0]]),
        ": 1 of 2 elements differ, the first at [0, 1]: 0j is not (-0+0",
    ),
    (
        np.array(["a"], "U2"),
        np.array(["b"], "U2"),
        ": 1 of 1 elements differ, the first at [0]: 'a' is not 'b'",
    ),
    (
        np.array([b"a"], "V1"),
        np.array([b"b"], "V1"),
        ": 1 of 1 elements differ, the first at [0]: b'a' is not b'b'",
    ),
    (ONE, record(a=[0.0, -1.0]), ": 1 of 1 elements differ, the first at []: (array([0., 1.]), ("),
    (
        ONE,
        record(b=(b"x", False)),
        ": 1 of 1 elements differ, the first at []: (array([0., 1.]), (",
    ),
    (
        ONE[()],
        record(b=(b"y", True))[()],
        ": np.void(([0.0, 1.0], (b'x', True)), dtype=[('a', '<f8', (2,…",
    ),
    (
        np.array(["", None], STRINGS),
        np.array(["", ""], STRINGS),
        ": 1 of 2 elements differ, the first at [1]: None is not ''",
    ),
    (
        np.zeros(1, STRINGS),
        np.zeros(1, np.dtypes.StringDType()),
        ": the dtype StringDType(na_object=None) is not StringDType()",
    ),
    (
        objects(1, [2]),
        objects(1, (2,)),
        ": 1 of 2 elements differ, the first at [1]: [2] is not (2,)",
    ),
    (
        objects({"a": objects(None)}),
        objects({"a": objects(0)}),
        ": 1 of 1 elements differ, the first at [0]: {'a': array([None]",
    ),
    (masked(), np.array([1, 2]), ": masked_array("),
    (
        masked(),
        masked(mask=(1, 1)),
        "['mask']: 1 of 2 elements differ, the first at [0]: False is n",
    ),
    (masked(), masked((1, 3)), "['data']: 1 of 2 elements differ, the first at [1]: 2 is not 3"),
    (masked(), masked(fill=5), "['fill_value']: np.int64(999999) (int64) is not np.int64(5) (i"),
]


@pytest.mark.parametrize(("a", "b", "difference"), DIFFERENT)
def test_whatever_differs_is_told_with_its_place(a: Any, b: Any, difference: str) -> None:
    assert not identical(a, b)
    assert not identical(b, a)
    assert not identical([{"x": a}], [{"x": b}])
    assert (first_difference(a, b) or "").startswith(f"value{difference}")


LONG: Final = [np.dtype(code) for code in "lq" if np.dtype(code).itemsize == 8]


def deep(value: object) -> frozenset[object]:
    """Put a value into a set, and that into another, 99 times."""
    for _ in range(98):
        value = frozenset({value})
    return frozenset({value})


SAME: Final[list[tuple[Any, Any]]] = [
    (float("nan"), -float("nan")),
    (complex(float("nan"), 1), complex(-float("nan"), 1)),
    ({float("nan"): 1}, {float("nan"): 1}),
    ({float("nan"): 1, -float("nan"): 2}, {float("nan"): 1, -float("nan"): 2}),
    ({float("nan"), 1}, {1, float("nan")}),
    (Decimal("sNaN"), Decimal("sNaN")),
    ({10**5000, 1}, {1, 10**5000}),
    (deep(1), deep(1)),
    ({10**5000: Fraction(1, 10**5000)}, {10**5000: Fraction(1, 10**5000)}),
    (LONG[0].type(1), LONG[-1].type(1)),
    (np.array([np.nan, -0.0]), np.array([-np.nan, -0.0])),
    (np.array([np.nan], ">f2"), np.array([np.nan], ">f2")),
    (np.array(["NaT", 5], "M8[s]"), np.array(["NaT", 5], "M8[s]")),
    (np.zeros((2, 3)), np.zeros((2, 3), order="F")),
    (np.arange(4)[::2], np.array([0, 2])),
    (np.zeros((0, 2), RECORD), np.zeros((0, 2), RECORD)),
    (record(a=np.nan), record(a=np.nan)),
    (masked(mask=np.ma.nomask), masked(mask=(0, 0))),
    (slice(float("nan")), slice(float("nan"))),
    (
        {frozenset({1, 9, "b"}), (2, frozenset("ab"))},
        {(2, frozenset("ba")), frozenset({"b", 9, 1})},
    ),
    (MOON.replace(tzinfo=ZoneInfo("UTC")), MOON.replace(tzinfo=ZoneInfo("UTC"))),
    (object, object),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_is_the_same_needs_not_be_equal_to_itself(a: Any, b: Any) -> None:
    assert first_difference(a, b) is None


def test_the_order_of_keys_counts_unless_told() -> None:
    a: dict[Any, Any] = {"a": {1: 2, "1": 3}, (): [{}]}
    b: dict[Any, Any] = {(): [{}], "a": {"1": 3, 1: 2}}
    assert not identical(a, b)
    assert identical(a, b, ordered=False)
    assert not identical(a, {**b, "a": {"1": 3, 1: 2.0}}, ordered=False)
    assert not identical([1, 2], [2, 1], ordered=False)


def test_comparing_leaves_the_values_alone_and_goes_as_deep_as_they_do() -> None:
    array = masked()
    assert identical(array, masked())
    assert "_fill_value" not in repr(array.__dict__) or array.__dict__["_fill_value"] is None
    deep: Any = 1
    for _ in range(20_000):
        deep = {"a": [deep]}
    assert identical(deep, deep)
    while not isinstance(deep, int):
        deep = deep["a"].pop()  # the interpreter frees so deep a value by recursion


def test_an_array_that_numpy_cannot_mask_is_not_masked() -> None:
    half = st.just(np.dtype([("a", "f2")]))
    assert {type(array) for array in sample(arrays(dtype=half), 100)} == {np.ndarray}


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("arrays", "dtype", "f8"),
        ("arrays", "shape", [2, 3]),
        ("arrays", "shape", (2, -3)),
        ("arrays", "max_dims", -1),
        ("arrays", "masked", "no"),
        ("axes", "size", "3"),
        ("axes", "index", -1),
        ("dtypes", "kinds", "O"),
        ("dtypes", "kinds", ""),
        ("keys", "any_type", "no"),
        ("object_arrays", "cells", 3),
        ("plain_trees", "max_depth", 2.5),
        ("values", "max_depth", 10**9),
        ("keys", "any_type", np.zeros(2)),
        ("sequences", "elements", [1, 2]),
        ("signals", "data", np.zeros(3)),
        ("signals", "tree", {}),
        ("signals", "form", "rosettasciio"),
    ],
)
def test_a_wrong_argument_is_told(name: str, argument: str, value: object) -> None:
    strategy: Any = getattr(strategies, name)
    with pytest.raises(ValueError, match=rf"^{argument}: .* is no choice; use "):
        strategy(**{argument: value})
    with pytest.raises(TypeError, match="unexpected keyword argument 'wibble'"):
        strategy(wibble=1)
