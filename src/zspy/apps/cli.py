"""The command line: ``zspy COMMAND``, or ``python -m zspy COMMAND``. It only parses and prints."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias, cast

import numcodecs

from .. import __version__
from ..stores.backends import holds, located
from ..stores.base import STORE_TYPES, StoreType
from ..values.errors import FormatError, ZspyError
from ..values.types import is_dict, is_list
from .checking import check
from .converting import Plan, convert, read, repack
from .differences import differences
from .pictures import lines, pictures, save
from .text import printable
from .tree import Paint, look, summary, tree_json, tree_lines

SAME: Final = 0
DIFFERENT: Final = 1
TROUBLE: Final = 2
_COLOURS: Final = {"group": "1;34", "array": "1;32", "key": "36", "note": "2"}
_BLOSC: Final = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
_WORDS: Final[Mapping[str, Any]] = {"keep": "keep", "auto": None, "none": False}
_Run: TypeAlias = Callable[[argparse.Namespace], int]
_Argument: TypeAlias = tuple[tuple[str, ...], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process, by default.

    Returns
    -------
    int
        What the process should exit with: 0, or 1 where something differs or is wrong with a
        file, or 2 where the command could not do what it was asked for.

    Examples
    --------
    >>> main(["--version"])
    Traceback (most recent call last):
    ...
    SystemExit: 0
    """
    options = _parser().parse_args(arguments)
    out: Any = sys.stdout
    if isinstance(out, io.TextIOWrapper):  # not every terminal has all characters
        cast("Any", out).reconfigure(errors="replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _warn
            status: int = options.run(options)
            out.flush()
            return status
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return TROUBLE
    except KeyboardInterrupt:
        return _trouble("interrupted")
    except ModuleNotFoundError as error:
        return _trouble(
            f"{error.name} is not installed; python -m pip install {error.name}"
        )
    except ZspyError as error:
        return _trouble(str(error))
    except OSError as error:
        return _trouble(
            f"{error.filename}: {error.strerror}" if error.filename else str(error)
        )


def _trouble(said: str) -> int:
    print(f"zspy: {printable(said)}", file=sys.stderr)
    return TROUBLE


def _warn(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    print(f"zspy: warning: {printable(str(message))}", file=sys.stderr)


def _tree(options: argparse.Namespace) -> int:
    tree = look(options.file)
    if options.json:
        return _print_json(tree_json(tree, options.path))
    print(summary(tree, options.file))
    for line in tree_lines(tree, options.path, options.depth, _paint(sys.stdout)):
        print(line)
    return SAME


def _show(options: argparse.Namespace) -> int:
    rows = [pictures(signal) for signal in read(options.file) if "data" in signal]
    if options.output:
        save(rows, options.output)
        return SAME
    for picture in (picture for row in rows for picture in row):
        print("\n".join(lines(picture, colour=_is_coloured(sys.stdout))), end="\n\n")
    return SAME


def _check(options: argparse.Namespace) -> int:
    is_url = "://" in options.file
    if not is_url and not Path(options.file).exists():
        raise FormatError("there is no such file", options.file)
    findings = check(options.file, options.data, show_progressbar=sys.stderr.isatty())
    if is_url and [f.key or options.file for f in findings] == [
        options.file
    ]:  # nothing was read
        return _trouble(f"{located(options.file)}: {findings[0].message}")
    if options.json:
        _print_json(
            [
                {"severity": f.severity, "key": f.key, "message": f.message}
                for f in findings
            ]
        )
    else:
        for f in findings:
            where = f"{printable(f.key)}: " if f.key else ""
            print(f"{f.severity}: {where}{printable(f.message)}")
        count = f"{len(findings) or 'no'} finding{'s' * (len(findings) != 1)}"
        print(f"{count} in {located(options.file)}")
    return DIFFERENT if any(f.severity == "error" for f in findings) else SAME


def _diff(options: argparse.Namespace) -> int:
    found = [*differences(read(options.a), read(options.b))]
    if options.json:
        _print_json(
            [{"location": one.location, "problem": one.problem} for one in found]
        )
    elif not options.quiet:
        for one in found:
            print(f"{one.location or 'signals'}: {printable(one.problem)}")
    return DIFFERENT if found else SAME


def _convert(options: argparse.Namespace) -> int:
    source, target = options.source, located(options.target)
    if not options.force and holds(target):
        raise ZspyError(
            "there is something already", str(target), "use --force to replace it"
        )
    kind: StoreType | None = options.store
    if isinstance(target, Path) and kind is None:
        kind = "zip" if target.suffix == ".zip" else "local"
    with redirect_stdout(sys.stderr):  # where progress is shown
        left = convert(
            source, target, _plan(options, kind), progress=_shows_progress(options)
        )
    return _finished(options, left, source, options.target)


def _repack(options: argparse.Namespace) -> int:
    if "://" in options.file:
        raise ZspyError(
            "only local files are repacked", str(located(options.file)), "convert it"
        )
    with redirect_stdout(sys.stderr):
        left = repack(
            Path(options.file), _plan(options, None), progress=_shows_progress(options)
        )
    return _finished(options, left, None, options.file)


def _plan(options: argparse.Namespace, kind: StoreType | None) -> Plan:
    return Plan(
        kind, options.format, options.chunks, options.shards, options.compressor
    )


def _shows_progress(options: argparse.Namespace) -> bool:
    return not options.quiet and sys.stderr.isatty()


def _finished(
    options: argparse.Namespace, left: list[str], source: Any, target: str
) -> int:
    """Say what was written, and compare it with the source where that is asked for."""
    for name in left:
        print(f"zspy: warning: left behind: {printable(name)}", file=sys.stderr)
    found = (
        [*differences(read(source), read(target))]
        if getattr(options, "verify", False)
        else []
    )
    for one in found:
        print(f"zspy: {one.location}: {printable(one.problem)}", file=sys.stderr)
    if not options.quiet:
        verified = ", verified" * (getattr(options, "verify", False) and not found)
        print(f"{summary(look(target), target)}{verified}")
    return DIFFERENT if found else SAME


def _print_json(value: Any) -> int:
    print(json.dumps(_finite(value), indent=2))
    return SAME


def _finite(value: Any) -> Any:
    """Replace numbers that JSON does not have by their names."""
    if is_dict(value):
        return {key: _finite(one) for key, one in value.items()}
    if is_list(value):
        return [_finite(one) for one in value]
    is_finite = not isinstance(value, float) or abs(value) < float("inf")
    return value if is_finite else str(value)


def _paint(out: TextIO) -> Paint:
    """Give what colours texts: where a person looks on, who has not said NO_COLOR."""
    if not _is_coloured(out):
        return lambda text, _: text
    return lambda text, kind: f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"


def _is_coloured(out: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return out.isatty() and not plain


def _edges(text: str) -> tuple[int, ...]:
    edges = tuple(map(int, text.split(",")))
    if min(edges) < 1:
        raise ValueError
    return edges


def _codec(text: str) -> numcodecs.Blosc:
    name, _, level = text.partition(":")
    if name not in _BLOSC or int(level or 1) not in range(10):
        raise ValueError
    return numcodecs.Blosc(name, int(level or 1), numcodecs.Blosc.SHUFFLE)


def _depth(text: str) -> int:
    depth = int(text)
    if depth < 0:
        raise ValueError
    return depth


def _parsed(
    parse: Callable[[str], Any], what: str, *words: str
) -> Callable[[str], Any]:
    """Give what parses an argument, or knows it as one of the words."""

    def parsed(text: str) -> Any:
        try:
            return _WORDS[text] if text in words else parse(text)
        except ValueError:
            said = f"{text!r} is not {', '.join([*words, what])}"
            raise argparse.ArgumentTypeError(said) from None

    return parsed


def _argument(*names: str, **metadata: Any) -> _Argument:
    return names, metadata


_FILE: Final = _argument(
    "file", metavar="FILE", help="a file: directory, zip, database, URL"
)
_JSON: Final = _argument("--json", action="store_true", help="print JSON, for programs")
_QUIET: Final = _argument(
    "-q", "--quiet", action="store_true", help="print nothing but trouble"
)
_LAYOUT: Final = (
    _argument("--format", type=int, choices=(2, 3), help="the Zarr format to write"),
    _argument(
        *("--chunks", "-c"),
        type=_parsed(_edges, "edges like 8,8,64,64", "keep", "auto"),
        default="keep",
        metavar="8,8,64,64",
        help="shape of the chunks of the data; keep (the default), auto, or edges",
    ),
    _argument(
        *("--shards", "-s"),
        type=_parsed(_edges, "edges like 32,32,64,64", "auto", "none"),
        metavar="32,32,64,64",
        help="shape of the shards, in format 3; auto (the default), none, or edges",
    ),
    _argument(
        *("--compressor", "-z"),
        type=_parsed(_codec, "a codec like zstd:5", "keep", "auto", "none"),
        default="keep",
        metavar="zstd:5",
        help=f"keep (the default), auto, none, or one of {', '.join(_BLOSC)}, with its level",
    ),
    _QUIET,
)
# What runs, what it does, how it is called, and what it takes.
_COMMANDS: Final[Mapping[str, tuple[_Run, str, Sequence[str], Sequence[_Argument]]]] = {
    "tree": (
        _tree,
        "show what is stored: groups, arrays and attributes",
        ("scan.zspy", "scan.zspy Experiments --depth 2", "scan.zspy --json"),
        (
            _FILE,
            _argument(
                "path", metavar="PATH", nargs="?", default="", help="a node in the file"
            ),
            _argument(
                *("-d", "--depth"),
                type=_parsed(_depth, "a number of levels"),
                metavar="N",
                help="levels to show, at most",
            ),
            _JSON,
        ),
    ),
    "show": (
        _show,
        "draw every signal: its sum at each position, and its mean over them",
        ("scan.zspy", "scan.zspy -o scan.png"),
        (
            _FILE,
            _argument(
                "-o", "--output", metavar="PNG", help="draw an image, not characters"
            ),
        ),
    ),
    "check": (
        _check,
        "look for damage",
        ("scan.zspy", "scan.zspy --data", "scan.zspy --json"),
        (
            _FILE,
            _argument("--data", action="store_true", help="decode all chunks as well"),
            _JSON,
        ),
    ),
    "diff": (
        _diff,
        "compare the values in two files; exit with 0 where they are the same, 1 where not",
        ("before.zspy after.zspy", "before.zspy after.zspy --quiet && echo same"),
        (
            _argument("a", metavar="A", help="a file"),
            _argument("b", metavar="B", help="another one, in any store and format"),
            _QUIET,
            _JSON,
        ),
    ),
    "convert": (
        _convert,
        "copy the signals of a file to another store or format, block by block",
        (
            "scan.zspy scan.zspy.zip",
            "scan.zspy cloud.zspy --format 3 --chunks auto --verify",
            "scan.zspy small.zspy --compressor zstd:9",
        ),
        (
            _argument(
                "source", metavar="SRC", help="a file: directory, zip, database, URL"
            ),
            _argument(
                "target",
                metavar="DST",
                help="a path or URL to write to; a zip if it ends in .zip",
            ),
            _argument("--store", choices=STORE_TYPES, help="what to make there"),
            _argument(
                "-f", "--force", action="store_true", help="replace what is there"
            ),
            _argument(
                "--verify", action="store_true", help="read both and compare the values"
            ),
            *_LAYOUT,
        ),
    ),
    "repack": (
        _repack,
        "write a file anew in its own place, which drops what nobody reads any more",
        ("scan.zspy", "scan.zspy --compressor zstd:5 --chunks auto"),
        (
            _argument("file", metavar="FILE", help="a file: directory, zip, database"),
            *_LAYOUT,
        ),
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "zspy", description="Look at .zspy files, compare, convert and check them."
    )
    parser.add_argument("--version", action="version", version=f"zspy {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (run, said, examples, arguments) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=said,
            description=f"{said[0].upper()}{said[1:]}.",
            epilog="\n".join(
                ["examples:", *(f"  zspy {name} {one}" for one in examples)]
            ),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        for names, metadata in arguments:
            command.add_argument(*names, **metadata)
    return parser
