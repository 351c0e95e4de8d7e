"""The command line: what is printed, where, and what a process exits with."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import h5py
import numcodecs
import numpy as np
import pytest

import zspy
from tests.support.cost import calls
from tests.support.signals import signal_of as plain_signal
from zspy.apps import converting as _convert, layout_arguments
from zspy.apps.cli import COMMANDS, main
from zspy.apps.commands import (
    check as check_command,
    convert as convert_command,
    tree as tree_command,
)
from zspy.apps.differences import differences
from zspy.apps.tree import look, tree_json
from zspy.apps.tree_lines import tree_lines
from zspy.documents import tree as document_tree
from zspy.documents.codecs import CODECS, Codec
from zspy.documents.parsed_nodes import parse_nodes
from zspy.stores.backends import STORE_TYPES

QUIET: Final[dict[str, Any]] = {"sync": False, "show_progressbar": False}
AnyArray = np.ndarray[Any, Any]
Capture = pytest.CaptureFixture[str]


def signal_of(data: Any, signal_dimensions: int = 1, title: str = "map") -> dict[str, Any]:
    """Make a signal of an array."""
    axis = {"units": "nm", "scale": 0.5, "offset": 1.0}
    metadata = {"n": [1, 2, 3], "x": float("nan"), "t": (1, [2])}
    return plain_signal(data, title, signal_dimensions, names="yxz" * 2, axis=axis, **metadata)


def scan(*shape: int) -> AnyArray:
    """Give a scan that is not the same anywhere."""
    return np.arange(np.prod(shape), dtype="u2").reshape(shape)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with a signal of several chunks."""
    path = tmp_path / "map.zspy"
    zspy.file_writer(path, signal_of(scan(16, 12, 64)), chunks=(4, 4, 64), **QUIET)
    return path


