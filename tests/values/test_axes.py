"""The table of axes, and what is checked before an axis is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import pytest

from tests.support.axes import ROWS, each_axis_type, entries_of
from tests.support.values import cells
from zspy import (
    Array,
    EncodeError,
    FormatError,
    Group,
    decode_signal,
    deserialise,
    encode,
    encode_signal,
    serialise,
)
from zspy.strategies import first_difference
from zspy.typing import ZarrFormat
from zspy.values import axes as module
from zspy.values.axes import (
    AXIS_TYPES,
    AxisType,
    axis_cost,
    axis_points,
    axis_type,
    complete_axes,
    complete_axis,
)
from zspy.values.records import AxisTypeName
from zspy.values.types import NumPyArray


def signal(axis: Any) -> dict[str, Any]:
    """Return a signal of three values with an axis."""
    return {"data": np.arange(3.0), "axes": [axis], "metadata": {}}


class Metres(list[float]):
    """A vector whose values are not all that it is, as those of pint are."""


Metres.__qualname__ = Metres.__name__ = "Quantity"
UNIT: Final = "is no vector without a unit; give its values, and its unit as 'units'"

POINTS_OR_TYPE: Final = (
    f"give its points as 'axis', or use one of {', '.join(row.name for row in ROWS)}"
)


@pytest.fixture(autouse=True)
def _one_more_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a type that no release of HyperSpy knows in the table."""
    monkeypatch.setattr(module, "AXIS_TYPES", ROWS)


@each_axis_type
def test_an_axis_is_told_by_its_type_or_by_its_key(row: AxisType) -> None:
    assert axis_type({"_type": row.name}) is row
    assert axis_type({row.key: 1}) is row
    assert axis_type({}) is AXIS_TYPES[-1]


@each_axis_type
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("more", ["type", "size", "nothing"])
def test_an_axis_comes_back_as_it_was_given(
    row: AxisType, more: str, zarr_format: ZarrFormat
) -> None:
    entries = entries_of(row)
    kinds: dict[str, dict[str, Any]] = {
        "type": {"_type": row.name},
        "size": {"size": 3},
        "nothing": {},
    }
    given = kinds[more]
    documents = dict(serialise(encode_signal(signal(entries | given)), zarr_format=zarr_format))
    group = cast("Group", deserialise(documents))
    sized = {"size": 3} if row.size_key == "size" else {}
    wanted = {"_type": row.name, "is_binned": False, "index_in_array": 0, **entries, **sized}
    (found,) = decode_signal(group)["axes"]
    assert found.keys() == wanted.keys() | given.keys()
    points = axis_points(cast("Any", found), 3)
    assert points.tolist() == row.points(entries, 3, "").tolist()
    if "axis" in wanted:
        found["axis"] = np.asarray(found.get("axis")).tolist()
    assert dict(found) == wanted | given
    stored: Any = group["axis-0"]
    assert stored.attributes["_type"] == (row.name if row.released else "DataAxis")
    if not row.released:
        assert stored.members["axis"].data.tolist() == points.tolist()


@each_axis_type
def test_points_that_another_program_has_changed_count(row: AxisType) -> None:
    group = encode_signal(signal(entries_of(row)))
    vector = cast("Group", group["axis-0"]).members.get("axis")
    if vector is None:
        return
    cast("Any", vector).data[1] = 5
    (found,) = decode_signal(group)["axes"]
    assert (found.get("_type"), np.asarray(found.get("axis"))[1]) == ("DataAxis", 5)


# What may have become of the points of an axis, and whether it is still of its type.
CHANGES: Final[dict[str, tuple[Callable[[NumPyArray], NumPyArray], bool]]] = {
    "rounded otherwise": (lambda points: np.nextafter(points, np.inf), True),
    "nearly zero": (lambda points: points - 1e-16, True),
    "changed a little": (lambda points: points * (1 + 1e-9), False),
    "one that is another": (lambda points: points[:1] + 1, False),
    "of another type": (lambda points: points.astype("f4"), False),
    "no numbers": (lambda points: points * np.nan, False),
}


