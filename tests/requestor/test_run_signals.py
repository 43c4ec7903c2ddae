"""Signals while writers prepare, freeze, are frozen and thaw, and while copies are mounted: all is
thawed, unmounted and deleted, and the exit status is the conventional one."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from lab.namespaces import wait_until
from tests.requestor.command_host import HOST, Host, Running, Server, open_host
from tests.requestor.file_servers import DIALECTS
from tests.requestor.test_command_signals import SIGNALS, ended, has_no_pending_signal

DATA = rf"\\{HOST}\data"
Opened = tuple[Server, Host]
# Says what it does in the file log, and does not end while there is a file of its name.
APPLICATION = """#!/bin/sh
echo $1 >> {directory}/log
while test -e {directory}/hold-$1; do sleep 0.05; done
"""
CONFIGURATION = """
[writer.application]
freeze = ["{directory}/application", "freeze"]
thaw = ["{directory}/application", "thaw"]
[writer.guest]
kind = "guest-agent"
sockets = ["{directory}/agent"]
"""


@pytest.fixture(scope="module", params=["current"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with open_host(DIALECTS[request.param]) as (server, host):
        application = host.directory / "application"
        application.write_text(APPLICATION.format(directory=host.directory))
        application.chmod(0o755)
        host.write_configuration(CONFIGURATION.format(directory=host.directory))
        yield server, host


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    server, host = opened
    (host.directory / "log").unlink(missing_ok=True)
    yield
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()
    frozen = host.lab.seen(Path("/var/lib/fsrvpshadow/frozen"))
    assert not frozen.exists() or os.listdir(frozen) == []


def done_by(host: Host) -> list[str]:
    log = host.directory / "log"
    return log.read_text().split() if log.exists() else []


def start(host: Host, *words: str) -> Running:
    return host.start("run", *words, DATA, "--", "echo", "not started")


@contextmanager
def held_up(host: Host, step: str) -> Iterator[None]:
    hold = host.directory / f"hold-{step}"
    hold.touch()
    try:
        yield
    finally:
        hold.unlink()


@SIGNALS
def test_while_writers_prepare(opened: Opened, number: signal.Signals) -> None:
    """A guest's agent that does not answer."""
    _, host = opened
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(60)
        path = host.directory / "agent"
        path.unlink(missing_ok=True)
        agent.bind(str(path))
        agent.listen()
        running = start(host, "--writer", "guest")
        connection, _ = agent.accept()
        with connection:
            running.process.signal(number)
            ended(running, number)
    assert "not started" not in running.said()


@SIGNALS
def test_while_a_writer_freezes(opened: Opened, number: signal.Signals) -> None:
    _, host = opened
    with held_up(host, "freeze"):
        running = start(host, "--writer", "application")
        wait_until("it freezes", lambda: done_by(host) == ["freeze"])
        running.process.signal(number)
        ended(running, number)
    assert done_by(host) == ["freeze", "thaw"]
    assert "not started" not in running.said()


@SIGNALS
def test_while_writers_are_frozen(opened: Opened, number: signal.Signals) -> None:
    server, host = opened
    with server.held_up("create"):
        running = start(host, "--writer", "application")
        server.wait_for_script("create")
        assert done_by(host) == ["freeze"]
        running.process.signal(number)
        wait_until("it thaws at once", lambda: done_by(host) == ["freeze", "thaw"])
    ended(running, number)
    assert "not started" not in running.said()


@SIGNALS
def test_while_a_writer_thaws(opened: Opened, number: signal.Signals) -> None:
    """It is waited for."""
    _, host = opened
    with held_up(host, "thaw"):
        running = start(host, "--writer", "application")
        wait_until("it thaws", lambda: done_by(host) == ["freeze", "thaw"])
        running.process.signal(number)
        wait_until("it has the signal", lambda: has_no_pending_signal(running))
        assert running.process.poll() is None
    ended(running, number)
    assert done_by(host) == ["freeze", "thaw"]


@SIGNALS
def test_while_copies_are_mounted(opened: Opened, number: signal.Signals) -> None:
    """Or a moment later."""
    _, host = opened
    running = host.start("--json", "run", DATA, "--", "sleep", "600")
    running.wait_for('"set-exposed"')
    running.process.signal(number)
    assert running.process.wait(120) == 128 + number, running.said()


def test_a_window_that_is_overrun_is_a_failure(opened: Opened) -> None:
    server, host = opened
    with server.held_up("create"):
        running = start(host, "--writer", "application", "--window", "5")
        wait_until("it is thawed", lambda: done_by(host) == ["freeze", "thaw"])
    assert running.process.wait(60) == 125
    assert "the window: it was over after 5 s" in running.said()
    assert "not started" not in running.said()
