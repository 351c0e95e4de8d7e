"""The page about speed shows the figures of the last run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from benchmarks.report import filled

DOCS: Final = Path(__file__).parents[2] / "docs"


def test_the_page_shows_the_figures_of_the_last_run() -> None:
    page = (DOCS / "performance.md").read_text(encoding="utf-8")
    run = json.loads((DOCS / "benchmark.json").read_text(encoding="utf-8"))
    assert filled(page, run) == page
    with pytest.raises(ValueError, match="0 places for machine"):
        filled("", run)
