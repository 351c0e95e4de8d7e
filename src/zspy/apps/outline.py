"""The nodes of a file without its large arrays: what they mean is told from the rest."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Any

import numpy as np

from ..documents.array_metadata import ArrayMetadata
from ..documents.limits import LIMITS, Budget, Limits
from ..documents.tree import read_nodes
from ..files.chunking import LARGE
from ..stores.base import Opened
from ..values.nodes import Array, joined
from ..values.sequences import decoded_bytes
from ..values.types import Node


def read_outline(
    file: Opened,
    codecs: Collection[str] = (),
    limits: Limits = LIMITS,
    *,
    small: int = LARGE,
    told: dict[str, ArrayMetadata] | None = None,
) -> Node:
    """Read the nodes of a file; empty arrays stand for those that are not small.

    The metadata of all arrays is put into `told`, by path.
    """
    layouts: dict[str, ArrayMetadata] = {} if told is None else told

    def load(path: str, metadata: ArrayMetadata) -> Any:
        layouts[path] = metadata
        if metadata.native and _size(file, path, metadata) <= small:
            return None
        dtype = metadata.dtype if metadata.cells is None else np.dtype(float)
        return np.empty((0,) * len(metadata.shape), dtype)

    return read_nodes(
        file, codecs, Budget(limits, decoded_bytes), load, shaped=None
    )


def is_read(node: Array, metadata: ArrayMetadata) -> bool:
    """Tell whether an array of an outline is there, and nothing stands for it."""
    return prod(node.data.shape) == prod(metadata.shape)


def _size(file: Opened, path: str, metadata: ArrayMetadata) -> int:
    """Give the bytes of an array; what is in its cells is told by what is stored."""
    if metadata.cells is None:
        return metadata.nbytes
    first = metadata.key((0,) * len(metadata.shape))
    return metadata.nbytes + file.size([joined(path, first)])
