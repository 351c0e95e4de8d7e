from collections.abc import Mapping
from typing import Any

from numcodecs.abc import Codec

# The values are classes, although the library annotates them as instances.
codec_registry: dict[str, type[Codec]]

def get_codec(config: Mapping[str, Any]) -> Codec: ...
def register_codec(cls: type[Codec], codec_id: str | None = None) -> None: ...
