"""What HyperSpy saves through zspy it loads again: the same signal, of every kind that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zspy
import zspy.hyperspy
from tests.interop.signals import SIGNALS
from tests.interop.worker import _drawn, drop_history, model_names, restored
from tests.support.sidecar import differences
from zspy.typing import is_dict, is_sequence

pytestmark = pytest.mark.filterwarnings("default")  # those of HyperSpy, Matplotlib and dask


def class_of(signal: Any) -> str:
    """Name the class of a signal, whether lazy or not."""
    return type(signal).__name__.removeprefix("Lazy").removeprefix("Base")


def forget_how_it_was_read(value: Any) -> None:
    """Take off `_lazy`, which says how the file was opened: of a signal, and of those in it."""
    if is_dict(value):
        if is_dict(attributes := value.get("attributes")):
            attributes.pop("_lazy", None)
        for one in value.values():
            forget_how_it_was_read(one)
    elif is_sequence(value):
        for one in value:
            forget_how_it_was_read(one)


def described(signal: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Describe all that a signal is: what it would save, its models restored, its markers drawn."""
    handed: list[dict[str, Any]] = []

    def noted(_: object, given: dict[str, Any], **__: object) -> None:
        handed.append(given)

    with monkeypatch.context() as patched:
        patched.setattr(zspy.hyperspy, "file_writer", noted)
        signal.save("unused.zspy", overwrite=True)
    (saved,) = handed
    drop_history(saved)
    saved.pop("tmp_parameters")  # the name of the file
    forget_how_it_was_read(saved)
    lists: Any = ("metadata", "original_metadata", "learning_results", "models")
    return {
        "axes": str(signal.axes_manager),
        **saved,
        **{key: zspy.homogenized(saved[key]) for key in lists},
        "restored": {name: restored(signal, name) for name in sorted(model_names(signal))},
        "drawn": _drawn(signal),
    }


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_comes_back_as_it_was_saved(
    name: str, zarr_format: int, hs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signal.zspy"
    signal = SIGNALS[name]()
    before = described(signal, monkeypatch)
    signal.save(path, zarr_format=zarr_format)
    signal._assign_subclass()  # HyperSpy chooses the class by shape and dtype when it loads
    if name == "title_unnamed":
        before["metadata"]["General"]["title"] = ""
    for lazy in (False, True)[: 1 + (signal.data.size > 0)]:  # it cannot load nothing lazily
        loaded = hs.load(path, lazy=lazy)
        assert loaded._lazy == lazy
        assert class_of(loaded) == class_of(signal)
        found = described(loaded, monkeypatch)
        assert not [str(place) for place in differences(before, found)]
