"""The tree for notebooks in a real browser, which runs nothing that a file says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import numpy as np
import pytest

import zspy
from zspy.apps.html import html

BROWSER: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


def browse(page: str, folder: Path, *options: str) -> str:
    """Open a page in a headless browser; give what it made of it, after all scripts have run."""
    file = folder / "page.html"
    file.write_text(f"<!DOCTYPE html><title>quiet</title>{page}", encoding="utf-8")
    command = [
        *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'profile'}", "--window-size=800,600", *options),
        file.as_uri(),
    ]
    result = subprocess.run(command, capture_output=True, check=True, timeout=120)
    return result.stdout.decode()


def test_a_browser_opens_the_tree(tmp_path: Path) -> None:
    signal = {
        "data": np.zeros((4, 5, 32), "u2"),
        "axes": [{"name": name, "navigate": name != "E"} for name in ("y", "x", "E")],
        "metadata": {"General": {"title": "Map <1>"}},
    }
    place: dict[str, bytes] = {}
    zspy.file_writer(place, signal, show_progressbar=False)
    page = browse(html(zspy.open_group(place)), tmp_path, "--dump-dom")
    assert page.count("<details") == page.count("</details>") > 5
    assert "<code>'Map &lt;1&gt;'</code>" in page
    assert "(4, 5, 32) uint16" in page
    browse(html(zspy.open_group(place)), tmp_path, f"--screenshot={tmp_path / 'page.png'}")
    assert (tmp_path / "page.png").stat().st_size > 5000


def test_a_browser_runs_nothing_of_a_file(tmp_path: Path) -> None:
    loud = "<script>document.title='loud'</script><img src=x onerror=\"document.title='loud'\">"
    spoiled = f"</code></div></details>{loud}"
    group = zspy.Group({loud: spoiled}, {spoiled: zspy.Array(np.array([loud]), {spoiled: loud})})
    assert "<title>loud</title>" in browse(loud, tmp_path, "--dump-dom")
    page = browse(html(group), tmp_path, "--dump-dom")
    assert "<title>quiet</title>" in page
    assert "<img" not in page
    assert "<script" not in page
