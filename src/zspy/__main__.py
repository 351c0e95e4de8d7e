"""Run the command line: ``python -m zspy``."""

from __future__ import annotations

import sys

from .apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
