"""Data types and fill values, as the documents of Zarr format 2 and 3 describe them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from ..values.errors import FormatError, shown
from ..values.types import (
    JSON,
    DType,
    Edges,
    Entries,
    JSONObject,
    NumPyArray,
    is_dict,
    is_list,
)
from .attributes import named_nonfinite
from .codecs import DOCUMENT_CELLS
from .limits import CELL

OBJECT: Final = np.dtype(object)
DTYPE: Final = "_zspy_dtype"
"""Attribute of a format-3 array: the dtype that its core data type stands for."""
MOST_ELEMENTS: Final = 2**62
"""Elements of an array."""
MOST_EDGES: Final = 64
"""Dimensions of an array, as NumPy has them."""
# Bytes of a fill value that is written out; a longer one is read where it is stored as a whole.
_LARGEST_FILL_VALUE: Final = 2**20
_NAME: Final = re.compile(
    r"[<>|]?[biufcmMSUV]\d{1,10}(\[\d{0,10}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?\Z"
)
_CORE: Final = {
    np.dtype(kind).name for kind in np.typecodes["AllInteger"] + "?efdFD"
}
"""The names of the core data types of format 3."""
STRINGS: Final = {
    "string": "vlen-utf8",
    "variable_length_bytes": "vlen-bytes",
    "bytes": "vlen-bytes",
}
"""The data types of format 3 that are object arrays, with their object codecs."""
STRING_TYPES: Final = {cells: name for name, cells in reversed(STRINGS.items())}
"""The data type of format 3 that zspy writes for each of these object codecs: the first one."""
REWRITE: Final = "read it with the program that wrote it, and write it anew"
"""What to do with what zspy does not read."""
_LENGTHS: Final = {
    "fixed_length_utf32": ("<U", 4),
    "null_terminated_bytes": ("|S", 1),
    "raw_bytes": ("|V", 1),
}


def core_dtype(dtype: DType) -> DType:
    """Give the core data type that any reader of format 3 knows, for a dtype that is none.

    Values with a unit become int64; whatever else, bytes along one more dimension.

    >>> (
    ...     core_dtype(np.dtype("M8[s]")),
    ...     core_dtype(np.dtype(">f4")),
    ...     core_dtype(np.dtype("U2")),
    ... )
    (dtype('int64'), dtype('float32'), dtype(('u1', (8,))))
    """
    if dtype.kind in "mM":
        return np.dtype(np.int64)
    native = dtype.newbyteorder("=")
    if native.name in _CORE:
        return native
    return np.dtype((np.uint8, (dtype.itemsize,)))


def from_core(values: NumPyArray, dtype: DType) -> NumPyArray:
    """Give values of a core data type the dtype that it stands for, if they do not have it."""
    if values.dtype == dtype:
        return values
    if core_dtype(dtype).shape:
        return np.ascontiguousarray(values).view(dtype)[..., 0]
    if dtype.kind in "mM":
        values = values.view(dtype.newbyteorder("="))
    return values.astype(dtype)


@lru_cache(maxsize=256)
def is_held(dtype: DType) -> bool:
    """Tell whether a document of format 2 can say all of a dtype."""
    try:
        return parse_dtype(dtype_description(dtype)) == dtype
    except (ValueError, TypeError, FormatError):
        return False


def dtype_description(dtype: DType) -> JSON:
    """Describe a dtype as Zarr format 2 does: a string, or a list of fields."""
    if dtype.names is None:
        return dtype.str
    fields: list[JSON] = []
    for name in dtype.names:
        inner = dtype[name]
        shapes: list[JSON] = [[*inner.shape]] if inner.shape else []
        fields.append([name, dtype_description(inner.base), *shapes])
    return fields


def parse_dtype(description: Any) -> DType:
    """Undo `dtype_description`; raises ValueError or TypeError for what is none.

    Raises FormatError where an element has no bytes: zarr-python 2 writes such arrays, and reads
    some of them as text of one character.
    """
    dtype: DType = np.dtype(_fields(description))
    if not dtype.itemsize:
        raise unsupported(f"a dtype of 0 bytes, {description!r:.80},")
    if not 0 < dtype.itemsize < 2**31:  # NumPy 2.0 makes negative ones
        raise ValueError(f"a dtype of {dtype.itemsize} bytes")
    return dtype


def _fields(description: Any) -> Any:
    if isinstance(description, str) and _NAME.match(description):
        return description
    if not is_list(description):
        raise ValueError(f"{description!r:.80} is no dtype")
    fields: list[Any] = []
    for name, inner, *shapes in description:
        # Padding has no name: NumPy gives it the one that zarr-python reads.
        is_padding = not name and str(inner).startswith("|V")
        if not isinstance(name, str) or not (name or is_padding) or len(shapes) > 1:
            problem = "a field of a dtype is a name, a dtype, and perhaps a shape"
            raise ValueError(problem)
        edges = (parse_shape(shape, 1) for shape in shapes)
        fields.append((name, _fields(inner), *edges))
    return fields


def parse_shape(edges: Any, least: int, what: str = "a shape") -> Edges:
    """Check a list of integers; raises ValueError where it is none."""
    if not is_list(edges) or any(
        type(edge) is not int or edge < least for edge in edges
    ):
        problem = f"no list of integers from {least}"
    elif (
        len(edges) > MOST_EDGES or prod(edge or 1 for edge in edges) > MOST_ELEMENTS
    ):
        problem = "which is too large"
    else:
        return tuple(edges)
    raise ValueError(f"{what} is {edges!r:.80}, {problem}")


def parse_grid(document: Any) -> tuple[Edges, Edges]:
    """Give the shape of an array, and that of its chunks or shards, as its document has them.

    Raises ValueError, or FormatError, where they are none. zarr-python 3.1 writes chunks of length
    0 for a dimension of length 0.
    """
    shape = parse_shape(document.get("shape"), 0, "shape")
    what, edges = "chunks", document.get("chunks")
    if document.get("zarr_format") == 3:
        name, settings = named_extension(document.get("chunk_grid"), "chunk_grid")
        if name != "regular":
            raise unsupported(f"the chunk grid {name!r}")
        what, edges = "chunk_shape", settings.get("chunk_shape")
    return shape, parse_chunk_shape(edges, shape, what)


def parse_chunk_shape(edges: Any, shape: Edges, what: str) -> Edges:
    """Check the shape of chunks of an array; raises ValueError where it is none."""
    if is_list(edges) and len(edges) == len(shape):
        pairs = zip(edges, shape, strict=True)
        edges = [1 if edge == size == 0 else edge for edge, size in pairs]
    chunks = parse_shape(edges, 1, what)
    if len(chunks) != len(shape):
        raise ValueError("chunks of other dimensions than the array")
    return chunks


def unsupported(what: str, where: str = "", remedy: str = REWRITE) -> FormatError:
    """Make the error of what other programs write, and zspy does not read.

    The remedy names no program: zarr-python does not know all of it either. Whoever parses a whole
    document adds where it is.
    """
    return FormatError(f"{what} is not supported", where, remedy)


def named_extension(value: Any, what: str) -> tuple[str, JSONObject]:
    """Give the name and the configuration of an extension point of format 3."""
    one = value if is_dict(value) else {"name": value}
    name: Any = one.get("name")
    settings: Any = one.get("configuration") or {}
    if not isinstance(name, str) or not is_dict(settings):
        raise ValueError(f"{what} without a name and its configuration")
    return name, settings


def data_type(value: Any) -> JSON:
    """Describe a data type of format 3 as format 2 does; ``""`` where only zarr-python can."""
    name, settings = named_extension(value, "data_type")
    if name in _CORE:
        description: JSON = np.dtype(name).str
        return description
    if name in STRINGS:
        return name
    if name in _LENGTHS:
        unit, size = _LENGTHS[name]
        length = settings.get("length_bytes")
        return f"{unit}{length // size}" if isinstance(length, int) else ""
    match name:
        case "numpy.datetime64" | "numpy.timedelta64":
            # zarr-python knows microseconds by a Greek letter as well.
            unit = str(settings.get("unit")).replace("μ", "u")
            scale = f"[{settings.get('scale_factor')}{unit}]"
            scaled = "" if unit == "generic" else scale
            return f"<{'M' if name == 'numpy.datetime64' else 'm'}8{scaled}"
        case "structured" | "struct":
            described: list[Any] = []
            for one in settings.get("fields") or ():
                pair = (one["name"], one["data_type"]) if is_dict(one) else one
                inner, kind = pair
                described.append([inner, data_type(kind)])
            return described if all(kind for _, kind in described) else ""
        case _:
            bits = re.fullmatch(r"r(\d{1,9})", name)
            size, rest = divmod(int(bits[1]), 8) if bits else (0, 1)
            return "" if rest else f"|V{size}"


def describe_fill(fill: NumPyArray | None, dtype: DType) -> JSON:
    """Give a fill value, or zeros, as both formats write it; zeros of any length have no text."""
    if dtype.itemsize > _LARGEST_FILL_VALUE:
        return None
    element: Any = np.zeros((), dtype) if fill is None else fill
    match dtype.kind:
        case "b" | "i" | "u":
            number: JSON = element.item()
            return number
        case "f":
            return named_nonfinite(float(element))
        case "c":
            return named_nonfinite([float(element.real), float(element.imag)])
        case "V":
            return b64encode(element.tobytes()).decode()
        case "S" | "U":
            return ""
        case _:
            return 0


def parse_fill(value: Any, dtype: DType) -> NumPyArray | None:
    """Parse a fill value: an array of one element, or None for zeros.

    None stands for zeros too, but for times: it is NaT, as zarr-python reads it.
    """
    if value is None and dtype.kind in "mM":
        value = "NaT"
    try:
        if _is_zero(value):
            return None  # An element may be of any length: none is made.
        if dtype.itemsize > max(_LARGEST_FILL_VALUE, len(str(value))):
            raise ValueError("too long")
        with np.errstate(all="ignore"):
            element = np.array(_element(value, dtype), dtype)
    except Exception as error:
        problem = f"the fill value {shown(value):.80} is no {dtype}"
        raise ValueError(problem) from error
    return element if element.tobytes().strip(b"\0") else None


def fill_of(
    document: Entries, cells: str | None, dtype: DType
) -> NumPyArray | None:
    """Parse the fill value of an array; None for zeros, and for cells that are empty.

    Zero stands for empty cells in the files of HyperSpy.
    """
    value = document.get("fill_value")
    if cells is None:
        return parse_fill(value, dtype)
    has_json = cells in DOCUMENT_CELLS
    if _is_zero(value) and (value == 0 or not has_json):
        return None
    if value is None:
        return np.array(None, object)
    if isinstance(value, str) and len(value) <= CELL:
        if has_json or cells == "vlen-utf8":
            return np.array(value, object)
        with suppress(ValueError):
            if cells == "vlen-bytes":
                return np.array(b64decode(value), object)
    raise unsupported(f"the fill value {value!r:.80} of {cells}")


def disputed_fill(
    document: Entries, cells: str | None, dtype: DType, fill: NumPyArray | None
) -> str:
    """Name a fill value of format 2 that programs read differently; ``""`` where they agree.

    zarr-python 2 makes one number of the parts of a complex one by arithmetic, which changes
    infinities and the sign of zero. What stands for a cell it gives as it is, where zarr-python 3
    makes text or bytes of it, and the files of HyperSpy mean an empty cell by a number. null is
    "0" in the fields of text of zarr-python 3.1, and no text in those of newer releases.
    """
    value = document.get("fill_value")
    if cells is not None:
        known: Any = {*STRING_TYPES, *DOCUMENT_CELLS}
        if value is None or (cells == "vlen-bytes" and value == ""):
            # zarr-python 2 sorts the names in its documents, zarr-python 3 does not.
            # It gives 0, where there are no dimensions.
            if [*document] == sorted(document):
                known = DOCUMENT_CELLS if document["shape"] else ()
        elif cells == "vlen-bytes" or not isinstance(value, str):
            known = ()
        return "" if cells in known else f"{value!r:.80} of {cells}"
    fields = (dtype[name] for name in dtype.names or ())
    if value is None and any(field.base.kind in "SU" for field in fields):
        return "null of text"
    if fill is None or dtype.kind != "c":
        return ""
    with np.errstate(all="ignore"):
        made = np.array(fill.real.item() + 1j * fill.imag.item(), dtype)
    return "" if str(made) == str(fill) else f"{value!r:.80}"


def _is_zero(value: Any) -> bool:
    return value is None or value == "" or (type(value) is int and not value)


def _element(value: Any, dtype: DType) -> Any:
    if _is_zero(value):
        return np.zeros((), dtype)[()]
    match dtype.kind:
        case "V" if is_dict(value):  # Format 3 names the fields.
            names: Any = dtype.names  # None, where it has no fields, is refused.
            return tuple(_element(value[name], dtype[name]) for name in names)
        case "S" | "V":
            raw = bytes(value) if is_list(value) else b64decode(str(value))
            return np.frombuffer(raw.ljust(dtype.itemsize, b"\0"), dtype, 1)[0]
        case "U" if not isinstance(value, str):
            raise TypeError("no string")
        case "U":
            return value
        case "c" if is_list(value):
            half = np.dtype(f"f{dtype.itemsize // 2}")
            real, imaginary = value
            return complex(_number(real, half), _number(imaginary, half))
        case "c":
            return complex(value)
        case "f":
            return _number(value, dtype)
        case "m" | "M":
            number = np.iinfo(np.int64).min if value == "NaT" else int(value)
            return np.int64(number).view(dtype.newbyteorder("="))
        case _:
            return int(value)


def _number(value: Any, dtype: DType) -> Any:
    """Parse a real number: JSON, a name, or the hexadecimal bytes of format 3."""
    if isinstance(value, str) and value.startswith("0x"):
        return np.frombuffer(bytes.fromhex(value[2:]), dtype.newbyteorder(">"))[0]
    return float(value)
