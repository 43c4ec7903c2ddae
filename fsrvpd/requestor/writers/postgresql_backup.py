"""Backup mode: from before the first snapshot until after the last, and the WAL of that time.

A temporary replication slot keeps the WAL on the server until it is read, and goes with the
session, as backup mode does. The WAL comes over the same session: its user may read files of the
server (pg_read_server_files), has REPLICATION, and may call the functions of backup mode.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.postgresql_cluster import Cluster, position
from fsrvpd.requestor.writers.psql import Psql

_TIMEOUT = 60.0  # s for a question, or a piece of WAL
_SLOW = 1800.0  # s for a checkpoint
_CHUNK = 1 << 20  # bytes of WAL in one answer
# Names of version 15 and newer, and those of before. The WAL is read here, not waited for.
_NEW_NAMES = 150000
_START = "pg_backup_start('fsrvpshadow', true)"
_START_OLD = "pg_start_backup('fsrvpshadow', true, false)"
_STOP = "SELECT lsn, labelfile, spcmapfile FROM pg_backup_stop(false)"
_STOP_OLD = "SELECT lsn, labelfile, spcmapfile FROM pg_stop_backup(false, false)"


class Ended(NamedTuple):
    """What pg_backup_stop returns."""

    stop: int  # the position up to which WAL is needed
    label: str
    tablespace_map: str


class BackupMode:
    def __init__(self, writer: str, session: Psql, cluster: Cluster) -> None:
        self._writer = writer
        self._session = session
        self._cluster = cluster
        self._start = self._timeline = 0

    def begin(self) -> None:
        """Raises: WriterFailed, also if the WAL could not be read later."""
        if self._cluster.is_standby:
            cause = "it is a standby, and lies over several copies, or is told to use backup mode"
            raise WriterFailed(self._writer, cause, "name the primary in `connect`")
        self._check_wal_is_readable()
        slot = f"fsrvpshadow_{secrets.token_hex(8)}"
        make = f"pg_create_physical_replication_slot('{slot}', true, true)"
        self._session.rows(f"SELECT {make}", _TIMEOUT)
        new = self._cluster.version >= _NEW_NAMES
        self._start = position(self._session.value(_START if new else _START_OLD, _SLOW))

    def end(self) -> Ended:
        """Raises: WriterFailed, also if the session was lost meanwhile."""
        new = self._cluster.version >= _NEW_NAMES
        statement = _STOP if new else _STOP_OLD
        ((stop, label, tablespace_map),) = self._session.rows(statement, _SLOW)
        return Ended(position(stop), label, tablespace_map)

    def write_wal(self, stop: int, directory: Path) -> None:
        """Every segment from the start up to `stop`, whole. Raises: WriterFailed, OSError."""
        size = self._cluster.segment_size
        first = self._start - self._start % size
        for begin in range(first, stop, size):
            name = self._cluster.segment(self._timeline, begin)
            with open(directory / name, "xb") as file:
                for offset in range(0, size, _CHUNK):
                    file.write(self._piece(name, offset, min(_CHUNK, size - offset)))

    def _check_wal_is_readable(self) -> None:
        statement = "SELECT timeline_id, redo_wal_file FROM pg_control_checkpoint()"
        ((timeline, name),) = self._session.rows(statement, _TIMEOUT)
        self._timeline = int(timeline)
        self._piece(name, 0, 8)

    def _piece(self, name: str, offset: int, length: int) -> bytes:
        """Raises: WriterFailed if it is not there whole."""
        call = f"encode(pg_read_binary_file('pg_wal/{name}', {offset}, {length}), 'hex')"
        try:
            piece = bytes.fromhex(self._session.value(call, _TIMEOUT))
        except WriterFailed as error:
            cause = f"its WAL cannot be read, and without it no copy would start: {error.cause}"
            next_step = "GRANT pg_read_server_files, and EXECUTE on pg_read_binary_file"
            raise WriterFailed(self._writer, cause, next_step) from error
        if len(piece) != length:
            raise WriterFailed(self._writer, f"the WAL file {name} is too short")
        return piece
