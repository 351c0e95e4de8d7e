"""Signals as the groups of a file: titles, models, and what is no .zspy file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given

from tests.support.values import cells
from zspy import (
    Array,
    EncodeError,
    FormatError,
    Group,
    Signal,
    UnsupportedError,
    decode,
    decode_signal,
    deserialise,
    encode,
    encode_signal,
    serialise,
)
from zspy.strategies import first_difference, keys, signals
from zspy.values.encoding import Encoder
from zspy.values.errors import a_kind
from zspy.values.names import RECORD, fold
from zspy.values.root import decode_file, encode_file, group_name

AXIS: Final = {"name": "Energy", "units": "eV", "navigate": False, "size": 3}


def _signal(title: Any = "a", **more: Any) -> dict[str, Any]:
    metadata = {} if title is ... else {"General": {"title": title}}
    return {"data": np.arange(3), "axes": [AXIS], "metadata": metadata, **more}


def _encoder(skip: bool = False) -> Encoder:
    return Encoder(homogenize=True, unsupported="skip" if skip else "raise", copy=True)


def _file(*signals: Mapping[str, Any]) -> Group:
    return encode_file(signals, _encoder())[0]


def _experiments(root: Group) -> dict[str, Any]:
    experiments: Any = root.members["Experiments"]
    return dict(experiments.members)


def _models(root: Group) -> Any:
    analysis: Any = root.members["Analysis"]
    return analysis.members["models"]


def _titles(root: Group) -> list[Any]:
    return [signal["metadata"]["General"]["title"] for signal in decode_file(root)]


# --------------------------------------------------------------------------------------------------
# One signal


def test_a_signal_becomes_these_nodes() -> None:
    group = encode_signal(_signal())
    assert sorted(group.members) == [
        *("attributes", "axis-0", "data", "learning_results", "metadata", "original_metadata")
    ]
    assert group.members["axis-0"].attributes == {
        "name": "Energy",
        "units": "eV",
        "navigate": False,
        "size": 3,
        "_type": "UniformDataAxis",
        "is_binned": False,
        "scale": 1.0,
        "offset": 0.0,
    }


@given(signal=signals())
def test_a_signal_comes_back(signal: Any) -> None:
    found = decode_signal(encode_signal(signal, homogenize=False))
    wanted: Any = {**signal, "models": {}}
    assert first_difference(found, wanted, ordered=False) is None


@pytest.mark.parametrize("key", ["data", "axes", "metadata"])
def test_a_signal_that_misses_a_part_is_refused(key: str) -> None:
    signal = _signal()
    del signal[key]
    with pytest.raises(EncodeError, match=rf"^{key}: the signal has no such key"):
        encode_signal(signal)


@pytest.mark.parametrize("title", [5, b"a", ["a"], 1.5])
def test_a_title_that_is_no_string_is_refused(title: object) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_signal(_signal(title))
    said = f"a title is a string, not {a_kind(title)}; use str(title)"
    assert str(caught.value) == f"metadata.General.title: {said}"


def test_what_is_wrong_with_an_axis_is_said_of_the_axis() -> None:
    axis = {**AXIS, "other": object()}
    with pytest.raises(UnsupportedError, match=r"^axes\[0\]\.other: .*; store a plain value"):
        encode_signal(_signal() | {"axes": [axis]})


def test_bytes_of_a_signal_are_no_text_whoever_wrote_them() -> None:
    found = decode_signal(Group({}, {"data": Array(np.array([b"a"]))}))
    assert first_difference(np.array([b"a"]), found["data"]) is None


def test_the_data_of_a_signal_has_its_dtype_and_is_an_array_whatever_a_record_says() -> None:
    data = np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    signal = _signal() | {"data": data}
    assert decode_signal(encode_signal(signal))["data"].dtype.isalignedstruct
    group: Any = encode({"_sig_x": _signal() | {"data": np.array([1, 0, 2], "u1")}})
    group.members["_sig_x"].attributes[RECORD] = {"types": {"data": [["bytes"]]}}
    assert decode(group)["_sig_x"]["data"].tolist() == [1, 0, 2]


def test_what_is_wrong_in_a_signal_is_said_with_its_place() -> None:
    data = cells(np.arange(2), np.arange(3))
    group = encode_signal(_signal() | {"data": data, "axes": [{"size": 2}]})
    members: Any = group.members
    members["_ragged_shapes_data"] = Array(cells(np.array([5]), np.array([3])), cells="<i8")
    with pytest.raises(FormatError, match=r"^data: "):
        decode_signal(group)
    tree = Group({"file_format_version": "3.3"}, {"Experiments": Group({}, {"a": group})})
    with pytest.raises(FormatError, match=r"^Experiments/a/data: "):
        decode_file(tree)


def test_a_group_without_data_is_no_signal() -> None:
    for group in (Group(), Group({}, {"data": Group()})):
        with pytest.raises(FormatError, match=r"^data: a signal without its array; the file is"):
            decode_signal(group)
        tree = Group({"file_format_version": "3.3"}, {"Experiments": Group({}, {"a": group})})
        if group.members:
            with pytest.raises(FormatError, match=r"^Experiments/a/data: a signal without its"):
                decode_file(tree)
        else:
            assert decode_file(tree) == []


@pytest.mark.parametrize("copy", [True, False])
def test_memory_is_shared_where_the_caller_says_so(copy: bool) -> None:
    signal = _signal()
    group = encode_signal(signal, copy=copy)
    data: Any = group.members["data"]
    assert np.shares_memory(data.data, signal["data"]) is not copy
    assert np.shares_memory(decode_signal(group, copy=copy)["data"], data.data) is not copy


def test_unless_told_sequences_are_homogenized_and_memory_is_not_shared() -> None:
    signal = _signal(original_metadata={"x": [1, 2.5]})
    group = encode_signal(signal)
    data: Any = group.members["data"]
    assert not np.shares_memory(data.data, signal["data"])
    found = decode_signal(group)
    assert not np.shares_memory(found["data"], data.data)
    assert first_difference(found["original_metadata"], {"x": [1.0, 2.5]}) is None


def test_what_a_file_holds_is_decoded_without_a_copy() -> None:
    root = _file(_signal(models={"m": {"x": np.arange(3)}}))
    (found,) = decode_file(root)
    data: Any = _experiments(root)["a"].members["data"]
    assert np.shares_memory(found["data"], data.data)
    assert np.shares_memory(found["models"]["m"]["x"], _models(root).members["m"].members["x"].data)


# --------------------------------------------------------------------------------------------------
# Titles


@pytest.mark.parametrize(
    ("title", "name"),
    [
        *(
            ("a b", "a b"),
            ("a/b", "a-b"),
            ("", "__unnamed__"),
            ("__unnamed__", "__unnamed__"),
            ("é", "é"),
        ),
        *((".", "%2E"), ("..", ".%2E"), ("a\\b", "a%5Cb"), ("CON", "%43ON"), ("a.", "a%2E")),
        *((".zgroup", "%2Ezgroup"), ("_sig_a", "_sig_a"), ("_list_a", "_list_a")),
    ],
)
def test_the_group_of_a_signal_is_named_by_its_title(title: str, name: str) -> None:
    assert group_name(title) == name
    root, names = encode_file([_signal(title)], _encoder())
    assert names == [*_experiments(root)] == [name]
    assert _titles(root) == [title]


@given(title=keys())
def test_titles_come_back_from_names_that_any_store_holds(title: str) -> None:
    name = group_name(title)
    assert name
    assert "/" not in name
    assert len(name.encode()) <= 255
    assert _titles(_file(_signal(title))) == [title]


def test_a_signal_without_a_title_has_none() -> None:
    (found,) = decode_file(_file(_signal(...)))
    assert found["metadata"] == {}
    assert _titles(_file(_signal(None))) == [None]


@pytest.mark.parametrize("recorded", [True, False])
def test_unnamed_is_a_title_where_zspy_has_written_it(recorded: bool) -> None:
    """Releases say so of a signal without a title."""
    root = _file(_signal("__unnamed__"))
    general = _experiments(root)["__unnamed__"].members["metadata"].members["General"]
    assert RECORD in general.attributes
    if not recorded:
        del general.attributes[RECORD]
    assert _titles(root) == ["__unnamed__" if recorded else ""]


def test_a_title_may_stand_where_no_node_is() -> None:
    metadata: Any = {"General": {"title": "__unnamed__"}}
    group = Group({"metadata": metadata}, {"data": Array(np.arange(3))})
    assert decode_signal(group)["metadata"] == {"General": {"title": ""}}


def test_what_only_looks_like_metadata_hides_no_title() -> None:
    metadata = Group({}, {"General": Group({"title": "__unnamed__"})})
    record: Any = {"metadata": ["value", "metadata", ["PurePosixPath"]], "metadata%1": "metadata"}
    members: Any = {"data": Array(np.arange(3)), "metadata": Array(np.arange(2))}
    group = Group({RECORD: {"keys": record}}, members | {"metadata%1": metadata})
    assert decode_signal(group)["metadata"] == {"General": {"title": ""}}


def test_equal_titles_are_told_apart() -> None:
    titles = ["a", "A", "a", "a/b", "a-b", "", "__unnamed__", "é", "e\u0301"]
    root, names = encode_file([_signal(title) for title in titles], _encoder())
    assert len(set(map(fold, names))) == len(titles)
    assert names[:5] == ["a", "A%1", "a%2", "a-b", "a-b%1"]
    by_name = dict(zip(names, titles, strict=True))
    assert _titles(root) == [by_name[name] for name in sorted(names)]


def test_signals_come_in_the_order_of_the_names_of_their_groups() -> None:
    assert _titles(_file(*map(_signal, ["b", "a", "B", "10", "9"]))) == ["10", "9", "B", "a", "b"]


# --------------------------------------------------------------------------------------------------
# Models

MODEL: Final[dict[str, Any]] = {
    "date": "2026",
    "dimensions": "(|3)",
    "_dict": {"x": [1]},
    "components": {"A": {}},
}


def test_models_are_stored_beside_the_signals() -> None:
    root = _file(_signal(models={"m": MODEL}))
    model = _models(root).members["m"]
    assert model.attributes == {
        "_signal": "/Experiments/a",
        "date": "2026",
        "dimensions": "(|3)",
    }
    assert _models(root).attributes == {}
    assert "Analysis" not in _file(_signal(models={})).members


@pytest.mark.parametrize(
    "name", ["m", "a/b", "", ".", "_list_2_x", "_sig_x", "_sig_zspy", "CON", "0"]
)
def test_models_come_back_by_their_names(name: str) -> None:
    (found,) = decode_file(_file(_signal(models={name: MODEL})))
    assert found["models"] == {name: MODEL}


def test_models_of_one_name_stay_with_their_signals() -> None:
    """Names of models are global to a file."""
    models = [{"m": {"x": index}, "M": {"x": [index]}} for index in range(3)]
    signals = [_signal(f"{index}", models=models[index]) for index in range(3)]
    root = _file(*signals)
    assert sorted(_models(root).members) == ["M%1", "M%3", "M%5", "m", "m%2", "m%4"]
    assert [signal["models"] for signal in decode_file(root)] == models


def test_models_whose_name_is_escaped_are_told_apart() -> None:
    root = _file(*(_signal(f"{n}", models={"a/b": {"x": n}}) for n in range(2)))
    assert sorted(_models(root).members) == ["a%2Fb", "a%2Fb%1"]
    assert [signal["models"] for signal in decode_file(root)] == [{"a/b": {"x": n}} for n in (0, 1)]


def test_what_is_wrong_with_a_model_is_said_with_its_place() -> None:
    root = _file(_signal(models={"m": {"x": cells(np.arange(2), np.arange(3))}}))
    members = _models(root).members["m"].members
    members["_ragged_shapes_x"] = Array(cells(np.array([5]), np.array([3])), cells="<i8")
    with pytest.raises(FormatError, match=r"^Analysis/models/m/x: "):
        decode_file(root)


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([1], r"models: a list is no dictionary"),
        ({"m": 1}, r'models\.m: a model is a dictionary under a name; use \{"name": \{\.\.\.\}\}$'),
        ({1: {}}, r"models\[1\]: a model is a dictionary under a name"),
    ],
)
def test_models_are_dictionaries_by_name(models: Any, said: str) -> None:
    with pytest.raises(EncodeError, match=rf"^{said}"):
        _file(_signal(models=models))


def test_models_survive_the_documents() -> None:
    root = _file(_signal(models={"a/b": MODEL}))
    for zarr_format in (2, 3):
        found = deserialise(dict(serialise(root, zarr_format=zarr_format)))
        assert decode_file(found)[0]["models"] == {"a/b": MODEL}


def test_a_model_is_given_to_the_signal_that_it_is_written_with() -> None:
    (found,) = decode_file(_file(_signal(models={"m": {"_signal": "/Experiments/other", "x": 1}})))
    assert found["models"] == {"m": {"x": 1}}


def test_models_of_no_signal_come_last() -> None:
    root = _file(_signal(models={"m": MODEL, "n": MODEL, "o": MODEL}))
    members = _models(root).members
    for name, parent in (("m", "/Experiments/b"), ("o", 5)):
        members[name].attributes["_signal"] = parent
    del members["n"].attributes["_signal"]
    members["p"] = Array(np.arange(3))
    signal, *orphans = decode_file(root)
    assert signal["models"] == {}
    assert orphans == [{"m": MODEL}, {"n": MODEL}, {"o": MODEL}]


def test_models_are_found_by_titles_that_became_paths() -> None:
    """In old files a backslash in a title divides the group, but not the model's word for it."""
    signal = encode_signal(_signal("a\\b"))
    model = Group({"_signal": "/Experiments/a\\b", "x": 1})
    members: Any = {
        "Experiments": Group({}, {"a": Group({}, {"b": signal, "data": Array(np.arange(2))})}),
        "Analysis": Group({}, {"models": Group({}, {"m": model})}),
    }
    del members["Experiments"].members["a"].members["data"]
    (found,) = decode_file(Group({"file_format_version": "3.1"}, members))
    assert found["metadata"]["General"]["title"] == "a\\b"
    assert found["models"] == {"m": {"x": 1}}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"m": "M"}, "m"),
        ({"m": 5}, "m"),
        ({"m": ["a"]}, "m"),
        (["m"], "m"),
        ({"%2E": "."}, "m"),
        ({"m": "m"}, "m"),
    ],
)
def test_a_record_that_does_not_fit_the_name_of_a_model_says_nothing(keys: Any, found: str) -> None:
    root = _file(_signal(models={"m": {"x": 1}}))
    _models(root).attributes[RECORD] = {"keys": keys}
    assert decode_file(root)[0]["models"] == {found: {"x": 1}}


