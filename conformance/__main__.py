"""Make the suite, or run a reader through it: ``python -m conformance --help``."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import warnings
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

import zspy
from conformance.cases import Case, Documents, cases, without_records
from conformance.representation import represented, signals_of
from zspy.typing import is_dict, is_list

VERSION: Final = "1.2"
ARCHIVE: Final = Path(__file__).with_name(f"suite-{VERSION}.tar.xz")
OPTIONAL: Final = frozenset({"index_in_array", "_lazy", "ragged"})  # what a reader may leave out


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the status is 1 where a reader fails."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help="write the archive of the suite anew")
    unpack = commands.add_parser("unpack", help="unpack the suite into a folder")
    unpack.add_argument("folder", type=Path)
    run = commands.add_parser("run", help="run a reader: conformance run -- my-reader")
    run.add_argument("--level", choices=("core", "records"), default="core")
    run.add_argument("reader", nargs="+", help="a command that prints the JSON of a file")
    chosen = parser.parse_args(arguments)
    if chosen.command == "generate":
        ARCHIVE.write_bytes(archive())
        return 0
    if chosen.command == "unpack":
        unpacked(chosen.folder)
        return 0
    return report(chosen.reader, chosen.level)


def expectation(case: Case) -> dict[str, Any]:
    """Give what a reader returns: without the type records, and with them."""
    if not case.valid:
        return {"version": VERSION, "clauses": case.clauses, "valid": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a newer version, and of chunks that are missing
        core = signals_of(zspy.file_reader(without_records(case.documents)))
        records = signals_of(zspy.file_reader(case.documents))
    return {
        "version": VERSION,
        "clauses": case.clauses,
        "valid": True,
        "core": core,
        "records": records,
    }


def members(case: Case) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a case: as a folder, or as a zip file."""
    for store in case.stores:
        if store == "zip":
            yield f"{case.name}.zip.zspy", _zipped(case.documents)
        else:
            for key, data in sorted(case.documents.items()):
                yield f"{case.name}.zspy/{key}", data


def _zipped(documents: Documents) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.zspy"
        zspy.commit(documents, path, store_type="zip", sync=False)
        return path.read_bytes()


def archive() -> bytes:
    """Give the archive of the suite, which is the same each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for case in cases():
            expected = json.dumps(expectation(case), indent=1, sort_keys=True).encode()
            for name, data in [*members(case), (f"{case.name}.json", expected)]:
                info = tarfile.TarInfo(f"suite-{VERSION}/{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(folder: Path) -> Path:
    """Unpack the archive into a folder; give the folder of the suite."""
    with tarfile.open(ARCHIVE) as tar:
        # The first releases of Python 3.11 know no filter, and ignore this.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - by the filter above, where there is any
    return folder / f"suite-{VERSION}"


def report(reader: Sequence[str], level: str) -> int:
    """Run a reader through the suite, and print what fails."""
    failed = 0
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, problem in results(unpacked(Path(folder)), reader, level):
            total += 1
            failed += problem is not None
            print(f"{name}: {problem or 'as specified'}")
    print(f"{total - failed} passed, {failed} failed")
    return int(failed > 0)


def results(suite: Path, reader: Sequence[str], level: str) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each file, and what is wrong with what the reader says of it."""
    for described in sorted(suite.glob("*.json")):
        expected = json.loads(described.read_text(encoding="utf-8"))
        name = described.stem
        for path in (suite / f"{name}.zspy", suite / f"{name}.zip.zspy"):
            if path.exists():
                yield path.name, _problem(expected, [*reader, str(path)], level)


def _problem(expected: dict[str, Any], command: list[str], level: str) -> str | None:
    """Run the reader once; say what differs."""
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if not expected["valid"]:
        return "it is read, but it is damaged" if result.returncode == 0 else None
    if result.returncode != 0:
        last = result.stderr.strip().splitlines()[-1:] or [f"exit status {result.returncode}"]
        return last[0][:200]
    try:
        found = json.loads(result.stdout)
    except ValueError:
        return "it prints no JSON"
    try:
        found = with_elements(found)
    except (KeyError, TypeError, ValueError) as error:
        return f"an array is not described as docs/conformance.md says: {error}"
    problem = difference(expected[level], found)
    # A reader of records is right at the level core as well.
    right = level == "core" and difference(expected["records"], found) is None
    return None if right else problem


def with_elements(found: Any) -> Any:
    """Give what a reader prints with the elements of those arrays whose bytes it prints.

    >>> with_elements({"array": {"dtype": "<i2", "shape": [2], "bytes": "AQD//w=="}})
    {'array': {'dtype': '<i2', 'shape': [2], 'elements': [1, -1]}}
    """
    if is_list(found):
        return [with_elements(one) for one in found]
    if not is_dict(found):
        return found
    if _is(found, "array") and "bytes" in found["array"]:
        array = found["array"]
        elements = np.frombuffer(b64decode(array["bytes"]), _dtype(array["dtype"]))
        return represented(elements.reshape(array["shape"]))
    return {key: with_elements(one) for key, one in found.items()}


def _dtype(name: Any) -> np.dtype[Any]:
    if isinstance(name, str):
        return np.dtype(name)
    return np.dtype([(field, _dtype(one), *map(tuple, shape)) for field, one, *shape in name])


def difference(expected: Any, found: Any, place: str = "") -> str | None:
    """Say where two representations differ, or None.

    >>> difference([{"float": "0.5"}], [{"float": "5e-1"}]) is None
    True
    >>> difference([1], [True])
    '[0]: 1 expected, True found'
    """
    if _is(expected, "float") and _is(found, "float"):
        a, b = float(expected["float"]), float(found["float"])
        same = repr(a) == repr(b)
        return None if same else f"{place}: {a!r} expected, {b!r} found"
    if _is(expected, "dict") and _is(found, "dict"):
        a_pairs, b_pairs = _pairs(expected), _pairs(found)
        for key in sorted(a_pairs.keys() | b_pairs.keys()):
            inner = difference(a_pairs.get(key), b_pairs.get(key), f"{place}.{key}")
            if inner is not None:
                return inner
        return None
    if is_dict(expected) and is_dict(found):
        for key in sorted(expected.keys() | found.keys()):
            inner = difference(expected.get(key), found.get(key), f"{place}.{key}")
            if inner is not None:
                return inner
        return None
    if is_list(expected) and is_list(found):
        if len(expected) != len(found):
            return f"{place}: {len(expected)} elements expected, {len(found)} found"
        for index, (a, b) in enumerate(zip(expected, found, strict=True)):
            inner = difference(a, b, f"{place}[{index}]")
            if inner is not None:
                return inner
        return None
    if type(expected) is type(found) and expected == found:
        return None
    return f"{place}: {expected!r:.80} expected, {found!r:.80} found"


def _is(value: Any, tag: str) -> bool:
    return is_dict(value) and list(value) == [tag]


def _pairs(value: dict[str, Any]) -> dict[str, Any]:
    """Give the entries of a dictionary by the text of their keys, but for those of choice."""
    return {
        json.dumps(key): one
        for key, one in value["dict"]
        if not (isinstance(key, str) and key in OPTIONAL)
    }


if __name__ == "__main__":
    sys.exit(main())
