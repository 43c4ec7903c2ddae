"""The commands against an agent that follows Windows Server 2012, and one that demands privacy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator, Mapping

import pytest

from lab.namespaces import wait_until
from tests.paths import ROOT
from tests.requestor.command_host import HOST, Host, Server, open_host

WINDOWS_AGENT = Path(__file__).with_name("windows_agent.py")
MORE = rf"\\{HOST}\more"
AGENTS: Mapping[str, Mapping[str, str]] = {
    "ws2012": {"fsrvpd:dialect": "ws2012"},
    "privacy": {"fsrvpd:require rpc privacy": "yes"},
}
Opened = tuple[Server, Host]


@pytest.fixture(scope="module", params=AGENTS)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with open_host(AGENTS[request.param]) as found:
        yield found


@pytest.mark.parametrize("options", [[], ["--encrypt"]], ids=["signed", "encrypted"])
def test_the_whole_life_of_a_set(opened: Opened, options: list[str]) -> None:
    server, host = opened
    checked = host.run(*options, "resolve", MORE)
    assert checked.returncode == 0, checked.stdout
    done = host.run(*options, "run", rf"\\{HOST}\data", MORE, "--", "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")
    lines = host.ask(*options, "create", "--persistent", MORE)
    [created] = [line for line in lines if "event" not in line]
    [listed] = host.ask("list")
    assert listed["state"] == "Recovered"
    words = ["--set", created["set"], "--copy", created["copies"][0]["copy"]]
    assert "deleted" in host.done(*options, "delete", *words)
    failed = host.run(*options, "delete", *words)
    assert failed.returncode == 1
    methods = [call.method for call in server.daemon.calls()]
    assert methods.count("DeleteShareMapping") == methods.count("AddToShadowCopySet")
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def clean_up(host: Host) -> None:
    """Whoever serves the mounts ends when his client does, and may have some time left."""
    said: list[str] = []

    def is_clean() -> bool:
        said.append(host.done("clean"))
        return "in use" not in said[-1]

    wait_until("nobody serves the mounts any more", is_clean)
    assert "removed" in "".join(said)


def test_a_run_that_is_killed(opened: Opened) -> None:
    server, host = opened
    running = host.start("run", MORE, "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.kill()
    clean_up(host)
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


@pytest.fixture
def resting(opened: Opened) -> Iterator[Path]:
    """The agent rests after an abort, as Windows', while this file is there."""
    server, _ = opened
    file = server.lab.directory / "rests"
    file.touch()
    server.daemon.stop()
    server.daemon.start(["env", f"PYTHONPATH={ROOT}", sys.executable, WINDOWS_AGENT, file])
    yield file
    server.daemon.restart()


def test_a_server_that_refuses_for_half_an_hour_is_waited_for(
    opened: Opened, resting: Path
) -> None:
    """After the abort of a set that is Added: its second share is of a volume that it has."""
    server, host = opened
    server.add_share_of_more("twin")
    failed = host.run("create", MORE, rf"\\{HOST}\twin")
    assert failed.returncode == 1, failed.stderr
    assert "AddToShadowCopySet" in failed.stderr
    assert "AbortShadowCopySet" in [call.method for call in server.daemon.calls()]
    refused = host.run("create", MORE)
    assert refused.returncode == 4
    assert "one was aborted a short while ago" in refused.stderr
    running = host.start("--json", "run", "--wait", "1h", MORE, "--", "true")
    running.wait_for('"waiting"')
    resting.unlink()
    assert running.process.wait(120) == 0, running.said()
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def test_what_a_killed_run_had_exposed_is_removed_without_such_a_rest(
    opened: Opened, resting: Path
) -> None:
    server, host = opened
    running = host.start("run", MORE, "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.kill()
    clean_up(host)
    assert host.done("run", MORE, "--", "echo", "at once") == "at once\n"
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()
