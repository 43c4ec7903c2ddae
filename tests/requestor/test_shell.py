"""The words of DISKSHADOW against fsrvpd and against Samba's own agent."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Iterator, Sequence

import pytest

from fsrvpd.requestor.writers.agent_socket import FREEZE, THAW
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.requestor.file_servers import WINDOWS, FileServer, Network, open_network
from tests.unit.requestor.shell.masked import expected, masked, script
from tests.unit.requestor.writers.fake_agent import FakeAgent

WRITER = b"Writer Verify {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}\r\n"
VOLATILE, PERSISTENT = "set context volatile", "set context persistent nowriters"
AGENTS = {"ours": False, "samba": True}


class Host:
    """The client with `fsrvpshadow shell`. Each server has one share."""

    def __init__(self, network: Network) -> None:
        self.lab = network.client
        self.network = network
        self.servers = {name: each for each in network.servers for name in each.volumes}
        self.directory = self.lab.directory / "host"
        self.directory.mkdir()
        self.lab.run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"])
        root = network.servers[0].samba.root
        self.credentials = self.directory / "credentials"
        self.credentials.touch(0o600)
        self.credentials.write_text(f"username = {root.name}\npassword = {root.password}\n")

    def unc(self, share: str) -> str:
        return self.servers[share.lower()].unc(share)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.directory), "TZ": "UTC"}

    def argv(self, *words: str) -> list[str]:
        return [str(SCRIPTS / "fsrvpshadow"), "-A", str(self.credentials), *words]

    def script(self, text: bytes) -> Path:
        """Metadata files are in its directory."""
        path = self.directory / "script.dsh"
        path.write_bytes(text.replace(b"vm1backup", os.fsencode(self.directory / "vm1backup")))
        return path

    def run(self, text: bytes, *options: str) -> subprocess.CompletedProcess[str]:
        """A script. It is compared as if it named metadata files without a directory."""
        self._wait_for_another_second()
        argv = self.argv(*options, "shell", "-s", str(self.script(text)))
        done = self.lab.run(argv, check=False, environment=self.environment)
        done.stdout = done.stdout.replace(f"{self.directory}/", "")
        return done

    def _wait_for_another_second(self) -> None:
        """Samba's vfs_btrfs names a snapshot by its second: a script may copy a share once."""
        now = int(time.time())
        wait_until("another second begins", lambda: int(time.time()) > now)

    def done(self, *lines: str) -> list[str]:
        """What a script prints that must succeed, without the lines themselves."""
        done = self.run("\n".join(lines).encode())
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return [line for line in done.stdout.splitlines()[3:] if not line.startswith("-> ")]

    def copies(self) -> list[str]:
        """The shares of which there are copies."""
        begin = "\t\t- Original volume name: "
        lines = [line for line in self.done("list shadows all") if line.startswith(begin)]
        return [line.rpartition("\\ [")[0].rpartition("\\")[2].lower() for line in lines]

    def program(self, text: str) -> Path:
        path = self.directory / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path


@pytest.fixture(scope="module", params=AGENTS)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with open_network(["vm"], ["data"], own_agent=AGENTS[request.param]) as network:
        yield Host(network)


@pytest.fixture(scope="module")
def windows() -> Iterator[Host]:
    with open_network(["vm"], options=WINDOWS) as network:
        yield Host(network)


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "host" not in request.fixturenames:
        return
    host = request.getfixturevalue("host")
    if any(server.shadow_shares() for server in host.servers.values()):
        host.done("delete shadows all")
    host.network.assert_nothing_is_left()


def answered(server: FileServer) -> str:
    """Whose agent did: each proves it in its own way."""
    if server.daemon is not None:
        return "ours" if any(call.opnum == 5 for call in server.daemon.calls()) else "nobody"
    helpers = (argv[0] for argv in server.lab.processes().values())
    return "samba" if any(name.endswith("rpcd_fsrvp") for name in helpers) else "nobody"


def test_the_sessions_of_microsofts_description(host: Host, request: pytest.FixtureRequest) -> None:
    for name in ("backup", "restore", "delete"):
        done = host.run(script(name, host.unc("vm")))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert masked(done.stdout) == expected(name)
        if name == "backup":
            assert f"Original volume name: {host.unc('VM')}\\ [" in done.stdout
            [shadow] = host.servers["vm"].shadow_shares()
            assert shadow.lower() in done.stdout.lower()
    host.network.assert_nothing_is_left()
    assert answered(host.servers["vm"]) == request.node.callspec.params["host"]


