"""Another package carries a copy of zspy, or of some of its folders, and needs no zspy.

Each copy runs in an interpreter of its own, in which nothing else is found. What
it makes of values that Hypothesis has drawn here is judged here.
"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, assume, given, settings

from zspy import homogenized, strategies

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "vendoring.md"

# The first lines of every script: what may be imported is said on the command line.
ONLY: Final = '''
import pickle
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

ALLOWED = {*sys.argv[1].split(","), *sys.stdlib_module_names}


class Only:
    """Other packages are not found, as if they were not installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        first = name.partition(".")[0]
        if "*" in ALLOWED or first in ALLOWED or first.startswith("_sysconfig"):
            return PathFinder.find_spec(name, path, target)
        return None

    @staticmethod
    def find_distributions(context):
        first = (context.name or "*").partition(".")[0]
        is_allowed = "*" in ALLOWED or first in ALLOWED
        return PathFinder.find_distributions(context) if is_allowed else []


sys.meta_path = [BuiltinImporter, FrozenImporter, Only]


def given():
    with open("values.pickle", "rb") as file:
        return pickle.load(file)


def give(results):
    with open("results.pickle", "wb") as file:
        pickle.dump(results, file)


def raises(error, function, *args):
    try:
        function(*args)
    except error:
        return
    raise AssertionError(f"{function} raised no {error}")
'''

VALUES: Final = """
import grown
from grown import Array, EncodeError, Group, decode, encode, homogenized, unsupported

assert {*grown.__all__} <= {*dir(grown)}
for name in grown.__all__:
    getattr(grown, name)
raises(EncodeError, encode, {"a": object()})
results = []
for value in given():
    node = encode(value)
    assert isinstance(node, (Array, Group)), node
    assert unsupported(value) == []
    assert homogenized(homogenized(value)) is not None
    results.append((homogenized(value), decode(node)))
    results.append((value, decode(encode(value, homogenize=False))))
signal = {"data": grown.decode(encode({"a": 1.5})), "axes": []}
give(results)
"""

DOCUMENTS: Final = """
from host.documents import Limits, deserialise, serialise
from host.values import FormatError, decode, encode, homogenized

results = []
for value in given():
    for zarr_format in (2, 3):
        node = encode(value)
        documents = dict(serialise(node, zarr_format=zarr_format))
        assert {type(document) for document in documents.values()} == {bytes}
        assert deserialise(documents) == node
        results.append((homogenized(value), decode(deserialise(documents))))
raises(FormatError, deserialise, {".zgroup": b"{}"})
give(results)
"""

STORES: Final = """
import zipfile
from pathlib import Path

from host.documents import deserialise, serialise
from host.stores import commit, fetch
from host.values import EncodeError, FormatError, decode, encode, homogenized

results = []
for number, value in enumerate(given()):
    zarr_format = 2 + number % 2
    node = encode(value)
    for place in (f"{number}.zspy", f"{number}.zip", {}):
        kind = {"store_type": "zip"} if str(place).endswith("zip") else {}
        commit(serialise(node, zarr_format=zarr_format), place, **kind)
        assert deserialise(fetch(place)) == node
        results.append((homogenized(value), decode(deserialise(fetch(place)))))
    assert Path(f"{number}.zspy").is_dir()
    assert zipfile.is_zipfile(f"{number}.zip")
commit(serialise(encode({"a": 1})), "0.zspy", overwrite=True)
assert decode(deserialise(fetch("0.zspy"))) == {"a": 1}
raises(FormatError, fetch, "missing.zspy")

give(results)
"""

EVERYTHING: Final = '''
"""Every public function of the copy, in a round trip."""
import importlib
import inspect
import pkgutil
import sys

sys.modules["zspy"] = None  # whoever asks for the original gets an ImportError
raises(ImportError, importlib.import_module, "zspy")

import numpy as np

from host._vendor import formats_zspy

used = set()


def use(name):
    used.add(name)
    return getattr(formats_zspy, name)


def same(a, b):
    """Compare two signals by what every signal has."""
    assert a["metadata"] == b["metadata"]
    assert [axis["name"] for axis in a["axes"]] == [axis["name"] for axis in b["axes"]]
    np.testing.assert_array_equal(a["data"], b["data"])


value = {"a": [1, 2], "b": {"c": (1, [2.5, None])}, "d": 1 + 2j, "e": None}
group = use("encode")(value)
assert use("decode")(group) == use("homogenized")(value) == value
assert use("unsupported")(value) == []

axes = [
    {"name": "y", "units": "nm", "size": 2, "scale": 0.5, "offset": 0.0, "navigate": True},
    {"name": "E", "units": "eV", "size": 3, "scale": 2.0, "offset": 1.0, "navigate": False},
]
metadata = {"General": {"title": "vendored"}, "Signal": {"signal_type": "EELS"}}
signal = {"data": np.arange(6.0).reshape(2, 3), "axes": axes, "metadata": metadata}
same(use("decode_signal")(use("encode_signal")(signal)), signal)

for zarr_format in (2, 3):
    documents = dict(use("serialise")(group, zarr_format=zarr_format))
    assert use("deserialise")(documents) == group
    use("commit")(documents, f"tree{zarr_format}")
    assert use("deserialise")(use("fetch")(f"tree{zarr_format}")) == group

    file = f"signal{zarr_format}.zspy"
    use("file_writer")(file, signal, show_progressbar=False, zarr_format=zarr_format)
    (loaded,) = use("file_reader")(file)
    same(loaded, signal)
    assert use("open_group")(file) == use("deserialise")(use("fetch")(file))
    assert use("check")(file) == []
    assert use("describe")(use("file_reader")(file)).startswith("[0] ")

