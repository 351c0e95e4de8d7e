"""Blocks of dask arrays brought to the borders of chunks: shared tasks, and bounded memory."""

from __future__ import annotations

import errno
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st

import zspy
from zspy.files import rechunking, write_arrays

from .test_growth import QUIET, read, scan, signal_of

AnyArray = np.ndarray[Any, Any]
sizes = st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any)


def take_two_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an array of a few hundred bytes be one that takes two passes."""
    monkeypatch.setattr(rechunking, "_BLOCK", 100)
    monkeypatch.setattr(rechunking, "_MAPPED", 100)


def from_array(data: AnyArray, chunks: Any) -> Any:
    from dask import array as da

    return cast("Any", da).from_array(data, chunks=chunks)


@given(sizes, st.integers(1, 9))
def test_each_block_goes_into_one_other(lengths: list[int], edge: int) -> None:
    (found,) = rechunking.common_blocks((tuple(lengths),), (edge,))
    ends = np.cumsum(found).tolist()
    assert ends[-1] == sum(lengths)
    assert set(ends) <= set(np.cumsum(lengths).tolist())
    assert all(end % edge == 0 for end in ends[:-1])
    assert 0 not in found


@pytest.mark.parametrize("kind", ["local", "zip"])
@pytest.mark.parametrize(
    ("blocks", "chunks"),
    [
        (((4, 8, 8, 4), (15,), (8,)), (3, 4, 5)),
        (((24,), (5, 7, 3), (2, 6)), (1, 15, 8)),
        ((4, 3, 2), (6, 15, 8)),
        (((0, 24), (15, 0), (8,)), (5, 4, 3)),
    ],
)
def test_an_array_that_takes_two_passes_is_the_same(
    blocks: Any, chunks: Any, kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_two_passes(monkeypatch)
    data = scan(24, 15, 8)
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(from_array(data, blocks)), chunks, store_type=kind, **QUIET)
    assert np.array_equal(read(path)["data"], data)
    assert zspy.check(path, data=True) == []
    if kind == "local":
        assert not list(path.rglob(".zspy*"))


def test_few_rows_of_what_is_spilled_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies between the parts of a row may count as memory too, as of large pages."""
    monkeypatch.setattr(rechunking, "_MAPPED", 3 * 15 * 8 * 2)
    data = scan(24, 15, 8)
    path = tmp_path / "spilled"
    path.write_bytes(bytes(data.nbytes))
    spilled = rechunking._Spilled(str(path), data.shape, data.dtype)
    rows: list[int] = []
    file = rechunking._Spilled._file

    class Mapped:
        def __init__(self, mode: str) -> None:
            self.array: AnyArray = file(spilled, mode)

        def __getitem__(self, place: Any) -> AnyArray:
            rows.append(place[0].stop - place[0].start)
            part: AnyArray = self.array[place]
            return part

    def mapped(_: object, mode: str) -> Mapped:
        return Mapped(mode)

    monkeypatch.setattr(rechunking._Spilled, "_file", mapped)
    for place in ((slice(0, 11), slice(0, 15), slice(2, 8)), (slice(11, 24), slice(4), slice(8))):
        full = tuple(
            slice(*part.indices(size)) for part, size in zip(place, data.shape, strict=True)
        )
        spilled.write(data[full], full)
        assert np.array_equal(spilled[full], data[full])
    assert max(rows) == 3


def test_what_two_passes_need_lies_beside_a_file_that_changes_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process leaves nothing in the file, and what it leaves beside it is removed."""
    take_two_passes(monkeypatch)
    data = scan(24, 15, 8)
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(data), (5, 4, 3), **QUIET)
    before = {*path.rglob("*")}
    seen: list[str] = []

    def look(block: Any) -> Any:
        assert {*path.rglob("*")} == before
        seen.extend(sorted(os.listdir(tmp_path)))
        return block

    lazy = from_array(data[::-1], (8, 15, 3)).map_blocks(look, meta=np.empty((0,) * 3, data.dtype))
    zspy.file_writer(path, signal_of(lazy), region={}, **QUIET)
    assert np.array_equal(read(path)["data"], data[::-1])
    assert any(name.startswith(".scan.zspy.zspy-new-") for name in seen)
    assert os.listdir(tmp_path) == [path.name]


def test_a_full_disk_is_an_error_before_a_file_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is mapped beyond the end of a disk kills the process."""
    take_two_passes(monkeypatch)
    path = tmp_path / "scan.zspy"
    zspy.file_writer(path, signal_of(scan(2, 3)), **QUIET)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    lazy = signal_of(from_array(scan(24, 15, 8), (8, 15, 3)))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        zspy.file_writer(path, lazy, (5, 4, 3), **QUIET)
    assert os.listdir(tmp_path) == [path.name]
    assert np.array_equal(read(path)["data"], scan(2, 3))


