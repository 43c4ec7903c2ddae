from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount import kernel
from fsrvpd.requestor.mount.kernel import Mounted

TABLE = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:50 / /run/x\040y/mnt/a\134b rw - fuse.fsrvpshadow fsrvpshadow ro
23 21 0:51 / /mnt/twice rw - tmpfs tmpfs rw
24 21 0:52 / /mnt/twice rw master:3 - cifs //nas/data ro
""".lstrip()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE + "25 21 0:53 / /mnt/größe rw - cifs //nas/x ro\n")
    return path


def test_mounts_are_found_by_their_paths(table: Path) -> None:
    assert kernel.mounted_at(Path("/run/x y/mnt/a\\b"), table) == Mounted(kernel.FUSE, "0:50")
    assert kernel.mounted_at(Path("/mnt/twice"), table) == Mounted("cifs", "0:52")
    assert kernel.mounted_at(Path("/mnt/größe"), table) == Mounted("cifs", "0:53")
    assert kernel.mounted_at(Path("/mnt/other"), table) is None


def test_nothing_of_others_is_unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "mounted_at", lambda point: Mounted("ext4", "8:1"))
    with pytest.raises(RequestorError, match="something else is mounted there"):
        kernel.detach_all(Path("/mnt/x"))


def test_what_is_not_mounted_needs_no_unmounting(tmp_path: Path) -> None:
    kernel.detach_all(tmp_path)
    with pytest.raises(OSError, match=str(tmp_path)):
        kernel.unmount(tmp_path)


def test_a_device_without_read_ahead_is_left_alone() -> None:
    kernel.read_ahead("no:device")


def test_a_kernel_without_fuse_is_named(tmp_path: Path) -> None:
    kernel.require_fuse(tmp_path)
    with pytest.raises(RequestorError, match=r"fuse is missing; modprobe fuse, or .*--no-mount"):
        kernel.require_fuse(tmp_path / "fuse")
