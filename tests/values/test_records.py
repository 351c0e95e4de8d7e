"""Values that the format cannot say: their plain form is readable, and brings them back."""

from __future__ import annotations

import datetime as dt
import enum
import fractions
import io
import json
import os
import pathlib
import subprocess
import sys
import uuid
import zoneinfo
from collections import OrderedDict
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, strategies as st

import zspy
from tests.support.values import HALF_HOURS, SCALARS, nested
from zspy.strategies import first_difference, identical, keys, scalars
from zspy.values.records import (
    few_collide,
    key_spec,
    key_text,
    lowered,
    restored,
    spec_key,
    text_array,
)
from zspy.values.types import Lowered

HUGE: Final = 10**5000
THIRD: Final = np.longdouble(1) / 3
PADDED: Final = np.dtype([("a", "i1"), ("b", "f8")], align=True)
CET: Final = dt.timezone(dt.timedelta(hours=1), "CET")

# --------------------------------------------------------------------------------------------------
# There and back


def whole(value: Any) -> tuple[Any, list[Any]]:
    """Lower a value until it is plain, as `encode` does."""
    specs: list[Any] = []
    while (low := lowered(value)) is not None and low.plain is not value:
        specs.append(low.spec)
        value = low.plain
    return value, specs


@given(scalars())
def test_every_scalar_comes_back_type_for_type(value: object) -> None:
    plain, specs = whole(value)
    found: Any = plain
    for spec in reversed(specs):
        found = restored(found, json.loads(json.dumps(spec)))
    assert first_difference(value, found) is None


PLAIN: Final[list[tuple[object, object, list[Any]]]] = [
    (1.5 - 2j, "(1.5-2j)", ["complex"]),
    (b"text", "text", ["bytes"]),
    (bytearray(b"\xc3\xa9"), "é", ["bytearray"]),
    (dt.date(2026, 11, 23), "2026-11-23", ["date"]),
    (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00", ["datetime", 0]),  # noqa: DTZ001
    (
        dt.datetime(2026, 1, 2, tzinfo=dt.UTC, fold=1),
        "2026-01-02T00:00:00+00:00",
        ["datetime", 1, 0, 0, 0],
    ),
    (dt.time(1, tzinfo=CET), "01:00:00+01:00", ["time", 0, 0, 3600, 0, "CET"]),
    (dt.time(1, tzinfo=HALF_HOURS), "01:00:00-03:30", ["time", 0, -1, 73800, 0]),
    (dt.timedelta(-1, 5, 7), -86394.999993, ["timedelta", -1, 5, 7]),
    (Decimal("0.10"), "0.10", ["Decimal"]),
    (fractions.Fraction(-1, 3), "-1/3", ["Fraction"]),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", ["UUID"]),
    (pathlib.PurePosixPath("a/b"), "a/b", ["PurePosixPath"]),
    (pathlib.PureWindowsPath("a\\b"), "a\\b", ["PureWindowsPath"]),
    (range(1, 9, 2), [1, 9, 2], ["range"]),
    (slice(None, "b"), [None, "b", None], ["slice"]),
    ({2, 1}, [1, 2], ["set"]),
    (frozenset("ab"), ["a", "b"], ["frozenset"]),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}, ["OrderedDict"]),
    ("_None_", None, ["str"]),
    ("__unnamed__", "__unnamed__", ["str"]),
    (np.True_, True, ["numpy", "|b1"]),
    (np.int16(-3), -3, ["numpy", "<i2"]),
    (np.float32(0.5), 0.5, ["numpy", "<f4"]),
    (np.complex64(1j), "1j", ["numpy", "<c8"]),
    (np.str_("a\0"), "a\0", ["numpy", "U"]),
    (np.bytes_(b"a"), "a", ["numpy", "S"]),
    (np.datetime64("2026-11-23"), "2026-11-23", ["numpy", "<M8[D]", 20780]),
    (np.datetime64("NaT", "s"), "NaT", ["numpy", "<M8[s]", -(2**63)]),
    (np.timedelta64(-5, "ms"), -5, ["numpy", "<m8[ms]", -5]),
]


@pytest.mark.parametrize(("value", "plain", "spec"), PLAIN)
def test_the_plain_form_is_what_an_old_reader_understands(
    value: object, plain: object, spec: list[Any]
) -> None:
    assert lowered(value) == Lowered(plain, spec)
    assert identical(restored(plain, spec), value)


