"""The user of `doctor -U`: the login, and what Samba's clients say of it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any, Mapping

import pytest

from fsrvpd.ctl.doctor import smb_user
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smb_user import SmbLogin, SmbUser, login
from fsrvpd.ctl.doctor.smbd_address import LOOPBACK
from fsrvpd.errors import ConfigError
from fsrvpd.run_command import CommandFailed, Output
from samba_hooks.configuration import ROLE_STANDALONE
from tests.unit.ctl.doctor.examples import environment

OK, NOTE, WARN, FAIL = Severity
USER = SmbLogin(["-U", "backup"], "secret", "backup")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Samba's clients print, one after the other; they fail if it holds an error."""
    printed: list[str] = []

    def run(argv: list[str], *, timeout: float, environment: Mapping[str, str]) -> Output:
        assert environment["PASSWD"] == "secret"
        assert "secret" not in " ".join(argv)
        output = Output(printed.pop(0), "")
        if "NT_STATUS_" in output.stdout or "failed" in output.stdout:
            raise CommandFailed(argv, "failed", status=1, output=output)
        return output

    monkeypatch.setattr(smb_user, "run", run)
    monkeypatch.setattr(smb_user, "server_address", lambda directory: LOOPBACK)
    return printed


def user() -> SmbUser:
    about: Any = environment()
    about.tools.arguments = ["-s", "/smb.conf"]
    return SmbUser(about, USER)


def test_who_can_log_in(said: list[str]) -> None:
    said += ["", 'WARNING: The "syslog" option is deprecated\n']
    assert user().obstacle("data") is None
    assert user().obstacle("data") is None


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (
            "session setup failed: NT_STATUS_LOGON_FAILURE\n",
            "wrong name or password (NT_STATUS_LOGON",
        ),
        (
            "tree connect failed: NT_STATUS_ACCESS_DENIED\n",
            "does not let this user in (NT_STATUS_ACC",
        ),
        (
            "tree connect failed: NT_STATUS_IO_TIMEOUT\n",
            "tree connect failed: NT_STATUS_IO_TIMEOUT",
        ),
    ],
)
def test_who_cannot_log_in(said: list[str], printed: str, why: str) -> None:
    said.append(printed)
    finding = user().obstacle("data")
    assert finding is not None
    assert why in finding.text
    assert finding.next_step == "smbclient //127.0.0.1/data -U backup"


@pytest.mark.parametrize(
    ("printed", "severity", "next_step"),
    [
        ("UNC \\\\nas\\data\\ supports shadow copy requests\n", OK, ""),
        (
            'failed IsPathSupported response: 0x80070005 - "denied"\n',
            FAIL,
            "net sam rights grant 'NAS\\backup' SeBackupPrivilege",
        ),
        ("failed: NT_STATUS_PIPE_NOT_AVAILABLE\n", WARN, "journalctl -u fsrvpd -e"),
    ],
)
def test_the_right(said: list[str], printed: str, severity: Severity, next_step: str) -> None:
    said.append(printed)
    finding: Finding = user().right("data")
    assert (finding.severity, finding.next_step) == (severity, next_step)


def test_a_file_with_credentials(tmp_path: Path) -> None:
    file = tmp_path / "login"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        login(None, str(file), ROLE_STANDALONE)
    file.write_text("password = secret\n")
    with pytest.raises(ConfigError, match="no line `username"):
        login(None, str(file), ROLE_STANDALONE)
    file.write_text("username = backup\npassword = secret\n")
    assert login(None, str(file), ROLE_STANDALONE) == SmbLogin(["-A", str(file)], None, "backup")


@pytest.mark.parametrize(
    ("user", "file", "role", "expected"),
    [
        ("backup%secret", None, ROLE_STANDALONE, USER),
        ("backup%", None, ROLE_STANDALONE, SmbLogin(["-U", "backup"], "", "backup")),
        (None, None, "ROLE_DOMAIN_MEMBER", SmbLogin(["-P"])),
        (None, None, ROLE_STANDALONE, None),
    ],
)
def test_login_for_smbclient(user: Any, file: Any, role: str, expected: Any) -> None:
    assert login(user, file, role) == expected


def test_a_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "secret")
    assert login("backup", None, ROLE_STANDALONE) == USER

    def nobody(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nobody)
    with pytest.raises(ConfigError, match="use -A FILE"):
        login("backup", None, ROLE_STANDALONE)
