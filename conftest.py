"""For the examples in the docstrings of src/zspy, which pytest runs as tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_directory(request: pytest.FixtureRequest) -> None:
    """An example may write `scan.zspy` without littering the checkout, and need HyperSpy."""
    if isinstance(request.node, pytest.DoctestItem):
        if any("import hyperspy" in example.source for example in request.node.dtest.examples):
            pytest.importorskip("hyperspy")
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))
