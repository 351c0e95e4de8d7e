"""Differences are found in any value, and only where there are any."""

from __future__ import annotations

import math
import tracemalloc
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given

import zspy
from tests.support.cost import calls
from tests.support.signals import signal_of as plain_signal
from zspy import Group, decode
from zspy.apps.differences import differences
from zspy.strategies import arrays, first_difference, object_arrays, values
from zspy.values.ragged import object_array
from zspy.values.types import is_array

NAN = float("nan")


def masked(numbers: list[int], mask: list[bool]) -> Any:
    """Make a masked array."""
    return np.ma.MaskedArray(numbers, np.array(mask))


@given(values())
def test_a_value_is_like_itself(value: Any) -> None:
    assert [*differences(value, value)] == []


@given(values(), values())
def test_any_two_values_are_compared_in_words_that_print(a: Any, b: Any) -> None:
    for one in differences([a, {"x": b}], [b, {"x": a}]):
        assert one.problem.isprintable()


@given(arrays() | object_arrays())
def test_any_two_arrays_of_one_type_are_compared(array: Any) -> None:
    if is_array(array):
        rolled = cast("Any", np.roll(array.reshape(-1), 1))
        other = rolled.reshape(array.shape)
        assert all(one.problem.isprintable() for one in differences(array, other))
        assert not [*differences(other, other.copy())]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array([1.0, NAN]), np.array([1.0, NAN])),
        (np.arange(3, dtype="<i4"), np.arange(3, dtype=">i4")),
        (masked([1, 2], [False, True]), masked([1, 3], [False, True])),
        (np.ones(2, [("a", "f8"), ("b", "i4", 3)]), np.ones(2, [("a", "f8"), ("b", "i4", 3)])),
        (object_array([[1], "a"], (2,)), object_array([[1], "a"], (2,))),
        (np.array("NaT", "M8[s]"), np.array("NaT", "M8[s]")),
        ({"a": 1, "b": NAN}, {"b": NAN, "a": 1}),
        (Decimal("NaN"), Decimal("NaN")),
        (SimpleNamespace(a=np.zeros(2)), SimpleNamespace(a=np.zeros(2))),
    ],
)
def test_the_same_values_do_not_differ(a: Any, b: Any) -> None:
    assert [*differences(a, b)] == []


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (
            np.void(b"a"),
            np.void(b"abc"),
            ["np.void(b'\\x61') (void) is not np.void(b'\\x61\\x62\\x63') (void)"],
        ),
        (1, True, ["1 (int) is not True (bool)"]),
        ("a", "b", ["'a' (str) is not 'b' (str)"]),
        ({"a": 1}, {"b": 1}, ["only in the first", "only in the second"]),
        ({"a": 1}, {True: 1, "a": 1}, ["only in the second"]),
        ([1], [1, 2], ["1 elements, not 2"]),
        (np.zeros(2), np.zeros(3), ["the shape (2,) is not (3,)"]),
        (np.zeros(2), np.zeros(2, "f4"), ["the dtype float64 is not float32"]),
        (np.zeros(1), [0.0], ["array([0.]) (ndarray) is not [0.0] (list)"]),
        (np.array(1), np.array(2), ["1 of 1 elements differ, the first at []: 1 is not 2"]),
        (
            masked([1, 2], [False, True]),
            masked([1, 2], [False, False]),
            ["1 of 2 elements differ, the first at [1]: masked is not 2"],
        ),
        (
            object_array(["a", "b"], (2,)),
            object_array(["a", "c"], (2,)),
            ["1 of 2 elements differ, the first at [1]: 'b' is not 'c'"],
        ),
        (
            np.zeros(2, [("a", "i4")]),
            np.array([(0,), (1,)], [("a", "i4")]),
            ["1 of 2 elements differ, the first at [1]: (0,) is not (1,)"],
        ),
    ],
)
def test_a_difference_is_told(a: Any, b: Any, said: list[str]) -> None:
    assert [problem for _, problem in differences(a, b)] == said


def others(case: str) -> list[Any]:
    """Make three values of another library: two that are the same, and one that is not."""
    library, *_ = case.split()
    module: Any = pytest.importorskip(library)
    many = np.arange(5000.0)
    changed = np.where(many == 2500, 7, many)
    match case:
        case "astropy unit":
            kind: Any = pytest.importorskip("astropy.units").Quantity
            return [kind([1.0, NAN], unit) for unit in ("eV", "eV", "keV")]
        case "astropy number":
            kind = pytest.importorskip("astropy.units").Quantity
            return [kind(1, unit) for unit in ("eV", "eV", "keV")]
        case "pandas column":
            return [module.Series(values) for values in (many, many, changed)]
        case "pandas table":
            return [module.DataFrame({"a": values}) for values in (many, many, changed)]
        case "pandas zone":
            return [
                module.Timestamp("2020-01-01", tz=zone) for zone in ("UTC", "UTC", "Asia/Tokyo")
            ]
        case "pandas stamp":
            return [module.Timestamp(f"2020-01-0{day}") for day in (1, 1, 2)]
        case _:
            quantity = module.get_application_registry().Quantity
            return [quantity(values, "nm") for values in (many, many, changed)]


