"""Progress bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TypeVar, cast

_T = TypeVar("_T")


def with_bar(
    steps: Sequence[_T], progress: bool, what: str, few: int = 1
) -> Collection[_T]:
    """Show a progress bar, where there is a need and tqdm."""
    if progress and len(steps) > few:
        with suppress(ImportError):
            from tqdm.auto import tqdm

            return cast("Collection[_T]", tqdm(steps, desc=what))
    return steps
