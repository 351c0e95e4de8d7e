"""The values of ``tests/support/values.py`` in files of zspy, and what released readers say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import zspy
from tests.interop.environments import OLDER, REFERENCE, Release, python_of, work
from tests.interop.worker import signal_with
from tests.support import sidecar
from tests.support.sidecar import is_dict
from tests.support.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.sidecar import JSON, Array

RELEASES: Final = (REFERENCE, *OLDER.values())


@dataclass(frozen=True)
class Answers:
    """What one release reads, and keeps itself, of the values that zspy wrote."""

    document: Mapping[str, JSON]
    arrays: Mapping[str, Array]
    own: Path  # the files that the release wrote itself
    ours: Path  # the files that zspy wrote

    def about(self, name: str) -> dict[str, object]:
        """Return ``read``, ``own`` and ``kept``, decoded."""
        answers = sidecar.decode(self.document[name], self.arrays)
        assert is_dict(answers)
        return {str(key): answer for key, answer in answers.items()}

    def kept(self, name: str) -> bool:
        """Whether the release returns what its own writer was given."""
        return self.about(name)["kept"] is True

    def read(self, name: str) -> object:
        """Return what the release reads from the file of zspy; fail if it does not."""
        answer = self.about(name)["read"]
        assert is_dict(answer)
        assert "error" not in answer, answer["error"]
        return answer["value"]


def write_values(directory: Path) -> None:
    """Write each value into the metadata of a file of its own, and all into that of one file."""
    together = {name: create() for name, create in VALUES.items()}
    for name, value in {**together, "all": together}.items():
        signal = cast("zspy.Signal", signal_with(value))
        zspy.file_writer(directory / f"{name}.zspy", signal, show_progressbar=False)


def ask(release: Release, ours: Path, directory: Path) -> Answers:
    """Ask a release about the values that zspy wrote; its own files go below the directory."""
    report, own = directory / "report", directory / "own"
    work(python_of(release), "values", ours, own, report)
    return Answers(*sidecar.load(report), own, ours)
