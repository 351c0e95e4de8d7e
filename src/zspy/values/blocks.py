"""Blocks of dask arrays: they have to be what the array says of them before it is computed."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np

from .errors import EncodeError, a_kind
from .types import DType, NumPyArray, is_lazy


def computed(data: Any, where: str = "") -> NumPyArray:
    """Compute a dask array, whose cells nobody knows before; anything else is an array already."""
    return np.asarray(checked_blocks(data, where) if is_lazy(data) else data)


def checked_blocks(data: Any, where: str) -> Any:
    """Give a dask array that refuses each block of another type, shape or dtype, or with a mask."""
    check = partial(_checked_block, where, data.dtype)
    meta = np.empty((0,) * data.ndim, data.dtype)
    return data.map_blocks(check, dtype=data.dtype, meta=meta)


def _checked_block(
    where: str,
    dtype: DType,
    block: Any,
    block_info: Any,
) -> NumPyArray:
    place = block_info[0]["array-location"]
    shape = tuple(stop - start for start, stop in place)
    found = a_kind(block)
    if isinstance(block, np.ndarray):
        block = np.asanyarray(cast("Any", block))
        casting: Any = "same_kind" if dtype.kind in "fc" else "safe"
        pairs = zip(block.shape, shape, strict=False)
        # An edge that is not known yet is NaN, which does not equal itself.
        right = all(size == wanted or wanted != wanted for size, wanted in pairs)
        right = right and block.ndim == len(shape)
        if right and np.can_cast(block.dtype, dtype, casting):
            return refuse_mask(block, where)
        found = f"the shape {block.shape} of {str(block.dtype)[:50]}"
    wanted = f"{shape} of {str(dtype)[:50]}"
    problem = f"a block computes to {found}, not {wanted}"
    raise EncodeError(problem, where, "give map_blocks its dtype and chunks")


def refuse_mask(block: Any, where: str = "") -> NumPyArray:
    """Refuse what is masked where nobody has said so: the mask would be lost."""
    plain: NumPyArray = block
    if type(block) is np.ndarray:  # as nearly all are
        return plain
    block = block.compute() if is_lazy(block) else block
    if np.ma.is_masked(block):
        problem = "elements are masked, of which the array itself says nothing"
        raise EncodeError(
            problem, where, "encode a masked array (of dask.array.ma), or fill them"
        )
    return np.asarray(block)
