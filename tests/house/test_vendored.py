"""Another package carries a copy of zspy under a name of its own, and needs no zspy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[2] / "src" / "zspy"

ROUND_TRIP: Final = '''
"""Every public function of the copy, in a round trip."""
import importlib
import inspect
import pkgutil
import sys

sys.modules["zspy"] = None  # whoever asks for the original gets an ImportError
try:
    import zspy
except ImportError:
    pass
else:
    raise AssertionError("the original is within reach")

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

functions = {
    name for name in formats_zspy.__all__ if inspect.isfunction(getattr(formats_zspy, name))
}
assert functions == used, functions ^ used

# Leaves too, where what they are for is installed.
for module in pkgutil.iter_modules(formats_zspy.__path__, formats_zspy.__name__ + "."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        assert "zspy" not in str(error.name), error
    except ImportError as error:
        assert "zspy" not in str(error.path), error

original = sys.argv[1]
assert not [
    name
    for name, module in sys.modules.items()
    if name.partition(".")[0] == "zspy" and module is not None
    or str(getattr(module, "__file__", "")).startswith(original)
]
'''


def test_a_copy_under_another_name_does_everything(tmp_path: Path) -> None:
    copy = tmp_path / "host" / "_vendor" / "formats_zspy"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (copy.parent, copy.parents[1]):
        (package / "__init__.py").touch()
    script = tmp_path / "round_trip.py"
    script.write_text(ROUND_TRIP, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script), str(PACKAGE)],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr
