"""A power cut: everything that was not synced to the disks is lost.

Volumes and Samba's state are in files behind loop devices. A copy of such a file is what the
disk holds at that moment, without what the kernel has not written yet.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Iterator

import pytest

from lab import Lab, Samba
from lab.namespaces import wait_until
from tests.interop.nas import OPTIONS, Nas, make_shares, make_volumes
from tests.reliability.assertions import assert_as_told, end_all, write
from tests.reliability.fault_injection.client_session import (
    BTRFS,
    SHARES,
    TO_ABORT,
    TO_DELETION,
    ClientSession,
)
from tests.reliability.fault_injection.daemon import FaultyDaemon
from tests.reliability.harness import Harness, assert_in_order

DISKS = ("state", "data", "vault")
STEPS = ["commit", "expose", "recover", "delete"]
if os.environ.get("FSRVPD_SOAK"):
    STEPS += ["start", "add", "prepare", "mapping", "abort"]


@contextmanager
def open_harness_on_disks() -> Iterator[Harness]:
    """Open a harness whose state is on a separate disk, as its volumes are."""
    with Lab() as lab:
        volumes = make_volumes(lab)
        samba = Samba(lab, make_shares(lab, volumes), OPTIONS)
        state = samba.place("state directory")
        disk = lab.volume("ext4", "state", 64 << 20)
        lab.run(["cp", "-a", f"{state}/.", disk])
        lab.unmount(disk)
        lab.run(["mount", "-o", "loop", lab.directory / "state.img", state])
        samba.start()
        for share in SHARES:
            samba.sharesec(share, "-a", "S-1-5-32-546:DENIED/0x0/FULL")
        samba.net("conf", "addshare", "not ours", "/tmp")
        lab.run(["mkdir", "-p", volumes["vault"] / "not ours"])
        lab.run(["sync"])
        daemon = FaultyDaemon(lab, samba)
        with closing(daemon):
            yield Harness(Nas(lab, samba, daemon, volumes), daemon)


@pytest.fixture(scope="module")
def disks() -> Iterator[Harness]:
    with open_harness_on_disks() as harness:
        yield harness


def cut_power(harness: Harness) -> None:
    """Kill all processes, and reset the disks to their contents just before."""
    lab, samba = harness.nas.lab, harness.nas.samba
    images = [lab.directory / f"{name}.img" for name in DISKS]
    for image in images:
        lab.run(["cp", "--sparse=always", image, f"{image}.cut"])
    harness.daemon.kill()
    samba.stop()
    samba.end_rpc_server()
    harness.nas.lose_mounts()  # a copy that is mounted keeps its volume in use
    places = [
        samba.place("state directory"),
        harness.nas.volumes["data"],
        harness.nas.volumes["vault"],
    ]
    for image, place in zip(images, places):
        wait_until(f"nobody uses {place}", partial(is_unmounted, lab, place))
        Path(f"{image}.cut").rename(image)
        lab.run(["mount", "-o", "loop", image, place])
    samba.start()


def is_unmounted(lab: Lab, place: Path) -> bool:
    return lab.run(["umount", place], check=False).returncode == 0


@pytest.mark.parametrize("step", STEPS)
def test_what_was_answered_survives_a_power_cut(disks: Harness, step: str) -> None:
    session = ClientSession(disks.nas, TO_ABORT if step == "abort" else TO_DELETION)
    survive(disks, session, step)


@pytest.mark.parametrize("step", STEPS[:2])
def test_what_disks_and_registry_record_survives_a_power_cut(disks: Harness, step: str) -> None:
    """Nothing but the intent was synced to the state's disk."""
    survive(disks, ClientSession(disks.nas, TO_DELETION, BTRFS), step)
    assert "event=step-found" in disks.daemon.read_log()


def survive(disks: Harness, session: ClientSession, step: str) -> None:
    write(disks, "old\n")
    disks.daemon.start()
    session.go(until=step)
    assert session.was_told(step)
    cut_power(disks)
    write(disks, "new\n")
    disks.daemon.start()
    assert_in_order(disks, after_power_cut=True)
    assert_as_told(disks, session)
    end_all(disks, session)
    disks.daemon.stop()