first = {**signal, "data": signal["data"][:1], "axes": [{**axes[0], "size": 1}, axes[1]]}
with use("append")("grows", first, axis="y") as stream:
    stream.append(first["data"])
assert use("file_reader")("grows")[0]["data"].shape == (2, 3)
use("update")("grows", {"General": {"title": "new"}})
assert use("file_reader")("grows")[0]["metadata"]["General"]["title"] == "new"
use("create")("empty", {**signal, "data": None}, shape=(2, 3), dtype="<f4")
assert not use("file_reader")("empty")[0]["data"].any()
use("write_hspy")("a.hspy", signal)
same(use("read_hspy")("a.hspy")[0], signal)

# Other libraries' modules too, where what they are for is installed.
for module in pkgutil.walk_packages(formats_zspy.__path__, formats_zspy.__name__ + "."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        assert "zspy" not in str(error.name), error
    except ImportError as error:
        assert "zspy" not in str(error.path), error

original = sys.argv[2]
assert not [
    name
    for name, module in sys.modules.items()
    if name.partition(".")[0] == "zspy" and module is not None
    or str(getattr(module, "__file__", "")).startswith(original)
]
functions = {
    name for name in formats_zspy.__all__ if inspect.isfunction(getattr(formats_zspy, name))
}
give([(sorted(functions), sorted(used))])
'''


def commands() -> list[str]:
    """Return the commands of the page that make a copy."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def copied(folders: Sequence[str], to: Path) -> None:
    """Copy folders of the package as the page says."""
    (command,) = commands()
    command = command.replace('("values", "documents", "stores")', repr((*folders,)))
    command = command.replace('"path/to/host"', repr(str(to)))
    command = command.replace('"LICENSE"', repr(str(ROOT / "LICENSE")))
    command = command.replace('"src/zspy"', repr(str(ROOT / "src" / "zspy")))
    exec(compile(command, str(PAGE), "exec"), {})  # noqa: S102
    assert (to / "LICENSE").is_file()
    assert not [*to.rglob("__pycache__")]


def survives(value: object) -> bool:
    """Tell whether pickle keeps a value: it bends some byte orders, and fill values of masks."""
    pickled = pickle.dumps(value)
    if b"numpy.ma" in pickled:
        return False
    kept = pickle.loads(pickled)  # noqa: S301
    return strategies.first_difference(value, kept) is None


def drawn(count: int) -> list[Any]:
    """Return values for which the laws hold."""
    values: list[Any] = []
    every = settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        deadline=None,
    )

    @every
    @given(strategies.trees())
    def draw(value: object) -> None:
        assume(survives(value) and survives(homogenized(value)))
        values.append(value)

    draw()
    return values


def run(script: str, folder: Path, *, allowed: str, values: object = ()) -> list[Any]:
    """Run a script in a folder, and return the pairs that ought to be equal."""
    (folder / "values.pickle").write_bytes(pickle.dumps(values))
    (folder / "script.py").write_text(ONLY + script, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-P", "script.py", allowed, str(ROOT / "src" / "zspy")],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    pairs: list[Any] = pickle.loads((folder / "results.pickle").read_bytes())  # noqa: S301
    return pairs


def judge(pairs: list[Any], at_least: int) -> None:
    assert len(pairs) >= at_least
    for expected, found in pairs:
        assert strategies.first_difference(expected, found) is None


NUMCODECS: Final = "numcodecs,typing_extensions"


def test_values_alone_are_a_library_that_needs_numpy(tmp_path: Path) -> None:
    copied(["values"], tmp_path / "host")
    (tmp_path / "host" / "values").rename(tmp_path / "grown")
    judge(run(VALUES, tmp_path, allowed="numpy,grown", values=drawn(50)), 100)


def test_documents_need_numcodecs_too(tmp_path: Path) -> None:
    copied(["values", "documents"], tmp_path / "host")
    allowed = f"numpy,host,{NUMCODECS}"
    judge(run(DOCUMENTS, tmp_path, allowed=allowed, values=drawn(50)), 100)


def test_directories_and_zip_files_do_without_zarr(tmp_path: Path) -> None:
    copied(["values", "documents", "stores"], tmp_path / "host")
    allowed = f"numpy,host,{NUMCODECS}"
    judge(run(STORES, tmp_path, allowed=allowed, values=drawn(30)), 90)


def test_a_copy_of_everything_under_another_name_does_everything(tmp_path: Path) -> None:
    copied(["."], tmp_path / "host" / "_vendor" / "formats_zspy")
    judge(run(EVERYTHING, tmp_path, allowed="*"), 1)


def test_the_page_says_how_large_each_copy_is() -> None:
    """In lines, to a tenth: `wc -l`; and what has to be installed."""
    rows = re.findall(r"(?m)^\| (`.*?`) \| ([\d,]+) \| (.*?) \|", PAGE.read_text(encoding="utf-8"))
    assert [(folders, needs) for folders, _, needs in rows] == [
        ("`values/`", "NumPy"),
        ("`values/`, `documents/`", "NumPy, numcodecs"),
        ("`values/`, `documents/`, `stores/`", "NumPy, numcodecs"),
    ]
    for folders, said, _ in rows:
        files = [
            file
            for name in re.findall(r"`(\w+)/`", folders)
            for file in (ROOT / "src" / "zspy" / name).glob("*.py")
        ]
        lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        assert abs(int(said.replace(",", "")) - lines) < lines / 10, (folders, lines)
