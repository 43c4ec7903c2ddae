"""The contract of stores, kept by the one of a cluster, on real ctdbds."""

from __future__ import annotations

import itertools
from typing import Iterator, Mapping, Optional, Sequence

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError
from lab import Cluster
from tests.cluster.store_agent import StoreAgent
from tests.store_contract import Changes, StoreContract

_names = (f"fsrvpd_contract_{number}.tdb" for number in itertools.count())


class CtdbHarness:
    """Each agent runs on the next node."""

    def __init__(self, cluster: Cluster) -> None:
        self.nodes = itertools.cycle(cluster.nodes)
        self.name = next(_names)
        self.agents: list[StoreAgent] = []
        self.restart()

    @property
    def agent(self) -> StoreAgent:
        return self.agents[0]

    @property
    def id(self) -> str:
        return self.agent.store.id

    def submit(self, changes: Changes, *, durable: bool = True) -> None:
        self.agent.ask(lambda done: self.agent.store.submit(changes, durable=durable, done=done))

    def submit_all(self, submissions: Sequence[Changes]) -> list[int]:
        order: list[int] = []
        failures: list[StoreError] = []
        for number, changes in enumerate(submissions):

            def done(failure: Optional[StoreError], number: int = number) -> None:
                order.append(number)
                failures.extend([failure] if failure else [])

            self.agent.store.submit(changes, durable=True, done=done)
        self.agent.wait("all are done", lambda: len(order) == len(submissions))
        assert failures == []
        return order

    def load(self) -> Mapping[Guid, str]:
        return self.agent.load()

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        self.agent.ask(lambda done: self.agent.store.keep(changes, done))

    def kept(self) -> Mapping[str, bool]:
        return self.agent.kept()

    def restart(self) -> None:
        self.close()
        self.agents = [self._started()]

    def start_rival(self) -> None:
        self.agents.append(self._started())

    def close(self) -> None:
        for agent in self.agents:
            agent.close()

    def _started(self) -> StoreAgent:
        agent = StoreAgent(next(self.nodes), self.name)
        agent.claim()
        return agent


@pytest.fixture
def harness(ctdb: Cluster) -> Iterator[CtdbHarness]:
    made = CtdbHarness(ctdb)
    yield made
    made.close()


class TestCtdb(StoreContract):
    pass
