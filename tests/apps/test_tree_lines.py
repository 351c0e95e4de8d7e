"""A tree shows values as they were given; as they are stored only where that is asked for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from tests.support.cost import calls
from zspy.apps.tree import look
from zspy.apps.tree_lines import tree_lines


def written(path: Path, **metadata: Any) -> Path:
    """Write a file with this metadata."""
    content = {"data": np.zeros(3), "axes": [{"name": "x", "size": 3}], "metadata": metadata}
    zspy.file_writer(path, content, sync=False)
    return path


def shown(path: Path, **options: Any) -> list[str]:
    """Give the lines of the metadata in a file, without what lies before the names."""
    lines = tree_lines(
        look(path), "Experiments/__unnamed__/metadata", None, lambda text, _: text, **options
    )
    return [line.lstrip("│└├─ ") for line in lines][1:]


VALUES: dict[Any, Any] = {
    "bounds": (1, 2),
    "none": None,
    "empty": [],
    "nested": [1, None, {"a": (2,)}],
    "complex": 1 + 2j,
    7: "seven",
}


def test_values_are_shown_as_they_were_given(tmp_path: Path) -> None:
    lines = shown(written(tmp_path / "a", d=VALUES))
    assert lines[1:] == [
        "bounds: (1, 2)",
        "none: None",
        "empty: []",
        "nested: [1, None, {'a': (2,)}]",
        "complex: (1+2j)",
        "7: 'seven'",
    ]


def test_values_are_shown_as_they_are_stored(tmp_path: Path) -> None:
    lines = shown(written(tmp_path / "a", d=VALUES), stored=True)
    assert "_tuple_bounds tuple int64 (2,): 1 2" in lines
    assert "none: '_None_'" in lines
    assert any(line.startswith("_sig_zspy: ") for line in lines)


def test_large_sequences_are_left_where_they_are_under_their_own_name(tmp_path: Path) -> None:
    lines = shown(written(tmp_path / "a", long=[0.5] * 2000, deep=[[0.5] * 2000, "a"]))
    assert lines[0].startswith("deep list, ")
    assert lines[1] == "1: 'a'"
    assert lines[2].startswith("0 list float64 (2000,) ")
    assert lines[3].startswith("long list float64 (2000,) ")


def test_what_cannot_be_decoded_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Any:
        raise zspy.FormatError("contradiction")

    path = written(tmp_path / "a", d={"a": 1, "n": None, "l": (1, 2)})
    monkeypatch.setattr("zspy.apps.tree_lines.decode", fail)
    assert shown(path)[1:] == ["a: 1", "n: None", "l tuple int64 (2,): 1 2"]


def test_shapes_of_ragged_cells_are_no_values(tmp_path: Path) -> None:
    cells = np.empty(2, object)
    cells[:] = [np.zeros((2, 3)), np.zeros((1, 2))]
    assert shown(written(tmp_path / "a", r=cells))[0].startswith("r array object ")
    assert len(shown(written(tmp_path / "a", r=cells))) == 1


def test_values_fit_into_a_narrow_terminal(tmp_path: Path) -> None:
    path = written(tmp_path / "a", text="abc " * 100)
    (line,) = shown(path, width=50)
    assert line.endswith("…")
    assert len(line) == 46
    (line,) = shown(path)
    assert len(line) == len("text: ") + 80


def test_the_sizes_of_a_deep_file_are_found_in_few_steps() -> None:
    """Each group is in all those above it, which a file of 18 MB made 9 million sums."""

    def deep(levels: int) -> dict[str, bytes]:
        folders = ["g/" * level for level in range(levels)]
        stray = {f"{folders[-1]}{'x/' * levels}stray": b"1234"}
        return {f"{folder}.zgroup": b'{"zarr_format": 2}' for folder in folders} | stray

    def cost(levels: int) -> int:
        documents = deep(levels)
        return calls(lambda: look(documents))

    tree = look(deep(3))
    assert tree.stored == {"": 58, "g": 40, "g/g": 22}
    assert cost(400) < 5 * cost(100)


def test_very_many_values_at_a_great_depth_take_little_memory(tmp_path: Path) -> None:
    """Whoever holds for each of them all that stands before its name takes gigabytes."""
    value: Any = {str(number): number for number in range(3000)}
    for _ in range(300):
        value = {"a": value}
    tree = look(written(tmp_path / "a", d=value))
    tracemalloc.start()
    try:
        lengths = [len(line) for line in tree_lines(tree, "", None, lambda text, _: text)]
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert len(lengths) > 3300
    assert max(lengths) < 500
