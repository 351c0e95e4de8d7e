"""The plan of the rooms: who imports whom, how, and how much there is."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "src" / "zspy"

# A room that stands on no floor is a leaf: it may import the core, which does not need it.
FLOORS: Final = (
    ("typing", "errors"),
    ("_node", "_keys", "_sequences", "_scalars", "_ragged", "_chunks", "_codecs"),
    ("_entries", "_layout"),
    ("_seal",),
    ("_encode", "_decode", "_documents", "_migrate"),
    ("_signal",),
    ("_store", "_arrays"),
    ("_api",),
    ("__init__",),
)
FLOOR: Final = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ROOMS: Final = sorted(path.stem for path in PACKAGE.glob("*.py"))
CORE: Final = [room for room in ROOMS if room in FLOOR]
LINES: Final = 6669  # the aim is 2,500: what the core may not outgrow on its way there

# Imported where they are used: they take long, or may be absent.
HEAVY: Final = frozenset(
    {
        *("aiohttp", "dask", "distributed", "fsspec", "h5py", "hyperspy", "hypothesis"),
        *("icechunk", "lmdb", "matplotlib", "obstore", "pandas", "rsciio", "s3fs", "tqdm"),
        "xarray",
    }
)

When: TypeAlias = Literal["import", "call", "typing"]


class Import(NamedTuple):
    """One imported module."""

    name: str
    relative: bool
    when: When
    line: int


def _is_typing(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _children(node: ast.AST, when: When) -> list[tuple[ast.AST, When]]:
    """List the parts of a statement, and when an import in them happens."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse) if _is_typing(test):
            hidden: list[tuple[ast.AST, When]] = [(part, "typing") for part in body]
            return hidden + [(part, when) for part in orelse]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if when == "import":
            return [(part, "call") for part in ast.iter_child_nodes(node)]
        case _:
            return [(part, when) for part in ast.iter_child_nodes(node)]


def imports(source: str) -> Iterator[Import]:
    """Yield what a module imports; `from . import x` is the room x, or a name of the package."""
    stack: list[tuple[ast.AST, When]] = [(ast.parse(source), "import")]
    while stack:
        node, when = stack.pop()
        match node:
            case ast.Import(names=names, lineno=line):
                for name in names:
                    yield Import(name.name.partition(".")[0], False, when, line)
            case ast.ImportFrom(module=str(module), level=0, lineno=line):
                yield Import(module.partition(".")[0], False, when, line)
            case ast.ImportFrom(module=None, names=names, level=1, lineno=line):
                for name in names:
                    yield Import(name.name if name.name in ROOMS else "__init__", True, when, line)
            case ast.ImportFrom(module=str(module), level=1, lineno=line):
                yield Import(module.partition(".")[0], True, when, line)
            case ast.ImportFrom(lineno=line):
                yield Import("..", True, when, line)
            case _:
                stack.extend(_children(node, when))


def _of(room: str) -> list[Import]:
    return list(imports((PACKAGE / f"{room}.py").read_text(encoding="utf-8")))


def test_imports_are_seen_wherever_they_stand() -> None:
    source = """
import a.b
from . import _keys, __version__
from .c import d
from .. import e
if TYPE_CHECKING:
    from .f import g
else:
    import h
class C:
    try:
        import i
    except ImportError:
        def j(): from .k import l
"""
    assert {(x.name, x.relative, x.when) for x in imports(source)} == {
        ("a", False, "import"),
        ("_keys" if "_keys" in ROOMS else "__init__", True, "import"),
        ("__init__", True, "import"),
        ("c", True, "import"),
        ("..", True, "import"),
        ("f", True, "typing"),
        ("h", False, "import"),
        ("i", False, "import"),
        ("k", True, "call"),
    }


def test_every_room_of_the_plan_exists() -> None:
    assert sorted(CORE) == sorted(FLOOR)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_imported_relatively(room: str) -> None:
    """Under any name of the package, and wherever it is put: vendoring needs no edits."""
    assert [x for x in _of(room) if x.name in {PACKAGE.name, ".."}] == []


@pytest.mark.parametrize("room", CORE)
def test_a_room_imports_rooms_on_lower_floors_only(room: str) -> None:
    """Names that only a type checker looks up may come from anywhere."""
    own = [x for x in _of(room) if x.relative and x.when != "typing"]
    assert [x for x in own if x.name in FLOOR and FLOOR[x.name] >= FLOOR[room]] == []


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_a_leaf_only_when_a_call_needs_it(room: str) -> None:
    own = [x for x in _of(room) if x.relative]
    assert [x for x in own if x.name not in FLOOR and x.when == "import"] == []


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_heavy_packages_only_when_a_call_needs_them(room: str) -> None:
    assert [x for x in _of(room) if x.name in HEAVY and x.when == "import"] == []


def test_importing_zspy_imports_nothing_heavy() -> None:
    code = "import json, sys, zspy; print(json.dumps([*sys.modules]))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout)}
    assert "zspy" in loaded
    assert sorted(loaded & HEAVY) == []


def test_the_core_is_small() -> None:
    lines = {
        room: len((PACKAGE / f"{room}.py").read_text(encoding="utf-8").splitlines())
        for room in CORE
        if room != "__init__"
    }
    assert sum(lines.values()) < LINES, lines