@pytest.mark.parametrize(
    "value", [None, True, 1, 2**64, 1.5, "a", [1], (1,), {}, np.zeros(2), object(), json]
)
def test_what_is_plain_or_unknown_is_not_lowered(value: object) -> None:
    assert lowered(value) is None


@pytest.mark.parametrize("data", [b"a\0b", b"\xff", bytes(5000)])
def test_bytes_that_are_no_short_text_are_an_array(data: bytes) -> None:
    for value in (data, bytearray(data)):
        low = lowered(value)
        assert low is not None
        assert low.plain.dtype == np.uint8
        assert identical(restored(low.plain, low.spec), value)


def test_bytes_are_text_up_to_what_an_attribute_holds() -> None:
    assert lowered(b"a" * 4096) == Lowered("a" * 4096, ["bytes"])
    longer = lowered(b"a" * 4097)
    assert longer is not None
    assert first_difference(longer.plain, np.full(4097, 97, np.uint8)) is None


def test_bytes_that_spell_a_mark_are_lowered_once_more() -> None:
    assert whole(b"_None_") == (None, [["bytes"], ["str"]])


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="no long double")
def test_a_long_double_keeps_all_its_digits_beside_the_number() -> None:
    low = lowered(THIRD)
    assert low is not None
    assert low.plain == float(THIRD)
    assert low.spec == ["numpy", np.dtype(np.longdouble).str, [str(THIRD * 2)], [-1]]
    assert restored(*low) == THIRD != float(THIRD)
    largest = lowered(np.finfo(np.longdouble).max)
    assert largest is not None
    assert largest.plain == float("inf")
    assert restored(*largest) == np.finfo(np.longdouble).max
    least = lowered(np.nextafter(np.longdouble(0), THIRD))
    assert least is not None
    assert 0 < restored(*least) < np.finfo(np.longdouble).tiny
    pair = lowered(np.clongdouble(THIRD * 1j))
    assert pair is not None
    assert restored(*pair) == THIRD * 1j


def test_surrogates_that_make_a_pair_are_no_character() -> None:
    """To JSON they are one: what reads files by themselves sees that."""
    pair, whole = "a\ud83d\ude00é\ud800", "a\U0001f600é\ud800"
    low = lowered(pair)
    assert low is not None
    assert low.plain == whole
    assert restored(*low) == pair
    assert lowered(whole) is None
    assert spec_key(json.loads(json.dumps(key_spec(pair)))) == pair
    assert key_text(pair) == key_text(whole) == whole


@pytest.mark.parametrize("kind", [np.longlong, np.ulonglong, np.int64, np.uint64])
def test_types_of_as_many_bytes_are_told_apart(kind: type[np.integer[Any]]) -> None:
    low = lowered(kind(5))
    assert low is not None
    assert low.plain == 5
    assert type(restored(*low)) is kind


def test_an_integer_of_too_many_digits_is_hexadecimal() -> None:
    assert lowered(HUGE) == Lowered(hex(HUGE), ["int"])
    assert restored(hex(-HUGE), ["int"]) == -HUGE
    assert spec_key(key_spec((HUGE, 1))) == (HUGE, 1)
    assert key_text(HUGE) == "int"
    assert key_text((HUGE,)) == "tuple"


def test_a_fraction_of_too_many_digits_is_a_pair() -> None:
    value = fractions.Fraction(HUGE + 1, HUGE)
    assert lowered(value) == Lowered([HUGE + 1, HUGE], ["Fraction"])
    assert restored([HUGE + 1, HUGE], ["Fraction"]) == value


def test_a_path_of_this_system_comes_back_as_one_that_of_another_as_a_pure_one() -> None:
    here = pathlib.Path("a/b")
    low = lowered(here)
    assert low is not None
    assert identical(restored(*low), here)
    other = "WindowsPath" if os.name == "posix" else "PosixPath"
    assert isinstance(restored("a/b", [other]), pathlib.PurePath)
    assert not isinstance(restored("a/b", [other]), pathlib.Path)


def test_a_time_zone_of_another_library_is_none_that_is_kept() -> None:
    class Zone(dt.tzinfo):
        """One of another library."""

        def utcoffset(self, _: dt.datetime | None, /) -> dt.timedelta:
            return dt.timedelta(0)

        dst = utcoffset

        def tzname(self, _: dt.datetime | None, /) -> str:
            return "UTC"

    assert lowered(dt.datetime(2026, 1, 1, tzinfo=Zone())) is None
    assert lowered(dt.time(1, tzinfo=Zone())) is None


