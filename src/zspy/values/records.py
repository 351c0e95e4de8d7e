"""Values that the format cannot say, in a plain form, and the type record of each.

`lowered` gives a value's plainest form that an old reader understands, and a spec; `restored`
undoes it. Nothing here runs code that a file names: specs are data, the table of tags is closed.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import prod
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from .blocks import computed
from .dtype_specs import MISFITS, dtype_spec, is_held, spec_dtype
from .foreign import FOREIGN_TYPES, lowered_foreign
from .names import NONE, UNNAMED
from .nodes import same_json
from .ragged import object_array, pack
from .types import (
    JSON,
    DType,
    Lowered,
    NumPyArray,
    Value,
    ValueType,
    is_array,
    is_lazy,
)

_MOST_CHARACTERS: Final = 2**29 - 1
"""Characters that text in an array may have: NumPy counts its bytes, four each, in 31 bits."""
# Bytes that are longer become an array, not an attribute.
_LONGEST_TEXT: Final = 4096
# Python turns integers of no more than 4300 digits into text.
_MOST_BITS: Final = 14284
# zarr-python 2 does not read times without a unit.
_UNITLESS: Final = frozenset({"<m8", ">m8", "<M8", ">M8"})
# A dtype in a record may add so many bytes to an array.
_MOST_PADDING: Final = 2**24
# Reducing a fraction takes time by the square of its bits.
_MOST_FRACTION_BITS: Final = 2**16
# Integers of one hash are made easily; a set of them takes time by their square.
_MOST_EQUAL_HASHES: Final = 100
# Each level of a set is sorted by the text of all that is in it.
_DEEPEST_SET: Final = 128
_MOST_DIMENSIONS: Final = 64
_PLAIN_SCALARS: Final = (bool, int, float, str)


class AxisTypeName(str):
    """The name of a type of axes that released HyperSpy does not know; stored as a DataAxis."""

    __slots__ = ()


def lowered(value: object) -> Lowered | None:
    """Give the plain form and the spec of a value, or None where it needs none or has none.

    >>> lowered(Fraction(1, 3))
    Lowered(plain='1/3', spec=['Fraction'])
    """
    kind = type(value)
    if row := _BY_TYPE.get(kind):
        return row.lowered(value, kind.__name__)
    if issubclass(kind, np.generic):
        return _lower_numpy(value)
    if hasattr(kind, "__dask_graph__") and is_lazy(value):
        return _lower_array(value)
    return lowered_foreign(value)


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
        row = BY_TAG[spec[0]]
        if row.takes and type(plain) not in row.takes:
            raise TypeError("not the plain form of the type")
        with np.errstate(all="ignore"):
            return row.restore(plain, *spec[1:])
    except MISFITS as error:
        raise ValueError("the record does not fit what is stored") from error


def made_again(plain: Value, spec: Any) -> Value:
    """Undo `lowered` as `restored` does. Raises ValueError for what would be stored otherwise.

    >>> made_again("1/3", ["Fraction"])
    Fraction(1, 3)
    """
    value = restored(plain, spec)
    low = lowered(value)
    if low is None or not (is_lazy(value) or same_json(low.plain, plain)):
        raise ValueError("it would be stored in another way")
    return value


def few_collide(values: Collection[object]) -> bool:
    """Tell whether few values have the same hash: a set or dictionary of others takes for ever.

    >>> few_collide([1, 2]), few_collide([n * (2**61 - 1) for n in range(1000)])
    (True, False)
    """
    if len(values) <= _MOST_EQUAL_HASHES:
        return True
    counts = Counter(map(hash, values))
    return max(counts.values()) <= _MOST_EQUAL_HASHES


def _checked_array(
    plain: Value,
    dtype: Any = None,
    *,
    lazy: bool = False,
) -> NumPyArray:
    """Give the plain form if it is an array, of that dtype."""
    is_kind = is_array(plain) or (lazy and is_lazy(plain))
    if not is_kind or dtype not in (None, plain.dtype):
        raise TypeError("not the array that the record speaks of")
    array: NumPyArray = plain
    return array


def _lower_str(value: str) -> Lowered | None:
    """Lower the strings that readers take for something else."""
    if value.isascii() and value[:1] != "_":
        return None
    if value == NONE:
        return Lowered(None, ["str"])
    plain, *exact = _exactly(value)
    if exact:
        return Lowered(plain, ["str", *exact])
    return Lowered(value, ["str"]) if value == UNNAMED else None


def _str_back(plain: Value, *exact: str) -> str:
    if exact:
        return bytes.fromhex(exact[0]).decode("utf-32-be", "surrogatepass")
    return NONE if plain is None else plain


def _exactly(text: str) -> list[str]:
    """Give text as JSON brings it back, and as `_str_back` takes it, where they differ."""
    plain = _with_joined_surrogates(text)
    if plain == text:
        return [text]
    return [plain, text.encode("utf-32-be", "surrogatepass").hex()]


def _with_joined_surrogates(text: str) -> str:
    """Give text as JSON brings it back: of two surrogates that are a pair, it makes one."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _lower_int(value: int) -> Lowered | None:
    return Lowered(hex(value), ["int"]) if value.bit_length() > _MOST_BITS else None


