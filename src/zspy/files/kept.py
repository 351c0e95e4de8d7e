"""What is kept of an old file where it is updated or added to."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from ..documents.integrity import record_of, without_claims
from ..documents.limits import LIMITS
from ..documents.source import DOCUMENTS, NODES, Listed, by_group
from ..documents.tree import deserialise
from ..stores.base import Opened
from ..stores.directory import Directory
from ..values.errors import EncodeError, FormatError
from ..values.names import NAV_SHAPE, RECORD, fold, specs_of
from ..values.nodes import Array, Group, joined, node_at, walk
from ..values.root import DATA, EXPERIMENTS, MODELS, VERSION
from ..values.signals import DATA_CELLS
from ..values.types import Documents, Node, ZarrFormat
from .merging import merged
from .options import WriteOptions
from .stored import documents_at, stored_signals

_READ_AND_WRITE: Final = "read it, and write all its signals"
_WRITE_DATA: Final = "write the data as well"
_DEPTH: Final = 3  # folders around the document of the data of a signal
_WITHIN: Final = re.compile(
    rf"{EXPERIMENTS}/([^/]+)/(?:[^/]+/)+data/(?:\.zarray|zarr\.json)\Z"
)
MODELS_PATH: Final = "/".join(MODELS)
_DATA: Final = r"data(_cells|_mask)?"
"""The array of a signal, and what stands beside it."""
# Some of the names have marks before.
_OF_DATA: Final = re.compile(rf"(_.+_)?{_DATA}")
_OF_SIGNAL: Final = re.compile(
    rf"(_.+_)?({_DATA}|axis-\d+|axes|attributes|metadata|original_metadata"
    r"|learning_results|models|package|package_version|tmp_parameters)"
)


def names_below(file: Opened | None, group: str) -> set[str]:
    """Give the names of the members of a group of a file, folded."""
    here = f"{group}/"
    keys = () if file is None else file.nodes()
    return {
        fold(key.removeprefix(here).partition("/")[0])
        for key in keys
        if key.startswith(here)
    }


def joined_trees(
    file: Listed, root: Group, zarr_format: ZarrFormat
) -> tuple[Group, list[tuple[str, str]]]:
    """Put the tree of new signals beside those of a file.

    Gives the tree, whose groups around the signals say what they say in the file, and pairs of the
    keys, or of the folders, that the file keeps: all but the documents of these groups.
    """
    shared = ("", EXPERIMENTS, MODELS[0], MODELS_PATH)
    written = {joined(path, name) for path in shared for name in DOCUMENTS}
    found = {key: file[key] for key in written if key in file}
    old = deserialise(found, missing="ignore")  # a part of the file
    version = old.attributes.get("file_format_version")
    if version != VERSION:
        problem = f"the file is of version {version}"
        raise EncodeError(problem, "mode", _READ_AND_WRITE)
    there = 2 if ".zgroup" in file else 3
    if there != zarr_format:
        problem = f"the file is of Zarr format {there}"
        raise EncodeError(problem, "mode", f"use zarr_format={there}")
    written.add(".zmetadata")
    nodes = file.nodes()
    if len(nodes) + sum(1 for _ in walk(root)) > LIMITS.nodes:
        problem = (
            f"the file would have more nodes than the {LIMITS.nodes} that are read"
        )
        raise EncodeError(problem, "mode", "write another file")
    folders = tuple(key[: key.rindex("/") + 1] for key in nodes if DATA.match(key))
    rest = (
        key for key in file if key not in written and not key.startswith(folders)
    )
    return _with_members(old, root), [(key, key) for key in (*folders, *rest)]


def _with_members(old: Node | None, new: Any) -> Any:
    """Give groups that are in a file already the new members, beside those that they have."""
    if old is None:
        return new
    members = dict(cast("Group", old).members)
    for name, member in new.members.items():
        members[name] = _with_members(members.get(name), member)
    return Group(merged(old.attributes, new.attributes), members)


def move_kept_arrays(
    file: Opened, root: Group, names: Sequence[str], options: WriteOptions
) -> list[tuple[str, str]]:
    """Take the arrays out of the new tree that the file has for these signals.

    Gives pairs of the folders of the arrays in the file, and of their folders in the new one.
    """
    # in a directory, what is deeper takes as long as to write it
    nodes = file.nodes(_DEPTH) if isinstance(file, Directory) else file.nodes()
    found = sorted(match[1] for key in nodes if (match := DATA.match(key)))
    _refuse_within(file, nodes, found)
    if len(found) != len(names):
        problem = f"the file has {len(found)} signals, not {len(names)}"
        raise EncodeError(problem, "signal", _WRITE_DATA)
    pairs: list[tuple[str, str]] = []
    sources = found if options.kept_in_order or len(found) == 1 else names
    below, there = by_group(nodes), {*found}
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        group = node_at(root, f"{EXPERIMENTS}/{name}")
        old = f"{EXPERIMENTS}/{source}"
        if number in options.anew:
            _keep_attributes(file, f"{old}/data", group.members["data"])
            continue
        if source not in there:
            problem = f"the file has no signal {name!r}"
            raise EncodeError(problem, "metadata.General.title", _WRITE_DATA)
        _check_kept(file, f"{old}/data", group.members["data"], options)
        for part in filter(_OF_DATA.fullmatch, [*group.members]):
            del group.members[part]
        inner = {
            key.removeprefix(f"{old}/").partition("/")[0] for key in below[old]
        }
        pairs += [
            (f"{old}/{part}/", f"{EXPERIMENTS}/{name}/{part}/")
            for part in sorted(filter(_OF_DATA.fullmatch, inner))
        ]
        _keep_specs_of_cells(group.attributes, {RECORD: record_of(file, old)})
    renamed = dict(zip(sources, names, strict=True))
    return pairs + _kept_of_others(file, nodes, renamed, root)


def _refuse_within(
    file: Opened, nodes: Collection[str], found: Collection[str]
) -> None:
    """Refuse a file with signals in groups of groups, which a backslash in a title has made."""
    inner = [key.split("/") for key in nodes if key.startswith(f"{EXPERIMENTS}/")]
    # HyperSpy leaves groups without data, in which no signal is looked for
    known = {*found, *(names[1] for names in inner if "metadata" in names[2:3])}
    if all(len(names) <= _DEPTH or names[1] in known for names in inner):
        return
    for key in file.nodes():
        within = _WITHIN.match(key)
        if within and within[1] not in known:
            problem = f"it holds signals, which are kept in {EXPERIMENTS} only"
            raise EncodeError(problem, f"{EXPERIMENTS}/{within[1]}", _WRITE_DATA)


def _kept_of_others(
    file: Opened, nodes: Collection[str], signals: Mapping[str, str], root: Group
) -> list[tuple[str, str]]:
    """Find what other programs have put into a file, for the old and the new names of signals.

    Gives pairs of folders in the file and in the new one, whose tree gets their attributes.
    """
    pairs = of_others(nodes, signals, root.members)
    if blocked := [old for old, new in pairs if _is_node(root, new)]:
        problem = "a new name is that of what another program has put there"
        raise EncodeError(problem, blocked[0], "use another title")
    members: Any = root.members
    top = f"{MODELS[0]}/"
    if any(new.startswith(top) and new != top for _, new in pairs):
        members.setdefault(MODELS[0], Group({}, {}))
    groups = {
        f"{EXPERIMENTS}/{old}": f"{EXPERIMENTS}/{new}"
        for old, new in signals.items()
    }
    around = {name: name for name in ("", EXPERIMENTS, MODELS[0])}
    for old, new in (around | groups).items():
        if not new or _is_node(root, f"{new}/"):
            _keep_attributes(file, old, node_at(root, new))
    return pairs


def _keep_attributes(file: Opened, path: str, node: Node) -> None:
    """Let a node say what another program has let the one of the file say."""
    attributes: Any = node.attributes
    for key, value in stored_node(file, path).attributes.items():
        if key != RECORD and not _OF_SIGNAL.fullmatch(key):
            attributes.setdefault(key, value)


def stored_node(file: Opened, path: str) -> Any:
    """Give a node of a file without its members: of an array, what its document says."""
    documents = {
        name: file[key] for name in DOCUMENTS if (key := joined(path, name)) in file
    }
    if not documents:
        return Group()
    return deserialise(documents, load=lambda _, metadata: cast("Any", metadata))


def _is_node(root: Group, folder: str) -> bool:
    node: Any = root
    for name in folder.split("/")[:-1]:
        node = node.members.get(name) if isinstance(node, Group) else None
    return node is not None


def of_others(
    nodes: Collection[str], signals: Mapping[str, str], around: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Find what other programs have put beside the parts of signals, and around those.

    Gives pairs of the folders in the file and in the new one, for the old and the new names of
    signals, and the groups around these in the new one.
    """
    found: dict[str, str] = {}
    around = {EXPERIMENTS, *around}
    if any(key.startswith(f"{MODELS_PATH}/") for key in nodes):
        around.add(MODELS[0])
    for key in nodes:
        *names, document = key.split("/")
        if document not in NODES:
            continue  # what is left of a node is refused, or stays where it is
        match names:
            case [top, name, part, *_] if top == EXPERIMENTS and name in signals:
                if not _OF_SIGNAL.fullmatch(part):
                    new = (top, signals[name], part)
                    found[f"{top}/{name}/{part}/"] = f"{'/'.join(new)}/"
            case [top, name, *_] if top in around:
                if name not in signals and f"{top}/{name}" != MODELS_PATH:
                    found[f"{top}/{name}/"] = f"{top}/{name}/"
            case [top, *_] if top not in around:
                found[f"{top}/"] = f"{top}/"
            case _:
                pass
    return sorted(found.items())


