"""The power goes: what of the disks had not been synced is lost.

Volumes and Samba's state lie in files behind loop devices. A copy of such a file is what a
disk holds at that moment; what the kernel has not written yet is not in it.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.site import OPTIONS, Site, make_shares, make_volumes
from tests.lab import Lab, Samba
from tests.lab.namespaces import wait_until
from tests.reliability.bed import Bed, assert_in_order
from tests.reliability.judge import assert_as_told, end_all, write
from tests.reliability.walk.daemon import WalkedDaemon
from tests.reliability.walk.journey import SHARES, TO_ABORT, TO_DELETION, Journey

DISKS = ("state", "data", "vault")
STEPS = ["commit", "expose", "recover", "delete"]
if os.environ.get("FSRVPD_SOAK"):
    STEPS += ["start", "add", "prepare", "mapping", "abort"]


@contextmanager
def open_bed_on_disks() -> Iterator[Bed]:
    """A bed whose state is on a disk of its own, as its volumes are."""
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
        daemon = WalkedDaemon(lab, samba)
        with closing(daemon):
            yield Bed(Site(lab, samba, daemon, volumes), daemon)


@pytest.fixture(scope="module")
def disks() -> Iterator[Bed]:
    with open_bed_on_disks() as bed:
        yield bed


def cut_power(bed: Bed) -> None:
    """All processes die, and the disks hold what they held just before."""
    lab, samba = bed.site.lab, bed.site.samba
    images = [lab.directory / f"{name}.img" for name in DISKS]
    for image in images:
        lab.run(["cp", "--sparse=always", image, f"{image}.cut"])
    bed.daemon.kill()
    samba.stop()
    samba.end_rpc_server()
    places = [samba.place("state directory"), bed.site.volumes["data"], bed.site.volumes["vault"]]
    for image, place in zip(images, places):
        wait_until(f"nobody uses {place}", partial(is_unmounted, lab, place))
        Path(f"{image}.cut").rename(image)
        lab.run(["mount", "-o", "loop", image, place])
    samba.start()


def is_unmounted(lab: Lab, place: Path) -> bool:
    return lab.run(["umount", place], check=False).returncode == 0


@pytest.mark.parametrize("step", STEPS)
def test_what_was_answered_survives_a_power_cut(disks: Bed, step: str) -> None:
    write(disks, "old\n")
    disks.daemon.start()
    journey = Journey(disks.site, TO_ABORT if step == "abort" else TO_DELETION)
    journey.go(until=step)
    assert journey.was_told(step)
    cut_power(disks)
    write(disks, "new\n")
    disks.daemon.start()
    assert_in_order(disks, after_power_cut=True)
    assert_as_told(disks, journey)
    end_all(disks, journey)
    disks.daemon.stop()
