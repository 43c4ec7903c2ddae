from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount import cifs
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.run_command import CommandFailed


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> List[Dict[str, Any]]:
    calls: List[Dict[str, Any]] = []

    def run(argv: List[str], **more: Any) -> None:
        [reader] = more["keep_open"]
        calls.append({"argv": argv, **more, "secret": os.read(reader, 1000)})

    monkeypatch.setattr(cifs, "run", run)
    return calls


UNC = "\\\\nas\\data@{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"


def test_the_password_is_no_argument_and_no_variable(called: List[Dict[str, Any]]) -> None:
    who = Credentials("NAS\\backup", "geheim,1")
    cifs.mount(UNC, "a\\b", Path("/mnt/x"), who, False)
    [call] = called
    what = "//nas/data@{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}/a/b"
    assert call["argv"][:3] == ["mount.cifs", what, "/mnt/x"]
    assert "geheim" not in str(call["argv"]) + str(call["environment"])
    assert call["environment"] == {"PASSWD_FD": str(call["keep_open"][0])}
    assert call["secret"] == b"geheim,1"
    words = call["argv"][-1].split(",")
    assert {"ro", "sec=ntlmsspi", "username=backup", "domain=NAS"} <= set(words)
    assert "seal" not in words


def test_encrypted_and_with_tickets(called: List[Dict[str, Any]]) -> None:
    cifs.mount(UNC, "", Path("/mnt/x"), Credentials("", kerberos=True), True)
    words = called[0]["argv"][-1].split(",")
    assert {"sec=krb5i", f"cruid={os.geteuid()}", "seal"} <= set(words)


def test_a_name_that_would_be_an_option_is_refused(called: List[Dict[str, Any]]) -> None:
    with pytest.raises(RequestorError, match="comma"):
        cifs.mount(UNC, "", Path("/mnt/x"), Credentials("a,uid=0", "x"), False)
    assert called == []


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: List[str], **more: Any) -> None:
        raise CommandFailed(argv, "mount.cifs failed: mount error(13): Permission denied")

    def missing(argv: List[str], **more: Any) -> None:
        raise CommandFailed(argv, "cannot run", error_number=2)

    who = Credentials("backup", "x")
    monkeypatch.setattr(cifs, "run", fail)
    with pytest.raises(RequestorError, match="Permission denied"):
        cifs.mount(UNC, "", Path("/mnt/x"), who, False)
    monkeypatch.setattr(cifs, "run", missing)
    with pytest.raises(RequestorError, match="apt install cifs-utils"):
        cifs.mount(UNC, "", Path("/mnt/x"), who, False)
