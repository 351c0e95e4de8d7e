"""A group as a collapsible tree for notebooks. HTML without scripts; pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import prod
from typing import Any, Final

from ..values.names import RECORD, by_index
from ..values.nodes import Array, Group
from .text import (
    dtype_text,
    printable,
    size_text,
    type_text,
    value_text,
    values_text,
)

ROWS: Final = 1000
"""Rows of a tree that are shown; each group shares what it does not need among those in it."""
BRANCH: Final = 100
"""Rows of a group that are shown."""
DEEPEST: Final = 20
"""Levels of a tree that are shown."""
_OPEN: Final = 3  # levels that are open at first
# The colours are those of JupyterLab, of VS Code, or of the page around the tree, so that it
# suits a dark one as well. What is faint has a contrast of 4.5 in their themes all the same.
_TEXT: Final = (
    "var(--jp-content-font-color1, var(--vscode-editor-foreground, inherit))"
)
_LINE: Final = "1px solid color-mix(in srgb, currentColor 25%, transparent)"
_STYLE: Final = f"""<style>
.zspy-tree {{ color: {_TEXT}; font-size: 13px; line-height: 1.6; }}
.zspy-tree {{ overflow-x: auto; white-space: nowrap; }}
.zspy-tree details > div {{ margin-left: 0.35em; padding-left: 1.1em; border-left: {_LINE}; }}
.zspy-tree .zspy-row {{ padding-left: 1.1em; }}
.zspy-tree summary {{ cursor: pointer; }}
.zspy-tree b {{ font-weight: 600; }}
.zspy-tree .zspy-row code {{ font-size: 12px; background: none; color: inherit; padding: 0; }}
.zspy-tree span {{ opacity: 0.8; margin-left: 0.5em; }}
</style>"""


def html(group: Group) -> str:
    """Render a group as a tree that opens and closes.

    Examples
    --------
    >>> page = html(Group({"title": "<b>"}))
    >>> "&lt;b&gt;" in page, "<b>" in page.partition("title")[2]
    (True, False)
    """
    tree = "".join(_group_parts(group, "/", ROWS, 0))
    return f'{_STYLE}<div class="zspy-tree">{tree}</div>'


def _group_parts(group: Group, name: str, room: int, depth: int) -> Iterator[str]:
    """Yield the parts of a group, which has room for a number of rows."""
    names = sorted(group.members, key=by_index)
    members = [(member, group.members[member]) for member in names]
    rows: list[tuple[str, Any]] = [*group.attributes.items(), *members]
    inner = [row for row in rows if row[0] != RECORD]
    most = min(room, BRANCH) if depth < DEEPEST else 0
    seen = inner[:most]
    groups = sum(isinstance(one, Group) for _, one in seen)
    share = (room - len(seen)) // max(groups, 1)
    note = "empty " * (not inner) + type_text(name, group)
    yield f"<details{' open' * (depth < _OPEN)}><summary>{_bold(name)}{_note(note)}</summary><div>"
    for key, one in seen:
        if isinstance(one, Group):
            yield from _group_parts(one, key, share, depth + 1)
        elif isinstance(one, Array):
            yield from _array_parts(one, key)
        else:
            yield _entry(key, value_text(one))
    if len(inner) > most:
        yield _row(f"… {len(inner) - most} more")
    yield "</div></details>"


def _array_parts(array: Array, name: str) -> Iterator[str]:
    """Yield the parts of an array: a line, and what it opens to."""
    data: Any = array.data
    nbytes = prod(data.shape) * data.dtype.itemsize
    note = f"{data.shape} {dtype_text(array)}"
    entries = [
        ("chunks", str(array.chunks or data.shape)),
        ("shards", str(array.shards or "")),
        ("in memory", "" if array.cells else size_text(nbytes)),
        ("values", values_text(data)),
        *((key, value_text(value)) for key, value in array.attributes.items()),
    ]
    yield f"<details><summary>{_bold(name)}{_note(type_text(name, array), note)}</summary><div>"
    yield from (_entry(key, text) for key, text in entries if text)
    yield "</div></details>"


def _entry(key: str, text: str) -> str:
    return _row(f"{escape(printable(key))}: <code>{escape(text)}</code>")


def _bold(name: str) -> str:
    return f"<b>{escape(printable(name))}</b>"


def _note(*texts: str) -> str:
    return "".join(f"<span>{escape(text)}</span>" for text in texts)


def _row(inner: str) -> str:
    return f'<div class="zspy-row">{inner}</div>'
