"""The writer `mariadb`: BACKUP STAGE, which MariaDB has since 10.4.

START, which holds nobody, comes before the servers prepare; FLUSH, which holds writes to tables
without transactions, and BLOCK_COMMIT, which holds commits, only for the snapshots. InnoDB recovers
in the copy as after a power cut, which needs all its files at one moment: in one copy, and not one
that was cloned file by file.

Source: MariaDB's documentation of BACKUP STAGE.
"""

from __future__ import annotations

import math
from contextlib import closing, suppress
from typing import Callable, Optional, Sequence, Tuple

from fsrvpd.requestor.writers import mariadb_place
from fsrvpd.requestor.writers.mariadb_client import MariadbClient
from fsrvpd.requestor.writers.mariadb_place import CONSTANT, Directory
from fsrvpd.requestor.writers.place import Place, copy_of, is_clone
from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe, WriterFailed

KIND = "mariadb"
TIMEOUT = 5.0  # s for the freeze: whoever holds a lock is waited for so long

_ANSWER = 10.0  # s for what waits for nobody
_WINDOW = 10.0  # s, if nothing is said
_DELAY = 1.0  # s after the window, as the keeper's


class MariadbWriter:
    """`option_file`: with a section [client], for whoever does not log in by the account of this
    host. `user`: the account that runs the client. `shares` opens the shares of the set as they are
    now. `window`: seconds after which the server ends a session that holds commits, whose client
    may be stopped."""

    kind = KIND

    def __init__(
        self,
        name: str,
        *,
        shares: Callable[[], Sequence[SharedTree]],
        option_file: Optional[str] = None,
        user: Optional[str] = None,
        priority: int = 0,
        required: bool = True,
        timeout: float = TIMEOUT,
        window: float = _WINDOW,
    ) -> None:
        self.name, self.priority, self.required, self.timeout = name, priority, required, timeout
        self._window = window
        self._open_shares = shares
        self._option_file, self._user = option_file, user
        self._found: Optional[Tuple[Directory, Place]] = None
        self._since: Optional[int] = None  # a checkpoint that the copy has
        self._session: Optional[MariadbClient] = None
        self._connection = ""  # the server's id of the session
        self._is_frozen = False
        self._lost: Optional[WriterFailed] = None  # why the session ended while it was frozen

    def prepare(self) -> None:
        session = self._session = self._connect()
        directory = mariadb_place.ask(self.name, session)
        self._since = mariadb_place.last_checkpoint(session)
        trees = self._open_shares()
        self._found = directory, mariadb_place.find(self.name, directory, session, trees)
        ((self._connection,),) = session.rows("SELECT CONNECTION_ID()", _ANSWER)
        # Others wait behind what the server waits for, and must not do so after it is given up.
        seconds = max(1, math.ceil(self.timeout))
        session.rows(f"SET SESSION lock_wait_timeout = {seconds}", _ANSWER)
        session.rows("BACKUP STAGE START", self.timeout + _ANSWER)

    def freeze(self) -> None:
        session = self._prepared()
        self._lost = None
        # Nobody else can end its stage while this process is stopped. No time-out before: servers
        # may take their time to prepare.
        longest = math.ceil(self._window + _DELAY)
        session.rows(f"SET SESSION wait_timeout = {longest}", self.timeout)
        session.rows("BACKUP STAGE FLUSH", self.timeout)
        session.rows("BACKUP STAGE BLOCK_DDL", self.timeout)
        session.rows("BACKUP STAGE BLOCK_COMMIT", self.timeout)
        self._is_frozen = True

    def thaw(self) -> None:
        session = self._prepared()
        try:
            if not self._is_frozen:  # the freeze may still run, in its thread
                raise WriterFailed(self.name, "it was not frozen")
            session.rows("BACKUP STAGE END", _ANSWER)
        except WriterFailed as error:
            self._lost = error
            self._end(session)
        self._is_frozen = False

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """Nothing can be added to a copy that is not of one moment: it is refused."""
        if self._found is None:
            raise WriterFailed(self.name, "it was not prepared")
        if self._lost is not None:
            cause = f"its session was lost while it held commits: {self._lost.cause}"
            raise WriterFailed(self.name, cause, "look who has ended it: MariaDB's log says so")
        directory, place = self._found
        copy = copy_of(self.name, place, copies)
        if copy.entry(CONSTANT) is None or mariadb_place.is_older(copy, directory, self._since):
            cause = "its data directory is not in the copy: it is on another file system"
            raise WriterFailed(self.name, cause, "make a share of it")
        if is_clone(place, copy, CONSTANT):
            cause = "the server has cloned it file by file, not all files at one moment"
            raise WriterFailed(self.name, cause, "keep it on btrfs, ZFS, LVM or CephFS")

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        """None: the stage ends with the session."""
        return None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _connect(self) -> MariadbClient:
        return MariadbClient(self.name, self._option_file, self._user)

    def _prepared(self) -> MariadbClient:
        if self._session is None:
            raise WriterFailed(self.name, "it was not prepared")
        return self._session

    def _end(self, session: MariadbClient) -> None:
        """Let the server end it, and see that it has: one session at a time may be in a stage.
        Raises: WriterFailed."""
        session.kill()
        with suppress(WriterFailed), closing(self._connect()) as other:
            other.rows(f"KILL CONNECTION {self._connection}", _ANSWER)  # an error if it has ended
        with closing(self._connect()) as other:
            other.rows(f"SET SESSION lock_wait_timeout = {_ANSWER:.0f}", _ANSWER)
            other.rows("BACKUP STAGE START", 2 * _ANSWER)
            other.rows("BACKUP STAGE END", _ANSWER)
