"""The homogenization rule: which sequence is stored as an array, and what that makes of it."""

from __future__ import annotations

import copy
import datetime as dt
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.support.values import NARROWED, OwnStr, Pair, Shade, cells
from zspy import EncodeError, UnsupportedError, decode, encode, homogenized, unsupported
from zspy.strategies import first_difference
from zspy.values.sequences import as_array, decoded_bytes, narrowed

DAY: Final = np.datetime64("2026-11-23", "D")
RECORD: Final = np.array((1.5, b"a"), [("x", "<f8"), ("n", "S1")])[()]
SWAPPED: Final = np.array((1.5,), [("x", ">f8")])[()]

# Of one type each: an array, also without homogenization.
ALIKE: Final[list[tuple[Sequence[Any], str]]] = [
    ([1, -2], "<i8"),
    ([2**63, 2**64 - 1], "<u8"),
    ([True, False], "|b1"),
    ([1.5, float("nan"), -0.0], "<f8"),
    ([1j, complex("nan")], "<c16"),
    (["a", "", "é\n", "a\0b"], "|O"),
    ([b"a", b"bcd", b"\xff"], "|S3"),
    ([np.float32(0.1)], "<f4"),
    ([np.True_, np.False_], "|b1"),
    ([np.int8(1), np.int8(-1)], "|i1"),
    ([np.longdouble(1) / 3], np.dtype(np.longdouble).str),
    ([np.str_("a"), np.str_("bc")], "|O"),
    ([np.bytes_(b"a"), np.bytes_(b"bc")], "|S2"),
    ([DAY, np.datetime64("NaT", "D")], "<M8[D]"),
    ([np.timedelta64(1, ("s", 25))], "<m8[25s]"),
    ([np.void(b"ab"), np.void(b"cd")], "|V2"),
]
# Of several types: an array only with homogenization, and what comes back from it.
MERGED: Final[list[tuple[Sequence[Any], list[Any]]]] = [
    ([1, 2.5], [1.0, 2.5]),
    ([True, 2], [1, 2]),
    ([True, 2.5], [1.0, 2.5]),
    ([1j, 2], [1j, 2 + 0j]),
    ([1, "a"], ["1", "a"]),
    ([1.5, True, "a"], ["1.5", "True", "a"]),
    (["a", b"b"], ["a", "b"]),
    (["a", np.str_("b")], ["a", "b"]),
    ([np.int8(1), 2.5], [1.0, 2.5]),
    ([np.int64(2**53), 2.5, np.float32("nan")], [2.0**53, 2.5, float("nan")]),
    ([np.int8(1), np.int16(300)], [1, 300]),
    ([np.True_, True], [True, True]),
    ([np.array(1.5), np.array(2.5)], [1.5, 2.5]),
    ([Shade.DARK, "a"], ["dark", "a"]),
    ([OwnStr("a"), OwnStr("b")], ["a", "b"]),
]
# What no array holds without a loss.
APART: Final[list[Sequence[Any]]] = [
    *([], [None], [1, None], [[1], [2]], [(1, 2), (3, 4)], [{}], [1, [2]]),
    *([2**63, -1], [2**70], [2**64, 1.5], [2**53 + 1, 0.5], [2**1024, 0.5], [10**5000, "a"]),
    *(["a\0"], ["a", "\0"], [b"a\0"], [b"\0"], ["\ud800"], ["a", b"\xff"], [1, "a\0"], [1, b"a"]),
    *([Decimal(1)], [dt.date(2026, 1, 1)], [object()], [np.array([1])], [cells(1, 2)]),
    *([np.ma.masked, 1.0], [DAY, 1], [DAY, np.datetime64("2026", "Y")], [RECORD, SWAPPED]),
    *([np.str_("a\0")], [np.bytes_(b"a\0")], [np.int64(2**62), np.uint64(2**63)]),
    *([np.array((object(),), [("x", "O")])[()]], [np.void(b"")]),
    *([np.int64(2**53 + 1), 0.5], [np.uint64(2**64 - 1), 0.5], [np.int64(2**53 + 1), 1j]),
    *([np.array(2**53 + 1), np.array(0.5)], [2**53 + 1, np.complex64(1j)]),
    *([10**5000, np.longdouble(0.5)], [2**70 + 1, np.longdouble(0.5)]),
]


