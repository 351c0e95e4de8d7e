"""The writer accepts what the reader returns, also of signals inside of metadata."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from zspy import decode, decode_signal, encode, encode_signal
from zspy.strategies import first_difference, keys, signals


@given(signals())
def test_a_signal_comes_back_type_for_type(signal: dict[str, Any]) -> None:
    """But for its models, which a file holds beside the signals."""
    found = dict(decode_signal(encode_signal(signal, homogenize=False)))
    assert first_difference({**signal, "models": {}}, found, ordered=False) is None


@given(signals(), keys())
def test_a_signal_inside_of_metadata_comes_back(signal: dict[str, Any], key: str) -> None:
    nested = {name: value for name, value in signal.items() if name != "models"}
    axes = [
        {name: value for name, value in axis.items() if name != "index_in_array"}
        for axis in signal["axes"]
    ]
    tree = {f"_sig_{key}": nested | {"axes": axes}}
    found = decode(encode(tree, homogenize=False))
    assert first_difference(tree, found, ordered=False) is None