@pytest.mark.parametrize("options", [[], ["--encrypt"]], ids=["signed", "encrypted"])
def test_a_server_of_2012_that_demands_privacy(windows: Host, options: list[str]) -> None:
    (windows.directory / "vm1backup.cab").unlink(missing_ok=True)  # of an earlier test
    for name in ("backup", "restore", "delete"):
        done = windows.run(script(name, windows.unc("vm")), *options)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert masked(done.stdout) == expected(name)
    windows.network.assert_nothing_is_left()


def test_the_first_line_of_the_description_stops_the_script(host: Host) -> None:
    done = host.run(WRITER + script("backup", host.unc("vm")))
    assert done.returncode == 1
    assert ".dsh:1: {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}: this writer is not here" in done.stderr
    assert host.copies() == []


def test_the_first_line_passes_where_guests_are_configured(host: Host) -> None:
    """They are frozen while either agent commits; a guest that boots is in test_shell_guests.py."""
    configuration = host.directory / ".config" / "fsrvpshadow.toml"
    configuration.parent.mkdir()
    (host.directory / "vm1backup.cab").unlink(missing_ok=True)  # of an earlier test
    with closing(FakeAgent(host.lab.directory / "agent")) as guest:
        text = f'[writer.web]\nkind = "guest-agent"\nsockets = ["{guest.path}"]\n'
        configuration.write_text(text)
        try:
            done = host.run(WRITER + script("backup", host.unc("vm")))
        finally:
            configuration.unlink()
            configuration.parent.rmdir()
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert masked(done.stdout) == "-> Writer Verify {ID}\n" + expected("backup")
        assert (guest.asked.count(FREEZE), guest.asked.count(THAW)) == (1, 1)
        assert not guest.is_frozen
    assert host.copies() == ["vm"]


def numbers(printed: Sequence[str]) -> list[str]:
    """How many copies were listed and deleted, one after the other."""
    begin = "Number of shadow copies "
    return [line[len(begin) :] for line in printed if line.startswith(begin)]


def test_two_sets_and_each_way_to_delete(host: Host) -> None:
    unc = host.unc("VM")
    add_vm, add_data = f"add volume {host.unc('vm')}", f"add volume {host.unc('data')}"
    shown = host.done(PERSISTENT, add_vm, add_data, "create")
    assert shown.count("\t\t- Original count of shadow copies = 2") == 2
    shown = host.done(PERSISTENT, add_vm, "create", "list shadows all")
    assert numbers(shown) == ["listed: 1", "listed: 3"]
    delete = (f"delete shadows oldest {unc}", "list shadows all", f"delete shadows volume {unc}\\")
    shown = host.done(PERSISTENT, add_vm, "create", *delete, *["delete shadows all"] * 2)
    assert numbers(shown)[1:] == [
        "deleted: 1",
        "listed: 3",
        "deleted: 2",
        "deleted: 1",
        "deleted: 0",
    ]


def test_by_alias_and_path(host: Host) -> None:
    add_vm, add_data = f"add volume {host.unc('vm')}", f"add volume {host.unc('data')}"
    shown = host.done(
        *(PERSISTENT, "set metadata vm1backup.json", f"{add_vm} alias Vm", add_data, "create"),
        *("delete shadows id %VM%", "list shadows set %VSS_SHADOW_SET%"),
    )
    assert numbers(shown) == ["listed: 2", "deleted: 1", "listed: 1"]
    shown = host.done(
        *("load metadata vm1backup.json", "delete shadows set %VSS_SHADOW_SET%"),
        *(PERSISTENT, add_vm, "create"),
    )
    assert numbers(shown) == ["deleted: 1", "listed: 1"]
    device = next(line for line in shown if "device name: " in line).partition(": ")[2]
    assert numbers(host.done(f"delete shadows exposed {device}")) == ["deleted: 1"]


