"""The options of the entry points, checked."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import NoneType
from typing import Any, Final, Literal, TypeAlias, TypedDict, cast

from numcodecs import CRC32, Blosc, Shuffle

from ..documents.array_metadata import ArrayMetadata
from ..documents.codecs import codec
from ..documents.limits import LIMITS
from ..documents.storage import Storage, default_compressor
from ..stores.backends import (
    USE_STORE_TYPE,
    StoreType,
    changing,
    is_path,
    located,
    refuse_read_only,
    telling_where,
)
from ..stores.locking import TIMEOUT
from ..values.encoding import Encoder
from ..values.errors import (
    EncodeError,
    check_choices,
    did_you_mean,
    expect,
    expect_several,
    shown,
    taking,
    unlike,
)
from ..values.types import (
    Compressor,
    Edges,
    Entries,
    Unsupported,
    ZarrFormat,
    is_sequence,
)

MODES: Final = ("r", "r+", "a")
_YES_OR_NO: Final = (True, False)
MAYBE: Final = (None, False, True)
Chunks: TypeAlias = Edges | list[int] | int | bool | None
Shards: TypeAlias = Edges | list[int] | bool | None


class ArrayKeywords(TypedDict, total=False):
    """What `file_writer` takes for the creation of arrays, by the names that Zarr has for it."""

    filters: Collection[Any] | None
    order: Literal["C", "F"] | None
    fill_value: Any
    dimension_separator: Literal["/", "."] | None


class ReaderKeywords(TypedDict, total=False):
    """What `file_reader` takes for the opening of a store."""

    mode: Literal["r", "r+", "a"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What the caller of `file_writer` has chosen; making one checks it."""

    chunks: Chunks = None
    compressor: Any = None
    write_dataset: bool = True
    store_type: StoreType | None = None
    show_progressbar: bool = False
    homogenize: bool = True
    unsupported: Unsupported = "raise"
    zarr_format: ZarrFormat = 2
    shards: Shards = None
    sync: bool = True
    checksum: bool | None = None
    mode: Literal["w", "a"] = "w"
    consolidate: bool | None = None
    append_dim: str | int | None = None
    region: Any = None
    safe_chunks: bool = True
    lock: bool = True
    lock_timeout: float = TIMEOUT
    overwrite: bool | None = None
    array_keywords: ArrayKeywords = field(default_factory=ArrayKeywords)
    write_chunks: bool = True
    each: tuple[WriteOptions, ...] = ()
    """Those of each signal, where signals are not stored in one way."""
    kept_in_order: bool = False
    """Whether the signals are those of the old file, in their order, whatever they are called."""
    anew: Collection[int] = ()
    """Numbers of signals whose data is written, though what others have put there is kept."""

    def __post_init__(self) -> None:
        check_choices(
            mode=(self.mode, ("w", "a")),
            write_dataset=(self.write_dataset, _YES_OR_NO),
            consolidate=(self.consolidate, MAYBE),
            checksum=(self.checksum, MAYBE),
            zarr_format=(self.zarr_format, (2, 3)),
            safe_chunks=(self.safe_chunks, _YES_OR_NO),
            homogenize=(self.homogenize, MAYBE),
            sync=(self.sync, MAYBE),
            lock=(self.lock, MAYBE),
        )
        text = (str, NoneType)
        expect(self.store_type, text, "kind of store", "store_type", USE_STORE_TYPE)
        timeout: Any = self.lock_timeout
        with taking("lock_timeout"):
            if not isinstance(timeout, Real) or not float(timeout) >= 0:
                problem = f"{shown(timeout)} is no number of seconds"
                remedy = "use lock=False for no lock"
                raise EncodeError(problem, "lock_timeout", remedy)
        in_place = self.append_dim is not None or self.region is not None
        if self.append_dim is not None and self.region is not None:
            problem = "data is appended, or written into a region, not both"
            raise EncodeError(problem, "region", "leave one of them out")
        either = (Mapping, NoneType)
        remedy = 'use {"y": slice(a, b)}'
        expect(self.region, either, "dictionary", "region", remedy)
        if in_place and not self.write_dataset:
            problem = "without its data there is nothing to write"
            raise EncodeError(problem, "write_dataset", "leave it out")
        self.storage(None)

    @classmethod
    def of(cls, arguments: Entries, **more: Any) -> WriteOptions:
        """Take what is an option from the arguments of an entry point."""
        names = cls.__dataclass_fields__.keys() & arguments.keys()
        chosen = {name: arguments[name] for name in names}
        return cls(**chosen, array_keywords=arguments.get("kwds", {}), **more)

    def located(self, filename: Any, storage_options: Any) -> Any:
        """Find the place for a file; refuse a store for reading, and a kind of file beside one."""
        place = located(filename, storage_options)
        fitting = (None, getattr(place, "kind", None))
        if not is_path(filename) and self.store_type not in fitting:
            problem = (
                "The `store_type` parameter must be None if a zarr store is given"
            )
            raise EncodeError(problem, "filename", "leave it out")
        refuse_read_only(filename)
        return place

    @contextmanager
    def changing(self, place: Any) -> Generator[None]:
        """Keep other writers from a file, but for regions that share no chunk with others."""
        is_free = self.region is not None and self.safe_chunks
        timeout = self.lock_timeout if self.lock else None
        with (
            telling_where(place),
            nullcontext() if is_free else changing(place, timeout),
        ):
            yield

    def encoder(self) -> Encoder:
        """Give what encodes the signals of a file, which has no more nodes than are read again."""
        homogenize, unsupported = self.homogenize, self.unsupported
        return Encoder(homogenize, unsupported, copy=False, most=LIMITS.nodes)

    def storage(self, kind: str | None) -> Storage:
        """Give how arrays are stored in a file of a kind."""
        given = self.array_keywords
        names = ArrayKeywords.__annotations__.keys()
        known = self.__dataclass_fields__.keys() | names
        refuse_options(given.keys() - names, "file_writer", known)
        filters: Any = given.get("filters")
        filters = () if filters is None else filters
        expect_several(filters, "list of codecs", "filters", "use [codec]")
        with taking("filters"):
            filters = tuple(_known_codec(one, "filters") for one in filters)
        order: Any = given.get("order")
        order = "C" if order is None else order
        separator = given.get("dimension_separator")
        fill_value = given.get("fill_value")
        with taking("fill_value"):
            if getattr(fill_value, "ndim", 0):
                raise unlike("number", fill_value, "fill_value", "use a number")
        check_choices(
            order=(order, ("C", "F")),
            dimension_separator=(separator, (None, "/", ".")),
        )
        if self.zarr_format == 3 and (filters or order == "F" or separator == "."):
            problem = "filters, order F and separators are of Zarr format 2"
            raise EncodeError(problem, "zarr_format", "leave them out")
        is_sharded = self.shards is not None and self.shards is not False
        if self.zarr_format == 2 and is_sharded:
            raise EncodeError(
                "shards are of Zarr format 3", "shards", "leave them out"
            )
        return Storage(
            zarr_format=self.zarr_format,
            compressor=_chosen_compressor(self.compressor),
            filters=filters,
            order=order,
            separator=separator or ("/" if kind in (None, "local") else "."),
            fill_value=0 if fill_value is None else fill_value,
            checksum=bool(self.checksum),
        )


