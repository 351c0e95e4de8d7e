"""Floor 1: values that the format cannot say, in a plain form, and the type record of each.

`lowered` gives a value's plainest form that an old reader understands, and a spec; `restored` brings
the value back, as long as the value that the spec gives would be stored just so. Nothing here runs
code that a file names: specs are data, and the table of tags is closed.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from .typing import JSON, Value

_LONGEST_TEXT: Final = 4096  # bytes beyond it are an array, not an attribute
_MOST_BITS: Final = 14000  # int to str is refused beyond 4300 digits
_REJECTED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)


class Lowered(NamedTuple):
    """A value in plain form. Where it is a container, its content is not homogenized."""

    plain: Value
    spec: list[JSON]


def lowered(value: Value) -> Lowered | None:
    """Give the plain form and the spec of a value, or None where it needs none or has none.

    >>> lowered(Fraction(1, 3))
    Lowered(plain='1/3', spec=['Fraction'])
    """
    kind = type(value)
    if found := _LOWER.get(kind):
        return found(value)
    if isinstance(value, np.generic):
        return _lower_numpy(value)
    if kind is np.ma.MaskedArray:
        return _lower_masked(value)
    if kind is np.ndarray:
        return _lower_array(value)
    return None


def restored(plain: Value, spec: JSON) -> Value:
    """Give the value of a spec, or the plain one where the spec does not fit what is stored.

    >>> restored("1/3", ["Fraction"]), restored("a third", ["Fraction"])
    (Fraction(1, 3), 'a third')
    """
    if not isinstance(spec, list) or not spec or not isinstance(spec[0], str):
        return plain
    if (restore := _RESTORE.get(spec[0])) is None:
        return plain
    try:
        value = restore(plain, *spec[1:])
        again = lowered(value)
        fits = again is not None and _same(again.plain, plain)
    except _REJECTED:
        return plain
    return value if fits else plain


def _same(a: Any, b: Any) -> bool:
    """Compare plain values one level deep: members are the same objects or equal scalars."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype.hasobject:
            return all(x is y or (type(x) is type(y) and x == y) for x, y in zip(a.flat, b.flat, strict=True))
        return a.ctypes.data == b.ctypes.data or a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(_same, a.values(), b.values()))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return repr(a) == repr(b)


# --- text --------------------------------------------------------------------------------------


def _bytes_plain(value: bytes) -> Value:
    """Bytes as text where that is sure to come back, else as an array of uint8."""
    if len(value) <= _LONGEST_TEXT and b"\0" not in value:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return np.frombuffer(value, np.uint8)


def _bytes_back(plain: Value) -> bytes:
    return plain.encode() if isinstance(plain, str) else _array(plain, np.dtype(np.uint8)).tobytes()


def _array(plain: Value, dtype: np.dtype[Any] | None = None) -> np.ndarray[Any, Any]:
    if not isinstance(plain, np.ndarray) or (dtype is not None and plain.dtype != dtype):
        raise TypeError("not the array that the record speaks of")
    return plain


# --- time --------------------------------------------------------------------------------------


def _zone_spec(zone: dt.tzinfo | None) -> JSON:
    if zone is None:
        return None
    if type(zone) is ZoneInfo and zone.key:
        return zone.key
    if type(zone) is dt.timezone:
        offset = zone.utcoffset(None)
        name = zone.tzname(None)
        named = name != dt.timezone(offset).tzname(None)
        return [offset.days, offset.seconds, offset.microseconds, *([name] if named else [])]
    raise TypeError(f"time zone {type(zone).__qualname__}")


def _zone_back(spec: Any) -> dt.tzinfo | None:
    if spec is None:
        return None
    if isinstance(spec, str):
        return ZoneInfo(spec)
    return dt.timezone(dt.timedelta(*spec[:3]), *spec[3:])


def _lower_time(value: dt.datetime | dt.time) -> Lowered | None:
    try:
        zone = _zone_spec(value.tzinfo)
    except TypeError:
        return None
    return Lowered(value.isoformat(), [type(value).__name__, value.fold, zone])


