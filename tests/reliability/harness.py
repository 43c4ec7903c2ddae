"""A NAS whose daemon can be made to fail, and the consistent state required after that."""

from __future__ import annotations

from contextlib import closing, contextmanager
from os.path import basename
from typing import Iterator, NamedTuple

from lab import Lab, Samba
from lab.namespaces import wait_until
from tests.interop.nas import OPTIONS, Nas, make_shares, make_volumes
from tests.reliability import observed_state
from tests.reliability.fault_injection.client_session import SHARES
from tests.reliability.fault_injection.daemon import FaultyDaemon


class Harness(NamedTuple):
    nas: Nas
    daemon: FaultyDaemon


@contextmanager
def open_harness() -> Iterator[Harness]:
    """Start a NAS with smbd but without the daemon.

    The registry and a volume contain entries that are not fsrvpd's, and must stay.
    """
    with Lab() as lab:
        volumes = make_volumes(lab)
        samba = Samba(lab, make_shares(lab, volumes), OPTIONS)
        samba.start()
        for share in SHARES:
            samba.write(share, "old.txt", "old\n")
            samba.sharesec(share, "-a", "S-1-5-32-546:DENIED/0x0/FULL")
        samba.net("conf", "addshare", "not ours", "/tmp")
        lab.run(["mkdir", "-p", volumes["vault"] / "not ours"])
        daemon = FaultyDaemon(lab, samba)
        with closing(daemon):
            yield Harness(Nas(lab, samba, daemon, volumes), daemon)


def assert_in_order(harness: Harness, *, after_power_cut: bool = False) -> None:
    """Assert, once the daemon is idle, that state, disks, registry and descriptors agree.

    After a power cut an empty `.partial-{ID}` may be back. It is removed with its clone.
    """
    wait_until("all is quiet", lambda: not is_busy(harness))
    copies = [copy for each in harness.daemon.ask("list-sets") for copy in each["copies"]]
    seen = observed_state.read(harness.nas)
    roots = {copy["snapshot"] for copy in copies if copy["snapshot"]}
    workshops = {f".partial-{copy['copy']}" for copy in copies} if after_power_cut else set()
    # Of a set that is not yet recovered.
    workshops |= {f".unsealed-{basename(root)}" for root in roots}
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
    assert (harness.nas.lab.seen(harness.nas.volumes["vault"]) / "not ours").exists()
    assert harness.daemon.ask("prune", "--dry-run") == []
    # That came after the comparison at the start, which may have had a copy mounted again.
    wait_until("all is quiet", lambda: not is_busy(harness))
    mounted = [
        basename(copy["snapshot"])
        for copy in copies
        for mapped in copy["shares"]
        if mapped["exposed"]
    ]
    assert sorted(map(basename, harness.nas.mounts())) == sorted(mounted)


def is_busy(harness: Harness) -> bool:
    status = harness.daemon.ask("status")
    return bool(status["sets_removing"] or status["sets_with_jobs"])


def start_over(harness: Harness) -> None:
    """Reset everything after a failure, so that the next test is not affected."""
    if harness.daemon.is_alive():
        harness.daemon.kill()
    for file in (harness.nas.samba.place("state directory") / "fsrvpd").glob("state*"):
        file.unlink()
    harness.daemon.start()
    harness.daemon.ask("prune")
    harness.daemon.stop()
