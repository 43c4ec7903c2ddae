from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.descriptors import closing_fd
from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.providers.catalog.volume import (
    find_share,
    identify_volume,
    open_below,
    open_directory,
    open_volume,
    relative_path,
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """Of a tree with a directory, a file and links to both."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    with open_directory(str(tmp_path)) as fd:
        yield fd


def location(directory: str, volume_root: str = "/srv") -> ShareLocation:
    return ShareLocation(Share("s", directory, False), "v", volume_root, "btrfs", directory)


@pytest.mark.parametrize("path", ["", "a", "a/b", "a//b/"])
def test_directories_below_are_opened(root: int, tmp_path: Path, path: str) -> None:
    with closing_fd(open_below(root, path)) as fd:
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path / path))


@pytest.mark.parametrize("path", ["link", "link/b", "file", "a/absent", "dangling"])
def test_nothing_else_below_is_opened(root: int, path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=path.split("/")[-1] if "absent" in path else "directory|ink"):
        open_below(root, path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_path_may_be_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    parts = ["d" * 200] * 30
    with open_directory(str(tmp_path)) as root:
        fd = os.dup(root)
        for part in parts:
            os.mkdir(part, dir_fd=fd)
            inner = os.open(part, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = inner
        with closing_fd(open_below(root, "/".join(parts))) as found, closing_fd(fd):
            assert os.path.samestat(os.fstat(found), os.fstat(fd))


def test_a_link_is_no_directory_to_be_opened(root: int, tmp_path: Path) -> None:
    opened = open_directory(str(tmp_path / "link"))
    with pytest.raises(StorageError, match="cannot open the directory"), opened:
        pytest.fail("it must not get here")


def test_a_volume_is_compared_with_its_name(tmp_path: Path) -> None:
    with open_volume(str(tmp_path), "right", lambda fd: "right") as fd:
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path))
    opened = open_volume(str(tmp_path), "right", lambda fd: "wrong")
    with (
        pytest.raises(StorageError, match="expected volume right here, found wrong; mount it"),
        opened,
    ):
        pytest.fail("it must not get here")


def test_a_volume_that_cannot_be_identified(tmp_path: Path) -> None:
    def name_of(root: int) -> str:
        raise OSError(25, "Inappropriate ioctl for device")

    with pytest.raises(StorageError, match="cannot identify the volume: Inappropriate ioctl"):
        identify_volume(str(tmp_path), name_of)


@pytest.mark.parametrize(
    ("directory", "volume_root", "path"),
    [("/srv", "/srv", ""), ("/srv/a/b", "/srv", "a/b"), ("/a", "/", "a"), ("/", "/", "")],
)
def test_paths_are_relative_to_the_volume(directory: str, volume_root: str, path: str) -> None:
    assert relative_path(location(directory, volume_root)) == path


@pytest.mark.parametrize("directory", ["/", "/other", "/srv2"])
def test_a_share_outside_of_its_volume_is_refused(directory: str) -> None:
    with pytest.raises(StorageError, match="is not inside its volume /srv"):
        relative_path(location(directory))


def test_a_share_that_was_replaced_is_not_found(root: int, tmp_path: Path) -> None:
    find_share(root, location(str(tmp_path / "a"), str(tmp_path)))
    with pytest.raises(StorageError, match="cannot find the share"):
        find_share(root, location(str(tmp_path / "link"), str(tmp_path)))
