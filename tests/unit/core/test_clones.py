from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path
from typing import Dict, Iterator

import pytest

from fsrvpd.core import clones
from fsrvpd.core.clones import Listing, identity_of, read_status


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_every_entry_is_listed_with_its_status(tmp_path: Path, opened: int) -> None:
    for number in range(1000):
        (tmp_path / f"{number} {'x' * (number % 250)}").write_bytes(b"x" * number)
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    listing, found = Listing(), {}
    while listing.read(opened):
        for entry in listing.entries():
            assert entry.error == 0
            found[entry.name] = entry.status.mode, entry.status.size, entry.status.inode
    assert set(found) == set(os.listdir(tmp_path))
    for name, (mode, size, inode) in found.items():
        status = (tmp_path / name).lstat()
        assert (mode, size, inode) == (status.st_mode, status.st_size, status.st_ino)


def test_a_directory_that_was_removed_is_empty(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    fd = os.open(tmp_path / "gone", os.O_RDONLY)
    (tmp_path / "gone").rmdir()
    assert Listing().read(fd) == 0
    os.close(fd)


def test_the_status_of_a_name_and_of_an_open_file(tmp_path: Path, opened: int) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    held = os.open(tmp_path / "link", os.O_PATH | os.O_NOFOLLOW)
    by_name, by_descriptor = read_status(opened, "link"), read_status(held)
    assert identity_of(by_name) == identity_of(by_descriptor)
    assert stat.S_ISLNK(by_name.mode)
    assert by_name.modified.seconds == int((tmp_path / "link").lstat().st_mtime)
    os.close(held)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_status(opened, "absent")


def test_a_mount_point_is_known(opened: int) -> None:
    proc = os.open("/", os.O_RDONLY)
    assert read_status(proc, "proc").is_mount_point
    assert not read_status(opened).is_mount_point
    os.close(proc)


def test_attributes_go_to_the_copy(tmp_path: Path) -> None:
    """What was not permitted before is not permitted after; the times are those of before."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").touch(0o600)
    (tmp_path / "a").chmod(0o640)
    os.utime(tmp_path / "a", ns=(5, 10**18 + 7))
    a, b = (os.open(tmp_path / name, os.O_RDWR) for name in "ab")
    before = read_status(a)
    os.setxattr(tmp_path / "a", "user.note", b"x")
    (tmp_path / "a").chmod(0o604)
    os.utime(tmp_path / "a")
    clones.copy_attributes(a, b, before)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert (tmp_path / "b").stat().st_mtime_ns == 10**18 + 7
    assert os.getxattr(tmp_path / "b", "user.note") == b"x"
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        clones.copy_attributes(b, a, before)
    os.close(a)
    os.close(b)


def test_an_attribute_that_cannot_be_copied_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.setxattr(tmp_path / "a", "user.note", b"x")
    a, b = os.open(tmp_path / "a", os.O_RDONLY), os.open("/proc/self/status", os.O_RDONLY)
    with pytest.raises(clones.AttributeNotCopied) as caught:
        clones.copy_attributes(a, b, read_status(a))
    assert caught.value.attribute == "user.note"
    os.close(a)
    os.close(b)


def descriptions(directory: int, changed_before: int) -> Dict[bytes, bytes]:
    listing, found = Listing(), {}
    os.lseek(directory, 0, os.SEEK_SET)
    while listing.read(directory):
        for entry, text in zip(listing.entries(), listing.describe(changed_before)):
            found[os.fsencode(entry.name)] = text
    return found


def test_a_change_shows_in_what_describes_an_entry(tmp_path: Path, opened: int) -> None:
    names = [b"file", b"rewritten", b"touched back", b"long " + b"n" * 250, b"\xff"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_text("one")
    ever = 1 << 62
    first = descriptions(opened, ever)
    assert [clones.name_in(first[name]) for name in names] == names
    assert first[b"file"] == clones.describe(read_status(opened, "file"), "file")
    time.sleep(0.01)  # two ticks of the kernel's clock
    (tmp_path / "rewritten").write_text("two")
    before = (tmp_path / "touched back").stat()
    (tmp_path / "touched back").chmod(0o600)
    os.utime(tmp_path / "touched back", ns=(before.st_atime_ns, before.st_mtime_ns))
    second = descriptions(opened, ever)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {b"rewritten", b"touched back"}


def test_what_was_changed_too_late_is_not_described(tmp_path: Path, opened: int) -> None:
    for number in range(400):
        (tmp_path / f"{number} {'x' * 200}").touch()
    changed = int((tmp_path / f"0 {'x' * 200}").stat().st_ctime)
    assert set(descriptions(opened, changed - 9).values()) == {b""}
    assert b"" not in descriptions(opened, changed + 99).values()
    listing = Listing()
    listing.read(opened)
    os.lseek(opened, 0, os.SEEK_SET)
    count = listing.read(opened)
    listing.skip(count - 1)
    assert [not text for text in listing.describe()] == [False] * (count - 1) + [True]
