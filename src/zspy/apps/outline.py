"""The nodes of a file without its large arrays: what they mean is told from the rest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.tree import read_nodes
from ..files.chunking import LARGE
from ..stores.base import Opened
from ..values.errors import FormatError
from ..values.nodes import Group, joined
from ..values.sequences import decoded_bytes


def read_outline(
    file: Opened, codecs: Collection[str] = (), limits: Limits = LIMITS
) -> Group:
    """Read the nodes of a file; empty arrays stand for those that are large."""

    def load(path: str, metadata: ArrayMetadata) -> Any:
        if metadata.native and _size(file, path, metadata) <= LARGE:
            return None
        dtype = metadata.dtype if metadata.cells is None else np.dtype(float)
        return np.empty((0,) * len(metadata.shape), dtype)

    node = read_nodes(file, codecs, Budget(limits, decoded_bytes), load, shaped=None)
    if not isinstance(node, Group):
        problem = "there is an array, and no group"
        raise FormatError(problem, "", "open the group it is in")
    return node


def _size(file: Opened, path: str, metadata: ArrayMetadata) -> int:
    """Give the bytes of an array; what is in its cells is told by what is stored."""
    if metadata.cells is None:
        return metadata.nbytes
    first = metadata.key((0,) * len(metadata.shape))
    return metadata.nbytes + file.size([joined(path, first)])
