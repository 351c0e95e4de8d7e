"""Leaf: signals as xarray objects: an engine of `xarray.open_dataset`, and the way back.

The axes of a signal are the dimensions and coordinates of a `DataArray`, its metadata is among the
attributes. What xarray cannot hold is refused: ragged data, and axes of unknown expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any, ClassVar, Final, NamedTuple, cast

import numpy as np

from .files.lazy import StoredArray, settle
from .files.reader import read_group
from .stores.backends import located
from .values.axes import axis_points
from .values.errors import EncodeError, missing_package
from .values.nodes import Array, Group, node_at, walk
from .values.root import ROOT, decode_file
from .values.types import Axis, NumPyArray, Signal, is_dict, is_sequence

try:
    import xarray as xr
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing
except ModuleNotFoundError as _error:
    raise missing_package("xarray", "xarray") from _error

_AXIS: Final = "zspy"  # the dimension and the axis of the file, in the encoding of a coordinate
_CARRIED: Final = (
    "xarray"  # in the original metadata: what a signal has no place for
)
_PARTS: Final = ("metadata", "original_metadata", "attributes", "models")
_PACKAGE: Final = ("package", "package_version")


class Backend(BackendEntrypoint):
    """The engine ``"zspy"`` of `xarray.open_dataset`: one variable for each signal of a file.

    A variable has the title of its signal. A large array is read when it is indexed; with
    ``chunks={}`` it is a dask array, in the chunks, or the shards, of the file.

    Examples
    --------
    >>> import zspy
    >>> axis = {"name": "E", "units": "eV", "size": 3, "scale": 0.5, "offset": 5.0}
    >>> metadata = {"General": {"title": "edge"}}
    >>> zspy.file_writer(
    ...     "x.zspy", {"data": np.ones(3), "axes": [axis], "metadata": metadata}
    ... )
    >>> edge = xr.open_dataset("x.zspy", engine="zspy")["edge"]
    >>> edge.E.values, edge.E.units
    (array([5. , 5.5, 6. ]), 'eV')
    """

    description: ClassVar[str] = (
        "Open .zspy files: signals with calibrated axes and metadata"
    )
    open_dataset_parameters: ClassVar[tuple[Any, ...] | None] = (
        *("filename_or_obj", "drop_variables", "codecs", "storage_options"),
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        codecs: Collection[str] = (),
        storage_options: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        dropped = (
            {drop_variables}
            if isinstance(drop_variables, str)
            else {*(drop_variables or ())}
        )
        root = read_group(located(filename_or_obj, storage_options), codecs=codecs)
        left = _left_in_file(root)
        names: set[str] = set()
        variables: dict[str, xr.Variable] = {}
        coords: dict[str, xr.Variable] = {}
        for signal in decode_file(root):
            if "metadata" not in signal:
                continue  # the models of no signal
            name = _free(_title(signal) or "data", names.__contains__)
            names.add(name)
            if name not in dropped:
                variables[name] = _variable(
                    signal, name, coords, left.get(id(signal["data"]))
                )
        dataset = xr.Dataset(variables, coords)
        for one in left.values():
            if one.stored is not None:
                dataset.set_close(one.stored.file.close)  # they are of one file
        return dataset

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        return PurePath(str(filename_or_obj)).suffix.lower() == ".zspy"


class _Stored(BackendArray):
    """An array that stays in its file, as xarray indexes it."""

    def __init__(self, array: StoredArray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(
            key, self.shape, outer, self.array.__getitem__
        )


class _Left(NamedTuple):
    """The array of a signal: chunks, and where it stays in its file what it is there."""

    edges: tuple[int, ...] | None
    stored: StoredArray | None


def _left_in_file(root: Group) -> dict[int, _Left]:
    """Leave the arrays of signals in their file, and read all others.

    What is left is given by the identity of what stands for it in the tree: an array of its shape
    without memory, which decoding hands on.
    """
    left = {path: node for path, node in walk(root) if isinstance(node, Array)}
    left = {
        path: node
        for path, node in left.items()
        if isinstance(node.data, StoredArray)
    }
    stays = {path for path in left if re.fullmatch(rf"{ROOT}/[^/]+/data", path)}
    for path in left.keys() - stays:
        _exchange(root, path, np.asarray(cast("Any", left[path].data)))
    settle(root, {path: cast("StoredArray", left[path].data) for path in stays})
    found: dict[int, _Left] = {}
    for path, node in walk(root):
        if isinstance(node, Array) and path.endswith("/data"):
            data: Any = node.data
            stored = data if isinstance(data, StoredArray) else None
            if stored is not None:
                data = np.broadcast_to(np.empty((), stored.dtype), stored.shape)
                _exchange(root, path, data)
            found[id(data)] = _Left(node.shards or node.chunks, stored)
    return found


def _exchange(root: Group, path: str, data: NumPyArray) -> None:
    """Put another array in the place of one."""
    parent, _, name = path.rpartition("/")
    members: Any = node_at(root, parent).members
    members[name] = replace(members[name], data=data)


def from_signal(signal: Mapping[str, Any]) -> xr.DataArray:
    """Give a signal as a `DataArray`.

    Axes without a name are called ``dim_0`` and so on; of several with one name, all but the first
    get a number. Masked values are NaN, as everywhere in xarray.

    Parameters
    ----------
    signal : Signal or LoadedSignal
        Its data may be lazy.

    Returns
    -------
    xarray.DataArray
        Named by the title, with coordinates that have their `units`, and with the attributes
        `metadata`, `original_metadata` and so on, as far as the signal has them.

    Raises
    ------
    EncodeError
        If the data is ragged, or the expression of an axis is more than arithmetic.

    Examples
    --------
    >>> axis = {"name": "E", "units": "eV", "size": 3, "scale": 0.5, "offset": 5.0}
    >>> from_signal({"data": np.ones(3), "axes": [axis], "metadata": {}}).sel(
    ...     E=5.5
    ... ).item()
    1.0
    """
    coords: dict[str, xr.Variable] = {}
    name = _title(signal) or "data"
    return xr.DataArray(_variable(signal, name, coords, None), coords, name=name)


def to_signal(
    array: xr.DataArray, *, navigation: Collection[str] | None = None
) -> Signal:
    """Give a `DataArray` as a signal, which `zspy.file_writer` takes.

    Coordinates in equal steps make a uniform axis, others a vector. What a signal has no place for,
    other attributes and coordinates, is put into ``original_metadata["xarray"]``.

    Parameters
    ----------
    array : xarray.DataArray
        Its data may be a dask array.
    navigation : collection of str, optional
        The dimensions that are navigated. None takes those that the file said were, or none.

    Returns
    -------
    Signal

    Raises
    ------
    EncodeError
        If a coordinate is no vector of numbers.

    Examples
    --------
    >>> array = xr.DataArray(np.ones(3), {"E": [5.0, 5.5, 6.0]}, name="edge")
    >>> signal = to_signal(array)
    >>> signal["axes"][0]["scale"], signal["metadata"]
    (0.5, {'General': {'title': 'edge'}})
    """
    dims = [str(dim) for dim in array.dims]
    attrs = {str(key): value for key, value in array.attrs.items()}
    parts: dict[str, Any] = {
        key: attrs.pop(key) for key in _PARTS if is_dict(attrs.get(key))
    }
    parts |= {
        key: attrs.pop(key) for key in _PACKAGE if isinstance(attrs.get(key), str)
    }
    metadata = parts["metadata"] = {**parts.get("metadata", {})}
    title = _title(parts)
    if array.name is not None and not re.fullmatch(
        rf"{re.escape(title or 'data')}(_\d+)?", str(array.name)
    ):
        metadata["General"] = {
            **metadata.get("General", {}),
            "title": str(array.name),
        }
    coords = {
        str(name): {
            "dims": [*map(str, one.dims)],
            "data": one.values,
            "attrs": {**one.attrs},
        }
        for name, one in cast("Any", array).coords.items()
        if name not in array.dims
    }
    if rest := {
        key: value for key, value in (("attrs", attrs), ("coords", coords)) if value
    }:
        parts["original_metadata"] = {
            **parts.get("original_metadata", {}),
            _CARRIED: rest,
        }
    axes = [_axis(array, dim, navigation) for dim in dims]
    return cast("Signal", {"data": array.data, "axes": axes, **parts})


def _title(signal: Mapping[str, Any]) -> str:
    """Give the title of a signal."""
    general = signal["metadata"].get("General")
    title = general.get("title") if is_dict(general) else None
    return title if isinstance(title, str) else ""


def _free(name: str, taken: Callable[[str], bool]) -> str:
    """Number a name that is taken."""
    number, free = 1, name
    while taken(free):
        number += 1
        free = f"{name}_{number}"
    return free


def _variable(
    signal: Mapping[str, Any],
    name: str,
    coords: dict[str, xr.Variable],
    left: _Left | None,
) -> xr.Variable:
    """Make the variable of a signal; what `coords` lacks of its coordinates is added."""
    data: Any = signal["data"]
    if data.dtype.kind == "O":
        remedy = f"use zspy.file_reader, or drop_variables={name!r}"
        raise EncodeError("xarray has no ragged arrays", f"{ROOT}/{name}", remedy)
    dims: list[str] = []
    axes: Any = signal["axes"] or [{}] * data.ndim  # data may have no axes at all
    for index, axis in enumerate(axes):
        values = axis_points(
            axis, data.shape[index], f"{ROOT}/{name}: axes[{index}]"
        )
        units = {"units": axis["units"]} if axis.get("units") else {}
        made = xr.Variable(("",), values, units)
        dim = _free(
            str(axis.get("name") or f"dim_{index}"),
            partial(_differs, made, coords, dims),
        )
        dims.append(dim)
        coords[dim] = xr.Variable((dim,), values, units, {_AXIS: (dim, axis)})
    attrs = {key: signal[key] for key in (*_PARTS, *_PACKAGE) if signal.get(key)}
    attrs |= _carried_back(attrs, dict(zip(dims, data.shape, strict=True)), coords)
    encoding: dict[str, Any] = {}
    if left is not None and left.edges:
        encoding["preferred_chunks"] = dict(zip(dims, left.edges, strict=True))
    if left is not None and left.stored is not None:
        data = indexing.LazilyIndexedArray(_Stored(left.stored))
    return xr.Variable(dims, data, attrs, encoding)


def _carried_back(
    attrs: dict[str, Any], sizes: Mapping[str, int], coords: dict[str, xr.Variable]
) -> dict[str, Any]:
    """Give the attributes that `to_signal` has put aside, and add the coordinates to `coords`.

    What does not fit the array, or has the name of another coordinate, stays where it is.
    """
    original: Any = attrs.get("original_metadata")
    carried = original.get(_CARRIED) if is_dict(original) else None
    if not is_dict(carried):
        return {}
    left: dict[Any, Any] = {}
    given: Any = carried.get("coords")
    for name, one in given.items() if is_dict(given) else ():
        made: Any = _coordinate(one, sizes)
        if made is None or (name in coords and not made.identical(coords[name])):
            left[name] = one
        else:
            coords[name] = made
    rest = {
        key: value
        for key, value in carried.items()
        if key not in {"attrs", "coords"}
    }
    rest |= {"coords": left} if left else {}
    kept = {key: value for key, value in original.items() if key != _CARRIED}
    kept |= {_CARRIED: rest} if rest else {}
    attrs.pop("original_metadata")
    attrs |= {"original_metadata": kept} if kept else {}
    other: Any = carried.get("attrs")
    return (
        {key: other[key] for key in other if key not in attrs}
        if is_dict(other)
        else {}
    )


def _coordinate(described: Any, sizes: Mapping[str, int]) -> xr.Variable | None:
    """Make a coordinate from its dictionary, or nothing where it does not fit the array."""
    if not is_dict(described):
        return None
    dims: Any = described.get("dims")
    data = np.asarray(described.get("data"))
    if not is_sequence(dims) or len(dims) != data.ndim:
        return None
    if any(
        sizes.get(dim) != size for dim, size in zip(dims, data.shape, strict=True)
    ):
        return None
    attrs = described.get("attrs")
    return xr.Variable(tuple(dims), data, attrs if is_dict(attrs) else {})


def _differs(
    made: xr.Variable, coords: Mapping[str, xr.Variable], dims: list[str], dim: str
) -> bool:
    """Tell whether a dimension is taken: in the same array, or by other coordinates."""
    same: Any = xr.Variable((dim,), made.values, made.attrs)
    return dim in dims or (dim in coords and not same.identical(coords[dim]))


def _axis(
    array: xr.DataArray, dim: str, navigation: Collection[str] | None
) -> Axis:
    """Give the axis of a dimension: that of the file, as far as it still says the same."""
    coordinate = array[dim].variable  # counts, where there is none
    values: Any = coordinate.values
    if values.dtype.kind not in "iuf":
        problem = f"a coordinate of dtype {values.dtype} is no axis"
        raise EncodeError(problem, f"coords.{dim}", "give it numbers, or drop it")
    known_dim, known = coordinate.encoding.get(_AXIS, ("", {}))
    axis: dict[str, Any] = {
        key: one for key, one in known.items() if key != "index_in_array"
    }
    if known.get(
        "size", len(known.get("axis", ()))
    ) != values.size or not np.array_equal(
        axis_points(known, values.size, dim), values
    ):
        kept = ("name", "units", "navigate", "is_binned")
        axis = {key: axis[key] for key in kept if key in axis}
        axis |= _fitted(values, known.get("scale"))
    axis["units"] = coordinate.attrs.get("units")
    if known_dim != dim:
        axis["name"] = dim
    if navigation is not None or "navigate" not in axis:
        axis["navigate"] = dim in (navigation or ())
    return cast("Axis", axis)


def _fitted(values: Any, scale: float | None) -> dict[str, Any]:
    """Describe points: by their steps, where these are equal, or each."""
    size: int = values.size
    step: float = (
        float(values[-1] - values[0]) / (size - 1) if size > 1 else scale or 1.0
    )
    if scale is not None and np.isclose(step, scale, rtol=1e-9, atol=0):
        step = scale  # a part of the axis that it was
    offset = float(values[0]) if size else 0.0
    even: Any = offset + step * np.arange(size)
    if step and np.allclose(values, even, rtol=0, atol=1e-6 * abs(step)):
        return {
            "_type": "UniformDataAxis",
            "size": size,
            "scale": step,
            "offset": offset,
        }
    return {"_type": "DataAxis", "axis": values}
