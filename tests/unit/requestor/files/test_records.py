"""Names from a server, and what a failure keeps on its way between processes."""

from __future__ import annotations

import errno
import pickle

import pytest

from fsrvpd.requestor.files.records import Entry, FileFailure, unsafe


@pytest.mark.parametrize("name", ["a", "a b", "ä" * 127, "x" * 255, "...", ".hidden", "😀" * 63])
def test_good_names(name: str) -> None:
    assert unsafe(name) == ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "a\\b", "a\0b", "\ud800", "x" * 256, "ä" * 128]
)
def test_names_that_no_local_file_may_get(name: str) -> None:
    assert unsafe(name) != ""


def test_a_failure_is_the_same_in_another_process() -> None:
    failure = FileFailure(r"\\nas\data\a", "no", "yes", errno=errno.EACCES, result=7)
    again = pickle.loads(pickle.dumps(failure))
    assert (str(again), again.errno, again.result) == (str(failure), errno.EACCES, 7)


def test_a_failure_shows_names_escaped() -> None:
    assert "\x1b" not in str(FileFailure("\\\\nas\\data\\a\x1b[2J", "no"))


def test_sparse_is_an_attribute() -> None:
    entry = Entry("a", False, 1, 1, 0, 0, 0, 0, 0x220, 0, 0)
    assert entry.is_sparse
    assert not entry._replace(attributes=0x20).is_sparse