@pytest.fixture(params=[2, 3])
def zarr_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a file in each Zarr format."""
    path = tmp_path / "m.zspy"
    zspy.file_writer(path, signal_of(scan(4, 12)), zarr_format=request.param, **QUIET)
    return path


def layout(path: Path, name: str = "map") -> dict[str, Any]:
    """Give what the command line says of the data of a signal."""
    tree = look(path)
    nodes: Any = tree_json(tree, f"Experiments/{name}/data")["nodes"]
    found: dict[str, Any] = json.loads(json.dumps(nodes[0]))
    return found


# --------------------------------------------------------------------------------------------------
# All commands


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["infos", "a"],
            "zspy: there is no command 'infos' (did you mean 'info'?); see zspy --help",
        ),
        (
            ["a.zspy"],
            "zspy: there is no command 'a.zspy' (a command comes before a file); see zspy",
        ),
        (["--jsn"], "zspy: unrecognized arguments: --jsn; see zspy --help"),
        (["\x1b[2J" * 99], "zspy: there is no command '\\x1b[2J"),
        (["info", "a", "-\x1b[2J" * 99], "zspy info: unrecognized arguments: -\\x1b[2J"),
    ],
)
def test_a_command_that_there_is_not_is_told(
    arguments: list[str], said: str, capsys: Capture
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert (error.count("\n"), len(error) < 300, "\x1b" in error) == (1, True, False)


def test_values_may_stand_between_options_and_behind_them(file: Path, capsys: Capture) -> None:
    assert main(["set", str(file), "x=1", "--title", "map", "y=2", "-q", "z=3"]) == 0
    (signal,) = zspy.file_reader(file)
    assert [signal["metadata"][name] for name in "xyz"] == [1, 2, 3]
    assert main(["tree", str(file), "--depth", "0", "Experiments/map/axis-0"]) == 0
    assert "/Experiments/map/axis-0 group" in capsys.readouterr().out


def test_nothing_is_written_into_the_folder_of_a_file(zarr_file: Path, capsys: Capture) -> None:
    before = sorted(zarr_file.rglob("*"))
    for inner in ("c.zspy", "Experiments/map/data/c.zspy"):
        target = str(zarr_file / inner)
        assert main(["convert", str(zarr_file), target]) == 2
        said = f"zspy: {target}: it would lie inside of the file m.zspy; use another folder\n"
        if "/" not in inner:
            assert capsys.readouterr().err == said
        assert main(["show", str(zarr_file), "-o", f"{target}.png"]) == 2
        assert "it would lie inside of the file m.zspy" in capsys.readouterr().err
    assert sorted(zarr_file.rglob("*")) == before


def test_errors_are_one_line_and_no_traceback(tmp_path: Path, capsys: Capture) -> None:
    for command in ("tree", "repack", "show", "check"):
        assert main([command, str(tmp_path / "no\x1b[2J.zspy")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("zspy: ")
        assert err.count("\n") == 1
        assert "no such file" in err
        assert "\x1b" not in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "zspy: there is not enough memory\n"),
        (TypeError("no"), "zspy: TypeError: no; this is a fault of zspy, please report it\n"),
        (ModuleNotFoundError("x: pip install y", name="x"), "zspy: x: pip install y\n"),
        (ModuleNotFoundError("x", name="matplotlib"), "install matplotlib"),
        (PermissionError(13, "denied", "x"), "zspy: x: denied; see who may read or write it\n"),
        (OSError("broken"), "zspy: broken\n"),
    ],
)
def test_trouble_is_told(
    error: BaseException, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(_: object) -> Any:
        raise error

    monkeypatch.setattr(tree_command, "look", fail)
    assert main(["tree", "x"]) == 2
    assert said in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(file: Path) -> None:
    command = [sys.executable, "-m", "zspy", "tree", str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 2


@pytest.mark.parametrize("closed", ["1", "2", "1 and 2"])
def test_an_output_may_be_closed(closed: str, file: Path) -> None:
    ends = " ".join(f"{number}>&-" for number in closed.split(" and "))
    command = f"'{sys.executable}' -m zspy info '{file}' {ends}"
    result = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env=environment()
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_an_output_that_is_full_is_told(buffered: str, file: Path) -> None:
    command = [sys.executable, "-m", "zspy", "info", str(file)]
    env = environment(PYTHONUNBUFFERED=buffered)
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env
        )
    assert result.returncode == 2
    assert result.stderr == "zspy: the output: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="such a folder cannot be removed")
def test_a_current_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert main(["info", "x.zspy"]) == 2
    said = "zspy: x.zspy: the current folder does not exist any more; change to another one\n"
    assert capsys.readouterr().err == said
    monkeypatch.chdir(tmp_path)


def test_an_empty_name_is_told(capsys: Capture) -> None:
    assert main(["info", ""]) == 2
    assert capsys.readouterr().err.startswith("zspy: filename: '' is no path")


def test_a_group_inside_of_a_file_is_no_file(file: Path, capsys: Capture) -> None:
    assert main(["diff", str(file / "Experiments/map"), str(file)]) == 2
    assert "there is no group 'Experiments'" in capsys.readouterr().err


def test_a_newer_version_is_told_by_every_reader(file: Path, capsys: Capture) -> None:
    attributes = json.loads((file / ".zattrs").read_bytes())
    attributes["file_format_version"] = "9.0"
    (file / ".zattrs").write_text(json.dumps(attributes))
    said = "the file is of version 9.0 of the format, and zspy knows 3.3"
    with pytest.warns(UserWarning, match=said):
        zspy.file_reader(file)
    xr: Any = pytest.importorskip("xarray")
    with pytest.warns(UserWarning, match=said):
        xr.open_dataset(file, engine="zspy").close()
    assert main(["check", str(file)]) == 0
    assert f"warning: {said}" in capsys.readouterr().out
    other = file.with_name("a.hspy")
    with pytest.warns(UserWarning, match=said):
        zspy.write_hspy(other, zspy.file_reader(file))
    with h5py.File(other, "r+") as raw:
        raw.attrs["file_format_version"] = "9.0"
    with pytest.warns(UserWarning, match=said):
        zspy.read_hspy(other)


def environment(**more: str) -> dict[str, str]:
    """Give the environment of a process that finds this zspy."""
    return {**os.environ, "PYTHONPATH": str(Path(zspy.__file__).parents[1]), **more}


def test_it_runs_as_a_process(file: Path) -> None:
    command = [sys.executable, "-m", "zspy", "tree", str(file)]
    env = environment(PYTHONIOENCODING="ascii")
    result = subprocess.run(command, capture_output=True, check=True, text=True, env=env)
    assert "??? Experiments group" in result.stdout
    assert result.stderr == ""


def test_alone_it_prints_its_help(capsys: Capture) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n    {command} " in out for command in COMMANDS)


def test_every_command_is_listed() -> None:
    folder = Path(check_command.__file__).parent
    assert {path.stem for path in folder.glob("[a-z]*.py")} == {*COMMANDS}


def test_what_a_file_system_needs_is_handed_on(file: Path, capsys: Capture) -> None:
    pytest.importorskip("fsspec")
    target = f"memory://options{file}"
    option = ["--storage-option", "use_listings_cache=false"]
    assert main(["convert", str(file), target, *option]) == 0
    for command in ("tree", "info", "check"):
        assert main([command, target, *option]) == 0
        assert "memory://options" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["tree", target, "--storage-option", "anon"])
    assert "'anon' is not a name and its value" in capsys.readouterr().err
    for secret in ("ghp_12345", "hunter", "CorrectHorse", "=hunter"):
        with pytest.raises(SystemExit):
            main(["tree", target, "--storage-option", secret])
        said = capsys.readouterr().err
        assert "that is not a name and its value" in said
        assert secret.strip("=") not in said


def test_storage_options_are_refused_where_no_file_is_at_a_url(file: Path, capsys: Capture) -> None:
    name = str(file)
    commands = (
        *(["info", name], ["tree", name], ["show", name], ["check", name], ["diff", name, name]),
        *(["convert", name, f"{name}.zip"], ["set", name, "a=1"]),
    )
    for command in commands:
        assert main([*command, "--storage-option", "endpoint_url=https://a.test"]) == 2
        out, err = capsys.readouterr()
        assert (out, err) == (
            "",
            "zspy: --storage-option: only a URL has options; leave it out\n",
        )
    assert not file.with_name("map.zspy.zip").exists()


def test_what_a_command_does_not_know_is_told_by_its_name(capsys: Capture) -> None:
    for command, given in (("repack", "--storage-option=a=b"), ("info", "--dept"), ("tree", "-x")):
        with pytest.raises(SystemExit):
            main([command, "a.zspy", given])
        said = f"zspy {command}: unrecognized arguments: {given}; see zspy {command} --help\n"
        assert capsys.readouterr().err == said


def test_a_value_without_its_name_is_told(file: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["set", str(file), "General.title", "new"])
    said = capsys.readouterr().err
    assert "'General.title' is not a name and its value, like General.title=new" in said


def test_the_name_of_a_compressor_does_not_reach_the_terminal_raw(
    file: Path, capsys: Capture
) -> None:
    changed = 0
    for document in file.rglob("data/.zarray"):
        text = document.read_text()
        document.write_text(text.replace('"zstd"', '"\\u001b]0;name\\u0007"'))
        changed += document.read_text() != text
    assert changed
    for command in ("info", "tree"):
        assert main([command, str(file)]) == 0
        said = capsys.readouterr().out
        assert "]0;name" in said
        assert not {"\x1b", "\x07"} & {*said}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert re.search(rf"examples:\n  zspy {command} ", capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments",
    [
        *(["nothing"], ["convert", "a"], ["convert", "a", "b", "--chunks", "8,x"]),
        *(["repack", "a", "--chunks", "8,0"], ["repack", "a", "--shards", "keep"]),
        *(["repack", "a", "--compressor", "rar"], ["repack", "a", "--compressor", "zstd:x"]),
        *(["repack", "a", "--compressor", "zstd:10"], ["tree", "a", "--depth", "-1"]),
        *(["repack", "a", "-z", codec] for codec in ("bz2:0", "gzip:10", "lzma:x", "crc32")),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert re.search(r"; see zspy( \w+)? --help\n\Z", said)
    assert said.count("\n") == 1
    assert len(said) < 300


def test_what_an_argument_may_be_is_told(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["repack", "a", "--chunks", "8,x"])
    said = "argument --chunks/-c: '8,x' is not keep, auto, edges like 8,8,64,64; see zspy repack"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [["tree"], ["show"], ["diff", "."], ["convert", "x"]])
def test_errors_name_the_file(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    name, *more = command
    (tmp_path / "notes.txt").write_text("text")
    assert main([name, str(tmp_path), *more]) == 2
    said = f"zspy: {tmp_path}: a folder, and no .zspy file; name a .zspy file\n"
    assert capsys.readouterr().err == said


class Terminal(io.StringIO):
    """What looks like a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "command", [["info"], ["tree"], ["check", "--data"], ["diff"], ["repack"], ["set", "a=1"]]
)
def test_what_is_damaged_is_named_with_its_file_and_a_remedy(
    command: list[str], file: Path, capsys: Capture
) -> None:
    (file / "Experiments/map/metadata/.zattrs").write_bytes(b"[]")
    name, *more = command
    main([name, str(file), *more, *[str(file)] * (command == ["diff"])])
    said = "".join(capsys.readouterr())
    key = "Experiments/map/metadata/.zattrs"
    if command[0] != "check":
        assert said == f"zspy: {file}: {key}: no JSON object; restore it from a copy\n"
    else:
        assert f"error: {key}: no JSON object; restore it from a copy\n" in said
        assert f"2 findings in {file}" in said


