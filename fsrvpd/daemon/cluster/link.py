"""The connection of a membership to this node's ctdbd, made again whenever it is lost."""

from __future__ import annotations

import logging
import os
from typing import Callable, Optional

from fsrvpd.cluster.events import Claimed, Connected, Disconnected, Event, Nodes, NotClaimed
from fsrvpd.daemon.ctdb_socket import CtdbSocket
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import StoreBusy, StoreError
from fsrvpd.protocol.cluster import Ballot, Warrant
from fsrvpd.store.ctdb.life import NAME as LIFE
from fsrvpd.store.ctdb.life import ClusterLife
from fsrvpd.store.ctdb.settled import POLL
from fsrvpd.store.ctdb.store import NAME, CtdbStore
from samba_hooks.ctdb import packets
from samba_hooks.ctdb.database import CtdbDatabase
from samba_hooks.ctdb.packets import (
    BROADCAST_CONNECTED,
    INACTIVE,
    RECOVERED,
    Answer,
    CtdbLost,
    Opcode,
)

log = logging.getLogger("fsrvpd.cluster")

SRVID = 0xF5FD << 48 | 0x10  # of the messages of agents; Samba's own begin otherwise
RETRY = 1.0  # s
UNKNOWN = (1 << 64) - 1


class CtdbLink:
    """Fulfils `membership.Link`. `store` is the cluster's, of this connection: the next one has
    another."""

    def __init__(
        self,
        loop: EventLoop,
        path: str,
        nonce: str,
        on_message: Callable[[bytes], None],
        on_event: Callable[[Event], None],
        last_words: Callable[[int], bytes],
    ) -> None:
        """`last_words`: of this process, by the number of its node."""
        self.store: Optional[CtdbStore] = None
        self._loop = loop
        self._path = path
        self._nonce = nonce
        self._on_message = on_message
        self._on_event = on_event
        self._last_words = last_words
        self._socket: Optional[CtdbSocket] = None
        self._database: Optional[CtdbDatabase] = None
        self._life_database: Optional[CtdbDatabase] = None
        self._life: Optional[ClusterLife] = None
        self._life_name = ""
        self._is_connected = self._is_closed = False
        self._why_not = ""

    def open(self) -> None:
        """Connect, now or as soon as ctdbd is there."""
        if self._is_closed:
            return
        try:
            self._socket = CtdbSocket(self._loop, self._path, self._told, self._lost)
            connection = self._socket.connection
            self._database = CtdbDatabase(connection, NAME)
            self._life_database = CtdbDatabase(connection, LIFE, is_replicated=True)
            self._database.open(self._opened)
        except CtdbLost as error:
            self._lost(error)

    def close(self) -> None:
        self._is_closed = True
        self._drop(StoreError("the daemon ends"))

    def send(self, node: int, data: bytes) -> None:
        if self._socket is not None and self._is_connected:
            try:
                self._socket.connection.message(node, SRVID, data)
            except CtdbLost as error:
                self._lost(error)

    def broadcast(self, data: bytes) -> None:
        self.send(BROADCAST_CONNECTED, data)

    def poll(self) -> None:
        self._control(Opcode.GET_NODEMAP, self._take_nodes)

    def claim(self) -> None:
        store = self.store
        if store is None:
            self._on_event(NotClaimed())
        else:
            store.claim(lambda failure: self._claimed(store, failure))

    def holder(self) -> Optional[Ballot]:
        if self.store is None:
            raise StoreError("ctdbd is not there")
        return self.store.holder()

    def warrant(self, ballot: Ballot) -> Warrant:
        """With which an agent that has claimed changes Samba's registry. Raises: StoreError."""
        if self._database is None:
            raise StoreError("ctdbd is gone")
        return Warrant(self._database.path, *ballot)

    def free_space(self) -> int:
        """Bytes left for CTDB's databases on this node."""
        if self._database is None:
            return UNKNOWN
        try:
            found = os.statvfs(os.path.dirname(self._database.path))
        except OSError:
            return UNKNOWN
        return found.f_bavail * found.f_frsize

    def life(self) -> str:
        """The name of the cluster's life, which a claim has begun. Raises: StoreError."""
        if not self._life_name:
            raise StoreError("ctdbd is not there")
        return self._life_name

    def _claimed(self, store: CtdbStore, failure: Optional[StoreError]) -> None:
        ballot = store.ballot
        if failure is None and ballot is not None and self._life is not None:
            self._life.begin(ballot, lambda failure: self._begun(ballot, failure))
        else:
            self._not_claimed(failure)

    def _begun(self, ballot: Ballot, failure: Optional[StoreError]) -> None:
        """Read the life's name, once ctdbd does not have it locked."""
        try:
            if failure is not None or self._life is None:
                raise failure or StoreError("ctdbd is gone")
            self._life_name = self._life.name()
        except StoreBusy:
            self._loop.call_later(POLL, lambda: self._begun(ballot, None))
        except StoreError as error:
            self._not_claimed(error)
        else:
            self._on_event(Claimed(ballot))

    def _not_claimed(self, why: Optional[StoreError]) -> None:
        log.info("the claim was not won: %s", why)
        self._on_event(NotClaimed())

    def _opened(self, failure: Optional[StoreError]) -> None:
        if failure is not None:
            self._lost(CtdbLost(str(failure)))
        elif self._life_database is not None:
            self._life_database.open(self._opened_both)

    def _opened_both(self, failure: Optional[StoreError]) -> None:
        if failure is not None:
            self._lost(CtdbLost(str(failure)))
            return
        self._control(Opcode.REGISTER_SRVID, self._listens, srvid=RECOVERED)

    def _listens(self, answer: Answer) -> None:
        self._require(answer, self._listens_to_agents, Opcode.REGISTER_SRVID, srvid=SRVID)

    def _listens_to_agents(self, answer: Answer) -> None:
        pnn = self._database.node if self._database is not None else -1
        words = packets.words(SRVID, self._last_words(pnn))
        self._require(answer, self._connected, Opcode.REGISTER_NOTIFY, words)

    def _require(
        self,
        answer: Answer,
        done: Callable[[Answer], None],
        opcode: Opcode,
        data: bytes = b"",
        *,
        srvid: int = 0,
    ) -> None:
        """Ask the next thing if this one was granted."""
        if answer.status != 0:
            self._lost(CtdbLost(f"ctdbd refuses messages: {answer.error or answer.status}"))
        else:
            self._control(opcode, done, data, srvid=srvid)

    def _connected(self, answer: Answer) -> None:
        if answer.status != 0 or self._database is None or self._life_database is None:
            self._lost(CtdbLost(f"ctdbd refuses last words: {answer.error or answer.status}"))
            return
        self.store = CtdbStore(self._database, self._loop, nonce=self._nonce)
        self._life = ClusterLife(self._life_database, self._loop)
        self._is_connected, self._why_not = True, ""
        self._on_event(Connected(self._database.node))
        self.poll()

    def _control(
        self,
        opcode: Opcode,
        done: Callable[[Answer], None],
        data: bytes = b"",
        *,
        srvid: int = 0,
    ) -> None:
        if self._socket is None:
            return
        try:
            self._socket.connection.control(opcode, done, data, srvid=srvid)
        except CtdbLost as error:
            self._lost(error)

    def _take_nodes(self, answer: Answer) -> None:
        flags = packets.nodes(answer)
        active = frozenset(pnn for pnn, flag in flags.items() if not flag & INACTIVE)
        self._control(
            Opcode.GET_RECMODE,
            lambda found: self._take_mode(active, packets.is_recovering(found)),
        )

    def _take_mode(self, active: frozenset[int], is_recovering: bool) -> None:
        if self._database is not None:
            self._on_event(Nodes(active, is_recovering, bool(self._database.cluster_lock)))

    def _told(self, srvid: int, data: bytes) -> None:
        if srvid == SRVID:
            self._on_message(data)
        elif srvid == RECOVERED:
            self.poll()

    def _lost(self, error: CtdbLost) -> None:
        if str(error) != self._why_not:
            log.error("%s", error)
            self._why_not = str(error)
        was_connected = self._is_connected
        self._drop(StoreError(str(error)))
        if was_connected:
            self._on_event(Disconnected())
        self._loop.call_later(RETRY, self.open)

    def _drop(self, reason: StoreError) -> None:
        self._is_connected = False
        if self.store is not None:
            self.store.end(reason)
            self.store = None
        if self._life is not None:
            self._life.end(reason)
            self._life, self._life_name = None, ""
        for database in (self._database, self._life_database):
            if database is not None:
                database.close()
        self._database = self._life_database = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
