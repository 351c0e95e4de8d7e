"""`open_group`: the nodes of a file, which a notebook shows as a tree."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..files.reader import read_group
from ..stores.backends import following
from ..stores.base import Links
from ..values.nodes import Group, walk
from ..values.types import Node
from .html import html


class GroupView(Group):
    """A group that a notebook shows as a tree."""

    __slots__ = ()

    @classmethod
    def of(cls, group: Group) -> GroupView:
        """View a group, and all groups in it."""
        members: dict[str, dict[str, Node]] = {}
        for path, node in walk(group):  # a group comes before what is in it
            if isinstance(node, Group):
                members[path] = dict(node.members)
                above, _, name = path.rpartition("/")
                if path:
                    members[above][name] = cls(node.attributes, members[path])
        return cls(group.attributes, members[""])

    def _repr_html_(self) -> str:
        return html(self)


def open_group(
    place: Any, *, codecs: Collection[str] = (), links: Links = "refuse"
) -> Group:
    """Open a file to look at what is stored: its nodes, with the large arrays left where they are.

    Nothing is decoded: these are the groups and arrays of the file, which a notebook shows as a
    tree. A large array is read when it is indexed; the file stays open as long as there is one.

    Parameters
    ----------
    place : path, Zarr store, mapping, or open LMDB environment
        A .zspy file, or any other Zarr group.
    codecs : collection of str
        Codecs that are allowed besides the known safe ones, by name, for files that you trust.
    links : {"refuse", "follow"}
        As for `file_reader`.

    Returns
    -------
    Group

    Raises
    ------
    FormatError
        If there is no such group, or if it is damaged; with the key.

    Examples
    --------
    >>> import numpy as np
    >>> from zspy import file_writer, open_group
    >>> axis = {"name": "x", "units": "nm", "size": 4, "scale": 0.5, "offset": 0.0}
    >>> file_writer(
    ...     "line.zspy", {"data": np.zeros(4), "axes": [axis], "metadata": {}}
    ... )
    >>> open_group("line.zspy")
    Group({'file_format': 'ZSpy', 'file_format_version': '3.3'}, members=['Experiments'])
    """
    return GroupView.of(read_group(following(place, links), codecs))
