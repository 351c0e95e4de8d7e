from collections.abc import Mapping, Sequence
from typing import Any

from numcodecs.abc import Codec, _Input, _Output

class LZMA(Codec):
    codec_id: str
    format: int
    check: int
    preset: int | None
    filters: Sequence[Mapping[str, Any]] | None
    def __init__(
        self,
        format: int = 1,
        check: int = -1,
        preset: int | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
    ) -> None: ...
    def encode(self, buf: _Input) -> bytes: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Output: ...
