from numcodecs.abc import Codec, _Array, _Input

class JSON(Codec):
    codec_id: str
    def __init__(
        self,
        encoding: str = "utf-8",
        skipkeys: bool = False,
        ensure_ascii: bool = True,
        check_circular: bool = True,
        allow_nan: bool = True,
        sort_keys: bool = True,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        strict: bool = True,
    ) -> None: ...
    def encode(self, buf: _Input) -> bytes: ...
    def decode(self, buf: _Input, out: _Input | None = None) -> _Array: ...
