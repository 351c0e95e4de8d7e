"""Documents of web servers, of which no more is read than is asked for."""

from __future__ import annotations

import asyncio
import re
import zlib
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ..documents.source import NODES
from ..values.errors import FormatError
from .base import LARGEST
from .zarr_store import REQUESTS, each

# Bytes that a server may send where only the end is asked for.
_LONGEST_ANSWER: Final = 2**26
_PIECE: Final = 2**16  # bytes that are taken from a server at a time
_DEEPEST: Final = 512  # folders in one another
_MOST_FOLDERS: Final = 2**18  # of one file: each is a request
_FEW: Final = 6  # requests at a time, as browsers send them


# What begins a link, the link itself, and a URL in the text: each is looked for in one pass.
_TAG: Final = re.compile(r"<a\s([^<>]+)", re.IGNORECASE)
_LINK: Final = re.compile(r"""(?:^|\s)href=["']([^"']+)""", re.IGNORECASE)
_URL: Final = re.compile(r"https?://[-a-zA-Z0-9@:%_+.~#?&/=]+")


class _Host:
    """What is known of a server, and the requests that are sent to it at a time.

    One that ends each connection, such as that of Python, has a handful of them waiting, and
    forgets the others: whoever sent them waits for seconds, or minutes.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Semaphore(_FEW)
        self.keeps_connections = False

    def note(self, answer: Any) -> None:
        """Let many requests at a time go to a server that keeps its connections."""
        ends = answer.headers.get("Connection", "").lower() == "close"
        if answer.version >= (1, 1) and not ends and not self.keeps_connections:
            self.keeps_connections = True
            self.turn = asyncio.Semaphore(REQUESTS)


# The servers, by the loop on which requests wait, and their names.
_HOSTS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Host]]()


def _host_of(url: str) -> _Host:
    hosts = _HOSTS.setdefault(asyncio.get_running_loop(), {})
    return hosts.setdefault(urlsplit(url).netloc, _Host())


def beside_query(url: str, key: str) -> str:
    """Give the URL of a key below another one, whose query stays at the end.

    What follows a "#" is never asked for.

    >>> beside_query("https://example.org/a.zspy?sig=x#part", "/.zgroup")
    'https://example.org/a.zspy/.zgroup?sig=x'
    """
    path, mark, query = url.partition("#")[0].partition("?")
    return f"{path.rstrip('/')}{key}{mark}{query}"


async def size_of(client: Any, url: str) -> int:
    """Ask for the size of a document, which is 0 where a server does not tell it."""
    async with _host_of(url).turn:
        told = await client._info(url)  # noqa: SLF001
    return told["size"] or 0


async def names_in(client: Any, url: str, folder: str) -> list[str]:
    """List what lies in a folder below a URL, folders with the slash at their ends.

    A folder is asked for with that slash too: a server sends who forgets it there once more.
    """
    page = beside_query(url, f"/{folder}")
    try:
        async with _host_of(url).turn:
            links = await _links_in(client, page)
    except FileNotFoundError:
        return []
    except Exception as error:
        # So most servers say that they list nothing; in a file, documents would be lacking.
        if folder or getattr(error, "status", None) != 403:
            raise
        return []
    names = [link.removeprefix("./") for link in links]
    # Links with a "?" sort the page; in a name it would be quoted.
    return [name for name in names if name and "?" not in name]


async def _links_in(client: Any, page: str) -> list[str]:
    """Give what the links of a page lead to below it.

    The client itself takes a page of any length into memory, and looks for links in a time that
    grows with the square of what has none.
    """
    body = await _download(client, page, slice(None), largest=_LONGEST_ANSWER + 1)
    if body is None:
        raise FileNotFoundError(page)
    if len(body) > _LONGEST_ANSWER:
        raise FormatError("its server lists more than any folder has", "")
    text = body.decode("utf-8", "ignore")
    found = [_LINK.search(tag) for tag in _TAG.findall(text)]
    links = _URL.findall(text) + [link[1] for link in found if link]
    here = beside_query(page.partition("?")[0], "/")
    host = urlsplit(page)._replace(path="", query="", fragment="").geturl()
    below: dict[str, None] = {}
    for link in links:
        whole = host + link if len(link) > 1 and link[0] == "/" else link
        if not whole.startswith(
            ("http://", "https://")
        ):  # a name may begin with "http"
            below[whole.lstrip("/")] = None
        elif _any_scheme(whole).startswith(_any_scheme(here)):
            below[_any_scheme(whole).removeprefix(_any_scheme(here))] = None
    if not below and page.endswith("/"):  # some servers list it without the slash
        return await _links_in(client, page.rstrip("/"))
    return [link for link in below if link not in ("..", "../")]


def _any_scheme(url: str) -> str:
    """Give a URL without what tells http from https: links may cross from one to the other."""
    return url.removeprefix("https").removeprefix("http")


async def listed(client: Any, url: str, *, chunks: bool) -> list[str]:
    """List what lies below a folder; each folder is one request, and those of chunks are many."""
    folders, keys = [""], list[str]()
    asked = 0
    for _ in range(_DEEPEST):
        # Where each folder has two, there are too many long before they are too deep.
        asked += len(folders)
        if asked > _MOST_FOLDERS:
            break
        pages = await each(partial(names_in, client, url), folders)
        below: list[str] = []
        for folder, names in zip(folders, pages, strict=True):
            keys += [folder + name for name in names if not name.endswith("/")]
            is_of_chunks = folder.endswith("/c/") and NODES.isdisjoint(names)
            if chunks or not (is_of_chunks or ".zarray" in names):
                below += [folder + name for name in names if name.endswith("/")]
        folders = below
        if not folders:
            return keys
    problem = f"more than {_MOST_FOLDERS} folders, or folders in one another without an end"
    raise FormatError(problem, "", "write it with consolidate=True, or as a zip")


async def download(
    client: Any, url: str, part: slice, hides: bool = False
) -> bytes | None:
    """Read a document of a web server, or a part of it, and no more than is asked for.

    A server may send more than that, or something small that becomes large. One that `hides` what
    it lacks says that it is forbidden.
    """
    async with _host_of(url).turn:
        return await _download(client, url, part, hides)


async def _download(
    client: Any,
    url: str,
    part: slice,
    hides: bool = False,
    largest: int = LARGEST,
) -> bytes | None:
    span, start, most = _asked_of(part)
    most = min(most, largest)
    session = await client.set_session()
    options = dict(client.kwargs)
    headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
    for header in ({"Range": f"bytes={span}"}, {}) if span else ({},):
        options |= {"headers": headers | header, "auto_decompress": False}
        async with session.get(client.encode_url(url), **options) as answer:
            _host_of(url).note(answer)
            if answer.status == 404 or (hides and answer.status == 403):
                return None
            if start < 0 and (size := _size_told(answer, most)):
                begin = max(size - most, 0)
                return await _download(client, url, slice(begin, size))
            if answer.status == 416 and start < 0 and header:
                # Its end is not to be had by itself: all is asked for, and no more is taken.
                continue
            if answer.status == 416:
                # Nothing lies in that range.
                return b""
            answer.raise_for_status()
            encoding = answer.headers.get("Content-Encoding", "identity").lower()
            if answer.status != 206:
                if start < 0 and (answer.content_length or 0) > _LONGEST_ANSWER:
                    # For its end alone nobody takes all of a large file.
                    return None
                end = start + most if start >= 0 else LARGEST
                return (await _received(answer, encoding, end))[start:][:most]
            if encoding == "identity":
                return await _received(answer, encoding, most)
            # A part of what is compressed is of no use: it is asked for as a whole.
    raise FormatError("its server sends a part where all was asked for", "")


def _asked_of(part: slice) -> tuple[str, int, int]:
    """Give the range to ask a server for, where it begins and how many bytes it has at most."""
    start: int = part.start or 0
    if start < 0:
        return f"{start}", start, -start
    if part.stop is None:
        return f"{start}-" if start else "", start, LARGEST
    return f"{start}-{part.stop - 1}", start, part.stop - start


def _size_told(answer: Any, most: int) -> int:
    """Give the size of a document of which a server sends parts, but not the end by itself."""
    if answer.status == 416:
        told = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return int(told) if told.isdecimal() else 0
    sends_parts = answer.headers.get("Accept-Ranges") == "bytes"
    size = answer.content_length or 0
    return size if answer.status == 200 and sends_parts and size > most else 0


async def _received(answer: Any, encoding: str, most: int) -> bytes:
    """Take the body of an answer, up to so many bytes."""
    decoder: Any = None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    elif encoding != "identity":
        raise FormatError(
            "its server sends what is encoded in a way of its own", ""
        )
    data = bytearray()
    async for piece in answer.content.iter_chunked(_PIECE):
        left = most + 1 - len(data)
        data += decoder.decompress(piece, left) if decoder else piece
        if len(data) > most:
            break
    if len(data) > most >= LARGEST:
        raise FormatError("its server sends more than any document has", "")
    return bytes(data[:most])
