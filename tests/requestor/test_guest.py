"""A guest under emulation that writes to an image on a share: frozen and thawed, whatever happens
to whoever has frozen it."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.requestor.writers.agent import AgentFailure
from fsrvpd.requestor.writers.agent_socket import AgentSocket
from fsrvpd.requestor.writers.guest_agent import GuestAgentWriter
from lab import Lab
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.requestor.emulated_guest import EmulatedGuest, shortest
from tests.requestor.freezer import Freezer
from tests.requestor.lan import hide_the_machines_state

IMAGE_SIZE = 256 << 20
HANG = """
sleep 4; agent=$(pidof qemu-ga); kill -STOP $agent; echo HANGING > /dev/console
sleep 8; kill -CONT $agent
"""
LIMIT = 4.0  # s: so long the keeper lets a client be stopped
AFTER_DEATH = 1.0  # s in which a guest is thawed once its client is dead, or its deadline over


class Host:
    """Of virtual machines, with one guest, which writes all the time to an image on a volume."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        hide_the_machines_state(lab)
        self.volume = lab.volume("btrfs", "vm")
        self.image = self.volume / "data" / "vm.img"
        lab.run(["btrfs", "-q", "subvolume", "create", self.image.parent])
        lab.run(["truncate", "-s", str(IMAGE_SIZE), self.image])
        lab.run(["mkfs.ext4", "-q", self.image])
        self.guest = EmulatedGuest(lab, self.image)
        self.state = Path("/var/lib/fsrvpshadow")
        self.guest.wait_until_up()
        self.guest.wait_for_console("WRITING")

    def freezer(self, seconds: float = 60.0) -> Freezer:
        return Freezer(self.lab, self.state, f"socket:{self.guest.socket}", seconds=seconds)

    def copied(self, name: str) -> Path:
        """The image in a snapshot of the volume."""
        self.lab.run(
            ["btrfs", "-q", "subvolume", "snapshot", "-r", self.image.parent, self.volume / name]
        )
        return self.volume / name / self.image.name

    def needs_recovery(self, image: Path) -> bool:
        return "needs_recovery" in self.lab.run(["dumpe2fs", "-h", image]).stdout

    def records(self) -> list[str]:
        frozen = self.lab.seen(self.state / "frozen")
        return os.listdir(frozen) if frozen.exists() else []

    def clean(self) -> str:
        """Nobody logs in: nothing is left on a server."""
        return self.lab.run([SCRIPTS / "fsrvpshadow", "clean"]).stdout

    def thawed_after(self, began: float) -> float:
        """Wait for it. Returns the seconds since then."""
        wait_until("the guest is thawed", lambda: self.guest.status() == "thawed")
        return time.monotonic() - began

    def wait_for_the_keepers_end(self, freezer: Freezer) -> None:
        wait_until("the keeper has ended", lambda: freezer.keeper() is None)
        assert self.records() == []


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        yield Host(lab)


@pytest.fixture(autouse=True)
def _is_thawed_afterwards(host: Host) -> Iterator[None]:
    yield
    assert host.guest.status() == "thawed"


@pytest.fixture
def writer(host: Host) -> Iterator[GuestAgentWriter]:
    with closing(GuestAgentWriter("vm", AgentSocket(str(host.guest.socket)), timeout=30)) as made:
        yield made


def test_a_frozen_image_needs_no_recovery(host: Host) -> None:
    freezer = host.freezer()
    freezer.go_on("frozen")
    frozen = host.copied("frozen")
    assert len(host.records()) == 1
    assert freezer.end() == 0
    host.wait_for_the_keepers_end(freezer)
    unfrozen = host.copied("unfrozen")
    assert not host.needs_recovery(frozen)
    assert host.needs_recovery(unfrozen)  # what e2fsck finds in it is as chance has it
    assert host.lab.run(["e2fsck", "-fn", frozen], check=False).returncode == 0


def test_the_client_is_killed(host: Host) -> None:
    def trial() -> float:
        freezer = host.freezer()
        freezer.go_on("frozen")
        assert host.guest.status() == "frozen"
        freezer.kill()
        took = host.thawed_after(time.monotonic())
        host.wait_for_the_keepers_end(freezer)
        return took

    assert shortest(trial, AFTER_DEATH) < AFTER_DEATH


