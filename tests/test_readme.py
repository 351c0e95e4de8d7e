"""The README keeps its word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

README: Final = Path(__file__).parents[1] / "README.md"
TEXT: Final = README.read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """List the Python blocks, each behind as many empty lines as it has lines above it."""
    found = re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, block.start(1)) + block[1] for block in found]


def test_blocks_keep_their_line_numbers() -> None:
    assert blocks("a\n```python\nb\n```\n```bash\nc\n```\n") == ["\n\nb\n"]


def test_the_examples_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = blocks(TEXT)
    assert examples
    for example in examples:
        exec(compile(example, str(README), "exec"), names)  # noqa: S102 - it is what is tested


def test_the_commands_name_sessions_that_exist() -> None:
    sessions = re.findall(r"python -m nox -s (\S+)", TEXT)
    noxfile = (README.parent / "noxfile.py").read_text(encoding="utf-8")
    assert {"demo", "tests"} <= set(sessions)
    for session in sessions:
        assert re.search(rf'^def {session}\(|name="{session}"', noxfile, flags=re.MULTILINE)