def test_a_group_without_signals_is_named(tmp_path: Path, capsys: Capture) -> None:
    zspy.commit({".zgroup": b'{"zarr_format": 2}'}, tmp_path / "a")
    assert main(["info", str(tmp_path / "a")]) == 2
    assert capsys.readouterr().err.startswith(f"zspy: {tmp_path / 'a'}: there is no group")


def test_colours_are_for_terminals(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(**variables: str) -> str:
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.setenv(name, variables.get(name, ""))
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["tree", str(file)]) == 0
        return terminal.getvalue()

    assert "\x1b[1;34mExperiments\x1b[0m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1")
    assert "\x1b" not in shown(TERM="dumb")


# --------------------------------------------------------------------------------------------------
# tree


def test_a_tree_shows_every_node(file: Path, capsys: Capture) -> None:
    assert main(["tree", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{file}: directory, Zarr format 2, .zspy 3.3, ")
    for line in (
        "└── Experiments group, ",
        "data array uint16 (16, 12, 64) chunks (4, 4, 64), blosc zstd 1, ",
        " of 24.6 kB (",
        "title: 'map'",
        "n: [1, 2, 3]",
        "t: (1, [2])",
        "units: 'nm'",
    ):
        assert line in out


def test_a_part_of_a_tree(file: Path, capsys: Capture) -> None:
    assert main(["tree", str(file), "/Experiments/map", "--depth", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("/Experiments/map group, ")
    assert sum("more" in line for line in lines) > 3
    assert not any("title" in line for line in lines)
    assert main(["tree", str(file), "Experiments/nothing"]) == 2
    assert "no such node" in capsys.readouterr().err
    assert main(["tree", str(file), "Experiments/map/data/x"]) == 2
    assert main(["tree", str(file), "--path", "Experiments/map"]) == 0


def test_a_tree_for_programs(file: Path, capsys: Capture) -> None:
    assert main(["tree", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    nodes = {node["path"]: node for node in found["nodes"]}
    data = nodes["/Experiments/map/data"]
    assert data["shape"] == [16, 12, 64]
    assert data["chunks"] == [4, 4, 64]
    assert data["compressor"]["cname"] == "zstd"
    assert data["bytes"] == 24576
    assert data["ratio"] == pytest.approx(24576 / data["stored_bytes"])
    assert nodes["/Experiments/map/metadata"]["attributes"]["x"] == "nan"
    assert nodes["/"]["stored_bytes"] == found["bytes"] > data["stored_bytes"]


@pytest.mark.parametrize(("store", "kind"), [("zip", "zip file"), ("lmdb", "LMDB database")])
def test_a_tree_of_any_store(store: Any, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    cells = np.array([np.arange(2.0), np.arange(300.0)], object)
    raw: dict[str, Any] = {"store_type": store, "compressor": False, **QUIET}
    zspy.file_writer(path, [signal_of(cells, 0, "cells"), signal_of(scan(9))], **raw)
    tree = look(path)
    assert tree.overview.kind == kind
    lines = [*tree_lines(tree, "", None, lambda text, _: text)]
    assert any("array object (<f8) (2,)" in line for line in lines)
    assert layout(path, "cells")["bytes"] is None
    assert layout(path)["compressor"] is None


@pytest.mark.parametrize("count", [3, 3000])
def test_ragged_arrays_of_format_3_are_told_as_they_are_stored(count: int, tmp_path: Path) -> None:
    path, cells = tmp_path / "file", np.empty(count, object)
    cells[:] = [np.zeros((2, 3))] * count
    zspy.file_writer(path, signal_of(cells, 0, "cells"), zarr_format=3, **QUIET)
    found = layout(path, "cells")
    assert (found["shape"], found["attributes"]["_ragged_encoding"]) == ([2 * count, 3], "csr")
    assert main(["tree", str(path)]) == 0
    assert main(["convert", str(path), str(tmp_path / "other")]) == 0


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_what_a_file_hardly_holds_is_neither_shown_nor_written_anew(
    chunk: int, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "file"
    zspy.file_writer(path, signal_of(scan(9)), **QUIET)
    document = path / "Experiments/map/data/.zarray"
    known: dict[str, Any] = json.loads(document.read_bytes())
    document.write_text(json.dumps(known | {"shape": [2**24 * chunk], "chunks": [chunk]}))
    for command in ("show", "convert", "diff"):
        more = {"show": [], "convert": [str(tmp_path / "other")], "diff": [str(path)]}[command]
        assert main([command, str(path), *more]) == 2
        assert "hardly anything of that is stored" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_node_that_vanishes_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(*_: object) -> bytes:
        raise KeyError("a/.zgroup")

    monkeypatch.setattr("zspy.stores.directory.Directory.read", vanished)
    with pytest.raises(zspy.FormatError, match=r"a/\.zgroup: a document has vanished"):
        look(file)


def test_shards_and_what_is_not_compressed_are_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = scan(16, 16, 64)
    more: dict[str, Any] = {"zarr_format": 3, "compressor": False, **QUIET}
    zspy.file_writer(path, signal_of(data), chunks=(4, 4, 64), shards=(8, 8, 64), **more)
    tree = look(path)
    lines = "\n".join(tree_lines(tree, "", None, lambda text, _: text))
    assert "shards (8, 8, 64)" in lines
    zspy.file_writer(path, signal_of(data), compressor=False, **QUIET)
    lines = "\n".join(tree_lines(look(path), "", None, lambda text, _: text))
    assert "not compressed, 3" in lines


def test_a_name_that_ends_in_zip_in_any_case_is_a_zip(file: Path, tmp_path: Path) -> None:
    assert main(["convert", str(file), str(tmp_path / "a.ZIP")]) == 0
    assert (tmp_path / "a.ZIP").is_file()


def test_a_foreign_group_is_shown(tmp_path: Path, capsys: Capture) -> None:
    zspy.commit(dict(zspy.serialise(zspy.Group({"a\n": "b\x1b"}))), tmp_path / "x")
    assert main(["tree", str(tmp_path / "x")]) == 0
    out = capsys.readouterr().out
    assert "a\\n: 'b\\x1b'" in out
    assert "format" not in out


# --------------------------------------------------------------------------------------------------
# diff


def test_files_of_the_same_values_are_the_same(file: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.zip"
    again = zspy.file_reader(file)
    more: dict[str, Any] = {"zarr_format": 3, "store_type": "zip", "compressor": False}
    zspy.file_writer(other, again, **more, **QUIET)
    assert main(["diff", str(file), str(other)]) == 0
    assert capsys.readouterr().out == ""


def test_no_more_differences_are_listed_than_anybody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("zspy.apps.commands.diff._MOST_DIFFERENCES", 3)
    paths = [str(tmp_path / f"{n}.zspy") for n in range(5)]
    for n, path in enumerate(paths):
        signal = plain_signal(np.arange(3), "a", 1, x=[0] * (4 - n) + [1] * n)
        zspy.file_writer(path, signal, **QUIET)
    for n, path in enumerate(paths):
        assert main(["diff", paths[0], path]) == (n > 0)
        lines = capsys.readouterr().out.splitlines()
        assert lines[3:] == ["signals: more differs than these 3 places"] * (n > 3)
        assert len(lines) == n
        assert main(["diff", paths[0], path, "--quiet"]) == (n > 0)
        assert capsys.readouterr().out == ""


def test_a_diff_reads_each_file_once(tmp_path: Path) -> None:
    """Signals may be very many: to list what is stored of each takes as long as to read it."""
    path = str(tmp_path / "many.zspy")
    tree = {str(n): {"n": n} for n in range(300)}
    signals = [plain_signal(np.arange(3), str(n), 1, tree=tree) for n in range(3)]
    zspy.file_writer(path, signals, **QUIET, store_type="zip")
    read = calls(lambda: zspy.file_reader(path))
    main(["diff", path, path])  # what is imported then is imported
    assert calls(lambda: main(["diff", path, path])) < 4 * read


def test_differences_are_located(file: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.zspy"
    (signal,) = zspy.file_reader(file)
    signal["data"][3, 2, 1] += 1
    signal["data"][5, 0, 0] = 0
    signal["metadata"]["n"] = [1, 2.5, 3]
    signal["metadata"]["new"] = None
    del signal["metadata"]["x"]
    zspy.file_writer(other, signal, **QUIET)
    assert main(["diff", str(file), str(other)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "[0].data: 2 of 12288 elements differ, the first at [3, 2, 1]: 2433 is not 2434",
        "[0].metadata.x: only in the first",
        "[0].metadata.new: only in the second",
        "[0].metadata.n[0]: 1 (int) is not 1.0 (float)",
        "[0].metadata.n[1]: 2 (int) is not 2.5 (float)",
        "[0].metadata.n[2]: 3 (int) is not 3.0 (float)",
    ]
    assert main(["diff", str(file), str(other), "--quiet"]) == 1
    assert capsys.readouterr().out == ""
    assert main(["diff", str(file), str(other), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[1] == {
        "location": "[0].metadata.x",
        "problem": "only in the first",
    }
    assert main(["diff", str(file), str(tmp_path / "nothing")]) == 2


# --------------------------------------------------------------------------------------------------
# convert and repack

CONVERSIONS: Final[dict[str, tuple[list[str], dict[str, Any]]]] = {
    "a copy": ([], {"zarr_format": 2, "chunks": [4, 4, 64]}),
    "format 3": (
        ["--format", "3"],
        {"zarr_format": 3, "chunks": [4, 4, 64], "shards": [16, 12, 64]},
    ),
    "no shards": (["--format", "3", "-s", "none"], {"zarr_format": 3, "shards": None}),
    "shards": (
        ["--format", "3", "-c", "2,2,64", "-s", "8,4,64"],
        {"chunks": [2, 2, 64], "shards": [8, 4, 64]},
    ),
    "chunks": (["--chunks", "auto"], {"chunks": [16, 12, 64]}),
    "small chunks": (["--chunks", "3,5,7"], {"chunks": [3, 5, 7]}),
    "uncompressed": (["--compressor", "none"], {"compressor": None}),
    "zip": (["--store", "zip"], {"zarr_format": 2}),
    "lmdb": (["--store", "lmdb"], {"zarr_format": 2}),
    "checksum": (["--checksum", "--consolidate"], {"zarr_format": 2}),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_conversion_keeps_the_values(
    name: str, file: Path, tmp_path: Path, capsys: Capture
) -> None:
    options, wanted = CONVERSIONS[name]
    target = tmp_path / "target"
    assert main(["convert", str(file), str(target), "--verify", *options]) == 0
    assert "verified" in capsys.readouterr().out
    found = layout(target)
    assert {key: found[key] for key in wanted} == wanted
    assert zspy.file_reader(target)[0]["attributes"]["_lazy"] is False
    before, after = zspy.file_reader(file), zspy.file_reader(target)
    assert [*differences(before, after)] == []


def test_a_compressor_of_some_numbers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried on numbers that it takes, as most look at their level only then."""

    class Halves:
        def encode(self, buf: Any) -> bytes:
            if np.asarray(buf).dtype != "<f8":
                raise TypeError("it takes floats")
            return b""

    made = Halves()

    def made_of(_: object) -> Halves:
        return made

    row = Codec(id="halves", takes="numbers", dtypes=("<f8",), compresses=True)
    monkeypatch.setattr(layout_arguments, "_OTHERS", {"halves": row})
    monkeypatch.setattr(layout_arguments, "codec", made_of)
    parser = argparse.ArgumentParser()
    for add in layout_arguments.LAYOUT:
        add(parser)
    assert parser.parse_args(["-z", "halves:5"]).compressor is made


def test_a_compressor_is_named(file: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "target.zip"
    assert main(["convert", str(file), str(target), "--compressor", "lz4:9", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert layout(target)["compressor"]["clevel"] == 9
    assert zspy.stores.backends.kind_of(target) == "zip"
    assert main(["repack", str(target), "--compressor", "auto"]) == 0
    assert layout(target)["compressor"]["cname"] == "zstd"
    assert main(["repack", str(target), "--compressor", "none"]) == 0
    assert main(["repack", str(target)]) == 0
    assert layout(target)["compressor"] is None


def test_checksums_and_copies_of_metadata_are_written(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert main(["convert", str(file), str(target), "--checksum", "--consolidate", "-q"]) == 0
    document = json.loads((target / "Experiments" / "map" / "data" / ".zarray").read_bytes())
    assert document["filters"][-1] == {"id": "crc32"}
    assert (target / ".zmetadata").is_file()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "compressor", [numcodecs.Blosc("lz4", 7, 2), numcodecs.Zstd(7), numcodecs.GZip(3), False]
)
def test_the_compression_of_a_file_is_kept(
    compressor: Any, zarr_format: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    more: dict[str, Any] = {"compressor": compressor, "zarr_format": zarr_format, **QUIET}
    zspy.file_writer(path, signal_of(scan(4, 64)), **more)
    wanted = compressor.get_config() if compressor else None
    assert layout(path)["compressor"] == wanted
    for other in (2, 3):
        assert main(["convert", str(path), str(tmp_path / "b"), "--format", str(other), "-f"]) == 0
        assert layout(tmp_path / "b")["compressor"] == wanted
    assert main(["repack", str(path)]) == 0
    assert layout(path)["compressor"] == wanted


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("store", ["zip", "local"])
def test_several_signals_keep_their_own_compression(
    store: str, zarr_format: Any, tmp_path: Path
) -> None:
    path, target = tmp_path / "a.zspy", tmp_path / "b.zspy"
    ragged = np.empty(5, object)
    ragged[:] = [np.arange(size + 1.0) for size in range(5)]
    data: dict[str, Any] = {"u2": scan(4, 64), "f8": np.linspace(0, 1, 4096), "ragged": ragged}
    codecs = [numcodecs.Zstd(7), False, numcodecs.GZip(3)]
    for (title, array), codec in zip(data.items(), codecs, strict=True):
        signal: Any = signal_of(array) | {"metadata": {"General": {"title": title}}}
        checksum = title == "f8" and zarr_format == 2
        more: Any = {"mode": "a", "zarr_format": zarr_format, "checksum": checksum}
        zspy.file_writer(path, signal, compressor=codec, **more, **QUIET)
    before = {name: one.compressor for name, one in look(path).layouts.items()}
    filters = {name: one.filters for name, one in look(path).layouts.items()}
    assert len({str(one) for one in before.values()}) == 3
    assert main(["convert", str(path), str(target), "--store", store]) == 0
    assert main(["repack", str(path)]) == 0
    for place in (path, target):
        after = look(place).layouts
        assert {name: one.compressor for name, one in after.items()} == before
        assert {name: one.filters for name, one in after.items()} == filters
        assert not [*differences(zspy.file_reader(path), zspy.file_reader(place))]
    edges = ["--chunks", "1,2,3"]
    assert main(["convert", str(path), str(tmp_path / "c.zspy"), *edges]) == 2


@pytest.mark.parametrize(
    "compressor",
    [numcodecs.Blosc("zstd", 3), numcodecs.Blosc("lz4", 3, 0), numcodecs.Zstd(7), False],
)
def test_checksums_and_filters_are_kept(compressor: Any, tmp_path: Path) -> None:
    path, filters = tmp_path / "a", [numcodecs.Delta("u2")]
    for more in ({"checksum": True}, {"filters": filters}, {"checksum": True, "filters": filters}):
        zspy.file_writer(path, signal_of(scan(4, 64)), compressor=compressor, **more, **QUIET)
        document = path / "Experiments" / "map" / "data" / ".zarray"
        before = document.read_bytes()
        assert main(["repack", str(path)]) == 0
        assert document.read_bytes() == before
        assert main(["repack", str(path), "-z", "lz4"]) == 0
        assert layout(path)["compressor"]["cname"] == "lz4"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_others_say_of_an_array_is_kept(zarr_format: Any, tmp_path: Path) -> None:
    """Attributes of `data` went where it was written anew."""
    path = tmp_path / "a.zspy"
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(2.0), np.arange(3.0)]
    data: dict[str, Any] = {"u2": scan(4, 64), "ragged": ragged}
    for title, array in data.items():
        signal: Any = signal_of(array) | {"metadata": {"General": {"title": title}}}
        zspy.file_writer(path, signal, mode="a", zarr_format=zarr_format, **QUIET)
    name = ".zattrs" if zarr_format == 2 else "zarr.json"
    arrays = [path / "Experiments" / title / "data" / name for title in data]
    document: Any = json.loads(arrays[0].read_bytes()) if arrays[0].exists() else {}
    attributes = document["attributes"] if zarr_format == 3 else document
    attributes["mine"] = [1]
    arrays[0].write_text(json.dumps(document))

    def all_said() -> list[Any]:
        found: list[Any] = [json.loads(one.read_bytes()) if one.exists() else {} for one in arrays]
        return [one["attributes"] for one in found] if zarr_format == 3 else found

    before = all_said()
    assert before[0]["mine"] == [1]
    assert main(["repack", str(path)]) == 0
    assert all_said() == before
    assert len(zspy.file_reader(path)) == 2


def test_what_is_there_is_not_replaced(file: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    assert main(["convert", str(file), str(target)]) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main(["convert", str(file), str(target), "--force"]) == 0
    assert target.is_dir()


@pytest.mark.parametrize("command", [["tree"], ["show"], ["check"], ["diff", "."]])
def test_errors_show_no_secrets_of_a_url(command: list[str], capsys: Capture) -> None:
    pytest.importorskip("fsspec")
    name, *more = command
    assert main([name, "memory://user:hidden@host/nothing", *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith("zspy: memory://host: ")
    assert "hidden" not in said


def test_nothing_that_is_printed_shows_secrets_of_a_url(file: Path, capsys: Capture) -> None:
    pytest.importorskip("fsspec")
    target = f"memory://user:hidden@host{file}"
    for code, command in (
        (0, ["convert", str(file), target]),
        (2, ["convert", str(file), target]),
        (0, ["convert", str(file), target, "--force", "--verify"]),
        *((0, [name, target]) for name in ("tree", "info", "check")),
        (2, ["repack", target]),
    ):
        assert main(command) == code
        said = "".join(capsys.readouterr())
        assert "hidden" not in said
        assert "memory://host" in said


def test_a_url_is_a_place_to_write_to(file: Path, capsys: Capture) -> None:
    pytest.importorskip("fsspec")
    target = f"memory://{file}"
    assert main(["check", target]) == 2
    assert "there is no Zarr group" in capsys.readouterr().err
    assert main(["convert", str(file), target, "--verify"]) == 0
    assert capsys.readouterr().out.startswith("memory://: store, Zarr format 2, ")
    assert main(["convert", str(file), target]) == 2
    assert main(["repack", target]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "zspy: memory://: there is something already; use --force to replace it",
        "zspy: memory://: only local files are repacked; convert it",
    ]
    assert main(["check", target, "--data"]) == 0


def test_a_copy_that_differs_is_told(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    target = tmp_path / "target"
    real = _convert.convert

    def spoiled(*arguments: Any, **options: Any) -> list[str]:
        left = real(*arguments, **options)
        zspy.file_writer(target, signal_of(scan(4)), **QUIET)
        return left

    monkeypatch.setattr(convert_command, "convert", spoiled)
    assert main(["convert", str(file), str(target), "--verify"]) == 1
    out, err = capsys.readouterr()
    assert "[0].data: the shape" in err
    assert "verified" not in out


@pytest.mark.parametrize("name", ["b.zip", "b.zspy"])
def test_a_source_is_parsed_once_and_of_the_new_file_only_the_root(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of some megabytes that hold ten thousand signals took twice as long."""
    zspy.file_writer(tmp_path / "a.zip", [plain_signal(np.arange(3.0), f"s{n}") for n in range(9)])
    parsed: list[int] = []

    def count(*given: Any) -> Any:
        found = parse_nodes(*given)
        parsed.append(len(found.groups) + len(found.arrays))
        return found

    monkeypatch.setattr(document_tree, "parse_nodes", count)
    assert main(["convert", str(tmp_path / "a.zip"), str(tmp_path / name)]) == 0
    whole, root = parsed
    assert whole > 9 * 3
    assert root == 1


def test_repacking_drops_what_is_stale(file: Path, capsys: Capture) -> None:
    stale = file / "Experiments" / "map" / "data" / "9" / "9"
    stale.mkdir(parents=True)
    (stale / "9").write_bytes(b"x" * 10**6)
    before = zspy.file_reader(file)
    assert main(["repack", str(file), "--chunks", "8,8,64", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert not stale.exists()
    assert "chunks" not in capsys.readouterr().err
    assert layout(file)["chunks"] == [8, 8, 64]
    assert [*differences(before, zspy.file_reader(file))] == []


def test_what_cannot_be_repacked_is_told(tmp_path: Path, capsys: Capture) -> None:
    store_type: Any = "sqlite"
    zspy.commit({".zgroup": b'{"zarr_format": 2}'}, tmp_path / "a", store_type=store_type)
    assert main(["repack", str(tmp_path / "a")]) == 2
    assert "cannot be written in place" in capsys.readouterr().err


@pytest.mark.parametrize("zarr_format", ["2", "3"])
def test_any_kind_of_data_is_converted(zarr_format: str, tmp_path: Path) -> None:
    """Several signals, of several dimensions; ragged, empty and 0-d ones, and masks."""
    cells = np.empty(3, object)
    cells[:] = [np.arange(n + 1.0) for n in range(3)]
    masked = np.ma.MaskedArray(scan(4, 8), scan(4, 8) % 3 == 0)
    signals = [
        signal_of(scan(16, 16, 64), 1, "a"),
        signal_of(scan(5), 1, "b"),
        signal_of(cells, 0, "c"),
        signal_of(np.zeros((0, 3)), 1, "d"),
        signal_of(np.array(3.0), 0, "e"),
        signal_of(masked, 1, "f"),
    ]
    source, target = tmp_path / "source", tmp_path / "target"
    zspy.file_writer(source, signals, chunks=None, **QUIET)
    options = ["--format", zarr_format, "--verify", "-q"]
    assert main(["convert", str(source), str(target), *options]) == 0
    before, after = zspy.file_reader(source), zspy.file_reader(target)
    assert [*differences(before, after)] == []


def test_without_dask_files_are_read_whole(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: dict[str, None] = {}
    monkeypatch.setattr(_convert, "find_spec", nothing.get)
    assert main(["convert", str(file), str(tmp_path / "b"), "--verify", "-q"]) == 0
    assert main(["diff", str(file), str(tmp_path / "b")]) == 0
    assert layout(tmp_path / "b")["chunks"] == [4, 4, 64]


@pytest.mark.parametrize("kind", STORE_TYPES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_others_have_put_into_a_file_stays_where_it_is_repacked(
    kind: Any, zarr_format: Any, tmp_path: Path, capsys: Capture
) -> None:
    path, documents = tmp_path / "scan.zspy", dict[str, bytes]()
    data = scan(4)
    signal = {**signal_of(data), "models": {"m": {"a": 1}}}
    zspy.file_writer(documents, signal, zarr_format=zarr_format, **QUIET)
    tree = zspy.encode({"a": np.arange(5), "b": {"c": 1}})
    theirs = dict(zspy.serialise(tree, zarr_format=zarr_format))
    places = ("raw", "Analysis/raw", "Experiments/raw", "Experiments/map/raw")
    added = {f"{where}/{key}": data for where in places for key, data in theirs.items()}
    zspy.commit({**documents, **added}, path, store_type=kind)
    for more in ([], ["--chunks", "2"], ["--compressor", "zstd:9"]):
        assert main(["repack", str(path), *more, "-q"]) == 0
        assert capsys.readouterr().err == ""
        assert added.items() <= {**zspy.fetch(path)}.items()
        (found,) = zspy.file_reader(path)
        assert np.array_equal(found["data"], data)
    other = str(5 - zarr_format)
    assert main(["repack", str(path), "--format", other, "-q"]) == 0
    told = capsys.readouterr().err
    assert all(f"left behind: /{where}" in told for where in places)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("codec", [row for row in CODECS.values() if row.compresses])
def test_files_are_written_with_any_compressor_of_the_table(
    codec: Codec, zarr_format: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(scan(4)), zarr_format=zarr_format, compressor=False, **QUIET)
    names = {"blosc": "lz4hc"}
    for name in ("zstd", "lz4", "zlib"):
        names[name] = f"numcodecs.{name}"
    given = names.get(codec.id, codec.id)
    said = ""
    for argument in (given, f"{given}:3"):
        assert main(["repack", str(path), "-z", argument, "-q"]) == 0
        (document,) = path.glob(f"Experiments/*/data/{'.zarray' if zarr_format == 2 else '*.json'}")
        said = document.read_text(encoding="utf-8")
        assert f'"{codec.id}"' in said or f'"numcodecs.{codec.id}"' in said
        (found,) = zspy.file_reader(path)
        assert np.array_equal(found["data"], scan(4))
    level = codec.level if codec.id != "blosc" else "clevel"
    assert re.search(rf'"{level}": ?3\b', said)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_beyond_its_axes_is_not_cut_without_a_word(
    zarr_format: Any, tmp_path: Path, capsys: Capture
) -> None:
    """Another program had appended frames, and not changed the axis: `repack` removed them."""
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "a.zspy"
    zspy.file_writer(path, signal_of(scan(4)), zarr_format=zarr_format, **QUIET)
    array = zarr.open_group(path, mode="r+")["Experiments/map/data"]
    shape = array.shape
    array.append(array[:1])
    said = f"all of {array.shape} in /Experiments/map/data but {shape}"
    for more in ([], ["--format", str(5 - zarr_format)]):
        assert main(["repack", str(path), *more]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"larger than its axes, and would be cut: {said}; correct the axes" in told
        assert zarr.open_group(path, mode="r")["Experiments/map/data"].shape == array.shape
    assert main(["convert", str(path), str(tmp_path / "b.zspy")]) == 0
    assert f"left behind: {said}" in " ".join(capsys.readouterr().err.split())


def test_what_is_left_behind_is_told(file: Path, tmp_path: Path, capsys: Capture) -> None:
    for folder in ("Foreign", "Experiments/map/Foreign"):
        shutil.copytree(file / "Experiments" / "map" / "metadata", file / folder)
    signal = {**signal_of(scan(4)), "models": {"m": {"a": 1}}}
    assert main(["convert", str(file), str(tmp_path / "b")]) == 0
    told = capsys.readouterr().err
    assert "left behind: /Foreign" in told
    assert "left behind: /Experiments/map/Foreign" in told
    zspy.file_writer(file, signal, **QUIET)
    (file / "Analysis" / "models" / "m" / ".zattrs").write_text('{"a": 1}')
    assert main(["convert", str(file), str(tmp_path / "c")]) == 0
    assert "left behind: 1 models of no signal" in capsys.readouterr().err


def test_warnings_are_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import warnings

    def warn(_: object) -> Any:
        warnings.warn("a\nb", stacklevel=1)
        raise zspy.ZspyError("stop")

    monkeypatch.setattr(tree_command, "look", warn)
    assert main(["tree", str(file)]) == 2
    assert capsys.readouterr().err == f"zspy: warning: a\\nb\nzspy: {file}: stop\n"


# --------------------------------------------------------------------------------------------------
# check


@pytest.mark.parametrize("severities", [[], ["warning"], ["warning", "error"]])
def test_findings_are_told(
    severities: list[str], file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def damage_in(place: Path, data: bool, _: bool) -> Any:
        assert (place, data) == (file, True)
        keys = ["a/.zarray", ""]
        findings = [
            zspy.Finding(severity, key, "no\tJSON")  # type: ignore[arg-type] # one of two
            for severity, key in zip(severities, keys, strict=False)
        ]
        return findings, "values were not read"

    monkeypatch.setattr(check_command, "damage_in", damage_in)
    status = int("error" in severities)
    assert main(["check", str(file), "--data"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == ["warning: a/.zarray: no\\tJSON", "error: no\\tJSON"][: len(severities)]
    assert re.fullmatch(
        r"(no findings|1 finding|2 findings) in .* \(values were not read\)", lines[-1]
    )
    assert main(["check", str(file), "--data", "--json"]) == status
    assert [one["severity"] for one in json.loads(capsys.readouterr().out)] == severities


def test_damage_is_found(file: Path, capsys: Capture) -> None:
    assert main(["check", str(file), "--data"]) == 0
    (file / "Experiments" / "map" / "data" / "0" / "0" / "0").unlink()
    assert main(["check", str(file)]) == 1
    assert "error: Experiments/map/data/0/0/0: " in capsys.readouterr().out


def test_to_import_the_module_that_is_run_runs_nothing() -> None:
    assert import_module("zspy.__main__").main is main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "a.zspy", "--titel", "t", "x=1"], "--titel t x=1; did you mean '--title'? see"),
        (["diff", "a.zspy", "--json", "b.zspy", "c"], "c; see zspy diff --help"),
        (["info", "a.zspy", "--jsn"], "--jsn; did you mean '--json'? see zspy info --help"),
    ],
)
def test_what_is_not_recognized_is_told(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    said = f"zspy {arguments[0]}: unrecognized arguments: {said}"
    assert said in capsys.readouterr().err


def test_a_remedy_is_an_option_and_no_keyword(file: Path, capsys: Capture) -> None:
    (document,) = file.glob("Experiments/map/axis-0/.zattrs")
    document.rename(file.with_name("elsewhere"))
    document.symlink_to(file.with_name("elsewhere"))
    assert main(["info", str(file)]) == 2
    assert "or read it with --links follow" in capsys.readouterr().err
    assert main(["info", str(file), "--links", "follow"]) == 0
