"""Every block of the page for users of HyperSpy runs, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "hyperspy.md"


@pytest.mark.filterwarnings("default")  # those of HyperSpy and dask
@pytest.mark.usefixtures("hs")
def test_the_blocks_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S
    ):
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - what is tested
    assert "remote" in names
