"""Removal of copies. Making them takes a file system that shares blocks: see
tests/contract/providers/test_reflink.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.providers.catalog.marker import SnapshotName
from fsrvpd.providers.catalog.snapshot_directory import SnapshotDirectory
from fsrvpd.providers.reflink import staging

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
NAME = SnapshotName(ID, "2026.11.18-11.06.40")
KEY = "4f1c"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SnapshotDirectory]:
    (tmp_path / KEY / str(NAME) / "inner").mkdir(parents=True)
    (tmp_path / KEY / str(NAME) / "inner/file").touch()
    with SnapshotDirectory(str(tmp_path), os.open(tmp_path, os.O_RDONLY)) as made:
        yield made


def test_a_published_copy_is_deleted(directory: SnapshotDirectory, tmp_path: Path) -> None:
    for _ in range(2):
        staging.delete(directory, KEY, NAME)
        assert os.listdir(tmp_path) == [KEY]
        assert os.listdir(tmp_path / KEY) == []


def test_a_partial_copy_is_deleted(directory: SnapshotDirectory, tmp_path: Path) -> None:
    (tmp_path / KEY / str(NAME)).rename(tmp_path / f".partial-{ID}")
    staging.delete(directory, KEY, NAME)
    assert os.listdir(tmp_path) == [KEY]


def test_the_partial_copy_of_another_stays(directory: SnapshotDirectory, tmp_path: Path) -> None:
    (tmp_path / ".partial-{OTHER}").mkdir()
    staging.delete(directory, KEY, NAME)
    assert sorted(os.listdir(tmp_path)) == [".partial-{OTHER}", KEY]


def test_a_copy_is_deleted_on_a_full_disk(
    directory: SnapshotDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has no space even for a new name."""
    rename = os.rename

    def full(source: str, target: str, **more: Any) -> None:
        if target.startswith(".partial"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", full)
    staging.delete(directory, KEY, NAME)
    assert os.listdir(tmp_path / KEY) == []
