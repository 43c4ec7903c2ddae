"""Three users over SMB, with a client that is not Samba's: one may read, the share denies one,
and a file's ACL denies one. The copy has the ACLs of the moment of the snapshot."""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

import pytest

from lab import Share, User, fss
from tests.interop.nas import Nas, make_directory
from tests.interop.smb_user import ACCESS_DENIED, SmbUser, refusal

SECRET, OPEN = "secret.txt", "open.txt"


class People(NamedTuple):
    reader: User
    outsider: User  # not in the security descriptor of the share
    excluded: User  # may enter, but may not read SECRET


class Kind(NamedTuple):
    """A way to set who may read a file."""

    options: dict[str, str]
    admit: Callable[[Nas, str, User], None]  # let one reader, and nobody else, read SECRET


def by_posix_acl(nas: Nas, share: str, user: User) -> None:
    path = nas.volumes[share] / "acl" / share / SECRET
    nas.lab.run(["chmod", "0600", path])
    nas.lab.run(["setfacl", "--remove-all", path])
    nas.lab.run(["setfacl", "--modify", f"user:{user.name}:r", path])


def by_nt_acl(nas: Nas, share: str, user: User) -> None:
    """If acl_xattr ignores the file system's permissions, only its attribute counts."""
    root, other = nas.samba.sid(nas.samba.root), nas.samba.sid(user)
    entries = f"ACL:{root}:ALLOWED/0x0/FULL,ACL:{other}:ALLOWED/0x0/READ"
    unc = f"//{nas.samba.address}/{share}"
    login = ["-U", nas.samba.root.login]
    tool = ["smbcacls", "-s", nas.samba.conf, *login, "--numeric", unc, SECRET]
    nas.samba.run([*tool, "--set", f"REVISION:1,OWNER:{root},GROUP:{root},{entries}"])


KINDS = {
    "posix acl": Kind({}, by_posix_acl),
    "nt acl": Kind({"vfs objects": "acl_xattr", "acl_xattr:ignore system acls": "yes"}, by_nt_acl),
}


@pytest.fixture(scope="module")
def people(nas: Nas) -> People:
    return People(*(nas.samba.add_user(name) for name in People._fields))


@pytest.fixture(params=["projects", "vault"], ids=["btrfs", "xfs"], scope="module")
def share(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=KINDS.values(), ids=KINDS, scope="module")
def kind(nas: Nas, people: People, share: str, request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Make a share where everybody may read OPEN, and the reader also SECRET."""
    chosen: Kind = request.param
    path = make_directory(nas.lab, nas.volumes[share] / "acl" / share)
    nas.samba.set_share(Share(share, path, chosen.options))
    nas.samba.reload()
    for name in (SECRET, OPEN):
        nas.samba.write(share, name, f"{name} as it was\n")
    rights = {nas.samba.root: "FULL", people.reader: "READ", people.excluded: "READ"}
    nas.samba.let_in(share, rights)
    chosen.admit(nas, share, people.reader)
    yield chosen
    nas.samba.sharesec(share, "--delete")
    nas.lab.run(["rm", "-r", path])


def assert_reads_only_what_is_open(smb_user: SmbUser, share: str) -> None:
    assert smb_user.read(share, OPEN) == f"{OPEN} as it was\n"
    assert refusal(lambda: smb_user.read(share, SECRET)) == ACCESS_DENIED


def assert_is_kept_out(smb_user: SmbUser, share: str) -> None:
    assert refusal(lambda: smb_user.names(share)) == ACCESS_DENIED


@pytest.mark.spec("3.1.4.6-5")
def test_the_copy_grants_what_the_base_share_granted(
    nas: Nas, people: People, share: str, kind: Kind
) -> None:
    [copy] = fss.create_expose(nas.samba, share, mode="rw")
    fss.recovery_complete(nas.samba, copy)
    for name in (share, copy.share):
        with SmbUser(nas, people.reader) as reader:
            assert reader.read(name, SECRET) == f"{SECRET} as it was\n"
        with SmbUser(nas, people.outsider) as outsider:
            assert_is_kept_out(outsider, name)
        with SmbUser(nas, people.excluded) as excluded:
            assert_reads_only_what_is_open(excluded, name)
    fss.delete(nas.samba, copy)


def test_its_acls_are_those_of_the_moment(nas: Nas, people: People, share: str, kind: Kind) -> None:
    [copy] = fss.create_expose(nas.samba, share)
    kind.admit(nas, share, people.excluded)
    with SmbUser(nas, people.excluded) as excluded:
        assert excluded.read(share, SECRET) == f"{SECRET} as it was\n"
        assert_reads_only_what_is_open(excluded, copy.share)
    with SmbUser(nas, people.reader) as reader:
        assert_reads_only_what_is_open(reader, share)
        assert reader.read(copy.share, SECRET) == f"{SECRET} as it was\n"
    fss.delete(nas.samba, copy)
    kind.admit(nas, share, people.reader)
    nas.assert_nothing_is_left()