def test_what_is_volatile_ends_with_the_session(host: Host) -> None:
    add_vm, add_data = f"add volume {host.unc('vm')}", f"add volume {host.unc('data')}"
    create = (add_vm, "create", "reset", "list shadows all", add_data, "create", "begin backup")
    shown = host.done(*create)
    assert numbers(shown) == ["listed: 1", "listed: 0", "listed: 1"]
    assert shown.count("\t\t- Attributes:  Auto_Release FileShare") == 2
    host.network.assert_nothing_is_left()


def test_a_script_that_fails_half_way_leaves_what_is_persistent(host: Host) -> None:
    lines = [
        *(PERSISTENT, f"add volume {host.unc('vm')}", "create"),
        *(VOLATILE, f"add volume {host.unc('data')}", "create"),
        "expose %VSS_SHADOW_1% p:",
        "reset",
    ]
    done = host.run("\r\n".join(lines).encode("utf-16"))
    assert done.returncode == 1
    assert "script.dsh:7: EXPOSE: every copy is a share already" in done.stderr
    assert host.copies() == ["vm"]


def test_what_the_server_refuses_names_line_and_share(host: Host) -> None:
    done = host.run(f"add volume {host.servers['vm'].unc('missing')}\ncreate\n".encode())
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "script.dsh:2: CREATE: " in line
    assert "missing" in line
    assert host.copies() == []


def test_exec_reads_the_copy(host: Host) -> None:
    copied = host.directory / "copied"
    program = host.program(
        f'smbclient -A {host.credentials} "$FSRVPSHADOW_SHARE_1" -c "get file.txt {copied}"'
        " 2> /dev/null\n"
        f'echo "$Vm" "$VSS_SHADOW_SET" "$FSRVPSHADOW_SET" > {copied}.ids'
    )
    shown = host.done(f"add volume {host.unc('vm')} alias Vm", "create", f"exec {program}")
    assert copied.read_text() == "vm\n"
    copy, first, second = Path(f"{copied}.ids").read_text().split()
    assert f"Alias Vm for shadow ID {copy} set as environment variable." in shown
    assert first == second
    assert f"Alias VSS_SHADOW_SET for shadow set ID {first} set as environment variable." in shown


def test_a_program_that_fails_ends_the_script(host: Host) -> None:
    lines = [f"add volume {host.unc('vm')}", "create", f"exec {host.program('exit 7')}"]
    done = host.run("\n".join(lines).encode())
    assert done.returncode == 1
    assert "script.dsh:3: EXEC: " in done.stderr
    assert "it ended with exit status 7" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_during_exec(host: Host, number: signal.Signals) -> None:
    up = host.directory / "up"
    program = host.program(f"trap 'exit 0' TERM HUP INT; touch {up}; while :; do sleep 0.1; done")
    path = host.script(f"add volume {host.unc('vm')}\ncreate\nexec {program}\n".encode())
    shell = host.lab.popen(
        host.argv("shell", "-s", str(path)),
        output=host.directory / "output",
        environment=host.environment,
    )
    wait_until("the program runs", up.exists)
    up.unlink()
    shell.signal(number)
    if number == signal.SIGKILL:
        shell.wait()
        host.lab.run(["sh", "-c", 'kill -9 $(pgrep -f "$1")', "sh", str(program)], check=False)
        host.lab.run(host.argv("clean"), environment=host.environment)
    else:
        assert shell.wait() in (128 + number, -number)
    host.network.assert_nothing_is_left()


def test_somebody_at_a_terminal(host: Host) -> None:
    """Words are completed, a line is brought back, and a mistake does not end the session."""
    keys = [
        *(f"add vol\t{host.unc('vm')}\r", "create\r", "frobnicate\r", "\x1b[A\x1b[A\r"),
        *("delete sha\tid %VSS_SHADOW_1\t\r", "exit\r"),
    ]
    typed = " ".join(host.argv("shell"))
    argv = ["script", "--quiet", "--return", "--command", typed, "/dev/null"]
    environment = {**host.environment, "TERM": "dumb"}
    done = host.lab.run(argv, input="".join(keys), environment=environment, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("DISKSHADOW> ") == 6
    assert "Number of shadow copies listed: 1" in done.stdout
    assert "frobnicate: no such word" in done.stdout
    assert "CREATE: no share was added" in done.stdout
    assert "Number of shadow copies deleted: 1" in done.stdout
    history = host.directory / ".local/state/fsrvpshadow/shell-history"
    assert f"add volume {host.unc('vm')}\ncreate\n" in history.read_text()
