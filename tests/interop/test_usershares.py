"""Shares that users define themselves: smbd serves them, the agent says why it does not copy them,
and what it says to type gives them copies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import fss
from tests.interop.nas import Nas, make_directory
from tests.interop.raw_agent import RawAgent, wide

DEFINITION = """#VERSION 2
path={path}
comment=of a user
usershare_acl=S-1-1-0:F
guest_ok=y
sharename=Mine
"""
SHARE = "Mine"


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def definitions(nas: Nas) -> Path:
    """The directory of usershares, in which the user `owner` has defined one."""
    directory: Path = nas.lab.directory / "usershares"
    shared = make_directory(nas.lab, nas.volumes["data"] / "of a user")
    nas.samba.add_user("owner")
    nas.lab.run(["chown", "owner", shared])
    nas.lab.run(["mkdir", "-m", "1770", directory])
    nas.lab.seen(directory / SHARE.lower()).write_text(DEFINITION.format(path=shared))
    nas.lab.run(["chown", "owner", directory / SHARE.lower()])
    nas.samba.set_option("usershare path", str(directory))
    nas.samba.set_option("usershare max shares", "10")
    nas.samba.reload()
    return directory


def result(nas: Nas, share: str) -> int:
    with RawAgent(nas) as agent:
        return agent.result(Opnum.IsPathSupported, wide(agent.unc(share)))


def test_smbd_serves_it_and_the_agent_says_why_it_does_not(nas: Nas, definitions: Path) -> None:
    nas.samba.write(SHARE, "a.txt", "of a user")
    assert result(nas, SHARE) == HResult.FSRVP_E_NOT_SUPPORTED
    reason = "it is a usershare (`net usershare info Mine`), and its owner decides at any time"
    assert reason in nas.daemon.tail(2)
    assert reason in flat(nas.daemon.ctl("check-path", SHARE, check=False).stdout)
    checked = nas.daemon.command("check-config")
    assert f"share {SHARE.lower()} can have no shadow copies: it is a usershare" in checked.stdout


@pytest.mark.parametrize(
    "command",
    [
        "ln -s mine linked",
        "mkfifo -m 0600 linked",
        "cp mine linked; chmod 0666 linked",
        "mkdir linked",
    ],
)
def test_what_smbd_does_not_take_is_no_share(nas: Nas, definitions: Path, command: str) -> None:
    nas.lab.run(["sh", "-ec", f'cd "$1"; {command}', "sh", definitions])
    try:
        assert (
            "NT_STATUS_BAD_NETWORK_NAME" in nas.samba.smbclient("linked", "ls", check=False).stdout
        )
        assert result(nas, "linked") == HResult.FSRVP_E_OBJECT_NOT_FOUND
        assert nas.daemon.command("check-config").returncode == 0
    finally:
        nas.lab.run(["rm", "-rf", definitions / "linked"])


def test_usershares_that_are_off_are_no_shares(nas: Nas, definitions: Path) -> None:
    nas.samba.set_option("usershare max shares", "0")
    assert result(nas, SHARE) == HResult.FSRVP_E_OBJECT_NOT_FOUND
    nas.samba.set_option("usershare max shares", "10")
    nas.lab.run(["chmod", "1777", definitions])
    assert result(nas, SHARE) == HResult.FSRVP_E_OBJECT_NOT_FOUND
    nas.lab.run(["chmod", "1770", definitions])
    assert result(nas, SHARE) == HResult.FSRVP_E_NOT_SUPPORTED


def test_what_is_said_helps(nas: Nas, definitions: Path) -> None:
    shown = flat(nas.daemon.ctl("check-path", SHARE, check=False).stdout)
    commands = re.findall(r"`(net [^`]+)`", shown)
    assert [command.split()[1] for command in commands] == ["usershare", "usershare", "conf"]
    for command in commands:
        words = command.replace("DIRECTORY", str(nas.volumes["data"] / "plain")).split()
        make_directory(nas.lab, nas.volumes["data"] / "plain")
        nas.samba.net(*words[1:])
    calls = len(nas.daemon.calls())
    [copy] = fss.create_expose(nas.samba, SHARE)
    assert len(nas.daemon.calls()) > calls, "another agent answered"
    fss.delete(nas.samba, copy)
