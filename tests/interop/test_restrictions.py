"""Whatever denies a user or a guest access to a share also denies access to its copy."""

from __future__ import annotations

from typing import Iterator, Mapping

import pytest

from fsrvpd.core.messages import Opnum
from lab import Share, User
from tests.interop.nas import SECOND_ADDRESS, Nas, make_directory
from tests.interop.raw_agent import RawAgent
from tests.interop.smb_user import (
    ACCESS_DENIED,
    BAD_NETWORK_NAME,
    OBJECT_NAME_NOT_FOUND,
    SmbUser,
    status_of,
)

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
def ordinary_user(nas: Nas) -> User:
    return nas.samba.add_user("clerk")


@pytest.fixture(scope="module")
def copies(nas: Nas, ordinary_user: User) -> Iterator[Mapping[str, str]]:
    """Expose a copy of every share. Maps the share's name to the copy's."""
    nas.samba.add_user("by-name")
    for name, options in SHARES.items():
        path = make_directory(nas.lab, nas.volumes["projects"] / name)
        nas.lab.run(["sh", "-c", 'echo text > "$1/file.txt"', "sh", path])
        ran = nas.lab.directory / "ran"
        filled = {option: value.format(ran=ran) for option, value in options.items()}
        nas.samba.set_share(Share(name, path, filled))
    nas.samba.reload()
    with RawAgent(nas) as agent:
        made = {name: exposed(agent, name) for name in SHARES}
        yield {name: agent.mapping(*ids, name).share for name, ids in made.items()}
        for name, ids in made.items():
            agent.delete(*ids, name)
    nas.assert_nothing_is_left()


def exposed(agent: RawAgent, share: str) -> tuple[bytes, bytes]:
    """Make a complete set. Returns its id and its copy's id."""
    set_id = agent.start()
    copy_id = agent.add(set_id, share)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    return set_id, copy_id


def status(nas: Nas, user: User, share: str, address: str = "") -> int:
    """Return the NTSTATUS with which reading the file fails, or 0."""
    with SmbUser(nas, user, address) as smb_user:
        return status_of(lambda: smb_user.read(share, "file.txt"))


@pytest.mark.spec("3.1.4.6-5")
@pytest.mark.parametrize("base", ["local", "not-second"])
def test_hosts(nas: Nas, ordinary_user: User, copies: Mapping[str, str], base: str) -> None:
    for share in (base, copies[base]):
        assert status(nas, ordinary_user, share) == 0
        assert status(nas, ordinary_user, share, SECOND_ADDRESS) == ACCESS_DENIED


@pytest.mark.spec("3.1.4.6-5")
def test_encryption(nas: Nas, ordinary_user: User, copies: Mapping[str, str]) -> None:
    """pysmb does not encrypt; smbclient does on request."""
    for share in ("encrypted", copies["encrypted"]):
        assert status(nas, ordinary_user, share) == ACCESS_DENIED
        unc = f"//{nas.samba.address}/{share}"
        login = ["-s", nas.samba.conf, "-U", ordinary_user.login, "--client-protection=encrypt"]
        done = nas.samba.run(["smbclient", *login, unc, "-c", "get file.txt -"])
        assert "text" in done.stdout


@pytest.mark.spec("3.1.4.6-5")
@pytest.mark.parametrize(
    ("base", "refused"),
    [("vetoed", OBJECT_NAME_NOT_FOUND), ("not-him", ACCESS_DENIED), ("by-name", ACCESS_DENIED)],
)
def test_users_and_files(
    nas: Nas, ordinary_user: User, copies: Mapping[str, str], base: str, refused: int
) -> None:
    for share in (base, copies[base]):
        assert status(nas, ordinary_user, share) == refused


def test_the_shares_own_name_among_its_users(nas: Nas, copies: Mapping[str, str]) -> None:
    for share in ("by-name", copies["by-name"]):
        assert status(nas, User("by-name"), share) == 0


@pytest.mark.spec("3.1.4.6-5")
def test_guests_stay_outside(nas: Nas, ordinary_user: User, copies: Mapping[str, str]) -> None:
    for base in ("for-guests", "guests-only"):
        assert status(nas, GUEST, base) == 0
        assert status(nas, ordinary_user, base) == 0
        assert status(nas, GUEST, copies[base]) == ACCESS_DENIED
        assert status(nas, ordinary_user, copies[base]) == 0


def test_scripts_do_not_run_unless_they_decide(
    nas: Nas, ordinary_user: User, copies: Mapping[str, str]
) -> None:
    ran = nas.lab.directory / "ran"
    assert status(nas, ordinary_user, copies["commands"]) == 0
    assert not ran.exists()
    assert status(nas, ordinary_user, "commands") == 0
    assert ran.exists()
    for share in ("gated", copies["gated"]):
        assert status(nas, ordinary_user, share) in (ACCESS_DENIED, BAD_NETWORK_NAME)


def test_snapshot_modules_are_not_loaded(
    nas: Nas, ordinary_user: User, copies: Mapping[str, str]
) -> None:
    shown = nas.samba.net("conf", "showshare", copies["many-modules"]).stdout
    assert "vfs objects = streams_xattr\n" in shown
    assert status(nas, ordinary_user, copies["many-modules"]) == 0
