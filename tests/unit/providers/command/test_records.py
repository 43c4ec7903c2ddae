from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.catalog.marker import SnapshotMarker, SnapshotName
from fsrvpd.providers.command.records import Record, markers_in, printed_path

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
OTHER = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
TIMESTAMP = "2026.11.18-11.06.40"
MARKER = SnapshotMarker(
    *("command", OTHER, ID, "data", "NAS", 1.5, "a/b", False, "/srv", "", TIMESTAMP)
)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(str(tmp_path / "command"), "key", MARKER.name)


def test_a_record_is_found_again(record: Record) -> None:
    assert record.marker() is None
    assert list(markers_in(record.folder)) == []
    record.put(MARKER, writable=False)
    assert record.marker() == MARKER
    assert list(markers_in(record.folder)) == [("key", MARKER)]


def test_a_record_is_removed_whole(record: Record) -> None:
    record.put(MARKER, writable=False)
    for _ in range(2):
        record.remove()
        assert os.listdir(Path(record.folder) / "key") == []


def test_a_record_of_another_snapshot_is_none(record: Record) -> None:
    record.put(MARKER, writable=False)
    assert record._replace(name=SnapshotName(OTHER, TIMESTAMP)).marker() is None


def test_a_timestamp_is_used_once(record: Record) -> None:
    record.put(MARKER, writable=False)
    with pytest.raises(StorageError) as caught:
        record.put(MARKER._replace(shadow_copy_id=OTHER), writable=False)
    assert caught.value.error_number == errno.EEXIST
    assert record.marker() == MARKER


def test_sealing_ends_writing(record: Record) -> None:
    record.put(MARKER, writable=True)
    assert record.writable
    record.seal()
    assert not record.writable


@pytest.mark.parametrize(
    ("printed", "path"),
    [
        (b"/snapshots/1\n", "/snapshots/1"),
        (b"/snapshots/1\n\nDone.\n", "/snapshots/1"),
        (b"/no newline", "/no newline"),
        (b"caf\xe9\n", "caf\udce9"),
        (b"", ""),
        (b"\n/second line\n", ""),
    ],
)
def test_the_first_line_that_a_command_prints(record: Record, printed: bytes, path: str) -> None:
    record.put(MARKER, writable=False)
    with record.locked(0) as fd:
        os.write(fd, printed)
        assert printed_path(fd) == path


def test_a_lock_waits_for_the_command_that_has_it(record: Record) -> None:
    record.put(MARKER, writable=False)
    refused = pytest.raises(StorageError, match="its command still runs")
    with record.locked(0), refused, record.locked(0.1):
        pytest.fail("it must not get here")
    with record.locked(0):
        pass


def test_a_record_of_another_version_is_found(record: Record) -> None:
    record.put(MARKER, writable=False)
    text = os.readlink(record.path)
    os.unlink(record.path)
    os.symlink(text.replace('"fsrvpd":2', '"fsrvpd":1'), record.path)
    [(key, found)] = markers_in(record.folder)
    assert (key, found.name, found.readable) == ("key", MARKER.name, False)
    assert record.marker() == found