def test_a_model_is_called_by_text() -> None:
    root = _file(_signal(models={"5": {"x": 1}}))
    _models(root).attributes[RECORD] = {"keys": {"5": 5}}
    assert decode_file(root)[0]["models"] == {"5": {"x": 1}}


def test_two_models_that_claim_one_name_are_both_kept() -> None:
    root = _file(_signal(models={"m": {"x": 1}}))
    twin = Group({**_models(root).members["m"].attributes, "x": 2})
    _models(root).members["m%1"] = twin
    _models(root).attributes[RECORD] = {"keys": {"m%1": "m"}}
    assert decode_file(root)[0]["models"] == {"m": {"x": 2}, "m%": {"x": 1}}


@pytest.mark.parametrize(
    ("models", "where"),
    [
        *((["m"], "models"), (5, "models"), ({"m": 5}, "models.m"), ({5: {}}, r"models\[5\]")),
        *(
            ({"m": {"x": {"y": object()}}}, r"models\.m\.x\.y"),
            ({"m": {b"a": 1, "b": object()}}, r"models\.m\.b"),
        ),
    ],
)
def test_a_bad_model_is_refused_with_its_place(models: Any, where: str) -> None:
    with pytest.raises(EncodeError, match=rf"^{where}: "):
        _file(_signal(models=models))


