"""The files around the package say the same as the package does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

import zspy

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS: Final = PROJECT["dependency-groups"]


def text(name: str) -> str:
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is in a checkout only")
    return path.read_text("utf-8")


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\nversion: {zspy.__version__}\n" in text("CITATION.cff")
    released = re.findall(r"(?m)^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", text("CHANGELOG.md"))
    assert released[0] == zspy.__version__
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/zspy/__init__.py"


def test_the_date_of_the_release_is_the_same_everywhere() -> None:
    (date,) = re.findall(r"(?m)^date-released: (.*)$", text("CITATION.cff"))
    assert f"## [{zspy.__version__}] - {date}\n" in text("CHANGELOG.md")


def test_the_licence_is_the_same_everywhere() -> None:
    assert PROJECT["project"]["license"] == "MIT"
    assert "\nlicense: MIT\n" in text("CITATION.cff")
    assert text("LICENSE").startswith("MIT License")


@pytest.mark.parametrize(
    ("tool", "group", "repository"),
    [("ruff", "style", "ruff-pre-commit"), ("mypy", "typing", "mirrors-mypy")],
)
def test_commits_are_judged_by_the_versions_that_nox_uses(
    tool: str, group: str, repository: str
) -> None:
    (pin,) = (line for line in GROUPS[group] if line.startswith(f"{tool}=="))
    section = text(".pre-commit-config.yaml").partition(f"/{repository}\n")[2]
    assert re.findall(r"rev: v(\S+)", section)[0] == pin.partition("==")[2]


def test_every_mark_is_that_of_a_session() -> None:
    marks = {mark.partition(":")[0] for mark in PROJECT["tool"]["pytest"]["markers"]} - {"gpu"}
    noxfile = text("noxfile.py")
    (long,) = re.findall(r"(?m)^LONG = \((.*)\)$", noxfile)
    assert {name.strip('" ') for name in long.split(",")} == marks
    for mark in marks:
        assert f"\ndef {mark}(session" in noxfile


def test_ci_run_names_sessions_that_there_are() -> None:
    noxfile = text("noxfile.py")
    (wanted,) = re.findall(r"(?m)^wanted\+=\((interop.*)\)$", text(".ci/run"))
    names = {"properties" if name == "property" else name for name in wanted.split()}
    assert len(names) > 7
    for name in names:
        assert f"\ndef {name}(session" in noxfile