@pytest.mark.parametrize(
    "case",
    [
        *("astropy unit", "astropy number", "pint"),
        *("pandas column", "pandas table", "pandas stamp", "pandas zone"),
    ],
)
def test_values_of_other_libraries_are_compared_by_all_that_is_stored(case: str) -> None:
    """Units were passed over, and of long columns what their repr does not show."""
    value, same, other = others(case)
    assert not [*differences({"x": value}, {"x": same})]
    assert [*differences({"x": value}, {"x": other})]
    assert first_difference({"x": value}, {"x": same}) is None
    assert first_difference({"x": value}, {"x": other})


def test_numbers_with_a_unit_are_no_plain_numbers() -> None:
    value, *_ = others("astropy unit")
    (found,) = differences({"x": value}, {"x": np.asarray(value)})
    assert "(Quantity) is not array([ 1., nan]) (ndarray)" in found.problem


def test_lazy_arrays_are_compared_in_blocks() -> None:
    import dask.array

    da: Any = dask.array
    data = np.arange(100.0).reshape(10, 10)
    other = data.copy()
    other[7, 3] = -1
    lazy = da.from_array(data, chunks=(3, 4))
    assert [*differences(lazy, da.from_array(data, chunks=(5, 10)))] == []
    assert [*differences(lazy, data)] == []
    ((_, said),) = differences(lazy, other)
    assert said.startswith("1 of 100 elements differ, the first at [7, 3]: ")


@pytest.mark.parametrize("at_once", [1, 5, 12, 100])
def test_a_block_is_compared_part_by_part(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """A chunk of kilobytes may hold gigabytes, of which masks and marks would be made."""
    monkeypatch.setattr("zspy.apps.differences._COMPARED_AT_ONCE", at_once)
    data = np.ma.masked_equal(np.arange(24).reshape(2, 3, 4), 5)
    other = data.copy()
    other[0, 2, 1] = other[1, 0, 3] = -1
    assert [*differences(data, data.copy())] == []
    ((_, said),) = differences(data, other)
    assert said == "2 of 24 elements differ, the first at [0, 2, 1]: 9 is not -1"
    assert [*differences(np.array(1.0), np.array(1.0))] == []
    assert len([*differences(np.array(1.0), np.array(2.0))]) == 1


def test_comparing_long_lists_takes_no_memory() -> None:
    """A list of some kilobytes in a file may have millions of elements."""
    first, second = ([[n % 7] * 20 for n in range(20_000)] for _ in range(2))
    second[-1] = [0]
    tracemalloc.start()
    try:
        found = [*differences(first, second)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [place for place, _ in found] == ["[19999]"]
    assert peak < 50_000


def test_long_names_are_told_by_their_start() -> None:
    ((place, _),) = differences({"a" * 10**6: 1}, {"a" * 10**6: 2})
    assert len(place) < 2000


def test_what_stays_in_a_file_is_compared_without_tasks(tmp_path: Path) -> None:
    """Tasks of dask take a millisecond for each array, of which there may be thousands."""
    config: Any = pytest.importorskip("dask").config

    def refused(*_: object, **__: object) -> None:
        raise AssertionError

    path = tmp_path / "scan.zspy"
    signals = [plain_signal(np.arange(6.0).reshape(2, 3) + n, str(n), 1) for n in range(2)]
    zspy.file_writer(path, signals, chunks=(1, 3))
    pair: list[Any] = [zspy.file_reader(path, lazy=True, blocks=blocks) for blocks in (0, 2**27)]
    with config.set(scheduler=refused):
        assert [*differences(*pair)] == []
        assert [*differences(pair[0][0]["data"], pair[1][1]["data"])] != []


def test_masks_of_fields_count() -> None:
    data = np.zeros(2, [("a", "m8[Y]", 1), ("b", "i4")])
    first = np.ma.MaskedArray(data)
    second = np.ma.MaskedArray(
        data, np.array([([True], False), ([False], False)], first.mask.dtype)
    )
    ((_, said),) = differences(first, second)
    assert said.startswith("1 of 2 elements differ, the first at [0]: ")
    assert [*differences(second, second.copy())] == []


def test_the_sign_of_a_zero_and_the_type_of_a_number_count() -> None:
    found = differences([0.0, 1, False, 0.0], [-0.0, 1.0, 0, 0.0])
    assert [one.location for one in found] == ["[0]", "[1]", "[2]"]


def test_many_keys_that_are_no_number_cost_what_they_are() -> None:
    """A record may make each key of a dictionary such a one."""

    def cost(count: int) -> int:
        some, others = ({float("nan"): n for n in range(count)} for _ in range(2))
        return calls(lambda: [*differences(some, others)])

    assert cost(1000) < 11 * cost(100)
    (found,) = differences({float("nan"): 1, math.nan: 2}, {float("nan"): 1, math.nan: 3})
    assert found == ("[nan]", "2 (int) is not 3 (int)")


def test_keys_of_any_depth_in_a_file_are_compared() -> None:
    spec: Any = 1
    key: Any = 1
    for _ in range(150):
        spec, key = ["tuple", spec], (key,)
    record: Any = {"keys": {str(key): spec}}
    one, other = (decode(Group({str(key): 1, "_sig_zspy": record}, {})) for _ in "ab")
    assert [*differences(one, other)] == []