@pytest.mark.parametrize(("value", "dtype"), ALIKE)
@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("exact", [True, False])
def test_scalars_of_one_type_are_an_array_of_it(
    value: Sequence[Any], dtype: str, kind: type[list[Any] | tuple[Any, ...]], exact: bool
) -> None:
    array = as_array(kind(value), exact=exact)
    assert array is not None
    assert array.dtype == dtype
    assert array.shape == (len(value),)
    assert list(map(str, array)) == list(map(str, value))


@pytest.mark.parametrize("value", [[RECORD, RECORD], (RECORD, RECORD), [SWAPPED], (SWAPPED,)])
def test_records_of_one_dtype_are_an_array_of_it(value: Any) -> None:
    """In their byte order, and in a tuple as well, which NumPy would take for one record."""
    array = as_array(value, exact=True)
    assert array is not None
    assert array.dtype == value[0].dtype
    assert array.tolist() == [record.item() for record in value]


@pytest.mark.parametrize(("value", "merged"), MERGED)
def test_scalars_of_several_types_are_merged_where_that_is_wanted(
    value: Any, merged: list[Any]
) -> None:
    array = as_array(value)
    assert array is not None
    assert first_difference(merged, array.tolist()) is None
    assert as_array(tuple(value), exact=True) is None
    assert first_difference(tuple(merged), homogenized(tuple(value))) is None


@pytest.mark.parametrize("value", APART)
@pytest.mark.parametrize("exact", [True, False])
def test_what_no_array_holds_stays_apart(value: Any, exact: bool) -> None:
    assert as_array(value, exact=exact) is None
    assert as_array(tuple(value), exact=exact) is None


# --------------------------------------------------------------------------------------------------
# Subclasses of plain types


@pytest.mark.parametrize("name", NARROWED)
def test_an_instance_of_a_subclass_becomes_its_plain_base(name: str) -> None:
    value, plain = NARROWED[name]()
    assert first_difference(plain, narrowed(value)) is None


def test_what_is_plain_or_kept_stays_the_same_object() -> None:
    values: list[Any] = [None, True, 1, 1.5, "a", b"a", [1], (1,), {}, OrderedDict(), object()]
    values += [np.float64(1), np.str_("a"), np.zeros(2), np.ma.MaskedArray([1]), RECORD, {1}]
    for value in values:
        assert narrowed(value) is value


def test_a_masked_constant_is_a_masked_array() -> None:
    plain = narrowed(np.ma.masked)
    assert type(plain) is np.ma.MaskedArray
    assert plain.mask
    assert plain.shape == ()


def test_a_masked_array_of_another_library_is_a_masked_array() -> None:
    class Own(np.ma.MaskedArray):
        """One of another library."""

    plain = narrowed(Own([1, 2], [True, False]))
    assert type(plain) is np.ma.MaskedArray
    assert plain.mask.tolist() == [True, False]


class Number(np.float64):
    """A scalar of another library."""


@pytest.mark.parametrize("exact", [True, False])
def test_scalars_of_a_subclass_are_told_also_in_a_list(exact: bool) -> None:
    """A list of them became an array, and nobody was told."""
    record = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0]
    for scalar in (Number(1.5), record):
        plain = narrowed(scalar)
        assert type(plain) is type(scalar).__bases__[0]
        tree = {"x": scalar, "y": [scalar, scalar]}
        found = decode(encode(tree, homogenize=not exact))
        assert [type(one) for one in (found["x"], *found["y"])] == [type(plain)] * 3
        assert [place.location for place in unsupported(tree)] == ["x", "y[0]", "y[1]"]


def test_a_record_is_a_plain_structured_scalar() -> None:
    array = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])
    plain = narrowed(array[0])
    assert type(plain) is np.void
    assert plain.dtype == array.dtype
    assert plain.dtype.type is np.void
    assert plain.item() == (1, 2.5)


# --------------------------------------------------------------------------------------------------
# Trees


@pytest.mark.parametrize(
    "value", [None, 1, "a", {1, 2.5}, cells([1, 2.5]), np.ma.MaskedArray([1]), Decimal(1), range(3)]
)
def test_whatever_is_no_plain_container_is_left_alone(value: object) -> None:
    assert homogenized(value) is value
    assert homogenized({"x": value})["x"] is value


def test_only_innermost_sequences_are_homogenized() -> None:
    tree = {"a": [[1, 2.5], (True, 2)], "b": ([1, [2, "x"]], {"c": [None, 1]})}
    expected = {"a": [[1.0, 2.5], (1, 2)], "b": ([1, ["2", "x"]], {"c": [None, 1]})}
    assert first_difference(expected, homogenized(tree)) is None


