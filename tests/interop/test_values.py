"""Released readers read every value that zspy writes, and equal wherever their own writer keeps it.

`what_hyperspy_sees.py` makes the table of ``docs/what-hyperspy-sees.md`` from the same answers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.interop.answers import RELEASES
from tests.interop.environments import REFERENCE, python_of, work
from tests.interop.what_hyperspy_sees import PAGE, page
from tests.support.sidecar import differences, is_array, is_dict, is_sequence
from tests.support.values import PLAIN, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.interop.answers import Answers
    from tests.interop.environments import Release

# Names of keys that not every file system holds, or that differ by case or by the form of an
# accent only: the reference stores them as they are, zspy escaped.
ESCAPED = frozenset(
    {
        *("keys_control", "keys_empty_list", "keys_windows", "keys_trailing", "keys_case"),
        *("keys_unicode", "keys_zarr_3"),
    }
)
# Keys that are one attribute to HyperSpy, which drops what is no letter: "~" and "%". It raises
# where a list stands under the first and a dictionary under the second one.
COLLIDING = frozenset({"all", "keys_escaped", *(name for name in VALUES if "keys_odd_of" in name)})
# Lists that the reference returns in the string order of their members when it wrote them.
LONG_LISTS = ("list_long_mixed", "list_long_none", "list_long_dicts", "tuple_long_mixed")


@pytest.mark.parametrize("name", VALUES)
def test_every_value_reads_without_an_exception(answers: Answers, name: str) -> None:
    answers.read(name)


@pytest.mark.parametrize("name", VALUES)
def test_what_the_release_keeps_reads_equal(answers: Answers, name: str) -> None:
    if not answers.kept(name):
        pytest.skip("the release does not keep this value itself")
    given, read = VALUES[name](), answers.read(name)
    if name in ESCAPED:
        given, read = without_keys(given), without_keys(read)
    assert not differences(given, read)


def test_every_release_keeps_plain_values(answers: Answers) -> None:
    """Else nothing was compared."""
    assert all(answers.kept(name) for name in PLAIN)


@pytest.mark.parametrize("name", LONG_LISTS)
def test_long_lists_read_in_their_true_order(answers: Answers, name: str) -> None:
    assert not answers.kept(name)
    assert not differences(VALUES[name](), answers.read(name))


def test_hyperspy_loads_every_value(values_written: Path, tmp_path: Path) -> None:
    """All in one process, which takes seconds to start."""
    report = tmp_path / "raised.json"
    work(python_of(REFERENCE), "load_all", values_written, report)
    raised: dict[str, str] = json.loads(report.read_text(encoding="utf-8"))
    assert raised.keys() <= COLLIDING, raised


def test_all_values_of_one_file_read_as_those_of_files_of_their_own(answers: Answers) -> None:
    """But for the values that are no entries of a dictionary: none are."""
    together = answers.read("all")
    assert is_dict(together)
    for name in VALUES:
        assert not differences(answers.read(name), together.get(name)), name


def test_the_page_shows_what_the_releases_read(asked: Callable[[Release], Answers]) -> None:
    shown = page({release.version: asked(release) for release in RELEASES})
    assert PAGE.read_text(encoding="utf-8") == shown, "python -m tests.interop.what_hyperspy_sees"


def without_keys(value: object) -> object:
    """Return what a tree holds, its dictionaries as lists of what is under their keys."""
    if is_dict(value):
        members = [without_keys(below) for below in value.values()]
        return sorted(members, key=lambda member: (type(member).__name__, repr(member)))
    if is_sequence(value):
        return [without_keys(below) for below in value]
    return value.copy() if is_array(value) else value
