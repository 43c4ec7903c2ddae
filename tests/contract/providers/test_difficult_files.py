"""Files that cannot be cloned like others: one of them does not spoil the copy of a share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount
from tests.paths import ROOT

XFS_MEBIBYTES = 320
# argv: source, target and links. CAP_SYS_ADMIN is missing, as in a container.
CLONE = """
import os, sys
from fsrvpd.errors import StorageError
from fsrvpd.providers.reflink.file_filter import EVERYTHING
from fsrvpd.providers.reflink.time_budget import TimeBudget
from fsrvpd.providers.reflink.tree_clone import TreeClone
opened = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
try:
    TreeClone(*opened, (0, 0), EVERYTHING, TimeBudget()).run()
except StorageError as error:
    print(error)
"""


@pytest.fixture
def xfs(make_harness: MakeHarness) -> Harness:
    return make_harness("reflink", "xfs", XFS_MEBIBYTES)


def test_more_names_of_attributes_than_can_be_listed(xfs: Harness) -> None:
    """Streams, for example; 64 KiB is the limit of listxattr."""
    file = xfs.directory / "file"
    file.touch()
    names = [f"{kind}.{n:03}.{'x' * 230}" for kind in ("user", "trusted") for n in range(300)]
    for name in names:
        os.setxattr(file, name, name.encode())
    run("setfacl", "-m", "u:1234:r", file)
    with pytest.raises(OSError, match="Argument list too long"):
        os.listxattr(file)
    copy = Path(xfs.take().share_path) / "file"
    assert [os.getxattr(copy, name) for name in names] == [name.encode() for name in names]
    acl = "system.posix_acl_access"
    assert os.getxattr(copy, acl) == os.getxattr(file, acl)


def test_a_swap_file_in_use(xfs: Harness, caplog: pytest.LogCaptureFixture) -> None:
    (xfs.directory / "file").write_text("file")
    swap = xfs.directory / "swap"
    swap.write_bytes(bytes(2 << 20))
    swap.chmod(0o600)
    run("mkswap", swap)
    run("swapon", swap)
    try:
        share = Path(xfs.take().share_path)
    finally:
        run("swapoff", swap)
    assert os.listdir(share) == ["file"]
    assert "swap is a swap file in use; the copy does without it" in caplog.text


def test_a_file_without_checksums(make_harness: MakeHarness) -> None:
    """btrfs shares its blocks only with files that have none either."""
    btrfs = make_harness("reflink", "btrfs")
    file = btrfs.directory / "disk.img"
    file.touch()
    run("chattr", "+C", file)
    file.write_bytes(b"x" * 100_000)
    share = Path(btrfs.take().share_path)
    assert (share / "disk.img").read_bytes() == b"x" * 100_000


def without_privilege(xfs: Harness) -> str:
    places = [xfs.directory, xfs.volume / "target", xfs.volume / "links"]
    for place in places[1:]:
        place.mkdir()
    argv = ["setpriv", "--inh-caps=-sys_admin", "--bounding-set=-sys_admin", sys.executable]
    done = subprocess.run(
        [*argv, "-c", CLONE, *map(str, places)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_attribute_that_only_the_almighty_may_set(xfs: Harness) -> None:
    """It may be what protects the file, so the copy is refused, with a cure."""
    (xfs.directory / "file").touch()
    os.setxattr(xfs.directory / "file", "security.NTACL", b"x")
    said = without_privilege(xfs)
    assert "/file: cannot copy its attribute security.NTACL: Operation not permitted" in said
    assert "--cap-add SYS_ADMIN" in said


def test_names_that_cannot_be_listed_without_privilege(xfs: Harness) -> None:
    (xfs.directory / "file").touch()
    for number in range(300):
        os.setxattr(xfs.directory / "file", f"user.{number:03}.{'x' * 230}", b"x")
    said = without_privilege(xfs)
    assert "/file: the names of its extended attributes (streams are such) fill more" in said


def test_what_is_mounted_in_a_copy_is_not_removed(xfs: Harness) -> None:
    """Not even if it is a directory of the same file system."""
    elsewhere = xfs.volume / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (xfs.directory / "inner/place").mkdir(parents=True)
    snapshot = xfs.take()
    run("mount", "--bind", elsewhere, Path(snapshot.share_path) / "inner/place")
    with pytest.raises(StorageError, match="'place' in it is a file system or subvolume"):
        xfs.provider.delete(snapshot)
    assert (elsewhere / "file").exists()
    for place in (xfs.volume / ".fsrvpd").glob("**/place"):
        unmount(place)
    xfs.provider.delete(snapshot)
    assert xfs.left_over() == []


def test_a_subvolume_that_was_moved_into_a_copy_is_not_removed(make_harness: MakeHarness) -> None:
    btrfs = make_harness("reflink", "btrfs")
    snapshot = btrfs.take(btrfs.request(writable=True))
    run("btrfs", "-q", "subvolume", "create", Path(snapshot.share_path) / "alien")
    (Path(snapshot.share_path) / "alien/file").touch()
    with pytest.raises(StorageError, match="'alien' in it is a file system or subvolume"):
        btrfs.provider.delete(snapshot)
    assert list((btrfs.volume / ".fsrvpd").glob("**/alien/file"))


def test_a_link_in_the_place_of_a_shares_copies_is_not_followed(xfs: Harness) -> None:
    """As a disk of somebody else, or what root has restored, may have it in its `.fsrvpd`."""
    snapshot = xfs.take()
    copies, elsewhere = Path(snapshot.root).parent, xfs.volume / "elsewhere"
    copies.rename(elsewhere)
    copies.symlink_to(elsewhere)
    with pytest.raises(StorageError, match="Not a directory"):
        xfs.provider.delete(snapshot)
    assert (elsewhere / Path(snapshot.root).name).is_dir()
