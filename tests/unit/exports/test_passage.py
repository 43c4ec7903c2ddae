"""Who may pass the directories above a share: what a gate says of each."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from fsrvpd.exports.passage import ACCESS_ACL, CLOSED, OPEN, Gate, gate_of, passage
from fsrvpd.shares.changes import identity_and_handle_of

JOE = 1234
STAFF = 4321


def gate(directory: Path) -> Gate:
    fd = os.open(directory, os.O_PATH)
    try:
        return gate_of(fd, os.fstat(fd))
    finally:
        os.close(fd)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One that everybody may enter, below others that everybody may enter."""
    for above in (tmp_path, *list(tmp_path.parents)[:-1]):
        if above.stat().st_mode & 0o111 != 0o111:
            above.chmod(0o711)
    made = tmp_path / "share"
    made.mkdir(mode=0o755)
    return made


def acl(directory: Path) -> str:
    """Of a directory of root's that has the gate's permissions."""
    made = directory / "gate"
    made.mkdir()
    found = gate(directory)
    os.chown(made, 0, found.group)
    os.setxattr(made, ACCESS_ACL, found.acl)
    shown = subprocess.run(
        ["getfacl", "-cn", "--absolute-names", made], capture_output=True, text=True, check=True
    )
    return " ".join(shown.stdout.split())


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o777, 0o1777, 0o751])
def test_what_everybody_may_enter_is_open_whoever_owns_it(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    os.chown(directory, JOE, STAFF)
    assert gate(directory) == OPEN


@pytest.mark.parametrize("mode", [0o700, 0o600, 0o744])
def test_what_only_root_may_enter_is_closed(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    assert gate(directory) == CLOSED


def test_a_group_passes_by_the_mode(directory: Path) -> None:
    directory.chmod(0o2750)
    os.chown(directory, 0, STAFF)
    assert gate(directory) == Gate(STAFF, 0o710, b"")
    directory.chmod(0o701)
    assert gate(directory) == Gate(STAFF, 0o701, b"")


def test_an_owner_passes_and_owns_nothing(directory: Path) -> None:
    """Who owns a directory may change its mode; so a gate belongs to root."""
    directory.chmod(0o700)
    os.chown(directory, JOE, STAFF)
    assert acl(directory) == f"user::rwx user:{JOE}:--x group::--- mask::--x other::---"


def test_an_owner_who_may_not_enter_does_not_pass_as_one_of_others(directory: Path) -> None:
    directory.chmod(0o077)
    os.chown(directory, JOE, STAFF)
    assert acl(directory) == f"user::rwx user:{JOE}:--- group::--x mask::--x other::--x"


def test_an_acl_counts_as_far_as_its_mask(directory: Path) -> None:
    def set_to(text: str) -> None:
        subprocess.run(["setfacl", "-b", "-m", text, directory], check=True)

    set_to(f"u::rwx,u:{JOE}:r-x,g::---,g:{STAFF}:rwx,m::rwx,o::---")
    expected = f"user::rwx user:{JOE}:--x group::--- group:{STAFF}:--x mask::--x other::---"
    assert acl(directory) == expected
    set_to(f"u::rwx,u:{JOE}:r-x,g::r-x,m::r--,o::---")
    assert gate(directory) == CLOSED


def test_an_acl_whose_mask_permits_nothing_is_not_asked(directory: Path) -> None:
    """The kernel then looks at the mode alone: who is named is one of the others."""
    subprocess.run(["setfacl", "-m", f"u:{JOE}:---,g::r-x,m::---,o::--x", directory], check=True)
    status = directory.stat()
    assert gate(directory) == Gate(status.st_gid, 0o701, b"")


def test_only_different_gates_stand_on_a_way(directory: Path) -> None:
    directory.chmod(0o700)
    (directory / "a/b/c").mkdir(parents=True, mode=0o755)
    (directory / "a").chmod(0o700)
    found = passage(f"{directory}/a/b/c")
    status = (directory / "a/b/c").stat()
    _, handle = identity_and_handle_of(f"{directory}/a/b/c")
    identity = f"{status.st_dev}:{status.st_ino}"
    assert found == (f"{directory}/a/b/c", identity, (CLOSED,), handle)


def test_the_directories_before_and_behind_a_link_count(directory: Path) -> None:
    (directory / "before/inner").mkdir(parents=True)
    (directory / "behind/share").mkdir(parents=True)
    (directory / "before/inner/link").symlink_to("../../behind/share")
    (directory / "absolute").symlink_to(f"{directory}/before/inner/link")
    (directory / "before").chmod(0o750)
    os.chown(directory / "before", 0, STAFF)
    (directory / "behind").chmod(0o700)
    way = passage(f"{directory}/absolute")
    assert way.directory == f"{directory}/behind/share"
    assert way.gates == (Gate(STAFF, 0o710, b""), CLOSED)


def test_the_share_itself_is_no_gate(directory: Path) -> None:
    directory.chmod(0o700)
    assert passage(str(directory)).gates == ()


def test_what_cannot_be_resolved_is_an_error(directory: Path) -> None:
    (directory / "loop").symlink_to("loop")
    (directory / "file").touch()
    for name, number in (("loop", errno.ELOOP), ("none", errno.ENOENT), ("file", errno.ENOTDIR)):
        with pytest.raises(OSError, match=name) as refused:
            passage(f"{directory}/{name}")
        assert refused.value.errno == number
    assert passage("/").directory == "/"


def nfs4(*names: str) -> bytes:
    """An ACL as a client of NFSv4 shows it."""
    acl = len(names).to_bytes(4, "big")
    for name in names:
        acl += (
            bytes(12)
            + len(name).to_bytes(4, "big")
            + name.encode().ljust(-len(name) % 4 + len(name), b"\0")
        )
    return acl


def zfs_nfs4(*special: bool) -> bytes:
    """An ACL as ZFS on TrueNAS shows it."""
    words = [0, len(special)]
    for each in special:
        words += [0, 0, each, 0x20, 1 if each else 1000]
    return b"".join(word.to_bytes(4, "big") for word in words)


NAMES = ["OWNER@", "GROUP@", "EVERYONE@"]


@pytest.mark.parametrize(
    ("name", "of_the_mode", "of_others"),
    [
        ("system.nfs4_acl", nfs4(*NAMES), nfs4(*NAMES, "joe@example.org")),
        ("system.nfs4_acl_xdr", zfs_nfs4(True, True), zfs_nfs4(True, False)),
        ("system.nfs4_acl_xdr", zfs_nfs4(), b"what"),
    ],
)
def test_an_acl_that_a_gate_cannot_have_closes_it(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    of_the_mode: bytes,
    of_others: bytes,
) -> None:
    shown = {name: of_the_mode}

    def getxattr(path: str, name: str) -> bytes:
        if name in shown:
            return shown[name]
        raise OSError(errno.EOPNOTSUPP, "not of this file system")

    monkeypatch.setattr(os, "getxattr", getxattr)
    assert gate(directory) == OPEN
    shown[name] = of_others
    assert gate(directory) == CLOSED
