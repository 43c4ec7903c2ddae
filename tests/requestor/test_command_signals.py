"""Signals in every stage of `run`, and two runs of one job.

The command gets the signal, the set goes, and the exit status is the conventional one.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from lab.namespaces import wait_until
from tests.requestor.command_host import HOST, Host, Running, Server, open_host
from tests.requestor.file_servers import DIALECTS

DATA, MORE = rf"\\{HOST}\data", rf"\\{HOST}\more"
# Each signal, with each agent. The fixture `opened` is given the agent's name in DIALECTS.
SIGNALS = pytest.mark.parametrize(
    ("opened", "number"),
    [
        pytest.param(dialect, number, id=f"{dialect}-{number.name}")
        for dialect in DIALECTS
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    ],
    indirect=["opened"],
    scope="module",  # those of one agent follow one another
)
Opened = tuple[Server, Host]


@pytest.fixture(scope="module", params=["current"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with open_host({**DIALECTS[request.param], "fsrvpd:parallel sets": "no"}) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    yield
    server, host = opened
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def ended(running: Running, number: signal.Signals) -> None:
    assert running.process.wait(120) == 128 + number, running.said()
    assert f"fsrvpshadow: ended by {number.name}" in running.said()


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """The agent answers nothing. The nsenter that waits for it stops with it, but does not go on
    with it."""
    daemon = server.daemon.pid
    status = Path(f"/proc/{daemon}/status").read_text()
    [nsenter] = re.findall(r"^PPid:\s+(\d+)$", status, re.M)
    os.kill(daemon, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (daemon, int(nsenter)):
            os.kill(pid, signal.SIGCONT)


@SIGNALS
def test_while_the_agent_does_not_answer(opened: Opened, number: signal.Signals) -> None:
    server, host = opened
    with stopped(server):
        running = host.start("run", MORE, "--", "echo", "not started")
        wait_until("it waits", lambda: is_connected(host, running))
        running.process.signal(number)
        ended(running, number)
    assert "not started" not in running.said()


def is_connected(host: Host, running: Running) -> bool:
    """Over SMB."""
    shown = host.lab.run(["ss", "-Htn", "state", "established", "dport", "=", ":445"]).stdout
    return running.process.poll() is None and bool(shown)


@SIGNALS
def test_while_the_server_is_busy_with_another_set(opened: Opened, number: signal.Signals) -> None:
    server, host = opened
    with server.another_client() as agent:
        set_id = agent.start()
        running = host.start("--json", "run", "--wait", "1h", MORE, "--", "echo", "not started")
        running.wait_for('"waiting"')
        running.process.signal(number)
        ended(running, number)
        agent.advance(Opnum.AbortShadowCopySet, set_id)
    assert "not started" not in running.said()


def test_a_busy_server_is_not_waited_for_unless_that_is_asked_for(opened: Opened) -> None:
    server, host = opened
    with server.another_client() as agent:
        set_id = agent.start()
        for words, status in ((("create", MORE), 4), (("run", MORE, "--", "true"), 125)):
            done = host.run(*words)
            assert done.returncode == status
            [line] = done.stderr.splitlines()
            assert line.startswith("fsrvpshadow: nas: ")
            assert "--wait" in line
        agent.advance(Opnum.AbortShadowCopySet, set_id)


@SIGNALS
def test_while_the_snapshot_is_taken(opened: Opened, number: signal.Signals) -> None:
    server, host = opened
    with server.held_up("create"):
        running = host.start("run", DATA, MORE, "--", "echo", "not started")
        server.wait_for_script("create")
        running.process.signal(number)
        wait_until("it has the signal", lambda: has_no_pending_signal(running))
    ended(running, number)
    assert "not started" not in running.said()


def has_no_pending_signal(running: Running) -> bool:
    with open(f"/proc/{running.process.pid}/status") as status:
        pending = [line.split()[1] for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    return not any(int(each, 16) for each in pending)


TWICE = pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGHUP, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGINT),
    ],
    ids=lambda number: number.name,
)


@TWICE
@pytest.mark.parametrize("what", ["create", "delete"])
def test_who_is_impatient_changes_nothing(
    opened: Opened, what: str, first: signal.Signals, second: signal.Signals
) -> None:
    """A second signal does not end the undoing, or the deletion."""
    server, host = opened
    with server.held_up(what):
        running = host.start("run", DATA, "--", "true")
        server.wait_for_script(what)
        for number in (first, second):
            running.process.signal(number)
            wait_until("it has the signal", lambda: has_no_pending_signal(running))
    ended(running, first)


@TWICE
def test_a_command_gets_each_signal(
    opened: Opened, first: signal.Signals, second: signal.Signals
) -> None:
    _, host = opened
    script = "import signal, sys\nfor each in (1, 2): signal.signal(each, lambda *a: None)\n"
    script += "print('ready', flush=True)\n"
    script += "for _ in range(2): signal.pause(); print('handled', flush=True)\nsys.exit(7)"
    running = host.start("run", MORE, "--", sys.executable, "-c", script)
    running.wait_for("ready")
    running.process.signal(first)
    running.wait_for("handled")
    running.process.signal(second)
    assert running.process.wait(60) == 7
    assert running.said().count("handled") == 2


@SIGNALS
def test_while_the_command_runs(opened: Opened, number: signal.Signals) -> None:
    _, host = opened
    running = host.start("run", MORE, "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.signal(number)
    assert running.process.wait(60) == 128 + number


@SIGNALS
def test_a_command_that_handles_the_signal_decides(opened: Opened, number: signal.Signals) -> None:
    _, host = opened
    handles = f"trap 'echo handled; exit 7' {number.name[3:]}; echo ready; "
    running = host.start("run", MORE, "--", "sh", "-c", handles + "while :; do sleep 0.05; done")
    running.wait_for("ready")
    running.process.signal(number)
    assert running.process.wait(60) == 7
    assert running.said().count("handled") == 1


@SIGNALS
def test_while_the_set_is_deleted(opened: Opened, number: signal.Signals) -> None:
    server, host = opened
    with server.held_up("delete"):
        running = host.start("run", DATA, "--", "true")
        server.wait_for_script("delete")
        running.process.signal(number)
        wait_until("it has the signal", lambda: has_no_pending_signal(running))
    ended(running, number)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
)
def test_a_command_that_fails_or_is_killed(opened: Opened, script: str, status: int) -> None:
    _, host = opened
    done = host.run("run", MORE, "--", "sh", "-c", script)
    assert (done.returncode, done.stderr) == (status, "")


def test_a_run_that_is_killed_is_cleaned_up_by_the_next_one(opened: Opened) -> None:
    server, host = opened
    host.write_configuration(f"[job.nightly]\nshares = ['{MORE}']\n")
    running = host.start("run", "-c", "nightly", "--", "sh", "-c", "echo ready; exec sleep 600")
    running.wait_for("ready")
    running.process.kill()
    [listed] = host.ask("list")
    assert (listed["job"], listed["kept"]) == ("nightly", False)
    assert len(server.daemon.ask("list-sets")) == 1
    count = ["run", "-c", "nightly", "--", "true"]
    assert host.done(*count) == ""


def test_the_second_run_of_a_job_is_refused_or_waits(opened: Opened) -> None:
    _, host = opened
    host.write_configuration(f"[job.nightly]\nshares = ['{MORE}']\n")
    fifo = host.directory / "fifo"
    host.lab.run(["mkfifo", fifo])
    first = host.start("run", "-c", "nightly", "--", "sh", "-c", f"echo ready; cat {fifo}")
    first.wait_for("ready")
    refused = host.run("run", "-c", "nightly", "--", "echo", "second")
    assert refused.returncode == 125
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    assert line.startswith("fsrvpshadow: job nightly: ")
    assert "--wait" in line
    second = host.start("run", "--wait", "60", "-c", "nightly", "--", "echo", "second")
    host.lab.run(["sh", "-c", f"echo go > {fifo}"])
    assert (first.process.wait(60), second.process.wait(60)) == (0, 0)
    assert "second" in second.said()


def test_a_set_of_another_run_is_waited_for_as_long_as_is_said(opened: Opened) -> None:
    """The server takes a second SetContext of this host for a new beginning."""
    server, host = opened
    with server.held_up("create"):
        first = host.start("run", DATA, "--", "true")
        server.wait_for_script("create")
        refused = host.run("--json", "create", "--wait", "0", MORE)
        assert refused.returncode == 4
        assert '"waiting"' not in refused.stdout
        assert "fsrvpshadow: nas: another run on this host is creating a set" in refused.stderr
        second = host.start("--json", "run", "--wait", "1h", MORE, "--", "true")
        second.wait_for('"waiting"')
    assert (first.process.wait(60), second.process.wait(60)) == (0, 0), second.said()


@SIGNALS
def test_while_it_waits_for_another_run(opened: Opened, number: signal.Signals) -> None:
    _, host = opened
    host.write_configuration(f"[job.nightly]\nshares = ['{MORE}']\n")
    first = host.start("run", "-c", "nightly", "--", "sh", "-c", "echo ready; exec sleep 600")
    first.wait_for("ready")
    second = host.start("--json", "run", "--wait", "1h", "-c", "nightly", "--", "echo", "no")
    second.wait_for('"waiting"')
    second.process.signal(number)
    ended(second, number)
    first.process.signal(signal.SIGTERM)
    assert first.process.wait(60) == 143
