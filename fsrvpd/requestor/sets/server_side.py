"""One server of a set: the set as it knows it, and the connection over which it is driven."""

from __future__ import annotations

import time
from typing import Callable, Iterable, Optional, Sequence, TypeVar

from fsrvpd.core.messages import new_guid
from fsrvpd.requestor.errors import Disconnected, RequestorError
from fsrvpd.requestor.ports import (
    AgentConnection,
    Connector,
    SetRecord,
    SetStore,
    ShadowCopyRecord,
    ShareRoot,
)
from fsrvpd.requestor.protocol.answers import still_there
from fsrvpd.requestor.protocol.exchange import Call, Exchange
from fsrvpd.requestor.protocol.queries import supported_version
from fsrvpd.requestor.protocol.server_set import ServerSet
from fsrvpd.requestor.protocol.undo import Ending, undo
from fsrvpd.requestor.side_by_side import Task

Outcome = TypeVar("Outcome")
_LONGEST_CALL = 10.0  # s for a call that runs when its caller is interrupted


def drive(
    exchange: Exchange[Outcome],
    connection: AgentConnection,
    before: Callable[[Call], None] = lambda call: None,
) -> Outcome:
    """Carry out the calls of an exchange. `before` makes the record of a call durable."""
    try:
        call: Call = next(exchange)
        while True:
            before(call)
            call = exchange.send(connection.call(call.request))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    finally:
        exchange.close()


class ServerSide:
    """A server's part in the creation of a set. Its methods block; one thread calls at a time."""

    def __init__(
        self,
        record: SetRecord,
        roots: Sequence[ShareRoot],
        connector: Connector,
        store: SetStore,
        connection: Optional[AgentConnection] = None,
    ) -> None:
        self.set = ServerSet(record, roots)
        self._connector = connector
        self._store = store
        self._connection = connection
        self.task: Optional[Task[None]] = None  # what may still use the connection
        self._given_up = False
        self.commit_sent = self.commit_answered = 0.0  # s, of a monotonic clock

    @property
    def host(self) -> str:
        return host_of(self.set.record)

    def start(self) -> None:
        """Connect, unless there is a connection, and start the set. Raises: ServerBusy."""
        self._drive(supported_version(self.host))
        self._drive(self.set.start())

    def add_and_prepare(self) -> None:
        self._drive(self.set.add_and_prepare([new_guid() for _ in self.set.roots]))

    def save_before_commit(self) -> None:
        self._store.write(self.set.about_to_commit())

    def commit(self) -> None:
        self.commit_sent = time.monotonic()
        try:
            self._drive(self.set.commit())
        finally:
            self.commit_answered = time.monotonic()

    def expose(self) -> None:
        """Expose and complete. Where an answer does not come the server is asked once more: it
        may take longer than a call may last (3.2.2)."""
        try:
            self._drive(self.set.expose())
        except Disconnected as lost:
            try:
                self._drive(self.set.recover())
            except RequestorError:
                raise lost from None
        self._save(self.set.record)

    def undo(self) -> None:
        """Remove from the server what it may have of the set, and forget it. Raises:
        RequestorError; then the record stays."""
        self._given_up = True
        if self.task is not None and not self.task.wait(_LONGEST_CALL):
            self._connection = None  # its call still runs; the server is told over another one
        if self.set.left:
            connection, self._connection = self._connection, None
            remove_whatever_is_there(self.set.record, self._connector, connection)
        self.close()
        self._store.forget(self.set.record)
        self.set.left = False

    def undo_start(self) -> None:
        """Undo, and be ready to start again."""
        connection = self._connection
        if self.set.left and connection is not None:
            drive(undo(self.set.record), connection)
        self.set = ServerSet(self.set.record._replace(server_set_id=None), self.set.roots)

    def close(self) -> None:
        """Close the connection. Samba's agent lets nobody else delete the set before."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _drive(self, exchange: Exchange[Outcome]) -> Outcome:
        if self._connection is None:
            self._connection = self._connector.connect(self.host)
        try:
            return drive(exchange, self._connection, self._before)
        except Disconnected:
            self.close()
            raise

    def _before(self, call: Call) -> None:
        self._save(call.record)

    def _save(self, record: Optional[SetRecord]) -> None:
        """Raises: RequestorError once another thread undoes the set."""
        if self._given_up:
            raise RequestorError(self.host, "the set was given up", "try again")
        if record is not None:
            self._store.write(record)


def host_of(record: SetRecord) -> str:
    """The host to contact: the owner of the share where the server has named one."""
    return record.owner or record.server


def require_gone(copies: Iterable[ShadowCopyRecord], connection: AgentConnection) -> None:
    """Look for the shares of copies that the agent does not know. Samba's agent may be several
    processes with a state of their own. Raises: Refused if one is there, Disconnected."""
    for copy in copies:
        if copy.shadow_share and connection.has_share(copy.shadow_share):
            raise still_there(copy.root.unc, copy.shadow_share)


def remove_whatever_is_there(
    record: SetRecord, connector: Connector, connection: Optional[AgentConnection] = None
) -> Ending:
    """Undo a set, if need be over another connection than the one that is given, which is closed.

    A server that does not know the set is asked once more over a new connection: an agent of
    several processes, such as Samba's, may have answered from one that is behind the others.
    """
    for is_last in (False, True):
        if connection is None:  # a server that is gone is not waited for twice
            connection = connector.connect(host_of(record))
        try:
            ending = drive(undo(record), connection)
            if ending is Ending.REMOVED:
                return ending
            if is_last:
                require_gone(record.copies, connection)
                return ending
        except Disconnected:
            if is_last:
                raise
        finally:
            connection.close()
        connection = None
    raise AssertionError("the last pass returns or raises")
