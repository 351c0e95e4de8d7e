"""The backends, in the order in which they are asked; `commit` and `fetch` of any place."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    NamedTuple,
    TypeAlias,
    cast,
    get_args,
)

from ..documents.source import DOCUMENTS, NODES, Given
from ..values.errors import (
    EncodeError,
    FormatError,
    MissingFileError,
    MissingFolderError,
    ZspyError,
    check_choices,
    expect,
    taking,
    unlike,
    unreadable,
)
from ..values.types import Documents, is_mapping
from .base import (
    DBM_SUFFIXES,
    NOTHING,
    UNREACHED,
    Kept,
    Links,
    Openable,
    Opened,
    Pairs,
    Sink,
    forbidden,
    spread,
)
from .folders import unowned_files
from .locking import TIMEOUT, locked, locked_in_memory
from .mapping import Mapped, replacing_keys
from .other_files import refusal
from .overwriting import (
    check_file,
    is_replaceable,
    refuse_inner,
    refuse_member,
)
from .owned import refuse_misplaced, unowned_keys
from .replace import present, restore

if TYPE_CHECKING:
    from .binary import Binary
    from .zarr_store import Stored


class Backend(NamedTuple):
    """A kind of file at a path, which a module of this folder recognises, opens and replaces.

    Functions of its module
    -----------------------
    recognise(path) -> bool
        Whether such a file lies there.
    opened(path) -> Opened
        It is pickled, and read by several threads at a time.
    replacing(path, sync, written) -> Replacing
        A kind that is only read lacks it. `sync` brings the new file to the disk. With keys that
        are `written`, a new directory gets what else belongs to no Zarr node of the old one;
        other kinds need not look at them.
    in_place(path, folder, durable) -> InPlace
        Of a kind that changes in place; parts of documents may lie in `folder` meanwhile. Regions
        are written without the lock of the file: two processes may have it open so, and what is
        in one file needs a lock, or transactions, of its own.
    unowned(keys) -> list of str
        Of a kind whose files are folders: the files in one that are somebody else's.
    """

    name: str
    words: str
    module: str
    is_choice: bool = True  # whether a caller may ask for it as a store type
    is_database: bool = False  # what is in it is replaced, and not its file
    suffixes: tuple[str, ...] = ("",)
    """What its files have behind the name of the path."""

    def load(self) -> Any:
        """Give its module, which may need zarr-python."""
        return import_module(f".{self.module}", __package__)


BACKENDS: Final = (
    Backend("n5", "N5 directory", "n5", is_choice=False),
    Backend("local", "directory", "directory"),
    Backend("zip", "zip file", "zip"),
    Backend("lmdb", "LMDB database", "lmdb", is_database=True),
    Backend("sqlite", "SQLite file", "sqlite", is_choice=False, is_database=True),
    Backend("dbm", "dbm database", "dbm", is_database=True, suffixes=DBM_SUFFIXES),
)
StoreType: TypeAlias = Literal["local", "zip", "lmdb", "dbm"]
"""The kinds that callers may ask for, as type checkers know them."""
STORE_TYPES: Final = tuple(one.name for one in BACKENDS if one.is_choice)
USE_STORE_TYPE: Final = f"use one of {' or '.join(map(repr, STORE_TYPES))}"
_HOME: Final = "outside of a shell, ~ is no folder: use os.path.expanduser"
# As `Path("http://...")` is one; a drive has one letter.
_LOST_SLASH: Final = re.compile(r"(\w+::)*[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
_LOST_KIND: Final = re.compile(r"[/\\]{2}[^/\\@]*:[^/\\]*@")
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 3_800
"""Bytes: those of a path are 4,096, with the names of what is in the file."""
_ABSENT: Final = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EACCES),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
)
"""What the system says of a path at which nothing lies that could be opened."""
BY_NAME: Final = {one.name: one for one in BACKENDS}


def _exists(path: Path | str) -> bool:
    """Tell whether anything lies at a path; an error of the disk does not say that nothing does."""
    try:
        os.stat(path)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise unreadable(error, "it cannot be read", str(path)) from error
        return False
    return True


def backend_of(path: Path) -> tuple[Backend, Any] | None:
    """Find who reads what lies at a path."""
    exists = _exists(path)
    if exists and not (path.is_file() or path.is_dir()):
        return None  # to open a pipe might wait for ever
    for one in BACKENDS:
        if any(
            _exists(f"{path}{suffix}") if suffix else exists
            for suffix in one.suffixes
        ):
            try:
                module = one.load()
            except ModuleNotFoundError as error:
                if error.name != "zarr":
                    raise
                continue  # whatever lies there is for a copy with zarr-python
            with _naming(path, "it cannot be read"):
                if module.recognise(path):
                    return one, module
    return None


@contextmanager
def _naming(path: Path, problem: str) -> Generator[None]:
    """Say of an error of the system, as of a disk that fails, at which path it came."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ZspyError) or error.strerror is None:
            raise
        raise unreadable(error, problem, str(path)) from error


