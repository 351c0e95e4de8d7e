"""zspy stores what the reference keeps in the same nodes as the reference does.

The same names, data types, filters, compressors and attributes; but for

* type records, and chunks;
* ``U`` arrays, which the reference stores as ``S``;
* zeros before the numbers of list members;
* the name of a signal's group: zspy escapes what some file system refuses. No reader looks at it;
* ``tmp_parameters`` of nested signals, a group that the reference writes and never reads.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from tests.interop.signals import SIGNALS
from tests.interop.test_from_hyperspy import SAVED
from tests.interop.test_values import ESCAPED
from tests.support.sidecar import is_dict
from tests.support.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.interop.answers import Answers
    from tests.interop.conftest import Exchange

RECORD = "_sig_zspy"
NUMBERED = ("_list_", "_tuple_")


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_the_reference_keeps_has_its_nodes(answers: Answers, name: str) -> None:
    if not answers.kept(name) or name in ESCAPED:
        pytest.skip("the release does not keep this value, or not under these names")
    ours, own = (nodes(place / f"{name}.zspy") for place in (answers.ours, answers.own))
    assert_same_nodes(ours, own)


@pytest.mark.parametrize("name", SAVED)
def test_a_signal_has_the_nodes_that_hyperspy_gives_it(
    exchange: Exchange, written: Mapping[str, str], name: str
) -> None:
    assert f"{name}/from_capture" not in written
    ours, own = (
        nodes(exchange.path(name, file)) for file in ("from_capture.zspy", "hyperspy.zspy")
    )
    assert_same_nodes(ours, own)


def test_every_signal_was_compared() -> None:
    assert set(SAVED) < set(SIGNALS)


def assert_same_nodes(
    ours: Mapping[str, Mapping[str, object]], own: Mapping[str, Mapping[str, object]]
) -> None:
    """Fail with every node that differs."""
    assert sorted(ours) == sorted(own)
    for path, node in own.items():
        mine = ours[path]
        dtypes = (str(mine.get("dtype")), str(node.get("dtype")))
        if "U" in dtypes[0] and "S" in dtypes[1]:
            apart = {"dtype", "fill_value"}
            mine, node = ({k: v for k, v in n.items() if k not in apart} for n in (mine, node))
        assert mine == node, path


def nodes(directory: Path) -> dict[str, dict[str, object]]:
    """Read the documents of a tree: what each node is, by its path."""
    return {
        "/".join(plain_steps(path)): described(document)
        for path, document in documents(directory)
        if path.rpartition("/")[2] != "tmp_parameters"
    }


def documents(directory: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Find the nodes of a tree, each with its document and attributes in one."""
    for file in sorted(directory.rglob(".z*")):
        if file.name in {".zgroup", ".zarray"}:
            attributes = file.with_name(".zattrs")
            stored = read_json(attributes) if attributes.exists() else {}
            document = {**read_json(file), "attributes": stored}
            yield file.parent.relative_to(directory).as_posix(), document


def read_json(file: Path) -> dict[str, object]:
    """Read a document; NaN and infinities as texts, so that they compare."""
    text = file.read_text(encoding="utf-8")
    return cast("dict[str, object]", json.loads(text, parse_constant=str))


def described(document: Mapping[str, object]) -> dict[str, object]:
    """Take off what may differ."""
    attributes = document["attributes"]
    assert is_dict(attributes)
    kept = {key: value for key, value in attributes.items() if key != RECORD}
    return {key: value for key, value in document.items() if key != "chunks"} | {"attributes": kept}


def plain_steps(path: str) -> Iterator[str]:
    """Take off the name of a signal, and the zeros off the numbers of list members."""
    before = ""
    for step in path.split("/"):
        numbered = before.startswith(NUMBERED) and step.isdigit()
        named = before == "Experiments"
        yield "(title)" if named else str(int(step)) if numbered else step
        before = step
