"""zspy reads what HyperSpy saved as HyperSpy's own reader reads it, value for value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import zspy
from tests.interop.signals import SIGNALS
from tests.support import sidecar
from tests.support.gains import comparable, dask_chunks, in_true_order
from tests.support.sidecar import differences, is_dict

if TYPE_CHECKING:
    from tests.interop.conftest import Exchange

# HyperSpy cannot save these: a stored model of two dimensions holds bytes with NUL.
UNSAVED = frozenset({"model_2d"})
SAVED = sorted(SIGNALS.keys() - UNSAVED)


def test_hyperspy_saves_every_signal_but_these(exchange: Exchange) -> None:
    unsaved = {n for n in SIGNALS if exchange.recorded(n, "returned") is sidecar.MISSING}
    assert unsaved == UNSAVED


@pytest.mark.parametrize("name", SAVED)
def test_what_hyperspy_saved_reads_as_its_reader_reads_it(exchange: Exchange, name: str) -> None:
    expected = in_true_order(exchange.recorded(name, "returned"))
    found = zspy.file_reader(exchange.path(name))
    assert dict(dask_chunks(found)) == {}
    places = differences(comparable(expected), comparable(found))
    assert not places, "\n".join(map(str, places[:20]))


@pytest.mark.parametrize("name", SAVED)
def test_lazy_reading_returns_what_eager_reading_returns(exchange: Exchange, name: str) -> None:
    eager = zspy.file_reader(exchange.path(name))
    lazy = zspy.file_reader(exchange.path(name), lazy=True)
    assert "/0/data" in dict(dask_chunks(lazy))
    assert not differences(comparable(eager), comparable(lazy))


@pytest.mark.parametrize("name", SAVED)
def test_an_eager_signal_says_that_it_is_not_lazy(exchange: Exchange, name: str) -> None:
    (signal,) = zspy.file_reader(exchange.path(name))
    assert signal.get("attributes", {})["_lazy"] is False


@pytest.mark.parametrize("name", SAVED)
def test_what_hyperspy_saved_holds_the_data_of_the_signal(exchange: Exchange, name: str) -> None:
    (found,) = zspy.file_reader(exchange.path(name))
    given = exchange.recorded(name, "captured")
    assert is_dict(given)
    # The reference makes arrays of lists in object arrays when it writes them.
    if name != "ragged_lists_of_strings":
        assert not differences(given["data"], found["data"])
