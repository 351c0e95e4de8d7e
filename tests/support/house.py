"""The laws of the house: what a package of folders imports, how large it is, how it is written.

Everything here reads source text, so that the laws hold without an import of what they judge.
A module is named by its path without `.py`, such as `values/names`.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

FOLDERS: Final = ("values", "documents", "stores", "files", "apps")
FACE: Final = "__init__"


@dataclass(frozen=True)
class Import:
    """One import of a module."""

    target: str
    """A module of the package, or the name of another package."""
    own: bool
    """It is a module of the package."""
    line: int
    typed: bool
    """Only type checkers see it."""
    deferred: bool
    """It stands in a function."""
    relative: bool


Imports: TypeAlias = Mapping[str, Sequence[Import]]


def modules(package: Path) -> dict[str, str]:
    """Return the text of each module."""
    return {
        path.relative_to(package).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(package.rglob("*.py"))
    }


def folder_of(module: str) -> str:
    """Return the folder of a module, which is empty at the root."""
    return module.rpartition("/")[0]


def top_of(module: str) -> str:
    """Return the outermost folder of a module, which is empty at the root."""
    return module.partition("/")[0] if "/" in module else ""


class _Visitor(ast.NodeVisitor):
    """Collect the imports of one module, also those in functions and for type checkers."""

    def __init__(self, name: str, known: Mapping[str, str], package: str) -> None:
        self.name = name
        self.known = known
        self.package = package
        self.typed = False
        self.deferred = False
        self.found: list[Import] = []

    def module(self, parts: Sequence[str]) -> str | None:
        path = "/".join(parts)
        face = "/".join([*parts, FACE])
        return next((name for name in (path, face) if name in self.known), None)

    def add(self, target: str | None, node: ast.stmt | ast.expr, *, relative: bool = False) -> None:
        """Add an import of a module of the package, where there is such a one."""
        if target is not None:
            line = Import(target, True, node.lineno, self.typed, self.deferred, relative)
            self.found.append(line)

    def named(self, name: str, node: ast.stmt | ast.expr) -> None:
        """Add an import by an absolute name."""
        first, *rest = name.split(".")
        if first == self.package:
            self.add(self.module(rest), node)
        else:
            self.found.append(Import(first, False, node.lineno, self.typed, self.deferred, False))

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self.generic_visit(node)
            return
        before, self.typed = self.typed, True
        for line in node.body:
            self.visit(line)
        self.typed = before
        for line in node.orelse:
            self.visit(line)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self.deferred = self.deferred, True
        self.generic_visit(node)
        self.deferred = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.named(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        stem = node.module.split(".") if node.module else []
        if node.level:
            stem = [*self.name.split("/")[: -node.level], *stem]
        elif stem[0] == self.package:
            stem = stem[1:]
        else:
            self.named(stem[0], node)
            return
        for alias in node.names:
            found = self.module([*stem, alias.name]) or self.module(stem)
            self.add(found, node, relative=node.level > 0)

    def visit_Call(self, node: ast.Call) -> None:
        function = ast.unparse(node.func).rpartition(".")[2]
        match node.args:
            case [ast.Constant(str(name)), *_] if function in {"import_module", "__import__"}:
                above = self.name.split("/")[: -(len(name) - len(name.lstrip("."))) or None]
                if name.startswith("."):
                    self.add(self.module([*above, *name.lstrip(".").split(".")]), node)
                else:
                    self.named(name, node)
            case _:
                pass  # another call, or a name that is only known at run time
        self.generic_visit(node)


def imports(sources: Mapping[str, str], package: str = "zspy") -> dict[str, list[Import]]:
    """Return the imports of each module."""
    found: dict[str, list[Import]] = {}
    for name, text in sources.items():
        visitor = _Visitor(name, sources, package)
        visitor.visit(ast.parse(text))
        found[name] = [each for each in visitor.found if not (each.own and each.target == name)]
    return found


def _height(module: str) -> int:
    """Return how far to the right a module stands: the root stands outermost."""
    first, _, rest = module.partition("/")
    return FOLDERS.index(first) if rest and first in FOLDERS else len(FOLDERS)


def against_direction(found: Imports) -> list[str]:
    """List the imports of what stands further out; apps may name the root itself."""
    faults: list[str] = []
    for name, lines in found.items():
        for each in lines:
            if not each.own or (each.target == FACE and folder_of(name) == "apps"):
                continue
            if _height(name) < _height(each.target):
                faults.append(f"{name}:{each.line} imports {each.target}, against the direction")
    return faults


def own_faces(found: Imports) -> list[str]:
    """List the modules that import the `__init__` of their own folder."""
    return [
        f"{name}:{each.line} imports the face of its own folder"
        for name, lines in found.items()
        for each in lines
        if folder_of(name) and each.own and each.target == f"{folder_of(name)}/{FACE}"
    ]


def absolute(found: Imports) -> list[str]:
    """List the imports of the package by its name, which a copy under another name has not."""
    return [
        f"{name}:{each.line} imports {each.target} by an absolute name"
        for name, lines in found.items()
        for each in lines
        if each.own and not each.relative
    ]


def circles(found: Imports) -> list[str]:
    """List the groups of modules that import each other, deferred imports counted."""
    reach: dict[str, set[str]] = {}
    edges = {
        name: {each.target for each in lines if each.own and not each.typed}
        for name, lines in found.items()
        if not name.endswith(FACE)
    }
    for start in edges:
        seen: set[str] = set()
        left = [start]
        while left:
            new = {target for target in edges.get(left.pop(), ()) if target in edges} - seen
            seen |= new
            left += new
        reach[start] = seen
    groups = {
        frozenset({name, *(other for other in reach[name] if name in reach[other])})
        for name in edges
        if name in reach[name]
    }
    return sorted(f"circle: {' '.join(sorted(group))}" for group in groups)


def needs(found: Imports, name: str) -> set[str]:
    """Return the packages that a module and all that it imports at the top need."""
    seen: set[str] = set()
    packages: set[str] = set()
    left = [name]
    while left:
        for each in found[left.pop()]:
            if each.typed or each.deferred:
                continue
            if not each.own:
                packages.add(each.target)
            elif each.target not in seen:
                seen.add(each.target)
                left.append(each.target)
    return packages - sys.stdlib_module_names


def needlessly_deferred(found: Imports, optional: Collection[str] = ()) -> list[str]:
    """List the imports in functions that could stand at the top, since they cost nothing more.

    Optional modules are files that can be deleted: only a function names them.
    """
    return [
        f"{name}:{each.line} could import {each.target} at the top"
        for name, lines in found.items()
        for each in lines
        if each.own and each.deferred and each.target not in optional
        if needs(found, each.target) <= needs(found, name)
    ]


def _code(text: str) -> Iterator[int]:
    """Yield the line of each token of code: no comments, no strings of several lines.

    An f-string counts as one token, as it does before Python 3.12.
    """
    inside = 0
    counted = {"NAME", "OP", "NUMBER"}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_END":
            inside -= 1
        if not inside:
            string = kind == "STRING" and "\n" not in token.string
            if kind in counted or string or kind == "FSTRING_START":
                yield token.start[0]
        if kind == "FSTRING_START":
            inside += 1


def size(sources: Mapping[str, str]) -> dict[str, int]:
    """Return the tokens of code of each module."""
    return {name: sum(1 for _ in _code(text)) for name, text in sources.items()}


def density(sources: Mapping[str, str]) -> float:
    """Return the tokens in a line of code."""
    lines = sum(len(set(_code(text))) for text in sources.values())
    return sum(size(sources).values()) / lines


def long_functions(sources: Mapping[str, str], most: int = 60) -> list[str]:
    """List the functions that have more lines, their docstrings not counted."""
    faults: list[str] = []
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            documented = ast.get_docstring(node, clean=False) or ""
            lines = int(node.end_lineno or 0) - node.lineno + 1 - len(documented.splitlines())
            if lines > most:
                faults.append(f"{name}:{node.name} has {lines} lines, {most} are allowed")
    return faults
