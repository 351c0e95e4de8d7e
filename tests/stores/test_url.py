"""Object storage: a server on the loopback counts what is asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, Literal, cast
from uuid import uuid4

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

import zspy
from zspy import FormatError

# s3fs speaks of the versions that it finds beside it
pytestmark = pytest.mark.filterwarnings("ignore:Your instal:UserWarning")

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
            assert len(paths) <= 2
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


def test_no_secret_is_in_an_error(server: tuple[str, Counted]) -> None:
    endpoint, _ = server
    place, options = place_of("s3fs", "no-such-bucket", endpoint)
    with pytest.raises((FormatError, OSError)) as error:
        zspy.file_writer(place, signal_of(1), **QUIET, **options)
    assert SECRET not in json.dumps([str(error.value), repr(error.value)])
    with pytest.raises(FormatError) as missing:
        zspy.file_reader(place, **options)
    assert SECRET not in str(missing.value)
