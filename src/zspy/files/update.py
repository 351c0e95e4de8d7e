"""A leaf: the tree of a file to which signals are added. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from ..documents.tree import Listed, deserialise
from ..values.errors import EncodeError
from ..values.names import RECORD, distinct, fold
from ..values.nodes import Group, joined
from ..values.root import DATA, MODELS, PARENT, ROOT, VERSION
from ..values.types import JSON, Node, ZarrFormat, is_dict

_REMEDY: Final = "read it, and write all its signals"
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
        kind = f"version {version}" if version != VERSION else f"Zarr format {5 - zarr_format}"
        raise EncodeError(f"the file is of {kind}", "mode", _REMEDY)
    names = _distinct(root.members[ROOT], _below(nodes, ROOT))
    members: dict[str, Node] = {ROOT: _renamed(root.members[ROOT], base.members.get(ROOT), names)}
    if MODELS[0] in root.members:
        members |= _models(root, base, names, _below(nodes, models))
    folders = tuple(key[: key.rindex("/") + 1] for key in nodes if DATA.match(key))
    written.add(".zmetadata")
    rest = (key for key in file if key not in written and not key.startswith(folders))
    pairs = [(key, key) for key in (*folders, *rest)]
    return Group(base.attributes, members), [*names.values()], pairs


def _below(nodes: Collection[str], group: str) -> set[str]:
    """Name the members of a group."""
    here = f"{group}/"
    return {fold(key[len(here) :].partition("/")[0]) for key in nodes if key.startswith(here)}


def _distinct(group: Any, taken: set[str]) -> dict[str, str]:
    """Give the members of a group names that are not taken."""
    names: dict[str, str] = {}
    for name in group.members:
        names[name] = distinct(name, taken)
        taken.add(fold(names[name]))
    return names


def _renamed(group: Any, base: Any, names: Mapping[str, str]) -> Group:
    attributes = base.attributes if isinstance(base, Group) else group.attributes
    return Group(attributes, {names[name]: member for name, member in group.members.items()})


def _models(root: Group, base: Any, names: Mapping[str, str], taken: set[str]) -> dict[str, Node]:
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
