"""The figures of a run as tables of docs/performance.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Figures = Mapping[str, Any]

NAMES: Final = {
    "scan, write": "302 MB scan, write",
    "scan, read": "302 MB scan, read",
    "scan, one frame": "the scan: open lazily, compute one frame",
    "ragged, write": "65,536 ragged cells, write",
    "ragged, read": "65,536 ragged cells, read",
    "tree, write": "metadata of 3,000 nodes, write",
    "tree, read": "metadata of 3,000 nodes, read",
    "tree in a zip, write": "the same in a zip, write",
    "tree in a zip, read": "the same in a zip, read",
    "10,000 chunks, write": "10,000 chunks, write",
    "10,000 chunks, open": "10,000 chunks, open lazily",
    "metadata of 1 GB, replace": "replace the metadata of 1 GB",
}
MEMORY: Final = {
    "memory, 1 GB": "write 1 GB, beyond the array",
    "memory, 4 GB lazily": "write 4 GB lazily, in all",
}
PROGRAMS: Final = ("reference", "zspy", "zspy, format 3", "zarr", "h5py", "limit")


def filled(page: str, run: Figures) -> str:
    """Put the tables of a run into a page, between their marks."""
    for name, lines in (
        ("machine", [machine(run)]),
        ("works", works(run["works"])),
        ("memory", memory(run["works"])),
        *((case.replace(" ", "-"), chunks(rows)) for case, rows in run["chunks"].items()),
    ):
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        text = "\n".join([begin, "", *lines, "", end])
        page, count = re.subn(f"{begin}.*?{end}", text, page, flags=re.S)
        if count != 1:
            raise ValueError(f"the page has {count} places for {name}")
    return page


def machine(run: Figures) -> str:
    """Say where and with what a run was done."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"Medians of {run['rounds']} rounds on {run['machine']}; {versions}."


def works(results: Mapping[str, Figures]) -> list[str]:
    """Tabulate times: of the reference in milliseconds, of the others relative to it."""
    heads = ("", "RosettaSciIO", "zspy", "zspy, format 3", "zarr-python", "h5py", "limit")
    rows = [
        [text, *(_time(results[work].get(name), name) for name in PROGRAMS)]
        for work, text in NAMES.items()
    ]
    return table(heads, rows)


def _time(found: Figures | None, name: str) -> str:
    if found is None:
        return ""
    low, high = found["spread"]
    if name == "reference":
        return f"{found['seconds'] * 1e3:,.0f} ms"
    return f"**{found['ratio']:.2f}** ({low:.2f} to {high:.2f})"


def memory(results: Mapping[str, Figures]) -> list[str]:
    """Tabulate the memory that is taken at the most."""
    heads = ("", "RosettaSciIO", "zspy", "zspy, format 3")
    rows: list[list[str]] = []
    for work, text in MEMORY.items():
        found = [results[work][name] for name in PROGRAMS[:3]]
        less = [one["array"] if work == "memory, 1 GB" else 0 for one in found]
        peaks = [one["peak"] - array for one, array in zip(found, less, strict=True)]
        rows.append([text, *(f"{peak / 1e6:,.0f} MB" for peak in peaks)])
    return table(heads, rows)


def chunks(rows: Iterable[Figures]) -> list[str]:
    """Tabulate what the size of chunks does."""
    heads = ("chunks of", "edges", "files", "one frame", "read all", "write")
    return table(
        heads,
        [
            [
                _size(row),
                " x ".join(map(str, row["chunks"] or ())),
                f"{row['files']:,}",
                f"{row['frame'] * 1e3:.1f} ms",
                f"{row['read'] * 1e3:,.0f} ms",
                f"{row['write'] * 1e3:,.0f} ms",
            ]
            for row in rows
        ],
    )


def _size(row: Figures) -> str:
    if row["target"] is None:
        return f"**the default**, format {row['format']}"
    size = row["target"]
    return f"{size / 2**20:g} MiB" if size % 2**18 == 0 else f"{size / 1e6:g} MB"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Make a table of Markdown, numbers to the right."""
    cells = [[*heads], *([*row] for row in rows)]
    rule = ["---", *(["---:"] * (len(cells[0]) - 1))]
    return [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]
