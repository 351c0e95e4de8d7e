"""The signals that tests write: one factory, and what of it tells versions of a file apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def signal_of(
    data: Any,
    title: str = "t",
    signal_dimensions: int = 1,
    *,
    names: Iterable[str] = (),
    axis: Mapping[str, Any] = NOTHING,
    **metadata: Any,
) -> dict[str, Any]:
    """Make a signal of an array, of which all dimensions but the last ones navigate.

    Parameters
    ----------
    data : array
    title : str
    signal_dimensions : int
        How many of the last dimensions do not navigate.
    names : iterable of str
        Of the axes; without any, they have none.
    axis : mapping
        What each axis has besides its size.
    **metadata
        What the metadata holds besides the title.
    """
    shape: tuple[int, ...] = data.shape
    navigation = len(shape) - signal_dimensions
    axes: list[dict[str, Any]] = [
        {"size": size, "navigate": index < navigation, **axis} for index, size in enumerate(shape)
    ]
    for one, name in zip(axes, names, strict=False):
        one["name"] = name
    return {"data": data, "axes": axes, "metadata": {"General": {"title": title}, **metadata}}


def version_of(
    number: int, title: str = "t", shape: tuple[int, ...] = (4, 5), **metadata: Any
) -> dict[str, Any]:
    """Make a signal in which all that can be told apart is one number."""
    data = np.full(shape, number)
    return signal_of(data, title, n=number, list=[number] * 3, **metadata)
