"""Values of every kind that zspy keeps, by name; each entry makes a new value.

`VALUES` come back equal, type for type, when homogenization is off. `NARROWED` are instances of
subclasses, which come back as their base types; `REFUSED` are what zspy refuses.

Needs NumPy and the standard library only, so that it also runs beside another release of a writer;
a value that an older NumPy does not know raises AttributeError there when it is made.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def cells(*items: object, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return an object array of the items, whatever they are."""
    array = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array if shape is None else array.reshape(shape)


def counted(dtype: str, *shape: int) -> NDArray[Any]:
    """Return an array that counts from zero."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def nested(depth: int, kind: Callable[[object], object], innermost: object) -> object:
    """Wrap a value several times."""
    value = innermost
    for _ in range(depth):
        value = kind(value)
    return value


def named(names: tuple[Any, ...], kind: str) -> dict[Any, object]:
    """Give every name a value of a kind, each another one."""
    return {name: ONE_OF_A_KIND[kind](number) for number, name in enumerate(names)}


STRUCTURED: Final = np.dtype([("x", "<f8"), ("n", "<i4"), ("name", "S3")])
NESTED_STRUCTURED: Final = np.dtype([("at", [("x", "<f4"), ("y", "<f4")]), ("v", "<i2", (3,))])
RECORDS: Final = [(1.5, 2, b"a"), (float("nan"), -3, b"xyz")]
CENTRAL_EUROPE: Final = dt.timezone(dt.timedelta(hours=1), "CET")
HALF_HOURS: Final = dt.timezone(-dt.timedelta(hours=3, minutes=30))

# Keys that some reader, store or file system takes for something else, or for one.
ODD: Final = (
    *("", " ", "  ", ".", "..", "...", "/", "a//b", "/a", "a/", "a/b", "\\", "a\\b", "a\\"),
    *("\0", "a\0", "a\0b", "\n", "\t", "\x1b[0m", "\x7f", "\x85", "\ufeff", "\ufffe", "\u202e"),
    *("\ud800", "a\udcff", "\ud83d\ude00", "\U0001f600", "\U0010ffff", "é", "e\u0301", "ß", "ss"),
    *("K", "k", "\u212a", "İ", "i", "Key", "kEY", "key%1", "%", "%25", "%2F", "~", "CON", "com¹.x"),
    *("a:b", "a?", "a.", "a ", " a", "a..", "x" * 200, "x" * 201, "X" * 201, "測" * 900),
    *("_list_x", "_list_2_x", "_list_empty_x", "_list_", "_tuple_x", "_tuple_1_x", "_tuple_empty_"),
    *("_bs_x", "_bs_", "_sig_", "_sig_x", "_sig_zspy", "_sig_zspy%1", "%5Fsig_zspy", "_zspy"),
    *("_ragged_shapes_x", "ragged_shapes", "_ragged_offsets_x", "_hspy_AxesManager_"),
    *("_hspy_AxesManager_x", "_hspy_Axis_x", "_datetime_date", "_datetime_time", "_None_"),
    *("_None_x", "__unnamed__", ".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json", "c"),
    *("0", "00", "1.5", "(1, 2)", "data", "axes", "axis-0", "metadata", "attributes", "order"),
    *("keys", "types", "None", "True", "x", "2_x", "empty_x", "_", "__", "keys%1"),
)
NO_TEXT: Final = (
    *(0, -1, 2**64, 0.5, -0.5, float("inf"), None, (), (1,), (1, 2), ("a/b", (None, True)), (1.5,)),
    *(b"bytes", 1j, np.int8(3), np.float32(0.1), np.str_("a\0"), dt.date(2026, 11, 23)),
    *(decimal.Decimal("1.1"), fractions.Fraction(1, 3), uuid.UUID(int=1)),
    pathlib.PurePosixPath("a/b"),
)
ONE_OF_A_KIND: Final[dict[str, Callable[[int], object]]] = {
    "scalars": lambda number: number,
    "dicts": lambda number: {"n": number},
    "arrays": lambda number: np.array([number]),
    "lists": lambda number: [number, 2],
    "tuples": lambda number: (number, None),
    "empty": lambda number: list[object](([], (), {}, "", None))[number % 5],
    "kinds": lambda number: ({number}, [1, "a"], b"\0", 2j, cells(number, None))[number % 5],
}

# JSON keeps these.
PLAIN: Final[dict[str, Callable[[], object]]] = {
    "none": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "int": lambda: 3,
    "int_zero": lambda: 0,
    "int_negative": lambda: -(2**40),
    "int_64_bits": lambda: 2**64 - 1,
    "int_huge": lambda: -(2**200),
    "float": lambda: 0.1,
    "float_integral": lambda: 2.0,
    "float_large": lambda: 1.7976931348623157e308,
    "float_tiny": lambda: 5e-324,
    "float_negative_zero": lambda: -0.0,
    "float_nan": lambda: float("nan"),
    "float_infinite": lambda: float("inf"),
    "float_negative_infinite": lambda: float("-inf"),
    "str": lambda: "text",
    "str_empty": lambda: "",
    "str_unicode": lambda: "Å é 測定 🔬",
    "str_lines": lambda: "two\nlines\tand\r\nmore",
    "str_nul": lambda: "a\0b",
    "str_trailing_nul": lambda: "a\0",
    "str_number": lambda: "12",
    "str_json": lambda: '{"a": [1, null]}',
    "str_long": lambda: "long " * 5000,
    "dict_empty": dict,
    "dict": lambda: {"a": 1, "b": "text", "c": None},
    "dict_nested": lambda: {"a": {"b": {"c": {}}}, "d": {"e": 1.5}},
    "dict_deep": lambda: nested(40, lambda value: {"d": value}, 1),
    "list_empty": list,
    "tuple_empty": tuple,
}

LISTS: Final[dict[str, Callable[[], object]]] = {
    "list_int": lambda: [1, 2, 3],
    "list_one": lambda: [7],
    "list_float": lambda: [0.5, -1.5],
    "list_nonfinite": lambda: [float("nan"), float("inf"), float("-inf"), -0.0],
    "list_bool": lambda: [True, False],
    "list_str": lambda: ["a", "bcd", "é測🔬"],
    "list_str_empty": lambda: ["", ""],
    "list_str_none_mark": lambda: ["_None_", "a"],
    "list_str_trailing_nul": lambda: ["a\0", "b"],
    "list_str_inner_nul": lambda: ["a\0b", "c"],
    "list_str_lines": lambda: ["one\ntwo", " "],
    "list_str_long": lambda: [f"text {n}" for n in range(300)],
    "list_bytes": lambda: [b"a", b"bcd"],
    "list_bytes_trailing_nul": lambda: [b"a\0", b"\0"],
    "list_bytes_any": lambda: [b"\xff\xfe", b""],
    "list_complex": lambda: [1j, 2.5 - 1j],
    "list_none": lambda: [None, None],
    "list_none_among": lambda: [1, None, "a"],
    "list_numbers": lambda: [1, 2.5],
    "list_bool_int": lambda: [True, 2],
    "list_int_str": lambda: [1, "a"],
    "list_int_complex": lambda: [1, 2j],
    "list_int_64_bits": lambda: [2**63, 2**64 - 1],
    "list_int_huge": lambda: [2**70, -1],
    "list_int_signs": lambda: [2**63, -1],
    "list_float_of_int": lambda: [2**53 + 1, 0.5],
    "list_long": lambda: list(range(1000)),
    "list_long_mixed": lambda: [[n] if n % 2 else n for n in range(12)],
    "list_long_none": lambda: [n if n % 3 else None for n in range(120)],
    "list_long_dicts": lambda: [{"n": n} for n in range(25)],
    "list_nested": lambda: [[1, 2], [3, 4]],
    "list_nested_unequal": lambda: [[1, 2], [3]],
    "list_nested_kinds": lambda: [[1, 2.5], ["a", None], []],
    "list_nested_str": lambda: [["a", "b"], ["c"]],
    "list_nested_deep": lambda: nested(30, lambda value: [value, None], "x"),
    "list_of_empty": lambda: list[object](([], (), {})),
    "list_of_dicts": lambda: [{"a": 1}, {"b": [1, 2]}, {}],
    "list_of_tuples": lambda: [(1, 2), (3.5, "a")],
    "list_of_arrays": lambda: [np.arange(3), np.eye(2)],
    "list_of_numpy_floats": lambda: [np.float32(0.1), np.float32(2.0)],
    "list_of_numpy_bools": lambda: [np.True_, np.False_],
    "list_of_numpy_kinds": lambda: [np.int8(1), np.float64(2.5), np.str_("a")],
    "list_of_dates": lambda: [dt.date(2026, 11, 23), dt.date(1, 1, 1)],
    "list_of_datetimes64": lambda: [np.datetime64("2026-11-23"), np.datetime64("NaT", "D")],
    "list_of_sets": lambda: [{1}, {2, 3}],
    "list_of_decimals": lambda: [decimal.Decimal("0.10"), decimal.Decimal("1E+5")],
    "list_of_longdoubles": lambda: [np.longdouble(1) / 3],
    "list_of_longlongs": lambda: [np.longlong(1), np.longlong(2)],
    "list_of_ranges": lambda: [range(3), slice(1, None, 2)],
    "list_of_paths": lambda: [pathlib.PurePosixPath("a/b")],
    "tuple_int": lambda: (1, 2, 3),
    "tuple_one": lambda: (1,),
    "tuple_float": lambda: (0.5, 1.5),
    "tuple_str": lambda: ("a", "bé"),
    "tuple_bool": lambda: (True, False),
    "tuple_numbers": lambda: (1, 2.5),
    "tuple_kinds": lambda: (1, "a", None, (2, [3])),
    "tuple_long_mixed": lambda: tuple((n,) if n % 2 else n for n in range(13)),
    "tuple_of_dicts": lambda: tuple[object, ...](({"a": 1}, {})),
    "tuple_none": lambda: (None,),
}

SCALARS: Final[dict[str, Callable[[], object]]] = {
    "none_mark": lambda: "_None_",
    "str_surrogate": lambda: "\udcff",
    "str_surrogate_pair": lambda: "a\ud83d\ude00\ud83dé",
    "complex": lambda: 1.5 - 2j,
    "complex_nan": lambda: complex(float("nan"), float("-inf")),
    "complex_negative_zero": lambda: complex(-0.0, -0.0),
    "bytes": lambda: b"text",
    "bytes_empty": lambda: b"",
    "bytes_utf8": lambda: b"\xc3\xa9",
    "bytes_nul": lambda: b"a\0b\0",
    "bytes_any": lambda: bytes(range(256)),
    "bytearray": lambda: bytearray(b"abc"),
    "bytearray_any": lambda: bytearray(b"\xff\0"),
    "np_bool": lambda: np.True_,
    "np_int8": lambda: np.int8(-3),
    "np_int16": lambda: np.int16(300),
    "np_int32": lambda: np.int32(-70000),
    "np_int64": lambda: np.int64(2**62),
    "np_uint8": lambda: np.uint8(255),
    "np_uint16": lambda: np.uint16(65535),
    "np_uint32": lambda: np.uint32(2**32 - 1),
    "np_uint64": lambda: np.uint64(2**64 - 1),
    "np_float16": lambda: np.float16(0.1),
    "np_float32": lambda: np.float32(0.1),
    "np_float32_nan": lambda: np.float32("nan"),
    "np_float64": lambda: np.float64(0.1),
    "np_float64_infinite": lambda: np.float64("-inf"),
    "np_longlong": lambda: np.longlong(-5),
    "np_ulonglong": lambda: np.ulonglong(2**64 - 1),
    "np_longdouble": lambda: np.longdouble(1) / 3,
    "np_longdouble_least": lambda: np.nextafter(np.longdouble(0), np.longdouble(1)),
    "np_longdouble_nan": lambda: np.longdouble("nan"),
    "np_complex64": lambda: np.complex64(1 - 2j),
    "np_complex128": lambda: np.complex128(1 - 2j),
    "np_clongdouble": lambda: np.clongdouble(1) / 3,
    "np_str": lambda: np.str_("té"),
    "np_str_empty": lambda: np.str_(""),
    "np_bytes": lambda: np.bytes_(b"te"),
    "np_datetime64_day": lambda: np.datetime64("2026-11-23"),
    "np_datetime64_ns": lambda: np.datetime64("2026-11-23T01:02:03.123456789", "ns"),
    "np_datetime64_nat": lambda: np.datetime64("NaT", "us"),
    "np_timedelta64": lambda: np.timedelta64(-5, "ms"),
    "np_timedelta64_nat": lambda: np.timedelta64("NaT", "s"),
    "np_void": lambda: np.void(b"\x01\x00\xff"),
    "np_record": lambda: np.array(RECORDS, dtype=STRUCTURED)[1],
    "datetime": lambda: dt.datetime(2026, 11, 23, 1, 2, 3, 456),  # noqa: DTZ001
    "datetime_fold": lambda: dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001
    "datetime_utc": lambda: dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
    "datetime_offset": lambda: dt.datetime(2026, 11, 23, 12, tzinfo=HALF_HOURS),
    "datetime_named_offset": lambda: dt.datetime(2026, 11, 23, 12, tzinfo=CENTRAL_EUROPE),
    "datetime_first": lambda: dt.datetime.min,  # noqa: DTZ901
    "date": lambda: dt.date(2026, 11, 23),
    "time": lambda: dt.time(1, 2, 3, 4),
    "time_utc": lambda: dt.time(1, 2, tzinfo=dt.UTC),
    "timedelta": lambda: dt.timedelta(days=-3, seconds=5, microseconds=7),
    "decimal": lambda: decimal.Decimal("0.10"),
    "decimal_long": lambda: decimal.Decimal("3.14159265358979323846264338327950288"),
    "decimal_nan": lambda: decimal.Decimal("NaN"),
    "decimal_infinite": lambda: decimal.Decimal("-Infinity"),
    "fraction": lambda: fractions.Fraction(-1, 3),
    "uuid": lambda: uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "path_posix": lambda: pathlib.PurePosixPath("/data/run 1/a.zspy"),
    "path_windows": lambda: pathlib.PureWindowsPath("C:\\data\\a.zspy"),
    "range": lambda: range(2, 20, 3),
    "range_empty": lambda: range(0),
    "slice": lambda: slice(1, 5, 2),
    "slice_open": lambda: slice(None),
    "slice_of_str": lambda: slice("a", "b"),
}

CONTAINERS: Final[dict[str, Callable[[], object]]] = {
    "set_int": lambda: {3, 1, 2},
    "set_str": lambda: {"a", "b"},
    "set_mixed": lambda: {1, "a", None, 2.5, (1, 2)},
    "set_empty": set,
    "frozenset": lambda: frozenset({1, 2}),
    "frozenset_empty": frozenset,
    "frozenset_nested": lambda: frozenset({frozenset({1}), frozenset({2, 3})}),
    "ordered_dict": lambda: collections.OrderedDict([("z", 1), ("a", 2)]),
    "ordered_dict_empty": collections.OrderedDict,
    "ordered_dict_nested": lambda: collections.OrderedDict[str, object](
        z=collections.OrderedDict[str, object](y=1, b=[])
    ),
    "dict_order": lambda: {"z": 1, "a": [1, 2], "m": {}, "B": np.arange(2)},
    "dict_of_everything": lambda: {
        "array": np.arange(3),
        "list": [1, "a", {"b": 2j}],
        "date": dt.date(2026, 1, 1),
        "group": {"set": {1}, "none": None},
        "bytes": b"\0",
    },
    "list_of_everything": lambda: [
        np.arange(3),
        {"b": 2j},
        dt.date(2026, 1, 1),
        {1},
        None,
        b"\0",
        np.float32(1),
    ],
}

KEYS: Final[dict[str, Callable[[], object]]] = {
    "keys_int": lambda: {1: "a", -2: [1, 2], 30: {"b": 1}},
    "keys_int_array": lambda: {7: np.arange(2), 8: [None, 1]},
    "keys_float": lambda: {0.5: 1, float("inf"): 2},
    "keys_bool": lambda: {True: 1, False: [1]},
    "keys_none": lambda: {None: 1},
    "keys_tuple": lambda: {(1, 2): "a", (): {"x": 1}, ("a", (None, 2.5)): [1]},
    "keys_mixed": lambda: {1: "int", "1": "str", (1,): "tuple", 1.5: "float", None: "none"},
    "keys_empty_scalar": lambda: {"": 1},
    "keys_empty_dict": lambda: {"": {"a": 1}},
    "keys_empty_list": lambda: {"": [1, 2], "a": {"": []}},
    "keys_empty_array": lambda: {"": np.arange(2)},
    "keys_dot": lambda: {".": {"a": 1}, "..": np.arange(2), "...": [1]},
    "keys_dot_scalar": lambda: {".": 1, "..": 2},
    "keys_slash": lambda: {"a/b": {"c": 1}, "/": np.arange(2), "d/e/": [1, 2], "a": {"b": 0}},
    "keys_slash_scalar": lambda: {"a/b": 1},
    "keys_backslash": lambda: {"a\\b": {"c": 1}, "\\": np.arange(2), "d\\e": [None]},
    "keys_nul": lambda: {"a\0b": {"c": 1}, "\0": [1, 2]},
    "keys_control": lambda: {"a\nb": {"c": 1}, "\x7f": [1], "\x1b[1m": np.arange(2)},
    "keys_long": lambda: {"k" * 300: {"a": 1}, "l" * 5000: [1, 2], "m" * 260: 1},
    "keys_long_unicode": lambda: {"測" * 100: {"a": 1}, "測" * 101: [1, 2]},
    "keys_windows": lambda: {"CON": {"a": 1}, "aux.txt": [1], "a:b": np.arange(2), 'q"<>|?*': {}},
    "keys_trailing": lambda: {"a.": {"b": 1}, "a ": [1], " a": np.arange(2), "a": {}},
    "keys_case": lambda: {"Key": {"a": 1}, "key": {"b": 2}, "KEY": [1]},
    "keys_unicode": lambda: {"é": {"a": 1}, "e\u0301": {"b": 2}, "🔬": [1], "測定": np.arange(2)},
    "keys_surrogate_pair": lambda: {"\ud83d\ude00": 1, "😀": 2, "a\ud83d\ude00": [1, None]},
    "keys_surrogate": lambda: {"\udcff": {"a": 1}, "a\ud800": [1]},
    "keys_percent": lambda: {"%2F": {"a": 1}, "100 %": [1], "%": np.arange(2)},
    "keys_dotted": lambda: {"chisq.data": np.arange(2), "a.b.c": {"d": 1}},
    "keys_digits": lambda: {"0": {"a": 1}, "00": [1], "1.2": np.arange(2), "0.0": {}},
    "keys_mark_list": lambda: {"_list_foo": np.arange(2), "_list_2_foo": {"0": 1, "1": 2}},
    "keys_mark_tuple": lambda: {"_tuple_foo": np.arange(2), "_tuple_1_x": {"0": 1}},
    "keys_mark_empty": lambda: {"_list_empty_x": 5, "_tuple_empty_x": "a"},
    "keys_mark_bytes": lambda: {"_bs_x": "text", "_bs_y": {"a": 1}},
    "keys_mark_signal": lambda: {"_sig_x": 1, "_sig_": {"a": 1}, "_sig_y": [1, 2]},
    "keys_mark_record": lambda: {"_sig_zspy": {"a": 1}, "b": 2j},
    "keys_mark_record_scalar": lambda: {"_sig_zspy": "text"},
    "keys_mark_ragged": lambda: {"_ragged_shapes_x": np.arange(2), "ragged_shapes": np.arange(3)},
    "keys_mark_ragged_scalar": lambda: {"_ragged_shapes_x": 1, "_ragged_offsets_y": [1]},
    "keys_mark_axes": lambda: {"_hspy_AxesManager_x": {"a": 1, "b": 2}},
    "keys_mark_date": lambda: {"_datetime_date": "2020-01-02", "_datetime_time": "x"},
    "keys_lists_that_share_a_name": lambda: {"x": [1, [2], 3], "3_x": [1, 2, 3]},
    "keys_list_and_dict": lambda: {"x": [1, [2]], "_list_2_x": {"0": 5}},
    "keys_zarr": lambda: {".zgroup": np.arange(2), ".zarray": {"a": 1}, ".zattrs": [1]},
    "keys_zarr_3": lambda: {"zarr.json": np.arange(2), "c": np.arange(3), "zarr": {"json": {}}},
    "keys_layout": lambda: {"_zspy_dtype": "<f8", "dtype": {"a": 1}, "shape": [1]},
    **{
        f"keys_{which}_of_{kind}": partial(named, names, kind)
        for which, names in (("odd", ODD), ("no_text", NO_TEXT))
        for kind in ONE_OF_A_KIND
    },
    "keys_each_odd": lambda: {
        kind: {f"n{number}": {name: create(number)} for number, name in enumerate(ODD)}
        for kind, create in ONE_OF_A_KIND.items()
    },
    "keys_escaped": lambda: {"~": {"a": 1}, "%": [1], "=": np.arange(2), "_zspy_": {"b": 1}},
}

ARRAYS: Final[dict[str, Callable[[], object]]] = {
    **{
        f"array_{kind}": partial(counted, kind, 2, 3)
        for kind in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
    },
    **{
        f"array_big_{kind}": partial(counted, f">{kind}", 5)
        for kind in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    },
    "array_c8": lambda: np.array([1j, 2 - 1j], dtype="c8"),
    "array_c16": lambda: np.array([1j, complex("nan")]),
    "array_longdouble": lambda: np.array([1, 2], dtype=np.longdouble) / 3,
    "array_clongdouble": lambda: np.array([1j, 2], dtype=np.clongdouble) / 3,
    "array_nonfinite": lambda: np.array([np.nan, np.inf, -np.inf, -0.0]),
    "array_fortran": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "array_strided": lambda: np.arange(20)[::-3],
    "array_5d": lambda: np.arange(32, dtype="u1").reshape(2, 2, 2, 2, 2),
    "array_large": lambda: np.arange(300 * 400, dtype="f4").reshape(300, 400),
    "array_empty": lambda: np.empty(0),
    "array_empty_2d": lambda: np.empty((0, 3), dtype="i4"),
    "array_empty_last": lambda: np.empty((3, 0), dtype="u2"),
    "array_0d": lambda: np.array(2.5),
    "array_0d_int": lambda: np.array(7, dtype=">i2"),
    "array_0d_str": lambda: np.array("té"),
    "array_0d_datetime": lambda: np.array("2026-11-23", dtype="M8[D]"),
    "array_0d_structured": lambda: np.array(RECORDS[0], dtype=STRUCTURED),
    "array_S": lambda: np.array([b"a", b"bcd"]),
    "array_S_any": lambda: np.array([b"\xff\xfe", b"a"]),
    "array_S_nul": lambda: np.array([b"a\0b", b""]),
    "array_S_2d": lambda: np.array([[b"a", b"b"], [b"c", b"dd"]]),
    "array_U": lambda: np.array(["a", "bcd"]),
    "array_U_unicode": lambda: np.array(["é", "測定"]),
    "array_U_big": lambda: np.array(["a", "bcd"], dtype=">U3"),
    "array_U_2d": lambda: np.array([["a", "b"], ["c", "dd"]]),
    "array_U_wide": lambda: np.array(["a"], dtype="U10"),
    "array_T": lambda: np.array(["a", "é" * 40], dtype=np.dtypes.StringDType()),
    "array_T_2d": lambda: np.array([["a"], [""]], dtype=np.dtypes.StringDType()),
    "array_T_empty": lambda: np.array([], dtype=np.dtypes.StringDType()),
    "array_T_missing": lambda: np.array(
        ["a", float("nan")], dtype=np.dtypes.StringDType(na_object=float("nan"))
    ),
    "array_datetime_day": lambda: np.array(["2026-11-23", "NaT"], dtype="M8[D]"),
    "array_datetime_ns": lambda: np.array([1, -5], dtype="M8[ns]"),
    "array_timedelta": lambda: np.array([1, -5], dtype="m8[ms]"),
    "array_timedelta_25s": lambda: np.array([1, 2], dtype="m8[25s]"),
    "array_datetime_no_unit": lambda: np.array([-(2**63)]).view("M8"),  # NumPy 2.5 warns of "NaT"
    "array_void": lambda: np.array([b"ab\0", b"\xffcd"], dtype="V3"),
    "array_structured": lambda: np.array(RECORDS, dtype=STRUCTURED),
    "array_structured_2d": lambda: np.array([RECORDS, RECORDS], dtype=STRUCTURED),
    "array_structured_nested": lambda: np.zeros(2, dtype=NESTED_STRUCTURED),
    "masked": lambda: np.ma.MaskedArray([1.5, 2.5, 3.5], [False, True, False]),
    "masked_int": lambda: np.ma.MaskedArray(
        counted("i2", 2, 2), np.array([[True, False], [False, False]])
    ),
    "masked_none": lambda: np.ma.MaskedArray([1, 2]),
    "masked_fill": lambda: np.ma.MaskedArray([1.0, 2.0], [True, False], fill_value=-999.0),
    "masked_structured": lambda: np.ma.MaskedArray(
        np.array(RECORDS, dtype=STRUCTURED), [(False, True, False), (True, False, False)]
    ),
    "masked_objects": lambda: np.ma.MaskedArray(cells(1, None, "a"), [True, False, False]),
    "masked_0d": lambda: np.ma.MaskedArray(1.5, mask=True),
}

CELLS: Final[dict[str, Callable[[], object]]] = {
    "ragged_int": lambda: cells(np.arange(2), np.arange(3)),
    "ragged_float": lambda: cells(np.arange(2.0), np.empty(0), np.array([np.nan])),
    "ragged_float32": lambda: cells(np.arange(2, dtype="f4"), np.arange(3, dtype="f4")),
    "ragged_bool": lambda: cells(np.array([True]), np.array([False, True])),
    "ragged_complex": lambda: cells(np.array([1j]), np.array([2.5, 1j])),
    "ragged_big_endian": lambda: cells(np.arange(2, dtype=">i4"), np.arange(1, dtype=">i4")),
    "ragged_equal_lengths": lambda: cells(np.arange(2), np.arange(2)),
    "ragged_2d_items": lambda: cells(np.ones((2, 3)), np.zeros((1, 3))),
    "ragged_ndims": lambda: cells(np.ones((2, 1, 1)), np.ones((1, 2, 3))),
    "ragged_items_of_all_ndims": lambda: cells(np.ones(2), np.ones((1, 2))),
    "ragged_2d": lambda: cells(*(np.arange(n) for n in range(1, 7)), shape=(2, 3)),
    "ragged_kinds": lambda: cells(np.arange(2), np.array([1.5])),
    "ragged_widths": lambda: cells(np.arange(2, dtype="i1"), np.array([2**40])),
    "ragged_str": lambda: cells(np.array(["a", "bcd"]), np.array(["é"])),
    "ragged_str_empty": lambda: cells(np.array(["a"]), np.array([], dtype="U1")),
    "ragged_bytes": lambda: cells(np.array([b"a"]), np.array([b"bc", b"d"])),
    "ragged_datetime": lambda: cells(np.array([1], dtype="M8[D]"), np.array([2, 3], dtype="M8[D]")),
    "ragged_void": lambda: cells(np.array([b"ab", b"cd"], "V2"), np.array([b"\xff\0"], "V2")),
    "ragged_structured": lambda: cells(
        np.array(RECORDS, dtype=STRUCTURED), np.array(RECORDS[:1], dtype=STRUCTURED)
    ),
    "ragged_timedelta_no_unit_big": lambda: cells(np.array([5], dtype=">i8").view(">m8"), None),
    "ragged_longdouble": lambda: cells(np.array([np.longdouble(1) / 3]), np.array([np.nan])),
    "ragged_one": lambda: cells(np.arange(3)),
    "cells_lists": lambda: cells([1, 2], [3]),
    "cells_tuples": lambda: cells((1, 2), (3.5,)),
    "cells_lists_of_str": lambda: cells(["a", "b"], ["c"]),
    "cells_str": lambda: cells("a", "bcd", ""),
    "cells_numbers": lambda: cells(1, 2.5),
    "cells_mixed": lambda: cells(1, "a", None, 2.5),
    "cells_none": lambda: cells(None, None),
    "cells_missing": lambda: cells(np.arange(2), None, np.arange(3)),
    "cells_dicts": lambda: cells({"a": 1}, {"b": [1, 2]}),
    "cells_dates": lambda: cells(dt.date(2026, 1, 1), dt.date(2026, 1, 2)),
    "cells_nested": lambda: cells(cells(np.arange(2)), cells(1, "a")),
    "cells_empty": lambda: np.empty(0, dtype=object),
    "cells_empty_2d": lambda: np.empty((2, 0), dtype=object),
    "cells_0d": lambda: np.array(None, dtype=object),
    "cells_2d": lambda: cells(1, None, "a", [1], {}, 2j, shape=(2, 3)),
}

VALUES: Final[dict[str, Callable[[], object]]] = {
    **PLAIN,
    **LISTS,
    **SCALARS,
    **CONTAINERS,
    **KEYS,
    **ARRAYS,
    **CELLS,
}


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: str


class Colour(enum.IntEnum):
    """Named integers."""

    RED = 1


class Shade(enum.StrEnum):
    """Named texts."""

    DARK = "dark"


class Flag(enum.IntFlag):
    """Named bits."""

    UP = 1
    DOWN = 2


class OwnList(list[object]):
    """A list class of another library."""


class OwnStr(str):
    """A string class of another library."""

    __slots__ = ()


class OwnFloat(float):
    """A float class of another library."""


class OwnComplex(complex):
    """A class of complex numbers of another library."""


@dataclasses.dataclass
class Point:
    """No plain type."""

    x: float


class Kind(enum.Enum):
    """Names without a plain type."""

    ONE = 1


def a_function() -> None:
    """Do nothing."""


# Each with the value that comes back.
NARROWED: Final[dict[str, Callable[[], tuple[object, object]]]] = {
    "named_tuple": lambda: (Pair(1, "a"), (1, "a")),
    "int_enum": lambda: (Colour.RED, 1),
    "str_enum": lambda: (Shade.DARK, "dark"),
    "int_flag": lambda: (Flag.UP | Flag.DOWN, 3),
    "own_list": lambda: (OwnList([1, [2]]), [1, [2]]),
    "own_str": lambda: (OwnStr("a"), "a"),
    "own_float": lambda: (OwnFloat(0.5), 0.5),
    "masked_record": lambda: (
        np.ma.MaskedArray(np.array(RECORDS, dtype=STRUCTURED), hard_mask=True)[0],
        np.ma.MaskedArray(np.array(RECORDS[0], dtype=STRUCTURED), hard_mask=True),
    ),
    "default_dict": lambda: (collections.defaultdict(int, a=1), {"a": 1}),
    "counter": lambda: (collections.Counter("aab"), {"a": 2, "b": 1}),
    "recarray": lambda: (
        np.rec.array(RECORDS, dtype=STRUCTURED),
        np.array(RECORDS, dtype=STRUCTURED),
    ),
}

REFUSED: Final[dict[str, Callable[[], object]]] = {
    "object": object,
    "dataclass": lambda: Point(1.5),
    "enum": lambda: Kind.ONE,
    "function": lambda: a_function,
    "class": lambda: Point,
    "module": lambda: dataclasses,
    "generator": lambda: (n for n in range(3)),
    "iterator": lambda: iter([1]),
    "memoryview": lambda: memoryview(b"abc"),
    "ellipsis": lambda: ...,
    "own_complex": lambda: OwnComplex(1j),
    "own_complex_in_list": lambda: [OwnComplex(1j), 2.0],
    "not_implemented": lambda: NotImplemented,
    "exception": lambda: ValueError("x"),
    "dtype": lambda: np.dtype("f4"),
    "object_in_list": lambda: [1, object()],
    "object_in_dict": lambda: {"a": {"b": object()}},
    "object_in_cells": lambda: cells(1, object()),
}
