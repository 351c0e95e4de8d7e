"""A leaf: one document that holds all others of a tree, so that a remote file opens at once. Pure.

It is what zarr-python calls consolidated metadata, with the chunks of small arrays beside it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from ..values.errors import FormatError
from ..values.types import ZarrFormat, is_dict
from .json import parse_json

KEYS: Final = (".zmetadata", "zarr.json")
_CHUNKS: Final = "zspy_chunks"
_SMALL: Final = 2**14  # bytes of a chunk
_ROOM: Final = 2**20  # bytes of all of them


def is_document(key: str) -> bool:
    """Tell the documents of nodes from chunks.

    >>> is_document("a/.zattrs"), is_document("a/0")
    (True, False)
    """
    return key.rpartition("/")[2] in {".zgroup", ".zarray", ".zattrs", "zarr.json"}


def consolidated(
    documents: Mapping[str, bytes], zarr_format: ZarrFormat
) -> tuple[str, bytes]:
    """Give the document that holds those of all nodes, and its key.

    >>> consolidated({".zgroup": b'{"zarr_format":2}'}, 2)[1][:40]
    b'{"metadata": {".zgroup": {"zarr_format":'
    """
    nodes = {key: data for key, data in documents.items() if is_document(key)}
    chunks: dict[str, str] = {}
    room = _ROOM
    for key, data in documents.items():
        if key not in nodes and len(data) <= min(_SMALL, room):
            room -= len(data)
            chunks[key] = b64encode(data).decode()
    more = json.dumps(chunks).encode()
    if zarr_format == 2:
        inner = _joined(nodes)
        marks = b'"zarr_consolidated_format": 1, "%s": ' % _CHUNKS.encode()
        return KEYS[0], b'{"metadata": %s, %s%s}' % (inner, marks, more)
    inner = _joined(
        {key[: -len("/zarr.json")]: nodes[key] for key in nodes if "/" in key}
    )
    marks = b'"kind": "inline", "must_understand": false, "%s": ' % _CHUNKS.encode()
    root = nodes[KEYS[1]].rstrip()[:-1]
    return KEYS[1], b'%s, "consolidated_metadata": {"metadata": %s, %s%s}}' % (
        root,
        inner,
        marks,
        more,
    )


def _joined(documents: Mapping[str, bytes]) -> bytes:
    pairs = (
        b"%s: %s" % (json.dumps(key).encode(), data) for key, data in documents.items()
    )
    return b"{%s}" % b", ".join(pairs)


def is_readable(documents: Mapping[str, bytes]) -> bool:
    """Tell whether zarr-python 3 opens what is consolidated: an object array of cells it does not.

    >>> is_readable({"a/.zarray": b'{"dtype": "|O", "filters": [{"id": "msgpack2"}]}'})
    False
    """
    return not any(
        key.endswith(".zarray") and b'"|O"' in data and b'"vlen-utf8"' not in data
        for key, data in documents.items()
    )


def expanded(key: str, data: bytes) -> dict[str, bytes] | None:
    """Give the documents that a consolidated one holds; None if it holds only itself.

    >>> expanded(".zmetadata", b'{"metadata": {".zgroup": {"zarr_format": 2}}}')
    {'.zgroup': b'{"zarr_format": 2}'}
    """
    whole: Any = parse_json(data, key)
    if key == KEYS[1]:
        found: Any = whole.pop("consolidated_metadata", None)
        if not is_dict(found) or not is_dict(found.get("metadata")):
            return None
        nodes: Any = {f"{path}/{key}": node for path, node in found["metadata"].items()}
        nodes[key] = whole
    else:
        found, nodes = whole, whole.get("metadata")
        if not is_dict(nodes):
            raise FormatError("it lists no nodes", key, "remove it")
    documents = {name: json.dumps(node).encode() for name, node in nodes.items()}
    chunks: Any = found.get(_CHUNKS)
    try:
        for name, text in chunks.items() if is_dict(chunks) else ():
            documents.setdefault(name, b64decode(text, validate=True))
    except (ValueError, TypeError) as error:
        raise FormatError(f"a chunk in it cannot be decoded ({error})", key) from error
    return documents
