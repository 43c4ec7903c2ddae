"""What to share instead of a FUSE file system, from what it says of itself."""

from __future__ import annotations

import pytest

from fsrvpd.core.mounts import Mount
from fsrvpd.providers.reflink.user_space import why_not


def mount(kind: str, source: str) -> Mount:
    return Mount(1, 1, (0, 45), "/", "/no/such/pool", kind, source, ("rw",), ("rw",))


@pytest.mark.parametrize(
    ("kind", "source", "named"),
    [
        ("fuse.bindfs", "/srv/real", "in /srv/real/a/b, and"),
        ("fuse.mhddfs", "/one;/two disks", "in /one/a/b and '/two disks/a/b', and"),
        ("fuse.mergerfs", "/one:/two", "in /one/a/b and /two/a/b, and"),
        ("fuse.bindfs", "bindfs", "in other directories (`ps -C bindfs -o args`), and"),
        ("fuse.shfs", "shfs", "in other directories (`ps -C shfs -o args`), and"),
        ("fuse.mergerfs", "/ok:/evil\x1b[2J:relative:", "in /ok/a/b, and"),
        ("fuse.mergerfs", ":".join(["/x" * 3000, *(f"/{n}" for n in range(50))]), "/7/a/b, and"),
        ("fuse.sshfs", "host:/data", "take its snapshots on the server that stores it"),
        ("fuse", "/srv/real", "is on FUSE, which shows what lies in /srv/real/a/b, and"),
        ("fuse", "host:/data", "take its snapshots on the server that stores it"),
    ],
)
def test_what_lies_below_is_named(kind: str, source: str, named: str) -> None:
    said = why_not("/no/such/pool/a/b", mount(kind, source))
    assert named in said
    assert said.isprintable()
    assert len(said) < 1000
