"""The page on the command line: its commands run, and print what it says; sizes may differ."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from zspy.apps.arguments import FILES
from zspy.apps.cli import COMMANDS, main

PAGE: Final = Path(__file__).parents[2] / "docs" / "cli.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """List the blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def plain(text: str) -> str:
    """Leave out numbers of bytes and of documents."""
    return re.sub(r"[\d.]+ (?:[kM]?B|documents)\b", "N", text.strip())


def test_the_commands_print_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in blocks("python"):
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - it is what is tested
    commands = re.findall(r"(?m)^\$ zspy (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks("console")))
    assert len(commands) > 5
    for command, said in commands:
        capsys.readouterr()
        assert main(shlex.split(command)) == 0, command
        out, err = capsys.readouterr()
        assert err == ""
        assert plain(said) in plain(out), command


def test_the_page_lists_the_commands_that_take_several_files() -> None:
    commands = {name: import_module(f"zspy.apps.commands.{name}").COMMAND for name in COMMANDS}
    several = [f"`{name}`" for name, one in commands.items() if FILES in one.arguments]
    assert f"{', '.join(several[:-1])} and {several[-1]} take several files" in TEXT


def test_every_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command} " in said
        assert f"\n## {command}: " in TEXT
