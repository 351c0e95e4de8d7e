"""Floor 1: names of nodes and attributes: the format's marks, and names that a store cannot hold.

Pure functions of strings. What they do to a key is readable; the type record brings it back.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final, Literal

Kind = Literal["list", "tuple"]

NONE: Final = "_None_"
UNNAMED: Final = "__unnamed__"
RECORD: Final = "_sig_zspy"
SHAPES: Final = "_ragged_shapes_"
OLD_SHAPES: Final = "ragged_shapes"
OFFSETS: Final = "_ragged_offsets_"
SIGNAL: Final = "_sig_"
AXES_MANAGER: Final = "_hspy_AxesManager_"
BYTES: Final = "_bs_"
DATES: Final = ("_datetime_date", "_datetime_time")
KINDS: Final[tuple[Kind, Kind]] = ("list", "tuple")

# What the format's readers take for a mark, by where the name stands (found by experiment).
MARKS: Final = {
    "attribute": ("_list_empty_", "_tuple_empty_", BYTES, SIGNAL, *DATES),
    "array": ("_list_", "_tuple_", SIGNAL, SHAPES, OFFSETS),
    "group": ("_list_", "_tuple_", SIGNAL, SHAPES, AXES_MANAGER),
    "sequence": (),
}
Where = Literal["attribute", "array", "group", "sequence"]

_LONGEST: Final = 200  # bytes of a key in a file name: 255 less the marks and a suffix
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\ud800-\udfff\ufffe\uffff]|[. ]\Z|\A ')
_PLAIN: Final = re.compile(r"[A-Za-z0-9_\-]{1,200}\Z")
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|\Z)", re.I)
_TAKEN: Final = re.compile(r"(zarr\.json|\.z(group|array|attrs|metadata))\Z", re.I)
_GROUP: Final = re.compile(r"_(list|tuple)_(\d+)_(.*)\Z", re.S)


def mark(kind: Kind, key: str, length: int | None = None) -> str:
    """Name the node of a sequence: an array, or with its length a group.

    >>> mark("list", "x"), mark("tuple", "x", 3)
    ('_list_x', '_tuple_3_x')
    """
    return f"_{kind}_{key}" if length is None else f"_{kind}_{length}_{key}"


def unmark(name: str, group: bool = False) -> tuple[Kind, str] | None:
    """Undo `mark`: the kind of sequence and its key, or None where there is no mark.

    >>> unmark("_list_x"), unmark("_tuple_3_x", group=True), unmark("x")
    (('list', 'x'), ('tuple', 'x'), None)
    """
    if not name.startswith(("_list_", "_tuple_")):
        return None
    if group:
        if found := _GROUP.match(name):
            return ("list" if found[1] == "list" else "tuple"), found[3]
        # the name is cut behind the first "_" that follows, as every reader does
        kind, rest = ("list", name[6:]) if name.startswith("_list_") else ("tuple", name[7:])
        return ("list" if kind == "list" else "tuple"), rest.partition("_")[2] or rest
    return ("list", name[6:]) if name.startswith("_list_") else ("tuple", name[7:])


def mark_empty(kind: Kind, key: str) -> str:
    """Name the attribute of an empty sequence.

    >>> mark_empty("list", "x")
    '_list_empty_x'
    """
    return f"_{kind}_empty_{key}"


def unmark_empty(name: str) -> tuple[Kind, str] | None:
    """Undo `mark_empty`."""
    if name.startswith("_list_empty_"):
        return "list", name[12:]
    return ("tuple", name[13:]) if name.startswith("_tuple_empty_") else None


def index_names(length: int) -> list[str]:
    """Name the members of a sequence so that a sort of the names is their order.

    >>> index_names(2), index_names(11)[-2:]
    (['0', '1'], ['09', '10'])
    """
    width = len(str(max(length - 1, 0)))
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


def attribute_name(key: str) -> str:
    """Name an attribute: the key itself, unless a reader would take it for a mark.

    >>> attribute_name("a/b"), attribute_name("_bs_x")
    ('a/b', '%5Fbs_x')
    """
    return _imitation(key) if key.startswith(MARKS["attribute"]) else key


def member_name(key: str, where: Where) -> str:
    r"""Name a member: the key itself, unless a store, a file system or a reader refuses it.

    >>> member_name("a/b", "group"), member_name("CON", "array"), member_name("", "array")
    ('a%2Fb', '%43ON', '%')
    """
    if key.startswith(MARKS[where]) or (where == "array" and key == OLD_SHAPES):
        key = _imitation(key)
    return safe_name(key)


def safe_name(key: str) -> str:
    """Escape what a file system or a store refuses, in one readable way: ``%`` and hexadecimals."""
    if _PLAIN.match(key) and not (len(key) < 8 and _DEVICES.match(key)):
        return key
    if not key or _DEVICES.match(key) or _TAKEN.match(key):
        name = f"%{ord(key[0]):02X}{key[1:]}" if key else "%"
    else:
        name = key
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if len(name.encode()) > _LONGEST:
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        name = name.encode()[: _LONGEST - 20].decode("utf-8", "ignore").rstrip(". ") + f"%{digest}"
    return name


def fold(name: str) -> str:
    """Fold names that some file system takes for one: case, and composed or decomposed accents."""
    return name if name.isascii() and name.islower() else unicodedata.normalize("NFC", name).casefold()


def distinct(name: str, taken: set[str]) -> str:
    """Make a name differ from those taken, by a suffix.

    >>> distinct("A", {"a"})
    'A%1'
    """
    unique, number = name, 0
    while fold(unique) in taken:
        number += 1
        unique = f"{name}%{number}"
    return unique


def _imitation(key: str) -> str:
    return f"%{ord(key[0]):02X}{key[1:]}"