def _bytes_plain(value: bytes | bytearray) -> Value:
    """Give bytes as text where that is sure to come back, else as an array of uint8."""
    if len(value) <= _LONGEST_TEXT and 0 not in value:
        with suppress(UnicodeDecodeError):
            return value.decode()
    return np.frombuffer(bytes(value), np.uint8)


def _bytes_back(
    kind: Callable[[Any], Value],
    plain: Value,
) -> Value:
    is_text = isinstance(plain, str)
    return kind(
        plain.encode() if is_text else _checked_array(plain, "u1").tobytes()
    )


def _fraction_plain(value: Fraction) -> Value:
    parts = [value.numerator, value.denominator]
    if max(part.bit_length() for part in parts) > _MOST_FRACTION_BITS:
        return None
    try:
        return str(value)
    except ValueError:  # It has too many digits.
        return parts


def _fraction_back(plain: Value) -> Fraction:
    # Fraction does not get the text itself: it would raise ten to any power.
    parts = [*map(int, plain.split("/"))] if isinstance(plain, str) else plain
    for part in parts:
        if type(part) is not int or part.bit_length() > _MOST_FRACTION_BITS:
            raise ValueError("no part of a fraction that is stored")
    return Fraction(*parts)


def sorting_text(member: Any, depth: int = 0) -> str:
    """Give a text that is the same in every process, in whatever order a frozenset comes."""
    name = member.__class__.__name__
    if name in ("tuple", "frozenset"):
        if depth > _DEEPEST_SET:
            raise RecursionError("sets within sets")
        ranks = [sorting_text(one, depth + 1) for one in member]
        if name == "frozenset":
            ranks.sort()
        return f"{name}({','.join(ranks)})"
    try:
        return f"{name} {member!r}"
    # It has too many digits, or is no date that there is.
    except (ArithmeticError, ValueError):
        return f"{name} {hash(member)}"


def _sorted_elements(value: set[Any] | frozenset[Any]) -> Value:
    return sorted(value, key=sorting_text) if few_collide(value) else None


def _set_back(kind: type[Any], plain: list[Any]) -> Value:
    if not few_collide(plain):
        raise ValueError("members that collide on purpose")
    return kind(plain)


def _bounds(value: range | slice) -> list[Any]:
    return [value.start, value.stop, value.step]


def _lower_timedelta(value: dt.timedelta) -> Lowered:
    exact: list[JSON] = [value.days, value.seconds, value.microseconds]
    return Lowered(value.total_seconds(), ["timedelta", *exact])


def _lower_time(value: dt.datetime | dt.time) -> Lowered | None:
    zone, spec = value.tzinfo, list[JSON]()
    if type(zone) is dt.timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        spec += [offset.days, offset.seconds, offset.microseconds]
        spec += _exactly(name) if name != dt.timezone(offset).tzname(None) else []
    elif type(zone) is ZoneInfo and zone.key:
        spec += [zone.key]
    elif zone is not None:
        return None
    return Lowered(value.isoformat(), [type(value).__name__, value.fold, *spec])


