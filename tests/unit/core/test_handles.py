from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from fsrvpd.core import btrfs as subvolumes
from fsrvpd.core import handles


@pytest.fixture
def root(btrfs: Path) -> int:
    """A directory of its own on btrfs."""
    directory = btrfs / os.urandom(4).hex()
    directory.mkdir()
    return os.open(directory, os.O_RDONLY)


@pytest.mark.parametrize("subvolume", [False, True])
def test_a_directory_is_found_wherever_it_was_moved(root: int, subvolume: bool) -> None:
    if subvolume:
        subvolumes.create_subvolume(root, "here")
    else:
        os.mkdir("here", dir_fd=root)
    file = os.open("here", os.O_RDONLY, dir_fd=root)
    handle = handles.handle_of(file)
    os.rename("here", "there", src_dir_fd=root, dst_dir_fd=root)
    os.mkdir("here", dir_fd=root)
    found = handles.open_handle(root, handle, os.O_RDONLY | os.O_DIRECTORY)
    assert os.path.samestat(os.fstat(found), os.fstat(file))
    assert os.path.basename(os.readlink(f"/proc/self/fd/{found}")) == "there"
    assert not os.get_inheritable(found)
    assert handles.handle_of(os.open("here", os.O_RDONLY, dir_fd=root)) != handle


def test_what_was_removed_is_not_found(root: int) -> None:
    os.mkdir("gone", dir_fd=root)
    file = os.open("gone", os.O_RDONLY, dir_fd=root)
    handle = handles.handle_of(file)
    os.close(file)
    os.rmdir("gone", dir_fd=root)
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        handles.open_handle(root, handle, os.O_RDONLY)


@pytest.mark.parametrize("handle", [b"", b"\1\0\0", bytes(200)])
def test_what_is_no_handle(root: int, handle: bytes) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        handles.open_handle(root, handle, os.O_RDONLY)


def test_some_file_systems_have_none() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
        handles.handle_of(os.open("/proc", os.O_RDONLY))


def test_the_name_of_a_handle_is_that_of_one_directory(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    flags = [os.O_RDONLY, os.O_PATH]
    names = {handles.name_of_handle(os.open(one, flag)) for flag in flags}
    one.rename(tmp_path / "moved")
    names.add(handles.name_of_handle(os.open(tmp_path / "moved", os.O_PATH)))
    [name] = names
    if not name:
        pytest.skip("the file system of tmp_path has no handles, as overlays have none")
    assert re.fullmatch("[0-9a-f]{16}", name)
    assert handles.name_of_handle(os.open(other, os.O_PATH)) != name
    assert handles.name_of_handle(os.open("/proc", os.O_PATH)) == ""


@pytest.mark.parametrize("subvolume", [False, True])
def test_what_takes_the_number_of_another_directory_has_another_name(
    root: int, subvolume: bool
) -> None:
    """The root of every subvolume has the same inode number."""
    names = []
    for name in ("one", "other"):
        if subvolume:
            subvolumes.create_subvolume(root, name)
        else:
            os.mkdir(name, dir_fd=root)
        names.append(handles.name_of_handle(os.open(name, os.O_PATH, dir_fd=root)))
    assert len(set(names)) == 2


def test_only_a_directory_is_opened(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("directory")
    os.mkfifo(tmp_path / "fifo")
    opened = os.stat(handles.open_directory(root, "directory"))
    assert os.path.samestat(opened, (tmp_path / "directory").stat())
    for name, number in [("file", errno.ENOTDIR), ("fifo", errno.ENOTDIR), ("link", errno.ENOTDIR)]:
        with pytest.raises(OSError, match=name) as refused:
            handles.open_directory(root, name)
        assert refused.value.errno == number


def test_what_is_mounted_is_not_asked() -> None:
    with pytest.raises(OSError, match="proc") as refused:
        handles.open_directory(os.open("/", os.O_RDONLY), "proc")
    assert refused.value.errno == errno.EXDEV


def test_a_new_name_replaces_nothing(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_RDONLY)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError):
        handles.rename_new(root, "one", "two")
    handles.rename_new(root, "one", "three")
    assert sorted(os.listdir(tmp_path)) == ["three", "two"]


def test_two_entries_exchange_their_names(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").touch()
    handles.exchange(root, "one", "two")
    assert (tmp_path / "two").is_dir()
    with pytest.raises(FileNotFoundError, match="one"):
        handles.exchange(root, "one", "three")
