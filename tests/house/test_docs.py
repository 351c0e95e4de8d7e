"""Every Python block of the README and of the documentation runs, page by page, in order."""

from __future__ import annotations

import json
import re
import sys
from doctest import DocTestParser, DocTestRunner
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import pytest

from zspy.values.records import BY_TAG

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS: Final = sorted((ROOT / "docs").rglob("*.ipynb"))
# A comment right above a block says why it is not run.
BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?:python|pycon)[^\n]*\n(?P<code>.*?)^```$",
    re.M | re.S,
)
INCLUDED: Final = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', re.M)
# At most so many blocks of all pages need what a test has not.
UNTESTED: Final = 5


# Optional packages that a page is about.
NEEDS: Final = {
    "docs/howto/cloud.md": ("fsspec", "obstore"),
    "docs/howto/convert.md": ("dask", "h5py"),
    "docs/howto/hyperspy.md": ("hyperspy",),
    "docs/howto/versions.md": ("icechunk",),
    "docs/howto/xarray.md": ("xarray",),
}


class Block(NamedTuple):
    """The code of a block, behind as many empty lines as it has lines above it."""

    code: str
    why: str | None


def blocks(text: str) -> list[Block]:
    return [
        Block("\n" * text.count("\n", 0, found.start("code")) + found["code"], found["why"])
        for found in BLOCK.finditer(text)
    ]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_blocks_keep_their_line_numbers() -> None:
    text = "a\n```python\nb\n```\n```bash\nc\n```\n<!-- not run: a bucket -->\n```python\nd\n```\n"
    assert blocks(text) == [Block("\n\nb\n", None), Block("\n" * 9 + "d\n", "a bucket")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:fsspec.*")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in NEEDS.get(name_of(page), ()):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    # A module that classes of the page can be found in.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.why is None and ">>> " in block.code:
            example = DocTestParser().get_doctest(block.code, vars(module), str(page), None, 0)
            assert DocTestRunner().run(example, clear_globs=False).failed == 0
        elif block.why is None:
            exec(compile(block.code, str(page), "exec"), vars(module))  # noqa: S102 - what is tested
        elif ">>> " not in block.code:
            compile(block.code, str(page), "exec")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_the_cells_of_a_notebook_run(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            exec(compile(code, f"{notebook} {cell['id']}", "exec"), names)  # noqa: S102 - what is tested
    assert (tmp_path / "particle.zspy").exists()


def test_few_blocks_are_not_run() -> None:
    skipped = [
        (name_of(page), block.why)
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.why is not None
    ]
    assert len(skipped) <= UNTESTED, skipped


def test_what_pages_include_is_there() -> None:
    for page in PAGES:
        for found in INCLUDED.finditer(page.read_text(encoding="utf-8")):
            assert (ROOT / found["path"]).is_file(), (page, found["path"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), (page, target)


def test_the_specification_has_each_tag_of_a_record() -> None:
    page = (ROOT / "docs" / "specification" / "records.md").read_text(encoding="utf-8")
    assert [tag for tag in BY_TAG if f'`["{tag}"' not in page] == []


# "clause 9.6", "clauses 3.4, 7.1 and 12", "clauses 8 to 10"
CLAUSES: Final = re.compile(
    r"\b[Cc]lauses?\s+(\d+(?:\.\d+)*(?:(?:,|\s+and|\s+to)\s+\d+(?:\.\d+)*)*)"
)


def test_each_clause_that_is_named_is_one_of_the_specification() -> None:
    specification = sorted((ROOT / "docs" / "specification").glob("*.md"))
    parts = [page.read_text(encoding="utf-8") for page in specification if page.stem != "outline"]
    known = {
        found[1]
        for part in parts
        for found in re.finditer(r"^(?:## )?(\d+(?:\.\d+)?)\.? ", part, re.M)
    }
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *PAGES]
    named = {
        (name_of(source), number)
        for source in sources
        for found in CLAUSES.finditer(source.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+(?:\.\d+)*", found[1])
    }
    assert named
    assert {one for one in named if one[1] not in known} == set()