def test_a_named_zone_keeps_its_name() -> None:
    if not zoneinfo.available_timezones():
        pytest.skip("this system has no time zones")
    zone = zoneinfo.ZoneInfo("Europe/Vienna")
    value = dt.datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1)
    assert lowered(value) == Lowered("2026-10-25T02:30:00+01:00", ["datetime", 1, "Europe/Vienna"])
    assert identical(restored("2026-10-25T02:30:00+01:00", ["datetime", 1, "Europe/Vienna"]), value)
    path = next(
        path
        for place in zoneinfo.TZPATH
        if (path := pathlib.Path(place, "Europe", "Vienna")).exists()
    )
    nameless = zoneinfo.ZoneInfo.from_file(io.BytesIO(path.read_bytes()))
    assert lowered(dt.datetime(2026, 1, 1, tzinfo=nameless)) is None


# --------------------------------------------------------------------------------------------------
# Sets


SETS: Final[list[Any]] = [
    {8, 0, 16},
    {frozenset({8, 0}), frozenset({16, 8}), (frozenset({0, 8}), 1)},
    {1, "1", 1.5, None, (1, "a"), (1, None)},
    {HUGE, HUGE + 1, -HUGE},
    {nested(99, lambda member: frozenset({member}), number) for number in (1, 2)},
    {(HUGE, 1), fractions.Fraction(1, HUGE)},
    {HUGE, HUGE + 8},  # of too many digits, and in one place of the table
]


@pytest.mark.parametrize("number", range(len(SETS)))
def test_the_members_of_a_set_have_one_order_however_it_was_made(number: int) -> None:
    low = lowered(SETS[number])
    assert low is not None
    for members in (low.plain, low.plain[::-1], [*SETS[number], *range(99)]):
        again = lowered(set(members) - (set(range(99)) - SETS[number]))
        assert again == low
    assert restored(low.plain, ["set"]) == SETS[number]


def test_the_order_of_the_members_of_a_set_is_not_that_of_their_members() -> None:
    """In a frozenset 0, 8 and 16 collide: what was put in first comes first."""
    assert [*frozenset([0, 16])] != [*frozenset([16, 0])]
    plain = [lowered({frozenset([0, 8]), frozenset(last)}) for last in ([0, 16], [16, 0])]
    inner = [lowered({(frozenset([0, 8]), 1), (frozenset(x), 1)}) for x in ([0, 16], [16, 0])]
    assert plain[0] == plain[1]
    assert inner[0] == inner[1]


def test_the_order_of_the_members_of_a_set_is_that_of_every_process() -> None:
    value = "{'a', 'b', 'c', ('d', 1), None}"
    code = f"from zspy.values.records import lowered; print(lowered({value}).plain)"
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


# --------------------------------------------------------------------------------------------------
# Arrays


@pytest.mark.parametrize(
    "dtype",
    [
        PADDED,
        np.dtype({"names": ["b", "a"], "formats": ["<f4", "<i2"], "offsets": [8, 0]}),
        np.dtype([(("title", "a"), "i4"), ("b", PADDED, (2, 1))]),
        np.dtype([("nested", PADDED), ("x", "S3")]),
        np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [0], "itemsize": 8}),
        np.dtype([("a", "i4"), ("b", "i1")], align=True),
    ],
)
def test_an_array_with_padding_or_titles_is_packed(dtype: np.dtype[Any]) -> None:
    array = np.zeros(3, dtype)
    array[next(iter(dtype.names or []))] = 1
    low = lowered(array)
    assert low is not None
    assert lowered(low.plain) is None
    found = restored(low.plain, json.loads(json.dumps(low.spec)))
    assert found.dtype == dtype
    assert found.dtype.itemsize == dtype.itemsize
    assert found.dtype.fields == dtype.fields
    assert found.dtype.isalignedstruct == dtype.isalignedstruct
    assert str(found.tolist()) == str(array.tolist())


STRINGS: Final[list[dict[str, Any]]] = [
    {},
    {"coerce": False},
    {"na_object": None},
    {"na_object": float("nan"), "coerce": False},
    {"na_object": ""},
    {"na_object": "__unnamed__"},
]


