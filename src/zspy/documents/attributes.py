"""Attributes as JSON, which format 3 holds to numbers that are finite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from ..values.errors import EncodeError, FormatError, taking
from ..values.names import RECORD
from ..values.nodes import same_json
from ..values.types import JSON, is_dict
from .json import dump_json, has_many_values, load_json
from .limits import LIMITS

_NONFINITE: Final = "nonfinite"
# Bytes that the record of a signal may add to a document.
_RECORD: Final = 2**10


def dumped(document: Mapping[str, JSON], where: str) -> bytes:
    """Write a document, or raise EncodeError with its place."""
    place = where or "attributes"
    with taking(place):
        try:
            data = dump_json(document)
        except (ValueError, TypeError, RecursionError) as error:
            problem = f"attributes that are no JSON ({error})"
            raise EncodeError(problem, place, "use encode") from error
    if len(data) > LIMITS.document - _RECORD or has_many_values(data):
        problem = f"attributes of {len(data)} bytes, more than are read again"
        raise EncodeError(
            problem, where, "store numbers as arrays, or several files"
        )
    return data


def document_v3(document: Mapping[str, Any], where: str) -> bytes:
    """Write a document of format 3, in which all numbers are finite."""
    data = dumped(document, where)
    if b"NaN" in data or b"Infinity" in data:
        return dumped(
            {**document, "attributes": _finite(document["attributes"], where)},
            where,
        )
    return data


def _finite(attributes: Mapping[str, JSON], where: str) -> dict[str, JSON]:
    """Replace numbers that are not finite, which JSON does not have; the type record keeps them."""
    plain = {name: named_nonfinite(value) for name, value in attributes.items()}
    kept: dict[str, JSON] = {
        name: json.dumps(value)
        for name, value in attributes.items()
        if not same_json(plain[name], value)
    }
    record = plain.get(RECORD, {})
    if not isinstance(record, dict) or RECORD in kept:
        raise EncodeError(
            f"the attribute {RECORD} is no type record", where, "rename it"
        )
    return {**plain, RECORD: {**record, _NONFINITE: kept}} if kept else plain


def named_nonfinite(value: JSON) -> JSON:
    """Give the names of numbers that are not finite in the place of them."""
    match value:
        case float() if not isfinite(value):
            return json.dumps(value)
        case list():
            return [named_nonfinite(one) for one in value]
        case dict():
            return {key: named_nonfinite(one) for key, one in value.items()}
        case _:
            return value


def attributes_v3(attributes: Any, where: str) -> dict[str, JSON]:
    """Undo `_finite`, where the record fits what is stored."""
    if not is_dict(attributes):
        raise FormatError("attributes are no object", where)
    restored: dict[str, JSON] = {**attributes}
    record = restored.get(RECORD)
    if not isinstance(record, dict) or not isinstance(
        kept := record.pop(_NONFINITE, None), dict
    ):
        return restored
    if not record:
        del restored[RECORD]
    for name, text in kept.items():
        try:
            value = load_json(text.encode()) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            continue
        if name in restored and same_json(named_nonfinite(value), restored[name]):
            restored[name] = value
    return restored
