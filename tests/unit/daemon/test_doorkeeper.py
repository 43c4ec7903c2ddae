"""Pipes are bounded in number and in the time until they are of use."""

from __future__ import annotations

import pytest

from fsrvpd.daemon import doorkeeper
from fsrvpd.daemon.doorkeeper import Doorkeeper


class Pipe:
    def __init__(self, door: Doorkeeper) -> None:
        self.door = door
        self.reason = ""
        door.arrived(self)

    def close(self, reason: str) -> None:
        self.reason = reason
        self.door.left(self, None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(doorkeeper.time, "monotonic", lambda: now[0])
    return now


def test_whoever_does_not_bind_in_time_is_sent_away(clock: list[float]) -> None:
    door = Doorkeeper()
    early = Pipe(door)
    clock[0] += 1
    bound, late = Pipe(door), Pipe(door)
    door.settled(bound)
    assert door.deadline() == 1000.0 + doorkeeper.PATIENCE
    clock[0] = 1000.0 + doorkeeper.PATIENCE
    door.expire()
    assert "not bound within 30 s" in early.reason
    assert late.reason == ""
    clock[0] += 1
    door.expire()
    assert late.reason
    assert not bound.reason
    assert door.deadline() is None


def test_a_client_has_so_many_pipes_and_no_more(clock: list[float]) -> None:
    door = Doorkeeper()
    assert all(door.admits("192.0.2.7") for _ in range(doorkeeper.MAX_OF_CLIENT))
    assert not door.admits("192.0.2.7")
    assert door.admits("192.0.2.8")
    door.left(Pipe(door), "192.0.2.7")
    assert door.admits("192.0.2.7")


def test_all_clients_together_have_so_many(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "MAX_CONNECTIONS", 2)
    door = Doorkeeper()
    first = Pipe(door)
    Pipe(door)
    assert not door.has_room()
    first.close("done")
    assert door.has_room()
