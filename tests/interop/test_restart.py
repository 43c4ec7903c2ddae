"""What a restart of the daemon keeps, and what it undoes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
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
    Opnum.CommitShadowCopySet,
]


@pytest.mark.parametrize("last", LAST_STEPS, ids=lambda opnum: opnum.name)
def test_an_unfinished_set_is_undone(site: Site, end: End, last: Opnum) -> None:
    with RawAgent(site) as agent:
        set_id = agent.start()
        if last != Opnum.StartShadowCopySet:
            agent.add(set_id, TORTURE_SHARE)
        for step in LAST_STEPS[2 : LAST_STEPS.index(last) + 1]:
            agent.advance(step, set_id)
    end(site.daemon)
    site.daemon.start()
    site.assert_nothing_is_left()
    with RawAgent(site) as agent:
        stub = SOME_GUID + set_id + wide(agent.unc(TORTURE_SHARE))
        assert agent.result(Opnum.AddToShadowCopySet, stub) != 0
        another = agent.start()
        assert agent.result(Opnum.AbortShadowCopySet, another) == 0
    site.assert_nothing_is_left()


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


def pythons(site: Site) -> list[str]:
    """The Python programs in the lab: the daemon's processes, for smbd has none."""
    proc = site.lab.seen(Path("/proc"))
    holder = proc / "1"
    found = []
    for process in set(proc.glob("[0-9]*")) - {holder}:
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [line for line in found if "python" in line.partition(" ")[0]]
