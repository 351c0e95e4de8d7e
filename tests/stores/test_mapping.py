"""Stores that are written in place get their documents in an order that they can take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

import zspy
from zspy.stores.mapping import GatheringSink


class AskingStore(MemoryStore):
    """A store that takes chunks of arrays that it knows only, as that of icechunk does."""

    async def set(self, key: str, value: Buffer, byte_range: tuple[int, int] | None = None) -> None:
        if key.endswith("zarr.json"):
            await asyncio.sleep(0.01)
        else:
            assert f"{key.rpartition('/c')[0]}/zarr.json" in self._store_dict
        await super().set(key, value, byte_range)


def test_the_document_of_an_array_is_written_before_its_chunks() -> None:
    store = AskingStore()
    given = {"data": np.arange(4), "axes": [{"name": "x"}], "metadata": {"a": [1, 2]}}
    zspy.file_writer(store, given, zarr_format=3)
    assert zspy.file_reader(store)[0]["metadata"] == {"a": [1, 2]}


class FailingStore(MemoryStore):
    """A store of which one change fails."""

    left = -1

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise TimeoutError

    async def set(self, key: str, value: Buffer, byte_range: tuple[int, int] | None = None) -> None:
        self._step()
        await super().set(key, value, byte_range)

    async def delete(self, key: str) -> None:
        self._step()
        await super().delete(key)

    def documents(self) -> dict[str, bytes]:
        return {key: value.to_bytes() for key, value in self._store_dict.items()}


def given(title: str, number: int) -> dict[str, Any]:
    metadata = {"General": {"title": title}, "list": [number, [number]]}
    return {"data": np.arange(4) + number, "axes": [{"name": "x"}], "metadata": metadata}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("titles", "options"),
    [
        ("a", {"mode": "a"}),
        ("c", {"mode": "a"}),
        ("ab", {"write_dataset": False}),
        ("ba", {"write_dataset": False}),
        ("a", {}),
        ("c", {}),
    ],
)
def test_a_change_that_fails_leaves_the_old_file_or_none(
    titles: str, options: dict[str, Any], zarr_format: int
) -> None:
    old = [given("a", 1), given("b", 2)]
    kept = 0
    for step in range(1, 1000):
        store = FailingStore()
        asking: Any = {"zarr_format": zarr_format, "chunks": (2,), "close_file": False}
        zspy.file_writer(store, old, **asking)
        before = store.documents()
        store.left = step
        try:
            zspy.file_writer(store, [given(t, 3) for t in titles], **asking, **options)
        except zspy.FormatError as error:
            cause = error.__cause__
            assert isinstance(cause, TimeoutError)
            kept += store.documents() == before
            if store.documents() != before:
                assert not options
                with pytest.raises(zspy.FormatError, match="writing was interrupted"):
                    zspy.file_reader(store)
        else:
            assert kept == step - 1 or (not options and kept > 5)
            return


@pytest.mark.parametrize("stray", ["Experiments/b/data/1", "Experiments/b/data/0"])
def test_what_would_become_a_chunk_is_neither_taken_nor_removed(stray: str) -> None:
    place: dict[str, bytes] = {}
    zspy.file_writer(place, given("a", 1))
    place |= {stray: b"of another array", "Experiments/b/README": b"text"}
    before = {**place}
    with pytest.raises(zspy.EncodeError, match=rf"{stray}: .* move it to another place") as error:
        zspy.file_writer(place, given("b", 1))
    assert error.value.location == stray
    assert place == before
    del place[stray]
    zspy.file_writer(place, given("b", 1))
    assert place["Experiments/b/README"] == b"text"


class Unreadable(dict[str, bytes]):
    """A dictionary of which one value after some others cannot be read."""

    left = -1

    def __getitem__(self, key: str) -> bytes:
        self.left -= 1
        if self.left == 0:
            raise OSError(5, "Input/output error")
        return super().__getitem__(key)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_file_that_cannot_be_read_before_it_is_replaced_stays(zarr_format: Any) -> None:
    place = Unreadable()
    zspy.file_writer(place, given("a", 1), zarr_format=zarr_format)
    before = {**place}
    for step in range(1, 999):
        place.left = step
        try:
            zspy.file_writer(place, given("a", 2), zarr_format=zarr_format)
        except zspy.FormatError as error:
            cause = error.__cause__
            assert isinstance(cause, OSError)
            assert {**place} == before
        else:
            if step > len(before):
                return
            # What lies there is told by other documents too.
            before = {**place}
            assert np.array_equal(zspy.file_reader(before)[0]["data"], given("a", 2)["data"])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_who_stops_a_write_keeps_the_old_file(zarr_format: Any) -> None:
    class Stopped(dict[str, bytes]):
        left = -1

        def __setitem__(self, key: str, value: bytes) -> None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            super().__setitem__(key, value)

    for step in range(1, 40):
        place = Stopped()
        zspy.file_writer(place, given("t", 0), zarr_format=zarr_format)
        old, place.left = dict(place), step
        try:
            zspy.file_writer(place, given("t", 1), zarr_format=zarr_format)
        except KeyboardInterrupt:
            assert dict(place) == old
        else:
            assert step > 5
            break


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_error_after_data_was_appended_says_that_it_is_there(zarr_format: int) -> None:
    """Who tries again would have it twice: the metadata is written after it."""
    sizes: set[tuple[int, bool]] = set()
    for step in range(1, 1000):
        store = FailingStore()
        asking: Any = {"zarr_format": zarr_format, "close_file": False}
        zspy.file_writer(store, given("a", 1), **asking)
        store.left = step
        try:
            zspy.file_writer(store, given("a", 2), append_dim=0, close_file=False)
        except zspy.FormatError as error:
            store.left = -1
            told = any("is in the file already" in note for note in notes_of(error))
            sizes.add((len(zspy.file_reader(store)[0]["data"]), told))
        else:
            assert sizes == {(4, False), (8, True)}
            return


def notes_of(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


class Raising(dict[str, bytes]):
    """A mapping of somebody, of which one call fails."""

    left = -1

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise ConnectionError("no answer")

    def __getitem__(self, key: str) -> bytes:
        self.step()
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: bytes) -> None:
        self.step()
        super().__setitem__(key, value)

    def __iter__(self) -> Iterator[str]:
        self.step()
        return super().__iter__()

    def __contains__(self, key: object) -> bool:
        self.step()
        return super().__contains__(key)

    def pop(self, key: str, *default: Any) -> Any:
        self.step()
        return super().pop(key, *default)


ASKED: Final[dict[str, Callable[[Any], Any]]] = {
    "read": zspy.file_reader,
    "lazy": lambda place: np.asarray(zspy.file_reader(place, lazy=True)[0]["data"]),
    "fetch": lambda place: dict(zspy.fetch(place)),
    "write": lambda place: zspy.file_writer(place, given("a", 2)),
    "add": lambda place: zspy.file_writer(place, given("b", 2), mode="a"),
    "update": lambda place: zspy.update(place, {"new": 1}),
    "append": lambda place: zspy.file_writer(place, given("a", 2), append_dim=0),
}


@pytest.mark.parametrize("way", ASKED)
def test_what_a_mapping_raises_is_told_with_the_key(way: str) -> None:
    for step in range(1, 1000):
        place = Raising()
        zspy.file_writer(place, given("a", 1))
        place.left = step
        try:
            ASKED[way](place)
        except zspy.FormatError as error:
            where, said = error.where, str(error)
            assert where
            assert "ConnectionError" in said or "no .zspy file" in said
        else:
            if place.left > 0:
                assert step > 10
                return


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/a", "a//b", "a\0b"])
def test_what_gathers_documents_takes_no_key_that_leaves_the_file(key: str) -> None:
    sink = GatheringSink()
    with pytest.raises(zspy.EncodeError, match="a key that leaves the file"):
        sink.put([("a", b"1"), (key, b"2")])
    assert sink == {"a": b"1"}
