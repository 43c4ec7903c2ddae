"""One database of the cluster: written through ctdbd, read from the node's own copy."""

from __future__ import annotations

from typing import Callable, Generator, Mapping, Optional

from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Record
from samba_hooks.ctdb import packets
from samba_hooks.ctdb.connection import CtdbConnection, Done
from samba_hooks.ctdb.packets import Answer, CtdbLost, Opcode
from samba_hooks.ctdb.tdb import LocalCopy

# Asks something, and yields until it is answered.
Steps = Generator[Callable[[Done], None], Answer, None]


class CtdbDatabase:
    """Fulfils `protocol.cluster.ClusterDatabase`. The connection is its owner's, who calls
    `connection.ready` and closes it."""

    def __init__(
        self,
        connection: CtdbConnection,
        name: str,
        *,
        is_replicated: bool = False,
        open_copy: Callable[[str], LocalCopy] = LocalCopy,
    ) -> None:
        self.name = name
        self.node = -1  # until `open` is done
        self.cluster_lock = ""
        self.path = ""  # of the node's copy
        self._connection = connection
        self._is_replicated = is_replicated
        self._open_copy = open_copy
        self._id = 0
        self._copy: Optional[LocalCopy] = None

    def open(self, done: Callable[[Optional[StoreError]], None]) -> None:
        """Make the database if no node has it yet. Everything else comes after `done`."""
        _conduct(self._opening(), done)

    def close(self) -> None:
        if self._copy is not None:
            self._copy.close()
            self._copy = None

    def read(self, key: bytes) -> Optional[Record]:
        try:
            return self._opened().get(key)
        except CtdbLost as error:
            raise StoreError(f"{self.name}: {error}") from error

    def read_all(self) -> Mapping[bytes, Record]:
        try:
            return self._opened().all()
        except CtdbLost as error:
            raise StoreError(f"{self.name}: {error}") from error

    def commit(self, records: Mapping[bytes, Record], done: Callable[[str], None]) -> None:
        def answered(answer: Answer) -> None:
            failed = answer.status != 0
            done((answer.error or f"status {answer.status}") if failed else "")

        try:
            self._connection.commit(self._id, self.node, records, answered)
        except CtdbLost as error:
            raise StoreError(str(error)) from error

    def ask_recovering(self, done: Callable[[bool], None]) -> None:
        try:
            self._connection.control(
                Opcode.GET_RECMODE, lambda answer: done(packets.is_recovering(answer))
            )
        except CtdbLost as error:
            raise StoreError(str(error)) from error

    def _opening(self) -> Steps:
        connection, name = self._connection, self.name
        answer = yield lambda done: connection.control(Opcode.GET_PNN, done)
        self.node = packets.pnn(answer)
        answer = yield lambda done: connection.control(Opcode.GET_RECLOCK_FILE, done)
        self.cluster_lock = packets.cluster_lock(answer)
        attach = connection.attach_replicated if self._is_replicated else connection.attach
        answer = yield lambda done: attach(name, done)
        self._id = packets.database_id(answer)
        answer = yield lambda done: connection.database_path(self._id, done)
        self.path = packets.path(answer)
        self._copy = self._open_copy(self.path)

    def _opened(self) -> LocalCopy:
        if self._copy is None:
            raise CtdbLost("it is not open")
        return self._copy


def _conduct(steps: Steps, done: Callable[[Optional[StoreError]], None]) -> None:
    """Ask one question after the other."""

    def resume(answer: Optional[Answer] = None) -> None:
        try:
            ask = next(steps) if answer is None else steps.send(answer)
            ask(resume)
        except StopIteration:
            done(None)
        except CtdbLost as error:
            done(StoreError(f"the cluster's database cannot be opened: {error}"))

    resume()
