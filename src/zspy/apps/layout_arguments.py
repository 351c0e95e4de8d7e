"""How a file is to be written: the arguments that `convert` and `repack` share."""

from __future__ import annotations

import argparse
from typing import Any, Final

import numcodecs

from ..stores.backends import StoreType
from .arguments import QUIET, argument, parsed
from .converting import Plan

_BLOSC: Final = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
_MOST: Final = 9  # level of compression


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
    number = int(level or 1)
    if name not in _BLOSC or not 0 <= number <= _MOST:
        raise ValueError(text)
    return numcodecs.Blosc(name, number, numcodecs.Blosc.SHUFFLE)


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
        help=f"keep (the default), auto, none, or one of {', '.join(_BLOSC)}, with its level",
    ),
    argument("--checksum", action="store_true", help="a checksum in each chunk"),
    argument(
        "--consolidate",
        action="store_true",
        help="copies of all metadata in one document, for reading from far away",
    ),
    QUIET,
)
