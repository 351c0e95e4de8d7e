"""Signals as a whole file: encoded, planned and written."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..stores.backends import holds, replaced
from ..values.encoding import Encoder
from ..values.errors import EncodeError
from ..values.root import ROOT, encode_file
from ..values.types import Place
from .kept import MODELS_PATH, names_below
from .options import WriteOptions
from .plan import opened_old, planned
from .write_arrays import write_arrays

_WARNINGS: Final[dict[bool, str]] = {
    False: "left out what it does not store",
    True: "stored as the plain type that it extends",
}


def write_signals(
    place: Any, signals: Sequence[Mapping[str, Any]], options: WriteOptions
) -> None:
    """Encode signals, plan what becomes of the file that is there, and write."""
    encoder = Encoder(options.homogenize, options.unsupported, copy=False)
    with opened_old(place, options) as old:
        taken = old if options.write_dataset else None
        root, names = encode_file(
            signals,
            encoder,
            names_below(taken, ROOT),
            names_below(taken, MODELS_PATH),
        )
        if not signals and holds(place):
            problem = "there is no signal, and a file is there"
            remedy = "remove the file, if that is what is meant"
            raise EncodeError(problem, "signal", remedy)
        plan = planned(root, names, old, place, options)
        _warn_of_what_is_left_out(encoder.places)
        with replaced(
            place,
            plan.kind,
            options.sync,
            plan.kept,
            options.overwrite,
            keeps_foreign=True,
        ) as sink:
            sink.put(plan.documents.items())
            if options.write_chunks:
                write_arrays(sink, plan.arrays, options.show_progressbar)
            if old is not None:
                old.check()


def _warn_of_what_is_left_out(places: Sequence[Place]) -> None:
    """Warn once of all values that are not stored, and once of those that are narrowed."""
    for narrowed, words in _WARNINGS.items():
        found = [place for place in places if place.narrowed == narrowed]
        if found:
            listed = "; ".join(
                f"{place.location} ({place.type})" for place in found
            )
            warnings.warn(f"zspy {words}: {listed}", UserWarning, stacklevel=4)
