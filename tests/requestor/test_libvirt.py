"""A guest of libvirt, frozen and thawed by virsh, whatever happens to who has frozen it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from lab import Lab
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.requestor.freezer import Freezer
from tests.requestor.lan import hide_the_machines_state
from tests.requestor.libvirt_host import NAME, URI, LibvirtHost

HANG = """
agent=$(pidof qemu-ga); kill -STOP $agent; echo HANGING > /dev/console
sleep 4; kill -CONT $agent
"""
STATE = Path("/var/lib/fsrvpshadow")


@pytest.fixture(scope="module")
def host() -> Iterator[LibvirtHost]:
    with Lab() as lab:
        hide_the_machines_state(lab)
        host = LibvirtHost(lab)
        host.start()
        yield host


@pytest.fixture(autouse=True)
def _is_thawed_afterwards(host: LibvirtHost) -> Iterator[None]:
    yield
    assert host.status() == "thawed"
    frozen = host.lab.seen(STATE / "frozen")
    assert not frozen.exists() or list(frozen.iterdir()) == []


def freezer(host: LibvirtHost, domain: str = NAME) -> Freezer:
    return Freezer(host.lab, STATE, f"domain:{domain}@{URI}")


def refused(host: LibvirtHost, domain: str) -> str:
    """What is said when it cannot be prepared."""
    client = freezer(host, domain)
    with pytest.raises(AssertionError, match="it ended"):
        client.go_on("prepared")
    client.end()
    return client.said


def test_frozen_and_thawed(host: LibvirtHost) -> None:
    client = freezer(host)
    client.go_on("frozen")
    assert host.status() == "frozen"
    copy = host.lab.directory / "copy.img"
    host.lab.run(["cp", "--sparse=always", host.image, copy])
    assert client.end() == 0
    assert "needs_recovery" not in host.lab.run(["dumpe2fs", "-h", copy]).stdout
    assert "needs_recovery" in host.lab.run(["dumpe2fs", "-h", host.image]).stdout


def test_the_client_is_killed(host: LibvirtHost) -> None:
    client = freezer(host)
    client.go_on("frozen")
    client.kill()
    wait_until("the keeper has thawed", lambda: host.status() == "thawed")
    wait_until("the keeper has ended", lambda: client.keeper() is None)


@pytest.mark.parametrize("step", ["watched", "frozen"])
def test_clean_thaws_what_both_have_left(host: LibvirtHost, step: str) -> None:
    client = freezer(host)
    client.go_on(step)
    client.kill_with_keeper()
    assert "thawed" in host.lab.run([SCRIPTS / "fsrvpshadow", "clean"]).stdout


def test_libvirtd_is_killed_while_the_guest_is_frozen(host: LibvirtHost) -> None:
    client = freezer(host)
    client.go_on("frozen")
    host.restart_libvirtd()
    assert client.end() == 0


def test_a_freeze_that_comes_late_is_thawed(host: LibvirtHost) -> None:
    """libvirt gives up while the agent hangs, which freezes all the same once it goes on."""
    frozen = host.hooks("freeze")
    client = freezer(host)
    client.go_on("watched")
    host.virsh("guest-agent-timeout", NAME, "--timeout", "1")
    host.run(HANG)
    wait_until("the agent hangs", lambda: "HANGING" in host.console.read_text())
    with pytest.raises(AssertionError, match="it ended"):
        client.go_on("frozen")
    assert client.end() != 0
    wait_until("the keeper has ended", lambda: client.keeper() is None, timeout=60)
    assert host.status() == "thawed"
    assert host.hooks("freeze") == host.hooks("thaw") == frozen + 1
    host.virsh("guest-agent-timeout", NAME, "--timeout", "-2")


def test_a_freeze_that_is_under_way_when_its_client_is_killed(host: LibvirtHost) -> None:
    """virsh and libvirt go on with it."""
    frozen, hung = host.hooks("freeze"), host.console.read_text().count("HANGING")
    client = freezer(host)
    client.go_on("watched")
    host.run(HANG)
    wait_until("the agent hangs", lambda: host.console.read_text().count("HANGING") > hung)
    client.begin()
    wait_until("virsh runs", lambda: any("domfsfreeze" in v for v in host.lab.processes().values()))
    client.kill()
    wait_until("the keeper has ended", lambda: client.keeper() is None, timeout=90)
    assert host.status() == "thawed"
    assert host.hooks("freeze") == host.hooks("thaw") == frozen + 1


def test_who_cannot_be_prepared(host: LibvirtHost) -> None:
    assert "it does not run" in refused(host, "missing")
    host.virsh("suspend", NAME)
    said = refused(host, NAME)
    host.virsh("resume", NAME)
    assert "domain is not running" in said
    assert "it does not run" not in said
    host.virsh("domfsfreeze", NAME)
    said = refused(host, NAME)
    host.virsh("domfsthaw", NAME)
    assert "frozen already" in said
