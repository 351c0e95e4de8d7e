"""Errors say what is wrong, where, and what to do; they survive being sent between processes."""

from __future__ import annotations

import copy
import errno
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zspy
from zspy import EncodeError, FormatError, UnsupportedError, ZspyError
from zspy.values.errors import (
    DeniedError,
    ForbiddenError,
    MissingFileError,
    MissingFolderError,
    _cut,
    a_kind,
    check_choices,
    did_you_mean,
    expect,
    expect_names,
    expect_several,
    location,
    missing_package,
    shown,
    taking,
    unreadable,
    unwritable,
)

KINDS = [ZspyError, EncodeError, UnsupportedError, FormatError]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("a title is a string", "x.y[3]", "use str"), "x.y[3]: a title is a string; use str"),
        (("a title is a string", "x"), "x: a title is a string"),
        (("a title is a string", "", "use str"), "a title is a string; use str"),
        (("a title is a string",), "a title is a string"),
    ],
)
def test_an_error_says_where_what_and_how_to_go_on(
    kind: type[ZspyError], parts: tuple[str, ...], text: str
) -> None:
    error = kind(*parts)
    assert str(error) == text
    assert (error.problem, error.where, error.remedy) == (*parts, "", "")[:3]
    assert error.location == error.where


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling_and_copying(kind: type[ZspyError]) -> None:
    error = kind("problem", "where", "remedy")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert type(twin) is kind
        assert str(twin) == str(error) == "where: problem; remedy"
        assert twin.remedy == "remedy"


def test_errors_are_also_of_the_kinds_that_python_has_for_them() -> None:
    assert issubclass(EncodeError, ValueError)
    assert issubclass(UnsupportedError, (EncodeError, TypeError))
    assert issubclass(FormatError, OSError)
    assert FormatError("problem", "where", "remedy").errno is None


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ((), ""),
        (("metadata", "General", "title"), "metadata.General.title"),
        (("x", 3, "y"), "x[3].y"),
        ((1.5, None, (1, "a")), "[1.5][None][(1, 'a')]"),
        (("", "a\nb", "é"), "''.'a\\nb'.é"),
        (("\ud800",), "'\\ud800'"),
    ],
)
def test_a_location_is_a_path_that_can_be_printed(keys: tuple[object, ...], text: str) -> None:
    assert location(keys) == text


def test_what_has_too_many_digits_or_levels_is_shown_by_its_type() -> None:
    deep: object = ()
    for _ in range(20_000):
        deep = (deep,)
    assert [shown(3), shown(10**5000), shown(deep)] == ["3", "int", "tuple"]
    assert location(["x", 10**5000]) == "x[int]"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "an int"), ([], "a list"), (OSError(), "an OSError"), (None, "None")],
)
def test_a_type_has_its_article(value: object, text: str) -> None:
    assert a_kind(value) == text


def test_a_remedy_that_lists_what_there_is_is_cut() -> None:
    error = ZspyError("no such title", "title", f"use one of {'x' * 5000}")
    assert len(str(error)) < 300
    assert str(error).endswith("; " + error.remedy)
    assert len(error.remedy) == 160


@pytest.mark.parametrize("problem", ["p" * 5000, "p" * 250])
@pytest.mark.parametrize("where", ["", "w" * 50, "w" * 5000])
@pytest.mark.parametrize("remedy", ["", "use another one"])
def test_a_long_problem_shows_its_start_and_its_end(problem: str, where: str, remedy: str) -> None:
    error = EncodeError(f"[{problem} is no choice", where, remedy)
    assert len(str(error)) < 300
    assert str(error).endswith(f"p is no choice; {remedy}" if remedy else "p is no choice")
    assert "[pp" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_a_message_is_short_whatever_its_parts_are() -> None:
    error = FormatError("p" * 400, "w" * 400, "r" * 400)
    assert len(str(error)) < 300
    assert all(part in str(error) for part in ("p" * 30, "w" * 20, "r" * 100))


def test_an_error_of_a_file_has_the_name_of_the_file() -> None:
    assert MissingFileError("there is no such file").filename == ""
    error = MissingFileError("there is no such file", "a.zspy", "see the name")
    assert error.filename == "a.zspy"
    assert str(error) == "a.zspy: there is no such file; see the name"


def test_an_error_names_the_package_that_is_missing() -> None:
    error = missing_package("dask.array", "dask")
    assert error.name == "dask.array"
    assert str(error) == 'dask.array is not installed: python -m pip install "zspy[dask]"'


