"""No password is where somebody else can read it, however it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from lab import User
from lab.daemon import SCRIPTS
from lab.namespaces import Argument
from tests.requestor.command_host import HOST, Host, Server, open_host
from tests.requestor.file_servers import DIALECTS

SECRET = "Correct-Horse-7"
KEEPER = User("keeper", SECRET)
MORE = rf"\\{HOST}\more"
# Runs a command at a terminal of its own, and types the content of a file when it begins to speak.
TYPIST = """
import os, pty, sys

secrets = [open(sys.argv[1], "rb").read()]

def read(terminal):
    data = os.read(terminal, 65536)
    if secrets and data.startswith(b"Password for"):
        os.write(terminal, secrets.pop())
    return data

sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))
"""
# What every process of this host shows to others.
LOOK = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
Way = Callable[..., "subprocess.CompletedProcess[str]"]


class Place(NamedTuple):
    server: Server
    host: Host

    def with_file(self, *words: Argument) -> subprocess.CompletedProcess[str]:
        file = self.host.write_credentials("secret", KEEPER)
        return self.host.run(*words, credentials=file)

    def with_systemd(self, *words: Argument) -> subprocess.CompletedProcess[str]:
        folder = self.host.directory / "loaded"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.host.write_credentials("loaded/fsrvpshadow.credentials", KEEPER)
        environment = {**self.host.environment, "CREDENTIALS_DIRECTORY": str(folder)}
        argv = [SCRIPTS / "fsrvpshadow", *words]
        return self.host.lab.run(argv, check=False, environment=environment)

    def at_a_prompt(self, *words: Argument) -> subprocess.CompletedProcess[str]:
        typed = self.host.directory / "typed"
        typed.write_text(f"{SECRET}\n")
        shadow = [SCRIPTS / "fsrvpshadow", "-U", KEEPER.name, *words]
        argv = [sys.executable, "-c", TYPIST, typed, *shadow]
        return self.host.lab.run(argv, check=False, environment=self.host.environment)


@pytest.fixture(scope="module", params=DIALECTS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    options = {**DIALECTS[request.param], "fsrvpd:admin group": "root"}
    with open_host(options) as (server, host):
        server.samba.add_user(KEEPER.name, SECRET)
        server.samba.net("sam", "rights", "grant", KEEPER.name, "SeBackupPrivilege")
        yield Place(server, host)


@pytest.mark.parametrize("way", [Place.with_file, Place.with_systemd, Place.at_a_prompt])
def test_no_secret_in_arguments_environment_logs_state_or_output(place: Place, way: Way) -> None:
    seen = way(place, "-v", "run", MORE, "--", "sh", "-c", LOOK)
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "FSRVPSHADOW_SHARE_1" in seen.stdout
    said = [seen.stdout, seen.stderr]
    state = place.server.lab.seen(Path("/var/lib/fsrvpshadow"))
    created = way(place, "-v", "--json", "create", MORE)
    assert created.returncode == 0, created.stdout + created.stderr
    said += [
        Path(folder, name).read_text() for folder, _, names in os.walk(state) for name in names
    ]
    assert any('"Recovered"' in each for each in said)
    [listed] = place.host.ask("list")
    for words, status in (
        (["-v", "delete", "--set", listed["set"]], 0),
        (["-v", "check", MORE], 0),
        (["-v", "create", rf"\\{HOST}\nothing"], 1),
    ):
        done = way(place, *words)
        assert done.returncode == status, done.stdout + done.stderr
        said += [done.stdout, done.stderr]
    said += [place.server.daemon.read_log()]
    lines = [line for each in said for line in each.splitlines()]
    assert [line for line in lines if SECRET in line] == []
    place.server.assert_nothing_is_left()


def test_a_password_is_no_argument(place: Place) -> None:
    host = place.host
    for words in (["create", MORE], ["list"], ["list", MORE], ["clean"], ["shell"]):
        done = host.run_without_file("-U", f"root%{SECRET}", *words)
        assert done.returncode == 2, words
        assert "use -A FILE" in done.stderr
        assert SECRET not in done.stderr
    open_file = host.write_credentials("open", User("root", SECRET))
    open_file.chmod(0o644)
    done = host.run("create", MORE, credentials=open_file)
    assert done.returncode in (1, 2)
    assert "chmod" in done.stderr
    assert SECRET not in done.stderr
