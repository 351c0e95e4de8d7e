"""What a package shows of its modules."""

from __future__ import annotations

import pytest

import zspy.values.names
import zspy.values.nodes
from zspy.values import faces


def test_a_module_that_does_not_import_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> object:
        raise AttributeError("numpy has no attribute 'x'")

    monkeypatch.setattr(faces, "import_module", broken)
    load, _ = faces.face("zspy.values", {"name": "nodes"})
    with pytest.raises(ImportError, match=r"zspy\.values\.nodes: numpy has no attribute 'x'"):
        load("name")


def test_a_face_loads_what_it_names_once_and_lists_it() -> None:
    load, names = faces.face("zspy.values", {"DistinctNames": "names"}, ("nodes",))
    assert load("DistinctNames") is zspy.values.names.DistinctNames
    try:
        assert vars(zspy.values)["DistinctNames"] is zspy.values.names.DistinctNames
    finally:
        delattr(zspy.values, "DistinctNames")
    assert load("nodes") is zspy.values.nodes
    listed = names()
    assert {"DistinctNames", "nodes", "__name__"} <= {*listed}
    assert listed == sorted(listed)
    with pytest.raises(
        AttributeError, match=r"module 'zspy\.values' has no attribute 'no_such'"
    ) as caught:
        load("no_such")
    # From these Python finds a name that is alike.
    assert (caught.value.name, caught.value.obj) == ("no_such", zspy.values)


def test_a_public_module_whose_package_is_missing_is_no_attribute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(_: str) -> object:
        raise ModuleNotFoundError("No module named 'numpy'")

    monkeypatch.setattr(faces, "import_module", absent)
    load, _ = faces.face("zspy.values", {}, ("nodes",))
    with pytest.raises(AttributeError, match=r"zspy\.values\.nodes needs a package: No module"):
        load("nodes")
