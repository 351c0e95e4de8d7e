"""Values as JSON and npz: how tests write down what a reader returned, and compare it by type.

Needs NumPy and the standard library only, so that it also runs beside another release of a reader.

A sidecar of ``NAME`` is ``NAME.expected.json`` and, where it holds arrays, ``NAME.expected.npz``.
JSON scalars, lists and objects stand for themselves; everything else is an object with a ``"$"``
key that names its type:

==================  ==============================================================================
``float``           ``v``: ``"nan"``, ``"inf"`` or ``"-inf"``
``complex``         ``re``, ``im``
``bytes``           ``hex``
``tuple``           ``v``: members
``dict``            ``v``: pairs, for keys that are no strings or collide with ``"$"``
``np``              ``dtype``, ``v``: a NumPy scalar
``array``           ``npz``: the name in the npz file, ``dtype``, ``shape``
``dask``            ``chunks``, ``v``: an array
``objarray``        ``shape``, ``v``: members of an object array in C order
``signal``          ``class``, ``v``: a dictionary (HyperSpy 1.7 returns objects)
``axesmanager``     ``v``: a dictionary (the same)
``repr``            ``type``, ``v``: what cannot be written down
``missing``         no value at all
==================  ==============================================================================
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Array: TypeAlias = NDArray[Any]
Chunks: TypeAlias = tuple[tuple[int, ...], ...]


class HasChunks(Protocol):
    """What a dask array is to these tests."""

    @property
    def chunks(self) -> Chunks:
        """The block lengths of each dimension."""
        ...

    def compute(self) -> Array:
        """Return the whole array."""
        ...


class _Missing:
    """The absence of a value."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = _Missing()


@dataclass(frozen=True)
class Repr:
    """Stands for an object that a sidecar could only describe."""

    type: str
    text: str


@dataclass(frozen=True)
class Difference:
    """One place where two values differ in type or value."""

    path: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.path}: expected {_short(self.expected)}, found {_short(self.found)}"


def _short(value: object) -> str:
    described = f"{value!r} of {value.dtype}" if is_array(value) else repr(value)
    return " ".join(described.split())[:160]


# Type guards that leave no unknown type behind: isinstance alone gives dict[Unknown, Unknown].


def is_dict(value: object) -> TypeGuard[dict[object, object]]:
    """Whether the value is a dictionary, of any keys."""
    return isinstance(value, dict)