def _time_back(kind: type[dt.datetime] | type[dt.time]) -> Callable[..., Value]:
    def back(plain: str, fold: Any, zone: Any) -> Value:
        return kind.fromisoformat(plain).replace(fold=fold, tzinfo=_zone_back(zone))

    return back


def _lower_timedelta(value: dt.timedelta) -> Lowered:
    return Lowered(value.total_seconds(), ["timedelta", value.days, value.seconds, value.microseconds])


# --- containers --------------------------------------------------------------------------------


def _lower_set(value: set[Any] | frozenset[Any]) -> Lowered:
    ordered = sorted(value, key=lambda element: (type(element).__qualname__, repr(element)))
    return Lowered(ordered, [type(value).__name__])


def _set_back(kind: Callable[[Any], Any]) -> Callable[..., Value]:
    def back(plain: Value) -> Value:
        value = kind(plain)
        if not isinstance(plain, list) or len(value) != len(plain):
            raise ValueError("no set")
        return value

    return back


# --- NumPy -------------------------------------------------------------------------------------


def dtype_spec(dtype: np.dtype[Any]) -> JSON:
    """Describe a dtype with its layout: offsets, sizes, titles, alignment.

    >>> dtype_spec(np.dtype("<f4"))
    '<f4'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_spec(base), "shape": [*shape]}
    if dtype.names is None or dtype.fields is None:
        return dtype.str
    fields: list[JSON] = []
    for name in dtype.names:
        base, offset, *title = dtype.fields[name]
        fields.append([name, dtype_spec(base), offset, *title])
    return {"fields": fields, "size": dtype.itemsize, "aligned": dtype.isalignedstruct}


def spec_dtype(spec: Any) -> np.dtype[Any]:
    """Undo `dtype_spec`. Raises ValueError, TypeError or KeyError where it is none."""
    if isinstance(spec, str):
        dtype = np.dtype(spec)
        if dtype.hasobject:
            raise TypeError("object")
        return dtype
    if "base" in spec:
        return np.dtype((spec_dtype(spec["base"]), tuple(spec["shape"])))
    fields: list[Any] = spec["fields"]
    return np.dtype(
        {
            "names": [field[0] for field in fields],
            "formats": [spec_dtype(field[1]) for field in fields],
            "offsets": [field[2] for field in fields],
            "titles": [field[3] if len(field) > 3 else None for field in fields],
            "itemsize": spec["size"],
        },
        align=bool(spec["aligned"]),
    )


def _lower_numpy(value: np.generic) -> Lowered | None:
    dtype = value.dtype
    tag: list[JSON] = ["numpy", dtype_spec(dtype) if dtype.kind != "U" else "U"]
    match dtype.kind:
        case "b" | "i" | "u":
            return Lowered(value.item(), tag)
        case "f" if dtype.itemsize <= 8:
            return Lowered(float(value.item()), tag)
        case "c" if dtype.itemsize <= 16:
            return Lowered(repr(complex(value.item())), tag)
        case "f":
            return Lowered(float(value), [*tag, value.tobytes().hex()])  # type: ignore[arg-type]  # longdouble
        case "c":
            return Lowered(repr(complex(value)), [*tag, value.tobytes().hex()])  # type: ignore[arg-type]
        case "M" | "m":
            number = int(value.view(np.int64))
            dated = dtype.kind == "M" and "[" in dtype.str  # what has no unit has no text
            return Lowered(str(value) if dated or np.isnat(value) else number, [*tag, number])
        case "U":
            return Lowered(str.__str__(value), tag)  # type: ignore[arg-type]  # np.str_ is a str
        case "S":
            return Lowered(_bytes_plain(bytes(value)), ["numpy", "S"])
        case "V" if not dtype.hasobject:
            return Lowered(np.array(value), ["numpy", "V"])
        case _:
            return None


def _numpy_back(plain: Value, name: Any, exact: Any = None) -> Value:
    if name == "V":
        return _array(plain)[()]
    if name == "U":
        return np.str_(plain)
    if name == "S":
        return np.bytes_(_bytes_back(plain))
    dtype = spec_dtype(name)
    if isinstance(exact, str):
        return np.frombuffer(bytes.fromhex(exact), dtype)[0]
    if isinstance(exact, int):
        return np.array([exact], np.int64).view(dtype)[0]
    return dtype.type(complex(plain) if dtype.kind == "c" else plain)


def _lower_masked(value: Any) -> Lowered:
    mask = {} if value.mask is np.ma.nomask else {"mask": np.ma.getmaskarray(value)}
    return Lowered({"data": value.data, **mask, **fill_value(value)}, ["masked", bool(value.hardmask)])


def fill_value(value: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Give the fill value of a masked array, where it is one of its dtype (NumPy's default may not be)."""
    fill = np.empty((), value.dtype)
    given = np.asarray(value.fill_value).dtype
    if value.dtype.kind == "T" and value.fill_value == np.ma.default_fill_value(value.dtype):
        return {}
    if given.kind != value.dtype.kind or given.itemsize > value.dtype.itemsize:
        return {}
    if given.kind in "biufc" and given.itemsize != value.dtype.itemsize:
        return {}
    try:
        fill[()] = value.fill_value
    except (OverflowError, TypeError, ValueError):
        return {}
    return {"fill_value": fill}


