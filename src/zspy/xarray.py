"""Signals as xarray objects: an engine of `xarray.open_dataset`, and the way back.

The axes of a signal are the dimensions and coordinates of a `DataArray`, its metadata is among the
attributes. What xarray cannot hold is refused: ragged data, and axes of unknown expressions.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from importlib.util import find_spec
from itertools import count
from math import isfinite
from pathlib import PurePath
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self, cast, overload
from unicodedata import normalize

import numpy as np

from .documents.tree import deserialise, serialise, tell_newer
from .files.lazy import StoredArray, resolve_lazy
from .files.reader import read_group
from .stores.backends import following, located, name_of
from .stores.base import Links
from .values.axes import axis_cost, axis_points, axis_type
from .values.decoding import decode
from .values.encoding import encode
from .values.errors import (
    EncodeError,
    FormatError,
    check_choices,
    expect,
    expect_names,
    missing_package,
    naming,
    unlike,
)
from .values.faces import listing
from .values.nodes import Array, Group, node_at, walk
from .values.records import is_masked, lowered
from .values.root import EXPERIMENTS, decode_file, title_of
from .values.signals import data_and_axes, dictionary_of, package_of
from .values.types import (
    Axis,
    Entries,
    Signal,
    is_dict,
    is_lazy,
    is_list,
    is_mapping,
    is_sequence,
)

try:
    import xarray as xr
    from xarray import conventions
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing
except ModuleNotFoundError as _error:
    raise missing_package("xarray", "xarray") from _error

__all__ = [
    "Backend",
    "Nested",
    "from_signal",
    "to_signal",
]
__dir__: Callable[[], list[str]] = listing(__name__, __all__)

_AXIS: Final = "zspy_axis"
"""The attribute of a coordinate that holds what the axis says beside its points."""
_DATA: Final = "zspy_data"
"""The attribute of data of which xarray, or netCDF, makes another dtype, or which is masked."""
_CARRIED: Final = "xarray"
"""The entry of the original metadata that holds what a signal has no place for."""
_TAG: Final = "__zspy__"
"""The key of what JSON cannot say: documents of Zarr, as base64."""
_JSON: Final = frozenset({list, dict})
# So many values that JSON does not know are documents each; of more of them, all is.
_MOST_OTHERS: Final = 2**10
_PARTS: Final = ("metadata", "original_metadata", "attributes", "models")
_PACKAGE: Final = ("package", "package_version")
_IMPLIED: Final = frozenset({"axis", "index_in_array"})
"""Entries of an axis that its coordinate and its dimension say."""
# The points of all axes that are held in memory: 256 MB of them. To make some counts as well.
_MOST_POINTS: Final = 2**25
_MAKING: Final = 8
# xarray looks at all coordinates of a dataset for each of them: ten thousand take minutes.
_MOST_COORDINATES: Final = 2**10
_MOST_NODES: Final = 2**12  # of a tree: for each, xarray goes through all before it
# So many numbers behind a name are tried, one after the other.
_FEW_NUMBERS: Final = 64
# What netCDF and Zarr take for a part of a path, or for no text, and a space at the end.
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]| $")
_AT_BEGIN: Final = re.compile(r"\w|$")
_LONGEST_NAME: Final = 200  # in bytes; a number may follow
_SECOND: Final = np.timedelta64(1, "s")
_UNITS: Final = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
"""The units of times that xarray has, by their names in netCDF."""


class Nested(Mapping[str, Any], str):
    """A dictionary among the attributes of an xarray object, which also is its text as JSON.

    xarray writes text to netCDF and Zarr, and no dictionaries. So this is looked up as the
    dictionary that it is, and is written as text, from which `to_signal` makes the dictionary
    again: complex numbers, arrays, tuples and all else that JSON does not know included. The text
    is made once: give a changed dictionary as an attribute anew.

    Examples
    --------
    >>> nested = Nested({"beam": {"energy": 200, "shape": 1 + 2j}})
    >>> nested["beam"]["energy"]
    200
    >>> str(nested)[:26]
    '{"beam": {"energy": 200, "'
    >>> Nested.of(str(nested)) == nested
    True
    """

    __slots__ = ("value",)
    value: dict[str, Any]

    def __new__(cls, value: Entries) -> Self:
        expect(value, Mapping, "dictionary", "value", 'use {"key": value}')
        try:
            text = json.dumps(_as_json(dict(value), count()))
        except (RecursionError, _TooManyError):
            text = json.dumps(_as_documents(dict(value)))
        self = str.__new__(cls, text)
        self.value = dict(value)
        return self

    @staticmethod
    def of(attribute: object) -> dict[str, Any] | None:
        """Give the dictionary of an attribute, or None where it is other text, or no text."""
        if is_mapping(attribute):
            return dict(attribute)
        if not isinstance(attribute, str) or attribute[:1] != "{":
            return None
        try:
            found = _from_json(json.loads(attribute))
        except (ValueError, RecursionError, FormatError):
            return None
        return found if is_dict(found) else None

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return str.__eq__(self, other)
        return self.value == other

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __str__(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return repr(self.value)

    def __reduce__(self) -> tuple[type[Nested], tuple[dict[str, Any]]]:
        return type(self), (self.value,)


class _TooManyError(Exception):
    """There are more values that JSON does not know than are given one by one."""


def _as_json(value: Any, others: Iterator[int]) -> Any:
    """Give a value as JSON has it; what JSON does not know is a dictionary with one key.

    These are counted: each takes as long as thousands of numbers.
    """
    if value is None or type(value) in {bool, int, str}:
        return value
    if type(value) is float and isfinite(value):
        return value
    if is_list(value) and type(value) in _JSON:
        return [_as_json(one, others) for one in value]
    if is_dict(value) and type(value) in _JSON and _can_be_object(value):
        return {key: _as_json(one, others) for key, one in value.items()}
    if next(others) >= _MOST_OTHERS:
        raise _TooManyError
    return _as_documents(value)


def _can_be_object(value: dict[Any, Any]) -> bool:
    """Tell a dictionary that JSON has, and that is no sign for documents."""
    return _TAG not in value and all(type(key) is str for key in value)


def _as_documents(value: Any) -> dict[str, Any]:
    """Give a value as a dictionary of the documents that zspy stores for it."""
    documents = dict(serialise(encode({"value": value}, homogenize=False)))
    texts = {
        key: base64.b64encode(data).decode() for key, data in documents.items()
    }
    return {_TAG: texts}


def _from_json(value: Any) -> Any:
    """Undo `_as_json`. Raises ValueError or FormatError where the documents are none."""
    if is_list(value):
        return [_from_json(one) for one in value]
    if not is_dict(value):
        return value
    if value.keys() != {_TAG}:
        return {key: _from_json(one) for key, one in value.items()}
    texts = value[_TAG]
    if not is_dict(texts) or not all(
        isinstance(one, str) for one in texts.values()
    ):
        raise ValueError("no documents")
    documents = {key: base64.b64decode(text) for key, text in texts.items()}
    node = deserialise(documents)
    found = decode(node) if isinstance(node, Group) else {}
    if found.keys() != {"value"}:
        raise ValueError("no value")
    return found["value"]


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
        "filename_or_obj",
        "drop_variables",
        "group",
        "attributes",
        "codecs",
        "storage_options",
        "links",
    )
    supports_groups: ClassVar[bool] = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        **keywords: Any,
    ) -> xr.Dataset:
        """Open all signals of a file, or the one that `group` names by its title.

        With ``attributes="text"``, dictionaries are nothing but their text, as JSON, and with
        "nested" dictionaries as well, which is the default unless xarray would write netCDF with
        h5netcdf. Others are `codecs`, `links` and `storage_options`, as for `zspy.file_reader`.
        """
        opened = _Opened(filename_or_obj, **keywords)
        names = {one: one for one in opened.signals}
        if group is not None:
            name = str(group).strip("/")
            if name not in names:
                raise EncodeError(
                    f"there is no signal {group!r}",
                    "group",
                    f"use one of {', '.join(map(repr, names))}",
                )
            names = {name: name}
        with naming(opened.named):
            return opened.dataset(names, drop_variables)

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **keywords: Any,
    ) -> dict[str, xr.Dataset]:
        """Open each signal of a file as a group of its own, which has its title."""
        opened = _Opened(filename_or_obj, **keywords)
        if len(opened.signals) > _MOST_NODES:
            problem = f"more than {_MOST_NODES} signals, of which xarray makes a tree slowly"
            raise FormatError(problem, opened.named, "use group=, or file_reader")
        groups = {"/": xr.Dataset()}
        last: dict[str, int] = {}
        for name in opened.signals:
            path = _free("/" + _shown(name), groups.__contains__, last)
            with naming(opened.named):
                groups[path] = opened.dataset({path[1:]: name}, drop_variables)
        return groups

    def open_datatree(self, filename_or_obj: Any, **keywords: Any) -> xr.DataTree:
        """Open a file as a tree with a node for each signal."""
        groups = self.open_groups_as_dict(filename_or_obj, **keywords)
        tree: xr.DataTree = cast("Any", xr.DataTree).from_dict(groups)
        for path, dataset in groups.items():
            tree[path].set_close(dataset.close)
        return tree

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        return PurePath(str(filename_or_obj)).suffix.lower() == ".zspy"


def _takes_plain_text_only() -> bool:
    """Tell whether xarray writes netCDF with h5netcdf, which takes no text but that of `str`."""
    return find_spec("netCDF4") is None and find_spec("h5netcdf") is not None


class _Opened:
    """The signals of a file by names that differ, with their large arrays left in it."""

    def __init__(
        self,
        filename: Any,
        attributes: Literal["nested", "text"] | None = None,
        codecs: Collection[str] = (),
        storage_options: Entries | None = None,
        links: Links = "refuse",
        **others: Any,
    ) -> None:
        for name in others:
            problem = "the engine zspy has no such option"
            raise EncodeError(problem, name, "see help(zspy.xarray.Backend)")
        check_choices(attributes=(attributes, (None, "nested", "text")))
        self._as_text = attributes == "text" or (
            attributes is None and _takes_plain_text_only()
        )
        place = following(located(filename, storage_options), links)
        self.named = name_of(place)
        with naming(self.named):
            root = read_group(place, codecs, _is_data)
            self._left = _left_in_file(root)
            signals = decode_file(root)
        self.signals: dict[str, Entries] = {}
        last: dict[str, int] = {}
        tell_newer(root)
        for signal in signals:
            if "metadata" in signal:  # else they are models of no signal
                title = _title(signal) or "data"
                name = _free(title, self.signals.__contains__, last)
                self.signals[name] = cast("Entries", signal)

    def dataset(
        self, names: Mapping[str, str], drop_variables: str | Iterable[str] | None
    ) -> xr.Dataset:
        """Give signals as one dataset: names of variables, and those of their signals."""
        given: Any = () if drop_variables is None else drop_variables
        # xarray takes an array for a name or several.
        given = [given] if isinstance(given, str) else getattr(given, "flat", given)
        where, remedy = "drop_variables", 'use ["name"]'
        expect(given, Iterable, "list of names", where, remedy)
        dropped: list[Any] = [*given]
        for one in dropped:
            expect(one, str, "name", where, remedy)
        variables: dict[str, xr.Variable] = {}
        coords = _Coordinates()
        attrs: dict[str, Any] = {}
        for name, named in names.items():
            if name in dropped:
                continue
            signal = self.signals[named]
            found = self._left.get(id(signal["data"]))
            variables[name] = _variable(
                signal, name, coords, found, in_dataset=True
            )
            attrs |= _dataset_attributes(signal)
        kept = {name: one for name, one in coords.items() if name not in dropped}
        for variable in (
            [*variables.values(), *kept.values()] if self._as_text else ()
        ):
            for key, one in variable.attrs.items():
                variable.attrs[key] = str(one) if isinstance(one, Nested) else one
        # xarray takes no variable with the name of a dimension, and a path for one with a "/".
        taken = {*coords}.union(*(one.dims for one in variables.values()))
        free: dict[str, xr.Variable] = {}
        last: dict[str, int] = {}
        for name, variable in variables.items():
            free_name = _free(_shown(name), taken.__contains__, last)
            free[free_name] = variable
            taken.add(free_name)
        dataset = xr.Dataset(free, kept, attrs)
        dataset.set_close(self._close)
        return dataset

    def _close(self) -> None:
        for left in self._left.values():
            if left.stored is not None:
                left.stored.file.close()  # they are of one file


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


def _is_data(path: str) -> bool:
    """Tell the array of a signal from all others, which are read at once."""
    return re.fullmatch(rf"{EXPERIMENTS}/[^/]+/data", path) is not None


def _left_in_file(root: Group) -> dict[int, _Left]:
    """Put something in the place of the arrays of signals that were left in their file.

    What is left is given by the identity of what stands for it in the tree: an array of its shape
    without memory, which decoding hands on.
    """
    left = {
        path: node.data
        for path, node in walk(root)
        if isinstance(node, Array) and isinstance(node.data, StoredArray)
    }
    resolve_lazy(root, left)
    found: dict[int, _Left] = {}
    for path, node in walk(root):
        if isinstance(node, Array) and path.endswith("/data"):
            data: Any = node.data
            stored = data if isinstance(data, StoredArray) else None
            if stored is not None:
                data = np.broadcast_to(np.empty((), stored.dtype), stored.shape)
                parent, _, name = path.rpartition("/")
                members: Any = node_at(root, parent).members
                members[name] = replace(node, data=data)
            found[id(data)] = _Left(node.shards or node.chunks, stored)
    return found


def from_signal(signal: Entries) -> xr.DataArray:
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
    if not is_mapping(signal) or not {"data", "axes", "metadata"} <= signal.keys():
        remedy = "give one dictionary of file_reader"
        raise unlike("signal", signal, "signal", remedy)
    data_and_axes(signal)
    package_of(signal)
    title_of(signal)
    for part in _PARTS:
        dictionary_of(signal, part)
    coords = _Coordinates()
    name = _title(signal) or "data"
    variable = _variable(signal, name, coords)
    array = xr.DataArray(variable, coords, name=name)
    array.encoding = variable.encoding
    return array


@overload
def to_signal(
    array: xr.DataArray, *, navigation: Collection[str] | None = None
) -> Signal: ...


@overload
def to_signal(
    array: xr.Dataset, *, navigation: Collection[str] | None = None
) -> list[Signal]: ...


def to_signal(
    array: xr.DataArray | xr.Dataset, *, navigation: Collection[str] | None = None
) -> Signal | list[Signal]:
    """Give a `DataArray` as a signal, which `zspy.file_writer` takes, or a `Dataset` as signals.

    Coordinates in equal steps make a uniform axis, others a vector; times are seconds from the
    first, texts are counted, unless a file had them as an axis. What a signal has no place for,
    such as other attributes and coordinates, is put into ``original_metadata["xarray"]``, and
    comes back from there.

    Parameters
    ----------
    array : xarray.DataArray or xarray.Dataset
        Its data may be dask arrays. It may have been a signal, and a file of another format since.
    navigation : collection of str, optional
        The dimensions that are navigated. None takes those that the file said were, or none.

    Returns
    -------
    Signal or list of Signal

    Raises
    ------
    EncodeError
        If a coordinate of a dimension is a vector neither of numbers, times nor texts.

    Examples
    --------
    >>> array = xr.DataArray(np.ones(3), {"E": [5.0, 5.5, 6.0]}, name="edge")
    >>> signal = to_signal(array)
    >>> signal["axes"][0]["scale"], signal["metadata"]
    (0.5, {'General': {'title': 'edge'}})
    >>> [one["axes"] == signal["axes"] for one in to_signal(array.to_dataset())]
    [True]
    """
    either = (xr.DataArray, xr.Dataset)
    expect(array, either, "object of xarray", "array", "use xarray.DataArray")
    if navigation is not None:
        expect_names(navigation, "navigation")
        for dim in navigation:
            if dim not in array.dims:
                dims = ", ".join(map(repr, array.dims))
                problem = f"there is no dimension {dim!r}"
                raise EncodeError(problem, "navigation", f"use some of {dims}")
    if isinstance(array, xr.DataArray):
        return _signal_of(array, navigation, {})
    if not array.data_vars:
        raise EncodeError(
            "a dataset without data variables has no signal",
            "array",
            "make a data variable of a coordinate",
        )
    signals: list[Signal] = []
    beside = _coordinates(array)
    for name in array.data_vars:
        for shown in _coordinates(array[name]):
            beside.pop(shown, None)
    rest: dict[str, Any] = {}  # what the first signal carries for all of them
    if array.attrs:
        rest["dataset"] = {"attrs": _plain(array.attrs)}
    if beside:
        rest["coords"] = {key: _described(one) for key, one in beside.items()}
    for name in array.data_vars:
        signals.append(_signal_of(array[name], navigation, rest))
        rest = {}
    return signals


def _coordinates(array: xr.DataArray | xr.Dataset) -> dict[str, xr.DataArray]:
    """Give the coordinates of an array or a dataset by their names."""
    coords = cast("Any", array).coords
    for name, one in coords.items():
        zone = getattr(one.dtype, "tz", None)
        if zone is not None:
            problem = f"times in the zone {zone}, of which xarray gives no array"
            raise EncodeError(problem, f"coords.{name}", "use tz_convert(None)")
    return {str(name): one for name, one in coords.items()}


def _signal_of(
    array: xr.DataArray, navigation: Collection[str] | None, rest: dict[str, Any]
) -> Signal:
    """Give one array as a signal; `rest` is what its dataset has beside its arrays."""
    dims: list[str] = []
    for dim in array.dims:
        expect(dim, str, "name of a dimension", "dims", "rename it to a text")
        dims.append(str(dim))
    attrs = {str(key): value for key, value in array.attrs.items()}
    says = Nested.of(attrs.pop(_DATA, None)) or {}
    parts: dict[str, Any] = {}
    for key in _PARTS:
        nested = Nested.of(attrs.get(key))
        if nested is not None:
            parts[key] = nested
            del attrs[key]
    for key in _PACKAGE:
        if isinstance(attrs.get(key), str):
            parts[key] = attrs.pop(key)
    metadata = parts["metadata"] = {**parts.get("metadata", {})}
    title = _title(parts)
    known = "|".join(map(re.escape, (title or "data", _shown(title))))
    same = rf"({known})(_\d+)*"
    if array.name is not None and not re.fullmatch(same, str(array.name)):
        general = metadata.get("General", {})
        metadata["General"] = {**general, "title": str(array.name)}
    coordinates = _coordinates(array)
    coords = {**rest.get("coords", {})}
    axes: list[Axis] = []
    for dim in dims:
        axis, is_all = _axis(array, dim, navigation)
        axes.append(axis)
        if dim in coordinates and not is_all:
            coords[dim] = _described(coordinates[dim])
    for name, one in coordinates.items():
        if name not in dims:
            coords[name] = _described(one)
    counted = [dim for dim in dims if dim not in coordinates]
    if not dims and not says and _said_of(array.data):
        counted = [""]  # so that a scalar of xarray is told from one of a file
    found = {"attrs": _plain(attrs), "coords": coords, "counted": counted}
    carried = rest | {key: value for key, value in found.items() if value}
    if carried:
        original = parts.get("original_metadata", {})
        parts["original_metadata"] = {**original, _CARRIED: carried}
    data: Any = _data_as_it_was(array.data, says)
    if _are_texts(data):
        data = data.astype(str)
    return cast("Signal", {"data": data, "axes": axes, **parts})


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Give attributes with dictionaries in the place of what is text at the same time."""
    return {
        str(key): one.value if isinstance(one, Nested) else one
        for key, one in attrs.items()
    }


