"""The laws of the house: five folders, one direction, and sizes that stay as they are.

CONTRIBUTING.md says why. Each law is tested twice: on the source, and on a small package in which
it is broken.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

import zspy
from tests.support import house

PACKAGE: Final = Path(zspy.__file__).parent
SOURCES: Final = house.modules(PACKAGE)
IMPORTS: Final = house.imports(SOURCES)

# These need zarr-python, so that others import them where a call needs them.
ZARR: Final = frozenset(
    f"stores/{name}"
    for name in (
        *("database", "lmdb", "lmdb_pages", "dbm", "dumb_dbm", "sqlite"),
        *("far", "web", "url", "zarr_store"),  # zips at URLs, and web servers, come first
    )
)
# Each of these can be deleted together with its row in the list of backends.
OPTIONAL: Final = (ZARR - {"stores/url", "stores/zarr_store"}) | {"stores/n5", "stores/binary"}
# Tokens of code, with room for some rows or a small module. Who needs more raises them by that, and
# says in the commit what it is for.
LARGEST: Final = {"values": 28_900, "documents": 28_600, "stores": 31_900, "files": 22_900}
LARGEST_OF_ALL: Final = 174_000
TOO_LARGE: Final = "make it smaller, or raise its number by what was added, and say what for"
DENSEST: Final = 8.0  # tokens in a line of code
LONGEST: Final = 60  # lines of a function without its docstring
LONG_FUNCTIONS: Final = 0
CIRCLES: Final = 0
DEFERRED: Final = 10  # imports in functions that could stand at the top

# What the modules of a folder import, apart from the standard library: at the top, and where a
# call needs it.
AT_THE_TOP: Final = {
    "": set[str](),
    "values": {"numpy"},
    "documents": {"numpy", "numcodecs"},
    "stores": {"numpy", "numcodecs"},
    "files": {"numpy", "numcodecs"},
    "apps": {"numpy", "numcodecs"},
}
IN_A_FUNCTION: Final = {
    "": {"rsciio", "hyperspy"},
    "values": {"astropy", "cftime", "dask", "h5py", "pandas", "pint"},
    "documents": {"msgpack"},
    "stores": {"zarr", "lmdb", "obstore", "fsspec"},
    "files": {"dask", "tqdm", "zarr"},
    "apps": {"dask", "h5py", "matplotlib", "rsciio", "zarr"},
}
# These modules are imported where a call needs them, since they themselves need more.
NEEDY: Final = {
    **{name: {"zarr"} for name in ZARR},
    "strategies": {"hypothesis", "numpy"},
    "xarray": {"numpy", "xarray"},
}


def test_a_folder_imports_only_folders_to_its_right() -> None:
    assert house.against_direction(IMPORTS) == []


def test_no_module_imports_a_module_that_imports_it() -> None:
    assert len(house.circles(IMPORTS)) <= CIRCLES


def test_no_module_imports_the_face_of_its_own_folder() -> None:
    assert house.own_faces(IMPORTS) == []


def test_modules_import_each_other_relatively() -> None:
    """A copy of a folder works under another name."""
    assert house.absolute(IMPORTS) == []


def test_imports_stand_at_the_top_unless_they_cost_something() -> None:
    deferred = house.needlessly_deferred(IMPORTS, OPTIONAL)
    assert len(deferred) <= DEFERRED, deferred


def outside(module: str, *, deferred: bool) -> set[str]:
    """Return the packages of others that a module imports."""
    found = {
        each.target
        for each in IMPORTS[module]
        if not each.own and not each.typed and each.deferred == deferred
    }
    return found - sys.stdlib_module_names


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_the_packages_of_its_folder_and_heavy_ones_late(module: str) -> None:
    folder = house.top_of(module)
    top = AT_THE_TOP[folder] | NEEDY.get(module, set())
    early = outside(module, deferred=False) - top
    assert not early, f"import it where a call needs it, or name it in AT_THE_TOP: {early}"
    late = outside(module, deferred=True) - top - IN_A_FUNCTION[folder]
    assert not late, f"name it in IN_A_FUNCTION, if it has to be: {late}"


@pytest.mark.parametrize("folder", LARGEST)
def test_a_folder_has_its_size(folder: str) -> None:
    sizes = house.size(SOURCES)
    tokens = sum(
        count
        for name, count in sizes.items()
        if house.top_of(name) == folder and name not in OPTIONAL
    )
    assert tokens <= LARGEST[folder], f"{folder}/ has {tokens} tokens: {TOO_LARGE}"


def test_the_package_has_its_size() -> None:
    tokens = sum(house.size(SOURCES).values())
    assert tokens <= LARGEST_OF_ALL, f"all of it has {tokens} tokens: {TOO_LARGE}"


def test_lines_are_not_packed() -> None:
    assert house.density(SOURCES) <= DENSEST


def test_functions_are_short() -> None:
    long = house.long_functions(SOURCES, LONGEST)
    assert len(long) <= LONG_FUNCTIONS, long


def loaded(statement: str) -> set[str]:
    """Return the packages that a new interpreter has loaded after a statement."""
    script = f"""