def _as_list(signal: Any) -> list[Any]:
    """Give each of some signals; one signal, or what is none, alone."""
    if isinstance(signal, (Mapping, str, bytes)) or hasattr(signal, "shape"):
        return [signal]
    given: object = signal
    return [*signal] if isinstance(given, Iterable) else [signal]


@taking("signal")
def listed_signals(filename: Any, signal: Any) -> list[Entries]:
    """Give the signals that a caller hands over, or say what was handed over instead."""
    signals = _as_list(signal)
    for number, one in enumerate(signals):
        if isinstance(one, Mapping):
            continue
        if is_sequence(signal):
            check_signal(filename, one, f"signal[{number}]")
        check_signal(filename, signal)
    return signals


def check_signal(filename: Any, signal: Any, where: str = "signal") -> None:
    """Refuse what is no signal."""
    remedy = 'give a dictionary: {"data": array, "axes": [...], "metadata": {}}'
    if is_path(signal) and not is_path(filename):
        remedy = "the file comes first, and then the signal"
    expect(signal, Mapping, "signal", where, remedy)


def axis_number(axes: Sequence[Entries], axis: object, where: str) -> int:
    """Give the number of the axis that a caller names.

    Raises
    ------
    EncodeError
        If there is no such axis, or if two have the name.
    """
    names = [one.get("name") for one in axes]
    with taking(where):
        number: Any = axis if isinstance(axis, Integral) else -1
        if type(number) is not bool and number in range(len(axes)):
            return int(number)
        if isinstance(axis, str) and names.count(axis) == 1:
            return names.index(axis)
    known = ", ".join(repr(name) for name in names if isinstance(name, str))
    problem = f"there is no axis {shown(axis)}, or it has no name of its own"
    remedy = f"use one of {known or 'its numbers'}, or a number below {len(axes)}"
    raise EncodeError(problem, where, remedy)


def choice_of(
    metadata: ArrayMetadata | None,
) -> tuple[Compressor | None, list[Compressor], bool]:
    """Tell which compressor, filters and checksum a caller chose for a stored array.

    Where that is not known, they are the default ones.
    """
    if metadata is None or not metadata.native:
        return default_compressor(), [], False
    compressor = metadata.compressor
    filters = [one for one in metadata.filters if one.codec_id != CRC32.codec_id]
    is_checked = len(filters) < len(metadata.filters)
    config: Any = compressor.get_config() if compressor else {}
    names = [one.codec_id for one in filters]
    is_apart = names == [Shuffle.codec_id] and config.get("shuffle") == 0
    if is_checked and is_apart:
        # Blosc does it again: it shuffled after the checksum.
        filters = []
        compressor = Blosc(config["cname"], config["clevel"], 1)
    return compressor, filters, is_checked


@taking("compressor")
def _chosen_compressor(compressor: Any) -> Compressor | None:
    """Give the compressor that the argument stands for (clause 8.2 of the specification)."""
    if compressor is None:
        return default_compressor()
    if isinstance(compressor, str) and compressor == "default":
        return codec({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1})
    if isinstance(compressor, int) and not compressor:
        return None
    return _known_codec(compressor, "compressor")


def _known_codec(one: Any, where: str) -> Compressor:
    """Refuse what is no codec of numcodecs."""
    if isinstance(one, type) or not hasattr(one, "codec_id"):
        problem = f"{shown(one):.100} is no codec of numcodecs"
        raise EncodeError(
            problem, where, 'use numcodecs.Blosc("zstd", 5) or the like'
        )
    return cast("Compressor", one)


def refuse_options(
    keywords: Collection[str], function: str, known: Collection[str]
) -> None:
    """Refuse keywords that a function does not have."""
    for name in keywords:
        remedy = did_you_mean(name, known) or "leave it out"
        raise EncodeError(f"{function} has no such option", name, remedy)
