"""The changes that CONTRIBUTING.md describes, each made from outside in a copy of the package.

Each touches the files that the page names, and no others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

A_CODEC: Final = (
    "documents/codecs.py",
    "_TABLE: Final = (\n",
    '    Codec(id="base64", compresses=True),\n',
)
A_CODEC_OF_NUMBERS: Final = (
    "documents/codecs.py",
    "_TABLE: Final = (\n",
    '    _compressor("halves", bounded.decode_into, takes="numbers", dtypes=("<i8",)),\n',
)
A_DTYPE: Final = (
    "documents/dtypes.py",
    '    "bytes": "vlen-bytes",\n',
    '    "variable_length_utf8": "vlen-utf8",\n',
)
AN_AXIS: Final = (
    "values/axes.py",
    "AXIS_TYPES: Final = (\n",
    """    AxisType(
        "PowerAxis",
        "base",
        "size",
        lambda axis, size, where: axis["base"] ** np.arange(size),
        {"base": 10.0},
        released=False,
    ),
""",
)
A_TYPE: Final = (
    "values/foreign.py",
    "FOREIGN_TYPES: Final = {\n",
    """    "ipaddress.IPv6Interface": ValueType(
        None, (str,), str, lambda plain: import_module("ipaddress").IPv6Interface(plain)
    ),
""",
)
A_BACKEND: Final = (
    "stores/backends.py",
    "BACKENDS: Final = (\n",
    '    Backend("netstring", "file of netstrings", "netstring"),\n',
)
BACKEND_FILE: Final = '''
"""Files of netstrings, in which keys and documents alternate."""

from contextlib import contextmanager

from .mapping import GatheringSink, Mapped
from .replace import replacing_path


def recognise(path):
    return path.is_file() and path.read_bytes()[:8] == b"9:strings"[:8]


def opened(path):
    data, parts = path.read_bytes(), []
    while data:
        size, _, rest = data.partition(b":")
        parts.append(rest[: int(size)])
        data = rest[int(size) :]
    return Mapped({key.decode(): value for key, value in zip(parts[2::2], parts[3::2])})


class NetstringSink(GatheringSink):
    def __init__(self, path):
        self.path = path

    def close(self):
        parts = [b"strings!!", b"", *(part for key in self for part in (key.encode(), self[key]))]
        self.path.write_bytes(b"".join(b"%d:%s" % (len(part), part) for part in parts))


def replacing(path, sync, written):
    return replacing_path(path, NetstringSink, folder=False, sync=sync)
'''
A_FOLDER: Final = (
    "stores/backends.py",
    "BACKENDS: Final = (\n",
    '    Backend("flat", "flat folder", "flat"),\n',
)
FOLDER_FILE: Final = '''
"""Flat folders: each document is a file, which has the quoted key for a name."""

from urllib.parse import quote, unquote

from .mapping import GatheringSink, Mapped
from .replace import replacing_path

_MAGIC = ".flatkeys"


def recognise(path):
    return (path / _MAGIC).is_file()


def unowned(keys):
    return [key for key in keys if "/" in key or quote(unquote(key), safe="") != key]


def opened(path):
    files = [one for one in path.iterdir() if one.name != _MAGIC and not unowned([one.name])]
    return Mapped({unquote(one.name): one.read_bytes() for one in files})


class FlatSink(GatheringSink):
    def __init__(self, path):
        self.path = path

    def close(self):
        (self.path / _MAGIC).write_bytes(b"")
        for key in self:
            (self.path / quote(key, safe="")).write_bytes(self[key])


def replacing(path, sync, written):
    return replacing_path(path, FlatSink, folder=True, sync=sync)
'''
A_COMMAND: Final = ("apps/cli.py", "COMMANDS: Final = (\n", '    "tally",\n')
COMMAND_FILE: Final = '''
"""``zspy tally``: how many signals files hold."""

from ...files.reader import file_reader
from ..arguments import FILES, SAME, Command
from ..terminal import say


def run(options):
    for file in options.files:
        say(f"{file}: {len(file_reader(file, lazy=True))}")
    return SAME


COMMAND = Command(run=run, purpose="tally signals", examples=("scan.zspy",), arguments=(FILES,))
'''

USE_CODEC: Final = """
import numcodecs, numpy as np, zspy
tree = zspy.Group({}, {"a": zspy.Array(np.arange(1000, dtype="<i4").reshape(20, 50))})
for zarr_format in (2, 3):
    storage = zspy.Storage(compressor=numcodecs.Base64(), zarr_format=zarr_format)
    documents = dict(zspy.serialise(tree, storage=storage))
    assert b"base64" in documents["a/.zarray" if zarr_format == 2 else "a/zarr.json"]
    assert zspy.deserialise(documents) == tree
    zspy.commit(documents, f"tree{zarr_format}")
    assert zspy.deserialise(zspy.fetch(f"tree{zarr_format}")) == tree
