from numcodecs.abc import Codec, _Array, _Input

class MsgPack(Codec):
    codec_id: str
    def __init__(
        self,
        use_single_float: bool = False,
        use_bin_type: bool = True,
        raw: bool = False,
    ) -> None: ...
    def encode(self, buf: _Input) -> bytes: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Array: ...
