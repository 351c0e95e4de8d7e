"""Floor 4: signals as the groups of a file: titles, models, versions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ._decode import decode_entries
from ._encode import Encoder
from ._entries import from_entries
from ._keys import RECORD, UNNAMED, distinct, fold, safe_name
from ._migrate import migrated
from ._node import Array, Group
from .errors import EncodeError, FormatError
from .typing import JSON, Node, Signal, Unsupported

FORMAT: Final = "ZSpy"
VERSION: Final = "3.3"
ROOT: Final = "Experiments"
MODELS: Final = ("Analysis", "models")
_PARENT: Final = "_signal"


def encode_signal(
    signal: Mapping[str, Any],
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
    homogenize, unsupported, copy
        As for `zspy.encode`.

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
    >>> group = encode_signal({"data": np.arange(3), "axes": [axis], "metadata": {}})
    >>> group.members["axis-0"].attributes["scale"]
    1.0
    """
    return _encode_signal(signal, Encoder(homogenize, unsupported, copy))


def _encode_signal(signal: Mapping[str, Any], encoder: Encoder) -> Group:
    _title(signal)
    try:
        return encoder.encode(encoder.signal_entries(signal))
    except EncodeError as error:
        where = re.sub(r"\Aaxis-(\d+)", r"axes[\1]", error.where)
        raise type(error)(error.problem, where, error.remedy) from None


def decode_signal(group: Group, *, copy: bool = True) -> Signal:
    """Decode the group of a signal: the inverse of `encode_signal`.

    Returns
    -------
    Signal
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
    >>> group = encode_signal({"data": np.arange(3), "axes": [axis], "metadata": {}})
    >>> decode_signal(group)["axes"][0]["index_in_array"]
    0
    """
    return _decode_signal(group, "", copy)


def _decode_signal(group: Group, path: str, copy: bool) -> Signal:
    if not isinstance(group.members.get("data"), Array):
        raise FormatError("a signal without its array", f"{path}/data" if path else "data", "the file is damaged")
    found: Any = from_entries(decode_entries(group, copy=copy, role="signal", path=path))
    found["models"] = {}
    general = found["metadata"].get("General")
    if isinstance(general, dict) and general.get("title") == UNNAMED and not _recorded(group):
        general["title"] = ""  # releases say so of a signal without a title
    signal: Signal = found
    return signal


def _recorded(group: Group) -> bool:
    """Tell whether zspy has written the metadata's title."""
    node: Node = group
    for name in ("metadata", "General"):
        node = node.members.get(name, Group()) if isinstance(node, Group) else node
    return RECORD in node.attributes


def group_name(title: str) -> str:
    """Name the group of a signal by its title (FORMAT 2); names that no store holds are escaped.

    >>> group_name("a/b"), group_name(""), group_name("..")
    ('a-b', '__unnamed__', '%2E.')
    """
    return safe_name(title.replace("/", "-")) if title else UNNAMED


def _title(signal: Mapping[str, Any]) -> str:
    metadata = signal.get("metadata")
    general = metadata.get("General") if isinstance(metadata, Mapping) else None
    title = general.get("title") if isinstance(general, Mapping) else None
    if title is not None and not isinstance(title, str):
        kind = type(title).__qualname__
        raise EncodeError(f"a title is a string, not a {kind}", "metadata.General.title", "use str(title)")
    return title or ""


def encode_file(
    signals: Sequence[Mapping[str, Any]], encoder: Encoder, names: Sequence[str] = ()
) -> tuple[Group, list[str]]:
    """Encode signals as the root group of a file; give the names of their groups as well.

    `names` are those of groups that the file has already. Titles that are equal are told apart.
    """
    taken = set(map(fold, names))
    members: dict[str, Node] = {}
    models: dict[str, Node] = {}
    keys: dict[str, JSON] = {}
    chosen: list[str] = []
    for signal in signals:
        name = distinct(group_name(_title(signal)), taken)
        taken.add(fold(name))
        chosen.append(name)
        members[name] = _encode_signal(signal, encoder)
        for key, model in (signal.get("models") or {}).items():
            if not isinstance(model, Mapping):
                raise EncodeError("a model is a dictionary", f"models.{key}", "use Model.store()")
            node = distinct(safe_name(str(key)), set(map(fold, models)))
            if node != key:
                keys[node] = str(key)
            encoded = encoder.encode({_PARENT: f"/{ROOT}/{name}", **model})
            models[node] = encoded
    version: dict[str, JSON] = {"file_format": FORMAT, "file_format_version": VERSION}
    root: dict[str, Node] = {ROOT: Group({}, members)}
    if models:
        record: dict[str, JSON] = {RECORD: {"keys": keys}} if keys else {}
        root[MODELS[0]] = Group({}, {MODELS[1]: Group(record, models)})
    return Group(version, root), chosen


def decode_file(root: Node) -> list[Any]:
    """Decode the root group of a file: its signals in order of their names, models with their own.

    Models whose signal is not there come last, each as a dictionary without ``metadata``.
    """
    if not isinstance(root, Group):
        raise FormatError("the root is an array", "", "this is no .zspy file")
    experiments = root.members.get(ROOT)
    if not isinstance(experiments, Group):
        raise FormatError(f"there is no group {ROOT!r}", "", "this is no .zspy file")
    if root.attributes.get("file_format") != FORMAT and "file_format_version" not in root.attributes:
        raise FormatError("the file does not say its format", ".zattrs", "this is no .zspy file")
    root = migrated(root)
    experiments = root.members[ROOT]
    signals: list[Any] = []
    places: dict[str, Signal] = {}
    for name, member in sorted(getattr(experiments, "members", {}).items()):
        if isinstance(member, Group) and "data" in member.members:
            signal = _decode_signal(member, f"{ROOT}/{name}", False)
            places[f"/{ROOT}/{name}"] = signal
            signals.append(signal)
    signals += _give_models(root, places)
    return signals


def _give_models(root: Group, places: Mapping[str, Signal]) -> list[Any]:
    """Give each model to its signal; return those of none."""
    node: Node | None = root.members.get(MODELS[0])
    node = node.members.get(MODELS[1]) if isinstance(node, Group) else None
    if not isinstance(node, Group):
        return []
    record = node.attributes.get(RECORD)
    keys = record.get("keys") if isinstance(record, dict) else None
    names = keys if isinstance(keys, dict) else {}
    orphans: list[Any] = []
    for name in sorted(node.members, reverse=True):
        member = node.members[name]
        if not isinstance(member, Group):
            continue
        model = decode_entries(member, copy=False, role="dict", path="/".join((*MODELS, name)))
        parent = model.pop(_PARENT, None)
        title = names.get(name, name)
        if isinstance(parent, str) and (signal := places.get(parent)) is not None:
            signal["models"][str(title)] = model
        else:
            orphans.append({title: model})
    return orphans
