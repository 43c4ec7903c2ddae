"""`list`: what this host has made."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.requestor.ctl import configuration, listing, opening
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.errors import Refused
from fsrvpd.requestor.ports import SetRecord, SetState
from tests.paths import ROOT
from tests.unit.requestor.ctl.fake_requestor import COPY, SET, record


def of(*records: SetRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SimpleNamespace(records=lambda: list(records))
    monkeypatch.setattr(listing, "StateFiles", SimpleNamespace(of_user=lambda warn: store))


def test_a_line_for_each_server_of_a_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    of(record(started=listing.time.time() - 7300), monkeypatch=monkeypatch)
    assert main(["list"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["SET", "SERVER", "STATE", "AGE", "JOB", "SHARES"]
    assert line.split() == [SET, "nas", "Recovered", "2", "h", "nightly", "\\\\nas\\data"]


def test_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    of(monkeypatch=monkeypatch)
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "no sets\n"
    assert main(["--json", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    young = record(state=SetState.STARTED, server_set_id=None, copies=(), owner="node2")
    of(record(pid=0), young, monkeypatch=monkeypatch)
    assert main(["--json", "list"]) == 0
    kept, started = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert kept == {
        "set": SET,
        "server": "nas",
        "server_set": COPY,
        "state": "Recovered",
        "context": "file share backup (0x10)",
        "kept": True,
        "job": "nightly",
        "started": 1_700_000_000,
        "copies": [
            {"share": "\\\\nas\\data", "copy": COPY, "shadow_share": f"\\\\nas\\data@{COPY}"}
        ],
    }
    assert (started["server"], started["server_set"], started["copies"]) == ("node2", None, [])
    assert not started["kept"]


def test_shares_are_asked_for_at_their_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def foreign_copies(share: str) -> Any:
        if share == "c":
            raise Refused("c", "the agent does not say", "ask an admin")
        return SimpleNamespace(present=share == "a")

    requestor = SimpleNamespace(foreign_copies=foreign_copies)
    monkeypatch.setattr(opening, "open_requestor", lambda settings, output: requestor)
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    assert main(["list", "a", "b", "c"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ("a: its volume has a shadow copy\nb: its volume has no shadow copy\n")
    assert printed.err == "fsrvpshadow: c: the agent does not say; ask an admin\n"


def test_a_list_needs_nothing_that_speaks_smb() -> None:
    """Completion waits for it."""
    script = (
        "import sys; import fsrvpd.requestor.ctl.listing\n"
        "print({'spnego', 'smbprotocol', 'cryptography'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_password_on_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nobody logs in: it is in the list of processes already."""
    assert main(["-U", "a%b", "list"]) == 2
    assert "use -A FILE" in capsys.readouterr().err
