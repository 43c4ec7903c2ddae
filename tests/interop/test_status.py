"""`fsrvpctl fsrvpd status`: one screen, and an exit status, that say whether all is well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import Share, fss
from lab.accounts import User
from tests.interop.nas import TORTURE_SHARE, Nas, make_directory, open_nas
from tests.interop.raw_agent import RawAgent, wide

ORDINARY_USER = User("clerk")
MANY = 600
LINES, COLUMNS = 40, 80


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        opened.samba.add_user(ORDINARY_USER.name)
        off = {"fsrvp:enabled": "no"}
        opened.samba.set_share(Share("off", opened.volumes["plain"] / "off", off))
        opened.samba.reload()
        yield opened


def by_name(status: Any) -> dict[str, Any]:
    return {each["share"]: each for each in status["shares"]}


def assert_one_screen(nas: Nas) -> str:
    shown = str(nas.daemon.ctl("status", check=False).stdout)
    assert len(shown.splitlines()) <= LINES, shown
    assert max(map(len, shown.splitlines())) <= COLUMNS, shown
    return shown


def test_all_is_well_until_somebody_misses_something(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    done = nas.daemon.ctl("status", check=False)
    assert done.returncode == 0, done.stdout
    assert "all is well" in done.stdout
    status = nas.daemon.ask("status")
    assert status["well"]
    assert status["problems"] == []
    shares = by_name(status)
    assert shares[TORTURE_SHARE]["state"] == "ready"
    assert shares[TORTURE_SHARE]["last_backup"]["set"].lower() == f"{{{copy.set_id}}}"
    assert shares["deep"]["last_backup"] is None
    assert (shares["plain"]["state"], shares["off"]["state"]) == ("not-ready", "off")
    assert "is not on btrfs but on ext4" in shares["plain"]["reason"]
    assert status["sets"]["Recovered"] == 1
    roots = {each["volume"]: each for each in status["volumes"]}
    assert roots[str(nas.volumes["projects"])]["snapshots"] == 1
    assert roots[str(nas.volumes["vault"])]["free_bytes"] > 0
    [caller] = [each for each in status["callers"] if each["client"] == "127.0.0.1"]
    assert caller["account"].endswith("root")
    shown = assert_one_screen(nas)
    assert f"{TORTURE_SHARE} 0 min ago" in shown
    assert "plain: " in shown
    fss.delete(nas.samba, copy)


def test_a_share_that_somebody_wants_and_cannot_have_is_a_problem(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        unc = wide(agent.unc("plain"))
        assert agent.result(Opnum.IsPathSupported, unc) == HResult.FSRVP_E_NOT_SUPPORTED
    done = nas.daemon.ctl("status", check=False)
    assert done.returncode == 1
    [problem] = nas.daemon.ask("status")["problems"]
    assert problem["what"] == "share-not-ready"
    assert problem["object"] == "plain"
    assert problem["next_step"] == "fsrvpctl fsrvpd check-path plain"
    assert "fsrvpctl fsrvpd check-path plain" in assert_one_screen(nas)


def test_a_caller_without_the_right_is_shown(nas: Nas) -> None:
    """And is a problem only if its account has made sets: anybody can be refused."""
    with RawAgent(nas, ORDINARY_USER.name, ORDINARY_USER.password) as agent:
        agent.result(Opnum.GetSupportedVersion, b"")
    status = nas.daemon.ask("status")
    assert "caller-refused" not in {each["what"] for each in status["problems"]}
    assert status["refusals"][0]["next_step"].startswith("net sam rights grant ")
    assert r"\clerk at 127.0.0.1: GetSupportedVersion" in assert_one_screen(nas)


def test_what_smb_conf_says_for_all_shares_is_a_problem(nas: Nas) -> None:
    """As of now, although the daemon was not told."""
    conf = nas.lab.seen(Path(nas.samba.conf))
    before = conf.read_text()
    wrong = before.replace("registry shares = yes", "registry shares = no\n\tfsrvpd:max sets = -3")
    assert wrong != before
    before_it = [each["what"] for each in problems(nas)]
    conf.write_text(wrong)
    try:
        found = {each["what"]: each for each in problems(nas)}
        assert found["registry-shares-off"]["next_step"] == "fsrvpctl setup"
        assert "fsrvpd:max sets = -3" in found["option-not-understood"]["text"]
        assert found["option-not-understood"]["next_step"] == "fsrvpctl check-config"
        assert "next: fsrvpctl setup" in assert_one_screen(nas)
    finally:
        conf.write_text(before)
    assert [each["what"] for each in problems(nas)] == before_it


def test_a_backup_that_failed_is_a_problem_until_one_succeeds(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, "deep")
        timed = set_id + bytes(4)
        assert agent.result(Opnum.ExposeShadowCopySet, timed) == HResult.FSRVP_E_BAD_STATE
        agent.must(Opnum.AbortShadowCopySet, set_id)
    failed = [each["object"] for each in problems(nas) if each["what"] == "backup-failed"]
    assert failed == ["deep"]
    [copy] = fss.create_expose(nas.samba, "deep")
    fss.recovery_complete(nas.samba, copy)
    fss.delete(nas.samba, copy)
    assert not [each for each in problems(nas) if each["what"] == "backup-failed"]


def problems(nas: Nas) -> Any:
    return nas.daemon.ask("status")["problems"]


def test_hundreds_of_shares_are_one_screen(nas: Nas) -> None:
    path = make_directory(nas.lab, nas.volumes["data"] / "many")
    lines = "".join(f"[s{number:05}]\npath = {path}\n" for number in range(MANY))
    lines += "".join(f"[x{number:05}]\npath = /proc\n" for number in range(20))
    conf = nas.lab.seen(Path(nas.samba.conf))
    before = conf.read_text()
    conf.write_text(before + lines)
    try:
        assert len(by_name(nas.daemon.ask("status"))) >= MANY + 20
        shown = assert_one_screen(nas)
        assert "and 19 more (--json has all)" in shown, shown
    finally:
        conf.write_text(before)


def test_without_a_daemon_it_says_what_to_type(nas: Nas) -> None:
    nas.daemon.stop()
    try:
        done = nas.daemon.ctl("status", check=False)
        assert done.returncode == 3
        assert "fsrvpd is not running" in done.stdout
        assert "systemctl start fsrvpd" in done.stdout
        assert done.stderr == "", "said once"
        told = json.loads(nas.daemon.ctl("status", "--json", check=False).stdout)
        assert (told["running"], told["well"]) == (False, False)
        assert "systemctl start fsrvpd" in told["problems"][0]["next_step"]
    finally:
        nas.daemon.start()
