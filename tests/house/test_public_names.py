"""What the package shows: these names, documented, and no others."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

import pytest

import zspy

PUBLIC: Final = frozenset(
    {
        # signals and files
        *("file_reader", "file_writer", "encode_signal", "decode_signal"),
        # any tree
        *("encode", "decode", "homogenized", "unsupported"),
        # nodes and their documents
        *("Array", "Group", "Limits", "Storage", "serialise", "deserialise", "commit", "fetch"),
        *("open_group", "check", "Finding"),
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


def test_nothing_else_is_visible() -> None:
    visible = {
        name
        for name, value in vars(zspy).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    late = {"DBMStore", "Finding", "LMDBStore", "check"}
    assert visible - {"annotations", "TYPE_CHECKING"} == PUBLIC - late
    with pytest.raises(AttributeError, match="has no attribute 'ZipStore'"):
        _ = getattr(zspy, "ZipStore")  # noqa: B009


def test_the_package_itself_holds_names_only() -> None:
    """And its version is a literal, which the build reads without running it."""
    body = ast.parse(SOURCE.read_text(encoding="utf-8")).body
    code = (ast.ImportFrom, ast.If, ast.FunctionDef)  # what is imported late
    assigned = [node for node in body if not isinstance(node, code)][1:]  # a docstring
    values = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in assigned
        if isinstance(node, ast.Assign)
    }
    assert len(values) == len(assigned)
    assert sorted(values) == ["__all__", "__version__"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", values["__version__"])


def test_the_types_are_for_everyone() -> None:
    assert (SOURCE.parent / "py.typed").is_file()


def described(text: str) -> list[str]:
    """List what the section `Parameters` of a NumPy-style docstring describes."""
    section = re.search(r"(?ms)^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text)
    heads = re.findall(r"(?m)^(\S.*?)(?: : .*)?$", section[1]) if section else []
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


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
