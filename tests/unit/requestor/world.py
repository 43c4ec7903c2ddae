"""`World`: two servers in memory, and a host with a requestor."""

from __future__ import annotations

from typing import Any, Callable

from fsrvpd.requestor.events import Event, Report
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.waiting import Waiting
from tests.unit.requestor.memory import (
    MemoryConnector,
    MemoryNames,
    MemoryServer,
    MemoryStore,
    unc,
)

SHARES = (unc("nas", "a"), unc("nas", "b"), unc("fs2", "c"))
CREATION = (8, 0, 1, 2, 3, 12, 4, 5, 10, 6)


class World:
    """Two servers, and a host with a requestor."""

    def __init__(self, **settings: Any) -> None:
        self.nas, self.fs2 = MemoryServer("nas", **settings), MemoryServer("fs2", **settings)
        self.servers = (self.nas, self.fs2)
        self.connector = MemoryConnector(*self.servers)
        self.store = MemoryStore(self.connector.process)
        self.names = MemoryNames()
        self.events: list[Event] = []
        self.waiting = FastWaiting(self.pass_time)
        self.requestor = self.new_requestor()

    def new_requestor(self) -> Requestor:
        return Requestor(
            self.connector,
            self.store,
            self.names,
            report=self.events.append,
            wall_clock=lambda: 1_700_000_000.0,
            waiting=self.waiting,
        )

    def pass_time(self, seconds: float) -> None:
        for server in self.servers:
            server.pass_time(seconds)

    def restart_host(self) -> None:
        """A new process, after one that was killed."""
        self.connector.process.alive = True
        self.store.kill_holder()
        self.requestor = self.new_requestor()

    def assert_clean(self) -> None:
        for server in self.servers:
            server.finish_all()
            assert server.is_clean()
            assert server.open_connections == 0
        assert self.store.kept == {}
        assert self.store.locks == {}

    def names_of_events(self) -> list[str]:
        return [event.name for event in self.events]


class FastWaiting:
    """Makes a `Waiting` that sleeps without time: `pass_time` is told instead."""

    def __init__(self, pass_time: Callable[[float], None] = lambda seconds: None) -> None:
        self.slept = 0.0
        self.pauses: list[float] = []
        self.on_wait: Callable[[], None] = lambda: None
        self._pass_time = pass_time

    def __call__(self, seconds: float, report: Report, jitter: float = 0.5) -> Waiting:
        return Waiting(
            seconds,
            report,
            clock=lambda: self.slept,
            sleep=self._sleep,
            jitter=lambda: jitter,
        )

    def _sleep(self, seconds: float) -> None:
        self.on_wait()
        self.slept += seconds
        self.pauses.append(seconds)
        self._pass_time(seconds)