@pytest.mark.parametrize("options", STRINGS)
def test_an_array_of_strings_keeps_its_dtype_and_what_is_missing(options: dict[str, Any]) -> None:
    kind: Any = np.dtypes.StringDType
    array = np.array(["a", "é" * 40, "", options.get("na_object", "b")], kind(**options))
    low = lowered(array.reshape(2, 2))
    assert low is not None
    assert low.plain.dtype == object
    json.dumps(low.spec, allow_nan=False)
    assert first_difference(array.reshape(2, 2), restored(*low)) is None


@pytest.mark.parametrize("name", ["<m8", ">m8", "<M8", ">M8"])
def test_times_without_a_unit_are_stored_as_integers(name: str) -> None:
    """No reader on zarr-python 2 opens an array of their dtype."""
    array = np.array([5, -(2**63)], f"{name[0]}i8").view(name)
    low = lowered(array)
    assert low is not None
    assert first_difference(np.array([5, -(2**63)]), low.plain) is None
    assert first_difference(array, restored(*low)) is None


def test_a_missing_value_that_only_its_program_knows_is_not_kept() -> None:
    kind: Any = np.dtypes.StringDType
    assert lowered(np.array(["a"], kind(na_object=enum.Enum("Missing", "ONE")))) is None


FILLED: Final = ["data", "fill_value"]


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.ma.MaskedArray([1.5, 2.5]), ["data"]),
        (np.ma.MaskedArray([1, 2], [True, False]), ["data", "mask"]),
        (np.ma.MaskedArray([1, 2], fill_value=7), ["data", "fill_value"]),
        (np.ma.MaskedArray(np.array([1], "i1"), [True]), ["data", "mask"]),
        (np.ma.MaskedArray(["a"], fill_value="b"), ["data", "fill_value"]),
        (np.ma.MaskedArray(["a"]), ["data"]),
        (np.ma.MaskedArray(["abcd"]), ["data"]),
        (np.ma.MaskedArray(np.array([1], "M8[7D]")), ["data"]),
        (np.ma.MaskedArray([1], hard_mask=True), ["data"]),
        (np.ma.MaskedArray(np.array([b"\xff"]), [True]), ["data", "mask"]),
        (np.ma.MaskedArray(np.zeros(2, [("a", "f4")])), ["data", "mask", "fill_value"]),
        (np.ma.MaskedArray(np.array([None]), [True]), ["data", "mask"]),
        (np.ma.MaskedArray(np.array([None]), fill_value=5), ["data", "fill_value"]),
        (np.ma.MaskedArray(np.array(["abc"]), fill_value="b"), FILLED),
    ],
)
def test_a_masked_array_keeps_its_mask_and_its_fill_value(array: Any, parts: list[str]) -> None:
    low = lowered(array)
    assert low is not None
    assert [*low.plain] == parts
    found = restored(*low)
    assert first_difference(array, found) is None
    assert found.hardmask == array.hardmask


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0", reason="it takes no fill value of strings"
)
def test_a_masked_array_of_strings_keeps_its_fill_value() -> None:
    array: Any = np.ma.MaskedArray(np.array(["a"], np.dtypes.StringDType()), fill_value="b")
    test_a_masked_array_keeps_its_mask_and_its_fill_value(array, FILLED)


def test_a_default_fill_value_that_is_too_long_is_not_kept() -> None:
    array: Any = np.ma.MaskedArray(np.array(["a"]))
    assert array.fill_value == "N/A"  # once it is read, NumPy keeps it
    low = lowered(array)
    assert low is not None
    assert [*low.plain] == ["data"]


@pytest.mark.parametrize("kind", ["i1", "u2", "f4"])
def test_lowering_does_not_read_the_default_fill_value_into_the_array(kind: str) -> None:
    """NumPy keeps it once it is read; then it is that of the array, and changes with its dtype."""
    array: Any = np.ma.MaskedArray(np.ones(2, kind), [True, False])
    lowered(array)
    assert array._fill_value is None


def test_a_fill_value_that_fits_no_field_makes_no_noise() -> None:
    with np.errstate(over="ignore"):
        array: Any = np.ma.MaskedArray(np.zeros(2, [("a", "f2")]), [(True,), (False,)])
    low = lowered(array)
    assert low is not None
    assert restored(*low).fill_value == array.fill_value


