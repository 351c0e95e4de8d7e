from typing import Literal

from numcodecs.abc import Codec, _Input, _Output

class Checksum32(Codec):
    location: Literal["start", "end"]
    def __init__(self, location: Literal["start", "end"] | None = None) -> None: ...
    def encode(self, buf: _Input) -> _Output: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Output: ...

class CRC32(Checksum32):
    codec_id: str

class Adler32(Checksum32):
    codec_id: str

class CRC32C(Checksum32):
    codec_id: str

class JenkinsLookup3(Checksum32):
    codec_id: str
    initval: int
    prefix: _Input | None
    def __init__(self, initval: int = 0, prefix: _Input | None = None) -> None: ...
