"""The conformance suite: it is what its command makes, and zspy passes it."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import warnings
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest

import zspy
from conformance import read_plain
from conformance.__main__ import (
    ARCHIVE,
    archive,
    difference,
    main,
    results,
    unpacked,
    with_elements,
)
from conformance.cases import cases
from conformance.representation import represented, signals_of

CASES = {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the suite once."""
    return unpacked(tmp_path_factory.mktemp("suite"))


def _contents(data: Path) -> dict[str, bytes]:
    with tarfile.open(data) as tar:
        members = [(one.name, tar.extractfile(one)) for one in tar.getmembers()]
        return {name: file.read() for name, file in members if file is not None}


def test_the_archive_is_what_its_command_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.tar.xz"
    made.write_bytes(archive())
    ours, theirs = _contents(made), _contents(ARCHIVE)
    assert ours.keys() == theirs.keys()
    # what is described has to stay; encoded chunks may differ between releases of a codec
    for name in theirs:
        if name.endswith(".json"):
            assert json.loads(ours[name]) == json.loads(theirs[name]), name


def _forms(name: str, suite: Path) -> list[Path]:
    """Give the files of a case: a directory, a zip, or both."""
    found = [suite / f"{name}.zspy", suite / f"{name}.zip.zspy"]
    found = [path for path in found if path.exists()]
    assert found
    return found


@pytest.mark.parametrize("name", sorted(CASES))
def test_zspy_reads_each_file_as_specified(name: str, suite: Path) -> None:
    expected = json.loads((suite / f"{name}.json").read_text("utf-8"))
    for path in _forms(name, suite):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not expected["valid"]:
                with pytest.raises(zspy.ZspyError):
                    zspy.file_reader(path)
                continue
            found = json.loads(json.dumps(signals_of(zspy.file_reader(path))))
        assert difference(expected["records"], found) is None


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_plain_reader_reads_each_file_as_specified(name: str, suite: Path) -> None:
    expected = json.loads((suite / f"{name}.json").read_text("utf-8"))
    for path in _forms(name, suite):
        if not expected["valid"]:
            with pytest.raises((ArithmeticError, KeyError, RuntimeError, TypeError, ValueError)):
                read_plain.read_file(path)
            continue
        found = json.loads(json.dumps(read_plain.represent_file(path)))
        assert difference(expected["core"], with_elements(found)) is None


def test_the_plain_reader_knows_nothing_of_zspy() -> None:
    source = Path(read_plain.__file__).read_text("utf-8")
    assert not re.search(r"^\s*(?:import|from) (?:zspy|conformance)", source, re.MULTILINE)


def test_the_bytes_of_an_array_are_compared_as_its_elements() -> None:
    fields = np.array(
        [(1, (-0.0, [2, 3]))], [("a", "<i4"), ("b", [("c", "<f4"), ("d", "<i2", (2,))])]
    )
    for array in (
        np.array([1 + 2j, complex("nan")]),
        np.array(["a", "\u00fc"]),
        np.array(b"a"),
        fields,
    ):
        form = {"dtype": array.dtype.descr if array.dtype.names else array.dtype.str}
        form |= {"shape": [*array.shape], "bytes": b64encode(array.tobytes()).decode()}
        found = with_elements(json.loads(json.dumps([{"array": form}])))
        assert difference([represented(array)], found) is None
        assert difference([represented(array[..., None])], found) is not None


def test_a_reader_that_is_wrong_fails(suite: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("scalars-2", "invalid-pickle"):
        (suite / f"{name}.zspy").rename(few / f"{name}.zspy")
        (few / f"{name}.json").write_bytes((suite / f"{name}.json").read_bytes())
    try:
        wrong = [sys.executable, "-c", "print('[]')"]
        found = dict(results(few, wrong, "core"))
        assert found == {
            "scalars-2.zspy": ": 1 elements expected, 0 found",
            "invalid-pickle.zspy": "it is read, but it is damaged",
        }
        silent = dict(results(few, [sys.executable, "-c", ""], "core"))
        assert silent["scalars-2.zspy"] == "it prints no JSON"
        failing = dict(results(few, [sys.executable, "-c", "raise SystemExit('no')"], "core"))
        assert failing == {"scalars-2.zspy": "no", "invalid-pickle.zspy": None}
    finally:
        for path in few.glob("*.zspy"):
            path.rename(suite / path.name)


def test_a_reader_of_records_is_right_at_the_level_core(suite: Path, tmp_path: Path) -> None:
    described = json.loads((suite / "record-scalars-2.json").read_text("utf-8"))
    path = tmp_path / "record-scalars-2.zspy"
    path.write_text(json.dumps(described["records"]))
    (tmp_path / "record-scalars-2.json").write_text(json.dumps(described))
    printed = [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())"]
    for level in ("core", "records"):
        assert dict(results(tmp_path, printed, level)) == {path.name: None}
    path.write_text(json.dumps(described["core"]))
    assert dict(results(tmp_path, printed, "core")) == {path.name: None}
    assert dict(results(tmp_path, printed, "records")) != {path.name: None}


def test_fields_may_be_masked_and_strings_of_any_length() -> None:
    found = represented(np.ma.array([(1, 2.0)], "<i4,<f8", mask=[(True, False)]))
    assert found["array"]["elements"] == [[None, "2.0"]]
    string_dtype = getattr(np.dtypes, "StringDType", None)
    if string_dtype is None:
        pytest.skip("this NumPy has no StringDType")
    found = represented(np.array(["a", None], string_dtype(na_object=None)))
    assert found == {"array": {"dtype": "T", "shape": [2], "elements": ["a", None]}}


def test_the_command_unpacks(tmp_path: Path) -> None:
    assert main(["unpack", str(tmp_path)]) == 0
    assert len([*tmp_path.glob("suite-*/*.json")]) == len(CASES)