def test_a_warning_is_of_the_line_that_called(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    signal: dict[str, Any] = {"data": np.zeros(9), "axes": [{}], "metadata": {"x": len}}
    place: dict[str, bytes] = {}
    zspy.file_writer(place, {**signal, "metadata": {}}, chunks=3)
    del place["Experiments/__unnamed__/data/0"]
    calls: list[Callable[[], object]] = [
        lambda: zspy.file_writer({}, signal, unsupported="skip"),
        lambda: zspy.hyperspy.file_writer({}, signal),
        lambda: zspy.write_hspy(tmp_path / "a.hspy", signal, unsupported="skip"),
        lambda: zspy.file_reader(place),
        lambda: zspy.deserialise(place),
        lambda: zspy.open_group(place),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match=r"left out|missing") as told:
            call()
        assert [one.filename for one in told] == [__file__]


def test_a_place_is_shown_in_one_short_line() -> None:
    error = FormatError("it is damaged", "a\nb\x1b[2J" + "k" * 5000 + ".data")
    said = str(error)
    assert said.startswith(r"a\nb\x1b[2Jkkk")
    assert said.endswith("k.data: it is damaged")
    assert len(said) < 240
    assert len(error.location) > 5000


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionError(13, "denied"), DeniedError, "see who may read it"),
        (
            FileNotFoundError(2, "denied"),
            FormatError,
            "it was removed, or is a link to nothing (git annex get)",
        ),
        (OSError(5, "denied"), FormatError, "see whether its disk, or the network, is sound"),
    ],
)
def test_what_the_system_does_not_open_is_told_with_its_remedy(
    error: OSError, kind: type[FormatError], said: str
) -> None:
    told = unreadable(error, "it cannot be opened", "a.zspy")
    assert type(told) is kind
    assert str(told) == f"a.zspy: it cannot be opened (denied); {said}"


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (PermissionError(errno.EACCES, "denied"), ForbiddenError, "see whether its folder may be"),
        (PermissionError(errno.EPERM, "denied"), ForbiddenError, "ask its owner, or use another"),
        (OSError(errno.EROFS, "denied"), EncodeError, "its disk is read-only: write to another"),
        (OSError(errno.ENOSPC, "denied"), EncodeError, "make room on its disk"),
        (OSError(errno.EIO, "denied"), EncodeError, "see whether its folder may be"),
    ],
)
def test_what_a_writer_may_not_make_is_told_with_its_remedy(
    error: OSError, kind: type[EncodeError], remedy: str
) -> None:
    told = unwritable(error, "it cannot be made", "a.zspy")
    assert type(told) is kind
    assert str(told).startswith(f"a.zspy: it cannot be made (denied); {remedy}")


@pytest.mark.parametrize("value", ["ab", np.arange(2), 3, None])
def test_one_thing_is_no_collection(value: object) -> None:
    with pytest.raises(EncodeError) as told:
        expect_several(value, "list of codecs", "filters", "use [codec]")
    assert str(told.value) == f"filters: {a_kind(value)} is no list of codecs; use [codec]"
    with pytest.raises(EncodeError) as told:
        expect_names(value, "names")
    remedy = 'use a tuple, such as ("name",)'
    assert str(told.value) == f"names: {a_kind(value)} is no collection of names; {remedy}"


@pytest.mark.parametrize("value", [[], ("a",), {"a"}, {"a": 1}, frozenset("a"), range(2)])
def test_every_collection_is_one(value: object) -> None:
    expect_several(value, "list of codecs", "filters", "use [codec]")
    expect_names(value, "names")


def test_a_name_that_is_near_enough_is_meant() -> None:
    known = ("scale", "size", "scales")
    assert did_you_mean("Scal", known) == "did you mean 'scale'?"
    assert did_you_mean("scxxx", known) == did_you_mean("axe", ()) == ""
    assert did_you_mean("scxx", ("scale",), 0.4) == "did you mean 'scale'?"


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (MissingFileError, errno.ENOENT),
        (MissingFolderError, errno.ENOENT),
        (DeniedError, errno.EACCES),
        (ForbiddenError, errno.EACCES),
    ],
)
def test_an_error_of_a_file_has_the_number_that_the_system_gives(
    kind: type[ZspyError], number: int
) -> None:
    """So that what asks the system's own errors (`shutil`, a web server) understands it."""
    error: Any = kind("it is not there", "a.zspy")
    assert (error.errno, error.filename) == (number, "a.zspy")


def test_a_place_is_printed_as_it_is_but_for_what_cannot_be() -> None:
    error = ZspyError("a problem", "metadata.Größe\n\x1b[1m")
    assert str(error) == "metadata.Größe\\n\\x1b[1m: a problem"


def test_a_place_is_asked_for_once_something_went_wrong() -> None:
    asked: list[str] = []

    def where() -> str:
        asked.append("where")
        return "metadata.x"

    with taking(where):
        pass
    assert asked == []
    with pytest.raises(EncodeError) as caught, taking(where):
        raise KeyError("x")
    assert caught.value.location == "metadata.x"


class _Unwilling:
    """What raises whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __eq__(self, _: object) -> bool:
        raise RuntimeError("not compared")

    def __hash__(self) -> int:
        raise RuntimeError("not hashed")


ASKING: dict[str, Callable[[object], None]] = {
    "expect": lambda value: expect(value, str, "name", "here", "use a str"),
    "expect_several": lambda value: expect_several(value, "list", "here", "use a list"),
    "check_choices": lambda value: check_choices(here=(value, ("a", "b"))),
}


@pytest.mark.parametrize("name", ASKING)
def test_what_an_argument_raises_has_its_place(name: str) -> None:
    with pytest.raises(EncodeError, match=r"^here: it raises RuntimeError") as caught:
        ASKING[name](_Unwilling())
    assert caught.value.location == "here"


def test_what_is_cut_is_as_long_as_it_may_be() -> None:
    for most in (20, 21):
        assert _cut("x" * most, most) == "x" * most
        start, _, end = _cut("a" * 50 + "b" * 50, most).partition(" ... ")
        assert (start, end) == ("a" * ((most - 5) // 2), "b" * ((most - 5) // 2))