def _time_back(
    kind: type[Any],
    plain: str,
    fold: int,
    *spec: Any,
) -> Value:
    zone: dt.tzinfo | None = None
    if len(spec) == 1:
        zone = ZoneInfo(*spec)
    elif spec:
        name = [_str_back(*spec[3:])] if spec[3:] else []
        zone = dt.timezone(dt.timedelta(*spec[:3]), *name)
    return kind.fromisoformat(plain).replace(fold=fold, tzinfo=zone)


def text_array(value: NumPyArray) -> NumPyArray:
    """Give a bytes array as text where it is ASCII (clause 8.4 of the specification).

    >>> text_array(np.array([b"a", b"bc"]))
    array(['a', 'bc'], dtype='<U2')
    """
    if value.dtype.itemsize > _MOST_CHARACTERS:
        return value
    try:
        return value.astype(f"U{value.dtype.itemsize}")
    except UnicodeDecodeError:
        return value


def _lower_numpy(value: Any) -> Lowered | None:
    if type(value) is not value.dtype.type:
        return None
    kind = value.dtype.kind
    spec: list[JSON] = ["numpy", kind if kind in "USV" else value.dtype.str]
    plain: Any
    match kind:
        case "b" | "i" | "u":
            plain = value.item()
            if np.dtype(value.dtype.str).type is not type(value):
                # The dtype as text would give another type of as many bytes.
                spec[1] = value.dtype.char
        case "f" | "c":
            if value.dtype.char in "gG":
                parts, exponents = np.frexp(value.reshape(1).view(np.longdouble))
                # As text they are exact, but NumPy warns of subnormal ones.
                texts: list[JSON] = [*map(str, parts)]
                spec += [texts, exponents.tolist()]
            with np.errstate(over="ignore"):
                plain = float(value) if kind == "f" else repr(complex(value))
        case "m" | "M":
            unit, step = np.datetime_data(value.dtype)
            count = int(value.view(np.int64))
            spec.append(count)
            # NumPy has no text of a date that is beyond the range of its unit.
            has_text = unit != "generic" and abs(count) * step < 2**63
            dated = np.isnat(value) or (kind == "M" and has_text)
            plain = str(value) if dated else count
        case "U":
            plain = str.__str__(value)
        case "S":
            plain = _bytes_plain(bytes(value))
        case _ if type(value) is np.void:
            plain = np.array(value)
        case _:
            return None
    return Lowered(plain, spec)


def _numpy_back(
    plain: Value,
    name: Any,
    *exact: Any,
) -> Value:
    if name == "U":
        return np.str_(plain)
    if name == "S":
        return _bytes_back(np.bytes_, plain)
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
        # NumPy would make an integer of a huge decimal, for hours.
        raise TypeError("no plain scalar")
    return dtype.type(plain)


def _long_double_back(
    dtype: DType,
    texts: Any,
    exponents: Any,
) -> Value:
    """Make a long double, or a complex one, of fractions as text and exponents of two."""
    parts = 2 if dtype.kind == "c" else 1
    if not len(texts) == len(exponents) == parts:
        raise ValueError("no long double")
    numbers = [np.longdouble(text[:100]) for text in texts]
    return np.ldexp(numbers, [int(power) for power in exponents]).view(dtype)[0]


def _block_of(array: Any) -> Any:
    """Give an array that is as the blocks of a dask array are, or the array itself."""
    return getattr(array, "_meta", array)


def is_masked(array: Any) -> bool:
    """Tell a masked array, or a dask array of such blocks."""
    return isinstance(_block_of(array), np.ma.MaskedArray)


