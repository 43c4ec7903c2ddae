"""Checks of the host: each state of it, with the command that repairs it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.ctl.doctor import host_checks
from fsrvpd.ctl.doctor.result import Severity
from fsrvpd.errors import AuthenticationError
from samba_hooks import samba_agent
from samba_hooks.accounts.passdb import LibraryMissing
from samba_hooks.registry.client import RegistryClient
from tests.unit.ctl.doctor.examples import SETTINGS, environment, only, severities

OK, NOTE, WARN, FAIL = Severity


@pytest.mark.parametrize(
    ("version", "severity"), [("4.12.9", FAIL), ("4.13.0", WARN), ("5.0.0pre1", WARN)]
)
def test_samba_is_new_enough(version: str, severity: Severity) -> None:
    finding = only(host_checks.samba, environment(samba_version=version))
    assert finding.severity is severity
    assert finding.next_step


def test_samba_is_read_through_its_library() -> None:
    registry = object.__new__(RegistryClient)
    finding = only(host_checks.samba, environment()._replace(registry=registry))
    assert finding.severity is OK


@pytest.mark.parametrize(
    ("raised", "severity", "text"),
    [
        (None, OK, "libsamba-passdb"),
        (LibraryMissing("libsamba-passdb.so.0 cannot be loaded"), WARN, "falls back to pdbedit"),
        (AuthenticationError("Samba cannot open its accounts"), FAIL, "cannot open"),
    ],
    ids=["library", "no library", "no accounts"],
)
def test_accounts(
    raised: Optional[Exception], severity: Severity, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Verifier:
        closed = False

        def __init__(self, tools: Any) -> None:
            pass

        def check(self) -> None:
            if raised is not None:
                raise raised

        def close(self) -> None:
            Verifier.closed = True

    monkeypatch.setattr(host_checks, "PassdbVerifier", Verifier)
    finding = only(host_checks.accounts, environment())
    assert finding.severity is severity
    assert text in finding.text
    assert bool(finding.next_step) == (severity is not OK)
    assert Verifier.closed


def test_accounts_of_others() -> None:
    assert severities(host_checks.accounts, environment(server_role="ROLE_DOMAIN_MEMBER")) == []
    assert "cluster" in only(host_checks.accounts, environment(clustering=True)).text


def test_options() -> None:
    assert severities(host_checks.options, environment()) == []
    lax = SimpleNamespace(requirement=SimpleNamespace(integrity=False))
    about = environment(warnings=["no such option"], settings=lax)
    assert severities(host_checks.options, about) == [WARN, WARN]


def test_registry_shares() -> None:
    assert only(host_checks.registry_shares, environment()).severity is OK
    finding = only(host_checks.registry_shares, environment(registry_shares=False))
    assert (finding.severity, finding.next_step) == (FAIL, "fsrvpctl setup")


@pytest.mark.parametrize(
    ("printed", "shares", "severity", "text"),
    [
        ("[local]\n-valid=P_BOOL,\npath=P_STRING,\n[global]\nx=P_BOOL,\n", [], OK, "all of"),
        ("[local]\nopen all=P_BOOL,\n[global]\n", [], WARN, "does not know open all;"),
        ("[local]\n[global]\n", ["catia", "of_a_vendor"], WARN, "know vfs object of_a_vendor;"),
    ],
    ids=["known", "a new parameter", "a vendor's module"],
)
def test_share_parameters(printed: str, shares: list[str], severity: Severity, text: str) -> None:
    about = environment(printed={"testparm": printed}, shares=shares)
    finding = only(host_checks.share_parameters, about)
    assert finding.severity is severity
    assert text in finding.text


def test_share_parameters_without_testparm() -> None:
    assert only(host_checks.share_parameters, environment()).severity is NOTE


@pytest.mark.parametrize(
    ("serve_pipe", "active", "moved", "severity"),
    [
        (True, True, False, WARN),
        (True, False, True, OK),
        (False, True, False, OK),
        (False, False, True, FAIL),
    ],
)
def test_sambas_own_agent(
    serve_pipe: bool, active: bool, moved: bool, severity: Severity, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = samba_agent.SambaAgent("/usr/libexec/samba", active, moved)
    monkeypatch.setattr(samba_agent, "find", lambda: agent)
    settings = SimpleNamespace(serve_pipe=serve_pipe)
    assert only(host_checks.samba_own_agent, environment(settings=settings)).severity is severity


def test_smbd(tmp_path: Path) -> None:
    about = environment(pid_directory=str(tmp_path))
    assert only(host_checks.smbd, about).next_step == "systemctl enable --now smbd"
    (tmp_path / "smbd.pid").write_text(f"{os.getpid()}")
    assert only(host_checks.smbd, about).severity is OK


@pytest.mark.parametrize(
    ("path", "ours", "retaken", "severity"),
    [("", False, 0, OK), ("/p", False, 0, FAIL), ("/p", True, 2, WARN), ("/p", True, 0, OK)],
    ids=["not served", "taken over", "taken back", "fine"],
)
def test_daemon_and_pipe(path: str, ours: bool, retaken: int, severity: Severity) -> None:
    pipe = {"path": path, "ours": ours, "retaken": retaken}
    assert severities(host_checks.daemon, running(pipe)) == [OK, severity]


def running(pipe: Any, *problems: str, left_out: int = 0) -> Any:
    """The environment of a daemon that reports these problems."""
    reported = [{"what": what, "text": f"{what}!", "next_step": "df"} for what in problems]
    status = {"version": "0.1.0", "pid": 7, "pipe": pipe, "problems": reported}
    return environment(lambda message: {**status, "problems_left_out": left_out})


def test_what_the_daemon_says_is_not_well() -> None:
    taken = {"path": "/p", "ours": False, "retaken": 0}
    about = running(taken, "backup-failed", "pipe-hijacked", "state-not-written", left_out=2)
    found = [each for each in host_checks.daemon(about) if each.topic == "status"]
    assert [(each.severity, each.text, each.next_step) for each in found] == [
        (WARN, "backup-failed!", "df"),
        (FAIL, "state-not-written!", "df"),
        (WARN, "2 more problems", "fsrvpctl fsrvpd status"),
    ]


def test_no_daemon() -> None:
    finding = only(host_checks.daemon, environment())
    assert finding.next_step == "systemctl enable --now fsrvpd"


@pytest.fixture
def directories(tmp_path: Path) -> dict[str, str]:
    """The relevant directories of Samba, in a correct state."""
    for name, mode in (("state/fsrvpd", 0o700), ("ncalrpc/np", 0o700), ("private", 0o700)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(mode)
    return {
        "state_directory": str(tmp_path / "state"),
        "ncalrpc_dir": str(tmp_path / "ncalrpc"),
        "private_dir": str(tmp_path / "private"),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="the directories have to be root's")
def test_directories(directories: dict[str, str]) -> None:
    about = environment(**directories)
    assert only(host_checks.directories, about).severity is OK
    path = os.path.join(directories["state_directory"], "fsrvpd")
    os.chmod(path, 0o710)
    finding = only(host_checks.directories, about)
    assert (finding.severity, finding.next_step) == (
        FAIL,
        f"chown root {path} && chmod 0700 {path}",
    )
    group = SimpleNamespace(**{**vars(SETTINGS), "admin_group": "backup"})
    assert only(host_checks.directories, environment(settings=group, **directories)).severity is OK
    os.rmdir(path)
    assert only(host_checks.directories, about).severity is NOTE