def test_the_kind_and_the_order_of_containers_are_kept() -> None:
    tree = OrderedDict[str, Any](b=[OrderedDict[str, Any](y=1, x=(2, 2.5))], a=())
    expected = OrderedDict[str, Any](b=[OrderedDict[str, Any](y=1, x=(2.0, 2.5))], a=())
    assert first_difference(expected, homogenized(tree)) is None


def test_subclasses_become_plain_with_all_that_is_in_them() -> None:
    tree = defaultdict(list, {Shade.DARK: Pair(1, "a"), OwnStr("x"): [Pair(2, "b"), None]})
    expected = {"dark": ("1", "a"), "x": [("2", "b"), None]}
    assert first_difference(expected, homogenized(tree)) is None


def test_scalars_with_units_or_fields_stay_what_they_are() -> None:
    tree = {"a": [DAY, DAY], "b": (RECORD,), "c": [np.float32(0.5)]}
    expected = {"a": [DAY, DAY], "b": (RECORD,), "c": [0.5]}
    assert first_difference(expected, homogenized(tree)) is None


def test_one_object_in_several_places_is_no_cycle() -> None:
    shared = [1, None]
    tree = {"a": shared, "b": [shared, shared], "c": {"d": shared}}
    found = homogenized(tree)
    assert first_difference(tree, found) is None
    assert found["a"] is not shared
    assert found["a"] is not found["b"][0]


@pytest.mark.parametrize("kind", [list, dict, OrderedDict])
def test_a_cycle_is_refused_with_its_place(kind: type[Any]) -> None:
    inner: Any = kind({0: None}) if kind is not list else [None]
    tree = {"a": {"b": [0, (None, inner)]}}
    inner[0] = tree["a"]
    with pytest.raises(EncodeError) as caught:
        homogenized(tree)
    assert str(caught.value) == "a.b[1][1][0]: a container contains itself; break the cycle"


def test_the_argument_stays_as_it_was() -> None:
    tree = {"a": [1, 2.5], "b": {"c": (1, [True, 2])}}
    before = copy.deepcopy(tree)
    homogenized(tree)["b"]["c"][1].append(3)
    assert first_difference(before, tree) is None


class Zone(dt.tzinfo):
    """A zone of another library, which has no key that could be stored."""

    def utcoffset(self, at: dt.datetime | None) -> dt.timedelta | None:
        """Return its offset, which depends on the day."""
        return None if at is None else dt.timedelta(hours=1 + (at.month > 6))

    def dst(self, _: dt.datetime | None) -> None:
        """Return nothing."""

    def tzname(self, _: dt.datetime | None) -> str:
        """Return its name."""
        return "other"


@pytest.mark.parametrize(("month", "hours"), [(1, 1), (7, 2)])
def test_a_time_in_a_zone_without_a_key_keeps_its_offset(month: int, hours: int) -> None:
    given = dt.datetime(2020, month, 1, fold=1, tzinfo=Zone())
    found = narrowed(given)
    assert (found, found.fold) == (given, 1)
    assert found.tzinfo == dt.timezone(dt.timedelta(hours=hours))
    assert decode(encode({"x": given}))["x"].tzinfo == found.tzinfo
    assert [place.narrowed for place in unsupported({"x": given})] == [True]


def test_other_times_stay_as_they_are_and_a_time_without_its_day_is_refused() -> None:
    day = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - a naive one stays
    utc = dt.UTC
    for given in (day, day.replace(tzinfo=utc), day.replace(tzinfo=ZoneInfo("UTC"))):
        assert narrowed(given) is given
    with pytest.raises(
        UnsupportedError, match=r"time is of no type that zspy stores \(its zone is a .*\.Zone\);"
    ):
        encode({"x": dt.time(1, tzinfo=Zone())})


def test_records_of_the_other_byte_order_keep_it() -> None:
    scalar = np.zeros(1, [("a", ">f4"), ("b", "<i2")])[0]
    found = as_array([scalar, scalar])
    assert found is not None
    assert found.dtype == scalar.dtype


@pytest.mark.parametrize(
    ("path", "dtype", "size"),
    [
        *[("a/b", "i8", 0), ("a/b", "S3", 12), ("a/b", "U3", 0), ("_list", "f8", 0)],
        *[("a/_list_b", "i8", 32), ("_tuple_b", "f4", 32), ("_list_b", "c8", 64)],
        *[("_list_b", "U3", 64), ("a/_tuple_b", "S3", 76)],
    ],
)
def test_elements_of_lists_take_more_once_they_are_decoded(
    path: str, dtype: str, size: int
) -> None:
    assert decoded_bytes(path, np.dtype(dtype)) == size
