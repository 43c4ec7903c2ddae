"""A volume that hangs: calls are answered on time, others notice nothing, nothing is left."""

from __future__ import annotations

import struct
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import RawAgent, wide
from tests.interop.site import SECOND_ADDRESS, TORTURE_SHARE, Site
from tests.lab.frozen import frozen
from tests.lab.namespaces import wait_until

SHARE = "vault"
BRIEFLY = struct.pack("<I", 300)  # ms


@pytest.fixture(scope="module")
def agent(site: Site) -> Iterator[RawAgent]:
    with RawAgent(site) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(site: Site) -> Iterator[RawAgent]:
    """A client at another address, which has nothing to do with the volume."""
    with RawAgent(site, address=SECOND_ADDRESS) as opened:
        yield opened


def assert_goes_on(agent: RawAgent) -> None:
    """A whole set, from the question whether it can be to its end."""
    agent.must(Opnum.IsPathSupported, wide(agent.unc(TORTURE_SHARE)))
    set_id = agent.start()
    copy_id = agent.add(set_id, TORTURE_SHARE)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, TORTURE_SHARE)


def complete(agent: RawAgent, set_id: bytes, copy_id: bytes) -> None:
    agent.advance(Opnum.CommitShadowCopySet, set_id)
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, SHARE)


@pytest.mark.spec("3.1.4.13-6")
def test_prepare(site: Site, agent: RawAgent, other: RawAgent) -> None:
    set_id = agent.start()
    copy_id = agent.add(set_id, SHARE)
    with frozen(site.lab, site.volumes["vault"]):
        result = agent.result(Opnum.PrepareShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSRVP_E_WAIT_TIMEOUT
        assert_goes_on(other)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    complete(agent, set_id, copy_id)
    site.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.5-7")
@pytest.mark.spec("3.1.4.5-10")
def test_commit_and_the_snapshot_that_comes_too_late(
    site: Site, agent: RawAgent, other: RawAgent
) -> None:
    set_id = agent.start()
    copy_id = agent.add(set_id, SHARE)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    with frozen(site.lab, site.volumes["vault"]):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSSAGENT_E_TIMEOUT
        assert_goes_on(other)
    wait_until("it is undone", lambda: "event=step-undone" in site.daemon.read_log())
    assert site.snapshots() == []
    complete(agent, set_id, copy_id)
    site.assert_nothing_is_left()


def test_abort_while_the_commit_hangs(site: Site, agent: RawAgent, other: RawAgent) -> None:
    """The client that gave up begins anew at once; the volume is tidied when it can be."""
    set_id = agent.start()
    agent.add(set_id, SHARE)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    with frozen(site.lab, site.volumes["vault"]):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSSAGENT_E_TIMEOUT
        assert_goes_on(agent)  # SetContext takes the unfinished set away
        assert_goes_on(other)
        [leaving] = site.daemon.ask("list-sets")
        assert leaving["status"] == "Removing"
    site.assert_nothing_is_left()
