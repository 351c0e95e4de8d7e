"""Strategies of nodes, and the codecs that several laws go through."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
import pytest
from hypothesis import assume, strategies as st

from zspy import Array, Group
from zspy.documents.dtypes import DTYPE
from zspy.strategies import arrays, dtypes, json_scalars
from zspy.values.names import ENCODING, NAV_SHAPE, RECORD, SHAPES
from zspy.values.ragged import object_array

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from zspy.typing import Node, ZarrFormat


FORMATS: Final[tuple[ZarrFormat, ...]] = (2, 3)


both = pytest.mark.parametrize("zarr_format", FORMATS)


OWN: Final = frozenset({RECORD, ENCODING, NAV_SHAPE, DTYPE, "_ragged_cells"})


RESERVED: Final = frozenset({".", "..", ".zgroup", ".zarray", ".zattrs", "zarr.json"})


FIELDS: Final = "biufcmMSUV"


COMPRESSORS: Final[tuple[Any, ...]] = (
    None,
    *(numcodecs.Blosc(cname, 3, shuffle) for cname in ("lz4", "zstd") for shuffle in (0, 1, 2)),
    *(numcodecs.Zstd(1), numcodecs.LZ4(), numcodecs.GZip(1), numcodecs.Zlib(1), numcodecs.BZ2(1)),
    *(numcodecs.LZMA(), numcodecs.LZMA(3, filters=[{"id": 3, "dist": 4}, {"id": 33, "preset": 1}])),
)


def attributes() -> SearchStrategy[dict[str, Any]]:
    names = st.text(max_size=4).filter(lambda name: name not in OWN)
    texts = st.sampled_from(["NaN", "Infinity", "-Infinity", '"'])
    value = st.recursive(
        json_scalars() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
        max_leaves=4,
    )
    return st.dictionaries(names, value, max_size=3)


@st.composite
def _chunks(draw: DrawFn, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    edges = st.tuples(*(st.integers(1, edge + 2) for edge in shape))
    return draw(st.none() | edges)


@st.composite
def numeric(draw: DrawFn) -> Array:
    data = draw(arrays(dtype=dtypes(kinds=FIELDS), masked=False))
    assume(_storable(data.dtype))
    chunks, shards = draw(_chunks(data.shape)), draw(_chunks(data.shape))
    return Array(data, draw(attributes()), chunks=chunks, shards=shards)


def _storable(dtype: np.dtype[Any]) -> bool:
    """Whether Zarr can describe a dtype: no padding, no empty element."""
    return bool(dtype.itemsize) and not dtype.isalignedstruct and _packed(dtype) == dtype


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.subdtype is not None:
        return np.dtype((_packed(dtype.subdtype[0]), dtype.subdtype[1]))
    fields: Any = dtype.fields
    if fields is None:
        return dtype
    return np.dtype([(name, _packed(fields[name][0])) for name in fields])


@st.composite
def strings(draw: DrawFn) -> Array:
    shape = draw(st.lists(st.integers(0, 3), max_size=3).map(tuple))
    texts = draw(st.lists(st.text(max_size=4), min_size=prod(shape), max_size=prod(shape)))
    data = object_array(texts, shape)
    chunks, shards = draw(_chunks(shape)), draw(_chunks(shape))
    return Array(data, draw(attributes()), "vlen-utf8", chunks, shards)


@st.composite
def _ragged(draw: DrawFn, name: str = "ragged") -> dict[str, Array]:
    """An object array of cells, as `encode` makes it, and as it does not."""
    shape = draw(st.lists(st.integers(0, 3), max_size=2).map(tuple))
    ndim = draw(st.integers(0, 2))
    tail = draw(st.lists(st.integers(0, 2), min_size=ndim, max_size=ndim).map(tuple))
    shapes: list[tuple[int, ...]] = [
        draw(
            st.integers(0, 3).map(lambda edge: (edge, *tail))
            | st.lists(st.integers(0, 2), max_size=3).map(tuple)
        )
        for _ in range(prod(shape))
    ]
    cells: list[Any]
    if draw(st.booleans()):
        item = "msgpack2"
        cells = [
            draw(st.lists(st.text(max_size=3), min_size=n, max_size=n)) for n in map(prod, shapes)
        ]
    else:
        dtype = draw(dtypes(kinds="biufcSU"))
        assume(dtype.itemsize)
        item = dtype.str
        cells = [draw(arrays(dtype=st.just(dtype), shape=s, masked=False)).ravel() for s in shapes]
    chunks = draw(_chunks(shape))
    members = {name: Array(object_array(cells, shape), draw(attributes()), item, chunks)}
    if draw(st.booleans()):
        rows = object_array((np.array(row, np.int64) for row in shapes), shape)
        members[SHAPES + name] = Array(rows, {}, "<i8", chunks)
    return members


@st.composite
def nodes(draw: DrawFn, depth: int = 2) -> Group:
    """Trees of groups and arrays of every kind."""
    names = st.text(min_size=1, max_size=5).filter(
        lambda name: "/" not in name and name not in RESERVED
    )
    members: dict[str, Node] = {}
    for name in draw(st.lists(names, max_size=3, unique=True)):
        kind = draw(st.integers(0, 4 if depth else 3))
        if kind == 4:
            members[name] = draw(nodes(depth - 1))
        elif kind == 3:
            members |= draw(_ragged(name))
        else:
            members[name] = draw(strings() if kind == 2 else numeric())
    return Group(draw(attributes()), members)
