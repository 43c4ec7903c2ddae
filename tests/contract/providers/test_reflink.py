"""Clones of directory trees, beyond what every provider must do."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from fsrvpd.errors import NotOurs, StorageError
from tests.contract.providers.conftest import MakeHarness, MakeVolume
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount

XFS_MEBIBYTES = 320


@pytest.fixture
def xfs(make_harness: MakeHarness) -> Harness:
    return make_harness("reflink", "xfs", XFS_MEBIBYTES)


def test_blocks_are_shared_not_copied(xfs: Harness) -> None:
    size = 200 << 20  # more than half of the file system
    with (xfs.directory / "large").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    copy = Path(xfs.take().share_path) / "large"
    assert copy.stat().st_size == size
    run("cmp", copy, xfs.directory / "large")


def test_holes_stay_holes(xfs: Harness) -> None:
    with (xfs.directory / "sparse").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"island")
    copy = Path(xfs.take().share_path) / "sparse"
    assert copy.stat().st_size == 1 << 40
    assert copy.stat().st_blocks < 100
    with copy.open("rb") as file:
        file.seek(1 << 39)
        assert file.read(6) == b"island"


def test_hard_links_stay_links_of_one_another(xfs: Harness) -> None:
    (xfs.directory / "sub").mkdir()
    (xfs.directory / "a").write_text("shared")
    os.link(xfs.directory / "a", xfs.directory / "sub/b")
    os.link(xfs.directory / "a", xfs.volume / "outside the share")
    (xfs.directory / "link").symlink_to("a")
    os.link(xfs.directory / "link", xfs.directory / "sub/link", follow_symlinks=False)
    share = Path(xfs.take().share_path)
    assert (share / "a").stat().st_nlink == 2
    assert (share / "a").samefile(share / "sub/b")
    assert (share / "link").lstat().st_ino == (share / "sub/link").lstat().st_ino
    assert (share / "a").read_text() == "shared"


def test_links_are_kept_and_not_followed(xfs: Harness, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not for the share")
    (xfs.directory / "link").symlink_to(tmp_path / "secret")
    (xfs.directory / "to a directory").symlink_to(tmp_path)
    os.setxattr(xfs.directory / "link", "trusted.note", b"x", follow_symlinks=False)
    os.chown(xfs.directory / "link", 1000, 1001, follow_symlinks=False)
    os.utime(xfs.directory / "link", ns=(5, 10**18 + 7), follow_symlinks=False)
    share = Path(xfs.take().share_path)
    assert os.readlink(share / "link") == str(tmp_path / "secret")
    assert (share / "to a directory").is_symlink()
    assert os.getxattr(share / "link", "trusted.note", follow_symlinks=False) == b"x"
    status = (share / "link").lstat()
    assert (status.st_uid, status.st_gid, status.st_mtime_ns) == (1000, 1001, 10**18 + 7)


def test_what_is_neither_file_nor_directory(xfs: Harness) -> None:
    os.mkfifo(xfs.directory / "fifo", 0o640)
    os.chmod(xfs.directory / "fifo", 0o622)
    os.mknod(xfs.directory / "disk", 0o660 | stat.S_IFBLK, os.makedev(7, 200))
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(xfs.directory)
        server.bind("socket")
        os.chdir("/")
    share = Path(xfs.take().share_path)
    assert (share / "fifo").lstat().st_mode == stat.S_IFIFO | 0o622
    assert stat.S_ISSOCK((share / "socket").lstat().st_mode)
    assert (share / "disk").lstat().st_rdev == os.makedev(7, 200)


def test_set_user_id_capabilities_and_trusted_attributes(xfs: Harness) -> None:
    program = xfs.directory / "program"
    program.write_bytes(b"\x7fELF")
    os.chown(program, 1000, 1000)
    program.chmod(0o6755)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(program, "security.capability", capability)
    os.setxattr(program, "trusted.overlay.opaque", b"y")
    copy = Path(xfs.take().share_path) / "program"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o6755
    assert os.getxattr(copy, "security.capability") == capability
    assert os.getxattr(copy, "trusted.overlay.opaque") == b"y"


def test_a_copy_that_fails_when_it_is_shown_already_goes(
    xfs: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its marker nothing would show whose copy it is."""

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "the test wants it so")

    request = xfs.request()
    planned = xfs.provider.plan(request)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError):
        xfs.provider.create(request, planned)
    assert xfs.left_over() == []