import sys
before = set(sys.modules)
{statement}
print(*{{name.partition(".")[0] for name in set(sys.modules) - before}})
"""
    run = [sys.executable, "-c", script]
    result = subprocess.run(
        run, capture_output=True, check=True, text=True, env={"PYTHONPATH": str(PACKAGE.parent)}
    )
    public = {name for name in result.stdout.split() if not name.startswith("_")}
    return public - sys.stdlib_module_names - {"zspy"}


def everything_in(*folders: str) -> str:
    """Import every module of some folders, but for those that need more."""
    names = [
        f"zspy.{name.replace('/', '.')}"
        for name in SOURCES
        if house.top_of(name) in folders and name not in NEEDY
    ]
    return f"import {', '.join(names)}"


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import zspy", set[str]()),
        ("import zspy.values, zspy.documents, zspy.stores, zspy.files, zspy.apps", set[str]()),
        ("from zspy.values import encode, decode, homogenized", {"numpy"}),
        (everything_in("values"), {"numpy"}),
        (everything_in("values", "documents"), {"numpy", "numcodecs"}),
        (everything_in("values", "documents", "stores", "files", "apps"), {"numpy", "numcodecs"}),
    ],
    ids=["zspy", "faces", "encode", "values", "documents", "apps"],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, allowed: set[str]) -> None:
    # What numcodecs itself loads is not ours.
    theirs = loaded("import numcodecs") if "numcodecs" in allowed else set[str]()
    assert loaded(statement) <= allowed | theirs
    assert not loaded(statement) & {"zarr", "dask", "matplotlib", "xarray", "hypothesis"}


CLEAN: Final = {
    "__init__": "from .values.faces import face\n",
    "values/__init__": "from .faces import face\n",
    "values/faces": "import numpy\n",
    "values/nodes": "from .faces import face\n\ndef f(a):\n    return a\n",
    "documents/__init__": "",
    "documents/tree": "from ..values import nodes\nfrom ..values.faces import face\n",
    "apps/__init__": "",
    "apps/cli": "from .. import __version__\nfrom ..documents.tree import x\n",
    "hyperspy": "from .apps.cli import main\n",
}
LAWS: Final[Mapping[str, Callable[[house.Imports], list[str]]]] = {
    "direction": house.against_direction,
    "circles": house.circles,
    "faces": house.own_faces,
    "relative": house.absolute,
    "deferred": house.needlessly_deferred,
}


@pytest.mark.parametrize("law", LAWS)
def test_a_clean_package_breaks_no_law(law: str) -> None:
    assert LAWS[law](house.imports(CLEAN)) == []


@pytest.mark.parametrize(
    ("law", "module", "text"),
    [
        ("direction", "values/nodes", "from ..documents.tree import x"),
        ("direction", "values/nodes", "from .. import documents"),
        ("direction", "values/nodes", "def f():\n    from ..documents import tree"),
        ("direction", "values/nodes", "from .. import hyperspy"),
        ("direction", "documents/tree", "from .. import __version__"),
        ("direction", "values/nodes", "if TYPE_CHECKING:\n    from ..apps.cli import main"),
        ("direction", "values/nodes", "importlib.import_module('zspy.apps.cli')"),
        ("direction", "values/nodes", "import_module('..apps.cli', __package__)"),
        ("direction", "values/nodes", "import zspy.apps.cli"),
        ("circles", "values/faces", "from .nodes import f"),
        ("circles", "values/faces", "def f():\n    from ..documents.tree import x"),
        ("circles", "values/faces", "if TYPE_CHECKING:\n    x = 1\nelse:\n    from . import nodes"),
        ("faces", "values/nodes", "from . import encode"),
        ("faces", "values/nodes", "from ..values import encode"),
        ("relative", "documents/tree", "import zspy.values.nodes"),
        ("relative", "documents/tree", "from zspy.values.nodes import f"),
        ("relative", "documents/tree", "from zspy import values"),
        ("deferred", "documents/tree", "import numpy\ndef f():\n    from ..values import nodes"),
        (
            "deferred",
            "documents/tree",
            "import numpy\nasync def f():\n    import_module('..values.nodes')",
        ),
    ],
)
def test_a_planted_fault_is_seen(law: str, module: str, text: str) -> None:
    assert LAWS[law](house.imports({**CLEAN, module: text}))


@pytest.mark.parametrize(
    ("law", "module", "text"),
    [
        ("circles", "values/faces", "if TYPE_CHECKING:\n    from .nodes import f"),
        ("deferred", "values/faces", "def f():\n    import dask"),
        ("deferred", "hyperspy", "def f():\n    from .documents import tree"),
        ("relative", "documents/tree", "from zspyder import values"),
        ("direction", "values/nodes", "import documents, apps\nfrom typing import Any"),
    ],
)
def test_what_is_allowed_is_no_fault(law: str, module: str, text: str) -> None:
    assert LAWS[law](house.imports({**CLEAN, module: text})) == []


def test_size_is_counted_in_tokens_of_code() -> None:
    text = '"""Say what.\n\nAnd why.\n"""\nx = f(1, "a")  # a comment\ny = f"{x} and {y!r}"\n'
    assert house.size({"a": text}) == {"a": 11}
    assert house.density({"a": text}) == 5.5


def test_a_long_function_is_found_and_its_docstring_is_free() -> None:
    body = "    x = 1\n" * 59
    documented = '    """Do.\n\n    This.\n    """\n'
    assert house.long_functions({"a": f"def f():\n{body}"}) == []
    assert house.long_functions({"a": f"def f():\n{documented}{body}"}) == []
    (fault,) = house.long_functions({"a": f"async def f():\n{documented}{body}    y = 1\n"})
    assert fault == "a:f has 61 lines, 60 are allowed"
