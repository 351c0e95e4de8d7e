"""The commands of the README are there; tests/test_docs.py runs its examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

README: Final = Path(__file__).parents[1] / "README.md"
TEXT: Final = README.read_text(encoding="utf-8")


def test_the_commands_name_sessions_that_exist() -> None:
    sessions = re.findall(r"python -m nox -s (\S+)", TEXT)
    noxfile = (README.parent / "noxfile.py").read_text(encoding="utf-8")
    assert {"demo", "tests"} <= set(sessions)
    for session in sessions:
        assert re.search(rf'^def {session}\(|name="{session}"', noxfile, flags=re.MULTILINE)