@pytest.mark.parametrize("step", ["asked to freeze", "frozen"])
def test_the_client_is_stopped(host: Host, step: str) -> None:
    """Also one that holds the agent's socket, through which nobody else would get."""

    def trial() -> float:
        freezer = host.freezer(seconds=LIMIT)
        freezer.go_on("watched")
        over = time.monotonic() + LIMIT
        freezer.go_on(step)
        freezer.stop()
        wait_until("the deadline is over", lambda: time.monotonic() > over)
        took = host.thawed_after(over)
        freezer.kill()
        host.wait_for_the_keepers_end(freezer)
        return took

    assert shortest(trial, AFTER_DEATH) < AFTER_DEATH


def test_signals_do_not_end_the_keeper(host: Host) -> None:
    freezer = host.freezer()
    freezer.go_on("frozen")
    pid = freezer.keeper()
    for number in ("HUP", "INT", "TERM"):
        host.lab.run(["kill", f"-{number}", str(pid)])
    assert freezer.keeper() == pid
    assert freezer.end() == 0
    host.wait_for_the_keepers_end(freezer)


def test_a_client_whose_keeper_is_killed_thaws_itself(host: Host) -> None:
    freezer = host.freezer()
    freezer.go_on("frozen")
    host.lab.run(["kill", "-KILL", str(freezer.keeper())])
    assert freezer.end() == 0
    assert host.guest.status() == "thawed"
    assert host.records() == []


STEPS = ("prepared", "started", "watched", "asked to freeze", "frozen", "asked to thaw", "thawed")


@pytest.mark.parametrize("step", STEPS)
def test_clean_thaws_what_both_have_left(host: Host, step: str) -> None:
    """kill -9 of the client and of its keeper at every change of state."""
    freezer = host.freezer()
    freezer.go_on(step)
    freezer.kill_with_keeper()
    host.clean()
    assert host.guest.status() == "thawed"
    assert host.records() == []


def test_clean_leaves_alone_what_a_live_client_has_frozen(host: Host) -> None:
    freezer = host.freezer()
    freezer.go_on("frozen")
    assert "in use" in host.clean()
    assert host.guest.status() == "frozen"
    assert freezer.end() == 0
    host.wait_for_the_keepers_end(freezer)


def test_a_freeze_that_comes_late_is_thawed(host: Host, writer: GuestAgentWriter) -> None:
    """The agent hangs for a while, and does then what it was asked for."""
    frozen, thawed = host.guest.hooks("freeze"), host.guest.hooks("thaw")
    writer.timeout = 1.0
    host.guest.run(HANG)
    writer.prepare()
    host.guest.wait_for_console("HANGING")
    with pytest.raises(AgentFailure, match="does not answer in time"):
        writer.freeze()
    writer.thaw()
    assert host.guest.status() == "thawed"
    assert host.guest.hooks("freeze") == frozen + 1
    assert host.guest.hooks("thaw") == thawed + 1


def test_an_agent_that_is_killed_while_all_is_frozen(host: Host, writer: GuestAgentWriter) -> None:
    host.guest.run("sleep 4; kill -KILL $(pidof qemu-ga); echo KILLED > /dev/console")
    writer.prepare()
    writer.freeze()
    host.guest.wait_for_console("KILLED")
    writer.thaw()
    assert host.guest.status() == "thawed"


def test_zero_file_systems_are_not_frozen(host: Host, writer: GuestAgentWriter) -> None:
    """And a guest that is off is not frozen."""
    host.guest.run("umount -l /data; echo UNMOUNTED > /dev/console")
    host.guest.wait_for_console("UNMOUNTED")
    writer.prepare()
    with pytest.raises(AgentFailure, match="has frozen 0 file systems"):
        writer.freeze()
    writer.thaw()
    host.guest.process.kill()
    writer.thaw()
    with pytest.raises(AgentFailure, match="nothing listens at its socket"):
        writer.prepare()
    host.guest.restart()
    host.guest.wait_until_up()
