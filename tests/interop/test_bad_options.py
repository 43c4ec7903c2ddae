"""An option that cannot be understood, and a share without a path: one share is refused with the
reason, the others are served, and whoever looks is told what to type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import Share, fss
from lab.namespaces import wait_until
from tests.interop.nas import Nas, make_directory
from tests.interop.raw_agent import RawAgent, wide

BAD, GOOD, OWN = "bad", "deep", "own"
REASON = (
    f"smb.conf: fsrvp:keep = maybe: want yes or no; correct it in [{BAD}];"
    f" smb.conf: fsrvp:keep last = few: want a whole number, zero or more; correct it in [{BAD}]"
)


def flat(text: str) -> str:
    return " ".join(text.split())


def supported(nas: Nas, share: str) -> int:
    with RawAgent(nas) as agent:
        return agent.result(Opnum.IsPathSupported, wide(agent.unc(share)))


def copy_and_delete(nas: Nas, share: str) -> None:
    calls = len(nas.daemon.calls())
    [copy] = fss.create_expose(nas.samba, share)
    fss.delete(nas.samba, copy)
    assert len(nas.daemon.calls()) > calls, "another agent answered"


def findings(nas: Nas) -> tuple[int, list[Any]]:
    done = nas.daemon.command("doctor", "--json", "--no-self-test", check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def bad_share(nas: Nas) -> Nas:
    directory = make_directory(nas.lab, nas.volumes["data"] / BAD)
    nas.samba.set_share(Share(BAD, directory, {"fsrvp:keep": "maybe", "fsrvp:keep last": "few"}))
    nas.samba.reload()
    return nas


def test_one_share_is_refused_and_the_others_are_served(bad_share: Nas) -> None:
    bad_share.daemon.restart()
    said = f"share {BAD}: {REASON}"  # by a thread that has all shares read
    wait_until("the log says so", lambda: said in bad_share.daemon.read_log())
    assert supported(bad_share, BAD) == HResult.FSRVP_E_NOT_SUPPORTED
    assert REASON in bad_share.daemon.read_log().rpartition("IsPathSupported")[2]
    copy_and_delete(bad_share, GOOD)
    bad_share.daemon.ctl("reload-config")
    checked = bad_share.daemon.command("check-config", check=False)
    assert checked.returncode == 1
    assert f"share {BAD} can have no shadow copies: {REASON}\n" in checked.stdout
    status, found = findings(bad_share)
    assert status == 1
    [finding] = [each for each in found if each["topic"] == f"share {BAD}"]
    assert (finding["severity"], finding["text"]) == ("fail", REASON)


def test_a_share_is_served_as_soon_as_its_option_is_mended(bad_share: Nas) -> None:
    directory = bad_share.volumes["data"] / BAD
    bad_share.samba.set_share(Share(BAD, directory, {"fsrvp:keep": "no"}))
    copy_and_delete(bad_share, BAD)
    assert bad_share.daemon.command("check-config").returncode == 0


def test_a_bad_default_of_shares_concerns_those_without_a_value(nas: Nas) -> None:
    directory = make_directory(nas.lab, nas.volumes["data"] / OWN)
    nas.samba.set_share(Share(OWN, directory, {"fsrvp:depth": "0"}))
    nas.samba.set_option("fsrvp:depth", "deep")
    try:
        assert supported(nas, OWN) == 0
        assert supported(nas, GOOD) == HResult.FSRVP_E_NOT_SUPPORTED
        assert "want a whole number, zero or more; correct it in [global]" in nas.daemon.read_log()
    finally:
        nas.samba.set_option("fsrvp:depth", None)
    assert supported(nas, GOOD) == 0


def test_a_bad_option_of_the_daemon_has_its_default_and_is_said(nas: Nas) -> None:
    fault = "fsrvpd:max sets = many: want a whole number"
    nas.samba.set_option("fsrvpd:max sets", "many")
    nas.samba.set_option("fsrvpd:require rpc privacy", "of course")
    try:
        refused = nas.daemon.ctl("reload-config", check=False)
        assert refused.returncode == 1
        assert fault in refused.stderr
        nas.daemon.restart()
        assert f"{fault}, zero or more; fsrvpd starts with `10000` until it is corrected" in (
            nas.daemon.read_log()
        )
        assert "fsrvpd:require rpc privacy = of course: want yes or no" in nas.daemon.read_log()
        assert supported(nas, GOOD) == HResult.E_ACCESSDENIED, "calls that are not encrypted"
        checked = nas.daemon.command("check-config", check=False)
        assert checked.returncode == 1
        assert fault in checked.stdout
        assert findings(nas)[0] == 1
    finally:
        nas.samba.set_option("fsrvpd:max sets", None)
        nas.samba.set_option("fsrvpd:require rpc privacy", None)
        nas.daemon.ctl("reload-config")
    copy_and_delete(nas, GOOD)


def test_a_share_without_a_path_is_a_failure(nas: Nas) -> None:
    nas.samba.net("conf", "addshare", "path less", "/")
    nas.samba.net("conf", "delparm", "path less", "path")
    cure = "type `net conf setparm 'path less' path DIRECTORY`"
    try:
        status, found = findings(nas)
        assert status == 1
        [finding] = [each for each in found if each["topic"] == "share path less"]
        assert finding["severity"] == "fail"
        assert finding["text"] == f"it has no path, so smbd does not serve it; {cure}"
        checked = nas.daemon.command("check-config", check=False)
        assert checked.returncode == 1
        assert cure in checked.stdout
        assert cure in flat(nas.daemon.ctl("check-path", "path less", check=False).stdout)
    finally:
        nas.samba.net("conf", "delshare", "path less")


def test_an_option_that_does_not_exist_fails_the_check(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:max set", "5")
    checked = nas.daemon.command("check-config", check=False)
    nas.samba.set_option("fsrvpd:max set", None)
    assert checked.returncode == 1
    assert "no such option; did you mean fsrvpd:max sets?" in checked.stdout
