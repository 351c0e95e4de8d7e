"""One document that holds all others of a tree, so that a remote file opens at once. Pure.

It is what zarr-python calls consolidated metadata. Beside it are the keys of small arrays' chunks,
which are read together; copies of them would hide what another program has written since.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..values.errors import FormatError
from ..values.types import Documents, ZarrFormat, is_dict
from .json import dump_json, parse_json
from .parsed_nodes import GROUP_V2
from .source import is_document

KEYS: Final = (".zmetadata", "zarr.json")
_CHUNKS: Final = "zspy_chunks"
# Chunks of no more bytes are read together with the documents, and no more chunks.
_SMALL_CHUNK: Final = 2**14
_MOST_CHUNKS: Final = 2**10


def consolidated(
    documents: Documents, zarr_format: ZarrFormat
) -> tuple[str, bytes]:
    """Give the document that holds those of all nodes, and its key.

    >>> consolidated({".zgroup": b'{"zarr_format":2}'}, 2)[1][:40]
    b'{"metadata": {".zgroup": {"zarr_format":'
    """
    nodes = {key: data for key, data in documents.items() if is_document(key)}
    sole: dict[str, str] = {}
    for key in documents.keys() - nodes.keys():
        array = key.rpartition("/")[0]
        while (
            array and not {f"{array}/.zarray", f"{array}/zarr.json"} & nodes.keys()
        ):
            array = array.rpartition("/")[0]
        sole[array] = "" if array in sole else key
    small = [
        key for key in sole.values() if key and len(documents[key]) <= _SMALL_CHUNK
    ]
    chunks = b', "%s": %s' % (
        _CHUNKS.encode(),
        dump_json(sorted(small)[:_MOST_CHUNKS]),
    )
    if zarr_format == 2:
        mark = b'"zarr_consolidated_format": 1' + chunks
        return KEYS[0], b'{"metadata": %s, %s}' % (_joined(nodes), mark)
    suffix = "/zarr.json"
    below = {key.removesuffix(suffix): nodes[key] for key in nodes if "/" in key}
    mark = b'"kind": "inline", "must_understand": false' + chunks
    copies = b'{"metadata": %s, %s}' % (_joined(below), mark)
    root = nodes[KEYS[1]].rstrip()[:-1]
    return KEYS[1], b'%s, "consolidated_metadata": %s}' % (root, copies)


def _joined(documents: Documents) -> bytes:
    named = json.JSONEncoder().encode  # `dumps` looks at its options for each key
    pairs = (
        b"%s: %s" % (named(key).encode(), data) for key, data in documents.items()
    )
    return b"{%s}" % b", ".join(pairs)


def is_readable(documents: Documents) -> bool:
    """Tell whether zarr-python 3 opens what is consolidated: an object array of cells it does not.

    >>> is_readable(
    ...     {"a/.zarray": b'{"dtype": "|O", "filters": [{"id": "msgpack2"}]}'}
    ... )
    False
    """
    return not any(
        key.endswith(".zarray") and b'"|O"' in data and b'"vlen-utf8"' not in data
        for key, data in documents.items()
    )


def expanded(key: str, data: bytes) -> tuple[dict[str, bytes], list[str]] | None:
    """Give the documents that a consolidated one holds, and the keys of small chunks.

    None if it holds only itself.

    >>> expanded(".zmetadata", b'{"metadata": {".zgroup": {"zarr_format": 2}}}')
    ({'.zgroup': b'{"zarr_format":2}'}, [])
    """
    document: Any = parse_json(data, key)
    if key == KEYS[1]:
        found: Any = document.pop("consolidated_metadata", None)
        if not is_dict(found) or not is_dict(found.get("metadata")):
            return None
        nodes: Any = {
            f"{path}/{key}": node for path, node in found["metadata"].items()
        }
        nodes[key] = document
    else:
        found, nodes = document, document.get("metadata")
        if not is_dict(nodes):
            raise FormatError("it lists no nodes", key, "remove it")
    # as zspy writes them: what a signal says of its documents holds for their bytes
    documents = {
        name: GROUP_V2 if node == {"zarr_format": 2} else dump_json(node)
        for name, node in nodes.items()
    }
    chunks: Any = found.get(_CHUNKS)
    small = [name for name in chunks or () if isinstance(name, str)]
    return documents, small[:_MOST_CHUNKS]