def changed_documents(
    file: Opened | None,
    documents: Documents,
    pairs: Sequence[tuple[str, str]],
    signals: Collection[str],
) -> dict[str, bytes] | None:
    """Give what differs from a file where that is one document of a group; None where it is more.

    Beside it, what the groups of signals claim of their completeness may differ: no claim is held
    against documents that have changed since. So, while one document after the other is replaced,
    a reader finds the old file or the new one, as where a file is replaced as a whole.
    """
    if not isinstance(file, Directory) or file.size([".zmetadata"]):
        return None
    if any(old != new for old, new in pairs):
        return None
    try:
        arrays = tuple(here for _, here in pairs)
        nodes = [key for key in file.nodes() if not key.startswith(arrays)]
        old = documents_at(file, nodes)
        differs = {
            key: data
            for key, data in documents.items()
            if data != (old[key] if key in old else file.get(key))
        }
    except FormatError:  # what cannot be read is written anew
        return None
    claims = {
        key
        for path in signals
        if (found := without_claims(documents, path)) == without_claims(old, path)
        for key in found
    }
    changed = [key for key in differs if key not in claims]
    whole = len(changed) < 2 and old.keys() <= documents.keys()
    if not whole or not all(
        _is_of_group(file, key, differs[key]) for key in changed
    ):
        return None
    return {key: differs[key] for key in (*changed, *differs)}


