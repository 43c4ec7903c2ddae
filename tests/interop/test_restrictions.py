"""What keeps somebody out of a share keeps them out of its copy, and guests even more so."""

from __future__ import annotations

from typing import Iterator, Mapping

import pytest

from fsrvpd.core.messages import Opnum
from tests.interop.raw_agent import RawAgent
from tests.interop.site import SECOND_ADDRESS, Site, make_directory
from tests.interop.visitor import (
    ACCESS_DENIED,
    BAD_NETWORK_NAME,
    OBJECT_NAME_NOT_FOUND,
    Visitor,
    status_of,
)
from tests.lab import Share, User

SHARES: Mapping[str, Mapping[str, str]] = {
    "local": {"hosts allow": "127."},
    "not-second": {"hosts deny": SECOND_ADDRESS},
    "encrypted": {"smb encrypt": "required"},
    "vetoed": {"veto files": "/file.txt/"},
    "by-name": {"valid users": "%S"},  # the user of the share's own name
    "not-him": {"invalid users": "clerk"},
    "for-guests": {"guest ok": "yes"},
    "guests-only": {"guest ok": "yes", "guest only": "yes"},
    "commands": {"preexec": "/bin/touch {ran}", "root preexec": "/bin/touch {ran}"},
    "gated": {"root preexec": "/bin/false", "root preexec close": "yes"},
    "many-modules": {"vfs objects": "recycle streams_xattr shadow_copy2"},
}
GUEST = User("nobody-we-know", "whatever")


@pytest.fixture(scope="module")
def clerk(site: Site) -> User:
    return site.samba.add_user("clerk")


@pytest.fixture(scope="module")
def copies(site: Site, clerk: User) -> Iterator[Mapping[str, str]]:
    """Every share, by name, and the name of its copy."""
    site.samba.add_user("by-name")
    for name, options in SHARES.items():
        path = make_directory(site.lab, site.volumes["projects"] / name)
        site.lab.run(["sh", "-c", 'echo text > "$1/file.txt"', "sh", path])
        ran = site.lab.directory / "ran"
        filled = {option: value.format(ran=ran) for option, value in options.items()}
        site.samba.set_share(Share(name, path, filled))
    site.samba.reload()
    with RawAgent(site) as agent:
        made = {name: exposed(agent, name) for name in SHARES}
        yield {name: agent.mapping(*ids, name).share for name, ids in made.items()}
        for name, ids in made.items():
            agent.delete(*ids, name)
    site.assert_nothing_is_left()


def exposed(agent: RawAgent, share: str) -> tuple[bytes, bytes]:
    """The ids of a set that is complete, and of its copy."""
    set_id = agent.start()
    copy_id = agent.add(set_id, share)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    return set_id, copy_id


def status(site: Site, user: User, share: str, address: str = "") -> int:
    """With what reading the file is refused; 0 when it is not."""
    with Visitor(site, user, address) as visitor:
        return status_of(lambda: visitor.read(share, "file.txt"))


@pytest.mark.spec("3.1.4.6-5")
@pytest.mark.parametrize("base", ["local", "not-second"])
def test_hosts(site: Site, clerk: User, copies: Mapping[str, str], base: str) -> None:
    for share in (base, copies[base]):
        assert status(site, clerk, share) == 0
        assert status(site, clerk, share, SECOND_ADDRESS) == ACCESS_DENIED


@pytest.mark.spec("3.1.4.6-5")
def test_encryption(site: Site, clerk: User, copies: Mapping[str, str]) -> None:
    """pysmb does not encrypt, smbclient does when it is told so."""
    for share in ("encrypted", copies["encrypted"]):
        assert status(site, clerk, share) == ACCESS_DENIED
        unc = f"//{site.samba.address}/{share}"
        login = ["-s", site.samba.conf, "-U", clerk.login, "--client-protection=encrypt"]
        done = site.samba.run(["smbclient", *login, unc, "-c", "get file.txt -"])
        assert "text" in done.stdout


@pytest.mark.spec("3.1.4.6-5")
@pytest.mark.parametrize(
    ("base", "refused"),
    [("vetoed", OBJECT_NAME_NOT_FOUND), ("not-him", ACCESS_DENIED), ("by-name", ACCESS_DENIED)],
)
def test_users_and_files(
    site: Site, clerk: User, copies: Mapping[str, str], base: str, refused: int
) -> None:
    for share in (base, copies[base]):
        assert status(site, clerk, share) == refused


def test_the_shares_own_name_among_its_users(site: Site, copies: Mapping[str, str]) -> None:
    for share in ("by-name", copies["by-name"]):
        assert status(site, User("by-name"), share) == 0


@pytest.mark.spec("3.1.4.6-5")
def test_guests_stay_outside(site: Site, clerk: User, copies: Mapping[str, str]) -> None:
    for base in ("for-guests", "guests-only"):
        assert status(site, GUEST, base) == 0
        assert status(site, clerk, base) == 0
        assert status(site, GUEST, copies[base]) == ACCESS_DENIED
        assert status(site, clerk, copies[base]) == 0


def test_scripts_do_not_run_unless_they_decide(
    site: Site, clerk: User, copies: Mapping[str, str]
) -> None:
    ran = site.lab.directory / "ran"
    assert status(site, clerk, copies["commands"]) == 0
    assert not ran.exists()
    assert status(site, clerk, "commands") == 0
    assert ran.exists()
    for share in ("gated", copies["gated"]):
        assert status(site, clerk, share) in (ACCESS_DENIED, BAD_NETWORK_NAME)


def test_snapshot_modules_are_not_loaded(
    site: Site, clerk: User, copies: Mapping[str, str]
) -> None:
    shown = site.samba.net("conf", "showshare", copies["many-modules"]).stdout
    assert "vfs objects = streams_xattr\n" in shown
    assert status(site, clerk, copies["many-modules"]) == 0
