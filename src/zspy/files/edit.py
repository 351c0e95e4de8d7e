"""Corrections of what is stored of a signal beside its data: its metadata and its axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, cast

from ..stores.backends import changing, located, opened
from ..values.errors import EncodeError
from ..values.types import Unsupported
from .merging import merged
from .options import WriteOptions
from .reader import file_reader
from .stored import axis_number, path_of, titles_of
from .write_signals import write_signals


def update(
    filename: Any,
    metadata: Mapping[str, Any] | None = None,
    *,
    title: str | None = None,
    axes: Mapping[str | int, Mapping[str, Any]] | None = None,
    sync: bool = True,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Correct the metadata, or the axes, of a stored signal; its data stays where it is.

    Parameters
    ----------
    filename : path, URL, Zarr store, mutable mapping, or open database
        As for `zspy.file_writer`.
    metadata : mapping, optional
        What to merge into the metadata: dictionaries are merged, all else is replaced. A key with
        the value ``zspy.REMOVE`` is removed.
    title : str, optional
        The title of the signal, where the file holds several.
    axes : mapping of str or int to mapping, optional
        What to merge into axes, each given by its name or its number in the array.
    sync : bool, default True
        Bring the new documents to the disk before they take the place of the old ones.
    storage_options : mapping, optional
        For a URL: what the file system needs, such as its credentials.

    Raises
    ------
    EncodeError
        If there is no such signal, or no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> import zspy
    >>> axis = {"name": "x", "size": 3, "scale": 1.0}
    >>> signal = {
    ...     "data": np.arange(3),
    ...     "axes": [axis],
    ...     "metadata": {"beam": {"energy": 80}},
    ... }
    >>> zspy.file_writer("scan.zspy", signal)
    >>> zspy.update(
    ...     "scan.zspy", {"beam": {"energy": 200}}, axes={"x": {"scale": 0.5}}
    ... )
    >>> zspy.file_reader("scan.zspy")[0]["metadata"]
    {'beam': {'energy': 200}}
    """

    def corrected(signal: dict[str, Any]) -> None:
        signal["metadata"] = merged(signal["metadata"], metadata or {})
        for axis, changes in (axes or {}).items():
            number = axis_number(signal["axes"], axis, "axes")
            signal["axes"][number] = merged(signal["axes"][number], changes)

    place = located(filename, storage_options)
    with changing(place):
        _rewrite(place, lambda titles: path_of(titles, title), corrected, sync)


def replace_metadata(
    place: Any, path: str, metadata: Any, unsupported: Unsupported
) -> None:
    """Replace the metadata of the signal whose group is at a path."""

    def replaced(signal: dict[str, Any]) -> None:
        signal["metadata"] = metadata

    _rewrite(place, lambda _: path, replaced, True, unsupported)


def _rewrite(
    place: Any,
    choose: Callable[[Mapping[str, str]], str | None],
    change: Callable[[dict[str, Any]], None],
    sync: bool,
    unsupported: Unsupported = "raise",
) -> None:
    """Write all documents of a file anew, with one signal changed, beside the arrays it has."""
    with closing(opened(place)) as file:
        titles = titles_of(file)
        three = "zarr.json" in file
    signals = cast("list[Any]", file_reader(place, lazy=True))
    if len(signals) != len(titles):
        problem = "the file holds models of no signal, which would be lost"
        raise EncodeError(problem, "filename", "read it, and write all its signals")
    path = choose(titles)
    if path is None:
        known = ", ".join(map(repr, titles.values()))
        raise EncodeError(
            "no signal has this title", "title", f"use one of {known}"
        )
    change(signals[[*titles].index(path)])
    options = WriteOptions(
        write_dataset=False,
        homogenize=False,
        unsupported=unsupported,
        zarr_format=3 if three else 2,
        sync=sync,
        kept_in_order=True,
    )
    write_signals(place, signals, options)
