"""The time to find a share, or its volume, among ten thousand."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Iterator

from benchmarks.timing import best
from fsrvpd.core.mounts import MountTable
from samba_hooks.registry.client import RegistryClient

MANY = 10_000
NUMBER = 100
LOAD_TIMEOUT = 300.0  # s: Samba's parser is slow with so many shares
PLACES = ("private dir", "state directory", "lock directory", "cache directory", "pid directory")


def mountinfo() -> bytes:
    """Return the mountinfo of a server with a file system for each user."""
    lines = ["20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"]
    lines += [
        f"{number + 30} 20 0:{number % 200 + 30} / /srv/pool/home/user{number:05} rw,relatime"
        f" shared:{number + 30} - zfs pool/home/user{number:05} rw,xattr,posixacl\n"
        for number in range(MANY - 1)
    ]
    return "".join(lines).encode()


def mounts() -> Iterator[tuple[str, float]]:
    data = mountinfo()
    table = MountTable.parse(data)
    path = "/srv/pool/home/user07321/documents"
    assert len(table) == MANY
    assert table.lookup(path).mount_point == "/srv/pool/home/user07321"
    yield "mount looked up among 10,000", best(lambda: table.lookup(path), NUMBER)
    yield "mountinfo of 10,000 lines parsed", best(lambda: MountTable.parse(data), 1, 30)


def configuration(directory: Path) -> Path:
    lines = ["[global]", "registry shares = yes", f"ncalrpc dir = {directory}/ncalrpc"]
    for option in PLACES:
        location = directory / option.replace(" ", "_")
        location.mkdir()
        lines.append(f"{option} = {location}")
    for number in range(MANY):
        lines += [f"[user{number:05}]", f"path = /srv/pool/home/user{number:05}"]
    path = directory / "smb.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def shares() -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        client = RegistryClient(str(configuration(Path(name))), timeout=LOAD_TIMEOUT)
        with closing(client) as registry:
            assert registry.share("user09999") is not None
            for number in range(MANY):
                registry.share(f"user{number:05}")
            yield "share looked up among 10,000", best(lambda: registry.share("user07321"), NUMBER)
        assert os.path.isdir(name)


def measure() -> dict[str, float]:
    """Return seconds by operation."""
    return {**dict(mounts()), **dict(shares())}