def writer_of(kind: str | None) -> tuple[Backend, Any]:
    """Give who writes a kind of file at a path: a directory, where none is asked for."""
    given: object = kind
    expect(given, (str, NoneType), "kind of store", "store_type", USE_STORE_TYPE)
    backend = BY_NAME.get(kind or "local")
    module = None if backend is None else backend.load()
    if backend is None or not hasattr(module, "replacing"):
        problem = f"{kind!r} is no kind of store"
        raise EncodeError(problem, "store_type", USE_STORE_TYPE)
    return backend, module


def kind_named(place: Any) -> StoreType | None:
    """Give the kind that the name of a new file asks for: nobody sends a folder called .zip."""
    ending = place.suffix.lower() if isinstance(place, Path) else ""
    if ending == ".hspy":
        problem, remedy = (
            "an .hspy file is HDF5",
            "use write_hspy, or end it in .zspy",
        )
        raise EncodeError(problem, str(place), remedy)
    return "zip" if ending == ".zip" else None


def kind_of(path: Path) -> str:
    """Tell what lies at a path: the name of a backend, ``unknown`` or nothing (``""``)."""
    if (found := backend_of(path)) is not None:
        return found[0].name
    return "unknown" if _exists(path) else ""


def written_kind(place: Any) -> str | None:
    """Give the kind as which what lies at a path is written anew, if that is its own."""
    found = backend_of(Path(place)) if is_path(place) else None
    return found[0].name if found and hasattr(found[1], "replacing") else None


def is_path(place: object) -> bool:
    """Tell a path from a store."""
    return isinstance(place, (str, os.PathLike))


@taking("filename")
def checked_path(place: Any) -> Path:
    """Give a path, or say why it cannot be that of a file: Linux has limits for its bytes."""
    try:
        return _checked_path(os.fsdecode(place))
    except TypeError as error:
        remedy = "use a str or a pathlib.Path"
        raise EncodeError(str(error), "filename", remedy) from error
    except FileNotFoundError as error:
        problem = "the current folder does not exist any more"
        remedy = "change to another one"
        raise MissingFolderError(problem, str(place), remedy) from error


def _checked_path(text: Any) -> Path:
    problem = "no path"
    with suppress(TypeError, UnicodeEncodeError):  # bytes, and lone surrogates
        path = Path(text)
        whole = len(os.fsencode(os.path.abspath(text.replace("\0", ""))))
        if any(len(os.fsencode(one)) > _LONGEST_NAME for one in path.parts):
            problem = "too long a name"
        elif whole > _LONGEST_PATH:
            problem = "too long a path"
        elif text and "\0" not in text:
            _refuse_url(path)
            return path
    remedy = "name a file, like scan.zspy"
    raise EncodeError(f"{text[:80]!r} is {problem}", "filename", remedy)


