"""A reader for the suite: what a released RosettaSciIO reads, in an environment of its own."""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance.representation import signals_of


def main() -> None:
    """Print the JSON of a file."""
    warnings.simplefilter("ignore")
    reader: Any = import_module("rsciio.zspy")
    print(json.dumps(signals_of(reader.file_reader(sys.argv[1]))))


if __name__ == "__main__":
    main()
