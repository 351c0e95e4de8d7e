"""How the `__init__` of a package names what it offers, and loads it when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module


def face(
    package: str, home: Mapping[str, str], modules: Collection[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package.

    `home` says in which module of the package each name is defined. `modules` are its modules that
    are public themselves. Nothing is imported before it is asked for.
    """

    def load(name: str) -> object:
        if name in home:
            try:
                module = import_module(f"{package}.{home[name]}")
            except AttributeError as error:
                # Python would say that the name is unknown, and not why.
                raise ImportError(f"{package}.{home[name]}: {error}") from error
            found: object = getattr(module, name)
            # `load` is not called for this name again.
            setattr(sys.modules[package], name, found)
            return found
        if name in modules:
            try:
                return import_module(f"{package}.{name}")
            except ModuleNotFoundError as error:
                # `hasattr` and `inspect.getmembers` expect this error of an attribute.
                raise AttributeError(
                    f"{package}.{name} needs a package: {error}"
                ) from error
        problem = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(problem, name=name, obj=sys.modules[package])

    return load, listing(package, (*home, *modules))


def listing(module: str, public: Collection[str]) -> Callable[[], list[str]]:
    """Return `__dir__` of a module: what is public, and not what it imports."""

    def names() -> list[str]:
        own = (name for name in vars(sys.modules[module]) if name.startswith("__"))
        return sorted({*own, *public})

    return names
