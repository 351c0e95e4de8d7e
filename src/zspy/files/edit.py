"""Corrections of what is stored of a signal beside its data: its metadata and its axes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from math import isfinite
from types import NoneType
from typing import Any, Final

from ..documents.array_metadata import ArrayMetadata
from ..stores.locking import TIMEOUT
from ..values.errors import EncodeError, expect, shown, taking
from ..values.root import EXPERIMENTS, title_of
from ..values.types import Entries
from .merging import merged
from .options import WriteOptions, axis_number, choice_of
from .reader import read_file
from .stored import chosen
from .write_signals import write_signals

_AS: Final = 'use {"key": value}'
_DATA: Final = re.compile(rf"{EXPERIMENTS}/[^/]+/data")


def update(
    filename: Any,
    metadata: Entries | None = None,
    *,
    title: str | None = None,
    axes: Mapping[str | int, Entries] | None = None,
    sync: bool = True,
    storage_options: Entries | None = None,
    lock: bool = True,
    lock_timeout: float = TIMEOUT,
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
    lock, lock_timeout
        As for `zspy.file_writer`.

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
    options = WriteOptions.of(locals())
    either = (Mapping, NoneType)
    expect(metadata, either, "dictionary", "metadata", _AS)
    expect(axes, either, "dictionary", "axes", _AS)
    with taking("axes"):
        for axis, given in (axes or {}).items():
            where = f"axes[{shown(axis):.80}]"
            expect(given, Mapping, "dictionary", where, _AS)
            _check_calibration(given, where)

    def corrected(signal: dict[str, Any]) -> None:
        with taking("metadata"):
            signal["metadata"] = merged(signal["metadata"], metadata or {})
        with taking("axes"):
            for axis, corrections in (axes or {}).items():
                number = axis_number(signal["axes"], axis, "axes")
                signal["axes"][number] = merged(signal["axes"][number], corrections)

    place = options.located(filename, storage_options)
    with options.changing(place):
        rewrite(place, title, corrected, options)


def _check_calibration(given: Entries, where: str) -> None:
    """Refuse numbers that calibrate nothing; files that have them are still read and written."""
    for key in ("scale", "offset"):
        value = given.get(key)
        if not isinstance(value, (int, float)):
            continue  # what is no number is told with the other entries
        if not isfinite(value) or (key == "scale" and value == 0):
            problem = f"{value} calibrates no axis"
            remedy = "use a finite number; a scale is not 0 either"
            raise EncodeError(problem, f"{where}.{key}", remedy)


def rewrite(
    place: Any,
    title: str | None,
    change: Callable[[dict[str, Any]], None],
    options: WriteOptions,
    anew: bool = False,
) -> None:
    """Write all documents of a file anew, with one signal changed, beside the arrays it has.

    With `anew`, the data of that signal is written as well.
    """
    # What is kept need not be read; without dask it is read nevertheless.
    lazy = find_spec("dask") is not None
    signals, _, layouts = read_file(place, lazy, says_lazy=False)
    if not all("metadata" in signal for signal in signals):
        problem = "the file holds models of no signal, which would be lost"
        raise EncodeError(problem, "filename", "read it, and write all its signals")
    titles = [*map(title_of, signals)]
    number = chosen(titles, title)
    if number is None:
        known = ", ".join(map(repr, titles))
        remedy = f"use one of {known}" if known else "the file has no signal"
        raise EncodeError("no signal has this title", "title", remedy)
    change(signals[number])
    layout, *_ = layouts.values()  # all arrays of a file are of one format
    kept = WriteOptions(
        write_dataset=False,
        homogenize=False,
        unsupported=options.unsupported,
        zarr_format=layout.zarr_format,
        sync=options.sync,
        kept_in_order=True,
        anew=[number] if anew else (),
        compressor=options.compressor,
        show_progressbar=options.show_progressbar,
        checksum=options.checksum,
    )
    found = [one for path, one in layouts.items() if _DATA.fullmatch(path)]
    if len(found) == len(signals):
        kept = replace(kept, each=tuple(_as_stored(kept, one) for one in found))
    write_signals(place, signals, kept)


def _as_stored(options: WriteOptions, data: ArrayMetadata) -> WriteOptions:
    """Store what is written anew of a signal as its data is."""
    compressor, filters, checksum = choice_of(data)
    return replace(
        options,
        compressor=compressor or False,
        checksum=checksum,
        array_keywords={"filters": filters if options.zarr_format == 2 else []},
    )
