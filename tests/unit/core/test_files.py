from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.core import btrfs as subvolumes
from fsrvpd.core import files


def test_a_clone_has_the_same_bytes(btrfs: Path) -> None:
    (btrfs / "original").write_bytes(b"x" * 100_000)
    with (btrfs / "original").open("rb") as source, (btrfs / "clone").open("wb") as destination:
        files.clone_file(destination.fileno(), source.fileno())
    assert (btrfs / "clone").read_bytes() == b"x" * 100_000


def test_a_clone_across_file_systems_is_refused(btrfs: Path, tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"x")
    source = os.open(tmp_path / "original", os.O_RDONLY)
    destination = os.open(btrfs / "other", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="other") as refused:
        files.clone_file(destination, source)
    assert refused.value.errno == errno.EXDEV


def test_the_magic_number_tells_file_systems_apart(btrfs: Path) -> None:
    assert files.file_system_magic(os.open(btrfs, os.O_RDONLY)) == subvolumes.SUPER_MAGIC
    assert files.file_system_magic(os.open("/proc", os.O_RDONLY)) == 0x9FA0


def test_syncing_a_file_system(btrfs: Path) -> None:
    files.sync_file_system(os.open(btrfs, os.O_RDONLY))
    with pytest.raises(OSError, match="descriptor 9999"):
        files.sync_file_system(9999)


@pytest.fixture
def tree(tmp_path: Path) -> int:
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "root" / "inner" / "file").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "root" / "out").symlink_to("../outside")
    (tmp_path / "root" / "in").symlink_to("inner")
    return os.open(tmp_path / "root", os.O_RDONLY)


def test_what_lies_beneath_is_opened(tree: int) -> None:
    file = files.open_beneath(tree, "inner/../inner/file", os.O_RDONLY)
    assert os.read(file, 10) == b"inside"
    assert not os.get_inheritable(file)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "inner/../../outside"])
def test_a_path_that_leaves_is_refused(tree: int, path: str) -> None:
    with pytest.raises(OSError, match=path) as refused:
        files.open_beneath(tree, path, os.O_RDONLY)
    assert refused.value.errno == errno.EXDEV


def test_links_are_refused_or_held_inside(tree: int) -> None:
    with pytest.raises(OSError, match="symbolic links") as refused:
        files.open_beneath(tree, "in/file", os.O_RDONLY)
    assert refused.value.errno == errno.ELOOP
    assert os.read(files.open_beneath(tree, "in/file", os.O_RDONLY, symlinks=True), 10) == b"inside"
    with pytest.raises(OSError, match="out") as refused:
        files.open_beneath(tree, "out", os.O_RDONLY, symlinks=True)
    assert refused.value.errno == errno.EXDEV


def test_a_file_is_created_with_its_mode(tree: int) -> None:
    file = files.open_beneath(tree, "inner/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    assert os.fstat(file).st_mode & 0o777 == 0o600