def test_bytes_are_text_where_they_are_ascii() -> None:
    assert identical(text_array(np.array([b"ab", b""])), np.array(["ab", ""]))
    beyond = np.array([b"\xff", b"a"])
    assert text_array(beyond) is beyond
    longer = np.empty(0, f"S{2**31 - 1}")  # than text of NumPy may be
    assert text_array(longer) is longer


# --------------------------------------------------------------------------------------------------
# Records that do not fit


NO_SPECS: Final[list[Any]] = [None, 1, "x", [], {}, ["no such tag"], [["x"]], [None], [{}]]
MISFITS: Final[list[tuple[Any, list[Any]]]] = [
    *(("a", ["complex", 1]), ("one", ["complex"]), (None, ["bytes"]), (np.zeros(2), ["bytes"])),
    *(("x", ["Decimal"]), ("1e999999999", ["Fraction"]), ("1/0", ["Fraction"]), ("zz", ["int"])),
    *(("2026", ["date"]), ("2026-01-01", ["datetime", 2]), ("x", ["time", 0, 1, 2, 3])),
    *(("01:00", ["time", 0, zone]) for zone in ("no/zone", "../x", "Europe", "", 5)),
    *((1.0, ["timedelta", 1]), (1.0, ["timedelta", 10**12, 0, 0]), (5, ["UUID"]), ("x", ["UUID"])),
    *((5, ["PurePosixPath"]), ([1, 2, 0], ["range"]), ([1, 2, 3, 4], ["slice"]), (1, ["set"])),
    *(([[1]], ["set"]), (5, ["OrderedDict"]), (1, ["numpy"]), (1, ["numpy", "V"])),
    *((1, ["numpy", name]) for name in ("V9999999999", "O", "T", "<U99999999", "x", "S3", None)),
    *((300, ["numpy", "|i1"]), ("x", ["numpy", "<f8"]), (1, ["numpy", "<M8[D]", 2**70])),
    *(([1], ["masked", False]), ({"data": 1}, ["masked", False]), ({}, ["masked", False])),
    ({"data": np.zeros(2), "mask": np.zeros(1, bool)}, ["masked", False]),
    ({"data": np.zeros(2), "mask": [True, False]}, ["masked", False]),
    ({"data": np.zeros(2), "fill_value": "x"}, ["masked", False]),
    *((np.zeros(2), ["fields", "<i4"]), (np.zeros(2), ["fields", {"base": "<f8"}])),
    (np.zeros(2), ["fields", {"names": ["a"], "formats": ["<f8"]}]),
    *((np.zeros(2, "i8"), ["unitless", name]) for name in ("<M8[s]", "O", "<U99999999", "x")),
    (np.zeros(2), ["unitless", "<M8"]),
    *(("a", ["StringDType", True]), (np.zeros(2), ["StringDType"])),
    (np.ones((), [("a", [("b", "<f4")])]), ["StringDType", True]),  # NumPy: MemoryError
]


@pytest.mark.parametrize("spec", NO_SPECS)
def test_what_is_no_record_is_refused(spec: Any) -> None:
    with pytest.raises(ValueError, match="the record does not fit what is stored"):
        restored("a", spec)


@pytest.mark.parametrize(("plain", "spec"), MISFITS)
def test_a_record_that_does_not_fit_is_refused(plain: Any, spec: list[Any]) -> None:
    with pytest.raises(ValueError, match="the record does not fit what is stored"):
        restored(plain, spec)


@pytest.mark.parametrize(
    ("plain", "spec", "why"),
    [
        (np.zeros(2), ["bytes"], "not the array that the record speaks of"),
        ({"data": 1}, ["masked", False], "not the array that the record speaks of"),
        (1, ["numpy", "O"], "object"),
        (1, ["numpy", "<U9"], "no scalar"),
        (
            {"data": np.zeros(2), "mask": np.zeros(1, bool)},
            ["masked", 0],
            "NumPy would repeat the mask",
        ),
        (np.zeros(2), ["fields", "<i4"], "other fields, or more padding than anybody has"),
        (np.zeros(2, "i8"), ["unitless", "<M8[s]"], "no time without a unit"),
    ],
)
def test_why_a_record_does_not_fit_is_said_beneath(plain: Any, spec: Any, why: str) -> None:
    with pytest.raises(ValueError, match="does not fit") as caught:
        restored(plain, spec)
    assert str(caught.value.__cause__) == why


