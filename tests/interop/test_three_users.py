"""Three users over SMB, through a client that is not Samba's: one who may read, one whom the
share denies, one whom a file's ACL denies. And the ACLs are those of the moment."""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

import pytest

from tests.interop.site import Site, make_directory
from tests.interop.visitor import ACCESS_DENIED, Visitor, refusal
from tests.lab import Share, User, fss

SECRET, OPEN = "secret.txt", "open.txt"


class People(NamedTuple):
    reader: User
    outsider: User  # not in the security descriptor of the share
    excluded: User  # may enter, but may not read SECRET


class Kind(NamedTuple):
    """A way of saying who may read a file."""

    options: dict[str, str]
    admit: Callable[[Site, str, User], None]  # one reader, and nobody else, to SECRET


def by_posix_acl(site: Site, share: str, user: User) -> None:
    path = site.volumes[share] / "acl" / share / SECRET
    site.lab.run(["chmod", "0600", path])
    site.lab.run(["setfacl", "--remove-all", path])
    site.lab.run(["setfacl", "--modify", f"user:{user.name}:r", path])


def by_nt_acl(site: Site, share: str, user: User) -> None:
    """Where acl_xattr ignores what the file system says, its attribute alone decides."""
    root, other = site.samba.sid(site.samba.root), site.samba.sid(user)
    entries = f"ACL:{root}:ALLOWED/0x0/FULL,ACL:{other}:ALLOWED/0x0/READ"
    unc = f"//{site.samba.address}/{share}"
    login = ["-U", site.samba.root.login]
    tool = ["smbcacls", "-s", site.samba.conf, *login, "--numeric", unc, SECRET]
    site.samba.run([*tool, "--set", f"REVISION:1,OWNER:{root},GROUP:{root},{entries}"])


KINDS = {
    "posix acl": Kind({}, by_posix_acl),
    "nt acl": Kind({"vfs objects": "acl_xattr", "acl_xattr:ignore system acls": "yes"}, by_nt_acl),
}


@pytest.fixture(scope="module")
def people(site: Site) -> People:
    return People(*(site.samba.add_user(name) for name in People._fields))


@pytest.fixture(params=["projects", "vault"], ids=["btrfs", "xfs"], scope="module")
def share(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=KINDS.values(), ids=KINDS, scope="module")
def kind(site: Site, people: People, share: str, request: pytest.FixtureRequest) -> Iterator[Kind]:
    """A share in which everybody may read OPEN, and the reader SECRET too."""
    chosen: Kind = request.param
    path = make_directory(site.lab, site.volumes[share] / "acl" / share)
    site.samba.set_share(Share(share, path, chosen.options))
    site.samba.reload()
    for name in (SECRET, OPEN):
        site.samba.write(share, name, f"{name} as it was\n")
    rights = {site.samba.root: "FULL", people.reader: "READ", people.excluded: "READ"}
    site.samba.let_in(share, rights)
    chosen.admit(site, share, people.reader)
    yield chosen
    site.samba.sharesec(share, "--delete")
    site.lab.run(["rm", "-r", path])


def assert_reads_only_what_is_open(visitor: Visitor, share: str) -> None:
    assert visitor.read(share, OPEN) == f"{OPEN} as it was\n"
    assert refusal(lambda: visitor.read(share, SECRET)) == ACCESS_DENIED


def assert_is_kept_out(visitor: Visitor, share: str) -> None:
    assert refusal(lambda: visitor.names(share)) == ACCESS_DENIED


@pytest.mark.spec("3.1.4.6-5")
def test_the_copy_grants_what_the_base_share_granted(
    site: Site, people: People, share: str, kind: Kind
) -> None:
    [copy] = fss.create_expose(site.samba, share, mode="rw")
    fss.recovery_complete(site.samba, copy)
    for name in (share, copy.share):
        with Visitor(site, people.reader) as reader:
            assert reader.read(name, SECRET) == f"{SECRET} as it was\n"
        with Visitor(site, people.outsider) as outsider:
            assert_is_kept_out(outsider, name)
        with Visitor(site, people.excluded) as excluded:
            assert_reads_only_what_is_open(excluded, name)
    fss.delete(site.samba, copy)


def test_its_acls_are_those_of_the_moment(
    site: Site, people: People, share: str, kind: Kind
) -> None:
    [copy] = fss.create_expose(site.samba, share)
    kind.admit(site, share, people.excluded)
    with Visitor(site, people.excluded) as excluded:
        assert excluded.read(share, SECRET) == f"{SECRET} as it was\n"
        assert_reads_only_what_is_open(excluded, copy.share)
    with Visitor(site, people.reader) as reader:
        assert_reads_only_what_is_open(reader, share)
        assert reader.read(copy.share, SECRET) == f"{SECRET} as it was\n"
    fss.delete(site.samba, copy)
    kind.admit(site, share, people.reader)
    site.assert_nothing_is_left()