def _lower_masked(value: Any) -> Lowered:
    """Lower a masked array; a lazy one is not computed, unless it holds objects."""
    block = _block_of(value)
    plain: dict[str, Any] = {}
    if block is not value:
        masks: Any = cast("Any", np.ma).make_mask_descr(value.dtype)
        parts: Any = (
            ("data", np.ma.getdata, value.dtype),
            ("mask", np.ma.getmaskarray, masks),
        )
        for name, part, dtype in parts:
            meta = np.empty((0,) * value.ndim, dtype)
            plain[name] = value.map_blocks(part, dtype=dtype, meta=meta)
            if value.dtype.kind in "OT":
                plain[name] = computed(plain[name])
    else:
        plain["data"] = value.data
        if value.mask is not np.ma.nomask:
            # NumPy gives the mask of a single record as a scalar.
            plain["mask"] = np.asarray(np.ma.getmaskarray(value))
    # The property would make a default, which need not fit the dtype; here None is none.
    given: Any = getattr(block, "_fill_value", None)
    fill, own = np.asarray(given), value.dtype
    is_fit = (fill.dtype.kind, fill.itemsize) == (own.kind, own.itemsize)
    if given is not None and is_fit:
        plain["fill_value"] = fill.astype(own)
    return Lowered(plain, ["masked", bool(block.hardmask)])


def _masked_back(
    plain: dict[str, Any],
    hard: Any,
) -> Value:
    data: Any = _checked_array(plain["data"], lazy=True)
    mask: Any = plain.get("mask", np.ma.nomask)
    lazy = is_lazy(data)
    if lazy or mask is not np.ma.nomask:
        # A file that grows has the mask of more data for a moment.
        beyond: Any = (*map(slice, data.shape), ...)
        mask = _checked_array(mask, lazy=lazy)[beyond]
        if mask.shape != data.shape:
            raise ValueError("NumPy would repeat the mask")
    fill = plain.get("fill_value")
    if fill is not None and _checked_array(fill, data.dtype).ndim:
        raise ValueError("a fill value is a scalar")
    options: dict[str, Any] = {"hard_mask": bool(hard), "fill_value": fill}
    if not lazy:
        return np.ma.MaskedArray(data, mask, **options)
    meta = np.ma.MaskedArray(np.empty((0,) * data.ndim, data.dtype), **options)
    masks = mask.rechunk(data.chunks)
    return data.map_blocks(
        np.ma.MaskedArray, masks, dtype=data.dtype, meta=meta, **options
    )


def _lower_array(value: Any) -> Lowered | None:
    """Lower the arrays, also lazy ones, whose dtype the format does not hold."""
    dtype: Any = value.dtype
    if is_masked(value):
        return _lower_masked(value)
    if dtype.kind == "O":
        value = computed(value)
        cells = pack(value)
        if cells is not None:
            return Lowered(cells, [])
        return Lowered(value.ravel().tolist(), ["object", [*value.shape]])
    if dtype.names is not None and not dtype.hasobject:
        spec = dtype_spec(dtype)
        packed = spec_dtype(spec, packed=True)
        if spec == dtype_spec(packed) or not is_held(dtype):
            return None
        return Lowered(value.astype(packed), ["fields", spec])
    if dtype.str in _UNITLESS:
        return Lowered(value.astype("i8"), ["unitless", dtype.str])
    if dtype.kind != "T":
        return None
    try:
        missing = [key_spec(dtype.na_object)] if hasattr(dtype, "na_object") else []
    except TypeError:  # It is an object that only its program knows.
        return None
    return Lowered(
        value.astype(object), ["StringDType", bool(dtype.coerce), *missing]
    )


def _objects_back(plain: list[Any], shape: list[Any]) -> NumPyArray:
    if len(shape) > _MOST_DIMENSIONS or any(
        type(edge) is not int or not 0 <= edge < 2**63 for edge in shape
    ):
        raise ValueError("no shape of an array")
    if prod(shape) != len(plain):
        raise ValueError("no list of that many cells")
    return object_array(plain, tuple(shape))


def _fields_back(plain: Value, spec: Any) -> NumPyArray:
    dtype, array = spec_dtype(spec), _checked_array(plain, lazy=True)
    # A bool that is aligned with a long double takes sixteen times its size.
    most = _MOST_PADDING + 16 * array.nbytes
    packed = spec_dtype(spec, packed=True)
    if packed != array.dtype or dtype.itemsize * array.size > most:
        raise ValueError("other fields, or more padding than anybody has")
    return array.astype(dtype)


