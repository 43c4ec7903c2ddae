"""Limits on the number of pipes, and on the time until a pipe is bound."""

from __future__ import annotations

from typing import Iterator, Optional

import pytest

from fsrvpd.daemon.pipe import connection_limits
from fsrvpd.daemon.pipe.connection_limits import (
    BIND_TIMEOUT,
    MAX_OF_ACCOUNT,
    MAX_OF_HOST,
    MAX_REFUSED,
    MAX_REFUSED_OF_CLIENT,
    REFUSED_TIMEOUT,
    ConnectionLimiter,
    host_of,
)
from fsrvpd.protocol.ports import Caller
from tests.unit.daemon.fake_loop import FakeLoop

DENIED = "no holder of SeBackupPrivilege"


class Pipe:
    def __init__(self, limits: ConnectionLimiter) -> None:
        self._limits = limits
        self.reason = ""
        limits.register(self)

    def close(self, reason: str) -> None:
        self.reason = reason
        self._limits.unregister(self)


def caller(account: int, address: str, *, anonymous: bool = False) -> Caller:
    sid = f"S-1-5-21-{account}"
    return Caller(address, "LAB\\user", sid, frozenset((sid,)), 0, -1, anonymous)


def host(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


@pytest.fixture
def loop() -> Iterator[FakeLoop]:
    made = FakeLoop()
    yield made
    made.close()


@pytest.fixture
def limits(loop: FakeLoop) -> ConnectionLimiter:
    return ConnectionLimiter(loop)


def admitted(
    limits: ConnectionLimiter, callers: Iterator[Caller], refusal: Optional[str] = None
) -> int:
    """Open a pipe for each caller, until one is refused. Returns how many were admitted."""
    for number, one in enumerate(callers):
        if not limits.try_admit(Pipe(limits), one, refusal):
            return number
    raise AssertionError("none was refused")


def test_whoever_does_not_bind_in_time_is_sent_away(
    loop: FakeLoop, limits: ConnectionLimiter
) -> None:
    early = Pipe(limits)
    loop.advance(1)
    bound, late = Pipe(limits), Pipe(limits)
    limits.mark_bound(bound)
    loop.advance(BIND_TIMEOUT - 1)
    assert early.reason == "not bound within 30 s"
    assert late.reason == ""
    loop.advance(1)
    assert late.reason
    loop.advance(BIND_TIMEOUT)
    assert not bound.reason
    assert limits.connections == {bound}


def test_a_pipe_that_is_closed_is_not_closed_again(
    loop: FakeLoop, limits: ConnectionLimiter
) -> None:
    pipe = Pipe(limits)
    pipe.close("the client hung up")
    loop.advance(BIND_TIMEOUT)
    assert pipe.reason == "the client hung up"
    assert not limits.connections


def test_a_client_has_so_many_pipes_and_no_more(limits: ConnectionLimiter) -> None:
    client, other = caller(1, host(1)), caller(2, host(2))
    pipes = [Pipe(limits) for _ in range(MAX_OF_HOST)]
    assert all(limits.try_admit(pipe, client, None) for pipe in pipes)
    refused = Pipe(limits)
    assert not limits.try_admit(refused, client, None)
    assert limits.try_admit(Pipe(limits), other, None)
    refused.close("too many")
    assert not limits.try_admit(Pipe(limits), client, None), "one that was refused counted"
    pipes[0].close("done")
    assert limits.try_admit(Pipe(limits), client, None)


def test_an_account_is_one_client_wherever_it_comes_from(limits: ConnectionLimiter) -> None:
    assert admitted(limits, (caller(1, host(n)) for n in range(2000))) == MAX_OF_ACCOUNT


@pytest.mark.parametrize("spelling", ["10.0.0.1", "2001:db8::{:x}"])
def test_a_host_is_one_client_whatever_its_accounts(
    limits: ConnectionLimiter, spelling: str
) -> None:
    callers = (caller(n, spelling.format(n)) for n in range(1000))
    assert admitted(limits, callers) == MAX_OF_HOST


def test_anonymous_sessions_are_one_client(limits: ConnectionLimiter) -> None:
    sessions = (caller(0, host(n), anonymous=True) for n in range(1000))
    assert admitted(limits, sessions, DENIED) == MAX_REFUSED_OF_CLIENT
    assert limits.try_admit(Pipe(limits), caller(1, host(1)), None)


def test_callers_without_rights_share_a_few_pipes(limits: ConnectionLimiter) -> None:
    assert admitted(limits, (caller(n, host(n)) for n in range(1000)), DENIED) == MAX_REFUSED
    assert limits.try_admit(Pipe(limits), caller(1, host(1)), None)


def test_a_caller_without_rights_has_a_short_time(
    loop: FakeLoop, limits: ConnectionLimiter
) -> None:
    denied, operator = Pipe(limits), Pipe(limits)
    limits.try_admit(denied, caller(1, host(1)), DENIED)
    limits.try_admit(operator, caller(2, host(1)), None)
    for pipe in (denied, operator):
        limits.mark_bound(pipe)
    loop.advance(REFUSED_TIMEOUT)
    assert denied.reason == DENIED
    loop.advance(3600)
    assert limits.connections == {operator}, "an operator may be silent for long"
    assert admitted(limits, (caller(1, host(3)) for _ in range(1000)), DENIED)


def test_all_clients_together_have_so_many(loop: FakeLoop) -> None:
    limits = ConnectionLimiter(loop, 2)
    first = Pipe(limits)
    Pipe(limits)
    assert not limits.has_capacity()
    first.close("done")
    assert limits.has_capacity()


def test_a_client_has_a_part_of_a_small_total(loop: FakeLoop) -> None:
    limits = ConnectionLimiter(loop, 40)
    assert admitted(limits, (caller(1, host(1)) for _ in range(1000))) == 10


@pytest.mark.parametrize(
    ("address", "known_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("-", "-"),
    ],
)
def test_what_belongs_to_one_host(address: str, known_as: str) -> None:
    assert host_of(address) == known_as


def test_the_limits_are_in_proportion() -> None:
    assert connection_limits.MAX_REFUSED_OF_CLIENT < MAX_REFUSED < MAX_OF_HOST < MAX_OF_ACCOUNT
