"""What a leader looks at beside its own sets: the other nodes' disks, clocks and options."""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, NamedTuple

from fsrvpd.cluster import wire
from fsrvpd.cluster.members import Here
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.actions import Call, CallHandler
from fsrvpd.protocol.hresult import HResult

LEAST_FREE = 64 << 20  # bytes
LONGEST_APART = 60.0  # s
DIFFERENCES = ("mixed-versions", "options-differ", "clocks-apart")  # events of the log
MIXED_VERSIONS, OPTIONS_DIFFER, CLOCKS_APART = DIFFERENCES
_GROWING = frozenset({Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet})


class SpaceGuard:
    """A `CallHandler` that takes no snapshot while a node's databases may soon be unable to grow:
    one that cannot be written stops CTDB, and so Samba, on all nodes."""

    def __init__(self, handler: CallHandler, members: Callable[[], Iterable[Here]]) -> None:
        self._handler = handler
        self._members = members

    def call(self, call: Call) -> None:
        if call.opnum in _GROWING:
            for here in self._members():
                if here.free_space < LEAST_FREE:
                    left = here.free_space >> 20
                    why = f"node {here.pnn} has {left} MB left for CTDB's databases"
                    self._handler.refuse(call, HResult.VSS_E_INSUFFICIENT_STORAGE, why)
                    return
        self._handler.call(call)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        self._handler.refuse(call, result, reason)


class Difference(NamedTuple):
    event: str
    text: str


def differences(this: Here, other: Here) -> Iterator[Difference]:
    """What is to be the same on all nodes, and is not."""
    if other.wire != wire.VERSION:
        yield Difference(MIXED_VERSIONS, f"node {other.pnn} runs another version of fsrvpd")
    if other.options != this.options:
        yield Difference(OPTIONS_DIFFER, f"node {other.pnn} has other options in smb.conf")
    apart = abs(other.wall_clock - this.wall_clock)
    if apart > LONGEST_APART:
        text = f"the clock of node {other.pnn} differs by {apart:.0f} s"
        yield Difference(CLOCKS_APART, text)