def _described(coordinate: xr.DataArray) -> dict[str, Any]:
    """Give a coordinate as a dictionary."""
    values = coordinate.values
    if _are_texts(values):
        values = values.astype(str)
    attrs = _plain(coordinate.attrs)
    attrs.pop(_AXIS, None)
    return {"dims": [*map(str, coordinate.dims)], "data": values, "attrs": attrs}


def _dataset_attributes(signal: Entries) -> dict[str, Any]:
    """Give the attributes of the dataset that a signal was the first one of."""
    found: Any = signal.get("original_metadata")
    for key in (_CARRIED, "dataset", "attrs"):
        found = _dictionary(found).get(key)
    return _dictionary(found)


def _dictionary(value: Any) -> dict[Any, Any]:
    """Give a copy of a dictionary, or an empty one for anything else."""
    return dict(value) if is_dict(value) else {}


def _title(signal: Entries) -> str:
    """Give the title of a signal."""
    metadata: Any = signal["metadata"] or {}
    title = _dictionary(metadata.get("General")).get("title")
    return title if isinstance(title, str) else ""


def _shown(title: str) -> str:
    """Give a title, or the name of an axis, as netCDF, Zarr and the nodes of a tree take it."""
    name = normalize("NFC", _NOT_IN_NAMES.sub("_", title))
    if name[:1].isascii() and not _AT_BEGIN.match(name):
        name = f"_{name}"
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def _free(name: str, taken: Callable[[str], bool], last: dict[str, int]) -> str:
    """Number a name that is taken. Of each name, `last` has the last number that was given."""
    number, free = 1, name
    while taken(free):
        if number >= _FEW_NUMBERS:  # thousands may have one name
            number = max(number, last.get(name, 0))
        number += 1
        free = f"{name}_{number}"
    last[name] = max(number, last.get(name, 0))
    return free


