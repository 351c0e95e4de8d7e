"""What the group of a signal says of its own completeness. Pure.

Three entries of its type record: how many chunks were written below it, how many documents, and a
digest of these. None is held against a file that another program has changed since, but fewer
documents than were written are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import prod
from operator import itemgetter
from typing import Final

from ..values.errors import FormatError
from ..values.names import RECORD
from ..values.types import Documents, JSONObject, is_dict
from .dtypes import parse_grid
from .json import dump_json, parse_json
from .source import is_document

CHUNKS: Final = "chunks"
DIGEST: Final = "documents"
COUNT: Final = "count"


def with_record(
    documents: Documents, path: str, complete: bool, added: Iterable[str] = ()
) -> dict[str, bytes]:
    """Give the document of the group of a signal with its record.

    Where a record is there already, what it counts stays: documents that are lost stay told.

    Parameters
    ----------
    documents : mapping of str to bytes
        Those of all nodes of the signal, of the group itself as well.
    path : str
        Of its group.
    complete : bool
        Whether all chunks are, or were, written.
    added : iterable of str, optional
        Keys that are beside what an older record counts: that of all models.
    """
    nodes = nodes_below(documents, path)
    key, document, attributes = _own(nodes, path)
    found = attributes.get(RECORD)
    record: JSONObject = found if is_dict(found) else {}
    record[DIGEST] = digest(nodes, path)
    told = record.get(COUNT)
    count = len(nodes) + (key not in nodes)
    if isinstance(told, int):
        # Those of the group itself are counted there.
        new = (is_document(name) for name in added if name.count("/") > 2)
        count = max(count, told + sum(new))
    record[COUNT] = count
    if complete:
        record[CHUNKS] = chunk_count(nodes)
    attributes[RECORD] = record
    return {key: dump_json(document)}


def nodes_below(documents: Documents, path: str) -> dict[str, bytes]:
    """Pick the documents of the nodes of a signal, whose group is at a path."""
    start = f"{path}/"
    return {
        key: data
        for key, data in documents.items()
        if key.startswith(start) and is_document(key)
    }


def chunk_count(nodes: Documents) -> int:
    """Count the chunks, or shards, that the arrays of a signal have."""
    known: dict[bytes, int] = {}
    total = 0
    for key, data in nodes.items():
        if key.endswith("/.zarray") or (
            key.endswith("/zarr.json") and b'"array"' in data
        ):
            if data not in known:
                known[data] = _chunks_of_array(data, key)
            total += known[data]
    return total


def _chunks_of_array(data: bytes, where: str) -> int:
    """Count the chunks, or shards, of what may be an array; its codecs are never made here."""
    document = parse_json(data, where)
    if where.endswith("/zarr.json") and document.get("node_type") != "array":
        return 0
    try:
        sides = zip(*parse_grid(document), strict=True)
        return prod(-(-size // edge) for size, edge in sides)
    except (ValueError, FormatError) as error:
        raise FormatError(str(error), where) from error


def digest(nodes: Documents, path: str) -> str:
    """Sum up the documents of a signal, without what its record says of them."""
    parts = {**nodes, **without_claims(nodes, path)}
    keys = sorted(parts)
    names = "\0".join(map(itemgetter(slice(len(path), None)), keys))
    # A disk may have names that are no UTF-8.
    summed = blake2b(names.encode("utf-8", "surrogatepass"), digest_size=8)
    # A NUL parts them: no JSON holds one.
    summed.update(b"\0".join([b"", *map(parts.__getitem__, keys)]))
    return summed.hexdigest()


def without_claims(documents: Documents, path: str) -> dict[str, bytes]:
    """Give the document of the group of a signal, without what it says of its completeness."""
    key, document, attributes = _own(documents, path)
    found = attributes.get(RECORD)
    if is_dict(found):
        claims = (CHUNKS, DIGEST, COUNT)
        rest = {name: found[name] for name in found if name not in claims}
        attributes.pop(RECORD)
        attributes |= {RECORD: rest} if rest else {}
    return {key: dump_json(document)}


def record_of(documents: Documents, path: str) -> JSONObject:
    """Give the type record of a group."""
    found = _own(documents, path)[2].get(RECORD)
    return found if is_dict(found) else {}


def is_complete(documents: Documents, path: str) -> bool:
    """Tell whether a signal says of itself that no chunk is missing, of as many as it has now."""
    count = chunk_count(nodes_below(documents, path))
    return record_of(documents, path).get(CHUNKS) == count


def _own(documents: Documents, path: str) -> tuple[str, JSONObject, JSONObject]:
    """Give the key of the document of a group's attributes, the document, and the attributes."""
    data = documents.get(f"{path}/zarr.json")
    if data is None:
        key = f"{path}/.zattrs"
        document = parse_json(documents.get(key, b"{}"), key)
        return key, document, document
    key = f"{path}/zarr.json"
    document = parse_json(data, key)
    attributes = document.setdefault("attributes", {})
    return key, document, attributes if is_dict(attributes) else {}
