"""The types of the public functions: what a checker says of them is what they give.

mypy and pyright judge this file; running it shows that what they say is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pytest

import zspy
from zspy import Group, LoadedSignal, Node, Place, Signal, hyperspy


def a_signal() -> Signal:
    return {"data": np.arange(3), "axes": [{"size": 3}], "metadata": {"General": {"title": "a"}}}


def test_files(tmp_path: Path) -> None:
    zspy.file_writer(tmp_path / "a.zspy", a_signal())
    zspy.file_writer(str(tmp_path / "a.zspy"), [a_signal()], (3,), store_type="local", shards=False)
    found = assert_type(zspy.file_reader(tmp_path / "a.zspy"), list[LoadedSignal])
    for signal in found:
        assert_type(signal["axes"], list[zspy.Axis])
        assert_type(signal["metadata"], dict[str, Any])
        assert isinstance(assert_type(signal["package_version"], str), str)
        zspy.file_writer(tmp_path / "b.zspy", signal)
    zspy.file_writer(tmp_path / "c.zspy", found)


def test_unknown_keywords_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, a_signal(), fill_value=1, zarr_format=3)
    hyperspy.file_writer(path, a_signal(), fill_value=1, zarr_format=3, lock_timeout=1)
    hyperspy.file_reader(path, missing="raise", mode="r")
    calls: tuple[Callable[[], object], ...] = (
        lambda: zspy.file_writer(path, a_signal(), nonsense=1),  # type: ignore[call-arg]
        lambda: zspy.file_reader(path, nonsense=1),  # type: ignore[call-arg]
        lambda: zspy.create(path, a_signal(), nonsense=1),  # type: ignore[call-arg]
        lambda: hyperspy.file_writer(path, a_signal(), nonsense=1),  # type: ignore[call-arg]
        lambda: hyperspy.file_reader(path, nonsense=1),  # type: ignore[call-arg]
    )
    for call in calls:
        with pytest.raises(zspy.EncodeError, match=r"^nonsense: \w+ has no such option"):
            call()


def test_values() -> None:
    group = assert_type(zspy.encode({"a": 1}, homogenize=False, unsupported="skip"), Group)
    assert isinstance(assert_type(zspy.decode(group), dict[Any, Any]), dict)
    assert isinstance(assert_type(zspy.homogenized({"a": 1}), dict[Any, Any]), dict)
    assert isinstance(assert_type(zspy.homogenized([1, 2.5]), list[Any]), list)
    assert isinstance(assert_type(zspy.homogenized((1, 2.5)), tuple[Any, ...]), tuple)
    assert_type(zspy.homogenized(a_value()), Any)
    places = assert_type(zspy.unsupported({"a": print}), list[Place])
    assert isinstance(assert_type(places[0].location, str), str)


def a_value() -> Any:
    return 1


def test_signals() -> None:
    group = assert_type(zspy.encode_signal(a_signal()), Group)
    signal = assert_type(zspy.decode_signal(group), LoadedSignal)
    assert isinstance(assert_type(signal["models"], dict[str, Any]), dict)


def test_documents(tmp_path: Path) -> None:
    documents = assert_type(
        zspy.serialise(Group({"a": 1}), zarr_format=3), Iterator[tuple[str, bytes]]
    )
    zspy.commit(documents, tmp_path / "a.zspy")
    found = assert_type(zspy.fetch(tmp_path / "a.zspy"), Mapping[str, bytes])
    node = assert_type(zspy.deserialise(found), Node)
    assert isinstance(node, Group)
