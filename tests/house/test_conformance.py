"""The conformance suite: it is what its command makes, and zspy passes it."""

from __future__ import annotations

import json
import sys
import tarfile
import warnings
from pathlib import Path

import pytest

import zspy
from conformance.__main__ import ARCHIVE, archive, difference, main, results, unpacked
from conformance.cases import cases
from conformance.representation import signals_of

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


@pytest.mark.parametrize("name", sorted(CASES))
def test_zspy_reads_each_file_as_specified(name: str, suite: Path) -> None:
    expected = json.loads((suite / f"{name}.json").read_text("utf-8"))
    for path in (suite / f"{name}.zspy", suite / f"{name}.zip.zspy"):
        if not path.exists():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not expected["valid"]:
                with pytest.raises(zspy.ZspyError):
                    zspy.file_reader(path)
                continue
            found = json.loads(json.dumps(signals_of(zspy.file_reader(path))))
        assert difference(expected["records"], found) is None


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


def test_the_command_unpacks(tmp_path: Path) -> None:
    assert main(["unpack", str(tmp_path)]) == 0
    assert len([*tmp_path.glob("suite-*/*.json")]) == len(CASES)
