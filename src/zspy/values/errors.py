"""The errors. Each says what is wrong, where, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Generator, Hashable, Iterable
from contextlib import ContextDecorator, contextmanager
from difflib import get_close_matches
from errno import EACCES, ENOENT, ENOSPC, EPERM, EROFS
from inspect import currentframe
from typing import Any, Final

_KINDS: Final = {"NoneType": "None", "ndarray": "a NumPy array"}
_SHARED_NAMES: Final = ("Array", "Dataset", "File", "Group")
"""Classes that several libraries have, so that these are named as well."""
DAMAGED: Final = "the file is damaged"
"""What stands for the remedy where there is none but another copy of the file."""
_LONGEST_MESSAGE: Final = 290
"""Characters of a message, but for what joins its parts."""
_PLACE: Final = 200
_REMEDY: Final = 160
_PROBLEM: Final = 80
"""Characters that a long problem always has, whatever the other two take."""


def location(keys: Iterable[object]) -> str:
    """Render a path of keys and indices: ``metadata.General.x[3]``.

    >>> location(("metadata", "General", 3))
    'metadata.General[3]'
    """
    text = ""
    for key in keys:
        if isinstance(key, str):
            key = str.__str__(key)  # a class of its own may raise
            text += ("." if text else "") + (
                key if key and key.isprintable() else ascii(key)
            )
        else:
            text += f"[{shown(key)}]"
    return text


def shown(value: object) -> str:
    """Give the representation of a value, or its type where that fails: many digits, many levels.

    >>> shown("a"), shown(10**5000)
    ("'a'", 'int')
    """
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - whatever the class of a stranger raises
        return type(value).__qualname__


def _cut(text: str, most: int) -> str:
    """Show the start and the end of a text that is too long."""
    if len(text) <= most:
        return text
    end = (most - 5) // 2
    return f"{text[:end]} ... {text[-end:]}"


def a_kind(value: object) -> str:
    """Name the type of a value, with its article.

    >>> a_kind(1), a_kind([])
    ('an int', 'a list')
    """
    name = type(value).__qualname__
    if name in _SHARED_NAMES:
        name = f"{type(value).__module__.partition('.')[0]}.{name}"
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return _KINDS.get(name, f"{article} {name}")


def missing_package(name: str, extra: str) -> ModuleNotFoundError:
    """Make the error that says which command installs an optional package.

    >>> print(missing_package("dask", "dask"))
    dask is not installed: python -m pip install "zspy[dask]"
    """
    said = f'{name} is not installed: python -m pip install "zspy[{extra}]"'
    return ModuleNotFoundError(said, name=name)


class ZspyError(Exception):
    """The base of all errors of zspy.

    Parameters
    ----------
    problem : str
        What is wrong.
    where : str, optional
        The place: a path in the value (``metadata.General.title``) or a key of the store.
    remedy : str, optional
        What to do about it.

    Attributes
    ----------
    location : str
        The same as `where`.

    Examples
    --------
    >>> print(
    ...     ZspyError(
    ...         "a title is a string", "metadata.General.title", "use str(title)"
    ...     )
    ... )
    metadata.General.title: a title is a string; use str(title)
    """

    def __init__(
        self,
        problem: str,
        where: str = "",
        remedy: str = "",
    ) -> None:
        place = "".join(
            one if one.isprintable() else ascii(one)[1:-1] for one in where
        )
        # Callers give long values, libraries say whole documents, and files list many names.
        remedy = remedy[:_REMEDY]
        place = _cut(place, min(_PLACE, _LONGEST_MESSAGE - _PROBLEM - len(remedy)))
        left = _LONGEST_MESSAGE - len(place) - len(remedy)
        problem = _cut(problem, max(left, _PROBLEM))
        said = f"{problem}; {remedy}" if remedy else problem
        super().__init__(f"{place}: {said}" if place else said)
        self.problem = problem
        self.where = where
        self.location: str = where
        self.remedy = remedy

    def __str__(self) -> str:
        # OSError would put the number of the error before it.
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[ZspyError], tuple[str, str, str]]:
        return type(self), (self.problem, self.where, self.remedy)


TOLD: Final = (ZspyError, MemoryError, ImportError, Warning)
"""What tells by itself what is wrong."""


class EncodeError(ZspyError, ValueError):
    """What was handed to zspy is no signal, or cannot be written so."""


class UnsupportedError(EncodeError, TypeError):
    """A value of a type that zspy does not store."""


class FormatError(ZspyError, OSError):
    """What is stored is damaged, or is no .zspy file."""


class _FileError(ZspyError, OSError):
    """What is wrong with a file, as the system's own errors say it."""

    def __init__(self, *told: str) -> None:
        super().__init__(*told)
        self.filename: Any = self.where
        is_denied = isinstance(self, PermissionError)
        self.errno: int | None = EACCES if is_denied else ENOENT


class MissingFileError(_FileError, FormatError, FileNotFoundError):
    """There is no file to read."""


class MissingFolderError(_FileError, EncodeError, FileNotFoundError):
    """There is no folder to write into."""


