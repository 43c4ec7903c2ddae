"""A shadow copy share admits exactly the users that its base share admits."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from lab import Share, User, fss
from tests.interop.nas import TORTURE_SHARE, Nas, make_directory


class People(NamedTuple):
    reader: User
    writer: User
    stranger: User


@pytest.fixture(scope="module")
def people(nas: Nas) -> People:
    return People(*(nas.samba.add_user(name) for name in People._fields))


@pytest.fixture(scope="module")
def guarded(nas: Nas, people: People) -> Iterator[str]:
    """Make a share whose security descriptor lets `reader` read, `writer` write and root do all."""
    share = "guarded"
    path = make_directory(nas.lab, nas.volumes["projects"] / share)
    options = {"comment": "What the base share says", "hide dot files": "no"}
    nas.samba.set_share(Share(share, path, options))
    nas.samba.reload()
    rights = {nas.samba.root: "FULL", people.reader: "READ", people.writer: "FULL"}
    nas.samba.let_in(share, rights)
    nas.samba.write(share, "secret.txt", "for few\n")
    yield share
    nas.samba.sharesec(share, "--delete")


def descriptor(nas: Nas, share: str) -> list[str]:
    """Return the security descriptor as sharesec prints it."""
    return nas.samba.sharesec(share, "--view").stdout.splitlines()


def is_refused(nas: Nas, share: str, command: str, user: User) -> bool:
    done = nas.samba.smbclient(share, command, user=user, check=False)
    return "NT_STATUS_ACCESS_DENIED" in done.stdout + done.stderr


def test_the_security_descriptor_is_cloned_and_goes(nas: Nas, guarded: str) -> None:
    [copy] = fss.create_expose(nas.samba, guarded)
    assert descriptor(nas, copy.share) == descriptor(nas, guarded)
    fss.delete(nas.samba, copy)
    assert nas.share_descriptors() >= {guarded}
    nas.assert_nothing_is_left()


def test_readers_read_and_strangers_do_not(nas: Nas, people: People, guarded: str) -> None:
    [copy] = fss.create_expose(nas.samba, guarded, mode="rw")
    assert nas.samba.read(copy.share, "secret.txt", user=people.reader) == "for few\n"
    assert nas.samba.read(copy.share, "secret.txt", user=people.writer) == "for few\n"
    assert is_refused(nas, copy.share, "ls", people.stranger)
    assert is_refused(nas, copy.share, "mkdir by-reader", people.reader)
    nas.samba.smbclient(copy.share, "mkdir by-writer", user=people.writer)
    fss.recovery_complete(nas.samba, copy)
    assert nas.samba.read(copy.share, "secret.txt", user=people.reader) == "for few\n"
    assert is_refused(nas, copy.share, "ls", people.stranger)
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_the_parameters_of_the_base_share_are_cloned(nas: Nas, guarded: str) -> None:
    [copy] = fss.create_expose(nas.samba, guarded)
    shown = nas.samba.net("conf", "showshare", copy.share).stdout
    parameters = dict(line.strip().split(" = ", 1) for line in shown.splitlines() if " = " in line)
    assert parameters["hide dot files"].lower() == "no"
    assert [parameters["path"]] == nas.mounts()
    assert parameters["comment"] != "What the base share says"
    fss.delete(nas.samba, copy)


def test_valid_users_are_cloned(nas: Nas, people: People) -> None:
    path = make_directory(nas.lab, nas.volumes["projects"] / "listed")
    options = {"valid users": "reader root", "guest ok": "yes"}
    nas.samba.set_share(Share("listed", path, options))
    nas.samba.reload()
    nas.samba.write("listed", "list.txt", "members\n")
    [copy] = fss.create_expose(nas.samba, "listed")
    assert nas.samba.read(copy.share, "list.txt", user=people.reader) == "members\n"
    assert is_refused(nas, copy.share, "ls", people.stranger)
    fss.delete(nas.samba, copy)


def test_without_a_descriptor_there_is_none_on_the_copy(nas: Nas) -> None:
    assert TORTURE_SHARE not in nas.share_descriptors()
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    assert descriptor(nas, copy.share) == descriptor(nas, TORTURE_SHARE)
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()
