"""What the package shows: these names, documented, and no others."""

from __future__ import annotations

import ast
import inspect
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

import pytest

import zspy

PUBLIC: Final = frozenset(
    {
        # signals and files
        *("file_reader", "file_writer", "encode_signal", "decode_signal"),
        *("read_hspy", "write_hspy"),
        *("append", "create", "update", "REMOVE", "Stream"),
        # any tree
        *("encode", "decode", "homogenized", "unsupported"),
        # nodes and their documents
        *("Array", "Group", "Limits", "Storage", "serialise", "deserialise", "commit", "fetch"),
        *("open_group", "describe", "check", "Finding"),
        # stores
        *("DBMStore", "LMDBStore"),
        # errors
        *("ZspyError", "EncodeError", "UnsupportedError", "FormatError"),
        # types
        *("Axis", "Compressor", "Documents", "JSON", "Node", "Place", "Value"),
        *("Signal", "LoadedSignal"),
    }
)
FUNCTIONS: Final = sorted(
    name for name in zspy.__all__ if isinstance(getattr(zspy, name), FunctionType)
)
CLASSES: Final = sorted(name for name in zspy.__all__ if inspect.isclass(getattr(zspy, name)))
SOURCE: Final = Path(zspy.__file__)


def test_the_public_names_are_frozen() -> None:
    assert sorted(zspy.__all__) == sorted(PUBLIC)


FACES: Final = ("", ".values", ".documents", ".stores", ".files", ".apps")
MODULES: Final = (
    *("apps", "documents", "errors", "files", "hyperspy", "stores", "strategies", "typing"),
    *("values", "xarray"),
)


def parts(package: ModuleType) -> tuple[list[str], dict[str, str], dict[str, str], list[ast.stmt]]:
    """Return `__all__`, the names that type checkers see, those of `_HOME`, and what is left."""
    body = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8")).body
    offered: list[str] = []
    seen: dict[str, str] = {}
    home: dict[str, str] = {}
    left: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                assert not node.orelse
                for line in node.body:
                    assert isinstance(line, ast.ImportFrom)
                    assert line.level == 1
                    if not line.module:  # modules that are public themselves
                        assert [alias.name for alias in line.names] == [*MODULES]
                        continue
                    seen |= {alias.name: str(line.module) for alias in line.names}
            case ast.Assign(targets=[ast.Name("__all__")]):
                offered = ast.literal_eval(node.value)
            case ast.Assign(targets=[ast.Name("_HOME")]):
                home = ast.literal_eval(node.value)
            case _:
                left.append(node)
    return offered, seen, home, left


@pytest.mark.parametrize("face", FACES)
def test_a_face_names_its_names_once_for_each_reader(face: str) -> None:
    """People, type checkers and Python itself see the same names, at the same places."""
    package = import_module(f"zspy{face}")
    offered, seen, home, _ = parts(package)
    assert len(offered) == len(set(offered))
    assert sorted(offered) == sorted(seen) == sorted(home)
    assert seen == home
    for name, module in home.items():
        assert getattr(package, name) is getattr(import_module(f"zspy{face}.{module}"), name)


@pytest.mark.parametrize("face", FACES)
def test_a_face_shows_all_of_it_and_nothing_else(face: str) -> None:
    package = import_module(f"zspy{face}")
    modules = () if face else MODULES
    shown = {name for name in dir(package) if not name.startswith("__")}
    assert shown == {*package.__all__, *modules}
    for name in modules:
        assert getattr(package, name) is import_module(f"zspy.{name}")
    with pytest.raises(AttributeError, match="has no attribute 'ZipStore'"):
        _ = getattr(package, "ZipStore")  # noqa: B009


@pytest.mark.parametrize(
    ("module", "needs"),
    [("hyperspy", "numpy"), ("strategies", "hypothesis"), ("xarray", "xarray")],
)
def test_a_module_shows_what_is_public_and_nothing_else(module: str, needs: str) -> None:
    pytest.importorskip(needs)
    found = import_module(f"zspy.{module}")
    assert {name for name in dir(found) if not name.startswith("__")} == {*found.__all__}
    assert "__doc__" in dir(found)


@pytest.mark.parametrize("face", FACES)
def test_no_module_has_the_name_of_something_that_its_face_offers(face: str) -> None:
    package = import_module(f"zspy{face}")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


@pytest.mark.parametrize("face", FACES)
def test_a_face_holds_names_only(face: str) -> None:
    """And the version is a literal, which the build reads without running it."""
    left = parts(import_module(f"zspy{face}"))[3]
    assert isinstance(left[0], ast.Expr)  # its docstring
    code = (ast.ImportFrom, ast.If)  # how names are loaded
    assigned = [node for node in left[1:] if not isinstance(node, code)]
    names = {ast.unparse(node.targets[0]) for node in assigned if isinstance(node, ast.Assign)}
    assert len(names) == len(assigned)
    assert names == (set() if face else {"__version__", "_MODULES"})
    assert re.fullmatch(r"\d+\.\d+\.\d+", zspy.__version__)
    assert f'__version__ = "{zspy.__version__}"' in SOURCE.read_text(encoding="utf-8")


def test_what_a_missing_package_hides_is_an_attribute_that_is_not_there(tmp_path: Path) -> None:
    """So `hasattr` and `inspect.getmembers` work where xarray and Hypothesis are not installed."""
    script = """
import sys
sys.modules["xarray"] = None
import zspy
assert not hasattr(zspy, "xarray")
try:
    zspy.xarray
except AttributeError as error:
    assert "zspy.xarray needs a package" in str(error), error
"""
    run = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parents[1])}
    result = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_can_be_pickled(name: str) -> None:
    assert pickle.loads(pickle.dumps(getattr(zspy, name))) is getattr(zspy, name)  # noqa: S301


def test_the_types_are_for_everyone() -> None:
    assert (SOURCE.parent / "py.typed").is_file()


def described(text: str) -> list[str]:
    """List what the section `Parameters` of a NumPy-style docstring describes."""
    section = re.search(r"(?ms)^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text)
    heads = re.findall(r"(?m)^(\S.*?)(?: : .*)?$", section[1]) if section else []
    return [name.strip().lstrip("*") for head in heads for name in head.split(", ")]


def test_parameters_are_found_in_a_docstring() -> None:
    text = """Do.

Parameters
----------
a, b : int
    The
    two.
**kwds
    More.

Returns
-------
c : int
"""
    assert described(text) == ["a", "b", "kwds"]
    assert described("Do.") == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_is_documented_with_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(zspy, name)) or ""
    assert described(text) == [*inspect.signature(getattr(zspy, name)).parameters]
    assert ">>> " in text


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_is_documented(name: str) -> None:
    assert getattr(zspy, name).__doc__


API: Final = SOURCE.parents[2] / "docs" / "api.md"


def test_the_page_lists_every_public_name_once() -> None:
    """Those of the root, and those of the modules that are for other libraries."""
    if not API.exists():
        pytest.skip("the pages are in a checkout only")
    listed = re.findall(r"(?m)^::: zspy\.(\S+)$", API.read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    plain = {
        "JSON",
        "Node",
        "Value",
        "Documents",
        "Compressor",
        "REMOVE",
    }  # named where they are used
    later = {name for name in listed if "." in name}
    assert set(listed) - later == PUBLIC - plain - {"LMDBStore", "DBMStore"}
    from zspy import strategies

    assert {name.partition(".")[2] for name in later if name.startswith("strategies.")} == set(
        strategies.__all__
    )
    for name in later:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(f"zspy.{module}"), attribute) or module in {
            "hyperspy",
            "xarray",
        }
