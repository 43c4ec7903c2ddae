"""The store of one node's agent, with nothing else of the agent: it claims, writes and reads."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence, TypeVar

from fsrvpd.core.messages import Guid
from fsrvpd.daemon.ctdb_socket import CtdbSocket
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import StoreBusy, StoreError
from fsrvpd.store.ctdb.life import NAME as LIFE_NAME
from fsrvpd.store.ctdb.life import ClusterLife
from fsrvpd.store.ctdb.store import NAME, CtdbStore
from fsrvpd.store.ctdb.transactions import Done
from lab.cluster import Node
from lab.namespaces import wait_until
from samba_hooks.ctdb.connection import SOCKET
from samba_hooks.ctdb.database import CtdbDatabase
from samba_hooks.ctdb.packets import CtdbLost
from samba_hooks.ctdb.tdb import LocalCopy

Found = TypeVar("Found")
Changes = Sequence[tuple[Guid, Optional[str]]]
TIMEOUT = 120.0  # s; a node that is silent is given up after 25


class StoreAgent:
    """It works only while a method waits: between calls it is as if it were stopped."""

    def __init__(self, node: Node, name: str = NAME) -> None:
        self.node = node
        self.loop = EventLoop()
        path = str(node.seen(Path(SOCKET)))
        self.socket = CtdbSocket(self.loop, path, lambda srvid, data: None, self._lost)
        self.database = CtdbDatabase(self.socket.connection, name, open_copy=self._open_copy)
        self.ask(self.database.open)
        self.store = CtdbStore(self.database, self.loop)
        self.life_database = CtdbDatabase(
            self.socket.connection, LIFE_NAME, is_replicated=True, open_copy=self._open_copy
        )
        self.ask(self.life_database.open)
        self.life = ClusterLife(self.life_database, self.loop)

    def close(self) -> None:
        self.store.close()
        self.database.close()
        self.life_database.close()
        self.socket.close()
        self.loop.close()

    def ask(self, start: Callable[[Done], None]) -> None:
        """Wait until it is done. Raises: StoreError if it fails."""
        told = self.begin(start)
        self.wait("an answer of the store", lambda: bool(told))
        if told[0] is not None:
            raise told[0]

    def begin(self, start: Callable[[Done], None]) -> list[Optional[StoreError]]:
        """Return where the result will be."""
        told: list[Optional[StoreError]] = []
        start(told.append)
        return told

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            self.loop.run_once(0.01)
            return condition()

        wait_until(what, holds, TIMEOUT)

    def claim(self) -> None:
        """Raises: StoreError."""
        self.ask(self.store.claim)

    def submit(self, changes: Changes) -> None:
        """Raises: StoreError."""
        self.ask(lambda done: self.store.submit(changes, durable=True, done=done))

    def begin_submit(self, changes: Changes) -> list[Optional[StoreError]]:
        return self.begin(lambda done: self.store.submit(changes, durable=True, done=done))

    def load(self) -> Mapping[Guid, str]:
        return self.read(self.store.load)

    def kept(self) -> Mapping[str, bool]:
        return self.read(self.store.kept)

    def read(self, reader: Callable[[], Found]) -> Found:
        """Once ctdbd does not have the node's copy locked."""
        found: list[Found] = []

        def is_read() -> bool:
            try:
                found.append(reader())
            except StoreBusy:
                return False
            return True

        self.wait("the node's copy can be read", is_read)
        return found[0]

    def _lost(self, error: CtdbLost) -> None:
        self.store.end(StoreError(str(error)))
        self.life.end(StoreError(str(error)))

    def _open_copy(self, path: str) -> LocalCopy:
        return LocalCopy(str(self.node.seen(Path(path))))
