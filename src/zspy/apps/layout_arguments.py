"""How a file is to be written: the arguments that `convert` and `repack` share."""

from __future__ import annotations

import argparse
from typing import Any, Final

import numpy as np
from numcodecs import Blosc

from ..documents.codecs import CODECS, codec
from ..stores.backends import StoreType
from .arguments import QUIET, argument, parsed
from .converting import Plan

_BLOSC: Final = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
_OTHERS: Final = {
    f"numcodecs.{row.id}" if row.id in _BLOSC else row.id: row
    for row in CODECS.values()
    if row.compresses and row.id != Blosc.codec_id
}
"""The other compressors; what Blosc has too has a longer name."""
_HIGHEST_LEVEL: Final = 9  # level of Blosc, which prints what it refuses


def plan_of(options: argparse.Namespace, kind: StoreType | None) -> Plan:
    """Gather what the arguments say."""
    return Plan(
        kind,
        options.format,
        options.chunks,
        options.shards,
        options.compressor,
        options.checksum or None,
        options.consolidate or None,
    )


def _edges(text: str) -> tuple[int, ...]:
    edges = tuple(map(int, text.split(",")))
    if min(edges) < 1:
        raise ValueError(text)
    return edges


def _codec(text: str) -> Any:
    name, _, level = text.partition(":")
    if name in _BLOSC:
        number = int(level or 1)
        if not 0 <= number <= _HIGHEST_LEVEL:
            raise ValueError(text)
        return Blosc(name, number, Blosc.SHUFFLE)
    if name not in _OTHERS:
        raise ValueError(text)
    row = _OTHERS[name]
    settings = {row.level: int(level)} if level else {}
    try:
        made = codec({**settings, "id": row.id})
        # Most look at their level only then.
        made.encode(np.zeros(8, min(row.dtypes, default="u1")))
    except Exception as error:
        raise ValueError(text) from error
    return made


LAYOUT: Final = (
    argument("--format", type=int, choices=(2, 3), help="the Zarr format to write"),
    argument(
        *("--chunks", "-c"),
        type=parsed(_edges, "edges like 8,8,64,64", {"keep": "keep", "auto": None}),
        default="keep",
        metavar="8,8,64,64",
        help="shape of the chunks of the data; keep (the default), auto, or edges",
    ),
    argument(
        *("--shards", "-s"),
        type=parsed(
            _edges, "edges like 32,32,64,64", {"auto": None, "none": False}
        ),
        metavar="32,32,64,64",
        help="shape of the shards, in format 3; auto (the default), none, or edges",
    ),
    argument(
        *("--compressor", "-z"),
        type=parsed(
            _codec,
            "a codec like zstd:5",
            {"keep": "keep", "auto": None, "none": False},
        ),
        default="keep",
        metavar="zstd:5",
        help="keep (the default), auto, none, or a codec with its level: "
        f"{', '.join(_BLOSC)} (by Blosc), {', '.join(_OTHERS)}",
    ),
    argument("--checksum", action="store_true", help="a checksum in each chunk"),
    argument(
        "--consolidate",
        action="store_true",
        help="copies of all metadata in one document, for reading from far away",
    ),
    QUIET,
)
