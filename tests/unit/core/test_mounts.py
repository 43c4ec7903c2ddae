from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.mounts import MountTable

ROOT = b"20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"


def line(mount_id: int, parent: int, place: str, kind: str = "tmpfs") -> bytes:
    return f"{mount_id} {parent} 0:{mount_id} / {place} rw - {kind} none rw\n".encode()


def found(table: MountTable, path: str) -> int:
    return table.lookup(path).mount_id


def test_a_line_becomes_a_mount() -> None:
    text = (
        rb"36 20 98:7 /sub\040dir /mnt/a\040b\134c\011d rw,noatime shared:3 master:1"
        rb" - btrfs /dev/x\040y rw,subvol=/a\040b"
    )
    mount = MountTable.parse(ROOT + text + b"\n").lookup("/mnt/a b\\c\td/x")
    assert mount.mount_id == 36
    assert mount.parent_id == 20
    assert mount.device == (98, 7)
    assert mount.root == "/sub dir"
    assert mount.mount_point == "/mnt/a b\\c\td"
    assert mount.options == ("rw", "noatime")
    assert mount.fs_type == "btrfs"
    assert mount.source == "/dev/x y"
    assert mount.super_options == ("rw", "subvol=/a b")


def test_the_longest_prefix_wins() -> None:
    table = MountTable.parse(
        ROOT
        + line(21, 20, "/a")
        + line(22, 21, "/a/b")
        + line(23, 20, "/a-b")
        + line(24, 20, "/ab")
    )
    places = {"/": 20, "/b": 20, "/a": 21, "/a/": 21, "/a/c": 21, "/a/b": 22, "/a/b/c": 22}
    places.update({"/a/bc": 21, "/a-b/c": 23, "/a-": 20, "/ab": 24, "/abc": 20, "/a.b": 20})
    assert {path: found(table, path) for path in places} == places


def test_what_lies_below_a_directory() -> None:
    table = MountTable.parse(
        ROOT
        + line(21, 20, "/a")
        + line(22, 21, "/a/b")
        + line(23, 20, "/a-b")
        + line(24, 22, "/a/b/c")
    )

    def below(path: str) -> list[str]:
        return [mount.mount_point for mount in table.below(path)]

    assert below("/") == ["/a", "/a/b", "/a/b/c", "/a-b"]
    assert below("/a") == below("/a/") == ["/a/b", "/a/b/c"]
    assert below("/a/b/c") == below("/x") == below("/a-") == []


def test_a_later_mount_covers_an_earlier_one() -> None:
    table = MountTable.parse(ROOT + line(21, 20, "/a") + line(22, 21, "/a") + line(23, 22, "/a"))
    assert found(table, "/a/x") == 23
    assert len(table) == 2


def test_moved_mounts_need_not_be_in_order() -> None:
    table = MountTable.parse(ROOT + line(23, 22, "/a") + line(22, 21, "/a") + line(21, 20, "/a"))
    assert found(table, "/a") == 23


def test_what_is_covered_from_above_is_hidden() -> None:
    inside = line(21, 20, "/a") + line(22, 21, "/a/b") + line(23, 22, "/a/b/c")
    table = MountTable.parse(ROOT + inside + line(24, 21, "/a") + line(25, 24, "/a/b/c"))
    assert found(table, "/a/b") == 24
    assert found(table, "/a/b/c") == 25
    assert [mount.mount_id for mount in table.below("/a")] == [25]


def test_a_root_mount_may_be_its_own_parent() -> None:
    table = MountTable.parse(line(1, 1, "/", "rootfs") + ROOT)
    assert found(table, "/x") == 20


def test_an_empty_source_is_kept_empty() -> None:
    mount = MountTable.parse(b"20 1 8:1 / / rw - tmpfs  rw\n").lookup("/")
    assert (mount.source, mount.super_options) == ("", ("rw",))


def test_a_path_on_no_mount() -> None:
    with pytest.raises(ValueError, match="no mount holds 'relative'"):
        MountTable.parse(ROOT).lookup("relative")
    with pytest.raises(ValueError, match="no mount"):
        MountTable.parse(b"").lookup("/")


@pytest.mark.parametrize(
    "text",
    [
        b"x 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
        b"20 99999999999 8:1 / / rw - ext4 /dev/sda1 rw\n",
        b"20 1 8 / / rw - ext4 /dev/sda1 rw\n",
        b"20 1 8:1 / / rw ext4 /dev/sda1 rw\n",
        b"20 1 8:1 / / rw - ext4 /dev/sda1\n",
        b"20 1 8:1 / home rw - ext4 /dev/sda1 rw\n",
        b"20 1 8:1\n",
        b"\n",
    ],
)
def test_what_is_no_mountinfo_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="line 2"):
        MountTable.parse(ROOT + text)


MOUNTS = r"""
cd "$1"; mkdir a b; mount -t tmpfs first a; mkdir a/sub 'a/odd \ name'
mount -t tmpfs hidden a/sub; mount -t tmpfs second a; mkdir -p a/sub/deep 'a/odd \ name'
mount -t tmpfs third 'a/odd \ name'; mount --bind a b; mount -t tmpfs fourth a/sub/deep
echo mounted; exec cat
"""


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A process in a private mount namespace, and the directory with its mounts."""
    keeper = subprocess.Popen(
        ["unshare", "--mount", "sh", "-euc", MOUNTS, "sh", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "mounted\n"
        yield keeper.pid, tmp_path
        keeper.terminate()


def kernels_mount_id(path: str) -> int:
    file = os.open(path, os.O_PATH)
    try:
        info = Path(f"/proc/self/fdinfo/{file}").read_text()
    finally:
        os.close(file)
    return int(info.partition("mnt_id:")[2].split()[0])


def test_the_kernel_agrees(namespace: tuple[int, Path]) -> None:
    pid, place = namespace
    table = MountTable.parse(Path(f"/proc/{pid}/mountinfo").read_bytes())
    names = ("", "a", "a/sub", "a/sub/deep", "a/odd \\ name", "b", "b/sub", "b/odd \\ name")
    for name in names:
        path = str(place / name)
        assert found(table, path) == kernels_mount_id(f"/proc/{pid}/root{path}"), name
    sources = [mount.source for mount in table.below(str(place))]
    assert sources == ["second", "third", "fourth", "second"]
