"""The errors of zspy, by the name under which they have always been imported."""

from __future__ import annotations

from .values.errors import EncodeError, FormatError, UnsupportedError, ZspyError

__all__ = ["EncodeError", "FormatError", "UnsupportedError", "ZspyError"]
