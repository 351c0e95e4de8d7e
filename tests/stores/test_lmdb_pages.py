"""LMDB files are judged before LMDB reads them: what is wrong in one would end the process."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import lmdb
import pytest

import zspy
from zspy import FormatError
from zspy.stores import lmdb_pages as _pages
from zspy.stores.lmdb import LMDBStore
from zspy.stores.lmdb_pages import DamageError, Pages, damage

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = 4096  # bytes, on the machines that the tests run on


def filled(path: Path, seed: int = 0, transactions: int = 6) -> Path:
    """Make a database with pages of all kinds: small and large values, others that are free."""
    dice = Random(seed)
    with lmdb.open(str(path), subdir=False, map_size=2**28, sync=False) as environment:
        for _ in range(transactions):
            with environment.begin(write=True) as transaction:
                for index in range(80):
                    key = b"group %d/%d/.zattrs" % (index % 7, dice.randrange(400))
                    transaction.put(key, dice.randbytes(dice.choice([0, 20, 200, 3000, 20_000])))
                    transaction.delete(b"group %d/%d/.zattrs" % (index % 5, dice.randrange(400)))
    return path


def newest(path: Path) -> Any:
    with path.open("rb", buffering=0) as stream:
        return _pages._newest(stream)


def kind_of(data: bytes, number: int) -> int:
    return int.from_bytes(data[number * PAGE + 10 : number * PAGE + 12], sys.byteorder)


@pytest.mark.parametrize("seed", range(10))
def test_what_lmdb_writes_is_sound(seed: int, tmp_path: Path) -> None:
    for transactions in (0, 1, 30):
        assert damage(filled(tmp_path / f"{seed} {transactions}", seed, transactions)) is None


def test_a_map_as_large_as_its_file_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with lmdb.open(str(path), subdir=False, map_size=2**22, writemap=True) as environment:
        with environment.begin(write=True) as transaction:
            transaction.put(b"a", b"b" * 10_000)
        assert damage(path) is None


def test_pages_that_nobody_used_need_not_be_in_the_file(tmp_path: Path) -> None:
    """LMDB does not write what a transaction takes and gives back."""
    path = filled(tmp_path / "file")
    with (
        lmdb.open(str(path), subdir=False, map_size=2**28) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"large", bytes(2_000_000))
        transaction.delete(b"large")
    assert path.stat().st_size < (newest(path).last + 1) * PAGE
    assert damage(path) is None
    with LMDBStore(path) as store:
        assert store.names()


def changed(path: Path, at: int, form: str, *values: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(f"={form}", data, at, *values)
    path.write_bytes(data)


DAMAGES: Final[dict[str, tuple[int, str, int]]] = {
    "number of a page": (0, "Q", 7),
    "kind of a page": (10, "H", 0),
    "magic": (16, "I", 0),
    "version": (20, "I", 2),
    "size of a page": (40, "I", 3000),
    "no size": (40, "I", 0),
    "a fixed address": (44, "H", 9),
    "keys that are no numbers": (44, "H", 0),
    "several values of a list of free pages": (44, "H", 12),
    "several values of a key": (92, "H", 4),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_meta_page_is_told(name: str, tmp_path: Path) -> None:
    at, form, value = DAMAGES[name]
    path = filled(tmp_path / "file")
    changed(path, at, form, value)
    assert damage(path) == "meta page 0 is damaged"
    with pytest.raises(FormatError, match=r"meta page 0 is damaged|and no \.zspy file"):
        zspy.file_reader(path)


def test_meta_pages_agree(tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    number = newest(path).transaction
    changed(path, (number & 1) * PAGE + 144, "Q", number + 1)
    assert damage(path) == "the number of its transaction is damaged"
    path = filled(tmp_path / "other")
    data = path.read_bytes()
    path.write_bytes(data[:40] + struct.pack("=I", 8192) + data[44:8192] + data[PAGE:])
    assert damage(path) == "its page size is damaged"
    path.write_bytes(data[:100])
    assert damage(path) is not None


@pytest.mark.parametrize("is_main", [False, True])
def test_a_damaged_root_is_told(is_main: bool, tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    meta = newest(path)
    tree = (meta.transaction & 1) * PAGE + 40 + 48 * is_main
    data = path.read_bytes()
    for at, form, value in ((6, "H", 0), (6, "H", 99), (40, "Q", 2**64 - 1)):
        changed(path, tree + at, form, value)
        assert damage(path) == "the root of a tree is damaged"
        path.write_bytes(data)
    for value in (0, 1, meta.last + 1, 2**63):
        changed(path, tree + 40, "Q", value)
        assert damage(path) == f"page {value} is damaged"
        path.write_bytes(data)
    changed(path, tree + 6, "H", meta.trees[is_main][1] + 1)
    assert str(damage(path)).startswith("page ")


def test_a_file_that_is_cut_short_is_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    data = path.read_bytes()
    for size in (3 * PAGE, 10 * PAGE, newest(path).last * PAGE // 2):
        path.write_bytes(data[:size])
        assert damage(path) == "it is cut short"


def leaf(path: Path) -> int:
    """Give the place of the first leaf page of the main tree."""
    data, meta = path.read_bytes(), newest(path)
    number, depth = meta.trees[1][2], meta.trees[1][1]
    for _ in range(depth - 1):
        page = data[number * PAGE : (number + 1) * PAGE]
        (place,) = struct.unpack_from("=H", page, 16)
        low, high, top = struct.unpack_from("=HHH", page, place)
        number = int(low | high << 16 | top << 32)
    return int(number * PAGE)


def node(path: Path, page: int, has: Callable[[int], bool] = lambda _: True) -> int:
    """Give the place of a node of a page, the flags of which are as asked for."""
    data = path.read_bytes()
    (lower,) = struct.unpack_from("=H", data, page + 12)
    places = struct.unpack_from(f"={(lower - 16) // 2}H", data, page + 16)
    return next(
        page + int(at) for at in places if has(*struct.unpack_from("=H", data, page + at + 4))
    )


def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    page, data = leaf(path), path.read_bytes()
    root = newest(path).trees[1][2] * PAGE
    wrong = f"page {page // PAGE} is damaged"
    for at, form, values, told in (
        (page, "Q", (3,), wrong),
        (page + 10, "H", (1,), wrong),
        (page + 12, "H", (16,), wrong),  # without nodes
        (page + 12, "H", (4000,), wrong),  # where lower and upper are crossed
        (page + 14, "H", (5000,), wrong),
        (page + 16, "H", (20,), wrong),  # a node among the places
        (page + 16, "H", (4095,), wrong),
        (node(path, page) + 4, "H", (4,), wrong),  # several values of a key
        (node(path, page) + 6, "H", (0,), wrong),
        (node(path, page) + 6, "H", (4000,), wrong),
        (node(path, page, lambda flags: flags == 0), "HH", (65535, 0), wrong),
        (node(path, page) + 8, "Q", (2**64 - 1,), wrong),  # the order of keys
        (root + 12, "H", (18,), f"page {root // PAGE} is damaged"),  # a branch with one child
    ):
        changed(path, at, form, *values)
        assert damage(path) == told
        path.write_bytes(data)
    assert damage(path) is None


def test_nodes_of_a_page_that_overlap_are_told(tmp_path: Path) -> None:
    """LMDB moved more bytes than the page has when it removed them, in the memory of others."""
    path = filled(tmp_path / "file")
    data = path.read_bytes()
    kinds: set[int] = set()
    for number in range(2, len(data) // PAGE):
        kind = kind_of(data, number)
        start = number * PAGE
        at, _, _, lower, upper = struct.unpack_from("=QHHHH", data, start)
        if kind not in (1, 2) or at != number or upper == PAGE:
            continue
        (place,) = struct.unpack_from("=H", data, start + 16)
        low, _, flags, width = struct.unpack_from("=HHHH", data, start + place)
        changes = [(start + 14, lower)]
        if kind == 2 and not flags & 1 and low + 2 <= PAGE - place - 8 - width:
            changes.append((start + place, low + 2))
        for at, value in changes:
            changed(path, at, "H", value)
            told = damage(path)
            # Pages of earlier states are read by nobody.
            if told is not None:
                assert told.endswith(" is damaged")
                kinds.add(kind + (at != start + 14))
            path.write_bytes(data)
    assert kinds == {1, 2, 3}


def test_damaged_pages_of_a_large_value_are_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    at, data = node(path, leaf(path), lambda flags: flags == 1), path.read_bytes()
    (width,) = struct.unpack_from("=H", data, at + 6)
    (number,) = struct.unpack_from("=Q", data, at + 8 + width)
    changed(path, at + 8 + width, "Q", leaf(path) // PAGE)
    assert damage(path) == f"page {leaf(path) // PAGE} is damaged"
    for place, form, value in ((0, "Q", 1), (10, "H", 2), (12, "I", 1), (12, "I", 2**31)):
        path.write_bytes(data)
        changed(path, number * PAGE + place, form, value)
        found = damage(path)
        assert found is not None
        assert found.startswith("page ")


def free(path: Path) -> tuple[int, int]:
    """Give the place of the first node of the free pages, and of its list."""
    root = newest(path).trees[0][2]
    at = node(path, root * PAGE)
    assert kind_of(path.read_bytes(), root) == 2
    return at, at + 16


def test_damaged_lists_of_free_pages_are_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "file")
    data = path.read_bytes()
    at, numbers = free(path)
    told = "a list of free pages is damaged"
    for place, form, value in ((at, "H", 7), (at, "H", 0), (numbers, "Q", 2**40)):
        changed(path, place, form, value)
        assert damage(path) == told
        path.write_bytes(data)
    for value in (1, 2**60):
        changed(path, numbers + 8, "Q", value)
        assert damage(path) == told
        path.write_bytes(data)
    changed(path, numbers + 8, "Q", leaf(path) // PAGE)
    assert damage(path) == f"page {leaf(path) // PAGE} is damaged"


def test_long_lists_of_free_pages_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with lmdb.open(str(path), subdir=False, map_size=2**28, sync=False) as environment:
        for value in (bytes(8_000_000), b"", b""):
            with environment.begin(write=True) as transaction:
                transaction.put(b"key", value)
    assert damage(path) is None


def test_what_another_process_replaces_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "file")
    seen: list[int] = []

    def judge(walk: Any) -> None:
        seen.append(walk.meta.transaction)
        if len(seen) < 4:
            filled(path, transactions=1)
            raise ValueError("page 2 is damaged")

    monkeypatch.setattr(_pages._Walk, "judge", judge)
    assert damage(path) is None
    assert len({*seen}) == len(seen) == 4
    seen[:] = [0] * -20  # never at rest

    def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(_pages, "_is_outdated", always)
    monkeypatch.setattr(_pages, "_AGAIN", 2)
    assert damage(path) is None


def test_a_file_that_becomes_no_database_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "file")

    def judge(_: Any) -> None:
        path.write_bytes(b"")
        raise ValueError("page 2 is damaged")

    monkeypatch.setattr(_pages._Walk, "judge", judge)
    assert damage(path) == "page 2 is damaged"


def test_records_are_read_as_they_are_after_the_newest_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "file")
    pages = Pages(path)
    old = pages.version()
    assert pages.reading(len) > 0
    states: list[int] = []

    def changing(records: Any) -> int:
        states.append(pages.version())
        if len(states) == 1:
            filled(path, seed=1, transactions=1)
        if len(states) == 2:
            filled(path, seed=2, transactions=1)
            raise ValueError("what is read is of two states")
        return len(records)

    assert pages.reading(changing) > 0
    assert states == [old, old + 1, old + 2]

    def never_at_rest(_: object) -> None:
        filled(path, transactions=1)

    monkeypatch.setattr(_pages, "_AGAIN", 2)
    with pytest.raises(DamageError, match="it is written all the time"):
        pages.reading(never_at_rest)
    path.write_bytes(bytes(10_000))
    with pytest.raises(DamageError, match="meta page 0 is damaged"):
        pages.version()
    with pytest.raises(DamageError, match="meta page 0 is damaged"):
        pages.reading(len)
    pages.close()
    with pytest.raises(DamageError):
        Pages(path)


@pytest.mark.parametrize("way", ["short", "none"])
def test_values_are_read_as_the_system_can(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(filled(tmp_path / "file"))
    spans = pages.reading(dict).values()
    expected = [pages.bytes_at(span) for span in spans]
    real = os.pread

    def short(handle: int, size: int, start: int) -> bytes:
        return real(handle, min(size, 1000), start)

    if way == "short":
        monkeypatch.setattr(os, "pread", short)
        assert len(_pages._read(pages._file, 2**30, 0)) == (tmp_path / "file").stat().st_size
    else:
        monkeypatch.delattr(os, "pread")
    assert [pages.bytes_at(span) for span in spans] == expected
    pages.close()


CHILD: Final = """
import asyncio, sys
from pathlib import Path
from random import Random
from zarr.core.buffer import default_buffer_prototype
from zarr.core.buffer.cpu import Buffer
from zspy import FormatError
from zspy.stores.lmdb import LMDBStore

async def used(store):
    names = store.names()
    for name in names:
        await store.get(name, default_buffer_prototype())
    if not store.read_only:
        for name in names[::3]:
            await store.delete(name)
        for index in range(20):
            await store.set(f"new {index}", Buffer.from_bytes(bytes(index * 1000)))

dice, folder = Random(int(sys.argv[2])), Path(sys.argv[1])
data, refused = (folder / "file").read_bytes(), 0
for number in range(150):
    other = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5])):
        page = dice.randrange(len(data) // 4096) * 4096
        at = page + dice.choice([dice.randrange(24), dice.randrange(200), dice.randrange(4096)])
        other[at] = dice.choice([0, 255, other[at] ^ 1, dice.randrange(256)])
    path = folder / f"{number}"
    path.write_bytes(other)
    try:
        with LMDBStore(path, read_only=number % 3 > 0) as store:
            asyncio.run(used(store))
    except FormatError:
        refused += 1
print(refused)
"""


@pytest.mark.kills
@pytest.mark.parametrize("seed", [1, 2])
def test_no_damage_ends_the_process(seed: int, tmp_path: Path) -> None:
    filled(tmp_path / "file")
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path), str(seed)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert 0 < int(result.stdout) < 150
