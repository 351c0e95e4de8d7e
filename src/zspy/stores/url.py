"""URLs, which are opened with fsspec or obstore; no error shows their secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zarr.abc.store import Store
from zarr.storage import LocalStore, WrapperStore

from ..values.errors import EncodeError, FormatError

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest


def local_path(store: Store) -> Path | None:
    """Give the path of a store that is no more than a directory or a zip file."""
    if type(store) is LocalStore:
        return store.root
    inner: Any = getattr(store, "store", getattr(store, "fs", None))
    if type(inner).__module__ == "fsspec.implementations.asyn_wrapper":
        inner = inner.sync_fs
    if type(inner).__module__ == "fsspec.implementations.local":
        return Path(cast("Any", store).path)
    prefix: Any = getattr(inner, "prefix", None)
    is_local = type(inner).__module__.startswith("obstore") and isinstance(prefix, Path)
    return prefix if is_local else None


def open_url(url: str, options: Mapping[str, Any]) -> Path | Store:
    """Open a URL, with fsspec or else with obstore."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not options:
        return Path(url2pathname(parts.path))
    with _telling(_Hidden(url, options), "opened"):
        try:
            from zarr.storage import FsspecStore

            store: Store = FsspecStore.from_url(url, storage_options=dict(options))
        except ImportError:
            store = _from_obstore(url, options)
    return local_path(store) or Guarded(store, _Hidden(url, options))


def _from_obstore(url: str, options: Mapping[str, Any]) -> Store:
    try:
        from obstore.store import from_url
        from zarr.storage import ObjectStore
    except ImportError:
        problem = "what reads such URLs is not installed"
        raise EncodeError(problem, "filename", "pip install zspy[remote]") from None
    return ObjectStore(cast("Any", from_url)(url, **options))


class _Hidden:
    """What a message may say of a place, and what it may not."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        fragment = "#" * bool(parts.fragment) + parts.fragment
        self.name = f"{parts.scheme}://{host}{parts.path}{fragment}"
        self._secrets = {parts.query, user, *user.split(":"), *_texts(options)} - {""}

    def __call__(self, text: str) -> str:
        """Leave out of a message what is secret."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _texts(options: object) -> Iterator[str]:
    """Yield all strings among the values of options."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping):
        yield from _texts([*cast("Any", options).values()])
    elif isinstance(options, (list, tuple)):
        for value in cast("tuple[Any, ...]", options):
            yield from _texts(value)


@contextmanager
def _telling(hidden: _Hidden, what: str) -> Generator[None]:
    """Say of any error where it was, and none of the secrets."""
    try:
        yield
    except (FormatError, EncodeError, NotImplementedError, Warning):
        raise  # a warning is an error where the user wants it to be one
    except Exception as error:  # noqa: BLE001 - whatever a client library raises
        problem = f"it cannot be {what} ({type(error).__name__}: {hidden(str(error))})"
        raise FormatError(
            problem, hidden.name
        ) from None  # the cause would show what is hidden


class Guarded(WrapperStore[Store]):
    """A store behind a URL, whose errors and representation show no secrets."""

    def __init__(self, store: Store, hidden: _Hidden | None = None) -> None:
        super().__init__(store)
        self._hidden = hidden or _Hidden("", {})

    def _with_store(self, store: Store) -> Guarded:
        return Guarded(store, self._hidden)

    def with_read_only(self, read_only: bool = False) -> Guarded:
        return self._with_store(self._store.with_read_only(read_only))

    def __str__(self) -> str:
        return self._hidden.name

    def __repr__(self) -> str:
        return f"Guarded({self._hidden.name!r})"

    def __hash__(self) -> int:
        return hash(self._hidden.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guarded) and self._store == other._store

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        with _telling(self._hidden, "read"):
            return await self._store.get(key, prototype, byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        with _telling(self._hidden, "written"):
            await self._store.set(key, value)

    async def delete(self, key: str) -> None:
        with _telling(self._hidden, "written"):
            await self._store.delete(key)

    async def list(self) -> AsyncIterator[str]:
        with _telling(self._hidden, "listed"):
            async for key in self._store.list():
                yield key