def _masked_back(plain: Value, hard: Any) -> Value:
    value: Any = np.ma.MaskedArray(plain["data"], plain.get("mask", np.ma.nomask), hard_mask=bool(hard))
    if "fill_value" in plain:
        value.set_fill_value(plain["fill_value"][()])
    return value


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a structured dtype without padding, alignment and titles: all that Zarr describes."""
    if dtype.subdtype is not None:
        return np.dtype((_packed(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.names is None or dtype.fields is None:
        return dtype
    return np.dtype([(name, _packed(dtype.fields[name][0])) for name in dtype.names])


def _lower_array(value: np.ndarray[Any, Any]) -> Lowered | None:
    """Lower the arrays whose dtype the format does not hold."""
    dtype: Any = value.dtype
    if dtype.kind == "T":
        return _lower_strings(value, dtype)
    if dtype.hasobject:
        return None
    if not dtype.itemsize:
        return Lowered(np.zeros(value.shape, np.bool_), ["empty", dtype_spec(dtype)])
    if dtype.names is not None and (spec := dtype_spec(dtype)) != dtype_spec(_packed(dtype)):
        return Lowered(value.astype(_packed(dtype)), ["fields", spec])
    return None


def _lower_strings(value: np.ndarray[Any, Any], dtype: Any) -> Lowered | None:
    """Lower a StringDType array to an array of str, with the places of missing ones."""
    missing: JSON = None
    places: list[JSON] = []
    plain = value.astype(object)
    if hasattr(dtype, "na_object") and not isinstance(dtype.na_object, str):
        absent = dtype.na_object
        if absent is not None and absent == absent:
            return None  # an object that nothing but its program knows
        missing = "None" if absent is None else "nan"
        flat = plain.reshape(-1)
        places.extend(index for index, text in enumerate(flat) if not isinstance(text, str))
        flat[places] = ""
    elif hasattr(dtype, "na_object"):
        missing = ["str", dtype.na_object]
    return Lowered(plain, ["StringDType", bool(dtype.coerce), missing, places])


def _strings_back(plain: Value, coerce: Any, missing: Any, places: Any) -> Value:
    kinds: dict[Any, Any] = {"None": None, "nan": float("nan")}
    absent = {} if missing is None else {"na_object": missing[1] if isinstance(missing, list) else kinds[missing]}
    values = _array(plain).copy()
    if isinstance(missing, str):
        values.reshape(-1)[places] = kinds[missing]
    string_dtype: Any = np.dtypes.StringDType
    return values.astype(string_dtype(coerce=bool(coerce), **absent))


def _empty_back(plain: Value, spec: Any) -> Value:
    dtype = spec_dtype(spec)
    if dtype.itemsize:
        raise ValueError("not empty")
    return np.zeros(_array(plain).shape, dtype)


def text_array(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give a bytes array as text where it is ASCII, as every reader of the format does (FORMAT 4).

    >>> text_array(np.array([b"a", b"bc"]))
    array(['a', 'bc'], dtype='<U2')
    """
    try:
        return value.astype(f"U{value.dtype.itemsize}")
    except UnicodeDecodeError:
        return value


# --- keys --------------------------------------------------------------------------------------


