"""Names of nodes and attributes: the format's marks, and names that a store cannot hold.

Pure functions of strings. What they do to a key is readable; the type record brings it back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from .types import Entries, is_dict, is_list

Kind = Literal["list", "tuple"]
Where = Literal["attribute", "array", "group", "sequence", "meant"]
NONE: Final = "_None_"
UNNAMED: Final = "__unnamed__"
RECORD: Final = "_sig_zspy"
SHAPES: Final = "_ragged_shapes_"
OLD_SHAPES: Final = "ragged_shapes"
OFFSETS: Final = "_ragged_offsets_"
SIGNAL: Final = "_sig_"
AXES_MANAGER: Final = "_hspy_AxesManager_"
AXIS: Final = "_hspy_Axis_"
KINDS: Final[tuple[Kind, Kind]] = ("list", "tuple")
EMPTY: Final = "empty"
# What the readers of the format take for a mark, by what the name is of (found by experiment).
MARKS: Final[dict[Where, tuple[str, ...]]] = {
    "attribute": (
        "_list_empty_",
        "_tuple_empty_",
        "_bs_",
        "_datetime_date",
        "_datetime_time",
        SIGNAL,
        AXES_MANAGER,
        AXIS,
    ),
    "array": ("_list_", "_tuple_", SIGNAL, SHAPES, OFFSETS, AXES_MANAGER, AXIS),
    "group": ("_list_", "_tuple_", SIGNAL, SHAPES, AXES_MANAGER),
    "sequence": (SIGNAL, AXES_MANAGER, AXIS),
    "meant": (),  # The key of a signal, or of axes, has its mark rightly.
}
# Bytes of a key in the name of a file, which has 255: the rest is for marks and a suffix.
_LONGEST_NAME: Final = 200
_UNSAFE: Final = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\ud800-\udfff\ufffe\uffff]|[. ]\Z|\A '
)
_TAKEN: Final = re.compile(
    r"(?:(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\.|\Z)"  # devices of Windows
    r"|(?:zarr\.json|\.z(?:group|array|attrs|metadata))?\Z)",
    re.IGNORECASE | re.ASCII,
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_\-]{1,200}\Z")
_NOT_IN_HDF5: Final = re.compile(r"[\x00/\ud800-\udfff]")
_LONGEST_IN_HDF5: Final = 4096


def mark(
    kind: Kind,
    key: str,
    length: int | str | None = None,
) -> str:
    """Name the node of a sequence: an array, or with its length a group, or an empty one.

    >>> mark("list", "x"), mark("tuple", "x", 3), mark("list", "x", EMPTY)
    ('_list_x', '_tuple_3_x', '_list_empty_x')
    """
    return f"_{kind}_{key}" if length is None else f"_{kind}_{length}_{key}"


def unmark(name: str, where: Where = "array") -> tuple[Kind, str] | None:
    """Undo `mark`: the kind of sequence and its key, or None where there is no mark.

    >>> (
    ...     unmark("_list_x"),
    ...     unmark("_tuple_3_x", "group"),
    ...     unmark("_list_empty_x", "attribute"),
    ... )
    (('list', 'x'), ('tuple', 'x'), ('list', 'x'))
    """
    for kind in KINDS if name.startswith("_") else ():
        prefix = mark(kind, "", EMPTY if where == "attribute" else None)
        if name.startswith(prefix):
            key = name[len(prefix) :]
            # The name of a group is cut behind the next "_", as by every reader.
            return kind, (
                key.partition("_")[2] if where == "group" and "_" in key else key
            )
    return None


def index_names(length: int) -> list[str]:
    """Name the members of a sequence so that a sort of the names is their order.

    >>> index_names(2), index_names(11)[-2:]
    (['0', '1'], ['09', '10'])
    """
    width = len(str(length - 1))
    return [f"{index:0{width}}" for index in range(length)]


def by_index(name: str) -> tuple[int, int, str]:
    """Sort key of member names: names of digits as numbers, before all others.

    >>> sorted(["10", "9", "_sig_1", "x"], key=by_index)
    ['_sig_1', '9', '10', 'x']
    """
    name = name.removeprefix(SIGNAL)
    if len(name) < 18 and name.isascii() and name.isdigit():
        return 0, int(name), name
    return 1, 0, name


def attribute_name(key: str, where: Where = "attribute") -> str:
    """Name an attribute: the key itself, unless a reader would take it for a mark.

    >>> attribute_name("a/b"), attribute_name("_bs_x")
    ('a/b', '%5Fbs_x')
    """
    return _with_first_escaped(key) if key.startswith(MARKS[where]) else key


def member_name(
    key: str, where: Where, escaped: Callable[[str], str] | None = None
) -> str:
    """Name a member: the key itself, unless a store, a file system or a reader refuses it.

    `escaped` says what the store refuses, if that is not what is the name of a file.

    >>> (
    ...     member_name("a/b", "group"),
    ...     member_name("CON", "array"),
    ...     member_name("", "array"),
    ... )
    ('a%2Fb', '%43ON', '%')
    """
    imitates = key.startswith(MARKS[where]) or (
        where == "array" and key == OLD_SHAPES
    )
    key = _with_first_escaped(key) if imitates else key
    return safe_name(key) if escaped is None else escaped(key)


def hdf5_name(key: str) -> str:
    """Escape what HDF5 refuses in the name of a node; longer names than one has are cut.

    >>> hdf5_name("a:b"), hdf5_name("a/b"), hdf5_name(".")
    ('a:b', 'a%2Fb', '%2E')
    """
    if key in ("", ".", ".."):
        return _with_first_escaped(key)
    name = _escaped(_NOT_IN_HDF5, key)
    return name if len(name) <= _LONGEST_IN_HDF5 else safe_name(key)


def _escaped(characters: re.Pattern[str], key: str) -> str:
    """Escape the characters that a pattern finds."""
    return characters.sub(lambda found: f"%{ord(found[0]):02X}", key)


def safe_name(key: str) -> str:
    """Escape what a file system or a store refuses, in one readable way: ``%`` and hexadecimals.

    >>> safe_name("a:b"), safe_name("..")
    ('a%3Ab', '.%2E')
    """
    if _TAKEN.match(key):
        key = _with_first_escaped(key)
    if _PLAIN.match(key):
        return key
    name = _escaped(_UNSAFE, key)
    if len(name.encode()) > _LONGEST_NAME:
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        short = (
            name.encode()[: _LONGEST_NAME - 20]
            .decode("utf-8", "ignore")
            .rstrip(". ")
        )
        name = f"{short}%{digest}"
    return name


def fold(name: str) -> str:
    """Fold names that some file system takes for one: case, and composed or decomposed accents.

    >>> fold("Key") == fold("kEY")
    True
    """
    plain = name if name.isascii() else unicodedata.normalize("NFC", name)
    return plain.casefold()


class Naming(NamedTuple):
    """What is escaped in the names of nodes, and what of two names has to differ."""

    escaped: Callable[[str], str]
    folded: Callable[[str], str]


IN_FILES: Final = Naming(safe_name, fold)
IN_HDF5: Final = Naming(
    hdf5_name, str
)  # it refuses fewer, and tells upper from lower case


def numbered(
    name: str,
    numbers: dict[str, int],
    is_taken: Callable[[str], bool],
) -> str:
    """Give a name that is not taken, by a suffix. `numbers` has the last one of each name.

    >>> numbered("a", {}, ["a", "a%1"].__contains__)
    'a%2'
    """
    unique = name
    while is_taken(unique):
        base = fold(name)
        numbers[base] = numbers.get(base, 0) + 1
        unique = f"{name}%{numbers[base]}"
    return unique


class DistinctNames:
    """Names that differ, also folded, each found in a time that does not grow with their number.

    `taken` are folded names that are not given.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken}
        self._numbers: dict[str, int] = {}

    def distinct(self, name: str) -> str:
        """Give a name that has not been given before, by a suffix.

        >>> names = DistinctNames()
        >>> names.distinct("a"), names.distinct("A"), names.distinct("a")
        ('a', 'A%1', 'a%2')
        """
        unique = numbered(name, self._numbers, lambda one: fold(one) in self._taken)
        self._taken.add(fold(unique))
        return unique


def _with_first_escaped(key: str) -> str:
    """Escape the first character, whatever it is."""
    return f"%{ord(key[0]):02X}{key[1:]}" if key else "%"


ENCODING: Final = "_ragged_encoding"
NAV_SHAPE: Final = "_ragged_nav_shape"
KIND: Final = "_ragged_cells"
"""Says what the cells of a flat array are, where they are no arrays with shapes."""


def is_flat(attributes: Entries) -> bool:
    """Tell whether an array with these attributes holds the cells of a ragged one, end to end.

    Other programs have attributes of one of these names.

    >>> is_flat({"_ragged_encoding": "csr"})
    False
    """
    return ENCODING in attributes and NAV_SHAPE in attributes


def record_part(attributes: Entries, part: str) -> dict[str, Any]:
    """Give a part of the type record of a group: an object, which is empty where there is none."""
    record = attributes.get(RECORD)
    found = record.get(part) if is_dict(record) else None
    return found if is_dict(found) else {}


def specs_of(attributes: Entries, name: str) -> list[Any]:
    """Give what the type record of a group says of a member, the outermost first."""
    specs = record_part(attributes, "types").get(name)
    return specs if is_list(specs) else []
