"""fsrvpshadow in a domain: names, and the owner's rule, where Kerberos proves names."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.domain import CONTROLLER, MEMBER
from tests.ad.nas import Nas
from tests.interop.nas import TORTURE_SHARE
from tests.requestor.lan import hide_the_machines_state

UNC = rf"\\{MEMBER}\{TORTURE_SHARE}"


@pytest.fixture(scope="module", autouse=True)
def state_of_its_own(nas: Nas) -> Iterator[None]:
    hide_the_machines_state(nas.lab)
    yield
    nas.lab.run(["umount", "/var/lib"])


def command(nas: Nas, *words: str) -> subprocess.CompletedProcess[str]:
    tickets = nas.domain.kinit(nas.admin)
    configuration = {"XDG_CONFIG_HOME": str(nas.lab.directory)}
    argv = [nas.scripts / "fsrvpshadow", "-k", "--json", *words]
    return nas.lab.run(argv, environment={**tickets, **configuration}, check=False)


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    [report] = map(json.loads, done.stdout.splitlines())
    return {each["topic"]: each for each in report["findings"] if each["severity"] != "note"}


def test_check_with_a_ticket(nas: Nas) -> None:
    done = command(nas, "check", UNC)
    found = findings(done)
    assert done.returncode == 0, found
    assert "by Kerberos; SMB 3.1.1, signed" in found["login"]["text"]
    # Not whether everything can be read: another test may have left a file.
    assert {found[topic]["severity"] for topic in ("login", "agent", "snapshot")} == {"ok"}


def test_an_owner_of_the_same_domain_is_contacted_with_a_ticket(nas: Nas) -> None:
    """Here it is the controller, which has no agent."""
    with nas.other_daemon(**{"fsrvpd:owner name": CONTROLLER}):
        assert (
            f"the copy will be made on {CONTROLLER}"
            in findings(command(nas, "check", UNC))["snapshot"]["text"]
        )
        failed = command(nas, "create", UNC)
    assert failed.returncode == 1
    assert f"{CONTROLLER}: no agent of MS-FSRVP" in failed.stdout + failed.stderr


@pytest.mark.parametrize("owner", ["evil.example.com", "127.0.0.1"])
def test_any_other_owner_is_refused(nas: Nas, owner: str) -> None:
    with nas.other_daemon(**{"fsrvpd:owner name": owner}):
        snapshot = findings(command(nas, "check", UNC))["snapshot"]
    assert snapshot["severity"] == "fail"
    assert f"leads to '{owner}', which did not prove" in snapshot["text"]


def test_neither_password_nor_ticket_is_shown(agent: Nas) -> None:
    """In arguments, environments, logs and what is printed; the cache is named, no more."""
    tickets = agent.domain.kinit(agent.admin)
    [cache] = [value.partition(":")[2] or value for value in tickets.values() if "/" in value]
    secrets = [agent.admin.password, *printable(agent.lab.seen(Path(cache)).read_bytes())]
    look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
    words = ("-v", "run", "--no-mount", UNC, "--", "sh", "-c", look)
    done = command(agent, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FSRVPSHADOW_SHARE_1" in done.stdout + done.stderr
    said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    said += agent.daemon.read_log().splitlines()
    assert [line for line in said if any(secret in line for secret in secrets)] == []


def printable(data: bytes) -> list[str]:
    """The forms in which the end of the cache, a ticket, would be logged."""
    return [data[-48:-16].hex(), base64.b64encode(data[-60:-15]).decode()[4:-4]]
