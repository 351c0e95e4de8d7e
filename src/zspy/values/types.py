"""The public types, and how to tell what a value is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    Required,
    TypeAlias,
    TypedDict,
    TypeGuard,
)

import numpy as np

if TYPE_CHECKING:
    from .nodes import Array, Group


JSON: TypeAlias = "None | bool | int | float | str | list[JSON] | dict[str, JSON]"
"""What an attribute of a Zarr node can be."""
JSONObject: TypeAlias = dict[str, Any]
"""An object of JSON: a document of Zarr, or a part of one."""
Value: TypeAlias = Any
"""Any Python object that zspy stores: the table in the README lists them."""
Node: TypeAlias = "Group | Array"
"""A node of a Zarr hierarchy, in memory."""
Pieces: TypeAlias = list[bytes]
"""An encoded chunk, of which the pieces lie one behind the other."""
Documents: TypeAlias = Mapping[str, bytes]
"""What a store holds: Zarr keys (``a/b/.zarray``, ``a/b/0.0``) and their bytes."""
Entries: TypeAlias = Mapping[str, Any]
"""A dictionary of which the keys are str: a signal, an axis, attributes."""
Edges: TypeAlias = tuple[int, ...]
"""The sizes of an array, of a chunk, of a block, along each dimension."""
DType: TypeAlias = np.dtype[Any]
NumPyArray: TypeAlias = np.ndarray[Any, Any]
Unsupported: TypeAlias = Literal["raise", "skip", "drop"]
"""What becomes of a value that zspy does not store."""
ZarrFormat: TypeAlias = Literal[2, 3]


class Lowered(NamedTuple):
    """A value in plain form. Where it is a list, its content is not homogenized."""

    plain: Value
    spec: list[JSON]


class ValueType(NamedTuple):
    """How values of one type are stored, and made again."""

    kind: Any
    """The class; None in the table of those of other modules, which are told by their names."""
    takes: tuple[type, ...]
    """The types of plain forms, which is all that `restore` is given."""
    lower: Callable[[Any], Value]
    """Give the plain form, or as a `Lowered` with the record.

    None says that the value is stored as it is, or not at all: the encoder tells which.
    """
    restore: Callable[..., Value]

    def lowered(self, value: Any, tag: str) -> Lowered | None:
        """Give the plain form of a value, with the record; None where `lower` gives None."""
        plain = self.lower(value)
        if plain is None or isinstance(plain, Lowered):
            return plain
        return Lowered(plain, [tag])


class ArrayLike(Protocol):
    """What zspy asks of an array: NumPy's and dask's have it."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    def __getitem__(
        self,
        key: Any,
        /,
    ) -> Any: ...


def is_lazy(value: object) -> bool:
    """Tell a dask array, without importing dask.

    >>> is_lazy([1, 2])
    False
    """
    if isinstance(value, np.ndarray):
        return False
    return any(
        str(kind.__module__).startswith("dask.array")
        for kind in type(value).__mro__
    )


def is_array(value: object) -> TypeGuard[NumPyArray]:
    """Tell a NumPy array."""
    return isinstance(value, np.ndarray)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Tell a dictionary."""
    return isinstance(value, dict)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell a mapping."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Tell a list or a tuple."""
    return isinstance(value, (list, tuple))


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Tell a tuple."""
    return isinstance(value, tuple)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell a list."""
    return isinstance(value, list)


class Compressor(Protocol):
    """What zspy asks of a compressor: every numcodecs codec has it."""

    codec_id: Any

    def encode(
        self,
        buf: Any,
        /,
    ) -> Any: ...
    def decode(
        self,
        buf: Any,
        out: Any = None,
        /,
    ) -> Any: ...
    def get_config(self) -> dict[str, Any]: ...


class Place(NamedTuple):
    """A place in a tree of values, as `zspy.unsupported` reports it."""

    location: str
    """Where: ``metadata.General.title``."""
    type: str
    """The type that stands there, with its module."""
    reason: str
    """Why it cannot be stored as it is, and what to do."""
    narrowed: bool
    """True where it is stored, as its plain base type; False where it is refused."""


class Axis(TypedDict, total=False):
    """One axis of a signal. Axes stand in the order of the array's dimensions.

    Keys
    ----
    _type : str, by default told by the other keys
        ``"UniformDataAxis"``, ``"DataAxis"`` (with `axis`) or ``"FunctionalDataAxis"`` (with
        `expression`). Another type needs `axis`, and is a DataAxis for HyperSpy.
    name, units : str or None, default None
    navigate : bool
        Whether it is a navigation axis. Where no axis says so, HyperSpy infers it.
    is_binned : bool, default False
    index_in_array : int
        Given by `file_reader`; the writer goes by the order of the axes, as HyperSpy does.
    size : int, by default that of the dimension
    scale, offset : float, default 1.0 and 0.0
        Of a UniformDataAxis.
    axis : vector
        The points of a DataAxis.
    expression : str
        Of a FunctionalDataAxis, in `x` and parameters, each of which is a key of its own.
    x : Axis
        The axis that a FunctionalDataAxis is a function of.
    """

    _type: str
    name: str | None
    units: str | None
    navigate: bool
    is_binned: bool
    index_in_array: int
    size: int
    scale: float
    offset: float
    axis: Any
    expression: str
    x: Axis


class Signal(TypedDict, total=False):
    """A signal: an array with its axes and metadata, as `file_writer` takes it.

    `data`, `axes` and `metadata` are needed; all else is empty by default. Another key is an error,
    but for `mapping` and `post_process`, which file readers add for HyperSpy.

    Keys
    ----
    data : array
        NumPy or dask, of any shape and dtype; dtype object for a ragged signal.
    axes : list of Axis
        One for each dimension, or none at all.
    metadata, original_metadata : dict
        Trees of any values that zspy stores.
    attributes : dict
        ``_lazy`` and ``ragged``, and where a reader made it, `learning_results`.
    models : dict
        Models by name.
    package, package_version : str, or package_info : dict
        What made the signal.
    learning_results : dict
        Results of decompositions.
    tmp_parameters : dict
        Stored only for a signal inside metadata.
    """

    data: Required[Any]
    axes: Required[list[Axis]]
    metadata: Required[dict[str, Any]]
    original_metadata: dict[str, Any]
    attributes: dict[str, Any]
    models: dict[str, Any]
    package: str
    package_version: str
    package_info: dict[str, str]
    learning_results: dict[str, Any]
    tmp_parameters: dict[str, Any]


class LoadedSignal(TypedDict):
    """A signal as `file_reader` returns it; its learning results are among the `attributes`."""

    data: Any
    axes: list[Axis]
    metadata: dict[str, Any]
    original_metadata: dict[str, Any]
    attributes: dict[str, Any]
    models: dict[str, Any]
    package: str
    package_version: str
