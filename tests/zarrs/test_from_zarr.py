"""What zarr-python writes, zspy reads: the same values, or an error that names what it lacks.

The arrays come from zarr-python's own strategies, and from chains of codecs, shards, orders and
fill values drawn here; some are edited in place afterwards, and chunks of fill values left out.
"""

from __future__ import annotations

import os
from importlib import import_module
from math import prod
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from zarr import codecs as zc
from zarr.storage import MemoryStore

import zspy

# Without their types, which change from release to release.
zarr: Any = import_module("zarr")
theirs: Any = import_module("zarr.testing.strategies")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # zarr-python warns of what others may not read
]
thorough: Final = settings(
    max_examples=int(os.environ.get("ZSPY_EXAMPLES", "20")) * 10,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
GROUP_3: Final = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
DTYPES: Final = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    hnp.byte_string_dtypes(min_len=1, max_len=5),
    hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=5),
)
COMPRESSORS: Final = st.sampled_from(
    [
        (),
        (zc.GzipCodec(level=1),),
        (zc.ZstdCodec(level=1),),
        (zc.ZstdCodec(level=3, checksum=True),),
        (zc.BloscCodec(cname="lz4", shuffle="bitshuffle"),),
        (zc.BloscCodec(cname="zlib", shuffle="noshuffle"),),
        (zc.Crc32cCodec(),),
        (zc.ZstdCodec(level=1), zc.Crc32cCodec()),
        (zc.GzipCodec(level=5), zc.ZstdCodec(level=1)),
    ]
)


STRUCTURED: Final = st.lists(DTYPES, min_size=1, max_size=3).map(
    lambda fields: np.dtype([(f"f{number}", field) for number, field in enumerate(fields)])
)
TEXTS: Final = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
SHAPES: Final = hnp.array_shapes(min_dims=0, max_dims=3, max_side=6)


@st.composite
def some_values(draw: st.DrawFn) -> Any:
    """Numbers, text, times, records."""
    shape = draw(SHAPES)
    if draw(st.integers(0, 5)) == 0:
        texts = draw(st.lists(TEXTS, min_size=prod(shape), max_size=prod(shape)))
        return np.array(texts, np.dtypes.StringDType()).reshape(shape)
    return draw(hnp.arrays(draw(DTYPES | STRUCTURED), shape))


@st.composite
def arrays_of_format_3(draw: st.DrawFn) -> Any:
    """An array with a chain of codecs, perhaps in shards, of which part is written."""
    values = draw(some_values())
    dtype = values.dtype
    inner = tuple(draw(st.integers(1, size)) for size in values.shape)
    options: dict[str, Any] = {"chunks": inner, "compressors": draw(COMPRESSORS)}
    if draw(st.booleans()):
        options["shards"] = tuple(edge * draw(st.integers(1, 3)) for edge in inner)
    if draw(st.booleans()):
        options["filters"] = [zc.TransposeCodec(order=draw(st.permutations(range(values.ndim))))]
    if dtype.kind in "iufc" and draw(st.booleans()):
        options["serializer"] = zc.BytesCodec(endian=draw(st.sampled_from(["little", "big"])))
    if draw(st.booleans()):
        options["chunk_key_encoding"] = {"name": "v2", "separator": draw(st.sampled_from("./"))}
    return written(draw, values, zarr_format=3, **options)


@st.composite
def arrays_of_format_2(draw: st.DrawFn) -> Any:
    """An array with an order, a separator, a compressor and filters of numcodecs."""
    numcodecs: Any = import_module("numcodecs")
    values = draw(some_values())
    dtype = values.dtype
    makers = ("Blosc", "Zlib", "BZ2", "LZMA", "Zstd", "LZ4", "GZip")
    compressor = draw(st.sampled_from([None, *(getattr(numcodecs, name)() for name in makers)]))
    filters: list[Any] = []
    if dtype.kind in "iu" and draw(st.booleans()):
        filters = [numcodecs.Delta(dtype=dtype)]
    if draw(st.booleans()):
        filters.append(numcodecs.Shuffle(dtype.itemsize))
    return written(
        draw,
        values,
        zarr_format=2,
        chunks=tuple(draw(st.integers(1, size)) for size in values.shape),
        compressors=compressor,
        filters=filters or None,
        order=draw(st.sampled_from("CF")),
        chunk_key_encoding={"name": "v2", "separator": draw(st.sampled_from("./"))},
    )


