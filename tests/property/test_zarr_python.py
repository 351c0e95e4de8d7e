"""Zarr-python reads what zspy writes, and zspy what zarr-python writes.

Of every dtype, with every compressor, filter, order, separator and fill value, in both formats.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
import zarr
from hypothesis import assume, given, strategies as st
from zarr import codecs as codecs3
from zarr.core.buffer import default_buffer_prototype
from zarr.dtype import VariableLengthBytes, VariableLengthUTF8
from zarr.storage import MemoryStore

from tests.support.nodes import COMPRESSORS, attributes as some_attributes, both, numeric, strings
from zspy import Array, Group, deserialise, serialise
from zspy.documents.dtypes import from_core
from zspy.strategies import arrays
from zspy.values.names import RECORD
from zspy.values.ragged import object_array

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from zspy.typing import JSON, ZarrFormat


AnyArray = np.ndarray[Any, Any]


ZARR: Final[Any] = zarr  # its signatures are known in part only


def _store(documents: Mapping[str, bytes]) -> MemoryStore:
    buffer = default_buffer_prototype().buffer
    return MemoryStore({key: buffer.from_bytes(data) for key, data in documents.items()})


def _documents(store: MemoryStore) -> dict[str, bytes]:
    return {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}


def _same(found: AnyArray, wanted: AnyArray) -> bool:
    return Array(found) == Array(wanted)


def _zarr_knows(dtype: np.dtype[Any]) -> bool:
    """Whether every zarr-python reads it.

    Not extended precision, times without a unit, and fields that are arrays or structures.
    """
    if dtype.names is not None:
        inner = [dtype[name] for name in dtype.names]
        return all(field.names is None and _zarr_knows(field) for field in inner)
    if dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
        return False
    return dtype.char not in "gG" and dtype.subdtype is None


@both
@given(array=numeric())
def test_zarr_python_reads_arrays_that_zspy_writes(zarr_format: ZarrFormat, array: Array) -> None:
    data: Any = array.data
    assume(_zarr_knows(data.dtype))
    store = _store(dict(serialise(Group({}, {"x": array}), zarr_format=zarr_format)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of data types that format 3 does not specify yet
        found: Any = ZARR.open_array(store, path="x", mode="r")[...]
    # a scalar of no dimensions has forgotten the size of its dtype
    whole = np.asarray(found) if zarr_format == 3 else np.asarray(found, data.dtype)
    assert _same(from_core(whole, data.dtype), data)


@both
@given(array=strings())
def test_zarr_python_reads_strings_that_zspy_writes(zarr_format: ZarrFormat, array: Array) -> None:
    store = _store(dict(serialise(Group({}, {"x": array}), zarr_format=zarr_format)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = ZARR.open_array(store, path="x", mode="r")[...]
    wanted: list[str] = np.asarray(array.data).ravel().tolist()
    if isinstance(found, str):  # of no dimensions: zarr-python 3.1 drops NULs at the end
        assert str.__str__(found).rstrip("\0") == wanted[0].rstrip("\0")
    else:
        assert [*map(str.__str__, np.asarray(found, object).ravel().tolist())] == wanted


@both
@given(attributes=some_attributes())
def test_zarr_python_reads_groups_that_zspy_writes(
    zarr_format: ZarrFormat, attributes: dict[str, JSON]
) -> None:
    store = _store(dict(serialise(Group(attributes), zarr_format=zarr_format)))
    found = ZARR.open_group(store, mode="r", use_consolidated=False).attrs.asdict()
    assert set(found) - {RECORD} == set(attributes)


_ZARR_DTYPES: Final[tuple[Any, ...]] = (
    *([("a", "<f4"), ("b", "S3")], [("a", "u1"), ("b", "<U2")]),
    *("bool", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", ">u8", "<f2", ">f4", "<f8"),
    *("<c8", ">c16", "<U3", "S3", "V3", "<M8[ns]", "<m8[10us]", "S1"),
)


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    return a + b


def _filters(dtype: np.dtype[Any]) -> SearchStrategy[list[Any]]:
    """Chains of filters, some of which lose what the values hold."""
    own: list[Any] = [numcodecs.Shuffle(dtype.itemsize)]
    if dtype.kind in "iu":
        own += [numcodecs.Delta(dtype), numcodecs.AsType(dtype.newbyteorder(), dtype)]
        own += [numcodecs.FixedScaleOffset(0, 1, dtype)] if dtype.itemsize < 4 else []
    elif dtype.kind == "b":
        own += [numcodecs.PackBits(), numcodecs.AsType("<f8", "|b1")]
    elif dtype.kind == "f":
        own += [numcodecs.BitRound(4)] if dtype.isnative else []
        own += [numcodecs.AsType("<f8", dtype), numcodecs.Delta(dtype)]
    checks: list[Any] = [
        numcodecs.CRC32(),
        numcodecs.CRC32("end"),
        numcodecs.CRC32C(),
        numcodecs.Adler32(),
    ]
    checks += [numcodecs.Fletcher32(), numcodecs.JenkinsLookup3(), numcodecs.Zlib(1)]
    checks += [numcodecs.Shuffle(1), numcodecs.Blosc()]
    chains = st.lists(st.sampled_from(checks), max_size=3)
    return st.builds(_joined, st.lists(st.sampled_from(own), max_size=1), chains)


@st.composite
def _stored(draw: DrawFn, zarr_format: ZarrFormat) -> tuple[AnyArray, Any, dict[str, Any]]:
    """Values, some of which are the fill value in chunks that are not stored, and options."""
    dtype = np.dtype(draw(st.sampled_from(_ZARR_DTYPES)))
    shape = draw(st.lists(st.integers(0, 5), max_size=3).map(tuple))
    data = draw(arrays(dtype=st.just(dtype), shape=shape, masked=False))
    chunks = tuple(draw(st.integers(1, edge + 1)) for edge in shape)
    fill = draw(arrays(dtype=st.just(dtype), shape=(), masked=False))[()]
    options: dict[str, Any] = {"chunks": chunks, "fill_value": fill}
    if zarr_format == 2:
        options["compressors"] = draw(st.sampled_from(COMPRESSORS))
        options["filters"] = draw(_filters(dtype)) or None
        options["order"] = draw(st.sampled_from("CF"))
        separator = draw(st.sampled_from("./"))
        options["chunk_key_encoding"] = {"name": "v2", "separator": separator}
        return data, dtype, options
    codecs: list[Any] = draw(
        st.lists(
            st.sampled_from([codecs3.BloscCodec(), codecs3.ZstdCodec(), codecs3.GzipCodec()]),
            max_size=1,
        )
    )
    codecs += draw(st.sampled_from([[], [codecs3.Crc32cCodec()]]))
    options["compressors"] = codecs or None
    endian: Any = draw(st.sampled_from(["little", "big"]))
    options["serializer"] = codecs3.BytesCodec(endian=endian)
    separator = draw(st.sampled_from("./"))
    options["chunk_key_encoding"] = {"name": "default", "separator": separator}
    return data, dtype, options


@both
@given(random=st.data())
def test_zspy_reads_arrays_that_zarr_python_writes(
    zarr_format: ZarrFormat, random: st.DataObject
) -> None:
    data, dtype, options = random.draw(_stored(zarr_format))
    store = MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = ZARR.create_array(
            store, name="x", shape=data.shape, dtype=dtype, zarr_format=zarr_format, **options
        )
        rows = slice(random.draw(st.integers(0, len(data)))) if data.ndim else ...
        written[rows] = data[rows]
        # opened again, for JSON has but one NaN for a fill value of any bits
        wanted = np.asarray(ZARR.open_array(store, path="x", mode="r")[...], dtype)
    documents = {**dict(serialise(Group(), zarr_format=zarr_format)), **_documents(store)}
    node: Any = deserialise(documents)
    found: Any = node.members["x"].data
    assert found.dtype == (dtype if zarr_format == 2 else dtype.newbyteorder("="))
    assert _same(found, wanted.astype(found.dtype))


@both
@given(array=strings(), texts=st.booleans())
def test_zspy_reads_strings_that_zarr_python_writes(
    zarr_format: ZarrFormat, array: Array, texts: bool
) -> None:
    data: Any = array.data
    if not texts:
        assume(data.ndim)  # zarr-python does not write bytes without dimensions
        data = object_array((text.encode() for text in data.ravel().tolist()), data.shape)
    store = MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = VariableLengthUTF8() if texts else VariableLengthBytes()
        written = ZARR.create_array(
            store,
            name="x",
            shape=data.shape,
            dtype=kind,
            zarr_format=zarr_format,
            chunks=array.chunks or tuple(max(edge, 1) for edge in data.shape),
        )
        written[...] = data
    documents = {**dict(serialise(Group(), zarr_format=zarr_format)), **_documents(store)}
    found: Any = deserialise(documents)
    cells = "vlen-utf8" if texts else "vlen-bytes"
    assert found.members["x"] == Array(data, cells=cells)
