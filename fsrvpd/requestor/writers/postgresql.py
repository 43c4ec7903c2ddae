"""The writer `postgresql`: which of two ways is right depends on where the cluster lies.

* Data directory, tablespaces and pg_wal in one copy, which is of one moment: a CHECKPOINT before
  the servers prepare, so that recovery is short, and nothing else. Starting the copy is a recovery
  as after a power cut. Backup mode would be wrong: with a backup_label the copy wants WAL that is
  written after the snapshot, and does not start.
* In several copies, which are never of quite one moment, or in one that was cloned file by file:
  backup mode from before the first snapshot until after the last, with the WAL of that time and the
  label added beside the copies.

What is in neither way sure to start is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional, Sequence, Tuple

from fsrvpd.requestor.writers import postgresql_cluster as asking
from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe, WriterFailed
from fsrvpd.requestor.writers.postgresql_backup import BackupMode
from fsrvpd.requestor.writers.postgresql_cluster import Cluster
from fsrvpd.requestor.writers.postgresql_place import Places, check_copies, find
from fsrvpd.requestor.writers.postgresql_restoring import write_backup, write_links
from fsrvpd.requestor.writers.psql import Psql
from fsrvpd.requestor.writers.results import Results

KIND = "postgresql"
_TIMEOUT = 10.0  # s; nothing is frozen
_SLOW = 1800.0  # s for a checkpoint


class PostgresqlWriter:
    """`connect` is libpq's connection string, without a password; `user` runs psql. `shares` opens
    the shares of the set as they are now. `results`: a directory that is made for what has to be
    restored beside the copies, and removed at the end.

    `mode` is "auto"; or "checkpoint", which never holds backup mode and refuses a cluster that is
    not in one copy; or "backup".
    """

    kind = KIND
    timeout = _TIMEOUT

    def __init__(
        self,
        name: str,
        *,
        shares: Callable[[], Sequence[SharedTree]],
        results: Path,
        connect: str = "",
        user: Optional[str] = None,
        mode: str = "auto",
        priority: int = 0,
        required: bool = True,
    ) -> None:
        self.name, self.priority, self.required = name, priority, required
        self._open_shares = shares
        self._results = Results(results)
        self._connect, self._user, self._mode = connect, user, mode
        self._session: Optional[Psql] = None
        self._found: Optional[Tuple[Cluster, Places]] = None
        self._backup: Optional[BackupMode] = None

    def prepare(self) -> None:
        self._results.remove()  # of a run that was killed
        session = self._session = Psql(self.name, self._connect, self._user)
        cluster = asking.ask(self.name, session)
        trees = self._open_shares()
        refused = _checkpoint(session)
        places = self._find(cluster, session, trees)
        if self._mode != "backup" and places.are_in_one:
            if refused:
                raise refused
            self._found = cluster, places
            return
        if self._mode == "checkpoint":
            cause = "data directory, tablespaces and pg_wal are not in one share"
            raise WriterFailed(self.name, cause, 'set mode = "auto", or move them into one')
        self._backup = BackupMode(self.name, session, cluster)
        self._backup.begin()  # with a checkpoint of its own
        self._found = cluster, self._find(cluster, session, trees)

    def _find(self, cluster: Cluster, session: Psql, trees: Sequence[SharedTree]) -> Places:
        return find(self.name, cluster, asking.last_checkpoint(session), trees)

    def freeze(self) -> None:
        """Nothing is held: neither way needs it."""

    def thaw(self) -> None:
        """Nothing was held."""

    def complete(self, copies: Sequence[SharedTree]) -> None:
        if self._found is None:
            raise WriterFailed(self.name, "it was not prepared")
        (cluster, places), backup = self._found, self._backup
        try:
            if backup is not None:
                write_backup(self._results.make(), cluster, places, backup.end(), backup.write_wal)
            elif cluster.tablespaces:
                write_links(self._results.make(), cluster, places)
        except OSError as error:
            where = error.filename or self._results.directory
            cause = f"cannot write {where}: {error.strerror or error}"
            raise WriterFailed(self.name, cause, "make room there") from error
        check_copies(self.name, cluster, places, copies, alone=backup is None)

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        """None: backup mode and the slot end with the session."""
        return None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._results.remove()


def _checkpoint(session: Psql) -> Optional[WriterFailed]:
    """It tells the cluster from older copies of it. Returns why it is refused: the role that backup
    mode needs may lack the right."""
    try:
        session.rows("CHECKPOINT", _SLOW)
    except WriterFailed as error:
        return error
    return None
