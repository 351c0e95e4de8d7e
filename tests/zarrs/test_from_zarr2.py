"""What zarr-python 2 wrote, zspy reads: the same values, or an error that names what it lacks.

``ZSPY_EXAMPLES`` and ``ZSPY_SEED`` say how many arrays are made, and which.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import zspy
from tests.interop.environments import Release, python_of, run

ZARR2: Final = Release("zarr2", ("zarr<3", "numcodecs<0.16", "msgpack"))
COUNT: Final = int(os.environ.get("ZSPY_EXAMPLES", "20")) * 5
SEED: Final = os.environ.get("ZSPY_SEED", "0")
# A program of its own, which cannot import the tests.
PROGRAM: Final = Path(__file__).with_name("make_arrays.py")
REFUSED: Final = ("is not allowed", "is not supported")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the arrays, and of what zarr-python 2 reads of them."""
    folder = tmp_path_factory.mktemp("zarr2")
    run(python_of(ZARR2), PROGRAM, str(folder), str(COUNT), SEED)
    return folder


def test_arrays_of_zarr_2_are_read_or_refused_by_name(made: Path) -> None:
    answers = sorted(made.glob("*.npy"))
    assert len(answers) > COUNT / 2
    wrong = [
        f"{answer.stem}: {difference}" for answer in answers for difference in differences(answer)
    ]
    assert not wrong, "\n".join(wrong)


def differences(answer: Path) -> Iterator[str]:
    """Yield how what zspy reads differs from what zarr-python 2 has read."""
    # It was made a moment ago by a program of ours.
    expected: Any = np.asarray(np.load(answer, allow_pickle=True)[()])
    try:
        array: Any = zspy.open_group(answer.with_suffix("")).members["a"]
        found = np.asarray(array.data)
    except zspy.ZspyError as error:
        if not any(words in str(error) for words in REFUSED):
            yield str(error)
        return
    if array.attributes != {"note": [1, None, {"a": "Å"}]}:
        yield f"attributes {array.attributes}"
    if values(found) != values(expected):
        yield f"{values(found)} is not {values(expected)}"


def values(array: Any) -> tuple[Any, ...]:
    """Give what an array is, without its byte order."""
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "O":
        cells = [values(one) if isinstance(one, np.ndarray) else one for one in array.ravel()]
        return array.shape, "cells", cells
    if dtype.kind in "SU":
        return array.shape, dtype, array.tolist()
    return array.shape, dtype, array.astype(dtype).tobytes()
