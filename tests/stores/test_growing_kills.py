"""A file that grows is killed at random calls of the system: it is a whole signal at each moment.

What was flushed is there, in order, and whoever comes next goes on from it. With HyperSpy in the
environment that ``ZSPY_INTEROP_PYTHON`` names, each file is opened by that as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import zspy
from tests.support.places import IN_PLACE

from ..interop.environments import REFERENCE
from .test_kills import KILLS

PLACES: Final = [(kind, way) for kind in (*IN_PLACE, "store") for way in ("append", "stream")]
READER: Final = """
import sys
import numpy as np
from rsciio.zspy import file_reader
for line in sys.stdin:
    kind, path = line.split()
    place = path
    if kind == "lmdb":
        import zarr
        place = zarr.LMDBStore(path, readonly=True)
    signal, = file_reader(place)
    data = np.asarray(signal["data"])
    right = data.shape[1:] == (3,) and (data == np.arange(1, len(data) + 1)[:, None]).all()
    size = signal["axes"][0]["size"]
    print(size if right and size <= len(data) else f"{size} of {data.tolist()}", flush=True)
    if kind == "lmdb":
        place.close()
"""
KILLED: Final = """
import os, random, shutil, signal, subprocess, sys, warnings
from pathlib import Path
import numpy as np, zspy

folder, kind, way, kills, hyperspy, reading = sys.argv[1:]
folder, kills = Path(folder), int(kills)
dice = random.Random(kind + way)
quiet = {"show_progressbar": False}
CALLS = ("write", "fsync", "replace", "pwrite")
ROWS = np.repeat(np.arange(1, 25, dtype="i4")[:, None], 3, 1)
if hyperspy:
    reader = subprocess.Popen([hyperspy, "-c", reading], stdin=-1, stdout=-1, text=True)

def place_of(path):
    if kind != "store":
        return path
    from zarr.storage import LocalStore
    return LocalStore(path)

def signal_of(rows):
    axes = [{"name": "y", "size": len(rows), "navigate": True}, {"name": "x", "size": 3}]
    return {"data": rows, "axes": axes, "metadata": {"General": {"title": "t"}}}

def act(path, flushed):
    size = 5
    if way == "append":
        for step in (1, 3, 2, 5):
            part = signal_of(ROWS[size : size + step])
            zspy.file_writer(place_of(path), part, append_dim="y", **quiet)
            size += step
            flushed(size)
    else:
        with zspy.append(place_of(path), axis="y") as stream:
            for size in range(6, 20):
                stream.append(ROWS[size - 1])
                if size % 5 == 3:
                    stream.flush()
                    flushed(size)

def child(path, step):
    '''Write in a process that kills itself at a step; give what it had flushed, and its steps.'''
    read, told = os.pipe()
    process = os.fork()
    if process:
        os.close(told)
        os.waitpid(process, 0)
        with os.fdopen(read) as file:
            return [int(line) for line in file.read().split()]
    steps, counts = 0, True

    def count(event, arguments):
        nonlocal steps
        text = str(arguments[:1])
        if not counts or ".py" in text or "/lib/" in text:
            return
        if event.startswith(("open", "os.")):
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(name, call):
        def wrapper(*arguments, **options):
            sys.audit(f"os.{name} itself")
            return call(*arguments, **options)
        return wrapper

    def flushed(number):
        nonlocal counts
        counts = False
        os.write(told, f"{number}\\n".encode())
        counts = True

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))
    # what LMDB does is no call from here
    from zspy.stores.zarr_store import StoreInPlace
    put = StoreInPlace.put

    def put_each(sink, documents):
        for pair in documents:
            sys.audit("os.put itself")
            put(sink, [pair])

    StoreInPlace.put = put_each
    sys.addaudithook(count)
    try:
        act(path, flushed)
        counts = False
        os.write(told, f"{steps}\\n".encode())
    finally:
        os._exit(0)

def begun(name):
    path = folder / name / "scan.zspy"
    path.parent.mkdir()
    more = {} if kind == "store" else {"store_type": kind}
    signal = signal_of(ROWS[:5])
    zspy.file_writer(place_of(path), signal, chunks=(4, 3), sync=False, **more, **quiet)
    return path

def read(path):
    (found,) = zspy.file_reader(place_of(path))
    assert found["axes"][0]["size"] == len(found["data"])
    return found["data"]

def errors(path):
    return [one for one in zspy.check(place_of(path), data=True) if one.severity == "error"]

*_, steps = child(begun("whole"), 0)
assert steps > 10, steps
seen = set()
for number in range(kills):
    path = begun(str(number))
    step = dice.randint(1, steps)
    flushed = child(path, step)
    # the number of steps varies, since there are threads
    least = ([5] + [size for size in flushed if size <= len(ROWS)])[-1]
    data = read(path)
    seen.add(len(data))
    assert len(data) >= least, (step, least, data)
    assert np.array_equal(data, ROWS[: len(data)]), (step, data)
    assert not errors(path), (step, errors(path))
    if hyperspy:
        print(kind, path, file=reader.stdin, flush=True)
        answer = reader.stdout.readline().strip()
        assert answer == str(len(data)), (step, answer, len(data))
    zspy.file_writer(place_of(path), signal_of(ROWS[len(data):]), append_dim="y", **quiet)
    assert np.array_equal(read(path), ROWS), step
    assert not zspy.check(place_of(path), data=True), step
    shutil.rmtree(path.parent)
assert kills < 20 or len(seen) > 2, seen
print(sorted(seen))
"""


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(("kind", "way"), PLACES)
def test_a_file_that_grows_is_whole_after_a_kill(kind: str, way: str, tmp_path: Path) -> None:
    hyperspy = os.environ.get(REFERENCE.variable, "")
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-c", KILLED),
            *(tmp_path, kind, way, str(KILLS), hyperspy, READER),
        ],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
