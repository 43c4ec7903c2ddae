"""File systems in sparse files, in mounts that only this process sees."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

EMULATED = os.environ.get("FSRVPD_TEST_MACHINE") == "guest"
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MAKERS = {
    "btrfs": ["mkfs.btrfs", "-q"],
    "xfs": ["mkfs.xfs", "-q"],
    "xfs without reflink": ["mkfs.xfs", "-q", "-m", "reflink=0"],
    "ext4": ["mkfs.ext4", "-q"],
}


def enter() -> None:
    """Give this process a private mount namespace, so that its mounts end with it.

    An emulated machine does without: it ends with the tests, and its kernel mounts ZFS
    snapshots in the initial namespace.
    """
    if EMULATED:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.unshare(CLONE_NEWNS))
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def check(returned: int) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: these tests mount, so they need root")


def run(*argv: object) -> None:
    output(*argv)


def output(*argv: object) -> str:
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def make(kind: str, image: Path, mount_point: Path, mebibytes: int = 512) -> Path:
    """Make a file system and mount it. Returns its mount point."""
    with image.open("xb") as sparse:
        sparse.truncate(mebibytes << 20)
    run(*MAKERS[kind], image)
    mount_point.mkdir()
    run("mount", "-o", "loop", image, mount_point)
    return mount_point


def unmount(mount_point: Path) -> None:
    run("umount", "--recursive", mount_point)
