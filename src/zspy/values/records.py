"""Values that the format cannot say, in a plain form, and the type record of each.

`lowered` gives a value's plainest form that an old reader understands, and a spec; `restored`
undoes it. Nothing here runs code that a file names: specs are data, the table of tags is closed.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from .types import JSON, NumPyArray, Value, is_array, is_lazy

_LONGEST_TEXT: Final = 4096  # bytes beyond it are an array, not an attribute
_MOST_BITS: Final = 14284  # Python turns no more than 4300 digits into text
_UNITLESS: Final = frozenset(
    {"<m8", ">m8", "<M8", ">M8"}
)  # which zarr-python 2 does not read
_MOST_PADDING: Final = 2**24  # bytes that a dtype may add to an array
_MISFITS: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(OSError, RecursionError, np.ma.MAError),  # of time zones, of deep specs, of masks
)


class Lowered(NamedTuple):
    """A value in plain form. Where it is a list, its content is not homogenized."""

    plain: Value
    spec: list[JSON]


def lowered(value: object) -> Lowered | None:
    """Give the plain form and the spec of a value, or None where it needs none or has none.

    >>> lowered(Fraction(1, 3))
    Lowered(plain='1/3', spec=['Fraction'])
    """
    kind = type(value)
    if forms := _FORMS.get(kind):
        return Lowered(forms[0](value), [kind.__name__])
    if lower := _LOWER.get(kind):
        return lower(value)
    if issubclass(kind, np.generic):
        return _lower_numpy(value)
    return (
        _lower_array(value)
        if hasattr(kind, "__dask_graph__") and is_lazy(value)
        else None
    )


def restored(plain: Value, spec: Any) -> Value:
    """Undo `lowered`. Whether the value would be stored just so, is for the caller to see.

    Raises
    ------
    ValueError
        Where the spec is none, or speaks of something else than what is stored.

    Examples
    --------
    >>> restored("1/3", ["Fraction"])
    Fraction(1, 3)
    """
    try:
        with np.errstate(all="ignore"):
            return _RESTORE[spec[0]](plain, *spec[1:])
    except _MISFITS as error:
        raise ValueError("the record does not fit what is stored") from error


def _array(plain: Value, dtype: Any = None, *, lazy: bool = False) -> NumPyArray:
    array: Any = plain
    if not (is_array(array) or (lazy and is_lazy(array))) or dtype not in (
        None,
        array.dtype,
    ):
        raise TypeError("not the array that the record speaks of")
    return cast("NumPyArray", array)


def _lower_str(value: str) -> Lowered | None:
    """Lower the strings that readers take for something else."""
    if value.isascii() and value[:1] != "_":
        return None
    if value == "_None_":
        return Lowered(None, ["str"])
    if (plain := _merged(value)) != value:
        return Lowered(plain, ["str", value.encode("utf-32-be", "surrogatepass").hex()])
    return Lowered(value, ["str"]) if value == "__unnamed__" else None


def _str_back(plain: Value, *exact: str) -> str:
    if exact:
        return bytes.fromhex(exact[0]).decode("utf-32-be", "surrogatepass")
    return "_None_" if plain is None else plain


def _merged(text: str) -> str:
    """Give text as JSON brings it back: of two surrogates that are a pair, it makes one."""
    metadata = ("utf-16", "surrogatepass")
    return text if text.isascii() else text.encode(*metadata).decode(*metadata)


def _lower_int(value: int) -> Lowered | None:
    return Lowered(hex(value), ["int"]) if value.bit_length() > _MOST_BITS else None


def _int_back(plain: str) -> int:
    return int(plain, 16)


def _bytes_plain(value: bytes | bytearray) -> Value:
    """Give bytes as text where that is sure to come back, else as an array of uint8."""
    if len(value) <= _LONGEST_TEXT and 0 not in value:
        with suppress(UnicodeDecodeError):
            return value.decode()
    return np.frombuffer(bytes(value), np.uint8)


def _bytes_back(plain: Value) -> bytes:
    return plain.encode() if isinstance(plain, str) else _array(plain, "u1").tobytes()


def _fraction_plain(value: Fraction) -> Value:
    try:
        return str(value)
    except ValueError:  # too many digits
        return [value.numerator, value.denominator]


def _scalar(plain: Value) -> Value:
    """Refuse an array, of which NumPy would make a number with a warning."""
    if is_array(plain):
        raise TypeError("no scalar")
    return plain


def _fraction_back(plain: Value) -> Fraction:
    # not the text itself: Fraction would raise ten to any power
    return Fraction(
        *map(int, plain.split("/") if isinstance(plain, str) else _scalar(plain))
    )


def _rank(member: Any) -> str:
    """Give a text that is the same in every process, in whatever order a frozenset comes."""
    name = member.__class__.__name__
    if name in ("tuple", "frozenset"):
        ranks = map(_rank, member)
        return f"{name}({','.join(ranks if name == 'tuple' else sorted(ranks))})"
    try:
        return f"{name} {member!r}"
    except ValueError:  # too many digits
        return f"{name} {hash(member)}"


def _members(value: set[Any] | frozenset[Any]) -> list[Any]:
    return sorted(value, key=_rank)


def _limits(value: range | slice) -> list[Any]:
    return [value.start, value.stop, value.step]


def _lower_timedelta(value: dt.timedelta) -> Lowered:
    exact: list[JSON] = [value.days, value.seconds, value.microseconds]
    return Lowered(value.total_seconds(), ["timedelta", *exact])


def _timedelta_back(
    _: Value, days: int, seconds: int, microseconds: int
) -> dt.timedelta:
    return dt.timedelta(days, seconds, microseconds)


def _lower_time(value: dt.datetime | dt.time) -> Lowered | None:
    zone, spec = value.tzinfo, list[JSON]()
    if type(zone) is dt.timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        spec += [offset.days, offset.seconds, offset.microseconds]
        spec += [name] if name != dt.timezone(offset).tzname(None) else []
    elif type(zone) is ZoneInfo and zone.key:
        spec += [zone.key]
    elif zone is not None:
        return None
    return Lowered(value.isoformat(), [type(value).__name__, value.fold, *spec])


def _time_back(kind: type[Any], plain: str, fold: int, *spec: Any) -> Value:
    zone: dt.tzinfo | None = None
    if spec:
        known = len(spec) == 1
        zone = (
            ZoneInfo(*spec)
            if known
            else dt.timezone(dt.timedelta(*spec[:3]), *spec[3:])
        )
    return kind.fromisoformat(plain).replace(fold=fold, tzinfo=zone)


def dtype_spec(dtype: np.dtype[Any]) -> JSON:
    """Describe a dtype with its layout: offsets, sizes, titles, alignment.

    >>> dtype_spec(np.dtype("<f4"))
    '<f4'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_spec(base), "shape": [*shape]}
    if dtype.names is None:
        return dtype.str
    known: Any = dtype.fields
    fields = [known[name] for name in dtype.names]
    return {
        "names": [*dtype.names],
        "formats": [dtype_spec(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def spec_dtype(spec: Any) -> np.dtype[Any]:
    """Undo `dtype_spec`. Raises ValueError, TypeError or KeyError where it is none."""
    if isinstance(spec, str):
        dtype = np.dtype(spec)
        if dtype.hasobject:
            raise TypeError("object")
        return dtype
    if "base" in spec:
        return np.dtype((spec_dtype(spec["base"]), tuple(spec["shape"])))
    layout: Any = {**spec, "formats": [*map(spec_dtype, spec["formats"])]}
    padded: np.dtype[Any] = np.dtype(layout)
    return padded


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a structured dtype without padding, alignment and titles: all that Zarr describes."""
    if dtype.subdtype is not None:
        return np.dtype((_packed(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.names is None:
        return dtype
    return np.dtype([(name, _packed(dtype[name])) for name in dtype.names])


def text_array(value: NumPyArray) -> NumPyArray:
    """Give a bytes array as text where it is ASCII, as every reader of the format does (FORMAT 4).

    >>> text_array(np.array([b"a", b"bc"]))
    array(['a', 'bc'], dtype='<U2')
    """
    try:
        return value.astype(f"U{value.dtype.itemsize}")
    except UnicodeDecodeError:
        return value


def _lower_numpy(value: Any) -> Lowered | None:
    kind = value.dtype.kind
    spec: list[JSON] = ["numpy", kind if kind in "USV" else value.dtype.str]
    plain: Any
    match kind:
        case "b" | "i" | "u":
            plain = value.item()
            if np.dtype(value.dtype.str).type is not type(value):
                spec[1] = (
                    value.dtype.char
                )  # a long long where an int64 is something else
        case "f" | "c":
            if value.dtype.char in "gG":
                parts, exponents = np.frexp(value.reshape(1).view(np.longdouble))
                texts: list[JSON] = [
                    *map(str, parts)
                ]  # NumPy warns of subnormal numbers as text
                spec += [texts, exponents.tolist()]
            with np.errstate(over="ignore"):
                plain = float(value) if kind == "f" else repr(complex(value))
        case "m" | "M":
            unit = np.datetime_data(value.dtype)[0]
            spec.append(int(value.view(np.int64)))
            dated = np.isnat(value) or (kind == "M" and unit != "generic")
            plain = str(value) if dated else spec[-1]
        case "U":
            plain = str.__str__(value)
        case "S":
            plain = _bytes_plain(bytes(value))
        case _ if type(value) is np.void:
            plain = np.array(value)
        case _:
            return None
    return Lowered(plain, spec)


def _numpy_back(plain: Value, name: Any, *exact: Any) -> Value:
    if name == "U":
        return np.str_(plain)
    if name == "S":
        return np.bytes_(_bytes_back(plain))
    if name == "V":
        return _array(plain)[()]
    dtype = spec_dtype(name)
    if dtype.kind not in "biufcmM":
        raise TypeError("no scalar")
    if exact:
        parts = [*map(np.longdouble, exact[0])] if dtype.kind in "fc" else []
        numbers: Any = np.ldexp(parts, exact[1]) if parts else exact
        return np.array(numbers).view(dtype)[0]
    return dtype.type(_scalar(plain))


def is_masked(array: Any) -> bool:
    """Tell a masked array, or a dask array of such blocks."""
    return isinstance(_block_of(array), np.ma.MaskedArray)


def _block_of(array: Any) -> Any:
    """Give an array that is as the blocks of a dask array are, or the array itself."""
    return getattr(array, "_meta", array)


def _lower_masked(value: Any) -> Lowered:
    plain: dict[str, Any] = {"data": value.data}
    if value.mask is not np.ma.nomask:
        plain["mask"] = np.asarray(
            np.ma.getmaskarray(value)
        )  # of one record, it is a scalar
    # the property would make a default, which need not fit the dtype; None is no fill value
    given: Any = getattr(value, "_fill_value", None)
    fill, own = np.asarray(given), value.dtype
    if given is not None and (fill.dtype.kind, fill.itemsize) == (
        own.kind,
        own.itemsize,
    ):
        plain["fill_value"] = fill.astype(own)
    return Lowered(plain, ["masked", bool(value.hardmask)])


def _lower_masked_blocks(value: Any) -> Lowered:
    """Lower a dask array of masked blocks; they are not computed, unless they hold objects."""

    def of_each(part: Callable[[Any], Any], dtype: Any) -> Any:
        meta = np.empty((0,) * value.ndim, dtype)
        return value.map_blocks(part, dtype=dtype, meta=meta)

    whole, spec = _lower_masked(_block_of(value))
    parts: dict[str, Any] = {"data": of_each(np.ma.getdata, value.dtype)}
    parts["mask"] = of_each(np.ma.getmaskarray, np.ma.make_mask_descr(value.dtype))
    if value.dtype.kind in "OT":
        parts = {name: np.asarray(part) for name, part in parts.items()}
    return Lowered(parts | whole | parts, spec)  # in their order


def _masked_back(plain: Value, hard: Any) -> Value:
    data: Any = _array(plain["data"], lazy=True)
    mask: Any = plain.get("mask", np.ma.nomask)
    lazy = is_lazy(data)
    if (lazy or mask is not np.ma.nomask) and _array(
        mask, lazy=lazy
    ).shape != data.shape:
        raise ValueError("NumPy would repeat the mask")
    metadata: dict[str, Any] = {
        "hard_mask": bool(hard),
        "fill_value": plain.get("fill_value"),
    }
    if not lazy:
        return np.ma.MaskedArray(data, mask, **metadata)
    meta = np.ma.MaskedArray(np.empty((0,) * data.ndim, data.dtype), **metadata)
    masks = mask.rechunk(data.chunks)
    return data.map_blocks(
        np.ma.MaskedArray, masks, dtype=data.dtype, meta=meta, **metadata
    )


def _lower_array(value: Any) -> Lowered | None:
    """Lower the arrays, also lazy ones, whose dtype the format does not hold."""
    dtype: Any = value.dtype
    if is_masked(value):
        return _lower_masked_blocks(value)
    if dtype.names is not None and not dtype.hasobject:
        spec, packed = dtype_spec(dtype), _packed(dtype)
        return (
            Lowered(value.astype(packed), ["fields", spec])
            if spec != dtype_spec(packed)
            else None
        )
    if dtype.str in _UNITLESS:
        return Lowered(value.astype("i8"), ["unitless", dtype.str])
    if dtype.kind != "T":
        return None
    try:
        missing = [key_spec(dtype.na_object)] if hasattr(dtype, "na_object") else []
    except TypeError:  # an object that nothing but its program knows
        return None
    return Lowered(value.astype(object), ["StringDType", bool(dtype.coerce), *missing])


def _fields_back(plain: Value, spec: Any) -> NumPyArray:
    dtype, array = spec_dtype(spec), _array(plain, lazy=True)
    most = _MOST_PADDING + 16 * array.nbytes  # of a bool aligned with a long double
    if _packed(dtype) != array.dtype or dtype.itemsize * array.size > most:
        raise ValueError("other fields, or more padding than anybody has")
    return array.astype(dtype)


def _unitless_back(plain: Value, name: Any) -> NumPyArray:
    if name not in _UNITLESS:
        raise TypeError("no time without a unit")
    return _array(plain, "i8", lazy=True).astype(f"{name[0]}i8").view(name)


def _strings_back(plain: Value, coerce: Any, *missing: Any) -> NumPyArray:
    string_dtype: Any = np.dtypes.StringDType
    absent = {"na_object": spec_key(missing[0])} if missing else {}
    return _array(plain, "O").astype(string_dtype(coerce=bool(coerce), **absent))


def key_spec(key: Value) -> JSON:
    """Describe the key of a dictionary. Raises TypeError where it is of no kind that zspy stores.

    >>> key_spec((1, "a", None)), key_spec(2.5)
    (['tuple', 1, 'a', None], ['float', '2.5'])
    """
    if key.__class__ is str and (text := _merged(key)) == key:
        return text
    if key.__class__ is tuple:
        return ["tuple", *map(key_spec, key)]
    if type(key) is float:
        return ["float", repr(key)]
    low = lowered(key)
    if key is None or (key.__class__ in (bool, int) and low is None):
        scalar: JSON = key
        return scalar
    if low is None or not isinstance(low.plain, (str, int, float)):
        raise TypeError(f"a key of type {type(key).__qualname__}")
    return ["value", key_spec(low.plain), low.spec]


def key_text(key: Value) -> str:
    """Give the text that names a key.

    >>> key_text((1, "a")), key_text(10**5000)
    ("(1, 'a')", 'int')
    """
    try:
        return _merged(str.__str__(key)) if isinstance(key, str) else str(key)
    except (ValueError, RecursionError):  # too many digits or levels
        return type(key).__name__


def spec_key(spec: Any) -> Value:
    """Undo `key_spec`. Raises ValueError where it is none."""
    match spec:
        case ["float", str(text)]:
            return float(text)
        case ["tuple", *rest]:
            return tuple(map(spec_key, rest))
        case ["value", plain, inner]:
            return restored(spec_key(plain), inner)
        case list() | dict():
            raise ValueError("no key")
        case _:
            return spec


# what has one plain form: how to give it, and what to make of it
_FORMS: Final[dict[type, tuple[Callable[[Any], Value], Callable[[Any], Value]]]] = {
    complex: (repr, lambda plain: complex(_scalar(plain))),
    bytes: (_bytes_plain, _bytes_back),
    bytearray: (_bytes_plain, lambda plain: bytearray(_bytes_back(plain))),
    dt.date: (dt.date.isoformat, dt.date.fromisoformat),
    Decimal: (str, Decimal),
    Fraction: (_fraction_plain, _fraction_back),
    UUID: (str, UUID),
    PurePosixPath: (str, PurePosixPath),
    PureWindowsPath: (str, PureWindowsPath),
    PosixPath: (str, Path if os.name == "posix" else PurePosixPath),
    WindowsPath: (str, Path if os.name == "nt" else PureWindowsPath),
    range: (_limits, lambda plain: range(*plain)),
    slice: (_limits, lambda plain: slice(*plain)),
    set: (_members, set),
    frozenset: (_members, frozenset),
    OrderedDict: (dict, OrderedDict),
}
_LOWER: Final[dict[type, Callable[[Any], Lowered | None]]] = {
    str: _lower_str,
    int: _lower_int,
    dt.datetime: _lower_time,
    dt.time: _lower_time,
    dt.timedelta: _lower_timedelta,
    np.ndarray: _lower_array,
    np.ma.MaskedArray: _lower_masked,
}
_RESTORE: Final[dict[str, Callable[..., Value]]] = {
    **{kind.__name__: back for kind, (_, back) in _FORMS.items()},
    "str": _str_back,
    "int": _int_back,
    "datetime": partial(_time_back, dt.datetime),
    "time": partial(_time_back, dt.time),
    "timedelta": _timedelta_back,
    "numpy": _numpy_back,
    "masked": _masked_back,
    "fields": _fields_back,
    "unitless": _unitless_back,
    "StringDType": _strings_back,
}