def _unitless_back(plain: Value, name: Any) -> NumPyArray:
    if name not in _UNITLESS:
        raise TypeError("no time without a unit")
    return _checked_array(plain, "i8", lazy=True).astype(f"{name[0]}i8").view(name)


def _strings_back(
    plain: Value,
    coerce: Any,
    *missing: Any,
) -> NumPyArray:
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
    if key.__class__ is str and (text := _with_joined_surrogates(key)) == key:
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
        return (
            _with_joined_surrogates(str.__str__(key))
            if isinstance(key, str)
            else str(key)
        )
    except (ArithmeticError, ValueError, RecursionError):
        # It has too many digits or levels, or is no date that there is.
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


def _timedelta_back(_: Any, days: Any, seconds: Any, millionths: Any) -> Value:
    return dt.timedelta(days, seconds, millionths)


def _bounds_back(kind: Callable[..., Value], plain: Any) -> Value:
    return kind(*plain)


def _lower_axis_type(name: Any) -> Lowered:
    return Lowered("DataAxis", ["axis", str.__str__(name)])


def _axis_type_back(_: Any, name: Any) -> Value:
    return AxisTypeName(name)


# One row a type. What has no details to record gives its plain form alone.
VALUE_TYPES: Final = (
    ValueType(str, (str, type(None)), _lower_str, _str_back),
    ValueType(int, (str,), _lower_int, partial(int, base=16)),
    ValueType(complex, (str,), repr, complex),
    ValueType(bytes, (str, np.ndarray), _bytes_plain, partial(_bytes_back, bytes)),
    ValueType(
        bytearray, (str, np.ndarray), _bytes_plain, partial(_bytes_back, bytearray)
    ),
    ValueType(dt.date, (str,), dt.date.isoformat, dt.date.fromisoformat),
    ValueType(dt.datetime, (str,), _lower_time, partial(_time_back, dt.datetime)),
    ValueType(dt.time, (str,), _lower_time, partial(_time_back, dt.time)),
    ValueType(
        dt.timedelta,
        (float,),
        _lower_timedelta,
        _timedelta_back,
    ),
    ValueType(Decimal, (str,), str, Decimal),
    ValueType(Fraction, (str, list), _fraction_plain, _fraction_back),
    ValueType(UUID, (str,), str, UUID),
    ValueType(PurePosixPath, (str,), str, PurePosixPath),
    ValueType(PureWindowsPath, (str,), str, PureWindowsPath),
    ValueType(
        PosixPath, (str,), str, Path if os.name == "posix" else PurePosixPath
    ),
    ValueType(
        WindowsPath, (str,), str, Path if os.name == "nt" else PureWindowsPath
    ),
    ValueType(range, (list,), _bounds, partial(_bounds_back, range)),
    ValueType(slice, (list,), _bounds, partial(_bounds_back, slice)),
    ValueType(set, (list,), _sorted_elements, partial(_set_back, set)),
    ValueType(frozenset, (list,), _sorted_elements, partial(_set_back, frozenset)),
    ValueType(OrderedDict, (dict,), dict, OrderedDict),
)
_ARRAYS: Final = ValueType(np.ndarray, (), _lower_array, _fields_back)
_MASKED: Final = ValueType(np.ma.MaskedArray, (dict,), _lower_masked, _masked_back)
_AXES: Final = ValueType(
    AxisTypeName,
    (str,),
    _lower_axis_type,
    _axis_type_back,
)
_BY_TYPE: Final = {row.kind: row for row in (*VALUE_TYPES, _ARRAYS, _MASKED, _AXES)}
BY_TAG: Final[dict[Any, ValueType]] = {
    **{row.kind.__name__: row for row in VALUE_TYPES},
    **FOREIGN_TYPES,
    "axis": _AXES,
    "masked": _MASKED,
    "fields": _ARRAYS,
    "object": ValueType(np.ndarray, (list,), _lower_array, _objects_back),
    "numpy": _ARRAYS._replace(restore=_numpy_back),
    "unitless": _ARRAYS._replace(restore=_unitless_back),
    "StringDType": _ARRAYS._replace(restore=_strings_back),
}