def _refuse_url(path: Path) -> None:
    """Refuse a URL that has become a path, whose name no error may show."""
    text = str(path)
    has_lost_slash = _LOST_SLASH.match(text) and not os.path.lexists(path.parts[0])
    if has_lost_slash or _LOST_KIND.match(text):
        problem = "a URL that is a path, or has one slash where two belong"
        remedy = 'use a text, such as "https://example.org/scan.zspy"'
        raise EncodeError(problem, "filename", remedy)


def located(place: Any, options: Mapping[str, Any] | None = None) -> Any:
    """Give the path of a place, or the mapping that it is, or else a Zarr store over it."""
    remedy = 'use a dictionary, such as {"anon": True}'
    expect(options, (Mapping, NoneType), "dictionary", "storage_options", remedy)
    is_url = isinstance(place, str) and "://" in place
    if is_path(place) and not is_url and not options:
        return checked_path(place)
    if type(place) is dict and not options:
        return cast("Any", place)
    from .given import located_elsewhere

    return located_elsewhere(place, options)


def refuse_read_only(place: Any) -> None:
    """Refuse to write to a place, not yet located, that was opened for reading only."""
    is_fixed = is_mapping(place) and not hasattr(place, "__setitem__")
    if getattr(place, "read_only", is_fixed):
        problem = "the store is read-only"
        raise EncodeError(problem, "filename", "open it for writing")


def name_of(place: Any) -> str:
    """Name a place that was `located`, in an error: without all that a dictionary holds."""
    return "the mapping" if isinstance(place, Mapping) else str(place)


def holds(place: Any) -> bool:
    """Tell whether there is anything at a place; an empty folder is nothing."""
    if isinstance(place, Path):
        path = present(place)
        return kind_of(path) != "" and not (
            path.is_dir() and not any(path.iterdir())
        )
    with closing(opened(place)) as file:
        return any(True for _ in file)


def is_far(place: Any) -> bool:
    """Tell a Zarr store that is far away from all other places."""
    if isinstance(place, (Path, Mapping)):
        return False
    from .zarr_store import is_remote

    return is_remote(place)


def finish_store(place: Any, closes: bool) -> None:
    """Complete what was written to a store that the caller has given, and close it or not."""
    if not isinstance(place, (Mapping, Openable)):
        from .zarr_store import reopened

        place.close()
        if not closes:
            reopened(place)


def opened(place: Any) -> Opened:
    """Open what lies at a place for reading.

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.
    """
    found = located(place)
    if isinstance(found, Mapping):
        return Mapped(cast("Any", found))
    if not isinstance(found, Path):
        if isinstance(found, Openable):
            return found.opened()
        from .url import Guarded
        from .zarr_store import reading

        file = reading(found)
        if isinstance(found, Guarded):
            from .far import opened_zip

            return opened_zip(found, cast("Stored", file))
        return file
    seen = _seen(found)
    try:
        file = _opened_at(seen[0])
    except FormatError:
        if _seen(found) == seen:
            raise
    else:
        if present(found) == seen[0]:
            return file
        file.close()
    return opened(found)  # it was renamed meanwhile


def _seen(found: Path) -> tuple[Path, int | None]:
    """Tell where the file of a path is, and which one is there, if that can be seen."""
    path = found
    with suppress(OSError):
        path = present(found)
        return path, os.stat(path).st_ino
    return path, None


def _opened_at(path: Path) -> Opened:
    with _naming(path, "it cannot be read"):
        kind = backend_of(path)
        if kind is None and path.exists():
            raise refusal(path)
    if kind is None:
        remedy = "see its name"
        if "~" in path.parts:
            remedy = _HOME
        elif not path.is_absolute():
            remedy = f"the current folder is {Path.cwd()}"
        if path.is_symlink():
            remedy = "it is a link, to nothing: restore the file (git annex get)"
        raise MissingFileError("there is no such file", str(path), remedy)
    backend, module = kind
    with _naming(path, "it cannot be opened"):
        file = cast("Opened", module.opened(path))
    file.words = backend.words
    return file


