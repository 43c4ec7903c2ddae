"""Orders of the leader to the agents of other nodes, and their answers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Callable, Mapping, Optional, Sequence

from fsrvpd.cluster import wire
from fsrvpd.cluster.members import Here
from fsrvpd.cluster.mounts import MountOrder, order_text
from fsrvpd.cluster.wire import MountAnswer, MountRequest, RequestId, WireError

NO_AGENT = "its agent has ended"

Failures = Mapping[int, str]  # by node, "" for none


@dataclass(eq=False)
class _Asked:
    waited_for: dict[int, str]  # nonces of agents, by node
    done: Callable[[Failures], None]
    failures: dict[int, str] = field(default_factory=dict)


class MountOrders:
    """Belongs to the loop's thread. `others` are the agents on the other nodes that are active:
    one that is not has smbd serve nobody, and is told what there is when it is back."""

    def __init__(
        self,
        nonce: str,
        node: Callable[[], int],
        others: Callable[[], Sequence[Here]],
        send: Callable[[int, bytes], None],
    ) -> None:
        self._nonce = nonce
        self._node = node
        self._others = others
        self._send = send
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}

    def ask(
        self,
        order: MountOrder,
        done: Callable[[Failures], None],
        agents: Optional[Sequence[Here]] = None,
    ) -> int:
        """Have an order carried out by all others, or by some; `done` is called once all that are
        still there have answered. Returns a number for `give_up`."""
        wanted = self._others() if agents is None else agents
        number = next(self._numbers)
        try:
            data = wire.encode(
                MountRequest(self._node(), RequestId(self._nonce, number), order_text(order))
            )
        except WireError as error:
            done({here.pnn: str(error) for here in wanted})
            return number
        self._asked[number] = _Asked({here.pnn: here.nonce for here in wanted}, done)
        for here in wanted:
            self._send(here.pnn, data)
        self._end_if_answered(number)
        return number

    def take(self, answer: MountAnswer) -> None:
        """One that nobody waits for is dropped."""
        asked = self._asked.get(answer.request.number)
        if asked is None or answer.request.nonce != self._nonce:
            return
        if asked.waited_for.pop(answer.node, None) is not None and answer.failure:
            asked.failures[answer.node] = answer.failure
        self._end_if_answered(answer.request.number)

    def members_changed(self) -> None:
        """Whoever is there no more is not waited for: nobody reaches a copy through its node."""
        there = {here.nonce for here in self._others()}
        for number, asked in list(self._asked.items()):
            for node in [node for node, nonce in asked.waited_for.items() if nonce not in there]:
                del asked.waited_for[node]
            self._end_if_answered(number)

    def give_up(self, number: int) -> None:
        """Wait for no more answers: those that have not come are failures."""
        asked = self._asked.pop(number, None)
        if asked is not None:
            missing = dict.fromkeys(asked.waited_for, "it does not answer")
            asked.done({**asked.failures, **missing})

    def _end_if_answered(self, number: int) -> None:
        asked = self._asked.get(number)
        if asked is not None and not asked.waited_for:
            del self._asked[number]
            asked.done(asked.failures)
