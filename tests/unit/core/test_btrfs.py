from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core import btrfs as subvolumes
from fsrvpd.core import files


@pytest.fixture
def directory(btrfs: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """A new subvolume, opened."""
    top = os.open(btrfs, os.O_RDONLY)
    name = f"{request.node.name} é"
    subvolumes.create_subvolume(top, name)
    file = os.open(name, os.O_RDONLY, dir_fd=top)
    yield file
    os.close(file)
    os.close(top)


def open_at(directory: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)


def write(directory: int, name: str, text: bytes) -> None:
    file = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=directory)
    os.write(file, text)
    os.close(file)


def test_a_snapshot_keeps_what_was_there(directory: int) -> None:
    subvolumes.create_subvolume(directory, "base")
    base = open_at(directory, "base")
    write(base, "letter", b"old")
    subvolumes.create_snapshot(base, directory, "of base", read_only=False)
    write(base, "letter", b"new")
    copy = open_at(directory, "of base")
    letter = os.open("letter", os.O_RDONLY, dir_fd=copy)
    assert os.read(letter, 10) == b"old"


def test_a_read_only_snapshot_refuses_writes_until_it_is_opened_up(directory: int) -> None:
    subvolumes.create_snapshot(directory, directory, "copy", read_only=True)
    copy = open_at(directory, "copy")
    assert subvolumes.is_read_only(copy)
    with pytest.raises(OSError, match="Read-only") as refused:
        write(copy, "letter", b"new")
    assert refused.value.errno == errno.EROFS
    subvolumes.set_read_only(copy, False)
    assert not subvolumes.is_read_only(copy)
    write(copy, "letter", b"new")
    subvolumes.set_read_only(copy, True)
    assert subvolumes.subvolume_info(copy).read_only


def test_the_info_of_a_snapshot_names_its_parent(directory: int) -> None:
    before = time.time()
    subvolumes.create_snapshot(directory, directory, "copy", read_only=True)
    base = subvolumes.subvolume_info(directory)
    copy = subvolumes.subvolume_info(open_at(directory, "copy"))
    assert copy.name == "copy"
    assert copy.parent_uuid == base.uuid
    assert copy.parent_id == base.id
    assert base.parent_uuid == base.received_uuid == bytes(16)
    assert before - 2 < copy.created < time.time() + 2


def test_the_top_level_has_no_name(btrfs: Path) -> None:
    info = subvolumes.subvolume_info(os.open(btrfs, os.O_RDONLY))
    assert (info.id, info.name, info.parent_id) == (5, "", 0)


def test_a_destroyed_snapshot_is_gone(directory: int) -> None:
    subvolumes.create_snapshot(directory, directory, "copy", read_only=True)
    subvolumes.destroy_subvolume(directory, "copy")
    assert os.listdir(directory) == []
    subvolumes.destroy_subvolume(directory, "copy")


def test_only_subvolumes_can_be_destroyed(directory: int) -> None:
    os.mkdir("plain", dir_fd=directory)
    with pytest.raises(OSError, match="plain") as refused:
        subvolumes.destroy_subvolume(directory, "plain")
    assert refused.value.errno == errno.EINVAL


def test_a_taken_name_is_refused_and_named(directory: int) -> None:
    subvolumes.create_subvolume(directory, "copy")
    with pytest.raises(FileExistsError) as refused:
        subvolumes.create_snapshot(directory, directory, "copy", read_only=True)
    assert refused.value.filename.endswith("é/copy")


def test_a_directory_inside_a_subvolume_is_no_source(directory: int) -> None:
    os.mkdir("inner", dir_fd=directory)
    inner = open_at(directory, "inner")
    assert subvolumes.is_subvolume_root(directory)
    assert not subvolumes.is_subvolume_root(inner)
    with pytest.raises(OSError, match="Invalid argument"):
        subvolumes.create_snapshot(inner, directory, "copy", read_only=True)


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128], ids=["ASCII", "UTF-8"])
def test_a_name_that_does_not_fit_is_not_cut(directory: int, name: str) -> None:
    for attempt in (subvolumes.create_subvolume, subvolumes.destroy_subvolume):
        with pytest.raises(OSError, match="too long") as refused:
            attempt(directory, name)
        assert refused.value.errno == errno.ENAMETOOLONG
    assert os.listdir(directory) == []


def test_a_name_is_one_component(directory: int) -> None:
    os.mkdir("inner", dir_fd=directory)
    with pytest.raises(OSError, match="inner/copy"):
        subvolumes.create_subvolume(directory, "inner/copy")


def test_children_are_found_with_their_paths(directory: int) -> None:
    os.makedirs(f"/proc/self/fd/{directory}/a/b c")
    inner = open_at(directory, "a/b c")
    subvolumes.create_subvolume(directory, "one")
    subvolumes.create_subvolume(inner, "twö")
    subvolumes.create_subvolume(open_at(inner, "twö"), "grandchild")
    assert sorted(child.path for child in subvolumes.children(directory)) == ["a/b c/twö", "one"]


def test_children_outside_the_directory_are_not_reported(directory: int) -> None:
    os.mkdir("a", dir_fd=directory)
    os.mkdir("b", dir_fd=directory)
    subvolumes.create_subvolume(open_at(directory, "a"), "inside")
    subvolumes.create_subvolume(open_at(directory, "b"), "outside")
    subvolumes.create_subvolume(directory, "beside")
    assert [child.path for child in subvolumes.children(open_at(directory, "a"))] == ["inside"]


def test_more_children_than_one_call_reports(directory: int) -> None:
    names = {f"child {number}" for number in range(256 + 5)}
    for name in names:
        subvolumes.create_subvolume(directory, name)
    found = list(subvolumes.children(directory))
    assert {child.path for child in found} == names
    assert len(found) == len(names)


def test_the_file_system_has_one_uuid(btrfs: Path, directory: int) -> None:
    uuid = subvolumes.file_system_uuid(directory)
    assert len(uuid) == 16
    assert uuid == subvolumes.file_system_uuid(os.open(btrfs, os.O_RDONLY)) != bytes(16)


def test_exclusive_bytes_are_known_to_quotas_alone(btrfs: Path, directory: int) -> None:
    subvolumes.create_subvolume(directory, "sized")
    sized = open_at(directory, "sized")
    number = subvolumes.subvolume_info(sized).id
    assert subvolumes.exclusive_bytes(directory, number) is None
    subprocess.run(["btrfs", "quota", "enable", btrfs], check=True)
    subprocess.run(["btrfs", "quota", "rescan", "-w", btrfs], check=True, capture_output=True)
    os.write(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=sized), bytes(1 << 20))
    os.fsync(sized)
    files.sync_file_system(sized)
    found = subvolumes.exclusive_bytes(directory, number)
    assert found is not None
    assert 1 << 20 <= found < 2 << 20
    assert subvolumes.exclusive_bytes(directory, 99_999) is None
    subprocess.run(["btrfs", "quota", "disable", btrfs], check=True)
    assert subvolumes.exclusive_bytes(directory, number) is None


def test_another_file_system_is_refused(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match=str(tmp_path)):
        list(subvolumes.children(here))
    with pytest.raises(OSError, match=str(tmp_path)) as refused:
        subvolumes.create_subvolume(here, "copy")
    assert refused.value.errno == errno.ENOTTY
