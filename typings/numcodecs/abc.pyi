import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from numpy.typing import NDArray
from typing_extensions import Buffer

# What is encoded and decoded is a buffer. NumPy's stubs agree from Python 3.12 on; before, they
# neither call an array a buffer nor take any buffer for `frombuffer`.
_Input: TypeAlias = Buffer | NDArray[Any]

if sys.version_info >= (3, 12):
    _Array: TypeAlias = NDArray[Any]
    _Output: TypeAlias = Buffer
else:
    _Array: TypeAlias = Any
    _Output: TypeAlias = Any

class Codec(ABC):
    codec_id: str  # None in this class only
    @abstractmethod
    def encode(self, buf: _Input) -> _Output: ...
    @abstractmethod
    def decode(self, buf: _Input, out: _Input | None = None) -> _Output: ...
    def get_config(self) -> dict[str, Any]: ...
    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self: ...