@pytest.mark.parametrize(("changed", "kept"), CHANGES.values(), ids=CHANGES)
def test_points_that_another_processor_rounds_otherwise_are_those_of_the_type(
    changed: Callable[[NumPyArray], NumPyArray], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def points(axis: Any, size: int, _where: str) -> Any:
        return np.sin(np.arange(size) * axis["turn"])

    waves = AxisType("WaveAxis", "turn", "size", points, {"turn": np.pi / 2}, released=False)
    monkeypatch.setattr(module, "AXIS_TYPES", (waves, *AXIS_TYPES))
    group: Any = encode_signal(signal({"_type": "WaveAxis"}))
    vector = group["axis-0"].members["axis"]
    group["axis-0"].members["axis"] = Array(changed(vector.data))
    (found,) = decode_signal(group)["axes"]
    assert found.get("_type") == ("WaveAxis" if kept else "DataAxis")
    assert ("axis" in found) is not kept


@each_axis_type
@pytest.mark.parametrize("value", ["x", {}, [1.0], None])
def test_an_entry_that_is_no_number_is_refused_and_changes_no_stored_points(
    row: AxisType, value: Any
) -> None:
    entries = entries_of(row)
    for key in (key for key, default in row.defaults.items() if isinstance(default, float)):
        with pytest.raises(EncodeError, match=rf"axes\[0\]\.{key}: .* where a number belongs"):
            encode_signal(signal({**entries, key: value}))
        if row.released:
            continue  # its points are nowhere but in its entries
        group: Any = encode_signal(signal(entries))
        attributes = group["axis-0"].attributes
        attributes[key] = value
        if value is None:
            del attributes[key]
        (found,) = decode_signal(group)["axes"]
        assert axis_points(cast("Any", found), 3).tolist() == row.points(entries, 3, "").tolist()


@each_axis_type
def test_a_type_has_no_entry_that_tells_an_earlier_one(row: AxisType) -> None:
    for other in ROWS[: ROWS.index(row)]:
        problem = (
            rf"axes\[0\]\.{other.key}: a {row.name} has no '{other.key}', as a {other.name} has"
        )
        with pytest.raises(EncodeError, match=problem):
            encode_signal(signal({"_type": row.name, **entries_of(row), **entries_of(other)}))


@each_axis_type
def test_points_alone_are_those_of_a_type_that_hyperspy_does_not_know(row: AxisType) -> None:
    given = {"_type": row.name, "axis": [1.0, 2.0, 5.0]}
    if row.released and row.key != "axis":
        with pytest.raises(EncodeError, match=f"a {row.name} has no 'axis', as a DataAxis has"):
            encode_signal(signal(given))
        return
    (found,) = decode_signal(encode_signal(signal(given)))["axes"]
    assert found.get("_type") == "DataAxis"
    assert np.asarray(found.get("axis")).tolist() == given["axis"]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"name": 5}, "axes[0].name: an int, where text or None belongs; use text or None"),
        ({"units": b"nm"}, "axes[0].units: a bytes, where text or None belongs; use text or None"),
        ({"navigate": "yes"}, "axes[0].navigate: a str, where True or False belongs; use True or"),
        ({"navigate": 1}, "axes[0].navigate: an int, where True or False belongs; use True or"),
        ({"is_binned": None}, "axes[0].is_binned: None, where True or False belongs"),
        ({"offset": None}, "axes[0].offset: None, where a number belongs; use a number"),
        ({"scale": "0.5"}, "axes[0].scale: a str, where a number belongs; use a number"),
        ({"scale": True}, "axes[0].scale: a bool, where a number belongs; use a number"),
        ({"size": 3.0}, "axes[0].size: a float, where an integer belongs; use an integer"),
        ({"expression": 1}, "axes[0].expression: an int, where text belongs; use text"),
        ({"_type": None}, "axes[0]._type: None, where the name of a type belongs"),
        ({"x": {"scale": "1"}, "expression": "x"}, "axes[0].x.scale: a str, where a number"),
        ({"unit": "nm"}, "axes[0]: an axis has no 'unit'; did you mean 'units'?"),
        ({"Scale": 1.0}, "axes[0]: an axis has no 'Scale'; did you mean 'scale'?"),
        ({"navigat": True}, "axes[0]: an axis has no 'navigat'; did you mean 'navigate'?"),
        ({"axis": np.eye(3)}, "axes[0].axis: no vector: it has 2 dimensions; use a vector"),
        (
            {"_type": "UniformDataAxis", "axis": np.arange(3.0)},
            "axes[0].axis: a UniformDataAxis has no 'axis', as a DataAxis has; leave it out, or gi",
        ),
        (
            {"_type": "UniformDataAxis", "expression": "x"},
            "axes[0].expression: a UniformDataAxis has no 'expression', as a FunctionalDataAxis h",
        ),
        (
            {"_type": "FunctionalDataAxis", "expression": "x", "axis": np.arange(3.0)},
            "axes[0].axis: a FunctionalDataAxis has no 'axis', as a DataAxis has; leave it out, or",
        ),
        (
            {"_type": "Other"},
            "axes[0]._type: no type of axes is called 'Other'; " + POINTS_OR_TYPE,
        ),
        (
            {"axis": np.ma.MaskedArray([1.0, 2.0, 3.0], [False, False, True])},
            "axes[0].axis: points that are masked; fill or remove them",
        ),
        ({"axis": 3}, "axes[0].axis: an int is no vector; use a NumPy array"),
        ({"axis": Metres([1, 2, 3])}, f"axes[0].axis: a Quantity {UNIT}"),
    ],
)
def test_what_hyperspy_would_not_load_is_refused(entry: dict[str, Any], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_signal(signal(entry))
    assert str(caught.value).startswith(text)
    assert len(str(caught.value)) < 300


def test_what_hyperspy_takes_is_kept() -> None:
    """Its parameters have names of their own, and it ignores what it does not know."""
    axis = {
        "_type": "FunctionalDataAxis",
        "name": None,
        "units": "nm",
        "navigate": np.True_,
        "is_binned": False,
        "size": 3,
        "expression": "unit * x + sale",
        "unit": 2,
        "sale": 1.5,
        "x": {"_type": "UniformDataAxis", "size": 3, "scale": 1, "offset": np.float32(0)},
        "calibrated by": "me",
        5: "five",
    }
    found = decode_signal(encode_signal(signal(axis)))["axes"][0]
    assert first_difference({**axis, "index_in_array": 0}, found) is None


def test_navigate_stays_away_where_it_was_not_given() -> None:
    assert "navigate" not in decode_signal(encode_signal(signal({"name": "x"})))["axes"][0]


def test_a_type_that_hyperspy_does_not_know_is_stored_as_points() -> None:
    group = encode_signal(signal({"_type": "Other", "axis": [1, 2, 4], "base": 2}))
    stored: Any = group.members["axis-0"]
    assert stored.attributes["_type"] == "DataAxis"
    found = cast("Any", decode_signal(group)["axes"][0])
    assert (found["_type"], type(found["_type"])) == ("Other", str)
    assert found["axis"].tolist() == [1, 2, 4]


def test_points_follow_what_stands_in_the_axis_whatever_its_type_says() -> None:
    assert axis_points({"_type": "DataAxis", "scale": 2}, 2).tolist() == [0, 2]
    assert axis_points({"expression": "x", "x": 5}, 2).tolist() == [0, 1]


@pytest.mark.parametrize("data", [np.zeros(1), np.zeros((3, 4)), np.array(1.5), cells(np.ones(2))])
def test_a_signal_without_axes_has_the_group_that_releases_look_for(data: Any) -> None:
    group = encode_signal({"data": data, "axes": [], "metadata": {}})
    assert f"_list_{data.ndim}_axes" in group.members
    found = decode_signal(group)
    assert found["axes"] == []
    assert first_difference(data, found["data"]) is None


def test_the_name_of_a_type_of_axes_is_text() -> None:
    assert complete_axes([{"_type": "DataAxis", "axis": [1]}], (1,))[0]["_type"] == "DataAxis"
    assert AxisTypeName("x") == "x"


@pytest.mark.parametrize(
    "axis",
    [
        {"scale": "0.5"},
        {"scale": 1.0, "offset": [1, 2]},
        {"offset": None, "scale": 2},
        {"scale": {"a": 1}},
    ],
)
def test_points_that_cannot_be_computed_are_an_error_of_the_axis(axis: Any) -> None:
    with pytest.raises(EncodeError, match="points of a UniformDataAxis cannot be computed"):
        axis_points(axis, 3, "axes[0]")


@pytest.mark.parametrize("key", ["_type", "name", "units", "navigate", "size", "scale", "offset"])
def test_an_array_in_the_place_of_an_entry_is_told(key: str) -> None:
    """What compares it, or asks whether it is true, would fail with an error of NumPy."""
    group: Any = encode_signal(signal({"name": "x"}))
    axis = group.members["axis-0"]
    axis.attributes.pop(key, None)
    axis.members[key] = Array(np.arange(3))
    with pytest.raises(FormatError, match=rf"^axis-0/{key}: an array, where text or a number"):
        decode_signal(group)


@pytest.mark.parametrize("points", [5, "x", {"a": 1}, np.array(1.0)], ids=str)
def test_points_that_are_no_vector_are_told(points: Any) -> None:
    group: Any = encode_signal(signal({"axis": [1.0, 2.0, 4.0]}))
    group.members["axis-0"] = encode({"_type": "DataAxis", "axis": points})
    with pytest.raises(FormatError, match=r"^axis-0/axis: the points of an axis are "):
        decode_signal(group)


@pytest.mark.parametrize("title", [np.arange(3), np.zeros(0), np.zeros(2, "i4,i4")], ids=str)
def test_a_title_that_is_an_array_is_read(title: Any) -> None:
    given = {**signal({}), "metadata": {"General": {"title": "t"}}}
    group: Any = encode_signal(given)
    group.members["metadata"].members["General"] = encode({"title": title})
    found = cast("Any", decode_signal(group))
    assert first_difference(found["metadata"]["General"]["title"], title) is None


def test_axes_in_axes_are_checked_however_deep() -> None:
    axis: dict[str, Any] = {"scale": "1"}
    for _ in range(5000):
        axis = {"x": axis}
    with pytest.raises(EncodeError, match="a str, where a number belongs"):
        complete_axis(axis, 0, (3,))


def test_of_very_many_entries_none_is_compared_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zspy.values.axes.did_you_mean", None)
    others = {f"{number}scale": 0 for number in range(10**4)}
    assert complete_axis({"size": 3, **others}, 0, (3,))["size"] == 3


def test_of_fewer_entries_each_is_compared() -> None:
    others = {f"{number}others": 0 for number in range(999)}
    with pytest.raises(EncodeError, match=r"^axes\[0\]: an axis has no 'Scale'; did you mean 'sc"):
        complete_axis({"size": 3, **others, "Scale": 1}, 0, (3,))


def test_what_cannot_be_computed_of_an_axis_in_an_axis_is_told_with_the_place() -> None:
    remedy = "see whether all are there"
    said = "the points of a {} cannot be computed of its entries; " + remedy
    with pytest.raises(EncodeError) as caught:
        axis_points({"offset": "x"}, 3)
    assert str(caught.value) == f"axis: {said.format('UniformDataAxis')}"
    with pytest.raises(EncodeError) as caught:
        axis_points({"expression": "x", "x": {"scale": "x"}}, 3, "axes[1]")
    assert str(caught.value) == f"axes[1]: {said.format('UniformDataAxis')}"


def test_points_that_are_none_are_told_with_what_they_are() -> None:
    group: Any = encode_signal(signal({"axis": [1.0, 2.0, 4.0]}))
    group.members["axis-0"] = encode({"_type": "DataAxis", "axis": 5})
    with pytest.raises(FormatError) as caught:
        decode_signal(group)
    assert str(caught.value) == "axis-0/axis: the points of an axis are an int; store a vector"


def test_a_long_expression_costs_more_than_its_points() -> None:
    assert axis_cost({"scale": 2.0}, 10) == 10
    assert axis_cost({"expression": "x" * 7}, 10) == 10
    assert axis_cost({"expression": "x" * 16}, 10) == 30