class DeniedError(_FileError, FormatError, PermissionError):
    """A file that may not be read."""


class ForbiddenError(_FileError, EncodeError, PermissionError):
    """A place where nothing may be written."""


READ_ONLY: Final = "its disk is read-only: write to another one"


def unreadable(
    error: OSError,
    problem: str,
    where: str,
) -> FormatError:
    """Make the error of what the system does not open, or read."""
    problem = f"{problem} ({error.strerror})"
    if isinstance(error, PermissionError):
        return DeniedError(problem, where, "see who may read it")
    remedy = "see whether its disk, or the network, is sound"
    if isinstance(error, FileNotFoundError):
        remedy = "it was removed, or is a link to nothing (git annex get)"
    return FormatError(problem, where, remedy)


def unwritable(
    error: OSError,
    problem: str,
    where: str,
) -> EncodeError:
    """Make the error of what the system does not let a writer make."""
    kind = ForbiddenError if isinstance(error, PermissionError) else EncodeError
    remedies = {
        EROFS: READ_ONLY,
        ENOSPC: "make room on its disk",
        # Of a folder with the sticky bit, or a file that may not be changed.
        EPERM: "ask its owner, or use another folder",
    }
    remedy = remedies.get(error.errno or 0, "see whether its folder may be written")
    return kind(f"{problem} ({error.strerror})", where, remedy)


@contextmanager
def naming(name: str = "") -> Generator[None]:
    """Turn what went wrong in reading a file into a FormatError.

    An error that is about no part of the file gets its name.
    """
    try:
        yield
    except KeyError as error:
        raise FormatError("a document has vanished", str(error.args[0])) from error
    except MemoryError as error:
        problem = "there is not enough memory for it"
        raise FormatError(problem, name, "read it lazily") from error
    except FormatError as error:
        if error.where:
            raise
        raise FormatError(error.problem, name, error.remedy) from error.__cause__


class taking(ContextDecorator):  # noqa: N801 - it is used as a function, and is faster so
    """Turn what the classes of a caller raise into an error with its place."""

    def __init__(
        self,
        where: str | Callable[[], str],
        kind: type[ZspyError] = EncodeError,
        remedy: str = "give a plain value instead",
    ) -> None:
        self.where = where
        self.kind = kind
        self.remedy = remedy

    def __enter__(self) -> None:
        """Nothing is done before."""

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        """Raise the error with the place, from what was raised."""
        if not isinstance(error, Exception) or isinstance(error, TOLD):
            return
        where = self.where if isinstance(self.where, str) else self.where()
        problem = f"it raises {type(error).__name__}"
        raise self.kind(problem, where, self.remedy) from error


def unlike(
    wanted: str,
    value: object,
    where: str,
    remedy: str,
) -> EncodeError:
    """Make the error of a value of the wrong kind."""
    return EncodeError(f"{a_kind(value)} is no {wanted}", where, remedy)


def expect(
    value: object,
    kind: type | tuple[type, ...],
    wanted: str,
    where: str,
    remedy: str,
) -> None:
    """Refuse a value of the wrong kind."""
    with taking(where):
        if not isinstance(value, kind):
            raise unlike(wanted, value, where, remedy)


def is_choice(value: Any, choices: tuple[object, ...]) -> bool:
    """Tell one of some choices from all else."""
    # An array, which has no hash, is compared with each of its elements.
    return isinstance(value, Hashable) and value in choices


def check_choices(**arguments: tuple[object, tuple[object, ...]]) -> None:
    """Refuse an argument that is none of its choices."""
    for name, (value, choices) in arguments.items():
        with taking(name):
            if not is_choice(value, choices):
                problem = f"{shown(value):.80} is no choice"
                raise EncodeError(problem, name, f"use one of {choices}")


def expect_several(value: object, wanted: str, where: str, remedy: str) -> None:
    """Refuse what is no collection; a text would be its letters, and an array compares each."""
    with taking(where):
        is_one = isinstance(value, str) or hasattr(value, "dtype")
        if is_one or not isinstance(value, Collection):
            raise unlike(wanted, value, where, remedy)


def expect_names(value: object, where: str) -> None:
    """Refuse what is no collection of names."""
    remedy = 'use a tuple, such as ("name",)'
    expect_several(value, "collection of names", where, remedy)


def warn(said: str) -> None:
    """Warn of something, at the line that called this package."""
    package = __name__.removesuffix("values.errors")
    frame = currentframe()
    level = 1
    while frame and str(frame.f_globals.get("__name__")).startswith(package):
        frame = frame.f_back
        level += 1
    warnings.warn(said, stacklevel=level)


def did_you_mean(
    key: object,
    known: Iterable[str],
    similar: float = 0.6,
) -> str:
    """Name the key that was meant by one that is misspelt; empty where none is near.

    >>> did_you_mean("Scal", ("scale", "size"))
    "did you mean 'scale'?"
    """
    names = {name.lower(): name for name in known}
    found = get_close_matches(str(key).lower(), names, 1, similar)
    return f"did you mean {names[found[0]]!r}?" if found else ""
