"""A reader for the suite: ``python -m conformance.read_zspy FILE`` prints what zspy reads."""

from __future__ import annotations

import json
import sys
import warnings

import zspy
from conformance.representation import signals_of


def main() -> None:
    """Print the JSON of a file."""
    warnings.simplefilter("ignore")
    print(json.dumps(signals_of(zspy.file_reader(sys.argv[1]))))


if __name__ == "__main__":
    main()