def test_directories_keep_their_times_and_inherit_nothing(xfs: Harness) -> None:
    run("setfacl", "-d", "-m", "u:1002:rwx", xfs.volume)
    inner = xfs.directory / "outer/inner"
    inner.mkdir(parents=True)
    run("setfacl", "-R", "-b", xfs.directory)
    (inner / "file").touch()
    (xfs.directory / "outer").chmod(0o2750)
    for path in (inner, inner.parent, xfs.directory):
        os.utime(path, ns=(10**18, 10**18 + 42))
    share = Path(xfs.take().share_path)
    for path in (share, share / "outer", share / "outer/inner"):
        assert path.stat().st_mtime_ns == 10**18 + 42
        assert not [name for name in os.listxattr(path) if "acl" in name.lower()]
    assert stat.S_IMODE((share / "outer").stat().st_mode) == 0o2750
    assert stat.S_IMODE((share / "outer/inner/file").stat().st_mode) == 0o644


def test_names_that_are_not_utf_8(xfs: Harness) -> None:
    names = [b"caf\xe9", b"\xff\xfe", b"line\nfeed", b"-rf"]
    for name in names:
        (xfs.directory / os.fsdecode(name)).mkdir()
        (xfs.directory / os.fsdecode(name) / os.fsdecode(name)).write_bytes(name)
    snapshot = xfs.take()
    share = os.fsencode(snapshot.share_path)
    assert sorted(os.listdir(share)) == sorted(names)
    for name in names:
        with open(os.path.join(share, name, name), "rb") as file:
            assert file.read() == name
    xfs.provider.delete(snapshot)
    assert xfs.left_over() == []


