"""What a restart of the daemon keeps, and what it undoes."""

from __future__ import annotations

from typing import Callable

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import FsrvpdProcess, fss
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.raw_agent import SOME_GUID, RawAgent, wide

ENDS = {"stopped": FsrvpdProcess.stop, "killed": FsrvpdProcess.kill}
End = Callable[[FsrvpdProcess], None]


@pytest.fixture(params=ENDS.values(), ids=ENDS)
def end(request: pytest.FixtureRequest) -> End:
    chosen: End = request.param
    return chosen


@pytest.mark.parametrize("context", ["backup", "app_rollback"])
def test_a_finished_set_is_served_on(nas: Nas, end: End, context: str) -> None:
    nas.samba.write(TORTURE_SHARE, "kept.txt", "before\n")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, context=context)
    fss.recovery_complete(nas.samba, copy)
    end(nas.daemon)
    assert nas.samba.read(copy.share, "kept.txt") == "before\n"
    nas.daemon.start()
    nas.samba.write(TORTURE_SHARE, "kept.txt", "after\n")
    assert nas.samba.read(copy.share, "kept.txt") == "before\n"
    assert fss.get_mapping(nas.samba, copy) == copy
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


LAST_STEPS = [
    Opnum.StartShadowCopySet,
    Opnum.AddToShadowCopySet,
    Opnum.PrepareShadowCopySet,
]


@pytest.mark.parametrize("last", LAST_STEPS, ids=lambda opnum: opnum.name)
def test_an_unfinished_set_is_undone(nas: Nas, end: End, last: Opnum) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        if last != Opnum.StartShadowCopySet:
            agent.add(set_id, TORTURE_SHARE)
        if last == Opnum.PrepareShadowCopySet:
            agent.advance(last, set_id)
    end(nas.daemon)
    nas.daemon.start()
    nas.assert_nothing_is_left()
    with RawAgent(nas) as agent:
        stub = SOME_GUID + set_id + wide(agent.unc(TORTURE_SHARE))
        assert agent.result(Opnum.AddToShadowCopySet, stub) != 0
        another = agent.start()
        assert agent.result(Opnum.AbortShadowCopySet, another) == 0
    nas.assert_nothing_is_left()


def test_a_committed_set_can_still_be_exposed(nas: Nas, end: End) -> None:
    """Commit was answered, so the snapshot must be kept (3.1.3); its timer restarts."""
    nas.samba.write(TORTURE_SHARE, "kept.txt", "committed\n")
    with RawAgent(nas) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, TORTURE_SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
    end(nas.daemon)
    nas.samba.write(TORTURE_SHARE, "kept.txt", "too late\n")
    nas.daemon.start()
    with RawAgent(nas) as agent:
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        share = agent.mapping(set_id, copy_id, TORTURE_SHARE).share
        assert nas.samba.read(share, "kept.txt") == "committed\n"
        agent.delete(set_id, copy_id, TORTURE_SHARE)
    nas.assert_nothing_is_left()


def test_a_committed_set_that_nobody_asks_for_goes(nas: Nas, end: End) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
    assert nas.snapshots() != []
    end(nas.daemon)
    nas.samba.set_option("fss:sequence timeout", "1")
    nas.daemon.start()
    nas.assert_nothing_is_left()
    nas.daemon.stop()
    nas.samba.set_option("fss:sequence timeout", None)
    nas.daemon.start()


def test_a_deleted_set_stays_deleted(nas: Nas, end: End) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.delete(nas.samba, copy)
    end(nas.daemon)
    nas.daemon.start()
    ids = f"{copy.set_id} {copy.copy_id}"
    refused = fss.refusal(nas.samba, f"fss_get_mapping {TORTURE_SHARE} {ids}")
    assert refused == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    nas.assert_nothing_is_left()


def test_nothing_of_a_killed_daemon_runs_on(nas: Nas) -> None:
    """Its helpers end with it: two daemons must never write at the same time."""
    assert pythons(nas)
    nas.daemon.kill()
    wait_until("the daemon's helpers are gone", lambda: not pythons(nas))
    nas.daemon.start()


def pythons(nas: Nas) -> list[int]:
    """List the Python processes in the lab. All are the daemon's: smbd has none."""
    everything = nas.lab.processes().items()
    return [pid for pid, argv in everything if pid != 1 and "python" in argv[0]]
