"""What of a write is done in place: data that is appended, or written into a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from ..stores.backends import changing
from ..values.errors import EncodeError
from .growth import append
from .options import WriteOptions
from .regions import write_region


def alone(place: Any, options: WriteOptions) -> AbstractContextManager[None]:
    """Keep other writers away from a file, but for regions that share no chunk with others."""
    if options.region is not None and options.safe_chunks:
        return nullcontext()
    return changing(place, options.lock_timeout)


def changed_in_place(
    place: Any, signals: Sequence[Mapping[str, Any]], options: WriteOptions
) -> bool:
    """Append the data of a signal, or write it into a region; False if neither is to be done.

    It is False as well where data is to be appended to a signal that is not there yet.
    """
    if options.append_dim is None and options.region is None:
        return False
    where = "region" if options.append_dim is None else "append_dim"
    if len(signals) != 1:
        problem = f"one signal at a time is written in place, not {len(signals)}"
        raise EncodeError(problem, where, "call it for each")
    if options.region is not None:
        write_region(place, signals[0], options)
        return True
    return append(place, signals[0], options)


def for_the_rest(options: WriteOptions) -> WriteOptions:
    """Give the options of what is not done in place: a signal that will grow is added to a file."""
    return options if options.append_dim is None else replace(options, mode="a")
