"""Values that the format cannot say, in a plain form, and the type record of each.

`lowered` gives a value's plainest form that an old reader understands, and a spec; `restored`
undoes it. Nothing here runs code that a file names: specs are data, the table of tags is closed.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from .foreign import FOREIGN_TYPES, foreign_type
from .types import JSON, NumPyArray, Value, is_array, is_lazy

_LONGEST_TEXT: Final = 4096  # bytes beyond it are an array, not an attribute
_MOST_BITS: Final = 14284  # Python turns no more than 4300 digits into text
_UNITLESS: Final = frozenset(
    {"<m8", ">m8", "<M8", ">M8"}
)  # which zarr-python 2 does not read
_MOST_PADDING: Final = 2**24  # bytes that a dtype may add to an array
_MOST_FRACTION_BITS: Final = 2**16  # reducing a fraction takes their square
_MOST_EQUAL_HASHES: Final = 100  # of ints, on purpose, all may be equal
_DEEPEST_SET: Final = 128  # each level is sorted by the text of all that is in it
_PLAIN_SCALARS: Final = (bool, int, float, str)
MISFITS: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(OSError, RecursionError, np.ma.MAError),  # of time zones, of deep specs, of masks
    ImportError,  # of a library that is not installed
)


class AxisTypeName(str):
    """The name of a type of axes that released HyperSpy does not know; stored as a DataAxis."""

    __slots__ = ()


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
    if lower := _LOWER.get(kind):
        return lower(value)
    if issubclass(kind, np.generic):
        return _lower_numpy(value)
    if hasattr(kind, "__dask_graph__") and is_lazy(value):
        return _lower_array(value)
    if row := foreign_type(value):
        plain = row.plain(value)
        if plain is not None:
            return Lowered(plain, [row.tag, *row.details(value)])
    return None


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
        takes, restore = _RESTORE[spec[0]]
        if takes and type(plain) not in takes:
            raise TypeError("not the plain form of the type")
        with np.errstate(all="ignore"):
            return restore(plain, *spec[1:])
    except MISFITS as error:
        raise ValueError("the record does not fit what is stored") from error


def few_collide(values: Iterable[object]) -> bool:
    """Tell whether few values have the same hash: a set or dictionary of others takes for ever.

    >>> few_collide([1, 2]), few_collide(n * (2**61 - 1) for n in range(1000))
    (True, False)
    """
    counts = Counter(map(hash, values))
    return max(counts.values(), default=0) <= _MOST_EQUAL_HASHES


def _checked_array(
    plain: Value, dtype: Any = None, *, lazy: bool = False
) -> NumPyArray:
    """Give the plain form if it is an array, of that dtype."""
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
    return (
        plain.encode()
        if isinstance(plain, str)
        else _checked_array(plain, "u1").tobytes()
    )


def _lower_fraction(value: Fraction) -> Lowered | None:
    parts = [value.numerator, value.denominator]
    if max(part.bit_length() for part in parts) > _MOST_FRACTION_BITS:
        return None
    try:
        return Lowered(str(value), ["Fraction"])
    except ValueError:  # too many digits
        return Lowered(parts, ["Fraction"])


def _fraction_back(plain: Value) -> Fraction:
    # not the text itself: Fraction would raise ten to any power
    parts = [*map(int, plain.split("/"))] if isinstance(plain, str) else plain
    for part in parts:
        if type(part) is not int or part.bit_length() > _MOST_FRACTION_BITS:
            raise ValueError("no part of a fraction that is stored")
    return Fraction(*parts)


def _rank(member: Any, depth: int = 0) -> str:
    """Give a text that is the same in every process, in whatever order a frozenset comes."""
    name = member.__class__.__name__
    if name in ("tuple", "frozenset"):
        if depth > _DEEPEST_SET:
            raise RecursionError("sets within sets")
        ranks = [_rank(one, depth + 1) for one in member]
        if name == "frozenset":
            ranks.sort()
        return f"{name}({','.join(ranks)})"
    try:
        return f"{name} {member!r}"
    except ValueError:  # too many digits
        return f"{name} {hash(member)}"


def _lower_set(value: set[Any] | frozenset[Any]) -> Lowered | None:
    if not few_collide(value):
        return None
    return Lowered(sorted(value, key=_rank), [type(value).__name__])


def _set_back(kind: type[Any], plain: list[Any]) -> Value:
    if not few_collide(plain):
        raise ValueError("members that collide on purpose")
    return kind(plain)


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


def _without_padding(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a structured dtype without padding, alignment and titles: all that Zarr describes."""
    if dtype.subdtype is not None:
        return np.dtype((_without_padding(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.names is None:
        return dtype
    return np.dtype([(name, _without_padding(dtype[name])) for name in dtype.names])


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
        return _checked_array(plain)[()]
    dtype = spec_dtype(name)
    if dtype.kind not in "biufcmM":
        raise TypeError("no scalar")
    if dtype.kind in "mM":
        return np.array(exact).view(dtype)[0]
    if exact:
        return _long_double_back(dtype, *exact)
    if type(plain) not in _PLAIN_SCALARS:
        raise TypeError("no plain scalar")  # NumPy makes integers of huge decimals
    return dtype.type(plain)


def _long_double_back(dtype: np.dtype[Any], texts: Any, exponents: Any) -> Value:
    """Make a long double, or a complex one, of fractions as text and exponents of two."""
    parts = 2 if dtype.kind == "c" else 1
    if not len(texts) == len(exponents) == parts:
        raise ValueError("no long double")
    numbers = [np.longdouble(text[:100]) for text in texts]
    return np.ldexp(numbers, [int(power) for power in exponents]).view(dtype)[0]


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


def _masked_back(plain: dict[str, Any], hard: Any) -> Value:
    data: Any = _checked_array(plain["data"], lazy=True)
    mask: Any = plain.get("mask", np.ma.nomask)
    lazy = is_lazy(data)
    if (lazy or mask is not np.ma.nomask) and _checked_array(
        mask, lazy=lazy
    ).shape != data.shape:
        raise ValueError("NumPy would repeat the mask")
    fill = plain.get("fill_value")
    if fill is not None and _checked_array(fill, data.dtype).ndim:
        raise ValueError("a fill value is a scalar")
    metadata: dict[str, Any] = {"hard_mask": bool(hard), "fill_value": fill}
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
        spec, packed = dtype_spec(dtype), _without_padding(dtype)
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
    dtype, array = spec_dtype(spec), _checked_array(plain, lazy=True)
    most = _MOST_PADDING + 16 * array.nbytes  # of a bool aligned with a long double
    if _without_padding(dtype) != array.dtype or dtype.itemsize * array.size > most:
        raise ValueError("other fields, or more padding than anybody has")
    return array.astype(dtype)


def _unitless_back(plain: Value, name: Any) -> NumPyArray:
    if name not in _UNITLESS:
        raise TypeError("no time without a unit")
    return _checked_array(plain, "i8", lazy=True).astype(f"{name[0]}i8").view(name)


def _strings_back(plain: Value, coerce: Any, *missing: Any) -> NumPyArray:
    string_dtype: Any = np.dtypes.StringDType
    absent = {"na_object": spec_key(missing[0])} if missing else {}
    return _checked_array(plain, "O").astype(
        string_dtype(coerce=bool(coerce), **absent)
    )


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


class ValueType(NamedTuple):
    """One row of the table of value types: how values of one type are stored, and made again."""

    kind: type
    tag: str
    """What the record calls the type."""
    lower: Callable[[Any], Lowered | None]
    takes: tuple[type, ...]
    """The types of plain forms, which is all that `restore` is given."""
    restore: Callable[..., Value]
    examples: tuple[Value, ...]


def _value_type(
    kind: type,
    plain: Callable[[Any], Value],
    takes: type | tuple[type, ...],
    restore: Callable[[Any], Value],
    *examples: Value,
) -> ValueType:
    """Make the row of a type whose plain form says all but the type."""
    tag = kind.__name__

    def lower(value: Any) -> Lowered:
        return Lowered(plain(value), [tag])

    types = takes if isinstance(takes, tuple) else (takes,)
    return ValueType(kind, tag, lower, types, restore, examples)


VALUE_TYPES: Final = (
    _value_type(complex, repr, str, complex, 1 + 2j),
    _value_type(bytes, _bytes_plain, (str, np.ndarray), _bytes_back, b"a\0b"),
    _value_type(
        bytearray,
        _bytes_plain,
        (str, np.ndarray),
        lambda plain: bytearray(_bytes_back(plain)),
        bytearray(b"a"),
    ),
    _value_type(
        dt.date, dt.date.isoformat, str, dt.date.fromisoformat, dt.date(1999, 12, 31)
    ),
    _value_type(Decimal, str, str, Decimal, Decimal("0.10")),
    _value_type(UUID, str, str, UUID, UUID(int=7)),
    _value_type(PurePosixPath, str, str, PurePosixPath, PurePosixPath("a/b")),
    _value_type(PureWindowsPath, str, str, PureWindowsPath, PureWindowsPath("c:/b")),
    _value_type(PosixPath, str, str, Path if os.name == "posix" else PurePosixPath),
    _value_type(WindowsPath, str, str, Path if os.name == "nt" else PureWindowsPath),
    _value_type(range, _limits, list, lambda plain: range(*plain), range(1, 9, 2)),
    _value_type(slice, _limits, list, lambda plain: slice(*plain), slice(None, 3)),
    _value_type(OrderedDict, dict, dict, OrderedDict, OrderedDict(b=1, a=2)),
    ValueType(
        Fraction,
        "Fraction",
        _lower_fraction,
        (str, list),
        _fraction_back,
        (Fraction(1, 3),),
    ),
    ValueType(set, "set", _lower_set, (list,), partial(_set_back, set), ({1, 2},)),
    ValueType(
        frozenset,
        "frozenset",
        _lower_set,
        (list,),
        partial(_set_back, frozenset),
        (frozenset((1, "a")),),
    ),
    ValueType(str, "str", _lower_str, (str, type(None)), _str_back, ("_None_",)),
    ValueType(int, "int", _lower_int, (str,), _int_back, (10**5000,)),
    ValueType(
        dt.datetime,
        "datetime",
        _lower_time,
        (str,),
        partial(_time_back, dt.datetime),
        (dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC),),
    ),
    ValueType(
        dt.time,
        "time",
        _lower_time,
        (str,),
        partial(_time_back, dt.time),
        (dt.time(1, 2, 3),),
    ),
    ValueType(
        dt.timedelta,
        "timedelta",
        _lower_timedelta,
        (float,),
        _timedelta_back,
        (dt.timedelta(1, 2, 3),),
    ),
    ValueType(
        AxisTypeName,
        "axis",
        lambda name: Lowered("DataAxis", ["axis", str.__str__(name)]),
        (str,),
        lambda _, name: AxisTypeName(name),
        (),
    ),
    ValueType(np.ma.MaskedArray, "masked", _lower_masked, (dict,), _masked_back, ()),
)
_LOWER: Final[dict[type, Callable[[Any], Lowered | None]]] = {
    **{row.kind: row.lower for row in VALUE_TYPES},
    np.ndarray: _lower_array,
}
# by the tag in a record: the types of plain forms (any, where there are none), and what restores
_RESTORE: Final[dict[str, tuple[tuple[type, ...], Callable[..., Value]]]] = {
    **{row.tag: (row.takes, row.restore) for row in VALUE_TYPES},
    **{row.tag: (row.takes, row.restore) for row in FOREIGN_TYPES},
    "numpy": ((), _numpy_back),
    "fields": ((), _fields_back),
    "unitless": ((), _unitless_back),
    "StringDType": ((), _strings_back),
}
