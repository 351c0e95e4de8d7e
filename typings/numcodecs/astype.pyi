from typing import Any

import numpy as np
from numcodecs.abc import Codec, _Array, _Input
from numpy.typing import DTypeLike

class AsType(Codec):
    codec_id: str
    encode_dtype: np.dtype[Any]
    decode_dtype: np.dtype[Any]
    def __init__(self, encode_dtype: DTypeLike, decode_dtype: DTypeLike) -> None: ...
    def encode(self, buf: _Input) -> _Array: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Array: ...
