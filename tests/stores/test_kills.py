"""Each kind of write, in each kind of file, is killed at random calls of the system.

What is replaced as a whole is the old or the new file. What changes in place has at each moment
the old chunks, and new ones that are whole. A new file is whole or not there.
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
from zspy.stores.backends import STORE_TYPES

KILLS: Final = int(os.environ.get("ZSPY_KILLS", "100"))
WHOLE: Final = ("new", "overwrite", "update", "correct", "add")
PLACES: Final = [
    *((kind, way) for kind in STORE_TYPES for way in WHOLE),
    *(("sqlite", way) for way in WHOLE[1:]),  # no new file is an SQLite file
    *((kind, way) for kind in IN_PLACE for way in ("append", "region")),
]
KILLED: Final = """
import os, random, shutil, signal, sys, warnings
from pathlib import Path
import numpy as np, zspy
from zspy.values.errors import MissingFileError

warnings.simplefilter("ignore")
folder, kind, way, kills = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
dice = random.Random(kind + way)
quiet = {"show_progressbar": False}
CALLS = ("write", "fsync", "replace", "copy_file_range")

def signal_of(number, rows=4, title="t"):
    axes = [{"name": "y", "size": rows, "navigate": True}, {"name": "x", "size": 3}]
    metadata = {"General": {"title": title}, "n": number, "also": {"n": number}}
    return {"data": np.full((rows, 3), number, "i4"), "axes": axes, "metadata": metadata}

def write(path, number, title="t", **options):
    signal = signal_of(number, title=title)
    zspy.file_writer(path, signal, chunks=(2, 3), store_type=kind, **quiet, **options)

def act(path):
    if way in ("new", "overwrite"):
        write(path, 1)
    elif way == "update":
        write(path, 1, write_dataset=False)
    elif way == "correct":  # where it can be, one document is replaced alone
        zspy.update(path, {"n": 1})
    elif way == "add":
        write(path, 1, "u", mode="a")
    elif way == "append":
        zspy.file_writer(path, signal_of(1, 2), append_dim="y", **quiet)
    else:
        zspy.file_writer(path, signal_of(1, 2), region={"y": slice(2, 4)}, **quiet)

def state(path):
    try:
        found = zspy.file_reader(path)
    except MissingFileError:
        return None
    every = []
    for one in found:
        metadata, data = one["metadata"], np.asarray(one["data"])
        numbers = metadata["n"], metadata["also"]["n"]
        every.append((metadata["General"]["title"], numbers, data.tolist()))
    return sorted(every)

def child(path, step):
    '''Write in a process that kills itself at a step, or tells how many there are.'''
    read, told = os.pipe()
    process = os.fork()
    if process:
        os.close(told)
        os.waitpid(process, 0)
        with os.fdopen(read) as file:
            return int(file.read() or 0)
    steps = 0

    def count(event, arguments):
        nonlocal steps
        text = str(arguments[:1])
        if ".py" in text or "/lib/" in text or not event.startswith(("open", "os.")):
            return
        steps += 1
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(name, call):
        def wrapper(*arguments, **options):
            sys.audit(f"os.{name} itself")
            return call(*arguments, **options)
        return wrapper

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))
    sys.addaudithook(count)
    try:
        act(path)
        os.write(told, str(steps).encode())
    finally:
        os._exit(0)

def begun(name):
    path = folder / name / "scan.zspy"
    path.parent.mkdir()
    if way != "new":
        write(path, 0, sync=False)
    return path

def is_between(found):
    '''Tell what may be seen of a file while it changes in place.'''
    (_, _, data), = found
    old_data, new_data = old[0][2], new[0][2]
    if way == "region":
        return all(data[i:i+2] in (old_data[i:i+2], new_data[i:i+2]) for i in (0, 2))
    more = data[len(old_data):]
    return data[: len(old_data)] == old_data and len(data) <= len(new_data) and all(
        row in ([0] * 3, [1] * 3) for row in more
    )

path = begun("whole")
old = state(path)
steps = child(path, 0)
new = state(path)
assert steps and new != old
seen = set()
for number in range(kills):
    path = begun(str(number))
    step = dice.randint(1, steps)
    child(path, step)
    found = state(path)
    seen.add(found == old)
    assert found in (old, new) or (way in ("append", "region") and is_between(found)), (step, found)
    write(path, 7, sync=False)
    assert state(path) == [("t", (7, 7), [[7] * 3] * 4)], step
    left = [name for name in os.listdir(path.parent) if not name.startswith("scan.zspy")]
    assert not left, (step, left)
    shutil.rmtree(path.parent)
print(len(seen))
"""


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(("kind", "way"), PLACES)
def test_a_write_that_is_killed_leaves_a_whole_file(kind: str, way: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, kind, way, str(KILLS)],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
