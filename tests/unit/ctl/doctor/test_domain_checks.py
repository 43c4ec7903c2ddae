"""Checks of a domain member, with output of winbind, net and the keytab."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any, Optional

import pytest

from fsrvpd.ctl.doctor import domain_checks
from fsrvpd.ctl.doctor.result import Severity
from fsrvpd.errors import AuthenticationError
from samba_hooks.accounts import keytab
from tests.unit.ctl.doctor.examples import environment, only, severities

OK, NOTE, WARN, FAIL = Severity
MEMBER = {"server_role": "ROLE_DOMAIN_MEMBER", "realm": "LAB.TEST"}


@pytest.mark.parametrize(
    ("answers", "severity", "next_step"),
    [
        (None, FAIL, "apt install winbind"),
        ([], FAIL, "systemctl enable --now winbind"),
        (["--ping"], FAIL, "wbinfo --ping-dc; net ads testjoin"),
        (["--ping", "--ping-dc"], OK, ""),
    ],
    ids=["not installed", "not running", "no controller", "fine"],
)
def test_winbind(
    answers: Optional[list[str]],
    severity: Severity,
    next_step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if answers is None else name)
    monkeypatch.setattr(
        domain_checks, "output_of", lambda tool, option: "" if option in (answers or []) else None
    )
    finding = only(domain_checks.winbind, environment(**MEMBER))
    assert finding.severity is severity
    assert finding.next_step == next_step or answers is None


def test_winbind_is_not_needed_without_a_domain() -> None:
    assert only(domain_checks.winbind, environment()).severity is NOTE


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A member whose keytab has keys of versions 3 and 4."""
    path = tmp_path / "fsrvpd" / "krb5.keytab"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(keytab, "is_used", lambda samba: True)
    monkeypatch.setattr(keytab, "kept_by_others", lambda samba: None)
    monkeypatch.setattr(keytab, "key_versions", lambda path: {3, 4})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    return {**MEMBER, "state_directory": str(tmp_path)}


@pytest.mark.parametrize(
    ("printed", "severity"),
    [("msDS-KeyVersionNumber: 4", OK), ("msDS-KeyVersionNumber: 5", FAIL), ("", WARN)],
    ids=["current", "stale", "unknown"],
)
def test_keytab(exported: dict[str, Any], printed: str, severity: Severity) -> None:
    about = environment(printed={"net ads search": printed}, **exported)
    assert only(domain_checks.kerberos, about).severity is severity


def test_a_keytab_that_is_damaged_or_missing(
    exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> Any:
        raise AuthenticationError(f"{path}: the keytab is damaged")

    monkeypatch.setattr(keytab, "key_versions", fail)
    assert only(domain_checks.kerberos, environment(**exported)).severity is FAIL
    (Path(exported["state_directory"]) / "fsrvpd" / "krb5.keytab").unlink()
    finding = only(domain_checks.kerberos, environment(**exported))
    assert (finding.severity, finding.next_step) == (
        WARN,
        "net ads testjoin && systemctl restart fsrvpd",
    )


def test_a_keytab_of_others_is_not_deleted(
    exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> Any:
        raise AuthenticationError(f"{path}: the keytab is damaged")

    monkeypatch.setattr(keytab, "key_versions", fail)
    about = environment(**exported)
    path = f"{exported['state_directory']}/fsrvpd/krb5.keytab"
    assert only(domain_checks.kerberos, about).next_step.startswith(f"rm {path} && ")
    monkeypatch.setattr(keytab, "kept_by_others", lambda samba: path)
    finding = only(domain_checks.kerberos, about)
    assert (finding.severity, finding.next_step) == (FAIL, f"klist -k {path}")
    assert f"`mv {path} {path}.damaged && net ads keytab create -P`" in finding.text


def test_kerberos_without_its_library_or_without_a_domain(
    exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert only(domain_checks.kerberos, environment(**exported)).severity is WARN
    monkeypatch.setattr(keytab, "is_used", lambda samba: False)
    assert only(domain_checks.kerberos, environment()).severity is NOTE


@pytest.mark.parametrize(
    ("offset", "severity"), [(0, OK), (-59, OK), (60, WARN), (-300, FAIL), (4000, FAIL)]
)
def test_the_clock_of_a_member(offset: int, severity: Severity, exported: dict[str, Any]) -> None:
    printed = {"net ads info": f"Server time offset: {offset}\n"}
    assert only(domain_checks.clock, environment(printed=printed, **exported)).severity is severity


@pytest.mark.parametrize(("said", "severity"), [("yes", OK), ("no", WARN), (None, NOTE)])
def test_the_clock_without_a_domain(
    said: Optional[str], severity: Severity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain_checks, "output_of", lambda *argv: said)
    assert only(domain_checks.clock, environment()).severity is severity


def test_callers() -> None:
    group = "BUILTIN\\Backup Operators"
    printed = {
        f"net sam listmem {group}": f"{group} has 1 members\n LAB\\b\n",
        "net sam rights list": "BUILTIN\\Backup Operators\nLAB\\SQL01$\n",
    }
    findings = list(domain_checks.callers(environment(printed=printed)))
    assert [finding.text for finding in findings] == [
        "members of BUILTIN\\Backup Operators: LAB\\b",
        "holders of SeBackupPrivilege: LAB\\SQL01$",
    ]


def test_an_account_that_is_gone_is_no_caller() -> None:
    group = "BUILTIN\\Backup Operators"
    printed = {
        f"net sam listmem {group}": f"{group} has 1 members\n S-1-5-21-1-2-3-1001\n",
        "net sam rights list": "S-1-5-21-1-2-3-1002\n",
    }
    members, holders, nobody = domain_checks.callers(environment(printed=printed))
    assert [each.severity for each in (members, holders, nobody)] == [WARN] * 3
    assert members.next_step == f"net sam delmem '{group}' S-1-5-21-1-2-3-1001"
    assert (
        holders.next_step == "net rpc rights revoke -U root S-1-5-21-1-2-3-1002 SeBackupPrivilege"
    )


def test_nobody_may_call() -> None:
    assert severities(domain_checks.callers, environment()) == [WARN]
    finding = only(domain_checks.callers, environment(**MEMBER))
    assert finding.next_step == "net sam rights grant 'LAB\\backup' SeBackupPrivilege"
    assert "its controllers'" in finding.text