def test_what_is_left_out_of_a_model_is_listed_with_its_place() -> None:
    encoder = _encoder(skip=True)
    encode_file([_signal(models={"m": {"x": object()}})], encoder)
    assert [place.location for place in encoder.places] == ["models.m.x"]


# --------------------------------------------------------------------------------------------------
# Files


def test_a_file_says_what_it_is() -> None:
    assert _file(_signal()).attributes == {"file_format": "ZSpy", "file_format_version": "3.3"}


def test_groups_without_data_and_arrays_are_no_signals() -> None:
    root = _file(_signal())
    nested = encode_signal(_signal("nested"))
    half = Group({}, {"metadata": Group({}, {"_sig_x": nested})})
    _experiments(root)
    experiments: Any = root.members["Experiments"]
    experiments.members.update(b=Group(), c=Array(np.arange(3)), d=half)
    assert _titles(root) == ["a"]
    first = {"0": Array(np.arange(3)), **experiments.members}
    assert _titles(Group(root.attributes, {"Experiments": Group({}, first)})) == ["a"]


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        (
            Array(np.arange(3)),
            "there is no group 'Experiments'; this is no .zspy file; open it with zarr",
        ),
        (Group(), "there is no group 'Experiments'; this is no .zspy file; open it with zarr"),
        (
            Group({}, {"Experiments": Array(np.arange(3))}),
            "there is no group 'Experiments'; this is no .zspy file; open it with zarr",
        ),
        (
            Group({"file_format": "ZSpy"}, {"Experiments": Group()}),
            ".zattrs: file_format_version is None; a .zspy file says one, like '3.3'",
        ),
    ],
)
def test_what_is_no_file_is_refused(root: Any, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode_file(root)
    assert str(caught.value) == problem
    assert caught.value.location == (".zattrs" if problem.startswith(".") else "")


@pytest.mark.parametrize(
    "analysis", [Array(np.arange(3)), Group(), Group({}, {"models": Array(np.arange(3))})]
)
def test_an_analysis_without_models_is_nothing(analysis: Any) -> None:
    root = _file(_signal())
    tree = Group(root.attributes, {**root.members, "Analysis": analysis})
    assert len(decode_file(tree)) == 1


def test_what_is_read_can_be_written() -> None:
    signals: list[Signal] = decode_file(_file(_signal("a", models={"m": MODEL}), _signal("b")))
    again = decode_file(_file(*signals))
    assert first_difference(again, signals) is None


@pytest.mark.parametrize("given", [[], 3, None, "x"])
def test_what_is_no_signal_is_told_with_what_it_is(given: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_signal(given)
    assert str(caught.value) == f"signal: {a_kind(given)} is no signal; give a dictionary"
    with pytest.raises(EncodeError, match=r"; encode_signal makes one$"):
        decode_signal(given)
