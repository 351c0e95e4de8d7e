"""A signal dictionary and what its group holds: what is wrong is said before anything is stored."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from tests.support.values import cells
from zspy import EncodeError, FormatError, Group
from zspy.strategies import first_difference
from zspy.values.ragged import Packed, object_array
from zspy.values.records import AxisTypeName
from zspy.values.root import decode_file, encode_signal
from zspy.values.signals import DATA_CELLS, DATA_MASK, from_entries, to_entries

UNIFORM: Final = {
    "_type": "UniformDataAxis",
    "name": "x",
    "units": "nm",
    "navigate": True,
    "is_binned": False,
    "size": 3,
    "scale": 0.5,
    "offset": 1.0,
}
DEFAULTS: Final = {"is_binned": False}
USE: Final = "use numpy.asarray or dask.array.from_array"


def signal(**changes: Any) -> dict[str, Any]:
    """Return a small signal."""
    plain: dict[str, Any] = {"data": np.arange(3.0), "axes": [{}], "metadata": {}}
    return plain | changes


# --------------------------------------------------------------------------------------------------
# There


def test_the_least_signal_is_completed() -> None:
    data = np.arange(3.0)
    expected = {
        "attributes": {"_lazy": False, "ragged": False},
        "axis-0": {"_type": "UniformDataAxis", **DEFAULTS, "size": 3, "scale": 1.0, "offset": 0.0},
        "data": data,
        "learning_results": {},
        "metadata": {},
        "original_metadata": {},
    }
    assert first_difference(expected, to_entries(signal(data=data))) is None


def test_a_nested_signal_has_its_axes_in_a_list_and_its_temporary_parameters() -> None:
    entries = to_entries(signal(axes=[UNIFORM], tmp_parameters={"a": 1}), nested=True)
    assert entries["axes"] == [UNIFORM]
    assert entries["tmp_parameters"] == {"a": 1}
    assert "tmp_parameters" not in to_entries(signal(tmp_parameters={}), nested=True)
    assert "tmp_parameters" not in to_entries(signal(tmp_parameters={"a": 1}))


@pytest.mark.parametrize(
    ("given", "full"),
    [
        (UNIFORM, UNIFORM),
        (UNIFORM | {"index_in_array": 0}, UNIFORM),
        (
            {"axis": [1, 2, 4], "name": "x"},
            {"axis": np.array([1, 2, 4]), "name": "x", "_type": "DataAxis", **DEFAULTS},
        ),
        (
            {"_type": "Other", "axis": np.ones(3)},
            {"_type": AxisTypeName("Other"), "axis": np.ones(3), **DEFAULTS},
        ),
        (
            {"expression": "a * x", "a": 2, "x": UNIFORM},
            {
                "expression": "a * x",
                "a": 2,
                "x": UNIFORM,
                "_type": "FunctionalDataAxis",
                **DEFAULTS,
                "size": 3,
            },
        ),
    ],
)
def test_an_axis_is_completed(given: dict[str, Any], full: dict[str, Any]) -> None:
    found = to_entries(signal(axes=[given]))["axis-0"]
    assert first_difference(full, found) is None


def test_axes_stand_in_the_order_of_the_dimensions_as_hyperspy_takes_them() -> None:
    """HyperSpy 2.5 ignores `index_in_array`, whether it is an order or none."""
    shaped = signal(data=np.zeros((1, 2, 3)))
    for numbers in ((2, 1, 0), (0, 0, 0), (5, None, "x")):
        given = [{"name": x, "index_in_array": n} for x, n in zip("abc", numbers, strict=True)]
        found = to_entries(shaped | {"axes": given})
        assert [found[f"axis-{i}"]["name"] for i in range(3)] == ["a", "b", "c"]


def test_learning_results_are_taken_from_where_readers_put_them_and_from_where_writers_do() -> None:
    reader = signal(attributes={"learning_results": {"a": 1}, "peak_learning_results": {"b": 2}})
    writer = signal(learning_results={"a": 1}, peak_learning_results={"b": 2})
    for given in (reader, writer, reader | {"learning_results": None}):
        entries = to_entries(given)
        assert entries["learning_results"] == {"a": 1}
        assert entries["peak_learning_results"] == {"b": 2}
        assert entries["attributes"] == {"_lazy": False, "ragged": False}
    assert to_entries(reader | {"learning_results": {"c": 3}})["learning_results"] == {"c": 3}


def test_the_package_is_taken_from_where_readers_put_it_and_from_where_writers_do() -> None:
    package = {"package": "hyperspy", "package_version": "2.5.0"}
    for given in (signal(**package), signal(package_info=package)):
        assert list(to_entries(given).items())[:2] == list(package.items())
    assert "package" not in to_entries(signal(package="", package_info={"other": 1}))
    # HyperSpy loads no signal of a package without a version.
    nameless = {"package": "exspy", "package_version": ""}
    assert list(to_entries(signal(package="exspy")).items())[:2] == list(nameless.items())


def test_attributes_that_are_given_stay() -> None:
    attributes = {"ragged": True, "_lazy": True, "x": 1}
    assert to_entries(signal(attributes=attributes))["attributes"] == attributes


WRONG: Final[list[tuple[dict[str, Any], str]]] = [
    (
        {"data": None},
        f"data: None is no array; {USE}",
    ),
    (
        {"data": [1, 2, 3]},
        f"data: a list is no array; {USE}",
    ),
    ({"axes": [{}, {}]}, "axes: 2 axes for data of 1 dimensions; one for each dimension"),
    (
        {"data": cells(1), "axes": [{}, {}]},
        "axes: 2 axes for data of 1 dimensions; a ragged signal has navigation axes only",
    ),
    ({"axes": {}}, "axes: a dict is no list of axes; one dictionary a dimension"),
    ({"axes": [1]}, "axes[0]: an int is no axis; an axis is a dictionary"),
    (
        {"axes": [{"size": 2}]},
        "axes[0].size: the axis has 2 values, but dimension 0 of the data 3; make them agree",
    ),
    (
        {"axes": [{"axis": [1, 2]}]},
        "axes[0].axis: the axis has 2 values, but dimension 0 of the data 3; make them agree",
    ),
    (
        {"axes": [{"axis": 1}]},
        "axes[0].axis: an int is no vector; use a NumPy array",
    ),
    (
        {"axes": [{"_type": "DataAxis"}]},
        "axes[0].axis: None is no vector; use a NumPy array",
    ),
    ({"metadata": 1}, "metadata: an int is no dictionary; use a dictionary"),
    (
        {"original_metadata": []},
        "original_metadata: a list is no dictionary; use a dictionary",
    ),
    ({"attributes": "x"}, "attributes: a str is no dictionary; use a dictionary"),
    (
        {"learning_results": 1},
        "learning_results: an int is no dictionary; use a dictionary",
    ),
    (
        {"package_info": "x"},
        "package_info: a str is no dictionary; use a dictionary",
    ),
    ({"package": []}, "package: a list is no text; use a str"),
    ({"package_version": (1, 2)}, "package_version: a tuple is no text; use a str"),
    (
        {"package_info": {"package": {}}},
        "package: a dict is no text; use a str",
    ),
]


@pytest.mark.parametrize(("changes", "text"), WRONG)
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        to_entries(signal(**changes))
    assert str(caught.value) == text


@pytest.mark.parametrize("key", ["data", "axes", "metadata"])
def test_a_signal_without_what_it_needs_is_refused(key: str) -> None:
    given = signal()
    del given[key]
    have = ", ".join(sorted(given))
    with pytest.raises(EncodeError) as caught:
        to_entries(given)
    assert str(caught.value) == (
        f"{key}: the signal has no such key; it has {have};"
        ' write {"data": array, "axes": [...], "metadata": {}}'
    )
    with pytest.raises(EncodeError, match="it has nothing"):
        to_entries({})


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("orignal_metadata", "did you mean 'original_metadata'?"),
        ("Attributes", "did you mean 'attributes'?"),
        ("zzz", "leave it out, or put it into the metadata"),
        (5, "leave it out, or put it into the metadata"),
    ],
)
def test_a_key_that_no_signal_has_is_refused(key: Any, remedy: str) -> None:
    with pytest.raises(EncodeError) as caught:
        to_entries(signal() | {key: {}})
    assert str(caught.value) == f"{key!r}: no signal has such a key; {remedy}"


def test_what_readers_say_to_hyperspy_is_no_part_of_a_signal() -> None:
    extra: Any = {"mapping": {"a": 1}, "post_process": [len], "tmp_parameters": {"x": len}}
    assert to_entries(signal() | extra).keys() == to_entries(signal()).keys()


def test_how_the_file_was_opened_is_told_at_every_depth() -> None:
    inner = signal(attributes={"_lazy": True})
    group = encode_signal(signal(metadata={"_sig_x": inner, "list": [{"_sig_": inner}]}))
    for lazy in (False, True):
        found = decode_file(
            Group({"file_format_version": "3.3"}, {"Experiments": Group({}, {"t": group})}),
            lazy=lazy,
        )[0]
        nested = [found["metadata"]["_sig_x"], found["metadata"]["list"][0]["_sig_"]]
        for one in (found, *nested):
            assert one["attributes"]["_lazy"] is lazy


# --------------------------------------------------------------------------------------------------
# Data that the format's array does not hold


def test_cells_that_can_be_packed_are_packed_once() -> None:
    entries = to_entries(signal(data=cells(np.arange(2), np.zeros(1)), axes=[{}]))
    assert isinstance(entries["data"], Packed)
    assert DATA_CELLS not in entries
    assert entries["attributes"]["ragged"] is True


def test_other_cells_stand_beside_data_that_every_reader_takes() -> None:
    data = cells({"a": 1}, None, "x")
    entries = to_entries(signal(data=data))
    assert first_difference(object_array([np.empty(0)] * 3, (3,)), entries["data"]) is None
    assert entries[DATA_CELLS] is data
    assert from_entries(entries)["data"] is data


def test_strings_with_missing_ones_stand_beside_data_that_every_reader_takes() -> None:
    kind: Any = np.dtypes.StringDType
    full, missing = (np.array(["a", b], kind(na_object=None)) for b in ("b", None))
    assert to_entries(signal(data=full, axes=[{}]))["data"] is full
    assert to_entries(signal(data=missing, axes=[{}]))[DATA_CELLS] is missing


@pytest.mark.parametrize(
    "data",
    [
        np.ma.MaskedArray([1.5, 2.5, 3.5], [True, False, True], fill_value=-1),
        np.ma.MaskedArray([1, 2, 3], hard_mask=True),
        np.ma.MaskedArray(cells(1, None, "a"), [True, False, False]),
    ],
)
def test_a_mask_stands_beside_the_data(data: Any) -> None:
    entries = to_entries(signal(data=data))
    assert type(entries["data"]) is np.ndarray
    assert entries[DATA_MASK]["hard"] == data.hardmask
    found = from_entries(entries)["data"]
    assert first_difference(data, found) is None
    assert found.hardmask == data.hardmask


@pytest.mark.parametrize("beside", [{DATA_CELLS: cells(1, 2)}, {DATA_CELLS: "x"}, {DATA_MASK: 1}])
def test_what_stands_beside_data_of_another_program_is_ignored(beside: Any) -> None:
    data = np.arange(3)
    assert from_entries({"data": data, **beside})["data"] is data


@pytest.mark.parametrize("mask", [np.zeros(2, bool), 1])
def test_a_mask_that_does_not_fit_is_told(mask: Any) -> None:
    """Another program had resized the data, and what was hidden seemed to be valid."""
    data = np.arange(3)
    with pytest.warns(UserWarning, match="the masks of a signal, .*, do not fit it and are left"):
        assert from_entries({"data": data, DATA_MASK: {"mask": mask}})["data"] is data


def test_cells_that_do_not_fit_are_told() -> None:
    entries = to_entries(signal(data=cells({"a": 1}, None, "x")))
    with pytest.warns(UserWarning, match="the cells of a signal, .*, do not fit it and are left"):
        found = from_entries({**entries, DATA_CELLS: cells(1, 2)})
    assert found["data"] is entries["data"]


@pytest.mark.parametrize("edited", [cells(np.arange(2), np.empty(0), np.empty(0)), np.arange(3)])
def test_cells_beside_the_data_do_not_hide_what_another_program_put_there(edited: Any) -> None:
    entries = to_entries(signal(data=cells({"a": 1}, None, "x")))
    assert from_entries({**entries, "data": edited})["data"] is edited


def test_an_array_of_a_subclass_becomes_plain() -> None:
    data = np.rec.array([(1, 2.5)] * 3, dtype=[("a", "i4"), ("b", "f8")])
    found: Any = encode_signal(signal(data=data)).members["data"]
    assert type(found.data) is np.ndarray
    assert found.data.dtype.type is np.void


def test_lazy_data_stays_lazy_unless_it_is_ragged() -> None:
    da = pytest.importorskip("dask.array")
    lazy = da.zeros(3, chunks=2)
    assert to_entries(signal(data=lazy))["data"] is lazy
    ragged = da.from_array(cells(np.arange(2), np.arange(1), np.zeros(1)), chunks=2)
    assert isinstance(to_entries(signal(data=ragged))["data"], Packed)


def test_a_shape_that_dask_does_not_know_is_refused() -> None:
    da = pytest.importorskip("dask.array")
    lazy = da.arange(5, chunks=2)
    with pytest.raises(EncodeError, match=r"^data: the shape \(nan,\) is not known yet; call"):
        to_entries(signal(data=lazy[lazy > 2]))


# --------------------------------------------------------------------------------------------------
# And back


def test_what_is_missing_is_empty() -> None:
    data = np.arange(3)
    junk: dict[Any, Any] = {"metadata": 1, "attributes": [], "axes": "x"}
    for entries in ({"data": data}, {"data": data, **junk}):
        assert (
            first_difference(
                {
                    "data": data,
                    "axes": [],
                    "metadata": {},
                    "original_metadata": {},
                    "attributes": {"_lazy": False},
                    "package": "",
                    "package_version": "",
                },
                from_entries(entries),
            )
            is None
        )


def test_axes_are_found_in_the_order_of_their_numbers() -> None:
    entries: dict[Any, Any] = {f"axis-{i}": {"name": str(i)} for i in (10, 9, *range(9))}
    entries |= {"data": np.zeros([1] * 11), "axis-x": {}, 5: {}, "axis-1000000000000": {}}
    axes = from_entries(entries)["axes"]
    assert [axis["name"] for axis in axes] == [str(i) for i in range(11)]
    assert [axis["index_in_array"] for axis in axes] == [*range(11)]
    entries["data"] = np.zeros((1, 1))
    assert from_entries(entries)["axes"] == axes[:2]  # The data has no dimension for the other.


@pytest.mark.parametrize("nested", [False, True])
def test_an_axis_of_no_dimension_takes_the_place_of_none(nested: bool) -> None:
    """The format has clause 3.6 on it: of the other place, or of nothing, the axes are read."""
    entries: dict[Any, Any] = {"data": np.zeros(1), "axis-1": {"name": "other"}, "axis-00": {}}
    assert from_entries(entries, nested=nested)["axes"] == []
    entries["axes"] = [{"name": "x"}, {"name": "of no dimension"}]
    assert [axis["name"] for axis in from_entries(entries, nested=nested)["axes"]] == ["x"]


def test_a_nested_signal_has_its_axes_as_they_were() -> None:
    entries: dict[Any, Any] = {
        "data": np.zeros(1),
        "axes": [{"name": "x"}, 1],
        "tmp_parameters": {},
    }
    found = from_entries(entries, nested=True)
    assert found["axes"] == [{"name": "x"}]
    assert "tmp_parameters" not in found
    found = from_entries(entries | {"tmp_parameters": {"a": 1}}, nested=True)
    assert found["tmp_parameters"] == {"a": 1}


def test_learning_results_are_among_the_attributes() -> None:
    entries = {"data": np.zeros(1), "learning_results": {"a": 1}, "peak_learning_results": None}
    attributes = from_entries(entries)["attributes"]
    assert attributes == {"_lazy": False, "learning_results": {"a": 1}, "peak_learning_results": {}}


@pytest.mark.parametrize("key", ["package", "package_version"])
def test_a_package_that_is_an_array_is_told(key: str) -> None:
    entries = {**to_entries(signal()), key: np.arange(3)}
    with pytest.raises(FormatError, match=rf"^{key}: an array, where text or a number belongs"):
        from_entries(entries)


def test_what_the_class_of_a_signal_raises_is_told_with_its_part() -> None:
    class Failing(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            raise RuntimeError(key)

    with pytest.raises(EncodeError, match=r"^signal: it raises RuntimeError; give a plain value"):
        to_entries(Failing(signal()))

    class Unknown:
        ndim, dtype = 1, np.dtype(float)

        @property
        def shape(self) -> None:
            raise RuntimeError

    with pytest.raises(EncodeError, match=r"^data: "):
        to_entries(signal(data=Unknown()))
