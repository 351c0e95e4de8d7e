from typing import ClassVar

from numcodecs.abc import Codec, _Input, _Output

class LZ4(Codec):
    codec_id: str
    max_buffer_size: ClassVar[int]
    acceleration: int
    def __init__(self, acceleration: int = 1) -> None: ...
    def encode(self, buf: _Input) -> bytes: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Output: ...
