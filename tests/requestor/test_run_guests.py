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
from lab.namespaces import wait_until
from tests.requestor.command_host import HOST, Host, Running, Server, open_host
from tests.requestor.emulated_guest import EmulatedGuest, shortest

SHARE = rf"\\{HOST}\data"
WINDOW = 5  # s, where it is waited for
AFTER_DEATH = 1.0  # s in which the guest is thawed once the command is dead, or its window over
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

    def thawed_after(self, began: float) -> float:
        """Wait for it. Returns the seconds since then."""
        wait_until("the guest is thawed", lambda: self.guest.status() == "thawed")
        return time.monotonic() - began

    def assert_nothing_is_left(self) -> None:
        wait_until("the keeper has ended", lambda: not self.has_keeper())
        frozen = self.host.lab.seen(Path("/var/lib/fsrvpshadow/frozen"))
        assert not frozen.exists() or os.listdir(frozen) == []
        self.host.assert_no_state_is_left()
        self.server.assert_nothing_is_left()

    def has_keeper(self) -> bool:
        return any("keeper" in argv[-1] for argv in self.host.lab.processes().values())


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
    print(opened.server.daemon.read_log()[-4000:])  # shown where something is left
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
    def trial() -> float:
        with machines.server.held_up("create"):
            running = machines.start_until_frozen()
            running.process.signal(signal.SIGKILL)
            took = machines.thawed_after(time.monotonic())
            running.process.wait()
        machines.host.done("clean")
        return took

    assert shortest(trial, AFTER_DEATH) < AFTER_DEATH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_window(machines: Machines, number: signal.Signals) -> None:
    with machines.server.held_up("create"):
        running = machines.start_until_frozen()
        running.process.signal(number)
        machines.thawed_after(time.monotonic())
    assert running.process.wait() in (128 + number, -number)


def test_the_command_is_stopped_in_the_window(machines: Machines) -> None:
    """What it has done until it goes on is of no use: nobody knows which moment the copy is of."""
    machines.configure(window=WINDOW)

    def trial() -> float:
        with machines.server.held_up("create"):
            running = machines.start_until_frozen()
            over = time.monotonic() + WINDOW + KEEPERS_DELAY
            running.process.signal(signal.SIGSTOP)
            took = machines.thawed_after(over)
            running.process.resume()
        assert running.process.wait() == 125
        said = running.said()
        assert f"it was over after {WINDOW} s, and the applications were thawed" in said
        return took

    assert shortest(trial, AFTER_DEATH) < AFTER_DEATH
