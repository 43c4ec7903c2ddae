from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Iterator

import pytest

from samba_hooks.pipe.directory_watch import DirectoryWatch


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[DirectoryWatch]:
    watch = DirectoryWatch()
    watch.add(str(tmp_path))
    yield watch
    watch.close()


def is_readable(watch: DirectoryWatch) -> bool:
    return bool(select.select([watch.fileno()], [], [], 0)[0])


def test_created_renamed_and_deleted_names_are_noticed(
    watch: DirectoryWatch, tmp_path: Path
) -> None:
    assert not is_readable(watch)
    for change in (
        lambda: (tmp_path / "a").touch(),
        lambda: (tmp_path / "a").rename(tmp_path / "b"),
        lambda: (tmp_path / "b").unlink(),
    ):
        change()
        assert is_readable(watch)
        watch.drain()
        assert not is_readable(watch)


def test_the_end_of_the_directory_is_noticed(watch: DirectoryWatch, tmp_path: Path) -> None:
    tmp_path.rename(tmp_path.parent / "elsewhere")
    assert is_readable(watch)


def test_a_directory_is_added_once(watch: DirectoryWatch, tmp_path: Path) -> None:
    watch.add(str(tmp_path))
    (tmp_path / "a").touch()
    assert len(os.read(watch.fileno(), 4096)) == 32  # one event: 16 bytes and the padded name


def test_only_directories_can_be_watched(watch: DirectoryWatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        watch.add(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError, match="missing"):
        watch.add(str(tmp_path / "missing"))
