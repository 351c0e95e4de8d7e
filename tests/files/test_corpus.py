"""Files that released programs wrote read as those programs' own readers read them.

The corpus (``data/README.md``) holds, for each file, what the reader of the reference returned.
What zspy returns is equal to that in value and type, but for the gains of ``gains.py``; and files
that the reference wrote and cannot read are read.
"""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pytest

import zspy
from tests.support import sidecar
from tests.support.gains import comparable, dask_chunks, in_true_order, member
from tests.support.sidecar import differences, is_array, is_dict, is_sequence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.sidecar import JSON, Array

FAMILIES: Final = ("hs17", "rs015")
ARCHIVE: Final = Path(__file__).parents[1] / "data" / "corpus.tar.xz"

UNREADABLE_BY_REFERENCE: Final = (
    "hs17/metadata_array_ragged",
    "hs17/title_backslash",
    "rs015/title_backslash",
)

SUFFIX: Final = ".zspy.expected.json"
with tarfile.open(ARCHIVE) as _archive:
    NAMES: Final = sorted(
        name.removeprefix("corpus/").removesuffix(SUFFIX)
        for name in _archive.getnames()
        if name.endswith(SUFFIX)
    )


@dataclass(frozen=True)
class Case:
    """One file of the corpus with its sidecar."""

    name: str
    path: Path
    document: Mapping[str, JSON]
    arrays: Mapping[str, Array]

    @property
    def store(self) -> str:
        """The kind of store that holds the file."""
        return str(self.document["store"])

    def recorded(self, key: str) -> object:
        """Return the value that the sidecar holds under a key, as Python objects."""
        return sidecar.decode(self.document[key], self.arrays)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the archive, once."""
    directory = tmp_path_factory.mktemp("corpus")
    with tarfile.open(ARCHIVE) as archive:
        # The first releases of Python 3.11 know no filter, and ignore this.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(directory)
    return directory / "corpus"


@pytest.fixture(params=NAMES)
def case(corpus: Path, request: pytest.FixtureRequest) -> Case:
    """Each file of the corpus that this machine can hold."""
    name = cast("str", request.param)
    if "longdouble" in name and np.dtype(np.longdouble).str != "<f16":
        pytest.skip("this machine has no 80-bit floats")
    path = corpus / f"{name}.zspy"
    return Case(name, path, *sidecar.load(path))


@pytest.fixture
def unzipped(case: Case, tmp_path: Path) -> Case:
    """Each file that is stored as a zip, as the directory that it unpacks to."""
    if not case.path.is_file() or not zipfile.is_zipfile(case.path):
        pytest.skip("not stored as a zip")
    directory = tmp_path / case.path.name
    with zipfile.ZipFile(case.path) as archive:
        archive.extractall(directory)
    return Case(case.name, directory, case.document, case.arrays)


def test_the_corpus_has_every_file_of_both_families() -> None:
    assert [sum(name.startswith(f"{family}/") for name in NAMES) for family in FAMILIES] == [
        133,
        147,
    ]
    assert len(NAMES) == 280


def test_eager_reading_returns_what_the_reference_returns(case: Case) -> None:
    assert_read_as_expected(case, zspy.file_reader(case.path))


def test_a_directory_reads_as_the_zip_that_it_was_unpacked_from(unzipped: Case) -> None:
    assert_read_as_expected(unzipped, zspy.file_reader(unzipped.path))


def test_lazy_reading_returns_what_eager_reading_returns(case: Case) -> None:
    signals = zspy.file_reader(case.path, lazy=True)
    parts = [{name: said_eagerly(part) for name, part in one.items()} for one in signals]
    for part, one in zip(parts, signals, strict=True):
        part["attributes"] = one["attributes"]
    assert_read_as_expected(case, parts)


def said_eagerly(value: Any) -> Any:
    """Let the signals inside of a signal say that they are not lazy: they are read as it is."""
    if is_dict(value):
        inner = {key: said_eagerly(each) for key, each in value.items()}
        attributes = inner.get("attributes")
        if is_dict(attributes) and "_lazy" in attributes:
            assert attributes["_lazy"] is True
            inner["attributes"] = {**attributes, "_lazy": False}
        return inner
    if type(value) in (list, tuple):
        return type(value)(map(said_eagerly, value))
    return value


def test_lazy_data_is_a_dask_array_whose_blocks_are_of_whole_chunks(case: Case) -> None:
    """The dask arrays of the reference have one block for each chunk."""
    lazy = case.document["lazy"]
    assert isinstance(lazy, dict)
    found = dict(dask_chunks(zspy.file_reader(case.path, lazy=True)))
    assert "/0/data" in found
    if "error" in lazy or case.name in UNREADABLE_BY_REFERENCE:
        return  # the reference does not read this file lazily
    expected = cast("dict[str, list[list[int]]]", lazy["dask_chunks"])
    for path in (path for path in expected if path.count("/") == 2):  # the data of each signal
        for blocks, chunks in zip(found[path], expected[path], strict=True):
            assert set(accumulate(blocks)) <= set(accumulate(chunks)), path
            assert sum(blocks) == sum(chunks), path


def test_eager_reading_makes_no_dask_array(case: Case) -> None:
    assert dict(dask_chunks(zspy.file_reader(case.path))) == {}


def test_a_path_as_text_reads_as_the_path(corpus: Path) -> None:
    path = corpus / "rs015" / "store_nested.zspy"
    assert not differences(zspy.file_reader(path), zspy.file_reader(str(path)))


@pytest.mark.parametrize("family", FAMILIES)
def test_long_lists_come_back_in_the_order_in_which_they_were_given(
    corpus: Path, family: str, tmp_path: Path
) -> None:
    path = corpus / family / "metadata_long_mixed_lists.zspy"
    document, arrays = sidecar.load(path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / path.name)
    found = zspy.file_reader(tmp_path / path.name)
    changed = sidecar.decode(document["differences"], arrays)
    assert is_sequence(changed)
    assert len(changed) == 53
    for change in changed:
        assert is_dict(change)
        where = str(change["path"])
        assert not differences(change["given"], member(found, where), where)


# --------------------------------------------------------------------------------------------------
# What is expected


def assert_read_as_expected(case: Case, found: object) -> None:
    """Fail with every place at which a file was read differently than expected."""
    places = differences(comparable(expected_of(case)), comparable(found))
    assert not places, "\n".join(map(str, places[:20]))


def expected_of(case: Case) -> object:
    """Return what reading the file has to return."""
    if case.name not in UNREADABLE_BY_REFERENCE:
        newest = "returned_by_0_15" if "returned_by_0_15" in case.document else "returned"
        return repaired(case.name, in_true_order(case.recorded(newest)))
    if "given" in case.document:
        return as_returned(case.recorded("given"), with_record_by=case.name.startswith("hs17/"))
    return with_shapes_of_the_last_array(case)


def repaired(name: str, returned: object) -> object:
    """Undo what the reference changes in one of the files, which holds it unchanged."""
    if name == "hs17/metadata_signal_in_list":  # it sorts the member "_sig_0" behind "1" and "2"
        fields = member(returned, "/0/metadata/test")
        assert is_dict(fields)
        members = fields["tup"]
        assert is_sequence(members)
        fields["tup"] = (members[2], *members[:2])
        assert is_dict(members[2])
    return returned


def as_returned(given: object, *, with_record_by: bool) -> object:
    """Turn the signal that was given to the writer into what a reader returns for its file."""
    assert is_sequence(given)
    (signal,) = given
    assert is_dict(signal)
    metadata, attributes = signal["metadata"], signal["attributes"]
    package = signal["package_info"]
    assert is_dict(metadata)
    assert is_dict(attributes)
    assert is_dict(package)
    if with_record_by:  # format 3.1 adds the one and leaves out the other
        of_signal = metadata["Signal"]
        assert is_dict(of_signal)
        metadata = metadata | {"Signal": of_signal | {"record_by": "spectrum"}}
        attributes = {key: value for key, value in attributes.items() if key != "ragged"}
    kept = ("data", "axes", "original_metadata", "models")
    return [
        {key: signal[key] for key in kept}
        | {"metadata": metadata}
        | {"attributes": attributes | {"learning_results": signal["learning_results"]}}
        | package
    ]


def with_shapes_of_the_last_array(case: Case) -> object:
    """Give the arrays of a 3.1 file the only shapes that it holds, those of the last one written.

    The release that wrote it stored all ragged items as integers, flat, and the shapes of all
    ragged arrays of one group under one name. So its reader returned the items flat.
    """
    returned = case.recorded("returned")
    fields = member(returned, "/0/metadata/test")
    assert is_dict(fields)
    shapes, last = fields.pop("ragged_shapes"), fields["r2"]
    assert is_array(shapes)
    assert is_array(last)
    for index in np.ndindex(last.shape):
        last[index] = last[index].reshape(shapes[index])
    return returned