def key_spec(key: Value) -> JSON:
    """Describe the key of a dictionary. Raises TypeError where it is of no kind that zspy stores.

    >>> key_spec((1, "a", None)), key_spec(2.5)
    (['tuple', 1, 'a', None], ['float', '2.5'])
    """
    if key is None or type(key) in (str, bool):
        return key  # type: ignore[no-any-return]
    if type(key) is int and key.bit_length() <= _MOST_BITS:
        return key
    if type(key) is float:
        return ["float", repr(key)]
    if type(key) is tuple:
        return ["tuple", *map(key_spec, key)]
    if (low := lowered(key)) is not None and isinstance(low.plain, (str, int, float)):
        return ["value", key_spec(low.plain), low.spec]
    raise TypeError(f"a key of type {type(key).__qualname__}")


def spec_key(spec: Any) -> Value:
    """Undo `key_spec`. Raises ValueError, TypeError or LookupError where it is none."""
    if not isinstance(spec, list):
        return spec
    match spec:
        case ["float", str(text)]:
            return float(text)
        case ["tuple", *rest]:
            return tuple(map(spec_key, rest))
        case ["value", plain, inner]:
            return restored(spec_key(plain), inner)
        case _:
            raise ValueError("no key")


_PATHS: Final[tuple[type[PurePath], ...]] = (
    PurePosixPath,
    PureWindowsPath,
    PosixPath,
    WindowsPath,
)


def _path_back(kind: type[PurePath]) -> Callable[..., Value]:
    pure = PureWindowsPath if issubclass(kind, PureWindowsPath) else PurePosixPath
    return kind if not issubclass(kind, Path) or kind is type(Path()) else pure


_LOWER: Final[dict[type, Callable[[Any], Lowered | None]]] = {
    complex: lambda value: Lowered(repr(value), ["complex"]),
    bytes: lambda value: Lowered(_bytes_plain(value), ["bytes"]),
    bytearray: lambda value: Lowered(_bytes_plain(bytes(value)), ["bytearray"]),
    dt.datetime: _lower_time,
    dt.time: _lower_time,
    dt.date: lambda value: Lowered(value.isoformat(), ["date"]),
    dt.timedelta: _lower_timedelta,
    Decimal: lambda value: Lowered(str(value), ["Decimal"]),
    Fraction: lambda value: Lowered(str(value), ["Fraction"]),
    UUID: lambda value: Lowered(str(value), ["UUID"]),
    range: lambda value: Lowered([value.start, value.stop, value.step], ["range"]),
    slice: lambda value: Lowered([value.start, value.stop, value.step], ["slice"]),
    set: _lower_set,
    frozenset: _lower_set,
    OrderedDict: lambda value: Lowered(dict(value), ["OrderedDict"]),
    str: lambda value: Lowered(value, ["str"]) if value in ("_None_", "__unnamed__") else None,
    int: lambda value: Lowered(hex(value), ["int"]) if value.bit_length() > _MOST_BITS else None,
    **{kind: lambda value: Lowered(str(value), [type(value).__name__]) for kind in _PATHS},
}

_RESTORE: Final[dict[str, Callable[..., Value]]] = {
    "complex": complex,
    "bytes": _bytes_back,
    "bytearray": lambda plain: bytearray(_bytes_back(plain)),
    "datetime": _time_back(dt.datetime),
    "time": _time_back(dt.time),
    "date": dt.date.fromisoformat,
    "timedelta": lambda _, days, seconds, micro: dt.timedelta(days, seconds, micro),
    "Decimal": Decimal,
    "Fraction": Fraction,
    "UUID": UUID,
    "range": lambda plain: range(*plain),
    "slice": lambda plain: slice(*plain),
    "set": _set_back(set),
    "frozenset": _set_back(frozenset),
    "OrderedDict": OrderedDict,
    "str": lambda plain: plain,
    "int": lambda plain: int(plain, 16),
    "numpy": _numpy_back,
    "masked": _masked_back,
    "fields": lambda plain, spec: _array(plain).astype(spec_dtype(spec)),
    "StringDType": _strings_back,
    "empty": _empty_back,
    **{kind.__name__: _path_back(kind) for kind in _PATHS},
}