def test_a_tree_deeper_than_any_path(xfs: Harness) -> None:
    depth, name = 1500, "d" * 20
    fd = os.open(xfs.directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        fd, outer = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(outer)
    os.close(os.open("bottom", os.O_CREAT, dir_fd=fd))
    os.close(fd)
    snapshot = xfs.take()
    assert count(snapshot.share_path) == depth + 2
    xfs.provider.delete(snapshot)
    assert xfs.left_over() == []


def count(directory: str) -> int:
    done = subprocess.run(["find", directory], capture_output=True, check=True)
    return len(done.stdout.splitlines())


def test_a_full_disk_fails_it_and_leaves_nothing(xfs: Harness) -> None:
    for number in range(3000):
        (xfs.directory / f"file {number}").touch()
    fill(xfs.volume / "ballast")
    with pytest.raises(StorageError) as caught:
        xfs.take_many(100)
    assert caught.value.out_of_space
    assert all(count(found.snapshot.root) == 3001 for found in xfs.found())
    assert not list((xfs.volume / ".fsrvpd").glob(".partial*"))


def test_a_full_disk_does_not_hold_deletion_up(xfs: Harness) -> None:
    (xfs.directory / "inner").mkdir()
    (xfs.directory / "inner/file").touch()
    snapshots = xfs.take_many(3)
    fill(xfs.volume / "ballast")
    for snapshot in snapshots:
        xfs.provider.delete(snapshot)
    assert xfs.left_over() == []


def fill(path: Path) -> None:
    """Use up all free space, in ever smaller pieces, and all inodes."""
    with path.open("wb") as file:
        for piece in (64 << 20, 1 << 20, 4096):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
        os.fsync(file.fileno())
    with suppress(OSError):
        for number in range(1 << 20):
            path.with_name(f"ballast {number}").touch()


def test_a_tree_in_motion(xfs: Harness) -> None:
    """Every untouched file is cloned; files that change meanwhile do not disturb that."""
    for number in range(300):
        (xfs.directory / f"still {number}").write_text(str(number))
    done = threading.Event()
    mover = threading.Thread(target=keep_moving, args=(xfs.directory, done))
    mover.start()
    try:
        snapshots = [xfs.take() for _ in range(5)]
    finally:
        done.set()
        mover.join()
    for snapshot in snapshots:
        for number in range(300):
            file = Path(snapshot.share_path) / f"still {number}"
            assert file.read_text() == str(number)


def keep_moving(directory: Path, done: threading.Event) -> None:
    """Replace files with directories, links and FIFOs, and delete them."""
    place = directory / "moving"
    while not done.is_set():
        place.write_text("file")
        place.unlink()
        (place / "inner").mkdir(parents=True)
        (place / "inner").rename(directory / "inner")
        place.rmdir()
        (directory / "inner").rmdir()
        place.symlink_to("/etc/passwd")
        place.unlink()
        os.mkfifo(place)
        place.unlink()


def test_what_a_crash_left_half_made_is_found_and_removed(xfs: Harness) -> None:
    (xfs.directory / "file").touch()
    snapshot = xfs.take()
    partial = xfs.volume / ".fsrvpd" / f".partial-{Path(snapshot.root).name[6:44]}"
    partial.mkdir()
    os.rename(snapshot.root, partial / "tree")
    (found,) = xfs.found()
    xfs.provider.delete(found.snapshot)
    assert xfs.left_over() == []
    assert xfs.found() == []


def test_a_copy_is_not_deleted_under_the_key_of_another_share(xfs: Harness) -> None:
    other = xfs.volume / "other share"
    other.mkdir()
    snapshot, elsewhere = xfs.take(), xfs.take(xfs.request(other))
    name = Path(snapshot.root).name
    with pytest.raises(NotOurs):
        xfs.provider.delete(snapshot._replace(root=str(Path(elsewhere.root).with_name(name))))
    assert os.path.isdir(snapshot.root)


def test_each_share_has_its_own(xfs: Harness) -> None:
    other = xfs.volume / "other share"
    other.mkdir()
    mine, others = xfs.request(), xfs.request(other)
    assert Path(xfs.take(mine).root).parent != Path(xfs.take(others).root).parent


def test_the_volume_is_known_by_its_uuid(xfs: Harness) -> None:
    image = xfs.volume.with_suffix(".img")
    done = subprocess.run(
        ["blkid", "-o", "value", "-s", "UUID", image], capture_output=True, text=True, check=True
    )
    assert xfs.provider.locate(str(xfs.directory))[0] == f"reflink:{done.stdout.strip()}"


def test_xfs_that_was_made_without_reflinks_is_refused(make_harness: MakeHarness) -> None:
    harness = make_harness("reflink", "xfs without reflink", XFS_MEBIBYTES)
    assert "cannot share blocks" in str(harness.provider.supports(str(harness.directory)))


def test_btrfs_can_be_cloned_too(make_harness: MakeHarness) -> None:
    """This applies if fsrvp:provider says so, or if the subvolume's root is not mounted."""
    harness = make_harness("reflink", "btrfs")
    assert harness.provider.supports(str(harness.directory)) is None
    (harness.directory / "file").write_text("old")
    snapshot = harness.take()
    (harness.directory / "file").write_text("new")
    assert (Path(snapshot.share_path) / "file").read_text() == "old"
    run("btrfs", "-q", "subvolume", "create", harness.directory / "nested")
    assert "nested" in str(harness.provider.supports(str(harness.directory)))


def test_overlay_is_refused(
    make_harness: MakeHarness, make_volume: MakeVolume, tmp_path: Path
) -> None:
    """Its unnamed files, and new ones, can share blocks: those of another layer cannot."""
    lower, upper = make_volume("ext4", "lower", 32), make_volume("xfs", "upper")
    reflink = make_harness("reflink", "xfs").provider
    for name in ("layer", "work"):
        (upper / name).mkdir()
    merged = tmp_path / "merged"
    merged.mkdir()
    layers = f"lowerdir={lower},upperdir={upper}/layer,workdir={upper}/work"
    run("mount", "-t", "overlay", "overlay", "-o", layers, merged)
    reason = reflink.supports(str(merged))
    unmount(merged)
    assert "is on overlay, whose files may lie on several file systems" in str(reason)
