"""Object storage and web servers on the loopback count what is asked of them."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import logging
import pickle
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import quote, unquote
from uuid import uuid4

import boto3
import numpy as np
import pytest
import zarr
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from zarr.buffer import cpu, default_buffer_prototype
from zarr.storage import (
    FsspecStore,
    MemoryStore,
    ObjectStore,
    StorePath,
    WrapperStore,
)

import zspy
from zspy import EncodeError, FormatError
from zspy.stores import far, web as web_pages
from zspy.stores.backends import located, opened
from zspy.stores.url import Guarded, shown
from zspy.stores.zarr_store import run, size_in

pytestmark = [
    pytest.mark.remote,
    # s3fs speaks of the versions that it finds beside it
    pytest.mark.filterwarnings("ignore:Your instal:UserWarning"),
]

SECRET: Final = "hidden-secret"  # noqa: S105 - of a server that lives as long as the tests
FORMATS: Final[tuple[Literal[2, 3], ...]] = (2, 3)
CLIENTS: Final = ("obstore", "s3fs")
QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}


class Counted:
    """An application that notes the requests to another."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seen: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        query = environ.get("QUERY_STRING", "")
        kind = "LIST" if "list-type" in query else environ["REQUEST_METHOD"]
        self.seen.append((kind, environ["PATH_INFO"]))
        return self.inner(environ, start)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Counted]]:
    moto: Any = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    counted = Counted(moto._server.app)
    moto._server.app = counted
    yield f"http://{host}:{port}", counted
    moto.stop()


@pytest.fixture
def bucket(server: tuple[str, Counted]) -> str:
    name = f"b{uuid4().hex}"
    client: Any = cast("Any", boto3).client(
        "s3",
        endpoint_url=server[0],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=name)
    client.close()
    return name


