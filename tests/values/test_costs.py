"""What a file may cost: records end in a value, and in work that its size bounds.

Work is counted, not timed: calls of functions, by twice as many entries of an attack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pytest

from zspy import Array, FormatError, Group, UnsupportedError, decode, encode
from zspy.values.names import RECORD
from zspy.values.root import decode_file

PRIME: Final = 2**61 - 1  # all its multiples have the hash 0
HUGE: Final = 10**4000


def recorded(value: Any, *specs: Any) -> Group:
    """Return a group whose entry has these specs."""
    return Group({"x": value, RECORD: {"types": {"x": [*specs]}}})


def listed(values: list[Any], types: Any, *specs: Any) -> Group:
    """Return a group with a list, whose members have types of their own."""
    members = {str(i): value for i, value in enumerate(values)}
    group = Group({**members, RECORD: {"types": types}})
    return Group({RECORD: {"types": {"x": [*specs]}}}, {f"_list_{len(values)}_x": group})


def deep(depth: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


DECIMALS: Final = {"0": [["Decimal"]], "1": [["Decimal"]]}
IGNORED: Final[dict[str, tuple[Group, Any]]] = {
    "a decimal that becomes an integer": (
        recorded("1e1000000", ["numpy", "<i8"], ["Decimal"]),
        "1e1000000",
    ),
    "a fraction of decimals": (
        listed(["1E+1000000", "3"], DECIMALS, ["Fraction"]),
        [Decimal("1E+1000000"), Decimal(3)],
    ),
    "a fraction of booleans": (listed([True, True], {}, ["Fraction"]), [True, True]),
    "a decimal of an integer": (recorded(5, ["Decimal"]), 5),
    "a shape of booleans": (listed([None], {}, ["object", [True]]), [None]),
    "a shape of huge edges": (listed([None], {}, ["object", [HUGE] * 99]), [None]),
    "a shape of many edges": (listed([None], {}, ["object", [1] * 99]), [None]),
    "a time with a huge multiplier": (recorded("x", ["numpy", "<M8[999999999999s]", 5]), "x"),
    "a time far away": (recorded("x", ["numpy", "<M8[2147483647Y]", 2**62]), "x"),
    "fractions of two by two": (recorded(1.0, ["numpy", "<f16", [["1"]], [[1]]]), 1.0),
    "many parts of a long double": (recorded(1.0, ["numpy", "<f16", ["1"] * 9, [1] * 9]), 1.0),
    "a scalar that is an array": (
        Group({RECORD: {"types": {"x": [["numpy", "<f8"]]}}}, {"x": Array(np.zeros(1))}),
        np.zeros(1),
    ),
    "a zone that is a path": (recorded("2020-01-01T00:00:00", ["datetime", 0, "/x"]), None),
}


@pytest.mark.parametrize("name", IGNORED)
def test_a_record_that_computers_would_work_on_for_long_is_ignored(name: str) -> None:
    group, plain = IGNORED[name]
    found = decode(group)["x"]
    assert type(found) is type(group.attributes["x"] if plain is None else plain)
    assert str(found) == str(group.attributes["x"] if plain is None else plain)


def test_the_fill_value_of_a_mask_is_a_scalar_of_its_dtype() -> None:
    group: Any = encode({"x": np.ma.MaskedArray([1, 2], [True, False], fill_value=7)})
    assert decode(group)["x"].fill_value == 7
    for wrong in (np.zeros(2, int), np.array(1.5), "7"):
        parts = {**group.members["x"].members}
        del parts["fill_value"]
        attributes: dict[str, Any] = {}
        if isinstance(wrong, str):
            attributes["fill_value"] = wrong
        else:
            parts["fill_value"] = Array(wrong)
        node = Group(group.attributes, {"x": Group(attributes, parts)})
        assert isinstance(decode(node)["x"], dict)


@pytest.mark.parametrize("depth", [2000, 20000])
def test_deep_attributes_are_an_error_of_the_format(depth: int) -> None:
    with pytest.raises(FormatError, match=r"^the attribute 'x' is nested too deep"):
        decode(Group({"x": deep(depth)}))
    assert decode(recorded("x", ["numpy", deep(depth)])) == {"x": "x"}
    assert decode(Group({"x": 1, RECORD: {"keys": {"x": deep(depth)}}})) == {"x": 1}


@pytest.mark.parametrize(
    "spec", [{"a": 1}, ["value", "1", {}], ["value", "1", 5], ["value", 1, ["set"]], [[]]]
)
def test_a_key_that_is_a_record_of_something_else_stays_a_name(spec: Any) -> None:
    assert decode(Group({"x": 1, RECORD: {"keys": {"x": spec}}})) == {"x": 1}


def test_keys_and_members_that_collide_on_purpose_stay_what_they_are() -> None:
    numbers = [number * PRIME for number in range(101)]
    keys: Any = {str(number): number for number in numbers}
    assert [*decode(Group({**keys, RECORD: {"keys": keys}}))] == [*keys]
    for name in ("set", "frozenset"):
        assert decode(listed(numbers, {}, [name]))["x"] == numbers
    few: Any = {str(number): number for number in numbers[:50]}
    assert [*decode(Group({**few, RECORD: {"keys": few}}))] == numbers[:50]


def test_what_would_not_be_read_is_not_written() -> None:
    for value in (
        {number * PRIME for number in range(101)},
        Fraction(1 << 70000, 3),
    ):
        with pytest.raises(UnsupportedError, match="is of no type that zspy stores"):
            encode({"x": value})
    deep_set: Any = 1
    for _ in range(200):
        deep_set = frozenset((deep_set, 2))
    with pytest.raises(UnsupportedError, match=r"nested too deep"):
        encode({"x": {deep_set}})


def calls(run: Callable[[], object]) -> int:
    """Count the calls of functions, those of C as well."""
    count = 0

    def seen(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def models(number: int) -> Group:
    """Return a file with many models of one name."""
    named: Any = {f"m%{i}": Group({"_signal": "/Experiments/t"}) for i in range(number)}
    keys: Any = dict.fromkeys(named, "m")
    group = Group({RECORD: {"keys": keys}}, named)
    signal = Group({}, {"t": Group({}, {"data": Array(np.zeros(1))})})
    members = {"Experiments": signal, "Analysis": Group({}, {"models": group})}
    return Group({"file_format_version": "3.3"}, members)


def sets(depth: int) -> Group:
    """Return sets within sets."""
    group = Group({"0": 1, "1": 2})
    for _ in range(depth):
        record: Any = {"types": {"1": [["frozenset"]]}}
        group = Group({"0": 1, RECORD: record}, {"_list_2_1": group})
    return Group({RECORD: {"types": {"x": [["set"]]}}}, {"_list_2_x": group})


def keyed(number: int) -> Group:
    """Return a dictionary whose keys are integers."""
    keys: Any = {str(i): i for i in range(number)}
    return Group({**keys, RECORD: {"keys": keys, "order": [*keys]}})


ATTACKS: Final[dict[str, tuple[Callable[[int], Group], Callable[[Group], object]]]] = {
    "models of one name": (models, decode_file),
    "sets within sets": (lambda number: sets(200 + number), decode),
    "keys": (keyed, decode),
    "specs": (lambda number: recorded("x", *[["str"]] * number), decode),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_twice_as_large_a_file_costs_about_twice_as_much(name: str) -> None:
    make, read = ATTACKS[name]
    small, large = make(300), make(600)
    assert calls(lambda: read(large)) < 2.5 * calls(lambda: read(small)) + 5000


def test_names_that_differ_only_by_case_cost_no_more() -> None:
    def spelt(number: int) -> dict[str, Any]:
        names = (
            "".join(c.upper() if i >> n & 1 else c for n, c in enumerate("abcdefghij"))
            for i in range(number)
        )
        return {name: {} for name in names}

    small, large = spelt(300), spelt(600)
    assert calls(lambda: encode(large)) < 2.5 * calls(lambda: encode(small)) + 5000