def test_a_record_cannot_ask_for_more_memory_than_an_array_has() -> None:
    array = np.zeros(2, [("a", "<i4")])
    layout = {
        "names": ["a"],
        "formats": ["<i4"],
        "offsets": [0],
        "titles": [None],
        "aligned": False,
    }
    most = (2**24 + 16 * array.nbytes) // 2
    assert restored(array, ["fields", {**layout, "itemsize": most}]).itemsize == most
    with pytest.raises(ValueError, match="does not fit"):
        restored(array, ["fields", {**layout, "itemsize": most + 1}])


def test_the_depth_of_a_record_is_bounded() -> None:
    spec: Any = "<i4"
    for _ in range(5000):
        spec = {"base": spec, "shape": [1]}
    with pytest.raises(ValueError, match="does not fit"):
        restored(np.zeros(1), ["fields", spec])


# --------------------------------------------------------------------------------------------------
# Keys


@given(keys(any_type=True) | st.sampled_from([make() for make in SCALARS.values()]))
def test_a_key_comes_back_type_for_type(key: Any) -> None:
    try:
        spec = key_spec(key)
    except TypeError:
        return
    assert first_difference(key, spec_key(json.loads(json.dumps(spec)))) is None


@pytest.mark.parametrize(
    ("key", "spec", "text"),
    [
        ("a", "a", "a"),
        (1, 1, "1"),
        (True, True, "True"),
        (None, None, "None"),
        (1.5, ["float", "1.5"], "1.5"),
        ((1, ("a", None)), ["tuple", 1, ["tuple", "a", None]], "(1, ('a', None))"),
        (dt.date(2026, 1, 1), ["value", "2026-01-01", ["date"]], "2026-01-01"),
        (np.str_("a"), ["value", "a", ["numpy", "U"]], "a"),
        (np.int8(1), ["value", 1, ["numpy", "|i1"]], "1"),
        (b"a", ["value", "a", ["bytes"]], "b'a'"),
    ],
)
def test_a_key_is_described_and_named(key: object, spec: object, text: str) -> None:
    assert key_spec(key) == spec
    assert identical(spec_key(spec), key)
    assert key_text(key) == text


@pytest.mark.parametrize("key", [object(), frozenset({1}), b"\0", (1, object()), range(3), len])
def test_a_key_of_another_kind_is_none(key: object) -> None:
    with pytest.raises(TypeError, match="a key of type"):
        key_spec(key)


@pytest.mark.parametrize("spec", [[], ["x"], {}, ["float", 1], ["value", 1], ["tuple", ["x"]]])
def test_what_describes_no_key_is_refused(spec: object) -> None:
    with pytest.raises(ValueError, match="no key"):
        spec_key(spec)
    with pytest.raises(ValueError, match="does not fit"):
        spec_key(["value", "a", ["date"]])


@pytest.mark.parametrize("spec", [["Fraction"], ["complex"], ["numpy", "<f8"]])
def test_no_scalar_is_made_of_an_array(spec: list[Any]) -> None:
    """NumPy warns of it."""
    for number in (1.0, complex("nan")):
        with pytest.raises(ValueError, match="the record does not fit"):
            restored(np.array([number]), spec)


@pytest.mark.parametrize("unit", ["2Y", "25s", "400as"])
@pytest.mark.parametrize("count", [2**62, -(2**62), 2**63 - 1])
def test_a_date_that_has_no_text_is_stored_as_its_number(unit: str, count: int) -> None:
    date: Any = np.int64(count).view(f"M8[{unit}]")
    low = lowered(date)
    assert low is not None
    assert low.plain == count
    back: Any = restored(low.plain, low.spec)
    assert (back.dtype, int(back.view("i8"))) == (date.dtype, count)
    found: Any = zspy.decode(zspy.encode({"a": date, "b": [date, None]}))
    for one in (found["a"], found["b"][0]):
        assert (one.dtype, int(one.view("i8"))) == (date.dtype, count)


@pytest.mark.parametrize(("number", "few"), [(1, True), (100, True), (101, False), (500, False)])
def test_a_hundred_values_may_have_the_same_hash(number: int, few: bool) -> None:
    same = [factor * (2**61 - 1) for factor in range(number)]
    assert few_collide(same) is few_collide([*same, *range(1, 200)]) is few