def _is_of_group(file: Directory, key: str, data: bytes) -> bool:
    """Tell whether a document says nothing of an array, and lies behind no link."""
    path = os.path.join(os.path.realpath(file.root), key)
    is_group = key.endswith("zarr.json") and b'"shape"' not in data
    return os.path.realpath(path) == path and (is_group or key.endswith(".zattrs"))


def _keep_specs_of_cells(attributes: Any, stored: Mapping[str, Any]) -> None:
    """Let a record say of the cells of data what the stored record says of them."""
    for name in ("data", DATA_CELLS):
        specs = specs_of(stored, name)
        if specs != specs_of(attributes, name):
            attributes.setdefault(RECORD, {}).setdefault("types", {})[name] = specs


def _check_kept(
    file: Opened, path: str, array: Array, options: WriteOptions
) -> None:
    """Refuse to keep a stored array for data that is of another shape or kind."""
    stored = stored_node(file, path)
    shape = stored.attributes.get(NAV_SHAPE, [*stored.data.shape])
    if stored.data.zarr_format != options.zarr_format:
        problem = f"the stored data is of Zarr format {stored.data.zarr_format}"
        remedy = f"use zarr_format={stored.data.zarr_format}, or {_WRITE_DATA}"
        raise EncodeError(problem, "zarr_format", remedy)
    read = [*array.data.shape]
    if shape != read:
        # An append that was not completed has left the array larger than its axis.
        group = path.removesuffix("/data")
        shape = next(one for one in stored_signals(file) if one.path == group).shape
    if shape != read:
        problem = f"the stored data has the shape {shape}"
        raise EncodeError(problem, "data", _WRITE_DATA)
    is_ragged = stored.cells is not None or NAV_SHAPE in stored.attributes
    if (array.cells is None) == is_ragged:
        problem = "of this data and the stored one, one is ragged"
        raise EncodeError(problem, "data", _WRITE_DATA)
