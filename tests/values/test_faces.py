"""What a package shows of its modules."""

from __future__ import annotations

import pytest

from zspy.values import faces


def test_a_module_that_does_not_import_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> object:
        raise AttributeError("numpy has no attribute 'x'")

    monkeypatch.setattr(faces, "import_module", broken)
    load, _ = faces.face("zspy.values", {"name": "nodes"})
    with pytest.raises(ImportError, match=r"zspy\.values\.nodes: numpy has no attribute 'x'"):
        load("name")
