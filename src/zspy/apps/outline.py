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
from ..values.nodes import Array, joined, walk
from ..values.sequences import decoded_bytes
from ..values.types import Node, NumPyArray


class Unread(NumPyArray):
    """Stands for an array that was not read."""


def read_outline(
    file: Opened,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    small: int = LARGE,
) -> tuple[Node, dict[str, ArrayMetadata]]:
    """Read the nodes of a file, and the metadata of all arrays by their path.

    Empty arrays stand for those that are not small.
    """
    layouts: dict[str, ArrayMetadata] = {}

    def load(path: str, metadata: ArrayMetadata) -> Any:
        layouts[path] = metadata
        if metadata.native and _size(file, path, metadata) <= small:
            return None
        dtype = metadata.dtype if metadata.cells is None else np.dtype(float)
        return np.empty((0,) * len(metadata.shape), dtype).view(Unread)

    budget = Budget(limits, decoded_bytes)
    return read_nodes(file, codecs, budget, load, shaped=None), layouts


def is_read(node: Node) -> bool:
    """Tell whether all arrays of a node are there, and nothing stands for one."""
    inner = (one for _, one in walk(node) if isinstance(one, Array))
    return not any(isinstance(one.data, Unread) for one in inner)


def _size(file: Opened, path: str, metadata: ArrayMetadata) -> int:
    """Give the bytes of an array; what is in its cells is told by what is stored."""
    if metadata.cells is None:
        return metadata.nbytes
    first = metadata.key((0,) * len(metadata.shape))
    return metadata.nbytes + file.size([joined(path, first)])
