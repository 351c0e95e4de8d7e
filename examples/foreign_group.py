"""Keep a tree of Python objects in a Zarr group of someone else's file.

The file belongs to another program; ours is one member of one of its groups, and nothing else is
touched. There is no signal in it: zspy encodes any dictionary. Run it with
``python examples/foreign_group.py``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import numpy as np
import zarr
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, Store
from zarr.storage import MemoryStore, WrapperStore

import zspy


class Below(WrapperStore[Store]):
    """The part of a Zarr store that lies below a path."""

    def __init__(self, store: Store, path: str) -> None:
        super().__init__(store)
        self._prefix = f"{path}/"

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        return await self._store.get(self._prefix + key, prototype, byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        await self._store.set(self._prefix + key, value)

    async def delete(self, key: str) -> None:
        await self._store.delete(self._prefix + key)

    async def list(self) -> AsyncIterator[str]:
        async for key in self._store.list_prefix(self._prefix):
            yield key.removeprefix(self._prefix)


def _place(theirs: zarr.Group, name: str) -> Below:
    return Below(theirs.store, f"{theirs.path}/{name}".lstrip("/"))


def put(theirs: zarr.Group, name: str, value: Mapping[Any, Any]) -> None:
    """Store a dictionary as a member of a group, in the Zarr format of the group.

    What had that name is replaced. Who consolidated the metadata of the file has to do it again.
    """
    node = zspy.encode(value, homogenize=False)
    documents = dict(zspy.serialise(node, zarr_format=theirs.metadata.zarr_format))
    if name in theirs:
        del theirs[name]
    zspy.commit(documents, _place(theirs, name))


def get(theirs: zarr.Group, name: str) -> Any:
    """Load what `put` has stored."""
    node = zspy.deserialise(zspy.fetch(_place(theirs, name)))
    assert isinstance(node, zspy.Group)
    return zspy.decode(node)


def main() -> None:
    """Add the settings of an analysis to a file, and load them."""
    theirs: zarr.Group = cast("Any", zarr).create_group(MemoryStore())
    images = theirs.create_group("images", attributes={"theirs": "as it was"})
    settings = {
        "started": dt.datetime(2026, 3, 14, 15, 9, 26, tzinfo=dt.UTC),
        "thresholds": (0.5, None, {"peaks": np.arange(4) ** 2}),
        "phase": 1 + 2j,
        3: "a key of any kind",
    }
    put(images, "settings", settings)
    print(*images.group_keys())
    print(get(images, "settings"))


if __name__ == "__main__":
    main()