"""
USE_CODEC_OF_NUMBERS: Final = """
import numcodecs, numpy as np, zarr, zspy
class Halves(numcodecs.abc.Codec):
    codec_id = "halves"
    def encode(self, buf):
        assert buf.dtype.kind == "i", buf.dtype
        size, name = buf.dtype.itemsize, buf.dtype.str.encode()
        parts = np.ascontiguousarray(buf.reshape(-1).view("u1").reshape(-1, size).T)
        return name + parts.tobytes()
    def decode(self, buf, out=None):
        dtype = np.dtype(bytes(buf[:3]).decode())
        parts = np.frombuffer(buf, "u1", offset=3).reshape(dtype.itemsize, -1).T
        numbers = np.ascontiguousarray(parts).reshape(-1).view(dtype)
        if out is None:
            return numbers
        out.reshape(-1).view(dtype)[...] = numbers
        return out
numcodecs.register_codec(Halves)
texts = np.array(["a", "bc"], object)
numbers = zspy.Array(np.arange(1000).reshape(20, 50))
truths = zspy.Array(np.ones(9, bool))
tree = zspy.Group({}, {"a": numbers, "b": zspy.Array(texts, {}, "vlen-utf8"), "c": truths})
for zarr_format in (2, 3):
    storage = zspy.Storage(compressor=Halves(), zarr_format=zarr_format)
    documents = dict(zspy.serialise(tree, storage=storage))
    name = ".zarray" if zarr_format == 2 else "zarr.json"
    assert b"halves" in documents[f"a/{name}"]
    assert all(b"blosc" in documents[f"{other}/{name}"] for other in "bc")
    zspy.commit(documents, f"tree{zarr_format}")
    assert zspy.deserialise(zspy.fetch(f"tree{zarr_format}")) == tree
assert (zarr.open_group("tree2", mode="r")["a"][:] == numbers.data).all()
"""
USE_DTYPE: Final = """
import numpy as np, zspy
texts = np.array(["a", "bc"], object)
tree = zspy.Group({}, {"a": zspy.Array(texts, {}, "vlen-utf8")})
documents = dict(zspy.serialise(tree, zarr_format=3))
assert b'"data_type": "string"' in documents["a/zarr.json"]
other = documents["a/zarr.json"].replace(b'"string"', b'"variable_length_utf8"')
assert zspy.deserialise({**documents, "a/zarr.json": other}) == tree
"""
USE_AXIS: Final = """
import numpy as np, zspy
from zspy.values.axes import axis_points
given = {"name": "E", "base": 2.0, "size": 4}
signal = {"data": np.arange(4.0), "axes": [given], "metadata": {}}
for zarr_format in (2, 3):
    place = f"axis{zarr_format}.zspy"
    zspy.file_writer(place, signal, zarr_format=zarr_format, show_progressbar=False)
    ((axis,),) = [found["axes"] for found in zspy.file_reader(place)]
    assert (axis["_type"], axis["base"], axis["size"]) == ("PowerAxis", 2.0, 4), axis
    assert axis_points(axis, 4).tolist() == [1, 2, 4, 8]
    assert zspy.check(place) == []
    root = zspy.deserialise(zspy.fetch(place))
    (stored,) = root["Experiments"].members.values()
    assert stored["axis-0"].attributes["_type"] == "DataAxis"
    assert np.asarray(stored["axis-0/axis"].data).tolist() == [1, 2, 4, 8]
    for number in (4, 8):
        more = {"name": "E", "axis": 2.0 ** np.arange(number, number + 4)}
        zspy.file_writer(place, {**signal, "axes": [more]}, append_dim="E", show_progressbar=False)
        (found,) = zspy.file_reader(place)
        assert len(found["data"]) == number + 4, found
        assert axis_points(found["axes"][0], 12)[: number + 4].tolist() == [
            2**i for i in range(number + 4)
        ], found
signal["axes"] = [{"_type": "PowerAxis", "axis": np.array([1, 2, 3, 5])}]
zspy.file_writer("points.zspy", signal, show_progressbar=False)
assert zspy.file_reader("points.zspy")[0]["axes"][0]["axis"].tolist() == [1, 2, 3, 5]
"""
USE_TYPE: Final = """
import ipaddress, zspy
host = ipaddress.IPv6Interface("2001:db8::1/32")
value = {"host": host, "all": [host + 1, 1]}
assert zspy.unsupported(value) == []
for zarr_format in (2, 3):
    documents = dict(zspy.serialise(zspy.encode(value), zarr_format=zarr_format))
    assert zspy.decode(zspy.deserialise(documents)) == value
"""
USE_BACKEND: Final = """
import contextlib, io, numpy as np, zspy
from zspy.apps.cli import main
def signal(number):
    data, axes = np.full(3, number), [{"name": "x", "size": 3}]
    return {"data": data, "axes": axes, "metadata": {"General": {"title": f"of {number}"}}}
