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


HOSTS: Final = {
    "page": ("#ffffff", "#1f1f1f", ""),
    "dark page": ("#111111", "#ffffff", ""),
    "JupyterLab": ("#ffffff", "#000000", "--jp-content-font-color1: rgba(0, 0, 0, 0.87)"),
    "dark JupyterLab": ("#111111", "#000000", "--jp-content-font-color1: rgba(255, 255, 255, 1)"),
    "VS Code": ("#ffffff", "#000000", "--vscode-editor-foreground: #3b3b3b"),
    "dark VS Code": ("#1f1f1f", "#000000", "--vscode-editor-foreground: #cccccc"),
}
"""For each host of a notebook: the background, the colour of text around it, and a variable."""
COLOURS: Final = """<script>
const found = ["summary", "code", "summary span"].map(one => {
  const style = getComputedStyle(document.querySelector(".zspy-tree " + one));
  return [style.color.match(/[\\d.]+/g).join(" "), style.opacity, style.backgroundColor].join("|");
});
document.title = found.join("/");
</script>"""


def luminance(colour: list[float]) -> float:
    """Compute what WCAG calls the relative luminance of red, green and blue."""
    parts = [one / 255 for one in colour]
    linear = [one / 12.92 if one <= 0.04 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(np.multiply(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("host", HOSTS)
def test_all_texts_of_the_tree_can_be_read(host: str, tmp_path: Path) -> None:
    background, colour, variable = HOSTS[host]
    style = (
        f"<style>:root {{{variable}}} body {{background: {background}; color: {colour}}}</style>"
    )
    tree = html(zspy.Group({"a": 1}))
    page = browse(f"{style}<body><p>{tree}</p>{COLOURS}</body>", tmp_path, "--dump-dom")
    title = page.partition("<title>")[2].partition("</title>")[0]
    below = [int(background[i : i + 2], 16) for i in (1, 3, 5)]
    for found in title.split("/"):
        numbers, opacity, behind = found.split("|")
        assert behind == "rgba(0, 0, 0, 0)"
        red, green, blue, *alpha = map(float, numbers.split())
        share = float(opacity) * (alpha or [1.0])[0]
        above = [
            share * a + (1 - share) * b for a, b in zip((red, green, blue), below, strict=True)
        ]
        dark, light = sorted((luminance(above), luminance([*map(float, below)])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, found