class Followed(Openable):
    """A path as a place for reading, where documents may be links to files outside of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def opened(self) -> Opened:
        """Open what lies there."""
        file = opened(self._path)
        file.follows = True
        return file


def following(place: Any, links: Links) -> Any:
    """Give a place for reading, in which links are followed or not."""
    check_choices(links=(links, get_args(Links)))
    found = located(place)
    is_followed = links == "follow" and isinstance(found, Path)
    return Followed(found) if is_followed else found


@contextmanager
def telling_where(place: Any) -> Generator[None]:
    """Add the place to an error: the system says what is wrong, such as a full disk, not where."""
    try:
        yield
    except OSError as error:
        # What is in an open folder has no more than the key of a document.
        is_named = os.path.isabs(str(error.filename or ""))
        is_own = isinstance(error, ZspyError)
        if error.errno is not None and not is_named and not is_own:
            error.filename = name_of(place)
        raise


def _in_memory(place: Any) -> tuple[object, str]:
    """Give an object that is one for all who have a place open, and the path in it."""
    store: Any = getattr(place, "behind", place)
    client: Any = getattr(store, "fs", None)
    if hasattr(client, "unstrip_protocol"):  # fsspec makes one for each thread
        return getattr(client, "sync_fs", client).__class__, store.path
    # a client of obstore, and a file object, are given a new store each time
    return getattr(store, "store", store), ""


@contextmanager
def changing(place: Any, timeout: float | None = TIMEOUT) -> Generator[None]:
    """Keep other writers from a place for a block in which its file is read and then replaced.

    The place was `located`. With None for a timeout nobody is kept from it.
    """
    path = place if isinstance(place, Path) else getattr(place, "path", None)
    if not isinstance(path, Path):
        with locked_in_memory(*_in_memory(place), name_of(place), timeout):
            yield
        return
    if path.name in ("", "~"):
        problem = "a folder, and no name of a file"
        raise EncodeError(problem, str(path), "name a file in it, like scan.zspy")
    remedy = _HOME if "~" in path.parts else "make it first"
    path = Path(os.path.realpath(path))
    if path.is_symlink():
        raise EncodeError("a link that leads to itself", str(path), "remove it")
    if not path.parent.is_dir():
        if path.parent.is_file():
            problem = "a file is there, and no directory"
            raise EncodeError(problem, str(path.parent), "write to another place")
        problem = "there is no such directory"
        raise MissingFolderError(problem, str(path.parent), remedy)
    refuse_member(path)
    # In this order: who adds to it at the same time may have made it meanwhile.
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise forbidden(path)
    with locked(path, timeout):
        restore(path)
        journal = f"{path}-journal"
        if os.path.exists(journal) and kind_of(path) in ("sqlite", "dbm"):
            from .sqlite import roll_back

            roll_back(path)
        refresh = getattr(place, "refresh", None)
        if refresh is not None:
            refresh()  # a database that was open before the lock was taken
        yield


class Replaced(NamedTuple):
    """What lies at a place where a new file goes: `replacing` need not look for it again."""

    kind: str
    """As `kind_of` a path tells it."""
    has_unowned: bool
    """Whether there may be something in it that belongs to no Zarr node."""


def check_overwrite(
    place: Any, kind: str | None, overwrite: bool | None
) -> Replaced:
    """Refuse to replace what lies at a place that was located, unless the caller allows it.

    Whoever keeps something of an old file allows it to be replaced.

    Raises
    ------
    EncodeError
        If something may not be replaced, with what it is; if there is no such kind of file.
    """
    check_choices(overwrite=(overwrite, (None, True, False)))
    if overwrite is not None:
        overwrite = bool(overwrite)  # 0, and what NumPy has for False
    backend, _ = writer_of(kind)
    where = name_of(place)
    there = ""
    if isinstance(place, Path):
        there = kind_of(place)
        module = BY_NAME[there].load() if there in BY_NAME else None
        unowned = getattr(module, "unowned", None)
        is_other = there not in ("", backend.name)
        if backend.is_database and is_other and holds(place):
            problem = f"there is something else than {backend.name}"
            raise EncodeError(problem, where, "remove it first")
        if there in ("sqlite", "dbm") and there != backend.name:
            from .sqlite import refuse_others

            refuse_others(place)
        may_go = is_replaceable(
            place, there, unowned, overwrite, backend.name == "local"
        )
        # What is in a database may be of somebody else.
        if may_go and not (there in BY_NAME and BY_NAME[there].is_database):
            return Replaced(there, has_unowned=True)
    try:
        file = opened(place)
    except FormatError as error:
        if overwrite is True or isinstance(error.__cause__, FileNotFoundError):
            return Replaced(there, has_unowned=True)  # a zip store to come
        problem = f"whether a .zspy file is there is not known: {error.problem}"
        remedy = "use overwrite=True, if it may go"
        if error.remedy == UNREACHED:  # nothing else would reach it
            remedy = UNREACHED
        raise EncodeError(problem, where, remedy) from error
    with closing(file):
        refuse_inner(file, where)
        if file.kind not in (None, kind):
            problem = f"a {file.kind} is there, which would be read instead"
            raise EncodeError(problem, where, f'use store_type="{file.kind}"')
        check_file(file, overwrite, where)
        stays = not _is_written_anew(there, backend)
        stays = stays or bool(file.comment or _unowned_in(file))
        return Replaced(there, has_unowned=stays)


@contextmanager
def replacing(
    place: Any,
    kind: str | None,
    sync: bool,
    kept: Kept = NOTHING,
    written: Documents = MappingProxyType({}),
    old: Replaced | None = None,
) -> Generator[Sink]:
    """Replace the file at a place by what is kept of an old one and is written in the block.

    Whoever calls this is `changing` the place, which was `located`, and has done
    `check_overwrite`, which gives `old`. What belongs to no Zarr node stays in the new file, but
    for keys that are to be written. Where those are given, what would be taken for a part of the
    new file is refused.
    """
    is_whole = False  # what stays has to be written anew
    if isinstance(place, Path):
        backend, module = writer_of(kind)
        there = kind_of(place) if old is None else old.kind
        is_whole = _is_written_anew(there, backend)
        path = Path(os.path.realpath(place))
        if there == backend.name == "local":
            stay = (old for old, new in kept[1] if old == new and old.endswith("/"))
            skipped = {folder[:-1] for folder in stay}
            _refuse_misplaced(unowned_files(path, skipped), kept, written)
        context = module.replacing(path, sync, None if is_whole else written)
    elif isinstance(place, Mapping):
        context = replacing_keys(cast("dict[str, bytes]", place))
    elif isinstance(place, Openable):
        is_whole = True
        context = cast("Binary", place).replacing()
    elif kind not in (None, "local"):
        from .far import replacing

        is_whole = True
        context = replacing(place, kind)
    else:
        from .zarr_store import replacing_store

        context = replacing_store(place)
    with context as sink:
        if kept is not NOTHING:
            sink.keep(*kept)
        if is_whole and (old is None or old.has_unowned):
            _keep_unowned(cast("Path", place), kept, written, sink)
        yield sink


def _keep_unowned(place: Any, kept: Kept, written: Documents, sink: Sink) -> None:
    """Keep what belongs to no Zarr node in a file that holds one."""
    with suppress(FormatError), closing(opened(place)) as file:
        known = {old for old, _ in spread(*kept)}.union(written)
        unowned = _unowned_in(file)
        _refuse_misplaced(unowned, kept, written)
        sink.keep(file, [(key, key) for key in unowned if key not in known])


def _is_written_anew(there: str, backend: Backend) -> bool:
    """Tell whether a file is replaced with all that is in it, also what stays."""
    return there not in ("", "local", "n5") and not backend.is_database


def _unowned_in(file: Opened) -> list[str]:
    return [] if NODES.isdisjoint(file) else unowned_keys([*file], file.get)


def _refuse_misplaced(
    unowned: Collection[str], kept: Kept, written: Documents
) -> None:
    """Refuse what stays of others, where it would be taken for a part of a new file."""
    if not unowned or not written:
        return
    old, pairs = kept
    names: dict[str, str] = {}
    for here, there in pairs:
        if here.endswith("/"):  # an array: its document tells what its chunks are
            names |= {there + name: here + name for name in DOCUMENTS}
        else:
            names[there] = here
    keys = written.keys() | {key for key in names if names[key] in old}

    def read(key: str) -> bytes | None:
        return written[key] if key in written else old.get(names.get(key, ""))

    refuse_misplaced(unowned, keys, read)


def fetch(store: Any) -> Documents:
    """Give the documents of a store, as a mapping that reads each when it is asked for.

    Parameters
    ----------
    store : path, mapping of str to bytes, Zarr store or open LMDB environment

    Returns
    -------
    mapping of str to bytes

    Raises
    ------
    FormatError
        If nothing that zspy reads lies there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     commit({".zgroup": b"{}"}, f"{folder}/x.zspy")
    ...     dict(fetch(f"{folder}/x.zspy"))
    {'.zgroup': b'{}'}
    """
    return opened(store)


def _gathered(documents: Any) -> dict[str, bytes]:
    """Draw all documents, before the first is written."""
    remedy = "serialise makes them: commit(documents, store)"
    given: object = documents
    is_array = hasattr(given, "dtype")
    if is_array or is_path(given) or not isinstance(given, Iterable):
        raise unlike("mapping of documents", given, "documents", remedy)
    found: dict[str, bytes] = {}
    with taking("documents"):
        pairs = iter(documents.items() if is_mapping(documents) else documents)
    # What the caller computes them by may raise errors of its own.
    for pair in pairs:
        match pair:
            case [str(key), document]:
                found[key] = document
            case _:
                raise unlike("pair of a str and bytes", pair, "documents", remedy)
    return dict(Given(found))


def commit(
    documents: Documents | Pairs,
    store: Any,
    *,
    store_type: StoreType | None = None,
    sync: bool = True,
    overwrite: bool | None = None,
) -> None:
    """Replace what a store holds by these documents, in one sweep.

    Parameters
    ----------
    documents : mapping, or pairs of key and bytes
        As `zspy.serialise` gives them. All are made before the first is written.
    store : path, mutable mapping of str to bytes, Zarr store or open LMDB environment
        At a path the old file is there whole until the new one is.
    store_type : str, optional
        What to make at a path: None makes a directory, or a zip file where the path ends in
        ``.zip``; ``"local"`` is a directory, and ``"zip"`` a zip file. The error for an unknown
        kind names all; the others are databases.
    sync : bool, default True
        Bring everything to the disk before the new file takes the place of the old one.
    overwrite : bool, optional
        None replaces a .zspy file, or an empty folder, and nothing else. True replaces another
        Zarr group too, or a plain file. False replaces nothing. What belongs to no Zarr node
        stays in any case.

    Raises
    ------
    EncodeError
        If nothing can be made there, or if what lies there may not be replaced.

    Examples
    --------
    >>> memory = {}
    >>> commit({".zgroup": b"{}"}, memory)
    >>> memory
    {'.zgroup': b'{}'}
    """
    pairs = _gathered(documents)
    check_choices(sync=(sync, (None, False, True)))
    refuse_read_only(store)
    place = located(store)
    kind = kind_named(place) if store_type is None else store_type
    with telling_where(place), changing(place):
        old = check_overwrite(place, kind, overwrite)
        target = replacing(place, kind, sync, written=pairs, old=old)
        with target as sink:
            sink.put(pairs.items())
