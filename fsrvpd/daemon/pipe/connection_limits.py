"""Limits on open pipes, and on the time until a client has bound.

Who the client is becomes known when smbd has sent it (named_pipe_auth). Its pipes are counted by
account and by address; an IPv6 host owns a prefix of 64 bits. Callers who may use no method get
their answer, E_ACCESSDENIED, but a few pipes together, and those for a short time: they take
nothing from others.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Hashable, NamedTuple, Optional, Protocol

from fsrvpd.daemon.descriptors import MAX_PIPES
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.protocol.ports import Caller

MAX_OF_HOST = 256  # of one address or prefix; a Windows client opens one or two
MAX_OF_ACCOUNT = 1024  # many hosts may share one
MAX_REFUSED = 64  # of all callers who may use no method
MAX_REFUSED_OF_CLIENT = 16  # of one of their accounts or addresses, or of all anonymous ones
BIND_TIMEOUT = 30.0  # s from being accepted to a complete bind, authentication included
REFUSED_TIMEOUT = 10.0  # s from being admitted, for a caller who may use no method
PREFIX_OF_HOST = 64  # bits of an IPv6 address


class Connection(Protocol):
    """What this module needs of a pipe."""

    def close(self, reason: str) -> None:
        """Close the pipe, and `unregister` it."""


class _Count(NamedTuple):
    """What a pipe counts for, and how many such pipes may be open."""

    key: Hashable
    limit: int


class ConnectionLimiter:
    """Counts pipes, and closes those that have had their time. Belongs to the event loop's
    thread. `maximum`: how many pipes may be open."""

    def __init__(self, loop: EventLoop, maximum: int = MAX_PIPES) -> None:
        self.connections: set[Connection] = set()
        self._loop = loop
        self._maximum = maximum
        self._timers: dict[Connection, TimerHandle] = {}
        self._counts: dict[Connection, list[_Count]] = {}  # of those admitted
        self._refused: set[Connection] = set()
        self._open: Counter[Hashable] = Counter()  # admitted, by what they count for

    def has_capacity(self) -> bool:
        return len(self.connections) < self._maximum

    def register(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._close_after(connection, BIND_TIMEOUT, f"not bound within {BIND_TIMEOUT:.0f} s")

    def try_admit(self, connection: Connection, caller: Caller, refusal: Optional[str]) -> bool:
        """Count a pipe for its client, unless the client has the maximum. `refusal`: why the
        caller may use no method, if so."""
        counts = self._of_refused(caller) if refusal else self._of_client(caller)
        if any(self._open[count.key] >= count.limit for count in counts):
            return False
        self._open.update(count.key for count in counts)
        self._counts[connection] = counts
        if refusal:
            self._refused.add(connection)
            self._close_after(connection, REFUSED_TIMEOUT, refusal)
        return True

    def mark_bound(self, connection: Connection) -> None:
        """Let a pipe stay open from now on, however long its client is silent, if the client may
        use it at all."""
        if connection not in self._refused:
            self._cancel(connection)

    def unregister(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._refused.discard(connection)
        self._cancel(connection)
        for count in self._counts.pop(connection, ()):
            self._open[count.key] -= 1
            if not self._open[count.key]:
                del self._open[count.key]

    def _of_client(self, caller: Caller) -> list[_Count]:
        account, host = (min(most, self._maximum // 4) for most in (MAX_OF_ACCOUNT, MAX_OF_HOST))
        return [_Count(caller.user_sid, account), _Count(host_of(caller.address), host)]

    def _of_refused(self, caller: Caller) -> list[_Count]:
        """Anonymous sessions come from anywhere and are one client."""
        everybody = _Count("refused", min(MAX_REFUSED, self._maximum // 4))
        account = "anonymous" if caller.anonymous else caller.user_sid
        names = [("refused", account), ("refused", host_of(caller.address))]
        return [everybody, *(_Count(name, MAX_REFUSED_OF_CLIENT) for name in names)]

    def _close_after(self, connection: Connection, seconds: float, reason: str) -> None:
        self._cancel(connection)
        self._timers[connection] = self._loop.call_later(seconds, lambda: connection.close(reason))

    def _cancel(self, connection: Connection) -> None:
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()


def host_of(address: str) -> str:
    """What belongs to one host: an IPv4 address, or a prefix of IPv6 addresses."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, PREFIX_OF_HOST), strict=False))
