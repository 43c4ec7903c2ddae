"""A hanging volume: calls time out as they should, others go on, nothing is left behind."""

from __future__ import annotations

import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.daemon.agent_service import JOBS_TIMEOUT
from fsrvpd.protocol.hresult import HResult
from lab.frozen import frozen
from lab.namespaces import wait_until
from tests.interop.nas import SECOND_ADDRESS, TORTURE_SHARE, Nas
from tests.interop.raw_agent import RawAgent, wide

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
def agent(nas: Nas) -> Iterator[RawAgent]:
    with RawAgent(nas) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(nas: Nas) -> Iterator[RawAgent]:
    """Connect a client from another address that does not use the volume."""
    with RawAgent(nas, address=SECOND_ADDRESS) as opened:
        yield opened


def assert_goes_on(agent: RawAgent) -> None:
    """Make a whole set, from IsPathSupported to its deletion."""
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
def test_prepare(nas: Nas, agent: RawAgent, other: RawAgent) -> None:
    set_id = agent.start()
    copy_id = agent.add(set_id, SHARE)
    with frozen(nas.lab, nas.volumes["vault"]):
        result = agent.result(Opnum.PrepareShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSRVP_E_WAIT_TIMEOUT
        assert_goes_on(other)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    complete(agent, set_id, copy_id)
    nas.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.5-7")
@pytest.mark.spec("3.1.4.5-10")
def test_commit_and_the_snapshot_that_comes_too_late(
    nas: Nas, agent: RawAgent, other: RawAgent
) -> None:
    set_id = agent.start()
    copy_id = agent.add(set_id, SHARE)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    with frozen(nas.lab, nas.volumes["vault"]):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSSAGENT_E_TIMEOUT
        assert_goes_on(other)
    wait_until("it is undone", lambda: "event=step-undone" in nas.daemon.read_log())
    assert nas.snapshots() == []
    complete(agent, set_id, copy_id)
    nas.assert_nothing_is_left()


def test_abort_while_the_commit_hangs(nas: Nas, agent: RawAgent, other: RawAgent) -> None:
    """A client that gave up can start again at once; the volume is cleaned up when it responds."""
    set_id = agent.start()
    agent.add(set_id, SHARE)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    with frozen(nas.lab, nas.volumes["vault"]):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + BRIEFLY)
        assert result == HResult.FSSAGENT_E_TIMEOUT
        assert_goes_on(agent)  # SetContext removes the unfinished set
        assert_goes_on(other)
        [leaving] = nas.daemon.ask("list-sets")
        assert leaving["status"] == "Removing"
    nas.assert_nothing_is_left()


@contextmanager
def restarted_on_a_frozen_volume(nas: Nas) -> Iterator[None]:
    """Restart the daemon while the volume is frozen, so that it knows nothing about the volume."""
    nas.daemon.stop()
    with frozen(nas.lab, nas.volumes["vault"]):
        nas.daemon.start()
        yield


@pytest.mark.spec("3.1.4.9-5")
def test_the_first_question_about_a_share(nas: Nas) -> None:
    """The check of a volume creates unnamed files, so it hangs: only for the client that asks."""
    with ThreadPoolExecutor(1) as thread:
        with restarted_on_a_frozen_volume(nas), RawAgent(nas, address=SECOND_ADDRESS) as another:
            asking = RawAgent(nas)
            question = wide(asking.unc(SHARE))
            answer = thread.submit(asking.result, Opnum.IsPathSupported, question)
            assert_goes_on(another)
            assert not answer.done()
            assert nas.daemon.ask("list-sets") == []
        with asking:
            assert answer.result(60) == 0
    nas.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.6-11")
@pytest.mark.spec("3.1.4.6-14")
def test_expose_while_sambas_registry_is_locked(nas: Nas) -> None:
    """Shares that are created too late are removed; lookups of shares still work meanwhile."""
    with RawAgent(nas) as exposing, RawAgent(nas, address=SECOND_ADDRESS) as asking:
        asking.must(Opnum.IsPathSupported, wide(asking.unc(TORTURE_SHARE)))
        set_id = exposing.start()
        copy_id = exposing.add(set_id, TORTURE_SHARE)
        exposing.advance(Opnum.PrepareShadowCopySet, set_id)
        exposing.advance(Opnum.CommitShadowCopySet, set_id)
        with registry_locked(nas):
            result = exposing.result(Opnum.ExposeShadowCopySet, set_id + BRIEFLY)
            assert result == HResult.FSRVP_E_WAIT_TIMEOUT
            asking.must(Opnum.IsPathSupported, wide(asking.unc(TORTURE_SHARE)))
        exposing.advance(Opnum.ExposeShadowCopySet, set_id)
        assert len(nas.shadow_shares()) == 1
        exposing.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        exposing.delete(set_id, copy_id, TORTURE_SHARE)
    nas.assert_nothing_is_left()


def test_the_daemon_ends_while_the_registry_is_locked(nas: Nas) -> None:
    """The request that waits for the lock, and those behind it, are not waited for."""
    client = RawAgent(nas)
    set_id = client.start()
    client.add(set_id, SHARE)
    client.advance(Opnum.PrepareShadowCopySet, set_id)
    client.advance(Opnum.CommitShadowCopySet, set_id)
    with registry_locked(nas):
        assert (
            client.result(Opnum.ExposeShadowCopySet, set_id + BRIEFLY)
            == HResult.FSRVP_E_WAIT_TIMEOUT
        )
        began = time.monotonic()
        nas.daemon.stop()
        assert time.monotonic() - began < JOBS_TIMEOUT + 5
    client.hang_up()
    nas.daemon.start()
    [left] = nas.daemon.ask("list-sets")
    nas.daemon.ctl("abort-set", left["set"])
    nas.assert_nothing_is_left()


@contextmanager
def registry_locked(nas: Nas) -> Iterator[None]:
    """Hold a transaction on Samba's registry open in another process."""
    said = nas.lab.directory / "locked"
    script = ["/usr/bin/python3", "-c", LOCK, nas.samba.place("state directory") / "registry.tdb"]
    holder = nas.lab.popen(script, output=said)
    wait_until("the registry is locked", lambda: "locked" in said.read_text())
    try:
        yield
    finally:
        holder.kill()
        said.unlink()
