"""``read(write(s)) == s``, in every kind of place, eager and lazy."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st

import zspy
from tests.support.places import IN_MEMORY, place_of
from zspy.files import chunking as files_chunking
from zspy.stores.backends import STORE_TYPES
from zspy.strategies import first_difference, json_scalars, signals, trees
from zspy.typing import ZarrFormat, is_dict, is_lazy

KINDS: Final = ("local", *STORE_TYPES, *IN_MEMORY)
FORMATS: Final[tuple[ZarrFormat, ...]] = (2, 3)


@contextmanager
def new_place(kind: str) -> Generator[tuple[Any, dict[str, Any]]]:
    """Give a place of some kind for a block, and what `file_writer` is told of it."""
    with tempfile.TemporaryDirectory() as folder:
        yield place_of(kind, Path(folder) / "scan.zspy")


def computed(value: Any) -> Any:
    """Replace the lazy arrays of a tree by what they hold."""
    if is_lazy(value):
        return value.compute()
    if is_dict(value):
        return type(value)((key, computed(one)) for key, one in value.items())
    if type(value) in (list, tuple):
        return type(value)(map(computed, value))
    return value


def normal(signal: Any) -> dict[str, Any]:
    """Bring a signal into the form in which what is read can be compared with what was written.

    Reading gives the keys of a signal, and of its axes, in an order of its own; and it says
    whether it was lazy.
    """
    plain = computed(signal)
    plain["attributes"]["_lazy"] = False
    plain["axes"] = [dict(sorted(axis.items())) for axis in plain["axes"]]
    return dict(sorted(plain.items()))


def assert_the_same(found: Any, wanted: Any) -> None:
    difference = first_difference(normal(found), normal(wanted))
    assert difference is None, difference


def check(signal: Any, kind: str, zarr_format: ZarrFormat, lazy: bool, given: Any = None) -> None:
    """Write a signal, or what is `given` in its place, and read it."""
    options: dict[str, Any] = {"homogenize": False, "zarr_format": zarr_format}
    options |= {"sync": False, "show_progressbar": False}
    with new_place(kind) as (place, more), new_place("dict") as (other, _):
        zspy.file_writer(place, given or signal, **options, **more)
        (found,) = zspy.file_reader(place, lazy=lazy)
        assert found["attributes"]["_lazy"] is lazy
        assert_the_same(found, signal)
        # What is read is written again, to another place and over itself.
        (found,) = zspy.file_reader(place, lazy=lazy)
        zspy.file_writer(other, found, **options)
        if not (kind == "memory" and lazy):  # which is refused
            zspy.file_writer(place, found, **options, **more)
        for written in (other, place):
            (again,) = zspy.file_reader(written)
            assert_the_same(again, signal)
        # And its data stay where they are when all else is replaced.
        zspy.file_writer(place, signal | {"metadata": {}}, **options, write_dataset=False)
        (again,) = zspy.file_reader(place)
        assert_the_same(again, signal | {"metadata": {}})


kinds = pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])


@kinds
@given(signals(), st.sampled_from(KINDS), st.sampled_from(FORMATS))
def test_what_is_written_is_read(
    lazy: bool, signal: Any, kind: str, zarr_format: ZarrFormat
) -> None:
    check(signal, kind, zarr_format, lazy)


@kinds
@given(signals(), st.sampled_from(FORMATS))
def test_large_arrays_are_read_as_they_were_written(
    lazy: bool, signal: Any, zarr_format: ZarrFormat
) -> None:
    """Every array takes the way of the large ones: chunks in threads, and lazily dask."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(files_chunking, "LARGE", 0)
        check(signal, "dict", zarr_format, lazy)


@kinds
@given(signals(), st.sampled_from(FORMATS))
def test_dask_arrays_are_written(lazy: bool, signal: Any, zarr_format: ZarrFormat) -> None:
    from dask import array as da

    data = signal["data"]
    given = signal
    if data.size and (data.ndim or type(data) is np.ndarray):  # dask has no masked scalars
        # dask finds no meta of an object array whose only cell is masked
        meta = np.empty_like(data, shape=(0,) * data.ndim)
        lazily = cast("Any", da).from_array(data, chunks=2, name=False, meta=meta)
        given = signal | {"data": lazily}
    # not with what dask computes: it makes a number of its own of a default fill value
    check(signal, "dict", zarr_format, lazy, given)


@st.composite
def corrections(draw: st.DrawFn) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """A tree, and the same with one entry that is another one, is new, or is gone."""
    tree = draw(trees(max_depth=3))
    corrected = here = copy.deepcopy(tree)
    for _ in range(draw(st.integers(0, 3))):
        below: list[dict[Any, Any]] = [one for one in here.values() if type(one) is dict]
        if below:
            here = draw(st.sampled_from(below))
    key = draw(st.sampled_from([*here, "new"]))
    if key in here and draw(st.booleans()):
        del here[key]
    else:
        here[key] = draw(json_scalars() | trees(max_depth=1))
    return tree, corrected


@pytest.mark.parametrize("zarr_format", FORMATS)
@given(pair=corrections())
def test_a_directory_that_is_updated_has_the_documents_of_a_new_file(
    zarr_format: ZarrFormat, pair: tuple[dict[Any, Any], dict[Any, Any]]
) -> None:
    """However little is replaced, it has what a mapping has, of which all is replaced."""
    options: dict[str, Any] = {"zarr_format": zarr_format, "consolidate": False, "sync": False}
    with new_place("local") as (path, _), new_place("dict") as (documents, _):
        for place in (path, documents):
            for number, metadata in enumerate(pair):
                signal = {"data": np.arange(3), "axes": [{"size": 3}], "metadata": metadata}
                zspy.file_writer(place, signal, write_dataset=not number, **options)
        files = {
            one.relative_to(path).as_posix(): one.read_bytes()
            for one in path.rglob("*")
            if one.is_file()
        }
        assert files == documents
