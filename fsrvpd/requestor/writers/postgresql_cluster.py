"""What a running cluster says about itself."""

from __future__ import annotations

from typing import NamedTuple, Tuple

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.psql import Psql

_TIMEOUT = 30.0  # s for a question
_OLDEST = 110000  # the first version whose pg_control has the layout that place.py reads


class Tablespace(NamedTuple):
    oid: str
    name: str
    location: str  # on the database's host
    databases: Tuple[str, ...]  # oids of those that have something in it


class Cluster(NamedTuple):
    version: int  # as server_version_num: 150004
    identifier: int
    catalog_version: str
    data_directory: str  # on the database's host
    segment_size: int  # of WAL, in bytes
    is_standby: bool
    tablespaces: Tuple[Tablespace, ...]

    @property
    def major(self) -> int:
        return self.version // 10000

    def segment(self, timeline: int, position: int) -> str:
        """The name of the WAL file that holds a position (LSN)."""
        number = position // self.segment_size
        per_file = (1 << 32) // self.segment_size
        return f"{timeline:08X}{number // per_file:08X}{number % per_file:08X}"


class Checkpoint(NamedTuple):
    """The last one: no older copy of the cluster has it."""

    location: int
    timeline: int


def ask(writer: str, session: Psql) -> Cluster:
    """Raises: WriterFailed; the user needs what the role pg_monitor may read."""
    version = int(session.value("current_setting('server_version_num')", _TIMEOUT))
    if version < _OLDEST:
        cause = f"PostgreSQL {version // 10000} is older than {_OLDEST // 10000}"
        raise WriterFailed(writer, cause, "use a command that stops it as its writer")
    (control,) = session.rows(
        "SELECT system_identifier, catalog_version_no, current_setting('data_directory'),"
        " pg_size_bytes(current_setting('wal_segment_size')), pg_is_in_recovery()"
        " FROM pg_control_system()",
        _TIMEOUT,
    )
    return Cluster(
        version=version,
        identifier=int(control[0]) % (1 << 64),
        catalog_version=control[1],
        data_directory=control[2],
        segment_size=int(control[3]),
        is_standby=control[4] == "t",
        tablespaces=_tablespaces(session),
    )


def last_checkpoint(session: Psql) -> Checkpoint:
    """Raises: WriterFailed."""
    statement = "SELECT checkpoint_lsn, timeline_id FROM pg_control_checkpoint()"
    ((location, timeline),) = session.rows(statement, _TIMEOUT)
    return Checkpoint(position(location), int(timeline))


def _tablespaces(session: Psql) -> Tuple[Tablespace, ...]:
    rows = session.rows(
        "SELECT oid, spcname, pg_tablespace_location(oid),"
        " ARRAY(SELECT pg_tablespace_databases(oid))::text FROM pg_tablespace"
        " WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid",
        _TIMEOUT,
    )
    return tuple(
        Tablespace(oid, name, location, tuple(filter(None, databases.strip("{}").split(","))))
        for oid, name, location, databases in rows
    )


def position(text: str) -> int:
    """An LSN as PostgreSQL prints it, such as 0/16B3748."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