def is_sequence(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Whether the value is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_array(value: object) -> TypeGuard[Array]:
    """Whether the value is a NumPy array."""
    return isinstance(value, np.ndarray)


def is_numpy_scalar(value: object) -> TypeGuard[np.generic[Any]]:
    """Whether the value is a NumPy scalar."""
    return isinstance(value, np.generic)


def is_dask(value: object) -> TypeGuard[HasChunks]:
    """Whether the value is a dask array, told by its looks so that dask is not imported."""
    return hasattr(value, "dask") and hasattr(value, "chunks")


def computed(value: object) -> object:
    """Return the value, a dask array replaced by what it holds."""
    return np.asarray(value.compute()) if is_dask(value) else value


# --------------------------------------------------------------------------------------------------
# Writing down


def encode(value: object, arrays: dict[str, Array]) -> JSON:
    """Write a value down as JSON; its arrays are added to ``arrays``."""
    if value is None or isinstance(value, bool) or type(value) in (str, int):
        return cast("JSON", value)
    if type(value) is float:
        return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
    if type(value) is complex:
        return {
            "$": "complex",
            "re": encode(value.real, arrays),
            "im": encode(value.imag, arrays),
        }
    if type(value) in (bytes, bytearray):
        return {"$": "bytes", "hex": cast("bytes", value).hex()}
    if value is MISSING:
        return {"$": "missing"}
    if is_dict(value):
        if "$" in value or not all(type(key) is str for key in value):
            return {
                "$": "dict",
                "v": [[encode(key, arrays), encode(v, arrays)] for key, v in value.items()],
            }
        return {str(key): encode(member, arrays) for key, member in value.items()}
    if is_sequence(value):
        members = [encode(member, arrays) for member in value]
        return {"$": "tuple", "v": members} if isinstance(value, tuple) else members
    if is_dask(value):
        chunks: list[JSON] = [[int(n) for n in sizes] for sizes in value.chunks]
        return {"$": "dask", "chunks": chunks, "v": encode(computed(value), arrays)}
    if is_array(value) and type(value) is np.ndarray and value.dtype.kind != "T":
        return _encode_array(value, arrays)
    if is_numpy_scalar(value):
        return _encode_scalar(value, arrays)
    if isinstance(value, Repr):
        return {"$": "repr", "type": value.type, "v": value.text}
    kind = type(value)
    return {"$": "repr", "type": f"{kind.__module__}.{kind.__qualname__}", "v": repr(value)[:120]}


def _encode_array(value: Array, arrays: dict[str, Array]) -> dict[str, JSON]:
    shape: list[JSON] = [int(n) for n in value.shape]
    if value.dtype == object:
        members = [encode(value[index], arrays) for index in np.ndindex(value.shape)]
        return {"$": "objarray", "shape": shape, "v": members}
    name = f"a{len(arrays)}"
    arrays[name] = np.ascontiguousarray(value).reshape(value.shape)
    names = value.dtype.names
    dtype: JSON = (
        value.dtype.str if names is None else [[field, value.dtype[field].str] for field in names]
    )
    return {"$": "array", "npz": name, "dtype": dtype, "shape": shape}


def _encode_scalar(value: np.generic[Any], arrays: dict[str, Array]) -> dict[str, JSON]:
    dtype = value.dtype.str
    if value.dtype.kind == "V" and value.dtype.names is None:
        return {"$": "np", "dtype": dtype, "v": {"$": "bytes", "hex": value.tobytes().hex()}}
    if value.dtype.char in "VgG":  # JSON holds no structure and no more than 64 bits
        return {"$": "np", "dtype": "struct", "v": _encode_array(np.asarray(value), arrays)}
    if value.dtype.kind in "mM":
        return {"$": "np", "dtype": dtype, "v": str(value)}
    return {"$": "np", "dtype": dtype, "v": encode(cast("object", value.item()), arrays)}


# --------------------------------------------------------------------------------------------------
# Reading


def decode(
    encoded: JSON,
    arrays: Mapping[str, Array],
    lazily: Callable[[Array, Chunks], object] | None = None,
) -> object:
    """Bring back what :func:`encode` wrote down.

    Dask arrays come back as NumPy arrays, or as what ``lazily`` makes of an array and its chunks.
    """
    if isinstance(encoded, list):
        return [decode(member, arrays, lazily) for member in encoded]
    if not isinstance(encoded, dict):
        return encoded
    if "$" not in encoded:
        return {key: decode(member, arrays, lazily) for key, member in encoded.items()}
    tag = encoded["$"]
    content = encoded.get("v")
    match tag:
        case "float":
            return float(str(content))
        case "complex":
            real, imaginary = decode(encoded["re"], arrays), decode(encoded["im"], arrays)
            return complex(cast("float", real), cast("float", imaginary))
        case "bytes":
            return bytes.fromhex(str(encoded["hex"]))
        case "missing":
            return MISSING
        case "tuple":
            return tuple(decode(member, arrays, lazily) for member in _list(content))
        case "dict":
            pairs = [_list(pair) for pair in _list(content)]
            return {decode(key, arrays): decode(member, arrays, lazily) for key, member in pairs}
        case "np":
            return _decode_scalar(str(encoded["dtype"]), decode(content, arrays))
        case "array":
            return arrays[str(encoded["npz"])]
        case "dask":
            whole = decode(content, arrays)
            if lazily is None:
                return whole
            chunks = tuple(tuple(_integers(sizes)) for sizes in _list(encoded["chunks"]))
            return lazily(cast("Array", whole), chunks)
        case "objarray":
            return _decode_object_array(
                tuple(_integers(encoded["shape"])),
                (decode(member, arrays, lazily) for member in _list(content)),
            )
        case "signal" | "axesmanager":
            return decode(content, arrays, lazily)
        case "repr":
            return Repr(str(encoded["type"]), str(content))
        case _:
            raise ValueError(f"unknown tag {tag!r}")


def _list(encoded: JSON) -> list[JSON]:
    if not isinstance(encoded, list):
        raise TypeError(f"a list expected, not {encoded!r}")
    return encoded


def _integers(encoded: JSON) -> Iterator[int]:
    for member in _list(encoded):
        if not isinstance(member, int):
            raise TypeError(f"an integer expected, not {member!r}")
        yield member


def _decode_scalar(dtype: str, value: object) -> object:
    if dtype == "struct":
        return cast("Array", value)[()]
    if np.dtype(dtype).kind == "V":
        return np.void(cast("bytes", value))
    return np.array(value, dtype=dtype)[()]


def _decode_object_array(shape: tuple[int, ...], members: Iterator[object]) -> Array:
    whole = np.empty(shape, dtype=object)
    for index, member in zip(np.ndindex(shape), members, strict=True):
        whole[index] = member
    return whole


# --------------------------------------------------------------------------------------------------
# Files


def save(path: Path, document: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
    """Write the sidecar of the file at ``path``."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False)
    Path(f"{path}.expected.json").write_text(text, encoding="utf-8")
    if arrays:
        np.savez(f"{path}.expected.npz", allow_pickle=False, **cast("dict[str, Any]", arrays))


def load(path: Path) -> tuple[dict[str, JSON], dict[str, Array]]:
    """Read the document and the arrays of the sidecar of the file at ``path``."""
    text = Path(f"{path}.expected.json").read_text(encoding="utf-8")
    arrays: dict[str, Array] = {}
    npz = Path(f"{path}.expected.npz")
    if npz.exists():
        with np.load(npz, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    return cast("dict[str, JSON]", json.loads(text)), arrays


# --------------------------------------------------------------------------------------------------
# Comparing


def differences(expected: object, found: object, path: str = "") -> list[Difference]:
    """List the places where two values differ in type or value; the order of keys is ignored."""
    return list(_differences(computed(expected), computed(found), path))


def _differences(expected: object, found: object, path: str) -> Iterator[Difference]:
    expected, found = computed(expected), computed(found)
    if type(expected) is not type(found):
        yield Difference(path, expected, found)
    elif is_dict(expected) and is_dict(found):
        yield from _differences_of_dicts(expected, found, path)
    elif is_sequence(expected) and is_sequence(found):
        if len(expected) != len(found):
            yield Difference(path, expected, found)
        else:
            for number, (left, right) in enumerate(zip(expected, found, strict=True)):
                yield from _differences(left, right, f"{path}/{number}")
    elif is_array(expected) and is_array(found):
        yield from _differences_of_arrays(expected, found, path)
    elif not _same_scalar(expected, found):
        yield Difference(path, expected, found)


def _differences_of_dicts(
    expected: dict[object, object], found: dict[object, object], path: str
) -> Iterator[Difference]:
    # By repr, since 1, True and 1.0 are one key to a dictionary.
    left = {repr(key): (key, value) for key, value in expected.items()}
    right = {repr(key): (key, value) for key, value in found.items()}
    for name in left | right:
        key, value = left.get(name, (MISSING, MISSING))
        other, answer = right.get(name, (MISSING, MISSING))
        yield from _differences(value, answer, f"{path}/{other if key is MISSING else key}")


def _differences_of_arrays(expected: Array, found: Array, path: str) -> Iterator[Difference]:
    if expected.dtype != found.dtype or expected.shape != found.shape:
        yield Difference(path, expected, found)
    elif isinstance(expected, np.ma.MaskedArray):
        yield from _differences_of_masked(expected, found, path)
    elif expected.dtype.kind == "T":
        yield from _differences(expected.tolist(), found.tolist(), path)
    elif expected.dtype == object:
        for index in np.ndindex(expected.shape):
            yield from _differences(expected[index], found[index], f"{path}{list(index)}")
    elif expected.tobytes() != found.tobytes() and not _same_array(expected, found):
        yield Difference(path, expected, found)


def _differences_of_masked(expected: Array, found: Array, path: str) -> Iterator[Difference]:
    for name in expected.dtype.names or ():
        yield from _differences_of_masked(expected[name], found[name], f"{path}[{name!r}]")
    if expected.dtype.names is None:
        mask = np.ma.getmaskarray(expected)
        yield from _differences_of_arrays(mask, np.ma.getmaskarray(found), f"{path}.mask")
        shown = (np.ma.getdata(expected)[~mask], np.ma.getdata(found)[~mask])
        yield from _differences_of_arrays(*shown, path)
    fills: tuple[Any, Any] = (cast("Any", expected).fill_value, cast("Any", found).fill_value)
    yield from _differences(*fills, f"{path}.fill_value")


def _same_array(left: Array, right: Array) -> bool:
    try:
        return np.array_equal(left, right, equal_nan=True)
    except TypeError:  # no NaN in this data type
        return np.array_equal(left, right)


def _same_scalar(left: Any, right: Any) -> bool:
    if is_numpy_scalar(left) and left.dtype != right.dtype:
        return False
    if isinstance(left, float) and not left:
        return bool(left == right) and math.copysign(1, left) == math.copysign(1, right)
    if left != left and right != right:
        return True
    return bool(left == right)
