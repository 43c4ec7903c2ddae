"""`fsrvpshadow check` against real servers: what works, and what will fail tonight."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from fsrvpd.protocol.hresult import HResult
from lab import User
from lab.samba import ROOT
from tests.requestor.file_servers import DIALECTS
from tests.requestor.lan import OPERATOR, READER, Lan, open_lan


@pytest.fixture(scope="module", params=DIALECTS)
def lan(request: pytest.FixtureRequest) -> Iterator[Lan]:
    with open_lan(DIALECTS[request.param]) as opened:
        yield opened


@pytest.fixture(scope="module")
def without_agent() -> Iterator[Lan]:
    with open_lan(with_agent=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def sambas() -> Iterator[Lan]:
    with open_lan(own_agent=True) as opened:
        yield opened


def check(lan: Lan, *shares: str, user: User = ROOT) -> tuple[int, list[dict[str, Any]]]:
    done = lan.command("--json", "check", *shares, user=user)
    reports = done.json()
    assert reports, done.said
    return done.status, reports


def findings(report: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """By topic; notes are left out."""
    return {
        each["topic"]: (each["severity"], each["text"], each["next_step"])
        for each in report["findings"]
        if each["severity"] != "note"
    }


def test_all_is_well(lan: Lan) -> None:
    status, [report] = check(lan, r"\\10.0.0.7\data")
    found = findings(report)
    assert status == 0, found
    assert report["root"] == r"\\nas\data"
    assert set(found) == {"name", "login", "read", "space", "agent", "snapshot"}
    assert {severity for severity, *_ in found.values()} == {"ok"}
    assert "by NTLM; SMB 3.1.1, signed" in found["login"][1]
    assert found["read"][1] == "all 3 files and 2 directories can be opened"
    assert "MS-FSRVP, version 1" in found["agent"][1]


def test_encryption_that_the_server_demands_is_seen(lan: Lan) -> None:
    lan.samba.set_option("server smb encrypt", "required")
    lan.samba.reload()
    try:
        status, [report] = check(lan, r"\\nas\data")
    finally:
        lan.samba.set_option("server smb encrypt", None)
        lan.samba.reload()
    assert status == 0
    assert findings(report)["login"][1] == "as root by NTLM; SMB 3.1.1, encrypted"


def test_nothing_is_created(lan: Lan) -> None:
    assert lan.daemon is not None
    before = len(lan.daemon.calls())
    check(lan, r"\\nas\data")
    calls = lan.daemon.calls()[before:]
    asked = [call.method for call in calls if call.result != HResult.E_ACCESSDENIED]
    assert asked == ["GetSupportedVersion", "IsPathSupported", "IsPathShadowCopied"]


def test_a_user_may_snapshot_but_not_read(lan: Lan) -> None:
    status, [data, private] = check(lan, r"\\nas\data", r"\\nas\private", user=OPERATOR)
    assert status == 1
    assert findings(data)["snapshot"][0] == "ok"
    severity, text, next_step = findings(data)["read"]
    assert severity == "warn"
    assert "operator may not open secret: 1 of 3 files and 2 directories" in text
    assert next_step.endswith("in [data]: fsrvp:backup users = operator")
    severity, text, next_step = findings(private)["read"]
    assert severity == "fail"
    assert text == "operator may not list it, nor its copies"


def test_a_user_may_read_but_not_snapshot(lan: Lan) -> None:
    status, [report] = check(lan, r"\\nas\data", user=READER)
    assert status == 1
    assert findings(report)["agent"][0] == "ok"
    severity, text, next_step = findings(report)["snapshot"]
    assert (severity, text) == ("fail", "reader may not have shares copied")
    assert "net sam rights grant 'reader' SeBackupPrivilege" in next_step


def test_the_line_to_type_helps(lan: Lan) -> None:
    user = lan.samba.add_user("newcomer")
    assert check(lan, r"\\nas\data", user=user)[0] == 1
    lan.samba.net("sam", "rights", "grant", user.name, "SeBackupPrivilege")
    status, [report] = check(lan, r"\\nas\data", user=user)
    assert findings(report)["snapshot"][0] == "ok"
    assert status == 0


def test_what_cannot_be_copied(lan: Lan) -> None:
    status, [pictures, missing] = check(lan, r"\\nas\pictures", r"\\nas\nosuch")
    assert status == 1
    severity, text, next_step = findings(pictures)["snapshot"]
    assert (severity, text) == ("fail", "nothing on the server can copy the volume of this share")
    assert next_step.endswith("fsrvpctl fsrvpd check-path pictures")
    assert findings(pictures)["read"][0] == "ok"
    assert findings(missing)["read"][0] == "fail"
    assert findings(missing)["snapshot"][:2] == ("fail", "the agent knows no such share")


def test_a_wrong_password_is_one_finding(lan: Lan) -> None:
    status, reports = check(lan, r"\\nas\data", r"\\nas\private", user=User(ROOT.name, "wrong"))
    assert status == 1
    for report in reports:
        assert set(findings(report)) == {"login"}
        assert "the password is wrong" in findings(report)["login"][1]


def test_sambas_own_agent_is_one(sambas: Lan) -> None:
    """No fsrvpd is in this lab."""
    status, [report] = check(sambas, r"\\nas.example.org\data")
    found = findings(report)
    assert status == 0, found
    assert found["agent"][:2] == ("ok", "MS-FSRVP, version 1")
    assert found["snapshot"][:2] == ("ok", "root may have it copied")


def test_a_server_without_any_agent(without_agent: Lan) -> None:
    status, [report] = check(without_agent, r"\\nas\data")
    assert status == 1
    severity, text, next_step = findings(report)["agent"]
    assert severity == "fail"
    assert text.startswith("none answers: ")
    assert "Install-WindowsFeature FS-VSS-Agent" in next_step
    assert findings(report)["read"][0] == "ok"
    assert "snapshot" not in findings(report)


def test_for_people_it_is_one_screen(lan: Lan) -> None:
    done = lan.command("check", r"\\nas\data", user=OPERATOR)
    lines = done.process.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
