"""What a leader looks at on other nodes."""

from __future__ import annotations

import pytest

from fsrvpd.cluster import wire
from fsrvpd.cluster.guard import LEAST_FREE, SpaceGuard, differences
from fsrvpd.cluster.members import Here
from fsrvpd.core.messages import Opnum, Response
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller

CALLER = Caller("10.0.0.9", "DOM\\joe", "S-1-5-21-1", frozenset(), 0, 1000, False)
HERE = Here(1, "one", wire.VERSION, 0, frozenset(), 1e9, LEAST_FREE, "cafe")


class Handler:
    """Records what it is asked, and is the client as well."""

    def __init__(self) -> None:
        self.taken: list[Call] = []
        self.refused: list[tuple[int, str]] = []

    def call(self, call: Call) -> None:
        self.taken.append(call)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        self.refused.append((result, reason))

    def reply(self, call: Call, response: Response) -> None:
        raise AssertionError("nothing is answered here")


@pytest.mark.parametrize("opnum", list(Opnum))
@pytest.mark.parametrize("free", [LEAST_FREE, LEAST_FREE - 1])
def test_no_snapshot_is_taken_while_a_node_has_no_space(opnum: Opnum, free: int) -> None:
    handler = Handler()
    guard = SpaceGuard(handler, lambda: [HERE, HERE._replace(pnn=2, free_space=free)])
    guard.call(Call(CALLER, opnum, None, handler, 0.0))
    is_commit = opnum in (Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet)
    if is_commit and free < LEAST_FREE:
        reason = "node 2 has 63 MB left for CTDB's databases"
        assert handler.refused == [(HResult.VSS_E_INSUFFICIENT_STORAGE, reason)]
        assert handler.taken == []
    else:
        assert (len(handler.taken), handler.refused) == (1, [])


def test_what_is_refused_is_passed_on() -> None:
    handler = Handler()
    call = Call(CALLER, Opnum.SetContext, None, handler, 0.0)
    SpaceGuard(handler, list).refuse(call, HResult.E_ACCESSDENIED, "why")
    assert handler.refused == [(HResult.E_ACCESSDENIED, "why")]


@pytest.mark.parametrize(
    ("other", "events"),
    [
        (HERE._replace(pnn=2, wall_clock=1e9 + 60), []),
        (HERE._replace(pnn=2, wall_clock=1e9 + 61), ["clocks-apart"]),
        (HERE._replace(pnn=2, wall_clock=1e9 - 61), ["clocks-apart"]),
        (HERE._replace(pnn=2, options="beef"), ["options-differ"]),
        (HERE._replace(pnn=2, wire=wire.VERSION + 1), ["mixed-versions"]),
    ],
)
def test_differences_of_nodes_are_named(other: Here, events: list[str]) -> None:
    found = list(differences(HERE, other))
    assert [each.event for each in found] == events
    assert all("node 2" in each.text for each in found)
