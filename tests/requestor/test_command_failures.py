"""Bad input: one line with object, cause and next step, the exit status, and nothing left."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Iterator, NamedTuple

import pytest

from lab import User
from tests.requestor.command_host import HOST, Host, Server, open_host
from tests.requestor.file_servers import DIALECTS

MORE = rf"\\{HOST}\more"
Opened = tuple[Server, Host]


@pytest.fixture(scope="module", params=DIALECTS)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with open_host(DIALECTS[request.param]) as found:
        server, _ = found
        server.samba.add_user("reader")
        yield found


class Bad(NamedTuple):
    name: str
    words: list[str]
    status: int
    said: str  # a regular expression for the line behind "fsrvpshadow: "


BAD = [
    Bad("no share", ["create", rf"\\{HOST}\nothing"], 1, r"\\\\nas\\nothing: .+; .+"),
    Bad("cannot be copied", ["create", rf"\\{HOST}\plain"], 1, r"\\\\nas\\plain: .+; .+"),
    Bad("no server", ["create", r"\\nobody\data"], 1, r"\\\\nobody\\data: .+; .+"),
    Bad("no UNC", ["create", "data"], 2, "data: .+; .+"),
    Bad("twice", ["create", MORE, f"//{HOST}/MORE"], 1, r".*MORE: .*once.*; .+"),
    Bad("no set", ["delete", "--set", "0" * 32], 1, r"\{0{8}-.*\}: .+; .+list.*"),
    Bad("no GUID", ["delete", "--set", "x"], 2, "--set x: it is not a GUID; .+"),
    Bad("no file", ["-A", "/nothing", "create", MORE], 2, "/nothing: .+; .+"),
    Bad("no shares", ["create"], 2, "SHARE: none was given; .+"),
    Bad("no job", ["create", "-c", "x"], 2, "job x: .+; .+"),
    Bad("run: no share", ["run", rf"\\{HOST}\nothing", "--", "true"], 125, r"\\\\nas\\nothing: .+"),
    Bad("run: no command", ["run", MORE], 125, "COMMAND: none was given; .+"),
    Bad("run: not found", ["run", MORE, "--", "no-such-program"], 127, "no-such-program: .+; .+"),
    Bad("run: not a program", ["run", MORE, "--", "/etc/passwd"], 126, "/etc/passwd: .+; .+"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input(opened: Opened, bad: Bad) -> None:
    server, host = opened
    done = host.run(*bad.words)
    assert done.returncode == bad.status, done.stderr
    assert re.fullmatch(f"fsrvpshadow: {bad.said}\n", done.stderr), done.stderr
    assert done.stdout == ""
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def test_without_the_right_to_make_copies(opened: Opened) -> None:
    server, host = opened
    reader = host.write_credentials("reader", User("reader"))
    done = host.run("create", MORE, credentials=reader)
    assert done.returncode == 1
    assert re.fullmatch(r"fsrvpshadow: .*nas.*: .+; .+\n", done.stderr), done.stderr
    server.assert_nothing_is_left()
    wrong = host.write_credentials("wrong", User("root", "not-it"))
    done = host.run("create", MORE, credentials=wrong)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "not-it" not in done.stderr


def test_a_key_that_is_not_known(opened: Opened) -> None:
    server, host = opened
    host.write_configuration(f"[job.x]\nshares = ['{MORE}']\nwindw = 1\n")
    file = re.escape(str(host.directory / "fsrvpshadow.toml"))
    said = (
        f"fsrvpshadow: {file}, line 3: unknown key `windw`; known in \\[job.x\\]: shares, run.*\n"
    )
    try:
        for words, status in ((("create", "-c", "x"), 2), (("run", "-c", "x", "--", "true"), 125)):
            done = host.run(*words)
            assert done.returncode == status
            assert re.fullmatch(said, done.stderr), done.stderr
    finally:
        host.write_configuration("")
    server.assert_nothing_is_left()


@contextmanager
def without_agent(server: Server) -> Iterator[None]:
    server.daemon.stop()
    try:
        yield
    finally:
        server.daemon.start()


def test_without_an_agent(opened: Opened) -> None:
    """One command: each asks for the pipe for some seconds. `check` has its test in test_check."""
    server, host = opened
    with without_agent(server):
        done = host.run("--json", "create", MORE)
    assert done.returncode == 1
    assert re.fullmatch(r"fsrvpshadow: .*nas.*: .+; .+\n", done.stderr), done.stderr
    [event] = done.stdout.splitlines()
    assert '"event": "failed"' in event
    host.assert_no_state_is_left()


def test_the_server_goes_while_the_command_runs(opened: Opened) -> None:
    """The backup may be complete, but the set is still there: `clean` removes it later."""
    server, host = opened
    running = host.start("run", MORE, "--", "sh", "-c", f"echo ready; cat {fifo(host)}")
    running.wait_for("ready")
    server.samba.stop()
    host.lab.run(["sh", "-c", f"echo go > {fifo(host)}"])
    assert running.process.wait(240) == 125
    [line] = [each for each in running.said().splitlines() if each.startswith("fsrvpshadow: ")]
    assert re.fullmatch(r"fsrvpshadow: .*nas.*: .+; .+", line)
    failed = host.run("clean")
    assert failed.returncode == 5, failed.stdout + failed.stderr
    server.samba.start()
    assert "removed" in host.done("clean")
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def test_the_server_removes_the_copy_while_the_command_runs(opened: Opened) -> None:
    """The next run of the job is warned beforehand."""
    server, host = opened
    words = ["run", MORE, "--", "sh", "-c", f"echo ready; cat {fifo(host)}"]
    running = host.start(*words)
    running.wait_for("ready")
    [found] = server.daemon.ask("list-sets")
    server.daemon.ctl("delete-set", found["set"])
    host.lab.run(["sh", "-c", f"echo go > {fifo(host)}"])
    assert running.process.wait(60) == 125
    assert "the server has removed the copy before COMMAND ended" in running.said()
    running = host.start(*words)
    running.wait_for("ready")
    assert "fsrvpshadow: warning: job sh-" in running.said()
    host.lab.run(["sh", "-c", f"echo go > {fifo(host)}"])
    assert running.process.wait(60) == 0
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def fifo(host: Host) -> str:
    path = host.directory / "fifo"
    if not path.exists():
        host.lab.run(["mkfifo", path])
    return str(path)


def test_the_server_goes_during_the_commit(opened: Opened) -> None:
    server, host = opened
    with server.held_up("create"):
        running = host.start("create", rf"\\{HOST}\data")
        server.wait_for_script("create")
        server.samba.stop()
    status = running.process.wait(240)
    lines = running.said().splitlines()
    assert status == 5, lines
    assert re.fullmatch(r"fsrvpshadow: .*nas.*: .+; .*fsrvpshadow clean.*", lines[-1])
    server.samba.start()
    host.done("clean")
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()
