"""`run` over two servers, against our agent, also as Windows' is, and against Samba's own."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from lab.namespaces import wait_until
from tests.requestor.command_host import Host
from tests.requestor.file_servers import WINDOWS, Network, open_network

AGENTS: Mapping[str, Mapping[str, Any]] = {
    "current": {},
    "ws2012-privacy": {"options": WINDOWS},
    "rpcd_fsrvp": {"own_agent": True},
}
Opened = tuple[Network, Host]


@pytest.fixture(scope="module", params=AGENTS)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with open_network(["data"], ["vm"], **AGENTS[request.param]) as network:
        host = Host(network.client, network.servers[0].samba.root)
        yield network, host


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    yield
    network, host = opened
    network.assert_nothing_is_left()
    host.assert_no_state_is_left()


def shares(network: Network) -> list[str]:
    first, second = network.servers
    return [first.unc("data"), second.unc("vm")]


def test_a_command_reads_the_copies_of_both(opened: Opened) -> None:
    network, host = opened
    read = f'smbclient "$share" -A {host.credentials} -c "get file.txt -"'
    script = f'for share in "$FSRVPSHADOW_SHARE_1" "$FSRVPSHADOW_SHARE_2"; do {read}; done; exit 3'
    done = host.run("--json", "run", *shares(network), "--", "sh", "-c", script)
    assert done.returncode == 3, done.stderr
    assert "data\n" in done.stderr
    assert "vm\n" in done.stderr
    [created] = [each for each in map(json.loads, done.stdout.splitlines()) if "copies" in each]
    assert [each["share"] for each in created["copies"]] == shares(network)
    assert created["skew_ms"] <= created["window_ms"]
    for server in network.servers:
        programs = {Path(argv[0]).name for argv in server.lab.processes().values()}
        if server.daemon is not None:
            assert "CommitShadowCopySet" in [call.method for call in server.daemon.calls()]
        assert ("rpcd_fsrvp" in programs) == (server.daemon is None)


def test_a_signal_ends_the_command_and_both_sets(opened: Opened) -> None:
    network, host = opened
    running = host.start("run", *shares(network), "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.signal(signal.SIGTERM)
    assert running.process.wait(60) == 143


def test_a_killed_run_is_cleaned_up_on_both(opened: Opened) -> None:
    network, host = opened
    running = host.start("run", *shares(network), "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.kill()
    outcomes: list[str] = []

    def is_clean() -> bool:
        """Those who serve the mounts end when their client does, and may have some time left."""
        found = [each["outcome"] for each in host.ask("clean") if "outcome" in each]
        outcomes.extend(each for each in found if each != "in-use")
        return "in-use" not in found

    wait_until("nobody serves the mounts any more", is_clean)
    assert outcomes.count("removed") == 2  # sets; some mounts may have ended by themselves


def test_one_that_cannot_be_copied_stops_both(opened: Opened) -> None:
    network, host = opened
    first, second = network.servers
    done = host.run("run", first.unc("data"), second.unc("nothing"), "--", "echo", "started")
    assert (done.returncode, done.stdout) == (125, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"fsrvpshadow: {second.unc('nothing')}: ")
