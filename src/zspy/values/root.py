"""Signals as the groups of a file: titles, models, versions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from .decoding import decode_entries, restored_key
from .encoding import Encoder
from .errors import (
    DAMAGED,
    EncodeError,
    FormatError,
    UnsupportedError,
    a_kind,
    check_choices,
    expect,
    location,
    taking,
)
from .migrate import migrated
from .names import (
    RECORD,
    UNNAMED,
    DistinctNames,
    numbered,
    record_part,
    safe_name,
)
from .nodes import Array, Group, expect_group, joined
from .signals import dictionary_of, from_entries, to_entries
from .types import (
    JSON,
    Entries,
    LoadedSignal,
    Node,
    Unsupported,
    is_mapping,
)

FORMAT: Final = "ZSpy"
VERSION: Final = "3.3"
EXPERIMENTS: Final = "Experiments"
"""The group of the root that holds the signals."""
DATA: Final = re.compile(rf"{EXPERIMENTS}/([^/]+)/data/(?:\.zarray|zarr\.json)\Z")
MODELS: Final = ("Analysis", "models")
PARENT: Final = "_signal"


def encode_signal(
    signal: Entries,
    *,
    homogenize: bool = True,
    unsupported: Unsupported = "raise",
    copy: bool = True,
) -> Group:
    """Encode one signal as its group, ``/Experiments/<title>`` of a file.

    Its models are not in that group: `file_writer` stores them beside the signals.

    Parameters
    ----------
    signal : Signal
        `data` (an array of any shape and dtype), `axes` (one dictionary for each dimension, in
        the array's order) and `metadata`; the rest is optional.
    homogenize : bool, default True
        False keeps every sequence as it is, type for type.
    unsupported : {"raise", "skip"}, default "raise"
        What becomes of a value of no type that zspy stores.
    copy : bool, default True
        False lets the nodes share the memory of the arrays of the signal.

    Returns
    -------
    Group
        Members ``data``, ``axis-0`` ..., ``metadata``, ``original_metadata``, ``attributes``,
        ``learning_results``.

    Raises
    ------
    EncodeError
        If a key is missing, or an axis disagrees with the shape of the data.
    UnsupportedError
        If something in it cannot be stored.

    Examples
    --------
    >>> import numpy as np
    >>> axis = {"name": "Energy", "units": "eV", "navigate": False, "size": 3}
    >>> group = encode_signal(
    ...     {"data": np.arange(3), "axes": [axis], "metadata": {}}
    ... )
    >>> group.members["axis-0"].attributes["scale"]
    1.0
    """
    expect(signal, Mapping, "signal", "signal", "give a dictionary")
    return _encode_signal(signal, Encoder(homogenize, unsupported, copy))


def _encode_signal(
    signal: Entries,
    encoder: Encoder,
) -> Group:
    title_of(signal)
    try:
        group = encoder.encode(to_entries(signal))
    except EncodeError as error:
        where = re.sub(r"\Aaxis-(\d+)", r"axes[\1]", error.where)
        raise type(error)(error.problem, where, error.remedy) from None
    if "data" not in group.members:  # all else may be left out
        problem = f"an array of {str(signal['data'].dtype)[:60]} is not stored"
        raise UnsupportedError(problem, "data", "use another dtype")
    return group


def decode_signal(
    group: Group,
    *,
    copy: bool = True,
) -> LoadedSignal:
    """Decode the group of a signal: the inverse of `encode_signal`.

    Parameters
    ----------
    group : Group
    copy : bool, default True
        False lets the signal share the memory of the node's arrays.

    Returns
    -------
    LoadedSignal
        `data`, `axes`, `metadata`, `original_metadata`, `attributes` (with `learning_results`),
        `models` (empty), `package` and `package_version`.

    Raises
    ------
    FormatError
        If the group holds no array ``data``.

    Examples
    --------
    >>> import numpy as np
    >>> axis = {"name": "Energy", "units": "eV", "navigate": False, "size": 3}
    >>> group = encode_signal(
    ...     {"data": np.arange(3), "axes": [axis], "metadata": {}}
    ... )
    >>> decode_signal(group)["axes"][0]["index_in_array"]
    0
    """
    expect_group(group, "encode_signal makes one")
    check_choices(copy=(copy, (True, False)))
    return _decode_signal(group, "", copy)


def _decode_signal(
    group: Group,
    path: str,
    copy: bool,
    lazy: bool = False,
) -> LoadedSignal:
    if not isinstance(group.members.get("data"), Array):
        problem = "a signal without its array"
        raise FormatError(problem, joined(path, "data"), DAMAGED)
    entries = decode_entries(group, copy=copy, role="signal", path=path, lazy=lazy)
    try:
        found: Any = from_entries(entries, lazy=lazy)
    except FormatError as error:
        where = joined(path, error.where)
        raise FormatError(error.problem, where, error.remedy) from None
    found["models"] = {}
    if not _recorded(group):
        leave_unnamed(found["metadata"])
    signal: LoadedSignal = found
    return signal


def leave_unnamed(metadata: Any) -> None:
    """Empty the title that releases store where there is none."""
    match metadata:
        case {"General": {"title": str(title)} as general} if title == UNNAMED:
            general["title"] = ""
        case _:
            pass


def _recorded(group: Group) -> bool:
    """Tell whether zspy has written the title: then it is what it says."""
    try:
        return RECORD in group["metadata/General"].attributes
    except KeyError:
        return False


def group_name(title: str) -> str:
    """Name the group of a signal by its title (clause 3.2 of the specification).

    Names that no store holds are escaped (clause 7.8).

    >>> group_name("a/b"), group_name(""), group_name("..")
    ('a-b', '__unnamed__', '.%2E')
    """
    return safe_name(title.replace("/", "-")) if title else UNNAMED


@taking("metadata.General.title")
def title_of(signal: Entries) -> str:
    """Give the title of a signal, which is empty where there is none."""
    title: object = signal
    for key in ("metadata", "General", "title"):
        title = title.get(key) if is_mapping(title) else None
    if title is not None and not isinstance(title, str):
        problem = f"a title is a string, not {a_kind(title)}"
        raise EncodeError(problem, "metadata.General.title", "use str(title)")
    return title or ""


def encode_file(
    signals: Sequence[Entries],
    encoder: Encoder,
    taken: Iterable[str] = (),
    models_taken: Iterable[str] = (),
) -> tuple[Group, list[str]]:
    """Encode signals as the root group of a file; give the names of their groups as well.

    Titles that are equal are told apart, and so are the names of models, which are global; from
    those of a file that has some already as well, which are given folded.
    """
    members: dict[str, Node] = {}
    models: dict[str, Node] = {}
    keys: dict[str, JSON] = {}
    names, model_names = DistinctNames(taken), DistinctNames(models_taken)
    for signal in signals:
        name = names.distinct(group_name(title_of(signal)))
        members[name] = _encode_signal(signal, encoder)
        for key, model in _models(signal).items():
            node = model_names.distinct(encoder.named(key, "group"))
            if node != key:
                keys[node] = key
            parent = {PARENT: f"/{EXPERIMENTS}/{name}"}  # It stands first.
            tree = parent | {**model} | parent
            encoded: Any = encoder.encode({"models": {key: tree}}).members["models"]
            (models[node],) = encoded.members.values()
    version: dict[str, JSON] = {
        "file_format": FORMAT,
        "file_format_version": VERSION,
    }
    root: dict[str, Node] = {EXPERIMENTS: Group({}, members)}
    if models:
        record: dict[str, JSON] = {RECORD: {"keys": keys}} if keys else {}
        root[MODELS[0]] = Group({}, {MODELS[1]: Group(record, models)})
    return Group(version, root), [*members]


def _models(signal: Entries) -> Mapping[str, Mapping[Any, Any]]:
    """Give the models of a signal by name."""
    models = dictionary_of(signal, "models")
    for key, model in models.items():
        if not isinstance(key, str) or not is_mapping(model):
            problem = "a model is a dictionary under a name"
            where = location(("models", key))
            raise EncodeError(problem, where, 'use {"name": {...}}')
    return models


def decode_file(
    root: Node,
    *,
    lazy: bool = False,
) -> list[Any]:
    """Decode the root group of a file: its signals in order of their names, models with their own.

    `lazy` says how the file was opened, which its signals tell at every depth. Models whose signal
    is not there come last, each as a dictionary without ``metadata``.
    """
    if not isinstance(root, Group) or not isinstance(
        root.members.get(EXPERIMENTS), Group
    ):
        remedy = "this is no .zspy file; open it with zarr"
        raise FormatError(f"there is no group {EXPERIMENTS!r}", "", remedy)
    root = migrated(root)
    signals: dict[str, Any] = {}
    for name, group in sorted(_groups(root.members[EXPERIMENTS])):
        path = f"{EXPERIMENTS}/{name}"
        signals[path] = _decode_signal(group, path, False, lazy)
    return [*signals.values(), *_give_models(root, signals)]


def _groups(experiments: Any) -> Iterator[tuple[str, Group]]:
    """Find the groups of signals; a backslash in a title has made groups in groups of it."""
    todo: list[tuple[str, Group]] = [("", experiments)]
    while todo:
        prefix, group = todo.pop()
        for name, member in group.members.items():
            if not isinstance(member, Group):
                continue
            # HyperSpy leaves groups without data; one that zspy wrote has lost it.
            if "data" in member.members or RECORD in member.attributes:
                yield prefix + name, member
            elif "metadata" not in member.members:
                todo.append((f"{prefix}{name}/", member))


def _give_models(
    root: Group,
    signals: Entries,
) -> list[Any]:
    """Give each model to its signal; return those of none."""
    node: Any = root.members.get(MODELS[0])
    node = node.members.get(MODELS[1]) if isinstance(node, Group) else None
    if not isinstance(node, Group):
        return []
    keys = record_part(node.attributes, "keys")
    orphans: list[Any] = []
    numbers: dict[str, int] = {}
    for name in sorted(node.members, reverse=True):
        member = node.members[name]
        if not isinstance(member, Group):
            continue
        path = "/".join((*MODELS, name))
        model = decode_entries(member, copy=False, path=path)
        parent = str(model.pop(PARENT, None)).replace("\\", "/").removeprefix("/")
        key = restored_key(name, keys.get(name))
        if not isinstance(key, str):
            key = name
        if parent not in signals:
            orphans.append({key: model})
            continue
        models = signals[parent]["models"]
        # In a file that somebody has changed, a signal may have several of one name.
        if key in models:
            key = numbered(f"{key}%", numbers, models.__contains__)
        models[key] = model
    return orphans[::-1]
