"""Stores that are written in place get their documents in an order that they can take."""

from __future__ import annotations

import asyncio

import numpy as np
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

import zspy


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
