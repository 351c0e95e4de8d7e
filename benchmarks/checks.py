"""What the checks of untrusted files cost: ``python -m benchmarks.checks [ROUNDS] [WORK ...]``.

Each work is done with the allow-list, the limits, the counts and the digests, and without them, in
turn. A ratio is the median of those of neighbours in time, and that of the least CPU, which other
programs disturb less.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from benchmarks.worker import PROGRAMS, WORKS, Answer, Program

ROUNDS: Final = 15
CHOSEN: Final = (
    *("scan, write", "scan, read", "scan, one frame", "ragged, write", "ragged, read"),
    *("tree, write", "tree, read", "tree in a zip, write", "tree in a zip, read"),
    *("10,000 chunks, write", "10,000 chunks, open"),
)


def _nothing(*_: object) -> None:
    """Check nothing."""


def _true(*_: object) -> bool:
    return True


def _first(document: object, _: object) -> object:
    return document


def _none(*_: object) -> set[str]:
    return set()


def _unsealed(*_: object) -> dict[str, bytes]:
    return {}


def _path(file: Any, key: str) -> str:
    return f"{file.root}/{key}"


def _decoded(stages: Sequence[Any], data: bytes, size: int | None, *_: object) -> Any:
    """Undo codecs, and believe what the data says."""
    flat: Any = np.frombuffer(data, np.uint8)
    for left, stage in reversed([*enumerate(stages)]):
        if left or size is None:
            flat = stage.decode(flat)
        else:
            out = np.empty(size, np.uint8)
            stage.decode(flat, out)
            flat = out
    return np.frombuffer(flat, np.uint8)


UNCHECKED: Final[dict[str, Callable[..., object]]] = {
    "_codecs.check_allowed": _nothing,
    "_codecs._check_filter": _nothing,
    "_codecs._shallow": _first,
    "_codecs.Budget.spend": _nothing,
    "_layout.check_allowed": _nothing,
    "_layout.decode_stages": _decoded,
    "_documents.charge": _nothing,
    "_documents._most": _nothing,
    "_documents._whole": _none,
    "_api._sealed": _unsealed,
    "_store.Directory.path": _path,
    "_store.Directory._stay": _true,
}


@contextmanager
def unchecked() -> Generator[None]:
    """Leave the checks out."""
    patches: list[Any] = [patch(f"zspy.{name}", new) for name, new in UNCHECKED.items()]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()


def compared(work: str, program: Program, folder: Path, rounds: int) -> dict[str, float]:
    """Do a work with and without the checks, in turn; give the ratios of seconds and of CPU."""

    def once(checked: bool) -> Answer:
        gc.collect()
        gc.disable()  # one allocation more or less moves a whole collection into a round
        try:
            with nullcontext() if checked else unchecked():
                return WORKS[work](program, folder)
        finally:
            gc.enable()

    first = once(True)
    rounds *= 3 if first["seconds"] < 0.3 else 1
    found: dict[bool, list[Answer]] = {True: [], False: []}
    for number in range(rounds):
        for checked in (True, False) if number % 2 else (False, True):
            found[checked].append(once(checked))
    ratios = {
        key: median(
            one[key] / other[key] for one, other in zip(found[True], found[False], strict=True)
        )
        for key in ("seconds", "cpu")
    }
    least = {checked: min(one["cpu"] for one in answers) for checked, answers in found.items()}
    ratios["least"] = least[True] / least[False]
    milliseconds = median(one["seconds"] for one in found[True]) * 1e3
    return ratios | {"ms": milliseconds, "rounds": rounds}


def main(rounds: int, works: Sequence[str]) -> None:
    """Compare works, and print what comes out."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("zspy", "zspy, format 3"):
            program = PROGRAMS[name]()
            for work in works:
                path = Path(folder) / name
                path.mkdir(exist_ok=True)
                found = compared(work, program, path, rounds)
                print(
                    f"{name:15} {work:22} {found['ms']:9.1f} ms"
                    f"  x {found['seconds']:.3f}  CPU x {found['cpu']:.3f},"
                    f" least x {found['least']:.3f}  ({found['rounds']:.0f} rounds)",
                    flush=True,
                )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else ROUNDS, given[1:] or CHOSEN)