def written(draw: st.DrawFn, values: Any, **options: Any) -> Any:
    """Write values, all or a part of them, and perhaps write over them."""
    fill = None
    if values.dtype.kind == "T":
        fill = draw(st.none() | TEXTS)
    elif values.dtype.kind != "V":
        fill = draw(st.none() | hnp.from_dtype(values.dtype))
    with zarr.config.set({"array.write_empty_chunks": draw(st.booleans())}):
        try:
            array = zarr.create_array(
                MemoryStore(),
                name="a/b",
                shape=values.shape,
                dtype=values.dtype,
                fill_value=fill,
                **options,
            )
            # zarr-python 3.1 does not read records where a shard lacks chunks.
            is_whole = values.dtype.kind == "V" and "shards" in options
            if is_whole or draw(st.booleans()):
                array[...] = values
        except (ValueError, TypeError, IndexError, NotImplementedError, OverflowError):
            assume(False)
        return edited(draw, array, values)


def edited(draw: st.DrawFn, array: Any, values: Any) -> Any:
    """Write a part of an array over."""
    for _ in range(draw(st.integers(0, 2)) if values.ndim else 0):
        box = draw(hnp.basic_indices(values.shape, allow_newaxis=False, allow_ellipsis=False))
        steps = [
            one for one in (box if isinstance(box, tuple) else (box,)) if isinstance(one, slice)
        ]
        assume(all((one.step or 1) > 0 for one in steps))
        filled = array.fill_value is not None and draw(st.booleans())
        array[box] = array.fill_value if filled else values[box]
    return array


def read(array: Any) -> Any:
    """Read an array with zspy; None where it is not supported."""
    group = {2: (".zgroup", b'{"zarr_format": 2}'), 3: ("zarr.json", GROUP_3)}
    documents = dict([group[array.metadata.zarr_format]])
    top = array.path.partition("/")[0]
    for key, value in array.store._store_dict.items():
        documents[key if top else f"a/{key}"] = value.to_bytes()
    try:
        node: Any = zspy.open_group(documents)
        for name in array.path.split("/") if top else ["a"]:
            node = node.members[name]
        return np.asarray(node.data)
    except zspy.ZspyError as error:
        if "support" not in str(error):
            raise
        event(f"not supported: {str(error).partition(':')[2][:60]}")
        return None


def check(array: Any) -> None:
    """Compare what both read."""
    stored: Any = zarr.open_array(array.store, path=array.path)
    expected = np.asarray(stored[...], stored.dtype)  # of no dimension it is a scalar
    found = read(array)
    if found is None:
        return
    assert found.shape == expected.shape
    if expected.dtype.kind in "OT":
        assert found.tolist() == expected.tolist()
        return
    assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    native = expected.dtype.newbyteorder("=")
    if native.kind in "SU":
        assert found.tolist() == expected.tolist()
    else:
        assert found.astype(native).tobytes() == expected.astype(native).tobytes()


@given(arrays_of_format_3())
@thorough
def test_format_3_is_read_as_zarr_python_reads_it(array: Any) -> None:
    check(array)


@given(arrays_of_format_2())
@thorough
def test_format_2_is_read_as_zarr_python_reads_it(array: Any) -> None:
    check(array)


@given(theirs.arrays(), st.data())
@thorough
def test_arrays_of_their_own_strategies_are_read(array: Any, data: st.DataObject) -> None:
    check(array)
    if array.fill_value is not None and data.draw(st.booleans()):
        array[...] = array.fill_value
        check(array)


for _name in ("sharded_arrays", "rectilinear_arrays"):  # newer releases have them
    if hasattr(theirs, _name):

        @given(getattr(theirs, _name)())
        @thorough
        def _test(array: Any) -> None:
            with zarr.config.set({"array.rectilinear_chunks": True}):
                check(array)

        globals()[f"test_{_name}_of_their_own_strategies_are_read"] = _test
