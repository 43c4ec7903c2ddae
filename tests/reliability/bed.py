"""A site whose daemon can be made to stumble, and the order in which it must be after that."""

from __future__ import annotations

from contextlib import closing, contextmanager
from os.path import basename
from typing import Iterator, NamedTuple

from tests.interop.site import OPTIONS, Site, make_shares, make_volumes
from tests.lab import Lab, Samba
from tests.lab.namespaces import wait_until
from tests.reliability import truths
from tests.reliability.walk.daemon import WalkedDaemon
from tests.reliability.walk.journey import SHARES


class Bed(NamedTuple):
    site: Site
    daemon: WalkedDaemon


@contextmanager
def open_bed() -> Iterator[Bed]:
    """With smbd running, our daemon not. Something that is not ours is everywhere."""
    with Lab() as lab:
        volumes = make_volumes(lab)
        samba = Samba(lab, make_shares(lab, volumes), OPTIONS)
        samba.start()
        for share in SHARES:
            samba.write(share, "old.txt", "old\n")
            samba.sharesec(share, "-a", "S-1-5-32-546:DENIED/0x0/FULL")
        samba.net("conf", "addshare", "not ours", "/tmp")
        lab.run(["mkdir", "-p", volumes["vault"] / "not ours"])
        daemon = WalkedDaemon(lab, samba)
        with closing(daemon):
            yield Bed(Site(lab, samba, daemon, volumes), daemon)


def assert_in_order(bed: Bed, *, after_power_cut: bool = False) -> None:
    """State, disks, registry and security descriptors tell the same, once all is quiet.

    After a power cut the workshop of a clone may be there again, empty; it goes with it.
    """
    wait_until("all is quiet", lambda: not is_busy(bed))
    copies = [copy for each in bed.daemon.ask("list-sets") for copy in each["copies"]]
    seen = truths.read(bed.site)
    roots = {copy["snapshot"] for copy in copies if copy["snapshot"]}
    workshops = {f".partial-{copy['copy']}" for copy in copies} if after_power_cut else set()
    assert {root for root in seen.snapshots if basename(root) not in workshops} == roots
    assert len(seen.marks) == len(roots)
    exposed = {
        mapped["shadow_copy_share"].lower(): mapped["share"]
        for copy in copies
        for mapped in copy["shares"]
        if mapped["exposed"]
    }
    assert seen.shares == set(exposed)
    described = {name: text for name, text in seen.descriptors.items() if "@{" in name}
    assert described == {
        name: seen.descriptors[base.lower()]
        for name, base in exposed.items()
        if base.lower() in seen.descriptors
    }
    assert "not ours" in seen.others
    assert (bed.site.lab.seen(bed.site.volumes["vault"]) / "not ours").exists()
    assert bed.daemon.ask("prune", "--dry-run") == []


def is_busy(bed: Bed) -> bool:
    status = bed.daemon.ask("status")
    return bool(status["sets_being_removed"] or status["sets_at_work"])


def start_over(bed: Bed) -> None:
    """After a failure: let nothing of it disturb what comes next."""
    if bed.daemon.is_alive():
        bed.daemon.kill()
    for file in (bed.site.samba.place("state directory") / "fsrvpd").glob("state*"):
        file.unlink()
    bed.daemon.start()
    bed.daemon.ask("prune")
    bed.daemon.stop()
