"""A volume that hangs: calls are answered on time, others notice nothing, nothing is left."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
LOCK = """
import os, sys, tdb, time
registry = tdb.open(sys.argv[1], flags=os.O_RDWR)
registry.transaction_start()
print("locked", flush=True)
time.sleep(600)
"""


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


@contextmanager
def restarted_on_a_frozen_volume(site: Site) -> Iterator[None]:
    """The daemon has no chance to find anything out about the volume."""
    site.daemon.stop()
    with frozen(site.lab, site.volumes["vault"]):
        site.daemon.start()
        yield


@pytest.mark.spec("3.1.4.9-5")
def test_the_first_question_about_a_share(site: Site) -> None:
    """Files without a name are made to find out whether copies can be, so that it hangs:
    for who asks, and for nobody else."""
    with ThreadPoolExecutor(1) as thread:
        with restarted_on_a_frozen_volume(site), RawAgent(site, address=SECOND_ADDRESS) as another:
            asking = RawAgent(site)
            question = wide(asking.unc(SHARE))
            answer = thread.submit(asking.result, Opnum.IsPathSupported, question)
            assert_goes_on(another)
            assert not answer.done()
            assert site.daemon.ask("list-sets") == []
        with asking:
            assert answer.result(60) == 0
    site.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.6-11")
@pytest.mark.spec("3.1.4.6-14")
def test_expose_while_sambas_registry_is_locked(site: Site) -> None:
    """The shares that come too late are removed. Who asks about shares goes on meanwhile."""
    with RawAgent(site) as exposing, RawAgent(site, address=SECOND_ADDRESS) as asking:
        asking.must(Opnum.IsPathSupported, wide(asking.unc(TORTURE_SHARE)))
        set_id = exposing.start()
        copy_id = exposing.add(set_id, TORTURE_SHARE)
        exposing.advance(Opnum.PrepareShadowCopySet, set_id)
        exposing.advance(Opnum.CommitShadowCopySet, set_id)
        with registry_locked(site):
            result = exposing.result(Opnum.ExposeShadowCopySet, set_id + BRIEFLY)
            assert result == HResult.FSRVP_E_WAIT_TIMEOUT
            asking.must(Opnum.IsPathSupported, wide(asking.unc(TORTURE_SHARE)))
        exposing.advance(Opnum.ExposeShadowCopySet, set_id)
        assert len(site.shadow_shares()) == 1
        exposing.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        exposing.delete(set_id, copy_id, TORTURE_SHARE)
    site.assert_nothing_is_left()


@contextmanager
def registry_locked(site: Site) -> Iterator[None]:
    """Somebody else is in the middle of a transaction on Samba's registry."""
    said = site.lab.directory / "locked"
    script = ["/usr/bin/python3", "-c", LOCK, site.samba.place("state directory") / "registry.tdb"]
    holder = site.lab.popen(script, output=said)
    wait_until("the registry is locked", lambda: "locked" in said.read_text())
    try:
        yield
    finally:
        holder.kill()
        said.unlink()
