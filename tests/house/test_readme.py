"""The commands of the README are there; tests/house/test_docs.py runs its examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

README: Final = Path(__file__).parents[2] / "README.md"
TEXT: Final = README.read_text(encoding="utf-8")
CONFIG: Final[dict[str, Any]] = tomllib.loads(
    (README.parent / "pyproject.toml").read_text(encoding="utf-8")
)


def test_the_commands_name_sessions_that_exist() -> None:
    sessions = re.findall(r"python -m nox -s (\S+)", TEXT)
    noxfile = (README.parent / "noxfile.py").read_text(encoding="utf-8")
    assert {"demo", "tests"} <= set(sessions)
    for session in sessions:
        assert re.search(rf'^def {session}\(|name="{session}"', noxfile, flags=re.MULTILINE)


def test_the_badges_are_true() -> None:
    project = CONFIG["project"]
    versions = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert f"/licence-{project['license']}-" in TEXT
    assert f"/python-{'_%7C_'.join(versions)}-" in TEXT
    assert CONFIG["tool"]["mypy"]["strict"]
    assert CONFIG["tool"]["pyright"]["typeCheckingMode"] == "strict"


def test_on_a_package_index_no_link_is_relative() -> None:
    text = TEXT
    for change in CONFIG["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"][
        "substitutions"
    ]:
        text = re.sub(change["pattern"], change["replacement"], text)
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert len(links) > 5
    assert [link for link in links if not link.startswith("https://")] == []
    assert "docs/images" not in text
