"""Floor 5: large arrays, through zarr-python: chunks in parallel, eagerly or lazily with dask."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._layout import Layout, from_core, to_core
from ._node import Array
from .errors import FormatError
from .typing import is_lazy

if TYPE_CHECKING:
    from zarr.abc.store import Store

_NumPyArray = np.ndarray[Any, Any]
LARGE: Final = 2**20
"""Bytes from which an array is read and written by zarr-python."""


def is_large(_: str, array: Array) -> bool:
    """Tell arrays that zarr-python writes; it does not know long doubles in format 2."""
    if is_lazy(array.data):
        return True
    dtype = array.data.dtype
    nbytes = prod(array.data.shape) * dtype.itemsize
    return array.cells is None and nbytes > LARGE and not (dtype.kind in "fc" and dtype.name.endswith(("128", "256")))


def open_array(store: Store, path: str, *, write: bool = False) -> Any:
    """Open an array with zarr-python; chunks that hold the fill value are written all the same."""
    import zarr

    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(store, path=path, mode="r+" if write else "r")


def write_array(store: Store, path: str, array: Array, zarr_format: int) -> None:
    """Write all chunks of an array whose document is in the store already."""
    target = open_array(store, path, write=True)
    data: Any = array.data
    target[...] = to_core(data) if zarr_format == 3 else data


def read_array(store: Store, path: str, how: Layout) -> _NumPyArray:
    """Read a whole array, its chunks in parallel."""
    try:
        values = np.asarray(open_array(store, path)[...])
    except FormatError:
        raise
    except Exception as error:  # zarr and its codecs raise whatever they like on damaged chunks
        raise FormatError(f"the array cannot be read ({type(error).__name__}: {error})", path) from error
    return from_core(values, how.dtype) if how.zarr_format == 3 else values.astype(how.dtype, copy=False)
