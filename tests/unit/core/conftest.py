"""A real btrfs in a file, mounted in a mount namespace that ends with the tests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest

# `cat` ends with its input, also if the tests are killed.
MOUNT = 'mkfs.btrfs -q "$1" >&2 && mount -o loop "$1" "$2" && echo mounted && exec cat'


@pytest.fixture(scope="session")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Its root, through /proc: the tests' own namespace has no mount of it."""
    place = tmp_path_factory.mktemp("btrfs")
    image, mount = place / "image", place / "mount point"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    keeper = subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", MOUNT, "sh", str(image), str(mount)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "mounted\n"
        yield Path(f"/proc/{keeper.pid}/root{mount}")
        keeper.terminate()
