"""64 clients at once, each with sets of its own, over all volumes; every result is checked."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from fsrvpd.core.messages import Opnum, format_guid, parse_guid
from fsrvpd.protocol.hresult import HResult
from tests.interop.nas import TORTURE_SHARE
from tests.interop.raw_agent import SOME_GUID
from tests.reliability.harness import Harness, assert_in_order
from tests.reliability.pipe_agent import PipeAgent, connect

CLIENTS = 64
SECONDS = 300 if os.environ.get("FSRVPD_SOAK") else 6
SETS = ((TORTURE_SHARE, "vault"), ("deep",), ("vault",), ("hidden$", "with space"))
IDLE = 1000  # connections of clients that send no request


def test_many_clients_at_once(harness: Harness) -> None:
    harness.daemon.start()
    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as pool:
        tallies = list(pool.map(lambda number: work(harness, number, end), range(CLIENTS)))
    total = sum(tallies, Counter())
    print(f"\n{dict(total)} in {SECONDS} s")
    assert all(tally["sets"] for tally in tallies)
    assert total["sets"] == total["recovered"] + total["aborted"]
    status = harness.daemon.ask("status")
    assert status["failures"] == {}
    assert harness.daemon.ask("list-sets") == []
    assert_in_order(harness)
    harness.daemon.stop()


def work(harness: Harness, number: int, end: float) -> Counter[str]:
    tally: Counter[str] = Counter()
    while not tally["sets"] or time.monotonic() < end:
        with PipeAgent(harness.nas, f"10.64.0.{number}") as agent:
            shares = SETS[(number + tally["sets"]) % len(SETS)]
            one_set(agent, shares, tally)
    return tally


def one_set(agent: PipeAgent, shares: tuple[str, ...], tally: Counter[str]) -> None:
    tally["sets"] += 1
    set_id = agent.start()
    copies = {share: agent.add(set_id, share) for share in shares}
    agent.expose(set_id)
    for share, copy_id in copies.items():
        told = agent.mapping(set_id, copy_id, share)
        hidden = "$" if share.endswith("$") else ""
        assert (told.set_id, told.copy_id) == (set_id, copy_id)
        assert told.share == f"{share}@{format_guid(copy_id)}{hidden}"
    if tally["sets"] % 3 == 0:
        agent.must(Opnum.AbortShadowCopySet, set_id)
        tally["aborted"] += 1
        return
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    for share, copy_id in copies.items():
        agent.delete(set_id, copy_id, share)
    tally["recovered"] += 1


def test_a_thousand_silent_connections_hinder_nobody(harness: Harness) -> None:
    harness.daemon.start()
    # From many addresses, to stay below the limit for one client.
    silent = [connect(harness.nas, f"10.65.{n // 256}.{n % 256}") for n in range(IDLE)]
    with PipeAgent(harness.nas, "192.0.2.1") as agent:
        one_set(agent, ("deep",), Counter())
        assert harness.daemon.ask("status")["pipe"]["connections"] >= IDLE
    for stream in silent:
        stream.close()
    assert_in_order(harness)
    harness.daemon.stop()


def test_a_byte_at_a_time_hinders_nobody(harness: Harness) -> None:
    """`PipeAgent`'s request is sent byte by byte while another client is served."""
    harness.daemon.start()
    with PipeAgent(harness.nas, "192.0.2.1") as agent, PipeAgent(harness.nas, "192.0.2.2") as slow:
        slow.drip(Opnum.GetSupportedVersion, b"", lambda: one_set(agent, ("deep",), Counter()))
    assert_in_order(harness)
    harness.daemon.stop()


@pytest.mark.parametrize(
    ("option", "second_address"),
    [("fsrvpd:max sets per client", "192.0.2.1"), ("fsrvpd:max sets", "192.0.2.2")],
)
def test_limits_are_answered_as_such(harness: Harness, option: str, second_address: str) -> None:
    """Deleting a set makes room for another."""
    harness.nas.samba.set_option(option, "1")
    harness.daemon.start()
    with (
        PipeAgent(harness.nas, "192.0.2.1") as first,
        PipeAgent(harness.nas, second_address) as second,
    ):
        set_id = first.start()
        first.add(set_id, "deep")
        first.expose(set_id)
        first.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        second.must(Opnum.SetContext, bytes(4))
        refused = second.result(Opnum.StartShadowCopySet, SOME_GUID)
        assert refused == HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED
        assert option in harness.daemon.read_log()
        [kept] = harness.daemon.ask("list-sets")
        first.delete(set_id, parse_guid(kept["copies"][0]["copy"]), "deep")
        second.must(Opnum.AbortShadowCopySet, second.start())
    assert_in_order(harness)
    harness.daemon.stop()
    harness.nas.samba.set_option(option, None)
