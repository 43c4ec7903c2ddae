"""Wrong passwords are counted by proved user and address, and forgotten in time."""

from __future__ import annotations

from fsrvpd.daemon.pipe import wrong_passwords
from fsrvpd.daemon.pipe.wrong_passwords import MAX_FAILURES, PERIOD, WrongPasswords
from fsrvpd.protocol.ports import Caller


def caller(sid: str = "S-1-5-21-1", address: str = "10.0.0.1") -> Caller:
    return Caller(address, "LAB\\alice", sid, frozenset(), 0, 1000, False)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_period() -> None:
    clock = Clock()
    failed = WrongPasswords(clock)
    for _ in range(MAX_FAILURES):
        assert failed.refusal(caller()) is None
        failed.add(caller())
        clock.now += 1
    refusal = failed.refusal(caller())
    assert refusal is not None
    assert f"in {PERIOD - MAX_FAILURES:.0f} s" in refusal
    clock.now += PERIOD - MAX_FAILURES
    assert failed.refusal(caller()) is None
    failed.add(caller())
    assert failed.refusal(caller()) is not None, "one attempt becomes free with time, not all"


def test_others_are_not_concerned() -> None:
    failed = WrongPasswords(Clock())
    for _ in range(MAX_FAILURES):
        failed.add(caller())
    assert failed.refusal(caller()) is not None
    assert failed.refusal(caller(sid="S-1-5-21-2")) is None
    assert failed.refusal(caller(address="10.0.0.2")) is None


def test_memory_is_limited() -> None:
    failed = WrongPasswords(Clock())
    for number in range(wrong_passwords._MAX_REMEMBERED + 100):
        failed.add(caller(address=str(number)))
    assert len(failed._times) == wrong_passwords._MAX_REMEMBERED
