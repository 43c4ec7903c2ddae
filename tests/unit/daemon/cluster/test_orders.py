"""Who is waited for by whoever orders something of other nodes."""

from __future__ import annotations

from fsrvpd.cluster import wire
from fsrvpd.cluster.members import Here
from fsrvpd.cluster.mounts import Action, MountOrder
from fsrvpd.cluster.wire import MountAnswer, MountRequest, RequestId
from fsrvpd.daemon.cluster.orders import Failures, MountOrders

ORDER = MountOrder(Action.KEEP)
FIRST, SECOND = Here(1, "a1", wire.VERSION), Here(2, "b2", wire.VERSION)


class Leader:
    def __init__(self) -> None:
        self.others = [FIRST, SECOND]
        self.sent: list[tuple[int, MountRequest]] = []
        self.heard: list[Failures] = []
        self.orders = MountOrders("1ead", lambda: 0, lambda: self.others, self.send)

    def send(self, node: int, data: bytes) -> None:
        message = wire.decode(data)
        assert isinstance(message, MountRequest)
        self.sent.append((node, message))

    def ask(self) -> int:
        return self.orders.ask(ORDER, self.heard.append)

    def answer(self, here: Here, failure: str = "", nonce: str = "1ead") -> None:
        number = self.sent[-1][1].request.number
        self.orders.take(MountAnswer(here.pnn, RequestId(nonce, number), failure))


def test_all_answers_are_waited_for() -> None:
    leader = Leader()
    leader.ask()
    assert [node for node, _ in leader.sent] == [1, 2]
    leader.answer(FIRST)
    assert leader.heard == []
    leader.answer(FIRST)  # twice
    leader.answer(SECOND, nonce="0ther")
    assert leader.heard == []
    leader.answer(SECOND, "no such snapshot")
    assert leader.heard == [{2: "no such snapshot"}]
    leader.answer(SECOND)
    assert len(leader.heard) == 1


def test_nobody_to_ask() -> None:
    leader = Leader()
    leader.others = []
    leader.ask()
    assert leader.heard == [{}]


def test_whoever_has_left_is_not_waited_for() -> None:
    leader = Leader()
    leader.ask()
    leader.answer(FIRST)
    leader.others = [FIRST, SECOND._replace(nonce="new")]
    leader.orders.members_changed()
    assert leader.heard == [{}]


def test_who_does_not_answer_has_failed() -> None:
    leader = Leader()
    number = leader.ask()
    leader.answer(FIRST, "it is full")
    leader.orders.give_up(number)
    leader.orders.give_up(number)
    assert leader.heard == [{1: "it is full", 2: "it does not answer"}]


def test_an_order_that_is_too_large_has_failed() -> None:
    leader = Leader()
    order = MountOrder(Action.KEEP, mount_points=("x" * wire.LARGEST,))
    leader.orders.ask(order, leader.heard.append)
    assert leader.sent == []
    assert set(leader.heard[0]) == {1, 2}