@pytest.mark.parametrize("error", [AttributeError(), OSError(errno.EOPNOTSUPP, "no such call")])
def test_a_disk_that_keeps_no_place_holds_a_file_all_the_same(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_two_passes(monkeypatch)

    def none(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "posix_fallocate", none, raising=False)
    path = tmp_path / "scan.zspy"
    data = scan(24, 15, 8)
    zspy.file_writer(path, signal_of(from_array(data, (8, 15, 3))), (5, 4, 3), **QUIET)
    assert np.array_equal(read(path)["data"], data)


def test_tasks_of_other_processes_take_two_passes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    take_two_passes(monkeypatch)
    data = scan(24, 15, 8)
    path = tmp_path / "scan.zspy"
    with cast("Any", dask).config.set(scheduler="processes", num_workers=2):
        signal = signal_of(from_array(data, (8, 15, 3)))
        zspy.file_writer(path, signal, (5, 4, 3), store_type="zip", **QUIET)
    assert np.array_equal(read(path)["data"], data)


@pytest.mark.parametrize(
    ("blocks", "chunks", "expected"),
    [
        ((4, 30), (4, 30), ((4,) * 6, (30,))),
        ((4, 10), (8, 5), ((8,) * 3, (10,) * 3)),
        ((6, 30), (4, 30), ((12, 12), (30,))),
    ],
)
def test_blocks_of_a_large_array_are_joined(blocks: Any, chunks: Any, expected: Any) -> None:
    before, found = rechunking.rechunked(from_array(scan(24, 30), blocks), chunks, "")
    assert not before
    assert found.chunks == expected


@pytest.mark.parametrize("chunks", [None, 5], ids=["one pass", "two passes"])
def test_a_task_that_signals_share_is_done_once(
    chunks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal, its navigator, its sum, and a function of it: each block is computed once."""
    take_two_passes(monkeypatch)
    count: Counter[Any] = Counter()

    def counted(block: AnyArray, block_id: Any = None) -> AnyArray:
        count[block_id] += 1
        return block * 2

    data = scan(32, 16, 8)
    lazy = from_array(data, (8, 16, 2)).map_blocks(
        counted, dtype="u2", meta=np.empty((0, 0, 0), "u2")
    )
    count.clear()
    navigator: dict[str, Any] = {"data": lazy.sum(axis=2), "axes": [{}, {}], "metadata": {}}
    signal = signal_of(lazy, "a", _HyperSpy={"_sig_navigator": navigator})
    total, more = signal_of(lazy.sum(axis=0), "b"), signal_of(lazy + 1, "c")
    place: dict[str, bytes] = {}
    zspy.file_writer(place, [signal, total, more], chunks, **QUIET)
    assert set(count.values()) == {1}
    assert len(count) == prod(lazy.numblocks)
    found = zspy.file_reader(place)
    assert np.array_equal(found[0]["data"], data * 2)
    assert np.array_equal(found[1]["data"], (data * 2).sum(axis=0))
    assert np.array_equal(found[2]["data"], data * 2 + 1)


def test_a_write_leaves_the_configuration_of_dask_to_others() -> None:
    """All threads share it: one that ended would take its pool of threads from another one."""
    config: Any = pytest.importorskip("dask").config
    found: list[Any] = []

    def look(block: AnyArray) -> AnyArray:
        found.append(config.get("pool", None))
        return block

    lazy = from_array(scan(4, 6), 2).map_blocks(look, dtype="u2")
    zspy.file_writer({}, signal_of(lazy), **QUIET)
    assert {*found} == {None}


def test_few_blocks_are_in_memory_that_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many threads as have memory for what blocks become, and not for what they were."""
    workers: list[int] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, number: int) -> None:
            workers.append(number)
            super().__init__(number)

    monkeypatch.setattr(write_arrays, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(write_arrays, "CHUNKS_IN_MEMORY", 4 * 6 * 8 * 2)
    lazy = from_array(scan(12, 8), (1, 8))
    with pytest.importorskip("dask").config.set(num_workers=3):
        zspy.file_writer({}, signal_of(lazy), (6, 8), **QUIET)
        zspy.file_writer({}, signal_of(lazy), (2, 8), **QUIET)
    assert workers == [1, 3]
