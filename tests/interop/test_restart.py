"""What a restart of the daemon keeps, and what it undoes."""

from __future__ import annotations

from typing import Callable

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import SOME_GUID, RawAgent, wide
from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import FsrvpdProcess, fss
from tests.lab.namespaces import wait_until

ENDS = {"stopped": FsrvpdProcess.stop, "killed": FsrvpdProcess.kill}
End = Callable[[FsrvpdProcess], None]


@pytest.fixture(params=ENDS.values(), ids=ENDS)
def end(request: pytest.FixtureRequest) -> End:
    chosen: End = request.param
    return chosen


@pytest.mark.parametrize("context", ["backup", "app_rollback"])
def test_a_finished_set_is_served_on(site: Site, end: End, context: str) -> None:
    site.samba.write(TORTURE_SHARE, "kept.txt", "before\n")
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, context=context)
    fss.recovery_complete(site.samba, copy)
    end(site.daemon)
    assert site.samba.read(copy.share, "kept.txt") == "before\n"
    site.daemon.start()
    site.samba.write(TORTURE_SHARE, "kept.txt", "after\n")
    assert site.samba.read(copy.share, "kept.txt") == "before\n"
    assert fss.get_mapping(site.samba, copy) == copy
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


LAST_STEPS = [
    Opnum.StartShadowCopySet,
    Opnum.AddToShadowCopySet,
    Opnum.PrepareShadowCopySet,
]


@pytest.mark.parametrize("last", LAST_STEPS, ids=lambda opnum: opnum.name)
def test_an_unfinished_set_is_undone(site: Site, end: End, last: Opnum) -> None:
    with RawAgent(site) as agent:
        set_id = agent.start()
        if last != Opnum.StartShadowCopySet:
            agent.add(set_id, TORTURE_SHARE)
        if last == Opnum.PrepareShadowCopySet:
            agent.advance(last, set_id)
    end(site.daemon)
    site.daemon.start()
    site.assert_nothing_is_left()
    with RawAgent(site) as agent:
        stub = SOME_GUID + set_id + wide(agent.unc(TORTURE_SHARE))
        assert agent.result(Opnum.AddToShadowCopySet, stub) != 0
        another = agent.start()
        assert agent.result(Opnum.AbortShadowCopySet, another) == 0
    site.assert_nothing_is_left()


def test_a_committed_set_can_still_be_exposed(site: Site, end: End) -> None:
    """Commit was answered, so the snapshot is promised (3.1.3), and its timer runs anew."""
    site.samba.write(TORTURE_SHARE, "kept.txt", "committed\n")
    with RawAgent(site) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, TORTURE_SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
    end(site.daemon)
    site.samba.write(TORTURE_SHARE, "kept.txt", "too late\n")
    site.daemon.start()
    with RawAgent(site) as agent:
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        share = agent.mapping(set_id, copy_id, TORTURE_SHARE).share
        assert site.samba.read(share, "kept.txt") == "committed\n"
        agent.delete(set_id, copy_id, TORTURE_SHARE)
    site.assert_nothing_is_left()


def test_a_committed_set_that_nobody_asks_for_goes(site: Site, end: End) -> None:
    with RawAgent(site) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
    assert site.snapshots() != []
    end(site.daemon)
    site.samba.set_option("fss:sequence timeout", "1")
    site.daemon.start()
    site.assert_nothing_is_left()
    site.daemon.stop()
    site.samba.set_option("fss:sequence timeout", None)
    site.daemon.start()


def test_a_deleted_set_stays_deleted(site: Site, end: End) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    fss.delete(site.samba, copy)
    end(site.daemon)
    site.daemon.start()
    ids = f"{copy.set_id} {copy.copy_id}"
    refused = fss.refusal(site.samba, f"fss_get_mapping {TORTURE_SHARE} {ids}")
    assert refused == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    site.assert_nothing_is_left()


def test_nothing_of_a_killed_daemon_runs_on(site: Site) -> None:
    """Its helpers end with it: two daemons must never write side by side."""
    assert pythons(site)
    site.daemon.kill()
    wait_until("the daemon's helpers are gone", lambda: not pythons(site))
    site.daemon.start()


def pythons(site: Site) -> list[int]:
    """The Python programs in the lab: the daemon's processes, for smbd has none."""
    everything = site.lab.processes().items()
    return [pid for pid, argv in everything if pid != 1 and "python" in argv[0]]
