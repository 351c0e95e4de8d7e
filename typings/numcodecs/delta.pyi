from typing import Any

import numpy as np
from numcodecs.abc import Codec, _Array, _Input
from numpy.typing import DTypeLike

class Delta(Codec):
    codec_id: str
    dtype: np.dtype[Any]
    astype: np.dtype[Any]
    def __init__(self, dtype: DTypeLike, astype: DTypeLike | None = None) -> None: ...
    def encode(self, buf: _Input) -> _Array: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Array: ...