def place_of(client: str, bucket: str, endpoint: str) -> tuple[Any, dict[str, Any]]:
    """Give a place, and the options that belong to it."""
    if client == "s3fs":
        options = {"key": "key", "secret": SECRET, "endpoint_url": endpoint}
        return f"s3://{bucket}/scan.zspy", {"storage_options": options}
    store: Any = cast("Any", S3Store)(
        bucket,
        prefix="scan.zspy",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="key",
        secret_access_key=SECRET,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    return store, {}


def signal_of(number: int) -> dict[str, Any]:
    return {
        "data": np.full((8, 30, 40), number),
        "axes": [{"size": size, "navigate": n == 0} for n, size in enumerate((8, 30, 40))],
        "metadata": {"General": {"title": "t"}, "n": number, "list": [1, 2, 3]},
        "original_metadata": {f"group {n}": {"list": [n, n], "text": "x"} for n in range(9)},
    }


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_remote_file_opens_with_few_requests(
    client: str, zarr_format: Literal[2, 3], bucket: str, server: tuple[str, Counted]
) -> None:
    endpoint, counted = server
    place, options = place_of(client, bucket, endpoint)
    for consolidate in (True, False):
        for number in (1, 2):
            zspy.file_writer(
                place,
                signal_of(number),
                zarr_format=zarr_format,
                consolidate=consolidate,
                chunks=(1, 30, 40),
                **QUIET,
                **options,
            )
        counted.seen.clear()
        (lazy,) = zspy.file_reader(place, lazy=True, **options)
        kinds = [kind for kind, _ in counted.seen]
        paths = [path for kind, path in counted.seen if kind == "GET"]
        if consolidate:
            documents = [path for path in paths if not path.rpartition("/")[2].isdigit()]
            assert len(documents) <= 2
            assert len(paths) == len({*paths})  # small chunks are read together, each once
            # s3fs looks whether a key that is not there is a folder
            assert kinds.count("LIST") <= (2 if client == "s3fs" else 0)
        else:
            assert kinds.count("LIST") <= (3 if client == "s3fs" else 1)
            again = {path.rpartition("/")[2] for path in paths if paths.count(path) > 1}
            assert again <= {".zgroup", "zarr.json"}  # of the root: is it still there?
        assert not any("/data/c/" in path or "/data/0" in path for path in paths)
        assert cast("Any", lazy["metadata"])["list"] == [1, 2, 3]
        assert (np.asarray(lazy["data"]) == 2).all()
        (eager,) = zspy.file_reader(place, **options)
        assert (eager["data"] == 2).all()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_remote_file_is_updated_and_added_to(
    client: str, bucket: str, server: tuple[str, Counted]
) -> None:
    endpoint, counted = server
    place, options = place_of(client, bucket, endpoint)
    zspy.file_writer(place, signal_of(1), **QUIET, **options)
    counted.seen.clear()
    zspy.file_writer(place, signal_of(3), write_dataset=False, **QUIET, **options)
    assert not any("/data/0" in path for kind, path in counted.seen if kind in {"PUT", "DELETE"})
    zspy.file_writer(place, signal_of(2), mode="a", **QUIET, **options)
    found = zspy.file_reader(place, **options)
    assert [signal["metadata"]["n"] for signal in found] == [3, 2]
    assert [int(np.asarray(signal["data"]).max()) for signal in found] == [1, 2]


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("client", [*CLIENTS, "memory"])
def test_a_chunk_that_another_program_edits_wins_over_its_copy(
    client: str, zarr_format: Literal[2, 3], bucket: str, server: tuple[str, Counted]
) -> None:
    endpoint, counted = server
    place: Any = f"memory://{bucket}"
    options: dict[str, Any] = {}
    if client != "memory":
        place, options = place_of(client, bucket, endpoint)
    zspy.file_writer(
        place,
        {"data": np.arange(6), "axes": [{"size": 6}], "metadata": {"list": [1, 2, 3]}},
        zarr_format=zarr_format,
        consolidate=True,
        **QUIET,
        **options,
    )
    store = located(place, options.get("storage_options"))
    keys = [key for key in documents_in(store) if "/_list_list/" in key]
    (chunk,) = [key for key in keys if key.rpartition("/")[2] == "0"]
    name = chunk.partition("/_list_list")[0] + "/_list_list"
    with closing(opened(store)) as file:
        file.nodes()
        assert file.read(chunk)
        counted.seen.clear()
        file.read(chunk)
        assert not counted.seen
    cast("Any", zarr).open_array(store, path=name, mode="r+")[:] = [7, 8, 9]
    (signal,) = zspy.file_reader(place, **options)
    assert signal["metadata"]["list"] == [7, 8, 9]


def documents_in(store: Any) -> set[str]:
    with closing(opened(store)) as file:
        return set(file)


def test_no_secret_is_in_an_error(server: tuple[str, Counted]) -> None:
    endpoint, _ = server
    place, options = place_of("s3fs", "no-such-bucket", endpoint)
    with pytest.raises((FormatError, OSError)) as error:
        zspy.file_writer(place, signal_of(1), **QUIET, **options)
    assert SECRET not in json.dumps([str(error.value), repr(error.value)])
    with pytest.raises(FormatError) as missing:
        zspy.file_reader(place, **options)
    assert SECRET not in str(missing.value)


# Web servers


Answered = tuple[int, dict[str, str], bytes]  # the status, the headers and the body


class Answer(BaseHTTPRequestHandler):
    """Serves the documents of a mapping; a function may answer otherwise."""

    def do_GET(self) -> None:
        server = cast("Any", self.server)
        key = unquote(self.path.partition("?")[0]).lstrip("/").partition("/")[2]
        server.seen.append((key, self.headers.get("Range")))
        status, headers, body = server.answer(self, key)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            try:
                self.wfile.write(body)
                server.sent += len(body)
            except OSError:  # the reader had enough
                pass

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is inherited
        pass


def plain(documents: dict[str, bytes]) -> Callable[[Any, str], Answered]:
    """Answer as a server does that lists nothing."""

    def answer(request: Any, key: str) -> Answered:
        data = documents.get(key)
        if data is None:
            return 404, {}, b""
        asked = request.headers.get("Range")
        if asked is None:
            return 200, {}, data
        first, last = asked.removeprefix("bytes=").split("-")
        if not first:
            return 206, {}, data[-int(last) :]
        if int(first) >= len(data):
            return 416, {}, b""
        return 206, {}, data[int(first) : int(last or len(data)) + 1]

    return answer


def always(answered: Answered) -> Callable[[Any, str], Answered]:
    """Answer everything alike."""

    def answer(_: Any, __: str) -> Answered:
        return answered

    return answer


class Server(ThreadingHTTPServer):
    """A server that lets as many wait as zspy asks at a time; the others would be forgotten."""

    request_queue_size = 128


@pytest.fixture
def web() -> Iterator[Any]:
    server: Any = Server(("127.0.0.1", 0), Answer)
    server.seen, server.sent = [], 0
    server.answer = plain({})
    server.url = f"http://127.0.0.1:{server.server_port}/scan.zspy"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def documents_of(number: int, **options: Any) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    zspy.file_writer(found, signal_of(number), chunks=(1, 30, 40), **QUIET, **options)
    return found


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_plain_web_server_serves_a_consolidated_file(
    zarr_format: Literal[2, 3], web: Any
) -> None:
    web.answer = plain(documents_of(3, consolidate=True, zarr_format=zarr_format))
    (lazy,) = zspy.file_reader(web.url, lazy=True)
    assert len({key for key, _ in web.seen}) == len(web.seen) <= 4 + 11
    assert (np.asarray(lazy["data"]) == 3).all()
    (eager,) = zspy.file_reader(web.url)
    assert (eager["data"] == 3).all()


def zipped(number: int, **options: Any) -> bytes:
    file = BytesIO()
    zspy.file_writer(file, signal_of(number), compressor=False, **QUIET, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["scan.zspy", "scan.zspy.zip"])
def test_a_zip_on_a_web_server_is_asked_for_its_end_and_for_what_is_needed(
    name: str, web: Any
) -> None:
    signal = signal_of(3)
    signal["data"] = np.arange(4 * 2**19, dtype="u1").reshape(4, 2**19)
    signal["axes"] = [{"size": 4}, {"size": 2**19}]
    file = BytesIO()
    zspy.file_writer(file, signal, compressor=False, chunks=(1, 2**19), **QUIET)
    web.answer = plain({"": file.getvalue()})
    url = web.url.replace("scan.zspy", name)
    (lazy,) = zspy.file_reader(url, lazy=True)
    ranges = [asked for key, asked in web.seen if key == ""]
    assert ranges[0] == "bytes=-262144"
    assert len(ranges) <= 2  # small documents that lie together are read together
    assert name == "scan.zspy" or len(web.seen) == len(ranges)
    web.seen.clear()
    data = lazy["data"]
    assert np.array_equal(data[2].compute(), signal["data"][2])
    assert len(web.seen) == 1
    copy: Any = pickle.loads(pickle.dumps(lazy["data"]))  # noqa: S301 - just written
    assert np.array_equal(copy.compute(), signal["data"])
    (eager,) = zspy.file_reader(url)
    assert np.array_equal(eager["data"], signal["data"])
    assert web.sent < 3.5 * len(file.getvalue())


def signed(inner: Callable[[Any, str], Answered]) -> Callable[[Any, str], Answered]:
    """Answer only what is asked for with a token in its query."""

    def answer(request: Any, key: str) -> Answered:
        is_signed = request.path.partition("?")[2] == f"token={SECRET}"
        return inner(request, key) if is_signed else (403, {}, b"")

    return answer


@pytest.mark.parametrize("name", ["scan.zspy", "download", "scan.zspy.zip"])
def test_a_zip_at_a_url_with_a_query_is_one_request(name: str, web: Any) -> None:
    web.answer = signed(plain({"": zipped(3)}))
    url = web.url.replace("scan.zspy", name)
    (found,) = zspy.file_reader(f"{url}?token={SECRET}")
    assert (found["data"] == 3).all()
    assert web.seen == [("", "bytes=-262144")]
    with pytest.raises(FormatError, match=r"status 403\); see whether the URL") as error:
        zspy.file_reader(f"{url}?token=x")
    assert "token" not in str(error.value)


@pytest.mark.parametrize("serve", ["plain", "listing"])
def test_what_lies_below_a_url_with_a_query_is_asked_for_with_it(serve: str, web: Any) -> None:
    documents = documents_of(3, consolidate=serve == "plain")
    web.answer = signed(plain(documents) if serve == "plain" else listing(documents))
    (found,) = zspy.file_reader(f"{web.url}?token={SECRET}")
    assert (found["data"] == 3).all()
    (lazy,) = zspy.file_reader(f"{web.url}/?token={SECRET}", lazy=True)
    assert (np.asarray(lazy["data"]) == 3).all()


async def names_in(store: Any, folder: str) -> list[str]:
    return [name async for name in store.list_dir(folder)]


async def keys_below(store: Any, prefix: str) -> list[str]:
    return [key async for key in store.list_prefix(prefix)]


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("end", [f"?token={SECRET}", f"?token={SECRET}#part"])
def test_all_that_lies_below_a_url_with_a_query_is_found_once(
    end: str, zarr_format: Literal[2, 3], web: Any
) -> None:
    """What was added behind the query found the first page again, as if it lay in itself."""
    documents = documents_of(3, zarr_format=zarr_format)
    web.answer = signed(listing(documents))
    assert zspy.check(f"{web.url}{end}", show_progressbar=False) == []
    assert len(web.seen) < 6 * len(documents)
    store = located(f"{web.url}{end}")
    assert "data" in run(names_in(store, "Experiments/t"))
    assert run(store.getsize("zarr.json" if zarr_format == 3 else ".zgroup"))
    assert run(size_in(store, "nothing")) == 0
    lost = next(
        key for key in documents if "/data/" in key and "array" not in key and key[-1] == "0"
    )
    web.answer = signed(listing({key: documents[key] for key in documents if key != lost}))
    (finding,) = zspy.check(f"{web.url}{end}", show_progressbar=False)
    assert "missing" in finding.message
    web.seen.clear()
    with pytest.raises((EncodeError, FormatError), match="it cannot be written"):
        zspy.file_writer(f"{web.url}{end}", signal_of(1), **QUIET)
    assert len(web.seen) < 6 * len(documents)


def test_a_server_that_ends_its_connections_gets_a_few_at_a_time(web: Any) -> None:
    """That of Python has five of them waiting, and forgets the others."""
    inner = listing(documents_of(3))
    lock, now, most = threading.Lock(), [0], [0]

    def answer(request: Any, key: str) -> Answered:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return inner(request, key)

    web.answer = answer
    (found,) = zspy.file_reader(web.url)
    assert (found["data"] == 3).all()
    assert zspy.check(web.url, show_progressbar=False) == []
    assert 1 < most[0] <= 6


def test_a_server_that_keeps_its_connections_gets_many_at_a_time(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answer, "protocol_version", "HTTP/1.1")
    inner = listing(documents_of(3))
    lock, waiting = threading.Condition(), [0]

    def answer(request: Any, key: str) -> Answered:
        if key.startswith("Experiments/t/") and key.endswith(".zgroup"):
            with lock:
                waiting[0] += 1
                lock.notify_all()
                # Each waits until more are there than a few.
                assert lock.wait_for(lambda: waiting[0] > 6, timeout=60)
        return inner(request, key)

    web.answer = answer
    (found,) = zspy.file_reader(web.url)
    assert (found["data"] == 3).all()


@pytest.mark.parametrize("cache", ["simplecache", "filecache"])
@pytest.mark.parametrize("kind", ["zip", "local"])
def test_a_cache_of_fsspec_asks_for_what_it_lacks(
    cache: str, kind: str, web: Any, tmp_path: Path
) -> None:
    is_zip = kind == "zip"
    web.answer = plain({"": zipped(3)} if is_zip else documents_of(3, consolidate=True))
    options = {cache: {"cache_storage": str(tmp_path)}}
    asked: list[str] = []
    for _ in range(2):
        (found,) = zspy.file_reader(f"{cache}::{web.url}", storage_options=options)
        assert (found["data"] == 3).all()
        (lazy,) = zspy.file_reader(f"{cache}::{web.url}", lazy=True, storage_options=options)
        copy: Any = pickle.loads(pickle.dumps(lazy["data"]))  # noqa: S301 - just written
        assert (copy[1:3].compute() == 3).all()
        asked = [key for key, _ in web.seen if key not in {".zmetadata", "zarr.json"}]
        web.seen.clear()
    assert not asked


def test_a_cache_of_fsspec_may_be_one_of_another_place() -> None:
    zspy.file_writer("memory://cached/a.zip", signal_of(3), store_type="zip", **QUIET)
    (found,) = zspy.file_reader("simplecache::memory://cached/a.zip")
    assert (found["data"] == 3).all()


def test_a_server_that_ignores_ranges_is_not_asked_for_all_of_a_large_zip(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(4)

    def answer(request: Any, key: str) -> Answered:  # noqa: ARG001
        return (404, {}, b"") if key else (200, {}, data)

    web.answer = answer
    assert (zspy.file_reader(f"{web.url}.zip")[0]["data"] == 4).all()
    monkeypatch.setattr("zspy.stores.web._LONGEST_ANSWER", len(data) - 1)
    with pytest.raises(FormatError):
        zspy.file_reader(f"{web.url}.zip")


@pytest.mark.parametrize("status", [200, 416])
def test_a_server_that_counts_from_the_beginning_alone_is_told_where_the_end_begins(
    status: int, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.far._TAIL", 1000)
    monkeypatch.setattr("zspy.stores.web._LONGEST_ANSWER", 2000)
    data = zipped(4)
    size = len(data)
    assert size > 2000

    def answer(request: Any, key: str) -> Answered:
        asked = request.headers.get("Range") or ""
        if key or not asked.startswith("bytes=-"):
            return plain({"": data})(request, key)
        if status == 416:
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        return 200, {"Accept-Ranges": "bytes"}, data

    web.answer = answer
    assert (zspy.file_reader(f"{web.url}.zip")[0]["data"] == 4).all()
    assert [asked for _, asked in web.seen[:2]] == [
        "bytes=-1000",
        f"bytes={size - 1000}-{size - 1}",
    ]


def test_a_server_that_refuses_to_count_from_the_end_is_asked_for_all(web: Any) -> None:
    data = zipped(4)

    def answer(request: Any, key: str) -> Answered:
        is_refused = (request.headers.get("Range") or "").startswith("bytes=-")
        return (416, {}, b"") if is_refused else plain({"": data})(request, key)

    web.answer = answer
    assert (zspy.file_reader(f"{web.url}.zip")[0]["data"] == 4).all()


@pytest.mark.parametrize("kind", ["zip", "consolidated"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_what_is_not_there_may_be_called_forbidden(
    zarr_format: Literal[2, 3], kind: str, web: Any
) -> None:
    documents = documents_of(3, consolidate=True, zarr_format=zarr_format)
    served = plain({"": zipped(3, zarr_format=zarr_format)} if kind == "zip" else documents)

    def answer(request: Any, key: str) -> Answered:
        status, headers, body = served(request, key)
        return 403 if status == 404 else status, headers, body

    web.answer = answer
    for lazy in (False, True):
        (found,) = zspy.file_reader(web.url, lazy=lazy)
        assert (np.asarray(found["data"]) == 3).all()
    web.answer = always((403, {}, b""))
    with pytest.raises(FormatError, match="status 403"):
        zspy.file_reader(web.url)


@pytest.mark.parametrize("tail", [2**18, 1000])
@pytest.mark.parametrize("name", ["scan.zspy", "scan.zip"])
def test_a_zip_that_is_cut_off_is_told(
    name: str, tail: int, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.far._TAIL", tail)
    web.answer = plain({"": zipped(4)[:-2000]})
    with pytest.raises(FormatError, match="the zip has no directory; it may be cut off"):
        zspy.file_reader(web.url.replace("scan.zspy", name))


@pytest.mark.parametrize("kind", ["replaced", "gone", "damaged"])
def test_a_zip_that_was_replaced_is_told_from_one_that_is_damaged(
    kind: str, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.far._TAIL", 1000)
    monkeypatch.setattr("zspy.stores.far._AHEAD", 1000)
    data = zipped(4, chunks=(1, 30, 40))
    web.answer = plain({"": data})
    (lazy,) = zspy.file_reader(f"{web.url}.zip", lazy=True)
    chunk = np.full((1, 30, 40), 4).tobytes()
    others = {
        "replaced": {"": zipped(5, chunks=(2, 30, 40))},
        "gone": {},
        "damaged": {"": data.replace(chunk, bytes(len(chunk)), 1)},
    }
    web.answer = plain(others[kind])
    told = "the file is damaged" if kind == "damaged" else "replaced while it was read; open it"
    with pytest.raises(FormatError, match=told):
        lazy["data"].compute()


def test_the_directory_of_a_zip_may_be_larger_than_what_is_asked_for_first(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.far._TAIL", 100)
    data = zipped(4, chunks=(1, 30, 40))
    web.answer = plain({"": data})
    assert (zspy.file_reader(f"{web.url}.zip")[0]["data"] == 4).all()
    assert web.seen[0][1] == "bytes=-100"
    web.answer = plain({"": data[:-50] + bytes(50)})
    with pytest.raises(FormatError):
        zspy.file_reader(f"{web.url}.zip")


def test_a_zip_beyond_four_gigabytes_has_another_end() -> None:
    end_64 = b"PK\6\6" + bytes(36) + (10).to_bytes(8, "little") + (2**33).to_bytes(8, "little")
    locator = b"PK\6\7" + bytes(16)
    end = b"PK\5\6" + bytes(8) + b"\xff" * 8 + bytes(2)
    assert far._directory(bytes(15) + end_64 + locator + end) == (5, 2**33)


@pytest.mark.parametrize("place", ["memory", "s3fs"])
def test_a_zip_is_put_to_a_url(place: str, bucket: str, server: tuple[str, Counted]) -> None:
    url, options = f"memory://{bucket}/scan.zspy", dict[str, Any]()
    if place != "memory":
        url, options = place_of(place, bucket, server[0])
    for number in (1, 2):
        zspy.file_writer(url, signal_of(number), store_type="zip", **QUIET, **options)
    server[1].seen.clear()
    (signal,) = zspy.file_reader(url, **options)
    assert (signal["data"] == 2).all()
    assert all(kind in ("GET", "LIST", "HEAD") for kind, _ in server[1].seen)
    zspy.file_writer(f"{url}.new", signal_of(1), **QUIET, **options)
    with pytest.raises(EncodeError, match="there are documents below it"):
        zspy.file_writer(f"{url}.new", signal_of(1), store_type="zip", **QUIET, **options)
    with pytest.raises(EncodeError, match="of the kind 'dbm' is made at a path"):
        zspy.file_writer(f"{url}.new", signal_of(1), store_type="dbm", **QUIET, **options)


@pytest.mark.parametrize("name", ["scan.zspy", "scan.zspy.zip"])
def test_a_zip_at_a_url_stays_one_or_is_refused(name: str, bucket: str) -> None:
    url = f"memory://{bucket}/{name}"
    zspy.file_writer(url, signal_of(1), store_type="zip", **QUIET)
    zspy.update(url, {"beam": 200}, sync=False)
    zspy.file_writer(url, signal_of(2), write_dataset=False, overwrite=True, **QUIET)
    (signal,) = zspy.file_reader(url)
    assert (signal["data"] == 1).all()
    for overwrite in (None, True):
        with pytest.raises(EncodeError, match=r'a zip is there.*store_type="zip"'):
            zspy.file_writer(url, signal_of(2), overwrite=overwrite, **QUIET)
    with pytest.raises(EncodeError, match="'zip' does not grow"):
        zspy.file_writer(url, signal_of(2), append_dim=0, **QUIET)
    with pytest.raises(EncodeError, match="'zip' does not grow"):
        zspy.append(url, axis=0)
    zspy.file_writer(url, signal_of(3), store_type="zip", **QUIET)
    with closing(opened(url)) as file:
        assert isinstance(file, far.FarZip)
    assert (zspy.file_reader(url)[0]["data"] == 3).all()


def test_a_directory_is_what_is_made_at_a_url(bucket: str) -> None:
    url = f"memory://{bucket}/scan.zspy"
    zspy.file_writer(url, signal_of(1), store_type="local", **QUIET)
    zspy.update(url, {"beam": 200}, sync=False)
    assert zspy.file_reader(f"{url}/")[0]["metadata"]["beam"] == 200


def test_what_is_of_no_node_stays_in_a_zip_at_a_url(bucket: str) -> None:
    url = f"memory://{bucket}/scan.zspy"
    zspy.file_writer(url, signal_of(1), store_type="zip", **QUIET)
    with closing(opened(url)) as file:
        documents = {**file, "notes.txt": b"mine"}
    zspy.commit(documents, url, store_type="zip")
    zspy.file_writer(url, signal_of(2), store_type="zip", **QUIET)
    assert zspy.fetch(url)["notes.txt"] == b"mine"


def test_no_more_than_a_directory_is_asked_for_at_the_end_of_a_zip(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far, "_TAIL", 2**7)
    monkeypatch.setattr(far, "_LONGEST_DIRECTORY", 2**10)
    url = f"memory://{bucket}/scan.zspy"
    zspy.file_writer(url, signal_of(1), store_type="zip", **QUIET)
    with pytest.raises(FormatError):
        zspy.file_reader(url)
    monkeypatch.setattr(far, "_LONGEST_DIRECTORY", 2**16)
    assert (zspy.file_reader(url)[0]["data"] == 1).all()


def listing(documents: dict[str, bytes], here: str = "") -> Callable[[Any, str], Answered]:
    """Answer as a server does that lists folders; `here` stands before what lies in one."""

    def answer(request: Any, key: str) -> Answered:
        key = key.replace("/./", "/").removeprefix("./")
        if key in documents:
            return plain(documents)(request, key)
        folder = f"{key.rstrip('/')}/".lstrip("/")
        below = {one[len(folder) :] for one in documents if one.startswith(folder)}
        names = {one.partition("/")[0] + "/" * ("/" in one) for one in below}
        links = "".join(f'<a href="{here}{quote(name)}">{name}</a>' for name in sorted(names))
        page = f'<a href="?C=N;O=D">Name</a><a href="../">up</a>{links}'.encode()
        return (200, {"Content-Type": "text/html"}, page) if below else (404, {}, b"")

    return answer


@pytest.mark.parametrize("here", ["", "./"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_web_server_that_lists_folders_serves_any_file(
    zarr_format: Literal[2, 3], here: str, web: Any
) -> None:
    signal = signal_of(5)
    signal["metadata"]["General"]["title"] = "a b%c"
    documents: dict[str, bytes] = {}
    zspy.file_writer(documents, signal, consolidate=False, zarr_format=zarr_format, **QUIET)
    web.answer = listing(documents, here)
    (found,) = zspy.file_reader(web.url)
    assert found["metadata"]["General"]["title"] == "a b%c"
    assert (found["data"] == 5).all()
    (lazy,) = zspy.file_reader(web.url, lazy=True)
    assert (np.asarray(lazy["data"]) == 5).all()


@pytest.mark.parametrize("cache", ["", "simplecache::"])
@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize("title", ["Fe: map", "100%25 #1?"])
def test_a_key_that_looks_like_a_part_of_a_url_is_asked_for_as_it_is(
    title: str, is_listed: bool, cache: str, web: Any, tmp_path: Path
) -> None:
    metadata = {"General": {"title": title}, title: {title: {"a": np.arange(3)}}}
    signal = {"data": np.full(4, 5), "axes": [{"size": 4}], "metadata": metadata}
    documents: dict[str, bytes] = {}
    zspy.file_writer(documents, signal, consolidate=not is_listed, **QUIET)
    web.answer = (listing if is_listed else plain)(documents)
    options = {"simplecache": {"cache_storage": str(tmp_path)}} if cache else None
    for lazy in (False, True):
        (found,) = zspy.file_reader(cache + web.url, lazy=lazy, storage_options=options)
        assert (np.asarray(found["data"]) == 5).all()
        assert (found["metadata"][title][title]["a"] == range(3)).all()
    with closing(opened(located(web.url))) as file:
        sizes = dict(file.sizes())
    assert sizes == {key: len(documents[key]) for key in sizes}
    if is_listed:
        group = next(key for key in documents if key.endswith("/data/.zarray")).rpartition("/data")[
            0
        ]
        store = located(web.url)
        assert "data" in run(names_in(store, group))
        below = [key for key in documents if key.startswith(f"{group}/metadata/")]
        assert sorted(run(keys_below(store, f"{group}/metadata/"))) == sorted(below)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_each_folder_but_those_of_chunks_is_listed_with_one_request(
    zarr_format: Literal[2, 3], web: Any
) -> None:
    web.answer = listing(documents_of(1, consolidate=False, zarr_format=zarr_format), "./")
    zspy.file_reader(web.url, lazy=True)
    asked = [key for key, _ in web.seen]
    folders = [key for key in asked if key.endswith("/")]
    assert len({*folders}) == len(folders) > 5
    assert not [key for key in asked if re.search(r"/data/(c/)?\d", key)]


def in_each_folder(page: bytes) -> Any:
    """Make a server that has this page for each folder, and no document."""

    def answer(_: Any, key: str) -> Answered:
        is_folder = not key or key.endswith("/")
        return (200, {"Content-Type": "text/html"}, page) if is_folder else (404, {}, b"")

    return answer


def test_a_web_server_whose_folders_have_no_end_is_refused(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.web._DEEPEST", 5)
    page = b'<a href="/">top</a><a href="./">here</a><a href="a/">a</a>'

    web.answer = in_each_folder(page)
    with pytest.raises(FormatError, match="in one another without an end"):
        zspy.file_reader(web.url)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_no_more_of_a_page_is_read_than_a_folder_has(
    encoding: str, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.web._LONGEST_ANSWER", 2**16)
    page = b" " * 2**20
    body = gzip.compress(page) if encoding == "gzip" else page

    def answer(_: Any, key: str) -> Answered:
        headers = {"Content-Type": "text/html", "Content-Encoding": encoding}
        return (200, headers, body) if not key or key.endswith("/") else (404, {}, b"")

    web.answer = answer
    with pytest.raises(FormatError, match="lists more than any folder has"):
        zspy.file_reader(web.url)


def test_a_page_without_a_link_is_looked_at_once(web: Any) -> None:
    page = b"<a" + b" " * 2**18 + b"<a " * 2**18

    web.answer = in_each_folder(page)
    with pytest.raises(FormatError):
        zspy.file_reader(web.url)


def test_a_web_server_whose_folders_double_is_asked_for_no_more_than_the_most(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zspy.stores.web._MOST_FOLDERS", 20)
    page = b'<a href="a/">a</a><a href="b/">b</a>'

    web.answer = in_each_folder(page)
    with pytest.raises(FormatError, match="more than 20 folders"):
        zspy.file_reader(web.url)
    assert len([key for key, _ in web.seen if key.endswith("/")]) <= 20


@pytest.mark.parametrize("page", [b"yes", b"{}", b'<a href="a">a</a>'])
def test_no_key_of_a_web_server_is_the_url_itself(page: bytes, web: Any) -> None:
    def answer(_: Any, __: str) -> Answered:
        return 200, {"Content-Type": "text/html"}, page

    web.answer = answer
    with suppress(zspy.ZspyError):
        assert not [key for key in zspy.fetch(f"{web.url}?token=hidden") if "hidden" in key]


@pytest.mark.parametrize("status", [404, 403])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_web_server_that_lists_nothing_needs_consolidated_metadata(
    zarr_format: Literal[2, 3], status: int, web: Any
) -> None:
    documents = documents_of(1, consolidate=False, zarr_format=zarr_format)

    def answer(request: Any, key: str) -> Answered:
        is_folder = not key or key.endswith("/")
        return (status, {}, b"") if is_folder else plain(documents)(request, key)

    web.answer = answer
    match = "lists no documents, and there is no consolidated metadata; write it with"
    with pytest.raises(FormatError, match=match):
        zspy.file_reader(web.url)


def test_a_folder_of_a_file_that_may_not_be_listed_is_an_error(web: Any) -> None:
    listed = listing(documents_of(1, consolidate=False))

    def answer(request: Any, key: str) -> Answered:
        is_forbidden = key.endswith("metadata/")
        return (403, {}, b"") if is_forbidden else listed(request, key)

    web.answer = answer
    with pytest.raises(FormatError, match=r"it cannot be listed .*403"):
        zspy.file_reader(web.url)


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("end", ["", "#part", f"?token={SECRET}", f"?token={SECRET}#part"])
def test_what_is_written_to_a_web_server_lies_below_its_url(
    end: str, kind: str, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a query or a "#", each document took the place of the one at the URL itself."""
    documents: dict[str, bytes] = {}

    def put(request: Any) -> None:
        size = int(request.headers.get("Content-Length") or 0)
        key = unquote(request.path.partition("?")[0]).lstrip("/").partition("/")[2]
        assert request.path.partition("?")[2] == end.strip("?").partition("#")[0]
        if size:
            documents[key] = request.rfile.read(size)
        else:
            documents[key] = b""
            while size := int(request.rfile.readline(), 16):
                documents[key] += request.rfile.read(size + 2)[:-2]
        request.send_response(201)
        request.send_header("Content-Length", "0")
        request.end_headers()

    monkeypatch.setattr(Answer, "do_PUT", put, raising=False)
    web.answer = listing(documents) if kind == "folder" else plain(documents)
    options: dict[str, Any] = {"store_type": "zip"} if kind == "zip" else {}
    zspy.file_writer(f"{web.url}{end}", signal_of(3), **QUIET, **options)
    assert ("" in documents) == (kind == "zip")
    assert (zspy.file_reader(f"{web.url}{end}")[0]["data"] == 3).all()
    store = located(f"{web.url}{end}")
    assert run(store.exists(".zgroup")) == (kind == "folder")
    with pytest.raises(FormatError, match="cannot be written"):
        run(store.delete(".zgroup"))  # fsspec removes nothing from a web server
    with pytest.raises(FormatError, match="ValueError"):
        run(store.with_read_only(True).set("new", cpu.Buffer.from_bytes(b"1")))
    assert "new" not in documents


HIDDEN: Final = "hidden"


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("kind", ["FsspecStore", "FSMap", "StorePath", "HTTPStore", "ObjectStore"])
def test_an_object_shows_no_more_of_its_url_than_a_text(kind: str, status: int, web: Any) -> None:
    url = f"http://hidden-user:hidden-word@127.0.0.1:{web.server_port}/hidden/scan.zspy"
    web.answer = always((status, {}, b"hidden body"))
    of_obstore: Any = import_module("obstore.store").HTTPStore(
        url, client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    of_fsspec = FsspecStore.from_url(url)
    place: Any = {
        "FsspecStore": of_fsspec,
        "FSMap": import_module("fsspec").get_mapper(url),
        "StorePath": StorePath(of_fsspec),
        "HTTPStore": of_obstore,
        "ObjectStore": ObjectStore(of_obstore),
    }[kind]
    where = f"http://127.0.0.1:{web.server_port}"
    assert HIDDEN not in str(zspy.check(place))
    for ask in (zspy.file_reader, zspy.open_group, zspy.update):
        with pytest.raises(FormatError, match=rf"^{where}: it cannot be ") as told:
            ask(place)
        assert HIDDEN not in f"{told.value!r} {told.value.__cause__!r} {told.value.__context__!r}"
    assert str(located(place)) == where


def test_a_store_of_obstore_without_a_url_has_the_name_of_its_kind() -> None:
    store: Any = cast("Any", S3Store)("bucket", region="r", skip_signature=True)
    assert str(located(store)) == "S3Store"


@pytest.mark.parametrize("status", [401, 403, 500])
def test_no_part_of_a_url_is_in_an_error(
    status: int, web: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="zspy")
    documents = documents_of(1, consolidate=True)
    place = f"http://hidden-user:hidden-word@127.0.0.1:{web.server_port}/hidden/scan.zspy"
    options = {"headers": {"X-Token": "hidden-token"}}

    def refuse(_: Any, key: str) -> Answered:
        if key.endswith(".zmetadata") and status == 500:
            return 200, {}, documents[".zmetadata"]
        return status, {}, b"hidden body"

    web.answer = refuse
    match = rf"^http://127.0.0.1:\d+: it cannot be .*{status}"

    def read() -> None:
        (signal,) = zspy.file_reader(place, storage_options=options, lazy=True)
        np.asarray(signal["data"])

    with pytest.raises(FormatError, match=match) as told:
        read()
    error: BaseException | None = told.value
    while error is not None:
        assert HIDDEN not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    assert HIDDEN not in caplog.text
    store = located(place, options)
    assert HIDDEN not in f"{store} {store!r} {zarr_repr(store)}"


def zarr_repr(store: Any) -> str:
    try:
        cast("Any", zarr).open_group(store, mode="r")
    except Exception as error:  # noqa: BLE001 - of whatever kind
        return f"{error!r} {error.__cause__!r} {error.__context__!r}"
    return ""


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://me:word@example.org:8080/path?sig=x#y", "https://example.org:8080"),
        ("https://me:wo/rd@example.org/x", "https://"),
        ("https://me:wo#rd@example.org/x", "https://"),
        ("https://me:wo?rd@example.org/x", "https://"),
        ("https://[::1]:80/x", "https://[::1]:80"),
        ("s3://bucket/x", "s3://bucket"),
        ("simplecache::s3://key:word@bucket/x", "simplecache::s3://bucket"),
        ("zip://secret.zspy::https://me:word@example.org/a", "zip::https://example.org"),
        ("https://exa mple/x", "https://"),
        ("no kind://x", "URL"),
        ("https://secret:word", "https://"),
        ("https://host", "https://host"),
    ],
)
def test_the_name_of_a_url_is_its_kind_and_host(url: str, name: str) -> None:
    assert shown(url) == name


def test_a_document_of_a_web_server_is_read_up_to_its_limit(web: Any) -> None:
    bomb = gzip.compress(bytes(2**28))

    def answer(_: Any, key: str) -> Answered:
        if key == ".zgroup":
            return 200, {"Content-Encoding": "gzip"}, bomb
        return 404, {}, b""

    web.answer = answer
    with closing(opened(located(web.url))) as file:
        assert len(file.read(".zgroup", slice(0, 1000))) == 1000
        assert len(file.read(".zgroup", slice(100, 1000))) == 900
        assert len(file.read(".zgroup", slice(-10, None))) == 10
    big = bytes(2**27)
    web.answer = always((200, {}, big))
    web.sent = 0
    with closing(opened(located(web.url))) as file:
        assert len(file.read(".zgroup", slice(0, 1000))) == 1000
    assert web.sent < 2**27


def test_what_a_web_server_encodes_is_decoded(web: Any) -> None:
    documents = documents_of(5, consolidate=True)

    def answer(request: Any, key: str) -> Answered:
        status, _, data = plain(documents)(request, key)
        return status, {"Content-Encoding": "gzip"}, gzip.compress(documents.get(key, data))

    web.answer = answer
    assert (zspy.file_reader(web.url)[0]["data"] == 5).all()
    web.answer = always((200, {"Content-Encoding": "br"}, b"x"))
    with pytest.raises(FormatError, match="encoded in a way of its own"):
        zspy.file_reader(web.url)
    web.answer = always((206, {"Content-Encoding": "gzip"}, b"x"))
    with pytest.raises(FormatError, match="sends a part where all was asked for"):
        zspy.file_reader(web.url)


@pytest.mark.parametrize("key", ["a/../../x/.zarray", "../.zgroup", "a/./.zgroup", "/x/.zgroup"])
def test_a_key_that_leads_out_of_a_remote_file_is_refused(key: str, web: Any) -> None:
    group = b'{"zarr_format": 2}'
    listing = {"metadata": {".zgroup": {"zarr_format": 2}, key: {"zarr_format": 2}}}
    web.answer = plain({".zgroup": group, ".zmetadata": json.dumps(listing).encode()})
    with pytest.raises(FormatError, match="a key that leads out of the file"):
        zspy.file_reader(web.url)


async def failing(*_: Any, **__: Any) -> Any:
    raise ValueError(HIDDEN)


async def failing_list(*prefixes: str) -> AsyncIterator[str]:
    if prefixes != ("none",):
        raise ValueError(HIDDEN)
    yield ""


CALLS: Final[dict[str, tuple[Any, ...]]] = {
    "get": ("a", default_buffer_prototype()),
    "get_partial_values": (default_buffer_prototype(), [("a", None)]),
    "exists": ("a",),
    "getsize": ("a",),
    "getsize_prefix": ("",),
    "is_empty": ("",),
    "set": ("b", cpu.Buffer.from_bytes(b"2")),
    "set_if_not_exists": ("b", cpu.Buffer.from_bytes(b"2")),
    "delete": ("b",),
    "delete_dir": ("c",),
    "clear": (),
}
MADE_OF: Final = {
    "get_partial_values": ("get", "_open"),
    "getsize_prefix": ("list_prefix",),
    "is_empty": ("list_prefix",),
    "clear": ("delete_dir",),
    "set_if_not_exists": ("set",),
}
LISTS: Final[dict[str, tuple[str, ...]]] = {"list": (), "list_prefix": ("",), "list_dir": ("",)}


@pytest.mark.parametrize("name", [*CALLS, *LISTS, "_open"])
def test_whatever_is_asked_of_a_store_behind_a_url_hides_that(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(store: Any) -> Any:
        if name in LISTS:
            return [key async for key in getattr(store, name)(*LISTS[name])]
        return await getattr(store, name)(*CALLS.get(name, ()))

    async def used(store: Any) -> Any:
        await store.set("a", cpu.Buffer.from_bytes(b"1"))
        return await asked(store)

    inner = MemoryStore()
    store = Guarded(inner, "kind://host")
    if name != "_open":  # it is open
        asyncio.run(used(store))
    inner = MemoryStore()
    for one in MADE_OF.get(name, (name,)):
        monkeypatch.setattr(inner, one, failing_list if one in LISTS else failing)
    with pytest.raises(FormatError, match=r"^kind://host: it cannot be \w+ \(ValueError\); see"):
        asyncio.run(asked(Guarded(inner, "kind://host")))


def test_nothing_but_what_hides_that_asks_a_store_behind_a_url() -> None:
    """A method that a release of zarr-python adds is not to go around it."""
    asking = {
        name
        for name, one in vars(WrapperStore).items()
        if inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
    }
    assert asking <= {*vars(Guarded), "set_partial_values"}  # which 3.1 has, and nobody calls


def test_the_size_of_what_is_not_there_is_none() -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        asyncio.run(Guarded(MemoryStore()).getsize("nothing"))
    empty = MemoryStore({"a": default_buffer_prototype().buffer.from_bytes(b"")})
    assert asyncio.run(Guarded(empty).getsize("a")) == 0


def test_parts_of_documents_of_a_web_server(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    web.answer = plain({"a": b"0123456789"})
    with closing(opened(located(web.url))) as file:
        for part in (slice(None), slice(2, 5), slice(7, None), slice(-3, None), slice(3, 3)):
            assert file.read("a", part) == b"0123456789"[part]
        assert file.read("a", slice(20, 30)) == b""
        monkeypatch.setattr("zspy.stores.web.LARGEST", 5)
        with pytest.raises(FormatError, match="sends more than any document has"):
            file.read("a")


def test_what_is_too_large_to_be_read_ahead_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"memory://{uuid4().hex}"
    zspy.file_writer(place, signal_of(4), consolidate=True, **QUIET)
    for name, value in {"_CONSOLIDATED": 10, "_READ_TOGETHER": 1, "_READ_AHEAD": 0}.items():
        monkeypatch.setattr(f"zspy.stores.zarr_store.{name}", value)
    assert (zspy.file_reader(place)[0]["data"] == 4).all()


REQUESTS: Final = {
    2: {"append": 14, "region": 3, "update": 30},
    3: {"append": 14, "region": 3, "update": 22},
}
"""How many there are in docs/howto/cloud.md."""


def grow(place: Any, data: Any, note: Callable[[str], None], **more: Any) -> Any:
    """Make a file, append to it twice, write a region, and update the metadata."""

    def part(begin: int, end: int) -> dict[str, Any]:
        axes = [{"name": "y", "navigate": True}, {"name": "x"}]
        metadata = {"General": {"title": "t"}}
        return {"data": data[begin:end], "axes": axes, "metadata": metadata}

    zarr_format = more.pop("zarr_format")
    options: dict[str, Any] = {**QUIET, **more}
    zspy.file_writer(place, part(0, 4), zarr_format=zarr_format, chunks=(2, 5), **options)
    for begin in (4, 8):
        note("append")
        zspy.file_writer(place, part(begin, begin + 4), append_dim="y", **options)
    note("region")
    zspy.file_writer(place, part(0, 2), region={"y": slice(2, 4)}, **options)
    note("update")
    zspy.update(place, {"n": 1}, title="t", sync=False, **more)
    note("read")
    (found,) = zspy.file_reader(place, **more)
    return found


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_remote_file_grows_as_a_local_one_does_with_few_requests(
    client: str,
    zarr_format: Literal[2, 3],
    bucket: str,
    server: tuple[str, Counted],
    tmp_path: Path,
) -> None:
    endpoint, counted = server
    place, options = place_of(client, bucket, endpoint)
    data = np.arange(60, dtype="u2").reshape(12, 5)
    begins: dict[str, int] = {}
    counted.seen.clear()

    def note(name: str) -> None:
        begins[name] = len(counted.seen)

    found = grow(place, data, note, zarr_format=zarr_format, **options)
    local = grow(tmp_path / "local", data, lambda _: None, zarr_format=zarr_format)
    assert np.array_equal(found["data"], local["data"])
    assert np.array_equal(found["data"], np.vstack([data[:2], data[:2], data[4:]]))
    assert found["axes"] == local["axes"]
    assert found["metadata"] == local["metadata"] == {"General": {"title": "t"}, "n": 1}
    ends = [*begins.values()]
    kinds = {
        name: [kind for kind, _ in counted.seen[begin:end]]
        for (name, begin), end in zip(begins.items(), ends[1:], strict=False)
    }
    assert kinds["append"].count("PUT") == 2 + 6  # two chunks, and what says that it is larger
    assert kinds["region"].count("PUT") == 1
    if client == "obstore":  # s3fs looks whether a key that is not there is a folder
        assert {name: len(kinds[name]) for name in kinds} == REQUESTS[zarr_format]


@pytest.mark.parametrize("name", ["run#3.zspy", "run?3.zspy", "host"])
def test_a_url_of_a_local_file_names_that_file_or_is_refused(name: str, tmp_path: Path) -> None:
    place = "file://host/x.zspy" if name == "host" else f"{tmp_path.as_uri()}/{name}"
    with pytest.raises(EncodeError, match=r"has no host, '\?' or '#'; use the path"):
        zspy.file_writer(place, {"data": np.arange(3), "axes": [], "metadata": {}}, **QUIET)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["http:/{}", "s3:/{}", "HTTPS:/{}", "simplecache::http:/{}"])
@pytest.mark.parametrize("make", [str, Path])
def test_a_url_that_has_lost_a_slash_is_not_shown(
    text: str, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a path, as `Path` makes one of a URL, and shown with its password."""
    monkeypatch.chdir(tmp_path)
    place = make(text.format("me:word@example.org/scan.zspy"))
    for ask in (zspy.file_reader, zspy.check, zspy.fetch, zspy.open_group, zspy.update):
        with pytest.raises(
            zspy.EncodeError, match=r'one slash .*; use a text, such as "https:'
        ) as e:
            ask(place)
        assert "word" not in str(e.value)


@pytest.mark.parametrize("options", [None, {"auto_mkdir": False}])
@pytest.mark.parametrize("place", ["{}://me:word@host/x.zspy", "{}://host/me:word@a?b"])
@pytest.mark.parametrize("scheme", ["file", "local", "FILE"])
def test_a_url_of_a_local_file_shows_no_password(scheme: str, place: str, options: Any) -> None:
    """With options, fsspec made a path below the current folder of it."""
    with pytest.raises(EncodeError, match="has no host") as e:
        zspy.file_reader(place.format(scheme), storage_options=options)
    assert "word" not in str(e.value)


def test_a_url_without_its_kind_is_not_shown() -> None:
    for ask in (zspy.file_reader, zspy.check, zspy.update):
        with pytest.raises(EncodeError, match="a URL that is a path") as e:
            ask("//me:word@example.org/scan.zspy")
        assert "word" not in str(e.value)


def test_a_folder_may_have_the_name_of_a_kind_of_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    zspy.commit({".zgroup": b"{}"}, "http:/scan.zspy")
    assert zspy.fetch("http:/scan.zspy")[".zgroup"] == b"{}"


@pytest.mark.parametrize("overwrite", [None, False])
def test_options_that_reach_nothing_are_to_be_mended_and_nothing_overwritten(
    overwrite: bool | None,
) -> None:
    options = {"profile": "no such profile"}
    with pytest.raises(EncodeError, match=r"ProfileNotFound\); see whether the URL and"):
        zspy.file_writer(
            "s3://bucket/scan.zspy", signal_of(1), overwrite=overwrite, storage_options=options
        )


@pytest.mark.parametrize("room", [0, 4, 18, 80])
def test_a_zip_that_ends_in_nothing_is_no_zip(room: int, bucket: str) -> None:
    """The place of its directory is told by what is not there, or is cut off."""
    end = b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18)
    url = f"memory://{bucket}/scan.zip"
    for data in (bytes(room) + end, end[20 : 20 + room], b"PK\6\6" + bytes(room) + end):
        client: Any = import_module("fsspec").filesystem("memory")
        client.pipe(url, data)
        with pytest.raises(FormatError):
            zspy.file_reader(url)


def test_a_server_sends_nobody_to_a_local_file_nor_a_password_to_another_host(
    web: Any, tmp_path: Path
) -> None:
    zspy.file_writer(tmp_path / "scan.zspy", signal_of(1), consolidate=True, **QUIET)

    def send(_: Any, key: str) -> Answered:
        return 302, {"Location": f"{tmp_path.as_uri()}/scan.zspy/{key}"}, b""

    web.answer = send
    with pytest.raises(FormatError, match="NonHttpUrlRedirectClientError"):
        zspy.file_reader(web.url)
    seen: list[tuple[bool, bool]] = []
    served = plain(documents_of(3, consolidate=True))

    def answer(request: Any, key: str) -> Answered:
        is_first = request.headers["Host"].startswith("127.")
        seen.append((is_first, "Authorization" in request.headers))
        to = f"http://localhost:{web.server_port}/scan.zspy/{quote(key)}"
        return (302, {"Location": to}, b"") if is_first else served(request, key)

    web.answer = answer
    url = web.url.replace("://", "://me:word@")
    options = {"headers": {"Authorization": "Bearer x"}}
    for place, given in ((url, None), (web.url, options)):
        (found,) = zspy.file_reader(place, storage_options=given)
        assert (found["data"] == 3).all()
    assert {*seen} == {(True, True), (False, False)}


PAGES: Final = {
    "http://one.org/a": '<a href="http://one.org/a/x">, <a href="https://one.org/a/y/">, '
    '<a href="/a/z">, <a href="w">, <a href="http://other.org/a/v">, <a href="../">, '
    '<a href="http_info/">, <a href="https">',
    "http://one.org/b/": '<a href="x">',
    "http://one.org/c/": "nothing",
    "http://one.org/c": '<a href="x">',
}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("http://one.org/a", ["x", "y/", "z", "w", "http_info/", "https"]),
        ("http://one.org/b/", ["x"]),
        ("http://one.org/c/", ["x"]),
    ],
)
def test_links_below_a_page_are_found_however_they_are_written(
    page: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whole URLs, of http or https, from the root of the server, or from the page."""

    async def downloaded(_client: object, url: str, *_: object, **_options: object) -> bytes | None:
        return PAGES[url].encode() if url in PAGES else None

    monkeypatch.setattr(web_pages, "_download", downloaded)
    assert asyncio.run(web_pages._links_in(None, page)) == names
    with pytest.raises(FileNotFoundError):
        asyncio.run(web_pages._links_in(None, "http://one.org/none"))