class _Coordinates(dict[str, xr.Variable]):
    """The coordinates of a dataset, and what making more of them may take."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, int] = {}
        self.left = _MOST_POINTS
        # The dimensions of an axis, by a digest of all that it says.
        self._known: dict[bytes, list[str]] = {}

    def dimension(
        self,
        wanted: str,
        made: xr.Variable | None,
        says: Entries,
        dims: Collection[str],
        where: str,
    ) -> str:
        """Name a dimension of an array that has others already, and keep its coordinate.

        It is that of an axis which says the same, or a new one. To try one name after the other
        would take long where thousands of axes have one name.
        """

        def is_taken(name: str) -> bool:
            return name in dims or name in self

        if made is None:
            return _free(wanted, is_taken, self.last)
        known = self._known.setdefault(_digest(wanted, made, says), [])
        for dim in known:
            same: Any = self[dim]
            if dim not in dims and same.identical(_saying(made, says, dim)):
                return dim
        dim = _free(wanted, is_taken, self.last)
        self.spend(made.size, where)
        self[dim] = _saying(made, says, dim)
        known.append(dim)
        return dim

    def __setitem__(self, name: str, variable: xr.Variable) -> None:
        super().__setitem__(name, variable)
        if len(self) > _MOST_COORDINATES:
            problem = f"more than {_MOST_COORDINATES} axes that differ"
            remedy = "use xarray.open_datatree, or group=, or zspy.file_reader"
            raise FormatError(problem, EXPERIMENTS, remedy)

    def points(self, axis: Entries, size: int, where: str) -> Any:
        """Give the points of an axis of so many elements."""
        self.spend(axis_cost(axis, size) // _MAKING, where, size)
        points = axis_points(axis, size, where)
        if np.ndim(points) != 1 or len(points) < size:
            problem = f"points of the shape {np.shape(points)} for {size} elements"
            raise FormatError(problem, where, "correct the axis with zspy.update")
        return points[:size]

    def spend(self, points: int, where: str, at_once: int = 0) -> None:
        """Count points that are held, or made."""
        self.left -= points
        is_one = at_once > _MOST_POINTS
        if is_one or self.left < 0:
            what = f"an axis of {at_once}" if is_one else f"axes of {_MOST_POINTS}"
            raise FormatError(
                f"{what} points, which xarray would hold in memory",
                where,
                "use zspy.file_reader(..., lazy=True)",
            )


def _lacking(data: Any) -> str | None:
    """Say what an array is that xarray cannot hold, or None."""
    kind, dtype = data.dtype.kind, str(data.dtype)[:60]
    if kind == "O":
        return "ragged arrays"
    unit, factor = np.datetime_data(data.dtype) if kind in "mM" else ("", 1)
    if unit == "generic":
        return f"{dtype} without a unit"
    if factor != 1:
        return f"{dtype}, a unit with a factor"
    if unit in ("ps", "fs", "as"):
        return f"{dtype}, finer than nanoseconds"
    if is_masked(data) and (kind in "STUV" or _are_too_long(data)):
        return f"missing value for a mask of {dtype}"
    return None


def _are_too_long(data: Any) -> bool:
    """Tell masked whole numbers that are others as fractions, of which NaN is one."""
    if data.dtype.kind not in "iu" or data.dtype.itemsize < 8 or is_lazy(data):
        return False
    held = data.compressed()
    return bool(np.any((held > 2**53) | (held < -(2**53))))


def _variable(
    signal: Entries,
    name: str,
    coords: _Coordinates,
    left: _Left | None = None,
    in_dataset: bool = False,
) -> xr.Variable:
    """Make the variable of a signal; what `coords` lacks of its coordinates is added."""
    data: Any = signal["data"]
    where = f"{EXPERIMENTS}/{name}"
    if (lacking := _lacking(data)) is not None:
        remedy = f"use zspy.file_reader, or drop_variables={name!r}"
        raise EncodeError(f"xarray has no {lacking}", where, remedy)
    parts = {key: signal[key] for key in (*_PARTS, *_PACKAGE) if signal.get(key)}
    aside = _Aside(parts.pop("original_metadata", {}))
    dims: list[str] = []
    # data may have fewer axes than dimensions, or none
    axes: Any = [*signal["axes"], *[{}] * (data.ndim - len(signal["axes"]))]
    for index, axis in enumerate(axes):
        size: int = data.shape[index]
        at = f"{where}: axes[{index}]"
        points = coords.points(axis, size, at)
        if (lacking := _lacking(points)) is not None:
            raise EncodeError(
                f"xarray has no {lacking}", at, "use zspy.file_reader"
            )
        wanted = _shown(str(axis.get("name") or f"dim_{index}"))
        made = aside.coordinate_of(wanted, axis, points)
        says = {key: axis[key] for key in axis if key not in _IMPLIED}
        if axis_type(axis).size_key == "axis":
            says |= {"axis": None, **_said_of(points)}  # they are the coordinate
        dims.append(coords.dimension(wanted, made, says, dims, where))
    aside.put_beside(coords, dict(zip(dims, data.shape, strict=True)), in_dataset)
    if in_dataset:
        aside.left.pop("dataset", None)
    given = aside.attributes()
    original = aside.original()
    if original:
        parts["original_metadata"] = original
    attrs: dict[Any, Any] = {
        key: Nested(part) if is_mapping(part) else part
        for key, part in parts.items()
    }
    for key, one in given.items():
        attrs.setdefault(key, one)
    # What xarray wrote has what it has there.
    if not aside.is_of_xarray and (said := _said_of(data)):
        attrs[_DATA] = Nested(said)
    is_stored = left is not None and left.stored is not None
    encoding = _exactly(data, is_stored)
    if left is not None:
        if left.edges:
            encoding["preferred_chunks"] = dict(zip(dims, left.edges, strict=True))
        if left.stored is not None:
            data = indexing.LazilyIndexedArray(_Stored(left.stored))
    elif is_lazy(data) and is_masked(data):
        masked: Any = lowered(data)
        held: Any = xr.Variable(dims, masked.plain["data"])
        data = held.where(~masked.plain["mask"]).data
    return xr.Variable(dims, data, attrs, encoding)


def _said_of(data: Any) -> dict[str, Any]:
    """Say what of data is lost in xarray, or in netCDF."""
    dtype: Any = data.dtype
    if is_masked(data):
        masked: Any = lowered(data)
        fill = masked.plain.get("fill_value")
        said = {"dtype": dtype.str, "fill_value": fill}
        if dtype.kind not in "fcmM" or is_lazy(data):
            return said
        # What is masked is 2, and NaN beside it, which is the same in xarray, is 1.
        missing = np.isnan(data).astype("u1").filled(2)
        return {**said, "missing": missing} if (missing == 1).any() else said
    is_native = dtype.isnative or dtype.kind == "V"
    if dtype.kind not in "bmMTSU" and is_native and not _other_float(dtype):
        return {}
    return {"dtype": "T" if dtype.kind == "T" else dtype.str}


def _other_float(dtype: Any) -> str | None:
    """Give a dtype of netCDF for numbers that it has not: of two bytes, or of more than eight."""
    if dtype.kind != "f" or dtype.itemsize in (4, 8):
        return None
    return "float32" if dtype.itemsize < 4 else "float64"


def _exactly(data: Any, is_stored: bool) -> dict[str, Any]:
    """Give the encoding by which netCDF holds values as they are."""
    dtype: Any = data.dtype
    if other := _other_float(dtype):
        is_held = (
            is_stored or is_lazy(data) or _cast(np.asarray(data), other) is not None
        )
        return {"dtype": other} if is_held else {}
    if dtype.kind != "M":
        return {}
    unit: str = np.datetime_data(dtype)[0]
    # Of years that nanoseconds do not have, xarray reads no whole numbers with NaT among them.
    is_far = unit != "ns" and (is_stored or is_lazy(data) or np.isnat(data).any())
    if is_far:
        return {}
    since = f"{_UNITS.get(unit, 'seconds')} since 1970-01-01"
    return {"units": since, "dtype": "int64", "calendar": "proleptic_gregorian"}


def _data_as_it_was(data: Any, says: Mapping[str, Any]) -> Any:
    """Give data the dtype and the mask that it had in a file, as far as it still has the values."""
    if is_lazy(data) and "fill_value" in says and data.dtype.kind in "fcmM":
        # What the blocks are of is to be known before any is computed.
        own = {**says, "dtype": data.dtype.str, "missing": None}
        meta = _data_as_it_was(np.empty((0,) * data.ndim, data.dtype), own)
        return data.map_blocks(_data_as_it_was, own, dtype=data.dtype, meta=meta)
    if is_lazy(data) or "dtype" not in says:
        return data
    dtype = says["dtype"]
    if "fill_value" not in says:
        made = _as_they_were(data, dtype)
        return data if made is None else made
    dates = _as_they_were(data, dtype) if _are_dates(data) else None
    data = data if dates is None else dates
    if data.dtype.kind not in "fcmM":
        return data  # a filled array of whole numbers, say
    mask = np.isnan(data)
    known = says.get("missing")
    if known is not None and np.array_equal(np.not_equal(known, 0), mask):
        mask = np.equal(known, 2)
    made = _cast(np.where(mask, np.zeros((), data.dtype), data), dtype)
    if made is None:
        return np.ma.MaskedArray(data, mask)
    return np.ma.MaskedArray(made, mask, fill_value=says["fill_value"])


class _Aside:
    """What `to_signal` has put aside, from which is taken what fits the signal as it is now.

    What does not fit, or has the name of another coordinate, stays in the original metadata.
    """

    def __init__(self, original: Any) -> None:
        self._original: dict[Any, Any] = dict(original)
        self.left = _dictionary(self._original.get(_CARRIED))
        self.is_of_xarray: bool = bool(self.left)
        if self.left:
            del self._original[_CARRIED]
        self._coords = _dictionary(self.left.pop("coords", None))
        counted: Any = self.left.pop("counted", None)
        self._counted: list[Any] = [*counted] if is_sequence(counted) else []

    def coordinate_of(
        self, dim: str, axis: Entries, points: Any
    ) -> xr.Variable | None:
        """Give the coordinate of an axis, or None where the dimension had none."""
        # Of times, xarray writes the unit in which it counts them there.
        has_units = axis.get("units") and points.dtype.kind not in "mM"
        units = {"units": axis["units"]} if has_units else {}
        if dim in self._counted:
            self._counted.remove(dim)
            if not units and np.array_equal(points, np.arange(len(points))):
                return None
        known = _coordinate(self._coords.get(dim), {dim: len(points)})
        if known is not None and known.dims == (dim,):
            numbers = _numbers(known.values)
            if numbers is not None and _agree(points, numbers):
                del self._coords[dim]
                return known
        return xr.Variable((dim,), points, units, _exactly(points, False))

    def put_beside(
        self,
        coords: dict[str, xr.Variable],
        sizes: Mapping[str, int],
        in_dataset: bool,
    ) -> None:
        """Add other coordinates to those that there are."""
        for name, one in [*self._coords.items()]:
            made: Any = _coordinate(one, sizes, in_dataset)
            is_one_more = name not in coords and len(coords) < _MOST_COORDINATES
            if made is not None and (
                is_one_more or (name in coords and made.identical(coords[name]))
            ):
                coords[name] = made
                del self._coords[name]

    def attributes(self) -> dict[str, Any]:
        """Give the attributes that a signal has no place for."""
        return _dictionary(self.left.pop("attrs", None))

    def original(self) -> dict[Any, Any]:
        """Give the original metadata, with what was not taken."""
        rest = dict(self.left)
        if self._coords:
            rest["coords"] = self._coords
        original = dict(self._original)
        if rest:
            original[_CARRIED] = rest
        return original


def _coordinate(
    described: Any, sizes: Mapping[str, int], may_be_other: bool = False
) -> xr.Variable | None:
    """Make a coordinate from its dictionary, or nothing where it does not fit the array."""
    if not is_dict(described):
        return None
    dims: Any = described.get("dims")
    data = np.asarray(described.get("data"))
    if not is_sequence(dims) or len(dims) != data.ndim:
        return None
    for dim, size in zip(dims, data.shape, strict=True):
        if sizes.get(dim, size if may_be_other else None) != size:
            return None
    return xr.Variable(tuple(dims), data, _dictionary(described.get("attrs")))


def _saying(made: xr.Variable, says: Entries, dim: str) -> xr.Variable:
    """Give a coordinate the name of its dimension, and what its axis says beside its points."""
    attrs = {**made.attrs, _AXIS: Nested({**says, "dim": dim})}
    return xr.Variable((dim,), made.values, attrs, made.encoding)


def _digest(name: str, made: xr.Variable, says: Entries) -> bytes:
    """Sum up what a coordinate and its axis say; others may have the same sum."""
    values: Any = made.values
    held = (
        repr(values.tolist()).encode()
        if values.dtype.hasobject
        else values.tobytes()
    )
    said = repr((name, values.dtype, made.attrs, str(Nested(says))))
    return blake2b(held + said.encode("utf-8", "surrogatepass")).digest()


def _axis(
    array: xr.DataArray, dim: str, navigation: Collection[str] | None
) -> tuple[Axis, bool]:
    """Give the axis of a dimension, as far as the file still says the same, and if it is all."""
    # counts, where there is none
    coordinate: Any = _not_decoded(array[dim].variable)
    values = coordinate.values
    numbers = _numbers(values)
    if numbers is None:
        raise EncodeError(
            f"a coordinate of dtype {coordinate.dtype} is no axis",
            f"coords.{dim}",
            "give it numbers, or drop it",
        )
    attrs = {**coordinate.attrs}
    known = Nested.of(attrs.pop(_AXIS, None)) or {}
    known_dim = known.pop("dim", "")
    is_text = isinstance(attrs.get("units"), str)
    units = attrs.pop("units") if is_text else None
    before = _as_they_were(values, known.pop("dtype", None))
    if before is not None:
        values = numbers = before
    axis: dict[str, Any] = dict(known)
    points = _points(known, numbers, dim)
    if points is None or not _are_same(points, numbers):
        kept = ("name", "units", "navigate", "is_binned")
        axis = {key: known[key] for key in kept if key in known}
        axis |= _fitted(numbers, known.get("scale"))
        points = _points(axis, numbers, dim)
    elif axis_type(known).size_key == "axis":
        axis["axis"] = numbers
    if numbers.dtype.kind in "mM":
        units = axis.get("units")
    elif _is_time(coordinate):
        units = "s"
    if units or axis.get("units") or not known:
        axis["units"] = units
    if known_dim != dim:
        axis["name"] = dim
    if navigation is not None or not known:
        axis["navigate"] = dim in (navigation or ())
    points = np.asarray(points)
    is_kept = points.dtype == numbers.dtype and _are_same(points, numbers)
    return cast("Axis", axis), numbers is values and is_kept and not attrs


def _not_decoded(coordinate: Any) -> Any:
    """Give the numbers of an axis in "days since 2000", say, of which xarray has made times."""
    known = Nested.of(coordinate.attrs.get(_AXIS)) or {}
    if not _is_time(coordinate) or "dtype" in known or not known.get("units"):
        return coordinate
    if "units" not in coordinate.encoding:
        return coordinate
    encoded: Any = cast("Any", conventions).encode_cf_variable(coordinate)
    for name in ("calendar", "_FillValue"):
        encoded.attrs.pop(name, None)
    encoded.attrs["units"] = known["units"]
    return encoded


def _points(axis: Entries, numbers: Any, dim: str) -> Any:
    """Give the points of an axis which a coordinate may still have, or None if it cannot."""
    if axis_type(axis).size_key == "axis":
        given = axis.get("axis")  # None stands for what the coordinate has
        return numbers if given is None else given
    if not axis or axis.get("size", numbers.size) != numbers.size:
        return None
    return axis_points(axis, numbers.size, dim)


def _numbers(values: Any) -> Any:
    """Give the points of an axis for the values of a coordinate, or None where it has none.

    Times are seconds from the first; texts are counted.
    """
    kind = values.dtype.kind
    if kind in "iuf":
        return values
    if kind in "mM" and values.size:
        since = values - values[0] if kind == "M" else values
        return since / _SECOND
    if values.size and _are_dates(values):
        return np.array([(one - values[0]).total_seconds() for one in values])
    is_counted = kind in "SUTbmM" or _are_texts(values)
    return cast("Any", np.arange)(values.size) if is_counted else None


def _as_they_were(values: Any, dtype: Any) -> Any:
    """Give times, texts, truth values and short numbers as a file had them, or None."""
    kind = dtype.lstrip("<>|=")[:1] if isinstance(dtype, str) else None
    if kind == "U" and _are_texts(values):
        values = values.astype(str)
    if kind == "T" and (values.dtype.kind in "UT" or _are_texts(values)):
        return values.astype(np.dtypes.StringDType())
    if kind == "M" and _are_dates(values):
        with suppress(ValueError):  # of a calendar that NumPy does not have
            texts = np.array([one.isoformat() for one in values.flat])
            values = texts.astype("M8[us]").reshape(values.shape)
    if kind != values.dtype.kind:
        return None
    made = _cast(values, dtype)
    return values if made is None and kind in ("S", "U") else made


def _cast(values: Any, dtype: str) -> Any:
    """Give values another dtype, if it holds them, or None."""
    # What somebody wrote may be no dtype.
    with suppress(TypeError, ValueError, OverflowError):
        made = values.astype(dtype)
        if _are_same(made.astype(values.dtype), values):
            return made
    return None


def _is_time(coordinate: Any) -> bool:
    return coordinate.dtype.kind in "mM" or _are_dates(coordinate.values)


def _are_dates(values: Any) -> bool:
    """Tell dates of cftime, as which xarray reads years that are far away."""
    return _are_all(values, lambda one: hasattr(one, "calendar"))


def _are_texts(values: Any) -> bool:
    """Tell an array of Python strings, as older xarray has them."""
    return _are_all(values, lambda one: type(one) is str)


def _are_all(values: Any, is_one: Callable[[Any], bool]) -> bool:
    is_of_objects = not is_lazy(values) and values.dtype.kind == "O"
    return is_of_objects and all(map(is_one, values.flat))


def _are_same(points: Any, numbers: Any) -> bool:
    """Tell whether points are these, NaN and NaT among them."""
    kinds = {np.asarray(points).dtype.kind, numbers.dtype.kind}
    has_nan = len(kinds) == 1 and kinds < {*"fcmM"}
    return np.array_equal(points, numbers, equal_nan=has_nan)


def _agree(points: Any, numbers: Any) -> bool:
    """Tell whether an axis still has the points of the coordinate that it was made from."""
    if not len(numbers):
        return True
    step = float(np.ptp(numbers)) / len(numbers)
    return np.allclose(points, numbers, rtol=0, atol=1e-6 * step, equal_nan=True)


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
