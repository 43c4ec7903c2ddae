"""A shadow copy share lets in exactly those whom its base share lets in."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from tests.interop.site import TORTURE_SHARE, Site, make_directory
from tests.lab import Share, User, fss


class People(NamedTuple):
    reader: User
    writer: User
    stranger: User


@pytest.fixture(scope="module")
def people(site: Site) -> People:
    return People(*(site.samba.add_user(name) for name in People._fields))


@pytest.fixture(scope="module")
def guarded(site: Site, people: People) -> Iterator[str]:
    """A share with a security descriptor: reader may read, writer may write, root all."""
    share = "guarded"
    path = make_directory(site.lab, site.volumes["projects"] / share)
    options = {"comment": "What the base share says", "hide dot files": "no"}
    site.samba.set_share(Share(share, path, options))
    site.samba.reload()
    rights = {site.samba.root: "FULL", people.reader: "READ", people.writer: "FULL"}
    site.samba.let_in(share, rights)
    site.samba.write(share, "secret.txt", "for few\n")
    yield share
    site.samba.sharesec(share, "--delete")


def descriptor(site: Site, share: str) -> list[str]:
    """The security descriptor as sharesec prints it."""
    return site.samba.sharesec(share, "--view").stdout.splitlines()


def is_refused(site: Site, share: str, command: str, user: User) -> bool:
    done = site.samba.smbclient(share, command, user=user, check=False)
    return "NT_STATUS_ACCESS_DENIED" in done.stdout + done.stderr


def test_the_security_descriptor_is_cloned_and_goes(site: Site, guarded: str) -> None:
    [copy] = fss.create_expose(site.samba, guarded)
    assert descriptor(site, copy.share) == descriptor(site, guarded)
    fss.delete(site.samba, copy)
    assert site.share_descriptors() >= {guarded}
    site.assert_nothing_is_left()


def test_readers_read_and_strangers_do_not(site: Site, people: People, guarded: str) -> None:
    [copy] = fss.create_expose(site.samba, guarded, mode="rw")
    assert site.samba.read(copy.share, "secret.txt", user=people.reader) == "for few\n"
    assert site.samba.read(copy.share, "secret.txt", user=people.writer) == "for few\n"
    assert is_refused(site, copy.share, "ls", people.stranger)
    assert is_refused(site, copy.share, "mkdir by-reader", people.reader)
    site.samba.smbclient(copy.share, "mkdir by-writer", user=people.writer)
    fss.recovery_complete(site.samba, copy)
    assert site.samba.read(copy.share, "secret.txt", user=people.reader) == "for few\n"
    assert is_refused(site, copy.share, "ls", people.stranger)
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_the_parameters_of_the_base_share_are_cloned(site: Site, guarded: str) -> None:
    [copy] = fss.create_expose(site.samba, guarded)
    shown = site.samba.net("conf", "showshare", copy.share).stdout
    parameters = dict(line.strip().split(" = ", 1) for line in shown.splitlines() if " = " in line)
    assert parameters["hide dot files"].lower() == "no"
    assert "/.fsrvpd/fsrvp-" in parameters["path"]
    assert parameters["path"].endswith("/guarded")
    assert parameters["comment"] != "What the base share says"
    fss.delete(site.samba, copy)


def test_valid_users_are_cloned(site: Site, people: People) -> None:
    path = make_directory(site.lab, site.volumes["projects"] / "listed")
    options = {"valid users": "reader root", "guest ok": "yes"}
    site.samba.set_share(Share("listed", path, options))
    site.samba.reload()
    site.samba.write("listed", "list.txt", "members\n")
    [copy] = fss.create_expose(site.samba, "listed")
    assert site.samba.read(copy.share, "list.txt", user=people.reader) == "members\n"
    assert is_refused(site, copy.share, "ls", people.stranger)
    fss.delete(site.samba, copy)


def test_without_a_descriptor_there_is_none_on_the_copy(site: Site) -> None:
    assert TORTURE_SHARE not in site.share_descriptors()
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    assert descriptor(site, copy.share) == descriptor(site, TORTURE_SHARE)
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()
