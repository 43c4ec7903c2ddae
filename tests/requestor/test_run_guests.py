"""`fsrvpshadow run` on a host of virtual machines, with an image on a share: the guest writes all
the time, is frozen while the copy is made, and is thawed whatever happens to the command."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.requestor.writers.group import KEEPERS_DELAY
from lab.namespaces import SLOWNESS, wait_until
from tests.requestor.command_host import HOST, Host, Running, Server, open_host
from tests.requestor.emulated_guest import EmulatedGuest

SHARE = rf"\\{HOST}\data"
CONFIGURATION = """
[writer.web]
kind = "guest-agent"
sockets = ["{socket}"]

[job.vm]
shares = ['{share}']
writers = ["web"]
window = {window}
run = ["cp", "--sparse=always", "data/vm.img", "{copy}"]
"""


class Machines(NamedTuple):
    server: Server
    host: Host
    guest: EmulatedGuest

    @property
    def copy(self) -> Path:
        return self.host.directory / "copy.img"

    def configure(self, window: float) -> None:
        values = {"socket": self.guest.socket, "share": SHARE, "copy": self.copy, "window": window}
        self.host.write_configuration(CONFIGURATION.format(**values))

    def start_until_frozen(self) -> Running:
        """The server does not end its commit."""
        running = self.host.start("--json", "run", "-c", "vm")
        wait_until("the guest is frozen", lambda: self.guest.status() == "frozen")
        return running

    def wait_until_thawed(self, seconds: float, since: float) -> None:
        wait_until("the guest is thawed", lambda: self.guest.status() == "thawed")
        assert time.monotonic() - since < seconds * SLOWNESS

    def assert_nothing_is_left(self) -> None:
        frozen = self.host.lab.seen(Path("/var/lib/fsrvpshadow/frozen"))
        assert not frozen.exists() or os.listdir(frozen) == []
        self.host.assert_no_state_is_left()
        self.server.assert_nothing_is_left()
        assert not any("keeper" in argv[-1] for argv in self.host.lab.processes().values())


@pytest.fixture(scope="module")
def opened() -> Iterator[Machines]:
    with open_host() as (server, host):
        image = server.volumes["data"] / "data" / "vm.img"
        host.lab.run(["truncate", "-s", "64M", image])
        host.lab.run(["mkfs.ext4", "-q", image])
        guest = EmulatedGuest(host.lab, image)
        guest.wait_until_up()
        guest.wait_for_console("WRITING")
        yield Machines(server, host, guest)


@pytest.fixture
def machines(opened: Machines) -> Iterator[Machines]:
    opened.configure(window=10)
    yield opened
    assert opened.guest.status() == "thawed"
    assert opened.guest.hooks("freeze") == opened.guest.hooks("thaw")
    opened.assert_nothing_is_left()


def test_the_copy_needs_no_recovery(machines: Machines) -> None:
    said = [
        json.loads(line) for line in machines.host.done("--json", "run", "-c", "vm").splitlines()
    ]
    of_writer = {each["event"]: each for each in said if each.get("writer") == "web"}
    assert of_writer["writer-frozen"]["ms"] > 0
    assert of_writer["writer-thawed"]["held_ms"] > 0
    [window] = [each for each in said if each["event"] == "writers-thawed"]
    assert window["worst_writer"] == "web"
    headers = machines.host.lab.run(["dumpe2fs", "-h", machines.copy]).stdout
    assert "has_journal" in headers
    assert "needs_recovery" not in headers
    assert machines.host.lab.run(["e2fsck", "-fn", machines.copy], check=False).returncode == 0


def test_the_command_is_killed_in_the_window(machines: Machines) -> None:
    with machines.server.held_up("create"):
        running = machines.start_until_frozen()
        running.process.signal(signal.SIGKILL)
        machines.wait_until_thawed(1.0, since=time.monotonic())
        running.process.wait()
    machines.host.done("clean")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_window(machines: Machines, number: signal.Signals) -> None:
    with machines.server.held_up("create"):
        running = machines.start_until_frozen()
        running.process.signal(number)
        machines.wait_until_thawed(10.0, since=time.monotonic())
    assert running.process.wait() in (128 + number, -number)


def test_the_command_is_stopped_in_the_window(machines: Machines) -> None:
    """What it has done until it goes on is of no use: nobody knows which moment the copy is of."""
    machines.configure(window=2)
    with machines.server.held_up("create"):
        running = machines.start_until_frozen()
        deadline = time.monotonic() + 2 + KEEPERS_DELAY
        running.process.signal(signal.SIGSTOP)
        machines.wait_until_thawed(1.0, since=deadline)
        running.process.resume()
    assert running.process.wait() == 125
    assert "it was over after 2 s, and the applications were thawed" in running.said()
