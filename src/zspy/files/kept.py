"""What is kept of an old file where it is updated or added to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ..documents.json import parse_json
from ..documents.metadata import parse_array
from ..documents.source import Listed
from ..documents.tree import deserialise
from ..stores.backends import opened
from ..stores.base import Opened
from ..values.errors import EncodeError, FormatError
from ..values.names import NAV_SHAPE, OFFSETS, RECORD, SHAPES, DistinctNames, fold
from ..values.nodes import Array, Group, joined, node_at
from ..values.root import DATA, MODELS, PARENT, ROOT, VERSION
from ..values.signals import DATA_CELLS, DATA_MASK
from ..values.types import JSON, Node, ZarrFormat, is_dict

_READ_AND_WRITE: Final = "read it, and write all its signals"
_WRITE_DATA: Final = "write the data as well"
_DOCUMENTS: Final = ("zarr.json", ".zgroup", ".zattrs")


def appended(
    file: Listed, root: Group, zarr_format: ZarrFormat
) -> tuple[Group, list[str], list[tuple[str, str]]]:
    """Fit the tree of new signals into a file that has others.

    Gives the tree, the names of the groups of the new signals, and pairs of the keys that the
    file keeps: all, but for the documents of the groups around the signals; or of folders.
    """
    nodes = file.nodes()
    models = "/".join(MODELS)
    shared = ("", ROOT, *([MODELS[0], models] if MODELS[0] in root.members else []))
    written = {joined(path, name) for path in shared for name in _DOCUMENTS}
    base: Any = deserialise({key: file[key] for key in written if key in file})
    version = base.attributes.get("file_format_version")
    if version != VERSION or (".zgroup" in nodes) != (zarr_format == 2):
        kind = (
            f"version {version}"
            if version != VERSION
            else f"Zarr format {5 - zarr_format}"
        )
        raise EncodeError(f"the file is of {kind}", "mode", _READ_AND_WRITE)
    names = _distinct(root.members[ROOT], _below(nodes, ROOT))
    members: dict[str, Node] = {
        ROOT: _renamed(root.members[ROOT], base.members.get(ROOT), names)
    }
    if MODELS[0] in root.members:
        members |= _models(root, base, names, _below(nodes, models))
    folders = tuple(key[: key.rindex("/") + 1] for key in nodes if DATA.match(key))
    written.add(".zmetadata")
    rest = (
        key for key in file if key not in written and not key.startswith(folders)
    )
    pairs = [(key, key) for key in (*folders, *rest)]
    return Group(base.attributes, members), [*names.values()], pairs


def _below(nodes: Collection[str], group: str) -> set[str]:
    """Name the members of a group."""
    here = f"{group}/"
    return {
        fold(key[len(here) :].partition("/")[0])
        for key in nodes
        if key.startswith(here)
    }


def _distinct(group: Any, taken: set[str]) -> dict[str, str]:
    """Give the members of a group names that are not taken."""
    names = DistinctNames(taken)
    return {name: names.distinct(name) for name in group.members}


def _renamed(group: Any, base: Any, names: Mapping[str, str]) -> Group:
    attributes = base.attributes if isinstance(base, Group) else group.attributes
    return Group(
        attributes, {names[name]: member for name, member in group.members.items()}
    )


def _models(
    root: Group, base: Any, names: Mapping[str, str], taken: set[str]
) -> dict[str, Node]:
    """Name the models apart from those of the file; their own names are in the record."""
    new: Any = root.members[MODELS[0]]
    new = new.members[MODELS[1]]
    renamed = _distinct(new, taken)
    members: dict[str, Node] = {}
    keys: dict[str, JSON] = {}
    for name, model in new.members.items():
        signal = model.attributes[PARENT].rpartition("/")[2]
        attributes = {**model.attributes, PARENT: f"/{ROOT}/{names[signal]}"}
        members[renamed[name]] = Group(attributes, model.members)
        key = _keys(new).get(name, name)
        if renamed[name] != key:
            keys[renamed[name]] = key
    above: Any = base.members.get(MODELS[0], Group())
    old: Any = above.members.get(MODELS[1], Group())
    keys |= _keys(old)
    record: dict[str, JSON] = {RECORD: {"keys": keys}} if keys else {}
    group = Group({**old.attributes, **record}, members)
    return {MODELS[0]: Group(above.attributes, {MODELS[1]: group})}


def _keys(group: Group) -> dict[str, JSON]:
    record = group.attributes.get(RECORD)
    keys = record.get("keys") if is_dict(record) else None
    return {**keys} if is_dict(keys) else {}


def old_file(place: Any) -> Opened:
    """Open the file of which something is kept."""
    try:
        return opened(place)
    except FormatError as error:
        problem = "there is no file whose data could be kept"
        raise EncodeError(problem, str(place), _WRITE_DATA) from error


def kept_arrays(
    file: Opened,
    root: Group,
    names: Sequence[str],
    zarr_format: ZarrFormat,
    sources: Sequence[str] | None = None,
) -> list[tuple[str, str]]:
    """Find the arrays that the file has for these signals, and take them out of the new tree.

    Gives pairs of the folders of the arrays in the file, and of their folders in the new one.
    """
    found = {match[1]: key for key in file.nodes() if (match := DATA.match(key))}
    if len(found) != len(names):
        raise EncodeError(
            f"the file has {len(found)} signals, not {len(names)}",
            "signal",
            _WRITE_DATA,
        )
    pairs: list[tuple[str, str]] = []
    if sources is None:
        sources = [*found] if len(found) == 1 else names
    for source, name in zip(sources, names, strict=True):
        if source not in found:
            raise EncodeError(
                f"the file has no signal {name!r}",
                "metadata.General.title",
                _WRITE_DATA,
            )
        document = parse_json(file[found[source]], found[source])
        stored = parse_array(document, found[source])
        if stored.zarr_format != zarr_format:
            problem = f"the stored data is of Zarr format {stored.zarr_format}"
            raise EncodeError(problem, "zarr_format", _WRITE_DATA)
        attributes = document.get("attributes")
        nav = attributes.get(NAV_SHAPE) if is_dict(attributes) else None
        shape = [*stored.shape] if nav is None else nav
        members = node_at(root, f"{ROOT}/{name}").members
        data: Array = members["data"]
        if shape != [*data.data.shape]:
            raise EncodeError(
                f"the stored data has the shape {shape}", "data", _WRITE_DATA
            )
        if (data.cells is None) != (stored.cells is None and nav is None):
            raise EncodeError(
                "of this data and the stored one, one is ragged",
                "data",
                _WRITE_DATA,
            )
        for part in _PARTS:
            members.pop(part, None)
            old, new = (f"{ROOT}/{group}/{part}" for group in (source, name))
            pairs += [(f"{old}/", f"{new}/")] if any(file.below(old)) else []
    return pairs


_PARTS: Final = frozenset(
    {
        "data",
        SHAPES + "data",
        OFFSETS + "data",
        OFFSETS + SHAPES + "data",
        DATA_CELLS,
        DATA_MASK,
    }
)
