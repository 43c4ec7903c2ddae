"""Hooks of QEMU's form around a set on a NAS: one that fails, one that hangs, and a server that
takes longer than applications may be held."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest

from lab.namespaces import wait_until
from tests.requestor import command_host
from tests.requestor.command_host import Running, Server, open_host
from tests.requestor.writer_jobs import FAILED, JOB, Answer, configuration, run_job

SHARE = r"\\127.0.0.9\data"
HOOK = """#!/bin/sh
echo "$(basename "$0") $1" >> {log}
[ "$1" = thaw ] || {{ :; {freeze}; }}
"""


class Host(NamedTuple):
    host: command_host.Host
    server: Server

    def hooks(self, **freeze: str) -> Hooks:
        return Hooks(self, freeze)

    def assert_nothing_is_left(self) -> None:
        self.server.assert_nothing_is_left()
        self.host.assert_no_state_is_left()
        commands = [" ".join(argv) for argv in self.server.lab.processes().values()]
        assert not [each for each in commands if each.startswith("sleep 600")]


class Hooks:
    """A directory of hooks: what each does at a freeze."""

    def __init__(self, host: Host, freeze: dict[str, str]) -> None:
        self._host, lab = host.host, host.server.lab
        made = lab.run(["mktemp", "-d", "-p", lab.directory]).stdout
        self._directory = Path(made.strip())
        self._log = self._directory / ".log"
        self._log.touch()
        for name, command in freeze.items():
            path = self._directory / name
            path.write_text(HOOK.format(log=self._log, freeze=command or "true"))
            path.chmod(0o755)

    def run(self, window: float = 10, **keys: Any) -> Answer:
        writers = {"app": {"hooks": str(self._directory), **keys}}
        return run_job(self._host, [SHARE], writers, window=window)

    def start(self) -> Running:
        keys = {"hooks": str(self._directory), "timeout": 60}
        text = configuration([SHARE], {"app": keys}, window=60)
        self._host.write_configuration(text)
        return self._host.start(*JOB, "true")

    def called(self) -> list[str]:
        return self._log.read_text().splitlines()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with open_host() as (server, host):
        yield Host(host, server)


def test_hooks_are_around_the_commit(host: Host) -> None:
    hooks = host.hooks(first="", second="")
    answer = hooks.run()
    assert answer.status == 0, answer
    assert hooks.called() == ["first freeze", "second freeze", "second thaw", "first thaw"]
    names = answer.names()
    assert names.index("writer-prepared") < names.index("set-started")
    assert names.index("set-prepared") < names.index("writer-frozen")
    assert names.index("writer-frozen") < names.index("set-committed")
    assert "CommitShadowCopySet" in [call.method for call in host.server.daemon.calls()]
    host.assert_nothing_is_left()


def test_a_hook_that_fails_ends_the_run(host: Host) -> None:
    hooks = host.hooks(first="", second="echo locked; exit 1", third="")
    answer = hooks.run()
    assert answer.status == FAILED
    assert "second ended with status 1: locked" in answer.error
    assert hooks.called() == ["first freeze", "second freeze", "second thaw", "first thaw"]
    host.assert_nothing_is_left()


def test_a_hook_that_hangs_is_killed_with_what_it_started(host: Host) -> None:
    hooks = host.hooks(first="", second="sleep 600 & sleep 600")
    answer = hooks.run(timeout=5)
    assert answer.status == FAILED
    assert "writer app" in answer.error
    assert hooks.called() == ["first freeze", "second freeze", "second thaw", "first thaw"]
    host.assert_nothing_is_left()


def test_without_a_hook_that_is_not_required_there_is_a_set(host: Host) -> None:
    hooks = host.hooks(only="exit 1")
    answer = hooks.run(required=False)
    assert answer.status == 0, answer
    assert answer.event("warning")["writer"] == "app"
    assert "set-committed" in answer.names()
    assert hooks.called() == ["only freeze", "only thaw"]
    host.assert_nothing_is_left()


def test_a_server_that_takes_longer_than_the_window(host: Host) -> None:
    hooks = host.hooks(only="")
    with ThreadPoolExecutor(1) as other, host.server.held_up("create"):
        running = other.submit(hooks.run, window=5.0)
        wait_until("the window's end thaws", lambda: hooks.called() == ["only freeze", "only thaw"])
        host.server.let_go("create")
        answer = running.result()
    assert answer.status == FAILED
    assert "the window: it was over after 5 s" in answer.error
    assert hooks.called() == ["only freeze", "only thaw"]
    host.assert_nothing_is_left()


def test_a_client_that_is_killed_leaves_no_hook_that_freezes_later(host: Host) -> None:
    """The keeper ends the hook, whose client has died, before it thaws."""
    hooks = host.hooks(first="", second="sleep 600; echo late >> $0.late")
    running = hooks.start()
    wait_until("the second freezes", lambda: hooks.called()[1:] == ["second freeze"])
    running.process.kill()
    thawed = ["first freeze", "second freeze", "second thaw", "first thaw"]
    wait_until("the keeper has thawed", lambda: hooks.called() == thawed)
    host.host.done("clean")
    host.assert_nothing_is_left()


def test_clean_ends_the_hook_of_a_client_that_was_killed_with_its_keeper(host: Host) -> None:
    hooks = host.hooks(first="", second="sleep 600; echo late >> $0.late")
    running = hooks.start()
    wait_until("the second freezes", lambda: hooks.called()[1:] == ["second freeze"])
    lab = host.server.lab
    [keeper] = [pid for pid, argv in lab.processes().items() if argv[-1].endswith(".keeper")]
    lab.run(["kill", "-STOP", str(keeper)])  # neither learns of the other's end
    running.process.kill()
    lab.run(["kill", "-KILL", str(keeper)])
    wait_until("the keeper has ended", lambda: keeper not in lab.processes())
    host.host.done("clean")
    assert hooks.called() == ["first freeze", "second freeze", "second thaw", "first thaw"]
    host.assert_nothing_is_left()
