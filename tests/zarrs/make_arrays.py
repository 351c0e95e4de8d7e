"""Make arrays with zarr-python 2, in random layouts, some of them edited in place.

It runs in an environment of its own: ``python make_arrays.py FOLDER COUNT SEED``. Array ``n`` is
``a`` in the group ``FOLDER/n``, which may be a zip file; what zarr-python reads of it is in
``FOLDER/n.npy``.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

# Another release than the one that the types are checked with.
zarr: Any = import_module("zarr")
numcodecs: Any = import_module("numcodecs")

NUMBERS: Final = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
OTHERS: Final = ("c8", "c16", "M8[ns]", "M8[D]", "m8[s]", "S5", "U4", "V3")
RECORDS: Final = (
    [("x", "<f4"), ("y", ">i2")],
    [("x", "u1"), ("n", [("a", "<i4"), ("b", "S3")])],
    [("x", "<f8"), ("m", "<u2", (2, 2))],
    [("t", "<M8[s]"), ("c", "<c8"), ("s", "<U3")],
)
TEXTS: Final = ("", "a", "Å µ", "longer text " * 3)


def compressor(rng: Any) -> Any:
    """Choose a compressor, or none."""
    blosc = numcodecs.Blosc(
        str(rng.choice(["zstd", "lz4", "lz4hc", "zlib", "blosclz"])),
        int(rng.integers(0, 10)),
        int(rng.integers(-1, 3)),
        int(rng.choice([0, 64])),
    )
    others = (None, numcodecs.Zlib(2), numcodecs.GZip(1), numcodecs.BZ2(1), numcodecs.LZMA())
    more = (numcodecs.Zstd(3), numcodecs.LZ4(), numcodecs.LZMA(format=2, filters=[{"id": 33}]))
    chosen = [blosc, *others, *more]
    return chosen[int(rng.integers(len(chosen)))]


def filters(rng: Any, dtype: np.dtype[Any]) -> list[Any]:
    """Choose filters that fit a type of numbers."""
    found: list[Any] = []
    if dtype.kind == "b" and rng.random() < 0.3:
        return [numcodecs.PackBits()]
    if dtype.kind in "iu" and rng.random() < 0.3:
        found.append(numcodecs.Delta(dtype=dtype))
    if dtype.kind == "f" and rng.random() < 0.3:
        scaled = numcodecs.FixedScaleOffset(0.5, 10, dtype.str, "<i2")
        quantized = numcodecs.Quantize(2, dtype.str)
        found.append([scaled, quantized][int(rng.integers(2))])
    if dtype.kind == "i" and rng.random() < 0.2:
        found.append(numcodecs.AsType("<i8", found[0].astype.str if found else dtype.str))
    if rng.random() < 0.2:
        found.append(numcodecs.Shuffle(int(rng.choice([1, 2, 4, 8]))))
    if rng.random() < 0.2:
        sums = (numcodecs.CRC32(), numcodecs.Adler32(), numcodecs.Fletcher32())
        found.append(sums[int(rng.integers(len(sums)))])
    return found


def numbers(rng: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Draw values: any bits, small numbers, or texts."""
    if dtype.names is not None:
        values = np.zeros(shape, dtype)
        for name in dtype.names:
            base, inner = dtype[name].base, dtype[name].shape
            values[name] = numbers(rng, base, shape + inner)
        return values
    if dtype.kind in "SU":
        return rng.choice(["", "a", "bcd"], shape).astype(dtype)
    if dtype.kind in "iufb" and rng.random() < 0.7:
        return rng.integers(0, 50, shape).astype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    values = np.frombuffer(rng.bytes(size), dtype) if dtype.kind != "b" else np.ones(shape, dtype)
    return values.reshape(shape)