quiet = {"show_progressbar": False}
zspy.file_writer("a.zspy", signal(0), store_type="netstring", **quiet)
zspy.file_writer("a.zspy", signal(1), store_type="netstring", **quiet)
zspy.file_writer("a.zspy", signal(2), mode="a", **quiet)
assert open("a.zspy", "rb").read(9) == b"9:strings"
assert [found["data"].max() for found in zspy.file_reader("a.zspy")] == [1, 2]
assert zspy.check("a.zspy") == []
try:
    zspy.file_writer("b.zspy", signal(0), store_type="unknown", **quiet)
except zspy.EncodeError as error:
    assert "'netstring'" in str(error)
try:
    zspy.file_writer("a.zspy", signal(0), append_dim="x", **quiet)
except zspy.EncodeError as error:
    assert "'netstring' does not grow" in str(error)
out = io.StringIO()
with contextlib.redirect_stdout(out):
    assert main(["info", "a.zspy"]) == 0
    assert main(["convert", "a.zspy", "b.zip"]) == 0
    assert main(["convert", "--store", "netstring", "b.zip", "c.zspy"]) == 0
    assert main(["repack", "c.zspy"]) == 0
    assert main(["diff", "a.zspy", "c.zspy"]) == 0
    with contextlib.suppress(SystemExit):
        main(["convert", "--help"])
assert "file of netstrings" in out.getvalue(), out.getvalue()
assert "netstring," in out.getvalue(), out.getvalue()
assert open("c.zspy", "rb").read(9) == b"9:strings"
"""
USE_FOLDER: Final = """
import contextlib, io, os, numpy as np, zspy
from zspy.apps.cli import main
def written(number, **options):
    signal = {"data": np.full(3, number), "axes": [{"name": "x", "size": 3}], "metadata": {}}
    zspy.file_writer("a.zspy", signal, show_progressbar=False, **options)
    eager, lazy = zspy.file_reader("a.zspy") + zspy.file_reader("a.zspy", lazy=True)
    assert eager["data"].max() == lazy["data"].max().compute() == number
for zarr_format in (2, 3):
    for number, kind in enumerate(["flat", "flat", "local", "flat", "zip", "flat"]):
        written(number, store_type=kind, zarr_format=zarr_format)
        assert (kind == "flat") == os.path.isfile("a.zspy/.flatkeys"), kind
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["repack", "a.zspy"]) == 0
        assert main(["info", "a.zspy"]) == 0
    assert "flat folder" in out.getvalue(), out.getvalue()
    open("a.zspy/my notes", "w").close()
    for kind in ("flat", "local", "zip"):
        try:
            written(0, store_type=kind, overwrite=True)
        except zspy.EncodeError as error:
            assert "'my notes' in it" in str(error), error
        else:
            raise AssertionError(kind)
    os.remove("a.zspy/my notes")
"""
USE_COMMAND: Final = """
import contextlib, io, numpy as np, zspy
from zspy.apps.cli import main
signal = {"data": np.arange(3), "axes": [{"name": "x", "size": 3}], "metadata": {}}
zspy.file_writer("a.zspy", [signal, signal], show_progressbar=False)
out = io.StringIO()
with contextlib.redirect_stdout(out):
    assert main(["tally", "a.zspy"]) == 0
assert out.getvalue() == "a.zspy: 2\\n", out.getvalue()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(["--help"])
assert "tally signals" in out.getvalue()
"""


@pytest.mark.parametrize(
    ("change", "files", "use"),
    [
        (A_CODEC, {}, USE_CODEC),
        (A_CODEC_OF_NUMBERS, {}, USE_CODEC_OF_NUMBERS),
        (A_DTYPE, {}, USE_DTYPE),
        (AN_AXIS, {}, USE_AXIS),
        (A_TYPE, {}, USE_TYPE),
        (A_BACKEND, {"stores/netstring.py": BACKEND_FILE}, USE_BACKEND),
        (A_FOLDER, {"stores/flat.py": FOLDER_FILE}, USE_FOLDER),
        (A_COMMAND, {"apps/commands/tally.py": COMMAND_FILE}, USE_COMMAND),
    ],
    ids=[
        "codec",
        "codec of numbers",
        "dtype",
        "axis type",
        "value type",
        "backend",
        "backend of folders",
        "command",
    ],
)
def test_one_row_or_one_file_and_one_line_are_enough(
    change: tuple[str, str, str], files: dict[str, str], use: str, tmp_path: Path
) -> None:
    package = tmp_path / "zspy"
    shutil.copytree(ROOT / "src" / "zspy", package, ignore=shutil.ignore_patterns("__pycache__"))
    name, head, row = change
    module = package / name
    text = module.read_text(encoding="utf-8")
    assert text.count(head) == 1
    module.write_text(text.replace(head, head + row), encoding="utf-8")
    for path, content in files.items():
        (package / path).write_text(content, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", use],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_the_page_names_files_that_there_are() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "zspy"
    for path in re.findall(r"`((?:values|documents|stores|files|apps)/\w+\.py)`", page):
        assert (source / path).is_file(), path
    for path in re.findall(r"`(tests/[\w/.]+)`", page):
        assert (ROOT / path).exists(), path
