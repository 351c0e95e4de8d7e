from typing import ClassVar, Final

from numcodecs.abc import Codec, _Input, _Output

NOSHUFFLE: Final = 0
SHUFFLE: Final = 1
BITSHUFFLE: Final = 2
AUTOSHUFFLE: Final = -1
AUTOBLOCKS: Final = 0
MAX_BUFFERSIZE: Final[int]
MAX_OVERHEAD: Final[int]
MAX_THREADS: Final[int]
MAX_TYPESIZE: Final[int]

# True, False, or None for "where the calling thread is the main thread".
use_threads: bool | None

def list_compressors() -> list[str]: ...
def decompress(source: _Input, dest: _Output | None = None) -> bytes: ...
def get_nthreads() -> int: ...
def set_nthreads(nthreads: int) -> int: ...

class Blosc(Codec):
    codec_id: str
    NOSHUFFLE: ClassVar[int]
    SHUFFLE: ClassVar[int]
    BITSHUFFLE: ClassVar[int]
    AUTOSHUFFLE: ClassVar[int]
    max_buffer_size: ClassVar[int]
    cname: str
    clevel: int
    shuffle: int
    blocksize: int
    def __init__(
        self,
        cname: str = "lz4",
        clevel: int = 5,
        shuffle: int = 1,
        blocksize: int = 0,
        typesize: int | None = None,
    ) -> None: ...
    def encode(self, buf: _Input) -> bytes: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Output: ...
