"""The tree for notebooks: well formed, escaped, and never too large, whatever the group holds."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, strategies as st

import zspy
from zspy import Array, Group
from zspy.apps.html import BRANCH, DEEPEST, ROWS, html
from zspy.apps.notebook import GroupView
from zspy.apps.text import cut, printable, value_text, values_text
from zspy.typing import Node
from zspy.values.ragged import object_array

HOSTILE: Final = (
    "<script>alert(1)</script>",
    "</details></div>",
    '"onload="x',
    "'><img src=x onerror=alert(1)>",
    "&amp;",
    "\x1b[2J\x00",
    "\ud800",
    "\u202etxt",
    "",
)


class Page(HTMLParser):
    """What a browser makes of a page: its elements, which must be closed in order, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes |= {*attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.text += data


def test_a_record_is_no_line_of_the_tree() -> None:
    page = Page(html(Group({"a": 1, "_sig_zspy": {"order": ["a"]}})))
    assert "a: 1" in page.text
    assert "_sig_zspy" not in page.text


def chain(levels: int) -> Group:
    """Make groups in groups."""
    group = Group({"deepest": True})
    for _ in range(levels):
        group = Group({}, {"g": group})
    return group


def test_a_group_shows_itself_in_a_notebook() -> None:
    group = Group({"title": "Map"}, {"data": Array(np.arange(6).reshape(2, 3), {"unit": "nm"})})
    page = Page(GroupView.of(group)._repr_html_())
    for text in ("/", "title: 'Map'", "data", "(2, 3)", "int64", "0 1 2 3 4 5", "unit: 'nm'"):
        assert text in page.text


def test_a_tree_says_what_its_nodes_stand_for() -> None:
    value: dict[str, Any] = {"a": [1, 2], "b": (1, [2]), "c": {"d": {}}, "e": np.zeros(3, ">f4")}
    page = Page(html(zspy.encode(value)))
    for text in ("_list_alist", "_tuple_2_btuple", "cgroup", "dempty group", "earray(3,) >f4"):
        assert text in page.text


def test_shards_and_cells_are_shown() -> None:
    cells = object_array([np.arange(2.0), "<&>"], (2,))
    page = Page(
        html(
            Group(
                {},
                {
                    "sharded": Array(np.zeros((4, 4)), chunks=(1, 4), shards=(2, 4)),
                    "cells": Array(cells, cells="msgpack2"),
                },
            )
        )
    )
    for text in ("chunks: (1, 4)", "shards: (2, 4)", "object (msgpack2)", "float64[2] '<&>'"):
        assert text in page.text
    assert page.text.count("in memory") == 1


def test_an_array_that_is_elsewhere_is_not_read() -> None:
    class Far:
        shape = (10**6, 10**6)
        ndim = 2
        dtype = np.dtype("f8")

        def __getitem__(self, key: Any, /) -> Any:
            raise AssertionError(f"read at {key}")

    page = Page(html(Group({}, {"far": Array(Far())})))
    assert "8 TB" in page.text
    assert "values" not in page.text


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_values_are_escaped(text: str) -> None:
    nodes: dict[str, Node] = {
        text: Group({text: text}),
        f"{text} ": Array(np.array([text]), {text: [text, {text: text}]}, cells=None),
        f"{text}  ": Array(object_array([text], (1,)), cells=text),
    }
    page = html(Group({text: text}, nodes))
    assert page.encode()
    found = Page(page)
    assert {*found.tags} <= {"style", "div", "details", "summary", "b", "span", "code"}
    classes: set[tuple[str, str | None]] = {("class", "zspy-tree"), ("class", "zspy-row")}
    assert found.attributes == classes | {("open", None)}
    assert printable(text) in found.text


@given(st.text())
def test_what_is_printed_prints(text: str) -> None:
    assert printable(text).isprintable()
    assert (printable(text) == text) == text.isprintable()


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_tree_is_well_formed(value: Any) -> None:
    Page(html(zspy.encode({"x": value})))


def test_what_is_too_much_is_counted() -> None:
    many = Group({str(i): i for i in range(500)}, {f"m{i}": Group() for i in range(70)})
    assert f"… {570 - BRANCH} more" in Page(html(many)).text
    mixed = Group({}, {f"m{i}": Group() for i in range(BRANCH + 3)})
    assert "… 3 more" in Page(html(mixed)).text


def test_a_huge_tree_is_cut_fairly() -> None:
    leaf = Group({str(i): i for i in range(50)})
    large = Group({}, {str(i): Group({}, {str(j): leaf for j in range(50)}) for i in range(50)})
    page = Page(html(Group({}, {"a": large, "z": Group({"last": 1})})))
    assert page.tags.count("details") < ROWS
    assert "last: 1" in page.text


def test_a_deep_tree_is_cut() -> None:
    page = Page(html(chain(5000)))
    assert page.tags.count("details") == DEEPEST + 1
    assert "… 1 more" in page.text
    assert "deepest: True" in Page(html(chain(3))).text


def test_long_values_are_cut() -> None:
    assert len(value_text("x" * 10**6)) == 80
    assert len(value_text([*range(1000)])) == 80
    assert cut("abc", 3) == "abc"
    assert values_text(np.zeros(0)) == ""
    assert values_text(np.array([1 / 3, np.nan])) == "0.333333 nan"
    deep: Any = []
    for _ in range(10**5):
        deep = [deep]
    assert value_text(deep) == "list"