def cells(rng: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Draw cells of an object array, and the codec for them."""
    words = np.array([str(rng.choice(TEXTS)) for _ in range(int(np.prod(shape)))] or [""], object)

    def floats(text: str) -> Any:
        return rng.random(len(text) % 4)

    def integers(text: str) -> Any:
        return np.arange(len(text) % 4, dtype=">i4")

    def mixed(text: str) -> Any:
        return [text, {"n": len(text), "x": None}]

    def numbered(text: str) -> Any:
        return [text, len(text), 1.5]

    makers: list[tuple[Any, Any]] = [
        (numcodecs.VLenUTF8(), str),
        (numcodecs.VLenBytes(), str.encode),
        (numcodecs.VLenArray("<f8"), floats),
        (numcodecs.VLenArray(">i4"), integers),
        (numcodecs.JSON(), mixed),
        (numcodecs.MsgPack(), numbered),
        (numcodecs.Pickle(), str),
        (numcodecs.Categorize([*TEXTS], object), str),
    ]
    codec, make = makers[int(rng.integers(len(makers)))]
    found = np.empty(shape, object)
    for place, word in zip(np.ndindex(shape), words, strict=False):
        found[place] = make(word)
    return found, codec


def make(rng: Any, path: Path) -> Any:
    """Make an array, and give what zarr-python reads of it."""
    shape = tuple(rng.integers(0 if rng.random() < 0.1 else 1, 8, int(rng.integers(0, 4))).tolist())
    layout: dict[str, Any] = {
        "compressor": compressor(rng),
        "order": str(rng.choice(["C", "F"])),
        "dimension_separator": str(rng.choice([".", "/"])),
        "write_empty_chunks": bool(rng.integers(2)),
        "chunks": tuple(int(rng.integers(1, max(size, 1) + 2)) for size in shape) or True,
    }
    if rng.random() < 0.2:
        values, layout["object_codec"] = cells(rng, shape)
        layout["dtype"] = object
        fill: Any = None
        if layout["object_codec"].codec_id in ("vlen-utf8", "json2") and rng.random() < 0.5:
            fill = "Å"
    else:
        kinds = [*NUMBERS, *OTHERS, *RECORDS]
        kind: Any = kinds[int(rng.integers(len(kinds)))]
        if isinstance(kind, str):
            kind = str(rng.choice(["<", ">"])) + kind
        layout["dtype"] = dtype = np.dtype(kind, align=isinstance(kind, list))
        values = numbers(rng, dtype, shape)
        if dtype.kind in "biuf":
            layout["filters"] = filters(rng, dtype)
        fill = [None, 0, values.ravel()[0] if values.size else 0][int(rng.integers(3))]
        if dtype.kind == "f" and rng.random() < 0.3:
            fill = float(rng.choice([np.nan, np.inf, -np.inf]))
        if dtype.kind in "VSU" and fill is not None:
            fill = None if dtype.names else "" if dtype.kind in "SU" else b""
    place: Any = str(path)
    if rng.random() < 0.2:
        place = zarr.ZipStore(place, mode="w")
    group = zarr.open_group(place, mode="w")
    array = group.create_dataset("a", shape=shape, fill_value=fill, **layout)
    if fill is None or rng.random() < 0.7:
        array[...] = values
    for _ in range(int(rng.integers(0, 3)) if shape and fill is not None else 0):
        edges = [sorted(rng.integers(0, size + 1, 2).tolist()) for size in shape]
        box = tuple(slice(*pair) for pair in edges)
        array[box] = fill if rng.random() < 0.5 else values[box]
    if shape and fill is not None and rng.random() < 0.2:
        array.resize(*[int(rng.integers(1, 10)) for _ in shape])
    array.attrs["note"] = [1, None, {"a": "Å"}]
    if rng.random() < 0.2:
        zarr.consolidate_metadata(group.store)
    found = zarr.open_group(group.store, mode="r")["a"][...]
    group.store.close()
    return found


def main() -> None:
    """Make as many as are asked for; those that zarr-python itself refuses are left out."""
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        try:
            found = make(rng, folder / str(number))
        except Exception:  # noqa: BLE001, S112 - it refuses in many ways
            continue
        values = np.empty((), object)
        values[()] = found
        np.save(folder / f"{number}.npy", values)


if __name__ == "__main__":
    main()
